// inner.h - what the files of the engine share: the folded state, and the scratch beside it.
//
// Folded state follows from the events alone; it is what a snapshot holds and what two engines have
// in common. Scratch (marked so) is a memory of what was already asked or looked at; it can be
// forgotten at any time and is rebuilt: cursors, heaps, the values of a loop as texts, the queue.
// Runs and frames stand in pages and are named by number; number 0 is the root run, the frame 0 is
// "none". Numbers are for ever. Nothing is freed one by one: see engine_compact. Pages of what has
// ended for good may be in the store alone (page.c).
#ifndef FLOW_ENGINE_INNER_H
#define FLOW_ENGINE_INNER_H

#include "engine/engine.h"

#ifndef ENGINE_PAGE
#define ENGINE_PAGE 256  // a test has smaller ones, to have more of them
#endif
enum { PAGE = ENGINE_PAGE, FAULT_SIZE = 240, ROOT = 0, NO_FRAME = 0 };
enum { ITERATIONS_MAX = 1 << 24 };  // of one loop; more would not fit into memory, either
#define NO_RUN UINT32_MAX           // no enumerator: those are ints
// Where the timers of a run begin to count, by attempt of the execution.
enum { TIMERS_OF_ATTEMPT = 1 << 12 };
enum { SLA_KEYS = 1 << 20 };  // the key of an agreement's timer: attempt * SLA_KEYS + its number

// Which of the lists of a level a run stands in. The branch of an If and the case of a Switch count
// as its tasks.
typedef enum Role { ROLE_TASKS, ROLE_ERRORS, ROLE_FINALLY, ROLE_EXTRA, ROLE_COUNT } Role;

typedef struct Tally {
    uint32_t created, terminal, failed, killed, warning;
} Tally;

// A leaf's value or error, as recorded.
typedef struct Slot Slot;
struct Slot {
    Slot *next;
    uint32_t slot;
    int64_t index;  // see slot_turn
    bool is_error;
    Str text;
    Str raw;      // a large value as a snapshot has it; read when it is asked for
    Value value;  // see slot_value
};

typedef struct Attempt {
    State state;  // NONE: under way
    bool is_started;
    bool is_decided;  // what follows from its end has been decided
    Begun begun;
    int32_t exit_code;
    int64_t started_ms, ended_ms;
    int64_t pause_ms;  // what the other side asked to wait; 0: nothing
    Str message, error_class;
} Attempt;

typedef LIST_OF(Attempt) Attempts;
typedef LIST_OF(StateChange) StateChanges;
typedef LIST_OF(uint32_t) Numbers;

// A child execution of SUBFLOW, or of one batch of ITEMS.
typedef struct Child {
    Str id;
    uint32_t number;  // in Engine.children, from 1
    uint32_t run, frame;
    int32_t attempt;
    State state;      // NONE: under way
    bool is_error;    // it could not be made
    bool is_asked;    // scratch
    bool is_killed;   // scratch: told to end
    bool is_restart;  // it is to be restarted, not made
    bool has_outputs;
    Str text;
    Value outputs;
} Child;

// A binary heap of numbers, smallest first.
typedef Numbers Heap;

// What a run has that holds others.
typedef struct Level {
    Tally tally[ROLE_COUNT];  // LOOP, PART_ITEMS: the tasks are iterations
    uint32_t live;            // runs directly below that are not terminal
    uint32_t first_child;     // newest run directly below, 0: none; then Run.next_child
    uint32_t children;        // PART_ITEMS: child executions under way
    Numbers frames;           // of loops, by iteration: number of the frame, 0 where there is none;
                              // of LoopUntil only that of the last pass
    uint32_t passes;          // LoopUntil: begun so far
    // Scratch.
    bool is_built;
    bool tasks_are_done;
    PlanRef cursor[ROLE_COUNT];  // looked at next; everything before it has been created
    Heap ready;         // DAG: children whose dependencies have ended; loops: iterations that wait
    uint32_t *waiting;  // DAG: by node behind the Dag's own: dependencies that have not ended
    int64_t limit;      // concurrency; 0: none
    Str *values;
    Str *keys;  // LOOP over a map
    uint32_t value_count;
    uint32_t next_value;
    PlanRef pair;  // EachParallel: next task of next_value
} Level;

