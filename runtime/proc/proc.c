// proc.c - the life of a child: start, streams, end, stop.
//
// Phases: RUNNING until the main process ends; DRAINING at most 2 s until both pipes are closed;
// TERMINATING while what is left gets time to go by itself; SWEEPING until nothing is left. A stop
// adds a timer that leads to SWEEPING from any phase. The Proc is freed behind `ended`.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/crypto.h"
#include "base/file.h"
#include "proc/internal.h"

enum {
    READS_PER_ROUND = 8,  // of one stream, so that others have their turn
    DRAIN_MS = 2000,
    LEFT_OVER_MS = 500,
    LOOK_MS = 10,
    SWEEP_MS = 5000,
    REAP_MS = 1000,
    FIRST_FREE_FD = 10,  // below: what a child gets
    CHILDREN_MAX = 512,
    PIPE_BYTES = 256 << 10,  // fewer changes between who writes and who reads
};

typedef enum Phase { RUNNING, DRAINING, TERMINATING, SWEEPING } Phase;

typedef struct Stream {
    Proc *proc;
    ProcStream kind;
    int fd;
    LoopWatch *watch;
    LineSplitter lines;
} Stream;

struct Proc {
    Procs *procs;
    Proc *next;
    ProcGroup group;
    ProcCallbacks callbacks;
    Phase phase;
    bool main_ended, was_stopped;
    int pidfd;
    LoopWatch *pid_watch;
    LoopTimer *timer;       // of the phase
    LoopTimer *stop_timer;  // grace
    int64_t phase_ends_ms;
    Stream streams[2];
    ProcEnd end;
};

struct Procs {
    Loop *loop;
    ProcSeam seam;
    Proc *first;
    LoopTimer *reaper;
    ProcTable table;
    char *bytes;  // PROC_READ_BYTES, for all streams
    ProcSpared *spared;
    pid_t *keepers;  // children of ours
    uint32_t keeper_count, keeper_capacity;
    char boot[37];
    enum { TICKS_UNKNOWN, TICKS_AGREE, TICKS_DIFFER } ticks;  // see note_start
};

// --- starting -----------------------------------------------------------------------------------

static int launch_system(void *self, const ProcLaunch *launch, pid_t *pid) {
    (void)self;
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
    bool has_script = launch->script >= 0 && !launch->is_input;
    bool has_input = launch->script >= 0 && launch->is_input;
    if ((status = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF |
                                                            POSIX_SPAWN_SETSIGMASK)) ||
        (status = posix_spawnattr_setsigdefault(&attributes, &all)) ||
        (status = posix_spawnattr_setsigmask(&attributes, &none)) ||
        (status =
             posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)) ||
        (status = posix_spawn_file_actions_adddup2(&actions, launch->output, STDOUT_FILENO)) ||
        (status = posix_spawn_file_actions_adddup2(&actions, launch->error, STDERR_FILENO)) ||
        (has_script && (status = posix_spawn_file_actions_adddup2(&actions, launch->script, 3))) ||
        (has_input &&
         (status = posix_spawn_file_actions_adddup2(&actions, launch->script, STDIN_FILENO))) ||
        (status = posix_spawn_file_actions_addclosefrom_np(&actions, has_script ? 4 : 3)) ||
        (status = posix_spawn_file_actions_addchdir_np(&actions, launch->folder))) {
        goto done;
    }
    status = posix_spawn(pid, launch->path, &actions, &attributes, (char *const *)launch->argv,
                         (char *const *)launch->env);
done:
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return status;
}

// Moves a descriptor out of the way of those a child gets.
static int high_fd(int fd) {
    if (fd < 0 || fd >= FIRST_FREE_FD) return fd;
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    int saved = errno;
    close(fd);
    errno = saved;
    return moved;
}

static Err make_pipe(int out[2]) {
    if (pipe2(out, O_CLOEXEC) != 0) return err_system("cannot make a pipe");
    out[0] = high_fd(out[0]);
    out[1] = high_fd(out[1]);
    if (out[0] >= 0 && out[1] >= 0) {
        (void)fcntl(out[0], F_SETPIPE_SZ, PIPE_BYTES);
        return err_none();
    }
    Err err = err_system("cannot make a pipe");
    if (out[0] >= 0) close(out[0]);
    if (out[1] >= 0) close(out[1]);
    out[0] = out[1] = -1;
    return err;
}

