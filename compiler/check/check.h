// check.h - scopes, names, order and types of every template of a flow.
//
// Each template of the flow becomes a site: where it stands, its syntax tree, the type of each
// expression (Expr.type is an ExprType). What a template refers to is kept as references, so that
// rules about what is used, what is secret and what comes from outside need not look again.
#ifndef FLOW_CHECK_CHECK_H
#define FLOW_CHECK_CHECK_H

#include "check/typing.h"
#include "leaf/leaf.h"

typedef enum SiteKind {
    SITE_TASK,       // a property of a task
    SITE_RUN_IF,     // asked by the engine before the task runs
    SITE_TRIGGER,    // a property of a trigger
    SITE_INPUT,      // defaults, prefill, expression, condition of an input
    SITE_OUTPUT,     // the value of a flow output
    SITE_CONDITION,  // of an SLA or a check
    SITE_VARIABLE,   // `variables`: rendered where they are used
} SiteKind;

typedef struct Site {
    SiteKind kind;
    const Task *task;
    const TriggerDecl *trigger;
    const InputDecl *input;
    const OutputDecl *output;
    const Property *property;  // of a task or trigger; NULL elsewhere
    const Prop *schema;        // of the innermost known property; NULL: unknown
    Str path;                  // "commands[0]", "headers.Authorization"
    bool is_whole;             // the whole value of that property, no item or member of it
    bool is_static;            // the catalog says the text is not rendered
    bool is_loose;             // rendered with names of its own: unknown roots are not judged
    const Node *node;
    Template *tpl;
} Site;

typedef enum RefKind { REF_INPUT, REF_OUTPUT, REF_VARIABLE, REF_SECRET, REF_KV, REF_FILE } RefKind;

typedef struct Ref {
    RefKind kind;
    Str name;  // empty: not known when compiled
    Span span;
    const Site *site;
} Ref;

// An expression that is printed into a text.
typedef struct Print {
    const Site *site;
    const Expr *expr;
} Print;

typedef struct Checked {
    LIST_OF(Site *) sites;
    LIST_OF(Ref) refs;
    LIST_OF(Print) prints;
    uint32_t targets;
    bool is_strict;
} Checked;

typedef struct CheckOptions {
    uint32_t targets;  // as in FlowOptions
    bool is_strict;    // what only some want to hear
    Str roots;         // names, with commas between, that lead to anything: the tests' use
} CheckOptions;

// Checks a flow; the result is also flow->checked. Findings E0202 … E0323.
Checked *check_flow(Flow *flow, Catalog *catalog, ExprParser *parser, const CheckOptions *options,
                    Arena *arena, Diags *diags);
// The property of a task a site stands in, or empty: "commands".
Str site_property(const Site *site);

// Has `writer` run when `reader` is rendered? Reader NULL: after everything (flow outputs).
typedef enum Order {
    ORDER_MUST,       // before, always
    ORDER_MAY,        // before, unless skipped: behind a condition
    ORDER_MAY_ERROR,  // before, as far as a handler can know
    ORDER_EXCLUSIVE,  // another branch of the same If or Switch
    ORDER_PARALLEL,   // at the same time
    ORDER_NEVER,      // after
    ORDER_SELF,
    ORDER_INSIDE,  // the reader holds the writer
    ORDER_AROUND,  // the writer holds the reader
} Order;
// *is_looped: both stand in a loop, so an earlier pass may have left a value.
Order order_of(const Task *writer, const Task *reader, bool *is_looped);
// Of a task of a Dag: whether it waits for `on`, directly or not; the task of the same Dag with an
// id.
// True where a template that could not be read holds the name: it may be a use of it.
bool checked_may_mention(const Checked *checked, Str name);
bool dag_depends(const Task *task, const Task *on);
const Task *dag_sibling(const Task *task, Str id);

#endif
