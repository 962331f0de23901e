// json_by_hand.c - JSON text written around a value that may hold quotes and newlines.
#include "rules/rule.h"

static bool is_json(Str text) {
    text = str_trim(text);
    if (text.len < 2) return false;
    char first = text.ptr[0];
    char last = text.ptr[text.len - 1];
    return (first == '{' && last == '}' && text.ptr[1] != '{' && text.ptr[1] != '%') ||
           (first == '[' && last == ']');
}

// A plain text that somebody else chose, with nothing that would escape it.
static bool is_free_text(const Expr *expr) {
    const ExprType *type = expr_type(expr);
    if (expr->kind != EXPR_MEMBER && expr->kind != EXPR_INDEX) return false;
    if (type == NULL || !type->is_foreign || type->place != NULL) return false;
    if (type->typed.source > SOURCE_CATALOG) return false;
    return type_must_be(type->typed.type, TYPE_TAG_TEXT) && type->typed.type->text == TEXT_PLAIN;
}

static bool ends_with_quote(const Part *part, bool at_end) {
    if (part->kind != PART_TEXT || part->text.len == 0) return false;
    return part->text.ptr[at_end ? part->text.len - 1 : 0] == '"';
}

static void check_site(const Rule *rule, const Flow *flow, const Site *site, Diags *diags) {
    const Parts *parts = &site->tpl->parts;
    for (uint32_t i = 1; i + 1 < parts->count; i++) {
        const Part *part = parts->items[i];
        if (part->kind != PART_PRINT || !is_free_text(part->expr)) continue;
        bool is_quoted = ends_with_quote(parts->items[i - 1], true) &&
                         ends_with_quote(parts->items[i + 1], false);
        if (!is_quoted) continue;
        Diag *diag = diag_add(diags, rule->code, rule->level, part->expr->span,
                              "a quote or a newline in this value breaks the JSON around it");
        diag_note(diag, "leave the quotes to the filter: '{{ … | toJson }}', or write the whole as "
                        "a map: '{{ {\"key\": …} | toJson }}'");
        Str source = expr_type(part->expr)->taint_source;
        if (str_starts_with(source, STR("inputs."))) {
            const InputDecl *input = flow_find_input(flow, str_slice(source, 7, source.len));
            if (input != NULL) diag_label(diag, input->id_span, "any text may be given here");
        }
        return;
    }
}

// Properties that are sent as they are: of requests, and of messages to services.
static bool is_sent(Str property) {
    return str_eq(property, STR("body")) || str_eq(property, STR("payload"));
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    for (uint32_t i = 0; i < flow->checked->sites.count; i++) {
        const Site *site = flow->checked->sites.items[i];
        if (site->kind != SITE_TASK || site->is_static || site->tpl->has_error) continue;
        if (!is_sent(site_property(site)) || !is_json(site->node->text)) continue;
        check_site(rule, flow, site, diags);
    }
}

const Rule rule_json_by_hand = {
    .code = "W0408",
    .name = "json-by-hand",
    .level = DIAG_WARNING,
    .help = "Quotes, backslashes and newlines have to be escaped in JSON; 'toJson' does it.",
    .check = check,
};
