// result.c - an execution as data, in the shape of Kestra's Execution (cli.md).
#include <string.h>

#include "run/driver.h"
#include "value/time.h"

Str run_place(const Engine *engine, RunId run, Arena *arena) {
    Str place = {0};
    FrameView frame;
    bool is_inside = engine_frame_of(engine, run, &frame);
    while (is_inside) {
        // Not by printf, which ends at a NUL.
        Str inner = str_concat(arena, frame.value, str_concat(arena, STR("]"), place));
        place = str_concat(arena, STR("["), inner);
        is_inside = engine_frame(engine, frame.parent, &frame);
    }
    return place;
}

static Value text_or_null(Str text) {
    return text.len == 0 ? value_null() : value_text(text);
}

static Value iso(int64_t milliseconds, Arena *arena) {
    if (milliseconds == 0) return value_null();
    Buffer text = {0};
    instant_print_ms(&text, milliseconds);
    Value value = value_text(buffer_to_str(&text, arena));
    buffer_release(&text);
    return value;
}

static Value duration(int64_t from, int64_t to, Arena *arena) {
    Buffer text = {0};
    duration_print(&text, (to > from ? to - from : 0) * 1000000);
    Value value = value_text(buffer_to_str(&text, arena));
    buffer_release(&text);
    return value;
}

static Value id_text(RunId id, Arena *arena) {
    char text[33];
    if (run_id_is_zero(id)) return value_null();
    run_id_print(id, text);
    return value_text(str_dup(arena, str_from(text)));
}

static Value or_empty(const Value *value, Arena *arena) {
    return value == NULL || value->kind == VALUE_NULL ? value_map(arena) : *value;
}

static Value state_value(const StateChange *changes, uint32_t count, State current, int64_t now,
                         Arena *arena) {
    Value state = value_map(arena);
    Value histories = value_list(arena);
    int64_t start = count > 0 ? changes[0].time_ms : 0;
    int64_t end = 0;
    for (uint32_t i = 0; i < count; i++) {
        Value change = value_map(arena);
        value_map_set(arena, change, STR("state"),
                      value_text(str_from(state_name(changes[i].state))));
        value_map_set(arena, change, STR("date"), iso(changes[i].time_ms, arena));
        value_list_add(arena, histories, change);
        end = state_is_terminal(changes[i].state) ? changes[i].time_ms : 0;
    }
    value_map_set(arena, state, STR("current"), value_text(str_from(state_name(current))));
    value_map_set(arena, state, STR("startDate"), iso(start, arena));
    value_map_set(arena, state, STR("endDate"), iso(end, arena));
    value_map_set(arena, state, STR("duration"), duration(start, end != 0 ? end : now, arena));
    value_map_set(arena, state, STR("histories"), histories);
    return state;
}

static Value attempt_value(Value state, Str message, Arena *arena) {
    Value item = value_map(arena);
    value_map_set(arena, item, STR("state"), state);
    value_map_set(arena, item, STR("message"), text_or_null(message));
    return item;
}

// What the engine does itself (flowables, Sleep, a task that is skipped) has one attempt with the
// state of the run, as in Kestra; a task that failed before it began has none. A Pause that a
// restart opened again has none either: so says the language's own case of it.
static bool has_own_attempt(const Execution *execution, const TaskRunView *view,
                            const PlanNode *node) {
    if (view->attempts > 0 || view->state == STATE_CREATED) return false;
    if (node->kind == NODE_TASK) return view->state != STATE_FAILED && view->state != STATE_PAUSED;
    if (node->kind != NODE_PAUSE) return true;
    const StateChange *changes = NULL;
    uint32_t count = engine_history(execution->engine, view->id, &changes);
    for (uint32_t i = 0; i + 1 < count; i++) {
        if (state_is_terminal(changes[i].state)) return false;
    }
    return true;
}

