// files.c - the working directory of a task: every path stays beneath it.
//
// The kernel decides (openat2 with RESOLVE_BENEATH), so neither `..` nor a link that a child has
// made leads out, also not between check and use.
#include "host/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/file.h"

enum { WALK_DEPTH_MAX = 64, WALK_FILES_MAX = 100000 };

#define COPIES_FOLDER ".storage"  // of local copies of objects; never an output

// --- beneath a folder ---------------------------------------------------------------------------

static Err check_path(Str path) {
    Str rest = path, part = {0};
    if (path.len == 0) return err_make(ERR_INPUT, "a path is empty");
    if (path.len > 4000 || str_find_char(path, '\0', 0) != STR_NOT_FOUND) {
        return err_make(ERR_INPUT, "a path is too long or has a NUL byte in it");
    }
    while (str_split(&rest, '/', &part)) {
        if (str_eq(part, STR(".."))) {
            return err_make(ERR_INPUT,
                            "the path '" STR_FMT "' leaves its folder: give one without '..'",
                            STR_ARG(path));
        }
    }
    return err_none();
}

Err open_beneath(int folder, Str path, int flags, mode_t mode, int *out) {
    TRY(check_path(path));
    char name[4001];
    memcpy(name, path.ptr, path.len);
    name[path.len] = '\0';
    struct open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC | ((flags & O_PATH) == 0 ? O_NOCTTY : 0)),
        .mode = (flags & O_CREAT) != 0 ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    int fd = -1;
    do {
        fd = (int)syscall(SYS_openat2, folder, name, &how, sizeof how);
    } while (fd < 0 && (errno == EINTR || errno == EAGAIN));
    if (fd >= 0) {
        *out = fd;
        return err_none();
    }
    if (errno == EXDEV) {
        return err_make(ERR_INPUT,
                        "the path '" STR_FMT "' leaves its folder: it leads through a link to "
                        "somewhere else",
                        STR_ARG(path));
    }
    if (errno == ENOSYS) {
        return err_make(ERR_UNSUPPORTED, "this kernel cannot confine paths (Linux 5.6 is needed)");
    }
    return err_system("cannot open '" STR_FMT "'", STR_ARG(path));
}

Err make_parents(int folder, Str path) {
    for (size_t slash = str_find_char(path, '/', 0); slash != STR_NOT_FOUND;
         slash = str_find_char(path, '/', slash + 1)) {
        Str prefix = str_slice(path, 0, slash);
        if (prefix.len == 0 || prefix.ptr[prefix.len - 1] == '/') continue;
        int fd = -1;
        Err err = open_beneath(folder, prefix, O_PATH | O_DIRECTORY, 0, &fd);
        if (err.code == ERR_NONE) {
            close(fd);
            continue;
        }
        if (err.code != ERR_NOT_FOUND) return err;
        Str above = path_folder(prefix);
        TRY(open_beneath(folder, above.len == 0 ? STR(".") : above, O_PATH | O_DIRECTORY, 0, &fd));
        Str name = path_name(prefix);
        char text[256];
        if (name.len >= sizeof text) {
            close(fd);
            return err_make(ERR_INPUT, "a name in the path '" STR_FMT "' is too long",
                            STR_ARG(path));
        }
        memcpy(text, name.ptr, name.len);
        text[name.len] = '\0';
        if (mkdirat(fd, text, 0777) != 0 && errno != EEXIST) {
            err = err_system("cannot make the folder '" STR_FMT "'", STR_ARG(prefix));
            close(fd);
            return err;
        }
        close(fd);
    }
    return err_none();
}

