// locked.c - see locked.h. Blocks of whole pages, handed out from front to back.
#include "base/locked.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/crypto.h"

enum { BLOCK_SIZE = 16384, ALIGNMENT = 16 };

struct LockedBlock {
    LockedBlock *next;
    size_t size;  // with this header
    size_t used;
};

static LockedBlock *new_block(size_t size) {
    if (size > SIZE_MAX - 2 * BLOCK_SIZE) out_of_memory();
    size = (size + sizeof(LockedBlock) + BLOCK_SIZE - 1) / BLOCK_SIZE * BLOCK_SIZE;
    LockedBlock *block =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) out_of_memory();
    (void)mlock(block, size);
#ifdef MADV_DONTDUMP
    (void)madvise(block, size, MADV_DONTDUMP);
#endif
    *block = (LockedBlock){.size = size, .used = (sizeof *block + ALIGNMENT - 1) & ~15U};
    return block;
}

void *locked_alloc(LockedPool *pool, size_t size) {
    size_t rounded = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (rounded < size) out_of_memory();
    if (pool->blocks == NULL || pool->blocks->size - pool->blocks->used < rounded) {
        LockedBlock *block = new_block(rounded + ALIGNMENT);
        block->next = pool->blocks;
        pool->blocks = block;
    }
    LockedBlock *block = pool->blocks;
    void *place = (char *)block + block->used;
    block->used += rounded;
    return place;
}

void locked_release(LockedPool *pool) {
    LockedBlock *next = NULL;
    for (LockedBlock *block = pool->blocks; block != NULL; block = next) {
        next = block->next;
        size_t size = block->size;
        wipe(block, size);
        (void)munlock(block, size);
        munmap(block, size);
    }
    pool->blocks = NULL;
}

static void *resize(void *self, void *block, size_t old_size, size_t new_size) {
    if (new_size == 0) return NULL;
    void *moved = locked_alloc(self, new_size);
    if (block != NULL) memcpy(moved, block, old_size < new_size ? old_size : new_size);
    return moved;
}

Allocator locked_allocator(LockedPool *pool) {
    return (Allocator){resize, pool};
}

Err locked_read(LockedPool *pool, int fd, size_t limit, Str *out) {
    size_t size = 4096, len = 0;
    char *bytes = locked_alloc(pool, size);
    for (;;) {
        ssize_t got = read(fd, bytes + len, size - len);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return err_system("cannot read");
        if (got == 0) break;
        len += (size_t)got;
        if (len > limit) return err_make(ERR_LIMIT, "more than %zu bytes", limit);
        if (len < size) continue;
        bytes = resize(pool, bytes, size, 2 * size);
        size *= 2;
    }
    *out = (Str){bytes, len};
    return err_none();
}
