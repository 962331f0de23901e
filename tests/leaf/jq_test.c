// jq_test.c - jq programs beyond paths: what the helper gives, refuses and survives.
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "leaf/fixture.h"
#include "leaf/jq_program.h"

static void need_library(void) {
    void *library = dlopen("libjq.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        print_message("skipped: libjq1 is not installed\n");
        skip();
    }
    dlclose(library);
}

static Str run_program(void **state, const char *input, const char *program) {
    char lua[2000];
    snprintf(lua, sizeof lua, "rt.filter.jq(1, rt.func.fromJson(1, [==[%s]==]), [==[%s]==])", input,
             program);
    return fixture_eval(*state, lua);
}

static void a_program_sees_its_input_and_nothing_else(void **state) {
    static const struct {
        const char *program;
        const char *refused;  // NULL: it is not
    } rows[] = {
        {"env",                     "env"         },
        {"env.HOME",                "env"         },
        {".[env]",                  "env"         },
        {"{a: env}",                "env"         },
        {"{(env|keys[0]): 1}",      "env"         },
        {"\"x \\(env)\"",           "env"         },
        {"\"x \\(\"y \\(env)\")\"", "env"         },
        {"$ENV",                    "$ENV"        },
        {"$ ENV.PATH",              "$ENV"        },
        {"{$ENV}",                  "$ENV"        },
        {"$__prog_args",            "$__prog_args"},
        {"input",                   "input"       },
        {"[inputs]",                "inputs"      },
        {"import \"a\" as a; .",    "import"      },
        {"include \"a\"; .",        "include"     },
        {"# a comment\nenv",        "env"         },
        {"1e3 | debug",             "debug"       },
        {"halt_error",              "halt_error"  },
        {".env",                    NULL          },
        {".a.env.input",            NULL          },
        {"{env: 1, input: 2}",      NULL          },
        {"{env, inputs}",           NULL          },
        {"\"env \\\" input\"",      NULL          },
        {"[.[] | .env] # env",      NULL          },
        {"environment",             NULL          },
        {". as {env: $x} | $x",     NULL          },
        {"\"\\(.a) env\"",          NULL          },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        bool uses_clock = false;
        Err err = jq_scan(str_from(rows[i].program), &uses_clock);
        assert_int_equal(err.code, rows[i].refused == NULL ? ERR_NONE : ERR_REFUSED);
        if (rows[i].refused != NULL) assert_non_null(strstr(err.text, rows[i].refused));
    }
}

static void the_time_is_known_to_be_asked_for(void **state) {
    (void)state;
    assert_true(leaf_jq_uses_clock(STR("now | todate")));
    assert_true(leaf_jq_uses_clock(STR("\"\\(now)\"")));
    assert_false(leaf_jq_uses_clock(STR(".now")));
    assert_false(leaf_jq_uses_clock(STR("\"now\"")));
}

// A value loses the members of maps that are null before a program sees it, as in Kestra.
static void programs_give_what_jq_gives(void **state) {
    static const char *const rows[][3] = {
        {"[1,2,3]",               "map(. * 2) | add",          "[12]"                          },
        {"{\"a\":null}",          "has(\"a\"), has(\"b\")",    "[false,false]"                 },
        {"{\"b\":1,\"a\":2}",     "to_entries | map(.key)",    "[[\"b\",\"a\"]]"               },
        {"\"t\"",                 "empty",                     "value: "                       },
        {"[3,1]",                 "sort",                      "[[1,3]]"                       },
        {"{\"a\":\"x\\ny\"}",     "[.a | ascii_upcase]",       "[[\"X\\nY\"]]"                 },
        {"{\"a\":1}",             "try error(\"no\") catch .", "[\"no\"]"                      },
        {"{\"a\":1}",             "error(\"no\")",             "value: jq: no"                 },
        {"{\"a\":1}",             ".a | .b + 1",               "value: jq: Cannot index number"},
        {"{\"a\":1}",             "nope",                      "value: this is no jq program"  },
        {"{\"a\":1}",             "[",                         "value: expected a path"        },
        {"[9007199254740993]",    "map(.)",                    "value: jq counts with floating"},
        {"[9007199254740993, 1]", "map(.) | .[1]",             "[1]"                           },
        {"[9007199254740993]",    ".[0]",                      "[9007199254740993]"            },
    };
    need_library();
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        Str got = run_program(state, rows[i][0], rows[i][1]);
        if (!str_starts_with(got, str_from(rows[i][2]))) print_error(STR_FMT "\n", STR_ARG(got));
        assert_true(str_starts_with(got, str_from(rows[i][2])));
    }
}

static void a_program_that_does_not_end_is_ended(void **state) {
    static const char *const programs[] = {
        "def f: f; f",
        "def f: [f]; f",
        "[range(0;infinite)]",
        "last(range(0;infinite))",
        "[limit(1000000000; repeat(1))]",
        "reduce range(1000000) as $i (null; [.])",
        "\"x\" * 100000000 | length",
    };
    need_library();
    for (size_t i = 0; i < COUNT(programs); i++) {
        test_row(i);
        Str got = run_program(state, "{\"a\":1}", programs[i]);
        if (!str_starts_with(got, STR("limit: "))) print_error(STR_FMT "\n", STR_ARG(got));
        assert_true(str_starts_with(got, STR("limit: ")));
        assert_str_equal(run_program(state, "{\"a\":1}", ".a + 1"), STR("[2]"));
    }
    // None of the helpers is left.
    Fixture *fixture = *state;
    leaf_vm_free(fixture->vm);
    fixture->vm = NULL;
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void a_secret_stays_out_of_the_helper(void **state) {
    Fixture *fixture = *state;
    Str got = fixture_eval(fixture, "rt.filter.jq(1, rt.func.secret(1, 'JSON'), '.user + \"x\"')");
    assert_true(str_starts_with(got, STR("secret: ")));
    got = fixture_eval(fixture,
                       "rt.filter.jq(1, rt.list(1, rt.func.secret(1, 'PASS')), 'map(length)')");
    assert_true(str_starts_with(got, STR("secret: ")));
    // A path is followed where the value is.
    got = fixture_eval(fixture, "rt.filter.jq(1, rt.func.secret(1, 'JSON'), '.user')");
    assert_true(str_find(got, STR("u-secret"), 0) == STR_NOT_FOUND);
    assert_false(str_starts_with(got, STR("secret: ")));
}

const bool flow_has_jq_helper = true;

int main(int argc, char **argv) {
    if (jq_helper_asked(argc, argv)) return jq_helper_main();
    const struct CMUnitTest tests[] = {
#define TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
        cmocka_unit_test(a_program_sees_its_input_and_nothing_else),
        cmocka_unit_test(the_time_is_known_to_be_asked_for),
        TEST(programs_give_what_jq_gives),
        TEST(a_program_that_does_not_end_is_ended),
        TEST(a_secret_stays_out_of_the_helper),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
