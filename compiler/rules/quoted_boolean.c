// quoted_boolean.c - a condition that gives one of a few texts, none of which is false.
#include "rules/rule.h"

// The texts that a condition takes as false.
static bool is_falsy(Str text) {
    text = str_trim(text);
    return text.len == 0 || str_eq_ignore_case(text, STR("false")) || str_eq(text, STR("0")) ||
           str_eq(text, STR("-0"));
}

static bool is_condition(const Site *site) {
    if (site->task == NULL || site->is_loose || site->is_static) return false;
    if (site->kind == SITE_RUN_IF) return true;
    return str_eq(site_property(site), STR("condition")) && task_is(site->task, "flow.If");
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    for (uint32_t i = 0; i < flow->checked->sites.count; i++) {
        const Site *site = flow->checked->sites.items[i];
        if (!is_condition(site) || site->tpl->sole == NULL) continue;
        const Expr *sole = site->tpl->sole;
        const ExprType *type = expr_type(sole);
        // A text that stands there by itself is a constant condition, another finding.
        if (sole->kind == EXPR_TEXT || type == NULL || type->place != NULL) continue;
        if (type->typed.source > SOURCE_CATALOG || type->typed.undef != CERTAINLY_NOT) continue;
        const Type *given = type->typed.type;
        if (!type_must_be(given, TYPE_TAG_TEXT) || given->text != TEXT_LITERALS) continue;
        bool can_be_false = false;
        for (uint32_t k = 0; k < given->count; k++) {
            can_be_false = can_be_false || is_falsy(given->literals[k]);
        }
        if (can_be_false) continue;
        Diag *diag =
            diag_add(diags, rule->code, rule->level, sole->span,
                     "this condition is always true: it is a text, '" STR_FMT "' for example",
                     STR_ARG(given->literals[0]));
        diag_note(diag, "only an empty text, 'false' and '0' are false: compare it with what it "
                        "should be");
    }
}

const Rule rule_quoted_boolean = {
    .code = "W0404",
    .name = "quoted-boolean",
    .level = DIAG_WARNING,
    .help = "A text is true unless it is empty, 'false' or '0'.",
    .check = check,
};
