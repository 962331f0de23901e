// utf8.c - strict decoding after the table of well-formed byte sequences in the Unicode Standard
// (3-7).
#include "base/utf8.h"

#include <string.h>

#define EACH(byte) (0x0101010101010101u * (byte))

static bool is_tail(unsigned char c) {
    return (c & 0xC0) == 0x80;
}

uint32_t utf8_next(Str str, size_t *at) {
    const unsigned char *bytes = (const unsigned char *)str.ptr + *at;
    size_t left = str.len - *at;
    unsigned char first = bytes[0];
    *at += 1;
    if (first < 0x80) return first;
    size_t more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
    if (first < 0xC2 || first > 0xF4 || left <= more) return UTF8_INVALID;
    uint32_t point = first & (0x3Fu >> more);
    for (size_t i = 1; i <= more; i++) {
        if (!is_tail(bytes[i])) return UTF8_INVALID;
        point = point << 6 | (bytes[i] & 0x3F);
    }
    bool overlong = (more == 2 && point < 0x800) || (more == 3 && point < 0x10000);
    if (overlong || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) return UTF8_INVALID;
    *at += more;
    return point;
}

size_t utf8_put(uint32_t point, char out[4]) {
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (char)(0xC0 | point >> 6);
        out[1] = (char)(0x80 | (point & 0x3F));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (char)(0xE0 | point >> 12);
        out[1] = (char)(0x80 | (point >> 6 & 0x3F));
        out[2] = (char)(0x80 | (point & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | point >> 18);
    out[1] = (char)(0x80 | (point >> 12 & 0x3F));
    out[2] = (char)(0x80 | (point >> 6 & 0x3F));
    out[3] = (char)(0x80 | (point & 0x3F));
    return 4;
}

size_t ascii_end(Str str, size_t at) {
    for (uint64_t word; at + sizeof word <= str.len; at += sizeof word) {
        memcpy(&word, str.ptr + at, sizeof word);
        if ((word & EACH(0x80)) != 0) break;
    }
    while (at < str.len && (unsigned char)str.ptr[at] < 0x80) at++;
    return at;
}

// The high bit of each byte of ASCII that is below that of `least`. A byte above such a one may
// have it wrongly, so only whether there is any is certain.
static uint64_t bytes_below(uint64_t word, uint64_t least) {
    return (word - least) & ~word;
}

size_t ascii_plain_end(Str str, size_t at) {
    for (uint64_t word; at + sizeof word <= str.len; at += sizeof word) {
        memcpy(&word, str.ptr + at, sizeof word);
        uint64_t special =
            word | bytes_below(word, EACH(0x20)) | bytes_below(word ^ EACH('"'), EACH(1)) |
            bytes_below(word ^ EACH('\\'), EACH(1)) | bytes_below(word ^ EACH(0x7f), EACH(1));
        if ((special & EACH(0x80)) != 0) break;
    }
    for (; at < str.len; at++) {
        unsigned char c = (unsigned char)str.ptr[at];
        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\') break;
    }
    return at;
}

size_t utf8_find_invalid(Str str) {
    for (size_t at = 0; (at = ascii_end(str, at)) < str.len;) {
        size_t start = at;
        if (utf8_next(str, &at) == UTF8_INVALID) return start;
    }
    return STR_NOT_FOUND;
}

size_t utf8_count(Str str) {
    size_t count = 0;
    for (size_t at = 0; at < str.len; count++) utf8_next(str, &at);
    return count;
}

size_t utf8_count_utf16(Str str) {
    size_t count = 0;
    for (size_t at = 0; at < str.len;) {
        uint32_t point = utf8_next(str, &at);
        count += point != UTF8_INVALID && point >= 0x10000 ? 2 : 1;
    }
    return count;
}
