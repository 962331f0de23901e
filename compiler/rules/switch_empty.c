// switch_empty.c - a Switch that can choose nothing.
#include "rules/rule.h"

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    if (flow->has_holes) return;
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        const Task *task = flow->all_tasks.items[i];
        if (!task_is(task, "flow.Switch")) continue;
        bool has_tasks = false;
        for (uint32_t k = 0; k < task->groups.count; k++) {
            TaskList list = task->groups.items[k]->list;
            has_tasks = has_tasks || list == TASKS_CASE || list == TASKS_DEFAULTS;
        }
        if (has_tasks) continue;
        diag_add(diags, rule->code, rule->level, task->type_span,
                 "task '" STR_FMT "' needs 'cases', 'defaults' or both", STR_ARG(task->id));
    }
}

const Rule rule_switch_empty = {
    .code = "E0118",
    .name = "switch-empty",
    .level = DIAG_ERROR,
    .help = "A Switch without a case and without defaults has no task it could run.",
    .check = check,
};
