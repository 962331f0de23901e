// embed.h - the parts of the build tool: catalog tables, task modules, writing C.
#ifndef FLOW_STDLIB_EMBED_H
#define FLOW_STDLIB_EMBED_H

#include "catalog/rows.h"

// Names of the entries of a folder that end in `suffix` (or all folders where it is empty), sorted.
Str *embed_list(Arena *arena, const char *folder, Str suffix, uint32_t *count);
// `static const char NAME[] = "…";` with what needs it escaped.
void embed_bytes(Buffer *out, const char *name, Str bytes);
void embed_string(Buffer *out, Str bytes);  // the literal alone
// Compiles and checks every module below `folder` against the catalog and writes their table.
// False where one is wrong; what is wrong is on standard error.
bool embed_modules(Arena *arena, const char *folder, const Tables *tables, Buffer *out);

#endif
