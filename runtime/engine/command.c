// command.c - commands of a person as outside events: kill, pause, resume, restart, replay, mark,
// resolve, force-run (flow-language.md 5.5, 5.6).
//
// What a restart resets, drops and reopens is worked out here and written into the event, so
// folding it needs no rule. Nothing is applied here.
#include "engine/inner.h"

#include <string.h>

// --- naming a task ------------------------------------------------------------------------------

enum { VALUES_MAX = 64 };

// `id`, `id[value]…`, or the id of a task run.
static Err find_task(const Engine *engine, Str task, uint32_t *out) {
    RunId id;
    *out = NO_RUN;
    if (run_id_parse(task, &id)) {
        *out = table_find_run(engine, id);
        if (*out != NO_RUN) return err_none();
    }
    Str values[VALUES_MAX];
    uint32_t count = 0;
    Str name = task;
    size_t open = str_find_char(task, '[', 0);
    if (open != STR_NOT_FOUND) {
        name = str_slice(task, 0, open);
        Str rest = str_slice(task, open, task.len);
        while (rest.len > 0 && count < VALUES_MAX) {
            size_t close = str_find(rest, STR("]["), 0);
            if (close == STR_NOT_FOUND) close = rest.len - 1;
            if (rest.ptr[0] != '[' || rest.ptr[close] != ']' || close == 0) {
                return err_make(ERR_USAGE, "'" STR_FMT "' is no task: expected id[value]",
                                STR_ARG(task));
            }
            values[count++] = str_slice(rest, 1, close);
            rest = str_slice(rest, close + 1, rest.len);
        }
    }
    TaskRunView view;
    switch (engine_find_run(engine, name, values, count, &view)) {
    case LOOKUP_FOUND:
        *out = table_find_run(engine, view.id);
        return err_none();
    case LOOKUP_LOOP:
        return err_make(ERR_USAGE,
                        "task '" STR_FMT "' stands in a loop: name its iteration as " STR_FMT
                        "[value]",
                        STR_ARG(task), STR_ARG(task));
    case LOOKUP_ABSENT:
        break;
    }
    return err_make(ERR_NOT_FOUND, "no task run '" STR_FMT "' in execution '" STR_FMT "'",
                    STR_ARG(task), STR_ARG(engine->id));
}

static Event *add_event(Arena *arena, Events *out, EventKind kind, const Command *command) {
    Event *event = LIST_ADD(arena, out, Event);
    *event = (Event){.kind = kind, .time_ms = command->now_ms};
    return event;
}

static void add_run_id(Arena *arena, Value list, RunId id) {
    char text[33];
    run_id_print(id, text);
    value_list_add(arena, list, value_text(str_dup(arena, str_from(text))));
}

static Value labels_with(Arena *arena, Str key) {
    Value labels = value_map(arena);
    value_map_set(arena, labels, key, value_text(STR("true")));
    return labels;
}

// --- kill, pause, resume, resolve ---------------------------------------------------------------

static Err kill_execution(const Engine *engine, const Command *command, Arena *arena, Events *out) {
    if (engine_is_finished(engine)) {
        return err_make(ERR_USAGE, "execution '" STR_FMT "' is already %s", STR_ARG(engine->id),
                        state_name(engine->state));
    }
    Event *event = add_event(arena, out, EVENT_KILL, command);
    event->state = state_is_terminal(command->state) ? command->state : STATE_KILLED;
    event->text = STR("killed by a person");
    event->value = command->value;
    return err_none();
}

static Err pause_execution(const Engine *engine, const Command *command, Arena *arena,
                           Events *out) {
    bool runs = engine->state == STATE_RUNNING || engine->state == STATE_RETRYING;
    if (!runs || engine->ending.is_active) {
        return err_make(ERR_USAGE, "the execution is not running, its state is %s",
                        state_name(engine->state));
    }
    add_event(arena, out, EVENT_PAUSE, command);
    return err_none();
}

static bool is_waiting_pause(const Engine *engine, const Run *run) {
    return run->state == STATE_PAUSED && node_of(engine, run)->kind == NODE_PAUSE &&
           !run->is_unknown;
}

