// wiped.c - see wiped.h. The system knows the size of its blocks: malloc_usable_size().
#include "base/wiped.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"

static void *resize(void *self, void *block, size_t old_size, size_t new_size) {
    (void)self;
    (void)old_size;
    if (new_size > 0) return wiped_realloc(block, new_size);
    wiped_free(block);
    return NULL;
}

const Allocator wiped_allocator = {.resize = resize};

void *wiped_malloc(size_t size) {
    return malloc(size);
}

void *wiped_calloc(size_t count, size_t size) {
    return calloc(count, size);
}

void wiped_free(void *block) {
    if (block == NULL) return;
    wipe(block, malloc_usable_size(block));
    free(block);
}

void *wiped_realloc(void *block, size_t size) {
    const size_t old_size = block == NULL ? 0 : malloc_usable_size(block);
    if (size <= old_size && size >= old_size / 2 && size > 0) return block;
    void *moved = malloc(size);
    if (moved == NULL) return NULL;
    if (old_size > 0) memcpy(moved, block, old_size < size ? old_size : size);
    wiped_free(block);
    return moved;
}

char *wiped_strdup(const char *text) {
    const size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    return copy == NULL ? NULL : memcpy(copy, text, size);
}
