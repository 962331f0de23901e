// tree.h - an execution as lines of a terminal: its state, and below it the tree of its task runs.
#ifndef FLOW_CLI_TREE_H
#define FLOW_CLI_TREE_H

#include "engine/engine.h"

typedef struct TreeStyle {
    uint32_t columns;  // no line takes more
    uint32_t rows;     // at most so many lines below the head; 0: TREE_ROWS_MAX
    bool has_colour;
    bool has_unicode;  // lines and bars by box-drawing characters, else by ASCII
    bool is_timeline;  // a bar per task run that says when it ran; else only loops have one
    int64_t now_ms;
} TreeStyle;

enum { TREE_ROWS_MAX = 200 };

// Whether the terminal's locale takes UTF-8 (LC_ALL, LC_CTYPE, LANG).
bool tree_has_unicode(void);
// The lines, each ended by a line feed; how many there are. Where there is not room for all, what
// runs, waits or failed goes before what ended well, and the last line counts what is left out.
uint32_t tree_draw(const Engine *engine, const TreeStyle *style, Buffer *out);

// `text` without what a terminal would act upon; controls are shown as U+FFFD or '?'.
void tree_add_plain(Buffer *out, Str text, bool has_unicode);

#endif