// A Sleep, or a task that is skipped, has one for each time it was started.
static void add_own_attempts(const Execution *execution, const TaskRunView *view, Value attempts,
                             Arena *arena) {
    const PlanNode *node = &engine_plan(execution->engine)->nodes[view->node];
    if (!has_own_attempt(execution, view, node)) return;
    const StateChange *changes = NULL;
    uint32_t count = engine_history(execution->engine, view->id, &changes);
    uint32_t first = count > 0 && changes[0].state == STATE_CREATED ? 1 : 0;
    bool is_work = node->kind == NODE_TIMER || node->kind == NODE_TASK;
    for (uint32_t i = first; is_work && i < count; i++) {
        if (changes[i].state != STATE_RESTARTED || i == first) continue;
        Value state = state_value(changes + first, i - first, changes[i - 1].state,
                                  runtime_now(execution->runtime), arena);
        value_list_add(arena, attempts, attempt_value(state, (Str){0}, arena));
        first = i + 1;
    }
    // The attempt of what waits is under way.
    State shown = view->state == STATE_PAUSED ? STATE_RUNNING : view->state;
    if (first >= count) first = count - 1;
    Value state =
        state_value(changes + first, count - first, shown, runtime_now(execution->runtime), arena);
    value_list_add(arena, attempts, attempt_value(state, view->message, arena));
}

// Attempts as the engine tells them. That of a subflow ends as its task run does.
static Value attempts_value(const Execution *execution, const TaskRunView *view, Arena *arena) {
    Value attempts = value_list(arena);
    AttemptView attempt;
    int64_t now = runtime_now(execution->runtime);
    const PlanNode *node = &engine_plan(execution->engine)->nodes[view->node];
    add_own_attempts(execution, view, attempts, arena);
    bool is_subflow = node->kind == NODE_SUBFLOW && state_is_terminal(view->state);
    for (uint32_t i = 0; engine_attempt_at(execution->engine, view->id, i, &attempt); i++) {
        bool is_last = i + 1 == (uint32_t)view->attempts;
        if (is_subflow && is_last) attempt.state = view->state;
        StateChange changes[2] = {
            {STATE_RUNNING, attempt.started_ms},
            {attempt.state, attempt.ended_ms  }
        };
        uint32_t count = attempt.state == STATE_RUNNING ? 1 : 2;
        Value state = state_value(changes, count, changes[count - 1].state, now, arena);
        value_list_add(arena, attempts, attempt_value(state, attempt.message, arena));
    }
    return attempts;
}

static Value metrics_value(const TaskRunView *view, Arena *arena) {
    Value list = value_list(arena);
    if (view->metrics.len == 0) return list;
    Err err = json_parse(view->metrics, (JsonLimits){.bytes = (size_t)256 << 20}, arena, &list);
    return err.code == ERR_NONE ? list : value_list(arena);
}

static Value run_value(const Execution *execution, const TaskRunView *view, Arena *arena) {
    const StateChange *changes = NULL;
    uint32_t count = engine_history(execution->engine, view->id, &changes);
    Value run = value_map(arena);
    value_map_set(arena, run, STR("id"), id_text(view->id, arena));
    value_map_set(arena, run, STR("taskId"), value_text(view->task));
    value_map_set(arena, run, STR("parentTaskRunId"), id_text(view->parent, arena));
    value_map_set(arena, run, STR("value"),
                  view->has_value ? value_text(view->value) : value_null());
    value_map_set(arena, run, STR("iteration"),
                  view->iteration >= 0 ? value_int(view->iteration) : value_null());
    value_map_set(arena, run, STR("state"),
                  state_value(changes, count, view->state, runtime_now(execution->runtime), arena));
    value_map_set(arena, run, STR("attempts"), attempts_value(execution, view, arena));
    value_map_set(arena, run, STR("outputs"), or_empty(view->outputs, arena));
    value_map_set(arena, run, STR("metrics"), metrics_value(view, arena));
    value_map_set(arena, run, STR("unknown"), value_bool(view->is_unknown));
    return run;
}

static Value runs_value(const Execution *execution, Arena *arena) {
    Value list = value_list(arena);
    TaskRunView view;
    for (uint32_t i = 0; engine_run_at(execution->engine, i, &view); i++) {
        if (view.task.len == 0) continue;  // the root
        value_list_add(arena, list, run_value(execution, &view, arena));
    }
    return list;
}

