// bad_id.c - ids and namespaces that the language refuses: their characters, their length.
#include "rules/rule.h"

typedef struct Form {
    const char *what;
    const char *extra;  // allowed behind the first character, besides letters and digits
    size_t max;
    bool is_lower;
} Form;

static const Form flow_form = {"flow id", "._-", 100, false};
static const Form namespace_form = {"namespace", "._-", 150, true};
static const Form task_form = {"task id", "_-", 256, false};
static const Form trigger_form = {"trigger id", "_-", 256, false};
static const Form input_form = {"input id", "._-", 256, false};
static const Form output_form = {"output id", "._-", 256, false};

static bool is_alnum(const Form *form, char c) {
    bool is_upper = c >= 'A' && c <= 'Z';
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (is_upper && !form->is_lower);
}

// The position of the first character that does not belong, or the length.
static size_t first_wrong(const Form *form, Str id) {
    for (size_t i = 0; i < id.len; i++) {
        bool is_extra =
            i > 0 && str_find_char(str_from(form->extra), id.ptr[i], 0) != STR_NOT_FOUND;
        if (!is_extra && !is_alnum(form, id.ptr[i])) return i;
    }
    return id.len;
}

static void check_one(const Rule *rule, const Form *form, Str id, Span span, Diags *diags) {
    if (span.len == 0) return;  // a missing one is another finding
    if (id.len == 0) {
        diag_add(diags, rule->code, rule->level, span, "%s must not be empty", form->what);
        return;
    }
    size_t wrong = first_wrong(form, id);
    if (wrong < id.len) {
        Diag *diag = diag_add(diags, rule->code, rule->level, span,
                              "%s '" STR_FMT "' may not %s '" STR_FMT "'", form->what, STR_ARG(id),
                              wrong == 0 ? "begin with" : "contain",
                              STR_ARG(str_slice(id, wrong, wrong + 1)));
        diag_note(diag, "it begins with a %s or digit; %s, digits and '%s' may follow",
                  form->is_lower ? "lower-case letter" : "letter",
                  form->is_lower ? "lower-case letters" : "letters", form->extra);
        return;
    }
    if (id.len > form->max) {
        diag_add(diags, rule->code, rule->level, span, "%s has more than %zu characters",
                 form->what, form->max);
    }
}

// A list or map is no name at all, and was reported as such.
static void check_member(const Rule *rule, const Form *form, const Node *map, const char *name,
                         Diags *diags) {
    const Node *id = rule_member(map, name);
    if (id != NULL && id->type == YAML_SCALAR) {
        check_one(rule, form, rule_text(id), id->span, diags);
    }
}

static void check_inputs(const Rule *rule, InputDecl *const *inputs, uint32_t count, Diags *diags) {
    for (uint32_t i = 0; i < count; i++) {
        check_member(rule, &input_form, inputs[i]->node, "id", diags);
        check_inputs(rule, inputs[i]->children.items, inputs[i]->children.count, diags);
    }
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    check_member(rule, &flow_form, flow->node, "id", diags);
    check_member(rule, &namespace_form, flow->node, "namespace", diags);
    check_inputs(rule, flow->inputs.items, flow->inputs.count, diags);
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        const Task *task = flow->all_tasks.items[i];
        check_member(rule, &task_form, task->node, "id", diags);
    }
    for (uint32_t i = 0; i < flow->triggers.count; i++) {
        const TriggerDecl *trigger = flow->triggers.items[i];
        check_member(rule, &trigger_form, trigger->node, "id", diags);
    }
    for (uint32_t i = 0; i < flow->outputs.count; i++) {
        const OutputDecl *output = flow->outputs.items[i];
        check_member(rule, &output_form, output->node, "id", diags);
    }
}

const Rule rule_bad_id = {
    .code = "E0106",
    .name = "bad-id",
    .level = DIAG_ERROR,
    .help = "Ids name files, tables and outputs; only letters, digits and a few signs are allowed.",
    .check = check,
};
