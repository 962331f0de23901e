// roots.c - the names an expression may begin with, and what they are in each place
// (expression-language.md 9).
#include "check/internal.h"

// --- what the flow declares ---------------------------------------------------------------------

// A dotted id nests: `a.b` is member b of a.
static void add_nested(Arena *arena, Place *place, Str id, const Type *type) {
    size_t dot = str_find_char(id, '.', 0);
    if (dot == STR_NOT_FOUND) {
        place_add(arena, place, id, type, NULL);
        return;
    }
    Str head = str_slice(id, 0, dot);
    const PlaceField *field = place_field(place, head);
    Place *inner = field == NULL ? NULL : (Place *)field->place;
    if (inner == NULL) {
        inner = place_new(arena, ORIGIN_INPUTS, head);
        place_add(arena, place, head, type_any(), inner);
    }
    add_nested(arena, inner, str_slice(id, dot + 1, id.len), type);
}

static const Type *input_type(Arena *arena, const InputDecl *input) {
    if (!input->has_type) return type_any();
    bool is_select = input->type == INPUT_SELECT || input->type == INPUT_ENUM;
    if (is_select && input->values != NULL && input->values->type == YAML_LIST &&
        !input->allow_custom && input->is_required) {
        const Type *item = type_element(arena, type_of_node(arena, input->values));
        if (type_must_be(item, TYPE_TAG_TEXT)) return item;
    }
    // A duration is a text or, once it went through a queue, a number of seconds.
    if (input->type == INPUT_DURATION) return type_any();
    return type_of_input(arena, input->type, input->item_type);
}

static void add_inputs(Check *check, Place *place, InputDecl *const *inputs, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        const InputDecl *input = inputs[i];
        if (input->id.len == 0) continue;
        if (input->children.count > 0) {
            add_inputs(check, place, input->children.items, input->children.count);
            continue;
        }
        const Type *type = input_type(check->arena, input);
        if (!input->is_required) type = type_optional(check->arena, type);
        add_nested(check->arena, place, input->id, type);
    }
}

static void set_variables(Check *check, Place *place) {
    const Flow *flow = check->flow;
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        const Task *task = flow->all_tasks.items[i];
        if (!task_is(task, "execution.SetVariables")) continue;
        const Property *property = task_property(task, STR("variables"));
        if (property == NULL || property->node->type != YAML_MAP) {
            place->is_open = true;
            continue;
        }
        for (uint32_t k = 0; k < property->node->entries.count; k++) {
            Str name = property->node->entries.items[k].key->text;
            if (template_has_code(name)) place->is_open = true;
            PlaceField *field = place_field(place, name);
            if (field != NULL) field->type = type_any();  // whatever it is set to
            if (field == NULL) place_add(check->arena, place, name, type_any(), NULL);
        }
    }
}

static Place *variables_place(Check *check) {
    Place *place = place_new(check->arena, ORIGIN_VARIABLES, STR("vars"));
    const Node *map = check->flow->variables;
    if (map != NULL && map->type == YAML_MAP) {
        for (uint32_t i = 0; i < map->entries.count; i++) {
            const NodeEntry *entry = &map->entries.items[i];
            const Type *type = type_of_node(check->arena, entry->value);
            bool has_code =
                entry->value->type == YAML_SCALAR && template_has_code(entry->value->text);
            if (has_code) type = type_text(TEXT_TEMPLATE);
            place_add(check->arena, place, entry->key->text, type, NULL);
        }
    } else if (map != NULL) {
        place->is_open = true;
    }
    set_variables(check, place);
    return place;
}

