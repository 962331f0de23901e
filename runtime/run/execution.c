// execution.c - an execution is taken over, told what to do, looked at; create.c makes new ones.
#include <string.h>

#include "base/file.h"
#include "run/driver.h"
#include "value/convert.h"

extern char **environ;

// --- maps ---------------------------------------------------------------------------------------

Value run_merge(Arena *arena, Value base, Value over) {
    if (base.kind != VALUE_MAP) return over;
    Value merged = value_map(arena);
    for (uint32_t i = 0; i < base.as.map->count; i++) {
        value_map_set(arena, merged, base.as.map->members[i].key, base.as.map->members[i].value);
    }
    for (uint32_t i = 0; i < over.as.map->count; i++) {
        const ValueMember *member = &over.as.map->members[i];
        const Value *old = value_map_get(merged, member->key);
        Value value = member->value;
        if (old != NULL && old->kind == VALUE_MAP && value.kind == VALUE_MAP) {
            value = run_merge(arena, *old, value);
        }
        value_map_set(arena, merged, member->key, value);
    }
    return merged;
}

// `a.b: v` becomes {a: {b: v}}. Where a name is a value and a map, the first or the last wins.
Value run_nest(Arena *arena, Value flat, bool first_wins) {
    Value nested = value_map(arena);
    for (uint32_t i = 0; i < flat.as.map->count; i++) {
        Str rest = flat.as.map->members[i].key;
        Value at = nested;
        Str part = {0};
        size_t dot = 0;
        bool is_lost = false;
        while ((dot = str_find_char(rest, '.', 0)) != STR_NOT_FOUND && !is_lost) {
            part = str_slice(rest, 0, dot);
            rest = str_slice(rest, dot + 1, rest.len);
            const Value *next = value_map_get(at, part);
            if (next != NULL && next->kind != VALUE_MAP && first_wins) is_lost = true;
            if (is_lost) break;
            if (next == NULL || next->kind != VALUE_MAP) {
                Value map = value_map(arena);
                value_map_set(arena, at, part, map);
                at = map;
            } else {
                at = *next;
            }
        }
        if (is_lost || (first_wins && value_map_get(at, rest) != NULL)) continue;
        value_map_set(arena, at, rest, flat.as.map->members[i].value);
    }
    return nested;
}

// --- making and freeing -------------------------------------------------------------------------

static Value envs_of(const RunConfig *config, Arena *arena) {
    Value map = value_map(arena);
    Str prefix = config->env_prefix;
    for (char **entry = environ; *entry != NULL && prefix.len > 0; entry++) {
        Str text = str_from(*entry);
        size_t equals = str_find_char(text, '=', 0);
        if (equals == STR_NOT_FOUND || equals <= prefix.len) continue;
        if (!str_starts_with(text, prefix)) continue;
        Str name = str_dup(arena, str_slice(text, prefix.len, equals));
        for (size_t i = 0; i < name.len; i++) {
            char *c = (char *)(uintptr_t)&name.ptr[i];
            if (*c >= 'A' && *c <= 'Z') *c = (char)(*c + 32);
        }
        value_map_set(arena, map, name, value_text(str_slice(text, equals + 1, text.len)));
    }
    return map;
}

Execution *execution_new(Runtime *runtime, Str id, const Artifact *artifact) {
    Execution *execution = heap_alloc(1, sizeof *execution);
    execution->runtime = runtime;
    execution->id = str_dup(&execution->arena, id);
    execution->own_artifact = *artifact;
    execution->artifact = &execution->own_artifact;
    execution->created_ms = runtime_now(runtime);
    runtime_add(runtime, execution);
    return execution;
}

void execution_free(Execution *execution) {
    loop_defer_cancel(execution->runtime->loop, execution);
    if (execution->host != NULL) host_free(execution->host);
    attempt_free_all(execution);
    if (execution->vm != NULL) leaf_vm_free(execution->vm);
    if (execution->secrets != NULL) secrets_free(execution->secrets);
    if (execution->engine != NULL) engine_free(execution->engine);
    log_flush(execution);
    log_file_close(execution->log);
    buffer_release(&execution->log_lines);
    buffer_release(&execution->row);
    if (execution->owner != 0) {
        store_release(execution->runtime->store, execution->id, execution->owner);
    }
    arena_release(&execution->turn.arena);
    arena_release(&execution->arena);
    heap_free(execution);
}

Str execution_folder(const Execution *execution, Arena *arena) {
    Str relative = str_printf(arena, "exec/" STR_FMT, STR_ARG(execution->id));
    return store_path(execution->runtime->store, arena, relative);
}

