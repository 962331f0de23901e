// look.c - flowrun list, show, wait: executions as the store has them.
#include <time.h>

#include "cli/cli.h"
#include "value/time.h"

static const OptionSpec LIST_OPTIONS[] = {
    {"flow",   0, "NAMESPACE.ID", "executions of this flow"                        },
    {"state",  0, "STATE",        "in this state"                                  },
    {"parent", 0, "ID",           "subflows of this execution"                     },
    {"since",  0, "TIME",         "created since: 2026-01-31T00:00:00Z, or 12h ago"},
    {"limit",  0, "N",            "at most so many (100)"                          },
    OPTION_END,
};

static const OptionSpec WAIT_OPTIONS[] = {
    {"until", 0, "STATE", "return when the execution has this state"},
    OPTION_END,
};

// --- list ---------------------------------------------------------------------------------------

static int read_filter(Cli *cli, StoreFilter *filter) {
    Str flow = cli_option(cli, "flow");
    Str since = cli_option(cli, "since");
    Str limit = cli_option(cli, "limit");
    State state = STATE_NONE;
    filter->state = cli_option(cli, "state");
    filter->parent = cli_option(cli, "parent");
    if (filter->state.len > 0 && !state_from(filter->state, &state)) {
        return cli_usage(cli, "'" STR_FMT "' is no state: RUNNING, PAUSED, SUCCESS, FAILED, …",
                         STR_ARG(filter->state));
    }
    if (flow.len > 0) {
        size_t dot = str_find_last_char(flow, '.');
        if (dot == STR_NOT_FOUND) {
            return cli_usage(cli, "'--flow' takes NAMESPACE.ID, not '" STR_FMT "'", STR_ARG(flow));
        }
        filter->flow_namespace = str_slice(flow, 0, dot);
        filter->flow_id = str_slice(flow, dot + 1, flow.len);
    }
    if (since.len > 0) {
        Instant instant;
        int64_t age = 0;
        if (cli_parse_age(since, &age)) {
            filter->since_ms = clock_system()->wall_ms(clock_system()->self) - age;
        } else if (instant_parse(since, &instant).code == ERR_NONE) {
            filter->since_ms = instant.seconds * 1000 + instant.nanoseconds / 1000000;
        } else {
            return cli_usage(cli, "'--since' takes a time or an age, not '" STR_FMT "'",
                             STR_ARG(since));
        }
    }
    int64_t number = 100;
    if (limit.len > 0 && (!str_to_int(limit, &number) || number <= 0 || number > 1000000)) {
        return cli_usage(cli, "'--limit' takes a number from 1 to 1000000, not '" STR_FMT "'",
                         STR_ARG(limit));
    }
    filter->limit = (uint32_t)number;
    return 0;
}

static void list_text(const StoreExecution *rows, uint32_t count, Buffer *out) {
    if (count == 0) {
        buffer_add(out, STR("no executions\n"));
        return;
    }
    buffer_printf(out, "%-24s %-32s %-10s %-24s %s\n", "ID", "FLOW", "STATE", "CREATED", "TOOK");
    for (uint32_t i = 0; i < count; i++) {
        const StoreExecution *row = &rows[i];
        Buffer flow = {0};
        buffer_printf(&flow, STR_FMT "." STR_FMT, STR_ARG(row->flow_namespace),
                      STR_ARG(row->flow_id));
        buffer_printf(out, "%-24.*s %-32.*s %-10.*s ", STR_ARG(row->id), (int)flow.len, flow.ptr,
                      STR_ARG(row->state));
        buffer_release(&flow);
        instant_print_ms(out, row->created_ms);
        buffer_add_char(out, ' ');
        if (row->ended_ms > 0) cli_duration(out, row->ended_ms - row->created_ms);
        buffer_add_char(out, '\n');
    }
}

static int list(Cli *cli) {
    StoreFilter filter = {0};
    int status = read_filter(cli, &filter);
    if (status != 0) return status;
    StoreOptions options = {.folder = cli_state_folder(cli), .read_only = true};
    Store *store = NULL;
    StoreExecution *rows = NULL;
    uint32_t count = 0;
    Err err = store_open(&options, &store);
    if (err.code == ERR_NONE) err = store_list(store, &filter, &cli->arena, &rows, &count);
    store_close(store);
    if (err.code != ERR_NONE && err.code != ERR_NOT_FOUND) {
        return cli_fail(cli, "store", &err, NULL);
    }
    if (cli->is_json) {
        Value map = value_map(&cli->arena);
        Value executions = value_list(&cli->arena);
        for (uint32_t i = 0; i < count; i++) {
            value_list_add(&cli->arena, executions, execution_row_result(&rows[i], &cli->arena));
        }
        value_map_set(&cli->arena, map, STR("version"), value_int(1));
        value_map_set(&cli->arena, map, STR("executions"), executions);
        cli_print(cli, map);
        return STATUS_OK;
    }
    Buffer out = {0};
    list_text(rows, count, &out);
    cli_write(cli, buffer_str(&out));
    buffer_release(&out);
    return STATUS_OK;
}

