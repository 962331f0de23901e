// fold.c - engine_apply: one event changes the state, nothing is decided.
//
// Events that are no longer wanted (of a run that was dropped or has ended) are passed over.
#include <string.h>

#include "engine/fold.h"
#include "value/convert.h"

// --- the execution ------------------------------------------------------------------------------

static void fold_created(Engine *engine, const Event *event) {
    Arena *arena = &engine->arena;
    engine->id = fold_keep(engine, event->id);
    engine->created_ms = engine->watched_ms = event->time_ms;
    if (event->value.kind == VALUE_MAP) engine->inputs = value_copy(arena, event->value);
    engine->created = value_copy(arena, event->more);
    engine->attempt = (int32_t)value_map_get_int(event->more, STR("attempt"), 1);
    const Value *labels = value_map_get(event->more, STR("labels"));
    if (labels != NULL) fold_merge(arena, engine->labels, *labels, false);
    Str variables = plan_text(engine->plan, engine->plan->flow.variables);
    Value parsed;
    if (variables.len > 0 &&
        json_parse(variables, (JsonLimits){0}, arena, &parsed).code == ERR_NONE &&
        parsed.kind == VALUE_MAP) {
        engine->variables = parsed;
    }
    // A replay begins with those that the tasks before it have set.
    const Value *taken = value_map_get(engine->created, STR("variables"));
    if (taken != NULL && taken->kind == VALUE_MAP) engine->variables = value_copy(arena, *taken);
    engine_add_state(engine, STATE_CREATED, event->time_ms);
    engine->is_held = event->state == STATE_QUEUED;
    if (event->state == STATE_QUEUED || state_is_terminal(event->state)) {
        engine_add_state(engine, event->state, event->time_ms);
        engine->text = fold_keep(engine, event->text);
    }
}

static void fold_state(Engine *engine, const Event *event) {
    if (event->text.len > 0) engine->text = fold_keep(engine, event->text);
    engine_add_state(engine, event->state, event->time_ms);
}

static void fold_kill(Engine *engine, const Event *event) {
    if (state_is_terminal(engine->state)) {
        engine->after_is_killed = true;
    } else {
        const Value *cascade = value_map_get(event->value, STR("cascade"));
        engine->ending = (Ending){
            .is_active = true,
            .cancels = true,
            .keeps_children =
                cascade != NULL && cascade->kind == VALUE_BOOL && !cascade->as.boolean,
            .state = state_is_terminal(event->state) ? event->state : STATE_KILLED,
            .run = NO_RUN,
            .text = fold_keep(engine, event->text),
        };
        engine->is_held = engine->is_paused = false;
    }
    for (uint32_t i = ROOT; i != NO_RUN; i = run_next_here(engine, i)) {
        run_of(engine, i)->cancel_is_asked = false;
    }
    run_touch_live(engine);
}

static void fold_ending(Engine *engine, const Event *event) {
    if (engine->ending.is_active || state_is_terminal(engine->state)) return;
    if (!state_is_terminal(event->state)) return;  // damaged
    engine->ending = (Ending){
        .is_active = true,
        .cancels = event->index == 1,
        .state = event->state,
        .run = run_id_is_none(event->run) ? NO_RUN : fold_find_run(engine, event->run),
        .text = fold_keep(engine, event->text),
        .retry_id = fold_keep(engine, event->id),
        .retry_attempt = event->attempt,
    };
    engine->is_paused = false;
    run_touch_live(engine);
}

static void fold_sla(Engine *engine, const Event *event) {
    if (event->index < 0 || event->index >= engine->plan->sla_count) return;
    engine->slas[event->index].is_handled = true;
    if (!state_is_terminal(event->state) || engine->ending.is_active) return;
    engine->ending = (Ending){
        .is_active = true,
        .cancels = true,
        .state = event->state,
        .run = NO_RUN,
        .text = fold_keep(engine, event->text),
    };
    engine->is_paused = false;
    run_touch_live(engine);
}

