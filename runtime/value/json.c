// json.c - JSON (RFC 8259) as the language needs it: 64-bit integers, shortest floats, big integers
// as their digits.
//
// One pull reader; json_parse builds Values on it. Depth and bytes are limited, UTF-8 is strict,
// nothing is guessed.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "value/value.h"

enum {
    DEFAULT_DEPTH = 64,
    NUMBER_MAX = 4096
};  // digits of a number: longer ones are an attack, not data
#define DEFAULT_BYTES ((size_t)64 << 20)

// What may come next.
enum {
    EXPECT_VALUE,
    EXPECT_FIRST_ITEM,
    EXPECT_FIRST_KEY,
    EXPECT_AFTER,
    EXPECT_COLON_VALUE,
    EXPECT_DONE
};

void json_reader_init(JsonReader *reader, Str text, JsonLimits limits) {
    memset(reader, 0, sizeof *reader);
    reader->text = text;
    reader->limits = limits;
    if (reader->limits.bytes == 0) reader->limits.bytes = DEFAULT_BYTES;
    bool is_default = limits.depth == 0 || limits.depth > DEFAULT_DEPTH;
    if (is_default) reader->limits.depth = DEFAULT_DEPTH;
    reader->state = EXPECT_VALUE;
    reader->err = err_none();
}

void json_reader_release(JsonReader *reader) {
    buffer_release(&reader->scratch);
}

static void place_of(const JsonReader *reader, size_t at, size_t *line, size_t *column) {
    *line = 1;
    size_t start = 0;
    for (size_t i = 0; i < at && i < reader->text.len; i++) {
        if (reader->text.ptr[i] != '\n') continue;
        *line += 1;
        start = i + 1;
    }
    *column = utf8_count(str_slice(reader->text, start, at)) + 1;
}

static JsonToken fail_at(JsonReader *reader, size_t at, const char *what) {
    size_t line = 0;
    size_t column = 0;
    place_of(reader, at, &line, &column);
    reader->err = err_make(ERR_INPUT, "line %zu, column %zu: %s", line, column, what);
    return JSON_ERROR;
}

static JsonToken fail(JsonReader *reader, const char *what) {
    return fail_at(reader, reader->at, what);
}

static void skip_space(JsonReader *reader) {
    while (reader->at < reader->text.len) {
        char c = reader->text.ptr[reader->at];
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r') return;
        reader->at++;
    }
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// Four digits behind `\u`; UTF8_INVALID where there are none.
static uint32_t read_unit(JsonReader *reader) {
    if (reader->text.len - reader->at < 4) return UTF8_INVALID;
    uint32_t unit = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(reader->text.ptr[reader->at + i]);
        if (digit < 0) return UTF8_INVALID;
        unit = unit << 4 | (uint32_t)digit;
    }
    reader->at += 4;
    return unit;
}

static bool read_unicode_escape(JsonReader *reader) {
    uint32_t point = read_unit(reader);
    if (point == UTF8_INVALID) return false;
    if (point >= 0xDC00 && point <= 0xDFFF) return false;
    if (point >= 0xD800 && point <= 0xDBFF) {
        Str rest = str_slice(reader->text, reader->at, reader->text.len);
        if (!str_starts_with(rest, STR("\\u"))) return false;
        reader->at += 2;
        uint32_t low = read_unit(reader);
        if (low == UTF8_INVALID || low < 0xDC00 || low > 0xDFFF) return false;
        point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
    }
    char bytes[4];
    buffer_add_bytes(&reader->scratch, bytes, utf8_put(point, bytes));
    return true;
}

