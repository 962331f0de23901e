// type.c - making types, joining and comparing them.
#include "type/type.h"

#include <stdlib.h>

// --- making -------------------------------------------------------------------------------------

static const Type any = {.tag = TYPE_TAG_ANY};
static const Type never = {.tag = TYPE_TAG_NEVER};
static const Type null_type = {.tag = TYPE_TAG_NULL};
static const Type boolean = {.tag = TYPE_TAG_BOOL};
static const Type integer = {.tag = TYPE_TAG_INT};
static const Type real = {.tag = TYPE_TAG_FLOAT};
static const Type *const number_members[] = {&integer, &real};
static const Type number = {.tag = TYPE_TAG_UNION, .members = number_members, .count = 2};

const Type *type_any(void) {
    return &any;
}

const Type *type_never(void) {
    return &never;
}

const Type *type_null(void) {
    return &null_type;
}

const Type *type_bool(void) {
    return &boolean;
}

const Type *type_int(void) {
    return &integer;
}

const Type *type_float(void) {
    return &real;
}

const Type *type_number(void) {
    return &number;
}

const Type *type_text(TextKind kind) {
    static const Type texts[] = {
        [TEXT_PLAIN] = {.tag = TYPE_TAG_TEXT  },
        [TEXT_LITERALS] = {                    .tag = TYPE_TAG_TEXT                     },
        [TEXT_DATETIME] = { .tag = TYPE_TAG_TEXT,                      .text = TEXT_DATETIME},
        [TEXT_DATE] = {                      .tag = TYPE_TAG_TEXT,                      .text = TEXT_DATE},
        [TEXT_TIME] = {                      .tag = TYPE_TAG_TEXT,                      .text = TEXT_TIME},
        [TEXT_DURATION] = {                      .tag = TYPE_TAG_TEXT,                      .text = TEXT_DURATION},
        [TEXT_URI] = {                      .tag = TYPE_TAG_TEXT,                      .text = TEXT_URI},
        [TEXT_FILE] = {                      .tag = TYPE_TAG_TEXT,                      .text = TEXT_FILE},
        [TEXT_JSON] = {                      .tag = TYPE_TAG_TEXT,          .text = TEXT_JSON, .item = &any},
        [TEXT_TEMPLATE] = {                             .tag = TYPE_TAG_TEXT, .text = TEXT_TEMPLATE},
    };
    return &texts[kind];
}

static const Type *with_item(Arena *arena, TypeTag tag, TextKind text, const Type *item) {
    Type *type = arena_new(arena, Type);
    *type = (Type){.tag = tag, .text = text, .item = item};
    return type;
}

const Type *type_list(Arena *arena, const Type *item) {
    return with_item(arena, TYPE_TAG_LIST, TEXT_PLAIN, item);
}

const Type *type_map(Arena *arena, const Type *item) {
    return with_item(arena, TYPE_TAG_MAP, TEXT_PLAIN, item);
}

const Type *type_json(Arena *arena, const Type *content) {
    return with_item(arena, TYPE_TAG_TEXT, TEXT_JSON, content);
}

const Type *type_record(Arena *arena, const TypeField *fields, uint32_t count, bool is_open) {
    Type *type = arena_new(arena, Type);
    *type = (Type){.tag = TYPE_TAG_RECORD, .fields = fields, .count = count, .is_open = is_open};
    return type;
}

static int compare_texts(const void *a, const void *b) {
    return str_cmp(*(const Str *)a, *(const Str *)b);
}

const Type *type_literals(Arena *arena, const Str *texts, uint32_t count) {
    if (count == 0 || count > TYPE_LITERALS_MAX) return type_text(TEXT_PLAIN);
    Str *literals = arena_array(arena, Str, count);
    for (uint32_t i = 0; i < count; i++) literals[i] = texts[i];
    qsort(literals, count, sizeof *literals, compare_texts);
    uint32_t kept = 1;
    for (uint32_t i = 1; i < count; i++) {
        if (!str_eq(literals[i], literals[kept - 1])) literals[kept++] = literals[i];
    }
    Type *type = arena_new(arena, Type);
    *type =
        (Type){.tag = TYPE_TAG_TEXT, .text = TEXT_LITERALS, .literals = literals, .count = kept};
    return type;
}

