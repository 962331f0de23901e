// jq_process.c - the side of the machine: starts the helper, asks it, ends it.
//
// The helper is a child in our session and in a process group of its own: whoever sweeps what tasks
// leave behind passes over it, and a Ctrl-C meant for the flow does not reach it. It is not asked
// to end, it is killed; it holds nothing that has to be kept.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "leaf/jq_program.h"
#include "leaf/leaf.h"

enum { FIRST_FREE_FD = 10, HELPER_NO_MEMORY = 3 };  // 3: what out_of_memory() ends with

struct JqHelper {
    pid_t pid;
    int fd;
    bool was_asked;  // it has answered before, so that its end may be that of an idle helper
};

static int64_t now_ms(void) {
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) return 0;
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Defined by programs that begin with jq_helper_asked(); others are never executed again, since
// nobody knows what they would do.
extern const bool flow_has_jq_helper __attribute__((weak));

static int launch(int fd, pid_t *pid) {
    static const char *const argv[] = {JQ_HELPER_NAME, NULL}, *const env[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int status = posix_spawn_file_actions_init(&actions);
    if (status != 0) return status;
    status = posix_spawnattr_init(&attributes);
    if (status != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return status;
    }
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    if ((status =
             posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF |
                                                       POSIX_SPAWN_SETSIGMASK)) == 0 &&
        (status = posix_spawnattr_setsigdefault(&attributes, &all)) == 0 &&
        (status = posix_spawnattr_setsigmask(&attributes, &none)) == 0 &&
        (status = posix_spawn_file_actions_adddup2(&actions, fd, JQ_SOCKET)) == 0 &&
        (status = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY,
                                                   0)) == 0 &&
        (status = posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)) == 0 &&
        (status = posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1)) == 0) {
        status = posix_spawn(pid, "/proc/self/exe", &actions, &attributes, (char *const *)argv,
                             (char *const *)env);
    }
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return status;
}

static Err start(JqHelper **out) {
    if (&flow_has_jq_helper == NULL) {
        return err_make(ERR_UNAVAILABLE, "this program cannot start the process that runs jq "
                                         "programs beyond paths");
    }
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
        return err_system("cannot start jq");
    }
    // Out of the way of the helper's own three.
    int theirs = fcntl(fds[1], F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    close(fds[1]);
    pid_t pid = 0;
    int status = theirs < 0 ? errno : launch(theirs, &pid);
    if (theirs >= 0) close(theirs);
    if (status != 0) {
        close(fds[0]);
        errno = status;
        return err_system("cannot start jq");
    }
    JqHelper *helper = heap_alloc(1, sizeof *helper);
    *helper = (JqHelper){.pid = pid, .fd = fds[0]};
    *out = helper;
    return err_none();
}

// Ends the helper and says how it ended: a status of waitpid.
static int end(JqHelper *helper) {
    int status = 0;
    close(helper->fd);
    kill(helper->pid, SIGKILL);
    while (waitpid(helper->pid, &status, 0) < 0 && errno == EINTR) continue;
    heap_free(helper);
    return status;
}

void jq_helper_free(JqHelper *helper) {
    if (helper != NULL) (void)end(helper);
}

// --- frames -------------------------------------------------------------------------------------

// Waits until the socket is ready; false at the deadline.
static bool wait_for(int fd, short events, int64_t deadline) {
    for (;;) {
        int64_t left = deadline - now_ms();
        if (left <= 0) return false;
        struct pollfd poller = {.fd = fd, .events = events};
        int count = poll(&poller, 1, (int)left);
        if (count > 0) return true;
        if (count < 0 && errno != EINTR) return true;  // the call that follows says why
    }
}

typedef enum Transfer { TRANSFER_DONE, TRANSFER_CLOSED, TRANSFER_LATE } Transfer;

static Transfer send_all(int fd, const void *bytes, size_t size, int64_t deadline) {
    const char *at = bytes;
    while (size > 0) {
        ssize_t count = send(fd, at, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count > 0) {
            at += count;
            size -= (size_t)count;
        } else if (errno == EAGAIN || errno == EINTR) {
            if (!wait_for(fd, POLLOUT, deadline)) return TRANSFER_LATE;
        } else {
            return TRANSFER_CLOSED;
        }
    }
    return TRANSFER_DONE;
}

static Transfer receive_all(int fd, void *bytes, size_t size, int64_t deadline) {
    char *at = bytes;
    while (size > 0) {
        ssize_t count = recv(fd, at, size, MSG_DONTWAIT);
        if (count > 0) {
            at += count;
            size -= (size_t)count;
        } else if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
            if (!wait_for(fd, POLLIN, deadline)) return TRANSFER_LATE;
        } else {
            return TRANSFER_CLOSED;
        }
    }
    return TRANSFER_DONE;
}

