// operands.c - operators on values they cannot take: arithmetic, order, `contains`, what is asked
// for truth, what is gone through.
//
// An error where the operation fails for every value the operands can have, and where their types
// are certain; a text in arithmetic is a warning, since it may hold a number.
#include "check/internal.h"

static bool is_sure(const ExprType *type) {
    return type->place == NULL && type->typed.source <= SOURCE_CATALOG &&
           !type_is_any(type->typed.type);
}

static bool may_be_number(const Type *type) {
    return type_may_be(type, TYPE_TAG_INT) || type_may_be(type, TYPE_TAG_FLOAT);
}

static bool may_be_map(const Type *type) {
    return type_may_be(type, TYPE_TAG_MAP) || type_may_be(type, TYPE_TAG_RECORD);
}

// No text of this type is a number: dates, durations, literals that are words.
static bool is_word(const Type *type) {
    if (!type_must_be(type, TYPE_TAG_TEXT) || type->tag != TYPE_TAG_TEXT) return false;
    if (type->text == TEXT_DATETIME || type->text == TEXT_DATE || type->text == TEXT_TIME ||
        type->text == TEXT_DURATION || type->text == TEXT_URI || type->text == TEXT_FILE) {
        return true;
    }
    if (type->text != TEXT_LITERALS) return false;
    for (uint32_t i = 0; i < type->count; i++) {
        Value value = value_null();
        Arena scratch = {0};
        const Str literal = type->literals[i];
        const bool is_number =
            json_parse(literal, (JsonLimits){0}, &scratch, &value).code == ERR_NONE &&
            (value.kind == VALUE_INT || value.kind == VALUE_FLOAT);
        arena_release(&scratch);
        if (is_number || (literal.len > 0 && (literal.ptr[0] == '+' || literal.ptr[0] == '0'))) {
            return false;
        }
    }
    return true;
}

static Diag *report(Env *env, Span at, DiagLevel level, const char *what, Str name,
                    const ExprType *given) {
    const bool is_certain = given->typed.undef == CERTAINLY_NOT;
    return diag_add(env->check->diags, "E0401", is_certain ? level : DIAG_WARNING, at,
                    "'" STR_FMT "' takes %s, and this is " STR_FMT, STR_ARG(name), what,
                    STR_ARG(type_to_text(env->check->arena, given->typed.type)));
}

// A number, or a text that holds one. False once something was said.
static bool takes_number(Env *env, const Expr *whole, const Expr *operand, const ExprType *given) {
    if (!is_sure(given) || may_be_number(given->typed.type)) return true;
    const Type *type = given->typed.type;
    if (type_may_be(type, TYPE_TAG_TEXT)) {
        if (!type_must_be(type, TYPE_TAG_TEXT)) return true;
        if (is_word(type)) {
            report(env, operand->span, DIAG_ERROR, "numbers", whole->text, given);
            return false;
        }
        Diag *diag = report(env, operand->span, DIAG_WARNING, "numbers", whole->text, given);
        diag_note(diag, "older servers refuse a text here: write '%s | number'",
                  operand->kind == EXPR_TEXT ? "…" : "value");
        return false;
    }
    report(env, operand->span, DIAG_ERROR, "numbers", whole->text, given);
    return false;
}

static void check_sum(Env *env, const Expr *expr, const ExprType *left, const ExprType *right) {
    if (!is_sure(left) || !is_sure(right)) return;
    const Type *types[] = {left->typed.type, right->typed.type};
    for (size_t i = 0; i < 2; i++) {
        if (type_may_be(types[i], TYPE_TAG_TEXT) || type_may_be(types[i], TYPE_TAG_LIST)) return;
    }
    if (takes_number(env, expr, expr->args.items[0].value, left)) {
        takes_number(env, expr, expr->args.items[1].value, right);
    }
}

static bool is_zero(const Expr *expr) {
    return expr->kind == EXPR_INT && expr->integer == 0;
}

static void check_arithmetic(Env *env, const Expr *expr, const ExprType *left,
                             const ExprType *right) {
    const Expr *divisor = expr->args.items[1].value;
    if ((expr->op == OP_DIV || expr->op == OP_MOD) && is_zero(divisor) && is_sure(left) &&
        type_must_be(left->typed.type, TYPE_TAG_INT)) {
        diag_add(env->check->diags, "E0401", DIAG_ERROR, divisor->span,
                 "an integer cannot be divided by zero");
        return;
    }
    // From a list anything may be taken.
    if (expr->op == OP_SUB && type_may_be(left->typed.type, TYPE_TAG_LIST)) return;
    if (takes_number(env, expr, expr->args.items[0].value, left)) {
        takes_number(env, expr, expr->args.items[1].value, right);
    }
}

