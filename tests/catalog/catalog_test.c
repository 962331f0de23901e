// catalog_test.c - what the tables say against what the files say, and the questions one can ask.
#include <stdlib.h>

#include "base/file.h"
#include "catalog/catalog.h"
#include "support/test.h"

typedef struct Fixture {
    Arena arena;
    Catalog *catalog;
} Fixture;

static int setup(void **state) {
    Fixture *fixture = heap_alloc(1, sizeof *fixture);
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

static Value read_yaml(Arena *arena, const char *name) {
    Str path = str_printf(arena, "%s/stdlib/catalog/%s.yaml", FLOW_SOURCE_DIR, name);
    Str bytes = {0};
    Value value = value_null();
    assert_ok(file_read(path.ptr, 4 << 20, arena, &bytes));
    assert_ok(yaml_parse(bytes, arena, &value));
    return value;
}

static Str printed(Arena *arena, PropType type) {
    Buffer out = {0};
    prop_type_print(type, &out);
    Str text = buffer_to_str(&out, arena);
    buffer_release(&out);
    return text;
}

// A row of the file and what became of it.
static void compare_prop(Arena *arena, Str type, Str name, Value row, const Prop *prop) {
    if (prop == NULL) print_error(STR_FMT " lacks " STR_FMT "\n", STR_ARG(type), STR_ARG(name));
    assert_non_null(prop);
    Str text = value_map_get_text(row, STR("type"), (Str){0});
    if (!str_eq(text, STR("none"))) assert_str_equal(printed(arena, prop->type), text);
    assert_int_equal((prop->flags & PROP_REQUIRED) != 0,
                     value_map_get_bool(row, STR("required"), false));
    assert_int_equal((prop->flags & PROP_SECRET) != 0,
                     value_map_get_bool(row, STR("secret"), false));
    assert_int_equal((prop->flags & PROP_DEPRECATED) != 0,
                     value_map_get_bool(row, STR("deprecated"), false));
    Str mode = value_map_get_text(row, STR("dynamic"), (Str){0});
    PropMode want = str_eq(mode, STR("full"))   ? MODE_FULL
                    : str_eq(mode, STR("leaf")) ? MODE_LEAF
                                                : MODE_STATIC;
    assert_int_equal(prop->mode, want);
    const Value *otherwise = value_map_get(row, STR("default"));
    if (otherwise != NULL) assert_true(value_equal(prop->default_value, *otherwise));
    assert_str_equal(prop->pattern, value_map_get_text(row, STR("pattern"), (Str){0}));
    const Value *any_of = value_map_get(row, STR("any_of"));
    assert_int_equal(prop->any_of_count, any_of == NULL ? 0 : any_of->as.list->count);
}

static void compare_type(Fixture *fixture, Value row) {
    Str name = value_map_get_text(row, STR("type"), (Str){0});
    bool is_alias = true;
    const TaskType *type = catalog_find(fixture->catalog, name, &is_alias);
    assert_non_null(type);
    assert_false(is_alias);
    assert_str_equal(type->name, name);
    assert_str_equal(type->doc, value_map_get_text(row, STR("doc"), (Str){0}));
    const Value *props = value_map_get(row, STR("properties"));
    for (uint32_t i = 0; props != NULL && i < props->as.map->count; i++) {
        const ValueMember *member = &props->as.map->members[i];
        compare_prop(&fixture->arena, name, member->key, member->value,
                     type_prop(type, member->key));
    }
    const Value *outputs = value_map_get(row, STR("outputs"));
    assert_int_equal(type->output_count, outputs == NULL ? 0 : outputs->as.map->count);
    for (uint32_t i = 0; outputs != NULL && i < outputs->as.map->count; i++) {
        assert_non_null(type_output(type, outputs->as.map->members[i].key));
    }
    const Value *aliases = value_map_get(row, STR("aliases"));
    for (uint32_t i = 0; aliases != NULL && i < aliases->as.list->count; i++) {
        assert_ptr_equal(
            catalog_find(fixture->catalog, aliases->as.list->items[i].as.text, &is_alias), type);
        assert_true(is_alias);
    }
}

static void every_row_of_the_files_is_in_the_tables(void **state) {
    static const char *const files[] = {"core",       "core-next", "scripts", "terraform",
                                        "kubernetes", "aws",       "jdbc",    "ai"};
    Fixture *fixture = *state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        Value content = read_yaml(&fixture->arena, files[i]);
        const Value *types = value_map_get(content, STR("types"));
        for (uint32_t j = 0; j < types->as.list->count; j++) {
            compare_type(fixture, types->as.list->items[j]);
        }
    }
}