static Transfer exchange(JqHelper *helper, const JqQuestion *question, JqHead *answer,
                         Buffer *out) {
    const int64_t deadline = now_ms() + JQ_WALL_MS;
    const JqHead head = {.kind = question->input.len > 0,
                         .program = (uint32_t)question->program.len,
                         .bytes = question->input.len};
    const Str parts[] = {
        {(const char *)&head, sizeof head},
        question->program, question->input
    };
    Transfer done = TRANSFER_DONE;
    for (size_t i = 0; i < COUNT(parts) && done == TRANSFER_DONE; i++) {
        done = send_all(helper->fd, parts[i].ptr, parts[i].len, deadline);
    }
    if (done == TRANSFER_DONE) done = receive_all(helper->fd, answer, sizeof *answer, deadline);
    if (done != TRANSFER_DONE) return done;
    if (answer->bytes > JQ_RESULT_MAX) return TRANSFER_CLOSED;
    buffer_reserve(out, (size_t)answer->bytes + 1);
    done = receive_all(helper->fd, out->ptr + out->len, (size_t)answer->bytes, deadline);
    if (done == TRANSFER_DONE) out->len += (size_t)answer->bytes;
    return done;
}

// --- asking -------------------------------------------------------------------------------------

static Err read_end(Transfer done, int status) {
    int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (done == TRANSFER_LATE || number == SIGPROF || number == SIGXCPU) {
        return err_make(ERR_LIMIT, "the jq program needs more than %d ms of CPU time", JQ_CPU_MS);
    }
    const bool is_out_of_memory = WIFEXITED(status) && WEXITSTATUS(status) == HELPER_NO_MEMORY;
    if (is_out_of_memory || number == SIGABRT || number == SIGSEGV || number == SIGBUS) {
        return err_make(ERR_LIMIT,
                        "the jq program needs more memory or deeper nesting than it "
                        "may have: %d MiB",
                        JQ_MEMORY >> 20);
    }
    return err_make(ERR_UNAVAILABLE, "the process that runs jq ended unexpectedly");
}

static Err read_answer(const JqHead *answer, Buffer *out, size_t mark) {
    Str text = str_trim(str_slice(buffer_str(out), mark, out->len));
    switch ((JqAnswer)answer->kind) {
    case JQ_RESULTS:
        return err_none();
    case JQ_NOT_VALID:
        return err_make(ERR_INPUT, STR_FMT, STR_ARG(text));
    case JQ_FAILED:
        return err_make(ERR_CONFLICT, STR_FMT, STR_ARG(text));
    case JQ_TOO_LARGE:
        return err_make(ERR_LIMIT, "the results of a jq program have more than %d MiB",
                        JQ_RESULT_MAX >> 20);
    case JQ_NO_MEMORY:
        return err_make(ERR_LIMIT, "the jq program needs more than %d MiB of memory",
                        JQ_MEMORY >> 20);
    case JQ_NO_LIBRARY:
        return err_make(ERR_UNAVAILABLE, "a jq program beyond paths needs the library libjq, which "
                                         "is not installed (Debian: libjq1)");
    }
    return err_make(ERR_UNAVAILABLE, "the process that runs jq gave no answer that is known");
}

Err jq_ask(JqHelper **helper, const JqQuestion *question, Buffer *out, uint64_t *cpu_ns) {
    if (question->input.len > JQ_INPUT_MAX) {
        return err_make(ERR_LIMIT, "the input of a jq program has more than %d MiB",
                        JQ_INPUT_MAX >> 20);
    }
    for (;;) {
        if (*helper == NULL) TRY(start(helper));
        const bool was_asked = (*helper)->was_asked;
        const size_t mark = out->len;
        JqHead answer = {0};
        const Transfer done = exchange(*helper, question, &answer, out);
        if (done == TRANSFER_DONE) {
            (*helper)->was_asked = true;
            *cpu_ns = answer.cpu_ns;
            Err err = read_answer(&answer, out, mark);
            if (err.code != ERR_NONE) out->len = mark;
            // What is left of its memory is not known.
            if (answer.kind == JQ_NO_MEMORY || answer.kind == JQ_NO_LIBRARY) {
                jq_helper_free(*helper);
                *helper = NULL;
            }
            return err;
        }
        out->len = mark;
        const int status = end(*helper);
        *helper = NULL;
        *cpu_ns = (uint64_t)JQ_CPU_MS * 1000000;
        // It had ended because nobody asked; a new one is started, once.
        if (was_asked && WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
        return read_end(done, status);
    }
}
