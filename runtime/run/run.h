// run.h - drives executions: turns of the pure engine, durable before they have an effect.
//
// A Runtime is one process's view of a state directory: the loop, the store, the masker, and the
// executions this process owns (a root, its subflows, retries by new execution). Nothing here
// prints: what is to be seen goes through the observer. Not for several threads.
#ifndef FLOW_RUN_RUN_H
#define FLOW_RUN_RUN_H

#include "artifact/artifact.h"
#include "engine/engine.h"
#include "host/host.h"
#include "log/log.h"
#include "log/mask.h"
#include "loop/loop.h"
#include "store/store.h"

typedef struct ProcSpared ProcSpared;

// --- the host's configuration -------------------------------------------------------------------

typedef enum OnUnknown { UNKNOWN_PAUSE, UNKNOWN_RETRY, UNKNOWN_FAIL } OnUnknown;

// flowrun.yaml; every member has a default.
typedef struct RunConfig {
    Str path;  // of the file; empty: there is none
    Str state_folder;
    Str time_zone;
    Str env_prefix;  // of `envs`; default ENV_
    Value globals;   // a map
    Str secrets_path;
    Str kestra_url, kestra_environment;
    Str trust_path;
    Durability durability;
    uint32_t batch_ms;
    OnUnknown on_unknown;
    HostRunner runner;
    Str *allowed_paths;
    uint32_t allowed_path_count;
    enum { ENV_INHERIT, ENV_CLEAN, ENV_NAMES } env;  // of children
    Str *env_names;
    uint32_t env_name_count;
    bool allows_volumes;  // containers: {volumes: true}
    Value handlers;       // of external types: prefix -> {command, env} or {url}; null: none
} RunConfig;

// `path` NULL: the user's, else the machine's, else the defaults. ERR_INPUT names file and setting.
MUST_CHECK Err run_config_load(const char *path, Arena *arena, RunConfig *out);
// The state directory by option, environment, host file, default; in this order.
Str run_state_folder(const RunConfig *config, const char *option, Arena *arena);

// --- artifacts ----------------------------------------------------------------------------------

typedef struct RunTrust {
    const char *path;  // of a trust file; NULL: the host file's, if any
    bool allow_unsigned;
} RunTrust;

// Reads, verifies, asks the trust file, decodes; in this order (design §4.3). ERR_REFUSED,
// ERR_NOT_FOUND, ERR_LIMIT. `fd` ≥ 0 is read instead of `path`.
MUST_CHECK Err run_open_artifact(const RunConfig *config, const RunTrust *trust, const char *path,
                                 int fd, Arena *arena, Artifact *out);
// The same for bytes from the store, which were trusted when they came in.
MUST_CHECK Err run_decode_artifact(Str bytes, Arena *arena, Artifact *out);

// --- the runtime --------------------------------------------------------------------------------

typedef struct Runtime Runtime;
typedef struct Execution Execution;

// Where a task run stands among the iterations of its loops: "[outer][inner]", empty outside.
Str run_place(const Engine *engine, RunId run, Arena *arena);

typedef struct RunLog {
    Str execution;
    LogLine line;  // masked
    Str place;     // see run_place
} RunLog;

typedef struct RunObserver {
    void (*log)(void *self, const RunLog *line);
    // A task run or (empty task) an execution has a new state that is durable.
    void (*state)(void *self, Str execution, Str task, Str place, State state);
    // Behind a round of the loop: a time to write what was gathered. May be NULL.
    void (*flush)(void *self);
    void *self;
} RunObserver;

typedef struct RuntimeOptions {
    const RunConfig *config;
    const char *state_folder;
    bool is_ephemeral;
    bool read_only;
    HostMode mode;
    HostRunner runner;         // over the configuration's; RUNNER_AUTO: that one
    const char *secrets_path;  // NULL: none
    const char *files_folder;  // NULL: the artifact's
    const StoreSeam *seam;
    const Clock *clock;
    RunObserver observer;
    bool only_ends;      // what is under way is not gone on with but killed: no secrets are needed
    ProcSpared *spared;  // kept processes that an outer process leaves alone; NULL: there is none
    const Value *context;  // for tests of the language: a map of roots that win; NULL: none
} RuntimeOptions;

// What expressions did, for the same tests.
typedef struct LeafStatistics {
    uint32_t evaluated;   // leaves that were run, not constants
    const char *failure;  // kind of the last that failed, or NULL
    Str name;             // what was undefined then
} LeafStatistics;

MUST_CHECK Err runtime_new(const RuntimeOptions *options, Runtime **out);
void runtime_free(Runtime *runtime);  // ends what still runs
const LeafStatistics *runtime_leaf_statistics(const Runtime *runtime);
Store *runtime_store(Runtime *runtime);
Loop *runtime_loop(Runtime *runtime);
Masker *runtime_masker(Runtime *runtime);
// Names of secrets that were not there in plan mode, as a list of texts.
Value runtime_missing_secrets(const Runtime *runtime);

// --- executions ---------------------------------------------------------------------------------

// Why inputs were refused; texts live in the arena given. The value of a SECRET is never in it.
typedef struct InputFault {
    Str input, rule, bound, received, message;  // rule `secret`: one is missing
} InputFault;

typedef struct RunStart {
    const Artifact *artifact;
    Value inputs;  // map: input id -> value; text as the input's type reads it; of FILE a URI, or
                   // the path of a file, also as `@path`
    Value labels;  // map
    Str id;        // empty: a new one
    Str kind;      // empty: normal
    // Of a subflow:
    Str parent;
    Value trigger;
    int32_t depth;
    Value system_labels;  // inherited
} RunStart;

