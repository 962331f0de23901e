// table.c - the tables of runs and frames, their indexes, and every id and key of the engine.
//
// Ids follow from names and values alone (execution, task id, iterations), so another revision of
// the flow finds what an earlier one made, and two folds give the same.
#include <stdio.h>
#include <string.h>

#include "base/codec.h"
#include "engine/inner.h"

// --- indexes ------------------------------------------------------------------------------------

typedef uint32_t (*HashOf)(const Engine *engine, uint32_t number);

static uint32_t hash_of_id(RunId id) {
    uint32_t hash = 0;
    memcpy(&hash, id.bytes, sizeof hash);
    return hash;
}

static uint32_t hash_of_place(uint32_t node, uint32_t frame, uint32_t part) {
    uint64_t mixed = ((uint64_t)frame << 32 | node) * 0x9e3779b97f4a7c15u + part;
    mixed ^= mixed >> 29;
    mixed *= 0xbf58476d1ce4e5b9u;
    return (uint32_t)(mixed >> 32);
}

static uint32_t run_id_hash(const Engine *engine, uint32_t number) {
    return hash_of_id(run_of(engine, number)->id);
}

static uint32_t run_place_hash(const Engine *engine, uint32_t number) {
    const Run *run = run_of(engine, number);
    return hash_of_place(run->node, run->frame, run->part);
}

static uint32_t frame_id_hash(const Engine *engine, uint32_t number) {
    return hash_of_id(frame_of(engine, number)->id);
}

static void index_put(Index *index, uint32_t hash, uint32_t number) {
    uint32_t at = hash & (index->size - 1);
    while (index->slots[at] != 0) at = (at + 1) & (index->size - 1);
    index->slots[at] = number + 1;
    index->used++;
}

// Items that were dropped stay in until the index grows; who looks passes over them.
static void index_add(Engine *engine, Index *index, HashOf hash_of, uint32_t number) {
    if ((index->used + 1) * 4 > index->size * 3) {
        Index grown = {.size = index->size == 0 ? 64 : index->size * 2};
        grown.slots = arena_array(&engine->arena, uint32_t, grown.size);
        for (uint32_t i = 0; i < index->size; i++) {
            if (index->slots[i] == 0) continue;
            index_put(&grown, hash_of(engine, index->slots[i] - 1), index->slots[i] - 1);
        }
        *index = grown;
    }
    index_put(index, hash_of(engine, number), number);
}

// --- tables -------------------------------------------------------------------------------------

void table_index_run(Engine *engine, uint32_t number) {
    if (number == ROOT) return;
    index_add(engine, &engine->run_by_id, run_id_hash, number);
    index_add(engine, &engine->run_by_place, run_place_hash, number);
}

void table_index_frame(Engine *engine, uint32_t number) {
    if (number != NO_FRAME) index_add(engine, &engine->frame_by_id, frame_id_hash, number);
}

static void make_room(Engine *engine, EnginePageKind kind, uint32_t number) {
    if (number / PAGE < engine->pages[kind].count) return;
    page_add(engine, kind, (Page){.items = page_items_new(engine, kind)});
}

uint32_t table_add_run(Engine *engine, Run run) {
    uint32_t number = engine->run_count;
    make_room(engine, PAGE_RUNS, number);
    engine->run_count++;
    *run_of(engine, number) = run;
    table_index_run(engine, number);
    if (number != ROOT) *LIST_ADD(&engine->arena, &engine->order, uint32_t) = number;
    return number;
}

uint32_t table_add_frame(Engine *engine, Frame frame) {
    uint32_t number = engine->frame_count;
    make_room(engine, PAGE_FRAMES, number);
    engine->frame_count++;
    *frame_of(engine, number) = frame;
    table_index_frame(engine, number);
    return number;
}

static uint32_t run_here(const Engine *engine, RunId id) {
    const Index *index = &engine->run_by_id;
    if (index->size == 0) return NO_RUN;
    uint32_t at = hash_of_id(id) & (index->size - 1);
    for (; index->slots[at] != 0; at = (at + 1) & (index->size - 1)) {
        const Run *run = run_of(engine, index->slots[at] - 1);
        if (!run->is_dropped && memcmp(&run->id, &id, sizeof id) == 0) return index->slots[at] - 1;
    }
    return NO_RUN;
}

static uint32_t place_here(const Engine *engine, uint32_t node, uint32_t frame, uint32_t part) {
    const Index *index = &engine->run_by_place;
    if (index->size == 0) return NO_RUN;
    uint32_t at = hash_of_place(node, frame, part) & (index->size - 1);
    for (; index->slots[at] != 0; at = (at + 1) & (index->size - 1)) {
        const Run *run = run_of(engine, index->slots[at] - 1);
        bool is_it =
            !run->is_dropped && run->node == node && run->frame == frame && run->part == part;
        if (is_it) return index->slots[at] - 1;
    }
    return NO_RUN;
}

