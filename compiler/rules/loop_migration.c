// loop_migration.c - loops of 1.x under a target of 2.0, where there is one loop only: Loop.
//
// All loops of a nest are rewritten together. A value is `item.value` wherever it is read in its
// iteration, that of the loop around it `item.parent.value`; outputs of an iteration have no key.
// Nothing is offered where that does not say the same: outputs read from outside, keys of another
// iteration, equal values, of which ForEach drops all but one.
#include "rules/rule.h"

enum { LOOPS_MAX = 16, EXPR_LEVELS_MAX = 500 };

typedef struct Migration {
    const Flow *flow;
    const Task *outer;
    Diag *diag;
    DiagSuggestion *fix;
    const Site *site;
    const char *obstacle;  // NULL: none
    Span at;               // of the obstacle
    uint32_t depth;
} Migration;

static bool is_old_loop(const Task *task) {
    return task_is(task, "flow.ForEach") || task_is(task, "flow.EachSequential") ||
           task_is(task, "flow.EachParallel");
}

static bool is_inside(const Task *task, const Task *outer) {
    for (; task != NULL; task = task->parent) {
        if (task == outer) return true;
    }
    return false;
}

static void stop(Migration *it, const char *obstacle, Span at) {
    if (it->obstacle != NULL) return;
    it->obstacle = obstacle;
    it->at = at;
}

// --- what a name means --------------------------------------------------------------------------

// Loops around a task, nearest first: those whose iterations it runs in.
static uint32_t loops_of(const Task *task, const Task **out) {
    uint32_t count = 0;
    for (const Task *at = task; at != NULL && at->parent != NULL; at = at->parent) {
        const bool is_body = at->group->list == TASKS_BODY;
        if (is_old_loop(at->parent) && is_body && count < LOOPS_MAX) out[count++] = at->parent;
    }
    return count;
}

static bool has_value(const Task *task) {
    return task->parent != NULL && is_old_loop(task->parent) && task->group->list == TASKS_BODY;
}

// `parents[n]`: ancestors that have a value or outputs.
static const Task *parent_at(const Task *task, int64_t n) {
    for (const Task *at = task->parent; at != NULL; at = at->parent) {
        const bool counts = has_value(at) || at->type == NULL || at->type->output_count > 0;
        if (counts && n-- == 0) return at;
    }
    return NULL;
}

static bool is_name(const Expr *expr, const char *name) {
    return expr->kind == EXPR_NAME && str_eq(expr->text, str_from(name));
}

static bool is_member(const Expr *expr, const char *name) {
    return expr->kind == EXPR_MEMBER && str_eq(expr->text, str_from(name));
}

// `taskrun`, `parent.taskrun`, `parents[n].taskrun`: the task whose run it is. NULL: no such thing.
static const Task *run_of(const Migration *it, const Expr *expr) {
    if (is_name(expr, "taskrun")) return it->site->task;
    if (!is_member(expr, "taskrun")) return NULL;
    const Expr *base = expr->args.items[0].value;
    if (is_name(base, "parent")) return parent_at(it->site->task, 0);
    if (base->kind != EXPR_INDEX || !is_name(base->args.items[0].value, "parents")) return NULL;
    const Expr *index = base->args.items[1].value;
    return index->kind == EXPR_INT ? parent_at(it->site->task, index->integer) : NULL;
}

// Which loop's value an expression is, counted from the nearest; -1: it is none.
static int value_level(const Migration *it, const Expr *expr, const char *member) {
    if (!is_member(expr, member)) return -1;
    const Task *run = run_of(it, expr->args.items[0].value);
    if (run == NULL || !has_value(run)) return -1;
    const Task *loops[LOOPS_MAX];
    const uint32_t count = loops_of(it->site->task, loops);
    for (uint32_t i = 0; i < count; i++) {
        if (loops[i] == run->parent) return (int)i;
    }
    return -1;
}

static Str item_of(Arena *arena, int level, const char *member) {
    if (level == 0) return str_printf(arena, "item.%s", member);
    if (level == 1) return str_printf(arena, "item.parent.%s", member);
    return str_printf(arena, "item.parents[%d].%s", level - 1, member);
}

// --- rewriting ----------------------------------------------------------------------------------

