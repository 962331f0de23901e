// common.c - steps that several commands take.
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cli.h"
#include "proc/proc.h"
#include "value/convert.h"
#include "value/time.h"

enum { INPUTS_FILE_MAX = 16 << 20 };

const char *cli_state_folder(Cli *cli) {
    Str folder = run_state_folder(&cli->config, cli_option_c(cli, "state-dir"), &cli->arena);
    // Absolute: tasks have working directories of their own below it.
    if (folder.len > 0 && folder.ptr[0] != '/') {
        char here[4096];
        if (getcwd(here, sizeof here) != NULL) {
            folder = path_join(&cli->arena, str_from(here), folder);
        }
    }
    return str_to_c(&cli->arena, folder);
}

static HostRunner runner_of(const Cli *cli) {
    Str runner = cli_option(cli, "task-runner");
    if (str_eq(runner, STR("process"))) return RUNNER_PROCESS;
    return str_eq(runner, STR("docker")) ? RUNNER_DOCKER : RUNNER_AUTO;
}

Err cli_runtime(Cli *cli, bool read_only, HostMode mode, Runtime **out) {
    Str runner = cli_option(cli, "task-runner");
    if (runner.len > 0 && runner_of(cli) == RUNNER_AUTO) {
        return err_make(ERR_USAGE, "'--task-runner' is process or docker, not '" STR_FMT "'",
                        STR_ARG(runner));
    }
    RuntimeOptions options = {.config = &cli->config,
                              .state_folder = cli_state_folder(cli),
                              .is_ephemeral = cli_has(cli, "ephemeral"),
                              .read_only = read_only,
                              .mode = mode,
                              .runner = runner_of(cli),
                              .secrets_path = cli_option_c(cli, "secrets"),
                              .files_folder = cli_option_c(cli, "files"),
                              .observer = cli_observer(cli),
                              .only_ends = strcmp(cli->command->name, "kill") == 0,
                              .spared = cli->spared,
                              .context = cli->context};
    Err err = runtime_new(&options, out);
    if (err.code == ERR_NONE) cli->masker = runtime_masker(*out);
    return err;
}

void cli_end(Cli *cli, Runtime *runtime) {
    cli_progress_end(cli);
    cli->masker = NULL;
    runtime_free(runtime);
}

// `fd:N`, /dev/fd/N and /proc/self/fd/N are descriptors: how a compiled flow is handed over.
static int descriptor_of(Str path) {
    static const char *const prefixes[] = {"fd:", "/dev/fd/", "/proc/self/fd/"};
    for (size_t i = 0; i < COUNT(prefixes); i++) {
        Str prefix = str_from(prefixes[i]);
        int64_t number = -1;
        if (!str_starts_with(path, prefix)) continue;
        if (!str_to_int(str_slice(path, prefix.len, path.len), &number)) continue;
        if (number >= 0 && number < 1 << 20) return (int)number;
    }
    return -1;
}

Err cli_artifact(Cli *cli, Str path, Artifact *out) {
    RunTrust trust = {.path = cli_option_c(cli, "trust"),
                      .allow_unsigned = cli_has(cli, "allow-unsigned")};
    const char *name = str_to_c(&cli->arena, path);
    return run_open_artifact(&cli->config, &trust, name, descriptor_of(path), &cli->arena, out);
}

// --- inputs -------------------------------------------------------------------------------------

static bool is_text_input(const Plan *plan, Str name) {
    for (uint32_t i = 0; plan != NULL && i < plan->flow_input_count; i++) {
        if (!str_eq(plan_text(plan, plan->inputs[i].id), name)) continue;
        uint8_t type = plan->inputs[i].type;
        return type == INPUT_STRING || type == INPUT_SECRET;
    }
    return false;
}

Err cli_map_file(Cli *cli, const char *option, Value *out) {
    const char *path = cli_option_c(cli, option);
    *out = value_map(&cli->arena);
    if (path == NULL) return err_none();
    Str text = {0};
    TRY(file_read(path, INPUTS_FILE_MAX, &cli->arena, &text));
    bool is_json = str_ends_with(str_from(path), STR(".json"));
    Value value = value_null();
    Err err = is_json ? json_parse(text, (JsonLimits){0}, &cli->arena, &value)
                      : yaml_parse(text, &cli->arena, &value);
    if (err.code != ERR_NONE) return err_wrap(err, "'%s'", path);
    if (value.kind == VALUE_NULL) return err_none();
    if (value.kind != VALUE_MAP) {
        return err_make(ERR_INPUT, "'%s' must hold a map, not %s", path,
                        value_kind_name(value.kind));
    }
    *out = value;
    return err_none();
}

