// child.c - executions that executions make: subflows, batches, retries by a new execution.
//
// A child has the id the engine gave it, so making it again finds it: after a crash there is
// exactly one. It lives in the same store and on the same loop; its artifact is the installed flow,
// else the one linked into the parent's.
#include <string.h>

#include "run/driver.h"

static void report(Execution *parent, const RunId *run, const RunId *frame, Str id, State state) {
    Event *event = turn_report(parent, EVENT_CHILD_ENDED, *run);
    event->frame = *frame;
    event->id = str_dup(turn_arena(parent), id);
    event->state = state;
    turn_schedule(parent);
}

static void report_failed(Execution *parent, const Action *action, Str message) {
    Event *event = turn_report(parent, EVENT_CHILD_ENDED, action->run);
    event->frame = action->frame;
    event->id = str_dup(turn_arena(parent), action->id);
    event->state = STATE_FAILED;
    event->is_error = true;
    event->text = run_mask_text(parent, message, turn_arena(parent));
    turn_schedule(parent);
}

static void report_ended(Execution *parent, const Execution *child) {
    Event *event = turn_report(parent, EVENT_CHILD_ENDED, child->parent_run);
    event->frame = child->parent_frame;
    event->id = str_dup(turn_arena(parent), child->id);
    event->state = engine_state(child->engine);
    const Value *outputs = engine_outputs(child->engine);
    if (outputs != NULL) event->value = value_copy(turn_arena(parent), *outputs);
    EngineReason reason;
    if (engine_reason(child->engine, &reason)) {
        event->text = str_dup(turn_arena(parent), reason.message);
    }
    turn_schedule(parent);
}

void child_finished(Execution *child) {
    Execution *parent = child->parent;
    if (parent == NULL || !child->parent_waits) return;
    child->parent_waits = false;
    report_ended(parent, child);
}

// --- finding the flow ---------------------------------------------------------------------------

static Err find_linked(const Execution *parent, Str name, Arena *arena, Str *bytes) {
    ArtifactFile *files = NULL;
    uint32_t count = 0;
    Str section = artifact_section(parent->artifact, "SUBF");
    if (section.len > 0) TRY(files_open(section, arena, &files, &count));
    for (uint32_t i = 0; i < count; i++) {
        if (!str_eq(files[i].name, name)) continue;
        // Tables are used in place: 8-byte aligned.
        char *copy = (char *)arena_array(arena, uint64_t, files[i].bytes.len / 8 + 1);
        memcpy(copy, files[i].bytes.ptr, files[i].bytes.len);
        *bytes = (Str){copy, files[i].bytes.len};
        return err_none();
    }
    return err_make(ERR_NOT_FOUND, "not linked");
}

static Err find_flow(Execution *parent, Value what, Arena *arena, Artifact *out) {
    Store *store = parent->runtime->store;
    const Plan *plan = &parent->artifact->plan;
    Str flow_namespace =
        value_map_get_text(what, STR("namespace"), plan_text(plan, plan->flow.flow_namespace));
    Str id = value_map_get_text(what, STR("flowId"), (Str){0});
    int64_t revision = value_map_get_int(what, STR("revision"), 0);
    Str bytes = {0};
    Hash digest;
    int64_t found = 0;
    Err err = store_get_flow(store, flow_namespace, id, revision, &digest, &found);
    if (err.code == ERR_NONE) err = store_get_artifact(store, &digest, arena, &bytes);
    if (err.code == ERR_NOT_FOUND && revision == 0) {
        Str name = str_printf(arena, STR_FMT "." STR_FMT, STR_ARG(flow_namespace), STR_ARG(id));
        err = find_linked(parent, name, arena, &bytes);
    }
    if (err.code == ERR_NOT_FOUND) {
        return err_make(ERR_NOT_FOUND,
                        "unable to find flow '" STR_FMT "'.'" STR_FMT "' with revision '%lld': "
                        "install it with `flowrun install`, or link it when compiling",
                        STR_ARG(flow_namespace), STR_ARG(id), (long long)revision);
    }
    if (err.code != ERR_NONE) return err;
    return run_decode_artifact(bytes, arena, out);
}

// --- making it ----------------------------------------------------------------------------------

