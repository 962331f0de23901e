// tar.c - a folder, mostly the working directory, as a tar archive, to a container and back.
//
// What is written: regular files, folders and links, owned by 0. The
// owner's mode counts for all: a container has one tenant, whoever its user is. What is read back
// is foreign: nothing is written outside the folder, links that lead out of it and anything that is
// no file, folder or link are left out and counted.
#include "host/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum {
    BLOCK = 512,
    NAME_MAX_TAR = 100,
    PATH_LIMIT = 4096,
    DEPTH_MAX_TAR = 64,
    ENTRIES_MAX = 200000
};

typedef struct Header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100];
    char magic[8], uname[32], gname[32], major[8], minor[8], prefix[155], rest[12];
} Header;

_Static_assert(sizeof(Header) == BLOCK, "a header is one block");

// --- writing ------------------------------------------------------------------------------------

typedef struct Pack {
    int out;
    Arena *arena;
    const char *skip;  // the archive itself, in the folder at the top
    uint32_t entries;
} Pack;

// Numbers that do not fit in octal digits are binary, as GNU tar writes them.
static void put_number(char *field, size_t len, uint64_t number) {
    if (number >> (3 * (len - 1)) == 0) {
        for (size_t i = len - 1; i-- > 0; number >>= 3) field[i] = (char)('0' + (number & 7));
        return;
    }
    for (size_t i = len; i-- > 0; number >>= 8) field[i] = (char)(number & 0xff);
    field[0] |= (char)0x80;
}

static Err put_block(Pack *pack, const void *bytes, size_t len) {
    static const char zeros[BLOCK] = {0};
    TRY(file_write_fd(pack->out, (Str){bytes, len}));
    size_t rest = len % BLOCK;
    return rest == 0 ? err_none() : file_write_fd(pack->out, (Str){zeros, BLOCK - rest});
}

static Err put_header(Pack *pack, Str name, char type, Str link, const struct stat *is);

// A name that is longer than its field stands in an entry before.
static Err put_long(Pack *pack, char type, Str text) {
    struct stat is = {.st_mode = 0644, .st_size = (off_t)text.len + 1};
    TRY(put_header(pack, STR("././@LongLink"), type, (Str){0}, &is));
    Str whole = str_printf(pack->arena, STR_FMT, STR_ARG(text));
    return put_block(pack, whole.ptr, text.len + 1);  // with its end
}

static Err put_header(Pack *pack, Str name, char type, Str link, const struct stat *is) {
    Header header = {.type = type, .magic = "ustar"};
    if (name.len > NAME_MAX_TAR) TRY(put_long(pack, 'L', name));
    if (link.len > NAME_MAX_TAR) TRY(put_long(pack, 'K', link));
    memcpy(header.name, name.ptr, name.len < NAME_MAX_TAR ? name.len : NAME_MAX_TAR);
    if (link.len > 0) {
        memcpy(header.link, link.ptr, link.len < NAME_MAX_TAR ? link.len : NAME_MAX_TAR);
    }
    unsigned owner = (is->st_mode >> 6) & 7;
    put_number(header.mode, sizeof header.mode, owner << 6 | owner << 3 | owner);
    put_number(header.uid, sizeof header.uid, 0);
    put_number(header.gid, sizeof header.gid, 0);
    put_number(header.size, sizeof header.size, type == '5' || type == '2' ? 0 : is->st_size);
    put_number(header.mtime, sizeof header.mtime, is->st_mtime > 0 ? (uint64_t)is->st_mtime : 0);
    memcpy(header.magic, "ustar\00000", 8);
    memset(header.checksum, ' ', sizeof header.checksum);
    unsigned sum = 0;
    const unsigned char *bytes = (const unsigned char *)&header;
    for (size_t i = 0; i < sizeof header; i++) sum += bytes[i];
    put_number(header.checksum, 7, sum);
    return put_block(pack, &header, sizeof header);
}

