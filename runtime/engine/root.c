// root.c - the execution itself: the state it shows, agreements (SLA), its end, afterExecution.
//
// At the end: tasks, errors, finally, then the outputs, then the final state, which is visible
// while afterExecution runs and is not changed by it.
#include "engine/inner.h"
#include "value/time.h"

static void set_execution(Engine *engine, State state, Str text) {
    if (engine->state == state) return;
    turn_decide(engine, (Event){.kind = EVENT_STATE, .state = state, .text = text});
}

static void show_state(Engine *engine) {
    State state = STATE_RUNNING;
    if (engine->retrying > 0) state = STATE_RETRYING;
    if (engine->paused > 0 || engine->is_paused) state = STATE_PAUSED;
    if (engine->ending.is_active && engine->ending.cancels) state = STATE_KILLING;
    set_execution(engine, state, (Str){0});
}

// --- agreements ---------------------------------------------------------------------------------

static Str zero_key(Engine *engine, uint32_t index) {
    char id[33];
    run_id_print((RunId){{0}}, id);
    return str_printf(engine->turn.arena, "%s.%lld", id,
                      (long long)engine->attempt * SLA_KEYS + index);
}

static void violate(Engine *engine, uint32_t index, Str why) {
    const PlanSla *sla = &engine->plan->slas[index];
    static const State states[] = {STATE_FAILED, STATE_CANCELLED, STATE_NONE};
    Arena *arena = engine->turn.arena;
    Str id = plan_text(engine->plan, sla->id);
    State state = sla->behavior < COUNT(states) ? states[sla->behavior] : STATE_NONE;
    Str text = str_printf(arena, "SLA '" STR_FMT "' violated: " STR_FMT, STR_ARG(id), STR_ARG(why));
    if (sla->label_count > 0) {
        Value labels = value_map(arena);
        for (uint32_t i = 0; i < sla->label_count; i++) {
            const PlanLabel *label = &engine->plan->labels[sla->labels - 1 + i];
            value_map_set(arena, labels, plan_text(engine->plan, label->key),
                          value_text(plan_text(engine->plan, label->value)));
        }
        turn_decide(engine, (Event){.kind = EVENT_LABELS, .value = labels});
    }
    turn_decide(engine, (Event){.kind = EVENT_SLA, .index = index, .state = state, .text = text});
}

static Str print_duration(Engine *engine, int64_t milliseconds) {
    Buffer text = {0};
    duration_print(&text, milliseconds * 1000000);
    Str printed = buffer_to_str(&text, engine->turn.arena);
    buffer_release(&text);
    return printed;
}

static void watch_duration(Engine *engine, uint32_t index) {
    SlaState *state = &engine->slas[index];
    const PlanSla *sla = &engine->plan->slas[index];
    if (!state->timer_is_set) {
        turn_decide(engine, (Event){.kind = EVENT_TIMER_SET,
                                    .index = index,
                                    .id = zero_key(engine, index),
                                    .at_ms = engine->watched_ms + sla->duration});
    }
    if (state->timer_fired) {
        Str lasted = print_duration(engine, engine->turn.now_ms - engine->watched_ms);
        Str limit = print_duration(engine, sla->duration);
        violate(engine, index,
                str_printf(engine->turn.arena,
                           "execution duration of " STR_FMT
                           " exceeds the maximum duration of " STR_FMT,
                           STR_ARG(lasted), STR_ARG(limit)));
    } else if (!state->timer_is_asked) {
        state->timer_is_asked = true;
        Action *action = turn_act(engine, ACTION_TIMER, ROOT);
        action->id = zero_key(engine, index);
        action->at_ms = state->at_ms;
    }
}

// Looked at whenever a task run has ended since the last look; one evaluation is under way at a
// time.
static void watch_assertion(Engine *engine, uint32_t index) {
    SlaState *state = &engine->slas[index];
    if (state->is_violated) {
        Str source = plan_text(engine->plan, engine->plan->slas[index].source);
        violate(engine, index,
                source.len == 0 ? STR("assertion is false")
                                : str_printf(engine->turn.arena, "assertion is false: " STR_FMT,
                                             STR_ARG(source)));
        return;
    }
    PlanLeaf leaf = engine->plan->slas[index].assertion;
    bool is_constant = leaf == 0 || (leaf & PLAN_CONSTANT) != 0;
    if (is_constant || state->is_asked || state->seen == engine->changes + 1) return;
    state->is_asked = true;
    Action *action = turn_act(engine, ACTION_EVAL, ROOT);
    action->slot = SLOT_SLA;
    action->leaf = leaf;
    action->index = index;
}

