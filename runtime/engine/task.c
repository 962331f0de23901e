// task.c - attempts: starting them, what follows from their end, retries, taking over.
//
// The result of one attempt becomes a state by flow-language.md 5.3: warningOnRetry, a further
// attempt, allowFailure, allowWarning, in this order. The exponential delay is geometric. The delay
// of a random retry follows from run and attempt, so deciding twice gives the same.
#include "engine/inner.h"

#include <string.h>

// What the parts of ITEMS work on.
static Value part_value(Engine *engine, const Run *run) {
    if (run->part == PART_WHOLE) return value_null();
    Value items, batch;
    const PlanNode *node = node_of(engine, run);
    if (turn_need(engine, run->parent, SLOT_A, node->leaf_a, &items) != NEED_READY)
        return value_null();
    if (turn_need(engine, run->parent, SLOT_C, node->leaf_c, &batch) != NEED_READY)
        return value_null();
    Value value = value_map(engine->turn.arena);
    value_map_set(engine->turn.arena, value, STR("items"), items);
    value_map_set(engine->turn.arena, value, STR("batch"), batch);
    return value;
}

void task_begin(Engine *engine, uint32_t number) {
    Run *run = run_of(engine, number);
    const PlanNode *node = node_of(engine, run);
    if (run->start_is_asked) return;
    int64_t timeout = 0;
    if (run->part == PART_WHOLE) {
        Value value;
        if (turn_need(engine, number, SLOT_TIMEOUT, node->leaf_timeout, &value) != NEED_READY)
            return;
        if (!turn_duration(value, &timeout)) {
            Str text = value_to_text(engine->turn.arena, value);
            run_fail(engine, number,
                     str_printf(engine->turn.arena, "timeout '" STR_FMT "' is not a duration",
                                STR_ARG(text)));
            return;
        }
    }
    run->start_is_asked = true;
    Action *action = turn_act(engine, ACTION_START, number);
    action->attempt = (int32_t)run->attempts.count + 1;
    action->slot = run->part;
    action->timeout_ms = timeout;
    action->id = run_idempotency_key(engine, number, engine->turn.arena);
    action->value = part_value(engine, run);
}

void task_step(Engine *engine, uint32_t number) {
    const Run *run = run_of(engine, number);
    const Attempt *last = run_last_attempt(run);
    if (last == NULL || last->state == STATE_NONE || last->is_decided) return;
    task_conclude(engine, number, last->state, last->message, value_null());
}

// --- retry --------------------------------------------------------------------------------------

enum { DELAY_MAX_DAYS = 36500 };

static int64_t random_delay(const Run *run, const PlanRetry *retry, int32_t attempts) {
    int64_t width = retry->max_interval - retry->interval;
    if (width <= 0) return retry->interval;
    uint8_t bytes[HASH128_SIZE + 4];
    memcpy(bytes, run->id.bytes, HASH128_SIZE);
    for (int i = 0; i < 4; i++) bytes[HASH128_SIZE + i] = (uint8_t)((uint32_t)attempts >> (8 * i));
    Hash128 hash = hash128_bytes((Str){(const char *)bytes, sizeof bytes});
    uint64_t number = 0;
    memcpy(&number, hash.bytes, sizeof number);
    return retry->interval + (int64_t)(number % (uint64_t)width);
}

static int64_t delay_of(const Run *run, const PlanRetry *retry, int32_t attempts) {
    double limit = (double)DELAY_MAX_DAYS * 86400000;
    if (retry->max_interval > 0 && (double)retry->max_interval < limit) {
        limit = (double)retry->max_interval;
    }
    double delay = (double)retry->interval;
    switch ((RetryKind)retry->kind) {
    case RETRY_CONSTANT:
        return retry->interval;
    case RETRY_RANDOM:
        return random_delay(run, retry, attempts);
    case RETRY_EXPONENTIAL:
        // At most as many rounds as it takes to reach the limit or nothing.
        for (int32_t i = 1; i < attempts && delay < limit && delay >= 1; i++) {
            if (retry->delay_factor == 1) break;
            delay *= retry->delay_factor;
        }
        return (int64_t)(delay < limit ? delay : limit);
    }
    return 0;
}

