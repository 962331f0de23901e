// exec.c - host.exec: from a table to a child process, its lines, its markers, its end.
//
// Bytes of both streams pass the masker before they are cut into lines, so a secret that falls on
// the border of two pieces is found. No argument that is built here holds a secret: a script with
// one goes by a sealed descriptor, an argument vector with one is refused.
#include "host/exec.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/crypto.h"
#include "base/file.h"
#include "value/convert.h"
#include "value/time.h"

#define OUTPUT_OF_KEPT "vars"  // in its folder

enum { LAST_ERROR_MAX = 500 };

typedef struct ExecStream {
    Exec *exec;
    ProcStream kind;
    MaskStream mask;
    LineSplitter lines;
} ExecStream;

struct Exec {
    Wait wait;
    Proc *proc;
    char mark[PROC_MARK_SIZE];
    Value vars;
    ProcEnd end;
    ExecStream streams[2];
    bool log, markers, has_ended;
    Str output_file;   // $FLOW_OUTPUT; empty: none
    int64_t grace_ms;  // between TERM and KILL
    int64_t collect;   // bytes of standard output to collect; -1: none
    Buffer collected;
    size_t marker_bytes;
    lua_State *callback;  // the coroutine on_line is called in
    int callback_ref;
    bool has_callback;
    Buffer scratch;
    Buffer last_error;  // the last line of standard error
    bool is_planned;
    Kept *kept;  // a process that outlives this one
    // Of a container instead of a process.
    Attach *attach;
    Str failure, failure_class;
};

// --- lines and markers --------------------------------------------------------------------------

// Pushes the callback's function and its arguments; runs inside the coroutine of the callback.
static int call_on_line(lua_State *L) {
    const Exec *exec = lua_touserdata(L, 1);
    const Str *line = lua_touserdata(L, 2);
    const char *stream = lua_touserdata(L, 3);
    lua_settop(L, 0);
    lua_rawgeti(L, LUA_REGISTRYINDEX, exec->callback_ref);
    lua_pushstring(L, stream);
    push_str(L, *line);
    lua_call(L, 2, 1);
    return 1;
}

// True where the callback keeps the line out of the log.
static bool callback_takes(Exec *exec, ProcStream kind, Str line) {
    if (!exec->has_callback) return false;
    lua_State *L = exec->callback;
    lua_pushcfunction(L, call_on_line);
    lua_pushlightuserdata(L, exec);
    lua_pushlightuserdata(L, &line);
    lua_pushlightuserdata(L, (void *)(uintptr_t)(kind == PROC_STDOUT ? "stdout" : "stderr"));
    LeafVm *vm = exec->wait.task->host->options.vm;
    bool takes = false;
    int count = 0;
    if (leaf_resume(vm, L, 3, &count, &exec->wait.strand->budget) == LUA_OK) {
        takes = count > 0 && lua_toboolean(L, -1) != 0;
        lua_settop(L, 0);
        return takes;
    }
    Str text = lua_type(L, -1) == LUA_TSTRING ? check_text(L, -1, "error")
                                              : STR("'on_line' of the task module failed");
    host_task_log(exec->wait.task, LOG_WARN, text);
    lua_resetthread(L);
    exec->has_callback = false;
    return false;
}

static void take_logs(HostTask *task, Value logs) {
    if (logs.kind != VALUE_LIST) return;
    for (uint32_t i = 0; i < logs.as.list->count; i++) {
        Value entry = logs.as.list->items[i];
        LogLevel level = LOG_INFO;
        if (!log_level_from(value_map_get_text(entry, STR("level"), STR("INFO")), &level)) {
            level = LOG_INFO;
        }
        const Value *message = value_map_get(entry, STR("message"));
        if (message == NULL) continue;
        Arena scratch = {0};
        host_task_log(task, (int)level, value_to_text(&scratch, *message));
        arena_release(&scratch);
    }
}

// A timer's value is a duration: ISO-8601 or seconds, as a number or as text.
static Value metric_value(Value value, bool is_timer, Arena *arena) {
    if (value.kind == VALUE_INT || value.kind == VALUE_FLOAT) return value;
    if (value.kind != VALUE_TEXT) return value_null();
    Value number = {0};
    Err err = value_convert(value, CONVERT_FLOAT, arena, &number);
    if (err.code == ERR_NONE) return number;
    int64_t nanoseconds = 0;
    if (is_timer) err = duration_parse(value.as.text, true, &nanoseconds);
    return is_timer && err.code == ERR_NONE ? value_float((double)nanoseconds / 1e9) : value_null();
}

