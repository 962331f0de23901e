// tasks.c - tasks, the lists they stand in, retries.
//
// Which properties hold child tasks is the catalog's word for flowable types; for a type nobody
// knows it is guessed from the names, so that ids inside are still known.
#include "flow/internal.h"
#include "value/time.h"

Str node_text(const Node *node) {
    return node != NULL && node->type == YAML_SCALAR ? node->text : (Str){0};
}

bool node_bool(const Node *node, bool otherwise) {
    if (node == NULL || node->type != YAML_SCALAR) return otherwise;
    if (node->value.kind == VALUE_BOOL) return node->value.as.boolean;
    if (str_eq_ignore_case(node->text, STR("true"))) return true;
    if (str_eq_ignore_case(node->text, STR("false"))) return false;
    return otherwise;
}

bool node_is_absent(const Node *node) {
    return node == NULL || node->type == YAML_HOLE || node_is_null(node);
}

bool node_is_nothing(const Node *node) {
    return node_is_null(node) && node->style == SCALAR_PLAIN && node->text.len == 0;
}

int64_t node_milliseconds(const Node *node) {
    if (node_is_absent(node) || node->type != YAML_SCALAR) return 0;
    int64_t nanoseconds = 0;
    if (duration_parse(node->text, true, &nanoseconds).code == ERR_NONE) {
        return nanoseconds / 1000000;
    }
    // A number of seconds that has more nanoseconds than can be counted.
    const bool is_large = node->value.kind == VALUE_INT && node->value.as.integer > INT32_MAX;
    return is_large ? INT64_MAX : 0;
}

static int64_t node_integer(const Node *node) {
    int64_t out = 0;
    if (node == NULL || node->type != YAML_SCALAR) return 0;
    if (node->value.kind == VALUE_INT) return node->value.as.integer;
    return str_to_int(node->text, &out) ? out : 0;
}

Retry *build_retry(Builder *builder, const Node *node) {
    if (node_is_absent(node) || node->type != YAML_MAP) return NULL;
    Retry *retry = arena_new(builder->arena, Retry);
    retry->node = (Node *)node;
    retry->type = node_text(node_get(node, STR("type")));
    retry->behavior = node_text(node_get(node, STR("behavior")));
    retry->interval = node_milliseconds(node_get(node, STR("interval")));
    retry->min_interval = node_milliseconds(node_get(node, STR("minInterval")));
    retry->max_interval = node_milliseconds(node_get(node, STR("maxInterval")));
    retry->max_duration = node_milliseconds(node_get(node, STR("maxDuration")));
    retry->max_attempts = node_integer(node_get(node, STR("maxAttempts")));
    if (retry->max_attempts == 0) {
        retry->max_attempts = node_integer(node_get(node, STR("maxAttempt")));
    }
    const Node *factor = node_get(node, STR("delayFactor"));
    if (factor != NULL && factor->type == YAML_SCALAR) {
        if (factor->value.kind == VALUE_INT) retry->delay_factor = (double)factor->value.as.integer;
        if (factor->value.kind == VALUE_FLOAT) retry->delay_factor = factor->value.as.real;
    }
    retry->warning_on_retry = node_bool(node_get(node, STR("warningOnRetry")), false);
    return retry;
}

// --- which properties hold tasks ----------------------------------------------------------------

typedef enum Holds { HOLDS_NOTHING, HOLDS_TASK, HOLDS_TASKS, HOLDS_CASES, HOLDS_WRAPPERS } Holds;

static Holds holds_by_type(const PropType *type) {
    if (type->kind == T_TASK) return HOLDS_TASK;
    if (type->item == NULL) return HOLDS_NOTHING;
    if (type->kind == T_MAP) {
        return holds_by_type(type->item) == HOLDS_TASKS ? HOLDS_CASES : HOLDS_NOTHING;
    }
    if (type->kind != T_LIST) return HOLDS_NOTHING;
    if (type->item->kind == T_TASK) return HOLDS_TASKS;
    if (type->item->kind == T_OBJECT && type->item->def != NULL) {
        const Prop *task = def_prop(type->item->def, STR("task"));
        if (task != NULL && task->type.kind == T_TASK) return HOLDS_WRAPPERS;
    }
    return HOLDS_NOTHING;
}