typedef struct Run {
    RunId id;
    uint32_t node, parent, frame, next_child;
    uint8_t part;  // EnginePart
    uint8_t role;
    uint8_t state;
    bool is_dropped;
    bool is_unknown;
    bool is_resumed;  // PAUSE: it goes on
    bool has_failed;  // a level that failed by itself, not by a task
    bool has_outputs;
    bool timer_is_set;  // and has not fired
    bool timer_fired;
    bool is_queued;        // scratch
    bool start_is_asked;   // scratch
    bool timer_is_asked;   // scratch
    bool cancel_is_asked;  // scratch
    uint32_t asked;        // scratch: bit per slot
    int32_t branch;        // IF, SWITCH: which list; -1: not chosen
    uint32_t timer_count;
    int64_t timer_at;
    Str task;      // its name: the id of the node, of a part with its ending
    Str retry_id;  // RETRY_NEW_EXECUTION: the execution that will follow
    Str message;
    Value outputs;
    Slot *slots;
    Value properties, checkpoint;  // of the attempt that is under way
    Str metrics;                   // of the last attempt that had some, a list as JSON
    Attempts attempts;
    StateChanges history;
    Child *child;
    Level *level;
} Run;

typedef struct Frame {
    RunId id;
    uint32_t parent, loop;
    int64_t index;
    Str text, key;  // the value; of LOOP over a map its key
    bool is_dropped;
    uint8_t state;  // LOOP, PART_ITEMS: of the iteration; NONE: under way
    Tally tally;    // of the runs that stand directly in it
    Slot *slot;     // LOOP: outputs; PART_ITEMS: what to run
    Child *child;
    bool has_outputs;
    Value outputs;
    bool is_ready;   // scratch: in the heap of its level
    bool is_asked;   // scratch
    PlanRef cursor;  // scratch
} Frame;

// HERE: in memory, and in no store. STORED: as the store has it, in memory or not. GONE: all of it
// is dropped.
typedef enum PageStatus { PAGE_HERE, PAGE_STORED, PAGE_GONE } PageStatus;

typedef struct Page {
    void *items;  // PAGE runs or frames; NULL: not in memory
    PageStatus status;
} Page;

typedef LIST_OF(Page) Pages;

// Open addressing over numbers; the functions that know the items are in table.c.
typedef struct Index {
    uint32_t *slots;  // number + 1
    uint32_t size, used;
} Index;

typedef struct SlaState {
    bool timer_is_set, timer_fired, is_violated, is_handled;
    bool is_error;
    int64_t at_ms;
    uint64_t seen;                  // `changes` when it was last answered, + 1
    bool timer_is_asked, is_asked;  // scratch
} SlaState;

// The execution ends before its tasks have: by a kill, an Exit, an agreement, a retry elsewhere.
typedef struct Ending {
    bool is_active;
    bool cancels;         // what runs is stopped; else it may end by itself
    bool keeps_children;  // child executions go on
    State state;
    uint32_t run;  // this one and its ancestors take the state; NO_RUN: none
    Str text;
    Str retry_id;
    int32_t retry_attempt;
} Ending;

typedef struct Turn {
    int64_t now_ms;
    Arena *arena;
    Events *decisions;
    Actions *actions;
} Turn;

struct Engine {
    Arena arena;
    const Plan *plan;
    char fault[FAULT_SIZE];
    // Of the plan: nodes by id, dependants of a child of a Dag.
    uint32_t *node_by_id;
    uint32_t node_by_id_size;
    uint32_t *dependant_first;  // by node, node_count + 1 entries
    uint32_t *dependants;

    EngineKeeper keeper;
    Pages pages[PAGE_KINDS];
    uint32_t run_count, frame_count;
    uint32_t away;  // pages that are in the store alone
    Index run_by_id, run_by_place, frame_by_id;
    LIST_OF(Child *) children;

    // The execution.
    Str id;
    State state;
    StateChanges history;
    int64_t last_seq, created_ms;
    int64_t watched_ms;  // from when agreements count: creation, or the last restart
    int32_t attempt;
    bool is_held;    // queued: waits for a slot
    bool is_paused;  // by a person, as a whole
    bool outputs_are_known, outputs_failed, has_outputs;
    bool after_is_killed;
    Str text;  // reason of the execution itself
    Value inputs, labels, variables, created, outputs;
    Ending ending;
    Child *retry;  // the execution that follows this one
    SlaState *slas;
    uint32_t paused, retrying;  // runs in that state

    uint64_t changes;  // ends of task runs

    // Scratch.
    bool outputs_are_asked, finish_is_told;
    Numbers queue;
    uint32_t queue_at;
    Numbers order;        // of the runs that are not dropped, in order of creation
    bool order_is_stale;  // also: not all pages are here
    uint64_t steps;       // work done, for the tests of linearity
    Turn turn;
};

// --- page.c -------------------------------------------------------------------------------------

