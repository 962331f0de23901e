// attempt.c - attempts of tasks: properties, intent, the host's work, the result; and their logs.
//
// An attempt of a task with effects is launched only behind the commit of its STARTED. What it logs
// goes to the file as it comes; up to LOG_IN_ENDED bytes of it also travel in its ENDED, so that a
// quiet task needs no sync but the commit's.
#include <string.h>

#include "base/file.h"
#include "run/driver.h"

// --- masking ------------------------------------------------------------------------------------

Str run_mask_text(Execution *execution, Str text, Arena *arena) {
    Masker *masker = execution->runtime->masker;
    if (!masker_finds(masker, text)) return str_dup(arena, text);
    Buffer out = {0};
    masker_apply(masker, text, &out);
    Str masked = buffer_to_str(&out, arena);
    buffer_release(&out);
    return masked;
}

// What a script printed of a secret is kept masked.
Value run_mask_value(Execution *execution, Value value, Arena *arena) {
    return masker_value(execution->runtime->masker, value, arena);
}

// --- the log ------------------------------------------------------------------------------------

void log_flush(Execution *execution) {
    if (execution->log_lines.len == 0 || execution->log == NULL) return;
    Err err = log_file_add(execution->log, buffer_str(&execution->log_lines));
    buffer_clear(&execution->log_lines);
    execution->log_retry = 0;
    if (err.code != ERR_NONE) runtime_fail(execution->runtime, err);
}

// A busy task has many lines in a millisecond.
static Str line_head(Attempt *attempt, const LogLine *line) {
    bool is_new = attempt->head.len == 0 || attempt->head_ms != line->time_ms;
    if (is_new || attempt->head_level != line->level) {
        buffer_clear(&attempt->head);
        log_line_head(line, &attempt->head);
        attempt->head_ms = line->time_ms;
        attempt->head_level = line->level;
    }
    return buffer_str(&attempt->head);
}

void log_flush_soon(Execution *execution) {
    if (execution->log_lines.len == 0 || execution->log == NULL) return;
    if (execution->log_lines.len < execution->log_retry) return;
    Err err = log_file_add(execution->log, buffer_str(&execution->log_lines));
    bool may_wait = err.code == ERR_STORE && execution->log_lines.len < LOG_WAITING;
    if (err.code != ERR_NONE && !may_wait) runtime_fail(execution->runtime, err);
    execution->log_retry = may_wait ? execution->log_lines.len + LOG_PENDING : 0;
    if (!may_wait) buffer_clear(&execution->log_lines);
}

static void add_line(Execution *execution, Attempt *attempt, const LogLine *line) {
    size_t before = execution->log_lines.len;
    if (attempt == NULL) {
        log_line_write(line, &execution->log_lines);
    } else {
        buffer_add(&execution->log_lines, line_head(attempt, line));
        log_line_end(line->message, &execution->log_lines);
    }
    if (attempt != NULL && execution->log != NULL) {
        int64_t base = log_file_size(execution->log);
        if (attempt->log_from < 0) attempt->log_from = base + (int64_t)before;
        attempt->log_to = base + (int64_t)execution->log_lines.len;
        Str text = str_slice(buffer_str(&execution->log_lines), before, execution->log_lines.len);
        if (attempt->log.len + text.len <= LOG_IN_ENDED && !attempt->log_is_long) {
            buffer_add(&attempt->log, text);
        } else {
            attempt->log_is_long = true;
            buffer_release(&attempt->log);
        }
    }
    if (execution->log_lines.len >= LOG_PENDING) log_flush_soon(execution);
}

// Those of the attempt that the file has.
static int64_t count_lines(const Execution *execution, const Attempt *attempt) {
    Arena scratch = {0};
    Str mark = str_printf(&scratch, "\"taskRunId\":\"" STR_FMT "\",\"attempt\":%d,",
                          STR_ARG(attempt->run_text), attempt->number);
    // A quote in a message has a backslash before it, so the mark is none of a message.
    int64_t count = log_file_count(execution->log, mark);
    arena_release(&scratch);
    return count;
}

