// task.c - flowrun task: one task of an artifact, for other engines. JSON in, JSON lines out.
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cli.h"

enum { REQUEST_MAX = 64 << 20 };

static const OptionSpec OPTIONS[] = {
    OPTION_SECRETS,
    OPTION_UNSIGNED,
    OPTION_END,
};

static void on_say(void *self, Value message) {
    Buffer line = {0};
    json_write(&line, message, JSON_COMPACT, 0);
    buffer_add_char(&line, '\n');
    cli_write(self, buffer_str(&line));
    buffer_release(&line);
}

static Err read_request(Cli *cli, Value *out) {
    Str text = {0};
    TRY(file_read_fd(STDIN_FILENO, "standard input", REQUEST_MAX, &cli->arena, &text));
    Err err = json_parse(text, (JsonLimits){0}, &cli->arena, out);
    if (err.code != ERR_NONE) return err_wrap(err, "standard input");
    return err_none();
}

static int run(Cli *cli) {
    Artifact artifact = {0};
    Err err = cli_artifact(cli, cli->arguments[0], &artifact);
    if (err.code != ERR_NONE) return cli_fail(cli, "artifact", &err, NULL);
    Value request = value_null();
    err = read_request(cli, &request);
    if (err.code != ERR_NONE) return cli_fail(cli, "input", &err, NULL);
    err = cli_supervise(cli, &artifact.plan);
    Runtime *runtime = NULL;
    if (err.code == ERR_NONE) err = cli_runtime(cli, false, HOST_REAL, &runtime);
    if (err.code != ERR_NONE) {
        return cli_fail(cli, err.code == ERR_USAGE ? "usage" : "store", &err, NULL);
    }
    SingleObserver observer = {.say = on_say, .self = cli};
    int status = 0;
    err = run_single(runtime, &artifact, cli->arguments[1], request, &observer, &status);
    if (err.code != ERR_NONE) {
        status = cli_fail(cli, err.code == ERR_INPUT ? "input" : "usage", &err, NULL);
    }
    cli_end(cli, runtime);
    return status;
}

const CommandSpec command_task = {
    .name = "task",
    .arguments = "ARTIFACT TASK",
    .min = 2,
    .max = 2,
    .help =
        "Run one task by itself, for another engine.\n\n"
        "Standard input is a JSON object with the task's properties in 'props', no expressions;\n"
        "{\"$secret\": NAME} is a secret of this host. Log lines, metrics, checkpoints and\n"
        "outputs are JSON lines on standard output. The status is 0, 10 (warning), 20 (try\n"
        "again), 30 (failed for good), 40 (skipped) or 50 (nobody knows).",
    .options = OPTIONS,
    .run = run,
};