static Value reason_value(const Execution *execution, Arena *arena) {
    EngineReason reason;
    if (!engine_reason(execution->engine, &reason)) return value_null();
    Value map = value_map(arena);
    value_map_set(arena, map, STR("taskId"), text_or_null(reason.task));
    value_map_set(arena, map, STR("taskRunId"), id_text(reason.run, arena));
    value_map_set(arena, map, STR("message"), text_or_null(reason.message));
    return map;
}

typedef struct Effects {
    const Execution *execution;
    Arena *arena;
    Value list;
} Effects;

static void add_effects(Effects *effects, Str task, const ValueList *list) {
    for (uint32_t i = 0; i < list->count; i++) {
        Value effect = list->items[i];
        Value step = value_map(effects->arena);
        value_map_set(effects->arena, step, STR("taskId"), value_text(task));
        for (uint32_t m = 0; effect.kind == VALUE_MAP && m < effect.as.map->count; m++) {
            const ValueMember *member = &effect.as.map->members[m];
            value_map_set(effects->arena, step, member->key, member->value);
        }
        value_list_add(effects->arena, effects->list, step);
    }
}

static Err take_effects(void *self, const StoreEvent *row) {
    Effects *effects = self;
    Event event;
    TaskRunView view;
    if (row->kind != EVENT_ENDED && row->kind != EVENT_DONE) return err_none();
    TRY(event_read((EventKind)row->kind, row->body, effects->arena, &event));
    const Value *list = value_map_get(event.more, STR("effects"));
    bool has_some = list != NULL && list->kind == VALUE_LIST &&
                    engine_run(effects->execution->engine, event.run, &view);
    if (has_some) add_effects(effects, view.task, list->as.list);
    return err_none();
}

// As the steps of a plan, in the order in which the attempts ended: the events tell.
static Value effects_value(const Execution *execution, Arena *arena) {
    Effects effects = {execution, arena, value_list(arena)};
    Err err = store_events(execution->runtime->store, execution->id, 0, take_effects, &effects);
    return err.code == ERR_NONE ? effects.list : value_null();
}

static Value created_member(const Execution *execution, Str name) {
    const Value *created = engine_created(execution->engine);
    const Value *member = created == NULL ? NULL : value_map_get(*created, name);
    return member == NULL ? value_null() : *member;
}

Value execution_result(const Execution *execution, unsigned flags, Arena *arena) {
    const Plan *plan = &execution->artifact->plan;
    const Engine *engine = execution->engine;
    const StateChange *changes = NULL;
    RunId none = {0};
    uint32_t count = engine_history(engine, none, &changes);
    Value map = value_map(arena);
    value_map_set(arena, map, STR("id"), value_text(execution->id));
    value_map_set(arena, map, STR("namespace"),
                  value_text(plan_text(plan, plan->flow.flow_namespace)));
    value_map_set(arena, map, STR("flowId"), value_text(plan_text(plan, plan->flow.id)));
    value_map_set(arena, map, STR("flowRevision"), value_int(execution->revision));
    value_map_set(arena, map, STR("kind"), created_member(execution, STR("kind")));
    value_map_set(arena, map, STR("parentId"), created_member(execution, STR("parent")));
    value_map_set(arena, map, STR("originalId"), created_member(execution, STR("original")));
    value_map_set(arena, map, STR("trigger"), created_member(execution, STR("trigger")));
    value_map_set(arena, map, STR("inputs"), or_empty(engine_inputs(engine), arena));
    value_map_set(arena, map, STR("outputs"), or_empty(engine_outputs(engine), arena));
    value_map_set(arena, map, STR("labels"), or_empty(engine_labels(engine), arena));
    value_map_set(arena, map, STR("variables"), or_empty(engine_variables(engine), arena));
    value_map_set(
        arena, map, STR("state"),
        state_value(changes, count, engine_state(engine), runtime_now(execution->runtime), arena));
    value_map_set(arena, map, STR("reason"), reason_value(execution, arena));
    Value children = value_list(arena);
    ChildView child;
    for (uint32_t i = 0; engine_child_at(engine, i, &child); i++) {
        value_list_add(arena, children, value_text(child.id));
    }
    value_map_set(arena, map, STR("children"), children);
    if ((flags & RESULT_WITHOUT_RUNS) == 0) {
        value_map_set(arena, map, STR("taskRunList"), runs_value(execution, arena));
    }
    if ((flags & RESULT_WITH_EFFECTS) != 0) {
        value_map_set(arena, map, STR("effects"), effects_value(execution, arena));
    }
    return map;
}

