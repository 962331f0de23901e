// print.c - text forms of Lua values: null prints nothing, lists and maps print as compact JSON in
// which null members of maps are left out, a secret prints as ******.
#include "leaf/machine.h"

#include <math.h>

#include "base/crypto.h"

Buffer *leaf_scratch(lua_State *L) {
    LeafVm *vm = vm_of(L);
    if (vm->scratch_used == SCRATCH_COUNT) {
        leaf_raise(L, LEAF_ERROR_LIMIT, "the expression is nested too deeply");
    }
    Buffer *buffer = &vm->scratch[vm->scratch_used++];
    // A buffer that has grown far is not kept for ever.
    if (buffer->capacity > (1 << 20)) buffer_release(buffer);
    buffer_clear(buffer);
    return buffer;
}

void leaf_scratch_end(lua_State *L) {
    LeafVm *vm = vm_of(L);
    if (vm->scratch_used == 0) return;
    vm->scratch_used--;
    if (vm->is_private) {
        Buffer *buffer = &vm->scratch[vm->scratch_used];
        if (buffer->ptr != NULL) wipe(buffer->ptr, buffer->capacity);
    }
}

void leaf_push_scratch(lua_State *L) {
    LeafVm *vm = vm_of(L);
    leaf_push_str(L, buffer_str(&vm->scratch[vm->scratch_used - 1]));
    leaf_scratch_end(L);
}

void leaf_check_size(lua_State *L, const Buffer *buffer) {
    if (buffer->len <= vm_of(L)->limits.bytes && buffer->len <= TEXT_MAX) return;
    leaf_raise(L, LEAF_ERROR_LIMIT, "a text would have more than %zu MiB",
               (vm_of(L)->limits.bytes < TEXT_MAX ? vm_of(L)->limits.bytes : TEXT_MAX) >> 20);
}

static void print_float_json(Buffer *out, double real) {
    bool is_plain = isfinite(real);
    if (!is_plain) buffer_add_char(out, '"');
    value_print_float(out, real);
    if (!is_plain) buffer_add_char(out, '"');
}

static void print_int(Buffer *out, int64_t integer) {
    char digits[24];
    size_t at = sizeof digits;
    uint64_t rest = integer < 0 ? 0 - (uint64_t)integer : (uint64_t)integer;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (integer < 0) digits[--at] = '-';
    buffer_add_bytes(out, digits + at, sizeof digits - at);
}

static void print_json(lua_State *L, int index, Buffer *out, int depth);

static void print_list(lua_State *L, int index, Buffer *out, int depth) {
    size_t count = lua_rawlen(L, index);
    buffer_add_char(out, '[');
    for (size_t i = 1; i <= count; i++) {
        if (i > 1) buffer_add_char(out, ',');
        lua_rawgeti(L, index, (lua_Integer)i);
        print_json(L, lua_gettop(L), out, depth + 1);
        lua_pop(L, 1);
    }
    buffer_add_char(out, ']');
}

// The member of a map that `for` or `merge` hands out: a map of its own, {key: value}.
static void print_entry_json(lua_State *L, int index, Buffer *out, int depth) {
    buffer_add_char(out, '{');
    leaf_map_at(L, index, STR("value"));
    if (leaf_kind(L, -1) != KIND_NULL) {
        leaf_map_at(L, index, STR("key"));
        buffer_add_json(out, leaf_to_str(L, -1));
        buffer_add_char(out, ':');
        lua_pop(L, 1);
        print_json(L, lua_gettop(L), out, depth + 1);
    }
    lua_pop(L, 1);
    buffer_add_char(out, '}');
}

static void print_map(lua_State *L, int index, Buffer *out, int depth) {
    if (leaf_has_meta(L, index, META_ENTRY)) {
        print_entry_json(L, index, out, depth);
        return;
    }
    size_t count = lua_rawlen(L, index);
    bool is_first = true;
    buffer_add_char(out, '{');
    for (size_t i = 0; i < count; i++) {
        leaf_push_member(L, index, i);
        if (leaf_kind(L, -1) != KIND_NULL) {
            if (!is_first) buffer_add_char(out, ',');
            is_first = false;
            buffer_add_json(out, leaf_str(L, -2));
            buffer_add_char(out, ':');
            print_json(L, lua_gettop(L), out, depth + 1);
        }
        lua_pop(L, 2);
    }
    buffer_add_char(out, '}');
}

