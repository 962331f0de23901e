// act.c - what the engine asks for: some of it at once inside the turn, the rest behind its commit.
#include "run/driver.h"

static Scope scope_of(Execution *execution, const Action *action) {
    return (Scope){.execution = execution,
                   .arena = turn_arena(execution),
                   .node = &execution->artifact->plan.nodes[action->node],
                   .run = action->run,
                   .frame = action->frame};
}

// A LOOP over a file of the internal storage goes over its lines.
static Value lines_of_file(Execution *execution, const Action *action, Value value) {
    const PlanNode *node = &execution->artifact->plan.nodes[action->node];
    Arena *arena = turn_arena(execution);
    Str text = {0};
    Str line = {0};
    if (node->kind != NODE_LOOP || action->slot != SLOT_A || value.kind != VALUE_TEXT) return value;
    if (!str_starts_with(value.as.text, STR("kestra:///"))) return value;
    if (!files_find(execution, value.as.text, arena, &text)) return value;
    Value list = value_list(arena);
    while (str_split(&text, '\n', &line)) {
        if (line.len > 0) value_list_add(arena, list, value_text(line));
    }
    return list;
}

// The outputs of a WorkingDirectory are no leaf.
static Evaluated take_folder(Execution *execution, const Action *action) {
    Evaluated result = {.is_ok = true};
    Err err = folder_outputs(execution, action->run, turn_arena(execution), &result.value);
    if (err.code == ERR_NONE) return result;
    Str text = str_printf(turn_arena(execution), "outputFiles: %s", err.text);
    return (Evaluated){.message = text};
}

static void act_evaluate(Execution *execution, const Action *action) {
    Scope scope = scope_of(execution, action);
    bool is_folder = action->slot == SLOT_OUTPUTS && (scope.node->flags & NODE_WORKDIR) != 0 &&
                     !run_id_is_zero(action->run);
    if (run_id_is_zero(action->run)) scope.node = NULL;
    Evaluated result =
        is_folder ? take_folder(execution, action) : run_evaluate(execution, action->leaf, &scope);
    if (execution->planner != NULL) planner_evaluated(execution, action, &result);
    if (result.is_ok) result.value = lines_of_file(execution, action, result.value);
    Event *event = turn_report(execution, EVENT_RESOLVED, action->run);
    event->frame = action->frame;
    event->slot = action->slot;
    event->index = action->index;
    event->attempt = action->attempt;
    event->is_error = !result.is_ok;
    if (result.is_ok) {
        event->value = result.value;
    } else {
        event->text = run_mask_text(execution, result.message, turn_arena(execution));
    }
}

static void act_outputs(Execution *execution) {
    Scope scope = {.execution = execution, .arena = turn_arena(execution)};
    Value outputs = value_null();
    Err err = outputs_resolve(execution, &scope, &outputs);
    RunId none = {0};
    Event *event = turn_report(execution, EVENT_OUTPUTS, none);
    event->is_error = err.code != ERR_NONE;
    if (event->is_error) {
        Str text = run_mask_text(execution, str_from(err.text), turn_arena(execution));
        event->text = text;
        execution_log(execution, LOG_ERROR, text);
    } else {
        event->value = run_mask_value(execution, outputs, turn_arena(execution));
    }
}

static void act_start(Execution *execution, const Action *action) {
    const PlanNode *node = &execution->artifact->plan.nodes[action->node];
    if (node->kind == NODE_ITEMS) {
        turn_after(execution, action, NULL);
        return;
    }
    attempt_prepare(execution, action);
}

void act_now(Execution *execution, const Action *action) {
    switch (action->kind) {
    case ACTION_EVAL:
        act_evaluate(execution, action);
        return;
    case ACTION_START:
        act_start(execution, action);
        return;
    case ACTION_RECOVER:
        attempt_recover(execution, action);
        return;
    case ACTION_FLOW_OUTPUTS:
        act_outputs(execution);
        return;
    case ACTION_FINISH:
        execution->is_finished = true;
        return;
    case ACTION_CANCEL:
    case ACTION_TIMER:
    case ACTION_SPAWN_CHILD:
    case ACTION_SIGNAL_CHILD:
    case ACTION_SPAWN_RETRY:
        turn_after(execution, action, NULL);
        return;
    }
}

static void add_timer(Execution *execution, const Action *action) {
    Timer *timer = LIST_ADD(&execution->arena, &execution->timers, Timer);
    int64_t at = execution->planner != NULL ? 0 : action->at_ms;  // a plan does not wait
    *timer = (Timer){at, str_dup(&execution->arena, action->id)};
}

void act_after(Execution *execution, After *after) {
    const Action *action = &after->action;
    switch (action->kind) {
    case ACTION_START:
    case ACTION_RECOVER:
        if (after->attempt != NULL) {
            attempt_launch(after->attempt);
        } else if (action->slot == PART_SPLIT) {
            items_split(execution, action);
        } else {
            items_merge(execution, action);
        }
        return;
    case ACTION_CANCEL:
        attempt_cancel(execution, action);
        return;
    case ACTION_TIMER:
        add_timer(execution, action);
        return;
    case ACTION_SPAWN_CHILD:
        child_spawn(execution, action);
        return;
    case ACTION_SIGNAL_CHILD:
        child_signal(execution, action);
        return;
    case ACTION_SPAWN_RETRY:
        child_retry(execution, action);
        return;
    case ACTION_EVAL:
    case ACTION_FLOW_OUTPUTS:
    case ACTION_FINISH:
        return;  // done inside the turn
    }
}

// --- timers -------------------------------------------------------------------------------------

void timers_fire(Execution *execution, int64_t now) {
    bool fired = false;
    uint32_t kept = 0;
    RunId none = {0};
    for (uint32_t i = 0; i < execution->timers.count; i++) {
        Timer timer = execution->timers.items[i];
        if (timer.at_ms > now) {
            execution->timers.items[kept++] = timer;
            continue;
        }
        Event *event = turn_report(execution, EVENT_FIRED, none);
        event->id = timer.key;  // lives as long as the execution
        fired = true;
    }
    execution->timers.count = kept;
    if (fired) turn_schedule(execution);
}

bool timers_next(const Execution *execution, int64_t *at_ms) {
    bool has_one = false;
    for (uint32_t i = 0; i < execution->timers.count; i++) {
        int64_t at = execution->timers.items[i].at_ms;
        if (!has_one || at < *at_ms) *at_ms = at;
        has_one = true;
    }
    return has_one;
}
