// kept_test.c - children with a keeper: one at most, whole output, a known end, from any process.
#include "support/test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "loop/loop.h"
#include "proc/internal.h"

typedef struct World {
    Loop *loop;
    Procs *procs;
    Arena arena;
    char folder[64], files[80];
    Buffer output, error;
    KeptEnd end;
    uint32_t ended;
    Kept *kept;
} World;

static void on_bytes(void *self, ProcStream stream, Str bytes) {
    World *world = self;
    buffer_add(stream == PROC_STDOUT ? &world->output : &world->error, bytes);
}

static void on_end(void *self, const KeptEnd *end) {
    World *world = self;
    world->end = *end;
    world->ended++;
    world->kept = NULL;
    loop_stop(world->loop);
}

static int setup(void **state) {
    World *world = heap_alloc(1, sizeof *world);
    snprintf(world->folder, sizeof world->folder, "/tmp/flow-kept-XXXXXX");
    if (mkdtemp(world->folder) == NULL) return -1;
    snprintf(world->files, sizeof world->files, "%s/.kept", world->folder);
    if (mkdir(world->files, 0700) != 0) return -1;
    Err err = loop_new(&world->loop);
    if (err.code == ERR_NONE) err = procs_new(world->loop, NULL, &world->procs);
    *state = world;
    return err.code == ERR_NONE ? 0 : -1;
}

static int teardown(void **state) {
    World *world = *state;
    keep_leave(world->kept);
    procs_free(world->procs);
    loop_free(world->loop);
    Err err = dir_remove(world->folder);
    (void)err.code;
    arena_release(&world->arena);
    buffer_release(&world->output);
    buffer_release(&world->error);
    heap_free(world);
    return 0;
}

static const char *const env[] = {"PATH=/usr/local/bin:/usr/bin:/bin", NULL};

static KeptCallbacks callbacks_of(World *world) {
    return (KeptCallbacks){.bytes = on_bytes, .ended = on_end, .self = world};
}

static void start_shell(World *world, const char *script) {
    const char *argv[] = {"/bin/sh", "-c", script, NULL};
    KeepStart start = {
        .process = {.argv = argv, .env = env, .folder = world->folder},
        .folder = world->files,
        .grace_ms = 200
    };
    KeptCallbacks callbacks = callbacks_of(world);
    assert_ok(keep_start(world->procs, &start, &callbacks, &world->kept));
}

static bool attach(World *world) {
    KeepStart start = {.folder = world->files, .grace_ms = 200};
    KeptCallbacks callbacks = callbacks_of(world);
    assert_ok(keep_attach(world->procs, &start, &callbacks, &world->kept));
    return world->kept != NULL;
}

static Str file_text(World *world, const char *name) {
    Str text = {0};
    Err err = file_read(path_join(&world->arena, str_from(world->folder), str_from(name)).ptr,
                        1 << 20, &world->arena, &text);
    return err.code == ERR_NONE ? text : (Str){0};
}

static void pause_ms(long milliseconds) {
    struct timespec pause = {.tv_nsec = milliseconds * 1000000};
    nanosleep(&pause, NULL);
}

static void wait_for_file(World *world, const char *name) {
    for (int i = 0; i < 500 && file_text(world, name).len == 0; i++) pause_ms(10);
    assert_true(file_text(world, name).len > 0);
}

static void output_and_end_arrive_by_the_files(void **state) {
    World *world = *state;
    start_shell(world, "echo one; echo two >&2; seq 1 20000; exit 3");
    loop_run(world->loop);
    assert_int_equal(world->ended, 1);
    assert_true(world->end.is_known);
    assert_int_equal(world->end.process.code, 3);
    assert_true(str_starts_with(buffer_str(&world->output), STR("one\n1\n2\n")));
    assert_true(str_ends_with(buffer_str(&world->output), STR("\n19999\n20000\n")));
    assert_int_equal(world->output.len, 4 + 108894);
    assert_str_equal(buffer_str(&world->error), STR("two\n"));
}