Err copy_all(int from, int to, const char *name) {
    char chunk[64 << 10];
    off_t at = 0;
    for (;;) {
        ssize_t got = pread(from, chunk, sizeof chunk, at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return err_system("cannot read '%s'", name);
        if (got == 0) return err_none();
        TRY(file_write_fd(to, (Str){chunk, (size_t)got}));
        at += got;
    }
}

// --- walking ------------------------------------------------------------------------------------

typedef struct Walk {
    Arena *arena;
    Value found;
} Walk;

static Err walk(Walk *at, int fd, Str prefix, int depth);

static Err walk_entry(Walk *at, int fd, const char *name, Str prefix, int depth) {
    struct stat is = {0};
    if (fstatat(fd, name, &is, AT_SYMLINK_NOFOLLOW) != 0) return err_none();  // gone again
    Str path = prefix.len == 0 ? str_dup(at->arena, str_from(name))
                               : str_printf(at->arena, STR_FMT "/%s", STR_ARG(prefix), name);
    if (S_ISREG(is.st_mode)) {
        if (at->found.as.list->count >= WALK_FILES_MAX) {
            return err_make(ERR_LIMIT, "the folder has more than %d files", WALK_FILES_MAX);
        }
        value_list_add(at->arena, at->found, value_text(path));
        return err_none();
    }
    if (!S_ISDIR(is.st_mode)) return err_none();
    if (depth >= WALK_DEPTH_MAX) {
        return err_make(ERR_LIMIT, "folders are nested more than %d deep", WALK_DEPTH_MAX);
    }
    int below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (below < 0) return err_none();
    return walk(at, below, path, depth + 1);
}

// Takes `fd`.
static Err walk(Walk *at, int fd, Str prefix, int depth) {
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        Err err = err_system("cannot read a folder");
        close(fd);
        return err;
    }
    Err err = err_none();
    const struct dirent *entry = NULL;
    while (err.code == ERR_NONE && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (depth == 0 && strcmp(entry->d_name, COPIES_FOLDER) == 0) continue;
        err = walk_entry(at, fd, entry->d_name, prefix, depth);
    }
    closedir(dir);
    return err;
}

static int by_text(const void *a, const void *b) {
    return str_cmp(((const Value *)a)->as.text, ((const Value *)b)->as.text);
}

Err folder_walk(int folder, Arena *arena, Value *out) {
    Walk at = {.arena = arena, .found = value_list(arena)};
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return err_system("cannot read a folder");
    TRY(walk(&at, fd, (Str){0}, 0));
    if (at.found.as.list->count > 1) {
        qsort(at.found.as.list->items, at.found.as.list->count, sizeof(Value), by_text);
    }
    *out = at.found;
    return err_none();
}

// --- the working directory ----------------------------------------------------------------------

// --- the folder itself --------------------------------------------------------------------------
//
// To make and remove a folder costs some file systems more than everything else a small task does.
// One that was left empty and as it was made is kept, and renamed for the next task.

static bool is_empty(int fd) {
    enum { DIRENT_BYTES = 1024 };
    alignas(struct dirent64) char bytes[DIRENT_BYTES];
    if (lseek(fd, 0, SEEK_SET) != 0) return false;
    long got = syscall(SYS_getdents64, fd, bytes, sizeof bytes);
    uint32_t count = 0;
    for (long at = 0; at < got; count++) {
        at += ((const struct dirent64 *)(const void *)(bytes + at))->d_reclen;
    }
    return count == 2;  // `.` and `..`
}

// A child may have put something else in the place of its folder, or given it other rights.
static bool is_as_made(int fd, const char *name) {
    struct stat held = {0}, named = {0};
    if (fstat(fd, &held) != 0 || lstat(name, &named) != 0) return false;
    bool is_same = held.st_dev == named.st_dev && held.st_ino == named.st_ino;
    return is_same && (held.st_mode & 07777) == 0700 && held.st_uid == geteuid() &&
           flistxattr(fd, NULL, 0) <= 0 && is_empty(fd);
}

static bool make_own(Host *host, const char *name) {
    bool is_made = host->spare_folder != NULL && rename(host->spare_folder, name) == 0;
    if (!is_made) workdir_drop_spare(host);
    heap_free(host->spare_folder);
    host->spare_folder = NULL;
    return is_made || mkdir(name, 0700) == 0;
}

Err workdir_open(HostTask *task) {
    if (task->workdir_fd >= 0) return err_none();
    const HostOptions *options = &task->host->options;
    Arena *arena = &task->arena;
    Str path = task->start.workdir;
    bool is_own = path.len == 0;
    if (is_own) {
        Str id = task->start.run_id.len > 0 ? task->start.run_id : task->start.task_id;
        path = path_join(arena, options->work_folder, id.len > 0 ? id : STR("task"));
    }
    const char *name = str_to_c(arena, path);
    if (!is_own || task->goes_on || !make_own(task->host, name)) {
        // Of an attempt that a crash has ended.
        if (is_own && !task->goes_on) TRY(dir_remove(name));
        TRY(dir_make(name, 0700));
    }
    int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (is_own ? O_NOFOLLOW : 0));
    if (fd < 0) {
        return err_system("cannot open the working directory '" STR_FMT "'", STR_ARG(path));
    }
    task->workdir_fd = fd;
    task->workdir = str_dup(arena, path);
    return err_none();
}

