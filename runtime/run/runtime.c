// runtime.c - the loop: turns, timers, signals, commands of other processes, and when to stop.
#include <signal.h>
#include <string.h>

#include "run/driver.h"

extern char **environ;

int64_t runtime_now(const Runtime *runtime) {
    return runtime->clock->wall_ms(runtime->clock->self);
}

const LeafStatistics *runtime_leaf_statistics(const Runtime *runtime) {
    return &runtime->leaf_statistics;
}

Store *runtime_store(Runtime *runtime) {
    return runtime->store;
}

Loop *runtime_loop(Runtime *runtime) {
    return runtime->loop;
}

Masker *runtime_masker(Runtime *runtime) {
    return runtime->masker;
}

Planner *runtime_planner(Runtime *runtime) {
    return runtime->planner;
}

// Nothing goes on once the store has failed: what is durable stays, the rest is not shown.
void runtime_fail(Runtime *runtime, Err err) {
    if (runtime->failure.code == ERR_NONE) runtime->failure = err;
}

void runtime_add(Runtime *runtime, Execution *execution) {
    Execution **link = &runtime->executions;
    while (*link != NULL) link = &(*link)->next;
    *link = execution;
}

Execution *runtime_find(Runtime *runtime, Str id) {
    Execution *execution = runtime->executions;
    while (execution != NULL && !str_eq(execution->id, id)) execution = execution->next;
    return execution;
}

void runtime_drop(Runtime *runtime, Execution *execution) {
    Execution **link = &runtime->executions;
    while (*link != NULL && *link != execution) link = &(*link)->next;
    if (*link != NULL) *link = execution->next;
    if (runtime->root == execution) runtime->root = NULL;
    execution_free(execution);
}

// --- timers -------------------------------------------------------------------------------------

static void timers_due(void *self) {
    Runtime *runtime = self;
    int64_t now = runtime_now(runtime);
    for (Execution *at = runtime->executions; at != NULL; at = at->next) timers_fire(at, now);
    runtime_set_timer(runtime);
}

void runtime_set_timer(Runtime *runtime) {
    // The wall clock may jump: look again at the latest after this long.
    static const int64_t longest = 60000;
    bool has_one = false;
    int64_t first = 0;
    for (Execution *execution = runtime->executions; execution != NULL;
         execution = execution->next) {
        int64_t at = 0;
        if (!timers_next(execution, &at)) continue;
        if (!has_one || at < first) first = at;
        has_one = true;
    }
    if (!has_one) {
        loop_timer_stop(runtime->due);
        return;
    }
    int64_t wait = first - runtime_now(runtime);
    loop_timer_start(runtime->due, wait > longest ? longest : wait);
}

// --- concurrency --------------------------------------------------------------------------------

Err runtime_running(const Execution *execution, int64_t *count) {
    const Plan *plan = &execution->artifact->plan;
    StoreFilter filter = {.flow_namespace = plan_text(plan, plan->flow.flow_namespace),
                          .flow_id = plan_text(plan, plan->flow.id),
                          .limit = 1000000};
    Arena scratch = {0};
    StoreExecution *rows = NULL;
    uint32_t row_count = 0;
    Err err = store_list(execution->runtime->store, &filter, &scratch, &rows, &row_count);
    *count = 0;
    for (uint32_t i = 0; err.code == ERR_NONE && i < row_count; i++) {
        State state = STATE_NONE;
        if (!state_from(rows[i].state, &state) || state_is_terminal(state)) continue;
        if (state != STATE_QUEUED && !str_eq(rows[i].id, execution->id)) (*count)++;
    }
    arena_release(&scratch);
    return err;
}

// The oldest queued execution of a flow goes on when there is room; each looks for itself.
static Err is_next_in_queue(const Execution *execution, bool *is_next) {
    const Plan *plan = &execution->artifact->plan;
    StoreFilter filter = {.flow_namespace = plan_text(plan, plan->flow.flow_namespace),
                          .flow_id = plan_text(plan, plan->flow.id),
                          .state = STR("QUEUED"),
                          .limit = 1000000};
    Arena scratch = {0};
    StoreExecution *rows = NULL;
    uint32_t count = 0;
    Err err = store_list(execution->runtime->store, &filter, &scratch, &rows, &count);
    // Newest first: the last whose process lives is the oldest.
    *is_next = true;
    for (uint32_t i = count; err.code == ERR_NONE && i > 0; i--) {
        if (str_eq(rows[i - 1].id, execution->id)) break;
        if (!store_is_owned(execution->runtime->store, rows[i - 1].id)) continue;
        *is_next = false;
        break;
    }
    arena_release(&scratch);
    return err;
}