const Type *type_literal(Arena *arena, Str text) {
    return type_literals(arena, &text, 1);
}

const Type *type_optional(Arena *arena, const Type *type) {
    return type_join(arena, type, &null_type);
}

const Type *type_of_input(Arena *arena, InputType type, InputType item) {
    switch (type) {
    case INPUT_STRING:
    case INPUT_SELECT:
    case INPUT_ENUM:
    case INPUT_SECRET:
    case INPUT_EMAIL:
    case INPUT_TYPE_COUNT:
        return type_text(TEXT_PLAIN);
    case INPUT_INT:
        return &integer;
    case INPUT_FLOAT:
        return &real;
    case INPUT_BOOL:
    case INPUT_BOOLEAN:
        return &boolean;
    case INPUT_MULTISELECT:
    case INPUT_ARRAY:
        return type_list(arena, type_of_input(arena, item, INPUT_STRING));
    case INPUT_DATETIME:
        return type_text(TEXT_DATETIME);
    case INPUT_DATE:
        return type_text(TEXT_DATE);
    case INPUT_TIME:
        return type_text(TEXT_TIME);
    case INPUT_DURATION:
        return type_text(TEXT_DURATION);
    case INPUT_FILE:
        return type_text(TEXT_FILE);
    case INPUT_URI:
        return type_text(TEXT_URI);
    case INPUT_JSON:
    case INPUT_YAML:
        return &any;
    case INPUT_FORM:
        return type_record(arena, NULL, 0, true);
    }
    return &any;
}

static const Type *type_of_map(Arena *arena, const ValueMap *map) {
    TypeField *fields = arena_array(arena, TypeField, map->count);
    for (uint32_t i = 0; i < map->count; i++) {
        fields[i] =
            (TypeField){map->members[i].key, type_of_value(arena, map->members[i].value), false};
    }
    return type_record(arena, fields, map->count, false);
}

const Type *type_of_value(Arena *arena, Value value) {
    switch (value.kind) {
    case VALUE_NULL:
        return &null_type;
    case VALUE_UNDEFINED:
        return &never;
    case VALUE_BOOL:
        return &boolean;
    case VALUE_INT:
    case VALUE_BIGNUM:
        return &integer;
    case VALUE_FLOAT:
        return &real;
    case VALUE_TEXT:
        return type_literal(arena, value.as.text);
    case VALUE_LIST: {
        const Type *item = &never;
        for (uint32_t i = 0; i < value.as.list->count; i++) {
            item = type_join(arena, item, type_of_value(arena, value.as.list->items[i]));
        }
        return type_list(arena, item);
    }
    case VALUE_MAP:
        return type_of_map(arena, value.as.map);
    case VALUE_SECRET:
        return type_text(TEXT_PLAIN);
    }
    return &any;
}

// --- the members of a union ---------------------------------------------------------------------

static uint32_t member_count(const Type *type) {
    if (type->tag == TYPE_TAG_UNION) return type->count;
    return type->tag == TYPE_TAG_NEVER ? 0 : 1;
}

static const Type *member_at(const Type *type, uint32_t i) {
    return type->tag == TYPE_TAG_UNION ? type->members[i] : type;
}

static const TypeField *find_field(const Type *record, Str name) {
    for (uint32_t i = 0; i < record->count; i++) {
        if (str_eq(record->fields[i].name, name)) return &record->fields[i];
    }
    return NULL;
}

static bool has_literal(const Type *type, Str text) {
    for (uint32_t i = 0; i < type->count; i++) {
        if (str_eq(type->literals[i], text)) return true;
    }
    return false;
}

// --- asking -------------------------------------------------------------------------------------

bool type_is_any(const Type *type) {
    return type->tag == TYPE_TAG_ANY;
}

