// builtins.c - finding filters, functions and tests, and what is the same in all calls: undefined
// and secrets pass through, nulls, kinds and number of arguments are checked by the row.
#include "leaf/machine.h"

#include <stdio.h>
#include <string.h>

static const Builtin *const families[] = {
    leaf_builtins_text,  leaf_builtins_number,   leaf_builtins_list,   leaf_builtins_json,
    leaf_builtins_codec, leaf_builtins_crypto,   leaf_builtins_test,   leaf_builtins_regex,
    leaf_builtins_date,  leaf_builtins_calendar, leaf_builtins_random, leaf_builtins_format,
    leaf_builtins_jq,    leaf_builtins_world,
};

const Builtin *builtins_next(const Builtin *previous) {
    if (previous == NULL) return families[0];
    if (previous[1].name != NULL) return previous + 1;
    for (size_t i = 0; i < COUNT(families); i++) {
        const Builtin *row = families[i];
        while (row[1].name != NULL) row++;
        if (row == previous) return i + 1 < COUNT(families) ? families[i + 1] : NULL;
    }
    return NULL;
}

const Builtin *builtin_find(BuiltinKind kind, Str name) {
    for (size_t i = 0; i < COUNT(families); i++) {
        for (const Builtin *row = families[i]; row->name != NULL; row++) {
            if (row->kind == kind && strncmp(row->name, name.ptr, name.len) == 0 &&
                row->name[name.len] == '\0') {
                return row;
            }
        }
    }
    return NULL;
}

// --- the kinds a row allows ---------------------------------------------------------------------

static const struct {
    const char *word, *phrase;
    int kinds;
} words[] = {
    {"text",   "a text",     KIND_TEXT                 },
    {"int",    "an integer", KIND_INT                  },
    {"float",  "a fraction", KIND_FLOAT                },
    {"number", "a number",   KINDS_NUMBER | KIND_BIGNUM},
    {"bool",   "a boolean",  KIND_BOOL                 },
    {"list",   "a list",     KIND_LIST                 },
    {"map",    "a map",      KIND_MAP                  },
    {"null",   "null",       KIND_NULL                 },
    {"some",   "a value",    KINDS_ANY & ~KIND_NULL    },
    {"any",    "a value",    KINDS_ANY                 },
};

static int kinds_of(const char *type, bool *is_optional) {
    int kinds = 0;
    Str rest = str_from(type), word;
    *is_optional = str_ends_with(rest, STR("?"));
    if (*is_optional) rest.len--;
    while (str_split(&rest, '|', &word)) {
        for (size_t i = 0; i < COUNT(words); i++) {
            if (str_eq(word, str_from(words[i].word))) kinds |= words[i].kinds;
        }
    }
    return kinds;
}

// "a text", "a list or a map", for messages; null is not worth a word there.
static void print_kinds(const char *type, Buffer *out) {
    Str rest = str_from(type), word;
    if (str_ends_with(rest, STR("?"))) rest.len--;
    bool is_first = true;
    while (str_split(&rest, '|', &word)) {
        if (str_eq(word, STR("null"))) continue;
        if (!is_first) buffer_add(out, STR(" or "));
        is_first = false;
        for (size_t i = 0; i < COUNT(words); i++) {
            if (str_eq(word, str_from(words[i].word))) {
                buffer_add(out, str_from(words[i].phrase));
            }
        }
    }
}

static const char *call_name(const Builtin *row, char out[64]) {
    snprintf(out, 64, "%s%s", row->name, row->kind == BUILTIN_FUNCTION ? "()" : "");
    return out;
}

NO_RETURN static void wrong_kind(lua_State *L, const Builtin *row, const char *type, int index,
                                 const char *param) {
    char name[64], quoted[96], expected[80];
    Buffer *out = leaf_scratch(L);
    print_kinds(type, out);
    Str text = str_slice(buffer_str(out), 0, sizeof expected - 1);
    memcpy(expected, text.ptr, text.len);
    expected[text.len] = '\0';
    leaf_scratch_end(L);
    const char *received = leaf_quote(L, index, quoted);
    const char *kind = leaf_kind_text(leaf_kind(L, index));
    bool has_value = received[0] == '\'' && !vm_of(L)->is_private;
    char subject[160];
    snprintf(subject, sizeof subject, has_value ? "%s (%s)" : "%s", kind, received);
    call_name(row, name);
    if (param == NULL) {
        leaf_raise(L, LEAF_ERROR_TYPE, "'%s' takes %s, not %s", name, expected, subject);
    }
    leaf_raise(L, LEAF_ERROR_TYPE, "'%s' takes %s as '%s', not %s", name, expected, param, subject);
}