static Value labels_of(const Execution *parent, Value what, bool inherits, Arena *arena,
                       Value *system) {
    Value labels = value_map(arena);
    *system = value_map(arena);
    const Value *all = engine_labels(parent->engine);
    for (uint32_t i = 0; all != NULL && all->kind == VALUE_MAP && i < all->as.map->count; i++) {
        const ValueMember *member = &all->as.map->members[i];
        if (str_starts_with(member->key, STR("system."))) {
            value_map_set(arena, *system, member->key, member->value);
        } else if (inherits) {
            value_map_set(arena, labels, member->key, member->value);
        }
    }
    const Value *own = value_map_get(what, STR("labels"));
    if (own == NULL) return labels;
    for (uint32_t i = 0; own->kind == VALUE_MAP && i < own->as.map->count; i++) {
        const ValueMember *member = &own->as.map->members[i];
        value_map_set(arena, labels, member->key, value_text(value_to_text(arena, member->value)));
    }
    for (uint32_t i = 0; own->kind == VALUE_LIST && i < own->as.list->count; i++) {
        Value item = own->as.list->items[i];
        value_map_set(arena, labels, value_map_get_text(item, STR("key"), (Str){0}),
                      value_text(value_map_get_text(item, STR("value"), (Str){0})));
    }
    return labels;
}

static Value trigger_of(const Execution *parent, const Action *action, Arena *arena) {
    const Plan *plan = &parent->artifact->plan;
    Value trigger = value_map(arena);
    char run[33];
    run_id_print(action->run, run);
    value_map_set(arena, trigger, STR("executionId"), value_text(parent->id));
    value_map_set(arena, trigger, STR("namespace"),
                  value_text(plan_text(plan, plan->flow.flow_namespace)));
    value_map_set(arena, trigger, STR("flowId"), value_text(plan_text(plan, plan->flow.id)));
    value_map_set(arena, trigger, STR("flowRevision"), value_int(parent->revision));
    value_map_set(arena, trigger, STR("taskRunId"), value_text(str_dup(arena, str_from(run))));
    value_map_set(arena, trigger, STR("taskId"),
                  value_text(plan_text(plan, plan->nodes[action->node].id)));
    TaskRunView view;
    if (engine_run(parent->engine, action->run, &view) && view.has_value) {
        value_map_set(arena, trigger, STR("taskRunValue"), value_text(view.value));
        if (view.iteration >= 0) {
            value_map_set(arena, trigger, STR("taskRunIteration"), value_int(view.iteration));
        }
    }
    return trigger;
}

static void bind(Execution *child, Execution *parent, const Action *action, bool waits) {
    child->parent = parent;
    child->parent_run = action->run;
    child->parent_frame = action->frame;
    child->parent_waits = waits;
    if (waits && child->is_finished) child_finished(child);
}

// It is there already: ended, ours, or nobody's. Another process's is not taken: it fails.
static Err take_up(Execution *parent, const Action *action, const StoreExecution *row, bool waits) {
    State state = STATE_NONE;
    Execution *child = runtime_find(parent->runtime, action->id);
    bool is_over = state_from(row->state, &state) && state_is_terminal(state);
    if (!waits && (is_over || child != NULL)) {
        report(parent, &action->run, &action->frame, action->id, STATE_CREATED);
        return err_none();
    }
    if (child == NULL) {
        TRY(is_over ? execution_look(parent->runtime, action->id, &child)
                    : execution_adopt(parent->runtime, action->id, &child));
        child->is_finished = child->is_finished || engine_is_finished(child->engine);
    }
    bind(child, parent, action, waits);
    if (!waits) report(parent, &action->run, &action->frame, action->id, STATE_CREATED);
    return err_none();
}

static Err make(Execution *parent, const Action *action, Arena *arena, bool waits) {
    const PlanNode *node = &parent->artifact->plan.nodes[action->node];
    if (parent->depth + 1 > DEPTH_MAX) {
        return err_make(ERR_LIMIT, "subflows are nested more than %d deep", DEPTH_MAX);
    }
    Artifact artifact;
    TRY(find_flow(parent, action->value, arena, &artifact));
    const Value *inputs = value_map_get(action->value, STR("inputs"));
    RunStart start = {
        .artifact = &artifact,
        .inputs = inputs != NULL && inputs->kind == VALUE_MAP ? *inputs : value_map(arena),
        .id = action->id,
        .parent = parent->id,
        .trigger = trigger_of(parent, action, arena),
        .depth = parent->depth + 1,
    };
    start.labels = labels_of(parent, action->value, (node->flags & NODE_INHERIT_LABELS) != 0, arena,
                             &start.system_labels);
    Execution *child = NULL;
    TRY(execution_create(parent->runtime, &start, arena, NULL, &child));
    bind(child, parent, action, waits);
    if (!waits) report(parent, &action->run, &action->frame, action->id, STATE_CREATED);
    return err_none();
}

