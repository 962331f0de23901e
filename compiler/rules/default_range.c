// default_range.c - defaults outside of what their input allows: `values`, `min`, `max`,
// `validator`.
#include "rules/rule.h"

static void check_default(const Rule *rule, const InputDecl *input, Diags *diags) {
    ValueFault fault;
    if (!input_range_fault(input, input->defaults, diags->arena, &fault)) return;
    Diag *diag = diag_add(diags, rule->code, rule->level, fault.at->span,
                          "the default '" STR_FMT "' of input '" STR_FMT "' " STR_FMT,
                          STR_ARG(fault.at->text), STR_ARG(input->id), STR_ARG(fault.text));
    diag_suggest(diag, fault.nearest);
    if (fault.because == input->values) diag_label(diag, fault.because->span, "the values");
    if (fault.because == input->validator) {
        diag_label(diag, fault.because->span, "the whole text must match this");
    }
}

static void check_inputs(const Rule *rule, InputDecl *const *inputs, uint32_t count, Diags *diags) {
    for (uint32_t i = 0; i < count; i++) {
        check_inputs(rule, inputs[i]->children.items, inputs[i]->children.count, diags);
        check_default(rule, inputs[i], diags);
    }
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    check_inputs(rule, flow->inputs.items, flow->inputs.count, diags);
}

const Rule rule_default_range = {
    .code = "E0507",
    .name = "default-range",
    .level = DIAG_ERROR,
    .help = "A default must be a value that the input itself would accept.",
    .check = check,
};
