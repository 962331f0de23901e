// import.h - a JSON schema of plugins -> a catalog file.
#ifndef FLOW_CATALOG_IMPORT_H
#define FLOW_CATALOG_IMPORT_H

#include "catalog/catalog.h"

typedef struct ImportOptions {
    Str group;      // of the new file; empty: made of the first type's name
    Str type;       // what the schema describes, where it does not say so itself
    Str kind;       // of all types; empty: guessed from their properties
    Str prefix;     // only types whose names begin so; empty: all
    bool is_whole;  // also types that the catalog knows
} ImportOptions;

typedef struct Imported {
    Value file;  // in the form of a catalog file: see stdlib/catalog/_base.yaml
    uint32_t count, known;
} Imported;

// Reads three forms: the schema of whole flows that a server gives (definitions by class), its
// description of one plugin (`schema: {properties, outputs}`), and a plain schema of one type. What
// has no counterpart in the catalog becomes `any`; nothing is made stricter than it was.
// ERR_INPUT: no schema of that kind.
MUST_CHECK Err catalog_import(Catalog *catalog, Value schema, const ImportOptions *options,
                              Arena *arena, Imported *out);

#endif
