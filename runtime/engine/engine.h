// engine.h - the pure state machine: plan and events so far -> what to do next.
//
// No input or output, no clock, no malloc outside its arena. The driver (run) asks engine_next for
// decisions and actions, stores the decisions, performs the actions, and reports what came of them
// as outside events; each event, decision or not, goes through engine_apply once. Two engines that
// folded the same events are the same. One transition is O(1): counters per (run, list), never a
// scan over children.
//
// The turn of a driver:
//
//   engine_apply(outside events); engine_next(&decisions, &actions);
//   store the outside events and then the decisions, in this order, and commit;
//   perform the actions. Repeat with what they report.
//
// Decisions come out of engine_next already applied: never apply them again in the same engine.
// An event with seq 0 counts as the next one, so the order of engine_apply (and within it of the
// decisions) is the order in the store. Where nothing is under way any more (no attempt, timer,
// child, evaluation) and ACTION_FINISH has not come, a person has to act: exit status 50.
//
// Taking over: engine_new (or engine_restore), engine_apply for every stored event (or those behind
// the snapshot), engine_recover once, then turns as above. engine_recover and the engine_next
// behind it together hand out everything that is outstanding, each thing once.
//
// How each action is answered. `run` is copied from the action into every answer; `frame`, `slot`,
// `index`, `attempt`, `id` too where the line names them. Answers may come in any order and at any
// time; one that is no longer wanted (the run was killed meanwhile) is ignored by the fold.
//
//   EVAL           RESOLVED {slot, frame, index, attempt; value, or is_error and text}.
//                  The leaf is evaluated in the context of `run` (zero: of the execution) and,
//                  where `frame` is not zero, of that iteration (LOOP: outputs; ITEMS: one batch,
//                  whose URI is the frame's value). LOOP over a file of the internal storage:
//                  SLOT_A is answered with its lines as a list. A leaf is never a constant here:
//                  those the engine reads itself. Conditions may give any value; the engine takes
//                  its truth. SLOT_TIMEOUT: an ISO-8601 duration as text, milliseconds as integer,
//                  or null.
//   START          NODE_PURE: one DONE {attempt; state SUCCESS, WARNING, FAILED, SKIPPED; value:
//                  outputs; text, error_class, exit_code, more}, at once, in the same turn.
//                  Others: render the properties, STARTED {attempt, id; value: properties}, commit,
//                  then the effect, CHECKPOINT {attempt; value} as the task asks, at last ENDED
//                  {attempt; state, begun, value, text, error_class, exit_code, more}. Properties
//                  that cannot be rendered: ENDED FAILED with BEGUN_NEVER and no STARTED. A failed
//                  attempt is only reported; whether it is tried again the engine decides.
//                  `timeout_ms` (0: none) counts from STARTED: the driver stops the attempt and
//                  reports ENDED FAILED, error_class `timeout`. `id`: the idempotency key.
//                  ITEMS has two such attempts, told apart by `slot`: PART_SPLIT (the file is
//                  value.items, how is value.batch; ENDED.more {batches: [URI …]}, value {splits})
//                  and PART_MERGE (value {subflowOutputs}; children: engine_child_at).
//   RECOVER        One ENDED, or UNKNOWN {attempt, text}: then the run is PAUSED until
//                  UNKNOWN_RESOLVED. Where it is run again the attempt keeps its number; STARTED is
//                  not repeated. `at_ms`: time of STARTED; value {properties, checkpoint};
//                  `id`, `timeout_ms` as for START. By host setting the driver may report
//                  UNKNOWN and UNKNOWN_RESOLVED {state CREATED: retry, or FAILED} together.
//   CANCEL         ENDED {attempt; state KILLED, or what it came to}. Also after a take-over, where
//                  what is left of the attempt is ended by its checkpoint. An attempt that has no
//                  STARTED yet is given up without an answer.
//   TIMER          FIRED {id} at or after `at_ms` (which may lie in the past: at once).
//   SPAWN_CHILD    Idempotent: where the execution `id` is there, watch it. With NODE_WAIT:
//                  CHILD_ENDED {frame, id; state, value: its flow outputs, text} when it has ended;
//                  without: CHILD_ENDED {frame, id; state CREATED} when it is durable. A child that
//                  cannot be made: CHILD_ENDED {frame, id; state FAILED, is_error, text}.
//   SIGNAL_CHILD   value {signal: "kill" | "restart"}; CHILD_ENDED as above when it has ended. One
//                  to be killed that was never made: CHILD_ENDED {frame, id; state KILLED} at once.
//   SPAWN_RETRY    Idempotent: a replay of this execution under `id`, with `attempt` in its
//   CREATED;
//                  CHILD_ENDED {id; state CREATED} when it is durable.
//   FLOW_OUTPUTS   OUTPUTS {value, or is_error and text}.
//   FINISH         Nothing. The state is final, nothing runs; it comes again after a take-over.
//
// A new execution begins with CREATED {id, value: inputs, more, state: NONE, or QUEUED, or
// CANCELLED or FAILED with text where a limit refuses it}. A queued one is let go by RESUMED with a
// zero run.
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

