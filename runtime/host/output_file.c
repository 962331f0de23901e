// output_file.c - $FLOW_OUTPUT: a file that a command writes outputs to, instead of printing
// markers.
//
// Lines are `name=value`, `name<<END` with the lines of the value up to a line `END`, or one JSON
// object whose members become outputs with their types. Empty lines mean nothing. A line that is
// none of these is told with its number and left out, as a marker that cannot be read is. The file
// is the host's: 0600, named after the attempt, never an output file, removed at the end. It is
// read once the command has ended, beneath the working directory and through no link; what it says
// comes after all markers, so it wins over them.
#include "host/internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/utf8.h"
#include "base/wiped.h"

enum { LINE_SHOWN_MAX = 60 };

#define OUTPUT_NAME ".output-"      // its beginning
#define REPLACEMENT "\xEF\xBF\xBD"  // U+FFFD

typedef struct Reading {
    HostTask *task;
    Arena *arena;    // of the outputs
    Arena *scratch;  // wiped
    Str rest;
    uint32_t line;
    Value vars;
} Reading;

static void complain(const Reading *reading, uint32_t line, Str what) {
    Str text =
        str_printf(reading->scratch, "line %u of $FLOW_OUTPUT " STR_FMT, line, STR_ARG(what));
    host_task_log(reading->task, LOG_WARN, text);
}

// Without its end, LF or CR LF.
static bool next_line(Reading *reading, Str *line) {
    if (reading->rest.len == 0) return false;
    size_t end = str_find_char(reading->rest, '\n', 0);
    size_t after = end == STR_NOT_FOUND ? reading->rest.len : end + 1;
    *line = str_slice(reading->rest, 0, end == STR_NOT_FOUND ? reading->rest.len : end);
    if (line->len > 0 && line->ptr[line->len - 1] == '\r') line->len--;
    reading->rest = str_slice(reading->rest, after, reading->rest.len);
    reading->line++;
    return true;
}

static void set_text(const Reading *reading, Str name, Str text) {
    value_map_set(reading->arena, reading->vars, mask_plain(reading->task, name, reading->arena),
                  value_text(mask_plain(reading->task, text, reading->arena)));
}

static void take_object(const Reading *reading, Str line) {
    Value object = {0};
    Err err = json_parse(line, (JsonLimits){0}, reading->scratch, &object);
    if (err.code != ERR_NONE) {
        complain(reading, reading->line,
                 str_printf(reading->scratch, "is no JSON object: %s", err.text));
        return;
    }
    object = mask_value(reading->task, object, reading->arena);
    for (uint32_t i = 0; i < object.as.map->count; i++) {
        const ValueMember *member = &object.as.map->members[i];
        value_map_set(reading->arena, reading->vars, member->key, member->value);
    }
}

static void take_block(Reading *reading, Str name, Str mark) {
    uint32_t first = reading->line;
    Buffer text = {.is_wiped = true};
    Str line = {0};
    bool is_ended = false, has_line = false;
    while (!is_ended && next_line(reading, &line)) {
        is_ended = str_eq(line, mark);
        if (is_ended) continue;
        if (has_line) buffer_add_char(&text, '\n');
        buffer_add(&text, line);
        has_line = true;
    }
    if (is_ended) {
        set_text(reading, name, buffer_str(&text));
    } else {
        complain(reading, first,
                 str_printf(reading->scratch,
                            "begins '" STR_FMT "', and no line '" STR_FMT
                            "' ends it: it is left out",
                            STR_ARG(name), STR_ARG(mark)));
    }
    buffer_release(&text);
}

