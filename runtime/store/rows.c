// rows.c - artifacts, flows, executions, events, task runs, snapshots, commands.
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "store/database.h"

static Str digest_str(const Hash *digest) {
    return (Str){(const char *)digest->bytes, sizeof digest->bytes};
}

static void read_digest(sqlite3_stmt *statement, int column, Hash *out) {
    Str bytes = database_bytes(statement, column);
    memset(out, 0, sizeof *out);
    if (bytes.len == sizeof out->bytes) memcpy(out->bytes, bytes.ptr, bytes.len);
}

// --- artifacts and flows ------------------------------------------------------------------------

Err store_put_artifact(Store *store, const Hash *digest, Str bytes) {
    bool has_row = false;
    sqlite3_stmt *statement = database_bind(store, SQL_GET_ARTIFACT, "b", digest_str(digest));
    TRY(database_step(store, statement, &has_row));
    database_end(statement);
    if (has_row) return err_none();
    if (bytes.len <= STORE_ARTIFACT_MIN) {
        return database_run(
            store, database_bind(store, SQL_PUT_ARTIFACT, "bbn", digest_str(digest), bytes));
    }
    Hash hash;
    TRY(blob_put(store, (Str){0}, bytes, &hash));
    return database_run(store, database_bind(store, SQL_PUT_ARTIFACT, "bnb", digest_str(digest),
                                             digest_str(&hash)));
}

Err store_get_artifact(Store *store, const Hash *digest, Arena *arena, Str *out) {
    bool has_row = false;
    sqlite3_stmt *statement = database_bind(store, SQL_GET_ARTIFACT, "b", digest_str(digest));
    TRY(database_step(store, statement, &has_row));
    if (!has_row) return err_make(ERR_NOT_FOUND, "the store does not hold that artifact");
    Str blob = database_bytes(statement, 1);
    Err err = err_none();
    *out = database_bytes(statement, 0);
    if (blob.len > 0) err = blob_get(store, blob, arena, out);
    // Its tables are used in place: 8-byte aligned.
    char *aligned = (char *)arena_array(arena, uint64_t, out->len / 8 + 1);
    if (out->len > 0) memcpy(aligned, out->ptr, out->len);
    *out = (Str){aligned, out->len};
    database_end(statement);
    return err;
}

Err store_put_flow(Store *store, Str flow_namespace, Str id, const Hash *digest,
                   int64_t *revision) {
    bool has_row = false;
    int64_t last = 0;
    Hash known = {0};
    sqlite3_stmt *statement = database_bind(store, SQL_LAST_FLOW, "tt", flow_namespace, id);
    TRY(database_step(store, statement, &has_row));
    if (has_row) {
        last = sqlite3_column_int64(statement, 0);
        read_digest(statement, 1, &known);
        database_end(statement);
    }
    *revision = last;
    if (has_row && memcmp(known.bytes, digest->bytes, sizeof known.bytes) == 0) return err_none();
    *revision = last + 1;
    int64_t now = store->clock->wall_ms(store->clock->self);
    return database_run(store, database_bind(store, SQL_PUT_FLOW, "ttibi", flow_namespace, id,
                                             last + 1, digest_str(digest), now));
}

Err store_get_flow(Store *store, Str flow_namespace, Str id, int64_t revision, Hash *digest,
                   int64_t *found) {
    bool has_row = false;
    sqlite3_stmt *statement =
        revision == 0 ? database_bind(store, SQL_LAST_FLOW, "tt", flow_namespace, id)
                      : database_bind(store, SQL_GET_FLOW, "tti", flow_namespace, id, revision);
    TRY(database_step(store, statement, &has_row));
    if (!has_row) {
        return err_make(ERR_NOT_FOUND, "flow '" STR_FMT "." STR_FMT "' is not installed here",
                        STR_ARG(flow_namespace), STR_ARG(id));
    }
    *found = sqlite3_column_int64(statement, 0);
    read_digest(statement, 1, digest);
    database_end(statement);
    return err_none();
}

