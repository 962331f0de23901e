// storage.c - objects: kestra:///… of internal storage, file:///… of allowed paths, nsfile:///… of
// the namespace.
//
// An object is written to a name of its own, synced and then renamed, so that a URI that is visible
// always leads to the whole of it.
#include "host/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "store/store.h"

bool is_uri(Str text) {
    return str_starts_with(text, STR("kestra://")) || str_starts_with(text, STR("file://")) ||
           str_starts_with(text, STR("nsfile://"));
}

// /NS/PATH/FLOW/executions/ID/ of this execution.
static Str own_prefix(const HostTask *task, Arena *arena) {
    const HostOptions *options = &task->host->options;
    Str space = str_dup(arena, options->flow_namespace);
    for (size_t i = 0; i < space.len; i++) {
        if (space.ptr[i] == '.') *(char *)(uintptr_t)&space.ptr[i] = '/';
    }
    return str_printf(arena, "/" STR_FMT "/" STR_FMT "/executions/" STR_FMT "/", STR_ARG(space),
                      STR_ARG(options->flow_id), STR_ARG(options->execution_id));
}

static Err open_folder(Str path, Arena *arena, int *out) {
    int fd = open(str_to_c(arena, path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return err_system("cannot open the folder '" STR_FMT "'", STR_ARG(path));
    *out = fd;
    return err_none();
}

static Err open_in(Str folder, Str path, Arena *arena, int *out) {
    int base = -1;
    TRY(open_folder(folder, arena, &base));
    Err err = open_beneath(base, path, O_RDONLY | O_NONBLOCK, 0, out);
    close(base);
    struct stat is = {0};
    if (err.code == ERR_NONE && (fstat(*out, &is) != 0 || !S_ISREG(is.st_mode))) {
        close(*out);
        err = err_make(ERR_INPUT, "'" STR_FMT "' is not a file", STR_ARG(path));
    }
    return err;
}

// Where an object lies: a folder and a path beneath it.
static Err locate(HostTask *task, Str uri, Arena *arena, Str *folder, Str *path) {
    Str whole = str_slice(uri, sizeof "kestra://" - 1, uri.len);
    Str prefix = own_prefix(task, arena);
    if (str_starts_with(whole, prefix)) {
        *folder = task->host->options.storage_folder;
        *path = str_slice(whole, prefix.len, whole.len);
        return err_none();
    }
    if (whole.len < 2 || whole.ptr[0] != '/' || task->host->storage_root.len == 0) {
        return err_make(ERR_NOT_FOUND, "the object '" STR_FMT "' is not in this storage",
                        STR_ARG(uri));
    }
    *folder = task->host->storage_root;
    *path = str_slice(whole, 1, whole.len);
    return err_none();
}

static Err open_local(HostTask *task, Str path, Arena *arena, int *out) {
    const HostOptions *options = &task->host->options;
    for (uint32_t i = 0; i < options->allowed_path_count; i++) {
        Str allowed = options->allowed_paths[i];
        while (allowed.len > 1 && allowed.ptr[allowed.len - 1] == '/') allowed.len--;
        if (!str_starts_with(path, allowed)) continue;
        Str rest = str_slice(path, allowed.len, path.len);
        if (rest.len > 1 && rest.ptr[0] == '/') {
            return open_in(allowed, str_slice(rest, 1, rest.len), arena, out);
        }
    }
    return err_make(ERR_REFUSED,
                    "the file '" STR_FMT "' of this host may not be read: 'allowedPaths' in "
                    "flowrun.yaml names the folders that may",
                    STR_ARG(path));
}

static Err open_text(Str text, int *out) {
    int fd = memfd_create("object", MFD_CLOEXEC);
    if (fd < 0) return err_system("cannot make a memory file");
    Err err = file_write_fd(fd, text);
    if (err.code != ERR_NONE) {
        close(fd);
        return err;
    }
    *out = fd;
    return err_none();
}

Err open_uri(HostTask *task, Str uri, int *out) {
    Arena arena = {0};
    Str folder = {0}, path = {0}, text = {0};
    Err err = err_none();
    if (str_starts_with(uri, STR("kestra://"))) {
        err = locate(task, uri, &arena, &folder, &path);
        if (err.code == ERR_NONE) err = open_in(folder, path, &arena, out);
        if (err.code == ERR_NOT_FOUND) {
            err = err_make(ERR_NOT_FOUND, "there is no object '" STR_FMT "'", STR_ARG(uri));
        }
    } else if (str_starts_with(uri, STR("file:///"))) {
        err = open_local(task, str_slice(uri, 7, uri.len), &arena, out);
    } else if (str_starts_with(uri, STR("nsfile://")) && !str_starts_with(uri, STR("nsfile:///"))) {
        Str space = {0};
        path = str_slice(uri, 9, uri.len);
        str_split(&path, '/', &space);
        err = namespace_file(task, space, path, &arena, &text);
        if (err.code == ERR_NONE) err = open_text(text, out);
    } else if (str_starts_with(uri, STR("nsfile:///"))) {
        err = namespace_file(task, STR(""), str_slice(uri, 10, uri.len), &arena, &text);
        if (err.code == ERR_NONE) err = open_text(text, out);
    } else {
        err = err_make(ERR_INPUT,
                       "'" STR_FMT "' is no URI of an object (kestra:///, file:///, nsfile:///)",
                       STR_ARG(uri));
    }
    arena_release(&arena);
    return err;
}

// --- writing ------------------------------------------------------------------------------------

Str object_name(Str name, Arena *arena) {
    Str out = str_dup(arena, path_name(name));
    for (size_t i = 0; i < out.len; i++) {
        char *c = (char *)(uintptr_t)&out.ptr[i];
        if (*c == ' ') *c = '+';
        if ((unsigned char)*c < ' ' || *c == 127) *c = '_';
    }
    if (out.len > 200) out = str_slice(out, out.len - 200, out.len);
    if (out.len == 0 || str_eq(out, STR(".")) || str_eq(out, STR(".."))) return STR("object");
    return out;
}

static Err sync_object(HostTask *task, int fd, Str name, Arena *arena) {
    Store *store = task->host->options.store;
    if (store == NULL) return err_none();
    return store_sync_fd(store, fd, str_to_c(arena, name));
}

// The folder of an object's new name stays open, so that the rename happens where it was made.
Err object_begin(HostTask *task, Str name, Arena *arena, NewObject *out) {
    const HostOptions *options = &task->host->options;
    Str run = task->start.run_id.len > 0 ? task->start.run_id : STR("run");
    Str id = task->start.task_id.len > 0 ? task->start.task_id : STR("task");
    Str path = str_printf(arena, "tasks/" STR_FMT "/" STR_FMT "/" STR_FMT, STR_ARG(id),
                          STR_ARG(run), STR_ARG(object_name(name, arena)));
    *out = (NewObject){.folder = -1, .fd = -1};
    int folder = -1, fd = -1;
    TRY(dir_make(str_to_c(arena, options->storage_folder), 0700));
    TRY(open_folder(options->storage_folder, arena, &folder));
    Err err = make_parents(folder, path);
    if (err.code == ERR_NONE) {
        err = open_beneath(folder, str_concat(arena, path, STR(".part")),
                           O_WRONLY | O_CREAT | O_TRUNC, 0600, &fd);
    }
    if (err.code != ERR_NONE) {
        close(folder);
        return err;
    }
    *out = (NewObject){.folder = folder, .fd = fd, .path = heap_dup(path.ptr, path.len)};
    return err_none();
}

static Err keep_object(HostTask *task, const NewObject *object, Arena *arena) {
    Str path = str_from(object->path);
    TRY(sync_object(task, object->fd, path, arena));
    const char *partial = str_to_c(arena, str_concat(arena, path, STR(".part")));
    if (renameat(object->folder, partial, object->folder, object->path) != 0) {
        return err_system("cannot keep the object '%s'", object->path);
    }
    int fd = -1;
    TRY(open_beneath(object->folder, path_folder(path), O_RDONLY | O_DIRECTORY, 0, &fd));
    Err err = sync_object(task, fd, path_folder(path), arena);
    close(fd);
    return err;
}

void object_drop(NewObject *object) {
    if (object->path == NULL) return;
    Arena arena = {0};
    if (object->fd >= 0) {
        Str partial = str_concat(&arena, str_from(object->path), STR(".part"));
        unlinkat(object->folder, str_to_c(&arena, partial), 0);  // gone where it was kept
        close(object->fd);
    }
    arena_release(&arena);
    close(object->folder);
    heap_free(object->path);
    *object = (NewObject){.folder = -1, .fd = -1};
}

Err object_end(HostTask *task, NewObject *object, Arena *arena, Str *uri) {
    Err err = keep_object(task, object, arena);
    *uri =
        str_printf(arena, "kestra://" STR_FMT "%s", STR_ARG(own_prefix(task, arena)), object->path);
    object_drop(object);
    return err;
}

Err store_object(HostTask *task, int from, Str name, Arena *arena, Str *uri) {
    NewObject object = {0};
    TRY(object_begin(task, name, arena, &object));
    Err err = copy_all(from, object.fd, str_to_c(arena, name));
    if (err.code == ERR_NONE) return object_end(task, &object, arena, uri);
    object_drop(&object);
    return err;
}

Err store_text(HostTask *task, Str text, Str name, Arena *arena, Str *uri) {
    int fd = -1;
    TRY(open_text(text, &fd));
    Err err = store_object(task, fd, name, arena, uri);
    close(fd);
    return err;
}

// --- local copies -------------------------------------------------------------------------------

Err local_copy(HostTask *task, Str uri, Arena *arena, Str *path) {
    int fd = -1;
    TRY(open_uri(task, uri, &fd));
    Str name =
        str_printf(arena, ".storage/%u-" STR_FMT, task->copies++, STR_ARG(object_name(uri, arena)));
    Err err = workdir_copy(task, fd, name);
    close(fd);
    TRY(err);
    *path = path_join(arena, task->workdir, name);
    return err_none();
}

// Behind the URI that begins before `at`. Punctuation at its end is the shell's.
static size_t uri_end(Str text, size_t at) {
    size_t from = at;
    while (at < text.len) {
        unsigned char c = (unsigned char)text.ptr[at];
        bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_word && strchr("-._+~#=/,:;", c) == NULL) break;
        at++;
    }
    while (at > from && strchr(",:;", text.ptr[at - 1]) != NULL) at--;
    return at;
}

Err localise(HostTask *task, Str text, Arena *arena, Str *out) {
    *out = text;
    size_t at = str_find(text, STR("kestra://"), 0);
    if (at == STR_NOT_FOUND || is_planning(task)) {
        *out = str_dup(arena, text);
        return err_none();
    }
    Buffer whole = {0};
    Err err = err_none();
    size_t from = 0;
    for (; at != STR_NOT_FOUND && err.code == ERR_NONE;
         at = str_find(text, STR("kestra://"), from)) {
        size_t end = uri_end(text, at + sizeof "kestra://" - 1);
        Str path = {0};
        buffer_add(&whole, str_slice(text, from, at));
        err = local_copy(task, str_slice(text, at, end), arena, &path);
        buffer_add(&whole, path);
        from = end;
    }
    buffer_add(&whole, str_slice(text, from, text.len));
    *out = str_dup(arena, buffer_str(&whole));
    buffer_release(&whole);
    return err;
}

// --- namespace files ----------------------------------------------------------------------------

// Files that tasks have written: `_files` of the namespace in internal storage. They lie over those
// that came with the artifact or by --files.
static Str uploads_prefix(Str space, Arena *arena) {
    Str path = str_dup(arena, space);
    for (size_t i = 0; i < path.len; i++) {
        if (path.ptr[i] == '.') *(char *)(uintptr_t)&path.ptr[i] = '/';
    }
    return str_concat(arena, path, STR("/_files"));
}

static Err uploads_open(const HostTask *task, Str space, bool make, Arena *arena, int *out) {
    const Host *host = task->host;
    if (host->storage_root.len == 0) {
        return err_make(ERR_NOT_FOUND, "there is no storage of namespace files here");
    }
    Str path = path_join(arena, host->storage_root, uploads_prefix(space, arena));
    if (make) TRY(dir_make(str_to_c(arena, path), 0700));
    *out = open(str_to_c(arena, path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*out < 0) return err_system("cannot open the files of '" STR_FMT "'", STR_ARG(space));
    return err_none();
}

static int by_path(const void *a, const void *b) {
    return str_cmp(((const Value *)a)->as.text, ((const Value *)b)->as.text);
}

// Both, sorted, each once.
static Value merge_paths(Value own, Value more, Arena *arena) {
    Value all = value_list(arena), out = value_list(arena);
    for (uint32_t i = 0; i < own.as.list->count; i++) {
        value_list_add(arena, all, own.as.list->items[i]);
    }
    for (uint32_t i = 0; i < more.as.list->count; i++) {
        value_list_add(arena, all, more.as.list->items[i]);
    }
    if (all.as.list->count > 1) {
        qsort(all.as.list->items, all.as.list->count, sizeof(Value), by_path);
    }
    for (uint32_t i = 0; i < all.as.list->count; i++) {
        Value item = all.as.list->items[i];
        if (i > 0 && str_eq(item.as.text, all.as.list->items[i - 1].as.text)) continue;
        value_list_add(arena, out, item);
    }
    return out;
}

static Err uploaded_paths(HostTask *task, Str space, Arena *arena, Value *out) {
    int folder = -1;
    *out = value_list(arena);
    Err err = uploads_open(task, space, false, arena, &folder);
    if (err.code != ERR_NONE) return err_none();  // nothing was written
    err = folder_walk(folder, arena, out);
    close(folder);
    return err;
}

static Err given_paths(HostTask *task, Arena *arena, Value *out) {
    const HostOptions *options = &task->host->options;
    if (options->files_folder.len > 0) {
        int folder = -1;
        TRY(open_folder(options->files_folder, arena, &folder));
        Err err = folder_walk(folder, arena, out);
        close(folder);
        return err;
    }
    *out = value_list(arena);
    for (uint32_t i = 0; i < options->artifact->file_count; i++) {
        value_list_add(arena, *out, value_text(options->artifact->files[i].name));
    }
    return err_none();
}

static bool is_own_namespace(const HostTask *task, Str space) {
    return space.len == 0 || str_eq(space, task->host->options.flow_namespace);
}

Err namespace_paths(HostTask *task, Str space, Arena *arena, Value *out) {
    Value uploaded = {0}, given = value_list(arena);
    bool is_own = is_own_namespace(task, space);
    TRY(uploaded_paths(task, is_own ? task->host->options.flow_namespace : space, arena,
                       &uploaded));
    if (is_own) TRY(given_paths(task, arena, &given));
    *out = merge_paths(given, uploaded, arena);
    return err_none();
}

static Err uploaded_file(HostTask *task, Str space, Str path, Arena *arena, Str *text) {
    int folder = -1, fd = -1;
    TRY(uploads_open(task, space, false, arena, &folder));
    Err err = open_beneath(folder, path, O_RDONLY | O_NONBLOCK, 0, &fd);
    close(folder);
    TRY(err);
    err = file_read_fd(fd, str_to_c(arena, path), READ_LIMIT, arena, text);
    close(fd);
    return err;
}

Err namespace_file(HostTask *task, Str space, Str path, Arena *arena, Str *text) {
    const HostOptions *options = &task->host->options;
    while (str_starts_with(path, STR("/"))) path = str_slice(path, 1, path.len);
    bool is_own = is_own_namespace(task, space);
    if (is_own) space = options->flow_namespace;
    if (uploaded_file(task, space, path, arena, text).code == ERR_NONE) return err_none();
    if (!is_own) {
        return err_make(ERR_NOT_FOUND,
                        "there is no file '" STR_FMT "' of namespace '" STR_FMT
                        "' here: an artifact carries those of its own namespace only",
                        STR_ARG(path), STR_ARG(space));
    }
    if (options->files_folder.len > 0) {
        int fd = -1;
        Err err = open_in(options->files_folder, path, arena, &fd);
        if (err.code == ERR_NONE) {
            err = file_read_fd(fd, str_to_c(arena, path), READ_LIMIT, arena, text);
            close(fd);
        }
        return err;
    }
    for (uint32_t i = 0; i < options->artifact->file_count; i++) {
        if (!str_eq(options->artifact->files[i].name, path)) continue;
        *text = options->artifact->files[i].bytes;
        return err_none();
    }
    return err_make(ERR_NOT_FOUND, "there is no namespace file '" STR_FMT "' in the artifact",
                    STR_ARG(path));
}

// --- what modules call --------------------------------------------------------------------------

void tell_object(HostTask *task, Str name) {
    Value description = value_map(&task->call);
    Value files = value_list(&task->call);
    value_list_add(&task->call, files, value_text(name));
    value_map_set(&task->call, description, STR("effect"), value_text(STR("file")));
    value_map_set(&task->call, description, STR("files"), files);
    effect(task, description);
}

static int st_put(lua_State *L) {
    static const char *const known[] = {"file", "text", "name", "extension", NULL};
    HostTask *task = call_begin(L);
    Arena *arena = &task->call;
    Value fields = check_fields(L, 1, arena, "storage.put", known);
    Str file = value_map_get_text(fields, STR("file"), STR(""));
    const Value *text = value_map_get(fields, STR("text"));
    Str name = value_map_get_text(fields, STR("name"), STR(""));
    Str extension = value_map_get_text(fields, STR("extension"), STR(""));
    if ((file.len > 0) == (text != NULL)) {
        return luaL_error(L, "storage.put: exactly one of 'file' and 'text' is needed");
    }
    if (name.len == 0) name = file.len > 0 ? path_name(file) : STR("object");
    if (extension.len > 0 && extension.ptr[0] != '.')
        extension = str_concat(arena, STR("."), extension);
    name = str_concat(arena, name, extension);
    tell_object(task, name);
    Str uri = {0};
    Err err = err_none();
    if (is_planning(task)) {
        uri = str_printf(arena, "<" STR_FMT ".uri>", STR_ARG(task->start.task_id));
    } else if (text != NULL) {
        Str plain = {0};
        err = reveal(task, *text, arena, &plain);
        if (err.code == ERR_NONE) err = store_text(task, plain, name, arena, &uri);
    } else {
        int fd = -1;
        err = workdir_open_file(task, file, O_RDONLY, 0, &fd);
        if (err.code == ERR_NONE) {
            err = store_object(task, fd, name, arena, &uri);
            close(fd);
        }
    }
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    push_str(L, uri);
    return 1;
}

static int st_get(lua_State *L) {
    HostTask *task = call_begin(L);
    Str uri = check_text(L, 1, "URI"), text = {0};
    lua_Integer limit = luaL_optinteger(L, 2, READ_LIMIT);
    int fd = -1;
    Err err = open_uri(task, uri, &fd);
    if (err.code == ERR_NONE) {
        lseek(fd, 0, SEEK_SET);
        size_t most = limit < 0 || limit > READ_LIMIT ? READ_LIMIT : (size_t)limit;
        err = file_read_fd(fd, str_to_c(&task->call, uri), most, &task->call, &text);
        close(fd);
    }
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    push_str(L, text);
    return 1;
}

static int st_open(lua_State *L) {
    HostTask *task = call_begin(L);
    Str path = {0};
    Err err = local_copy(task, check_text(L, 1, "URI"), &task->call, &path);
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    push_str(L, path);
    return 1;
}

static int st_size(lua_State *L) {
    HostTask *task = call_begin(L);
    int fd = -1;
    Err err = open_uri(task, check_text(L, 1, "URI"), &fd);
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    off_t size = lseek(fd, 0, SEEK_END);
    close(fd);
    lua_pushinteger(L, (lua_Integer)size);
    return 1;
}

static int st_delete(lua_State *L) {
    HostTask *task = call_begin(L);
    Str uri = check_text(L, 1, "URI"), folder = {0}, path = {0};
    if (!str_starts_with(uri, STR("kestra://"))) {
        return luaL_error(L, "storage.delete: '%s' is no object of internal storage",
                          lua_tostring(L, 1));
    }
    tell_object(task, uri);
    if (is_planning(task)) {
        lua_pushboolean(L, 1);
        return 1;
    }
    int fd = -1;
    Err err = locate(task, uri, &task->call, &folder, &path);
    if (err.code == ERR_NONE) err = open_in(folder, path, &task->call, &fd);  // it is beneath
    bool was_there = err.code == ERR_NONE;
    if (was_there) {
        close(fd);
        Str whole = path_join(&task->call, folder, path);
        if (unlink(str_to_c(&task->call, whole)) != 0) {
            err = err_system("cannot delete '" STR_FMT "'", STR_ARG(uri));
        }
    }
    if (err.code != ERR_NONE && err.code != ERR_NOT_FOUND)
        return push_failure(L, &err, "permanent");
    lua_pushboolean(L, was_there);
    return 1;
}

// The objects below a prefix of URIs; default: those of this execution.
static int st_list(lua_State *L) {
    HostTask *task = call_begin(L);
    Arena *arena = &task->call;
    Str prefix = lua_isnoneornil(L, 1)
                     ? str_concat(arena, STR("kestra://"), own_prefix(task, arena))
                     : check_text(L, 1, "URI");
    Str folder = {0}, path = {0};
    Value found = {0}, out = value_list(arena);
    if (!str_starts_with(prefix, STR("kestra:///")) || !str_ends_with(prefix, STR("/"))) {
        return luaL_error(L, "storage.list: 'kestra:///…/' is expected");
    }
    Err err = is_planning(task) ? err_make(ERR_NOT_FOUND, "not in a plan")
                                : locate(task, prefix, arena, &folder, &path);
    int base = -1, fd = -1;
    if (err.code == ERR_NONE) err = open_folder(folder, arena, &base);
    if (err.code == ERR_NONE && path.len == 0) path = STR(".");
    if (err.code == ERR_NONE) err = open_beneath(base, path, O_RDONLY | O_DIRECTORY, 0, &fd);
    if (base >= 0) close(base);
    if (err.code == ERR_NONE) err = folder_walk(fd, arena, &found);
    for (uint32_t i = 0; err.code == ERR_NONE && i < found.as.list->count; i++) {
        Str name = found.as.list->items[i].as.text;
        struct stat is = {0};
        if (fstatat(fd, str_to_c(arena, name), &is, AT_SYMLINK_NOFOLLOW) != 0) continue;
        Value object = value_map(arena);
        value_map_set(arena, object, STR("uri"), value_text(str_concat(arena, prefix, name)));
        value_map_set(arena, object, STR("size"), value_int(is.st_size));
        value_map_set(arena, object, STR("modified"),
                      value_int((int64_t)is.st_mtim.tv_sec * 1000 + is.st_mtim.tv_nsec / 1000000));
        value_list_add(arena, out, object);
    }
    if (fd >= 0) close(fd);
    if (err.code != ERR_NONE && err.code != ERR_NOT_FOUND)
        return push_failure(L, &err, "permanent");
    leaf_push_value(L, out);
    return 1;
}

static Str namespace_at(lua_State *L, int index) {
    return lua_isnoneornil(L, index) ? STR("") : check_text(L, index, "namespace");
}

static int ns_list(lua_State *L) {
    HostTask *task = call_begin(L);
    Value globs = check_value(L, 1, &task->call, "globs");
    Value all = {0}, out = value_list(&task->call);
    Err err = namespace_paths(task, namespace_at(L, 2), &task->call, &all);
    for (uint32_t i = 0; err.code == ERR_NONE && i < all.as.list->count; i++) {
        Str path = all.as.list->items[i].as.text;
        bool is_wanted = globs.kind != VALUE_LIST;
        for (uint32_t g = 0; !is_wanted && err.code == ERR_NONE && g < globs.as.list->count; g++) {
            Value glob = globs.as.list->items[g];
            if (glob.kind == VALUE_TEXT)
                err = file_glob_matches(glob.as.text, path, path, &is_wanted);
        }
        if (is_wanted) value_list_add(&task->call, out, all.as.list->items[i]);
    }
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    leaf_push_value(L, out);
    return 1;
}

static int ns_read(lua_State *L) {
    HostTask *task = call_begin(L);
    Str text = {0};
    Err err =
        namespace_file(task, namespace_at(L, 2), check_text(L, 1, "path"), &task->call, &text);
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    push_str(L, text);
    return 1;
}

static Err put_upload(HostTask *task, Str space, Str path, int from, Arena *arena) {
    int folder = -1, fd = -1;
    Str partial = str_concat(arena, path, STR(".part"));
    TRY(uploads_open(task, space, true, arena, &folder));
    Err err = make_parents(folder, path);
    if (err.code == ERR_NONE) {
        err = open_beneath(folder, partial, O_WRONLY | O_CREAT | O_TRUNC, 0600, &fd);
    }
    if (err.code == ERR_NONE) err = copy_all(from, fd, str_to_c(arena, path));
    if (err.code == ERR_NONE) err = sync_object(task, fd, path, arena);
    if (err.code == ERR_NONE &&
        renameat(folder, str_to_c(arena, partial), folder, str_to_c(arena, path)) != 0) {
        err = err_system("cannot write the namespace file '" STR_FMT "'", STR_ARG(path));
    }
    if (fd >= 0) close(fd);
    close(folder);
    return err;
}

// nsfiles.write(path, URI or path in the working directory, namespace?) -> URI
static int ns_write(lua_State *L) {
    HostTask *task = call_begin(L);
    Arena *arena = &task->call;
    Str path = check_text(L, 1, "path"), from = check_text(L, 2, "file");
    Str space = namespace_at(L, 3);
    if (space.len == 0) space = task->host->options.flow_namespace;
    while (str_starts_with(path, STR("/"))) path = str_slice(path, 1, path.len);
    tell_object(task,
                str_printf(arena, "nsfile://" STR_FMT "/" STR_FMT, STR_ARG(space), STR_ARG(path)));
    if (!is_planning(task)) {
        int fd = -1;
        Err err = is_uri(from) ? open_uri(task, from, &fd)
                               : workdir_open_file(task, from, O_RDONLY, 0, &fd);
        if (err.code == ERR_NONE) {
            err = put_upload(task, space, path, fd, arena);
            close(fd);
        }
        if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    }
    push_str(L, str_printf(arena, "kestra:///" STR_FMT "/" STR_FMT,
                           STR_ARG(uploads_prefix(space, arena)), STR_ARG(path)));
    return 1;
}

// nsfiles.delete(path, namespace?) -> true, or false for one that came with the artifact
static int ns_delete(lua_State *L) {
    HostTask *task = call_begin(L);
    Arena *arena = &task->call;
    Str path = check_text(L, 1, "path"), space = namespace_at(L, 2);
    if (space.len == 0) space = task->host->options.flow_namespace;
    while (str_starts_with(path, STR("/"))) path = str_slice(path, 1, path.len);
    tell_object(task,
                str_printf(arena, "nsfile://" STR_FMT "/" STR_FMT, STR_ARG(space), STR_ARG(path)));
    bool was_there = true;
    if (!is_planning(task)) {
        int folder = -1, fd = -1;
        Str above = path_folder(path);
        Err err = uploads_open(task, space, false, arena, &folder);
        was_there =
            err.code == ERR_NONE &&
            open_beneath(folder, above.len == 0 ? STR(".") : above, O_RDONLY | O_DIRECTORY, 0, &fd)
                    .code == ERR_NONE &&
            unlinkat(fd, str_to_c(arena, path_name(path)), 0) == 0;
        if (fd >= 0) close(fd);
        if (folder >= 0) close(folder);
    }
    lua_pushboolean(L, was_there);
    return 1;
}

// storage.localise(text) -> the text with paths of local copies instead of URIs
static int st_localise(lua_State *L) {
    HostTask *task = call_begin(L);
    Str text = {0};
    Err err = localise(task, check_text(L, 1, "text"), &task->call, &text);
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    push_str(L, text);
    return 1;
}

void add_storage_functions(lua_State *L) {
    static const luaL_Reg storage[] = {
        {"put",      st_put     },
        {"get",      st_get     },
        {"open",     st_open    },
        {"size",     st_size    },
        {"delete",   st_delete  },
        {"localise", st_localise},
        {"reader",   api_reader },
        {"writer",   api_writer },
        {"list",     st_list    },
        {NULL,       NULL       }
    };
    static const luaL_Reg nsfiles[] = {
        {"list",   ns_list  },
        {"read",   ns_read  },
        {"write",  ns_write },
        {"delete", ns_delete},
        {NULL,     NULL     }
    };
    open_streams(L);
    add_table(L, "storage", storage);
    add_table(L, "nsfiles", nsfiles);
}
