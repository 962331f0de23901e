// tests.c - what stands behind `is`.
#include "leaf/machine.h"

static int answer(lua_State *L, bool is_true) {
    lua_pushboolean(L, is_true);
    return 1;
}

static int is_defined(lua_State *L) {
    return answer(L, (leaf_kind(L, FIRST_ARG) & (KIND_UNDEFINED | KIND_NULL)) == 0);
}

static int is_null(lua_State *L) {
    return answer(L, leaf_kind(L, FIRST_ARG) == KIND_NULL);
}

static int is_empty(lua_State *L) {
    Kind kind = leaf_kind(L, FIRST_ARG);
    if (kind == KIND_NULL) return answer(L, true);
    if (kind == KIND_LIST || kind == KIND_MAP) return answer(L, leaf_count(L, FIRST_ARG) == 0);
    Str text = leaf_str(L, FIRST_ARG);
    bool is_blank = kind == KIND_TEXT;
    for (size_t i = 0; i < text.len && is_blank; i++) {
        is_blank = (unsigned char)text.ptr[i] <= ' ';
    }
    return answer(L, is_blank);
}

static int is_even(lua_State *L) {
    return answer(L, lua_tointeger(L, FIRST_ARG) % 2 == 0);
}

static int is_odd(lua_State *L) {
    return answer(L, lua_tointeger(L, FIRST_ARG) % 2 != 0);
}

static int is_iterable(lua_State *L) {
    return answer(L, leaf_kind(L, FIRST_ARG) == KIND_LIST);
}

static int is_map(lua_State *L) {
    bool is_entry = leaf_has_meta(L, FIRST_ARG, META_ENTRY);
    return answer(L, leaf_kind(L, FIRST_ARG) == KIND_MAP && !is_entry);
}

static int is_json(lua_State *L) {
    JsonReader reader;
    json_reader_init(&reader, leaf_str(L, FIRST_ARG), (JsonLimits){0});
    JsonToken token;
    do {
        token = json_next(&reader);
    } while (token != JSON_END && token != JSON_ERROR);
    json_reader_release(&reader);
    return answer(L, token == JSON_END);
}

#define TEST_ROW(test, type, more, function, words, cases)                                         \
    {                                                                                              \
        .kind = BUILTIN_TEST, .name = (test), .input = (type), .result = "bool",                   \
        .flags = BUILTIN_NO_ARGUMENTS | (more), .run = (function), .text = (words),                \
        .examples = (cases)                                                                        \
    }

const Builtin leaf_builtins_test[] = {
    TEST_ROW("defined", "any", BUILTIN_NULL_TAKEN | BUILTIN_UNDEFINED | BUILTIN_LAZY, is_defined,
             "True where the value is there and is not null.",
             "{{ nope is defined }} => false\n{{ 0 is defined }} => true"),
    TEST_ROW("empty", "any", BUILTIN_NULL_TAKEN | BUILTIN_LAZY, is_empty,
             "True for null, a blank text, an empty list or map; never for numbers.",
             "{{ ' ' is empty }} => true\n{{ 0 is empty }} => false"),
    TEST_ROW("even", "int", 0, is_even, "True for an even integer.", "{{ 10 is even }} => true"),
    TEST_ROW("iterable", "any", BUILTIN_NULL_TAKEN | BUILTIN_LAZY, is_iterable, "True for a list.",
             "{{ [1] is iterable }} => true\n{{ 'a' is iterable }} => false"),
    TEST_ROW("json", "text", 0, is_json, "True where a text is JSON.",
             "{{ '[1]' is json }} => true\n{{ '[1' is json }} => false"),
    TEST_ROW("map", "any", BUILTIN_NULL_TAKEN | BUILTIN_LAZY, is_map, "True for a map.",
             "{{ {'a': 1} is map }} => true"),
    TEST_ROW("null", "any", BUILTIN_NULL_TAKEN | BUILTIN_LAZY, is_null, "True for null.",
             "{{ null is null }} => true"),
    TEST_ROW("odd", "int", 0, is_odd, "True for an odd integer.", "{{ 7 is odd }} => true"),
    {.name = NULL},
};
