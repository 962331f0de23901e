// view.c - looking at an engine: what the log, the page, templates and the store's rows are made
// of.
#include <string.h>

#include "engine/inner.h"

State engine_state(const Engine *engine) {
    return engine->state;
}

const Plan *engine_plan(const Engine *engine) {
    return engine->plan;
}

Str engine_execution_id(const Engine *engine) {
    return engine->id;
}

int64_t engine_last_seq(const Engine *engine) {
    return engine->last_seq;
}

int32_t engine_attempt(const Engine *engine) {
    return engine->attempt;
}

const Value *engine_inputs(const Engine *engine) {
    return &engine->inputs;
}

const Value *engine_outputs(const Engine *engine) {
    return engine->has_outputs ? &engine->outputs : NULL;
}

const Value *engine_labels(const Engine *engine) {
    return &engine->labels;
}

const Value *engine_variables(const Engine *engine) {
    return &engine->variables;
}

const Value *engine_created(const Engine *engine) {
    return &engine->created;
}

uint64_t engine_steps(const Engine *engine) {
    return engine->steps;
}

// --- runs ---------------------------------------------------------------------------------------

static int64_t time_of(const Run *run, State from, State to) {
    for (uint32_t i = 0; i < run->history.count; i++) {
        State state = run->history.items[i].state;
        if (state >= from && state <= to) return run->history.items[i].time_ms;
    }
    return 0;
}

static void fill_view(const Engine *engine, const Run *run, TaskRunView *out) {
    const Frame *frame = frame_of(engine, run->frame);
    *out = (TaskRunView){
        .id = run->id,
        .frame = frame->id,
        .node = run->node,
        .task = run->task,
        .has_value = run_has_value(engine, run),
        .iteration = -1,
        .state = run->state,
        .attempts = (int32_t)run->attempts.count,
        .created_ms = run->history.count > 0 ? run->history.items[0].time_ms : 0,
        .started_ms = time_of(run, STATE_RUNNING, STATE_RUNNING),
        .message = run->message,
        .outputs = run->has_outputs ? &run->outputs : NULL,
        .metrics = run->metrics,
        .is_unknown = run->is_unknown,
    };
    if (run->parent != ROOT) out->parent = run_of(engine, run->parent)->id;
    if (state_is_terminal(run->state)) {
        out->ended_ms =
            run->history.count > 0 ? run->history.items[run->history.count - 1].time_ms : 0;
    }
    if (out->has_value) {
        out->value = frame->text;
        out->iteration = frame->index;
    } else if (run->level != NULL && run->level->passes > 1) {
        out->iteration = run->level->passes - 1;  // its own, also inside of another
    } else if (run_is_in_pass(engine, run)) {
        out->iteration = frame->index;
    }
    if (out->message.len == 0 && run->attempts.count > 0) {
        out->message = run->attempts.items[run->attempts.count - 1].message;
    }
}

bool engine_run_at(const Engine *engine, uint32_t index, TaskRunView *out) {
    uint32_t count = 0;
    const uint32_t *order = table_order(engine, &count);
    if (index >= count) return false;
    fill_view(engine, run_of(engine, order[index]), out);
    return true;
}

bool engine_next_open(const Engine *engine, uint32_t *at, TaskRunView *out) {
    while ((*at = run_next_here(engine, *at)) != NO_RUN) {
        const Run *run = run_of(engine, *at);
        if (run->is_dropped || state_is_terminal(run->state)) continue;
        fill_view(engine, run, out);
        return true;
    }
    return false;
}

bool engine_run(const Engine *engine, RunId id, TaskRunView *out) {
    uint32_t number = table_find_run(engine, id);
    if (number == NO_RUN) return false;
    fill_view(engine, run_of(engine, number), out);
    return true;
}

uint32_t engine_run_count(const Engine *engine) {
    uint32_t count = 0;
    table_order(engine, &count);
    return count;
}

const Value *engine_resolved(const Engine *engine, RunId run, EngineSlot slot) {
    uint32_t number = table_find_run(engine, run);
    const Slot *found = number == NO_RUN ? NULL : slot_find(run_of(engine, number), slot);
    return found == NULL || found->is_error ? NULL : slot_value(engine, found);
}

