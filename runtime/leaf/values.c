// values.c - Lua values of the language and their way across the border.
//
// A list is a table whose metatable is META_LIST. A map is one table that holds its members under
// their keys and the keys in order under 1, 2, 3, …: keys are texts, so the two never meet. null is
// light userdata; a bignum is userdata that holds its digits. What the context hands out is a view
// (context.c) until something needs a table.
#include "leaf/machine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

static const char null_tag = 0;

void leaf_push_null(lua_State *L) {
    lua_pushlightuserdata(L, (void *)&null_tag);
}

void leaf_push_str(lua_State *L, Str text) {
    lua_pushlstring(L, text.len == 0 ? "" : text.ptr, text.len);
}

Str leaf_str(lua_State *L, int index) {
    size_t len = 0;
    if (lua_type(L, index) != LUA_TSTRING) return (Str){0};
    const char *text = lua_tolstring(L, index, &len);
    return (Str){text, len};
}

static const void *meta_of(lua_State *L, int index) {
    if (!lua_getmetatable(L, index)) return NULL;
    const void *meta = lua_topointer(L, -1);
    lua_pop(L, 1);
    return meta;
}

bool leaf_has_meta(lua_State *L, int index, Meta meta) {
    return meta_of(L, index) == vm_of(L)->metas[meta];
}

void leaf_set_meta(lua_State *L, Meta meta) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm_of(L)->meta_refs[meta]);
    lua_setmetatable(L, -2);
}

static Kind kind_of_userdata(lua_State *L, int index) {
    const void *meta = meta_of(L, index);
    const LeafVm *vm = vm_of(L);
    if (meta == vm->metas[META_VIEW]) {
        const LeafRef *ref = leaf_view(L, index);
        return ref->kind == LEAF_REF_VALUE && ref->value.kind == VALUE_LIST ? KIND_LIST : KIND_MAP;
    }
    if (meta == vm->metas[META_UNDEFINED]) return KIND_UNDEFINED;
    if (meta == vm->metas[META_SECRET]) return KIND_SECRET;
    if (meta == vm->metas[META_BIGNUM]) return KIND_BIGNUM;
    return KIND_OTHER;
}

Kind leaf_kind(lua_State *L, int index) {
    switch (lua_type(L, index)) {
    case LUA_TNONE:
    case LUA_TNIL:
        return KIND_ABSENT;
    case LUA_TBOOLEAN:
        return KIND_BOOL;
    case LUA_TNUMBER:
        return lua_isinteger(L, index) ? KIND_INT : KIND_FLOAT;
    case LUA_TSTRING:
        return KIND_TEXT;
    case LUA_TLIGHTUSERDATA:
        return lua_touserdata(L, index) == &null_tag ? KIND_NULL : KIND_OTHER;
    case LUA_TTABLE: {
        const void *meta = meta_of(L, index);
        const LeafVm *vm = vm_of(L);
        if (meta == vm->metas[META_LIST]) return KIND_LIST;
        if (meta == vm->metas[META_MAP] || meta == vm->metas[META_ENTRY]) return KIND_MAP;
        return KIND_OTHER;
    }
    case LUA_TUSERDATA:
        return kind_of_userdata(L, index);
    default:
        return KIND_OTHER;
    }
}

void leaf_new_list(lua_State *L, size_t count) {
    lua_createtable(L, count > (1 << 20) ? 1 << 20 : (int)count, 0);
    leaf_set_meta(L, META_LIST);
}

void leaf_new_map(lua_State *L, size_t count) {
    int size = count > (1 << 20) ? 1 << 20 : (int)count;
    lua_createtable(L, size, size);
    leaf_set_meta(L, META_MAP);
}

void leaf_list_add(lua_State *L, int list) {
    list = lua_absindex(L, list);
    lua_rawseti(L, list, (lua_Integer)lua_rawlen(L, list) + 1);
}

void leaf_map_put(lua_State *L, int map) {
    map = lua_absindex(L, map);
    lua_pushvalue(L, -2);
    if (lua_rawget(L, map) == LUA_TNIL) {
        lua_pushvalue(L, -3);
        lua_rawseti(L, map, (lua_Integer)lua_rawlen(L, map) + 1);
    }
    lua_pop(L, 1);
    lua_rawset(L, map);
}

void leaf_map_at(lua_State *L, int map, Str key) {
    map = lua_absindex(L, map);
    leaf_push_str(L, key);
    lua_rawget(L, map);
}

