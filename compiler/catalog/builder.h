// builder.h - what the parts of the reader of catalog files share; nobody else includes it.
#ifndef FLOW_CATALOG_BUILDER_H
#define FLOW_CATALOG_BUILDER_H

#include "base/attributes.h"
#include "catalog/rows.h"

typedef LIST_OF(uint32_t) Words;

// Finds the place of a byte sequence among those seen: open addressing.
typedef struct Seen {
    uint32_t *slots;  // offset + 1
    uint32_t count, size;
} Seen;

typedef struct FileEntry {
    uint32_t number;
    Value content;
    Str group;
} FileEntry;

typedef struct TypeEntry {
    TypeRow row;
    Str name;
    const ValueMap *map;
    uint32_t file, index;
    Value aliases;
} TypeEntry;

typedef struct NamedEntry {  // a definition or a set
    Str group, name;
    const ValueMap *map;
    uint32_t file;
    bool is_kind;
} NamedEntry;

struct RowBuilder {
    Arena *arena;
    const Tables *parent;
    RowReport report;
    RowPath path;
    LIST_OF(FileEntry) files;
    LIST_OF(TypeEntry) types;
    LIST_OF(NamedEntry) defs, sets;
    LIST_OF(PropRow) props;
    LIST_OF(OutputRow) outputs;
    LIST_OF(VersionRow) versions;
    LIST_OF(NameRow) names;
    DefRow *def_rows;
    SetRow *set_rows;
    Words words, item_types;
    Buffer pool;  // released by rows_finish
    Seen seen_texts, seen_facts;
    Str group;  // of the file being read
};

// Reports what is wrong at the current path.
void row_mistake(RowBuilder *builder, const char *format, ...) FORMAT_LIKE(2, 3);
void row_unknown_key(RowBuilder *builder, Str key, const char *what);
// The current path.
void row_enter(RowBuilder *builder, Str key);
void row_enter_item(RowBuilder *builder, uint32_t index);
void row_leave(RowBuilder *builder);

Str row_pool_text(const RowBuilder *builder, uint32_t at);
RowText row_add_text(RowBuilder *builder, Str text);
void row_add_word(RowBuilder *builder, Words *words, uint32_t word);
uint32_t row_add_sequence(RowBuilder *builder, const Words *sequence);
void row_add_fact(RowBuilder *builder, Words *facts, Fact fact, uint32_t word);
// A list of texts as one fact.
void row_add_text_fact(RowBuilder *builder, Words *facts, Fact fact, const Value *value);
uint32_t row_end_facts(RowBuilder *builder, Words *facts);

// False, (Str){0} after a report where the value is something else.
bool row_want_map(RowBuilder *builder, const Value *value);
bool row_want_list(RowBuilder *builder, const Value *value);
Str row_want_text(RowBuilder *builder, const Value *value);
bool row_want_bool(RowBuilder *builder, const Value *value);

typedef struct FlagName {
    const char *name;
    uint32_t flag;
} FlagName;

// False where the member is none of the flags.
bool row_read_flag(RowBuilder *builder, const FlagName *names, size_t count,
                   const ValueMember *member, uint32_t *flags);
// The members of a map, sorted by key.
const ValueMember **row_sorted_members(RowBuilder *builder, const ValueMap *map);
// Index + 1 among entries sorted by group and name, or 0.
uint32_t row_find_named(const NamedEntry *items, uint32_t count, Str group, Str name);
// `list<map<$Name>>` as a type word.
uint32_t row_parse_type(RowBuilder *builder, Str text);
// A `properties:` map as rows; `value` may be NULL.
void row_read_props(RowBuilder *builder, const Value *value, uint32_t *first, uint32_t *count);
DefRow row_read_def(RowBuilder *builder, const NamedEntry *entry);
void row_read_type(RowBuilder *builder, TypeEntry *entry);
void rows_make_hash(Arena *arena, Tables *tables);

#define BASE_GROUP STR("_base")

static inline uint32_t type_word(ValueType kind, uint32_t ref) {
    return (uint32_t)kind << ROW_TYPE_SHIFT | ref;
}

#endif
