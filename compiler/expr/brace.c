// brace.c - `{ inputs.x }}`: what was meant as an expression and is printed as text.
#include <string.h>

#include "expr/piece.h"

// Roots of references and functions that flows use most; anything else may be text that happens to
// stand in braces, such as shell or JSON.
static const char *const roots[] = {"inputs", "outputs", "vars",   "trigger",  "execution",
                                    "flow",   "taskrun", "labels", "secret",   "kv",
                                    "envs",   "parent",  "item",   "render",   "now",
                                    "task",   "parents", "read",   "fromJson", "json"};

static bool begins_with_root(Str text) {
    for (size_t i = 0; i < COUNT(roots); i++) {
        Str root = str_from(roots[i]);
        if (!str_starts_with(text, root) || text.len == root.len) continue;
        char next = text.ptr[root.len];
        if (next == '.' || next == '[' || next == '(') return true;
    }
    return false;
}

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// `row.text`: a path and nothing else, whatever its root may be.
static bool is_path(Str text) {
    size_t dots = 0;
    for (size_t i = 0; i < text.len; i++) {
        bool is_dot = text.ptr[i] == '.' && i > 0 && i + 1 < text.len && is_word(text.ptr[i - 1]);
        if (!is_dot && !is_word(text.ptr[i])) return false;
        dots += is_dot;
    }
    return dots > 0 && text.ptr[0] > '9';
}

static bool is_folder(Str text) {
    return str_eq(text, STR("workingDir")) || str_eq(text, STR("outputDir")) ||
           str_eq(text, STR("outputFiles"));
}

// `(not inputs.x …`: something that begins with a reference.
static bool begins_expression(Str text) {
    while (text.len > 0 && (text.ptr[0] == '(' || text.ptr[0] == ' ')) {
        text = str_slice(text, 1, text.len);
    }
    if (str_starts_with(text, STR("not "))) text = str_slice(text, 4, text.len);
    return begins_with_root(text);
}

// A name alone of what holds others: `{ inputs }}`.
static bool is_whole(Str text) {
    static const char *const names[] = {"inputs", "outputs", "vars", "trigger", "labels"};
    for (size_t i = 0; i < COUNT(names); i++) {
        if (str_eq(text, str_from(names[i]))) return true;
    }
    return false;
}

static size_t skip_back(Str text, size_t from, size_t end) {
    while (end > from && text.ptr[end - 1] == ' ') end--;
    return end;
}

// Where the expression begins that reaches up to `end`, `end` where there is none: with a root that
// is known, or whatever reads like one.
static size_t find_start(Str text, size_t from, size_t end, bool is_any) {
    const size_t last = skip_back(text, from, end);
    const Str before = str_slice(text, 0, last);
    for (size_t at = from; at < last; at++) {
        const char c = text.ptr[at];
        if (at > 0 && (is_word(text.ptr[at - 1]) || text.ptr[at - 1] == '.')) continue;
        if (c == '(' ? at > 0 && is_word(text.ptr[at - 1]) : !is_word(c) || c <= '9') continue;
        const Str rest = str_slice(text, at, last);
        if (is_folder(rest)) return at;
        if (!is_any && !begins_expression(rest)) continue;
        if (expression_end(before, at) == last) return at;
    }
    return end;
}

// Closing braces in the text around the code less opening ones.
static int surplus_of(Str text, const Pieces *pieces) {
    int surplus = 0;
    for (uint32_t i = 0; i < pieces->count; i++) {
        const Piece *piece = &pieces->items[i];
        for (size_t at = piece->start; piece->kind == PIECE_TEXT && at < piece->end; at++) {
            if (text.ptr[at] == '}') surplus++;
            if (text.ptr[at] == '{') surplus--;
        }
    }
    return surplus;
}

