// piece.h - the pieces of a template, and the words that name nothing: for the expr module, and for
// embed, which looks at the text around the code.
#ifndef FLOW_EXPR_PIECE_H
#define FLOW_EXPR_PIECE_H

#include "expr/expr.h"

typedef enum PieceKind {
    PIECE_TEXT,
    PIECE_LITERAL,  // the inside of raw or verbatim: text that its neighbours do not trim
    PIECE_PRINT,
    PIECE_TAG,
    PIECE_COMMENT,
} PieceKind;

typedef enum PieceFault {
    FAULT_NONE,
    FAULT_UNCLOSED,    // no end; content reaches to where one could have stood
    FAULT_UNBALANCED,  // ends at the first closing braces, but a bracket or a text is open there
    FAULT_DEEP,        // more than TEMPLATE_DEPTH_MAX open brackets
} PieceFault;

typedef struct Piece {
    PieceKind kind;
    PieceFault fault;
    uint32_t start, end;  // all of it, in the decoded text
    uint32_t from, to;    // what stands between the delimiters; of LITERAL: what it prints
    bool trims_left, trims_right;
} Piece;

typedef LIST_OF(Piece) Pieces;

void split(Str text, Arena *arena, Pieces *out);
// `inputs.x }}` and `{ inputs.x }}` in the text around the code: W0314.
void check_braces(const Node *scalar, const Pieces *pieces, Diags *diags);
bool is_template_space(char c);
// Offset behind the quoted text that begins at `at`, or STR_NOT_FOUND.
size_t quoted_end(Str text, size_t at);

// `or and is not contains equals isIn`: neither variables nor attributes.
bool word_is_operator(Str word);
// `true null none …`
bool word_is_constant(Str word);

// What a template is parsed with: the parser, where findings go, how offsets become spans.
typedef struct Reader {
    ExprParser *parser;
    Arena *arena;
    Diags *diags;
    const Node *node;
    uint32_t file;
    Str text;
    uint32_t depth;
    bool has_error;
} Reader;

Span reader_span(const Reader *reader, size_t start, size_t end);
// How far around a place it is looked for what was meant there: beyond, a text made for it would
// take the square of its length.
enum { EXPR_NEAR = 512 };
// Behind the longest piece of plain text from `from` on that reads like an expression; `from` where
// nothing does.
size_t expression_end(Str text, size_t from);
// Where the end of a piece without one was probably meant: at a single closing brace behind what
// reads like an expression, else behind that.
void suggest_closing(Reader *reader, Diag *diag, const Piece *piece, const char *closing);
// Says what is wrong with a piece that does not parse. `at` is where its expression begins,
// `fallback_start` and `fallback_end` what the parser could not read.
void explain(Reader *reader, const Piece *piece, size_t fallback_start, size_t fallback_end);

#endif
