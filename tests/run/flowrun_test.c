// flowrun_test.c - the runtime as a library, by its public header alone.
#include "run/build.h"

#include <unistd.h>

#include "flowrun.h"

typedef struct World {
    char folder[64], state[96], artifact[96];
    Build build;
    FlowRuntime *runtime;
    FlowError error;
    char *result;
    int lines;
} World;

static void count_line(void *self, const char *execution, const char *level, const char *task,
                       const char *message) {
    World *world = self;
    if (strcmp(execution, "e1") == 0 && strcmp(level, "INFO") == 0 && strcmp(task, "say") == 0 &&
        strcmp(message, "hello") == 0) {
        world->lines++;
    }
}

static int setup(void **state) {
    static World world;
    memset(&world, 0, sizeof world);
    snprintf(world.folder, sizeof world.folder, "/tmp/flow-library-XXXXXX");
    if (mkdtemp(world.folder) == NULL) return 1;
    snprintf(world.state, sizeof world.state, "%s/state", world.folder);
    snprintf(world.artifact, sizeof world.artifact, "%s/flow.flowc", world.folder);
    build_init(&world.build);
    PlanRef log = build_module(&world.build, MODULE_LOG, 0);
    build_input(&world.build, "count", INPUT_INT, INPUT_REQUIRED);
    build_task(&world.build, 0, "say", log, build_constant(&world.build, "{\"message\":\"hello\"}"),
               NODE_PURE);
    uint32_t pause = build_node(&world.build, 0, LIST_BODY, NODE_PAUSE, "ask");
    build_at(&world.build, pause)->leaf_a = build_constant(&world.build, "{}");
    build_write(&world.build, world.artifact);
    *state = &world;
    FlowRuntimeOptions options = {.state_folder = world.state, .log = count_line, .self = &world};
    return flow_runtime_open(&options, &world.runtime, &world.error);
}

static int teardown(void **state) {
    World *world = *state;
    flow_runtime_close(world->runtime);
    flow_free(world->result);
    build_release(&world->build);
    Err err = dir_remove(world->folder);
    return err.code != ERR_NONE;
}

static void a_flow_runs_pauses_is_shown_and_resumes(void **state) {
    World *world = *state;
    int status = flow_run(world->runtime, world->artifact, "{\"count\": 3}", "e1", &world->result,
                          &world->error);
    assert_string_equal(world->error.text, "");
    assert_int_equal(status, 50);
    assert_non_null(strstr(world->result, "\"current\":\"PAUSED\""));
    assert_int_equal(world->lines, 1);
    flow_free(world->result);
    assert_int_equal(flow_show(world->runtime, "e1", &world->result, &world->error), 0);
    assert_non_null(strstr(world->result, "\"count\":3"));
    flow_free(world->result);
    status = flow_resume(world->runtime, "e1", NULL, &world->result, &world->error);
    assert_int_equal(status, 0);
    assert_non_null(strstr(world->result, "\"current\":\"SUCCESS\""));
}

static void a_bad_input_is_named(void **state) {
    World *world = *state;
    int status = flow_run(world->runtime, world->artifact, "{\"count\": \"many\"}", NULL,
                          &world->result, &world->error);
    assert_int_equal(status, 2);
    assert_string_equal(world->error.input, "count");
    assert_null(world->result);
}

static void what_is_not_there_is_told(void **state) {
    World *world = *state;
    assert_int_equal(flow_show(world->runtime, "nothing", &world->result, &world->error), 2);
    assert_int_equal(
        flow_run(world->runtime, "/nowhere.flowc", NULL, NULL, &world->result, &world->error), 3);
    assert_non_null(strstr(world->error.text, "/nowhere.flowc"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_flow_runs_pauses_is_shown_and_resumes),
        TEST(a_bad_input_is_named),
        TEST(what_is_not_there_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
