// ast.c - from the tree of one piece to Expr, once, with spans in the file.
//
// The tree has no error in it: parse.c looks first. What the grammar is too generous about is
// refused here: operator words as names, integers beyond 64 bits, positional arguments behind named
// ones, trees that are too deep.
#include "expr/ast.h"

#include <stdlib.h>

#include "expr/grammar/symbols.h"

bool word_is_operator(Str word) {
    static const char *const words[] = {"or", "and", "is", "not", "contains", "equals", "isIn"};
    for (size_t i = 0; i < COUNT(words); i++) {
        if (str_eq(word, str_from(words[i]))) return true;
    }
    return false;
}

bool word_is_constant(Str word) {
    static const char *const words[] = {"true", "TRUE", "false", "FALSE",
                                        "null", "NULL", "none",  "NONE"};
    for (size_t i = 0; i < COUNT(words); i++) {
        if (str_eq(word, str_from(words[i]))) return true;
    }
    return false;
}

Expr *expr_new(Reader *reader, ExprKind kind, size_t start, size_t end) {
    Expr *expr = arena_new(reader->arena, Expr);
    expr->kind = kind;
    expr->span = reader_span(reader, start, end);
    return expr;
}

static size_t node_start(const AstBuilder *builder, TSNode node) {
    return builder->base + ts_node_start_byte(node) - PIECE_PREFIX;
}

static size_t node_end(const AstBuilder *builder, TSNode node) {
    return builder->base + ts_node_end_byte(node) - PIECE_PREFIX;
}

static Expr *node_expr(AstBuilder *builder, TSNode node, ExprKind kind) {
    return expr_new(builder->reader, kind, node_start(builder, node), node_end(builder, node));
}

static Str node_text(const AstBuilder *builder, TSNode node) {
    return str_slice(builder->reader->text, node_start(builder, node), node_end(builder, node));
}

Str ast_text(const AstBuilder *builder, TSTreeCursor *cursor, Span *span) {
    TSNode node = ts_tree_cursor_current_node(cursor);
    *span = reader_span(builder->reader, node_start(builder, node), node_end(builder, node));
    return node_text(builder, node);
}

Str ast_name(AstBuilder *builder, TSTreeCursor *cursor, bool no_constants, Span *span) {
    Str name = ast_text(builder, cursor, span);
    if (word_is_operator(name)) {
        Diag *diag = diag_add(builder->reader->diags, "E0315", DIAG_ERROR, *span,
                              "'" STR_FMT "' is an operator and cannot be a name", STR_ARG(name));
        diag_note(diag, "as the key of a map it can be written in brackets: m[\"" STR_FMT "\"]",
                  STR_ARG(name));
        builder->reader->has_error = true;
    } else if (no_constants && word_is_constant(name)) {
        diag_add(builder->reader->diags, "E0315", DIAG_ERROR, *span,
                 "'" STR_FMT "' is a constant and cannot be a name", STR_ARG(name));
        builder->reader->has_error = true;
    }
    return name;
}

// --- literals -----------------------------------------------------------------------------------

static Str unescape(AstBuilder *builder, Str inside, char quote) {
    if (str_find_char(inside, '\\', 0) == STR_NOT_FOUND) return inside;
    char *out = arena_array(builder->reader->arena, char, inside.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < inside.len; i++) {
        if (inside.ptr[i] == '\\' && i + 1 < inside.len && inside.ptr[i + 1] == quote) i++;
        out[len++] = inside.ptr[i];
    }
    return (Str){out, len};
}

Str ast_string(AstBuilder *builder, Str quoted) {
    if (quoted.len < 2) return (Str){0};
    return unescape(builder, str_slice(quoted, 1, quoted.len - 1), quoted.ptr[0]);
}

static void read_integer(AstBuilder *builder, Expr *expr, Str text) {
    expr->text = text;
    Str digits = str_ends_with(text, STR("L")) ? str_slice(text, 0, text.len - 1) : text;
    if (str_to_int(digits, &expr->integer)) return;
    diag_add(builder->reader->diags, "E0315", DIAG_ERROR, expr->span,
             "'" STR_FMT "' is too large: integers have 64 bits, at most 9223372036854775807",
             STR_ARG(digits));
    builder->reader->has_error = true;
    expr->kind = EXPR_ERROR;
}

