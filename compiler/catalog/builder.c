// builder.c - texts, words and mistakes while catalog files are read: what the other parts stand
// on.
//
// Equal texts and equal facts are kept once.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalog/builder.h"

// --- mistakes -----------------------------------------------------------------------------------

void row_mistake(RowBuilder *builder, const char *format, ...) {
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    builder->report.mistake(builder->report.self, &builder->path,
                            str_dup(builder->arena, str_from(text)));
    builder->path.is_key = false;
}

void row_enter(RowBuilder *builder, Str key) {
    if (builder->path.depth < ROW_PATH_MAX) builder->path.keys[builder->path.depth] = key;
    builder->path.depth++;
}

void row_enter_item(RowBuilder *builder, uint32_t index) {
    if (builder->path.depth < ROW_PATH_MAX) {
        builder->path.keys[builder->path.depth] = (Str){0};
        builder->path.index[builder->path.depth] = index;
    }
    builder->path.depth++;
}

void row_leave(RowBuilder *builder) {
    builder->path.depth--;
}

// --- texts, words -------------------------------------------------------------------------------

static uint32_t seen_slot(const Seen *seen, uint32_t hash) {
    return hash & (seen->size - 1);
}

static void seen_grow(RowBuilder *builder, Seen *seen,
                      uint32_t (*hash_at)(RowBuilder *, uint32_t)) {
    if (seen->size != 0 && seen->count * 2 < seen->size) return;
    Seen bigger = {.size = seen->size == 0 ? 1024 : seen->size * 2, .count = seen->count};
    bigger.slots = arena_array(builder->arena, uint32_t, bigger.size);
    for (uint32_t i = 0; i < seen->size; i++) {
        if (seen->slots[i] == 0) continue;
        uint32_t slot = seen_slot(&bigger, hash_at(builder, seen->slots[i] - 1));
        while (bigger.slots[slot] != 0) slot = (slot + 1) & (bigger.size - 1);
        bigger.slots[slot] = seen->slots[i];
    }
    *seen = bigger;
}

Str row_pool_text(const RowBuilder *builder, uint32_t at) {
    const uint8_t *bytes = (const uint8_t *)builder->pool.ptr + at;
    return (Str){(const char *)bytes + 2, (size_t)(bytes[0] | bytes[1] << 8)};
}

static uint32_t text_hash_at(RowBuilder *builder, uint32_t at) {
    return str_hash(row_pool_text(builder, at));
}

RowText row_add_text(RowBuilder *builder, Str text) {
    if (text.len == 0) return 0;
    if (text.len > 0xffff) {
        row_mistake(builder, "the text has %zu bytes; at most 65535 are possible", text.len);
        return 0;
    }
    Seen *seen = &builder->seen_texts;
    seen_grow(builder, seen, text_hash_at);
    uint32_t slot = seen_slot(seen, str_hash(text));
    for (; seen->slots[slot] != 0; slot = (slot + 1) & (seen->size - 1)) {
        if (str_eq(row_pool_text(builder, seen->slots[slot] - 1), text))
            return seen->slots[slot] - 1;
    }
    uint32_t at = (uint32_t)builder->pool.len;
    buffer_add_u16(&builder->pool, (uint16_t)text.len);
    buffer_add(&builder->pool, text);
    seen->slots[slot] = at + 1;
    seen->count++;
    return at;
}

void row_add_word(RowBuilder *builder, Words *words, uint32_t word) {
    *LIST_ADD(builder->arena, words, uint32_t) = word;
}

// A sequence of `words` starts with its length; equal ones are kept once.
static uint32_t words_hash_at(RowBuilder *builder, uint32_t at) {
    const uint32_t *words = builder->words.items + at;
    return str_hash((Str){(const char *)words, (words[-1]) * sizeof *words});
}