void workdir_close(HostTask *task) {
    if (task->workdir_fd < 0) return;
    Host *host = task->host;
    bool is_own = task->start.workdir.len == 0 && task->kept.len == 0;
    const char *name = str_to_c(&task->arena, task->workdir);
    bool is_kept = is_own && host->spare_folder == NULL && is_as_made(task->workdir_fd, name);
    close(task->workdir_fd);
    task->workdir_fd = -1;
    if (is_kept) {
        host->spare_folder = heap_dup(name, strlen(name));
        return;
    }
    if (!is_own) return;
    Err err = dir_remove(name);
    if (err.code != ERR_NONE && !task->is_over) host_task_log(task, LOG_WARN, str_from(err.text));
}

void workdir_drop_spare(Host *host) {
    if (host->spare_folder != NULL) rmdir(host->spare_folder);
    heap_free(host->spare_folder);
    host->spare_folder = NULL;
}

// A path as given by a flow: relative, or absolute and within.
static Err relative(const HostTask *task, Str path, Str *out) {
    *out = path;
    if (path.len == 0 || path.ptr[0] != '/') return err_none();
    Str folder = task->workdir;
    if (str_starts_with(path, folder) && path.len > folder.len && path.ptr[folder.len] == '/') {
        *out = str_slice(path, folder.len + 1, path.len);
        return err_none();
    }
    return err_make(ERR_INPUT,
                    "the path '" STR_FMT "' is outside of the working directory: give one that is "
                    "relative to it",
                    STR_ARG(path));
}

Err workdir_open_file(HostTask *task, Str path, int flags, mode_t mode, int *out) {
    Str inner = {0};
    TRY(workdir_open(task));
    TRY(relative(task, path, &inner));
    TRY(check_path(inner));
    if ((flags & O_CREAT) != 0) TRY(make_parents(task->workdir_fd, inner));
    // Opening a FIFO must not wait for its other end.
    bool is_plain = (flags & (O_PATH | O_DIRECTORY)) == 0;
    int fd = -1;
    TRY(open_beneath(task->workdir_fd, inner, is_plain ? flags | O_NONBLOCK : flags, mode, &fd));
    struct stat is = {0};
    if (is_plain && (fstat(fd, &is) != 0 || !S_ISREG(is.st_mode))) {
        close(fd);
        return err_make(ERR_INPUT, "'" STR_FMT "' is not a file", STR_ARG(path));
    }
    *out = fd;
    return err_none();
}

Err workdir_write(HostTask *task, Str path, Str text, mode_t mode) {
    int fd = -1;
    TRY(workdir_open_file(task, path, O_WRONLY | O_CREAT | O_TRUNC, mode, &fd));
    Err err = file_write_fd(fd, text);
    close(fd);
    return err;
}

Err workdir_copy(HostTask *task, int from, Str path) {
    int fd = -1;
    TRY(workdir_open_file(task, path, O_WRONLY | O_CREAT | O_TRUNC, 0666, &fd));
    Err err = copy_all(from, fd, str_to_c(&task->call, path));
    close(fd);
    return err;
}

Err workdir_read(HostTask *task, Str path, size_t limit, Arena *arena, Str *out) {
    int fd = -1;
    TRY(workdir_open_file(task, path, O_RDONLY, 0, &fd));
    Err err = file_read_fd(fd, str_to_c(arena, path), limit, arena, out);
    close(fd);
    return err;
}

Err workdir_walk(HostTask *task, Arena *arena, Value *out) {
    TRY(workdir_open(task));
    return folder_walk(task->workdir_fd, arena, out);
}

// --- what modules call --------------------------------------------------------------------------

static void tell_file(HostTask *task, Str path) {
    Value description = value_map(&task->call);
    Value files = value_list(&task->call);
    value_list_add(&task->call, files, value_text(path));
    value_map_set(&task->call, description, STR("effect"), value_text(STR("file")));
    value_map_set(&task->call, description, STR("files"), files);
    effect(task, description);  // in a plan, too: the folder is a temporary one
}

static int done(lua_State *L, const Err *err) {
    if (err->code != ERR_NONE) return push_failure(L, err, "permanent");
    lua_pushboolean(L, 1);
    return 1;
}

static int wd_path(lua_State *L) {
    HostTask *task = call_begin(L);
    Err err = workdir_open(task);
    if (err.code != ERR_NONE) return luaL_error(L, "%s", err.text);
    push_str(L, task->workdir);
    return 1;
}