Err execution_find_secret(void *self, Str name, Str secret_namespace, Str key, Buffer *plain) {
    Execution *execution = self;
    Runtime *runtime = execution->runtime;
    const Plan *plan = &execution->artifact->plan;
    if (secret_namespace.len == 0) {
        secret_namespace = plan_text(plan, plan->flow.flow_namespace);
    }
    Err err = secret_chain_resolve(runtime->secret_chain, name, secret_namespace, key, plain);
    if (err.code != ERR_NOT_FOUND || execution->planner == NULL) return err;
    // A plan needs no secret: a placeholder stands for it, and a note tells.
    *LIST_ADD(&runtime->arena, &runtime->missing_secrets, Str) = str_dup(&runtime->arena, name);
    buffer_printf(plain, "<secret." STR_FMT ">", STR_ARG(name));
    return err_none();
}

static void secret_seen(void *self, Str plain) {
    Execution *execution = self;
    masker_add(execution->runtime->masker, plain);
}

// The artifact outlives whoever opened it: its bytes and tables move into the execution's arena.
static Err keep_artifact(Execution *execution) {
    Str bytes = execution->own_artifact.bytes;
    char *copy = (char *)arena_array(&execution->arena, uint64_t, bytes.len / 8 + 1);
    memcpy(copy, bytes.ptr, bytes.len);
    Artifact *artifact = &execution->own_artifact;
    memset(artifact, 0, sizeof *artifact);
    return run_decode_artifact((Str){copy, bytes.len}, &execution->arena, artifact);
}

static Err read_variables(Execution *execution) {
    const Plan *plan = &execution->artifact->plan;
    Str text = plan_text(plan, plan->flow.variables);
    execution->variables = value_map(&execution->arena);
    if (text.len == 0) return err_none();
    return json_parse(text, (JsonLimits){0}, &execution->arena, &execution->variables);
}

// One reaper of orphans for a process, one pool of connections; only where the flow may use them.
static Err make_shared(Execution *execution) {
    Runtime *runtime = execution->runtime;
    const Plan *plan = &execution->artifact->plan;
    uint32_t effects = 0;
    for (uint32_t i = 0; i < plan->module_count; i++) effects |= plan->modules[i].effects;
    if (runtime->options.mode != HOST_REAL || execution->planner != NULL) return err_none();
    if ((effects & EFFECT_EXEC) != 0 && runtime->procs == NULL) {
        TRY(procs_new(runtime->loop, NULL, &runtime->procs));
        procs_set_spared(runtime->procs, runtime->options.spared);
    }
    if ((effects & EFFECT_NET) != 0 && runtime->net == NULL) {
        TRY(net_new(runtime->loop, NULL, &runtime->net));
    }
    return err_none();
}

static Err make_host(Execution *execution) {
    Runtime *runtime = execution->runtime;
    TRY(make_shared(execution));
    const Plan *plan = &execution->artifact->plan;
    Arena *arena = &execution->arena;
    HostRunner runner = runtime->options.runner;
    if (runner == RUNNER_AUTO) runner = runtime->config.runner;
    bool is_plan = execution->planner != NULL;
    Str work = path_join(arena, execution_folder(execution, arena), STR("work"));
    HostOptions options = {
        .mode = runtime->options.mode,
        .runner = runner,
        .artifact = execution->artifact,
        .vm = execution->vm,
        .secrets = execution->secrets,
        .loop = runtime->loop,
        .store = is_plan ? NULL : runtime->store,
        .procs = runtime->procs,
        .net = runtime->net,
        .clock = runtime->clock,
        .masker = runtime->masker,
        .execution_id = execution->id,
        .flow_namespace = plan_text(plan, plan->flow.flow_namespace),
        .flow_id = plan_text(plan, plan->flow.id),
        .work_folder = work,
        .storage_folder = files_folder(execution, arena),
        .files_folder = str_from(runtime->options.files_folder),
        .env = runtime->env,
        .allowed_paths = runtime->config.allowed_paths,
        .allowed_path_count = runtime->config.allowed_path_count,
        .allows_volumes = runtime->config.allows_volumes,
        .handlers = runtime->config.handlers,
        .can_keep = !runtime->options.is_ephemeral && !is_plan,
    };
    return host_new(&options, &execution->host);
}

Err execution_claim(Execution *execution) {
    if (execution->owner != 0) return err_none();
    return store_claim(execution->runtime->store, execution->id, &execution->owner);
}

