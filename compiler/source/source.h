// source.h - source files: bytes, size and UTF-8 checked, line tables. Spans are bytes; lines are
// derived on demand.
#ifndef FLOW_SOURCE_SOURCE_H
#define FLOW_SOURCE_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum { SOURCE_SIZE_MAX = 4 << 20 };

// A span holds no line and no column. Those are derived by source_position(), which knows the line
// table and the unit the reader wants. That keeps a span closed under slicing, and no stored column
// can disagree with it.
typedef struct Span {
    uint32_t file;   // index into the sources
    uint32_t start;  // byte offset
    uint32_t len;
} Span;

typedef struct Position {
    uint32_t line;    // from 1
    uint32_t column;  // from 1, in the unit asked for
    uint32_t offset;  // bytes from 0
} Position;

typedef enum PositionUnit { POSITION_POINTS, POSITION_BYTES, POSITION_UTF16 } PositionUnit;

typedef struct Source {
    Str name;         // as given by the user
    Str bytes;        // all of the file, a byte-order mark included
    uint32_t *lines;  // offsets of line starts
    uint32_t line_count;
    bool has_bom;
    bool is_ascii;  // known to be: bytes are characters; asked where a line is long
} Source;

typedef struct Sources {
    Arena *arena;
    LIST_OF(Source) list;
} Sources;

// Adds bytes under a name; gives the file's index.
uint32_t sources_add(Sources *sources, Str name, Str bytes);
// Reads a file. ERR_NOT_FOUND, ERR_INPUT (no regular file), ERR_LIMIT, ERR_SYSTEM.
MUST_CHECK Err sources_read(Sources *sources, const char *path, Str name, uint32_t *file);
const Source *sources_get(const Sources *sources, uint32_t file);
Position source_position(const Source *source, uint32_t offset, PositionUnit unit);
Str source_line(const Source *source, uint32_t line);  // without its end
Str source_text(const Sources *sources, Span span);
static inline Span span_to(Span a, Span b) {  // from the start of a to the end of b
    return (Span){a.file, a.start, b.start + b.len - a.start};
}

#endif
