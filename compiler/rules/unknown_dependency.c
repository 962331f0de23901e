// unknown_dependency.c - `dependsOn` that names no task of the same Dag, or no input.
#include "rules/rule.h"

static void check_task(const Rule *rule, const Task *task, Diags *diags) {
    const TaskGroup *group = task->group;
    for (uint32_t i = 0; i < task->depends_on.count; i++) {
        Str wanted = task->depends_on.items[i];
        if (dag_sibling(task, wanted) != NULL) continue;
        Nearest nearest = nearest_to(wanted);
        for (uint32_t k = 0; k < group->tasks.count; k++) {
            if (group->tasks.items[k] != task) nearest_offer(&nearest, group->tasks.items[k]->id);
        }
        Diag *diag = diag_add(diags, rule->code, rule->level, task->depends_spans.items[i],
                              "no task '" STR_FMT "' in this Dag", STR_ARG(wanted));
        diag_suggest(diag, nearest.name);
        const Task *elsewhere = flow_find_task(task->flow, wanted);
        if (elsewhere != NULL) {
            diag_label(diag, elsewhere->id_span, "this task stands outside of the Dag");
        }
    }
}

static void offer_inputs(Nearest *nearest, InputDecl *const *inputs, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        nearest_offer(nearest, inputs[i]->id);
        offer_inputs(nearest, inputs[i]->children.items, inputs[i]->children.count);
    }
}

static void check_inputs(const Rule *rule, const Flow *flow, InputDecl *const *inputs,
                         uint32_t count, Diags *diags) {
    for (uint32_t i = 0; i < count; i++) {
        const InputDecl *input = inputs[i];
        for (uint32_t k = 0; k < input->depends_on.count; k++) {
            Str wanted = input->depends_on.items[k];
            if (flow_find_input(flow, wanted) != NULL) continue;
            Diag *diag = diag_add(diags, rule->code, rule->level, input->depends_spans.items[k],
                                  "input '" STR_FMT "' depends on unknown input '" STR_FMT "'",
                                  STR_ARG(input->id), STR_ARG(wanted));
            Nearest nearest = nearest_to(wanted);
            offer_inputs(&nearest, flow->inputs.items, flow->inputs.count);
            diag_suggest(diag, nearest.name);
        }
        check_inputs(rule, flow, input->children.items, input->children.count, diags);
    }
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    if (flow->has_holes) return;
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        check_task(rule, flow->all_tasks.items[i], diags);
    }
    check_inputs(rule, flow, flow->inputs.items, flow->inputs.count, diags);
}

const Rule rule_unknown_dependency = {
    .code = "E0206",
    .name = "unknown-dependency",
    .level = DIAG_ERROR,
    .help = "Only tasks of the same Dag, and inputs of the same flow, can be depended on.",
    .check = check,
};
