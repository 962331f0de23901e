// expression.c - one expression to one operand (expression-language.md 4, 8.1).
//
// `undefined` is a value that operators hand on, so `??` and `default` are plain tests. Only what
// must not be evaluated (the right side of `??`, `and`, `or`, the branches of `? :`) needs
// statements.
#include <stdio.h>

#include "emit/emitter.h"

enum { CONCAT_MAX = CALL_OPERANDS_MAX / 2 };  // operands of one call

static const Expr *arg(const Expr *expr, uint32_t index) {
    return expr->args.items[index].value;
}

static Operand call1(Emitter *emitter, uint32_t mark, const char *function, Operand operand,
                     Span span) {
    Operands operands = {0};
    operands_add(emitter, &operands, operand);
    operands_add_site(emitter, &operands, span);
    return operand_call(emitter, mark, function, &operands);
}

static Operand call2(Emitter *emitter, uint32_t mark, const char *function, Operand a, Operand b,
                     Span span) {
    Operands operands = {0};
    operands_add(emitter, &operands, a);
    operands_add(emitter, &operands, b);
    operands_add_site(emitter, &operands, span);
    return operand_call(emitter, mark, function, &operands);
}

// The truth of an operand for `and` and `or`.
static Operand truth(Emitter *emitter, uint32_t mark, Operand operand, Span span) {
    return operand.is_truth ? operand : call1(emitter, mark, "rt.truth", operand, span);
}

// --- names --------------------------------------------------------------------------------------

static Operand context_root(Emitter *emitter, const Expr *expr) {
    const Value *literal =
        emitter->literals == NULL ? NULL : value_map_get(*emitter->literals, expr->text);
    if (literal != NULL) return emit_literal(emitter, *literal);
    emitter->uses_context = true;
    return operand_lua(emitter, "rt.root(" STR_FMT ", %u)",
                       STR_ARG(lua_quote(emitter->arena, expr->text)),
                       emit_site(emitter, expr->span));
}

// `loop` by itself, a map; its members are read without it.
static Operand loop_map(Emitter *emitter, const Scope *scope) {
    Str at = slot_name(emitter, scope->loop_at), count = slot_name(emitter, scope->loop_count);
    Operand map = operand_lua(emitter,
                              "rt.map(5, \"index\", " STR_FMT " - 1, \"length\", " STR_FMT
                              ", \"first\", " STR_FMT " == 1, \"last\", " STR_FMT " == " STR_FMT
                              ", \"revindex\", " STR_FMT " - " STR_FMT ")",
                              STR_ARG(at), STR_ARG(count), STR_ARG(at), STR_ARG(at), STR_ARG(count),
                              STR_ARG(count), STR_ARG(at));
    map.depth = 1;
    return map;
}

static const Scope *loop_scope(const Emitter *emitter) {
    for (const Scope *scope = emitter->scope; scope != NULL; scope = scope->outer) {
        if (scope->is_loop) return scope;
        if (scope->is_macro) return NULL;
    }
    return NULL;
}

// A macro sees its parameters and nothing else.
static Operand unknown_in_macro(Emitter *emitter, const Expr *expr) {
    return operand_lua(emitter, "rt.undefined(" STR_FMT ", %u)",
                       STR_ARG(lua_quote(emitter->arena, expr->text)),
                       emit_site(emitter, expr->span));
}

static Operand name_from(Emitter *emitter, const Expr *expr, const Scope *scope) {
    for (; scope != NULL; scope = scope->outer) {
        for (uint32_t i = scope->variables.count; i > 0; i--) {
            const Variable *variable = &scope->variables.items[i - 1];
            if (!variable->is_seen || !str_eq(variable->name, expr->text)) continue;
            Operand slot = operand_slot(emitter, variable->slot);
            slot.is_slot = false;  // not the expression's own: it must not be written to
            if (variable->is_certain) return slot;
            uint32_t result = slot_new(emitter);
            Str name = slot_name(emitter, result);
            emit_line(emitter, STR_FMT " = " STR_FMT, STR_ARG(name), STR_ARG(slot.lua));
            emit_line(emitter, "if " STR_FMT " == nil then", STR_ARG(name));
            Operand otherwise = name_from(emitter, expr, scope->outer);
            emit_line(emitter, STR_FMT " = " STR_FMT, STR_ARG(name), STR_ARG(otherwise.lua));
            emit_line(emitter, "end");
            return operand_slot(emitter, result);
        }
        if (scope->is_loop && str_eq(expr->text, STR("loop"))) return loop_map(emitter, scope);
        if (scope->is_macro) return unknown_in_macro(emitter, expr);
    }
    return context_root(emitter, expr);
}

