// snapshot_test.c - snapshots: the same engine again, refusal of damaged bytes, compaction.
#include "engine/fixture.h"

static void make_flow(Fixture *f) {
    Item *loop = item_add(&f->flow, &f->flow.root->body, NODE_FOREACH, "each");
    loop->a = LEAF("[\"x\",\"y\"]");
    loop->limit = 1;
    Item *until = item_add(&f->flow, &loop->body, NODE_LOOP_UNTIL, "until");
    until->a = LEAF("pass>3");
    until->b = CONSTANT("{\"interval\":\"PT1S\"}");
    Item *task = add_task(&f->flow, &until->body, "a");
    item_retry(&f->flow, task, 3, 10);
    Item *sub = item_add(&f->flow, &loop->body, NODE_SUBFLOW, "sub");
    sub->b = LEAF("{\"flowId\":\"child\"}");
    sub->flags = NODE_WAIT;
    Item *items = item_add(&f->flow, &f->flow.root->body, NODE_ITEMS, "items");
    items->b = LEAF("{\"flowId\":\"child\"}");
    items->flags = NODE_WAIT;
    f->flow.has_outputs = true;
    begin(f);
    driver_script(&f->driver, "a", "FS");
    f->driver.seed = 3;
}

static void a_restored_engine_ends_the_same(void **state) {
    Fixture *f = *state;
    make_flow(f);
    run_on(f);
    assert_state(f, STATE_SUCCESS);
    Str end = driver_snapshot(f->driver.engine, &f->driver.arena);
    uint32_t events = f->driver.log.count;
    // Fold a part, take a snapshot, restore, fold the rest.
    for (uint32_t part = 1; part < events; part += 7) {
        Driver half = f->driver;
        half.log.count = part;
        Engine *engine = driver_refold(&half);
        Str bytes = driver_snapshot(engine, &f->driver.arena);
        engine_free(engine);
        assert_ok(engine_restore(&f->flow.plan, bytes, NULL, &engine));
        assert_str_equal(driver_snapshot(engine, &f->driver.arena), bytes);
        assert_int_equal(engine_last_seq(engine), part);
        for (uint32_t i = part; i < events; i++) {
            Event event;
            assert_ok(event_read(f->driver.log.items[i].kind, f->driver.log.items[i].body,
                                 &f->driver.arena, &event));
            event.time_ms = f->driver.log.items[i].time_ms;
            event.seq = i + 1;
            engine_apply(engine, &event);
        }
        assert_null(engine_fault(engine));
        assert_true(str_eq(driver_snapshot(engine, &f->driver.arena), end));
        engine_free(engine);
    }
}

static void damaged_bytes_are_refused_or_harmless(void **state) {
    Fixture *f = *state;
    make_flow(f);
    run_on(f);
    Str bytes = driver_snapshot(f->driver.engine, &f->driver.arena);
    Engine *engine = NULL;
    for (size_t len = 0; len < bytes.len; len++) {
        Err err = engine_restore(&f->flow.plan, str_slice(bytes, 0, len), NULL, &engine);
        assert_int_equal(err.code, ERR_INPUT);
        assert_null(engine);
    }
    char *copy = malloc(bytes.len);
    for (size_t i = 0; i < bytes.len * 8; i += 3) {
        memcpy(copy, bytes.ptr, bytes.len);
        copy[i / 8] = (char)(copy[i / 8] ^ 1 << (i % 8));
        Err err = engine_restore(&f->flow.plan, (Str){copy, bytes.len}, NULL, &engine);
        if (err.code != ERR_NONE) continue;
        // What was accepted can be looked at and driven.
        Arena arena = {0};
        Events decisions = {0};
        Actions actions = {0};
        engine_next(engine, 5000, &arena, &decisions, &actions);
        TaskRunView view;
        for (uint32_t run = 0; engine_run_at(engine, run, &view); run++) {
        }
        EngineReason reason;
        engine_reason(engine, &reason);
        arena_release(&arena);
        engine_free(engine);
    }
    free(copy);
}