void leaf_push_member(lua_State *L, int map, size_t i) {
    map = lua_absindex(L, map);
    lua_rawgeti(L, map, (lua_Integer)i + 1);
    lua_pushvalue(L, -1);
    if (lua_type(L, -1) == LUA_TNIL || lua_rawget(L, map) == LUA_TNIL) {
        lua_pop(L, 1);
        leaf_push_null(L);
    }
}

size_t leaf_count(lua_State *L, int index) {
    const LeafRef *ref = leaf_view(L, index);
    if (ref != NULL && ref->kind == LEAF_REF_VALUE) {
        return ref->value.kind == VALUE_LIST ? ref->value.as.list->count : ref->value.as.map->count;
    }
    if (ref != NULL) leaf_force(L, index);
    return lua_rawlen(L, index);
}

void leaf_push_item(lua_State *L, int index, size_t i) {
    const LeafRef *ref = leaf_view(L, index);
    if (ref == NULL) {
        lua_rawgeti(L, index, (lua_Integer)i + 1);
        return;
    }
    LeafRef item = {.kind = LEAF_REF_VALUE, .value = ref->value.as.list->items[i]};
    leaf_push_ref(L, &item);
}

void leaf_push_bignum(lua_State *L, Str digits) {
    char *copy = lua_newuserdatauv(L, digits.len + 1, 0);
    memcpy(copy, digits.ptr, digits.len);
    copy[digits.len] = '\0';
    leaf_set_meta(L, META_BIGNUM);
}

Str leaf_bignum(lua_State *L, int index) {
    return str_from(lua_touserdata(L, index));
}

// --- values to Lua ------------------------------------------------------------------------------

static void push_list(lua_State *L, const ValueList *list) {
    leaf_new_list(L, list->count);
    for (uint32_t i = 0; i < list->count; i++) {
        leaf_push_value(L, list->items[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

static void push_map(lua_State *L, const ValueMap *map) {
    leaf_new_map(L, map->count);
    for (uint32_t i = 0; i < map->count; i++) {
        leaf_push_str(L, map->members[i].key);
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, (lua_Integer)i + 1);
        leaf_push_value(L, map->members[i].value);
        lua_rawset(L, -3);
    }
}

void leaf_push_value(lua_State *L, Value value) {
    luaL_checkstack(L, 8, "too deeply nested");
    switch (value.kind) {
    case VALUE_NULL:
        leaf_push_null(L);
        return;
    case VALUE_UNDEFINED:
        leaf_push_undefined(L, value.as.text);
        return;
    case VALUE_BOOL:
        lua_pushboolean(L, value.as.boolean);
        return;
    case VALUE_INT:
        lua_pushinteger(L, value.as.integer);
        return;
    case VALUE_FLOAT:
        lua_pushnumber(L, value.as.real);
        return;
    case VALUE_BIGNUM:
        leaf_push_bignum(L, value.as.text);
        return;
    case VALUE_TEXT:
        leaf_push_str(L, value.as.text);
        return;
    case VALUE_LIST:
        push_list(L, value.as.list);
        return;
    case VALUE_MAP:
        push_map(L, value.as.map);
        return;
    case VALUE_SECRET:
        leaf_push_secret(L, value.as.secret);
        return;
    }
}

void leaf_force(lua_State *L, int index) {
    const LeafRef *ref = leaf_view(L, index);
    if (ref == NULL) return;
    index = lua_absindex(L, index);
    // Shown once: the table is kept as the user value of the view.
    if (lua_getiuservalue(L, index, 1) == LUA_TNIL) {
        lua_pop(L, 1);
        Value value = ref->value;
        if (ref->kind == LEAF_REF_OBJECT) {
            LeafVm *vm = vm_of(L);
            Arena *arena = vm->run != NULL ? vm->run->arena : &vm->arena;
            value = ref->source->whole(ref->source->self, ref->at, arena);
        }
        leaf_push_value(L, value);
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, index, 1);
    }
    lua_replace(L, index);
}

// --- Lua to values ------------------------------------------------------------------------------

static Err to_value(lua_State *L, int index, Arena *arena, int depth, Value *out);

static Err list_to_value(lua_State *L, int index, Arena *arena, int depth, Value *out) {
    size_t count = lua_rawlen(L, index);
    *out = value_list(arena);
    for (size_t i = 1; i <= count; i++) {
        Value item;
        lua_rawgeti(L, index, (lua_Integer)i);
        TRY(to_value(L, lua_gettop(L), arena, depth + 1, &item));
        lua_pop(L, 1);
        value_list_add(arena, *out, item);
    }
    return err_none();
}

// The member of a map that `for` or `merge` hands out: {key: value}.
static Err entry_to_value(lua_State *L, int index, Arena *arena, int depth, Value *out) {
    Value value;
    *out = value_map(arena);
    leaf_map_at(L, index, STR("value"));
    TRY(to_value(L, lua_gettop(L), arena, depth + 1, &value));
    leaf_map_at(L, index, STR("key"));
    value_map_set(arena, *out, str_dup(arena, leaf_str(L, -1)), value);
    lua_pop(L, 2);
    return err_none();
}

static Err map_to_value(lua_State *L, int index, Arena *arena, int depth, Value *out) {
    if (leaf_has_meta(L, index, META_ENTRY)) return entry_to_value(L, index, arena, depth, out);
    size_t count = lua_rawlen(L, index);
    *out = value_map(arena);
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, index, (lua_Integer)i);
        Str key = str_dup(arena, leaf_str(L, -1));
        if (lua_rawget(L, index) != LUA_TNIL) {  // a module may have set it to nil
            Value member;
            TRY(to_value(L, lua_gettop(L), arena, depth + 1, &member));
            value_map_set(arena, *out, key, member);
        }
        lua_pop(L, 1);
    }
    return err_none();
}

