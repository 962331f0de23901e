// modules.h - the generated table of task modules, sorted by type.
#ifndef FLOW_CATALOG_MODULES_H
#define FLOW_CATALOG_MODULES_H

#include "catalog/catalog.h"

// A few dozen rows with pointers: not worth a second layout.
extern const StdModule std_module_table[];
extern const uint32_t std_module_count;

#endif