// A new id: 22 letters and digits.
Str run_new_id(const Clock *clock, Arena *arena);
// The execution exists durably when this returns, and its first turn is done. ERR_INPUT fills
// `fault` (which may be NULL).
MUST_CHECK Err execution_create(Runtime *runtime, const RunStart *start, Arena *arena,
                                InputFault *fault, Execution **out);
// Takes over an execution that nobody runs: folds it and hands out again what was under way.
// ERR_CONFLICT where another process runs it.
MUST_CHECK Err execution_adopt(Runtime *runtime, Str id, Execution **out);
// Folds it to look at, without taking it.
MUST_CHECK Err execution_look(Runtime *runtime, Str id, Execution **out);
// Folds what the world did in an execution again and compares each decision of its history with
// what this engine decides.
typedef struct CheckReport {
    int64_t events, decisions;
    int64_t seq;            // of the first that differs; 0: none does
    Str recorded, decided;  // there; either may be empty: there was none
} CheckReport;
MUST_CHECK Err execution_check(Runtime *runtime, Str id, Arena *arena, CheckReport *out);
// Takes it to write the outside events of one command and nothing else, then lets it go.
MUST_CHECK Err execution_record(Runtime *runtime, Str id, const Command *command);
// Adds labels the same way.
MUST_CHECK Err execution_record_labels(Runtime *runtime, Str id, Value labels);
// A command to an execution this process owns.
MUST_CHECK Err execution_command(Execution *execution, const Command *command);
// Whether a kill leaves its subflows alone.
void execution_keep_children(Execution *execution, bool keeps);
// A replay as a new execution, owned and begun. `artifact` NULL: the one it had.
MUST_CHECK Err execution_replay(Runtime *runtime, Str id, const Command *command,
                                const Artifact *artifact, Value inputs, Arena *arena,
                                InputFault *fault, Execution **out);
// SECRET inputs are not kept: a resumed execution gets them again. `inputs` as in RunStart.
MUST_CHECK Err execution_give_secrets(Execution *execution, Value inputs);
// Values of the Pause `task` (empty: the first that waits), converted by its onResume inputs.
MUST_CHECK Err execution_resume_values(Execution *execution, Str task, Value inputs, Arena *arena,
                                       InputFault *fault, Value *out);

const Engine *execution_engine(const Execution *execution);
const Artifact *execution_artifact(const Execution *execution);
Str execution_id(const Execution *execution);
int64_t execution_revision(const Execution *execution);
// A line of its own in the execution's log (masked).
void execution_log(Execution *execution, LogLevel level, Str message);

typedef enum RunUntil { RUN_TO_END, RUN_NO_WAIT, RUN_TO_STATE } RunUntil;

typedef enum RunEnd {
    RUN_FINISHED,
    RUN_WAITS_FOR_PERSON,  // a Pause, an unknown outcome
    RUN_WAITS_FOR_TIME,    // RUN_NO_WAIT
    RUN_REACHED_STATE,
    RUN_INTERRUPTED,  // a second SIGINT
    RUN_STOPPED,      // SIGTERM, SIGHUP
    RUN_FAILED,       // the store; *err says why
} RunEnd;

// Runs everything this runtime owns until `execution` has ended, or something else to stop for.
// Handles SIGINT (kill it), SIGTERM and SIGHUP (leave it resumable), and commands of other
// processes.
RunEnd runtime_run(Runtime *runtime, Execution *execution, RunUntil until, State state, Err *err);

// What runtime_run ran, or the execution that a retry put in its place.
Execution *runtime_root(const Runtime *runtime);
// The exit status of cli.md for how it ended.
int run_exit_status(RunEnd end, const Execution *execution);

// --- looking ------------------------------------------------------------------------------------

enum { RESULT_WITHOUT_RUNS = 1, RESULT_WITH_EFFECTS = 2 };

// Kestra's Execution as cli.md has it. Secrets print as ******.
Value execution_result(const Execution *execution, unsigned flags, Arena *arena);
// The same, as far as the row of the store tells: what `list` shows.
Value execution_row_result(const StoreExecution *row, Arena *arena);

// --- planning -----------------------------------------------------------------------------------

typedef struct PlanRequest {
    const Artifact *artifact;
    RuntimeOptions runtime;  // mode says offline or live
    RunStart start;
    Value assume;  // map: task id -> outputs to assume; null: none
} PlanRequest;

// {"version":1,"steps":[…],"notes":[…]}.
MUST_CHECK Err run_plan(const PlanRequest *request, Arena *arena, InputFault *fault, Value *out);
// {"version":1,"checks":[{kind, name, ok, message}]}: what the artifact needs and this host has.
// Inputs are not asked for.
MUST_CHECK Err run_preflight(const PlanRequest *request, bool offline, Arena *arena, Value *out);

// --- one task alone (single.c) ------------------------------------------------------------------

typedef struct SingleObserver {
    // A map with one member: log, metric, checkpoint, outputs or error.
    void (*say)(void *self, Value message);
    void *self;
} SingleObserver;

// Runs the task of that id with the properties of `request` (host/HANDLERS.md) to its end; `status`
// is the exit code of the contract. ERR_NOT_FOUND, ERR_USAGE: no such task; ERR_INPUT.
MUST_CHECK Err run_single(Runtime *runtime, const Artifact *artifact, Str task, Value request,
                          const SingleObserver *observer, int *status);

#endif