static uint32_t first_where(const Engine *engine,
                            bool (*matches)(const Engine *engine, const Run *run)) {
    for (uint32_t i = ROOT; i != NO_RUN; i = run_next_here(engine, i)) {
        const Run *run = run_of(engine, i);
        if (!run->is_dropped && matches(engine, run)) return i;
    }
    return NO_RUN;
}

static bool is_unknown_run(const Engine *engine, const Run *run) {
    (void)engine;
    return run->is_unknown;
}

static Err resume_execution(const Engine *engine, const Command *command, Arena *arena,
                            Events *out) {
    uint32_t number = NO_RUN;
    if (command->task.len > 0) {
        TRY(find_task(engine, command->task, &number));
        if (!is_waiting_pause(engine, run_of(engine, number))) {
            return err_make(ERR_USAGE, "task '" STR_FMT "' is not paused, its state is %s",
                            STR_ARG(command->task), state_name(run_of(engine, number)->state));
        }
    } else {
        number = first_where(engine, is_waiting_pause);
    }
    if (number == NO_RUN && !engine->is_paused) {
        uint32_t unknown = first_where(engine, is_unknown_run);
        if (unknown != NO_RUN) {
            return err_make(ERR_USAGE,
                            "the outcome of task '" STR_FMT
                            "' is unknown: say what it was with 'resolve'",
                            STR_ARG(run_of(engine, unknown)->task));
        }
        return err_make(ERR_USAGE, "execution '" STR_FMT "' is not paused, can't resume it",
                        STR_ARG(engine->id));
    }
    Event *event = add_event(arena, out, EVENT_RESUMED, command);
    if (number != NO_RUN) event->run = run_of(engine, number)->id;
    event->value = command->value;
    return err_none();
}

static Err resolve_unknown(const Engine *engine, const Command *command, Arena *arena,
                           Events *out) {
    uint32_t number = NO_RUN;
    if (command->task.len > 0) {
        TRY(find_task(engine, command->task, &number));
    } else {
        number = first_where(engine, is_unknown_run);
    }
    if (number == NO_RUN || !run_of(engine, number)->is_unknown) {
        return err_make(ERR_USAGE, "task '" STR_FMT "' has no unknown outcome",
                        STR_ARG(command->task));
    }
    Event *event = add_event(arena, out, EVENT_UNKNOWN_RESOLVED, command);
    event->run = run_of(engine, number)->id;
    event->state = command->state;
    event->value = command->value;
    if (command->state == STATE_FAILED) event->text = STR("a person said that it failed");
    return err_none();
}

static Err force_run(const Engine *engine, const Command *command, Arena *arena, Events *out) {
    if (state_is_terminal(engine->state)) {
        return err_make(ERR_USAGE, "execution '" STR_FMT "' is already %s", STR_ARG(engine->id),
                        state_name(engine->state));
    }
    uint32_t number =
        engine->is_held || engine->is_paused ? NO_RUN : first_where(engine, is_waiting_pause);
    Event *event = add_event(arena, out, EVENT_RESUMED, command);
    if (number != NO_RUN) event->run = run_of(engine, number)->id;
    return err_none();
}

// --- restart ------------------------------------------------------------------------------------

typedef struct Restart {
    const Engine *engine;
    Arena *arena;
    Value reset, running, dropped;
    uint32_t busy;  // a run that would be lost with its attempt under way; NO_RUN: none
} Restart;

static bool is_restartable(const Run *run) {
    State state = run->state;
    return state == STATE_FAILED || state == STATE_KILLED || state == STATE_CANCELLED ||
           state == STATE_PAUSED;
}

// A run below (or the run itself) with an attempt under way, or NO_RUN.
static uint32_t find_busy(const Engine *engine, uint32_t number) {
    const Run *run = run_of(engine, number);
    if (state_is_terminal(run->state)) return NO_RUN;
    const Attempt *last = run_last_attempt(run);
    bool has_children = run->level != NULL && run->level->children > 0;
    if (run->start_is_asked || has_children || (last != NULL && last->state == STATE_NONE)) {
        return number;
    }
    uint32_t found = NO_RUN;
    uint32_t at = run->level == NULL ? 0 : run->level->first_child;
    for (; at != 0 && found == NO_RUN; at = run_of(engine, at)->next_child) {
        found = find_busy(engine, at);
    }
    return found;
}

