// attach.c - a container, followed to its end: its log as it comes, and beside it its state.
//
// The log alone does not say that a container has ended: under load Podman was seen to hold it open
// for ever, and connections break. So the engine is asked to `wait` meanwhile, again and again, and
// where it does not answer, what state the container is in. Once it has ended its log is read once
// more, not followed: what follows a log may leave out lines at the end (Podman drops them where
// the reader is slow). Frames that were given on are known by their hashes, in order; the others
// are given on now. An engine that is gone for GIVE_UP_MS fails the task; the container stays, for
// nobody can end it.
//
// A log comes in frames: a byte for the stream, three of zero, the length (big end first), the
// bytes. They may be cut anywhere.
#include <string.h>

#include "host/exec.h"

enum {
    FRAME_HEAD = 8,
    STREAM_STDERR = 2,
    FRAME_MAX = 16 << 20,
    KNOWN_MAX = 4 << 20,  // bytes of hashes: a million frames, older ones are counted only
    WAIT_MS = 20000,      // one `wait` without an answer
    STATE_MS = 10000,     // any other call
    PAUSE_MS = 500,       // between two tries
    LOG_AGAIN_MS = 2000,  // after a log that has ended, where the container has not
    GIVE_UP_MS = 30000,
    LAST_READS = 3,
};

#define FOREVER_MS ((int64_t)365 * 24 * 3600 * 1000)  // a container may be silent for long

struct Attach {
    Exec *exec;
    HostTask *task;
    Arena *arena;
    NetStart peer;  // how the engine is reached
    Str url;
    NetRequest *log, *state;
    LoopTimer *log_timer, *state_timer;
    bool asks_state;  // `state` is a look at the container, not a wait
    bool has_ended;
    int32_t code;
    int reads;          // of the log after the end
    int64_t failed_ms;  // since when the engine has not answered; 0: it does
    unsigned char head[FRAME_HEAD];
    size_t have;    // bytes of the head
    uint64_t left;  // bytes of the frame to come
    ProcStream kind;
    Buffer frame;
    Buffer walked;          // hashes of the frames that this reading came by
    uint64_t walked_older;  // frames before those
    Buffer known;           // of readings before: given on already
    size_t known_at;
    uint64_t known_older;
};

static void ask(void *self);

static int64_t now_ms(const Attach *attach) {
    return loop_now_ms(attach->task->host->options.loop);
}

static void finish(Attach *attach, Str message, const char *error_class) {
    attach_cancel(attach);
    exec_end(attach->exec, attach->code, message, str_from(error_class));
}

static Err send(Attach *attach, const char *method, const char *path, int64_t idle_ms,
                NetCallbacks callbacks, NetRequest **out) {
    Net *net = NULL;
    TRY(host_net(attach->task->host, &net));
    Arena scratch = {0};
    NetStart start = attach->peer;
    start.method = str_from(method);
    start.url = str_printf(&scratch, STR_FMT "%s", STR_ARG(attach->url), path);
    start.idle_ms = idle_ms;
    start.save_fd = -1;
    start.callbacks = callbacks;
    start.callbacks.self = attach;
    Err err = net_start(net, &start, out);
    arena_release(&scratch);
    return err;
}

// --- the log ------------------------------------------------------------------------------------

static uint32_t hash_frame(const Attach *attach) {
    uint32_t hash = 2166136261u ^ (uint32_t)attach->kind;  // FNV-1a
    for (size_t i = 0; i < attach->frame.len; i++) {
        hash = (hash ^ (unsigned char)attach->frame.ptr[i]) * 16777619u;
    }
    return hash;
}

static void take_frame(Attach *attach) {
    uint32_t hash = hash_frame(attach), known = 0;
    bool is_known = attach->known_older > 0;
    if (is_known) {
        attach->known_older--;
    } else if (attach->known_at + sizeof known <= attach->known.len) {
        memcpy(&known, attach->known.ptr + attach->known_at, sizeof known);
        is_known = known == hash;
        if (is_known) attach->known_at += sizeof known;
    }
    buffer_add_bytes(&attach->walked, &hash, sizeof hash);
    if (attach->walked.len > KNOWN_MAX) {
        size_t half = KNOWN_MAX / 2;
        attach->walked_older += half / sizeof hash;
        attach->walked.len -= half;
        memmove(attach->walked.ptr, attach->walked.ptr + half, attach->walked.len);
    }
    if (!is_known) exec_feed(attach->exec, attach->kind, buffer_str(&attach->frame));
    buffer_clear(&attach->frame);
}

