// unicode.h - letters beyond ASCII: case mappings, base letters, counting in UTF-16 units.
#ifndef FLOW_LEAF_UNICODE_H
#define FLOW_LEAF_UNICODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

// Full mappings of the root locale: ß gives SS, a capital sigma at the end of a word gives ς.
void unicode_upper(Buffer *out, Str text);
void unicode_lower(Buffer *out, Str text);
void unicode_title_point(Buffer *out, uint32_t point);
// The ASCII letter under a letter with marks, or 0.
char unicode_base_letter(uint32_t point);
bool unicode_is_mark(uint32_t point);
// White space as Java's Character.isWhitespace.
bool unicode_is_blank(uint32_t point);
// The bytes of `text` that are UTF-16 units `from` to before `to`. False where an end cuts a pair.
bool unicode_slice_utf16(Str text, uint64_t from, uint64_t to, Str *out);

#endif
