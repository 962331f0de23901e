// flows.h - the flows of a project: who is there under which name, and who calls whom.
//
// The index is built once, before the first file is checked, and then only read, so that all
// threads may share it. It knows the files named first, in their order, then those of --flows, of
// `flows` in the project file and of its folder. Trees are kept only of flows that something rests
// on: those that call, those that are called, those whose name is taken twice; and of these only
// what others can see.
#ifndef FLOW_SESSION_FLOWS_H
#define FLOW_SESSION_FLOWS_H

#include "session/session.h"

#define FLOW_NONE UINT32_MAX

// A call, as others see it.
typedef struct KnownCall {
    Str flow_namespace, id;
    Span span;     // of the id
    bool is_sure;  // each run of the flow makes it, and waits
} KnownCall;

// What others can see of a flow. Nodes of inputs are copies; where only their presence counts
// (`defaults`, …) they are empty.
typedef struct FlowFacts {
    Str id;
    Span id_span;
    bool is_disabled, has_holes;
    LIST_OF(InputDecl *) inputs;
    LIST_OF(KnownCall) calls;
} FlowFacts;

typedef struct KnownFlow {
    Str flow_namespace, id;
    Str path;   // as findings name it
    Str bytes;  // of a file that is checked; empty: read again when it is loaded
    uint64_t device, inode;
    uint32_t document;
    uint32_t given;      // which of the files to report on
    uint32_t next_same;  // the next flow of the same name, or FLOW_NONE
    bool is_given;       // among the files to report on
    bool may_call;       // the word `flowId` stands in it
    bool is_loaded, is_followed;
    uint32_t origin;   // the number of its file: flows of one file stand side by side
    FlowFacts *facts;  // NULL: not loaded, or no longer there
} KnownFlow;

struct FlowIndex {
    LIST_OF(KnownFlow) list;
    uint32_t *slots;  // open addressing over the names: the first flow of each
    uint32_t slot_count;
    Hash digest;      // of names, places and contents: what a caller's findings rest on
    bool has_places;  // a project file, --flows or a folder says where flows are
};

// What a Subflow or ForEachItem calls, where its name is a literal.
typedef struct FlowCall {
    const Property *id_property, *namespace_property;
    Str flow_namespace, id;
} FlowCall;

// Reads the files of `found` (each keeps its bytes, or why it could not be read) and what else the
// project has, into session->flows.
MUST_CHECK Err flows_index(Session *session, const SessionInput *input, FoundFiles *found);
// The first flow of a name, or FLOW_NONE.
uint32_t flows_find(const FlowIndex *index, Str flow_namespace, Str id);
// Does each run that gets as far as its list make this call, and wait for it?
bool flow_call_is_sure(const Task *task);
// False for tasks that call nothing, or what is known only when they run.
bool flow_call_of(const Task *task, FlowCall *out);
// What is wrong between this flow and others: E0201, E0208, E0209, E0210.
void calls_check(Session *session, const Flow *flow, uint32_t document);

#endif
