// pattern_test.c - date patterns: printing, reading, what is refused.
#include "support/test.h"
#include "value/time.h"

static int setup(void **state) {
    static Arena arena;
    *state = &arena;
    return 0;
}

static int teardown(void **state) {
    arena_release(*state);
    return 0;
}

static Str print(Arena *arena, const char *pattern_text, const char *date, const char *zone_name_) {
    const DatePattern *pattern;
    const Zone *zone;
    Instant instant;
    assert_ok(date_pattern_compile(str_from(pattern_text), arena, &pattern));
    assert_ok(zone_open(str_from(zone_name_), arena, &zone));
    assert_ok(instant_parse(str_from(date), &instant));
    DateTime at = datetime_from_instant(instant, zone_offset_at(zone, instant.seconds, NULL));
    Buffer out = {0};
    date_pattern_print(pattern, &at, zone, &out);
    Str text = buffer_to_str(&out, arena);
    buffer_release(&out);
    return text;
}

static void letters_print_as_java_does(void **state) {
    static const struct {
        const char *pattern, *text;
    } rows[] = {
        {"y yy yyy yyyy yyyyy",         "2024 24 2024 2024 02024"                               },
        {"M MM MMM MMMM MMMMM L",       "1 01 Jan January J 1"                                  },
        {"d dd D DDD",                  "5 05 5 005"                                            },
        {"E EEEE EEEEE e c eee",        "Fri Friday F 6 6 Fri"                                  },
        {"H HH k K h a",                "0 00 24 0 12 AM"                                       },
        {"m s S SSS SSSSSSSSS n",       "7 9 1 120 120000000 120000000"                         },
        {"Q QQ QQQ QQQQ",               "1 01 Q1 1st quarter"                                   },
        {"X XX XXX x xxx Z ZZZZ ZZZZZ", "+0530 +0530 +05:30 +0530 +05:30 +0530 GMT+05:30 +05:30"},
        {"O OOOO VV z",                 "GMT+5:30 GMT+05:30 Asia/Kolkata IST"                   },
        {"G GGGG",                      "AD Anno Domini"                                        },
        {"w W F Y",                     "1 1 1 2024"                                            },
        {"pppM|ppHH",                   "  1|00"                                                },
        {"''yy 'o''clock' [HH]",        "'24 o'clock 00"                                        },
        {"A N",                         "429120 429120000000"                                   },
        {"iso_zoned_date_time",         "2024-01-05T00:07:09.12+05:30[Asia/Kolkata]"            },
        {"iso_instant",                 "2024-01-04T18:37:09.120Z"                              },
        {"rfc_1123_date_time",          "Fri, 5 Jan 2024 00:07:09 +0530"                        },
        {"iso_week_date",               "2024-W01-5+05:30"                                      },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        assert_str_equal(print(*state, rows[i].pattern, "2024-01-04T18:37:09.12Z", "Asia/Kolkata"),
                         str_from(rows[i].text));
    }
}

static void years_far_away_have_a_sign(void **state) {
    assert_str_equal(print(*state, "yyyy uuuu", "+12024-01-04T18:37:09Z", "UTC"),
                     STR("+12024 +12024"));
    assert_str_equal(print(*state, "yyyy uuuu G", "-0001-01-04T18:37:09Z", "UTC"),
                     STR("0002 -0001 BC"));
}

static void bad_patterns_are_refused(void **state) {
    static const char *const rows[] = {"HHH", "yyyyT", "T",   "'open", "]",         "{",
                                       "#",   "VVV",   "cc",  "aa",    "XXXXXX",    "full",
                                       "B",   "p",     "ddd", "DDDD",  "SSSSSSSSSS"};
    const DatePattern *pattern;
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        Err err = date_pattern_compile(str_from(rows[i]), *state, &pattern);
        assert_int_not_equal(err.code, ERR_NONE);
    }
}

