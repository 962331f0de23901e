// parts.c - parsed pieces in their tags: what prints, branches, loops, and what is not closed.
//
// An end that fits no open tag, a tag without its end, a tag nobody knows: each is one finding, and
// the tree goes on as if it had been right.
#include "expr/ast.h"
#include "expr/grammar/symbols.h"

static Expr *error_expr(Reader *reader, const Piece *piece) {
    reader->has_error = true;
    return expr_new(reader, EXPR_ERROR, piece->start, piece->end);
}

static Part *add_part(Reader *reader, Parts *parts, PartKind kind, const Piece *piece) {
    Part *part = arena_new(reader->arena, Part);
    part->kind = kind;
    part->span = reader_span(reader, piece->start, piece->end);
    *LIST_ADD(reader->arena, parts, Part *) = part;
    return part;
}

static void read_print(Reader *reader, const Piece *piece, Parts *parts) {
    Part *part = add_part(reader, parts, PART_PRINT, piece);
    TSTree *tree = parse_piece(reader, piece);
    if (tree == NULL) {
        part->expr = error_expr(reader, piece);
        return;
    }
    AstBuilder builder = {.reader = reader, .base = piece->from};
    TSTreeCursor cursor = ts_tree_cursor_new(ts_tree_root_node(tree));
    ts_tree_cursor_goto_first_child(&cursor);  // the braces
    ts_tree_cursor_goto_next_sibling(&cursor);
    part->expr = ast_expr(&builder, &cursor);
    ts_tree_cursor_delete(&cursor);
    ts_tree_delete(tree);
}

// --- tags ---------------------------------------------------------------------------------------

typedef enum TagKind {
    TAG_NONE,
    TAG_IF,
    TAG_ELSEIF,
    TAG_ELSE,
    TAG_ENDIF,
    TAG_FOR,
    TAG_ENDFOR,
    TAG_SET,
    TAG_MACRO,
    TAG_ENDMACRO,
    TAG_BLOCK,
    TAG_ENDBLOCK,
    TAG_FILTER,
    TAG_ENDFILTER,
} TagKind;

static const struct {
    const char *word;
    TagKind kind;
    TagKind opener;  // of an end: what it ends
} tags[] = {
    {"if",        TAG_IF,        TAG_NONE  },
    {"elseif",    TAG_ELSEIF,    TAG_IF    },
    {"else",      TAG_ELSE,      TAG_IF    },
    {"endif",     TAG_ENDIF,     TAG_IF    },
    {"for",       TAG_FOR,       TAG_NONE  },
    {"endfor",    TAG_ENDFOR,    TAG_FOR   },
    {"set",       TAG_SET,       TAG_NONE  },
    {"macro",     TAG_MACRO,     TAG_NONE  },
    {"endmacro",  TAG_ENDMACRO,  TAG_MACRO },
    {"block",     TAG_BLOCK,     TAG_NONE  },
    {"endblock",  TAG_ENDBLOCK,  TAG_BLOCK },
    {"filter",    TAG_FILTER,    TAG_NONE  },
    {"endfilter", TAG_ENDFILTER, TAG_FILTER},
};

static const char *tag_word(TagKind kind) {
    for (size_t i = 0; i < COUNT(tags); i++) {
        if (tags[i].kind == kind) return tags[i].word;
    }
    return "";
}

static TagKind tag_opener(TagKind kind) {
    for (size_t i = 0; i < COUNT(tags); i++) {
        if (tags[i].kind == kind) return tags[i].opener;
    }
    return TAG_NONE;
}

static TagKind tag_kind(Str word) {
    for (size_t i = 0; i < COUNT(tags); i++) {
        if (str_eq(word, str_from(tags[i].word))) return tags[i].kind;
    }
    return TAG_NONE;
}

// What closes an opening tag.
static TagKind tag_end(TagKind opener) {
    switch (opener) {
    case TAG_IF:
        return TAG_ENDIF;
    case TAG_FOR:
        return TAG_ENDFOR;
    case TAG_MACRO:
        return TAG_ENDMACRO;
    case TAG_BLOCK:
        return TAG_ENDBLOCK;
    case TAG_FILTER:
        return TAG_ENDFILTER;
    case TAG_NONE:
    case TAG_ELSEIF:
    case TAG_ELSE:
    case TAG_ENDIF:
    case TAG_ENDFOR:
    case TAG_SET:
    case TAG_ENDMACRO:
    case TAG_ENDBLOCK:
    case TAG_ENDFILTER:
        break;
    }
    return TAG_NONE;
}