static void take_line(Reading *reading, Str line) {
    if (line.len == 0) return;
    if (line.ptr[0] == '{') {
        take_object(reading, line);
        return;
    }
    size_t equals = str_find_char(line, '=', 0);
    size_t block = str_find(line, STR("<<"), 0);
    bool is_block = block != STR_NOT_FOUND && (equals == STR_NOT_FOUND || block < equals);
    size_t end = is_block ? block : equals;
    bool has_mark = !is_block || block + 2 < line.len;
    if (end == STR_NOT_FOUND || end == 0 || !has_mark) {
        size_t shown = line.len < LINE_SHOWN_MAX ? line.len : LINE_SHOWN_MAX;
        complain(reading, reading->line,
                 str_printf(reading->scratch,
                            "is neither 'name=value' nor 'name<<END' nor a JSON "
                            "object: '" STR_FMT "'",
                            STR_ARG(str_slice(line, 0, shown))));
        return;
    }
    Str name = str_slice(line, 0, end);
    if (is_block) {
        take_block(reading, name, str_slice(line, block + 2, line.len));
    } else {
        set_text(reading, name, str_slice(line, equals + 1, line.len));
    }
}

// The text with what is none replaced; the number of bytes it was.
static size_t repair(Str text, Buffer *out) {
    size_t count = 0;
    for (size_t at = 0; at < text.len;) {
        size_t before = at;
        uint32_t point = utf8_next(text, &at);
        bool is_bad = point == UTF8_INVALID || point == 0;
        if (is_bad) count++;
        buffer_add(out, is_bad ? STR(REPLACEMENT) : str_slice(text, before, at));
    }
    return count;
}

static void read_all(HostTask *task, Str text, Arena *arena, Arena *scratch, Value vars) {
    Reading reading = {
        .task = task, .arena = arena, .scratch = scratch, .rest = text, .vars = vars};
    Buffer repaired = {.is_wiped = true};
    bool is_clean =
        utf8_find_invalid(text) == STR_NOT_FOUND && str_find_char(text, '\0', 0) == STR_NOT_FOUND;
    if (!is_clean) {
        size_t count = repair(text, &repaired);
        reading.rest = buffer_str(&repaired);
        host_task_log(task, LOG_WARN,
                      str_printf(scratch,
                                 "%zu bytes of $FLOW_OUTPUT were no text and are read as "
                                 "U+FFFD",
                                 count));
    }
    Str line = {0};
    while (next_line(&reading, &line)) take_line(&reading, line);
    buffer_release(&repaired);
}

// --- the file -----------------------------------------------------------------------------------

Err output_file_empty(Str path, Arena *arena) {
    int fd = open(str_to_c(arena, path),
                  O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0) return err_system("cannot make '" STR_FMT "' ($FLOW_OUTPUT)", STR_ARG(path));
    close(fd);
    return err_none();
}

void output_files_drop(const Host *host) {
    Arena scratch = {0};
    DIR *dir = opendir(str_to_c(&scratch, host->options.work_folder));
    const struct dirent *entry = NULL;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        // That of a container is a folder, and is gone on with.
        if (!str_starts_with(str_from(entry->d_name), STR(OUTPUT_NAME))) continue;
        unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir != NULL) closedir(dir);
    arena_release(&scratch);
}

static Str path_of(const HostTask *task, Arena *arena) {
    Str id = task->start.run_id.len > 0 ? task->start.run_id : task->start.task_id;
    Str name = str_printf(arena, OUTPUT_NAME STR_FMT "-%d", STR_ARG(id), (int)task->start.attempt);
    return path_join(arena, task->host->options.work_folder, name);
}

Err output_file_make(HostTask *task, Arena *arena, Str *path) {
    TRY(workdir_open(task));  // and so the folder above
    *path = path_of(task, arena);
    return output_file_empty(*path, arena);
}

