// loop.c - libuv behind loop.h. Handles are heap blocks that libuv gives back in its close
// callback, so freeing a handle inside its own call is safe.
#include "loop/loop.h"

#include <string.h>
#include <uv.h>

#include "base/arena.h"

typedef struct Deferred {
    LoopCall call;
    void *self;
} Deferred;

struct Loop {
    uv_loop_t uv;
    uv_idle_t idle;     // active while calls are deferred: the poll does not wait then
    uv_timer_t limit;   // ends the wait of loop_run_once; never keeps alive
    Deferred *waiting;  // for the next round
    uint32_t waiting_count, waiting_capacity;
    Deferred *due;  // being called in this round
    uint32_t due_count, due_at;
    bool is_stopped;
};

struct LoopTimer {
    uv_timer_t uv;  // first: a handle's address is its owner's
    LoopCall call;
    void *self;
};

struct LoopWatch {
    uv_poll_t uv;
    LoopWatchCall call;
    void *self;
    int fd;
    unsigned wanted;
};

struct LoopSignal {
    uv_signal_t uv;
    LoopCall call;
    void *self;
};

struct LoopWake {
    uv_async_t uv;
    LoopCall call;
    void *self;
};

static Err failed(int status, const char *what) {
    Err err = err_make(ERR_SYSTEM, "%s: %s", what, uv_strerror(status));
    err.number = -status;
    return err;
}

static void free_closed(uv_handle_t *handle) {
    heap_free(handle);
}

static void end_handle(void *handle) {
    if (!uv_is_closing((uv_handle_t *)handle)) uv_close((uv_handle_t *)handle, free_closed);
}

// --- deferred calls -----------------------------------------------------------------------------

// Calls what was deferred before this round; what is deferred meanwhile waits for the next one.
static void call_deferred(uv_idle_t *idle) {
    Loop *loop = idle->data;
    loop->due = loop->waiting;
    loop->due_count = loop->waiting_count;
    loop->waiting = NULL;
    loop->waiting_count = loop->waiting_capacity = 0;
    for (loop->due_at = 0; loop->due_at < loop->due_count; loop->due_at++) {
        Deferred now = loop->due[loop->due_at];
        if (now.call != NULL) now.call(now.self);
    }
    heap_free(loop->due);
    loop->due = NULL;
    loop->due_count = 0;
    if (loop->waiting_count == 0) uv_idle_stop(idle);
}

void loop_defer(Loop *loop, LoopCall call, void *self) {
    if (loop->waiting_count == loop->waiting_capacity) {
        loop->waiting_capacity = arena_next_capacity(loop->waiting_count);
        loop->waiting = heap_resize(loop->waiting, loop->waiting_capacity, sizeof *loop->waiting);
    }
    loop->waiting[loop->waiting_count++] = (Deferred){call, self};
    uv_idle_start(&loop->idle, call_deferred);
}

void loop_defer_cancel(Loop *loop, const void *self) {
    for (uint32_t i = loop->due_at; i < loop->due_count; i++) {
        if (loop->due[i].self == self) loop->due[i].call = NULL;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < loop->waiting_count; i++) {
        if (loop->waiting[i].self != self) loop->waiting[kept++] = loop->waiting[i];
    }
    loop->waiting_count = kept;
    if (kept == 0 && loop->due_count == 0) uv_idle_stop(&loop->idle);
}

// --- the loop -----------------------------------------------------------------------------------

static void nothing(uv_timer_t *timer) {
    (void)timer;
}

Err loop_new(Loop **out) {
    Loop *loop = heap_alloc(1, sizeof *loop);
    int status = uv_loop_init(&loop->uv);
    if (status != 0) {
        heap_free(loop);
        return failed(status, "cannot make an event loop");
    }
    uv_idle_init(&loop->uv, &loop->idle);
    loop->idle.data = loop;
    uv_timer_init(&loop->uv, &loop->limit);
    uv_unref((uv_handle_t *)&loop->limit);
    *out = loop;
    return err_none();
}

static void close_left(uv_handle_t *handle, void *arg) {
    Loop *loop = arg;
    if (uv_is_closing(handle)) return;
    bool is_own = handle == (uv_handle_t *)&loop->idle || handle == (uv_handle_t *)&loop->limit;
    uv_close(handle, is_own ? NULL : free_closed);
}

void loop_free(Loop *loop) {
    if (loop == NULL) return;
    uv_walk(&loop->uv, close_left, loop);
    while (uv_run(&loop->uv, UV_RUN_DEFAULT) != 0) {
    }
    uv_loop_close(&loop->uv);
    heap_free(loop->waiting);
    heap_free(loop);
}

bool loop_run(Loop *loop) {
    while (!loop->is_stopped && uv_run(&loop->uv, UV_RUN_ONCE) != 0) {
    }
    bool was_stopped = loop->is_stopped;
    loop->is_stopped = false;
    return was_stopped;
}

bool loop_run_once(Loop *loop, int64_t timeout_ms) {
    if (timeout_ms > 0) {
        uv_update_time(&loop->uv);
        uv_timer_start(&loop->limit, nothing, (uint64_t)timeout_ms, 0);
        // Without a reference uv_run returns at once where nothing else is alive, which is right.
    }
    int alive = uv_run(&loop->uv, timeout_ms == 0 ? UV_RUN_NOWAIT : UV_RUN_ONCE);
    if (timeout_ms > 0) uv_timer_stop(&loop->limit);
    return alive != 0;
}

void loop_stop(Loop *loop) {
    loop->is_stopped = true;
    uv_stop(&loop->uv);
}

