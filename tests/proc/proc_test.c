// proc_test.c - real children: what they print, how they end, and that none gets away.
#include "support/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
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
    char folder[64];
    Buffer output, error;
    ProcEnd end;
    uint32_t ended;
    uint64_t lines;
    Proc *proc;
} World;

static void on_line(void *self, ProcStream stream, Str line, unsigned flags) {
    World *world = self;
    Buffer *out = stream == PROC_STDOUT ? &world->output : &world->error;
    world->lines++;
    if (out->len > (1 << 20)) return;
    buffer_add(out, line);
    if ((flags & LINE_GOES_ON) == 0) buffer_add_char(out, '\n');
}

static void on_end(void *self, const ProcEnd *end) {
    World *world = self;
    world->end = *end;
    world->ended++;
    loop_stop(world->loop);
}

static int setup(void **state) {
    World *world = heap_alloc(1, sizeof *world);
    snprintf(world->folder, sizeof world->folder, "/tmp/flow-proc-XXXXXX");
    if (mkdtemp(world->folder) == NULL) return -1;
    Err err = loop_new(&world->loop);
    if (err.code == ERR_NONE) err = procs_new(world->loop, NULL, &world->procs);
    *state = world;
    return err.code == ERR_NONE ? 0 : -1;
}

static int teardown(void **state) {
    World *world = *state;
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

static const char *const env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:"
                                  "/bin",
                                  "HOME=/tmp", NULL};

static ProcStart start_of(World *world, const char *const *argv) {
    return (ProcStart){
        .argv = argv,
        .env = env,
        .folder = world->folder,
        .callbacks = {.line = on_line, .ended = on_end, .self = world}
    };
}

static void run_shell(World *world, const char *script) {
    const char *argv[] = {"/bin/sh", "-c", script, NULL};
    ProcStart start = start_of(world, argv);
    assert_ok(proc_start(world->procs, &start, &world->proc));
    loop_run(world->loop);
}

static int64_t now_ms(void) {
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Processes whose command line has the word.
static uint32_t count_running(const char *word) {
    uint32_t count = 0;
    DIR *dir = opendir("/proc");
    assert_non_null(dir);
    const struct dirent *entry = NULL;
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
        char path[300];
        snprintf(path, sizeof path, "/proc/%s/cmdline", entry->d_name);
        int fd = open(path, O_RDONLY);
        if (fd < 0) continue;
        char text[4096] = "";
        ssize_t len = read(fd, text, sizeof text - 1);
        close(fd);
        for (ssize_t i = 0; i < len; i++) {
            if (text[i] == '\0') text[i] = ' ';
        }
        if (len > 0 && strstr(text, word) != NULL) count++;
    }
    closedir(dir);
    return count;
}

static void output_and_code_arrive(void **state) {
    World *world = *state;
    run_shell(world, "echo out; echo err >&2; pwd; exit 7");
    assert_int_equal(world->end.code, 7);
    assert_int_equal(world->end.signal, 0);
    assert_str_equal(buffer_str(&world->error), STR("err\n"));
    assert_str_equal(buffer_str(&world->output),
                     str_printf(&world->arena, "out\n%s\n", world->folder));
}

static void death_by_signal_is_128_and_its_number(void **state) {
    World *world = *state;
    run_shell(world, "kill -SEGV $$");
    assert_int_equal(world->end.code, 139);
    assert_int_equal(world->end.signal, SIGSEGV);
}

static void standard_input_is_empty_and_no_other_descriptor_is_passed(void **state) {
    World *world = *state;
    int extra = open("/dev/null", O_RDONLY);
    assert_true(extra >= 0);
    run_shell(world, "cat; for n in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do "
                     "[ -e /proc/$$/fd/$n ] && echo $n; done");
    close(extra);
    assert_str_equal(buffer_str(&world->output), STR("0\n1\n2\n"));
}

static void a_missing_program_is_named_with_the_path_that_was_searched(void **state) {
    World *world = *state;
    const char *argv[] = {"no-such-program", NULL};
    ProcStart start = start_of(world, argv);
    Err err = proc_start(world->procs, &start, &world->proc);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "'no-such-program' not found on PATH (/usr/local/sbin:"));
    assert_int_equal(procs_running(world->procs), 0);
}