static void take_metrics(HostTask *task, Value metrics) {
    if (metrics.kind != VALUE_LIST) return;
    for (uint32_t i = 0; i < metrics.as.list->count; i++) {
        Value metric = metrics.as.list->items[i];
        Str name = value_map_get_text(metric, STR("name"), STR(""));
        Str type = value_map_get_text(metric, STR("type"), STR(""));
        bool is_timer = str_eq(type, STR("timer"));
        const Value *value = value_map_get(metric, STR("value"));
        const Value *tags = value_map_get(metric, STR("tags"));
        Value number = {0};
        if (value != NULL) number = metric_value(*value, is_timer, &task->arena);
        bool is_known = is_timer || str_eq(type, STR("counter")) || str_eq(type, STR("gauge"));
        if (name.len == 0 || !is_known || number.kind == VALUE_NULL) {
            host_task_log(task, LOG_WARN,
                          STR("a metric needs a name, a type (counter, timer, gauge) and "
                              "a number as value"));
            continue;
        }
        host_task_add_metric(task, name, type, number, tags == NULL ? value_null() : *tags);
    }
}

static void take_marker(Exec *exec, Str json) {
    HostTask *task = exec->wait.task;
    exec->marker_bytes += json.len;
    if (exec->marker_bytes > MARKERS_MAX) {
        host_task_log(task, LOG_WARN,
                      STR("the markers of this process exceed 64 MiB: one is dropped"));
        return;
    }
    Value marker = {0};
    Arena *arena = &exec->wait.arena;
    Err err = json_parse(json, (JsonLimits){0}, arena, &marker);
    if (err.code != ERR_NONE || marker.kind != VALUE_MAP) {
        Str text = str_printf(arena, "Invalid outputs: %s", err.text);
        host_task_log(task, LOG_WARN, text);
        return;
    }
    const Value *outputs = value_map_get(marker, STR("outputs"));
    if (outputs != NULL && outputs->kind == VALUE_MAP) {
        for (uint32_t i = 0; i < outputs->as.map->count; i++) {
            const ValueMember *member = &outputs->as.map->members[i];
            value_map_set(arena, exec->vars, str_dup(arena, member->key),
                          value_copy(arena, member->value));
        }
    }
    const Value *metrics = value_map_get(marker, STR("metrics"));
    if (metrics != NULL) take_metrics(task, *metrics);
    const Value *logs = value_map_get(marker, STR("logs"));
    if (logs != NULL) take_logs(task, *logs);
    if (value_map_get(marker, STR("assets")) != NULL) {
        host_task_log(task, LOG_WARN, STR("'assets' in a marker is not supported and ignored"));
    }
}

static bool is_marker(Str line, unsigned flags) {
    return (flags & (LINE_GOES_ON | LINE_IS_REST)) == 0 && line.len >= 6 &&
           str_starts_with(line, STR("::{")) && str_ends_with(line, STR("}::"));
}

static void on_line(void *self, Str line, unsigned flags) {
    ExecStream *stream = self;
    Exec *exec = stream->exec;
    if (exec->markers && is_marker(line, flags)) {
        take_marker(exec, str_slice(line, 2, line.len - 2));
        return;
    }
    if (stream->kind == PROC_STDERR && line.len > 0) {
        buffer_clear(&exec->last_error);
        buffer_add(&exec->last_error, str_slice(line, 0, LAST_ERROR_MAX));
    }
    if (callback_takes(exec, stream->kind, line) || !exec->log) return;
    HostTask *task = exec->wait.task;
    int level = stream->kind == PROC_STDOUT ? LOG_INFO : LOG_ERROR;
    const HostCallbacks *callbacks = &task->start.callbacks;
    if (level < task->start.log_level || callbacks->log == NULL) return;
    // Masked already.
    (callbacks->output == NULL ? callbacks->log : callbacks->output)(callbacks->self, task, level,
                                                                     line);
}