// The word a tag begins with.
static Str first_word(Str text, const Piece *piece, size_t *start) {
    size_t at = piece->from;
    while (at < piece->to && is_template_space(text.ptr[at])) at++;
    *start = at;
    while (at < piece->to && (text.ptr[at] == '_' || (text.ptr[at] >= '0' && text.ptr[at] <= '9') ||
                              (text.ptr[at] >= 'a' && text.ptr[at] <= 'z') ||
                              (text.ptr[at] >= 'A' && text.ptr[at] <= 'Z'))) {
        at++;
    }
    return str_slice(text, *start, at);
}

static void unknown_tag(Reader *reader, const Piece *piece, Str word, size_t at) {
    static const struct {
        const char *word, *instead;
    } known[] = {
        {"elif",    "elseif"},
        {"elsif",   "elseif"},
        {"end",     "endif" },
        {"fi",      "endif" },
        {"endelse", "endif" },
        {"foreach", "for"   },
        {"let",     "set"   },
        {"assign",  "set"   },
    };
    static const char *const removed[] = {"include",    "import", "from",     "extends",
                                          "embed",      "cache",  "parallel", "flush",
                                          "autoescape", "endset", "endcache"};
    reader->has_error = true;
    Span span = reader_span(reader, at, at + word.len);
    if (word.len == 0) {
        diag_add(reader->diags, "E0315", DIAG_ERROR, reader_span(reader, piece->start, piece->end),
                 "expected a tag: if, for, set, macro, block, filter, raw or verbatim");
        return;
    }
    for (size_t i = 0; i < COUNT(removed); i++) {
        if (!str_eq(word, str_from(removed[i]))) continue;
        diag_add(reader->diags, "E0315", DIAG_ERROR, span, "there is no tag '" STR_FMT "' in flows",
                 STR_ARG(word));
        return;
    }
    Diag *diag = diag_add(reader->diags, "E0315", DIAG_ERROR, span,
                          "unknown tag '" STR_FMT
                          "'; expected if, for, set, macro, block, filter, raw or verbatim",
                          STR_ARG(word));
    for (size_t i = 0; i < COUNT(known); i++) {
        if (str_eq(word, str_from(known[i].word))) diag_suggest(diag, str_from(known[i].instead));
    }
    if (diag != NULL && diag->suggestions.count > 0) return;
    for (size_t i = 0; i < COUNT(tags); i++) {
        if (str_distance(word, str_from(tags[i].word), 2) > (word.len > 4 ? 2u : 1u)) continue;
        diag_suggest(diag, str_from(tags[i].word));
        return;
    }
}

// --- parts --------------------------------------------------------------------------------------

typedef struct Opener {
    TagKind kind;
    bool has_else;   // only the end may come
    bool is_broken;  // without closing braces: a missing end is not reported again
    Span span;
    const struct Opener *outer;
} Opener;

typedef struct Walk {
    Reader *reader;
    Pieces pieces;
    uint32_t at;
    const Opener *open;  // the innermost open tag
    bool is_cut;         // nested too deeply: the rest is not read
} Walk;

static bool opener_takes(const Opener *opener, TagKind kind) {
    if (kind == TAG_ELSE && (opener->kind == TAG_IF || opener->kind == TAG_FOR)) {
        return !opener->has_else;
    }
    if (kind == TAG_ELSEIF && opener->has_else) return false;
    return tag_opener(kind) == opener->kind;
}

static TagKind read_parts(Walk *walk, Parts *parts);

