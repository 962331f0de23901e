// simulation_test.c - random flows of every kind in a random world, with a crash after any event.
//
// Each seed gives a flow, results, delays and commands. It runs once without a crash, then again
// with a crash at one event after the other: the refold equals the live engine byte for byte, what
// was outstanding is handed out again, nothing else is, and the end is the same snapshot. Half a
// turn in the store, outcomes that nobody knows, compaction and replays are tried as well.
//   engine_simulation_test SEED   runs one seed and prints what happens
#include "engine/driver.h"

enum { SEEDS = 400, CRASHES = 12, ITEMS_MAX = 26 };

typedef struct Random {
    uint64_t state;
} Random;

static uint32_t roll(Random *random, uint32_t sides) {
    random->state += 0x9e3779b97f4a7c15u;
    uint64_t z = random->state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ z >> 31) % sides);
}

// --- random flows -------------------------------------------------------------------------------

typedef struct Maker {
    Flow *flow;
    Random random;
    uint32_t items;
} Maker;

static void add_items(Maker *maker, ItemList *list, uint32_t count, uint32_t depth, bool simple);

static ItemLeaf leaf(Maker *maker, const char *json) {
    return roll(&maker->random, 2) == 0 ? CONSTANT(json) : LEAF(json);
}

static void add_common(Maker *maker, Item *item) {
    Random *random = &maker->random;
    if (roll(random, 8) == 0) item->run_if = LEAF(roll(random, 4) == 0 ? "!" : "?");
    if (roll(random, 10) == 0) item->flags |= NODE_ALLOW_FAILURE;
    if (roll(random, 12) == 0) item->flags |= NODE_ALLOW_WARNING;
}

static void add_retry(Maker *maker, Item *item) {
    Random *random = &maker->random;
    if (roll(random, 4) != 0) return;
    PlanRetry *retry = item_retry(maker->flow, item, (int32_t)roll(random, 3) + 1, 20);
    retry->kind = (uint8_t)roll(random, 3);
    retry->max_interval = 100;
    retry->delay_factor = 2;
    if (roll(random, 4) == 0) retry->flags |= RETRY_WARNING;
    if (roll(random, 12) == 0) retry->flags |= RETRY_NEW_EXECUTION;
    if (roll(random, 4) == 0) retry->max_duration = 150;
}

static void fill_leafy(Maker *maker, Item *item) {
    Random *random = &maker->random;
    static const char *const states[] = {"{\"state\":\"WARNING\"}", "{\"state\":\"KILLED\"}",
                                         "{\"state\":\"FAILED\"}"};
    switch (item->kind) {
    case NODE_SUBFLOW:
        item->b = leaf(maker, "{\"flowId\":\"child\"}");
        if (roll(random, 4) != 0) item->flags |= NODE_WAIT;
        if (roll(random, 2) == 0) item->flags |= NODE_TRANSMIT_FAILED;
        if (roll(random, 3) == 0) item->flags |= NODE_RESTART_NEW;
        add_retry(maker, item);
        break;
    case NODE_UPDATE:
        item->update = roll(random, 8) == 0 ? UPDATE_EXIT : UPDATE_SET_VARIABLES;
        item->props =
            leaf(maker, item->update == UPDATE_EXIT ? states[roll(random, 3)]
                                                    : "{\"variables\":{\"a\":{\"b\":1}}}");
        break;
    case NODE_TIMER:
        item->props = leaf(maker, "{\"duration\":\"PT0.03S\"}");
        break;
    default:
        if (roll(random, 3) == 0) item->flags |= NODE_PURE;
        if (roll(random, 6) == 0) item->timeout = leaf(maker, "\"PT5S\"");
        add_retry(maker, item);
        break;
    }
}

