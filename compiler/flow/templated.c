// templated.c - TemplatedTask: a text that holds the YAML of a task that does work.
//
// A text without templates is known when the flow is compiled, so the task in it takes the place of
// the one around it, whose id and common properties it keeps. What is wrong inside is reported at
// the text. Where the text has templates, its task is known at run time only: it stays as it is.
#include "expr/expr.h"
#include "flow/internal.h"

static YamlScalar resolved_of(ValueKind kind) {
    if (kind == VALUE_NULL) return YAML_SCALAR_NULL;
    if (kind == VALUE_BOOL) return YAML_SCALAR_BOOL;
    if (kind == VALUE_INT) return YAML_SCALAR_INT;
    return kind == VALUE_FLOAT ? YAML_SCALAR_FLOAT : YAML_SCALAR_TEXT;
}

static Node *node_of_value(Arena *arena, Value value, Node *at) {
    Node *node = arena_new(arena, Node);
    node->span = at->span;
    node->parent = at->parent;
    node->value = value;
    if (value.kind == VALUE_LIST) {
        node->type = YAML_LIST;
        for (uint32_t i = 0; i < value.as.list->count; i++) {
            Node *item = node_of_value(arena, value.as.list->items[i], at);
            item->parent = node;
            *LIST_ADD(arena, &node->items, Node *) = item;
        }
    } else if (value.kind == VALUE_MAP) {
        node->type = YAML_MAP;
        for (uint32_t i = 0; i < value.as.map->count; i++) {
            NodeEntry entry = {
                .key = node_of_value(arena, value_text(value.as.map->members[i].key), at),
                .value = node_of_value(arena, value.as.map->members[i].value, at),
            };
            entry.key->parent = entry.value->parent = node;
            *LIST_ADD(arena, &node->entries, NodeEntry) = entry;
        }
    } else {
        node->type = YAML_SCALAR;
        node->style = value.kind == VALUE_TEXT ? SCALAR_DOUBLE : SCALAR_PLAIN;
        node->text = value.kind == VALUE_NULL ? (Str){0} : value_to_text(arena, value);
        node->resolved = resolved_of(value.kind);
    }
    return node;
}

static bool is_templated(const Node *node) {
    const Node *type = node_get(node, STR("type"));
    if (type == NULL || type->type != YAML_SCALAR) return false;
    return str_eq(type->text, STR("io.kestra.plugin.core.templating.TemplatedTask")) ||
           str_eq(type->text, STR("io.kestra.core.tasks.templating.TemplatedTask"));
}

Node *templated_task(Builder *builder, Node *node) {
    if (!is_templated(node)) return node;
    Node *spec = node_get(node, STR("spec"));
    if (spec == NULL || spec->type != YAML_SCALAR || template_has_code(spec->text)) return node;
    Value value;
    Err err = yaml_parse(spec->text, builder->arena, &value);
    if (err.code != ERR_NONE || value.kind != VALUE_MAP) {
        diag_add(builder->diags, "E0104", DIAG_ERROR, spec->span,
                 "'spec' must hold the YAML of one task%s%s", err.code == ERR_NONE ? "" : ": ",
                 err.code == ERR_NONE ? "" : err.text);
        return node;
    }
    Node *inner = node_of_value(builder->arena, value, spec);
    if (is_templated(inner)) {
        diag_add(builder->diags, "E0104", DIAG_ERROR, spec->span,
                 "the task in 'spec' cannot be of type 'TemplatedTask'");
        return node;
    }
    Node *made = arena_new(builder->arena, Node);
    *made = (Node){.type = YAML_MAP, .span = node->span, .parent = node->parent};
    for (uint32_t i = 0; i < node->entries.count; i++) {
        const NodeEntry *entry = &node->entries.items[i];
        bool is_own = str_eq(entry->key->text, STR("spec")) ||
                      str_eq(entry->key->text, STR("type")) ||
                      str_eq(entry->key->text, STR("version"));
        if (!is_own) *LIST_ADD(builder->arena, &made->entries, NodeEntry) = *entry;
    }
    for (uint32_t i = 0; i < inner->entries.count; i++) {
        const NodeEntry *entry = &inner->entries.items[i];
        if (node_get(made, entry->key->text) != NULL) continue;
        entry->key->parent = entry->value->parent = made;
        *LIST_ADD(builder->arena, &made->entries, NodeEntry) = *entry;
    }
    const TaskType *type = NULL;
    const Node *name = node_get(made, STR("type"));
    if (name != NULL && name->type == YAML_SCALAR) {
        bool is_alias = false;
        type = catalog_find(builder->catalog, name->text, &is_alias);
    }
    if (type != NULL && type->exec != EXEC_RUNNABLE) {
        diag_add(builder->diags, "E0104", DIAG_ERROR, spec->span,
                 "the task in 'spec' must be one that does work, not '" STR_FMT "'",
                 STR_ARG(name->text));
        return node;
    }
    return made;
}
