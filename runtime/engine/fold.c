// fold.c - engine_apply: one event changes the state, nothing is decided.
//
// Every change of a run's state goes through change_state, which keeps the counters of the level
// and of the iteration above it; so a transition costs the same however many siblings there are.
// Events that are no longer wanted (of a run that was dropped or has ended) are passed over.
#include <stdio.h>
#include <string.h>

#include "engine/inner.h"
#include "value/convert.h"

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

void start_plan(Engine *engine, const Plan *plan) {
    engine->plan = plan;
    index_nodes(engine);
    index_dependants(engine);
    engine->slas = arena_array(&engine->arena, SlaState, plan->sla_count);
    table_init(engine);
}

Engine *engine_new(const Plan *plan) {
    Arena arena = {0};
    Engine *engine = arena_new(&arena, Engine);
    engine->arena = arena;
    start_plan(engine, plan);
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

void engine_fail(Engine *engine, const char *format, ...) {
    if (engine->fault[0] != 0) return;
    va_list args;
    va_start(args, format);
    vsnprintf(engine->fault, sizeof engine->fault, format, args);
    va_end(args);
}

// --- what follows from the plan -----------------------------------------------------------------

bool kind_is_level(const PlanNode *node, uint32_t part) {
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

Role role_of(const Engine *engine, uint32_t number) {
    const PlanNode *node = &engine->plan->nodes[number];
    if (node->list == LIST_ERRORS) return ROLE_ERRORS;
    if (node->list == LIST_FINALLY) return ROLE_FINALLY;
    if (node->list != LIST_EXTRA || node->parent == 0) return ROLE_TASKS;
    uint8_t kind = engine->plan->nodes[node->parent - 1].kind;
    return kind == NODE_IF || kind == NODE_SWITCH ? ROLE_TASKS : ROLE_EXTRA;
}

// Iterations that end one by one: their tasks are counted in the frame, they themselves in the
// level.
static bool has_own_iterations(const Engine *engine, const Run *run) {
    uint8_t kind = node_of(engine, run)->kind;
    return kind == NODE_LOOP || (kind == NODE_ITEMS && run->part == PART_ITEMS);
}

static bool is_in_iteration(const Engine *engine, const Run *run) {
    const Run *parent = run_of(engine, run->parent);
    uint8_t kind = node_of(engine, parent)->kind;
    return run->role == ROLE_TASKS && (kind == NODE_FOREACH || kind == NODE_LOOP);
}

bool run_has_value(const Engine *engine, const Run *run) {
    return run->parent != ROOT && is_in_iteration(engine, run);
}

const Slot *slot_find(const Run *run, uint32_t slot) {
    const Slot *found = run->slots;
    while (found != NULL && found->slot != slot) found = found->next;
    return found;
}

// --- changes ------------------------------------------------------------------------------------

void touch(Engine *engine, uint32_t number) {
    Run *run = run_of(engine, number);
    if (run->is_queued || run->is_dropped) return;
    run->is_queued = true;
    *LIST_ADD(&engine->arena, &engine->queue, uint32_t) = number;
}

void touch_live(Engine *engine) {
    for (uint32_t i = 0; i < engine->run_count; i++) {
        const Run *run = run_of(engine, i);
        if (i == ROOT || (!run->is_dropped && !state_is_terminal(run->state))) touch(engine, i);
    }
}

static Str keep(Engine *engine, Str text) {
    return text.len == 0 ? (Str){0} : str_dup(&engine->arena, text);
}

void add_state(Engine *engine, State state, int64_t time_ms) {
    engine->state = state;
    *LIST_ADD(&engine->arena, &engine->history, StateChange) = (StateChange){state, time_ms};
    touch(engine, ROOT);
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
    if (is_in_iteration(engine, run)) count(&frame_of(engine, run->frame)->tally, state, by);
    if (run->role == ROLE_TASKS && has_own_iterations(engine, parent)) return;
    count(&parent->level->tally[run->role], state, by);
}

static void count_created(Engine *engine, const Run *run, int by) {
    const Run *parent = run_of(engine, run->parent);
    if (is_in_iteration(engine, run)) {
        frame_of(engine, run->frame)->tally.created += (uint32_t)by;
    }
    if (run->role == ROLE_TASKS && has_own_iterations(engine, parent)) return;
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

static void change_state(Engine *engine, uint32_t number, State state, int64_t time_ms) {
    Run *run = run_of(engine, number);
    State old = run->state;
    if (old == state || number == ROOT) return;
    bool was_over = state_is_terminal(old);
    bool is_over = state_is_terminal(state);
    run->state = (uint8_t)state;
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
        touch(engine, run->parent);
    }
    if (state == STATE_PAUSED || old == STATE_PAUSED || state == STATE_RETRYING ||
        old == STATE_RETRYING || is_over) {
        touch(engine, ROOT);
    }
    touch(engine, number);
}

static void end_frame(Engine *engine, Frame *frame, State state) {
    count(&run_of(engine, frame->loop)->level->tally[ROLE_TASKS], frame->state, -1);
    count(&run_of(engine, frame->loop)->level->tally[ROLE_TASKS], state, 1);
    frame->state = (uint8_t)state;
    touch(engine, frame->loop);
}

static void drop_run(Engine *engine, uint32_t number);

// Drops what stands in a level, with its iterations.
static void clear_level(Engine *engine, uint32_t number) {
    Level *level = run_of(engine, number)->level;
    if (level == NULL) return;
    uint32_t child = level->first_child;
    while (child != 0) {
        uint32_t next = run_of(engine, child)->next_child;
        drop_run(engine, child);
        child = next;
    }
    for (uint32_t i = 0; i < level->frames.count; i++) {
        if (level->frames.items[i] != 0)
            frame_of(engine, level->frames.items[i])->is_dropped = true;
    }
    memset(level, 0, sizeof *level);
}

static void drop_run(Engine *engine, uint32_t number) {
    Run *run = run_of(engine, number);
    if (run->is_dropped) return;
    clear_level(engine, number);
    count_run(engine, run, run->state, -1);
    count_created(engine, run, -1);
    count_shown(engine, run->state, -1);
    if (!state_is_terminal(run->state)) run_of(engine, run->parent)->level->live--;
    run->is_dropped = true;
    engine->order_is_stale = true;
}

// Takes dropped runs out of the list of children.
static void purge_children(Engine *engine, uint32_t number) {
    Level *level = run_of(engine, number)->level;
    uint32_t *link = &level->first_child;
    while (*link != 0) {
        Run *child = run_of(engine, *link);
        if (child->is_dropped) {
            *link = child->next_child;
        } else {
            link = &child->next_child;
        }
    }
    level->is_built = false;
}

static void merge_into(Arena *arena, Value into, Value from, bool is_deep) {
    for (uint32_t i = 0; from.kind == VALUE_MAP && i < from.as.map->count; i++) {
        Str key = from.as.map->members[i].key;
        Value value = from.as.map->members[i].value;
        const Value *old = value_map_get(into, key);
        if (is_deep && old != NULL && old->kind == VALUE_MAP && value.kind == VALUE_MAP) {
            merge_into(arena, *old, value, true);
        } else {
            value_map_set(arena, into, old != NULL ? key : str_dup(arena, key),
                          value_copy(arena, value));
        }
    }
}

static void set_outputs(Engine *engine, Run *run, Value value) {
    if (value.kind == VALUE_NULL) return;
    run->outputs = value_copy(&engine->arena, value);
    run->has_outputs = true;
}

// --- the execution ------------------------------------------------------------------------------

static void apply_created(Engine *engine, const Event *event) {
    Arena *arena = &engine->arena;
    engine->id = keep(engine, event->id);
    engine->created_ms = engine->watched_ms = event->time_ms;
    if (event->value.kind == VALUE_MAP) engine->inputs = value_copy(arena, event->value);
    engine->created = value_copy(arena, event->more);
    engine->attempt = (int32_t)value_map_get_int(event->more, STR("attempt"), 1);
    const Value *labels = value_map_get(event->more, STR("labels"));
    if (labels != NULL) merge_into(arena, engine->labels, *labels, false);
    Str variables = plan_text(engine->plan, engine->plan->flow.variables);
    Value parsed;
    if (variables.len > 0 &&
        json_parse(variables, (JsonLimits){0}, arena, &parsed).code == ERR_NONE &&
        parsed.kind == VALUE_MAP) {
        engine->variables = parsed;
    }
    add_state(engine, STATE_CREATED, event->time_ms);
    engine->is_held = event->state == STATE_QUEUED;
    if (event->state == STATE_QUEUED || state_is_terminal(event->state)) {
        add_state(engine, event->state, event->time_ms);
        engine->text = keep(engine, event->text);
    }
}

static void apply_state(Engine *engine, const Event *event) {
    if (event->text.len > 0) engine->text = keep(engine, event->text);
    add_state(engine, event->state, event->time_ms);
}

static void apply_kill(Engine *engine, const Event *event) {
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
            .text = keep(engine, event->text),
        };
        engine->is_held = engine->is_paused = false;
    }
    for (uint32_t i = 1; i < engine->run_count; i++) run_of(engine, i)->cancel_is_asked = false;
    touch_live(engine);
}