static bool file_is_there(HostTask *task, Str path) {
    int fd = -1;
    Err err = workdir_open_file(task, path, O_PATH, 0, &fd);
    if (err.code == ERR_NONE) close(fd);
    return err.code == ERR_NONE;
}

static int wd_write(lua_State *L) {
    static const char *const known[] = {"mode", "if_exists", "localise", NULL};
    HostTask *task = call_begin(L);
    Str path = check_text(L, 1, "path");
    Value text = check_value(L, 2, &task->call, "text");
    Value options = lua_isnoneornil(L, 3) ? value_map(&task->call)
                                          : check_fields(L, 3, &task->call, "write", known);
    Str if_exists = value_map_get_text(options, STR("if_exists"), STR("OVERWRITE"));
    int64_t mode = value_map_get_int(options, STR("mode"), value_has_secret(text) ? 0600 : 0666);
    if (!str_eq(if_exists, STR("OVERWRITE")) && file_is_there(task, path)) {
        Err err = err_none();
        if (str_eq(if_exists, STR("FAIL"))) {
            err = err_make(ERR_CONFLICT, "the file '" STR_FMT "' is there already", STR_ARG(path));
        } else if (str_eq(if_exists, STR("WARN"))) {
            host_task_log(task, LOG_WARN,
                          str_printf(&task->call,
                                     "the file '" STR_FMT "' is there already and is kept",
                                     STR_ARG(path)));
        }
        return done(L, &err);
    }
    tell_file(task, path);
    Str plain = {0};
    Err err = reveal(task, text, &task->call, &plain);
    if (err.code == ERR_NONE && value_map_get_bool(options, STR("localise"), false)) {
        err = localise(task, plain, &task->call, &plain);
    }
    if (err.code == ERR_NONE) err = workdir_write(task, path, plain, (mode_t)(mode & 0777));
    return done(L, &err);
}

static size_t limit_at(lua_State *L, int index) {
    lua_Integer limit = luaL_optinteger(L, index, READ_LIMIT);
    return limit < 0 || limit > READ_LIMIT ? READ_LIMIT : (size_t)limit;
}

static int wd_read(lua_State *L) {
    HostTask *task = call_begin(L);
    Str text = {0};
    Err err = workdir_read(task, check_text(L, 1, "path"), limit_at(L, 2), &task->call, &text);
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    push_str(L, text);
    return 1;
}

static int wd_size(lua_State *L) {
    HostTask *task = call_begin(L);
    int fd = -1;
    Err err = workdir_open_file(task, check_text(L, 1, "path"), O_RDONLY, 0, &fd);
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    off_t size = lseek(fd, 0, SEEK_END);
    close(fd);
    lua_pushinteger(L, (lua_Integer)size);
    return 1;
}

static int wd_exists(lua_State *L) {
    HostTask *task = call_begin(L);
    int fd = -1;
    struct stat is = {0};
    Err err = workdir_open_file(task, check_text(L, 1, "path"), O_PATH, 0, &fd);
    bool is_there = err.code == ERR_NONE && fstat(fd, &is) == 0;
    if (err.code == ERR_NONE) close(fd);
    if (is_there && S_ISREG(is.st_mode)) {
        lua_pushliteral(L, "file");
    } else if (is_there && S_ISDIR(is.st_mode)) {
        lua_pushliteral(L, "dir");
    } else {
        lua_pushnil(L);
    }
    return 1;
}

static int wd_make(lua_State *L) {
    HostTask *task = call_begin(L);
    Str path = check_text(L, 1, "path"), inner = {0};
    Err err = workdir_open(task);
    if (err.code == ERR_NONE) err = relative(task, path, &inner);
    if (err.code == ERR_NONE) err = check_path(inner);
    if (err.code == ERR_NONE) {
        err = make_parents(task->workdir_fd, str_concat(&task->call, inner, STR("/")));
    }
    return done(L, &err);
}

static int wd_remove(lua_State *L) {
    HostTask *task = call_begin(L);
    Str path = check_text(L, 1, "path"), inner = {0};
    int fd = -1;
    Err err = workdir_open(task);
    if (err.code == ERR_NONE) err = relative(task, path, &inner);
    Str above = path_folder(inner);
    if (err.code == ERR_NONE) {
        err = open_beneath(task->workdir_fd, above.len == 0 ? STR(".") : above,
                           O_RDONLY | O_DIRECTORY, 0, &fd);
        if (err.code == ERR_NOT_FOUND) {
            err = err_none();
            return done(L, &err);
        }
    }
    if (err.code == ERR_NONE) {
        const char *name = str_to_c(&task->call, path_name(inner));
        if (unlinkat(fd, name, 0) != 0 && errno != ENOENT) {
            if (errno != EISDIR && errno != EPERM) {
                err = err_system("cannot remove '" STR_FMT "'", STR_ARG(path));
            } else {
                // The folder's own path, which the descriptor has confined.
                Str whole = path_join(&task->call, task->workdir, inner);
                err = dir_remove(str_to_c(&task->call, whole));
            }
        }
        close(fd);
    }
    return done(L, &err);
}