// Claimed first: making the host ends the processes that an earlier owner left, which must not be
// those of a live one.
Err execution_prepare(Execution *execution) {
    Runtime *runtime = execution->runtime;
    TRY(execution_claim(execution));
    TRY(keep_artifact(execution));
    TRY(read_variables(execution));
    execution->envs = envs_of(&runtime->config, &execution->arena);
    execution->secrets = secrets_new((SecretSource){execution_find_secret, secret_seen, execution});
    LeafOptions options = {.clock = runtime->clock,
                           .secrets = execution->secrets,
                           .time_zone = runtime->config.time_zone};
    TRY(leaf_vm_new(&options, &execution->vm));
    const Plan *plan = &execution->artifact->plan;
    for (uint32_t i = 0; i < plan->leaf_count && i < execution->artifact->leaves.count; i++) {
        leaf_vm_set_chunk(execution->vm, i, chunks_get(&execution->artifact->leaves, i));
    }
    execution->engine = NULL;
    return make_host(execution);
}

Err execution_open_log(Execution *execution) {
    if (execution->planner != NULL || execution->log != NULL) return err_none();
    Arena scratch = {0};
    Str relative = str_printf(&scratch, "exec/" STR_FMT "/log.jsonl", STR_ARG(execution->id));
    Err err = log_file_open(store_path(execution->runtime->store, &scratch, relative).ptr,
                            &execution->log);
    arena_release(&scratch);
    return err;
}

// --- folding ------------------------------------------------------------------------------------

typedef struct Fold {
    Execution *execution;
    Arena arena;
    uint32_t count;
} Fold;

static Err fold_event(void *self, const StoreEvent *row) {
    Fold *fold = self;
    Event event;
    TRY(event_read((EventKind)row->kind, row->body, &fold->arena, &event));
    event.seq = row->seq;
    event.time_ms = row->time_ms;
    engine_apply(fold->execution->engine, &event);
    fold->execution->last_seq = row->seq;
    Err err = log_repair(fold->execution, &event);
    arena_release(&fold->arena);
    fold->count++;
    return err;
}

static Err write_page(void *self, EnginePageKind kind, uint32_t page, Str bytes) {
    Execution *execution = self;
    return store_put_page(execution->runtime->store, execution->id, execution->owner, kind, page,
                          bytes);
}

static Err read_page(void *self, EnginePageKind kind, uint32_t page, Arena *arena, Str *out) {
    Execution *execution = self;
    return store_get_page(execution->runtime->store, execution->id, kind, page, arena, out);
}

EngineKeeper execution_keeper(Execution *execution) {
    return (EngineKeeper){write_page, read_page, execution};
}

// What could not be read of its history would look as if it had never been.
static Err check_whole(const Execution *execution) {
    const char *broken = engine_fault(execution->engine);
    if (broken == NULL) return err_none();
    return err_make(ERR_STORE, "execution '" STR_FMT "' cannot be read: %s", STR_ARG(execution->id),
                    broken);
}

static Err fold_events(Execution *execution) {
    Store *store = execution->runtime->store;
    EngineKeeper keeper = execution_keeper(execution);
    Fold fold = {.execution = execution};
    Str snapshot = {0};
    int64_t seq = 0;
    TRY(store_get_snapshot(store, execution->id, &fold.arena, &seq, &snapshot));
    Err err = err_none();
    if (seq > 0) {
        err = engine_restore(&execution->artifact->plan, snapshot, &keeper, &execution->engine);
        // One of another version: all that is in it follows from the events.
        if (err.code == ERR_INPUT) {
            err = err_none();
            seq = 0;
        }
    }
    if (seq == 0) execution->engine = engine_new(&execution->artifact->plan);
    execution->last_seq = execution->snapshot_seq = seq;
    execution->snapshot_bytes = snapshot.len;
    arena_release(&fold.arena);
    if (err.code != ERR_NONE) return err;
    err = store_events(store, execution->id, seq, fold_event, &fold);
    arena_release(&fold.arena);
    return err.code == ERR_NONE ? check_whole(execution) : err;
}

Err execution_load(Runtime *runtime, Str id, Execution **out) {
    Arena scratch = {0};
    StoreExecution row;
    Str bytes = {0};
    Artifact artifact = {0};
    Err err = store_get_execution(runtime->store, id, &scratch, &row);
    if (err.code == ERR_NONE) {
        err = store_get_artifact(runtime->store, &row.artifact, &scratch, &bytes);
    }
    if (err.code == ERR_NONE) {
        artifact.bytes = bytes;
        Execution *execution = execution_new(runtime, row.id, &artifact);
        execution->revision = row.flow_revision;
        execution->created_ms = row.created_ms;
        err = keep_artifact(execution);
        if (err.code == ERR_NONE) {
            *out = execution;
        } else {
            runtime_drop(runtime, execution);
        }
    }
    arena_release(&scratch);
    return err;
}