static void trigger_fields(Check *check, Place *place, const TriggerDecl *trigger) {
    uint32_t doubtful = TYPE_INFERRED | TYPE_AS_OF | TYPE_OUTPUTS_OPEN | TYPE_OPEN;
    if (trigger->type == NULL || (trigger->type->flags & doubtful) != 0) {
        place->is_open = true;
        return;
    }
    for (uint32_t i = 0; i < trigger->type->output_count; i++) {
        const Output *output = &trigger->type->outputs[i];
        const Type *type = catalog_type(check->arena, output->type);
        PlaceField *field = place_field(place, output->name);
        if (field != NULL) field->type = type_join(check->arena, field->type, type);
        if (field == NULL) place_add(check->arena, place, output->name, type, NULL);
    }
    static const char *const webhook[] = {"uri",  "parts",   "formFields",
                                          "body", "headers", "parameters"};
    for (size_t i = 0; i < COUNT(webhook); i++) {
        if (!str_ends_with(trigger->type->name, STR(".trigger.Webhook"))) break;
        if (place_field(place, str_from(webhook[i])) != NULL) continue;
        place_add(check->arena, place, str_from(webhook[i]), type_any(), NULL);
    }
}

static Place *trigger_place(Check *check) {
    Place *place = place_new(check->arena, ORIGIN_TRIGGER, STR("trigger"));
    for (uint32_t i = 0; i < check->flow->triggers.count; i++) {
        trigger_fields(check, place, check->flow->triggers.items[i]);
    }
    static const char *const always[] = {"id", "type"};
    for (size_t i = 0; i < COUNT(always); i++) {
        if (place_field(place, str_from(always[i])) != NULL) continue;
        place_add(check->arena, place, str_from(always[i]), type_text(TEXT_PLAIN), NULL);
    }
    return place;
}

void roots_prepare(Check *check) {
    Place *inputs = place_new(check->arena, ORIGIN_INPUTS, STR("inputs"));
    add_inputs(check, inputs, check->flow->inputs.items, check->flow->inputs.count);
    const Node *declared = node_get(check->flow->node, STR("inputs"));
    // An input nobody could read (a hole, an unknown kind) may have any name.
    inputs->is_open = declared != NULL && declared->type != YAML_LIST && !node_is_null(declared);
    for (uint32_t i = 0; i < check->flow->inputs.count; i++) {
        const InputDecl *input = check->flow->inputs.items[i];
        if (!input->has_type && input->children.count == 0) {
            // REUSABLE_INPUTS and the like expand to names that stand elsewhere.
            const Node *type = node_get(input->node, STR("type"));
            if (type != NULL && type->type == YAML_SCALAR &&
                str_eq(type->text, STR("REUSABLE_INPUTS"))) {
                inputs->is_open = true;
            }
        }
    }
    check->inputs = inputs;
    check->variables = variables_place(check);
    check->trigger = trigger_place(check);
    for (uint32_t i = 0; i < check->flow->all_tasks.count; i++) {
        const Task *task = check->flow->all_tasks.items[i];
        if (str_find(task->type_name, STR(".dbt."), 0) != STR_NOT_FOUND ||
            task_is(task, "templating.TemplatedTask") || task_is(task, "flow.Template")) {
            check->has_dynamic_tasks = true;
        }
    }
}

// --- fixed records ------------------------------------------------------------------------------

static const Type *fixed_type(const char *name) {
    Str member = str_from(name);
    if (str_eq(member, STR("revision")) || str_eq(member, STR("attemptsCount"))) return type_int();
    if (str_eq(member, STR("startDate"))) return type_text(TEXT_DATETIME);
    if (str_eq(member, STR("outputs"))) return type_any();
    return type_text(TEXT_PLAIN);
}

static Place *fixed(Env *env, const char *name, const char *const *members, size_t count) {
    Place *place = place_new(env->check->arena, ORIGIN_FIXED, str_from(name));
    for (size_t i = 0; i < count; i++) {
        place_add(env->check->arena, place, str_from(members[i]), fixed_type(members[i]), NULL);
    }
    return place;
}

uint32_t loops_around(const Site *site, const Task **out, uint32_t max) {
    uint32_t count = 0;
    for (const Task *task = site->task; task != NULL && task->parent != NULL; task = task->parent) {
        if (task_is_loop(task->parent) && count < max) out[count++] = task;
    }
    return count;
}

