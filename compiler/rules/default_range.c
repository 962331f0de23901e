// default_range.c - defaults outside of what their input allows: `values`, `min`, `max`,
// `validator`.
#include "rules/rule.h"
#include "value/regex.h"

static bool is_number(const Node *node, double *out) {
    if (node == NULL || node->type != YAML_SCALAR) return false;
    if (node->value.kind == VALUE_INT) *out = (double)node->value.as.integer;
    if (node->value.kind == VALUE_FLOAT) *out = node->value.as.real;
    return node->value.kind == VALUE_INT || node->value.kind == VALUE_FLOAT;
}

static void check_bounds(const Rule *rule, const InputDecl *input, const Node *node, Diags *diags) {
    double value, bound;
    if (!is_number(node, &value)) return;
    if (is_number(input->min, &bound) && value < bound) {
        diag_add(diags, rule->code, rule->level, node->span,
                 "the default of input '" STR_FMT "' is less than its 'min' of " STR_FMT,
                 STR_ARG(input->id), STR_ARG(rule_text(input->min)));
    }
    if (is_number(input->max, &bound) && value > bound) {
        diag_add(diags, rule->code, rule->level, node->span,
                 "the default of input '" STR_FMT "' is more than its 'max' of " STR_FMT,
                 STR_ARG(input->id), STR_ARG(rule_text(input->max)));
    }
}

static void check_values(const Rule *rule, const InputDecl *input, const Node *node, Diags *diags) {
    const Node *values = input->values;
    if (values == NULL || values->type != YAML_LIST || input->allow_custom) return;
    if (input->type == INPUT_SELECT && !input->is_required) return;  // never checked
    if (template_has_code(node->text)) return;
    Nearest nearest = nearest_to(node->text);
    for (uint32_t i = 0; i < values->items.count; i++) {
        const Node *item = values->items.items[i];
        if (item->type == YAML_MAP) item = rule_member(item, "value");
        if (item == NULL || item->type != YAML_SCALAR) return;
        if (str_eq(item->text, node->text)) return;
        nearest_offer(&nearest, item->text);
    }
    Diag *diag = diag_add(diags, rule->code, rule->level, node->span,
                          "'" STR_FMT "' is none of the values of input '" STR_FMT "'",
                          STR_ARG(node->text), STR_ARG(input->id));
    diag_suggest(diag, nearest.name);
    diag_label(diag, values->span, "the values");
}

static void check_pattern(const Rule *rule, const InputDecl *input, const Node *node,
                          Diags *diags) {
    if (input->validator == NULL || template_has_code(node->text)) return;
    Regex *regex = NULL;
    bool is_match = true;
    if (regex_compile(rule_text(input->validator), &regex).code == ERR_NONE &&
        regex_matches(regex, node->text, &is_match).code == ERR_NONE && !is_match) {
        Diag *diag = diag_add(diags, rule->code, rule->level, node->span,
                              "the default of input '" STR_FMT "' does not match its 'validator'",
                              STR_ARG(input->id));
        diag_label(diag, input->validator->span, "the whole text must match this");
    }
    regex_free(regex);
}

static void check_default(const Rule *rule, const InputDecl *input, const Node *node,
                          Diags *diags) {
    if (node == NULL) return;
    bool is_select = input->type == INPUT_SELECT || input->type == INPUT_ENUM;
    if (node->type == YAML_SCALAR) {
        check_bounds(rule, input, node, diags);
        if (is_select) check_values(rule, input, node, diags);
        if (input->type == INPUT_STRING) check_pattern(rule, input, node, diags);
        return;
    }
    for (uint32_t i = 0; input->type == INPUT_MULTISELECT && i < node->items.count; i++) {
        if (node->items.items[i]->type == YAML_SCALAR) {
            check_values(rule, input, node->items.items[i], diags);
        }
    }
}

static void check_inputs(const Rule *rule, InputDecl *const *inputs, uint32_t count, Diags *diags) {
    for (uint32_t i = 0; i < count; i++) {
        check_inputs(rule, inputs[i]->children.items, inputs[i]->children.count, diags);
        if (inputs[i]->has_type) check_default(rule, inputs[i], inputs[i]->defaults, diags);
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
