// state.c - an engine's life, and the changes of its state that keep the counters right.
//
// Every change of a run's state goes through fold_change_state, which keeps the counters of the
// level and of the iteration above it; so a transition costs the same however many siblings there
// are.
#include <stdio.h>
#include <string.h>

#include "engine/fold.h"

// --- life ---------------------------------------------------------------------------------------

static void index_nodes(Engine *engine) {
    const Plan *plan = engine->plan;
    uint32_t size = 8;
    while (size < plan->node_count * 2) size *= 2;
    engine->node_by_id = arena_array(&engine->arena, uint32_t, size);
    engine->node_by_id_size = size;
    for (uint32_t i = 0; i < plan->node_count; i++) {
        uint32_t at = str_hash(plan_text(plan, plan->nodes[i].id)) & (size - 1);
        while (engine->node_by_id[at] != 0) at = (at + 1) & (size - 1);
        engine->node_by_id[at] = i + 1;
    }
}

static void index_dependants(Engine *engine) {
    const Plan *plan = engine->plan;
    uint32_t *first = arena_array(&engine->arena, uint32_t, plan->node_count + 2);
    uint32_t total = 0;
    for (uint32_t i = 0; i < plan->node_count; i++) {
        const PlanNode *node = &plan->nodes[i];
        for (uint32_t d = 0; d < node->dep_count; d++) {
            first[plan->deps[node->deps - 1 + d].node + 2]++;
            total++;
        }
    }
    for (uint32_t i = 2; i < plan->node_count + 2; i++) first[i] += first[i - 1];
    engine->dependants = arena_array(&engine->arena, uint32_t, total);
    for (uint32_t i = 0; i < plan->node_count; i++) {
        const PlanNode *node = &plan->nodes[i];
        for (uint32_t d = 0; d < node->dep_count; d++) {
            uint32_t at = first[plan->deps[node->deps - 1 + d].node + 1]++;
            engine->dependants[at] = i;
        }
    }
    engine->dependant_first = first;  // of node n: first[n] … first[n + 1]
}

void engine_start_plan(Engine *engine, const Plan *plan) {
    engine->plan = plan;
    index_nodes(engine);
    index_dependants(engine);
    engine->slas = arena_array(&engine->arena, SlaState, plan->sla_count);
}

Engine *engine_new(const Plan *plan) {
    Arena arena = {0};
    Engine *engine = arena_new(&arena, Engine);
    engine->arena = arena;
    engine_start_plan(engine, plan);
    table_add_frame(engine, (Frame){.is_dropped = true});  // number 0 is "none"
    Run root = {.state = STATE_RUNNING, .branch = -1};
    root.level = arena_new(&engine->arena, Level);
    table_add_run(engine, root);
    engine->ending.run = NO_RUN;
    engine->inputs = value_map(&engine->arena);
    engine->labels = value_map(&engine->arena);
    engine->variables = value_map(&engine->arena);
    return engine;
}

void engine_free(Engine *engine) {
    if (engine == NULL) return;
    Arena arena = engine->arena;
    arena_release(&arena);
}

size_t engine_memory(const Engine *engine) {
    return engine->arena.total;
}

const char *engine_fault(const Engine *engine) {
    return engine->fault[0] == 0 ? NULL : engine->fault;
}

void engine_set_fault(Engine *engine, const char *format, ...) {
    if (engine->fault[0] != 0) return;
    va_list args;
    va_start(args, format);
    vsnprintf(engine->fault, sizeof engine->fault, format, args);
    va_end(args);
}

// --- what follows from the plan -----------------------------------------------------------------

bool node_is_level(const PlanNode *node, uint32_t part) {
    switch ((NodeKind)node->kind) {
    case NODE_SEQUENCE:
    case NODE_PARALLEL:
    case NODE_DAG:
    case NODE_IF:
    case NODE_SWITCH:
    case NODE_FOREACH:
    case NODE_LOOP:
    case NODE_LOOP_UNTIL:
    case NODE_PAUSE:
        return true;
    case NODE_ITEMS:
        return part == PART_WHOLE || part == PART_ITEMS;
    case NODE_SUBFLOW:
    case NODE_UPDATE:
    case NODE_TIMER:
    case NODE_TASK:
    case NODE_KIND_COUNT:
        return false;
    }
    return false;
}