static int by_key(const void *a, const void *b) {
    return str_cmp(((const ValueMember *)a)->key, ((const ValueMember *)b)->key);
}

// A table of a task module: a list where its keys are 1 … n, else a map in the order of its keys,
// so that the same table gives the same bytes.
static Err table_to_value(lua_State *L, int index, Arena *arena, int depth, Value *out) {
    size_t length = lua_rawlen(L, index), members = 0;
    Value map = value_map(arena);
    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
        members++;
        if (lua_type(L, -2) == LUA_TSTRING) {
            Value member;
            Str key = str_dup(arena, leaf_str(L, -2));
            TRY(to_value(L, lua_gettop(L), arena, depth + 1, &member));
            value_map_set(arena, map, key, member);
        } else if (!lua_isinteger(L, -2) || lua_tointeger(L, -2) < 1 ||
                   (size_t)lua_tointeger(L, -2) > length) {
            return err_make(ERR_INPUT, "a table has keys that are neither texts nor 1 to n");
        }
        lua_pop(L, 1);
    }
    if (map.as.map->count == 0 && length > 0) return list_to_value(L, index, arena, depth, out);
    if (map.as.map->count != members) {
        return err_make(ERR_INPUT, "a table is both a list and a map");
    }
    Value sorted = value_map(arena);
    ValueMember *copy = arena_array(arena, ValueMember, members);
    if (members > 0) memcpy(copy, map.as.map->members, members * sizeof *copy);
    qsort(copy, members, sizeof *copy, by_key);
    for (size_t i = 0; i < members; i++) {
        value_map_set(arena, sorted, copy[i].key, copy[i].value);
    }
    *out = sorted;
    return err_none();
}

static Err view_to_value(const LeafRef *ref, Arena *arena, Value *out) {
    Value value = ref->value;
    if (ref->kind == LEAF_REF_OBJECT) {
        value = ref->source->whole(ref->source->self, ref->at, arena);
    }
    *out = value_copy(arena, value);
    return err_none();
}

static Err secret_to_value(lua_State *L, int index, Arena *arena, Value *out) {
    Value *recipe = arena_new(arena, Value);
    Str text = str_dup(arena, leaf_secret_recipe(L, index));
    TRY(json_parse(text, (JsonLimits){0}, arena, recipe));
    *recipe = value_restore_secrets(arena, *recipe);
    *out = (Value){.kind = VALUE_SECRET, .as.secret = recipe};
    return err_none();
}

