// convert.c - the one conversion from rendered text to a type. Sources: expression-language.md 5.1,
// flow-language.md 2.3.
#include "value/convert.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "value/time.h"

enum { NUMBER_TEXT_MAX = 400 };  // longest text read as a number: 1e308 written out and a sign

const char *convert_name(ConvertTo to) {
    switch (to) {
    case CONVERT_ANY:
        return "any";
    case CONVERT_TEXT:
        return "string";
    case CONVERT_INT:
        return "int";
    case CONVERT_FLOAT:
        return "number";
    case CONVERT_BOOL:
        return "bool";
    case CONVERT_DURATION:
        return "duration";
    case CONVERT_DATETIME:
        return "datetime";
    case CONVERT_DATE:
        return "date";
    case CONVERT_TIME:
        return "time";
    case CONVERT_URI:
        return "uri";
    case CONVERT_LIST:
        return "list";
    case CONVERT_MAP:
        return "map";
    }
    return "any";
}

// "expected WHAT, received 'text'"; long texts are cut, secrets never shown.
static Err mismatch(const char *what, Value in) {
    if (in.kind == VALUE_SECRET) return err_make(ERR_INPUT, "expected %s, received a secret", what);
    if (in.kind == VALUE_LIST || in.kind == VALUE_MAP) {
        return err_make(ERR_INPUT, "expected %s, received a %s", what, value_kind_name(in.kind));
    }
    Arena scratch = {0};
    Str text = value_to_text(&scratch, in);
    bool is_long = text.len > 100;
    Err err = err_make(ERR_INPUT, "expected %s, received '" STR_FMT "%s'", what,
                       STR_ARG(str_slice(text, 0, 100)), is_long ? "…" : "");
    arena_release(&scratch);
    return err;
}

static bool text_to_double(Str text, double *out) {
    char copy[NUMBER_TEXT_MAX + 1];
    if (text.len == 0 || text.len > NUMBER_TEXT_MAX) return false;
    for (size_t i = 0; i < text.len; i++) {
        // No hexadecimal, no `infinity`, no blanks, which strtod would take.
        if (strchr("0123456789+-.eE", text.ptr[i]) == NULL || text.ptr[i] == '\0') return false;
    }
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    char *end = NULL;
    *out = strtod(copy, &end);
    return end == copy + text.len;
}

static bool is_blank_or_null(Str text) {
    return text.len == 0 || str_eq(text, STR("null"));
}

static Err to_int(Value in, Value *out) {
    static const char expected[] = "an integer";
    if (in.kind == VALUE_INT) {
        *out = in;
        return err_none();
    }
    double real = in.as.real;
    if (in.kind == VALUE_TEXT) {
        Str text = str_trim(in.as.text);
        int64_t integer = 0;
        if (is_blank_or_null(text)) {
            *out = value_null();
            return err_none();
        }
        if (str_to_int(text, &integer)) {
            *out = value_int(integer);
            return err_none();
        }
        if (!text_to_double(text, &real)) return mismatch(expected, in);
    } else if (in.kind != VALUE_FLOAT) {
        return mismatch(expected, in);
    }
    if (!(real > -9223372036854775809.0 && real < 9223372036854775808.0)) {
        return mismatch("an integer of 64 bits", in);
    }
    *out = value_int((int64_t)real);  // the fraction is cut
    return err_none();
}

static Err to_float(Value in, Value *out) {
    if (in.kind == VALUE_FLOAT) {
        *out = in;
        return err_none();
    }
    if (in.kind == VALUE_INT) {
        *out = value_float((double)in.as.integer);
        return err_none();
    }
    if (in.kind != VALUE_TEXT) return mismatch("a number", in);
    Str text = str_trim(in.as.text);
    double real = 0;
    if (is_blank_or_null(text)) {
        *out = value_null();
    } else if (str_eq(text, STR("NaN"))) {
        *out = value_float((double)NAN);
    } else if (str_eq(text, STR("Infinity")) || str_eq(text, STR("-Infinity"))) {
        *out = value_float(text.ptr[0] == '-' ? -(double)INFINITY : (double)INFINITY);
    } else if (text_to_double(text, &real)) {
        *out = value_float(real);
    } else {
        return mismatch("a number", in);
    }
    return err_none();
}

