// command_test.c - what a person can do to an execution, and when it is refused
// (flow-language.md 5.5, 5.6).
#include "engine/fixture.h"

static Command restart(void) {
    return (Command){.kind = COMMAND_RESTART};
}

static Item *make_pause(Fixture *f, const char *rule) {
    Item *pause = item_add(&f->flow, &f->flow.root->body, NODE_PAUSE, "p");
    pause->a = CONSTANT(rule);
    return pause;
}

// --- kill ---------------------------------------------------------------------------------------

static void a_kill_leaves_nothing_running(void **state) {
    Fixture *f = *state;
    Item *group = item_add(&f->flow, &f->flow.root->body, NODE_PARALLEL, "g");
    add_task(&f->flow, &group->body, "a");
    add_task(&f->flow, &group->body, "b");
    add_task(&f->flow, &f->flow.root->body, "never");
    add_task(&f->flow, &f->flow.root->errors, "e");
    add_task(&f->flow, &f->flow.root->finally, "f");
    add_task(&f->flow, &f->flow.root->extra, "x");
    begin(f);
    f->driver.delay = 1000;
    at(f, 100, (Command){.kind = COMMAND_KILL});
    finish(f, STATE_KILLED, STR("g KILLED, a KILLED, b KILLED, x SUCCESS"));
    assert_str_equal(history_of(f, NULL), STR("CREATED RUNNING KILLING KILLED"));
    assert_int_equal(count_actions(f, ACTION_CANCEL), 2);
    assert_refused(f, (Command){.kind = COMMAND_KILL}, "execution 'execution' is already KILLED");
}

// kestra 21126: a kill while LoopUntil waits for its next pass.
static void a_kill_ends_what_waits_at_once(void **state) {
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        test_row((size_t)kind);
        Fixture f = {0};
        flow_init(&f.flow);
        if (kind == 0) {
            Item *loop = item_add(&f.flow, &f.flow.root->body, NODE_LOOP_UNTIL, "w");
            loop->a = LEAF("false");
            add_task(&f.flow, &loop->body, "a")->flags = NODE_PURE;
        } else if (kind == 1) {
            item_add(&f.flow, &f.flow.root->body, NODE_PAUSE, "w")->a =
                CONSTANT("{\"pauseDuration\":\"PT1H\"}");
        } else {
            item_add(&f.flow, &f.flow.root->body, NODE_TIMER, "w")->props =
                CONSTANT("{\"duration\":\"PT1H\"}");
        }
        begin(&f);
        at(&f, 500, (Command){.kind = COMMAND_KILL});
        run_on(&f);
        assert_state(&f, STATE_KILLED);
        const StateChange *changes = NULL;
        uint32_t count = engine_history(f.driver.engine, (RunId){{0}}, &changes);
        assert_int_equal(changes[count - 1].time_ms, 1500);
        driver_release(&f.driver);
        flow_release(&f.flow);
    }
}

// --- pause and resume ---------------------------------------------------------------------------

// kestra 18507: resumed by hand, then the left-over timer resumes again and wipes the values.
static void a_timer_behind_a_resume_changes_nothing(void **state) {
    Fixture *f = *state;
    make_pause(f, "{\"pauseDuration\":\"PT10S\",\"behavior\":\"FAIL\"}");
    item_add(&f->flow, &f->flow.root->body, NODE_TIMER, "s")->props =
        CONSTANT("{\"duration\":\"PT20S\"}");
    begin(f);
    Command resume = {.kind = COMMAND_RESUME, .value = value_map(&f->driver.arena)};
    value_map_set(&f->driver.arena, resume.value, STR("asked"), value_text(STR("yes")));
    at(f, 5000, resume);
    finish(f, STATE_SUCCESS, STR("p SUCCESS, s SUCCESS"));
    assert_outputs(f, "p",
                   "{\"resumed\":{\"on\":\"1970-01-01T00:00:06.000Z\",\"to\":\"SUCCESS\"},"
                   "\"onResume\":{\"asked\":\"yes\"}}");
    assert_str_equal(history_of(f, "p"), STR("CREATED RUNNING PAUSED RUNNING SUCCESS"));
    assert_str_equal(history_of(f, NULL), STR("CREATED RUNNING PAUSED RESTARTED RUNNING SUCCESS"));
}