// A loop's value is always a text; JSON text where the elements are known to be maps.
static void add_loop_value(Env *env, Place *place, const Task *loop) {
    Arena *arena = env->check->arena;
    const Property *values = loop == NULL ? NULL : task_property(loop, STR("values"));
    if (values == NULL && loop != NULL) values = task_property(loop, STR("value"));
    const Type *type = type_text(TEXT_PLAIN);
    if (values != NULL && values->node->type == YAML_LIST) {
        const Type *item = type_element(arena, type_of_node(arena, values->node));
        if (type_must_be(item, TYPE_TAG_RECORD)) type = type_json(arena, item);
    }
    place_add(arena, place, STR("value"), type,
              place_new(arena, ORIGIN_LOOP_VALUE, STR("taskrun.value")));
}

ExprType *loop_value_type(Env *env, const Task *loop) {
    Place holder = {0};
    add_loop_value(env, &holder, loop);
    ExprType *type = new_place(env, holder.fields.items[0].place);
    type->typed.type = holder.fields.items[0].type;
    return type;
}

static Place *taskrun_place(Env *env) {
    static const char *const members[] = {"id", "startDate", "attemptsCount", "parentId"};
    Place *place = fixed(env, "taskrun", members, COUNT(members));
    place->origin = ORIGIN_TASKRUN;
    const Task *task = env->site->task;
    if (task == NULL) {
        place->is_open = true;
        return place;
    }
    Arena *arena = env->check->arena;
    if (task_is(task, "flow.ForEachItem")) {
        place_add(arena, place, STR("items"), type_text(TEXT_URI), NULL);
        place_add(arena, place, STR("iteration"), type_int(), NULL);
    }
    bool is_inside = task->parent != NULL &&
                     (task_is_loop(task->parent) || task_is(task->parent, "flow.LoopUntil"));
    if (is_inside && place_field(place, STR("iteration")) == NULL) {
        place_add(arena, place, STR("iteration"), type_int(), NULL);
    }
    if (task->parent != NULL && task_is_loop(task->parent)) {
        add_loop_value(env, place, task->parent);
        // Handlers of a loop: whether they have a value is not settled.
        if (task->group->list != TASKS_BODY) place->is_open = true;
    }
    // The tasks of a WorkingDirectory have its value.
    const Task *folder = task->parent;
    if (folder != NULL && task_is(folder, "flow.WorkingDirectory") && folder->parent != NULL &&
        task_is_loop(folder->parent)) {
        add_loop_value(env, place, folder->parent);
    }
    // A parent nobody knows may be a loop.
    for (const Task *at = task->parent; at != NULL; at = at->parent) {
        if (at->type == NULL || at->has_version) place->is_open = true;
    }
    return place;
}

// `item` of a Loop: its value is a text, whatever stands in the list.
static Place *item_place(Env *env) {
    static const char *const members[] = {"index", "key", "parents"};
    Arena *arena = env->check->arena;
    Place *place = fixed(env, "item", members, 0);
    place->is_open = true;
    for (size_t i = 0; i < COUNT(members); i++) {
        place_add(arena, place, str_from(members[i]), i == 0 ? type_int() : type_any(), NULL);
    }
    const Task *loop = env->site->task == NULL ? NULL : env->site->task->parent;
    while (loop != NULL && loop->type != NULL && !task_is(loop, "flow.Loop")) loop = loop->parent;
    if (loop == NULL || loop->type == NULL) return place;
    add_loop_value(env, place, loop);
    return place;
}

// Ancestors with a value or outputs of their own: what `parents` lists.
static bool has_entry(const Task *task) {
    // A WorkingDirectory has its outputs when its tasks are over.
    bool is_later = task_is(task, "flow.WorkingDirectory");
    if (task->type == NULL || (task->type->output_count > 0 && !is_later)) return true;
    if ((task->type->flags & TYPE_OUTPUTS_OPEN) != 0) return true;
    return task->parent != NULL && (task_is_loop(task->parent) || task->parent->type == NULL);
}