// The parts of a tag up to its end or its next branch; says which, and stands before it. A missing
// end is a finding and gives TAG_NONE.
static TagKind read_body(Walk *walk, Parts *parts, Opener *opener) {
    Reader *reader = walk->reader;
    if (reader->depth == TEMPLATE_DEPTH_MAX) {
        diag_add(reader->diags, "E0002", DIAG_ERROR, opener->span,
                 "tags are nested too deeply, %d levels at most", TEMPLATE_DEPTH_MAX);
        reader->has_error = walk->is_cut = true;
        walk->at = walk->pieces.count;
        return TAG_NONE;
    }
    opener->outer = walk->open;
    walk->open = opener;
    reader->depth++;
    TagKind end = read_parts(walk, parts);
    reader->depth--;
    walk->open = opener->outer;
    if (end != TAG_NONE && opener_takes(opener, end)) return end;
    if (!walk->is_cut && !opener->is_broken) {
        diag_add(reader->diags, "E0316", DIAG_ERROR, opener->span,
                 "'{%% %s %%}' is not closed; expected '{%% %s %%}'", tag_word(opener->kind),
                 tag_word(tag_end(opener->kind)));
        reader->has_error = true;
    }
    return TAG_NONE;
}

// Where the cursor stands on the statement of a parsed tag: a field's child is looked for.
static bool goto_field(TSTreeCursor *cursor, TSFieldId field) {
    if (!ts_tree_cursor_goto_first_child(cursor)) return false;
    do {
        if (ts_tree_cursor_current_field_id(cursor) == field) return true;
    } while (ts_tree_cursor_goto_next_sibling(cursor));
    ts_tree_cursor_goto_parent(cursor);
    return false;
}

static Expr *field_expr(AstBuilder *builder, TSTreeCursor *cursor, TSFieldId field) {
    if (!goto_field(cursor, field)) return NULL;
    Expr *expr = ast_expr(builder, cursor);
    ts_tree_cursor_goto_parent(cursor);
    return expr;
}

static void field_name_text(AstBuilder *builder, TSTreeCursor *cursor, Part *part) {
    if (!goto_field(cursor, field_name)) return;
    if (ts_node_symbol(ts_tree_cursor_current_node(cursor)) == sym_string) {
        part->text = ast_string(builder, ast_text(builder, cursor, &part->name_span));
    } else {
        part->text = ast_name(builder, cursor, part->kind != PART_BLOCK, &part->name_span);
    }
    ts_tree_cursor_goto_parent(cursor);
}

static void read_params(AstBuilder *builder, TSTreeCursor *cursor, Part *part) {
    if (!ts_tree_cursor_goto_first_child(cursor)) return;
    do {
        if (ts_node_symbol(ts_tree_cursor_current_node(cursor)) != sym_param) continue;
        PartParam param = {0};
        Span span;
        if (goto_field(cursor, field_name)) {
            param.name = ast_name(builder, cursor, true, &span);
            ts_tree_cursor_goto_parent(cursor);
        }
        param.otherwise = field_expr(builder, cursor, field_default);
        *LIST_ADD(builder->reader->arena, &part->params, PartParam) = param;
    } while (ts_tree_cursor_goto_next_sibling(cursor));
    ts_tree_cursor_goto_parent(cursor);
}

static Expr *read_filters(AstBuilder *builder, TSTreeCursor *cursor, const Piece *piece) {
    Expr *input = expr_new(builder->reader, EXPR_BODY, piece->start, piece->end);
    if (!ts_tree_cursor_goto_first_child(cursor)) return input;
    do {
        if (ts_node_symbol(ts_tree_cursor_current_node(cursor)) == sym_filter_call) {
            input = ast_filter_call(builder, cursor, input);
        }
    } while (ts_tree_cursor_goto_next_sibling(cursor));
    ts_tree_cursor_goto_parent(cursor);
    return input;
}

// Reads what stands in an opening tag into `part`; of an `if` or `elseif` the condition goes to
// *condition.
static void read_statement(Reader *reader, const Piece *piece, Part *part, Expr **condition) {
    TSTree *tree = parse_piece(reader, piece);
    if (tree == NULL) {
        Expr *error = error_expr(reader, piece);
        if (condition != NULL) {
            *condition = error;
        } else {
            part->expr = error;
        }
        return;
    }
    AstBuilder builder = {.reader = reader, .base = piece->from};
    TSTreeCursor cursor = ts_tree_cursor_new(ts_tree_root_node(tree));
    ts_tree_cursor_goto_first_child(&cursor);  // the braces
    ts_tree_cursor_goto_next_sibling(&cursor);
    if (condition != NULL) {
        *condition = field_expr(&builder, &cursor, field_condition);
    } else if (part->kind == PART_FILTER) {
        part->expr = read_filters(&builder, &cursor, piece);
    } else {
        field_name_text(&builder, &cursor, part);
        if (part->kind == PART_MACRO) {
            read_params(&builder, &cursor, part);
        } else {
            part->expr = field_expr(&builder, &cursor, field_value);
        }
    }
    ts_tree_cursor_delete(&cursor);
    ts_tree_delete(tree);
}

