// fixture.h - one flow and its driver per test, and what most tests assert.
#ifndef FLOW_TESTS_ENGINE_FIXTURE_H
#define FLOW_TESTS_ENGINE_FIXTURE_H

#include "engine/driver.h"

typedef struct Fixture {
    Flow flow;
    Driver driver;
} Fixture;

static inline int setup(void **state) {
    static Fixture fixture;
    memset(&fixture, 0, sizeof fixture);
    flow_init(&fixture.flow);
    *state = &fixture;
    return 0;
}

static inline int teardown(void **state) {
    Fixture *fixture = *state;
    driver_release(&fixture->driver);
    flow_release(&fixture->flow);
    return 0;
}

static inline void begin(Fixture *fixture) {
    flow_build(&fixture->flow);
    driver_begin(&fixture->driver, &fixture->flow, 1);
}

static inline void finish(Fixture *fixture, State state, Str runs) {
    driver_run(&fixture->driver);
    if (fixture->driver.error != NULL) print_error("%s\n", fixture->driver.error);
    assert_null(fixture->driver.error);
    assert_str_equal(str_from(state_name(engine_state(fixture->driver.engine))),
                     str_from(state_name(state)));
    assert_str_equal(driver_runs(&fixture->driver), runs);
    assert_true(fixture->driver.is_finished);
}

// Runs until nothing is under way; no invariant is broken.
static inline void run_on(Fixture *fixture) {
    driver_run(&fixture->driver);
    if (fixture->driver.error != NULL) print_error("%s\n", fixture->driver.error);
    assert_null(fixture->driver.error);
}

static inline void assert_state(const Fixture *fixture, State state) {
    assert_str_equal(str_from(state_name(engine_state(fixture->driver.engine))),
                     str_from(state_name(state)));
}

static inline TaskRunView view_of(Fixture *fixture, const char *task) {
    TaskRunView view = {0};
    for (uint32_t i = 0; engine_run_at(fixture->driver.engine, i, &view); i++) {
        if (str_eq(view.task, str_from(task))) return view;
    }
    print_error("no run of '%s'\n", task);
    fail();
    return view;
}

static inline void assert_outputs(Fixture *fixture, const char *task, const char *json) {
    TaskRunView view = view_of(fixture, task);
    Buffer text = {0};
    if (view.outputs != NULL) json_write(&text, *view.outputs, JSON_COMPACT, 0);
    Str printed = buffer_to_str(&text, &fixture->driver.arena);
    buffer_release(&text);
    assert_str_equal(printed, str_from(json));
}

static inline void tell(Fixture *fixture, Command command) {
    assert_ok(driver_tell(&fixture->driver, command));
}

static inline void assert_refused(Fixture *fixture, Command command, const char *says) {
    Err err = driver_tell(&fixture->driver, command);
    assert_str_equal(str_from(err.text), str_from(says));
    assert_int_not_equal(err.code, ERR_NONE);
}

// A command at a time from the beginning (which is 1000).
static inline void at(Fixture *fixture, int64_t time, Command command) {
    driver_command(&fixture->driver, command, 1000 + time);
}

static inline uint32_t count_actions(const Fixture *fixture, ActionKind kind) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < fixture->driver.actions.count; i++) {
        count += fixture->driver.actions.items[i].kind == kind;
    }
    return count;
}

// "CREATED RUNNING SUCCESS" of a task, or of the execution where it is NULL.
static inline Str history_of(Fixture *fixture, const char *task) {
    const StateChange *changes = NULL;
    RunId id = task == NULL ? (RunId){{0}} : view_of(fixture, task).id;
    uint32_t count = engine_history(fixture->driver.engine, id, &changes);
    Buffer text = {0};
    for (uint32_t i = 0; i < count; i++) {
        buffer_printf(&text, "%s%s", i > 0 ? " " : "", state_name(changes[i].state));
    }
    Str result = buffer_to_str(&text, &fixture->driver.arena);
    buffer_release(&text);
    return result;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