// Decides on a further attempt; false where there is none.
static bool retry_task(Engine *engine, uint32_t number) {
    Run *run = run_of(engine, number);
    const PlanNode *node = node_of(engine, run);
    if (node->retry == 0 || run->part != PART_WHOLE) return false;
    const PlanRetry *retry = &engine->plan->retries[node->retry - 1];
    bool is_new = (retry->flags & RETRY_NEW_EXECUTION) != 0;
    int32_t attempts = is_new ? engine->attempt : (int32_t)run->attempts.count;
    if (is_new && state_is_terminal(engine->state)) return false;  // in afterExecution
    if (retry->max_attempts > 0 && attempts >= retry->max_attempts) return false;
    int64_t from = run_last_attempt(run)->ended_ms;
    int64_t delay = delay_of(run, retry, attempts);
    int64_t pause = run_last_attempt(run)->pause_ms;
    int64_t at = from + (pause > delay ? pause : delay);
    int64_t first = run->attempts.items[0].started_ms;
    if (is_new) {
        first = value_map_get_int(engine->created, STR("firstCreated"), engine->created_ms);
    }
    if (retry->max_duration > 0 && at - first >= retry->max_duration) return false;
    Run next = *run;
    next.timer_count++;
    turn_decide(
        engine,
        (Event){.kind = EVENT_RETRY_AT,
                .run = run->id,
                .attempt = attempts + 1,
                .at_ms = at,
                .id = run_timer_key(&next, engine->turn.arena),
                .text = is_new ? id_of_retry(engine, attempts + 1, engine->turn.arena) : (Str){0}});
    return true;
}

void task_conclude(Engine *engine, uint32_t number, State outcome, Str text, Value outputs) {
    const Run *run = run_of(engine, number);
    const PlanNode *node = node_of(engine, run);
    State state = outcome;
    if (state == STATE_SUCCESS && run->attempts.count > 1 && node->own_retry != 0 &&
        (engine->plan->retries[node->own_retry - 1].flags & RETRY_WARNING) != 0) {
        state = STATE_WARNING;
    }
    if (state == STATE_FAILED && engine_ending(engine) == NULL && retry_task(engine, number))
        return;
    if (run->part == PART_WHOLE) state = run_with_flags(node, state);
    turn_decide(engine, (Event){.kind = EVENT_TASKSTATE,
                                .run = run->id,
                                .state = state,
                                .text = text,
                                .value = outputs});
}

void task_retry(Engine *engine, uint32_t number) {
    const Run *run = run_of(engine, number);
    if (!run->timer_fired || run->retry_id.len == 0) return;
    turn_decide(engine, (Event){.kind = EVENT_ENDING,
                                .run = run->id,
                                .state = STATE_RETRIED,
                                .index = 1,
                                .id = run->retry_id,
                                .attempt = engine->attempt + 1});
}

// --- taking over --------------------------------------------------------------------------------

// The time limit that the attempt under way was started with.
static int64_t timeout_of(Engine *engine, uint32_t number) {
    const Run *run = run_of(engine, number);
    PlanLeaf leaf = node_of(engine, run)->leaf_timeout;
    const Slot *slot = slot_find(run, SLOT_TIMEOUT);
    Value value = value_null();
    if ((leaf & PLAN_CONSTANT) != 0) {
        if (turn_need(engine, number, SLOT_TIMEOUT, leaf, &value) != NEED_READY) return 0;
    } else if (slot != NULL && !slot->is_error) {
        value = *slot_value(engine, slot);
    }
    int64_t timeout = 0;
    return turn_duration(value, &timeout) ? timeout : 0;
}

void task_recover(Engine *engine) {
    Arena *arena = engine->turn.arena;
    for (uint32_t i = ROOT; i != NO_RUN; i = run_next_here(engine, i)) {
        Run *run = run_of(engine, i);
        const Attempt *last = run_last_attempt(run);
        bool is_under_way = !run->is_dropped && !state_is_terminal(run->state) && last != NULL &&
                            last->state == STATE_NONE && run->child == NULL;
        if (!is_under_way || node_of(engine, run)->kind == NODE_SUBFLOW) continue;
        Action *action = turn_act(engine, ACTION_RECOVER, i);
        action->attempt = (int32_t)run->attempts.count;
        action->slot = run->part;
        action->at_ms = last->started_ms;
        action->timeout_ms = timeout_of(engine, i);
        action->id = run_idempotency_key(engine, i, arena);
        action->value = value_map(arena);
        value_map_set(arena, action->value, STR("properties"), run->properties);
        value_map_set(arena, action->value, STR("checkpoint"), run->checkpoint);
    }
}
