// draft.h - a plan while it is built: tables that grow, and for every leaf what it has to compute.
//
// The plan module decides which leaves there are and what each renders, the emit module writes
// them; a leaf whose value is known becomes a constant (PLAN_CONSTANT) and has no code.
#ifndef FLOW_PLAN_DRAFT_H
#define FLOW_PLAN_DRAFT_H

#include "artifact/plan.h"
#include "flow/flow.h"

typedef enum LeafMode {
    LEAF_PROPERTIES,  // a set of properties as one map, each by its schema: mode, nested objects,
                      // conversion
    LEAF_TEXT,        // one scalar in text mode
    LEAF_TYPED,       // one scalar in typed mode
    LEAF_CONDITION,   // one scalar, text mode, then condition_is_true: a boolean
    LEAF_OBJECT,      // a node in object mode (every text leaf a text, other scalars as they are)
    LEAF_CONVERT,     // one scalar in text mode, converted to `convert`
} LeafMode;

typedef struct LeafSpec {
    LeafMode mode;
    const Task *task;  // whose leaf it is; NULL: the flow's
    LIST_OF(Property)
    properties;          // of PROPERTIES; of a subset where a node kind has its own (b of SUBFLOW)
    const Node *node;    // of the others
    const Prop *schema;  // of `node`; may be NULL
    ConvertTo convert;
    Str what;  // for messages: "condition of 'check'"
    bool is_of_trigger;
    PlanLeaf
        *target;  // where its number or constant is written when emitted: into the tables below
} LeafSpec;

typedef struct PlanDraft {
    Arena *arena;
    const Flow *flow;
    Catalog *catalog;
    Plan plan;  // tables point into the lists below once the draft is finished
    LIST_OF(PlanNode) nodes;
    LIST_OF(PlanCase) cases;
    LIST_OF(PlanDep) deps;
    LIST_OF(PlanRetry) retries;
    LIST_OF(PlanInput) inputs;
    LIST_OF(PlanOutput) outputs;
    LIST_OF(PlanLabel) labels;
    LIST_OF(PlanSla) slas;
    LIST_OF(PlanCheck) checks;
    LIST_OF(PlanTrigger) triggers;
    LIST_OF(PlanModule) modules;
    LIST_OF(PlanText) texts;
    LIST_OF(LeafSpec) leaves;
    LIST_OF(Span) node_spans;
    const Value *literals;  // a map: names that stand for a value when emitted; NULL: none
    bool no_fold;           // for tests: constant leaves stay leaves
    Buffer strings;         // the pool; equal texts once
    struct PoolIndex *pool;
} PlanDraft;

typedef struct PlanOptions {
    uint32_t targets;
    const Str *externals;  // type prefixes that handlers run
    uint32_t external_count;
} PlanOptions;

// The graph of a flow without errors: disabled tasks left out, plugin defaults in, retries
// resolved. A type without a module and without an external prefix is a finding (W0121 as error).
// Leaf targets are addresses in the lists, so those are complete when this returns and grow no
// more.
PlanDraft *plan_build(const Flow *flow, Catalog *catalog, const PlanOptions *options, Arena *arena,
                      Diags *diags);
PlanText draft_text(PlanDraft *draft, Str text);
void plan_draft_release(PlanDraft *draft);  // the pool's buffer; all else is the arena's

#endif