static bool looks_like_task(const Node *node) {
    return node != NULL && node->type == YAML_MAP && node_get(node, STR("id")) != NULL &&
           node_get(node, STR("type")) != NULL;
}

static Holds holds_by_name(Str name, const Node *value) {
    static const char *const lists[] = {"tasks", "then", "else", "errors", "finally", "defaults"};
    if (value->type == YAML_LIST && value->items.count > 0) {
        for (size_t i = 0; i < COUNT(lists); i++) {
            if (!str_eq(name, str_from(lists[i]))) continue;
            const Node *first = value->items.items[0];
            if (looks_like_task(first)) return HOLDS_TASKS;
            if (looks_like_task(node_get(first, STR("task")))) return HOLDS_WRAPPERS;
        }
    }
    if (str_eq(name, STR("cases")) && value->type == YAML_MAP && value->entries.count > 0) {
        const Node *first = value->entries.items[0].value;
        if (first->type == YAML_LIST && first->items.count > 0 &&
            looks_like_task(first->items.items[0])) {
            return HOLDS_CASES;
        }
    }
    return HOLDS_NOTHING;
}

static Holds holds(const Task *task, const Property *property) {
    if (task->type == NULL) return holds_by_name(property->name, property->node);
    bool is_flowable = task->type->exec == EXEC_FLOWABLE;
    if (!is_flowable || property->schema == NULL) return HOLDS_NOTHING;
    if ((property->schema->flags & PROP_SETTER_ONLY) != 0) return HOLDS_NOTHING;
    return holds_by_type(&property->schema->type);
}

static TaskList list_of(Str name) {
    static const struct {
        const char *name;
        TaskList list;
    } lists[] = {
        {"errors",   TASKS_ERRORS  },
        {"finally",  TASKS_FINALLY },
        {"else",     TASKS_ELSE    },
        {"defaults", TASKS_DEFAULTS},
        {"onPause",  TASKS_ON_PAUSE},
    };
    for (size_t i = 0; i < COUNT(lists); i++) {
        if (str_eq(name, str_from(lists[i].name))) return lists[i].list;
    }
    return TASKS_BODY;
}

// --- tasks --------------------------------------------------------------------------------------

static Task *build_task(Builder *builder, Node *node, Task *parent, TaskGroup *group);

static void add_task(Builder *builder, TaskGroup *group, Node *node, Task *parent) {
    if (node->type == YAML_HOLE) return;
    if (node->type != YAML_MAP) {
        diag_add(builder->diags, "E0104", DIAG_ERROR, node->span,
                 "a task must be a map with 'id' and 'type', not a %s", node_kind_name(node));
        return;
    }
    Task *task = build_task(builder, node, parent, group);
    *LIST_ADD(builder->arena, &group->tasks, Task *) = task;
}

static TaskGroup *new_group(Builder *builder, Node *node, TaskList list) {
    TaskGroup *group = arena_new(builder->arena, TaskGroup);
    group->list = list;
    group->node = node;
    return group;
}

TaskGroup *build_group(Builder *builder, Node *node, TaskList list, Task *parent) {
    TaskGroup *group = new_group(builder, node, list);
    if (node->type == YAML_HOLE || node_is_null(node)) return group;
    if (node->type != YAML_LIST) {
        diag_add(builder->diags, "E0104", DIAG_ERROR, node->span,
                 "a list of tasks is needed here, not a %s", node_kind_name(node));
        return group;
    }
    for (uint32_t i = 0; i < node->items.count; i++) {
        add_task(builder, group, node->items.items[i], parent);
    }
    return group;
}

static void wrapper_members(Builder *builder, const Node *item) {
    static const char *const names[] = {"task", "dependsOn"};
    for (uint32_t i = 0; i < item->entries.count; i++) {
        const Node *key = item->entries.items[i].key;
        if (str_eq(key->text, STR("task")) || str_eq(key->text, STR("dependsOn"))) continue;
        Diag *diag =
            diag_add(builder->diags, "E0101", DIAG_ERROR, key->span,
                     "unknown property '" STR_FMT "' of an item of 'Dag'", STR_ARG(key->text));
        Nearest nearest = nearest_to(key->text);
        for (size_t k = 0; k < COUNT(names); k++) nearest_offer(&nearest, str_from(names[k]));
        diag_suggest(diag, nearest.name);
        if (nearest.name.len == 0) diag_note(diag, "the properties of a task stand under 'task'");
    }
}

