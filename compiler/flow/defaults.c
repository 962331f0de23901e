// defaults.c - plugin defaults, resolved when the flow is compiled (design §20.9): exact type over
// prefix, longer prefix over shorter, the flow over the project file.
//
// merge(a, b), b wins: null in b keeps a, two maps merge key by key, two lists are joined (a then
// b). A default that is not forced is `a`, a forced one is `b`. Every map with a `type` inside a
// task or trigger is a candidate too (runners, conditions). Merged nodes are new; their members
// keep the places they were written at, so a finding still points to the text.
#include <stdlib.h>

#include "flow/internal.h"

bool flow_span_is_default(const Flow *flow, Span span) {
    if (span.file != flow->file) return true;
    const Node *defaults = flow->plugin_defaults;
    return defaults != NULL && span.start >= defaults->span.start &&
           span.start < defaults->span.start + defaults->span.len;
}

static void add_default(Builder *builder, Str type, const Node *map, bool is_project) {
    if (type.len == 0 || builder->defaults.count >= DEFAULTS_MAX) return;
    const Node *values = node_get(map, STR("values"));
    if (values == NULL || values->type != YAML_MAP) return;
    *LIST_ADD(builder->arena, &builder->defaults, Default) = (Default){
        .type = type,
        .values = values,
        .is_forced = node_bool(node_get(map, STR("forced")), false),
        .is_project = is_project,
        .order = builder->defaults.count,
    };
}

// Of those that are not forced the first applied wins, so the most specific comes first.
static int by_weight(const void *left, const void *right) {
    const Default *a = left;
    const Default *b = right;
    if (a->type.len != b->type.len) return a->type.len > b->type.len ? -1 : 1;
    if (a->is_project != b->is_project) return a->is_project ? 1 : -1;
    return a->order < b->order ? -1 : a->order > b->order;
}

void defaults_read(Builder *builder, const Node *node, bool is_project) {
    if (node == NULL || node->type != YAML_LIST) return;
    for (uint32_t i = 0; i < node->items.count; i++) {
        const Node *map = node->items.items[i];
        Str type = node_text(node_get(map, STR("type")));
        add_default(builder, type, map, is_project);
        bool is_alias = false;
        const TaskType *known =
            type.len > 0 ? catalog_find(builder->catalog, type, &is_alias) : NULL;
        if (known != NULL && is_alias) add_default(builder, known->name, map, is_project);
    }
    if (builder->defaults.count > 1) {
        qsort(builder->defaults.items, builder->defaults.count, sizeof(Default), by_weight);
    }
}

// --- merging ------------------------------------------------------------------------------------

static Node *new_node(Builder *builder, const Node *like) {
    Node *node = arena_new(builder->arena, Node);
    node->type = like->type;
    node->span = like->span;
    node->parent = like->parent;
    node->is_flow = like->is_flow;
    return node;
}

static Node *merge(Builder *builder, Node *base, Node *over, Node *place) {
    if (node_is_null(over)) return base;
    if (base->type == YAML_LIST && over->type == YAML_LIST) {
        Node *out = new_node(builder, place);
        for (uint32_t i = 0; i < base->items.count; i++) {
            *LIST_ADD(builder->arena, &out->items, Node *) = base->items.items[i];
        }
        for (uint32_t i = 0; i < over->items.count; i++) {
            *LIST_ADD(builder->arena, &out->items, Node *) = over->items.items[i];
        }
        return out;
    }
    if (base->type != YAML_MAP || over->type != YAML_MAP) return over;
    Node *out = new_node(builder, place);
    for (uint32_t i = 0; i < base->entries.count; i++) {
        NodeEntry entry = base->entries.items[i];
        const NodeEntry *other = node_entry(over, entry.key->text);
        if (other != NULL) {
            entry = (NodeEntry){other->key, merge(builder, entry.value, other->value,
                                                  place == base ? entry.value : other->value)};
        }
        *LIST_ADD(builder->arena, &out->entries, NodeEntry) = entry;
    }
    for (uint32_t i = 0; i < over->entries.count; i++) {
        if (node_entry(base, over->entries.items[i].key->text) != NULL) continue;
        *LIST_ADD(builder->arena, &out->entries, NodeEntry) = over->entries.items[i];
    }
    return out;
}

static bool applies(const Default *rule, Str type) {
    return type.len > 0 && str_starts_with(type, rule->type);
}

// A map with everything that defaults say about its type, those of nested maps included; the map
// itself where none does.
static Node *resolve(Builder *builder, Node *node, uint32_t depth);

static Node *resolve_members(Builder *builder, Node *node, uint32_t depth) {
    Node *out = node;
    for (uint32_t i = 0; i < node->entries.count + node->items.count; i++) {
        bool is_entry = i < node->entries.count;
        uint32_t at = is_entry ? i : i - node->entries.count;
        Node *old = is_entry ? node->entries.items[at].value : node->items.items[at];
        Node *value = resolve(builder, old, depth + 1);
        if (value == old) continue;
        if (out == node) {
            out = new_node(builder, node);
            for (uint32_t k = 0; k < node->entries.count; k++) {
                *LIST_ADD(builder->arena, &out->entries, NodeEntry) = node->entries.items[k];
            }
            for (uint32_t k = 0; k < node->items.count; k++) {
                *LIST_ADD(builder->arena, &out->items, Node *) = node->items.items[k];
            }
        }
        if (is_entry) out->entries.items[at].value = value;
        if (!is_entry) out->items.items[at] = value;
    }
    return out;
}

