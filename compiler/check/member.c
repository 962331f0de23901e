// member.c - `a.b` and `a[b]`: what a member is, and what it means that there is none.
#include <string.h>

#include "check/internal.h"

// A finding about something undefined is none where that is caught.
static bool is_caught(const Env *env, const Expr *expr) {
    if (env->is_guarded || env->site->is_static) return true;
    // A trigger is evaluated among the values of another execution, or before there is one.
    if (env->site->kind == SITE_TRIGGER) return true;
    return env->facts != NULL && fact_holds(env, expr_path(env->check->arena, expr));
}

// Behind a guard an unknown name is a warning: the flow runs, and the guard replaces it always.
static DiagLevel weight(const Env *env) {
    return env->is_guarded ? DIAG_WARNING : DIAG_ERROR;
}

// Whether an unknown name is said: behind a guard, too, but not where a condition asked for it.
static bool is_silent_place(const Env *env, const Expr *expr) {
    if (env->site->is_static || env->site->kind == SITE_TRIGGER) return true;
    return env->facts != NULL && fact_holds(env, expr_path(env->check->arena, expr));
}

static bool is_hole_id(const Flow *flow, Str id) {
    for (uint32_t i = 0; i < flow->hole_ids.count; i++) {
        if (str_eq(flow->hole_ids.items[i], id)) return true;
    }
    return false;
}

static ExprType *undefined(Env *env) {
    ExprType *type = new_type(env, type_any());
    type->typed.undef = CERTAINLY;
    type->typed.source = SOURCE_UNKNOWN;
    return type;
}

// --- inputs, variables, fixed records -----------------------------------------------------------

static void offer_fields(Nearest *nearest, const Place *place) {
    for (uint32_t i = 0; i < place->fields.count; i++) {
        nearest_offer(nearest, place->fields.items[i].name);
    }
}

static void unknown_input(Env *env, const Place *base, Str key, Span span) {
    Diag *diag = diag_add(env->check->diags, "E0301", weight(env), span,
                          "unknown input '" STR_FMT "'", STR_ARG(key));
    Nearest nearest = nearest_to(key);
    offer_fields(&nearest, base);
    diag_suggest(diag, nearest.name);
    // What was probably meant is used.
    if (nearest.name.len > 0) add_ref(env, REF_INPUT, nearest.name, span);
    const Node *inputs = node_get(env->check->flow->node, STR("inputs"));
    if (base->fields.count == 0) {
        diag_note(diag, "this flow declares no inputs");
    } else if (inputs != NULL && env->check->flow->inputs.count > 0) {
        diag_label(diag, env->check->flow->inputs.items[0]->id_span, "inputs are declared here");
    }
}

static void unknown_variable(Env *env, const Place *base, Str key, Span span) {
    Diag *diag = diag_add(env->check->diags, "E0304", weight(env), span,
                          "unknown variable '" STR_FMT "'", STR_ARG(key));
    Nearest nearest = nearest_to(key);
    offer_fields(&nearest, base);
    diag_suggest(diag, nearest.name);
    if (nearest.name.len > 0) add_ref(env, REF_VARIABLE, nearest.name, span);
    if (base->fields.count == 0) diag_note(diag, "this flow declares no variables");
}

// A flow with schedules alone is started by hand as well, if only to try it; what a webhook or a
// file brings, nobody gives by hand.
static void unguarded_trigger(Env *env, const Expr *expr, Str key, Span span) {
    const Flow *flow = env->check->flow;
    if (is_caught(env, expr) || env->site->kind == SITE_VARIABLE || flow->has_holes) return;
    if (fact_holds(env, STR("trigger")) || env->check->is_trigger_reported) return;
    for (uint32_t i = 0; i < flow->triggers.count; i++) {
        const TaskType *type = flow->triggers.items[i]->type;
        if (type == NULL || !str_ends_with(type->name, STR(".trigger.Schedule"))) return;
    }
    if (flow->triggers.count == 0) return;
    env->check->is_trigger_reported = true;
    Diag *diag =
        diag_add(env->check->diags, "W0320", DIAG_WARNING, span,
                 "'trigger." STR_FMT "' is missing when the flow is started by hand", STR_ARG(key));
    diag_note(diag, "write 'trigger." STR_FMT " ?? execution.startDate', or what holds then",
              STR_ARG(key));
}

