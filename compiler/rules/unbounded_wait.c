// unbounded_wait.c - a loop that waits for a condition without any limit.
#include "rules/rule.h"

static void check_loop(const Rule *rule, const Task *task, Diags *diags) {
    if (task_property(task, STR("timeout")) != NULL) return;
    const Property *property = task_property(task, STR("checkFrequency"));
    const Node *frequency = property != NULL ? property->node : NULL;
    if (rule_member(frequency, "maxIterations") != NULL) return;
    if (rule_member(frequency, "maxDuration") != NULL) return;
    Diag *diag = diag_add(diags, rule->code, rule->level, task->id_span,
                          "'" STR_FMT "' goes on for ever while its condition stays false",
                          STR_ARG(task->id));
    diag_note(diag, "set 'maxIterations' or 'maxDuration' in 'checkFrequency'");
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        const Task *task = flow->all_tasks.items[i];
        if (task_is(task, "flow.LoopUntil")) check_loop(rule, task, diags);
        if (!task_is(task, "flow.Pause") || task->is_disabled) continue;
        bool is_bounded = task_property(task, STR("timeout")) != NULL ||
                          task_property(task, STR("pauseDuration")) != NULL ||
                          task_property(task, STR("delay")) != NULL;
        if (is_bounded) continue;
        Diag *diag =
            diag_add(diags, rule->code, rule->level, task->id_span,
                     "'" STR_FMT "' waits for ever when nobody answers", STR_ARG(task->id));
        diag_note(diag, "set 'timeout': at its end the task fails");
    }
}

const Rule rule_unbounded_wait = {
    .code = "W0510",
    .name = "unbounded-wait",
    .level = DIAG_WARNING,
    .help = "What may never come needs an end of the wait.",
    .check = check,
};
