// secret_test.c - where secrets are found, and what is said where they are not.
#include "support/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/file.h"
#include "secret/secret.h"

typedef struct World {
    Arena arena;
    char folder[64];
    Buffer plain;
    SecretChain *chain;
} World;

static int setup(void **state) {
    World *world = heap_alloc(1, sizeof *world);
    snprintf(world->folder, sizeof world->folder, "/tmp/flow-secret-XXXXXX");
    *state = world;
    return mkdtemp(world->folder) == NULL ? -1 : 0;
}

static int teardown(void **state) {
    World *world = *state;
    secret_chain_free(world->chain);
    Err err = dir_remove(world->folder);
    buffer_release(&world->plain);
    arena_release(&world->arena);
    heap_free(world);
    return err.code == ERR_NONE ? 0 : -1;
}

static const char *file_of(World *world, const char *name, const char *text, mode_t mode) {
    Str path = str_printf(&world->arena, "%s/%s", world->folder, name);
    assert_ok(file_write(path.ptr, str_from(text), mode));
    assert_int_equal(chmod(path.ptr, mode), 0);
    return path.ptr;
}

static Err resolve(World *world, const char *name, const char *at, const char *key) {
    buffer_clear(&world->plain);
    return secret_chain_resolve(world->chain, str_from(name), str_from(at), str_from(key),
                                &world->plain);
}

static const char yaml[] = "TOP: top value\n"
                           "NUMBER: 123456\n"
                           "SHORT: abc\n"
                           "OBJECT: '{\"user\": \"admin\", \"port\": 5432}'\n"
                           "namespaces:\n"
                           "  company:\n"
                           "    TOKEN: of the company\n"
                           "  company.team:\n"
                           "    TOKEN: of the team\n";

static void a_name_is_looked_for_from_its_namespace_upwards(void **state) {
    World *world = *state;
    SecretOptions options = {.file = file_of(world, "s.yaml", yaml, 0600)};
    assert_ok(secret_chain_new(&options, &world->chain));
    static const struct {
        const char *name, *at, *key, *plain;
    } rows[] = {
        {"TOP",    "company.team",   "",     "top value"     },
        {"top",    "",               "",     "top value"     },
        {"NUMBER", "",               "",     "123456"        },
        {"TOKEN",  "company.team",   "",     "of the team"   },
        {"TOKEN",  "company.team.x", "",     "of the team"   },
        {"TOKEN",  "company.other",  "",     "of the company"},
        {"OBJECT", "",               "user", "admin"         },
        {"OBJECT", "",               "port", "5432"          },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        assert_ok(resolve(world, rows[i].name, rows[i].at, rows[i].key));
        assert_str_equal(buffer_str(&world->plain), str_from(rows[i].plain));
    }
}

static void what_is_missing_or_too_short_is_said_without_a_value(void **state) {
    World *world = *state;
    SecretOptions options = {.file = file_of(world, "s.yaml", yaml, 0600),
                             .credentials_folder = "/run/no-such"};
    assert_ok(secret_chain_new(&options, &world->chain));
    Err err = resolve(world, "cf_token", "company", "");
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "'cf_token'"));
    assert_non_null(strstr(err.text, "s.yaml'"));
    assert_non_null(strstr(err.text, "'/run/no-such'"));
    assert_non_null(strstr(err.text, "'SECRET_CF_TOKEN'"));
    err = resolve(world, "SHORT", "", "");
    assert_int_equal(err.code, ERR_INPUT);
    assert_null(strstr(err.text, "abc"));
    assert_int_equal(world->plain.len, 0);
    err = resolve(world, "OBJECT", "", "nobody");
    assert_int_equal(err.code, ERR_NOT_FOUND);
    err = resolve(world, "namespaces", "", "");
    assert_int_equal(err.code, ERR_NOT_FOUND);
    err = resolve(world, "TOKEN", "elsewhere", "");
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void a_file_that_others_can_read_is_refused(void **state) {
    World *world = *state;
    static const mode_t modes[] = {0644, 0640, 0604, 0660, 0602};
    for (size_t i = 0; i < COUNT(modes); i++) {
        SecretOptions options = {.file = file_of(world, "s.yaml", yaml, modes[i])};
        Err err = secret_chain_new(&options, &world->chain);
        assert_int_equal(err.code, ERR_REFUSED);
        assert_non_null(strstr(err.text, "chmod 600"));
    }
}

