// split.c - finds text, comments, prints, tags and raw sections in a template (design §4.13).
//
// Follows the tokenizer of the reference: a print or tag ends at its closing braces only while no
// bracket and no quoted text is open. A piece that never ends so is cut at the first closing braces
// before the next opening ones, so that one mistake stays in its piece.
#include "expr/piece.h"

#include <string.h>

bool is_template_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static size_t skip_space(Str text, size_t at) {
    while (at < text.len && is_template_space(text.ptr[at])) at++;
    return at;
}

static bool has_pair(Str text, size_t at, char first, char second) {
    return at + 1 < text.len && text.ptr[at] == first && text.ptr[at + 1] == second;
}

// --- quoted texts and brackets ------------------------------------------------------------------

typedef struct Brackets {
    char open[TEMPLATE_DEPTH_MAX];
    uint32_t count;
    bool is_too_deep;
} Brackets;

static size_t inserted_end(Str text, size_t at, uint32_t depth);

static size_t quoted_end_at(Str text, size_t at, uint32_t depth) {
    char quote = text.ptr[at];
    for (at++; at < text.len; at++) {
        char c = text.ptr[at];
        if (c == '\\') {
            at++;
        } else if (c == quote) {
            return at + 1;
        } else if (c == '#' && quote == '"' && at + 1 < text.len && text.ptr[at + 1] == '{') {
            size_t end = inserted_end(text, at + 2, depth + 1);
            if (end == STR_NOT_FOUND) return STR_NOT_FOUND;
            at = end - 1;
        }
    }
    return STR_NOT_FOUND;
}

size_t quoted_end(Str text, size_t at) {
    return quoted_end_at(text, at, 0);
}

// Moves over one bracket. False where it closes what is not open, or nests too deep.
static bool step_bracket(Brackets *brackets, char c) {
    if (c == '(' || c == '[' || c == '{') {
        if (brackets->count == TEMPLATE_DEPTH_MAX) {
            brackets->is_too_deep = true;
            return false;
        }
        brackets->open[brackets->count++] = c == '(' ? ')' : c == '[' ? ']' : '}';
        return true;
    }
    return brackets->count > 0 && brackets->open[--brackets->count] == c;
}

// Behind the `}` that ends `#{ … }`, whose inside begins at `at`.
static size_t inserted_end(Str text, size_t at, uint32_t depth) {
    Brackets brackets = {0};
    if (depth > TEMPLATE_DEPTH_MAX) return STR_NOT_FOUND;
    while (at < text.len) {
        char c = text.ptr[at];
        if (c == '}' && brackets.count == 0) return at + 1;
        if (c == '"' || c == '\'') {
            at = quoted_end_at(text, at, depth);
            if (at == STR_NOT_FOUND) return STR_NOT_FOUND;
            continue;
        }
        if (strchr("()[]{}", c) != NULL && c != 0 && !step_bracket(&brackets, c)) {
            return STR_NOT_FOUND;
        }
        at++;
    }
    return STR_NOT_FOUND;
}

// The end of a print or tag whose inside begins at `from`: offset of its closing braces, or of the
// dash before them.
static size_t code_end(Str text, size_t from, char closer, bool *is_too_deep) {
    Brackets brackets = {0};
    size_t at = from;
    while (at < text.len) {
        char c = text.ptr[at];
        if (brackets.count == 0) {
            if (has_pair(text, at, closer, '}')) return at;
            if (c == '-' && has_pair(text, at + 1, closer, '}')) return at;
        }
        if (c == '"' || c == '\'') {
            at = quoted_end_at(text, at, 0);
            if (at == STR_NOT_FOUND) return STR_NOT_FOUND;
            continue;
        }
        if (strchr("()[]{}", c) != NULL && c != 0 && !step_bracket(&brackets, c)) {
            *is_too_deep = brackets.is_too_deep;
            return STR_NOT_FOUND;
        }
        at++;
    }
    return STR_NOT_FOUND;
}