static bool on_bytes(void *self, ProcStream kind, Str bytes) {
    Exec *exec = self;
    if (kind == PROC_STDOUT && exec->collect >= 0) {
        size_t room = (size_t)exec->collect - exec->collected.len;
        buffer_add(&exec->collected, str_slice(bytes, 0, bytes.len < room ? bytes.len : room));
        return true;
    }
    exec_feed(exec, kind, bytes);
    return true;
}

void exec_feed(Exec *exec, ProcStream kind, Str bytes) {
    ExecStream *stream = &exec->streams[kind];
    if (masker_is_empty(stream->mask.masker)) {
        lines_feed(&stream->lines, bytes, on_line, stream);
        return;
    }
    buffer_clear(&exec->scratch);
    mask_stream_add(&stream->mask, bytes, &exec->scratch);
    lines_feed(&stream->lines, buffer_str(&exec->scratch), on_line, stream);
}

// --- the end ------------------------------------------------------------------------------------

static void end_streams(Exec *exec) {
    HostTask *task = exec->wait.task;
    for (int i = 0; i < 2; i++) {
        ExecStream *stream = &exec->streams[i];
        buffer_clear(&exec->scratch);
        mask_stream_end(&stream->mask, &exec->scratch);
        lines_feed(&stream->lines, buffer_str(&exec->scratch), on_line, stream);
        lines_end(&stream->lines, on_line, stream);
    }
    uint64_t repaired = exec->streams[0].lines.nuls + exec->streams[0].lines.invalid +
                        exec->streams[1].lines.nuls + exec->streams[1].lines.invalid;
    if (repaired > 0) {
        Str text = str_printf(&exec->wait.arena,
                              "%llu bytes of the output were no text and are shown as U+FFFD",
                              (unsigned long long)repaired);
        host_task_log(task, LOG_WARN, text);
    }
}

void exec_end(Exec *exec, int32_t code, Str message, Str error_class) {
    end_streams(exec);
    exec->end.code = code;
    exec->wait.task->exit_code = message.len > 0 ? -1 : code;
    exec->failure = message;
    exec->failure_class = error_class;
    exec->has_ended = true;
    wait_done(&exec->wait);
}

static void tell_survivors(HostTask *task, uint32_t count, Arena *arena) {
    host_task_log(task, LOG_WARN,
                  str_printf(arena, "%u processes of another user could not be ended", count));
}

static void on_starting(void *self, const ProcIdentity *identity) {
    const Exec *exec = self;
    journal_intent(exec->wait.task->host, identity);
}

static void on_ended(void *self, const ProcEnd *end) {
    Exec *exec = self;
    HostTask *task = exec->wait.task;
    end_streams(exec);
    if (end->survivors > 0) tell_survivors(task, end->survivors, &exec->wait.arena);
    if (exec->output_file.len > 0) {
        output_file_take(task, exec->output_file, &exec->wait.arena, exec->vars);
    }
    journal_end(task->host, exec->mark);
    exec->end = *end;
    exec->proc = NULL;
    exec->has_ended = true;
    task->exit_code = end->code;
    wait_done(&exec->wait);
}

// --- kept processes -----------------------------------------------------------------------------

// In the keeper, a copy of this process: what it writes down is masked.
static void filter_kept(void *self, ProcStream kind, Str bytes, bool is_end, Buffer *out) {
    Exec *exec = self;
    MaskStream *mask = &exec->streams[kind].mask;
    if (is_end) {
        mask_stream_end(mask, out);
    } else {
        mask_stream_add(mask, bytes, out);
    }
}

static void on_kept_bytes(void *self, ProcStream kind, Str bytes) {
    exec_feed(self, kind, bytes);
}

static void fail_kept(Exec *exec, Str message, const char *error_class) {
    exec->failure = message;
    exec->failure_class = str_from(error_class);
}

