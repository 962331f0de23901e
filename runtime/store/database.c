// database.c - the open database: schema, statements, transactions, errors in the user's words.
//
// WAL with synchronous=FULL: a commit is one sync of the log. SQLite's own checkpoints are off: one
// in the middle of a run would cost three syncs at a random commit. We fold the log at open once it
// is long, and while running only when it is very long; closing never does.
#include "store/database.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"

#define PAGE_TABLE                                                                                 \
    "CREATE TABLE page(execution TEXT, kind INTEGER, number INTEGER, bytes BLOB NOT NULL,"         \
    " PRIMARY KEY(execution, kind, number)) WITHOUT ROWID;"

static const char SCHEMA[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE artifact(digest BLOB PRIMARY KEY, bytes BLOB, blob BLOB) WITHOUT ROWID;"
    "CREATE TABLE flow(namespace TEXT, id TEXT, revision INTEGER, digest BLOB NOT NULL,"
    " installed INTEGER NOT NULL, PRIMARY KEY(namespace, id, revision)) WITHOUT ROWID;"
    "CREATE TABLE owner(execution TEXT PRIMARY KEY, number INTEGER NOT NULL, pid INTEGER NOT NULL,"
    " since INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE command(number INTEGER PRIMARY KEY AUTOINCREMENT, execution TEXT NOT NULL,"
    " name TEXT NOT NULL, body TEXT NOT NULL, time INTEGER NOT NULL);"
    "CREATE TABLE execution(id TEXT PRIMARY KEY, namespace TEXT NOT NULL, flow TEXT NOT NULL,"
    " revision INTEGER NOT NULL, artifact BLOB NOT NULL, state TEXT NOT NULL, parent TEXT,"
    " original TEXT, created INTEGER NOT NULL, started INTEGER, ended INTEGER, labels TEXT,"
    " reason TEXT, trigger TEXT) WITHOUT ROWID;"
    "CREATE INDEX execution_created ON execution(created);"
    "CREATE INDEX execution_parent ON execution(parent) WHERE parent IS NOT NULL;"
    "CREATE TABLE event(execution TEXT, seq INTEGER, time INTEGER NOT NULL, kind INTEGER NOT NULL,"
    " body TEXT, blob BLOB, hash BLOB NOT NULL, PRIMARY KEY(execution, seq)) WITHOUT ROWID;"
    "CREATE TABLE taskrun(execution TEXT, id TEXT, task TEXT NOT NULL, parent TEXT, value TEXT,"
    " iteration INTEGER, state TEXT NOT NULL, attempts INTEGER NOT NULL, started INTEGER,"
    " ended INTEGER, PRIMARY KEY(execution, id)) WITHOUT ROWID;"
    "CREATE TABLE snapshot(execution TEXT PRIMARY KEY, seq INTEGER NOT NULL, bytes BLOB, blob BLOB)"
    " WITHOUT ROWID;" PAGE_TABLE
    "CREATE TABLE blob_ref(blob BLOB, execution TEXT, PRIMARY KEY(blob, execution)) WITHOUT ROWID;"
    "CREATE INDEX blob_ref_execution ON blob_ref(execution);"
    "CREATE TABLE kv(namespace TEXT, key TEXT, value TEXT NOT NULL, has_secret INTEGER NOT NULL,"
    " created INTEGER NOT NULL, updated INTEGER NOT NULL, expires INTEGER,"
    " PRIMARY KEY(namespace, key)) WITHOUT ROWID;"
    "CREATE TABLE nsfile(namespace TEXT, path TEXT, hash BLOB NOT NULL, size INTEGER NOT NULL,"
    " updated INTEGER NOT NULL, PRIMARY KEY(namespace, path)) WITHOUT ROWID;"
    "CREATE TABLE trigger(namespace TEXT, flow TEXT, id TEXT, cursor TEXT, state TEXT,"
    " PRIMARY KEY(namespace, flow, id)) WITHOUT ROWID;"
    "CREATE TABLE occurrence(trigger TEXT, key TEXT, execution TEXT NOT NULL,"
    " time INTEGER NOT NULL, PRIMARY KEY(trigger, key)) WITHOUT ROWID;"
    "CREATE TABLE window(trigger TEXT, key TEXT, body TEXT NOT NULL, expires INTEGER,"
    " PRIMARY KEY(trigger, key)) WITHOUT ROWID;"
    "CREATE TABLE cache(key BLOB PRIMARY KEY, body TEXT NOT NULL, expires INTEGER) WITHOUT ROWID;"
    "INSERT INTO meta VALUES('needs', '" FLOW_VERSION "');"
    "PRAGMA application_id=1718382455;"  // "flow"
    "PRAGMA user_version=2;";

// From schema 1.
static const char ADD_PAGES[] = PAGE_TABLE "UPDATE meta SET value = '" FLOW_VERSION
                                           "' WHERE key = 'needs'; PRAGMA user_version=2;";

static const char *const SQL[STATEMENT_COUNT] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_BEGIN_READ] = "BEGIN",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_DATA_VERSION] = "PRAGMA data_version",
    [SQL_PUT_ARTIFACT] = "INSERT OR IGNORE INTO artifact VALUES(?1, ?2, ?3)",
    [SQL_GET_ARTIFACT] = "SELECT bytes, blob FROM artifact WHERE digest = ?1",
    [SQL_PUT_FLOW] = "INSERT INTO flow VALUES(?1, ?2, ?3, ?4, ?5)",
    [SQL_LAST_FLOW] = "SELECT revision, digest FROM flow WHERE namespace = ?1 AND id = ?2"
                      " ORDER BY revision DESC LIMIT 1",
    [SQL_GET_FLOW] = "SELECT revision, digest FROM flow WHERE namespace = ?1 AND id = ?2 AND"
                     " revision = ?3",
    [SQL_REMOVE_FLOW] = "DELETE FROM flow WHERE namespace = ?1 AND id = ?2",
    [SQL_LIST_FLOWS] = "SELECT namespace, id, max(revision), digest, installed FROM flow"
                       " GROUP BY namespace, id ORDER BY namespace, id",
    [SQL_GET_OWNER] = "SELECT number FROM owner WHERE execution = ?1",
    [SQL_PUT_OWNER] = "INSERT INTO owner VALUES(?1, ?2, ?3, ?4) ON CONFLICT(execution) DO UPDATE"
                      " SET number = ?2, pid = ?3, since = ?4 WHERE number = ?2 - 1",
    [SQL_PUT_EVENT] = "INSERT INTO event VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [SQL_LAST_EVENT] = "SELECT seq, hash FROM event WHERE execution = ?1 ORDER BY seq DESC LIMIT 1",
    [SQL_GET_EVENTS] = "SELECT seq, time, kind, body, blob, hash FROM event WHERE execution = ?1"
                       " AND seq > ?2 ORDER BY seq",
    [SQL_GET_HASH] = "SELECT hash FROM event WHERE execution = ?1 AND seq = ?2",
    [SQL_PUT_EXECUTION] =
        "INSERT INTO execution VALUES(?1, ?2, ?3, ?4, ?5, ?6, nullif(?7, ''), nullif(?8, ''), ?9,"
        " ?10, ?11, ?12, ?13, ?14) ON CONFLICT(id) DO UPDATE SET revision = ?4, artifact = ?5,"
        " state = ?6, started = ?10, ended = ?11, labels = ?12, reason = ?13",
    [SQL_GET_EXECUTION] =
        "SELECT id, namespace, flow, revision, artifact, state, parent, original, created, started,"
        " ended, labels, reason, trigger, (SELECT max(seq) FROM event WHERE execution = id)"
        " FROM execution WHERE id = ?1",
    [SQL_FIND_EXECUTION] = "SELECT id FROM execution WHERE id >= ?1 AND id < ?2 LIMIT 2",
    [SQL_LIST_EXECUTIONS] =
        "SELECT id, namespace, flow, revision, artifact, state, parent, original, created, started,"
        " ended, labels, reason, trigger, (SELECT max(seq) FROM event WHERE execution = id)"
        " FROM execution WHERE (?1 = '' OR namespace = ?1) AND (?2 = '' OR flow = ?2)"
        " AND (?3 = '' OR state = ?3) AND (?4 = '' OR parent = ?4) AND created >= ?5"
        " ORDER BY created DESC, id DESC LIMIT ?6",
    [SQL_PUT_TASKRUN] =
        "INSERT INTO taskrun VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
        " ON CONFLICT(execution, id) DO UPDATE SET task = ?3, parent = ?4, value = ?5,"
        " iteration = ?6, state = ?7, attempts = ?8, started = ?9, ended = ?10",
    [SQL_DROP_TASKRUN] = "DELETE FROM taskrun WHERE execution = ?1 AND id = ?2",
    [SQL_GET_TASKRUNS] = "SELECT id, task, parent, value, iteration, state, attempts, started,"
                         " ended FROM taskrun WHERE execution = ?1",
    [SQL_PUT_SNAPSHOT] = "INSERT OR REPLACE INTO snapshot VALUES(?1, ?2, ?3, ?4)",
    [SQL_GET_SNAPSHOT] = "SELECT seq, bytes, blob FROM snapshot WHERE execution = ?1",
    [SQL_PUT_PAGE] = "INSERT OR REPLACE INTO page VALUES(?1, ?2, ?3, ?4)",
    [SQL_GET_PAGE] = "SELECT bytes FROM page WHERE execution = ?1 AND kind = ?2 AND number = ?3",
    [SQL_PUT_BLOB_REF] = "INSERT OR IGNORE INTO blob_ref VALUES(?1, ?2)",
    [SQL_GET_BLOB_REFS] = "SELECT blob FROM blob_ref WHERE execution = ?1",
    [SQL_DROP_BLOB_REFS] = "DELETE FROM blob_ref WHERE execution = ?1",
    [SQL_DROP_BLOB_REF] = "DELETE FROM blob_ref WHERE blob = ?1 AND execution = ?2",
    [SQL_HAS_BLOB_REF] = "SELECT 1 FROM blob_ref WHERE blob = ?1 LIMIT 1",
    [SQL_SEND_COMMAND] = "INSERT INTO command(execution, name, body, time) VALUES(?1, ?2, ?3, ?4)",
    [SQL_TAKE_COMMANDS] = "SELECT number, name, body FROM command WHERE execution = ?1 AND"
                          " number > ?2 ORDER BY number",
    [SQL_DROP_COMMANDS] = "DELETE FROM command WHERE execution = ?1 AND number <= ?2",
    [SQL_DROP_COMMAND] = "DELETE FROM command WHERE number = ?1",
    [SQL_KV_GET] = "SELECT value, has_secret FROM kv WHERE namespace = ?1 AND key = ?2 AND"
                   " (expires IS NULL OR expires > ?3)",
    [SQL_KV_SET] = "INSERT INTO kv VALUES(?1, ?2, ?3, ?4, ?5, ?5, nullif(?6, 0))"
                   " ON CONFLICT(namespace, key) DO UPDATE SET value = ?3, has_secret = ?4,"
                   " updated = ?5, expires = nullif(?6, 0)",
    [SQL_KV_DELETE] = "DELETE FROM kv WHERE namespace = ?1 AND key = ?2",
    [SQL_KV_KEYS] = "SELECT key FROM kv WHERE namespace = ?1 AND substr(key, 1, length(?2)) = ?2"
                    " AND (expires IS NULL OR expires > ?3) ORDER BY key",
    [SQL_KV_ENTRIES] = "SELECT namespace, key, expires IS NOT NULL AND expires <= ?1 FROM kv"
                       " ORDER BY namespace, key",
    [SQL_CACHE_GET] = "SELECT body FROM cache WHERE key = ?1 AND"
                      " (expires IS NULL OR expires > ?2)",
    [SQL_CACHE_PUT] = "INSERT OR REPLACE INTO cache VALUES(?1, ?2, nullif(?3, 0))",
    [SQL_KV_EXPIRE] = "DELETE FROM kv WHERE namespace = ?1 AND key = ?2 AND expires <= ?3",
};