static void fold_resumed(Engine *engine, const Event *event) {
    if (run_id_is_none(event->run)) {
        engine->is_held = engine->is_paused = false;
        run_touch_live(engine);
        return;
    }
    uint32_t number = fold_find_run(engine, event->run);
    if (number == NO_RUN) return;
    Run *run = run_of(engine, number);
    bool waits = run->state == STATE_PAUSED && node_of(engine, run)->kind == NODE_PAUSE;
    if (!waits || run->is_resumed || run->is_unknown) return;
    run->is_resumed = true;
    run->timer_is_set = false;
    Value outputs = pause_outputs(&engine->arena, STATE_SUCCESS, event->time_ms);
    if (event->value.kind == VALUE_MAP)
        value_map_set(&engine->arena, outputs, STR("onResume"), event->value);
    fold_set_outputs(engine, run, outputs);
    fold_change_state(engine, number, STATE_RUNNING, event->time_ms);
    if (engine->paused == 0 && !engine->is_paused && engine->state == STATE_PAUSED) {
        engine_add_state(engine, STATE_RESTARTED, event->time_ms);
    }
}

static void fold_vars(Engine *engine, const Event *event) {
    const Value *set = value_map_get(event->value, STR("set"));
    if (set != NULL) fold_merge(&engine->arena, engine->variables, *set, true);
    const Value *unset = value_map_get(event->value, STR("unset"));
    for (uint32_t i = 0; unset != NULL && unset->kind == VALUE_LIST && i < unset->as.list->count;
         i++) {
        if (unset->as.list->items[i].kind != VALUE_TEXT) continue;
        Str rest = unset->as.list->items[i].as.text;
        Value at = engine->variables;
        Str part;
        while (str_split(&rest, '.', &part)) {
            if (rest.len == 0) {
                value_map_remove(at, part);
                break;
            }
            const Value *inner = value_map_get(at, part);
            if (inner == NULL) break;
            at = *inner;
        }
    }
}

static void fold_outputs(Engine *engine, const Event *event) {
    engine->outputs_are_known = true;
    engine->outputs_failed = event->is_error;
    if (event->is_error) {
        if (engine->text.len == 0) engine->text = fold_keep(engine, event->text);
    } else {
        engine->outputs = value_copy(&engine->arena, event->value);
        engine->has_outputs = event->value.kind != VALUE_NULL;
    }
    run_touch(engine, ROOT);
}

// --- runs and frames ----------------------------------------------------------------------------

static void fold_taskrun(Engine *engine, const Event *event) {
    uint32_t number = fold_add_run(engine, event, STATE_CREATED);
    if (number == NO_RUN) return;
    Run *run = run_of(engine, number);
    *LIST_ADD(&engine->arena, &run->history, StateChange) =
        (StateChange){STATE_CREATED, event->time_ms};
    run_touch(engine, number);
}

static void fold_frame(Engine *engine, const Event *event) {
    uint32_t loop = fold_find_run(engine, event->run);
    uint32_t parent = fold_find_frame(engine, event->parent);
    Level *level = loop == NO_RUN ? NULL : run_of(engine, loop)->level;
    bool fits = level != NULL && (parent != NO_FRAME) == !run_id_is_none(event->parent) &&
                event->index >= 0 && event->index < ITERATIONS_MAX && !run_id_is_none(event->frame);
    if (!fits) {
        engine_set_fault(engine, "iteration %lld does not fit into this flow",
                         (long long)event->index);
        return;
    }
    const Run *run = run_of(engine, loop);
    bool is_pass = node_of(engine, run)->kind == NODE_LOOP_UNTIL;
    if (is_pass) fold_clear_level(engine, loop);  // the last pass is visible
    uint32_t frame = table_add_frame(engine, (Frame){
                                                 .id = event->frame,
                                                 .parent = parent,
                                                 .loop = loop,
                                                 .index = event->index,
                                                 .text = fold_keep(engine, event->text),
                                                 .key = fold_keep(engine, event->task),
                                             });
    uint32_t place = is_pass ? 0 : (uint32_t)event->index;
    while (level->frames.count <= place) {
        *LIST_ADD(&engine->arena, &level->frames, uint32_t) = 0;
    }
    level->frames.items[place] = frame;
    if (is_pass) level->passes = (uint32_t)event->index + 1;
    if (run_has_iterations(engine, run)) level->tally[ROLE_TASKS].created++;
    run_touch(engine, loop);
}

