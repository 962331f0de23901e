// codec.c - encodings of bytes as text.
#include "base/codec.h"

#include <string.h>

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64url_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void hex_encode(Buffer *out, const uint8_t *bytes, size_t len) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        buffer_add_char(out, digits[bytes[i] >> 4]);
        buffer_add_char(out, digits[bytes[i] & 15]);
    }
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool hex_decode(Str text, uint8_t *out, size_t len) {
    if (text.len != len * 2) return false;
    for (size_t i = 0; i < len; i++) {
        int high = hex_value(text.ptr[2 * i]);
        int low = hex_value(text.ptr[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static void encode64(Buffer *out, Str bytes, const char *digits, bool padded) {
    const unsigned char *from = (const unsigned char *)bytes.ptr;
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t group = (uint32_t)from[i] << 16;
        if (left > 1) group |= (uint32_t)from[i + 1] << 8;
        if (left > 2) group |= from[i + 2];
        buffer_add_char(out, digits[group >> 18 & 63]);
        buffer_add_char(out, digits[group >> 12 & 63]);
        if (left > 1) buffer_add_char(out, digits[group >> 6 & 63]);
        if (left > 2) buffer_add_char(out, digits[group & 63]);
        if (padded && left < 3) buffer_add_repeat(out, '=', 3 - left);
    }
}

void base64_encode(Buffer *out, Str bytes) {
    encode64(out, bytes, base64_digits, true);
}

void base64url_encode(Buffer *out, Str bytes) {
    encode64(out, bytes, base64url_digits, false);
}

static int base64_value(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+' || c == '-') return 62;
    if (c == '/' || c == '_') return 63;
    return -1;
}

bool base64_decode(Buffer *out, Str text) {
    size_t len = text.len;
    size_t padding = 0;
    while (len > 0 && text.ptr[len - 1] == '=' && padding < 2) {
        len--;
        padding++;
    }
    if (len % 4 == 1 || (padding > 0 && text.len % 4 != 0)) return false;
    uint32_t group = 0;
    int bits = 0;
    for (size_t i = 0; i < len; i++) {
        int value = base64_value(text.ptr[i]);
        if (value < 0) return false;
        group = group << 6 | (uint32_t)value;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            buffer_add_char(out, (char)(group >> bits & 0xFF));
        }
    }
    return true;
}

static bool is_unreserved(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void percent_encode(Buffer *out, Str text) {
    for (size_t i = 0; i < text.len; i++) {
        if (is_unreserved(text.ptr[i])) {
            buffer_add_char(out, text.ptr[i]);
        } else {
            buffer_printf(out, "%%%02X", (unsigned)(unsigned char)text.ptr[i]);
        }
    }
}

bool percent_decode(Buffer *out, Str text) {
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '%') {
            buffer_add_char(out, text.ptr[i]);
            continue;
        }
        uint8_t byte = 0;
        if (!hex_decode(str_slice(text, i + 1, i + 3), &byte, 1)) return false;
        buffer_add_char(out, (char)byte);
        i += 2;
    }
    return true;
}