static void edit(Migration *it, Span span, Str text) {
    diag_edit(it->diag, it->fix, span, text);
}

// `outputs.t[…][…]`: the keys are those of the iteration at hand, and go. False: no such thing.
static bool drop_keys(Migration *it, const Expr *expr) {
    const Expr *keys[LOOPS_MAX];
    uint32_t count = 0;
    const Expr *base = expr;
    while (base->kind == EXPR_INDEX && count < LOOPS_MAX &&
           !is_name(base->args.items[0].value, "outputs")) {
        keys[count++] = base->args.items[1].value;
        base = base->args.items[0].value;
    }
    const bool is_member_name =
        base->kind == EXPR_MEMBER && is_name(base->args.items[0].value, "outputs");
    const bool is_index_name = base->kind == EXPR_INDEX &&
                               is_name(base->args.items[0].value, "outputs") &&
                               base->args.items[1].value->kind == EXPR_TEXT;
    if (!is_member_name && !is_index_name) return false;
    const Str name = is_member_name ? base->text : base->args.items[1].value->text;
    const Task *writer = flow_find_task(it->flow, name);
    const Task *around_writer[LOOPS_MAX];
    const Task *around_reader[LOOPS_MAX];
    const uint32_t wanted = writer == NULL ? 0 : loops_of(writer, around_writer);
    if (wanted == 0 || !is_inside(writer, it->outer)) return false;
    const uint32_t around = it->site->task == NULL ? 0 : loops_of(it->site->task, around_reader);
    const uint32_t outer = around - wanted;  // loops of the reader that the writer is not in
    if (wanted > around || around_reader[outer] != around_writer[0] || count != wanted) {
        stop(it, "an output of its tasks is read here from outside of the iteration", expr->span);
        return true;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (value_level(it, keys[i], "value") == (int)(outer + i)) continue;
        stop(it, "an output of another iteration is read here", keys[i]->span);
        return true;
    }
    const uint32_t start = base->span.start + base->span.len;
    edit(it, (Span){expr->span.file, start, expr->span.start + expr->span.len - start}, STR(""));
    return true;
}

static void walk(Migration *it, const Expr *expr);

static void walk_all(Migration *it, const Expr *expr) {
    for (uint32_t i = 0; i < expr->args.count; i++) walk(it, expr->args.items[i].value);
}

static void walk(Migration *it, const Expr *expr) {
    if (expr == NULL || it->obstacle != NULL || it->depth > EXPR_LEVELS_MAX) return;
    const bool is_in_nest = it->site->task != NULL && is_inside(it->site->task, it->outer) &&
                            it->site->task != it->outer;
    if (expr->kind == EXPR_INDEX || expr->kind == EXPR_MEMBER) {
        if (drop_keys(it, expr)) return;
    }
    static const struct {
        const char *old, *now;
    } members[] = {
        {"value",     "value"},
        {"iteration", "index"},
    };
    for (size_t i = 0; is_in_nest && i < COUNT(members); i++) {
        const int level = value_level(it, expr, members[i].old);
        if (level < 0) continue;
        edit(it, expr->span, item_of(it->diag->owner->arena, level, members[i].now));
        return;
    }
    if (is_in_nest && (is_name(expr, "parent") || is_name(expr, "parents"))) {
        stop(it, "what is around a task is another thing in a Loop", expr->span);
        return;
    }
    it->depth++;
    walk_all(it, expr);
    it->depth--;
}

static void walk_parts(Migration *it, const Parts *parts) {
    for (uint32_t i = 0; i < parts->count; i++) {
        const Part *part = parts->items[i];
        walk(it, part->expr);
        for (uint32_t k = 0; k < part->branches.count; k++) {
            walk(it, part->branches.items[k].condition);
            walk_parts(it, &part->branches.items[k].body);
        }
        for (uint32_t k = 0; k < part->params.count; k++) walk(it, part->params.items[k].otherwise);
        walk_parts(it, &part->body);
        walk_parts(it, &part->otherwise);
    }
}

