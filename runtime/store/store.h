// store.h - durable state: one SQLite database per state directory, rows of events, and what is
// derived from them.
//
// The store knows rows, not what they mean: an event is a kind number and a JSON body, encoded by
// the engine. A turn of the runner is one transaction: store_begin, any number of appends and
// derived rows, store_commit; a commit is durable when it returns (WAL, synchronous=FULL) and costs
// one sync. Execution and task-run rows are written in the same transaction and equal to a refold
// of the events (a test). Owners: an execution belongs to the process that holds an OFD lock on
// owners/<id>; everything that writes takes the owner number and fails with ERR_CONFLICT where it
// is stale. Bodies over 16 KiB live as files in blobs/, referenced from the row.
#ifndef FLOW_STORE_STORE_H
#define FLOW_STORE_STORE_H

#include "base/clock.h"
#include "base/crypto.h"
#include "value/value.h"

// The seam for faults: called before and after each step that matters. A test kills, fails or
// counts here.
typedef enum StorePoint {
    STORE_BEFORE_COMMIT,
    STORE_AFTER_COMMIT,
    STORE_BEFORE_SYNC,
    STORE_AFTER_SYNC
} StorePoint;
typedef struct StoreSeam {
    // Non-zero makes the step fail with that errno (BEFORE points only).
    int (*at)(void *self, StorePoint point, const char *file);
    void *self;
} StoreSeam;

typedef enum Durability { DURABILITY_SYNC, DURABILITY_BATCH, DURABILITY_PROCESS } Durability;

typedef struct StoreOptions {
    const char *folder;  // created with mode 0700 where it is not there
    bool is_ephemeral;   // the same tables in memory; `folder` still holds work and log files
    bool read_only;      // list, show, logs: never creates, never waits for a writer
    Durability durability;
    uint32_t batch_ms;
    const Clock *clock;     // NULL: clock_system()
    const StoreSeam *seam;  // NULL: none
} StoreOptions;

typedef struct Store Store;

// Opens or creates. ERR_STORE; ERR_REFUSED for a network file system, foreign owner, newer schema
// (the text names the version needed).
MUST_CHECK Err store_open(const StoreOptions *options, Store **out);
void store_close(Store *store);  // no checkpoint
const char *store_folder(const Store *store);
// Syncs done so far through the store and store_sync_fd: what the figures count.
uint64_t store_sync_count(const Store *store);
MUST_CHECK Err store_sync_fd(Store *store, int fd, const char *name);  // fdatasync through the seam

MUST_CHECK Err store_begin(Store *store);
MUST_CHECK Err store_commit(Store *store);
// What is read between the two is of one moment. Not within a transaction.
MUST_CHECK Err store_begin_reading(Store *store);
void store_end_reading(Store *store);
void store_rollback(Store *store);
// True where another connection has committed since the last call (and at the first one): when to
// look for commands. Costs microseconds.
bool store_has_changed(Store *store);

// --- artifacts and flows ------------------------------------------------------------------------

MUST_CHECK Err store_put_artifact(Store *store, const Hash *digest, Str bytes);  // idempotent
// The bytes are 8-byte aligned. ERR_NOT_FOUND.
MUST_CHECK Err store_get_artifact(Store *store, const Hash *digest, Arena *arena, Str *out);
MUST_CHECK Err store_put_flow(Store *store, Str flow_namespace, Str id, const Hash *digest,
                              int64_t *revision);
// revision 0: the latest. ERR_NOT_FOUND.
MUST_CHECK Err store_get_flow(Store *store, Str flow_namespace, Str id, int64_t revision,
                              Hash *digest, int64_t *found);
MUST_CHECK Err store_remove_flow(Store *store, Str flow_namespace, Str id);  // ERR_NOT_FOUND

typedef struct StoreFlow {
    Str flow_namespace, id;
    int64_t revision, installed_ms;
    Hash digest;
} StoreFlow;
// The newest revision of each flow, by namespace and id.
MUST_CHECK Err store_flows(Store *store, Arena *arena, StoreFlow **rows, uint32_t *count);

// --- executions and events ----------------------------------------------------------------------

typedef struct StoreExecution {
    Str id, flow_namespace, flow_id;
    int64_t flow_revision;
    Hash artifact;
    Str state;  // "RUNNING", …
    Str parent, original;
    int64_t created_ms, started_ms, ended_ms;
    Str labels;   // JSON object
    Str reason;   // JSON, may be empty
    Str trigger;  // JSON, may be empty
    int64_t last_seq;
} StoreExecution;

typedef struct StoreTaskRun {
    Str execution, id, task, parent, value, state;
    int64_t iteration;  // -1: none
    int32_t attempts;
    int64_t started_ms, ended_ms;
} StoreTaskRun;

typedef struct StoreEvent {
    int64_t seq;  // from 1 in each execution
    int64_t time_ms;
    int32_t kind;
    Str body;      // JSON
    Hash128 hash;  // BLAKE2b-128 of the hash before and this row
} StoreEvent;

