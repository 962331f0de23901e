// level.c - which list of a level is current, what of it may start, and the state it ends with
// (flow-language.md 5.4).
//
// Differences on purpose: a level waits for siblings that run before its `errors` start, and a
// killed task ends its level without `errors` and `finally`. A task counts as failed only when its
// retries are used up: until then it is RETRYING, so `errors` never race a retry.
#include "engine/inner.h"

#include <string.h>

// --- making runs and frames ---------------------------------------------------------------------

static RunId id_or_zero(const Engine *engine, uint32_t number) {
    return number == ROOT ? (RunId){{0}} : run_of(engine, number)->id;
}

void level_create_run(Engine *engine, uint32_t parent, uint32_t node, uint32_t frame,
                      uint32_t part) {
    Run like = {.node = node, .part = (uint8_t)part};
    turn_decide(engine, (Event){.kind = EVENT_TASKRUN,
                                .run = id_of_run(engine, node, frame, part),
                                .node = node,
                                .slot = part,
                                .parent = id_or_zero(engine, parent),
                                .frame = frame_of(engine, frame)->id,
                                .task = run_task_name(engine, &like, engine->turn.arena)});
}

uint32_t level_create_frame(Engine *engine, uint32_t loop, int64_t index, Str text, Str key) {
    const Run *run = run_of(engine, loop);
    RunId id = id_of_frame(engine, loop, index, text);
    turn_decide(engine, (Event){.kind = EVENT_FRAME,
                                .run = run->id,
                                .frame = id,
                                .parent = frame_of(engine, run->frame)->id,
                                .index = index,
                                .text = text,
                                .task = key});
    return table_find_frame(engine, id);
}

// --- lists --------------------------------------------------------------------------------------

PlanRef level_head(const Engine *engine, const Run *run, Role role) {
    const PlanNode *node = node_of(engine, run);
    switch (role) {
    case ROLE_ERRORS:
        return node->errors;
    case ROLE_FINALLY:
        return node->finally;
    case ROLE_EXTRA:
        return node->extra;
    case ROLE_TASKS:
    case ROLE_COUNT:
        break;
    }
    if (node->kind == NODE_IF) {
        if (run->branch == 0) return node->body;
        return run->branch == 1 ? node->extra : 0;
    }
    if (node->kind != NODE_SWITCH) return node->body;
    if (run->branch < 0) return 0;
    if ((uint32_t)run->branch >= node->case_count) return node->extra;
    return engine->plan->cases[node->cases - 1 + (uint32_t)run->branch].head;
}

PlanRef level_next(Engine *engine, uint32_t frame, PlanRef *cursor) {
    while (*cursor != 0 && table_find_place(engine, *cursor - 1, frame, PART_WHOLE) != NO_RUN) {
        engine->steps++;
        *cursor = engine->plan->nodes[*cursor - 1].next;
    }
    return *cursor;
}

bool level_sequence(Engine *engine, uint32_t number, Role role) {
    Level *level = run_of(engine, number)->level;
    const Tally *tally = &level->tally[role];
    if (tally->terminal < tally->created) return false;
    uint32_t frame = run_of(engine, number)->frame;
    PlanRef next = level_next(engine, frame, &level->cursor[role]);
    if (next == 0) return true;
    level_create_run(engine, number, next - 1, frame, PART_WHOLE);
    return false;
}

bool level_list_is_done(const Engine *engine, uint32_t number, Role role) {
    const Run *run = run_of(engine, number);
    const Tally *tally = &run->level->tally[role];
    if (tally->terminal < tally->created) return false;
    for (PlanRef at = level_head(engine, run, role); at != 0;
         at = engine->plan->nodes[at - 1].next) {
        if (table_find_place(engine, at - 1, run->frame, PART_WHOLE) == NO_RUN) return false;
    }
    return true;
}

static int64_t read_limit(Engine *engine, uint32_t number) {
    const PlanNode *node = node_of(engine, run_of(engine, number));
    Value value;
    if (turn_need(engine, number, SLOT_A, node->leaf_a, &value) != NEED_READY) return 0;
    int64_t limit = 0;
    if (value.kind == VALUE_INT) limit = value.as.integer;
    if (value.kind == VALUE_TEXT && !str_to_int(str_trim(value.as.text), &limit)) limit = 0;
    return limit < 0 ? 0 : limit;
}

