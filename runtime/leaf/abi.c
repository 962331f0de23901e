// abi.c - the table `rt` that chunks get: sinks, literals, loops, and the way to the builtins.
#include "leaf/machine.h"

#include <string.h>

#include "value/convert.h"

// Lua's stack holds a million slots.
enum { COLLECTED_MAX = 900000 };

// --- sinks --------------------------------------------------------------------------------------

static int rt_text(lua_State *L) {
    int count = lua_gettop(L);
    for (int i = 1; i <= count; i++) {
        Kind kind = leaf_kind(L, i);
        if (kind == KIND_UNDEFINED) leaf_raise_undefined(L, i);
        if (kind != KIND_TEXT && leaf_holds_secret(L, i)) {
            leaf_secret_concat(L, 1);
            return 1;
        }
    }
    if (count == 1 && lua_type(L, 1) == LUA_TSTRING) return 1;
    Buffer *out = leaf_scratch(L);
    for (int i = 1; i <= count; i++) leaf_print(L, i, out);
    leaf_push_scratch(L);
    return 1;
}

static int rt_value(lua_State *L) {
    if (leaf_kind(L, 1) == KIND_UNDEFINED) leaf_raise_undefined(L, 1);
    if (lua_isnoneornil(L, 1)) leaf_push_null(L);
    lua_settop(L, 1);
    return 1;
}

// Kestra reads the text of several pieces as JSON where its beginning parses, and drops the rest.
// That is refused here; a list or map behind other text is printed.
static int rt_typed(lua_State *L) {
    int count = 0;
    for (int i = 1, top = lua_gettop(L); i <= top; i++) {
        Kind kind = leaf_kind(L, i);
        if (kind == KIND_UNDEFINED) leaf_raise_undefined(L, i);
        if (kind == KIND_NULL || kind == KIND_ABSENT) continue;
        lua_pushvalue(L, i);
        lua_replace(L, ++count);
    }
    lua_settop(L, count);
    if (count == 0) leaf_push_null(L);
    if (count <= 1) return 1;
    Kind first = leaf_kind(L, 1);
    if (first == KIND_LIST || first == KIND_MAP) {
        leaf_raise(
            L, LEAF_ERROR_TYPE,
            "%s keeps its type only where nothing else is printed: remove the text around it",
            leaf_kind_text(first));
    }
    return rt_text(L);
}

static int rt_condition(lua_State *L) {
    lua_settop(L, 1);
    Kind kind = leaf_kind(L, 1);
    if (kind == KIND_UNDEFINED) leaf_raise_undefined(L, 1);
    bool is_true = kind == KIND_SECRET || condition_is_true(leaf_to_str(L, 1));
    lua_pushboolean(L, is_true);
    return 1;
}

static bool find_conversion(Str name, ConvertTo *out) {
    for (int to = CONVERT_ANY; to <= CONVERT_MAP; to++) {
        if (!str_eq(name, str_from(convert_name((ConvertTo)to)))) continue;
        *out = (ConvertTo)to;
        return true;
    }
    return false;
}

static int rt_convert(lua_State *L) {
    LeafVm *vm = vm_of(L);
    vm->site = (uint32_t)lua_tointeger(L, 4);
    Kind kind = leaf_kind(L, 1);
    ConvertTo to = CONVERT_ANY;
    if (kind == KIND_UNDEFINED) leaf_raise_undefined(L, 1);
    if (!find_conversion(leaf_str(L, 2), &to)) {
        leaf_raise(L, LEAF_ERROR_UNKNOWN, "this runtime knows no property type '" STR_FMT "'",
                   STR_ARG(leaf_str(L, 2)));
    }
    // A secret's text is checked by who uses it.
    if (to == CONVERT_ANY || kind == KIND_SECRET || (to == CONVERT_TEXT && kind == KIND_TEXT)) {
        lua_settop(L, 1);
        return 1;
    }
    Arena *arena = vm->run != NULL ? vm->run->arena : &vm->arena;
    Value in, out;
    Err err = leaf_to_value(L, 1, arena, &in);
    if (err.code == ERR_NONE) err = value_convert(in, to, arena, &out);
    if (err.code != ERR_NONE) {
        Str path = leaf_str(L, 3);
        leaf_raise(L, err.code == ERR_LIMIT ? LEAF_ERROR_LIMIT : LEAF_ERROR_VALUE,
                   "property '" STR_FMT "': %s", STR_ARG(path), err.text);
    }
    leaf_push_value(L, out);
    return 1;
}