static void walk_sites(Migration *it) {
    for (uint32_t i = 0; i < it->flow->checked->sites.count; i++) {
        it->site = it->flow->checked->sites.items[i];
        const bool is_variable = it->site->kind == SITE_VARIABLE;
        const Str text = it->site->node->text;
        if (is_variable && (str_find(text, STR("taskrun"), 0) != STR_NOT_FOUND ||
                            str_find(text, STR("parent"), 0) != STR_NOT_FOUND)) {
            stop(it, "a variable reads the value of a loop", it->site->node->span);
        }
        if (it->site->tpl->has_error && it->site->task != NULL &&
            is_inside(it->site->task, it->outer)) {
            stop(it, "this template cannot be read", it->site->node->span);
        }
        walk_parts(it, &it->site->tpl->parts);
    }
}

// ForEach runs once for equal values.
static void check_values(Migration *it, const Task *loop) {
    const Property *values = task_property(loop, STR("values"));
    if (values == NULL || values->node->type != YAML_LIST || !task_is(loop, "flow.ForEach")) return;
    const Node *list = values->node;
    if (list->items.count > 256) return;
    for (uint32_t i = 0; i < list->items.count; i++) {
        for (uint32_t k = 0; k < i; k++) {
            const Node *item = list->items.items[i];
            const bool is_scalar =
                item->type == YAML_SCALAR && list->items.items[k]->type == YAML_SCALAR;
            if (!is_scalar || !str_eq(item->text, list->items.items[k]->text)) continue;
            stop(it, "equal values run once in ForEach and twice in Loop", item->span);
        }
    }
}

static void rewrite_loop(Migration *it, const Task *loop) {
    if (loop->has_version) stop(it, "the task names a version of its own", loop->type_span);
    edit(it, loop->type_span, STR("io.kestra.plugin.core.flow.Loop"));
    check_values(it, loop);
    const Property *value = task_property(loop, STR("value"));
    if (value != NULL && !value->is_default) edit(it, value->name_span, STR("values"));
    const Property *limit = task_property(loop, STR("concurrent"));
    if (limit != NULL && !limit->is_default) edit(it, limit->name_span, STR("concurrencyLimit"));
    if (task_is(loop, "flow.EachParallel") && limit == NULL && value != NULL) {
        stop(it, "EachParallel has no limit: 'concurrencyLimit: 0' says so", loop->type_span);
    }
    if (task_is(loop, "flow.EachParallel")) {
        stop(it, "the children of EachParallel run side by side: put a Parallel around them",
             loop->type_span);
    }
}

static void offer(const Flow *flow, const Task *outer, Diag *diag) {
    Migration it = {.flow = flow, .outer = outer, .diag = diag};
    it.fix = diag_suggestion(diag, true, "make it a Loop, with 'item' for its values");
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        const Task *task = flow->all_tasks.items[i];
        if (is_old_loop(task) && is_inside(task, outer)) rewrite_loop(&it, task);
    }
    walk_sites(&it);
    if (it.obstacle == NULL) return;
    diag->suggestions.count--;
    diag_label(diag, it.at, "%s", it.obstacle);
    diag_note(diag, "use instead: io.kestra.plugin.core.flow.Loop, whose 'outputs' declares what "
                    "its iterations leave behind");
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    if ((flow->checked->targets & TARGET_2_0) == 0) return;
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        const Task *task = flow->all_tasks.items[i];
        if (!is_old_loop(task) || flow_span_is_default(flow, task->type_span)) continue;
        Diag *diag = diag_add(diags, rule->code, rule->level, task->type_span,
                              "type '" STR_FMT "' does not exist in the target version",
                              STR_ARG(task->type_name));
        diag->targets = TARGET_2_0;
        const bool is_outermost =
            task->parent == NULL || loops_of(task, (const Task *[LOOPS_MAX]){0}) == 0;
        if (!is_outermost) {
            diag_note(
                diag,
                "use instead: io.kestra.plugin.core.flow.Loop; it changes with the loop around it");
        } else if (flow->checked->targets == TARGET_2_0 && !flow->has_holes) {
            offer(flow, task, diag);
        } else {
            diag_note(diag, "use instead: io.kestra.plugin.core.flow.Loop");
        }
    }
}

const Rule rule_loop_migration = {
    .code = "E0111",
    .name = "removed-in-target",
    .level = DIAG_ERROR,
    .help = "2.0 has one loop: Loop, whose iterations keep their outputs to themselves.",
    .check = check,
};
