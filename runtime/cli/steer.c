// steer.c - commands to executions that are there: resume, resolve, restart, replay, kill, pause,
// mark, label, force-run.
//
// An execution that a live process runs gets the command through the store. One that nobody runs
// is taken: to go on with it in the foreground, or only to record what was said.
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "cli/cli.h"

static const OptionSpec RESUME_OPTIONS[] = {
    OPTION_INPUTS,
    OPTION_SECRETS,
    OPTION_WAITING,
    OPTION_END,
};
static const OptionSpec RESOLVE_OPTIONS[] = {
    {"as",      0, "success|failed|retry", "what the outcome was, or to try again"},
    {"outputs", 0, "JSON",                 "outputs of a success"                 },
    OPTION_END,
};
static const OptionSpec REPLAY_OPTIONS[] = {
    OPTION_INPUTS,
    {"from",     0, "TASK", "from this task on"                                           },
    {"artifact", 0, "FILE", "with another revision of the flow"                           },
    {"check",    0, NULL,   "run nothing: compare what was decided with what would be now"},
    OPTION_SECRETS,
    OPTION_WAITING,
    OPTION_UNSIGNED,
    OPTION_END,
};
static const OptionSpec RESTART_OPTIONS[] = {
    OPTION_WAITING,
    OPTION_SECRETS,
    OPTION_END,
};
static const OptionSpec KILL_OPTIONS[] = {
    {"no-cascade", 0, NULL, "leave its subflows alone"},
    OPTION_WAITING,
    OPTION_SECRETS,
    OPTION_END,
};

// An execution that is to be steered, with the runtime that may take it.
typedef struct Target {
    Runtime *runtime;
    Store *store;
    Str id;
    StoreExecution row;
    State state;
    bool is_owned;  // by a live process
} Target;

static int open_target(Cli *cli, Target *target) {
    memset(target, 0, sizeof *target);
    Err err = cli_runtime(cli, false, HOST_REAL, &target->runtime);
    if (err.code != ERR_NONE) {
        const char *kind = err.code == ERR_USAGE ? "usage" : "store";
        if (strstr(err.text, "secret") != NULL) kind = "secret";
        return cli_fail(cli, kind, &err, NULL);
    }
    target->store = runtime_store(target->runtime);
    err = cli_find(cli, target->store, &target->id);
    if (err.code == ERR_NONE) {
        err = store_get_execution(target->store, target->id, &cli->arena, &target->row);
    }
    if (err.code != ERR_NONE) {
        int status = cli_fail_execution(cli, &err);
        cli_end(cli, target->runtime);
        return status;
    }
    state_from(target->row.state, &target->state);
    target->is_owned = store_is_owned(target->store, target->id);
    return 0;
}

static int close_target(Cli *cli, Target *target, Err err) {
    int status = err.code == ERR_NONE ? STATUS_OK : cli_fail_execution(cli, &err);
    cli_end(cli, target->runtime);
    return status;
}

// The outer process has to be there before the loop; the effects are known from the artifact.
static int supervise_for(Cli *cli) {
    StoreOptions options = {.folder = cli_state_folder(cli), .read_only = true};
    Store *store = NULL;
    Str id = {0};
    Str bytes = {0};
    StoreExecution row;
    Artifact artifact;
    Err err = store_open(&options, &store);
    Str file = path_join(&cli->arena, str_from(options.folder), STR("store.db"));
    if (err.code != ERR_NONE && path_exists(str_to_c(&cli->arena, file))) {
        // A kill in the middle of a transaction has left what only a writer can clear away.
        options.read_only = false;
        err = store_open(&options, &store);
    }
    if (err.code == ERR_NONE) err = cli_find(cli, store, &id);
    if (err.code == ERR_NONE) err = store_get_execution(store, id, &cli->arena, &row);
    if (err.code == ERR_NONE) err = store_get_artifact(store, &row.artifact, &cli->arena, &bytes);
    if (err.code == ERR_NONE) err = run_decode_artifact(bytes, &cli->arena, &artifact);
    store_close(store);
    if (err.code == ERR_NONE) err = cli_supervise(cli, &artifact.plan);
    if (err.code == ERR_NONE) return 0;
    return cli_fail_execution(cli, &err);
}

