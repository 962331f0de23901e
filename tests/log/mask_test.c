// mask_test.c - secrets do not get through, in whatever dress, and nothing else is touched.
#include "support/test.h"

#include <string.h>

#include "base/arena.h"
#include "base/codec.h"
#include "base/crypto.h"
#include "log/forms.h"
#include "log/mask.h"

typedef struct World {
    Masker *masker;
    Arena arena;
    Buffer out;
} World;

static int setup(void **state) {
    static World world;
    world = (World){.masker = masker_new()};
    *state = &world;
    Err err = crypto_init();
    return err.code != ERR_NONE;
}

static int teardown(void **state) {
    World *world = *state;
    masker_free(world->masker);
    buffer_release(&world->out);
    arena_release(&world->arena);
    return 0;
}

static void every_dress_of_a_value_is_covered(void **state) {
    World *world = *state;
    static const struct {
        const char *text, *masked;
    } rows[] = {
        {"nothing here",                                  "nothing here"                  },
        {"token=p@ss wörd/'1' end",                      "token=****** end"              },
        {"p@ss wörd/'1'",                                "******"                        },
        {"a p@ss%20w%C3%B6rd b",                          "a p@ss%20w%C3%B6rd b"          },
        {"a p%40ss%20w%C3%B6rd%2F%271%27 b",              "a ****** b"                    },
        {"a p%40ss%20w%c3%b6rd%2f%271%27 b",              "a ****** b"                    },
        {"a p%40ss+w%C3%B6rd%2F%271%27 b",                "a ****** b"                    },
        {"sh 'p@ss wörd/'\\''1'\\''' b",                 "sh '******' b"                 },
        {"{\"k\":\"p@ss wörd\\/'1'\"}",                  "{\"k\":\"******\"}"            },
        {"70407373207766",                                "70407373207766"                },
        {"70407373"
         "2077"
         "c3b6"
         "7264"
         "2f27"
         "3127",                                 "******"                        },
        {"70407373"
         "2077"
         "C3B6"
         "7264"
         "2F27"
         "3127",                                 "******"                        },
        {"cEBzcyB3w7ZyZC8nMSc=",                          "******"                        },
        {"Authorization: Basic dTpwQHNzIHfDtnJkLycxJw==", "Authorization: Basic dTp******"},
    };
    assert_true(masker_add(world->masker, STR("p@ss wörd/'1'")));
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        buffer_clear(&world->out);
        masker_apply(world->masker, str_from(rows[i].text), &world->out);
        Str got = buffer_str(&world->out);
        assert_str_equal(got, str_from(rows[i].masked));
    }
}

static void a_value_split_over_writes_is_covered_wherever_it_is_split(void **state) {
    World *world = *state;
    Str text = STR("xx s3cret-value yy");
    masker_add(world->masker, STR("s3cret-value"));
    for (size_t cut = 0; cut <= text.len; cut++) {
        MaskStream stream = {.masker = world->masker};
        buffer_clear(&world->out);
        mask_stream_add(&stream, str_slice(text, 0, cut), &world->out);
        mask_stream_add(&stream, str_slice(text, cut, text.len), &world->out);
        mask_stream_end(&stream, &world->out);
        mask_stream_release(&stream);
        assert_str_equal(buffer_str(&world->out), STR("xx ****** yy"));
    }
}

static void bytes_come_one_by_one_and_wait_no_longer_than_they_must(void **state) {
    World *world = *state;
    masker_add(world->masker, STR("abcdef"));
    MaskStream stream = {.masker = world->masker};
    mask_stream_add(&stream, STR("x"), &world->out);
    assert_str_equal(buffer_str(&world->out), STR("x"));
    mask_stream_add(&stream, STR("abc"), &world->out);
    assert_str_equal(buffer_str(&world->out), STR("x"));
    mask_stream_add(&stream, STR("x"), &world->out);
    assert_str_equal(buffer_str(&world->out), STR("xabcx"));
    mask_stream_end(&stream, &world->out);
    mask_stream_release(&stream);
}

static void overlapping_values_become_one_mark(void **state) {
    World *world = *state;
    masker_add(world->masker, STR("abcdefgh"));
    masker_add(world->masker, STR("fghijklm"));
    masker_add(world->masker, STR("cdef"));
    masker_apply(world->masker, STR("<abcdefghijklm> <cdef> <bcdefg>"), &world->out);
    assert_str_equal(buffer_str(&world->out), STR("<******> <******> <b******g>"));
}

static void a_value_registered_later_is_covered_in_what_is_held(void **state) {
    World *world = *state;
    masker_add(world->masker, STR("abcdefgh"));
    MaskStream stream = {.masker = world->masker};
    mask_stream_add(&stream, STR("--abcde"), &world->out);
    masker_add(world->masker, STR("bcdeX"));
    mask_stream_add(&stream, STR("X--"), &world->out);
    mask_stream_end(&stream, &world->out);
    mask_stream_release(&stream);
    assert_str_equal(buffer_str(&world->out), STR("--a******--"));
}

