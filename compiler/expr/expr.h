// expr.h - templates: split by hand, parsed in pieces by tree-sitter, as a syntax tree with spans
// into the file.
//
// A piece that does not parse becomes an EXPR_ERROR or PART_ERROR and a finding (E03xx); the others
// stand.
#ifndef FLOW_EXPR_EXPR_H
#define FLOW_EXPR_EXPR_H

#include "diag/diag.h"
#include "syntax/syntax.h"

enum {
    PIECE_SIZE_MAX = 8192,        // bytes of one `{{ }}` or `{% %}`: see parse.c
    TEMPLATE_SIZE_MAX = 1 << 20,  // bytes of a text
    TEMPLATE_DEPTH_MAX = 64,      // open brackets, open tags
    EXPR_DEPTH_MAX = 500,         // of a syntax tree: bounds every recursion over it
};

typedef enum ExprKind {
    EXPR_ERROR,
    EXPR_NULL,
    EXPR_BOOL,
    EXPR_INT,
    EXPR_FLOAT,
    EXPR_TEXT,           // text: unescaped
    EXPR_INTERPOLATION,  // args: parts joined
    EXPR_LIST,           // args
    EXPR_MAP,            // args: key, value, key, value …
    EXPR_NAME,           // text: variable
    EXPR_MEMBER,         // args[0] . text
    EXPR_INDEX,          // args[0] [ args[1] ]
    EXPR_METHOD,         // args[0] . text ( rest ): always refused, kept for the message
    EXPR_CALL,           // text ( args ): function or macro
    EXPR_FILTER,         // args[0] | text ( rest )
    EXPR_TEST,           // args[0] is text ( rest ); negated: is_negated
    EXPR_UNARY,          // op, args[0]
    EXPR_BINARY,         // op, args[0], args[1]
    EXPR_TERNARY,        // args[0] ? args[1] : args[2]
    EXPR_BODY,           // the rendered body of a filter tag: the input of its first filter
} ExprKind;

typedef enum ExprOp {
    OP_NONE,
    OP_NOT,
    OP_NEGATE,
    OP_PLUS_SIGN,
    OP_OR,
    OP_AND,
    OP_EQ,
    OP_NE,
    OP_LT,
    OP_GT,
    OP_LE,
    OP_GE,
    OP_CONTAINS,
    OP_IS_IN,
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_MOD,
    OP_CONCAT,
    OP_RANGE,
    OP_COALESCE,            // ??
    OP_COALESCE_UNDEFINED,  // ???
} ExprOp;

typedef struct Expr Expr;

typedef struct ExprArg {
    Expr *value;
    Str name;  // of a named argument, else empty
    Span name_span;
} ExprArg;

struct Expr {
    ExprKind kind;
    ExprOp op;
    bool is_negated;
    bool is_parenthesised;
    Span span;       // all of it, in the file
    Span name_span;  // of text: the name, attribute, filter, operator
    Str text;        // of INT, FLOAT: as written; of a BINARY, UNARY: the operator as written
    int64_t integer;
    double real;
    bool boolean;
    LIST_OF(ExprArg) args;
    void *type;  // the checker's
};

typedef enum PartKind {
    PART_TEXT,    // text, after white-space control
    PART_PRINT,   // expr
    PART_IF,      // branches: (expr, body) …, the last without expr is else
    PART_FOR,     // name, expr, body, otherwise
    PART_SET,     // name, expr
    PART_MACRO,   // name, params, body
    PART_BLOCK,   // name, body
    PART_FILTER,  // expr: a chain of EXPR_FILTER, the innermost over EXPR_BODY; body
    PART_ERROR,
} PartKind;

typedef struct Part Part;
typedef LIST_OF(Part *) Parts;

typedef struct PartBranch {
    Expr *condition;  // NULL: else
    Parts body;
} PartBranch;

typedef struct PartParam {
    Str name;
    Expr *otherwise;  // default; NULL: none
} PartParam;

struct Part {
    PartKind kind;
    Span span;
    Str text;  // TEXT; name of FOR, SET, MACRO, BLOCK
    Span name_span;
    Expr *expr;
    LIST_OF(PartBranch) branches;
    LIST_OF(PartParam) params;
    Parts body, otherwise;
};

typedef struct Template {
    const Node *node;  // the scalar; NULL for a text given by itself
    Str text;          // decoded
    Parts parts;
    bool has_code;  // anything but text
    bool is_2_0;    // read with the precedences of 2.0
    bool has_error;
    // The sole printed expression where nothing else prints; else NULL.
    Expr *sole;
} Template;

// True where a text needs parsing at all: it has `{{`, `{%` or `{#`.
bool template_has_code(Str text);
// The next raw section at or behind `from`: with its tags, and what stands between them.
bool template_next_raw(Str text, size_t from, Str *whole, Str *inside);
// What can be said of a scalar without code: `{ inputs.x }}`, which is printed as text (W0314).
// template_parse() looks for it too.
void template_check_text(const Node *scalar, Diags *diags);

typedef struct ExprParser ExprParser;
ExprParser *expr_parser_new(Arena *arena);
void expr_parser_free(ExprParser *parser);
// With the precedences of Kestra 2.0 from now on: `??`, `???` and `isIn` bind like `==`.
void expr_parser_set_2_0(ExprParser *parser, bool is_2_0);
bool expr_parser_is_2_0(const ExprParser *parser);
// Parses a scalar; findings go to diags with spans in the file.
Template *template_parse(ExprParser *parser, const Node *scalar, Diags *diags);
// A text that stands in `file` from byte 0 (flowc eval).
Template *template_parse_text(ExprParser *parser, uint32_t file, Str text, Diags *diags);
// True for `{{ a }} and {{ b }}`: several expressions with words between them, which as a condition
// are a text that is always true.
bool template_is_joined(const Template *template);
const char *expr_op_text(ExprOp op);
// What to write instead of a Java method or member, in quotes; empty where nothing is known.
Str method_replacement(Str method);
// S-expression of a template, for tests.
void template_print(const Template *template, Buffer *out);

#endif