static void read_depends(Builder *builder, Task *task, const Node *list) {
    if (node_is_absent(list)) return;
    if (list->type != YAML_LIST) {
        diag_add(builder->diags, "E0104", DIAG_ERROR, list->span,
                 "'dependsOn' must be a list of task ids, not a %s", node_kind_name(list));
        return;
    }
    for (uint32_t i = 0; i < list->items.count; i++) {
        const Node *item = list->items.items[i];
        if (item->type != YAML_SCALAR) continue;
        *LIST_ADD(builder->arena, &task->depends_on, Str) = item->text;
        *LIST_ADD(builder->arena, &task->depends_spans, Span) = item->span;
    }
}

// The items of a Dag: {task, dependsOn}.
static TaskGroup *build_wrappers(Builder *builder, Node *node, TaskList list, Task *parent) {
    TaskGroup *group = new_group(builder, node, list);
    if (node->type != YAML_LIST) return build_group(builder, node, list, parent);
    for (uint32_t i = 0; i < node->items.count; i++) {
        Node *item = node->items.items[i];
        Node *inner = node_get(item, STR("task"));
        if (item->type != YAML_MAP || inner == NULL) {
            if (item->type == YAML_HOLE) continue;
            Span at = item->entries.count > 0 ? item->entries.items[0].key->span : item->span;
            diag_add(builder->diags, "E0102", DIAG_ERROR, at,
                     "property 'task' of an item of 'Dag' is missing: "
                     "the task stands under it, next to 'dependsOn'");
            if (looks_like_task(item)) add_task(builder, group, item, parent);
            continue;
        }
        wrapper_members(builder, item);
        uint32_t before = group->tasks.count;
        add_task(builder, group, inner, parent);
        if (group->tasks.count > before) {
            read_depends(builder, group->tasks.items[before], node_get(item, STR("dependsOn")));
        }
    }
    return group;
}

static void add_groups(Builder *builder, Task *task, const Property *property, Holds what) {
    TaskList list = list_of(property->name);
    TaskGroup *group = NULL;
    const bool is_required =
        property->schema != NULL && (property->schema->flags & PROP_REQUIRED) != 0;
    if (node_is_nothing(property->node) && !is_required && task->type != NULL) {
        const Level level = level_of_type(task->type, task->has_version, NULL);
        const bool is_map = what == HOLDS_CASES || what == HOLDS_TASK;
        schema_nothing(builder, property->node, property->name, is_map ? "a map" : "a list",
                       what == HOLDS_TASK ? NULL
                       : is_map           ? "{}"
                                          : "[]",
                       &level);
        return;
    }
    if (what == HOLDS_CASES) {
        if (property->node->type != YAML_MAP) {
            if (node_is_absent(property->node)) return;
            diag_add(builder->diags, "E0104", DIAG_ERROR, property->node->span,
                     "'" STR_FMT "' must be a map from a value to a list of tasks, not a %s",
                     STR_ARG(property->name), node_kind_name(property->node));
            return;
        }
        for (uint32_t i = 0; i < property->node->entries.count; i++) {
            const NodeEntry *entry = &property->node->entries.items[i];
            group = build_group(builder, entry->value, TASKS_CASE, task);
            group->key = entry->key->text;
            group->key_span = entry->key->span;
            *LIST_ADD(builder->arena, &task->groups, TaskGroup *) = group;
        }
        return;
    }
    if (node_is_absent(property->node)) return;
    if (what == HOLDS_TASK) {
        group = new_group(builder, property->node, list);
        add_task(builder, group, property->node, task);
    } else if (what == HOLDS_WRAPPERS) {
        group = build_wrappers(builder, property->node, list, task);
    } else {
        group = build_group(builder, property->node, list, task);
    }
    *LIST_ADD(builder->arena, &task->groups, TaskGroup *) = group;
}

static const Node *task_value(const void *self, Str name) {
    const Task *task = self;
    // Ids, types and child lists are no properties; whether a list is empty is a rule of its own.
    const Property *property = properties_find(&task->properties, name);
    return property != NULL ? property->node : node_get(task->node, name);
}