// Line by line.
static void write_masked(Execution *execution, Attempt *attempt, RunLog shown, Str left) {
    const RunObserver *observer = &execution->runtime->options.observer;
    if (attempt != NULL && attempt->is_mute) return;
    if (left.ptr == NULL) left = STR("");
    shown.execution = execution->id;
    if (shown.line.time_ms == 0) shown.line.time_ms = runtime_now(execution->runtime);
    while (log_split(&left, &shown.line.message)) {
        if (attempt != NULL && attempt->skip > 0) {
            attempt->skip--;
            continue;
        }
        if (execution->planner == NULL) add_line(execution, attempt, &shown.line);
        if (observer->log != NULL) observer->log(observer->self, &shown);
    }
}

static void write_lines(Execution *execution, Attempt *attempt, RunLog shown, Str text) {
    Arena scratch = {0};
    write_masked(execution, attempt, shown, run_mask_text(execution, text, &scratch));
    arena_release(&scratch);
}

static RunLog line_of(const Attempt *attempt, LogLevel level) {
    return (RunLog){
        .place = attempt->place,
        .line = {.level = level,
                 .task = attempt->task_id,
                 .run = attempt->run_text,
                 .attempt = attempt->number}
    };
}

static void attempt_lines(Attempt *attempt, LogLevel level, Str text) {
    write_lines(attempt->execution, attempt, line_of(attempt, level), text);
}

void execution_log(Execution *execution, LogLevel level, Str message) {
    write_lines(execution, NULL, (RunLog){.line = {.level = level}}, message);
}

void run_log(Execution *execution, const TaskRunView *view, LogLevel level, Str message) {
    Arena scratch = {0};
    char id[33];
    run_id_print(view->id, id);
    RunLog shown = {
        .place = run_place(execution->engine, view->id, &scratch),
        .line = {
                 .level = level, .task = view->task, .run = str_from(id), .attempt = view->attempts}
    };
    write_lines(execution, NULL, shown, message);
    arena_release(&scratch);
}

// What of an attempt's log did not reach the disk before a crash of the machine is in its ENDED.
Err log_repair(Execution *execution, const Event *event) {
    if (event->kind != EVENT_ENDED && event->kind != EVENT_DONE) return err_none();
    const Value *log = value_map_get(event->more, STR("log"));
    if (log == NULL || execution->log == NULL) return err_none();
    int64_t to = value_map_get_int(*log, STR("to"), 0);
    if (to <= log_file_size(execution->log)) return err_none();
    Str text = value_map_get_text(*log, STR("text"), (Str){0});
    return text.len == 0 ? err_none() : log_file_add(execution->log, text);
}

static Value log_range(const Attempt *attempt, Arena *arena) {
    if (attempt->log_from < 0) return value_null();
    Value map = value_map(arena);
    value_map_set(arena, map, STR("from"), value_int(attempt->log_from));
    value_map_set(arena, map, STR("to"), value_int(attempt->log_to));
    if (!attempt->log_is_long) {
        value_map_set(arena, map, STR("text"), value_text(buffer_to_str(&attempt->log, arena)));
    }
    return map;
}

// --- the life of an attempt ---------------------------------------------------------------------

static Attempt *attempt_new(Execution *execution, const Action *action) {
    Attempt *attempt = heap_alloc(1, sizeof *attempt);
    const Plan *plan = &execution->artifact->plan;
    const PlanNode *node = &plan->nodes[action->node];
    TaskRunView view = {0};
    attempt->execution = execution;
    attempt->run = action->run;
    attempt->node = action->node;
    attempt->number = action->attempt;
    attempt->timeout_ms = action->timeout_ms;
    attempt->log_from = -1;
    attempt->is_pure = (node->flags & NODE_PURE) != 0;
    attempt->key = str_dup(&attempt->arena, action->id);
    attempt->task_id = plan_text(plan, node->id);
    char text[33];
    run_id_print(action->run, text);
    attempt->run_text = str_dup(&attempt->arena, str_from(text));
    if (engine_run(execution->engine, action->run, &view) && view.has_value) {
        attempt->value = str_dup(&attempt->arena, view.value);
    }
    attempt->place = run_place(execution->engine, action->run, &attempt->arena);
    attempt->next = execution->attempts;
    execution->attempts = attempt;
    return attempt;
}

