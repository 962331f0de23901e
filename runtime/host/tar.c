// tar.c - a folder, mostly the working directory, as a tar archive, to a container and back.
//
// What is written: regular files, folders and links, owned by 0. The owner's mode counts for all: a
// container has one tenant, whoever its user is. What is read back is foreign: nothing is written
// outside the folder, links that lead out of it and anything that is no file, folder or link are
// left out and counted.
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "host/libarchive.h"

enum { PATH_LIMIT = 4096, DEPTH_MAX_TAR = 64 };

// --- writing ------------------------------------------------------------------------------------

typedef struct Pack {
    Archive archive;
    Arena *arena;
    const char *skip;  // the archive itself, in the folder at the top
    uint32_t entries;
} Pack;

static Err put(Pack *pack, Str path, const struct stat *is, int fd, const char *link) {
    unsigned owner = (is->st_mode >> 6) & 7;
    ArchiveEntry entry = {.path = path.ptr,
                          .type = is->st_mode & S_IFMT,
                          .rights = owner << 6 | owner << 3 | owner,
                          .fd = fd,
                          .size = is->st_size,
                          .time = is->st_mtime,
                          .link = link};
    return archive_put(&pack->archive, &entry);
}

static Err put_file(Pack *pack, int folder, const char *name, Str path) {
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return err_system("cannot open '" STR_FMT "'", STR_ARG(path));
    struct stat is = {0};
    Err err = fstat(fd, &is) == 0 && S_ISREG(is.st_mode)
                  ? put(pack, path, &is, fd, NULL)
                  : err_make(ERR_INPUT, "'" STR_FMT "' is no file any more", STR_ARG(path));
    close(fd);
    return err;
}

static Err put_folder(Pack *pack, int fd, Str path, int depth);

static Err put_entry(Pack *pack, int folder, const char *name, Str above, int depth) {
    struct stat is = {0};
    if (fstatat(folder, name, &is, AT_SYMLINK_NOFOLLOW) != 0) return err_none();  // gone again
    Str path = str_printf(pack->arena, STR_FMT "/%s", STR_ARG(above), name);
    if (++pack->entries > ARCHIVE_ENTRIES_MAX || depth > DEPTH_MAX_TAR) {
        return err_make(ERR_LIMIT, "the working directory has too many files or folders");
    }
    if (S_ISREG(is.st_mode)) return put_file(pack, folder, name, path);
    if (S_ISLNK(is.st_mode)) {
        char target[PATH_LIMIT];
        ssize_t len = readlinkat(folder, name, target, sizeof target - 1);
        if (len < 0) return err_none();
        target[len] = '\0';
        return put(pack, path, &is, -1, target);
    }
    if (!S_ISDIR(is.st_mode)) return err_none();
    int below = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (below < 0) return err_system("cannot open '" STR_FMT "'", STR_ARG(path));
    return put_folder(pack, below, path, depth + 1);
}

// Takes `fd`.
static Err put_folder(Pack *pack, int fd, Str path, int depth) {
    struct stat is = {.st_mode = S_IFDIR | 0700};
    fstat(fd, &is);
    Err err = put(pack, str_printf(pack->arena, STR_FMT "/", STR_ARG(path)), &is, -1, NULL);
    DIR *dir = err.code == ERR_NONE ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        if (err.code == ERR_NONE) err = err_system("cannot read '" STR_FMT "'", STR_ARG(path));
        close(fd);
        return err;
    }
    const struct dirent *entry = NULL;
    while (err.code == ERR_NONE && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (depth == 0 && strcmp(entry->d_name, pack->skip) == 0) continue;
        err = put_entry(pack, fd, entry->d_name, path, depth);
    }
    closedir(dir);
    return err;
}

Err workdir_pack(HostTask *task, Str name, int from, Str top, Arena *arena) {
    int out = -1;
    TRY(workdir_open_file(task, name, O_WRONLY | O_CREAT | O_TRUNC, 0600, &out));
    Pack pack = {.arena = arena, .skip = str_to_c(arena, name)};
    Err err = archive_create(&pack.archive, out, STR("GNU"), (Str){0});
    int folder = -1;
    if (err.code == ERR_NONE) {
        folder = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (folder < 0) err = err_system("cannot open the working directory");
    }
    while (top.len > 0 && top.ptr[0] == '/') top = str_slice(top, 1, top.len);
    if (err.code == ERR_NONE) err = put_folder(&pack, folder, top, 0);
    if (err.code == ERR_NONE) err = archive_end(&pack.archive);
    archive_close(&pack.archive);
    close(out);
    return err;
}

// --- reading ------------------------------------------------------------------------------------

typedef struct Unpack {
    int folder;  // to
    Arena *arena;
    Archive archive;
    uint32_t left_out;
} Unpack;

// The path below the folder at the top of the archive; empty for that folder itself. False where it
// leads out.
static bool below_top(Str path, Str *out) {
    size_t slash = str_find_char(path, '/', 0);
    *out = slash == STR_NOT_FOUND ? (Str){0} : str_slice(path, slash + 1, path.len);
    while (out->len > 0 && out->ptr[out->len - 1] == '/') out->len--;
    return out->len == 0 || archive_path_stays(*out);
}