static Err to_value(lua_State *L, int index, Arena *arena, int depth, Value *out) {
    if (depth > VALUE_DEPTH_MAX || !lua_checkstack(L, 8)) {
        return err_make(ERR_LIMIT, "a value is nested deeper than %d levels", VALUE_DEPTH_MAX);
    }
    *out = value_null();
    switch (leaf_kind(L, index)) {
    case KIND_ABSENT:
    case KIND_NULL:
        return err_none();
    case KIND_UNDEFINED:
        *out = value_undefined(str_dup(arena, leaf_undefined_path(L, index)));
        return err_none();
    case KIND_BOOL:
        *out = value_bool(lua_toboolean(L, index));
        return err_none();
    case KIND_INT:
        *out = value_int(lua_tointeger(L, index));
        return err_none();
    case KIND_FLOAT:
        *out = value_float(lua_tonumber(L, index));
        return err_none();
    case KIND_BIGNUM:
        *out = (Value){.kind = VALUE_BIGNUM, .as.text = str_dup(arena, leaf_bignum(L, index))};
        return err_none();
    case KIND_TEXT:
        *out = value_text(str_dup(arena, leaf_str(L, index)));
        if (utf8_find_invalid(out->as.text) != STR_NOT_FOUND) {
            return err_make(ERR_INPUT, "a text is not valid UTF-8");
        }
        return err_none();
    case KIND_SECRET:
        return secret_to_value(L, index, arena, out);
    case KIND_LIST:
    case KIND_MAP:
        break;
    case KIND_OTHER:
        if (lua_type(L, index) == LUA_TTABLE) {
            return table_to_value(L, index, arena, depth, out);
        }
        return err_make(ERR_INPUT, "a %s is no value", luaL_typename(L, index));
    }
    const LeafRef *ref = leaf_view(L, index);
    if (ref != NULL) return view_to_value(ref, arena, out);
    return leaf_kind(L, index) == KIND_LIST ? list_to_value(L, index, arena, depth, out)
                                            : map_to_value(L, index, arena, depth, out);
}

Err leaf_to_value(lua_State *L, int index, Arena *arena, Value *out) {
    int top = lua_gettop(L);
    Err err = to_value(L, lua_absindex(L, index), arena, 0, out);
    lua_settop(L, top);
    return err;
}

// --- JSON straight to Lua -----------------------------------------------------------------------

// The reader's scratch buffer is on the C heap, so it is owned by a userdata that is collected
// whatever happens.
static int reader_collect(lua_State *L) {
    json_reader_release(lua_touserdata(L, 1));
    return 0;
}

static JsonReader *new_reader(lua_State *L, Str text) {
    JsonReader *reader = lua_newuserdatauv(L, sizeof *reader, 0);
    json_reader_init(reader, text, (JsonLimits){0});
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, reader_collect);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    return reader;
}

// Puts the value at the top where it belongs: into the list below, under the key below, or leaves
// it as the result.
static void place(lua_State *L, int base) {
    if (lua_gettop(L) == base + 1) return;
    if (leaf_kind(L, -2) == KIND_LIST) {
        leaf_list_add(L, -2);
    } else {
        leaf_map_put(L, -3);
    }
}

static bool push_scalar(lua_State *L, const JsonReader *reader, JsonToken token) {
    switch (token) {
    case JSON_NULL:
        leaf_push_null(L);
        return true;
    case JSON_TRUE:
        lua_pushboolean(L, 1);
        return true;
    case JSON_FALSE:
        lua_pushboolean(L, 0);
        return true;
    case JSON_INT:
        lua_pushinteger(L, reader->integer);
        return true;
    case JSON_FLOAT:
        lua_pushnumber(L, reader->real);
        return true;
    case JSON_BIGNUM:
        leaf_push_bignum(L, reader->token);
        return true;
    case JSON_TEXT:
        leaf_push_str(L, reader->token);
        return true;
    case JSON_ERROR:
    case JSON_END:
    case JSON_KEY:
    case JSON_LIST_START:
    case JSON_LIST_END:
    case JSON_MAP_START:
    case JSON_MAP_END:
        return false;
    }
    return false;
}

void leaf_push_json(lua_State *L, Str text, LeafErrorKind kind, const char *what) {
    JsonReader *reader = new_reader(L, text);
    int base = lua_gettop(L);
    uint64_t tokens = 0;
    for (;;) {
        luaL_checkstack(L, 6, "too deeply nested");
        if (++tokens % 256 == 0) leaf_charge(L, 256);
        JsonToken token = json_next(reader);
        if (token == JSON_END) break;
        if (token == JSON_ERROR) {
            Err err = reader->err;
            if (vm_of(L)->is_private) err = err_make(err.code, "it is not JSON");
            leaf_raise(L, err.code == ERR_LIMIT ? LEAF_ERROR_LIMIT : kind, "%s: %s", what,
                       err.text);
        }
        if (token == JSON_KEY) {
            leaf_push_str(L, reader->token);
        } else if (token == JSON_LIST_START) {
            leaf_new_list(L, 0);
        } else if (token == JSON_MAP_START) {
            leaf_new_map(L, 0);
        } else {
            if (token != JSON_LIST_END && token != JSON_MAP_END) push_scalar(L, reader, token);
            place(L, base);
        }
    }
    json_reader_release(reader);
    json_reader_init(reader, (Str){0}, (JsonLimits){0});  // for the collector
    lua_replace(L, base);
}

