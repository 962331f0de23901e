// child.c - child executions: Subflow, and the batches of ForEachItem (flow-language.md 4.2, 4.4).
//
// The id of a child follows from execution, run and attempt, so it is made once however often it is
// asked for. ForEachItem is three runs of one node: the split and the merge are attempts like those
// of a task, the runs in between are iterations that end when their child does.
#include "engine/inner.h"

#include <string.h>

static Str child_id(Engine *engine, const Run *run, const Frame *frame, int32_t attempt) {
    char text[33];
    run_id_print(id_of_child(engine, run, frame, attempt), text);
    return str_dup(engine->turn.arena, str_from(text));
}

static RunId frame_id_of(const Engine *engine, const Child *child) {
    return frame_of(engine, child->frame)->id;
}

static void ask_child(Engine *engine, Child *child, Value value) {
    if (child->is_asked || child->state != STATE_NONE) return;
    child->is_asked = true;
    Action *action =
        turn_act(engine, child->is_restart ? ACTION_SIGNAL_CHILD : ACTION_SPAWN_CHILD, child->run);
    action->id = child->id;
    action->frame = frame_id_of(engine, child);
    action->attempt = child->attempt;
    if (child->frame != NO_FRAME) action->index = frame_of(engine, child->frame)->index;
    action->value = value;
    if (child->is_restart) {
        action->value = value_map(engine->turn.arena);
        value_map_set(engine->turn.arena, action->value, STR("signal"), value_text(STR("restart")));
    }
}

static void kill_child(Engine *engine, Child *child) {
    if (child->is_killed) return;
    child->is_killed = true;
    Action *action = turn_act(engine, ACTION_SIGNAL_CHILD, child->run);
    action->id = child->id;
    action->attempt = child->attempt;
    action->frame = frame_id_of(engine, child);
    action->value = value_map(engine->turn.arena);
    value_map_set(engine->turn.arena, action->value, STR("signal"), value_text(STR("kill")));
}

// The execution ends early: the child is told to end, or is watched until it has.
void child_wind_down(Engine *engine, Child *child, bool cancels) {
    if (cancels) {
        kill_child(engine, child);
        return;
    }
    Value value = value_null();
    const PlanNode *node = node_of(engine, run_of(engine, child->run));
    if (child->frame != NO_FRAME && frame_of(engine, child->frame)->slot != NULL) {
        value = *slot_value(engine, frame_of(engine, child->frame)->slot);
    } else if (turn_need(engine, child->run, SLOT_B, node->leaf_b, &value) != NEED_READY) {
        return;
    }
    ask_child(engine, child, value);
}

static void start_child(Engine *engine, uint32_t number, const Frame *frame, Str id,
                        int32_t attempt) {
    turn_decide(engine, (Event){.kind = EVENT_CHILD,
                                .run = run_of(engine, number)->id,
                                .frame = frame == NULL ? (RunId){{0}} : frame->id,
                                .id = id,
                                .attempt = attempt});
}

static bool can_restart(const PlanNode *node, const Child *child) {
    bool has_failed = child->state == STATE_FAILED || child->state == STATE_KILLED ||
                      child->state == STATE_CANCELLED;
    return has_failed && !child->is_error && (node->flags & NODE_RESTART_NEW) == 0;
}

// --- Subflow ------------------------------------------------------------------------------------

static Value outputs_of(Engine *engine, const PlanNode *node, const Child *child) {
    Arena *arena = engine->turn.arena;
    Value outputs = value_map(arena);
    value_map_set(arena, outputs, STR("executionId"), value_text(child->id));
    bool waits = (node->flags & NODE_WAIT) != 0;
    State state = waits ? child->state : STATE_CREATED;
    if (waits && !state_is_terminal(state)) return outputs;
    value_map_set(arena, outputs, STR("state"), value_text(str_from(state_name(state))));
    if (!waits) return outputs;
    if (child->has_outputs) value_map_set(arena, outputs, STR("outputs"), child->outputs);
    return outputs;
}

