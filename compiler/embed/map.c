// map.c - from line and column in a script back to the bytes of the file.
#include "embed/internal.h"

static void find_lines(Script *script, Arena *arena) {
    *LIST_ADD(arena, &script->lines, uint32_t) = 0;
    for (uint32_t i = 0; i < script->text.len; i++) {
        if (script->text.ptr[i] == '\n') *LIST_ADD(arena, &script->lines, uint32_t) = i + 1;
    }
}

uint32_t script_offset(Script *script, Arena *arena, int64_t line, int64_t column) {
    if (script->lines.count == 0) find_lines(script, arena);
    const uint32_t size = (uint32_t)script->text.len;
    if (line < 1) return 0;
    if (line > script->lines.count) return size;
    uint32_t at = script->lines.items[line - 1];
    for (int64_t left = column - 1; left > 0 && at < size && script->text.ptr[at] != '\n'; left--) {
        at++;
        while (at < size && ((unsigned char)script->text.ptr[at] & 0xC0U) == 0x80) at++;
    }
    return at;
}

// The part that holds a byte; what stands between two belongs to the first.
static const ScriptPart *part_of(const Script *script, uint32_t at) {
    const ScriptPart *found = &script->parts.items[0];
    for (uint32_t i = 1; i < script->parts.count && script->parts.items[i].at <= at; i++) {
        found = &script->parts.items[i];
    }
    return found;
}

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// Somewhere to point at: the word at an offset, else its character, else what stands before.
static void widen(const Script *script, uint32_t *start, uint32_t *end) {
    const Str text = script->text;
    while (*end < text.len && is_word(text.ptr[*end])) ++*end;
    if (*end == *start && *end < text.len && text.ptr[*end] != '\n') {
        do {
            ++*end;
        } while (*end < text.len && ((unsigned char)text.ptr[*end] & 0xC0U) == 0x80);
    }
    if (*end > *start) return;
    while (*start > 0 && (text.ptr[*start - 1] == '\n' || text.ptr[*start - 1] == ' ')) --*start;
    *end = *start;
    while (*start > 0 && is_word(text.ptr[*start - 1])) --*start;
    if (*start == *end && *start > 0) {
        do {
            --*start;
        } while (*start > 0 && ((unsigned char)text.ptr[*start] & 0xC0U) == 0x80);
    }
}

Span script_span(const Script *script, uint32_t start, uint32_t end) {
    if (end <= start) {
        end = start;
        widen(script, &start, &end);
    }
    const ScriptPart *part = part_of(script, start);
    const uint32_t size = (uint32_t)part->scalar->text.len;
    uint32_t from = start - part->at;
    uint32_t to = end - part->at;
    if (from > size) from = size;
    if (to > size) to = size;
    // What goes over several lines is shown by its first.
    const size_t line = str_find_char(str_slice(part->scalar->text, 0, to), '\n', from);
    if (line != STR_NOT_FOUND && line > from) to = (uint32_t)line;
    return scalar_span(part->scalar, from, to - from);
}

bool script_in_gap(const Script *script, uint32_t start, uint32_t end) {
    if (end <= start) end = start + 1;
    for (uint32_t i = 0; i < script->gaps.count; i++) {
        const ScriptGap *gap = &script->gaps.items[i];
        if (start < gap->end && end > gap->start) return true;
    }
    return false;
}

bool script_escape(const Script *script, uint32_t at, Str text, Arena *arena, Span *place,
                   Str *out) {
    const ScriptPart *part = part_of(script, at);
    if (at - part->at > part->scalar->text.len) return false;
    const ScalarStyle style = part->scalar->style;
    if (style == SCALAR_PLAIN && (at == part->at || str_find(text, STR(" #"), 0) != STR_NOT_FOUND ||
                                  str_find(text, STR(": "), 0) != STR_NOT_FOUND)) {
        return false;
    }
    if (str_find_char(text, '\n', 0) != STR_NOT_FOUND) return false;
    *place = scalar_span(part->scalar, at - part->at, 0);
    Buffer escaped = {0};
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        if (style == SCALAR_SINGLE && c == '\'') buffer_add_char(&escaped, '\'');
        if (style == SCALAR_DOUBLE && (c == '"' || c == '\\')) buffer_add_char(&escaped, '\\');
        buffer_add_char(&escaped, c);
    }
    *out = buffer_to_str(&escaped, arena);
    buffer_release(&escaped);
    return true;
}
