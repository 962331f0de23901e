// file.c - whole files: read with a cap, written whole or not at all.
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buffer.h"

Err file_read_fd(int fd, const char *name, size_t limit, Arena *arena, Str *out) {
    Buffer bytes = {0};
    Err err = err_none();
    char chunk[16384];
    for (;;) {
        ssize_t got = read(fd, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            err = err_system("cannot read '%s'", name);
            goto done;
        }
        if (got == 0) break;
        if (bytes.len + (size_t)got > limit) {
            err = err_make(ERR_LIMIT, "'%s' has more than %zu bytes", name, limit);
            goto done;
        }
        buffer_add_bytes(&bytes, chunk, (size_t)got);
    }
    *out = buffer_to_str(&bytes, arena);

done:
    buffer_release(&bytes);
    return err;
}

Err file_read(const char *path, size_t limit, Arena *arena, Str *out) {
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return err_system("cannot open '%s'", path);

    Err err = err_none();
    struct stat status;
    if (fstat(fd, &status) != 0) {
        err = err_system("cannot read '%s'", path);
    } else if (!S_ISREG(status.st_mode)) {
        err = err_make(ERR_INPUT, "'%s' is %s, not a file", path,
                       S_ISDIR(status.st_mode) ? "a directory" : "a device, socket or pipe");
    } else {
        err = file_read_fd(fd, path, limit, arena, out);
    }
    close(fd);
    return err;
}

Err file_write_fd(int fd, Str bytes) {
    while (bytes.len > 0) {
        ssize_t written = write(fd, bytes.ptr, bytes.len);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return err_system("cannot write");
        bytes.ptr += written;
        bytes.len -= (size_t)written;
    }
    return err_none();
}

// A device or a pipe is written to: to replace it would take it from the whole system.
static Err write_special(const char *path, Str bytes) {
    int fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) return err_system("cannot write '%s'", path);
    Err err = file_write_fd(fd, bytes);
    if (close(fd) != 0 && err.code == ERR_NONE) err = err_system("cannot write");
    return err.code == ERR_NONE ? err : err_wrap(err, "'%s'", path);
}

Err file_write(const char *path, Str bytes, mode_t mode) {
    struct stat status;
    if (stat(path, &status) == 0) {
        if (S_ISDIR(status.st_mode)) return err_make(ERR_INPUT, "'%s' is a directory", path);
        if (!S_ISREG(status.st_mode)) return write_special(path, bytes);
        mode = status.st_mode & 0777;
    }
    Arena scratch = {0};
    Str folder = path_folder(str_from(path));
    char *temporary =
        (char *)(uintptr_t)str_printf(&scratch, STR_FMT "/.flow-XXXXXX", STR_ARG(folder)).ptr;
    Err err = err_none();
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) {
        err = err_system("cannot write '%s'", path);
        goto done;
    }
    err = file_write_fd(fd, bytes);
    if (err.code == ERR_NONE && fchmod(fd, mode) != 0) err = err_system("cannot set the mode");
    if (close(fd) != 0 && err.code == ERR_NONE) err = err_system("cannot write");
    if (err.code == ERR_NONE && rename(temporary, path) != 0) err = err_system("cannot rename");
    if (err.code != ERR_NONE) {
        unlink(temporary);
        err = err_wrap(err, "'%s'", path);
    }

done:
    arena_release(&scratch);
    return err;
}

Err dir_make(const char *path, mode_t mode) {
    if (mkdir(path, mode) == 0 || (errno == EEXIST && path_is_dir(path))) return err_none();
    if (errno != ENOENT) return err_system("cannot create the directory '%s'", path);
    Arena scratch = {0};
    Str parent = path_folder(str_from(path));
    Err err = err_none();
    if (parent.len == strlen(path) || str_eq(parent, STR("."))) {
        err = err_system("cannot create the directory '%s'", path);
    } else {
        err = dir_make(str_to_c(&scratch, parent), mode);
    }
    if (err.code == ERR_NONE && mkdir(path, mode) != 0 && errno != EEXIST) {
        err = err_system("cannot create the directory '%s'", path);
    }
    arena_release(&scratch);
    return err;
}

enum { REMOVE_DEPTH_MAX = 512 };  // open folders while removing; deeper trees are an error

static Err remove_below(int parent, const char *name, int depth) {
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT) return err_none();
    if (errno != EISDIR && errno != EPERM) return err_system("cannot remove '%s'", name);
    if (depth > REMOVE_DEPTH_MAX) return err_make(ERR_LIMIT, "'%s' is nested too deeply", name);
    if (unlinkat(parent, name, AT_REMOVEDIR) == 0) return err_none();  // empty, as most are
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return err_system("cannot remove '%s'", name);
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        close(fd);
        return err_system("cannot remove '%s'", name);
    }
    Err err = err_none();
    const struct dirent *entry = NULL;
    while (err.code == ERR_NONE && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        err = remove_below(fd, entry->d_name, depth + 1);
    }
    closedir(dir);
    if (err.code == ERR_NONE && unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOENT) {
        err = err_system("cannot remove '%s'", name);
    }
    return err;
}

Err dir_remove(const char *path) {
    return remove_below(AT_FDCWD, path, 0);
}

void file_hold_standard(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
        // The lowest free number is `fd`: those below are open by now.
        if (open("/dev/null", O_RDWR) < 0) return;  // no /dev: nothing better can be had
    }
}

bool path_is_dir(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

bool path_exists(const char *path) {
    struct stat status;
    return lstat(path, &status) == 0;
}

Str path_join(Arena *arena, Str folder, Str name) {
    if (folder.len == 0 || (name.len > 0 && name.ptr[0] == '/')) return str_dup(arena, name);
    bool has_slash = folder.ptr[folder.len - 1] == '/';
    return str_printf(arena, STR_FMT "%s" STR_FMT, STR_ARG(folder), has_slash ? "" : "/",
                      STR_ARG(name));
}

Str path_folder(Str path) {
    size_t slash = str_find_last_char(path, '/');
    if (slash == STR_NOT_FOUND) return STR(".");
    return slash == 0 ? STR("/") : str_slice(path, 0, slash);
}

Str path_name(Str path) {
    size_t slash = str_find_last_char(path, '/');
    return slash == STR_NOT_FOUND ? path : str_slice(path, slash + 1, path.len);
}
