// shell.c - shellcheck over many scripts at once, and what its answers mean.
//
// A script that does not parse gives one finding (E0610): shellcheck says the same mistake up to
// five times over. All else is W0612, or a note where shellcheck calls it information.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "embed/internal.h"

enum {
    BATCH_SCRIPTS = 128,      // descriptors a process gets
    BATCH_BYTES = 512 << 10,  // of text: a batch ends in seconds
    PROCESSES_MAX = 16,
    HEAD_LINES = 2,  // in front of each script
};

// Files that are read in: not there. Variables from the environment; constants that stand for a
// template; `#!` on its line.
#define LEFT_OUT "--exclude=SC1090,SC1091,SC1128,SC2043,SC2050,SC2153,SC2154,SC2157,SC2193,SC2194"

typedef struct Remark {
    uint32_t start, end;
    int64_t code;
    Str level, message;
    const Value *fix;
} Remark;

typedef struct Remarks {
    LIST_OF(Remark) list;
} Remarks;

typedef struct Batch {
    ToolRun run;
    Script *scripts[BATCH_SCRIPTS];
    int files[BATCH_SCRIPTS];
    Remarks remarks[BATCH_SCRIPTS];
    size_t count;
} Batch;

// --- running ------------------------------------------------------------------------------------

static const char *dialect(ScriptLanguage language) {
    switch (language) {
    case SCRIPT_BASH:
        return "bash";
    case SCRIPT_KSH:
        return "ksh";
    case SCRIPT_SH:
    case SCRIPT_PYTHON:
    case SCRIPT_NONE:
        break;
    }
    // What `sh` is on Debian, and closest to what it is elsewhere.
    return "dash";
}

static Err add_script(Batch *batch, Script *script) {
    Buffer text = {0};
    // As the task runs it: by that shell, with `set -e` unless it says otherwise.
    buffer_printf(&text, "# shellcheck shell=%s\n%s\n", dialect(script->language),
                  script->fails_fast ? "set -e" : "");
    buffer_add(&text, script->text);
    buffer_add_char(&text, '\n');
    const Err err = tool_file(buffer_str(&text), &batch->files[batch->count]);
    buffer_release(&text);
    if (err.code != ERR_NONE) return err;
    batch->scripts[batch->count++] = script;
    return err;
}

static Err start(Batch *batch, const char *shellcheck) {
    char paths[BATCH_SCRIPTS][32];
    const char *argv[BATCH_SCRIPTS + 8] = {shellcheck, "--norc", "--format=json1",
                                           "--severity=info", LEFT_OUT};
    size_t count = 5;
    for (size_t i = 0; i < batch->count; i++) {
        snprintf(paths[i], sizeof paths[i], "/dev/fd/%d", batch->files[i]);
        argv[count++] = paths[i];
    }
    argv[count] = NULL;
    return tool_start(argv, -1, batch->files, batch->count, &batch->run);
}

// --- reading ------------------------------------------------------------------------------------

static void read_remark(Batch *batch, const Value *value, Arena *arena) {
    const Str file = value_map_get_text(*value, STR("file"), (Str){0});
    int64_t fd = -1;
    if (!str_to_int(str_slice(file, strlen("/dev/fd/"), file.len), &fd)) return;
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->files[i] != fd) continue;
        Script *script = batch->scripts[i];
        const int64_t line = value_map_get_int(*value, STR("line"), 0) - HEAD_LINES;
        const int64_t column = value_map_get_int(*value, STR("column"), 1);
        const int64_t end_line = value_map_get_int(*value, STR("endLine"), 0) - HEAD_LINES;
        const int64_t end_column = value_map_get_int(*value, STR("endColumn"), 1);
        if (line < 1) return;  // of the head
        *LIST_ADD(arena, &batch->remarks[i].list, Remark) =
            (Remark){.start = script_offset(script, arena, line, column),
                     .end = script_offset(script, arena, end_line, end_column),
                     .code = value_map_get_int(*value, STR("code"), 0),
                     .level = value_map_get_text(*value, STR("level"), (Str){0}),
                     .message = value_map_get_text(*value, STR("message"), (Str){0}),
                     .fix = value_map_get(*value, STR("fix"))};
    }
}

// "Use x." -> "use x": as all messages are. A word in capitals stays.
static Str said(Str message, Arena *arena) {
    if (str_ends_with(message, STR("."))) message = str_slice(message, 0, message.len - 1);
    const Str copy = str_dup(arena, message);
    const bool is_word = copy.len > 1 && copy.ptr[0] >= 'A' && copy.ptr[0] <= 'Z' &&
                         !(copy.ptr[1] >= 'A' && copy.ptr[1] <= 'Z');
    if (is_word) ((char *)copy.ptr)[0] = (char)(copy.ptr[0] - 'A' + 'a');
    return copy;
}

// --- a script that does not parse ---------------------------------------------------------------