static uint32_t frame_here(const Engine *engine, RunId id) {
    const Index *index = &engine->frame_by_id;
    if (index->size == 0) return NO_FRAME;
    uint32_t at = hash_of_id(id) & (index->size - 1);
    for (; index->slots[at] != 0; at = (at + 1) & (index->size - 1)) {
        const Frame *frame = frame_of(engine, index->slots[at] - 1);
        bool is_it = !frame->is_dropped && memcmp(&frame->id, &id, sizeof id) == 0;
        if (is_it) return index->slots[at] - 1;
    }
    return NO_FRAME;
}

// The indexes know what is in memory. What goes on is; so where something is not found, mostly
// nobody but a person or an expression asks, and all pages are fetched.

uint32_t table_find_run(const Engine *engine, RunId id) {
    if (run_id_is_none(id)) return NO_RUN;
    uint32_t number = run_here(engine, id);
    if (number != NO_RUN || engine->away == 0) return number;
    if (frame_here(engine, id) != NO_FRAME) return NO_RUN;
    engine_fetch(engine);
    return run_here(engine, id);
}

uint32_t table_find_frame(const Engine *engine, RunId id) {
    if (run_id_is_none(id)) return NO_FRAME;
    uint32_t number = frame_here(engine, id);
    if (number != NO_FRAME || engine->away == 0) return number;
    if (run_here(engine, id) != NO_RUN) return NO_FRAME;
    engine_fetch(engine);
    return frame_here(engine, id);
}

// The runs of a frame that has not settled are all in memory.
uint32_t table_find_place(const Engine *engine, uint32_t node, uint32_t frame, uint32_t part) {
    uint32_t number = place_here(engine, node, frame, part);
    if (number != NO_RUN || engine->away == 0) return number;
    if (frame == NO_FRAME || !frame_is_settled(engine, frame)) return NO_RUN;
    engine_fetch(engine);
    return place_here(engine, node, frame, part);
}

const uint32_t *table_order(const Engine *const_engine, uint32_t *count) {
    Engine *engine = (Engine *)const_engine;  // scratch only: the order is a memory
    if (engine->order_is_stale) {
        engine->order.count = 0;
        for (uint32_t i = ROOT + 1; i < engine->run_count; i++) {
            if (page_is_gone(engine, PAGE_RUNS, i / PAGE)) {
                i += PAGE - 1 - i % PAGE;
            } else if (!run_of(engine, i)->is_dropped) {
                *LIST_ADD(&engine->arena, &engine->order, uint32_t) = i;
            }
        }
        engine->order_is_stale = false;
    }
    *count = engine->order.count;
    return engine->order.items;
}

uint32_t node_find(const Engine *engine, Str id) {
    uint32_t mask = engine->node_by_id_size - 1;
    for (uint32_t at = str_hash(id) & mask; engine->node_by_id[at] != 0; at = (at + 1) & mask) {
        uint32_t node = engine->node_by_id[at] - 1;
        if (str_eq(plan_text(engine->plan, engine->plan->nodes[node].id), id)) return node;
    }
    return UINT32_MAX;
}

// --- ids ----------------------------------------------------------------------------------------

static Str bytes_of(const RunId *id) {
    return (Str){(const char *)id->bytes, sizeof id->bytes};
}

// A part with its length, so that no two lists of parts read the same.
static void add_part(Hasher *hasher, Str part) {
    uint8_t len[4] = {(uint8_t)part.len, (uint8_t)(part.len >> 8), (uint8_t)(part.len >> 16),
                      (uint8_t)(part.len >> 24)};
    hasher_add(hasher, (Str){(const char *)len, sizeof len});
    hasher_add(hasher, part);
}

static RunId end_id(Hasher *hasher) {
    RunId id;
    hasher_end(hasher, id.bytes, sizeof id.bytes);
    return id;
}

static const char *const part_suffix[] = {"", "_split", "_items", "_merge"};

RunId id_of_run(const Engine *engine, uint32_t node, uint32_t frame, uint32_t part) {
    Hasher hasher;
    hasher_init(&hasher, HASH128_SIZE);
    add_part(&hasher, STR("run"));
    add_part(&hasher, engine->id);
    add_part(&hasher, plan_text(engine->plan, engine->plan->nodes[node].id));
    add_part(&hasher, str_from(part_suffix[part]));
    add_part(&hasher, bytes_of(&frame_of(engine, frame)->id));
    return end_id(&hasher);
}

RunId id_of_frame(const Engine *engine, uint32_t loop, int64_t index, Str text) {
    const Run *run = run_of(engine, loop);
    uint8_t number[8] = {0};
    // ForEach is keyed by value: the same value is the same iteration in another revision.
    // Elsewhere it is the number.
    if (node_of(engine, run)->kind != NODE_FOREACH) {
        for (int i = 0; i < 8; i++) number[i] = (uint8_t)((uint64_t)index >> (8 * i));
        text = (Str){0};
    }
    Hasher hasher;
    hasher_init(&hasher, HASH128_SIZE);
    add_part(&hasher, STR("frame"));
    add_part(&hasher, bytes_of(&frame_of(engine, run->frame)->id));
    add_part(&hasher, bytes_of(&run->id));
    add_part(&hasher, (Str){(const char *)number, sizeof number});
    add_part(&hasher, text);
    return end_id(&hasher);
}

