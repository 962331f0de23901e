// internal.h - what the files of this module share while templates are checked.
#ifndef FLOW_CHECK_INTERNAL_H
#define FLOW_CHECK_INTERNAL_H

#include "check/check.h"

// A name that a template itself makes: {% set %}, {% for %}, the parameter of a macro.
typedef struct Local {
    const struct Local *up;
    Str name;
    const ExprType *type;
    bool is_wall;  // names further up are not seen (the body of a macro)
} Local;

// What is known where an expression stands: `outputs.a.b` is defined here.
typedef struct Fact {
    const struct Fact *up;
    Str path;
} Fact;

typedef struct Macro {
    Str name;
} Macro;

typedef struct Check {
    Arena *arena;
    Diags *diags;
    Catalog *catalog;
    Flow *flow;
    ExprParser *parser;
    const CheckOptions *options;
    Checked *out;
    const Place *inputs, *variables, *trigger;
    const Expr **run_if;      // by task: what runIf asks, where it is one expression
    const Expr **conditions;  // by task: the condition of an If
    bool has_dynamic_tasks;   // a task may add task runs under ids of its own
    bool has_open_variables;
    bool is_trigger_reported;  // W0320 stands once in a flow
} Check;

typedef struct Env {
    Check *check;
    const Site *site;
    const Local *locals;
    const Fact *facts;
    LIST_OF(Macro) * macros;
    bool is_guarded;  // an undefined value is caught around here
    bool is_asked;    // `is defined`: whether it exists is the question
    bool is_base;     // the name is asked for a member at once
    bool is_in_arm;   // evaluated only where a condition says so
    // `outputs.a.x ?? outputs.b.y`: while the right side is looked at, the tasks of the left one.
    const Task *instead_of[8];
    uint32_t instead_count;
    uint32_t depth;
} Env;

enum { CHECK_DEPTH_MAX = 500 };

// --- roots.c ------------------------------------------------------------------------------------

void roots_prepare(Check *check);
// What a name leads to; NULL where there is no such name in this place (reported).
ExprType *root_type(Env *env, const Expr *name);
// Whether a name stands for something here, which is then no slip.
bool root_is_known(Env *env, const Expr *name);
// Tasks around a site that have a value of their own (direct children of loops), nearest first.
uint32_t loops_around(const Site *site, const Task **out, uint32_t max);

// --- member.c -----------------------------------------------------------------------------------

// `base` . `key`; `key_span` is what is marked.
ExprType *member_type(Env *env, const Expr *expr, const ExprType *base, Str key, Span key_span);
ExprType *index_type(Env *env, const Expr *expr, const ExprType *base);
void output_order(Env *env, const Expr *expr, const Task *writer, Span span);

// --- infer.c ------------------------------------------------------------------------------------

ExprType *infer(Env *env, Expr *expr);
void infer_parts(Env *env, const Parts *parts);
ExprType *new_type(Env *env, const Type *type);
ExprType *new_place(Env *env, const Place *place);
// The value of a pass of a loop, as its tasks see it.
ExprType *loop_value_type(Env *env, const Task *loop);
// A copy of the taint and effects of one in another.
void join_taint(ExprType *into, const ExprType *from);
// "outputs.a.b" of a chain of members with literal keys; empty for anything else.
Str expr_path(Arena *arena, const Expr *expr);
const Fact *facts_of(Env *env, const Expr *condition, bool truth, const Fact *up);
bool fact_holds(const Env *env, Str path);

// --- calls.c ------------------------------------------------------------------------------------

ExprType *infer_filter(Env *env, Expr *expr);
ExprType *infer_call(Env *env, Expr *expr);
ExprType *infer_test(Env *env, Expr *expr);

// --- mistakes.c ---------------------------------------------------------------------------------

void check_filter_types(Env *env, const Expr *expr, const ExprType *input, const Builtin *builtin);
void check_comparison(Env *env, const Expr *expr, const ExprType *left, const ExprType *right);
void check_null_in_text(Env *env, const Expr *expr, const ExprType *left, const ExprType *right);
void check_call_texts(Env *env, const Expr *expr);
void check_precedence(Env *env, const Expr *expr);

// --- literals.c ---------------------------------------------------------------------------------

void check_literal_arguments(Env *env, const Expr *expr);

// --- operands.c ---------------------------------------------------------------------------------

void check_operands(Env *env, const Expr *expr, const ExprType *left, const ExprType *right);
void check_sign(Env *env, const Expr *expr, const ExprType *operand);
// What stands where truth is asked: by `and`, `not`, `if`, `?`.
void check_truth(Env *env, const Expr *expr, const ExprType *type, Str asked_by);
void check_walk(Env *env, const Expr *expr, const ExprType *type);

// --- sites.c ------------------------------------------------------------------------------------

typedef void SiteVisit(Check *check, Site *site);
void sites_visit(Check *check, SiteVisit *visit);

void add_ref(Env *env, RefKind kind, Str name, Span span);

#endif