static bool read_escape(JsonReader *reader) {
    if (reader->at >= reader->text.len) return false;
    char c = reader->text.ptr[reader->at++];
    switch (c) {
    case '"':
    case '\\':
    case '/':
        buffer_add_char(&reader->scratch, c);
        return true;
    case 'b':
        buffer_add_char(&reader->scratch, '\b');
        return true;
    case 'f':
        buffer_add_char(&reader->scratch, '\f');
        return true;
    case 'n':
        buffer_add_char(&reader->scratch, '\n');
        return true;
    case 'r':
        buffer_add_char(&reader->scratch, '\r');
        return true;
    case 't':
        buffer_add_char(&reader->scratch, '\t');
        return true;
    case 'u':
        return read_unicode_escape(reader);
    default:
        return false;
    }
}

static JsonToken read_text(JsonReader *reader, JsonToken kind) {
    size_t opening = reader->at;
    reader->at++;
    size_t start = reader->at;
    bool is_borrowed = true;
    buffer_clear(&reader->scratch);
    while (reader->at < reader->text.len) {
        unsigned char c = (unsigned char)reader->text.ptr[reader->at];
        if (c == '"') {
            Str piece = str_slice(reader->text, start, reader->at++);
            if (is_borrowed) {
                reader->token = piece;
                return kind;
            }
            buffer_add(&reader->scratch, piece);
            reader->token = buffer_str(&reader->scratch);
            return kind;
        }
        if (c < 0x20) return fail(reader, "a control character inside a text must be escaped");
        if (c == '\\') {
            size_t escape = reader->at;
            buffer_add(&reader->scratch, str_slice(reader->text, start, reader->at++));
            is_borrowed = false;
            if (!read_escape(reader)) return fail_at(reader, escape, "a broken escape in a text");
            start = reader->at;
        } else if (c < 0x80) {
            reader->at++;
        } else if (utf8_next(reader->text, &reader->at) == UTF8_INVALID) {
            return fail_at(reader, reader->at - 1, "invalid UTF-8 in a text");
        }
    }
    return fail_at(reader, opening, "a text without its closing quote");
}

static bool is_digit(const JsonReader *reader, size_t at) {
    return at < reader->text.len && reader->text.ptr[at] >= '0' && reader->text.ptr[at] <= '9';
}

static char char_at(const JsonReader *reader, size_t at) {
    return at < reader->text.len ? reader->text.ptr[at] : '\0';
}

// Moves behind a number; false where it is malformed. *is_float says whether it has a fraction or
// an exponent.
static bool scan_number(JsonReader *reader, bool *is_float) {
    size_t at = reader->at;
    *is_float = false;
    if (char_at(reader, at) == '-') at++;
    if (!is_digit(reader, at)) return false;
    if (char_at(reader, at) == '0' && is_digit(reader, at + 1)) return false;
    while (is_digit(reader, at)) at++;
    if (char_at(reader, at) == '.') {
        *is_float = true;
        at++;
        if (!is_digit(reader, at)) return false;
        while (is_digit(reader, at)) at++;
    }
    if (char_at(reader, at) == 'e' || char_at(reader, at) == 'E') {
        *is_float = true;
        at++;
        if (char_at(reader, at) == '+' || char_at(reader, at) == '-') at++;
        if (!is_digit(reader, at)) return false;
        while (is_digit(reader, at)) at++;
    }
    reader->at = at;
    return true;
}

static JsonToken read_number(JsonReader *reader) {
    size_t start = reader->at;
    bool is_float = false;
    if (!scan_number(reader, &is_float)) return fail_at(reader, start, "a malformed number");
    Str digits = str_slice(reader->text, start, reader->at);
    if (digits.len > NUMBER_MAX) return fail_at(reader, start, "a number of too many digits");
    if (!is_float) {
        if (str_to_int(digits, &reader->integer)) return JSON_INT;
        reader->token = digits;
        return JSON_BIGNUM;
    }
    char copy[NUMBER_MAX + 1];
    memcpy(copy, digits.ptr, digits.len);
    copy[digits.len] = '\0';
    reader->real = strtod(copy, NULL);  // the C locale is in force: we never call setlocale
    return JSON_FLOAT;
}