static void give_up(Restart *restart, Value list, uint32_t number) {
    if (restart->busy == NO_RUN) restart->busy = find_busy(restart->engine, number);
    add_run_id(restart->arena, list, run_of(restart->engine, number)->id);
}

// Lists that ran because the tasks had ended: they run anew.
static void drop_followers(Restart *restart, uint32_t number) {
    const Level *level = run_of(restart->engine, number)->level;
    for (uint32_t at = level->first_child; at != 0; at = run_of(restart->engine, at)->next_child) {
        const Run *run = run_of(restart->engine, at);
        bool follows = run->role == ROLE_ERRORS || run->role == ROLE_FINALLY ||
                       (run->role == ROLE_EXTRA && number == ROOT);
        if (follows) give_up(restart, restart->dropped, at);
    }
}

static bool has_failed_iterations(const Engine *engine, const Run *run) {
    if (node_of(engine, run)->kind != NODE_LOOP) return false;
    for (uint32_t i = 0; i < run->level->frames.count; i++) {
        if (frame_of(engine, run->level->frames.items[i])->state == STATE_FAILED) return true;
    }
    return false;
}

static bool restart_level(Restart *restart, uint32_t number);

// True where the run, or something in it, runs again.
static bool restart_run(Restart *restart, uint32_t number) {
    const Engine *engine = restart->engine;
    const Run *run = run_of(engine, number);
    bool is_whole = run->level == NULL || (node_of(engine, run)->flags & NODE_WORKDIR) != 0 ||
                    run->part == PART_ITEMS;
    // What failed in a level that went on in spite of it stays: run again beside what followed, it
    // would break the order and the limits of its list.
    bool is_tolerated = run->state == STATE_SUCCESS || run->state == STATE_WARNING;
    if (!is_whole && !is_tolerated && restart_level(restart, number)) return true;
    if (!is_restartable(run)) return false;
    // Stopped between two of its tasks: it goes on where it was.
    bool was_stopped = !is_whole && run->level->first_child != 0 &&
                       (run->state == STATE_KILLED || run->state == STATE_CANCELLED);
    if (was_stopped || (!is_whole && has_failed_iterations(engine, run))) {
        drop_followers(restart, number);
        add_run_id(restart->arena, restart->running, run->id);
    } else {
        give_up(restart, restart->reset, number);
    }
    return true;
}

// In order of creation: what runs again begins in the order in which it began.
static bool restart_level(Restart *restart, uint32_t number) {
    const Level *level = run_of(restart->engine, number)->level;
    Numbers tasks = {0};
    for (uint32_t at = level->first_child; at != 0; at = run_of(restart->engine, at)->next_child) {
        if (run_of(restart->engine, at)->role != ROLE_TASKS) continue;
        *LIST_ADD(restart->arena, &tasks, uint32_t) = at;
    }
    bool found = false;
    for (uint32_t i = tasks.count; i > 0; i--) {
        if (restart_run(restart, tasks.items[i - 1])) found = true;
    }
    if (!found) return false;
    drop_followers(restart, number);
    if (number != ROOT) {
        add_run_id(restart->arena, restart->running, run_of(restart->engine, number)->id);
    }
    return true;
}

static Value restart_value(const Restart *restart) {
    Value value = value_map(restart->arena);
    value_map_set(restart->arena, value, STR("reset"), restart->reset);
    value_map_set(restart->arena, value, STR("running"), restart->running);
    value_map_set(restart->arena, value, STR("dropped"), restart->dropped);
    return value;
}

static Restart new_restart(const Engine *engine, Arena *arena) {
    return (Restart){engine, arena, value_list(arena), value_list(arena), value_list(arena),
                     NO_RUN};
}

