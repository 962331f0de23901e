// archive.c - host.archive: archives and compressed files, by libarchive, which is opened on first
// use. Prototypes are written down here, so that no header is needed to build.
//
// What an archive says is not believed: a path that leaves the folder, a link or a device is
// refused, and so is more than an archive of its size can honestly hold.
#include "host/internal.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/crypto.h"
#include "base/file.h"

enum {
    STATUS_OK = 0,
    STATUS_END = 1,
    STATUS_WARN = -20,
    TYPE_FILE = 0100000,
    TYPE_FOLDER = 0040000,
    BLOCK = 64 << 10,
    ENTRIES_MAX = 100000,
    RATIO_MAX = 500,  // beyond SMALL bytes: what no honest archive reaches
};

static const int64_t SMALL = (int64_t)1 << 30;

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
    const char *(*entry_link)(EntryHandle *);
    void (*set_path)(EntryHandle *, const char *);
    void (*set_size)(EntryHandle *, int64_t);
    void (*set_type)(EntryHandle *, unsigned);
    void (*set_rights)(EntryHandle *, unsigned);
} Library;

static bool find(const Library *library, const char *name, void *function) {
    void *address = dlsym(library->handle, name);
    memcpy(function, &address, sizeof address);
    return address != NULL;
}

static Err open_library(Library *out) {
    *out = (Library){.handle = dlopen("libarchive.so.13", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)};
    if (out->handle == NULL) {
        return err_make(ERR_UNAVAILABLE,
                        "archives need the library 'libarchive.so.13', which cannot be opened: "
                        "install it (Debian: libarchive13)");
    }
    bool is_whole = find(out, "archive_read_new", &out->read_new) &&
                    find(out, "archive_write_new", &out->write_new) &&
                    find(out, "archive_read_open_fd", &out->read_open_fd) &&
                    find(out, "archive_write_open_fd", &out->write_open_fd) &&
                    find(out, "archive_filter_code", &out->filter_code) &&
                    find(out, "archive_read_next_header", &out->next_header) &&
                    find(out, "archive_read_data", &out->read_data) &&
                    find(out, "archive_write_data", &out->write_data) &&
                    find(out, "archive_write_header", &out->write_header) &&
                    find(out, "archive_read_free", &out->read_free) &&
                    find(out, "archive_write_free", &out->write_free) &&
                    find(out, "archive_write_close", &out->write_close) &&
                    find(out, "archive_error_string", &out->error) &&
                    find(out, "archive_entry_new", &out->entry_new) &&
                    find(out, "archive_entry_free", &out->entry_free) &&
                    find(out, "archive_entry_pathname", &out->entry_path) &&
                    find(out, "archive_entry_filetype", &out->entry_type) &&
                    find(out, "archive_entry_hardlink", &out->entry_link) &&
                    find(out, "archive_entry_set_pathname", &out->set_path) &&
                    find(out, "archive_entry_set_size", &out->set_size) &&
                    find(out, "archive_entry_set_filetype", &out->set_type) &&
                    find(out, "archive_entry_set_perm", &out->set_rights);
    return is_whole ? err_none() : err_make(ERR_UNAVAILABLE, "libarchive lacks a function");
}

// --- formats ------------------------------------------------------------------------------------

