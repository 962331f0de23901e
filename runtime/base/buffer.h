// buffer.h - text that grows. The caller owns it: `Buffer buffer = {0};` … buffer_release().
#ifndef FLOW_BASE_BUFFER_H
#define FLOW_BASE_BUFFER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

typedef struct Buffer Buffer;

struct Buffer {
    char *ptr;
    size_t len;
    size_t capacity;
    bool is_wiped;  // set by who makes it: nothing is left behind where it moves or is released
};

void buffer_release(Buffer *buffer);
void buffer_clear(Buffer *buffer);  // keeps the memory
void buffer_reserve(Buffer *buffer, size_t more);
void buffer_add(Buffer *buffer, Str str);
void buffer_add_char(Buffer *buffer, char c);
void buffer_add_bytes(Buffer *buffer, const void *bytes, size_t len);
void buffer_add_repeat(Buffer *buffer, char c, size_t count);
void buffer_printf(Buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buffer_vprintf(Buffer *buffer, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
void buffer_add_u16(Buffer *buffer, uint16_t value);  // little-endian
void buffer_add_u32(Buffer *buffer, uint32_t value);
void buffer_add_u64(Buffer *buffer, uint64_t value);
// `text` as JSON text with its quotes; invalid UTF-8 becomes U+FFFD.
void buffer_add_json(Buffer *buffer, Str text);
// What it holds, borrowed until the next change. buffer_to_str copies into an arena.
Str buffer_str(const Buffer *buffer);
Str buffer_to_str(const Buffer *buffer, Arena *arena);

#endif
