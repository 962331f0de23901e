// evaluate.c - one leaf: constants, the machine, and what a leaf asks for while it runs.
#include <string.h>

#include "base/file.h"
#include "run/driver.h"

// `deploy.yaml:14:23: message`, where the place is known.
static Str placed(const Execution *execution, uint32_t site, Str message, Arena *arena) {
    const SourceMap *map = &execution->artifact->source_map;
    if (site == 0 || site > map->site_count) return str_dup(arena, message);
    const SourceMapEntry *entry = &map->sites[site - 1];
    Str file = map->file.len > 0 ? map->file : STR("flow");
    return str_printf(arena, STR_FMT ":%u:%u: " STR_FMT, STR_ARG(file), entry->line, entry->column,
                      STR_ARG(message));
}

// --- what leaves ask for ------------------------------------------------------------------------

static LeafStatus answer_kv(Execution *execution, LeafRun *run) {
    const Plan *plan = &execution->artifact->plan;
    Str given = value_map_get_text(run->arguments, STR("namespace"), (Str){0});
    Str kv_namespace = given.len > 0 ? given : plan_text(plan, plan->flow.flow_namespace);
    Str key = value_map_get_text(run->arguments, STR("key"), (Str){0});
    if (execution->planner != NULL) {
        return leaf_answer(run,
                           value_text(str_printf(run->arena, "<kv." STR_FMT ">", STR_ARG(key))));
    }
    Value value = value_null();
    Err err = store_kv_get(execution->runtime->store, kv_namespace, key, run->arena, &value);
    // Where no namespace was named its parents are asked, too.
    while (err.code == ERR_NOT_FOUND && given.len == 0) {
        size_t dot = str_find_last_char(kv_namespace, '.');
        if (dot == STR_NOT_FOUND) break;
        kv_namespace = str_slice(kv_namespace, 0, dot);
        Err above = store_kv_get(execution->runtime->store, kv_namespace, key, run->arena, &value);
        if (above.code != ERR_NOT_FOUND) err = above;
    }
    if (err.code == ERR_NOT_FOUND &&
        !value_map_get_bool(run->arguments, STR("errorOnMissing"), true)) {
        return leaf_answer(run, value_null());
    }
    if (err.code != ERR_NONE) return leaf_refuse(run, LEAF_ERROR_KV, str_from(err.text));
    return leaf_answer(run, value);
}

// Messages of the lines at level ERROR, as errorLogs() gives them.
static LeafStatus answer_error_logs(Execution *execution, LeafRun *run) {
    log_flush(execution);
    Value list = value_list(run->arena);
    Str text = {0};
    Err err = err_none();
    if (execution->log != NULL) {
        err = file_read(log_file_path(execution->log), (size_t)64 << 20, run->arena, &text);
    }
    if (err.code != ERR_NONE) return leaf_refuse(run, LEAF_ERROR_FILE, str_from(err.text));
    Str piece = {0};
    while (str_split(&text, '\n', &piece)) {
        LogLine line;
        if (piece.len == 0 || !log_line_read(piece, run->arena, &line)) continue;
        if (line.level != LOG_ERROR) continue;
        Value map = value_map(run->arena);
        value_map_set(run->arena, map, STR("level"), value_text(STR("ERROR")));
        value_map_set(run->arena, map, STR("message"), value_text(line.message));
        if (line.task.len > 0) value_map_set(run->arena, map, STR("taskId"), value_text(line.task));
        if (line.run.len > 0) {
            value_map_set(run->arena, map, STR("taskRunId"), value_text(line.run));
        }
        value_list_add(run->arena, list, map);
    }
    return leaf_answer(run, list);
}

static LeafStatus read_failed(LeafRun *run, Str path) {
    Str text =
        str_printf(run->arena, "cannot read '" STR_FMT "': there is no such file", STR_ARG(path));
    return leaf_refuse(run, LEAF_ERROR_FILE, text);
}

static LeafStatus answer_read(Execution *execution, LeafRun *run) {
    Str function = value_map_get_text(run->arguments, STR("function"), STR("read"));
    Str path = value_map_get_text(run->arguments, STR("path"), (Str){0});
    if (path.len == 0) path = value_map_get_text(run->arguments, STR("uri"), (Str){0});
    Str text = {0};
    bool is_there = files_find(execution, path, run->arena, &text);
    if (str_eq(function, STR("fileExists"))) return leaf_answer(run, value_bool(is_there));
    if (str_eq(function, STR("fileURI"))) {
        if (!is_there) return read_failed(run, path);
        return leaf_answer(run,
                           value_text(str_printf(run->arena, "nsfile:///" STR_FMT, STR_ARG(path))));
    }
    if (!is_there && execution->planner != NULL) {
        return leaf_answer(run,
                           value_text(str_printf(run->arena, "<file." STR_FMT ">", STR_ARG(path))));
    }
    if (!is_there) return read_failed(run, path);
    if (str_eq(function, STR("fileSize"))) return leaf_answer(run, value_int((int64_t)text.len));
    if (str_eq(function, STR("isFileEmpty"))) return leaf_answer(run, value_bool(text.len == 0));
    return leaf_answer(run, value_text(text));
}

static LeafStatus answer(Execution *execution, LeafRun *run) {
    switch (run->need) {
    case LEAF_NEED_KV:
        return answer_kv(execution, run);
    case LEAF_NEED_READ:
        return answer_read(execution, run);
    case LEAF_NEED_ERROR_LOGS:
        return answer_error_logs(execution, run);
    case LEAF_NEED_HTTP:
        return run_ask_http(execution, run);
    case LEAF_NEED_RENDER:
        return leaf_refuse(run, LEAF_ERROR_OTHER,
                           STR("text that is known only at run time cannot be rendered"));
    }
    return leaf_refuse(run, LEAF_ERROR_OTHER, STR("this runtime cannot answer that"));
}

// --- leaves -------------------------------------------------------------------------------------

static void count_leaf(Runtime *runtime, const LeafError *error) {
    LeafStatistics *statistics = &runtime->leaf_statistics;
    statistics->evaluated++;
    if (error == NULL || runtime->options.context == NULL) return;
    statistics->failure = leaf_error_kind_name(error->kind);
    statistics->name = str_dup(&runtime->arena, error->name);
}

Evaluated run_evaluate(Execution *execution, PlanLeaf leaf, Scope *scope) {
    Evaluated result = {.is_ok = true};
    Arena *arena = scope->arena;
    if (leaf == PLAN_NONE) return result;
    if ((leaf & PLAN_CONSTANT) != 0) {
        Str json = plan_text(&execution->artifact->plan, leaf & ~PLAN_CONSTANT);
        Err err = json_parse(json, (JsonLimits){0}, arena, &result.value);
        result.is_ok = err.code == ERR_NONE;
        if (!result.is_ok) result.message = str_dup(arena, str_from(err.text));
        return result;
    }
    LeafRun run = {0};
    LeafStatus status = leaf_start(&run, execution->vm, leaf - 1, run_context(scope), arena);
    while (status == LEAF_NEEDS) status = answer(execution, &run);
    count_leaf(execution->runtime, status == LEAF_FAILED ? &run.error : NULL);
    result.touched = scope->touched;
    if (status == LEAF_DONE) {
        result.value = run.value;
    } else {
        result.is_ok = false;
        result.message = placed(execution, run.error.site, run.error.message, arena);
    }
    return result;
}
