// context.c - what a leaf can see: the roots of flow-language.md 5.8 over the folded engine.
//
// `outputs` and `tasks` are objects that ask the engine step by step, so no table is built for
// them however many runs there are; the other roots are small values. In a plan, what a task would
// put out and nobody knows is the text `<task.path>`.
#include <string.h>

#include "base/codec.h"
#include "base/file.h"
#include "run/driver.h"
#include "value/convert.h"
#include "value/time.h"

// A place below `outputs` or `tasks`.
typedef struct Place {
    Scope *scope;
    bool is_state;  // `tasks`
    Str task;       // empty: the root itself
    Str *values;    // loop values so far
    uint32_t value_count;
    Str placeholder;     // of a plan, not empty: the path of a map that is known in part
    const Value *known;  // that part
} Place;

static LeafRef place_get(void *self, const uint64_t at[2], Str key);
static Value place_whole(void *self, const uint64_t at[2], Arena *arena);

static const LeafSource PLACES = {place_get, place_whole, NULL};

bool run_id_is_zero(RunId id) {
    static const RunId zero;
    return memcmp(id.bytes, zero.bytes, sizeof zero.bytes) == 0;
}

static LeafRef ref_value(Value value) {
    return (LeafRef){.kind = LEAF_REF_VALUE, .value = value};
}

static LeafRef ref_place(const Place *place) {
    Place *copy = arena_new(place->scope->arena, Place);
    *copy = *place;
    return (LeafRef){
        .kind = LEAF_REF_OBJECT, .source = &PLACES, .at = {(uint64_t)(uintptr_t)copy, 0}
    };
}

static Place *place_of(const uint64_t at[2]) {
    return (Place *)(uintptr_t)at[0];
}

// What stands at `path` in a plan: a value, which may still have more members than are known where
// it is a map, or a text that stands for what nobody knows.
static LeafRef ref_planned(Scope *scope, Str path, const Value *known) {
    if (known == NULL) {
        scope->touched = true;
        return ref_value(planner_placeholder(scope->execution, path));
    }
    if (known->kind != VALUE_MAP) {
        if (planner_read(scope->execution, *known)) scope->touched = true;
        return ref_value(*known);
    }
    Place place = {.scope = scope, .placeholder = path, .known = known};
    return ref_place(&place);
}

// Loops of 2.0 isolate their iterations: there a name means the run of the same iteration.
static bool stands_in_loop(const Scope *scope) {
    const Plan *plan = engine_plan(scope->execution->engine);
    const PlanNode *node = scope->node;
    while (node != NULL && node->parent != PLAN_NONE) {
        node = &plan->nodes[node->parent - 1];
        if (node->kind == NODE_LOOP) return true;
    }
    return false;
}

static Lookup find(const Place *place, TaskRunView *view) {
    Scope *scope = place->scope;
    const Engine *engine = scope->execution->engine;
    // The outputs of an iteration see what ran in it.
    bool is_iteration = !run_id_is_zero(scope->frame) && scope->node->kind == NODE_LOOP;
    bool is_inside = !run_id_is_zero(scope->run) && stands_in_loop(scope);
    if (place->value_count == 0 && (is_iteration || is_inside)) {
        RunId from = is_iteration ? scope->frame : scope->run;
        Lookup near = engine_find_near(engine, from, place->task, view);
        if (near == LOOKUP_FOUND) return near;
    }
    return engine_find_run(engine, place->task, place->values, place->value_count, view);
}

static Value state_map(const TaskRunView *view, Arena *arena) {
    Value map = value_map(arena);
    value_map_set(arena, map, STR("state"), value_text(str_from(state_name(view->state))));
    return map;
}

// A flowable that has begun has outputs, if only an empty map (in loops: under its own name, not
// under those of the values); a task that was skipped has none.
static Value outputs_value(const Place *place, const TaskRunView *view, Arena *arena) {
    if (view->outputs != NULL) return *view->outputs;
    const PlanNode *node = &engine_plan(place->scope->execution->engine)->nodes[view->node];
    bool has_begun = view->state != STATE_CREATED && view->state != STATE_SKIPPED;
    bool is_flowable = node->kind != NODE_TASK && node->kind != NODE_UPDATE;
    bool has_map = has_begun && is_flowable && place->value_count == 0;
    return has_map ? value_map(arena) : value_null();
}

