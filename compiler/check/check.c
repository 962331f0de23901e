// check.c - all templates of a flow, one after the other.
#include "check/internal.h"

Str site_property(const Site *site) {
    return site->property != NULL ? site->property->name : (Str){0};
}

static void add_macros(Env *env, const Parts *parts) {
    for (uint32_t i = 0; i < parts->count; i++) {
        const Part *part = parts->items[i];
        if (part->kind == PART_MACRO) {
            LIST_ADD(env->check->arena, env->macros, Macro)->name = part->text;
        }
        add_macros(env, &part->body);
        for (uint32_t k = 0; k < part->branches.count; k++) {
            add_macros(env, &part->branches.items[k].body);
        }
    }
}

// What the condition of an If says holds in its branches, what runIf says holds in its task.
static const Fact *facts_around(Env *env, const Site *site) {
    const Fact *facts = NULL;
    const Check *check = env->check;
    for (const Task *task = site->task; task != NULL; task = task->parent) {
        if (site->kind != SITE_RUN_IF || task != site->task) {
            facts = facts_of(env, check->run_if[task->index], true, facts);
        }
        if (task->parent == NULL) continue;
        bool truth = task->group->list == TASKS_BODY;
        if (!truth && task->group->list != TASKS_ELSE) continue;
        facts = facts_of(env, check->conditions[task->parent->index], truth, facts);
    }
    return facts;
}

static void keep_condition(Check *check, const Site *site) {
    const Expr *sole = site->tpl->sole;
    if (site->task == NULL || sole == NULL) return;
    if (site->kind == SITE_RUN_IF) check->run_if[site->task->index] = sole;
    if (task_is(site->task, "flow.If") && str_eq(site_property(site), STR("condition"))) {
        check->conditions[site->task->index] = sole;
    }
}

static bool seen_before(const Checked *out, const Node *node) {
    for (uint32_t i = 0; i < out->sites.count; i++) {
        if (out->sites.items[i]->node == node) return true;
    }
    return false;
}

static void check_site(Check *check, Site *site) {
    // A text of the plugin defaults is judged once, however many tasks it reaches.
    bool is_default = flow_span_is_default(check->flow, site->node->span);
    bool is_again = is_default && seen_before(check->out, site->node);
    if (is_again) check->diags->muted++;
    // A text nobody renders may hold anything.
    if (site->is_static) check->diags->muted++;
    site->tpl = template_parse(check->parser, site->node, check->diags);
    *LIST_ADD(check->arena, &check->out->sites, Site *) = site;

    LIST_OF(Macro) macros = {0};
    Env env = {.check = check, .site = site, .macros = (void *)&macros};
    add_macros(&env, &site->tpl->parts);
    env.facts = facts_around(&env, site);
    infer_parts(&env, &site->tpl->parts);
    keep_condition(check, site);
    if (site->is_static) check->diags->muted--;
    if (is_again) check->diags->muted--;
}

bool checked_may_mention(const Checked *checked, Str name) {
    for (uint32_t i = 0; i < checked->sites.count; i++) {
        const Site *site = checked->sites.items[i];
        if (!site->tpl->has_error) continue;
        if (str_find(site->node->text, name, 0) != STR_NOT_FOUND) return true;
    }
    return false;
}

Checked *check_flow(Flow *flow, Catalog *catalog, ExprParser *parser, const CheckOptions *options,
                    Arena *arena, Diags *diags) {
    Check check = {
        .arena = arena,
        .diags = diags,
        .catalog = catalog,
        .flow = flow,
        .parser = parser,
        .options = options,
        .out = arena_new(arena, Checked),
    };
    check.out->targets = options->targets;
    check.out->is_strict = options->is_strict;
    check.run_if = arena_array(arena, const Expr *, flow->all_tasks.count);
    check.conditions = arena_array(arena, const Expr *, flow->all_tasks.count);
    roots_prepare(&check);
    sites_visit(&check, check_site);
    flow->checked = check.out;
    return check.out;
}
