// cache.c - results of tasks that may be used again (taskCache), by what they follow from.
//
// An entry is written in the transaction that stores the result it was made from. One that has
// expired is not found, and is replaced by the next result.
#include "base/arena.h"
#include "store/database.h"

static Str bytes_of(const Hash *key) {
    return (Str){(const char *)key->bytes, sizeof key->bytes};
}

Err store_cache_get(Store *store, const Hash *key, Arena *arena, Value *out) {
    bool has_row = false;
    int64_t now = store->clock->wall_ms(store->clock->self);
    sqlite3_stmt *statement = database_bind(store, SQL_CACHE_GET, "bi", bytes_of(key), now);
    TRY(database_step(store, statement, &has_row));
    if (!has_row) return err_make(ERR_NOT_FOUND, "no result is kept");
    Str body = str_dup(arena, database_text(statement, 0));
    database_end(statement);
    return json_parse(body, (JsonLimits){0}, arena, out);
}

Err store_cache_put(Store *store, const Hash *key, Value value, int64_t expires_ms) {
    Buffer body = {0};
    json_write(&body, value, JSON_COMPACT, 0);
    Err err = database_run(store, database_bind(store, SQL_CACHE_PUT, "bti", bytes_of(key),
                                                buffer_str(&body), expires_ms));
    buffer_release(&body);
    return err;
}
