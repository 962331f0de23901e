// render_text.c - findings for people: the message, the lines it is about, what to do.
//
//   error[E0301]: unknown input 'hots'
//     --> deploy.yaml:14:23
//      |
//   14 |       url: "{{ inputs.hots }}"
//      |                       ^^^^ did you mean 'host'?
//
// The primary span is underlined with carets, labels with dashes; lines far apart are joined by
// `...`. A repair whose edits stand in one line is shown as that line would then read.
#include <string.h>

#include "base/buffer.h"
#include "diag/diag.h"
#include "diag/display.h"

typedef enum Ink {
    INK_PLAIN,
    INK_BOLD,
    INK_ERROR,
    INK_WARNING,
    INK_NOTE,
    INK_GUTTER,
    INK_LABEL,
    INK_HELP
} Ink;

// One underlined piece of one line.
typedef struct Mark {
    uint32_t file, line;
    uint32_t start, end;  // bytes in the line
    uint32_t from, to;    // columns shown; set when the line is
    Str message;
    Ink ink;
    char symbol;
    bool is_hanging;  // its message stands in a row of its own
} Mark;

typedef struct Page {
    Buffer *out;
    const Sources *sources;
    DiagStyle style;
    Arena arena;
    LIST_OF(Mark) marks;
    uint32_t digits;  // of the widest line number
    Ink ink;          // of the finding's level
} Page;

static const char *ink_escape(Ink ink) {
    switch (ink) {
    case INK_PLAIN:
        return "\033[0m";
    case INK_BOLD:
        return "\033[1m";
    case INK_ERROR:
        return "\033[1;31m";
    case INK_WARNING:
        return "\033[1;33m";
    case INK_NOTE:
        return "\033[1;32m";
    case INK_GUTTER:
        return "\033[1;34m";
    case INK_LABEL:
        return "\033[1;34m";
    case INK_HELP:
        return "\033[1;36m";
    }
    return "";
}

static void add_inked(Page *page, Ink ink, Str text) {
    if (!page->style.colour || ink == INK_PLAIN) {
        display_inline(page->out, text);
        return;
    }
    buffer_add(page->out, str_from(ink_escape(ink)));
    display_inline(page->out, text);
    buffer_add(page->out, str_from(ink_escape(INK_PLAIN)));
}

// What of a text fits into so many columns, up to a blank; at least a word.
static Str first_line(Str text, uint32_t columns) {
    size_t end = 0;
    uint32_t width = 0;
    for (size_t at = 0; at < text.len;) {
        size_t next = str_find_char(text, ' ', at + 1);
        if (next == STR_NOT_FOUND) next = text.len;
        width += display_width(str_slice(text, at, next));
        if (width > columns && end > 0) return str_slice(text, 0, end);
        at = end = next;
    }
    return text;
}

// A message that begins in `column`; where the terminal ends it goes on in the next line, at a
// blank and behind `indent` blanks.
static void add_wrapped(Page *page, Ink ink, Str text, uint32_t column, uint32_t indent) {
    const uint32_t width = page->style.width;
    for (;;) {
        const bool is_wide = width == 0 || width <= column + 20;
        const Str line = is_wide ? text : first_line(text, width - column);
        add_inked(page, ink, line);
        if (line.len == text.len) return;
        buffer_add_char(page->out, '\n');
        buffer_add_repeat(page->out, ' ', indent);
        text = str_slice(text, line.len + 1, text.len);
        column = indent;
    }
}

// --- gutter -------------------------------------------------------------------------------------

static uint32_t digits_of(uint32_t number) {
    uint32_t digits = 1;
    for (; number >= 10; number /= 10) digits++;
    return digits;
}

static void add_gutter(Page *page, uint32_t line) {
    Buffer text = {0};
    if (line > 0) {
        buffer_printf(&text, "%*u |", (int)page->digits, line);
    } else {
        buffer_add_repeat(&text, ' ', page->digits);
        buffer_add(&text, STR(" |"));
    }
    add_inked(page, INK_GUTTER, buffer_str(&text));
    buffer_release(&text);
}

