// context.c - the names a leaf starts from, and what is found below them.
//
// Nothing of the context becomes a Lua table because it is looked at: a list or map of it is a
// view, a userdata around the C value or the object that knows further. What is not there is
// `undefined`, a userdata that says where it arose; it travels through operators and filters, and
// who cannot use it raises. For its message the machine notes the paths of the last few objects it
// handed out.
#include "leaf/machine.h"

#include <stdio.h>
#include <string.h>

typedef struct Undefined {
    UndefinedWhy why;
    uint32_t site;
    Kind parent;        // kind of what had no such member
    uint32_t count;     // items of a list
    uint16_t name_len;  // bytes: name, then the parent's path
    uint16_t path_len;
    char bytes[];
} Undefined;

// --- views --------------------------------------------------------------------------------------

const LeafRef *leaf_view(lua_State *L, int index) {
    if (lua_type(L, index) != LUA_TUSERDATA || !leaf_has_meta(L, index, META_VIEW)) return NULL;
    return lua_touserdata(L, index);
}

void leaf_push_ref(lua_State *L, const LeafRef *ref) {
    if (ref->kind == LEAF_REF_ABSENT) {
        lua_pushnil(L);
        return;
    }
    bool is_view = ref->kind == LEAF_REF_OBJECT || ref->value.kind == VALUE_LIST ||
                   ref->value.kind == VALUE_MAP;
    if (!is_view) {
        leaf_push_value(L, ref->value);
        return;
    }
    LeafRef *view = lua_newuserdatauv(L, sizeof *view, 1);
    *view = *ref;
    leaf_set_meta(L, META_VIEW);
}

static int view_index(lua_State *L) {
    leaf_force(L, 1);
    lua_pushvalue(L, 2);
    lua_gettable(L, 1);
    return 1;
}

static int view_length(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)leaf_count(L, 1));
    return 1;
}

static int view_pairs(lua_State *L) {
    leaf_force(L, 1);
    lua_getglobal(L, "pairs");
    lua_pushvalue(L, 1);
    lua_call(L, 1, 3);
    return 3;
}

// --- paths --------------------------------------------------------------------------------------

static const PathNote *find_note(const LeafVm *vm, const void *object) {
    for (uint32_t i = 1; i <= PATH_COUNT; i++) {
        const PathNote *note = &vm->paths[(vm->path_next - i) % PATH_COUNT];
        if (note->object == object && object != NULL) return note;
        // null has one address for all: only the newest can be meant.
    }
    return NULL;
}

static bool is_name(Str text) {
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
        if (!is_letter && (i == 0 || c < '0' || c > '9')) return false;
    }
    return text.len > 0;
}

// Appends `.key`, `["key"]` or `[1]`; what does not fit is left out.
static size_t join_path(char *out, size_t size, Str parent, lua_State *L, int key) {
    size_t at = parent.len < size ? parent.len : size;
    memcpy(out, parent.ptr == NULL ? "" : parent.ptr, at);
    char number[32];
    Str name = leaf_str(L, key);
    Str open = STR("."), end = {0};
    if (lua_type(L, key) != LUA_TSTRING) {
        int len = snprintf(number, sizeof number, "%lld", (long long)lua_tointeger(L, key));
        name = (Str){number, (size_t)len};
        open = STR("[");
        end = STR("]");
    } else if (!is_name(name)) {
        open = STR("[\"");
        end = STR("\"]");
    } else if (parent.len == 0) {
        open = (Str){0};
    }
    if (at + open.len + name.len + end.len > size) return at;
    memcpy(out + at, open.ptr == NULL ? "" : open.ptr, open.len);
    memcpy(out + at + open.len, name.ptr, name.len);
    at += open.len + name.len;
    memcpy(out + at, end.ptr == NULL ? "" : end.ptr, end.len);
    return at + end.len;
}

