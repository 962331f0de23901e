// typed_trailing_text.c - a blank or a line break beside the one expression of a value that keeps
// its type: the whole becomes a text, `true` the text "true\n".
#include "rules/rule.h"

// What must be the boolean itself, or keeps whatever type the expression has.
static bool is_typed(const Site *site, bool *is_strict) {
    *is_strict = site->kind == SITE_CONDITION && str_starts_with(site->path, STR("checks"));
    *is_strict |= site->kind == SITE_INPUT && str_eq(site->path, STR("dependsOn.condition"));
    if (*is_strict) return true;
    if (site->kind == SITE_INPUT) return str_eq(site->path, STR("expression"));
    return site->kind == SITE_TASK && site->task != NULL && task_is(site->task, "kv.Set") &&
           str_eq(site->path, STR("value"));
}

// The only expression that prints, with blank text in front or behind and nothing else.
static const Part *sole_part(const Template *tpl) {
    const Part *sole = NULL;
    for (uint32_t i = 0; i < tpl->parts.count; i++) {
        const Part *part = tpl->parts.items[i];
        if (part->kind == PART_TEXT && str_trim(part->text).len == 0) continue;
        if (part->kind != PART_PRINT || sole != NULL) return NULL;
        sole = part;
    }
    return sole;
}

static bool is_text(const Expr *expr) {
    const ExprType *type = expr_type(expr);
    return type == NULL || type_is_any(type->typed.type) ||
           type_may_be(type->typed.type, TYPE_TAG_TEXT);
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void report(const Rule *rule, const Site *site, const Part *part, bool is_strict,
                   const Flow *flow, Diags *diags) {
    const Node *node = site->node;
    const Str text = node->text;
    size_t front = 0;
    size_t behind = text.len;
    while (front < text.len && is_blank(text.ptr[front])) front++;
    while (behind > front && is_blank(text.ptr[behind - 1])) behind--;
    const bool is_block = node->style == SCALAR_LITERAL || node->style == SCALAR_FOLDED;
    const char *what = front > 0 || !is_block ? "a blank" : "the line break at the end";
    Span at = front > 0 ? scalar_span(node, 0, (uint32_t)front)
                        : scalar_span(node, (uint32_t)behind, (uint32_t)(text.len - behind));
    // The mark of the block decides about the break behind it.
    if (is_block && front == 0) at = (Span){node->span.file, node->span.start, 1};
    Diag *diag =
        diag_add(diags, rule->code, rule->level, at,
                 is_strict ? "%s makes this a text, and a text is never true here"
                           : "%s makes this a text: the value of the expression loses its type",
                 what);
    diag_label(diag, part->expr->span, "the value");
    if (is_block && (front > 0 || text.len - behind != 1)) return;
    DiagSuggestion *fix =
        diag_suggestion(diag, is_strict, is_block ? "end the block without it" : "leave it out");
    if (is_block) {
        const bool has_mark = node->span.start + 1 < flow->tree->bytes.len &&
                              flow->tree->bytes.ptr[node->span.start + 1] != '\n' &&
                              flow->tree->bytes.ptr[node->span.start + 1] != '\r' &&
                              flow->tree->bytes.ptr[node->span.start + 1] != ' ';
        const Span mark = {node->span.file, node->span.start + 1, 0};
        diag_edit(diag, fix, mark, has_mark ? STR("") : STR("-"));
        if (has_mark) diag->suggestions.count--;
        return;
    }
    if (front > 0) diag_edit(diag, fix, scalar_span(node, 0, (uint32_t)front), STR(""));
    if (behind < text.len) {
        diag_edit(diag, fix, scalar_span(node, (uint32_t)behind, (uint32_t)(text.len - behind)),
                  STR(""));
    }
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    for (uint32_t i = 0; i < flow->checked->sites.count; i++) {
        const Site *site = flow->checked->sites.items[i];
        bool is_strict = false;
        if (site->tpl->sole != NULL || site->tpl->has_error || !is_typed(site, &is_strict))
            continue;
        const Part *part = sole_part(site->tpl);
        if (part == NULL || (!is_strict && is_text(part->expr))) continue;
        report(rule, site, part, is_strict, flow, diags);
    }
}

const Rule rule_typed_trailing_text = {
    .code = "W0407",
    .name = "typed-trailing-text",
    .level = DIAG_WARNING,
    .help =
        "Only an expression that stands alone keeps its type; with text around it, all is text.",
    .check = check,
};