static void build_dag(Engine *engine, uint32_t number) {
    Run *run = run_of(engine, number);
    Level *level = run->level;
    const PlanNode *nodes = engine->plan->nodes;
    level->waiting = arena_array(&engine->arena, uint32_t, nodes[run->node].end - run->node);
    for (PlanRef at = nodes[run->node].body; at != 0; at = nodes[at - 1].next) {
        const PlanNode *child = &nodes[at - 1];
        uint32_t *waiting = &level->waiting[at - 1 - run->node];
        for (uint32_t d = 0; d < child->dep_count; d++) {
            uint32_t on = engine->plan->deps[child->deps - 1 + d].node;
            uint32_t other = table_find_place(engine, on, run->frame, PART_WHOLE);
            bool is_over = other != NO_RUN && state_is_terminal(run_of(engine, other)->state);
            *waiting += is_over ? 0 : 1;
        }
        bool is_new = table_find_place(engine, at - 1, run->frame, PART_WHOLE) == NO_RUN;
        if (*waiting == 0 && is_new) least_push(&engine->arena, &level->ready, at - 1);
    }
}

// Scratch from the folded state.
static void build(Engine *engine, uint32_t number) {
    Run *run = run_of(engine, number);
    Level *level = run->level;
    if (level->is_built) return;
    level->is_built = true;
    level->tasks_are_done = false;
    level->ready.count = 0;
    level->next_value = 0;
    level->pair = 0;
    for (int role = 0; role < ROLE_COUNT; role++) {
        level->cursor[role] = level_head(engine, run, (Role)role);
    }
    switch ((NodeKind)node_of(engine, run)->kind) {
    case NODE_PARALLEL:
        level->limit = read_limit(engine, number);
        break;
    case NODE_DAG:
        level->limit = read_limit(engine, number);
        build_dag(engine, number);
        break;
    case NODE_FOREACH:
    case NODE_LOOP:
        each_build(engine, number);
        break;
    case NODE_ITEMS:
        if (run->part == PART_ITEMS) batches_build(engine, number);
        break;
    case NODE_SEQUENCE:
    case NODE_IF:
    case NODE_SWITCH:
    case NODE_LOOP_UNTIL:
    case NODE_SUBFLOW:
    case NODE_PAUSE:
    case NODE_UPDATE:
    case NODE_TIMER:
    case NODE_TASK:
    case NODE_KIND_COUNT:
        break;
    }
}

// --- the tasks of a level -----------------------------------------------------------------------

static bool has_room(const Level *level) {
    const Tally *tally = &level->tally[ROLE_TASKS];
    return level->limit == 0 || tally->created - tally->terminal < level->limit;
}

static bool parallel_advance(Engine *engine, uint32_t number) {
    Level *level = run_of(engine, number)->level;
    uint32_t frame = run_of(engine, number)->frame;
    while (has_room(level)) {
        PlanRef next = level_next(engine, frame, &level->cursor[ROLE_TASKS]);
        if (next == 0) break;
        level_create_run(engine, number, next - 1, frame, PART_WHOLE);
        if (engine->fault[0] != 0) return false;
    }
    return level->tally[ROLE_TASKS].created == level->tally[ROLE_TASKS].terminal;
}

static bool dag_advance(Engine *engine, uint32_t number) {
    Level *level = run_of(engine, number)->level;
    uint32_t in = run_of(engine, number)->frame;
    while (has_room(level) && level->ready.count > 0) {
        uint32_t node = least_pop(&level->ready);
        // After a restart of what it depends on it may be there already.
        if (table_find_place(engine, node, in, PART_WHOLE) != NO_RUN) continue;
        level_create_run(engine, number, node, in, PART_WHOLE);
        if (engine->fault[0] != 0) return false;
    }
    if (level->tally[ROLE_TASKS].created != level->tally[ROLE_TASKS].terminal) return false;
    if (level_next(engine, in, &level->cursor[ROLE_TASKS]) != 0) {  // flowc checks it, too
        turn_decide(engine, (Event){.kind = EVENT_TASKSTATE,
                                    .run = run_of(engine, number)->id,
                                    .state = STATE_RUNNING,
                                    .is_error = true,
                                    .text = STR("its tasks wait for each other")});
    }
    return true;
}