static Err to_bool(Value in, Value *out) {
    if (in.kind == VALUE_BOOL) {
        *out = in;
        return err_none();
    }
    if (in.kind == VALUE_INT && (in.as.integer == 0 || in.as.integer == 1)) {
        *out = value_bool(in.as.integer == 1);
        return err_none();
    }
    if (in.kind != VALUE_TEXT) return mismatch("true or false", in);
    static const struct {
        const char *text;
        bool is_true;
    } words[] = {
        {"true",  true },
        {"True",  true },
        {"TRUE",  true },
        {"1",     true },
        {"false", false},
        {"False", false},
        {"FALSE", false},
        {"0",     false},
    };
    Str text = str_trim(in.as.text);
    if (text.len == 0) {
        *out = value_null();
        return err_none();
    }
    for (size_t i = 0; i < COUNT(words); i++) {
        if (!str_eq(text, str_from(words[i].text))) continue;
        *out = value_bool(words[i].is_true);
        return err_none();
    }
    return mismatch("true or false", in);
}

static Value printed_duration(int64_t nanoseconds, Arena *arena) {
    Buffer text = {0};
    duration_print(&text, nanoseconds);
    Value value = value_text(buffer_to_str(&text, arena));
    buffer_release(&text);
    return value;
}

static Err to_duration(Value in, bool allow_seconds, Arena *arena, Value *out) {
    Str text = value_to_text(arena, in);
    bool is_scalar = in.kind == VALUE_TEXT || in.kind == VALUE_INT || in.kind == VALUE_FLOAT;
    if (!is_scalar) return mismatch("a duration such as PT5M", in);
    if (allow_seconds && is_blank_or_null(str_trim(text))) {
        *out = value_null();
        return err_none();
    }
    int64_t nanoseconds = 0;
    Err err = duration_parse(text, allow_seconds, &nanoseconds);
    if (err.code == ERR_NONE) *out = printed_duration(nanoseconds, arena);
    return err;
}

static Value printed_instant(Instant instant, Arena *arena) {
    Buffer text = {0};
    instant_print(&text, instant);
    Value value = value_text(buffer_to_str(&text, arena));
    buffer_release(&text);
    return value;
}

static Err to_datetime(Value in, Arena *arena, Value *out) {
    if (in.kind != VALUE_TEXT && in.kind != VALUE_INT && in.kind != VALUE_FLOAT) {
        return mismatch("a date and time such as 2024-01-31T10:00:00Z", in);
    }
    Str text = str_trim(value_to_text(arena, in));
    if (is_blank_or_null(text)) {
        *out = value_null();
        return err_none();
    }
    double seconds = 0;
    if (text_to_double(text, &seconds) && fabs(seconds) < 1e12) {
        double whole = floor(seconds);
        Instant instant = {(int64_t)whole, (int32_t)((seconds - whole) * 1e9)};
        *out = printed_instant(instant, arena);
        return err_none();
    }
    Instant instant;
    Err err = instant_parse(text, &instant);
    if (err.code == ERR_NONE) *out = printed_instant(instant, arena);
    return err;
}

static Err to_date(Value in, Arena *arena, Value *out) {
    if (in.kind != VALUE_TEXT) return mismatch("a date such as 2024-01-31", in);
    Str text = str_trim(in.as.text);
    if (is_blank_or_null(text)) {
        *out = value_null();
        return err_none();
    }
    DateTime date;
    Err err = datetime_parse(text, &date);
    if (err.code != ERR_NONE || date.has_time) return mismatch("a date such as 2024-01-31", in);
    *out = value_text(str_dup(arena, text));
    return err_none();
}

