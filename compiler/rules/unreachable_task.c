// unreachable_task.c - a task behind one that always fails or ends the execution.
#include "rules/rule.h"

static bool always_ends(const Task *task) {
    if (!task_is(task, "execution.Fail") && !task_is(task, "execution.Exit")) return false;
    if (task->is_disabled || task->allow_failure || task->type == NULL) return false;
    return task_run_if(task) == NULL && task_property(task, STR("condition")) == NULL;
}

// Not lists whose tasks start together, or in which a failure does not stop the next task.
static bool is_ordered(const Task *parent, const TaskGroup *group) {
    bool goes_on =
        group->list == TASKS_ERRORS || group->list == TASKS_FINALLY || group->list == TASKS_AFTER;
    if (goes_on) return false;
    if (parent == NULL) return group->list == TASKS_BODY;
    if (parent->type == NULL || task_is(parent, "flow.AllowFailure")) return false;
    return !task_is(parent, "flow.Parallel") && !task_is(parent, "flow.Dag") &&
           !task_is(parent, "flow.EachParallel");
}

static void check_group(const Rule *rule, const TaskGroup *group, Diags *diags) {
    for (uint32_t i = 0; i + 1 < group->tasks.count; i++) {
        const Task *task = group->tasks.items[i];
        const Task *next = group->tasks.items[i + 1];
        if (!always_ends(task) || next->is_disabled) continue;
        Diag *diag = diag_add(diags, rule->code, rule->level, next->id_span,
                              "task '" STR_FMT "' can never start", STR_ARG(next->id));
        diag_label(diag, task->id_span, "the run always ends here");
    }
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        const Task *task = flow->all_tasks.items[i];
        bool is_first = task->group->tasks.items[0] == task;
        if (is_first && is_ordered(task->parent, task->group)) {
            check_group(rule, task->group, diags);
        }
    }
}

const Rule rule_unreachable_task = {
    .code = "W0214",
    .name = "unreachable-task",
    .level = DIAG_WARNING,
    .help = "An unconditional Fail or Exit ends the run; nothing behind it starts.",
    .check = check,
};
