// duplicate_id.c - two tasks of one flow with the same id, at any depth: outputs are kept under the
// id, one would hide the other. The same for inputs, outputs, triggers and preconditions.
#include "rules/rule.h"

static void report(const Rule *rule, Diags *diags, const char *what, Str id, Span at, Span first) {
    Diag *diag = diag_add(diags, rule->code, rule->level, at,
                          "%s id '" STR_FMT "' is already taken", what, STR_ARG(id));
    diag_label(diag, first, "first used here");
}

static void check_tasks(const Rule *rule, const Flow *flow, Diags *diags) {
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        const Task *task = flow->all_tasks.items[i];
        if (task->id.len == 0) continue;
        const Task *first = flow_find_task(flow, task->id);
        if (first != task) report(rule, diags, "task", task->id, task->id_span, first->id_span);
    }
}

static void check_inputs(const Rule *rule, InputDecl *const *inputs, uint32_t count, Diags *diags) {
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (inputs[i]->id.len == 0 || !str_eq(inputs[i]->id, inputs[k]->id)) continue;
            report(rule, diags, "input", inputs[i]->id, inputs[i]->id_span, inputs[k]->id_span);
            break;
        }
        check_inputs(rule, inputs[i]->children.items, inputs[i]->children.count, diags);
    }
}

static void check_outputs(const Rule *rule, const Flow *flow, Diags *diags) {
    for (uint32_t i = 0; i < flow->outputs.count; i++) {
        const OutputDecl *output = flow->outputs.items[i];
        for (uint32_t k = 0; k < i; k++) {
            const OutputDecl *other = flow->outputs.items[k];
            if (output->id.len == 0 || !str_eq(output->id, other->id)) continue;
            report(rule, diags, "output", output->id, output->id_span, other->id_span);
            break;
        }
    }
}

static const Node *precondition_id(const TriggerDecl *trigger) {
    return rule_member(rule_member(trigger->node, "preconditions"), "id");
}

static void check_triggers(const Rule *rule, const Flow *flow, Diags *diags) {
    for (uint32_t i = 0; i < flow->triggers.count; i++) {
        const TriggerDecl *trigger = flow->triggers.items[i];
        const Node *id = precondition_id(trigger);
        for (uint32_t k = 0; k < i; k++) {
            const TriggerDecl *other = flow->triggers.items[k];
            if (trigger->id.len > 0 && str_eq(trigger->id, other->id)) {
                report(rule, diags, "trigger", trigger->id, trigger->id_span, other->id_span);
            }
            const Node *first = precondition_id(other);
            if (id != NULL && first != NULL && str_eq(rule_text(id), rule_text(first))) {
                report(rule, diags, "precondition", rule_text(id), id->span, first->span);
            }
        }
    }
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    check_tasks(rule, flow, diags);
    check_inputs(rule, flow->inputs.items, flow->inputs.count, diags);
    check_outputs(rule, flow, diags);
    check_triggers(rule, flow, diags);
}

const Rule rule_duplicate_id = {
    .code = "E0201",
    .name = "duplicate-id",
    .level = DIAG_ERROR,
    .help = "Outputs are stored under the id of the task, so each id may appear once in a flow.",
    .check = check,
};
