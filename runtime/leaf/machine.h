// machine.h - what the files of this module share: the machine itself, kinds of Lua values, raising
// errors, scratch text. Not for other modules.
//
// Everything here that takes a lua_State may raise a Lua error (a longjmp): nothing may be held in
// C across such a call but what the machine owns.
#ifndef FLOW_LEAF_MACHINE_H
#define FLOW_LEAF_MACHINE_H

#include <lauxlib.h>
#include <lua.h>

#include "leaf/leaf.h"
#include "value/time.h"

// What a Lua value is in the language. Each is one bit, so that a set of them is a mask.
typedef enum Kind {
    KIND_ABSENT = 1,  // nil: an argument that was not given
    KIND_NULL = 2,
    KIND_UNDEFINED = 4,
    KIND_BOOL = 8,
    KIND_INT = 16,
    KIND_FLOAT = 32,
    KIND_BIGNUM = 64,
    KIND_TEXT = 128,
    KIND_LIST = 256,
    KIND_MAP = 512,
    KIND_SECRET = 1024,
    KIND_OTHER = 2048,  // functions and the like: never of the language
} Kind;

enum {
    KINDS_NUMBER = KIND_INT | KIND_FLOAT,
    KINDS_ANY = KIND_NULL | KIND_BOOL | KIND_INT | KIND_FLOAT | KIND_BIGNUM | KIND_TEXT |
                KIND_LIST | KIND_MAP | KIND_SECRET,
};

// The metatables of the module, by their place in LeafVm.metas.
typedef enum Meta {
    META_LIST,
    META_MAP,
    META_ENTRY,  // {key, value} that `for` and `merge` make of a map's member; prints as {key:
                 // value}
    META_UNDEFINED,
    META_SECRET,
    META_BIGNUM,
    META_VIEW,  // an object of the context that is not a Lua table yet
    META_ERROR,
    META_REGEX,
    META_COUNT,
} Meta;

enum {
    HOOK_STEPS = 1000,
    VALUE_DEPTH_MAX = 100,
    SCRATCH_COUNT = 6,
    PATH_COUNT = 8,
    PATH_SIZE = 160,
    REGEX_CACHE = 16,
    FIRST_ARG = 2,      // of a builtin: the input, or the first argument of a function
    FIRST_PARAM = 3,    // of a filter or test: the first argument behind the input
    TEXT_MAX = 1 << 26  // bytes of a text that is built: 64 MiB
};

typedef struct LeafChunk {
    uint32_t leaf;
    Str bytecode;
} LeafChunk;

typedef struct LeafThread {
    lua_State *L;
    bool is_busy;
} LeafThread;

// Where a value came from, for messages: `inputs.a.b`.
typedef struct PathNote {
    const void *object;
    bool is_root;
    uint16_t len;
    char text[PATH_SIZE];
} PathNote;

typedef struct LeafZone {
    Str name;
    const Zone *zone;
} LeafZone;

typedef struct LeafPattern {
    Str text;
    const DatePattern *pattern;
} LeafPattern;

struct LeafVm {
    lua_State *L;
    size_t bytes;  // held by the Lua state
    LeafLimits limits;
    const Clock *clock;
    Secrets *secrets;
    Arena arena;  // of the machine's own texts and zones
    Str time_zone;
    bool is_2_0;
    bool is_private;  // evaluates on plain secrets: memory is wiped, messages quote no value
    bool has_secrets;
    const void *metas[META_COUNT];
    int meta_refs[META_COUNT];
    int rt_ref, leaves_ref, threads_ref, empty_ref;
    LIST_OF(LeafChunk) chunks;
    LIST_OF(LeafZone) zones;
    LIST_OF(LeafPattern) patterns;
    LeafThread *threads;
    int thread_count;
    struct JqHelper *jq;  // started when a program needs it

    // Of the evaluation at hand.
    LeafRun *run;
    LeafBudget *budget;
    uint32_t site;
    const char *builtin;  // its name, for messages
    Value answer;         // of leaf_answer
    LeafErrorKind refusal;
    Str refusal_text;
    Buffer scratch[SCRATCH_COUNT];
    uint32_t scratch_used;
    PathNote paths[PATH_COUNT];
    uint32_t path_next;
};