static Err matches_any(HostTask *task, Value globs, Str path, bool *out) {
    Str absolute = path_join(&task->call, task->workdir, path);
    *out = false;
    for (uint32_t i = 0; i < globs.as.list->count && !*out; i++) {
        Value glob = globs.as.list->items[i];
        if (glob.kind == VALUE_TEXT) TRY(file_glob_matches(glob.as.text, path, absolute, out));
    }
    return err_none();
}

static int wd_list(lua_State *L) {
    HostTask *task = call_begin(L);
    Value globs = check_value(L, 1, &task->call, "globs");
    Value all = {0}, out = value_list(&task->call);
    Err err = workdir_walk(task, &task->call, &all);
    for (uint32_t i = 0; err.code == ERR_NONE && i < all.as.list->count; i++) {
        bool is_wanted = globs.kind != VALUE_LIST;
        if (!is_wanted) err = matches_any(task, globs, all.as.list->items[i].as.text, &is_wanted);
        if (is_wanted) value_list_add(&task->call, out, all.as.list->items[i]);
    }
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    leaf_push_value(L, out);
    return 1;
}

static int wd_fetch(lua_State *L) {
    HostTask *task = call_begin(L);
    Str uri = check_text(L, 1, "URI"), path = check_text(L, 2, "path");
    tell_file(task, path);
    int fd = -1;
    Err err = open_uri(task, uri, &fd);
    if (err.code == ERR_NONE) {
        err = workdir_copy(task, fd, path);
        close(fd);
    }
    return done(L, &err);
}

static int wd_input_files(lua_State *L) {
    HostTask *task = call_begin(L);
    Err err = write_input_files(task, check_value(L, 1, &task->call, "inputFiles"), &task->call);
    return done(L, &err);
}

static int wd_namespace_files(lua_State *L) {
    HostTask *task = call_begin(L);
    Value options = check_value(L, 1, &task->call, "namespaceFiles");
    uint32_t count = 0;
    Err err = write_namespace_files(task, options, &task->call, &count);
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    lua_pushinteger(L, count);
    return 1;
}

static int wd_pack(lua_State *L) {
    HostTask *task = call_begin(L);
    Err err = workdir_open(task);
    Str top = lua_isnoneornil(L, 2) ? task->workdir : check_text(L, 2, "top");
    if (err.code == ERR_NONE) {
        err = workdir_pack(task, check_text(L, 1, "path"), task->workdir_fd, top, &task->call);
    }
    return done(L, &err);
}

static int wd_unpack(lua_State *L) {
    HostTask *task = call_begin(L);
    Err err = workdir_open(task);
    if (err.code == ERR_NONE) {
        Str filter = lua_isnoneornil(L, 2) ? (Str){0} : check_text(L, 2, "compression");
        err = workdir_unpack(task, check_text(L, 1, "path"), filter, task->workdir_fd, &task->call);
    }
    return done(L, &err);
}

static int wd_output_files(lua_State *L) {
    HostTask *task = call_begin(L);
    Value globs = check_value(L, 1, &task->call, "outputFiles");
    Value files = {0};
    Err err = store_output_files(task, globs, &task->call, &files);
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    leaf_push_value(L, files);
    return 1;
}

void add_file_functions(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"path",            wd_path           },
        {"write",           wd_write          },
        {"read",            wd_read           },
        {"size",            wd_size           },
        {"exists",          wd_exists         },
        {"make",            wd_make           },
        {"remove",          wd_remove         },
        {"list",            wd_list           },
        {"fetch",           wd_fetch          },
        {"input_files",     wd_input_files    },
        {"namespace_files", wd_namespace_files},
        {"output_files",    wd_output_files   },
        {"output_file",     wd_output_file    },
        {"pack_outputs",    wd_pack_outputs   },
        {"take_outputs",    wd_take_outputs   },
        {"pack",            wd_pack           },
        {"unpack",          wd_unpack         },
        {NULL,              NULL              },
    };
    add_table(L, "workdir", functions);
}
