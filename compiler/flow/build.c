// build.c - a document becomes a flow: the order of the parts, and the questions others ask of it.
#include "flow/internal.h"

static const struct {
    const char *name;
    TaskList list;
} flow_lists[] = {
    {"tasks",          TASKS_BODY   },
    {"errors",         TASKS_ERRORS },
    {"finally",        TASKS_FINALLY},
    {"afterExecution", TASKS_AFTER  },
};

static void read_listeners(Builder *builder, const Node *list) {
    if (node_is_absent(list) || list->type != YAML_LIST) return;
    for (uint32_t i = 0; i < list->items.count; i++) {
        Node *tasks = node_get(list->items.items[i], STR("tasks"));
        if (tasks == NULL) continue;
        TaskGroup *group = build_group(builder, tasks, TASKS_LISTENER, NULL);
        *LIST_ADD(builder->arena, &builder->flow->groups, TaskGroup *) = group;
    }
}

static Level flow_level(Builder *builder) {
    const Def *def = language_object(builder, "flow");
    return (Level){
        .props = def->props,
        .prop_count = def->prop_count,
        .name = STR("flow"),
        .is_certain = true,
        .is_enforced = true,
    };
}

static void check_members(Builder *builder) {
    const Level level = flow_level(builder);
    // Read elsewhere, or judged by rules of their own.
    static const char *const skip[] = {"tasks",    "errors", "finally", "afterExecution", "inputs",
                                       "triggers", "extend", "id",      "namespace"};
    schema_members(builder, builder->flow->node, &level, skip, COUNT(skip));
    for (size_t i = 0; i < COUNT(skip); i++) {
        const Node *node = node_get(builder->flow->node, str_from(skip[i]));
        const bool is_list = i > 0 && i < 6;  // a flow without tasks has a finding of its own
        if (node_is_nothing(node) && is_list) {
            schema_nothing(builder, node, str_from(skip[i]), "a list", "[]", &level);
        }
        if (node_is_absent(node)) continue;
        bool is_word =
            str_eq(str_from(skip[i]), STR("id")) || str_eq(str_from(skip[i]), STR("namespace"));
        if (is_word && node->type != YAML_SCALAR) {
            diag_add(builder->diags, "E0104", DIAG_ERROR, node->span,
                     "'%s' must be a single value, not a %s", skip[i], node_kind_name(node));
        }
        if (i >= 6 || node->type == YAML_LIST) continue;
        if (i < COUNT(flow_lists)) continue;  // build_group has said so
        diag_add(builder->diags, "E0104", DIAG_ERROR, node->span, "'%s' must be a list, not a %s",
                 skip[i], node_kind_name(node));
    }
}

static void check_retry(Builder *builder, const Node *node) {
    const Def *def = catalog_def(builder->catalog, STR("_base"), STR("AbstractRetry"));
    if (def == NULL) return;
    Prop prop = {
        .name = STR("retry"), .type = {.kind = T_OBJECT, .def = def},
             .flags = PROP_CASCADE
    };
    Level level = {.name = STR("flow"), .is_certain = true, .is_enforced = true};
    schema_value(builder, node, &prop, &prop.type, &level);
}

// Read before everything else, as a text and nothing that could become one.
static void check_namespace(Builder *builder, const Node *node) {
    if (node == NULL || node->type != YAML_SCALAR) return;
    const bool is_number = node->resolved == YAML_SCALAR_INT || node->resolved == YAML_SCALAR_FLOAT;
    if (!is_number && node->resolved != YAML_SCALAR_BOOL) return;
    const uint32_t targets = builder->options->targets;
    if (targets == TARGET_2_0) return;  // it turns the number into a text
    Diag *diag = diag_add(builder->diags, "E0104", DIAG_ERROR, node->span,
                          "'namespace' must be a text, not a %s", is_number ? "number" : "boolean");
    if (targets != 0) diag->targets = targets & ~(uint32_t)TARGET_2_0;
    DiagSuggestion *fix = diag_suggestion(diag, true, "put it in quotes");
    diag_edit(diag, fix, node->span,
              str_printf(builder->arena, "\"" STR_FMT "\"", STR_ARG(node->text)));
}

// Read before everything else, as a number of 32 bits and nothing that could become one.
static void check_revision(Builder *builder, const Node *node) {
    if (node == NULL || node->type != YAML_SCALAR) return;
    if (node_is_null(node) && !node_is_nothing(node)) return;
    const bool is_integer = node->resolved == YAML_SCALAR_INT && node->value.kind == VALUE_INT &&
                            node->value.as.integer <= INT32_MAX;
    const bool is_word = node->resolved == YAML_SCALAR_TEXT && node->text.len > 0;
    if (is_integer || is_word) return;  // of a word the schema has said so
    diag_add(builder->diags, "E0104", DIAG_ERROR, node->span,
             "'revision' must be an integer of 32 bits");
}