static void every_type_can_be_made_and_its_properties_are_sorted(void **state) {
    Fixture *fixture = *state;
    assert_true(catalog_count(fixture->catalog) > 1300);
    for (uint32_t i = 0; i < catalog_count(fixture->catalog); i++) {
        Str name = catalog_name_at(fixture->catalog, i);
        const TaskType *type = catalog_find(fixture->catalog, name, NULL);
        assert_non_null(type);
        for (uint32_t j = 1; j < type->prop_count; j++) {
            assert_true(str_cmp(type->props[j - 1].name, type->props[j].name) < 0);
        }
    }
}

static void properties_of_groups_and_of_the_kind_belong_to_a_type(void **state) {
    Fixture *fixture = *state;
    const TaskType *type =
        catalog_find(fixture->catalog, STR("io.kestra.plugin.scripts.shell.Commands"), NULL);
    assert_non_null(type_prop(type, STR("commands")));
    assert_non_null(type_prop(type, STR("beforeCommands")));  // of a group
    assert_non_null(type_prop(type, STR("timeout")));         // of every task
    assert_non_null(type_prop(type, STR("retry"))->type.def);
    assert_int_equal(type_prop(type, STR("retry"))->type.def->variant_count, 3);
    assert_null(type_prop(type, STR("comands")));
}

static void an_own_property_replaces_that_of_a_group(void **state) {
    Fixture *fixture = *state;
    const TaskType *type =
        catalog_find(fixture->catalog, STR("io.kestra.plugin.scripts.shell.Commands"), NULL);
    assert_str_equal(type_prop(type, STR("containerImage"))->default_value.as.text, STR("ubuntu"));
}

static void a_name_that_is_unknown_gives_nothing(void **state) {
    Fixture *fixture = *state;
    bool is_alias = true;
    assert_null(catalog_find(fixture->catalog, STR("io.kestra.plugin.core.log.Logg"), &is_alias));
    assert_false(is_alias);
    assert_null(catalog_find(fixture->catalog, (Str){0}, &is_alias));
}

static void the_nearest_name_is_found(void **state) {
    static const struct {
        const char *wrong, *right;
    } rows[] = {
        {"io.kestra.plugin.core.log.Logg",          "io.kestra.plugin.core.log.Log"              },
        {"io.kestra.plugin.core.logs.Log",          "io.kestra.plugin.core.log.Log"              },
        {"io.kestra.plugin.core.flow.Paralel",      "io.kestra.plugin.core.flow.Parallel"        },
        {"io.kestra.plugin.script.shell.Commands",  "io.kestra.plugin.scripts.shell.Commands"    },
        {"ForEach",                                 "io.kestra.plugin.core.flow.ForEach"         },
        {"io.kestra.plugin.terraform.TerraformCLI", "io.kestra.plugin.terraform.cli.TerraformCLI"},
        {"something.else.Entirely",                 ""                                           },
    };
    Fixture *fixture = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        test_row(i);
        assert_str_equal(catalog_nearest(fixture->catalog, KIND_TASK, str_from(rows[i].wrong)),
                         str_from(rows[i].right));
    }
}

