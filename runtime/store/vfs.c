// vfs.c - a thin layer between SQLite and the system's VFS: every sync is counted and passes the
// seam, so a test can kill or fail at each of them. All else goes through untouched.
#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "store/database.h"

typedef struct ShimFile {
    sqlite3_file base;
    Store *store;
    const char *name;  // of its kind: what the seam is told
    bool is_wal;
    sqlite3_file *real;  // behind this struct
} ShimFile;

static ShimFile *shim(sqlite3_file *file) {
    return (ShimFile *)(void *)file;
}

static sqlite3_file *real(sqlite3_file *file) {
    return shim(file)->real;
}

static int shim_close(sqlite3_file *file) {
    ShimFile *self = shim(file);
    if (self->store->wal == self->real) self->store->wal = NULL;
    return self->real->pMethods->xClose(self->real);
}

static int shim_read(sqlite3_file *file, void *out, int size, sqlite3_int64 at) {
    return real(file)->pMethods->xRead(real(file), out, size, at);
}

static int shim_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 at) {
    return real(file)->pMethods->xWrite(real(file), bytes, size, at);
}

static int shim_truncate(sqlite3_file *file, sqlite3_int64 size) {
    return real(file)->pMethods->xTruncate(real(file), size);
}

static int shim_sync(sqlite3_file *file, int flags) {
    ShimFile *self = shim(file);
    Store *store = self->store;
    int number = store_seam(store, STORE_BEFORE_SYNC, self->name);
    if (number != 0) {
        store->seam_errno = number;
        store->is_broken = true;
        return number == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_FSYNC;
    }
    int status = self->real->pMethods->xSync(self->real, flags);
    store->sync_count++;
    // After a failed sync the kernel may have dropped the pages: trying again proves nothing.
    if (status != SQLITE_OK) store->is_broken = true;
    if (status == SQLITE_OK) store_seam(store, STORE_AFTER_SYNC, self->name);
    return status;
}

static int shim_size(sqlite3_file *file, sqlite3_int64 *out) {
    return real(file)->pMethods->xFileSize(real(file), out);
}

static int shim_lock(sqlite3_file *file, int level) {
    return real(file)->pMethods->xLock(real(file), level);
}

static int shim_unlock(sqlite3_file *file, int level) {
    return real(file)->pMethods->xUnlock(real(file), level);
}

static int shim_reserved(sqlite3_file *file, int *out) {
    return real(file)->pMethods->xCheckReservedLock(real(file), out);
}

static int shim_control(sqlite3_file *file, int operation, void *argument) {
    return real(file)->pMethods->xFileControl(real(file), operation, argument);
}

static int shim_sector(sqlite3_file *file) {
    return real(file)->pMethods->xSectorSize(real(file));
}

static int shim_device(sqlite3_file *file) {
    return real(file)->pMethods->xDeviceCharacteristics(real(file));
}

static int shim_map(sqlite3_file *file, int page, int size, int extend, void volatile **out) {
    return real(file)->pMethods->xShmMap(real(file), page, size, extend, out);
}

static int shim_shm_lock(sqlite3_file *file, int offset, int n, int flags) {
    return real(file)->pMethods->xShmLock(real(file), offset, n, flags);
}

static void shim_barrier(sqlite3_file *file) {
    real(file)->pMethods->xShmBarrier(real(file));
}

static int shim_unmap(sqlite3_file *file, int remove) {
    return real(file)->pMethods->xShmUnmap(real(file), remove);
}

static const sqlite3_io_methods SHIM_METHODS = {
    .iVersion = 2,  // without memory-mapped reads, which we do not use
    .xClose = shim_close,
    .xRead = shim_read,
    .xWrite = shim_write,
    .xTruncate = shim_truncate,
    .xSync = shim_sync,
    .xFileSize = shim_size,
    .xLock = shim_lock,
    .xUnlock = shim_unlock,
    .xCheckReservedLock = shim_reserved,
    .xFileControl = shim_control,
    .xSectorSize = shim_sector,
    .xDeviceCharacteristics = shim_device,
    .xShmMap = shim_map,
    .xShmLock = shim_shm_lock,
    .xShmBarrier = shim_barrier,
    .xShmUnmap = shim_unmap,
};