static Node *present(const Node *map, const char *name) {
    Node *node = node_get(map, str_from(name));
    return node_is_absent(node) ? NULL : node;
}

// What 2.0 removed from the flow itself.
static void check_targets(Builder *builder) {
    static const struct {
        const char *name;
        uint32_t absent;
        const char *note;
    } gone[] = {
        {"listeners",      TARGET_2_0,               "use 'afterExecution', 'errors' or 'finally'"},
        {"workerGroup",    TARGET_2_0,               "use 'workerSelector'"                       },
        {"taskDefaults",   TARGET_2_0,               "use inline values or variables"             },
        {"pluginDefaults", TARGET_2_0,               "use inline values or variables"             },
        {"finally",        TARGET_0_20,              "it exists from 0.23 on"                     },
        {"afterExecution", TARGET_0_20,              "it exists from 0.23 on"                     },
        {"checks",         TARGET_0_20,              "it exists from 1.2 on"                      },
        {"workerSelector", TARGET_0_20 | TARGET_1_3, "it exists from 2.0 on"                      },
        {"policyRefs",     TARGET_0_20 | TARGET_1_3, "it exists from 2.0 on"                      },
        {"quotas",         TARGET_0_20 | TARGET_1_3, "it exists from 2.0 on"                      },
        {"draft",          TARGET_0_20 | TARGET_1_3, "it exists from 2.0 on"                      },
    };
    for (size_t i = 0; i < COUNT(gone); i++) {
        const NodeEntry *entry = node_entry(builder->flow->node, str_from(gone[i].name));
        uint32_t absent = gone[i].absent & builder->options->targets;
        if (entry == NULL || absent == 0) continue;
        Diag *diag = diag_add(builder->diags, "E0111", DIAG_ERROR, entry->key->span,
                              "property '%s' does not exist in the target version", gone[i].name);
        diag->targets = absent;
        diag_note(diag, "%s", gone[i].note);
    }
}

static void read_head(Builder *builder) {
    Flow *flow = builder->flow;
    const Node *id = present(flow->node, "id");
    const Node *name_space = present(flow->node, "namespace");
    flow->id = node_text(id);
    flow->id_span = id != NULL ? id->span : (Span){.file = flow->file};
    flow->flow_namespace = node_text(name_space);
    flow->namespace_span = name_space != NULL ? name_space->span : (Span){.file = flow->file};
    flow->description = node_text(present(flow->node, "description"));
    flow->is_disabled = node_bool(present(flow->node, "disabled"), false);
    flow->variables = present(flow->node, "variables");
    flow->labels = present(flow->node, "labels");
    flow->concurrency = present(flow->node, "concurrency");
    flow->sla = present(flow->node, "sla");
    flow->checks = present(flow->node, "checks");
    flow->retry_node = present(flow->node, "retry");
    flow->retry = build_retry(builder, flow->retry_node);
    flow->plugin_defaults = present(flow->node, "pluginDefaults");
    // Of the two spellings the later one wins, as when they are read into one field.
    Node *old = present(flow->node, "taskDefaults");
    if (old != NULL &&
        (flow->plugin_defaults == NULL || old->span.start > flow->plugin_defaults->span.start)) {
        flow->plugin_defaults = old;
    }
}

static Task **id_slot(const Flow *flow, Str id) {
    uint32_t at = str_hash(id) & (flow->by_id_size - 1);
    while (flow->by_id[at] != NULL && !str_eq(flow->by_id[at]->id, id)) {
        at = (at + 1) & (flow->by_id_size - 1);
    }
    return &flow->by_id[at];
}

static void index_tasks(Flow *flow, Arena *arena) {
    flow->by_id_size = 16;
    while (flow->by_id_size < flow->all_tasks.count * 2) flow->by_id_size *= 2;
    flow->by_id = arena_array(arena, Task *, flow->by_id_size);
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        Task **slot = id_slot(flow, flow->all_tasks.items[i]->id);
        if (*slot == NULL) *slot = flow->all_tasks.items[i];
    }
}

bool flow_is_meant(const Node *root) {
    if (root->type != YAML_MAP) return false;
    if (node_entry(root, STR("tasks")) != NULL) return true;
    if (node_entry(root, STR("namespace")) == NULL || node_entry(root, STR("id")) == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < root->entries.count; i++) {
        const NodeEntry *entry = &root->entries.items[i];
        Nearest nearest = nearest_to(entry->key->text);
        nearest_offer(&nearest, STR("tasks"));
        if (nearest.name.len > 0 && entry->value->type == YAML_LIST) return true;
    }
    return false;
}