// Notes where the value at the top of the stack came from.
static void note_path(lua_State *L, const PathNote *parent, int key, bool is_root) {
    LeafVm *vm = vm_of(L);
    const void *object = lua_topointer(L, -1);
    if (object == NULL) return;
    Str prefix = {0};
    if (parent != NULL) prefix = (Str){parent->text, parent->len};
    if (parent == NULL && !is_root) return;
    PathNote *note = &vm->paths[vm->path_next++ % PATH_COUNT];
    if (note == parent) prefix = (Str){0};
    note->object = object;
    note->is_root = is_root;
    note->len = (uint16_t)join_path(note->text, sizeof note->text, prefix, L, key);
}

// --- undefined ----------------------------------------------------------------------------------

static void push_undefined(lua_State *L, UndefinedWhy why, Str name, Str path, Kind parent,
                           int container) {
    if (name.len > 1000) name.len = 1000;
    Undefined *undefined = lua_newuserdatauv(L, sizeof *undefined + name.len + path.len, 1);
    *undefined = (Undefined){.why = why,
                             .site = vm_of(L)->site,
                             .parent = parent,
                             .name_len = (uint16_t)name.len,
                             .path_len = (uint16_t)path.len};
    if (name.len > 0) memcpy(undefined->bytes, name.ptr, name.len);
    if (path.len > 0) memcpy(undefined->bytes + name.len, path.ptr, path.len);
    if (container != 0) {
        lua_pushvalue(L, container);
        lua_setiuservalue(L, -2, 1);
    }
    leaf_set_meta(L, META_UNDEFINED);
}

void leaf_push_undefined(lua_State *L, Str path) {
    size_t dot = str_find_last_char(path, '.');
    Str name = dot == STR_NOT_FOUND ? path : str_slice(path, dot + 1, path.len);
    Str parent = dot == STR_NOT_FOUND ? (Str){0} : str_slice(path, 0, dot);
    if (parent.len > 1000) parent.len = 1000;
    push_undefined(L, UNDEFINED_PLAIN, name, parent, KIND_OTHER, 0);
}

static Str undefined_name(const Undefined *undefined) {
    return (Str){undefined->bytes, undefined->name_len};
}

static Str undefined_parent(const Undefined *undefined) {
    return (Str){undefined->bytes + undefined->name_len, undefined->path_len};
}

static void print_path(lua_State *L, const Undefined *undefined, Buffer *out) {
    char path[PATH_SIZE + 64];
    Str name = undefined_name(undefined);
    int64_t number;
    if (undefined->why == UNDEFINED_INDEX && leaf_parse_int(name, &number)) {
        lua_pushinteger(L, number);
    } else {
        leaf_push_str(L, name);
    }
    Str parent = undefined_parent(undefined);
    size_t len = join_path(path, sizeof path, parent, L, -1);
    lua_pop(L, 1);
    buffer_add(out, len > parent.len || parent.len > sizeof path ? (Str){path, len} : name);
}

Str leaf_undefined_path(lua_State *L, int index) {
    const Undefined *undefined = lua_touserdata(L, index);
    return undefined_name(undefined);
}

static void print_keys(lua_State *L, int map, Buffer *out) {
    const LeafRef *ref = leaf_view(L, map);
    size_t count = leaf_count(L, map), shown = count > 8 ? 8 : count;
    bool is_table = ref == NULL || ref->kind == LEAF_REF_OBJECT;
    if (count == 0) buffer_add(out, STR("no keys"));
    if (count > 0) buffer_add(out, count == 1 ? STR("the key ") : STR("the keys "));
    for (size_t i = 0; i < shown; i++) {
        if (i > 0) buffer_add(out, STR(", "));
        buffer_add_char(out, '\'');
        if (is_table) {
            lua_rawgeti(L, map, (lua_Integer)i + 1);
            buffer_add(out, str_slice(leaf_str(L, -1), 0, 60));
            lua_pop(L, 1);
        } else {
            buffer_add(out, str_slice(ref->value.as.map->members[i].key, 0, 60));
        }
        buffer_add_char(out, '\'');
    }
    if (shown < count) buffer_printf(out, " and %zu more", count - shown);
}