uint32_t row_add_sequence(RowBuilder *builder, const Words *sequence) {
    if (sequence->count == 0) return 0;
    Seen *seen = &builder->seen_facts;
    seen_grow(builder, seen, words_hash_at);
    size_t size = sequence->count * sizeof *sequence->items;
    uint32_t slot = seen_slot(seen, str_hash((Str){(const char *)sequence->items, size}));
    for (; seen->slots[slot] != 0; slot = (slot + 1) & (seen->size - 1)) {
        const uint32_t *other = builder->words.items + seen->slots[slot] - 1;
        if (other[-1] == sequence->count && memcmp(other, sequence->items, size) == 0) {
            return seen->slots[slot] - 1;
        }
    }
    row_add_word(builder, &builder->words, sequence->count);
    uint32_t at = builder->words.count;
    for (uint32_t i = 0; i < sequence->count; i++) {
        row_add_word(builder, &builder->words, sequence->items[i]);
    }
    seen->slots[slot] = at + 1;
    seen->count++;
    return at;
}

void row_add_fact(RowBuilder *builder, Words *facts, Fact fact, uint32_t word) {
    row_add_word(builder, facts, (uint32_t)fact | 1u << 8);
    row_add_word(builder, facts, word);
}

uint32_t row_end_facts(RowBuilder *builder, Words *facts) {
    if (facts->count == 0) return 0;
    row_add_word(builder, facts, FACT_END);
    return row_add_sequence(builder, facts);
}

// --- reading values -----------------------------------------------------------------------------

bool row_want_map(RowBuilder *builder, const Value *value) {
    if (value->kind == VALUE_MAP) return true;
    row_mistake(builder, "expected a map, received %s", value_kind_name(value->kind));
    return false;
}

bool row_want_list(RowBuilder *builder, const Value *value) {
    if (value->kind == VALUE_LIST) return true;
    row_mistake(builder, "expected a list, received %s", value_kind_name(value->kind));
    return false;
}

Str row_want_text(RowBuilder *builder, const Value *value) {
    switch (value->kind) {
    case VALUE_TEXT:
    case VALUE_BIGNUM:
        return value->as.text;
    case VALUE_INT:
    case VALUE_FLOAT:
    case VALUE_BOOL:
        return value_to_text(builder->arena, *value);
    case VALUE_NULL:
    case VALUE_UNDEFINED:
    case VALUE_LIST:
    case VALUE_MAP:
    case VALUE_SECRET:
        break;
    }
    row_mistake(builder, "expected text, received %s", value_kind_name(value->kind));
    return (Str){0};
}

bool row_want_bool(RowBuilder *builder, const Value *value) {
    if (value->kind == VALUE_BOOL) return value->as.boolean;
    row_mistake(builder, "expected true or false, received %s", value_kind_name(value->kind));
    return false;
}

void row_unknown_key(RowBuilder *builder, Str key, const char *what) {
    row_enter(builder, key);
    builder->path.is_key = true;
    row_mistake(builder, "unknown key '" STR_FMT "' of %s", STR_ARG(key), what);
    row_leave(builder);
}

// A list of texts as one fact.
void row_add_text_fact(RowBuilder *builder, Words *facts, Fact fact, const Value *value) {
    if (!row_want_list(builder, value)) return;
    const ValueList *list = value->as.list;
    row_add_word(builder, facts, (uint32_t)fact | list->count << 8);
    for (uint32_t i = 0; i < list->count; i++) {
        row_enter_item(builder, i);
        row_add_word(builder, facts,
                     row_add_text(builder, row_want_text(builder, &list->items[i])));
        row_leave(builder);
    }
}

bool row_read_flag(RowBuilder *builder, const FlagName *names, size_t count,
                   const ValueMember *member, uint32_t *flags) {
    for (size_t i = 0; i < count; i++) {
        if (!str_eq(member->key, str_from(names[i].name))) continue;
        if (row_want_bool(builder, &member->value)) *flags |= names[i].flag;
        return true;
    }
    return false;
}

static int compare_members(const void *a, const void *b) {
    const ValueMember *const *left = a, *const *right = b;
    return str_cmp((*left)->key, (*right)->key);
}

// The members of a map, sorted by key.
const ValueMember **row_sorted_members(RowBuilder *builder, const ValueMap *map) {
    const ValueMember **members = arena_array(builder->arena, const ValueMember *, map->count);
    for (uint32_t i = 0; i < map->count; i++) members[i] = &map->members[i];
    qsort(members, map->count, sizeof *members, compare_members);
    return members;
}