// --- errors and statements ----------------------------------------------------------------------

int store_seam(Store *store, StorePoint point, const char *file) {
    const StoreSeam *seam = store->options.seam;
    return seam == NULL ? 0 : seam->at(seam->self, point, file);
}

static Err disk_full(const Store *store) {
    Err err = err_make(ERR_STORE,
                       "the disk that holds '%s' is full: free some space there, then resume; "
                       "nothing that was durable is lost",
                       store->folder);
    err.number = ENOSPC;
    return err;
}

Err database_failed(Store *store, const char *doing) {
    int status = sqlite3_errcode(store->db);
    int number = store->seam_errno != 0 ? store->seam_errno : sqlite3_system_errno(store->db);
    store->seam_errno = 0;
    if ((status & 0xff) == SQLITE_FULL || (status != SQLITE_OK && number == ENOSPC)) {
        return disk_full(store);
    }
    if ((status & 0xff) == SQLITE_BUSY || (status & 0xff) == SQLITE_LOCKED) {
        return err_make(ERR_CONFLICT, "cannot %s in '%s': another process keeps the store busy",
                        doing, store->folder);
    }
    if ((status & 0xff) == SQLITE_CORRUPT || (status & 0xff) == SQLITE_NOTADB) {
        return err_make(ERR_STORE, "cannot %s: '%s/store.db' is damaged (%s)", doing, store->folder,
                        sqlite3_errmsg(store->db));
    }
    if ((status & 0xff) == SQLITE_IOERR || (status & 0xff) == SQLITE_CANTOPEN) {
        Err err = err_make(ERR_STORE, "cannot %s in '%s': %s", doing, store->folder,
                           number != 0 ? strerror(number) : sqlite3_errmsg(store->db));
        err.number = number;
        return err;
    }
    return err_make(ERR_STORE, "cannot %s in '%s': %s", doing, store->folder,
                    sqlite3_errmsg(store->db));
}