static JsonToken read_word(JsonReader *reader) {
    static const struct {
        Str word;
        JsonToken token;
    } words[] = {
        {{"null", 4},  JSON_NULL },
        {{"true", 4},  JSON_TRUE },
        {{"false", 5}, JSON_FALSE},
    };
    Str rest = str_slice(reader->text, reader->at, reader->text.len);
    for (size_t i = 0; i < COUNT(words); i++) {
        if (!str_starts_with(rest, words[i].word)) continue;
        reader->at += words[i].word.len;
        return words[i].token;
    }
    return fail(reader, "expected a value");
}

static JsonToken open_level(JsonReader *reader, uint8_t bracket) {
    if (reader->depth == reader->limits.depth) {
        size_t line = 0;
        size_t column = 0;
        place_of(reader, reader->at, &line, &column);
        reader->err = err_make(ERR_LIMIT, "line %zu, column %zu: nested deeper than %u levels",
                               line, column, (unsigned)reader->limits.depth);
        return JSON_ERROR;
    }
    reader->stack[reader->depth++] = bracket;
    reader->at++;
    reader->state = bracket == '[' ? EXPECT_FIRST_ITEM : EXPECT_FIRST_KEY;
    return bracket == '[' ? JSON_LIST_START : JSON_MAP_START;
}

static JsonToken close_level(JsonReader *reader) {
    reader->at++;
    uint8_t bracket = reader->stack[--reader->depth];
    reader->state = reader->depth == 0 ? EXPECT_DONE : EXPECT_AFTER;
    return bracket == '[' ? JSON_LIST_END : JSON_MAP_END;
}

static JsonToken read_value(JsonReader *reader) {
    char c = char_at(reader, reader->at);
    if (reader->at >= reader->text.len)
        return fail(reader, "the text ends where a value is expected");
    if (c == '[' || c == '{') return open_level(reader, (uint8_t)c);
    reader->state = reader->depth == 0 ? EXPECT_DONE : EXPECT_AFTER;
    if (c == '"') return read_text(reader, JSON_TEXT);
    if (c == '-' || (c >= '0' && c <= '9')) return read_number(reader);
    return read_word(reader);
}

static JsonToken read_key(JsonReader *reader) {
    if (char_at(reader, reader->at) != '"') return fail(reader, "expected a key in double quotes");
    JsonToken token = read_text(reader, JSON_KEY);
    if (token == JSON_ERROR) return token;
    skip_space(reader);
    if (char_at(reader, reader->at) != ':') return fail(reader, "expected ':' behind the key");
    reader->at++;
    reader->state = EXPECT_COLON_VALUE;
    return JSON_KEY;
}

JsonToken json_next(JsonReader *reader) {
    if (reader->err.code != ERR_NONE) return JSON_ERROR;
    if (reader->at == 0 && reader->text.len > reader->limits.bytes) {
        reader->err = err_make(ERR_LIMIT, "more than %zu bytes of JSON", reader->limits.bytes);
        return JSON_ERROR;
    }
    skip_space(reader);
    char c = char_at(reader, reader->at);
    switch (reader->state) {
    case EXPECT_FIRST_ITEM:
        if (c == ']') return close_level(reader);
        return read_value(reader);
    case EXPECT_FIRST_KEY:
        if (c == '}') return close_level(reader);
        return read_key(reader);
    case EXPECT_AFTER: {
        bool in_list = reader->stack[reader->depth - 1] == '[';
        if (c == (in_list ? ']' : '}')) return close_level(reader);
        if (c != ',') {
            return fail(reader, in_list ? "expected ',' or ']'" : "expected ',' or '}'");
        }
        reader->at++;
        skip_space(reader);
        return in_list ? read_value(reader) : read_key(reader);
    }
    case EXPECT_DONE:
        if (reader->at < reader->text.len) return fail(reader, "something stands behind the value");
        return JSON_END;
    default:
        return read_value(reader);
    }
}

// --- building values ----------------------------------------------------------------------------