static Err read_file(Str path, Arena *scratch, Str *text) {
    int fd = open(str_to_c(scratch, path), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return err_system("cannot open it");
    struct stat is = {0};
    Err err = err_none();
    if (fstat(fd, &is) != 0 || !S_ISREG(is.st_mode)) {
        err = err_make(ERR_INPUT, "it is no file any more");
    }
    if (err.code == ERR_NONE) {
        err = file_read_fd(fd, "$FLOW_OUTPUT", MARKER_MAX_BYTES, scratch, text);
    }
    close(fd);
    return err;
}

void output_file_take(HostTask *task, Str path, Arena *arena, Value vars) {
    Arena scratch = {.allocator = &wiped_allocator};
    Str text = {0};
    Err err = read_file(path, &scratch, &text);
    if (err.code == ERR_NONE) read_all(task, text, arena, &scratch, vars);
    if (err.code == ERR_LIMIT) {
        host_task_log(task, LOG_WARN,
                      STR("$FLOW_OUTPUT has more than 16 MiB, nothing of it is taken: write large "
                          "values to files and name them in 'outputFiles'"));
    } else if (err.code != ERR_NONE && err.code != ERR_NOT_FOUND) {
        host_task_log(
            task, LOG_WARN,
            str_printf(&scratch, "$FLOW_OUTPUT is not read, nothing of it is taken: %s", err.text));
    }
    // That of a kept process stays until the result is durable.
    if (task->kept.len == 0) unlink(str_to_c(&scratch, path));
    arena_release(&scratch);
}

// --- for containers: a folder of its own, so that it can be sent, mounted and fetched -----------

// host.workdir.output_file() -> absolute path of the file, the only one in its folder
int wd_output_file(lua_State *L) {
    HostTask *task = call_begin(L);
    Arena *arena = &task->call;
    Err err = workdir_open(task);
    Str folder = str_concat(arena, path_of(task, arena), STR(".d"));
    Str path = path_join(arena, folder, STR("vars"));
    if (err.code == ERR_NONE) err = dir_remove(str_to_c(arena, folder));
    if (err.code == ERR_NONE) err = dir_make(str_to_c(arena, folder), 0700);
    if (err.code == ERR_NONE) err = output_file_empty(path, arena);
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    push_str(L, path);
    return 1;
}

static Err open_folder(Str path, Arena *arena, int *out) {
    *out = open(str_to_c(arena, path_folder(path)), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*out >= 0) return err_none();
    return err_system("cannot open the folder of '" STR_FMT "'", STR_ARG(path));
}

// host.workdir.pack_outputs(archive, path) -> true: the folder, at its absolute path
int wd_pack_outputs(lua_State *L) {
    HostTask *task = call_begin(L);
    Str archive = check_text(L, 1, "archive"), path = check_text(L, 2, "path");
    int folder = -1;
    Err err = open_folder(path, &task->call, &folder);
    if (err.code == ERR_NONE) {
        err = workdir_pack(task, archive, folder, path_folder(path), &task->call);
        close(folder);
    }
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    lua_pushboolean(L, 1);
    return 1;
}

// host.workdir.take_outputs(path, vars, archive?) -> vars with what the file says; it is gone
int wd_take_outputs(lua_State *L) {
    HostTask *task = call_begin(L);
    Arena *arena = &task->call;
    Str path = check_text(L, 1, "path");
    Value vars = check_value(L, 2, arena, "vars");
    Str archive = lua_isnoneornil(L, 3) ? (Str){0} : check_text(L, 3, "archive");
    if (vars.kind != VALUE_MAP) vars = value_map(arena);
    int folder = -1;
    Err err = archive.len == 0 ? err_none() : open_folder(path, arena, &folder);
    if (folder >= 0) {
        err = workdir_unpack(task, archive, (Str){0}, folder, arena);
        close(folder);
    }
    if (err.code != ERR_NONE) host_task_log(task, LOG_WARN, str_from(err.text));
    output_file_take(task, path, arena, vars);
    err = dir_remove(str_to_c(arena, path_folder(path)));
    if (err.code != ERR_NONE) host_task_log(task, LOG_WARN, str_from(err.text));
    leaf_push_value(L, vars);
    return 1;
}
