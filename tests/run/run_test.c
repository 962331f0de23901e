// run_test.c - turns, rows, logs, secrets, plans: the driver with small flows.
#include "run/build.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

typedef struct World {
    char folder[64], state[96], artifact[96], secrets[96];
    Arena arena;
    Build build;
    Artifact opened;
    Runtime *runtime;
    Execution *execution;
    RunEnd end;
    const Clock *clock;
} World;

static int setup(void **state) {
    static World world;
    memset(&world, 0, sizeof world);
    snprintf(world.folder, sizeof world.folder, "/tmp/flow-run-XXXXXX");
    if (mkdtemp(world.folder) == NULL) return 1;
    snprintf(world.state, sizeof world.state, "%s/state", world.folder);
    snprintf(world.artifact, sizeof world.artifact, "%s/flow.flowc", world.folder);
    snprintf(world.secrets, sizeof world.secrets, "%s/secrets.yaml", world.folder);
    build_init(&world.build);
    *state = &world;
    Err err = crypto_init();
    if (err.code == ERR_NONE) err = file_write(world.secrets, STR("TOKEN: tok-abcdef-123\n"), 0600);
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

static void open_runtime(World *world) {
    static const RunConfig config = {.batch_ms = 100};
    RuntimeOptions options = {.config = &config,
                              .state_folder = world->state,
                              .secrets_path = world->secrets,
                              .clock = world->clock};
    assert_ok(runtime_new(&options, &world->runtime));
}

static void open_artifact(World *world) {
    static const RunConfig config = {0};
    RunTrust trust = {0};
    if (world->opened.bytes.len > 0) return;
    build_write(&world->build, world->artifact);
    assert_ok(
        run_open_artifact(&config, &trust, world->artifact, -1, &world->arena, &world->opened));
}

static State run_flow(World *world) {
    Err err = err_none();
    open_artifact(world);
    if (world->runtime == NULL) open_runtime(world);
    RunStart start = {.artifact = &world->opened, .inputs = value_map(&world->arena)};
    assert_ok(execution_create(world->runtime, &start, &world->arena, NULL, &world->execution));
    world->end = runtime_run(world->runtime, world->execution, RUN_TO_END, STATE_NONE, &err);
    assert_ok(err);
    return engine_state(execution_engine(world->execution));
}

static Value result_of(World *world) {
    return execution_result(world->execution, RESULT_WITH_EFFECTS, &world->arena);
}

static Str shell(Build *build, const char *command) {
    return str_printf(&build->arena, "{\"command\":\"%s\"}", command);
}

static uint32_t add_shell(World *world, PlanRef module, const char *id, const char *command) {
    Str props = shell(&world->build, command);
    return build_task(&world->build, 0, id, module, build_constant(&world->build, props.ptr), 0);
}

// --- turns --------------------------------------------------------------------------------------

static int64_t no_time(void *self) {
    (void)self;
    return 0;
}

static int64_t wall_time(void *self) {
    (void)self;
    return clock_system()->wall_ms(clock_system()->self);
}

static void some_bytes(void *self, void *out, size_t len) {
    (void)self;
    clock_system()->random(clock_system()->self, out, len);
}

// A turn is cut by its time, too; here it takes none.
static const Clock still = {wall_time, no_time, some_bytes, NULL};

static void a_flow_without_effects_is_one_commit(void **state) {
    World *world = *state;
    world->clock = &still;
    PlanRef pure = build_module(&world->build, MODULE_RETURN, 0);
    PlanLeaf props = build_constant(&world->build, "{\"value\":1}");
    build_task(&world->build, 0, "one", pure, props, NODE_PURE);
    build_task(&world->build, 0, "two", pure, props, NODE_PURE);
    open_runtime(world);
    run_flow(world);
    uint64_t before = store_sync_count(runtime_store(world->runtime));
    assert_int_equal(run_flow(world), STATE_SUCCESS);
    assert_int_equal(store_sync_count(runtime_store(world->runtime)) - before, 1);
}

static void forty_silent_tasks_are_forty_one_commits(void **state) {
    World *world = *state;
    world->clock = &still;
    PlanRef module = build_module(&world->build, MODULE_SHELL, EFFECT_EXEC);
    char id[16];
    for (int i = 0; i < 40; i++) {
        snprintf(id, sizeof id, "t%d", i);
        add_shell(world, module, id, ":");
    }
    open_runtime(world);
    uint64_t before = store_sync_count(runtime_store(world->runtime));
    assert_int_equal(run_flow(world), STATE_SUCCESS);
    uint64_t syncs = store_sync_count(runtime_store(world->runtime)) - before;
    assert_int_equal(syncs, 41);
}

static void a_failed_task_fails_the_execution_with_its_reason(void **state) {
    World *world = *state;
    PlanRef module = build_module(&world->build, MODULE_SHELL, EFFECT_EXEC);
    add_shell(world, module, "bad", "exit 3");
    assert_int_equal(run_flow(world), STATE_FAILED);
    assert_int_equal(run_exit_status(world->end, world->execution), 1);
    Value reason = *value_map_get(result_of(world), STR("reason"));
    assert_str_equal(value_map_get_text(reason, STR("taskId"), STR("")), STR("bad"));
    assert_str_equal(value_map_get_text(reason, STR("message"), STR("")), STR("exit code 3"));
}

static void properties_that_cannot_be_rendered_fail_the_task_before_it_begins(void **state) {
    World *world = *state;
    PlanRef module = build_module(&world->build, MODULE_SHELL, EFFECT_EXEC);
    PlanLeaf leaf = build_leaf(
        &world->build,
        "rt.map(1, 'command', rt.text(rt.get(rt.get(rt.root('outputs', 1), 'x', 1), 'y', 1)))");
    build_task(&world->build, 0, "bad", module, leaf, 0);
    assert_int_equal(run_flow(world), STATE_FAILED);
    assert_int_equal(value_map_get(result_of(world), STR("effects"))->as.list->count, 0);
}

// --- rows ---------------------------------------------------------------------------------------

static void compare_rows(World *world, const Engine *engine) {
    StoreTaskRun *rows = NULL;
    uint32_t count = 0;
    Store *store = runtime_store(world->runtime);
    assert_ok(store_taskruns(store, execution_id(world->execution), &world->arena, &rows, &count));
    assert_int_equal(count, engine_run_count(engine));
    for (uint32_t i = 0; i < count; i++) {
        RunId id;
        TaskRunView view;
        assert_true(run_id_parse(rows[i].id, &id));
        assert_true(engine_run(engine, id, &view));
        assert_str_equal(rows[i].task, view.task);
        assert_str_equal(rows[i].value, view.value);
        assert_str_equal(rows[i].state, str_from(state_name(view.state)));
        assert_int_equal(rows[i].attempts, view.attempts);
        assert_int_equal(rows[i].ended_ms, view.ended_ms);
    }
}

static void the_rows_equal_a_fold_of_the_events(void **state) {
    World *world = *state;
    PlanRef pure = build_module(&world->build, MODULE_RETURN, 0);
    PlanRef module = build_module(&world->build, MODULE_SHELL, EFFECT_EXEC);
    uint32_t loop = build_node(&world->build, 0, LIST_BODY, NODE_FOREACH, "loop");
    build_at(&world->build, loop)->leaf_a = build_constant(&world->build, "[\"a\",\"b\"]");
    build_at(&world->build, loop)->limit = 0;
    build_task(&world->build, loop, "in", pure, 0, NODE_PURE);
    add_shell(world, module, "bad", "exit 1");
    assert_int_equal(run_flow(world), STATE_FAILED);
    Execution *folded = NULL;
    Runtime *writer = world->runtime;
    assert_ok(execution_look(writer, execution_id(world->execution), &folded));
    compare_rows(world, execution_engine(folded));
    StoreExecution row;
    assert_ok(
        store_get_execution(runtime_store(writer), execution_id(folded), &world->arena, &row));
    assert_str_equal(row.state, STR("FAILED"));
    assert_int_equal(row.last_seq, engine_last_seq(execution_engine(folded)));
}

// --- logs and secrets ---------------------------------------------------------------------------

static bool folder_holds(const char *folder, const char *text) {
    char command[256];
    snprintf(command, sizeof command, "%s", folder);
    pid_t pid = fork();
    if (pid == 0) {
        execlp("grep", "grep", "-rqsaF", text, folder, (char *)NULL);
        _exit(2);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void a_secret_reaches_the_script_and_nothing_else(void **state) {
    World *world = *state;
    PlanRef module = build_module(&world->build, MODULE_SHELL, EFFECT_EXEC);
    Str lua = str_printf(&world->build.arena,
                         "rt.map(1, 'command', rt.text('T=', rt.func.secret(1, 'TOKEN'), '; "
                         "echo \"$T\"; echo ${#T} > %s/length; "
                         "echo \"::{\\\"outputs\\\":{\\\"t\\\":\\\"$T\\\"}}::\"'))",
                         world->folder);
    build_task(&world->build, 0, "use", module, build_leaf(&world->build, lua.ptr), 0);
    assert_int_equal(run_flow(world), STATE_SUCCESS);
    Str length = {0};
    Str path = str_printf(&world->arena, "%s/length", world->folder);
    assert_ok(file_read(path.ptr, 100, &world->arena, &length));
    assert_str_equal(str_trim(length), STR("14"));
    Buffer text = {0};
    json_write(&text, result_of(world), JSON_COMPACT, 0);
    assert_true(str_find(buffer_str(&text), STR("******"), 0) != STR_NOT_FOUND);
    assert_true(str_find(buffer_str(&text), STR("tok-abcdef"), 0) == STR_NOT_FOUND);
    buffer_release(&text);
    assert_true(folder_holds(world->state, "******"));
    assert_false(folder_holds(world->state, "tok-abcdef"));
}

static void the_log_of_a_task_is_in_the_file_and_in_its_end(void **state) {
    World *world = *state;
    PlanRef module = build_module(&world->build, MODULE_SHELL, EFFECT_EXEC);
    add_shell(world, module, "talk", "echo hello; echo world >&2");
    assert_int_equal(run_flow(world), STATE_SUCCESS);
    Str path = str_printf(&world->arena, "%s/exec/" STR_FMT "/log.jsonl", world->state,
                          STR_ARG(execution_id(world->execution)));
    Str text = {0};
    assert_ok(file_read(path.ptr, 100000, &world->arena, &text));
    assert_true(str_find(text, STR("\"message\":\"hello\""), 0) != STR_NOT_FOUND);
    assert_true(folder_holds(world->state, "hello"));
    // A crash of the machine may lose the file's end: the next to take it over brings it back.
    Str id = str_dup(&world->arena, execution_id(world->execution));
    runtime_free(world->runtime);
    assert_int_equal(truncate(path.ptr, 0), 0);
    open_runtime(world);
    assert_ok(execution_adopt(world->runtime, id, &world->execution));
    Str again = {0};
    assert_ok(file_read(path.ptr, 100000, &world->arena, &again));
    assert_str_equal(again, text);
}

static void a_long_log_is_synced_before_its_end_is_committed(void **state) {
    World *world = *state;
    PlanRef module = build_module(&world->build, MODULE_SHELL, EFFECT_EXEC);
    add_shell(world, module, "talk",
              "i=0; while [ $i -lt 200 ]; do echo a line of the log; "
              "i=$((i+1)); done");
    open_runtime(world);
    uint64_t before = store_sync_count(runtime_store(world->runtime));
    assert_int_equal(run_flow(world), STATE_SUCCESS);
    assert_int_equal(store_sync_count(runtime_store(world->runtime)) - before, 3);
}

// --- other processes ----------------------------------------------------------------------------

static void a_kill_from_another_process_ends_it(void **state) {
    World *world = *state;
    PlanRef module = build_module(&world->build, MODULE_SHELL, EFFECT_EXEC);
    add_shell(world, module, "wait", "sleep 60");
    open_artifact(world);
    pid_t pid = fork();
    if (pid == 0) {
        run_flow(world);
        _exit(run_exit_status(world->end, world->execution));
    }
    open_runtime(world);
    StoreExecution *rows = NULL;
    uint32_t count = 0;
    Store *store = runtime_store(world->runtime);
    for (int i = 0; i < 500 && count == 0; i++) {
        StoreFilter filter = {.state = STR("RUNNING")};
        assert_ok(store_list(store, &filter, &world->arena, &rows, &count));
        usleep(10000);
    }
    assert_int_equal(count, 1);
    assert_true(store_is_owned(store, rows[0].id));
    Execution *taken = NULL;
    Err err = execution_adopt(world->runtime, rows[0].id, &taken);
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_ok(store_send_command(store, rows[0].id, STR("kill"), STR("{}"), NULL));
    int status = 0;
    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 130);
    StoreExecution row;
    assert_ok(store_get_execution(store, rows[0].id, &world->arena, &row));
    assert_str_equal(row.state, STR("KILLED"));
}

static void a_stop_by_term_leaves_it_resumable(void **state) {
    World *world = *state;
    PlanRef module = build_module(&world->build, MODULE_SHELL, EFFECT_EXEC);
    add_shell(world, module, "wait", "sleep 60");
    open_artifact(world);
    pid_t pid = fork();
    if (pid == 0) {
        run_flow(world);
        int status = run_exit_status(world->end, world->execution);
        runtime_free(world->runtime);
        _exit(status);
    }
    open_runtime(world);
    StoreExecution *rows = NULL;
    uint32_t count = 0;
    StoreFilter filter = {.state = STR("RUNNING")};
    for (int i = 0; i < 500 && count == 0; i++) {
        assert_ok(store_list(runtime_store(world->runtime), &filter, &world->arena, &rows, &count));
        usleep(10000);
    }
    usleep(200000);
    kill(pid, SIGTERM);
    int status = 0;
    waitpid(pid, &status, 0);
    assert_int_equal(WEXITSTATUS(status), 75);
    Err err = err_none();
    assert_ok(execution_adopt(world->runtime, rows[0].id, &world->execution));
    world->end = runtime_run(world->runtime, world->execution, RUN_TO_END, STATE_NONE, &err);
    assert_int_equal(world->end, RUN_WAITS_FOR_PERSON);
    assert_int_equal(engine_state(execution_engine(world->execution)), STATE_PAUSED);
}

// --- plans --------------------------------------------------------------------------------------

static Value plan_of(World *world) {
    static const RunConfig config = {0};
    open_artifact(world);
    PlanRequest request = {
        .artifact = &world->opened,
        .runtime = {.config = &config, .mode = HOST_PLAN_OFFLINE},
        .start = {.inputs = value_map(&world->arena)                }
    };
    Value plan;
    assert_ok(run_plan(&request, &world->arena, NULL, &plan));
    return plan;
}

static void compare_steps(World *world, Value plan) {
    static const char *const keys[] = {"taskId", "effect", "argv", "method", "url", "files"};
    const Value *steps = value_map_get(plan, STR("steps"));
    const Value *effects = value_map_get(result_of(world), STR("effects"));
    assert_int_equal(steps->as.list->count, effects->as.list->count);
    for (uint32_t i = 0; i < steps->as.list->count; i++) {
        for (size_t k = 0; k < COUNT(keys); k++) {
            const Value *planned = value_map_get(steps->as.list->items[i], str_from(keys[k]));
            const Value *done = value_map_get(effects->as.list->items[i], str_from(keys[k]));
            assert_int_equal(planned == NULL, done == NULL);
            if (planned != NULL) assert_true(value_equal(*planned, *done));
        }
    }
}

static void the_plan_equals_what_a_run_records(void **state) {
    World *world = *state;
    PlanRef module = build_module(&world->build, MODULE_SHELL, EFFECT_EXEC);
    PlanRef pure = build_module(&world->build, MODULE_RETURN, 0);
    add_shell(world, module, "first", "echo 1 > a; echo 2");
    build_task(&world->build, 0, "mid", pure, build_constant(&world->build, "{\"value\":\"x\"}"),
               NODE_PURE);
    PlanLeaf leaf = build_leaf(
        &world->build, "rt.map(1, 'command', rt.text('echo ', rt.get(rt.get(rt.root('outputs', "
                       "1), 'mid', 1), 'value', 1)))");
    build_task(&world->build, 0, "last", module, leaf, 0);
    Value plan = plan_of(world);
    assert_int_equal(run_flow(world), STATE_SUCCESS);
    compare_steps(world, plan);
}

static void a_condition_on_a_placeholder_shows_both_branches(void **state) {
    World *world = *state;
    Build *build = &world->build;
    PlanRef module = build_module(build, MODULE_SHELL, EFFECT_EXEC);
    add_shell(world, module, "ask", "true");
    uint32_t node = build_node(build, 0, LIST_BODY, NODE_IF, "check");
    build_at(build, node)->leaf_a = build_leaf(
        build, "rt.condition(rt.text(rt.get(rt.get(rt.get(rt.root('outputs', 1), 'ask', 1), "
               "'vars', 1), 'answer', 1)))");
    build_task(build, node, "yes", module, build_constant(build, "{\"command\":\"echo y\"}"), 0);
    uint32_t otherwise = build_node(build, node, LIST_EXTRA, NODE_TASK, "no");
    build_at(build, otherwise)->module = module;
    build_at(build, otherwise)->leaf_props = build_constant(build, "{\"command\":\"echo n\"}");
    add_shell(world, module, "after", "true");
    Value plan = plan_of(world);
    const Value *steps = value_map_get(plan, STR("steps"));
    static const char *const expected[][2] = {
        {"ask",   ""             },
        {"yes",   "check = true" },
        {"no",    "check = false"},
        {"after", ""             }
    };
    assert_int_equal(steps->as.list->count, COUNT(expected));
    for (uint32_t i = 0; i < COUNT(expected); i++) {
        Value step = steps->as.list->items[i];
        assert_str_equal(value_map_get_text(step, STR("taskId"), STR("")),
                         str_from(expected[i][0]));
        assert_str_equal(value_map_get_text(step, STR("branch"), (Str){0}),
                         str_from(expected[i][1]));
    }
}

static void a_plan_needs_no_secret_and_says_which_is_missing(void **state) {
    World *world = *state;
    PlanRef module = build_module(&world->build, MODULE_SHELL, EFFECT_EXEC);
    PlanLeaf leaf = build_leaf(
        &world->build, "rt.map(1, 'command', rt.text('echo ', rt.func.secret(1, 'NOWHERE')))");
    build_task(&world->build, 0, "use", module, leaf, 0);
    Value plan = plan_of(world);
    assert_int_equal(value_map_get(plan, STR("steps"))->as.list->count, 1);
    const Value *notes = value_map_get(plan, STR("notes"));
    assert_int_equal(notes->as.list->count, 1);
    assert_true(str_find(notes->as.list->items[0].as.text, STR("'NOWHERE'"), 0) != STR_NOT_FOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_flow_without_effects_is_one_commit),
        TEST(forty_silent_tasks_are_forty_one_commits),
        TEST(a_failed_task_fails_the_execution_with_its_reason),
        TEST(properties_that_cannot_be_rendered_fail_the_task_before_it_begins),
        TEST(the_rows_equal_a_fold_of_the_events),
        TEST(a_secret_reaches_the_script_and_nothing_else),
        TEST(the_log_of_a_task_is_in_the_file_and_in_its_end),
        TEST(a_long_log_is_synced_before_its_end_is_committed),
        TEST(a_kill_from_another_process_ends_it),
        TEST(a_stop_by_term_leaves_it_resumable),
        TEST(the_plan_equals_what_a_run_records),
        TEST(a_condition_on_a_placeholder_shows_both_branches),
        TEST(a_plan_needs_no_secret_and_says_which_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
