// yaml.c - YAML as data: inputs, secrets files, host files, the yaml builtins. Flows are read by
// the syntax module.
//
// Plain scalars mean what YAML 1.1 says in the reading of flow-language.md 8.3.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "base/utf8.h"
#include "value/value.h"

enum { YAML_DEPTH_MAX = 64, YAML_NODES_MAX = 1000000, SCALAR_NUMBER_MAX = 128 };

static bool is_one_of(Str text, const char *const *words) {
    for (; *words != NULL; words++) {
        if (str_eq(text, str_from(*words))) return true;
    }
    return false;
}

static size_t count_digits(Str text, size_t at, const char *digits) {
    size_t start = at;
    while (at < text.len && (strchr(digits, text.ptr[at]) != NULL && text.ptr[at] != '\0')) at++;
    return at - start;
}

// Digits of an integer in `base` without underscores; false where it does not fit 64 bits.
static bool read_integer(Str digits, int base, bool is_negative, int64_t *out) {
    uint64_t limit = is_negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
    uint64_t value = 0;
    for (size_t i = 0; i < digits.len; i++) {
        char c = digits.ptr[i];
        if (c == '_') continue;
        uint64_t digit = (uint64_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
        if (value > (limit - digit) / (uint64_t)base) return false;
        value = value * (uint64_t)base + digit;
    }
    *out = is_negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

static YamlScalar resolve_integer(Str text, Arena *arena, Value *out) {
    size_t at = 0;
    bool is_negative = text.ptr[0] == '-';
    if (text.ptr[0] == '-' || text.ptr[0] == '+') at = 1;
    Str rest = str_slice(text, at, text.len);
    if (rest.len == 0) return YAML_SCALAR_TEXT;
    int base = 0;
    Str digits = rest;
    if (str_starts_with(rest, STR("0b")) && rest.len > 2) {
        digits = str_slice(rest, 2, rest.len);
        if (count_digits(digits, 0, "01_") == digits.len) base = 2;
    } else if (str_starts_with(rest, STR("0x")) && rest.len > 2) {
        digits = str_slice(rest, 2, rest.len);
        if (count_digits(digits, 0, "0123456789abcdefABCDEF_") == digits.len) base = 16;
    } else if (rest.ptr[0] == '0' && rest.len > 1) {
        digits = str_slice(rest, 1, rest.len);
        if (count_digits(digits, 0, "01234567_") == digits.len) base = 8;
    } else if (rest.ptr[0] >= '0' && rest.ptr[0] <= '9') {
        if (count_digits(digits, 0, "0123456789_") == digits.len) base = 10;
    }
    if (base == 0 || count_digits(digits, 0, "_") == digits.len) return YAML_SCALAR_TEXT;
    int64_t integer = 0;
    if (read_integer(digits, base, is_negative, &integer)) {
        *out = value_int(integer);
        return YAML_SCALAR_INT;
    }
    if (base != 10 || memchr(digits.ptr, '_', digits.len) != NULL) return YAML_SCALAR_TEXT;
    Str kept = str_dup(arena, is_negative ? text : digits);
    *out = (Value){.kind = VALUE_BIGNUM, .as.text = kept};
    return YAML_SCALAR_INT;
}

// [-+]? ( digits [digits_]* )? . digits* ([eE][-+]?digits)?  |  digits+ [eE][-+]?digits
static bool is_float(Str text) {
    size_t at = text.ptr[0] == '-' || text.ptr[0] == '+' ? 1 : 0;
    size_t whole = count_digits(text, at, "0123456789_");
    bool starts_with_digit = whole > 0 && text.ptr[at] != '_';
    at += whole;
    size_t fraction = 0;
    bool has_point = at < text.len && text.ptr[at] == '.';
    if (has_point) {
        at++;
        fraction = count_digits(text, at, "0123456789_");
        at += fraction;
    }
    if (whole > 0 && !starts_with_digit) return false;
    if (whole == 0 && fraction == 0) return false;
    bool has_exponent = at < text.len && (text.ptr[at] == 'e' || text.ptr[at] == 'E');
    if (has_exponent) {
        at++;
        if (at < text.len && (text.ptr[at] == '-' || text.ptr[at] == '+')) at++;
        size_t digits = count_digits(text, at, "0123456789");
        if (digits == 0) return false;
        at += digits;
    }
    return at == text.len && (has_point || has_exponent);
}

static YamlScalar resolve_float(Str text, Value *out) {
    if (!is_float(text) || text.len >= SCALAR_NUMBER_MAX) return YAML_SCALAR_TEXT;
    char digits[SCALAR_NUMBER_MAX];
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '_') digits[count++] = text.ptr[i];
    }
    digits[count] = '\0';
    *out = value_float(strtod(digits, NULL));
    return YAML_SCALAR_FLOAT;
}

