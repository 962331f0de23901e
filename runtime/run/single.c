// single.c - one task by itself, without an engine: for engines that are not ours, and as the
// mirror image of external types (host/HANDLERS.md).
//
// The task's properties come as values, not as expressions; nothing is stored but what the task
// itself puts into internal storage.
#include <string.h>

#include "run/driver.h"

typedef struct Single {
    const SingleObserver *observer;
    Arena *arena;
    bool is_over;
    int status;
} Single;

static void say(const Single *single, const char *kind, Value value) {
    Value message = value_map(single->arena);
    value_map_set(single->arena, message, str_from(kind), value);
    single->observer->say(single->observer->self, message);
}

static void on_log(void *self, HostTask *task, int level, Str text) {
    (void)task;
    const Single *single = self;
    Value log = value_map(single->arena);
    LogLevel known = level < 0 || level >= LOG_LEVEL_COUNT ? LOG_INFO : (LogLevel)level;
    value_map_set(single->arena, log, STR("level"), value_text(str_from(log_level_name(known))));
    value_map_set(single->arena, log, STR("message"), value_text(text));
    say(single, "log", log);
}

static Err on_checkpoint(void *self, HostTask *task, Value value) {
    (void)task;
    say(self, "checkpoint", value);
    return err_none();
}

// The exit codes of the contract.
static int status_of(const HostResult *result) {
    enum { OK = 0, WARNING = 10, RETRYABLE = 20, PERMANENT = 30, SKIPPED = 40, UNKNOWN = 50 };
    if (result->is_ok || str_eq(result->state, STR("SUCCESS"))) return OK;
    if (str_eq(result->state, STR("WARNING"))) return WARNING;
    if (str_eq(result->state, STR("SKIPPED"))) return SKIPPED;
    if (str_eq(result->error_class, STR("ambiguous"))) return UNKNOWN;
    bool is_retryable = str_eq(result->error_class, STR("transient")) ||
                        str_eq(result->error_class, STR("throttled"));
    return is_retryable ? RETRYABLE : PERMANENT;
}

static void on_ended(void *self, HostTask *task, const HostResult *result) {
    (void)task;
    Single *single = self;
    for (uint32_t i = 0; i < result->metrics.as.list->count; i++) {
        say(single, "metric", result->metrics.as.list->items[i]);
    }
    say(single, "outputs", result->outputs);
    single->status = status_of(result);
    if (single->status != 0) {
        Value error = value_map(single->arena);
        value_map_set(single->arena, error, STR("message"), value_text(result->message));
        value_map_set(single->arena, error, STR("class"), value_text(result->error_class));
        if (result->retry_after_ms >= 0) {
            value_map_set(single->arena, error, STR("retryAfter"),
                          value_float((double)result->retry_after_ms / 1000));
        }
        say(single, "error", error);
    }
    single->is_over = true;
}

// `{"$secret": NAME}` is a secret of this host, wherever it stands.
static Value with_secrets(Value value, Arena *arena) {
    if (value.kind == VALUE_LIST) {
        Value out = value_list(arena);
        for (uint32_t i = 0; i < value.as.list->count; i++) {
            value_list_add(arena, out, with_secrets(value.as.list->items[i], arena));
        }
        return out;
    }
    if (value.kind != VALUE_MAP) return value;
    Str name = value_map_get_text(value, STR("$secret"), STR(""));
    if (name.len > 0 && value.as.map->count == 1) {
        Value *recipe = arena_new(arena, Value);
        *recipe = value_map(arena);
        value_map_set(arena, *recipe, STR("op"), value_text(STR("secret")));
        value_map_set(arena, *recipe, STR("name"), value_text(name));
        return (Value){.kind = VALUE_SECRET, .as.secret = recipe};
    }
    Value out = value_map(arena);
    for (uint32_t i = 0; i < value.as.map->count; i++) {
        const ValueMember *member = &value.as.map->members[i];
        value_map_set(arena, out, member->key, with_secrets(member->value, arena));
    }
    return out;
}

static const PlanNode *find_node(const Plan *plan, Str task) {
    for (uint32_t i = 0; i < plan->node_count; i++) {
        if (str_eq(plan_text(plan, plan->nodes[i].id), task)) return &plan->nodes[i];
    }
    return NULL;
}

static Err start_of(Execution *execution, Str task, Value request, HostStart *out) {
    const Plan *plan = &execution->artifact->plan;
    const PlanNode *node = find_node(plan, task);
    Arena *arena = &execution->arena;
    if (node == NULL) {
        return err_make(ERR_NOT_FOUND, "the flow has no task '" STR_FMT "'", STR_ARG(task));
    }
    if (node->kind != NODE_TASK || node->module == PLAN_NONE) {
        return err_make(ERR_USAGE, "'" STR_FMT "' is no task that can be run by itself",
                        STR_ARG(task));
    }
    const Value *props = value_map_get(request, STR("props"));
    if (props == NULL || props->kind != VALUE_MAP) {
        return err_make(ERR_INPUT, "standard input must be a JSON object with the properties of "
                                   "the task in 'props'");
    }
    const Value *context = value_map_get(request, STR("context"));
    *out = (HostStart){
        .module = node->module - 1,
        .task_id = plan_text(plan, node->id),
        .task_type = plan_text(plan, node->type),
        .run_id = execution->id,
        .idempotency_key = execution->id,
        .attempt = (int32_t)value_map_get_int(request, STR("attempt"), 1),
        .props = with_secrets(*props, arena),
        .context = context != NULL ? *context : value_map(arena),
    };
    if (context != NULL) {
        out->idempotency_key =
            value_map_get_text(*context, STR("idempotency_key"), out->idempotency_key);
        out->value = value_map_get_text(*context, STR("value"), STR(""));
    }
    return err_none();
}

Err run_single(Runtime *runtime, const Artifact *artifact, Str task, Value request,
               const SingleObserver *observer, int *status) {
    Arena arena = {0};
    Single single = {.observer = observer, .arena = &arena};
    Execution *execution = execution_new(runtime, run_new_id(runtime->clock, &arena), artifact);
    HostStart start = {0};
    Err err = execution_prepare(execution);
    if (err.code == ERR_NONE) err = start_of(execution, task, request, &start);
    if (err.code == ERR_NONE) {
        start.callbacks = (HostCallbacks){
            .log = on_log, .checkpoint = on_checkpoint, .ended = on_ended, .self = &single};
        const Value *checkpoint = value_map_get(request, STR("checkpoint"));
        if (checkpoint != NULL && checkpoint->kind != VALUE_NULL) {
            host_recover(execution->host, &start, *checkpoint);
        } else {
            host_start(execution->host, &start);
        }
        while (!single.is_over && loop_run_once(runtime->loop, -1)) {
        }
    }
    *status = single.status;
    arena_release(&arena);
    return err;
}