Err store_remove_flow(Store *store, Str flow_namespace, Str id) {
    TRY(database_run(store, database_bind(store, SQL_REMOVE_FLOW, "tt", flow_namespace, id)));
    if (sqlite3_changes(store->db) > 0) return err_none();
    return err_make(ERR_NOT_FOUND, "flow '" STR_FMT "." STR_FMT "' is not installed here",
                    STR_ARG(flow_namespace), STR_ARG(id));
}

Err store_flows(Store *store, Arena *arena, StoreFlow **rows, uint32_t *count) {
    LIST_OF(StoreFlow) list = {0};
    sqlite3_stmt *statement = database_bind(store, SQL_LIST_FLOWS, "");
    bool has_row = false;
    for (;;) {
        TRY(database_step(store, statement, &has_row));
        if (!has_row) break;
        StoreFlow *row = LIST_ADD(arena, &list, StoreFlow);
        row->flow_namespace = str_dup(arena, database_text(statement, 0));
        row->id = str_dup(arena, database_text(statement, 1));
        row->revision = sqlite3_column_int64(statement, 2);
        read_digest(statement, 3, &row->digest);
        row->installed_ms = sqlite3_column_int64(statement, 4);
    }
    *rows = list.items;
    *count = list.count;
    return err_none();
}

// --- events -------------------------------------------------------------------------------------

static void put_u64(Hasher *hasher, int64_t number) {
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)((uint64_t)number >> (8 * i));
    hasher_add(hasher, (Str){(const char *)bytes, sizeof bytes});
}

static Hash128 chain(const Hash128 *before, const StoreEvent *event) {
    Hasher hasher;
    Hash128 hash;
    hasher_init(&hasher, sizeof hash.bytes);
    hasher_add(&hasher, (Str){(const char *)before->bytes, sizeof before->bytes});
    put_u64(&hasher, event->seq);
    put_u64(&hasher, event->time_ms);
    put_u64(&hasher, event->kind);
    hasher_add(&hasher, event->body);
    hasher_end(&hasher, hash.bytes, sizeof hash.bytes);
    return hash;
}

// The chain begins with the id, so events cannot be moved to another execution.
static Err read_last(Store *store, Str execution, StoreClaim *claim) {
    if (claim->has_last) return err_none();
    bool has_row = false;
    sqlite3_stmt *statement = database_bind(store, SQL_LAST_EVENT, "t", execution);
    TRY(database_step(store, statement, &has_row));
    claim->last_seq = has_row ? sqlite3_column_int64(statement, 0) : 0;
    claim->last_hash = hash128_bytes(execution);
    if (has_row) {
        Str hash = database_bytes(statement, 1);
        if (hash.len == HASH128_SIZE) memcpy(claim->last_hash.bytes, hash.ptr, hash.len);
        database_end(statement);
    }
    claim->has_last = true;
    return err_none();
}

Err store_append(Store *store, Str execution, int64_t owner, StoreEvent *event) {
    StoreClaim *claim = NULL;
    TRY(owner_check(store, execution, owner, &claim));
    TRY(read_last(store, execution, claim));
    if (event->seq != claim->last_seq + 1) {
        return err_make(ERR_CONFLICT,
                        "execution '" STR_FMT "' has %lld events, another process wrote some",
                        STR_ARG(execution), (long long)claim->last_seq);
    }
    event->hash = chain(&claim->last_hash, event);
    Str hash = {(const char *)event->hash.bytes, sizeof event->hash.bytes};
    Hash blob;
    sqlite3_stmt *statement = NULL;
    if (event->body.len > STORE_BLOB_MIN) {
        TRY(blob_put(store, execution, event->body, &blob));
        statement = database_bind(store, SQL_PUT_EVENT, "tiiinbb", execution, event->seq,
                                  event->time_ms, (int64_t)event->kind, digest_str(&blob), hash);
    } else {
        statement = database_bind(store, SQL_PUT_EVENT, "tiiitnb", execution, event->seq,
                                  event->time_ms, (int64_t)event->kind, event->body, hash);
    }
    TRY(database_run(store, statement));
    claim->last_seq = event->seq;
    claim->last_hash = event->hash;
    return err_none();
}

