// attach.c - the log of a container, followed to its end.
//
// The Engine API sends frames: a byte for the stream, three of zero, the length (big end first),
// the bytes. They may be cut anywhere.
#include <string.h>

#include "host/exec.h"

enum { FRAME_HEAD = 8, STREAM_STDERR = 2 };

#define FOREVER_MS ((int64_t)365 * 24 * 3600 * 1000)  // a container may be silent for long

struct Attach {
    Exec *exec;
    Arena *arena;
    NetRequest *request;
    unsigned char head[FRAME_HEAD];
    size_t have;    // bytes of the head
    uint64_t left;  // bytes of the frame to come
    ProcStream kind;
};

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
            continue;
        }
        size_t piece = bytes.len < attach->left ? bytes.len : (size_t)attach->left;
        exec_feed(attach->exec, attach->kind, str_slice(bytes, 0, piece));
        attach->left -= piece;
        bytes = str_slice(bytes, piece, bytes.len);
    }
    return true;
}

static void on_ended(void *self, const NetResult *result) {
    Attach *attach = self;
    attach->request = NULL;
    Str message = {0};
    if (result->status == 0) {
        message = str_printf(attach->arena, "the log of the container broke off: " STR_FMT,
                             STR_ARG(result->message));
    } else if (result->status >= 300) {
        message = str_printf(attach->arena, "the log of the container cannot be read (status %d)",
                             (int)result->status);
    }
    exec_end(attach->exec, message, STR("transient"));
}

Err attach_start(HostTask *task, Exec *exec, Value fields, Arena *arena, Attach **out) {
    Attach *attach = arena_new(arena, Attach);
    *attach = (Attach){.exec = exec, .arena = arena};
    Net *net = NULL;
    TRY(host_net(task->host, &net));
    NetStart start = {
        .url = value_map_get_text(fields, STR("url"), STR("")),
        .unix_socket = value_map_get_text(fields, STR("unix"), STR("")),
        .idle_ms = FOREVER_MS,
        .save_fd = -1,
        .callbacks = {.chunk = on_chunk, .ended = on_ended, .self = attach}
    };
    TRY(net_start(net, &start, &attach->request));
    *out = attach;
    return err_none();
}

void attach_cancel(Attach *attach) {
    if (attach != NULL && attach->request != NULL) net_cancel(attach->request);
    if (attach != NULL) attach->request = NULL;
}