static void on_kept_ended(void *self, const KeptEnd *end) {
    Exec *exec = self;
    HostTask *task = exec->wait.task;
    Arena *arena = &exec->wait.arena;
    exec->kept = NULL;
    end_streams(exec);
    exec->has_ended = true;
    if (!end->is_known) {
        task->is_unknown = end->has_begun;
        fail_kept(exec,
                  end->has_begun
                      ? STR("the keeper of the process was ended from outside, so nobody "
                            "knows how the process ended")
                      : STR("the process could not be started: its keeper found no place "
                            "to write to; look for free space in the state directory"),
                  end->has_begun ? "ambiguous" : "permanent");
    } else if (end->failure.code != ERR_NONE) {
        fail_kept(exec, str_dup(arena, str_from(end->failure.text)), "permanent");
    } else {
        output_file_take(task, exec->output_file, arena, exec->vars);
        exec->end = end->process;
        task->exit_code = end->process.code;
    }
    if (end->process.survivors > 0) tell_survivors(task, end->process.survivors, arena);
    if (end->lost > 0) {
        host_task_log(task, LOG_WARN,
                      str_printf(arena, "the disk was full: %llu bytes of the output are lost",
                                 (unsigned long long)end->lost));
    }
    wait_done(&exec->wait);
}

static bool exec_cancel(Wait *wait) {
    Exec *exec = (Exec *)wait;
    attach_cancel(exec->attach);
    if (exec->kept != NULL) {
        keep_stop(exec->kept);
        return false;
    }
    if (exec->proc == NULL) return true;
    proc_stop(exec->proc, exec->grace_ms);
    return false;
}

static void exec_release(Wait *wait) {
    Exec *exec = (Exec *)wait;
    if (wait->task->host->net != NULL) attach_cancel(exec->attach);
    // Where the host is being freed its own Procs are gone already.
    if (exec->proc != NULL && wait->task->host->procs != NULL) proc_abandon(exec->proc);
    keep_leave(exec->kept);
    for (int i = 0; i < 2; i++) {
        mask_stream_release(&exec->streams[i].mask);
        lines_release(&exec->streams[i].lines);
    }
    if (exec->output_file.len > 0 && wait->task->kept.len == 0) unlink(exec->output_file.ptr);
    buffer_release(&exec->scratch);
    buffer_release(&exec->last_error);
    if (exec->collected.len > 0) wipe(exec->collected.ptr, exec->collected.len);
    buffer_release(&exec->collected);
    lua_State *L = wait->task->host->L;
    luaL_unref(L, LUA_REGISTRYINDEX, exec->callback_ref);
}

static int exec_finish(lua_State *L, Wait *wait) {
    Exec *exec = (Exec *)wait;
    if (exec->failure.len > 0) return push_failure_text(L, exec->failure, exec->failure_class);
    lua_newtable(L);
    lua_pushinteger(L, exec->end.code);
    lua_setfield(L, -2, "code");
    if (exec->end.signal != 0) {
        lua_pushinteger(L, exec->end.signal);
        lua_setfield(L, -2, "signal");
    }
    if (exec->last_error.len > 0) {
        push_str(L, buffer_str(&exec->last_error));
        lua_setfield(L, -2, "last_error");
    }
    leaf_push_value(L, exec->vars);
    lua_setfield(L, -2, "vars");
    leaf_push_value(L, wait->task->metrics);
    lua_setfield(L, -2, "metrics");
    lua_pushinteger(L, (lua_Integer)(exec->streams[0].lines.lines + exec->streams[1].lines.lines));
    lua_setfield(L, -2, "lines");
    if (exec->collect >= 0) {
        push_str(L, buffer_str(&exec->collected));
        lua_setfield(L, -2, "stdout");
    }
    if (exec->is_planned) {
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, "planned");
    }
    return 1;
}

// --- where it runs ------------------------------------------------------------------------------

// Modules that can run in a container ask host.runner first; a plan tells of both alike.
static Err check_runner(const HostTask *task, Value fields) {
    if (is_planning(task) || !wants_container(task, fields)) return err_none();
    return err_make(ERR_UNSUPPORTED,
                    "this task is meant for a container, and its type runs as a process only: to "
                    "run it on the host, use --task-runner process, or 'taskRunner: process' in "
                    "flowrun.yaml");
}

// --- what is started ----------------------------------------------------------------------------

typedef struct Command {
    Str *argv;
    uint32_t count;
    Str script;  // by descriptor
    bool has_script;
} Command;

