// logs.c - host.logs: what executions of this state directory have logged. The lines were masked
// when they were written.
#include <string.h>

#include "base/file.h"
#include "host/internal.h"
#include "log/log.h"
#include "store/store.h"

enum { LOGS_MAX = 64 << 20 };  // bytes of one log that are read at once

static bool is_execution_id(Str id) {
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    for (size_t i = 0; i < id.len; i++) {
        if (memchr(allowed, id.ptr[i], sizeof allowed - 1) == NULL) return false;
    }
    return id.len > 0;
}

static bool is_of_tasks(Value tasks, Str task) {
    if (tasks.kind != VALUE_LIST) return true;
    for (uint32_t i = 0; i < tasks.as.list->count; i++) {
        const Value *one = &tasks.as.list->items[i];
        if (one->kind == VALUE_TEXT && str_eq(one->as.text, task)) return true;
    }
    return false;
}

// Lines of the level and above, of the tasks named (a list), or of all where there is none.
static int64_t choose_lines(Str all, LogLevel level, Value tasks, Arena *arena, Buffer *out) {
    int64_t count = 0;
    size_t end = 0;
    for (size_t at = 0; (end = str_find_char(all, '\n', at)) != STR_NOT_FOUND; at = end + 1) {
        Str text = str_slice(all, at, end);
        LogLine line;
        ArenaMark mark = arena_mark(arena);
        bool is_wanted = log_line_read(text, arena, &line) && line.level >= level &&
                         is_of_tasks(tasks, line.task);
        arena_reset(arena, mark);
        if (!is_wanted) continue;
        buffer_add(out, text);
        buffer_add_char(out, '\n');
        count++;
    }
    return count;
}

// host.logs{execution, tasks, level}: the lines as JSON, one each, and how many they are.
int api_logs(lua_State *L) {
    HostTask *task = call_begin(L);
    static const char *const known[] = {"execution", "tasks", "level", NULL};
    Value fields = check_fields(L, 1, &task->call, "logs", known);
    Str id = value_map_get_text(fields, STR("execution"), task->host->options.execution_id);
    LogLevel level = LOG_INFO;
    Str name = value_map_get_text(fields, STR("level"), STR("INFO"));
    if (!log_level_from(name, &level) || !is_execution_id(id)) {
        return push_failure_text(
            L, STR("logs: the execution is no id of one, or the level is unknown"),
            STR("permanent"));
    }
    Store *store = task->host->options.store;
    if (is_planning(task) || store == NULL) {
        lua_pushliteral(L, "");
        lua_pushinteger(L, 0);
        return 2;
    }
    Str relative = str_printf(&task->call, "exec/" STR_FMT "/log.jsonl", STR_ARG(id));
    Str all = {0};
    Err err = file_read(store_path(store, &task->call, relative).ptr, LOGS_MAX, &task->call, &all);
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    const Value *tasks = value_map_get(fields, STR("tasks"));
    Buffer out = {0};
    int64_t count =
        choose_lines(all, level, tasks == NULL ? value_null() : *tasks, &task->call, &out);
    Str text = buffer_to_str(&out, &task->call);
    buffer_release(&out);
    push_str(L, text);
    lua_pushinteger(L, count);
    return 2;
}
