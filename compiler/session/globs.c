// globs.c - patterns over paths, and the rules of .gitignore files.
//
// Matching is linear in practice: a star goes back to the last star only. `**` crosses folders.
#include "session/session.h"

static bool class_matches(Str pattern, size_t *at, char c) {
    size_t i = *at + 1;
    const bool is_negated = i < pattern.len && (pattern.ptr[i] == '!' || pattern.ptr[i] == '^');
    if (is_negated) i++;
    bool is_in = false;
    for (bool is_first = true; i < pattern.len && (is_first || pattern.ptr[i] != ']');
         is_first = false) {
        char low = pattern.ptr[i++];
        char high = low;
        if (i + 1 < pattern.len && pattern.ptr[i] == '-' && pattern.ptr[i + 1] != ']') {
            high = pattern.ptr[i + 1];
            i += 2;
        }
        if (c >= low && c <= high) is_in = true;
    }
    *at = i < pattern.len ? i + 1 : pattern.len;
    return is_in != is_negated;
}

// One step of a pattern without stars; false where it does not match `c`.
static bool step(Str pattern, size_t *at, char c) {
    const char p = pattern.ptr[*at];
    if (p == '?' && c != '/') {
        (*at)++;
        return true;
    }
    if (p == '[' && c != '/') return class_matches(pattern, at, c);
    if (p == '\\' && *at + 1 < pattern.len) (*at)++;
    if (pattern.ptr[*at] != c) return false;
    (*at)++;
    return true;
}

static bool is_double_star(Str pattern, size_t at) {
    return at + 1 < pattern.len && pattern.ptr[at] == '*' && pattern.ptr[at + 1] == '*';
}

// Where to go on when what follows a star does not match.
typedef struct Retreat {
    size_t pattern, path;
    bool is_set;
} Retreat;

static bool match(Str pattern, Str path) {
    size_t at = 0;
    size_t in = 0;
    Retreat star = {0};
    Retreat stars = {0};
    for (;;) {
        if (at < pattern.len && is_double_star(pattern, at)) {
            at += 2;
            // `**/` also stands for no folder at all.
            if (at < pattern.len && pattern.ptr[at] == '/') at++;
            stars = (Retreat){at, in, true};
            star.is_set = false;
            continue;
        }
        if (at < pattern.len && pattern.ptr[at] == '*') {
            star = (Retreat){++at, in, true};
            continue;
        }
        if (at == pattern.len && in == path.len) return true;
        size_t next = at;
        if (at < pattern.len && in < path.len && step(pattern, &next, path.ptr[in])) {
            at = next;
            in++;
            continue;
        }
        if (star.is_set && star.path < path.len && path.ptr[star.path] != '/') {
            at = star.pattern;
            in = ++star.path;
            continue;
        }
        if (!stars.is_set || stars.path >= path.len) return false;
        // To behind the next character; folders are crossed whole where the pattern says `**/`.
        star.is_set = false;
        at = stars.pattern;
        in = ++stars.path;
        if (at > 0 && pattern.ptr[at - 1] == '/') {
            while (in < path.len && path.ptr[in - 1] != '/') in++;
            stars.path = in;
            if (in == path.len) return false;
        }
    }
}

bool glob_matches(Str pattern, Str path) {
    const size_t open = str_find_char(pattern, '{', 0);
    const size_t close = open == STR_NOT_FOUND ? open : str_find_char(pattern, '}', open);
    if (close == STR_NOT_FOUND) return match(pattern, path);
    // Alternatives are tried one by one: patterns are short.
    Str choices = str_slice(pattern, open + 1, close);
    Str choice = {0};
    bool is_match = false;
    Buffer text = {0};
    while (!is_match && str_split(&choices, ',', &choice)) {
        buffer_clear(&text);
        buffer_add(&text, str_slice(pattern, 0, open));
        buffer_add(&text, choice);
        buffer_add(&text, str_slice(pattern, close + 1, pattern.len));
        is_match = glob_matches(buffer_str(&text), path);
    }
    buffer_release(&text);
    return is_match;
}

void ignore_add(Arena *arena, IgnoreRules *rules, Str folder, Str text) {
    Str line = {0};
    while (str_split(&text, '\n', &line)) {
        line = str_trim(line);
        if (line.len == 0 || line.ptr[0] == '#') continue;
        IgnoreRule rule = {.folder = folder};
        if (line.ptr[0] == '!') {
            rule.is_negated = true;
            line = str_slice(line, 1, line.len);
        }
        if (line.len > 0 && line.ptr[line.len - 1] == '/') {
            rule.is_folder = true;
            line = str_slice(line, 0, line.len - 1);
        }
        rule.is_anchored = str_find_char(line, '/', 0) != STR_NOT_FOUND;
        if (line.len > 0 && line.ptr[0] == '/') line = str_slice(line, 1, line.len);
        rule.pattern = line;
        if (line.len > 0) *LIST_ADD(arena, &rules->list, IgnoreRule) = rule;
    }
}

bool ignore_matches(const IgnoreRules *rules, Str path, bool is_folder) {
    // The last rule that matches decides.
    for (uint32_t i = rules->list.count; i-- > 0;) {
        const IgnoreRule *rule = &rules->list.items[i];
        if (rule->is_folder && !is_folder) continue;
        Str rest = path;
        if (rule->folder.len > 0) {
            if (!str_starts_with(path, rule->folder) || path.len <= rule->folder.len + 1) continue;
            rest = str_slice(path, rule->folder.len + 1, path.len);
        }
        const size_t slash = str_find_last_char(rest, '/');
        const Str name = slash == STR_NOT_FOUND ? rest : str_slice(rest, slash + 1, rest.len);
        if (glob_matches(rule->pattern, rule->is_anchored ? rest : name)) return !rule->is_negated;
    }
    return false;
}