// Starts what may start; true when nothing runs and nothing is left.
static bool advance(Engine *engine, uint32_t number) {
    switch ((NodeKind)node_of(engine, run_of(engine, number))->kind) {
    case NODE_SEQUENCE:
    case NODE_IF:
    case NODE_SWITCH:
    case NODE_PAUSE:
        return level_sequence(engine, number, ROLE_TASKS);
    case NODE_PARALLEL:
        return parallel_advance(engine, number);
    case NODE_DAG:
        return dag_advance(engine, number);
    case NODE_FOREACH:
        return foreach_advance(engine, number);
    case NODE_LOOP:
        return iterations_advance(engine, number, true);
    case NODE_LOOP_UNTIL:
        return until_advance(engine, number);
    case NODE_ITEMS:
        return items_advance(engine, number);
    case NODE_SUBFLOW:
    case NODE_UPDATE:
    case NODE_TIMER:
    case NODE_TASK:
    case NODE_KIND_COUNT:
        break;
    }
    return true;
}

typedef enum Choice {
    CHOICE_NOTHING,
    CHOICE_TASKS,
    CHOICE_ERRORS,
    CHOICE_FINALLY,
    CHOICE_END
} Choice;

// Failures of isolated iterations count where they are transmitted.
static bool takes_failures(const PlanNode *node) {
    return node->kind != NODE_LOOP || (node->flags & NODE_TRANSMIT_FAILED) != 0;
}

static Choice choose(Engine *engine, uint32_t number) {
    const Run *run = run_of(engine, number);
    Level *level = run->level;
    const PlanNode *node = node_of(engine, run);
    const Tally *tasks = &level->tally[ROLE_TASKS];
    if (level->tally[ROLE_FINALLY].created > 0) return CHOICE_FINALLY;
    bool is_killed = tasks->killed > 0 && takes_failures(node);
    bool is_failed = run->has_failed || (tasks->failed > 0 && takes_failures(node));
    if (level->tally[ROLE_ERRORS].created > 0 || is_failed || is_killed) {
        if (tasks->terminal < tasks->created) return CHOICE_NOTHING;
        if (is_killed) return CHOICE_END;
        const Tally *errors = &level->tally[ROLE_ERRORS];
        if (errors->terminal < errors->created) return CHOICE_NOTHING;
        if (level_next(engine, run->frame, &level->cursor[ROLE_ERRORS]) != 0) {
            return CHOICE_ERRORS;
        }
    } else if (!level->tasks_are_done) {
        return CHOICE_TASKS;
    }
    return node->finally != 0 ? CHOICE_FINALLY : CHOICE_END;
}

State level_state(const Engine *engine, const Run *run) {
    const Tally *tasks = &run->level->tally[ROLE_TASKS];
    const PlanNode *node = node_of(engine, run);
    bool takes = takes_failures(node);  // a Loop takes failures, no warnings
    State state = STATE_SUCCESS;
    if (tasks->killed > 0 && takes) {
        state = STATE_KILLED;
    } else if (run->has_failed || (tasks->failed > 0 && takes)) {
        state = STATE_FAILED;
    } else if (tasks->warning > 0 && node->kind != NODE_LOOP) {
        state = STATE_WARNING;
    }
    return run_with_flags(node, state);
}

static void end_level(Engine *engine, uint32_t number) {
    if (number == ROOT) {
        root_end(engine);
        return;
    }
    const Run *run = run_of(engine, number);
    bool is_loop = node_of(engine, run)->kind == NODE_LOOP;
    Value outputs = is_loop ? iterations_outputs(engine, number) : value_null();
    run_set_state_with(engine, number, level_state(engine, run), outputs);
}

// The files of a working directory are taken once, when its tasks have succeeded and before what
// follows them. False: not yet.
static bool has_taken_files(Engine *engine, uint32_t number) {
    const Run *run = run_of(engine, number);
    const PlanNode *node = node_of(engine, run);
    if ((node->flags & NODE_WORKDIR) == 0 || node->leaf_props == 0) return true;
    const Tally *tasks = &run->level->tally[ROLE_TASKS];
    if (run->has_outputs || run->has_failed || tasks->failed + tasks->killed > 0) return true;
    const Slot *slot = slot_find(run, SLOT_OUTPUTS);
    if (slot == NULL) {
        turn_ask(engine, number, SLOT_OUTPUTS, node->leaf_props);
        return false;
    }
    Value files = *slot_value(engine, slot);
    if (files.kind == VALUE_NULL && !slot->is_error) return true;  // it has none to take
    turn_decide(engine, (Event){.kind = EVENT_TASKSTATE,
                                .run = run->id,
                                .state = STATE_RUNNING,
                                .is_error = slot->is_error,
                                .value = files,
                                .text = slot->text});
    return true;
}

