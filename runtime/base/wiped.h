// wiped.h - a heap whose blocks are wiped when they are freed: for what holds secrets in clear for
// a while, and for libraries that are given secrets and let one set their allocator. The system's
// malloc() with a wiping free().
#ifndef FLOW_BASE_WIPED_H
#define FLOW_BASE_WIPED_H

#include <stddef.h>

#include "base/arena.h"

void *wiped_malloc(size_t size);
void *wiped_calloc(size_t count, size_t size);
void *wiped_realloc(void *block, size_t size);  // what moves leaves nothing behind
char *wiped_strdup(const char *text);
void wiped_free(void *block);  // NULL is fine

extern const Allocator wiped_allocator;  // of arenas

#endif