static void unknown_trigger_field(Env *env, const Place *base, Str key, Span span) {
    static const char *const of_subflows[] = {"executionId",    "namespace",    "flowId",
                                              "flowRevision",   "taskRunId",    "taskId",
                                              "taskRunOutputs", "taskRunValue", "taskRunIteration"};
    for (size_t i = 0; i < COUNT(of_subflows); i++) {
        if (str_eq(key, str_from(of_subflows[i]))) return;
    }
    bool has_triggers = env->check->flow->triggers.count > 0;
    Diag *diag =
        diag_add(env->check->diags, "E0307", weight(env), span,
                 has_triggers ? "no trigger of this flow provides '" STR_FMT "'"
                              : "this flow has no trigger that could provide '" STR_FMT "'",
                 STR_ARG(key));
    Nearest nearest = nearest_to(key);
    offer_fields(&nearest, base);
    diag_suggest(diag, nearest.name);
}

static void unknown_member(Env *env, const Place *base, Str key, Span span) {
    Diag *diag =
        diag_add(env->check->diags, "E0306", weight(env), span,
                 "'" STR_FMT "' has no member '" STR_FMT "'", STR_ARG(base->name), STR_ARG(key));
    Nearest nearest = nearest_to(key);
    offer_fields(&nearest, base);
    if (base->origin == ORIGIN_TASKRUN) {  // there, if only in loops
        nearest_offer(&nearest, STR("value"));
        nearest_offer(&nearest, STR("iteration"));
    }
    diag_suggest(diag, nearest.name);
}

static void no_loop_value(Env *env, const Place *base, Str key, Span span) {
    bool is_value = str_eq(key, STR("value"));
    bool is_loop_word = is_value || str_eq(key, STR("iteration")) || str_eq(key, STR("items"));
    if (!is_loop_word) {
        unknown_member(env, base, key, span);
        return;
    }
    if (env->is_guarded) return;  // a task that runs with and without a loop
    const Task *loops[16];
    uint32_t count = loops_around(env->site, loops, COUNT(loops));
    // 'taskrun.iteration' deeper in a loop: versions differ.
    if (count > 0 && !is_value) return;
    Diag *diag = diag_add(env->check->diags, "E0318", DIAG_ERROR, span,
                          count > 0 ? "'taskrun." STR_FMT
                                      "' exists only in tasks that stand directly in the loop"
                                    : "'taskrun." STR_FMT "' exists only in a loop",
                          STR_ARG(key));
    if (count == 0) return;
    // The value is that of an ancestor which stands directly in the loop; `parents` leaves out
    // those without a value or outputs.
    uint32_t index = 0;
    for (const Task *at = env->site->task->parent; at != NULL && at != loops[0]; at = at->parent) {
        bool is_later = task_is(at, "flow.WorkingDirectory");
        if (at->type == NULL || (at->type->output_count > 0 && !is_later)) index++;
    }
    Str use = index == 0 ? STR("parent.taskrun.value")
                         : str_printf(env->check->arena, "parents[%u].taskrun.value", index);
    DiagSuggestion *fix =
        diag_suggestion(diag, count == 1, "did you mean '" STR_FMT "'?", STR_ARG(use));
    const Str written = STR("taskrun.");
    const Str bytes = env->check->flow->tree->bytes;
    const size_t start = span.start < written.len ? 0 : span.start - written.len;
    if (!str_eq(str_slice(bytes, start, span.start), written)) {
        diag->suggestions.items[diag->suggestions.count - 1].is_safe = false;
        return;
    }
    diag_edit(diag, fix, (Span){span.file, (uint32_t)start, 0},
              str_slice(use, 0, use.len - strlen("taskrun.value")));
}

// --- outputs ------------------------------------------------------------------------------------

static uint32_t loop_depth(const Task *task) {
    uint32_t depth = 0;
    for (const Task *at = task->parent; at != NULL; at = at->parent) {
        if (task_is_loop(at)) depth++;
    }
    return depth;
}

static Place *task_outputs(Env *env, const Task *task) {
    Arena *arena = env->check->arena;
    uint32_t doubtful = TYPE_OUTPUTS_OPEN | TYPE_INFERRED | TYPE_AS_OF;
    Place *place = place_new(arena, ORIGIN_TASK_OUTPUT, task->id);
    place->task = task;
    place->is_open = task->type == NULL || task->has_version || (task->type->flags & doubtful) != 0;
    place->is_certain = !place->is_open;
    for (uint32_t i = 0; task->type != NULL && i < task->type->output_count; i++) {
        const Output *output = &task->type->outputs[i];
        place_add(arena, place, output->name, catalog_type(arena, output->type), NULL);
    }
    return place;
}