typedef struct Taken {
    int kinds;
    bool is_optional;
} Taken;

// A row with its types read.
typedef struct Callee {
    const Builtin *row;
    int count;  // of parameters
    Taken input, params[BUILTIN_PARAMS_MAX];
} Callee;

static Taken taken_of(const char *type) {
    Taken taken;
    taken.kinds = kinds_of(type, &taken.is_optional);
    return taken;
}

static void check_param(lua_State *L, const Callee *callee, int number, int index) {
    const Builtin *row = callee->row;
    const BuiltinParam *param = &row->params[number];
    int kinds = callee->params[number].kinds;
    bool is_optional = callee->params[number].is_optional;
    Kind kind = leaf_kind(L, index);
    // null where null means nothing is an argument that was not given.
    if (kind == KIND_NULL && (kinds & KIND_NULL) == 0 && is_optional) {
        lua_pushnil(L);
        lua_replace(L, index);
        return;
    }
    if (kind == KIND_ABSENT) {
        char name[64];
        if (is_optional) return;
        leaf_raise(L, LEAF_ERROR_ARG, "'%s' needs the argument '%s'", call_name(row, name),
                   param->name);
    }
    if ((kinds & KIND_INT) != 0 && (kinds & KIND_FLOAT) == 0 && kind == KIND_FLOAT) {
        lua_Integer integer;
        if (lua_numbertointeger(lua_tonumber(L, index), &integer) &&
            (double)integer == lua_tonumber(L, index)) {
            lua_pushinteger(L, integer);
            lua_replace(L, index);
            return;
        }
    }
    if ((kinds & kind) == 0) wrong_kind(L, row, param->type, index, param->name);
    if ((kind & (KIND_LIST | KIND_MAP)) != 0 && (row->flags & BUILTIN_LAZY) == 0) {
        leaf_force(L, index);
    }
}

// Checks the arguments behind the input; they start at `first`.
static void check_params(lua_State *L, const Callee *callee, int first) {
    const Builtin *row = callee->row;
    int declared = callee->count, given = lua_gettop(L) - first + 1;
    bool is_open = (row->flags & BUILTIN_ANY_COUNT) != 0;
    if (given > declared && !is_open) {
        char name[64];
        leaf_raise(L, LEAF_ERROR_ARG, "'%s' takes %d argument%s, not %d", call_name(row, name),
                   declared, declared == 1 ? "" : "s", given);
    }
    if (!is_open) lua_settop(L, first + declared - 1);
    int last = is_open && given > declared ? given : declared;
    for (int i = 0; i < last; i++) {
        check_param(L, callee, i < declared ? i : declared - 1, first + i);
    }
}

// --- the call -----------------------------------------------------------------------------------

static const char *kind_word(BuiltinKind kind) {
    switch (kind) {
    case BUILTIN_FILTER:
        return "filter";
    case BUILTIN_FUNCTION:
        return "function";
    case BUILTIN_TEST:
        return "test";
    }
    return "";
}

// Pushes the result where an argument decides it: undefined, or a secret.
static bool passes(lua_State *L, const Builtin *row) {
    int top = lua_gettop(L);
    bool takes_undefined = (row->flags & BUILTIN_UNDEFINED) != 0;
    bool has_secret = false;
    for (int i = FIRST_ARG; i <= top; i++) {
        Kind kind = leaf_kind(L, i);
        if (kind == KIND_UNDEFINED && !(takes_undefined && i == FIRST_ARG)) {
            lua_pushvalue(L, i);
            return true;
        }
        if (kind == KIND_SECRET || leaf_holds_secret(L, i)) has_secret = true;
    }
    if (!has_secret || leaf_kind(L, FIRST_ARG) == KIND_UNDEFINED) return false;
    leaf_secret_call(L, kind_word(row->kind), row->name, FIRST_ARG);
    return true;
}

