// bool_text.c - a text as the default of a BOOL that is neither `true` nor `false`: it means false.
#include "rules/rule.h"

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    for (uint32_t i = 0; i < flow->inputs.count; i++) {
        const InputDecl *input = flow->inputs.items[i];
        bool is_bool =
            input->has_type && (input->type == INPUT_BOOL || input->type == INPUT_BOOLEAN);
        const Node *node = input->defaults;
        if (!is_bool || node == NULL || node->type != YAML_SCALAR) continue;
        if (node->resolved != YAML_SCALAR_TEXT || template_has_code(node->text)) continue;
        if (str_eq_ignore_case(node->text, STR("true")) ||
            str_eq_ignore_case(node->text, STR("false"))) {
            continue;
        }
        diag_add(diags, rule->code, rule->level, node->span,
                 "'" STR_FMT "' as a boolean is false: write true or false", STR_ARG(node->text));
    }
}

const Rule rule_bool_text = {
    .code = "W0511",
    .name = "bool-text",
    .level = DIAG_WARNING,
    .help = "Every text but 'true' is read as false.",
    .check = check,
};