enum {
    SC_IN = 1009,         // "the mentioned syntax error was in this …"
    SC_STOPPED = 1072,    // where the parser gave up
    SC_COULD_NOT = 1073,  // "couldn't parse this …"
    SC_OPEN_QUOTE = 1078,
};

static const Remark *find(const Remarks *remarks, int64_t code) {
    for (uint32_t i = 0; i < remarks->list.count; i++) {
        if (remarks->list.items[i].code == code) return &remarks->list.items[i];
    }
    return NULL;
}

// The first that names the mistake, not its consequences.
static const Remark *cause(const Remarks *remarks) {
    const Remark *first = NULL;
    for (uint32_t i = 0; i < remarks->list.count; i++) {
        const Remark *remark = &remarks->list.items[i];
        const bool is_error = str_eq(remark->level, STR("error")) && remark->code < 2000;
        const bool is_general = remark->code == SC_STOPPED || remark->code == SC_COULD_NOT;
        if (!(is_error && !is_general) && remark->code != SC_OPEN_QUOTE) continue;
        if (first == NULL || remark->start < first->start) first = remark;
    }
    return first;
}

// Nothing is there any more: what is open says more than where the text ends.
static bool is_at_end(const Script *script, const Remark *remark) {
    return str_trim(str_slice(script->text, remark->start, script->text.len)).len == 0 ||
           str_find(remark->message, STR("xpected end of"), 0) != STR_NOT_FOUND;
}

static Diag *add_syntax(Script *script, const Remark *at, const Remark *what, Diags *diags) {
    if (script_in_gap(script, at->start, at->end)) return NULL;
    Str message = what->message;
    const size_t advice = str_find(message, STR(". Fix any mentioned problems"), 0);
    if (advice != STR_NOT_FOUND) message = str_slice(message, 0, advice);
    return diag_add(diags, "E0610", script->is_sample ? DIAG_WARNING : DIAG_ERROR,
                    script_span(script, at->start, at->end), "this script does not parse: " STR_FMT,
                    STR_ARG(said(message, diags->arena)));
}

static void report_syntax(Script *script, const Remarks *remarks, const Remark *stopped,
                          Diags *diags) {
    const Remark *first = cause(remarks);
    const Remark *inside = find(remarks, SC_COULD_NOT);
    Diag *diag = NULL;
    if (first != NULL) {
        diag = add_syntax(script, first, first, diags);
        for (uint32_t i = 0; diag != NULL && i < remarks->list.count; i++) {
            const Remark *other = &remarks->list.items[i];
            const bool is_end =
                str_starts_with(other->message, STR("Expected '")) &&
                str_find(other->message, STR("previously mentioned"), 0) != STR_NOT_FOUND;
            if (!is_end || other == first) continue;
            const size_t quote = str_find_char(other->message, '\'', strlen("Expected '"));
            diag_label(diag, script_span(script, other->start, other->end),
                       "expected here at the latest: " STR_FMT,
                       STR_ARG(str_slice(other->message, strlen("Expected "), quote + 1)));
            break;
        }
    } else if (inside != NULL && is_at_end(script, stopped)) {
        diag = add_syntax(script, inside, stopped, diags);
    } else {
        diag = add_syntax(script, stopped, stopped, diags);
        if (diag != NULL && inside != NULL) {
            diag_label(
                diag, script_span(script, inside->start, inside->end), STR_FMT,
                STR_ARG(said(str_slice(inside->message, 0, str_find_char(inside->message, '.', 0)),
                             diags->arena)));
        }
    }
    if (diag != NULL)
        diag_note(diag, "said by shellcheck; nothing else in this script was checked");
}

// --- what it advises ----------------------------------------------------------------------------

static bool add_edit(Script *script, const Value *replacement, Diag *diag, DiagSuggestion *fix) {
    Arena *arena = diag->owner->arena;
    const int64_t line = value_map_get_int(*replacement, STR("line"), 0) - HEAD_LINES;
    const int64_t end_line = value_map_get_int(*replacement, STR("endLine"), 0) - HEAD_LINES;
    if (line < 1 || line != end_line) return false;
    const uint32_t start =
        script_offset(script, arena, line, value_map_get_int(*replacement, STR("column"), 1));
    const uint32_t end =
        script_offset(script, arena, line, value_map_get_int(*replacement, STR("endColumn"), 1));
    Span at = {0};
    Span behind = {0};
    Str text = {0};
    Str none = {0};
    const Str given = value_map_get_text(*replacement, STR("replacement"), (Str){0});
    if (!script_escape(script, start, given, arena, &at, &text)) return false;
    if (!script_escape(script, end, (Str){0}, arena, &behind, &none)) return false;
    diag_edit(diag, fix, (Span){at.file, at.start, behind.start - at.start}, text);
    return true;
}

