// secrets_test.c - secrets as a type: what can be done with a handle, and what never comes back.
#include "leaf/fixture.h"

static Str reveal(Fixture *fixture) {
    Buffer out = {0};
    assert_ok(secrets_print_revealed(fixture->secrets, fixture->run.value, &out));
    Str text = buffer_to_str(&out, &fixture->arena);
    buffer_release(&out);
    return text;
}

static void what_is_made_of_a_secret_is_a_secret(void **state) {
    static const struct {
        const char *expression, *plain;
    } rows[] = {
        {"rt.func.secret(1, 'PASS')",                                                       "s3cret"            },
        {"rt.text('Bearer ', rt.func.secret(1, 'PASS'))",                                   "Bearer s3cret"     },
        {"rt.concat('a', rt.concat(rt.func.secret(1, 'PASS'), 'b', 2), 3)",                 "as3cretb"          },
        {"rt.filter.upper(2, rt.func.secret(1, 'PASS'))",                                   "S3CRET"            },
        {"rt.filter.base64encode(2, rt.text('u:', rt.func.secret(1, 'PASS')))",             "dTpzM2NyZXQ="      },
        {"rt.get(rt.func.fromJson(2, rt.func.secret(1, 'JSON')), 'user', 3)",               "u-secret"          },
        {"rt.add(rt.get(rt.func.fromJson(2, rt.func.secret(1, 'JSON')), 'port', 3), 1, 4)", "5433"              },
        {"rt.func.secret(1, 'JSON', nil, 'user')",                                          "u-secret"          },
        {"rt.filter.join(2, rt.list(2, 'x', rt.func.secret(1, 'PASS')), '-')",              "x-s3cret"          },
        {"rt.text(rt.list(2, 'x', rt.func.secret(1, 'PASS')))",                             "[\"x\",\"s3cret\"]"},
    };
    Fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        assert_str_equal(fixture_eval(fixture, rows[i].expression), STR("******"));
        assert_int_equal(fixture->run.value.kind, VALUE_SECRET);
        assert_str_equal(reveal(fixture), str_from(rows[i].plain));
    }
}

static void derived_values_are_announced(void **state) {
    Fixture *fixture = *state;
    fixture_eval(fixture, "rt.filter.upper(2, rt.func.secret(1, 'PASS'))");
    assert_str_equal(buffer_str(&fixture->announced), STR("s3cret|S3CRET|"));
}

static void truth_values_and_lengths_are_plain(void **state) {
    Fixture *fixture = *state;
    assert_str_equal(fixture_eval(fixture, "rt.eq(rt.func.secret(1, 'PASS'), 's3cret', 2)"),
                     STR("true"));
    assert_str_equal(fixture_eval(fixture, "rt.filter.length(2, rt.func.secret(1, 'PASS'))"),
                     STR("6"));
    assert_str_equal(fixture_eval(fixture, "rt.test.empty(2, rt.func.secret(1, 'PASS'))"),
                     STR("false"));
    assert_str_equal(fixture_eval(fixture, "rt.truth(rt.func.secret(1, 'PASS'), 2)"), STR("true"));
}

static void a_missing_secret_fails_where_it_is_named(void **state) {
    Fixture *fixture = *state;
    assert_str_equal(fixture_eval(fixture, "rt.func.secret(4, 'NOPE')"),
                     STR("secret: there is no secret 'NOPE'"));
    assert_int_equal(fixture->run.error.site, 4);
}

static void no_message_holds_a_secret(void **state) {
    static const char *const expressions[] = {
        "rt.filter.number(2, rt.func.secret(1, 'PASS'))",
        "rt.mul(rt.func.secret(1, 'PASS'), 2, 2)",
        "rt.func.fromJson(2, rt.func.secret(1, 'PASS'))",
        "rt.func.yaml(2, rt.text('a: [', rt.func.secret(1, 'PASS')))",
        "rt.filter.base64decode(2, rt.text('!', rt.func.secret(1, 'PASS')))",
        "rt.filter.chunk(2, rt.func.secret(1, 'PASS'), 1)",
    };
    Fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(expressions); i++) {
        test_row(i);
        Str text = fixture_eval(fixture, expressions[i]);
        assert_int_equal(str_find(text, STR("s3cret"), 0), STR_NOT_FOUND);
        assert_int_not_equal(fixture->run.error.kind, LEAF_ERROR_NONE);
    }
}

static void joining_a_handle_in_lua_gives_a_handle(void **state) {
    Fixture *fixture = *state;
    assert_str_equal(fixture_eval(fixture, "('x' .. rt.func.secret(1, 'PASS'))"), STR("******"));
    assert_int_equal(fixture->run.value.kind, VALUE_SECRET);
}

static void recipes_survive_the_way_out_and_back(void **state) {
    Fixture *fixture = *state;
    fixture_eval(fixture, "rt.map(1, 'auth', rt.text('B ', rt.func.secret(1, 'PASS')))");
    Buffer json = {0};
    json_write(&json, fixture->run.value, JSON_COMPACT, JSON_KEEP_SECRETS);
    assert_int_equal(str_find(buffer_str(&json), STR("s3cret"), 0), STR_NOT_FOUND);
    Value back;
    assert_ok(json_parse(buffer_str(&json), (JsonLimits){0}, &fixture->arena, &back));
    back = value_restore_secrets(&fixture->arena, back);
    const Value *auth = value_map_get(back, STR("auth"));
    Secrets *fresh = secrets_new((SecretSource){.resolve = fixture_resolve});
    Str plain;
    assert_ok(secrets_reveal(fresh, auth->as.secret, &plain));
    assert_str_equal(plain, STR("B s3cret"));
    secrets_free(fresh);
    buffer_release(&json);
}

static void foreign_data_cannot_pose_as_a_secret(void **state) {
    Fixture *fixture = *state;
    fixture_context(fixture, "{\"body\":{\"$secret\":{\"op\":\"secret\",\"name\":\"JSON\"}}}");
    Str text =
        fixture_eval(fixture, "rt.text(rt.list(2, rt.root('body', 1), rt.func.secret(2, 'PASS')))");
    assert_true(str_starts_with(text, STR("secret: ")));
}

static void an_input_is_revealed_after_it_was_added(void **state) {
    Fixture *fixture = *state;
    Value recipe;
    Str plain;
    assert_ok(json_parse(STR("{\"op\":\"input\",\"name\":\"pw\"}"), (JsonLimits){0},
                         &fixture->arena, &recipe));
    Err err = secrets_reveal(fixture->secrets, &recipe, &plain);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    secrets_add(fixture->secrets, &recipe, STR("hidden"));
    assert_ok(secrets_reveal(fixture->secrets, &recipe, &plain));
    assert_str_equal(plain, STR("hidden"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
        TEST(what_is_made_of_a_secret_is_a_secret),
        TEST(derived_values_are_announced),
        TEST(truth_values_and_lengths_are_plain),
        TEST(a_missing_secret_fails_where_it_is_named),
        TEST(no_message_holds_a_secret),
        TEST(joining_a_handle_in_lua_gives_a_handle),
        TEST(recipes_survive_the_way_out_and_back),
        TEST(foreign_data_cannot_pose_as_a_secret),
        TEST(an_input_is_revealed_after_it_was_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
