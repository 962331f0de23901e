// flow.h - plans for the tests of the engine: a tree of items, flattened to tables, encoded and
// opened again, so that the tests read what the runtime reads.
#ifndef FLOW_TESTS_ENGINE_FLOW_H
#define FLOW_TESTS_ENGINE_FLOW_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "artifact/plan.h"
#include "base/arena.h"
#include "base/attributes.h"
#include "base/buffer.h"
#include "engine/engine.h"

typedef struct Item Item;
typedef LIST_OF(Item *) ItemList;

typedef struct ItemCase {
    const char *key;
    ItemList list;
} ItemCase;

// A leaf: JSON text. A constant stands in the plan, another is evaluated: the driver looks the text
// up by the number of the leaf.
typedef struct ItemLeaf {
    const char *json;  // NULL: none
    bool is_constant;
} ItemLeaf;

struct Item {
    NodeKind kind;
    const char *id;
    uint32_t flags;
    NodeUpdate update;
    int32_t limit;
    ItemList body, errors, finally, extra;
    ItemCase cases[4];
    uint32_t case_count;
    Item *deps[8];
    uint32_t dep_count;
    ItemLeaf a, b, c, props, run_if, timeout;
    PlanRetry *retry;  // effective and own
    uint32_t node;     // number in the plan
};

typedef struct Flow {
    Arena arena;
    Item *root;
    bool has_outputs;
    PlanSla slas[4];
    uint32_t sla_count;
    // Filled by flow_build.
    Buffer strings, bytes;
    LIST_OF(PlanNode) nodes;
    LIST_OF(PlanCase) cases;
    LIST_OF(PlanDep) deps;
    LIST_OF(PlanRetry) retries;
    LIST_OF(const char *) leaves;
    void *aligned;
    Plan plan;
} Flow;

static inline Item *item_new(Flow *flow, NodeKind kind, const char *id) {
    Item *item = arena_new(&flow->arena, Item);
    item->kind = kind;
    item->id = id;
    item->limit = -1;
    return item;
}

static inline void flow_init(Flow *flow) {
    *flow = (Flow){0};
    flow->root = item_new(flow, NODE_SEQUENCE, "flow");
}

static inline void flow_release(Flow *flow) {
    buffer_release(&flow->strings);
    buffer_release(&flow->bytes);
    free(flow->aligned);
    arena_release(&flow->arena);
}

static inline Item *item_add(Flow *flow, ItemList *list, NodeKind kind, const char *id) {
    Item *item = item_new(flow, kind, id);
    *LIST_ADD(&flow->arena, list, Item *) = item;
    return item;
}

static inline Item *add_task(Flow *flow, ItemList *list, const char *id) {
    return item_add(flow, list, NODE_TASK, id);
}

static inline PlanRetry *item_retry(Flow *flow, Item *item, int32_t max_attempts,
                                    int64_t interval) {
    item->retry = arena_new(&flow->arena, PlanRetry);
    *item->retry =
        (PlanRetry){.kind = RETRY_CONSTANT, .max_attempts = max_attempts, .interval = interval};
    return item->retry;
}

static inline PlanText flow_text(Flow *flow, const char *text) {
    if (text == NULL || text[0] == 0) return 0;
    if (flow->strings.len == 0) buffer_add_u32(&flow->strings, 0);
    PlanText at = (PlanText)flow->strings.len;
    buffer_add_u32(&flow->strings, (uint32_t)strlen(text));
    buffer_add(&flow->strings, str_from(text));
    return at;
}

static inline PlanLeaf flow_leaf(Flow *flow, ItemLeaf leaf) {
    if (leaf.json == NULL) return 0;
    if (leaf.is_constant) return flow_text(flow, leaf.json) | PLAN_CONSTANT;
    *LIST_ADD(&flow->arena, &flow->leaves, const char *) = leaf.json;
    return flow->leaves.count;
}

static inline PlanRef flow_list(Flow *flow, const ItemList *list, uint32_t parent, NodeList which,
                                uint32_t list_case);

static inline PlanRef flow_add_retry(Flow *flow, const PlanRetry *retry) {
    if (retry == NULL) return 0;
    *LIST_ADD(&flow->arena, &flow->retries, PlanRetry) = *retry;
    return flow->retries.count;
}

