// lines.c - bytes of a stream to lines, with bounded memory.
#include <string.h>

#include "base/utf8.h"
#include "proc/proc.h"

#define REPLACEMENT "\xEF\xBF\xBD"  // U+FFFD

static Str repair(LineSplitter *splitter, Str line) {
    buffer_clear(&splitter->repaired);
    for (size_t at = 0; at < line.len;) {
        size_t before = at;
        uint32_t point = utf8_next(line, &at);
        if (point == UTF8_INVALID || point == 0) {
            if (point == 0) {
                splitter->nuls++;
            } else {
                splitter->invalid++;
            }
            buffer_add(&splitter->repaired, STR(REPLACEMENT));
            continue;
        }
        buffer_add(&splitter->repaired, str_slice(line, before, at));
    }
    return buffer_str(&splitter->repaired);
}

static bool is_clean(Str line) {
    if (line.len == 0) return true;
    return memchr(line.ptr, '\0', line.len) == NULL && utf8_find_invalid(line) == STR_NOT_FOUND;
}

static void hand_out(LineSplitter *splitter, Str line, unsigned flags, LineCall call, void *self) {
    if (!splitter->is_plain && !is_clean(line)) {
        line = repair(splitter, line);
        flags |= LINE_REPAIRED;
    }
    call(self, line, flags);
}

// Where to cut a long line: at most LINE_MAX_BYTES, not inside a character.
static size_t cut_at(Str line) {
    size_t cut = LINE_MAX_BYTES;
    for (int back = 0; back < 3 && cut > 0; back++) {
        if (((unsigned char)line.ptr[cut] & 0xC0) != 0x80) return cut;
        cut--;
    }
    return ((unsigned char)line.ptr[cut] & 0xC0) != 0x80 ? cut : LINE_MAX_BYTES;
}

static bool may_be_marker(const LineSplitter *splitter, Str line) {
    return !splitter->is_rest && str_starts_with(line, STR("::{"));
}

// Hands out pieces while the line is longer than a piece; gives the rest.
static Str hand_out_pieces(LineSplitter *splitter, Str line, LineCall call, void *self) {
    while (line.len > LINE_MAX_BYTES) {
        size_t cut = cut_at(line);
        unsigned flags = LINE_GOES_ON | (splitter->is_rest ? LINE_IS_REST : 0);
        hand_out(splitter, str_slice(line, 0, cut), flags, call, self);
        splitter->is_rest = true;
        line = str_slice(line, cut, line.len);
    }
    return line;
}

static void whole_line(LineSplitter *splitter, Str line, LineCall call, void *self) {
    if (!may_be_marker(splitter, line) || line.len > MARKER_MAX_BYTES) {
        line = hand_out_pieces(splitter, line, call, self);
    }
    hand_out(splitter, line, splitter->is_rest ? LINE_IS_REST : 0, call, self);
    splitter->is_rest = false;
    splitter->lines++;
}

// Keeps the beginning of a line; what is longer than allowed goes out in pieces.
static void hold(LineSplitter *splitter, Str part, LineCall call, void *self) {
    buffer_add(&splitter->held, part);
    Str held = buffer_str(&splitter->held);
    size_t limit = may_be_marker(splitter, held) ? MARKER_MAX_BYTES : LINE_MAX_BYTES;
    if (held.len <= limit) return;
    Str rest = hand_out_pieces(splitter, held, call, self);
    memmove(splitter->held.ptr, rest.ptr, rest.len);
    splitter->held.len = rest.len;
}

static size_t find_end(Str bytes, size_t from, bool has_carriage) {
    const char *newline = memchr(bytes.ptr + from, '\n', bytes.len - from);
    size_t end = newline == NULL ? bytes.len : (size_t)(newline - bytes.ptr);
    if (!has_carriage) return end;
    const char *carriage = memchr(bytes.ptr + from, '\r', end - from);
    return carriage == NULL ? end : (size_t)(carriage - bytes.ptr);
}

void lines_feed(LineSplitter *splitter, Str bytes, LineCall call, void *self) {
    splitter->bytes += bytes.len;
    // Looked at as a whole: most of what programs print has neither.
    bool has_carriage = str_find_char(bytes, '\r', 0) != STR_NOT_FOUND;
    bool is_plain =
        ascii_end(bytes, 0) == bytes.len && str_find_char(bytes, '\0', 0) == STR_NOT_FOUND;
    size_t at = 0;
    while (at < bytes.len) {
        if (splitter->skip_newline) {
            splitter->skip_newline = false;
            if (bytes.ptr[at] == '\n') {
                at++;
                continue;
            }
        }
        size_t end = find_end(bytes, at, has_carriage);
        Str part = str_slice(bytes, at, end);
        if (end == bytes.len) {
            hold(splitter, part, call, self);
            return;
        }
        splitter->skip_newline = bytes.ptr[end] == '\r';
        at = end + 1;
        if (splitter->held.len == 0) {
            splitter->is_plain = is_plain;
            whole_line(splitter, part, call, self);
            splitter->is_plain = false;
            continue;
        }
        buffer_add(&splitter->held, part);
        whole_line(splitter, buffer_str(&splitter->held), call, self);
        buffer_clear(&splitter->held);
        if (splitter->held.capacity > (1 << 20)) buffer_release(&splitter->held);
    }
}

void lines_end(LineSplitter *splitter, LineCall call, void *self) {
    if (splitter->held.len == 0) return;
    whole_line(splitter, buffer_str(&splitter->held), call, self);
    buffer_clear(&splitter->held);
}

void lines_release(LineSplitter *splitter) {
    buffer_release(&splitter->held);
    buffer_release(&splitter->repaired);
}