sqlite3_stmt *database_bind(Store *store, Statement statement, const char *kinds, ...) {
    sqlite3_stmt **slot = &store->statements[statement];
    if (*slot == NULL && sqlite3_prepare_v3(store->db, SQL[statement], -1,
                                            SQLITE_PREPARE_PERSISTENT, slot, NULL) != SQLITE_OK) {
        return NULL;  // database_step reports it
    }
    sqlite3_reset(*slot);
    va_list args;
    va_start(args, kinds);
    for (int at = 1; kinds[at - 1] != '\0'; at++) {
        char kind = kinds[at - 1];
        if (kind == 'i') {
            sqlite3_bind_int64(*slot, at, va_arg(args, int64_t));
        } else if (kind == 'n') {
            sqlite3_bind_null(*slot, at);
        } else {
            Str text = va_arg(args, Str);
            const char *ptr = text.ptr == NULL ? "" : text.ptr;
            if (kind == 't') {
                sqlite3_bind_text64(*slot, at, ptr, text.len, SQLITE_STATIC, SQLITE_UTF8);
            } else {
                sqlite3_bind_blob64(*slot, at, ptr, text.len, SQLITE_STATIC);
            }
        }
    }
    va_end(args);
    return *slot;
}

Err database_step(Store *store, sqlite3_stmt *statement, bool *has_row) {
    *has_row = false;
    if (statement == NULL) return database_failed(store, "read");
    int status = sqlite3_step(statement);
    if (status == SQLITE_ROW) {
        *has_row = true;
        return err_none();
    }
    if (status == SQLITE_DONE) {
        sqlite3_reset(statement);
        return err_none();
    }
    Err err = database_failed(store, sqlite3_stmt_readonly(statement) != 0 ? "read" : "write");
    sqlite3_reset(statement);
    return err;
}

