// rows.h - how the catalog lies in memory: fixed-width rows of 32-bit words and one pool of texts.
//
// The same layout serves the rows the build generates (`static const`, no pointer in them, so they
// cost no relocation and no start time) and those read from a private catalog at run time. A text
// is an offset into the pool, where a 16-bit length precedes the bytes; 0 is the empty text. Lists
// and rare facts are sequences in `words`; 0 is "none". A reference to a definition or a property
// set may carry ROW_PARENT: it counts in the tables the private catalog was built upon.
#ifndef FLOW_CATALOG_ROWS_H
#define FLOW_CATALOG_ROWS_H

#include "catalog/catalog.h"

typedef uint32_t RowText;

enum { ROW_PARENT = 1 << 22, ROW_REF_MASK = (1 << 22) - 1, ROW_TYPE_SHIFT = 24 };
enum { ROW_ALIAS = 0x40000000 };  // of a NameRow's type: the name is an alias

typedef struct NameRow {
    RowText text;
    uint32_t type;  // index | ROW_ALIAS
} NameRow;

typedef struct TypeRow {
    RowText name, doc, group;
    uint32_t kind;  // TypeKind | TypeExec << 8
    uint32_t flags;
    uint32_t props, prop_count;  // own properties, sorted by name
    uint32_t uses;               // list of set references, in the order in which they are merged
    uint32_t outputs, output_count;
    uint32_t facts;
} TypeRow;

// A group of `groups:`, or the properties every type of a kind has (`name` is the kind then).
typedef struct SetRow {
    RowText group, name;
    uint32_t props, prop_count;
} SetRow;

typedef struct PropRow {
    RowText name;
    uint32_t type;   // a type word: ValueType << 24 | reference
    uint32_t flags;  // PROP_ bits | PropMode << 24
    uint32_t facts;
} PropRow;

enum { OUTPUT_ROW_DEPRECATED = 1 };

typedef struct OutputRow {
    RowText name;
    uint32_t type;
    uint32_t flags;
} OutputRow;

typedef struct DefRow {
    RowText group, name;
    uint32_t kind;  // ValueType | flags << 8
    uint32_t props, prop_count;
    uint32_t facts;
} DefRow;

typedef enum VersionKind {
    VERSION_ABSENT,      // the type or property does not exist in those targets
    VERSION_DEPRECATED,  // it draws a warning there
    VERSION_REQUIRED,    // the property must be given there
    VERSION_VALUE,       // `value` of the property is not accepted there
} VersionKind;

// What targets differ in. `type` may end in `*`, or be a kind ("task", "trigger") or "retry".
typedef struct VersionRow {
    RowText type, prop;
    uint32_t kind;     // VersionKind
    uint32_t targets;  // TARGET_ bits
    RowText value, use;
} VersionRow;

// Rare facts of a row: FACT | count << 8, then `count` words; the sequence ends with 0.
typedef enum Fact {
    FACT_END,
    FACT_DEFAULT,  // text: JSON
    FACT_DEFAULT_DOC,
    FACT_PATTERN,
    FACT_CHECK,
    FACT_MIN,  // text: a number
    FACT_MAX,
    FACT_MIN_LEN,  // the number itself
    FACT_MAX_LEN,
    FACT_VALUES,
    FACT_ALIASES,
    FACT_ANY_OF,  // type words
    FACT_METRICS,
    FACT_EXTRA_CHECKS,
    FACT_EXACTLY_ONE,  // one fact a group
    FACT_DISCRIMINATOR,
    FACT_VARIANTS,  // key, definition, key, definition …
    FACT_PLUGINS,
    FACT_EXTERNAL,
} Fact;

typedef struct Tables {
    const struct Tables *parent;  // NULL of the built-in ones
    const char *pool;
    const uint32_t *words;
    const NameRow *names;
    const TypeRow *types;  // sorted by name
    const SetRow *sets;    // sorted by group, name
    const PropRow *props;
    const OutputRow *outputs;
    const DefRow *defs;            // sorted by group, name
    const VersionRow *versions;    // sorted by prop, type
    const uint32_t *item_types;    // type words that list<> and map<> refer to
    const uint32_t *displacement;  // of the perfect hash over `names`
    const uint32_t *slots;         // name index + 1; 0: empty
    uint32_t pool_size, word_count, name_count, type_count, set_count, prop_count, output_count,
        def_count, version_count, item_type_count, bucket_count, slot_count;
    char digest[65];  // of the files they were made from
} Tables;

extern const Tables catalog_builtin;

static inline Str row_text(const Tables *tables, RowText at) {
    const uint8_t *bytes = (const uint8_t *)tables->pool + at;
    return (Str){(const char *)bytes + 2, (size_t)(bytes[0] | bytes[1] << 8)};
}

// Fills in the perfect hash; `names` must be there.
void rows_make_hash(Arena *arena, Tables *tables);
// Index into names + 1, or 0.
uint32_t rows_find_name(const Tables *tables, Str name);
// Index + 1 of the row with that group and name, or 0.
uint32_t rows_find_def(const Tables *tables, Str group, Str name);
uint32_t rows_find_set(const Tables *tables, Str group, Str name);

// --- building -----------------------------------------------------------------------------------

// Where in a catalog file something is: keys from the top; an item of a list is its number, in
// `index`, with an empty key.
enum { ROW_PATH_MAX = 8 };

typedef struct RowPath {
    uint32_t file;
    Str keys[ROW_PATH_MAX];
    uint32_t index[ROW_PATH_MAX];
    uint32_t depth;
    bool is_key;  // the key itself is meant, not its value
} RowPath;

typedef struct RowReport {
    void (*mistake)(void *self, const RowPath *path, Str message);
    void *self;
} RowReport;

typedef struct RowBuilder RowBuilder;

RowBuilder *rows_new(Arena *arena, const Tables *parent, RowReport report);
// One catalog file, by its number in the reports. What it holds is borrowed.
void rows_add_file(RowBuilder *builder, uint32_t file, Value content);
// `_versions.yaml`.
void rows_add_versions(RowBuilder *builder, uint32_t file, Value content);
// Resolves names and gives the tables, in the arena. What is wrong was reported and left out.
const Tables *rows_finish(RowBuilder *builder, const char *digest);

#endif
