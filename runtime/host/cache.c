// cache.c - what a WorkingDirectory keeps for its next run: files that match, by task and loop
// value.
//
// Kept as plain files in internal storage, below _cache of the flow. A cache is written as a whole
// under another name and put in the place of the old one, so a run that dies leaves the old one. It
// is written only where a file that matches was added, taken away or changed.
#include "host/internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/crypto.h"
#include "base/file.h"
#include "value/time.h"

// The folder of a task's cache; empty where there is no storage.
static Str cache_folder(const HostTask *task, Str id, Str value, Arena *arena) {
    const Host *host = task->host;
    if (host->storage_root.len == 0) return (Str){0};
    Str space = str_dup(arena, host->options.flow_namespace);
    for (size_t i = 0; i < space.len; i++) {
        if (space.ptr[i] == '.') *(char *)(uintptr_t)&space.ptr[i] = '/';
    }
    Buffer name = {0};
    if (value.len > 0) {
        Hash128 hash = hash128_bytes(value);
        buffer_add_char(&name, '-');
        hex_encode(&name, hash.bytes, sizeof hash.bytes);
    }
    Str out = str_printf(arena, STR_FMT "/" STR_FMT "/" STR_FMT "/_cache/" STR_FMT STR_FMT,
                         STR_ARG(host->storage_root), STR_ARG(space),
                         STR_ARG(host->options.flow_id), STR_ARG(id), STR_ARG(buffer_str(&name)));
    buffer_release(&name);
    return out;
}

static bool is_too_old(HostTask *task, int folder, Value cache) {
    const Value *ttl = value_map_get(cache, STR("ttl"));
    int64_t nanoseconds = 0;
    struct stat is = {0};
    if (ttl == NULL || ttl->kind != VALUE_TEXT || fstat(folder, &is) != 0) return false;
    if (duration_parse(ttl->as.text, true, &nanoseconds).code != ERR_NONE) return false;
    const Clock *clock = task->host->options.clock;
    int64_t written = (int64_t)is.st_mtim.tv_sec * 1000 + is.st_mtim.tv_nsec / 1000000;
    return clock->wall_ms(clock->self) - written > nanoseconds / 1000000;
}

// With the rights to execute that the file had, and its time, by which a change is seen.
static Err copy_file(int from, int to, const char *name) {
    struct stat is = {0};
    TRY(copy_all(from, to, name));
    if (fstat(from, &is) != 0) return err_system("cannot read '%s'", name);
    struct timespec times[2] = {is.st_mtim, is.st_mtim};
    if (fchmod(to, (is.st_mode & 0111) != 0 ? 0755 : 0644) != 0 || futimens(to, times) != 0) {
        return err_system("cannot write '%s'", name);
    }
    return err_none();
}

static Err restore_file(HostTask *task, int folder, Str path, Arena *arena) {
    int from = -1, to = -1;
    TRY(open_beneath(folder, path, O_RDONLY | O_NONBLOCK, 0, &from));
    Err err = workdir_open_file(task, path, O_WRONLY | O_CREAT | O_TRUNC, 0644, &to);
    if (err.code == ERR_NONE) {
        err = copy_file(from, to, str_to_c(arena, path));
        close(to);
    }
    close(from);
    return err;
}