static LeafRef outputs_ref(const Place *place, const TaskRunView *view) {
    Value outputs = outputs_value(place, view, place->scope->arena);
    if (outputs.kind == VALUE_NULL) return (LeafRef){.kind = LEAF_REF_ABSENT};
    return ref_value(outputs);
}

static LeafRef look_up(Place *place) {
    Scope *scope = place->scope;
    TaskRunView view;
    switch (find(place, &view)) {
    case LOOKUP_LOOP:
        return ref_place(place);
    case LOOKUP_FOUND:
        if (place->is_state) return ref_value(state_map(&view, scope->arena));
        if (scope->execution->planner != NULL) {
            // What a planned task would put out is known in part: the rest is a placeholder.
            return ref_place(place);
        }
        return outputs_ref(place, &view);
    case LOOKUP_ABSENT:
        break;
    }
    return (LeafRef){.kind = LEAF_REF_ABSENT};
}

// One name further below a run of a plan: what it put out, or what stands for it.
static LeafRef look_up_planned(const Place *place, Str key) {
    TaskRunView view;
    Scope *scope = place->scope;
    if (scope->execution->planner == NULL) return (LeafRef){.kind = LEAF_REF_ABSENT};
    if (find(place, &view) != LOOKUP_FOUND) return (LeafRef){.kind = LEAF_REF_ABSENT};
    const PlanNode *node = &engine_plan(scope->execution->engine)->nodes[view.node];
    const Value *known = view.outputs == NULL ? NULL : value_map_get(*view.outputs, key);
    bool may_have_more = node->kind == NODE_SUBFLOW || node->kind == NODE_ITEMS ||
                         (node->kind == NODE_TASK && (node->flags & NODE_PURE) == 0);
    if (may_have_more) {
        Str path =
            str_printf(scope->arena, STR_FMT "." STR_FMT, STR_ARG(place->task), STR_ARG(key));
        return ref_planned(scope, path, known);
    }
    if (known == NULL) return (LeafRef){.kind = LEAF_REF_ABSENT};
    if (planner_read(scope->execution, *known)) scope->touched = true;
    return ref_value(*known);
}

static LeafRef place_get(void *self, const uint64_t at[2], Str key) {
    (void)self;
    const Place *place = place_of(at);
    Scope *scope = place->scope;
    Place next = *place;
    if (place->placeholder.len > 0) {
        Str path = str_printf(scope->arena, STR_FMT "." STR_FMT, STR_ARG(place->placeholder),
                              STR_ARG(key));
        return ref_planned(scope, path, value_map_get(*place->known, key));
    }
    if (place->task.len == 0) {
        next.task = str_dup(scope->arena, key);
        return look_up(&next);
    }
    TaskRunView view;
    if (find(place, &view) == LOOKUP_FOUND) return look_up_planned(&next, key);
    next.values = arena_array(scope->arena, Str, place->value_count + 1);
    if (place->value_count > 0) {
        memcpy(next.values, place->values, place->value_count * sizeof *next.values);
    }
    next.values[next.value_count++] = str_dup(scope->arena, key);
    return look_up(&next);
}

static Value whole_of_task(Place *place, Arena *arena) {
    TaskRunView view;
    switch (find(place, &view)) {
    case LOOKUP_ABSENT:
        return value_null();
    case LOOKUP_FOUND:
        if (place->is_state) return state_map(&view, arena);
        if (place->scope->execution->planner != NULL) place->scope->touched = true;
        return outputs_value(place, &view, arena);
    case LOOKUP_LOOP:
        break;
    }
    Value map = value_map(arena);
    Str *keys = NULL;
    uint32_t count = engine_find_keys(place->scope->execution->engine, place->task, place->values,
                                      place->value_count, arena, &keys);
    for (uint32_t i = 0; i < count; i++) {
        Place next = *place;
        next.values = arena_array(arena, Str, place->value_count + 1);
        if (place->value_count > 0) {
            memcpy(next.values, place->values, place->value_count * sizeof *next.values);
        }
        next.values[next.value_count++] = keys[i];
        Value item = whole_of_task(&next, arena);
        if (item.kind != VALUE_NULL) value_map_set(arena, map, keys[i], item);
    }
    return map;
}