YamlScalar yaml_resolve_plain(Str text, Arena *arena, Value *out) {
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", "yes", "Yes",
                                        "YES",  "on",   "On",   "ON",  NULL};
    static const char *const falses[] = {"false", "False", "FALSE", "no",  "No",
                                         "NO",    "off",   "Off",   "OFF", NULL};
    static const char *const infinities[] = {".inf",  ".Inf",  ".INF", "+.inf",
                                             "+.Inf", "+.INF", NULL};
    static const char *const minus_infinities[] = {"-.inf", "-.Inf", "-.INF", NULL};
    static const char *const nans[] = {".nan", ".NaN", ".NAN", NULL};
    *out = value_text(text);
    if (is_one_of(text, nulls)) {
        *out = value_null();
        return YAML_SCALAR_NULL;
    }
    char first = text.ptr[0];
    if (strchr("tTyYoOfFnN", first) != NULL) {
        bool is_true = is_one_of(text, trues);
        if (!is_true && !is_one_of(text, falses)) return YAML_SCALAR_TEXT;
        *out = value_bool(is_true);
        return YAML_SCALAR_BOOL;
    }
    if (strchr("0123456789+-.", first) == NULL) return YAML_SCALAR_TEXT;
    if (is_one_of(text, infinities)) *out = value_float((double)INFINITY);
    if (is_one_of(text, minus_infinities)) *out = value_float(-(double)INFINITY);
    if (is_one_of(text, nans)) *out = value_float((double)NAN);
    if (out->kind == VALUE_FLOAT) return YAML_SCALAR_FLOAT;
    YamlScalar scalar = resolve_integer(text, arena, out);
    return scalar != YAML_SCALAR_TEXT ? scalar : resolve_float(text, out);
}

// --- reading ------------------------------------------------------------------------------------

typedef struct Reader {
    yaml_parser_t parser;
    Arena *arena;
    uint32_t nodes;
} Reader;

static Err fail_here(yaml_mark_t mark, const char *what) {
    return err_make(ERR_INPUT, "line %zu, column %zu: %s", mark.line + 1, mark.column + 1, what);
}

static Err next_event(Reader *reader, yaml_event_t *event) {
    if (yaml_parser_parse(&reader->parser, event)) return err_none();
    const char *problem = reader->parser.problem == NULL ? "not YAML" : reader->parser.problem;
    return fail_here(reader->parser.problem_mark, problem);
}

static Value scalar_value(Reader *reader, const yaml_event_t *event) {
    Str text = str_dup(reader->arena,
                       (Str){(const char *)event->data.scalar.value, event->data.scalar.length});
    bool is_text = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE ||
                   (event->data.scalar.tag != NULL &&
                    strcmp((const char *)event->data.scalar.tag, YAML_STR_TAG) == 0);
    Value value = value_text(text);
    if (!is_text) yaml_resolve_plain(text, reader->arena, &value);
    return value;
}

static Err read_node(Reader *reader, yaml_event_t *event, int depth, Value *out);

static Err read_list(Reader *reader, int depth, Value *out) {
    *out = value_list(reader->arena);
    for (;;) {
        yaml_event_t event;
        TRY(next_event(reader, &event));
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            return err_none();
        }
        Value item = value_null();
        TRY(read_node(reader, &event, depth + 1, &item));
        value_list_add(reader->arena, *out, item);
    }
}

