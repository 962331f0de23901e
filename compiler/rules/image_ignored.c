// image_ignored.c - an image for a task that runs as a process: nothing ever pulls it.
#include "rules/rule.h"

static void check_task(const Rule *rule, const Task *task, Diags *diags) {
    const Property *runner = task_property(task, STR("taskRunner"));
    if (runner == NULL) return;
    const Node *type = rule_member(runner->node, "type");
    if (!str_ends_with(rule_text(type), STR(".runner.Process"))) return;
    static const char *const names[] = {"containerImage", "docker"};
    for (size_t i = 0; i < COUNT(names); i++) {
        const Property *property = task_property(task, str_from(names[i]));
        if (property == NULL || property->is_default) continue;
        Diag *diag = diag_add(diags, rule->code, rule->level, property->name_span,
                              "'" STR_FMT "' has no effect: the task runs as a process",
                              STR_ARG(property->name));
        diag_label(diag, type->span, "this runner starts no container");
    }
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        check_task(rule, flow->all_tasks.items[i], diags);
    }
}

const Rule rule_image_ignored = {
    .code = "W0614",
    .name = "image-ignored",
    .level = DIAG_WARNING,
    .help = "A process runs with what is installed on the machine, not with what an image holds.",
    .check = check,
};
