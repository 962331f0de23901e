// create.c - an execution comes to be: its id, labels, inputs and secrets, the checks and the limit
// of the flow.
#include <string.h>

#include "base/crypto.h"
#include "base/file.h"
#include "run/driver.h"
#include "value/convert.h"

Str run_new_id(const Clock *clock, Arena *arena) {
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    char text[23] = "";
    size_t count = 0;
    while (count < 22) {
        uint8_t byte = 0;
        clock->random(clock->self, &byte, 1);
        if (byte >= 248) continue;  // 4 * 62: no digit is likelier than another
        text[count++] = digits[byte % 62];
    }
    return str_dup(arena, (Str){text, 22});
}

static Value labels_for(const Execution *execution, const RunStart *start, Arena *arena) {
    const Plan *plan = &execution->artifact->plan;
    Value labels = value_map(arena);
    for (uint32_t i = 0; i < plan->flow_label_count; i++) {
        Str key = plan_text(plan, plan->labels[i].key);
        if (str_starts_with(key, STR("system."))) continue;
        value_map_set(arena, labels, key, value_text(plan_text(plan, plan->labels[i].value)));
    }
    Value more[] = {start->labels, start->system_labels};
    for (size_t k = 0; k < COUNT(more); k++) {
        for (uint32_t i = 0; more[k].kind == VALUE_MAP && i < more[k].as.map->count; i++) {
            const ValueMember *member = &more[k].as.map->members[i];
            value_map_set(arena, labels, member->key, value_copy(arena, member->value));
        }
    }
    if (value_map_get(labels, STR("system.correlationId")) == NULL) {
        value_map_set(arena, labels, STR("system.correlationId"), value_text(execution->id));
    }
    return labels;
}

// Checks of the flow (1.2+): the most severe of those that fail counts.
static Err run_checks(Execution *execution, Value inputs, Arena *arena, InputFault *fault,
                      Event *created) {
    const Plan *plan = &execution->artifact->plan;
    Value roots = value_map(arena);
    value_map_set(arena, roots, STR("inputs"), inputs);
    for (uint32_t i = 0; i < plan->check_count; i++) {
        const PlanCheck *check = &plan->checks[i];
        Scope scope = {.execution = execution, .arena = arena, .roots = &roots};
        Evaluated result = run_evaluate(execution, check->condition, &scope);
        Str text = result.is_ok ? value_to_text(arena, result.value) : result.message;
        if (result.is_ok && condition_is_true(text)) continue;
        Str message = result.is_ok ? plan_text(plan, check->message) : text;
        if (check->behavior == 0) {
            if (fault != NULL)
                *fault = (InputFault){.rule = STR("check"), .message = str_dup(arena, message)};
            return err_make(ERR_INPUT, "a check of the flow refuses it: " STR_FMT,
                            STR_ARG(message));
        }
        if (check->behavior == 1) {
            created->state = STATE_FAILED;
            created->text = message;
        } else {
            execution_log(execution, LOG_WARN, message);
        }
    }
    return err_none();
}

// Running executions of the same flow, against its `concurrency`.
static Err check_limit(Execution *execution, Event *created) {
    const Plan *plan = &execution->artifact->plan;
    if (plan->flow.concurrency_limit <= 0 || execution->planner != NULL) return err_none();
    int64_t running = 0;
    TRY(runtime_running(execution, &running));
    if (running < plan->flow.concurrency_limit) return err_none();
    static const State states[] = {STATE_QUEUED, STATE_CANCELLED, STATE_FAILED};
    created->state = states[plan->flow.concurrency_behavior % COUNT(states)];
    created->text = str_printf(turn_arena(execution),
                               "the flow's concurrency limit of %d is reached, %lld running",
                               plan->flow.concurrency_limit, (long long)running);
    execution->is_queued = created->state == STATE_QUEUED;
    execution_log(execution, execution->is_queued ? LOG_INFO : LOG_WARN, created->text);
    return err_none();
}