static Err put_file(Pack *pack, int folder, const char *name, Str path) {
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return err_system("cannot open '" STR_FMT "'", STR_ARG(path));
    struct stat is = {0};
    Err err = err_none();
    if (fstat(fd, &is) != 0 || !S_ISREG(is.st_mode)) {
        err = err_make(ERR_INPUT, "'" STR_FMT "' is no file any more", STR_ARG(path));
    }
    if (err.code == ERR_NONE) err = put_header(pack, path, '0', (Str){0}, &is);
    char chunk[64 << 10];
    for (off_t at = 0; err.code == ERR_NONE && at < is.st_size;) {
        off_t left = is.st_size - at;
        ssize_t got =
            pread(fd, chunk, left < (off_t)sizeof chunk ? (size_t)left : sizeof chunk, at);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            err = err_make(ERR_INPUT, "'" STR_FMT "' became shorter while it was read",
                           STR_ARG(path));
            break;
        }
        at += got;
        err = put_block(pack, chunk, (size_t)got);  // whole blocks but for the last piece
    }
    close(fd);
    return err;
}

static Err put_folder(Pack *pack, int fd, Str path, int depth);

static Err put_entry(Pack *pack, int folder, const char *name, Str above, int depth) {
    struct stat is = {0};
    if (fstatat(folder, name, &is, AT_SYMLINK_NOFOLLOW) != 0) return err_none();  // gone again
    Str path = str_printf(pack->arena, STR_FMT "/%s", STR_ARG(above), name);
    if (++pack->entries > ENTRIES_MAX || depth > DEPTH_MAX_TAR) {
        return err_make(ERR_LIMIT, "the working directory has too many files or folders");
    }
    if (S_ISREG(is.st_mode)) return put_file(pack, folder, name, path);
    if (S_ISLNK(is.st_mode)) {
        char target[PATH_LIMIT];
        ssize_t len = readlinkat(folder, name, target, sizeof target);
        if (len < 0) return err_none();
        is.st_mode = 0777;
        return put_header(pack, path, '2', (Str){target, (size_t)len}, &is);
    }
    if (!S_ISDIR(is.st_mode)) return err_none();
    int below = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (below < 0) return err_system("cannot open '" STR_FMT "'", STR_ARG(path));
    return put_folder(pack, below, path, depth + 1);
}

// Takes `fd`.
static Err put_folder(Pack *pack, int fd, Str path, int depth) {
    struct stat is = {.st_mode = 0700};
    fstat(fd, &is);
    Str name = str_printf(pack->arena, STR_FMT "/", STR_ARG(path));
    Err err = put_header(pack, name, '5', (Str){0}, &is);
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
    Pack pack = {.out = out, .arena = arena, .skip = str_to_c(arena, name)};
    int folder = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    Err err = folder < 0 ? err_system("cannot open the working directory") : err_none();
    while (top.len > 0 && top.ptr[0] == '/') top = str_slice(top, 1, top.len);
    if (err.code == ERR_NONE) err = put_folder(&pack, folder, top, 0);
    static const char end[2 * BLOCK] = {0};
    if (err.code == ERR_NONE) err = file_write_fd(out, (Str){end, sizeof end});
    close(out);
    return err;
}

// --- reading ------------------------------------------------------------------------------------

typedef struct Unpack {
    Arena *arena;
    int in, folder;  // from, to
    off_t at;
    Str name, link;  // of entries before, for the next one; empty: none
    int64_t size;    // -1: none
    uint32_t entries, left_out;
} Unpack;

static Err read_all(Unpack *unpack, void *out, size_t len) {
    for (size_t done = 0; done < len;) {
        ssize_t got = pread(unpack->in, (char *)out + done, len - done, unpack->at + (off_t)done);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return err_make(ERR_INPUT, "the archive ends in the middle");
        done += (size_t)got;
    }
    unpack->at += (off_t)len;
    return err_none();
}

static uint64_t get_number(const char *field, size_t len) {
    uint64_t number = 0;
    if ((field[0] & 0x80) != 0) {
        for (size_t i = 1; i < len; i++) number = number << 8 | (unsigned char)field[i];
        return number;
    }
    for (size_t i = 0; i < len; i++) {
        if (field[i] >= '0' && field[i] <= '7') number = number << 3 | (uint64_t)(field[i] - '0');
        if (field[i] == '\0') break;
    }
    return number;
}

static Str get_text(Arena *arena, const char *field, size_t len) {
    const char *end = memchr(field, '\0', len);
    return str_dup(arena, (Str){field, end == NULL ? len : (size_t)(end - field)});
}

