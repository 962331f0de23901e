// parse.c - from a text to a Template: pieces are parsed one by one; parts.c puts them into tags.
//
// tree-sitter sees one piece at a time, at most PIECE_SIZE_MAX bytes of it: libtree-sitter 0.20.7
// corrupts memory when an error node gets 65,536 children, and its recovery is quadratic. It reads
// the decoded text; places come back through scalar_span(). Where it finds an error, explain.c says
// which, and the piece becomes an EXPR_ERROR; the others stand. The parser is made for the first
// piece, so that flows without templates do not pay for it.
#include <string.h>

#include <tree_sitter/api.h>

#include "expr/ast.h"

const TSLanguage *tree_sitter_flow_template(void);

struct ExprParser {
    Arena *arena;
    TSParser *ts;  // NULL until the first piece
    bool is_2_0;
};

ExprParser *expr_parser_new(Arena *arena) {
    ExprParser *parser = arena_new(arena, ExprParser);
    parser->arena = arena;
    return parser;
}

void expr_parser_free(ExprParser *parser) {
    if (parser == NULL || parser->ts == NULL) return;
    ts_parser_delete(parser->ts);
    parser->ts = NULL;
}

void expr_parser_set_2_0(ExprParser *parser, bool is_2_0) {
    parser->is_2_0 = is_2_0;
}

bool expr_parser_is_2_0(const ExprParser *parser) {
    return parser->is_2_0;
}

Span reader_span(const Reader *reader, size_t start, size_t end) {
    uint32_t len = end > start ? (uint32_t)(end - start) : 0;
    if (reader->node != NULL) return scalar_span(reader->node, (uint32_t)start, len);
    return (Span){reader->file, (uint32_t)start, len};
}

// --- one piece ----------------------------------------------------------------------------------

typedef struct PieceInput {
    const char *prefix;
    Str content;
} PieceInput;

static const char *read_input(void *payload, uint32_t byte, TSPoint at, uint32_t *count) {
    const PieceInput *input = payload;
    (void)at;
    if (byte < PIECE_PREFIX) {
        *count = PIECE_PREFIX - byte;
        return input->prefix + byte;
    }
    size_t offset = byte - PIECE_PREFIX;
    *count = offset < input->content.len ? (uint32_t)(input->content.len - offset) : 0;
    return *count > 0 ? input->content.ptr + offset : "";
}

// The first thing the parser could not read.
static void find_error(TSNode root, size_t base, size_t *start, size_t *end) {
    TSTreeCursor cursor = ts_tree_cursor_new(root);
    for (;;) {
        TSNode node = ts_tree_cursor_current_node(&cursor);
        *start = base + ts_node_start_byte(node);
        *end = base + ts_node_end_byte(node);
        if (ts_node_is_missing(node) || ts_node_symbol(node) == (TSSymbol)-1) break;
        if (!ts_tree_cursor_goto_first_child(&cursor)) break;
        bool is_last = false;
        while (!is_last && !ts_node_has_error(ts_tree_cursor_current_node(&cursor)) &&
               !ts_node_is_missing(ts_tree_cursor_current_node(&cursor))) {
            is_last = !ts_tree_cursor_goto_next_sibling(&cursor);
        }
        if (is_last) break;
    }
    ts_tree_cursor_delete(&cursor);
}