// `inputs.x }}`: the braces at its start are missing. False where these braces close something
// else.
static bool check_end(const Node *scalar, size_t from, size_t end, Diags *diags) {
    Str text = scalar->text;
    size_t start = find_start(text, from, end, false);
    if (start == end) start = find_start(text, from, end, true);
    if (start == end) return false;
    Span span = scalar_span(scalar, (uint32_t)start, (uint32_t)(end + 2 - start));
    Diag *diag = diag_add(diags, "W0314", DIAG_WARNING, span,
                          "'… }}' is printed as text; an expression begins with '{{'");
    DiagSuggestion *fix = diag_suggestion(diag, false, "write '{{' before it");
    // `_ flow.id }}`: the blank inside of the braces is there still; `of flow.id }}`: it parts
    // words.
    const bool has_blank = start > from && text.ptr[start - 1] == ' ';
    // Of `\n flow.id }}` in JSON the letter is none.
    const bool is_escape = start > from + 2 && text.ptr[start - 3] == '\\';
    const bool parts_words = has_blank && start > from + 1 && is_word(text.ptr[start - 2]) &&
                             text.ptr[start - 2] != '_' && !is_escape;
    // What a block scalar begins with is its indentation.
    const bool is_indented = start == 0 && scalar->style >= SCALAR_LITERAL;
    const bool wants_blank = (parts_words || is_indented) && text.ptr[end - 1] == ' ';
    const size_t at = has_blank && !parts_words ? start - 1 : start;
    diag_edit(diag, fix, scalar_span(scalar, (uint32_t)at, 0),
              wants_blank ? STR("{{ ") : STR("{{"));
    return true;
}

// `{ inputs.x }}`: one brace is missing. False where that is not what stands in any braces before
// `end`; `is_odd`: more braces are closed than opened.
static bool check_single(const Node *scalar, size_t from, size_t end, bool is_odd, Diags *diags) {
    Str text = scalar->text;
    const size_t last = skip_back(text, from, end);
    for (size_t start = from; start < last; start++) {
        if (text.ptr[start] != '{') continue;
        const char before = start > from ? text.ptr[start - 1] : ' ';
        const Str inside = str_trim(str_slice(text, start + 1, last));
        // `${x}` of a shell, `#{x}` of others.
        const bool is_foreign = before == '$' || before == '#' || before == '%';
        if (is_foreign && (!is_odd || !begins_expression(inside))) continue;
        const bool is_known = is_path(inside) || is_folder(inside) || is_whole(inside);
        const bool is_meant = is_odd || begins_expression(inside);
        const bool is_name = inside.len > 0 && is_word(inside.ptr[0]) && inside.ptr[0] > '9';
        const bool reads = expression_end(str_slice(text, 0, last), start + 1) == last;
        if (!is_known && !(reads && is_meant && (is_name || begins_expression(inside)))) continue;
        Span span = scalar_span(scalar, (uint32_t)start, (uint32_t)(end + 2 - start));
        Diag *diag = diag_add(diags, "W0314", DIAG_WARNING, span,
                              "'{ … }}' is printed as text; an expression begins with '{{'");
        DiagSuggestion *fix = diag_suggestion(diag, false, "write '{{'");
        diag_edit(diag, fix, scalar_span(scalar, (uint32_t)start, 1), STR("{{"));
        return true;
    }
    return false;
}

static void check_piece(const Node *scalar, const Piece *piece, int *surplus, Diags *diags) {
    Str text = str_slice(scalar->text, 0, piece->end);
    size_t from = piece->start;
    for (size_t end = str_find(text, STR("}}"), from); end != STR_NOT_FOUND;
         end = str_find(text, STR("}}"), from)) {
        size_t line = end;
        if (end > from + EXPR_NEAR) from = end - EXPR_NEAR;
        while (line > from && text.ptr[line - 1] != '\n') line--;
        if (check_single(scalar, line, end, *surplus >= 1, diags)) {
            *surplus -= 1;
        } else if (*surplus >= 2 && check_end(scalar, line, end, diags)) {
            // Where as many braces open as close, they are those of JSON, of a program.
            *surplus -= 2;
        }
        from = end + 2;
    }
}

void check_braces(const Node *scalar, const Pieces *pieces, Diags *diags) {
    if (str_find(scalar->text, STR("}}"), 0) == STR_NOT_FOUND) return;
    for (uint32_t i = 0; i < pieces->count; i++) {
        if (pieces->items[i].fault != FAULT_NONE) return;  // which tells of these braces
    }
    int surplus = surplus_of(scalar->text, pieces);
    for (uint32_t i = 0; i < pieces->count; i++) {
        const Piece *piece = &pieces->items[i];
        if (piece->kind == PIECE_TEXT) check_piece(scalar, piece, &surplus, diags);
    }
}

void template_check_text(const Node *scalar, Diags *diags) {
    Piece whole = {.kind = PIECE_TEXT, .end = (uint32_t)scalar->text.len};
    check_braces(scalar, &(Pieces){.items = &whole, .count = 1}, diags);
}
