// to_env.c - the repair of rules about scripts: an expression moves from the text of a command into
// `env` of the task, and the command reads the variable.
//
// What the shell makes of the place decides how the variable is written there: quoted where the
// expression was bare. Nothing is offered where the place is not understood (here-documents,
// command substitution in backticks), or where the expression rests on names of its template.
#include <string.h>

#include "rules/rule.h"

enum { SHELL_DEPTH_MAX = 16 };

typedef enum Quote { QUOTE_NONE, QUOTE_DOUBLE, QUOTE_SINGLE, QUOTE_UNKNOWN } Quote;

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// --- the place in the script --------------------------------------------------------------------

// Behind single quotes that open at `at`.
static size_t single_end(Str text, size_t at) {
    const size_t end = str_find_char(text, '\'', at + 1);
    return end == STR_NOT_FOUND ? text.len : end;
}

// How the shell reads what stands at `to`.
static Quote quote_at(Str text, size_t to) {
    bool is_double[SHELL_DEPTH_MAX] = {false};
    uint32_t depth = 0;  // of `$( )`
    for (size_t at = 0; at < to; at++) {
        const char c = text.ptr[at];
        const char next = at + 1 < text.len ? text.ptr[at + 1] : '\0';
        const bool is_start = at == 0 || strchr(" \t\n;", text.ptr[at - 1]) != NULL;
        if (c == '`' || (c == '<' && next == '<')) return QUOTE_UNKNOWN;
        if (c == '\\') {
            at++;
        } else if (c == '"') {
            is_double[depth] = !is_double[depth];
        } else if (c == '\'' && !is_double[depth]) {
            const size_t end = single_end(text, at);
            if (end >= to) return QUOTE_SINGLE;
            at = end;
        } else if (c == '#' && is_start && !is_double[depth]) {
            const size_t end = str_find_char(text, '\n', at);
            if (end >= to) return QUOTE_UNKNOWN;  // in a comment
            at = end;
        } else if (c == '$' && next == '(') {
            if (depth + 1 == SHELL_DEPTH_MAX) return QUOTE_UNKNOWN;
            is_double[++depth] = false;
            at++;
        } else if (c == ')' && depth > 0 && !is_double[depth]) {
            depth--;
        }
    }
    return is_double[depth] ? QUOTE_DOUBLE : QUOTE_NONE;
}

// The offset in the decoded text that stands at a byte of the file; false where none does.
static bool decoded_at(const Node *node, uint32_t raw, size_t *out) {
    for (uint32_t i = 0; i < node->runs.count; i++) {
        const ScalarRun *run = &node->runs.items[i];
        if (raw < run->raw || raw >= run->raw + run->raw_len) continue;
        *out = run->at + (run->is_exact ? raw - run->raw : 0);
        return true;
    }
    return false;
}

// Commands of a shell: not the program of another language, not a shell with other rules.
static bool is_shell(const Site *site) {
    const Task *task = site->task;
    if (task->type == NULL || type_prop(task->type, STR("env")) == NULL) return false;
    if (task_property(task, STR("interpreter")) != NULL) return false;
    if (str_find(task->type->name, STR(".powershell."), 0) != STR_NOT_FOUND) return false;
    if (!str_eq(site_property(site), STR("script"))) return site->property != NULL;
    return str_ends_with(task->type->name, STR(".shell.Script"));
}

// --- the variable -------------------------------------------------------------------------------

// secret('CF_TOKEN') -> CF_TOKEN, inputs.token -> TOKEN.
Str rule_env_name(Arena *arena, Str source) {
    const size_t quote = str_find_char(source, '\'', 0);
    const size_t dot = str_find_last_char(source, '.');
    if (quote != STR_NOT_FOUND) {
        source = str_slice(source, quote + 1, str_find_last_char(source, '\''));
    } else if (dot != STR_NOT_FOUND) {
        source = str_slice(source, dot + 1, source.len);
    }
    char *name = arena_array(arena, char, source.len + 1);
    for (size_t i = 0; i < source.len; i++) {
        const char c = source.ptr[i];
        name[i] = is_word(c) ? c : '_';
        if (c >= 'a' && c <= 'z') name[i] = (char)(c - 'a' + 'A');
    }
    const Str out = {name, source.len};
    static const char *const taken[] = {"PATH", "HOME", "USER", "SHELL", "PWD",  "IFS",
                                        "LANG", "TERM", "ENV",  "PS1",   "SHLVL"};
    bool is_taken = out.len == 0 || (out.ptr[0] >= '0' && out.ptr[0] <= '9');
    for (size_t i = 0; i < COUNT(taken); i++) is_taken |= str_eq(out, str_from(taken[i]));
    return is_taken ? str_printf(arena, "VALUE_" STR_FMT, STR_ARG(out)) : out;
}

// A name under which `env` has this value, or nothing: NAME, NAME_2 …
static Str free_name(Arena *arena, const Node *env, Str name, Str value, bool *is_there) {
    Str tried = name;
    for (int i = 2; i < 100; i++) {
        const Node *taken = node_get(env, tried);
        *is_there = taken != NULL && taken->type == YAML_SCALAR && str_eq(taken->text, value);
        if (taken == NULL || *is_there) return tried;
        tried = str_printf(arena, STR_FMT "_%d", STR_ARG(name), i);
    }
    return (Str){0};
}

