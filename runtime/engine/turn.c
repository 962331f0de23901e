// turn.c - engine_next: runs that were touched are looked at until nothing follows any more.
//
// A step looks at one run and its own level only. What it decides is an event that is applied at
// once; what it asks for is an action, and a mark beside the folded state that it was asked. A step
// that finds nothing to do leaves nothing behind, so a run may be touched once too often.
#include <string.h>

#include "engine/inner.h"
#include "value/convert.h"
#include "value/time.h"

void turn_decide(Engine *engine, Event event) {
    event.time_ms = engine->turn.now_ms;
    *LIST_ADD(engine->turn.arena, engine->turn.decisions, Event) = event;
    engine_apply(engine, &event);
}

Action *turn_act(Engine *engine, ActionKind kind, uint32_t number) {
    const Run *run = run_of(engine, number);
    Action *action = LIST_ADD(engine->turn.arena, engine->turn.actions, Action);
    *action = (Action){.kind = kind, .run = run->id, .node = run->node, .index = -1};
    return action;
}

const Ending *engine_ending(const Engine *engine) {
    static const Ending after = {
        .is_active = true, .cancels = true, .state = STATE_KILLED, .run = NO_RUN};
    if (state_is_terminal(engine->state)) return engine->after_is_killed ? &after : NULL;
    return engine->ending.is_active ? &engine->ending : NULL;
}

// --- evaluations --------------------------------------------------------------------------------

static bool read_constant(Engine *engine, PlanLeaf leaf, Value *out) {
    Str text = plan_text(engine->plan, leaf & ~PLAN_CONSTANT);
    return json_parse(text, (JsonLimits){0}, engine->turn.arena, out).code == ERR_NONE;
}

void turn_ask(Engine *engine, uint32_t number, EngineSlot slot, PlanLeaf leaf) {
    Run *run = run_of(engine, number);
    if ((run->asked & 1u << slot) != 0) return;
    run->asked |= 1u << slot;
    Action *action = turn_act(engine, ACTION_EVAL, number);
    action->slot = slot;
    action->leaf = leaf;
    action->attempt = (int32_t)run->attempts.count + 1;
    action->index = slot_turn(engine, run, slot);
}

Need turn_need(Engine *engine, uint32_t number, EngineSlot slot, PlanLeaf leaf, Value *out) {
    Run *run = run_of(engine, number);
    *out = value_null();
    if (leaf == 0) return NEED_READY;
    if ((leaf & PLAN_CONSTANT) != 0) {
        if (read_constant(engine, leaf, out)) return NEED_READY;
        run_fail(engine, number, STR("a constant of the plan cannot be read"));
        return NEED_FAILED;
    }
    const Slot *found = slot_find(run, slot);
    if (found != NULL && found->index == slot_turn(engine, run, slot)) {
        *out = *slot_value(engine, found);
        if (!found->is_error) return NEED_READY;
        if (slot == SLOT_RUN_IF) {  // it never began: `allowFailure` does not hold for it
            run_set_state(engine, number, STATE_FAILED, found->text);
        } else {
            run_fail(engine, number, found->text);
        }
        return NEED_FAILED;
    }
    turn_ask(engine, number, slot, leaf);
    return NEED_WAIT;
}

bool turn_is_true(Engine *engine, Value value) {
    if (value.kind == VALUE_BOOL) return value.as.boolean;
    return condition_is_true(value_to_text(engine->turn.arena, value));
}

bool turn_duration(Value value, int64_t *out) {
    if (value.kind == VALUE_NULL) return true;
    if (value.kind == VALUE_INT) {
        *out = value.as.integer;
        return *out >= 0;
    }
    int64_t nanoseconds = 0;
    if (value.kind != VALUE_TEXT) return false;
    if (duration_parse(str_trim(value.as.text), true, &nanoseconds).code != ERR_NONE) return false;
    *out = nanoseconds / 1000000 + (nanoseconds % 1000000 > 0);
    return nanoseconds >= 0;
}

const Value *turn_member(Value map, Str key) {
    const Value *value = value_map_get(map, key);
    return value == NULL || value->kind == VALUE_NULL ? NULL : value;
}

// --- decisions about one run --------------------------------------------------------------------

void run_set_state(Engine *engine, uint32_t number, State state, Str text) {
    turn_decide(engine, (Event){.kind = EVENT_TASKSTATE,
                                .run = run_of(engine, number)->id,
                                .state = state,
                                .text = text});
}

