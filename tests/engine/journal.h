// journal.h - the flow that the fuzzer of the journal folds events into: one task of most kinds.
#ifndef FLOW_TESTS_ENGINE_JOURNAL_H
#define FLOW_TESTS_ENGINE_JOURNAL_H

#include "engine/flow.h"

static inline void journal_flow(Flow *flow) {
    flow_init(flow);
    ItemList *body = &flow->root->body;
    Item *loop = item_add(flow, body, NODE_FOREACH, "each");
    loop->a = LEAF("[1,2]");
    loop->limit = 2;
    item_retry(flow, add_task(flow, &loop->body, "a"), 2, 10);
    Item *branch = item_add(flow, &loop->body, NODE_IF, "if");
    branch->a = LEAF("true");
    add_task(flow, &branch->body, "then");
    add_task(flow, &branch->extra, "else");
    Item *two = item_add(flow, body, NODE_LOOP, "loop");
    two->a = CONSTANT("[1,2]");
    two->props = LEAF("{}");
    two->flags = NODE_TRANSMIT_FAILED;
    add_task(flow, &two->body, "b")->flags = NODE_PURE;
    Item *until = item_add(flow, body, NODE_LOOP_UNTIL, "until");
    until->a = LEAF("false");
    until->b = CONSTANT("{\"interval\":\"PT1S\",\"maxIterations\":3}");
    add_task(flow, &until->body, "c")->flags = NODE_PURE;
    Item *items = item_add(flow, body, NODE_ITEMS, "items");
    items->b = LEAF("{\"flowId\":\"child\"}");
    items->flags = NODE_WAIT | NODE_TRANSMIT_FAILED;
    Item *sub = item_add(flow, body, NODE_SUBFLOW, "sub");
    sub->b = LEAF("{\"flowId\":\"child\"}");
    sub->flags = NODE_WAIT;
    Item *dag = item_add(flow, body, NODE_DAG, "dag");
    Item *d = add_task(flow, &dag->body, "d");
    Item *e = add_task(flow, &dag->body, "e");
    e->deps[e->dep_count++] = d;
    Item *pause = item_add(flow, body, NODE_PAUSE, "pause");
    pause->a = LEAF("{\"pauseDuration\":\"PT1S\"}");
    add_task(flow, &pause->extra, "notify");
    Item *set = item_add(flow, body, NODE_UPDATE, "set");
    set->update = UPDATE_SET_VARIABLES;
    set->props = LEAF("{\"variables\":{\"a\":1}}");
    Item *sleep = item_add(flow, body, NODE_TIMER, "sleep");
    sleep->props = CONSTANT("{\"duration\":\"PT1S\"}");
    add_task(flow, &flow->root->errors, "failed");
    add_task(flow, &flow->root->finally, "at_last");
    add_task(flow, &flow->root->extra, "after");
    flow->slas[flow->sla_count++] = (PlanSla){.behavior = 2, .duration = 1000};
    flow->has_outputs = true;
    flow_build(flow);
}

#endif
