// arena.h - memory that is freed all at once.
//
// `Arena arena = {0};` works. Blocks come from malloc, or from the allocator set before the first
// use (the seam of the tests). When memory ends the program does: a message and status 3; what was
// durable stays durable. Sizes are computed here and nowhere else, and overflow ends the program
// too.
#ifndef FLOW_BASE_ARENA_H
#define FLOW_BASE_ARENA_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// realloc() semantics with size 0 = free; NULL on exhaustion.
typedef struct Allocator {
    void *(*resize)(void *self, void *block, size_t old_size, size_t new_size);
    void *self;
} Allocator;

typedef struct ArenaBlock ArenaBlock;

typedef struct Arena {
    ArenaBlock *blocks;  // newest first
    char *at;            // next free byte of the newest block
    char *end;
    const Allocator *allocator;  // NULL: malloc
    size_t total;                // bytes taken from the allocator
} Arena;

typedef struct ArenaMark {
    ArenaBlock *block;
    char *at;
} ArenaMark;

void arena_release(Arena *arena);
// Frees everything taken since the mark.
ArenaMark arena_mark(const Arena *arena);
void arena_reset(Arena *arena, ArenaMark mark);
// Zeroed memory; never NULL; a size of 0 gives a valid address.
void *arena_alloc(Arena *arena, size_t count, size_t size, size_t align);
// Grows an array in place where it is the newest allocation, else moves it. The new part is zeroed.
void *arena_grow(Arena *arena, void *old, size_t old_count, size_t new_count, size_t size,
                 size_t align);

#define arena_new(arena, Type) ((Type *)arena_alloc((arena), 1, sizeof(Type), alignof(Type)))
#define arena_array(arena, Type, count)                                                            \
    ((Type *)arena_alloc((arena), (count), sizeof(Type), alignof(Type)))

// Appends to a { items, count, capacity } in an arena: LIST_ADD(&arena, &list, Item) gives the
// address of a zeroed new item.
#define LIST_OF(Type)                                                                              \
    struct {                                                                                       \
        Type *items;                                                                               \
        uint32_t count;                                                                            \
        uint32_t capacity;                                                                         \
    }
#define LIST_ADD(arena, list, Type)                                                                \
    (((list)->count == (list)->capacity                                                            \
          ? (void)((list)->items = (Type *)arena_grow((arena), (list)->items, (list)->count,       \
                                                      arena_next_capacity((list)->count),          \
                                                      sizeof(Type), alignof(Type)),                \
                   (list)->capacity = arena_next_capacity((list)->count))                          \
          : (void)0),                                                                              \
     &(list)->items[(list)->count++])

uint32_t arena_next_capacity(uint32_t count);

// Plain heap memory for what outlives an arena; the same end when memory ends. size 0 frees and
// gives NULL.
void *heap_alloc(size_t count, size_t size);  // zeroed
void *heap_resize(void *block, size_t count, size_t size);
void heap_free(void *block);
char *heap_dup(const char *text, size_t len);  // NUL-terminated
// Writes `flow: out of memory` to standard error and ends with status 3.
__attribute__((noreturn)) void out_of_memory(void);

#endif