static void apply_ending(Engine *engine, const Event *event) {
    if (engine->ending.is_active || state_is_terminal(engine->state)) return;
    engine->ending = (Ending){
        .is_active = true,
        .cancels = event->index == 1,
        .state = event->state,
        .run = is_zero_id(event->run) ? NO_RUN : table_find_run(engine, event->run),
        .text = keep(engine, event->text),
        .retry_id = keep(engine, event->id),
        .retry_attempt = event->attempt,
    };
    engine->is_paused = false;
    touch_live(engine);
}

static void apply_sla(Engine *engine, const Event *event) {
    if (event->index < 0 || event->index >= engine->plan->sla_count) return;
    engine->slas[event->index].is_handled = true;
    if (!state_is_terminal(event->state) || engine->ending.is_active) return;
    engine->ending = (Ending){
        .is_active = true,
        .cancels = true,
        .state = event->state,
        .run = NO_RUN,
        .text = keep(engine, event->text),
    };
    engine->is_paused = false;
    touch_live(engine);
}

static void apply_resumed(Engine *engine, const Event *event) {
    if (is_zero_id(event->run)) {
        engine->is_held = engine->is_paused = false;
        touch_live(engine);
        return;
    }
    uint32_t number = table_find_run(engine, event->run);
    if (number == NO_RUN) return;
    Run *run = run_of(engine, number);
    bool waits = run->state == STATE_PAUSED && node_of(engine, run)->kind == NODE_PAUSE;
    if (!waits || run->is_resumed || run->is_unknown) return;
    run->is_resumed = true;
    run->timer_is_set = false;
    if (event->value.kind == VALUE_MAP) {
        run->outputs = value_map(&engine->arena);
        run->has_outputs = true;
        value_map_set(&engine->arena, run->outputs, STR("onResume"),
                      value_copy(&engine->arena, event->value));
    }
    change_state(engine, number, STATE_RUNNING, event->time_ms);
    if (engine->paused == 0 && !engine->is_paused && engine->state == STATE_PAUSED) {
        add_state(engine, STATE_RESTARTED, event->time_ms);
    }
}