static void add_empty_gutter(Page *page) {
    add_gutter(page, 0);
    buffer_add_char(page->out, '\n');
}

static uint32_t available_columns(const Page *page) {
    if (page->style.width == 0) return 0;
    const uint32_t gutter = page->digits + 3;
    // Below 20 columns nothing is readable; then lines may wrap.
    return page->style.width > gutter + 20 ? page->style.width - gutter : 20;
}

// --- marks --------------------------------------------------------------------------------------

static void add_mark(Page *page, Span span, Str message, Ink ink, char symbol) {
    const Source *source = sources_get(page->sources, span.file);
    const Position at = source_position(source, span.start, POSITION_BYTES);
    const Str line = source_line(source, at.line);
    Mark *mark = LIST_ADD(&page->arena, &page->marks, Mark);
    mark->file = span.file;
    mark->line = at.line;
    mark->start = at.column - 1 > line.len ? (uint32_t)line.len : at.column - 1;
    // A piece of several lines is underlined to the end of its first.
    const uint32_t room = (uint32_t)line.len - mark->start;
    mark->end = mark->start + (span.len < room ? span.len : room);
    mark->message = message;
    mark->ink = ink;
    mark->symbol = symbol;
}

static bool mark_precedes(const Page *page, const Mark *a, const Mark *b) {
    const uint32_t first_file = page->marks.items[0].file;
    if (a->file != b->file) {
        if (a->file == first_file || b->file == first_file) return a->file == first_file;
        return a->file < b->file;
    }
    if (a->line != b->line) return a->line < b->line;
    return a->start < b->start;
}

// Insertion sort on a copy: there are a handful, and the order compares against the first.
static Mark *sorted_marks(Page *page) {
    Mark *sorted = arena_array(&page->arena, Mark, page->marks.count);
    for (uint32_t i = 0; i < page->marks.count; i++) {
        uint32_t at = i;
        while (at > 0 && mark_precedes(page, &page->marks.items[i], &sorted[at - 1])) {
            sorted[at] = sorted[at - 1];
            at--;
        }
        sorted[at] = page->marks.items[i];
    }
    return sorted;
}

// --- one line with what is under it -------------------------------------------------------------

static void add_blanks_to(Page *page, uint32_t *column, uint32_t target) {
    if (target > *column) buffer_add_repeat(page->out, ' ', target - *column);
    if (target > *column) *column = target;
}

// The bars of the marks whose messages are still to come, left of and at `last`.
static void add_bars(Page *page, const Mark *marks, uint32_t last, uint32_t *column) {
    for (uint32_t i = 0; i <= last; i++) {
        if (!marks[i].is_hanging || marks[i].from < *column) continue;
        add_blanks_to(page, column, marks[i].from);
        add_inked(page, marks[i].ink, STR("|"));
        (*column)++;
    }
}

static void add_underlines(Page *page, const Mark *marks, uint32_t count) {
    uint32_t width = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (marks[i].to > width) width = marks[i].to;
    }
    const Mark **cells = arena_array(&page->arena, const Mark *, width);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t at = marks[i].from; at < marks[i].to; at++) {
            // The primary wins, then the shorter piece, so that both ends of the longer show.
            const Mark *other = cells[at];
            if (other == NULL || (other->symbol != '^' &&
                                  (marks[i].symbol == '^' ||
                                   marks[i].end - marks[i].start <= other->end - other->start))) {
                cells[at] = &marks[i];
            }
        }
    }
    Buffer run = {0};
    for (uint32_t at = 0; at < width;) {
        const Mark *mark = cells[at];
        buffer_clear(&run);
        for (; at < width && cells[at] == mark; at++) {
            buffer_add_char(&run, mark == NULL ? ' ' : mark->symbol);
        }
        add_inked(page, mark == NULL ? INK_PLAIN : mark->ink, buffer_str(&run));
    }
    buffer_release(&run);
}

