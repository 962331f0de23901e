// repair.h - one round of recovery: the lines as they stand, the failure, and how to patch.
#ifndef FLOW_SYNTAX_REPAIR_H
#define FLOW_SYNTAX_REPAIR_H

#include "syntax/lines.h"
#include "syntax/reader.h"

typedef struct Repair {
    Reader *reader;
    const Failure *failure;
    Lines lines;
    uint32_t at;       // number of the line where libyaml gave up
    uint32_t context;  // and of the line where what it read began
    char *bytes;       // reader->text, writable
} Repair;

const Line *repair_line(const Repair *repair, uint32_t number);
uint32_t repair_line_end(const Repair *repair, uint32_t last);
Span repair_span(const Repair *repair, uint32_t start, uint32_t end);
Str repair_raw(const Repair *repair, uint32_t start, uint32_t end);  // of the file itself
uint32_t repair_word_end(const Repair *repair, uint32_t at, uint32_t end);

// Blanks, line ends left as they are.
void repair_blank(const Repair *repair, uint32_t start, uint32_t end);
void repair_add(const Repair *repair, PatchKind kind, uint32_t at, uint32_t start, uint32_t end);
// [start, end) becomes one scalar that stands for itself as text, or for something unknown.
void repair_value(const Repair *repair, PatchKind kind, uint32_t start, uint32_t end);
bool repair_is_patched(const Repair *repair, uint32_t at);

// Each mistake is reported once: true where none of recovery's findings stands in line `first`, and
// marks the lines to `last` as reported.
bool repair_is_first_of(const Repair *repair, uint32_t first, uint32_t last);
bool repair_is_first(const Repair *repair, uint32_t number);
Diag *repair_report(const Repair *repair, const char *code, uint32_t start, uint32_t end,
                    const char *message);

// A line in a column in which nothing is open: E0012, E0020. False where that is not the trouble.
bool repair_indent(Repair *repair);
bool repair_empty_block(Repair *repair);
// Is a map or list open in that column before line `number`?
bool repair_is_open(const Repair *repair, uint32_t number, uint32_t column, bool is_list);
// Moves the first thing of a line to another column; false where there is no room.
bool repair_move(const Repair *repair, const Line *line, uint32_t column);

#endif