Err execution_look(Runtime *runtime, Str id, Execution **out) {
    TRY(execution_load(runtime, id, out));
    // Its owner may write meanwhile: pages have to be those of the head.
    Err err = store_begin_reading(runtime->store);
    if (err.code == ERR_NONE) {
        err = fold_events(*out);
        if (err.code == ERR_NONE) {
            engine_fetch((*out)->engine);
            err = check_whole(*out);
        }
        store_end_reading(runtime->store);
    }
    if (err.code != ERR_NONE) {
        runtime_drop(runtime, *out);
        *out = NULL;
        return err;
    }
    (*out)->is_finished = engine_is_finished((*out)->engine);
    return err;
}

static Err take_over(Execution *execution) {
    TRY(execution_prepare(execution));
    TRY(execution_open_log(execution));
    TRY(fold_events(execution));
    execution->told_state = engine_state(execution->engine);
    execution->is_queued = execution->told_state == STATE_QUEUED;
    const Value *created = engine_created(execution->engine);
    if (created != NULL) {
        execution->depth = (int32_t)value_map_get_int(*created, STR("depth"), 0);
    }
    return err_none();
}

// What an earlier process left running of it was ended when the host was made.
static Err recover(Execution *execution) {
    RunId none = {0};
    Actions actions = {0};
    Event *event = turn_report(execution, EVENT_OWNER, none);
    event->index = execution->owner;
    engine_recover(execution->engine, turn_arena(execution), &actions);
    execution->is_in_turn = true;
    for (uint32_t i = 0; i < actions.count; i++) act_now(execution, &actions.items[i]);
    execution->is_in_turn = false;
    return err_none();
}

Err execution_adopt(Runtime *runtime, Str id, Execution **out) {
    TRY(execution_load(runtime, id, out));
    Err err = take_over(*out);
    if (err.code == ERR_NONE) err = recover(*out);
    if (err.code != ERR_NONE) {
        runtime_drop(runtime, *out);
        *out = NULL;
        return err;
    }
    turn_schedule(*out);
    return err;
}

// --- commands -----------------------------------------------------------------------------------

// A restart takes a slot like a start does; where none is free and the flow queues, it waits.
static Err restart_in_queue(Execution *execution, Command *command) {
    const PlanFlow *flow = &execution->artifact->plan.flow;
    if (command->kind != COMMAND_RESTART || flow->concurrency_limit <= 0 ||
        flow->concurrency_behavior != 0) {
        return err_none();
    }
    int64_t running = 0;
    TRY(runtime_running(execution, &running));
    if (running >= flow->concurrency_limit) command->state = STATE_QUEUED;
    return err_none();
}

Err execution_command(Execution *execution, const Command *command) {
    Events events = {0};
    Arena *arena = turn_arena(execution);
    Command placed = *command;
    TRY(restart_in_queue(execution, &placed));
    TRY(engine_command(execution->engine, &placed, arena, &events));
    if (placed.kind == COMMAND_RESUME) {
        execution->resumed_after = engine_last_seq(execution->engine);
    }
    if (placed.kind == COMMAND_RESTART) execution->is_queued = placed.state == STATE_QUEUED;
    for (uint32_t i = 0; i < events.count; i++) {
        *LIST_ADD(arena, &execution->turn.incoming, Event) = events.items[i];
    }
    execution->is_finished = false;
    turn_schedule(execution);
    return err_none();
}

void execution_keep_children(Execution *execution, bool keeps) {
    execution->keeps_children = keeps;
}

// Writes events without deciding anything: what follows is decided by who goes on with it.
static Err record(Execution *execution, const Events *events) {
    turn_record(execution, events);
    return execution->runtime->failure;
}

Err execution_record(Runtime *runtime, Str id, const Command *command) {
    Execution *execution = NULL;
    TRY(execution_load(runtime, id, &execution));
    Events events = {0};
    Err err = take_over(execution);
    if (err.code == ERR_NONE) {
        err = engine_command(execution->engine, command, turn_arena(execution), &events);
    }
    if (err.code == ERR_NONE) err = record(execution, &events);
    runtime_drop(runtime, execution);
    return err;
}