static void a_snapshot_of_another_flow_is_refused(void **state) {
    Fixture *f = *state;
    make_flow(f);
    run_on(f);
    Str bytes = driver_snapshot(f->driver.engine, &f->driver.arena);
    Flow other;
    flow_init(&other);
    add_task(&other, &other.root->body, "b");
    flow_build(&other);
    Engine *engine = NULL;
    Err err = engine_restore(&other.plan, bytes, NULL, &engine);
    assert_int_equal(err.code, ERR_INPUT);
    flow_release(&other);
}

static void events_of_another_flow_set_a_fault(void **state) {
    Fixture *f = *state;
    make_flow(f);
    run_on(f);
    Flow other;
    flow_init(&other);
    add_task(&other, &other.root->body, "b");
    flow_build(&other);
    Driver driver = f->driver;
    driver.flow = &other;
    Engine *engine = driver_refold(&driver);
    assert_string_equal(engine_fault(engine), "task run 'each' does not fit into this flow");
    engine_free(engine);
    flow_release(&other);
}

static void events_out_of_order_set_a_fault(void **state) {
    Fixture *f = *state;
    make_flow(f);
    Engine *engine = engine_new(&f->flow.plan);
    engine_apply(engine, &(Event){.kind = EVENT_STATE, .seq = 1, .state = STATE_RUNNING});
    assert_string_equal(engine_fault(engine), "STATE cannot be event 1 of an execution");
    engine_free(engine);
    engine = engine_new(&f->flow.plan);
    engine_apply(engine, &(Event){.kind = EVENT_CREATED, .seq = 1});
    engine_apply(engine, &(Event){.kind = EVENT_OWNER, .seq = 3});
    assert_string_equal(engine_fault(engine), "event 3 cannot follow event 1");
    engine_free(engine);
}

// A loop that polls for a month: passes are dropped, so a compaction gives their memory back.
static void a_compaction_frees_what_was_dropped(void **state) {
    Fixture *f = *state;
    Item *until = item_add(&f->flow, &f->flow.root->body, NODE_LOOP_UNTIL, "until");
    until->a = LEAF("pass>3000");
    until->b = CONSTANT("{\"interval\":\"PT1S\"}");
    add_task(&f->flow, &until->body, "a")->flags = NODE_PURE;
    begin(f);
    size_t largest = 0;
    driver_turn(&f->driver);
    while (f->driver.pending.count > 0) {
        uint32_t next = driver_earliest(&f->driver);
        f->driver.now = f->driver.pending.items[next].due > f->driver.now
                            ? f->driver.pending.items[next].due
                            : f->driver.now;
        driver_perform(&f->driver, next);
        driver_turn(&f->driver);
        if (engine_memory(f->driver.engine) > 1 << 20) engine_compact(&f->driver.engine);
        if (engine_memory(f->driver.engine) > largest) largest = engine_memory(f->driver.engine);
    }
    assert_null(f->driver.error);
    assert_state(f, STATE_SUCCESS);
    assert_true(f->driver.is_finished);
    assert_true(largest < 4 << 20);
    assert_str_equal(driver_runs(&f->driver), STR("until SUCCESS, a SUCCESS"));
}

// --- pages --------------------------------------------------------------------------------------

enum { VALUES = 1500 };

// A loop of effect-free tasks that waits for a person behind its last iteration, or in it.
static void make_loop(Fixture *f, Buffer *values, bool waits_inside) {
    buffer_add_char(values, '[');
    for (int i = 0; i < VALUES; i++) buffer_printf(values, "%s%d", i > 0 ? "," : "", i);
    buffer_add(values, STR("]\0"));
    Item *loop = item_add(&f->flow, &f->flow.root->body, NODE_FOREACH, "each");
    loop->a = LEAF(values->ptr);
    loop->limit = 1;
    add_task(&f->flow, &loop->body, "a")->flags = NODE_PURE;
    ItemList *list = waits_inside ? &loop->body : &f->flow.root->body;
    Item *pause = item_add(&f->flow, list, NODE_PAUSE, "ask");
    pause->a = CONSTANT("{}");
    begin(f);
    for (int i = 0; i + 1 < VALUES && waits_inside; i++) {
        run_on(f);
        assert_ok(driver_tell(&f->driver, (Command){.kind = COMMAND_RESUME}));
    }
    run_on(f);
    assert_state(f, STATE_PAUSED);
}

static uint32_t reads;

