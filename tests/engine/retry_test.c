// retry_test.c - retries (flow-language.md 3.3): when, how often, what else waits.
#include "engine/fixture.h"

// Starts of the attempts of the first run, in milliseconds after its first start.
static Str starts(Fixture *f) {
    TaskRunView view;
    AttemptView attempt;
    int64_t first = 0;
    Buffer text = {0};
    assert_true(engine_run_at(f->driver.engine, 0, &view));
    for (uint32_t i = 0; engine_attempt_at(f->driver.engine, view.id, i, &attempt); i++) {
        if (i == 0) first = attempt.started_ms;
        buffer_printf(&text, "%s%lld", i > 0 ? " " : "", (long long)(attempt.started_ms - first));
    }
    Str result = buffer_to_str(&text, &f->driver.arena);
    buffer_release(&text);
    return result;
}

static void delays_follow_the_kind(void **state) {
    (void)state;
    static const struct {
        PlanRetry retry;
        const char *starts;
    } rows[] = {
        {{.kind = RETRY_CONSTANT, .max_attempts = 4, .interval = 100},   "0 100 200 300"},
        {{.kind = RETRY_CONSTANT, .max_attempts = 3, .interval = 0},     "0 0 0"        },
        {{.kind = RETRY_EXPONENTIAL,
          .max_attempts = 5,
          .interval = 100,
          .max_interval = 500,
          .delay_factor = 2},
         "0 100 300 700 1200"                                                           },
        {{.kind = RETRY_EXPONENTIAL,
          .max_attempts = 4,
          .interval = 100,
          .max_interval = 9999,
          .delay_factor = 1.5},
         "0 100 250 475"                                                                },
        {{.kind = RETRY_EXPONENTIAL,
          .max_attempts = 3,
          .interval = 100,
          .max_interval = 9999,
          .delay_factor = 1},
         "0 100 200"                                                                    },
        {{.kind = RETRY_CONSTANT, .max_duration = 250, .interval = 100}, "0 100 200"    },
        {{.kind = RETRY_CONSTANT, .max_attempts = 1, .interval = 100},   "0"            },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        Fixture f = {0};
        flow_init(&f.flow);
        Item *task = add_task(&f.flow, &f.flow.root->body, "a");
        task->flags = NODE_PURE;
        *item_retry(&f.flow, task, 0, 0) = rows[i].retry;
        begin(&f);
        driver_script(&f.driver, "a", "F");
        run_on(&f);
        assert_str_equal(starts(&f), str_from(rows[i].starts));
        assert_state(&f, STATE_FAILED);
        driver_release(&f.driver);
        flow_release(&f.flow);
    }
}

static void a_random_delay_stays_in_its_range_and_does_not_change(void **state) {
    Fixture *f = *state;
    Item *task = add_task(&f->flow, &f->flow.root->body, "a");
    task->flags = NODE_PURE;
    *item_retry(&f->flow, task, 0, 0) =
        (PlanRetry){.kind = RETRY_RANDOM, .max_attempts = 20, .interval = 50, .max_interval = 60};
    begin(f);
    driver_script(&f->driver, "a", "F");
    run_on(f);
    TaskRunView view = view_of(f, "a");
    assert_int_equal(view.attempts, 20);
    bool differs = false;
    int64_t before = 0;
    for (uint32_t i = 1; i < 20; i++) {
        AttemptView one, other;
        engine_attempt_at(f->driver.engine, view.id, i - 1, &one);
        engine_attempt_at(f->driver.engine, view.id, i, &other);
        int64_t delay = other.started_ms - one.ended_ms;
        assert_in_range(delay, 50, 59);
        if (i > 1 && delay != before) differs = true;
        before = delay;
    }
    assert_true(differs);
}

static void a_retry_shows_in_the_states(void **state) {
    Fixture *f = *state;
    Item *task = add_task(&f->flow, &f->flow.root->body, "a");
    item_retry(&f->flow, task, 3, 10);
    begin(f);
    driver_script(&f->driver, "a", "FS");
    finish(f, STATE_SUCCESS, STR("a SUCCESS"));
    assert_str_equal(history_of(f, "a"), STR("CREATED RUNNING RETRYING CREATED RUNNING SUCCESS"));
    assert_str_equal(history_of(f, NULL), STR("CREATED RUNNING RETRYING RUNNING SUCCESS"));
}

static void errors_wait_until_no_retry_is_left(void **state) {
    Fixture *f = *state;
    Item *group = item_add(&f->flow, &f->flow.root->body, NODE_PARALLEL, "group");
    item_retry(&f->flow, add_task(&f->flow, &group->body, "a"), 3, 200);
    item_retry(&f->flow, add_task(&f->flow, &group->body, "b"), 2, 100);
    add_task(&f->flow, &group->errors, "e");
    begin(f);
    driver_script(&f->driver, "a", "FFS");
    driver_script(&f->driver, "b", "FF");
    finish(f, STATE_FAILED, STR("group FAILED, a SUCCESS, b FAILED, e SUCCESS"));
    TaskRunView last = view_of(f, "e");
    assert_true(last.created_ms >= view_of(f, "a").ended_ms);
}