static void resume_takes_a_task_or_the_first_pause(void **state) {
    Fixture *f = *state;
    Item *group = item_add(&f->flow, &f->flow.root->body, NODE_PARALLEL, "g");
    item_add(&f->flow, &group->body, NODE_PAUSE, "p1");
    item_add(&f->flow, &group->body, NODE_PAUSE, "p2");
    add_task(&f->flow, &group->body, "a");
    begin(f);
    run_on(f);
    assert_state(f, STATE_PAUSED);
    assert_refused(f, (Command){.kind = COMMAND_RESUME, .task = STR("a")},
                   "task 'a' is not paused, its state is SUCCESS");
    assert_refused(f, (Command){.kind = COMMAND_RESUME, .task = STR("b")},
                   "no task run 'b' in execution 'execution'");
    tell(f, (Command){.kind = COMMAND_RESUME, .task = STR("p2")});
    run_on(f);
    assert_state(f, STATE_PAUSED);
    assert_str_equal(driver_runs(&f->driver), STR("g RUNNING, p1 PAUSED, p2 SUCCESS, a SUCCESS"));
    tell(f, (Command){.kind = COMMAND_RESUME});
    finish(f, STATE_SUCCESS, STR("g SUCCESS, p1 SUCCESS, p2 SUCCESS, a SUCCESS"));
    assert_refused(f, (Command){.kind = COMMAND_RESUME},
                   "execution 'execution' is not paused, can't resume it");
}

static void a_pause_of_the_whole_starts_nothing_new(void **state) {
    Fixture *f = *state;
    add_task(&f->flow, &f->flow.root->body, "a");
    add_task(&f->flow, &f->flow.root->body, "b");
    begin(f);
    f->driver.delay = 100;
    at(f, 50, (Command){.kind = COMMAND_PAUSE});
    run_on(f);
    assert_state(f, STATE_PAUSED);
    assert_str_equal(driver_runs(&f->driver), STR("a SUCCESS"));
    assert_refused(f, (Command){.kind = COMMAND_PAUSE},
                   "the execution is not running, its state is PAUSED");
    tell(f, (Command){.kind = COMMAND_RESUME});
    finish(f, STATE_SUCCESS, STR("a SUCCESS, b SUCCESS"));
}

static void a_queued_execution_waits_until_it_is_let_go(void **state) {
    Fixture *f = *state;
    add_task(&f->flow, &f->flow.root->body, "a");
    flow_build(&f->flow);
    f->driver = (Driver){.flow = &f->flow, .now = 1000, .engine = engine_new(&f->flow.plan)};
    driver_apply(&f->driver,
                 (Event){.kind = EVENT_CREATED, .id = STR("execution"), .state = STATE_QUEUED});
    run_on(f);
    assert_state(f, STATE_QUEUED);
    tell(f, (Command){.kind = COMMAND_FORCE_RUN});
    finish(f, STATE_SUCCESS, STR("a SUCCESS"));
    assert_str_equal(history_of(f, NULL), STR("CREATED QUEUED RUNNING SUCCESS"));
}

static void a_refused_execution_is_over_at_once(void **state) {
    Fixture *f = *state;
    add_task(&f->flow, &f->flow.root->body, "a");
    add_task(&f->flow, &f->flow.root->extra, "x");
    flow_build(&f->flow);
    f->driver = (Driver){.flow = &f->flow, .now = 1000, .engine = engine_new(&f->flow.plan)};
    driver_apply(&f->driver, (Event){.kind = EVENT_CREATED,
                                     .id = STR("execution"),
                                     .state = STATE_CANCELLED,
                                     .text = STR("the limit is reached")});
    finish(f, STATE_CANCELLED, STR(""));
    EngineReason reason;
    assert_true(engine_reason(f->driver.engine, &reason));
    assert_str_equal(reason.message, STR("the limit is reached"));
}

// --- restart ------------------------------------------------------------------------------------

