// driver.h - what the files of the run module share.
#ifndef FLOW_RUN_DRIVER_H
#define FLOW_RUN_DRIVER_H

#include "net/net.h"
#include "proc/proc.h"
#include "run/run.h"
#include "secret/secret.h"

enum {
    LARGE_EVENTS = 50000,     // from then on the store gets more memory
    SNAPSHOT_EVENTS = 10000,  // events between two snapshots
    LOG_IN_ENDED = 4 << 10,   // so much of an attempt's log travels in its ENDED
    LOG_PENDING = 64 << 10,   // lines are written to the file at the latest then
    LOG_WAITING = 1 << 20,    // so many bytes wait for space on a full disk
    POLL_MS = 100,            // how often commands of other processes are looked for
    DEPTH_MAX = 32,           // subflows in subflows
    COMPACT_BYTES = 8 << 20,  // engine memory worth a compaction
    PLAN_ALTERNATIVES = 64    // branches that a plan looks into
};

// An attempt this process works on, from the decision to start it to its ENDED.
typedef struct Attempt Attempt;
struct Attempt {
    Attempt *next;
    Execution *execution;
    Arena arena;
    RunId run;
    uint32_t node;
    int32_t number;
    HostTask *task;  // NULL before it is launched
    Value props;
    Value checkpoint;
    Str key, task_id, value, place, run_text;
    int64_t timeout_ms;
    bool is_pure;
    bool is_kept;  // its result is kept under `kept_key`
    Hash kept_key;
    bool is_recovery;  // by the module's `recover`
    bool is_cancelled;
    bool is_mute;              // nothing it says is kept: its secrets are not known
    Value assumed;             // plan: placeholders its properties were rendered with
    int64_t log_from, log_to;  // in the log file; -1: nothing said
    int64_t skip;              // lines that are not logged again
    Buffer head;               // of its last line, up to the message
    int64_t head_ms;
    int64_t round_ms;  // the loop's time at the last line of a process
    uint32_t in_round;
    LogLevel head_level;
    Buffer log;  // its lines, while they are at most LOG_IN_ENDED
    bool log_is_long;
};

typedef struct Timer {
    int64_t at_ms;
    Str key;
} Timer;

// What waits for the commit of its turn.
typedef struct After {
    Action action;
    Attempt *attempt;  // START, RECOVER
} After;

// A result to be kept for later executions (taskCache); its value lives in the turn.
typedef struct CachedResult {
    Hash key;
    Value value;
    int64_t expires_ms;
} CachedResult;

// Events that came in, and the arena they live in. One is filled while another is worked off.
typedef struct Turn {
    Arena arena;
    Events incoming;
    uint32_t applied;
    LIST_OF(After) after;
    LIST_OF(CachedResult) results;
    LIST_OF(Str) spent;  // folders that are removed behind its commit
} Turn;

// What a plan run does differently; see plan.c.
typedef struct Planner Planner;

struct Execution {
    Runtime *runtime;
    Execution *next;
    Arena arena;  // as long as the execution
    Str id;
    const Artifact *artifact;
    Artifact own_artifact;
    int64_t revision;
    Engine *engine;
    LeafVm *vm;
    Secrets *secrets;
    Host *host;
    Value variables;    // of the flow
    Value seen_inputs;  // as templates see them; null until one does
    Value envs;
    int64_t owner;          // 0: looked at only
    int64_t last_seq;       // stored
    int64_t snapshot_seq;   // stored
    size_t snapshot_bytes;  // of the last one
    uint32_t long_turns;    // that ended for their length, one after the other
    size_t compacted_bytes;
    bool may_compact;  // a snapshot was committed since
    int64_t created_ms;
    Turn turn;
    bool is_scheduled;
    bool is_in_turn;
    bool is_new;  // artifact and flow go into the first transaction
    bool is_finished;
    bool keeps_children;  // a kill does not reach them
    bool is_queued;
    Attempt *attempts;
    LIST_OF(Timer) timers;
    LogFile *log;
    Buffer log_lines;  // not written yet
    size_t log_retry;  // bytes from which on the full disk is tried again; 0: it is not full
    bool log_needs_sync;
    int64_t command_number;  // of the last command that was taken
    bool drops_commands;
    int64_t resumed_after;  // the last event there was when this process last took a resume
    State told_state;
    LIST_OF(RunId) laid_out;  // runs of WorkingDirectories whose files are there
    Buffer row;               // the execution row as it was last stored, to see whether it changed
    // Of a subflow that another execution of this process waits for.
    Execution *parent;
    RunId parent_run, parent_frame;
    bool parent_waits;
    int32_t depth;
    Planner *planner;
};