static Value scalar_of(JsonReader *reader, JsonToken token, Arena *arena) {
    if (token == JSON_TRUE || token == JSON_FALSE) return value_bool(token == JSON_TRUE);
    if (token == JSON_INT) return value_int(reader->integer);
    if (token == JSON_FLOAT) return value_float(reader->real);
    if (token == JSON_TEXT) return value_text(str_dup(arena, reader->token));
    if (token == JSON_BIGNUM) {
        return (Value){.kind = VALUE_BIGNUM, .as.text = str_dup(arena, reader->token)};
    }
    return value_null();
}

static void put(Arena *arena, Value parent, Str key, Value value) {
    if (parent.kind == VALUE_LIST) value_list_add(arena, parent, value);
    if (parent.kind == VALUE_MAP) value_map_set(arena, parent, key, value);
}

Err json_parse(Str text, JsonLimits limits, Arena *arena, Value *out) {
    JsonReader reader;
    json_reader_init(&reader, text, limits);
    Value parents[DEFAULT_DEPTH + 1];
    Str keys[DEFAULT_DEPTH + 1];
    uint32_t depth = 0;
    Value result = value_null();
    for (;;) {
        JsonToken token = json_next(&reader);
        if (token == JSON_ERROR || token == JSON_END) break;
        if (token == JSON_KEY) {
            keys[depth] = str_dup(arena, reader.token);
            continue;
        }
        if (token == JSON_LIST_END || token == JSON_MAP_END) {
            depth--;
            continue;
        }
        Value value = token == JSON_LIST_START  ? value_list(arena)
                      : token == JSON_MAP_START ? value_map(arena)
                                                : scalar_of(&reader, token, arena);
        if (depth == 0) {
            result = value;
        } else {
            put(arena, parents[depth], keys[depth], value);
        }
        if (token == JSON_LIST_START || token == JSON_MAP_START) {
            parents[++depth] = value;
            keys[depth] = (Str){0};
        }
    }
    Err err = reader.err;
    json_reader_release(&reader);
    if (err.code == ERR_NONE) *out = result;
    return err;
}

// --- writing ------------------------------------------------------------------------------------

void value_print_float(Buffer *out, double real) {
    if (isnan(real)) {
        buffer_add(out, STR("NaN"));
        return;
    }
    if (isinf(real)) {
        buffer_add(out, real < 0 ? STR("-Infinity") : STR("Infinity"));
        return;
    }
    if (real == 0) {
        buffer_add(out, signbit(real) ? STR("-0.0") : STR("0.0"));
        return;
    }
    char text[40];
    int precision = 0;
    do {  // the shortest that reads back the same; 17 digits always do
        snprintf(text, sizeof text, "%.*e", precision, real);
    } while (precision++ < 17 && strtod(text, NULL) != real);
    char digits[24];
    size_t count = 0;
    const char *at = text;
    if (*at == '-') {
        buffer_add_char(out, '-');
        at++;
    }
    for (; *at != 'e'; at++) {
        if (*at != '.') digits[count++] = *at;
    }
    int exponent = (int)strtol(at + 1, NULL, 10);
    if (exponent < -3 || exponent >= 7) {  // d.dddE±n
        Str fraction = count > 1 ? (Str){digits + 1, count - 1} : STR("0");
        buffer_printf(out, "%c." STR_FMT "E%d", digits[0], STR_ARG(fraction), exponent);
    } else if (exponent < 0) {
        buffer_add(out, STR("0."));
        buffer_add_repeat(out, '0', (size_t)(-exponent - 1));
        buffer_add_bytes(out, digits, count);
    } else {
        size_t whole = (size_t)exponent + 1;
        if (count <= whole) {
            buffer_add_bytes(out, digits, count);
            buffer_add_repeat(out, '0', whole - count);
            buffer_add(out, STR(".0"));
        } else {
            buffer_add_bytes(out, digits, whole);
            buffer_add_char(out, '.');
            buffer_add_bytes(out, digits + whole, count - whole);
        }
    }
}

