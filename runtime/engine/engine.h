// engine.h - the pure state machine: plan and events so far -> what to do next.
//
// No input or output, no clock, no malloc outside its arena. The driver (run) asks engine_next for
// decisions and actions, stores the decisions, performs the actions, and reports what came of them
// as outside events; each event, decision or not, goes through engine_apply once. Two engines that
// folded the same events are the same. One transition is O(1): counters per (run, list), never a
// scan over children.
#ifndef FLOW_ENGINE_ENGINE_H
#define FLOW_ENGINE_ENGINE_H

#include "engine/event.h"

typedef struct Engine Engine;

typedef enum EngineSlot {
    SLOT_RUN_IF = 1,
    SLOT_TIMEOUT,
    SLOT_A,  // leaf_a of the node
    SLOT_B,
    SLOT_C,
    SLOT_PROPS,  // UPDATE, TIMER
    SLOT_OUTPUTS,
    SLOT_SLA,
} EngineSlot;

typedef enum ActionKind {
    ACTION_EVAL,     // leaf of (slot, run) in the run's context -> RESOLVED
    ACTION_START,    // an attempt: render properties, STARTED, work, ENDED; NODE_PURE: DONE at once
    ACTION_RECOVER,  // an attempt that has a STARTED and no ENDED: by the module's word run,
                     // re-attach, look up, or UNKNOWN
    ACTION_CANCEL,   // stop an attempt (kill, timeout of a parent) -> ENDED with KILLED
    ACTION_TIMER,    // at at_ms -> FIRED with the key
    ACTION_SPAWN_CHILD,   // a child execution with the id given; idempotent
    ACTION_SIGNAL_CHILD,  // kill or resume a child
    ACTION_SPAWN_RETRY,   // CREATE_NEW_EXECUTION: the id given; idempotent
    ACTION_FLOW_OUTPUTS,  // render the flow's outputs -> OUTPUTS
    ACTION_FINISH,        // nothing runs any more, the state is final
} ActionKind;

typedef struct Action {
    ActionKind kind;
    RunId run;
    uint32_t node;
    uint32_t slot;
    PlanLeaf leaf;
    int32_t attempt;
    int64_t at_ms;
    Str id;       // child execution, timer key, idempotency key (START, RECOVER: 36 characters)
    Value value;  // SPAWN_CHILD: what SLOT_B gave; SIGNAL_CHILD: {signal}; CANCEL: {reason}
} Action;

typedef LIST_OF(Event) Events;
typedef LIST_OF(Action) Actions;

// `plan` must outlive the engine.
Engine *engine_new(const Plan *plan);
void engine_free(Engine *engine);

// Folds one event; events of a store may be fed from the beginning or behind a snapshot. Never
// fails: an event that does not fit (a store of another flow) sets a fault that engine_fault tells.
void engine_apply(Engine *engine, const Event *event);
const char *engine_fault(const Engine *engine);  // NULL: none
// To a fixpoint. Decisions are already applied when it returns; their time is `now_ms`, their texts
// live in `arena`, as do the lists. Actions are handed out once; after a resume, engine_recover
// hands out those that were under way.
void engine_next(Engine *engine, int64_t now_ms, Arena *arena, Events *decisions, Actions *actions);
// What a driver that took over has to do again: evaluations, timers, children, attempts with intent
// and no result.
void engine_recover(Engine *engine, Arena *arena, Actions *actions);

typedef enum CommandKind {
    COMMAND_KILL,
    COMMAND_PAUSE,
    COMMAND_RESUME,
    COMMAND_RESTART,
    COMMAND_REPLAY,
    COMMAND_MARK,
    COMMAND_RESOLVE,
    COMMAND_FORCE_RUN,
} CommandKind;

typedef struct Command {
    CommandKind kind;
    Str task;     // task id, `id[value]`, or task-run id; may be empty
    State state;  // MARK; RESOLVE: SUCCESS, FAILED, or CREATED for retry
    Value value;  // RESUME: inputs; RESOLVE: outputs
    Str new_id;   // REPLAY: id of the new execution
    int64_t now_ms;
} Command;

// Outside events for a command, not applied yet. ERR_USAGE with Kestra's sense where the state does
// not allow it.
MUST_CHECK Err engine_command(const Engine *engine, const Command *command, Arena *arena,
                              Events *out);

// A snapshot folds to the same engine; it can start a new history.
void engine_snapshot(const Engine *engine, Buffer *out);
MUST_CHECK Err engine_restore(const Plan *plan, Str bytes, Engine **out);

// --- looking ------------------------------------------------------------------------------------

typedef struct TaskRunView {
    RunId id, parent, frame;
    uint32_t node;
    Str task, value;  // value: text of the iteration where the run is directly in a loop
    bool has_value;
    int64_t iteration;  // -1: none
    State state;
    int32_t attempts;
    int64_t created_ms, started_ms, ended_ms;
    Str message;
    const Value *outputs;  // NULL: none
    bool is_unknown;       // waits for `resolve`
} TaskRunView;

State engine_state(const Engine *engine);
const Plan *engine_plan(const Engine *engine);
Str engine_execution_id(const Engine *engine);
int64_t engine_last_seq(const Engine *engine);
// In order of creation; false behind the last. `index` from 0.
bool engine_run_at(const Engine *engine, uint32_t index, TaskRunView *out);
bool engine_run(const Engine *engine, RunId id, TaskRunView *out);
uint32_t engine_run_count(const Engine *engine);
const Value *engine_inputs(const Engine *engine);
const Value *engine_outputs(const Engine *engine);  // of the flow; NULL until there are
const Value *engine_labels(const Engine *engine);
const Value *engine_variables(const Engine *engine);
const Value *engine_created(const Engine *engine);  // `more` of CREATED

typedef struct EngineReason {
    Str task;
    RunId run;
    Str message;
} EngineReason;
bool engine_reason(const Engine *engine,
                   EngineReason *out);  // of a failure, pause or unknown outcome

// One step of `outputs.<task>[value]…` or `tasks.…`: what the run module builds its LeafContext
// from. `path` holds the loop values given so far. Gives the outputs (or state), or says that more
// values are needed.
typedef enum Lookup { LOOKUP_ABSENT, LOOKUP_FOUND, LOOKUP_LOOP } Lookup;
Lookup engine_find_run(const Engine *engine, Str task, const Str *values, uint32_t value_count,
                       TaskRunView *out);
// Ancestors of a run with a value or outputs, nearest first: `parent`, `parents`.
bool engine_parent_at(const Engine *engine, RunId run, uint32_t index, TaskRunView *out);
// The loop frame a run stands in: value, index, key; parent frame in `parent`. False outside loops.
bool engine_frame_of(const Engine *engine, RunId run, Str *value, int64_t *index, RunId *parent);

// What the log, the page and `show` tell: states with times.
typedef struct StateChange {
    State state;
    int64_t time_ms;
} StateChange;
uint32_t engine_history(const Engine *engine, RunId run,
                        const StateChange **out);  // zero run: the execution

void run_id_print(RunId id, char out[33]);
bool run_id_parse(Str text, RunId *out);

#endif