Role node_role(const Engine *engine, uint32_t number) {
    const PlanNode *node = &engine->plan->nodes[number];
    if (node->list == LIST_ERRORS) return ROLE_ERRORS;
    if (node->list == LIST_FINALLY) return ROLE_FINALLY;
    if (node->list != LIST_EXTRA || node->parent == 0) return ROLE_TASKS;
    uint8_t kind = engine->plan->nodes[node->parent - 1].kind;
    return kind == NODE_IF || kind == NODE_SWITCH ? ROLE_TASKS : ROLE_EXTRA;
}

// Iterations that end one by one: their tasks are counted in the frame, they themselves in the
// level.
bool run_has_iterations(const Engine *engine, const Run *run) {
    uint8_t kind = node_of(engine, run)->kind;
    return kind == NODE_LOOP || (kind == NODE_ITEMS && run->part == PART_ITEMS);
}

static bool is_in_iteration(const Engine *engine, const Run *run) {
    const Run *parent = run_of(engine, run->parent);
    uint8_t kind = node_of(engine, parent)->kind;
    return run->role == ROLE_TASKS && (kind == NODE_FOREACH || kind == NODE_LOOP);
}

bool run_is_in_pass(const Engine *engine, const Run *run) {
    return run->role == ROLE_TASKS && run->parent != ROOT &&
           node_of(engine, run_of(engine, run->parent))->kind == NODE_LOOP_UNTIL;
}

bool run_has_value(const Engine *engine, const Run *run) {
    return run->parent != ROOT && is_in_iteration(engine, run);
}

const Slot *slot_find(const Run *run, uint32_t slot) {
    const Slot *found = run->slots;
    while (found != NULL && found->slot != slot) found = found->next;
    return found;
}

const Value *slot_value(const Engine *const_engine, const Slot *slot) {
    Engine *engine = (Engine *)const_engine;  // it holds the same as before
    Slot *it = (Slot *)slot;
    bool is_read = it->raw.len == 0 || it->value.kind != VALUE_NULL;
    if (!is_read && !snapshot_read_kept(engine, it->raw, &it->value)) {
        engine_set_fault(engine, "a value of its snapshot is damaged");
    }
    return &it->value;
}

// --- changes ------------------------------------------------------------------------------------

void run_touch(Engine *engine, uint32_t number) {
    Run *run = run_of(engine, number);
    if (run->is_queued || run->is_dropped) return;
    run->is_queued = true;
    *LIST_ADD(&engine->arena, &engine->queue, uint32_t) = number;
}

void run_touch_live(Engine *engine) {
    for (uint32_t i = ROOT; i != NO_RUN; i = run_next_here(engine, i)) {
        const Run *run = run_of(engine, i);
        if (i == ROOT || (!run->is_dropped && !state_is_terminal(run->state))) run_touch(engine, i);
    }
}

Str fold_keep(Engine *engine, Str text) {
    return text.len == 0 ? (Str){0} : str_dup(&engine->arena, text);
}

void engine_add_state(Engine *engine, State state, int64_t time_ms) {
    engine->state = state;
    *LIST_ADD(&engine->arena, &engine->history, StateChange) = (StateChange){state, time_ms};
    run_touch(engine, ROOT);
}

static void count(Tally *tally, State state, int by) {
    if (!state_is_terminal(state)) return;
    tally->terminal += (uint32_t)by;
    if (state == STATE_FAILED) tally->failed += (uint32_t)by;
    if (state == STATE_KILLED) tally->killed += (uint32_t)by;
    if (state == STATE_WARNING) tally->warning += (uint32_t)by;
}

static void count_run(Engine *engine, const Run *run, State state, int by) {
    const Run *parent = run_of(engine, run->parent);
    fold_change_run(engine, run->parent);
    if (is_in_iteration(engine, run)) {
        count(&frame_of(engine, run->frame)->tally, state, by);
        fold_change_frame(engine, run->frame);
    }
    if (run->role == ROLE_TASKS && run_has_iterations(engine, parent)) return;
    count(&parent->level->tally[run->role], state, by);
}

