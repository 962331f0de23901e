// locked.c - see locked.h. Blocks of whole pages, handed out from front to back.
#include "base/locked.h"

#include <stdint.h>
#include <sys/mman.h>

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