static void attempt_free(Attempt *attempt) {
    Attempt **link = &attempt->execution->attempts;
    while (*link != NULL && *link != attempt) link = &(*link)->next;
    if (*link != NULL) *link = attempt->next;
    buffer_release(&attempt->log);
    buffer_release(&attempt->head);
    arena_release(&attempt->arena);
    heap_free(attempt);
}

void attempt_free_all(Execution *execution) {
    while (execution->attempts != NULL) attempt_free(execution->attempts);
}

// ENDED, or DONE of a pure task.
static Event *report_end(Attempt *attempt, State state, Begun begun, Str message) {
    Execution *execution = attempt->execution;
    Arena *arena = turn_arena(execution);
    Event *event =
        turn_report(execution, attempt->is_pure ? EVENT_DONE : EVENT_ENDED, attempt->run);
    event->attempt = attempt->number;
    event->state = state;
    event->begun = begun;
    event->text = run_mask_text(execution, message, arena);
    event->exit_code = -1;
    return event;
}

static void finish_log(Attempt *attempt, Value more, Arena *arena) {
    Value range = log_range(attempt, arena);
    if (range.kind == VALUE_MAP) value_map_set(arena, more, STR("log"), range);
    if (attempt->log_is_long) attempt->execution->log_needs_sync = true;
}

// An attempt that ends before the host has it.
static void end_early(Attempt *attempt, State state, Str message, const char *class) {
    Execution *execution = attempt->execution;
    Arena *arena = turn_arena(execution);
    if (state == STATE_FAILED) attempt_lines(attempt, LOG_ERROR, message);
    Event *event = report_end(attempt, state, BEGUN_NEVER, message);
    event->error_class = str_from(class);
    event->more = value_map(arena);
    finish_log(attempt, event->more, arena);
    attempt_free(attempt);
    turn_schedule(execution);
}

static State state_of(const HostResult *result) {
    State state = STATE_FAILED;
    if (result->is_killed) return STATE_KILLED;
    if (result->is_timeout) return STATE_FAILED;
    if (result->state.len > 0 && state_from(result->state, &state)) return state;
    return result->is_ok ? STATE_SUCCESS : STATE_FAILED;
}

static Begun begun_of(const HostResult *result) {
    if (result->is_ok || !result->has_begun) return BEGUN_NEVER;
    return str_eq(result->error_class, STR("ambiguous")) ? BEGUN_UNKNOWN : BEGUN_FAILED;
}

// --- results of earlier executions
// ----------------------------------------------------------------

// What a result follows from: the task, and its properties as they are rendered. Secrets count by
// their names.
static Hash key_of_result(const Attempt *attempt, Value properties) {
    const Plan *plan = &attempt->execution->artifact->plan;
    const PlanNode *node = &plan->nodes[attempt->node];
    Buffer text = {0};
    const Str parts[] = {plan_text(plan, plan->flow.flow_namespace), plan_text(plan, plan->flow.id),
                         attempt->task_id, plan_text(plan, node->type)};
    for (size_t i = 0; i < COUNT(parts); i++) {
        buffer_add(&text, parts[i]);
        buffer_add_char(&text, '\n');
    }
    json_write(&text, properties, JSON_COMPACT, JSON_KEEP_SECRETS);
    Hash key = hash_bytes(buffer_str(&text));
    buffer_release(&text);
    return key;
}

static void keep_result(Attempt *attempt, Value outputs) {
    Execution *execution = attempt->execution;
    int64_t ttl = execution->artifact->plan.nodes[attempt->node].cache_ttl;
    *LIST_ADD(turn_arena(execution), &execution->turn.results, CachedResult) =
        (CachedResult){.key = attempt->kept_key,
                       .value = outputs,
                       .expires_ms = ttl > 0 ? runtime_now(execution->runtime) + ttl : 0};
}

