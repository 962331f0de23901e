// diag.c - the list of findings: adding, completing, sorting, counting.
//
// Text is copied into the arena of the list. A finding added while the list is muted is complete
// but stands in no list, so that whoever added it need not know.
#include "diag/diag.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"

const char *diag_level_name(DiagLevel level) {
    switch (level) {
    case DIAG_NOTE:
        return "note";
    case DIAG_WARNING:
        return "warning";
    case DIAG_ERROR:
        break;
    }
    return "error";
}

static Str format_text(Arena *arena, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static Str format_text(Arena *arena, const char *format, va_list args) {
    Buffer buffer = {0};
    buffer_vprintf(&buffer, format, args);
    Str text = buffer_to_str(&buffer, arena);
    buffer_release(&buffer);
    return text;
}

Diag *diag_add(Diags *diags, const char *code, DiagLevel level, Span span, const char *format,
               ...) {
    Diag *diag = arena_new(diags->arena, Diag);
    diag->code = code;
    diag->level = level;
    diag->span = span;
    diag->owner = diags;
    va_list args;
    va_start(args, format);
    diag->message = format_text(diags->arena, format, args);
    va_end(args);
    if (diags->muted == 0) *LIST_ADD(diags->arena, &diags->list, Diag *) = diag;
    return diag;
}

void diag_take_back(const Diag *diag) {
    Diags *diags = diag->owner;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < diags->list.count; i++) {
        if (diags->list.items[i] != diag) diags->list.items[kept++] = diags->list.items[i];
    }
    diags->list.count = kept;
}

void diag_label(Diag *diag, Span span, const char *format, ...) {
    DiagLabel *label = LIST_ADD(diag->owner->arena, &diag->labels, DiagLabel);
    label->span = span;
    va_list args;
    va_start(args, format);
    label->message = format_text(diag->owner->arena, format, args);
    va_end(args);
}

void diag_note(Diag *diag, const char *format, ...) {
    va_list args;
    va_start(args, format);
    *LIST_ADD(diag->owner->arena, &diag->notes, Str) =
        format_text(diag->owner->arena, format, args);
    va_end(args);
}

void diag_suggest(Diag *diag, Str name) {
    if (name.len == 0) return;
    DiagSuggestion *suggestion =
        diag_suggestion(diag, true, "did you mean '" STR_FMT "'?", STR_ARG(name));
    diag_edit(diag, suggestion, diag->span, name);
}

DiagSuggestion *diag_suggestion(Diag *diag, bool is_safe, const char *format, ...) {
    DiagSuggestion *suggestion = LIST_ADD(diag->owner->arena, &diag->suggestions, DiagSuggestion);
    suggestion->is_safe = is_safe;
    va_list args;
    va_start(args, format);
    suggestion->message = format_text(diag->owner->arena, format, args);
    va_end(args);
    return suggestion;
}

void diag_edit(Diag *diag, DiagSuggestion *suggestion, Span span, Str text) {
    DiagEdit *edit = LIST_ADD(diag->owner->arena, &suggestion->edits, DiagEdit);
    edit->span = span;
    edit->text = str_dup(diag->owner->arena, text);
}

// --- order --------------------------------------------------------------------------------------

static int compare(const Diag *a, const Diag *b) {
    if (a->span.file != b->span.file) return a->span.file < b->span.file ? -1 : 1;
    if (a->span.start != b->span.start) return a->span.start < b->span.start ? -1 : 1;
    const int by_code = strcmp(a->code, b->code);
    if (by_code != 0) return by_code;
    return str_cmp(a->message, b->message);
}

// A merge sort: stable, so that what compares equal keeps the order in which it was found.
static void sort(Diag **items, Diag **scratch, size_t count) {
    if (count < 2) return;
    const size_t half = count / 2;
    sort(items, scratch, half);
    sort(items + half, scratch, count - half);
    memcpy(scratch, items, half * sizeof *items);
    size_t left = 0;
    size_t right = half;
    for (size_t at = 0; left < half; at++) {
        if (right < count && compare(items[right], scratch[left]) < 0) {
            items[at] = items[right++];
        } else {
            items[at] = scratch[left++];
        }
    }
}

void diags_sort(Diags *diags) {
    if (diags->list.count < 2) return;
    Diag **scratch = arena_array(diags->arena, Diag *, diags->list.count);
    sort(diags->list.items, scratch, diags->list.count);
}

uint32_t diags_count(const Diags *diags, DiagLevel level) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < diags->list.count; i++) {
        if (diags->list.items[i]->level == level) count++;
    }
    return count;
}