// HH:mm, HH:mm:ss, with fraction.
static Err to_time(Value in, Arena *arena, Value *out) {
    static const char expected[] = "a time such as 10:30:00";
    if (in.kind != VALUE_TEXT) return mismatch(expected, in);
    Str text = str_trim(in.as.text);
    DateTime parsed;
    Str whole = str_printf(arena, "2000-01-01T" STR_FMT, STR_ARG(text));
    Err err = datetime_parse(whole, &parsed);
    if (err.code != ERR_NONE || parsed.has_offset) return mismatch(expected, in);
    *out = value_text(str_dup(arena, text));
    return err_none();
}

static Err to_uri(Value in, Value *out) {
    if (in.kind != VALUE_TEXT) return mismatch("a URI", in);
    for (size_t i = 0; i < in.as.text.len; i++) {
        unsigned char c = (unsigned char)in.as.text.ptr[i];
        if (c <= ' ' || strchr("<>\"{}|\\^`", c) != NULL) return mismatch("a URI", in);
    }
    *out = in;
    return err_none();
}

static Err to_json_kind(Value in, ValueKind kind, Arena *arena, Value *out) {
    const char *expected = kind == VALUE_LIST ? "a list" : "a map";
    if (in.kind == kind) {
        *out = in;
        return err_none();
    }
    if (in.kind != VALUE_TEXT) return mismatch(expected, in);
    Value parsed = value_null();
    Err err = json_parse(in.as.text, (JsonLimits){0}, arena, &parsed);
    if (err.code == ERR_LIMIT) return err;
    if (err.code != ERR_NONE || parsed.kind != kind) {
        return mismatch(kind == VALUE_LIST ? "a list or the JSON text of one"
                                           : "a map or the JSON text of one",
                        in);
    }
    *out = parsed;
    return err_none();
}

Err value_convert(Value in, ConvertTo to, Arena *arena, Value *out) {
    *out = in;
    bool is_left = in.kind == VALUE_NULL || in.kind == VALUE_UNDEFINED || to == CONVERT_ANY;
    if (is_left) return err_none();
    // A secret keeps its type; whoever reveals it converts it.
    if (in.kind == VALUE_SECRET) return err_none();
    switch (to) {
    case CONVERT_ANY:
        return err_none();
    case CONVERT_TEXT:
        *out = value_text(value_to_text(arena, in));
        return err_none();
    case CONVERT_INT:
        return to_int(in, out);
    case CONVERT_FLOAT:
        return to_float(in, out);
    case CONVERT_BOOL:
        return to_bool(in, out);
    case CONVERT_DURATION:
        return to_duration(in, true, arena, out);
    case CONVERT_DATETIME:
        return to_datetime(in, arena, out);
    case CONVERT_DATE:
        return to_date(in, arena, out);
    case CONVERT_TIME:
        return to_time(in, arena, out);
    case CONVERT_URI:
        return to_uri(in, out);
    case CONVERT_LIST:
        return to_json_kind(in, VALUE_LIST, arena, out);
    case CONVERT_MAP:
        return to_json_kind(in, VALUE_MAP, arena, out);
    }
    return err_none();
}

// --- inputs and outputs -------------------------------------------------------------------------

static const char *const input_names[INPUT_TYPE_COUNT] = {
    [INPUT_STRING] = "STRING",     [INPUT_INT] = "INT",
    [INPUT_FLOAT] = "FLOAT",       [INPUT_BOOL] = "BOOL",
    [INPUT_BOOLEAN] = "BOOLEAN",   [INPUT_SELECT] = "SELECT",
    [INPUT_ENUM] = "ENUM",         [INPUT_MULTISELECT] = "MULTISELECT",
    [INPUT_ARRAY] = "ARRAY",       [INPUT_DATETIME] = "DATETIME",
    [INPUT_DATE] = "DATE",         [INPUT_TIME] = "TIME",
    [INPUT_DURATION] = "DURATION", [INPUT_FILE] = "FILE",
    [INPUT_JSON] = "JSON",         [INPUT_YAML] = "YAML",
    [INPUT_URI] = "URI",           [INPUT_SECRET] = "SECRET",
    [INPUT_EMAIL] = "EMAIL",       [INPUT_FORM] = "FORM",
};

