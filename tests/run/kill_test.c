// kill_test.c - kill -9 before and after every commit and every sync of a flow of twelve tasks with
// a ForEach and a retry, then resume: nothing durable runs twice, nothing is lost.
//
// The seam of the store counts the points; a child process ends itself at the n-th. What was under
// way with an intent and no result is unknown: the execution pauses, is resolved as `retry`, and
// ends the same. In the same way the n-th commit or sync fails once (a broken disk), or all from
// the n-th on do (a full one): the process says so and ends, and another goes on.
#include "run/build.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FAILED_BY_STORE = 98 };

typedef struct World {
    char folder[64];
    char state[96], artifact[96], journal[96], result[96];
    Arena arena;
    const Clock *clock;
} World;

typedef enum Harm { HARM_KILL, HARM_FAIL_ONCE, HARM_FULL_DISK } Harm;

typedef struct Killer {
    long countdown;  // 0: never
    long seen;
    Harm harm;
} Killer;

static int at_point(void *self, StorePoint point, const char *file) {
    (void)file;
    Killer *killer = self;
    bool may_fail = point == STORE_BEFORE_COMMIT || point == STORE_BEFORE_SYNC;
    if (killer->harm != HARM_KILL && !may_fail) return 0;
    killer->seen++;
    if (killer->countdown <= 0 || killer->seen < killer->countdown) return 0;
    if (killer->harm == HARM_FULL_DISK) return ENOSPC;
    if (killer->seen > killer->countdown) return 0;
    if (killer->harm == HARM_KILL) raise(SIGKILL);
    return EIO;
}

// --- the flow -----------------------------------------------------------------------------------

static PlanLeaf command(Build *build, const World *world, const char *id, bool in_loop) {
    Str lua = str_printf(&build->arena, "rt.map(1, 'command', rt.text('echo %s', %s, ' >> %s'))",
                         id, in_loop ? "'-', rt.get(rt.root('taskrun', 1), 'value', 1)" : "''",
                         world->journal);
    return build_leaf(build, lua.ptr);
}

static void build_flow(World *world) {
    Build build;
    build_init(&build);
    PlanRef shell = build_module(&build, MODULE_SHELL, EFFECT_EXEC);
    PlanRef flaky = build_module(&build, MODULE_FLAKY, EFFECT_EXEC);
    PlanRef pure = build_module(&build, MODULE_RETURN, 0);
    PlanLeaf value = build_leaf(&build, "rt.map(1, 'value', rt.text('v'))");
    build_task(&build, 0, "t1", pure, value, NODE_PURE);
    build_task(&build, 0, "t2", shell, command(&build, world, "t2", false), 0);
    build_task(&build, 0, "t3", shell, command(&build, world, "t3", false), 0);
    build_task(&build, 0, "t4", pure,
               build_leaf(&build, "rt.map(1, 'value', rt.get(rt.get(rt.root('outputs', 1), 't2', "
                                  "1), 'code', 1))"),
               NODE_PURE);
    uint32_t loop = build_node(&build, 0, LIST_BODY, NODE_FOREACH, "t5");
    build_at(&build, loop)->leaf_a = build_constant(&build, "[\"a\",\"b\",\"c\"]");
    build_at(&build, loop)->limit = 1;
    build_task(&build, loop, "t6", shell, command(&build, world, "t6", true), 0);
    build_task(&build, loop, "t7", pure, value, NODE_PURE);
    *LIST_ADD(&build.arena, &build.retries, PlanRetry) =
        (PlanRetry){.kind = RETRY_CONSTANT, .max_attempts = 3, .interval = 10};
    uint32_t retried = build_task(&build, 0, "t8", flaky, command(&build, world, "t8", false), 0);
    build_at(&build, retried)->retry = build_at(&build, retried)->own_retry = 1;
    build_task(&build, 0, "t9", pure, value, NODE_PURE);
    build_task(&build, 0, "t10", shell, command(&build, world, "t10", false), 0);
    build_task(&build, 0, "t11", pure, value, NODE_PURE);
    build_task(&build, 0, "t12", shell, command(&build, world, "t12", false), 0);
    build_output(&build, "last", INPUT_INT,
                 build_leaf(&build, "rt.value(rt.get(rt.get(rt.root('outputs', 1), 't12', 1), "
                                    "'code', 1))"));
    build_write(&build, world->artifact);
    build_release(&build);
}

// --- processes ----------------------------------------------------------------------------------

