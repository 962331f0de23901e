// emitter.h - inside the emit module: the Lua of one leaf while it is written.
//
// Every expression becomes an operand, a piece of Lua that can stand in a call. What cannot be one
// expression (`??`, `and`, `? :`, loops) is written as statements before it and leaves its result
// in a slot. Slots are the only local variables of a leaf: Lua allows 200 of them, so those beyond
// SLOTS_MAX live in a table. Operands nest at most OPERAND_DEPTH_MAX calls, since Lua's compiler
// allows 200 levels in all.
#ifndef FLOW_EMIT_EMITTER_H
#define FLOW_EMIT_EMITTER_H

#include "artifact/artifact.h"
#include "catalog/catalog.h"
#include "flow/flow.h"
#include "leaf/leaf.h"
#include "plan/draft.h"

enum {
    SLOTS_MAX = 120,
    MEMOS_MAX = 20,
    OPERAND_DEPTH_MAX = 16,
    CALL_OPERANDS_MAX = 40,
    MACRO_PARAMS_MAX = 50
};

typedef struct Operand {
    Str lua;
    uint32_t depth;    // calls inside each other
    bool is_constant;  // a literal
    bool is_truth;     // true, false or undefined: rt.truth() would give it back
    bool is_slot;
    uint32_t slot;
} Operand;

typedef LIST_OF(Operand) Operands;

typedef struct Frame {  // one Lua function
    Buffer code;
    uint32_t at, max;  // slots in use, ever used
    uint32_t memos;    // local variables of what a loop looks up once
    uint32_t indent;   // open blocks, for readers
    char letter;
} Frame;

typedef struct Variable {
    Str name;
    uint32_t slot;
    bool is_seen;     // a `set` of it stands before
    bool is_certain;  // and is reached wherever this scope is
} Variable;

typedef struct Scope {
    struct Scope *outer;
    LIST_OF(Variable) variables;
    bool is_loop, is_macro;
    uint32_t loop_at, loop_count;  // slots
    uint32_t branches;             // open branches where it began
} Scope;

typedef struct Macro {
    Str name;
    const Part *part;
    uint32_t slot;
    char letter;  // of the function whose slot it is
} Macro;

// What leaves ask of the world: for the manifest.
typedef struct Facts {
    LIST_OF(Str) secrets;      // names, each once, in the order of the flow
    LIST_OF(Str) run_secrets;  // those that a run reads: not those of triggers alone
    LIST_OF(Str) kv;           // keys
    LIST_OF(Value) elsewhere;  // secrets of a namespace that is named: {name, namespace}
    bool has_dynamic_secret, has_dynamic_kv;
    bool is_of_trigger;  // what is emitted at present
} Facts;

// How what is printed becomes a value.
typedef enum Sink {
    SINK_TEXT,
    SINK_TYPED,
    SINK_OBJECT,  // text, or null where only nulls are printed
} Sink;

typedef struct Emitter {
    const Value *literals;  // of the draft
    Arena *arena;
    Diags *diags;
    ExprParser *parser;
    const Flow *flow;  // NULL in eval: `render` asks at run time
    Catalog *catalog;  // NULL: plugin objects are rendered at any depth
    LIST_OF(Span) sites;
    Frame *frame;
    // Of the template that is being written.
    Scope *scope;
    LIST_OF(Macro) macros;
    const Template *template;
    LIST_OF(const Part *) open_blocks;
    LIST_OF(const Node *) open_renders;
    uint32_t branches;
    Operand body;    // what EXPR_BODY stands for
    Span call_span;  // where a text without places of its own is rendered
    bool has_call_span;
    bool renders_again;  // inside render(): templates in `vars` are rendered where they are read
    // Of the leaf.
    bool uses_context, uses_world;
    bool has_error;
    bool is_2_0;  // expressions mean what they do in Kestra 2.0
    Facts facts;
    LeafVm *machine;  // NULL until something is evaluated
    uint32_t machine_chunks;
} Emitter;

// --- lua.c --------------------------------------------------------------------------------------