static void watch(Engine *engine) {
    for (uint32_t i = 0; i < engine->plan->sla_count; i++) {
        if (engine->ending.is_active) return;  // only the first acts
        if (engine->slas[i].is_handled) continue;
        if (engine->plan->slas[i].kind == 0) {
            watch_duration(engine, i);
        } else {
            watch_assertion(engine, i);
        }
    }
}

// No task begins before all assertions were looked at once.
static bool awaits_first_look(const Engine *engine) {
    for (uint32_t i = 0; i < engine->plan->sla_count; i++) {
        const SlaState *state = &engine->slas[i];
        if (state->is_asked && state->seen == 0 && !state->is_handled) return true;
    }
    return false;
}

// --- the end ------------------------------------------------------------------------------------

void root_end(Engine *engine) {
    State state = level_state(engine, run_of(engine, ROOT));
    if (engine->plan->output_count > 0 && state != STATE_KILLED) {
        if (!engine->outputs_are_known) {
            if (!engine->outputs_are_asked) turn_act(engine, ACTION_FLOW_OUTPUTS, ROOT);
            engine->outputs_are_asked = true;
            return;
        }
        if (engine->outputs_failed) state = STATE_FAILED;
    }
    set_execution(engine, state, engine->outputs_failed ? engine->text : (Str){0});
}

// The execution that follows has to be there before this one is RETRIED.
static bool spawn_retry(Engine *engine) {
    Ending *ending = &engine->ending;
    if (ending->retry_id.len == 0) return true;
    if (engine->retry == NULL) {
        turn_decide(
            engine,
            (Event){.kind = EVENT_CHILD, .id = ending->retry_id, .attempt = ending->retry_attempt});
    }
    Child *retry = engine->retry;
    if (retry == NULL || retry->state != STATE_NONE) return true;
    if (!retry->is_asked) {
        retry->is_asked = true;
        Action *action = turn_act(engine, ACTION_SPAWN_RETRY, ROOT);
        action->id = retry->id;
        action->attempt = retry->attempt;
        action->at_ms = engine->turn.now_ms;
    }
    return false;
}

static void end_early(Engine *engine) {
    show_state(engine);
    if (run_of(engine, ROOT)->level->live > 0 || !spawn_retry(engine)) return;
    State state = engine->ending.state;
    Str text = engine->ending.text;
    if (engine->retry != NULL && engine->retry->is_error) {
        state = STATE_FAILED;
        text = engine->retry->text;
    }
    set_execution(engine, state, text);
}

bool engine_is_finished(const Engine *engine) {
    if (!state_is_terminal(engine->state)) return false;
    const Level *level = run_of(engine, ROOT)->level;
    if (engine->state == STATE_RETRIED || engine->after_is_killed) return level->live == 0;
    // An execution that a limit refused has not begun: nothing comes after it.
    if (engine->history.count == 2) return true;
    return level_list_is_done(engine, ROOT, ROLE_EXTRA);
}

static void after_execution(Engine *engine) {
    Level *level = run_of(engine, ROOT)->level;
    if (!engine_is_finished(engine)) {
        if (engine->after_is_killed) return;
        level->cursor[ROLE_EXTRA] = engine->plan->nodes[ROOT].extra;
        level_sequence(engine, ROOT, ROLE_EXTRA);
        return;
    }
    if (engine->finish_is_told) return;
    engine->finish_is_told = true;
    turn_act(engine, ACTION_FINISH, ROOT);
}

void root_step(Engine *engine) {
    if (engine->history.count == 0) return;
    if (state_is_terminal(engine->state)) {
        after_execution(engine);
        return;
    }
    if (engine->is_held) return;
    bool has_begun = engine->state != STATE_CREATED && engine->state != STATE_QUEUED;
    if (!has_begun && !engine->ending.is_active) {
        set_execution(engine, STATE_RUNNING, (Str){0});
    }
    if (!engine->ending.is_active) watch(engine);
    if (engine->ending.is_active) {
        end_early(engine);
        return;
    }
    show_state(engine);
    if (!engine->is_paused && !awaits_first_look(engine)) level_step(engine, ROOT);
}