// `else` and the ends take nothing behind them (endblock a name).
static void check_bare(Reader *reader, const Piece *piece) {
    TSTree *tree = parse_piece(reader, piece);
    if (tree == NULL) {
        reader->has_error = true;
        return;
    }
    ts_tree_delete(tree);
}

static void read_if(Walk *walk, const Piece *piece, Parts *parts) {
    Reader *reader = walk->reader;
    Part *part = add_part(reader, parts, PART_IF, piece);
    Opener opener = {
        .kind = TAG_IF, .is_broken = piece->fault == FAULT_UNCLOSED, .span = part->span};
    const Piece *at = piece;
    TagKind kind = TAG_IF;
    for (;;) {
        PartBranch *branch = LIST_ADD(reader->arena, &part->branches, PartBranch);
        PartBranch read = {0};
        if (kind == TAG_ELSE) {
            opener.has_else = true;
            check_bare(reader, at);
        } else {
            read_statement(reader, at, part, &read.condition);
        }
        kind = read_body(walk, &read.body, &opener);
        *branch = read;
        if (kind == TAG_NONE) return;
        at = &walk->pieces.items[walk->at++];
        if (kind == TAG_ENDIF) break;
    }
    check_bare(reader, at);
}

static void read_block(Walk *walk, const Piece *piece, Parts *parts, TagKind tag, PartKind kind) {
    Reader *reader = walk->reader;
    Part *part = add_part(reader, parts, kind, piece);
    Opener opener = {.kind = tag, .is_broken = piece->fault == FAULT_UNCLOSED, .span = part->span};
    read_statement(reader, piece, part, NULL);
    TagKind end = read_body(walk, &part->body, &opener);
    if (end == TAG_ELSE) {
        check_bare(reader, &walk->pieces.items[walk->at++]);
        opener.has_else = true;
        end = read_body(walk, &part->otherwise, &opener);
    }
    if (end != TAG_NONE) check_bare(reader, &walk->pieces.items[walk->at++]);
}

static void stray(Reader *reader, const Piece *piece, TagKind kind) {
    const char *opener = tag_word(tag_opener(kind));
    Span span = reader_span(reader, piece->start, piece->end);
    if (kind == TAG_ELSE || kind == TAG_ELSEIF) {
        diag_add(reader->diags, "E0316", DIAG_ERROR, span,
                 "'{%% %s %%}' has no '{%% if %%}' it could belong to", tag_word(kind));
    } else {
        diag_add(reader->diags, "E0316", DIAG_ERROR, span,
                 "'{%% %s %%}' closes nothing; there is no open '{%% %s %%}'", tag_word(kind),
                 opener);
    }
    reader->has_error = true;
}

// An end or a branch that the innermost open tag does not take. Gives the tag at which its body
// ends, or TAG_NONE where reading goes on.
static TagKind wrong_end(Walk *walk, const Piece *piece, Parts *parts, TagKind kind) {
    Reader *reader = walk->reader;
    for (const Opener *outer = walk->open; outer != NULL; outer = outer->outer) {
        if (opener_takes(outer, kind)) return kind;
    }
    bool is_end = kind != TAG_ELSE && kind != TAG_ELSEIF;
    if (walk->open == NULL || !is_end) {
        stray(reader, piece, kind);
        add_part(reader, parts, PART_ERROR, piece);
        return TAG_NONE;
    }
    TagKind expected = tag_end(walk->open->kind);
    Diag *diag =
        diag_add(reader->diags, "E0316", DIAG_ERROR, reader_span(reader, piece->start, piece->end),
                 "'{%% %s %%}' cannot close '{%% %s %%}'; expected '{%% %s %%}'", tag_word(kind),
                 tag_word(walk->open->kind), tag_word(expected));
    diag_label(diag, walk->open->span, "opened here");
    reader->has_error = true;
    return expected;
}

