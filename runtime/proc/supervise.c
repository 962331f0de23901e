// supervise.c - the outer process: it outlives the engine by a moment and takes down what is left.
//
// It holds nothing but its two jobs, so that there is nothing in it that could fail.
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proc/internal.h"

enum { SWEEP_ROUNDS = 500, SWEEP_PAUSE_MS = 10 };

static const int passed_on[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH};

// Marks what descends from this process, but for keepers and what descends from them.
static uint32_t mark_members(ProcTable *table, const ProcSpared *spared) {
    uint32_t count = 0;
    pid_t self = getpid();
    for (uint32_t i = 0; i < table->count; i++) table->items[i].is_member = false;
    for (bool grew = true; grew;) {
        grew = false;
        for (uint32_t i = 0; i < table->count; i++) {
            ProcEntry *entry = &table->items[i];
            if (entry->is_member || spared_has(spared, entry)) continue;
            bool is_below = entry->parent == self;
            for (uint32_t j = 0; !is_below && j < table->count; j++) {
                is_below = table->items[j].is_member && table->items[j].pid == entry->parent;
            }
            if (!is_below) continue;
            entry->is_member = grew = true;
            if (entry->state != 'Z') count++;
        }
    }
    return count;
}

// Kills them until nothing is left: frozen in the first rounds, killed from the third on, so that
// nothing forks away between.
static void sweep_all(const ProcSpared *spared) {
    ProcTable table = {0};
    int empty = 0;
    for (int round = 0; round < SWEEP_ROUNDS && empty < 2; round++) {
        pid_t reaped = 0;
        while ((reaped = waitpid(-1, NULL, WNOHANG)) > 0) {
        }
        if (reaped < 0 && errno == ECHILD) break;  // no child, so no descendant either
        Err err = table_scan(&table);
        if (err.code != ERR_NONE) break;
        empty = mark_members(&table, spared) == 0 ? empty + 1 : 0;
        for (uint32_t i = 0; i < table.count; i++) {
            if (table.items[i].is_member) {
                entry_signal(&table.items[i], round < 2 ? SIGSTOP : SIGKILL);
            }
        }
        struct timespec pause = {.tv_nsec = round < 2 ? 0 : SWEEP_PAUSE_MS * 1000 * 1000};
        nanosleep(&pause, NULL);
    }
    table_release(&table);
}

// Ends this process as the inner one ended.
NO_RETURN static void end_like(int status) {
    if (WIFEXITED(status)) _exit(WEXITSTATUS(status));
    int number = WTERMSIG(status);
    signal(number, SIG_DFL);
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, number);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    raise(number);
    _exit(128 + number);
}

NO_RETURN static void watch_over(pid_t inner, const sigset_t *wanted, const ProcSpared *spared) {
    for (;;) {
        siginfo_t got = {0};
        int number = sigwaitinfo(wanted, &got);
        if (number < 0) continue;
        if (number != SIGCHLD) {
            // A terminal sends to the whole group; only what was sent to this process is passed on.
            if (got.si_code != SI_KERNEL) kill(inner, number);
            continue;
        }
        int status = 0;
        pid_t ended = 0;
        bool is_over = false;
        int inner_status = 0;
        while ((ended = waitpid(-1, &status, WNOHANG)) > 0) {
            if (ended != inner) continue;  // an orphan of an engine that became its child
            is_over = true;
            inner_status = status;
        }
        if (!is_over) continue;
        sweep_all(spared);
        end_like(inner_status);
    }
}

Err proc_supervise(ProcSpared **spared) {
    TRY(proc_spared_new(spared));
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
        return err_system("cannot become the reaper of orphaned processes");
    }
    sigset_t wanted, before;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGCHLD);
    for (size_t i = 0; i < COUNT(passed_on); i++) {
        struct sigaction now;
        // nohup: what it had ignored stays ignored. (A shell lets what it starts with & ignore
        // SIGINT, but who sends one to this process means it.)
        bool is_nohup = passed_on[i] == SIGHUP && sigaction(SIGHUP, NULL, &now) == 0 &&
                        now.sa_handler == SIG_IGN;
        if (!is_nohup) sigaddset(&wanted, passed_on[i]);
    }
    sigprocmask(SIG_BLOCK, &wanted, &before);
    pid_t outer = getpid();
    pid_t inner = fork();
    if (inner > 0) watch_over(inner, &wanted, *spared);
    if (inner == 0) {
        // The user knows one process: a kill -9 of it is a kill -9 of the engine. What the engine
        // had started is recorded and ended by the next start.
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (getppid() != outer) _exit(128 + SIGKILL);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (inner < 0) return err_system("cannot start the engine process");
    return err_none();
}
