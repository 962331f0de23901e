// wait.c - Pause and Sleep: what waits for a person or for time (flow-language.md 4.3).
//
// A Pause is RUNNING again as soon as it was resumed; a timer that fires later finds nothing
// waiting and does nothing. The behaviour is for expiry only. `onPause` runs while it waits;
// whatever comes of it, the Pause only waits for it to end.
#include "engine/inner.h"
#include "value/time.h"

typedef struct PauseRule {
    int64_t duration, timeout;  // 0: none
    Str behavior;
} PauseRule;

static bool read_rule(Engine *engine, uint32_t number, PauseRule *out) {
    const PlanNode *node = node_of(engine, run_of(engine, number));
    *out = (PauseRule){.behavior = STR("RESUME")};
    Value map;
    if (turn_need(engine, number, SLOT_A, node->leaf_a, &map) != NEED_READY) return false;
    const Value *duration = turn_member(map, STR("pauseDuration"));
    const Value *timeout = turn_member(map, STR("timeout"));
    const Value *behavior = turn_member(map, STR("behavior"));
    bool fits = (duration == NULL || turn_duration(*duration, &out->duration)) &&
                (timeout == NULL || turn_duration(*timeout, &out->timeout));
    if (!fits) {
        Str text = value_to_text(engine->turn.arena, map);
        run_fail(engine, number,
                 str_printf(engine->turn.arena,
                            "pauseDuration or timeout is not a duration: " STR_FMT, STR_ARG(text)));
        return false;
    }
    // A duration of zero is one, too.
    if (duration != NULL && out->duration == 0) out->duration = 1;
    if (behavior != NULL) out->behavior = value_to_text(engine->turn.arena, *behavior);
    return true;
}

Value pause_outputs(Arena *arena, State state, int64_t now_ms) {
    Buffer text = {0};
    instant_print_ms(&text, now_ms);
    Value resumed = value_map(arena);
    value_map_set(arena, resumed, STR("on"), value_text(buffer_to_str(&text, arena)));
    value_map_set(arena, resumed, STR("to"), value_text(str_from(state_name(state))));
    buffer_release(&text);
    Value outputs = value_map(arena);
    value_map_set(arena, outputs, STR("resumed"), resumed);
    return outputs;
}

void pause_begin(Engine *engine, uint32_t number) {
    PauseRule rule;
    if (!read_rule(engine, number, &rule)) return;
    int64_t wait = rule.duration > 0 ? rule.duration : rule.timeout;
    if (wait > 0) run_set_timer(engine, number, engine->turn.now_ms + wait);
    turn_decide(engine,
                (Event){.kind = EVENT_PAUSED,
                        .run = run_of(engine, number)->id,
                        .text = rule.duration > 0 ? STR("waits for a person or its duration")
                                                  : STR("waits for a person")});
}

static Value resumed(Engine *engine, State state) {
    return pause_outputs(engine->turn.arena, state, engine->turn.now_ms);
}

// A failure that its own errors and finally see; without them it is the end.
static void fail_level(Engine *engine, uint32_t number, Str text) {
    const Run *run = run_of(engine, number);
    const PlanNode *node = node_of(engine, run);
    bool is_over = node->errors == 0 && node->finally == 0;
    State state = is_over ? run_with_flags(node, STATE_FAILED) : STATE_RUNNING;
    turn_decide(engine, (Event){.kind = EVENT_TASKSTATE,
                                .run = run->id,
                                .state = state,
                                .is_error = !is_over,
                                .value = resumed(engine, STATE_FAILED),
                                .text = text});
}

static void expire(Engine *engine, uint32_t number) {
    PauseRule rule;
    if (!read_rule(engine, number, &rule)) return;
    const Run *run = run_of(engine, number);
    if (rule.duration == 0) {
        fail_level(engine, number, STR("nobody resumed it before its timeout"));
    } else if (str_eq(rule.behavior, STR("WARN"))) {
        run_set_state_with(engine, number, run_with_flags(node_of(engine, run), STATE_WARNING),
                           resumed(engine, STATE_WARNING));
    } else if (str_eq(rule.behavior, STR("FAIL"))) {
        fail_level(engine, number, STR("nobody resumed it in its duration"));
    } else if (str_eq(rule.behavior, STR("CANCEL")) && state_is_terminal(engine->state)) {
        run_set_state(engine, number, STATE_CANCELLED, (Str){0});  // in afterExecution
    } else if (str_eq(rule.behavior, STR("CANCEL"))) {
        turn_decide(engine, (Event){.kind = EVENT_ENDING,
                                    .run = run->id,
                                    .state = STATE_CANCELLED,
                                    .index = 1,
                                    .text = STR("nobody resumed it in its duration")});
    } else if (str_eq(rule.behavior, STR("RESUME"))) {
        run_set_state_with(engine, number, STATE_RUNNING, resumed(engine, STATE_SUCCESS));
    } else {
        run_fail(engine, number,
                 str_printf(engine->turn.arena,
                            "behavior '" STR_FMT "' is none of RESUME, WARN, FAIL, CANCEL",
                            STR_ARG(rule.behavior)));
    }
}

void pause_step(Engine *engine, uint32_t number) {
    Run *run = run_of(engine, number);
    Level *level = run->level;
    if (engine->is_held || engine->is_paused) return;
    if (run->state == STATE_PAUSED) {
        level->cursor[ROLE_EXTRA] = node_of(engine, run)->extra;
        if (!level_sequence(engine, number, ROLE_EXTRA)) return;
        if (run->timer_fired) expire(engine, number);
        return;
    }
    const Tally *extra = &level->tally[ROLE_EXTRA];
    if (extra->terminal == extra->created) level_step(engine, number);
}

// --- Sleep --------------------------------------------------------------------------------------

static bool read_sleep(Engine *engine, uint32_t number, int64_t *duration, int64_t *timeout) {
    const PlanNode *node = node_of(engine, run_of(engine, number));
    Value props, limit;
    *duration = *timeout = 0;
    Need first = turn_need(engine, number, SLOT_PROPS, node->leaf_props, &props);
    if (first == NEED_FAILED) return false;
    Need second = turn_need(engine, number, SLOT_TIMEOUT, node->leaf_timeout, &limit);
    if (first != NEED_READY || second != NEED_READY) return false;
    const Value *text = turn_member(props, STR("duration"));
    if (text == NULL || !turn_duration(*text, duration)) {
        run_fail(engine, number, STR("duration must be an ISO-8601 duration such as PT5S"));
        return false;
    }
    if (!turn_duration(limit, timeout)) {
        run_fail(engine, number, STR("timeout must be an ISO-8601 duration such as PT5S"));
        return false;
    }
    return true;
}

void sleep_begin(Engine *engine, uint32_t number) {
    int64_t duration, timeout;
    if (!read_sleep(engine, number, &duration, &timeout)) return;
    if (timeout > 0 && timeout < duration) duration = timeout;
    run_set_timer(engine, number, engine->turn.now_ms + duration);
    run_set_state(engine, number, STATE_RUNNING, (Str){0});
}

void sleep_step(Engine *engine, uint32_t number) {
    if (!run_of(engine, number)->timer_fired) return;
    int64_t duration, timeout;
    if (!read_sleep(engine, number, &duration, &timeout)) return;
    if (timeout > 0 && timeout < duration) {
        run_fail(engine, number, STR("it slept longer than its timeout"));
    } else {
        run_set_state(engine, number, STATE_SUCCESS, (Str){0});
    }
}