// Whether a link at `path` leads to something in the folder.
static bool link_stays(Str path, Str target) {
    if (target.len == 0 || target.ptr[0] == '/') return false;
    int depth = 0;
    for (size_t i = 0; i < path.len; i++) depth += path.ptr[i] == '/';
    Str part = {0};
    while (target.len > 0 && str_split(&target, '/', &part)) {
        if (str_eq(part, STR(".."))) {
            depth--;
        } else if (part.len > 0 && !str_eq(part, STR("."))) {
            depth++;
        }
        if (depth < 0) return false;
    }
    return true;
}

// The folder that a file or link is made in; what is there under its name goes.
static Err make_room(Unpack *unpack, Str path, int *folder) {
    TRY(make_parents(unpack->folder, path));
    TRY(open_beneath(unpack->folder, path_folder(path), O_PATH | O_DIRECTORY, 0, folder));
    unlinkat(*folder, str_to_c(unpack->arena, path_name(path)), 0);
    return err_none();
}

static Err make_link(Unpack *unpack, Str path, Str target) {
    if (!link_stays(path, target)) {
        unpack->left_out++;
        return err_none();
    }
    int folder = -1;
    TRY(make_room(unpack, path, &folder));
    int status = symlinkat(str_to_c(unpack->arena, target), folder,
                           str_to_c(unpack->arena, path_name(path)));
    close(folder);
    if (status != 0) return err_system("cannot make the link '" STR_FMT "'", STR_ARG(path));
    return err_none();
}

// A second name of a file that came before.
static Err make_hard_link(Unpack *unpack, Str path, Str target) {
    Str from = {0};
    int file = -1, folder = -1;
    struct stat is = {0};
    bool is_inside = below_top(target, &from) && from.len > 0 && !str_eq(from, path);
    Err err = is_inside ? open_beneath(unpack->folder, from, O_PATH | O_NOFOLLOW, 0, &file)
                        : err_make(ERR_INPUT, "outside");
    if (err.code != ERR_NONE || fstat(file, &is) != 0 || !S_ISREG(is.st_mode)) {
        unpack->left_out++;
        if (file >= 0) close(file);
        return err_none();
    }
    char source[40];
    snprintf(source, sizeof source, "/proc/self/fd/%d", file);
    err = make_room(unpack, path, &folder);
    if (err.code == ERR_NONE &&
        linkat(AT_FDCWD, source, folder, str_to_c(unpack->arena, path_name(path)),
               AT_SYMLINK_FOLLOW) != 0) {
        err = err_system("cannot make the link '" STR_FMT "'", STR_ARG(path));
    }
    if (folder >= 0) close(folder);
    close(file);
    return err;
}

static Err make_file(Unpack *unpack, Str path, mode_t mode) {
    int folder = -1, out = -1;
    TRY(make_room(unpack, path, &folder));
    close(folder);
    TRY(open_beneath(unpack->folder, path, O_WRONLY | O_CREAT | O_TRUNC, mode, &out));
    Err err = archive_take(&unpack->archive, out);
    if (err.code == ERR_NONE) fchmod(out, mode);
    close(out);
    return err_wrap(err, "cannot write '" STR_FMT "'", STR_ARG(path));
}

static Err make_folder(Unpack *unpack, Str path) {
    if (path.len == 0) return err_none();
    Str inside = str_printf(unpack->arena, STR_FMT "/x", STR_ARG(path));
    return make_parents(unpack->folder, inside);
}

static Err take_entry(Unpack *unpack, EntryHandle *entry) {
    const Library *library = &unpack->archive.library;
    const char *given = library->entry_path(entry), *hard = library->entry_hard_link(entry);
    const char *link = library->entry_link(entry);
    Str name = str_dup(unpack->arena, str_from(given == NULL ? "" : given)), path = {0};
    if (!below_top(name, &path)) {
        return err_make(ERR_REFUSED,
                        "the archive has an entry '" STR_FMT "' that leaves its folder",
                        STR_ARG(name));
    }
    unsigned type = library->entry_type(entry);
    if (type == ARCHIVE_FOLDER) return make_folder(unpack, path);
    if (path.len > 0 && hard != NULL) return make_hard_link(unpack, path, str_from(hard));
    if (path.len > 0 && type == ARCHIVE_LINK && link != NULL) {
        return make_link(unpack, path, str_from(link));
    }
    if (path.len > 0 && type == ARCHIVE_FILE) {
        return make_file(unpack, path, (library->entry_rights(entry) & 0700) | 0600);
    }
    unpack->left_out++;
    return err_none();
}

Err workdir_unpack(HostTask *task, Str archive, Str filter, int to, Arena *arena) {
    Unpack unpack = {.folder = to, .arena = arena};
    int in = -1;
    TRY(workdir_open_file(task, archive, O_RDONLY, 0, &in));
    Err err = archive_open(&unpack.archive, in, STR("GNU"), filter);
    EntryHandle *entry = NULL;
    while (err.code == ERR_NONE) {
        err = archive_next(&unpack.archive, &entry);
        if (err.code != ERR_NONE || entry == NULL) break;
        err = take_entry(&unpack, entry);
    }
    archive_close(&unpack.archive);
    close(in);
    if (err.code == ERR_NONE && unpack.left_out > 0) {
        Str text = str_printf(arena,
                              "%u entries of the archive were left out: links that lead out "
                              "of the folder, devices",
                              unpack.left_out);
        host_task_log(task, LOG_WARN, text);
    }
    return err;
}
