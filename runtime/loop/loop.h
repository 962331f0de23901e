// loop.h - the event loop: timers, descriptors, signals and deferred calls over libuv, and nothing
// of libuv shows.
//
// One loop is used by one thread. Everything that waits is a handle made by loop_*_new and ended by
// loop_*_free; freeing inside any callback is allowed, also of the handle that is calling. A handle
// that is not started or not set does not keep the loop alive; signal handles never do. Children
// are not the loop's business (design §4.7): watch their pidfd. Callbacks run one after the other,
// never inside a call into the loop, so state needs no locks.
#ifndef FLOW_LOOP_LOOP_H
#define FLOW_LOOP_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

typedef struct Loop Loop;
typedef void (*LoopCall)(void *self);

MUST_CHECK Err loop_new(Loop **out);
// Frees every handle that is left, too. Not from inside a callback.
void loop_free(Loop *loop);
// Until loop_stop, or until nothing that is alive is left; true where it was stopped.
bool loop_run(Loop *loop);
// One round: waits at most `timeout_ms` (-1: for as long as it takes, 0: not at all) for something
// to happen and calls what is due. False where nothing alive is left.
bool loop_run_once(Loop *loop, int64_t timeout_ms);
// Makes the loop_run that is under way return after the current callback; a stop without a run
// counts for the next one.
void loop_stop(Loop *loop);
// Milliseconds of a clock that never jumps, as of the beginning of this round.
int64_t loop_now_ms(const Loop *loop);

// --- deferred calls -----------------------------------------------------------------------------

// Calls once, in order, in the next round (never inside this call); keeps the loop alive until
// then.
void loop_defer(Loop *loop, LoopCall call, void *self);
// Drops the calls that were deferred for `self`.
void loop_defer_cancel(Loop *loop, const void *self);

// --- timers -------------------------------------------------------------------------------------

typedef struct LoopTimer LoopTimer;

LoopTimer *loop_timer_new(Loop *loop, LoopCall call, void *self);
// Once, after that many milliseconds; a running one is set anew. Negative counts as 0.
void loop_timer_start(LoopTimer *timer, int64_t milliseconds);
void loop_timer_stop(LoopTimer *timer);
bool loop_timer_is_running(const LoopTimer *timer);
// A background timer (progress, housekeeping) does not keep the loop alive.
void loop_timer_set_background(LoopTimer *timer);
void loop_timer_free(LoopTimer *timer);  // NULL is fine, as for all that follow

// --- descriptors --------------------------------------------------------------------------------

enum { LOOP_READABLE = 1, LOOP_WRITABLE = 2 };

typedef struct LoopWatch LoopWatch;
// `events` are LOOP_ bits; an error or hang-up of the descriptor comes as all the bits asked for,
// so that the read or write that follows tells.
typedef void (*LoopWatchCall)(void *self, int fd, unsigned events);

// `fd` is made non-blocking; it stays the caller's and must be open until loop_watch_free. One
// watch a descriptor. ERR_SYSTEM for what cannot be waited for (regular files).
MUST_CHECK Err loop_watch_new(Loop *loop, int fd, LoopWatchCall call, void *self, LoopWatch **out);
// What to wait for from now on; 0: nothing.
void loop_watch_set(LoopWatch *watch, unsigned events);
void loop_watch_free(LoopWatch *watch);

// --- signals ------------------------------------------------------------------------------------

typedef struct LoopSignal LoopSignal;

MUST_CHECK Err loop_signal_new(Loop *loop, int number, LoopCall call, void *self, LoopSignal **out);
void loop_signal_free(LoopSignal *signal);

// --- waking from outside ------------------------------------------------------------------------

typedef struct LoopWake LoopWake;

// loop_wake may be called from any thread; `call` runs in the loop's. Does not keep it alive.
MUST_CHECK Err loop_wake_new(Loop *loop, LoopCall call, void *self, LoopWake **out);
void loop_wake(LoopWake *wake);
void loop_wake_free(LoopWake *wake);

#endif