static Value interpreter_of(Value fields, Arena *arena) {
    const Value *given = value_map_get(fields, STR("interpreter"));
    if (given != NULL && given->kind == VALUE_LIST && given->as.list->count > 0) return *given;
    Value out = value_list(arena);
    value_list_add(arena, out, value_text(STR("/bin/sh")));
    value_list_add(arena, out, value_text(STR("-c")));
    return out;
}

static Err plain_arg(HostTask *task, Value value, Arena *arena, Str *out) {
    if (holds_secret(task, value)) {
        return err_make(ERR_REFUSED,
                        "an argument of the command holds a secret, and every process of the host "
                        "can read arguments: pass it by 'env', or use an interpreter");
    }
    Str text = value_to_text(arena, value);
    if (str_find_char(text, '\0', 0) != STR_NOT_FOUND) {
        return err_make(ERR_INPUT, "an argument of the command has a NUL byte in it");
    }
    return localise(task, text, arena, out);
}

static Err script_command(HostTask *task, Value fields, Value script, Arena *arena, Command *out) {
    Value interpreter = interpreter_of(fields, arena);
    uint32_t count = interpreter.as.list->count;
    Str *words = arena_array(arena, Str, (size_t)count + 1);
    for (uint32_t i = 0; i < count; i++) {
        TRY(plain_arg(task, interpreter.as.list->items[i], arena, &words[i]));
    }
    Str text = {0}, local = {0};
    TRY(reveal(task, script, arena, &text));
    bool is_secret = holds_secret(task, script);
    TRY(localise(task, text, arena, &local));
    if (is_secret || local.len > SCRIPT_ARG_MAX) {
        out->script = local;
        out->has_script = true;
        return proc_script_argv(words, count, arena, &out->argv, &out->count);
    }
    if (str_find_char(local, '\0', 0) != STR_NOT_FOUND) {
        return err_make(ERR_INPUT, "the script has a NUL byte in it");
    }
    words[count] = local;
    out->argv = words;
    out->count = count + 1;
    return err_none();
}

static Err make_command(HostTask *task, Value fields, Arena *arena, Command *out) {
    const Value *script = value_map_get(fields, STR("script"));
    if (script != NULL) return script_command(task, fields, *script, arena, out);
    const Value *argv = value_map_get(fields, STR("argv"));
    if (argv == NULL || argv->kind != VALUE_LIST || argv->as.list->count == 0) {
        return err_make(ERR_USAGE, "the command is empty");
    }
    out->count = argv->as.list->count;
    out->argv = arena_array(arena, Str, out->count);
    for (uint32_t i = 0; i < out->count; i++) {
        TRY(plain_arg(task, argv->as.list->items[i], arena, &out->argv[i]));
    }
    return err_none();
}

// What was asked for, before anything is replaced.
static Value describe(Value fields, Arena *arena) {
    Value description = value_map(arena);
    value_map_set(arena, description, STR("effect"), value_text(STR("exec")));
    const Value *script = value_map_get(fields, STR("script"));
    const Value *argv = value_map_get(fields, STR("argv"));
    Value words = value_list(arena);
    if (script != NULL) {
        Value interpreter = interpreter_of(fields, arena);
        for (uint32_t i = 0; i < interpreter.as.list->count; i++) {
            value_list_add(arena, words, interpreter.as.list->items[i]);
        }
        value_list_add(arena, words, *script);
    } else if (argv != NULL) {
        words = *argv;
    }
    value_map_set(arena, description, STR("argv"), words);
    const Value *env = value_map_get(fields, STR("env"));
    if (env != NULL && env->kind == VALUE_MAP && env->as.map->count > 0) {
        Value names = value_list(arena);
        for (uint32_t i = 0; i < env->as.map->count; i++) {
            value_list_add(arena, names, value_text(env->as.map->members[i].key));
        }
        value_map_set(arena, description, STR("env"), names);
    }
    const Value *image = value_map_get(fields, STR("image"));
    if (image != NULL) value_map_set(arena, description, STR("image"), *image);
    const Value *folder = value_map_get(fields, STR("cwd"));
    if (folder != NULL) value_map_set(arena, description, STR("cwd"), *folder);
    if (value_map_get_bool(fields, STR("reads"), false)) {
        value_map_set(arena, description, STR("dryRun"), value_bool(true));
    }
    return description;
}

