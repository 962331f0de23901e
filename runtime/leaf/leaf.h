// leaf.h - compiled templates at run time: a sandboxed Lua state, the functions its chunks call,
// values in and out.
//
// A leaf is one compiled template, condition or property set. It changes nothing. What it needs
// from outside it asks for: evaluation stops with LEAF_NEEDS and goes on with an answer. One LeafVm
// serves one execution; it is used by one thread. Nothing unverified may be loaded (design §4.3):
// chunks come from an opened artifact or from our own compiler.
//
// The leaf ABI (LEAF_ABI). A chunk is Lua 5.4 bytecode, mode "b", called once with the ABI table
// `rt`; it returns one function without parameters, the leaf:
//
//   local rt = ...
//   return function() return rt.text(rt.get(rt.root("inputs", 1), "name", 2), " ",
//   rt.filter.upper(3, x)) end
//
// `site` arguments are numbers that the source map turns into places; an error carries the site
// where it arose.
//   rt.root(name, site)            a root of the context (`outputs`, `inputs`, …); undefined where
//   there is none rt.get(value, key, site)       attribute or index; passes undefined on
//   rt.text(...)                   joins text forms: the sink of text mode; raises on undefined. No
//   argument gives "" rt.value(v)                    the sink of typed mode: raises on undefined,
//   else v rt.add sub mul div mod neg pos (a, b, site)   rt.concat(a, b, site)   rt.range(a, b,
//   site) rt.eq ne lt gt le ge contains is_in (a, b, site) rt.truth(v, site)              for
//   `and`, `or`;  rt.truth_not(v, site)  rt.truth_if(v, site)  rt.truth_ternary(v, site)
//   rt.is_undefined(v)  rt.is_nothing(v)   undefined; undefined or null (for `???` and `??`)
//   rt.null                        the null of the language (nil stands for an argument that was
//   not given) rt.list(n, ...)  rt.map(n, k1, v1, …)   literals; keys must be texts or scalars
//   rt.iter(v, site)               -> n, item function(i): what `for` goes over; n = 0 for null
//   rt.filter.NAME(site, input, args…)  rt.func.NAME(site, args…)  rt.test.NAME(site, value, args…)
//                                  arguments in the order of the builtin's row, nil where absent
//   rt.convert(v, to, path)        value_convert, `to` as convert_name(); raises with the
//   property's path rt.condition(text)             condition_is_true as boolean
// Lua's own text, integer, float, boolean are the language's. null and undefined are light userdata
// or userdata of the module; lists and maps are tables whose metatable says which, a map with its
// key order; a secret is a userdata.
#ifndef FLOW_LEAF_LEAF_H
#define FLOW_LEAF_LEAF_H

#include "base/clock.h"
#include "value/value.h"

struct lua_State;

enum { LEAF_ABI = 1 };

// --- secrets ------------------------------------------------------------------------------------

// Plain values in locked memory, found by their recipe. A recipe is a map:
//   {"op":"secret","name":N,"namespace":NS,"key":K}   (namespace, key optional)
//   {"op":"concat","parts":[text or secret, …]}       {"op":"call","filter":NAME,"args":[input, …]}
//   {"op":"input","name":N}                            a SECRET input
// Recipes are what STARTED stores; plain values never leave this table but into a child's
// environment, a descriptor, a request.
typedef struct Secrets Secrets;

typedef struct SecretSource {
    // The plain value of a named secret, added to `plain` (which the caller wipes). ERR_NOT_FOUND
    // where there is none; the text names the secret and where it was looked for, never a value.
    Err (*resolve)(void *self, Str name, Str secret_namespace, Str key, Buffer *plain);
    // Called for every value that enters the table, so that streams can be masked. Must not keep
    // the Str.
    void (*on_plain)(void *self, Str plain);
    void *self;
} SecretSource;

Secrets *secrets_new(SecretSource source);
void secrets_free(Secrets *secrets);  // wipes
// The plain value of a recipe, resolving and calculating what is not there yet. Borrowed from the
// table.
MUST_CHECK Err secrets_reveal(Secrets *secrets, const Value *recipe, Str *plain);
// Adds a value under a recipe of op "input" and the like.
void secrets_add(Secrets *secrets, const Value *recipe, Str plain);
// The text form of a value in which secrets appear in clear: for a child's environment, a request,
// a descriptor.
MUST_CHECK Err secrets_print_revealed(Secrets *secrets, Value value, Buffer *out);

// --- the context --------------------------------------------------------------------------------

// What a name leads to: nothing, a value, or an object that is asked further, so that no table is
// built for `outputs.t[v].x` however many outputs there are.
typedef struct LeafSource LeafSource;

typedef struct LeafRef {
    enum { LEAF_REF_ABSENT, LEAF_REF_VALUE, LEAF_REF_OBJECT } kind;
    Value value;               // of VALUE; must live until the evaluation ends
    const LeafSource *source;  // of OBJECT
    uint64_t at[2];            // of OBJECT: the source's own
} LeafRef;

struct LeafSource {
    LeafRef (*get)(void *self, const uint64_t at[2], Str key);
    // The whole object as a value, for printing, iterating, filters.
    Value (*whole)(void *self, const uint64_t at[2], Arena *arena);
    void *self;
};

typedef struct LeafContext {
    LeafRef (*root)(void *self, Str name);
    // Comma-separated names that exist, for messages. May be NULL.
    void (*names)(void *self, Buffer *out);
    void *self;
} LeafContext;

// A context over one map: its keys are the roots. `map` must outlive it.
LeafContext leaf_context_of_map(const Value *map);

// --- the machine --------------------------------------------------------------------------------