static void a_missing_folder_is_named(void **state) {
    World *world = *state;
    const char *argv[] = {"true", NULL};
    ProcStart start = start_of(world, argv);
    start.folder = "/no/such/folder";
    Err err = proc_start(world->procs, &start, &world->proc);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "'/no/such/folder'"));
}

static int launch_fails(void *self, const ProcLaunch *launch, pid_t *pid) {
    (void)self;
    (void)launch;
    (void)pid;
    return EAGAIN;
}

static void a_start_that_fails_leaves_nothing(void **state) {
    World *world = *state;
    Procs *procs = NULL;
    ProcSeam seam = {launch_fails, NULL};
    assert_ok(procs_new(world->loop, &seam, &procs));
    const char *argv[] = {"true", NULL};
    ProcStart start = start_of(world, argv);
    Err err = proc_start(procs, &start, &world->proc);
    assert_int_equal(err.code, ERR_SYSTEM);
    assert_int_equal(procs_running(procs), 0);
    procs_free(procs);
}

static void a_hundred_megabytes_pass_in_constant_memory(void **state) {
    World *world = *state;
    struct rusage before = {0}, after = {0};
    run_shell(world, "echo warm");
    getrusage(RUSAGE_SELF, &before);
    run_shell(world, "yes 0123456789012345678901234567890123456789012345678 | head -c 100000000");
    getrusage(RUSAGE_SELF, &after);
    assert_int_equal(world->end.bytes, 100000000);
    assert_int_equal(world->end.lines, 2000000);
    print_message("grew by %ld KiB\n", after.ru_maxrss - before.ru_maxrss);
#ifndef __SANITIZE_ADDRESS__
    assert_true(after.ru_maxrss - before.ru_maxrss < 4096);
#endif
}

static void a_daemon_that_holds_the_pipe_does_not_hold_the_task(void **state) {
    World *world = *state;
    int64_t begin = now_ms();
    run_shell(world, "sleep 61.25 & echo started");
    int64_t took = now_ms() - begin;
    assert_str_equal(buffer_str(&world->output), STR("started\n"));
    assert_int_equal(world->end.code, 0);
    assert_true(took < 4000);
    assert_int_equal(count_running("sleep 61.25"), 0);
}

static void output_of_a_child_that_ends_soon_is_not_lost(void **state) {
    World *world = *state;
    run_shell(world, "(sleep 0.3; echo late) & echo early");
    assert_str_equal(buffer_str(&world->output), STR("early\nlate\n"));
}

// Each line tries to leave something behind that is named by a sleep of 4711 s and more.
static const struct {
    const char *name, *script;
} escapes[] = {
    {"background",           "sleep 4711.01 & sleep 4711.02"                                          },
    {"nohup",                "nohup sleep 4711.03 >/dev/null 2>&1 & sleep 4711.04"                    },
    {"setsid",               "setsid sleep 4711.05 & sleep 4711.06"                                   },
    {"double fork",          "(setsid sh -c 'sleep 4711.07 & sleep 4711.08 & exit' &) ; sleep 4711.09"},
    {"daemon without pipes",
     "setsid sh -c 'exec </dev/null >/dev/null 2>&1; sleep 4711.10 & exit' & sleep 4711.11"           },
    {"TERM ignored",
     "trap '' TERM; (trap '' TERM; sleep 4711.12) & while :; do sleep 4711.13; done"                  },
    {"stopped child",        "sleep 4711.14 & kill -STOP $!; sleep 4711.15"                           },
    {"stops itself",         "sleep 4711.16 & kill -STOP $$"                                          },
    {"empty environment",
     "env -i setsid sh -c 'env -i setsid sleep 4711.17 & exit' & sleep 4711.18"                       },
    {"fork storm",           "trap '' TERM; b() { setsid sleep 4711.19 & n=$((n + 1)); [ $n -lt 400 ] && b; "
                   "}; n=0; b; wait"                                                },
    {"forks on TERM",        "trap 'setsid sh -c \"trap : TERM; sleep 4711.20; sleep 4711.21\" &' TERM; "
                      "while :; do sleep 0.05; done"                             },
    {"vanishing parents",
     "trap '' TERM; setsid sh -c 'trap \"\" TERM; n=0; f() { n=$((n+1)); [ $n -lt 60 ] && "
     "(sleep 0.02; f) & }; f; sleep 4711.22' & sleep 4711.23"                                         },
};

