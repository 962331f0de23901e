// log_test.c - lines come back as they were written, and the file survives a torn end.
#include "support/test.h"

#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "log/log.h"

typedef struct World {
    char path[64];
    Arena arena;
    Buffer out;
    LogFile *file;
} World;

static int setup(void **state) {
    static World world;
    memset(&world, 0, sizeof world);
    snprintf(world.path, sizeof world.path, "/tmp/flow-log-%d.jsonl", (int)getpid());
    unlink(world.path);
    *state = &world;
    return 0;
}

static int teardown(void **state) {
    World *world = *state;
    log_file_close(world->file);
    buffer_release(&world->out);
    arena_release(&world->arena);
    unlink(world->path);
    return 0;
}

static void a_line_comes_back_as_it_was_written(void **state) {
    World *world = *state;
    LogLine line = {.time_ms = 1700000000123,
                    .level = LOG_WARN,
                    .task = STR("build"),
                    .run = STR("0123"),
                    .attempt = 2,
                    .message = STR("two\nlines \"quoted\" é")};
    log_line_write(&line, &world->out);
    assert_str_equal(buffer_str(&world->out),
                     STR("{\"date\":\"2023-11-14T22:13:20.123Z\",\"level\":\"WARN\",\"taskId\":"
                         "\"build\",\"taskRunId\":\"0123\",\"attempt\":2,\"message\":\"two\\nlines "
                         "\\\"quoted\\\" é\"}\n"));
    LogLine read = {0};
    assert_true(log_line_read(str_trim(buffer_str(&world->out)), &world->arena, &read));
    assert_int_equal(read.time_ms, line.time_ms);
    assert_int_equal(read.level, LOG_WARN);
    assert_int_equal(read.attempt, 2);
    assert_str_equal(read.message, line.message);
}

static void a_long_message_is_split_between_characters(void **state) {
    World *world = *state;
    buffer_add_repeat(&world->out, 'x', LOG_MESSAGE_MAX - 1);
    buffer_add(&world->out, STR("é"));
    Str rest = buffer_str(&world->out);
    Str piece = {0};
    assert_true(log_split(&rest, &piece));
    assert_int_equal(piece.len, LOG_MESSAGE_MAX - 1);
    assert_true(log_split(&rest, &piece));
    assert_str_equal(piece, STR("é"));
    assert_false(log_split(&rest, &piece));
}

static void an_empty_message_is_one_line(void **state) {
    (void)state;
    Str rest = STR("");
    Str piece = {0};
    assert_true(log_split(&rest, &piece));
    assert_false(log_split(&rest, &piece));
}

static void a_torn_last_line_is_cut_off(void **state) {
    World *world = *state;
    assert_ok(file_write(world->path, STR("{\"a\":1}\n{\"b\":"), 0600));
    assert_ok(log_file_open(world->path, &world->file));
    assert_int_equal(log_file_size(world->file), 8);
    assert_ok(log_file_add(world->file, STR("{\"c\":3}\n")));
    Str bytes = {0};
    assert_ok(file_read(world->path, 1000, &world->arena, &bytes));
    assert_str_equal(bytes, STR("{\"a\":1}\n{\"c\":3}\n"));
}

static void levels_are_read_in_any_case(void **state) {
    (void)state;
    LogLevel level = LOG_INFO;
    assert_true(log_level_from(STR("warning"), &level));
    assert_int_equal(level, LOG_WARN);
    assert_true(log_level_from(STR("Debug"), &level));
    assert_int_equal(level, LOG_DEBUG);
    assert_false(log_level_from(STR("loud"), &level));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_line_comes_back_as_it_was_written), TEST(a_long_message_is_split_between_characters),
        TEST(an_empty_message_is_one_line),        TEST(a_torn_last_line_is_cut_off),
        TEST(levels_are_read_in_any_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
