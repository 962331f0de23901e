// codec.c - Base64 and URL encoding.
#include "base/codec.h"
#include "base/utf8.h"
#include "leaf/machine.h"

// Bytes as text: what is no UTF-8 becomes U+FFFD, as Java's String does it.
// How many bytes of a broken sequence one U+FFFD stands for: those that could have begun a
// character, as Java reads them.
static size_t broken_length(Str bytes, size_t start) {
    const unsigned char *at = (const unsigned char *)bytes.ptr + start;
    size_t left = bytes.len - start, more = at[0] >= 0xF0 ? 3 : at[0] >= 0xE0 ? 2 : 0;
    if (more == 0 || at[0] > 0xF4 || left < 2) return 1;
    unsigned char least = at[0] == 0xE0 ? 0xA0 : at[0] == 0xF0 ? 0x90 : 0x80;
    unsigned char most = at[0] == 0xF4 ? 0x8F : 0xBF;  // 0xED stands for half a pair: three bytes
    if (at[1] < least || at[1] > most) return 1;
    size_t length = 2;
    while (length <= more && length < left && (at[length] & 0xC0) == 0x80) length++;
    return length;
}

void leaf_push_bytes(lua_State *L, Str bytes) {
    if (utf8_find_invalid(bytes) == STR_NOT_FOUND) {
        leaf_push_str(L, bytes);
        return;
    }
    Buffer *out = leaf_scratch(L);
    for (size_t at = 0; at < bytes.len;) {
        size_t start = at;
        if (utf8_next(bytes, &at) == UTF8_INVALID) {
            buffer_add(out, STR("\xef\xbf\xbd"));
            at = start + broken_length(bytes, start);
        } else {
            buffer_add(out, str_slice(bytes, start, at));
        }
    }
    leaf_push_scratch(L);
}

static int base64_encode_filter(lua_State *L) {
    Str text = leaf_to_str(L, FIRST_ARG);
    Buffer *out = leaf_scratch(L);
    base64_encode(out, text);
    leaf_push_scratch(L);
    return 1;
}

static int base64_decode_filter(lua_State *L) {
    Str text = leaf_str(L, FIRST_ARG);
    Buffer *out = leaf_scratch(L);
    // The standard alphabet only: base64_decode() takes the other too.
    bool is_url = str_find_char(text, '-', 0) != STR_NOT_FOUND ||
                  str_find_char(text, '_', 0) != STR_NOT_FOUND;
    if (is_url || !base64_decode(out, text)) {
        char quoted[96];
        leaf_raise(L, LEAF_ERROR_VALUE, "%s is no Base64", leaf_quote(L, FIRST_ARG, quoted));
    }
    leaf_push_bytes(L, buffer_str(out));
    leaf_scratch_end(L);
    return 1;
}

static int url_encode(lua_State *L) {
    static const char digits[] = "0123456789ABCDEF";
    Str text = leaf_str(L, FIRST_ARG);
    Buffer *out = leaf_scratch(L);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool is_kept = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '-' || c == '*' || c == '_';
        if (is_kept) {
            buffer_add_char(out, (char)c);
        } else if (c == ' ') {
            buffer_add_char(out, '+');
        } else {
            buffer_add_char(out, '%');
            buffer_add_char(out, digits[c >> 4]);
            buffer_add_char(out, digits[c & 15]);
        }
    }
    leaf_push_scratch(L);
    return 1;
}

static int url_decode(lua_State *L) {
    Str text = leaf_str(L, FIRST_ARG);
    Buffer *blanks = leaf_scratch(L), *out = leaf_scratch(L);
    for (size_t i = 0; i < text.len; i++) {
        buffer_add_char(blanks, text.ptr[i] == '+' ? ' ' : text.ptr[i]);
    }
    if (!percent_decode(out, buffer_str(blanks))) {
        char quoted[96];
        leaf_raise(L, LEAF_ERROR_VALUE, "%s has a '%%' without two hexadecimal digits",
                   leaf_quote(L, FIRST_ARG, quoted));
    }
    leaf_push_bytes(L, buffer_str(out));
    leaf_scratch_end(L);
    leaf_scratch_end(L);
    return 1;
}

const Builtin leaf_builtins_codec[] = {
    {.kind = BUILTIN_FILTER,
     .name = "base64decode",
     .input = "text",
     .result = "text",
     .flags = BUILTIN_NULL_PASSES | BUILTIN_NO_ARGUMENTS,
     .run = base64_decode_filter,
     .text = "The text a Base64 text stands for; padding is optional.",
     .examples = "{{ 'aGk' | base64decode }} => hi"},
    {.kind = BUILTIN_FILTER,
     .name = "base64encode",
     .input = "any",
     .result = "text",
     .flags = BUILTIN_NULL_PASSES | BUILTIN_NO_ARGUMENTS,
     .run = base64_encode_filter,
     .text = "The text form in Base64, with padding.",
     .examples = "{{ 'user:pässword' | base64encode }} => dXNlcjpww6Rzc3dvcmQ="},
    {.kind = BUILTIN_FILTER,
     .name = "urldecode",
     .input = "text",
     .result = "text",
     .flags = BUILTIN_NULL_PASSES | BUILTIN_NO_ARGUMENTS,
     .run = url_decode,
     .text = "The inverse of `urlencode`.",
     .examples = "{{ 'a+b%26c' | urldecode }} => a b&c"},
    {.kind = BUILTIN_FILTER,
     .name = "urlencode",
     .input = "text",
     .result = "text",
     .flags = BUILTIN_NULL_PASSES | BUILTIN_NO_ARGUMENTS,
     .run = url_encode,
     .text = "A text for use in the query of a URL: a blank gives `+`, other characters `%XX`.",
     .examples = "{{ 'a b&c' | urlencode }} => a+b%26c"},
    {.name = NULL                                                                },
};
