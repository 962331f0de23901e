// proc.h - child processes that cannot escape (design §4.7).
//
// Every child gets a session of its own, standard input from /dev/null, and its two output streams
// read as they come: lines are handed out, nothing is collected, memory is constant. It has ended
// when its main process has ended, even where a descendant keeps the pipe open; what is left of it
// is ended then, too. A child that must outlive this process has a keeper (below). Stopping is TERM
// to everything that descends from it, a grace time, then KILL, however it tried to get away: the
// engine process is a child subreaper, so an orphan becomes its child and is found in /proc by
// session, by parent, or by the mark in its environment. Only what another user runs (sudo) can
// survive; it is counted.
//
// libuv's process support is not used: it reaps pids it does not own and leaves adopted orphans.
#ifndef FLOW_PROC_PROC_H
#define FLOW_PROC_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/err.h"
#include "base/str.h"
#include "loop/loop.h"

// --- lines --------------------------------------------------------------------------------------

enum {
    LINE_MAX_BYTES = 10 << 10,    // longer ones are handed out in pieces
    MARKER_MAX_BYTES = 16 << 20,  // a line that begins with `::{` may be as long as this
};

enum {
    LINE_GOES_ON = 1,   // a piece: the rest of the line follows
    LINE_IS_REST = 2,   // a piece: its beginning was handed out before
    LINE_REPAIRED = 4,  // NUL or invalid UTF-8 was replaced by U+FFFD
};

// Cuts a stream into lines: LF, CR LF and CR end one. What is handed out is valid UTF-8 without
// NUL and lives until the call returns. Zero is a valid state.
typedef struct LineSplitter {
    Buffer held;      // beginning of an unfinished line
    Buffer repaired;  // scratch
    bool skip_newline;
    bool is_plain;  // the line at hand needs no repair
    bool is_rest;
    uint64_t bytes, lines, nuls, invalid;
} LineSplitter;

typedef void (*LineCall)(void *self, Str line, unsigned flags);

void lines_feed(LineSplitter *splitter, Str bytes, LineCall call, void *self);
// What is held, as a last line without an end.
void lines_end(LineSplitter *splitter, LineCall call, void *self);
void lines_release(LineSplitter *splitter);

// --- identity -----------------------------------------------------------------------------------

enum { PROC_MARK_SIZE = 33 };
// The variable that every child carries, so that descendants are known whatever they do.
#define PROC_MARK_VARIABLE "FLOWRUN_PROCESS_MARK"

// Who a child is, for longer than its process number means anything. Kept in a checkpoint, so that
// the next start can end what a crash left behind.
typedef struct ProcIdentity {
    pid_t pid;       // also its session
    uint64_t start;  // clock ticks since boot, /proc/PID/stat
    char boot[37];
    char mark[PROC_MARK_SIZE];
} ProcIdentity;

// "PID START BOOT MARK".
void proc_identity_print(const ProcIdentity *identity, Buffer *out);
MUST_CHECK Err proc_identity_parse(Str text, ProcIdentity *out);
// Kills what is left of a child of an earlier process of ours: its session and everything with its
// mark, with all descendants. Where its number is not known (pid -1) the mark is looked for a few
// times, since a process has it only once its program runs. `killed` (may be NULL) gets the number
// of processes. Another boot or a reused number kills nothing. Waits until they are gone, at most 5
// s.
MUST_CHECK Err proc_kill_left_over(const ProcIdentity *identity, uint32_t *killed);

// --- starting -----------------------------------------------------------------------------------

typedef struct Procs Procs;
typedef struct Proc Proc;

typedef enum ProcStream { PROC_STDOUT, PROC_STDERR } ProcStream;

// The seam for process start (design §4.8): what a test replaces to make starts fail or to count.
typedef struct ProcLaunch {
    const char *path;  // found; relative to `folder`
    const char *const *argv;
    const char *const *env;
    const char *folder;
    int output, error;  // descriptors that become 1 and 2
    int script;         // becomes descriptor 3, or 0 where `is_input`; -1: none
    bool is_input;
} ProcLaunch;

typedef struct ProcSeam {
    // 0 or an errno.
    int (*launch)(void *self, const ProcLaunch *launch, pid_t *pid);
    void *self;
} ProcSeam;

// Makes this process a child subreaper. One for a process; `seam` NULL: posix_spawn.
MUST_CHECK Err procs_new(Loop *loop, const ProcSeam *seam, Procs **out);
// Kills what still runs and waits for it; no callbacks.
void procs_free(Procs *procs);
uint32_t procs_running(const Procs *procs);

typedef struct ProcEnd {
    int code;               // exit code; 128 + signal where one ended it
    int signal;             // 0: none
    bool was_stopped;       // proc_stop was called before it ended
    uint32_t survivors;     // descendants that could not be ended (another user's)
    uint64_t bytes, lines;  // of both streams
    uint64_t repaired;      // NULs and invalid bytes replaced
} ProcEnd;