// `parent`, or an entry of `parents`: which ancestor the latter is depends on what ran, so it has a
// value wherever one of them has. NULL: there is none.
static Place *parent_place(Env *env, bool is_any) {
    const Task *nearest = env->site->task == NULL ? NULL : env->site->task->parent;
    while (nearest != NULL && !has_entry(nearest)) nearest = nearest->parent;
    if (nearest == NULL) return NULL;
    Arena *arena = env->check->arena;
    Place *taskrun = place_new(arena, ORIGIN_PARENT, STR("parent.taskrun"));
    taskrun->is_open = true;
    const Task *loops[8];
    bool has_value = nearest->parent != NULL && task_is_loop(nearest->parent);
    if (is_any && loops_around(env->site, loops, COUNT(loops)) > 0) {
        add_loop_value(env, taskrun, NULL);
    } else if (has_value) {
        add_loop_value(env, taskrun, nearest->parent);
    }
    Place *place = place_new(arena, ORIGIN_PARENT, STR("parent"));
    place->is_open = true;
    place_add(arena, place, STR("taskrun"), type_any(), taskrun);
    return place;
}

// --- names --------------------------------------------------------------------------------------

static const char *const roots[] = {
    "flow",     "execution", "task",       "taskrun",   "inputs",        "outputs",
    "vars",     "labels",    "trigger",    "schedule",  "envs",          "globals",
    "kestra",   "namespace", "tasks",      "parent",    "parents",       "item",
    "files",    "secret",    "workingDir", "outputDir", "outputFiles",   "inputFiles",
    "response", "count",     "iteration",  "state",     "workerTaskrun", "appLink",
};

// Names that a runnable task of a plugin may add to its own properties.
static bool task_may_add(const Site *site, Str name) {
    if (site->task == NULL) return false;
    if (site->task->type == NULL) return true;
    static const char *const added[] = {"workingDir", "outputDir", "outputFiles", "inputFiles",
                                        "bucketPath", "inputFile", "tempDir",     "dockerImage"};
    for (size_t i = 0; i < COUNT(added); i++) {
        if (str_eq(name, str_from(added[i]))) return true;
    }
    return false;
}

static bool in_2_0_loop(const Env *env) {
    for (const Task *task = env->site->task; task != NULL; task = task->parent) {
        if (task_is(task, "flow.Loop") || task->type == NULL) return true;
    }
    return false;
}

static bool is_run(const Env *env) {
    return env->site->kind != SITE_INPUT && env->site->kind != SITE_TRIGGER;
}

static bool is_any_root(Str name) {
    static const char *const any[] = {"labels",    "envs",  "globals",      "kestra",
                                      "namespace", "files", "workerTaskrun"};
    for (size_t i = 0; i < COUNT(any); i++) {
        if (str_eq(name, str_from(any[i]))) return true;
    }
    return false;
}

typedef struct Root {
    bool is_there;
    const Place *place;  // NULL: anything
} Root;

static Root place_root(const Place *place) {
    return (Root){.is_there = true, .place = place};
}

static bool is_added_root(Str names, Str name) {
    Str one = {0};
    while (str_split(&names, ',', &one)) {
        if (str_eq(one, name)) return true;
    }
    return false;
}

static Root find_root(Env *env, Str name) {
    static const char *const flow[] = {"id", "namespace", "revision", "tenantId"};
    static const char *const execution[] = {"id", "startDate", "state", "originalId", "outputs"};
    static const char *const task[] = {"id", "type"};
    Check *check = env->check;
    const Root anything = {.is_there = true};
    const Root nothing = {.is_there = false};
    if (is_added_root(check->options->roots, name)) return anything;
    if (str_eq(name, STR("flow"))) return place_root(fixed(env, "flow", flow, COUNT(flow)));
    if (str_eq(name, STR("execution"))) {
        if (env->site->kind == SITE_TRIGGER) return anything;
        return place_root(fixed(env, "execution", execution, COUNT(execution)));
    }
    // Inputs are resolved before a task runs, outputs of the flow after the last.
    const bool is_task_name = str_eq(name, STR("task")) || str_eq(name, STR("taskrun"));
    if (is_task_name && (env->site->kind == SITE_INPUT || env->site->kind == SITE_OUTPUT)) {
        return nothing;
    }
    if (str_eq(name, STR("task"))) return place_root(fixed(env, "task", task, COUNT(task)));
    if (str_eq(name, STR("taskrun")))
        return is_run(env) ? place_root(taskrun_place(env)) : anything;
    if (str_eq(name, STR("inputs"))) return place_root(check->inputs);
    if (str_eq(name, STR("vars"))) return place_root(check->variables);
    if (str_eq(name, STR("outputs"))) {
        if (env->site->kind == SITE_INPUT) return nothing;
        if (!is_run(env)) return anything;
        return place_root(place_new(check->arena, ORIGIN_OUTPUTS, name));
    }
    if (str_eq(name, STR("trigger")) || str_eq(name, STR("schedule"))) {
        return is_run(env) ? place_root(check->trigger) : anything;
    }
    if (str_eq(name, STR("tasks"))) {
        return is_run(env) ? place_root(place_new(check->arena, ORIGIN_TASKS, name)) : anything;
    }
    if (str_eq(name, STR("parent")) || str_eq(name, STR("parents"))) {
        if (env->site->kind == SITE_VARIABLE) return anything;
        bool is_list = str_eq(name, STR("parents"));
        Place *parent = parent_place(env, is_list);
        if (parent == NULL) return nothing;
        if (is_list) parent->name = name;
        return place_root(parent);
    }
    if (str_eq(name, STR("item"))) {
        return in_2_0_loop(env) ? place_root(item_place(env)) : nothing;
    }
    if (is_any_root(name) || task_may_add(env->site, name)) return anything;
    return nothing;
}