// NULL: nothing is known of them.
static const Place *outputs_of(Env *env, const Task *task) {
    for (const Task *at = task->parent; at != NULL; at = at->parent) {
        // Iterations of a 2.0 Loop are executions of their own; a parent nobody knows may be a
        // loop.
        if (task_is(at, "flow.Loop") || at->type == NULL) return NULL;
    }
    uint32_t depth = loop_depth(task);
    if (depth == 0) return task_outputs(env, task);
    Place *place = place_new(env->check->arena, ORIGIN_LOOP_OUTPUT, task->id);
    place->task = task;
    place->depth = depth;
    return place;
}

// One key of a loop given: the next, or the outputs themselves.
static ExprType *below_loop(Env *env, const ExprType *base) {
    const Place *place = base->place;
    const Place *inner = NULL;
    if (place->depth > 1) {
        Place *next = place_new(env->check->arena, ORIGIN_LOOP_OUTPUT, place->name);
        next->task = place->task;
        next->depth = place->depth - 1;
        inner = next;
    } else {
        inner = task_outputs(env, place->task);
    }
    ExprType *type = new_place(env, inner);
    type->typed.undef = MAYBE;
    join_taint(type, base);
    return type;
}

// `x_split`, `x_items`, `x_merge` of a ForEachItem x.
static bool is_synthetic(const Flow *flow, Str id) {
    static const char *const tails[] = {"_split", "_items", "_merge"};
    for (size_t i = 0; i < COUNT(tails); i++) {
        Str tail = str_from(tails[i]);
        if (!str_ends_with(id, tail)) continue;
        const Task *task = flow_find_task(flow, str_slice(id, 0, id.len - tail.len));
        if (task != NULL && (task->type == NULL || task_is(task, "flow.ForEachItem"))) return true;
    }
    return false;
}

static const Task *known_task(Env *env, const Expr *expr, Str id, Span span, bool *is_silent) {
    const Flow *flow = env->check->flow;
    const Task *task = flow_find_task(flow, id);
    *is_silent = true;
    if (task != NULL) return task;
    Nearest nearest = nearest_to(id);
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        nearest_offer(&nearest, flow->all_tasks.items[i]->id);
    }
    // Task runs that a task adds bear other names; one letter off is a slip all the same.
    bool is_doubtful = env->check->has_dynamic_tasks;
    if (is_synthetic(flow, id) || is_hole_id(flow, id) || (is_doubtful && nearest.best > 1)) {
        return NULL;
    }
    bool was_asked = env->is_asked;
    env->is_asked = false;  // whether a task is in the flow is no question
    bool is_quiet = env->is_asked || is_silent_place(env, expr);
    env->is_asked = was_asked;
    if (is_quiet) return NULL;
    *is_silent = false;
    Diag *diag = diag_add(env->check->diags, "E0302", is_doubtful ? DIAG_WARNING : weight(env),
                          span, "unknown task '" STR_FMT "'", STR_ARG(id));
    diag_suggest(diag, nearest.name);
    return NULL;
}

static Diag *order_finding(Env *env, const Task *writer, Span span, Order order, bool is_soft) {
    Diags *diags = env->check->diags;
    Str id = writer->id;
    if (order == ORDER_SELF) {
        return diag_add(diags, "E0208", DIAG_ERROR, span, "task '" STR_FMT "' reads its own output",
                        STR_ARG(id));
    }
    if (order == ORDER_PARALLEL) {
        return diag_add(diags, "E0203", is_soft ? DIAG_WARNING : DIAG_ERROR, span,
                        "task '" STR_FMT "' runs at the same time: its output need not exist yet",
                        STR_ARG(id));
    }
    if (order == ORDER_EXCLUSIVE) {
        return diag_add(diags, "W0204", DIAG_WARNING, span,
                        "task '" STR_FMT "' stands in another branch: its output may be undefined",
                        STR_ARG(id));
    }
    if (order == ORDER_MAY) {
        const char *why = writer->is_disabled ? "is disabled" : "may be skipped";
        return diag_add(diags, "W0204", DIAG_WARNING, span,
                        "task '" STR_FMT "' %s: its output may be undefined", STR_ARG(id), why);
    }
    return diag_add(diags, "E0202", is_soft ? DIAG_WARNING : DIAG_ERROR, span,
                    "task '" STR_FMT "' has not run yet when its output is read here", STR_ARG(id));
}

