// source.c - files as bytes with a table of line starts.
//
// A line ends with LF, CRLF or a lone CR, as libyaml and editors see it. The byte-order mark
// belongs to the bytes (offsets are those of the file) but to no line: line 1 begins behind it.
#include "source/source.h"

#include <string.h>

#include "base/file.h"
#include "base/utf8.h"

enum { BOM_SIZE = 3 };

static bool is_line_end(const Source *source, uint32_t at) {
    const char *bytes = source->bytes.ptr;
    if (bytes[at] == '\n') return true;
    return bytes[at] == '\r' && (at + 1 == source->bytes.len || bytes[at + 1] != '\n');
}

static void add_line(Arena *arena, Source *source, uint32_t start, uint32_t *capacity) {
    if (source->line_count == *capacity) {
        uint32_t grown = arena_next_capacity(*capacity);
        source->lines = (uint32_t *)arena_grow(arena, source->lines, *capacity, grown,
                                               sizeof *source->lines, alignof(uint32_t));
        *capacity = grown;
    }
    source->lines[source->line_count++] = start;
}

static void find_lines(Arena *arena, Source *source) {
    const Str bytes = source->bytes;
    uint32_t capacity = 0;
    add_line(arena, source, source->has_bom ? BOM_SIZE : 0, &capacity);
    if (bytes.len == 0) return;
    if (memchr(bytes.ptr, '\r', bytes.len) != NULL) {
        for (uint32_t at = 0; at < bytes.len; at++) {
            if (is_line_end(source, at)) add_line(arena, source, at + 1, &capacity);
        }
        return;
    }
    const char *at = bytes.ptr;
    const char *end = bytes.ptr + bytes.len;
    while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        at++;
        add_line(arena, source, (uint32_t)(at - bytes.ptr), &capacity);
    }
}

// Columns of a long line are counted for each finding in it: not where bytes are characters.
enum { LINE_LONG = 4096 };

static bool has_long_line(const Source *source) {
    for (uint32_t i = 0; i < source->line_count; i++) {
        const uint32_t end =
            i + 1 < source->line_count ? source->lines[i + 1] : (uint32_t)source->bytes.len;
        if (end - source->lines[i] > LINE_LONG) return true;
    }
    return false;
}

static bool is_ascii(Str bytes) {
    for (size_t i = 0; i < bytes.len; i++) {
        if ((bytes.ptr[i] & 0x80) != 0) return false;
    }
    return true;
}

uint32_t sources_add(Sources *sources, Str name, Str bytes) {
    Source *source = LIST_ADD(sources->arena, &sources->list, Source);
    *source = (Source){
        .name = name, .bytes = bytes, .has_bom = str_starts_with(bytes, STR("\xEF\xBB\xBF"))};
    find_lines(sources->arena, source);
    source->is_ascii = has_long_line(source) && is_ascii(bytes);
    return sources->list.count - 1;
}

Err sources_read(Sources *sources, const char *path, Str name, uint32_t *file) {
    Str bytes = {0};
    TRY(file_read(path, SOURCE_SIZE_MAX, sources->arena, &bytes));
    *file = sources_add(sources, name, bytes);
    return err_none();
}

const Source *sources_get(const Sources *sources, uint32_t file) {
    return &sources->list.items[file];
}

// The line that holds an offset, from 0.
static uint32_t line_of(const Source *source, uint32_t offset) {
    uint32_t low = 0;
    uint32_t high = source->line_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (source->lines[middle] <= offset) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

Position source_position(const Source *source, uint32_t offset, PositionUnit unit) {
    if (offset > source->bytes.len) offset = (uint32_t)source->bytes.len;
    const uint32_t line = line_of(source, offset);
    const uint32_t start = source->lines[line];
    const Str before = str_slice(source->bytes, start, offset > start ? offset : start);
    size_t column = before.len;
    if (source->is_ascii) unit = POSITION_BYTES;
    switch (unit) {
    case POSITION_BYTES:
        break;
    case POSITION_POINTS:
        column = utf8_count(before);
        break;
    case POSITION_UTF16:
        column = utf8_count_utf16(before);
        break;
    }
    return (Position){line + 1, (uint32_t)column + 1, offset};
}

Str source_line(const Source *source, uint32_t line) {
    if (line == 0 || line > source->line_count) return (Str){0};
    const uint32_t start = source->lines[line - 1];
    size_t end = line < source->line_count ? source->lines[line] : source->bytes.len;
    if (end > start && source->bytes.ptr[end - 1] == '\n') end--;
    if (end > start && source->bytes.ptr[end - 1] == '\r') end--;
    return str_slice(source->bytes, start, end);
}

Str source_text(const Sources *sources, Span span) {
    const Source *source = sources_get(sources, span.file);
    return str_slice(source->bytes, span.start, (size_t)span.start + span.len);
}
