// modules.c - the task modules the build compiled, by the type they implement or their library
// name.
#include "catalog/modules.h"
#include "catalog/catalog.h"

const StdModule *std_modules_all(uint32_t *count) {
    *count = std_module_count;
    return std_module_table;
}

const StdModule *std_module_find(Str type) {
    for (uint32_t low = 0, high = std_module_count; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        int order = str_cmp(type, std_module_table[middle].type);
        if (order == 0) return &std_module_table[middle];
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}