static bool checksum_fits(const Header *header) {
    Header copy = *header;
    memset(copy.checksum, ' ', sizeof copy.checksum);
    uint64_t sum = 0;
    const unsigned char *bytes = (const unsigned char *)&copy;
    for (size_t i = 0; i < sizeof copy; i++) sum += bytes[i];
    return sum == get_number(header->checksum, sizeof header->checksum);
}

// The path below the folder at the top of the archive; empty for that folder itself. False where it
// leads out.
static bool below_top(Str path, Str *out) {
    size_t slash = str_find_char(path, '/', 0);
    *out = slash == STR_NOT_FOUND ? (Str){0} : str_slice(path, slash + 1, path.len);
    while (out->len > 0 && out->ptr[out->len - 1] == '/') out->len--;
    Str rest = *out, part = {0};
    if (rest.len > 0 && rest.ptr[0] == '/') return false;
    while (rest.len > 0 && str_split(&rest, '/', &part)) {
        if (str_eq(part, STR(".."))) return false;
    }
    return str_find_char(*out, '\0', 0) == STR_NOT_FOUND;
}

// Whether a link at `path` leads to something in the folder.
static bool link_stays(Str path, Str target) {
    if (target.len == 0 || target.ptr[0] == '/') return false;
    int depth = 0;
    for (size_t i = 0; i < path.len; i++) depth += path.ptr[i] == '/';
    Str part = {0};
    while (target.len > 0 && str_split(&target, '/', &part)) {
        if (str_eq(part, STR("..")))
            depth--;
        else if (part.len > 0 && !str_eq(part, STR(".")))
            depth++;
        if (depth < 0) return false;
    }
    return true;
}

static Err make_link(Unpack *unpack, Str path, Str target) {
    if (!link_stays(path, target)) {
        unpack->left_out++;
        return err_none();
    }
    TRY(make_parents(unpack->folder, path));
    int folder = -1;
    TRY(open_beneath(unpack->folder, path_folder(path), O_PATH | O_DIRECTORY, 0, &folder));
    const char *name = str_to_c(unpack->arena, path_name(path));
    unlinkat(folder, name, 0);
    int status = symlinkat(str_to_c(unpack->arena, target), folder, name);
    close(folder);
    if (status != 0) return err_system("cannot make the link '" STR_FMT "'", STR_ARG(path));
    return err_none();
}

static Err make_file(Unpack *unpack, Str path, uint64_t size, mode_t mode) {
    int out = -1;
    TRY(make_parents(unpack->folder, path));
    int folder = -1;
    TRY(open_beneath(unpack->folder, path_folder(path), O_PATH | O_DIRECTORY, 0, &folder));
    unlinkat(folder, str_to_c(unpack->arena, path_name(path)), 0);  // a link of that name
    close(folder);
    TRY(open_beneath(unpack->folder, path, O_WRONLY | O_CREAT | O_TRUNC, mode, &out));
    char chunk[64 << 10];
    Err err = err_none();
    for (uint64_t left = size; left > 0 && err.code == ERR_NONE;) {
        size_t piece = left < sizeof chunk ? (size_t)left : sizeof chunk;
        err = read_all(unpack, chunk, piece);
        if (err.code == ERR_NONE) err = file_write_fd(out, (Str){chunk, piece});
        left -= piece;
    }
    if (err.code == ERR_NONE) fchmod(out, mode);
    close(out);
    unpack->at -= (off_t)size;  // the caller goes on from the data's beginning
    return err;
}

static Err make_folder(Unpack *unpack, Str path) {
    if (path.len == 0) return err_none();
    Str inside = str_printf(unpack->arena, STR_FMT "/x", STR_ARG(path));
    return make_parents(unpack->folder, inside);
}

// Records of a pax header: "LENGTH KEY=VALUE\n".
static void take_pax(Unpack *unpack, Str text) {
    while (text.len > 0) {
        size_t blank = str_find_char(text, ' ', 0);
        int64_t len = 0;
        if (blank == STR_NOT_FOUND || !str_to_int(str_slice(text, 0, blank), &len)) return;
        if (len <= (int64_t)blank + 1 || (uint64_t)len > text.len) return;
        Str record = str_slice(text, blank + 1, (size_t)len - 1);
        text = str_slice(text, (size_t)len, text.len);
        size_t equals = str_find_char(record, '=', 0);
        if (equals == STR_NOT_FOUND) continue;
        Str key = str_slice(record, 0, equals);
        Str value = str_slice(record, equals + 1, record.len);
        if (str_eq(key, STR("path"))) unpack->name = value;
        if (str_eq(key, STR("linkpath"))) unpack->link = value;
        if (str_eq(key, STR("size"))) str_to_int(value, &unpack->size);
    }
}

