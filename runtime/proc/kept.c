// kept.c - the engine's side of a kept child: it starts a keeper or finds one, reads what it has
// written, as it comes or long after, and tells it to stop.
//
// There is one owner of the child at any time, the keeper. What is said here after a crash follows
// from three facts: whether there is a claim, whether the keeper that made it lives, whether there
// is an end.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "proc/internal.h"

enum {
    LOOK_MS_MIN = 5,  // between two looks at the output
    LOOK_MS_MAX = 100,
    LATE_MS = 7000,  // what a keeper may take behind the grace time
    READS_PER_ROUND = 16,
    FILE_LIMIT = 64 << 10,
};

struct Kept {
    Procs *procs;
    KeptCallbacks callbacks;
    int folder, output, pidfd;  // -1: none
    LoopWatch *watch;
    LoopTimer *look, *late;
    int64_t pause_ms, grace_ms;
    off_t at;
    char head[KEEP_FRAME_HEAD];
    uint32_t have, left;  // bytes of the head; of the frame to come
    pid_t pid;
    bool is_stopped;
};

// --- what is spared when the engine dies --------------------------------------------------------

// So many at once: far more processes than one machine runs. Pages that nobody writes cost nothing.
enum { SPARED_MAX = 1 << 15 };

struct ProcSpared {
    _Atomic uint32_t used;  // items that were taken once: what is behind them is free
    struct {
        _Atomic pid_t pid;
        _Atomic uint64_t start;
    } items[SPARED_MAX];
};