static void a_restart_runs_what_failed_and_what_follows(void **state) {
    Fixture *f = *state;
    add_task(&f->flow, &f->flow.root->body, "a");
    Item *group = item_add(&f->flow, &f->flow.root->body, NODE_SEQUENCE, "g");
    add_task(&f->flow, &group->body, "b");
    add_task(&f->flow, &group->body, "c");
    add_task(&f->flow, &group->errors, "ge");
    add_task(&f->flow, &f->flow.root->errors, "e");
    add_task(&f->flow, &f->flow.root->finally, "f");
    begin(f);
    assert_refused(f, restart(),
                   "execution must be terminated to be restarted, current state is 'CREATED'");
    driver_script(&f->driver, "b", "FS");
    finish(f, STATE_FAILED, STR("a SUCCESS, g FAILED, b FAILED, ge SUCCESS, e SUCCESS, f SUCCESS"));
    EngineReason reason;
    assert_true(engine_reason(f->driver.engine, &reason));
    assert_str_equal(reason.task, STR("b"));
    tell(f, restart());
    assert_state(f, STATE_RESTARTED);
    assert_str_equal(driver_runs(&f->driver), STR("a SUCCESS, g RUNNING, b RESTARTED"));
    finish(f, STATE_SUCCESS, STR("a SUCCESS, g SUCCESS, b SUCCESS, c SUCCESS, f SUCCESS"));
    assert_int_equal(view_of(f, "b").attempts, 2);
    assert_int_equal(engine_attempt(f->driver.engine), 2);
    assert_str_equal(
        value_map_get_text(*engine_labels(f->driver.engine), STR("system.restarted"), STR("")),
        STR("true"));
    assert_refused(f, restart(), "no task found to restart execution 'execution' from");
}

static void a_working_directory_restarts_as_a_whole(void **state) {
    Fixture *f = *state;
    Item *group = item_add(&f->flow, &f->flow.root->body, NODE_SEQUENCE, "wd");
    group->flags = NODE_WORKDIR;
    add_task(&f->flow, &group->body, "a");
    add_task(&f->flow, &group->body, "b");
    begin(f);
    driver_script(&f->driver, "b", "F");
    finish(f, STATE_FAILED, STR("wd FAILED, a SUCCESS, b FAILED"));
    tell(f, restart());
    assert_str_equal(history_of(f, "wd"), STR("CREATED RUNNING FAILED RESTARTED"));
    assert_str_equal(history_of(f, NULL), STR("CREATED RUNNING FAILED RESTARTED"));
    assert_str_equal(driver_runs(&f->driver), STR("wd RESTARTED"));
    run_on(f);
    assert_str_equal(driver_runs(&f->driver), STR("wd FAILED, a SUCCESS, b FAILED"));
}

static void a_killed_execution_goes_on_where_it_was(void **state) {
    Fixture *f = *state;
    add_task(&f->flow, &f->flow.root->body, "a");
    Item *loop = item_add(&f->flow, &f->flow.root->body, NODE_FOREACH, "each");
    loop->a = CONSTANT("[1,2]");
    loop->limit = 1;
    add_task(&f->flow, &loop->body, "b");
    begin(f);
    f->driver.delay = 100;
    at(f, 250, (Command){.kind = COMMAND_KILL});
    finish(f, STATE_KILLED, STR("a SUCCESS, each KILLED, b[1] SUCCESS, b[2] KILLED"));
    tell(f, restart());
    finish(f, STATE_SUCCESS, STR("a SUCCESS, each SUCCESS, b[1] SUCCESS, b[2] SUCCESS"));
    assert_int_equal(view_of(f, "a").attempts, 1);
}

static void a_restart_inside_a_passed_pause_does_not_pause_again(void **state) {
    Fixture *f = *state;
    Item *pause = make_pause(f, "{\"pauseDuration\":\"PT1S\"}");
    add_task(&f->flow, &pause->body, "in");
    begin(f);
    driver_script(&f->driver, "in", "FS");
    finish(f, STATE_FAILED, STR("p FAILED, in FAILED"));
    tell(f, restart());
    finish(f, STATE_SUCCESS, STR("p SUCCESS, in SUCCESS"));
    assert_str_equal(history_of(f, "p"),
                     STR("CREATED RUNNING PAUSED RUNNING FAILED RUNNING SUCCESS"));
}