// The revision the flow will have once the first turn is stored: its templates may read it.
static Err find_revision(Execution *execution) {
    if (execution->revision > 0) return err_none();
    const Plan *plan = &execution->artifact->plan;
    Hash last = {0};
    int64_t revision = 0;
    Err err = store_get_flow(execution->runtime->store, plan_text(plan, plan->flow.flow_namespace),
                             plan_text(plan, plan->flow.id), 0, &last, &revision);
    if (err.code == ERR_NOT_FOUND) err = err_none();
    const Hash *own = &execution->artifact->digest;
    bool is_known = revision > 0 && memcmp(last.bytes, own->bytes, sizeof last.bytes) == 0;
    execution->revision = is_known ? revision : revision + 1;
    return err;
}

Err execution_begin(Execution *execution, const Events *events) {
    Runtime *runtime = execution->runtime;
    TRY(execution_open_log(execution));
    execution->engine = engine_new(&execution->artifact->plan);
    execution->is_new = true;
    TRY(find_revision(execution));
    for (uint32_t i = 0; i < events->count; i++) {
        *LIST_ADD(turn_arena(execution), &execution->turn.incoming, Event) = events->items[i];
    }
    turn_run(execution);
    return runtime->failure;
}

static Value created_more(const Execution *execution, const RunStart *start, Arena *arena) {
    const Plan *plan = &execution->artifact->plan;
    Value more = value_map(arena);
    value_map_set(arena, more, STR("labels"), labels_for(execution, start, arena));
    value_map_set(arena, more, STR("namespace"),
                  value_text(plan_text(plan, plan->flow.flow_namespace)));
    value_map_set(arena, more, STR("flow"), value_text(plan_text(plan, plan->flow.id)));
    if (start->parent.len > 0) {
        value_map_set(arena, more, STR("parent"), value_text(str_dup(arena, start->parent)));
    }
    if (start->trigger.kind == VALUE_MAP) {
        value_map_set(arena, more, STR("trigger"), value_copy(arena, start->trigger));
    }
    if (start->kind.len > 0) {
        value_map_set(arena, more, STR("kind"), value_text(str_dup(arena, start->kind)));
    }
    if (start->depth > 0) value_map_set(arena, more, STR("depth"), value_int(start->depth));
    return more;
}

static Err warn_undeclared(Execution *execution, Value given) {
    const Plan *plan = &execution->artifact->plan;
    for (uint32_t i = 0; given.kind == VALUE_MAP && i < given.as.map->count; i++) {
        Str name = given.as.map->members[i].key;
        bool is_declared = false;
        Str nearest = {0};
        size_t distance = 3;
        for (uint32_t k = 0; k < plan->flow_input_count; k++) {
            Str id = plan_text(plan, plan->inputs[k].id);
            is_declared = is_declared || str_eq(id, name);
            size_t edits = str_distance(name, id, 2);
            if (edits < distance) nearest = id;
            if (edits < distance) distance = edits;
        }
        if (is_declared) continue;
        Str hint = nearest.len == 0 ? (Str){0}
                                    : str_printf(turn_arena(execution),
                                                 ", did you mean '" STR_FMT "'?", STR_ARG(nearest));
        execution_log(execution, LOG_WARN,
                      str_printf(turn_arena(execution),
                                 "the flow has no input '" STR_FMT "', it is ignored" STR_FMT,
                                 STR_ARG(name), STR_ARG(hint)));
    }
    return err_none();
}

// `list` of the manifest holds names, or maps with a name; NULL is empty.
static bool is_listed(const Value *list, Str name) {
    for (uint32_t i = 0; list != NULL && list->kind == VALUE_LIST && i < list->as.list->count;
         i++) {
        Value item = list->as.list->items[i];
        if (item.kind == VALUE_MAP)
            item = value_text(value_map_get_text(item, STR("name"), STR("")));
        if (item.kind == VALUE_TEXT && str_eq(item.as.text, name)) return true;
    }
    return false;
}

