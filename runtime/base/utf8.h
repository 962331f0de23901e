// utf8.h - UTF-8, strictly: no overlong forms, no surrogates, nothing above U+10FFFF.
#ifndef FLOW_BASE_UTF8_H
#define FLOW_BASE_UTF8_H

#include <stdint.h>

#include "base/str.h"

#define UTF8_INVALID UINT32_MAX

// Decodes the code point at *at and moves *at behind it; at an invalid byte gives UTF8_INVALID and
// moves one byte. *at must be < str.len.
uint32_t utf8_next(Str str, size_t *at);
// Writes 1 to 4 bytes, returns how many. `point` must be a valid code point.
size_t utf8_put(uint32_t point, char out[4]);
// Offset of the first invalid byte, or STR_NOT_FOUND.
size_t utf8_find_invalid(Str str);
// From `at` on, the first byte that is not ASCII; the first that is no printable ASCII or is one of
// `"` and `\`. Eight bytes at a time; the length where there is none.
size_t ascii_end(Str str, size_t at);
size_t ascii_plain_end(Str str, size_t at);
// Code points; UTF-16 units (what the expression language counts). Invalid bytes count one each.
size_t utf8_count(Str str);
size_t utf8_count_utf16(Str str);

#endif