Str lua_quote(Arena *arena, Str text);
uint32_t emit_site(Emitter *emitter, Span span);
uint32_t slot_new(Emitter *emitter);
Str slot_name(Emitter *emitter, uint32_t slot);
Str memo_name(Emitter *emitter, uint32_t memo);
void emit_line(Emitter *emitter, const char *format, ...) __attribute__((format(printf, 2, 3)));
Operand operand_text(Emitter *emitter, Str text);  // a literal
Operand operand_lua(Emitter *emitter, const char *format, ...)
    __attribute__((format(printf, 2, 3)));  // an atom
Operand operand_slot(Emitter *emitter, uint32_t slot);
// The operand in slot `mark`; slots behind it are free again.
Operand operand_spill(Emitter *emitter, Operand operand, uint32_t mark);
// `function(operands…)`; slots from `mark` on are its operands' own.
Operand operand_call(Emitter *emitter, uint32_t mark, const char *function,
                     const Operands *operands);
void operands_add(Emitter *emitter, Operands *operands, Operand operand);
void operands_add_site(Emitter *emitter, Operands *operands, Span span);
// `rt.NAME(count, …)` or, without count, `rt.NAME(…)`, for any number of operands.
Operand operand_variadic(Emitter *emitter, uint32_t mark, const char *function, int64_t count,
                         const Operands *operands);
// `local rt = ...  return function() … end`
Str emit_chunk(Emitter *emitter, Operand result);
// `function(params) … end` of a frame that is done.
Str emit_function(Emitter *emitter, const Frame *frame, Operand result, Str params);

Diag *emit_error(Emitter *emitter, const char *code, Span span, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// --- expression.c, call.c, template.c, value.c --------------------------------------------------

Operand emit_expr(Emitter *emitter, const Expr *expr);
Operand emit_builtin(Emitter *emitter, const Expr *expr, BuiltinKind kind, const Operand *input);
Operand emit_macro_call(Emitter *emitter, const Expr *expr, const Macro *macro);
Operand emit_render(Emitter *emitter, const Expr *expr);
// A path below `vars` that is known now, inside render(). False where it is not one.
bool emit_rendered_variable(Emitter *emitter, const Expr *expr, Operand *out);
const Macro *find_macro(const Emitter *emitter, Str name);

Operand emit_template_value(Emitter *emitter, const Template *template, Sink sink);
// What a block of that name prints.
Operand emit_block_call(Emitter *emitter, const Expr *expr);

// A scalar as text, whether it holds a template or not.
Operand emit_scalar(Emitter *emitter, const Node *node, Sink sink);
// A node in object mode: every text rendered, keys too, the shape kept.
Operand emit_object(Emitter *emitter, const Node *node, Str path);
// By the schema of its property.
Operand emit_property(Emitter *emitter, const Node *node, const PropType *type, PropMode mode,
                      Str path);
Operand emit_properties(Emitter *emitter, const Property *properties, uint32_t count);
Operand emit_literal(Emitter *emitter, Value value);
Operand emit_convert(Emitter *emitter, uint32_t mark, Operand operand, ConvertTo to, Str path,
                     Span span);

// --- fold.c
// ---------------------------------------------------------------------------------------

// The value of a chunk as JSON, where it has one that may stand in a plan.
bool fold(Emitter *emitter, Str bytecode, Buffer *json);
// A constant jq program that can never run is a finding now, not a failure later.
void check_jq(Emitter *emitter, const Expr *program);

// --- manifest.c ---------------------------------------------------------------------------------

// `second` may be NULL.
void facts_add(Arena *arena, Facts *facts, const Builtin *row, const Expr *first,
               const Expr *second);
// The section MANI.
void manifest_write(const PlanDraft *draft, const Facts *facts, Str source, Catalog *catalog,
                    Arena *arena, Buffer *out);
// emit_leaves(), which also says what the leaves ask for.
struct EmittedLeaf;
void emit_leaves_with_facts(PlanDraft *draft, const Sources *sources, Arena *arena, Diags *diags,
                            struct EmittedLeaf **leaves, SourceMap *map, Facts *facts);

#endif
