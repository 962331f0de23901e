// display.h - a line of a file as a terminal shows it: which columns its bytes take.
//
// Wide characters take two columns, combining ones none, a tab four. Control characters and
// bidirectional controls, which could make a line look like another one, show as U+FFFD.
#ifndef FLOW_DIAG_DISPLAY_H
#define FLOW_DIAG_DISPLAY_H

#include "base/buffer.h"
#include "base/str.h"

// In columns.
uint32_t display_width(Str text);

typedef struct DisplayLine {
    Str text;
    uint32_t width;    // all of it, in columns
    uint32_t left;     // columns cut off at the left
    uint32_t visible;  // columns shown, the marks of cuts included
} DisplayLine;

// Chooses what to show of a line where at most `available` columns are free (0: all of it), so
// that the bytes [start, end) are in view.
DisplayLine display_line(Str text, uint32_t start, uint32_t end, uint32_t available);
// The column in which a byte is shown, from 0, brought into view.
uint32_t display_column(const DisplayLine *line, uint32_t byte);
void display_write(const DisplayLine *line, Buffer *out);
// Adds a name or a message, which stays on its line whatever is in it: what display_line() hides is
// written as `\n`, `\t`, `\u{1B}`, and bytes that are no UTF-8 as `\xFF`.
void display_inline(Buffer *out, Str text);

#endif
