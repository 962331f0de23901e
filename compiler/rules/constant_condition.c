// constant_condition.c - a condition that has the same result in every run.
#include "rules/rule.h"

// Nothing of it can change.
static bool is_constant(const Expr *expr, uint32_t depth) {
    if (depth > EXPR_DEPTH_MAX) return false;
    switch (expr->kind) {
    case EXPR_NULL:
    case EXPR_BOOL:
    case EXPR_INT:
    case EXPR_FLOAT:
    case EXPR_TEXT:
        return true;
    case EXPR_UNARY:
    case EXPR_BINARY:
    case EXPR_TERNARY:
        for (uint32_t i = 0; i < expr->args.count; i++) {
            if (!is_constant(expr->args.items[i].value, depth + 1)) return false;
        }
        return true;
    case EXPR_ERROR:
    case EXPR_INTERPOLATION:
    case EXPR_LIST:
    case EXPR_MAP:
    case EXPR_NAME:
    case EXPR_MEMBER:
    case EXPR_INDEX:
    case EXPR_METHOD:
    case EXPR_CALL:
    case EXPR_FILTER:
    case EXPR_TEST:
    case EXPR_BODY:
        return false;
    }
    return false;
}

static bool is_condition(const Site *site) {
    if (site->task == NULL || site->is_loose) return false;
    if (site->kind == SITE_RUN_IF) return true;
    Str name = site_property(site);
    return str_eq(name, STR("condition")) &&
           (task_is(site->task, "flow.If") || task_is(site->task, "execution.Fail") ||
            task_is(site->task, "flow.LoopUntil"));
}

// Words between or around the braces make a text, and a text that is not empty is true.
static const Part *text_around(const Template *template) {
    const Part *found = NULL;
    for (uint32_t i = 0; i < template->parts.count; i++) {
        const Part *part = template->parts.items[i];
        if (part->kind != PART_TEXT && part->kind != PART_PRINT) return NULL;
        if (part->kind == PART_TEXT && str_trim(part->text).len > 1) found = part;
    }
    return found;
}

static void check_site(const Rule *rule, const Site *site, Diags *diags) {
    const Template *template = site->tpl;
    if (template->has_error) return;
    if (template->sole != NULL && is_constant(template->sole, 0)) {
        diag_add(diags, rule->code, rule->level, template->sole->span,
                 "this condition is the same in every run: nothing in it can change");
        return;
    }
    const Part *text = template->sole == NULL ? text_around(template) : NULL;
    if (text == NULL) return;
    Diag *diag = diag_add(diags, rule->code, rule->level, site->node->span,
                          "this condition is always true: it is a text, because of what stands "
                          "outside the braces");
    diag_note(diag, "write all of it inside one pair of braces: '{{ a == b and c }}'");
}

// A text without any braces.
static void check_literal(const Rule *rule, const Task *task, const Node *node, Diags *diags) {
    if (node == NULL || node->type != YAML_SCALAR || template_has_code(node->text)) return;
    static const char *const paths[] = {"inputs.", "outputs.", "vars.", "taskrun.", "execution."};
    for (size_t i = 0; i < COUNT(paths); i++) {
        bool is_path = str_starts_with(node->text, str_from(paths[i])) &&
                       str_find_char(node->text, ' ', 0) == STR_NOT_FOUND;
        if (is_path) return;  // reported as an expression without its braces
    }
    if (node_is_null(node) || str_find(node->text, STR("}}"), 0) != STR_NOT_FOUND) return;
    diag_add(diags, rule->code, rule->level, node->span,
             "the condition of '" STR_FMT "' is the same in every run", STR_ARG(task->id));
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    for (uint32_t i = 0; i < flow->checked->sites.count; i++) {
        const Site *site = flow->checked->sites.items[i];
        if (is_condition(site)) check_site(rule, site, diags);
    }
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        const Task *task = flow->all_tasks.items[i];
        if (task_is(task, "flow.If")) {
            const Property *property = task_property(task, STR("condition"));
            if (property != NULL) check_literal(rule, task, property->node, diags);
        }
        check_literal(rule, task, task_run_if(task), diags);
    }
}

const Rule rule_constant_condition = {
    .code = "W0215",
    .name = "constant-condition",
    .level = DIAG_WARNING,
    .help = "A condition is there to be true in some runs and false in others.",
    .check = check,
};
