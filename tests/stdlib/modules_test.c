// modules_test.c - every task module loads in a bare environment and does what its cases say.
//
// The host is a fake written in Lua (fake_host.lua): it records and answers, nothing is executed.
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "artifact/plan.h"
#include "catalog/catalog.h"
#include "support/test.h"

static const char list_meta = 0, map_meta = 0;

static void push_value(lua_State *L, Value value) {
    luaL_checkstack(L, 8, NULL);
    switch (value.kind) {
    case VALUE_NULL:
    case VALUE_UNDEFINED:
    case VALUE_SECRET:
        lua_pushnil(L);
        break;
    case VALUE_BOOL:
        lua_pushboolean(L, value.as.boolean);
        break;
    case VALUE_INT:
        lua_pushinteger(L, value.as.integer);
        break;
    case VALUE_FLOAT:
        lua_pushnumber(L, value.as.real);
        break;
    case VALUE_BIGNUM:
    case VALUE_TEXT:
        lua_pushlstring(L, value.as.text.ptr, value.as.text.len);
        break;
    case VALUE_LIST:
        lua_newtable(L);
        for (uint32_t i = 0; i < value.as.list->count; i++) {
            push_value(L, value.as.list->items[i]);
            lua_rawseti(L, -2, i + 1);
        }
        lua_rawgetp(L, LUA_REGISTRYINDEX, &list_meta);
        lua_setmetatable(L, -2);
        break;
    case VALUE_MAP:
        lua_newtable(L);
        for (uint32_t i = 0; i < value.as.map->count; i++) {
            Str key = value.as.map->members[i].key;
            lua_pushlstring(L, key.ptr, key.len);
            push_value(L, value.as.map->members[i].value);
            lua_rawset(L, -3);
        }
        lua_rawgetp(L, LUA_REGISTRYINDEX, &map_meta);
        lua_setmetatable(L, -2);
        break;
    }
}

static Value take_value(lua_State *L, int index, Arena *arena) {
    size_t len = 0;
    index = lua_absindex(L, index);
    switch (lua_type(L, index)) {
    case LUA_TBOOLEAN:
        return value_bool(lua_toboolean(L, index));
    case LUA_TSTRING: {
        const char *text = lua_tolstring(L, index, &len);
        return value_text(str_dup(arena, (Str){text, len}));
    }
    case LUA_TNUMBER:
        if (lua_isinteger(L, index)) return value_int(lua_tointeger(L, index));
        return value_float(lua_tonumber(L, index));
    case LUA_TTABLE:
        break;
    default:
        return value_null();
    }
    if (lua_rawlen(L, index) > 0) {
        Value list = value_list(arena);
        for (lua_Integer i = 1; lua_rawgeti(L, index, i) != LUA_TNIL; i++) {
            value_list_add(arena, list, take_value(L, -1, arena));
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
        return list;
    }
    Value map = value_map(arena);
    for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
        Str key = str_dup(arena, str_from(lua_tostring(L, -2)));
        value_map_set(arena, map, key, take_value(L, -1, arena));
    }
    return map;
}

static int decode(lua_State *L, bool is_json) {
    size_t len = 0;
    const char *text = luaL_checklstring(L, 1, &len);
    Arena arena = {0};
    Value value = value_null();
    Err err = is_json ? json_parse((Str){text, len}, (JsonLimits){0}, &arena, &value)
                      : yaml_parse((Str){text, len}, &arena, &value);
    if (err.code != ERR_NONE) {
        arena_release(&arena);
        lua_pushstring(L, err.text);
        return lua_error(L);
    }
    push_value(L, value);
    arena_release(&arena);
    return 1;
}

static int json_decode(lua_State *L) {
    return decode(L, true);
}

static int yaml_decode(lua_State *L) {
    return decode(L, false);
}

static int json_encode(lua_State *L) {
    Arena arena = {0};
    Buffer out = {0};
    json_write(&out, take_value(L, 1, &arena), JSON_CANONICAL, 0);
    lua_pushlstring(L, out.ptr, out.len);
    buffer_release(&out);
    arena_release(&arena);
    return 1;
}