static bool on_chunk(void *self, Str bytes) {
    Attach *attach = self;
    while (bytes.len > 0) {
        if (attach->left == 0) {
            attach->head[attach->have++] = (unsigned char)bytes.ptr[0];
            bytes = str_slice(bytes, 1, bytes.len);
            if (attach->have < FRAME_HEAD) continue;
            attach->have = 0;
            attach->kind = attach->head[0] == STREAM_STDERR ? PROC_STDERR : PROC_STDOUT;
            for (int i = 4; i < FRAME_HEAD; i++) attach->left = attach->left << 8 | attach->head[i];
            if (attach->left > FRAME_MAX) return false;  // no log of the Engine API
            continue;
        }
        size_t piece = bytes.len < attach->left ? bytes.len : (size_t)attach->left;
        buffer_add(&attach->frame, str_slice(bytes, 0, piece));
        attach->left -= piece;
        bytes = str_slice(bytes, piece, bytes.len);
        if (attach->left == 0) take_frame(attach);
    }
    return true;
}

static void on_log_ended(void *self, const NetResult *result) {
    Attach *attach = self;
    attach->log = NULL;
    bool is_whole = result->status > 0 && result->status < 300 && result->message.len == 0;
    if (attach->has_ended && !is_whole && attach->reads >= LAST_READS) {
        host_task_log(attach->task, LOG_WARN,
                      STR("the end of the container's log cannot be read: lines may be missing"));
        is_whole = true;
    }
    if (attach->has_ended && is_whole) {
        finish(attach, (Str){0}, "");
        return;
    }
    // The state is about to say why; where it says that the container runs on, so does its log.
    loop_timer_start(attach->log_timer, is_whole ? LOG_AGAIN_MS : PAUSE_MS);
}

static Err start_log(Attach *attach, bool follows) {
    NetCallbacks callbacks = {.chunk = on_chunk, .ended = on_log_ended};
    const char *path =
        follows ? "/logs?follow=true&stdout=true&stderr=true" : "/logs?stdout=true&stderr=true";
    return send(attach, "GET", path, follows ? FOREVER_MS : STATE_MS, callbacks, &attach->log);
}

// From its beginning, behind what came already.
static void read_log(Attach *attach, bool follows) {
    if (attach->log != NULL) net_cancel(attach->log);
    attach->log = NULL;
    attach->have = 0;
    attach->left = 0;
    buffer_clear(&attach->frame);
    // What this reading came by, and what of the readings before it did not come to.
    if (attach->known_at < attach->known.len) {
        buffer_add_bytes(&attach->walked, attach->known.ptr + attach->known_at,
                         attach->known.len - attach->known_at);
    }
    Buffer walked = attach->walked;
    attach->walked = attach->known;
    attach->known = walked;
    buffer_clear(&attach->walked);
    attach->known_older += attach->walked_older;
    attach->known_at = attach->walked_older = 0;
    Err err = start_log(attach, follows);
    if (err.code != ERR_NONE) {
        finish(attach, str_dup(attach->arena, str_from(err.text)), "permanent");
    }
}

// By the timer: it broke off, or ended before the container did.
static void read_again(void *self) {
    Attach *attach = self;
    if (attach->has_ended) attach->reads++;
    read_log(attach, !attach->has_ended);
}

// --- the state ----------------------------------------------------------------------------------

static void container_ended(Attach *attach, int64_t code) {
    attach->has_ended = true;
    attach->code = (int32_t)code;
    loop_timer_stop(attach->log_timer);
    read_again(attach);
}

