// meant.c - braces that are missing: where an expression ends, or begins, that text goes on from.
//
// Nothing marks the place, so it is guessed from how people write: operators have blanks on both
// sides or on none, what follows one is a literal, a path or a call, and braces that were taken
// away leave two blanks behind.
#include <string.h>

#include "expr/piece.h"

static bool is_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// Behind the bracket that closes the one at `at`; `at` where there is none.
static size_t bracket_end(Str text, size_t at) {
    uint32_t depth = 0;
    char quote = 0;
    for (size_t i = at; i < text.len; i++) {
        char c = text.ptr[i];
        if (quote != 0) {
            if (c == '\\') {
                i++;
            } else if (c == quote) {
                quote = 0;
            }
        } else if (c == '\'' || c == '"') {
            quote = c;
        } else if (c == '(' || c == '[') {
            depth++;
        } else if ((c == ')' || c == ']') && --depth == 0) {
            return i + 1;
        }
    }
    return at;
}

// Behind a literal, a path, a call, something in brackets; `at` where nothing of that stands there.
static size_t operand_end(Str text, size_t at) {
    size_t start = at;
    if (at < text.len && (text.ptr[at] == '\'' || text.ptr[at] == '"')) {
        size_t end = quoted_end(text, at);
        return end == STR_NOT_FOUND ? at : end;
    }
    for (;;) {
        size_t before = at;
        while (at < text.len && is_name(text.ptr[at])) at++;
        if (at < text.len && (text.ptr[at] == '(' || text.ptr[at] == '[')) {
            at = bracket_end(text, at);
        } else if (at > start && at + 1 < text.len && text.ptr[at] == '.' &&
                   is_name(text.ptr[at + 1])) {
            at++;
        }
        if (at == before) return at;
    }
}

static size_t skip_blanks(Str text, size_t at) {
    while (at < text.len && text.ptr[at] == ' ') at++;
    return at;
}

static bool is_one_of(Str word, const char *const *words, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (str_eq(word, str_from(words[i]))) return true;
    }
    return false;
}

// `{% for NAME in …`, `{% set NAME = …`: a name that the template itself gives.
static bool is_given(Str text, Str name) {
    static const char *const words[] = {"for ", "set ", "macro ", ", "};
    if (text.len > EXPR_NEAR) text = str_slice(text, text.len - EXPR_NEAR, text.len);
    for (size_t at = str_find(text, name, 0); at != STR_NOT_FOUND;
         at = str_find(text, name, at + 1)) {
        Str before = str_slice(text, 0, at);
        for (size_t i = 0; i < COUNT(words); i++) {
            if (str_ends_with(before, str_from(words[i]))) return true;
        }
    }
    return false;
}

// What stands behind an operator, and not a word of the sentence that goes on there.
static bool is_operand(Str text, size_t start, size_t end) {
    Str word = str_slice(text, start, end);
    for (size_t i = 0; i < word.len; i++) {
        if (!is_name(word.ptr[i])) return true;
    }
    if (word.len > 0 && word.ptr[0] >= '0' && word.ptr[0] <= '9') return true;
    return word_is_constant(word) || str_eq_ignore_case(word, STR("null")) ||
           is_given(str_slice(text, 0, start), word);
}

typedef struct Operator {
    const char *sign;
    bool is_word;
} Operator;

// The operator at `at`, behind `blanks` blanks; NULL where none is meant there.
static const Operator *operator_at(Str text, size_t at, size_t blanks, bool has_condition) {
    static const Operator operators[] = {
        {"??",       false},
        {"==",       false},
        {"!=",       false},
        {"<=",       false},
        {">=",       false},
        {"|",        false},
        {"~",        false},
        {"+",        false},
        {"*",        false},
        {"<",        false},
        {">",        false},
        {"and",      true },
        {"or",       true },
        {"is not",   true },
        {"is",       true },
        {"contains", true },
        {"isIn",     true },
        {"not in",   true },
        {"in",       true },
        {"?",        false},
        {":",        false},
    };
    Str rest = str_slice(text, at, text.len);
    for (size_t i = 0; i < COUNT(operators); i++) {
        const Operator *op = &operators[i];
        Str sign = str_from(op->sign);
        if (!str_starts_with(rest, sign)) continue;
        if (sign.ptr[0] == ':' && !has_condition) return NULL;
        const bool has_blank = at + sign.len < text.len && text.ptr[at + sign.len] == ' ';
        if (has_blank != (blanks > 0) || (op->is_word && !has_blank)) return NULL;
        return op;
    }
    return NULL;
}

