// inputs.c - files that come into a working directory, and files that leave it (task semantics 2.5,
// 2.6, 2.10).
#include "host/internal.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/crypto.h"
#include "base/file.h"

static void tell_files(HostTask *task, Value files, Arena *arena) {
    if (files.as.list->count == 0) return;
    Value description = value_map(arena);
    value_map_set(arena, description, STR("effect"), value_text(STR("file")));
    value_map_set(arena, description, STR("files"), files);
    effect(task, description);
}

// --- inputFiles ---------------------------------------------------------------------------------

static Err write_input(HostTask *task, Str path, Value value, Arena *arena) {
    if (value.kind == VALUE_TEXT && is_uri(value.as.text)) {
        if (is_planning(task) && str_starts_with(value.as.text, STR("kestra://"))) {
            return workdir_write(task, path, value.as.text, 0666);
        }
        int fd = -1;
        TRY(open_uri(task, value.as.text, &fd));
        Err err = workdir_copy(task, fd, path);
        close(fd);
        return err;
    }
    Str text = {0};
    TRY(reveal(task, value, arena, &text));
    return workdir_write(task, path, text, value_has_secret(value) ? 0600 : 0666);
}

Err write_input_files(HostTask *task, Value files, Arena *arena) {
    if (files.kind == VALUE_NULL) return err_none();
    if (files.kind == VALUE_TEXT) {
        Value parsed = {0};
        Err err = json_parse(files.as.text, (JsonLimits){0}, arena, &parsed);
        if (err.code != ERR_NONE || parsed.kind != VALUE_MAP) {
            return err_make(ERR_INPUT, "'inputFiles' must be a map, or the text of a JSON object");
        }
        files = parsed;
    }
    if (files.kind != VALUE_MAP) return err_make(ERR_INPUT, "'inputFiles' must be a map");
    TRY(workdir_open(task));
    Value names = value_list(arena);
    for (uint32_t i = 0; i < files.as.map->count; i++) {
        value_list_add(arena, names, value_text(files.as.map->members[i].key));
    }
    tell_files(task, names, arena);
    for (uint32_t i = 0; i < files.as.map->count; i++) {
        const ValueMember *member = &files.as.map->members[i];
        Err err = write_input(task, member->key, member->value, arena);
        if (err.code != ERR_NONE) {
            return err_wrap(err, "input file '" STR_FMT "' cannot be written",
                            STR_ARG(member->key));
        }
    }
    return err_none();
}

// --- namespaceFiles -----------------------------------------------------------------------------

// A pattern without a leading `/` or wildcard matches in folders as well.
static Err pattern_matches(Str pattern, Str path, Arena *arena, bool *out) {
    if (str_starts_with(pattern, STR("/"))) {
        return file_glob_matches(str_slice(pattern, 1, pattern.len), path, path, out);
    }
    TRY(file_glob_matches(pattern, path, path, out));
    if (*out || pattern.len == 0 || strchr("*?[{", pattern.ptr[0]) != NULL) return err_none();
    return file_glob_matches(str_concat(arena, STR("**/"), pattern), path, path, out);
}

static Err any_pattern(const Value *patterns, Str path, Arena *arena, bool *out) {
    *out = false;
    if (patterns == NULL) return err_none();
    if (patterns->kind == VALUE_TEXT) return pattern_matches(patterns->as.text, path, arena, out);
    for (uint32_t i = 0; patterns->kind == VALUE_LIST && i < patterns->as.list->count; i++) {
        Value item = patterns->as.list->items[i];
        if (item.kind != VALUE_TEXT || *out) continue;
        TRY(pattern_matches(item.as.text, path, arena, out));
    }
    return err_none();
}

static bool is_given(const Value *patterns) {
    if (patterns == NULL) return false;
    return patterns->kind == VALUE_TEXT ||
           (patterns->kind == VALUE_LIST && patterns->as.list->count > 0);
}

static bool is_in_workdir(HostTask *task, Str path) {
    int fd = -1;
    Err err = open_beneath(task->workdir_fd, path, O_PATH, 0, &fd);
    if (err.code == ERR_NONE) close(fd);
    return err.code == ERR_NONE;
}