TSTree *parse_piece(Reader *reader, const Piece *piece) {
    Span span = reader_span(reader, piece->start, piece->end);
    const char *opening = piece->kind == PIECE_PRINT ? "{{" : "{%";
    if (piece->fault == FAULT_DEEP || piece->to - piece->from > PIECE_SIZE_MAX) {
        diag_add(reader->diags, "E0002", DIAG_ERROR, span,
                 piece->fault == FAULT_DEEP
                     ? "the expression has more than %d open brackets; split it with '{%% set %%}'"
                     : "the expression is longer than %d bytes; split it with '{%% set %%}'",
                 piece->fault == FAULT_DEEP ? TEMPLATE_DEPTH_MAX : PIECE_SIZE_MAX);
        return NULL;
    }
    if (piece->fault == FAULT_UNCLOSED) {
        const char *closing = piece->kind == PIECE_PRINT ? "}}" : "%}";
        Diag *diag = diag_add(reader->diags, "E0313", DIAG_ERROR,
                              reader_span(reader, piece->start, piece->start + 2),
                              "'%s' is not closed; expected '%s'", opening, closing);
        suggest_closing(reader, diag, piece, closing);
        return NULL;
    }

    ExprParser *parser = reader->parser;
    if (parser->ts == NULL) {
        parser->ts = ts_parser_new();
        if (!ts_parser_set_language(parser->ts, tree_sitter_flow_template())) out_of_memory();
    }
    PieceInput input = {opening, str_slice(reader->text, piece->from, piece->to)};
    TSTree *tree =
        ts_parser_parse(parser->ts, NULL, (TSInput){&input, read_input, TSInputEncodingUTF8});
    TSNode root = ts_tree_root_node(tree);
    if (!ts_node_has_error(root)) return tree;
    size_t start = 0, end = 0;
    find_error(root, piece->from, &start, &end);
    ts_tree_delete(tree);
    start = start < piece->from + PIECE_PREFIX ? piece->from : start - PIECE_PREFIX;
    end = end < piece->from + PIECE_PREFIX ? piece->from : end - PIECE_PREFIX;
    explain(reader, piece, start, end);
    return NULL;
}

// --- templates ----------------------------------------------------------------------------------

bool template_has_code(Str text) {
    for (size_t at = 0; at + 1 < text.len; at++) {
        const char *found = memchr(text.ptr + at, '{', text.len - 1 - at);
        if (found == NULL) return false;
        at = (size_t)(found - text.ptr);
        char next = text.ptr[at + 1];
        if (next == '{' || next == '%' || next == '#') return true;
    }
    return false;
}

// The one printed expression where everything else prints nothing.
static Expr *sole_expr(const Template *template) {
    Expr *sole = NULL;
    for (uint32_t i = 0; i < template->parts.count; i++) {
        const Part *part = template->parts.items[i];
        if (part->kind == PART_SET || part->kind == PART_MACRO) continue;
        if (part->kind != PART_PRINT || sole != NULL) return NULL;
        sole = part->expr;
    }
    return sole;
}

bool template_is_joined(const Template *template) {
    uint32_t printed = 0;
    bool has_words = false;
    for (uint32_t i = 0; i < template->parts.count; i++) {
        const Part *part = template->parts.items[i];
        if (part->kind == PART_PRINT) printed++;
        if (part->kind == PART_TEXT && str_trim(part->text).len > 0) has_words = true;
    }
    return printed > 1 && has_words;
}

static Template *parse(Reader *reader, Pieces *pieces) {
    Template *template = arena_new(reader->arena, Template);
    template->node = reader->node;
    template->is_2_0 = reader->parser->is_2_0;
    template->text = reader->text;
    if (reader->text.len > TEMPLATE_SIZE_MAX) {
        diag_add(reader->diags, "E0002", DIAG_ERROR, reader_span(reader, 0, 0),
                 "the text has more than %d bytes", TEMPLATE_SIZE_MAX);
        template->has_error = true;
        return template;
    }
    template->has_code = template_has_code(reader->text);
    split(reader->text, reader->arena, pieces);
    read_all_parts(reader, *pieces, &template->parts);
    template->has_error = reader->has_error;
    template->sole = sole_expr(template);
    return template;
}

Template *template_parse(ExprParser *parser, const Node *scalar, Diags *diags) {
    Reader reader = {.parser = parser,
                     .arena = parser->arena,
                     .diags = diags,
                     .node = scalar,
                     .text = scalar->text};
    Pieces pieces = {0};
    Template *template = parse(&reader, &pieces);
    check_braces(scalar, &pieces, diags);
    return template;
}

Template *template_parse_text(ExprParser *parser, uint32_t file, Str text, Diags *diags) {
    Reader reader = {
        .parser = parser, .arena = parser->arena, .diags = diags, .file = file, .text = text};
    return parse(&reader, &(Pieces){0});
}