Err proc_spared_new(ProcSpared **out) {
    void *page =
        mmap(NULL, sizeof **out, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return err_system("cannot share memory with the outer process");
    *out = page;
    return err_none();
}

static bool take_item(ProcSpared *spared, pid_t pid, uint64_t start) {
    for (uint32_t i = 0; i < SPARED_MAX; i++) {
        pid_t none = 0;
        if (!atomic_compare_exchange_strong(&spared->items[i].pid, &none, -1)) continue;
        uint32_t used = atomic_load(&spared->used);
        while (used <= i && !atomic_compare_exchange_weak(&spared->used, &used, i + 1)) {
        }
        atomic_store(&spared->items[i].start, start);
        atomic_store(&spared->items[i].pid, pid);
        return true;
    }
    return false;
}

// Those that were killed did not go by themselves.
static void free_items(ProcSpared *spared) {
    for (uint32_t i = 0; i < SPARED_MAX; i++) {
        pid_t holder = atomic_load(&spared->items[i].pid);
        ProcEntry entry = {0};
        if (holder <= 0 || table_read(holder, &entry)) continue;
        atomic_compare_exchange_strong(&spared->items[i].pid, &holder, 0);
    }
}

bool spared_add(ProcSpared *spared, pid_t pid, uint64_t start) {
    if (spared == NULL || take_item(spared, pid, start)) return true;
    free_items(spared);
    return take_item(spared, pid, start);
}

void spared_remove(ProcSpared *spared, pid_t pid) {
    uint32_t used = spared == NULL ? 0 : atomic_load(&spared->used);
    for (uint32_t i = 0; i < used; i++) {
        if (atomic_load(&spared->items[i].pid) == pid) atomic_store(&spared->items[i].pid, 0);
    }
}

bool spared_has(const ProcSpared *spared, const ProcEntry *entry) {
    uint32_t used = spared == NULL ? 0 : atomic_load(&spared->used);
    for (uint32_t i = 0; i < used; i++) {
        if (atomic_load(&spared->items[i].pid) != entry->pid) continue;
        if (atomic_load(&spared->items[i].start) == entry->start) return true;
    }
    return false;
}

// --- its files ----------------------------------------------------------------------------------

static Err read_text(int folder, const char *name, Arena *arena, Str *out) {
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return err_system("cannot read '%s' of a kept process", name);
    Err err = file_read_fd(fd, name, FILE_LIMIT, arena, out);
    close(fd);
    return err;
}

static bool is_given_up(Str claim) {
    return str_eq(str_trim(claim), STR(KEEP_GIVEN_UP));
}

// The words of a line, at most `max`; the last one is the rest.
static uint32_t split_words(Str line, Str *words, uint32_t max) {
    uint32_t count = 0;
    line = str_trim(line);
    while (count < max && line.len > 0) {
        size_t blank = count + 1 == max ? STR_NOT_FOUND : str_find_char(line, ' ', 0);
        words[count++] = blank == STR_NOT_FOUND ? line : str_slice(line, 0, blank);
        line = blank == STR_NOT_FOUND ? (Str){0} : str_slice(line, blank + 1, line.len);
    }
    return count;
}

static int64_t number_of(Str text) {
    int64_t number = 0;
    return str_to_int(text, &number) ? number : 0;
}

static bool read_end(const Kept *kept, Arena *arena, KeptEnd *end) {
    Str text = {0}, words[6] = {{0}};
    Err err = read_text(kept->folder, KEEP_END, arena, &text);
    if (err.code != ERR_NONE) return false;
    if (str_starts_with(text, STR("failed ")) && split_words(text, words, 3) == 3) {
        end->is_known = true;
        end->failure = err_make((ErrCode)number_of(words[1]), STR_FMT, STR_ARG(words[2]));
        return true;
    }
    if (split_words(text, words, 6) != 6 || !str_eq(words[0], STR("ended"))) return false;
    end->is_known = true;
    end->process = (ProcEnd){.code = (int)number_of(words[1]),
                             .signal = (int)number_of(words[2]),
                             .was_stopped = number_of(words[3]) != 0,
                             .survivors = (uint32_t)number_of(words[4])};
    end->lost = (uint64_t)number_of(words[5]);
    return true;
}

// What a keeper that was killed has left of its child.
static Err end_left_over(const Kept *kept, Arena *arena) {
    Str text = {0}, words[2] = {{0}};
    ProcIdentity identity = {0};
    Err err = read_text(kept->folder, KEEP_PROCESS, arena, &text);
    if (err.code != ERR_NONE) return err.code == ERR_NOT_FOUND ? err_none() : err;
    err = proc_identity_parse(str_trim(text), &identity);
    if (err.code == ERR_NONE) return proc_kill_left_over(&identity, NULL);
    if (split_words(text, words, 2) != 2 || words[0].len + 1 != sizeof identity.boot ||
        words[1].len + 1 != sizeof identity.mark) {
        return err_none();
    }
    identity = (ProcIdentity){.pid = -1};
    memcpy(identity.boot, words[0].ptr, words[0].len);
    memcpy(identity.mark, words[1].ptr, words[1].len);
    return proc_kill_left_over(&identity, NULL);
}

// --- reading ------------------------------------------------------------------------------------

static void take(Kept *kept, Str bytes) {
    while (bytes.len > 0) {
        if (kept->left == 0) {
            kept->head[kept->have++] = bytes.ptr[0];
            bytes = str_slice(bytes, 1, bytes.len);
            if (kept->have < KEEP_FRAME_HEAD) continue;
            kept->have = 0;
            for (int i = KEEP_FRAME_HEAD - 1; i > 0; i--) {
                kept->left = kept->left << 8 | (unsigned char)kept->head[i];
            }
            continue;
        }
        size_t piece = bytes.len < kept->left ? bytes.len : kept->left;
        ProcStream stream = kept->head[0] == (char)PROC_STDERR ? PROC_STDERR : PROC_STDOUT;
        kept->left -= (uint32_t)piece;
        kept->callbacks.bytes(kept->callbacks.self, stream, str_slice(bytes, 0, piece));
        bytes = str_slice(bytes, piece, bytes.len);
    }
}

// Reads what is there, at most so many pieces; true where there was something.
static bool read_output(Kept *kept, int rounds) {
    if (kept->output < 0) {
        kept->output = openat(kept->folder, KEEP_OUTPUT, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    }
    if (kept->output < 0) return false;
    char *bytes = procs_scratch(kept->procs);
    bool has_read = false;
    for (int i = 0; i < rounds; i++) {
        ssize_t got = pread(kept->output, bytes, PROC_READ_BYTES, kept->at);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        kept->at += got;
        has_read = true;
        take(kept, (Str){bytes, (size_t)got});
    }
    return has_read;
}

static void kept_free(Kept *kept) {
    loop_watch_free(kept->watch);
    loop_timer_free(kept->look);
    loop_timer_free(kept->late);
    if (kept->pidfd >= 0) close(kept->pidfd);
    if (kept->output >= 0) close(kept->output);
    if (kept->folder >= 0) close(kept->folder);
    heap_free(kept);
}

// The keeper has gone.
static void finish(Kept *kept) {
    while (read_output(kept, READS_PER_ROUND)) {
    }
    Arena arena = {0};
    KeptEnd end = {.was_stopped = kept->is_stopped};
    Str claim = {0};
    if (!read_end(kept, &arena, &end)) {
        Err err = end_left_over(kept, &arena);
        end.failure = err;
        err = read_text(kept->folder, KEEP_CLAIM, &arena, &claim);
        end.has_begun = err.code != ERR_NOT_FOUND && !is_given_up(claim);
    }
    kept->callbacks.ended(kept->callbacks.self, &end);
    arena_release(&arena);
    kept_free(kept);
}

static void on_look(void *self) {
    Kept *kept = self;
    if (kept->pidfd < 0) {  // it had gone before we came
        finish(kept);
        return;
    }
    bool has_read = read_output(kept, READS_PER_ROUND);
    kept->pause_ms = has_read ? LOOK_MS_MIN : 2 * kept->pause_ms;
    if (kept->pause_ms > LOOK_MS_MAX) kept->pause_ms = LOOK_MS_MAX;
    loop_timer_start(kept->look, kept->pause_ms);
}

static void on_gone(void *self, int fd, unsigned events) {
    (void)events;
    Kept *kept = self;
    siginfo_t ended = {0};
    waitid(P_PIDFD, (id_t)fd, &ended, WEXITED | WNOHANG);  // where it is our child
    procs_unspare(kept->procs, kept->pid);
    finish(kept);
}

static void on_late(void *self) {
    const Kept *kept = self;
    if (kept->pidfd >= 0) pidfd_send_signal(kept->pidfd, SIGKILL, NULL, 0);
}

static Err follow(Kept *kept) {
    Loop *loop = procs_loop(kept->procs);
    kept->look = loop_timer_new(loop, on_look, kept);
    kept->late = loop_timer_new(loop, on_late, kept);
    kept->pause_ms = LOOK_MS_MIN;
    loop_timer_start(kept->look, kept->pidfd < 0 ? 0 : kept->pause_ms);
    if (kept->pidfd < 0) return err_none();
    TRY(loop_watch_new(loop, kept->pidfd, on_gone, kept, &kept->watch));
    loop_watch_set(kept->watch, LOOP_READABLE);
    return err_none();
}

static Kept *kept_new(Procs *procs, int folder, int64_t grace_ms, const KeptCallbacks *callbacks) {
    Kept *kept = heap_alloc(1, sizeof *kept);
    *kept = (Kept){.procs = procs,
                   .callbacks = *callbacks,
                   .folder = folder,
                   .output = -1,
                   .pidfd = -1,
                   .grace_ms = grace_ms};
    return kept;
}

// --- beginning ----------------------------------------------------------------------------------

static Err open_folder(const char *path, int *out) {
    *out = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return *out >= 0 ? err_none() : err_system("cannot open '%s'", path);
}

Err keep_start(Procs *procs, const KeepStart *start, const KeptCallbacks *callbacks, Kept **out) {
    int folder = -1;
    TRY(open_folder(start->folder, &folder));
    sigset_t all, before;
    sigfillset(&all);
    // A handler of the engine must not run in the copy.
    sigprocmask(SIG_BLOCK, &all, &before);
    pid_t pid = fork();
    if (pid == 0) keeper_run(start, procs_spared(procs), folder);
    Err err = pid < 0 ? err_system("cannot start a keeper") : err_none();
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (err.code != ERR_NONE) {
        close(folder);
        return err;
    }
    procs_spare(procs, pid);
    Kept *kept = kept_new(procs, folder, start->grace_ms, callbacks);
    kept->pid = pid;
    kept->pidfd = pidfd_open(pid, 0);
    err = kept->pidfd < 0 ? err_system("cannot watch a keeper") : follow(kept);
    if (err.code != ERR_NONE) {
        kill(pid, SIGTERM);  // what nobody follows must not run
        kept_free(kept);
        return err;
    }
    *out = kept;
    return err_none();
}

// A descriptor of the keeper that the claim names, where it lives.
static int find_keeper(Str claim, pid_t *pid) {
    Str words[3] = {{0}};
    char boot[37];
    if (split_words(claim, words, 3) != 3) return -1;
    read_boot_id(boot);
    if (!str_eq(words[2], str_from(boot))) return -1;
    *pid = (pid_t)number_of(words[0]);
    int fd = *pid > 1 ? pidfd_open(*pid, 0) : -1;
    ProcEntry entry = {0};
    bool is_it = fd >= 0 && table_read(*pid, &entry) && entry.state != 'Z' &&
                 (int64_t)entry.start == number_of(words[1]);
    if (fd >= 0 && !is_it) {
        close(fd);
        return -1;
    }
    return fd;
}

Err keep_attach(Procs *procs, const KeepStart *start, const KeptCallbacks *callbacks, Kept **out) {
    *out = NULL;
    int folder = -1;
    Err err = open_folder(start->folder, &folder);
    if (err.code == ERR_NOT_FOUND) return err_none();
    if (err.code != ERR_NONE) return err;
    Arena arena = {0};
    Str claim = {0};
    bool is_ours = false;
    err = keep_claim(folder, STR(KEEP_GIVEN_UP "\n"), &is_ours);
    if (err.code == ERR_NONE) err = read_text(folder, KEEP_CLAIM, &arena, &claim);
    bool has_begun = err.code == ERR_NONE && !is_given_up(claim);
    if (!has_begun) {
        arena_release(&arena);
        close(folder);
        return err;
    }
    Kept *kept = kept_new(procs, folder, start->grace_ms, callbacks);
    kept->pidfd = find_keeper(claim, &kept->pid);
    arena_release(&arena);
    err = follow(kept);
    if (err.code != ERR_NONE) {
        kept_free(kept);
        return err;
    }
    *out = kept;
    return err_none();
}

void keep_stop(Kept *kept) {
    if (kept->pidfd >= 0) pidfd_send_signal(kept->pidfd, SIGTERM, NULL, 0);
    if (kept->is_stopped) return;
    kept->is_stopped = true;
    loop_timer_start(kept->late, kept->grace_ms + LATE_MS);
}

void keep_leave(Kept *kept) {
    if (kept != NULL) kept_free(kept);
}