static void explain(lua_State *L, const Undefined *undefined, int index, Buffer *out) {
    Str parent = undefined_parent(undefined);
    char what[PATH_SIZE + 16];
    if (parent.len > 0) {
        snprintf(what, sizeof what, "'" STR_FMT "'", STR_ARG(parent));
    } else {
        snprintf(what, sizeof what, "what stands before it");
    }
    LeafVm *vm = vm_of(L);
    switch (undefined->why) {
    case UNDEFINED_ROOT:
        if (str_eq(undefined_name(undefined), STR("trigger"))) {
            buffer_add(out, STR(": no trigger started this execution"));
            return;
        }
        if (vm->run != NULL && vm->run->context.names != NULL) {
            size_t before = out->len;
            buffer_add(out, STR(": defined here are "));
            size_t start = out->len;
            vm->run->context.names(vm->run->context.self, out);
            if (out->len == start) out->len = before;
        }
        return;
    case UNDEFINED_KEY:
        lua_getiuservalue(L, index, 1);
        buffer_printf(out, ": %s has ", what);
        print_keys(L, lua_gettop(L), out);
        lua_pop(L, 1);
        return;
    case UNDEFINED_INDEX:
        buffer_printf(out, ": %s is a list of %u item%s", what, undefined->count,
                      undefined->count == 1 ? "" : "s");
        return;
    case UNDEFINED_OF_NULL:
        buffer_printf(out, ": %s is null", what);
        return;
    case UNDEFINED_OF_SCALAR:
        buffer_printf(out, ": %s is %s and has no attributes", what,
                      leaf_kind_text(undefined->parent));
        return;
    case UNDEFINED_PLAIN:
        return;
    }
}

void leaf_raise_undefined(lua_State *L, int index) {
    index = lua_absindex(L, index);
    const Undefined *undefined = lua_touserdata(L, index);
    LeafVm *vm = vm_of(L);
    vm->scratch_used = 0;
    Buffer *message = leaf_scratch(L);
    buffer_add_char(message, '\'');
    bool is_null_root = undefined->why == UNDEFINED_OF_NULL &&
                        str_eq(undefined_name(undefined), undefined_parent(undefined));
    if (is_null_root) {
        buffer_add(message, undefined_name(undefined));
        buffer_add(message, STR("' is null and has no attributes"));
    } else {
        print_path(L, undefined, message);
        buffer_add(message, STR("' is not defined"));
        explain(L, undefined, index, message);
    }
    vm->site = undefined->site;
    Str name = undefined_name(undefined);
    leaf_raise_named(L, LEAF_ERROR_UNDEFINED, name, buffer_str(message));
}

// --- rt.root, rt.get ----------------------------------------------------------------------------

int rt_root(lua_State *L) {
    LeafVm *vm = vm_of(L);
    vm->site = (uint32_t)lua_tointeger(L, 2);
    LeafRef ref = {.kind = LEAF_REF_ABSENT};
    Str name = leaf_str(L, 1);
    if (vm->run != NULL && vm->run->context.root != NULL) {
        ref = vm->run->context.root(vm->run->context.self, name);
    }
    if (ref.kind == LEAF_REF_ABSENT) {
        push_undefined(L, UNDEFINED_ROOT, name, (Str){0}, KIND_ABSENT, 0);
        return 1;
    }
    leaf_push_ref(L, &ref);
    note_path(L, NULL, 1, true);
    return 1;
}

// The missing member of what is at 1, by the key at 2.
static int missing(lua_State *L, Kind parent) {
    LeafVm *vm = vm_of(L);
    const PathNote *note = find_note(vm, lua_topointer(L, 1));
    Str path = {0};
    if (note != NULL) path = (Str){note->text, note->len};
    Str name = leaf_to_str(L, 2);
    if (parent == KIND_NULL) {
        // Of a variable that is null it is the variable that is missing.
        bool is_root = note != NULL && note->is_root;
        char message[PATH_SIZE];
        memcpy(message, path.ptr == NULL ? "" : path.ptr, path.len);
        path.ptr = message;
        push_undefined(L, UNDEFINED_OF_NULL, is_root ? path : name, path, parent, 0);
        return 1;
    }
    UndefinedWhy why = parent == KIND_MAP    ? UNDEFINED_KEY
                       : parent == KIND_LIST ? UNDEFINED_INDEX
                                             : UNDEFINED_OF_SCALAR;
    push_undefined(L, why, name, path, parent, parent == KIND_MAP ? 1 : 0);
    if (parent == KIND_LIST) {
        ((Undefined *)lua_touserdata(L, -1))->count = (uint32_t)leaf_count(L, 1);
    }
    return 1;
}

