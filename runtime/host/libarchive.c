// libarchive.c - archives and compressed files by libarchive: opening the library, formats, bytes.
#include "host/libarchive.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum {
    STATUS_OK = 0,
    BLOCK = 64 << 10,
    RATIO_MAX = 500,  // beyond SMALL bytes: what no honest archive reaches
};

static const int64_t SMALL = (int64_t)1 << 30;

static const struct {
    const char *name;
    size_t at;  // in Library
} functions[] = {
    {"archive_read_new",           offsetof(Library, read_new)       },
    {"archive_write_new",          offsetof(Library, write_new)      },
    {"archive_read_open_fd",       offsetof(Library, read_open_fd)   },
    {"archive_write_open_fd",      offsetof(Library, write_open_fd)  },
    {"archive_filter_code",        offsetof(Library, filter_code)    },
    {"archive_read_next_header",   offsetof(Library, next_header)    },
    {"archive_read_data",          offsetof(Library, read_data)      },
    {"archive_write_data",         offsetof(Library, write_data)     },
    {"archive_write_header",       offsetof(Library, write_header)   },
    {"archive_read_free",          offsetof(Library, read_free)      },
    {"archive_write_free",         offsetof(Library, write_free)     },
    {"archive_write_close",        offsetof(Library, write_close)    },
    {"archive_error_string",       offsetof(Library, error)          },
    {"archive_entry_new",          offsetof(Library, entry_new)      },
    {"archive_entry_free",         offsetof(Library, entry_free)     },
    {"archive_entry_pathname",     offsetof(Library, entry_path)     },
    {"archive_entry_filetype",     offsetof(Library, entry_type)     },
    {"archive_entry_perm",         offsetof(Library, entry_rights)   },
    {"archive_entry_hardlink",     offsetof(Library, entry_hard_link)},
    {"archive_entry_symlink",      offsetof(Library, entry_link)     },
    {"archive_entry_set_pathname", offsetof(Library, set_path)       },
    {"archive_entry_set_symlink",  offsetof(Library, set_link)       },
    {"archive_entry_set_size",     offsetof(Library, set_size)       },
    {"archive_entry_set_filetype", offsetof(Library, set_type)       },
    {"archive_entry_set_perm",     offsetof(Library, set_rights)     },
    {"archive_entry_set_mtime",    offsetof(Library, set_time)       },
};

static bool find(const Library *library, const char *name, void *function) {
    void *address = dlsym(library->handle, name);
    memcpy(function, &address, sizeof address);
    return address != NULL;
}

static Err open_library(Library *out) {
    *out = (Library){.handle = dlopen("libarchive.so.13", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)};
    if (out->handle == NULL) {
        return err_make(ERR_UNAVAILABLE,
                        "archives, and files of containers, need the library 'libarchive.so.13', "
                        "which cannot be opened: install it (Debian: libarchive13)");
    }
    for (size_t i = 0; i < COUNT(functions); i++) {
        if (find(out, functions[i].name, (char *)out + functions[i].at)) continue;
        return err_make(ERR_UNAVAILABLE, "the installed libarchive lacks '%s'", functions[i].name);
    }
    return err_none();
}

// --- formats ------------------------------------------------------------------------------------

// Names of Kestra's and our own GNU (of containers), and what libarchive calls them.
static const struct {
    const char *name, *read, *write;
} formats[] = {
    {"AR",   "ar",   "ar_svr4"       },
    {"CPIO", "cpio", "cpio"          },
    {"JAR",  "zip",  "zip"           },
    {"TAR",  "tar",  "pax_restricted"},
    {"GNU",  "tar",  "gnutar"        },
    {"ZIP",  "zip",  "zip"           },
    {"",     "raw",  "raw"           },
};

static const struct {
    const char *name, *filter;
} filters[] = {
    {"BZIP2",    "bzip2"   },
    {"GZIP",     "gzip"    },
    {"LZ4FRAME", "lz4"     },
    {"LZMA",     "lzma"    },
    {"XZ",       "xz"      },
    {"Z",        "compress"},
    {"ZSTD",     "zstd"    },
};

static Err call_named(const Archive *archive, const char *prefix, const char *name) {
    char symbol[64];
    int (*function)(ArchiveHandle *) = NULL;
    size_t len = strlen(prefix), more = strlen(name);
    if (len + more >= sizeof symbol) return err_make(ERR_UNSUPPORTED, "'%s' is unknown", name);
    memcpy(symbol, prefix, len);
    memcpy(symbol + len, name, more + 1);
    // A warning says that it would start a program for it, which is not what was asked for.
    if (find(&archive->library, symbol, &function) && function(archive->handle) == STATUS_OK) {
        return err_none();
    }
    return err_make(ERR_UNAVAILABLE, "the installed libarchive cannot do '%s'", name);
}

static Err set_format(const Archive *archive, Str format) {
    for (size_t i = 0; i < COUNT(formats); i++) {
        if (!str_eq(format, str_from(formats[i].name))) continue;
        return archive->is_read
                   ? call_named(archive, "archive_read_support_format_", formats[i].read)
                   : call_named(archive, "archive_write_set_format_", formats[i].write);
    }
    return err_make(ERR_UNSUPPORTED,
                    "archives of the kind '" STR_FMT
                    "' are not possible: AR, CPIO, JAR, TAR and ZIP "
                    "are",
                    STR_ARG(format));
}

