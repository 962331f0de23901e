// bad_range.c - numbers of the flow itself that must be positive: concurrency, revision.
#include "rules/rule.h"

static void check_least(const Rule *rule, const Node *node, const char *name, int64_t least,
                        Diags *diags) {
    if (node == NULL || node->type != YAML_SCALAR || node->value.kind != VALUE_INT) return;
    if (node->value.as.integer >= least) return;
    diag_add(diags, rule->code, rule->level, node->span, "'%s' must be at least %lld, not " STR_FMT,
             name, (long long)least, STR_ARG(node->text));
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    check_least(rule, rule_member(flow->concurrency, "limit"), "limit", 1, diags);
    check_least(rule, rule_member(flow->node, "revision"), "revision", 1, diags);
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        const Task *task = flow->all_tasks.items[i];
        bool has_limit = task_is(task, "flow.Parallel") || task_is(task, "flow.Dag") ||
                         task_is(task, "flow.EachParallel");
        const Property *property = has_limit ? task_property(task, STR("concurrent")) : NULL;
        if (property != NULL) check_least(rule, property->node, "concurrent", 0, diags);
    }
}

const Rule rule_bad_range = {
    .code = "E0508",
    .name = "bad-range",
    .level = DIAG_ERROR,
    .help = "Limits and counts have a least value.",
    .check = check,
};