// A script in memory that nobody can change any more.
static Err seal_script(Str script, int *out) {
    int fd = high_fd(memfd_create("script", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (fd < 0) return err_system("cannot make a memory file for a script");
    Err err = file_write_fd(fd, script);
    if (err.code == ERR_NONE &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0) {
        err = err_system("cannot seal the memory file of a script");
    }
    if (err.code == ERR_NONE && lseek(fd, 0, SEEK_SET) < 0) {
        err = err_system("cannot rewind the memory file of a script");
    }
    if (err.code != ERR_NONE) {
        close(fd);
        return err;
    }
    *out = fd;
    return err_none();
}

static const char *env_get(const char *const *env, const char *name) {
    size_t len = strlen(name);
    for (size_t i = 0; env != NULL && env[i] != NULL; i++) {
        if (strncmp(env[i], name, len) == 0 && env[i][len] == '=') return env[i] + len + 1;
    }
    return NULL;
}

static bool is_program(const char *path) {
    return access(path, X_OK) == 0 && !path_is_dir(path);
}

Err proc_find(const char *program, const char *const *env, const char *folder, Arena *arena,
              Str *out) {
    if (program[0] == '\0') return err_make(ERR_USAGE, "the name of the program is empty");
    Str name = str_from(program);
    if (strchr(program, '/') != NULL) {
        Str path = path_join(arena, str_from(folder), name);
        if (is_program(str_to_c(arena, path))) {
            *out = str_dup(arena, name);
            return err_none();
        }
        if (path_exists(str_to_c(arena, path))) {
            return err_make(ERR_REFUSED, "'%s' is not an executable file", program);
        }
        return err_make(ERR_NOT_FOUND, "program '%s' not found", program);
    }
    const char *path_list = env_get(env, "PATH");
    if (path_list == NULL) path_list = "/usr/local/bin:/usr/bin:/bin";
    Str rest = str_from(path_list);
    Str item = {0};
    while (str_split(&rest, ':', &item)) {
        Str base = path_join(arena, str_from(folder), item.len == 0 ? STR(".") : item);
        Str path = path_join(arena, base, name);
        if (!is_program(str_to_c(arena, path))) continue;
        *out = str_dup(arena, path);
        return err_none();
    }
    return err_make(ERR_NOT_FOUND, "program '%s' not found on PATH (%s)", program, path_list);
}

// The environment with the mark, in the arena.
static const char *const *marked_env(const char *const *env, const char *mark, Arena *arena) {
    size_t count = 0;
    while (env != NULL && env[count] != NULL) count++;
    const char **out = arena_array(arena, const char *, count + 2);
    size_t at = 0;
    Str name = STR(PROC_MARK_VARIABLE "=");
    for (size_t i = 0; i < count; i++) {
        if (!str_starts_with(str_from(env[i]), name)) out[at++] = env[i];
    }
    out[at] = str_printf(arena, PROC_MARK_VARIABLE "=%s", mark).ptr;
    return out;
}

static void watch_stream(void *self, int fd, unsigned events);
static void watch_main(void *self, int fd, unsigned events);
static void phase_timer(void *self);
static void grace_over(void *self);

static void close_stream(Stream *stream) {
    loop_watch_free(stream->watch);
    stream->watch = NULL;
    if (stream->fd >= 0) close(stream->fd);
    stream->fd = -1;
}

static void proc_free(Proc *proc) {
    for (int i = 0; i < 2; i++) {
        close_stream(&proc->streams[i]);
        lines_release(&proc->streams[i].lines);
    }
    loop_watch_free(proc->pid_watch);
    if (proc->pidfd >= 0) close(proc->pidfd);
    loop_timer_free(proc->timer);
    loop_timer_free(proc->stop_timer);
    group_release(&proc->group);
    heap_free(proc);
}

static bool is_keeper(const Procs *procs, pid_t pid) {
    for (uint32_t i = 0; i < procs->keeper_count; i++) {
        if (procs->keepers[i] == pid) return true;
    }
    return false;
}

// An orphan without a mark is of the only child it can be of.
static bool owns_orphan(void *self, const ProcEntry *entry) {
    const Proc *proc = self;
    if (is_keeper(proc->procs, entry->pid)) return false;
    for (const Proc *other = proc->procs->first; other != NULL; other = other->next) {
        if (entry->pid == other->group.identity.pid) return false;
        if (other != proc && other->group.identity.start <= entry->start) return false;
    }
    return !entry_has_mark(entry, NULL);
}

// When the child was made, as stat(5) tells it. Where the clock and /proc were seen to agree, the
// clock is enough: the child was made between two readings of the same tick.
static void note_start(Procs *procs, ProcIdentity *identity, uint64_t before, uint64_t after) {
    if (before == after && procs->ticks == TICKS_AGREE) {
        identity->start = before;
        return;
    }
    ProcEntry entry = {0};
    if (!table_read(identity->pid, &entry)) return;
    identity->start = entry.start;
    if (before != after || procs->ticks != TICKS_UNKNOWN) return;
    procs->ticks = entry.start == before ? TICKS_AGREE : TICKS_DIFFER;
}

static Err launch_child(Procs *procs, const ProcStart *start, Arena *arena, Proc *proc,
                        int writers[2]) {
    Str path = {0};
    if (!path_is_dir(start->folder)) {
        return err_make(ERR_NOT_FOUND, "working directory '%s' is not there", start->folder);
    }
    TRY(proc_find(start->argv[0], start->env, start->folder, arena, &path));
    int script = -1;
    if (start->has_script) TRY(seal_script(start->script, &script));
    ProcIdentity *identity = &proc->group.identity;
    ProcLaunch launch = {.path = path.ptr,
                         .argv = start->argv,
                         .env = marked_env(start->env, identity->mark, arena),
                         .folder = start->folder,
                         .output = writers[0],
                         .error = writers[1],
                         .script = script,
                         .is_input = start->is_input};
    uint64_t before = ticks_since_boot();
    int status = procs->seam.launch(procs->seam.self, &launch, &identity->pid);
    uint64_t after = ticks_since_boot();
    if (script >= 0) close(script);
    if (status == 0) note_start(procs, identity, before, after);
    if (status == 0) return err_none();
    errno = status;
    if (status == E2BIG) {
        return err_make(ERR_LIMIT, "cannot start '%s': arguments and environment are too long",
                        start->argv[0]);
    }
    if (status == ENOEXEC) {
        return err_make(ERR_INPUT, "cannot start '%s': neither a program nor a script with '#!'",
                        start->argv[0]);
    }
    return err_system("cannot start '%s'", start->argv[0]);
}

static Err watch_child(Procs *procs, Proc *proc, const int readers[2]) {
    proc->pidfd = pidfd_open(proc->group.identity.pid, 0);
    if (proc->pidfd < 0) return err_system("cannot watch a process");
    TRY(loop_watch_new(procs->loop, proc->pidfd, watch_main, proc, &proc->pid_watch));
    loop_watch_set(proc->pid_watch, LOOP_READABLE);
    for (int i = 0; i < 2; i++) {
        Stream *stream = &proc->streams[i];
        TRY(loop_watch_new(procs->loop, readers[i], watch_stream, stream, &stream->watch));
        loop_watch_set(stream->watch, LOOP_READABLE);
    }
    return err_none();
}

static void make_mark(char out[PROC_MARK_SIZE]) {
    uint8_t bytes[(PROC_MARK_SIZE - 1) / 2];
    random_bytes(bytes, sizeof bytes);
    Buffer text = {0};
    hex_encode(&text, bytes, sizeof bytes);
    memcpy(out, text.ptr, PROC_MARK_SIZE - 1);
    out[PROC_MARK_SIZE - 1] = '\0';
    buffer_release(&text);
}

static void reap_orphans(void *self);

static void kill_failed_start(Proc *proc) {
    if (proc->group.identity.pid <= 0) return;
    kill(proc->group.identity.pid, SIGKILL);
    waitpid(proc->group.identity.pid, NULL, 0);
}

Err proc_start(Procs *procs, const ProcStart *start, Proc **out) {
    Arena arena = {0};
    int output[2] = {-1, -1}, error[2] = {-1, -1};
    Proc *proc = heap_alloc(1, sizeof *proc);
    proc->procs = procs;
    proc->callbacks = start->callbacks;
    proc->pidfd = -1;
    proc->group.owns_orphan = owns_orphan;
    proc->group.self = proc;
    memcpy(proc->group.identity.boot, procs->boot, sizeof procs->boot);
    make_mark(proc->group.identity.mark);
    proc->streams[0] = (Stream){.proc = proc, .kind = PROC_STDOUT, .fd = -1};
    proc->streams[1] = (Stream){.proc = proc, .kind = PROC_STDERR, .fd = -1};
    Err err = make_pipe(output);
    if (err.code == ERR_NONE) err = make_pipe(error);
    if (err.code != ERR_NONE) goto done;
    proc->streams[0].fd = output[0];
    proc->streams[1].fd = error[0];
    if (start->callbacks.starting != NULL) {
        start->callbacks.starting(start->callbacks.self, &proc->group.identity);
    }
    err = launch_child(procs, start, &arena, proc, (int[2]){output[1], error[1]});
    if (err.code == ERR_NONE) {
        err = watch_child(procs, proc, (int[2]){output[0], error[0]});
        if (err.code != ERR_NONE) kill_failed_start(proc);
    }
done:
    if (output[1] >= 0) close(output[1]);
    if (error[1] >= 0) close(error[1]);
    arena_release(&arena);
    if (err.code != ERR_NONE) {
        if (proc->streams[0].fd < 0 && output[0] >= 0) close(output[0]);
        proc_free(proc);
        return err;
    }
    proc->timer = loop_timer_new(procs->loop, phase_timer, proc);
    proc->stop_timer = loop_timer_new(procs->loop, grace_over, proc);
    proc->next = procs->first;
    procs->first = proc;
    if (!loop_timer_is_running(procs->reaper)) loop_timer_start(procs->reaper, REAP_MS);
    *out = proc;
    return err_none();
}

// --- streams ------------------------------------------------------------------------------------

static void give_line(void *self, Str line, unsigned flags) {
    Stream *stream = self;
    const ProcCallbacks *callbacks = &stream->proc->callbacks;
    if (callbacks->line != NULL) callbacks->line(callbacks->self, stream->kind, line, flags);
}

// False at the end of the stream.
static bool read_stream(Stream *stream, int rounds) {
    Procs *procs = stream->proc->procs;
    const ProcCallbacks *callbacks = &stream->proc->callbacks;
    for (int i = 0; i < rounds; i++) {
        ssize_t got = read(stream->fd, procs->bytes, PROC_READ_BYTES);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno == EAGAIN;
        if (got == 0) return false;
        Str bytes = {procs->bytes, (size_t)got};
        bool is_taken =
            callbacks->bytes != NULL && callbacks->bytes(callbacks->self, stream->kind, bytes);
        if (is_taken) {
            stream->lines.bytes += bytes.len;
        } else {
            lines_feed(&stream->lines, bytes, give_line, stream);
        }
        wipe(procs->bytes, bytes.len);  // not masked yet
        if (is_taken) continue;
        if (got < PROC_READ_BYTES) return true;
    }
    return true;
}

static void end_stream(Stream *stream) {
    lines_end(&stream->lines, give_line, stream);
    close_stream(stream);
}

static bool streams_are_closed(const Proc *proc) {
    return proc->streams[0].fd < 0 && proc->streams[1].fd < 0;
}

// --- phases -------------------------------------------------------------------------------------

// Children of ours that are neither a main process nor from elsewhere: left over by some child.
// Reaps those that have ended. SIZE_MAX: cannot tell.
static size_t count_orphans(Procs *procs) {
    pid_t pids[CHILDREN_MAX];
    siginfo_t any = {0};
    // Cheaper than the list, and mostly the answer: no children at all.
    if (waitid(P_ALL, 0, &any, WEXITED | WNOHANG | WNOWAIT) != 0 && errno == ECHILD) return 0;
    size_t count = children_of_self(pids, CHILDREN_MAX);
    if (count == SIZE_MAX) return SIZE_MAX;
    size_t left = 0;
    pid_t session = getsid(0);
    for (size_t i = 0; i < count; i++) {
        bool is_main = false;
        for (const Proc *proc = procs->first; proc != NULL; proc = proc->next) {
            if (proc->group.identity.pid == pids[i] && !proc->main_ended) is_main = true;
        }
        if (is_main || is_keeper(procs, pids[i]) || getsid(pids[i]) == session) continue;
        siginfo_t ended = {0};
        waitid(P_PID, (id_t)pids[i], &ended, WEXITED | WNOHANG);
        if (ended.si_pid == 0) left++;
    }
    return left;
}

static void reap_orphans(void *self) {
    Procs *procs = self;
    if (procs->first == NULL) return;
    count_orphans(procs);
    loop_timer_start(procs->reaper, REAP_MS);
}

static void finish(Proc *proc) {
    Procs *procs = proc->procs;
    for (int i = 0; i < 2; i++) {
        Stream *stream = &proc->streams[i];
        if (stream->fd >= 0) {
            read_stream(stream, READS_PER_ROUND);
            end_stream(stream);
        }
        proc->end.bytes += stream->lines.bytes;
        proc->end.lines += stream->lines.lines;
        proc->end.repaired += stream->lines.nuls + stream->lines.invalid;
    }
    Proc **at = &procs->first;
    while (*at != proc) at = &(*at)->next;
    *at = proc->next;
    if (procs->first == NULL) loop_timer_stop(procs->reaper);
    proc->end.was_stopped = proc->was_stopped;
    if (proc->callbacks.ended != NULL) proc->callbacks.ended(proc->callbacks.self, &proc->end);
    proc_free(proc);
}

static void sweep_step(Proc *proc) {
    group_kill(&proc->group, &proc->procs->table);
    group_reap(&proc->procs->table, proc->main_ended ? 0 : proc->group.identity.pid);
    uint32_t alive = group_scan(&proc->group, &proc->procs->table);
    bool is_late = loop_now_ms(proc->procs->loop) >= proc->phase_ends_ms;
    if ((alive == 0 && proc->main_ended) || is_late) {
        proc->end.survivors = alive;
        finish(proc);
        return;
    }
    loop_timer_start(proc->timer, LOOK_MS);
}

static void enter_sweep(Proc *proc) {
    proc->phase = SWEEPING;
    proc->phase_ends_ms = loop_now_ms(proc->procs->loop) + SWEEP_MS;
    loop_timer_start(proc->timer, 0);
}

static bool has_left_over(Proc *proc) {
    size_t orphans = count_orphans(proc->procs);
    if (orphans == 0) return false;
    uint32_t alive = group_scan(&proc->group, &proc->procs->table);
    group_reap(&proc->procs->table, 0);
    return alive > 0;
}

// Both streams are at their end, or the time for that is over.
static void drained(Proc *proc) {
    if (!has_left_over(proc)) {
        finish(proc);
        return;
    }
    if (!proc->was_stopped) group_terminate(&proc->group, &proc->procs->table);
    proc->phase = TERMINATING;
    proc->phase_ends_ms = loop_now_ms(proc->procs->loop) + LEFT_OVER_MS;
    loop_timer_start(proc->timer, LOOK_MS);
}

static void phase_timer(void *self) {
    Proc *proc = self;
    switch (proc->phase) {
    case RUNNING:
        break;
    case DRAINING:
        drained(proc);
        break;
    case TERMINATING:
        if (!has_left_over(proc)) {
            finish(proc);
        } else if (!proc->was_stopped && loop_now_ms(proc->procs->loop) >= proc->phase_ends_ms) {
            enter_sweep(proc);
        } else {
            loop_timer_start(proc->timer, LOOK_MS);
        }
        break;
    case SWEEPING:
        sweep_step(proc);
        break;
    }
}

static void watch_stream(void *self, int fd, unsigned events) {
    (void)fd;
    (void)events;
    Stream *stream = self;
    Proc *proc = stream->proc;
    if (read_stream(stream, READS_PER_ROUND)) return;
    end_stream(stream);
    if (proc->phase == DRAINING && streams_are_closed(proc)) {
        loop_timer_stop(proc->timer);
        drained(proc);
    }
}

static void watch_main(void *self, int fd, unsigned events) {
    (void)events;
    Proc *proc = self;
    siginfo_t ended = {0};
    if (waitid(P_PIDFD, (id_t)fd, &ended, WEXITED | WNOHANG) != 0) {
        proc->end.code = 255;  // somebody else reaped it: its status is lost
    } else if (ended.si_pid == 0) {
        return;
    } else if (ended.si_code == CLD_EXITED) {
        proc->end.code = ended.si_status;
    } else {
        proc->end.signal = ended.si_status;
        proc->end.code = 128 + ended.si_status;
    }
    proc->main_ended = true;
    loop_watch_free(proc->pid_watch);
    proc->pid_watch = NULL;
    if (proc->phase != RUNNING) return;
    proc->phase = DRAINING;
    for (int i = 0; i < 2; i++) {
        Stream *stream = &proc->streams[i];
        if (stream->fd >= 0 && !read_stream(stream, 1)) end_stream(stream);
    }
    if (streams_are_closed(proc)) {
        drained(proc);
    } else {
        loop_timer_start(proc->timer, DRAIN_MS);
    }
}

// --- stopping -----------------------------------------------------------------------------------

static void grace_over(void *self) {
    Proc *proc = self;
    if (proc->phase != SWEEPING) enter_sweep(proc);
}

void proc_stop(Proc *proc, int64_t grace_ms) {
    if (proc->phase == SWEEPING) return;
    bool is_first = !proc->was_stopped;
    proc->was_stopped = true;
    int64_t ends = loop_now_ms(proc->procs->loop) + grace_ms;
    if (is_first) group_terminate(&proc->group, &proc->procs->table);
    if (is_first || ends < proc->phase_ends_ms || proc->phase == RUNNING) {
        loop_timer_start(proc->stop_timer, grace_ms);
    }
}

void proc_abandon(Proc *proc) {
    proc->callbacks = (ProcCallbacks){0};
    proc_stop(proc, 0);
}

const ProcIdentity *proc_identity(const Proc *proc) {
    return &proc->group.identity;
}

// --- all of them --------------------------------------------------------------------------------

Err procs_new(Loop *loop, const ProcSeam *seam, Procs **out) {
    TRY(crypto_init());
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
        return err_system("cannot become the reaper of orphaned processes");
    }
    int fd = pidfd_open(getpid(), 0);
    if (fd < 0) {
        return err_make(ERR_UNSUPPORTED,
                        "this kernel has no process descriptors (Linux 5.4 is needed)");
    }
    close(fd);
    Procs *procs = heap_alloc(1, sizeof *procs);
    procs->loop = loop;
    procs->seam = seam != NULL ? *seam : (ProcSeam){launch_system, NULL};
    procs->reaper = loop_timer_new(loop, reap_orphans, procs);
    loop_timer_set_background(procs->reaper);
    procs->bytes = heap_alloc(PROC_READ_BYTES, 1);
    read_boot_id(procs->boot);
    *out = procs;
    return err_none();
}

void procs_free(Procs *procs) {
    if (procs == NULL) return;
    for (int round = 0; round < SWEEP_MS / LOOK_MS; round++) {
        bool is_left = false;
        for (Proc *proc = procs->first; proc != NULL; proc = proc->next) {
            if (group_kill(&proc->group, &procs->table) > 0) is_left = true;
            group_reap(&procs->table, 0);
        }
        if (!is_left) break;
        struct timespec pause = {.tv_nsec = LOOK_MS * 1000 * 1000};
        nanosleep(&pause, NULL);
    }
    while (procs->first != NULL) {
        Proc *proc = procs->first;
        procs->first = proc->next;
        proc_free(proc);
    }
    // What a child has left that has ended.
    pid_t pids[CHILDREN_MAX];
    size_t count = children_of_self(pids, CHILDREN_MAX);
    for (size_t i = 0; count != SIZE_MAX && i < count; i++) {
        ProcEntry entry = {0};
        if (is_keeper(procs, pids[i])) continue;
        if (!table_read(pids[i], &entry) || entry.session == getsid(0)) continue;
        ProcGroup group = {
            .identity = {.pid = entry.session, .start = entry.start}
        };
        group_kill(&group, &procs->table);
        group_reap(&procs->table, 0);
        group_release(&group);
        waitpid(pids[i], NULL, 0);
    }
    loop_timer_free(procs->reaper);
    table_release(&procs->table);
    heap_free(procs->bytes);
    heap_free(procs->keepers);
    heap_free(procs);
}

// --- keepers ------------------------------------------------------------------------------------

void procs_set_spared(Procs *procs, ProcSpared *spared) {
    procs->spared = spared;
}

ProcSpared *procs_spared(const Procs *procs) {
    return procs->spared;
}

Loop *procs_loop(const Procs *procs) {
    return procs->loop;
}

char *procs_scratch(const Procs *procs) {
    return procs->bytes;
}

void procs_spare(Procs *procs, pid_t pid) {
    if (procs->keeper_count == procs->keeper_capacity) {
        procs->keeper_capacity = arena_next_capacity(procs->keeper_count);
        procs->keepers =
            heap_resize(procs->keepers, procs->keeper_capacity, sizeof *procs->keepers);
    }
    procs->keepers[procs->keeper_count++] = pid;
}

void procs_unspare(Procs *procs, pid_t pid) {
    uint32_t left = 0;
    for (uint32_t i = 0; i < procs->keeper_count; i++) {
        if (procs->keepers[i] != pid) procs->keepers[left++] = procs->keepers[i];
    }
    procs->keeper_count = left;
}

uint32_t procs_running(const Procs *procs) {
    uint32_t count = 0;
    for (const Proc *proc = procs->first; proc != NULL; proc = proc->next) count++;
    return count;
}