static void stop_soon(void *self) {
    World *world = self;
    proc_stop(world->proc, 100);
}

static void nothing_escapes_a_stop(void **state) {
    World *world = *state;
    for (size_t i = 0; i < COUNT(escapes); i++) {
        print_message("%s\n", escapes[i].name);
        const char *argv[] = {"/bin/sh", "-c", escapes[i].script, NULL};
        ProcStart start = start_of(world, argv);
        assert_ok(proc_start(world->procs, &start, &world->proc));
        LoopTimer *timer = loop_timer_new(world->loop, stop_soon, world);
        loop_timer_start(timer, 150);
        loop_run(world->loop);
        loop_timer_free(timer);
        assert_true(world->end.was_stopped);
        assert_int_equal(world->end.survivors, 0);
        assert_int_equal(count_running("sleep 4711."), 0);
    }
}

static void nothing_is_left_when_the_main_process_ends_by_itself(void **state) {
    World *world = *state;
    run_shell(world, "env -i setsid sh -c 'exec </dev/null >/dev/null 2>&1; sleep 4712.1 & exit'; "
                     "setsid sleep 4712.2 >/dev/null 2>&1 & exit 3");
    assert_int_equal(world->end.code, 3);
    assert_int_equal(world->end.survivors, 0);
    assert_int_equal(count_running("sleep 4712."), 0);
}

static void stopping_one_child_leaves_another_alone(void **state) {
    World *world = *state;
    const char *stays[] = {"/bin/sh", "-c", "setsid sleep 4713.1 & sleep 4713.2", NULL};
    const char *goes[] = {"/bin/sh", "-c", "setsid sleep 4714.1 & sleep 4714.2", NULL};
    Proc *other = NULL;
    ProcStart start = start_of(world, stays);
    assert_ok(proc_start(world->procs, &start, &other));
    start = start_of(world, goes);
    assert_ok(proc_start(world->procs, &start, &world->proc));
    LoopTimer *timer = loop_timer_new(world->loop, stop_soon, world);
    loop_timer_start(timer, 200);
    loop_run(world->loop);
    loop_timer_free(timer);
    assert_int_equal(count_running("sleep 4714."), 0);
    assert_true(count_running("sleep 4713.") >= 2);
    proc_stop(other, 0);
    loop_run(world->loop);
    assert_int_equal(count_running("sleep 4713."), 0);
}

static void a_child_that_obeys_ends_at_once_with_its_own_code(void **state) {
    World *world = *state;
    int64_t begin = now_ms();
    const char *argv[] = {"/bin/sh", "-c",
                          "trap 'echo bye; exit 9' TERM; while :; do sleep 0.02; done", NULL};
    ProcStart start = start_of(world, argv);
    assert_ok(proc_start(world->procs, &start, &world->proc));
    loop_run_once(world->loop, 100);
    loop_run_once(world->loop, 100);
    proc_stop(world->proc, 10000);
    loop_run(world->loop);
    assert_int_equal(world->end.code, 9);
    assert_str_equal(buffer_str(&world->output), STR("bye\n"));
    assert_true(now_ms() - begin < 3000);
}