void page_add(Engine *engine, EnginePageKind kind, Page page);
void *page_items_new(Engine *engine, EnginePageKind kind);  // all of them dropped
// All of them are here, and none is settled any more.
void page_take_back(Engine *engine);
bool page_is_gone(const Engine *engine, EnginePageKind kind, uint32_t page);
// Nothing but a restart comes back to it and to the runs that stand in it.
bool frame_is_settled(const Engine *engine, uint32_t number);

// Fetched where they are in the store.
Run *run_of(const Engine *engine, uint32_t number);
Frame *frame_of(const Engine *engine, uint32_t number);

static inline bool run_is_here(const Engine *engine, uint32_t number) {
    return engine->pages[PAGE_RUNS].items[number / PAGE].items != NULL;
}

static inline bool frame_is_here(const Engine *engine, uint32_t number) {
    return engine->pages[PAGE_FRAMES].items[number / PAGE].items != NULL;
}

// The run behind `number` that is in memory, NO_RUN behind the last. The others have ended.
static inline uint32_t run_next_here(const Engine *engine, uint32_t number) {
    for (number++; number < engine->run_count; number = (number / PAGE + 1) * PAGE) {
        if (run_is_here(engine, number)) return number;
    }
    return NO_RUN;
}

static inline const PlanNode *node_of(const Engine *engine, const Run *run) {
    return &engine->plan->nodes[run->node];
}

// NULL: none yet.
static inline Attempt *run_last_attempt(const Run *run) {
    return run->attempts.count == 0 ? NULL : &run->attempts.items[run->attempts.count - 1];
}

static inline bool run_id_is_none(RunId id) {
    for (int i = 0; i < HASH128_SIZE; i++) {
        if (id.bytes[i] != 0) return false;
    }
    return true;
}

// --- table.c ------------------------------------------------------------------------------------

void table_index_run(Engine *engine, uint32_t number);
void table_index_frame(Engine *engine, uint32_t number);
uint32_t table_add_run(Engine *engine, Run run);
uint32_t table_add_frame(Engine *engine, Frame frame);
uint32_t table_find_run(const Engine *engine, RunId id);  // NO_RUN
uint32_t table_find_place(const Engine *engine, uint32_t node, uint32_t frame, uint32_t part);
uint32_t table_find_frame(const Engine *engine, RunId id);  // NO_FRAME
const uint32_t *table_order(const Engine *engine, uint32_t *count);
uint32_t node_find(const Engine *engine, Str id);  // UINT32_MAX

RunId id_of_run(const Engine *engine, uint32_t node, uint32_t frame, uint32_t part);
RunId id_of_frame(const Engine *engine, uint32_t loop, int64_t index, Str text);
RunId id_of_child(const Engine *engine, const Run *run, const Frame *frame, int32_t attempt);
Str id_of_retry(const Engine *engine, int32_t attempt, Arena *arena);
Str run_idempotency_key(const Engine *engine, uint32_t number, Arena *arena);
Str run_timer_key(const Run *run, Arena *arena);
Str run_task_name(const Engine *engine, const Run *run, Arena *arena);

void least_push(Arena *arena, Heap *heap, uint32_t number);
uint32_t least_pop(Heap *heap);

// --- snapshot.c ---------------------------------------------------------------------------------

// The value may lie in the bytes, which live as long as the engine. False where they are none.
bool snapshot_read_kept(Engine *engine, Str bytes, Value *out);
void snapshot_write_page(Engine *engine, EnginePageKind kind, uint32_t page, Buffer *out);
bool snapshot_read_page(Engine *engine, EnginePageKind kind, uint32_t page, Str bytes);
// What the store has is left out, unless `is_whole`.
void snapshot_write(Engine *engine, bool is_whole, Buffer *out);

// --- fold.c -------------------------------------------------------------------------------------

void engine_start_plan(Engine *engine, const Plan *plan);  // a new engine's tables of the plan
void engine_add_state(Engine *engine, State state, int64_t time_ms);
bool node_is_level(const PlanNode *node, uint32_t part);
Role node_role(const Engine *engine, uint32_t node);
// True for a run directly in an iteration that has a value (ForEach, Loop).
bool run_has_value(const Engine *engine, const Run *run);
// True for a run directly in a pass of a LoopUntil.
bool run_is_in_pass(const Engine *engine, const Run *run);
const Slot *slot_find(const Run *run, uint32_t slot);
// Read out of `raw` by the first who asks; where that fails, a fault is set.
const Value *slot_value(const Engine *engine, const Slot *slot);
void run_touch(Engine *engine, uint32_t number);
void run_touch_live(Engine *engine);
void engine_set_fault(Engine *engine, const char *format, ...) FORMAT_LIKE(2, 3);

