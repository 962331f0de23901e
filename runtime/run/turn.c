// turn.c - a turn: outside events are applied, the engine decides to a fixpoint, what it asks for
// and can be had at once is done inside, and all of it is committed; only then come the effects.
//
// So the result of one task and the intent of the next are one transaction and one sync. A turn
// that goes on for long commits what it has and continues. Rows of executions and task runs are
// written beside the events they follow from.
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "run/driver.h"

// --- reporting ----------------------------------------------------------------------------------

Arena *turn_arena(Execution *execution) {
    return &execution->turn.arena;
}

Event *turn_report(Execution *execution, EventKind kind, RunId run) {
    Event *event = LIST_ADD(&execution->turn.arena, &execution->turn.incoming, Event);
    event->kind = kind;
    event->run = run;
    event->time_ms = runtime_now(execution->runtime);
    return event;
}

void turn_after(Execution *execution, const Action *action, Attempt *attempt) {
    After *after = LIST_ADD(&execution->turn.arena, &execution->turn.after, After);
    *after = (After){*action, attempt};
}

static void run_scheduled(void *self) {
    Execution *execution = self;
    execution->is_scheduled = false;
    turn_run(execution);
}

void turn_schedule(Execution *execution) {
    if (execution->is_scheduled || execution->is_in_turn) return;
    execution->is_scheduled = true;
    loop_defer(execution->runtime->loop, run_scheduled, execution);
}

// --- rows ---------------------------------------------------------------------------------------

typedef struct RunSet {
    RunId *ids;  // open addressing; zero: free
    uint32_t size, count;
    bool is_all;  // rows may have gone: all are written again
} RunSet;

static bool set_add(RunSet *set, RunId id) {
    uint32_t hash;
    memcpy(&hash, id.bytes, sizeof hash);
    for (uint32_t i = hash & (set->size - 1);; i = (i + 1) & (set->size - 1)) {
        if (run_id_is_zero(set->ids[i])) {
            set->ids[i] = id;
            set->count++;
            return true;
        }
        if (memcmp(set->ids[i].bytes, id.bytes, sizeof id.bytes) == 0) return false;
    }
}

static RunSet set_for(const Events *events, Arena *arena) {
    RunSet set = {.size = 16};
    while (set.size < 2 * (events->count + 1)) set.size *= 2;
    set.ids = arena_array(arena, RunId, set.size);
    return set;
}

static Err put_run(const Execution *execution, const TaskRunView *view) {
    char id[33];
    char parent[33] = "";
    run_id_print(view->id, id);
    if (!run_id_is_zero(view->parent)) run_id_print(view->parent, parent);
    StoreTaskRun row = {.execution = execution->id,
                        .id = str_from(id),
                        .task = view->task,
                        .parent = str_from(parent),
                        .value = view->value,
                        .iteration = view->iteration,
                        .state = str_from(state_name(view->state)),
                        .attempts = view->attempts,
                        .started_ms = view->started_ms,
                        .ended_ms = view->ended_ms};
    return store_put_taskrun(execution->runtime->store, execution->owner, &row);
}

static Err put_all_runs(const Execution *execution) {
    Arena scratch = {0};
    StoreTaskRun *rows = NULL;
    uint32_t count = 0;
    Store *store = execution->runtime->store;
    Err err = store_taskruns(store, execution->id, &scratch, &rows, &count);
    for (uint32_t i = 0; err.code == ERR_NONE && i < count; i++) {
        RunId id;
        TaskRunView view;
        if (run_id_parse(rows[i].id, &id) && engine_run(execution->engine, id, &view)) continue;
        err = store_drop_taskrun(store, execution->owner, execution->id, rows[i].id);
    }
    arena_release(&scratch);
    TaskRunView view;
    for (uint32_t i = 0; err.code == ERR_NONE && engine_run_at(execution->engine, i, &view); i++) {
        err = put_run(execution, &view);
    }
    return err;
}

// The timer of a LoopUntil begins its next pass. Its key begins with the run it is of.
static bool begins_pass(const Execution *execution, const Event *event) {
    RunId run;
    TaskRunView view;
    Str id = str_slice(event->id, 0, str_find_char(event->id, '.', 0));
    bool is_timer = event->kind == EVENT_FIRED && run_id_parse(id, &run) &&
                    engine_run(execution->engine, run, &view);
    return is_timer && execution->artifact->plan.nodes[view.node].kind == NODE_LOOP_UNTIL;
}

