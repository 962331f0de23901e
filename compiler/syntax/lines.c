// lines.c - lines by their looks. Multi-line values are followed to their end or to the first line
// that looks like the next item, whichever comes first: that is where a quote was forgotten.
#include "syntax/lines.h"

#include <string.h>

typedef struct Scan {
    const char *bytes;
    Lines *lines;
    uint32_t steps;  // lines that may still be looked at again: keeps hostile files linear
} Scan;

static bool is_blank_char(char c) {
    return c == ' ' || c == '\t';
}

static uint32_t skip_blanks(const Scan *scan, uint32_t at, uint32_t end) {
    while (at < end && is_blank_char(scan->bytes[at])) at++;
    return at;
}

static bool ends_word(const Scan *scan, uint32_t at, uint32_t end) {
    return at >= end || is_blank_char(scan->bytes[at]);
}

// The closing quote at or behind `at` on this line; `end` where there is none.
static uint32_t find_quote(const Scan *scan, uint32_t at, uint32_t end, char quote) {
    for (; at < end; at++) {
        if (scan->bytes[at] == '\\' && quote == '"') {
            at++;
        } else if (scan->bytes[at] == quote) {
            if (quote == '\'' && at + 1 < end && scan->bytes[at + 1] == '\'') {
                at++;
            } else {
                return at;
            }
        }
    }
    return end;
}

// Where a comment begins, else `end`.
static uint32_t find_comment(const Scan *scan, uint32_t at, uint32_t end) {
    for (uint32_t i = at; i < end; i++) {
        if (scan->bytes[i] == '#' && (i == at || is_blank_char(scan->bytes[i - 1]))) return i;
    }
    return end;
}

static uint32_t trim_end(const Scan *scan, uint32_t start, uint32_t end) {
    while (end > start && is_blank_char(scan->bytes[end - 1])) end--;
    return end;
}

static void find_key(const Scan *scan, Line *line) {
    const char first = line->content < line->end ? scan->bytes[line->content] : '\0';
    uint32_t end = line->end;
    uint32_t at = line->content;
    if (first == '"' || first == '\'') {
        const uint32_t close = find_quote(scan, at + 1, end, first);
        if (close == end) return;
        const uint32_t colon = skip_blanks(scan, close + 1, end);
        if (colon >= end || scan->bytes[colon] != ':' || !ends_word(scan, colon + 1, end)) return;
        line->key = at;
        line->key_end = close + 1;
        line->colon = colon;
        line->has_key = true;
        return;
    }
    if (first == '{' || first == '[' || first == '#' || first == '\0') return;
    end = find_comment(scan, at, end);
    for (; at < end; at++) {
        if (scan->bytes[at] != ':' || !ends_word(scan, at + 1, line->end)) continue;
        line->key = line->content;
        line->key_end = trim_end(scan, line->content, at);
        line->colon = at;
        line->has_key = line->key_end > line->key;
        return;
    }
}

static bool is_block_header(const Scan *scan, uint32_t at, uint32_t end) {
    if (scan->bytes[at] != '|' && scan->bytes[at] != '>') return false;
    for (at++; at < end && !is_blank_char(scan->bytes[at]); at++) {
        const char c = scan->bytes[at];
        if (c != '+' && c != '-' && (c < '1' || c > '9')) return false;
    }
    at = skip_blanks(scan, at, end);
    return at >= end || scan->bytes[at] == '#';
}

static void find_value(const Scan *scan, Line *line) {
    uint32_t at = line->has_key ? line->colon + 1 : line->content;
    at = skip_blanks(scan, at, line->end);
    // Tags and anchors belong to what follows them.
    while (at < line->end && (scan->bytes[at] == '!' || scan->bytes[at] == '&')) {
        uint32_t behind = at;
        while (behind < line->end && !is_blank_char(scan->bytes[behind])) behind++;
        if (behind == line->end) break;
        at = skip_blanks(scan, behind, line->end);
    }
    line->value = at;
    line->value_end = at;
    if (at >= line->end || scan->bytes[at] == '#') return;
    const char c = scan->bytes[at];
    if (c == '"' || c == '\'') {
        line->shape = CLASS_QUOTED;
    } else if (c == '{' && at + 1 < line->end && scan->bytes[at + 1] == '{') {
        line->shape = CLASS_TEMPLATE;
    } else if (c == '[' || c == '{') {
        line->shape = CLASS_FLOW;
    } else if (is_block_header(scan, at, line->end)) {
        line->shape = CLASS_BLOCK;
    } else {
        line->shape = CLASS_PLAIN;
    }
    line->value_end = trim_end(scan, at, find_comment(scan, at, line->end));
}