// A reader that runs under a condition about the writer has thought of it.
static bool reader_knows(const Env *env, const Task *writer) {
    for (const Task *at = env->site->task; at != NULL; at = at->parent) {
        const Node *conditions[2] = {task_run_if(at), NULL};
        if (at->parent != NULL && task_is(at->parent, "flow.If")) {
            const Property *property = task_property(at->parent, STR("condition"));
            if (property != NULL) conditions[1] = property->node;
        }
        for (size_t i = 0; i < COUNT(conditions); i++) {
            if (conditions[i] == NULL || conditions[i]->type != YAML_SCALAR) continue;
            if (str_find(conditions[i]->text, writer->id, 0) != STR_NOT_FOUND) return true;
            const Node *own = task_run_if(writer);
            if (own != NULL && str_eq(own->text, conditions[i]->text)) return true;
        }
    }
    return false;
}

// `outputs.a.x ?? outputs.b.y` where a and b stand in the branches of one If or Switch, and there
// is no other: the last one runs where none of those before it did.
static bool is_last_branch(const Env *env, const Task *writer) {
    const Task *parent = writer->parent;
    if (parent == NULL || env->instead_count == 0) return false;
    if (writer->is_disabled || task_run_if(writer) != NULL) return false;
    const bool is_if = task_is(parent, "flow.If");
    if (!is_if && !task_is(parent, "flow.Switch")) return false;
    bool is_looped = false;
    if (order_of(parent, env->site->task, &is_looped) != ORDER_MUST) return false;
    bool has_rest = false;  // a branch for all other values
    for (uint32_t i = 0; i < parent->groups.count; i++) {
        const TaskGroup *group = parent->groups.items[i];
        if (group->list == TASKS_ERRORS || group->list == TASKS_FINALLY) continue;
        has_rest = has_rest || group->list == (is_if ? TASKS_ELSE : TASKS_DEFAULTS);
        bool is_named = group == writer->group;
        for (uint32_t k = 0; k < env->instead_count; k++) {
            is_named = is_named || env->instead_of[k]->group == group;
        }
        if (!is_named) return false;
    }
    return has_rest;
}

// What was said already of this task and one that it reads: moving one of them repairs all places.
static Diag *find_order(const Env *env, const Task *writer, bool is_guarded) {
    static const char *const codes[] = {"E0202", "E0203", "E0208", "W0216"};
    const Diags *diags = env->check->diags;
    const Span reader = env->site->task != NULL ? env->site->task->node->span : (Span){0};
    for (uint32_t i = diags->list.count; i-- > 0 && reader.len > 0;) {
        Diag *diag = diags->list.items[i];
        if (diag->labels.count == 0 || diag->span.file != reader.file) continue;
        bool is_order = false;
        for (size_t k = 0; k < COUNT(codes) - !is_guarded; k++) {
            is_order = is_order || str_eq(str_from(diag->code), str_from(codes[k]));
        }
        if (!is_order || diag->labels.items[0].span.start != writer->id_span.start) continue;
        if (diag->span.start < reader.start || diag->span.start >= reader.start + reader.len) {
            continue;
        }
        return diag;
    }
    return NULL;
}

// A guard around what can never be there: the replacement is all there ever is.
static void guarded_unreachable(Env *env, const Task *writer, Span span) {
    if (find_order(env, writer, true) != NULL) return;
    Diag *diag =
        diag_add(env->check->diags, "W0216", DIAG_WARNING, span,
                 "task '" STR_FMT "' never runs before this: the guard always replaces its output",
                 STR_ARG(writer->id));
    diag_label(diag, writer->id_span, "task '" STR_FMT "' stands here", STR_ARG(writer->id));
}