static bool is_loop_name(const Emitter *emitter, const Expr *expr) {
    if (expr->kind != EXPR_NAME || !str_eq(expr->text, STR("loop"))) return false;
    for (const Scope *scope = emitter->scope; scope != NULL; scope = scope->outer) {
        for (uint32_t i = 0; i < scope->variables.count; i++) {
            if (str_eq(scope->variables.items[i].name, STR("loop"))) return false;
        }
        if (scope->is_loop) return true;
    }
    return false;
}

static bool loop_member(Emitter *emitter, Str name, Operand *out) {
    const Scope *scope = loop_scope(emitter);
    if (scope == NULL) return false;
    Str at = slot_name(emitter, scope->loop_at), count = slot_name(emitter, scope->loop_count);
    if (str_eq(name, STR("index"))) {
        *out = operand_lua(emitter, STR_FMT " - 1", STR_ARG(at));
    } else if (str_eq(name, STR("length"))) {
        *out = operand_lua(emitter, STR_FMT, STR_ARG(count));
    } else if (str_eq(name, STR("first"))) {
        *out = operand_lua(emitter, STR_FMT " == 1", STR_ARG(at));
    } else if (str_eq(name, STR("last"))) {
        *out = operand_lua(emitter, STR_FMT " == " STR_FMT, STR_ARG(at), STR_ARG(count));
    } else if (str_eq(name, STR("revindex"))) {
        *out = operand_lua(emitter, STR_FMT " - " STR_FMT, STR_ARG(count), STR_ARG(at));
    } else {
        return false;
    }
    return true;
}

// A path of constant names below a name of the context: `inputs.a.b`.
static bool is_context_path(const Emitter *emitter, const Expr *expr) {
    while (expr->kind == EXPR_MEMBER) expr = arg(expr, 0);
    if (expr->kind != EXPR_NAME || emitter->literals != NULL) return false;
    for (const Scope *scope = emitter->scope; scope != NULL; scope = scope->outer) {
        for (uint32_t i = 0; i < scope->variables.count; i++) {
            if (str_eq(scope->variables.items[i].name, expr->text)) return false;
        }
        if (scope->is_macro || (scope->is_loop && str_eq(expr->text, STR("loop")))) return false;
    }
    return true;
}

static Operand member_of(Emitter *emitter, const Expr *expr);

// The context is the same for the whole evaluation: what stands in a loop is looked up once.
static Operand looked_up_once(Emitter *emitter, const Expr *expr) {
    Str name = memo_name(emitter, emitter->frame->memos++);
    uint32_t mark = emitter->frame->at;
    emit_line(emitter, "if " STR_FMT " == nil then", STR_ARG(name));
    Operand value = member_of(emitter, expr);
    emit_line(emitter, STR_FMT " = " STR_FMT, STR_ARG(name), STR_ARG(value.lua));
    emit_line(emitter, "end");
    emitter->frame->at = mark;
    return operand_lua(emitter, STR_FMT, STR_ARG(name));
}

static Operand member(Emitter *emitter, const Expr *expr) {
    Operand out;
    if (emitter->renders_again && emit_rendered_variable(emitter, expr, &out)) return out;
    if (expr->kind == EXPR_MEMBER && is_loop_name(emitter, arg(expr, 0)) &&
        loop_member(emitter, expr->text, &out)) {
        return out;
    }
    bool is_in_loop = loop_scope(emitter) != NULL && emitter->frame->memos < MEMOS_MAX;
    if (is_in_loop && is_context_path(emitter, expr)) return looked_up_once(emitter, expr);
    return member_of(emitter, expr);
}