static void fold_taskstate(Engine *engine, const Event *event) {
    uint32_t number = fold_find_run(engine, event->run);
    if (number == NO_RUN) return;
    Run *run = run_of(engine, number);
    if (!run_id_is_none(event->frame)) {  // the end of an iteration
        uint32_t at = fold_find_frame(engine, event->frame);
        if (at == NO_FRAME || frame_of(engine, at)->loop != number) return;
        Frame *frame = frame_of(engine, at);
        if (event->value.kind != VALUE_NULL) {
            frame->outputs = value_copy(&engine->arena, event->value);
            frame->has_outputs = true;
        }
        fold_end_frame(engine, at, event->state);
        return;
    }
    fold_set_outputs(engine, run, event->value);
    if (event->text.len > 0) run->message = fold_keep(engine, event->text);
    if (event->is_error) run->has_failed = true;
    uint8_t kind = node_of(engine, run)->kind;
    bool chooses = kind == NODE_IF || kind == NODE_SWITCH;
    if (chooses && event->state == STATE_RUNNING) run->branch = (int32_t)event->index;
    if (run->attempts.count > 0 && state_is_terminal(event->state)) {
        run->attempts.items[run->attempts.count - 1].is_decided = true;
    }
    fold_change_state(engine, number, event->state, event->time_ms);
    run_touch(engine, number);
}

static Slot *new_slot(Engine *engine, const Event *event) {
    Slot *slot = arena_new(&engine->arena, Slot);
    *slot = (Slot){
        .slot = event->slot,
        .is_error = event->is_error,
        .text = fold_keep(engine, event->text),
        .value = value_copy(&engine->arena, event->value),
    };
    return slot;
}

// Which of several evaluations of a slot is meant now: the attempt, the pass. One is under way at a
// time.
int64_t slot_turn(const Engine *engine, const Run *run, uint32_t slot) {
    if (slot == SLOT_TIMEOUT) return (int64_t)run->attempts.count + 1;
    bool is_pass = slot == SLOT_A && node_of(engine, run)->kind == NODE_LOOP_UNTIL;
    return is_pass ? (int64_t)run->level->passes : 0;
}

static void fold_resolved(Engine *engine, const Event *event) {
    if (run_id_is_none(event->run)) {
        bool fits =
            event->slot == SLOT_SLA && event->index >= 0 && event->index < engine->plan->sla_count;
        if (!fits) return;
        SlaState *sla = &engine->slas[event->index];
        Arena scratch = {0};
        Str text = value_to_text(&scratch, event->value);
        sla->is_error = event->is_error;
        sla->is_violated = !event->is_error && !condition_is_true(text);
        sla->is_asked = false;
        sla->seen = engine->changes + 1;
        arena_release(&scratch);
        run_touch(engine, ROOT);
        return;
    }
    uint32_t number = fold_find_run(engine, event->run);
    if (number == NO_RUN) return;
    Run *run = run_of(engine, number);
    if (state_is_terminal(run->state) || event->slot > SLOT_SLA) return;
    if (!run_id_is_none(event->frame)) {
        uint32_t at = fold_find_frame(engine, event->frame);
        if (at == NO_FRAME || frame_of(engine, at)->loop != number) return;
        Frame *frame = frame_of(engine, at);
        if (state_is_terminal(frame->state)) return;
        frame->slot = new_slot(engine, event);
        if (!frame->is_ready && run->level->is_built) {
            frame->is_ready = true;
            least_push(&engine->arena, &run->level->ready, (uint32_t)frame->index);
        }
        run_touch(engine, number);
        return;
    }
    Slot **link = &run->slots;
    while (*link != NULL && (*link)->slot != event->slot) link = &(*link)->next;
    Slot *slot = new_slot(engine, event);
    slot->next = *link == NULL ? NULL : (*link)->next;
    slot->index = slot_turn(engine, run, event->slot);
    *link = slot;
    run->asked &= ~(1u << event->slot);
    run_touch(engine, number);
}

