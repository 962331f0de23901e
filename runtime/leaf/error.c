// error.c - how an evaluation fails: error objects with kind, name, site and message.
//
// The object is a Lua table, so that a task module that calls us under pcall sees something it can
// print. Messages are cut at 1,000 bytes, at a character's edge.
#include "leaf/machine.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

enum { MESSAGE_SIZE = 1000 };

const char *leaf_error_kind_name(LeafErrorKind kind) {
    switch (kind) {
    case LEAF_ERROR_NONE:
        return "none";
    case LEAF_ERROR_UNDEFINED:
        return "undefined";
    case LEAF_ERROR_TYPE:
        return "type";
    case LEAF_ERROR_ARG:
        return "arg";
    case LEAF_ERROR_VALUE:
        return "value";
    case LEAF_ERROR_ACCESS:
        return "access";
    case LEAF_ERROR_SECRET:
        return "secret";
    case LEAF_ERROR_KV:
        return "kv";
    case LEAF_ERROR_FILE:
        return "file";
    case LEAF_ERROR_LIMIT:
        return "limit";
    case LEAF_ERROR_UNKNOWN:
        return "unknown";
    case LEAF_ERROR_OTHER:
        return "other";
    }
    return "other";
}

static Str whole_characters(Str text) {
    size_t bad = utf8_find_invalid(text);
    return bad != STR_NOT_FOUND && bad + 4 > text.len ? str_slice(text, 0, bad) : text;
}

void leaf_raise_named(lua_State *L, LeafErrorKind kind, Str name, Str message) {
    LeafVm *vm = vm_of(L);
    vm->scratch_used = 0;
    luaL_checkstack(L, 6, NULL);
    lua_createtable(L, 0, 4);
    lua_pushinteger(L, kind);
    lua_setfield(L, -2, "kind");
    lua_pushinteger(L, vm->site);
    lua_setfield(L, -2, "site");
    leaf_push_str(L, name);
    lua_setfield(L, -2, "name");
    leaf_push_str(L, message);
    lua_setfield(L, -2, "message");
    leaf_set_meta(L, META_ERROR);
    lua_error(L);
    __builtin_unreachable();
}

void leaf_raise(lua_State *L, LeafErrorKind kind, const char *format, ...) {
    char text[MESSAGE_SIZE];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t size = len < 0 ? 0 : (size_t)len < sizeof text ? (size_t)len : sizeof text - 1;
    leaf_raise_named(L, kind, (Str){0}, whole_characters((Str){text, size}));
}

void leaf_raise_err(lua_State *L, LeafErrorKind kind, const Err *err) {
    leaf_raise(L, err->code == ERR_LIMIT ? LEAF_ERROR_LIMIT : kind, "%s", err->text);
}

void leaf_charge(lua_State *L, uint64_t steps) {
    LeafVm *vm = vm_of(L);
    LeafBudget *budget = vm->budget;
    if (budget == NULL) return;
    budget->steps += steps;
    if (budget->steps <= budget->steps_max) return;
    if (budget->spent == LEAF_SPENT_NOTHING) budget->spent = LEAF_SPENT_STEPS;
    leaf_raise(L, LEAF_ERROR_LIMIT, "the expression needs more than %llu steps",
               (unsigned long long)budget->steps_max);
}

const char *leaf_kind_text(Kind kind) {
    switch (kind) {
    case KIND_ABSENT:
        return "nothing";
    case KIND_NULL:
        return "null";
    case KIND_UNDEFINED:
        return "something undefined";
    case KIND_BOOL:
        return "a boolean";
    case KIND_INT:
        return "an integer";
    case KIND_FLOAT:
        return "a number";
    case KIND_BIGNUM:
        return "an integer beyond 64 bits";
    case KIND_TEXT:
        return "a text";
    case KIND_LIST:
        return "a list";
    case KIND_MAP:
        return "a map";
    case KIND_SECRET:
        return "a secret";
    case KIND_OTHER:
        return "a value that is not of the language";
    }
    return "a value";
}

const char *leaf_quote(lua_State *L, int index, char out[96]) {
    Kind kind = leaf_kind(L, index);
    if (vm_of(L)->is_private) return "'******'";
    if (kind != KIND_TEXT && (kind & KINDS_NUMBER) == 0 && kind != KIND_BOOL) {
        return leaf_kind_text(kind);
    }
    Buffer *buffer = leaf_scratch(L);
    leaf_print(L, index, buffer);
    Str text = buffer_str(buffer);
    Str cut = whole_characters(str_slice(text, 0, 80));
    size_t at = 0;
    out[at++] = '\'';
    for (size_t i = 0; i < cut.len; i++) {
        out[at++] = (unsigned char)cut.ptr[i] < 0x20 ? ' ' : cut.ptr[i];
    }
    const char *tail = cut.len < text.len ? "...'" : "'";
    memcpy(out + at, tail, strlen(tail) + 1);
    leaf_scratch_end(L);
    return out;
}

// Lua's own messages are the machine's limits, or our mistakes.
static void take_foreign(lua_State *L, LeafError *error) {
    size_t len = 0;
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : "";
    Str message = {text, len};
    error->kind = LEAF_ERROR_LIMIT;
    if (str_find(message, STR("stack overflow"), 0) != STR_NOT_FOUND) {
        error->message = STR("the expression calls itself too deeply");
    } else if (str_find(message, STR("not enough memory"), 0) != STR_NOT_FOUND ||
               str_find(message, STR("too large"), 0) != STR_NOT_FOUND) {
        error->message = STR("the expression needs more memory than it may have");
    } else {
        error->kind = LEAF_ERROR_OTHER;
    }
}

void leaf_error_take(lua_State *L, Arena *arena, LeafError *error) {
    *error = (LeafError){.kind = LEAF_ERROR_OTHER};
    if (!leaf_has_meta(L, -1, META_ERROR)) {
        take_foreign(L, error);
        if (error->kind == LEAF_ERROR_OTHER) {
            size_t len = 0;
            const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : "";
            error->message = len > 0 ? str_dup(arena, (Str){text, len})
                                     : STR("the evaluation failed for an unknown reason");
        }
        return;
    }
    // Raw access: nothing here may raise.
    int table = lua_gettop(L);
    lua_pushnil(L);
    while (lua_next(L, table) != 0) {
        Str key = leaf_str(L, -2);
        if (str_eq(key, STR("kind"))) error->kind = (LeafErrorKind)lua_tointeger(L, -1);
        if (str_eq(key, STR("site"))) error->site = (uint32_t)lua_tointeger(L, -1);
        if (str_eq(key, STR("name"))) error->name = str_dup(arena, leaf_str(L, -1));
        if (str_eq(key, STR("message"))) error->message = str_dup(arena, leaf_str(L, -1));
        lua_pop(L, 1);
    }
}

static int error_to_text(lua_State *L) {
    lua_getfield(L, 1, "message");
    return 1;
}

void leaf_error_open(lua_State *L) {
    LeafVm *vm = vm_of(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->meta_refs[META_ERROR]);
    lua_pushcfunction(L, error_to_text);
    lua_setfield(L, -2, "__tostring");
    lua_pop(L, 1);
}
