// run.c - flowrun run: a new execution of an artifact, in the foreground or left to itself.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cli.h"

enum { CONTEXT_MAX = 16 << 20 };

static const OptionSpec OPTIONS[] = {
    OPTION_INPUTS,
    {"label",     'l', "KEY=VALUE", "a label of the execution"                                    },
    OPTION_SECRETS,
    {"id",        0,   "ID",        "the id of the execution"                                     },
    {"detach",    0,   NULL,        "print the id and leave the execution to a process of its own"},
    OPTION_WAITING,
    {"ephemeral", 0,   NULL,        "keep nothing"                                                },
    {"context",   0,   "FILE",      NULL                                                          },
    OPTION_UNSIGNED,
    OPTION_END,
};

typedef struct Request {
    Artifact artifact;
    RunStart start;
} Request;

static int fail_create(Cli *cli, const Err *err, const InputFault *fault) {
    if (str_eq(fault->rule, STR("secret"))) return cli_fail(cli, "secret", err, NULL);
    if (err->code == ERR_INPUT) return cli_fail(cli, "input", err, fault);
    return cli_fail_execution(cli, err);
}

// Test-only: --context FILE gives roots that win over all others, and this line says what the
// leaves did with them.
static void tell_leaves(Cli *cli, const Runtime *runtime) {
    const LeafStatistics *statistics = runtime_leaf_statistics(runtime);
    cli_note(cli, "leaves %u, failure %s, name " STR_FMT, statistics->evaluated,
             statistics->failure == NULL ? "none" : statistics->failure, STR_ARG(statistics->name));
}

static Err read_context(Cli *cli) {
    const char *path = cli_option_c(cli, "context");
    if (path == NULL) return err_none();
    Value *map = arena_new(&cli->arena, Value);
    Str text = {0};
    TRY(file_read(path, CONTEXT_MAX, &cli->arena, &text));
    Err err = json_parse(text, (JsonLimits){0}, &cli->arena, map);
    if (err.code != ERR_NONE) return err_wrap(err, "'%s'", path);
    if (map->kind != VALUE_MAP) return err_make(ERR_INPUT, "'%s': expected an object", path);
    cli->context = map;
    return err_none();
}

static int run_now(Cli *cli, const Request *request) {
    Err err = cli_supervise(cli, &request->artifact.plan);
    Runtime *runtime = NULL;
    if (err.code == ERR_NONE) err = cli_runtime(cli, false, HOST_REAL, &runtime);
    if (err.code != ERR_NONE) {
        bool is_usage = err.code == ERR_USAGE;
        bool is_secret = strstr(err.text, "secret") != NULL;
        return cli_fail(cli, is_usage ? "usage" : is_secret ? "secret" : "store", &err, NULL);
    }
    InputFault fault = {0};
    Execution *execution = NULL;
    err = execution_create(runtime, &request->start, &cli->arena, &fault, &execution);
    int status = err.code == ERR_NONE ? cli_foreground(cli, runtime, execution)
                                      : fail_create(cli, &err, &fault);
    if (cli->context != NULL) tell_leaves(cli, runtime);
    cli_end(cli, runtime);
    return status;
}

static void copy_out(int from, int to) {
    char chunk[4096];
    ssize_t got = 0;
    off_t at = 0;
    while ((got = pread(from, chunk, sizeof chunk, at)) > 0) {
        Err err = file_write_fd(to, (Str){chunk, (size_t)got});
        if (err.code != ERR_NONE) return;
        at += got;
    }
}

// What it says before it is on its own goes to files in memory: a pipe of ours would be held open
// for as long as it runs.
static void become_detached(Cli *cli, const Request *request, const int said[2], int started) {
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    setsid();
    if (null >= 0) dup2(null, STDIN_FILENO);
    dup2(said[0], STDOUT_FILENO);
    dup2(said[1], STDERR_FILENO);
    cli->is_terminal = cli->has_colour = false;
    cli->started_fd = started;
    int status = run_now(cli, request);
    fflush(NULL);
    _exit(status);
}