static Str json_text(Value value, Arena *arena) {
    if (value.kind == VALUE_NULL) return (Str){0};
    Buffer text = {0};
    json_write(&text, value, JSON_COMPACT, 0);
    Str str = buffer_to_str(&text, arena);
    buffer_release(&text);
    return str;
}

void run_fill_row(const Execution *execution, Arena *arena, StoreExecution *row) {
    const Plan *plan = &execution->artifact->plan;
    const StateChange *changes = NULL;
    RunId none = {0};
    uint32_t count = engine_history(execution->engine, none, &changes);
    *row = (StoreExecution){
        .id = execution->id,
        .flow_namespace = plan_text(plan, plan->flow.flow_namespace),
        .flow_id = plan_text(plan, plan->flow.id),
        .flow_revision = execution->revision,
        .artifact = execution->artifact->digest,
        .state = str_from(state_name(engine_state(execution->engine))),
        .created_ms = execution->created_ms,
        .labels = json_text(or_empty(engine_labels(execution->engine), arena), arena),
        .reason = json_text(reason_value(execution, arena), arena),
        .trigger = json_text(created_member(execution, STR("trigger")), arena),
    };
    Value parent = created_member(execution, STR("parent"));
    Value original = created_member(execution, STR("original"));
    if (parent.kind == VALUE_TEXT) row->parent = parent.as.text;
    if (original.kind == VALUE_TEXT) row->original = original.as.text;
    for (uint32_t i = 0; i < count; i++) {
        if (changes[i].state == STATE_RUNNING && row->started_ms == 0) {
            row->started_ms = changes[i].time_ms;
        }
        row->ended_ms = state_is_terminal(changes[i].state) ? changes[i].time_ms : 0;
    }
}

static Value json_value(Str text, Arena *arena) {
    Value value = value_null();
    if (text.len == 0) return value;
    Err err = json_parse(text, (JsonLimits){0}, arena, &value);
    return err.code == ERR_NONE ? value : value_null();
}

Value execution_row_result(const StoreExecution *row, Arena *arena) {
    Value map = value_map(arena);
    Value state = value_map(arena);
    value_map_set(arena, map, STR("id"), value_text(row->id));
    value_map_set(arena, map, STR("namespace"), value_text(row->flow_namespace));
    value_map_set(arena, map, STR("flowId"), value_text(row->flow_id));
    value_map_set(arena, map, STR("flowRevision"), value_int(row->flow_revision));
    value_map_set(arena, map, STR("parentId"), text_or_null(row->parent));
    value_map_set(arena, map, STR("originalId"), text_or_null(row->original));
    value_map_set(arena, map, STR("trigger"), json_value(row->trigger, arena));
    value_map_set(arena, map, STR("labels"), json_value(row->labels, arena));
    value_map_set(arena, state, STR("current"), value_text(row->state));
    value_map_set(arena, state, STR("startDate"), iso(row->created_ms, arena));
    value_map_set(arena, state, STR("endDate"), iso(row->ended_ms, arena));
    int64_t now = clock_system()->wall_ms(clock_system()->self);
    value_map_set(arena, state, STR("duration"),
                  duration(row->created_ms, row->ended_ms != 0 ? row->ended_ms : now, arena));
    value_map_set(arena, map, STR("state"), state);
    value_map_set(arena, map, STR("reason"), json_value(row->reason, arena));
    return map;
}