// Writes one; false in *written where it was there and is kept.
static Err write_namespace_file(HostTask *task, Str space, Str path, Str to, Str if_exists,
                                Arena *arena, bool *written) {
    *written = false;
    if (!str_eq(if_exists, STR("OVERWRITE")) && is_in_workdir(task, to)) {
        if (str_eq(if_exists, STR("FAIL"))) {
            return err_make(ERR_CONFLICT, "the file '" STR_FMT "' is there already", STR_ARG(to));
        }
        if (str_eq(if_exists, STR("WARN"))) {
            host_task_log(task, LOG_WARN,
                          str_printf(arena, "the file '" STR_FMT "' is there already and is kept",
                                     STR_ARG(to)));
        }
        return err_none();
    }
    Str text = {0};
    TRY(namespace_file(task, space, path, arena, &text));
    TRY(workdir_write(task, to, text, 0666));
    *written = true;
    return err_none();
}

// Those of one namespace; `space` is empty for the flow's own.
static Err write_namespace(HostTask *task, Str space, Value options, Arena *arena,
                           uint32_t *count) {
    const Value *include = value_map_get(options, STR("include"));
    const Value *exclude = value_map_get(options, STR("exclude"));
    Str if_exists = value_map_get_text(options, STR("ifExists"), STR("OVERWRITE"));
    bool own_folder = value_map_get_bool(options, STR("folderPerNamespace"), false);
    Value paths = {0}, wanted = value_list(arena);
    TRY(namespace_paths(task, space, arena, &paths));
    if (space.len > 0 && paths.as.list->count == 0) {
        return err_make(ERR_NOT_FOUND,
                        "there are no files of the namespace '" STR_FMT "' here: an artifact "
                        "carries those of its own namespace ('" STR_FMT "')",
                        STR_ARG(space), STR_ARG(task->host->options.flow_namespace));
    }
    for (uint32_t i = 0; i < paths.as.list->count; i++) {
        Str path = paths.as.list->items[i].as.text;
        bool is_in = !is_given(include), is_out = false;
        if (!is_in) TRY(any_pattern(include, path, arena, &is_in));
        TRY(any_pattern(exclude, path, arena, &is_out));
        if (is_in && !is_out) value_list_add(arena, wanted, value_text(path));
    }
    tell_files(task, wanted, arena);
    Str folder = space.len > 0 ? space : task->host->options.flow_namespace;
    for (uint32_t i = 0; i < wanted.as.list->count; i++) {
        Str path = wanted.as.list->items[i].as.text;
        Str to = own_folder ? path_join(arena, folder, path) : path;
        bool written = false;
        TRY(write_namespace_file(task, space, path, to, if_exists, arena, &written));
        if (written) (*count)++;
    }
    return err_none();
}

Err write_namespace_files(HostTask *task, Value options, Arena *arena, uint32_t *count) {
    *count = 0;
    if (options.kind == VALUE_NULL || (options.kind == VALUE_BOOL && !options.as.boolean)) {
        return err_none();
    }
    if (options.kind == VALUE_MAP && !value_map_get_bool(options, STR("enabled"), true)) {
        return err_none();
    }
    const Clock *clock = task->host->options.clock;
    int64_t begin = clock->mono_ms(clock->self);
    TRY(workdir_open(task));
    const Value *namespaces = value_map_get(options, STR("namespaces"));
    if (is_given(namespaces) && namespaces->kind == VALUE_LIST) {
        for (uint32_t i = 0; i < namespaces->as.list->count; i++) {
            Str space = value_to_text(arena, namespaces->as.list->items[i]);
            bool is_own = str_eq(space, task->host->options.flow_namespace);
            TRY(write_namespace(task, is_own ? STR("") : space, options, arena, count));
        }
    } else {
        TRY(write_namespace(task, STR(""), options, arena, count));
    }
    int64_t took = clock->mono_ms(clock->self) - begin;
    host_task_add_metric(task, STR("namespacefiles.count"), STR("counter"), value_int(*count),
                         value_null());
    host_task_add_metric(task, STR("namespacefiles.duration"), STR("timer"),
                         value_float((double)took / 1000), value_null());
    host_task_log(task, LOG_INFO, str_printf(arena, "%u namespace files are in place", *count));
    return err_none();
}

