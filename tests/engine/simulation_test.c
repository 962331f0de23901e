// simulation_test.c - random flows of every kind in a random world, with a crash after any event.
//
// Each seed gives a flow, results, delays, commands and jumps of the clock. It runs once without a
// crash, and the model (model.lua) says whether it ended as the language asks. Then it runs again
// with a crash at one event after the other: the refold equals the live engine byte for byte, what
// was outstanding is handed out again, nothing else is, and the end is the same snapshot. Half a
// turn in the store, outcomes that nobody knows, compaction and replays are tried as well; every
// second crash is taken over from a head and its pages, which are small here. A run is one flow in
// one world with one crash.
//   engine_simulation_test SEED        runs one seed and prints what happens
//   engine_simulation_test RUNS FIRST  that many runs, seeds from FIRST
#include "engine/maker.h"
#include "engine/model.h"

enum { RUNS = 20000, RUNS_LONG = 1000000, CRASHES = 4 };

// --- invariants ---------------------------------------------------------------------------------

typedef struct Known {
    RunId id, parent, frame;
    uint32_t node;
    State state;
} Known;

typedef struct Witness {
    Arena arena;
    LIST_OF(Known) runs;
} Witness;

static bool same_id(RunId a, RunId b) {
    return memcmp(&a, &b, sizeof a) == 0;
}

static bool is_task_of_level(const Plan *plan, uint32_t node) {
    const PlanNode *one = &plan->nodes[node];
    if (one->list == LIST_BODY || one->list == LIST_CASE) return true;
    if (one->list != LIST_EXTRA || one->parent == 0) return false;
    uint8_t kind = plan->nodes[one->parent - 1].kind;
    return kind == NODE_IF || kind == NODE_SWITCH;
}

// No level runs more at a time than its limit.
static void check_limits(Driver *driver) {
    const Plan *plan = &driver->flow->plan;
    TaskRunView level, task;
    for (uint32_t i = 0; engine_run_at(driver->engine, i, &level); i++) {
        const PlanNode *node = &plan->nodes[level.node];
        int64_t limit = 0;
        if (node->kind == NODE_FOREACH) limit = node->limit;
        if ((node->kind == NODE_PARALLEL || node->kind == NODE_DAG) && node->leaf_a != 0) limit = 2;
        if (limit <= 0) continue;
        int64_t live = 0;
        for (uint32_t r = 0; engine_run_at(driver->engine, r, &task); r++) {
            bool counts = same_id(task.parent, level.id) && !state_is_terminal(task.state) &&
                          plan->nodes[task.node].list == LIST_BODY;
            live += counts;
        }
        if (live > limit) driver->error = "a level runs more than its limit";
    }
}

// No new sibling after a failure.
static void check_decision(Driver *driver, const Event *event) {
    Witness *witness = driver->self;
    const Plan *plan = &driver->flow->plan;
    if (event->kind == EVENT_TASKSTATE && memcmp(&event->frame, &(RunId){{0}}, 16) == 0) {
        for (uint32_t i = 0; i < witness->runs.count; i++) {
            if (same_id(witness->runs.items[i].id, event->run)) {
                witness->runs.items[i].state = event->state;
            }
        }
    }
    if (event->kind == EVENT_FRAME) {  // a pass drops the one before
        for (uint32_t i = 0; i < witness->runs.count; i++) {
            uint32_t above = plan->nodes[witness->runs.items[i].node].parent - 1;
            bool is_pass = plan->nodes[above].kind == NODE_LOOP_UNTIL;
            if (is_pass && same_id(witness->runs.items[i].parent, event->run)) {
                witness->runs.items[i].state = STATE_NONE;
            }
        }
    }
    if (event->kind != EVENT_TASKRUN) return;
    check_limits(driver);
    const PlanNode *above = &plan->nodes[plan->nodes[event->node].parent - 1];
    for (uint32_t i = 0; i < witness->runs.count; i++) {
        const Known *known = &witness->runs.items[i];
        bool is_sibling = same_id(known->parent, event->parent) && event->slot == 0 &&
                          is_task_of_level(plan, known->node) &&
                          is_task_of_level(plan, event->node) &&
                          (above->kind != NODE_LOOP || same_id(known->frame, event->frame));
        bool is_bad = known->state == STATE_FAILED || known->state == STATE_KILLED;
        if (is_sibling && is_bad) driver->error = "a sibling started after a failure";
    }
    *LIST_ADD(&witness->arena, &witness->runs, Known) =
        (Known){event->run, event->parent, event->frame, event->node, STATE_CREATED};
}