// The items of a list or map that was read from text, each converted.
static int rt_items(lua_State *L) {
    lua_settop(L, 4);
    Kind kind = leaf_kind(L, 1);
    if (kind != KIND_LIST && kind != KIND_MAP) {
        lua_settop(L, 1);
        return 1;
    }
    leaf_force(L, 1);
    size_t count = leaf_count(L, 1);
    if (kind == KIND_LIST) {
        leaf_new_list(L, count);
    } else {
        leaf_new_map(L, count);
    }
    int out = lua_gettop(L);
    for (size_t i = 0; i < count; i++) {
        lua_pushcfunction(L, rt_convert);
        if (kind == KIND_LIST) {
            leaf_push_item(L, 1, i);
        } else {
            leaf_push_member(L, 1, i);  // key, value
            lua_insert(L, -3);          // value, function, key
            lua_insert(L, -3);          // key, value, function
            lua_insert(L, -2);          // key, function, value
        }
        for (int argument = 2; argument <= 4; argument++) lua_pushvalue(L, argument);
        lua_call(L, 4, 1);
        if (kind == KIND_LIST) {
            lua_rawseti(L, out, (lua_Integer)i + 1);
        } else {
            leaf_map_put(L, out);
        }
    }
    return 1;
}

static int rt_fail(lua_State *L) {
    vm_of(L)->site = (uint32_t)lua_tointeger(L, 3);
    Str name = leaf_str(L, 1);
    LeafErrorKind kind = LEAF_ERROR_OTHER;
    for (int k = LEAF_ERROR_NONE; k <= LEAF_ERROR_OTHER; k++) {
        if (str_eq(name, str_from(leaf_error_kind_name((LeafErrorKind)k)))) {
            kind = (LeafErrorKind)k;
        }
    }
    leaf_raise_named(L, kind, (Str){0}, leaf_str(L, 2));
}

// --- literals and loops -------------------------------------------------------------------------