// True: the attempt has ended with a result that was kept.
static bool uses_result(Attempt *attempt, Value properties) {
    Execution *execution = attempt->execution;
    const PlanNode *node = &execution->artifact->plan.nodes[attempt->node];
    if ((node->flags & NODE_CACHE) == 0 || execution->planner != NULL) return false;
    attempt->is_kept = true;
    attempt->kept_key = key_of_result(attempt, properties);
    Arena *arena = turn_arena(execution);
    Value outputs;
    Err err = store_cache_get(execution->runtime->store, &attempt->kept_key, arena, &outputs);
    if (err.code != ERR_NONE || !files_are_there(execution, outputs)) return false;
    attempt_lines(attempt, LOG_INFO, STR("the result of an earlier run is used"));
    Event *event = report_end(attempt, STATE_SUCCESS, BEGUN_NEVER, (Str){0});
    event->value = outputs;
    event->more = value_map(arena);
    finish_log(attempt, event->more, arena);
    attempt_free(attempt);
    turn_schedule(execution);
    return true;
}

static void report_unknown(Execution *execution, RunId run, int32_t number, Str text) {
    Event *event = turn_report(execution, EVENT_UNKNOWN, run);
    event->attempt = number;
    event->text = text;
    OnUnknown policy = execution->runtime->config.on_unknown;
    if (policy == UNKNOWN_PAUSE) return;
    event = turn_report(execution, EVENT_UNKNOWN_RESOLVED, run);
    event->attempt = number;
    event->state = policy == UNKNOWN_RETRY ? STATE_CREATED : STATE_FAILED;
}

static void host_ended(void *self, HostTask *task, const HostResult *result) {
    (void)self;
    Attempt *attempt = host_task_user(task);
    Execution *execution = attempt->execution;
    Arena *arena = turn_arena(execution);
    for (uint32_t i = 0; result->spent.kind == VALUE_LIST && i < result->spent.as.list->count;
         i++) {
        Str path = result->spent.as.list->items[i].as.text;
        *LIST_ADD(arena, &execution->turn.spent, Str) = str_dup(arena, path);
    }
    if (result->is_unknown) {
        attempt_lines(attempt, LOG_ERROR, result->message);
        Str text = run_mask_text(execution, result->message, arena);
        report_unknown(execution, attempt->run, attempt->number, text);
        attempt_free(attempt);
        turn_schedule(execution);
        return;
    }
    State state = state_of(result);
    if (state == STATE_FAILED && result->message.len > 0) {
        attempt_lines(attempt, LOG_ERROR, result->message);
    }
    Event *event = report_end(attempt, state, begun_of(result), result->message);
    event->exit_code = result->exit_code;
    event->error_class = str_dup(arena, result->error_class);
    if (result->is_timeout) event->error_class = STR("timeout");
    if (result->is_killed) event->error_class = STR("killed");
    Value outputs = attempt->is_mute ? value_map(arena) : result->outputs;
    if (execution->planner != NULL) planner_ended(execution, attempt, result, arena, &outputs);
    event->value = run_mask_value(execution, outputs, arena);
    if (attempt->is_kept && state == STATE_SUCCESS) keep_result(attempt, event->value);
    event->more = value_map(arena);
    if (result->metrics.kind == VALUE_LIST && result->metrics.as.list->count > 0) {
        value_map_set(arena, event->more, STR("metrics"), value_copy(arena, result->metrics));
    }
    if (result->effects.kind == VALUE_LIST && result->effects.as.list->count > 0) {
        value_map_set(arena, event->more, STR("effects"),
                      run_mask_value(execution, result->effects, arena));
    }
    if (result->retry_after_ms > 0 && !result->is_ok) {
        value_map_set(arena, event->more, STR("pause"), value_int(result->retry_after_ms));
    }
    finish_log(attempt, event->more, arena);
    attempt_free(attempt);
    turn_schedule(execution);
}

