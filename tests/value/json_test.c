// json_test.c - JSON in and out, numbers as the language prints them.
#include "support/test.h"

#include "value/value.h"

static Str rewrite(Arena *arena, const char *text, JsonStyle style, unsigned flags) {
    Value value = value_null();
    Err err = json_parse(str_from(text), (JsonLimits){0}, arena, &value);
    if (err.code != ERR_NONE) return str_dup(arena, str_from(err.text));
    Buffer out = {0};
    json_write(&out, value, style, flags);
    Str result = buffer_to_str(&out, arena);
    buffer_release(&out);
    return result;
}

static void what_is_read_is_written_back(void **state) {
    (void)state;
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"null",                         "null"                      },
        {" [1, 2.50 ,\"a\\u00e9\\n\"] ", "[1,2.5,\"a\xC3\xA9\\n\"]"  },
        {"{\"b\":1,\"a\":{\"c\":[]}}",   "{\"b\":1,\"a\":{\"c\":[]}}"},
        {"{\"a\":1,\"a\":2}",            "{\"a\":2}"                 },
        {"9223372036854775807",          "9223372036854775807"       },
        {"92233720368547758080",         "92233720368547758080"      },
        {"-0",                           "0"                         },
        {"1e3",                          "1000.0"                    },
        {"1e7",                          "1.0E7"                     },
        {"0.0005",                       "5.0E-4"                    },
        {"0.001",                        "0.001"                     },
        {"12345678.25",                  "1.234567825E7"             },
        {"\"\\ud83d\\ude00\"",           "\"\xF0\x9F\x98\x80\""      },
        {"\"/\"",                        "\"/\""                     },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        Arena arena = {0};
        assert_str_equal(rewrite(&arena, rows[i].in, JSON_COMPACT, 0), str_from(rows[i].out));
        arena_release(&arena);
    }
}

static void what_is_malformed_is_refused_with_its_place(void **state) {
    (void)state;
    static const struct {
        const char *in, *message;
    } rows[] = {
        {"",            "line 1, column 1: the text ends where a value is expected"          },
        {"[1,\n 2",     "line 2, column 3: expected ',' or ']'"                              },
        {"[1,]",        "line 1, column 4: expected a value"                                 },
        {"{\"a\" 1}",   "line 1, column 6: expected ':' behind the key"                      },
        {"{a:1}",       "line 1, column 2: expected a key in double quotes"                  },
        {"01",          "line 1, column 1: a malformed number"                               },
        {"\"\\ud800\"", "line 1, column 2: a broken escape in a text"                        },
        {"\"abc",       "line 1, column 1: a text without its closing quote"                 },
        {"1 2",         "line 1, column 3: something stands behind the value"                },
        {"\"a\nb\"",    "line 1, column 3: a control character inside a text must be escaped"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        Arena arena = {0};
        assert_str_equal(rewrite(&arena, rows[i].in, JSON_COMPACT, 0), str_from(rows[i].message));
        arena_release(&arena);
    }
}

static void depth_is_limited(void **state) {
    (void)state;
    Buffer text = {0};
    buffer_add_repeat(&text, '[', 65);
    Arena arena = {0};
    Value value = value_null();
    Err err = json_parse(buffer_str(&text), (JsonLimits){0}, &arena, &value);
    assert_int_equal(err.code, ERR_LIMIT);
    buffer_release(&text);
    arena_release(&arena);
}

static void canonical_sorts_keys_and_secrets_are_masked(void **state) {
    (void)state;
    Arena arena = {0};
    assert_str_equal(rewrite(&arena, "{\"b\":1,\"a\":null}", JSON_CANONICAL, 0),
                     STR("{\"a\":null,\"b\":1}"));
    assert_str_equal(rewrite(&arena, "{\"b\":1,\"a\":null}", JSON_COMPACT, JSON_DROP_NULLS),
                     STR("{\"b\":1}"));
    Value recipe = value_map(&arena);
    value_map_set(&arena, recipe, STR("op"), value_text(STR("secret")));
    Value secret = {.kind = VALUE_SECRET, .as.secret = &recipe};
    Value list = value_list(&arena);
    value_list_add(&arena, list, secret);
    Buffer out = {0};
    json_write(&out, list, JSON_COMPACT, 0);
    assert_str_equal(buffer_str(&out), STR("[\"******\"]"));
    buffer_clear(&out);
    json_write(&out, list, JSON_COMPACT, JSON_KEEP_SECRETS);
    assert_str_equal(buffer_str(&out), STR("[{\"$secret\":{\"op\":\"secret\"}}]"));
    Value back = value_null();
    assert_ok(json_parse(buffer_str(&out), (JsonLimits){0}, &arena, &back));
    back = value_restore_secrets(&arena, back);
    assert_true(value_equal(back, list));
    buffer_release(&out);
    arena_release(&arena);
}

static void a_large_map_finds_every_key_in_order(void **state) {
    (void)state;
    Arena arena = {0};
    Value map = value_map(&arena);
    for (int i = 0; i < 1000; i++) {
        value_map_set(&arena, map, str_printf(&arena, "key%d", i), value_int(i));
    }
    assert_true(value_map_remove(map, STR("key500")));
    for (int i = 0; i < 1000; i++) {
        Str key = str_printf(&arena, "key%d", i);
        assert_int_equal(value_map_get_int(map, key, -1), i == 500 ? -1 : i);
    }
    assert_str_equal(map.as.map->members[501].key, STR("key502"));
    arena_release(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_is_written_back),
        cmocka_unit_test(what_is_malformed_is_refused_with_its_place),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(canonical_sorts_keys_and_secrets_are_masked),
        cmocka_unit_test(a_large_map_finds_every_key_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