static void add_fix(Script *script, const Remark *remark, Diag *diag) {
    const Value *list =
        remark->fix == NULL ? NULL : value_map_get(*remark->fix, STR("replacements"));
    if (list == NULL || list->kind != VALUE_LIST || list->as.list->count == 0) return;
    DiagSuggestion *fix = diag_suggestion(diag, false, "as shellcheck would have it");
    for (uint32_t i = 0; i < list->as.list->count; i++) {
        if (add_edit(script, &list->as.list->items[i], diag, fix)) continue;
        diag->suggestions.count--;  // half a repair is none
        return;
    }
}

// Not in plain `sh`; whether the shell of an image is more than that, nobody knows.
static bool is_dialect(int64_t code) {
    return code >= 3000 && code < 4000;
}

static bool is_unsure(const Script *script, const Remark *remark) {
    const bool is_unused = remark->code == 2034;
    return is_unused && (script->gaps.count > 0 || script->is_sample);
}

static void report_remark(Script *script, const Remark *remark, Diags *diags) {
    if (script_in_gap(script, remark->start, remark->end) || is_unsure(script, remark)) return;
    const bool is_error = str_eq(remark->level, STR("error")) && remark->code < 2000;
    if (is_error) {
        add_syntax(script, remark, remark, diags);
        return;
    }
    const bool is_info =
        str_eq(remark->level, STR("info")) || (is_dialect(remark->code) && script->has_image);
    Diag *diag = diag_add(diags, "W0612", is_info ? DIAG_NOTE : DIAG_WARNING,
                          script_span(script, remark->start, remark->end), STR_FMT,
                          STR_ARG(said(remark->message, diags->arena)));
    diag_note(diag, "SC%d of shellcheck; '# shellcheck disable=SC%d' above the line turns it off",
              (int)remark->code, (int)remark->code);
    add_fix(script, remark, diag);
}

// --- batches ------------------------------------------------------------------------------------

static void report(Batch *batch, Diags *diags) {
    for (size_t i = 0; i < batch->count; i++) {
        const Remarks *remarks = &batch->remarks[i];
        const Remark *stopped = find(remarks, SC_STOPPED);
        if (stopped != NULL) {
            report_syntax(batch->scripts[i], remarks, stopped, diags);
            continue;
        }
        for (uint32_t k = 0; k < remarks->list.count; k++) {
            report_remark(batch->scripts[i], &remarks->list.items[k], diags);
        }
    }
}

static void close_files(const Batch *batch) {
    for (size_t i = 0; i < batch->count; i++) close(batch->files[i]);
}

static Err finish(Batch *batch, Diags *diags) {
    Arena scratch = {0};
    Str text = {0};
    Value answer = value_null();
    Err err = tool_finish(&batch->run, &scratch, &text);
    if (err.code == ERR_NONE) err = json_parse(text, (JsonLimits){0}, &scratch, &answer);
    const Value *comments = value_map_get(answer, STR("comments"));
    if (comments != NULL && comments->kind == VALUE_LIST) {
        for (uint32_t i = 0; i < comments->as.list->count; i++) {
            read_remark(batch, &comments->as.list->items[i], diags->arena);
        }
        report(batch, diags);
    }
    close_files(batch);
    arena_release(&scratch);
    return err;
}

static Err fill(Batch *batch, const Scripts *scripts, uint32_t *at) {
    *batch = (Batch){0};
    size_t bytes = 0;
    for (; *at < scripts->list.count && batch->count < BATCH_SCRIPTS; ++*at) {
        Script *script = scripts->list.items[*at];
        if (script->language == SCRIPT_PYTHON) continue;
        if (bytes > 0 && bytes + script->text.len > BATCH_BYTES) break;
        bytes += script->text.len;
        const Err err = add_script(batch, script);
        if (err.code == ERR_NONE) continue;
        close_files(batch);
        return err;
    }
    return err_none();
}

Err shell_check(const Scripts *scripts, const char *shellcheck, uint32_t jobs, Diags *diags) {
    if (jobs < 1) jobs = 1;
    if (jobs > PROCESSES_MAX) jobs = PROCESSES_MAX;
    Arena arena = {0};
    Batch *ring = arena_array(&arena, Batch, jobs);
    uint32_t at = 0;
    uint32_t started = 0;
    uint32_t finished = 0;
    Err err = err_none();
    while (err.code == ERR_NONE) {
        Batch *batch = &ring[started % jobs];
        if (started - finished == jobs) err = finish(&ring[finished++ % jobs], diags);
        if (err.code == ERR_NONE) err = fill(batch, scripts, &at);
        if (err.code != ERR_NONE || batch->count == 0) break;
        err = start(batch, shellcheck);
        if (err.code == ERR_NONE) {
            started++;
        } else {
            close_files(batch);
        }
    }
    while (finished < started) {
        const Err last = finish(&ring[finished++ % jobs], diags);
        if (err.code == ERR_NONE) err = last;
    }
    arena_release(&arena);
    return err;
}