static void each_line_of_a_key_is_covered(void **state) {
    World *world = *state;
    masker_add(world->masker, STR("-----BEGIN KEY-----\nMIIEabcdefgh\r\nijklmnopqrst\nxy\n"));
    masker_apply(world->masker, STR("got MIIEabcdefgh and ijklmnopqrst and xy"), &world->out);
    assert_str_equal(buffer_str(&world->out), STR("got ****** and ****** and xy"));
}

static void a_value_of_three_bytes_is_refused(void **state) {
    World *world = *state;
    assert_false(masker_add(world->masker, STR("abc")));
    assert_true(masker_is_empty(world->masker));
    masker_apply(world->masker, STR("abc"), &world->out);
    assert_str_equal(buffer_str(&world->out), STR("abc"));
}

static void a_long_stream_keeps_its_bytes(void **state) {
    World *world = *state;
    masker_add(world->masker, STR("aaaaaaab"));
    Buffer text = {0};
    buffer_add_repeat(&text, 'a', 100000);
    masker_apply(world->masker, buffer_str(&text), &world->out);
    assert_true(str_eq(buffer_str(&world->out), buffer_str(&text)));
    buffer_release(&text);
    assert_true(masker_finds(world->masker, STR("aaaaaaaaaaab")));
    assert_false(masker_finds(world->masker, STR("aaaaaac")));
}

static void every_usual_form_of_a_value_is_covered(void **state) {
    World *world = *state;
    static const char *const rows[] = {
        "a \"é\"/<b>&'c' $d`\\😀",                           // as it is
        "a \\\"é\\\"/<b>&'c' $d`\\\\😀",                     // JSON
        "a \\\"é\\\"\\/<b>&'c' $d`\\\\😀",                   // with escaped slashes
        "a \\\"\\u00e9\\\"/<b>&'c' $d`\\\\\\ud83d\\ude00",  // in ASCII
        "a \\\"\\u00E9\\\"/<b>&'c' $d`\\\\\\uD83D\\uDE00",
        "a \\\\\\\"é\\\\\\\"/<b>&'c' $d`\\\\\\\\😀",  // JSON in JSON
        "a%20%22%C3%A9%22%2F%3Cb%3E%26%27c%27%20%24d%60%5C%F0%9F%98%80",
        "a%20%22%c3%a9%22%2f%3cb%3e%26%27c%27%20%24d%60%5c%f0%9f%98%80",
        "a+%22%C3%A9%22%2F%3Cb%3E%26%27c%27+%24d%60%5C%F0%9F%98%80",
        "a%20%22%C3%A9%22/%3Cb%3E%26%27c%27%20%24d%60%5C%F0%9F%98%80",  // Python
        "a%20%22%C3%A9%22%2F%3Cb%3E%26'c'%20%24d%60%5C%F0%9F%98%80",    // JavaScript
        "a%20%22%C3%A9%22/%3Cb%3E&'c'%20$d%60%5C%F0%9F%98%80",
        "a \"é\"/<b>&'\\''c'\\'' $d`\\😀",  // a word of a shell
        "a \"é\"/<b>&'\"'\"'c'\"'\"' $d`\\😀",
        "a \\\"é\\\"/<b>&'c' \\$d\\`\\\\😀",
        "a\\ \\\"é\\\"/\\<b\\>\\&\\'c\\'\\ \\$d\\`\\\\😀",
        "a \"é\"/&lt;b&gt;&amp;'c' $d`\\😀",  // XML, HTML
        "a &quot;é&quot;/&lt;b&gt;&amp;&apos;c&apos; $d`\\😀",
        "a &quot;é&quot;/&lt;b&gt;&amp;&#x27;c&#x27; $d`\\😀",
        "a &quot;é&quot;/&lt;b&gt;&amp;&#39;c&#39; $d`\\😀",
        "a &#34;é&#34;/&lt;b&gt;&amp;&#39;c&#39; $d`\\😀",
        "YSAiw6kiLzxiPiYnYycgJGRgXPCfmIA=",  // Base64
        "612022c3a9222f3c623e26276327202464605cf09f9880",
        "612022C3A9222F3C623E26276327202464605CF09F9880",
    };
    assert_true(masker_add(world->masker, str_from(rows[0])));
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        Str text = str_printf(&world->arena, "[%s]", rows[i]);
        buffer_clear(&world->out);
        masker_apply(world->masker, text, &world->out);
        assert_str_equal(buffer_str(&world->out), STR("[******]"));
    }
}