static void what_a_crash_left_is_ended_by_its_identity(void **state) {
    World *world = *state;
    // A process of its own starts a child and dies without a word.
    int report[2];
    assert_int_equal(pipe(report), 0);
    pid_t engine = fork();
    assert_true(engine >= 0);
    if (engine == 0) {
        Loop *loop = NULL;
        Procs *procs = NULL;
        Proc *proc = NULL;
        Err err = loop_new(&loop);
        if (err.code == ERR_NONE) err = procs_new(loop, NULL, &procs);
        const char *argv[] = {"/bin/sh", "-c",
                              "setsid sleep 4715.1 & sh -c 'setsid sleep 4715.2 &' ; sleep 4715.3",
                              NULL};
        ProcStart start = start_of(world, argv);
        if (err.code == ERR_NONE) err = proc_start(procs, &start, &proc);
        if (err.code != ERR_NONE) _exit(1);
        usleep(300 * 1000);
        Buffer text = {0};
        proc_identity_print(proc_identity(proc), &text);
        err = file_write_fd(report[1], buffer_str(&text));
        raise(SIGKILL);
    }
    close(report[1]);
    waitpid(engine, NULL, 0);
    Str text = {0};
    assert_ok(file_read_fd(report[0], "report", 1000, &world->arena, &text));
    close(report[0]);
    assert_int_equal(count_running("sleep 4715."), 4);  // the shell, too
    ProcIdentity identity = {0};
    assert_ok(proc_identity_parse(text, &identity));
    uint32_t killed = 0;
    assert_ok(proc_kill_left_over(&identity, &killed));
    assert_int_equal(killed, 4);
    assert_int_equal(count_running("sleep 4715."), 0);
    assert_ok(proc_kill_left_over(&identity, &killed));
    assert_int_equal(killed, 0);
}

static void a_foreign_identity_kills_nothing(void **state) {
    World *world = *state;
    const char *argv[] = {"sleep", "4716.1", NULL};
    ProcStart start = start_of(world, argv);
    assert_ok(proc_start(world->procs, &start, &world->proc));
    usleep(50 * 1000);  // the kernel shows the command line a moment after the start
    ProcIdentity identity = *proc_identity(world->proc);
    identity.start++;
    memset(identity.mark, 'f', PROC_MARK_SIZE - 1);
    uint32_t killed = 9;
    assert_ok(proc_kill_left_over(&identity, &killed));
    assert_int_equal(killed, 0);
    identity = *proc_identity(world->proc);
    memset(identity.boot, 'f', 36);
    assert_ok(proc_kill_left_over(&identity, &killed));
    assert_int_equal(killed, 0);
    assert_int_equal(count_running("sleep 4716.1"), 1);
    proc_stop(world->proc, 0);
    loop_run(world->loop);
}

static void what_signals_cannot_reach_is_killed_by_a_control_group(void **state) {
    World *world = *state;
    const char *argv[] = {"sleep", "4718.1", NULL};
    ProcStart start = start_of(world, argv);
    assert_ok(proc_start(world->procs, &start, &world->proc));
    ProcEntry entry = {0};
    assert_true(table_read(proc_identity(world->proc)->pid, &entry));
    entry.is_member = true;
    ProcTable table = {.items = &entry, .count = 1};
    bool can = cgroup_kill(&table);
    if (!can) proc_stop(world->proc, 0);
    loop_run(world->loop);
    if (!can) skip();
    assert_int_equal(world->end.signal, SIGKILL);
}

static void identities_that_are_none_are_refused(void **state) {
    (void)state;
    static const char *const rows[] = {"",
                                       "1",
                                       "x y z w",
                                       "0 1 2 3",
                                       "99999999999 1 2 3",
                                       "12 13 short mark",
                                       "1 5 12345678-1234-1234-1234-123456789012 m"};
    for (size_t i = 0; i < COUNT(rows); i++) {
        ProcIdentity identity = {0};
        Err err = proc_identity_parse(str_from(rows[i]), &identity);
        assert_int_equal(err.code, ERR_INPUT);
    }
}

