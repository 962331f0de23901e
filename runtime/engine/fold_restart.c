// fold_restart.c - a restart, a mark, runs taken over from another execution.
//
// What is reset, reopened and dropped stands in the event; here it is only done.
#include <string.h>

#include "engine/fold.h"

// --- restart ------------------------------------------------------------------------------------

// A failed iteration in which something runs again is under way again.
static void reopen_frames(Engine *engine, const Run *run) {
    for (uint32_t at = run->frame; at != NO_FRAME; at = frame_of(engine, at)->parent) {
        Frame *frame = frame_of(engine, at);
        bool is_over = run_has_iterations(engine, run_of(engine, frame->loop)) &&
                       state_is_terminal(frame->state);
        if (is_over) {
            fold_end_frame(engine, at, STATE_NONE);
            frame->slot = NULL;
            frame->is_asked = false;
        }
    }
}

// Batches that failed are under way again; their children are restarted or made anew.
static void reopen_batches(Engine *engine, Run *run) {
    for (uint32_t i = 0; i < run->level->frames.count; i++) {
        Frame *frame = frame_of(engine, run->level->frames.items[i]);
        frame->is_asked = false;
        if (frame->state != STATE_FAILED && frame->state != STATE_KILLED) continue;
        fold_end_frame(engine, run->level->frames.items[i], STATE_NONE);
        if (frame->slot != NULL && frame->slot->is_error) frame->slot = NULL;
    }
    run->level->is_built = false;
}

static void reset_run(Engine *engine, uint32_t number, const Event *event) {
    Run *run = run_of(engine, number);
    bool is_batches = node_of(engine, run)->kind == NODE_ITEMS && run->part == PART_ITEMS;
    if (is_batches) {
        reopen_batches(engine, run);
    } else {
        fold_clear_level(engine, number);
    }
    run->slots = NULL;
    run->asked = 0;
    run->branch = -1;
    run->message = (Str){0};
    run->outputs = value_null();
    run->has_outputs = run->is_resumed = run->has_failed = run->is_unknown = false;
    run->timer_is_set = run->timer_fired = false;
    run->start_is_asked = run->cancel_is_asked = false;
    run->retry_id = (Str){0};
    if (run->attempts.count > 0) {
        Attempt *last = run_last_attempt(run);
        if (last->state == STATE_NONE) last->state = STATE_KILLED;
        last->is_decided = true;
    }
    reopen_frames(engine, run);
    fold_change_state(engine, number, STATE_RESTARTED, event->time_ms);
}

static void reopen_run(Engine *engine, uint32_t number, const Event *event) {
    Run *run = run_of(engine, number);
    run->message = (Str){0};
    run->asked = 0;
    run->has_failed = false;
    run->timer_is_set = run->timer_fired = false;
    if (run->level != NULL) run->level->is_built = false;
    if (node_of(engine, run)->kind == NODE_LOOP) {  // iterations whose outputs failed
        for (uint32_t i = 0; i < run->level->frames.count; i++) {
            Frame *frame = frame_of(engine, run->level->frames.items[i]);
            frame->is_asked = false;
            if (frame->state != STATE_FAILED || frame->tally.failed > 0) continue;
            fold_end_frame(engine, run->level->frames.items[i], STATE_NONE);
            frame->slot = NULL;
        }
    }
    reopen_frames(engine, run);
    fold_change_state(engine, number, STATE_RUNNING, event->time_ms);
}

typedef void (*OnRun)(Engine *engine, uint32_t number, const Event *event);

static void drop_listed(Engine *engine, uint32_t number, const Event *event) {
    (void)event;
    reopen_frames(engine, run_of(engine, number));
    fold_drop_run(engine, number);
}

static void purge_levels(Engine *engine) {
    for (uint32_t i = 0; i < engine->run_count; i++) {
        if (!run_of(engine, i)->is_dropped && run_of(engine, i)->level != NULL) {
            fold_purge(engine, i);
        }
    }
}

static void for_each_listed(Engine *engine, const Event *event, Str list, OnRun on_run) {
    const Value *ids = value_map_get(event->value, list);
    for (uint32_t i = 0; ids != NULL && ids->kind == VALUE_LIST && i < ids->as.list->count; i++) {
        RunId id;
        Value item = ids->as.list->items[i];
        if (item.kind != VALUE_TEXT || !run_id_parse(item.as.text, &id)) continue;
        uint32_t number = fold_find_run(engine, id);
        if (number != NO_RUN) on_run(engine, number, event);
    }
}