static inline LeafVm *vm_of(lua_State *L) {
    return *(LeafVm **)lua_getextraspace(L);
}

// Whether the leaf that runs means what it does in Kestra 2.0.
static inline bool leaf_is_2_0(lua_State *L) {
    const LeafVm *vm = vm_of(L);
    return vm->is_2_0 || (vm->run != NULL && vm->run->is_2_0);
}

// --- errors (error.c) ---------------------------------------------------------------------------

NO_RETURN void leaf_raise(lua_State *L, LeafErrorKind kind, const char *format, ...)
    FORMAT_LIKE(3, 4);
NO_RETURN void leaf_raise_named(lua_State *L, LeafErrorKind kind, Str name, Str message);
// By the code of an Err: ERR_LIMIT is a limit, the rest `kind`.
NO_RETURN void leaf_raise_err(lua_State *L, LeafErrorKind kind, const Err *err);
// Counts work done in C; raises when the budget of steps is used up.
void leaf_charge(lua_State *L, uint64_t steps);
// "text", "a list", … of the value at `index`.
const char *leaf_kind_text(Kind kind);
// The value in single quotes, cut, or what it is; never a secret. For `%s` of messages.
const char *leaf_quote(lua_State *L, int index, char out[96]);
// Fills `error` from the error object at the top of L.
void leaf_error_take(lua_State *L, Arena *arena, LeafError *error);
void leaf_error_open(lua_State *L);

// --- values (values.c) --------------------------------------------------------------------------

Kind leaf_kind(lua_State *L, int index);
void leaf_push_null(lua_State *L);
void leaf_push_str(lua_State *L, Str text);
Str leaf_str(lua_State *L, int index);  // of a text; borrowed while it is on the stack
void leaf_new_list(lua_State *L, size_t count);
void leaf_new_map(lua_State *L, size_t count);
void leaf_set_meta(lua_State *L, Meta meta);  // of the table or userdata at the top
bool leaf_has_meta(lua_State *L, int index, Meta meta);
void leaf_list_add(lua_State *L, int list);  // takes the value at the top
// Takes key and value at the top; a key that is there keeps its place.
void leaf_map_put(lua_State *L, int map);
// Pushes the value of `key`, or nil.
void leaf_map_at(lua_State *L, int map, Str key);
// A list or map as Lua table: replaces a view at `index` by what it shows.
void leaf_force(lua_State *L, int index);
// Items of a list, members of a map, without forcing a view.
size_t leaf_count(lua_State *L, int index);
void leaf_push_item(lua_State *L, int index, size_t i);  // from 0; of a list
// Pushes key and value of member i (from 0) of a map table.
void leaf_push_member(lua_State *L, int map, size_t i);
void leaf_push_bytes(lua_State *L, Str bytes);  // as text; what is no UTF-8 becomes U+FFFD
void leaf_push_bignum(lua_State *L, Str digits);
Str leaf_bignum(lua_State *L, int index);
// Pushes one JSON text as Lua values.
void leaf_push_json(lua_State *L, Str text, LeafErrorKind kind, const char *what);
bool leaf_holds_secret(lua_State *L, int index);
void leaf_values_open(lua_State *L);
// Strict number syntax of the language's texts: an integer of 64 bits or a float.
typedef struct Number {
    bool is_float;
    int64_t integer;
    double real;
} Number;
bool leaf_parse_number(Str text, Number *out);
bool leaf_parse_int(Str text, int64_t *out);

// --- text forms (print.c) -----------------------------------------------------------------------

// A buffer of the machine, empty; given back in the order of taking, or all at once by an error.
Buffer *leaf_scratch(lua_State *L);
void leaf_scratch_end(lua_State *L);
// Pushes what the newest scratch buffer holds and gives it back.
void leaf_push_scratch(lua_State *L);
void leaf_check_size(lua_State *L, const Buffer *buffer);
void leaf_print(lua_State *L, int index, Buffer *out);       // text form
void leaf_print_json(lua_State *L, int index, Buffer *out);  // JSON form, nulls of maps left out
void leaf_write_yaml(Buffer *out, Value value);  // YAML, as the filter writes it (yaml.c)
// The text form as Str: the text itself, or scratch that is pushed on the stack in place of it.
Str leaf_to_str(lua_State *L, int index);