static Operand member_of(Emitter *emitter, const Expr *expr) {
    uint32_t mark = emitter->frame->at;
    const Expr *inner = arg(expr, 0);
    Operand object =
        inner->kind == EXPR_MEMBER ? member_of(emitter, inner) : emit_expr(emitter, inner);
    Operand key = expr->kind == EXPR_MEMBER ? operand_text(emitter, expr->text)
                                            : emit_expr(emitter, arg(expr, 1));
    return call2(emitter, mark, "rt.get", object, key, expr->span);
}

// --- operators ----------------------------------------------------------------------------------

static const char *binary_function(ExprOp op) {
    switch (op) {
    case OP_EQ:
        return "rt.eq";
    case OP_NE:
        return "rt.ne";
    case OP_LT:
        return "rt.lt";
    case OP_GT:
        return "rt.gt";
    case OP_LE:
        return "rt.le";
    case OP_GE:
        return "rt.ge";
    case OP_CONTAINS:
        return "rt.contains";
    case OP_IS_IN:
        return "rt.is_in";
    case OP_ADD:
        return "rt.add";
    case OP_SUB:
        return "rt.sub";
    case OP_MUL:
        return "rt.mul";
    case OP_DIV:
        return "rt.div";
    case OP_MOD:
        return "rt.mod";
    case OP_RANGE:
        return "rt.range";
    case OP_CONCAT:
    case OP_NONE:
    case OP_NOT:
    case OP_NEGATE:
    case OP_PLUS_SIGN:
    case OP_OR:
    case OP_AND:
    case OP_COALESCE:
    case OP_COALESCE_UNDEFINED:
        break;
    }
    return NULL;
}

static Operand coalesce(Emitter *emitter, const Expr *expr) {
    uint32_t mark = emitter->frame->at;
    Operand left = operand_spill(emitter, emit_expr(emitter, arg(expr, 0)), mark);
    emit_line(emitter, "if rt.%s(" STR_FMT ") then",
              expr->op == OP_COALESCE ? "is_nothing" : "is_undefined", STR_ARG(left.lua));
    Operand right = emit_expr(emitter, arg(expr, 1));
    emit_line(emitter, STR_FMT " = " STR_FMT, STR_ARG(left.lua), STR_ARG(right.lua));
    emit_line(emitter, "end");
    emitter->frame->at = mark + 1;
    return left;
}

static Operand and_or(Emitter *emitter, const Expr *expr) {
    uint32_t mark = emitter->frame->at;
    Operand left = emit_expr(emitter, arg(expr, 0));
    left = operand_spill(emitter, truth(emitter, mark, left, arg(expr, 0)->span), mark);
    emit_line(emitter, "if " STR_FMT " == %s then", STR_ARG(left.lua),
              expr->op == OP_AND ? "true" : "false");
    Operand right = emit_expr(emitter, arg(expr, 1));
    right = truth(emitter, mark + 1, right, arg(expr, 1)->span);
    emit_line(emitter, STR_FMT " = " STR_FMT, STR_ARG(left.lua), STR_ARG(right.lua));
    emit_line(emitter, "end");
    emitter->frame->at = mark + 1;
    left.is_truth = true;
    return left;
}

static Operand ternary(Emitter *emitter, const Expr *expr) {
    uint32_t mark = emitter->frame->at;
    Operand condition = emit_expr(emitter, arg(expr, 0));
    if (!condition.is_truth) {
        condition = call1(emitter, mark, "rt.truth_ternary", condition, arg(expr, 0)->span);
    }
    Operand result = operand_spill(emitter, condition, mark);
    for (uint32_t i = 1; i <= 2; i++) {
        emit_line(emitter, "%s " STR_FMT " == %s then", i == 1 ? "if" : "elseif",
                  STR_ARG(result.lua), i == 1 ? "true" : "false");
        Operand value = emit_expr(emitter, arg(expr, i));
        emit_line(emitter, STR_FMT " = " STR_FMT, STR_ARG(result.lua), STR_ARG(value.lua));
        emitter->frame->at = mark + 1;
    }
    emit_line(emitter, "end");
    return result;
}

// Operands and then the sites of the operators between them.
static Operand concat(Emitter *emitter, uint32_t mark, const Operands *parts, const Span *spans) {
    Operands operands = {0};
    for (uint32_t i = 0; i < parts->count; i++) operands_add(emitter, &operands, parts->items[i]);
    for (uint32_t i = 0; i + 1 < parts->count; i++) {
        operands_add_site(emitter, &operands, spans[i]);
    }
    return operand_call(emitter, mark, "rt.concat", &operands);
}