static Value place_whole(void *self, const uint64_t at[2], Arena *arena) {
    (void)self;
    Place *place = place_of(at);
    if (place->known != NULL) {
        place->scope->touched = true;
        return *place->known;
    }
    if (place->task.len > 0) return whole_of_task(place, arena);
    Value map = value_map(arena);
    const Engine *engine = place->scope->execution->engine;
    TaskRunView view;
    for (uint32_t i = 0; engine_run_at(engine, i, &view); i++) {
        if (value_map_get(map, view.task) != NULL || view.task.len == 0) continue;
        Place next = *place;
        next.task = view.task;
        Value item = whole_of_task(&next, arena);
        if (item.kind != VALUE_NULL) value_map_set(arena, map, view.task, item);
    }
    return map;
}

// --- the small roots ----------------------------------------------------------------------------

static Value iso(int64_t milliseconds, Arena *arena) {
    Buffer text = {0};
    instant_print_ms(&text, milliseconds);
    Value value = value_text(buffer_to_str(&text, arena));
    buffer_release(&text);
    return value;
}

Value run_flow_root(const Execution *execution, Arena *arena) {
    const Plan *plan = &execution->artifact->plan;
    Value map = value_map(arena);
    value_map_set(arena, map, STR("id"), value_text(plan_text(plan, plan->flow.id)));
    value_map_set(arena, map, STR("namespace"),
                  value_text(plan_text(plan, plan->flow.flow_namespace)));
    if (execution->revision > 0) {
        value_map_set(arena, map, STR("revision"), value_int(execution->revision));
    }
    return map;
}

static Value execution_root(const Scope *scope) {
    const Execution *execution = scope->execution;
    Arena *arena = scope->arena;
    Value map = value_map(arena);
    value_map_set(arena, map, STR("id"), value_text(execution->id));
    value_map_set(arena, map, STR("startDate"), iso(execution->created_ms, arena));
    if (execution->engine == NULL) return map;
    value_map_set(arena, map, STR("state"),
                  value_text(str_from(state_name(engine_state(execution->engine)))));
    const Value *created = engine_created(execution->engine);
    Str original =
        created == NULL ? (Str){0} : value_map_get_text(*created, STR("original"), (Str){0});
    if (original.len > 0) value_map_set(arena, map, STR("originalId"), value_text(original));
    const Value *outputs = engine_outputs(execution->engine);
    if (outputs != NULL) value_map_set(arena, map, STR("outputs"), *outputs);
    return map;
}

static Value run_text(RunId id, Arena *arena) {
    char text[33];
    run_id_print(id, text);
    return value_text(str_dup(arena, str_from(text)));
}

static Value taskrun_root(const Scope *scope, const TaskRunView *view) {
    Arena *arena = scope->arena;
    Value map = value_map(arena);
    value_map_set(arena, map, STR("id"), run_text(view->id, arena));
    value_map_set(arena, map, STR("startDate"),
                  iso(view->started_ms != 0 ? view->started_ms : view->created_ms, arena));
    value_map_set(arena, map, STR("attemptsCount"), value_int(view->attempts));
    if (!run_id_is_zero(view->parent)) {
        value_map_set(arena, map, STR("parentId"), run_text(view->parent, arena));
    }
    if (view->has_value) value_map_set(arena, map, STR("value"), value_text(view->value));
    if (view->iteration >= 0) {
        value_map_set(arena, map, STR("iteration"), value_int(view->iteration));
    }
    // The tasks of a WorkingDirectory have its value.
    const Engine *engine = scope->execution->engine;
    TaskRunView folder;
    if (!view->has_value && engine_run(engine, view->parent, &folder) && folder.has_value &&
        (engine_plan(engine)->nodes[folder.node].flags & NODE_WORKDIR) != 0) {
        value_map_set(arena, map, STR("value"), value_text(folder.value));
    }
    // One batch of ForEachItem: its URI is the value of the frame.
    if (scope->node != NULL && scope->node->kind == NODE_ITEMS && !run_id_is_zero(scope->frame)) {
        FrameView frame;
        if (engine_frame(scope->execution->engine, scope->frame, &frame)) {
            value_map_set(arena, map, STR("items"), value_text(frame.value));
            value_map_set(arena, map, STR("iteration"), value_int(frame.index));
        }
    }
    return map;
}