static void add_messages(Page *page, Mark *marks, uint32_t count) {
    // The message of the last mark stands behind the underlines if nothing reaches beyond it.
    Mark *last = &marks[count - 1];
    bool is_inline = true;
    for (uint32_t i = 0; i + 1 < count; i++) {
        if (marks[i].to > last->from) is_inline = false;
    }
    if (is_inline && last->message.len > 0) {
        buffer_add_char(page->out, ' ');
        add_inked(page, last->ink, last->message);
    }
    buffer_add_char(page->out, '\n');
    uint32_t hanging = 0;
    for (uint32_t i = 0; i < count; i++) {
        marks[i].is_hanging = marks[i].message.len > 0 && !(is_inline && i == count - 1);
        if (marks[i].is_hanging) hanging++;
    }
    for (uint32_t i = count; i > 0 && hanging > 0; i--) {
        Mark *mark = &marks[i - 1];
        if (!mark->is_hanging) continue;
        uint32_t column = 0;
        add_gutter(page, 0);
        buffer_add_char(page->out, ' ');
        add_bars(page, marks, i - 1, &column);
        buffer_add_char(page->out, '\n');
        column = 0;
        add_gutter(page, 0);
        buffer_add_char(page->out, ' ');
        mark->is_hanging = false;
        if (i > 1) add_bars(page, marks, i - 2, &column);
        add_blanks_to(page, &column, mark->from);
        add_inked(page, mark->ink, mark->message);
        buffer_add_char(page->out, '\n');
        hanging--;
    }
}

static void add_source_line(Page *page, uint32_t number, const DisplayLine *line) {
    add_gutter(page, number);
    if (line->visible > 0) {
        buffer_add_char(page->out, ' ');
        display_write(line, page->out);
    }
    buffer_add_char(page->out, '\n');
}

static void add_marked_line(Page *page, Mark *marks, uint32_t count) {
    const Source *source = sources_get(page->sources, marks[0].file);
    const Mark *centre = &marks[0];
    for (uint32_t i = 0; i < count; i++) {
        if (marks[i].symbol == '^') centre = &marks[i];
    }
    const DisplayLine line = display_line(source_line(source, centre->line), centre->start,
                                          centre->end, available_columns(page));
    add_source_line(page, centre->line, &line);
    for (uint32_t i = 0; i < count; i++) {
        marks[i].from = display_column(&line, marks[i].start);
        marks[i].to = display_column(&line, marks[i].end);
        if (marks[i].to <= marks[i].from) marks[i].to = marks[i].from + 1;
    }
    add_gutter(page, 0);
    buffer_add_char(page->out, ' ');
    add_underlines(page, marks, count);
    add_messages(page, marks, count);
}

// --- a finding ----------------------------------------------------------------------------------

static void add_arrow(Page *page, const char *arrow, Span span) {
    const Source *source = sources_get(page->sources, span.file);
    const Position at = source_position(source, span.start, POSITION_POINTS);
    buffer_add_repeat(page->out, ' ', page->digits);
    add_inked(page, INK_GUTTER, str_from(arrow));
    buffer_add_char(page->out, ' ');
    display_inline(page->out, source->name);
    buffer_printf(page->out, ":%u:%u\n", at.line, at.column);
}

static void add_between(Page *page, uint32_t file, uint32_t before, uint32_t after) {
    if (after == before + 2) {
        const Str text = source_line(sources_get(page->sources, file), before + 1);
        const DisplayLine line = display_line(text, 0, 0, available_columns(page));
        add_source_line(page, before + 1, &line);
    } else if (after > before + 1) {
        add_inked(page, INK_GUTTER, STR("..."));
        buffer_add_char(page->out, '\n');
    }
}

