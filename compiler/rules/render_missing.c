// render_missing.c - a variable that holds a template, printed without being rendered.
#include "rules/rule.h"

// A text of the plugin defaults stands in every task it reaches, and is reported once.
static bool is_again(const Flow *flow, uint32_t at) {
    const Span span = flow->checked->prints.items[at].expr->span;
    if (!flow_span_is_default(flow, span)) return false;
    for (uint32_t i = 0; i < at; i++) {
        if (flow->checked->prints.items[i].expr->span.start == span.start) return true;
    }
    return false;
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    if (flow->variables == NULL) return;
    for (uint32_t i = 0; i < flow->checked->prints.count; i++) {
        const Print *print = &flow->checked->prints.items[i];
        const Expr *expr = print->expr;
        if (expr->kind != EXPR_MEMBER || print->site->kind == SITE_VARIABLE) continue;
        const Expr *base = expr->args.items[0].value;
        if (base->kind != EXPR_NAME || !str_eq(base->text, STR("vars"))) continue;
        const NodeEntry *entry = node_entry(flow->variables, expr->text);
        if (entry == NULL || !template_has_code(rule_text(entry->value)) || is_again(flow, i))
            continue;
        Diag *diag = diag_add(diags, rule->code, rule->level, expr->span,
                              "the template in variable '" STR_FMT "' is printed as it is written",
                              STR_ARG(expr->text));
        diag_label(diag, entry->value->span, "the variable holds a template");
        Str text = str_printf(diags->arena, "render(vars." STR_FMT ")", STR_ARG(expr->text));
        DiagSuggestion *fix = diag_suggestion(diag, false, "write '" STR_FMT "'", STR_ARG(text));
        diag_edit(diag, fix, expr->span, text);
    }
}

const Rule rule_render_missing = {
    .code = "W0324",
    .name = "render-missing",
    .level = DIAG_WARNING,
    .help = "Variables are not rendered when they are read; 'render(…)' does it.",
    .check = check,
};
