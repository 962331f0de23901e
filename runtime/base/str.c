// str.c - pieces of text: comparing, searching, cutting.
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

Str str_from(const char *text) {
    return text == NULL ? (Str){0} : (Str){text, strlen(text)};
}

bool str_eq(Str a, Str b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool str_eq_ignore_case(Str a, Str b) {
    if (a.len != b.len) return false;
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.ptr[i]) != lower(b.ptr[i])) return false;
    }
    return true;
}

int str_cmp(Str a, Str b) {
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len == 0 ? 0 : memcmp(a.ptr, b.ptr, len);
    if (order != 0) return order;
    return (a.len > b.len) - (a.len < b.len);
}

bool str_starts_with(Str str, Str prefix) {
    return str.len >= prefix.len && str_eq((Str){str.ptr, prefix.len}, prefix);
}

bool str_ends_with(Str str, Str suffix) {
    if (suffix.len == 0) return true;  // also of an empty text without bytes
    return str.len >= suffix.len &&
           str_eq((Str){str.ptr + (str.len - suffix.len), suffix.len}, suffix);
}

size_t str_find(Str str, Str needle, size_t from) {
    if (needle.len == 0) return from <= str.len ? from : STR_NOT_FOUND;
    for (size_t at = from; at + needle.len <= str.len; at++) {
        const char *first = memchr(str.ptr + at, needle.ptr[0], str.len - needle.len + 1 - at);
        if (first == NULL) return STR_NOT_FOUND;
        at = (size_t)(first - str.ptr);
        if (memcmp(first, needle.ptr, needle.len) == 0) return at;
    }
    return STR_NOT_FOUND;
}

size_t str_find_char(Str str, char c, size_t from) {
    if (from >= str.len) return STR_NOT_FOUND;
    const char *at = memchr(str.ptr + from, c, str.len - from);
    return at == NULL ? STR_NOT_FOUND : (size_t)(at - str.ptr);
}

size_t str_find_last_char(Str str, char c) {
    for (size_t at = str.len; at > 0; at--) {
        if (str.ptr[at - 1] == c) return at - 1;
    }
    return STR_NOT_FOUND;
}

Str str_slice(Str str, size_t start, size_t end) {
    if (end > str.len) end = str.len;
    if (start >= end) return (Str){0};
    return (Str){str.ptr + start, end - start};
}

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

Str str_trim(Str str) {
    size_t start = 0;
    size_t end = str.len;
    while (start < end && is_space(str.ptr[start])) start++;
    while (end > start && is_space(str.ptr[end - 1])) end--;
    return str_slice(str, start, end);
}

bool str_split(Str *rest, char separator, Str *out) {
    if (rest->ptr == NULL) return false;
    size_t at = str_find_char(*rest, separator, 0);
    if (at == STR_NOT_FOUND) {
        *out = *rest;
        *rest = (Str){0};
        return true;
    }
    *out = (Str){rest->ptr, at};
    *rest = (Str){rest->ptr + at + 1, rest->len - at - 1};
    return true;
}

Str str_dup(Arena *arena, Str str) {
    char *copy = arena_array(arena, char, str.len + 1);
    if (str.len > 0) memcpy(copy, str.ptr, str.len);
    return (Str){copy, str.len};
}

const char *str_to_c(Arena *arena, Str str) {
    return str_dup(arena, str).ptr;
}

Str str_concat(Arena *arena, Str a, Str b) {
    char *joined = arena_array(arena, char, a.len + b.len + 1);
    if (a.len > 0) memcpy(joined, a.ptr, a.len);
    if (b.len > 0) memcpy(joined + a.len, b.ptr, b.len);
    return (Str){joined, a.len + b.len};
}

Str str_printf(Arena *arena, const char *format, ...) {
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    size_t size = len < 0 ? 0 : (size_t)len;
    char *text = arena_array(arena, char, size + 1);
    if (size > 0) vsnprintf(text, size + 1, format, again);
    va_end(again);
    return (Str){text, size};
}

bool str_to_int(Str str, int64_t *out) {
    size_t at = 0;
    bool negative = str.len > 0 && str.ptr[0] == '-';
    if (str.len > 0 && (str.ptr[0] == '-' || str.ptr[0] == '+')) at = 1;
    if (at == str.len) return false;
    uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
    uint64_t value = 0;
    for (; at < str.len; at++) {
        if (str.ptr[at] < '0' || str.ptr[at] > '9') return false;
        uint64_t digit = (uint64_t)(str.ptr[at] - '0');
        if (value > (limit - digit) / 10) return false;
        value = value * 10 + digit;
    }
    *out = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

uint32_t str_hash(Str str) {
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < str.len; i++) hash = (hash ^ (unsigned char)str.ptr[i]) * 16777619u;
    return hash;
}

enum { DISTANCE_MAX = 64 };  // longer names are compared up to here: a typo finder needs no more

static size_t min_of(size_t a, size_t b) {
    return a < b ? a : b;
}

size_t str_distance(Str a, Str b, size_t limit) {
    a.len = min_of(a.len, DISTANCE_MAX);
    b.len = min_of(b.len, DISTANCE_MAX);
    size_t longer = a.len > b.len ? a.len - b.len : b.len - a.len;
    if (longer > limit) return limit + 1;
    size_t rows[3][DISTANCE_MAX + 1];
    for (size_t j = 0; j <= b.len; j++) rows[0][j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t *row = rows[i % 3];
        const size_t *before = rows[(i + 2) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            char x = lower(a.ptr[i - 1]);
            char y = lower(b.ptr[j - 1]);
            row[j] = min_of(before[j - 1] + (x != y), min_of(before[j], row[j - 1]) + 1);
            bool swapped = i > 1 && j > 1 && x == lower(b.ptr[j - 2]) && lower(a.ptr[i - 2]) == y;
            if (swapped) row[j] = min_of(row[j], rows[(i + 1) % 3][j - 2] + 1);
        }
    }
    size_t distance = rows[a.len % 3][b.len];
    return distance > limit ? limit + 1 : distance;
}