static void fill_level(Maker *maker, Item *item, uint32_t depth) {
    Random *random = &maker->random;
    add_items(maker, &item->body, roll(random, 3) + 1, depth + 1, false);
    switch (item->kind) {
    case NODE_PARALLEL:
    case NODE_DAG:
        if (roll(random, 2) == 0) item->a = leaf(maker, "2");
        for (uint32_t i = 1; item->kind == NODE_DAG && i < item->body.count; i++) {
            Item *child = item->body.items[i];
            if (roll(random, 2) == 0) child->deps[child->dep_count++] = item->body.items[i - 1];
        }
        break;
    case NODE_IF:
        item->a = leaf(maker, roll(random, 6) == 0 ? "\"false\"" : "\"true\"");
        if (roll(random, 2) == 0) item->a = LEAF("?");
        if (roll(random, 2) == 0) add_items(maker, &item->extra, 1, depth + 1, false);
        break;
    case NODE_SWITCH:
        item->case_count = 1;
        item->cases[0].key = "true";
        add_items(maker, &item->cases[0].list, 1, depth + 1, false);
        item->body = (ItemList){0};
        item->a = LEAF("?");
        if (roll(random, 2) == 0) add_items(maker, &item->extra, 1, depth + 1, false);
        break;
    case NODE_FOREACH:
        item->a = leaf(maker, roll(random, 2) == 0 ? "[\"a\",\"b\",\"a\",3]"
                                                   : "\"[1,{\\\"k\\\":2},null]\"");
        if (roll(random, 3) != 0) item->a = leaf(maker, "[\"x\",\"y\",\"z\"]");
        item->limit = (int32_t)roll(random, 3);
        if (roll(random, 4) == 0) item->flags |= NODE_PAIRS;
        break;
    case NODE_LOOP:
        item->a = leaf(maker, roll(random, 2) == 0 ? "{\"k\":1,\"l\":2}" : "[\"x\",\"x\"]");
        item->limit = (int32_t)roll(random, 3);
        if (roll(random, 2) == 0) item->flags |= NODE_TRANSMIT_FAILED;
        if (roll(random, 2) == 0) item->props = LEAF(roll(random, 8) == 0 ? "!" : "{\"o\":1}");
        break;
    case NODE_LOOP_UNTIL:
        item->a = LEAF(roll(random, 4) == 0 ? "false" : "pass>2");
        item->b = leaf(maker, "{\"interval\":\"PT0.02S\",\"maxIterations\":3}");
        if (roll(random, 2) == 0) item->flags |= NODE_FAIL_ON_MAX;
        break;
    case NODE_PAUSE:
        if (roll(random, 2) == 0) item->body = (ItemList){0};
        if (roll(random, 2) == 0) add_items(maker, &item->extra, 1, depth + 1, true);
        static const char *const rules[] = {
            "{\"pauseDuration\":\"PT0.05S\",\"behavior\":\"WARN\"}",
            "{\"pauseDuration\":\"PT0.05S\"}",
            "{\"pauseDuration\":\"PT0.05S\",\"behavior\":\"FAIL\"}",
            "{\"pauseDuration\":\"PT0.05S\",\"behavior\":\"CANCEL\"}",
            "{\"timeout\":\"PT0.1S\"}",
            "{}",
        };
        item->a = leaf(maker, rules[roll(random, COUNT(rules))]);
        break;
    case NODE_ITEMS:
        item->body = (ItemList){0};
        item->a = leaf(maker, "\"kestra:///file\"");
        item->b = LEAF(roll(random, 8) == 0 ? "!" : "{\"flowId\":\"child\"}");
        item->c = leaf(maker, "{\"rows\":1}");
        if (roll(random, 4) != 0) item->flags |= NODE_WAIT;
        if (roll(random, 2) == 0) item->flags |= NODE_TRANSMIT_FAILED;
        break;
    default:
        break;
    }
    if (roll(random, 5) == 0) add_items(maker, &item->errors, 1, depth + 1, true);
    if (roll(random, 5) == 0) add_items(maker, &item->finally, 1, depth + 1, true);
}