static void a_restart_of_a_subflow_restarts_the_child(void **state) {
    (void)state;
    for (int anew = 0; anew < 2; anew++) {
        Fixture f = {0};
        flow_init(&f.flow);
        Item *item = item_add(&f.flow, &f.flow.root->body, NODE_SUBFLOW, "sub");
        item->b = LEAF("{\"flowId\":\"child\"}");
        item->flags = NODE_WAIT | NODE_TRANSMIT_FAILED | (anew ? NODE_RESTART_NEW : 0);
        begin(&f);
        driver_script(&f.driver, "sub", "FS");
        finish(&f, STATE_FAILED, STR("sub FAILED"));
        tell(&f, restart());
        finish(&f, STATE_SUCCESS, STR("sub SUCCESS"));
        ChildView child;
        assert_int_equal(count_actions(&f, ACTION_SIGNAL_CHILD), anew ? 0 : 1);
        assert_int_equal(engine_child_at(f.driver.engine, 1, &child), anew);
        driver_release(&f.driver);
        flow_release(&f.flow);
    }
}

// --- replay -------------------------------------------------------------------------------------

static void replay(Fixture *f, Driver *other, const char *task, State state, const char *before,
                   const char *after) {
    Events events = {0};
    Command command = {
        .kind = COMMAND_REPLAY, .task = str_from(task), .new_id = STR("again"), .now_ms = 9000};
    assert_ok(engine_command(f->driver.engine, &command, &f->driver.arena, &events));
    *other = (Driver){.flow = &f->flow, .seed = 1, .now = 9000};
    other->engine = engine_new(&f->flow.plan);
    for (uint32_t i = 0; i < events.count; i++) driver_apply(other, events.items[i]);
    assert_null(engine_fault(other->engine));
    assert_str_equal(driver_runs(other), str_from(before));
    driver_run(other);
    assert_null(other->error);
    assert_int_equal(engine_state(other->engine), state);
    assert_str_equal(driver_runs(other), str_from(after));
    assert_str_equal(value_map_get_text(*engine_created(other->engine), STR("parent"), STR("")),
                     STR("execution"));
}

static void a_replay_keeps_what_came_before(void **state) {
    Fixture *f = *state;
    add_task(&f->flow, &f->flow.root->body, "a");
    Item *group = item_add(&f->flow, &f->flow.root->body, NODE_IF, "g");
    group->a = LEAF("true");
    add_task(&f->flow, &group->body, "b");
    add_task(&f->flow, &group->body, "c");
    add_task(&f->flow, &f->flow.root->body, "d");
    begin(f);
    finish(f, STATE_SUCCESS, STR("a SUCCESS, g SUCCESS, b SUCCESS, c SUCCESS, d SUCCESS"));
    Driver other;
    replay(f, &other, "b", STATE_SUCCESS, "a SUCCESS, g RUNNING, b RESTARTED",
           "a SUCCESS, g SUCCESS, b SUCCESS, c SUCCESS, d SUCCESS");
    TaskRunView kept;
    assert_true(engine_run_at(other.engine, 0, &kept));
    RunId first = view_of(f, "a").id;
    assert_memory_equal(&kept.id, &first, sizeof first);
    assert_int_equal(count_actions(f, ACTION_EVAL), 1);
    for (uint32_t i = 0; i < other.actions.count; i++) {
        assert_int_not_equal(other.actions.items[i].kind, ACTION_EVAL);  // the branch is recorded
    }
    driver_release(&other);
    assert_refused(f, (Command){.kind = COMMAND_REPLAY, .task = STR("zzz"), .new_id = STR("n")},
                   "no task run 'zzz' in execution 'execution'");
}