static bool text_accepts(const Type *wanted, const Type *type) {
    if (wanted->text == TEXT_PLAIN) return true;
    if (wanted->text == TEXT_LITERALS) {
        if (type->text != TEXT_LITERALS) return false;
        for (uint32_t i = 0; i < type->count; i++) {
            if (!has_literal(wanted, type->literals[i])) return false;
        }
        return true;
    }
    if (wanted->text == TEXT_JSON) {
        return type->text == TEXT_JSON && type_accepts(wanted->item, type->item);
    }
    return wanted->text == type->text || (wanted->text == TEXT_URI && type->text == TEXT_FILE);
}

static bool record_accepts(const Type *wanted, const Type *type) {
    for (uint32_t i = 0; i < wanted->count; i++) {
        const TypeField *field = &wanted->fields[i];
        const TypeField *given = find_field(type, field->name);
        if (given == NULL) {
            if (!field->is_optional || type->is_open) return false;
            continue;
        }
        if (given->is_optional && !field->is_optional) return false;
        if (!type_accepts(field->type, given->type)) return false;
    }
    if (wanted->is_open) return true;
    for (uint32_t i = 0; i < type->count; i++) {
        if (find_field(wanted, type->fields[i].name) == NULL) return false;
    }
    return !type->is_open;
}

static bool map_accepts(const Type *wanted, const Type *type) {
    if (type->tag == TYPE_TAG_MAP) return type_accepts(wanted->item, type->item);
    if (type->is_open && !type_is_any(wanted->item)) return false;
    for (uint32_t i = 0; i < type->count; i++) {
        if (!type_accepts(wanted->item, type->fields[i].type)) return false;
    }
    return true;
}

bool type_accepts(const Type *wanted, const Type *type) {
    if (wanted == type || wanted->tag == TYPE_TAG_ANY || type->tag == TYPE_TAG_NEVER) return true;
    if (type->tag == TYPE_TAG_ANY) return false;
    if (type->tag == TYPE_TAG_UNION) {
        for (uint32_t i = 0; i < type->count; i++) {
            if (!type_accepts(wanted, type->members[i])) return false;
        }
        return true;
    }
    if (wanted->tag == TYPE_TAG_UNION) {
        for (uint32_t i = 0; i < wanted->count; i++) {
            if (type_accepts(wanted->members[i], type)) return true;
        }
        return false;
    }
    if (wanted->tag == TYPE_TAG_MAP && type->tag == TYPE_TAG_RECORD) {
        return map_accepts(wanted, type);
    }
    if (wanted->tag != type->tag) return false;
    switch (wanted->tag) {
    case TYPE_TAG_TEXT:
        return text_accepts(wanted, type);
    case TYPE_TAG_LIST:
        return type_accepts(wanted->item, type->item);
    case TYPE_TAG_MAP:
        return map_accepts(wanted, type);
    case TYPE_TAG_RECORD:
        return record_accepts(wanted, type);
    case TYPE_TAG_ANY:
    case TYPE_TAG_NEVER:
    case TYPE_TAG_NULL:
    case TYPE_TAG_BOOL:
    case TYPE_TAG_INT:
    case TYPE_TAG_FLOAT:
    case TYPE_TAG_UNION:
        return true;
    }
    return false;
}

bool type_equal(const Type *a, const Type *b) {
    if (a == b) return true;
    if ((a->tag == TYPE_TAG_ANY) != (b->tag == TYPE_TAG_ANY)) return false;
    return type_accepts(a, b) && type_accepts(b, a);
}

static bool is_number(const Type *type) {
    return type->tag == TYPE_TAG_INT || type->tag == TYPE_TAG_FLOAT;
}

static bool is_map(const Type *type) {
    return type->tag == TYPE_TAG_MAP || type->tag == TYPE_TAG_RECORD;
}

// Neither is a union, any or never.
static bool members_disjoint(const Type *a, const Type *b) {
    if (is_number(a) && is_number(b)) return false;
    if (is_map(a) && is_map(b)) return false;
    if (a->tag != b->tag) return true;
    if (a->tag != TYPE_TAG_TEXT || a->text != TEXT_LITERALS || b->text != TEXT_LITERALS) {
        return false;
    }
    for (uint32_t i = 0; i < a->count; i++) {
        if (has_literal(b, a->literals[i])) return false;
    }
    return true;
}