// An entry that says something of the next one. True where it was.
static Err take_extra(Unpack *unpack, char type, uint64_t size, bool *taken) {
    *taken = type == 'L' || type == 'K' || type == 'x' || type == 'g';
    if (!*taken || type == 'g') return err_none();
    if (size > (1 << 20)) return err_make(ERR_LIMIT, "a name in the archive is too long");
    char *text = arena_array(unpack->arena, char, size + 1);
    TRY(read_all(unpack, text, size));
    unpack->at -= (off_t)size;
    Str whole = get_text(unpack->arena, text, size);
    if (type == 'L') unpack->name = whole;
    if (type == 'K') unpack->link = whole;
    if (type == 'x') take_pax(unpack, (Str){text, size});
    return err_none();
}

static Err take_entry(Unpack *unpack, const Header *header) {
    uint64_t size = get_number(header->size, sizeof header->size);
    bool is_extra = false;
    TRY(take_extra(unpack, header->type, size, &is_extra));
    if (unpack->size >= 0 && !is_extra) size = (uint64_t)unpack->size;
    if (size > (uint64_t)INT64_MAX / 2) return err_make(ERR_INPUT, "the archive is broken");
    off_t next = unpack->at + (off_t)((size + BLOCK - 1) / BLOCK * BLOCK);
    Err err = err_none();
    if (!is_extra) {
        if (++unpack->entries > ENTRIES_MAX) {
            return err_make(ERR_LIMIT, "the archive has more than %d entries", ENTRIES_MAX);
        }
        Str name = unpack->name, link = unpack->link, path = {0};
        if (name.len == 0) {
            name = get_text(unpack->arena, header->name, sizeof header->name);
            Str prefix = get_text(unpack->arena, header->prefix, sizeof header->prefix);
            bool has_prefix = memcmp(header->magic, "ustar", 6) == 0 && prefix.len > 0;
            if (has_prefix) name = path_join(unpack->arena, prefix, name);
        }
        if (link.len == 0) link = get_text(unpack->arena, header->link, sizeof header->link);
        mode_t mode = (mode_t)get_number(header->mode, sizeof header->mode) & 0700;
        bool is_file = header->type == '0' || header->type == '\0';
        if (!below_top(name, &path)) {
            err = err_make(ERR_REFUSED,
                           "the archive has an entry '" STR_FMT "' that leaves its folder",
                           STR_ARG(name));
        } else if (header->type == '5') {
            err = make_folder(unpack, path);
        } else if (is_file && path.len > 0) {
            err = make_file(unpack, path, size, mode | 0600);
        } else if (header->type == '2' && path.len > 0) {
            err = make_link(unpack, path, link);
        } else {
            unpack->left_out++;
        }
        unpack->name = unpack->link = (Str){0};
        unpack->size = -1;
    }
    unpack->at = next;
    return err;
}

Err workdir_unpack(HostTask *task, Str archive, int to, Arena *arena) {
    Unpack unpack = {.arena = arena, .in = -1, .folder = to, .size = -1};
    TRY(workdir_open_file(task, archive, O_RDONLY, 0, &unpack.in));
    Err err = err_none();
    for (;;) {
        Header header;
        err = read_all(&unpack, &header, sizeof header);
        if (err.code != ERR_NONE || header.name[0] == '\0') break;
        if (!checksum_fits(&header)) err = err_make(ERR_INPUT, "the archive is broken");
        if (err.code == ERR_NONE) err = take_entry(&unpack, &header);
        if (err.code != ERR_NONE) break;
    }
    close(unpack.in);
    if (err.code == ERR_NONE && unpack.left_out > 0) {
        Str text = str_printf(arena,
                              "%u entries of the archive were left out: links that lead out "
                              "of the folder, devices, hard links",
                              unpack.left_out);
        host_task_log(task, LOG_WARN, text);
    }
    return err;
}