static Err restart_execution(const Engine *engine, const Command *command, Arena *arena,
                             Events *out) {
    if (!engine_is_finished(engine) && engine->state != STATE_PAUSED) {
        return err_make(ERR_USAGE,
                        "execution must be terminated to be restarted, current state is '%s'",
                        state_name(engine->state));
    }
    if (engine->state == STATE_RETRIED) {
        return err_make(ERR_USAGE, "the execution was retried as '" STR_FMT "': restart that one",
                        STR_ARG(engine->retry == NULL ? (Str){0} : engine->retry->id));
    }
    Restart restart = new_restart(engine, arena);
    bool found = restart_level(&restart, ROOT);
    bool was_stopped = engine->state == STATE_KILLED || engine->state == STATE_CANCELLED;
    if (!found && !was_stopped) {
        return err_make(ERR_USAGE, "no task found to restart execution '" STR_FMT "' from",
                        STR_ARG(engine->id));
    }
    if (!found) drop_followers(&restart, ROOT);
    if (restart.busy != NO_RUN) {
        return err_make(ERR_USAGE,
                        "task '" STR_FMT "' is running: wait for its end, or kill the execution",
                        STR_ARG(run_of(engine, restart.busy)->task));
    }
    Event *event = add_event(arena, out, EVENT_RESTARTED, command);
    event->state = command->state == STATE_QUEUED ? STATE_QUEUED : STATE_NONE;
    event->value = restart_value(&restart);
    event->more = value_map(arena);
    value_map_set(arena, event->more, STR("labels"), labels_with(arena, STR("system.restarted")));
    return err_none();
}

// --- mark ---------------------------------------------------------------------------------------

static Err mark_run(const Engine *engine, const Command *command, Arena *arena, Events *out) {
    uint32_t number = NO_RUN;
    TRY(find_task(engine, command->task, &number));
    const Run *run = run_of(engine, number);
    if (command->state == STATE_RUNNING && is_waiting_pause(engine, run)) {
        add_event(arena, out, EVENT_RESUMED, command)->run = run->id;
        return err_none();
    }
    if (!state_is_terminal(command->state) || command->state == STATE_RETRIED) {
        return err_make(ERR_USAGE, "a task run cannot be marked %s", state_name(command->state));
    }
    const Attempts *attempts = &run->attempts;
    bool is_under_way = attempts->count > 0 && !state_is_terminal(run->state) &&
                        attempts->items[attempts->count - 1].state == STATE_NONE;
    bool has_live = run->level != NULL && run->level->live > 0;
    if (is_under_way || has_live || run->start_is_asked) {
        return err_make(ERR_USAGE, "task '" STR_FMT "' is running: kill the execution first",
                        STR_ARG(command->task));
    }
    Restart restart = new_restart(engine, arena);
    for (uint32_t at = run->parent;; at = run_of(engine, at)->parent) {
        bool is_over = at == ROOT ? state_is_terminal(engine->state)
                                  : state_is_terminal(run_of(engine, at)->state);
        if (is_over) {
            drop_followers(&restart, at);
            if (at != ROOT) add_run_id(arena, restart.running, run_of(engine, at)->id);
        }
        if (at == ROOT) break;
    }
    Event *event = add_event(arena, out, EVENT_MARKED, command);
    event->run = run->id;
    event->state = command->state;
    event->value = restart_value(&restart);
    if (command->state == STATE_CANCELLED) {
        Event *kill = add_event(arena, out, EVENT_KILL, command);
        kill->state = STATE_CANCELLED;
    }
    return err_none();
}

// --- replay -------------------------------------------------------------------------------------

typedef enum Fate { FATE_KEEP, FATE_DROP, FATE_RESET, FATE_REOPEN } Fate;

typedef struct Replay {
    const Engine *engine;
    const Command *command;
    Arena *arena;
    Events *out;
    uint8_t *fates;        // by run
    bool *frame_is_given;  // by frame
} Replay;

// Marks everything that depends on a child of a Dag, directly or not.
static void mark_dependants(const Replay *replay, uint32_t node, bool *is_marked) {
    const Engine *engine = replay->engine;
    Numbers waiting = {0};
    *LIST_ADD(replay->arena, &waiting, uint32_t) = node;
    while (waiting.count > 0) {
        uint32_t at = waiting.items[--waiting.count];
        for (uint32_t i = engine->dependant_first[at]; i < engine->dependant_first[at + 1]; i++) {
            uint32_t child = engine->dependants[i];
            if (is_marked[child]) continue;
            is_marked[child] = true;
            *LIST_ADD(replay->arena, &waiting, uint32_t) = child;
        }
    }
}