// ITEMS makes three task runs of one node: `<id>_split`, `<id>_items`, `<id>_merge`.
typedef enum EnginePart { PART_WHOLE, PART_SPLIT, PART_ITEMS, PART_MERGE } EnginePart;

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
    RunId frame;  // EVAL, SPAWN_CHILD, SIGNAL_CHILD: the iteration where there are several per run
    uint32_t node;
    uint32_t slot;  // EVAL: EngineSlot; START, RECOVER of ITEMS: EnginePart
    PlanLeaf leaf;  // EVAL
    int32_t attempt;
    int64_t index;       // EVAL: pass of LOOP_UNTIL, number of the SLA; else iteration or -1
    int64_t at_ms;       // TIMER; SPAWN_RETRY; RECOVER: time of STARTED
    int64_t timeout_ms;  // START, RECOVER; 0: none
    Str id;       // child execution, timer key, idempotency key (START, RECOVER: 36 characters)
    Value value;  // SPAWN_CHILD: what SLOT_B gave; SIGNAL_CHILD: {signal};
                  // RECOVER: {properties, checkpoint}; CANCEL: {reason, properties, checkpoint};
                  // START of a part of ITEMS: {items, batch}
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
// What a driver that took over has to do again: attempts with intent and no result come from here,
// evaluations, timers, children and unstarted attempts from here or from the next engine_next.
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
    Value
        value;  // RESUME: values (already converted); RESOLVE: outputs; REPLAY: new inputs, or null
    Str new_id;  // REPLAY: id of the new execution
    int64_t now_ms;
} Command;

// Outside events for a command, not applied yet. ERR_USAGE with Kestra's sense where the state does
// not allow it. Those of REPLAY (CREATED, FRAMEs, COPIEDs, RESTARTED) begin the history of the new
// execution.
MUST_CHECK Err engine_command(const Engine *engine, const Command *command, Arena *arena,
                              Events *out);

// --- keeping ------------------------------------------------------------------------------------
//
// A snapshot is a head and pages. The head holds what goes on; a page holds runs or iterations that
// have ended for good. A page is written once, and again only where a restart changes it; so the
// cost of a snapshot, and of going on from it, follows from what is under way, not from what was.

typedef enum EnginePageKind { PAGE_RUNS, PAGE_FRAMES, PAGE_KINDS } EnginePageKind;

// Where pages are kept. It must outlive the engine.
typedef struct EngineKeeper {
    Err (*write)(void *self, EnginePageKind kind, uint32_t page, Str bytes);
    Err (*read)(void *self, EnginePageKind kind, uint32_t page, Arena *arena, Str *out);
    void *self;
} EngineKeeper;
void engine_keep_in(Engine *engine, const EngineKeeper *keeper);

// Writes the pages that are not in the store yet, and gives the head that goes with them.
MUST_CHECK Err engine_save(Engine *engine, Buffer *head);
// `keeper` may be NULL where `bytes` are those of engine_snapshot.
MUST_CHECK Err engine_restore(const Plan *plan, Str bytes, const EngineKeeper *keeper,
                              Engine **out);
