// lines.h - a total scanner of YAML lines: what a line looks like, even where YAML cannot read it.
//
// It never fails and is never asked about a correct file. Columns are bytes from the start of the
// line, from 0.
#ifndef FLOW_SYNTAX_LINES_H
#define FLOW_SYNTAX_LINES_H

#include "base/arena.h"
#include "base/str.h"

typedef enum LineKind {
    LINE_BLANK,   // nothing, or a comment
    LINE_ITEM,    // dashes, key, value: any of them
    LINE_INSIDE,  // of a block scalar, quoted text or flow collection that began above
    LINE_MARKER,  // --- ... %
} LineKind;

typedef enum ValueClass {
    CLASS_NONE,
    CLASS_PLAIN,
    CLASS_QUOTED,
    CLASS_FLOW,
    CLASS_TEMPLATE,  // begins with `{{`
    CLASS_BLOCK,
} ValueClass;

typedef struct Line {
    uint32_t start, end;  // without the line's end
    uint32_t content;     // behind indentation and dashes
    uint32_t indent_end;  // behind blanks and tabs
    LineKind kind;
    bool has_tab;  // before the content
    uint32_t dashes, dash, last_dash;
    bool has_key;
    uint32_t key, key_end, colon;
    ValueClass shape;
    uint32_t value, value_end;  // on this line, without a comment
    uint32_t last;              // number of the line in which the value ends
    uint32_t close;             // behind the closing quote or bracket, 0 where there is none
    bool is_unclosed;
    bool has_trailing;  // text behind the closing quote or bracket
} Line;

typedef struct Lines {
    Str text;
    LIST_OF(Line) list;
} Lines;

void lines_scan(Lines *lines, Str text, uint32_t base, Arena *arena);
uint32_t lines_at(const Lines *lines, uint32_t offset);
// Of the first dash, else of the content.
uint32_t line_column(const Line *line);
// The column of what the value of a line belongs to: its key, else its dash; -1 for neither.
int32_t line_owner_column(const Line *line);
// The last line of what stands below line `number` and belongs to its key or dash.
uint32_t lines_extent(const Lines *lines, uint32_t number);

#endif
