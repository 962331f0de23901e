// flowable_test.c - what each kind of flowable starts, in which order, and how it ends
// (flow-language.md 4.1 to 4.5).
#include "engine/fixture.h"

static void a_dag_starts_a_task_when_its_dependencies_have_ended(void **state) {
    Fixture *f = *state;
    Item *dag = item_add(&f->flow, &f->flow.root->body, NODE_DAG, "dag");
    Item *d = add_task(&f->flow, &dag->body, "d");
    Item *a = add_task(&f->flow, &dag->body, "a");
    Item *b = add_task(&f->flow, &dag->body, "b");
    Item *c = add_task(&f->flow, &dag->body, "c");
    d->deps[0] = b;
    d->deps[1] = c;
    d->dep_count = 2;
    b->deps[b->dep_count++] = a;
    c->deps[c->dep_count++] = a;
    a->flags = NODE_ALLOW_FAILURE;
    begin(f);
    driver_script(&f->driver, "a", "F");
    driver_script(&f->driver, "b", "X");
    finish(f, STATE_WARNING, STR("dag WARNING, a WARNING, b SKIPPED, c SUCCESS, d SUCCESS"));
}

static void a_dag_that_waits_for_itself_fails(void **state) {
    Fixture *f = *state;
    Item *dag = item_add(&f->flow, &f->flow.root->body, NODE_DAG, "dag");
    Item *a = add_task(&f->flow, &dag->body, "a");
    Item *b = add_task(&f->flow, &dag->body, "b");
    a->deps[a->dep_count++] = b;
    b->deps[b->dep_count++] = a;
    begin(f);
    finish(f, STATE_FAILED, STR("dag FAILED"));
}

static void a_parallel_keeps_to_its_limit(void **state) {
    Fixture *f = *state;
    Item *group = item_add(&f->flow, &f->flow.root->body, NODE_PARALLEL, "group");
    group->a = LEAF("\"2\"");
    static const char *const ids[] = {"a", "b", "c", "d", "e"};
    for (size_t i = 0; i < COUNT(ids); i++) add_task(&f->flow, &group->body, ids[i]);
    begin(f);
    f->driver.delay = 10;
    run_on(f);
    assert_state(f, STATE_SUCCESS);
    for (size_t i = 2; i < COUNT(ids);
         i++) {  // the third waits for one of the first two, and so on
        assert_true(view_of(f, ids[i]).created_ms >= view_of(f, ids[i - 2]).ended_ms);
    }
}

static void an_if_takes_a_branch_once(void **state) {
    (void)state;
    static const struct {
        const char *condition;
        bool has_else;
        const char *runs;
        State end;
    } rows[] = {
        {"true",        true,  "if SUCCESS, then SUCCESS", STATE_SUCCESS},
        {"\"yes\"",     true,  "if SUCCESS, then SUCCESS", STATE_SUCCESS},
        {"\" false \"", true,  "if SUCCESS, else SUCCESS", STATE_SUCCESS},
        {"0",           true,  "if SUCCESS, else SUCCESS", STATE_SUCCESS},
        {"\"-0\"",      true,  "if SUCCESS, else SUCCESS", STATE_SUCCESS},
        {"null",        true,  "if SUCCESS, else SUCCESS", STATE_SUCCESS},
        {"\"\"",        false, "if SUCCESS",               STATE_SUCCESS},
        {"!",           true,  "if FAILED",                STATE_FAILED },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        Fixture f = {0};
        flow_init(&f.flow);
        Item *item = item_add(&f.flow, &f.flow.root->body, NODE_IF, "if");
        item->a = LEAF(rows[i].condition);
        add_task(&f.flow, &item->body, "then");
        if (rows[i].has_else) add_task(&f.flow, &item->extra, "else");
        begin(&f);
        finish(&f, rows[i].end, str_from(rows[i].runs));
        assert_int_equal(count_actions(&f, ACTION_EVAL), 1);
        driver_release(&f.driver);
        flow_release(&f.flow);
    }
}