// The task runs that the events are about, each once.
static Err put_runs(const Execution *execution, const Events *events, Arena *arena) {
    RunSet set = set_for(events, arena);
    for (uint32_t i = 0; i < events->count; i++) {
        const Event *event = &events->items[i];
        if (event->kind == EVENT_RESTARTED || event->kind == EVENT_MARKED ||
            event->kind == EVENT_COPIED) {
            return put_all_runs(execution);
        }
        // A pass of a LoopUntil drops the runs of the one before.
        if (begins_pass(execution, event)) set.is_all = true;
        if (!run_id_is_zero(event->run) && event->kind != EVENT_FRAME) set_add(&set, event->run);
    }
    if (set.is_all) return put_all_runs(execution);
    for (uint32_t i = 0; i < set.size; i++) {
        TaskRunView view;
        if (run_id_is_zero(set.ids[i])) continue;
        if (!engine_run(execution->engine, set.ids[i], &view)) continue;
        TRY(put_run(execution, &view));
    }
    return err_none();
}

static void print_row(const StoreExecution *row, Buffer *out) {
    buffer_clear(out);
    buffer_printf(out, "%lld %lld %lld " STR_FMT "\n" STR_FMT "\n" STR_FMT,
                  (long long)row->flow_revision, (long long)row->started_ms,
                  (long long)row->ended_ms, STR_ARG(row->state), STR_ARG(row->labels),
                  STR_ARG(row->reason));
}

// The execution's row changes seldom; writing it in each turn would cost a page of the log.
static Err put_execution(Execution *execution, Arena *arena) {
    StoreExecution row;
    Buffer text = {0};
    run_fill_row(execution, arena, &row);
    print_row(&row, &text);
    bool is_new = !str_eq(buffer_str(&text), buffer_str(&execution->row));
    Err err = err_none();
    if (is_new) err = store_put_execution(execution->runtime->store, execution->owner, &row);
    if (is_new && err.code == ERR_NONE) {
        buffer_release(&execution->row);
        execution->row = text;
        return err;
    }
    buffer_release(&text);
    return err;
}

// --- committing ---------------------------------------------------------------------------------

static Err append(Execution *execution, const Event *event, int64_t seq, Buffer *body) {
    buffer_clear(body);
    event_write(event, body);
    StoreEvent row = {.seq = seq,
                      .time_ms = event->time_ms,
                      .kind = (int32_t)event->kind,
                      .body = buffer_str(body)};
    return store_append(execution->runtime->store, execution->id, execution->owner, &row);
}

static Err put_artifact(Execution *execution) {
    Store *store = execution->runtime->store;
    const Plan *plan = &execution->artifact->plan;
    TRY(store_put_artifact(store, &execution->artifact->digest, execution->artifact->bytes));
    return store_put_flow(store, plan_text(plan, plan->flow.flow_namespace),
                          plan_text(plan, plan->flow.id), &execution->artifact->digest,
                          &execution->revision);
}

// Every so many events; where a snapshot is large, more rarely, so that writing them costs no more
// than what they hold.
static bool needs_snapshot(const Execution *execution, int64_t seq) {
    enum { BYTES_OF_EVENT = 200 };
    int64_t since = seq - execution->snapshot_seq;
    return since >= SNAPSHOT_EVENTS &&
           (uint64_t)since * BYTES_OF_EVENT >= execution->snapshot_bytes;
}

static Err write_all(Execution *execution, const Events *events, Arena *arena) {
    Store *store = execution->runtime->store;
    if (execution->is_new) TRY(put_artifact(execution));
    Buffer body = {0};
    Err err = err_none();
    for (uint32_t i = 0; err.code == ERR_NONE && i < events->count; i++) {
        err = append(execution, &events->items[i], execution->last_seq + 1 + i, &body);
    }
    buffer_release(&body);
    if (err.code != ERR_NONE) return err;
    for (uint32_t i = 0; i < execution->turn.results.count; i++) {
        const CachedResult *kept = &execution->turn.results.items[i];
        TRY(store_cache_put(store, &kept->key, kept->value, kept->expires_ms));
    }
    TRY(put_runs(execution, events, arena));
    TRY(put_execution(execution, arena));
    int64_t seq = execution->last_seq + events->count;
    if (needs_snapshot(execution, seq)) {
        Buffer head = {0};
        EngineKeeper keeper = execution_keeper(execution);
        engine_keep_in(execution->engine, &keeper);
        err = engine_save(execution->engine, &head);
        execution->snapshot_bytes = head.len;
        if (err.code == ERR_NONE) {
            err =
                store_put_snapshot(store, execution->id, execution->owner, seq, buffer_str(&head));
        }
        buffer_release(&head);
        if (err.code != ERR_NONE) return err;
    }
    if (execution->drops_commands) {
        return store_drop_commands(store, execution->id, execution->command_number);
    }
    return err_none();
}

