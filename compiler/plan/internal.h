// internal.h - what the files of this module share while a draft is built.
#ifndef FLOW_PLAN_INTERNAL_H
#define FLOW_PLAN_INTERNAL_H

#include "check/check.h"
#include "plan/draft.h"

typedef enum TargetTable {
    TARGET_NODE,
    TARGET_INPUT,
    TARGET_OUTPUT,
    TARGET_SLA,
    TARGET_CHECK,
    TARGET_TRIGGER,
} TargetTable;

// Where the number of a leaf goes: an address only once the tables have stopped growing.
typedef struct Target {
    TargetTable table;
    uint32_t index;
    uint32_t offset;  // of the field in its record
} Target;

typedef struct Planner {
    PlanDraft *draft;
    Arena *arena;
    Diags *diags;
    Catalog *catalog;
    const Flow *flow;
    const PlanOptions *options;
    uint32_t *node_of;        // by task: its node + 1; 0: left out
    bool *has_secret;         // by task
    LIST_OF(Target) targets;  // one a leaf
} Planner;

#define TARGET_OF(table, index, Record, field)                                                     \
    ((Target){(table), (index), (uint32_t)offsetof(Record, field)})

// Adds a leaf for a node; nothing where there is none.
void plan_leaf(Planner *planner, Target target, LeafSpec leaf);
LeafSpec *plan_leaf_set(Planner *planner, Target target, const Task *task, Str what);
Str plan_json(Planner *planner, const Node *node);
// A literal text list in the table of texts; 0 and *count 0 where there is none.
PlanRef plan_texts(Planner *planner, const Str *texts, uint32_t count);
// A member that is there and not null.
const Node *plan_member(const Node *map, const char *name);
bool plan_flag(const Node *node, bool otherwise);

void plan_nodes(Planner *planner);
PlanRef plan_retry(Planner *planner, const Retry *retry);
void plan_flow_inputs(Planner *planner);
void plan_declarations(Planner *planner);
PlanRef plan_inputs(Planner *planner, InputDecl *const *inputs, uint32_t count, const Task *task,
                    uint32_t *written);

#endif
