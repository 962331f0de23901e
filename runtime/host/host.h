// host.h - what task modules can do, and nothing else: the host API of design §11 over proc, net,
// secret, store.
//
// Modules run as coroutines in the Lua state of the execution's LeafVm, each with an environment of
// its own. The driver (run) starts an attempt with rendered properties and learns by callbacks what
// it says and how it ends. Everything that touches the world goes through one place, effect(),
// which describes the effect before it is performed; in plan mode it describes and returns a
// placeholder instead. A real run and a plan therefore tell the same story.
#ifndef FLOW_HOST_HOST_H
#define FLOW_HOST_HOST_H

#include "artifact/artifact.h"
#include "base/clock.h"
#include "leaf/leaf.h"

typedef struct Loop Loop;
typedef struct Store Store;
typedef struct Masker Masker;
typedef struct Procs Procs;
typedef struct Net Net;
typedef struct Host Host;
typedef struct HostTask HostTask;

typedef enum HostMode {
    HOST_REAL,
    HOST_PLAN_OFFLINE,  // effects are described, results are placeholders `<task.output>`
    HOST_PLAN_LIVE,     // read-only effects of a module's `plan` are performed
} HostMode;

// Where script tasks run that name no runner (design §16).
typedef enum HostRunner { RUNNER_AUTO, RUNNER_PROCESS, RUNNER_DOCKER } HostRunner;

typedef struct HostOptions {
    HostMode mode;
    HostRunner runner;
    const Artifact *artifact;
    LeafVm *vm;
    Secrets *secrets;
    Loop *loop;
    Store *store;  // key-value, paths; NULL in plan mode
    // Shared by all hosts of a process (subflows); NULL: the host makes its own, and then there may
    // be only one host at a time, for a process has one reaper of orphans.
    Procs *procs;
    Net *net;
    int64_t grace_ms;  // between TERM and KILL; 0: 10 s
    const Clock *clock;
    Masker *masker;  // every text that leaves passes it (log/mask.h); NULL masks nothing. Values
                     // enter it by the on_plain of the Secrets' source
    Str execution_id, flow_namespace, flow_id;
    Str work_folder;  // below which working directories are made; absolute
    // Internal storage of the execution: kestra:///NS/PATH/FLOW/executions/ID/… is found here.
    // Where the folder's own path ends in /NS/PATH/FLOW/executions/ID, objects of other executions
    // are found beside it (inputs of subflows).
    Str storage_folder;
    Str files_folder;  // namespace files given by `--files`; may be empty: then the artifact's FILE
    const char *const
        *env;  // environment of children, NULL-terminated, without what design §16 removes
    Str const *allowed_paths;  // for file:///
    uint32_t allowed_path_count;
    bool allows_volumes;  // of containers, as tasks ask for them
    bool can_keep;        // processes may outlive this one: somebody can go on with them
    Value handlers;  // of external types: a map from prefix to {command, env} or {url}, or null
} HostOptions;

MUST_CHECK Err host_new(const HostOptions *options, Host **out);
void host_free(Host *host);  // ends what still runs

// How an attempt ended. Texts and values live until the callback returns.
typedef struct HostResult {
    bool is_ok;
    bool is_killed, is_timeout;
    Str state;    // "", or a final state the task itself asked for: SUCCESS, WARNING, FAILED, …
    Str message;  // of a failure
    Str error_class;         // throttled transient auth ambiguous permanent
    int64_t retry_after_ms;  // -1: none
    bool has_begun;          // an effect was started
    int32_t exit_code;       // -1: no process
    Value outputs;           // a map; secrets as recipes
    Value metrics;           // list of {name, type, value, tags}
    Value effects;           // list of effect descriptions, masked
    bool is_unknown;  // a kept process ended, and nobody knows how: neither a success nor a failure
    Value spent;      // list of folders to be removed once the result is durable
} HostResult;

typedef struct HostCallbacks {
    // A log line: level 0 TRACE … 4 ERROR. Already masked.
    void (*log)(void *self, HostTask *task, int level, Str text);
    // The same for a line of a process, of which many come at once. NULL: log.
    void (*output)(void *self, HostTask *task, int level, Str text);
    // Must make it durable before it returns.
    Err (*checkpoint)(void *self, HostTask *task, Value value);
    // Lines that the attempt has logged so far, in earlier processes too. NULL: not known.
    int64_t (*logged)(void *self, HostTask *task);
    // So many lines from now on are in the log already.
    void (*skip)(void *self, HostTask *task, int64_t lines);
    // The template that the task renders for items, over one; *out is in `arena`. NULL: none.
    Err (*item)(void *self, HostTask *task, Value item, Arena *arena, Value *out);
    // Exactly once per host_start; the task is gone afterwards.
    void (*ended)(void *self, HostTask *task, const HostResult *result);
    void *self;
} HostCallbacks;

typedef struct HostStart {
    uint32_t module;  // index into the plan's modules
    Str task_id, task_type, run_id, value;
    Str idempotency_key;
    int32_t attempt;
    Value props;    // rendered; secrets as recipes
    Value context;  // what `host.context` shows: ids, labels, traceparent
    Str workdir;  // shared folder of a WorkingDirectory; empty: one of its own, removed at the end
    // Of the first task in a WorkingDirectory: its properties. `inputFiles` and `namespaceFiles`
    // are laid out in `workdir` before the task begins. Null: nothing.
    Value shared;
    // The same task's id and loop value, by which its cache is known.
    Str shared_task, shared_value;
    int64_t timeout_ms;  // 0: none
    int log_level;       // lines below are dropped
    HostCallbacks callbacks;
    void *user;  // the caller's
} HostStart;

// Stores the files below `start->workdir` that match the globs as objects of `start->run_id`: a map
// of path to URI. In a plan: those named outright.
// Keeps what `cache` of a WorkingDirectory says, where it has changed: `start` as for
// host_take_files, with `value`.
MUST_CHECK Err host_keep_cache(Host *host, const HostStart *start, Value cache, Arena *arena);
MUST_CHECK Err host_take_files(Host *host, const HostStart *start, Value globs, Arena *arena,
                               Value *out);

// Begins an attempt; `ended` may be called before it returns (effect-free tasks always do): then it
// gives NULL.
HostTask *host_start(Host *host, const HostStart *start);
// The same for an attempt whose result is unknown: the module's `recover`, else by its `idempotent`
// (HOST_ASK).
typedef enum HostRecovery {
    HOST_RERUN,
    HOST_RERUN_KEYED,
    HOST_CALL_RECOVER,
    HOST_ASK
} HostRecovery;
HostRecovery host_recovery(Host *host, uint32_t module, Value props, bool has_checkpoint);
HostTask *host_recover(Host *host, const HostStart *start, Value checkpoint);
// Ends what an attempt of an earlier owner has left in the world, by the module's `kill` with the
// checkpoint. `ended` follows.
HostTask *host_kill(Host *host, const HostStart *start, Value checkpoint, Str reason);
// Calls the module's `kill`, then ends its processes and requests: TERM, grace, KILL. `ended`
// follows.
void host_cancel(HostTask *task, Str reason, bool is_timeout);
void *host_task_user(const HostTask *task);
// What is needed before a task can start: kind (secret, image, command, host, kubeconfig), name,
// ok, message.
MUST_CHECK Err host_preflight(Host *host, bool offline, Arena *arena, Value *checks);

#endif