static void a_switch_takes_the_case_of_its_text(void **state) {
    (void)state;
    static const struct {
        const char *value;
        bool has_defaults;
        const char *runs;
        const char *outputs;
        State end;
    } rows[] = {
        {"\"one\"", true,  "sw SUCCESS, a SUCCESS", "{\"value\":\"one\",\"defaults\":false}",
         STATE_SUCCESS                                                                                     },
        {"2",       true,  "sw SUCCESS, b SUCCESS", "{\"value\":\"2\",\"defaults\":false}",   STATE_SUCCESS},
        {"\"x\"",   true,  "sw SUCCESS, d SUCCESS", "{\"value\":\"x\",\"defaults\":true}",
         STATE_SUCCESS                                                                                     },
        {"\"x\"",   false, "sw FAILED",             "{\"value\":\"x\",\"defaults\":true}",    STATE_FAILED },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        Fixture f = {0};
        flow_init(&f.flow);
        Item *item = item_add(&f.flow, &f.flow.root->body, NODE_SWITCH, "sw");
        item->a = LEAF(rows[i].value);
        item->case_count = 2;
        item->cases[0].key = "one";
        add_task(&f.flow, &item->cases[0].list, "a");
        item->cases[1].key = "2";
        add_task(&f.flow, &item->cases[1].list, "b");
        if (rows[i].has_defaults) add_task(&f.flow, &item->extra, "d");
        begin(&f);
        finish(&f, rows[i].end, str_from(rows[i].runs));
        assert_outputs(&f, "sw", rows[i].outputs);
        driver_release(&f.driver);
        flow_release(&f.flow);
    }
}

static void a_false_run_if_skips(void **state) {
    Fixture *f = *state;
    add_task(&f->flow, &f->flow.root->body, "a")->run_if = LEAF("false");
    Item *group = item_add(&f->flow, &f->flow.root->body, NODE_SEQUENCE, "group");
    group->run_if = CONSTANT("\"0\"");
    add_task(&f->flow, &group->body, "never");
    add_task(&f->flow, &f->flow.root->body, "b")->run_if = LEAF("!");
    add_task(&f->flow, &f->flow.root->body, "c");
    begin(f);
    finish(f, STATE_FAILED, STR("a SKIPPED, group SKIPPED, b FAILED"));
    EngineReason reason;
    assert_true(engine_reason(f->driver.engine, &reason));
    assert_str_equal(reason.task, STR("b"));
    assert_str_equal(reason.message, STR("unknown variable"));
}

static void a_run_if_that_fails_is_not_allowed_to(void **state) {
    Fixture *f = *state;
    Item *task = add_task(&f->flow, &f->flow.root->body, "a");
    task->run_if = LEAF("!");
    task->flags |= NODE_ALLOW_FAILURE;
    begin(f);
    finish(f, STATE_FAILED, STR("a FAILED"));
}