static void add_items(Maker *maker, ItemList *list, uint32_t count, uint32_t depth, bool simple) {
    static const NodeKind leafy[] = {NODE_TASK,    NODE_TASK,   NODE_TASK,
                                     NODE_SUBFLOW, NODE_UPDATE, NODE_TIMER};
    static const NodeKind levels[] = {NODE_SEQUENCE, NODE_PARALLEL, NODE_DAG,  NODE_IF,
                                      NODE_SWITCH,   NODE_FOREACH,  NODE_LOOP, NODE_LOOP_UNTIL,
                                      NODE_PAUSE,    NODE_ITEMS};
    for (uint32_t i = 0; i < count; i++) {
        maker->items++;
        bool is_level =
            !simple && depth < 4 && maker->items < ITEMS_MAX && roll(&maker->random, 5) < 3;
        NodeKind kind = simple     ? NODE_TASK
                        : is_level ? levels[roll(&maker->random, COUNT(levels))]
                                   : leafy[roll(&maker->random, COUNT(leafy))];
        Str id = str_printf(&maker->flow->arena, "t%u", maker->items);
        Item *item = item_add(maker->flow, list, kind, str_to_c(&maker->flow->arena, id));
        add_common(maker, item);
        if (is_level) {
            fill_level(maker, item, depth);
        } else {
            fill_leafy(maker, item);
        }
    }
}

static void make_flow(Flow *flow, uint64_t seed) {
    flow_init(flow);
    Maker maker = {.flow = flow, .random = {seed}};
    Item *root = flow->root;
    add_items(&maker, &root->body, roll(&maker.random, 3) + 1, 1, false);
    if (roll(&maker.random, 3) == 0) add_items(&maker, &root->errors, 2, 1, true);
    if (roll(&maker.random, 3) == 0) add_items(&maker, &root->finally, 1, 1, true);
    if (roll(&maker.random, 3) == 0) add_items(&maker, &root->extra, 1, 1, true);
    flow->has_outputs = roll(&maker.random, 3) == 0;
    if (roll(&maker.random, 6) == 0) {
        flow->slas[flow->sla_count++] =
            (PlanSla){.kind = 0, .behavior = (uint8_t)roll(&maker.random, 3), .duration = 90};
    }
    if (roll(&maker.random, 8) == 0) {
        PlanLeaf assertion = flow_leaf(flow, LEAF("true"));
        flow->slas[flow->sla_count++] = (PlanSla){
            .kind = 1, .behavior = (uint8_t)roll(&maker.random, 3), .assertion = assertion};
    }
    flow_build(flow);
}

// --- invariants ---------------------------------------------------------------------------------

typedef struct Known {
    RunId id, parent, frame;
    uint32_t node;
    State state;
} Known;

typedef struct Model {
    Arena arena;
    LIST_OF(Known) runs;
} Model;

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
    Model *model = driver->self;
    const Plan *plan = &driver->flow->plan;
    if (event->kind == EVENT_TASKSTATE && memcmp(&event->frame, &(RunId){{0}}, 16) == 0) {
        for (uint32_t i = 0; i < model->runs.count; i++) {
            if (same_id(model->runs.items[i].id, event->run)) {
                model->runs.items[i].state = event->state;
            }
        }
    }
    if (event->kind == EVENT_FRAME) {  // a pass drops the one before
        for (uint32_t i = 0; i < model->runs.count; i++) {
            uint32_t above = plan->nodes[model->runs.items[i].node].parent - 1;
            bool is_pass = plan->nodes[above].kind == NODE_LOOP_UNTIL;
            if (is_pass && same_id(model->runs.items[i].parent, event->run)) {
                model->runs.items[i].state = STATE_NONE;
            }
        }
    }
    if (event->kind != EVENT_TASKRUN) return;
    check_limits(driver);
    const PlanNode *above = &plan->nodes[plan->nodes[event->node].parent - 1];
    for (uint32_t i = 0; i < model->runs.count; i++) {
        const Known *known = &model->runs.items[i];
        bool is_sibling = same_id(known->parent, event->parent) && event->slot == 0 &&
                          is_task_of_level(plan, known->node) &&
                          is_task_of_level(plan, event->node) &&
                          (above->kind != NODE_LOOP || same_id(known->frame, event->frame));
        bool is_bad = known->state == STATE_FAILED || known->state == STATE_KILLED;
        if (is_sibling && is_bad) driver->error = "a sibling started after a failure";
    }
    *LIST_ADD(&model->arena, &model->runs, Known) =
        (Known){event->run, event->parent, event->frame, event->node, STATE_CREATED};
}

