// globals.c - what a module sees without asking: a part of Lua's own libraries, and texts without
// patterns.
//
// Patterns on foreign text can take exponential time, so `string` has plain search only; regular
// expressions are the host's (with limits).
#include "host/internal.h"

#include <string.h>

static const char *const base_names[] = {"assert",   "error",  "ipairs", "next",         "pairs",
                                         "pcall",    "xpcall", "select", "type",         "tonumber",
                                         "tostring", "rawlen", "rawget", "setmetatable", "rawset",
                                         "rawequal", "math",   "table",  "utf8",         NULL};
static const char *const string_names[] = {"byte",  "char", "format",  "len", "lower",
                                           "upper", "rep",  "reverse", "sub", NULL};

static Str text_at(lua_State *L, int index) {
    size_t len = 0;
    const char *text = luaL_checklstring(L, index, &len);
    return (Str){text, len};
}

static int text_find(lua_State *L) {
    Str text = text_at(L, 1), needle = text_at(L, 2);
    lua_Integer from = luaL_optinteger(L, 3, 1);
    if (from < 0) from += (lua_Integer)text.len + 1;
    if (from < 1) from = 1;
    size_t at =
        (size_t)from > text.len + 1 ? STR_NOT_FOUND : str_find(text, needle, (size_t)from - 1);
    if (at == STR_NOT_FOUND) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, (lua_Integer)at + 1);
    lua_pushinteger(L, (lua_Integer)(at + needle.len));
    return 2;
}

static int text_split(lua_State *L) {
    Str text = text_at(L, 1), separator = text_at(L, 2);
    luaL_argcheck(L, separator.len > 0, 2, "the separator is empty");
    lua_newtable(L);
    size_t from = 0;
    for (lua_Integer i = 1;; i++) {
        size_t at = str_find(text, separator, from);
        push_str(L, str_slice(text, from, at == STR_NOT_FOUND ? text.len : at));
        lua_rawseti(L, -2, i);
        if (at == STR_NOT_FOUND) return 1;
        from = at + separator.len;
    }
}

static int text_trim(lua_State *L) {
    push_str(L, str_trim(text_at(L, 1)));
    return 1;
}

static int text_starts(lua_State *L) {
    lua_pushboolean(L, str_starts_with(text_at(L, 1), text_at(L, 2)));
    return 1;
}

static int text_ends(lua_State *L) {
    lua_pushboolean(L, str_ends_with(text_at(L, 1), text_at(L, 2)));
    return 1;
}

// Metatables of tables only: those of secrets and of texts are nobody's business.
static int get_metatable(lua_State *L) {
    if (lua_type(L, 1) != LUA_TTABLE || !lua_getmetatable(L, 1)) {
        lua_pushnil(L);
        return 1;
    }
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL) return 1;
    return 1;
}

void open_globals(Host *host, lua_State *L) {
    (void)host;
    lua_newtable(L);
    for (size_t i = 0; base_names[i] != NULL; i++) {
        lua_getglobal(L, base_names[i]);
        lua_setfield(L, -2, base_names[i]);
    }
    static const luaL_Reg own[] = {
        {"find",   text_find  },
        {"split",  text_split },
        {"trim",   text_trim  },
        {"starts", text_starts},
        {"ends",   text_ends  },
        {NULL,     NULL       }
    };
    lua_newtable(L);
    lua_getglobal(L, "string");
    for (size_t i = 0; string_names[i] != NULL; i++) {
        lua_getfield(L, -1, string_names[i]);
        lua_setfield(L, -3, string_names[i]);
    }
    lua_pop(L, 1);
    luaL_setfuncs(L, own, 0);
    // Methods on texts are these, too.
    lua_pushliteral(L, "");
    if (lua_getmetatable(L, -1)) {
        lua_pushvalue(L, -3);
        lua_setfield(L, -2, "__index");
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    lua_setfield(L, -2, "string");
    lua_pushcfunction(L, get_metatable);
    lua_setfield(L, -2, "getmetatable");
}