static Err read_map(Reader *reader, int depth, Value *out) {
    *out = value_map(reader->arena);
    for (;;) {
        yaml_event_t event;
        TRY(next_event(reader, &event));
        if (event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            return err_none();
        }
        if (event.type != YAML_SCALAR_EVENT) {
            Err err = fail_here(event.start_mark, "a key must be a single word or text");
            yaml_event_delete(&event);
            return err;
        }
        yaml_mark_t mark = event.start_mark;
        Str key = str_dup(reader->arena,
                          (Str){(const char *)event.data.scalar.value, event.data.scalar.length});
        yaml_event_delete(&event);
        if (value_map_get(*out, key) != NULL) {
            return err_make(ERR_INPUT,
                            "line %zu, column %zu: the key '" STR_FMT "' stands here twice",
                            mark.line + 1, mark.column + 1, STR_ARG(key));
        }
        TRY(next_event(reader, &event));
        Value value = value_null();
        TRY(read_node(reader, &event, depth + 1, &value));
        value_map_set(reader->arena, *out, key, value);
    }
}

// Consumes the event.
static Err read_node(Reader *reader, yaml_event_t *event, int depth, Value *out) {
    yaml_event_type_t type = event->type;
    yaml_mark_t mark = event->start_mark;
    if (type == YAML_SCALAR_EVENT) *out = scalar_value(reader, event);
    yaml_event_delete(event);
    if (depth > YAML_DEPTH_MAX) return fail_here(mark, "nested deeper than 64 levels");
    if (++reader->nodes > YAML_NODES_MAX) return fail_here(mark, "more than 1,000,000 values");
    if (type == YAML_SEQUENCE_START_EVENT) return read_list(reader, depth, out);
    if (type == YAML_MAPPING_START_EVENT) return read_map(reader, depth, out);
    if (type == YAML_ALIAS_EVENT) return fail_here(mark, "an alias is not supported here");
    return err_none();
}

// libyaml has no depth limit and its scanner is quadratic in unclosed brackets: a cheap bound
// before it sees them.
static Err check_brackets(Str text) {
    size_t depth = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '[' || c == '{') depth++;
        if ((c == ']' || c == '}') && depth > 0) depth--;
        if (depth > 10000) return err_make(ERR_LIMIT, "nested deeper than 64 levels");
    }
    return err_none();
}

Err yaml_parse(Str text, Arena *arena, Value *out) {
    size_t invalid = utf8_find_invalid(text);
    if (invalid != STR_NOT_FOUND) {
        return err_make(ERR_INPUT, "invalid UTF-8 at byte %zu", invalid);
    }
    TRY(check_brackets(text));
    Reader reader = {.arena = arena};
    if (!yaml_parser_initialize(&reader.parser)) out_of_memory();
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text.ptr, text.len);
    *out = value_null();
    Err err = err_none();
    for (bool is_done = false; !is_done && err.code == ERR_NONE;) {
        yaml_event_t event;
        err = next_event(&reader, &event);
        if (err.code != ERR_NONE) break;
        if (event.type == YAML_STREAM_START_EVENT || event.type == YAML_DOCUMENT_START_EVENT) {
            yaml_event_delete(&event);
            continue;
        }
        is_done = true;
        if (event.type == YAML_STREAM_END_EVENT) {
            yaml_event_delete(&event);
        } else {
            err = read_node(&reader, &event, 0, out);
        }
    }
    yaml_parser_delete(&reader.parser);
    return err;
}

// --- writing ------------------------------------------------------------------------------------

// What a reader of YAML takes for a line break or does not take at all.
static bool needs_escape(uint32_t point) {
    return (point >= 0x7F && point < 0xA0) || point == 0x2028 || point == 0x2029 ||
           point == 0xFEFF || point == 0xFFFE || point == 0xFFFF;
}