static void the_reason_is_what_failed_first(void **state) {
    (void)state;
    static const struct {
        const char *a, *b, *task, *message;
    } rows[] = {
        {"S", "S", "",  "no output"},
        {"F", "S", "a", "it failed"},
        {"S", "F", "b", "it failed"},
        {"F", "F", "a", "it failed"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        Fixture f = {0};
        flow_init(&f.flow);
        f.flow.has_outputs = true;
        Item *group = item_add(&f.flow, &f.flow.root->body, NODE_PARALLEL, "group");
        add_task(&f.flow, &group->body, "a");
        add_task(&f.flow, &group->body, "b");
        begin(&f);
        f.driver.outputs_fail = true;
        driver_script(&f.driver, "a", rows[i].a);
        driver_script(&f.driver, "b", rows[i].b);
        run_on(&f);
        assert_state(&f, STATE_FAILED);
        EngineReason reason;
        assert_true(engine_reason(f.driver.engine, &reason));
        assert_str_equal(reason.task, str_from(rows[i].task));
        assert_str_equal(reason.message, str_from(rows[i].message));
        driver_release(&f.driver);
        flow_release(&f.flow);
    }
}

// --- loops --------------------------------------------------------------------------------------

static void foreach_drops_duplicates_and_keys_by_text(void **state) {
    (void)state;
    static const struct {
        const char *values;
        const char *runs;
        const char *message;
    } rows[] = {
        {"[\"a\",\"b\",\"a\"]",                "each SUCCESS, t[a] SUCCESS, t[b] SUCCESS",         ""                                                       },
        {"\"[1, \\\"1\\\", {\\\"k\\\": 2}]\"", "each SUCCESS, t[1] SUCCESS, t[{\"k\":2}] SUCCESS",
         ""                                                                                                                                                 },
        {"\"[true, 1.5]\"",                    "each SUCCESS, t[true] SUCCESS, t[1.5] SUCCESS",    ""                                                       },
        {"[]",                                 "each SUCCESS",                                     ""                                                       },
        {"[\"a\",null]",                       "each FAILED",                                      "found 1 null values among the 2 values"                 },
        {"7",                                  "each FAILED",                                      "values must be a list, received a value of type integer"},
        {"\"{\\\"a\\\":1}\"",                  "each FAILED",                                      "values must be a list, received a value of type map"    },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        Fixture f = {0};
        flow_init(&f.flow);
        Item *loop = item_add(&f.flow, &f.flow.root->body, NODE_FOREACH, "each");
        loop->a = LEAF(rows[i].values);
        loop->limit = 1;
        add_task(&f.flow, &loop->body, "t");
        begin(&f);
        bool fails = rows[i].message[0] != 0;
        finish(&f, fails ? STATE_FAILED : STATE_SUCCESS, str_from(rows[i].runs));
        assert_str_equal(view_of(&f, "each").message, str_from(rows[i].message));
        driver_release(&f.driver);
        flow_release(&f.flow);
    }
}

static void make_loop(Fixture *f, int32_t limit, uint32_t flags) {
    Item *loop = item_add(&f->flow, &f->flow.root->body, NODE_FOREACH, "each");
    loop->a = CONSTANT("[\"x\",\"y\",\"z\"]");
    loop->limit = limit;
    loop->flags = flags;
    add_task(&f->flow, &loop->body, "a");
    add_task(&f->flow, &loop->body, "b");
    begin(f);
    f->driver.delay = 10;
}

static void foreach_one_by_one_goes_value_by_value(void **state) {
    Fixture *f = *state;
    make_loop(f, 1, 0);
    finish(
        f, STATE_SUCCESS,
        STR("each SUCCESS, a[x] SUCCESS, b[x] SUCCESS, a[y] SUCCESS, b[y] SUCCESS, a[z] SUCCESS, "
            "b[z] SUCCESS"));
}

static void foreach_without_limit_starts_all_values(void **state) {
    Fixture *f = *state;
    make_loop(f, 0, 0);
    run_on(f);
    assert_state(f, STATE_SUCCESS);
    Str runs = driver_runs(&f->driver);
    assert_true(
        str_starts_with(runs, STR("each SUCCESS, a[x] SUCCESS, a[y] SUCCESS, a[z] SUCCESS, ")));
}

static void a_free_slot_goes_to_the_first_value_that_waits(void **state) {
    Fixture *f = *state;
    make_loop(f, 2, 0);
    run_on(f);
    Str runs = driver_runs(&f->driver);
    // x and y begin; whichever ends first goes on with b before z begins.
    assert_true(str_find(runs, STR("a[z]"), 0) > str_find(runs, STR("b["), 0));
}

static void pairs_are_independent(void **state) {
    Fixture *f = *state;
    make_loop(f, 0, NODE_PAIRS);
    finish(
        f, STATE_SUCCESS,
        STR("each SUCCESS, a[x] SUCCESS, b[x] SUCCESS, a[y] SUCCESS, b[y] SUCCESS, a[z] SUCCESS, "
            "b[z] SUCCESS"));
    assert_int_equal(view_of(f, "b").created_ms, view_of(f, "a").created_ms);
}

static void a_failure_stops_all_values(void **state) {
    Fixture *f = *state;
    make_loop(f, 2, 0);
    driver_script(&f->driver, "a", "F");
    finish(f, STATE_FAILED, STR("each FAILED, a[x] FAILED, a[y] FAILED"));
}

static void a_loop_keeps_duplicates_and_gives_outputs(void **state) {
    Fixture *f = *state;
    Item *loop = item_add(&f->flow, &f->flow.root->body, NODE_LOOP, "loop");
    loop->a = LEAF("{\"k\":\"v\",\"l\":\"v\"}");
    loop->props = LEAF("{\"o\":1}");
    loop->limit = 1;
    loop->flags = NODE_TRANSMIT_FAILED;
    add_task(&f->flow, &loop->body, "a");
    begin(f);
    finish(f, STATE_SUCCESS, STR("loop SUCCESS, a[v] SUCCESS, a[v] SUCCESS"));
    assert_outputs(
        f, "loop",
        "{\"iterationCount\":2,\"runningIterations\":0,\"terminatedIterations\":{\"SUCCESS\":2},"
        "\"outputs\":["
        "{\"item\":{\"value\":\"v\",\"iteration\":0,\"key\":\"k\"},\"outputs\":{\"o\":1}},"
        "{\"item\":{\"value\":\"v\",\"iteration\":1,\"key\":\"l\"},\"outputs\":{\"o\":1}}]}");
}

static void a_loop_goes_on_where_failures_are_not_transmitted(void **state) {
    (void)state;
    for (int transmits = 0; transmits < 2; transmits++) {
        Fixture f = {0};
        flow_init(&f.flow);
        Item *loop = item_add(&f.flow, &f.flow.root->body, NODE_LOOP, "loop");
        loop->a = CONSTANT("[1,2]");
        loop->limit = 1;
        loop->flags = transmits ? NODE_TRANSMIT_FAILED : 0;
        add_task(&f.flow, &loop->body, "a");
        add_task(&f.flow, &loop->body, "b");
        begin(&f);
        driver_script(&f.driver, "a", "F");
        if (transmits) {
            finish(&f, STATE_FAILED, STR("loop FAILED, a[1] FAILED"));
            assert_outputs(&f, "loop",
                           "{\"iterationCount\":2,\"runningIterations\":0,\"terminatedIterations\":"
                           "{\"FAILED\":1}}");
        } else {
            finish(&f, STATE_SUCCESS, STR("loop SUCCESS, a[1] FAILED, a[2] FAILED"));
        }
        driver_release(&f.driver);
        flow_release(&f.flow);
    }
}

static void loop_until_makes_passes_until_its_condition_or_a_maximum(void **state) {
    (void)state;
    static const struct {
        const char *condition, *frequency;
        bool fails_on_max;
        State end;
        const char *outputs;
        int64_t seconds;
    } rows[] = {
        {"pass>1", "{\"interval\":\"PT2S\"}",                          false, STATE_SUCCESS, "{\"iterationCount\":1}", 0 },
        {"pass>3", "{\"interval\":\"PT2S\"}",                          false, STATE_SUCCESS, "{\"iterationCount\":3}", 4 },
        {"pass>2", "{}",                                               false, STATE_SUCCESS, "{\"iterationCount\":2}", 60},
        {"false",  "{\"interval\":\"PT2S\",\"maxIterations\":5}",      false, STATE_SUCCESS,
         "{\"iterationCount\":6}",                                                                                     8 },
        {"false",  "{\"interval\":\"PT2S\",\"maxIterations\":\"3\"}",  true,  STATE_FAILED,
         "{\"iterationCount\":4}",                                                                                     4 },
        {"false",  "{\"interval\":\"PT2S\",\"maxDuration\":\"PT5S\"}", true,  STATE_FAILED,
         "{\"iterationCount\":5}",                                                                                     6 },
        {"false",  "{\"interval\":\"soon\"}",                          true,  STATE_FAILED,  "",                       0 },
        {"!",      "{}",                                               false, STATE_FAILED,  "{\"iterationCount\":1}", 0 },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        Fixture f = {0};
        flow_init(&f.flow);
        Item *loop = item_add(&f.flow, &f.flow.root->body, NODE_LOOP_UNTIL, "until");
        loop->a = LEAF(rows[i].condition);
        loop->b = CONSTANT(rows[i].frequency);
        loop->flags = rows[i].fails_on_max ? NODE_FAIL_ON_MAX : 0;
        add_task(&f.flow, &loop->body, "a")->flags = NODE_PURE;
        add_task(&f.flow, &loop->finally, "f")->flags = NODE_PURE;
        begin(&f);
        run_on(&f);
        assert_state(&f, rows[i].end);
        assert_outputs(&f, "until", rows[i].outputs);
        // Only the last pass is there.
        assert_true(engine_run_count(f.driver.engine) <= 3);
        assert_in_range(f.driver.now - 1000, rows[i].seconds * 1000, rows[i].seconds * 1000 + 20);
        driver_release(&f.driver);
        flow_release(&f.flow);
    }
}

static void a_failing_pass_ends_the_loop(void **state) {
    Fixture *f = *state;
    Item *loop = item_add(&f->flow, &f->flow.root->body, NODE_LOOP_UNTIL, "until");
    loop->a = LEAF("pass>3");
    add_task(&f->flow, &loop->body, "a");
    add_task(&f->flow, &loop->body, "b");
    begin(f);
    driver_script(&f->driver, "a", "F");
    finish(f, STATE_FAILED, STR("until FAILED, a FAILED"));
}

// --- child executions ---------------------------------------------------------------------------

static void a_subflow_takes_the_state_of_its_child(void **state) {
    (void)state;
    static const struct {
        const char *child;
        uint32_t flags;
        State end;
    } rows[] = {
        {"S", NODE_WAIT | NODE_TRANSMIT_FAILED,                      STATE_SUCCESS},
        {"W", NODE_WAIT | NODE_TRANSMIT_FAILED,                      STATE_WARNING},
        {"F", NODE_WAIT | NODE_TRANSMIT_FAILED,                      STATE_FAILED },
        {"K", NODE_WAIT | NODE_TRANSMIT_FAILED,                      STATE_KILLED },
        {"F", NODE_WAIT | NODE_TRANSMIT_FAILED | NODE_ALLOW_FAILURE, STATE_WARNING},
        {"F", NODE_WAIT,                                             STATE_SUCCESS},
        {"F", NODE_TRANSMIT_FAILED,                                  STATE_SUCCESS},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        Fixture f = {0};
        flow_init(&f.flow);
        Item *item = item_add(&f.flow, &f.flow.root->body, NODE_SUBFLOW, "sub");
        item->b = LEAF("{\"flowId\":\"child\"}");
        item->flags = rows[i].flags;
        begin(&f);
        driver_script(&f.driver, "sub", rows[i].child);
        run_on(&f);
        assert_state(&f, rows[i].end);
        ChildView child;
        assert_true(engine_child_at(f.driver.engine, 0, &child));
        assert_int_equal(child.id.len, 32);
        assert_false(engine_child_at(f.driver.engine, 1, &child));
        driver_release(&f.driver);
        flow_release(&f.flow);
    }
}

static void a_subflow_is_retried_with_a_new_child(void **state) {
    Fixture *f = *state;
    Item *item = item_add(&f->flow, &f->flow.root->body, NODE_SUBFLOW, "sub");
    item->b = LEAF("{\"flowId\":\"child\"}");
    item->flags = NODE_WAIT | NODE_TRANSMIT_FAILED;
    item_retry(&f->flow, item, 3, 10);
    begin(f);
    driver_script(&f->driver, "sub", "FS");
    finish(f, STATE_SUCCESS, STR("sub SUCCESS"));
    ChildView first, second;
    assert_true(engine_child_at(f->driver.engine, 0, &first));
    assert_true(engine_child_at(f->driver.engine, 1, &second));
    assert_false(str_eq(first.id, second.id));
    assert_int_equal(view_of(f, "sub").attempts, 2);
}

static void a_kill_reaches_the_children(void **state) {
    (void)state;
    for (int cascades = 0; cascades < 2; cascades++) {
        Fixture f = {0};
        flow_init(&f.flow);
        Item *item = item_add(&f.flow, &f.flow.root->body, NODE_SUBFLOW, "sub");
        item->b = LEAF("{\"flowId\":\"child\"}");
        item->flags = NODE_WAIT;
        begin(&f);
        Command kill = {.kind = COMMAND_KILL};
        if (!cascades) {
            kill.value = value_map(&f.driver.arena);
            value_map_set(&f.driver.arena, kill.value, STR("cascade"), value_bool(false));
        }
        driver_turn(&f.driver);
        driver_perform(&f.driver, 0);  // the evaluation
        driver_turn(&f.driver);
        tell(&f, kill);
        finish(&f, STATE_KILLED, STR("sub KILLED"));
        assert_int_equal(count_actions(&f, ACTION_SIGNAL_CHILD), cascades);
        driver_release(&f.driver);
        flow_release(&f.flow);
    }
}

static void items_split_run_and_merge(void **state) {
    Fixture *f = *state;
    Item *item = item_add(&f->flow, &f->flow.root->body, NODE_ITEMS, "each");
    item->a = CONSTANT("\"kestra:///file\"");
    item->b = LEAF("{\"flowId\":\"child\"}");
    item->c = CONSTANT("{\"rows\":1}");
    item->flags = NODE_WAIT | NODE_TRANSMIT_FAILED;
    begin(f);
    f->driver.seed = 3;
    finish(f, STATE_SUCCESS,
           STR("each SUCCESS, each_split SUCCESS, each_items SUCCESS, each_merge SUCCESS"));
    ChildView child;
    uint32_t count = 0;
    int64_t sum = 0;
    while (engine_child_at(f->driver.engine, count, &child)) {
        sum += child.index;
        count++;
    }
    assert_int_equal(sum, (int64_t)count * ((int64_t)count - 1) / 2);
    assert_int_equal(count_actions(f, ACTION_SPAWN_CHILD), count);
    TaskRunView view;
    assert_int_equal(engine_find_run(f->driver.engine, STR("each_items"), NULL, 0, &view),
                     LOOKUP_FOUND);
    assert_int_equal(value_map_get_int(*view.outputs, STR("numberOfBatches"), -1), count);
    assert_true(count > 0);
}

// --- Pause, Sleep, updates ----------------------------------------------------------------------

static void a_pause_that_nobody_resumes_follows_its_behavior(void **state) {
    (void)state;
    static const struct {
        const char *rule;
        State run, end;
        const char *runs;
    } rows[] = {
        {"{\"pauseDuration\":\"PT1S\"}",                         STATE_SUCCESS,   STATE_SUCCESS,
         "p SUCCESS, in SUCCESS, b SUCCESS"                                                                  },
        {"{\"pauseDuration\":\"PT1S\",\"behavior\":\"WARN\"}",   STATE_WARNING,   STATE_WARNING,
         "p WARNING, b SUCCESS"                                                                              },
        {"{\"pauseDuration\":\"PT1S\",\"behavior\":\"FAIL\"}",   STATE_FAILED,    STATE_FAILED,
         "p FAILED"                                                                                          },
        {"{\"pauseDuration\":\"PT1S\",\"behavior\":\"CANCEL\"}", STATE_CANCELLED, STATE_CANCELLED,
         "p CANCELLED"                                                                                       },
        {"{\"timeout\":\"PT1S\"}",                               STATE_FAILED,    STATE_FAILED,    "p FAILED"},
        {"{\"pauseDuration\":\"PT1S\",\"behavior\":\"PLAY\"}",   STATE_FAILED,    STATE_FAILED,
         "p FAILED"                                                                                          },
        {"{\"pauseDuration\":\"later\"}",                        STATE_FAILED,    STATE_FAILED,    "p FAILED"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        Fixture f = {0};
        flow_init(&f.flow);
        Item *pause = item_add(&f.flow, &f.flow.root->body, NODE_PAUSE, "p");
        pause->a = CONSTANT(rows[i].rule);
        add_task(&f.flow, &pause->body, "in");
        add_task(&f.flow, &f.flow.root->body, "b");
        begin(&f);
        finish(&f, rows[i].end, str_from(rows[i].runs));
        assert_int_equal(view_of(&f, "p").state, rows[i].run);
        driver_release(&f.driver);
        flow_release(&f.flow);
    }
}

static void on_pause_runs_while_it_waits(void **state) {
    Fixture *f = *state;
    Item *pause = item_add(&f->flow, &f->flow.root->body, NODE_PAUSE, "p");
    add_task(&f->flow, &pause->extra, "notify");
    begin(f);
    driver_script(&f->driver, "notify", "F");
    run_on(f);
    assert_state(f, STATE_PAUSED);
    assert_str_equal(driver_runs(&f->driver), STR("p PAUSED, notify FAILED"));
    tell(f, (Command){.kind = COMMAND_RESUME});
    finish(f, STATE_SUCCESS, STR("p SUCCESS, notify FAILED"));
}

static void a_sleep_is_a_timer(void **state) {
    Fixture *f = *state;
    Item *sleep = item_add(&f->flow, &f->flow.root->body, NODE_TIMER, "s");
    sleep->props = LEAF("{\"duration\":\"PT5S\"}");
    Item *late = item_add(&f->flow, &f->flow.root->body, NODE_TIMER, "late");
    late->props = CONSTANT("{\"duration\":\"PT5S\"}");
    late->timeout = CONSTANT("\"PT1S\"");
    begin(f);
    finish(f, STATE_FAILED, STR("s SUCCESS, late FAILED"));
    assert_in_range(f->driver.now, 7000, 7005);
}

static void updates_change_labels_and_variables(void **state) {
    Fixture *f = *state;
    Item *item = item_add(&f->flow, &f->flow.root->body, NODE_UPDATE, "labels");
    item->update = UPDATE_LABELS;
    item->props = LEAF("{\"labels\":[{\"key\":\"team\",\"value\":7}]}");
    item = item_add(&f->flow, &f->flow.root->body, NODE_UPDATE, "set");
    item->update = UPDATE_SET_VARIABLES;
    item->props = CONSTANT("{\"variables\":{\"a\":{\"b\":1},\"x\":2}}");
    item = item_add(&f->flow, &f->flow.root->body, NODE_UPDATE, "set2");
    item->update = UPDATE_SET_VARIABLES;
    item->props = CONSTANT("{\"variables\":\"{\\\"a\\\":{\\\"c\\\":3}}\"}");
    item = item_add(&f->flow, &f->flow.root->body, NODE_UPDATE, "unset");
    item->update = UPDATE_UNSET_VARIABLES;
    item->props = CONSTANT("{\"variables\":[\"a.b\",\"nope\"],\"ignoreMissing\":true}");
    begin(f);
    finish(f, STATE_SUCCESS, STR("labels SUCCESS, set SUCCESS, set2 SUCCESS, unset SUCCESS"));
    Buffer text = {0};
    json_write(&text, *engine_labels(f->driver.engine), JSON_COMPACT, 0);
    json_write(&text, *engine_variables(f->driver.engine), JSON_COMPACT, 0);
    Str both = buffer_to_str(&text, &f->driver.arena);
    buffer_release(&text);
    assert_str_equal(both, STR("{\"team\":\"7\"}{\"a\":{\"c\":3},\"x\":2}"));
}

static void updates_refuse_what_does_not_fit(void **state) {
    (void)state;
    static const struct {
        NodeUpdate update;
        const char *props, *message;
    } rows[] = {
        {UPDATE_LABELS,          "{\"labels\":{\"system.x\":1}}", "label 'system.x' is reserved" },
        {UPDATE_LABELS,          "{\"labels\":7}",
         "labels must be a map, or a list of maps with key and value"                            },
        {UPDATE_SET_VARIABLES,   "{\"variables\":[1]}",           "variables must be a map"      },
        {UPDATE_UNSET_VARIABLES, "{\"variables\":[\"a.b\"]}",     "variable 'a.b' does not exist"},
        {UPDATE_EXIT,            "{\"state\":\"DONE\"}",
         "state 'DONE' is none of SUCCESS, WARNING, KILLED, FAILED, CANCELLED"                   },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        Fixture f = {0};
        flow_init(&f.flow);
        Item *item = item_add(&f.flow, &f.flow.root->body, NODE_UPDATE, "u");
        item->update = rows[i].update;
        item->props = LEAF(rows[i].props);
        begin(&f);
        finish(&f, STATE_FAILED, STR("u FAILED"));
        assert_str_equal(view_of(&f, "u").message, str_from(rows[i].message));
        driver_release(&f.driver);
        flow_release(&f.flow);
    }
}

static void an_exit_ends_the_execution_in_its_state(void **state) {
    (void)state;
    static const struct {
        const char *props;
        State end;
        const char *runs;
    } rows[] = {
        {"{}",                       STATE_SUCCESS,   "g SUCCESS, slow SUCCESS, if SUCCESS, exit SUCCESS, x SUCCESS"},
        {"{\"state\":\"WARNING\"}",  STATE_WARNING,
         "g WARNING, slow SUCCESS, if WARNING, exit WARNING, x SUCCESS"                                             },
        {"{\"state\":\"KILLED\"}",   STATE_KILLED,
         "g KILLED, slow KILLED, if KILLED, exit KILLED, x SUCCESS"                                                 },
        {"{\"state\":\"CANCELED\"}", STATE_CANCELLED,
         "g CANCELLED, slow SUCCESS, if CANCELLED, exit CANCELLED, x SUCCESS"                                       },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        Fixture f = {0};
        flow_init(&f.flow);
        Item *group = item_add(&f.flow, &f.flow.root->body, NODE_PARALLEL, "g");
        add_task(&f.flow, &group->body, "slow");
        Item *branch = item_add(&f.flow, &group->body, NODE_IF, "if");
        branch->a = LEAF("true");
        Item *item = item_add(&f.flow, &branch->body, NODE_UPDATE, "exit");
        item->update = UPDATE_EXIT;
        item->props = LEAF(rows[i].props);
        add_task(&f.flow, &f.flow.root->body, "never");
        add_task(&f.flow, &f.flow.root->finally, "nor");
        add_task(&f.flow, &f.flow.root->extra, "x");
        flow_build(&f.flow);
        driver_begin(&f.driver, &f.flow, 12);  // slow has begun when the exit comes
        f.driver.delay = 500;
        finish(&f, rows[i].end, str_from(rows[i].runs));
        driver_release(&f.driver);
        flow_release(&f.flow);
    }
}

static void an_agreement_ends_what_takes_too_long(void **state) {
    (void)state;
    static const struct {
        uint8_t behavior;
        State end;
        const char *runs;
    } rows[] = {
        {0, STATE_FAILED,    "a KILLED" },
        {1, STATE_CANCELLED, "a KILLED" },
        {2, STATE_SUCCESS,   "a SUCCESS"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        Fixture f = {0};
        flow_init(&f.flow);
        add_task(&f.flow, &f.flow.root->body, "a");
        f.flow.slas[f.flow.sla_count++] = (PlanSla){.behavior = rows[i].behavior, .duration = 100};
        begin(&f);
        f.driver.delay = 1000;
        finish(&f, rows[i].end, str_from(rows[i].runs));
        driver_release(&f.driver);
        flow_release(&f.flow);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_dag_starts_a_task_when_its_dependencies_have_ended),
        TEST(a_dag_that_waits_for_itself_fails),
        TEST(a_parallel_keeps_to_its_limit),
        cmocka_unit_test(an_if_takes_a_branch_once),
        cmocka_unit_test(a_switch_takes_the_case_of_its_text),
        TEST(a_false_run_if_skips),
        TEST(a_run_if_that_fails_is_not_allowed_to),
        TEST(the_reason_is_what_failed_first),
        cmocka_unit_test(foreach_drops_duplicates_and_keys_by_text),
        TEST(foreach_one_by_one_goes_value_by_value),
        TEST(foreach_without_limit_starts_all_values),
        TEST(a_free_slot_goes_to_the_first_value_that_waits),
        TEST(pairs_are_independent),
        TEST(a_failure_stops_all_values),
        TEST(a_loop_keeps_duplicates_and_gives_outputs),
        cmocka_unit_test(a_loop_goes_on_where_failures_are_not_transmitted),
        cmocka_unit_test(loop_until_makes_passes_until_its_condition_or_a_maximum),
        TEST(a_failing_pass_ends_the_loop),
        cmocka_unit_test(a_subflow_takes_the_state_of_its_child),
        TEST(a_subflow_is_retried_with_a_new_child),
        cmocka_unit_test(a_kill_reaches_the_children),
        TEST(items_split_run_and_merge),
        cmocka_unit_test(a_pause_that_nobody_resumes_follows_its_behavior),
        TEST(on_pause_runs_while_it_waits),
        TEST(a_sleep_is_a_timer),
        TEST(updates_change_labels_and_variables),
        cmocka_unit_test(updates_refuse_what_does_not_fit),
        cmocka_unit_test(an_exit_ends_the_execution_in_its_state),
        cmocka_unit_test(an_agreement_ends_what_takes_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