static void versions_say_where_something_is_absent(void **state) {
    static const struct {
        const char *type, *prop;
        uint32_t targets;
    } rows[] = {
        {"io.kestra.plugin.core.flow.ForEach",      "",            TARGET_2_0              },
        {"io.kestra.plugin.core.flow.Loop",         "",            TARGET_0_20 | TARGET_1_3},
        {"io.kestra.plugin.core.condition.DayWeek", "",            TARGET_2_0              },
        {"io.kestra.plugin.core.log.Log",           "",            0                       },
        {"io.kestra.plugin.core.log.Log",           "workerGroup", TARGET_2_0              },
        {"io.kestra.plugin.core.log.Log",           "when",        TARGET_0_20 | TARGET_1_3},
        {"io.kestra.plugin.core.log.Log",           "assets",      TARGET_0_20             },
        {"io.kestra.plugin.core.trigger.Schedule",  "conditions",  TARGET_2_0              },
        {"io.kestra.plugin.scripts.python.Script",  "runner",      TARGET_2_0              },
        {"io.kestra.plugin.core.execution.Assert",  "",            TARGET_0_20             },
        {"retry",                                   "maxAttempt",  TARGET_2_0              },
    };
    Fixture *fixture = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        test_row(i);
        assert_int_equal(
            catalog_absent_in(fixture->catalog, str_from(rows[i].type), str_from(rows[i].prop)),
            rows[i].targets);
    }
    assert_str_equal(
        catalog_replacement(fixture->catalog, STR("io.kestra.plugin.core.flow.ForEach"), (Str){0}),
        STR("io.kestra.plugin.core.flow.Loop"));
    assert_int_equal(
        catalog_required_in(fixture->catalog, STR("io.kestra.plugin.git.SyncFlow"), STR("auth")),
        TARGET_2_0);
    assert_int_equal(catalog_value_absent_in(fixture->catalog,
                                             STR("io.kestra.plugin.core.execution.Exit"),
                                             STR("state"), STR("CANCELED")),
                     TARGET_2_0);
    assert_int_equal(
        catalog_deprecated_in(fixture->catalog, STR("io.kestra.plugin.core.log.Log"), STR("runIf")),
        TARGET_2_0);
}

static void apply_takes_manifests_or_a_spec(void **state) {
    Fixture *fixture = *state;
    const TaskType *type =
        catalog_find(fixture->catalog, STR("io.kestra.plugin.kubernetes.kubectl.Apply"), NULL);
    const Prop *manifests = type_prop(type, STR("manifests"));
    assert_true(manifests->flags & PROP_EXTENSION);
    assert_int_equal(manifests->type.kind, T_LIST);
    assert_int_equal(manifests->type.item->kind, T_STRING);
    assert_false(type_prop(type, STR("spec"))->flags & PROP_REQUIRED);
    assert_int_equal(type->exactly_one_count, 1);
    assert_str_equal(type->exactly_one[0].names[0], STR("manifests"));
    assert_str_equal(type->exactly_one[0].names[1], STR("spec"));
}

static void facts_of_definitions_survive(void **state) {
    Fixture *fixture = *state;
    const Def *memory = catalog_def(fixture->catalog, STR("apify"), STR("MemoryMbytes"));
    assert_int_equal(memory->kind, T_ENUM);
    assert_true(memory->flags & DEF_NUMBERS);
    assert_str_equal(memory->values[0], STR("128"));
    const Def *input = catalog_def(fixture->catalog, STR("core"), STR("Input"));
    assert_str_equal(input->discriminator, STR("type"));
    assert_true(input->variant_count >= 20);
    const TaskType *custom =
        catalog_find(fixture->catalog, STR("io.kestra.core.models.assets.Custom"), NULL);
    assert_true(custom->flags & TYPE_OPEN_TYPE);
}

static void the_digest_is_that_of_the_files(void **state) {
    Fixture *fixture = *state;
    assert_int_equal(catalog_digest(fixture->catalog).len, 64);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_row_of_the_files_is_in_the_tables, setup, teardown),
        cmocka_unit_test_setup_teardown(every_type_can_be_made_and_its_properties_are_sorted, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(properties_of_groups_and_of_the_kind_belong_to_a_type,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(an_own_property_replaces_that_of_a_group, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_that_is_unknown_gives_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(the_nearest_name_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(versions_say_where_something_is_absent, setup, teardown),
        cmocka_unit_test_setup_teardown(apply_takes_manifests_or_a_spec, setup, teardown),
        cmocka_unit_test_setup_teardown(facts_of_definitions_survive, setup, teardown),
        cmocka_unit_test_setup_teardown(the_digest_is_that_of_the_files, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