// SQLite syncs the folder behind the first sync of a log that it may have created. A log that has
// content was created by an earlier process, which did so: one sync less for each process.
static bool wal_exists(Store *store, const char *path) {
    int exists = 0;
    int status = store->real_vfs->xAccess(store->real_vfs, path, SQLITE_ACCESS_EXISTS, &exists);
    return status == SQLITE_OK && exists != 0;
}

static int shim_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags,
                     int *out_flags) {
    Store *store = vfs->pAppData;
    ShimFile *self = shim(file);
    self->store = store;
    self->real = (sqlite3_file *)(void *)(self + 1);
    self->is_wal = (flags & SQLITE_OPEN_WAL) != 0;
    self->name = self->is_wal                         ? "store.db-wal"
                 : (flags & SQLITE_OPEN_MAIN_DB) != 0 ? "store.db"
                                                      : "store.db-journal";
    if (self->is_wal && wal_exists(store, path)) flags &= ~SQLITE_OPEN_CREATE;
    int status = store->real_vfs->xOpen(store->real_vfs, path, self->real, flags, out_flags);
    // SQLite closes a file that failed to open only where its methods are set.
    self->base.pMethods = self->real->pMethods == NULL ? NULL : &SHIM_METHODS;
    if (status == SQLITE_OK && self->is_wal) store->wal = self->real;
    return status;
}

static int shim_delete(sqlite3_vfs *vfs, const char *path, int sync_folder) {
    Store *store = vfs->pAppData;
    if (sync_folder != 0) store->sync_count++;
    return store->real_vfs->xDelete(store->real_vfs, path, sync_folder);
}

static int shim_access(sqlite3_vfs *vfs, const char *path, int flags, int *out) {
    Store *store = vfs->pAppData;
    return store->real_vfs->xAccess(store->real_vfs, path, flags, out);
}

static int shim_full_path(sqlite3_vfs *vfs, const char *path, int size, char *out) {
    Store *store = vfs->pAppData;
    return store->real_vfs->xFullPathname(store->real_vfs, path, size, out);
}

static int shim_random(sqlite3_vfs *vfs, int size, char *out) {
    Store *store = vfs->pAppData;
    return store->real_vfs->xRandomness(store->real_vfs, size, out);
}

static int shim_sleep(sqlite3_vfs *vfs, int microseconds) {
    Store *store = vfs->pAppData;
    return store->real_vfs->xSleep(store->real_vfs, microseconds);
}

static int shim_time(sqlite3_vfs *vfs, double *out) {
    Store *store = vfs->pAppData;
    return store->real_vfs->xCurrentTime(store->real_vfs, out);
}

static int shim_error(sqlite3_vfs *vfs, int size, char *out) {
    Store *store = vfs->pAppData;
    return store->real_vfs->xGetLastError(store->real_vfs, size, out);
}

void vfs_init(Store *store) {
    store->real_vfs = sqlite3_vfs_find(NULL);
    // One a store: SQLite keeps a list of them by name, and a store has its own seam.
    sqlite3_snprintf(sizeof store->vfs_name, store->vfs_name, "flow-%p", (void *)store);
    store->vfs = (sqlite3_vfs){
        .iVersion = 1,
        .szOsFile = (int)sizeof(ShimFile) + store->real_vfs->szOsFile,
        .mxPathname = store->real_vfs->mxPathname,
        .zName = store->vfs_name,
        .pAppData = store,
        .xOpen = shim_open,
        .xDelete = shim_delete,
        .xAccess = shim_access,
        .xFullPathname = shim_full_path,
        .xRandomness = shim_random,
        .xSleep = shim_sleep,
        .xCurrentTime = shim_time,
        .xGetLastError = shim_error,
    };
}