static const Local *find_local(const Env *env, Str name) {
    for (const Local *local = env->locals; local != NULL; local = local->up) {
        if (local->is_wall) return NULL;
        if (str_eq(local->name, name)) return local;
    }
    return NULL;
}

static void not_in_loop(Env *env, const Expr *expr) {
    if (str_eq(expr->text, STR("item"))) {
        diag_add(env->check->diags, "E0318", DIAG_ERROR, expr->span,
                 "'item' exists inside a 'Loop' only");
        return;
    }
    const Task *task = env->site->task;
    Diag *diag = diag_add(env->check->diags, "E0318", DIAG_ERROR, expr->span,
                          "'" STR_FMT "' has no value here: no task around has a value or outputs",
                          STR_ARG(expr->text));
    if (task != NULL && task->parent != NULL && task_is_loop(task->parent)) {
        diag_note(diag, "the value of this loop is 'taskrun.value'");
    }
}

// A name of the language that has no value in this place.
static bool is_elsewhere(Env *env, const Expr *expr) {
    static const struct {
        const char *name, *where;
    } places[] = {
        {"outputs",    "no task has run when inputs are resolved"             },
        {"taskrun",    "it is there while a task runs"                        },
        {"task",       "it is there while a task runs"                        },
        {"response",   "it is there in 'responseCondition' of an HTTP trigger"},
        {"count",      "it is there in 'expression' of a Count"               },
        {"workingDir", "it is there in the texts of scripts"                  },
        {"outputDir",  "it is there in the texts of scripts"                  },
    };
    for (size_t i = 0; i < COUNT(places); i++) {
        if (!str_eq(expr->text, str_from(places[i].name))) continue;
        diag_add(env->check->diags, "E0305", DIAG_ERROR, expr->span, "'%s' does not exist here: %s",
                 places[i].name, places[i].where);
        return true;
    }
    return false;
}