// Names of Kestra's, and what libarchive calls them; NULL: the other direction only.
static const struct {
    const char *name, *read, *write;
} formats[] = {
    {"AR",   "ar",   "ar_svr4"       },
    {"CPIO", "cpio", "cpio"          },
    {"JAR",  "zip",  "zip"           },
    {"TAR",  "tar",  "pax_restricted"},
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

static Err call_named(const Library *library, ArchiveHandle *archive, const char *prefix,
                      const char *name) {
    char symbol[64];
    int (*function)(ArchiveHandle *) = NULL;
    size_t len = strlen(prefix), more = strlen(name);
    if (len + more >= sizeof symbol) return err_make(ERR_UNSUPPORTED, "'%s' is unknown", name);
    memcpy(symbol, prefix, len);
    memcpy(symbol + len, name, more + 1);
    if (!find(library, symbol, &function)) {
        return err_make(ERR_UNAVAILABLE, "the installed libarchive cannot do '%s'", name);
    }
    int status = function(archive);
    // A warning says that it would start a program for it, which is not what was asked for.
    if (status == STATUS_OK) return err_none();
    return err_make(ERR_UNAVAILABLE, "the installed libarchive cannot do '%s'", name);
}

static Err set_format(const Library *library, ArchiveHandle *archive, Str format, bool is_read) {
    for (size_t i = 0; i < COUNT(formats); i++) {
        if (!str_eq(format, str_from(formats[i].name))) continue;
        return is_read
                   ? call_named(library, archive, "archive_read_support_format_", formats[i].read)
                   : call_named(library, archive, "archive_write_set_format_", formats[i].write);
    }
    return err_make(ERR_UNSUPPORTED,
                    "archives of the kind '" STR_FMT
                    "' are not possible: AR, CPIO, JAR, TAR and ZIP "
                    "are",
                    STR_ARG(format));
}

static Err set_filter(const Library *library, ArchiveHandle *archive, Str filter, bool is_read) {
    if (filter.len == 0) return err_none();
    for (size_t i = 0; i < COUNT(filters); i++) {
        if (!str_eq(filter, str_from(filters[i].name))) continue;
        return call_named(library, archive,
                          is_read ? "archive_read_support_filter_" : "archive_write_add_filter_",
                          filters[i].filter);
    }
    return err_make(ERR_UNSUPPORTED,
                    "the compression '" STR_FMT
                    "' is not possible: BZIP2, GZIP, LZ4FRAME, LZMA, XZ, "
                    "Z and ZSTD are",
                    STR_ARG(filter));
}

static Err failed(const Library *library, ArchiveHandle *archive, const char *what) {
    const char *text = library->error(archive);
    return err_make(ERR_INPUT, "%s: %s", what, text == NULL ? "unknown error" : text);
}

// --- packing ------------------------------------------------------------------------------------

static Err pack_bytes(const Library *library, ArchiveHandle *archive, int fd) {
    char block[BLOCK];
    for (off_t at = 0;;) {
        ssize_t got = pread(fd, block, sizeof block, at);
        if (got < 0) return err_system("cannot read a file");
        if (got == 0) return err_none();
        if (library->write_data(archive, block, (size_t)got) < got) {
            return failed(library, archive, "cannot write the archive");
        }
        at += got;
    }
}

static Err pack_entry(HostTask *task, const Library *library, ArchiveHandle *archive, Str path,
                      Str uri, Arena *arena) {
    int fd = -1;
    struct stat is = {0};
    TRY(open_uri(task, uri, &fd));
    EntryHandle *entry = library->entry_new();
    Err err = entry == NULL || fstat(fd, &is) != 0
                  ? err_system("cannot read '" STR_FMT "'", STR_ARG(uri))
                  : err_none();
    if (err.code == ERR_NONE) {
        library->set_path(entry, str_to_c(arena, path));
        library->set_size(entry, is.st_size);
        library->set_type(entry, TYPE_FILE);
        library->set_rights(entry, 0644);
        if (library->write_header(archive, entry) < STATUS_WARN) {
            err = failed(library, archive, "cannot write the archive");
        }
    }
    if (err.code == ERR_NONE) err = pack_bytes(library, archive, fd);
    if (entry != NULL) library->entry_free(entry);
    close(fd);
    return err;
}

static Err pack(HostTask *task, Value entries, Str format, Str filter, int to, Arena *arena) {
    Library library;
    TRY(open_library(&library));
    ArchiveHandle *archive = library.write_new();
    if (archive == NULL) return err_make(ERR_SYSTEM, "libarchive has no memory");
    Err err = set_format(&library, archive, format, false);
    if (err.code == ERR_NONE) err = set_filter(&library, archive, filter, false);
    if (err.code == ERR_NONE && library.write_open_fd(archive, to) != STATUS_OK) {
        err = failed(&library, archive, "cannot write the archive");
    }
    for (uint32_t i = 0; err.code == ERR_NONE && i < entries.as.map->count; i++) {
        const ValueMember *entry = &entries.as.map->members[i];
        err = pack_entry(task, &library, archive, entry->key, value_to_text(arena, entry->value),
                         arena);
    }
    if (err.code == ERR_NONE && library.write_close(archive) < STATUS_WARN) {
        err = failed(&library, archive, "cannot write the archive");
    }
    library.write_free(archive);
    return err;
}

// archive.pack{entries = {path = URI}, format, compression, name} -> URI
static int api_pack(lua_State *L) {
    static const char *const known[] = {"entries", "format", "compression", "name", NULL};
    HostTask *task = call_begin(L);
    Arena *arena = &task->call;
    Value fields = check_fields(L, 1, arena, "archive.pack", known);
    const Value *entries = value_map_get(fields, STR("entries"));
    if (entries == NULL || entries->kind != VALUE_MAP) {
        return luaL_error(L, "archive.pack: 'entries' must be a map");
    }
    Str name = value_map_get_text(fields, STR("name"), STR("archive"));
    Str uri = str_printf(arena, "<" STR_FMT ".uri>", STR_ARG(task->start.task_id));
    tell_object(task, name);
    if (!is_planning(task)) {
        NewObject object = {0};
        Err err = object_begin(task, name, arena, &object);
        if (err.code == ERR_NONE) {
            err = pack(task, *entries, value_map_get_text(fields, STR("format"), STR("")),
                       value_map_get_text(fields, STR("compression"), STR("")), object.fd, arena);
            if (err.code == ERR_NONE) {
                err = object_end(task, &object, arena, &uri);
            } else {
                object_drop(&object);
            }
        }
        if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    }
    push_str(L, uri);
    return 1;
}

// --- unpacking ----------------------------------------------------------------------------------

typedef struct Unpack {
    HostTask *task;
    Library library;
    ArchiveHandle *archive;
    Arena *arena;
    Value files;  // path -> URI
    int64_t packed, size;
    bool is_raw;
    Str raw_name;
} Unpack;

// A path without what leads out of its folder; ERR_INPUT where it does.
static Err entry_path(const Unpack *at, const char *given, Str *out) {
    Str path = str_dup(at->arena, str_from(given == NULL ? "" : given)), rest = path, part = {0};
    while (str_starts_with(path, STR("./"))) path = str_slice(path, 2, path.len);
    *out = path;
    bool is_good = path.len > 0 && path.len < 4000 && path.ptr[0] != '/' &&
                   str_find_char(path, '\\', 0) == STR_NOT_FOUND;
    while (str_split(&rest, '/', &part)) is_good = is_good && !str_eq(part, STR(".."));
    if (is_good) return err_none();
    return err_make(ERR_REFUSED, "the archive has an entry '" STR_FMT "', which leaves its folder",
                    STR_ARG(path));
}

static Err unpack_bytes(Unpack *at, int to) {
    char block[BLOCK];
    for (;;) {
        ssize_t got = at->library.read_data(at->archive, block, sizeof block);
        if (got < 0) return failed(&at->library, at->archive, "the archive is damaged");
        if (got == 0) return err_none();
        at->size += got;
        if (at->size > SMALL && at->size / RATIO_MAX > at->packed) {
            return err_make(ERR_LIMIT,
                            "the archive unpacks to more than %d times its size, which is "
                            "refused",
                            RATIO_MAX);
        }
        TRY(file_write_fd(to, (Str){block, (size_t)got}));
    }
}

static Str stored_name(const Unpack *at, Str path) {
    if (at->is_raw) return at->raw_name;
    Hash128 hash = hash128_bytes(path);
    Buffer name = {0};
    hex_encode(&name, hash.bytes, 11);
    buffer_add_char(&name, '-');
    buffer_add(&name, path_name(path));
    Str out = buffer_to_str(&name, at->arena);
    buffer_release(&name);
    return out;
}

static Err unpack_entry(Unpack *at, EntryHandle *entry) {
    Str path = at->raw_name, uri = {0};
    unsigned type = at->library.entry_type(entry);
    if (!at->is_raw) {
        if (type == TYPE_FOLDER) return err_none();
        TRY(entry_path(at, at->library.entry_path(entry), &path));
        if (type != TYPE_FILE || at->library.entry_link(entry) != NULL) {
            return err_make(ERR_REFUSED,
                            "the archive has an entry '" STR_FMT "' that is no file: "
                            "links and devices are refused",
                            STR_ARG(path));
        }
    }
    NewObject object = {0};
    TRY(object_begin(at->task, stored_name(at, path), at->arena, &object));
    Err err = unpack_bytes(at, object.fd);
    if (err.code != ERR_NONE) {
        object_drop(&object);
        return err;
    }
    TRY(object_end(at->task, &object, at->arena, &uri));
    value_map_set(at->arena, at->files, path, value_text(uri));
    return err_none();
}

static Err unpack_all(Unpack *at, Str filter) {
    for (int count = 0;; count++) {
        EntryHandle *entry = NULL;
        int status = at->library.next_header(at->archive, &entry);
        if (status == STATUS_END) return err_none();
        if (status < STATUS_WARN) return failed(&at->library, at->archive, "it cannot be unpacked");
        // What the filter does not know it hands through.
        if (count == 0 && filter.len > 0 && at->library.filter_code(at->archive, 0) == 0) {
            return err_make(ERR_INPUT, "it cannot be unpacked: it is not compressed by " STR_FMT,
                            STR_ARG(filter));
        }
        if (count >= ENTRIES_MAX) {
            return err_make(ERR_LIMIT, "the archive has more than %d entries", ENTRIES_MAX);
        }
        TRY(unpack_entry(at, entry));
    }
}

static Err unpack(Unpack *at, Str format, Str filter, int from) {
    struct stat is = {0};
    TRY(open_library(&at->library));
    if (fstat(from, &is) != 0) return err_system("cannot read the archive");
    at->packed = is.st_size;
    at->archive = at->library.read_new();
    if (at->archive == NULL) return err_make(ERR_SYSTEM, "libarchive has no memory");
    Err err = set_format(&at->library, at->archive, format, true);
    if (err.code == ERR_NONE) err = set_filter(&at->library, at->archive, filter, true);
    if (err.code == ERR_NONE && at->library.read_open_fd(at->archive, from, BLOCK) != STATUS_OK) {
        err = failed(&at->library, at->archive, "it cannot be unpacked");
    }
    if (err.code == ERR_NONE) err = unpack_all(at, filter);
    at->library.read_free(at->archive);
    return err;
}

// archive.unpack(URI, {format, compression, name}) -> map path -> URI, bytes. Without a format it
// is one compressed file, which gets `name`.
static int api_unpack(lua_State *L) {
    static const char *const known[] = {"format", "compression", "name", NULL};
    HostTask *task = call_begin(L);
    Arena *arena = &task->call;
    Str uri = check_text(L, 1, "URI");
    Value fields = check_fields(L, 2, arena, "archive.unpack", known);
    Str format = value_map_get_text(fields, STR("format"), STR(""));
    Unpack at = {.task = task,
                 .arena = arena,
                 .files = value_map(arena),
                 .is_raw = format.len == 0,
                 .raw_name = value_map_get_text(fields, STR("name"), STR("file"))};
    tell_object(task, uri);
    if (!is_planning(task)) {
        int fd = -1;
        Err err = open_uri(task, uri, &fd);
        if (err.code == ERR_NONE) {
            lseek(fd, 0, SEEK_SET);
            err = unpack(&at, format, value_map_get_text(fields, STR("compression"), STR("")), fd);
            close(fd);
        }
        if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    }
    leaf_push_value(L, at.files);
    lua_pushinteger(L, (lua_Integer)at.size);
    return 2;
}

void add_archive_functions(lua_State *L) {
    static const luaL_Reg archive[] = {
        {"pack",   api_pack  },
        {"unpack", api_unpack},
        {NULL,     NULL      }
    };
    add_table(L, "archive", archive);
}