// --- one event ----------------------------------------------------------------------------------

// NOLINTNEXTLINE(readability-function-size): one line per kind of event
static void fold_kind(Engine *engine, const Event *event) {
    switch (event->kind) {
    case EVENT_CREATED:
        fold_created(engine, event);
        break;
    case EVENT_STATE:
        fold_state(engine, event);
        break;
    case EVENT_TASKRUN:
        fold_taskrun(engine, event);
        break;
    case EVENT_FRAME:
        fold_frame(engine, event);
        break;
    case EVENT_TASKSTATE:
        fold_taskstate(engine, event);
        break;
    case EVENT_RESOLVED:
        fold_resolved(engine, event);
        break;
    case EVENT_STARTED:
        fold_started(engine, event);
        break;
    case EVENT_CHECKPOINT:
        fold_checkpoint(engine, event);
        break;
    case EVENT_ENDED:
    case EVENT_DONE:
        fold_ended(engine, event);
        break;
    case EVENT_RETRY_AT:
        fold_retry_at(engine, event);
        break;
    case EVENT_TIMER_SET:
        fold_timer_set(engine, event);
        break;
    case EVENT_FIRED:
        fold_fired(engine, event);
        break;
    case EVENT_PAUSED:
        fold_paused(engine, event);
        break;
    case EVENT_RESUMED:
        fold_resumed(engine, event);
        break;
    case EVENT_CHILD:
        fold_child(engine, event);
        break;
    case EVENT_CHILD_ENDED:
        fold_child_ended(engine, event);
        break;
    case EVENT_KILL:
        fold_kill(engine, event);
        break;
    case EVENT_RESTARTED:
    case EVENT_MARKED:
        fold_restarted(engine, event);
        break;
    case EVENT_COPIED:
        fold_copied(engine, event);
        break;
    case EVENT_UNKNOWN:
        fold_unknown(engine, event);
        break;
    case EVENT_UNKNOWN_RESOLVED:
        fold_unknown_resolved(engine, event);
        break;
    case EVENT_VARS:
        fold_vars(engine, event);
        break;
    case EVENT_LABELS:
        fold_merge(&engine->arena, engine->labels, event->value, false);
        break;
    case EVENT_OUTPUTS:
        fold_outputs(engine, event);
        break;
    case EVENT_SLA:
        fold_sla(engine, event);
        break;
    case EVENT_OWNER:
        break;
    case EVENT_PAUSE:
        engine->is_paused = !state_is_terminal(engine->state);
        run_touch(engine, ROOT);
        break;
    case EVENT_ENDING:
        fold_ending(engine, event);
        break;
    case EVENT_KIND_END:
        break;
    }
}

void engine_apply(Engine *engine, const Event *event) {
    if (engine->fault[0] != 0) return;
    bool is_next = event->seq == 0 || engine->last_seq == 0 || event->seq == engine->last_seq + 1;
    if (!is_next) {
        engine_set_fault(engine, "event %lld cannot follow event %lld", (long long)event->seq,
                         (long long)engine->last_seq);
        return;
    }
    bool has_begun = engine->history.count > 0;
    if (has_begun == (event->kind == EVENT_CREATED)) {
        engine_set_fault(engine, "%s cannot be event %lld of an execution",
                         event_kind_name(event->kind), (long long)(engine->last_seq + 1));
        return;
    }
    engine->last_seq = event->seq != 0 ? event->seq : engine->last_seq + 1;
    engine->steps++;
    fold_kind(engine, event);
}
