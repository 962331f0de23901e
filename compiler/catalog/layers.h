// layers.h - inside of a Catalog; for the files of this folder.
#ifndef FLOW_CATALOG_LAYERS_H
#define FLOW_CATALOG_LAYERS_H

#include "catalog/rows.h"

typedef struct PropSlice {
    const Prop *props;
    uint32_t count;
} PropSlice;

// Tables and what was made of their rows so far.
typedef struct Layer {
    const Tables *tables;
    TaskType **types;
    Def **defs;
    PropType **items;
    PropSlice *sets;
} Layer;

struct Catalog {
    Arena *arena;
    LIST_OF(Layer) layers;  // the newest is the last and wins
    Str digest;
};

void catalog_push(Catalog *catalog, const Tables *tables);

#endif
