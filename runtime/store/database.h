// database.h - what the files of the store share: the open database, its statements, its errors.
#ifndef FLOW_STORE_DATABASE_H
#define FLOW_STORE_DATABASE_H

#include <sqlite3.h>
#include <sys/types.h>

#include "store/store.h"

enum {
    STORE_SCHEMA = 2,
    STORE_BLOB_MIN = 16 << 10,      // bodies over this many bytes are files
    STORE_SNAPSHOT_MIN = 1 << 20,   // the same for snapshots: a file costs two syncs more
    STORE_ARTIFACT_MIN = 1 << 20,   // the same for artifacts, which are written once
    STORE_BUSY_MS = 10000,          // how long a writer waits for another one
    STORE_WAL_AT_OPEN = 2 << 20,    // a longer WAL is folded into the database at open
    STORE_WAL_AT_COMMIT = 16 << 20  // … and while running
};

typedef enum Statement {
    SQL_BEGIN,
    SQL_BEGIN_READ,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_DATA_VERSION,
    SQL_PUT_ARTIFACT,
    SQL_GET_ARTIFACT,
    SQL_PUT_FLOW,
    SQL_LAST_FLOW,
    SQL_GET_FLOW,
    SQL_REMOVE_FLOW,
    SQL_LIST_FLOWS,
    SQL_GET_OWNER,
    SQL_PUT_OWNER,
    SQL_PUT_EVENT,
    SQL_LAST_EVENT,
    SQL_GET_EVENTS,
    SQL_GET_HASH,
    SQL_PUT_EXECUTION,
    SQL_GET_EXECUTION,
    SQL_FIND_EXECUTION,
    SQL_LIST_EXECUTIONS,
    SQL_PUT_TASKRUN,
    SQL_DROP_TASKRUN,
    SQL_GET_TASKRUNS,
    SQL_PUT_SNAPSHOT,
    SQL_GET_SNAPSHOT,
    SQL_PUT_PAGE,
    SQL_GET_PAGE,
    SQL_PUT_BLOB_REF,
    SQL_GET_BLOB_REFS,
    SQL_DROP_BLOB_REFS,
    SQL_HAS_BLOB_REF,
    SQL_DROP_BLOB_REF,
    SQL_SEND_COMMAND,
    SQL_TAKE_COMMANDS,
    SQL_DROP_COMMANDS,
    SQL_DROP_COMMAND,
    SQL_KV_GET,
    SQL_KV_SET,
    SQL_KV_DELETE,
    SQL_KV_KEYS,
    SQL_KV_ENTRIES,
    SQL_KV_EXPIRE,
    SQL_CACHE_GET,
    SQL_CACHE_PUT,
    STATEMENT_COUNT,
} Statement;

typedef struct StoreClaim {
    char *execution;
    int fd;
    int64_t number;
    bool is_written;  // its row is in the database, by a transaction that was committed
    bool is_checked;  // …and was compared, or written, in the current transaction
    bool has_last;    // the two that follow are right
    int64_t last_seq;
    Hash128 last_hash;
} StoreClaim;

struct Store {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENT_COUNT];
    sqlite3_vfs vfs;  // ours, under a name of its own
    sqlite3_vfs *real_vfs;
    char vfs_name[48];
    char *folder;
    dev_t device;  // of store.db: one that was removed or replaced takes no more commits
    ino_t inode;
    StoreOptions options;
    const Clock *clock;
    uint64_t sync_count;
    int64_t last_sync_ms;
    int64_t data_version;
    uint32_t wal_pages;
    bool has_stale_blob;  // the transaction lets go of this one
    Hash stale_blob;
    sqlite3_file *wal;  // the open write-ahead log: what a batch syncs
    bool in_transaction;
    bool is_dirty;   // commits since the last sync of a batch
    bool is_broken;  // a sync failed: what is durable is unknown until the store is opened anew
    int seam_errno;  // what the seam made a sync fail with
    StoreClaim *claims;
    uint32_t claim_count, claim_capacity;
};

// The shim between SQLite and its own VFS: counts syncs and calls the seam around them.
void vfs_init(Store *store);

// The error of the last call on the database, in the user's words; `doing` completes "cannot …".
MUST_CHECK Err database_failed(Store *store, const char *doing);
// A statement with its parameters bound, in order: t Str, b Str as bytes, i int64_t, n NULL.
// Reset it with database_end.
sqlite3_stmt *database_bind(Store *store, Statement statement, const char *kinds, ...);
// One row where there is one: SQLITE_ROW or SQLITE_DONE, else the error.
MUST_CHECK Err database_step(Store *store, sqlite3_stmt *statement, bool *has_row);
MUST_CHECK Err database_run(Store *store, sqlite3_stmt *statement);  // step to the end, and reset
void database_end(sqlite3_stmt *statement);
Str database_text(sqlite3_stmt *statement, int column);  // borrowed until the next step
Str database_bytes(sqlite3_stmt *statement, int column);
int store_seam(Store *store, StorePoint point, const char *file);

// Opens a transaction where none is open; store_end_own ends it, with a rollback where err is one.
MUST_CHECK Err store_begin_own(Store *store, bool *is_own);
MUST_CHECK Err store_end_own(Store *store, bool is_own, Err err);

// The claim on an execution has to be this process's and newest. Within a transaction.
MUST_CHECK Err owner_check(Store *store, Str execution, int64_t owner, StoreClaim **out);
void owner_committed(Store *store, bool was_committed);
void owner_release_all(Store *store);

// Puts bytes into blobs/ under their hash, durable before it returns, and refers to them from
// `execution`. Within a transaction.
MUST_CHECK Err blob_put(Store *store, Str execution, Str bytes, Hash *hash);
MUST_CHECK Err blob_get(Store *store, Str hash, Arena *arena, Str *out);
// Drops what only `execution` referred to.
MUST_CHECK Err blob_drop(Store *store, Str execution);
// `execution` does not refer to it any more; where nobody does, its file goes once this is
// committed.
MUST_CHECK Err blob_let_go(Store *store, Str execution, Str hash);
void blob_committed(Store *store, bool was_committed);

#endif