// All of it in one piece, the same bytes for engines that folded the same events.
void engine_snapshot(const Engine *engine, Buffer *out);
// Brings all pages into memory; what fails is a fault.
void engine_fetch(const Engine *engine);

// Memory grows with the events folded; what the store has, and what is no longer reachable, goes
// with a compaction, which keeps everything else, also what was handed out. Worth it from some MiB
// on.
size_t engine_memory(const Engine *engine);
void engine_compact(Engine **engine);

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
    Str metrics;           // a list as JSON; empty: none
    bool is_unknown;       // waits for `resolve`
} TaskRunView;

State engine_state(const Engine *engine);
// True once ACTION_FINISH is due: the state is final and no afterExecution runs.
bool engine_is_finished(const Engine *engine);
const Plan *engine_plan(const Engine *engine);
Str engine_execution_id(const Engine *engine);
int64_t engine_last_seq(const Engine *engine);
// In order of creation; false behind the last. `index` from 0.
bool engine_run_at(const Engine *engine, uint32_t index, TaskRunView *out);
bool engine_run(const Engine *engine, RunId id, TaskRunView *out);
// Only those that have not ended, however many have: *at is 0 at first; false behind the last.
bool engine_next_open(const Engine *engine, uint32_t *at, TaskRunView *out);
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
// The run of `task` as a run sees it that stands in the iterations of `from` (zero: none), or as
// the iteration `from` does: in the same frame, else in the nearest outer one. For LOOP, whose
// iterations are isolated.
Lookup engine_find_near(const Engine *engine, RunId from, Str task, TaskRunView *out);
// The keys below `outputs.<task>[values…]`: the texts of the iterations in which it has runs.
uint32_t engine_find_keys(const Engine *engine, Str task, const Str *values, uint32_t value_count,
                          Arena *arena, Str **keys);
// An iteration by its id, as actions name it.
typedef struct FrameView {
    RunId loop;    // run of the loop
    RunId parent;  // the next outer iteration that has a value; zero: none
    Str value, key;
    int64_t index;
} FrameView;
bool engine_frame(const Engine *engine, RunId frame, FrameView *out);
// The iteration with a value that a run stands in, however deep. False outside loops.
bool engine_frame_of(const Engine *engine, RunId run, FrameView *out);

// The attempts of a run, from 0.
typedef struct AttemptView {
    State state;  // RUNNING: under way
    Begun begun;
    int32_t exit_code;
    int64_t started_ms, ended_ms;
    Str message, error_class;
} AttemptView;
// What a slot of a run was resolved to; NULL: not (yet), or the leaf is a constant. SLOT_PROPS of a
// WorkingDirectory: its properties, resolved before its first child begins.
const Value *engine_resolved(const Engine *engine, RunId run, EngineSlot slot);
bool engine_attempt_at(const Engine *engine, RunId run, uint32_t index, AttemptView *out);
int32_t engine_attempt(const Engine *engine);  // of the execution, from 1

// How far a loop is; false for other runs. `total` counts what is known: iterations of LoopUntil
// and of a loop whose values are not resolved are those that began.
typedef struct LoopProgress {
    uint32_t ended, begun, total;
} LoopProgress;
bool engine_loop_progress(const Engine *engine, RunId run, LoopProgress *out);

// Child executions in order of creation; false behind the last.
typedef struct ChildView {
    Str id;
    RunId run, frame;
    int64_t index;         // batch of ITEMS, else -1
    State state;           // NONE: under way; CREATED: not waited for
    const Value *outputs;  // NULL: none
} ChildView;
bool engine_child_at(const Engine *engine, uint32_t index, ChildView *out);

// What the log, the page and `show` tell: states with times.
typedef struct StateChange {
    State state;
    int64_t time_ms;
} StateChange;
uint32_t engine_history(const Engine *engine, RunId run,
                        const StateChange **out);  // zero run: the execution

// Work done so far, in steps of bounded cost: what tests of linearity count.
uint64_t engine_steps(const Engine *engine);

void run_id_print(RunId id, char out[33]);
bool run_id_parse(Str text, RunId *out);

#endif
