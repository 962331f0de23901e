// catalog.h - all task types the compiler knows: properties, outputs, constraints; facts as static
// tables.
//
// Built-in rows are generated at build time into `static const` tables with 32-bit offsets (design
// §4.12); private catalogs (--catalog) are read into the same row layout at run time and win over
// built-in rows.
#ifndef FLOW_CATALOG_CATALOG_H
#define FLOW_CATALOG_CATALOG_H

#include "diag/diag.h"
#include "syntax/syntax.h"
#include "type/type.h"
#include "value/value.h"

typedef enum TypeKind {
    KIND_TASK,
    KIND_TRIGGER,
    KIND_CONDITION,
    KIND_RUNNER,
    KIND_ASSET,
    KIND_ADDITIONAL,
    KIND_CHART,
    KIND_FILTER,
    KIND_STORAGE,
    KIND_LOG_EXPORTER,
    KIND_ASSET_EXPORTER,
    KIND_COUNT,
} TypeKind;

typedef enum TypeExec { EXEC_RUNNABLE, EXEC_FLOWABLE, EXEC_EXECUTABLE, EXEC_OTHER } TypeExec;

enum {
    TYPE_DEPRECATED = 1,
    TYPE_INTERNAL = 2,
    TYPE_BETA = 4,
    TYPE_INFERRED = 8,
    TYPE_AS_OF = 16,
    TYPE_OPEN = 32,
    TYPE_OPEN_TYPE = 64,
    TYPE_OUTPUTS_OPEN = 128,
    TYPE_EXTENSION = 256,
    TYPE_POLLING = 512,
    TYPE_REALTIME = 1024,
    TYPE_NO_OUTPUTS = 2048,
    TYPE_HAS_MODULE = 4096,  // a module in stdlib implements it
    TYPE_PRIVATE = 8192,     // from a private catalog
};

enum {
    PROP_REQUIRED = 1,
    PROP_SECRET = 2,
    PROP_STORAGE_URI = 4,
    PROP_CASCADE = 8,
    PROP_DEPRECATED = 16,
    PROP_HIDDEN = 32,
    PROP_CUSTOM_PARSER = 64,
    PROP_SETTER_ONLY = 128,
    PROP_NON_EMPTY = 256,
    PROP_NON_BLANK = 512,
    PROP_HAS_MIN = 1024,
    PROP_HAS_MAX = 2048,
    PROP_HAS_DEFAULT = 4096,
    PROP_EXTENSION = 8192,
    PROP_INFERRED = 16384,
    PROP_ITEM = 32768,  // rendered for each item of a file, with the item's names
};

typedef enum PropMode {
    MODE_STATIC,
    MODE_LEAF,
    MODE_FULL
} PropMode;  // `dynamic:` absent, leaf, full

typedef enum ValueType {
    T_STRING,
    T_INT,
    T_NUMBER,
    T_BOOL,
    T_DURATION,
    T_DATETIME,
    T_DATE,
    T_TIME,
    T_TIMEZONE,
    T_URI,
    T_ANY,
    T_ENCRYPTED,
    T_LIST,
    T_MAP,
    T_LABELS,
    T_DATA,
    T_TASK,
    T_TRIGGER,
    T_CONDITION,
    T_RUNNER,
    T_LOG_EXPORTER,
    T_ASSET,
    T_ASSET_EXPORTER,
    T_ENUM,
    T_OBJECT,
    T_PLUGIN,
    T_EXTERNAL,
} ValueType;

// A type of a value. `item` of LIST and MAP, `def` of ENUM, OBJECT, PLUGIN, EXTERNAL.
typedef struct PropType {
    ValueType kind;
    const struct PropType *item;
    const struct Def *def;
} PropType;

typedef struct Prop {
    Str name;
    PropType type;
    PropMode mode;
    uint32_t flags;
    Value default_value;  // null where there is none or it is computed
    Str pattern, check;
    double min, max;
    int64_t min_len, max_len;  // -1: none
    const Str *values;         // documented values of a string
    uint32_t value_count;
    const Str *aliases;
    uint32_t alias_count;
    const PropType *any_of;
    uint32_t any_of_count;
    Str default_doc;  // a default that is documented and applied in code; JSON or words
} Prop;

enum {
    DEF_LOOSE = 1,
    DEF_FROM_SDK = 2,
    DEF_FROM_STRING = 4,
    DEF_OPEN = 8,      // unknown properties are accepted
    DEF_NUMBERS = 16,  // of an enum: numbers are expected, `values` are their digits
};

