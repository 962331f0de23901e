// storage.c - objects: kestra:///… of internal storage, file:///… of allowed paths, nsfile:///… of
// the namespace.
//
// An object is written to a name of its own, synced and then renamed, so that a URI that is visible
// always leads to the whole of it.
#include "host/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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
    } else if (str_starts_with(uri, STR("nsfile:///"))) {
        err = namespace_file(task, str_slice(uri, 10, uri.len), &arena, &text);
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

static Str object_name(Str name, Arena *arena) {
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

static Err write_object(HostTask *task, int folder, int from, Str path, Arena *arena) {
    Str partial = str_concat(arena, path, STR(".part"));
    int fd = -1;
    TRY(make_parents(folder, path));
    TRY(open_beneath(folder, partial, O_WRONLY | O_CREAT | O_TRUNC, 0600, &fd));
    Err err = copy_all(from, fd, str_to_c(arena, path));
    if (err.code == ERR_NONE) err = sync_object(task, fd, path, arena);
    close(fd);
    TRY(err);
    if (renameat(folder, str_to_c(arena, partial), folder, str_to_c(arena, path)) != 0) {
        return err_system("cannot keep the object '" STR_FMT "'", STR_ARG(path));
    }
    TRY(open_beneath(folder, path_folder(path), O_RDONLY | O_DIRECTORY, 0, &fd));
    err = sync_object(task, fd, path_folder(path), arena);
    close(fd);
    return err;
}

Err store_object(HostTask *task, int from, Str name, Arena *arena, Str *uri) {
    const HostOptions *options = &task->host->options;
    Str run = task->start.run_id.len > 0 ? task->start.run_id : STR("run");
    Str id = task->start.task_id.len > 0 ? task->start.task_id : STR("task");
    Str path = str_printf(arena, "tasks/" STR_FMT "/" STR_FMT "/" STR_FMT, STR_ARG(id),
                          STR_ARG(run), STR_ARG(object_name(name, arena)));
    int folder = -1;
    TRY(dir_make(str_to_c(arena, options->storage_folder), 0700));
    TRY(open_folder(options->storage_folder, arena, &folder));
    Err err = write_object(task, folder, from, path, arena);
    close(folder);
    TRY(err);
    *uri = str_printf(arena, "kestra://" STR_FMT STR_FMT, STR_ARG(own_prefix(task, arena)),
                      STR_ARG(path));
    return err_none();
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

Err namespace_paths(HostTask *task, Arena *arena, Value *out) {
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

Err namespace_file(HostTask *task, Str path, Arena *arena, Str *text) {
    const HostOptions *options = &task->host->options;
    while (str_starts_with(path, STR("/"))) path = str_slice(path, 1, path.len);
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

static void tell_object(HostTask *task, Str name) {
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

static int ns_list(lua_State *L) {
    HostTask *task = call_begin(L);
    Value globs = check_value(L, 1, &task->call, "globs");
    Value all = {0}, out = value_list(&task->call);
    Err err = namespace_paths(task, &task->call, &all);
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
    Err err = namespace_file(task, check_text(L, 1, "path"), &task->call, &text);
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    push_str(L, text);
    return 1;
}

void add_storage_functions(lua_State *L) {
    static const luaL_Reg storage[] = {
        {"put",    st_put   },
        {"get",    st_get   },
        {"open",   st_open  },
        {"size",   st_size  },
        {"delete", st_delete},
        {NULL,     NULL     }
    };
    static const luaL_Reg nsfiles[] = {
        {"list", ns_list},
        {"read", ns_read},
        {NULL,   NULL   }
    };
    add_table(L, "storage", storage);
    add_table(L, "nsfiles", nsfiles);
}