bool engine_attempt_at(const Engine *engine, RunId id, uint32_t index, AttemptView *out) {
    uint32_t number = table_find_run(engine, id);
    if (number == NO_RUN || index >= run_of(engine, number)->attempts.count) return false;
    const Attempt *attempt = &run_of(engine, number)->attempts.items[index];
    *out = (AttemptView){
        .state = attempt->state == STATE_NONE ? STATE_RUNNING : attempt->state,
        .begun = attempt->begun,
        .exit_code = attempt->exit_code,
        .started_ms = attempt->started_ms,
        .ended_ms = attempt->ended_ms,
        .message = attempt->message,
        .error_class = attempt->error_class,
    };
    return true;
}

uint32_t engine_history(const Engine *engine, RunId run, const StateChange **out) {
    const StateChanges *changes = &engine->history;
    if (!run_id_is_none(run)) {
        uint32_t number = table_find_run(engine, run);
        if (number == NO_RUN) return 0;
        changes = &run_of(engine, number)->history;
    }
    *out = changes->items;
    return changes->count;
}

bool engine_child_at(const Engine *engine, uint32_t index, ChildView *out) {
    if (index >= engine->children.count) return false;
    const Child *child = engine->children.items[index];
    const Frame *frame = frame_of(engine, child->frame);
    *out = (ChildView){
        .id = child->id,
        .run = run_of(engine, child->run)->id,
        .frame = frame->id,
        .index = child->frame == NO_FRAME ? -1 : frame->index,
        .state = child->state,
        .outputs = child->has_outputs ? &child->outputs : NULL,
    };
    return true;
}

static bool is_kind_of_loop(const PlanNode *node) {
    return node->kind == NODE_FOREACH || node->kind == NODE_LOOP || node->kind == NODE_LOOP_UNTIL;
}

static bool frame_has_ended(const Engine *engine, const Run *loop, uint32_t number) {
    if (number == NO_FRAME) return false;
    if (!frame_is_here(engine, number)) return true;
    const Frame *frame = frame_of(engine, number);
    bool tells = node_of(engine, loop)->kind != NODE_FOREACH;
    if (tells) return frame->state != STATE_NONE;
    return frame->tally.created > 0 && frame->tally.terminal == frame->tally.created;
}

bool engine_loop_progress(const Engine *engine, RunId id, LoopProgress *out) {
    uint32_t number = table_find_run(engine, id);
    *out = (LoopProgress){0};
    if (number == NO_RUN || number == ROOT) return false;
    const Run *run = run_of(engine, number);
    const PlanNode *node = node_of(engine, run);
    if (run->level == NULL) return false;
    if (node->kind == NODE_LOOP_UNTIL) {
        out->begun = out->total = run->level->passes;
        out->ended = out->begun == 0 || state_is_terminal(run->state) ? out->begun : out->begun - 1;
        return true;
    }
    if (!is_kind_of_loop(node) && run->part != PART_ITEMS) return false;
    for (uint32_t i = 0; i < run->level->frames.count; i++) {
        uint32_t frame = run->level->frames.items[i];
        if (frame != NO_FRAME) out->begun++;
        if (frame_has_ended(engine, run, frame)) out->ended++;
    }
    out->total = run->level->value_count > out->begun ? run->level->value_count : out->begun;
    return true;
}

// --- finding ------------------------------------------------------------------------------------

// The loops around a node, outermost first; at most as deep as a flow may nest.
enum { DEPTH_MAX = 128 };

static uint32_t loops_around(const Engine *engine, uint32_t node, uint32_t out[DEPTH_MAX]) {
    uint32_t count = 0;
    const PlanNode *nodes = engine->plan->nodes;
    while (nodes[node].parent != 0) {
        uint32_t parent = nodes[node].parent - 1;
        // Tasks of errors and finally stand beside the iterations, not in them.
        if (is_kind_of_loop(&nodes[parent]) && nodes[node].list == LIST_BODY) {
            if (count < DEPTH_MAX) out[count++] = parent;
        }
        node = parent;
    }
    for (uint32_t i = 0; i < count / 2; i++) {
        uint32_t other = out[i];
        out[i] = out[count - 1 - i];
        out[count - 1 - i] = other;
    }
    return count;
}