static void host_log(void *self, HostTask *task, int level, Str text) {
    (void)self;
    Attempt *attempt = host_task_user(task);
    LogLevel log_level = level < 0 || level >= LOG_LEVEL_COUNT ? LOG_INFO : (LogLevel)level;
    write_masked(attempt->execution, attempt, line_of(attempt, log_level), text);
}

// The clock is read for some of the lines that one piece of output brings.
static void host_output(void *self, HostTask *task, int level, Str text) {
    (void)self;
    enum { LINES_A_LOOK = 16 };
    Attempt *attempt = host_task_user(task);
    int64_t round_ms = loop_now_ms(attempt->execution->runtime->loop);
    bool is_new = round_ms != attempt->round_ms || attempt->in_round % LINES_A_LOOK == 0;
    RunLog line = line_of(attempt, (LogLevel)level);
    if (!is_new) line.line.time_ms = attempt->head_ms;
    attempt->in_round = round_ms == attempt->round_ms ? attempt->in_round + 1 : 1;
    attempt->round_ms = round_ms;
    write_masked(attempt->execution, attempt, line, text);
}

static Err host_checkpoint(void *self, HostTask *task, Value value) {
    (void)self;
    Attempt *attempt = host_task_user(task);
    Execution *execution = attempt->execution;
    if (execution->planner != NULL || attempt->is_pure) return err_none();
    Event *event = turn_report(execution, EVENT_CHECKPOINT, attempt->run);
    event->attempt = attempt->number;
    event->value = run_mask_value(execution, value, turn_arena(execution));
    turn_run(execution);
    return execution->runtime->failure;
}

static int64_t host_logged(void *self, HostTask *task) {
    (void)self;
    Attempt *attempt = host_task_user(task);
    Execution *execution = attempt->execution;
    if (execution->log == NULL) return 0;
    log_flush(execution);
    return count_lines(execution, attempt);
}

static void host_skip(void *self, HostTask *task, int64_t lines) {
    (void)self;
    Attempt *attempt = host_task_user(task);
    attempt->skip = lines > 0 ? lines : 0;
}

static Err host_item(void *self, HostTask *task, Value item, Arena *arena, Value *out) {
    (void)self;
    Attempt *attempt = host_task_user(task);
    Execution *execution = attempt->execution;
    const PlanNode *node = &execution->artifact->plan.nodes[attempt->node];
    Scope scope = {
        .execution = execution, .arena = arena, .node = node, .run = attempt->run, .roots = &item};
    Evaluated result = run_evaluate(execution, node->leaf_a, &scope);
    *out = result.value;
    if (result.is_ok) return err_none();
    return err_make(ERR_INPUT, STR_FMT, STR_ARG(result.message));
}

static Value task_context(const Attempt *attempt, Arena *arena) {
    const Execution *execution = attempt->execution;
    const Plan *plan = &execution->artifact->plan;
    Value map = value_map(arena);
    value_map_set(arena, map, STR("execution_id"), value_text(execution->id));
    value_map_set(arena, map, STR("namespace"),
                  value_text(plan_text(plan, plan->flow.flow_namespace)));
    value_map_set(arena, map, STR("flow_id"), value_text(plan_text(plan, plan->flow.id)));
    value_map_set(arena, map, STR("flow_revision"), value_int(execution->revision));
    value_map_set(arena, map, STR("state"),
                  value_text(str_from(state_name(engine_state(execution->engine)))));
    const Value *labels = engine_labels(execution->engine);
    if (labels != NULL) value_map_set(arena, map, STR("labels"), value_copy(arena, *labels));
    return map;
}

// The run of the WorkingDirectory it stands in.
static bool shared_run(const Execution *execution, RunId at, TaskRunView *view) {
    const Plan *plan = &execution->artifact->plan;
    while (engine_run(execution->engine, at, view) && !run_id_is_zero(view->parent)) {
        at = view->parent;
        if (!engine_run(execution->engine, at, view)) return false;
        if ((plan->nodes[view->node].flags & NODE_WORKDIR) != 0) return true;
    }
    return false;
}

