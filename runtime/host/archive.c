// archive.c - host.archive: archives and compressed files as objects of the storage.
//
// A path that leaves the folder, a link or a device is refused.
#include <unistd.h>

#include "base/codec.h"
#include "base/crypto.h"
#include "base/file.h"
#include "host/libarchive.h"

// --- packing ------------------------------------------------------------------------------------

static Err pack_entry(HostTask *task, Archive *archive, Str path, Str uri, Arena *arena) {
    int fd = -1;
    TRY(open_uri(task, uri, &fd));
    ArchiveEntry entry = {.path = str_to_c(arena, path),
                          .type = ARCHIVE_FILE,
                          .rights = 0644,
                          .fd = fd,
                          .size = lseek(fd, 0, SEEK_END)};
    Err err = entry.size < 0 ? err_system("cannot read '" STR_FMT "'", STR_ARG(uri))
                             : archive_put(archive, &entry);
    close(fd);
    return err;
}

static Err pack(HostTask *task, Value entries, Str format, Str filter, int to, Arena *arena) {
    Archive archive;
    Err err = archive_create(&archive, to, format, filter);
    for (uint32_t i = 0; err.code == ERR_NONE && i < entries.as.map->count; i++) {
        const ValueMember *entry = &entries.as.map->members[i];
        err = pack_entry(task, &archive, entry->key, value_to_text(arena, entry->value), arena);
    }
    if (err.code == ERR_NONE) err = archive_end(&archive);
    archive_close(&archive);
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
    Archive archive;
    Arena *arena;
    Value files;  // path -> URI
    bool is_raw;
    Str raw_name;
} Unpack;

static Err entry_path(const Unpack *at, const char *given, Str *out) {
    Str path = str_dup(at->arena, str_from(given == NULL ? "" : given));
    while (str_starts_with(path, STR("./"))) path = str_slice(path, 2, path.len);
    *out = path;
    if (archive_path_stays(path) && str_find_char(path, '\\', 0) == STR_NOT_FOUND) {
        return err_none();
    }
    return err_make(ERR_REFUSED, "the archive has an entry '" STR_FMT "', which leaves its folder",
                    STR_ARG(path));
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
    const Library *library = &at->archive.library;
    Str path = at->raw_name, uri = {0};
    unsigned type = library->entry_type(entry);
    if (!at->is_raw) {
        if (type == ARCHIVE_FOLDER) return err_none();
        TRY(entry_path(at, library->entry_path(entry), &path));
        if (type != ARCHIVE_FILE || library->entry_hard_link(entry) != NULL) {
            return err_make(ERR_REFUSED,
                            "the archive has an entry '" STR_FMT "' that is no file: "
                            "links and devices are refused",
                            STR_ARG(path));
        }
    }
    NewObject object = {0};
    TRY(object_begin(at->task, stored_name(at, path), at->arena, &object));
    Err err = archive_take(&at->archive, object.fd);
    if (err.code != ERR_NONE) {
        object_drop(&object);
        return err;
    }
    TRY(object_end(at->task, &object, at->arena, &uri));
    value_map_set(at->arena, at->files, path, value_text(uri));
    return err_none();
}

static Err unpack_all(Unpack *at, Str filter) {
    for (;;) {
        EntryHandle *entry = NULL;
        TRY(archive_next(&at->archive, &entry));
        if (entry == NULL) return err_none();
        // What the filter does not know it hands through.
        if (at->archive.entries == 1 && filter.len > 0 &&
            at->archive.library.filter_code(at->archive.handle, 0) == 0) {
            return err_make(ERR_INPUT, "it cannot be unpacked: it is not compressed by " STR_FMT,
                            STR_ARG(filter));
        }
        TRY(unpack_entry(at, entry));
    }
}

static Err unpack(Unpack *at, Str format, Str filter, int from) {
    Err err = archive_open(&at->archive, from, format, filter);
    if (err.code == ERR_NONE) err = unpack_all(at, filter);
    archive_close(&at->archive);
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
    lua_pushinteger(L, (lua_Integer)at.archive.size);
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