// Properties of which exactly one must be given.
static void check_choice(Builder *builder, const Task *task, const PropChoice *choice) {
    Str all = {0};
    uint32_t count = 0;
    const NodeEntry *last = NULL;
    for (uint32_t i = 0; i < choice->count; i++) {
        all = str_printf(builder->arena, STR_FMT "%s'" STR_FMT "'", STR_ARG(all),
                         i == 0 ? "" : ", ", STR_ARG(choice->names[i]));
        if (node_is_absent(task_value(task, choice->names[i]))) continue;
        const NodeEntry *entry = node_entry(task->node, choice->names[i]);
        if (entry != NULL && (last == NULL || entry->key->span.start > last->key->span.start)) {
            last = entry;
        }
        count++;
    }
    if (count == 0 && !builder->flow->has_holes) {
        diag_add(builder->diags, "E0102", DIAG_ERROR, task->type_span,
                 "task '" STR_FMT "' needs one of " STR_FMT, STR_ARG(task->id), STR_ARG(all));
    } else if (count > 1) {
        diag_add(builder->diags, "E0123", DIAG_ERROR,
                 last != NULL ? last->key->span : task->type_span,
                 "only one of " STR_FMT " may be given in task '" STR_FMT "'", STR_ARG(all),
                 STR_ARG(task->id));
    }
}

static void check_properties(Builder *builder, Task *task, const Level *level) {
    for (uint32_t i = 0; i < task->properties.count; i++) {
        const Property *property = &task->properties.items[i];
        NodeEntry entry = {.key = NULL, .value = property->node};
        const NodeEntry *own = node_entry(task->node, property->name);
        if (own != NULL) entry.key = own->key;
        if (property->schema == NULL) {
            if (entry.key != NULL) schema_unknown(builder, task->node, entry.key, level);
            continue;
        }
        if (entry.key != NULL) schema_known(builder, &entry, property->schema, level);
        schema_value(builder, property->node, property->schema, &property->schema->type, level);
    }
    Str owner = task->id.len > 0
                    ? str_printf(builder->arena, "task '" STR_FMT "'", STR_ARG(task->id))
                    : STR("a task");
    Span at = task->type_span.len > 0 ? task->type_span : task->id_span;
    if (at.len == 0) at = task->node->span;
    schema_missing(builder, level, at, owner, task_value, task);
    for (uint32_t i = 0; i < task->type->exactly_one_count; i++) {
        check_choice(builder, task, &task->type->exactly_one[i]);
    }
}

// A task whose type nobody knows still needs an id, and a type where none is written.
static void check_unknown(Builder *builder, const Task *task) {
    if (builder->flow->has_holes) return;
    Span at =
        task->node->entries.count > 0 ? task->node->entries.items[0].key->span : task->node->span;
    if (node_is_absent(node_get(task->node, STR("id")))) {
        diag_add(builder->diags, "E0102", DIAG_ERROR, at, "property 'id' of a task is missing");
    }
    if (node_is_absent(node_get(task->node, STR("type")))) {
        diag_add(builder->diags, "E0102", DIAG_ERROR, at,
                 "property 'type' of task '" STR_FMT "' is missing", STR_ARG(task->id));
    }
}

// 2.0's names for what every task has, which the catalog of 1.3 lacks.
static const Prop *synonym(Builder *builder, const char *object, const Property *property) {
    const Def *def = language_object(builder, object);
    const Prop *prop = def_prop(def, property->name);
    if (prop == NULL) return NULL;
    if (builder->options->targets != 0 && (builder->options->targets & TARGET_2_0) == 0) {
        Diag *diag = diag_add(builder->diags, "E0111", DIAG_ERROR, property->name_span,
                              "property '" STR_FMT "' exists from 2.0 on", STR_ARG(prop->name));
        diag->targets = builder->options->targets;
    }
    return prop;
}