// True where `other`, a task beside `run` in the same level, comes after it.
static bool comes_after(const Engine *engine, const Run *run, const Run *other,
                        const bool *dependants) {
    const Run *parent = run_of(engine, run->parent);
    const PlanNode *node = node_of(engine, parent);
    switch ((NodeKind)node->kind) {
    case NODE_PARALLEL:
        return false;
    case NODE_DAG:
        return dependants[other->node];
    case NODE_FOREACH:
    case NODE_LOOP:
        if (run->frame == other->frame) {
            return (node->flags & NODE_PAIRS) == 0 && other->node > run->node;
        }
        return node->limit == 1 &&
               frame_of(engine, other->frame)->index > frame_of(engine, run->frame)->index;
    case NODE_ITEMS:
        return other->part > run->part;
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
    return other->node > run->node;
}

static void drop_after(const Replay *replay, uint32_t number) {
    const Engine *engine = replay->engine;
    const Run *run = run_of(engine, number);
    bool *dependants = arena_array(replay->arena, bool, engine->plan->node_count);
    if (node_of(engine, run_of(engine, run->parent))->kind == NODE_DAG) {
        mark_dependants(replay, run->node, dependants);
    }
    const Level *level = run_of(engine, run->parent)->level;
    for (uint32_t at = level->first_child; at != 0; at = run_of(engine, at)->next_child) {
        const Run *other = run_of(engine, at);
        bool follows = other->role != ROLE_TASKS || comes_after(engine, run, other, dependants);
        if (at != number && follows) replay->fates[at] = FATE_DROP;
    }
}

static Err decide_fates(const Replay *replay, uint32_t *number) {
    const Engine *engine = replay->engine;
    // A working directory runs as a whole.
    for (uint32_t at = *number; at != ROOT; at = run_of(engine, at)->parent) {
        const Run *run = run_of(engine, at);
        if (run->role != ROLE_TASKS) {
            return err_make(ERR_USAGE,
                            "task '" STR_FMT
                            "' belongs to errors, finally, onPause or afterExecution: replay from "
                            "a task of the flow",
                            STR_ARG(run->task));
        }
        if ((node_of(engine, run)->flags & NODE_WORKDIR) != 0) *number = at;
    }
    replay->fates[*number] = FATE_RESET;
    for (uint32_t at = *number; at != ROOT; at = run_of(engine, at)->parent) {
        drop_after(replay, at);
        if (run_of(engine, at)->parent != ROOT) {
            replay->fates[run_of(engine, at)->parent] = FATE_REOPEN;
        }
    }
    for (uint32_t i = 1; i < engine->run_count; i++) {
        const Run *run = run_of(engine, i);
        uint8_t above = run->parent == ROOT ? FATE_KEEP : replay->fates[run->parent];
        if (run->is_dropped || above == FATE_DROP || above == FATE_RESET) {
            replay->fates[i] = FATE_DROP;
        } else if (replay->fates[i] == FATE_KEEP && !state_is_terminal(run->state)) {
            bool has_parts = run->level != NULL && run->level->first_child != 0;
            replay->fates[i] = has_parts ? FATE_REOPEN : FATE_RESET;
        }
    }
    return err_none();
}

static void give_frame(const Replay *replay, uint32_t number) {
    const Engine *engine = replay->engine;
    if (number == NO_FRAME || replay->frame_is_given[number]) return;
    const Frame *frame = frame_of(engine, number);
    give_frame(replay, frame->parent);
    replay->frame_is_given[number] = true;
    Event *event = add_event(replay->arena, replay->out, EVENT_FRAME, replay->command);
    event->run = run_of(engine, frame->loop)->id;
    event->frame = frame->id;
    event->parent = frame_of(engine, frame->parent)->id;
    event->index = frame->index;
    event->text = frame->text;
    event->task = frame->key;
}

static Value slots_value(const Replay *replay, const Run *run) {
    Value list = value_list(replay->arena);
    for (const Slot *slot = run->slots; slot != NULL; slot = slot->next) {
        if (slot->is_error) continue;
        Value item = value_map(replay->arena);
        value_map_set(replay->arena, item, STR("slot"), value_int(slot->slot));
        value_map_set(replay->arena, item, STR("index"), value_int(slot->index));
        value_map_set(replay->arena, item, STR("value"), *slot_value(replay->engine, slot));
        value_list_add(replay->arena, list, item);
    }
    return list;
}

static Value times_value(const Replay *replay, const Run *run) {
    Value list = value_list(replay->arena);
    for (uint32_t i = 0; i < run->history.count; i++) {
        Value item = value_map(replay->arena);
        Str state = str_from(state_name(run->history.items[i].state));
        value_map_set(replay->arena, item, STR("state"), value_text(state));
        value_map_set(replay->arena, item, STR("at"), value_int(run->history.items[i].time_ms));
        value_list_add(replay->arena, list, item);
    }
    return list;
}

static Value attempts_value(const Replay *replay, const Run *run) {
    Value list = value_list(replay->arena);
    for (uint32_t i = 0; i < run->attempts.count; i++) {
        const Attempt *attempt = &run->attempts.items[i];
        Value item = value_map(replay->arena);
        // What was under way there is not here.
        State state = state_is_terminal(attempt->state) ? attempt->state : STATE_KILLED;
        value_map_set(replay->arena, item, STR("state"), value_text(str_from(state_name(state))));
        value_map_set(replay->arena, item, STR("from"), value_int(attempt->started_ms));
        value_map_set(replay->arena, item, STR("to"), value_int(attempt->ended_ms));
        if (attempt->message.len > 0) {
            value_map_set(replay->arena, item, STR("message"), value_text(attempt->message));
        }
        value_list_add(replay->arena, list, item);
    }
    return list;
}

static void give_run(const Replay *replay, uint32_t number) {
    const Engine *engine = replay->engine;
    const Run *run = run_of(engine, number);
    give_frame(replay, run->frame);
    Event *event = add_event(replay->arena, replay->out, EVENT_COPIED, replay->command);
    event->run = run->id;
    event->node = run->node;
    event->slot = run->part;
    event->task = run->task;
    if (run->parent != ROOT) event->parent = run_of(engine, run->parent)->id;
    event->frame = frame_of(engine, run->frame)->id;
    event->state = run->state;
    event->attempt = (int32_t)run->attempts.count;
    event->index = run->branch;
    event->text = run->message;
    event->is_error = run->has_failed;
    if (run->has_outputs) event->value = run->outputs;
    event->more = value_map(replay->arena);
    value_map_set(replay->arena, event->more, STR("times"), times_value(replay, run));
    value_map_set(replay->arena, event->more, STR("slots"), slots_value(replay, run));
    if (run->attempts.count > 0) {
        value_map_set(replay->arena, event->more, STR("attempts"), attempts_value(replay, run));
    }
}

// Iterations that ended by themselves, and the child executions of batches that are kept.
static void give_iterations(const Replay *replay, uint32_t number) {
    const Engine *engine = replay->engine;
    const Run *run = run_of(engine, number);
    bool is_batches = node_of(engine, run)->kind == NODE_ITEMS && run->part == PART_ITEMS;
    if (node_of(engine, run)->kind != NODE_LOOP && !is_batches) return;
    for (uint32_t i = 0; i < run->level->frames.count; i++) {
        uint32_t at = run->level->frames.items[i];
        if (at == NO_FRAME) continue;
        const Frame *frame = frame_of(engine, at);
        if (is_batches) give_frame(replay, at);
        if (!replay->frame_is_given[at]) continue;
        if (frame->child != NULL) {
            Event *child = add_event(replay->arena, replay->out, EVENT_CHILD, replay->command);
            child->run = run->id;
            child->frame = frame->id;
            child->id = frame->child->id;
            child->attempt = frame->child->attempt;
            Event *ended =
                add_event(replay->arena, replay->out, EVENT_CHILD_ENDED, replay->command);
            ended->run = run->id;
            ended->frame = frame->id;
            ended->id = frame->child->id;
            ended->state = frame->child->state;
            ended->is_error = frame->child->is_error;
            ended->text = frame->child->text;
            if (frame->child->has_outputs) ended->value = frame->child->outputs;
        }
        if (!state_is_terminal(frame->state)) continue;
        Event *event = add_event(replay->arena, replay->out, EVENT_TASKSTATE, replay->command);
        event->run = run->id;
        event->frame = frame->id;
        event->state = frame->state;
        if (frame->has_outputs) event->value = frame->outputs;
    }
}

static void give_created(const Engine *engine, const Command *command, Arena *arena, Events *out,
                         bool is_fresh) {
    Event *event = add_event(arena, out, EVENT_CREATED, command);
    event->id = command->new_id;
    event->value = command->value.kind == VALUE_MAP ? command->value : engine->inputs;
    event->more = value_map(arena);
    for (uint32_t i = 0; engine->created.kind == VALUE_MAP && i < engine->created.as.map->count;
         i++) {
        const ValueMember *one = &engine->created.as.map->members[i];
        value_map_set(arena, event->more, one->key, one->value);
    }
    Value labels = value_copy(arena, engine->labels);
    value_map_set(arena, labels, STR("system.replay"), value_text(STR("true")));
    value_map_set(arena, event->more, STR("labels"), labels);
    value_map_set(arena, event->more, STR("variables"), engine->variables);
    value_map_set(arena, event->more, STR("parent"), value_text(engine->id));
    if (value_map_get_text(engine->created, STR("original"), (Str){0}).len == 0) {
        value_map_set(arena, event->more, STR("original"), value_text(engine->id));
    }
    if (value_map_get(engine->created, STR("firstCreated")) == NULL) {
        value_map_set(arena, event->more, STR("firstCreated"), value_int(engine->created_ms));
    }
    value_map_set(arena, event->more, STR("attempt"),
                  value_int(engine->attempt + (is_fresh ? 1 : 0)));
}

static Err replay_execution(const Engine *engine, const Command *command, Arena *arena,
                            Events *out) {
    if (command->new_id.len == 0) return err_make(ERR_USAGE, "a replay needs an id");
    if (command->task.len == 0) {
        give_created(engine, command, arena, out, true);
        return err_none();
    }
    uint32_t number = NO_RUN;
    TRY(find_task(engine, command->task, &number));
    Replay replay = {.engine = engine, .command = command, .arena = arena, .out = out};
    replay.fates = arena_array(arena, uint8_t, engine->run_count);
    replay.frame_is_given = arena_array(arena, bool, engine->frame_count);
    TRY(decide_fates(&replay, &number));
    give_created(engine, command, arena, out, false);
    Restart restart = new_restart(engine, arena);
    for (uint32_t i = 1; i < engine->run_count; i++) {
        if (replay.fates[i] == FATE_DROP) continue;
        give_run(&replay, i);
        if (replay.fates[i] == FATE_RESET) add_run_id(arena, restart.reset, run_of(engine, i)->id);
        if (replay.fates[i] == FATE_REOPEN) {
            add_run_id(arena, restart.running, run_of(engine, i)->id);
        }
    }
    for (uint32_t i = 1; i < engine->run_count; i++) {
        bool stays = replay.fates[i] == FATE_KEEP || replay.fates[i] == FATE_REOPEN;
        if (stays) give_iterations(&replay, i);
    }
    Event *event = add_event(arena, out, EVENT_RESTARTED, command);
    event->value = restart_value(&restart);
    return err_none();
}

Err engine_command(const Engine *engine, const Command *command, Arena *arena, Events *out) {
    if (engine->history.count == 0) return err_make(ERR_USAGE, "the execution has not begun");
    switch (command->kind) {
    case COMMAND_KILL:
        return kill_execution(engine, command, arena, out);
    case COMMAND_PAUSE:
        return pause_execution(engine, command, arena, out);
    case COMMAND_RESUME:
        return resume_execution(engine, command, arena, out);
    case COMMAND_RESTART:
        return restart_execution(engine, command, arena, out);
    case COMMAND_REPLAY:
        return replay_execution(engine, command, arena, out);
    case COMMAND_MARK:
        return mark_run(engine, command, arena, out);
    case COMMAND_RESOLVE:
        return resolve_unknown(engine, command, arena, out);
    case COMMAND_FORCE_RUN:
        return force_run(engine, command, arena, out);
    }
    return err_make(ERR_USAGE, "unknown command");
}