static void a_script_goes_by_descriptor_to_each_interpreter(void **state) {
    World *world = *state;
    static const struct {
        const char *interpreter[4];
        const char *script;
    } rows[] = {
        {{"/bin/sh", "-c"},
         "echo ok; x=$(cat /proc/$$/cmdline | tr '\\0' ' '); case $x in *hush*) echo leak;; esac # "
         "hush"                                                                          },
        {{"bash", "-ec"},            "[[ a == a ]]; echo ok # hush"                      },
        {{"/usr/bin/python3", "-c"}, "print('ok') # hush"                                },
        {{"node", "-e"},             "console.log(require('os').EOL ? 'ok' : '') // hush"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        Str parts[4];
        uint32_t count = 0;
        while (rows[i].interpreter[count] != NULL) {
            parts[count] = str_from(rows[i].interpreter[count]);
            count++;
        }
        Str *argv = NULL;
        uint32_t argc = 0;
        assert_ok(proc_script_argv(parts, count, &world->arena, &argv, &argc));
        const char *list[8] = {0};
        for (uint32_t at = 0; at < argc; at++) list[at] = str_to_c(&world->arena, argv[at]);
        Str path = {0};
        Err found = proc_find(list[0], env, world->folder, &world->arena, &path);
        if (found.code != ERR_NONE) continue;
        ProcStart start = start_of(world, list);
        start.script = str_from(rows[i].script);
        start.has_script = true;
        buffer_clear(&world->output);
        assert_ok(proc_start(world->procs, &start, &world->proc));
        loop_run(world->loop);
        assert_str_equal(buffer_str(&world->error), STR(""));
        assert_str_equal(buffer_str(&world->output), STR("ok\n"));
    }
}

static void an_unknown_interpreter_is_refused_a_script(void **state) {
    World *world = *state;
    Str parts[] = {STR("/usr/bin/ruby"), STR("-e")};
    Str *argv = NULL;
    uint32_t argc = 0;
    Err err = proc_script_argv(parts, 2, &world->arena, &argv, &argc);
    assert_int_equal(err.code, ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "'/usr/bin/ruby'"));
}

static void the_outer_process_takes_down_what_the_engine_left(void **state) {
    (void)state;
    pid_t outer = fork();
    assert_true(outer >= 0);
    if (outer == 0) {
        ProcSpared *spared = NULL;
        Err err = proc_supervise(&spared);
        if (err.code != ERR_NONE) _exit(1);
        if (fork() == 0) {
            setsid();
            execlp("sh", "sh", "-c", "trap '' TERM; setsid sleep 4717.1 & sleep 4717.2",
                   (char *)NULL);
            _exit(1);
        }
        usleep(300 * 1000);
        raise(SIGKILL);
    }
    int status = 0;
    assert_int_equal(waitpid(outer, &status, 0), outer);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
    assert_int_equal(count_running("sleep 4717."), 0);
}

static void the_outer_process_passes_signals_and_the_status_on(void **state) {
    (void)state;
    pid_t outer = fork();
    assert_true(outer >= 0);
    if (outer == 0) {
        ProcSpared *spared = NULL;
        Err err = proc_supervise(&spared);
        if (err.code != ERR_NONE) _exit(1);
        sigset_t term;
        sigemptyset(&term);
        sigaddset(&term, SIGTERM);
        sigprocmask(SIG_BLOCK, &term, NULL);
        struct timespec limit = {.tv_sec = 5};
        _exit(sigtimedwait(&term, NULL, &limit) == SIGTERM ? 75 : 1);
    }
    usleep(300 * 1000);
    kill(outer, SIGTERM);
    int status = 0;
    assert_int_equal(waitpid(outer, &status, 0), outer);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 75);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(output_and_code_arrive),
        TEST(death_by_signal_is_128_and_its_number),
        TEST(standard_input_is_empty_and_no_other_descriptor_is_passed),
        TEST(a_missing_program_is_named_with_the_path_that_was_searched),
        TEST(a_missing_folder_is_named),
        TEST(a_start_that_fails_leaves_nothing),
        TEST(a_hundred_megabytes_pass_in_constant_memory),
        TEST(a_daemon_that_holds_the_pipe_does_not_hold_the_task),
        TEST(output_of_a_child_that_ends_soon_is_not_lost),
        TEST(nothing_escapes_a_stop),
        TEST(nothing_is_left_when_the_main_process_ends_by_itself),
        TEST(stopping_one_child_leaves_another_alone),
        TEST(a_child_that_obeys_ends_at_once_with_its_own_code),
        TEST(what_a_crash_left_is_ended_by_its_identity),
        TEST(a_foreign_identity_kills_nothing),
        TEST(what_signals_cannot_reach_is_killed_by_a_control_group),
        TEST(identities_that_are_none_are_refused),
        TEST(a_script_goes_by_descriptor_to_each_interpreter),
        TEST(an_unknown_interpreter_is_refused_a_script),
        TEST(the_outer_process_takes_down_what_the_engine_left),
        TEST(the_outer_process_passes_signals_and_the_status_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