static void a_replay_in_a_loop_keeps_earlier_values(void **state) {
    Fixture *f = *state;
    Item *loop = item_add(&f->flow, &f->flow.root->body, NODE_FOREACH, "each");
    loop->a = LEAF("[1,2,3]");
    loop->limit = 1;
    add_task(&f->flow, &loop->body, "a");
    add_task(&f->flow, &loop->body, "b");
    begin(f);
    run_on(f);
    assert_refused(f, (Command){.kind = COMMAND_REPLAY, .task = STR("a"), .new_id = STR("n")},
                   "task 'a' stands in a loop: name its iteration as a[value]");
    Driver other;
    replay(f, &other, "b[2]", STATE_SUCCESS,
           "each RUNNING, a[1] SUCCESS, b[1] SUCCESS, a[2] SUCCESS, b[2] RESTARTED",
           "each SUCCESS, a[1] SUCCESS, b[1] SUCCESS, a[2] SUCCESS, b[2] SUCCESS, a[3] SUCCESS, "
           "b[3] SUCCESS");
    driver_release(&other);
}

static void a_replay_of_a_dag_drops_dependants_only(void **state) {
    Fixture *f = *state;
    Item *dag = item_add(&f->flow, &f->flow.root->body, NODE_DAG, "dag");
    Item *a = add_task(&f->flow, &dag->body, "a");
    Item *b = add_task(&f->flow, &dag->body, "b");
    add_task(&f->flow, &dag->body, "c");
    b->deps[b->dep_count++] = a;
    begin(f);
    run_on(f);
    Driver other;
    replay(f, &other, "a", STATE_SUCCESS, "dag RUNNING, a RESTARTED, c SUCCESS",
           "dag SUCCESS, a SUCCESS, c SUCCESS, b SUCCESS");
    driver_release(&other);
}

// --- mark, resolve ------------------------------------------------------------------------------

static void a_marked_run_lets_the_flow_go_on(void **state) {
    Fixture *f = *state;
    add_task(&f->flow, &f->flow.root->body, "a");
    add_task(&f->flow, &f->flow.root->body, "b");
    add_task(&f->flow, &f->flow.root->errors, "e");
    begin(f);
    driver_script(&f->driver, "a", "F");
    finish(f, STATE_FAILED, STR("a FAILED, e SUCCESS"));
    tell(f, (Command){.kind = COMMAND_MARK, .task = STR("a"), .state = STATE_SUCCESS});
    assert_state(f, STATE_RESTARTED);
    finish(f, STATE_SUCCESS, STR("a SUCCESS, b SUCCESS"));
    assert_refused(f, (Command){.kind = COMMAND_MARK, .task = STR("a"), .state = STATE_RUNNING},
                   "a task run cannot be marked RUNNING");
}

static void a_pause_that_is_marked_running_is_resumed(void **state) {
    Fixture *f = *state;
    make_pause(f, "{}");
    begin(f);
    run_on(f);
    tell(f, (Command){.kind = COMMAND_MARK, .task = STR("p"), .state = STATE_RUNNING});
    finish(f, STATE_SUCCESS, STR("p SUCCESS"));
}

static void begin_unknown(Fixture *f) {
    add_task(&f->flow, &f->flow.root->body, "a");
    add_task(&f->flow, &f->flow.root->body, "b");
    begin(f);
    driver_turn(&f->driver);
    driver_perform(&f->driver, 0);  // STARTED
    driver_crash(&f->driver, true);
    assert_null(f->driver.error);
    assert_int_equal(count_actions(f, ACTION_RECOVER), 1);
    const Action *action = &f->driver.pending.items[0].action;
    driver_apply(&f->driver, (Event){.kind = EVENT_UNKNOWN,
                                     .run = action->run,
                                     .attempt = action->attempt,
                                     .text = STR("nobody knows whether it was sent")});
    driver_remove(&f->driver, 0);
    run_on(f);
    assert_state(f, STATE_PAUSED);
    assert_true(view_of(f, "a").is_unknown);
    EngineReason reason;
    assert_true(engine_reason(f->driver.engine, &reason));
    assert_str_equal(reason.message, STR("nobody knows whether it was sent"));
}