static Err set_filter(const Archive *archive, Str filter) {
    if (filter.len == 0) return err_none();
    if (archive->is_read && str_eq(filter, STR("PRINTED"))) {  // Base64 of a gzip, from a log
        TRY(call_named(archive, "archive_read_support_filter_", "uu"));
        filter = STR("GZIP");
    }
    for (size_t i = 0; i < COUNT(filters); i++) {
        if (!str_eq(filter, str_from(filters[i].name))) continue;
        return call_named(archive,
                          archive->is_read ? "archive_read_support_filter_"
                                           : "archive_write_add_filter_",
                          filters[i].filter);
    }
    return err_make(ERR_UNSUPPORTED,
                    "the compression '" STR_FMT
                    "' is not possible: BZIP2, GZIP, LZ4FRAME, LZMA, XZ, "
                    "Z and ZSTD are",
                    STR_ARG(filter));
}

static Err failed(const Archive *archive, const char *what) {
    const char *text = archive->library.error(archive->handle);
    return err_make(ERR_INPUT, "%s: %s", what, text == NULL ? "unknown error" : text);
}

// --- opening and closing ------------------------------------------------------------------------

static Err prepare(Archive *archive, bool is_read, Str format, Str filter) {
    *archive = (Archive){.is_read = is_read};
    TRY(open_library(&archive->library));
    archive->handle = is_read ? archive->library.read_new() : archive->library.write_new();
    if (archive->handle == NULL) return err_make(ERR_SYSTEM, "libarchive has no memory");
    TRY(set_format(archive, format));
    return set_filter(archive, filter);
}

Err archive_open(Archive *archive, int fd, Str format, Str filter) {
    TRY(prepare(archive, true, format, filter));
    struct stat is = {0};
    if (fstat(fd, &is) != 0) return err_system("cannot read the archive");
    archive->packed = is.st_size;
    if (archive->library.read_open_fd(archive->handle, fd, BLOCK) == STATUS_OK) return err_none();
    return failed(archive, "it cannot be unpacked");
}

Err archive_create(Archive *archive, int fd, Str format, Str filter) {
    TRY(prepare(archive, false, format, filter));
    if (archive->library.write_open_fd(archive->handle, fd) == STATUS_OK) return err_none();
    return failed(archive, "cannot write the archive");
}

Err archive_end(Archive *archive) {
    if (archive->library.write_close(archive->handle) >= ARCHIVE_WARN) return err_none();
    return failed(archive, "cannot write the archive");
}

void archive_close(Archive *archive) {
    if (archive->handle == NULL) return;
    if (archive->is_read) {
        archive->library.read_free(archive->handle);
    } else {
        archive->library.write_free(archive->handle);
    }
    archive->handle = NULL;
}

// --- entries ------------------------------------------------------------------------------------

Err archive_next(Archive *archive, EntryHandle **out) {
    *out = NULL;
    int status = archive->library.next_header(archive->handle, out);
    if (status == ARCHIVE_END) {
        *out = NULL;
        return err_none();
    }
    if (status < ARCHIVE_WARN) return failed(archive, "it cannot be unpacked");
    if (++archive->entries > ARCHIVE_ENTRIES_MAX) {
        return err_make(ERR_LIMIT, "the archive has more than %d entries", ARCHIVE_ENTRIES_MAX);
    }
    return err_none();
}

Err archive_take(Archive *archive, int to) {
    char block[BLOCK];
    for (;;) {
        ssize_t got = archive->library.read_data(archive->handle, block, sizeof block);
        if (got < 0) return failed(archive, "the archive is damaged");
        if (got == 0) return err_none();
        archive->size += got;
        if (archive->size > SMALL && archive->size / RATIO_MAX > archive->packed) {
            return err_make(ERR_LIMIT,
                            "the archive unpacks to more than %d times its size, which is refused",
                            RATIO_MAX);
        }
        TRY(file_write_fd(to, (Str){block, (size_t)got}));
    }
}

static Err put_bytes(Archive *archive, const ArchiveEntry *entry) {
    char block[BLOCK];
    for (int64_t at = 0; at < entry->size;) {
        int64_t left = entry->size - at;
        ssize_t got =
            pread(entry->fd, block, left < BLOCK ? (size_t)left : sizeof block, (off_t)at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return err_system("cannot read '%s'", entry->path);
        if (got == 0) {
            return err_make(ERR_INPUT, "'%s' became shorter while it was read", entry->path);
        }
        if (archive->library.write_data(archive->handle, block, (size_t)got) < got) {
            return failed(archive, "cannot write the archive");
        }
        at += got;
    }
    return err_none();
}

Err archive_put(Archive *archive, const ArchiveEntry *entry) {
    const Library *library = &archive->library;
    EntryHandle *made = library->entry_new();
    if (made == NULL) return err_make(ERR_SYSTEM, "libarchive has no memory");
    library->set_path(made, entry->path);
    library->set_type(made, entry->type);
    library->set_rights(made, entry->rights);
    library->set_size(made, entry->type == ARCHIVE_FILE ? entry->size : 0);
    if (entry->time > 0) library->set_time(made, entry->time, 0);
    if (entry->link != NULL) library->set_link(made, entry->link);
    bool is_good = library->write_header(archive->handle, made) >= ARCHIVE_WARN;
    library->entry_free(made);
    if (!is_good) return failed(archive, "cannot write the archive");
    return entry->type == ARCHIVE_FILE ? put_bytes(archive, entry) : err_none();
}

bool archive_path_stays(Str path) {
    Str rest = path, part = {0};
    bool stays = path.len > 0 && path.len < 4000 && path.ptr[0] != '/';
    while (rest.len > 0 && str_split(&rest, '/', &part)) stays = stays && !str_eq(part, STR(".."));
    return stays;
}