static Err count_read(void *self, EnginePageKind kind, uint32_t page, Arena *arena, Str *out) {
    reads++;
    return driver_read_page(self, kind, page, arena, out);
}

static Engine *take_over(Fixture *f) {
    EngineKeeper keeper = driver_keeper(&f->driver);
    keeper.read = count_read;
    reads = 0;
    Engine *engine = NULL;
    assert_ok(engine_restore(&f->flow.plan, f->driver.head, &keeper, &engine));
    return engine;
}

static void who_goes_on_reads_no_page(void **state) {
    for (int waits_inside = 0; waits_inside < 2; waits_inside++) {
        Fixture *f = *state;
        Buffer values = {0};
        make_loop(f, &values, waits_inside == 1);
        Str whole = driver_snapshot(f->driver.engine, &f->driver.arena);
        driver_save(&f->driver);
        assert_true(f->driver.pages.count > 2 * VALUES / 256 - 4);
        assert_true(2 * f->driver.head.len < whole.len);
        engine_free(f->driver.engine);
        f->driver.engine = take_over(f);
        assert_ok(driver_tell(&f->driver, (Command){.kind = COMMAND_RESUME}));
        run_on(f);
        assert_state(f, STATE_SUCCESS);
        assert_int_equal(reads, 0);
        assert_true(engine_memory(f->driver.engine) < 1 << 20);
        assert_int_equal(engine_run_count(f->driver.engine),
                         2 + VALUES + waits_inside * (VALUES - 1));
        assert_true(reads > 0);
        buffer_release(&values);
        teardown(state);
        setup(state);
    }
}

static void who_looks_finds_what_was(void **state) {
    Fixture *f = *state;
    Buffer values = {0};
    make_loop(f, &values, false);
    Str before = driver_snapshot(f->driver.engine, &f->driver.arena);
    driver_save(&f->driver);
    Engine *engine = take_over(f);
    Str value = STR("700");
    TaskRunView view;
    assert_int_equal(engine_find_run(engine, STR("a"), &value, 1, &view), LOOKUP_FOUND);
    assert_int_equal(view.iteration, 700);
    assert_str_equal(value_map_get_text(*view.outputs, STR("from"), STR("")), STR("a"));
    assert_true(str_eq(driver_snapshot(engine, &f->driver.arena), before));
    engine_free(engine);
    buffer_release(&values);
}

static void a_page_is_written_once(void **state) {
    Fixture *f = *state;
    Buffer values = {0};
    make_loop(f, &values, false);
    driver_save(&f->driver);
    uint32_t pages = f->driver.pages.count;
    for (uint32_t i = 0; i < pages; i++) f->driver.pages.items[i].bytes = (Str){0};
    driver_save(&f->driver);
    assert_int_equal(f->driver.pages.count, pages);
    for (uint32_t i = 0; i < pages; i++) assert_int_equal(f->driver.pages.items[i].bytes.len, 0);
    buffer_release(&values);
}

static void a_damaged_page_is_a_fault(void **state) {
    Fixture *f = *state;
    Buffer values = {0};
    make_loop(f, &values, false);
    driver_save(&f->driver);
    for (int is_gone = 0; is_gone < 2; is_gone++) {
        KeptPage *page = &f->driver.pages.items[1];
        if (is_gone == 0) ((char *)page->bytes.ptr)[page->bytes.len / 2] ^= 1;
        if (is_gone == 1) page->page = 99;
        Engine *engine = take_over(f);
        assert_null(engine_fault(engine));
        engine_fetch(engine);
        assert_string_equal(engine_fault(engine), is_gone == 1
                                                      ? "page 2 was never written"
                                                      : "page 2 of its snapshot is damaged");
        engine_free(engine);
    }
    buffer_release(&values);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_restored_engine_ends_the_same),
        TEST(damaged_bytes_are_refused_or_harmless),
        TEST(a_snapshot_of_another_flow_is_refused),
        TEST(events_of_another_flow_set_a_fault),
        TEST(events_out_of_order_set_a_fault),
        TEST(a_compaction_frees_what_was_dropped),
        TEST(who_goes_on_reads_no_page),
        TEST(who_looks_finds_what_was),
        TEST(a_page_is_written_once),
        TEST(a_damaged_page_is_a_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
