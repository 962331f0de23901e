// value.c - making, reading and comparing values.
//
// A map is an array of members in insertion order; beyond a few members it gets an index, open
// addressing with the position + 1 of the member, at most half full.
#include "value/value.h"

#include <math.h>
#include <string.h>

enum { MAP_INDEX_FROM = 9 };  // below, a linear search is faster than hashing

Value value_list(Arena *arena) {
    return (Value){.kind = VALUE_LIST, .as.list = arena_new(arena, ValueList)};
}

Value value_map(Arena *arena) {
    return (Value){.kind = VALUE_MAP, .as.map = arena_new(arena, ValueMap)};
}

const char *value_kind_name(ValueKind kind) {
    switch (kind) {
    case VALUE_NULL:
        return "null";
    case VALUE_UNDEFINED:
        return "undefined";
    case VALUE_BOOL:
        return "boolean";
    case VALUE_INT:
        return "integer";
    case VALUE_FLOAT:
        return "number";
    case VALUE_BIGNUM:
        return "integer";
    case VALUE_TEXT:
        return "text";
    case VALUE_LIST:
        return "list";
    case VALUE_MAP:
        return "map";
    case VALUE_SECRET:
        return "secret";
    }
    return "value";
}

void value_list_add(Arena *arena, Value list, Value item) {
    *LIST_ADD(arena, list.as.list, Value) = item;
}

static void index_put(ValueMap *map, uint32_t position) {
    uint32_t mask = map->index_size - 1;
    uint32_t slot = str_hash(map->members[position].key) & mask;
    while (map->index[slot] != 0) slot = (slot + 1) & mask;
    map->index[slot] = position + 1;
}

static void index_build(Arena *arena, ValueMap *map) {
    uint32_t size = 32;
    while (size < map->capacity * 2) size *= 2;
    map->index = arena_array(arena, uint32_t, size);
    map->index_size = size;
    for (uint32_t i = 0; i < map->count; i++) index_put(map, i);
}

static ValueMember *find_member(const ValueMap *map, Str key) {
    if (map->index == NULL) {
        for (uint32_t i = 0; i < map->count; i++) {
            if (str_eq(map->members[i].key, key)) return &map->members[i];
        }
        return NULL;
    }
    uint32_t mask = map->index_size - 1;
    for (uint32_t slot = str_hash(key) & mask; map->index[slot] != 0; slot = (slot + 1) & mask) {
        ValueMember *member = &map->members[map->index[slot] - 1];
        if (str_eq(member->key, key)) return member;
    }
    return NULL;
}

void value_map_set(Arena *arena, Value map, Str key, Value value) {
    ValueMember *member = find_member(map.as.map, key);
    if (member != NULL) {
        member->value = value;
        return;
    }
    ValueMap *at = map.as.map;
    uint32_t capacity = at->capacity;
    if (at->count == capacity) {
        at->capacity = arena_next_capacity(at->count);
        at->members = arena_grow(arena, at->members, at->count, at->capacity, sizeof *at->members,
                                 alignof(ValueMember));
    }
    at->members[at->count++] = (ValueMember){key, value};
    if (at->count < MAP_INDEX_FROM) return;
    if (at->index == NULL || at->capacity != capacity) {
        index_build(arena, at);
    } else {
        index_put(at, at->count - 1);
    }
}

const Value *value_map_get(Value map, Str key) {
    if (map.kind != VALUE_MAP) return NULL;
    const ValueMember *member = find_member(map.as.map, key);
    return member == NULL ? NULL : &member->value;
}

Str value_map_get_text(Value map, Str key, Str otherwise) {
    const Value *value = value_map_get(map, key);
    return value != NULL && value->kind == VALUE_TEXT ? value->as.text : otherwise;
}

int64_t value_map_get_int(Value map, Str key, int64_t otherwise) {
    const Value *value = value_map_get(map, key);
    return value != NULL && value->kind == VALUE_INT ? value->as.integer : otherwise;
}

bool value_map_get_bool(Value map, Str key, bool otherwise) {
    const Value *value = value_map_get(map, key);
    return value != NULL && value->kind == VALUE_BOOL ? value->as.boolean : otherwise;
}

bool value_map_remove(Value map, Str key) {
    ValueMap *at = map.as.map;
    ValueMember *member = find_member(at, key);
    if (member == NULL) return false;
    uint32_t position = (uint32_t)(member - at->members);
    memmove(member, member + 1, (at->count - position - 1) * sizeof *member);
    at->count--;
    if (at->index != NULL) {
        memset(at->index, 0, at->index_size * sizeof *at->index);
        for (uint32_t i = 0; i < at->count; i++) index_put(at, i);
    }
    return true;
}

