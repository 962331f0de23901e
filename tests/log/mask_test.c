// mask_test.c - secrets do not get through, in whatever dress, and nothing else is touched.
#include "support/test.h"

#include <string.h>

#include "base/arena.h"
#include "base/crypto.h"
#include "log/mask.h"

typedef struct World {
    Masker *masker;
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
