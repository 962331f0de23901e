// boolean_like.c - plain values that YAML 1.1 reads as something else than the text they look like.
#include "rules/rule.h"

// `yes` is true, `012` is ten, `1.10` is 1.1, `1:30` is ninety.
static const char *read_as(const Node *node) {
    if (node->type != YAML_SCALAR || node->style != SCALAR_PLAIN) return NULL;
    Str text = node->text;
    if (node->resolved == YAML_SCALAR_TEXT || text.len < 2) return NULL;
    if (node->value.kind == VALUE_BOOL) {
        bool is_word =
            str_eq_ignore_case(text, STR("true")) || str_eq_ignore_case(text, STR("false"));
        return is_word ? NULL : node->value.as.boolean ? "true" : "false";
    }
    if (node->value.kind == VALUE_INT) {
        bool is_octal = text.ptr[0] == '0' && text.ptr[1] != 'x';
        bool is_sexagesimal = str_find_char(text, ':', 0) != STR_NOT_FOUND;
        return is_octal || is_sexagesimal ? "another number" : NULL;
    }
    if (node->value.kind == VALUE_FLOAT) {
        // `1.0` stays what it is.
        bool loses_zero = text.ptr[text.len - 1] == '0' && text.ptr[text.len - 2] != '.' &&
                          str_find_char(text, '.', 0) != STR_NOT_FOUND &&
                          str_find_char(text, 'e', 0) == STR_NOT_FOUND;
        return loses_zero ? "a number without its last zero" : NULL;
    }
    return NULL;
}

static void check_node(const Rule *rule, const Node *node, const PropType *type, Diags *diags,
                       uint32_t depth) {
    if (node == NULL || type == NULL || depth > SYNTAX_DEPTH_MAX) return;
    if (type->kind == T_LIST || type->kind == T_MAP) {
        for (uint32_t i = 0; i < node->items.count; i++) {
            check_node(rule, node->items.items[i], type->item, diags, depth + 1);
        }
        for (uint32_t i = 0; i < node->entries.count; i++) {
            check_node(rule, node->entries.items[i].value, type->item, diags, depth + 1);
        }
        return;
    }
    const char *what = type->kind == T_STRING ? read_as(node) : NULL;
    if (what == NULL) return;
    Diag *diag = diag_add(diags, rule->code, rule->level, node->span,
                          "YAML reads '" STR_FMT "' as %s, and a text is wanted here",
                          STR_ARG(node->text), what);
    DiagSuggestion *fix = diag_suggestion(diag, false, "quote it");
    diag_edit(diag, fix, node->span,
              str_printf(diags->arena, "\"" STR_FMT "\"", STR_ARG(node->text)));
}

static void check_properties(const Rule *rule, const Properties *properties, Diags *diags) {
    for (uint32_t i = 0; i < properties->count; i++) {
        const Property *property = &properties->items[i];
        if (property->is_default || property->schema == NULL) continue;
        if (property->schema->any_of_count > 0) continue;
        check_node(rule, property->node, &property->schema->type, diags, 0);
    }
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        check_properties(rule, &flow->all_tasks.items[i]->properties, diags);
    }
    for (uint32_t i = 0; i < flow->triggers.count; i++) {
        check_properties(rule, &flow->triggers.items[i]->properties, diags);
    }
    static const PropType text = {.kind = T_STRING};
    for (uint32_t i = 0; i < flow->inputs.count; i++) {
        const InputDecl *input = flow->inputs.items[i];
        if (!input->has_type) continue;
        bool is_text = input->type == INPUT_STRING || input->type == INPUT_SELECT;
        if (is_text) check_node(rule, input->defaults, &text, diags, 0);
        for (uint32_t k = 0; is_text && input->values != NULL && k < input->values->items.count;
             k++) {
            check_node(rule, input->values->items.items[k], &text, diags, 0);
        }
    }
}

const Rule rule_boolean_like = {
    .code = "W0023",
    .name = "yaml-boolean-like",
    .level = DIAG_WARNING,
    .help = "A plain value is read by the rules of YAML before the property sees it.",
    .check = check,
};