bool type_disjoint(const Type *a, const Type *b) {
    if (a->tag == TYPE_TAG_NEVER || b->tag == TYPE_TAG_NEVER) return true;
    if (a->tag == TYPE_TAG_ANY || b->tag == TYPE_TAG_ANY) return false;
    for (uint32_t i = 0; i < member_count(a); i++) {
        for (uint32_t j = 0; j < member_count(b); j++) {
            if (!members_disjoint(member_at(a, i), member_at(b, j))) return false;
        }
    }
    return true;
}

bool type_may_be(const Type *type, TypeTag tag) {
    if (type->tag == TYPE_TAG_ANY) return true;
    for (uint32_t i = 0; i < member_count(type); i++) {
        if (member_at(type, i)->tag == tag) return true;
    }
    return false;
}

bool type_must_be(const Type *type, TypeTag tag) {
    for (uint32_t i = 0; i < member_count(type); i++) {
        if (member_at(type, i)->tag != tag) return false;
    }
    return member_count(type) > 0;
}

// --- calculating --------------------------------------------------------------------------------

static const Type *join_literals(Arena *arena, const Type *a, const Type *b) {
    uint32_t count = a->count + b->count;
    Str *texts = arena_array(arena, Str, count);
    for (uint32_t i = 0; i < a->count; i++) texts[i] = a->literals[i];
    for (uint32_t i = 0; i < b->count; i++) texts[a->count + i] = b->literals[i];
    return type_literals(arena, texts, count);
}

static const Type *values_of(Arena *arena, const Type *type) {
    if (type->tag == TYPE_TAG_MAP) return type->item;
    const Type *item = type->is_open ? &any : &never;
    for (uint32_t i = 0; i < type->count; i++) item = type_join(arena, item, type->fields[i].type);
    return item;
}

static const Type *join_records(Arena *arena, const Type *a, const Type *b) {
    TypeField *fields = arena_array(arena, TypeField, a->count + b->count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < a->count; i++) {
        const TypeField *other = find_field(b, a->fields[i].name);
        fields[count] = a->fields[i];
        if (other == NULL) {
            fields[count].is_optional = true;
        } else {
            fields[count].type = type_join(arena, a->fields[i].type, other->type);
            fields[count].is_optional = a->fields[i].is_optional || other->is_optional;
        }
        count++;
    }
    for (uint32_t i = 0; i < b->count; i++) {
        if (find_field(a, b->fields[i].name) != NULL) continue;
        fields[count] = b->fields[i];
        fields[count++].is_optional = true;
    }
    return type_record(arena, fields, count, a->is_open || b->is_open);
}

// One type for two members of the same make, or NULL where they stay apart.
static const Type *merge_members(Arena *arena, const Type *a, const Type *b) {
    if (type_accepts(a, b)) return a;
    if (type_accepts(b, a)) return b;
    if (a->tag == TYPE_TAG_RECORD && b->tag == TYPE_TAG_RECORD) return join_records(arena, a, b);
    if (is_map(a) && is_map(b)) {
        return type_map(arena, type_join(arena, values_of(arena, a), values_of(arena, b)));
    }
    if (a->tag != b->tag) return NULL;
    if (a->tag == TYPE_TAG_LIST) return type_list(arena, type_join(arena, a->item, b->item));
    if (a->tag != TYPE_TAG_TEXT || a->text != b->text) return NULL;
    if (a->text == TEXT_JSON) return type_json(arena, type_join(arena, a->item, b->item));
    return a->text == TEXT_LITERALS ? join_literals(arena, a, b) : NULL;
}

static const Type *from_members(Arena *arena, const Type **members, uint32_t count) {
    if (count == 0) return &never;
    if (count == 1) return members[0];
    if (count > TYPE_MEMBERS_MAX) return &any;
    const Type **copy = arena_array(arena, const Type *, count);
    for (uint32_t i = 0; i < count; i++) copy[i] = members[i];
    Type *type = arena_new(arena, Type);
    *type = (Type){.tag = TYPE_TAG_UNION, .members = copy, .count = count};
    return type;
}