static bool needs_quotes(Str text) {
    if (text.len == 0 || str_trim(text).len != text.len) return true;
    Arena scratch = {0};
    Value resolved = value_null();
    bool is_text = yaml_resolve_plain(text, &scratch, &resolved) == YAML_SCALAR_TEXT;
    arena_release(&scratch);
    if (!is_text) return true;
    if (strchr("!&*-?:|>@`%[]{},#'\"=<~.", text.ptr[0]) != NULL) return true;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < 0x20 || c == 0x7F) return true;
        if (c == ':' && (i + 1 == text.len || text.ptr[i + 1] == ' ')) return true;
        if (c == '#' && i > 0 && text.ptr[i - 1] == ' ') return true;
    }
    for (size_t at = 0; at < text.len;) {
        if (needs_escape(utf8_next(text, &at))) return true;
    }
    return false;
}

// A JSON text is a double-quoted scalar of YAML, but for what YAML wants escaped, too.
static void write_quoted(Buffer *out, Str text) {
    Buffer json = {0};
    buffer_add_json(&json, text);
    Str quoted = buffer_str(&json);
    size_t start = 0;
    for (size_t at = 0; at < quoted.len;) {
        size_t before = at;
        uint32_t point = utf8_next(quoted, &at);
        if (!needs_escape(point)) continue;
        buffer_add(out, str_slice(quoted, start, before));
        buffer_printf(out, "\\u%04x", point);
        start = at;
    }
    buffer_add(out, str_slice(quoted, start, quoted.len));
    buffer_release(&json);
}

static void write_text(Buffer *out, Str text) {
    if (needs_quotes(text)) {
        write_quoted(out, text);
    } else {
        buffer_add(out, text);
    }
}

static bool is_empty(Value value) {
    return (value.kind == VALUE_LIST && value.as.list->count == 0) ||
           (value.kind == VALUE_MAP && value.as.map->count == 0);
}

static void write_yaml(Buffer *out, Value value, size_t indent, bool is_inline);

static void write_child(Buffer *out, Value value, size_t indent) {
    bool is_block = (value.kind == VALUE_LIST || value.kind == VALUE_MAP) && !is_empty(value);
    if (is_block) {
        buffer_add_char(out, '\n');
        write_yaml(out, value, indent, false);
    } else {
        buffer_add_char(out, ' ');
        write_yaml(out, value, indent, true);
    }
}

// A key of more than 1,024 characters has to be announced.
static void write_key(Buffer *out, Str key, size_t indent) {
    enum { KEY_SIMPLE_MAX = 1000 };
    size_t start = out->len;
    write_text(out, key);
    if (out->len - start > KEY_SIMPLE_MAX) {
        out->len = start;
        buffer_add(out, STR("? "));
        write_text(out, key);
        buffer_add_char(out, '\n');
        buffer_add_repeat(out, ' ', indent);
    }
    buffer_add_char(out, ':');
}

static void write_yaml(Buffer *out, Value value, size_t indent, bool is_inline) {
    if (is_empty(value)) {
        buffer_add(out, value.kind == VALUE_LIST ? STR("[]\n") : STR("{}\n"));
    } else if (value.kind == VALUE_LIST) {
        for (uint32_t i = 0; i < value.as.list->count; i++) {
            Value item = value.as.list->items[i];
            if (!is_inline || i > 0) buffer_add_repeat(out, ' ', indent);
            buffer_add(out, STR("- "));
            write_yaml(out, item, indent + 2, true);
        }
    } else if (value.kind == VALUE_MAP) {
        for (uint32_t i = 0; i < value.as.map->count; i++) {
            const ValueMember *member = &value.as.map->members[i];
            if (!is_inline || i > 0) buffer_add_repeat(out, ' ', indent);
            write_key(out, member->key, indent);
            write_child(out, member->value, indent + 2);
        }
    } else if (value.kind == VALUE_TEXT) {
        write_text(out, value.as.text);
        buffer_add_char(out, '\n');
    } else {
        json_write(out, value, JSON_COMPACT, 0);
        buffer_add_char(out, '\n');
    }
}

void yaml_write(Buffer *out, Value value) {
    write_yaml(out, value, 0, false);
}