static void read_tag(Walk *walk, const Piece *piece, Parts *parts, TagKind kind) {
    switch (kind) {
    case TAG_IF:
        read_if(walk, piece, parts);
        return;
    case TAG_FOR:
        read_block(walk, piece, parts, TAG_FOR, PART_FOR);
        return;
    case TAG_MACRO:
        read_block(walk, piece, parts, TAG_MACRO, PART_MACRO);
        return;
    case TAG_BLOCK:
        read_block(walk, piece, parts, TAG_BLOCK, PART_BLOCK);
        return;
    case TAG_FILTER:
        read_block(walk, piece, parts, TAG_FILTER, PART_FILTER);
        return;
    case TAG_SET:
        read_statement(walk->reader, piece, add_part(walk->reader, parts, PART_SET, piece), NULL);
        return;
    case TAG_NONE:
    case TAG_ELSEIF:
    case TAG_ELSE:
    case TAG_ENDIF:
    case TAG_ENDFOR:
    case TAG_ENDMACRO:
    case TAG_ENDBLOCK:
    case TAG_ENDFILTER:
        break;
    }
}

static void read_text(Reader *reader, const Piece *piece, Parts *parts) {
    if (piece->from >= piece->to) return;
    Part *part = add_part(reader, parts, PART_TEXT, piece);
    part->text = str_slice(reader->text, piece->from, piece->to);
    part->span = reader_span(reader, piece->from, piece->to);
}

static void unclosed(Reader *reader, const Piece *piece, Parts *parts) {
    bool is_comment = piece->kind == PIECE_COMMENT;
    Str opening = str_slice(reader->text, piece->start, piece->from);
    if (is_comment) {
        diag_add(reader->diags, "E0313", DIAG_ERROR,
                 reader_span(reader, piece->start, piece->start + 2),
                 "the comment is not closed; expected '#}'");
    } else {
        bool is_raw = str_find(opening, STR("raw"), 0) != STR_NOT_FOUND;
        diag_add(reader->diags, "E0316", DIAG_ERROR, reader_span(reader, piece->start, piece->from),
                 "'" STR_FMT "' is not closed; expected '{%% end%s %%}'", STR_ARG(opening),
                 is_raw ? "raw" : "verbatim");
    }
    reader->has_error = true;
    add_part(reader, parts, PART_ERROR, piece);
}

static void read_code_tag(Walk *walk, const Piece *piece, Parts *parts, TagKind *end) {
    Reader *reader = walk->reader;
    size_t start = 0;
    Str word = first_word(reader->text, piece, &start);
    TagKind kind = tag_kind(word);
    if (kind == TAG_NONE) {
        if (piece->fault == FAULT_UNCLOSED) {
            (void)parse_piece(reader, piece);
            reader->has_error = true;
        } else {
            unknown_tag(reader, piece, word, start);
        }
        add_part(reader, parts, PART_ERROR, piece);
    } else if (tag_opener(kind) != TAG_NONE) {
        *end = wrong_end(walk, piece, parts, kind);
    } else {
        read_tag(walk, piece, parts, kind);
    }
}

// Reads up to an end or branch of an open tag, and stands before it.
static TagKind read_parts(Walk *walk, Parts *parts) {
    Reader *reader = walk->reader;
    while (walk->at < walk->pieces.count) {
        const Piece *piece = &walk->pieces.items[walk->at++];
        TagKind end = TAG_NONE;
        switch (piece->kind) {
        case PIECE_TEXT:
            read_text(reader, piece, parts);
            break;
        case PIECE_LITERAL:
            if (piece->fault != FAULT_NONE) {
                unclosed(reader, piece, parts);
            } else {
                read_text(reader, piece, parts);
            }
            break;
        case PIECE_COMMENT:
            if (piece->fault != FAULT_NONE) unclosed(reader, piece, parts);
            break;
        case PIECE_PRINT:
            read_print(reader, piece, parts);
            break;
        case PIECE_TAG:
            read_code_tag(walk, piece, parts, &end);
            break;
        }
        if (end != TAG_NONE) {
            walk->at--;
            return end;
        }
    }
    return TAG_NONE;
}

void read_all_parts(Reader *reader, Pieces pieces, Parts *parts) {
    Walk walk = {.reader = reader, .pieces = pieces};
    read_parts(&walk, parts);
}