// --- outputFiles --------------------------------------------------------------------------------

static Err store_output(HostTask *task, Str path, Arena *arena, Str *uri) {
    int fd = -1;
    TRY(workdir_open_file(task, path, O_RDONLY, 0, &fd));
    Hash128 hash = hash128_bytes(path);
    Buffer name = {0};
    hex_encode(&name, hash.bytes, 11);
    buffer_add_char(&name, '-');
    buffer_add(&name, path_name(path));
    Err err = store_object(task, fd, buffer_str(&name), arena, uri);
    buffer_release(&name);
    close(fd);
    return err;
}

static bool has_wildcard(Str glob) {
    for (size_t i = 0; i < glob.len; i++) {
        if (strchr("*?[{", glob.ptr[i]) != NULL) return true;
    }
    return str_starts_with(glob, STR("glob:")) || str_starts_with(glob, STR("regex:"));
}

// In a plan no process has written anything: files named outright are assumed.
static void assume_outputs(const HostTask *task, Value globs, Arena *arena, Value out) {
    for (uint32_t i = 0; i < globs.as.list->count; i++) {
        Value glob = globs.as.list->items[i];
        if (glob.kind != VALUE_TEXT || has_wildcard(glob.as.text)) continue;
        Str text = str_printf(arena, "<" STR_FMT ".outputFiles." STR_FMT ">",
                              STR_ARG(task->start.task_id), STR_ARG(glob.as.text));
        value_map_set(arena, out, glob.as.text, value_text(text));
    }
}

static Err check_glob(Str glob) {
    Str rest = glob, part = {0};
    while (str_split(&rest, '/', &part)) {
        if (!str_eq(part, STR(".."))) continue;
        return err_make(ERR_INPUT,
                        "the output files '" STR_FMT "' are outside of the working directory: "
                        "write them below it, or copy them there in the last command",
                        STR_ARG(glob));
    }
    return err_none();
}

Err store_output_files(HostTask *task, Value globs, Arena *arena, Value *out) {
    *out = value_map(arena);
    if (globs.kind == VALUE_TEXT) {
        Value list = value_list(arena);
        value_list_add(arena, list, globs);
        globs = list;
    }
    if (globs.kind != VALUE_LIST) return err_none();
    if (is_planning(task)) {
        assume_outputs(task, globs, arena, *out);
        return err_none();
    }
    for (uint32_t i = 0; i < globs.as.list->count; i++) {
        Value glob = globs.as.list->items[i];
        if (glob.kind == VALUE_TEXT) TRY(check_glob(glob.as.text));
    }
    Value paths = {0};
    TRY(workdir_walk(task, arena, &paths));
    for (uint32_t i = 0; i < paths.as.list->count; i++) {
        Str path = paths.as.list->items[i].as.text;
        Str absolute = path_join(arena, task->workdir, path);
        bool is_wanted = false;
        for (uint32_t g = 0; g < globs.as.list->count && !is_wanted; g++) {
            Value glob = globs.as.list->items[g];
            if (glob.kind == VALUE_TEXT) {
                TRY(file_glob_matches(glob.as.text, path, absolute, &is_wanted));
            }
        }
        if (!is_wanted) continue;
        Str uri = {0};
        TRY(store_output(task, path, arena, &uri));
        value_map_set(arena, *out, path, value_text(uri));
    }
    return err_none();
}

Err host_keep_cache(Host *host, const HostStart *start, Value cache, Arena *arena) {
    HostTask task = {.host = host, .start = *start, .workdir_fd = -1};
    Err err = cache_save(&task, start->task_id, start->value, cache, arena);
    workdir_close(&task);
    arena_release(&task.arena);
    arena_release(&task.call);
    return err;
}

Err host_take_files(Host *host, const HostStart *start, Value globs, Arena *arena, Value *out) {
    HostTask task = {.host = host, .start = *start, .workdir_fd = -1};
    Err err = store_output_files(&task, globs, arena, out);
    workdir_close(&task);
    arena_release(&task.arena);
    arena_release(&task.call);
    return err;
}