static void add_snippets(Page *page, const Diag *diag) {
    // A file that could not be read has nothing to show.
    const Source *own = sources_get(page->sources, diag->span.file);
    if (own->bytes.len == 0) {
        buffer_add_repeat(page->out, ' ', page->digits);
        add_inked(page, INK_GUTTER, STR("-->"));
        buffer_add_char(page->out, ' ');
        display_inline(page->out, own->name);
        buffer_add_char(page->out, '\n');
        return;
    }
    Mark *marks = sorted_marks(page);
    const uint32_t count = page->marks.count;
    for (uint32_t i = 0; i < count;) {
        const bool is_new_file = i == 0 || marks[i].file != marks[i - 1].file;
        if (i == 0) {
            add_arrow(page, "-->", diag->span);
            add_empty_gutter(page);
        } else if (is_new_file) {
            const Source *source = sources_get(page->sources, marks[i].file);
            const uint32_t start = source->lines[marks[i].line - 1] + marks[i].start;
            add_empty_gutter(page);
            add_arrow(page, ":::", (Span){marks[i].file, start, 0});
            add_empty_gutter(page);
        } else {
            add_between(page, marks[i].file, marks[i - 1].line, marks[i].line);
        }
        uint32_t same = 1;
        while (i + same < count && marks[i + same].file == marks[i].file &&
               marks[i + same].line == marks[i].line) {
            same++;
        }
        add_marked_line(page, &marks[i], same);
        i += same;
    }
}

// A suggestion that only replaces the primary span is said behind the carets.
static bool is_said_inline(const Diag *diag, const DiagSuggestion *suggestion) {
    if (suggestion != &diag->suggestions.items[0] || suggestion->edits.count != 1) return false;
    const Span span = suggestion->edits.items[0].span;
    return span.file == diag->span.file && span.start == diag->span.start &&
           span.len == diag->span.len && str_starts_with(suggestion->message, STR("did you mean"));
}

// Whether a message fits behind the carets of the first mark.
static bool fits_inline(Page *page, Str message) {
    const Mark *mark = &page->marks.items[0];
    page->digits = digits_of(mark->line);
    const uint32_t available = available_columns(page);
    if (available == 0) return true;
    const Str text = source_line(sources_get(page->sources, mark->file), mark->line);
    const DisplayLine line = display_line(text, mark->start, mark->end, available);
    return display_column(&line, mark->end) + 1 + display_width(message) <= available;
}

// The line as it reads with the edits made; false where they do not stand in one line.
static bool add_repaired_line(Page *page, const DiagSuggestion *suggestion) {
    if (suggestion->edits.count == 0) return false;
    const DiagEdit *edits = suggestion->edits.items;
    const Source *source = sources_get(page->sources, edits[0].span.file);
    const Position at = source_position(source, edits[0].span.start, POSITION_BYTES);
    const Str line = source_line(source, at.line);
    const uint32_t line_start = source->lines[at.line - 1];
    Buffer text = {0};
    Buffer under = {0};
    bool is_one_line = true;
    uint32_t done = 0;
    uint32_t columns = 0;
    for (uint32_t i = 0; i < suggestion->edits.count && is_one_line; i++) {
        const Span span = edits[i].span;
        if (span.file != edits[0].span.file || span.start < line_start + done ||
            span.start + span.len > line_start + line.len ||
            str_find_char(edits[i].text, '\n', 0) != STR_NOT_FOUND) {
            is_one_line = false;
            break;
        }
        const Str kept = str_slice(line, done, span.start - line_start);
        buffer_add(&text, kept);
        columns += display_width(kept);
        buffer_add_repeat(&under, ' ', columns - (uint32_t)under.len);
        buffer_add(&text, edits[i].text);
        const uint32_t width = display_width(edits[i].text);
        buffer_add_repeat(&under, span.len == 0 ? '+' : '~', width);
        columns += width;
        done = span.start + span.len - line_start;
    }
    buffer_add(&text, str_slice(line, done, line.len));
    const uint32_t available = available_columns(page);
    const DisplayLine shown = display_line(buffer_str(&text), 0, 0, 0);
    if (is_one_line && (available == 0 || shown.width <= available)) {
        add_empty_gutter(page);
        add_source_line(page, at.line, &shown);
        add_gutter(page, 0);
        buffer_add_char(page->out, ' ');
        add_inked(page, INK_NOTE, buffer_str(&under));
        buffer_add_char(page->out, '\n');
    } else {
        is_one_line = false;
    }
    buffer_release(&text);
    buffer_release(&under);
    return is_one_line;
}