static void let_queued_go(Execution *execution) {
    const Plan *plan = &execution->artifact->plan;
    int64_t running = 0;
    bool is_next = false;
    Err err = runtime_running(execution, &running);
    if (err.code == ERR_NONE && running >= plan->flow.concurrency_limit) return;
    if (err.code == ERR_NONE) err = is_next_in_queue(execution, &is_next);
    if (err.code != ERR_NONE) {
        runtime_fail(execution->runtime, err);
        return;
    }
    if (!is_next) return;
    RunId none = {0};
    execution->is_queued = false;
    turn_report(execution, EVENT_RESUMED, none);
    turn_schedule(execution);
}

// --- commands of other processes ----------------------------------------------------------------

// Whoever asked meant a pause that it saw: one that came after another had resumed it is not meant.
// The event names the command, so that the sender can tell that it was this one.
static Err apply_resume(Execution *execution, const StoreCommand *row, Value body,
                        Command *command) {
    Arena *arena = turn_arena(execution);
    int64_t seen = value_map_get_int(body, STR("seen"), INT64_MAX);
    if (seen <= execution->resumed_after) {
        return err_make(ERR_USAGE, "execution '" STR_FMT "' was resumed by another process already",
                        STR_ARG(execution->id));
    }
    TRY(execution_resume_values(execution, command->task, command->value, arena, NULL,
                                &command->value));
    TRY(execution_command(execution, command));
    Event *event = &execution->turn.incoming.items[execution->turn.incoming.count - 1];
    event->more = value_map(arena);
    value_map_set(arena, event->more, STR("command"), value_int(row->number));
    return err_none();
}

static Err apply_command(Execution *execution, const StoreCommand *row) {
    static const struct {
        const char *name;
        CommandKind kind;
    } names[] = {
        {"kill",      COMMAND_KILL     },
        {"pause",     COMMAND_PAUSE    },
        {"resume",    COMMAND_RESUME   },
        {"restart",   COMMAND_RESTART  },
        {"mark",      COMMAND_MARK     },
        {"resolve",   COMMAND_RESOLVE  },
        {"force-run", COMMAND_FORCE_RUN},
    };
    Arena *arena = turn_arena(execution);
    Value body = value_null();
    TRY(json_parse(row->body, (JsonLimits){0}, arena, &body));
    if (str_eq(row->name, STR("label"))) {
        RunId none = {0};
        Event *event = turn_report(execution, EVENT_LABELS, none);
        event->value = body;
        turn_schedule(execution);
        return err_none();
    }
    Command command = {.now_ms = runtime_now(execution->runtime)};
    command.task = value_map_get_text(body, STR("task"), (Str){0});
    state_from(value_map_get_text(body, STR("state"), (Str){0}), &command.state);
    const Value *value = value_map_get(body, STR("value"));
    if (value != NULL) command.value = *value;
    for (size_t i = 0; i < COUNT(names); i++) {
        if (!str_eq(row->name, str_from(names[i].name))) continue;
        command.kind = names[i].kind;
        if (command.kind == COMMAND_KILL) {
            execution->keeps_children = !value_map_get_bool(body, STR("cascade"), true);
        }
        if (command.kind == COMMAND_RESUME) return apply_resume(execution, row, body, &command);
        return execution_command(execution, &command);
    }
    return err_make(ERR_USAGE, "unknown command '" STR_FMT "'", STR_ARG(row->name));
}

static void take_commands(Execution *execution) {
    Arena scratch = {0};
    StoreCommand *rows = NULL;
    uint32_t count = 0;
    Err err = store_take_commands(execution->runtime->store, execution->id,
                                  execution->command_number, &scratch, &rows, &count);
    if (err.code != ERR_NONE) runtime_fail(execution->runtime, err);
    for (uint32_t i = 0; err.code == ERR_NONE && i < count; i++) {
        execution->command_number = rows[i].number;
        execution->drops_commands = true;
        Err applied = apply_command(execution, &rows[i]);
        if (applied.code == ERR_NONE) continue;
        execution_log(execution, LOG_WARN, str_from(applied.text));
        turn_schedule(execution);  // what was refused is forgotten, which its sender sees
    }
    arena_release(&scratch);
}

static void look_around(void *self) {
    Runtime *runtime = self;
    bool has_changed = store_has_changed(runtime->store);
    for (Execution *at = runtime->executions; at != NULL; at = at->next) {
        if (at->owner == 0 || at->is_finished) continue;
        if (has_changed) take_commands(at);
        if (at->is_queued && engine_state(at->engine) == STATE_QUEUED) let_queued_go(at);
    }
    loop_timer_start(runtime->poll, POLL_MS);
}

