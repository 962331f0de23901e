// libarchive.h - libarchive, opened on first use. Prototypes are written down here, so that no
// header is needed to build.
//
// What an archive says is not believed: whoever reads one checks its paths, and the bytes come
// through archive_take, which refuses more than an archive of its size can honestly hold.
#ifndef FLOW_HOST_LIBARCHIVE_H
#define FLOW_HOST_LIBARCHIVE_H

#include "host/internal.h"

enum {
    ARCHIVE_END = 1,     // of next_header
    ARCHIVE_WARN = -20,  // below: it failed
    ARCHIVE_FILE = 0100000,
    ARCHIVE_FOLDER = 0040000,
    ARCHIVE_LINK = 0120000,
    ARCHIVE_ENTRIES_MAX = 200000,
};

typedef struct ArchiveHandle ArchiveHandle;
typedef struct EntryHandle EntryHandle;

typedef struct Library {
    void *handle;
    ArchiveHandle *(*read_new)(void);
    ArchiveHandle *(*write_new)(void);
    int (*read_open_fd)(ArchiveHandle *, int, size_t);
    int (*write_open_fd)(ArchiveHandle *, int);
    int (*filter_code)(ArchiveHandle *, int);
    int (*next_header)(ArchiveHandle *, EntryHandle **);
    ssize_t (*read_data)(ArchiveHandle *, void *, size_t);
    ssize_t (*write_data)(ArchiveHandle *, const void *, size_t);
    int (*write_header)(ArchiveHandle *, EntryHandle *);
    int (*read_free)(ArchiveHandle *);
    int (*write_free)(ArchiveHandle *);
    int (*write_close)(ArchiveHandle *);
    const char *(*error)(ArchiveHandle *);
    EntryHandle *(*entry_new)(void);
    void (*entry_free)(EntryHandle *);
    const char *(*entry_path)(EntryHandle *);
    unsigned (*entry_type)(EntryHandle *);
    unsigned (*entry_rights)(EntryHandle *);
    const char *(*entry_hard_link)(EntryHandle *);
    const char *(*entry_link)(EntryHandle *);
    void (*set_path)(EntryHandle *, const char *);
    void (*set_link)(EntryHandle *, const char *);
    void (*set_size)(EntryHandle *, int64_t);
    void (*set_type)(EntryHandle *, unsigned);
    void (*set_rights)(EntryHandle *, unsigned);
    void (*set_time)(EntryHandle *, time_t, long);
} Library;

typedef struct Archive {
    Library library;
    ArchiveHandle *handle;  // NULL: not open
    bool is_read;
    int64_t packed, size;  // bytes of it; of what came out
    uint32_t entries;
} Archive;

// `format` as Kestra names it (TAR, ZIP, …), empty for one compressed file; `filter` a compression,
// or empty. ERR_UNAVAILABLE where libarchive is not there, ERR_UNSUPPORTED for other names.
// archive_close follows also a failure.
MUST_CHECK Err archive_open(Archive *archive, int fd, Str format, Str filter);
MUST_CHECK Err archive_create(Archive *archive, int fd, Str format, Str filter);
void archive_close(Archive *archive);
// Writes what is left; the descriptor stays open.
MUST_CHECK Err archive_end(Archive *archive);
// The next entry; NULL at the end. What it points to lives until the next call.
MUST_CHECK Err archive_next(Archive *archive, EntryHandle **out);
// The bytes of the entry at hand. ERR_LIMIT for a bomb.
MUST_CHECK Err archive_take(Archive *archive, int to);
// An entry; of a file with `size` bytes of `fd` from its beginning.
typedef struct ArchiveEntry {
    const char *path;
    unsigned type, rights;
    int fd;
    int64_t size;
    time_t time;
    const char *link;
} ArchiveEntry;
MUST_CHECK Err archive_put(Archive *archive, const ArchiveEntry *entry);
// Whether a path of an entry stays in the folder it is unpacked in.
bool archive_path_stays(Str path);

#endif