// The id ends with a line feed; without one the process has ended.
static Str read_id(Cli *cli, int fd) {
    Buffer text = {0};
    char byte = 0;
    while (text.len < 256) {
        ssize_t got = read(fd, &byte, 1);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0 || byte == '\n') break;
        buffer_add_char(&text, byte);
    }
    Str id = byte == '\n' ? buffer_to_str(&text, &cli->arena) : (Str){0};
    buffer_release(&text);
    return id;
}

// The process that goes on tells its id through a pipe, or ends with its status.
static int run_detached(Cli *cli, const Request *request) {
    int fds[2];
    int said[2] = {memfd_create("output", MFD_CLOEXEC), memfd_create("error", MFD_CLOEXEC)};
    pid_t pid = -1;
    if (said[0] >= 0 && said[1] >= 0 && pipe2(fds, O_CLOEXEC) == 0) pid = fork();
    if (pid < 0) {
        Err err = err_system("cannot start a process of its own");
        return cli_fail(cli, "runner", &err, NULL);
    }
    if (pid == 0) become_detached(cli, request, said, fds[1]);
    close(fds[1]);
    Str id = read_id(cli, fds[0]);
    close(fds[0]);
    copy_out(said[1], STDERR_FILENO);
    if (id.len == 0) {
        int status = 0;
        waitpid(pid, &status, 0);
        copy_out(said[0], STDOUT_FILENO);
        return WIFEXITED(status) ? WEXITSTATUS(status) : STATUS_STORE;
    }
    if (cli->is_json) {
        Value map = value_map(&cli->arena);
        value_map_set(&cli->arena, map, STR("id"), value_text(id));
        cli_print(cli, map);
    } else {
        cli_write(cli, str_concat(&cli->arena, id, STR("\n")));
    }
    return STATUS_OK;
}

static int keep_nothing(Cli *cli, const Request *request) {
    char folder[] = "/tmp/flowrun-XXXXXX";
    if (mkdtemp(folder) == NULL) {
        Err err = err_system("cannot make a folder in /tmp");
        return cli_fail(cli, "store", &err, NULL);
    }
    static const OptionSpec state = {"state-dir", 0, "DIR", ""};
    *LIST_ADD(&cli->arena, &cli->options, GivenOption) =
        (GivenOption){state.name, str_dup(&cli->arena, str_from(folder))};
    int status = run_now(cli, request);
    Err err = dir_remove(folder);
    if (err.code != ERR_NONE) cli_note(cli, "%s", err.text);
    return status;
}

static int run(Cli *cli) {
    Request *request = arena_new(&cli->arena, Request);
    Err err = cli_artifact(cli, cli->arguments[0], &request->artifact);
    if (err.code != ERR_NONE) return cli_fail(cli, "artifact", &err, NULL);
    request->start.artifact = &request->artifact;
    request->start.id = cli_option(cli, "id");
    if (cli_has(cli, "id") && request->start.id.len == 0) {
        return cli_usage(cli, "'--id' takes the id of the new execution, not an empty text");
    }
    err = cli_inputs(cli, &request->artifact.plan, &request->start.inputs);
    if (err.code == ERR_NONE) err = cli_labels(cli, &request->start.labels);
    if (err.code == ERR_NONE) err = read_context(cli);
    if (err.code == ERR_USAGE) return cli_fail(cli, "usage", &err, NULL);
    if (err.code != ERR_NONE) return cli_fail(cli, "input", &err, NULL);
    if (cli_has(cli, "ephemeral") && cli_has(cli, "detach")) {
        return cli_usage(cli, "'--ephemeral' and '--detach' exclude each other: nobody could ask "
                              "for the result");
    }
    if (cli_has(cli, "ephemeral")) return keep_nothing(cli, request);
    return cli_has(cli, "detach") ? run_detached(cli, request) : run_now(cli, request);
}

const CommandSpec command_run = {
    .name = "run",
    .arguments = "ARTIFACT",
    .min = 1,
    .max = 1,
    .help = "run a compiled flow",
    .options = OPTIONS,
    .run = run,
};
