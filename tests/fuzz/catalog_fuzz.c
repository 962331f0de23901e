// catalog_fuzz.c - a private catalog is foreign text: whatever it holds, it gives findings and
// types.
#include <stddef.h>

#include "catalog/catalog.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    Arena arena = {0};
    Sources sources = {.arena = &arena};
    Diags diags = {.arena = &arena};
    Catalog *catalog = catalog_new(&arena);
    uint32_t file = sources_add(&sources, STR("private.yaml"), (Str){(const char *)bytes, size});
    Tree *tree = syntax_read(&sources, file, &arena, &diags);
    uint32_t built_in = catalog_count(catalog);
    catalog_add(catalog, &sources, tree, &diags);
    for (uint32_t i = built_in; i < catalog_count(catalog); i++) {
        const TaskType *type = catalog_find(catalog, catalog_name_at(catalog, i), NULL);
        if (type == NULL) __builtin_trap();
        catalog_outputs_type(&arena, type);
        for (uint32_t j = 0; j < type->prop_count; j++) {
            if (type_prop(type, type->props[j].name) == NULL) __builtin_trap();
            catalog_type(&arena, type->props[j].type);
        }
    }
    arena_release(&arena);
    return 0;
}
