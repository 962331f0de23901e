// plan.h - the compiled flow: tables of fixed-width little-endian records and one pool of texts.
//
// The compiler writes them, the runtime uses them in place. A plan is opened by one pass that
// checks every index and every range (plan_open); after that no reader checks again. References are
// 32-bit: a text is an offset into STRS (where a 32-bit length precedes the bytes), a leaf is its
// number + 1, anything else an index + 1; 0 is "none", so a zeroed record is valid. Nodes stand in
// pre-order, so a subtree is the range [node, node.end). Spans are not here but in SMAP: a change
// of layout changes nothing else.
#ifndef FLOW_ARTIFACT_PLAN_H
#define FLOW_ARTIFACT_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum { PLAN_VERSION = 1, PLAN_NONE = 0, PLAN_NODES_MAX = 200000 };
// A leaf reference with this bit needs no evaluation: the rest is the PlanText of the value's
// canonical JSON.
#define PLAN_CONSTANT 0x80000000u

typedef uint32_t PlanText;  // offset into the pool; 0 is the empty text
typedef uint32_t
    PlanLeaf;  // leaf number + 1; 0: none; with PLAN_CONSTANT: a value that was folded, see below
typedef uint32_t PlanRef;  // index + 1 into the table the field names; 0: none

typedef enum NodeKind {
    NODE_SEQUENCE,  // the root, Sequential, AllowFailure, WorkingDirectory
    NODE_PARALLEL,
    NODE_DAG,
    NODE_IF,
    NODE_SWITCH,
    NODE_FOREACH,  // ForEach, EachSequential (limit 1), EachParallel (NODE_PAIRS)
    NODE_LOOP,     // 2.0
    NODE_LOOP_UNTIL,
    NODE_ITEMS,  // ForEachItem
    NODE_SUBFLOW,
    NODE_PAUSE,
    NODE_UPDATE,  // Labels, SetVariables, UnsetVariables, Exit: `update` says which
    NODE_TIMER,   // Sleep
    NODE_TASK,
    NODE_KIND_COUNT,
} NodeKind;

typedef enum NodeList {
    LIST_BODY,
    LIST_ERRORS,
    LIST_FINALLY,
    LIST_EXTRA,  // else of IF, defaults of SWITCH, onPause of PAUSE, afterExecution of the root
    LIST_CASE,   // of SWITCH; `list_case` says which
    LIST_COUNT,
} NodeList;

typedef enum NodeUpdate {
    UPDATE_NONE,
    UPDATE_LABELS,
    UPDATE_SET_VARIABLES,
    UPDATE_UNSET_VARIABLES,
    UPDATE_EXIT
} NodeUpdate;

enum {
    NODE_ALLOW_FAILURE = 1,
    NODE_ALLOW_WARNING = 2,
    NODE_PURE = 4,     // effects = {}: may run inside a turn (design §4.4)
    NODE_WORKDIR = 8,  // WorkingDirectory: children share a folder; a restart drops all children
    NODE_PAIRS = 16,   // EachParallel: every (value, task) pair is independent
    NODE_WAIT = 32,    // SUBFLOW, ITEMS
    NODE_TRANSMIT_FAILED = 64,
    NODE_INHERIT_LABELS = 128,
    NODE_RESTART_NEW = 256,  // SUBFLOW, ITEMS: restartBehavior NEW_EXECUTION
    NODE_FAIL_ON_MAX = 512,  // LOOP_UNTIL
    NODE_EXTERNAL = 1024,    // TASK: run by an external handler (design §11)
    NODE_LOG_TO_FILE = 2048,
    NODE_CACHE = 4096,        // TASK: taskCache enabled; `cache_ttl`
    NODE_HAS_SECRETS = 8192,  // its properties hold a secret
    NODE_HAS_ELSE = 16384,  // IF, SWITCH: `else`, `defaults` stands there, if all of it is disabled
    NODE_NAMED_PARENTS = 32768,  // the root: `parents` are as in 2.0
};