// --- numbers as text ----------------------------------------------------------------------------

bool leaf_parse_int(Str text, int64_t *out) {
    return text.len > 0 && text.len < 32 && str_to_int(text, out);
}

// Decimal with optional sign, fraction and exponent: what Java's Double.parseDouble takes of it,
// less hexadecimal and type suffixes.
static bool is_decimal(Str text) {
    size_t i = 0, digits = 0;
    if (i < text.len && (text.ptr[i] == '-' || text.ptr[i] == '+')) i++;
    for (; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++) digits++;
    if (i < text.len && text.ptr[i] == '.') {
        for (i++; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++) digits++;
    }
    if (digits == 0) return false;
    if (i < text.len && (text.ptr[i] == 'e' || text.ptr[i] == 'E')) {
        size_t exponent = 0;
        i++;
        if (i < text.len && (text.ptr[i] == '-' || text.ptr[i] == '+')) i++;
        for (; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++) exponent++;
        if (exponent == 0) return false;
    }
    return i == text.len;
}

bool leaf_parse_number(Str text, Number *out) {
    *out = (Number){0};
    if (leaf_parse_int(text, &out->integer)) return true;
    if (text.len == 0 || text.len > 400 || !is_decimal(text)) return false;
    bool has_point = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '.' || c == 'e' || c == 'E') has_point = true;
    }
    if (!has_point) return false;  // an integer out of range
    char copy[401];
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    out->is_float = true;
    out->real = strtod(copy, NULL);
    return true;
}

// --- secrets inside -----------------------------------------------------------------------------

static bool holds_secret(lua_State *L, int index, int depth) {
    Kind kind = leaf_kind(L, index);
    if (kind == KIND_SECRET) return true;
    if ((kind != KIND_LIST && kind != KIND_MAP) || depth > VALUE_DEPTH_MAX) return false;
    const LeafRef *ref = leaf_view(L, index);
    if (ref != NULL) return ref->kind == LEAF_REF_VALUE && value_has_secret(ref->value);
    luaL_checkstack(L, 4, NULL);
    bool found = false;
    size_t count = lua_rawlen(L, index);
    for (size_t i = 0; i < count && !found; i++) {
        if (kind == KIND_LIST) {
            lua_rawgeti(L, index, (lua_Integer)i + 1);
        } else {
            leaf_push_member(L, index, i);
        }
        found = holds_secret(L, lua_gettop(L), depth + 1);
        lua_pop(L, kind == KIND_LIST ? 1 : 2);
    }
    return found;
}

bool leaf_holds_secret(lua_State *L, int index) {
    return vm_of(L)->has_secrets && holds_secret(L, lua_absindex(L, index), 0);
}

// --- what task modules see ----------------------------------------------------------------------

static int map_next(lua_State *L) {
    lua_Integer i = lua_tointeger(L, lua_upvalueindex(1));
    for (;;) {
        i++;
        lua_rawgeti(L, 1, i);
        if (lua_isnil(L, -1)) return 1;
        lua_pushvalue(L, -1);
        if (lua_rawget(L, 1) != LUA_TNIL) break;
        lua_pop(L, 2);
    }
    lua_pushinteger(L, i);
    lua_replace(L, lua_upvalueindex(1));
    return 2;
}

// pairs() over a map goes in its order and shows members only.
static int map_pairs(lua_State *L) {
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, map_next, 1);
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

static int map_newindex(lua_State *L) {
    lua_settop(L, 3);
    if (lua_type(L, 2) != LUA_TSTRING) return luaL_error(L, "keys of a map are texts");
    if (lua_isnil(L, 3)) return 0;
    leaf_map_put(L, 1);
    return 0;
}

static int protect(lua_State *L, Meta meta) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm_of(L)->meta_refs[meta]);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    return lua_gettop(L);
}

void leaf_values_open(lua_State *L) {
    for (int meta = 0; meta < META_COUNT; meta++) {
        int table = protect(L, (Meta)meta);
        if (meta == META_MAP || meta == META_ENTRY) {
            lua_pushcfunction(L, map_pairs);
            lua_setfield(L, table, "__pairs");
            lua_pushcfunction(L, map_newindex);
            lua_setfield(L, table, "__newindex");
        }
        lua_pop(L, 1);
    }
}