static int rt_list(lua_State *L) {
    int count = (int)lua_tointeger(L, 1);
    for (int i = 0; i < count; i++) {
        if (leaf_kind(L, i + 2) != KIND_UNDEFINED) continue;
        lua_pushvalue(L, i + 2);
        return 1;
    }
    leaf_new_list(L, (size_t)count);
    for (int i = 0; i < count; i++) {
        if (lua_isnil(L, i + 2)) {
            leaf_push_null(L);
        } else {
            lua_pushvalue(L, i + 2);
        }
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

static int rt_map(lua_State *L) {
    int count = (int)lua_tointeger(L, 1);
    for (int i = 0; i < 2 * count; i++) {
        if (leaf_kind(L, i + 2) != KIND_UNDEFINED) continue;
        lua_pushvalue(L, i + 2);
        return 1;
    }
    leaf_new_map(L, (size_t)count);
    int map = lua_gettop(L);
    for (int i = 0; i < count; i++) {
        Kind key = leaf_kind(L, 2 * i + 2);
        if ((key & (KIND_LIST | KIND_MAP | KIND_SECRET | KIND_OTHER)) != 0) {
            leaf_raise(L, LEAF_ERROR_TYPE, "a key of a map is a text, not %s", leaf_kind_text(key));
        }
        lua_pushvalue(L, 2 * i + 2);
        leaf_to_str(L, -1);
        lua_pushvalue(L, -1);
        if (lua_rawget(L, map) != LUA_TNIL) {
            lua_pop(L, 2);
            continue;
        }
        lua_pop(L, 1);
        if (lua_isnil(L, 2 * i + 3)) {
            leaf_push_null(L);
        } else {
            lua_pushvalue(L, 2 * i + 3);
        }
        leaf_map_put(L, map);
    }
    return 1;
}

static int list_item(lua_State *L) {
    lua_pushvalue(L, lua_upvalueindex(1));
    leaf_push_item(L, lua_gettop(L), (size_t)lua_tointeger(L, 1) - 1);
    return 1;
}

static int map_item(lua_State *L) {
    lua_pushvalue(L, lua_upvalueindex(1));
    leaf_push_member(L, lua_gettop(L), (size_t)lua_tointeger(L, 1) - 1);
    lua_createtable(L, 2, 2);
    leaf_set_meta(L, META_ENTRY);
    int entry = lua_gettop(L);
    lua_pushliteral(L, "key");
    lua_pushvalue(L, entry - 2);
    leaf_map_put(L, entry);
    lua_pushliteral(L, "value");
    lua_pushvalue(L, entry - 1);
    leaf_map_put(L, entry);
    return 1;
}

static int secret_item(lua_State *L) {
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushinteger(L, lua_tointeger(L, 1) - 1);
    leaf_secret_call(L, "operator", "get", 2);
    return 1;
}

static int rt_iter(lua_State *L) {
    vm_of(L)->site = (uint32_t)lua_tointeger(L, 2);
    lua_settop(L, 1);
    Kind kind = leaf_kind(L, 1);
    if (kind == KIND_UNDEFINED) leaf_raise_undefined(L, 1);
    if (kind == KIND_NULL) {
        lua_pushnil(L);
        lua_pushnil(L);
        return 2;
    }
    if (kind == KIND_SECRET) {
        lua_pushvalue(L, 1);
        leaf_secret_call(L, "filter", "length", 2);
        lua_pushvalue(L, 1);
        lua_pushcclosure(L, secret_item, 1);
        return 2;
    }
    if (kind == KIND_MAP && leaf_has_meta(L, 1, META_ENTRY)) {
        leaf_raise(L, LEAF_ERROR_TYPE,
                   "'for' does not go over one member of a map: take its '.value'");
    }
    if (kind != KIND_LIST && kind != KIND_MAP) {
        leaf_raise(L, LEAF_ERROR_TYPE, "'for' goes over a list or a map, not over %s",
                   leaf_kind_text(kind));
    }
    if (kind == KIND_MAP) leaf_force(L, 1);
    lua_pushinteger(L, (lua_Integer)leaf_count(L, 1));
    lua_pushvalue(L, 1);
    lua_pushcclosure(L, kind == KIND_MAP ? map_item : list_item, 1);
    return 2;
}

// What a loop has collected, as arguments: rt.text(rt.all(t)).
static int rt_all(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_Unsigned count = lua_rawlen(L, 1);
    if (count > COLLECTED_MAX || !lua_checkstack(L, (int)count)) {
        leaf_raise(L, LEAF_ERROR_LIMIT, "a template prints at most %d pieces", COLLECTED_MAX);
    }
    for (lua_Unsigned i = 1; i <= count; i++) lua_rawgeti(L, 1, (lua_Integer)i);
    return (int)count;
}

// As rt.text, but null where nothing but nulls is printed.
static int rt_object(lua_State *L) {
    int count = lua_gettop(L);
    for (int i = 1; i <= count; i++) {
        if ((leaf_kind(L, i) & (KIND_NULL | KIND_ABSENT)) == 0) return rt_text(L);
    }
    leaf_push_null(L);
    return 1;
}

static int rt_undefined(lua_State *L) {
    vm_of(L)->site = (uint32_t)lua_tointeger(L, 2);
    leaf_push_undefined(L, leaf_str(L, 1));
    return 1;
}

static int rt_is_undefined(lua_State *L) {
    lua_pushboolean(L, leaf_kind(L, 1) == KIND_UNDEFINED);
    return 1;
}

static int rt_is_nothing(lua_State *L) {
    lua_pushboolean(L, (leaf_kind(L, 1) & (KIND_UNDEFINED | KIND_NULL | KIND_ABSENT)) != 0);
    return 1;
}

static int rt_of_2_0(lua_State *L) {
    LeafVm *vm = vm_of(L);
    if (vm->run != NULL) vm->run->is_2_0 = true;
    return 0;
}

static const luaL_Reg functions[] = {
    {"text",         rt_text        },
    {"value",        rt_value       },
    {"typed",        rt_typed       },
    {"condition",    rt_condition   },
    {"convert",      rt_convert     },
    {"fail",         rt_fail        },
    {"all",          rt_all         },
    {"object",       rt_object      },
    {"undefined",    rt_undefined   },
    {"items",        rt_items       },
    {"list",         rt_list        },
    {"map",          rt_map         },
    {"iter",         rt_iter        },
    {"is_undefined", rt_is_undefined},
    {"is_nothing",   rt_is_nothing  },
    {"of_2_0",       rt_of_2_0      },
    {NULL,           NULL           },
};

static void add_builtins(lua_State *L, const char *field, BuiltinKind kind) {
    lua_createtable(L, 0, 0);
    lua_createtable(L, 0, 2);
    lua_pushinteger(L, kind);
    lua_pushcclosure(L, rt_builtin_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_setfield(L, -2, field);
}

void leaf_abi_open(lua_State *L) {
    lua_createtable(L, 0, 48);
    luaL_setfuncs(L, functions, 0);
    luaL_setfuncs(L, leaf_operators, 0);
    leaf_push_null(L);
    lua_setfield(L, -2, "null");
    add_builtins(L, "filter", BUILTIN_FILTER);
    add_builtins(L, "func", BUILTIN_FUNCTION);
    add_builtins(L, "test", BUILTIN_TEST);
    vm_of(L)->rt_ref = luaL_ref(L, LUA_REGISTRYINDEX);
}