static void new_line(Buffer *out, JsonStyle style, uint32_t depth) {
    if (style != JSON_PRETTY) return;
    buffer_add_char(out, '\n');
    buffer_add_repeat(out, ' ', (size_t)depth * 2);
}

static void write_value(Buffer *out, Value value, JsonStyle style, unsigned flags, uint32_t depth);

static void write_list(Buffer *out, const ValueList *list, JsonStyle style, unsigned flags,
                       uint32_t depth) {
    buffer_add_char(out, '[');
    for (uint32_t i = 0; i < list->count; i++) {
        if (i > 0) buffer_add_char(out, ',');
        new_line(out, style, depth + 1);
        write_value(out, list->items[i], style, flags, depth + 1);
    }
    if (list->count > 0) new_line(out, style, depth);
    buffer_add_char(out, ']');
}

static int compare_members(const void *a, const void *b) {
    const ValueMember *const *left = a;
    const ValueMember *const *right = b;
    return str_cmp((*left)->key, (*right)->key);
}

static void write_map(Buffer *out, const ValueMap *map, JsonStyle style, unsigned flags,
                      uint32_t depth) {
    Arena scratch = {0};
    const ValueMember **order = NULL;
    if (style == JSON_CANONICAL && map->count > 1) {
        order = arena_array(&scratch, const ValueMember *, map->count);
        for (uint32_t i = 0; i < map->count; i++) order[i] = &map->members[i];
        qsort(order, map->count, sizeof *order, compare_members);
    }
    buffer_add_char(out, '{');
    bool is_first = true;
    for (uint32_t i = 0; i < map->count; i++) {
        const ValueMember *member = order == NULL ? &map->members[i] : order[i];
        ValueKind kind = member->value.kind;
        bool is_null = kind == VALUE_NULL || kind == VALUE_UNDEFINED;
        if (is_null && (flags & JSON_DROP_NULLS) != 0) continue;
        if (!is_first) buffer_add_char(out, ',');
        is_first = false;
        new_line(out, style, depth + 1);
        buffer_add_json(out, member->key);
        buffer_add(out, style == JSON_PRETTY ? STR(": ") : STR(":"));
        write_value(out, member->value, style, flags, depth + 1);
    }
    if (!is_first) new_line(out, style, depth);
    buffer_add_char(out, '}');
    arena_release(&scratch);
}

static void write_value(Buffer *out, Value value, JsonStyle style, unsigned flags, uint32_t depth) {
    switch (value.kind) {
    case VALUE_NULL:
    case VALUE_UNDEFINED:
        buffer_add(out, STR("null"));
        return;
    case VALUE_BOOL:
        buffer_add(out, value.as.boolean ? STR("true") : STR("false"));
        return;
    case VALUE_INT:
        buffer_printf(out, "%lld", (long long)value.as.integer);
        return;
    case VALUE_FLOAT:
        if (isfinite(value.as.real)) {
            value_print_float(out, value.as.real);
        } else {  // JSON has no such number; the reference writes it as text
            buffer_add_char(out, '"');
            value_print_float(out, value.as.real);
            buffer_add_char(out, '"');
        }
        return;
    case VALUE_BIGNUM:
        buffer_add(out, value.as.text);
        return;
    case VALUE_TEXT:
        buffer_add_json(out, value.as.text);
        return;
    case VALUE_LIST:
        write_list(out, value.as.list, style, flags, depth);
        return;
    case VALUE_MAP:
        write_map(out, value.as.map, style, flags, depth);
        return;
    case VALUE_SECRET:
        if ((flags & JSON_KEEP_SECRETS) == 0) {
            buffer_add(out, STR("\"******\""));
            return;
        }
        buffer_add(out, STR("{\"$secret\":"));
        write_value(out, *value.as.secret, style, flags, depth + 1);
        buffer_add_char(out, '}');
        return;
    }
}

void json_write(Buffer *out, Value value, JsonStyle style, unsigned flags) {
    write_value(out, value, style, flags, 0);
}
