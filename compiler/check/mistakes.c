// mistakes.c - what is wrong by the types of operands: a filter on a value it cannot take, values
// that can never be equal.
//
// An error rests on certain types only: literals, declarations, entries of the catalog.
#include "check/internal.h"

static bool is_judged(const Env *env) {
    return !env->site->is_static && !env->site->is_loose;
}

static bool is_sure(const ExprType *type) {
    return type->place == NULL && type->typed.source <= SOURCE_CATALOG;
}

static bool is_filter(const Expr *expr, const char *name) {
    return expr->kind == EXPR_FILTER && str_eq(expr->text, str_from(name));
}

// "text|int" in words and as a type; null always passes.
static const Type *type_of_words(Env *env, const char *words) {
    const Type *type = type_null();
    Str rest = str_from(words);
    Str word;
    while (str_split(&rest, '|', &word)) {
        const char *name = str_to_c(env->check->arena, word);
        type = type_join(env->check->arena, type, type_of_word(env->check->arena, name));
    }
    return type;
}

// "a text or an integer".
static Str words_of(Env *env, const char *words) {
    Arena *arena = env->check->arena;
    Str out = {0};
    Str rest = str_from(words);
    Str word;
    while (str_split(&rest, '|', &word)) {
        bool is_int = str_eq(word, STR("int"));
        out = str_printf(arena, STR_FMT "%s%s " STR_FMT, STR_ARG(out), out.len > 0 ? " or " : "",
                         is_int ? "an" : "a", STR_ARG(is_int ? STR("integer") : word));
    }
    return out;
}

void check_call_texts(Env *env, const Expr *expr) {
    if (is_judged(env)) check_literal_arguments(env, expr);
}

// replace('a', 'b'): the pairs are a map.
static bool bad_replace(Env *env, const Expr *expr) {
    if (expr->args.count < 2 || expr->args.items[1].name.len > 0) return false;
    const Expr *pairs = expr->args.items[1].value;
    const ExprType *type = expr_type(pairs);
    if (!is_sure(type) || !type_must_be(type->typed.type, TYPE_TAG_TEXT)) return false;
    Diag *diag = diag_add(env->check->diags, "E0401", DIAG_ERROR, pairs->span,
                          "'replace' takes a map of what to replace by what, not a text");
    const Expr *by = expr->args.count == 3 ? expr->args.items[2].value : NULL;
    if (by == NULL || pairs->kind != EXPR_TEXT || by->kind != EXPR_TEXT) {
        diag_note(diag, "write 'replace({\"old\": \"new\"})'");
        return true;
    }
    DiagSuggestion *fix = diag_suggestion(diag, false, "write it as a map");
    Span before = {pairs->span.file, pairs->span.start, 0};
    Span after = {by->span.file, by->span.start + by->span.len, 0};
    Span between = {pairs->span.file, pairs->span.start + pairs->span.len, 0};
    between.len = by->span.start - between.start;
    diag_edit(diag, fix, before, STR("{"));
    diag_edit(diag, fix, between, STR(": "));
    diag_edit(diag, fix, after, STR("}"));
    return true;
}

// Numbers pass through here and are refused by Kestra; the filter does nothing in either case.
static void number_of_number(Env *env, const Expr *expr, const ExprType *input) {
    if (!is_filter(expr, "number") || !is_sure(input)) return;
    if (!type_must_be(input->typed.type, TYPE_TAG_INT)) return;
    Diag *diag = diag_add(env->check->diags, "E0401", DIAG_WARNING, expr->name_span,
                          "this is an integer already: Kestra's 'number' takes a text only");
    const Span value = expr->args.items[0].value->span;
    const uint32_t start = value.start + value.len;
    const uint32_t end = expr->name_span.start + expr->name_span.len;
    if (expr->args.count > 1 || start >= end) return;
    DiagSuggestion *fix = diag_suggestion(diag, false, "leave the filter out");
    diag_edit(diag, fix, (Span){value.file, start, end - start}, (Str){0});
}