static int call_builtin(lua_State *L) {
    LeafVm *vm = vm_of(L);
    const Callee *callee = lua_touserdata(L, lua_upvalueindex(1));
    const Builtin *row = callee->row;
    vm->site = (uint32_t)lua_tointeger(L, 1);
    vm->scratch_used = 0;
    bool has_input = row->kind != BUILTIN_FUNCTION;
    if (has_input && lua_gettop(L) < FIRST_ARG) lua_settop(L, FIRST_ARG);
    if (passes(L, row)) return 1;
    vm->builtin = row->name;
    if (!has_input) {
        check_params(L, callee, FIRST_ARG);
        return row->run(L);
    }
    Kind kind = leaf_kind(L, FIRST_ARG);
    if (kind == KIND_ABSENT) {
        leaf_push_null(L);
        lua_replace(L, FIRST_ARG);
        kind = KIND_NULL;
    }
    if (kind == KIND_NULL && (row->flags & BUILTIN_NULL_PASSES) != 0) {
        leaf_push_null(L);
        return 1;
    }
    if (kind != KIND_UNDEFINED && !(kind == KIND_NULL && (row->flags & BUILTIN_NULL_TAKEN) != 0)) {
        if ((callee->input.kinds & kind) == 0 ||
            (kind == KIND_NULL && (row->flags & BUILTIN_NULL_TAKEN) == 0)) {
            wrong_kind(L, row, row->input, FIRST_ARG, NULL);
        }
        if ((kind & (KIND_LIST | KIND_MAP)) != 0 && (row->flags & BUILTIN_LAZY) == 0) {
            leaf_force(L, FIRST_ARG);
        }
    }
    check_params(L, callee, FIRST_PARAM);
    return row->run(L);
}

static void push_callee(lua_State *L, const Builtin *row) {
    Callee *callee = lua_newuserdatauv(L, sizeof *callee, 0);
    *callee = (Callee){.row = row};
    if (row->input != NULL) callee->input = taken_of(row->input);
    while (callee->count < BUILTIN_PARAMS_MAX && row->params[callee->count].name != NULL) {
        callee->params[callee->count] = taken_of(row->params[callee->count].type);
        callee->count++;
    }
}

// rt.filter.NAME: made when it is first asked for, then found in the table itself.
int rt_builtin_index(lua_State *L) {
    BuiltinKind kind = (BuiltinKind)lua_tointeger(L, lua_upvalueindex(1));
    Str name = leaf_str(L, 2);
    const Builtin *row = builtin_find(kind, name);
    if (row == NULL || row->run == NULL) {
        leaf_raise(L, LEAF_ERROR_UNKNOWN, "this runtime has no %s '" STR_FMT "'", kind_word(kind),
                   STR_ARG(name));
    }
    push_callee(L, row);
    lua_pushcclosure(L, call_builtin, 1);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -2);
    lua_rawset(L, 1);
    return 1;
}

int64_t leaf_check_int(lua_State *L, int index, const char *what) {
    lua_Integer integer = 0;
    if (lua_isinteger(L, index)) return lua_tointeger(L, index);
    if (leaf_kind(L, index) == KIND_FLOAT &&
        lua_numbertointeger(lua_tonumber(L, index), &integer) &&
        (double)integer == lua_tonumber(L, index)) {
        return integer;
    }
    char quoted[96];
    leaf_raise(L, LEAF_ERROR_TYPE, "'%s' of '%s' is an integer, not %s", what, vm_of(L)->builtin,
               leaf_quote(L, index, quoted));
}

// --- asking the host ----------------------------------------------------------------------------

static int answered(lua_State *L, int status, lua_KContext context) {
    (void)status;
    LeafVm *vm = vm_of(L);
    vm->site = (uint32_t)context;
    if (vm->refusal != LEAF_ERROR_NONE) {
        LeafErrorKind kind = vm->refusal;
        vm->refusal = LEAF_ERROR_NONE;
        leaf_raise_named(L, kind, (Str){0}, vm->refusal_text);
    }
    leaf_push_value(L, vm->answer);
    return 1;
}

int leaf_need(lua_State *L, LeafNeedKind need) {
    LeafVm *vm = vm_of(L);
    if (vm->run == NULL || !lua_isyieldable(L)) {
        leaf_raise(L, LEAF_ERROR_UNKNOWN, "'%s' cannot be asked here", vm->builtin);
    }
    Value arguments;
    Err err = leaf_to_value(L, -1, vm->run->arena, &arguments);
    if (err.code != ERR_NONE) leaf_raise_err(L, LEAF_ERROR_ARG, &err);
    vm->run->need = need;
    vm->run->arguments = arguments;
    // Which site asked is kept over the wait: others run in between.
    return lua_yieldk(L, 0, (lua_KContext)vm->site, answered);
}
