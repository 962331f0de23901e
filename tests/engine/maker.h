// maker.h - random flows for the simulation: every kind, nested, with the properties that steer.
#ifndef FLOW_TESTS_ENGINE_MAKER_H
#define FLOW_TESTS_ENGINE_MAKER_H

#include "engine/flow.h"

enum { ITEMS_MAX = 26 };

typedef struct Random {
    uint64_t state;
} Random;

static inline uint32_t roll(Random *random, uint32_t sides) {
    random->state += 0x9e3779b97f4a7c15u;
    uint64_t z = random->state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ z >> 31) % sides);
}

typedef struct Maker {
    Flow *flow;
    Random random;
    uint32_t items;
} Maker;

static inline void add_items(Maker *maker, ItemList *list, uint32_t count, uint32_t depth,
                             bool simple);

static inline ItemLeaf leaf(Maker *maker, const char *json) {
    return roll(&maker->random, 2) == 0 ? CONSTANT(json) : LEAF(json);
}

static inline void add_common(Maker *maker, Item *item) {
    Random *random = &maker->random;
    if (roll(random, 8) == 0) item->run_if = LEAF(roll(random, 4) == 0 ? "!" : "?");
    if (roll(random, 10) == 0) item->flags |= NODE_ALLOW_FAILURE;
    if (roll(random, 12) == 0) item->flags |= NODE_ALLOW_WARNING;
}

static inline void add_retry(Maker *maker, Item *item) {
    Random *random = &maker->random;
    if (roll(random, 4) != 0) return;
    PlanRetry *retry = item_retry(maker->flow, item, (int32_t)roll(random, 3) + 1, 20);
    retry->kind = (uint8_t)roll(random, 3);
    retry->max_interval = 100;
    retry->delay_factor = 2;
    if (roll(random, 4) == 0) retry->flags |= RETRY_WARNING;
    if (roll(random, 12) == 0) retry->flags |= RETRY_NEW_EXECUTION;
    if (roll(random, 3) == 0) retry->max_duration = roll(random, 2) == 0 ? 60 : 150;
}

static inline void fill_leafy(Maker *maker, Item *item) {
    Random *random = &maker->random;
    static const char *const states[] = {
        "{\"state\":\"WARNING\"}", "{\"state\":\"KILLED\"}",    "{\"state\":\"FAILED\"}",
        "{\"state\":\"SUCCESS\"}", "{\"state\":\"CANCELLED\"}",
    };
    switch (item->kind) {
    case NODE_SUBFLOW:
        item->b = leaf(maker, "{\"flowId\":\"child\"}");
        if (roll(random, 4) != 0) item->flags |= NODE_WAIT;
        if (roll(random, 2) == 0) item->flags |= NODE_TRANSMIT_FAILED;
        if (roll(random, 3) == 0) item->flags |= NODE_RESTART_NEW;
        add_retry(maker, item);
        break;
    case NODE_UPDATE:
        item->update = roll(random, 8) == 0 ? UPDATE_EXIT : UPDATE_SET_VARIABLES;
        item->props =
            leaf(maker, item->update == UPDATE_EXIT ? states[roll(random, COUNT(states))]
                                                    : "{\"variables\":{\"a\":{\"b\":1}}}");
        break;
    case NODE_TIMER:
        item->props = leaf(maker, "{\"duration\":\"PT0.03S\"}");
        if (roll(random, 12) == 0) item->props = LEAF("!");
        if (roll(random, 4) == 0) {
            item->timeout = leaf(maker, roll(random, 2) == 0 ? "\"PT0.02S\"" : "\"PT1S\"");
        }
        break;
    default:
        if (roll(random, 3) == 0) item->flags |= NODE_PURE;
        if (roll(random, 6) == 0) item->timeout = leaf(maker, "\"PT5S\"");
        if (roll(random, 40) == 0) item->timeout = LEAF("!");
        add_retry(maker, item);
        break;
    }
}