// Which of several evaluations of a slot is meant now.
int64_t slot_turn(const Engine *engine, const Run *run, uint32_t slot);

// --- turn.c: decisions, evaluations -------------------------------------------------------------

void turn_decide(Engine *engine, Event event);
Action *turn_act(Engine *engine, ActionKind kind, uint32_t run);
// How the run is to end where the execution (or what comes after it) is ended early, else NULL.
const Ending *engine_ending(const Engine *engine);

typedef enum Need { NEED_WAIT, NEED_READY, NEED_FAILED } Need;
// The value of a leaf: a constant, the recorded one, or it is asked for. NEED_FAILED: the run has
// been ended.
Need turn_need(Engine *engine, uint32_t number, EngineSlot slot, PlanLeaf leaf, Value *out);
// Asks for the value of a slot, once.
void turn_ask(Engine *engine, uint32_t number, EngineSlot slot, PlanLeaf leaf);
bool turn_is_true(Engine *engine, Value value);
// A duration: ISO-8601 text, or an integer of milliseconds; null leaves *out. False on anything
// else.
bool turn_duration(Value value, int64_t *out);
// A member of a rendered map, NULL where it is not there or null.
const Value *turn_member(Value map, Str key);

void run_set_state(Engine *engine, uint32_t number, State state, Str text);
void run_set_state_with(Engine *engine, uint32_t number, State state, Value outputs);
// The end of a run that failed before or beside an attempt: with allowFailure and allowWarning, no
// retry.
void run_fail(Engine *engine, uint32_t number, Str text);
State run_with_flags(const PlanNode *node, State state);
void run_set_timer(Engine *engine, uint32_t number, int64_t at_ms);

// --- task.c: attempts ---------------------------------------------------------------------------

void task_begin(Engine *engine, uint32_t number);
void task_step(Engine *engine, uint32_t number);
// The end of an attempt: retry, flags, state.
void task_conclude(Engine *engine, uint32_t number, State outcome, Str text, Value outputs);
void task_retry(Engine *engine, uint32_t number);
void task_recover(Engine *engine);

// --- level.c: lists of tasks --------------------------------------------------------------------

void level_begin(Engine *engine, uint32_t number);
void level_step(Engine *engine, uint32_t number);
// One after the other; true when all have ended.
bool level_sequence(Engine *engine, uint32_t number, Role role);
bool level_list_is_done(const Engine *engine, uint32_t number, Role role);
PlanRef level_head(const Engine *engine, const Run *run, Role role);
State level_state(const Engine *engine, const Run *run);
// The first at or behind *cursor that has no run in this frame; *cursor moves there.
PlanRef level_next(Engine *engine, uint32_t frame, PlanRef *cursor);
void level_create_run(Engine *engine, uint32_t parent, uint32_t node, uint32_t frame,
                      uint32_t part);
uint32_t level_create_frame(Engine *engine, uint32_t loop, int64_t index, Str text, Str key);

// --- loop.c -------------------------------------------------------------------------------------
// *_advance start what may start; true when the tasks of the level are done.

void each_begin(Engine *engine, uint32_t number);
void each_build(Engine *engine, uint32_t number);
bool foreach_advance(Engine *engine, uint32_t number);
bool iterations_advance(Engine *engine, uint32_t number, bool may_start);
Value iterations_outputs(Engine *engine, uint32_t number);
void until_begin(Engine *engine, uint32_t number);
bool until_advance(Engine *engine, uint32_t number);

// --- wait.c: Pause, Sleep; update.c; child.c: child executions -----------------------------------

// What a Pause puts out when it is over: `resumed`.
Value pause_outputs(Arena *arena, State state, int64_t now_ms);
void pause_begin(Engine *engine, uint32_t number);
void pause_step(Engine *engine, uint32_t number);
void sleep_begin(Engine *engine, uint32_t number);
void sleep_step(Engine *engine, uint32_t number);
void update_begin(Engine *engine, uint32_t number);
void subflow_begin(Engine *engine, uint32_t number);
void subflow_step(Engine *engine, uint32_t number);
void items_begin(Engine *engine, uint32_t number);
bool items_advance(Engine *engine, uint32_t number);  // the three parts
void batches_build(Engine *engine, uint32_t number);
void batches_step(Engine *engine, uint32_t number);
void child_wind_down(Engine *engine, Child *child, bool cancels);

// --- root.c -------------------------------------------------------------------------------------

void root_step(Engine *engine);
void root_end(Engine *engine);

#endif
