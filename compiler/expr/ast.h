// ast.h - inside the expr module: from a tree-sitter tree to Expr.
#ifndef FLOW_EXPR_AST_H
#define FLOW_EXPR_AST_H

#include <tree_sitter/api.h>

#include "expr/piece.h"

// Length of the opening braces that are put before every piece.
enum { PIECE_PREFIX = 2 };

typedef struct AstBuilder {
    Reader *reader;
    uint32_t base;  // offset in the decoded text that the piece's byte PIECE_PREFIX stands for
    uint32_t depth;
    bool is_in_chain;  // the expression that is read next is an operand of an operator
} AstBuilder;

// The tree of a piece; NULL, with a finding, where it has none.
TSTree *parse_piece(Reader *reader, const Piece *piece);
void read_all_parts(Reader *reader, Pieces pieces, Parts *parts);
Expr *expr_new(Reader *reader, ExprKind kind, size_t start, size_t end);
// A chain of operators as Kestra 2.0 groups it.
Expr *regroup(Reader *reader, Expr *expr);
// The expression at the cursor.
Expr *ast_expr(AstBuilder *builder, TSTreeCursor *cursor);
// The text of the cursor's node; *span is set.
Str ast_text(const AstBuilder *builder, TSTreeCursor *cursor, Span *span);
// A name that may be bound: refused where it is an operator or, with `no_constants`, a constant.
Str ast_name(AstBuilder *builder, TSTreeCursor *cursor, bool no_constants, Span *span);
// The unescaped inside of a quoted text.
Str ast_string(AstBuilder *builder, Str quoted);
// An EXPR_FILTER from a `filter_call` of a filter tag.
Expr *ast_filter_call(AstBuilder *builder, TSTreeCursor *cursor, Expr *input);

#endif
