// columns.h - how many columns of a terminal a text takes.
#ifndef FLOW_BASE_COLUMNS_H
#define FLOW_BASE_COLUMNS_H

#include "base/str.h"

// 0 for combining characters, 2 for wide ones, else 1; controls are the caller's business.
uint32_t columns_of_point(uint32_t point);
uint32_t columns_of(Str text);
// The longest beginning that takes at most so many columns; a view into `text`.
Str columns_cut(Str text, uint32_t columns);

#endif
