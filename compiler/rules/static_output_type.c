// static_output_type.c - a literal in a typed output of the flow that its type cannot take.
#include "rules/rule.h"

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    for (uint32_t i = 0; i < flow->outputs.count; i++) {
        const OutputDecl *output = flow->outputs.items[i];
        const Node *node = output->value;
        if (!output->has_type || node == NULL || node->type != YAML_SCALAR) continue;
        if (template_has_code(node->text) || node_is_null(node)) continue;
        // Braces are missing: another rule says so.
        if (str_starts_with(node->text, STR("outputs.")) ||
            str_starts_with(node->text, STR("inputs.")) ||
            str_starts_with(node->text, STR("vars.")) ||
            str_find(node->text, STR("}}"), 0) != STR_NOT_FOUND) {
            continue;
        }
        InputType type = output->type;
        if (type == INPUT_SECRET || type == INPUT_FILE || type == INPUT_STRING) continue;
        Value out;
        Value value = node_to_value(node, diags->arena);
        Err err = value_convert_input(value, type, INPUT_STRING, diags->arena, &out);
        if (err.code != ERR_INPUT) continue;
        Diag *diag = diag_add(diags, rule->code, rule->level, node->span,
                              "the value of output '" STR_FMT "' is no %s: %s", STR_ARG(output->id),
                              input_type_name(type), err.text);
        const Node *declared = rule_member(output->node, "type");
        if (declared != NULL) diag_label(diag, declared->span, "the type is declared here");
    }
}

const Rule rule_static_output_type = {
    .code = "E0411",
    .name = "static-output-type",
    .level = DIAG_ERROR,
    .help = "A typed output is converted when the flow ends, and fails where it cannot be.",
    .check = check,
};