Value value_copy(Arena *arena, Value value) {
    switch (value.kind) {
    case VALUE_NULL:
    case VALUE_BOOL:
    case VALUE_INT:
    case VALUE_FLOAT:
        return value;
    case VALUE_UNDEFINED:
    case VALUE_BIGNUM:
    case VALUE_TEXT: {
        Value copy = value;
        copy.as.text = str_dup(arena, value.as.text);
        return copy;
    }
    case VALUE_LIST: {
        Value copy = value_list(arena);
        for (uint32_t i = 0; i < value.as.list->count; i++) {
            value_list_add(arena, copy, value_copy(arena, value.as.list->items[i]));
        }
        return copy;
    }
    case VALUE_MAP: {
        Value copy = value_map(arena);
        for (uint32_t i = 0; i < value.as.map->count; i++) {
            const ValueMember *member = &value.as.map->members[i];
            value_map_set(arena, copy, str_dup(arena, member->key),
                          value_copy(arena, member->value));
        }
        return copy;
    }
    case VALUE_SECRET: {
        Value *recipe = arena_new(arena, Value);
        *recipe = value_copy(arena, *value.as.secret);
        return (Value){.kind = VALUE_SECRET, .as.secret = recipe};
    }
    }
    return value_null();
}

static bool int_equals_float(int64_t integer, double real) {
    // 2^63 is the first double above every int64.
    if (!(real >= -9223372036854775808.0 && real < 9223372036854775808.0)) return false;
    return real == trunc(real) && (int64_t)real == integer;
}

static bool maps_equal(const ValueMap *a, const ValueMap *b) {
    if (a->count != b->count) return false;
    for (uint32_t i = 0; i < a->count; i++) {
        const ValueMember *other = find_member(b, a->members[i].key);
        if (other == NULL || !value_equal(a->members[i].value, other->value)) return false;
    }
    return true;
}

static bool lists_equal(const ValueList *a, const ValueList *b) {
    if (a->count != b->count) return false;
    for (uint32_t i = 0; i < a->count; i++) {
        if (!value_equal(a->items[i], b->items[i])) return false;
    }
    return true;
}

bool value_equal(Value a, Value b) {
    if (a.kind == VALUE_INT && b.kind == VALUE_FLOAT) {
        return int_equals_float(a.as.integer, b.as.real);
    }
    if (a.kind == VALUE_FLOAT && b.kind == VALUE_INT) {
        return int_equals_float(b.as.integer, a.as.real);
    }
    if (a.kind != b.kind) return false;
    switch (a.kind) {
    case VALUE_NULL:
        return true;
    case VALUE_UNDEFINED:
        return true;
    case VALUE_BOOL:
        return a.as.boolean == b.as.boolean;
    case VALUE_INT:
        return a.as.integer == b.as.integer;
    case VALUE_FLOAT:
        return a.as.real == b.as.real;
    case VALUE_BIGNUM:
    case VALUE_TEXT:
        return str_eq(a.as.text, b.as.text);
    case VALUE_LIST:
        return lists_equal(a.as.list, b.as.list);
    case VALUE_MAP:
        return maps_equal(a.as.map, b.as.map);
    case VALUE_SECRET:
        return value_equal(*a.as.secret, *b.as.secret);
    }
    return false;
}

bool value_has_secret(Value value) {
    if (value.kind == VALUE_SECRET) return true;
    if (value.kind == VALUE_LIST) {
        for (uint32_t i = 0; i < value.as.list->count; i++) {
            if (value_has_secret(value.as.list->items[i])) return true;
        }
    }
    if (value.kind == VALUE_MAP) {
        for (uint32_t i = 0; i < value.as.map->count; i++) {
            if (value_has_secret(value.as.map->members[i].value)) return true;
        }
    }
    return false;
}

Value value_restore_secrets(Arena *arena, Value value) {
    if (value.kind == VALUE_LIST) {
        for (uint32_t i = 0; i < value.as.list->count; i++) {
            value.as.list->items[i] = value_restore_secrets(arena, value.as.list->items[i]);
        }
        return value;
    }
    if (value.kind != VALUE_MAP) return value;
    ValueMap *map = value.as.map;
    for (uint32_t i = 0; i < map->count; i++) {
        map->members[i].value = value_restore_secrets(arena, map->members[i].value);
    }
    bool is_secret = map->count == 1 && str_eq(map->members[0].key, STR("$secret")) &&
                     map->members[0].value.kind == VALUE_MAP;
    if (!is_secret) return value;
    Value *recipe = arena_new(arena, Value);
    *recipe = map->members[0].value;
    return (Value){.kind = VALUE_SECRET, .as.secret = recipe};
}

// --- text forms ---------------------------------------------------------------------------------

void value_print(Buffer *out, Value value) {
    switch (value.kind) {
    case VALUE_NULL:
    case VALUE_UNDEFINED:
        return;
    case VALUE_TEXT:
    case VALUE_BIGNUM:
        buffer_add(out, value.as.text);
        return;
    case VALUE_BOOL:
    case VALUE_INT:
    case VALUE_FLOAT:
    case VALUE_LIST:
    case VALUE_MAP:
        json_write(out, value, JSON_COMPACT, JSON_DROP_NULLS);
        return;
    case VALUE_SECRET:
        buffer_add(out, STR("******"));
        return;
    }
}

Str value_to_text(Arena *arena, Value value) {
    if (value.kind == VALUE_TEXT || value.kind == VALUE_BIGNUM) return value.as.text;
    Buffer text = {0};
    value_print(&text, value);
    Str copy = buffer_to_str(&text, arena);
    buffer_release(&text);
    return copy;
}