// --- pieces -------------------------------------------------------------------------------------

// The next `{{`, `{%` or `{#`, or the end.
static size_t next_opening(Str text, size_t at) {
    while (at < text.len) {
        const char *found = memchr(text.ptr + at, '{', text.len - at);
        if (found == NULL) break;
        at = (size_t)(found - text.ptr);
        if (at + 1 < text.len && strchr("{%#", text.ptr[at + 1]) != NULL && text.ptr[at + 1] != 0) {
            return at;
        }
        at++;
    }
    return text.len;
}

// Where a piece is cut that has no proper end.
static void cut(Str text, Piece *piece, char closer) {
    size_t limit = next_opening(text, piece->from);
    for (size_t at = piece->from; at + 1 < limit; at++) {
        if (has_pair(text, at, closer, '}')) {
            bool has_dash = at > piece->from && text.ptr[at - 1] == '-';
            if (piece->fault == FAULT_NONE) piece->fault = FAULT_UNBALANCED;
            piece->trims_right = has_dash;
            piece->to = (uint32_t)(has_dash ? at - 1 : at);
            piece->end = (uint32_t)at + 2;
            return;
        }
    }
    // Of the piece alone: the text may hold many such.
    const Str own = str_slice(text, 0, limit);
    const size_t line = str_find_char(own, '\n', skip_space(own, piece->from));
    if (line < limit) limit = line;
    if (piece->fault == FAULT_NONE) piece->fault = FAULT_UNCLOSED;
    piece->to = piece->end = (uint32_t)limit;
}

static Piece read_code(Str text, size_t start) {
    bool is_print = text.ptr[start + 1] == '{';
    Piece piece = {.kind = is_print ? PIECE_PRINT : PIECE_TAG, .start = (uint32_t)start};
    size_t from = start + 2;
    if (from + 1 < text.len && text.ptr[from] == '-' && is_template_space(text.ptr[from + 1])) {
        piece.trims_left = true;
        from++;
    }
    piece.from = (uint32_t)from;
    char closer = is_print ? '}' : '%';
    bool is_too_deep = false;
    size_t end = code_end(text, from, closer, &is_too_deep);
    if (end == STR_NOT_FOUND) {
        if (is_too_deep) piece.fault = FAULT_DEEP;
        cut(text, &piece, closer);
        return piece;
    }
    piece.to = (uint32_t)end;
    piece.trims_right = text.ptr[end] == '-';
    piece.end = (uint32_t)(end + 2 + piece.trims_right);
    return piece;
}

static Piece read_comment(Str text, size_t start) {
    Piece piece = {.kind = PIECE_COMMENT, .start = (uint32_t)start, .from = (uint32_t)start + 2};
    if (start + 3 < text.len && text.ptr[start + 2] == '-' &&
        is_template_space(text.ptr[start + 3])) {
        piece.trims_left = true;
    }
    size_t end = str_find(text, STR("#}"), start + 2);
    if (end == STR_NOT_FOUND) {
        piece.fault = FAULT_UNCLOSED;
        piece.to = piece.end = (uint32_t)text.len;
        return piece;
    }
    piece.trims_right = end > start + 2 && text.ptr[end - 1] == '-';
    piece.to = (uint32_t)end;
    piece.end = (uint32_t)end + 2;
    return piece;
}

// `{%` dashes WORD dashes `%}` at `at`: offset behind it, or STR_NOT_FOUND. *has_dash tells of the
// dashes in front of the word.
static size_t bare_tag_end(Str text, size_t at, Str word, bool *has_dash) {
    if (!has_pair(text, at, '{', '%')) return STR_NOT_FOUND;
    size_t dash = at + 2;
    for (at += 2; at < text.len && text.ptr[at] == '-';) at++;
    if (has_dash != NULL) *has_dash = at > dash;
    at = skip_space(text, at);
    if (!str_starts_with(str_slice(text, at, text.len), word)) return STR_NOT_FOUND;
    at = skip_space(text, at + word.len);
    while (at < text.len && text.ptr[at] == '-') at++;
    return has_pair(text, at, '%', '}') ? at + 2 : STR_NOT_FOUND;
}