static Value command_body(Cli *cli, Str task, State state, Value value) {
    Value body = value_map(&cli->arena);
    if (task.len > 0) value_map_set(&cli->arena, body, STR("task"), value_text(task));
    if (state != STATE_NONE) {
        value_map_set(&cli->arena, body, STR("state"), value_text(str_from(state_name(state))));
    }
    if (value.kind != VALUE_NULL) value_map_set(&cli->arena, body, STR("value"), value);
    return body;
}

static Err post(Target *target, const char *name, Value body, int64_t *number) {
    Buffer text = {0};
    json_write(&text, body, JSON_COMPACT, 0);
    Err err =
        store_send_command(target->store, target->id, str_from(name), buffer_str(&text), number);
    buffer_release(&text);
    return err;
}

static Err send(Cli *cli, Target *target, const char *name, Value body) {
    Err err = post(target, name, body, NULL);
    if (err.code == ERR_NONE) {
        cli_note(cli, "told the process that runs '" STR_FMT "'", STR_ARG(target->id));
    }
    return err;
}

// Waits until the process that runs it has done so, or a minute.
static void await_end(Target *target) {
    for (int i = 0; i < 600; i++) {
        Arena arena = {0};
        StoreExecution row;
        State state = STATE_NONE;
        Err err = store_get_execution(target->store, target->id, &arena, &row);
        bool is_over = err.code != ERR_NONE ||
                       (state_from(row.state, &state) && state_is_terminal(state)) ||
                       !store_is_owned(target->store, target->id);
        arena_release(&arena);
        if (is_over) return;
        struct timespec pause = {.tv_nsec = 100000000};
        nanosleep(&pause, NULL);
    }
}

static Str argument(const Cli *cli, int n) {
    return n < cli->argument_count ? cli->arguments[n] : (Str){0};
}

static int nothing_to_do(Cli *cli, Target *target, const char *what) {
    Err err = err_make(ERR_USAGE, "execution '" STR_FMT "' is " STR_FMT ": there is nothing to %s",
                       STR_ARG(target->id), STR_ARG(target->row.state), what);
    return close_target(cli, target, err);
}

// --- resume -------------------------------------------------------------------------------------

static bool has_unknown(const Execution *execution) {
    TaskRunView view;
    uint32_t at = 0;
    while (engine_next_open(execution_engine(execution), &at, &view)) {
        if (view.is_unknown) return true;
    }
    return false;
}

// A Pause goes on; an execution whose owner died goes on by being taken.
static Err resume_pause(Cli *cli, Execution *execution, Value inputs, InputFault *fault) {
    Command command = {.kind = COMMAND_RESUME,
                       .task = argument(cli, 1),
                       .now_ms = clock_system()->wall_ms(clock_system()->self)};
    TRY(execution_resume_values(execution, command.task, inputs, &cli->arena, fault,
                                &command.value));
    Err err = execution_command(execution, &command);
    bool may_go_on = command.task.len == 0 && err.code == ERR_USAGE;
    return may_go_on ? err_none() : err;
}

static int resume_here(Cli *cli, Target *target, Value inputs) {
    Execution *execution = NULL;
    InputFault fault = {0};
    Err err = execution_adopt(target->runtime, target->id, &execution);
    if (err.code == ERR_NONE) err = execution_give_secrets(execution, inputs);
    bool waits = err.code == ERR_NONE && target->state == STATE_PAUSED;
    if (waits && !(has_unknown(execution) && argument(cli, 1).len == 0)) {
        err = resume_pause(cli, execution, inputs, &fault);
    }
    int status = STATUS_OK;
    if (err.code == ERR_INPUT && fault.rule.len > 0) {
        status = cli_fail(cli, "input", &err, &fault);
    } else if (err.code != ERR_NONE) {
        status = cli_fail_execution(cli, &err);
    } else {
        status = cli_foreground(cli, target->runtime, execution);
    }
    cli_end(cli, target->runtime);
    return status;
}

