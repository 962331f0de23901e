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
// where it arose. `undefined` is a value: operators, filters, functions and tests hand it on, sinks
// raise. What stands behind `u` in this list may be undefined.
//   rt.root(name, site) -> u       a root of the context (`outputs`, `inputs`, …)
//   rt.get(value, key, site) -> u  attribute or index
//   rt.text(...)                   joins text forms: the sink of text mode. No argument gives ""
//   rt.value(v)                    a sink that gives v itself
//   rt.typed(...)                  the sink of typed mode, over all that is printed: nulls count as
//                                  nothing; none gives null, one gives itself, several their text
//   rt.add sub mul div mod (a, b, site) -> u   rt.neg pos (a, site) -> u
//   rt.concat(a, b, …, site, …) -> u   from left to right, a site for each `~` between them
//   rt.range eq ne lt gt le ge contains is_in (a, b, site) -> u
//   rt.truth(v, site) -> u         true, false or undefined, for `and` and `or`:
//                                  t = rt.truth(a, 1); if t == true then t = rt.truth(b, 2) end
//   rt.truth_not(v, site) -> u     the result of `not v`
//   rt.truth_ternary(v, site) -> u true, false or undefined, which is then the result of `? :`
//   rt.truth_if(v, site)           true or false
//   rt.is_undefined(v)  rt.is_nothing(v)       undefined; undefined or null (for `???` and `??`)
//   rt.of_2_0()                                the leaf means what it does in Kestra 2.0
//   rt.null                        the null of the language (nil stands for an argument that was
//                                  not given)
//   rt.list(n, ...) -> u           a literal; rt.map(n, k1, v1, …) -> u: n pairs, of equal
//                                  keys the first
//   rt.iter(v, site)               -> n, item function(i), i from 1: what `for` goes over. n is 0
//                                  for an empty v and nil for null, where not even `else` runs
//   rt.filter.NAME(site, input, args…) -> u
//   rt.func.NAME(site, args…) -> u
//   rt.test.NAME(site, value, args…) -> u      a boolean; negate with rt.truth_not
//                                  arguments in the order of the builtin's row, nil where absent
//   rt.convert(v, to, path, site)  value_convert, `to` as convert_name(); raises with the
//                                  property's path
//   rt.condition(v)                condition_is_true of the text form, as boolean
//   rt.items(v, to, path, site)    rt.convert for every item of a list or map
//   rt.object(...)                 as rt.text, but null where nothing but nulls is printed: the
//   sink
//                                  of texts in properties and objects
//   rt.all(t) -> …                 the items of a table, as arguments: what a loop has collected,
//                                  literals of any length
//   rt.undefined(name, site) -> u  a name that leads nowhere
//   rt.fail(kind, message, site)   raises: kind as leaf_error_kind_name()
// Lua's own text, integer, float, boolean are the language's. null is light userdata, undefined
// userdata; a list or map is a table whose metatable says which, a map with its key order, or a
// view of the context (userdata that acts like the table); a secret is userdata.
#ifndef FLOW_LEAF_LEAF_H
#define FLOW_LEAF_LEAF_H

#include "base/clock.h"
#include "value/value.h"

struct lua_State;

enum { LEAF_ABI = 1 };

// --- secrets ------------------------------------------------------------------------------------

// Plain values in locked memory, found by their recipe. A recipe is a map:
//   {"op":"secret","name":N,"namespace":NS,"key":K}   (namespace, key optional)
//   {"op":"concat","parts":[any value, …]}
//   {"op":"call","filter"|"function"|"test"|"operator":NAME,"args":[input, …]}
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
// For who resolves secrets: member `key` of a secret that is a JSON object, scalars as text, others
// as JSON.
MUST_CHECK Err secret_subkey(Str json, Str key, Buffer *plain);

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
// What load() of this machine accepts: the header of its bytecode in hexadecimal, for the
// artifact's manifest.
Str leaf_bytecode_version(void);