Err database_run(Store *store, sqlite3_stmt *statement) {
    bool has_row = false;
    TRY(database_step(store, statement, &has_row));
    if (has_row) sqlite3_reset(statement);
    return err_none();
}

void database_end(sqlite3_stmt *statement) {
    if (statement != NULL) sqlite3_reset(statement);
}

Str database_text(sqlite3_stmt *statement, int column) {
    const char *text = (const char *)sqlite3_column_text(statement, column);
    return (Str){text, text == NULL ? 0 : (size_t)sqlite3_column_bytes(statement, column)};
}

Str database_bytes(sqlite3_stmt *statement, int column) {
    const char *bytes = sqlite3_column_blob(statement, column);
    return (Str){bytes, bytes == NULL ? 0 : (size_t)sqlite3_column_bytes(statement, column)};
}

// --- opening ------------------------------------------------------------------------------------

// Locks and shared memory of WAL do not work across hosts; FUSE and 9p are left to whoever mounts
// them, since local uses are common.
static const char *network_file_system(int64_t type) {
    switch (type & 0xffffffff) {
    case 0x6969:
        return "NFS";
    case 0x517b:
    case 0xfe534d42:
    case 0xff534d42:
        return "SMB";
    case 0x00c36400:
        return "Ceph";
    case 0x5346414f:
    case 0x6b414653:
        return "AFS";
    case 0x73757245:
        return "Coda";
    case 0x564c:
        return "NCP";
    case 0x0bd00bd0:
        return "Lustre";
    case 0x47504653:
        return "GPFS";
    default:
        return NULL;
    }
}