typedef struct Answer {
    int64_t number;
    bool has_come;
} Answer;

static Err look_for_answer(void *self, const StoreEvent *row) {
    Answer *answer = self;
    if (row->kind != EVENT_RESUMED) return err_none();
    Arena scratch = {0};
    Event event;
    Err err = event_read(EVENT_RESUMED, row->body, &scratch, &event);
    if (err.code == ERR_NONE &&
        value_map_get_int(event.more, STR("command"), -1) == answer->number) {
        answer->has_come = true;
    }
    arena_release(&scratch);
    return err;
}

static Err is_waiting(Target *target, int64_t number, bool *out) {
    Arena scratch = {0};
    StoreCommand *rows = NULL;
    uint32_t count = 0;
    Err err = store_take_commands(target->store, target->id, number - 1, &scratch, &rows, &count);
    *out = false;
    for (uint32_t i = 0; err.code == ERR_NONE && i < count; i++) *out |= rows[i].number == number;
    arena_release(&scratch);
    return err;
}

// Asks the process that runs it, and waits until it has resumed the pause, or has not: then another
// was first.
static Err resume_there(Cli *cli, Target *target, Value inputs) {
    Value body = command_body(cli, argument(cli, 1), STATE_NONE, inputs);
    value_map_set(&cli->arena, body, STR("seen"), value_int(target->row.last_seq));
    Answer answer = {0};
    TRY(post(target, "resume", body, &answer.number));
    bool waits = true;
    for (int i = 0; i < 600 && waits; i++) {
        bool is_owned = store_is_owned(target->store, target->id);
        TRY(is_waiting(target, answer.number, &waits));
        TRY(store_events(target->store, target->id, target->row.last_seq, look_for_answer,
                         &answer));
        if (answer.has_come) {
            cli_note(cli, "resumed in the process that runs '" STR_FMT "'", STR_ARG(target->id));
            return err_none();
        }
        if (!is_owned) break;
        struct timespec pause = {.tv_nsec = 20000000};
        if (waits) nanosleep(&pause, NULL);
    }
    // Nobody is to come upon it later.
    if (waits) TRY(store_drop_command(target->store, answer.number));
    return err_make(ERR_CONFLICT,
                    "execution '" STR_FMT "' is run by another process, which did not resume it: "
                    "it was resumed already, or `flowrun logs " STR_FMT "` says why",
                    STR_ARG(target->id), STR_ARG(target->id));
}

// After a kill -9 the process that did the work follows the one that a user saw: what seems to be
// run by another may be free in a moment.
static bool is_let_go(const Target *target) {
    const struct timespec pause = {.tv_nsec = 20000000};
    for (int i = 0; i < 50 && store_is_owned(target->store, target->id); i++) {
        nanosleep(&pause, NULL);
    }
    return !store_is_owned(target->store, target->id);
}

static int resume(Cli *cli) {
    Target target;
    Value inputs;
    Err err = cli_inputs(cli, NULL, &inputs);
    if (err.code == ERR_USAGE) return cli_fail(cli, "usage", &err, NULL);
    if (err.code != ERR_NONE) return cli_fail(cli, "input", &err, NULL);
    int status = supervise_for(cli);
    if (status == 0) status = open_target(cli, &target);
    if (status == 0 && target.is_owned && target.state != STATE_PAUSED && is_let_go(&target)) {
        status = close_target(cli, &target, err_none());
        if (status == 0) status = open_target(cli, &target);
    }
    if (status != 0) return status;
    if (state_is_terminal(target.state)) return nothing_to_do(cli, &target, "resume");
    if (!target.is_owned) return resume_here(cli, &target, inputs);
    if (target.state != STATE_PAUSED) {
        err = err_make(ERR_CONFLICT,
                       "execution '" STR_FMT "' is " STR_FMT " and run by another process",
                       STR_ARG(target.id), STR_ARG(target.row.state));
        return close_target(cli, &target, err);
    }
    return close_target(cli, &target, resume_there(cli, &target, inputs));
}

// --- resolve, mark ------------------------------------------------------------------------------