Err execution_record_labels(Runtime *runtime, Str id, Value labels) {
    Execution *execution = NULL;
    TRY(execution_load(runtime, id, &execution));
    Err err = take_over(execution);
    if (err.code == ERR_NONE) {
        Events events = {0};
        Event *event = LIST_ADD(turn_arena(execution), &events, Event);
        event->kind = EVENT_LABELS;
        event->time_ms = runtime_now(runtime);
        event->value = labels;
        err = record(execution, &events);
    }
    runtime_drop(runtime, execution);
    return err;
}

Err execution_give_secrets(Execution *execution, Value inputs) {
    const Plan *plan = &execution->artifact->plan;
    for (uint32_t i = 0; inputs.kind == VALUE_MAP && i < inputs.as.map->count; i++) {
        const ValueMember *member = &inputs.as.map->members[i];
        for (uint32_t k = 0; k < plan->flow_input_count; k++) {
            if (plan->inputs[k].type != INPUT_SECRET) continue;
            if (!str_eq(plan_text(plan, plan->inputs[k].id), member->key)) continue;
            Value recipe = value_map(&execution->arena);
            value_map_set(&execution->arena, recipe, STR("op"), value_text(STR("input")));
            value_map_set(&execution->arena, recipe, STR("name"),
                          value_text(str_dup(&execution->arena, member->key)));
            Str plain = value_to_text(&execution->arena, member->value);
            secrets_add(execution->secrets, &recipe, plain);
            masker_add(execution->runtime->masker, plain);
        }
    }
    return err_none();
}

static bool is_pause(const Execution *execution, const TaskRunView *view, Str task) {
    const PlanNode *node = &execution->artifact->plan.nodes[view->node];
    if (node->kind != NODE_PAUSE || view->state != STATE_PAUSED) return false;
    char id[33];
    run_id_print(view->id, id);
    Str name = str_slice(task, 0, str_find_char(task, '[', 0));
    return task.len == 0 || str_eq(name, view->task) || str_eq(task, str_from(id));
}

Err execution_resume_values(Execution *execution, Str task, Value inputs, Arena *arena,
                            InputFault *fault, Value *out) {
    TaskRunView view;
    *out = value_map(arena);
    uint32_t at = 0;
    while (engine_next_open(execution->engine, &at, &view)) {
        if (!is_pause(execution, &view, task)) continue;
        const Plan *plan = &execution->artifact->plan;
        const PlanNode *node = &plan->nodes[view.node];
        if (node->input_count == 0) return err_none();
        InputRequest request = {.execution = execution,
                                .inputs = &plan->inputs[node->inputs - 1],
                                .count = node->input_count,
                                .given = inputs,
                                .arena = arena,
                                .fault = fault};
        return inputs_resolve(&request, out);
    }
    return err_none();
}

Err execution_replay(Runtime *runtime, Str id, const Command *command, const Artifact *artifact,
                     Value inputs, Arena *arena, InputFault *fault, Execution **out) {
    Execution *origin = NULL;
    TRY(execution_look(runtime, id, &origin));
    Command replay = *command;
    Execution *execution =
        execution_new(runtime, command->new_id, artifact != NULL ? artifact : origin->artifact);
    Err err = execution_prepare(execution);
    if (err.code == ERR_NONE && inputs.kind == VALUE_MAP && inputs.as.map->count > 0) {
        InputRequest request = {.execution = execution,
                                .inputs = execution->artifact->plan.inputs,
                                .count = execution->artifact->plan.flow_input_count,
                                .given = inputs,
                                .arena = arena,
                                .fault = fault};
        err = inputs_resolve(&request, &replay.value);
    }
    Events events = {0};
    if (err.code == ERR_NONE) {
        err = engine_command(origin->engine, &replay, turn_arena(execution), &events);
    }
    // Another revision of the flow has variables of its own.
    bool is_same = memcmp(execution->artifact->digest.bytes, origin->artifact->digest.bytes,
                          sizeof origin->artifact->digest.bytes) == 0;
    if (err.code == ERR_NONE && !is_same) {
        value_map_remove(events.items[0].more, STR("variables"));
    }
    if (err.code == ERR_NONE) err = execution_begin(execution, &events);
    runtime_drop(runtime, origin);
    if (err.code != ERR_NONE) {
        runtime_drop(runtime, execution);
        return err;
    }
    *out = execution;
    return err;
}

// --- looking ------------------------------------------------------------------------------------

const Engine *execution_engine(const Execution *execution) {
    return execution->engine;
}

const Artifact *execution_artifact(const Execution *execution) {
    return execution->artifact;
}

Str execution_id(const Execution *execution) {
    return execution->id;
}

int64_t execution_revision(const Execution *execution) {
    return execution->revision;
}
