// sites.c - every text of a flow that is rendered, with where it stands and by which schema.
#include "check/internal.h"

typedef struct Walk {
    Check *check;
    SiteVisit *visit;
    Site base;  // copied for every text found
    uint32_t depth;
} Walk;

static void walk_node(Walk *walk, const Node *node, const Prop *prop, const PropType *type,
                      Str path);

static void emit(Walk *walk, const Node *node, const Prop *prop, bool is_whole, Str path) {
    if (!template_has_code(node->text)) {
        template_check_text(node, walk->check->diags);
        return;
    }
    Site *site = arena_new(walk->check->arena, Site);
    *site = walk->base;
    site->node = node;
    site->schema = prop;
    site->path = path;
    site->is_whole = is_whole;
    walk->visit(walk->check, site);
}

// The object a value of this type is, as far as the catalog knows.
static const Def *object_of(const PropType *type, const Node *node) {
    if (type == NULL || type->kind != T_OBJECT || type->def == NULL) return NULL;
    const Def *def = type->def;
    if (def->variant_count == 0) return def;
    const Node *key = node_get(node, def->discriminator);
    for (uint32_t i = 0; key != NULL && key->type == YAML_SCALAR && i < def->variant_count; i++) {
        if (str_eq(def->variants[i].key, key->text)) return def->variants[i].def;
    }
    return def;
}

static const TaskType *plugin_of(Walk *walk, const PropType *type, const Node *node) {
    if (type == NULL) return NULL;
    bool is_typed = type->kind == T_CONDITION || type->kind == T_RUNNER || type->kind == T_PLUGIN ||
                    type->kind == T_TASK || type->kind == T_ASSET || type->kind == T_TRIGGER;
    const Node *name = is_typed ? node_get(node, STR("type")) : NULL;
    if (name == NULL || name->type != YAML_SCALAR) return NULL;
    bool is_alias;
    return catalog_find(walk->check->catalog, name->text, &is_alias);
}

static void walk_map(Walk *walk, const Node *node, const Prop *prop, const PropType *type,
                     Str path) {
    const Def *def = object_of(type, node);
    const TaskType *plugin = def == NULL ? plugin_of(walk, type, node) : NULL;
    for (uint32_t i = 0; i < node->entries.count; i++) {
        const NodeEntry *entry = &node->entries.items[i];
        const Prop *inner = def != NULL ? def_prop(def, entry->key->text) : NULL;
        if (plugin != NULL) inner = type_prop(plugin, entry->key->text);
        Str below = str_printf(walk->check->arena, STR_FMT "%s" STR_FMT, STR_ARG(path),
                               path.len > 0 ? "." : "", STR_ARG(entry->key->text));
        emit(walk, entry->key, prop, false, below);
        if (inner != NULL) {
            bool was_static = walk->base.is_static;
            walk_node(walk, entry->value, inner, &inner->type, below);
            walk->base.is_static = was_static;
        } else {
            walk_node(walk, entry->value, prop, type != NULL ? type->item : NULL, below);
        }
    }
}

static void walk_node(Walk *walk, const Node *node, const Prop *prop, const PropType *type,
                      Str path) {
    if (node == NULL || walk->depth > SYNTAX_DEPTH_MAX + 8) return;
    walk->depth++;
    switch (node->type) {
    case YAML_SCALAR:
        emit(walk, node, prop, prop != NULL && type == &prop->type, path);
        break;
    case YAML_LIST:
        for (uint32_t i = 0; i < node->items.count; i++) {
            Str below = str_printf(walk->check->arena, STR_FMT "[%u]", STR_ARG(path), i);
            walk_node(walk, node->items.items[i], prop, type != NULL ? type->item : NULL, below);
        }
        break;
    case YAML_MAP:
        walk_map(walk, node, prop, type, path);
        break;
    case YAML_HOLE:
        break;
    }
    walk->depth--;
}

// Texts that the catalog calls static and that are rendered all the same, by the engine or by the
// task itself with names of its own (one item, one result).
static bool is_rendered(const Task *task, Str name) {
    if (str_eq(name, STR("runIf")) || str_eq(name, STR("when"))) return true;
    return task_is(task, "flow.ForEachItem") || task_is(task, "flow.Subflow");
}