static void read_float(AstBuilder *builder, Expr *expr, Str text) {
    ArenaMark mark = arena_mark(builder->reader->arena);
    expr->real = strtod(str_to_c(builder->reader->arena, text), NULL);
    arena_reset(builder->reader->arena, mark);
    expr->text = text;
}

// `"… #{ x } …"`: texts and expressions in turn; one text alone is a plain one.
static Expr *read_interpolation(AstBuilder *builder, TSTreeCursor *cursor) {
    Arena *arena = builder->reader->arena;
    Expr *expr = node_expr(builder, ts_tree_cursor_current_node(cursor), EXPR_INTERPOLATION);
    size_t from = 0, to = 0;
    ts_tree_cursor_goto_first_child(cursor);
    do {
        TSNode node = ts_tree_cursor_current_node(cursor);
        TSSymbol symbol = ts_node_symbol(node);
        if (symbol == sym_chars) {
            if (from == to) from = node_start(builder, node);
            to = node_end(builder, node);
            continue;
        }
        if (from < to) {
            Expr *text = expr_new(builder->reader, EXPR_TEXT, from, to);
            text->text = unescape(builder, str_slice(builder->reader->text, from, to), '"');
            LIST_ADD(arena, &expr->args, ExprArg)->value = text;
            from = to = 0;
        }
        if (symbol == sym_inserted) {
            LIST_ADD(arena, &expr->args, ExprArg)->value = ast_expr(builder, cursor);
        }
    } while (ts_tree_cursor_goto_next_sibling(cursor));
    ts_tree_cursor_goto_parent(cursor);

    if (expr->args.count == 0) {
        expr->kind = EXPR_TEXT;
    } else if (expr->args.count == 1 && expr->args.items[0].value->kind == EXPR_TEXT) {
        expr->kind = EXPR_TEXT;
        expr->text = expr->args.items[0].value->text;
        expr->args.count = 0;
    }
    return expr;
}

// --- operators ----------------------------------------------------------------------------------

static ExprOp binary_op(TSSymbol symbol) {
    switch (symbol) {
    case anon_sym_or:
        return OP_OR;
    case anon_sym_and:
        return OP_AND;
    case anon_sym_EQ_EQ:
    case anon_sym_equals:
        return OP_EQ;
    case anon_sym_BANG_EQ:
        return OP_NE;
    case anon_sym_LT:
        return OP_LT;
    case anon_sym_GT:
        return OP_GT;
    case anon_sym_LT_EQ:
        return OP_LE;
    case anon_sym_GT_EQ:
        return OP_GE;
    case anon_sym_contains:
        return OP_CONTAINS;
    case anon_sym_isIn:
        return OP_IS_IN;
    case anon_sym_PLUS:
        return OP_ADD;
    case anon_sym_DASH:
        return OP_SUB;
    case anon_sym_STAR:
        return OP_MUL;
    case anon_sym_SLASH:
        return OP_DIV;
    case anon_sym_PERCENT:
        return OP_MOD;
    case anon_sym_TILDE:
        return OP_CONCAT;
    case anon_sym_DOT_DOT:
        return OP_RANGE;
    case anon_sym_QMARK_QMARK:
        return OP_COALESCE;
    case anon_sym_QMARK_QMARK_QMARK:
        return OP_COALESCE_UNDEFINED;
    default:
        return OP_NONE;
    }
}

static ExprOp unary_op(TSSymbol symbol) {
    if (symbol == anon_sym_not) return OP_NOT;
    return symbol == anon_sym_DASH ? OP_NEGATE : OP_PLUS_SIGN;
}

