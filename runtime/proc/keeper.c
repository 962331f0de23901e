// keeper.c - the process that owns a kept child: it outlives the engine, takes what the child
// prints and makes its end durable.
//
// It is a copy of the engine by fork, not another program, so that it masks what is printed with
// all that the engine knows and nothing has to be handed over. Its files, in a folder of its own:
//
//   claim    "PID START BOOT": linked into place before the child is there, by whoever comes first.
//            A later engine that links its own instead is certain that no child will begin.
//   process  who the child is, for the case that the keeper is killed: its mark before it is there,
//            then all of it
//   output   what it printed, filtered, in frames: the stream, the length (4 bytes), the bytes
//   end      how it ended, or why it could not begin; complete where it is there at all
//
// It has no other end than that of the child; SIGTERM makes it stop the child.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "proc/internal.h"

enum { FRAME_MAX = 64 << 10 };

typedef struct Keeper {
    const KeepStart *start;
    int folder, output, signals;
    off_t size;  // of the output, in whole frames
    uint64_t lost;
    Loop *loop;
    Proc *proc;
    Buffer scratch;
    bool is_over;
} Keeper;

// --- its files ----------------------------------------------------------------------------------

// Complete and durable under its name, or not there.
static Err write_file(int folder, const char *name, Str text) {
    int fd = openat(folder, "new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return err_system("cannot write '%s' of a kept process", name);
    Err err = file_write_fd(fd, text);
    if (err.code == ERR_NONE && fsync(fd) != 0) err = err_system("cannot write '%s'", name);
    close(fd);
    if (err.code == ERR_NONE && renameat(folder, "new", folder, name) != 0) {
        err = err_system("cannot write '%s' of a kept process", name);
    }
    if (err.code == ERR_NONE && fsync(folder) != 0) err = err_system("cannot write '%s'", name);
    return err;
}

Err keep_claim(int folder, Str text, bool *is_ours) {
    char name[64];
    snprintf(name, sizeof name, "claim.%d", (int)getpid());
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return err_system("cannot claim a kept process");
    Err err = file_write_fd(fd, text);
    if (err.code == ERR_NONE && fsync(fd) != 0) err = err_system("cannot claim a kept process");
    close(fd);
    *is_ours = false;
    if (err.code == ERR_NONE) {
        *is_ours = linkat(folder, name, folder, KEEP_CLAIM, 0) == 0;
        if (!*is_ours && errno != EEXIST) err = err_system("cannot claim a kept process");
    }
    unlinkat(folder, name, 0);
    if (err.code == ERR_NONE && fsync(folder) != 0) err = err_system("cannot claim a process");
    return err;
}

static void put_frame(Keeper *keeper, ProcStream stream, Str bytes) {
    uint32_t len = (uint32_t)bytes.len;
    char head[KEEP_FRAME_HEAD] = {(char)stream, (char)(len & 0xff), (char)(len >> 8 & 0xff),
                                  (char)(len >> 16 & 0xff), (char)(len >> 24)};
    Err err = file_write_fd(keeper->output, (Str){head, sizeof head});
    if (err.code == ERR_NONE) err = file_write_fd(keeper->output, bytes);
    if (err.code == ERR_NONE) {
        keeper->size += (off_t)(sizeof head + bytes.len);
        return;
    }
    // The disk is full: the child goes on, and what is left out is counted.
    keeper->lost += bytes.len;
    if (ftruncate(keeper->output, keeper->size) != 0 ||
        lseek(keeper->output, keeper->size, SEEK_SET) < 0) {
        close(keeper->output);
        keeper->output = -1;
    }
}

static void put_bytes(Keeper *keeper, ProcStream stream, Str bytes) {
    while (bytes.len > 0) {
        size_t piece = bytes.len < FRAME_MAX ? bytes.len : FRAME_MAX;
        if (keeper->output >= 0) {
            put_frame(keeper, stream, str_slice(bytes, 0, piece));
        } else {
            keeper->lost += piece;
        }
        bytes = str_slice(bytes, piece, bytes.len);
    }
}

// --- the child ----------------------------------------------------------------------------------

static void filter(Keeper *keeper, ProcStream stream, Str bytes, bool is_end) {
    const KeepStart *start = keeper->start;
    if (start->filter == NULL) {
        put_bytes(keeper, stream, bytes);
        return;
    }
    buffer_clear(&keeper->scratch);
    start->filter(start->self, stream, bytes, is_end, &keeper->scratch);
    put_bytes(keeper, stream, buffer_str(&keeper->scratch));
}

static void on_starting(void *self, const ProcIdentity *identity) {
    const Keeper *keeper = self;
    Buffer line = {0};
    buffer_printf(&line, "%s %s\n", identity->boot, identity->mark);
    Err err = write_file(keeper->folder, KEEP_PROCESS, buffer_str(&line));
    (void)err.code;  // the mark in its environment remains
    buffer_release(&line);
}

static bool on_bytes(void *self, ProcStream stream, Str bytes) {
    filter(self, stream, bytes, false);
    return true;
}

static void on_ended(void *self, const ProcEnd *end) {
    Keeper *keeper = self;
    filter(keeper, PROC_STDOUT, (Str){0}, true);
    filter(keeper, PROC_STDERR, (Str){0}, true);
    if (keeper->output >= 0) fsync(keeper->output);
    Buffer text = {0};
    buffer_printf(&text, "ended %d %d %d %u %llu\n", end->code, end->signal, end->was_stopped,
                  end->survivors, (unsigned long long)keeper->lost);
    Err err = write_file(keeper->folder, KEEP_END, buffer_str(&text));
    (void)err.code;  // then nobody knows how it ended, and that is what will be said
    buffer_release(&text);
    keeper->proc = NULL;
    keeper->is_over = true;
    loop_stop(keeper->loop);
}

static void on_signal(void *self, int fd, unsigned events) {
    (void)events;
    const Keeper *keeper = self;
    struct signalfd_siginfo got;
    while (read(fd, &got, sizeof got) == (ssize_t)sizeof got) {
        if (keeper->proc != NULL) proc_stop(keeper->proc, keeper->start->grace_ms);
    }
}

static Err begin(Keeper *keeper) {
    Procs *procs = NULL;
    LoopWatch *watch = NULL;
    TRY(loop_new(&keeper->loop));
    TRY(procs_new(keeper->loop, NULL, &procs));
    TRY(loop_watch_new(keeper->loop, keeper->signals, on_signal, keeper, &watch));
    loop_watch_set(watch, LOOP_READABLE);
    ProcStart start = keeper->start->process;
    start.callbacks = (ProcCallbacks){
        .starting = on_starting, .bytes = on_bytes, .ended = on_ended, .self = keeper};
    TRY(proc_start(procs, &start, &keeper->proc));
    Buffer line = {0};
    proc_identity_print(proc_identity(keeper->proc), &line);
    Err err = write_file(keeper->folder, KEEP_PROCESS, buffer_str(&line));
    (void)err.code;
    buffer_release(&line);
    return err_none();
}

// Everything of the engine is let go: its terminal, its descriptors, the locks that hang on them.
static void leave(Keeper *keeper) {
    setsid();
    prctl(PR_SET_NAME, "flowrun-keeper", 0, 0, 0);
    prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
    for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
    signal(SIGXFSZ, SIG_IGN);  // a limit is told as a full disk is
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; null >= 0 && fd <= 2; fd++) dup2(null, fd);
    int folder = fcntl(keeper->folder, F_DUPFD_CLOEXEC, 3);
    if (dup2(folder, 3) == 3) folder = 3;
    fcntl(3, F_SETFD, FD_CLOEXEC);
    close_range(4, ~0U, 0);
    keeper->folder = folder;
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    keeper->signals = signalfd(-1, &term, SFD_CLOEXEC | SFD_NONBLOCK);
}