static int say_or_record(Cli *cli, const char *name, const Command *command) {
    Target target;
    int status = open_target(cli, &target);
    if (status != 0) return status;
    Err err = err_none();
    if (target.is_owned) {
        err = send(cli, &target, name,
                   command_body(cli, command->task, command->state, command->value));
    } else {
        err = execution_record(target.runtime, target.id, command);
        if (err.code == ERR_NONE) {
            cli_note(cli, "recorded; `flowrun resume " STR_FMT "` goes on", STR_ARG(target.id));
        }
    }
    return close_target(cli, &target, err);
}

static int resolve(Cli *cli) {
    Str as = cli_option(cli, "as");
    Str outputs = cli_option(cli, "outputs");
    Command command = {.kind = COMMAND_RESOLVE,
                       .task = argument(cli, 1),
                       .now_ms = clock_system()->wall_ms(clock_system()->self)};
    if (str_eq(as, STR("success"))) {
        command.state = STATE_SUCCESS;
    } else if (str_eq(as, STR("failed"))) {
        command.state = STATE_FAILED;
    } else if (str_eq(as, STR("retry"))) {
        command.state = STATE_CREATED;
    } else {
        return cli_usage(cli, "'resolve' needs --as success, failed or retry");
    }
    if (outputs.len > 0) {
        Err err = json_parse(outputs, (JsonLimits){0}, &cli->arena, &command.value);
        if (err.code == ERR_NONE && command.value.kind != VALUE_MAP) {
            err = err_make(ERR_INPUT, "'--outputs' takes a JSON object");
        }
        if (err.code != ERR_NONE) return cli_fail(cli, "input", &err, NULL);
        if (command.state != STATE_SUCCESS) {
            return cli_usage(cli, "'--outputs' goes with --as success");
        }
    }
    return say_or_record(cli, "resolve", &command);
}

static int mark(Cli *cli) {
    Command command = {.kind = COMMAND_MARK,
                       .task = argument(cli, 1),
                       .now_ms = clock_system()->wall_ms(clock_system()->self)};
    if (!state_from(argument(cli, 2), &command.state)) {
        return cli_usage(cli,
                         "'" STR_FMT "' is no state of a task run: SUCCESS, WARNING, FAILED, …",
                         STR_ARG(argument(cli, 2)));
    }
    return say_or_record(cli, "mark", &command);
}

static int pause_command(Cli *cli) {
    Command command = {.kind = COMMAND_PAUSE,
                       .now_ms = clock_system()->wall_ms(clock_system()->self)};
    return say_or_record(cli, "pause", &command);
}

// --- restart, force-run, kill: in the foreground ------------------------------------------------

static int take_and_run(Cli *cli, Target *target, const Command *command) {
    Execution *execution = NULL;
    Err err = execution_adopt(target->runtime, target->id, &execution);
    if (err.code == ERR_NONE) {
        execution_keep_children(execution, cli_has(cli, "no-cascade"));
        err = execution_command(execution, command);
    }
    int status = err.code == ERR_NONE ? cli_foreground(cli, target->runtime, execution)
                                      : cli_fail_execution(cli, &err);
    cli_end(cli, target->runtime);
    return status;
}

static int restart(Cli *cli) {
    Target target;
    int status = supervise_for(cli);
    if (status == 0) status = open_target(cli, &target);
    if (status != 0) return status;
    Command command = {.kind = COMMAND_RESTART,
                       .now_ms = clock_system()->wall_ms(clock_system()->self)};
    return take_and_run(cli, &target, &command);
}

static int force_run(Cli *cli) {
    Target target;
    int status = supervise_for(cli);
    if (status == 0) status = open_target(cli, &target);
    if (status != 0) return status;
    if (state_is_terminal(target.state)) return nothing_to_do(cli, &target, "force");
    Command command = {.kind = COMMAND_FORCE_RUN,
                       .now_ms = clock_system()->wall_ms(clock_system()->self)};
    if (!target.is_owned) return take_and_run(cli, &target, &command);
    Value body = command_body(cli, (Str){0}, STATE_NONE, value_null());
    return close_target(cli, &target, send(cli, &target, "force-run", body));
}