static const char *const op_texts[] = {
    [OP_NONE] = "",
    [OP_NOT] = "not",
    [OP_NEGATE] = "-",
    [OP_PLUS_SIGN] = "+",
    [OP_OR] = "or",
    [OP_AND] = "and",
    [OP_EQ] = "==",
    [OP_NE] = "!=",
    [OP_LT] = "<",
    [OP_GT] = ">",
    [OP_LE] = "<=",
    [OP_GE] = ">=",
    [OP_CONTAINS] = "contains",
    [OP_IS_IN] = "isIn",
    [OP_ADD] = "+",
    [OP_SUB] = "-",
    [OP_MUL] = "*",
    [OP_DIV] = "/",
    [OP_MOD] = "%",
    [OP_CONCAT] = "~",
    [OP_RANGE] = "..",
    [OP_COALESCE] = "??",
    [OP_COALESCE_UNDEFINED] = "???",
};

const char *expr_op_text(ExprOp op) {
    return op_texts[op];
}

// --- trees --------------------------------------------------------------------------------------

static void read_argument(AstBuilder *builder, TSTreeCursor *cursor, Expr *expr) {
    ExprArg *arg = LIST_ADD(builder->reader->arena, &expr->args, ExprArg);
    ExprArg read = {0};
    ts_tree_cursor_goto_first_child(cursor);
    do {
        TSFieldId field = ts_tree_cursor_current_field_id(cursor);
        if (field == field_name) {
            read.name = ast_name(builder, cursor, false, &read.name_span);
        } else if (field == field_value) {
            read.value = ast_expr(builder, cursor);
        }
    } while (ts_tree_cursor_goto_next_sibling(cursor));
    ts_tree_cursor_goto_parent(cursor);
    *arg = read;

    if (read.name.len > 0 || expr->args.count < 2 || arg[-1].name.len == 0) return;
    diag_add(builder->reader->diags, "E0315", DIAG_ERROR, read.value->span,
             "an argument without a name stands behind a named one; put it before '" STR_FMT "='",
             STR_ARG(arg[-1].name));
    builder->reader->has_error = true;
}

// Name, operator, operands and arguments of the node at the cursor.
static void read_children(AstBuilder *builder, TSTreeCursor *cursor, Expr *expr) {
    if (!ts_tree_cursor_goto_first_child(cursor)) return;
    do {
        TSNode node = ts_tree_cursor_current_node(cursor);
        TSSymbol symbol = ts_node_symbol(node);
        TSFieldId field = ts_tree_cursor_current_field_id(cursor);
        if (field == field_name) {
            expr->text = ast_name(builder, cursor, false, &expr->name_span);
        } else if (field == field_operator) {
            expr->op = expr->kind == EXPR_UNARY ? unary_op(symbol) : binary_op(symbol);
            expr->text = ast_text(builder, cursor, &expr->name_span);
        } else if (symbol == sym_argument) {
            read_argument(builder, cursor, expr);
        } else if (ts_node_is_named(node)) {
            // Reading may grow the list, so the place is taken afterwards.
            builder->is_in_chain =
                expr->kind == EXPR_BINARY ||
                (expr->args.count == 0 && (expr->kind == EXPR_FILTER || expr->kind == EXPR_TEST));
            Expr *value = ast_expr(builder, cursor);
            LIST_ADD(builder->reader->arena, &expr->args, ExprArg)->value = value;
        } else if (symbol == anon_sym_not) {
            expr->is_negated = true;
        }
    } while (ts_tree_cursor_goto_next_sibling(cursor));
    ts_tree_cursor_goto_parent(cursor);
}

static Expr *read_tree(AstBuilder *builder, TSTreeCursor *cursor, ExprKind kind) {
    Expr *expr = node_expr(builder, ts_tree_cursor_current_node(cursor), kind);
    read_children(builder, cursor, expr);
    return expr;
}

// The only expression inside brackets: `( x )`, `#{ x }`.
static Expr *read_inside(AstBuilder *builder, TSTreeCursor *cursor) {
    Expr *expr = NULL;
    ts_tree_cursor_goto_first_child(cursor);
    do {
        if (ts_node_is_named(ts_tree_cursor_current_node(cursor))) {
            expr = ast_expr(builder, cursor);
        }
    } while (ts_tree_cursor_goto_next_sibling(cursor));
    ts_tree_cursor_goto_parent(cursor);
    return expr;
}

static Expr *read_parenthesised(AstBuilder *builder, TSTreeCursor *cursor) {
    TSNode node = ts_tree_cursor_current_node(cursor);
    Expr *expr = read_inside(builder, cursor);
    expr->is_parenthesised = true;
    expr->span = reader_span(builder->reader, node_start(builder, node), node_end(builder, node));
    return expr;
}