// There is no child, and the engine is told why.
NO_RETURN static void give_up(const Keeper *keeper, Err why) {
    Buffer failed = {0};
    buffer_printf(&failed, "failed %d %s\n", (int)why.code, why.text);
    Err err = write_file(keeper->folder, KEEP_END, buffer_str(&failed));
    _exit(err.code == ERR_NONE ? 0 : 1);
}

void keeper_run(const KeepStart *start, ProcSpared *spared, int folder) {
    Keeper keeper = {.start = start, .folder = folder, .output = -1, .scratch = {.is_wiped = true}};
    leave(&keeper);
    ProcEntry self = {0};
    char boot[37];
    read_boot_id(boot);
    if (!table_read(getpid(), &self)) give_up(&keeper, err_system("cannot read /proc/self/stat"));
    if (!spared_add(spared, self.pid, self.start)) {
        give_up(&keeper, err_make(ERR_LIMIT, "too many processes that are kept run at once"));
    }
    Buffer text = {0};
    bool is_ours = false;
    buffer_printf(&text, "%d %llu %s\n", (int)self.pid, (unsigned long long)self.start, boot);
    Err err = keep_claim(keeper.folder, buffer_str(&text), &is_ours);
    buffer_release(&text);
    if (err.code != ERR_NONE || !is_ours) _exit(1);
    keeper.output = openat(keeper.folder, KEEP_OUTPUT,
                           O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    err = keeper.output < 0 ? err_system("cannot write the output of a kept process")
                            : begin(&keeper);
    if (err.code != ERR_NONE) give_up(&keeper, err);
    while (!keeper.is_over) loop_run(keeper.loop);
    spared_remove(spared, self.pid);
    _exit(0);
}