Flow *flow_build(const Tree *tree, const Document *document, Catalog *catalog,
                 const FlowOptions *options, Arena *arena, Diags *diags) {
    Node *root = document->root;
    if (root == NULL || root->type != YAML_MAP) return NULL;
    if (!flow_is_meant(root) && (!tree->has_holes || node_entry(root, STR("namespace")) == NULL)) {
        return NULL;
    }
    Flow *flow = arena_new(arena, Flow);
    flow->tree = tree;
    flow->node = root;
    flow->file = tree->file;
    flow->targets = options->targets;
    Builder builder = {
        .arena = arena, .diags = diags, .catalog = catalog, .options = options, .flow = flow};
    if (tree->has_holes) {
        flow->has_holes = true;
        build_holes(&builder, root);
        for (uint32_t i = 0; i < tree->text_ids.count; i++) {
            *LIST_ADD(arena, &flow->hole_ids, Str) = tree->text_ids.items[i];
        }
    }
    const Level level = flow_level(&builder);
    schema_mend(&builder, root, &level);
    read_head(&builder);
    defaults_read(&builder, flow->plugin_defaults, false);
    defaults_read(&builder, options->project_defaults, true);

    check_members(&builder);
    check_targets(&builder);
    check_retry(&builder, node_get(root, STR("retry")));
    check_namespace(&builder, node_get(root, STR("namespace")));
    check_revision(&builder, node_get(root, STR("revision")));
    build_inputs(&builder, present(root, "inputs"), (Str){0}, &flow->inputs);
    for (size_t i = 0; i < COUNT(flow_lists); i++) {
        Node *node = node_get(root, str_from(flow_lists[i].name));
        if (node == NULL) continue;
        TaskGroup *group = build_group(&builder, node, flow_lists[i].list, NULL);
        *LIST_ADD(arena, &flow->groups, TaskGroup *) = group;
    }
    read_listeners(&builder, present(root, "listeners"));
    build_triggers(&builder, present(root, "triggers"));
    build_outputs(&builder, present(root, "outputs"));
    index_tasks(flow, arena);
    defaults_check(&builder);
    schema_settle(&builder);
    return flow;
}

// --- questions ----------------------------------------------------------------------------------

const Task *flow_find_task(const Flow *flow, Str id) {
    return *id_slot(flow, id);
}

static const InputDecl *find_in(InputDecl *const *inputs, uint32_t count, Str id) {
    for (uint32_t i = 0; i < count; i++) {
        if (str_eq(inputs[i]->id, id)) return inputs[i];
        const InputDecl *child = find_in(inputs[i]->children.items, inputs[i]->children.count, id);
        if (child != NULL) return child;
    }
    return NULL;
}

const InputDecl *flow_find_input(const Flow *flow, Str id) {
    return find_in(flow->inputs.items, flow->inputs.count, id);
}

const Property *properties_find(const Properties *properties, Str name) {
    for (uint32_t i = 0; i < properties->count; i++) {
        if (str_eq(properties->items[i].name, name)) return &properties->items[i];
    }
    return NULL;
}

const Property *task_property(const Task *task, Str name) {
    return properties_find(&task->properties, name);
}

const TaskGroup *task_group(const Task *task, TaskList list) {
    for (uint32_t i = 0; i < task->groups.count; i++) {
        if (task->groups.items[i]->list == list) return task->groups.items[i];
    }
    return NULL;
}

const TaskGroup *flow_group(const Flow *flow, TaskList list) {
    for (uint32_t i = 0; i < flow->groups.count; i++) {
        if (flow->groups.items[i]->list == list) return flow->groups.items[i];
    }
    return NULL;
}

const Node *task_run_if(const Task *task) {
    const Property *property = task_property(task, STR("when"));
    if (property == NULL) property = task_property(task, STR("runIf"));
    return property == NULL || node_is_absent(property->node) ? NULL : property->node;
}

Str type_short_name(Str type) {
    size_t dot = str_find_last_char(type, '.');
    return dot == STR_NOT_FOUND ? type : str_slice(type, dot + 1, type.len);
}

bool task_is(const Task *task, const char *core_name) {
    if (task->type == NULL) return false;
    Str prefix = STR("io.kestra.plugin.core.");
    if (!str_starts_with(task->type->name, prefix)) return false;
    return str_eq(str_slice(task->type->name, prefix.len, task->type->name.len),
                  str_from(core_name));
}

bool task_is_loop(const Task *task) {
    return task_is(task, "flow.ForEach") || task_is(task, "flow.EachSequential") ||
           task_is(task, "flow.EachParallel") || task_is(task, "flow.Loop");
}
