// ignored_property.c - properties that are accepted and do nothing where they stand.
#include "rules/rule.h"

static void ignored(const Rule *rule, const Property *property, Diags *diags, const char *why) {
    if (property == NULL || property->is_default) return;
    diag_add(diags, rule->code, rule->level, property->name_span,
             "'" STR_FMT "' has no effect here: %s", STR_ARG(property->name), why);
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        const Task *task = flow->all_tasks.items[i];
        if (task->type == NULL || task->type->exec == EXEC_RUNNABLE) continue;
        bool is_flowable = task->type->exec == EXEC_FLOWABLE;
        if (!task_is(task, "flow.Pause")) {
            ignored(rule, task_property(task, STR("timeout")), diags,
                    is_flowable
                        ? "a task that holds others is not timed; set it on the tasks inside"
                        : "only a task that does work by itself is timed");
        }
        ignored(rule, task_property(task, STR("taskCache")), diags,
                "only the results of a task that does work by itself are kept");
    }
}

const Rule rule_ignored_property = {
    .code = "W0110",
    .name = "ignored-property",
    .level = DIAG_WARNING,
    .help = "The property is accepted, but nothing looks at it in this place.",
    .check = check,
};
