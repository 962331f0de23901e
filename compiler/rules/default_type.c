// default_type.c - defaults and prefills that the type of their input cannot take.
#include "rules/rule.h"

static void check_value(const Rule *rule, const InputDecl *input, const Node *node, Diags *diags) {
    ValueFault fault;
    if (!input_type_fault(input, node, diags->arena, &fault)) return;
    diag_add(diags, rule->code, rule->level, node->span,
             "the default of input '" STR_FMT "' " STR_FMT, STR_ARG(input->id),
             STR_ARG(fault.text));
}

static void check_inputs(const Rule *rule, InputDecl *const *inputs, uint32_t count, Diags *diags) {
    for (uint32_t i = 0; i < count; i++) {
        check_inputs(rule, inputs[i]->children.items, inputs[i]->children.count, diags);
        check_value(rule, inputs[i], inputs[i]->defaults, diags);
        check_value(rule, inputs[i], inputs[i]->prefill, diags);
    }
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    check_inputs(rule, flow->inputs.items, flow->inputs.count, diags);
}

const Rule rule_default_type = {
    .code = "E0506",
    .name = "default-type",
    .level = DIAG_ERROR,
    .help = "A default goes the way of every value: it must be what the input's type takes.",
    .check = check,
};
