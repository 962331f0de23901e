// private_test.c - private catalogs: they win, use the shared definitions, and tell their mistakes.
#include "catalog/catalog.h"
#include "support/test.h"

typedef struct Fixture {
    Arena arena;
    Sources sources;
    Diags diags;
    Catalog *catalog;
} Fixture;

static int setup(void **state) {
    Fixture *fixture = heap_alloc(1, sizeof *fixture);
    fixture->sources.arena = &fixture->arena;
    fixture->diags.arena = &fixture->arena;
    fixture->catalog = catalog_new(&fixture->arena);
    *state = fixture;
    return 0;
}

static int teardown(void **state) {
    Fixture *fixture = *state;
    arena_release(&fixture->arena);
    heap_free(fixture);
    return 0;
}

static void add(Fixture *fixture, const char *text) {
    uint32_t file = sources_add(&fixture->sources, STR("private.yaml"), str_from(text));
    Tree *tree = syntax_read(&fixture->sources, file, &fixture->arena, &fixture->diags);
    catalog_add(fixture->catalog, &fixture->sources, tree, &fixture->diags);
}

static void a_private_type_is_found_and_uses_the_shared_parts(void **state) {
    Fixture *fixture = *state;
    add(fixture, "group: acme\n"
                 "types:\n"
                 "- type: com.acme.Deploy\n"
                 "  kind: task\n"
                 "  aliases: [com.acme.Ship]\n"
                 "  use: [AbstractExecScript, Mine]\n"
                 "  properties:\n"
                 "    level: {type: $Level, required: true}\n"
                 "    where: {type: $Where}\n"
                 "  outputs:\n"
                 "    id: {type: string}\n"
                 "groups:\n"
                 "  Mine:\n"
                 "    region: {type: string, default: eu}\n"
                 "defs:\n"
                 "  Where:\n"
                 "    enum: [HERE, THERE]\n");
    assert_int_equal(fixture->diags.list.count, 0);
    bool is_alias = false;
    const TaskType *type = catalog_find(fixture->catalog, STR("com.acme.Ship"), &is_alias);
    assert_true(is_alias);
    assert_str_equal(type->name, STR("com.acme.Deploy"));
    assert_true(type->flags & TYPE_PRIVATE);
    assert_non_null(type_prop(type, STR("beforeCommands")));
    assert_non_null(type_prop(type, STR("timeout")));
    assert_str_equal(type_prop(type, STR("region"))->default_value.as.text, STR("eu"));
    assert_str_equal(type_prop(type, STR("level"))->type.def->name, STR("Level"));
    assert_str_equal(type_prop(type, STR("where"))->type.def->values[1], STR("THERE"));
    assert_str_equal(catalog_nearest(fixture->catalog, KIND_TASK, STR("com.acme.Deplyo")),
                     STR("com.acme.Deploy"));
}

static void a_private_type_wins_over_a_built_in_one(void **state) {
    Fixture *fixture = *state;
    Str before = catalog_digest(fixture->catalog);
    add(fixture, "types:\n- type: io.kestra.plugin.core.log.Log\n  kind: task\n  properties:\n"
                 "    text: {type: string}\n");
    assert_int_equal(fixture->diags.list.count, 0);
    const TaskType *type =
        catalog_find(fixture->catalog, STR("io.kestra.plugin.core.log.Log"), NULL);
    assert_non_null(type_prop(type, STR("text")));
    assert_null(type_prop(type, STR("message")));
    assert_false(str_eq(before, catalog_digest(fixture->catalog)));
    assert_int_equal(catalog_digest(fixture->catalog).len, 64);
}

static void mistakes_are_findings_at_their_place(void **state) {
    static const struct {
        const char *text, *at, *message;
    } rows[] = {
        {"types:\n- type: a.B\n  kind: tusk\n",                                    "tusk",       "unknown kind 'tusk'"                 },
        {"types:\n- type: a.B\n  kind: task\n  colour: red\n",                     "colour",
         "unknown key 'colour' of a type"                                                                                              },
        {"types:\n- type: a.B\n  kind: task\n  properties:\n    p: {type: lst}\n", "lst",
         "unknown type 'lst'"                                                                                                          },
        {"types:\n- type: a.B\n  kind: task\n  properties: [a]\n",                 "[a]",
         "expected a map, received list"                                                                                               },
        {"types:\n- kind: task\n",                                                 "kind: task", "the type has no name ('type:')"      },
        {"types:\n- type: a.B\n  kind: task\n- type: a.B\n  kind: task\n",
         "type: a.B\n  kind: task",                                                              "type 'a.B' is defined twice"         },
        {"typs: []\n",                                                             "typs",       "unknown key 'typs' of a catalog file"},
        {"- a\n",                                                                  "- a",        "expected a map, received list"       },
    };
    Fixture *fixture = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        test_row(i);
        fixture->diags.list.count = 0;
        add(fixture, rows[i].text);
        assert_int_equal(fixture->diags.list.count, 1);
        const Diag *diag = fixture->diags.list.items[0];
        assert_string_equal(diag->code, "E0122");
        assert_str_equal(diag->message, str_from(rows[i].message));
        Str at = source_text(&fixture->sources, diag->span);
        assert_true(str_starts_with(str_trim(at), str_from(rows[i].at)));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_private_type_is_found_and_uses_the_shared_parts, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_private_type_wins_over_a_built_in_one, setup, teardown),
        cmocka_unit_test_setup_teardown(mistakes_are_findings_at_their_place, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