static void count_created(Engine *engine, const Run *run, int by) {
    const Run *parent = run_of(engine, run->parent);
    if (is_in_iteration(engine, run)) {
        frame_of(engine, run->frame)->tally.created += (uint32_t)by;
    }
    if (run->role == ROLE_TASKS && run_has_iterations(engine, parent)) return;
    parent->level->tally[run->role].created += (uint32_t)by;
}

static void count_shown(Engine *engine, State state, int by) {
    if (state == STATE_PAUSED) engine->paused += (uint32_t)by;
    if (state == STATE_RETRYING) engine->retrying += (uint32_t)by;
}

// Scratch of the level above, where it has been built: who may start now.
static void release_waiting(Engine *engine, const Run *run) {
    const Run *parent = run_of(engine, run->parent);
    Level *level = parent->level;
    if (!level->is_built || run->role != ROLE_TASKS) return;
    uint8_t kind = node_of(engine, parent)->kind;
    if (kind == NODE_DAG) {
        uint32_t end = engine->dependant_first[run->node + 1];
        for (uint32_t i = engine->dependant_first[run->node]; i < end; i++) {
            uint32_t child = engine->dependants[i];
            if (--level->waiting[child - parent->node] > 0) continue;
            least_push(&engine->arena, &level->ready, child);
        }
    } else if (is_in_iteration(engine, run)) {
        Frame *frame = frame_of(engine, run->frame);
        if (frame->is_ready) return;
        frame->is_ready = true;
        least_push(&engine->arena, &level->ready, (uint32_t)frame->index);
    }
}

void fold_change_state(Engine *engine, uint32_t number, State state, int64_t time_ms) {
    Run *run = run_of(engine, number);
    State old = run->state;
    if (old == state || number == ROOT) return;
    bool was_over = state_is_terminal(old);
    bool is_over = state_is_terminal(state);
    run->state = (uint8_t)state;
    fold_change_run(engine, number);
    *LIST_ADD(&engine->arena, &run->history, StateChange) = (StateChange){state, time_ms};
    count_shown(engine, old, -1);
    count_shown(engine, state, 1);
    count_run(engine, run, old, -1);
    count_run(engine, run, state, 1);
    if (was_over != is_over) run_of(engine, run->parent)->level->live += is_over ? UINT32_MAX : 1;
    if (is_over) {
        run->timer_is_set = false;
        run->properties = run->checkpoint = value_null();
        engine->changes++;
        if (!was_over) release_waiting(engine, run);
        run_touch(engine, run->parent);
    }
    if (state == STATE_PAUSED || old == STATE_PAUSED || state == STATE_RETRYING ||
        old == STATE_RETRYING || is_over) {
        run_touch(engine, ROOT);
    }
    run_touch(engine, number);
}

void fold_end_frame(Engine *engine, uint32_t number, State state) {
    Frame *frame = frame_of(engine, number);
    fold_change_frame(engine, number);
    Tally *tally = &run_of(engine, frame->loop)->level->tally[ROLE_TASKS];
    fold_change_run(engine, frame->loop);
    count(tally, frame->state, -1);
    count(tally, state, 1);
    frame->state = (uint8_t)state;
    run_touch(engine, frame->loop);
}

// Drops what stands in a level, with its iterations.
void fold_clear_level(Engine *engine, uint32_t number) {
    Level *level = run_of(engine, number)->level;
    if (level == NULL) return;
    uint32_t child = level->first_child;
    while (child != 0) {
        uint32_t next = run_of(engine, child)->next_child;
        fold_drop_run(engine, child);
        child = next;
    }
    for (uint32_t i = 0; i < level->frames.count; i++) {
        uint32_t frame = level->frames.items[i];
        if (frame == NO_FRAME) continue;
        frame_of(engine, frame)->is_dropped = true;
        fold_change_frame(engine, frame);
    }
    fold_change_run(engine, number);
    memset(level, 0, sizeof *level);
}

void fold_drop_run(Engine *engine, uint32_t number) {
    Run *run = run_of(engine, number);
    if (run->is_dropped) return;
    fold_clear_level(engine, number);
    count_run(engine, run, run->state, -1);
    count_created(engine, run, -1);
    count_shown(engine, run->state, -1);
    if (!state_is_terminal(run->state)) run_of(engine, run->parent)->level->live--;
    run->is_dropped = true;
    fold_change_run(engine, number);
    engine->order_is_stale = true;
}

