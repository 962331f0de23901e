// draft.c - the pool of texts, and the leaves of a draft.
//
// The pool begins with an empty text, so that offset 0 is one; equal texts are kept once. Its index
// is a hash table over offsets; nothing of it depends on addresses, so the same flow gives the same
// pool.
#include <stddef.h>
#include <string.h>

#include "plan/internal.h"

typedef struct PoolIndex {
    PlanText *slots;  // 0: free
    uint32_t size;    // a power of two
    uint32_t count;
} PoolIndex;

enum { POOL_FIRST_SIZE = 64 };

static Str text_at(const PlanDraft *draft, PlanText text) {
    uint32_t len = 0;
    memcpy(&len, draft->strings.ptr + text, sizeof len);
    return (Str){draft->strings.ptr + text + 4, len};
}

static PlanText *find_slot(const PlanDraft *draft, PoolIndex *pool, Str text) {
    uint32_t at = str_hash(text) & (pool->size - 1);
    while (pool->slots[at] != 0 && !str_eq(text_at(draft, pool->slots[at]), text)) {
        at = (at + 1) & (pool->size - 1);
    }
    return &pool->slots[at];
}

static void grow(PlanDraft *draft, PoolIndex *pool) {
    PoolIndex old = *pool;
    pool->size = old.size == 0 ? POOL_FIRST_SIZE : old.size * 2;
    pool->slots = arena_array(draft->arena, PlanText, pool->size);
    for (uint32_t i = 0; i < old.size; i++) {
        if (old.slots[i] == 0) continue;
        *find_slot(draft, pool, text_at(draft, old.slots[i])) = old.slots[i];
    }
}

PlanText draft_text(PlanDraft *draft, Str text) {
    if (text.len == 0) return 0;
    if (draft->pool == NULL) draft->pool = arena_new(draft->arena, PoolIndex);
    if (draft->strings.len == 0) buffer_add_u32(&draft->strings, 0);
    PoolIndex *pool = draft->pool;
    if (pool->count * 2 >= pool->size) grow(draft, pool);
    PlanText *slot = find_slot(draft, pool, text);
    if (*slot == 0) {
        *slot = (PlanText)draft->strings.len;
        pool->count++;
        buffer_add_u32(&draft->strings, (uint32_t)text.len);
        buffer_add(&draft->strings, text);
    }
    draft->plan.strings = buffer_str(&draft->strings);
    return *slot;
}

void plan_draft_release(PlanDraft *draft) {
    buffer_release(&draft->strings);
}

// --- leaves -------------------------------------------------------------------------------------

static LeafSpec *add_leaf(Planner *planner, Target target) {
    *LIST_ADD(planner->arena, &planner->targets, Target) = target;
    return LIST_ADD(planner->arena, &planner->draft->leaves, LeafSpec);
}

void plan_leaf(Planner *planner, Target target, LeafSpec leaf) {
    if (leaf.node == NULL || leaf.node->type == YAML_HOLE || node_is_null(leaf.node)) return;
    *add_leaf(planner, target) = leaf;
}

LeafSpec *plan_leaf_set(Planner *planner, Target target, const Task *task, Str what) {
    LeafSpec *spec = add_leaf(planner, target);
    spec->mode = LEAF_PROPERTIES;
    spec->task = task;
    spec->what = what;
    return spec;
}

Str plan_json(Planner *planner, const Node *node) {
    Buffer out = {0};
    json_write(&out, node_to_value(node, planner->arena), JSON_CANONICAL, 0);
    Str text = buffer_to_str(&out, planner->arena);
    buffer_release(&out);
    return text;
}

PlanRef plan_texts(Planner *planner, const Str *texts, uint32_t count) {
    if (count == 0) return 0;
    PlanDraft *draft = planner->draft;
    PlanRef first = draft->texts.count + 1;
    for (uint32_t i = 0; i < count; i++) {
        PlanText text = draft_text(draft, texts[i]);
        *LIST_ADD(planner->arena, &draft->texts, PlanText) = text;
    }
    return first;
}

const Node *plan_member(const Node *map, const char *name) {
    const Node *node = node_get(map, str_from(name));
    if (node == NULL || node->type == YAML_HOLE || node_is_null(node)) return NULL;
    return node;
}

bool plan_flag(const Node *node, bool otherwise) {
    if (node == NULL || node->type != YAML_SCALAR) return otherwise;
    if (node->value.kind == VALUE_BOOL) return node->value.as.boolean;
    if (str_eq_ignore_case(node->text, STR("true"))) return true;
    if (str_eq_ignore_case(node->text, STR("false"))) return false;
    return otherwise;
}