void check_filter_types(Env *env, const Expr *expr, const ExprType *input, const Builtin *builtin) {
    if (!is_judged(env)) return;
    Diags *diags = env->check->diags;
    const Expr *value = expr->args.items[0].value;
    bool is_encoder = is_filter(expr, "toJson") || is_filter(expr, "json");
    if (is_encoder && (is_filter(value, "toJson") || is_filter(value, "json"))) {
        Diag *diag = diag_add(diags, "W0410", DIAG_WARNING, expr->name_span,
                              "the value is JSON text already: it is encoded twice");
        diag_label(diag, value->name_span, "encoded here");
    }
    if (is_filter(expr, "jq") && (is_filter(value, "toJson") || is_filter(value, "json"))) {
        const ExprType *encoded = expr_type(value->args.items[0].value);
        if (is_sure(encoded) && type_must_be(encoded->typed.type, TYPE_TAG_TEXT)) {
            Diag *diag = diag_add(diags, "W0410", DIAG_WARNING, value->name_span,
                                  "the value is a text: encoded again, 'jq' finds nothing in it");
            diag_note(diag, "leave '" STR_FMT "' out: 'jq' reads JSON text itself",
                      STR_ARG(value->text));
        }
    }
    if (is_filter(expr, "replace") && bad_replace(env, expr)) return;
    check_literal_arguments(env, expr);
    number_of_number(env, expr, input);
    if (builtin->input == NULL || !is_sure(input) || type_is_any(input->typed.type)) return;
    const Type *taken = type_of_words(env, builtin->input);
    if (type_is_any(taken) || !type_disjoint(taken, input->typed.type)) return;
    bool is_certain = input->typed.undef == CERTAINLY_NOT;
    diag_add(diags, "E0401", is_certain ? DIAG_ERROR : DIAG_WARNING, expr->name_span,
             "'" STR_FMT "' takes " STR_FMT ", and this is " STR_FMT, STR_ARG(expr->text),
             STR_ARG(words_of(env, builtin->input)),
             STR_ARG(type_to_text(env->check->arena, input->typed.type)));
}

static bool compares_jq(Env *env, const Expr *jq, const ExprType *other, const Expr *whole) {
    if (!is_filter(jq, "jq") || !is_sure(other)) return false;
    const Type *type = other->typed.type;
    if (type_is_any(type) || type_may_be(type, TYPE_TAG_LIST)) return false;
    if (type_must_be(type, TYPE_TAG_NULL)) return false;
    Diag *diag = diag_add(env->check->diags, "W0409", DIAG_WARNING, jq->name_span,
                          "'jq' gives a list of all its results, which never equals one value");
    diag_note(diag, "write '(… | jq(…) | first) " STR_FMT " …'", STR_ARG(whole->text));
    return true;
}

void check_comparison(Env *env, const Expr *expr, const ExprType *left, const ExprType *right) {
    if (!is_judged(env) || (expr->op != OP_EQ && expr->op != OP_NE)) return;
    if (compares_jq(env, expr->args.items[0].value, right, expr)) return;
    if (compares_jq(env, expr->args.items[1].value, left, expr)) return;
    if (!is_sure(left) || !is_sure(right)) return;
    const Type *a = left->typed.type;
    const Type *b = right->typed.type;
    // Asking for null is a guard, right or superfluous.
    if (type_must_be(a, TYPE_TAG_NULL) || type_must_be(b, TYPE_TAG_NULL)) return;
    // Two constants are another mistake.
    const Expr *first = expr->args.items[0].value;
    const Expr *second = expr->args.items[1].value;
    if (first->kind <= EXPR_TEXT && second->kind <= EXPR_TEXT) return;
    if (!type_disjoint(a, b)) return;
    Arena *arena = env->check->arena;
    Diag *diag = diag_add(env->check->diags, "W0402", DIAG_WARNING, expr->span,
                          "these can never be equal: the one is " STR_FMT ", the other " STR_FMT,
                          STR_ARG(type_to_text(arena, a)), STR_ARG(type_to_text(arena, b)));
    const Expr *text = second->kind == EXPR_TEXT ? second : first;
    if (text->kind != EXPR_TEXT) return;
    const Type *other = text == second ? a : b;
    int64_t number = 0;
    bool is_bool = type_must_be(other, TYPE_TAG_BOOL) &&
                   (str_eq(text->text, STR("true")) || str_eq(text->text, STR("false")));
    bool is_int = type_must_be(other, TYPE_TAG_INT) && str_to_int(text->text, &number);
    if (!is_bool && !is_int) return;
    DiagSuggestion *fix =
        diag_suggestion(diag, false, "write " STR_FMT " without quotes", STR_ARG(text->text));
    diag_edit(diag, fix, text->span, text->text);
}

// --- null in a text -----------------------------------------------------------------------------

// An input that need not be given, or null itself.
static bool is_nullable(const Env *env, const Expr *expr) {
    if (expr->kind == EXPR_NULL) return true;
    if (expr->kind != EXPR_MEMBER) return false;
    const Expr *base = expr->args.items[0].value;
    if (base->kind != EXPR_NAME || !str_eq(base->text, STR("inputs"))) return false;
    const InputDecl *input = flow_find_input(env->check->flow, expr->text);
    return input != NULL && !input->is_required && input->defaults == NULL &&
           !fact_holds(env, expr_path(env->check->arena, expr));
}