size_t expression_end(Str text, size_t from) {
    static const char *const tests[] = {"defined", "empty", "even", "iterable",
                                        "json",    "map",   "null", "odd"};
    const Operator *op = NULL;
    bool has_condition = false;
    size_t last = from;
    for (size_t at = skip_blanks(text, from);;) {
        if (str_starts_with(str_slice(text, at, text.len), STR("not "))) at += 4;
        const size_t start = skip_blanks(text, at);
        const size_t end = operand_end(text, start);
        if (end == start) return last;
        if (op != NULL) {
            const char first = op->sign[0];
            const bool is_test = first == 'i' && op->sign[1] == 's' && op->sign[2] != 'I';
            if (is_test && !is_one_of(str_slice(text, start, end), tests, COUNT(tests))) {
                return last;
            }
            if (!is_test && first != '|' && !is_operand(text, start, end)) return last;
        }
        last = end;
        at = skip_blanks(text, end);
        // Two blanks are what is left where braces stood between them.
        if (at > end + 1) return last;
        op = operator_at(text, at, at - end, has_condition);
        if (op == NULL) return last;
        has_condition = has_condition || op->sign[0] == '?';
        at += strlen(op->sign);
    }
}

// Opening braces less closing ones in a piece of text.
static int open_braces(Str text, size_t from, size_t to) {
    int open = 0;
    for (size_t i = from; i < to; i++) {
        if (text.ptr[i] == '{') open++;
        if (text.ptr[i] == '}') open--;
    }
    return open;
}

// `{ … {{ x }`: the one brace may be that of the text around.
static bool belongs_to_text(const Reader *reader, const Piece *piece, size_t at) {
    Str text = reader->text;
    size_t start = piece->start;
    const size_t first = start > EXPR_NEAR ? start - EXPR_NEAR : 0;
    while (start > first && text.ptr[start - 1] != '\n') start--;
    size_t end = at;
    while (end < text.len && end < at + EXPR_NEAR && text.ptr[end] != '\n') end++;
    return open_braces(text, start, piece->start) + open_braces(text, at + 1, end) > 0;
}

void suggest_closing(Reader *reader, Diag *diag, const Piece *piece, const char *closing) {
    Str text = reader->text;
    size_t end = str_find_char(str_slice(text, 0, piece->to), '\n', piece->from);
    if (end == STR_NOT_FOUND) end = piece->to;
    char quote = 0;
    uint32_t depth = 0;
    for (size_t at = piece->from; at < end; at++) {
        char c = text.ptr[at];
        if (quote != 0) {
            if (c == quote) quote = 0;
        } else if (c == '\'' || c == '"') {
            quote = c;
        } else if (c == '{') {
            depth++;
        } else if (c == '}' && depth > 0) {
            depth--;
        } else if (c == '}') {
            const bool is_of_text = belongs_to_text(reader, piece, at);
            DiagSuggestion *fix = diag_suggestion(diag, !is_of_text, "close it with '%s'", closing);
            diag_edit(diag, fix, reader_span(reader, at, is_of_text ? at : at + 1),
                      str_from(closing));
            return;
        }
    }
    size_t last = expression_end(str_slice(text, 0, end), piece->from);
    if (last == piece->from) return;
    bool has_blank = last < end && text.ptr[last] == ' ';
    bool wants_blank = !has_blank && text.ptr[piece->from] == ' ';
    DiagSuggestion *fix = diag_suggestion(diag, false, "close it with '%s'", closing);
    diag_edit(diag, fix, reader_span(reader, last + has_blank, last + has_blank),
              str_printf(reader->arena, "%s%s", wants_blank ? " " : "", closing));
}