static Err first_hash(Store *store, Str execution, int64_t after, Hash128 *out) {
    *out = hash128_bytes(execution);
    if (after == 0) return err_none();
    bool has_row = false;
    sqlite3_stmt *statement = database_bind(store, SQL_GET_HASH, "ti", execution, after);
    TRY(database_step(store, statement, &has_row));
    if (!has_row) {
        return err_make(ERR_STORE, "execution '" STR_FMT "': event %lld is missing",
                        STR_ARG(execution), (long long)after);
    }
    Str hash = database_bytes(statement, 0);
    if (hash.len == HASH128_SIZE) memcpy(out->bytes, hash.ptr, hash.len);
    database_end(statement);
    return err_none();
}

static Err read_event(Store *store, sqlite3_stmt *statement, Arena *scratch, StoreEvent *event) {
    *event = (StoreEvent){.seq = sqlite3_column_int64(statement, 0),
                          .time_ms = sqlite3_column_int64(statement, 1),
                          .kind = sqlite3_column_int(statement, 2),
                          .body = database_text(statement, 3)};
    Str blob = database_bytes(statement, 4);
    if (blob.len > 0) TRY(blob_get(store, blob, scratch, &event->body));
    Str hash = database_bytes(statement, 5);
    if (hash.len == HASH128_SIZE) memcpy(event->hash.bytes, hash.ptr, hash.len);
    return err_none();
}

Err store_events(Store *store, Str execution, int64_t after, StoreEventVisitor each, void *self) {
    Hash128 before;
    TRY(first_hash(store, execution, after, &before));
    sqlite3_stmt *statement = database_bind(store, SQL_GET_EVENTS, "ti", execution, after);
    Arena scratch = {0};
    Err err = err_none();
    int64_t expected = after + 1;
    for (;; expected++) {
        bool has_row = false;
        err = database_step(store, statement, &has_row);
        if (err.code != ERR_NONE || !has_row) break;
        ArenaMark mark = arena_mark(&scratch);
        StoreEvent event;
        err = read_event(store, statement, &scratch, &event);
        if (err.code != ERR_NONE) break;
        Hash128 hash = chain(&before, &event);
        if (event.seq != expected || memcmp(hash.bytes, event.hash.bytes, HASH128_SIZE) != 0) {
            err = err_make(ERR_STORE,
                           "execution '" STR_FMT "': event %lld does not follow from the one "
                           "before it; the store was changed or damaged",
                           STR_ARG(execution), (long long)expected);
            break;
        }
        before = event.hash;
        err = each(self, &event);
        if (err.code != ERR_NONE) break;
        arena_reset(&scratch, mark);
    }
    database_end(statement);
    arena_release(&scratch);
    return err;
}

// --- executions ---------------------------------------------------------------------------------

Err store_put_execution(Store *store, int64_t owner, const StoreExecution *row) {
    StoreClaim *claim = NULL;
    TRY(owner_check(store, row->id, owner, &claim));
    return database_run(store,
                        database_bind(store, SQL_PUT_EXECUTION, "tttibtttiiittt", row->id,
                                      row->flow_namespace, row->flow_id, row->flow_revision,
                                      digest_str(&row->artifact), row->state, row->parent,
                                      row->original, row->created_ms, row->started_ms,
                                      row->ended_ms, row->labels, row->reason, row->trigger));
}