static int kill_command(Cli *cli) {
    Target target;
    int status = supervise_for(cli);
    if (status == 0) status = open_target(cli, &target);
    if (status != 0) return status;
    if (state_is_terminal(target.state)) return nothing_to_do(cli, &target, "kill");
    if (target.is_owned) {
        Value body = command_body(cli, (Str){0}, STATE_NONE, value_null());
        value_map_set(&cli->arena, body, STR("cascade"), value_bool(!cli_has(cli, "no-cascade")));
        Err err = send(cli, &target, "kill", body);
        if (err.code == ERR_NONE) await_end(&target);
        return close_target(cli, &target, err);
    }
    Command command = {.kind = COMMAND_KILL,
                       .now_ms = clock_system()->wall_ms(clock_system()->self)};
    status = take_and_run(cli, &target, &command);
    return status == STATUS_KILLED ? STATUS_OK : status;
}

// --- replay -------------------------------------------------------------------------------------

static void print_check(Cli *cli, const CheckReport *report) {
    if (cli->is_json) {
        Value map = value_map(&cli->arena);
        value_map_set(&cli->arena, map, STR("version"), value_int(1));
        value_map_set(&cli->arena, map, STR("events"), value_int(report->events));
        value_map_set(&cli->arena, map, STR("decisions"), value_int(report->decisions));
        value_map_set(&cli->arena, map, STR("differsAt"),
                      report->seq == 0 ? value_null() : value_int(report->seq));
        value_map_set(&cli->arena, map, STR("recorded"), value_text(report->recorded));
        value_map_set(&cli->arena, map, STR("decided"), value_text(report->decided));
        cli_print(cli, map);
    } else if (report->seq == 0) {
        cli_note(cli, "%lld events, %lld decisions: this flowrun decides the same",
                 (long long)report->events, (long long)report->decisions);
    } else {
        static const Str nothing = {"nothing", sizeof "nothing" - 1};
        Str recorded = report->recorded.len > 0 ? report->recorded : nothing;
        Str decided = report->decided.len > 0 ? report->decided : nothing;
        cli_note(cli,
                 "event %lld differs\n  recorded: " STR_FMT "\n  this flowrun decides: " STR_FMT,
                 (long long)report->seq, STR_ARG(recorded), STR_ARG(decided));
    }
}

// The history as it is, and whether a replay from the task can be made of it.
static int check_replay(Cli *cli, Target *target, const Command *command) {
    Execution *execution = NULL;
    Events events = {0};
    CheckReport report;
    Err err = execution_check(target->runtime, target->id, &cli->arena, &report);
    bool is_same = err.code == ERR_NONE && report.seq == 0;
    if (is_same) err = execution_look(target->runtime, target->id, &execution);
    if (is_same && err.code == ERR_NONE) {
        err = engine_command(execution_engine(execution), command, &cli->arena, &events);
    }
    if (err.code == ERR_NONE) print_check(cli, &report);
    int status = close_target(cli, target, err);
    return status == STATUS_OK && report.seq != 0 ? STATUS_FAILED : status;
}

static int replay_with(Cli *cli, Target *target, const Artifact *artifact, Value inputs) {
    InputFault fault = {0};
    Execution *execution = NULL;
    Command command = {.kind = COMMAND_REPLAY,
                       .task = cli_option(cli, "from"),
                       .new_id = run_new_id(clock_system(), &cli->arena),
                       .now_ms = clock_system()->wall_ms(clock_system()->self)};
    Err err = err_none();
    if (cli_has(cli, "check")) return check_replay(cli, target, &command);
    err = execution_replay(target->runtime, target->id, &command, artifact, inputs, &cli->arena,
                           &fault, &execution);
    int status = STATUS_OK;
    if (err.code == ERR_INPUT) {
        status = cli_fail(cli, "input", &err, &fault);
    } else if (err.code != ERR_NONE) {
        status = cli_fail_execution(cli, &err);
    } else {
        status = cli_foreground(cli, target->runtime, execution);
    }
    cli_end(cli, target->runtime);
    return status;
}

