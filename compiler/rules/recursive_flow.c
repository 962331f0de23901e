// recursive_flow.c - a flow that calls itself by a literal name: it would never end.
#include "rules/rule.h"

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        const Task *task = flow->all_tasks.items[i];
        if (!task_is(task, "flow.Subflow") && !task_is(task, "flow.ForEachItem")) continue;
        const Property *id = task_property(task, STR("flowId"));
        const Property *name_space = task_property(task, STR("namespace"));
        if (id == NULL || name_space == NULL || flow->id.len == 0) continue;
        if (!str_eq(rule_text(id->node), flow->id) ||
            !str_eq(rule_text(name_space->node), flow->flow_namespace)) {
            continue;
        }
        diag_add(diags, rule->code, rule->level, id->node->span, "flow '" STR_FMT "' calls itself",
                 STR_ARG(flow->id));
    }
}

const Rule rule_recursive_flow = {
    .code = "E0208",
    .name = "self-reference",
    .level = DIAG_ERROR,
    .help = "A flow may not run itself as a subflow.",
    .check = check,
};