static void read_execution(sqlite3_stmt *statement, Arena *arena, StoreExecution *out) {
    *out = (StoreExecution){
        .id = str_dup(arena, database_text(statement, 0)),
        .flow_namespace = str_dup(arena, database_text(statement, 1)),
        .flow_id = str_dup(arena, database_text(statement, 2)),
        .flow_revision = sqlite3_column_int64(statement, 3),
        .state = str_dup(arena, database_text(statement, 5)),
        .parent = str_dup(arena, database_text(statement, 6)),
        .original = str_dup(arena, database_text(statement, 7)),
        .created_ms = sqlite3_column_int64(statement, 8),
        .started_ms = sqlite3_column_int64(statement, 9),
        .ended_ms = sqlite3_column_int64(statement, 10),
        .labels = str_dup(arena, database_text(statement, 11)),
        .reason = str_dup(arena, database_text(statement, 12)),
        .trigger = str_dup(arena, database_text(statement, 13)),
        .last_seq = sqlite3_column_int64(statement, 14),
    };
    read_digest(statement, 4, &out->artifact);
}

static Err no_such_execution(Str id) {
    return err_make(ERR_NOT_FOUND,
                    "there is no execution '" STR_FMT "': `flowrun list` shows those there are",
                    STR_ARG(id));
}

Err store_get_execution(Store *store, Str id, Arena *arena, StoreExecution *out) {
    bool has_row = false;
    sqlite3_stmt *statement = database_bind(store, SQL_GET_EXECUTION, "t", id);
    TRY(database_step(store, statement, &has_row));
    if (!has_row) return no_such_execution(id);
    read_execution(statement, arena, out);
    database_end(statement);
    return err_none();
}

Err store_find_execution(Store *store, Str prefix, Arena *arena, Str *id) {
    if (prefix.len == 0) return err_make(ERR_USAGE, "an execution id is missing");
    Str end = str_concat(arena, prefix, STR("\xff"));
    sqlite3_stmt *statement = database_bind(store, SQL_FIND_EXECUTION, "tt", prefix, end);
    uint32_t count = 0;
    for (;;) {
        bool has_row = false;
        TRY(database_step(store, statement, &has_row));
        if (!has_row) break;
        Str found = database_text(statement, 0);
        if (count++ == 0) *id = str_dup(arena, found);
        if (str_eq(found, prefix)) {  // comes first: a whole id wins over longer ones
            count = 1;
            database_end(statement);
            break;
        }
    }
    if (count == 0) return no_such_execution(prefix);
    if (count == 1) return err_none();
    return err_make(ERR_INPUT, "several executions begin with '" STR_FMT "': give more of the id",
                    STR_ARG(prefix));
}

Err store_list(Store *store, const StoreFilter *filter, Arena *arena, StoreExecution **rows,
               uint32_t *count) {
    LIST_OF(StoreExecution) list = {0};
    int64_t limit = filter->limit == 0 ? 100 : filter->limit;
    sqlite3_stmt *statement =
        database_bind(store, SQL_LIST_EXECUTIONS, "ttttii", filter->flow_namespace, filter->flow_id,
                      filter->state, filter->parent, filter->since_ms, limit);
    for (;;) {
        bool has_row = false;
        TRY(database_step(store, statement, &has_row));
        if (!has_row) break;
        read_execution(statement, arena, LIST_ADD(arena, &list, StoreExecution));
    }
    *rows = list.items;
    *count = list.count;
    return err_none();
}

Err store_put_taskrun(Store *store, int64_t owner, const StoreTaskRun *row) {
    StoreClaim *claim = NULL;
    TRY(owner_check(store, row->execution, owner, &claim));
    return database_run(store, database_bind(store, SQL_PUT_TASKRUN, "tttttitiii", row->execution,
                                             row->id, row->task, row->parent, row->value,
                                             row->iteration, row->state, (int64_t)row->attempts,
                                             row->started_ms, row->ended_ms));
}