// --- show and wait ------------------------------------------------------------------------------

static int fail_looking(Cli *cli, const Err *err) {
    // No store yet means no such execution.
    if (err->code == ERR_NOT_FOUND || err->code == ERR_INPUT) {
        return cli_fail(cli, "usage", err, NULL);
    }
    return cli_fail(cli, err->code == ERR_REFUSED ? "artifact" : "store", err, NULL);
}

// What a terminal or resting state means for the status of `wait`.
static int status_of(State state) {
    if (state == STATE_FAILED) return STATUS_FAILED;
    if (state == STATE_KILLED || state == STATE_CANCELLED) return STATUS_KILLED;
    return state_is_terminal(state) ? STATUS_OK : STATUS_PAUSED;
}

static int show_execution(Cli *cli, bool with_runs, bool is_wait) {
    Runtime *runtime = NULL;
    Execution *execution = NULL;
    Str id = {0};
    Err err = cli_runtime(cli, true, HOST_REAL, &runtime);
    if (err.code != ERR_NONE) return fail_looking(cli, &err);
    err = cli_find(cli, runtime_store(runtime), &id);
    if (err.code == ERR_NONE) err = execution_look(runtime, id, &execution);
    int status = STATUS_OK;
    if (err.code != ERR_NONE) {
        status = fail_looking(cli, &err);
    } else {
        State state = engine_state(execution_engine(execution));
        bool rests = !state_is_terminal(state) && !store_is_owned(runtime_store(runtime), id);
        cli_show_result(cli, execution, with_runs, rests ? RUN_WAITS_FOR_PERSON : RUN_FINISHED);
        if (is_wait) status = status_of(state);
    }
    cli_end(cli, runtime);
    return status;
}

static int show(Cli *cli) {
    return show_execution(cli, true, false);
}

static Err wait_for(Cli *cli, Store *store, Str id, Str until, bool *is_over) {
    Arena arena = {0};
    *is_over = false;
    Err err = err_none();
    while (!*is_over && err.code == ERR_NONE) {
        StoreExecution row;
        State state = STATE_NONE;
        bool is_owned = store_is_owned(store, id);
        err = store_get_execution(store, id, &arena, &row);
        if (err.code != ERR_NONE) break;
        bool is_terminal = state_from(row.state, &state) && state_is_terminal(state);
        *is_over = is_terminal || !is_owned || (until.len > 0 && str_eq(row.state, until));
        arena_release(&arena);
        if (*is_over) break;
        struct timespec pause = {.tv_nsec = 100000000};
        nanosleep(&pause, NULL);
    }
    arena_release(&arena);
    (void)cli;
    return err;
}

static int wait_command(Cli *cli) {
    Str until = cli_option(cli, "until");
    State state = STATE_NONE;
    if (until.len > 0 && !state_from(until, &state)) {
        return cli_usage(cli, "'" STR_FMT "' is no state: RUNNING, PAUSED, SUCCESS, FAILED, …",
                         STR_ARG(until));
    }
    StoreOptions options = {.folder = cli_state_folder(cli), .read_only = true};
    Store *store = NULL;
    Str id = {0};
    bool is_over = false;
    Err err = store_open(&options, &store);
    if (err.code == ERR_NONE) err = cli_find(cli, store, &id);
    if (err.code == ERR_NONE) err = wait_for(cli, store, id, until, &is_over);
    store_close(store);
    if (err.code != ERR_NONE) return fail_looking(cli, &err);
    int status = show_execution(cli, false, true);
    return until.len > 0 && status == STATUS_PAUSED ? STATUS_OK : status;
}

const CommandSpec command_list = {
    .name = "list",
    .arguments = "",
    .min = 0,
    .max = 0,
    .help = "list executions, newest first",
    .options = LIST_OPTIONS,
    .run = list,
};

const CommandSpec command_show = {
    .name = "show",
    .arguments = "ID",
    .min = 1,
    .max = 1,
    .help = "show an execution and its task runs",
    .run = show,
};

const CommandSpec command_wait = {
    .name = "wait",
    .arguments = "ID",
    .min = 1,
    .max = 1,
    .help = "wait until an execution has ended or rests",
    .options = WAIT_OPTIONS,
    .run = wait_command,
};