static bool is_env_name(Str name) {
    return name.len > 0 && str_find_char(name, '=', 0) == STR_NOT_FOUND &&
           str_find_char(name, '\0', 0) == STR_NOT_FOUND;
}

static bool is_set_in(Str item, Value env) {
    if (str_starts_with(item, STR("WORKING_DIR="))) return true;
    if (str_starts_with(item, STR("FLOW_OUTPUT="))) return true;
    for (uint32_t i = 0; env.kind == VALUE_MAP && i < env.as.map->count; i++) {
        Str name = env.as.map->members[i].key;
        if (str_starts_with(item, name) && item.len > name.len && item.ptr[name.len] == '=') {
            return true;
        }
    }
    return false;
}

static Err make_env(HostTask *task, Value fields, Str output_file, Arena *arena,
                    const char *const **out) {
    const char *const *inherited = task->host->options.env;
    const Value *given = value_map_get(fields, STR("env"));
    Value env = given == NULL ? value_map(arena) : *given;
    if (env.kind != VALUE_MAP) return err_make(ERR_USAGE, "'env' must be a map of texts");
    size_t count = 0;
    while (inherited != NULL && inherited[count] != NULL) count++;
    const char **list = arena_array(arena, const char *, count + env.as.map->count + 3);
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_set_in(str_from(inherited[i]), env)) list[at++] = inherited[i];
    }
    list[at++] = str_printf(arena, "WORKING_DIR=" STR_FMT, STR_ARG(task->workdir)).ptr;
    if (output_file.len > 0 && value_map_get(env, STR("FLOW_OUTPUT")) == NULL) {
        list[at++] = str_printf(arena, "FLOW_OUTPUT=" STR_FMT, STR_ARG(output_file)).ptr;
    }
    for (uint32_t i = 0; i < env.as.map->count; i++) {
        const ValueMember *member = &env.as.map->members[i];
        Str text = {0};
        if (member->value.kind == VALUE_NULL) continue;
        TRY(reveal(task, member->value, arena, &text));
        if (!is_env_name(member->key) || str_find_char(text, '\0', 0) != STR_NOT_FOUND) {
            return err_make(ERR_INPUT, "'" STR_FMT "' cannot be a variable of the environment",
                            STR_ARG(member->key));
        }
        list[at++] = str_concat(arena, str_concat(arena, member->key, STR("=")), text).ptr;
    }
    *out = list;
    return err_none();
}

static Err folder_of(HostTask *task, Value fields, Arena *arena, Str *out) {
    Str folder = value_map_get_text(fields, STR("cwd"), STR(""));
    *out = task->workdir;
    if (folder.len == 0) return err_none();
    int fd = -1;
    TRY(workdir_open_file(task, folder, O_PATH | O_DIRECTORY, 0, &fd));
    close(fd);
    *out = path_join(arena, task->workdir, folder);
    return err_none();
}

// `stdin`: a text, or a value that is written as JSON; secrets in clear.
static Err input_of(HostTask *task, Value fields, Arena *arena, ProcStart *start) {
    const Value *input = value_map_get(fields, STR("stdin"));
    if (input == NULL || input->kind == VALUE_NULL) return err_none();
    if (value_map_get(fields, STR("script")) != NULL) {
        return err_make(ERR_USAGE, "'stdin' goes with 'argv', not with 'script'");
    }
    start->has_script = start->is_input = true;
    return reveal(task, *input, arena, &start->script);
}

// The name of the folder is a checkpoint before anything is started, so that after a crash it is
// known where to look.
static Err start_kept(Exec *exec, Procs *procs, const ProcStart *process, Str folder) {
    HostTask *task = exec->wait.task;
    const HostCallbacks *callbacks = &task->start.callbacks;
    Arena *arena = &exec->wait.arena;
    Value checkpoint = value_map(arena);
    int64_t logged = callbacks->logged == NULL ? 0 : callbacks->logged(callbacks->self, task);
    value_map_set(arena, checkpoint, STR("kept"), value_text(path_name(folder)));
    value_map_set(arena, checkpoint, STR("logged"), value_int(logged));
    TRY(callbacks->checkpoint(callbacks->self, task, checkpoint));
    KeepStart start = {.process = *process,
                       .folder = str_to_c(arena, folder),
                       .grace_ms = exec->grace_ms,
                       .filter = filter_kept,
                       .self = exec};
    KeptCallbacks kept = {.bytes = on_kept_bytes, .ended = on_kept_ended, .self = exec};
    return keep_start(procs, &start, &kept, &exec->kept);
}