// States and outputs, without ids and times.
static void describe(Value result, Buffer *out) {
    Value state = *value_map_get(result, STR("state"));
    buffer_add(out, value_map_get_text(state, STR("current"), STR("?")));
    value_print(out, *value_map_get(result, STR("outputs")));
    const Value *runs = value_map_get(result, STR("taskRunList"));
    for (uint32_t i = 0; i < runs->as.list->count; i++) {
        Value run = runs->as.list->items[i];
        buffer_printf(out, "\n" STR_FMT "[" STR_FMT "] ",
                      STR_ARG(value_map_get_text(run, STR("taskId"), STR("?"))),
                      STR_ARG(value_map_get_text(run, STR("value"), STR(""))));
        buffer_add(out,
                   value_map_get_text(*value_map_get(run, STR("state")), STR("current"), STR("?")));
        value_print(out, *value_map_get(run, STR("outputs")));
    }
}

static Err open_runtime(const World *world, Killer *killer, StoreSeam *seam, Runtime **out) {
    static const RunConfig config = {.batch_ms = 100};
    *seam = (StoreSeam){at_point, killer};
    RuntimeOptions options = {
        .config = &config, .state_folder = world->state, .seam = seam, .clock = world->clock};
    return runtime_new(&options, out);
}

static Err open_execution(World *world, Runtime *runtime, Execution **out) {
    Arena arena = {0};
    StoreExecution row;
    Artifact artifact;
    RunTrust trust = {0};
    RunConfig config = {0};
    Err err = store_get_execution(runtime_store(runtime), STR("e1"), &arena, &row);
    if (err.code == ERR_NONE) {
        arena_release(&arena);
        return execution_adopt(runtime, STR("e1"), out);
    }
    err = run_open_artifact(&config, &trust, world->artifact, -1, &arena, &artifact);
    RunStart start = {.artifact = &artifact, .id = STR("e1"), .inputs = value_map(&arena)};
    if (err.code == ERR_NONE) err = execution_create(runtime, &start, &arena, NULL, out);
    arena_release(&arena);
    return err;
}

// Runs or resumes to the end; writes the description to the result file; ends with the status.
static void child(World *world, Harm harm, long kill_at) {
    Killer killer = {.countdown = kill_at, .harm = harm};
    StoreSeam seam;
    Runtime *runtime = NULL;
    Execution *execution = NULL;
    Err err = open_runtime(world, &killer, &seam, &runtime);
    if (err.code == ERR_NONE) err = open_execution(world, runtime, &execution);
    int status = 99;
    bool is_whole = false;
    if (err.code == ERR_NONE) {
        RunEnd end = runtime_run(runtime, execution, RUN_TO_END, STATE_NONE, &err);
        status = run_exit_status(end, execution);
        is_whole = err.code == ERR_NONE;
        Buffer text = {0};
        describe(execution_result(execution, 0, &world->arena), &text);
        Err written = file_write(world->result, buffer_str(&text), 0600);
        (void)written;
        buffer_release(&text);
    }
    bool is_expected = harm != HARM_KILL && kill_at > 0 && err.code == ERR_STORE;
    if (err.code != ERR_NONE && !is_expected) fprintf(stderr, "%s\n", err.text);
    if (is_expected && !is_whole) status = FAILED_BY_STORE;
    runtime_free(runtime);
    if (kill_at < 0) status = (int)(killer.seen > 250 ? 250 : killer.seen);
    _exit(status);
}

// The status, or -1 where it was killed.
static int in_child_with(World *world, Harm harm, long kill_at) {
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) child(world, harm, kill_at);
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int in_child(World *world, long kill_at) {
    return in_child_with(world, HARM_KILL, kill_at);
}

// Resolves what is unknown as `retry`; gives how many.
static int resolve_all(World *world) {
    Killer none = {0};
    StoreSeam seam;
    Runtime *runtime = NULL;
    Execution *execution = NULL;
    int count = 0;
    assert_ok(open_runtime(world, &none, &seam, &runtime));
    for (;;) {
        TaskRunView view;
        char id[33] = "";
        assert_ok(execution_look(runtime, STR("e1"), &execution));
        for (uint32_t i = 0; engine_run_at(execution_engine(execution), i, &view); i++) {
            if (view.is_unknown) run_id_print(view.id, id);
        }
        if (id[0] == '\0') break;
        Command command = {.kind = COMMAND_RESOLVE,
                           .task = str_from(id),
                           .state = STATE_CREATED,
                           .now_ms = clock_system()->wall_ms(NULL)};
        assert_ok(execution_record(runtime, STR("e1"), &command));
        count++;
    }
    runtime_free(runtime);
    return count;
}

static Str read_text(World *world, const char *path) {
    Str text = {0};
    Err err = file_read(path, 1 << 20, &world->arena, &text);
    return err.code == ERR_NONE ? text : (Str){0};
}

static uint32_t lines(Str text, const char *line) {
    uint32_t count = 0;
    Str found = {0};
    while (str_split(&text, '\n', &found)) count += str_eq(found, str_from(line)) ? 1 : 0;
    return count;
}