static Err split_pair(Str pair, const char *option, Str *name, Str *value) {
    size_t equals = str_find_char(pair, '=', 0);
    if (equals == STR_NOT_FOUND || equals == 0) {
        return err_make(ERR_USAGE, "'%s' takes NAME=VALUE, not '" STR_FMT "'", option,
                        STR_ARG(pair));
    }
    *name = str_slice(pair, 0, equals);
    *value = str_slice(pair, equals + 1, pair.len);
    return err_none();
}

Err cli_inputs(Cli *cli, const Plan *plan, Value *out) {
    TRY(cli_map_file(cli, "inputs", out));
    Str pair = {0};
    for (uint32_t i = 0; cli_option_at(cli, "input", i, &pair); i++) {
        Str name = {0};
        Str text = {0};
        TRY(split_pair(pair, "-i", &name, &text));
        bool is_null = str_eq(text, STR("null")) && !is_text_input(plan, name);
        value_map_set(&cli->arena, *out, name, is_null ? value_null() : value_text(text));
    }
    return err_none();
}

Err cli_labels(Cli *cli, Value *out) {
    *out = value_map(&cli->arena);
    Str pair = {0};
    for (uint32_t i = 0; cli_option_at(cli, "label", i, &pair); i++) {
        Str name = {0};
        Str text = {0};
        TRY(split_pair(pair, "-l", &name, &text));
        if (str_starts_with(name, STR("system."))) {
            return err_make(ERR_USAGE,
                            "label '" STR_FMT "': names that begin with 'system.' are reserved",
                            STR_ARG(name));
        }
        value_map_set(&cli->arena, *out, name, value_text(text));
    }
    return err_none();
}

// --- running ------------------------------------------------------------------------------------

Err cli_supervise(Cli *cli, const Plan *plan) {
    for (uint32_t i = 0; i < plan->module_count; i++) {
        if ((plan->modules[i].effects & EFFECT_EXEC) != 0) return proc_supervise(&cli->spared);
    }
    return err_none();
}

// The id is told and the process goes on without its terminal.
static void go_to_background(Cli *cli, const Execution *execution) {
    Buffer id = {0};
    buffer_add(&id, execution_id(execution));
    buffer_add_char(&id, '\n');
    Err err = file_write_fd(cli->started_fd, buffer_str(&id));
    (void)err;
    buffer_release(&id);
    close(cli->started_fd);
    cli->started_fd = -1;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) return;
    for (int fd = 0; fd <= 2; fd++) dup2(null, fd);
    close(null);
}

static int until_of(Cli *cli, RunUntil *until, State *state) {
    Str name = cli_option(cli, "until");
    *until = cli_has(cli, "no-wait") ? RUN_NO_WAIT : RUN_TO_END;
    if (name.len == 0) return 0;
    *until = RUN_TO_STATE;
    if (state_from(name, state)) return 0;
    return cli_usage(cli, "'" STR_FMT "' is no state of an execution: RUNNING, PAUSED, SUCCESS, …",
                     STR_ARG(name));
}

int cli_foreground(Cli *cli, Runtime *runtime, Execution *execution) {
    RunUntil until = RUN_TO_END;
    State state = STATE_NONE;
    int status = until_of(cli, &until, &state);
    if (status != 0) return status;
    if (cli->started_fd >= 0) go_to_background(cli, execution);
    Err err = err_none();
    cli_progress_begin(cli, runtime);
    RunEnd end = runtime_run(runtime, execution, until, state, &err);
    cli_progress_end(cli);
    if (end == RUN_FAILED) {
        cli_fail(cli, "store", &err, NULL);
        return STATUS_STORE;
    }
    execution = runtime_root(runtime);
    cli_show_result(cli, execution, cli->is_terminal && isatty(STDOUT_FILENO) == 1, end);
    return run_exit_status(end, execution);
}

Err cli_find(Cli *cli, Store *store, Str *id) {
    return store_find_execution(store, cli->arguments[0], &cli->arena, id);
}

bool cli_parse_age(Str text, int64_t *milliseconds) {
    static const struct {
        char unit;
        int64_t factor;
    } units[] = {
        {'s', 1000     },
        {'m', 60000    },
        {'h', 3600000  },
        {'d', 86400000 },
        {'w', 604800000}
    };
    int64_t number = 0;
    for (size_t i = 0; i < COUNT(units); i++) {
        if (text.len < 2 || text.ptr[text.len - 1] != units[i].unit) continue;
        if (!str_to_int(str_slice(text, 0, text.len - 1), &number) || number < 0) return false;
        if (number > INT64_MAX / units[i].factor) return false;
        *milliseconds = number * units[i].factor;
        return true;
    }
    int64_t nanoseconds = 0;
    Err err = duration_parse(text, false, &nanoseconds);
    *milliseconds = nanoseconds / 1000000;
    return err.code == ERR_NONE && nanoseconds >= 0;
}
