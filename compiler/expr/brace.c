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

// Where a reference begins in [start, end); `end` where there is none.
static size_t find_root(Str text, size_t start, size_t end) {
    for (size_t at = start; at < end; at++) {
        bool is_first = at == 0 || (!is_word(text.ptr[at - 1]) && text.ptr[at - 1] != '.' &&
                                    text.ptr[at - 1] != '-' && text.ptr[at - 1] != '/');
        Str rest = str_slice(text, at, end);
        if (is_first && (begins_with_root(rest) || is_folder(str_trim(rest)))) return at;
    }
    return end;
}

// `inputs.x }}`: the braces at its start are missing.
static void check_end(const Node *scalar, size_t from, size_t end, Diags *diags) {
    Str text = scalar->text;
    size_t start = find_root(text, from, end);
    if (start == end) return;
    // Between quotes of JSON text the braces belong to the JSON.
    if (from > 0 && text.ptr[from - 1] == '{') {
        size_t quote = str_find_char(str_slice(text, 0, end), '"', start);
        bool is_quoted = start > 0 && (text.ptr[start - 1] == '"' || text.ptr[start - 1] == ' ');
        if (quote != STR_NOT_FOUND || !is_quoted || end + 2 >= text.len) return;
    }
    while (start > from &&
           (text.ptr[start - 1] == '(' ||
            (text.ptr[start - 1] == ' ' && start - 1 > from && text.ptr[start - 2] == '('))) {
        start--;
    }
    Span span = scalar_span(scalar, (uint32_t)start, (uint32_t)(end + 2 - start));
    Diag *diag = diag_add(diags, "W0314", DIAG_WARNING, span,
                          "'… }}' is printed as text; an expression begins with '{{'");
    DiagSuggestion *fix = diag_suggestion(diag, false, "write '{{' before it");
    // `at  flow.id }}`: the blank inside of the braces is there still.
    bool has_blank = start > from && text.ptr[start - 1] == ' ' &&
                     (start < from + 2 || !is_word(text.ptr[start - 2]));
    diag_edit(diag, fix, scalar_span(scalar, (uint32_t)(start - has_blank), 0),
              has_blank ? STR("{{") : STR("{{ "));
}

void template_check_text(const Node *scalar, Diags *diags) {
    Str text = scalar->text;
    for (size_t end = str_find(text, STR("}}"), 0); end != STR_NOT_FOUND;
         end = str_find(text, STR("}}"), end + 2)) {
        size_t start = end;
        while (start > 0 && text.ptr[start - 1] != '{' && text.ptr[start - 1] != '}' &&
               text.ptr[start - 1] != '\n') {
            start--;
        }
        if (start == 0 || text.ptr[start - 1] != '{') {
            check_end(scalar, start, end, diags);
            continue;
        }
        start--;
        char before = start > 0 ? text.ptr[start - 1] : ' ';
        if (before == '{' || before == '$' || before == '#' || before == '%') continue;
        Str inside = str_trim(str_slice(text, start + 1, end));
        Str first = inside;
        while (first.len > 0 && (first.ptr[0] == '(' || first.ptr[0] == ' ')) {
            first = str_slice(first, 1, first.len);
        }
        if (!begins_with_root(first) && !is_path(inside) && !is_folder(inside)) {
            // `{"a": " inputs.x }}"`: the brace is that of the text around.
            check_end(scalar, start + 1, end, diags);
            continue;
        }

        Span span = scalar_span(scalar, (uint32_t)start, (uint32_t)(end + 2 - start));
        Diag *diag = diag_add(diags, "W0314", DIAG_WARNING, span,
                              "'{ … }}' is printed as text; an expression begins with '{{'");
        DiagSuggestion *fix = diag_suggestion(diag, false, "write '{{'");
        diag_edit(diag, fix, scalar_span(scalar, (uint32_t)start, 1), STR("{{"));
    }
}