typedef enum LeafErrorKind {
    LEAF_ERROR_NONE,
    LEAF_ERROR_UNDEFINED,  // name: the attribute, index or variable that is not there
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

// `arguments` is a map with the arguments that were given, under the names of the builtin's row,
// and "function": the name of the builtin.
typedef enum LeafNeedKind {
    LEAF_NEED_KV,          // kv
    LEAF_NEED_READ,        // read fileURI fileSize fileExists isFileEmpty
    LEAF_NEED_HTTP,        // http
    LEAF_NEED_ERROR_LOGS,  // errorLogs
    LEAF_NEED_RENDER,      // render renderOnce: text, list or map
} LeafNeedKind;

// What one evaluation may use, and has used.
typedef struct LeafBudget {
    uint64_t steps, steps_max;
    int64_t cpu_ns, cpu_ns_max;
    int64_t started;  // reading of the clock while it runs
    int64_t jq_ns;    // CPU time of the processes that run jq
    enum { LEAF_SPENT_NOTHING, LEAF_SPENT_STEPS, LEAF_SPENT_TIME } spent;
} LeafBudget;

typedef struct LeafRun {
    // Set by leaf_start.
    LeafVm *vm;
    Arena *arena;  // results live here
    LeafContext context;
    int thread;   // which coroutine of the machine; -1: none
    bool is_2_0;  // the leaf says that it means what it does in Kestra 2.0
    // Of DONE: the result. Secrets in it are recipes.
    Value value;
    // Of FAILED.
    LeafError error;
    // Of NEEDS.
    LeafNeedKind need;
    Value arguments;  // a map
    uint64_t steps;   // used so far
    LeafBudget budget;
} LeafRun;

// Evaluates leaf number `leaf`; `run` keeps its address until it ends. After LEAF_NEEDS call
// leaf_answer or leaf_refuse until it is DONE or FAILED, or leaf_stop.
LeafStatus leaf_start(LeafRun *run, LeafVm *vm, uint32_t leaf, LeafContext context, Arena *arena);
LeafStatus leaf_answer(LeafRun *run, Value answer);
LeafStatus leaf_refuse(LeafRun *run, LeafErrorKind kind, Str message);
void leaf_stop(LeafRun *run);

// For the host module: lua_resume() of a coroutine of its own under a budget. When the budget is
// used up the coroutine yields nothing wherever it is, which no pcall sees, and budget->spent says
// what was spent; the coroutine must then be closed with lua_resetthread().
int leaf_resume(LeafVm *vm, struct lua_State *thread, int argument_count, int *result_count,
                LeafBudget *budget);
LeafBudget leaf_budget(const LeafLimits *limits);  // zeros are the defaults
// Turns the error object at the top of `L` into kind, site, name and message.
void leaf_take_error(struct lua_State *L, Arena *arena, LeafError *error);
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
    BUILTIN_NULL_PASSES = 256,  // null in, null out
    BUILTIN_NULL_TAKEN = 512,   // null is an input like others
    BUILTIN_LAZY = 1024,        // looks at views of the context itself
    BUILTIN_ANY_COUNT = 2048,   // takes further arguments: the last parameter repeats
    BUILTIN_PLAIN = 4096,       // its result says little about a secret input (length)
};

enum { BUILTIN_PARAMS_MAX = 8 };

// A type is made of "text", "int", "float", "number", "bool", "list", "map", "null", "some" (all
// but null), "any" with `|` between them.
typedef struct BuiltinParam {
    const char *name;  // NULL ends the list
    const char *type;  // a `?` behind it: optional
} BuiltinParam;

typedef struct Builtin {
    BuiltinKind kind;
    const char *name;
    BuiltinParam params[BUILTIN_PARAMS_MAX];  // without the input of filters and tests
    const char *input;   // type the input may have: "any", "text|list", …; NULL for functions
    const char *result;  // its type
    unsigned flags;
    const char *text;                 // what it does, one or two sentences
    const char *examples;             // lines `template => result`
    int (*run)(struct lua_State *L);  // NULL where it is refused or compiled away
} Builtin;

// Walks over all of them, family by family: NULL gives the first, the last gives NULL.
const Builtin *builtins_next(const Builtin *previous);
const Builtin *builtin_find(BuiltinKind kind, Str name);
// --- jq -----------------------------------------------------------------------------------------

// Programs of the filter `jq` that are more than paths are run by libjq in a process of its own:
// the same program executed again. A program that offers that begins its main() with
//   if (jq_helper_asked(argc, argv)) return jq_helper_main();
// and defines `const bool flow_has_jq_helper = true;`. In others such a jq program fails.
#define JQ_HELPER_NAME "flow-jq-helper"
extern const bool flow_has_jq_helper __attribute__((weak));
bool jq_helper_asked(int argc, char **argv);
int jq_helper_main(void);

// What is known of a program without libjq: ERR_INPUT where it is no jq, ERR_REFUSED where it
// reaches for more than its input, ERR_LIMIT, ERR_UNSUPPORTED where it is more than a path.
MUST_CHECK Err jq_check(Str program);
// Whether the filter `jq` can run a program, without an input: ERR_INPUT where it is no jq,
// ERR_REFUSED where it reaches for more than its input, ERR_LIMIT, ERR_UNAVAILABLE where nobody can
// tell here.
MUST_CHECK Err leaf_check_jq(LeafVm *vm, Str program);
// Whether its results depend on when it runs (`now`).
bool leaf_jq_uses_clock(Str program);

#endif
