// yaml.c - a value as YAML, byte for byte as Kestra's filter writes it: block style, items of lists
// indented by one, as few quotes as that style needs, texts of several lines as literal blocks.
//
// Two rules decide on quotes, one after the other: words and characters that could be read as
// something else get double quotes; what the plain style cannot hold gets single ones, and double
// ones where a character has to be escaped.
#include "leaf/machine.h"

#include <string.h>

#include "base/utf8.h"

enum { INDENT = 2, SIMPLE_KEY_MAX = 128 };

typedef enum Style { STYLE_PLAIN, STYLE_SINGLE, STYLE_DOUBLE, STYLE_LITERAL } Style;

static bool is_reserved(Str text) {
    static const char *const words[] = {"false", "False", "FALSE", "n",    "N",    "no",   "No",
                                        "NO",    "null",  "Null",  "NULL", "on",   "On",   "ON",
                                        "off",   "Off",   "OFF",   "true", "True", "TRUE", "y",
                                        "Y",     "yes",   "Yes",   "YES"};
    if (text.len == 0 || text.ptr[0] == '~') return true;
    for (size_t i = 0; i < COUNT(words); i++) {
        if (str_eq(text, str_from(words[i]))) return true;
    }
    return false;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

static bool has_quotable(Str text) {
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c != '\0' && strchr("[]{},", c) != NULL) return true;
        if (c == '#' && (i == 0 || is_blank(text.ptr[i - 1]))) return true;
        if (c == ':' && (i + 1 == text.len || is_blank(text.ptr[i + 1]))) return true;
    }
    return false;
}

// 007, 0_1: a reader of YAML 1.1 takes them for octal numbers.
static bool is_octal(Str text) {
    if (text.len < 2 || text.ptr[0] != '0') return false;
    for (size_t i = 1; i < text.len; i++) {
        if (strchr("0123456789_", text.ptr[i]) == NULL || text.ptr[i] == '\0') return false;
    }
    return true;
}

typedef struct Shape {
    bool is_plain, is_single, is_block;  // the styles that can hold the text
    bool has_lines;
} Shape;

static Shape shape_of(Str text) {
    char first = text.ptr[0], last = text.ptr[text.len - 1];
    bool special = false, break_space = false, space_break = false, has_lines = false;
    bool indicator = first != '\0' && strchr("#,[]{}&*!|>'\"%@`", first) != NULL;
    bool is_short = text.len == 1 || is_blank(text.ptr[1]) || text.ptr[1] == '\n';
    if ((first == '?' || first == ':' || first == '-') && is_short) indicator = true;
    if (str_starts_with(text, STR("---")) || str_starts_with(text, STR("..."))) indicator = true;
    for (size_t at = 0; at < text.len;) {
        size_t start = at;
        uint32_t point = utf8_next(text, &at);
        if (point == '\n') {
            has_lines = true;
            if (start > 0 && text.ptr[start - 1] == ' ') space_break = true;
            if (at < text.len && text.ptr[at] == ' ') break_space = true;
        } else if (point < 0x20 || point == 0x7f || (point > 0x7f && point < 0xa0)) {
            special = true;
        }
    }
    bool has_edge = first == ' ' || first == '\n' || last == ' ' || last == '\n';
    bool is_hard = special || space_break;
    return (Shape){.is_plain = !has_edge && !has_lines && !indicator && !is_hard,
                   .is_single = !is_hard && !break_space && !has_lines,
                   .is_block = !is_hard && last != ' ',
                   .has_lines = has_lines};
}

static Style style_of(Str text) {
    if (text.len == 0) return STYLE_DOUBLE;
    Shape shape = shape_of(text);
    if (is_reserved(text) || (!shape.has_lines && has_quotable(text))) return STYLE_DOUBLE;
    if (shape.has_lines) {
        if (has_quotable(text) && !shape.is_block) return STYLE_DOUBLE;
        return shape.is_block ? STYLE_LITERAL : STYLE_DOUBLE;
    }
    if (is_octal(text)) return STYLE_SINGLE;
    if (shape.is_plain) return STYLE_PLAIN;
    return shape.is_single ? STYLE_SINGLE : STYLE_DOUBLE;
}

static Style key_style(Str key) {
    if (is_reserved(key) || strchr("0123456789+-.", key.ptr[0]) != NULL) return STYLE_DOUBLE;
    Shape shape = shape_of(key);
    if (shape.is_plain) {
        // What is quotable in a value is so in a key only where it ends the key.
        bool is_open = false;
        for (size_t i = 0; i < key.len; i++) {
            if (key.ptr[i] == '#' && i > 0 && is_blank(key.ptr[i - 1])) is_open = true;
            if (key.ptr[i] == ':' && (i + 1 == key.len || is_blank(key.ptr[i + 1]))) is_open = true;
        }
        if (!is_open) return STYLE_PLAIN;
    }
    return shape.is_single ? STYLE_SINGLE : STYLE_DOUBLE;
}

