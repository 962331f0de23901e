// lookup_test.c - what templates see of an execution: runs by task and loop values, parents,
// frames.
#include "engine/fixture.h"

static Lookup find(Fixture *f, const char *task, const char *one, const char *two, Str *id) {
    Str values[2] = {str_from(one), str_from(two)};
    uint32_t count = (one != NULL) + (two != NULL);
    TaskRunView view;
    Lookup lookup = engine_find_run(f->driver.engine, str_from(task), values, count, &view);
    if (lookup == LOOKUP_FOUND && id != NULL) *id = view.value;
    return lookup;
}

static void make_nested(Fixture *f) {
    Item *outer = item_add(&f->flow, &f->flow.root->body, NODE_FOREACH, "outer");
    outer->a = LEAF("[\"x\",\"y\"]");
    outer->limit = 1;
    Item *inner = item_add(&f->flow, &outer->body, NODE_FOREACH, "inner");
    inner->a = CONSTANT("[1,2]");
    inner->limit = 1;
    add_task(&f->flow, &inner->body, "t");
    Item *group = item_add(&f->flow, &inner->body, NODE_SEQUENCE, "group");
    add_task(&f->flow, &group->body, "deep");
    add_task(&f->flow, &f->flow.root->body, "last");
    begin(f);
    run_on(f);
    assert_state(f, STATE_SUCCESS);
}

static void runs_are_found_by_the_values_of_their_loops(void **state) {
    Fixture *f = *state;
    make_nested(f);
    Str value;
    assert_int_equal(find(f, "last", NULL, NULL, NULL), LOOKUP_FOUND);
    assert_int_equal(find(f, "last", "x", NULL, NULL), LOOKUP_ABSENT);
    assert_int_equal(find(f, "nope", NULL, NULL, NULL), LOOKUP_ABSENT);
    assert_int_equal(find(f, "flow", NULL, NULL, NULL), LOOKUP_ABSENT);
    assert_int_equal(find(f, "t", NULL, NULL, NULL), LOOKUP_LOOP);
    assert_int_equal(find(f, "t", "x", NULL, NULL), LOOKUP_LOOP);
    assert_int_equal(find(f, "t", "z", NULL, NULL), LOOKUP_ABSENT);
    assert_int_equal(find(f, "t", "x", "2", &value), LOOKUP_FOUND);
    assert_str_equal(value, STR("2"));
    assert_int_equal(find(f, "t", "x", "3", NULL), LOOKUP_ABSENT);
    assert_int_equal(find(f, "deep", "y", "1", NULL), LOOKUP_FOUND);
    assert_int_equal(find(f, "inner", "y", NULL, NULL), LOOKUP_FOUND);
    Str *keys;
    Str given = STR("x");
    assert_int_equal(engine_find_keys(f->driver.engine, STR("t"), NULL, 0, &f->driver.arena, &keys),
                     2);
    assert_str_equal(keys[1], STR("y"));
    assert_int_equal(
        engine_find_keys(f->driver.engine, STR("t"), &given, 1, &f->driver.arena, &keys), 2);
    assert_str_equal(keys[0], STR("1"));
    assert_int_equal(
        engine_find_keys(f->driver.engine, STR("last"), NULL, 0, &f->driver.arena, &keys), 0);
}

static void parents_tell_value_and_iteration(void **state) {
    Fixture *f = *state;
    make_nested(f);
    Str values[2] = {STR("x"), STR("2")};
    TaskRunView deep, parent;
    assert_int_equal(engine_find_run(f->driver.engine, STR("deep"), values, 2, &deep),
                     LOOKUP_FOUND);
    assert_false(deep.has_value);
    assert_true(engine_run(f->driver.engine, deep.parent, &parent));
    assert_str_equal(parent.task, STR("group"));
    assert_str_equal(parent.value, STR("2"));
    assert_int_equal(parent.iteration, 1);
    assert_true(engine_run(f->driver.engine, parent.parent, &parent));
    assert_str_equal(parent.task, STR("inner"));
    assert_str_equal(parent.value, STR("x"));
}

static void frames_tell_value_and_index_outwards(void **state) {
    Fixture *f = *state;
    make_nested(f);
    Str values[2] = {STR("y"), STR("1")};
    TaskRunView deep;
    FrameView frame;
    assert_int_equal(engine_find_run(f->driver.engine, STR("deep"), values, 2, &deep),
                     LOOKUP_FOUND);
    assert_true(engine_frame_of(f->driver.engine, deep.id, &frame));
    assert_str_equal(frame.value, STR("1"));
    assert_int_equal(frame.index, 0);
    assert_true(engine_frame(f->driver.engine, frame.parent, &frame));
    assert_str_equal(frame.value, STR("y"));
    assert_int_equal(frame.index, 1);
    RunId none = {{0}};
    assert_memory_equal(&frame.parent, &none, sizeof none);
    assert_false(engine_frame(f->driver.engine, none, &frame));
    TaskRunView last = view_of(f, "last");
    assert_false(engine_frame_of(f->driver.engine, last.id, &frame));
}

static void the_nearest_run_is_that_of_the_same_iteration(void **state) {
    Fixture *f = *state;
    Item *loop = item_add(&f->flow, &f->flow.root->body, NODE_LOOP, "loop");
    loop->a = CONSTANT("[\"x\",\"x\"]");
    loop->limit = 1;
    add_task(&f->flow, &loop->body, "a");
    add_task(&f->flow, &loop->body, "b");
    add_task(&f->flow, &f->flow.root->body, "c");
    begin(f);
    run_on(f);
    TaskRunView b, a;
    assert_true(engine_run_at(f->driver.engine, 4, &b));
    assert_str_equal(b.task, STR("b"));
    assert_int_equal(b.iteration, 1);
    assert_int_equal(engine_find_near(f->driver.engine, b.id, STR("a"), &a), LOOKUP_FOUND);
    assert_int_equal(a.iteration, 1);
    assert_int_equal(engine_find_near(f->driver.engine, b.id, STR("c"), &a), LOOKUP_FOUND);
    TaskRunView c = view_of(f, "c");
    assert_int_equal(engine_find_near(f->driver.engine, c.id, STR("a"), &a), LOOKUP_ABSENT);
}

static void loop_until_needs_no_value(void **state) {
    Fixture *f = *state;
    Item *loop = item_add(&f->flow, &f->flow.root->body, NODE_LOOP_UNTIL, "until");
    loop->a = LEAF("pass>3");
    loop->b = CONSTANT("{\"interval\":\"PT1S\"}");
    add_task(&f->flow, &loop->body, "a");
    begin(f);
    run_on(f);
    TaskRunView a;
    assert_int_equal(engine_find_run(f->driver.engine, STR("a"), NULL, 0, &a), LOOKUP_FOUND);
    assert_false(a.has_value);
    assert_int_equal(a.iteration, 2);
    assert_int_equal(engine_run_count(f->driver.engine), 2);
    FrameView frame;
    assert_false(engine_frame_of(f->driver.engine, a.id, &frame));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(runs_are_found_by_the_values_of_their_loops),
        TEST(parents_tell_value_and_iteration),
        TEST(frames_tell_value_and_index_outwards),
        TEST(the_nearest_run_is_that_of_the_same_iteration),
        TEST(loop_until_needs_no_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