void output_order(Env *env, const Expr *expr, const Task *writer, Span span) {
    const Site *site = env->site;
    if (env->check->flow->has_holes || site->kind == SITE_VARIABLE ||
        site->kind == SITE_CONDITION || site->is_static) {
        return;
    }
    bool is_looped = false;
    Order order = order_of(writer, site->task, &is_looped);
    if (order == ORDER_MUST || order == ORDER_MAY_ERROR || order == ORDER_AROUND) return;
    // Two tasks of one id are reported as such; which one is meant is anybody's guess.
    if (is_caught(env, expr)) {
        if (order == ORDER_NEVER && !is_looped) guarded_unreachable(env, writer, span);
        return;
    }
    bool is_flowable = writer->type == NULL || writer->type->exec == EXEC_FLOWABLE;
    if (order == ORDER_SELF && (is_flowable || is_looped)) return;
    if (order == ORDER_INSIDE) {
        const Task *reader = site->task;
        bool is_early = task_is(reader, "flow.If") || task_is(reader, "flow.Switch") ||
                        task_is(reader, "flow.ForEach") || task_is(reader, "flow.EachSequential") ||
                        task_is(reader, "flow.EachParallel") || site->kind == SITE_RUN_IF;
        for (const Task *at = reader; at != NULL; at = at->parent) {
            if (task_is_loop(at) || task_is(at, "flow.LoopUntil")) is_looped = true;
        }
        if (!is_early || is_looped) return;
    }
    if (order == ORDER_MAY && (reader_knows(env, writer) || is_last_branch(env, writer))) return;
    if (order == ORDER_EXCLUSIVE && is_looped) return;
    // With a limit, tasks of a Parallel may well run one after the other.
    const Task *parent = writer->parent;
    if (order == ORDER_PARALLEL && parent != NULL && task_property(parent, STR("concurrent"))) {
        is_looped = true;
    }
    Diag *known =
        order == ORDER_MAY || order == ORDER_EXCLUSIVE ? NULL : find_order(env, writer, false);
    if (known != NULL) {
        diag_label(known, span, "and here");
        return;
    }
    // What a guard hides elsewhere in the task is the same mistake.
    Diag *hidden = find_order(env, writer, true);
    if (hidden != NULL && order != ORDER_MAY && order != ORDER_EXCLUSIVE) diag_take_back(hidden);
    Diag *diag = order_finding(env, writer, span, order, is_looped);
    diag_label(diag, writer->id_span, "task '" STR_FMT "' stands here", STR_ARG(writer->id));
    if (order == ORDER_MAY || order == ORDER_EXCLUSIVE) {
        diag_note(diag, "write '{{ … ?? otherwise }}' to say what holds when it did not run");
    }
}

static ExprType *output_member(Env *env, const Expr *expr, Str key, Span span) {
    bool is_silent = false;
    const Task *task = known_task(env, expr, key, span, &is_silent);
    if (task == NULL) return is_silent ? new_type(env, type_any()) : undefined(env);
    output_order(env, expr, task, span);
    const Place *place = outputs_of(env, task);
    ExprType *type = place != NULL ? new_place(env, place) : new_type(env, type_any());
    type->typed.undef = MAYBE;
    type->typed.effects = HAS_CONTEXT;
    type->typed.source = SOURCE_CATALOG;
    if (task->type != NULL &&
        str_starts_with(task->type->name, STR("io.kestra.plugin.core.http."))) {
        type->is_foreign = true;
        type->taint_source = str_printf(env->check->arena, "outputs." STR_FMT, STR_ARG(key));
    }
    return type;
}

static void unknown_output(Env *env, const Place *base, Str key, Span span) {
    const Task *task = base->task;
    Diag *diag =
        diag_add(env->check->diags, "E0303", weight(env), span,
                 "task '" STR_FMT "' has no output '" STR_FMT "'", STR_ARG(task->id), STR_ARG(key));
    Nearest nearest = nearest_to(key);
    offer_fields(&nearest, base);
    if (loop_depth(task) > 0 && nearest.name.len == 0) {
        diag_note(diag, "the task runs in a loop: its outputs are 'outputs." STR_FMT "[value]…'",
                  STR_ARG(task->id));
    }
    diag_suggest(diag, nearest.name);
    if (nearest.name.len > 0) return;
    if (base->fields.count == 0) {
        diag_note(diag, "'" STR_FMT "' has no outputs at all", STR_ARG(task->type->name));
        return;
    }
    Str all = {0};
    for (uint32_t i = 0; i < base->fields.count && i < 12; i++) {
        all = str_printf(env->check->arena, STR_FMT "%s" STR_FMT, STR_ARG(all), i > 0 ? ", " : "",
                         STR_ARG(base->fields.items[i].name));
    }
    diag_note(diag, "outputs of '" STR_FMT "': " STR_FMT, STR_ARG(task->type->name), STR_ARG(all));
}

// No value of a loop is this word: all are written down, and none is it.
static bool is_no_value(const Node *values, Str key) {
    if (values->type != YAML_LIST || values->items.count == 0) return false;
    for (uint32_t i = 0; i < values->items.count; i++) {
        const Node *item = values->items.items[i];
        if (item->type == YAML_HOLE) return false;
        if (item->type != YAML_SCALAR) continue;
        if (str_eq(item->text, key) || template_has_code(item->text)) return false;
    }
    return true;
}