// Adds a member, merging with those that are there; a merge may make further ones redundant.
static uint32_t add_member(Arena *arena, const Type **members, uint32_t count, const Type *member) {
    for (uint32_t i = 0; i < count; i++) {
        const Type *merged = merge_members(arena, members[i], member);
        if (merged == NULL) continue;
        members[i] = members[count - 1];
        return add_member(arena, members, count - 1, merged);
    }
    members[count] = member;
    return count + 1;
}

const Type *type_join(Arena *arena, const Type *a, const Type *b) {
    if (a->tag == TYPE_TAG_ANY || b->tag == TYPE_TAG_ANY) return &any;
    if (type_accepts(a, b)) return a;
    if (type_accepts(b, a)) return b;
    const Type *members[TYPE_MEMBERS_MAX * 2];
    uint32_t count = 0;
    for (uint32_t i = 0; i < member_count(a); i++) {
        count = add_member(arena, members, count, member_at(a, i));
    }
    for (uint32_t i = 0; i < member_count(b); i++) {
        count = add_member(arena, members, count, member_at(b, i));
    }
    return from_members(arena, members, count);
}

static const Type *meet_literals(Arena *arena, const Type *a, const Type *b, bool is_kept) {
    Str *texts = arena_array(arena, Str, a->count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < a->count; i++) {
        if (has_literal(b, a->literals[i]) == is_kept) texts[count++] = a->literals[i];
    }
    return count == 0 ? &never : type_literals(arena, texts, count);
}

static const Type *meet_members(Arena *arena, const Type *a, const Type *b) {
    if (type_accepts(a, b)) return b;
    if (type_accepts(b, a)) return a;
    if (is_map(a) && is_map(b)) return a->tag == TYPE_TAG_RECORD ? a : b;
    if (a->tag != b->tag) return &never;
    if (a->tag == TYPE_TAG_LIST) return type_list(arena, type_meet(arena, a->item, b->item));
    if (a->tag != TYPE_TAG_TEXT) return a;
    if (a->text == TEXT_LITERALS && b->text == TEXT_LITERALS) {
        return meet_literals(arena, a, b, true);
    }
    return a->text == TEXT_LITERALS ? a : b;  // a literal may well be a date: the narrower is kept
}

const Type *type_meet(Arena *arena, const Type *a, const Type *b) {
    if (a->tag == TYPE_TAG_ANY) return b;
    if (b->tag == TYPE_TAG_ANY) return a;
    const Type *result = &never;
    for (uint32_t i = 0; i < member_count(a); i++) {
        for (uint32_t j = 0; j < member_count(b); j++) {
            const Type *both = meet_members(arena, member_at(a, i), member_at(b, j));
            result = type_join(arena, result, both);
        }
    }
    return result;
}

const Type *type_without(Arena *arena, const Type *type, const Type *out) {
    if (type->tag == TYPE_TAG_ANY) return type;
    const Type *members[TYPE_MEMBERS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < member_count(type); i++) {
        const Type *member = member_at(type, i);
        if (type_accepts(out, member)) continue;
        if (member->tag == TYPE_TAG_TEXT && member->text == TEXT_LITERALS &&
            out->tag == TYPE_TAG_TEXT && out->text == TEXT_LITERALS) {
            member = meet_literals(arena, member, out, false);
        }
        members[count++] = member;
    }
    return from_members(arena, members, count);
}

const Type *type_without_null(Arena *arena, const Type *type) {
    return type_without(arena, type, &null_type);
}

const Type *type_element(Arena *arena, const Type *type) {
    if (type->tag == TYPE_TAG_ANY) return type;
    const Type *element = &never;
    for (uint32_t i = 0; i < member_count(type); i++) {
        const Type *member = member_at(type, i);
        if (member->tag == TYPE_TAG_LIST) element = type_join(arena, element, member->item);
        if (is_map(member)) element = type_join(arena, element, values_of(arena, member));
    }
    return element;
}
