// input_combination.c - what an input may not have at the same time, and what its type asks for.
#include "rules/rule.h"

static void refuse(const Rule *rule, const Node *at, Diags *diags, const InputDecl *input,
                   const char *what) {
    diag_add(diags, rule->code, rule->level, at->span, "input '" STR_FMT "' %s", STR_ARG(input->id),
             what);
}

// What a file can be by default: a file that is there before the run, or what is known then only.
static bool is_file_uri(Str text) {
    static const char *const schemes[] = {"nsfile:", "file:", "kestra:"};
    for (size_t i = 0; i < COUNT(schemes); i++) {
        if (str_starts_with(text, str_from(schemes[i]))) return true;
    }
    return text.len == 0 || str_find(text, STR("{{"), 0) != STR_NOT_FOUND;
}

static void check_type(const Rule *rule, const InputDecl *input, Diags *diags) {
    bool is_select = input->type == INPUT_SELECT || input->type == INPUT_MULTISELECT;
    if (is_select && input->values == NULL && input->expression == NULL) {
        diag_add(diags, rule->code, rule->level, input->type_span,
                 "input '" STR_FMT "' needs 'values' or 'expression'", STR_ARG(input->id));
    }
    const Node *options = rule_member(input->node, "options");
    if (options != NULL && rule_member(input->node, "values") != NULL) {
        refuse(rule, options, diags, input, "cannot have both 'values' and 'options'");
    }
    if (input->type == INPUT_ARRAY && input->item_type == INPUT_ARRAY) {
        const Node *item = rule_member(input->node, "itemType");
        if (item != NULL) refuse(rule, item, diags, input, "cannot be a list of lists");
    }
    if (input->type == INPUT_FILE && input->defaults != NULL &&
        input->defaults->type == YAML_SCALAR && !is_file_uri(input->defaults->text)) {
        refuse(rule, input->defaults, diags, input,
               "is a file: its default can be a URI only, such as 'nsfile:///name'");
    }
    if (input->type != INPUT_FORM) return;
    if (input->defaults != NULL)
        refuse(rule, input->defaults, diags, input,
               "is a form: its fields have defaults, not the form itself");
    if (input->prefill != NULL)
        refuse(rule, input->prefill, diags, input,
               "is a form: its fields have a prefill, not the form itself");
    for (uint32_t i = 0; i < input->children.count; i++) {
        const InputDecl *child = input->children.items[i];
        if (!child->has_type || child->type != INPUT_FORM) continue;
        diag_add(diags, rule->code, rule->level, child->type_span,
                 "a form cannot stand in a form: '" STR_FMT "'", STR_ARG(child->id));
    }
}

static void check_input(const Rule *rule, const InputDecl *input, Diags *diags) {
    const Node *required = rule_member(input->node, "required");
    if (input->defaults != NULL && !input->is_required && required != NULL) {
        Diag *diag = diag_add(diags, rule->code, rule->level, required->span,
                              "input '" STR_FMT "' has a default, so it is always there: "
                              "'required: false' is refused",
                              STR_ARG(input->id));
        diag_label(diag, input->defaults->span, "the default");
    }
    if (input->defaults != NULL && input->prefill != NULL) {
        refuse(rule, input->prefill, diags, input, "cannot have both 'defaults' and 'prefill'");
    }
    if (input->has_type) check_type(rule, input, diags);
    for (uint32_t i = 0; i < input->children.count; i++) {
        check_input(rule, input->children.items[i], diags);
    }
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    if (flow->has_holes) return;
    for (uint32_t i = 0; i < flow->inputs.count; i++)
        check_input(rule, flow->inputs.items[i], diags);
}

const Rule rule_input_combination = {
    .code = "E0117",
    .name = "input-combination",
    .level = DIAG_ERROR,
    .help = "Some properties of an input exclude each other.",
    .check = check,
};