static Err commit(Execution *execution, const Events *events, Arena *arena) {
    Store *store = execution->runtime->store;
    log_flush(execution);
    if (execution->log_needs_sync) {
        TRY(store_sync_fd(store, log_file_fd(execution->log), "log.jsonl"));
        execution->log_needs_sync = false;
    }
    bool has_snapshot = needs_snapshot(execution, execution->last_seq + events->count);
    TRY(store_begin(store));
    Err err = write_all(execution, events, arena);
    if (err.code != ERR_NONE) {
        store_rollback(store);
        return err;
    }
    TRY(store_commit(store));
    bool is_large =
        execution->last_seq < LARGE_EVENTS && execution->last_seq + events->count >= LARGE_EVENTS;
    if (is_large) TRY(store_widen(store));
    execution->is_new = false;
    execution->drops_commands = false;
    execution->last_seq += events->count;
    if (has_snapshot) execution->snapshot_seq = execution->last_seq;
    if (has_snapshot) execution->may_compact = true;
    return err_none();
}

// --- telling ------------------------------------------------------------------------------------

static bool is_change(const Event *event) {
    return event->kind == EVENT_TASKSTATE || event->kind == EVENT_DONE ||
           event->kind == EVENT_STARTED || event->kind == EVENT_TASKRUN;
}

// A run that has several events in the batch is told once, with its last state.
static void tell(Execution *execution, const Events *events, Arena *arena) {
    const RunObserver *observer = &execution->runtime->options.observer;
    if (observer->state == NULL) return;
    RunSet set = set_for(events, arena);
    bool *is_last = arena_array(arena, bool, events->count);
    for (uint32_t i = events->count; i > 0; i--) {
        const Event *event = &events->items[i - 1];
        if (!is_change(event) || run_id_is_zero(event->run)) continue;
        is_last[i - 1] = set_add(&set, event->run);
    }
    for (uint32_t i = 0; i < events->count; i++) {
        TaskRunView view;
        if (!is_last[i] || !engine_run(execution->engine, events->items[i].run, &view)) continue;
        Str place = run_place(execution->engine, view.id, arena);
        observer->state(observer->self, execution->id, view.task, place, view.state);
    }
    State state = engine_state(execution->engine);
    if (state == execution->told_state) return;
    execution->told_state = state;
    observer->state(observer->self, execution->id, (Str){0}, (Str){0}, state);
}

// A folder that the children of a WorkingDirectory shared goes with its run.
static void remove_folders(Execution *execution, const Events *events, Arena *arena) {
    const Plan *plan = &execution->artifact->plan;
    for (uint32_t i = 0; i < events->count; i++) {
        const Event *event = &events->items[i];
        TaskRunView view;
        if (event->kind != EVENT_TASKSTATE || !state_is_terminal(event->state)) continue;
        if (!engine_run(execution->engine, event->run, &view)) continue;
        if ((plan->nodes[view.node].flags & NODE_WORKDIR) == 0) continue;
        char id[33];
        run_id_print(view.id, id);
        Str path = path_join(
            arena, path_join(arena, execution_folder(execution, arena), STR("work")), str_from(id));
        Err err = folder_keep_cache(execution, &view, arena);
        if (err.code != ERR_NONE) execution_log(execution, LOG_WARN, str_from(err.text));
        err = dir_remove(path.ptr);
        if (err.code != ERR_NONE) execution_log(execution, LOG_WARN, str_from(err.text));
    }
}

// What tasks left whose results are durable now.
static void remove_spent(Execution *execution) {
    for (uint32_t i = 0; i < execution->turn.spent.count; i++) {
        Err err = dir_remove(execution->turn.spent.items[i].ptr);
        if (err.code != ERR_NONE) execution_log(execution, LOG_WARN, str_from(err.text));
    }
    execution->turn.spent.count = 0;
}

// --- the turn -----------------------------------------------------------------------------------

static void apply_incoming(Execution *execution, Events *batch) {
    Turn *turn = &execution->turn;
    while (turn->applied < turn->incoming.count) {
        Event *event = &turn->incoming.items[turn->applied++];
        engine_apply(execution->engine, event);
        *LIST_ADD(&turn->arena, batch, Event) = *event;
    }
}