static bool is_order(ExprOp op) {
    return op == OP_LT || op == OP_GT || op == OP_LE || op == OP_GE;
}

static bool may_be_text(const ExprType *side) {
    return !is_sure(side) || type_may_be(side->typed.type, TYPE_TAG_TEXT);
}

static void check_order(Env *env, const Expr *expr, const ExprType *left, const ExprType *right) {
    const ExprType *types[] = {left, right};
    const bool are_texts = may_be_text(left) && may_be_text(right);
    const uint32_t targets = env->check->options->targets;
    for (uint32_t i = 0; i < 2; i++) {
        const Type *type = types[i]->typed.type;
        // Null beside anything is false.
        if (!is_sure(types[i]) || may_be_number(type) || type_may_be(type, TYPE_TAG_NULL)) continue;
        if (are_texts && targets == TARGET_2_0) return;  // by code unit since 2.0
        Diag *diag = report(env, expr->args.items[i].value->span, DIAG_ERROR, "numbers", expr->text,
                            types[i]);
        if (are_texts) diag->targets = targets & ~(uint32_t)TARGET_2_0;
        const bool is_time =
            type->tag == TYPE_TAG_TEXT && (type->text == TEXT_DATETIME || type->text == TEXT_DATE);
        if (is_time) {
            diag_note(diag, "compare '… | timestamp' of both");
        } else if (type_must_be(type, TYPE_TAG_TEXT)) {
            diag_note(diag, "write '… | number' where the text is a number");
        } else if (type_must_be(type, TYPE_TAG_LIST) || may_be_map(type)) {
            diag_note(diag, "compare '… | length'");
        }
        return;
    }
}

static void check_contains(Env *env, const Expr *expr, const ExprType *left) {
    const Type *type = left->typed.type;
    if (!is_sure(left) || type_may_be(type, TYPE_TAG_LIST) || may_be_map(type) ||
        type_may_be(type, TYPE_TAG_TEXT) || type_may_be(type, TYPE_TAG_NULL)) {
        return;
    }
    report(env, expr->args.items[0].value->span, DIAG_ERROR, "a list, a map or a text", expr->text,
           left);
}

static bool is_judged(const Env *env) {
    return !env->site->is_static && !env->site->is_loose;
}

void check_operands(Env *env, const Expr *expr, const ExprType *left, const ExprType *right) {
    if (!is_judged(env)) return;
    if (expr->op == OP_ADD) {
        check_sum(env, expr, left, right);
    } else if (expr->op == OP_SUB || expr->op == OP_MUL || expr->op == OP_DIV ||
               expr->op == OP_MOD) {
        check_arithmetic(env, expr, left, right);
    } else if (is_order(expr->op)) {
        check_order(env, expr, left, right);
    } else if (expr->op == OP_CONTAINS) {
        check_contains(env, expr, left);
    }
}

void check_sign(Env *env, const Expr *expr, const ExprType *operand) {
    if (is_judged(env)) takes_number(env, expr, expr->args.items[0].value, operand);
}

void check_truth(Env *env, const Expr *expr, const ExprType *type, Str asked_by) {
    if (!is_judged(env) || !is_sure(type)) return;
    const Type *given = type->typed.type;
    const bool is_composite = type_must_be(given, TYPE_TAG_LIST) ||
                              type_must_be(given, TYPE_TAG_MAP) ||
                              type_must_be(given, TYPE_TAG_RECORD);
    if (!is_composite) return;
    Diag *diag =
        report(env, expr->span, DIAG_ERROR, "a boolean, a number or a text", asked_by, type);
    diag_note(diag, "ask '… is not empty'");
}

void check_walk(Env *env, const Expr *expr, const ExprType *type) {
    const Type *given = type->typed.type;
    if (!is_judged(env) || !is_sure(type)) return;
    if (type_may_be(given, TYPE_TAG_LIST) || may_be_map(given) ||
        type_may_be(given, TYPE_TAG_NULL)) {
        return;
    }
    report(env, expr->span, DIAG_ERROR, "a list or a map", STR("for"), type);
}
