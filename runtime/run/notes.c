// notes.c - what the log says of tasks that the engine does by itself, as attempts say it of
// theirs: a Sleep how long it waits, a Subflow what it started and how that ended, a LoopUntil that
// its maximum is reached, any of them why it failed; that an agreement was violated. `log.Fetch`
// and `errorLogs()` find these lines.
//
// They are written when the decision is taken, before it is stored: a crash in between may leave a
// line that is said again.
#include "run/driver.h"
#include "value/time.h"

static void note_sleep(Execution *execution, const TaskRunView *view, const Event *event) {
    enum { NANOSECONDS = 1000000 };
    Buffer text = {0};
    buffer_add(&text, STR("Waiting for "));
    duration_print(&text, (event->at_ms - event->time_ms) * NANOSECONDS);
    run_log(execution, view, LOG_INFO, buffer_str(&text));
    buffer_release(&text);
}

static void note_child(Execution *execution, const TaskRunView *view, const Event *event) {
    Arena *arena = turn_arena(execution);
    run_log(execution, view, LOG_INFO,
            str_printf(arena, "created new execution '" STR_FMT "'", STR_ARG(event->id)));
}

static void note_end(Execution *execution, const TaskRunView *view, const Event *event) {
    uint8_t kind = execution->artifact->plan.nodes[view->node].kind;
    if (kind == NODE_TASK && view->attempts > 0) return;  // its attempt has said it
    bool is_subflow = kind == NODE_SUBFLOW;
    if (event->text.len > 0) {
        bool is_failure = event->is_error || event->state != STATE_RUNNING;
        run_log(execution, view, is_failure ? LOG_ERROR : LOG_WARN, event->text);
    } else if (is_subflow && (event->state == STATE_FAILED || event->state == STATE_WARNING)) {
        const Value *id =
            view->outputs == NULL ? NULL : value_map_get(*view->outputs, STR("executionId"));
        if (id == NULL || id->kind != VALUE_TEXT) return;
        run_log(execution, view, event->state == STATE_FAILED ? LOG_ERROR : LOG_WARN,
                str_printf(turn_arena(execution),
                           "execution '" STR_FMT "' of the subflow ended in state %s",
                           STR_ARG(id->as.text), state_name(event->state)));
    }
}

void notes_take(Execution *execution, const Events *decisions) {
    if (execution->planner != NULL) return;
    const Plan *plan = &execution->artifact->plan;
    for (uint32_t i = 0; i < decisions->count; i++) {
        const Event *event = &decisions->items[i];
        if (event->kind == EVENT_SLA) {
            execution_log(execution, LOG_WARN, event->text);
            continue;
        }
        bool may_say = event->kind == EVENT_TIMER_SET || event->kind == EVENT_CHILD ||
                       event->kind == EVENT_TASKSTATE;
        TaskRunView view;
        if (!may_say || run_id_is_zero(event->run)) continue;
        if (!engine_run(execution->engine, event->run, &view)) continue;
        NodeKind kind = (NodeKind)plan->nodes[view.node].kind;
        if (event->kind == EVENT_CHILD) {
            note_child(execution, &view, event);
        } else if (event->kind == EVENT_TASKSTATE) {
            note_end(execution, &view, event);
        } else if (kind == NODE_TIMER) {
            note_sleep(execution, &view, event);
        }
    }
}