// Takes dropped runs out of the list of children.
void fold_purge(Engine *engine, uint32_t number) {
    Level *level = run_of(engine, number)->level;
    uint32_t *link = &level->first_child;
    uint32_t holder = number;
    while (*link != 0) {
        Run *child = run_of(engine, *link);
        if (child->is_dropped) {
            *link = child->next_child;
            fold_change_run(engine, holder);
        } else {
            holder = *link;
            link = &child->next_child;
        }
    }
    level->is_built = false;
}

void fold_merge(Arena *arena, Value into, Value from, bool is_deep) {
    for (uint32_t i = 0; from.kind == VALUE_MAP && i < from.as.map->count; i++) {
        Str key = from.as.map->members[i].key;
        Value value = from.as.map->members[i].value;
        const Value *old = value_map_get(into, key);
        if (is_deep && old != NULL && old->kind == VALUE_MAP && value.kind == VALUE_MAP) {
            fold_merge(arena, *old, value, true);
        } else {
            value_map_set(arena, into, old != NULL ? key : str_dup(arena, key),
                          value_copy(arena, value));
        }
    }
}

void fold_set_outputs(Engine *engine, Run *run, Value value) {
    if (value.kind == VALUE_NULL) return;
    run->outputs = value_copy(&engine->arena, value);
    run->has_outputs = true;
}

// --- a new run ----------------------------------------------------------------------------------

static uint32_t find_node(Engine *engine, const Event *event) {
    Str task = event->task;
    static const char *const suffix[] = {"", "_split", "_items", "_merge"};
    if (event->slot > PART_MERGE) return UINT32_MAX;
    if (!str_ends_with(task, str_from(suffix[event->slot]))) return UINT32_MAX;
    task.len -= strlen(suffix[event->slot]);
    bool is_same = event->node < engine->plan->node_count && event->node > 0 &&
                   str_eq(plan_text(engine->plan, engine->plan->nodes[event->node].id), task);
    return is_same ? event->node : node_find(engine, task);
}

uint32_t fold_add_run(Engine *engine, const Event *event, State state) {
    uint32_t node = find_node(engine, event);
    uint32_t parent = run_id_is_none(event->parent) ? ROOT : fold_find_run(engine, event->parent);
    uint32_t frame = fold_find_frame(engine, event->frame);
    bool fits = node != UINT32_MAX && node != 0 && parent != NO_RUN &&
                run_of(engine, parent)->level != NULL &&
                (frame != NO_FRAME) == !run_id_is_none(event->frame) && !run_id_is_none(event->run);
    if (fits && table_find_place(engine, node, frame, event->slot) != NO_RUN) fits = false;
    const Run *above = fits ? run_of(engine, parent) : NULL;
    if (fits) {
        bool is_part = event->slot != PART_WHOLE;
        const PlanNode *plan_node = &engine->plan->nodes[node];
        fits = is_part ? above->node == node && plan_node->kind == NODE_ITEMS
                       : plan_node->parent == above->node + 1;
    }
    if (!fits) {
        engine_set_fault(engine, "task run '" STR_FMT "' does not fit into this flow",
                         STR_ARG(event->task));
        return NO_RUN;
    }
    Run run = {
        .id = event->run,
        .node = node,
        .parent = parent,
        .frame = frame,
        .part = (uint8_t)event->slot,
        .role = (uint8_t)(event->slot != PART_WHOLE ? ROLE_TASKS : node_role(engine, node)),
        .state = (uint8_t)state,
        .branch = -1,
        // A run that a restart dropped may come again under its id: its timers are others.
        .timer_count =
            engine->attempt > 1 ? (uint32_t)(engine->attempt - 1) * TIMERS_OF_ATTEMPT : 0,
        .next_child = above->level->first_child,
    };
    if (node_is_level(&engine->plan->nodes[node], event->slot)) {
        run.level = arena_new(&engine->arena, Level);
    }
    run.task = run_task_name(engine, &run, &engine->arena);
    uint32_t number = table_add_run(engine, run);
    Run *added = run_of(engine, number);
    above->level->first_child = number;
    above->level->live += state_is_terminal(state) ? 0 : 1;
    count_created(engine, added, 1);
    count_run(engine, added, state, 1);
    count_shown(engine, state, 1);
    return number;
}