static bool folder_is_empty_but_ours(Arena *scratch, const char *folder) {
    if (path_exists(str_to_c(scratch, path_join(scratch, str_from(folder), STR("store.db"))))) {
        return true;
    }
    DIR *entries = opendir(folder);
    if (entries == NULL) return false;
    bool is_empty = true;
    for (const struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        Str name = str_from(entry->d_name);
        bool is_dots = str_eq(name, STR(".")) || str_eq(name, STR(".."));
        // Another process may be making its store here.
        if (!is_dots && !str_starts_with(name, STR("store.db"))) is_empty = false;
    }
    closedir(entries);
    return is_empty;
}

static Err check_folder(const StoreOptions *options) {
    const char *folder = options->folder;
    struct stat status;
    if (stat(folder, &status) != 0) {
        if (errno != ENOENT || options->read_only)
            return err_system("state directory '%s'", folder);
        TRY(err_wrap(dir_make(folder, 0700), "state directory"));
        if (stat(folder, &status) != 0) return err_system("state directory '%s'", folder);
    }
    if (!S_ISDIR(status.st_mode)) {
        return err_make(ERR_REFUSED, "state directory '%s' is not a directory", folder);
    }
    if (status.st_uid != geteuid()) {
        return err_make(ERR_REFUSED,
                        "state directory '%s' belongs to another user: name one of your own with "
                        "--state-dir",
                        folder);
    }
    struct statfs disk;
    const char *network = statfs(folder, &disk) == 0 ? network_file_system(disk.f_type) : NULL;
    if (network != NULL) {
        return err_make(ERR_REFUSED,
                        "state directory '%s' is on a network file system (%s), where locks do not "
                        "hold: name one on a local disk with --state-dir",
                        folder, network);
    }
    if (options->is_ephemeral || options->read_only || (status.st_mode & 077) == 0) {
        return err_none();
    }
    // Wider than 0700: tightened where nothing but a store can be in it, refused elsewhere.
    Arena scratch = {0};
    bool is_ours = folder_is_empty_but_ours(&scratch, folder);
    arena_release(&scratch);
    if (!is_ours) {
        return err_make(ERR_REFUSED,
                        "state directory '%s' holds other files and is open to others: name a "
                        "folder of its own with --state-dir",
                        folder);
    }
    if (chmod(folder, 0700) != 0) return err_system("state directory '%s'", folder);
    return err_none();
}

static Err execute(Store *store, const char *sql, const char *doing) {
    if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK) return err_none();
    return database_failed(store, doing);
}