static void texts_are_read(void **state) {
    static const struct {
        const char *pattern, *text, *iso;  // NULL: refused
    } rows[] = {
        {"dd/MM/yyyy",           "03/11/2024",                    "2024-11-03T00:00:00Z"    },
        {"yyyyMMdd",             "20241103",                      "2024-11-03T00:00:00Z"    },
        {"yyyyMMddHHmmss",       "20241103053045",                "2024-11-03T05:30:45Z"    },
        {"yyyyMMddHHmmssSSS",    "20241103053045123",             "2024-11-03T05:30:45.123Z"},
        {"d MMM yyyy h:mm a",    "3 Nov 2024 5:30 PM",            "2024-11-03T17:30:00Z"    },
        {"EEEE, d MMMM uuuu",    "Sunday, 3 November 2024",       "2024-11-03T00:00:00Z"    },
        {"EEEE, d MMMM uuuu",    "Monday, 3 November 2024",       NULL                      },
        {"yyyy-MM-dd[ HH:mm]",   "2024-11-03",                    "2024-11-03T00:00:00Z"    },
        {"yyyy-MM-dd[ HH:mm]",   "2024-11-03 05:30",              "2024-11-03T05:30:00Z"    },
        {"yyyy-MM-dd HH:mm XXX", "2024-11-03 05:30 +02:00",       "2024-11-03T03:30:00Z"    },
        {"yyyy-MM-dd HH:mm VV",  "2024-07-03 05:30 Europe/Paris", "2024-07-03T03:30:00Z"    },
        {"yyyy-DDD",             "2024-308",                      "2024-11-03T00:00:00Z"    },
        {"yy-M-d",               "24-1-2",                        "2024-01-02T00:00:00Z"    },
        {"yyyy-MM-dd",           "2025-02-30",                    "2025-02-28T00:00:00Z"    },
        {"yyyy-MM-dd",           "2025-13-01",                    NULL                      },
        {"yyyy-MM-dd",           "12025-01-01",                   NULL                      },
        {"yyyy-MM-dd",           "2025-1-1",                      NULL                      },
        {"yyyy-MM-dd",           "2025-01-01x",                   NULL                      },
        {"HH:mm",                "05:30",                         NULL                      },
        {"yyyy-MM-dd HH:mm",     "2025-01-01 24:00",              NULL                      },
        {"iso_local_date_time",  "2024-11-03T05:30:45.5",         "2024-11-03T05:30:45.500Z"},
        {"sql_sec",              "2024-11-03 05:30:45",           "2024-11-03T05:30:45Z"    },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        const DatePattern *pattern;
        DateTime at;
        assert_ok(date_pattern_compile(str_from(rows[i].pattern), *state, &pattern));
        Err err = date_pattern_parse(pattern, str_from(rows[i].text), &at);
        if (rows[i].iso == NULL) {
            assert_int_not_equal(err.code, ERR_NONE);
            continue;
        }
        assert_ok(err);
        Buffer out = {0};
        instant_print(&out, datetime_to_instant(&at));
        assert_str_equal(buffer_str(&out), str_from(rows[i].iso));
        buffer_release(&out);
    }
}

static void what_is_printed_is_read_back(void **state) {
    static const char *const patterns[] = {"iso", "iso_date_time", "yyyy-DDD HH:mm:ss.nX",
                                           "d.M.u A Z", "uuuu.MM.dd G hh:mm:ss,SSSSSSSSS a VV"};
    for (size_t i = 0; i < COUNT(patterns); i++) {
        test_row(i);
        Str text = print(*state, patterns[i], "2024-02-29T23:59:58.123Z", "America/New_York");
        const DatePattern *pattern;
        DateTime at;
        assert_ok(date_pattern_compile(str_from(patterns[i]), *state, &pattern));
        assert_ok(date_pattern_parse(pattern, text, &at));
        Instant instant;
        assert_ok(instant_parse(STR("2024-02-29T23:59:58.123Z"), &instant));
        assert_int_equal(datetime_to_instant(&at).seconds, instant.seconds);
        assert_int_equal(at.nanosecond, instant.nanoseconds);
    }
}

static void old_zone_names_are_refused(void **state) {
    (void)state;
    assert_false(zone_is_known(STR("EST")));
    assert_false(zone_is_known(STR("posix/Europe/Paris")));
    assert_true(zone_is_known(STR("CET")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_print_as_java_does),
        cmocka_unit_test(years_far_away_have_a_sign),
        cmocka_unit_test(bad_patterns_are_refused),
        cmocka_unit_test(texts_are_read),
        cmocka_unit_test(what_is_printed_is_read_back),
        cmocka_unit_test(old_zone_names_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
