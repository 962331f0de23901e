// loop_test.c - order and lifetime of what the loop calls.
#include "support/test.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "loop/loop.h"

typedef struct World {
    Loop *loop;
    LoopTimer *timer, *other;
    LoopWatch *watch;
    LoopSignal *signal;
    int fds[2];
    char told[64];
} World;

static void tell(World *world, const char *word) {
    strncat(world->told, word, sizeof world->told - strlen(world->told) - 1);
}

static int setup(void **state) {
    static World world;
    memset(&world, 0, sizeof world);
    world.fds[0] = world.fds[1] = -1;
    Err err = loop_new(&world.loop);
    *state = &world;
    return err.code != ERR_NONE;
}

static int teardown(void **state) {
    World *world = *state;
    loop_free(world->loop);
    if (world->fds[0] >= 0) close(world->fds[0]);
    if (world->fds[1] >= 0) close(world->fds[1]);
    return 0;
}

static void say_a(void *self) {
    tell(self, "a");
}
static void say_b(void *self) {
    tell(self, "b");
}
static void say_and_stop(void *self) {
    World *world = self;
    tell(world, "s");
    loop_stop(world->loop);
}
static void free_itself(void *self) {
    World *world = self;
    tell(world, "f");
    loop_timer_free(world->timer);
}
static void defer_again(void *self) {
    World *world = self;
    tell(world, "1");
    loop_defer(world->loop, say_a, world);
}
static void cancel_others(void *self) {
    World *world = self;
    loop_defer_cancel(world->loop, world->told);
    tell(world, "c");
}

static void an_empty_loop_ends_at_once(void **state) {
    World *world = *state;
    assert_false(loop_run(world->loop));
}

static void timers_fire_in_order_of_time(void **state) {
    World *world = *state;
    world->timer = loop_timer_new(world->loop, say_b, world);
    world->other = loop_timer_new(world->loop, say_a, world);
    loop_timer_start(world->timer, 20);
    loop_timer_start(world->other, 1);
    assert_false(loop_run(world->loop));
    assert_string_equal(world->told, "ab");
}

static void a_timer_may_free_itself(void **state) {
    World *world = *state;
    world->timer = loop_timer_new(world->loop, free_itself, world);
    loop_timer_start(world->timer, 0);
    loop_run(world->loop);
    assert_string_equal(world->told, "f");
}

static void a_background_timer_does_not_keep_the_loop(void **state) {
    World *world = *state;
    world->timer = loop_timer_new(world->loop, say_a, world);
    loop_timer_set_background(world->timer);
    loop_timer_start(world->timer, 60000);
    assert_false(loop_run(world->loop));
    assert_string_equal(world->told, "");
}

static void deferred_calls_run_in_order_and_never_inside(void **state) {
    World *world = *state;
    loop_defer(world->loop, defer_again, world);
    loop_defer(world->loop, say_b, world);
    assert_string_equal(world->told, "");
    loop_run(world->loop);
    assert_string_equal(world->told, "1ba");
}

static void a_deferred_call_can_be_dropped_by_an_earlier_one(void **state) {
    World *world = *state;
    loop_defer(world->loop, cancel_others, world);
    loop_defer(world->loop, say_a, world->told);  // the other self
    loop_run(world->loop);
    assert_string_equal(world->told, "c");
}

static void stop_makes_run_return(void **state) {
    World *world = *state;
    world->timer = loop_timer_new(world->loop, say_b, world);
    loop_timer_start(world->timer, 60000);
    loop_defer(world->loop, say_and_stop, world);
    assert_true(loop_run(world->loop));
    assert_string_equal(world->told, "s");
}

static void one_round_waits_no_longer_than_told(void **state) {
    World *world = *state;
    world->timer = loop_timer_new(world->loop, say_b, world);
    loop_timer_start(world->timer, 60000);
    assert_true(loop_run_once(world->loop, 5));
    assert_string_equal(world->told, "");
}

static void read_one(void *self, int fd, unsigned events) {
    World *world = self;
    char byte[2] = "";
    ssize_t got = read(fd, byte, 1);
    assert_int_equal(events, LOOP_READABLE);
    tell(world, got == 1 ? byte : "end");
    if (got == 0) loop_watch_free(world->watch);
}

static void a_watch_tells_bytes_and_the_end(void **state) {
    World *world = *state;
    assert_int_equal(pipe(world->fds), 0);
    assert_ok(loop_watch_new(world->loop, world->fds[0], read_one, world, &world->watch));
    loop_watch_set(world->watch, LOOP_READABLE);
    assert_int_equal(write(world->fds[1], "xy", 2), 2);
    close(world->fds[1]);
    world->fds[1] = -1;
    loop_run(world->loop);
    assert_string_equal(world->told, "xyend");
}

static void a_regular_file_cannot_be_watched(void **state) {
    World *world = *state;
    FILE *file = tmpfile();
    Err err = loop_watch_new(world->loop, fileno(file), read_one, world, &world->watch);
    fclose(file);
    assert_int_equal(err.code, ERR_SYSTEM);
}

static void a_signal_comes_as_a_call(void **state) {
    World *world = *state;
    assert_ok(loop_signal_new(world->loop, SIGUSR1, say_and_stop, world, &world->signal));
    world->timer = loop_timer_new(world->loop, say_b, world);
    loop_timer_start(world->timer, 60000);
    raise(SIGUSR1);
    assert_true(loop_run(world->loop));
    assert_string_equal(world->told, "s");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_empty_loop_ends_at_once),
        TEST(timers_fire_in_order_of_time),
        TEST(a_timer_may_free_itself),
        TEST(a_background_timer_does_not_keep_the_loop),
        TEST(deferred_calls_run_in_order_and_never_inside),
        TEST(a_deferred_call_can_be_dropped_by_an_earlier_one),
        TEST(stop_makes_run_return),
        TEST(one_round_waits_no_longer_than_told),
        TEST(a_watch_tells_bytes_and_the_end),
        TEST(a_regular_file_cannot_be_watched),
        TEST(a_signal_comes_as_a_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
