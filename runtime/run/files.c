// files.c - files by their URI: internal storage of the execution, namespace files, allowed paths.
//
// `kestra:///<namespace as path>/<flow>/executions/<id>/<name>` is that path below files/ of the
// state directory; a path never leaves its folder.
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/file.h"
#include "run/driver.h"

enum { FILE_MAX = 64 << 20 };

// No empty, `.` or `..` part: stays below its folder.
static bool is_below(Str path) {
    Str part = {0};
    if (path.len == 0) return false;
    while (str_split(&path, '/', &part)) {
        if (part.len == 0 || str_eq(part, STR(".")) || str_eq(part, STR(".."))) return false;
    }
    return true;
}

// Of the execution, below files/.
static Str storage_path(const Execution *execution, Arena *arena) {
    const Plan *plan = &execution->artifact->plan;
    Str space = str_dup(arena, plan_text(plan, plan->flow.flow_namespace));
    for (size_t i = 0; i < space.len; i++) {
        if (space.ptr[i] == '.') *(char *)(uintptr_t)&space.ptr[i] = '/';
    }
    return str_printf(arena, STR_FMT "/" STR_FMT "/executions/" STR_FMT, STR_ARG(space),
                      STR_ARG(plan_text(plan, plan->flow.id)), STR_ARG(execution->id));
}

static Str storage_root(const Execution *execution, Arena *arena) {
    return path_join(arena, str_from(store_folder(execution->runtime->store)), STR("files"));
}

Str files_folder(const Execution *execution, Arena *arena) {
    return path_join(arena, storage_root(execution, arena), storage_path(execution, arena));
}

static Str namespace_folder(const Execution *execution, Arena *arena) {
    const Plan *plan = &execution->artifact->plan;
    Str space = str_dup(arena, plan_text(plan, plan->flow.flow_namespace));
    for (size_t i = 0; i < space.len; i++) {
        if (space.ptr[i] == '.') *(char *)(uintptr_t)&space.ptr[i] = '/';
    }
    return path_join(arena, storage_root(execution, arena), space);
}

static bool read_at(Str path, Arena *arena, Str *text) {
    Err err = file_read(str_to_c(arena, path), FILE_MAX, arena, text);
    return err.code == ERR_NONE;
}

static bool find_namespace_file(const Execution *execution, Str name, Arena *arena, Str *text) {
    if (str_starts_with(name, STR("/"))) name = str_slice(name, 1, name.len);
    if (!is_below(name)) return false;
    Str uploads = path_join(arena, namespace_folder(execution, arena), STR("_files"));
    if (read_at(path_join(arena, uploads, name), arena, text)) return true;
    const char *folder = execution->runtime->options.files_folder;
    if (folder != NULL && read_at(path_join(arena, str_from(folder), name), arena, text)) {
        return true;
    }
    const Artifact *artifact = execution->artifact;
    for (uint32_t i = 0; i < artifact->file_count; i++) {
        if (!str_eq(artifact->files[i].name, name)) continue;
        *text = artifact->files[i].bytes;
        return true;
    }
    return false;
}

static bool find_allowed(const Execution *execution, Str path, Arena *arena, Str *text) {
    const RunConfig *config = &execution->runtime->config;
    for (uint32_t i = 0; i < config->allowed_path_count; i++) {
        Str allowed = config->allowed_paths[i];
        bool is_inside = str_starts_with(path, allowed) &&
                         (path.len == allowed.len || path.ptr[allowed.len] == '/' ||
                          str_ends_with(allowed, STR("/")));
        if (!is_inside || !is_below(str_slice(path, 1, path.len))) continue;
        return read_at(path, arena, text);
    }
    return false;
}