// When a turn commits at the latest (design §4.4): what goes on for long without an effect commits
// more at a time, since nobody waits for it.
typedef struct TurnLimit {
    uint32_t events;
    int64_t milliseconds;
} TurnLimit;
static const TurnLimit turn_limits[] = {
    {1000,  20  },
    {2000,  100 },
    {5000,  500 },
    {20000, 2000}, // of an execution with many rows only, where a commit touches most pages
};

// Until nothing is left that can be done inside, or the turn has been long enough: false.
static bool decide(Execution *execution, Events *batch) {
    Runtime *runtime = execution->runtime;
    Turn *turn = &execution->turn;
    int64_t started = runtime->clock->mono_ms(runtime->clock->self);
    const TurnLimit *limit = &turn_limits[execution->long_turns];
    for (;;) {
        apply_incoming(execution, batch);
        Events decisions = {0};
        Actions actions = {0};
        engine_next(execution->engine, runtime_now(runtime), &turn->arena, &decisions, &actions);
        for (uint32_t i = 0; i < decisions.count; i++) {
            *LIST_ADD(&turn->arena, batch, Event) = decisions.items[i];
        }
        notes_take(execution, &decisions);
        for (uint32_t i = 0; i < actions.count; i++) act_now(execution, &actions.items[i]);
        if (turn->applied == turn->incoming.count) return true;
        int64_t took = runtime->clock->mono_ms(runtime->clock->self) - started;
        bool is_long = batch->count >= limit->events || took >= limit->milliseconds;
        if (!is_long) continue;
        // All that was reported goes into this commit: an effect waits for nothing but its own.
        apply_incoming(execution, batch);
        return false;
    }
}

static void perform(Execution *execution, Turn *turn) {
    for (uint32_t i = 0; i < turn->after.count; i++) act_after(execution, &turn->after.items[i]);
    turn->after.count = 0;
}

static Err one_turn(Execution *execution, bool *is_done) {
    Events batch = {0};
    execution->is_in_turn = true;
    *is_done = decide(execution, &batch);
    execution->is_in_turn = false;
    const char *broken = engine_fault(execution->engine);
    if (broken != NULL) {
        return err_make(ERR_STORE, "execution '" STR_FMT "' cannot be continued: %s",
                        STR_ARG(execution->id), broken);
    }
    bool has_news = batch.count > 0 || execution->drops_commands;
    if (has_news) TRY(commit(execution, &batch, &execution->turn.arena));
    tell(execution, &batch, &execution->turn.arena);
    remove_folders(execution, &batch, &execution->turn.arena);
    remove_spent(execution);
    return err_none();
}

// Behind a snapshot, which has put into the store what can go from memory; and worth its time only
// where the engine has grown much since the last one.
static void compact(Execution *execution) {
    size_t bytes = engine_memory(execution->engine);
    if (!execution->may_compact || bytes < COMPACT_BYTES) return;
    if (bytes < 2 * execution->compacted_bytes) return;
    execution->may_compact = false;
    engine_compact(&execution->engine);
    execution->compacted_bytes = engine_memory(execution->engine);
}

void turn_run(Execution *execution) {
    Runtime *runtime = execution->runtime;
    if (runtime->failure.code != ERR_NONE || execution->owner == 0) return;
    if (execution->is_in_turn) return;  // a callback inside a turn: the turn takes it in
    bool is_done = false;
    Err err = one_turn(execution, &is_done);
    if (err.code != ERR_NONE) {
        runtime_fail(runtime, err);
        return;
    }
    Turn done = execution->turn;
    execution->turn = (Turn){0};
    perform(execution, &done);
    arena_release(&done.arena);
    compact(execution);
    if (is_done) execution->long_turns = 0;
    uint32_t last = execution->last_seq < LARGE_EVENTS ? 2 : 3;
    if (!is_done && execution->long_turns < last) execution->long_turns++;
    if (!is_done || execution->turn.incoming.count > 0) turn_schedule(execution);
    if (execution->is_finished) child_finished(execution);
    runtime_set_timer(runtime);
}

void turn_record(Execution *execution, const Events *events) {
    for (uint32_t i = 0; i < events->count; i++) engine_apply(execution->engine, &events->items[i]);
    Err err = commit(execution, events, &execution->turn.arena);
    if (err.code != ERR_NONE) runtime_fail(execution->runtime, err);
}
