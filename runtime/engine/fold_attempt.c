// fold_attempt.c - events about attempts, timers and child executions.
//
// An answer about an attempt that is not under way (the run was killed, reset, or has gone on) is
// passed over.
#include "engine/fold.h"

// --- attempts -----------------------------------------------------------------------------------

// The run an answer about an attempt is for, or NO_RUN where nothing waits for it.
static uint32_t find_attempt(Engine *engine, const Event *event, bool may_begin) {
    uint32_t number = fold_find_run(engine, event->run);
    if (number == NO_RUN) return NO_RUN;
    const Run *run = run_of(engine, number);
    if (state_is_terminal(run->state)) return NO_RUN;
    int32_t count_now = (int32_t)run->attempts.count;
    const Attempt *last = run_last_attempt(run);
    if (last != NULL && last->state == STATE_NONE) {
        return event->attempt == 0 || event->attempt == count_now ? number : NO_RUN;
    }
    bool can_begin = may_begin && (run->state == STATE_CREATED || run->state == STATE_RESTARTED);
    return can_begin && (event->attempt == 0 || event->attempt == count_now + 1) ? number : NO_RUN;
}

// Most runs have one attempt: the first takes the place of one, not of four.
Attempt *fold_add_attempt(Engine *engine, Run *run) {
    if (run->attempts.capacity == 0) {
        run->attempts.items = arena_new(&engine->arena, Attempt);
        run->attempts.capacity = 1;
    }
    return LIST_ADD(&engine->arena, &run->attempts, Attempt);
}

static Attempt *begin_attempt(Engine *engine, Run *run, int64_t time_ms, bool is_started) {
    Attempt *attempt = fold_add_attempt(engine, run);
    *attempt = (Attempt){.started_ms = time_ms, .is_started = is_started};
    run->start_is_asked = false;
    run->cancel_is_asked = false;
    return attempt;
}

void fold_started(Engine *engine, const Event *event) {
    uint32_t number = find_attempt(engine, event, true);
    if (number == NO_RUN) return;
    Run *run = run_of(engine, number);
    Attempt *last = run_last_attempt(run);
    if (last != NULL && last->state == STATE_NONE) return;  // it is run again after a crash
    begin_attempt(engine, run, event->time_ms, true);
    run->properties = value_copy(&engine->arena, event->value);
    run->checkpoint = value_null();
    fold_change_state(engine, number, STATE_RUNNING, event->time_ms);
}

static void end_attempt(Engine *engine, uint32_t number, const Event *event) {
    Run *run = run_of(engine, number);
    Attempt *last = run_last_attempt(run);
    if (last == NULL || last->state != STATE_NONE) {
        last = begin_attempt(engine, run, event->time_ms, event->kind == EVENT_DONE);
    }
    State state = state_is_terminal(event->state) ? event->state : STATE_FAILED;
    last->state = state;
    last->begun = event->begun;
    last->exit_code = event->exit_code;
    last->ended_ms = event->time_ms;
    last->message = fold_keep(engine, event->text);
    last->error_class = fold_keep(engine, event->error_class);
    int64_t pause = value_map_get_int(event->more, STR("pause"), 0);
    last->pause_ms = pause > 0 ? pause : 0;
    fold_set_outputs(engine, run, event->value);
    run->properties = run->checkpoint = value_null();
    fold_change_state(engine, number, STATE_RUNNING, event->time_ms);
}

// As text: nobody but a person asks for them, and each of many runs may have some.
static void keep_metrics(Engine *engine, Run *run, const Event *event) {
    const Value *metrics = value_map_get(event->more, STR("metrics"));
    if (metrics == NULL || metrics->kind != VALUE_LIST) return;
    Buffer text = {0};
    json_write(&text, *metrics, JSON_COMPACT, 0);
    run->metrics = buffer_to_str(&text, &engine->arena);
    buffer_release(&text);
}

// A split of ITEMS gives its batches.
static void keep_batches(Engine *engine, Run *run, const Event *event) {
    const Value *batches = value_map_get(event->more, STR("batches"));
    if (run->part != PART_SPLIT || batches == NULL) return;
    Slot *slot = arena_new(&engine->arena, Slot);
    *slot = (Slot){.slot = SLOT_A, .value = value_copy(&engine->arena, *batches)};
    run->slots = slot;
}