void run_set_state_with(Engine *engine, uint32_t number, State state, Value outputs) {
    turn_decide(engine, (Event){.kind = EVENT_TASKSTATE,
                                .run = run_of(engine, number)->id,
                                .state = state,
                                .value = outputs});
}

State run_with_flags(const PlanNode *node, State state) {
    if (state == STATE_FAILED && (node->flags & NODE_ALLOW_FAILURE) != 0) state = STATE_WARNING;
    if (state == STATE_WARNING && (node->flags & NODE_ALLOW_WARNING) != 0) state = STATE_SUCCESS;
    return state;
}

void run_fail(Engine *engine, uint32_t number, Str text) {
    run_set_state(engine, number,
                  run_with_flags(node_of(engine, run_of(engine, number)), STATE_FAILED), text);
}

// Set before the state that waits for it: where only one of the two was stored, it is the timer.
void run_set_timer(Engine *engine, uint32_t number, int64_t at_ms) {
    if (run_of(engine, number)->timer_is_set) return;
    Run next = *run_of(engine, number);
    next.timer_count++;
    turn_decide(engine, (Event){.kind = EVENT_TIMER_SET,
                                .run = next.id,
                                .id = run_timer_key(&next, engine->turn.arena),
                                .at_ms = at_ms});
}

static void ask_timer(Engine *engine, uint32_t number) {
    Run *run = run_of(engine, number);
    if (!run->timer_is_set || run->timer_is_asked) return;
    run->timer_is_asked = true;
    Action *action = turn_act(engine, ACTION_TIMER, number);
    action->at_ms = run->timer_at;
    action->id = run_timer_key(run, engine->turn.arena);
}

// --- steps --------------------------------------------------------------------------------------

static void begin(Engine *engine, uint32_t number) {
    const Run *run = run_of(engine, number);
    const PlanNode *node = node_of(engine, run);
    Value condition;
    if (run->part == PART_WHOLE && node->leaf_run_if != 0) {
        if (turn_need(engine, number, SLOT_RUN_IF, node->leaf_run_if, &condition) != NEED_READY)
            return;
        if (!turn_is_true(engine, condition)) {
            run_set_state(engine, number, STATE_SKIPPED, (Str){0});
            return;
        }
    }
    switch ((NodeKind)node->kind) {
    case NODE_SEQUENCE:
    case NODE_PARALLEL:
    case NODE_DAG:
    case NODE_IF:
    case NODE_SWITCH:
        level_begin(engine, number);
        break;
    case NODE_FOREACH:
    case NODE_LOOP:
        each_begin(engine, number);
        break;
    case NODE_LOOP_UNTIL:
        until_begin(engine, number);
        break;
    case NODE_ITEMS:
        items_begin(engine, number);
        break;
    case NODE_SUBFLOW:
        subflow_begin(engine, number);
        break;
    case NODE_PAUSE:
        pause_begin(engine, number);
        break;
    case NODE_UPDATE:
        update_begin(engine, number);
        break;
    case NODE_TIMER:
        sleep_begin(engine, number);
        break;
    case NODE_TASK:
        task_begin(engine, number);
        break;
    case NODE_KIND_COUNT:
        break;
    }
}

static void go_on(Engine *engine, uint32_t number) {
    const Run *run = run_of(engine, number);
    switch ((NodeKind)node_of(engine, run)->kind) {
    case NODE_SEQUENCE:
    case NODE_PARALLEL:
    case NODE_DAG:
    case NODE_IF:
    case NODE_SWITCH:
    case NODE_FOREACH:
    case NODE_LOOP:
    case NODE_LOOP_UNTIL:
        level_step(engine, number);
        break;
    case NODE_ITEMS:
        if (run->part == PART_WHOLE) {
            level_step(engine, number);
        } else if (run->part == PART_ITEMS) {
            batches_step(engine, number);
        } else {
            task_step(engine, number);
        }
        break;
    case NODE_SUBFLOW:
        subflow_step(engine, number);
        break;
    case NODE_PAUSE:
        pause_step(engine, number);
        break;
    case NODE_TIMER:
        sleep_step(engine, number);
        break;
    case NODE_TASK:
        task_step(engine, number);
        break;
    case NODE_UPDATE:
    case NODE_KIND_COUNT:
        break;
    }
}

static bool is_or_holds(const Engine *engine, uint32_t number, uint32_t inner) {
    if (inner == NO_RUN) return false;
    while (inner != ROOT && inner != number) inner = run_of(engine, inner)->parent;
    return inner == number;
}