// --- making and freeing -------------------------------------------------------------------------

static Err open_secrets(Runtime *runtime) {
    const char *file = runtime->options.secrets_path;
    if (file == NULL && runtime->config.secrets_path.len > 0) {
        file = str_to_c(&runtime->arena, runtime->config.secrets_path);
    }
    SecretOptions options = {.file = file, .env = (const char *const *)environ};
    return secret_chain_new(&options, &runtime->secret_chain);
}

static void choose_env(Runtime *runtime) {
    static const ChildEnv kinds[] = {CHILD_ENV_INHERIT, CHILD_ENV_CLEAN, CHILD_ENV_NAMED};
    const RunConfig *config = &runtime->config;
    const char **names = arena_array(&runtime->arena, const char *, config->env_name_count + 1);
    for (uint32_t i = 0; i < config->env_name_count; i++) {
        names[i] = str_to_c(&runtime->arena, config->env_names[i]);
    }
    runtime->env = secret_child_env((const char *const *)environ, NULL, kinds[config->env], names,
                                    &runtime->arena);
}

Err runtime_new(const RuntimeOptions *options, Runtime **out) {
    *out = NULL;
    Runtime *runtime = heap_alloc(1, sizeof *runtime);
    runtime->options = *options;
    if (options->config != NULL) runtime->config = *options->config;
    if (runtime->config.globals.kind != VALUE_MAP) {
        runtime->config.globals = value_map(&runtime->arena);
    }
    runtime->clock = options->clock != NULL ? options->clock : clock_system();
    runtime->failure = err_none();
    runtime->masker = masker_new();
    Err err = crypto_init();
    if (err.code == ERR_NONE) err = loop_new(&runtime->loop);
    if (err.code == ERR_NONE) {
        runtime->due = loop_timer_new(runtime->loop, timers_due, runtime);
        runtime->poll = loop_timer_new(runtime->loop, look_around, runtime);
        StoreOptions store = {.folder = options->state_folder,
                              .is_ephemeral = options->is_ephemeral,
                              .read_only = options->read_only,
                              .durability = runtime->config.durability,
                              .batch_ms = runtime->config.batch_ms,
                              .clock = runtime->clock,
                              .seam = options->seam};
        err = store_open(&store, &runtime->store);
    }
    if (err.code == ERR_NONE && !options->read_only) err = open_secrets(runtime);
    if (err.code != ERR_NONE) {
        runtime_free(runtime);
        return err;
    }
    choose_env(runtime);
    *out = runtime;
    return err_none();
}

void runtime_free(Runtime *runtime) {
    if (runtime == NULL) return;
    while (runtime->executions != NULL) runtime_drop(runtime, runtime->executions);
    if (runtime->procs != NULL) procs_free(runtime->procs);
    if (runtime->net != NULL) net_free(runtime->net);
    store_close(runtime->store);
    if (runtime->secret_chain != NULL) secret_chain_free(runtime->secret_chain);
    loop_free(runtime->loop);
    masker_free(runtime->masker);
    arena_release(&runtime->arena);
    heap_free(runtime);
}

Value runtime_missing_secrets(const Runtime *runtime) {
    Arena *arena = (Arena *)(uintptr_t)&runtime->arena;  // grows with what is asked of it
    Value list = value_list(arena);
    for (uint32_t i = 0; i < runtime->missing_secrets.count; i++) {
        Str name = runtime->missing_secrets.items[i];
        bool is_known = false;
        for (uint32_t k = 0; k < list.as.list->count; k++) {
            is_known = is_known || str_eq(list.as.list->items[k].as.text, name);
        }
        if (!is_known) value_list_add(arena, list, value_text(name));
    }
    return list;
}

// --- signals ------------------------------------------------------------------------------------

static void kill_all(Runtime *runtime) {
    for (Execution *at = runtime->executions; at != NULL; at = at->next) {
        if (at->owner == 0 || at->is_finished) continue;
        Command command = {.kind = COMMAND_KILL, .now_ms = runtime_now(runtime)};
        Err err = execution_command(at, &command);
        if (err.code != ERR_NONE) execution_log(at, LOG_WARN, str_from(err.text));
    }
}

static void interrupted(void *self) {
    Runtime *runtime = self;
    if (runtime->is_killed) {
        // The outer process passes on what a terminal sends to both: one press may come twice.
        if (runtime_now(runtime) - runtime->killed_ms < 100) return;
        runtime->is_interrupted = true;
        loop_stop(runtime->loop);
        return;
    }
    runtime->is_killed = true;
    runtime->killed_ms = runtime_now(runtime);
    kill_all(runtime);
}

