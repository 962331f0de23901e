// many_test.c - many runs in one process leave nothing behind: no descriptor, no process, no
// memory.
//
// Runs of a command and of an effect-free task, one after the other. 10,000 where
// FLOW_TEST_MODE=long. The page cache of the store (half a MiB) fills within the first thousand;
// from then on nothing grows.
#include "run/build.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "flowrun.h"

#if defined(__SANITIZE_ADDRESS__)
#define HAS_SANITIZER
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_SANITIZER
#endif
#endif

enum { RUNS = 120, RUNS_LONG = 10000, WARM = 40, WARM_LONG = 1500 };
enum { GROWTH_KIB = 1024, GROWTH_LONG_KIB = 128 };

typedef struct World {
    char folder[64], state[96], artifact[96];
    Build build;
    FlowRuntime *runtime;
    FlowError error;
} World;

static int setup(void **state) {
    static World world;
    memset(&world, 0, sizeof world);
    snprintf(world.folder, sizeof world.folder, "/tmp/flow-many-XXXXXX");
    if (mkdtemp(world.folder) == NULL) return 1;
    snprintf(world.state, sizeof world.state, "%s/state", world.folder);
    snprintf(world.artifact, sizeof world.artifact, "%s/flow.flowc", world.folder);
    build_init(&world.build);
    PlanRef pure = build_module(&world.build, MODULE_RETURN, 0);
    PlanRef shell = build_module(&world.build, MODULE_SHELL, EFFECT_EXEC);
    PlanLeaf value = build_leaf(&world.build, "rt.map(1, 'value', rt.text('v'))");
    build_task(&world.build, 0, "value", pure, value, NODE_PURE);
    build_task(&world.build, 0, "command", shell,
               build_leaf(&world.build, "rt.map(1, 'command', rt.text('exit 0'))"), 0);
    build_write(&world.build, world.artifact);
    *state = &world;
    FlowRuntimeOptions options = {.state_folder = world.state};
    return flow_runtime_open(&options, &world.runtime, &world.error);
}

static int teardown(void **state) {
    World *world = *state;
    flow_runtime_close(world->runtime);
    build_release(&world->build);
    Err err = dir_remove(world->folder);
    return err.code != ERR_NONE;
}

static int count_descriptors(void) {
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;
    while (folder != NULL && readdir(folder) != NULL) count++;
    if (folder != NULL) closedir(folder);
    return count;
}

static long resident_kib(void) {
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1) pages = 0;
    if (file != NULL) fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void run(World *world, int count) {
    for (int i = 0; i < count; i++) {
        char *result = NULL;
        int status = flow_run(world->runtime, world->artifact, NULL, NULL, &result, &world->error);
        assert_string_equal(world->error.text, "");
        flow_free(result);
        assert_int_equal(status, 0);
    }
}

static void many_runs_leave_nothing_behind(void **state) {
    World *world = *state;
    const char *mode = getenv("FLOW_TEST_MODE");
    bool is_long = mode != NULL && strcmp(mode, "long") == 0;
    run(world, is_long ? WARM_LONG : WARM);
    int descriptors = count_descriptors();
    long memory = resident_kib();
    run(world, is_long ? RUNS_LONG : RUNS);
    print_message("%d descriptors, then %d; %ld KiB, then %ld\n", descriptors, count_descriptors(),
                  memory, resident_kib());
    assert_int_equal(count_descriptors(), descriptors);
#ifndef HAS_SANITIZER  // which keeps freed memory
    assert_true(resident_kib() <= memory + (is_long ? GROWTH_LONG_KIB : GROWTH_KIB));
#endif
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);  // no child, not even a zombie
    assert_int_equal(errno, ECHILD);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(many_runs_leave_nothing_behind, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
