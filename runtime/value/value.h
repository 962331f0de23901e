// value.h - the values of the language: JSON's, made exact.
//
// A Value is small and passed by value; what it points to lives in an arena. Lists and maps grow
// only through the functions here. A map keeps the order of its keys. An integer has 64 bits; JSON
// integers beyond are `bignum`: their digits, which print and compare but do not calculate.
// `secret` is a reference to something that may not be shown: its text is known to the leaf module
// only, here it is an opaque recipe (see leaf.h). `undefined` says where it arose: `text` is the
// path to be named in a message.
#ifndef FLOW_VALUE_VALUE_H
#define FLOW_VALUE_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/err.h"
#include "base/str.h"

typedef enum ValueKind {
    VALUE_NULL,  // zero is a valid state
    VALUE_UNDEFINED,
    VALUE_BOOL,
    VALUE_INT,
    VALUE_FLOAT,
    VALUE_BIGNUM,
    VALUE_TEXT,
    VALUE_LIST,
    VALUE_MAP,
    VALUE_SECRET,
} ValueKind;

typedef struct ValueList ValueList;
typedef struct ValueMap ValueMap;
typedef struct Value Value;

struct Value {
    ValueKind kind;
    union {
        bool boolean;
        int64_t integer;
        double real;
        Str text;             // TEXT, BIGNUM: digits; UNDEFINED: the path
        ValueList *list;      // never NULL
        ValueMap *map;        // never NULL
        const Value *secret;  // the recipe: a value of kind MAP, see leaf.h
    } as;
};

struct ValueList {
    Value *items;
    uint32_t count;
    uint32_t capacity;
};

typedef struct ValueMember {
    Str key;
    Value value;
} ValueMember;

struct ValueMap {
    ValueMember *members;
    uint32_t count;
    uint32_t capacity;
    uint32_t *index;  // open addressing over the members once there are more than a few; else NULL
    uint32_t index_size;
};

static inline Value value_null(void) {
    return (Value){.kind = VALUE_NULL};
}
static inline Value value_undefined(Str path) {
    return (Value){.kind = VALUE_UNDEFINED, .as.text = path};
}
static inline Value value_bool(bool boolean) {
    return (Value){.kind = VALUE_BOOL, .as.boolean = boolean};
}
static inline Value value_int(int64_t integer) {
    return (Value){.kind = VALUE_INT, .as.integer = integer};
}
static inline Value value_float(double real) {
    return (Value){.kind = VALUE_FLOAT, .as.real = real};
}
static inline Value value_text(Str text) {
    return (Value){.kind = VALUE_TEXT, .as.text = text};
}
Value value_list(Arena *arena);
Value value_map(Arena *arena);

// The user's word for it: "null", "boolean", "integer", "number", "text", "list", "map", "secret",
// "undefined".
const char *value_kind_name(ValueKind kind);

void value_list_add(Arena *arena, Value list, Value item);
// Replaces the value of a key that is there (at its old place), else adds it at the end. The key is
// borrowed.
void value_map_set(Arena *arena, Value map, Str key, Value value);
// NULL where `map` is no map or has no such key.
const Value *value_map_get(Value map, Str key);
Str value_map_get_text(Value map, Str key, Str otherwise);
int64_t value_map_get_int(Value map, Str key, int64_t otherwise);
bool value_map_get_bool(Value map, Str key, bool otherwise);
bool value_map_remove(Value map, Str key);

// A deep copy; nothing of it is borrowed.
Value value_copy(Arena *arena, Value value);
// Equality of the language (expression-language.md 4.4): numbers by value, exactly; else same kind
// and content.
bool value_equal(Value a, Value b);
// True where a secret is in it, at any depth.
bool value_has_secret(Value value);

// --- text forms ---------------------------------------------------------------------------------

// As the language prints it: null nothing, text itself, lists and maps as compact JSON. A secret
// prints "******".
void value_print(Buffer *out, Value value);
Str value_to_text(Arena *arena, Value value);
// Shortest digits that round-trip, in the form of expression-language.md 4.1: 5.0, 1.0E8, 5.0E-4,
// Infinity, NaN.
void value_print_float(Buffer *out, double real);

// --- JSON ---------------------------------------------------------------------------------------

typedef struct JsonLimits {
    size_t bytes;    // of text; 0: 64 MiB
    uint32_t depth;  // 0: 64
} JsonLimits;

// One JSON text (RFC 8259), nothing behind it but white space. Duplicate keys: the last wins.
// Invalid UTF-8 and lone surrogates are errors. ERR_INPUT says line and column; ERR_LIMIT names the
// limit.
MUST_CHECK Err json_parse(Str text, JsonLimits limits, Arena *arena, Value *out);

typedef enum JsonStyle {
    JSON_COMPACT,
    JSON_PRETTY,     // two blanks of indentation
    JSON_CANONICAL,  // compact, keys sorted bytewise: what is hashed and signed
} JsonStyle;

enum {
    JSON_DROP_NULLS =
        1,  // map entries with null are left out at every depth (how the language prints maps)
    JSON_KEEP_SECRETS = 2,  // a secret is written as {"$secret": recipe}; without it as "******"
};

void json_write(Buffer *out, Value value, JsonStyle style, unsigned flags);
// Reads {"$secret": recipe} back as secrets: for what json_write wrote with JSON_KEEP_SECRETS and
// nothing else.
Value value_restore_secrets(Arena *arena, Value value);

// A pull reader for who builds something other than Values (Lua tables). The text must outlive it.
typedef enum JsonToken {
    JSON_ERROR,  // reader->err says why
    JSON_END,
    JSON_NULL,
    JSON_TRUE,
    JSON_FALSE,
    JSON_INT,
    JSON_FLOAT,
    JSON_BIGNUM,
    JSON_TEXT,
    JSON_KEY,
    JSON_LIST_START,
    JSON_LIST_END,
    JSON_MAP_START,
    JSON_MAP_END,
} JsonToken;

typedef struct JsonReader {
    Str text;
    size_t at;
    JsonLimits limits;
    uint32_t depth;
    uint8_t stack[64];  // '[' or '{' per level
    int state;
    int64_t integer;  // of JSON_INT
    double real;      // of JSON_FLOAT
    Str token;  // of JSON_TEXT, JSON_KEY, JSON_BIGNUM; borrowed from text or scratch until the next
                // call
    Buffer scratch;  // released by json_reader_release
    Err err;
} JsonReader;

void json_reader_init(JsonReader *reader, Str text, JsonLimits limits);
void json_reader_release(JsonReader *reader);
JsonToken json_next(JsonReader *reader);

// --- YAML as data -------------------------------------------------------------------------------

// The first document as a value: YAML 1.1 scalars by the table of flow-language.md 8.3. Aliases are
// refused.
MUST_CHECK Err yaml_parse(Str text, Arena *arena, Value *out);
void yaml_write(Buffer *out, Value value);

typedef enum YamlScalar {
    YAML_SCALAR_TEXT,
    YAML_SCALAR_NULL,
    YAML_SCALAR_BOOL,
    YAML_SCALAR_INT,
    YAML_SCALAR_FLOAT
} YamlScalar;

// What a plain scalar means in YAML 1.1 as the language reads it. TEXT leaves *out as the text
// itself.
YamlScalar yaml_resolve_plain(Str text, Arena *arena, Value *out);

#endif
