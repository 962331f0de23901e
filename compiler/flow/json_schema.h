// json_schema.h - what the files of the JSON schema share.
//
// The schema (draft 07, which editors read) refuses only what the checker calls an error: where a
// fact is uncertain it names the properties and accepts any value. Definitions are made on first
// use and named; equal values share one.
#ifndef FLOW_FLOW_JSON_SCHEMA_H
#define FLOW_FLOW_JSON_SCHEMA_H

#include "flow/internal.h"

typedef struct Definition {
    Str name;
    const void *subject;  // a Def or a TaskType; NULL: an interned value
    bool is_enforced;
    Str text;  // empty while it is being made
} Definition;

typedef struct Export {
    Builder builder;
    Arena *arena;
    uint32_t targets;
    LIST_OF(Definition) definitions;
    LIST_OF(const void *) kinds;  // made by json_typed_schema()
    uint32_t *slots;              // open addressing over interned texts
    uint32_t slot_count, value_count;
} Export;

// A template, as a pattern.
#define PATTERN_TEMPLATE "\\\\{\\\\{|\\\\{%"

// The schema of a value as text: `true`, or a reference. `is_whole`: the property's own bounds
// hold for it, since it is no item of the property.
Str json_value_schema(Export *it, const Prop *prop, const PropType *type, bool is_enforced,
                      bool is_whole);
// `{"type":"object","properties":…}` of a map with these properties; names of `extra` are added.
// `is_strict`: unknown names are refused; `needs_required`: required ones have to be there.
typedef struct JsonObject {
    const Prop *props;
    uint32_t prop_count;
    const Def *extra, *more;
    Str type_name;  // what versions differ in; empty: nothing
    Str doc;
    bool is_certain, is_strict, is_enforced, needs_required;
    // Values given instead of the catalog's: name, schema.
    const struct JsonOverride { const char *name, *schema; } * overrides;
    uint32_t override_count;
} JsonObject;
void json_object_schema(Export *it, const JsonObject *object, Buffer *out);
// A reference to a named definition, made by `make` on first use.
Str json_definition(Export *it, Str name, const void *subject, bool is_enforced,
                    void (*make)(Export *it, const void *subject, bool is_enforced, Buffer *out));
// A reference to a text that may stand in many places.
Str json_interned(Export *it, Str text);
// A map whose `type` names a type of the catalog; `def`: only those it lists.
Str json_typed_schema(Export *it, TypeKind kind, const Def *def, bool is_enforced);
// `^(?:…)$` where the pattern means the same everywhere, else empty.
Str json_pattern(Arena *arena, Str pattern);

#endif