static void scan_line(const Scan *scan, Line *line) {
    line->indent_end = skip_blanks(scan, line->start, line->end);
    uint32_t at = line->indent_end;
    line->content = at;
    line->has_tab = memchr(scan->bytes + line->start, '\t', at - line->start) != NULL;
    if (at >= line->end || scan->bytes[at] == '#') return;
    const Str text = {scan->bytes + line->start, line->end - line->start};
    if (str_starts_with(text, STR("---")) || str_starts_with(text, STR("...")) ||
        scan->bytes[line->start] == '%') {
        line->kind = LINE_MARKER;
        return;
    }
    line->kind = LINE_ITEM;
    while (at < line->end && scan->bytes[at] == '-' && ends_word(scan, at + 1, line->end)) {
        if (line->dashes++ == 0) line->dash = at;
        line->last_dash = at;
        const uint32_t behind = skip_blanks(scan, at + 1, line->end);
        if (memchr(scan->bytes + at, '\t', behind - at) != NULL) line->has_tab = true;
        at = behind;
    }
    line->content = at;
    find_key(scan, line);
    find_value(scan, line);
}

uint32_t line_column(const Line *line) {
    return (line->dashes > 0 ? line->dash : line->content) - line->start;
}

int32_t line_owner_column(const Line *line) {
    if (line->has_key) return (int32_t)(line->key - line->start);
    if (line->dashes > 0) return (int32_t)(line->last_dash - line->start);
    return -1;
}

// --- values of several lines --------------------------------------------------------------------

static Line *line_number(const Scan *scan, uint32_t number) {
    return &scan->lines->list.items[number];
}

// A line that would begin the next item of the map or list the value belongs to.
static bool begins_next(const Line *line, int32_t owner) {
    if (line->kind == LINE_MARKER) return true;
    return line->kind == LINE_ITEM && (line->has_key || line->dashes > 0) &&
           (int32_t)line_column(line) <= owner;
}

static void mark_inside(const Scan *scan, uint32_t from, uint32_t to) {
    for (uint32_t i = from; i <= to; i++) line_number(scan, i)->kind = LINE_INSIDE;
}

static void end_value(const Scan *scan, uint32_t first, uint32_t number, uint32_t close) {
    Line *line = line_number(scan, first);
    const Line *last = line_number(scan, number);
    line->last = number;
    line->close = close;
    const uint32_t behind = skip_blanks(scan, close, last->end);
    line->has_trailing = behind < last->end && scan->bytes[behind] != '#';
    if (number == first) {
        if (!line->has_trailing) line->value_end = close;
        return;
    }
    // A quote that closes lines later, with text behind it, opened the next text in truth.
    if (line->has_trailing && line->shape == CLASS_QUOTED) {
        line->is_unclosed = true;
        line->has_trailing = false;
        line->last = number;
    } else {
        mark_inside(scan, first + 1, number);
    }
}

static void follow_quoted(Scan *scan, uint32_t first) {
    Line *line = line_number(scan, first);
    const char quote = scan->bytes[line->value];
    const int32_t owner = line_owner_column(line);
    uint32_t at = line->value + 1;
    for (uint32_t number = first; number < scan->lines->list.count; number++) {
        const Line *here = line_number(scan, number);
        if (number > first) {
            if (begins_next(here, owner) || scan->steps == 0) break;
            scan->steps--;
            at = here->start;
        }
        const uint32_t close = find_quote(scan, at, here->end, quote);
        if (close < here->end) {
            end_value(scan, first, number, close + 1);
            return;
        }
    }
    line->is_unclosed = true;
    // Where it would end by mistake: at the next such quote.
    for (uint32_t number = first + 1; number < scan->lines->list.count; number++) {
        const Line *here = line_number(scan, number);
        if (scan->steps == 0) break;
        scan->steps--;
        line->last = number;
        if (find_quote(scan, here->start, here->end, quote) < here->end) break;
    }
}

static void follow_flow(Scan *scan, uint32_t first) {
    Line *line = line_number(scan, first);
    const int32_t owner = line_owner_column(line);
    uint32_t depth = 0;
    char before = '[';
    for (uint32_t number = first; number < scan->lines->list.count; number++) {
        const Line *here = line_number(scan, number);
        if (number > first && (begins_next(here, owner) || scan->steps == 0)) break;
        if (number > first) scan->steps--;
        for (uint32_t at = number == first ? line->value : here->start; at < here->end; at++) {
            const char c = scan->bytes[at];
            if (is_blank_char(c)) continue;
            if ((c == '"' || c == '\'') && strchr("[{,:", before) != NULL) {
                at = find_quote(scan, at + 1, here->end, c);
            } else if (c == '#' && (at == here->start || is_blank_char(scan->bytes[at - 1]))) {
                break;
            } else if (c == '[' || c == '{') {
                depth++;
            } else if ((c == ']' || c == '}') && --depth == 0) {
                end_value(scan, first, number, at + 1);
                return;
            }
            before = c;
        }
    }
    line->is_unclosed = true;
    line->last = scan->lines->list.count - 1;
}