// `"a" + null` is `anull`.
void check_null_in_text(Env *env, const Expr *expr, const ExprType *left, const ExprType *right) {
    if (!is_judged(env) || expr->op != OP_ADD) return;
    for (uint32_t i = 0; i < 2; i++) {
        const Expr *value = expr->args.items[i].value;
        const Type *other = i == 0 ? right->typed.type : left->typed.type;
        if (!type_must_be(other, TYPE_TAG_TEXT) || !is_nullable(env, value)) continue;
        Diag *diag = diag_add(env->check->diags, "W0406", DIAG_WARNING, value->span,
                              "this may be null, and '+' puts the word 'null' into the text");
        diag_note(diag, "write '~' instead of '+', or say by '?? …' what holds then");
        return;
    }
}

// --- what binds otherwise than it looks ----------------------------------------------------------

static bool is_bare(const Expr *expr, ExprKind kind, ExprOp op) {
    return expr->kind == kind && expr->op == op && !expr->is_parenthesised;
}

static bool is_comparison(const Expr *expr) {
    return expr->kind == EXPR_BINARY && !expr->is_parenthesised &&
           (expr->op == OP_EQ || expr->op == OP_NE);
}

static void surprising(Env *env, const Expr *inner, const Expr *whole, const char *meant) {
    Diag *diag = diag_add(env->check->diags, "W0325", DIAG_WARNING, whole->name_span,
                          "'" STR_FMT "' takes all that stands in front of it, hardly as meant",
                          STR_ARG(whole->text));
    diag_label(diag, inner->span, "read as one");
    diag_note(diag, "write '%s', or put what is marked into brackets", meant);
}

static bool is_late(const Expr *expr) {
    return is_bare(expr, EXPR_BINARY, OP_COALESCE) || is_bare(expr, EXPR_BINARY, OP_IS_IN) ||
           is_bare(expr, EXPR_BINARY, OP_COALESCE_UNDEFINED);
}

static bool is_closer(const Expr *expr) {
    return expr->kind == EXPR_FILTER || (expr->kind == EXPR_BINARY && !is_comparison(expr) &&
                                         expr->op >= OP_ADD && expr->op <= OP_RANGE);
}

// `??`, `???` and `isIn` bind closest in 1.3, and like `==` in 2.0: without brackets an expression
// means two things.
static bool changes_in_2_0(Env *env, const Expr *expr) {
    uint32_t targets = env->check->options->targets;
    if ((targets & TARGET_2_0) == 0 || targets == TARGET_2_0 || !is_closer(expr)) return false;
    uint32_t operands = expr->kind == EXPR_BINARY ? 2 : 1;
    for (uint32_t i = 0; i < operands && i < expr->args.count; i++) {
        const Expr *inner = expr->args.items[i].value;
        if (!is_late(inner)) continue;
        Diag *diag = diag_add(env->check->diags, "W0325", DIAG_WARNING, inner->name_span,
                              "'" STR_FMT "' takes more than this in 2.0, where it binds like '=='",
                              STR_ARG(inner->text));
        diag->targets = TARGET_2_0;
        diag_label(diag, inner->span, "read as one in 1.3");
        diag_note(diag, "put what is meant into brackets");
        return true;
    }
    return false;
}

// A filter, a test, a comparison or a sum over something that binds tighter than it looks.
void check_precedence(Env *env, const Expr *expr) {
    if (!is_judged(env) || expr->args.count == 0) return;
    if (changes_in_2_0(env, expr)) return;
    const Expr *first = expr->args.items[0].value;
    if (is_late(expr) && env->check->options->targets == TARGET_2_0 && expr->op != OP_IS_IN &&
        (is_bare(first, EXPR_BINARY, OP_CONCAT) || is_bare(first, EXPR_BINARY, OP_ADD))) {
        surprising(env, first, expr, "a ~ (b ?? c)");
        return;
    }
    if (expr->kind == EXPR_FILTER) {
        if (is_bare(first, EXPR_BINARY, OP_CONCAT)) {
            surprising(env, first, expr, "a ~ (b | filter)");
        } else if (is_bare(first, EXPR_BINARY, OP_COALESCE) &&
                   first->args.items[1].value->kind == EXPR_CALL) {
            surprising(env, first, expr, "a ?? (b | filter)");
        }
    } else if (expr->kind == EXPR_TEST) {
        if (is_bare(first, EXPR_UNARY, OP_NOT)) {
            surprising(env, first, expr, "a is not test");
        } else if (is_comparison(first)) {
            surprising(env, first, expr, "a == (b is test)");
        }
    } else if (expr->kind == EXPR_BINARY) {
        bool is_equal = expr->op == OP_EQ || expr->op == OP_NE;
        if (is_equal && is_bare(first, EXPR_UNARY, OP_NOT)) {
            surprising(env, first, expr, "not (a == b)");
        } else if (expr->op == OP_ADD && is_bare(first, EXPR_BINARY, OP_RANGE)) {
            surprising(env, first, expr, "a..(b + 1)");
        }
    }
}