static void print_container(lua_State *L, int index, Buffer *out, int depth) {
    const LeafRef *ref = leaf_view(L, index);
    if (ref != NULL && ref->kind == LEAF_REF_VALUE) {
        json_write(out, ref->value, JSON_COMPACT, JSON_DROP_NULLS);
        return;
    }
    if (ref != NULL) {
        Arena *arena = vm_of(L)->run != NULL ? vm_of(L)->run->arena : &vm_of(L)->arena;
        Value value = ref->source->whole(ref->source->self, ref->at, arena);
        json_write(out, value, JSON_COMPACT, JSON_DROP_NULLS);
        return;
    }
    if (depth > VALUE_DEPTH_MAX) {
        leaf_raise(L, LEAF_ERROR_LIMIT, "a value is nested deeper than %d levels", VALUE_DEPTH_MAX);
    }
    luaL_checkstack(L, 6, NULL);
    leaf_check_size(L, out);
    // A value that holds itself twice, 45 levels deep, is small and prints for hours.
    leaf_charge(L, 4 + lua_rawlen(L, index) / 4);
    if (leaf_kind(L, index) == KIND_LIST) {
        print_list(L, index, out, depth);
    } else {
        print_map(L, index, out, depth);
    }
}

static void print_json(lua_State *L, int index, Buffer *out, int depth) {
    switch (leaf_kind(L, index)) {
    case KIND_ABSENT:
    case KIND_NULL:
        buffer_add(out, STR("null"));
        return;
    case KIND_BOOL:
        buffer_add(out, lua_toboolean(L, index) ? STR("true") : STR("false"));
        return;
    case KIND_INT:
        print_int(out, lua_tointeger(L, index));
        return;
    case KIND_FLOAT:
        print_float_json(out, lua_tonumber(L, index));
        return;
    case KIND_BIGNUM:
        buffer_add(out, leaf_bignum(L, index));
        return;
    case KIND_TEXT:
        buffer_add_json(out, leaf_str(L, index));
        return;
    case KIND_SECRET:
        buffer_add(out, STR("\"******\""));
        return;
    case KIND_UNDEFINED:
        leaf_raise_undefined(L, index);
    case KIND_LIST:
    case KIND_MAP:
        print_container(L, index, out, depth);
        return;
    case KIND_OTHER:
        leaf_raise(L, LEAF_ERROR_TYPE, "a function is no value");
    }
}

void leaf_print_json(lua_State *L, int index, Buffer *out) {
    print_json(L, lua_absindex(L, index), out, 0);
    leaf_check_size(L, out);
}

// The member of a map that `for` hands out prints as key=value.
static void print_entry(lua_State *L, int index, Buffer *out) {
    leaf_map_at(L, index, STR("key"));
    leaf_print(L, -1, out);
    buffer_add_char(out, '=');
    leaf_map_at(L, index, STR("value"));
    if (leaf_kind(L, -1) == KIND_NULL) {
        buffer_add(out, STR("null"));
    } else {
        leaf_print(L, -1, out);
    }
    lua_pop(L, 2);
}

void leaf_print(lua_State *L, int index, Buffer *out) {
    index = lua_absindex(L, index);
    switch (leaf_kind(L, index)) {
    case KIND_ABSENT:
    case KIND_NULL:
        return;
    case KIND_TEXT:
        buffer_add(out, leaf_str(L, index));
        break;
    case KIND_FLOAT:
        value_print_float(out, lua_tonumber(L, index));
        return;
    case KIND_SECRET:
        buffer_add(out, STR("******"));
        return;
    case KIND_MAP:
        if (leaf_has_meta(L, index, META_ENTRY)) {
            print_entry(L, index, out);
            break;
        }
        leaf_print_json(L, index, out);
        break;
    case KIND_BOOL:
    case KIND_INT:
    case KIND_BIGNUM:
    case KIND_UNDEFINED:
    case KIND_LIST:
    case KIND_OTHER:
        leaf_print_json(L, index, out);
        break;
    }
    leaf_check_size(L, out);
}

Str leaf_to_str(lua_State *L, int index) {
    index = lua_absindex(L, index);
    if (lua_type(L, index) != LUA_TSTRING) {
        Buffer *buffer = leaf_scratch(L);
        leaf_print(L, index, buffer);
        leaf_push_scratch(L);
        lua_replace(L, index);
    }
    return leaf_str(L, index);
}