static Node *apply(Builder *builder, Node *map, Str type) {
    Node *out = map;
    for (uint32_t i = 0; i < builder->defaults.count; i++) {
        const Default *rule = &builder->defaults.items[i];
        if (rule->is_forced || !applies(rule, type)) continue;
        out = merge(builder, (Node *)rule->values, out, map);
    }
    // Of forced ones the last applied wins: the most specific comes last.
    for (uint32_t i = builder->defaults.count; i > 0; i--) {
        const Default *rule = &builder->defaults.items[i - 1];
        if (!rule->is_forced || !applies(rule, type)) continue;
        out = merge(builder, out, (Node *)rule->values, map);
    }
    return out;
}

static Node *resolve(Builder *builder, Node *node, uint32_t depth) {
    if (depth > SYNTAX_DEPTH_MAX || (node->type != YAML_MAP && node->type != YAML_LIST))
        return node;
    Node *out = resolve_members(builder, node, depth);
    if (node->type != YAML_MAP) return out;
    return apply(builder, out, node_text(node_get(node, STR("type"))));
}

void defaults_properties(Builder *builder, const Node *map, Str type_name, Properties *out) {
    Node *all = (Node *)map;
    if (builder->defaults.count > 0) all = apply(builder, all, type_name);
    for (uint32_t i = 0; i < all->entries.count; i++) {
        const NodeEntry *entry = &all->entries.items[i];
        Node *value = entry->value;
        // Lists of tasks are resolved task by task, when those are built.
        if (builder->defaults.count > 0) {
            bool is_task = value->type == YAML_LIST && value->items.count > 0 &&
                           node_get(value->items.items[0], STR("id")) != NULL;
            if (!is_task) value = resolve(builder, value, 0);
        }
        Property *property = LIST_ADD(builder->arena, out, Property);
        property->name = entry->key->text;
        property->name_span = entry->key->span;
        property->node = value;
        property->is_default = node_entry(map, entry->key->text) == NULL;
    }
}

// --- what is wrong with the defaults themselves -------------------------------------------------

static bool default_matches_any(const Builder *builder, Str type) {
    const Flow *flow = builder->flow;
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        const Task *task = flow->all_tasks.items[i];
        if (task->type == NULL) return true;  // whatever was meant
        if (str_starts_with(task->type_name, type)) return true;
        if (task->type != NULL && str_starts_with(task->type->name, type)) return true;
    }
    for (uint32_t i = 0; i < flow->triggers.count; i++) {
        const TriggerDecl *trigger = flow->triggers.items[i];
        if (trigger->type == NULL || str_starts_with(trigger->type_name, type)) return true;
    }
    return false;
}

static void check_values(Builder *builder, const Node *values, const TaskType *type) {
    Level level = level_of_type(type, false, NULL);
    // Unknown names are refused when the flow is saved, values are judged when they are used.
    const Node *kept = builder->flow->plugin_defaults;
    builder->flow->plugin_defaults = NULL;
    for (uint32_t i = 0; i < values->entries.count; i++) {
        const NodeEntry *entry = &values->entries.items[i];
        const Prop *prop = level_prop(&level, entry->key->text);
        if (prop == NULL) {
            schema_unknown(builder, values, entry->key, &level);
        } else {
            schema_known(builder, entry, prop, &level);
            if (prop->type.kind != T_TASK && prop->type.kind != T_LIST) {
                schema_value(builder, entry->value, prop, &prop->type, &level);
            }
        }
    }
    builder->flow->plugin_defaults = (Node *)kept;
}

void defaults_check(Builder *builder) {
    const Node *list = builder->flow->plugin_defaults;
    if (list == NULL) return;
    if (list->type != YAML_LIST) {
        diag_add(builder->diags, "E0104", DIAG_ERROR, list->span,
                 "'pluginDefaults' must be a list, not a %s", node_kind_name(list));
        return;
    }
    for (uint32_t i = 0; i < list->items.count; i++) {
        const Node *item = list->items.items[i];
        if (item->type != YAML_MAP && item->type != YAML_HOLE) {
            diag_add(builder->diags, "E0104", DIAG_ERROR, item->span,
                     "an item of 'pluginDefaults' must be a map with 'type' and 'values', not a %s",
                     node_kind_name(item));
            continue;
        }
        const Node *type_node = node_get(list->items.items[i], STR("type"));
        const Node *values = node_get(list->items.items[i], STR("values"));
        if (node_is_absent(type_node) || type_node->type != YAML_SCALAR) continue;
        bool is_alias = false;
        const TaskType *type = catalog_find(builder->catalog, type_node->text, &is_alias);
        if (type != NULL && values != NULL && values->type == YAML_MAP) {
            check_values(builder, values, type);
        }
        // A prefix, or a runner, may match a map inside a task.
        bool is_outer = type != NULL && (type->kind == KIND_TASK || type->kind == KIND_TRIGGER);
        if (is_outer && !builder->flow->has_holes &&
            !default_matches_any(builder, type_node->text)) {
            diag_add(builder->diags, "W0120", DIAG_WARNING, type_node->span,
                     "no task or trigger of this flow has a type that begins with '" STR_FMT "'",
                     STR_ARG(type_node->text));
        }
    }
}