typedef struct ProcCallbacks {
    // Just before the process is there: of its identity boot and mark are known. May be NULL.
    void (*starting)(void *self, const ProcIdentity *identity);
    // One line (or piece) without its end. May be NULL.
    void (*line)(void *self, ProcStream stream, Str line, unsigned flags);
    // Raw bytes before they are cut into lines; true: they are taken, no lines are made of them.
    // May be NULL.
    bool (*bytes)(void *self, ProcStream stream, Str bytes);
    // Exactly once; the Proc is gone when it returns.
    void (*ended)(void *self, const ProcEnd *end);
    void *self;
} ProcCallbacks;

typedef struct ProcStart {
    const char *const *argv;  // argv[0] is looked up on the PATH of `env`
    const char *const *env;   // NULL-terminated `NAME=value`; the mark is added
    const char *folder;       // absolute
    // Text that is handed over as descriptor 3, a sealed memfd; argv names it as PROC_SCRIPT_PATH.
    Str script;
    bool has_script;
    bool is_input;  // the text is the standard input instead, which is empty otherwise
    ProcCallbacks callbacks;
} ProcStart;

#define PROC_SCRIPT_PATH "/dev/fd/3"

// ERR_NOT_FOUND (program, folder) with where it was looked for; ERR_SYSTEM; ERR_UNSUPPORTED (a
// kernel without pidfds).
MUST_CHECK Err proc_start(Procs *procs, const ProcStart *start, Proc **out);
// TERM to all that descends from it, KILL after the grace time. `ended` follows. A second call with
// a shorter time counts.
void proc_stop(Proc *proc, int64_t grace_ms);
// Ends it without callbacks; the Proc must not be used any more.
void proc_abandon(Proc *proc);
const ProcIdentity *proc_identity(const Proc *proc);
// The absolute or `folder`-relative path of a program by the PATH in `env`. ERR_NOT_FOUND.
MUST_CHECK Err proc_find(const char *program, const char *const *env, const char *folder,
                         Arena *arena, Str *out);

// How an interpreter reads its text from PROC_SCRIPT_PATH: {"/bin/sh", "-c"} becomes {"/bin/sh",
// "/dev/fd/3"}. ERR_UNSUPPORTED for an interpreter that is not known to do that.
MUST_CHECK Err proc_script_argv(const Str *interpreter, uint32_t count, Arena *arena, Str **argv,
                                uint32_t *argv_count);

// --- children that outlive the engine -----------------------------------------------------------

// A kept child belongs to a keeper, a copy of this process that lives on when this one is killed:
// it writes what the child prints, and how it ended, to files in a folder. This process reads them;
// a later one finds the keeper again. There is never a second child: who begins has made a claim
// that only one can make.

typedef struct Kept Kept;
// Keepers that the outer process leaves alone when it sweeps.
typedef struct ProcSpared ProcSpared;

typedef struct KeepStart {
    ProcStart process;   // without callbacks
    const char *folder;  // of the keeper's files, made by the caller; removed by whoever no longer
                         // needs the result
    int64_t grace_ms;    // between TERM and KILL
    // What may be written of the bytes, appended to `out`; called in the keeper. NULL: all.
    void (*filter)(void *self, ProcStream stream, Str bytes, bool is_end, Buffer *out);
    void *self;
} KeepStart;

typedef struct KeptEnd {
    bool is_known;   // else the keeper was killed, and nobody knows how the child ended
    bool has_begun;  // false: there was no child and there will be none
    bool was_stopped;
    Err failure;      // the child could not be started
    ProcEnd process;  // where it could; its counts of bytes and lines are not kept
    uint64_t lost;    // bytes of output that could not be written
} KeptEnd;

typedef struct KeptCallbacks {
    void (*bytes)(void *self, ProcStream stream, Str bytes);  // from the first one on
    void (*ended)(void *self, const KeptEnd *end);            // exactly once; the Kept is gone then
    void *self;
} KeptCallbacks;

// The texts of `start` are used by the copy, at once. A missing program and the like come as an
// end.
MUST_CHECK Err keep_start(Procs *procs, const KeepStart *start, const KeptCallbacks *callbacks,
                          Kept **out);
// Of an earlier process, by folder and grace time of `start`. *out is NULL where it never began and
// never will; else its output is read from the beginning, and its end follows.
MUST_CHECK Err keep_attach(Procs *procs, const KeepStart *start, const KeptCallbacks *callbacks,
                           Kept **out);
// As proc_stop.
void keep_stop(Kept *kept);
// Nothing more of it is read; it goes on. NULL is fine.
void keep_leave(Kept *kept);
// Shared with the outer process; NULL where there is none.
void procs_set_spared(Procs *procs, ProcSpared *spared);

// --- the outer process --------------------------------------------------------------------------

// Forks. Returns in the inner process, which goes on as the engine. The outer one never returns: it
// is a subreaper, passes on signals that are sent to it alone (those of a terminal reach both), and
// when the inner process ends, kills everything that descends from it, but for keepers and what is
// theirs, and ends the same way. The inner process may see one interrupt twice within 100 ms. Call
// before there are threads. *spared is for procs_set_spared.
MUST_CHECK Err proc_supervise(ProcSpared **spared);

#endif
