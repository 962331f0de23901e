// ignores.c - which findings count, and how much: comments in the file, levels of the project.
//
//   # flowc: ignore[unused-input] reason        on the line, or alone on the line above
//   # flowc: ignore-file[W0212, E0301] reason   anywhere
// A syntax error cannot be ignored: nobody knows what stands there.
#include <string.h>

#include "session/session.h"

typedef struct Ignore {
    const Comment *comment;
    const DiagCode *code;
    Span name;
    uint32_t line;  // 0: the whole file
    bool is_used;
} Ignore;

typedef struct Ignores {
    LIST_OF(Ignore) list;
} Ignores;

// Found when all files were read, by tools that may not be there.
static bool is_late(const DiagCode *code) {
    static const char *const codes[] = {"E0610", "E0611", "W0612"};
    for (size_t i = 0; i < COUNT(codes); i++) {
        if (strcmp(code->code, codes[i]) == 0) return true;
    }
    return false;
}

static void read_names(Session *session, const Source *source, const Comment *comment,
                       uint32_t line, Span inside, Ignores *ignores) {
    Str rest = source_text(&session->sources, inside);
    uint32_t at = inside.start;
    Str one = {0};
    while (str_split(&rest, ',', &one)) {
        const Str name = str_trim(one);
        const uint32_t start = at + (uint32_t)(name.ptr - one.ptr);
        at += (uint32_t)one.len + 1;
        const Span span = {inside.file, start, (uint32_t)name.len};
        const DiagCode *code = diag_code_find(name);
        if (code == NULL) {
            diag_add(&session->diags, "W0090", DIAG_WARNING, span, "unknown rule '" STR_FMT "'",
                     STR_ARG(name));
            continue;
        }
        if (is_late(code)) {
            *LIST_ADD(&session->arena, &session->late.ignores, LateIgnore) =
                (LateIgnore){.code = code, .name = span, .line = line};
            continue;
        }
        *LIST_ADD(&session->arena, &ignores->list, Ignore) =
            (Ignore){.comment = comment, .code = code, .name = span, .line = line};
    }
    (void)source;
}

static void read_comment(Session *session, const Comment *comment, Ignores *ignores) {
    const Source *source = sources_get(&session->sources, comment->span.file);
    const Str text = source_text(&session->sources, comment->span);
    size_t at = str_find(text, STR("flowc:"), 0);
    if (at == STR_NOT_FOUND || str_trim(str_slice(text, 1, at)).len > 0) return;
    const Str rest = str_slice(text, at + 6, text.len);
    const Str word = str_trim(rest);
    const bool is_file = str_starts_with(word, STR("ignore-file["));
    if (!is_file && !str_starts_with(word, STR("ignore["))) return;
    const size_t open = str_find_char(text, '[', at);
    const size_t close = str_find_char(text, ']', open);
    if (close == STR_NOT_FOUND) return;
    uint32_t line = source_position(source, comment->span.start, POSITION_BYTES).line;
    if (comment->is_own_line) line++;
    const Span inside = {comment->span.file, comment->span.start + (uint32_t)open + 1,
                         (uint32_t)(close - open - 1)};
    read_names(session, source, comment, is_file ? 0 : line, inside, ignores);
}

static bool is_syntax(const Diag *diag) {
    return strncmp(diag->code, "E00", 3) == 0;
}

static bool is_ignored(Session *session, const Diag *diag, Ignores *ignores) {
    if (is_syntax(diag)) return false;
    const Source *source = sources_get(&session->sources, diag->span.file);
    const uint32_t line = source_position(source, diag->span.start, POSITION_BYTES).line;
    for (uint32_t i = 0; i < ignores->list.count; i++) {
        Ignore *ignore = &ignores->list.items[i];
        if (strcmp(ignore->code->code, diag->code) != 0) continue;
        if (ignore->line != 0 && ignore->line != line) continue;
        ignore->is_used = true;
        return true;
    }
    return false;
}

void ignores_apply(Session *session, const Tree *tree, uint32_t first) {
    Ignores ignores = {0};
    for (uint32_t i = 0; i < tree->comments.count; i++) {
        read_comment(session, &tree->comments.items[i], &ignores);
    }
    if (ignores.list.count == 0) return;
    uint32_t kept = first;
    for (uint32_t i = first; i < session->diags.list.count; i++) {
        Diag *diag = session->diags.list.items[i];
        if (diag->span.file == tree->file && is_ignored(session, diag, &ignores)) {
            session->summary.ignored++;
        } else {
            session->diags.list.items[kept++] = diag;
        }
    }
    session->diags.list.count = kept;
    for (uint32_t i = 0; i < ignores.list.count; i++) {
        const Ignore *ignore = &ignores.list.items[i];
        if (ignore->is_used) continue;
        diag_add(&session->diags, "W0090", DIAG_WARNING, ignore->name,
                 "nothing here is ignored by '%s'", ignore->code->name);
    }
}

static bool is_ignored_late(Session *session, const Diag *diag) {
    const Source *source = sources_get(&session->sources, diag->span.file);
    const uint32_t line = source_position(source, diag->span.start, POSITION_BYTES).line;
    for (uint32_t i = 0; i < session->late.ignores.count; i++) {
        LateIgnore *ignore = &session->late.ignores.items[i];
        if (ignore->name.file != diag->span.file) continue;
        if (strcmp(ignore->code->code, diag->code) != 0) continue;
        if (ignore->line != 0 && ignore->line != line) continue;
        ignore->is_used = true;
        return true;
    }
    return false;
}

void ignores_apply_late(Session *session, uint32_t first) {
    uint32_t kept = first;
    for (uint32_t i = first; i < session->diags.list.count; i++) {
        Diag *diag = session->diags.list.items[i];
        if (is_ignored_late(session, diag)) {
            session->summary.ignored++;
            *LIST_ADD(&session->arena, &session->late.ignored, uint32_t) = diag->span.file;
        } else {
            session->diags.list.items[kept++] = diag;
        }
    }
    session->diags.list.count = kept;
    for (uint32_t i = 0; i < session->late.ignores.count; i++) {
        const LateIgnore *ignore = &session->late.ignores.items[i];
        if (ignore->is_used) continue;
        diag_add(&session->diags, "W0090", DIAG_WARNING, ignore->name,
                 "nothing here is ignored by '%s'", ignore->code->name);
    }
}

void levels_apply(Session *session, uint32_t first) {
    const bool is_strict = session->options.is_strict || session->project.is_strict;
    uint32_t kept = first;
    for (uint32_t i = first; i < session->diags.list.count; i++) {
        Diag *diag = session->diags.list.items[i];
        if (diag->code[0] == 'S' && is_strict) diag->level = DIAG_ERROR;
        bool is_off = false;
        for (uint32_t k = 0; k < session->project.rule_count && !is_syntax(diag); k++) {
            const struct RuleLevel *rule = &session->project.rules[k];
            if (strcmp(rule->code->code, diag->code) != 0) continue;
            is_off = rule->level == RULE_OFF;
            if (rule->level == RULE_NOTE) diag->level = DIAG_NOTE;
            if (rule->level == RULE_WARNING) diag->level = DIAG_WARNING;
            if (rule->level == RULE_ERROR) diag->level = DIAG_ERROR;
        }
        if (!is_off) session->diags.list.items[kept++] = diag;
    }
    session->diags.list.count = kept;
}