// `leaf_a`, `leaf_b`, `leaf_c` by kind:
//   PARALLEL, DAG   a: concurrent
//   IF              a: condition (text)          SWITCH    a: value (text)
//   FOREACH, LOOP   a: values (list or text)     c: nothing; `limit` is concurrencyLimit; LOOP:
//   `leaf_props` renders its outputs LOOP_UNTIL      a: condition; b: checkFrequency as a map
//   {interval, maxIterations, maxDuration}; c: failOnMaxReached ITEMS           a: items; b:
//   {namespace, flowId, revision, inputs, labels} per batch; c: batch SUBFLOW         b:
//   {namespace, flowId, revision, inputs, labels, scheduleDate}; c: the deprecated outputs map
//   PAUSE           a: {pauseDuration, behavior, timeout}; onResume inputs are `inputs_first`,
//   `inputs_count` UPDATE, TIMER, TASK   `leaf_props`: the rendered properties as one map
//   TASK              a: the template it renders for each item of a file
typedef struct PlanNode {
    uint8_t kind;       // NodeKind
    uint8_t list;       // NodeList: which list of its parent it stands in
    uint8_t update;     // NodeUpdate
    uint8_t log_level;  // 0: none, else 1 + (0 TRACE … 4 ERROR)
    uint32_t flags;
    PlanRef parent;                        // 0: the root, which is node 0
    PlanRef next;                          // next sibling in the same list
    PlanRef body, errors, finally, extra;  // heads of its lists
    uint32_t end;                          // index behind its subtree
    PlanRef cases;                         // SWITCH: first of its cases
    uint32_t case_count;
    uint32_t list_case;  // of LIST_CASE: number of the case, from 0
    PlanRef deps;        // of a child of DAG: first of its dependencies
    uint32_t dep_count;
    PlanText id;
    PlanText type;   // canonical task type
    PlanRef module;  // TASK: its module
    PlanLeaf leaf_props, leaf_run_if, leaf_timeout, leaf_a, leaf_b, leaf_c;
    PlanRef retry;  // effective: own over ancestor over flow
    PlanRef own_retry;
    int32_t limit;   // FOREACH, LOOP: concurrencyLimit; -1 where it does not apply
    PlanRef inputs;  // PAUSE: first of its onResume inputs
    uint32_t input_count;
    int64_t cache_ttl;  // milliseconds; 0: none
} PlanNode;

typedef struct PlanCase {
    PlanText key;
    PlanRef head;  // first node of the case; 0: an empty list
} PlanCase;

typedef struct PlanDep {
    uint32_t node;  // index of a sibling
} PlanDep;

typedef enum RetryKind { RETRY_CONSTANT, RETRY_EXPONENTIAL, RETRY_RANDOM } RetryKind;

enum { RETRY_WARNING = 1, RETRY_NEW_EXECUTION = 2 };

typedef struct PlanRetry {
    uint8_t kind;
    uint8_t flags;
    uint16_t reserved;
    int32_t max_attempts;  // all attempts, the first included; 0: unlimited
    int64_t max_duration;  // milliseconds; 0: unlimited. So the others:
    int64_t interval;      // RANDOM: minInterval
    int64_t max_interval;
    double delay_factor;
} PlanRetry;

enum {
    INPUT_REQUIRED = 1,
    INPUT_ALLOW_CUSTOM = 2,
    INPUT_HAS_MIN = 4,
    INPUT_HAS_MAX = 8,
    INPUT_AUTO_FIRST = 16,
};

typedef struct PlanInput {
    PlanText id;   // dotted ids as written
    uint8_t type;  // InputType of value/convert.h
    uint8_t item_type;
    uint16_t flags;
    PlanLeaf defaults;    // rendered with the inputs it depends on
    PlanLeaf condition;   // dependsOn.condition, typed
    PlanLeaf expression;  // SELECT, MULTISELECT: list of values
    PlanText validator;   // regular expression
    PlanText min, max;    // as written: numbers, dates, times, durations (also after, before)
    PlanRef values;       // first of its values in the text list table
    uint32_t value_count;
    PlanRef depends;  // text list: ids
    uint32_t depend_count;
    PlanRef extensions;  // text list: FILE's allowed extensions
    uint32_t extension_count;
    PlanText display;  // displayName, for messages; may be empty
} PlanInput;