static void apply_vars(Engine *engine, const Event *event) {
    const Value *set = value_map_get(event->value, STR("set"));
    if (set != NULL) merge_into(&engine->arena, engine->variables, *set, true);
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

static void apply_outputs(Engine *engine, const Event *event) {
    engine->outputs_are_known = true;
    engine->outputs_failed = event->is_error;
    if (event->is_error) {
        if (engine->text.len == 0) engine->text = keep(engine, event->text);
    } else {
        engine->outputs = value_copy(&engine->arena, event->value);
        engine->has_outputs = event->value.kind != VALUE_NULL;
    }
    touch(engine, ROOT);
}

// --- runs and frames ----------------------------------------------------------------------------

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

static uint32_t add_run(Engine *engine, const Event *event, State state) {
    uint32_t node = find_node(engine, event);
    uint32_t parent = is_zero_id(event->parent) ? ROOT : table_find_run(engine, event->parent);
    uint32_t frame = table_find_frame(engine, event->frame);
    bool fits = node != UINT32_MAX && node != 0 && parent != NO_RUN &&
                run_of(engine, parent)->level != NULL &&
                (frame != NO_FRAME) == !is_zero_id(event->frame) && !is_zero_id(event->run);
    if (fits && table_find_run(engine, event->run) != NO_RUN) fits = false;
    const Run *above = fits ? run_of(engine, parent) : NULL;
    if (fits) {
        bool is_part = event->slot != PART_WHOLE;
        const PlanNode *plan_node = &engine->plan->nodes[node];
        fits = is_part ? above->node == node && plan_node->kind == NODE_ITEMS
                       : plan_node->parent == above->node + 1;
    }
    if (!fits) {
        engine_fail(engine, "task run '" STR_FMT "' does not fit into this flow",
                    STR_ARG(event->task));
        return NO_RUN;
    }
    Run run = {
        .id = event->run,
        .node = node,
        .parent = parent,
        .frame = frame,
        .part = (uint8_t)event->slot,
        .role = (uint8_t)(event->slot != PART_WHOLE ? ROLE_TASKS : role_of(engine, node)),
        .state = (uint8_t)state,
        .branch = -1,
        .next_child = above->level->first_child,
    };
    if (kind_is_level(&engine->plan->nodes[node], event->slot)) {
        run.level = arena_new(&engine->arena, Level);
    }
    run.task = task_name(engine, &run, &engine->arena);
    uint32_t number = table_add_run(engine, run);
    Run *added = run_of(engine, number);
    above->level->first_child = number;
    above->level->live += state_is_terminal(state) ? 0 : 1;
    count_created(engine, added, 1);
    count_run(engine, added, state, 1);
    count_shown(engine, state, 1);
    return number;
}

static void apply_taskrun(Engine *engine, const Event *event) {
    uint32_t number = add_run(engine, event, STATE_CREATED);
    if (number == NO_RUN) return;
    Run *run = run_of(engine, number);
    *LIST_ADD(&engine->arena, &run->history, StateChange) =
        (StateChange){STATE_CREATED, event->time_ms};
    touch(engine, number);
}

static void apply_frame(Engine *engine, const Event *event) {
    uint32_t loop = table_find_run(engine, event->run);
    uint32_t parent = table_find_frame(engine, event->parent);
    Level *level = loop == NO_RUN ? NULL : run_of(engine, loop)->level;
    bool fits = level != NULL && (parent != NO_FRAME) == !is_zero_id(event->parent) &&
                event->index >= 0 && event->index < ITERATIONS_MAX && !is_zero_id(event->frame);
    if (!fits) {
        engine_fail(engine, "iteration %lld does not fit into this flow", (long long)event->index);
        return;
    }
    const Run *run = run_of(engine, loop);
    bool is_pass = node_of(engine, run)->kind == NODE_LOOP_UNTIL;
    if (is_pass) clear_level(engine, loop);  // the last pass is visible
    uint32_t frame = table_add_frame(engine, (Frame){
                                                 .id = event->frame,
                                                 .parent = parent,
                                                 .loop = loop,
                                                 .index = event->index,
                                                 .text = keep(engine, event->text),
                                                 .key = keep(engine, event->task),
                                             });
    uint32_t place = is_pass ? 0 : (uint32_t)event->index;
    while (level->frames.count <= place) {
        *LIST_ADD(&engine->arena, &level->frames, uint32_t) = 0;
    }
    level->frames.items[place] = frame;
    if (is_pass) level->passes = (uint32_t)event->index + 1;
    if (has_own_iterations(engine, run)) level->tally[ROLE_TASKS].created++;
    touch(engine, loop);
}

static void apply_taskstate(Engine *engine, const Event *event) {
    uint32_t number = table_find_run(engine, event->run);
    if (number == NO_RUN) return;
    Run *run = run_of(engine, number);
    if (!is_zero_id(event->frame)) {  // the end of an iteration
        uint32_t at = table_find_frame(engine, event->frame);
        if (at == NO_FRAME || frame_of(engine, at)->loop != number) return;
        Frame *frame = frame_of(engine, at);
        if (event->value.kind != VALUE_NULL) {
            frame->outputs = value_copy(&engine->arena, event->value);
            frame->has_outputs = true;
        }
        end_frame(engine, frame, event->state);
        return;
    }
    set_outputs(engine, run, event->value);
    if (event->text.len > 0) run->message = keep(engine, event->text);
    if (event->is_error) run->has_failed = true;
    uint8_t kind = node_of(engine, run)->kind;
    bool chooses = kind == NODE_IF || kind == NODE_SWITCH;
    if (chooses && event->state == STATE_RUNNING) run->branch = (int32_t)event->index;
    if (run->attempts.count > 0 && state_is_terminal(event->state)) {
        run->attempts.items[run->attempts.count - 1].is_decided = true;
    }
    change_state(engine, number, event->state, event->time_ms);
    touch(engine, number);
}

static Slot *new_slot(Engine *engine, const Event *event) {
    Slot *slot = arena_new(&engine->arena, Slot);
    *slot = (Slot){
        .slot = event->slot,
        .is_error = event->is_error,
        .text = keep(engine, event->text),
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

static void apply_resolved(Engine *engine, const Event *event) {
    if (is_zero_id(event->run)) {
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
        touch(engine, ROOT);
        return;
    }
    uint32_t number = table_find_run(engine, event->run);
    if (number == NO_RUN) return;
    Run *run = run_of(engine, number);
    if (state_is_terminal(run->state) || event->slot > SLOT_SLA) return;
    if (!is_zero_id(event->frame)) {
        uint32_t at = table_find_frame(engine, event->frame);
        if (at == NO_FRAME || frame_of(engine, at)->loop != number) return;
        Frame *frame = frame_of(engine, at);
        if (state_is_terminal(frame->state)) return;
        frame->slot = new_slot(engine, event);
        if (!frame->is_ready && run->level->is_built) {
            frame->is_ready = true;
            least_push(&engine->arena, &run->level->ready, (uint32_t)frame->index);
        }
        touch(engine, number);
        return;
    }
    Slot **link = &run->slots;
    while (*link != NULL && (*link)->slot != event->slot) link = &(*link)->next;
    Slot *slot = new_slot(engine, event);
    slot->next = *link == NULL ? NULL : (*link)->next;
    slot->index = slot_turn(engine, run, event->slot);
    *link = slot;
    run->asked &= ~(1u << event->slot);
    touch(engine, number);
}

// --- attempts -----------------------------------------------------------------------------------

static Attempt *last_attempt(const Run *run) {
    return run->attempts.count == 0 ? NULL : &run->attempts.items[run->attempts.count - 1];
}

// The run an answer about an attempt is for, or NO_RUN where nothing waits for it.
static uint32_t find_attempt(Engine *engine, const Event *event, bool may_begin) {
    uint32_t number = table_find_run(engine, event->run);
    if (number == NO_RUN) return NO_RUN;
    const Run *run = run_of(engine, number);
    if (state_is_terminal(run->state)) return NO_RUN;
    int32_t count_now = (int32_t)run->attempts.count;
    const Attempt *last = last_attempt(run);
    if (last != NULL && last->state == STATE_NONE) {
        return event->attempt == 0 || event->attempt == count_now ? number : NO_RUN;
    }
    bool can_begin = may_begin && (run->state == STATE_CREATED || run->state == STATE_RESTARTED);
    return can_begin && (event->attempt == 0 || event->attempt == count_now + 1) ? number : NO_RUN;
}

// Most runs have one attempt: the first takes the place of one, not of four.
static Attempt *add_attempt(Engine *engine, Run *run) {
    if (run->attempts.capacity == 0) {
        run->attempts.items = arena_new(&engine->arena, Attempt);
        run->attempts.capacity = 1;
    }
    return LIST_ADD(&engine->arena, &run->attempts, Attempt);
}

static Attempt *begin_attempt(Engine *engine, Run *run, int64_t time_ms, bool is_started) {
    Attempt *attempt = add_attempt(engine, run);
    *attempt = (Attempt){.started_ms = time_ms, .is_started = is_started};
    run->start_is_asked = false;
    run->cancel_is_asked = false;
    return attempt;
}

static void apply_started(Engine *engine, const Event *event) {
    uint32_t number = find_attempt(engine, event, true);
    if (number == NO_RUN) return;
    Run *run = run_of(engine, number);
    Attempt *last = last_attempt(run);
    if (last != NULL && last->state == STATE_NONE) return;  // it is run again after a crash
    begin_attempt(engine, run, event->time_ms, true);
    run->properties = value_copy(&engine->arena, event->value);
    run->checkpoint = value_null();
    change_state(engine, number, STATE_RUNNING, event->time_ms);
}

static void end_attempt(Engine *engine, uint32_t number, const Event *event) {
    Run *run = run_of(engine, number);
    Attempt *last = last_attempt(run);
    if (last == NULL || last->state != STATE_NONE) {
        last = begin_attempt(engine, run, event->time_ms, event->kind == EVENT_DONE);
    }
    State state = state_is_terminal(event->state) ? event->state : STATE_FAILED;
    last->state = state;
    last->begun = event->begun;
    last->exit_code = event->exit_code;
    last->ended_ms = event->time_ms;
    last->message = keep(engine, event->text);
    last->error_class = keep(engine, event->error_class);
    set_outputs(engine, run, event->value);
    run->properties = run->checkpoint = value_null();
    change_state(engine, number, STATE_RUNNING, event->time_ms);
}

// A split of ITEMS gives its batches.
static void keep_batches(Engine *engine, Run *run, const Event *event) {
    const Value *batches = value_map_get(event->more, STR("batches"));
    if (run->part != PART_SPLIT || batches == NULL) return;
    Slot *slot = arena_new(&engine->arena, Slot);
    *slot = (Slot){.slot = SLOT_A, .value = value_copy(&engine->arena, *batches)};
    run->slots = slot;
}

static void apply_ended(Engine *engine, const Event *event) {
    uint32_t number = find_attempt(engine, event, true);
    if (number == NO_RUN) return;
    end_attempt(engine, number, event);
    Run *run = run_of(engine, number);
    keep_batches(engine, run, event);
    if (event->kind == EVENT_DONE && event->state == STATE_SUCCESS && run->attempts.count == 1) {
        last_attempt(run)->is_decided = true;
        change_state(engine, number, STATE_SUCCESS, event->time_ms);
    }
    touch(engine, number);
}

static void apply_unknown(Engine *engine, const Event *event) {
    uint32_t number = find_attempt(engine, event, false);
    if (number == NO_RUN) return;
    Run *run = run_of(engine, number);
    Attempt *last = last_attempt(run);
    last->state = STATE_KILLED;
    last->begun = BEGUN_UNKNOWN;
    last->ended_ms = event->time_ms;
    last->is_decided = true;
    last->message = keep(engine, event->text);
    last->error_class = STR("unknown");
    run->is_unknown = true;
    run->message = last->message;
    change_state(engine, number, STATE_PAUSED, event->time_ms);
}

static void apply_unknown_resolved(Engine *engine, const Event *event) {
    uint32_t number = table_find_run(engine, event->run);
    if (number == NO_RUN || !run_of(engine, number)->is_unknown) return;
    Run *run = run_of(engine, number);
    run->is_unknown = false;
    run->message = (Str){0};
    if (state_is_terminal(event->state)) {
        Attempt *last = last_attempt(run);
        last->state = event->state;
        last->is_decided = false;
        if (event->text.len > 0) last->message = keep(engine, event->text);
        set_outputs(engine, run, event->value);
        change_state(engine, number, STATE_RUNNING, event->time_ms);
    } else {
        run->properties = run->checkpoint = value_null();
        change_state(engine, number, STATE_CREATED, event->time_ms);
    }
}

// --- timers and children ------------------------------------------------------------------------

static void start_timer(Run *run, int64_t at_ms) {
    run->timer_count++;
    run->timer_at = at_ms;
    run->timer_is_set = true;
    run->timer_fired = false;
    run->timer_is_asked = false;
}

static void apply_retry_at(Engine *engine, const Event *event) {
    uint32_t number = table_find_run(engine, event->run);
    if (number == NO_RUN) return;
    Run *run = run_of(engine, number);
    if (last_attempt(run) != NULL) last_attempt(run)->is_decided = true;
    run->retry_id = keep(engine, event->text);
    start_timer(run, event->at_ms);
    change_state(engine, number, STATE_RETRYING, event->time_ms);
    touch(engine, number);
}

static void apply_timer_set(Engine *engine, const Event *event) {
    if (is_zero_id(event->run)) {
        if (event->index < 0 || event->index >= engine->plan->sla_count) return;
        SlaState *sla = &engine->slas[event->index];
        sla->at_ms = event->at_ms;
        sla->timer_is_set = true;
        touch(engine, ROOT);
        return;
    }
    uint32_t number = table_find_run(engine, event->run);
    if (number == NO_RUN) return;
    start_timer(run_of(engine, number), event->at_ms);
    touch(engine, number);
}

static void apply_fired(Engine *engine, const Event *event) {
    RunId id;
    int64_t count_of_key = 0;
    size_t dot = str_find_char(event->id, '.', 0);
    if (dot == STR_NOT_FOUND || !run_id_parse(str_slice(event->id, 0, dot), &id)) return;
    if (!str_to_int(str_slice(event->id, dot + 1, event->id.len), &count_of_key)) return;
    if (is_zero_id(id)) {
        int64_t index = count_of_key % SLA_KEYS;
        bool is_of_now = count_of_key / SLA_KEYS == engine->attempt;
        if (!is_of_now || index < 0 || index >= engine->plan->sla_count) return;
        SlaState *sla = &engine->slas[index];
        if (sla->timer_is_set) sla->timer_fired = true;
        touch(engine, ROOT);
        return;
    }
    uint32_t number = table_find_run(engine, id);
    if (number == NO_RUN) return;
    Run *run = run_of(engine, number);
    if (!run->timer_is_set || run->timer_count != (uint64_t)count_of_key) return;
    run->timer_is_set = false;
    run->timer_fired = true;
    if (run->state == STATE_RETRYING && run->retry_id.len == 0) {
        run->timer_fired = false;
        change_state(engine, number, STATE_CREATED, event->time_ms);
    }
    touch(engine, number);
}

static void apply_child(Engine *engine, const Event *event) {
    if (is_zero_id(event->run)) {  // the execution that follows this one
        engine->retry = arena_new(&engine->arena, Child);
        *engine->retry =
            (Child){.id = keep(engine, event->id), .run = NO_RUN, .attempt = event->attempt};
        touch(engine, ROOT);
        return;
    }
    uint32_t number = table_find_run(engine, event->run);
    if (number == NO_RUN) return;
    Run *run = run_of(engine, number);
    uint32_t at = table_find_frame(engine, event->frame);
    Child **place = at == NO_FRAME ? &run->child : &frame_of(engine, at)->child;
    Child *child = *place;
    if (child == NULL || !str_eq(child->id, event->id)) {
        child = arena_new(&engine->arena, Child);
        *child = (Child){.id = keep(engine, event->id), .run = number, .frame = at};
        *LIST_ADD(&engine->arena, &engine->children, Child *) = child;
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
        change_state(engine, number, STATE_RUNNING, event->time_ms);
    }
    touch(engine, number);
}

static void fill_child(Engine *engine, Child *child, const Event *event) {
    child->state = event->state == STATE_NONE ? STATE_CREATED : event->state;
    child->is_error = event->is_error;
    child->text = keep(engine, event->text);
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

static void apply_child_ended(Engine *engine, const Event *event) {
    if (is_zero_id(event->run)) {
        Child *retry = engine->retry;
        if (retry == NULL || !str_eq(retry->id, event->id)) return;
        fill_child(engine, retry, event);
        touch(engine, ROOT);
        return;
    }
    uint32_t number = table_find_run(engine, event->run);
    if (number == NO_RUN) return;
    Run *run = run_of(engine, number);
    uint32_t at = table_find_frame(engine, event->frame);
    Child *child = at == NO_FRAME ? run->child : frame_of(engine, at)->child;
    if (child == NULL || !str_eq(child->id, event->id) || child->state != STATE_NONE) return;
    fill_child(engine, child, event);
    if (at != NO_FRAME) run->level->children--;
    if (state_is_terminal(run->state)) return;
    State state = transmitted(node_of(engine, run), child);
    if (at != NO_FRAME) {
        end_frame(engine, frame_of(engine, at), state);
    } else if (last_attempt(run) != NULL && last_attempt(run)->state == STATE_NONE) {
        last_attempt(run)->state = state;
        last_attempt(run)->ended_ms = event->time_ms;
        last_attempt(run)->message = child->text;
    }
    touch(engine, number);
}

// --- restart ------------------------------------------------------------------------------------

// A failed iteration in which something runs again is under way again.
static void reopen_frames(Engine *engine, const Run *run) {
    for (uint32_t at = run->frame; at != NO_FRAME; at = frame_of(engine, at)->parent) {
        Frame *frame = frame_of(engine, at);
        bool is_over = has_own_iterations(engine, run_of(engine, frame->loop)) &&
                       state_is_terminal(frame->state);
        if (is_over) {
            end_frame(engine, frame, STATE_NONE);
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
        end_frame(engine, frame, STATE_NONE);
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
        clear_level(engine, number);
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
        Attempt *last = last_attempt(run);
        if (last->state == STATE_NONE) last->state = STATE_KILLED;
        last->is_decided = true;
    }
    reopen_frames(engine, run);
    change_state(engine, number, STATE_RESTARTED, event->time_ms);
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
            end_frame(engine, frame, STATE_NONE);
            frame->slot = NULL;
        }
    }
    reopen_frames(engine, run);
    change_state(engine, number, STATE_RUNNING, event->time_ms);
}

typedef void (*OnRun)(Engine *engine, uint32_t number, const Event *event);

static void drop_listed(Engine *engine, uint32_t number, const Event *event) {
    (void)event;
    reopen_frames(engine, run_of(engine, number));
    drop_run(engine, number);
}

static void purge_levels(Engine *engine) {
    for (uint32_t i = 0; i < engine->run_count; i++) {
        if (!run_of(engine, i)->is_dropped && run_of(engine, i)->level != NULL) {
            purge_children(engine, i);
        }
    }
}

static void for_each_listed(Engine *engine, const Event *event, Str list, OnRun on_run) {
    const Value *ids = value_map_get(event->value, list);
    for (uint32_t i = 0; ids != NULL && ids->kind == VALUE_LIST && i < ids->as.list->count; i++) {
        RunId id;
        Value item = ids->as.list->items[i];
        if (item.kind != VALUE_TEXT || !run_id_parse(item.as.text, &id)) continue;
        uint32_t number = table_find_run(engine, id);
        if (number != NO_RUN) on_run(engine, number, event);
    }
}

static void apply_restarted(Engine *engine, const Event *event) {
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
    if (labels != NULL) merge_into(&engine->arena, engine->labels, *labels, false);
    if (event->kind == EVENT_MARKED) {
        uint32_t number = table_find_run(engine, event->run);
        if (number != NO_RUN) {
            Run *run = run_of(engine, number);
            run->is_unknown = run->timer_is_set = run->start_is_asked = false;
            if (run->attempts.count > 0) last_attempt(run)->is_decided = true;
            reopen_frames(engine, run);
            change_state(engine, number, event->state, event->time_ms);
        }
        if (was_over) add_state(engine, STATE_RESTARTED, event->time_ms);
    } else {
        engine->attempt++;
        engine->watched_ms = event->time_ms;
        memset(engine->slas, 0, engine->plan->sla_count * sizeof *engine->slas);
        add_state(engine, STATE_RESTARTED, event->time_ms);
        engine->is_held = event->state == STATE_QUEUED;
        if (engine->is_held) add_state(engine, STATE_QUEUED, event->time_ms);
    }
    touch_live(engine);
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

static void apply_copied(Engine *engine, const Event *event) {
    uint32_t number = add_run(engine, event, event->state);
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
    run->message = keep(engine, event->text);
    set_outputs(engine, run, event->value);
    const Value *slots = value_map_get(event->more, STR("slots"));
    if (slots != NULL) copy_slots(engine, run, *slots);
    for (int32_t i = 0; i < event->attempt; i++) {
        *add_attempt(engine, run) =
            (Attempt){.state = state_is_terminal(event->state) ? event->state : STATE_KILLED,
                      .is_started = true,
                      .is_decided = true};
    }
    touch(engine, number);
}

// --- one event ----------------------------------------------------------------------------------

static void apply_paused(Engine *engine, const Event *event) {
    uint32_t number = table_find_run(engine, event->run);
    if (number == NO_RUN) return;
    run_of(engine, number)->message = keep(engine, event->text);
    change_state(engine, number, STATE_PAUSED, event->time_ms);
}

static void apply_checkpoint(Engine *engine, const Event *event) {
    uint32_t number = find_attempt(engine, event, false);
    if (number == NO_RUN) return;
    run_of(engine, number)->checkpoint = value_copy(&engine->arena, event->value);
}

// NOLINTNEXTLINE(readability-function-size): one line per kind of event
static void apply_kind(Engine *engine, const Event *event) {
    switch (event->kind) {
    case EVENT_CREATED:
        apply_created(engine, event);
        break;
    case EVENT_STATE:
        apply_state(engine, event);
        break;
    case EVENT_TASKRUN:
        apply_taskrun(engine, event);
        break;
    case EVENT_FRAME:
        apply_frame(engine, event);
        break;
    case EVENT_TASKSTATE:
        apply_taskstate(engine, event);
        break;
    case EVENT_RESOLVED:
        apply_resolved(engine, event);
        break;
    case EVENT_STARTED:
        apply_started(engine, event);
        break;
    case EVENT_CHECKPOINT:
        apply_checkpoint(engine, event);
        break;
    case EVENT_ENDED:
    case EVENT_DONE:
        apply_ended(engine, event);
        break;
    case EVENT_RETRY_AT:
        apply_retry_at(engine, event);
        break;
    case EVENT_TIMER_SET:
        apply_timer_set(engine, event);
        break;
    case EVENT_FIRED:
        apply_fired(engine, event);
        break;
    case EVENT_PAUSED:
        apply_paused(engine, event);
        break;
    case EVENT_RESUMED:
        apply_resumed(engine, event);
        break;
    case EVENT_CHILD:
        apply_child(engine, event);
        break;
    case EVENT_CHILD_ENDED:
        apply_child_ended(engine, event);
        break;
    case EVENT_KILL:
        apply_kill(engine, event);
        break;
    case EVENT_RESTARTED:
    case EVENT_MARKED:
        apply_restarted(engine, event);
        break;
    case EVENT_COPIED:
        apply_copied(engine, event);
        break;
    case EVENT_UNKNOWN:
        apply_unknown(engine, event);
        break;
    case EVENT_UNKNOWN_RESOLVED:
        apply_unknown_resolved(engine, event);
        break;
    case EVENT_VARS:
        apply_vars(engine, event);
        break;
    case EVENT_LABELS:
        merge_into(&engine->arena, engine->labels, event->value, false);
        break;
    case EVENT_OUTPUTS:
        apply_outputs(engine, event);
        break;
    case EVENT_SLA:
        apply_sla(engine, event);
        break;
    case EVENT_OWNER:
        break;
    case EVENT_PAUSE:
        engine->is_paused = !state_is_terminal(engine->state);
        touch(engine, ROOT);
        break;
    case EVENT_ENDING:
        apply_ending(engine, event);
        break;
    case EVENT_KIND_END:
        break;
    }
}

void engine_apply(Engine *engine, const Event *event) {
    if (engine->fault[0] != 0) return;
    bool is_next = event->seq == 0 || engine->last_seq == 0 || event->seq == engine->last_seq + 1;
    if (!is_next) {
        engine_fail(engine, "event %lld cannot follow event %lld", (long long)event->seq,
                    (long long)engine->last_seq);
        return;
    }
    bool has_begun = engine->history.count > 0;
    if (has_begun == (event->kind == EVENT_CREATED)) {
        engine_fail(engine, "%s cannot be event %lld of an execution", event_kind_name(event->kind),
                    (long long)(engine->last_seq + 1));
        return;
    }
    engine->last_seq = event->seq != 0 ? event->seq : engine->last_seq + 1;
    engine->steps++;
    apply_kind(engine, event);
}