// In a task that stands directly in the same loop the value is at hand.
static void offer_loop_key(Env *env, Str written, Span key, Diag *diag) {
    const Str bytes = env->check->flow->tree->bytes;
    if (key.start == 0 || bytes.ptr[key.start - 1] != '.') return;
    DiagSuggestion *fix = diag_suggestion(diag, diag->level == DIAG_ERROR,
                                          "did you mean '" STR_FMT "'?", STR_ARG(written));
    diag_edit(diag, fix, (Span){key.file, key.start - 1, 0}, STR("[taskrun.value]"));
}

// `outputs.t.x` where `outputs.t[value].x` is meant. True where the key is an output, not a value.
static bool missing_loop_key(Env *env, const Place *base, Str key, Span span) {
    if (place_field(task_outputs(env, base->task), key) == NULL) return false;
    const Task *loop = base->task->parent;
    while (loop != NULL && !task_is_loop(loop)) loop = loop->parent;
    const Property *values = loop == NULL ? NULL : task_property(loop, STR("values"));
    for (uint32_t i = 0; values != NULL && i < values->node->items.count; i++) {
        const Node *item = values->node->items.items[i];
        if (item->type == YAML_SCALAR && str_eq(item->text, key)) return false;  // really a key
    }
    if (env->is_guarded) return true;
    const Task *reader = env->site->task;
    const bool is_sibling = loop != NULL && base->depth == 1 && reader != NULL &&
                            reader->parent == loop && base->task->parent == loop;
    const bool is_sure = is_sibling && values != NULL && is_no_value(values->node, key);
    Diag *diag =
        diag_add(env->check->diags, "W0321", is_sure ? DIAG_ERROR : DIAG_WARNING, span,
                 "task '" STR_FMT "' runs once a value: its outputs stand under that value",
                 STR_ARG(base->task->id));
    Str written =
        str_printf(env->check->arena, "outputs." STR_FMT "[%s]." STR_FMT, STR_ARG(base->task->id),
                   is_sibling ? "taskrun.value" : "value", STR_ARG(key));
    if (is_sibling) {
        offer_loop_key(env, written, span, diag);
    } else {
        diag_note(diag, "write '" STR_FMT "'", STR_ARG(written));
    }
    return true;
}

// --- members of anything ------------------------------------------------------------------------

static bool is_java_member(Str key) {
    static const char *const names[] = {"length", "bytes", "empty", "blank", "chars", "class"};
    for (size_t i = 0; i < COUNT(names); i++) {
        if (str_eq(key, str_from(names[i]))) return true;
    }
    return false;
}

// Where the text is JSON, its members are those of what it says.
static void offer_from_json(Env *env, const Expr *expr, Str path, Str key, Diag *diag) {
    DiagSuggestion *fix =
        diag_suggestion(diag, false, "if it is JSON: 'fromJson(" STR_FMT ")." STR_FMT "'",
                        STR_ARG(path), STR_ARG(key));
    diag_edit(diag, fix, expr->span,
              str_printf(env->check->arena, "fromJson(" STR_FMT ")." STR_FMT, STR_ARG(path),
                         STR_ARG(key)));
}

static void member_of_text(Env *env, const Expr *expr, const ExprType *base, Str key, Span span) {
    bool is_loop_value = base->place != NULL && base->place->origin == ORIGIN_LOOP_VALUE;
    Str path = expr_path(env->check->arena, expr->args.items[0].value);
    if (is_java_member(key)) {
        Diag *diag = diag_add(env->check->diags, "E0323", weight(env), span,
                              "a text has no member '" STR_FMT "'", STR_ARG(key));
        if (str_eq(key, STR("length"))) diag_note(diag, "use the filter: '… | length'");
        return;
    }
    if (!is_loop_value) {
        Diag *diag = diag_add(env->check->diags, "E0322", weight(env), span,
                              "'" STR_FMT "' is a text, which has no member '" STR_FMT "'",
                              STR_ARG(path), STR_ARG(key));
        if (expr->kind == EXPR_MEMBER && path.len > 0) offer_from_json(env, expr, path, key, diag);
        return;
    }
    Diag *diag =
        diag_add(env->check->diags, "E0322", weight(env), span,
                 "the value of a loop is a text, which has no member '" STR_FMT "'", STR_ARG(key));
    Span whole = expr->span;
    if (expr->kind != EXPR_MEMBER || path.len == 0) return;
    if (base->typed.undef == MAYBE) {  // the value itself is asked for in the wrong place
        diag_note(diag, "write 'fromJson(…)." STR_FMT "' around the value", STR_ARG(key));
        return;
    }
    DiagSuggestion *fix =
        diag_suggestion(diag, true, "did you mean 'fromJson(" STR_FMT ")." STR_FMT "'?",
                        STR_ARG(path), STR_ARG(key));
    diag_edit(diag, fix, whole,
              str_printf(env->check->arena, "fromJson(" STR_FMT ")." STR_FMT, STR_ARG(path),
                         STR_ARG(key)));
}

