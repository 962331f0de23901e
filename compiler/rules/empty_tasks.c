// empty_tasks.c - a list of tasks without a task, where the language asks for at least one.
#include "rules/rule.h"

static bool may_be_empty(const Task *task, const TaskGroup *group) {
    if (group->list != TASKS_BODY) return true;
    return task_is(task, "flow.Pause") || task_is(task, "flow.ForEachItem");
}

static void check_group(const Rule *rule, const TaskGroup *group, Str of, Diags *diags) {
    if (group->tasks.count > 0 || group->node->type == YAML_HOLE) return;
    if (group->node->type == YAML_LIST && group->node->items.count > 0) return;  // not readable
    if (group->node->type != YAML_LIST && !node_is_null(group->node)) return;
    diag_add(diags, rule->code, rule->level, group->node->span,
             "the list of tasks of " STR_FMT " must not be empty", STR_ARG(of));
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    if (flow->has_holes) return;
    for (uint32_t i = 0; i < flow->groups.count; i++) {
        const TaskGroup *group = flow->groups.items[i];
        bool is_needed = group->list == TASKS_BODY || group->list == TASKS_LISTENER;
        if (!is_needed) continue;
        check_group(rule, group, group->list == TASKS_BODY ? STR("the flow") : STR("a listener"),
                    diags);
    }
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        const Task *task = flow->all_tasks.items[i];
        for (uint32_t k = 0; k < task->groups.count; k++) {
            const TaskGroup *group = task->groups.items[k];
            if (may_be_empty(task, group)) continue;
            check_group(rule, group,
                        str_printf(diags->arena, "task '" STR_FMT "'", STR_ARG(task->id)), diags);
        }
    }
}

const Rule rule_empty_tasks = {
    .code = "E0107",
    .name = "empty-tasks",
    .level = DIAG_ERROR,
    .help = "A flow and every task that groups others need at least one task.",
    .check = check,
};
