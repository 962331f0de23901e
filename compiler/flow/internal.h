// internal.h - what the files of this module share while a flow is built.
#ifndef FLOW_FLOW_INTERNAL_H
#define FLOW_FLOW_INTERNAL_H

#include "flow/flow.h"

enum { DEFAULTS_MAX = 256, GUESSES_MAX = 500 };

// One entry of `pluginDefaults` or of the project's `defaults`.
typedef struct Default {
    Str type;
    const Node *values;
    bool is_forced, is_project;
    uint32_t order;
} Default;

typedef struct Missing {
    Diag *diag;
    Str name;
    bool is_dynamic;  // templates would be rendered in it
} Missing;

typedef struct Builder {
    Arena *arena;
    Diags *diags;
    Catalog *catalog;
    const FlowOptions *options;
    Flow *flow;
    LIST_OF(Default) defaults;     // most specific first
    LIST_OF(const Def *) objects;  // of the language, made on first use
    // What is missing, and names that nothing here knows: one that stands elsewhere is no second
    // mistake.
    LIST_OF(Missing) missing;
    LIST_OF(Str) strays;
    uint32_t guesses;  // at what was meant: a flow of nothing but slips would take for ever
} Builder;

// Where a value stands: what may be said about it, and how loudly.
typedef struct Level {
    const struct Level *up;
    const Prop *props;
    uint32_t prop_count;
    Str name;          // of the type, or of the property that holds the object
    Str def;           // of an object: the name of its definition
    bool is_certain;   // a mistake here is an error; else a warning at most
    bool is_enforced;  // constraints hold when a flow is saved
    bool is_open;      // unknown names are accepted
} Level;

// --- language.c: what the catalog does not hold -------------------------------------------------

// The flow, an output, … as an object of the catalog's form, built in the arena. NULL: no such.
const Def *language_object(Builder *builder, const char *name);

// --- schema.c -----------------------------------------------------------------------------------

// Checks the members of a map against a level: unknown, deprecated, missing, and each value.
// `skip` names members that somebody else reads (their values are not looked at).
void schema_members(Builder *builder, const Node *map, const Level *level, const char *const *skip,
                    uint32_t skip_count);
// An unknown member of `map`: E0101 with a suggestion or where it belongs.
void schema_unknown(Builder *builder, const Node *map, const Node *key, const Level *level);
// Misspelt members of `map`: E0101, and from then on they are read as what was meant. That keeps
// one slip of the finger one finding: what was meant is neither missing nor unused.
void schema_mend(Builder *builder, const Node *map, const Level *level);
// The same for one name, before a type is known; and for `id` and `type`.
void schema_mend_word(Builder *builder, const Node *map, Str owner, Str name);
void schema_mend_head(Builder *builder, const Node *map, Str owner);
// E0102 is taken back where the name stands elsewhere and was reported there.
void schema_settle(Builder *builder);
// What 2.0 says otherwise: the rewriting of a property, where it says the same.
void migrate_property(Builder *builder, const NodeEntry *entry, const Prop *prop,
                      const Level *level, Diag *diag);
void schema_known(Builder *builder, const NodeEntry *entry, const Prop *prop, const Level *level);
void schema_missing(Builder *builder, const Level *level, Span at, Str owner,
                    const Node *(*find)(const void *self, Str name), const void *self);
const Prop *level_prop(const Level *level, Str name);
DiagLevel level_weight(const Level *level);  // of a finding there
// Levels of a type; `is_versioned`: the task names another version of the plugin.
Level level_of_type(const TaskType *type, bool is_versioned, const Level *up);
// The type a `type:` names: found, of the right kind, not old, in the targets asked for; NULL where
// unknown (reported).
const TaskType *schema_type(Builder *builder, const Node *type_node, TypeKind kind);
const char *kind_word(TypeKind kind);

// --- schema_value.c -----------------------------------------------------------------------------

// A value against its type: its shape, and everything in it.
void schema_value(Builder *builder, const Node *node, const Prop *prop, const PropType *type,
                  const Level *level);
// E0104 of a key with nothing behind it: `wanted` is needed, `empty` (or NULL) means the same as
// leaving the key out.
void schema_nothing(Builder *builder, const Node *node, Str name, const char *wanted,
                    const char *empty, const Level *level);

// --- moved.c ------------------------------------------------------------------------------------

// A key that recovery put into `map`, from a column between two levels, and that `map` does not
// know but a level around it does: its finding then says so. False where that is not so.
bool moved_out(Builder *builder, const Node *map, const Node *key, const Level *level);
// The same for all keys of a map that may have any: `level` holds the map.
void moved_out_of_free(Builder *builder, const Node *map, const Level *level);

// --- literal.c ----------------------------------------------------------------------------------

void literal_check(Builder *builder, const Node *node, const Prop *prop, const PropType *type,
                   const Level *level);

// --- defaults.c ---------------------------------------------------------------------------------

void defaults_read(Builder *builder, const Node *node, bool is_project);
// The properties of a map of a type: its own, then those that defaults supply.
void defaults_properties(Builder *builder, const Node *map, Str type_name, Properties *out);
void defaults_check(Builder *builder);

// --- templated.c --------------------------------------------------------------------------------

// The task in the text of a TemplatedTask; the node itself where it is none, or not known yet.
Node *templated_task(Builder *builder, Node *node);

// --- tasks.c, decls.c ---------------------------------------------------------------------------

TaskGroup *build_group(Builder *builder, Node *node, TaskList list, Task *parent);
Retry *build_retry(Builder *builder, const Node *node);
void build_inputs(Builder *builder, const Node *list, Str prefix, void *inputs);
void build_outputs(Builder *builder, const Node *list);
void build_triggers(Builder *builder, const Node *list);
void build_holes(Builder *builder, const Node *node);
// The text of a scalar; empty for anything else.
Str node_text(const Node *node);
bool node_bool(const Node *node, bool otherwise);
// Milliseconds of a literal duration; 0 where it is none.
int64_t node_milliseconds(const Node *node);
bool node_is_absent(const Node *node);  // NULL, a null, or a hole
// `key:` without a value. The server's reader makes an empty text of it, not a null.
bool node_is_nothing(const Node *node);

#endif