void subflow_begin(Engine *engine, uint32_t number) {
    Run *run = run_of(engine, number);
    const PlanNode *node = node_of(engine, run);
    Value value;
    if (turn_need(engine, number, SLOT_B, node->leaf_b, &value) != NEED_READY) return;
    int32_t attempt = (int32_t)run->attempts.count + 1;
    Child *old = run->child;
    if (run->state == STATE_RESTARTED && old != NULL && can_restart(node, old)) {
        start_child(engine, number, NULL, old->id, attempt);
    } else if (run->state == STATE_RESTARTED && old != NULL && !old->is_error &&
               (old->state == STATE_SUCCESS || old->state == STATE_WARNING)) {
        run_set_state_with(engine, number, STATE_SUCCESS, outputs_of(engine, node, old));
        return;
    } else {
        start_child(engine, number, NULL, child_id(engine, run, NULL, attempt), attempt);
    }
    if (run->child != NULL) ask_child(engine, run->child, value);
}

void subflow_step(Engine *engine, uint32_t number) {
    Run *run = run_of(engine, number);
    const PlanNode *node = node_of(engine, run);
    if (run->child == NULL || run->attempts.count == 0) return;
    const Attempt *last = &run->attempts.items[run->attempts.count - 1];
    if (last->state == STATE_NONE) {
        Value value;
        if (turn_need(engine, number, SLOT_B, node->leaf_b, &value) == NEED_READY) {
            ask_child(engine, run->child, value);
        }
    } else if (!last->is_decided) {
        Str text = last->message;
        if (text.len == 0 && last->state != STATE_SUCCESS) {
            text = str_printf(engine->turn.arena, "child execution '" STR_FMT "' ended %s",
                              STR_ARG(run->child->id), state_name(run->child->state));
        }
        Value outputs = run->child->is_error ? value_null() : outputs_of(engine, node, run->child);
        task_conclude(engine, number, last->state, text, outputs);
    }
}

// --- ForEachItem --------------------------------------------------------------------------------

void items_begin(Engine *engine, uint32_t number) {
    const Run *run = run_of(engine, number);
    const PlanNode *node = node_of(engine, run);
    if (run->part == PART_SPLIT || run->part == PART_MERGE) {
        task_begin(engine, number);
        return;
    }
    Value value;
    if (run->part == PART_WHOLE) {
        Need items = turn_need(engine, number, SLOT_A, node->leaf_a, &value);
        if (items == NEED_FAILED) return;
        Need batch = turn_need(engine, number, SLOT_C, node->leaf_c, &value);
        if (items != NEED_READY || batch != NEED_READY) return;
    }
    run_set_state(engine, number, STATE_RUNNING, (Str){0});
}

bool items_advance(Engine *engine, uint32_t number) {
    const Run *run = run_of(engine, number);
    const Tally *parts = &run->level->tally[ROLE_TASKS];
    if (parts->terminal < parts->created) return false;
    uint32_t last = (node_of(engine, run)->flags & NODE_WAIT) != 0 ? PART_MERGE : PART_ITEMS;
    for (uint32_t part = PART_SPLIT; part <= last; part++) {
        if (table_find_place(engine, run->node, run->frame, part) != NO_RUN) continue;
        level_create_run(engine, number, run->node, run->frame, part);
        return false;
    }
    return true;
}

static const ValueList *batches_of(const Engine *engine, const Run *run) {
    uint32_t split = table_find_place(engine, run->node, run->frame, PART_SPLIT);
    const Slot *slot = split == NO_RUN ? NULL : slot_find(run_of(engine, split), SLOT_A);
    const Value *value = slot == NULL ? NULL : slot_value(engine, slot);
    return value == NULL || value->kind != VALUE_LIST ? NULL : value->as.list;
}

void batches_build(Engine *engine, uint32_t number) {
    Level *level = run_of(engine, number)->level;
    level->is_built = true;
    level->ready.count = 0;
    level->next_value = level->frames.count;
    for (uint32_t i = 0; i < level->frames.count; i++) {
        if (!frame_is_here(engine, level->frames.items[i])) continue;
        Frame *frame = frame_of(engine, level->frames.items[i]);
        frame->is_ready = true;
        least_push(&engine->arena, &level->ready, i);
    }
}