int64_t loop_now_ms(const Loop *loop) {
    return (int64_t)uv_now(&loop->uv);
}

// --- timers -------------------------------------------------------------------------------------

static void timer_fired(uv_timer_t *handle) {
    LoopTimer *timer = (LoopTimer *)(void *)handle;
    timer->call(timer->self);
}

LoopTimer *loop_timer_new(Loop *loop, LoopCall call, void *self) {
    LoopTimer *timer = heap_alloc(1, sizeof *timer);
    uv_timer_init(&loop->uv, &timer->uv);
    timer->call = call;
    timer->self = self;
    return timer;
}

void loop_timer_start(LoopTimer *timer, int64_t milliseconds) {
    uint64_t wait = milliseconds < 0 ? 0 : (uint64_t)milliseconds;
    uv_update_time(timer->uv.loop);  // counted from now, not from the beginning of the round
    uv_timer_start(&timer->uv, timer_fired, wait, 0);
}

void loop_timer_stop(LoopTimer *timer) {
    uv_timer_stop(&timer->uv);
}

bool loop_timer_is_running(const LoopTimer *timer) {
    return uv_is_active((const uv_handle_t *)&timer->uv) != 0;
}

void loop_timer_set_background(LoopTimer *timer) {
    uv_unref((uv_handle_t *)&timer->uv);
}

void loop_timer_free(LoopTimer *timer) {
    if (timer != NULL) end_handle(timer);
}

// --- descriptors --------------------------------------------------------------------------------

static void start_watch(LoopWatch *watch);

static void watch_ready(uv_poll_t *handle, int status, int events) {
    LoopWatch *watch = (LoopWatch *)(void *)handle;
    unsigned ready = 0;
    if (status < 0) {
        ready = watch->wanted;
    } else {
        if ((events & UV_READABLE) != 0) ready |= LOOP_READABLE;
        if ((events & UV_WRITABLE) != 0) ready |= LOOP_WRITABLE;
        if ((events & UV_DISCONNECT) != 0) ready |= watch->wanted;
    }
    ready &= watch->wanted;
    if (ready != 0) watch->call(watch->self, watch->fd, ready);
    // After an error libuv watches no more; whoever still wants to read what came before it must
    // not wait for ever.
    if (status < 0 && watch->wanted != 0 && !uv_is_closing((uv_handle_t *)handle) &&
        !uv_is_active((uv_handle_t *)handle)) {
        start_watch(watch);
    }
}

static void start_watch(LoopWatch *watch) {
    int wanted = 0;
    if ((watch->wanted & LOOP_READABLE) != 0) wanted |= UV_READABLE;
    if ((watch->wanted & LOOP_WRITABLE) != 0) wanted |= UV_WRITABLE;
    uv_poll_start(&watch->uv, wanted, watch_ready);
}

Err loop_watch_new(Loop *loop, int fd, LoopWatchCall call, void *self, LoopWatch **out) {
    LoopWatch *watch = heap_alloc(1, sizeof *watch);
    int status = uv_poll_init(&loop->uv, &watch->uv, fd);
    if (status != 0) {
        heap_free(watch);
        return failed(status, "cannot wait for a descriptor");
    }
    watch->call = call;
    watch->self = self;
    watch->fd = fd;
    *out = watch;
    return err_none();
}

void loop_watch_set(LoopWatch *watch, unsigned events) {
    if (events == watch->wanted) return;
    watch->wanted = events;
    if (events == 0) {
        uv_poll_stop(&watch->uv);
        return;
    }
    start_watch(watch);
}

void loop_watch_free(LoopWatch *watch) {
    if (watch == NULL) return;
    uv_poll_stop(&watch->uv);  // now: the caller may close the descriptor at once
    watch->wanted = 0;
    end_handle(watch);
}

// --- signals and waking -------------------------------------------------------------------------

static void signal_came(uv_signal_t *handle, int number) {
    (void)number;
    LoopSignal *signal = (LoopSignal *)(void *)handle;
    signal->call(signal->self);
}

Err loop_signal_new(Loop *loop, int number, LoopCall call, void *self, LoopSignal **out) {
    LoopSignal *signal = heap_alloc(1, sizeof *signal);
    int status = uv_signal_init(&loop->uv, &signal->uv);
    if (status != 0) {
        heap_free(signal);
        return failed(status, "cannot wait for a signal");
    }
    signal->call = call;
    signal->self = self;
    status = uv_signal_start(&signal->uv, signal_came, number);
    if (status != 0) {
        end_handle(signal);
        return failed(status, "cannot wait for a signal");
    }
    uv_unref((uv_handle_t *)&signal->uv);
    *out = signal;
    return err_none();
}

void loop_signal_free(LoopSignal *signal) {
    if (signal != NULL) end_handle(signal);
}

static void wake_came(uv_async_t *handle) {
    LoopWake *wake = (LoopWake *)(void *)handle;
    wake->call(wake->self);
}

Err loop_wake_new(Loop *loop, LoopCall call, void *self, LoopWake **out) {
    LoopWake *wake = heap_alloc(1, sizeof *wake);
    int status = uv_async_init(&loop->uv, &wake->uv, wake_came);
    if (status != 0) {
        heap_free(wake);
        return failed(status, "cannot make a wake-up");
    }
    wake->call = call;
    wake->self = self;
    uv_unref((uv_handle_t *)&wake->uv);
    *out = wake;
    return err_none();
}

void loop_wake(LoopWake *wake) {
    uv_async_send(&wake->uv);
}

void loop_wake_free(LoopWake *wake) {
    if (wake != NULL) end_handle(wake);
}
