// convert_test.c - conversions, YAML scalars, durations and dates: rows of the language pages.
#include <string.h>

#include "support/test.h"

#include "value/convert.h"
#include "value/time.h"

static Str converted(Arena *arena, Err err, Value value) {
    if (err.code != ERR_NONE) return STR("error");
    Buffer out = {0};
    json_write(&out, value, JSON_COMPACT, 0);
    Str text = buffer_to_str(&out, arena);
    buffer_release(&out);
    return text;
}

static void property_texts_become_their_type(void **state) {
    (void)state;
    static const struct {
        ConvertTo to;
        const char *in, *out;
    } rows[] = {
        {CONVERT_INT,      " 07 ",                      "7"                       },
        {CONVERT_INT,      "7.9",                       "7"                       },
        {CONVERT_INT,      "1e3",                       "1000"                    },
        {CONVERT_INT,      "0x10",                      "error"                   },
        {CONVERT_INT,      "",                          "null"                    },
        {CONVERT_INT,      "null",                      "null"                    },
        {CONVERT_INT,      "1e30",                      "error"                   },
        {CONVERT_FLOAT,    "1.5e2",                     "150.0"                   },
        {CONVERT_FLOAT,    "NaN",                       "\"NaN\""                 },
        {CONVERT_BOOL,     " True",                     "true"                    },
        {CONVERT_BOOL,     "0",                         "false"                   },
        {CONVERT_BOOL,     "yes",                       "error"                   },
        {CONVERT_DURATION, "pt5m",                      "\"PT5M\""                },
        {CONVERT_DURATION, "90",                        "\"PT1M30S\""             },
        {CONVERT_DURATION, "0.2",                       "\"PT0.2S\""              },
        {CONVERT_DURATION, "P1D",                       "\"PT24H\""               },
        {CONVERT_DURATION, "P1W",                       "error"                   },
        {CONVERT_DURATION, "5m",                        "error"                   },
        {CONVERT_DATETIME, "2024-01-02T03:04:05+01:00", "\"2024-01-02T02:04:05Z\""},
        {CONVERT_DATETIME, "0",                         "\"1970-01-01T00:00:00Z\""},
        {CONVERT_DATETIME, "2024-01-02T03:04:05",       "error"                   },
        {CONVERT_DATE,     "2024-02-30",                "error"                   },
        {CONVERT_LIST,     "[1,\"a\"]",                 "[1,\"a\"]"               },
        {CONVERT_LIST,     "a",                         "error"                   },
        {CONVERT_MAP,      "{\"a\":1}",                 "{\"a\":1}"               },
        {CONVERT_TEXT,     "a",                         "\"a\""                   },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        Arena arena = {0};
        Value out = value_null();
        Err err = value_convert(value_text(str_from(rows[i].in)), rows[i].to, &arena, &out);
        assert_str_equal(converted(&arena, err, out), str_from(rows[i].out));
        arena_release(&arena);
    }
}

static void input_texts_become_their_type(void **state) {
    (void)state;
    static const struct {
        InputType type;
        const char *in, *out;
    } rows[] = {
        {INPUT_INT,      "42",                    "42"                     },
        {INPUT_INT,      "1.0",                   "error"                  },
        {INPUT_INT,      "2147483648",            "error"                  },
        {INPUT_FLOAT,    "1.5f",                  "1.5"                    },
        {INPUT_BOOL,     "TRUE",                  "true"                   },
        {INPUT_BOOL,     "yes",                   "false"                  },
        {INPUT_DURATION, "PT1H",                  "\"PT1H\""               },
        {INPUT_DURATION, "5",                     "error"                  },
        {INPUT_TIME,     "10:30",                 "\"10:30\""              },
        {INPUT_TIME,     "10:30Z",                "error"                  },
        {INPUT_URI,      "https://a.example/x",   "\"https://a.example/x\""},
        {INPUT_URI,      "http://localhost:8080", "error"                  },
        {INPUT_EMAIL,    "a@b.example",           "\"a@b.example\""        },
        {INPUT_EMAIL,    "a@b",                   "error"                  },
        {INPUT_JSON,     "{\"a\":[1]}",           "{\"a\":[1]}"            },
        {INPUT_YAML,     "a: [1, yes]",           "{\"a\":[1,true]}"       },
        {INPUT_ARRAY,    "[\"1\",\"2\"]",         "[1,2]"                  },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        Arena arena = {0};
        Value out = value_null();
        Err err = value_convert_input(value_text(str_from(rows[i].in)), rows[i].type, INPUT_INT,
                                      &arena, &out);
        assert_str_equal(converted(&arena, err, out), str_from(rows[i].out));
        arena_release(&arena);
    }
}

