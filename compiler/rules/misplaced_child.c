// misplaced_child.c - tasks that a WorkingDirectory cannot hold: its children run on one worker, so
// flowable tasks and those the engine performs itself have no place there.
#include "rules/rule.h"

static bool is_runnable(const Task *task) {
    if (task->type == NULL) return true;
    if (task->type->exec != EXEC_RUNNABLE) return false;
    return !task_is(task, "execution.Labels") && !task_is(task, "execution.Exit") &&
           !task_is(task, "execution.SetVariables") && !task_is(task, "execution.UnsetVariables");
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        const Task *task = flow->all_tasks.items[i];
        const Task *parent = task->parent;
        if (parent == NULL || !task_is(parent, "flow.WorkingDirectory")) continue;
        if (task->group->list != TASKS_BODY || is_runnable(task)) continue;
        Diag *diag = diag_add(diags, rule->code, rule->level, task->type_span,
                              "'" STR_FMT "' cannot stand in a WorkingDirectory",
                              STR_ARG(type_short_name(task->type->name)));
        diag_label(diag, parent->id_span, "the WorkingDirectory");
        diag_note(diag, "only runnable tasks are allowed as its children");
    }
}

const Rule rule_misplaced_child = {
    .code = "E0112",
    .name = "misplaced-task",
    .level = DIAG_ERROR,
    .help = "Some tasks may hold runnable tasks only.",
    .check = check,
};