bool files_find(const Execution *execution, Str path, Arena *arena, Str *text) {
    static const Str storage = {"kestra:///", 10};
    static const Str names = {"nsfile:///", 10};
    static const Str files = {"file:///", 8};
    if (str_starts_with(path, storage)) {
        Str below = str_slice(path, storage.len, path.len);
        if (!is_below(below)) return false;
        return read_at(path_join(arena, storage_root(execution, arena), below), arena, text);
    }
    if (str_starts_with(path, names)) {
        return find_namespace_file(execution, str_slice(path, names.len, path.len), arena, text);
    }
    if (str_starts_with(path, files)) {
        return find_allowed(execution, str_slice(path, files.len - 1, path.len), arena, text);
    }
    return find_namespace_file(execution, path, arena, text);
}

static bool is_there(const Execution *execution, Str uri) {
    static const Str storage = {"kestra:///", 10};
    if (!str_starts_with(uri, storage)) return true;
    Arena scratch = {0};
    Str below = str_slice(uri, storage.len, uri.len);
    Str path = path_join(&scratch, storage_root(execution, &scratch), below);
    bool exists = path_exists(str_to_c(&scratch, path));
    arena_release(&scratch);
    return exists;
}

bool files_are_there(const Execution *execution, Value value) {
    if (value.kind == VALUE_TEXT) return is_there(execution, value.as.text);
    if (value.kind == VALUE_LIST) {
        for (uint32_t i = 0; i < value.as.list->count; i++) {
            if (!files_are_there(execution, value.as.list->items[i])) return false;
        }
    } else if (value.kind == VALUE_MAP) {
        for (uint32_t i = 0; i < value.as.map->count; i++) {
            if (!files_are_there(execution, value.as.map->members[i].value)) return false;
        }
    }
    return true;
}

// A path that is free: name, then a part in front of it that makes it so.
static Err place_for(const Execution *execution, Str name, Arena *arena, Str *path, Str *uri) {
    if (!is_below(name)) return err_make(ERR_INPUT, "'" STR_FMT "' is no file name", STR_ARG(name));
    Str folder = files_folder(execution, arena);
    Str below = name;
    for (int i = 1; i < 1000; i++) {
        *path = path_join(arena, folder, below);
        if (!path_exists(path->ptr)) {
            *uri = str_printf(arena, "kestra:///" STR_FMT "/" STR_FMT,
                              STR_ARG(storage_path(execution, arena)), STR_ARG(below));
            return dir_make(str_to_c(arena, path_folder(*path)), 0700);
        }
        below = str_printf(arena, "%d/" STR_FMT, i, STR_ARG(name));
    }
    return err_make(ERR_LIMIT, "too many files named '" STR_FMT "'", STR_ARG(name));
}

static Err copy(int from, int to) {
    char chunk[16384];
    for (;;) {
        ssize_t got = read(from, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return err_system("cannot read");
        if (got == 0) return err_none();
        TRY(file_write_fd(to, (Str){chunk, (size_t)got}));
    }
}

Err files_put(const Execution *execution, Str name, Str source, Arena *arena, Str *uri) {
    Str path = {0};
    const char *from_path = str_to_c(arena, source);
    int from = open(from_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (from < 0) return err_system("cannot open '%s'", from_path);
    struct stat status;
    Err err = err_none();
    int to = -1;
    if (fstat(from, &status) != 0 || !S_ISREG(status.st_mode)) {
        err = err_make(ERR_INPUT, "'%s' is not a file", from_path);
        goto done;
    }
    err = place_for(execution, name, arena, &path, uri);
    if (err.code != ERR_NONE) goto done;
    to = open(path.ptr, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (to < 0) {
        err = err_system("cannot write '" STR_FMT "'", STR_ARG(path));
        goto done;
    }
    err = copy(from, to);
    if (err.code == ERR_NONE) err = store_sync_fd(execution->runtime->store, to, "file");

done:
    if (to >= 0) close(to);
    close(from);
    return err;
}

Err files_write(const Execution *execution, Str name, Str text, Arena *arena, Str *uri) {
    Str path = {0};
    TRY(place_for(execution, name, arena, &path, uri));
    return file_write(path.ptr, text, 0600);
}