static void forget_failures(Driver *driver) {
    Witness *witness = driver->self;
    if (witness == NULL) return;
    for (uint32_t i = 0; i < witness->runs.count; i++) witness->runs.items[i].state = STATE_NONE;
}

static void check_end(Driver *driver) {
    TaskRunView view;
    for (uint32_t i = 0; engine_run_at(driver->engine, i, &view); i++) {
        if (!state_is_terminal(view.state)) driver->error = "a live run in a finished execution";
    }
    for (uint32_t i = 0; i < driver->pending.count; i++) {
        ActionKind kind = driver->pending.items[i].action.kind;
        bool owns = driver->pending.items[i].step < STEP_COMMAND &&
                    (kind == ACTION_START || kind == ACTION_RECOVER || kind == ACTION_CANCEL ||
                     kind == ACTION_SPAWN_RETRY);
        if (owns) driver->error = "a finished execution owns an attempt";
    }
}

// --- scenarios ----------------------------------------------------------------------------------

// A person who comes when nothing is under way any more. False: nobody is needed.
static bool help(Driver *driver, Random *random) {
    driver->now += 1000;
    Command resume = {.kind = COMMAND_RESUME};
    if (driver_tell(driver, resume).code == ERR_NONE) return true;
    static const State states[] = {STATE_SUCCESS, STATE_FAILED, STATE_CREATED};
    Command resolve = {.kind = COMMAND_RESOLVE, .state = states[roll(random, 3)]};
    return driver_tell(driver, resolve).code == ERR_NONE;
}

static void run_to_end(Driver *driver, Random *random) {
    for (int round = 0; driver->error == NULL; round++) {
        driver_run(driver);
        if (driver->is_finished || driver->error != NULL) break;
        if (!help(driver, random)) driver->error = "it stands still";
        if (round > 200) driver->error = "it never ends";
    }
    if (driver->error == NULL) check_end(driver);
}

typedef struct Mode {
    uint64_t crash_at;
    bool answers_unknown, compacts, saves;
} Mode;

static void run_scenario(Driver *driver, const Flow *flow, uint64_t seed, Mode mode,
                         Witness *witness) {
    Random random = {seed ^ 0x5eed};
    driver_begin(driver, flow, seed);
    driver->is_random = true;
    driver->answers_unknown = mode.answers_unknown;
    driver->compacts = mode.compacts;
    driver->saves = mode.saves;
    driver->fail_percent = (int)roll(&random, 4) * 8;
    driver->crash_at = mode.crash_at;
    driver->on_decision = witness == NULL ? NULL : check_decision;
    driver->on_restart = forget_failures;
    driver->self = witness;
    if (roll(&random, 4) == 0) {
        Command kill = {.kind = COMMAND_KILL};
        static const State states[] = {STATE_KILLED, STATE_FAILED, STATE_CANCELLED};
        kill.state = states[roll(&random, COUNT(states))];
        driver_command(driver, kill, 1000 + roll(&random, 200));
        if (roll(&random, 3) == 0) driver_command(driver, kill, 1200 + roll(&random, 200));
    }
    if (roll(&random, 5) == 0) {
        int64_t at = 1000 + roll(&random, 100);
        driver_command(driver, (Command){.kind = COMMAND_PAUSE}, at);
        driver_command(driver, (Command){.kind = COMMAND_RESUME}, at + 40);
    }
    if (roll(&random, 3) == 0) {  // while it waits: at other times it is refused
        driver_command(driver, (Command){.kind = COMMAND_RESTART}, 1000 + roll(&random, 200));
    }
    if (roll(&random, 5) == 0) {
        static const int64_t jumps[] = {-3600000, -30, 30, 3600000};
        driver_jump(driver, jumps[roll(&random, COUNT(jumps))], 1000 + roll(&random, 150));
    }
    run_to_end(driver, &random);
    for (int restarts = 0; restarts < 2 && driver->error == NULL; restarts++) {
        if (roll(&random, 2) == 0) break;
        driver->now += 1000;
        if (driver_tell(driver, (Command){.kind = COMMAND_RESTART}).code != ERR_NONE) break;
        forget_failures(driver);
        run_to_end(driver, &random);
    }
}