void fold_ended(Engine *engine, const Event *event) {
    uint32_t number = find_attempt(engine, event, true);
    if (number == NO_RUN) return;
    end_attempt(engine, number, event);
    Run *run = run_of(engine, number);
    keep_batches(engine, run, event);
    keep_metrics(engine, run, event);
    if (event->kind == EVENT_DONE && event->state == STATE_SUCCESS && run->attempts.count == 1) {
        run_last_attempt(run)->is_decided = true;
        fold_change_state(engine, number, STATE_SUCCESS, event->time_ms);
    }
    run_touch(engine, number);
}

void fold_unknown(Engine *engine, const Event *event) {
    uint32_t number = find_attempt(engine, event, false);
    if (number == NO_RUN) return;
    Run *run = run_of(engine, number);
    Attempt *last = run_last_attempt(run);
    last->state = STATE_KILLED;
    last->begun = BEGUN_UNKNOWN;
    last->ended_ms = event->time_ms;
    last->is_decided = true;
    last->message = fold_keep(engine, event->text);
    last->error_class = STR("unknown");
    run->is_unknown = true;
    run->message = last->message;
    fold_change_state(engine, number, STATE_PAUSED, event->time_ms);
}

void fold_unknown_resolved(Engine *engine, const Event *event) {
    uint32_t number = fold_find_run(engine, event->run);
    if (number == NO_RUN || !run_of(engine, number)->is_unknown) return;
    Run *run = run_of(engine, number);
    run->is_unknown = false;
    run->message = (Str){0};
    if (state_is_terminal(event->state)) {
        Attempt *last = run_last_attempt(run);
        last->state = event->state;
        last->is_decided = false;
        if (event->text.len > 0) last->message = fold_keep(engine, event->text);
        fold_set_outputs(engine, run, event->value);
        fold_change_state(engine, number, STATE_RUNNING, event->time_ms);
    } else {
        run->properties = run->checkpoint = value_null();
        fold_change_state(engine, number, STATE_CREATED, event->time_ms);
    }
}

// --- timers and children ------------------------------------------------------------------------

// Its number is the one in its key.
static void start_timer(Run *run, const Event *event) {
    size_t dot = str_find_char(event->id, '.', 0);
    int64_t number = 0;
    bool is_numbered = dot != STR_NOT_FOUND &&
                       str_to_int(str_slice(event->id, dot + 1, event->id.len), &number) &&
                       number > 0 && number < UINT32_MAX;
    run->timer_count = is_numbered ? (uint32_t)number : run->timer_count + 1;
    run->timer_at = event->at_ms;
    run->timer_is_set = true;
    run->timer_fired = false;
    run->timer_is_asked = false;
}

void fold_retry_at(Engine *engine, const Event *event) {
    uint32_t number = fold_find_run(engine, event->run);
    if (number == NO_RUN) return;
    Run *run = run_of(engine, number);
    if (run_last_attempt(run) != NULL) run_last_attempt(run)->is_decided = true;
    run->retry_id = fold_keep(engine, event->text);
    start_timer(run, event);
    fold_change_state(engine, number, STATE_RETRYING, event->time_ms);
    run_touch(engine, number);
}

void fold_timer_set(Engine *engine, const Event *event) {
    if (run_id_is_none(event->run)) {
        if (event->index < 0 || event->index >= engine->plan->sla_count) return;
        SlaState *sla = &engine->slas[event->index];
        sla->at_ms = event->at_ms;
        sla->timer_is_set = true;
        run_touch(engine, ROOT);
        return;
    }
    uint32_t number = fold_find_run(engine, event->run);
    if (number == NO_RUN) return;
    start_timer(run_of(engine, number), event);
    run_touch(engine, number);
}

void fold_fired(Engine *engine, const Event *event) {
    RunId id;
    int64_t count_of_key = 0;
    size_t dot = str_find_char(event->id, '.', 0);
    if (dot == STR_NOT_FOUND || !run_id_parse(str_slice(event->id, 0, dot), &id)) return;
    if (!str_to_int(str_slice(event->id, dot + 1, event->id.len), &count_of_key)) return;
    if (run_id_is_none(id)) {
        int64_t index = count_of_key % SLA_KEYS;
        bool is_of_now = count_of_key / SLA_KEYS == engine->attempt;
        if (!is_of_now || index < 0 || index >= engine->plan->sla_count) return;
        SlaState *sla = &engine->slas[index];
        if (sla->timer_is_set) sla->timer_fired = true;
        run_touch(engine, ROOT);
        return;
    }
    uint32_t number = fold_find_run(engine, id);
    if (number == NO_RUN) return;
    Run *run = run_of(engine, number);
    if (!run->timer_is_set || run->timer_count != (uint64_t)count_of_key) return;
    run->timer_is_set = false;
    run->timer_fired = true;
    if (run->state == STATE_RETRYING && run->retry_id.len == 0) {
        run->timer_fired = false;
        fold_change_state(engine, number, STATE_CREATED, event->time_ms);
    }
    run_touch(engine, number);
}

