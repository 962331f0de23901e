// display.c - widths of code points by tables of Unicode 15: what the common terminals do.
#include "diag/display.h"

#include "base/attributes.h"
#include "base/utf8.h"

enum { TAB_WIDTH = 4 };

typedef struct Range {
    uint32_t first, last;
} Range;

// Combining marks and other characters of no width.
static const Range no_width[] = {
    {0x0300,  0x036F },
    {0x0483,  0x0489 },
    {0x0591,  0x05BD },
    {0x05BF,  0x05BF },
    {0x05C1,  0x05C2 },
    {0x05C4,  0x05C5 },
    {0x05C7,  0x05C7 },
    {0x0610,  0x061A },
    {0x064B,  0x065F },
    {0x0670,  0x0670 },
    {0x06D6,  0x06DC },
    {0x06DF,  0x06E4 },
    {0x06E7,  0x06E8 },
    {0x06EA,  0x06ED },
    {0x0711,  0x0711 },
    {0x0730,  0x074A },
    {0x0900,  0x0902 },
    {0x093A,  0x093A },
    {0x093C,  0x093C },
    {0x0941,  0x0948 },
    {0x094D,  0x094D },
    {0x0951,  0x0957 },
    {0x0E31,  0x0E31 },
    {0x0E34,  0x0E3A },
    {0x0E47,  0x0E4E },
    {0x1AB0,  0x1AFF },
    {0x1DC0,  0x1DFF },
    {0x200B,  0x200D },
    {0x2060,  0x2064 },
    {0x20D0,  0x20F0 },
    {0x302A,  0x302D },
    {0x3099,  0x309A },
    {0xFE00,  0xFE0F },
    {0xFE20,  0xFE2F },
    {0x1F3FB, 0x1F3FF},
    {0xE0100, 0xE01EF},
};

static const Range wide[] = {
    {0x1100,  0x115F },
    {0x231A,  0x231B },
    {0x2329,  0x232A },
    {0x23E9,  0x23EC },
    {0x23F0,  0x23F0 },
    {0x23F3,  0x23F3 },
    {0x25FD,  0x25FE },
    {0x2614,  0x2615 },
    {0x2648,  0x2653 },
    {0x267F,  0x267F },
    {0x2693,  0x2693 },
    {0x26A1,  0x26A1 },
    {0x26AA,  0x26AB },
    {0x26BD,  0x26BE },
    {0x26C4,  0x26C5 },
    {0x26CE,  0x26CE },
    {0x26D4,  0x26D4 },
    {0x26EA,  0x26EA },
    {0x26F2,  0x26F3 },
    {0x26F5,  0x26F5 },
    {0x26FA,  0x26FA },
    {0x26FD,  0x26FD },
    {0x2705,  0x2705 },
    {0x270A,  0x270B },
    {0x2728,  0x2728 },
    {0x274C,  0x274C },
    {0x274E,  0x274E },
    {0x2753,  0x2755 },
    {0x2757,  0x2757 },
    {0x2795,  0x2797 },
    {0x27B0,  0x27B0 },
    {0x27BF,  0x27BF },
    {0x2B1B,  0x2B1C },
    {0x2B50,  0x2B50 },
    {0x2B55,  0x2B55 },
    {0x2E80,  0x303E },
    {0x3041,  0x33FF },
    {0x3400,  0x4DBF },
    {0x4E00,  0x9FFF },
    {0xA000,  0xA4CF },
    {0xA960,  0xA97F },
    {0xAC00,  0xD7A3 },
    {0xF900,  0xFAFF },
    {0xFE30,  0xFE6F },
    {0xFF00,  0xFF60 },
    {0xFFE0,  0xFFE6 },
    {0x1F004, 0x1F004},
    {0x1F0CF, 0x1F0CF},
    {0x1F18E, 0x1F18E},
    {0x1F191, 0x1F19A},
    {0x1F200, 0x1F320},
    {0x1F32D, 0x1F335},
    {0x1F337, 0x1F37C},
    {0x1F37E, 0x1F393},
    {0x1F3A0, 0x1F3CA},
    {0x1F3CF, 0x1F3D3},
    {0x1F3E0, 0x1F3F0},
    {0x1F3F4, 0x1F3F4},
    {0x1F3F8, 0x1F43E},
    {0x1F440, 0x1F440},
    {0x1F442, 0x1F4FC},
    {0x1F4FF, 0x1F53D},
    {0x1F54B, 0x1F54E},
    {0x1F550, 0x1F567},
    {0x1F57A, 0x1F57A},
    {0x1F595, 0x1F596},
    {0x1F5A4, 0x1F5A4},
    {0x1F5FB, 0x1F64F},
    {0x1F680, 0x1F6C5},
    {0x1F6CC, 0x1F6CC},
    {0x1F6D0, 0x1F6D2},
    {0x1F6D5, 0x1F6D7},
    {0x1F6DC, 0x1F6DF},
    {0x1F6EB, 0x1F6EC},
    {0x1F6F4, 0x1F6FC},
    {0x1F7E0, 0x1F7EB},
    {0x1F7F0, 0x1F7F0},
    {0x1F90C, 0x1F93A},
    {0x1F93C, 0x1F945},
    {0x1F947, 0x1F9FF},
    {0x1FA70, 0x1FAFF},
    {0x20000, 0x3FFFD},
};

static bool is_in(const Range *ranges, size_t count, uint32_t point) {
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (point > ranges[middle].last) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < count && point >= ranges[low].first;
}

// Shown as U+FFFD: controls, bidirectional controls, the byte-order mark, line separators.
static bool is_hidden(uint32_t point) {
    return point < 0x20 || (point >= 0x7F && point < 0xA0) || point == UTF8_INVALID ||
           point == 0x061C || (point >= 0x200E && point <= 0x200F) ||
           (point >= 0x2028 && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069) ||
           point == 0xFEFF;
}

uint32_t display_point_width(uint32_t point) {
    if (point == '\t') return TAB_WIDTH;
    if (point < 0x300 || is_hidden(point)) return 1;
    if (is_in(no_width, COUNT(no_width), point)) return 0;
    return is_in(wide, COUNT(wide), point) ? 2 : 1;
}

uint32_t display_width(Str text) {
    uint32_t width = 0;
    for (size_t at = 0; at < text.len;) width += display_point_width(utf8_next(text, &at));
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
        const uint32_t width = display_point_width(point);
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