void level_step(Engine *engine, uint32_t number) {
    const Run *run = run_of(engine, number);
    Level *level = run->level;
    if (engine->is_held || engine->is_paused) return;
    build(engine, number);
    while (engine->fault[0] == 0 && !state_is_terminal(run->state)) {
        engine->steps++;
        Choice choice = choose(engine, number);
        bool is_over = choice != CHOICE_NOTHING && choice != CHOICE_TASKS;
        if (is_over && !has_taken_files(engine, number)) return;
        switch (is_over ? choose(engine, number) : choice) {
        case CHOICE_NOTHING:
            if (node_of(engine, run)->kind == NODE_LOOP) iterations_advance(engine, number, false);
            return;
        case CHOICE_TASKS:
            if (!advance(engine, number)) return;
            level->tasks_are_done = true;
            break;
        case CHOICE_ERRORS:
            level_sequence(engine, number, ROLE_ERRORS);
            return;
        case CHOICE_FINALLY:
            if (!level_sequence(engine, number, ROLE_FINALLY)) return;
            end_level(engine, number);
            return;
        case CHOICE_END:
            end_level(engine, number);
            return;
        }
    }
}

// --- beginning ----------------------------------------------------------------------------------

static void choose_branch(Engine *engine, uint32_t number, int32_t branch, Value outputs) {
    turn_decide(engine, (Event){.kind = EVENT_TASKSTATE,
                                .run = run_of(engine, number)->id,
                                .state = STATE_RUNNING,
                                .index = branch,
                                .value = outputs});
}

static bool has_else(const PlanNode *node) {
    return node->extra != 0 || (node->flags & NODE_HAS_ELSE) != 0;
}

static void begin_if(Engine *engine, uint32_t number, Value value) {
    const PlanNode *node = node_of(engine, run_of(engine, number));
    bool is_met = turn_is_true(engine, value);
    Value outputs = value_map(engine->turn.arena);
    value_map_set(engine->turn.arena, outputs, STR("evaluationResult"), value_bool(is_met));
    choose_branch(engine, number, is_met ? 0 : 1, outputs);
    // Without a branch it has nothing to do, not even its `finally`.
    if (!is_met && !has_else(node)) run_set_state(engine, number, STATE_SUCCESS, (Str){0});
}

static void begin_switch(Engine *engine, uint32_t number, Value value) {
    const PlanNode *node = node_of(engine, run_of(engine, number));
    Arena *arena = engine->turn.arena;
    Str text = value_to_text(arena, value);
    uint32_t branch = 0;
    while (branch < node->case_count) {
        const PlanCase *one = &engine->plan->cases[node->cases - 1 + branch];
        if (str_eq(plan_text(engine->plan, one->key), text)) break;
        branch++;
    }
    Value outputs = value_map(arena);
    value_map_set(arena, outputs, STR("value"), value_text(text));
    value_map_set(arena, outputs, STR("defaults"), value_bool(branch == node->case_count));
    if (branch == node->case_count && !has_else(node)) {
        Str why = str_printf(arena, "no case matches '" STR_FMT "' and there are no defaults",
                             STR_ARG(text));
        turn_decide(engine, (Event){.kind = EVENT_TASKSTATE,
                                    .run = run_of(engine, number)->id,
                                    .state = run_with_flags(node, STATE_FAILED),
                                    .value = outputs,
                                    .text = why});
        return;
    }
    choose_branch(engine, number, (int32_t)branch, outputs);
}

void level_begin(Engine *engine, uint32_t number) {
    const PlanNode *node = node_of(engine, run_of(engine, number));
    Value value;
    if (turn_need(engine, number, SLOT_A, node->leaf_a, &value) != NEED_READY) return;
    if (node->kind == NODE_SWITCH) {
        begin_switch(engine, number, value);
    } else if (node->kind == NODE_IF) {
        begin_if(engine, number, value);
    } else {
        // A working directory: what it holds is rendered once, for the driver to lay it out.
        bool has_files = node->kind == NODE_SEQUENCE && node->leaf_props != 0;
        if (has_files &&
            turn_need(engine, number, SLOT_PROPS, node->leaf_props, &value) != NEED_READY) {
            return;
        }
        run_set_state(engine, number, STATE_RUNNING, (Str){0});
    }
}