static Expr *read_leaf(AstBuilder *builder, TSTreeCursor *cursor, ExprKind kind) {
    TSNode node = ts_tree_cursor_current_node(cursor);
    Expr *expr = node_expr(builder, node, kind);
    Str text = node_text(builder, node);
    if (kind == EXPR_INT) read_integer(builder, expr, text);
    if (kind == EXPR_FLOAT) read_float(builder, expr, text);
    if (kind == EXPR_TEXT) expr->text = ast_string(builder, text);
    if (kind == EXPR_NAME) expr->text = ast_name(builder, cursor, false, &expr->name_span);
    if (kind == EXPR_BOOL) expr->boolean = text.ptr[0] == 't' || text.ptr[0] == 'T';
    return expr;
}

static Expr *read_node(AstBuilder *builder, TSTreeCursor *cursor) {
    TSNode node = ts_tree_cursor_current_node(cursor);
    switch (ts_node_symbol(node)) {
    case sym_parenthesised:
        return read_parenthesised(builder, cursor);
    case sym_inserted:
        return read_inside(builder, cursor);
    case sym_integer:
        return read_leaf(builder, cursor, EXPR_INT);
    case sym_float:
        return read_leaf(builder, cursor, EXPR_FLOAT);
    case sym_string:
        return read_leaf(builder, cursor, EXPR_TEXT);
    case sym_interpolation:
        return read_interpolation(builder, cursor);
    case sym_true:
    case sym_false:
        return read_leaf(builder, cursor, EXPR_BOOL);
    case sym_null:
        return read_leaf(builder, cursor, EXPR_NULL);
    case sym_variable:
        return read_leaf(builder, cursor, EXPR_NAME);
    case sym_list:
        return read_tree(builder, cursor, EXPR_LIST);
    case sym_map:
        return read_tree(builder, cursor, EXPR_MAP);
    case sym_call:
        return read_tree(builder, cursor, EXPR_CALL);
    case sym_member:
        return read_tree(builder, cursor, EXPR_MEMBER);
    case sym_method:
        return read_tree(builder, cursor, EXPR_METHOD);
    case sym_index:
        return read_tree(builder, cursor, EXPR_INDEX);
    case sym_filter:
        return read_tree(builder, cursor, EXPR_FILTER);
    case sym_test:
        return read_tree(builder, cursor, EXPR_TEST);
    case sym_unary:
        return read_tree(builder, cursor, EXPR_UNARY);
    case sym_binary:
        return read_tree(builder, cursor, EXPR_BINARY);
    case sym_ternary:
        return read_tree(builder, cursor, EXPR_TERNARY);
    default:
        return node_expr(builder, node, EXPR_ERROR);
    }
}

Expr *ast_expr(AstBuilder *builder, TSTreeCursor *cursor) {
    bool is_in_chain = builder->is_in_chain;
    builder->is_in_chain = false;
    if (builder->depth == EXPR_DEPTH_MAX) {
        Expr *expr = node_expr(builder, ts_tree_cursor_current_node(cursor), EXPR_ERROR);
        if (!builder->reader->has_error) {
            diag_add(builder->reader->diags, "E0002", DIAG_ERROR, expr->span,
                     "the expression is nested too deeply, %d levels at most; split it with "
                     "'{%% set %%}'",
                     EXPR_DEPTH_MAX);
        }
        builder->reader->has_error = true;
        return expr;
    }
    builder->depth++;
    Expr *expr = read_node(builder, cursor);
    builder->depth--;
    bool is_chain = !is_in_chain && expr_parser_is_2_0(builder->reader->parser);
    return is_chain ? regroup(builder->reader, expr) : expr;
}

Expr *ast_filter_call(AstBuilder *builder, TSTreeCursor *cursor, Expr *input) {
    Expr *expr = node_expr(builder, ts_tree_cursor_current_node(cursor), EXPR_FILTER);
    LIST_ADD(builder->reader->arena, &expr->args, ExprArg)->value = input;
    read_children(builder, cursor, expr);
    return expr;
}
