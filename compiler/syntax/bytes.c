// bytes.c - the bytes of a file before libyaml sees them, and its positions after.
#include <string.h>

#include "base/utf8.h"
#include "syntax/reader.h"

enum { MARK_STEP = 64 };

static bool is_bidi_control(uint32_t point) {
    return (point >= 0x202A && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069);
}

// What libyaml's reader and every other one refuses.
static bool is_unreadable(uint32_t point) {
    if (point < 0x20) return point != '\t' && point != '\n' && point != '\r';
    if (point < 0x7F) return false;
    if (point < 0xA0) return point != 0x85;
    return point == 0xFFFE || point == 0xFFFF;
}

static void report_character(Diags *diags, uint32_t file, uint32_t at, uint32_t len,
                             uint32_t point) {
    const Span span = {file, at, len};
    if (point == 0) {
        diag_add(diags, "W0005", DIAG_ERROR, span, "a NUL byte is not allowed in a flow");
    } else if (is_bidi_control(point)) {
        Diag *diag =
            diag_add(diags, "W0005", DIAG_WARNING, span,
                     "the bidirectional control character U+%04X makes this line read otherwise "
                     "than it is",
                     point);
        diag_note(diag, "in a double-quoted text it can be written as \"\\u%04X\"", point);
    } else {
        diag_add(diags, "E0010", DIAG_ERROR, span,
                 "the control character U+%04X is not allowed in YAML", point);
    }
}

BytesReport bytes_check(const Source *source, uint32_t file, Diags *diags) {
    const Str bytes = source->bytes;
    BytesReport report = {.is_utf8 = true, .is_ascii = true};
    size_t reported_line_end = 0;  // one finding a line is enough
    for (size_t at = source->has_bom ? 3 : 0; at < bytes.len;) {
        const unsigned char byte = (unsigned char)bytes.ptr[at];
        if ((byte >= 0x20 && byte < 0x7F) || byte == '\n' || byte == '\t' || byte == '\r') {
            at++;
            continue;
        }
        const size_t start = at;
        const uint32_t point = utf8_next(bytes, &at);
        if (byte >= 0x80) report.is_ascii = false;
        if (point == UTF8_INVALID) {
            report.is_utf8 = false;
            report.bad = (uint32_t)start;
            return report;
        }
        const bool is_bad = is_unreadable(point);
        if (is_bad) report.has_unreadable = true;
        if ((is_bad || is_bidi_control(point)) && start >= reported_line_end) {
            report_character(diags, file, (uint32_t)start, (uint32_t)(at - start), point);
            reported_line_end = str_find_char(bytes, '\n', at);
        }
    }
    return report;
}

void bytes_blank(char *bytes, size_t len) {
    const Str text = {bytes, len};
    for (size_t at = 0; at < len;) {
        const size_t start = at;
        if (is_unreadable(utf8_next(text, &at))) memset(bytes + start, ' ', at - start);
    }
}

void offsets_init(Offsets *offsets, Str bytes, uint32_t base, bool is_ascii, Arena *arena) {
    *offsets = (Offsets){.bytes = bytes, .base = base, .is_ascii = is_ascii};
    if (is_ascii) return;
    offsets->marks = arena_array(arena, uint32_t, bytes.len / MARK_STEP + 2);
    uint32_t points = 0;
    for (uint32_t at = base; at < bytes.len; at++) {
        if (((unsigned char)bytes.ptr[at] & 0xC0) == 0x80) continue;
        if (points % MARK_STEP == 0) offsets->marks[offsets->mark_count++] = at;
        points++;
    }
}

uint32_t offsets_byte(const Offsets *offsets, size_t point) {
    const size_t end = offsets->bytes.len;
    if (offsets->is_ascii) {
        return (uint32_t)(point + offsets->base < end ? point + offsets->base : end);
    }
    if (point / MARK_STEP >= offsets->mark_count) return (uint32_t)end;
    size_t at = offsets->marks[point / MARK_STEP];
    for (size_t left = point % MARK_STEP; left > 0 && at < end; left--) {
        at++;
        while (at < end && ((unsigned char)offsets->bytes.ptr[at] & 0xC0) == 0x80) at++;
    }
    return (uint32_t)at;
}