Err store_drop_taskrun(Store *store, int64_t owner, Str execution, Str id) {
    StoreClaim *claim = NULL;
    TRY(owner_check(store, execution, owner, &claim));
    return database_run(store, database_bind(store, SQL_DROP_TASKRUN, "tt", execution, id));
}

Err store_taskruns(Store *store, Str execution, Arena *arena, StoreTaskRun **rows,
                   uint32_t *count) {
    LIST_OF(StoreTaskRun) list = {0};
    sqlite3_stmt *statement = database_bind(store, SQL_GET_TASKRUNS, "t", execution);
    for (;;) {
        bool has_row = false;
        TRY(database_step(store, statement, &has_row));
        if (!has_row) break;
        StoreTaskRun *row = LIST_ADD(arena, &list, StoreTaskRun);
        *row = (StoreTaskRun){
            .execution = str_dup(arena, execution),
            .id = str_dup(arena, database_text(statement, 0)),
            .task = str_dup(arena, database_text(statement, 1)),
            .parent = str_dup(arena, database_text(statement, 2)),
            .value = str_dup(arena, database_text(statement, 3)),
            .iteration = sqlite3_column_int64(statement, 4),
            .state = str_dup(arena, database_text(statement, 5)),
            .attempts = sqlite3_column_int(statement, 6),
            .started_ms = sqlite3_column_int64(statement, 7),
            .ended_ms = sqlite3_column_int64(statement, 8),
        };
    }
    *rows = list.items;
    *count = list.count;
    return err_none();
}

Err store_put_snapshot(Store *store, Str execution, int64_t owner, int64_t seq, Str bytes) {
    StoreClaim *claim = NULL;
    TRY(owner_check(store, execution, owner, &claim));
    bool has_row = false;
    sqlite3_stmt *old = database_bind(store, SQL_GET_SNAPSHOT, "t", execution);
    TRY(database_step(store, old, &has_row));
    Err err = has_row ? blob_let_go(store, execution, database_bytes(old, 2)) : err_none();
    database_end(old);
    if (err.code != ERR_NONE) return err;
    if (bytes.len <= STORE_SNAPSHOT_MIN) {
        return database_run(store,
                            database_bind(store, SQL_PUT_SNAPSHOT, "tibn", execution, seq, bytes));
    }
    Hash hash;
    TRY(blob_put(store, execution, bytes, &hash));
    return database_run(
        store, database_bind(store, SQL_PUT_SNAPSHOT, "tinb", execution, seq, digest_str(&hash)));
}

Err store_get_snapshot(Store *store, Str execution, Arena *arena, int64_t *seq, Str *bytes) {
    *seq = 0;
    *bytes = (Str){0};
    bool has_row = false;
    sqlite3_stmt *statement = database_bind(store, SQL_GET_SNAPSHOT, "t", execution);
    TRY(database_step(store, statement, &has_row));
    if (!has_row) return err_none();
    *seq = sqlite3_column_int64(statement, 0);
    Str blob = database_bytes(statement, 2);
    Err err = err_none();
    if (blob.len > 0) {
        err = blob_get(store, blob, arena, bytes);
    } else {
        *bytes = str_dup(arena, database_bytes(statement, 1));
    }
    database_end(statement);
    return err;
}

Err store_put_page(Store *store, Str execution, int64_t owner, int64_t kind, int64_t page,
                   Str bytes) {
    StoreClaim *claim = NULL;
    TRY(owner_check(store, execution, owner, &claim));
    return database_run(store,
                        database_bind(store, SQL_PUT_PAGE, "tiib", execution, kind, page, bytes));
}

Err store_get_page(Store *store, Str execution, int64_t kind, int64_t page, Arena *arena,
                   Str *bytes) {
    bool has_row = false;
    sqlite3_stmt *statement = database_bind(store, SQL_GET_PAGE, "tii", execution, kind, page);
    TRY(database_step(store, statement, &has_row));
    if (!has_row) {
        return err_make(ERR_STORE, "execution '" STR_FMT "': page %lld of its snapshot is missing",
                        STR_ARG(execution), (long long)page);
    }
    *bytes = str_dup(arena, database_bytes(statement, 0));
    database_end(statement);
    return err_none();
}