static void wrapped_base64_and_hexadecimal_are_covered_line_by_line(void **state) {
    World *world = *state;
    Buffer plain = {0}, coded = {0}, text = {0};
    for (int i = 0; i < 150; i++) buffer_add_char(&plain, (char)('!' + i * 7 % 90));
    masker_add(world->masker, buffer_str(&plain));
    for (size_t width = 60; width <= 76; width += width == 60 ? 4 : 12) {
        test_row(width);
        buffer_clear(&coded);
        if (width == 60) hex_encode(&coded, (const uint8_t *)plain.ptr, plain.len);
        if (width != 60) base64_encode(&coded, buffer_str(&plain));
        for (size_t at = 0; at < coded.len; at += width) {
            buffer_clear(&text);
            buffer_clear(&world->out);
            size_t end = at + width < coded.len ? at + width : coded.len;
            buffer_add(&text, str_slice(buffer_str(&coded), at, end));
            buffer_add_char(&text, '\n');
            masker_apply(world->masker, buffer_str(&text), &world->out);
            assert_str_equal(buffer_str(&world->out), STR("******\n"));
        }
    }
    buffer_release(&plain);
    buffer_release(&coded);
    buffer_release(&text);
}

// --- against the plainest way to do it ----------------------------------------------------------

typedef struct Forms {
    Arena arena;
    Str items[400];
    size_t count;
} Forms;

static void collect(void *self, Str form) {
    Forms *forms = self;
    if (form.len < MASK_VALUE_MIN) return;
    assert_true(forms->count < COUNT(forms->items));
    forms->items[forms->count++] = str_dup(&forms->arena, form);
}

static void mask_plainly(const Forms *forms, Str text, Buffer *out) {
    bool *marks = heap_alloc(text.len + 1, sizeof *marks);
    for (size_t at = 0; at < text.len; at++) {
        for (size_t i = 0; i < forms->count; i++) {
            if (!str_starts_with(str_slice(text, at, text.len), forms->items[i])) continue;
            memset(marks + at, true, forms->items[i].len);
        }
    }
    for (size_t at = 0; at < text.len; at++) {
        if (!marks[at]) buffer_add_char(out, text.ptr[at]);
        if (marks[at] && (at == 0 || !marks[at - 1])) buffer_add(out, STR(MASK_TEXT));
    }
    heap_free(marks);
}

static uint32_t draw(uint32_t *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void chunks_of_any_size_give_what_the_plainest_way_gives(void **state) {
    World *world = *state;
    uint32_t seed = 7;
    for (size_t round = 0; round < 300; round++) {
        Masker *masker = masker_new();
        Forms forms = {.count = 0};
        Buffer text = {0}, want = {0};
        for (int i = 0; i < 4;
             i++) {  // of few letters, so that they overlap and contain each other
            char value[12];
            size_t len = 4 + draw(&seed) % 8;
            for (size_t k = 0; k < len; k++) value[k] = "ab"[draw(&seed) % 2];
            masker_add(masker, (Str){value, len});
            forms_of((Str){value, len}, collect, &forms);
        }
        for (int i = 0; i < 200; i++) buffer_add_char(&text, "aab-b"[draw(&seed) % 5]);
        mask_plainly(&forms, buffer_str(&text), &want);
        MaskStream stream = {.masker = masker};
        buffer_clear(&world->out);
        for (size_t at = 0; at < text.len;) {
            size_t end = at + 1 + draw(&seed) % (round % 40 + 1);
            if (end > text.len) end = text.len;
            mask_stream_add(&stream, str_slice(buffer_str(&text), at, end), &world->out);
            at = end;
        }
        mask_stream_end(&stream, &world->out);
        mask_stream_release(&stream);
        bool is_same = str_eq(buffer_str(&world->out), buffer_str(&want));
        bool is_found = masker_finds(masker, buffer_str(&text));
        masker_free(masker);
        buffer_release(&text);
        arena_release(&forms.arena);
        bool has_mark = str_find(buffer_str(&want), STR(MASK_TEXT), 0) != STR_NOT_FOUND;
        buffer_release(&want);
        if (!is_same) print_error("round %zu\n", round);
        assert_true(is_same);
        assert_true(is_found == has_mark);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(every_dress_of_a_value_is_covered),
        TEST(a_value_split_over_writes_is_covered_wherever_it_is_split),
        TEST(bytes_come_one_by_one_and_wait_no_longer_than_they_must),
        TEST(overlapping_values_become_one_mark),
        TEST(a_value_registered_later_is_covered_in_what_is_held),
        TEST(each_line_of_a_key_is_covered),
        TEST(a_value_of_three_bytes_is_refused),
        TEST(a_long_stream_keeps_its_bytes),
        TEST(every_usual_form_of_a_value_is_covered),
        TEST(wrapped_base64_and_hexadecimal_are_covered_line_by_line),
        TEST(chunks_of_any_size_give_what_the_plainest_way_gives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