typedef struct LeafLimits {
    uint64_t steps;         // VM instructions of one evaluation; 0: 10 million
    size_t bytes;           // of the whole state; 0: 64 MiB
    uint32_t milliseconds;  // of CPU time of one evaluation; 0: 1,000
    uint32_t host_bits;     // reserved, 0
} LeafLimits;

typedef struct LeafVm LeafVm;

typedef struct LeafOptions {
    LeafLimits limits;
    const Clock *clock;  // NULL: clock_system()
    Secrets *secrets;    // borrowed; NULL: no secret can be had
    Str time_zone;       // "" is UTC
    Str target;          // "1.3" (default) or "2.0": where results differ
} LeafOptions;

MUST_CHECK Err leaf_vm_new(const LeafOptions *options, LeafVm **out);
void leaf_vm_free(LeafVm *vm);
struct lua_State *leaf_vm_lua(LeafVm *vm);  // for the host module only
size_t leaf_vm_memory(const LeafVm *vm);
// A chunk as number `leaf`; bytecode is borrowed until the machine is freed and loaded on first
// use.
void leaf_vm_set_chunk(LeafVm *vm, uint32_t leaf, Str bytecode);
// Compiles Lua source to stripped bytecode: the compiler's use. `name` appears in our own error
// texts only.
MUST_CHECK Err leaf_compile_lua(Str source, Str name, Buffer *bytecode);
// What load() of this machine accepts: the header bytes of its bytecode, for the artifact's
// manifest.
Str leaf_bytecode_version(void);

typedef enum LeafErrorKind {
    LEAF_ERROR_NONE,
    LEAF_ERROR_UNDEFINED,  // name: the path that is not there
    LEAF_ERROR_TYPE,
    LEAF_ERROR_ARG,
    LEAF_ERROR_VALUE,
    LEAF_ERROR_ACCESS,
    LEAF_ERROR_SECRET,
    LEAF_ERROR_KV,
    LEAF_ERROR_FILE,
    LEAF_ERROR_LIMIT,
    LEAF_ERROR_UNKNOWN,  // a builtin this runtime lacks
    LEAF_ERROR_OTHER,
} LeafErrorKind;

const char *leaf_error_kind_name(LeafErrorKind kind);  // "undefined", "type", … as in cli.md

typedef struct LeafError {
    LeafErrorKind kind;
    uint32_t site;  // 0: unknown
    Str name;       // in the run's arena
    Str message;
} LeafError;

typedef enum LeafStatus { LEAF_DONE, LEAF_FAILED, LEAF_NEEDS } LeafStatus;

typedef enum LeafNeedKind {
    LEAF_NEED_KV,
    LEAF_NEED_READ,
    LEAF_NEED_HTTP,
    LEAF_NEED_ERROR_LOGS,
    LEAF_NEED_RENDER
} LeafNeedKind;

typedef struct LeafRun {
    // Set by leaf_start.
    LeafVm *vm;
    Arena *arena;  // results live here
    LeafContext context;
    int thread;  // registry reference of the coroutine
    // Of DONE: the result. Secrets in it are recipes.
    Value value;
    // Of FAILED.
    LeafError error;
    // Of NEEDS.
    LeafNeedKind need;
    Value arguments;  // a map
    uint64_t steps;   // used so far
} LeafRun;

// Evaluates leaf number `leaf`. After LEAF_NEEDS call leaf_answer or leaf_refuse until it is DONE
// or FAILED, or leaf_stop.
LeafStatus leaf_start(LeafRun *run, LeafVm *vm, uint32_t leaf, LeafContext context, Arena *arena);
LeafStatus leaf_answer(LeafRun *run, Value answer);
LeafStatus leaf_refuse(LeafRun *run, LeafErrorKind kind, Str message);
void leaf_stop(LeafRun *run);

// For the host module: values across the border. Pushes one Lua value; raises a Lua error on
// exhaustion.
void leaf_push_value(struct lua_State *L, Value value);
// The value at `index`; secrets become recipes. ERR_LIMIT, ERR_INPUT (functions, cycles).
MUST_CHECK Err leaf_to_value(struct lua_State *L, int index, Arena *arena, Value *out);

// --- builtins -----------------------------------------------------------------------------------

typedef enum BuiltinKind { BUILTIN_FILTER, BUILTIN_FUNCTION, BUILTIN_TEST } BuiltinKind;

enum {
    BUILTIN_EFFECT = 1,        // asks outside: never folded
    BUILTIN_RANDOM = 2,        // another result each time: never folded
    BUILTIN_UNDEFINED = 4,     // takes an undefined input (default, defined)
    BUILTIN_MAKES_SECRET = 8,  // its result is secret (secret)
    BUILTIN_NO_ARGUMENTS = 16,
    BUILTIN_REFUSED = 32,  // known to Kestra, refused here at compile time; `text` says what to use
    BUILTIN_ONLY_2_0 = 64,
    BUILTIN_NOT_2_0 = 128,
};

enum { BUILTIN_PARAMS_MAX = 6 };

typedef struct BuiltinParam {
    const char *name;  // NULL ends the list
    const char
        *type;  // "text", "int", "number", "bool", "list", "map", "any", …; a `?` behind: optional
} BuiltinParam;

typedef struct Builtin {
    BuiltinKind kind;
    const char *name;
    BuiltinParam params[BUILTIN_PARAMS_MAX];  // without the input of filters and tests
    const char *input;   // type the input may have: "any", "text|list", …; NULL for functions
    const char *result;  // its type
    unsigned flags;
    const char *text;      // what it does, one or two sentences
    const char *examples;  // lines `template => result`
} Builtin;

// All of a kind, sorted by name; count in *count.
const Builtin *builtins_all(size_t *count);
const Builtin *builtin_find(BuiltinKind kind, Str name);

#endif