static Err read_number(Store *store, const char *sql, int64_t *out) {
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW) {
        Err err = database_failed(store, "read");
        sqlite3_finalize(statement);
        return err;
    }
    *out = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return err_none();
}

static Err refuse_newer(Store *store, int64_t version) {
    char needs[32] = "a newer version";
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(store->db, "SELECT value FROM meta WHERE key = 'needs'", -1, &statement,
                           NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        sqlite3_snprintf(sizeof needs, needs, "version %s", sqlite3_column_text(statement, 0));
    }
    sqlite3_finalize(statement);
    return err_make(ERR_REFUSED,
                    "the store in '%s' has schema %lld, this flowrun (%s) knows schema %d: it "
                    "needs %s of flowrun",
                    store->folder, (long long)version, FLOW_VERSION, STORE_SCHEMA, needs);
}

static Err prepare_schema(Store *store) {
    int64_t version = 0;
    TRY(read_number(store, "PRAGMA user_version", &version));
    if (version > STORE_SCHEMA) return refuse_newer(store, version);
    if (version == STORE_SCHEMA) return err_none();
    // One of schema 1 has no pages, and nothing in it asks for one.
    if (version == 1 && store->options.read_only) return err_none();
    if (store->options.read_only) {
        return err_make(ERR_NOT_FOUND, "there is no store in '%s' yet", store->folder);
    }
    // Two processes may come to a fresh directory together: the second finds the work done.
    TRY(execute(store, "BEGIN IMMEDIATE", "make the store"));
    Err err = read_number(store, "PRAGMA user_version", &version);
    if (err.code == ERR_NONE && version == 0) err = execute(store, SCHEMA, "make the store");
    if (err.code == ERR_NONE && version == 1) err = execute(store, ADD_PAGES, "change the store");
    if (err.code != ERR_NONE) {
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
        return err;
    }
    return execute(store, "COMMIT", "make the store");
}

static int after_commit(void *self, sqlite3 *db, const char *name, int pages) {
    (void)db;
    (void)name;
    ((Store *)self)->wal_pages = (uint32_t)pages;
    return SQLITE_OK;
}

// The change to WAL needs the database alone, and SQLite asks no busy handler then: another process
// that makes the same store is waited for here.
static Err use_log(Store *store) {
    enum { PAUSE_MS = 10 };
    for (int waited = 0;; waited += PAUSE_MS) {
        Err err = execute(store, "PRAGMA journal_mode=WAL; PRAGMA journal_size_limit=1048576",
                          "open the store");
        if (err.code != ERR_CONFLICT || waited >= STORE_BUSY_MS) return err;
        sqlite3_sleep(PAUSE_MS);
    }
}

static Err configure(Store *store) {
    sqlite3_busy_timeout(store->db, STORE_BUSY_MS);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    TRY(execute(store, "PRAGMA cache_size=-512; PRAGMA temp_store=MEMORY", "open the store"));
    if (store->options.is_ephemeral) return err_none();
    if (!store->options.read_only) {
        TRY(use_log(store));
    }
    sqlite3_wal_hook(store->db, after_commit, store);  // replaces the automatic checkpoint
    switch (store->options.durability) {
    case DURABILITY_SYNC:
        return execute(store, "PRAGMA synchronous=FULL", "open the store");
    case DURABILITY_BATCH:
        return execute(store, "PRAGMA synchronous=NORMAL", "open the store");
    case DURABILITY_PROCESS:
        return execute(store, "PRAGMA synchronous=OFF", "open the store");
    }
    return err_none();
}

Err store_widen(Store *store) {
    return execute(store, "PRAGMA cache_size=-16384", "give more memory");
}

