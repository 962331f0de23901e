// display.c - what of a line fits, and in which column a byte is shown.
#include "diag/display.h"

#include "base/columns.h"
#include "base/utf8.h"

enum { TAB_WIDTH = 4 };

// Shown as U+FFFD: controls, bidirectional controls, the byte-order mark, line separators.
static bool is_hidden(uint32_t point) {
    return point < 0x20 || (point >= 0x7F && point < 0xA0) || point == UTF8_INVALID ||
           point == 0x061C || (point >= 0x200E && point <= 0x200F) ||
           (point >= 0x2028 && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069) ||
           point == 0xFEFF;
}

static uint32_t point_width(uint32_t point) {
    if (point == '\t') return TAB_WIDTH;
    return is_hidden(point) ? 1 : columns_of_point(point);
}

uint32_t display_width(Str text) {
    uint32_t width = 0;
    for (size_t at = 0; at < text.len;) width += point_width(utf8_next(text, &at));
    return width;
}

DisplayLine display_line(Str text, uint32_t start, uint32_t end, uint32_t available) {
    DisplayLine line = {.text = text, .width = display_width(text)};
    line.visible = line.width;
    if (available == 0 || line.width <= available) return line;
    const uint32_t from = display_width(str_slice(text, 0, start));
    const uint32_t to = display_width(str_slice(text, 0, end));
    line.visible = available;
    // The whole piece if it fits, a quarter of the room before it.
    uint32_t before = available / 4;
    if (to - from < available && to - from + before > available) before = available - (to - from);
    if (to + 2 <= available) before = from;
    line.left = from > before ? from - before : 0;
    if (line.left + available > line.width) line.left = line.width - available;
    return line;
}

uint32_t display_column(const DisplayLine *line, uint32_t byte) {
    const uint32_t column = display_width(str_slice(line->text, 0, byte));
    if (column < line->left) return 0;
    // One column behind the end stays reachable: a caret there says "something is missing".
    const uint32_t shown = column - line->left;
    return shown > line->visible ? line->visible : shown;
}

void display_write(const DisplayLine *line, Buffer *out) {
    const uint32_t right = line->left + line->visible;
    const uint32_t first = line->left == 0 ? 0 : line->left + 1;
    const uint32_t last = right < line->width ? right - 1 : right;
    if (first > 0) buffer_add(out, STR("…"));
    uint32_t column = 0;
    uint32_t written = first;
    for (size_t at = 0; at < line->text.len;) {
        const size_t start = at;
        const uint32_t point = utf8_next(line->text, &at);
        const uint32_t width = point_width(point);
        const bool is_shown = column >= first && column + width <= last;
        column += width;
        if (!is_shown) continue;
        // A wide character that the left edge cuts in two leaves a blank.
        if (column - width > written) buffer_add_repeat(out, ' ', column - width - written);
        written = column;
        if (point == '\t') {
            buffer_add_repeat(out, ' ', TAB_WIDTH);
        } else if (is_hidden(point)) {
            buffer_add(out, STR("\xEF\xBF\xBD"));
        } else {
            buffer_add(out, str_slice(line->text, start, at));
        }
    }
    if (last < right) {
        if (written < last) buffer_add_repeat(out, ' ', last - written);
        buffer_add(out, STR("…"));
    }
}

static void add_escape(Buffer *out, uint32_t point, unsigned char byte) {
    if (point == '\n') {
        buffer_add(out, STR("\\n"));
    } else if (point == '\r') {
        buffer_add(out, STR("\\r"));
    } else if (point == '\t') {
        buffer_add(out, STR("\\t"));
    } else if (point == UTF8_INVALID) {
        buffer_printf(out, "\\x%02X", byte);
    } else {
        buffer_printf(out, "\\u{%X}", point);
    }
}

void display_inline(Buffer *out, Str text) {
    size_t from = 0;
    for (size_t at = 0; at < text.len;) {
        const size_t start = at;
        const uint32_t point = utf8_next(text, &at);
        if (!is_hidden(point)) continue;
        buffer_add(out, str_slice(text, from, start));
        add_escape(out, point, (unsigned char)text.ptr[start]);
        from = at;
    }
    buffer_add(out, str_slice(text, from, text.len));
}