const char *input_type_name(InputType type) {
    return type < INPUT_TYPE_COUNT ? input_names[type] : "?";
}

bool input_type_from(Str name, InputType *out) {
    for (size_t i = 0; i < INPUT_TYPE_COUNT; i++) {
        if (!str_eq(name, str_from(input_names[i]))) continue;
        *out = (InputType)i;
        return true;
    }
    return false;
}

static Err input_int(Value in, Value *out) {
    int64_t integer = in.as.integer;
    bool is_right =
        in.kind == VALUE_INT || (in.kind == VALUE_TEXT && str_to_int(in.as.text, &integer));
    if (!is_right) return mismatch("an integer", in);
    if (integer < INT32_MIN || integer > INT32_MAX) {
        return mismatch("an integer from -2147483648 to 2147483647", in);
    }
    *out = value_int(integer);
    return err_none();
}

// A number of 32 bits as the shortest decimal that reads back as it: 3.14 stays 3.14.
static double shortest_float(double number) {
    float narrow = (float)number;
    if (!isfinite(narrow)) return (double)narrow;
    char text[32];
    double wide = (double)narrow;
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)narrow);
        wide = strtod(text, NULL);
        if ((float)wide == narrow) break;
    }
    return wide;
}

// Java's Float.parseFloat: 32 bits; a trailing f or d is allowed.
static Err input_float(Value in, Value *out) {
    if (in.kind == VALUE_INT) {
        *out = value_float(shortest_float((double)in.as.integer));
        return err_none();
    }
    if (in.kind == VALUE_FLOAT) {
        *out = value_float(shortest_float(in.as.real));
        return err_none();
    }
    if (in.kind != VALUE_TEXT) return mismatch("a number", in);
    Str text = str_trim(in.as.text);
    if (text.len > 1 && strchr("fFdD", text.ptr[text.len - 1]) != NULL) text.len--;
    Value parsed = value_null();
    Err err = to_float(value_text(text), &parsed);
    if (err.code != ERR_NONE || parsed.kind != VALUE_FLOAT) return mismatch("a number", in);
    *out = value_float(shortest_float(parsed.as.real));
    return err_none();
}

// ^[a-z]+://(www.)? host of 1-256 characters . 1-6 alphanumerics, then a path:
// flow-language.md 2.3.
static bool is_input_uri(Str text) {
    size_t at = 0;
    while (at < text.len && text.ptr[at] >= 'a' && text.ptr[at] <= 'z') at++;
    if (at == 0 || !str_starts_with(str_slice(text, at, text.len), STR("://"))) return false;
    at += 3;
    size_t host = at;
    size_t dot = STR_NOT_FOUND;
    while (at < text.len && strchr("/?#", text.ptr[at]) == NULL) {
        if (text.ptr[at] == '.') dot = at;
        at++;
    }
    if (dot == STR_NOT_FOUND || dot == host || dot - host > 260) return false;
    size_t end = dot + 1;
    while (end < at &&
           ((text.ptr[end] | 0x20) >= 'a' ? (text.ptr[end] | 0x20) <= 'z'
                                          : text.ptr[end] >= '0' && text.ptr[end] <= '9')) {
        end++;
    }
    return end > dot + 1;
}