// What comes again is not logged again: all that the attempt has logged behind `before` lines.
static void skip_logged(HostTask *task, int64_t before) {
    const HostCallbacks *callbacks = &task->start.callbacks;
    if (callbacks->skip == NULL || callbacks->logged == NULL) return;
    callbacks->skip(callbacks->self, task, callbacks->logged(callbacks->self, task) - before);
}

// What is at `folder`, of an attempt before a crash. False where it never began.
static Err find_kept(Exec *exec, Str name, bool *is_there) {
    HostTask *task = exec->wait.task;
    Arena *arena = &exec->wait.arena;
    Procs *procs = NULL;
    *is_there = false;
    if (str_find_char(name, '/', 0) != STR_NOT_FOUND) {
        return err_make(ERR_INPUT, "the checkpoint names no kept process");
    }
    TRY(host_procs(task->host, &procs));
    Str folder = path_join(arena, task->host->options.work_folder, name);
    exec->output_file = path_join(arena, folder, STR(OUTPUT_OF_KEPT));
    KeepStart start = {.folder = str_to_c(arena, folder), .grace_ms = exec->grace_ms};
    KeptCallbacks kept = {.bytes = on_kept_bytes, .ended = on_kept_ended, .self = exec};
    TRY(keep_attach(procs, &start, &kept, &exec->kept));
    if (exec->kept == NULL) return dir_remove(start.folder);
    *is_there = true;
    task->kept = str_dup(&task->arena, folder);
    task->goes_on = task->has_begun = true;
    TRY(workdir_open(task));
    skip_logged(task, value_map_get_int(task->checkpoint, STR("logged"), 0));
    return err_none();
}

// host.exec{kept = name, on_line, grace}: of the process that a checkpoint names; false where it
// never began.
static int go_on(lua_State *L, Exec *exec, Str name) {
    bool is_there = false;
    Err err = find_kept(exec, name, &is_there);
    if (err.code == ERR_NONE && is_there) return wait_for(L, &exec->wait);
    if (exec->kept != NULL) keep_leave(exec->kept);
    exec->kept = NULL;
    wait_drop(&exec->wait);
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    lua_pushboolean(L, 0);
    return 1;
}

static bool is_kept(const Exec *exec, Value fields) {
    const HostTask *task = exec->wait.task;
    return value_map_get_bool(fields, STR("keep"), false) && task->host->options.can_keep &&
           task->start.callbacks.checkpoint != NULL && exec->collect < 0;
}

static Err kept_folder(Exec *exec, Arena *arena, Str *folder) {
    HostTask *task = exec->wait.task;
    uint8_t bytes[4];
    Buffer name = {0};
    random_bytes(bytes, sizeof bytes);
    buffer_printf(&name, ".kept-" STR_FMT "-%d-", STR_ARG(task->start.run_id),
                  (int)task->start.attempt);
    hex_encode(&name, bytes, sizeof bytes);
    *folder = path_join(arena, task->host->options.work_folder, buffer_str(&name));
    buffer_release(&name);
    return dir_make(str_to_c(arena, *folder), 0700);
}