static void stopped(void *self) {
    Runtime *runtime = self;
    runtime->is_stopped = true;
    loop_stop(runtime->loop);
}

// --- running ------------------------------------------------------------------------------------

static bool is_working(const Execution *execution) {
    return execution->is_scheduled || execution->attempts != NULL ||
           execution->turn.incoming.count > 0;
}

// True where something of this process goes on by itself.
static bool anything_works(const Runtime *runtime, bool with_time) {
    for (const Execution *at = runtime->executions; at != NULL; at = at->next) {
        if (at->owner == 0) continue;
        if (is_working(at)) return true;
        if (with_time && (at->timers.count > 0 || at->is_queued)) return true;
    }
    return false;
}

static bool all_finished(const Runtime *runtime) {
    for (const Execution *at = runtime->executions; at != NULL; at = at->next) {
        if (at->owner != 0 && !at->is_finished) return false;
    }
    return true;
}

static bool should_end(const Runtime *runtime, RunUntil until, State state, RunEnd *end) {
    const Execution *root = runtime->root;
    if (runtime->failure.code != ERR_NONE) {
        *end = RUN_FAILED;
    } else if (runtime->is_interrupted) {
        *end = RUN_INTERRUPTED;
    } else if (runtime->is_stopped) {
        *end = RUN_STOPPED;
    } else if (root->is_finished && !is_working(root) &&
               (all_finished(runtime) || !anything_works(runtime, true))) {
        *end = RUN_FINISHED;
    } else if (until == RUN_TO_STATE && engine_state(root->engine) == state) {
        *end = RUN_REACHED_STATE;
    } else if (!anything_works(runtime, true)) {
        *end = RUN_WAITS_FOR_PERSON;
    } else if (until == RUN_NO_WAIT && !anything_works(runtime, false)) {
        *end = RUN_WAITS_FOR_TIME;
    } else {
        return false;
    }
    return true;
}

static void round_ended(Runtime *runtime) {
    const RunObserver *observer = &runtime->options.observer;
    for (Execution *at = runtime->executions; at != NULL; at = at->next) log_flush_soon(at);
    if (observer->flush != NULL) observer->flush(observer->self);
}

static RunEnd run_loop(Runtime *runtime, RunUntil until, State state) {
    RunEnd end = RUN_FINISHED;
    while (!should_end(runtime, until, state, &end)) {
        loop_run_once(runtime->loop, -1);
        round_ended(runtime);
    }
    return end;
}

RunEnd runtime_run(Runtime *runtime, Execution *execution, RunUntil until, State state, Err *err) {
    LoopSignal *signals[3] = {0};
    runtime->root = execution;
    *err = loop_signal_new(runtime->loop, SIGINT, interrupted, runtime, &signals[0]);
    if (err->code == ERR_NONE) {
        *err = loop_signal_new(runtime->loop, SIGTERM, stopped, runtime, &signals[1]);
    }
    struct sigaction hangup;
    bool is_nohup = sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler == SIG_IGN;
    if (err->code == ERR_NONE && !is_nohup) {
        *err = loop_signal_new(runtime->loop, SIGHUP, stopped, runtime, &signals[2]);
    }
    // A reader of the log that goes away must not take the execution with it.
    signal(SIGPIPE, SIG_IGN);
    if (err->code != ERR_NONE) runtime_fail(runtime, *err);
    // A queued execution waits by looking: then the poll keeps the loop alive.
    loop_timer_start(runtime->poll, POLL_MS);
    RunEnd end = run_loop(runtime, until, state);
    loop_timer_stop(runtime->poll);
    for (size_t i = 0; i < COUNT(signals); i++) loop_signal_free(signals[i]);
    *err = runtime->failure;
    return end;
}

Execution *runtime_root(const Runtime *runtime) {
    return runtime->root;
}

int run_exit_status(RunEnd end, const Execution *execution) {
    switch (end) {
    case RUN_WAITS_FOR_PERSON:
    case RUN_WAITS_FOR_TIME:
        return 50;
    case RUN_INTERRUPTED:
        return 130;
    case RUN_STOPPED:
        return 75;
    case RUN_FAILED:
        return 74;
    case RUN_REACHED_STATE:
    case RUN_FINISHED:
        break;
    }
    State state = engine_state(execution_engine(execution));
    if (state == STATE_FAILED) return 1;
    if (state == STATE_KILLED || state == STATE_CANCELLED) return 130;
    if (state == STATE_PAUSED) return 50;
    return 0;
}