static Err open_database(Store *store) {
    Arena scratch = {0};
    const char *path =
        str_to_c(&scratch, path_join(&scratch, str_from(store->folder), STR("store.db")));
    Err err = err_none();
    int flags = SQLITE_OPEN_NOMUTEX;
    if (store->options.is_ephemeral) {
        path = ":memory:";
        flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MEMORY;
    } else if (store->options.read_only) {
        flags |= SQLITE_OPEN_READONLY;
        if (!path_exists(path)) {
            err = err_make(ERR_NOT_FOUND, "there is no store in '%s' yet", store->folder);
            goto done;
        }
    } else {
        // SQLite would make it 0644; log and shared memory take the mode of the database.
        flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW;
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0) {
            err = err_system("cannot open '%s'", path);
            if (err.number == ENOSPC || err.number == EDQUOT) err = disk_full(store);
            err.code = ERR_STORE;
            goto done;
        }
        close(fd);
    }
    vfs_init(store);
    sqlite3_vfs_register(&store->vfs, 0);
    if (sqlite3_open_v2(path, &store->db, flags, store->vfs_name) != SQLITE_OK) {
        err = database_failed(store, "open the store");
    }
    struct stat status;
    if (err.code == ERR_NONE && stat(path, &status) == 0) {
        store->device = status.st_dev;
        store->inode = status.st_ino;
    }

done:
    arena_release(&scratch);
    return err;
}

static void fold_log(Store *store) {
    // Best effort: a reader or another writer in the way only postpones it.
    sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    store->wal_pages = 0;
}

Err store_open(const StoreOptions *options, Store **out) {
    *out = NULL;
    TRY(check_folder(options));
    Store *store = heap_alloc(1, sizeof *store);
    store->options = *options;
    // SQLite refuses a link anywhere in the path, and a state directory or a home may be one.
    char resolved[PATH_MAX];
    const char *folder = realpath(options->folder, resolved) == NULL ? options->folder : resolved;
    store->folder = heap_dup(folder, strlen(folder));
    store->clock = options->clock != NULL ? options->clock : clock_system();
    store->data_version = -1;
    Err err = open_database(store);
    if (err.code == ERR_NONE) err = configure(store);
    if (err.code == ERR_NONE) err = prepare_schema(store);
    if (err.code != ERR_NONE) {
        store_close(store);
        return err;
    }
    if (store->wal != NULL && !options->read_only) {
        sqlite3_int64 size = 0;
        store->wal->pMethods->xFileSize(store->wal, &size);
        if (size > STORE_WAL_AT_OPEN) fold_log(store);
    }
    *out = store;
    return err_none();
}

static void flush_batch(Store *store) {
    if (!store->is_dirty || store->wal == NULL) return;
    store_seam(store, STORE_BEFORE_SYNC, "store.db-wal");
    if (store->wal->pMethods->xSync(store->wal, SQLITE_SYNC_NORMAL) != SQLITE_OK) {
        store->is_broken = true;
    }
    store->sync_count++;
    store_seam(store, STORE_AFTER_SYNC, "store.db-wal");
    store->is_dirty = false;
    store->last_sync_ms = store->clock->mono_ms(store->clock->self);
}

void store_close(Store *store) {
    if (store == NULL) return;
    if (store->in_transaction) store_rollback(store);
    flush_batch(store);
    owner_release_all(store);
    for (int i = 0; i < STATEMENT_COUNT; i++) sqlite3_finalize(store->statements[i]);
    if (store->db != NULL) sqlite3_close(store->db);
    if (store->vfs.zName != NULL) sqlite3_vfs_unregister(&store->vfs);
    heap_free(store->claims);
    heap_free(store->folder);
    heap_free(store);
}

const char *store_folder(const Store *store) {
    return store->folder;
}

uint64_t store_sync_count(const Store *store) {
    return store->sync_count;
}

Err store_sync_fd(Store *store, int fd, const char *name) {
    if (store->options.is_ephemeral || store->options.durability == DURABILITY_PROCESS) {
        return err_none();
    }
    int number = store_seam(store, STORE_BEFORE_SYNC, name);
    if (number == 0 && fdatasync(fd) != 0 && errno != EINVAL) number = errno;
    store->sync_count++;
    if (number != 0) {
        if (number == ENOSPC || number == EDQUOT) return disk_full(store);
        Err err = err_make(ERR_STORE, "cannot make '%s' durable: %s", name, strerror(number));
        err.number = number;
        return err;
    }
    store_seam(store, STORE_AFTER_SYNC, name);
    return err_none();
}