static bool is_concat(const Expr *expr) {
    return expr->kind == EXPR_BINARY && expr->op == OP_CONCAT;
}

// `a ~ b ~ c`, which is `(a ~ b) ~ c`, in one call.
static Operand concat_chain(Emitter *emitter, const Expr *expr) {
    const Expr *chain[CONCAT_MAX];
    Span spans[CONCAT_MAX];
    uint32_t count = 0, mark = emitter->frame->at;
    const Expr *first = expr;
    for (; is_concat(first) && count < CONCAT_MAX - 1; first = arg(first, 0)) {
        chain[count++] = first;
    }
    Operands parts = {0};
    operands_add(emitter, &parts, emit_expr(emitter, first));
    for (uint32_t i = 0; i < count; i++) {
        const Expr *next = chain[count - 1 - i];
        operands_add(emitter, &parts, emit_expr(emitter, arg(next, 1)));
        spans[i] = next->span;
    }
    return concat(emitter, mark, &parts, spans);
}

static Operand binary(Emitter *emitter, const Expr *expr) {
    if (expr->op == OP_CONCAT) return concat_chain(emitter, expr);
    if (expr->op == OP_COALESCE || expr->op == OP_COALESCE_UNDEFINED) {
        return coalesce(emitter, expr);
    }
    if (expr->op == OP_AND || expr->op == OP_OR) return and_or(emitter, expr);
    uint32_t mark = emitter->frame->at;
    Operand left = emit_expr(emitter, arg(expr, 0));
    Operand right = emit_expr(emitter, arg(expr, 1));
    Operand result = call2(emitter, mark, binary_function(expr->op), left, right, expr->span);
    result.is_truth = expr->op >= OP_EQ && expr->op <= OP_IS_IN;
    return result;
}

static Operand unary(Emitter *emitter, const Expr *expr) {
    const Expr *inner = arg(expr, 0);
    if (expr->op == OP_NEGATE && inner->kind == EXPR_INT && inner->integer != 0) {
        return operand_lua(emitter, "-%lld", (long long)inner->integer);
    }
    uint32_t mark = emitter->frame->at;
    Operand operand = emit_expr(emitter, inner);
    const char *function = expr->op == OP_NOT      ? "rt.truth_not"
                           : expr->op == OP_NEGATE ? "rt.neg"
                                                   : "rt.pos";
    Operand result = call1(emitter, mark, function, operand, expr->span);
    result.is_truth = expr->op == OP_NOT;
    return result;
}

// --- literals -----------------------------------------------------------------------------------

static Operand float_literal(Emitter *emitter, double real) {
    char text[48];
    int len = snprintf(text, sizeof text, "%.17g", real);
    bool is_float = false;
    for (int i = 0; i < len; i++) {
        if (text[i] == '.' || text[i] == 'e' || text[i] == 'n') is_float = true;
    }
    if (text[0] == 'i' || text[0] == '-') return operand_lua(emitter, "1e999");
    Operand operand = operand_lua(emitter, "%s%s", text, is_float ? "" : ".0");
    operand.is_constant = true;
    return operand;
}

static Operand list(Emitter *emitter, const Expr *expr, const char *function, int64_t count) {
    uint32_t mark = emitter->frame->at;
    Operands operands = {0};
    for (uint32_t i = 0; i < expr->args.count; i++) {
        operands_add(emitter, &operands, emit_expr(emitter, arg(expr, i)));
    }
    return operand_variadic(emitter, mark, function, count, &operands);
}

static Operand map(Emitter *emitter, const Expr *expr) {
    for (uint32_t i = 0; i < expr->args.count; i += 2) {
        const Expr *key = arg(expr, i);
        if (key->kind != EXPR_TEXT) continue;
        for (uint32_t j = 0; j < i; j += 2) {
            if (arg(expr, j)->kind != EXPR_TEXT || !str_eq(arg(expr, j)->text, key->text)) continue;
            Diag *diag =
                emit_error(emitter, "E0315", key->span,
                           "the key '" STR_FMT "' stands twice in the map", STR_ARG(key->text));
            diag_label(diag, arg(expr, j)->span, "first here");
            break;
        }
    }
    return list(emitter, expr, "rt.map", expr->args.count / 2);
}