static uint32_t frame_with(const Engine *engine, uint32_t loop, Str value) {
    const Run *run = run_of(engine, loop);
    if (node_of(engine, run)->kind == NODE_FOREACH) {
        return table_find_frame(engine, id_of_frame(engine, loop, 0, value));
    }
    for (uint32_t i = 0; i < run->level->frames.count; i++) {  // Loop: values may repeat
        uint32_t frame = run->level->frames.items[i];
        if (frame != NO_FRAME && str_eq(frame_of(engine, frame)->text, value)) return frame;
    }
    return NO_FRAME;
}

typedef struct Path {
    uint32_t node, part;
    uint32_t frame;
    uint32_t loop;  // run of the loop whose value is missing
} Path;

static bool find_node_of(const Engine *engine, Str task, Path *path) {
    static const struct {
        const char *suffix;
        uint32_t part;
    } parts[] = {
        {"_split", PART_SPLIT},
        {"_items", PART_ITEMS},
        {"_merge", PART_MERGE},
    };
    path->node = node_find(engine, task);
    path->part = PART_WHOLE;
    if (path->node != UINT32_MAX) return path->node != ROOT;
    for (size_t i = 0; i < COUNT(parts); i++) {
        Str suffix = str_from(parts[i].suffix);
        if (!str_ends_with(task, suffix)) continue;
        path->node = node_find(engine, str_slice(task, 0, task.len - suffix.len));
        path->part = parts[i].part;
        return path->node != UINT32_MAX && engine->plan->nodes[path->node].kind == NODE_ITEMS;
    }
    return false;
}

static Lookup follow(const Engine *engine, Str task, const Str *values, uint32_t count,
                     Path *path) {
    uint32_t loops[DEPTH_MAX];
    path->frame = NO_FRAME;
    if (!find_node_of(engine, task, path)) return LOOKUP_ABSENT;
    uint32_t loop_count = loops_around(engine, path->node, loops);
    uint32_t used = 0;
    for (uint32_t i = 0; i < loop_count; i++) {
        uint32_t loop = table_find_place(engine, loops[i], path->frame, PART_WHOLE);
        if (loop == NO_RUN) return LOOKUP_ABSENT;
        const Run *run = run_of(engine, loop);
        if (node_of(engine, run)->kind == NODE_LOOP_UNTIL) {
            path->frame = run->level->passes == 0 ? NO_FRAME : run->level->frames.items[0];
        } else if (used == count) {
            path->loop = loop;
            return LOOKUP_LOOP;
        } else {
            path->frame = frame_with(engine, loop, values[used++]);
        }
        if (path->frame == NO_FRAME) return LOOKUP_ABSENT;
    }
    return used == count ? LOOKUP_FOUND : LOOKUP_ABSENT;
}

Lookup engine_find_run(const Engine *engine, Str task, const Str *values, uint32_t value_count,
                       TaskRunView *out) {
    Path path;
    Lookup lookup = follow(engine, task, values, value_count, &path);
    if (lookup != LOOKUP_FOUND) return lookup;
    uint32_t number = table_find_place(engine, path.node, path.frame, path.part);
    if (number == NO_RUN) return LOOKUP_ABSENT;
    fill_view(engine, run_of(engine, number), out);
    return LOOKUP_FOUND;
}

uint32_t engine_find_keys(const Engine *engine, Str task, const Str *values, uint32_t value_count,
                          Arena *arena, Str **keys) {
    Path path;
    *keys = NULL;
    if (follow(engine, task, values, value_count, &path) != LOOKUP_LOOP) return 0;
    const Level *level = run_of(engine, path.loop)->level;
    *keys = arena_array(arena, Str, level->frames.count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < level->frames.count; i++) {
        uint32_t frame = level->frames.items[i];
        if (frame != NO_FRAME) (*keys)[count++] = frame_of(engine, frame)->text;
    }
    return count;
}