// A plan shows the call and goes on with what the child would put out unknown.
static void plan_child(Execution *parent, const Action *action) {
    planner_child(parent, action);
    report(parent, &action->run, &action->frame, action->id, STATE_SUCCESS);
}

void child_spawn(Execution *execution, const Action *action) {
    if (execution->planner != NULL) {
        plan_child(execution, action);
        return;
    }
    const PlanNode *node = &execution->artifact->plan.nodes[action->node];
    bool waits = (node->flags & NODE_WAIT) != 0;
    Arena arena = {0};
    StoreExecution row;
    Err err = store_get_execution(execution->runtime->store, action->id, &arena, &row);
    if (err.code == ERR_NONE) {
        err = take_up(execution, action, &row, waits);
    } else if (err.code == ERR_NOT_FOUND) {
        err = make(execution, action, &arena, waits);
    }
    if (err.code == ERR_STORE) {
        runtime_fail(execution->runtime, err);
    } else if (err.code != ERR_NONE) {
        report_failed(execution, action, str_from(err.text));
    }
    arena_release(&arena);
}

void child_signal(Execution *execution, const Action *action) {
    Runtime *runtime = execution->runtime;
    Str signal = value_map_get_text(action->value, STR("signal"), STR("kill"));
    bool is_kill = str_eq(signal, STR("kill"));
    Execution *child = runtime_find(runtime, action->id);
    if (is_kill && execution->keeps_children) {
        if (child != NULL) child->parent_waits = false;
        report(execution, &action->run, &action->frame, action->id, STATE_KILLED);
        return;
    }
    Err err = err_none();
    if (child == NULL || child->owner == 0) err = execution_adopt(runtime, action->id, &child);
    if (err.code == ERR_CONFLICT) {
        err = store_send_command(runtime->store, action->id, signal, STR("{}"), NULL);
        if (err.code != ERR_NONE) runtime_fail(runtime, err);
        return;
    }
    if (err.code == ERR_NONE) {
        bind(child, execution, action, true);
        Command command = {.kind = is_kill ? COMMAND_KILL : COMMAND_RESTART,
                           .now_ms = runtime_now(runtime)};
        if (!is_kill) child->is_finished = false;
        err = execution_command(child, &command);
    }
    if (err.code == ERR_STORE) {
        runtime_fail(runtime, err);
    } else if (err.code != ERR_NONE && !(child != NULL && child->is_finished)) {
        report_failed(execution, action, str_from(err.text));
    }
}

void child_retry(Execution *execution, const Action *action) {
    Runtime *runtime = execution->runtime;
    Arena arena = {0};
    StoreExecution row;
    RunId none = {0};
    Execution *again = NULL;
    Err err = store_get_execution(runtime->store, action->id, &arena, &row);
    if (err.code == ERR_NOT_FOUND) {
        Command command = {
            .kind = COMMAND_REPLAY, .new_id = action->id, .now_ms = runtime_now(runtime)};
        Events events = {0};
        err = engine_command(execution->engine, &command, &arena, &events);
        for (uint32_t i = 0; err.code == ERR_NONE && i < events.count; i++) {
            if (events.items[i].kind == EVENT_CREATED) events.items[i].attempt = action->attempt;
        }
        if (err.code == ERR_NONE) {
            again = execution_new(runtime, action->id, execution->artifact);
            err = execution_prepare(again);
            if (err.code == ERR_NONE) err = execution_begin(again, &events);
        }
    }
    if (err.code == ERR_NONE) {
        report(execution, &none, &none, action->id, STATE_CREATED);
        // Who runs this one runs what follows it.
        if (again != NULL && runtime->root == execution) runtime->root = again;
    } else {
        runtime_fail(runtime, err);
    }
    arena_release(&arena);
}