// Parts joined like `~` joins them.
static Operand interpolation(Emitter *emitter, const Expr *expr) {
    uint32_t mark = emitter->frame->at, at = 1;
    Operand result = emit_expr(emitter, arg(expr, 0));
    Span spans[CONCAT_MAX];
    for (size_t i = 0; i < COUNT(spans); i++) spans[i] = expr->span;
    do {
        Operands parts = {0};
        operands_add(emitter, &parts, result);
        if (expr->args.count == 1) operands_add(emitter, &parts, operand_text(emitter, STR("")));
        for (; at < expr->args.count && parts.count < CONCAT_MAX; at++) {
            operands_add(emitter, &parts, emit_expr(emitter, arg(expr, at)));
        }
        result = concat(emitter, mark, &parts, spans);
    } while (at < expr->args.count);
    return result;
}

// --- calls --------------------------------------------------------------------------------------

static Operand method(Emitter *emitter, const Expr *expr) {
    Str instead = method_replacement(expr->text);
    Diag *diag =
        emit_error(emitter, "E0323", expr->name_span,
                   "methods cannot be called here: '" STR_FMT "()' belongs to a Java object",
                   STR_ARG(expr->text));
    if (instead.len > 0) diag_note(diag, "write " STR_FMT, STR_ARG(instead));
    return operand_lua(emitter, "rt.null");
}

static Operand function_call(Emitter *emitter, const Expr *expr) {
    const Macro *macro = find_macro(emitter, expr->text);
    if (macro != NULL) return emit_macro_call(emitter, expr, macro);
    if (str_eq(expr->text, STR("block"))) return emit_block_call(emitter, expr);
    if (str_eq(expr->text, STR("render")) || str_eq(expr->text, STR("renderOnce"))) {
        return emit_render(emitter, expr);
    }
    return emit_builtin(emitter, expr, BUILTIN_FUNCTION, NULL);
}

static Operand filter_or_test(Emitter *emitter, const Expr *expr) {
    uint32_t mark = emitter->frame->at;
    Operand input = emit_expr(emitter, arg(expr, 0));
    bool is_test = expr->kind == EXPR_TEST;
    Operand result = emit_builtin(emitter, expr, is_test ? BUILTIN_TEST : BUILTIN_FILTER, &input);
    if (expr->is_negated) result = call1(emitter, mark, "rt.truth_not", result, expr->span);
    result.is_truth = is_test;
    return result;
}

Operand emit_expr(Emitter *emitter, const Expr *expr) {
    Operand literal = {.is_constant = true};
    switch (expr->kind) {
    case EXPR_ERROR:
        emitter->has_error = true;
        break;
    case EXPR_NULL:
        break;
    case EXPR_BOOL:
        literal.lua = expr->boolean ? STR("true") : STR("false");
        return literal;
    case EXPR_INT:
        literal.lua = str_printf(emitter->arena, "%lld", (long long)expr->integer);
        return literal;
    case EXPR_FLOAT:
        return float_literal(emitter, expr->real);
    case EXPR_TEXT:
        return operand_text(emitter, expr->text);
    case EXPR_INTERPOLATION:
        return interpolation(emitter, expr);
    case EXPR_LIST:
        return list(emitter, expr, "rt.list", expr->args.count);
    case EXPR_MAP:
        return map(emitter, expr);
    case EXPR_NAME:
        return name_from(emitter, expr, emitter->scope);
    case EXPR_MEMBER:
    case EXPR_INDEX:
        return member(emitter, expr);
    case EXPR_METHOD:
        return method(emitter, expr);
    case EXPR_CALL:
        return function_call(emitter, expr);
    case EXPR_FILTER:
    case EXPR_TEST:
        return filter_or_test(emitter, expr);
    case EXPR_UNARY:
        return unary(emitter, expr);
    case EXPR_BINARY:
        return binary(emitter, expr);
    case EXPR_TERNARY:
        return ternary(emitter, expr);
    case EXPR_BODY:
        return emitter->body;
    }
    literal.lua = STR("rt.null");
    return literal;
}