static void who_comes_later_reads_all_of_it(void **state) {
    World *world = *state;
    start_shell(world, "echo one; sleep 0.3; echo two; echo $$ >> ledger");
    wait_for_file(world, ".kept/claim");
    keep_leave(world->kept);
    world->kept = NULL;
    assert_true(attach(world));
    loop_run(world->loop);
    assert_true(world->end.is_known);
    assert_str_equal(buffer_str(&world->output), STR("one\ntwo\n"));
    buffer_clear(&world->output);
    assert_true(attach(world));  // once more: the result stays until its folder is removed
    loop_run(world->loop);
    assert_int_equal(world->ended, 2);
    assert_true(world->end.is_known);
    assert_str_equal(buffer_str(&world->output), STR("one\ntwo\n"));
    assert_int_equal(str_find_char(file_text(world, "ledger"), '\n', 0) + 1,
                     file_text(world, "ledger").len);
}

static void what_is_given_up_never_begins(void **state) {
    World *world = *state;
    assert_false(attach(world));  // no keeper has made a claim
    start_shell(world, "echo begun > ledger");
    loop_run(world->loop);
    assert_false(world->end.is_known);
    assert_false(world->end.has_begun);
    assert_int_equal(file_text(world, "ledger").len, 0);
    assert_false(attach(world));
}

static void a_folder_that_was_never_made_is_no_child(void **state) {
    World *world = *state;
    assert_int_equal(rmdir(world->files), 0);
    assert_false(attach(world));
}

static void a_stop_reaches_the_child_and_its_offspring(void **state) {
    World *world = *state;
    start_shell(world, "trap 'echo told; exit 7' TERM; (trap '' TERM; sleep 4719.5) & "
                       "echo up > up; while :; do sleep 0.02; done");
    wait_for_file(world, "up");
    keep_stop(world->kept);
    loop_run(world->loop);
    assert_true(world->end.is_known);
    assert_true(world->end.process.was_stopped);
    assert_int_equal(world->end.process.code, 7);
    assert_str_equal(buffer_str(&world->output), STR("told\n"));
    assert_int_equal(system("pgrep -f 'sleep 4719[.]5' >/dev/null"), 256);
}

static void a_keeper_that_is_killed_takes_its_child_along(void **state) {
    World *world = *state;
    start_shell(world, "echo up > up; echo said; sleep 4719.6; echo never");
    wait_for_file(world, "up");
    Str claim = file_text(world, ".kept/claim");
    assert_int_equal(kill((pid_t)strtol(claim.ptr, NULL, 10), SIGKILL), 0);
    loop_run(world->loop);
    assert_false(world->end.is_known);
    assert_true(world->end.has_begun);
    assert_int_equal(system("pgrep -f 'sleep 4719[.]6' >/dev/null"), 256);
}

static void a_program_that_is_not_there_is_a_known_end(void **state) {
    World *world = *state;
    const char *argv[] = {"no-such-program", NULL};
    KeepStart start = {
        .process = {.argv = argv, .env = env, .folder = world->folder},
          .folder = world->files
    };
    KeptCallbacks callbacks = callbacks_of(world);
    assert_ok(keep_start(world->procs, &start, &callbacks, &world->kept));
    loop_run(world->loop);
    assert_true(world->end.is_known);
    assert_int_equal(world->end.failure.code, ERR_NOT_FOUND);
    assert_non_null(strstr(world->end.failure.text, "'no-such-program' not found on PATH"));
}