static int setup(void **state) {
    static World world;
    memset(&world, 0, sizeof world);
    snprintf(world.folder, sizeof world.folder, "/tmp/flow-kill-XXXXXX");
    if (mkdtemp(world.folder) == NULL) return 1;
    snprintf(world.state, sizeof world.state, "%s/state", world.folder);
    snprintf(world.artifact, sizeof world.artifact, "%s/flow.flowc", world.folder);
    snprintf(world.journal, sizeof world.journal, "%s/journal", world.folder);
    snprintf(world.result, sizeof world.result, "%s/result", world.folder);
    *state = &world;
    Err err = crypto_init();
    return err.code != ERR_NONE;
}

static int teardown(void **state) {
    World *world = *state;
    arena_release(&world->arena);
    Err err = dir_remove(world->folder);
    return err.code != ERR_NONE;
}

static void start_anew(World *world) {
    assert_ok(dir_remove(world->state));
    unlink(world->journal);
    unlink(world->result);
    ArenaMark empty = {0};
    arena_reset(&world->arena, empty);
}

// Every effect happened; more than once only where its outcome was unknown and a person said so.
static void check_journal(World *world, int resolved) {
    static const struct {
        const char *line;
        uint32_t times;
    } rows[] = {
        {"t2",   1},
        {"t3",   1},
        {"t6-a", 1},
        {"t6-b", 1},
        {"t6-c", 1},
        {"t8",   2},
        {"t10",  1},
        {"t12",  1}
    };
    Str journal = read_text(world, world->journal);
    uint32_t more = 0;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint32_t count = lines(journal, rows[i].line);
        // The attempt that was to fail may be the one that was resolved.
        uint32_t least = resolved > 0 ? 1 : rows[i].times;
        if (count < least) print_error("'%s' happened %u times\n", rows[i].line, count);
        assert_true(count >= least);
        more += count > rows[i].times ? count - rows[i].times : 0;
    }
    assert_true(more <= (uint32_t)resolved);
}

static int64_t wall_time(void *self) {
    (void)self;
    return clock_system()->wall_ms(clock_system()->self);
}

static int64_t jumping_time(void *self) {
    int64_t *now = self;
    return *now += 1000;
}

static void some_bytes(void *self, void *out, size_t len) {
    (void)self;
    clock_system()->random(clock_system()->self, out, len);
}

static void check_points(World *world, Harm harm, int step) {
    build_flow(world);
    start_anew(world);
    assert_int_equal(in_child(world, 0), 0);
    char expected[4096];
    Str whole = read_text(world, world->result);
    snprintf(expected, sizeof expected, STR_FMT, STR_ARG(whole));
    check_journal(world, 0);
    start_anew(world);
    int points = in_child_with(world, harm, -1);
    assert_true(points > 15);
    int clean = 0;
    int unknown = 0;
    for (long at = 1; at <= points; at += step) {
        start_anew(world);
        int ended = in_child_with(world, harm, at);
        assert_int_equal(ended, harm == HARM_KILL ? -1 : FAILED_BY_STORE);
        int status = in_child(world, 0);
        int resolved = 0;
        if (status == 50) {
            resolved = resolve_all(world);
            assert_true(resolved > 0);
            status = in_child(world, 0);
        }
        if (status != 0) print_error("harmed at point %ld of %d: status %d\n", at, points, status);
        assert_int_equal(status, 0);
        assert_str_equal(read_text(world, world->result), str_from(expected));
        check_journal(world, resolved);
        *(resolved > 0 ? &unknown : &clean) += 1;
    }
    print_message("%d of %d points: %d resumed by themselves, %d after `resolve --as retry`\n",
                  clean + unknown, points, clean, unknown);
}

static void a_kill_at_any_point_ends_like_no_kill(void **state) {
    check_points(*state, HARM_KILL, 1);
}

static void a_commit_or_sync_that_fails_is_told_and_gone_on_behind(void **state) {
    check_points(*state, HARM_FAIL_ONCE, 1);
}

static void a_disk_that_is_full_from_any_point_on_loses_nothing(void **state) {
    check_points(*state, HARM_FULL_DISK, 1);
}

static void so_it_does_where_every_turn_is_cut_as_early_as_can_be(void **state) {
    World *world = *state;
    int64_t now = 0;
    const Clock hasty = {wall_time, jumping_time, some_bytes, &now};
    world->clock = &hasty;
    check_points(world, HARM_KILL, 3);
    world->clock = NULL;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_kill_at_any_point_ends_like_no_kill),
        TEST(a_commit_or_sync_that_fails_is_told_and_gone_on_behind),
        TEST(a_disk_that_is_full_from_any_point_on_loses_nothing),
        TEST(so_it_does_where_every_turn_is_cut_as_early_as_can_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