// 1.3: of those that have a value or outputs.
static Value parent_map(const TaskRunView *view, Arena *arena) {
    Value map = value_map(arena);
    if (view->outputs != NULL) value_map_set(arena, map, STR("outputs"), *view->outputs);
    if (view->has_value) {
        Value run = value_map(arena);
        value_map_set(arena, run, STR("value"), value_text(view->value));
        value_map_set(arena, map, STR("taskrun"), run);
    }
    return map;
}

// 2.0: of all, by their names.
static Value named_parent(const TaskRunView *view, Arena *arena) {
    Value map = value_map(arena);
    Value task = value_map(arena);
    value_map_set(arena, task, STR("id"), value_text(view->task));
    value_map_set(arena, map, STR("task"), task);
    return map;
}

static LeafRef parents_root(const Scope *scope, bool only_first) {
    const Engine *engine = scope->execution->engine;
    const Plan *plan = engine_plan(engine);
    bool is_named = (plan->nodes[0].flags & NODE_NAMED_PARENTS) != 0;
    Value list = value_list(scope->arena);
    TaskRunView view;
    if (!engine_run(engine, scope->run, &view)) return (LeafRef){.kind = LEAF_REF_ABSENT};
    // The tasks of a WorkingDirectory have the parents that it has.
    TaskRunView folder;
    bool has_folder = engine_run(engine, view.parent, &folder) &&
                      (plan->nodes[folder.node].flags & NODE_WORKDIR) != 0;
    if (has_folder) view = folder;
    while (engine_run(engine, view.parent, &view)) {
        if (!is_named && !view.has_value && view.outputs == NULL) continue;
        Value map = is_named ? named_parent(&view, scope->arena) : parent_map(&view, scope->arena);
        if (only_first) return ref_value(map);
        value_list_add(scope->arena, list, map);
    }
    return only_first ? (LeafRef){.kind = LEAF_REF_ABSENT} : ref_value(list);
}

static Value frame_map(const Scope *scope, const FrameView *frame) {
    Value map = value_map(scope->arena);
    value_map_set(scope->arena, map, STR("value"), value_text(frame->value));
    value_map_set(scope->arena, map, STR("index"), value_int(frame->index));
    if (frame->key.len > 0) {
        value_map_set(scope->arena, map, STR("key"), value_text(frame->key));
    }
    return map;
}

// `item` of a LOOP: value, index, key, parent, parents.
static LeafRef item_root(const Scope *scope) {
    const Engine *engine = scope->execution->engine;
    Value parents = value_list(scope->arena);
    Value item = value_null();
    FrameView frame = {.parent = scope->frame};
    if (run_id_is_zero(scope->frame) && !engine_frame_of(engine, scope->run, &frame)) {
        return (LeafRef){.kind = LEAF_REF_ABSENT};
    }
    if (run_id_is_zero(scope->frame)) item = frame_map(scope, &frame);
    while (!run_id_is_zero(frame.parent) && engine_frame(engine, frame.parent, &frame)) {
        Value map = frame_map(scope, &frame);
        if (item.kind == VALUE_NULL) {
            item = map;
        } else {
            value_list_add(scope->arena, parents, map);
        }
    }
    if (item.kind == VALUE_NULL) return (LeafRef){.kind = LEAF_REF_ABSENT};
    if (parents.as.list->count > 0) {
        value_map_set(scope->arena, item, STR("parent"), parents.as.list->items[0]);
        value_map_set(scope->arena, item, STR("parents"), parents);
    }
    return ref_value(item);
}

static LeafRef vars_root(const Scope *scope) {
    const Execution *execution = scope->execution;
    const Value *set = execution->engine == NULL ? NULL : engine_variables(execution->engine);
    bool is_changed = set != NULL && set->kind == VALUE_MAP && set->as.map->count > 0;
    Value vars = execution->variables;
    if (is_changed) vars = run_merge(scope->arena, vars, *set);
    if (vars.kind != VALUE_MAP || vars.as.map->count == 0) {
        return (LeafRef){.kind = LEAF_REF_ABSENT};
    }
    return ref_value(vars);
}

static LeafRef labels_root(const Scope *scope) {
    const Value *labels =
        scope->execution->engine == NULL ? NULL : engine_labels(scope->execution->engine);
    if (labels == NULL || labels->kind != VALUE_MAP) return (LeafRef){.kind = LEAF_REF_ABSENT};
    return ref_value(run_nest(scope->arena, *labels, true));
}

