// value_fault.c - literals that an input cannot take: what defaults and what callers give have in
// common.
#include "rules/rule.h"
#include "value/regex.h"

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

bool input_type_fault(const InputDecl *input, const Node *value, Arena *arena, ValueFault *out) {
    if (!input->has_type || input->type == INPUT_FORM || !is_literal(value)) return false;
    const InputType type = input->type;
    const bool takes_all = type == INPUT_SECRET || type == INPUT_FILE || type == INPUT_STRING ||
                           type == INPUT_SELECT || type == INPUT_ENUM;
    if (takes_all && value->type == YAML_SCALAR) return false;
    Value converted;
    const Err err =
        value_convert_input(node_to_value(value, arena), type, input->item_type, arena, &converted);
    if (err.code != ERR_INPUT) return false;
    *out = (ValueFault){.text = str_printf(arena, "is no %s: %s", input_type_name(type), err.text),
                        .at = value};
    return true;
}

static bool is_number(const Node *node, double *out) {
    if (node == NULL || node->type != YAML_SCALAR) return false;
    if (node->value.kind == VALUE_INT) *out = (double)node->value.as.integer;
    if (node->value.kind == VALUE_FLOAT) *out = node->value.as.real;
    return node->value.kind == VALUE_INT || node->value.kind == VALUE_FLOAT;
}

static bool is_out_of_bounds(const InputDecl *input, const Node *value, Arena *arena,
                             ValueFault *out) {
    double number, bound;
    if (!is_number(value, &number)) return false;
    const bool is_low = is_number(input->min, &bound) && number < bound;
    const bool is_high = !is_low && is_number(input->max, &bound) && number > bound;
    if (!is_low && !is_high) return false;
    const Node *because = is_low ? input->min : input->max;
    *out = (ValueFault){.text = str_printf(arena, "is %s than its '%s' of " STR_FMT,
                                           is_low ? "less" : "more", is_low ? "min" : "max",
                                           STR_ARG(because->text)),
                        .at = value,
                        .because = because};
    return true;
}

static bool is_none_of_values(const InputDecl *input, const Node *value, ValueFault *out) {
    const Node *values = input->values;
    if (values == NULL || values->type != YAML_LIST || input->allow_custom) return false;
    if (input->type == INPUT_SELECT && !input->is_required) return false;  // never checked
    if (template_has_code(value->text)) return false;
    Nearest nearest = nearest_to(value->text);
    for (uint32_t i = 0; i < values->items.count; i++) {
        const Node *item = values->items.items[i];
        if (item->type == YAML_MAP) item = rule_member(item, "value");
        if (item == NULL || item->type != YAML_SCALAR) return false;
        if (str_eq(item->text, value->text)) return false;
        nearest_offer(&nearest, item->text);
    }
    *out = (ValueFault){.text = STR("is none of its 'values'"),
                        .at = value,
                        .nearest = nearest.name,
                        .because = values};
    return true;
}

static bool is_no_match(const InputDecl *input, const Node *value, ValueFault *out) {
    if (input->validator == NULL || template_has_code(value->text)) return false;
    Regex *regex = NULL;
    bool is_match = true;
    const bool is_compiled = regex_compile(rule_text(input->validator), &regex).code == ERR_NONE &&
                             regex_matches(regex, value->text, &is_match).code == ERR_NONE;
    regex_free(regex);
    if (!is_compiled || is_match) return false;
    *out = (ValueFault){
        .text = STR("does not match its 'validator'"), .at = value, .because = input->validator};
    return true;
}

bool input_range_fault(const InputDecl *input, const Node *value, Arena *arena, ValueFault *out) {
    if (value == NULL || !input->has_type) return false;
    const bool is_select = input->type == INPUT_SELECT || input->type == INPUT_ENUM;
    if (value->type == YAML_SCALAR) {
        return is_out_of_bounds(input, value, arena, out) ||
               (is_select && is_none_of_values(input, value, out)) ||
               (input->type == INPUT_STRING && is_no_match(input, value, out));
    }
    for (uint32_t i = 0; input->type == INPUT_MULTISELECT && i < value->items.count; i++) {
        const Node *item = value->items.items[i];
        if (item->type == YAML_SCALAR && is_none_of_values(input, item, out)) return true;
    }
    return false;
}
