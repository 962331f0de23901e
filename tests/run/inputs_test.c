// inputs_test.c - inputs by type, rule and dependency; what is refused says input, rule and bound.
#include "run/build.h"

#include <unistd.h>

typedef struct World {
    char folder[64], state[96], artifact[96];
    Arena arena;
    Build build;
    Artifact opened;
    Runtime *runtime;
    Execution *execution;
    InputFault fault;
} World;

static int setup(void **state) {
    static World world;
    memset(&world, 0, sizeof world);
    snprintf(world.folder, sizeof world.folder, "/tmp/flow-inputs-XXXXXX");
    if (mkdtemp(world.folder) == NULL) return 1;
    snprintf(world.state, sizeof world.state, "%s/state", world.folder);
    snprintf(world.artifact, sizeof world.artifact, "%s/flow.flowc", world.folder);
    build_init(&world.build);
    *state = &world;
    Err err = crypto_init();
    return err.code != ERR_NONE;
}

static int teardown(void **state) {
    World *world = *state;
    runtime_free(world->runtime);
    build_release(&world->build);
    arena_release(&world->arena);
    Err err = dir_remove(world->folder);
    return err.code != ERR_NONE;
}

static void add_task(World *world) {
    PlanRef pure = build_module(&world->build, MODULE_RETURN, 0);
    build_task(&world->build, 0, "one", pure, 0, NODE_PURE);
}

// Creates an execution with `json` as inputs.
static Err create(World *world, const char *json) {
    static const RunConfig config = {.batch_ms = 100};
    if (world->runtime == NULL) {
        RunTrust trust = {0};
        add_task(world);
        build_write(&world->build, world->artifact);
        assert_ok(
            run_open_artifact(&config, &trust, world->artifact, -1, &world->arena, &world->opened));
        RuntimeOptions options = {.config = &config, .state_folder = world->state};
        assert_ok(runtime_new(&options, &world->runtime));
    }
    RunStart start = {.artifact = &world->opened};
    assert_ok(json_parse(str_from(json), (JsonLimits){0}, &world->arena, &start.inputs));
    return execution_create(world->runtime, &start, &world->arena, &world->fault,
                            &world->execution);
}

static Str inputs_text(World *world) {
    const Value *inputs = engine_inputs(execution_engine(world->execution));
    return value_to_text(&world->arena, *inputs);
}

static void text_becomes_the_type_of_the_input(void **state) {
    World *world = *state;
    build_input(&world->build, "count", INPUT_INT, INPUT_REQUIRED);
    build_input(&world->build, "ok", INPUT_BOOL, INPUT_REQUIRED);
    build_input(&world->build, "a.b", INPUT_STRING, INPUT_REQUIRED);
    assert_ok(create(world, "{\"count\":\"42\",\"ok\":\"TRUE\",\"a.b\":\"x\"}"));
    assert_str_equal(inputs_text(world), STR("{\"count\":42,\"ok\":true,\"a\":{\"b\":\"x\"}}"));
}

static void an_input_without_value_takes_its_default(void **state) {
    World *world = *state;
    PlanInput *input = build_input(&world->build, "name", INPUT_STRING, INPUT_REQUIRED);
    input->defaults = build_constant(&world->build, "\"web\"");
    assert_ok(create(world, "{\"name\":null}"));
    assert_str_equal(inputs_text(world), STR("{\"name\":\"web\"}"));
}

static void an_optional_input_without_value_is_null(void **state) {
    World *world = *state;
    build_input(&world->build, "name", INPUT_STRING, 0);
    assert_ok(create(world, "{}"));
    const Value *inputs = engine_inputs(execution_engine(world->execution));
    assert_int_equal(value_map_get(*inputs, STR("name"))->kind, VALUE_NULL);
}

static void what_is_wrong_names_input_rule_bound_and_value(void **state) {
    static const struct {
        const char *json, *input, *rule, *bound, *received;
    } rows[] = {
        {"{\"count\":\"5\",\"size\":\"s\",\"at\":\"2024-06-01\"}",  "",      "",         "",           ""  },
        {"{\"size\":\"s\",\"at\":\"2024-06-01\"}",                  "count", "required", "",           ""  },
        {"{\"count\":\"x\",\"size\":\"s\",\"at\":\"2024-06-01\"}",  "count", "type",     "INT",        "x" },
        {"{\"count\":\"0\",\"size\":\"s\",\"at\":\"2024-06-01\"}",  "count", "min",      "1",          "0" },
        {"{\"count\":\"11\",\"size\":\"s\",\"at\":\"2024-06-01\"}", "count", "max",      "10",         "11"},
        {"{\"count\":\"5\",\"size\":\"xl\",\"at\":\"2024-06-01\"}", "size",  "values",
         "[\"s\",\"m\"]",                                                                              "xl"},
        {"{\"count\":\"5\",\"size\":\"s\",\"at\":\"2023-06-01\"}",  "at",    "after",    "2024-01-01",
         "2023-06-01"                                                                                      },
    };
    World *world = *state;
    Build *build = &world->build;
    PlanInput *count =
        build_input(build, "count", INPUT_INT, INPUT_REQUIRED | INPUT_HAS_MIN | INPUT_HAS_MAX);
    count->min = build_text(build, "1");
    count->max = build_text(build, "10");
    PlanInput *size = build_input(build, "size", INPUT_SELECT, INPUT_REQUIRED);
    *LIST_ADD(&build->arena, &build->texts, PlanText) = build_text(build, "s");
    *LIST_ADD(&build->arena, &build->texts, PlanText) = build_text(build, "m");
    size->values = 1;
    size->value_count = 2;
    PlanInput *at = build_input(build, "at", INPUT_DATE, INPUT_REQUIRED | INPUT_HAS_MIN);
    at->min = build_text(build, "2024-01-01");
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        Err err = create(world, rows[i].json);
        assert_int_equal(err.code, rows[i].rule[0] == '\0' ? ERR_NONE : ERR_INPUT);
        if (err.code == ERR_NONE) continue;
        assert_str_equal(world->fault.input, str_from(rows[i].input));
        assert_str_equal(world->fault.rule, str_from(rows[i].rule));
        assert_str_equal(world->fault.bound, str_from(rows[i].bound));
        assert_str_equal(world->fault.received, str_from(rows[i].received));
    }
}