Lookup engine_find_near(const Engine *engine, RunId from, Str task, TaskRunView *out) {
    Path path;
    if (!find_node_of(engine, task, &path)) return LOOKUP_ABSENT;
    uint32_t start = run_id_is_none(from) ? ROOT : table_find_run(engine, from);
    uint32_t frame = table_find_frame(engine, from);
    if (start == NO_RUN && frame == NO_FRAME) return LOOKUP_ABSENT;
    if (start != NO_RUN) frame = run_of(engine, start)->frame;
    for (;;) {
        uint32_t number = table_find_place(engine, path.node, frame, path.part);
        if (number != NO_RUN) {
            fill_view(engine, run_of(engine, number), out);
            return LOOKUP_FOUND;
        }
        if (frame == NO_FRAME) return LOOKUP_ABSENT;
        frame = frame_of(engine, frame)->parent;
    }
}

static uint32_t valued_frame(const Engine *engine, uint32_t frame) {
    while (frame != NO_FRAME) {
        const Run *loop = run_of(engine, frame_of(engine, frame)->loop);
        uint8_t kind = node_of(engine, loop)->kind;
        if (kind == NODE_FOREACH || kind == NODE_LOOP || kind == NODE_ITEMS) break;
        frame = frame_of(engine, frame)->parent;
    }
    return frame;
}

bool engine_frame_of(const Engine *engine, RunId id, FrameView *out) {
    uint32_t number = table_find_run(engine, id);
    if (number == NO_RUN) return false;
    uint32_t frame = valued_frame(engine, run_of(engine, number)->frame);
    return frame != NO_FRAME && engine_frame(engine, frame_of(engine, frame)->id, out);
}

bool engine_frame(const Engine *engine, RunId id, FrameView *out) {
    uint32_t number = table_find_frame(engine, id);
    if (number == NO_FRAME) return false;
    const Frame *frame = frame_of(engine, number);
    *out = (FrameView){
        .loop = run_of(engine, frame->loop)->id,
        .parent = frame_of(engine, valued_frame(engine, frame->parent))->id,
        .value = frame->text,
        .key = frame->key,
        .index = frame->index,
    };
    return true;
}

// --- reasons ------------------------------------------------------------------------------------

static int64_t ended_at(const Run *run) {
    return run->history.count == 0 ? 0 : run->history.items[run->history.count - 1].time_ms;
}

// The failed task that made its levels fail: down the failed runs, first failed first. Children
// stand newest first, so of those that ended together the first made is taken.
static uint32_t failed_below(const Engine *engine, uint32_t number) {
    uint32_t found = NO_RUN;
    for (;;) {
        const Level *level = run_of(engine, number)->level;
        uint32_t below = NO_RUN;
        for (uint32_t at = level == NULL ? 0 : level->first_child; at != 0;
             at = run_of(engine, at)->next_child) {
            const Run *run = run_of(engine, at);
            if (run->role != ROLE_TASKS || run->state != STATE_FAILED) continue;
            if (below == NO_RUN || ended_at(run) <= ended_at(run_of(engine, below))) below = at;
        }
        if (below == NO_RUN) return found;
        found = number = below;
    }
}

static uint32_t waiting_run(const Engine *engine) {
    uint32_t paused = NO_RUN;
    for (uint32_t i = ROOT; i != NO_RUN; i = run_next_here(engine, i)) {
        const Run *run = run_of(engine, i);
        if (run->is_dropped) continue;
        if (run->is_unknown) return i;
        if (paused == NO_RUN && run->state == STATE_PAUSED) paused = i;
    }
    return paused;
}

bool engine_reason(const Engine *engine, EngineReason *out) {
    *out = (EngineReason){.message = engine->text};
    uint32_t number = NO_RUN;
    if (engine->state == STATE_PAUSED) number = waiting_run(engine);
    // An output that cannot be rendered is mostly a consequence of the task that failed before it.
    bool is_by_tasks = engine->text.len == 0 || engine->outputs_failed;
    if (engine->state == STATE_FAILED && is_by_tasks) number = failed_below(engine, ROOT);
    if (number != NO_RUN) {
        TaskRunView view;
        fill_view(engine, run_of(engine, number), &view);
        *out = (EngineReason){.task = view.task, .run = view.id, .message = view.message};
        return true;
    }
    if (engine->state == STATE_PAUSED && engine->is_paused) {
        out->message = STR("paused by a person");
        return true;
    }
    return engine->text.len > 0;
}
