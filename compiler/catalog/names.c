// names.c - finding rows by name: a perfect hash over types and aliases, binary search for the
// rest.
//
// Hash and displace: the first hash of a name gives its bucket, the bucket's salt a second hash,
// and that the only slot where the name can be. One comparison decides.
#include <stdlib.h>

#include "catalog/builder.h"

const char *catalog_kind_name(TypeKind kind) {
    static const char *const names[KIND_COUNT] = {
        "task",  "trigger",     "condition", "runner",       "asset",          "additional",
        "chart", "data-filter", "storage",   "log-exporter", "asset-exporter",
    };
    return names[kind];
}

static uint32_t name_hash(Str name, uint32_t salt) {
    uint32_t hash = 2166136261u ^ salt * 0x9e3779b9u;
    for (size_t i = 0; i < name.len; i++) hash = (hash ^ (uint8_t)name.ptr[i]) * 16777619u;
    hash ^= hash >> 15;
    return hash * 0x2c1b3c6du ^ hash >> 12;
}

typedef struct Bucket {
    uint32_t number, first, count;
} Bucket;

static int compare_buckets(const void *a, const void *b) {
    const Bucket *left = a, *right = b;
    if (left->count != right->count) return left->count < right->count ? 1 : -1;
    return (left->number > right->number) - (left->number < right->number);
}

// Names made to collide under every salt end the search for one; they are then not found.
enum { SALT_MAX = 1 << 20 };

// Hash and displace: buckets in order of size, each with the first salt under which all its names
// fall on free slots.
void rows_make_hash(Arena *arena, Tables *tables) {
    uint32_t count = tables->name_count;
    uint32_t bucket_count = count / 3 + 1, slot_count = count + count / 8 + 1;
    uint32_t *displacement = arena_array(arena, uint32_t, bucket_count);
    uint32_t *slots = arena_array(arena, uint32_t, slot_count);
    Bucket *buckets = arena_array(arena, Bucket, bucket_count);
    uint32_t *members = arena_array(arena, uint32_t, count);
    uint32_t *placed = arena_array(arena, uint32_t, count);
    for (uint32_t i = 0; i < bucket_count; i++) buckets[i].number = i;
    for (uint32_t i = 0; i < count; i++) {
        buckets[name_hash(row_text(tables, tables->names[i].text), 0) % bucket_count].count++;
    }
    for (uint32_t i = 0, at = 0; i < bucket_count; i++) {
        buckets[i].first = at;
        at += buckets[i].count;
        buckets[i].count = 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        Bucket *bucket =
            &buckets[name_hash(row_text(tables, tables->names[i].text), 0) % bucket_count];
        members[bucket->first + bucket->count++] = i;
    }
    qsort(buckets, bucket_count, sizeof *buckets, compare_buckets);
    for (uint32_t i = 0; i < bucket_count && buckets[i].count > 0; i++) {
        const Bucket *bucket = &buckets[i];
        uint32_t done = 0;
        for (uint32_t salt = 1; done < bucket->count && salt < SALT_MAX; salt++) {
            for (done = 0; done < bucket->count; done++) {
                uint32_t name = members[bucket->first + done];
                Str text = row_text(tables, tables->names[name].text);
                uint32_t slot = name_hash(text, salt) % slot_count;
                if (slots[slot] != 0) break;
                slots[slot] = name + 1;
                placed[done] = slot;
            }
            displacement[bucket->number] = salt;
            if (done == bucket->count) break;
            while (done > 0) slots[placed[--done]] = 0;
        }
    }
    tables->displacement = displacement;
    tables->slots = slots;
    tables->bucket_count = bucket_count;
    tables->slot_count = slot_count;
}

uint32_t rows_find_name(const Tables *tables, Str name) {
    if (tables->name_count == 0) return 0;
    uint32_t salt = tables->displacement[name_hash(name, 0) % tables->bucket_count];
    uint32_t at = tables->slots[name_hash(name, salt) % tables->slot_count];
    if (at == 0 || !str_eq(row_text(tables, tables->names[at - 1].text), name)) return 0;
    return at;
}

// Rows that begin with a group and a name, sorted by both. Index + 1, or 0.
static uint32_t find_pair(const Tables *tables, const void *rows, size_t row_size, uint32_t count,
                          const Str pair[2]) {
    for (uint32_t low = 0, high = count; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        const RowText *row = (const RowText *)((const char *)rows + middle * row_size);
        int order = str_cmp(pair[0], row_text(tables, row[0]));
        if (order == 0) order = str_cmp(pair[1], row_text(tables, row[1]));
        if (order == 0) return middle + 1;
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return 0;
}

uint32_t rows_find_def(const Tables *tables, Str group, Str name) {
    const Str pair[] = {group, name};
    return find_pair(tables, tables->defs, sizeof(DefRow), tables->def_count, pair);
}

uint32_t rows_find_set(const Tables *tables, Str group, Str name) {
    const Str pair[] = {group, name};
    return find_pair(tables, tables->sets, sizeof(SetRow), tables->set_count, pair);
}
