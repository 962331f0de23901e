// kv.c - the key-value store: JSON values by namespace and key, with an optional end.
//
// A secret in a value is kept as its reference; only such rows are searched for references when
// they are read, so that a map which merely looks like one stays a map.
#include "base/arena.h"
#include "store/database.h"

static int64_t wall(const Store *store) {
    return store->clock->wall_ms(store->clock->self);
}

Err store_kv_get(Store *store, Str kv_namespace, Str key, Arena *arena, Value *out) {
    bool has_row = false;
    sqlite3_stmt *statement =
        database_bind(store, SQL_KV_GET, "tti", kv_namespace, key, wall(store));
    TRY(database_step(store, statement, &has_row));
    if (!has_row) {
        return err_make(ERR_NOT_FOUND, "there is no key '" STR_FMT "' in namespace '" STR_FMT "'",
                        STR_ARG(key), STR_ARG(kv_namespace));
    }
    Str body = str_dup(arena, database_text(statement, 0));
    bool has_secret = sqlite3_column_int(statement, 1) != 0;
    database_end(statement);
    TRY(json_parse(body, (JsonLimits){0}, arena, out));
    if (has_secret) *out = value_restore_secrets(arena, *out);
    return err_none();
}

static Err set_row(Store *store, Str kv_namespace, Str key, Value value, int64_t expires_ms,
                   bool overwrite) {
    int64_t now = wall(store);
    if (!overwrite) {
        TRY(database_run(store,
                         database_bind(store, SQL_KV_EXPIRE, "tti", kv_namespace, key, now)));
        bool has_row = false;
        sqlite3_stmt *statement = database_bind(store, SQL_KV_GET, "tti", kv_namespace, key, now);
        TRY(database_step(store, statement, &has_row));
        database_end(statement);
        if (has_row) {
            return err_make(ERR_CONFLICT,
                            "cannot set value of key '" STR_FMT "' in namespace '" STR_FMT
                            "': it is there already, and 'overwrite' is false",
                            STR_ARG(key), STR_ARG(kv_namespace));
        }
    }
    Buffer body = {0};
    json_write(&body, value, JSON_COMPACT, JSON_KEEP_SECRETS);
    Err err = database_run(store, database_bind(store, SQL_KV_SET, "tttiii", kv_namespace, key,
                                                buffer_str(&body), (int64_t)value_has_secret(value),
                                                now, expires_ms));
    buffer_release(&body);
    return err;
}

Err store_kv_set(Store *store, Str kv_namespace, Str key, Value value, int64_t expires_ms,
                 bool overwrite) {
    bool is_own = false;
    TRY(store_begin_own(store, &is_own));
    Err err = set_row(store, kv_namespace, key, value, expires_ms, overwrite);
    return store_end_own(store, is_own, err);
}

Err store_kv_delete(Store *store, Str kv_namespace, Str key, bool *deleted) {
    bool is_own = false;
    TRY(store_begin_own(store, &is_own));
    Err err = database_run(store, database_bind(store, SQL_KV_DELETE, "tt", kv_namespace, key));
    *deleted = err.code == ERR_NONE && sqlite3_changes(store->db) > 0;
    return store_end_own(store, is_own, err);
}

Err store_kv_entries(Store *store, Arena *arena, Value *out) {
    *out = value_list(arena);
    sqlite3_stmt *statement = database_bind(store, SQL_KV_ENTRIES, "i", wall(store));
    for (;;) {
        bool has_row = false;
        TRY(database_step(store, statement, &has_row));
        if (!has_row) return err_none();
        Value entry = value_map(arena);
        value_map_set(arena, entry, STR("namespace"),
                      value_text(str_dup(arena, database_text(statement, 0))));
        value_map_set(arena, entry, STR("key"),
                      value_text(str_dup(arena, database_text(statement, 1))));
        value_map_set(arena, entry, STR("expired"),
                      value_bool(sqlite3_column_int(statement, 2) != 0));
        value_list_add(arena, *out, entry);
    }
}

Err store_kv_keys(Store *store, Str kv_namespace, Str prefix, Arena *arena, Value *out) {
    *out = value_list(arena);
    sqlite3_stmt *statement =
        database_bind(store, SQL_KV_KEYS, "tti", kv_namespace, prefix, wall(store));
    for (;;) {
        bool has_row = false;
        TRY(database_step(store, statement, &has_row));
        if (!has_row) return err_none();
        value_list_add(arena, *out, value_text(str_dup(arena, database_text(statement, 0))));
    }
}
