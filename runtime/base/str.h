// str.h - a piece of text: pointer and length, by value, borrowed, not NUL-terminated.
//
// A Str never owns its bytes; they live in an arena, a file or the program. Bytes are UTF-8 where a
// function says so and anything else where it does not. (Str){0} is the empty text.
#ifndef FLOW_BASE_STR_H
#define FLOW_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Arena Arena;

typedef struct Str {
    const char *ptr;
    size_t len;
} Str;

#define STR(literal) ((Str){"" literal, sizeof(literal) - 1})
#define STR_FMT      "%.*s"
#define STR_ARG(str)                                                                               \
    (int)((str).len > 0x7fffffff ? 0x7fffffff : (str).len), ((str).ptr ? (str).ptr : "")
#define STR_NOT_FOUND SIZE_MAX

// The text of a C string; NULL gives the empty text.
Str str_from(const char *text);
bool str_eq(Str a, Str b);
bool str_eq_ignore_case(Str a, Str b);  // ASCII letters only
// Bytewise order: negative, zero or positive.
int str_cmp(Str a, Str b);
bool str_starts_with(Str str, Str prefix);
bool str_ends_with(Str str, Str suffix);
// Position of the first occurrence at or after `from`, or STR_NOT_FOUND.
size_t str_find(Str str, Str needle, size_t from);
size_t str_find_char(Str str, char c, size_t from);
// The last one, or STR_NOT_FOUND.
size_t str_find_last_char(Str str, char c);
// From `start` to before `end`, both cut to the length.
Str str_slice(Str str, size_t start, size_t end);
// Without white space (space, tab, CR, LF, FF, VT) at both ends.
Str str_trim(Str str);
// Takes everything up to `separator` off `*rest` and returns it; the separator is dropped. False at
// the end.
bool str_split(Str *rest, char separator, Str *out);
// A copy in the arena, NUL-terminated behind its length: what goes to a C API.
Str str_dup(Arena *arena, Str str);
const char *str_to_c(Arena *arena, Str str);
Str str_concat(Arena *arena, Str a, Str b);
// Formatted text in the arena.
Str str_printf(Arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
// A decimal 64-bit integer with an optional sign, the whole text; false otherwise or out of range.
bool str_to_int(Str str, int64_t *out);
// 32-bit FNV-1a; for tables in memory, never written anywhere.
uint32_t str_hash(Str str);
// Edits (insert, delete, replace, swap neighbours) from a to b; more than `limit` gives limit + 1.
// ASCII case costs nothing.
size_t str_distance(Str a, Str b, size_t limit);

#endif
