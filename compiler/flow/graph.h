// graph.h - a flow as a picture: what runs after what.
//
// Nodes are tasks, triggers and the lists that run when something has failed or ended; a task that
// groups others is a node too, and holds them. Edges lead between nodes that hold none, so that
// every way through the flow can be followed with a finger.
#ifndef FLOW_FLOW_GRAPH_H
#define FLOW_FLOW_GRAPH_H

#include "flow/flow.h"

#define GRAPH_NONE UINT32_MAX

typedef enum GraphKind {
    GRAPH_TASK,
    GRAPH_CHOICE,  // where the way parts: If, Switch
    GRAPH_GROUP,   // a task that holds others
    GRAPH_LIST,    // `errors`, `finally`, `afterExecution` of a task or of the flow
    GRAPH_TRIGGER,
    GRAPH_JOINT,  // several ways meet before several go on; it has no name
} GraphKind;

typedef struct GraphNode {
    GraphKind kind;
    Str id;           // of the task or trigger; of a list: its name
    Str type;         // as written; empty for lists
    Str list;         // in which it stands: "tasks", "then", "case a", "errors" …
    uint32_t parent;  // the node that holds it, or GRAPH_NONE
    uint32_t depth;   // of nodes around it
    bool is_disabled;
} GraphNode;

typedef enum GraphEdgeKind {
    GRAPH_THEN,     // in the order written
    GRAPH_DEPENDS,  // of a Dag
    GRAPH_BRANCH,   // labelled: "then", "else", "a"
    GRAPH_FAILURE,  // to what runs when something has failed
    GRAPH_END,      // to what runs at the end, whatever it was
    GRAPH_STARTS,   // from a trigger
} GraphEdgeKind;

typedef struct GraphEdge {
    uint32_t from, to;
    GraphEdgeKind kind;
    Str label;
} GraphEdge;

typedef struct FlowGraph {
    Arena *arena;
    LIST_OF(GraphNode) nodes;  // a node stands behind the one that holds it
    LIST_OF(GraphEdge) edges;
} FlowGraph;

// `graph` with its arena set, else zero.
void flow_graph(const Flow *flow, FlowGraph *graph);

#endif