static void forget_failures(Driver *driver) {
    Model *model = driver->self;
    if (model == NULL) return;
    for (uint32_t i = 0; i < model->runs.count; i++) model->runs.items[i].state = STATE_NONE;
}

static void check_end(Driver *driver) {
    TaskRunView view;
    for (uint32_t i = 0; engine_run_at(driver->engine, i, &view); i++) {
        if (!state_is_terminal(view.state)) driver->error = "a live run in a finished execution";
    }
    for (uint32_t i = 0; i < driver->pending.count; i++) {
        ActionKind kind = driver->pending.items[i].action.kind;
        bool owns = driver->pending.items[i].step != STEP_COMMAND &&
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
    bool answers_unknown, compacts;
} Mode;

static void run_scenario(Driver *driver, const Flow *flow, uint64_t seed, Mode mode, Model *model) {
    Random random = {seed ^ 0x5eed};
    driver_begin(driver, flow, seed);
    driver->is_random = true;
    driver->answers_unknown = mode.answers_unknown;
    driver->compacts = mode.compacts;
    driver->fail_percent = (int)roll(&random, 4) * 8;
    driver->crash_at = mode.crash_at;
    driver->on_decision = model == NULL ? NULL : check_decision;
    driver->self = model;
    if (roll(&random, 4) == 0) {
        Command kill = {.kind = COMMAND_KILL};
        driver_command(driver, kill, 1000 + roll(&random, 200));
    }
    if (roll(&random, 5) == 0) {
        int64_t at = 1000 + roll(&random, 100);
        driver_command(driver, (Command){.kind = COMMAND_PAUSE}, at);
        driver_command(driver, (Command){.kind = COMMAND_RESUME}, at + 40);
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

static uint64_t interleavings;

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
    interleavings++;
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
static void check_ends(const Driver *whole, Mode mode) {
    Driver driver;
    run_scenario(&driver, whole->flow, whole->seed, mode, NULL);
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
    Model model = {0};
    Driver whole;
    run_scenario(&whole, &flow, seed, (Mode){0}, &model);
    arena_release(&model.arena);
    if (is_loud || whole.error != NULL) print_log(&whole);
    if (is_loud) print_message(STR_FMT "\n", STR_ARG(driver_runs(&whole)));
    if (whole.error != NULL) print_error("seed %llu: %s\n", (unsigned long long)seed, whole.error);
    assert_null(whole.error);
    interleavings++;
    Str end = driver_snapshot(whole.engine, &whole.arena);
    uint32_t events = whole.log.count;
    uint32_t stride = events <= CRASHES ? 1 : events / CRASHES;
    for (uint32_t at = 1 + (uint32_t)(seed % stride); at <= events; at += stride) {
        check_same(&whole, end, (Mode){.crash_at = at});
        check_ends(&whole, (Mode){.crash_at = at, .answers_unknown = true});
        check_half_a_turn(&whole, at);
    }
    check_same(&whole, end, (Mode){.compacts = true});
    check_replay(&whole, seed);
    driver_release(&whole);
    flow_release(&flow);
}

static uint64_t only_seed;

static void a_crash_after_any_event_changes_nothing(void **state) {
    (void)state;
    if (only_seed != 0) {
        run_seed(only_seed, true);
        return;
    }
    for (uint64_t seed = 1; seed <= SEEDS; seed++) run_seed(seed, false);
    print_message("%llu interleavings\n", (unsigned long long)interleavings);
}

int main(int argc, char **argv) {
    if (argc > 1) only_seed = strtoull(argv[1], NULL, 10);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_after_any_event_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
