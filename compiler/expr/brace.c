// brace.c - `{ inputs.x }}`: what was meant as an expression and is printed as text.
#include <string.h>

#include "expr/piece.h"

// Roots of references and functions that flows use most; anything else may be text that happens to
// stand in braces, such as shell or JSON.
static const char *const roots[] = {"inputs", "outputs", "vars",   "trigger", "execution",
                                    "flow",   "taskrun", "labels", "secret",  "kv",
                                    "envs",   "parent",  "item",   "render",  "now"};

static bool begins_with_root(Str text) {
    for (size_t i = 0; i < COUNT(roots); i++) {
        Str root = str_from(roots[i]);
        if (!str_starts_with(text, root) || text.len == root.len) continue;
        char next = text.ptr[root.len];
        if (next == '.' || next == '[' || next == '(') return true;
    }
    return false;
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
        if (start == 0 || text.ptr[start - 1] != '{') continue;
        start--;
        char before = start > 0 ? text.ptr[start - 1] : ' ';
        if (before == '{' || before == '$' || before == '#' || before == '%') continue;
        if (!begins_with_root(str_trim(str_slice(text, start + 1, end)))) continue;

        Span span = scalar_span(scalar, (uint32_t)start, (uint32_t)(end + 2 - start));
        Diag *diag = diag_add(diags, "W0314", DIAG_WARNING, span,
                              "'{ … }}' is printed as text; an expression begins with '{{'");
        DiagSuggestion *fix = diag_suggestion(diag, false, "write '{{'");
        diag_edit(diag, fix, scalar_span(scalar, (uint32_t)start, 1), STR("{{"));
    }
}
