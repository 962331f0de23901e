// buffer.c - growing text; doubles, so that adding is cheap on average.
#include "base/buffer.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/utf8.h"
#include "base/wiped.h"

void buffer_release(Buffer *buffer) {
    if (buffer->is_wiped) {
        wiped_free(buffer->ptr);
    } else {
        heap_free(buffer->ptr);
    }
    *buffer = (Buffer){0};
}

void buffer_clear(Buffer *buffer) {
    buffer->len = 0;
}

void buffer_reserve(Buffer *buffer, size_t more) {
    if (more > SIZE_MAX / 4 - buffer->len) out_of_memory();
    size_t need = buffer->len + more + 1;
    if (need <= buffer->capacity) return;
    size_t capacity = buffer->capacity == 0 ? 64 : buffer->capacity * 2;
    if (capacity < need) capacity = need;
    if (buffer->is_wiped) {
        buffer->ptr = wiped_realloc(buffer->ptr, capacity);
        if (buffer->ptr == NULL) out_of_memory();
    } else {
        buffer->ptr = heap_resize(buffer->ptr, capacity, 1);
    }
    buffer->capacity = capacity;
}

void buffer_add_bytes(Buffer *buffer, const void *bytes, size_t len) {
    buffer_reserve(buffer, len);
    if (len > 0) memcpy(buffer->ptr + buffer->len, bytes, len);
    buffer->len += len;
    buffer->ptr[buffer->len] = '\0';
}

void buffer_add(Buffer *buffer, Str str) {
    buffer_add_bytes(buffer, str.ptr, str.len);
}

void buffer_add_char(Buffer *buffer, char c) {
    if (buffer->len + 1 >= buffer->capacity) buffer_reserve(buffer, 1);
    buffer->ptr[buffer->len++] = c;
    buffer->ptr[buffer->len] = '\0';
}

void buffer_add_repeat(Buffer *buffer, char c, size_t count) {
    buffer_reserve(buffer, count);
    memset(buffer->ptr + buffer->len, c, count);
    buffer->len += count;
    buffer->ptr[buffer->len] = '\0';
}

void buffer_vprintf(Buffer *buffer, const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    if (len > 0) {
        buffer_reserve(buffer, (size_t)len);
        vsnprintf(buffer->ptr + buffer->len, (size_t)len + 1, format, again);
        buffer->len += (size_t)len;
    }
    va_end(again);
}

void buffer_printf(Buffer *buffer, const char *format, ...) {
    va_list args;
    va_start(args, format);
    buffer_vprintf(buffer, format, args);
    va_end(args);
}

static void add_little_endian(Buffer *buffer, uint64_t value, size_t size) {
    unsigned char bytes[8];
    for (size_t i = 0; i < size; i++) bytes[i] = (unsigned char)(value >> (8 * i));
    buffer_add_bytes(buffer, bytes, size);
}

void buffer_add_u16(Buffer *buffer, uint16_t value) {
    add_little_endian(buffer, value, 2);
}

void buffer_add_u32(Buffer *buffer, uint32_t value) {
    add_little_endian(buffer, value, 4);
}

void buffer_add_u64(Buffer *buffer, uint64_t value) {
    add_little_endian(buffer, value, 8);
}

static void add_json_escape(Buffer *buffer, uint32_t point) {
    switch (point) {
    case '"':
        buffer_add(buffer, STR("\\\""));
        break;
    case '\\':
        buffer_add(buffer, STR("\\\\"));
        break;
    case '\b':
        buffer_add(buffer, STR("\\b"));
        break;
    case '\f':
        buffer_add(buffer, STR("\\f"));
        break;
    case '\n':
        buffer_add(buffer, STR("\\n"));
        break;
    case '\r':
        buffer_add(buffer, STR("\\r"));
        break;
    case '\t':
        buffer_add(buffer, STR("\\t"));
        break;
    default:
        buffer_printf(buffer, "\\u%04X", (unsigned)point);
    }
}

void buffer_add_json(Buffer *buffer, Str text) {
    buffer_add_char(buffer, '"');
    size_t done = 0;
    size_t at = 0;
    while ((at = ascii_plain_end(text, at)) < text.len) {
        size_t start = at;
        if (text.ptr[at] == 0x7f) {
            at++;
            continue;
        }
        uint32_t point = utf8_next(text, &at);
        if (point != UTF8_INVALID && point >= 0x80) continue;
        buffer_add(buffer, str_slice(text, done, start));
        done = at;
        if (point == UTF8_INVALID) {
            buffer_add(buffer, STR("\xEF\xBF\xBD"));
        } else {
            add_json_escape(buffer, point);
        }
    }
    buffer_add(buffer, str_slice(text, done, text.len));
    buffer_add_char(buffer, '"');
}

Str buffer_str(const Buffer *buffer) {
    return (Str){buffer->ptr, buffer->len};
}

Str buffer_to_str(const Buffer *buffer, Arena *arena) {
    return str_dup(arena, buffer_str(buffer));
}