static void unknown_root(Env *env, const Expr *expr) {
    Str name = expr->text;
    bool is_parent = str_eq(name, STR("parent")) || str_eq(name, STR("parents"));
    if (is_parent || str_eq(name, STR("item"))) {
        not_in_loop(env, expr);
        return;
    }
    if (is_elsewhere(env, expr)) return;
    Nearest nearest = nearest_to(name);
    for (size_t i = 0; i < COUNT(roots); i++) {
        if (!str_eq(name, str_from(roots[i]))) nearest_offer(&nearest, str_from(roots[i]));
    }
    for (const Local *local = env->locals; local != NULL && !local->is_wall; local = local->up) {
        nearest_offer(&nearest, local->name);
    }
    // A flow whose other arm is taken succeeds: `{{ ok ? 'fine' : ko }}` fails on purpose.
    bool may_succeed = env->is_in_arm && !env->is_base && nearest.name.len == 0;
    Diag *diag = diag_add(env->check->diags, "E0305", may_succeed ? DIAG_WARNING : DIAG_ERROR,
                          expr->span, "unknown name '" STR_FMT "'", STR_ARG(name));
    if (may_succeed) diag_note(diag, "the task fails where this arm is taken");
    if (nearest.name.len > 0) {
        diag_suggest(diag, nearest.name);
        // What was probably meant is used; which of its members is not known here.
        if (str_eq(nearest.name, STR("inputs"))) add_ref(env, REF_INPUT, (Str){0}, expr->span);
        if (str_eq(nearest.name, STR("vars"))) add_ref(env, REF_VARIABLE, (Str){0}, expr->span);
        return;
    }
    if (flow_find_input(env->check->flow, name) != NULL) {
        add_ref(env, REF_INPUT, name, expr->span);
        diag_note(diag, "the input is 'inputs." STR_FMT "'", STR_ARG(name));
    } else if (place_field(env->check->variables, name) != NULL) {
        diag_note(diag, "the variable is 'vars." STR_FMT "'", STR_ARG(name));
    } else if (flow_find_task(env->check->flow, name) != NULL) {
        diag_note(diag, "the outputs of the task are 'outputs." STR_FMT "'", STR_ARG(name));
    }
}

// `ouputs.x ?? 'none'`: the guard hides the slip, and always replaces the value. Names of other
// versions stand behind guards as well, so only what is near a name is one.
static void guarded_root(Env *env, const Expr *expr) {
    if (env->is_asked || env->site->is_loose || env->site->is_static) return;
    if (env->site->kind == SITE_TRIGGER) return;
    Nearest nearest = nearest_to(expr->text);
    for (size_t i = 0; i < COUNT(roots); i++) {
        if (str_eq(expr->text, str_from(roots[i]))) return;
        nearest_offer(&nearest, str_from(roots[i]));
    }
    if (nearest.name.len == 0) return;
    Diag *diag =
        diag_add(env->check->diags, "E0305", DIAG_WARNING, expr->span,
                 "unknown name '" STR_FMT "': the guard always replaces it", STR_ARG(expr->text));
    diag_suggest(diag, nearest.name);
    if (str_eq(nearest.name, STR("inputs"))) add_ref(env, REF_INPUT, (Str){0}, expr->span);
    if (str_eq(nearest.name, STR("vars"))) add_ref(env, REF_VARIABLE, (Str){0}, expr->span);
}

bool root_is_known(Env *env, const Expr *name) {
    return find_local(env, name->text) != NULL || find_root(env, name->text).is_there;
}

ExprType *root_type(Env *env, const Expr *expr) {
    const Local *local = find_local(env, expr->text);
    if (local != NULL) {
        ExprType *copy = new_type(env, type_any());
        *copy = *local->type;
        return copy;
    }
    Root root = find_root(env, expr->text);
    bool is_whole = !env->is_base;
    env->is_base = false;
    // `inputs` as a whole: any of them may be meant.
    if (is_whole && root.place == env->check->inputs) {
        add_ref(env, REF_INPUT, (Str){0}, expr->span);
    } else if (is_whole && root.place == env->check->variables) {
        add_ref(env, REF_VARIABLE, (Str){0}, expr->span);
    }
    ExprType *type = root.place != NULL ? new_place(env, root.place) : new_type(env, type_any());
    type->typed.effects = HAS_CONTEXT;
    type->typed.source = root.place != NULL ? SOURCE_DECLARED : SOURCE_UNKNOWN;
    if (!root.is_there) {
        type->typed.undef = CERTAINLY;
        type->typed.undef_path = expr->text;
        bool is_structure = str_eq(expr->text, STR("item")) || str_eq(expr->text, STR("parent")) ||
                            str_eq(expr->text, STR("parents"));
        bool is_known = env->is_guarded || env->site->is_loose || env->site->is_static ||
                        (env->check->flow->has_holes && is_structure) ||
                        fact_holds(env, expr->text);
        if (!is_known) {
            unknown_root(env, expr);
        } else if (env->is_guarded) {
            guarded_root(env, expr);
        }
    }
    if (str_eq(expr->text, STR("trigger"))) {
        type->is_foreign = true;
        type->taint_source = STR("trigger");
    }
    return type;
}
