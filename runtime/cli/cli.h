// cli.h - what the commands of flowrun share: options, results, errors, lines of progress.
//
// Adding a command is one file with a `const CommandSpec` and a row in commands.c. A command prints
// its result on standard output and everything else on standard error, and returns its status.
#ifndef FLOW_CLI_CLI_H
#define FLOW_CLI_CLI_H

#include <stdio.h>

#include "run/run.h"

enum {
    STATUS_OK = 0,
    STATUS_FAILED = 1,
    STATUS_USAGE = 2,
    STATUS_ARTIFACT = 3,
    STATUS_PAUSED = 50,
    STATUS_STORE = 74,
    STATUS_BUSY = 75,
    STATUS_KILLED = 130
};

typedef struct Cli Cli;
typedef struct CommandSpec CommandSpec;

// `name` without dashes; `value` is what usage calls it, NULL for a flag; "VALUE?" may be left out.
typedef struct OptionSpec {
    const char *name;
    char letter;  // 0: none
    const char *value;
    const char *help;
} OptionSpec;

struct CommandSpec {
    const char *name;
    const char *arguments;  // "ARTIFACT", "ID [TASK]"
    int min, max;           // of positional arguments; max -1: any
    const char *help;
    const OptionSpec *options;  // ends with a NULL name; the common ones are added
    int (*run)(Cli *cli);
};

typedef struct GivenOption {
    const char *name;
    Str value;
} GivenOption;

struct Cli {
    Arena arena;
    const CommandSpec *command;
    Str *arguments;
    int argument_count;
    LIST_OF(GivenOption) options;
    RunConfig config;
    const Value *context;  // of `run --context`; NULL: none
    bool is_json;
    Str colour;            // --color: auto (or empty), always, never
    bool has_colour;       // of standard error
    bool is_terminal;      // standard error
    bool has_lost_output;  // standard output could not be written
    ProcSpared *spared;    // with the outer process
    int started_fd;        // --detach: where the id is told; -1: none
    // Progress.
    Masker *masker;
    bool is_unseen;  // standard error is /dev/null
    Buffer time;     // as text, of the last line
    int64_t time_ms;
    Buffer line;   // to be written next
    Buffer block;  // what stands at the bottom of the terminal
    Runtime *shown;
    LoopTimer *frames;
    int64_t next_frame_ms;
};

int cli_main(int argc, char **argv);
const CommandSpec *const *cli_commands(uint32_t *count);
// The n-th option of a command, then those that all have; NULL behind the last.
const OptionSpec *cli_option_spec(const CommandSpec *command, uint32_t n);

// The last value given, or the empty text; whether it was given.
Str cli_option(const Cli *cli, const char *name);
bool cli_has(const Cli *cli, const char *name);
const char *cli_option_c(Cli *cli, const char *name);  // NULL where it was not given
// The n-th value of a repeated option; false behind the last.
bool cli_option_at(const Cli *cli, const char *name, uint32_t n, Str *out);

// --- results and errors (output.c) --------------------------------------------------------------

void cli_print(Cli *cli, Value value);  // JSON with a line feed, to standard output
// To standard output, as it is. What could not be written is the status of the command.
void cli_write(Cli *cli, Str text);
void cli_note(Cli *cli, const char *format, ...) FORMAT_LIKE(2, 3);  // `note: …` on standard error
// `error: …` on standard error, or the error object on standard output; gives the status of `kind`.
int cli_fail(Cli *cli, const char *kind, const Err *err, const InputFault *fault);
int cli_usage(Cli *cli, const char *format, ...) FORMAT_LIKE(2, 3);
// Of an error while executions are looked up, taken over or commanded.
int cli_fail_execution(Cli *cli, const Err *err);
// The result of an execution, and what to do next where it has not ended.
void cli_show_result(Cli *cli, const Execution *execution, bool with_runs, RunEnd end);
void cli_duration(Buffer *out, int64_t milliseconds);

// --- common steps (common.c) --------------------------------------------------------------------

// The runtime of a command that runs or changes executions, with progress on standard error.
MUST_CHECK Err cli_runtime(Cli *cli, bool read_only, HostMode mode, Runtime **out);
void cli_end(Cli *cli, Runtime *runtime);
const char *cli_state_folder(Cli *cli);
MUST_CHECK Err cli_artifact(Cli *cli, Str path, Artifact *out);
// -i, --inputs; `plan` (may be NULL) tells the types.
MUST_CHECK Err cli_inputs(Cli *cli, const Plan *plan, Value *out);
// The JSON or YAML map in the file that an option names; empty where it was not given.
MUST_CHECK Err cli_map_file(Cli *cli, const char *option, Value *out);
MUST_CHECK Err cli_labels(Cli *cli, Value *out);
// Runs it in the foreground and prints the result; gives the status.
int cli_foreground(Cli *cli, Runtime *runtime, Execution *execution);
// Where the artifact may start processes: an outer process that sweeps when this one dies.
MUST_CHECK Err cli_supervise(Cli *cli, const Plan *plan);
// The full id of the first argument.
MUST_CHECK Err cli_find(Cli *cli, Store *store, Str *id);
// Whether results, on standard output, are coloured.
bool cli_output_has_colour(const Cli *cli);
// A line of the log as text.
// Text from outside: control characters, which steer a terminal, are left out there and shown as
// `\xNN` elsewhere. Tabs and ends of lines stay.
void cli_add_plain(const Cli *cli, Buffer *out, Str text);
void cli_log_text(Cli *cli, const LogLine *line, Str place, Buffer *out);
bool cli_parse_age(Str text, int64_t *milliseconds);  // 30d, 12h, 5m, PT…

// --- progress (progress.c) ----------------------------------------------------------------------

RunObserver cli_observer(Cli *cli);
// Breaks lines before they reach the edge of a terminal, and indents what follows.
void cli_add_folded(Buffer *out, Str lines, uint32_t columns);
// The live tree of what `runtime` runs, where standard error is a terminal, until
// cli_progress_end.
void cli_progress_begin(Cli *cli, Runtime *runtime);
void cli_progress_end(Cli *cli);

#define OPTION_INPUTS                                                                              \
    {"input", 'i', "NAME=VALUE", "an input; NAME=@FILE for a file"}, {                             \
        "inputs", 0, "FILE", "inputs from a JSON or YAML file"                                     \
    }
#define OPTION_WAITING                                                                             \
    {"until", 0, "STATE", "return when the execution has this state"},                             \
        {"no-wait", 0, NULL, "return when only time has to pass"}, {                               \
        "record-effects", 0, NULL, "add what was done to the result"                               \
    }
#define OPTION_SECRETS                                                                             \
    {"secrets", 0, "FILE", "secrets from a file of mode 0600"},                                    \
        {"files", 0, "DIR", "namespace files"}, {                                                  \
        "task-runner", 0, "process|docker", "where tasks run that name no runner"                  \
    }
#define OPTION_UNSIGNED                                                                            \
    { "allow-unsigned", 0, NULL, "run an unsigned artifact of your own" }
#define OPTION_END                                                                                 \
    { NULL, 0, NULL, NULL }

#endif