// The bytes of a line in front of a place: white space, or nothing is known of the layout.
static bool indent_of(Str bytes, uint32_t at, Str *out) {
    size_t start = at;
    while (start > 0 && bytes.ptr[start - 1] != '\n') start--;
    *out = str_slice(bytes, start, at);
    // `- id: x`: the dash counts as a blank.
    for (size_t i = 0; i < out->len; i++) {
        if (out->ptr[i] != ' ' && out->ptr[i] != '-') return false;
    }
    return true;
}

static Str blanks(Arena *arena, size_t count) {
    return str_printf(arena, "%*s", (int)count, "");
}

// In double quotes, whatever they stood in.
static Str quoted(Arena *arena, Str text) {
    Buffer out = {0};
    buffer_add_char(&out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"' || text.ptr[i] == '\\') buffer_add_char(&out, '\\');
        buffer_add_char(&out, text.ptr[i]);
    }
    buffer_add_char(&out, '"');
    const Str quoted_text = buffer_to_str(&out, arena);
    buffer_release(&out);
    return quoted_text;
}

static bool add_variable(const Flow *flow, const Site *site, Str name, Str value, Diag *diag,
                         DiagSuggestion *fix) {
    Arena *arena = diag->owner->arena;
    const Str bytes = flow->tree->bytes;
    const Property *env = task_property(site->task, STR("env"));
    Str indent = {0};
    if (env == NULL) {
        const Span key = site->property->name_span;
        if (!indent_of(bytes, key.start, &indent)) return false;
        const Str pad = blanks(arena, indent.len);
        diag_edit(diag, fix, (Span){key.file, key.start, 0},
                  str_printf(arena, "env:\n" STR_FMT "  " STR_FMT ": " STR_FMT "\n" STR_FMT,
                             STR_ARG(pad), STR_ARG(name), STR_ARG(quoted(arena, value)),
                             STR_ARG(pad)));
        return true;
    }
    const Node *map = env->node;
    if (env->is_default || map->type != YAML_MAP) return false;
    if (map->is_flow) {
        diag_edit(diag, fix, (Span){map->span.file, map->span.start + 1, 0},
                  str_printf(arena, STR_FMT ": " STR_FMT "%s", STR_ARG(name),
                             STR_ARG(quoted(arena, value)), map->entries.count > 0 ? ", " : ""));
        return true;
    }
    if (map->entries.count == 0) return false;
    const Span first = map->entries.items[0].key->span;
    if (!indent_of(bytes, first.start, &indent)) return false;
    diag_edit(diag, fix, (Span){first.file, first.start, 0},
              str_printf(arena, STR_FMT ": " STR_FMT "\n" STR_FMT, STR_ARG(name),
                         STR_ARG(quoted(arena, value)), STR_ARG(blanks(arena, indent.len))));
    return true;
}

// --- the repair ---------------------------------------------------------------------------------

static const Part *part_of(const Print *print) {
    const Parts *parts = &print->site->tpl->parts;
    const Part *found = NULL;
    for (uint32_t i = 0; i < parts->count; i++) {
        const Part *part = parts->items[i];
        if (part->kind == PART_SET || part->kind == PART_MACRO) return NULL;
        if (part->kind == PART_PRINT && part->expr == print->expr) found = part;
    }
    return found;
}

// As the shell reads it at that place, as YAML writes it in that scalar.
static Str variable(Arena *arena, const Node *node, Quote quote, Str name, char next) {
    const bool is_single = node->style == SCALAR_SINGLE;
    const char *mark = node->style == SCALAR_DOUBLE ? "\\\"" : "\"";
    const char *open = quote != QUOTE_SINGLE ? "" : is_single ? "''" : "'";
    if (quote != QUOTE_DOUBLE) {
        return str_printf(arena, "%s%s$" STR_FMT "%s%s", open, mark, STR_ARG(name), mark, open);
    }
    const bool is_braced = is_word(next);
    return str_printf(arena, "$%s" STR_FMT "%s", is_braced ? "{" : "", STR_ARG(name),
                      is_braced ? "}" : "");
}

bool rule_move_to_env(const Flow *flow, const Print *print, Str name, bool is_short, Diag *diag) {
    const Site *site = print->site;
    const Node *node = site->node;
    const Part *part = part_of(print);
    size_t start = 0;
    if (part == NULL || site->property == NULL || site->property->is_default || !is_shell(site) ||
        !decoded_at(node, part->span.start, &start)) {
        return false;
    }
    size_t end = 0;
    const uint32_t behind = part->span.start + part->span.len;
    if (!decoded_at(node, behind - 1, &end)) return false;
    end++;
    const Str value = str_slice(node->text, start, end);
    const Quote quote = quote_at(node->text, start);
    if (quote == QUOTE_UNKNOWN || str_find_char(value, '\n', 0) != STR_NOT_FOUND) return false;
    Arena *arena = diag->owner->arena;
    const Property *env = task_property(site->task, STR("env"));
    bool is_there = false;
    name = free_name(arena, env == NULL ? NULL : env->node, name, value, &is_there);
    if (name.len == 0) return false;
    // Bare, a value may be several words; a long one may be more than an environment holds.
    DiagSuggestion *fix =
        diag_suggestion(diag, is_short && quote == QUOTE_DOUBLE,
                        "move it into 'env' and read '$" STR_FMT "'", STR_ARG(name));
    if (!is_there && !add_variable(flow, site, name, value, diag, fix)) {
        diag->suggestions.count--;
        return false;
    }
    const char next = end < node->text.len ? node->text.ptr[end] : '\0';
    diag_edit(diag, fix, part->span, variable(arena, node, quote, name, next));
    return true;
}
