// glob.c - Java's globs as regular expressions: `*` stays in a folder, `**` does not, `?`, `[a-c]`,
// `{a,b}`, `\`.
#include "host/internal.h"

#include <string.h>

#include "value/regex.h"

enum { PATTERN_MAX = 4096 };

static void add_quoted(Buffer *out, char c) {
    if (strchr("\\^$.|?*+()[]{}", c) != NULL) buffer_add_char(out, '\\');
    buffer_add_char(out, c);
}

// A bracket expression; gives the offset behind it, or 0 where it is not closed.
static size_t add_class(Buffer *out, Str glob, size_t at) {
    size_t end = str_find_char(glob, ']', at + 2);
    if (end == STR_NOT_FOUND) return 0;
    at++;
    buffer_add(out, STR("(?!/)["));
    if (glob.ptr[at] == '!' || glob.ptr[at] == '^') {
        buffer_add_char(out, '^');
        at++;
    }
    for (; at < end; at++) {
        if (strchr("\\[]&^", glob.ptr[at]) != NULL) buffer_add_char(out, '\\');
        buffer_add_char(out, glob.ptr[at]);
    }
    buffer_add_char(out, ']');
    return end + 1;
}

static Err to_regex(Str glob, Buffer *out) {
    bool in_group = false;
    for (size_t at = 0; at < glob.len;) {
        char c = glob.ptr[at];
        if (c == '\\' && at + 1 < glob.len) {
            add_quoted(out, glob.ptr[at + 1]);
            at += 2;
            continue;
        }
        if (c == '[') {
            size_t next = add_class(out, glob, at);
            if (next == 0) {
                return err_make(ERR_INPUT, "the pattern '" STR_FMT "' lacks a ']'", STR_ARG(glob));
            }
            at = next;
            continue;
        }
        at++;
        if (c == '*' && at < glob.len && glob.ptr[at] == '*') {
            buffer_add(out, STR(".*"));
            at++;
        } else if (c == '*') {
            buffer_add(out, STR("[^/]*"));
        } else if (c == '?') {
            buffer_add(out, STR("[^/]"));
        } else if (c == '{' && !in_group) {
            buffer_add(out, STR("(?:(?:"));
            in_group = true;
        } else if (c == '}' && in_group) {
            buffer_add(out, STR("))"));
            in_group = false;
        } else if (c == ',' && in_group) {
            buffer_add(out, STR(")|(?:"));
        } else {
            add_quoted(out, c);
        }
    }
    if (!in_group) return err_none();
    return err_make(ERR_INPUT, "the pattern '" STR_FMT "' lacks a '}'", STR_ARG(glob));
}

static Err match(Str expression, Str text, bool *out) {
    Regex *regex = NULL;
    Err err = regex_compile(expression, &regex);
    if (err.code == ERR_NONE) err = regex_matches(regex, text, out);
    regex_free(regex);
    return err;
}

Err file_glob_matches(Str pattern, Str relative, Str absolute, bool *out) {
    *out = false;
    if (pattern.len > PATTERN_MAX) return err_make(ERR_LIMIT, "a pattern is too long");
    if (str_starts_with(pattern, STR("regex:"))) {
        return match(str_slice(pattern, 6, pattern.len), absolute, out);
    }
    Str text = relative;
    if (str_starts_with(pattern, STR("glob:"))) {
        pattern = str_slice(pattern, 5, pattern.len);
        text = absolute;
    }
    Buffer expression = {0};
    buffer_add(&expression, STR("(?s)"));
    Err err = to_regex(pattern, &expression);
    if (err.code == ERR_NONE) err = match(buffer_str(&expression), text, out);
    buffer_release(&expression);
    return err;
}
