// fix.c - safe suggestions applied to a file until nothing changes.
//
// A round takes the findings of the text, chooses of each the one safe suggestion, applies those
// that do not touch each other (the earliest wins; the others come back in the next round) and
// looks at the new text as if it came from the file. A round after which there are more syntax
// errors than before is taken back. What is left, and where, is said of the text as it is in the
// end.
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "session/session.h"
#include "source/unified.h"

// A fix reveals at most a few layers of further mistakes; more rounds than that are two fixes that
// undo each other.
enum { ROUNDS_MAX = 20 };

typedef struct Chosen {
    const DiagSuggestion *suggestion;
    uint32_t start, end;  // all its edits lie in between
} Chosen;

typedef struct Choice {
    LIST_OF(Chosen) list;
} Choice;

// --- choosing -----------------------------------------------------------------------------------

// The only safe suggestion with edits in this file, or NULL: of two nobody knows which is meant.
static const DiagSuggestion *safe_suggestion(const Diag *diag, uint32_t file) {
    const DiagSuggestion *safe = NULL;
    for (uint32_t i = 0; i < diag->suggestions.count; i++) {
        const DiagSuggestion *suggestion = &diag->suggestions.items[i];
        if (!suggestion->is_safe || suggestion->edits.count == 0) continue;
        if (safe != NULL) return NULL;
        safe = suggestion;
    }
    for (uint32_t i = 0; safe != NULL && i < safe->edits.count; i++) {
        if (safe->edits.items[i].span.file != file) return NULL;
    }
    return safe;
}

static int by_start(const void *a, const void *b) {
    const Chosen *left = a;
    const Chosen *right = b;
    if (left->start != right->start) return left->start < right->start ? -1 : 1;
    if (left->end != right->end) return left->end < right->end ? -1 : 1;
    return 0;
}

static int edit_by_start(const void *a, const void *b) {
    const uint32_t left = ((const DiagEdit *)a)->span.start;
    const uint32_t right = ((const DiagEdit *)b)->span.start;
    if (left == right) return 0;
    return left < right ? -1 : 1;
}

static void choose(const Session *session, uint32_t first, uint32_t file, Arena *scratch,
                   Choice *out) {
    for (uint32_t i = first; i < session->diags.list.count; i++) {
        const DiagSuggestion *safe = safe_suggestion(session->diags.list.items[i], file);
        if (safe == NULL) continue;
        Chosen chosen = {safe, UINT32_MAX, 0};
        qsort(safe->edits.items, safe->edits.count, sizeof *safe->edits.items, edit_by_start);
        for (uint32_t k = 0; k < safe->edits.count; k++) {
            const Span span = safe->edits.items[k].span;
            if (span.start < chosen.start) chosen.start = span.start;
            if (span.start + span.len > chosen.end) chosen.end = span.start + span.len;
        }
        *LIST_ADD(scratch, &out->list, Chosen) = chosen;
    }
    if (out->list.count == 0) return;
    qsort(out->list.items, out->list.count, sizeof *out->list.items, by_start);
    uint32_t kept = 1;
    for (uint32_t i = 1; i < out->list.count; i++) {
        const Chosen *last = &out->list.items[kept - 1];
        const Chosen *next = &out->list.items[i];
        // Two insertions at one place have no order of their own.
        if (next->start < last->end || next->start == last->start) continue;
        out->list.items[kept++] = *next;
    }
    out->list.count = kept;
}

static Str apply(Arena *arena, Str text, const Choice *choice) {
    Buffer out = {0};
    size_t at = 0;
    for (uint32_t i = 0; i < choice->list.count; i++) {
        const DiagSuggestion *suggestion = choice->list.items[i].suggestion;
        for (uint32_t k = 0; k < suggestion->edits.count; k++) {
            const DiagEdit *edit = &suggestion->edits.items[k];
            if (edit->span.start < at) continue;  // edits of one suggestion that overlap
            buffer_add(&out, str_slice(text, at, edit->span.start));
            buffer_add(&out, edit->text);
            at = edit->span.start + edit->span.len;
        }
    }
    buffer_add(&out, str_slice(text, at, text.len));
    const Str fixed = buffer_to_str(&out, arena);
    buffer_release(&out);
    return fixed;
}

// --- rounds -------------------------------------------------------------------------------------

static uint32_t count_syntax(const Session *session, uint32_t first) {
    uint32_t count = 0;
    for (uint32_t i = first; i < session->diags.list.count; i++) {
        if (strncmp(session->diags.list.items[i]->code, "E00", 3) == 0) count++;
    }
    return count;
}

