// values.c - lists, maps, null, texts and handles in the hands of a module.
#include "host/internal.h"

// Metatables of the language's kinds, by their address: what leaf gives a sample of each.
typedef struct Kinds {
    const void *list, *map, *secret;
} Kinds;

static const void *sample_meta(lua_State *L, Value sample) {
    leaf_push_value(L, sample);
    const void *meta = NULL;
    if (lua_getmetatable(L, -1)) {
        meta = lua_topointer(L, -1);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return meta;
}

static const void *meta_of(lua_State *L, int index) {
    if (!lua_getmetatable(L, index)) return NULL;
    const void *meta = lua_topointer(L, -1);
    lua_pop(L, 1);
    return meta;
}

static const Kinds *kinds_of(lua_State *L) {
    return lua_touserdata(L, lua_upvalueindex(1));
}

// A plain table with something under 1 is a list, any other a map.
static int is_list(lua_State *L) {
    bool is = false;
    if (lua_type(L, 1) == LUA_TTABLE) {
        const void *meta = meta_of(L, 1);
        is = meta == kinds_of(L)->list || (meta != kinds_of(L)->map && lua_rawlen(L, 1) > 0);
    }
    lua_pushboolean(L, is);
    return 1;
}

static int is_map(lua_State *L) {
    bool is = false;
    if (lua_type(L, 1) == LUA_TTABLE) {
        const void *meta = meta_of(L, 1);
        is = meta == kinds_of(L)->map || (meta != kinds_of(L)->list && lua_rawlen(L, 1) == 0);
    }
    lua_pushboolean(L, is);
    return 1;
}

static int is_secret(lua_State *L) {
    lua_pushboolean(L, lua_type(L, 1) == LUA_TUSERDATA && meta_of(L, 1) == kinds_of(L)->secret);
    return 1;
}

static int make_list(lua_State *L) {
    HostTask *task = call_begin(L);
    Value value = check_value(L, 1, &task->call, "list");
    bool is_empty_map = value.kind == VALUE_MAP && value.as.map->count == 0;
    if (value.kind == VALUE_NULL || is_empty_map) value = value_list(&task->call);
    if (value.kind != VALUE_LIST) return luaL_error(L, "list: this is a map");
    leaf_push_value(L, value);
    return 1;
}

static int make_map(lua_State *L) {
    HostTask *task = call_begin(L);
    Value value = check_value(L, 1, &task->call, "map");
    Value map = value_map(&task->call);
    if (value.kind == VALUE_MAP) map = value;
    if (value.kind == VALUE_LIST) {
        for (uint32_t i = 0; i < value.as.list->count; i++) {
            Value pair = value.as.list->items[i];
            if (pair.kind != VALUE_LIST || pair.as.list->count != 2) {
                return luaL_error(L, "map: a list of pairs {key, value} is needed");
            }
            Str key = value_to_text(&task->call, pair.as.list->items[0]);
            value_map_set(&task->call, map, key, pair.as.list->items[1]);
        }
    }
    leaf_push_value(L, map);
    return 1;
}

static int to_text(lua_State *L) {
    HostTask *task = call_begin(L);
    if (lua_type(L, 1) == LUA_TSTRING) {
        lua_settop(L, 1);
        return 1;
    }
    Value value = check_value(L, 1, &task->call, "text");
    if (value.kind != VALUE_SECRET && value_has_secret(value)) {
        Value parts = value_list(&task->call);
        value_list_add(&task->call, parts, value);
        value = make_concat(&task->call, parts);
    }
    if (value.kind != VALUE_SECRET) value = value_text(value_to_text(&task->call, value));
    leaf_push_value(L, value);
    return 1;
}

static int join(lua_State *L) {
    HostTask *task = call_begin(L);
    Value parts = check_value(L, 1, &task->call, "join");
    if (parts.kind == VALUE_MAP && parts.as.map->count == 0) parts = value_list(&task->call);
    if (parts.kind != VALUE_LIST) return luaL_error(L, "join: a list is needed");
    if (value_has_secret(parts)) {
        leaf_push_value(L, make_concat(&task->call, parts));
        return 1;
    }
    Buffer text = {0};
    for (uint32_t i = 0; i < parts.as.list->count; i++) value_print(&text, parts.as.list->items[i]);
    Str whole = buffer_to_str(&text, &task->call);
    buffer_release(&text);
    push_str(L, whole);
    return 1;
}

void add_text_functions(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"list", make_list},
        {"map",  make_map },
        {"text", to_text  },
        {"join", join     },
        {NULL,   NULL     }
    };
    static const luaL_Reg questions[] = {
        {"is_list",   is_list  },
        {"is_map",    is_map   },
        {"is_secret", is_secret},
        {NULL,        NULL     }
    };
    luaL_setfuncs(L, functions, 0);
    Arena arena = {0};
    Value recipe = value_map(&arena);
    value_map_set(&arena, recipe, STR("op"), value_text(STR("secret")));
    value_map_set(&arena, recipe, STR("name"), value_text(STR("sample")));
    Kinds *kinds = lua_newuserdatauv(L, sizeof *kinds, 0);
    kinds->list = sample_meta(L, value_list(&arena));
    kinds->map = sample_meta(L, value_map(&arena));
    kinds->secret = sample_meta(L, (Value){.kind = VALUE_SECRET, .as.secret = &recipe});
    arena_release(&arena);
    luaL_setfuncs(L, questions, 1);
    leaf_push_value(L, value_null());
    lua_setfield(L, -2, "null");
}