// True once for each: its files are laid out by the first task. A folder that is there was laid out
// by an earlier owner.
static bool is_first_in(Execution *execution, RunId run, Str folder) {
    for (uint32_t i = 0; i < execution->laid_out.count; i++) {
        RunId known = execution->laid_out.items[i];
        if (memcmp(known.bytes, run.bytes, sizeof run.bytes) == 0) return false;
    }
    *LIST_ADD(&execution->arena, &execution->laid_out, RunId) = run;
    return execution->planner != NULL || !path_exists(folder.ptr);
}

// What a WorkingDirectory was told: recorded, or a constant.
static Value folder_properties(Execution *execution, const TaskRunView *view, Arena *arena) {
    const PlanNode *node = &execution->artifact->plan.nodes[view->node];
    const Value *resolved = engine_resolved(execution->engine, view->id, SLOT_PROPS);
    if (resolved != NULL) return *resolved;
    Scope scope = {.execution = execution, .arena = arena, .node = node, .run = view->id};
    return run_evaluate(execution, node->leaf_props, &scope).value;
}

static Value shared_files(Attempt *attempt, const TaskRunView *view, Str folder) {
    Execution *execution = attempt->execution;
    const PlanNode *node = &execution->artifact->plan.nodes[view->node];
    if (node->leaf_props == PLAN_NONE || !is_first_in(execution, view->id, folder)) {
        return value_null();
    }
    return folder_properties(execution, view, &attempt->arena);
}

static Str folder_of_run(const Execution *execution, RunId run, Arena *arena) {
    char id[33];
    run_id_print(run, id);
    Str work = path_join(arena, execution_folder(execution, arena), STR("work"));
    return path_join(arena, work, str_from(id));
}

Str run_work_folder(const Execution *execution, RunId run, Arena *arena) {
    TaskRunView view;
    bool is_shared = shared_run(execution, run, &view);
    return folder_of_run(execution, is_shared ? view.id : run, arena);
}

Err folder_outputs(Execution *execution, RunId run, Arena *arena, Value *out) {
    TaskRunView view;
    *out = value_null();
    if (!engine_run(execution->engine, run, &view)) return err_none();
    Value properties = folder_properties(execution, &view, arena);
    const Value *globs = value_map_get(properties, STR("outputFiles"));
    if (globs == NULL || globs->kind == VALUE_NULL) return err_none();
    char id[33];
    run_id_print(run, id);
    HostStart start = {.task_id = view.task,
                       .run_id = str_from(id),
                       .workdir = folder_of_run(execution, run, arena)};
    Value files;
    TRY(host_take_files(execution->host, &start, *globs, arena, &files));
    *out = value_map(arena);
    value_map_set(arena, *out, STR("outputFiles"), files);
    return err_none();
}

Err folder_keep_cache(Execution *execution, const TaskRunView *view, Arena *arena) {
    const PlanNode *node = &execution->artifact->plan.nodes[view->node];
    if (execution->host == NULL || execution->planner != NULL || node->leaf_props == PLAN_NONE) {
        return err_none();
    }
    Value properties = folder_properties(execution, view, arena);
    const Value *cache = value_map_get(properties, STR("cache"));
    HostStart start = {.task_id = view->task,
                       .value = view->has_value ? view->value : (Str){0},
                       .workdir = folder_of_run(execution, view->id, arena)};
    if (cache == NULL || cache->kind != VALUE_MAP || !path_exists(start.workdir.ptr)) {
        return err_none();
    }
    return host_keep_cache(execution->host, &start, *cache, arena);
}