static void a_text_has_to_match_its_validator(void **state) {
    World *world = *state;
    PlanInput *input = build_input(&world->build, "name", INPUT_STRING, INPUT_REQUIRED);
    input->validator = build_text(&world->build, "[a-z]+");
    assert_ok(create(world, "{\"name\":\"web\"}"));
    Err err = create(world, "{\"name\":\"web1\"}");
    assert_int_equal(err.code, ERR_INPUT);
    assert_str_equal(world->fault.rule, STR("validator"));
    assert_non_null(strstr(err.text, "'web1'"));
}

static void an_input_sees_those_it_depends_on(void **state) {
    World *world = *state;
    Build *build = &world->build;
    build_input(build, "name", INPUT_STRING, INPUT_REQUIRED);
    PlanLeaf leaf =
        build_leaf(build, "rt.text(rt.get(rt.root('inputs', 1), 'name', 1), '.example.com')");
    *LIST_ADD(&build->arena, &build->texts, PlanText) = build_text(build, "name");
    PlanInput *host = build_input(build, "host", INPUT_STRING, INPUT_REQUIRED);
    host->defaults = leaf;
    host->depends = 1;
    host->depend_count = 1;
    assert_ok(create(world, "{\"name\":\"web\"}"));
    assert_str_equal(inputs_text(world), STR("{\"name\":\"web\",\"host\":\"web.example.com\"}"));
}

static void a_disabled_input_is_left_out_even_where_it_is_given(void **state) {
    World *world = *state;
    Build *build = &world->build;
    build_input(build, "on", INPUT_BOOL, INPUT_REQUIRED);
    PlanLeaf leaf = build_leaf(build, "rt.value(rt.get(rt.root('inputs', 1), 'on', 1))");
    *LIST_ADD(&build->arena, &build->texts, PlanText) = build_text(build, "on");
    PlanInput *extra = build_input(build, "extra", INPUT_STRING, INPUT_REQUIRED);
    extra->condition = leaf;
    extra->depends = 1;
    extra->depend_count = 1;
    assert_ok(create(world, "{\"on\":\"false\",\"extra\":\"x\"}"));
    assert_str_equal(inputs_text(world), STR("{\"on\":false}"));
    assert_ok(create(world, "{\"on\":\"true\",\"extra\":\"x\"}"));
    assert_str_equal(inputs_text(world), STR("{\"on\":true,\"extra\":\"x\"}"));
}

static void a_secret_is_kept_as_a_reference_and_never_shown(void **state) {
    World *world = *state;
    PlanInput *input = build_input(&world->build, "token", INPUT_SECRET, INPUT_REQUIRED);
    input->validator = build_text(&world->build, "tok-.*");
    Err err = create(world, "{\"token\":\"wrong-value\"}");
    assert_int_equal(err.code, ERR_INPUT);
    assert_null(strstr(err.text, "wrong-value"));
    assert_int_equal(world->fault.received.len, 0);
    assert_ok(create(world, "{\"token\":\"tok-12345\"}"));
    assert_str_equal(inputs_text(world), STR("{\"token\":\"******\"}"));
    assert_true(masker_finds(runtime_masker(world->runtime), STR("x tok-12345 y")));
}

static void a_file_is_copied_into_internal_storage(void **state) {
    World *world = *state;
    build_input(&world->build, "data", INPUT_FILE, INPUT_REQUIRED);
    Str path = str_printf(&world->arena, "%s/data.csv", world->folder);
    assert_ok(file_write(path.ptr, STR("a,b\n"), 0600));
    Str json = str_printf(&world->arena, "{\"data\":\"@" STR_FMT "\"}", STR_ARG(path));
    assert_ok(create(world, json.ptr));
    Str uri = value_map_get_text(*engine_inputs(execution_engine(world->execution)), STR("data"),
                                 (Str){0});
    assert_true(str_starts_with(uri, STR("kestra:///test/run/flow/executions/")));
    assert_true(str_ends_with(uri, STR("/inputs/data/data.csv")));
    Err err = create(world, "{\"data\":\"@/nowhere/at/all\"}");
    assert_int_equal(err.code, ERR_INPUT);
    assert_str_equal(world->fault.rule, STR("file"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(text_becomes_the_type_of_the_input),
        TEST(an_input_without_value_takes_its_default),
        TEST(an_optional_input_without_value_is_null),
        TEST(what_is_wrong_names_input_rule_bound_and_value),
        TEST(a_text_has_to_match_its_validator),
        TEST(an_input_sees_those_it_depends_on),
        TEST(a_disabled_input_is_left_out_even_where_it_is_given),
        TEST(a_secret_is_kept_as_a_reference_and_never_shown),
        TEST(a_file_is_copied_into_internal_storage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