static void step_batch(Engine *engine, uint32_t number, Frame *frame) {
    const Run *run = run_of(engine, number);
    const PlanNode *node = node_of(engine, run);
    if (state_is_terminal(frame->state)) return;
    Value value = value_null();
    if ((node->leaf_b & PLAN_CONSTANT) != 0 || node->leaf_b == 0) {
        if (turn_need(engine, number, SLOT_B, node->leaf_b, &value) != NEED_READY) return;
    } else if (frame->slot == NULL) {
        if (frame->is_asked) return;
        frame->is_asked = true;
        Action *action = turn_act(engine, ACTION_EVAL, number);
        action->frame = frame->id;
        action->slot = SLOT_B;
        action->leaf = node->leaf_b;
        action->index = frame->index;
        return;
    } else if (frame->slot->is_error) {
        turn_decide(engine, (Event){.kind = EVENT_TASKSTATE,
                                    .run = run->id,
                                    .frame = frame->id,
                                    .state = STATE_FAILED,
                                    .text = frame->slot->text});
        return;
    } else {
        value = *slot_value(engine, frame->slot);
    }
    Child *child = frame->child;
    if (child == NULL) {
        start_child(engine, number, frame, child_id(engine, run, frame, 1), 1);
    } else if (state_is_terminal(child->state)) {
        bool again = can_restart(node, child);
        int32_t attempt = child->attempt + 1;
        Str id = again ? child->id : child_id(engine, run, frame, attempt);
        start_child(engine, number, frame, id, attempt);
    }
    if (frame->child != NULL) ask_child(engine, frame->child, value);
}

static Value batch_outputs(Engine *engine, const Run *run, Str *why) {
    Arena *arena = engine->turn.arena;
    uint32_t counts[STATE_COUNT] = {0};
    *why = (Str){0};
    for (uint32_t i = 0; i < run->level->frames.count; i++) {
        const Frame *frame = frame_of(engine, run->level->frames.items[i]);
        const Child *child = frame->child;
        counts[child == NULL ? frame->state : child->state]++;
        if (why->len > 0 || frame->state != STATE_FAILED) continue;
        if (frame->slot != NULL && frame->slot->is_error) *why = frame->slot->text;
        if (child != NULL) *why = child->text;
    }
    Value states = value_map(arena);
    for (int state = STATE_CREATED; state < STATE_COUNT; state++) {
        if (counts[state] == 0) continue;
        value_map_set(arena, states, str_from(state_name((State)state)), value_int(counts[state]));
    }
    Value outputs = value_map(arena);
    value_map_set(arena, outputs, STR("iterations"), states);
    value_map_set(arena, outputs, STR("numberOfBatches"), value_int(run->level->frames.count));
    return outputs;
}

void batches_step(Engine *engine, uint32_t number) {
    Run *run = run_of(engine, number);
    Level *level = run->level;
    if (!level->is_built) batches_build(engine, number);
    const ValueList *batches = batches_of(engine, run);
    uint32_t count = batches == NULL ? 0 : batches->count;
    while (engine->fault[0] == 0) {
        Frame *frame = NULL;
        if (level->ready.count > 0) {
            frame = frame_of(engine, level->frames.items[least_pop(&level->ready)]);
        } else if (level->next_value < count && !engine->is_paused) {
            uint32_t index = level->next_value++;
            Str uri = value_to_text(engine->turn.arena, batches->items[index]);
            frame = frame_of(engine, level_create_frame(engine, number, index, uri, (Str){0}));
        } else {
            break;
        }
        frame->is_ready = false;
        step_batch(engine, number, frame);
        if (state_is_terminal(run->state)) return;
    }
    const Tally *tally = &level->tally[ROLE_TASKS];
    if (tally->terminal < tally->created || tally->created < count) return;
    Str why;
    Value outputs = batch_outputs(engine, run, &why);
    State state = STATE_SUCCESS;
    if (tally->warning > 0) state = STATE_WARNING;
    if (tally->killed > 0) state = STATE_KILLED;
    if (tally->failed > 0) state = STATE_FAILED;
    turn_decide(engine, (Event){.kind = EVENT_TASKSTATE,
                                .run = run->id,
                                .state = state,
                                .value = outputs,
                                .text = why});
}
