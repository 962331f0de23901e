// regexes.c - regular expressions of builtins: compiled once per machine, and the filters on them.
//
// The cache is a Lua table from pattern to userdata, emptied when it is full; the compiled pattern
// is freed with its userdata.
#include "leaf/machine.h"

#include "value/regex.h"

static int collect(lua_State *L) {
    Regex **holder = lua_touserdata(L, 1);
    regex_free(*holder);
    *holder = NULL;
    return 0;
}

// Pushes the cache table, made on first use as a field of the metatable.
static void push_cache(lua_State *L) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm_of(L)->meta_refs[META_REGEX]);
    if (lua_getfield(L, -1, "cache") == LUA_TNIL) {
        lua_pop(L, 1);
        lua_pushcfunction(L, collect);
        lua_setfield(L, -2, "__gc");
        lua_createtable(L, 0, REGEX_CACHE);
        lua_pushvalue(L, -1);
        lua_setfield(L, -3, "cache");
        lua_pushinteger(L, 0);
        lua_setfield(L, -3, "count");
    }
    lua_remove(L, -2);
}

static void count_pattern(lua_State *L, int cache) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm_of(L)->meta_refs[META_REGEX]);
    lua_getfield(L, -1, "count");
    lua_Integer count = lua_tointeger(L, -1) + 1;
    lua_pop(L, 1);
    if (count > REGEX_CACHE) {
        lua_pushnil(L);
        while (lua_next(L, cache) != 0) {
            lua_pop(L, 1);
            lua_pushvalue(L, -1);
            lua_pushnil(L);
            lua_rawset(L, cache);
        }
        count = 1;
    }
    lua_pushinteger(L, count);
    lua_setfield(L, -2, "count");
    lua_pop(L, 1);
}

// The compiled pattern; its userdata is pushed and must stay on the stack while it is used.
static const Regex *push_regex(lua_State *L, Str pattern) {
    luaL_checkstack(L, 10, NULL);
    push_cache(L);
    int cache = lua_gettop(L);
    leaf_push_str(L, pattern);
    if (lua_rawget(L, cache) == LUA_TUSERDATA) {
        lua_remove(L, cache);
        return *(Regex **)lua_touserdata(L, -1);
    }
    lua_pop(L, 1);
    count_pattern(L, cache);
    Regex **holder = lua_newuserdatauv(L, sizeof(Regex *), 0);
    *holder = NULL;
    leaf_set_meta(L, META_REGEX);
    Err err = regex_compile(pattern, holder);
    if (err.code != ERR_NONE) leaf_raise_err(L, LEAF_ERROR_VALUE, &err);
    leaf_push_str(L, pattern);
    lua_pushvalue(L, -2);
    lua_rawset(L, cache);
    lua_remove(L, cache);
    return *holder;
}

bool leaf_regex_find(lua_State *L, Str pattern, Str text, size_t from, Str groups[],
                     size_t group_count) {
    const Regex *regex = push_regex(L, pattern);
    bool found = false;
    Err err = regex_find(regex, text, from, groups, group_count, &found);
    if (err.code != ERR_NONE) leaf_raise_err(L, LEAF_ERROR_VALUE, &err);
    lua_pop(L, 1);
    leaf_charge(L, 10);
    return found;
}

void leaf_regex_replace(lua_State *L, Str text, Str pattern, Str replacement, Buffer *out) {
    const Regex *regex = push_regex(L, pattern);
    Err err = regex_replace(regex, text, replacement, out);
    if (err.code != ERR_NONE) leaf_raise_err(L, LEAF_ERROR_VALUE, &err);
    lua_pop(L, 1);
    leaf_charge(L, text.len / 16 + 10);
}

static int regex_match_filter(lua_State *L) {
    if (leaf_kind(L, FIRST_ARG) == KIND_NULL) {
        lua_pushboolean(L, 0);
        return 1;
    }
    if (leaf_kind(L, FIRST_PARAM) == KIND_NULL) {
        leaf_raise(L, LEAF_ERROR_TYPE, "'regexMatch' takes a text as 'regex', not null");
    }
    Str text = leaf_to_str(L, FIRST_ARG), pattern = leaf_to_str(L, FIRST_PARAM);
    lua_pushboolean(L, leaf_regex_find(L, pattern, text, 0, NULL, 0));
    return 1;
}

static int regex_replace_filter(lua_State *L) {
    Str text = leaf_to_str(L, FIRST_ARG), pattern = leaf_to_str(L, FIRST_PARAM);
    Str replacement = leaf_to_str(L, FIRST_PARAM + 1);
    Buffer *out = leaf_scratch(L);
    leaf_regex_replace(L, text, pattern, replacement, out);
    leaf_push_scratch(L);
    return 1;
}

static int regex_extract_filter(lua_State *L) {
    Str text = leaf_to_str(L, FIRST_ARG), groups[100];
    int64_t group = lua_isnil(L, FIRST_PARAM + 1) ? 0 : lua_tointeger(L, FIRST_PARAM + 1);
    if (group < 0) {
        leaf_raise(L, LEAF_ERROR_VALUE, "'group' of 'regexExtract' cannot be negative");
    }
    Str pattern = leaf_to_str(L, FIRST_PARAM);
    bool found = leaf_regex_find(L, pattern, text, 0, groups, COUNT(groups));
    uint32_t total = regex_group_count(push_regex(L, pattern));
    if (total >= COUNT(groups)) total = COUNT(groups) - 1;
    if (found && group > (int64_t)total) {
        leaf_raise(L, LEAF_ERROR_VALUE,
                   "'group' of 'regexExtract' is %lld, and the expression has the groups 0 to %u",
                   (long long)group, total);
    }
    if (!found || groups[group].ptr == NULL) {
        leaf_push_null(L);
    } else {
        leaf_push_str(L, groups[group]);
    }
    return 1;
}

const Builtin leaf_builtins_regex[] = {
    {.kind = BUILTIN_FILTER,
     .name = "regexExtract",
     .params = {{"regex", "some"}, {"group", "int?"}},
     .input = "any",
     .result = "text|null",
     .flags = BUILTIN_NULL_PASSES | BUILTIN_ONLY_2_0,
     .run = regex_extract_filter,
     .text = "The first match of a regular expression, or one group of it; null without a match.",
     .examples = "{{ 'v1.20' | regexExtract('([0-9]+)[.]([0-9]+)', 2) }} => 20"},
    {.kind = BUILTIN_FILTER,
     .name = "regexMatch",
     .params = {{"regex", "any|null"}},
     .input = "any",
     .result = "bool",
     .flags = BUILTIN_NULL_TAKEN | BUILTIN_ONLY_2_0,
     .run = regex_match_filter,
     .text = "Whether a regular expression matches somewhere in the text.",
     .examples = "{{ 'v1.20' | regexMatch('[0-9]+') }} => true"},
    {.kind = BUILTIN_FILTER,
     .name = "regexReplace",
     .params = {{"regex", "some"}, {"replacement", "some"}},
     .input = "any",
     .result = "text",
     .flags = BUILTIN_NULL_PASSES | BUILTIN_ONLY_2_0,
     .run = regex_replace_filter,
     .text = "Replaces all matches of a regular expression; `$1` in the replacement is a group.",
     .examples = "{{ 'v1.20' | regexReplace('([0-9]+)[.]([0-9]+)', '$2.$1') }} => v20.1"},
    {.name = NULL                     },
};