static Err start_process(Exec *exec, Value fields) {
    HostTask *task = exec->wait.task;
    Arena *arena = &exec->wait.arena;
    Command command = {0};
    ProcStart start = {.has_script = false};
    Str folder = {0};
    Procs *procs = NULL;
    TRY(make_command(task, fields, arena, &command));
    Str folder_of_kept = {0};
    if (is_kept(exec, fields)) {
        TRY(kept_folder(exec, arena, &folder_of_kept));
        task->kept = str_dup(&task->arena, folder_of_kept);
        exec->output_file = path_join(arena, folder_of_kept, STR(OUTPUT_OF_KEPT));
        TRY(output_file_empty(exec->output_file, arena));
    } else if (exec->markers && exec->collect < 0) {
        TRY(output_file_make(task, arena, &exec->output_file));
    }
    TRY(make_env(task, fields, exec->output_file, arena, &start.env));
    TRY(folder_of(task, fields, arena, &folder));
    TRY(input_of(task, fields, arena, &start));
    TRY(host_procs(task->host, &procs));
    const char **argv = arena_array(arena, const char *, (size_t)command.count + 1);
    for (uint32_t i = 0; i < command.count; i++) argv[i] = str_to_c(arena, command.argv[i]);
    start.argv = argv;
    start.folder = str_to_c(arena, folder);
    if (command.has_script) {
        start.script = command.script;
        start.has_script = true;
    }
    if (folder_of_kept.len > 0) return start_kept(exec, procs, &start, folder_of_kept);
    start.callbacks = (ProcCallbacks){
        .starting = on_starting, .bytes = on_bytes, .ended = on_ended, .self = exec};
    TRY(proc_start(procs, &start, &exec->proc));
    const ProcIdentity *identity = proc_identity(exec->proc);
    memcpy(exec->mark, identity->mark, sizeof exec->mark);
    journal_start(task->host, identity);
    return err_none();
}

// The coroutine stays on the stack of the call, which lives until the process has ended.
static void set_callback(lua_State *L, Exec *exec) {
    if (!push_function(L, 1, "on_line")) return;
    exec->callback_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    exec->callback = lua_newthread(L);
    strand_bind(L, exec->wait.strand);
    luaL_checkstack(exec->callback, 8, NULL);
    exec->has_callback = true;
}

int api_exec(lua_State *L) {
    static const char *const known[] = {"argv",    "script", "interpreter",  "env",   "cwd",
                                        "on_line", "log",    "stdout_limit", "keep",  "markers",
                                        "runner",  "image",  "grace",        "stdin", "attach",
                                        "logged",  "kept",   "reads",        NULL};
    HostTask *task = call_begin(L);
    lua_settop(L, 1);
    Exec *exec = (Exec *)wait_new(L, sizeof *exec);
    Arena *arena = &exec->wait.arena;
    exec->wait.cancel = exec_cancel;
    exec->wait.release = exec_release;
    exec->wait.finish = exec_finish;
    exec->callback_ref = LUA_NOREF;
    exec->vars = value_map(arena);
    for (int i = 0; i < 2; i++) {
        exec->streams[i] = (ExecStream){
            .exec = exec, .kind = (ProcStream)i, .mask = {.masker = task->host->options.masker}};
    }
    Value fields = check_fields(L, 1, arena, "exec", known);
    set_callback(L, exec);
    exec->log = value_map_get_bool(fields, STR("log"), true);
    exec->markers = value_map_get_bool(fields, STR("markers"), true);
    exec->collect = value_map_get_int(fields, STR("stdout_limit"), -1);
    int64_t grace = value_map_get_int(fields, STR("grace"), 0) * 1000;
    int64_t least = task->host->options.grace_ms;
    exec->grace_ms = grace > least ? grace : least;
    Str kept = value_map_get_text(fields, STR("kept"), (Str){0});
    if (kept.len > 0) return go_on(L, exec, kept);
    const Value *attach = value_map_get(fields, STR("attach"));
    Err err = check_runner(task, fields);
    if (err.code == ERR_NONE) err = workdir_open(task);
    if (err.code == ERR_NONE && attach != NULL) {
        int64_t logged = value_map_get_int(fields, STR("logged"), -1);
        if (logged >= 0) skip_logged(task, logged);
        err = attach_start(task, exec, *attach, arena, &exec->attach);
    } else if (err.code == ERR_NONE) {
        if (effect(task, describe(fields, arena))) {
            err = start_process(exec, fields);
        } else {
            exec->is_planned = true;
            int count = exec_finish(L, &exec->wait);
            wait_drop(&exec->wait);
            return count;
        }
    }
    if (err.code != ERR_NONE) {
        wait_drop(&exec->wait);
        return push_failure(L, &err, "permanent");
    }
    return wait_for(L, &exec->wait);
}

int api_which(lua_State *L) {
    HostTask *task = call_begin(L);
    Str name = check_text(L, 1, "name of a program");
    Str path = {0};
    Err err =
        proc_find(str_to_c(&task->call, name), task->host->options.env, "/", &task->call, &path);
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    push_str(L, path);
    return 1;
}
