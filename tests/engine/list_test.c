// list_test.c - which list of a level is current and the state it ends with (flow-language.md 5.4),
// the result of one task (5.3).
#include "engine/fixture.h"

static void tasks_run_one_after_the_other(void **state) {
    Fixture *f = *state;
    add_task(&f->flow, &f->flow.root->body, "a");
    add_task(&f->flow, &f->flow.root->body, "b")->flags = NODE_PURE;
    begin(f);
    finish(f, STATE_SUCCESS, STR("a SUCCESS, b SUCCESS"));
}

// Letters: result of task a; then flags.
static void the_result_of_a_task_follows_the_table(void **state) {
    (void)state;
    static const struct {
        const char *results;
        uint32_t flags;
        int32_t attempts;
        bool warns;
        State run;
    } rows[] = {
        {"S",  0,                                       0, false, STATE_SUCCESS},
        {"F",  0,                                       0, false, STATE_FAILED },
        {"W",  0,                                       0, false, STATE_WARNING},
        {"K",  0,                                       0, false, STATE_KILLED },
        {"X",  0,                                       0, false, STATE_SKIPPED},
        {"F",  NODE_ALLOW_FAILURE,                      0, false, STATE_WARNING},
        {"F",  NODE_ALLOW_FAILURE | NODE_ALLOW_WARNING, 0, false, STATE_SUCCESS},
        {"W",  NODE_ALLOW_WARNING,                      0, false, STATE_SUCCESS},
        {"FS", 0,                                       2, false, STATE_SUCCESS},
        {"FS", 0,                                       2, true,  STATE_WARNING},
        {"FS", NODE_ALLOW_WARNING,                      2, true,  STATE_SUCCESS},
        {"FF", 0,                                       2, false, STATE_FAILED },
        {"FF", NODE_ALLOW_FAILURE,                      2, false, STATE_WARNING},
        {"F",  0,                                       1, false, STATE_FAILED },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (int pure = 0; pure < 2; pure++) {
            test_row(i);
            Fixture f = {0};
            flow_init(&f.flow);
            Item *task = add_task(&f.flow, &f.flow.root->body, "a");
            task->flags = rows[i].flags | (pure ? NODE_PURE : 0);
            if (rows[i].attempts > 0) {
                item_retry(&f.flow, task, rows[i].attempts, 10)->flags =
                    rows[i].warns ? RETRY_WARNING : 0;
            }
            begin(&f);
            driver_script(&f.driver, "a", rows[i].results);
            driver_run(&f.driver);
            TaskRunView view;
            assert_true(engine_run_at(f.driver.engine, 0, &view));
            assert_str_equal(str_from(state_name(view.state)), str_from(state_name(rows[i].run)));
            assert_true(f.driver.is_finished);
            driver_release(&f.driver);
            flow_release(&f.flow);
        }
    }
}

static void errors_run_after_a_failure_and_do_not_catch_it(void **state) {
    Fixture *f = *state;
    Item *group = item_add(&f->flow, &f->flow.root->body, NODE_SEQUENCE, "group");
    add_task(&f->flow, &group->body, "a");
    add_task(&f->flow, &group->body, "never");
    add_task(&f->flow, &group->errors, "e1");
    add_task(&f->flow, &group->errors, "e2");
    add_task(&f->flow, &group->finally, "f1");
    add_task(&f->flow, &f->flow.root->errors, "outer");
    begin(f);
    driver_script(&f->driver, "a", "F");
    driver_script(&f->driver, "e1", "F");
    finish(f, STATE_FAILED,
           STR("group FAILED, a FAILED, e1 FAILED, e2 SUCCESS, f1 SUCCESS, outer SUCCESS"));
}

static void a_failing_finally_leaves_the_state(void **state) {
    Fixture *f = *state;
    add_task(&f->flow, &f->flow.root->body, "a");
    add_task(&f->flow, &f->flow.root->finally, "f1");
    add_task(&f->flow, &f->flow.root->finally, "f2");
    begin(f);
    driver_script(&f->driver, "f1", "F");
    finish(f, STATE_SUCCESS, STR("a SUCCESS, f1 FAILED, f2 SUCCESS"));
}

static void a_parallel_waits_for_siblings_and_starts_no_new_one(void **state) {
    Fixture *f = *state;
    Item *group = item_add(&f->flow, &f->flow.root->body, NODE_PARALLEL, "group");
    group->a = CONSTANT("2");
    add_task(&f->flow, &group->body, "a");
    add_task(&f->flow, &group->body, "b");
    add_task(&f->flow, &group->body, "c");
    add_task(&f->flow, &group->errors, "e");
    begin(f);
    f->driver.delay = 10;
    driver_script(&f->driver, "a", "F");
    finish(f, STATE_FAILED, STR("group FAILED, a FAILED, b SUCCESS, e SUCCESS"));
}

static void after_execution_sees_the_final_state(void **state) {
    Fixture *f = *state;
    add_task(&f->flow, &f->flow.root->body, "a");
    add_task(&f->flow, &f->flow.root->extra, "x1");
    add_task(&f->flow, &f->flow.root->extra, "x2");
    begin(f);
    driver_script(&f->driver, "a", "F");
    driver_script(&f->driver, "x1", "F");
    finish(f, STATE_FAILED, STR("a FAILED, x1 FAILED, x2 SUCCESS"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tasks_run_one_after_the_other, setup, teardown),
        cmocka_unit_test(the_result_of_a_task_follows_the_table),
        cmocka_unit_test_setup_teardown(errors_run_after_a_failure_and_do_not_catch_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_failing_finally_leaves_the_state, setup, teardown),
        cmocka_unit_test_setup_teardown(a_parallel_waits_for_siblings_and_starts_no_new_one, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(after_execution_sees_the_final_state, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