Err cache_restore(HostTask *task, Str id, Str value, Value cache, Arena *arena) {
    Str place = cache_folder(task, id, value, arena);
    if (place.len == 0 || is_planning(task)) return err_none();
    int folder = open(place.ptr, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return err_none();  // the first run
    Value paths = value_list(arena);
    Err err = err_none();
    bool is_old = is_too_old(task, folder, cache);
    if (!is_old) err = folder_walk(folder, arena, &paths);
    for (uint32_t i = 0; err.code == ERR_NONE && i < paths.as.list->count; i++) {
        err = restore_file(task, folder, paths.as.list->items[i].as.text, arena);
    }
    close(folder);
    if (err.code == ERR_NONE && !is_old) {
        host_task_log(task, LOG_INFO,
                      str_printf(arena, "%u files are taken from the cache", paths.as.list->count));
    }
    return err.code == ERR_NONE ? err : err_wrap(err, "the cache of '" STR_FMT "'", STR_ARG(id));
}

// The files that match, of a folder.
static Err matching(const HostTask *task, Value patterns, Arena *arena, Value *out) {
    Value all = {0};
    *out = value_list(arena);
    TRY(folder_walk(task->workdir_fd, arena, &all));
    for (uint32_t i = 0; i < all.as.list->count; i++) {
        Str path = all.as.list->items[i].as.text;
        bool is_match = false;
        for (uint32_t p = 0; p < patterns.as.list->count && !is_match; p++) {
            Value pattern = patterns.as.list->items[p];
            if (pattern.kind != VALUE_TEXT) continue;
            Str absolute = path_join(arena, task->workdir, path);
            TRY(file_glob_matches(pattern.as.text, path, absolute, &is_match));
        }
        if (is_match) value_list_add(arena, *out, all.as.list->items[i]);
    }
    return err_none();
}

static bool is_same(int a, int b, const char *path) {
    struct stat left = {0}, right = {0};
    return fstatat(a, path, &left, AT_SYMLINK_NOFOLLOW) == 0 &&
           fstatat(b, path, &right, AT_SYMLINK_NOFOLLOW) == 0 && left.st_size == right.st_size &&
           left.st_mtim.tv_sec == right.st_mtim.tv_sec &&
           left.st_mtim.tv_nsec == right.st_mtim.tv_nsec;
}

static bool has_changed(const HostTask *task, Str place, Value wanted, Arena *arena) {
    int folder = open(place.ptr, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return wanted.as.list->count > 0;
    Value kept = {0};
    bool is_changed = folder_walk(folder, arena, &kept).code != ERR_NONE ||
                      kept.as.list->count != wanted.as.list->count;
    for (uint32_t i = 0; !is_changed && i < wanted.as.list->count; i++) {
        Str path = wanted.as.list->items[i].as.text;
        is_changed = !str_eq(path, kept.as.list->items[i].as.text) ||
                     !is_same(task->workdir_fd, folder, str_to_c(arena, path));
    }
    close(folder);
    return is_changed;
}

static Err write_file(HostTask *task, int folder, Str path, Arena *arena) {
    int from = -1, to = -1;
    TRY(workdir_open_file(task, path, O_RDONLY, 0, &from));
    Err err = make_parents(folder, path);
    if (err.code == ERR_NONE) {
        err = open_beneath(folder, path, O_WRONLY | O_CREAT | O_TRUNC, 0644, &to);
    }
    if (err.code == ERR_NONE) {
        err = copy_file(from, to, str_to_c(arena, path));
        close(to);
    }
    close(from);
    return err;
}

static Err replace(HostTask *task, Str place, Value wanted, Arena *arena) {
    const char *partial = str_to_c(arena, str_concat(arena, place, STR(".part")));
    TRY(dir_remove(partial));
    TRY(dir_make(partial, 0700));
    int folder = open(partial, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return err_system("cannot open '%s'", partial);
    Err err = err_none();
    for (uint32_t i = 0; err.code == ERR_NONE && i < wanted.as.list->count; i++) {
        err = write_file(task, folder, wanted.as.list->items[i].as.text, arena);
    }
    // The folder's own time says when the cache was written.
    if (err.code == ERR_NONE && futimens(folder, NULL) != 0) err = err_system("cannot write");
    close(folder);
    if (err.code == ERR_NONE) err = dir_remove(place.ptr);
    if (err.code == ERR_NONE && rename(partial, place.ptr) != 0) {
        err = err_system("cannot keep '" STR_FMT "'", STR_ARG(place));
    }
    return err;
}

Err cache_save(HostTask *task, Str id, Str value, Value cache, Arena *arena) {
    Str place = cache_folder(task, id, value, arena);
    const Value *patterns = value_map_get(cache, STR("patterns"));
    if (place.len == 0 || is_planning(task) || patterns == NULL || patterns->kind != VALUE_LIST) {
        return err_none();
    }
    Value wanted = {0};
    TRY(workdir_open(task));
    TRY(matching(task, *patterns, arena, &wanted));
    if (!has_changed(task, place, wanted, arena)) return err_none();
    return replace(task, place, wanted, arena);
}