static inline void fill_level(Maker *maker, Item *item, uint32_t depth) {
    Random *random = &maker->random;
    add_items(maker, &item->body, roll(random, 4) + (roll(random, 3) == 0 ? 2 : 1), depth + 1,
              false);
    switch (item->kind) {
    case NODE_PARALLEL:
    case NODE_DAG:
        if (roll(random, 2) == 0) item->a = leaf(maker, "2");
        for (uint32_t i = 1; item->kind == NODE_DAG && i < item->body.count; i++) {
            Item *child = item->body.items[i];
            for (uint32_t d = 0; d < i; d++) {
                if (roll(random, 3) == 0) child->deps[child->dep_count++] = item->body.items[d];
            }
        }
        break;
    case NODE_IF:
        item->a = leaf(maker, roll(random, 6) == 0 ? "\"false\"" : "\"true\"");
        if (roll(random, 2) == 0) item->a = LEAF("?");
        if (roll(random, 2) == 0) add_items(maker, &item->extra, 1, depth + 1, false);
        break;
    case NODE_SWITCH:
        item->case_count = 1;
        item->cases[0].key = "true";
        add_items(maker, &item->cases[0].list, 1, depth + 1, false);
        item->body = (ItemList){0};
        item->a = LEAF("?");
        if (roll(random, 2) == 0) add_items(maker, &item->extra, 1, depth + 1, false);
        break;
    case NODE_FOREACH:
        item->a = leaf(maker, roll(random, 2) == 0 ? "[\"a\",\"b\",\"a\",3]"
                                                   : "\"[1,{\\\"k\\\":2},null]\"");
        if (roll(random, 3) != 0) item->a = leaf(maker, "[\"x\",\"y\",\"z\"]");
        if (roll(random, 12) == 0) {
            static const char *const wrong[] = {"[1,null]", "\"no list\"", "[]", "{\"k\":1}", "!"};
            item->a = LEAF(wrong[roll(random, COUNT(wrong))]);
        }
        item->limit = (int32_t)roll(random, 4);
        if (roll(random, 4) == 0) item->flags |= NODE_PAIRS;
        break;
    case NODE_LOOP:
        item->a = leaf(maker, roll(random, 2) == 0 ? "{\"k\":1,\"l\":2}" : "[\"x\",\"x\"]");
        item->limit = (int32_t)roll(random, 3);
        if (roll(random, 2) == 0) item->flags |= NODE_TRANSMIT_FAILED;
        if (roll(random, 2) == 0) item->props = LEAF(roll(random, 8) == 0 ? "!" : "{\"o\":1}");
        break;
    case NODE_LOOP_UNTIL:
        item->a = LEAF(roll(random, 4) == 0 ? "false" : "pass>2");
        item->b = leaf(maker, roll(random, 3) == 0
                                  ? "{\"interval\":\"PT0.02S\",\"maxDuration\":\"PT0.1S\"}"
                                  : "{\"interval\":\"PT0.02S\",\"maxIterations\":3}");
        if (roll(random, 2) == 0) item->flags |= NODE_FAIL_ON_MAX;
        break;
    case NODE_PAUSE:
        if (roll(random, 2) == 0) item->body = (ItemList){0};
        if (roll(random, 2) == 0) add_items(maker, &item->extra, 1, depth + 1, true);
        static const char *const rules[] = {
            "{\"pauseDuration\":\"PT0.05S\",\"behavior\":\"WARN\"}",
            "{\"pauseDuration\":\"PT0.05S\"}",
            "{\"pauseDuration\":\"PT0.05S\",\"behavior\":\"FAIL\"}",
            "{\"pauseDuration\":\"PT0.05S\",\"behavior\":\"CANCEL\"}",
            "{\"timeout\":\"PT0.1S\"}",
            "{}",
        };
        item->a = leaf(maker, rules[roll(random, COUNT(rules))]);
        break;
    case NODE_ITEMS:
        item->body = (ItemList){0};
        item->a = leaf(maker, "\"kestra:///file\"");
        item->b = LEAF(roll(random, 8) == 0 ? "!" : "{\"flowId\":\"child\"}");
        item->c = leaf(maker, "{\"rows\":1}");
        if (roll(random, 4) != 0) item->flags |= NODE_WAIT;
        if (roll(random, 2) == 0) item->flags |= NODE_TRANSMIT_FAILED;
        break;
    case NODE_SEQUENCE:
        if (roll(random, 5) == 0) item->flags |= NODE_WORKDIR;
        break;
    default:
        break;
    }
    if (roll(random, 5) == 0) add_items(maker, &item->errors, 1, depth + 1, true);
    if (roll(random, 5) == 0) add_items(maker, &item->finally, 1, depth + 1, true);
}

static inline void add_items(Maker *maker, ItemList *list, uint32_t count, uint32_t depth,
                             bool simple) {
    static const NodeKind leafy[] = {NODE_TASK,    NODE_TASK,   NODE_TASK,
                                     NODE_SUBFLOW, NODE_UPDATE, NODE_TIMER};
    static const NodeKind levels[] = {NODE_SEQUENCE, NODE_PARALLEL, NODE_DAG,  NODE_IF,
                                      NODE_SWITCH,   NODE_FOREACH,  NODE_LOOP, NODE_LOOP_UNTIL,
                                      NODE_PAUSE,    NODE_ITEMS};
    for (uint32_t i = 0; i < count; i++) {
        maker->items++;
        bool is_level =
            !simple && depth < 4 && maker->items < ITEMS_MAX && roll(&maker->random, 5) < 3;
        NodeKind kind = simple     ? NODE_TASK
                        : is_level ? levels[roll(&maker->random, COUNT(levels))]
                                   : leafy[roll(&maker->random, COUNT(leafy))];
        Str id = str_printf(&maker->flow->arena, "t%u", maker->items);
        Item *item = item_add(maker->flow, list, kind, str_to_c(&maker->flow->arena, id));
        add_common(maker, item);
        if (is_level) {
            fill_level(maker, item, depth);
        } else {
            fill_leafy(maker, item);
        }
    }
}

static inline void make_flow(Flow *flow, uint64_t seed) {
    flow_init(flow);
    Maker maker = {.flow = flow, .random = {seed}};
    Item *root = flow->root;
    add_items(&maker, &root->body, roll(&maker.random, 3) + 1, 1, false);
    if (roll(&maker.random, 3) == 0) add_items(&maker, &root->errors, 2, 1, true);
    if (roll(&maker.random, 3) == 0) add_items(&maker, &root->finally, 1, 1, true);
    if (roll(&maker.random, 3) == 0) add_items(&maker, &root->extra, 1, 1, true);
    flow->has_outputs = roll(&maker.random, 3) == 0;
    if (roll(&maker.random, 6) == 0) {
        flow->slas[flow->sla_count++] =
            (PlanSla){.kind = 0, .behavior = (uint8_t)roll(&maker.random, 3), .duration = 90};
    }
    if (roll(&maker.random, 8) == 0) {
        PlanLeaf assertion = flow_leaf(flow, LEAF("true"));
        flow->slas[flow->sla_count++] = (PlanSla){
            .kind = 1, .behavior = (uint8_t)roll(&maker.random, 3), .assertion = assertion};
    }
    flow_build(flow);
}

#endif