static Err delete_rows(Store *store, Str id) {
    static const char *const DELETES[] = {
        "DELETE FROM page WHERE execution = ?1",    "DELETE FROM event WHERE execution = ?1",
        "DELETE FROM taskrun WHERE execution = ?1", "DELETE FROM snapshot WHERE execution = ?1",
        "DELETE FROM command WHERE execution = ?1", "DELETE FROM owner WHERE execution = ?1",
        "DELETE FROM execution WHERE id = ?1",
    };
    TRY(blob_drop(store, id));
    for (size_t i = 0; i < COUNT(DELETES); i++) {
        sqlite3_stmt *statement = NULL;
        if (sqlite3_prepare_v2(store->db, DELETES[i], -1, &statement, NULL) != SQLITE_OK) {
            return database_failed(store, "delete");
        }
        sqlite3_bind_text64(statement, 1, id.ptr, id.len, SQLITE_STATIC, SQLITE_UTF8);
        int status = sqlite3_step(statement);
        Err err = status == SQLITE_DONE ? err_none() : database_failed(store, "delete");
        sqlite3_finalize(statement);
        if (err.code != ERR_NONE) return err;
    }
    return err_none();
}

Err store_delete_execution(Store *store, Str id) {
    if (store_is_owned(store, id)) {
        return err_make(ERR_CONFLICT, "execution '" STR_FMT "' is running", STR_ARG(id));
    }
    bool is_own = false;
    TRY(store_begin_own(store, &is_own));
    TRY(store_end_own(store, is_own, delete_rows(store, id)));
    Arena scratch = {0};
    Str folder = str_printf(&scratch, "exec/" STR_FMT, STR_ARG(id));
    Err err = dir_remove(store_path(store, &scratch, folder).ptr);
    arena_release(&scratch);
    return err;
}

// --- commands -----------------------------------------------------------------------------------

Err store_send_command(Store *store, Str execution, Str name, Str body, int64_t *number) {
    int64_t now = store->clock->wall_ms(store->clock->self);
    bool is_own = false;
    TRY(store_begin_own(store, &is_own));
    Err err = database_run(
        store, database_bind(store, SQL_SEND_COMMAND, "ttti", execution, name, body, now));
    if (number != NULL) *number = sqlite3_last_insert_rowid(store->db);
    return store_end_own(store, is_own, err);
}

Err store_take_commands(Store *store, Str execution, int64_t after, Arena *arena,
                        StoreCommand **rows, uint32_t *count) {
    LIST_OF(StoreCommand) list = {0};
    sqlite3_stmt *statement = database_bind(store, SQL_TAKE_COMMANDS, "ti", execution, after);
    for (;;) {
        bool has_row = false;
        TRY(database_step(store, statement, &has_row));
        if (!has_row) break;
        *LIST_ADD(arena, &list, StoreCommand) = (StoreCommand){
            .number = sqlite3_column_int64(statement, 0),
            .execution = str_dup(arena, execution),
            .name = str_dup(arena, database_text(statement, 1)),
            .body = str_dup(arena, database_text(statement, 2)),
        };
    }
    *rows = list.items;
    *count = list.count;
    return err_none();
}

Err store_drop_commands(Store *store, Str execution, int64_t number) {
    return database_run(store, database_bind(store, SQL_DROP_COMMANDS, "ti", execution, number));
}

Err store_drop_command(Store *store, int64_t number) {
    bool is_own = false;
    TRY(store_begin_own(store, &is_own));
    Err err = database_run(store, database_bind(store, SQL_DROP_COMMAND, "i", number));
    return store_end_own(store, is_own, err);
}