// All at once, before anything has happened. What a computed name or another namespace means is
// seen when it is used; what only triggers read is not needed.
static Err check_secrets(Execution *execution, Arena *arena) {
    const Value *manifest = &execution->artifact->manifest;
    const Value *names = value_map_get(*manifest, STR("secrets"));
    const Value *elsewhere = value_map_get(*manifest, STR("secrets_elsewhere"));
    const Value *idle = value_map_get(*manifest, STR("secrets_of_triggers"));
    if (execution->planner != NULL || names == NULL || names->kind != VALUE_LIST) return err_none();
    Buffer missing = {0};
    uint32_t count = 0;
    Err last = err_none();
    for (uint32_t i = 0; i < names->as.list->count; i++) {
        Str name = value_to_text(arena, names->as.list->items[i]);
        if (is_listed(elsewhere, name) || is_listed(idle, name)) continue;
        Buffer plain = {0};
        Err err = execution_find_secret(execution, name, (Str){0}, (Str){0}, &plain);
        if (plain.len > 0) wipe(plain.ptr, plain.len);
        buffer_release(&plain);
        if (err.code == ERR_NONE) continue;
        last = err;
        buffer_printf(&missing, "%s'" STR_FMT "'", count++ > 0 ? ", " : "", STR_ARG(name));
    }
    if (count > 1) {
        last = err_make(ERR_NOT_FOUND,
                        "cannot find the secrets " STR_FMT ": flowrun preflight says "
                        "where each was looked for",
                        STR_ARG(buffer_str(&missing)));
    }
    buffer_release(&missing);
    return last;
}

static Err create(Execution *execution, const RunStart *start, Arena *arena, InputFault *fault) {
    const Plan *plan = &execution->artifact->plan;
    if (plan->flow.is_disabled != 0) {
        return err_make(ERR_USAGE, "cannot execute a flow which is disabled");
    }
    Value inputs = value_null();
    InputRequest request = {.execution = execution,
                            .inputs = plan->inputs,
                            .count = plan->flow_input_count,
                            .given = start->inputs,
                            .arena = arena,
                            .fault = fault};
    TRY(inputs_resolve(&request, &inputs));
    Err err = check_secrets(execution, arena);
    if (err.code != ERR_NONE && fault != NULL) fault->rule = STR("secret");
    TRY(err);
    TRY(execution_open_log(execution));
    TRY(warn_undeclared(execution, start->inputs));
    RunId none = {0};
    Event *event = turn_report(execution, EVENT_CREATED, none);
    event->id = execution->id;
    event->attempt = 1;
    event->time_ms = execution->created_ms;
    event->value = value_copy(turn_arena(execution), inputs);
    event->more = created_more(execution, start, turn_arena(execution));
    TRY(run_checks(execution, inputs, arena, fault, event));
    TRY(check_limit(execution, event));
    execution->depth = start->depth;
    Events none_yet = {0};
    return execution_begin(execution, &none_yet);
}

// An id that was given may be that of an execution which is there.
static Err check_id(Execution *execution, Arena *arena) {
    StoreExecution row;
    TRY(execution_claim(execution));
    Err err = store_get_execution(execution->runtime->store, execution->id, arena, &row);
    if (err.code == ERR_NOT_FOUND) return err_none();
    if (err.code != ERR_NONE) return err;
    return err_make(ERR_USAGE, "there is an execution '" STR_FMT "' already",
                    STR_ARG(execution->id));
}

Err execution_create(Runtime *runtime, const RunStart *start, Arena *arena, InputFault *fault,
                     Execution **out) {
    Str id = start->id.len > 0 ? start->id : run_new_id(runtime->clock, arena);
    if (fault != NULL) *fault = (InputFault){0};
    Execution *execution = execution_new(runtime, id, start->artifact);
    execution->planner = runtime_planner(runtime);
    Err err = start->id.len > 0 ? check_id(execution, arena) : err_none();
    if (err.code == ERR_NONE) err = execution_prepare(execution);
    if (err.code == ERR_NONE) err = create(execution, start, arena, fault);
    if (err.code != ERR_NONE) {
        bool is_durable = execution->last_seq > 0;
        Str folder = execution_folder(execution, arena);
        runtime_drop(runtime, execution);
        if (!is_durable && err.code != ERR_CONFLICT && err.code != ERR_USAGE) {
            Err removed = dir_remove(folder.ptr);
            (void)removed;
        }
        return err;
    }
    *out = execution;
    return err_none();
}