void fold_child(Engine *engine, const Event *event) {
    if (run_id_is_none(event->run)) {  // the execution that follows this one
        engine->retry = arena_new(&engine->arena, Child);
        *engine->retry =
            (Child){.id = fold_keep(engine, event->id), .run = NO_RUN, .attempt = event->attempt};
        run_touch(engine, ROOT);
        return;
    }
    uint32_t number = fold_find_run(engine, event->run);
    if (number == NO_RUN) return;
    Run *run = run_of(engine, number);
    uint32_t at = fold_find_frame(engine, event->frame);
    Child **place = at == NO_FRAME ? &run->child : &frame_of(engine, at)->child;
    Child *child = *place;
    if (child == NULL || !str_eq(child->id, event->id)) {
        child = arena_new(&engine->arena, Child);
        *child = (Child){.id = fold_keep(engine, event->id), .run = number, .frame = at};
        *LIST_ADD(&engine->arena, &engine->children, Child *) = child;
        child->number = engine->children.count;
        *place = child;
    } else {
        child->is_restart = true;
        child->state = STATE_NONE;
        child->is_error = child->is_asked = child->is_killed = false;
    }
    child->attempt = event->attempt;
    if (at != NO_FRAME) {
        run->level->children++;
    } else {
        begin_attempt(engine, run, event->time_ms, true);
        fold_change_state(engine, number, STATE_RUNNING, event->time_ms);
    }
    run_touch(engine, number);
}

static void fill_child(Engine *engine, Child *child, const Event *event) {
    child->state = event->state == STATE_NONE ? STATE_CREATED : event->state;
    child->is_error = event->is_error;
    child->text = fold_keep(engine, event->text);
    if (event->value.kind != VALUE_NULL) {
        child->outputs = value_copy(&engine->arena, event->value);
        child->has_outputs = true;
    }
}

// What the end of a child execution is to the task that waits for it.
static State transmitted(const PlanNode *node, const Child *child) {
    if (child->is_error) return STATE_FAILED;
    bool takes = (node->flags & NODE_WAIT) != 0 && (node->flags & NODE_TRANSMIT_FAILED) != 0;
    bool is_bad = child->state == STATE_FAILED || child->state == STATE_KILLED ||
                  child->state == STATE_WARNING;
    return takes && is_bad ? child->state : STATE_SUCCESS;
}

void fold_child_ended(Engine *engine, const Event *event) {
    if (run_id_is_none(event->run)) {
        Child *retry = engine->retry;
        if (retry == NULL || !str_eq(retry->id, event->id)) return;
        fill_child(engine, retry, event);
        run_touch(engine, ROOT);
        return;
    }
    uint32_t number = fold_find_run(engine, event->run);
    if (number == NO_RUN) return;
    Run *run = run_of(engine, number);
    uint32_t at = fold_find_frame(engine, event->frame);
    Child *child = at == NO_FRAME ? run->child : frame_of(engine, at)->child;
    if (child == NULL || !str_eq(child->id, event->id) || child->state != STATE_NONE) return;
    fill_child(engine, child, event);
    if (at != NO_FRAME) run->level->children--;
    if (state_is_terminal(run->state)) return;
    State state = transmitted(node_of(engine, run), child);
    if (at != NO_FRAME) {
        fold_end_frame(engine, at, state);
    } else if (run_last_attempt(run) != NULL && run_last_attempt(run)->state == STATE_NONE) {
        run_last_attempt(run)->state = state;
        run_last_attempt(run)->ended_ms = event->time_ms;
        run_last_attempt(run)->message = child->text;
    }
    run_touch(engine, number);
}

void fold_paused(Engine *engine, const Event *event) {
    uint32_t number = fold_find_run(engine, event->run);
    if (number == NO_RUN) return;
    Run *run = run_of(engine, number);
    run->message = fold_keep(engine, event->text);
    // A Pause begins like any other task.
    if (run->state == STATE_CREATED) {
        fold_change_state(engine, number, STATE_RUNNING, event->time_ms);
    }
    fold_change_state(engine, number, STATE_PAUSED, event->time_ms);
}

void fold_checkpoint(Engine *engine, const Event *event) {
    uint32_t number = find_attempt(engine, event, false);
    if (number == NO_RUN) return;
    run_of(engine, number)->checkpoint = value_copy(&engine->arena, event->value);
}