static void print_log(const Driver *driver) {
    for (uint32_t i = 0; i < driver->log.count; i++) {
        const Logged *logged = &driver->log.items[i];
        print_message("%4u %6lld %-10s " STR_FMT "\n", i + 1, (long long)logged->time_ms,
                      event_kind_name(logged->kind), STR_ARG(logged->body));
    }
}

static void print_difference(const Driver *a, const Driver *b) {
    for (uint32_t i = 0; i < a->log.count || i < b->log.count; i++) {
        static const Logged none = {0};
        const Logged *one = i < a->log.count ? &a->log.items[i] : &none;
        const Logged *other = i < b->log.count ? &b->log.items[i] : &none;
        bool is_same = one->kind == other->kind && one->time_ms == other->time_ms &&
                       str_eq(one->body, other->body);
        if (is_same) continue;
        print_error("event %u differs:\n  %lld %s " STR_FMT "\n  %lld %s " STR_FMT "\n", i + 1,
                    (long long)one->time_ms, event_kind_name(one->kind), STR_ARG(one->body),
                    (long long)other->time_ms, event_kind_name(other->kind), STR_ARG(other->body));
        return;
    }
    print_error("the logs are the same\n");
}

static uint64_t runs_done;
static lua_State *model;
static Buffer plan_of_model;

// What the language says came of it.
static void ask_model(Driver *driver) {
    if (driver->error != NULL) return;
    driver->error = model_check(model, buffer_str(&plan_of_model), driver);
}

// A replay from any task of what has been ends, too.
static void check_replay(const Driver *driver, uint64_t seed) {
    TaskRunView view;
    uint32_t count = engine_run_count(driver->engine);
    if (count == 0) return;
    Random random = {seed};
    engine_run_at(driver->engine, roll(&random, count), &view);
    char id[33];
    run_id_print(view.id, id);
    Arena arena = {0};
    Events events = {0};
    Command command = {.kind = COMMAND_REPLAY, .task = str_from(id), .new_id = STR("replayed")};
    Err err = engine_command(driver->engine, &command, &arena, &events);
    if (err.code == ERR_NONE) {
        Driver other = {.flow = driver->flow, .seed = seed, .now = driver->now + 10};
        other.engine = engine_new(&driver->flow->plan);
        other.is_random = true;
        for (uint32_t i = 0; i < events.count; i++) driver_apply(&other, events.items[i]);
        run_to_end(&other, &random);
        if (other.error != NULL) {
            print_error("replay of " STR_FMT ": %s\n", STR_ARG(view.task), other.error);
            print_log(&other);
        }
        assert_null(other.error);
        driver_release(&other);
    }
    arena_release(&arena);
}

static void report(const Driver *whole, const Driver *driver, const char *what, Mode mode) {
    runs_done++;
    if (driver->error == NULL) return;
    print_error("seed %llu, %s, crash at event %llu: %s\n", (unsigned long long)whole->seed, what,
                (unsigned long long)mode.crash_at, driver->error);
    print_difference(whole, driver);
}

// The end is the same, byte for byte.
static void check_same(const Driver *whole, Str end, Mode mode) {
    Driver driver;
    run_scenario(&driver, whole->flow, whole->seed, mode, NULL);
    Str other = driver_snapshot(driver.engine, &driver.arena);
    bool is_same = str_eq(end, other) && driver.log.count == whole->log.count;
    if (driver.error == NULL && !is_same) driver.error = "the end differs";
    report(whole, &driver, mode.compacts ? "compacted" : "the same", mode);
    assert_null(driver.error);
    driver_release(&driver);
}