static inline uint32_t flow_node(Flow *flow, Item *item, uint32_t parent, NodeList which,
                                 uint32_t list_case) {
    uint32_t number = flow->nodes.count;
    item->node = number;
    PlanNode node = {
        .kind = (uint8_t)item->kind,
        .list = (uint8_t)which,
        .update = (uint8_t)item->update,
        .flags = item->flags,
        .parent = number == 0 ? 0 : parent + 1,
        .list_case = list_case,
        .id = flow_text(flow, item->id),
        .limit = item->limit,
        .leaf_a = flow_leaf(flow, item->a),
        .leaf_b = flow_leaf(flow, item->b),
        .leaf_c = flow_leaf(flow, item->c),
        .leaf_props = flow_leaf(flow, item->props),
        .leaf_run_if = flow_leaf(flow, item->run_if),
        .leaf_timeout = flow_leaf(flow, item->timeout),
        .retry = flow_add_retry(flow, item->retry),
        .module = item->kind == NODE_TASK ? 1 : 0,
    };
    node.own_retry = node.retry;
    *LIST_ADD(&flow->arena, &flow->nodes, PlanNode) = node;
    PlanRef body = flow_list(flow, &item->body, number, LIST_BODY, 0);
    PlanRef heads[4] = {0};
    for (uint32_t i = 0; i < item->case_count; i++) {
        heads[i] = flow_list(flow, &item->cases[i].list, number, LIST_CASE, i);
    }
    PlanRef extra = flow_list(flow, &item->extra, number, LIST_EXTRA, 0);
    PlanRef errors = flow_list(flow, &item->errors, number, LIST_ERRORS, 0);
    PlanRef finally = flow_list(flow, &item->finally, number, LIST_FINALLY, 0);
    PlanRef cases = item->case_count == 0 ? 0 : flow->cases.count + 1;
    for (uint32_t i = 0; i < item->case_count; i++) {
        *LIST_ADD(&flow->arena, &flow->cases, PlanCase) =
            (PlanCase){flow_text(flow, item->cases[i].key), heads[i]};
    }
    PlanNode *stored = &flow->nodes.items[number];
    stored->body = body;
    stored->extra = extra;
    stored->errors = errors;
    stored->finally = finally;
    stored->cases = cases;
    stored->case_count = item->case_count;
    stored->end = flow->nodes.count;
    return number;
}

static inline PlanRef flow_list(Flow *flow, const ItemList *list, uint32_t parent, NodeList which,
                                uint32_t list_case) {
    PlanRef head = 0;
    uint32_t last = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        uint32_t node = flow_node(flow, list->items[i], parent, which, list_case);
        if (head == 0) {
            head = node + 1;
        } else {
            flow->nodes.items[last].next = node + 1;
        }
        last = node;
    }
    return head;
}

static inline void flow_deps(Flow *flow, const Item *item) {
    const ItemList *lists[] = {&item->body, &item->errors, &item->finally, &item->extra};
    for (size_t l = 0; l < COUNT(lists); l++) {
        for (uint32_t i = 0; i < lists[l]->count; i++) flow_deps(flow, lists[l]->items[i]);
    }
    for (uint32_t c = 0; c < item->case_count; c++) {
        const ItemList *list = &item->cases[c].list;
        for (uint32_t i = 0; i < list->count; i++) flow_deps(flow, list->items[i]);
    }
    if (item->dep_count == 0) return;
    flow->nodes.items[item->node].deps = flow->deps.count + 1;
    flow->nodes.items[item->node].dep_count = item->dep_count;
    for (uint32_t i = 0; i < item->dep_count; i++) {
        *LIST_ADD(&flow->arena, &flow->deps, PlanDep) = (PlanDep){item->deps[i]->node};
    }
}

// Flattens, encodes and opens; flow->plan is what the engine gets.
static inline void flow_build(Flow *flow) {
    flow_node(flow, flow->root, 0, LIST_BODY, 0);
    flow_deps(flow, flow->root);
    PlanOutput output = {.id = flow_text(flow, "result")};
    PlanModule module = {.type = flow_text(flow, "io.kestra.plugin.core.log.Log"), .code = 1};
    for (uint32_t i = 0; i < flow->sla_count; i++) flow->slas[i].id = flow_text(flow, "sla");
    Plan plan = {
        .flow = {.id = flow_text(flow, "flow"), .flow_namespace = flow_text(flow, "tests")},
        .nodes = flow->nodes.items,
        .node_count = flow->nodes.count,
        .cases = flow->cases.items,
        .case_count = flow->cases.count,
        .deps = flow->deps.items,
        .dep_count = flow->deps.count,
        .retries = flow->retries.items,
        .retry_count = flow->retries.count,
        .slas = flow->slas,
        .sla_count = flow->sla_count,
        .modules = &module,
        .module_count = 1,
        .outputs = &output,
        .output_count = flow->has_outputs ? 1 : 0,
        .leaf_count = flow->leaves.count,
        .strings = buffer_str(&flow->strings),
    };
    plan_encode(&plan, &flow->bytes);
    flow->aligned = aligned_alloc(8, (flow->bytes.len + 7) / 8 * 8);
    memcpy(flow->aligned, flow->bytes.ptr, flow->bytes.len);
    Err err = plan_open((Str){flow->aligned, flow->bytes.len}, plan.strings, &flow->plan);
    if (err.code != ERR_NONE) fprintf(stderr, "plan: %s\n", err.text);
    if (err.code != ERR_NONE) abort();
}

#define CONSTANT(text) ((ItemLeaf){text, true})
#define LEAF(text)     ((ItemLeaf){text, false})

#endif
