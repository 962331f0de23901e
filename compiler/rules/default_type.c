// default_type.c - defaults and prefills that the type of their input cannot take.
#include "rules/rule.h"

static bool is_literal(const Node *node) {
    if (node == NULL || node->type == YAML_HOLE) return false;
    if (node->type == YAML_SCALAR) return !template_has_code(node->text);
    for (uint32_t i = 0; i < node->items.count; i++) {
        if (!is_literal(node->items.items[i])) return false;
    }
    for (uint32_t i = 0; i < node->entries.count; i++) {
        if (!is_literal(node->entries.items[i].value)) return false;
    }
    return true;
}

static void check_value(const Rule *rule, const InputDecl *input, const Node *node, Diags *diags) {
    if (!is_literal(node)) return;
    InputType type = input->type;
    bool takes_all = type == INPUT_SECRET || type == INPUT_FILE || type == INPUT_FORM ||
                     type == INPUT_STRING || type == INPUT_SELECT || type == INPUT_ENUM;
    if (takes_all && node->type == YAML_SCALAR) return;
    Value out;
    Value value = node_to_value(node, diags->arena);
    Err err = value_convert_input(value, type, input->item_type, diags->arena, &out);
    if (err.code != ERR_INPUT) return;
    diag_add(diags, rule->code, rule->level, node->span,
             "the default of input '" STR_FMT "' is no %s: %s", STR_ARG(input->id),
             input_type_name(type), err.text);
}

static void check_inputs(const Rule *rule, InputDecl *const *inputs, uint32_t count, Diags *diags) {
    for (uint32_t i = 0; i < count; i++) {
        check_inputs(rule, inputs[i]->children.items, inputs[i]->children.count, diags);
        if (!inputs[i]->has_type || inputs[i]->type == INPUT_FORM) continue;
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