typedef struct PlanOutput {
    PlanText id;
    uint8_t type;
    uint8_t item_type;
    uint16_t flags;  // INPUT_REQUIRED
    PlanLeaf value;  // object mode
} PlanOutput;

typedef struct PlanLabel {
    PlanText key, value;
} PlanLabel;

typedef struct PlanSla {
    PlanText id;
    uint8_t kind;      // 0 MAX_DURATION, 1 EXECUTION_ASSERTION
    uint8_t behavior;  // 0 FAIL, 1 CANCEL, 2 NONE
    uint16_t reserved;
    int64_t duration;  // milliseconds
    PlanLeaf assertion;
    PlanRef labels;
    uint32_t label_count;
    PlanText source;  // of the assertion, as written
} PlanSla;

typedef struct PlanCheck {
    PlanLeaf condition;
    PlanText message;
    uint8_t style;     // 0 ERROR, 1 SUCCESS, 2 WARNING, 3 INFO
    uint8_t behavior;  // 0 BLOCK_EXECUTION, 1 FAIL_EXECUTION, 2 CREATE_EXECUTION
    uint16_t reserved;
} PlanCheck;

// Compiled, idle until there is a serve. `config` is canonical JSON of the static properties.
typedef struct PlanTrigger {
    PlanText id, type, config;
    PlanLeaf props;      // dynamic properties and inputs as one map
    PlanLeaf condition;  // `when` or all conditions; 0: always
    uint32_t flags;      // 1: disabled
} PlanTrigger;

typedef struct PlanModule {
    PlanText type;     // canonical task type
    uint32_t code;     // number of its chunk in MODS + 1; 0: external
    uint32_t effects;  // EFFECT_ bits
} PlanModule;

enum {
    EFFECT_EXEC = 1,
    EFFECT_NET = 2,
    EFFECT_FILE = 4,
    EFFECT_KV = 8,
    EFFECT_NOTIFY = 16,
    EFFECT_CREATE = 32,
    EFFECT_DESTROY = 64
};

// Concurrency of the flow: 0 QUEUE, 1 CANCEL, 2 FAIL.
typedef struct PlanFlow {
    PlanText id, flow_namespace, description;
    int32_t concurrency_limit;  // 0: none
    uint8_t concurrency_behavior;
    uint8_t is_disabled;
    uint16_t reserved;
    PlanText variables;  // canonical JSON of `variables`, texts unrendered; empty: none
} PlanFlow;

// An opened plan: pointers into the bytes of the artifact.
typedef struct Plan {
    PlanFlow flow;
    const PlanNode *nodes;
    uint32_t node_count;
    const PlanCase *cases;
    uint32_t case_count;
    const PlanDep *deps;
    uint32_t dep_count;
    const PlanRetry *retries;
    uint32_t retry_count;
    const PlanInput
        *inputs;  // the flow's own come first: flow_input_count of them, then those of Pause nodes
    uint32_t input_count;
    uint32_t flow_input_count;
    const PlanOutput *outputs;
    uint32_t output_count;
    const PlanLabel *labels;  // the flow's own come first
    uint32_t label_count;
    uint32_t flow_label_count;
    const PlanSla *slas;
    uint32_t sla_count;
    const PlanCheck *checks;
    uint32_t check_count;
    const PlanTrigger *triggers;
    uint32_t trigger_count;
    const PlanModule *modules;
    uint32_t module_count;
    const PlanText *texts;  // the text list table
    uint32_t text_count;
    uint32_t leaf_count;  // leaves are 0 … leaf_count - 1
    Str strings;          // the pool
} Plan;

// Checks sizes, every reference and that the nodes are a tree in pre-order; `strings` is STRS. On a
// big-endian host: ERR_UNSUPPORTED. The bytes must be 8-byte aligned and outlive the plan.
MUST_CHECK Err plan_open(Str bytes, Str strings, Plan *out);
Str plan_text(const Plan *plan, PlanText text);
// Writes what plan_open reads: the compiler and the tests of the engine build a Plan in memory and
// encode it.
struct Buffer;
void plan_encode(const Plan *plan, struct Buffer *out);
// "SEQUENCE", …
const char *plan_kind_name(NodeKind kind);

#endif