typedef struct Def {
    Str name;
    ValueType kind;  // T_ENUM, T_OBJECT, T_PLUGIN, T_EXTERNAL
    uint32_t flags;
    const Str *values;  // of an enum
    uint32_t value_count;
    const Prop *props;  // of an object
    uint32_t prop_count;
    Str discriminator;  // of an object with variants
    const struct DefVariant *variants;
    uint32_t variant_count;
    const Str *plugins;  // of a plugin base: type names
    uint32_t plugin_count;
    Str external;  // class of a third-party library
} Def;

typedef struct DefVariant {
    Str key;
    const Def *def;
} DefVariant;

typedef struct Output {
    Str name;
    PropType type;
    bool is_deprecated;
} Output;

// Property names of which exactly one must be given.
typedef struct PropChoice {
    const Str *names;
    uint32_t count;
} PropChoice;

typedef struct TaskType {
    Str name;
    TypeKind kind;
    TypeExec exec;
    uint32_t flags;
    Str doc;
    const Prop *props;  // groups and the kind's own merged in, sorted by name
    uint32_t prop_count;
    const Output *outputs;
    uint32_t output_count;
    const Str *aliases;
    uint32_t alias_count;
    Str group;  // the catalog file
    const PropChoice *exactly_one;
    uint32_t exactly_one_count;
    const Str *extra_checks;  // names of cross-property checks of the reference
    uint32_t extra_check_count;
    const Str *metrics;  // name, kind, name, kind …
    uint32_t metric_count;
} TaskType;

typedef struct Catalog Catalog;

// Rows are materialised on demand into `arena`, so a check of one flow touches few of them.
Catalog *catalog_new(Arena *arena);
// Private types from a YAML file in the catalog's own format; mistakes are findings in that file.
void catalog_add(Catalog *catalog, const Sources *sources, const Tree *tree, Diags *diags);
// Exact names and aliases; *alias says whether it was one. NULL where there is none.
const TaskType *catalog_find(Catalog *catalog, Str name, bool *is_alias);
const Prop *type_prop(const TaskType *type, Str name);
const Prop *def_prop(const Def *def, Str name);
const Output *type_output(const TaskType *type, Str name);
const Def *catalog_def(Catalog *catalog, Str group, Str name);
// As a type of the expression language; every field of an object is optional.
const Type *catalog_type(Arena *arena, PropType type);
// The record a task's outputs are; open where the catalog does not know them all.
const Type *catalog_outputs_type(Arena *arena, const TaskType *type);
// "task", "trigger", …: as catalog files and messages say it.
const char *catalog_kind_name(TypeKind kind);
// A type in the catalog's own spelling: `list<map<string>>`, `$Name` for a definition.
void prop_type_print(PropType type, Buffer *out);
// The nearest type name of that kind, or empty.
Str catalog_nearest(Catalog *catalog, TypeKind kind, Str name);
uint32_t catalog_count(const Catalog *catalog);
Str catalog_name_at(const Catalog *catalog, uint32_t index);
Str catalog_digest(const Catalog *catalog);  // hexadecimal

// What versions differ in (_versions.yaml): bits of targets in which a type or property is absent.
enum { TARGET_0_20 = 1, TARGET_1_3 = 2, TARGET_2_0 = 4 };
uint32_t catalog_absent_in(Catalog *catalog, Str type, Str prop);
// What replaces a removed or deprecated type or property in 2.0, or empty.
Str catalog_replacement(Catalog *catalog, Str type, Str prop);
// Targets in which it is deprecated; in which the property is required though `required` is absent;
// in which a value of it is no longer accepted.
uint32_t catalog_deprecated_in(Catalog *catalog, Str type, Str prop);
uint32_t catalog_required_in(Catalog *catalog, Str type, Str prop);
uint32_t catalog_value_absent_in(Catalog *catalog, Str type, Str prop, Str value);

// The modules of stdlib, compiled at build time: what `flowc compile` links.
typedef struct StdModule {
    Str type;  // canonical; or the module name of lib code ("lib.aws")
    Str bytecode;
    uint32_t effects;  // EFFECT_ bits of artifact/plan.h
    const Str *uses;   // lib modules
    uint32_t use_count;
    bool is_lib;
} StdModule;
const StdModule *std_module_find(Str type);
const StdModule *std_modules_all(uint32_t *count);

#endif