// Takes an execution for this process: a new owner number. ERR_CONFLICT where a live process holds
// it.
MUST_CHECK Err store_claim(Store *store, Str execution, int64_t *owner);
void store_release(Store *store, Str execution, int64_t owner);
// True where a live process holds it (also this one).
bool store_is_owned(Store *store, Str execution);

// Within a transaction. `event->seq` must be the next; `hash` is filled in.
MUST_CHECK Err store_append(Store *store, Str execution, int64_t owner, StoreEvent *event);
MUST_CHECK Err store_put_execution(Store *store, int64_t owner, const StoreExecution *row);
MUST_CHECK Err store_put_taskrun(Store *store, int64_t owner, const StoreTaskRun *row);
MUST_CHECK Err store_drop_taskrun(Store *store, int64_t owner, Str execution, Str id);
// More memory for pages, for an execution with many rows: they are written in no order.
MUST_CHECK Err store_widen(Store *store);
MUST_CHECK Err store_put_snapshot(Store *store, Str execution, int64_t owner, int64_t seq,
                                  Str bytes);

// Pages that go with snapshots: written once, read when somebody looks. `kind` and `page` name one.
MUST_CHECK Err store_put_page(Store *store, Str execution, int64_t owner, int64_t kind,
                              int64_t page, Str bytes);
MUST_CHECK Err store_get_page(Store *store, Str execution, int64_t kind, int64_t page, Arena *arena,
                              Str *bytes);

// Calls `each` in order for the events behind `after`; its error ends the reading and is returned.
// The chain of hashes is checked: ERR_STORE names the first row that does not fit.
typedef Err (*StoreEventVisitor)(void *self, const StoreEvent *event);
MUST_CHECK Err store_events(Store *store, Str execution, int64_t after, StoreEventVisitor each,
                            void *self);
// The newest snapshot; seq 0 and empty bytes where there is none.
MUST_CHECK Err store_get_snapshot(Store *store, Str execution, Arena *arena, int64_t *seq,
                                  Str *bytes);
MUST_CHECK Err store_get_execution(Store *store, Str id, Arena *arena,
                                   StoreExecution *out);  // ERR_NOT_FOUND
// Ids that begin with `prefix`: the full id where exactly one does, else ERR_NOT_FOUND or ERR_INPUT
// (several).
MUST_CHECK Err store_find_execution(Store *store, Str prefix, Arena *arena, Str *id);

typedef struct StoreFilter {
    Str flow_namespace, flow_id, state, parent;  // empty: any
    int64_t since_ms;
    uint32_t limit;  // 0: 100
} StoreFilter;
MUST_CHECK Err store_list(Store *store, const StoreFilter *filter, Arena *arena,
                          StoreExecution **rows, uint32_t *count);
MUST_CHECK Err store_taskruns(Store *store, Str execution, Arena *arena, StoreTaskRun **rows,
                              uint32_t *count);
MUST_CHECK Err store_delete_execution(Store *store, Str id);

// Commands to an execution that another process owns.
typedef struct StoreCommand {
    int64_t number;
    Str execution, name, body;
} StoreCommand;
// `number` may be NULL.
MUST_CHECK Err store_send_command(Store *store, Str execution, Str name, Str body, int64_t *number);
MUST_CHECK Err store_take_commands(Store *store, Str execution, int64_t after, Arena *arena,
                                   StoreCommand **rows, uint32_t *count);
// Forgets those up to `number`: in the transaction that stores what came of them.
MUST_CHECK Err store_drop_commands(Store *store, Str execution, int64_t number);
// Takes one back.
MUST_CHECK Err store_drop_command(Store *store, int64_t number);

// --- key-value ----------------------------------------------------------------------------------

MUST_CHECK Err store_kv_get(Store *store, Str kv_namespace, Str key, Arena *arena,
                            Value *out);  // ERR_NOT_FOUND
MUST_CHECK Err store_kv_set(Store *store, Str kv_namespace, Str key, Value value,
                            int64_t expires_ms, bool overwrite);
MUST_CHECK Err store_kv_delete(Store *store, Str kv_namespace, Str key, bool *deleted);
// All of them, also those that have ended: a list of {namespace, key, expired}.
MUST_CHECK Err store_kv_entries(Store *store, Arena *arena, Value *out);
MUST_CHECK Err store_kv_keys(Store *store, Str kv_namespace, Str prefix, Arena *arena, Value *out);

// --- results that may be used again -------------------------------------------------------------

MUST_CHECK Err store_cache_get(Store *store, const Hash *key, Arena *arena,
                               Value *out);  // ERR_NOT_FOUND
// In the transaction at hand. `expires_ms`: 0 is never.
MUST_CHECK Err store_cache_put(Store *store, const Hash *key, Value value, int64_t expires_ms);

// --- paths --------------------------------------------------------------------------------------

// exec/<id>/log.jsonl, exec/<id>/work/<task run>, files/…: below the state directory. The folder it
// stands in is made, with mode 0700.
Str store_path(const Store *store, Arena *arena, Str relative);

#endif
