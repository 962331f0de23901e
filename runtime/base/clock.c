// clock.c - the machine's clock and chance.
#include "base/clock.h"

#include <time.h>

#include "base/crypto.h"

static int64_t read_ms(clockid_t id) {
    struct timespec now = {0};
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t wall_ms(void *self) {
    (void)self;
    return read_ms(CLOCK_REALTIME);
}

static int64_t mono_ms(void *self) {
    (void)self;
    return read_ms(CLOCK_MONOTONIC);
}

static void machine_random(void *self, void *out, size_t len) {
    (void)self;
    random_bytes(out, len);
}

static const Clock system_clock = {wall_ms, mono_ms, machine_random, NULL};

const Clock *clock_system(void) {
    return &system_clock;
}
