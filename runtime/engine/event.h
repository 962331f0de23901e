// event.h - everything that ever happens to an execution, as data.
//
// Two marked classes: outside events report (a command, a result, the clock), decisions follow from
// them. Folding only applies; it never decides. A batch of decisions names the last outside event
// it has seen. Times, ids and jitter are in the events, so a fold needs no clock. event_write and
// event_read give the JSON that the store keeps.
#ifndef FLOW_ENGINE_EVENT_H
#define FLOW_ENGINE_EVENT_H

#include "artifact/plan.h"
#include "base/crypto.h"
#include "value/value.h"

typedef enum State {
    STATE_NONE,
    STATE_CREATED,
    STATE_RUNNING,
    STATE_PAUSED,
    STATE_RESTARTED,
    STATE_KILLING,
    STATE_QUEUED,
    STATE_RETRYING,
    STATE_SUCCESS,
    STATE_WARNING,
    STATE_FAILED,
    STATE_KILLED,
    STATE_CANCELLED,
    STATE_RETRIED,
    STATE_SKIPPED,
    STATE_COUNT,
} State;

const char *state_name(State state);
bool state_from(Str name, State *out);
bool state_is_terminal(State state);

typedef enum EventKind {
    // Written into stores: numbers are for ever.
    EVENT_CREATED = 1,    // outside: ids, inputs, labels, trigger, parent, original, attempt
    EVENT_STATE = 2,      // the execution's state
    EVENT_TASKRUN = 3,    // a task run comes to be
    EVENT_FRAME = 4,      // an iteration: (parent frame, loop run, index, key or value)
    EVENT_TASKSTATE = 5,  // a task run's state
    EVENT_RESOLVED = 6,   // outside: a leaf's value or error, for a slot
    EVENT_STARTED = 7,    // outside: intent: attempt, idempotency key, rendered properties (secrets
                          // as references)
    EVENT_CHECKPOINT = 8,  // outside: what a task wants to remember: remote id, pid and start time
    EVENT_ENDED = 9,       // outside: result of an attempt
    EVENT_DONE =
        10,  // outside: STARTED, ENDED and the end state of an effect-free task in one row.
             // SUCCESS of attempt 1 is final; on anything else a decision follows
    EVENT_RETRY_AT = 11,     // decision: the next attempt and when
    EVENT_TIMER_SET = 12,    // decision
    EVENT_FIRED = 13,        // outside: a timer
    EVENT_PAUSED = 14,       // decision: what is waited for
    EVENT_RESUMED = 15,      // outside: a person; values of onResume
    EVENT_CHILD = 16,        // decision: a child execution and its id
    EVENT_CHILD_ENDED = 17,  // outside
    EVENT_KILL = 18,         // outside
    EVENT_RESTARTED = 19,    // outside: what is reset and dropped
    EVENT_COPIED = 20,   // outside: task runs taken over from the execution that this one replays
    EVENT_MARKED = 21,   // outside
    EVENT_UNKNOWN = 22,  // outside: an attempt with intent and no result, found after a crash
    EVENT_UNKNOWN_RESOLVED = 23,  // outside: a person said what it was
    EVENT_VARS = 24,              // decision: SetVariables, UnsetVariables
    EVENT_LABELS = 25,            // decision
    EVENT_OUTPUTS = 26,           // outside: the flow's outputs or the error of rendering them
    EVENT_SLA = 27,    // decision: `index` is the agreement, `state` what it asks for, `text` why
    EVENT_OWNER = 28,  // outside: a process took the execution
    EVENT_PAUSE = 29,  // outside: a person pauses the execution as a whole; RESUMED with a zero run
                       // ends it
    EVENT_ENDING =
        30,  // decision: the execution ends early in `state`: `run` and its ancestors take
             // it; `index` 1: what runs is cancelled; `id`: the execution that follows
    EVENT_KIND_END,
} EventKind;

bool event_is_decision(EventKind kind);
const char *event_kind_name(EventKind kind);

typedef Hash128 RunId;  // of a task run or frame; printed as 32 hexadecimal digits

// How far an attempt got before it failed.
typedef enum Begun { BEGUN_NEVER, BEGUN_UNKNOWN, BEGUN_FAILED } Begun;

typedef struct Event {
    EventKind kind;
    int64_t seq;  // 0 until stored
    int64_t time_ms;
    RunId run;        // the task run it is about; zero: the execution
    State state;      // STATE, TASKSTATE, ENDED, DONE, CHILD_ENDED, MARKED
    uint32_t node;    // TASKRUN; found again by `task` (id text) under another revision
    uint32_t slot;    // RESOLVED: EngineSlot; TASKRUN, COPIED: EnginePart
    int32_t attempt;  // from 1
    int64_t at_ms;    // RETRY_AT, TIMER_SET: when; SLA
    int64_t index;    // FRAME: iteration from 0; RESOLVED: as in the action; SLA: which one
    Begun begun;      // ENDED
    int32_t exit_code;
    bool is_error;    // RESOLVED, OUTPUTS: `text` is the message
    RunId parent;     // TASKRUN: parent task run; FRAME: parent frame (`run` is the loop's run)
    RunId frame;      // TASKRUN: frame it stands in; FRAME: its own id; RESOLVED, CHILD,
                      // CHILD_ENDED: as in the action
    Str id;           // CREATED, CHILD, CHILD_ENDED: execution id; STARTED: idempotency key;
                      // TIMER_SET, RETRY_AT, FIRED: timer key
    Str task;         // TASKRUN: task id
    Str text;         // messages; FRAME: value or key as text
    Str error_class;  // ENDED: ok throttled transient auth ambiguous permanent unknown timeout
                      // killed
    Value value;      // RESOLVED: result; STARTED: properties; ENDED, DONE, TASKSTATE: outputs;
                  // CREATED: inputs; RESUMED: values; RESTARTED, MARKED: {reset, running, dropped}
    Value more;  // CREATED: {labels, trigger, parent, original, attempt, namespace, flow}; ENDED:
                 // {metrics, log, effects}, of a split {batches: [URI]}; COPIED: {slots, times}
} Event;

// JSON of everything but seq and time. Members that are empty are left out. Lossless (a test).
void event_write(const Event *event, Buffer *out);
MUST_CHECK Err event_read(EventKind kind, Str body, Arena *arena, Event *out);

#endif
