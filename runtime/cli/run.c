// run.c - flowrun run: a new execution of an artifact, in the foreground or left to itself.
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cli.h"

static const OptionSpec OPTIONS[] = {
    OPTION_INPUTS,
    {"label",     'l', "KEY=VALUE", "a label of the execution"                                    },
    OPTION_SECRETS,
    {"id",        0,   "ID",        "the id of the execution"                                     },
    {"detach",    0,   NULL,        "print the id and leave the execution to a process of its own"},
    OPTION_WAITING,
    {"ephemeral", 0,   NULL,        "keep nothing"                                                },
    OPTION_UNSIGNED,
    OPTION_END,
};

typedef struct Request {
    Artifact artifact;
    RunStart start;
} Request;

static int fail_create(Cli *cli, const Err *err, const InputFault *fault) {
    if (err->code == ERR_INPUT) return cli_fail(cli, "input", err, fault);
    return cli_fail_execution(cli, err);
}

static int run_now(Cli *cli, const Request *request) {
    Err err = cli_supervise(&request->artifact.plan);
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
    cli_end(cli, runtime);
    return status;
}

// The process that goes on tells its id through a pipe, or ends with its status.
static int run_detached(Cli *cli, const Request *request) {
    int fds[2];
    if (pipe(fds) != 0) {
        Err err = err_system("cannot start a process of its own");
        return cli_fail(cli, "runner", &err, NULL);
    }
    pid_t pid = fork();
    if (pid == 0) {
        close(fds[0]);
        setsid();
        cli->started_fd = fds[1];
        int status = run_now(cli, request);
        fflush(NULL);
        _exit(status);
    }
    close(fds[1]);
    Str id = {0};
    Err err = pid < 0 ? err_system("cannot start a process of its own")
                      : file_read_fd(fds[0], "the new process", 4096, &cli->arena, &id);
    close(fds[0]);
    if (err.code != ERR_NONE) return cli_fail(cli, "runner", &err, NULL);
    if (id.len == 0) {  // it has said why
        int status = 0;
        waitpid(pid, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : STATUS_STORE;
    }
    if (cli->is_json) {
        Value map = value_map(&cli->arena);
        value_map_set(&cli->arena, map, STR("id"), value_text(id));
        cli_print(cli, map);
    } else {
        cli_write(str_concat(&cli->arena, id, STR("\n")));
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
    err = cli_inputs(cli, &request->artifact.plan, &request->start.inputs);
    if (err.code == ERR_NONE) err = cli_labels(cli, &request->start.labels);
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