static HostStart start_of(Attempt *attempt) {
    const Execution *execution = attempt->execution;
    const Plan *plan = &execution->artifact->plan;
    const PlanNode *node = &plan->nodes[attempt->node];
    Arena *arena = &attempt->arena;
    HostStart start = {
        .module = node->module - 1,
        .task_id = attempt->task_id,
        .task_type = plan_text(plan, node->type),
        .run_id = attempt->run_text,
        .value = attempt->value,
        .idempotency_key = attempt->key,
        .attempt = attempt->number,
        .props = attempt->props,
        .context = task_context(attempt, arena),
        .timeout_ms = attempt->timeout_ms,
        .log_level = node->log_level == 0 ? LOG_TRACE : node->log_level - 1,
        .callbacks = {.log = host_log,
                      .output = host_output,
                      .checkpoint = host_checkpoint,
                      .logged = host_logged,
                      .skip = host_skip,
                      .item = node->leaf_a == PLAN_NONE ? NULL : host_item,
                      .ended = host_ended,
                      .self = attempt->execution},
        .user = attempt,
    };
    TaskRunView view;
    if (shared_run(execution, attempt->run, &view)) {
        start.workdir = folder_of_run(execution, view.id, arena);
        start.shared = shared_files(attempt, &view, start.workdir);
        start.shared_task = view.task;
        start.shared_value = view.has_value ? view.value : (Str){0};
    }
    return start;
}

void attempt_launch(Attempt *attempt) {
    Execution *execution = attempt->execution;
    if (attempt->is_cancelled) {
        end_early(attempt, STATE_KILLED, STR("killed before it began"), "killed");
        return;
    }
    HostStart start = start_of(attempt);
    bool is_recovery = attempt->is_recovery;
    Value checkpoint = attempt->checkpoint;
    // The attempt may be gone when these return.
    HostTask *task = is_recovery ? host_recover(execution->host, &start, checkpoint)
                                 : host_start(execution->host, &start);
    for (Attempt *left = execution->attempts; left != NULL && task != NULL; left = left->next) {
        if (left == attempt) left->task = task;
    }
}

// --- the engine's words -------------------------------------------------------------------------

static bool has_module(const Execution *execution, const PlanNode *node, const char **why) {
    const Plan *plan = &execution->artifact->plan;
    if (node->kind == NODE_TASK && node->module != PLAN_NONE &&
        plan->modules[node->module - 1].code != 0) {
        return true;
    }
    *why = "is not in the artifact: compile the flow again";
    return false;
}

void attempt_prepare(Execution *execution, const Action *action) {
    const Plan *plan = &execution->artifact->plan;
    const PlanNode *node = &plan->nodes[action->node];
    Attempt *attempt = attempt_new(execution, action);
    const char *why = NULL;
    if (!has_module(execution, node, &why)) {
        Str text = str_printf(&attempt->arena, "task type '" STR_FMT "' %s",
                              STR_ARG(plan_text(plan, node->type)), why);
        end_early(attempt, STATE_FAILED, text, "permanent");
        return;
    }
    Scope scope = {
        .execution = execution, .arena = turn_arena(execution), .node = node, .run = action->run};
    if (execution->planner != NULL) planner_begin(execution);
    Evaluated props = run_evaluate(execution, node->leaf_props, &scope);
    if (execution->planner != NULL) attempt->assumed = planner_end(execution);
    if (!props.is_ok && execution->planner != NULL && props.touched) {
        planner_unrendered(execution, attempt, props.message);
        end_early(attempt, STATE_SUCCESS, (Str){0}, "ok");
        return;
    }
    if (!props.is_ok) {
        end_early(attempt, STATE_FAILED, str_dup(&attempt->arena, props.message), "permanent");
        return;
    }
    if (props.value.kind != VALUE_MAP) props.value = value_map(turn_arena(execution));
    if (uses_result(attempt, props.value)) return;
    attempt->props = value_copy(&attempt->arena, props.value);
    if (attempt->is_pure) {
        attempt_launch(attempt);
        return;
    }
    Event *event = turn_report(execution, EVENT_STARTED, attempt->run);
    event->attempt = attempt->number;
    event->id = attempt->key;
    event->value = props.value;
    turn_after(execution, action, attempt);
}

// What goes on prints what it was given, and this process has not seen those secrets yet.
static Err learn_secrets(Execution *execution, Value properties) {
    if (!value_has_secret(properties)) return err_none();
    Buffer plain = {.is_wiped = true};
    Err err = secrets_print_revealed(execution->secrets, properties, &plain);
    buffer_release(&plain);
    return err;
}