static void read_properties(Builder *builder, Task *task) {
    Properties all = {0};
    defaults_properties(builder, task->node, task->type_name, &all);
    for (uint32_t i = 0; i < all.count; i++) {
        Property property = all.items[i];
        if (str_eq(property.name, STR("id")) || str_eq(property.name, STR("type"))) continue;
        if (task->type != NULL) {
            Level level = level_of_type(task->type, false, NULL);
            property.schema = level_prop(&level, property.name);
        }
        if (property.schema == NULL) property.schema = synonym(builder, "task", &property);
        // A name that a default brings and the type does not know is ignored, as on the server.
        if (property.schema == NULL && property.is_default && task->type != NULL) continue;
        Holds what = holds(task, &property);
        if (what != HOLDS_NOTHING) {
            add_groups(builder, task, &property, what);
            if (task->type != NULL && property.schema != NULL && !property.is_default) {
                Level level = level_of_type(task->type, task->has_version, NULL);
                const NodeEntry *own = node_entry(task->node, property.name);
                if (own != NULL) schema_known(builder, own, property.schema, &level);
            }
            continue;
        }
        *LIST_ADD(builder->arena, &task->properties, Property) = property;
    }
}

static void read_on_resume(Builder *builder, Task *task) {
    const Property *property = properties_find(&task->properties, STR("onResume"));
    if (property == NULL || !task_is(task, "flow.Pause")) return;
    build_inputs(builder, property->node, (Str){0}, &task->on_resume);
}

// The level of a task's properties; what is further out is filled in for the caller.
static Level level_of_task(Builder *builder, const Task *task, Level *item, Level *around) {
    const Def *flow = language_object(builder, "flow");
    *around = (Level){.props = flow->props,
                      .prop_count = flow->prop_count,
                      .name = STR("flow"),
                      .is_certain = true};
    // What stands next to a task of a Dag is further out, too.
    static const Prop wrapper[] = {
        {.name = {"dependsOn", 9}, .min_len = -1, .max_len = -1}
    };
    *item = (Level){
        .up = around, .props = wrapper, .prop_count = 1, .name = STR("Dag"), .is_certain = true};
    bool is_wrapped = task->parent != NULL && task_is(task->parent, "flow.Dag");
    return level_of_type(task->type, task->has_version, is_wrapped ? item : around);
}

static Task *build_task(Builder *builder, Node *node, Task *parent, TaskGroup *group) {
    node = templated_task(builder, node);
    Task *task = arena_new(builder->arena, Task);
    task->node = node;
    task->parent = parent;
    task->group = group;
    task->flow = builder->flow;
    task->index = builder->flow->all_tasks.count;
    *LIST_ADD(builder->arena, &builder->flow->all_tasks, Task *) = task;

    schema_mend_head(builder, node, STR("task"));
    const Node *id = node_get(node, STR("id"));
    if (id != NULL && (id->type == YAML_LIST || id->type == YAML_MAP)) {
        diag_add(builder->diags, "E0104", DIAG_ERROR, id->span,
                 "'id' must be a single value, not a %s", node_kind_name(id));
    }
    task->id = node_text(id);
    task->id_span = id != NULL && id->type == YAML_SCALAR ? id->span : (Span){0};
    const Node *type = node_get(node, STR("type"));
    task->type_name = node_text(type);
    task->type_span = type != NULL && type->type == YAML_SCALAR ? type->span : (Span){0};
    if (task->id_span.len == 0) task->id_span = node->span;
    if (task->type_span.len == 0) task->type_span = task->id_span;
    task->type = schema_type(builder, type, KIND_TASK);
    task->has_version = !node_is_absent(node_get(node, STR("version")));

    if (task->type != NULL) {
        Level around = {0};
        Level item = {0};
        const Level level = level_of_task(builder, task, &item, &around);
        schema_mend(builder, node, &level);
    }
    read_properties(builder, task);
    if (task->type != NULL) {
        Level around = {0};
        Level item = {0};
        const Level level = level_of_task(builder, task, &item, &around);
        check_properties(builder, task, &level);
    } else {
        check_unknown(builder, task);
    }
    const Property *property = task_property(task, STR("disabled"));
    task->is_disabled = property != NULL && node_bool(property->node, false);
    property = task_property(task, STR("allowFailure"));
    task->allow_failure = property != NULL && node_bool(property->node, false);
    property = task_property(task, STR("allowWarning"));
    task->allow_warning = property != NULL && node_bool(property->node, false);
    property = task_property(task, STR("retry"));
    if (property != NULL) task->retry = build_retry(builder, property->node);
    read_on_resume(builder, task);
    return task;
}
