// unicode.c - see unicode.h. The tables come from unicode_table.py.
#include "leaf/unicode.h"

#include "base/attributes.h"
#include "base/utf8.h"
#include "leaf/unicode_table.h"

static uint32_t mapped(const CaseRange *ranges, size_t count, uint32_t point) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const CaseRange *range = &ranges[middle];
        if (point < range->first) {
            high = middle;
        } else if (point > range->last) {
            low = middle + 1;
        } else {
            bool is_member = (point - range->first) % (uint32_t)range->stride == 0;
            return is_member ? (uint32_t)((int64_t)point + range->delta) : point;
        }
    }
    return point;
}

static void add_point(Buffer *out, uint32_t point) {
    char bytes[4];
    buffer_add_bytes(out, bytes, utf8_put(point, bytes));
}

static uint32_t next_or_raw(Str text, size_t *at) {
    size_t start = *at;
    uint32_t point = utf8_next(text, at);
    return point == UTF8_INVALID ? (unsigned char)text.ptr[start] : point;
}

static void upper_point(Buffer *out, uint32_t point) {
    if (point < 0x80) {
        buffer_add_char(out, (char)(point >= 'a' && point <= 'z' ? point - 32 : point));
        return;
    }
    for (size_t i = 0; i < COUNT(upper_specials); i++) {
        if (upper_specials[i].point != point) continue;
        buffer_add(out, str_from(upper_specials[i].text));
        return;
    }
    add_point(out, mapped(upper_ranges, COUNT(upper_ranges), point));
}

void unicode_upper(Buffer *out, Str text) {
    for (size_t at = 0; at < text.len;) upper_point(out, next_or_raw(text, &at));
}

static bool is_letter(uint32_t point) {
    if (point < 0x80) return (point | 32) >= 'a' && (point | 32) <= 'z';
    return mapped(upper_ranges, COUNT(upper_ranges), point) != point ||
           mapped(lower_ranges, COUNT(lower_ranges), point) != point;
}

void unicode_lower(Buffer *out, Str text) {
    bool after_letter = false;
    for (size_t at = 0; at < text.len;) {
        uint32_t point = next_or_raw(text, &at);
        if (point < 0x80) {
            buffer_add_char(out, (char)(point >= 'A' && point <= 'Z' ? point + 32 : point));
        } else if (point == 0x3a3) {
            size_t ahead = at;
            bool before_letter = ahead < text.len && is_letter(next_or_raw(text, &ahead));
            add_point(out, after_letter && !before_letter ? 0x3c2 : 0x3c3);
        } else if (point == 0x130) {
            buffer_add(out, STR("i\xcc\x87"));
        } else {
            add_point(out, mapped(lower_ranges, COUNT(lower_ranges), point));
        }
        after_letter = is_letter(point);
    }
}

void unicode_title_point(Buffer *out, uint32_t point) {
    uint32_t title = mapped(title_ranges, COUNT(title_ranges), point);
    if (title == point && point >= 0x80) {
        title = mapped(upper_ranges, COUNT(upper_ranges), point);
    } else if (point >= 'a' && point <= 'z') {
        title = point - 32;
    }
    add_point(out, title);
}

char unicode_base_letter(uint32_t point) {
    size_t low = 0, high = COUNT(base_letters);
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (base_letters[middle].point == point) return base_letters[middle].base;
        if (base_letters[middle].point < point) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return 0;
}

bool unicode_is_mark(uint32_t point) {
    return point >= 0x300 && point <= 0x36f;
}

bool unicode_is_blank(uint32_t point) {
    if ((point >= 9 && point <= 13) || (point >= 28 && point <= 32)) return true;
    return point == 0x1680 || (point >= 0x2000 && point <= 0x200a && point != 0x2007) ||
           point == 0x2028 || point == 0x2029 || point == 0x205f || point == 0x3000;
}

bool unicode_slice_utf16(Str text, uint64_t from, uint64_t to, Str *out) {
    uint64_t units = 0;
    size_t start = text.len, at = 0;
    bool has_start = false;
    while (at < text.len && units < to) {
        if (units == from && !has_start) {
            start = at;
            has_start = true;
        }
        uint32_t point = next_or_raw(text, &at);
        uint64_t width = point >= 0x10000 ? 2 : 1;
        if (width == 2 && (units + 1 == from || units + 1 == to)) return false;
        units += width;
    }
    if (!has_start) start = at;
    *out = str_slice(text, start, at);
    return true;
}
