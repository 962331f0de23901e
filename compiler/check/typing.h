// typing.h - what the checker knows of an expression: its type, and what it stands for.
//
// A Type (compiler/type) says what values there may be. A Place says that an expression is a name
// of the language: `inputs`, `outputs`, `outputs.t`, `taskrun`; a member that is missing there is
// an unknown input, an unknown task, a value outside a loop, and is reported as that.
#ifndef FLOW_CHECK_TYPING_H
#define FLOW_CHECK_TYPING_H

#include "flow/flow.h"
#include "type/type.h"

typedef enum Origin {
    ORIGIN_INPUTS,
    ORIGIN_OUTPUTS,      // outputs
    ORIGIN_TASK_OUTPUT,  // outputs.t
    ORIGIN_LOOP_OUTPUT,  // outputs.t of a task in a loop: a map from the loop's values
    ORIGIN_VARIABLES,
    ORIGIN_TRIGGER,
    ORIGIN_TASKS,  // tasks
    ORIGIN_FIXED,  // flow, execution, task, loop: members are the language's
    ORIGIN_TASKRUN,
    ORIGIN_LOOP_VALUE,  // taskrun.value: no record, a text
    ORIGIN_PARENT,      // parent, parents[n]
} Origin;

typedef struct Place Place;

typedef struct PlaceField {
    Str name;
    const Type *type;
    const Place *place;  // NULL: an ordinary value
} PlaceField;

struct Place {
    Origin origin;
    bool is_open;     // with more members than it lists
    bool is_certain;  // a missing member is an error
    Str name;         // for messages
    const Task *task;
    uint32_t depth;  // of LOOP_OUTPUT: keys still to be given
    LIST_OF(PlaceField) fields;
};

// What Expr.type points to once a template was checked.
typedef struct ExprType {
    Typed typed;
    const Place *place;
    bool is_foreign;   // chosen by whoever starts the flow or answers a request
    Str taint_source;  // where a secret or a foreign text comes from: "inputs.name"
} ExprType;

static inline const ExprType *expr_type(const Expr *expr) {
    return expr->type;
}

Place *place_new(Arena *arena, Origin origin, Str name);
void place_add(Arena *arena, Place *place, Str name, const Type *type, const Place *inner);
PlaceField *place_field(const Place *place, Str name);

// Of a literal node (texts with templates are `any`), of the words in the rows of builtins ("text",
// "list", …).
const Type *type_of_node(Arena *arena, const Node *node);
const Type *type_of_word(Arena *arena, const char *word);

#endif