static void output_that_cannot_be_written_is_counted(void **state) {
    World *world = *state;
    struct rlimit before = {0};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit small = {.rlim_cur = 100000, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    start_shell(world, "head -c 300000 /dev/zero; exit 4");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    loop_run(world->loop);
    assert_true(world->end.is_known);
    assert_int_equal(world->end.process.code, 4);
    assert_true(world->end.lost > 150000);
    assert_int_equal(world->output.len + world->end.lost, 300000);
}

static void shout(void *self, ProcStream stream, Str bytes, bool is_end, Buffer *out) {
    (void)self;
    (void)stream;
    for (size_t i = 0; i < bytes.len; i++) {
        char c = bytes.ptr[i];
        buffer_add_char(out, c >= 'a' && c <= 'z' ? (char)(c - 32) : c);
    }
    if (is_end) buffer_add_char(out, '!');
}

static void only_what_the_filter_lets_through_is_written(void **state) {
    World *world = *state;
    const char *argv[] = {"/bin/echo", "quiet", NULL};
    KeepStart start = {
        .process = {.argv = argv, .env = env, .folder = world->folder},
        .folder = world->files,
        .filter = shout
    };
    KeptCallbacks callbacks = callbacks_of(world);
    assert_ok(keep_start(world->procs, &start, &callbacks, &world->kept));
    loop_run(world->loop);
    assert_str_equal(buffer_str(&world->output), STR("QUIET\n!"));
    assert_true(str_find(file_text(world, ".kept/output"), STR("quiet"), 0) == STR_NOT_FOUND);
}

// The outer process sweeps what the engine left, but not the keeper.
static void the_outer_process_spares_keepers(void **state) {
    World *world = *state;
    const char *argv[] = {"/bin/sh", "-c", "echo up > up; sleep 0.5; echo through", NULL};
    pid_t outer = fork();
    assert_true(outer >= 0);
    if (outer == 0) {
        ProcSpared *spared = NULL;
        Loop *loop = NULL;
        Procs *procs = NULL;
        Err err = proc_supervise(&spared);
        if (err.code == ERR_NONE) err = loop_new(&loop);
        if (err.code == ERR_NONE) err = procs_new(loop, NULL, &procs);
        if (err.code != ERR_NONE) _exit(1);
        procs_set_spared(procs, spared);
        KeepStart start = {
            .process = {.argv = argv, .env = env, .folder = world->folder},
              .folder = world->files
        };
        KeptCallbacks callbacks = callbacks_of(world);
        err = keep_start(procs, &start, &callbacks, &world->kept);
        if (err.code == ERR_NONE && fork() == 0) {
            setsid();
            execlp("sleep", "sleep", "4719.7", (char *)NULL);
            _exit(1);
        }
        for (int i = 0; i < 500 && file_text(world, "up").len == 0; i++) pause_ms(10);
        raise(SIGKILL);
    }
    int status = 0;
    assert_int_equal(waitpid(outer, &status, 0), outer);
    assert_int_equal(system("pgrep -f 'sleep 4719[.]7' >/dev/null"), 256);
    assert_true(attach(world));
    loop_run(world->loop);
    assert_true(world->end.is_known);
    assert_str_equal(buffer_str(&world->output), STR("through\n"));
}

static void as_many_keepers_as_there_are_are_spared(void **state) {
    (void)state;
    enum { KEEPERS = 2000 };
    ProcSpared *spared = NULL;
    assert_ok(proc_spared_new(&spared));
    for (int i = 1; i <= KEEPERS; i++) assert_true(spared_add(spared, i, (uint64_t)i * 3));
    spared_remove(spared, 7);
    for (int i = 1; i <= KEEPERS; i++) {
        ProcEntry same = {.pid = i, .start = (uint64_t)i * 3};
        ProcEntry later = {.pid = i, .start = (uint64_t)i * 3 + 1};
        assert_int_equal(spared_has(spared, &same), i != 7);
        assert_false(spared_has(spared, &later));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(output_and_end_arrive_by_the_files),
        TEST(who_comes_later_reads_all_of_it),
        TEST(what_is_given_up_never_begins),
        TEST(a_folder_that_was_never_made_is_no_child),
        TEST(a_stop_reaches_the_child_and_its_offspring),
        TEST(a_keeper_that_is_killed_takes_its_child_along),
        TEST(a_program_that_is_not_there_is_a_known_end),
        TEST(output_that_cannot_be_written_is_counted),
        TEST(only_what_the_filter_lets_through_is_written),
        TEST(the_outer_process_spares_keepers),
        TEST(as_many_keepers_as_there_are_are_spared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
