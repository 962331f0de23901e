// scale_test.c - ForEach over many values: work is counted, not timed; memory is bounded.
#include "engine/fixture.h"

typedef struct Measure {
    uint64_t steps;
    uint64_t events;
    size_t memory;
} Measure;

// Answers every START at once; a driver of its own, since the one of the other tests looks through
// its list of pending answers.
static Measure run_loop(uint32_t values, int32_t limit, uint32_t flags, uint32_t tasks) {
    Flow flow;
    flow_init(&flow);
    Item *loop = item_add(&flow, &flow.root->body, NODE_FOREACH, "loop");
    static const char *const ids[] = {"a", "b", "c"};
    for (uint32_t i = 0; i < tasks; i++) add_task(&flow, &loop->body, ids[i])->flags = NODE_PURE;
    loop->limit = limit;
    loop->flags = flags;
    Buffer json = {0};
    buffer_add_char(&json, '[');
    for (uint32_t i = 0; i < values; i++)
        buffer_printf(&json, "%s\"value %u\"", i > 0 ? "," : "", i);
    buffer_add_char(&json, ']');
    buffer_add_char(&json, 0);
    loop->a = LEAF(json.ptr);
    flow_build(&flow);
    Engine *engine = engine_new(&flow.plan);
    engine_apply(engine, &(Event){.kind = EVENT_CREATED, .id = STR("e")});
    uint64_t events = 1;
    LIST_OF(Action) queue = {0};
    Arena kept = {0};
    bool is_finished = false;
    uint32_t at = 0;
    for (;;) {
        Arena arena = {0};
        Events decisions = {0};
        Actions actions = {0};
        engine_next(engine, 1000, &arena, &decisions, &actions);
        events += decisions.count;
        for (uint32_t i = 0; i < actions.count; i++) {
            is_finished |= actions.items[i].kind == ACTION_FINISH;
            *LIST_ADD(&kept, &queue, Action) = actions.items[i];
        }
        if (at < queue.count) {
            const Action *action = &queue.items[at++];
            Event event = {
                .kind = EVENT_DONE, .run = action->run, .state = STATE_SUCCESS, .attempt = 1};
            if (action->kind == ACTION_EVAL) {
                event.kind = EVENT_RESOLVED;
                event.slot = action->slot;
                assert_ok(json_parse(str_from(json.ptr), (JsonLimits){0}, &arena, &event.value));
            } else {
                event.value = value_map(&arena);
                value_map_set(&arena, event.value, STR("value"), value_text(STR("some output")));
            }
            if (action->kind != ACTION_FINISH) engine_apply(engine, &event);
            events++;
        } else {
            arena_release(&arena);
            break;
        }
        arena_release(&arena);
    }
    assert_true(is_finished);
    assert_int_equal(engine_state(engine), STATE_SUCCESS);
    assert_int_equal(engine_run_count(engine), values * tasks + 1);
    Measure measure = {engine_steps(engine), events, engine_memory(engine)};
    engine_free(engine);
    arena_release(&kept);
    buffer_release(&json);
    flow_release(&flow);
    return measure;
}

static void a_loop_costs_the_same_per_value(void **state) {
    (void)state;
    static const struct {
        int32_t limit;
        uint32_t flags;
        uint32_t tasks;
    } rows[] = {
        {1, 0,          1},
        {0, 0,          1},
        {7, 0,          2},
        {1, 0,          3},
        {0, NODE_PAIRS, 2},
        {5, NODE_PAIRS, 1},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        Measure small = run_loop(1000, rows[i].limit, rows[i].flags, rows[i].tasks);
        Measure large = run_loop(10000, rows[i].limit, rows[i].flags, rows[i].tasks);
        double ratio = (double)large.steps / (double)small.steps;
        print_message("%.2f times the work, %.1f steps a value, %.1f events a value, %.1f MiB\n",
                      ratio, (double)large.steps / 10000, (double)large.events / 10000,
                      (double)large.memory / (1 << 20));
        assert_true(ratio < 10.5);
        assert_true(large.steps < 10000 * 20 * (uint64_t)rows[i].tasks);
        if (rows[i].tasks == 1) assert_true(large.memory < 16u << 20);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loop_costs_the_same_per_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