// load(name, environment): the embedded bytecode as a function.
static int load_module(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    const StdModule *module = std_module_find(str_from(name));
    if (module == NULL) return luaL_error(L, "there is no module '%s'", name);
    if (luaL_loadbufferx(L, module->bytecode.ptr, module->bytecode.len, name, "b") != LUA_OK) {
        return lua_error(L);
    }
    lua_pushvalue(L, 2);
    lua_setupvalue(L, -2, 1);
    return 1;
}

static void push_meta(lua_State *L, const char *key, const char *name) {
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, key);
    lua_setfield(L, -2, name);
}

static void check(lua_State *L, int status) {
    if (status != LUA_OK) print_error("%s\n", luaL_tolstring(L, -1, NULL));
    assert_int_equal(status, LUA_OK);
}

static int setup(void **state) {
    lua_State *L = luaL_newstate();
    *state = L;
    luaL_openlibs(L);
    check(L, luaL_loadfile(L, FLOW_SOURCE_DIR "/tests/stdlib/fake_host.lua"));
    lua_newtable(L);
    static const luaL_Reg natives[] = {
        {"json_decode", json_decode},
        {"json_encode", json_encode},
        {"yaml_decode", yaml_decode},
        {"load",        load_module},
        {NULL,          NULL       }
    };
    luaL_setfuncs(L, natives, 0);
    push_meta(L, &list_meta, "list_meta");
    push_meta(L, &map_meta, "map_meta");
    check(L, lua_pcall(L, 1, 1, 0));
    lua_setglobal(L, "fake");
    return 0;
}

static int teardown(void **state) {
    lua_close(*state);
    return 0;
}

static void every_module_loads_and_declares_what_it_implements(void **state) {
    lua_State *L = *state;
    uint32_t count = 0;
    const StdModule *modules = std_modules_all(&count);
    assert_true(count > 20);
    for (uint32_t i = 0; i < count; i++) {
        lua_getglobal(L, "fake");
        lua_getfield(L, -1, "load");
        lua_pushlstring(L, modules[i].type.ptr, modules[i].type.len);
        check(L, lua_pcall(L, 1, 1, 0));
        assert_true(lua_istable(L, -1));
        if (!modules[i].is_lib) {
            lua_getfield(L, -1, "implements");
            assert_str_equal(str_from(lua_tostring(L, -1)), modules[i].type);
            lua_getfield(L, -2, "plan");
            assert_true(lua_isfunction(L, -1));
        }
        lua_settop(L, 0);
    }
}

static void modules_behave_as_their_cases_say(void **state) {
    lua_State *L = *state;
    int failed = 0;
    check(L, luaL_loadfile(L, FLOW_SOURCE_DIR "/tests/stdlib/cases.lua"));
    lua_getglobal(L, "fake");
    check(L, lua_pcall(L, 1, 1, 0));
    lua_getfield(L, -1, "order");
    lua_getfield(L, -2, "cases");
    for (lua_Integer i = 1; lua_rawgeti(L, 2, i) != LUA_TNIL; i++) {
        const char *name = lua_tostring(L, -1);
        lua_getfield(L, 3, name);
        if (lua_pcall(L, 0, 0, 0) != LUA_OK) {
            print_error("%s: %s\n", name, luaL_tolstring(L, -1, NULL));
            failed++;
        }
        lua_settop(L, 3);
    }
    assert_int_equal(failed, 0);
}

static void effects_and_libraries_are_told(void **state) {
    (void)state;
    const StdModule *log = std_module_find(STR("io.kestra.plugin.core.log.Log"));
    assert_int_equal(log->effects, 0);
    assert_str_equal(log->uses[0], STR("lib.value"));
    const StdModule *apply = std_module_find(STR("io.kestra.plugin.kubernetes.kubectl.Apply"));
    assert_int_equal(apply->effects, EFFECT_NET | EFFECT_CREATE);
    const StdModule *shell = std_module_find(STR("io.kestra.plugin.scripts.shell.Commands"));
    assert_int_equal(shell->effects, EFFECT_EXEC);
    assert_true(shell->bytecode.len > 0);
    assert_null(std_module_find(STR("io.kestra.plugin.core.flow.ForEach")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_module_loads_and_declares_what_it_implements, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(modules_behave_as_their_cases_say, setup, teardown),
        cmocka_unit_test(effects_and_libraries_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
