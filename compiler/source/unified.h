// unified.h - the difference of two texts as a unified diff, as patch and git read it.
#ifndef FLOW_SOURCE_UNIFIED_H
#define FLOW_SOURCE_UNIFIED_H

#include "base/buffer.h"

// Appends the diff from `before` to `after`, three lines of context; nothing where they are equal.
void unified_diff(Str name, Str before, Str after, Buffer *out);

#endif
