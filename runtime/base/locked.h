// locked.h - memory for secrets: kept out of swap and core dumps where the system allows it, and
// wiped when it is released.
//
// Where the limit on locked memory is reached the memory is used unlocked: refusing to run would
// protect nobody.
#ifndef FLOW_BASE_LOCKED_H
#define FLOW_BASE_LOCKED_H

#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

typedef struct LockedBlock LockedBlock;

typedef struct LockedPool {
    LockedBlock *blocks;  // newest first
} LockedPool;

// Never NULL; not initialised. Lives until the pool is released.
void *locked_alloc(LockedPool *pool, size_t size);
void locked_release(LockedPool *pool);  // wipes all of it

// Makes an arena take its blocks from the pool: what it frees stays there until the pool goes.
Allocator locked_allocator(LockedPool *pool);
// All that can be read from `fd`, with no copy elsewhere. `out` lies in the pool. ERR_LIMIT beyond
// `limit` bytes, ERR_SYSTEM.
MUST_CHECK Err locked_read(LockedPool *pool, int fd, size_t limit, Str *out);

#endif