// True while something of the run has to end before it can.
static bool winds_down(Engine *engine, uint32_t number, const Ending *ending) {
    Run *run = run_of(engine, number);
    const Attempt *last = run_last_attempt(run);
    bool is_under_way = last != NULL && last->state == STATE_NONE;
    if (run->child != NULL && is_under_way) {
        if (ending->keeps_children) return false;
        child_wind_down(engine, run->child, ending->cancels);
        return true;
    }
    if (is_under_way || run->start_is_asked) {
        if (!run->cancel_is_asked && (ending->cancels || !is_under_way)) {
            run->cancel_is_asked = true;
            Action *action = turn_act(engine, ACTION_CANCEL, number);
            action->attempt = (int32_t)run->attempts.count + (is_under_way ? 0 : 1);
            action->value = value_map(engine->turn.arena);
            Str reason = ending->text.len > 0 ? ending->text : STR("the execution is ended");
            value_map_set(engine->turn.arena, action->value, STR("reason"), value_text(reason));
            value_map_set(engine->turn.arena, action->value, STR("properties"), run->properties);
            value_map_set(engine->turn.arena, action->value, STR("checkpoint"), run->checkpoint);
        }
        return is_under_way;
    }
    if (run->level == NULL) return false;
    if (run->part == PART_ITEMS && run->level->children > 0 && !ending->keeps_children) {
        // Once over all of them; from then on the counter tells.
        for (uint32_t i = 0; !run->cancel_is_asked && i < run->level->frames.count; i++) {
            if (!frame_is_here(engine, run->level->frames.items[i])) continue;
            Child *child = frame_of(engine, run->level->frames.items[i])->child;
            if (child == NULL || child->state != STATE_NONE) continue;
            child_wind_down(engine, child, ending->cancels);
        }
        run->cancel_is_asked = true;
        return true;
    }
    return run->level->live > 0;
}

static void end_early(Engine *engine, uint32_t number, const Ending *ending) {
    if (winds_down(engine, number, ending)) return;
    Run *run = run_of(engine, number);
    const Attempt *last = run_last_attempt(run);
    // What came of an attempt counts, also of one that ended while it was to be stopped; a child
    // that was killed is none of it.
    bool was_stopped = run->child != NULL && run->child->state == STATE_KILLED && ending->cancels;
    if (last != NULL && last->state != STATE_NONE && !last->is_decided && !was_stopped) {
        go_on(engine, number);
        return;
    }
    bool takes = is_or_holds(engine, number, ending->run);
    run_set_state(engine, number, takes ? ending->state : STATE_KILLED, (Str){0});
}

static void step(Engine *engine, uint32_t number) {
    engine->steps++;
    if (number == ROOT) {
        root_step(engine);
        return;
    }
    const Run *run = run_of(engine, number);
    if (run->is_dropped || state_is_terminal(run->state)) return;
    const Ending *ending = engine_ending(engine);
    if (ending != NULL) {
        end_early(engine, number, ending);
        return;
    }
    ask_timer(engine, number);
    switch ((State)run->state) {
    case STATE_CREATED:
    case STATE_RESTARTED:
        // A pause of the whole execution makes no new runs; those that are there go on.
        if (!engine->is_held) begin(engine, number);
        break;
    case STATE_RETRYING:
        task_retry(engine, number);
        break;
    case STATE_RUNNING:
    case STATE_PAUSED:
        if (!run->is_unknown) go_on(engine, number);
        break;
    case STATE_NONE:
    case STATE_KILLING:
    case STATE_QUEUED:
    case STATE_SUCCESS:
    case STATE_WARNING:
    case STATE_FAILED:
    case STATE_KILLED:
    case STATE_CANCELLED:
    case STATE_RETRIED:
    case STATE_SKIPPED:
    case STATE_COUNT:
        break;
    }
    ask_timer(engine, number);
}

void engine_next(Engine *engine, int64_t now_ms, Arena *arena, Events *decisions,
                 Actions *actions) {
    engine->turn = (Turn){now_ms, arena, decisions, actions};
    while (engine->queue_at < engine->queue.count && engine->fault[0] == 0) {
        uint32_t number = engine->queue.items[engine->queue_at++];
        run_of(engine, number)->is_queued = false;
        step(engine, number);
    }
    engine->queue.count = engine->queue_at = 0;
    engine->turn = (Turn){0};
}

void engine_recover(Engine *engine, Arena *arena, Actions *actions) {
    Events none = {0};
    engine->turn = (Turn){0, arena, &none, actions};
    // What is to be cancelled, engine_next says.
    const Ending *ending = engine_ending(engine);
    if (ending == NULL || !ending->cancels) task_recover(engine);
    engine->turn = (Turn){0};
    run_touch_live(engine);
}
