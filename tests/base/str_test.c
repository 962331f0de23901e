// str_test.c - pieces of text.
#include "support/test.h"

#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/codec.h"
#include "base/utf8.h"

static void equality_compares_bytes(void **state) {
    (void)state;
    static const struct {
        const char *a, *b;
        bool equal;
    } rows[] = {
        {"a", "a",  true },
        {"a", "ab", false},
        {"",  "",   true },
        {"a", "b",  false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        assert_int_equal(str_eq(str_from(rows[i].a), str_from(rows[i].b)), rows[i].equal);
    }
}

static void slice_borrows_the_bytes(void **state) {
    (void)state;
    Str text = STR("hello");
    assert_ptr_equal(str_slice(text, 1, 3).ptr, text.ptr + 1);
    assert_str_equal(str_slice(text, 1, 3), STR("el"));
    assert_str_equal(str_slice(text, 3, 99), STR("lo"));
    assert_str_equal(str_slice(text, 4, 2), STR(""));
}

static void find_looks_from_a_place(void **state) {
    (void)state;
    assert_int_equal(str_find(STR("abcabc"), STR("ca"), 0), 2);
    assert_int_equal(str_find(STR("abcabc"), STR("abc"), 1), 3);
    assert_true(str_find(STR("abcab"), STR("abc"), 1) == STR_NOT_FOUND);
    assert_true(str_find(STR("ab"), STR("abc"), 0) == STR_NOT_FOUND);
}

static void integers_are_checked_for_range(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool is_valid;
        int64_t value;
    } rows[] = {
        {"0",                    true,  0        },
        {"-9223372036854775808", true,  INT64_MIN},
        {"9223372036854775807",  true,  INT64_MAX},
        {"9223372036854775808",  false, 0        },
        {"+7",                   true,  7        },
        {"",                     false, 0        },
        {"-",                    false, 0        },
        {"1x",                   false, 0        },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        int64_t value = 0;
        assert_int_equal(str_to_int(str_from(rows[i].text), &value), rows[i].is_valid);
        if (rows[i].is_valid) assert_true(value == rows[i].value);
    }
}

static void distance_counts_edits(void **state) {
    (void)state;
    static const struct {
        const char *a, *b;
        size_t limit, distance;
    } rows[] = {
        {"host",       "hots",  3, 1},
        {"inputs",     "input", 3, 1},
        {"a",          "a",     3, 0},
        {"abc",        "xyz",   2, 3},
        {"Label",      "label", 2, 0},
        {"",           "abc",   5, 3},
        {"dateFormat", "date",  3, 4},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        assert_int_equal(str_distance(str_from(rows[i].a), str_from(rows[i].b), rows[i].limit),
                         rows[i].distance);
    }
}

static void utf8_refuses_what_is_not_well_formed(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t invalid_at;
    } rows[] = {
        {"plain",            STR_NOT_FOUND},
        {"\xC3\xA9",         STR_NOT_FOUND},
        {"\xF0\x9F\x98\x80", STR_NOT_FOUND},
        {"a\xC0\x80",        1            },
        {"\xED\xA0\x80",     0            },
        {"\xF4\x90\x80\x80", 0            },
        {"ok\xE2\x82",       2            },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        assert_true(utf8_find_invalid(str_from(rows[i].bytes)) == rows[i].invalid_at);
    }
}

static void json_text_escapes_what_it_must(void **state) {
    (void)state;
    Buffer buffer = {0};
    buffer_add_json(&buffer, STR("a\"\\\n\x01\xC3\xA9\xFF"));
    assert_str_equal(buffer_str(&buffer), STR("\"a\\\"\\\\\\n\\u0001\xC3\xA9\xEF\xBF\xBD\""));
    buffer_release(&buffer);
}

static void base64_round_trips_every_length(void **state) {
    (void)state;
    for (size_t len = 0; len < 20; len++) {
        char bytes[20];
        for (size_t i = 0; i < len; i++) bytes[i] = (char)(i * 37 + len);
        Buffer text = {0};
        Buffer back = {0};
        base64_encode(&text, (Str){bytes, len});
        assert_true(base64_decode(&back, buffer_str(&text)));
        assert_int_equal(back.len, len);
        if (len > 0) assert_memory_equal(back.ptr, bytes, len);
        buffer_release(&text);
        buffer_release(&back);
    }
}

static void an_arena_reset_frees_what_came_after_the_mark(void **state) {
    (void)state;
    Arena arena = {0};
    char *first = arena_array(&arena, char, 10);
    ArenaMark mark = arena_mark(&arena);
    size_t total = arena.total;
    for (int i = 0; i < 100; i++) (void)arena_array(&arena, char, 10000);
    arena_reset(&arena, mark);
    assert_int_equal(arena.total, total);
    assert_ptr_equal(arena_array(&arena, char, 1), first + 10);
    arena_release(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equality_compares_bytes),
        cmocka_unit_test(slice_borrows_the_bytes),
        cmocka_unit_test(find_looks_from_a_place),
        cmocka_unit_test(integers_are_checked_for_range),
        cmocka_unit_test(distance_counts_edits),
        cmocka_unit_test(utf8_refuses_what_is_not_well_formed),
        cmocka_unit_test(json_text_escapes_what_it_must),
        cmocka_unit_test(base64_round_trips_every_length),
        cmocka_unit_test(an_arena_reset_frees_what_came_after_the_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