static bool is_email(Str text) {
    size_t at = str_find_last_char(text, '@');
    if (at == STR_NOT_FOUND || at == 0 || at > 64 || at + 1 == text.len) return false;
    Str local = str_slice(text, 0, at);
    Str host = str_slice(text, at + 1, text.len);
    if (str_find_char(host, '.', 0) == STR_NOT_FOUND) return false;
    for (size_t i = 0; i < local.len; i++) {
        if ((unsigned char)local.ptr[i] <= ' ' || strchr("@,;:<>()[]\\\"", local.ptr[i]) != NULL)
            return false;
    }
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_word && c != '-' && c != '.') return false;
    }
    return host.ptr[0] != '.' && host.ptr[host.len - 1] != '.';
}

static Err input_list(Value in, InputType item, Arena *arena, Value *out) {
    Value list = value_null();
    TRY(to_json_kind(in, VALUE_LIST, arena, &list));
    *out = value_list(arena);
    for (uint32_t i = 0; i < list.as.list->count; i++) {
        Value converted = value_null();
        Err err =
            value_convert_input(list.as.list->items[i], item, INPUT_STRING, arena, &converted);
        if (err.code != ERR_NONE) return err_wrap(err, "element %u", i + 1);
        value_list_add(arena, *out, converted);
    }
    return err_none();
}

static Err input_document(Value in, bool is_yaml, Arena *arena, Value *out) {
    *out = in;
    if (in.kind != VALUE_TEXT) return err_none();  // native values are taken as they are (1.x)
    Err err = is_yaml ? yaml_parse(in.as.text, arena, out)
                      : json_parse(in.as.text, (JsonLimits){0}, arena, out);
    return err.code == ERR_NONE ? err : err_wrap(err, is_yaml ? "not YAML" : "not JSON");
}

Err value_convert_input(Value in, InputType type, InputType item, Arena *arena, Value *out) {
    *out = in;
    if (in.kind == VALUE_NULL) return err_none();
    switch (type) {
    case INPUT_STRING:
    case INPUT_SELECT:
    case INPUT_ENUM:
    case INPUT_FILE:
    case INPUT_SECRET:
        if (in.kind != VALUE_SECRET) *out = value_text(value_to_text(arena, in));
        return err_none();
    case INPUT_EMAIL: {
        Str text = value_to_text(arena, in);
        *out = value_text(text);
        if (text.len == 0 || is_email(text)) return err_none();
        return mismatch("an e-mail address", in);
    }
    case INPUT_INT:
        return input_int(in, out);
    case INPUT_FLOAT:
        return input_float(in, out);
    case INPUT_BOOL:
    case INPUT_BOOLEAN:
        if (in.kind != VALUE_BOOL) {
            *out = value_bool(str_eq_ignore_case(value_to_text(arena, in), STR("true")));
        }
        return err_none();
    case INPUT_MULTISELECT:
    case INPUT_ARRAY:
        return input_list(in, item, arena, out);
    case INPUT_DATETIME: {
        Instant instant;
        Err err = instant_parse(value_to_text(arena, in), &instant);
        if (err.code == ERR_NONE) *out = printed_instant(instant, arena);
        return err;
    }
    case INPUT_DATE:
        return to_date(in, arena, out);
    case INPUT_TIME:
        return to_time(in, arena, out);
    case INPUT_DURATION:
        return to_duration(in, false, arena, out);
    case INPUT_JSON:
        return input_document(in, false, arena, out);
    case INPUT_YAML:
        return input_document(in, true, arena, out);
    case INPUT_URI:
        *out = value_text(value_to_text(arena, in));
        if (is_input_uri(out->as.text)) return err_none();
        return mismatch("a URI such as https://example.com/path", in);
    case INPUT_FORM:
    case INPUT_TYPE_COUNT:
        return err_none();
    }
    return err_none();
}

bool condition_is_true(Str text) {
    Str trimmed = str_trim(text);
    return trimmed.len > 0 && !str_eq(trimmed, STR("false")) && !str_eq(trimmed, STR("0")) &&
           !str_eq(trimmed, STR("-0"));
}