// A `{{` without quotes: as far as its lines are indented below it.
static void follow_template(const Scan *scan, uint32_t first) {
    Line *line = line_number(scan, first);
    const int32_t owner = line_owner_column(line);
    uint32_t last = first;
    for (uint32_t number = first + 1; number < scan->lines->list.count; number++) {
        const Line *here = line_number(scan, number);
        if (here->kind == LINE_BLANK) continue;
        if (here->kind == LINE_MARKER || (int32_t)(here->indent_end - here->start) <= owner) break;
        last = number;
    }
    mark_inside(scan, first + 1, last);
    line->last = last;
}

static void follow_block(const Scan *scan, uint32_t first) {
    Line *line = line_number(scan, first);
    const int32_t owner = line_owner_column(line);
    // The first line sets the indentation, unless the header does; what begins left of it is out.
    int32_t least = owner + 1;
    bool is_set = false;
    for (uint32_t at = line->value; at < line->end; at++) {
        if (scan->bytes[at] >= '1' && scan->bytes[at] <= '9') is_set = true;
    }
    uint32_t last = first;
    for (uint32_t number = first + 1; number < scan->lines->list.count; number++) {
        const Line *here = line_number(scan, number);
        if (here->indent_end == here->end) continue;
        const int32_t column = (int32_t)(here->indent_end - here->start);
        if (column < least) break;
        if (!is_set) least = column;
        is_set = true;
        last = number;
    }
    mark_inside(scan, first + 1, last);
    line->last = last;
}

static void split_lines(Scan *scan, Str text, uint32_t base, Arena *arena) {
    uint32_t at = base;
    uint32_t count = 1;
    for (uint32_t i = base; i < text.len; i++) {
        if (text.ptr[i] == '\n' || text.ptr[i] == '\r') count++;
    }
    scan->lines->list.items = arena_array(arena, Line, count);
    scan->lines->list.capacity = count;
    for (;;) {
        Line *line = &scan->lines->list.items[scan->lines->list.count++];
        line->start = at;
        while (at < text.len && text.ptr[at] != '\n' && text.ptr[at] != '\r') at++;
        line->end = at;
        line->last = scan->lines->list.count - 1;
        if (at >= text.len) return;
        at += text.ptr[at] == '\r' && at + 1 < text.len && text.ptr[at + 1] == '\n' ? 2 : 1;
    }
}

void lines_scan(Lines *lines, Str text, uint32_t base, Arena *arena) {
    *lines = (Lines){.text = text};
    Scan scan = {.bytes = text.ptr, .lines = lines};
    split_lines(&scan, text, base, arena);
    scan.steps = 4 * lines->list.count;
    for (uint32_t i = 0; i < lines->list.count; i++) scan_line(&scan, &lines->list.items[i]);
    for (uint32_t i = 0; i < lines->list.count; i++) {
        if (lines->list.items[i].kind != LINE_ITEM) continue;
        switch (lines->list.items[i].shape) {
        case CLASS_NONE:
        case CLASS_PLAIN:
            break;
        case CLASS_QUOTED:
            follow_quoted(&scan, i);
            break;
        case CLASS_FLOW:
            follow_flow(&scan, i);
            break;
        case CLASS_TEMPLATE:
            follow_template(&scan, i);
            break;
        case CLASS_BLOCK:
            follow_block(&scan, i);
            break;
        }
    }
}

uint32_t lines_at(const Lines *lines, uint32_t offset) {
    uint32_t low = 0;
    uint32_t high = lines->list.count;
    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;
        if (lines->list.items[middle].start <= offset) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

uint32_t lines_extent(const Lines *lines, uint32_t number) {
    const Line *line = &lines->list.items[number];
    const int32_t owner = line_owner_column(line);
    uint32_t last = number;
    for (uint32_t i = number + 1; i < lines->list.count; i++) {
        const Line *here = &lines->list.items[i];
        if (here->kind == LINE_BLANK) continue;
        if (here->kind == LINE_MARKER) break;
        if (here->kind == LINE_ITEM) {
            const int32_t column = (int32_t)line_column(here);
            if (owner < 0 && column <= (int32_t)line_column(line)) break;
            // A list may stand in the column of its key.
            const bool is_list =
                here->dashes > 0 && line->has_key && line->shape == CLASS_NONE && column == owner;
            if (column <= owner && !is_list) break;
        }
        last = i;
    }
    return last;
}