static void add_double(Buffer *out, Str text) {
    static const char from[] = "\a\b\t\n\v\f\r\x1b\"\\", to[] = "abtnvfre\"\\";
    buffer_add_char(out, '"');
    for (size_t at = 0; at < text.len;) {
        size_t start = at;
        uint32_t point = utf8_next(text, &at);
        const char *found = point != 0 && point < 0x80 ? strchr(from, (int)point) : NULL;
        if (found != NULL) {
            buffer_add_char(out, '\\');
            buffer_add_char(out, to[found - from]);
        } else if (point == 0 || point == 0x85 || point == 0xa0) {
            buffer_printf(out, "\\%c", point == 0 ? '0' : point == 0x85 ? 'N' : '_');
        } else if (point == 0x2028 || point == 0x2029) {
            buffer_printf(out, "\\%c", point == 0x2028 ? 'L' : 'P');
        } else if (point < 0x20 || (point >= 0x7f && point < 0xa0)) {
            buffer_printf(out, "\\x%02x", point);
        } else {
            buffer_add(out, str_slice(text, start, at));
        }
    }
    buffer_add_char(out, '"');
}

static void add_single(Buffer *out, Str text) {
    buffer_add_char(out, '\'');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\'') buffer_add_char(out, '\'');
        buffer_add_char(out, text.ptr[i]);
    }
    buffer_add_char(out, '\'');
}

static void add_literal(Buffer *out, Str text, size_t indent) {
    size_t len = text.len;
    bool has_end = text.ptr[len - 1] == '\n';
    buffer_add_char(out, '|');
    if (text.ptr[0] == ' ' || text.ptr[0] == '\n') buffer_printf(out, "%d", INDENT);
    if (!has_end) buffer_add_char(out, '-');
    if (has_end && (len == 1 || text.ptr[len - 2] == '\n')) buffer_add_char(out, '+');
    buffer_add_char(out, '\n');
    for (size_t at = 0; at < len;) {
        size_t end = str_find_char(text, '\n', at);
        Str line = str_slice(text, at, end == STR_NOT_FOUND ? len : end);
        if (line.len > 0) buffer_add_repeat(out, ' ', indent);
        buffer_add(out, line);
        buffer_add_char(out, '\n');
        at += line.len + 1;
    }
}

// Ends with a line break.
static void add_text(Buffer *out, Str text, size_t indent) {
    switch (style_of(text)) {
    case STYLE_LITERAL:
        add_literal(out, text, indent);
        return;
    case STYLE_PLAIN:
        buffer_add(out, text);
        break;
    case STYLE_SINGLE:
        add_single(out, text);
        break;
    case STYLE_DOUBLE:
        add_double(out, text);
        break;
    }
    buffer_add_char(out, '\n');
}

static bool is_block(Value value) {
    return (value.kind == VALUE_LIST && value.as.list->count > 0) ||
           (value.kind == VALUE_MAP && value.as.map->count > 0);
}

static void add_block(Buffer *out, Value value, size_t indent, bool is_begun);

// What stands behind `-` or `key:`; lists in maps are not indented further.
static void add_child(Buffer *out, Value value, size_t indent, bool is_in_map) {
    if (is_block(value)) {
        buffer_add_char(out, '\n');
        bool is_flat = is_in_map && value.kind == VALUE_LIST;
        add_block(out, value, is_flat ? indent : indent + INDENT, false);
        return;
    }
    buffer_add_char(out, ' ');
    if (value.kind == VALUE_TEXT) {
        add_text(out, value.as.text, indent + INDENT);
    } else {
        json_write(out, value, JSON_COMPACT, 0);
        buffer_add_char(out, '\n');
    }
}

static void add_member(Buffer *out, const ValueMember *member, size_t indent) {
    Str key = member->key;
    bool is_simple =
        key.len > 0 && key.len < SIMPLE_KEY_MAX && str_find_char(key, '\n', 0) == STR_NOT_FOUND;
    if (!is_simple) buffer_add(out, STR("? "));
    switch (key_style(key)) {
    case STYLE_PLAIN:
    case STYLE_LITERAL:
        buffer_add(out, key);
        break;
    case STYLE_SINGLE:
        add_single(out, key);
        break;
    case STYLE_DOUBLE:
        add_double(out, key);
        break;
    }
    if (is_simple) {
        buffer_add_char(out, ':');
        add_child(out, member->value, indent, true);
        return;
    }
    buffer_add_char(out, '\n');
    buffer_add_repeat(out, ' ', indent);
    buffer_add_char(out, ':');
    if (is_block(member->value)) {
        buffer_add_char(out, ' ');
        add_block(out, member->value, indent + INDENT, true);
    } else {
        add_child(out, member->value, indent, true);
    }
}

// `is_begun`: the first line has its indentation already.
static void add_block(Buffer *out, Value value, size_t indent, bool is_begun) {
    if (value.kind == VALUE_LIST) {
        for (uint32_t i = 0; i < value.as.list->count; i++) {
            if (i > 0 || !is_begun) buffer_add_repeat(out, ' ', indent);
            buffer_add(out, STR(" -"));
            add_child(out, value.as.list->items[i], indent, false);
        }
        return;
    }
    for (uint32_t i = 0; i < value.as.map->count; i++) {
        if (i > 0 || !is_begun) buffer_add_repeat(out, ' ', indent);
        add_member(out, &value.as.map->members[i], indent);
    }
}

void leaf_write_yaml(Buffer *out, Value value) {
    if (is_block(value)) {
        add_block(out, value, 0, false);
    } else if (value.kind == VALUE_TEXT) {
        if (value.as.text.len == 0) buffer_add(out, STR("--- "));
        add_text(out, value.as.text, INDENT);
    } else {
        json_write(out, value, JSON_COMPACT, 0);
        buffer_add_char(out, '\n');
    }
}