void attempt_recover(Execution *execution, const Action *action) {
    const PlanNode *node = &execution->artifact->plan.nodes[action->node];
    if (node->kind == NODE_ITEMS) {  // splitting and merging may be done again
        turn_after(execution, action, NULL);
        return;
    }
    const Value *props = value_map_get(action->value, STR("properties"));
    const Value *checkpoint = value_map_get(action->value, STR("checkpoint"));
    if (checkpoint != NULL && checkpoint->kind == VALUE_NULL) checkpoint = NULL;
    Value given = props == NULL ? value_map(turn_arena(execution)) : *props;
    const char *why = NULL;
    HostRecovery way = HOST_ASK;
    if (has_module(execution, node, &why)) {
        way = host_recovery(execution->host, node->module - 1, given, checkpoint != NULL);
    }
    switch (way) {
    case HOST_ASK:
        report_unknown(execution, action->run, action->attempt,
                       STR("the process that ran it ended before its result was known"));
        return;
    case HOST_RERUN:
    case HOST_RERUN_KEYED:
    case HOST_CALL_RECOVER: {
        Err err = way == HOST_CALL_RECOVER ? learn_secrets(execution, given) : err_none();
        if (err.code != ERR_NONE && !execution->runtime->options.only_ends) {
            runtime_fail(execution->runtime,
                         err_wrap(err, "what was under way cannot be gone on with, for its output "
                                       "could not be masked"));
            return;
        }
        Attempt *attempt = attempt_new(execution, action);
        attempt->is_mute = err.code != ERR_NONE;
        attempt->props = value_copy(&attempt->arena, given);
        if (checkpoint != NULL) attempt->checkpoint = value_copy(&attempt->arena, *checkpoint);
        attempt->is_recovery = way == HOST_CALL_RECOVER;
        turn_after(execution, action, attempt);
        return;
    }
    }
}

static Attempt *find_attempt(Execution *execution, const Action *action) {
    for (Attempt *attempt = execution->attempts; attempt != NULL; attempt = attempt->next) {
        if (attempt->number == action->attempt &&
            memcmp(attempt->run.bytes, action->run.bytes, sizeof action->run.bytes) == 0) {
            return attempt;
        }
    }
    return NULL;
}

// True where the module was asked.
static bool kill_left_over(Execution *execution, const Action *action, Str reason) {
    const PlanNode *node = &execution->artifact->plan.nodes[action->node];
    const Value *checkpoint = value_map_get(action->value, STR("checkpoint"));
    const Value *props = value_map_get(action->value, STR("properties"));
    const char *why = NULL;
    if (checkpoint == NULL || checkpoint->kind == VALUE_NULL || props == NULL ||
        execution->host == NULL || !has_module(execution, node, &why)) {
        return false;
    }
    Attempt *attempt = attempt_new(execution, action);
    attempt->props = value_copy(&attempt->arena, *props);
    HostStart start = start_of(attempt);
    HostTask *task = host_kill(execution->host, &start, *checkpoint, reason);
    for (Attempt *left = execution->attempts; left != NULL && task != NULL; left = left->next) {
        if (left == attempt) left->task = task;
    }
    return true;
}

void attempt_cancel(Execution *execution, const Action *action) {
    Attempt *attempt = find_attempt(execution, action);
    Str reason = value_map_get_text(action->value, STR("reason"), STR("killed"));
    if (attempt != NULL && attempt->task != NULL) {
        host_cancel(attempt->task, reason, false);
        return;
    }
    if (attempt != NULL) {
        attempt->is_cancelled = true;
        return;
    }
    // Left over from before a take-over: its processes were ended when this process began. What it
    // has elsewhere (a container, a pod) its module ends by the checkpoint.
    if (kill_left_over(execution, action, reason)) return;
    Event *event = turn_report(execution, EVENT_ENDED, action->run);
    event->attempt = action->attempt;
    event->state = STATE_KILLED;
    event->begun = BEGUN_UNKNOWN;
    event->error_class = STR("killed");
    event->text = str_dup(turn_arena(execution), reason);
    event->exit_code = -1;
    turn_schedule(execution);
}