static void unknown_field(Env *env, const Place *base, Str key, Span span) {
    switch (base->origin) {
    case ORIGIN_INPUTS:
        unknown_input(env, base, key, span);
        return;
    case ORIGIN_VARIABLES:
        unknown_variable(env, base, key, span);
        return;
    case ORIGIN_TRIGGER:
        unknown_trigger_field(env, base, key, span);
        return;
    case ORIGIN_TASKRUN:
        no_loop_value(env, base, key, span);
        return;
    case ORIGIN_FIXED:
        unknown_member(env, base, key, span);
        return;
    case ORIGIN_TASK_OUTPUT:
        unknown_output(env, base, key, span);
        return;
    case ORIGIN_OUTPUTS:
    case ORIGIN_LOOP_OUTPUT:
    case ORIGIN_TASKS:
    case ORIGIN_LOOP_VALUE:
    case ORIGIN_PARENT:
        return;
    }
}

// Who chose the value of an input: nobody but the author where it is one of a few, a number, a
// boolean, or held by an anchored pattern.
static bool is_free_text(const InputDecl *input) {
    if (!input->has_type) return false;  // the type is the mistake
    if (input->validator != NULL && input->validator->type == YAML_SCALAR) return false;
    InputType type = input->type;
    bool is_closed = (type == INPUT_SELECT || type == INPUT_ENUM || type == INPUT_MULTISELECT) &&
                     !input->allow_custom && input->is_required;
    bool is_plain = type == INPUT_INT || type == INPUT_FLOAT || type == INPUT_BOOL ||
                    type == INPUT_BOOLEAN || type == INPUT_DATE || type == INPUT_DATETIME ||
                    type == INPUT_TIME || type == INPUT_DURATION || type == INPUT_FILE;
    return !is_closed && !is_plain;
}

static void taint_input(Env *env, ExprType *type, Str id) {
    const InputDecl *input = flow_find_input(env->check->flow, id);
    if (input == NULL) return;
    type->taint_source = str_printf(env->check->arena, "inputs." STR_FMT, STR_ARG(id));
    if (input->has_type && input->type == INPUT_SECRET) type->typed.taint = TAINT_SECRET;
    if (is_free_text(input)) type->is_foreign = true;
}

// A part of the file could not be read, and what is asked for may stand there.
static bool may_be_in_hole(const Env *env, const Place *place, Str key) {
    const Flow *flow = env->check->flow;
    if (!flow->has_holes) return false;
    if (place->origin == ORIGIN_INPUTS) return is_hole_id(flow, key);
    return place->origin == ORIGIN_VARIABLES || place->origin == ORIGIN_TRIGGER;
}

// The value of the loop around, where a task asked for it that stands too deep: what is wrong with
// its members is another mistake.
static ExprType *meant_value(Env *env) {
    const Task *loops[1];
    if (loops_around(env->site, loops, COUNT(loops)) == 0) return undefined(env);
    ExprType *type = loop_value_type(env, loops[0]);
    type->typed.undef = MAYBE;
    return type;
}

static ExprType *place_member(Env *env, const Expr *expr, const ExprType *base, Str key,
                              Span span) {
    const Place *place = base->place;
    const PlaceField *field = place_field(place, key);
    ExprType *type = NULL;
    if (field != NULL && field->place != NULL) {
        type = new_place(env, field->place);
        if (field->place->origin == ORIGIN_LOOP_VALUE) type->typed.type = field->type;
    } else {
        type = new_type(env, field == NULL ? type_any() : field->type);
    }
    join_taint(type, base);
    if (place->origin == ORIGIN_INPUTS) {
        Str path = expr_path(env->check->arena, expr);
        Str id = path.len > 7 ? str_slice(path, 7, path.len) : key;
        add_ref(env, REF_INPUT, id, span);
        taint_input(env, type, id);
    }
    if (place->origin == ORIGIN_VARIABLES) add_ref(env, REF_VARIABLE, key, span);
    if (field != NULL) {
        if (type_must_be(field->type, TYPE_TAG_TEXT) && field->type->text == TEXT_DATETIME) {
            type->is_foreign = false;  // a date of a schedule is nobody's choice
        }
        if (place->origin == ORIGIN_TASK_OUTPUT || place->origin == ORIGIN_TRIGGER) {
            type->typed.undef = MAYBE;
        }
        if (place->origin == ORIGIN_TRIGGER) unguarded_trigger(env, expr, key, span);
        return type;
    }
    type->typed.undef = place->is_open ? MAYBE : CERTAINLY;
    if (place->is_open) type->typed.source = SOURCE_UNKNOWN;
    bool is_sure = place->is_certain && !place->is_open && !may_be_in_hole(env, place, key);
    // Which outputs a type has is no question that a flow could ask.
    const bool is_asked = env->is_asked && place->origin != ORIGIN_TASK_OUTPUT;
    if (is_sure && !is_asked && !is_silent_place(env, expr)) {
        unknown_field(env, place, key, span);
        if (place->origin == ORIGIN_TASKRUN && str_eq(key, STR("value"))) return meant_value(env);
        type->typed.undef = MAYBE;  // what was meant is there
        type->typed.source = SOURCE_UNKNOWN;
    }
    return type;
}

