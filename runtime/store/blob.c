// blob.c - large bodies as files in blobs/, under their hash.
//
// A file is durable before the row that names it commits; a file that no row names (a crash in
// between) is harmless and is taken over by the next body of the same content.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/codec.h"
#include "base/file.h"
#include "store/database.h"

static Str hash_str(const Hash *hash) {
    return (Str){(const char *)hash->bytes, sizeof hash->bytes};
}

static const char *blob_path(Store *store, Arena *scratch, Str hash) {
    Buffer name = {0};
    buffer_add(&name, STR("blobs/"));
    hex_encode(&name, (const uint8_t *)hash.ptr, hash.len);
    const char *path = store_path(store, scratch, buffer_str(&name)).ptr;
    buffer_release(&name);
    return path;
}

// The file, its name: two syncs.
static Err make_durable(Store *store, Arena *scratch, const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return err_system("cannot open '%s'", path);
    Err err = store_sync_fd(store, fd, "blob");
    close(fd);
    if (err.code != ERR_NONE) return err;
    int folder =
        open(str_to_c(scratch, path_folder(str_from(path))), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return err_system("cannot open the folder of '%s'", path);
    err = store_sync_fd(store, folder, "blobs");
    close(folder);
    return err;
}

Err blob_put(Store *store, Str execution, Str bytes, Hash *hash) {
    *hash = hash_bytes(bytes);
    Arena scratch = {0};
    const char *path = blob_path(store, &scratch, hash_str(hash));
    Err err = err_none();
    if (!path_exists(path)) {
        err = file_write(path, bytes, 0600);
        if (err.number == ENOSPC || err.number == EDQUOT) {
            err = err_make(ERR_STORE, "the disk that holds '%s' is full: free some space there",
                           store->folder);
        } else if (err.code != ERR_NONE) {
            err.code = ERR_STORE;
        }
        if (err.code == ERR_NONE) err = make_durable(store, &scratch, path);
    }
    if (err.code == ERR_NONE && execution.len > 0) {
        err = database_run(store,
                           database_bind(store, SQL_PUT_BLOB_REF, "bt", hash_str(hash), execution));
    }
    arena_release(&scratch);
    return err;
}

Err blob_get(Store *store, Str hash, Arena *arena, Str *out) {
    Arena scratch = {0};
    const char *path = blob_path(store, &scratch, hash);
    Err err = file_read(path, (size_t)256 << 20, arena, out);
    if (err.code == ERR_NONE) {
        Hash actual = hash_bytes(*out);
        if (!str_eq(hash_str(&actual), hash)) {
            err = err_make(ERR_STORE, "'%s' is damaged: its content does not match its name", path);
        }
    } else {
        err.code = ERR_STORE;
    }
    arena_release(&scratch);
    return err;
}

Err blob_let_go(Store *store, Str execution, Str hash) {
    bool has_row = false;
    if (hash.len != sizeof store->stale_blob.bytes) return err_none();
    TRY(database_run(store, database_bind(store, SQL_DROP_BLOB_REF, "bt", hash, execution)));
    sqlite3_stmt *statement = database_bind(store, SQL_HAS_BLOB_REF, "b", hash);
    TRY(database_step(store, statement, &has_row));
    database_end(statement);
    if (has_row || store->has_stale_blob) return err_none();
    memcpy(store->stale_blob.bytes, hash.ptr, hash.len);
    store->has_stale_blob = true;
    return err_none();
}

void blob_committed(Store *store, bool was_committed) {
    if (store->has_stale_blob && was_committed) {
        Arena scratch = {0};
        unlink(blob_path(store, &scratch, hash_str(&store->stale_blob)));
        arena_release(&scratch);
    }
    store->has_stale_blob = false;
}

Err blob_drop(Store *store, Str execution) {
    Arena scratch = {0};
    LIST_OF(Str) hashes = {0};
    Err err = err_none();
    bool has_row = false;
    sqlite3_stmt *statement = database_bind(store, SQL_GET_BLOB_REFS, "t", execution);
    for (;;) {
        err = database_step(store, statement, &has_row);
        if (err.code != ERR_NONE || !has_row) break;
        *LIST_ADD(&scratch, &hashes, Str) = str_dup(&scratch, database_bytes(statement, 0));
    }
    if (err.code == ERR_NONE) {
        err = database_run(store, database_bind(store, SQL_DROP_BLOB_REFS, "t", execution));
    }
    for (uint32_t i = 0; err.code == ERR_NONE && i < hashes.count; i++) {
        statement = database_bind(store, SQL_HAS_BLOB_REF, "b", hashes.items[i]);
        err = database_step(store, statement, &has_row);
        database_end(statement);
        if (err.code == ERR_NONE && !has_row) unlink(blob_path(store, &scratch, hashes.items[i]));
    }
    arena_release(&scratch);
    return err;
}