// A world that does not know what became of an attempt: a person says so, and it ends.
static void check_ends(const Driver *whole, Mode mode, bool asks) {
    Driver driver;
    run_scenario(&driver, whole->flow, whole->seed, mode, NULL);
    if (asks) ask_model(&driver);
    report(whole, &driver, "unknown", mode);
    assert_null(driver.error);
    driver_release(&driver);
}

// Only a part of a turn was stored: whoever takes over goes on from there.
static void check_half_a_turn(const Driver *whole, uint32_t events) {
    Driver half = {.flow = whole->flow, .seed = whole->seed, .now = whole->now};
    half.is_random = true;
    half.fail_percent = whole->fail_percent;
    for (uint32_t i = 0; i < events; i++) {
        *LIST_ADD(&half.arena, &half.log, Logged) = whole->log.items[i];
        half.log.items[i].body = str_dup(&half.arena, whole->log.items[i].body);
    }
    half.engine = driver_refold(&half);
    Arena arena = {0};
    Actions actions = {0};
    engine_recover(half.engine, &arena, &actions);
    for (uint32_t i = 0; i < actions.count; i++) driver_take(&half, &actions.items[i]);
    arena_release(&arena);
    Random random = {whole->seed};
    run_to_end(&half, &random);
    report(whole, &half, "half a turn", (Mode){.crash_at = events});
    assert_null(half.error);
    driver_release(&half);
}

static void run_seed(uint64_t seed, bool is_loud) {
    Flow flow;
    make_flow(&flow, seed);
    plan_of_model.len = 0;
    model_write_plan(&plan_of_model, &flow);
    Witness known = {0};
    Driver whole;
    run_scenario(&whole, &flow, seed, (Mode){0}, &known);
    arena_release(&known.arena);
    ask_model(&whole);
    if (is_loud) {
        print_log(&whole);
        print_message(STR_FMT "\n", STR_ARG(buffer_str(&plan_of_model)));
        print_message(STR_FMT "\n", STR_ARG(driver_runs(&whole)));
    }
    if (whole.error != NULL) print_error("seed %llu: %s\n", (unsigned long long)seed, whole.error);
    assert_null(whole.error);
    runs_done++;
    Str end = driver_snapshot(whole.engine, &whole.arena);
    uint32_t events = whole.log.count;
    uint32_t stride = events <= CRASHES ? 1 : events / CRASHES;
    uint32_t first = 1 + (uint32_t)(seed % stride);
    for (uint32_t at = first; at <= events; at += stride) {
        check_same(&whole, end, (Mode){.crash_at = at, .saves = at % 2 == 0});
        check_ends(&whole, (Mode){.crash_at = at, .answers_unknown = true}, at == first);
        check_half_a_turn(&whole, at);
    }
    check_same(&whole, end, (Mode){.compacts = true});
    check_replay(&whole, seed);
    driver_release(&whole);
    flow_release(&flow);
}

static uint64_t only_seed, runs_wanted, first_seed = 1;

static void the_end_is_what_the_language_says(void **state) {
    (void)state;
    if (only_seed != 0) {
        run_seed(only_seed, true);
        return;
    }
    uint64_t seed = first_seed;
    while (runs_done < runs_wanted) run_seed(seed++, false);
    print_message("%llu runs, seeds %llu to %llu\n", (unsigned long long)runs_done,
                  (unsigned long long)first_seed, (unsigned long long)seed - 1);
}

int main(int argc, char **argv) {
    const char *mode = getenv("FLOW_TEST_MODE");
    bool is_long = mode != NULL && strcmp(mode, "long") == 0;
    runs_wanted = is_long ? RUNS_LONG : RUNS;
    if (argc == 2) only_seed = strtoull(argv[1], NULL, 10);
    if (argc == 3) runs_wanted = strtoull(argv[1], NULL, 10);
    if (argc == 3) first_seed = strtoull(argv[2], NULL, 10);
    model = model_open();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_is_what_the_language_says),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    lua_close(model);
    buffer_release(&plan_of_model);
    return failed;
}
