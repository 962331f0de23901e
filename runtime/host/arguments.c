// arguments.c - what a module hands over, checked; what it gets back where the world failed.
#include "host/internal.h"

#include <string.h>

void push_str(lua_State *L, Str text) {
    lua_pushlstring(L, text.len == 0 ? "" : text.ptr, text.len);
}

const char *class_of_err(const Err *err) {
    return err->code == ERR_UNAVAILABLE || err->code == ERR_CONFLICT ? "transient" : "permanent";
}

int push_failure_text(lua_State *L, Str message, Str error_class) {
    lua_pushnil(L);
    push_str(L, message);
    push_str(L, error_class);
    return 3;
}

int push_failure(lua_State *L, const Err *err, const char *error_class) {
    return push_failure_text(L, str_from(err->text),
                             str_from(error_class == NULL ? class_of_err(err) : error_class));
}

Str check_text(lua_State *L, int index, const char *what) {
    int type = lua_type(L, index);
    if (type != LUA_TSTRING && type != LUA_TNUMBER) {
        luaL_error(L, "%s must be a text%s", what,
                   type == LUA_TUSERDATA ? ": a secret cannot be used here" : "");
    }
    size_t len = 0;
    const char *text = lua_tolstring(L, index, &len);
    return (Str){text, len};
}

Value check_value(lua_State *L, int index, Arena *arena, const char *what) {
    Value value = {0};
    if (lua_isnoneornil(L, index)) return value;
    Err err = leaf_to_value(L, index, arena, &value);
    if (err.code != ERR_NONE) luaL_error(L, "%s: %s", what, err.text);
    return value;
}

bool name_is_listed(const char *const *known, const char *name) {
    for (size_t i = 0; known[i] != NULL; i++) {
        if (strcmp(known[i], name) == 0) return true;
    }
    return false;
}

Value check_fields(lua_State *L, int index, Arena *arena, const char *call,
                   const char *const *known) {
    luaL_checktype(L, index, LUA_TTABLE);
    index = lua_absindex(L, index);
    Value fields = value_map(arena);
    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
        if (lua_type(L, -2) != LUA_TSTRING) {
            // A map of the language has its keys under 1 … n as well.
            lua_pop(L, 1);
            continue;
        }
        const char *name = lua_tostring(L, -2);
        if (!name_is_listed(known, name)) luaL_error(L, "%s: unknown field '%s'", call, name);
        if (!lua_isfunction(L, -1)) {
            Value value = check_value(L, -1, arena, name);
            if (value.kind != VALUE_NULL) {
                value_map_set(arena, fields, str_dup(arena, str_from(name)), value);
            }
        }
        lua_pop(L, 1);
    }
    return fields;
}

bool push_function(lua_State *L, int index, const char *name) {
    if (lua_getfield(L, index, name) == LUA_TFUNCTION) return true;
    lua_pop(L, 1);
    return false;
}

bool is_planning(const HostTask *task) {
    return task->host->options.mode != HOST_REAL;
}