static void engine_is_silent(Attach *attach, const NetResult *result) {
    if (attach->failed_ms == 0) attach->failed_ms = now_ms(attach);
    if (now_ms(attach) - attach->failed_ms < GIVE_UP_MS) {
        attach->asks_state = true;
        loop_timer_start(attach->state_timer, PAUSE_MS);
        return;
    }
    Str why = result->message;
    if (why.len == 0) why = str_printf(attach->arena, "status %d", (int)result->status);
    Str text = str_printf(attach->arena,
                          "the container engine does not answer any more (" STR_FMT
                          "): the container may run on",
                          STR_ARG(why));
    finish(attach, text, "ambiguous");
}

static bool runs(Value state) {
    Str status = value_map_get_text(state, STR("Status"), STR(""));
    if (value_map_get_bool(state, STR("Running"), false)) return true;
    return !(str_eq(status, STR("exited")) || str_eq(status, STR("dead")) ||
             str_eq(status, STR("stopped")) || str_eq(status, STR("removing")));
}

// False where it is no answer.
static bool take_state(const Attach *attach, const NetResult *result, bool *is_over,
                       int64_t *code) {
    if (result->status != 200 || result->message.len > 0) return false;
    Arena scratch = {0};
    Value answer = {0};
    Err err = json_parse(result->body, (JsonLimits){0}, &scratch, &answer);
    const Value *state = value_map_get(answer, STR("State"));
    if (attach->asks_state && state != NULL) {
        *is_over = !runs(*state);
        *code = value_map_get_int(*state, STR("ExitCode"), 1);
    } else {
        *is_over = !attach->asks_state;
        *code = value_map_get_int(answer, STR("StatusCode"), 1);
    }
    arena_release(&scratch);
    return err.code == ERR_NONE;
}

static void on_state(void *self, const NetResult *result) {
    Attach *attach = self;
    attach->state = NULL;
    bool is_over = false;
    int64_t code = 1;
    if (result->status == 404) {
        finish(attach, STR("the container was removed while it ran"), "permanent");
    } else if (take_state(attach, result, &is_over, &code)) {
        attach->failed_ms = 0;
        attach->asks_state = false;
        if (is_over) {
            container_ended(attach, code);
        } else {
            loop_timer_start(attach->state_timer, PAUSE_MS);
        }
    } else if (attach->asks_state) {
        engine_is_silent(attach, result);
    } else {
        attach->asks_state = true;  // that a wait takes long says nothing
        ask(attach);
    }
}

static Err start_asking(Attach *attach) {
    NetCallbacks callbacks = {.ended = on_state};
    return attach->asks_state ? send(attach, "GET", "/json", STATE_MS, callbacks, &attach->state)
                              : send(attach, "POST", "/wait", WAIT_MS, callbacks, &attach->state);
}

static void ask(void *self) {
    Attach *attach = self;
    Err err = start_asking(attach);
    if (err.code != ERR_NONE) {
        finish(attach, str_dup(attach->arena, str_from(err.text)), "permanent");
    }
}

// --- beginning and end --------------------------------------------------------------------------

Err attach_start(HostTask *task, Exec *exec, Value fields, Arena *arena, Attach **out) {
    Attach *attach = arena_new(arena, Attach);
    *attach = (Attach){.exec = exec, .task = task, .arena = arena};
    attach->url = value_map_get_text(fields, STR("url"), STR(""));
    TRY(net_start_peer(task, fields, arena, &attach->peer));
    attach->log_timer = loop_timer_new(task->host->options.loop, read_again, attach);
    attach->state_timer = loop_timer_new(task->host->options.loop, ask, attach);
    *out = attach;
    TRY(start_log(attach, true));
    return start_asking(attach);
}

void attach_cancel(Attach *attach) {
    if (attach == NULL) return;
    if (attach->log != NULL) net_cancel(attach->log);
    if (attach->state != NULL) net_cancel(attach->state);
    attach->log = attach->state = NULL;
    loop_timer_free(attach->log_timer);
    loop_timer_free(attach->state_timer);
    attach->log_timer = attach->state_timer = NULL;
    buffer_release(&attach->frame);
    buffer_release(&attach->walked);
    buffer_release(&attach->known);
}
