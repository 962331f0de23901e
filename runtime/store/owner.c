// owner.c - who may write for an execution: an open-file-description lock on owners/<id>, and a
// number that grows with each claim.
//
// The lock says who lives, the number who came last. A claim takes the lock at once and writes its
// number with the first transaction that follows, so it costs no sync of its own. The file is
// unlinked while the lock is held; who gets a lock therefore looks whether the name still leads to
// the file it has locked.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "store/database.h"

enum { MAX_ID = 200 };       // with the names around it, it stays a file name
enum { CLAIM_TRIES = 100 };  // a claim races with releases; each lost race means another's progress

static bool id_is_safe(Str id) {
    if (id.len == 0 || id.len > MAX_ID || id.ptr[0] == '.') return false;
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
        if (!is_plain) return false;
    }
    return true;
}

static const char *owner_path(Store *store, Arena *scratch, Str execution) {
    Str name = str_printf(scratch, "owners/" STR_FMT, STR_ARG(execution));
    return store_path(store, scratch, name).ptr;
}

static StoreClaim *find_claim(Store *store, Str execution) {
    for (uint32_t i = 0; i < store->claim_count; i++) {
        if (str_eq(str_from(store->claims[i].execution), execution)) return &store->claims[i];
    }
    return NULL;
}

// Locks the file and makes sure that it is still the one of that name.
static Err lock_file(const char *path, int *out) {
    for (int tries = 0; tries < CLAIM_TRIES; tries++) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0) return err_system("cannot lock '%s'", path);
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        if (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
            int number = errno;
            close(fd);
            errno = number;
            if (number == EAGAIN || number == EACCES) return err_make(ERR_CONFLICT, "locked");
            return err_system("cannot lock '%s'", path);
        }
        struct stat mine;
        struct stat named;
        if (fstat(fd, &mine) == 0 && stat(path, &named) == 0 && mine.st_ino == named.st_ino &&
            mine.st_dev == named.st_dev) {
            *out = fd;
            return err_none();
        }
        close(fd);
    }
    return err_make(ERR_CONFLICT, "locked");
}

static Err read_number(Store *store, Str execution, int64_t *out) {
    *out = 0;
    bool has_row = false;
    sqlite3_stmt *statement = database_bind(store, SQL_GET_OWNER, "t", execution);
    TRY(database_step(store, statement, &has_row));
    if (has_row) *out = sqlite3_column_int64(statement, 0);
    database_end(statement);
    return err_none();
}

Err store_claim(Store *store, Str execution, int64_t *owner) {
    if (execution.len > MAX_ID) {
        return err_make(ERR_USAGE, "an id of an execution has at most %d characters, not %zu",
                        MAX_ID, execution.len);
    }
    if (!id_is_safe(execution)) {
        return err_make(ERR_USAGE,
                        "'" STR_FMT "' cannot be the id of an execution: use letters, digits, "
                        "'-', '_' and '.'",
                        STR_ARG(execution));
    }
    Arena scratch = {0};
    int fd = -1;
    int64_t number = 0;
    Err err = lock_file(owner_path(store, &scratch, execution), &fd);
    arena_release(&scratch);
    if (err.code == ERR_CONFLICT) {
        return err_make(ERR_CONFLICT,
                        "execution '" STR_FMT "' is being run by another process: wait for it with "
                        "`flowrun wait`, or end it with `flowrun kill`",
                        STR_ARG(execution));
    }
    if (err.code == ERR_NONE) err = read_number(store, execution, &number);
    if (err.code != ERR_NONE) {
        if (fd >= 0) close(fd);
        return err;
    }
    if (store->claim_count == store->claim_capacity) {
        store->claim_capacity = arena_next_capacity(store->claim_count);
        store->claims = heap_resize(store->claims, store->claim_capacity, sizeof *store->claims);
    }
    store->claims[store->claim_count++] = (StoreClaim){
        .execution = heap_dup(execution.ptr, execution.len), .fd = fd, .number = number + 1};
    *owner = number + 1;
    return err_none();
}

static void end_claim(Store *store, StoreClaim *claim) {
    Arena scratch = {0};
    unlink(owner_path(store, &scratch, str_from(claim->execution)));
    arena_release(&scratch);
    close(claim->fd);
    heap_free(claim->execution);
    *claim = store->claims[--store->claim_count];
}

void store_release(Store *store, Str execution, int64_t owner) {
    StoreClaim *claim = find_claim(store, execution);
    if (claim != NULL && claim->number == owner) end_claim(store, claim);
}

void owner_release_all(Store *store) {
    while (store->claim_count > 0) end_claim(store, &store->claims[0]);
}

bool store_is_owned(Store *store, Str execution) {
    if (!id_is_safe(execution)) return false;
    if (find_claim(store, execution) != NULL) return true;
    Arena scratch = {0};
    int fd = open(owner_path(store, &scratch, execution), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    arena_release(&scratch);
    if (fd < 0) return false;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    bool is_owned = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    close(fd);
    return is_owned;
}

static Err lost(Str execution) {
    return err_make(ERR_CONFLICT, "another process has taken over execution '" STR_FMT "'",
                    STR_ARG(execution));
}

Err owner_check(Store *store, Str execution, int64_t owner, StoreClaim **out) {
    StoreClaim *claim = find_claim(store, execution);
    if (claim == NULL || claim->number != owner) return lost(execution);
    *out = claim;
    if (claim->is_checked) return err_none();
    if (claim->is_written) {
        int64_t number = 0;
        TRY(read_number(store, execution, &number));
        if (number != owner) return lost(execution);
    } else {
        int64_t now = store->clock->wall_ms(store->clock->self);
        TRY(database_run(store, database_bind(store, SQL_PUT_OWNER, "tiii", execution, owner,
                                              (int64_t)getpid(), now)));
        if (sqlite3_changes(store->db) == 0) return lost(execution);
    }
    claim->is_checked = true;
    return err_none();
}

void owner_committed(Store *store, bool was_committed) {
    for (uint32_t i = 0; i < store->claim_count; i++) {
        StoreClaim *claim = &store->claims[i];
        if (was_committed && claim->is_checked) claim->is_written = true;
        if (!was_committed) claim->has_last = false;
        claim->is_checked = false;
    }
}
