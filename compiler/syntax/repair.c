// repair.c - what every repair needs: the lines, patches of the same length, findings said once.
#include "syntax/repair.h"

#include <string.h>

void repair_blank(const Repair *repair, uint32_t start, uint32_t end) {
    for (uint32_t i = start; i < end; i++) {
        if (repair->bytes[i] != '\n' && repair->bytes[i] != '\r') repair->bytes[i] = ' ';
    }
}

// The slot of the first patch at an offset, or the free one where it belongs.
static uint32_t *patch_slot(const Reader *reader, uint32_t at) {
    const uint32_t mask = reader->patch_slot_count - 1;
    for (uint32_t i = (at * 2654435761u) & mask;; i = (i + 1) & mask) {
        uint32_t *slot = &reader->patch_slots[i];
        if (*slot == 0 || reader->patches.items[*slot - 1].at == at) return slot;
    }
}

void patch_add(Reader *reader, Patch patch) {
    *LIST_ADD(&reader->scratch, &reader->patches, Patch) = patch;
    const bool is_full = reader->patches.count * 2 > reader->patch_slot_count;
    if (is_full) {
        reader->patch_slot_count =
            reader->patch_slot_count == 0 ? 64 : reader->patch_slot_count * 2;
        reader->patch_slots = arena_array(&reader->scratch, uint32_t, reader->patch_slot_count);
    }
    for (uint32_t i = is_full ? 0 : reader->patches.count - 1; i < reader->patches.count; i++) {
        uint32_t *slot = patch_slot(reader, reader->patches.items[i].at);
        if (*slot == 0) *slot = i + 1;
    }
}

const Patch *patch_find(const Reader *reader, uint32_t at) {
    if (reader->patches.count == 0) return NULL;
    const uint32_t slot = *patch_slot(reader, at);
    return slot == 0 ? NULL : &reader->patches.items[slot - 1];
}

void repair_add(const Repair *repair, PatchKind kind, uint32_t at, uint32_t start, uint32_t end) {
    patch_add(repair->reader, (Patch){kind, at, start, end});
}

// [start, end) becomes one scalar that stands for [raw_start, raw_end), or for something unknown.
void repair_value(const Repair *repair, PatchKind kind, uint32_t start, uint32_t end) {
    repair_blank(repair, start, end);
    repair->bytes[start] = 'x';
    repair_add(repair, kind, start, start, end);
}

// Each mistake is reported once: true where none of recovery's findings stands in line `first`,
// and marks the lines to `last` as reported.
bool repair_is_first_of(const Repair *repair, uint32_t first, uint32_t last) {
    Reader *reader = repair->reader;
    const uint32_t start = repair->lines.list.items[first].start;
    for (uint32_t i = 0; i < reader->reported.count; i++) {
        const Span span = reader->reported.items[i];
        if (start >= span.start && start < span.start + span.len) return false;
    }
    const uint32_t end = repair->lines.list.items[last].end + 1;
    *LIST_ADD(&reader->scratch, &reader->reported, Span) = (Span){0, start, end - start};
    return true;
}

bool repair_is_first(const Repair *repair, uint32_t number) {
    return repair_is_first_of(repair, number, number);
}

Span repair_span(const Repair *repair, uint32_t start, uint32_t end) {
    return reader_span(repair->reader, start, end);
}

Str repair_raw(const Repair *repair, uint32_t start, uint32_t end) {
    return str_slice(repair->reader->source->bytes, start, end);
}

Diag *repair_report(const Repair *repair, const char *code, uint32_t start, uint32_t end,
                    const char *message) {
    return diag_add(repair->reader->diags, code, DIAG_ERROR, repair_span(repair, start, end), "%s",
                    message);
}

const Line *repair_line(const Repair *repair, uint32_t number) {
    return &repair->lines.list.items[number];
}

bool repair_is_patched(const Repair *repair, uint32_t at) {
    return patch_find(repair->reader, at) != NULL;
}

void suggest_quotes(const Reader *reader, Diag *diag, uint32_t start, uint32_t end) {
    const Str text = str_slice(reader->source->bytes, start, end);
    if (str_find_char(text, '\n', 0) != STR_NOT_FOUND) return;
    const bool is_single = str_find_char(text, '"', 0) != STR_NOT_FOUND ||
                           str_find_char(text, '\\', 0) != STR_NOT_FOUND;
    const Str quote = is_single ? STR("'") : STR("\"");
    DiagSuggestion *suggestion = diag_suggestion(diag, true, "put quotes around it");
    diag_edit(diag, suggestion, reader_span(reader, start, start), quote);
    for (uint32_t at = start; is_single && at < end; at++) {
        if (reader->source->bytes.ptr[at] != '\'') continue;
        diag_edit(diag, suggestion, reader_span(reader, at, at), quote);
    }
    diag_edit(diag, suggestion, reader_span(reader, end, end), quote);
}

static bool is_word_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
}

uint32_t repair_word_end(const Repair *repair, uint32_t at, uint32_t end) {
    while (at < end && is_word_char(repair->bytes[at])) at++;
    return at;
}

void find_ids(Reader *reader, uint32_t start, uint32_t end, Node *hole) {
    const Str bytes = str_slice(reader->source->bytes, 0, end);
    for (size_t at = start; (at = str_find(bytes, STR("id:"), at)) != STR_NOT_FOUND; at += 3) {
        const char before = at == 0 ? '\n' : bytes.ptr[at - 1];
        if (is_word_char(before)) continue;
        size_t from = at + 3;
        while (from < end && strchr(" \t\"'", bytes.ptr[from]) != NULL) from++;
        size_t to = from;
        while (to < end && is_word_char(bytes.ptr[to])) to++;
        if (to > from) *LIST_ADD(reader->arena, &hole->hole_ids, Str) = str_slice(bytes, from, to);
    }
}

uint32_t repair_line_end(const Repair *repair, uint32_t last) {
    return repair_line(repair, last)->end;
}
