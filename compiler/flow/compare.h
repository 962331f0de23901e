// compare.h - two versions of a flow: what changed, whatever the layout.
#ifndef FLOW_FLOW_COMPARE_H
#define FLOW_FLOW_COMPARE_H

#include "flow/flow.h"

typedef enum ChangeKind { CHANGE_ADDED, CHANGE_REMOVED, CHANGE_VALUE, CHANGE_MOVED } ChangeKind;

// Things with an id are named by it: "tasks.build.commands[0]".
typedef struct FlowChange {
    ChangeKind kind;
    Str path;
    Str from;                    // of a thing that moved to another place: its old path
    const Node *before, *after;  // NULL: it was not there, is no longer there
    Str note;                    // what it means for those who call the flow; empty: nothing
} FlowChange;

typedef struct FlowChanges {
    LIST_OF(FlowChange) list;
} FlowChanges;

// Comments, layout, quotes that change no type, the order of keys and of things whose order means
// nothing give no change. A null is as good as absent.
void flow_compare(const Node *before, const Node *after, Arena *arena, FlowChanges *out);

#endif