// raw and verbatim: text up to the end tag. False where none begins here.
static bool read_literal(Str text, size_t start, Piece *out) {
    bool is_verbatim = false;
    size_t from = bare_tag_end(text, start, STR("raw"), NULL);
    if (from == STR_NOT_FOUND) {
        from = bare_tag_end(text, start, STR("verbatim"), NULL);
        is_verbatim = true;
    }
    if (from == STR_NOT_FOUND) return false;

    Str word = is_verbatim ? STR("endverbatim") : STR("endraw");
    *out = (Piece){.kind = PIECE_LITERAL, .start = (uint32_t)start, .from = (uint32_t)from};
    for (size_t at = str_find(text, STR("{%"), from); at != STR_NOT_FOUND;
         at = str_find(text, STR("{%"), at + 2)) {
        bool has_dash = false;
        size_t end = bare_tag_end(text, at, word, &has_dash);
        if (end == STR_NOT_FOUND) continue;
        out->to = (uint32_t)at;
        out->end = (uint32_t)end;
        if (!is_verbatim) return true;
        // raw trims nothing; verbatim what stands behind it, as other tags do.
        out->trims_right = text.ptr[end - 3] == '-';
        out->from = (uint32_t)skip_space(str_slice(text, 0, at), from);
        while (has_dash && out->to > out->from && is_template_space(text.ptr[out->to - 1])) {
            out->to--;
        }
        return true;
    }
    out->fault = FAULT_UNCLOSED;
    out->to = out->end = (uint32_t)text.len;
    return true;
}

bool template_next_raw(Str text, size_t from, Str *whole, Str *inside) {
    for (size_t at = str_find(text, STR("{%"), from); at != STR_NOT_FOUND;
         at = str_find(text, STR("{%"), at + 2)) {
        Piece piece;
        if (bare_tag_end(text, at, STR("raw"), NULL) == STR_NOT_FOUND) continue;
        if (!read_literal(text, at, &piece) || piece.fault != FAULT_NONE) return false;
        *whole = str_slice(text, at, piece.end);
        *inside = str_slice(text, piece.from, piece.to);
        return true;
    }
    return false;
}

static void trim(Str text, Pieces *pieces) {
    for (uint32_t i = 0; i < pieces->count; i++) {
        Piece *piece = &pieces->items[i];
        if (piece->kind != PIECE_TEXT) continue;
        if (i + 1 < pieces->count && piece[1].trims_left) {
            while (piece->to > piece->from && is_template_space(text.ptr[piece->to - 1])) {
                piece->to--;
            }
        }
        if (i > 0 && piece[-1].trims_right) {
            while (piece->from < piece->to && is_template_space(text.ptr[piece->from])) {
                piece->from++;
            }
        }
    }
}

void split(Str text, Arena *arena, Pieces *out) {
    size_t at = 0;
    while (at < text.len) {
        size_t start = next_opening(text, at);
        if (start > at) {
            *LIST_ADD(arena, out, Piece) = (Piece){.kind = PIECE_TEXT,
                                                   .start = (uint32_t)at,
                                                   .from = (uint32_t)at,
                                                   .to = (uint32_t)start,
                                                   .end = (uint32_t)start};
        }
        if (start == text.len) break;
        Piece piece;
        if (text.ptr[start + 1] == '#') {
            piece = read_comment(text, start);
        } else if (!read_literal(text, start, &piece)) {
            piece = read_code(text, start);
        }
        *LIST_ADD(arena, out, Piece) = piece;
        at = piece.end;
    }
    trim(text, out);
}