struct Runtime {
    RuntimeOptions options;
    RunConfig config;
    Arena arena;
    const Clock *clock;
    Loop *loop;
    Store *store;
    Masker *masker;
    SecretChain *secret_chain;
    Procs *procs;
    Net *net;
    const char *const *env;  // of children
    Execution *executions;
    LoopTimer *due;   // the earliest timer of all executions
    LoopTimer *poll;  // commands, the queue
    Err failure;      // of the store: nothing goes on
    LIST_OF(Str) missing_secrets;
    LeafStatistics leaf_statistics;
    // Of runtime_run.
    bool is_killed, is_interrupted, is_stopped;
    int64_t killed_ms;
    Execution *root;
    Planner *planner;
};

int64_t runtime_now(const Runtime *runtime);
void runtime_fail(Runtime *runtime, Err err);
void runtime_set_timer(Runtime *runtime);
void runtime_add(Runtime *runtime, Execution *execution);
Execution *runtime_find(Runtime *runtime, Str id);
void runtime_drop(Runtime *runtime, Execution *execution);  // removes and frees it
Planner *runtime_planner(Runtime *runtime);                 // NULL: a real run
// Executions of the same flow that take part in its concurrency limit.
MUST_CHECK Err runtime_running(const Execution *execution, int64_t *count);

// --- execution.c --------------------------------------------------------------------------------

Execution *execution_new(Runtime *runtime, Str id, const Artifact *artifact);
void execution_free(Execution *execution);
// With its artifact, and nothing of its history.
MUST_CHECK Err execution_load(Runtime *runtime, Str id, Execution **out);
MUST_CHECK Err execution_prepare(Execution *execution);  // machine, secrets, host
MUST_CHECK Err execution_claim(Execution *execution);    // ERR_CONFLICT: another process has it
MUST_CHECK Err execution_open_log(Execution *execution);
// The SecretSource of an execution, which is `self`: of its own namespace where none is named.
MUST_CHECK Err execution_find_secret(void *self, Str name, Str secret_namespace, Str key,
                                     Buffer *plain);
EngineKeeper execution_keeper(Execution *execution);  // of the pages of its engine
Str execution_folder(const Execution *execution, Arena *arena);
void run_fill_row(const Execution *execution, Arena *arena, StoreExecution *row);
Value run_merge(Arena *arena, Value base, Value over);
Value run_nest(Arena *arena, Value flat, bool first_wins);

// --- create.c -----------------------------------------------------------------------------------

// A new execution out of events that begin a history.
MUST_CHECK Err execution_begin(Execution *execution, const Events *events);

// --- turn.c -------------------------------------------------------------------------------------

// A new outside event: fill it in; its texts have to live in turn_arena().
Event *turn_report(Execution *execution, EventKind kind, RunId run);
Arena *turn_arena(Execution *execution);
void turn_schedule(Execution *execution);
// Now. Failures are the runtime's.
void turn_run(Execution *execution);
void turn_after(Execution *execution, const Action *action, Attempt *attempt);
// Stores events and nothing that follows from them. Failures are the runtime's.
void turn_record(Execution *execution, const Events *events);

// --- act.c --------------------------------------------------------------------------------------

void act_now(Execution *execution, const Action *action);  // within a turn
void act_after(Execution *execution, After *after);        // behind its commit
void timers_fire(Execution *execution, int64_t now);
bool timers_next(const Execution *execution, int64_t *at_ms);

// --- evaluate.c, context.c ----------------------------------------------------------------------

typedef struct Scope {
    Execution *execution;
    Arena *arena;
    const PlanNode *node;  // NULL: none
    RunId run;             // zero: of the execution
    RunId frame;           // zero: none
    const Value *roots;    // a map of further roots, which win; NULL: none
    bool touched;          // a placeholder of a plan was read
} Scope;