// --- the context (context.c) --------------------------------------------------------------------

typedef enum UndefinedWhy {
    UNDEFINED_ROOT,
    UNDEFINED_KEY,
    UNDEFINED_INDEX,
    UNDEFINED_OF_NULL,
    UNDEFINED_OF_SCALAR,
    UNDEFINED_PLAIN,  // nothing is known but its path
} UndefinedWhy;

NO_RETURN void leaf_raise_undefined(lua_State *L, int index);
void leaf_push_undefined(lua_State *L, Str path);
Str leaf_undefined_path(lua_State *L, int index);
void leaf_push_ref(lua_State *L, const LeafRef *ref);
const LeafRef *leaf_view(lua_State *L, int index);  // NULL where it is none
int rt_root(lua_State *L);
int rt_get(lua_State *L);
void leaf_context_open(lua_State *L);

// --- operators (operators.c) --------------------------------------------------------------------

extern const luaL_Reg leaf_operators[];
bool leaf_equal(lua_State *L, int a, int b);
// -1, 0, 1 of two numbers, exactly; 2 where one is NaN.
int leaf_compare_numbers(lua_State *L, int a, int b);
void leaf_push_range(lua_State *L, int from, int to, int step);

// --- secrets (secrets.c) ------------------------------------------------------------------------

// Replaces a call by its result as a handle: the arguments are those from `first` to the top.
// `kind` is "filter", "function", "test" or "operator". Pushes the result.
void leaf_secret_call(lua_State *L, const char *kind, const char *name, int first);
// Joins the values from `first` to the top to a handle.
void leaf_secret_concat(lua_State *L, int first);
void leaf_push_secret(lua_State *L, const Value *recipe);
Str leaf_secret_recipe(lua_State *L, int index);  // canonical JSON
void leaf_secret_named(lua_State *L, Str name, Str secret_namespace, Str key);
void leaf_secrets_open(lua_State *L);

// --- builtins (builtins.c) ----------------------------------------------------------------------

int rt_builtin_index(lua_State *L);  // __index of rt.filter, rt.func, rt.test
extern const Builtin leaf_builtins_text[], leaf_builtins_number[], leaf_builtins_list[],
    leaf_builtins_json[], leaf_builtins_codec[], leaf_builtins_crypto[], leaf_builtins_test[],
    leaf_builtins_regex[], leaf_builtins_date[], leaf_builtins_calendar[], leaf_builtins_random[],
    leaf_builtins_format[], leaf_builtins_jq[], leaf_builtins_world[];
// Stops the evaluation until the host answers: `arguments` is the map at the top. Returns from the
// builtin.
int leaf_need(lua_State *L, LeafNeedKind need);
// An integer argument; floats without fraction are taken too. Raises "type".
int64_t leaf_check_int(lua_State *L, int index, const char *what);
void leaf_abi_open(lua_State *L);

// --- regular expressions (regexes.c) ------------------------------------------------------------

// Compiled once per machine and pattern; raise "value" on a bad pattern, a limit on a long match.
bool leaf_regex_find(lua_State *L, Str pattern, Str text, size_t from, Str groups[],
                     size_t group_count);
void leaf_regex_replace(lua_State *L, Str text, Str pattern, Str replacement, Buffer *out);

// --- the whole of jq (jq_whole.c) ---------------------------------------------------------------

// Pushes the results of the program at index `program` on the value at `input` as a list.
// `drops_nulls`: without the members of maps that are null. `paths` says why it is no path program.
int jq_whole(lua_State *L, int input, int program, bool drops_nulls, const Err *paths);
MUST_CHECK Err jq_whole_check(LeafVm *vm, Str program, const Err *paths);

// --- the machine (vm.c) -------------------------------------------------------------------------

// A machine for Secrets.
LeafVm *leaf_vm_private(const LeafVm *model);

#endif