static void add_remark(Page *page, Ink ink, const char *word, Str text) {
    buffer_add_repeat(page->out, ' ', page->digits + 1);
    add_inked(page, INK_GUTTER, STR("="));
    buffer_add_char(page->out, ' ');
    add_inked(page, ink, str_from(word));
    buffer_add(page->out, STR(": "));
    const uint32_t column = page->digits + 5 + (uint32_t)strlen(word);
    add_wrapped(page, INK_PLAIN, text, column, column);
    buffer_add_char(page->out, '\n');
}

static void add_remarks(Page *page, const Diag *diag, bool has_inline) {
    bool is_first = true;
    for (uint32_t i = 0; i < diag->notes.count; i++) {
        if (is_first) add_empty_gutter(page);
        is_first = false;
        add_remark(page, INK_BOLD, "note", diag->notes.items[i]);
    }
    for (uint32_t i = has_inline ? 1 : 0; i < diag->suggestions.count; i++) {
        if (is_first) add_empty_gutter(page);
        is_first = false;
        add_remark(page, INK_HELP, "help", diag->suggestions.items[i].message);
        add_repaired_line(page, &diag->suggestions.items[i]);
    }
}

static Ink level_ink(DiagLevel level) {
    if (level == DIAG_ERROR) return INK_ERROR;
    return level == DIAG_WARNING ? INK_WARNING : INK_NOTE;
}

static void add_diag(Page *page, const Diag *diag) {
    page->ink = level_ink(diag->level);
    Buffer head = {0};
    buffer_printf(&head, "%s[%s]", diag_level_name(diag->level), diag->code);
    add_inked(page, page->ink, buffer_str(&head));
    const uint32_t column = (uint32_t)head.len;
    buffer_clear(&head);
    buffer_add(&head, STR(": "));
    buffer_add(&head, diag->message);
    add_wrapped(page, INK_BOLD, buffer_str(&head), column, 2);
    buffer_add_char(page->out, '\n');
    buffer_release(&head);

    page->marks.count = 0;
    add_mark(page, diag->span, (Str){0}, page->ink, '^');
    const bool has_inline = diag->suggestions.count > 0 &&
                            is_said_inline(diag, &diag->suggestions.items[0]) &&
                            fits_inline(page, diag->suggestions.items[0].message);
    if (has_inline) page->marks.items[0].message = diag->suggestions.items[0].message;
    for (uint32_t i = 0; i < diag->labels.count; i++) {
        const DiagLabel *label = &diag->labels.items[i];
        // A label on the primary span itself says what the carets mean.
        if (!has_inline && label->span.file == diag->span.file &&
            label->span.start == diag->span.start && label->span.len == diag->span.len &&
            page->marks.items[0].message.len == 0) {
            page->marks.items[0].message = label->message;
            continue;
        }
        add_mark(page, label->span, label->message, INK_LABEL, '-');
    }
    page->digits = 1;
    for (uint32_t i = 0; i < page->marks.count; i++) {
        const uint32_t digits = digits_of(page->marks.items[i].line);
        if (digits > page->digits) page->digits = digits;
    }
    add_snippets(page, diag);
    add_remarks(page, diag, has_inline);
    buffer_add_char(page->out, '\n');
}

void diags_render_text(const Diags *diags, const Sources *sources, DiagStyle style, Buffer *out) {
    Page page = {.out = out, .sources = sources, .style = style};
    for (uint32_t i = 0; i < diags->list.count; i++) {
        const ArenaMark mark = arena_mark(&page.arena);
        add_diag(&page, diags->list.items[i]);
        memset(&page.marks, 0, sizeof page.marks);
        arena_reset(&page.arena, mark);
    }
    arena_release(&page.arena);
}
