// eval.h - one template evaluated by itself: flowc eval, and what tests and tools ask.
#ifndef FLOW_SESSION_EVAL_H
#define FLOW_SESSION_EVAL_H

#include "session/session.h"

typedef enum EvalMode {
    EVAL_STRING,
    EVAL_TYPED,
    EVAL_OBJECT,
    EVAL_RECURSIVE,
    EVAL_CONDITION,
    EVAL_CONVERT,
} EvalMode;

bool eval_mode_from(Str name, EvalMode *out);

typedef struct EvalRequest {
    Value expression;  // a text; any value in mode object
    EvalMode mode;
    Str type;       // of mode convert
    Value context;  // {"vars", "env", "now"}, as cli.md has it
    bool reveal;
} EvalRequest;

typedef struct EvalFinding {
    const char *code;
    Str message;
} EvalFinding;

typedef struct EvalAnswer {
    bool is_error;
    Value value;
    Str text;  // printed form
    LIST_OF(EvalFinding) findings;
    Str kind, name, message;  // of an error
} EvalAnswer;

// What is made lives in `arena`. The session's findings hold those of the template, with spans in
// it, until the next call.
void session_eval(Session *session, const EvalRequest *request, Arena *arena, EvalAnswer *out);
// {"id":…,"value":…,"text":…,"findings":[…]} or {"id":…,"error":{…}}; id may be NULL.
void eval_answer_write(const EvalAnswer *answer, const Value *id, Buffer *out);

#endif