static int get_from_map(lua_State *L, Kind key) {
    if (key != KIND_TEXT) {
        leaf_raise(L, LEAF_ERROR_TYPE, "a map has texts as keys, not %s%s", leaf_kind_text(key),
                   key == KIND_INT ? ": write the key in quotes" : "");
    }
    const LeafRef *ref = leaf_view(L, 1);
    if (ref == NULL) {
        lua_pushvalue(L, 2);
        lua_rawget(L, 1);
    } else if (ref->kind == LEAF_REF_VALUE) {
        const Value *found = value_map_get(ref->value, leaf_str(L, 2));
        LeafRef member = {.kind = found == NULL ? LEAF_REF_ABSENT : LEAF_REF_VALUE};
        if (found != NULL) member.value = *found;
        leaf_push_ref(L, &member);
    } else {
        LeafRef member = ref->source->get(ref->source->self, ref->at, leaf_str(L, 2));
        leaf_push_ref(L, &member);
    }
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return missing(L, KIND_MAP);
    }
    note_path(L, find_note(vm_of(L), lua_topointer(L, 1)), 2, false);
    return 1;
}

static int get_from_list(lua_State *L, Kind key) {
    int64_t at = -1;
    if (key == KIND_INT) at = lua_tointeger(L, 2);
    if (key == KIND_TEXT && !leaf_parse_int(leaf_str(L, 2), &at)) at = -1;
    if (key == KIND_NULL) leaf_raise(L, LEAF_ERROR_TYPE, "an item of a list cannot be null");
    if (at < 0 || (uint64_t)at >= leaf_count(L, 1)) return missing(L, KIND_LIST);
    leaf_push_item(L, 1, (size_t)at);
    lua_pushinteger(L, at);
    lua_replace(L, 2);
    note_path(L, find_note(vm_of(L), lua_topointer(L, 1)), 2, false);
    return 1;
}

int rt_get(lua_State *L) {
    LeafVm *vm = vm_of(L);
    vm->site = (uint32_t)lua_tointeger(L, 3);
    lua_settop(L, 2);
    Kind parent = leaf_kind(L, 1), key = leaf_kind(L, 2);
    if (parent == KIND_UNDEFINED) {
        lua_settop(L, 1);
        return 1;
    }
    if (key == KIND_UNDEFINED) return 1;
    if (parent == KIND_SECRET || key == KIND_SECRET) {
        leaf_secret_call(L, "operator", "get", 1);
        return 1;
    }
    if (parent == KIND_MAP) return get_from_map(L, key);
    if (parent == KIND_LIST) return get_from_list(L, key);
    return missing(L, parent);
}

static LeafRef map_root(void *self, Str name) {
    const Value *found = value_map_get(*(const Value *)self, name);
    if (found == NULL) return (LeafRef){.kind = LEAF_REF_ABSENT};
    return (LeafRef){.kind = LEAF_REF_VALUE, .value = *found};
}

static void map_names(void *self, Buffer *out) {
    const Value *map = self;
    if (map->kind != VALUE_MAP) return;
    for (uint32_t i = 0; i < map->as.map->count && i < 20; i++) {
        if (i > 0) buffer_add(out, STR(", "));
        buffer_add(out, map->as.map->members[i].key);
    }
}

LeafContext leaf_context_of_map(const Value *map) {
    return (LeafContext){.root = map_root, .names = map_names, .self = (void *)(uintptr_t)map};
}

void leaf_context_open(lua_State *L) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm_of(L)->meta_refs[META_VIEW]);
    lua_pushcfunction(L, view_index);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, view_length);
    lua_setfield(L, -2, "__len");
    lua_pushcfunction(L, view_pairs);
    lua_setfield(L, -2, "__pairs");
    lua_pop(L, 1);
}