LeafContext run_context(Scope *scope);
Value run_flow_root(const Execution *execution, Arena *arena);
bool run_id_is_zero(RunId id);

typedef struct Evaluated {
    bool is_ok;
    Value value;
    Str message;   // where it is not
    bool touched;  // depends on a placeholder
} Evaluated;

// What http() in an expression gives (ask_http.c).
LeafStatus run_ask_http(Execution *execution, LeafRun *run);
// A leaf reference, also a constant; 0 gives null.
Evaluated run_evaluate(Execution *execution, PlanLeaf leaf, Scope *scope);

// --- files.c ------------------------------------------------------------------------------------

// A file of internal storage (kestra:///…), a namespace file (nsfile:///… or a bare name: --files,
// else the artifact's), or an allowed file:///…
bool files_find(const Execution *execution, Str path, Arena *arena, Str *text);
// False where a text in the value names a file of internal storage that is gone.
bool files_are_there(const Execution *execution, Value value);
// Copies a file of this machine into the internal storage of the execution.
MUST_CHECK Err files_put(const Execution *execution, Str name, Str source, Arena *arena, Str *uri);
MUST_CHECK Err files_write(const Execution *execution, Str name, Str text, Arena *arena, Str *uri);
Str files_folder(const Execution *execution, Arena *arena);

// --- inputs.c -----------------------------------------------------------------------------------

typedef struct InputRequest {
    Execution *execution;
    const PlanInput *inputs;
    uint32_t count;
    Value given;         // map
    const Value *roots;  // of the context
    Arena *arena;
    InputFault *fault;  // may be NULL
} InputRequest;

MUST_CHECK Err inputs_resolve(const InputRequest *request, Value *out);
MUST_CHECK Err outputs_resolve(Execution *execution, Scope *scope, Value *out);

// --- attempt.c ----------------------------------------------------------------------------------

void attempt_prepare(Execution *execution, const Action *action);
void attempt_recover(Execution *execution, const Action *action);
void attempt_launch(Attempt *attempt);
void attempt_cancel(Execution *execution, const Action *action);
// Where the task of a run works: a folder of its own, or that of its WorkingDirectory.
Str run_work_folder(const Execution *execution, RunId run, Arena *arena);
// Puts the output files of a WorkingDirectory into storage: `outputFiles`, or null where it has
// none.
MUST_CHECK Err folder_outputs(Execution *execution, RunId run, Arena *arena, Value *out);
// What a WorkingDirectory whose run has ended keeps for its next run.
MUST_CHECK Err folder_keep_cache(Execution *execution, const TaskRunView *view, Arena *arena);
void attempt_free_all(Execution *execution);
Value run_mask_value(Execution *execution, Value value, Arena *arena);
Str run_mask_text(Execution *execution, Str text, Arena *arena);
void log_flush(Execution *execution);
// The same, but where the disk is full it waits: what fills it may go with a working directory.
void log_flush_soon(Execution *execution);
// A line of a task run that has no attempt of its own.
void run_log(Execution *execution, const TaskRunView *view, LogLevel level, Str message);
MUST_CHECK Err log_repair(Execution *execution, const Event *event);

// --- notes.c ------------------------------------------------------------------------------------

void notes_take(Execution *execution, const Events *decisions);

// --- child.c ------------------------------------------------------------------------------------

void child_spawn(Execution *execution, const Action *action);
void child_signal(Execution *execution, const Action *action);
void child_retry(Execution *execution, const Action *action);
void child_finished(Execution *child);

// --- items.c ------------------------------------------------------------------------------------

void items_split(Execution *execution, const Action *action);
void items_merge(Execution *execution, const Action *action);

// --- plan.c -------------------------------------------------------------------------------------

void planner_evaluated(Execution *execution, const Action *action, Evaluated *evaluated);
void planner_ended(Execution *execution, Attempt *attempt, const HostResult *result, Arena *arena,
                   Value *outputs);
// `<path>`, noted as read.
Value planner_placeholder(Execution *execution, Str path);
// True where the value holds a placeholder; those are noted as read.
bool planner_read(Execution *execution, Value value);
void planner_begin(Execution *execution);  // what is read from here on
Value planner_end(Execution *execution);
void planner_unrendered(Execution *execution, Attempt *attempt, Str message);
void planner_child(Execution *execution, const Action *action);

#endif