bool store_has_changed(Store *store) {
    bool has_row = false;
    sqlite3_stmt *statement = database_bind(store, SQL_DATA_VERSION, "");
    Err err = database_step(store, statement, &has_row);
    int64_t version = has_row ? sqlite3_column_int64(statement, 0) : 0;
    database_end(statement);
    if (err.code != ERR_NONE) return true;  // the caller looks, and meets the error
    bool is_new = version != store->data_version;
    store->data_version = version;
    return is_new;
}

// --- transactions -------------------------------------------------------------------------------

Err store_begin(Store *store) {
    if (store->is_broken) {
        return err_make(ERR_STORE,
                        "a write to '%s' could not be made durable: check the disk, then resume",
                        store->folder);
    }
    TRY(database_run(store, database_bind(store, SQL_BEGIN, "")));
    store->in_transaction = true;
    for (uint32_t i = 0; i < store->claim_count; i++) store->claims[i].is_checked = false;
    return err_none();
}

static bool is_in_place(const Store *store) {
    if (store->options.is_ephemeral) return true;
    Arena scratch = {0};
    struct stat status;
    Str path = path_join(&scratch, str_from(store->folder), STR("store.db"));
    bool is_there = stat(str_to_c(&scratch, path), &status) == 0;
    arena_release(&scratch);
    return is_there && status.st_dev == store->device && status.st_ino == store->inode;
}

Err store_commit(Store *store) {
    if (!is_in_place(store)) {
        store_rollback(store);
        return err_make(ERR_STORE, "'%s/store.db' was removed or replaced while it was in use",
                        store->folder);
    }
    int number = store_seam(store, STORE_BEFORE_COMMIT, "store.db");
    if (number != 0) {
        store_rollback(store);
        if (number == ENOSPC) return disk_full(store);
        return err_make(ERR_STORE, "cannot write in '%s': %s", store->folder, strerror(number));
    }
    Err err = database_run(store, database_bind(store, SQL_COMMIT, ""));
    if (err.code != ERR_NONE) {
        store_rollback(store);
        return err;
    }
    store->in_transaction = false;
    owner_committed(store, true);
    blob_committed(store, true);
    if (store->options.durability == DURABILITY_BATCH) {
        store->is_dirty = true;
        int64_t now = store->clock->mono_ms(store->clock->self);
        if (now - store->last_sync_ms >= (int64_t)store->options.batch_ms) flush_batch(store);
    }
    store_seam(store, STORE_AFTER_COMMIT, "store.db");
    if ((uint64_t)store->wal_pages * 4096 > STORE_WAL_AT_COMMIT) fold_log(store);
    return err_none();
}

void store_rollback(Store *store) {
    // SQLite may have rolled back by itself (a full disk): then there is nothing to do.
    if (sqlite3_get_autocommit(store->db) == 0) {
        sqlite3_stmt *statement = database_bind(store, SQL_ROLLBACK, "");
        if (statement != NULL) sqlite3_step(statement);
        database_end(statement);
    }
    store->in_transaction = false;
    owner_committed(store, false);
    blob_committed(store, false);
}

Err store_begin_reading(Store *store) {
    return database_run(store, database_bind(store, SQL_BEGIN_READ, ""));
}

void store_end_reading(Store *store) {
    store_rollback(store);
}

Err store_begin_own(Store *store, bool *is_own) {
    *is_own = !store->in_transaction;
    return *is_own ? store_begin(store) : err_none();
}

Err store_end_own(Store *store, bool is_own, Err err) {
    if (!is_own) return err;
    if (err.code != ERR_NONE) {
        store_rollback(store);
        return err;
    }
    return store_commit(store);
}

Str store_path(const Store *store, Arena *arena, Str relative) {
    Str path = path_join(arena, str_from(store->folder), relative);
    if (!store->options.read_only) {
        // What cannot be made shows when the path is used, with a better text.
        Err err = dir_make(str_to_c(arena, path_folder(path)), 0700);
        (void)err;
    }
    return path;
}