static ExprType *value_member(Env *env, const Expr *expr, const ExprType *base, Str key,
                              Span span) {
    const Type *from = base->typed.type;
    TypeMember member = type_member(env->check->arena, from, key);
    bool is_text = type_must_be(from, TYPE_TAG_TEXT);
    bool is_certain = base->typed.source <= SOURCE_CATALOG && base->typed.undef != CERTAINLY;
    ExprType *type = new_type(env, member.is_there == CERTAINLY_NOT ? type_any() : member.type);
    join_taint(type, base);
    type->typed.undef = member.is_there == CERTAINLY ? base->typed.undef : MAYBE;
    if (member.is_there != CERTAINLY_NOT) return type;
    type->typed.undef = CERTAINLY;
    // Of texts only those that are known to be one: a template or a uri may be rendered or read.
    bool is_plain = is_text && (from->text == TEXT_PLAIN || from->text == TEXT_LITERALS ||
                                from->text == TEXT_JSON);
    if (!is_plain || !is_certain || env->is_asked || is_silent_place(env, expr)) return type;
    member_of_text(env, expr, base, key, span);
    if (env->is_guarded) {  // what was meant is there
        type->typed.undef = MAYBE;
        type->typed.source = SOURCE_UNKNOWN;
    }
    return type;
}

ExprType *member_type(Env *env, const Expr *expr, const ExprType *base, Str key, Span span) {
    const Place *place = base->place;
    if (place == NULL || place->origin == ORIGIN_LOOP_VALUE) {
        return value_member(env, expr, base, key, span);
    }
    if (place->origin == ORIGIN_OUTPUTS) {
        add_ref(env, REF_OUTPUT, key, span);
        return output_member(env, expr, key, span);
    }
    if (place->origin == ORIGIN_TASKS) {
        bool is_silent = false;
        known_task(env, expr, key, span, &is_silent);
        return new_type(env, type_any());
    }
    if (place->origin == ORIGIN_LOOP_OUTPUT) {
        if (missing_loop_key(env, place, key, span)) return undefined(env);
        return below_loop(env, base);
    }
    return place_member(env, expr, base, key, span);
}

ExprType *index_type(Env *env, const Expr *expr, const ExprType *base) {
    Expr *key = expr->args.items[1].value;
    infer(env, key);
    if (key->kind == EXPR_TEXT) return member_type(env, expr, base, key->text, key->span);
    const Place *place = base->place;
    ExprType *type = NULL;
    if (place != NULL) {
        if (place->origin == ORIGIN_INPUTS) add_ref(env, REF_INPUT, (Str){0}, expr->span);
        if (place->origin == ORIGIN_VARIABLES) add_ref(env, REF_VARIABLE, (Str){0}, expr->span);
        if (place->origin == ORIGIN_OUTPUTS) add_ref(env, REF_OUTPUT, (Str){0}, expr->span);
        if (place->origin == ORIGIN_LOOP_OUTPUT) return below_loop(env, base);
        // parents[n] is an entry like any other.
        bool is_entry = place->origin == ORIGIN_PARENT && str_eq(place->name, STR("parents"));
        type = is_entry ? new_place(env, place) : new_type(env, type_any());
    } else {
        const Type *item = type_element(env->check->arena, base->typed.type);
        type = new_type(env, item->tag == TYPE_TAG_NEVER ? type_any() : item);
    }
    type->typed.undef = MAYBE;
    join_taint(type, base);
    return type;
}