static void an_unknown_outcome_waits_for_a_person(void **state) {
    (void)state;
    static const struct {
        State as, end;
        const char *runs;
        int32_t attempts;
    } rows[] = {
        {STATE_SUCCESS, STATE_SUCCESS, "a SUCCESS, b SUCCESS", 1},
        {STATE_FAILED,  STATE_FAILED,  "a FAILED",             1},
        {STATE_CREATED, STATE_SUCCESS, "a SUCCESS, b SUCCESS", 2},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        Fixture f = {0};
        flow_init(&f.flow);
        begin_unknown(&f);
        assert_refused(&f, (Command){.kind = COMMAND_RESUME},
                       "the outcome of task 'a' is unknown: say what it was with 'resolve'");
        Command resolve = {.kind = COMMAND_RESOLVE, .task = STR("a"), .state = rows[i].as};
        if (rows[i].as == STATE_SUCCESS) {
            resolve.value = value_map(&f.driver.arena);
            value_map_set(&f.driver.arena, resolve.value, STR("id"), value_int(7));
        }
        tell(&f, resolve);
        finish(&f, rows[i].end, str_from(rows[i].runs));
        if (rows[i].as == STATE_SUCCESS) assert_outputs(&f, "a", "{\"id\":7}");
        assert_int_equal(view_of(&f, "a").attempts, rows[i].attempts);
        assert_refused(&f, (Command){.kind = COMMAND_RESOLVE, .task = STR("a")},
                       "task 'a' has no unknown outcome");
        driver_release(&f.driver);
        flow_release(&f.flow);
    }
}

static void an_attempt_is_recovered_with_what_it_left(void **state) {
    Fixture *f = *state;
    Item *task = add_task(&f->flow, &f->flow.root->body, "a");
    task->timeout = LEAF("\"PT5S\"");
    begin(f);
    driver_turn(&f->driver);
    driver_perform(&f->driver, 0);  // the timeout
    driver_turn(&f->driver);
    Action start = f->driver.actions.items[f->driver.actions.count - 1];
    assert_int_equal(start.kind, ACTION_START);
    assert_int_equal(start.timeout_ms, 5000);
    driver_perform(&f->driver, 0);  // STARTED
    Value checkpoint = value_map(&f->driver.arena);
    value_map_set(&f->driver.arena, checkpoint, STR("pid"), value_int(42));
    driver_apply(&f->driver,
                 (Event){.kind = EVENT_CHECKPOINT, .run = start.run, .value = checkpoint});
    Engine *engine = driver_refold(&f->driver);
    Actions actions = {0};
    engine_recover(engine, &f->driver.arena, &actions);
    assert_int_equal(actions.count, 1);
    const Action *recover = &actions.items[0];
    assert_int_equal(recover->kind, ACTION_RECOVER);
    assert_int_equal(recover->attempt, 1);
    assert_int_equal(recover->timeout_ms, 5000);
    assert_true(recover->at_ms >= 1000 && recover->at_ms < 1010);
    assert_str_equal(recover->id, start.id);
    assert_true(value_equal(*value_map_get(recover->value, STR("checkpoint")), checkpoint));
    assert_int_equal(value_map_get(recover->value, STR("properties"))->kind, VALUE_MAP);
    engine_free(engine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_kill_leaves_nothing_running),
        cmocka_unit_test(a_kill_ends_what_waits_at_once),
        TEST(a_timer_behind_a_resume_changes_nothing),
        TEST(resume_takes_a_task_or_the_first_pause),
        TEST(a_pause_of_the_whole_starts_nothing_new),
        TEST(a_queued_execution_waits_until_it_is_let_go),
        TEST(a_refused_execution_is_over_at_once),
        TEST(a_restart_runs_what_failed_and_what_follows),
        TEST(a_working_directory_restarts_as_a_whole),
        TEST(a_killed_execution_goes_on_where_it_was),
        TEST(a_restart_inside_a_passed_pause_does_not_pause_again),
        cmocka_unit_test(a_restart_of_a_subflow_restarts_the_child),
        TEST(a_replay_keeps_what_came_before),
        TEST(a_replay_in_a_loop_keeps_earlier_values),
        TEST(a_replay_of_a_dag_drops_dependants_only),
        TEST(a_marked_run_lets_the_flow_go_on),
        TEST(a_pause_that_is_marked_running_is_resumed),
        cmocka_unit_test(an_unknown_outcome_waits_for_a_person),
        TEST(an_attempt_is_recovered_with_what_it_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