static void check_text(Session *session, uint32_t file, bool is_named) {
    Unit unit = {0};
    unit_check(session, &unit, file, is_named);
    unit_release(&unit);
}

uint32_t fix_text(Session *session, uint32_t file, bool is_named) {
    const uint32_t first = session->diags.list.count;
    const DiagSummary summary = session->summary;
    const Str name = sources_get(&session->sources, file)->name;
    uint32_t fixed = 0;
    check_text(session, file, is_named);
    for (uint32_t round = 0; round < ROUNDS_MAX; round++) {
        Arena scratch = {0};
        Choice choice = {0};
        choose(session, first, file, &scratch, &choice);
        const Str before = sources_get(&session->sources, file)->bytes;
        const Str after = choice.list.count == 0 ? before : apply(&session->arena, before, &choice);
        arena_release(&scratch);
        if (str_eq(before, after)) break;
        const uint32_t syntax = count_syntax(session, first);
        // The text takes the place of the last one: it is the newest source.
        session->diags.list.count = first;
        session->summary = summary;
        session->sources.list.count = file;
        sources_add(&session->sources, name, after);
        check_text(session, file, is_named);
        if (count_syntax(session, first) <= syntax) {
            fixed += choice.list.count;
            continue;
        }
        session->diags.list.count = first;
        session->summary = summary;
        session->sources.list.count = file;
        sources_add(&session->sources, name, before);
        check_text(session, file, is_named);
        break;
    }
    return fixed;
}

// --- files --------------------------------------------------------------------------------------

static bool is_below(const char *path, const char *folder) {
    const size_t len = strlen(folder);
    if (strcmp(folder, "/") == 0) return true;
    return strncmp(path, folder, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

// Where the bytes of a path are to be written. A link is followed, so that it stays one, but not
// out of the project (the current folder where there is no project file).
static Err target_of(const Session *session, const char *path, char resolved[PATH_MAX]) {
    struct stat status;
    if (lstat(path, &status) != 0) return err_system("cannot write '%s'", path);
    if (!S_ISLNK(status.st_mode)) {
        if (strlen(path) >= PATH_MAX) return err_make(ERR_LIMIT, "the path '%s' is too long", path);
        memcpy(resolved, path, strlen(path) + 1);
        return err_none();
    }
    if (realpath(path, resolved) == NULL) return err_system("cannot follow the link '%s'", path);
    char folder[PATH_MAX];
    Arena scratch = {0};
    const Str root = session->project.exists && session->project.folder.len > 0
                         ? session->project.folder
                         : STR(".");
    const bool is_known = realpath(str_to_c(&scratch, root), folder) != NULL;
    arena_release(&scratch);
    if (is_known && is_below(resolved, folder)) return err_none();
    return err_make(ERR_CONFLICT,
                    "'%s' is a link out of the project and is left as it is; name the file itself",
                    path);
}

Err fix_write(Session *session, Str name, Str before, Str after) {
    const char *path = str_to_c(&session->arena, name);
    char target[PATH_MAX];
    TRY(target_of(session, path, target));
    if (access(target, W_OK) != 0) return err_system("cannot write '%s'", path);
    Arena scratch = {0};
    Str now = {0};
    Err err = file_read(target, SOURCE_SIZE_MAX, &scratch, &now);
    if (err.code == ERR_NONE && !str_eq(now, before)) {
        err = err_make(ERR_CONFLICT, "'%s' has changed meanwhile and is left as it is", path);
    }
    if (err.code == ERR_NONE) err = file_write(target, after, 0644);
    arena_release(&scratch);
    return err;
}

Err fix_file(Session *session, const SessionInput *input, Str path, uint32_t file, bool is_named) {
    const Str before = sources_get(&session->sources, file)->bytes;
    const uint32_t fixed = fix_text(session, file, is_named);
    const Source *source = sources_get(&session->sources, file);
    const bool is_input = str_eq(path, STR("-"));
    if (is_input && input->fix == FIX_WRITE) buffer_add(input->out, source->bytes);
    if (str_eq(before, source->bytes)) return err_none();
    session->summary.fixed += fixed;
    session->summary.fixed_files++;
    if (input->fix == FIX_DIFF) {
        unified_diff(diag_report_path(source->name), before, source->bytes, input->out);
        return err_none();
    }
    return is_input ? err_none() : fix_write(session, path, before, source->bytes);
}