static bool has_own_names(const Task *task, Str name) {
    if (task_is(task, "storage.DeduplicateItems") || task_is(task, "storage.FilterItems") ||
        task_is(task, "execution.Count") || task_is(task, "templating.TemplatedTask")) {
        return true;
    }
    // What is sent to a tool that has templates of its own, or holds tasks of its own.
    return str_eq(name, STR("tools")) || str_eq(name, STR("tasks"));
}

static bool is_condition(const Property *property) {
    return str_eq(property->name, STR("runIf")) || str_eq(property->name, STR("when"));
}

static void walk_task_property(Walk *walk, const Task *task, const Property *property) {
    const Prop *schema = property->schema;
    walk->base = (Site){
        .kind = is_condition(property) ? SITE_RUN_IF : SITE_TASK,
        .task = task,
        .property = property,
        .is_static = schema != NULL && schema->mode == MODE_STATIC &&
                     (schema->type.kind == T_STRING || schema->type.kind == T_ENUM) &&
                     !is_rendered(task, property->name),
        .is_loose = schema == NULL || has_own_names(task, property->name),
    };
    // The deprecated outputs of a Subflow are rendered in the flow that was called.
    if (task_is(task, "flow.Subflow") && str_eq(property->name, STR("outputs"))) {
        walk->base.is_static = true;
    }
    if (task_is(task, "flow.Pause") && str_eq(property->name, STR("onResume"))) {
        walk->base.is_loose = true;
    }
    walk_node(walk, property->node, schema, schema != NULL ? &schema->type : NULL, property->name);
}

// The condition of a task comes first: what it says holds in the others.
static void walk_task(Walk *walk, const Task *task) {
    for (uint32_t i = 0; i < task->properties.count; i++) {
        const Property *property = &task->properties.items[i];
        if (is_condition(property)) walk_task_property(walk, task, property);
    }
    for (uint32_t i = 0; i < task->properties.count; i++) {
        const Property *property = &task->properties.items[i];
        if (!is_condition(property)) walk_task_property(walk, task, property);
    }
}

static void walk_trigger(Walk *walk, const TriggerDecl *trigger) {
    for (uint32_t i = 0; i < trigger->properties.count; i++) {
        const Property *property = &trigger->properties.items[i];
        const Prop *schema = property->schema;
        walk->base = (Site){
            .kind = SITE_TRIGGER,
            .trigger = trigger,
            .property = property,
            // Conditions and triggers add names of their own (response, the item polled).
            .is_loose = true,
        };
        walk_node(walk, property->node, schema, schema != NULL ? &schema->type : NULL,
                  property->name);
    }
}

static void walk_input(Walk *walk, const InputDecl *input) {
    const struct {
        const char *name;
        const Node *node;
    } parts[] = {
        {"defaults",            input->defaults  },
        {"prefill",             input->prefill   },
        {"expression",          input->expression},
        {"values",              input->values    },
        {"dependsOn.condition", input->condition },
    };
    for (size_t i = 0; i < COUNT(parts); i++) {
        walk->base = (Site){.kind = SITE_INPUT, .input = input};
        walk_node(walk, parts[i].node, NULL, NULL, str_from(parts[i].name));
    }
    for (uint32_t i = 0; i < input->children.count; i++) walk_input(walk, input->children.items[i]);
}

void sites_visit(Check *check, SiteVisit *visit) {
    Walk walk = {.check = check, .visit = visit};
    const Flow *flow = check->flow;
    for (uint32_t i = 0; i < flow->inputs.count; i++) walk_input(&walk, flow->inputs.items[i]);
    walk.base = (Site){.kind = SITE_VARIABLE};
    walk_node(&walk, flow->variables, NULL, NULL, STR("variables"));
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        walk_task(&walk, flow->all_tasks.items[i]);
    }
    for (uint32_t i = 0; i < flow->triggers.count; i++) {
        walk_trigger(&walk, flow->triggers.items[i]);
    }
    for (uint32_t i = 0; i < flow->outputs.count; i++) {
        walk.base = (Site){.kind = SITE_OUTPUT, .output = flow->outputs.items[i]};
        walk_node(&walk, flow->outputs.items[i]->value, NULL, NULL, STR("value"));
    }
    walk.base = (Site){.kind = SITE_CONDITION};
    walk_node(&walk, flow->sla, NULL, NULL, STR("sla"));
    walk_node(&walk, flow->checks, NULL, NULL, STR("checks"));
}