RunId id_of_child(const Engine *engine, const Run *run, const Frame *frame, int32_t attempt) {
    static const RunId none = {{0}};
    uint8_t number[4] = {(uint8_t)attempt, (uint8_t)(attempt >> 8), (uint8_t)(attempt >> 16),
                         (uint8_t)(attempt >> 24)};
    Hasher hasher;
    hasher_init(&hasher, HASH128_SIZE);
    add_part(&hasher, STR("child"));
    add_part(&hasher, engine->id);
    add_part(&hasher, bytes_of(&run->id));
    add_part(&hasher, bytes_of(frame == NULL ? &none : &frame->id));
    add_part(&hasher, (Str){(const char *)number, sizeof number});
    return end_id(&hasher);
}

Str id_of_retry(const Engine *engine, int32_t attempt, Arena *arena) {
    Hasher hasher;
    hasher_init(&hasher, HASH128_SIZE);
    add_part(&hasher, STR("retry"));
    add_part(&hasher, engine->id);
    add_part(&hasher, str_printf(arena, "%d", attempt));
    char text[33];
    run_id_print(end_id(&hasher), text);
    return str_dup(arena, str_from(text));
}

static void add_path(const Engine *engine, uint32_t frame, Buffer *out) {
    if (frame == NO_FRAME) return;
    const Frame *at = frame_of(engine, frame);
    const Run *loop = run_of(engine, at->loop);
    add_path(engine, at->parent, out);
    buffer_add(out, plan_text(engine->plan, node_of(engine, loop)->id));
    buffer_printf(out, "[%zu:", at->text.len);
    if (node_of(engine, loop)->kind == NODE_FOREACH) {
        buffer_add(out, at->text);
    } else {
        buffer_printf(out, "%lld", (long long)at->index);
    }
    buffer_add(out, STR("]/"));
}

// UUIDv8 of SHA-256 over execution, task path with iterations and passes, and part; not of the
// attempt.
Str run_idempotency_key(const Engine *engine, uint32_t number, Arena *arena) {
    const Run *run = run_of(engine, number);
    Buffer text = {0};
    buffer_add_bytes(&text, "flowrun-idem-1", sizeof "flowrun-idem-1");
    buffer_add(&text, engine->id);
    buffer_add_char(&text, 0);
    add_path(engine, run->frame, &text);
    buffer_add(&text, plan_text(engine->plan, node_of(engine, run)->id));
    buffer_add(&text, str_from(part_suffix[run->part]));
    uint8_t hash[32];
    sha256(buffer_str(&text), hash);
    hash[6] = (uint8_t)(0x80 | (hash[6] & 0x0f));
    hash[8] = (uint8_t)(0x80 | (hash[8] & 0x3f));
    buffer_clear(&text);
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) buffer_add_char(&text, '-');
        hex_encode(&text, &hash[i], 1);
    }
    Str key = buffer_to_str(&text, arena);
    buffer_release(&text);
    return key;
}

Str run_timer_key(const Run *run, Arena *arena) {
    char id[33];
    run_id_print(run->id, id);
    return str_printf(arena, "%s.%u", id, run->timer_count);
}

Str run_task_name(const Engine *engine, const Run *run, Arena *arena) {
    Str id = plan_text(engine->plan, node_of(engine, run)->id);
    return run->part == PART_WHOLE ? id : str_concat(arena, id, str_from(part_suffix[run->part]));
}

void run_id_print(RunId id, char out[33]) {
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < HASH128_SIZE; i++) {
        out[2 * i] = digits[id.bytes[i] >> 4];
        out[2 * i + 1] = digits[id.bytes[i] & 15];
    }
    out[32] = 0;
}

bool run_id_parse(Str text, RunId *out) {
    return hex_decode(text, out->bytes, sizeof out->bytes);
}

// --- a heap of numbers --------------------------------------------------------------------------

void least_push(Arena *arena, Heap *heap, uint32_t number) {
    *LIST_ADD(arena, heap, uint32_t) = number;
    uint32_t at = heap->count - 1;
    while (at > 0 && heap->items[(at - 1) / 2] > number) {
        heap->items[at] = heap->items[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap->items[at] = number;
}

uint32_t least_pop(Heap *heap) {
    uint32_t first = heap->items[0];
    uint32_t last = heap->items[--heap->count];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= heap->count) break;
        if (child + 1 < heap->count && heap->items[child + 1] < heap->items[child]) child++;
        if (heap->items[child] >= last) break;
        heap->items[at] = heap->items[child];
        at = child;
    }
    if (heap->count > 0) heap->items[at] = last;
    return first;
}
