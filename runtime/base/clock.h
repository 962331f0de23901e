// clock.h - the seam for time: everything that needs the time or chance is handed one of these.
#ifndef FLOW_BASE_CLOCK_H
#define FLOW_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

typedef struct Clock {
    int64_t (*wall_ms)(void *self);  // milliseconds since 1970, UTC
    int64_t (*mono_ms)(void *self);  // a clock that never jumps
    void (*random)(void *self, void *out, size_t len);
    void *self;
} Clock;

// The machine's own.
const Clock *clock_system(void);

#endif