static void a_file_that_is_no_map_of_names_is_refused(void **state) {
    World *world = *state;
    static const char *const rows[] = {
        "- a\n- b\n",
        "just text",
        "NAME:\n",
        "namespaces: 5\n",
        "namespaces:\n  a: 5\n",
        "namespaces:\n  a:\n    B:\n",
        "{\"A\": }",
        "a: [\n",
        "",
        "{\"\": \"value\"}",
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        SecretOptions options = {.file = file_of(world, "s.yaml", rows[i], 0600)};
        Err err = secret_chain_new(&options, &world->chain);
        assert_int_equal(err.code, ERR_INPUT);
    }
    SecretOptions options = {.file = "/no/such/file"};
    Err err = secret_chain_new(&options, &world->chain);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    options.file = "/dev/null";
    err = secret_chain_new(&options, &world->chain);
    assert_true(err.code == ERR_INPUT);
}

static void json_is_read_too(void **state) {
    World *world = *state;
    SecretOptions options = {.file = file_of(world, "s.json", "\t{\n\t\"A\": \"value\"}\n", 0400)};
    assert_ok(secret_chain_new(&options, &world->chain));
    assert_ok(resolve(world, "A", "", ""));
    assert_str_equal(buffer_str(&world->plain), STR("value"));
}

static void variables_hold_base64(void **state) {
    World *world = *state;
    static const char *const env[] = {"SECRET_TOKEN=aHVzaC1o\ndXNo", "SECRET_BAD=%%%",
                                      "SECRET_TOKEN_LONGER=eHh4eHh4", NULL};
    SecretOptions options = {.env = env};
    assert_ok(secret_chain_new(&options, &world->chain));
    assert_ok(resolve(world, "token", "any.where", ""));
    assert_str_equal(buffer_str(&world->plain), STR("hush-hush"));
    Err err = resolve(world, "BAD", "", "");
    assert_int_equal(err.code, ERR_INPUT);
    assert_non_null(strstr(err.text, "'SECRET_BAD' is not Base64"));
    err = resolve(world, "TOK", "", "");
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void credentials_are_files_of_a_directory(void **state) {
    World *world = *state;
    file_of(world, "TOKEN", "from systemd\n", 0400);
    Str variable = str_printf(&world->arena, "CREDENTIALS_DIRECTORY=%s", world->folder);
    const char *env[] = {variable.ptr, "SECRET_TOKEN=aHVzaC1odXNo", NULL};
    SecretOptions options = {.env = env};
    assert_ok(secret_chain_new(&options, &world->chain));
    assert_ok(resolve(world, "TOKEN", "", ""));
    assert_str_equal(buffer_str(&world->plain), STR("from systemd"));
    static const char *const rows[] = {"../TOKEN", "..", ".", "", "/etc/passwd"};
    for (size_t i = 0; i < COUNT(rows); i++) {
        Err err = resolve(world, rows[i], "", "");
        assert_int_equal(err.code, ERR_NOT_FOUND);
    }
}

static const char *joined(World *world, const char *const *env) {
    Buffer text = {0};
    for (size_t i = 0; env[i] != NULL; i++) buffer_printf(&text, "%s ", env[i]);
    Str out = buffer_to_str(&text, &world->arena);
    buffer_release(&text);
    return str_to_c(&world->arena, out);
}

static void children_do_not_see_what_leads_to_secrets(void **state) {
    World *world = *state;
    static const char *const env[] = {"PATH=/bin",
                                      "SECRET_A=x",
                                      "MY_A=x",
                                      "FLOWRUN_STATE_DIR=/x",
                                      "CREDENTIALS_DIRECTORY=/x",
                                      "HOME=/root",
                                      "LC_ALL=C",
                                      "AWS_PROFILE=p",
                                      NULL};
    static const char *const names[] = {"AWS_PROFILE", "SECRET_A", NULL};
    assert_string_equal(
        joined(world, secret_child_env(env, "MY_", CHILD_ENV_INHERIT, NULL, &world->arena)),
        "PATH=/bin HOME=/root LC_ALL=C AWS_PROFILE=p ");
    assert_string_equal(
        joined(world, secret_child_env(env, NULL, CHILD_ENV_CLEAN, NULL, &world->arena)),
        "PATH=/bin HOME=/root LC_ALL=C ");
    assert_string_equal(
        joined(world, secret_child_env(env, NULL, CHILD_ENV_NAMED, names, &world->arena)),
        "PATH=/bin HOME=/root AWS_PROFILE=p ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_name_is_looked_for_from_its_namespace_upwards),
        TEST(what_is_missing_or_too_short_is_said_without_a_value),
        TEST(a_file_that_others_can_read_is_refused),
        TEST(a_file_that_is_no_map_of_names_is_refused),
        TEST(json_is_read_too),
        TEST(variables_hold_base64),
        TEST(credentials_are_files_of_a_directory),
        TEST(children_do_not_see_what_leads_to_secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
