// arena.c - blocks that double in size up to a limit; larger requests get a block of their own.
#include "base/arena.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK_FIRST = 4096, BLOCK_FRESH = 128 << 10, BLOCK_LARGEST = 1 << 20 };

struct ArenaBlock {
    ArenaBlock *older;
    size_t size;  // of the whole block
    char *used;   // nothing behind was ever handed out: it is still zero
};

void out_of_memory(void) {
    static const char message[] = "flow: out of memory\n";
    ssize_t written = write(STDERR_FILENO, message, sizeof message - 1);
    _exit(written < 0 ? 3 : 3);
}

static size_t checked_product(size_t count, size_t size) {
    if (size != 0 && count > (SIZE_MAX / 2) / size) out_of_memory();
    return count * size;
}

static void *block_resize(const Arena *arena, void *block, size_t old_size, size_t new_size) {
    if (arena->allocator != NULL) {
        return arena->allocator->resize(arena->allocator->self, block, old_size, new_size);
    }
    if (new_size == 0) {
        free(block);
        return NULL;
    }
    return realloc(block, new_size);
}

static void add_block(Arena *arena, size_t need) {
    size_t size = arena->blocks == NULL ? BLOCK_FIRST : arena->blocks->size * 2;
    if (size > BLOCK_LARGEST) size = BLOCK_LARGEST;
    if (size < need + sizeof(ArenaBlock)) size = need + sizeof(ArenaBlock);
    // A large block comes fresh from the system, zeroed page by page as it is touched; calloc()
    // knows. A small one is cheaper to clear piece by piece.
    const bool is_clean = arena->allocator == NULL && size >= BLOCK_FRESH;
    ArenaBlock *block = is_clean ? calloc(1, size) : block_resize(arena, NULL, 0, size);
    if (block == NULL) out_of_memory();
    block->older = arena->blocks;
    block->size = size;
    block->used = is_clean ? (char *)(block + 1) : (char *)block + size;
    arena->blocks = block;
    arena->at = (char *)(block + 1);
    arena->end = (char *)block + size;
    arena->total += size;
}

// Zeroes what was handed out before (and taken back by arena_reset), marks all of it as used.
static void take_clean(ArenaBlock *block, char *start, size_t bytes) {
    char *end = start + bytes;
    if (start < block->used) {
        memset(start, 0, (size_t)((end < block->used ? end : block->used) - start));
    }
    if (end > block->used) block->used = end;
}

void *arena_alloc(Arena *arena, size_t count, size_t size, size_t align) {
    size_t bytes = checked_product(count, size);
    size_t skip = arena->at == NULL ? 0 : (size_t)(-(uintptr_t)arena->at & (align - 1));
    if (arena->at == NULL || bytes + skip > (size_t)(arena->end - arena->at)) {
        add_block(arena, bytes + align);
        skip = (size_t)(-(uintptr_t)arena->at & (align - 1));
    }
    char *result = arena->at + skip;
    arena->at = result + bytes;
    take_clean(arena->blocks, result, bytes);
    return result;
}

void *arena_grow(Arena *arena, void *old, size_t old_count, size_t new_count, size_t size,
                 size_t align) {
    size_t old_bytes = checked_product(old_count, size);
    size_t new_bytes = checked_product(new_count, size);
    bool is_newest = old != NULL && (char *)old + old_bytes == arena->at;
    if (is_newest && new_bytes - old_bytes <= (size_t)(arena->end - arena->at)) {
        take_clean(arena->blocks, arena->at, new_bytes - old_bytes);
        arena->at += new_bytes - old_bytes;
        return old;
    }
    void *moved = arena_alloc(arena, new_count, size, align);
    if (old_bytes > 0) memcpy(moved, old, old_bytes);
    return moved;
}

uint32_t arena_next_capacity(uint32_t count) {
    if (count > UINT32_MAX / 2) out_of_memory();
    return count < 4 ? 4 : count * 2;
}

void arena_release(Arena *arena) {
    arena_reset(arena, (ArenaMark){0});
}

ArenaMark arena_mark(const Arena *arena) {
    return (ArenaMark){arena->blocks, arena->at};
}

void arena_reset(Arena *arena, ArenaMark mark) {
    while (arena->blocks != mark.block) {
        ArenaBlock *block = arena->blocks;
        arena->blocks = block->older;
        arena->total -= block->size;
        block_resize(arena, block, block->size, 0);
    }
    arena->at = mark.at;
    arena->end = mark.block == NULL ? NULL : (char *)mark.block + mark.block->size;
}

void *heap_alloc(size_t count, size_t size) {
    size_t bytes = checked_product(count, size);
    void *block = calloc(1, bytes == 0 ? 1 : bytes);
    if (block == NULL) out_of_memory();
    return block;
}

void *heap_resize(void *block, size_t count, size_t size) {
    size_t bytes = checked_product(count, size);
    void *moved = realloc(block, bytes == 0 ? 1 : bytes);
    if (moved == NULL) out_of_memory();
    return moved;
}

void heap_free(void *block) {
    free(block);
}

char *heap_dup(const char *text, size_t len) {
    char *copy = heap_alloc(len + 1, 1);
    if (len > 0) memcpy(copy, text, len);
    return copy;
}