static void plain_scalars_follow_yaml_1_1(void **state) {
    (void)state;
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"yes",                  "true"                },
        {"Off",                  "false"               },
        {"y",                    "\"y\""               },
        {"~",                    "null"                },
        {"",                     "null"                },
        {"012",                  "10"                  },
        {"0_17",                 "15"                  },
        {"0x1F",                 "31"                  },
        {"0b101",                "5"                   },
        {"1_000",                "1000"                },
        {"1.10",                 "1.1"                 },
        {"1e3",                  "1000.0"              },
        {".5",                   "0.5"                 },
        {"12:30",                "\"12:30\""           },
        {"2024-01-02",           "\"2024-01-02\""      },
        {"09",                   "\"09\""              },
        {"+",                    "\"+\""               },
        {".",                    "\".\""               },
        {"-",                    "\"-\""               },
        {"99999999999999999999", "99999999999999999999"},
        {".inf",                 "\"Infinity\""        },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        Arena arena = {0};
        Value out = value_null();
        yaml_resolve_plain(str_from(rows[i].in), &arena, &out);
        assert_str_equal(converted(&arena, err_none(), out), str_from(rows[i].out));
        arena_release(&arena);
    }
}

static void yaml_written_reads_back_equal(void **state) {
    (void)state;
    static const char *const rows[] = {
        "{\"a\":1,\"b\":[1,[2,3],{\"c\":null,\"d\":[]}],\"e\":{}}",
        "{\"f\":\"yes\",\"g\":\"a: b\",\"h\":\"\"}",
        "[\"line\\nbreak\",\"- x\",\" lead\",1.5,true,\"#c\",\"012\"]",
        "\"text\"",
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        Arena arena = {0};
        Value value = value_null();
        Value back = value_null();
        assert_ok(json_parse(str_from(rows[i]), (JsonLimits){0}, &arena, &value));
        Buffer out = {0};
        yaml_write(&out, value);
        assert_ok(yaml_parse(buffer_str(&out), &arena, &back));
        assert_true(value_equal(value, back));
        buffer_release(&out);
        arena_release(&arena);
    }
}

// A key of YAML ends within 1,024 characters where nothing announces it.
static void long_keys_read_back_equal(void **state) {
    (void)state;
    static const size_t lengths[] = {999, 1000, 1001, 1023, 1024, 1025, 5000};
    for (size_t i = 0; i < COUNT(lengths); i++) {
        test_row(i);
        Arena arena = {0};
        char *key = arena_array(&arena, char, lengths[i]);
        memset(key, 'k', lengths[i]);
        key[1] = ':';  // quoted or not
        key[2] = i % 2 == 0 ? ' ' : 'k';
        Value inner = value_map(&arena), list = value_list(&arena), back = value_null();
        value_map_set(&arena, inner, (Str){key, lengths[i]}, value_int(1));
        value_map_set(&arena, inner, STR("b"), value_int(2));
        value_list_add(&arena, list, inner);
        value_list_add(&arena, list, inner);
        Buffer out = {0};
        yaml_write(&out, list);
        assert_ok(yaml_parse(buffer_str(&out), &arena, &back));
        assert_true(value_equal(list, back));
        buffer_release(&out);
        arena_release(&arena);
    }
}

static void dates_go_to_days_and_back(void **state) {
    (void)state;
    assert_int_equal(days_from_date(1970, 1, 1), 0);
    assert_int_equal(days_from_date(2000, 3, 1), 11017);
    for (int64_t days = -800000; days < 800000; days += 997) {
        int32_t year = 0;
        int month = 0;
        int day = 0;
        date_from_days(days, &year, &month, &day);
        assert_true(days_from_date(year, month, day) == days);
    }
}

static void truth_of_a_condition_is_that_of_its_trimmed_text(void **state) {
    (void)state;
    assert_false(condition_is_true(STR(" false\n")));
    assert_false(condition_is_true(STR("0")));
    assert_false(condition_is_true(STR("-0")));
    assert_false(condition_is_true(STR("  ")));
    assert_true(condition_is_true(STR("False")));
    assert_true(condition_is_true(STR("0.0")));
    assert_true(condition_is_true(STR("[]")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(property_texts_become_their_type),
        cmocka_unit_test(input_texts_become_their_type),
        cmocka_unit_test(plain_scalars_follow_yaml_1_1),
        cmocka_unit_test(yaml_written_reads_back_equal),
        cmocka_unit_test(long_keys_read_back_equal),
        cmocka_unit_test(dates_go_to_days_and_back),
        cmocka_unit_test(truth_of_a_condition_is_that_of_its_trimmed_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