static LeafRef kestra_root(const Scope *scope) {
    const RunConfig *config = &scope->execution->runtime->config;
    if (config->kestra_url.len == 0 && config->kestra_environment.len == 0) {
        return (LeafRef){.kind = LEAF_REF_ABSENT};
    }
    Value map = value_map(scope->arena);
    if (config->kestra_url.len > 0) {
        value_map_set(scope->arena, map, STR("url"), value_text(config->kestra_url));
    }
    if (config->kestra_environment.len > 0) {
        Value environment = value_map(scope->arena);
        value_map_set(scope->arena, environment, STR("name"),
                      value_text(config->kestra_environment));
        value_map_set(scope->arena, map, STR("environment"), environment);
    }
    return ref_value(map);
}

static LeafRef map_or_absent(const Value *map) {
    if (map == NULL || map->kind == VALUE_NULL) return (LeafRef){.kind = LEAF_REF_ABSENT};
    if (map->kind == VALUE_MAP && map->as.map->count == 0) {
        return (LeafRef){.kind = LEAF_REF_ABSENT};
    }
    return ref_value(*map);
}

// --- inputs -------------------------------------------------------------------------------------

// Between its processes Kestra writes values as JSON, and templates see what is read back:
// durations as seconds, instants with six digits of a second, times with seconds.
static Value as_seen(Value value, InputType type, InputType item, Arena *arena) {
    Buffer text = {0};
    int64_t nanoseconds = 0;
    Instant instant;
    if (type == INPUT_ARRAY && value.kind == VALUE_LIST) {
        Value list = value_list(arena);
        for (uint32_t i = 0; i < value.as.list->count; i++) {
            value_list_add(arena, list,
                           as_seen(value.as.list->items[i], item, INPUT_STRING, arena));
        }
        return list;
    }
    if (value.kind != VALUE_TEXT) return value;
    if (type == INPUT_DURATION &&
        duration_parse(value.as.text, false, &nanoseconds).code == ERR_NONE) {
        return value_float((double)nanoseconds / 1e9);
    }
    if (type == INPUT_TIME && value.as.text.len == 5) {
        return value_text(str_concat(arena, value.as.text, STR(":00")));
    }
    if (type != INPUT_DATETIME || instant_parse(value.as.text, &instant).code != ERR_NONE) {
        return value;
    }
    instant_print(&text, (Instant){.seconds = instant.seconds});
    Str whole = buffer_to_str(&text, arena);
    buffer_release(&text);
    return value_text(str_printf(arena, STR_FMT ".%06dZ",
                                 STR_ARG(str_slice(whole, 0, whole.len - 1)),
                                 (int)(instant.nanoseconds / 1000)));
}

static const Value *input_at(Value inputs, Str id) {
    const Value *at = &inputs;
    Str part = {0};
    while (at != NULL && str_split(&id, '.', &part)) at = value_map_get(*at, part);
    return at;
}

// The inputs of the execution, and the defaults of those it has not: an input whose condition is
// not met is not among the execution's, but templates see its default.
static Value seen_inputs(Execution *execution) {
    const Plan *plan = &execution->artifact->plan;
    Arena *arena = &execution->arena;
    Value inputs = *engine_inputs(execution->engine);
    Value flat = value_map(arena);
    for (uint32_t i = 0; i < plan->input_count; i++) {
        const PlanInput *input = &plan->inputs[i];
        InputType type = (InputType)input->type;
        InputType item = (InputType)input->item_type;
        Str id = plan_text(plan, input->id);
        const Value *given = input_at(inputs, id);
        Value value = given == NULL ? value_null() : *given;
        if (given == NULL && (input->defaults & PLAN_CONSTANT) != 0) {
            Scope scope = {.execution = execution, .arena = arena};
            Evaluated result = run_evaluate(execution, input->defaults, &scope);
            Err err = value_convert_input(result.value, type, item, arena, &value);
            if (!result.is_ok || err.code != ERR_NONE) continue;
        } else if (given == NULL) {
            continue;
        }
        value_map_set(arena, flat, id, as_seen(value, type, item, arena));
    }
    Value seen = value_copy(arena, inputs);
    return run_merge(arena, seen, run_nest(arena, flat, false));
}

static LeafRef inputs_root(Execution *execution) {
    if (execution->seen_inputs.kind == VALUE_NULL &&
        engine_inputs(execution->engine)->kind == VALUE_MAP) {
        execution->seen_inputs = seen_inputs(execution);
    }
    return map_or_absent(&execution->seen_inputs);
}