// kestra 19679: a kill while a task waits for its retry.
static void a_kill_ends_a_waiting_retry_at_once(void **state) {
    Fixture *f = *state;
    item_retry(&f->flow, add_task(&f->flow, &f->flow.root->body, "a"), 3, 10000);
    begin(f);
    driver_script(&f->driver, "a", "F");
    at(f, 500, (Command){.kind = COMMAND_KILL});
    finish(f, STATE_KILLED, STR("a KILLED"));
    const StateChange *changes = NULL;
    uint32_t count = engine_history(f->driver.engine, (RunId){{0}}, &changes);
    assert_int_equal(changes[count - 1].time_ms, 1500);
    assert_int_equal(view_of(f, "a").attempts, 1);  // the timer fired later: nothing started
}

static void a_retry_in_a_new_execution_ends_this_one_retried(void **state) {
    Fixture *f = *state;
    Item *group = item_add(&f->flow, &f->flow.root->body, NODE_SEQUENCE, "group");
    Item *task = add_task(&f->flow, &group->body, "a");
    item_retry(&f->flow, task, 3, 100)->flags = RETRY_NEW_EXECUTION;
    add_task(&f->flow, &f->flow.root->errors, "e");
    add_task(&f->flow, &f->flow.root->extra, "x");
    begin(f);
    driver_script(&f->driver, "a", "F");
    finish(f, STATE_RETRIED, STR("group RETRIED, a RETRIED"));
    assert_int_equal(count_actions(f, ACTION_SPAWN_RETRY), 1);
    Command restart = {.kind = COMMAND_RESTART};
    Err err = driver_tell(&f->driver, restart);
    assert_int_equal(err.code, ERR_USAGE);
}

static void a_kill_before_the_new_execution_makes_none(void **state) {
    Fixture *f = *state;
    Item *task = add_task(&f->flow, &f->flow.root->body, "a");
    item_retry(&f->flow, task, 3, 1000)->flags = RETRY_NEW_EXECUTION;
    begin(f);
    driver_script(&f->driver, "a", "F");
    at(f, 500, (Command){.kind = COMMAND_KILL});
    finish(f, STATE_KILLED, STR("a KILLED"));
    assert_int_equal(count_actions(f, ACTION_SPAWN_RETRY), 0);
}

static void attempts_of_executions_are_counted_in_the_new_one(void **state) {
    Fixture *f = *state;
    Item *task = add_task(&f->flow, &f->flow.root->body, "a");
    item_retry(&f->flow, task, 2, 100)->flags = RETRY_NEW_EXECUTION;
    flow_build(&f->flow);
    f->driver = (Driver){.flow = &f->flow, .now = 1000};
    f->driver.engine = engine_new(&f->flow.plan);
    Event created = {
        .kind = EVENT_CREATED, .id = STR("second"), .more = value_map(&f->driver.arena)};
    value_map_set(&f->driver.arena, created.more, STR("attempt"), value_int(2));
    driver_apply(&f->driver, created);
    driver_script(&f->driver, "a", "F");
    finish(f, STATE_FAILED, STR("a FAILED"));
}

static void the_idempotency_key_stays_over_retries(void **state) {
    Fixture *f = *state;
    item_retry(&f->flow, add_task(&f->flow, &f->flow.root->body, "a"), 3, 10);
    begin(f);
    driver_script(&f->driver, "a", "FFS");
    run_on(f);
    Str keys[3];
    uint32_t count = 0;
    for (uint32_t i = 0; i < f->driver.log.count; i++) {
        if (f->driver.log.items[i].kind != EVENT_STARTED) continue;
        Event event;
        assert_ok(event_read(EVENT_STARTED, f->driver.log.items[i].body, &f->driver.arena, &event));
        keys[count++] = event.id;
    }
    assert_int_equal(count, 3);
    assert_int_equal(keys[0].len, 36);
    assert_int_equal(keys[0].ptr[14], '8');  // UUID version 8
    assert_str_equal(keys[0], keys[1]);
    assert_str_equal(keys[0], keys[2]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delays_follow_the_kind),
        TEST(a_random_delay_stays_in_its_range_and_does_not_change),
        TEST(a_retry_shows_in_the_states),
        TEST(errors_wait_until_no_retry_is_left),
        TEST(a_kill_ends_a_waiting_retry_at_once),
        TEST(a_retry_in_a_new_execution_ends_this_one_retried),
        TEST(a_kill_before_the_new_execution_makes_none),
        TEST(attempts_of_executions_are_counted_in_the_new_one),
        TEST(the_idempotency_key_stays_over_retries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