static int replay(Cli *cli) {
    Target target;
    Artifact artifact;
    Value inputs;
    bool has_artifact = cli_has(cli, "artifact");
    Err err = err_none();
    if (has_artifact) err = cli_artifact(cli, cli_option(cli, "artifact"), &artifact);
    if (err.code != ERR_NONE) return cli_fail(cli, "artifact", &err, NULL);
    err = cli_inputs(cli, has_artifact ? &artifact.plan : NULL, &inputs);
    if (err.code == ERR_USAGE) return cli_fail(cli, "usage", &err, NULL);
    if (err.code != ERR_NONE) return cli_fail(cli, "input", &err, NULL);
    int status = supervise_for(cli);
    if (status == 0) status = open_target(cli, &target);
    if (status != 0) return status;
    return replay_with(cli, &target, has_artifact ? &artifact : NULL, inputs);
}

// --- label --------------------------------------------------------------------------------------

static int label(Cli *cli) {
    Target target;
    Value labels = value_map(&cli->arena);
    for (int i = 1; i < cli->argument_count; i++) {
        Str pair = cli->arguments[i];
        size_t equals = str_find_char(pair, '=', 0);
        if (equals == STR_NOT_FOUND || equals == 0) {
            return cli_usage(cli, "'label' takes KEY=VALUE, not '" STR_FMT "'", STR_ARG(pair));
        }
        if (str_starts_with(pair, STR("system."))) {
            return cli_usage(cli, "labels that begin with 'system.' are reserved");
        }
        value_map_set(&cli->arena, labels, str_slice(pair, 0, equals),
                      value_text(str_slice(pair, equals + 1, pair.len)));
    }
    int status = open_target(cli, &target);
    if (status != 0) return status;
    Err err = target.is_owned ? send(cli, &target, "label", labels)
                              : execution_record_labels(target.runtime, target.id, labels);
    return close_target(cli, &target, err);
}

// --- the commands -------------------------------------------------------------------------------

const CommandSpec command_resume = {.name = "resume",
                                    .arguments = "ID [TASK]",
                                    .min = 1,
                                    .max = 2,
                                    .help = "go on with a paused or abandoned execution",
                                    .options = RESUME_OPTIONS,
                                    .run = resume};
const CommandSpec command_resolve = {.name = "resolve",
                                     .arguments = "ID TASK",
                                     .min = 2,
                                     .max = 2,
                                     .help = "say what the outcome of a task was",
                                     .options = RESOLVE_OPTIONS,
                                     .run = resolve};
const CommandSpec command_restart = {.name = "restart",
                                     .arguments = "ID",
                                     .min = 1,
                                     .max = 1,
                                     .help = "run what failed once more",
                                     .options = RESTART_OPTIONS,
                                     .run = restart};
const CommandSpec command_replay = {.name = "replay",
                                    .arguments = "ID",
                                    .min = 1,
                                    .max = 1,
                                    .help = "run it again as a new execution",
                                    .options = REPLAY_OPTIONS,
                                    .run = replay};
const CommandSpec command_kill = {.name = "kill",
                                  .arguments = "ID",
                                  .min = 1,
                                  .max = 1,
                                  .help = "end an execution, its tasks and subflows",
                                  .options = KILL_OPTIONS,
                                  .run = kill_command};
const CommandSpec command_pause = {.name = "pause",
                                   .arguments = "ID",
                                   .min = 1,
                                   .max = 1,
                                   .help = "start no further tasks",
                                   .run = pause_command};
const CommandSpec command_mark = {.name = "mark",
                                  .arguments = "ID TASK STATE",
                                  .min = 3,
                                  .max = 3,
                                  .help = "give a task run another state",
                                  .run = mark};
const CommandSpec command_force_run = {.name = "force-run",
                                       .arguments = "ID",
                                       .min = 1,
                                       .max = 1,
                                       .help = "run a queued execution now",
                                       .options = RESTART_OPTIONS,
                                       .run = force_run};
const CommandSpec command_label = {.name = "label",
                                   .arguments = "ID KEY=VALUE...",
                                   .min = 2,
                                   .max = -1,
                                   .help = "add labels to an execution",
                                   .run = label};