void fold_restarted(Engine *engine, const Event *event) {
    page_take_back(engine);
    for_each_listed(engine, event, STR("dropped"), drop_listed);
    purge_levels(engine);
    for_each_listed(engine, event, STR("running"), reopen_run);
    for_each_listed(engine, event, STR("reset"), reset_run);
    bool was_over = state_is_terminal(engine->state);
    engine->ending = (Ending){.run = NO_RUN};
    engine->is_paused = engine->after_is_killed = false;
    engine->outputs_are_known = engine->outputs_failed = engine->has_outputs = false;
    engine->outputs_are_asked = engine->finish_is_told = false;
    engine->text = (Str){0};
    engine->retry = NULL;
    const Value *labels = value_map_get(event->more, STR("labels"));
    if (labels != NULL) fold_merge(&engine->arena, engine->labels, *labels, false);
    if (event->kind == EVENT_MARKED) {
        uint32_t number = fold_find_run(engine, event->run);
        if (number != NO_RUN) {
            Run *run = run_of(engine, number);
            run->is_unknown = run->timer_is_set = run->start_is_asked = false;
            if (run->attempts.count > 0) run_last_attempt(run)->is_decided = true;
            reopen_frames(engine, run);
            fold_change_state(engine, number, event->state, event->time_ms);
        }
        if (was_over) engine_add_state(engine, STATE_RESTARTED, event->time_ms);
    } else {
        engine->attempt++;
        engine->watched_ms = event->time_ms;
        memset(engine->slas, 0, engine->plan->sla_count * sizeof *engine->slas);
        engine_add_state(engine, STATE_RESTARTED, event->time_ms);
        engine->is_held = event->state == STATE_QUEUED;
        if (engine->is_held) engine_add_state(engine, STATE_QUEUED, event->time_ms);
    }
    run_touch_live(engine);
}

// --- a run taken over from another execution ----------------------------------------------------

static void copy_slots(Engine *engine, Run *run, Value slots) {
    for (uint32_t i = 0; slots.kind == VALUE_LIST && i < slots.as.list->count; i++) {
        Value item = slots.as.list->items[i];
        const Value *value = value_map_get(item, STR("value"));
        Slot *slot = arena_new(&engine->arena, Slot);
        *slot = (Slot){
            .next = run->slots,
            .slot = (uint32_t)value_map_get_int(item, STR("slot"), 0),
            .index = value_map_get_int(item, STR("index"), 0),
            .value = value == NULL ? value_null() : value_copy(&engine->arena, *value),
        };
        run->slots = slot;
    }
}

// Those of a history from before they were told one by one all ended as their run did.
static void copy_attempts(Engine *engine, Run *run, const Event *event) {
    const Value *told = value_map_get(event->more, STR("attempts"));
    for (int32_t i = 0; i < event->attempt; i++) {
        Attempt *attempt = fold_add_attempt(engine, run);
        *attempt = (Attempt){.state = state_is_terminal(event->state) ? event->state : STATE_KILLED,
                             .is_started = true,
                             .is_decided = true};
        if (told == NULL || told->kind != VALUE_LIST || (uint32_t)i >= told->as.list->count) {
            continue;
        }
        Value item = told->as.list->items[i];
        state_from(value_map_get_text(item, STR("state"), STR("")), &attempt->state);
        attempt->started_ms = value_map_get_int(item, STR("from"), 0);
        attempt->ended_ms = value_map_get_int(item, STR("to"), 0);
        attempt->message = fold_keep(engine, value_map_get_text(item, STR("message"), (Str){0}));
    }
}

void fold_copied(Engine *engine, const Event *event) {
    uint32_t number = fold_add_run(engine, event, event->state);
    if (number == NO_RUN) return;
    Run *run = run_of(engine, number);
    const Value *times = value_map_get(event->more, STR("times"));
    for (uint32_t i = 0; times != NULL && times->kind == VALUE_LIST && i < times->as.list->count;
         i++) {
        Value item = times->as.list->items[i];
        State state = STATE_CREATED;
        if (!state_from(value_map_get_text(item, STR("state"), STR("")), &state)) continue;
        *LIST_ADD(&engine->arena, &run->history, StateChange) =
            (StateChange){state, value_map_get_int(item, STR("at"), 0)};
    }
    run->branch = (int32_t)event->index;
    run->has_failed = event->is_error;
    run->message = fold_keep(engine, event->text);
    fold_set_outputs(engine, run, event->value);
    const Value *slots = value_map_get(event->more, STR("slots"));
    if (slots != NULL) copy_slots(engine, run, *slots);
    copy_attempts(engine, run, event);
    run_touch(engine, number);
}