// The folder a task works in, and that for its output files: known before they are made.
static LeafRef folder_root(const Scope *scope, bool is_output) {
    bool is_task = scope->node != NULL && scope->node->kind == NODE_TASK;
    if (!is_task || run_id_is_zero(scope->run)) return (LeafRef){.kind = LEAF_REF_ABSENT};
    Str folder = run_work_folder(scope->execution, scope->run, scope->arena);
    if (is_output) folder = path_join(scope->arena, folder, STR(".outputs"));
    return ref_value(value_text(folder));
}

static LeafRef engine_root(Scope *scope, Str name) {
    const Engine *engine = scope->execution->engine;
    if (str_eq(name, STR("outputs")) || str_eq(name, STR("tasks"))) {
        Place place = {.scope = scope, .is_state = str_eq(name, STR("tasks"))};
        return ref_place(&place);
    }
    if (str_eq(name, STR("inputs"))) return inputs_root(scope->execution);
    if (str_eq(name, STR("trigger")) || str_eq(name, STR("schedule"))) {
        const Value *created = engine_created(engine);
        return map_or_absent(created == NULL ? NULL : value_map_get(*created, STR("trigger")));
    }
    if (str_eq(name, STR("item"))) return item_root(scope);
    if (run_id_is_zero(scope->run)) return (LeafRef){.kind = LEAF_REF_ABSENT};
    if (str_eq(name, STR("parent"))) return parents_root(scope, true);
    if (str_eq(name, STR("parents"))) return parents_root(scope, false);
    if (str_eq(name, STR("workingDir"))) return folder_root(scope, false);
    if (str_eq(name, STR("outputDir"))) return folder_root(scope, true);
    TaskRunView view;
    if (str_eq(name, STR("taskrun")) && engine_run(engine, scope->run, &view)) {
        return ref_value(taskrun_root(scope, &view));
    }
    return (LeafRef){.kind = LEAF_REF_ABSENT};
}

static LeafRef scope_root(void *self, Str name) {
    Scope *scope = self;
    const Execution *execution = scope->execution;
    const Value *own = scope->roots == NULL ? NULL : value_map_get(*scope->roots, name);
    if (own == NULL && execution->runtime->options.context != NULL) {
        own = value_map_get(*execution->runtime->options.context, name);
    }
    if (own != NULL) return ref_value(*own);
    if (str_eq(name, STR("flow"))) return ref_value(run_flow_root(execution, scope->arena));
    if (str_eq(name, STR("execution"))) return ref_value(execution_root(scope));
    if (str_eq(name, STR("vars"))) return vars_root(scope);
    if (str_eq(name, STR("labels"))) return labels_root(scope);
    if (str_eq(name, STR("envs"))) return ref_value(execution->envs);
    if (str_eq(name, STR("globals"))) return ref_value(execution->runtime->config.globals);
    if (str_eq(name, STR("kestra"))) return kestra_root(scope);
    if (str_eq(name, STR("task")) && scope->node != NULL) {
        const Plan *plan = &execution->artifact->plan;
        Value map = value_map(scope->arena);
        value_map_set(scope->arena, map, STR("id"), value_text(plan_text(plan, scope->node->id)));
        value_map_set(scope->arena, map, STR("type"),
                      value_text(plan_text(plan, scope->node->type)));
        return ref_value(map);
    }
    if (execution->engine != NULL) return engine_root(scope, name);
    return (LeafRef){.kind = LEAF_REF_ABSENT};
}

static void scope_names(void *self, Buffer *out) {
    static const char *const names[] = {"flow",   "execution", "inputs", "outputs", "tasks",
                                        "task",   "taskrun",   "parent", "parents", "vars",
                                        "labels", "trigger",   "envs",   "globals"};
    Scope *scope = self;
    bool is_first = true;
    for (size_t i = 0; i < COUNT(names); i++) {
        LeafRef ref = scope_root(scope, str_from(names[i]));
        if (ref.kind == LEAF_REF_ABSENT) continue;
        buffer_printf(out, "%s%s", is_first ? "" : ", ", names[i]);
        is_first = false;
    }
}

LeafContext run_context(Scope *scope) {
    return (LeafContext){scope_root, scope_names, scope};
}
