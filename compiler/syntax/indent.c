// indent.c - lines in the wrong column, items without their dash.
//
// From the lines above, the collections that are open are known with their columns. A line that
// begins where none of them does belongs to the nearest one; it, and those that follow it in the
// same column, are moved there: a key by lengthening or shortening its placeholder, a dash by
// moving it. Where the one line above is the odd one, that one is moved.
#include <string.h>

#include "syntax/repair.h"

enum { STEP = 2 };  // what a level is usually indented by

typedef struct Open {
    uint32_t column, line;  // line where it began
    uint32_t first, key;    // offsets of its first and latest key or dash
    uint32_t count;
    bool is_list;
} Open;

typedef struct Stack {
    Open items[2 * SYNTAX_DEPTH_MAX];
    uint32_t depth;
    Open popped;  // the last one closed by the line looked at
    bool has_popped;
} Stack;

static void push(Stack *stack, uint32_t column, uint32_t line, uint32_t key, bool is_list) {
    if (stack->depth > 0) {
        Open *top = &stack->items[stack->depth - 1];
        if (top->column == column && top->is_list == is_list) {
            top->key = key;
            top->count++;
            return;
        }
    }
    if (stack->depth < COUNT(stack->items)) {
        stack->items[stack->depth++] = (Open){column, line, key, key, 1, is_list};
    }
}

// Closes what ends before a line that begins in `column`.
static void close_to(Stack *stack, uint32_t column, bool is_list) {
    stack->has_popped = false;
    while (stack->depth > 0) {
        const Open *top = &stack->items[stack->depth - 1];
        // A list in the column of its key ends where the next key comes.
        const bool ends_list = top->column == column && top->is_list && !is_list &&
                               stack->depth > 1 && !stack->items[stack->depth - 2].is_list &&
                               stack->items[stack->depth - 2].column == column;
        if (top->column <= column && !ends_list) return;
        stack->popped = *top;
        stack->has_popped = true;
        stack->depth--;
    }
}

static void open_lines(const Repair *repair, uint32_t until, Stack *stack) {
    stack->depth = 0;
    for (uint32_t i = 0; i < until; i++) {
        const Line *line = repair_line(repair, i);
        if (line->kind == LINE_MARKER) stack->depth = 0;
        if (line->kind != LINE_ITEM || (line->dashes == 0 && !line->has_key)) continue;
        close_to(stack, line_column(line), line->dashes > 0);
        uint32_t at = line->dashes > 0 ? line->dash : line->content;
        for (uint32_t k = 0; k < line->dashes; k++) {
            push(stack, at - line->start, i, at, true);
            at++;
            while (at < line->content && repair->bytes[at] != '-') at++;
        }
        if (line->has_key) push(stack, line->key - line->start, i, line->key, false);
    }
}

// --- moving -------------------------------------------------------------------------------------

// The key's placeholder is lengthened or shortened to the left; it stands for the key all the same.
static bool move_key_to(const Repair *repair, const Line *line, uint32_t to) {
    if (!line->has_key || to + 1 > line->colon || repair_is_patched(repair, line->key)) {
        return false;
    }
    if (to > line->key) repair_blank(repair, line->key, to);
    memset(repair->bytes + to, 'x', line->colon - to);
    uint32_t start = line->key;
    uint32_t end = line->key_end;
    const char quote = repair_raw(repair, start, start + 1).ptr[0];
    if ((quote == '"' || quote == '\'') && end - start >= 2) {
        start++;
        end--;
    }
    repair_add(repair, PATCH_KEY, to, start, end);
    return true;
}

static bool move_dash(const Repair *repair, const Line *line, uint32_t column) {
    const uint32_t to = line->start + column;
    if (line->dashes != 1 || to + 2 > line->end) return false;
    // To the right, the content may have to make room.
    if (to + 2 > line->content) {
        if (line->has_key) {
            if (!move_key_to(repair, line, to + 2)) return false;
        } else if (line->shape == CLASS_PLAIN && line->value_end > to + 2) {
            repair_blank(repair, line->value, line->value_end);
            repair->bytes[to + 2] = 'x';
            repair_add(repair, PATCH_TEXT, to + 2, line->value, line->value_end);
        } else {
            return false;
        }
    }
    repair->bytes[line->dash] = ' ';
    repair->bytes[to] = '-';
    repair->bytes[to + 1] = ' ';
    return true;
}

// The other lines of an item whose first key was moved go with it.
static void move_item_lines(const Repair *repair, const Line *item, uint32_t column) {
    const uint32_t old = item->key - item->start;
    const uint32_t number = lines_at(&repair->lines, item->start);
    uint32_t last = number;
    for (uint32_t i = number + 1; i < repair->lines.list.count; i++) {
        const Line *line = repair_line(repair, i);
        if (line->kind == LINE_BLANK || line->kind == LINE_INSIDE) continue;
        if (line->kind == LINE_MARKER || line_column(line) < old) break;
        if (line_column(line) > old) continue;
        if (line->dashes > 0 || !move_key_to(repair, line, line->start + column)) break;
        last = i;
    }
    if (last > number) repair_is_first_of(repair, number + 1, last);
}

bool repair_move(const Repair *repair, const Line *line, uint32_t column) {
    if (line->dashes == 0) return move_key_to(repair, line, line->start + column);
    const bool makes_room = line->has_key && line->start + column + 2 > line->key;
    if (!move_dash(repair, line, column)) return false;
    if (makes_room) move_item_lines(repair, line, column + 2);
    return true;
}

// A key whose value stands in the lines below it.
static bool has_lines_below(const Line *line) {
    return line->shape == CLASS_NONE || line->shape == CLASS_BLOCK;
}

// The column in which the lines below a key begin; UINT32_MAX where its value is its own line.
static uint32_t column_below(const Repair *repair, uint32_t number) {
    const Line *line = repair_line(repair, number);
    if (!line->has_key || !has_lines_below(line)) return UINT32_MAX;
    for (uint32_t i = number + 1; i < repair->lines.list.count; i++) {
        const Line *below = repair_line(repair, i);
        if (below->indent_end == below->end) continue;
        return below->indent_end - below->start;
    }
    return UINT32_MAX;
}

// Lines from `number` on that begin in its column and belong together, told to `each`.
static uint32_t siblings(const Repair *repair, uint32_t number, const uint32_t *column,
                         uint32_t *last) {
    const uint32_t own = line_column(repair_line(repair, number));
    // What begins in the same column below a key that waits for its value is that value.
    const bool is_alone = column_below(repair, number) == own;
    uint32_t count = 0;
    for (uint32_t i = number; i < repair->lines.list.count; i++) {
        const Line *line = repair_line(repair, i);
        if (line->kind == LINE_BLANK || line->kind == LINE_INSIDE) continue;
        if (line->kind == LINE_MARKER || line_column(line) < own) break;
        if (line_column(line) > own) continue;
        if (column != NULL && !repair_move(repair, line, *column)) break;
        count++;
        *last = i;
        if (is_alone) break;
    }
    return count;
}

static void report_indent(const Repair *repair, const Line *line, uint32_t other, uint32_t column,
                          uint32_t lines) {
    const bool is_list = line->dashes > 0;
    const uint32_t start = is_list ? line->dash : line->key;
    const uint32_t end = is_list ? line->dash + 1 : line->key_end;
    Diag *diag =
        diag_add(repair->reader->diags, "E0012", DIAG_ERROR, repair_span(repair, start, end),
                 "'" STR_FMT "' stands in column %u, where nothing it could belong to begins",
                 STR_ARG(repair_raw(repair, start, end)), line_column(line) + 1);
    const Line *beside = repair_line(repair, lines_at(&repair->lines, other));
    const bool is_key = beside->has_key && other == beside->key;
    diag_label(diag, repair_span(repair, other, is_key ? beside->key_end : other + 1),
               "what it belongs to begins in column %u", column + 1);
    DiagSuggestion *suggestion =
        diag_suggestion(diag, false, "indent it by %u blank%s", column, column == 1 ? "" : "s");
    Buffer blanks = {0};
    buffer_add_repeat(&blanks, ' ', column);
    diag_edit(diag, suggestion, repair_span(repair, line->start, start), buffer_str(&blanks));
    buffer_release(&blanks);
    if (lines > 1) diag_note(diag, "the same holds for %u lines from here on", lines);
}

// --- items without a dash -----------------------------------------------------------------------

static bool is_item_key(Str key) {
    return str_eq(key, STR("id")) || str_eq(key, STR("type"));
}

static bool begins_item(const Repair *repair, const Line *line) {
    return line->has_key && line->dashes == 0 &&
           is_item_key(repair_raw(repair, line->key, line->key_end));
}

static void report_dash(const Repair *repair, const Line *line, Span other, const char *label) {
    if (!repair_is_first(repair, lines_at(&repair->lines, line->start))) return;
    Diag *diag = diag_add(repair->reader->diags, "E0020", DIAG_ERROR,
                          repair_span(repair, line->key, line->key_end),
                          "the '-' of a list item is missing before '" STR_FMT "'",
                          STR_ARG(repair_raw(repair, line->key, line->key_end)));
    diag_label(diag, other, "%s", label);
    const uint32_t column = line->key - line->start;
    const bool has_room = column >= 2 && repair_raw(repair, line->key - 2, line->key).ptr[0] == ' ';
    DiagSuggestion *suggestion = diag_suggestion(diag, false, "begin the item with '- '");
    // Where the other lines of the item stand deeper already, the dash goes before the key.
    const uint32_t below = lines_at(&repair->lines, line->start) + 1;
    const bool is_deeper =
        below < repair->lines.list.count && line_column(repair_line(repair, below)) >= column + 2;
    const bool replaces = has_room && !is_deeper;
    diag_edit(diag, suggestion,
              repair_span(repair, replaces ? line->key - 2 : line->key, line->key), STR("- "));
}

// `id: name` becomes `- k: x`, which stand for key and value: the item begins in the key's column.
static bool add_dash_before(const Repair *repair, const Line *line) {
    const uint32_t at = line->key;
    if (line->shape != CLASS_PLAIN && line->shape != CLASS_QUOTED) return false;
    if (line->last != lines_at(&repair->lines, line->start) || line->value_end < at + 6) {
        return false;
    }
    uint32_t start = line->value;
    uint32_t end = line->value_end;
    if (line->shape == CLASS_QUOTED && line->close > 0) {
        start++;
        end = line->close - 1;
    }
    repair_blank(repair, at, line->value_end);
    memcpy(repair->bytes + at, "- k: x", 6);
    repair_add(repair, PATCH_KEY, at + 2, line->key, line->key_end);
    repair_add(repair, PATCH_TEXT, at + 5, start, end);
    return true;
}

// The last line of an item, with or without its dash: up to the next line that begins further
// left, or where the next item of the same list does.
static uint32_t item_end(const Repair *repair, uint32_t number) {
    const Line *first = repair_line(repair, number);
    const uint32_t column = line_column(first);
    uint32_t last = number;
    for (uint32_t i = number + 1; i < repair->lines.list.count; i++) {
        const Line *line = repair_line(repair, i);
        if (line->kind == LINE_BLANK) continue;
        if (line->kind == LINE_MARKER) break;
        if (line->kind == LINE_ITEM) {
            const bool is_next = line->dashes > 0 || first->dashes > 0;
            if (line_column(line) < column || (line_column(line) == column && is_next)) break;
        }
        last = i;
    }
    return last;
}

// `- x` in the list's column: an item of which only the ids are known.
static bool patch_item(const Repair *repair, uint32_t number, uint32_t last, uint32_t column) {
    const Line *line = repair_line(repair, number);
    const uint32_t at = line->start + column;
    const uint32_t end = repair_line_end(repair, last);
    if (at + 2 >= line->end) return false;
    const uint32_t start = line->dashes > 0 ? line->dash : line->content;
    repair_blank(repair, start, end);
    repair->bytes[at] = '-';
    repair->bytes[at + 2] = 'x';
    repair_add(repair, PATCH_HOLE, at + 2, start, end);
    return true;
}

// A key in the column of the dashes, the one with which the items begin.
static bool is_item_without_dash(const Repair *repair, const Open *top) {
    const Line *line = repair_line(repair, repair->at);
    if (!line->has_key || line->dashes > 0 || !top->is_list || top->column != line_column(line)) {
        return false;
    }
    const Line *item = repair_line(repair, lines_at(&repair->lines, top->key));
    return item->has_key && str_eq(repair_raw(repair, line->key, line->key_end),
                                   repair_raw(repair, item->key, item->key_end));
}

static bool try_later_item(const Repair *repair, const Stack *stack) {
    const Open *top = &stack->items[stack->depth - 1];
    if (!is_item_without_dash(repair, top)) return false;
    const Line *line = repair_line(repair, repair->at);
    report_dash(repair, line, repair_span(repair, top->key, top->key + 1),
                "the item above begins with one");
    // Its other lines may stand deeper, as below a dash, or beside it.
    const uint32_t last = item_end(repair, repair->at);
    uint32_t end = repair->at;
    const bool stands_alone = siblings(repair, repair->at, NULL, &end) == 1;
    if (stands_alone && add_dash_before(repair, line)) return true;
    return patch_item(repair, repair->at, last, top->column);
}

// Keys whose value is a list of items.
static bool is_list_key(Str key) {
    static const char *const lists[] = {"tasks",          "inputs",     "outputs",       "triggers",
                                        "errors",         "finally",    "then",          "else",
                                        "afterExecution", "conditions", "pluginDefaults"};
    for (size_t i = 0; i < COUNT(lists); i++) {
        if (str_eq(key, str_from(lists[i]))) return true;
    }
    return false;
}

// The first item: the list is a map so far, in which a dash or a deeper line has no place.
static bool try_first_item(const Repair *repair, const Stack *stack) {
    const Line *line = repair_line(repair, repair->at);
    const uint32_t column = line_column(line);
    const Open *map = NULL;
    if (line->dashes > 0) {
        map = stack->has_popped && !stack->popped.is_list ? &stack->popped : NULL;
        if (map == NULL || map->column != column + STEP) return false;
    } else {
        const Open *top = &stack->items[stack->depth - 1];
        if (top->is_list || top->count != 1 || top->column + STEP != column) return false;
        if (stack->depth < 2 || stack->items[stack->depth - 2].is_list) return false;
        const uint32_t owner = stack->items[stack->depth - 2].key;
        const Line *above = repair_line(repair, lines_at(&repair->lines, owner));
        if (!above->has_key || !is_list_key(repair_raw(repair, above->key, above->key_end))) {
            return false;
        }
        map = top;
    }
    const Line *first = repair_line(repair, map->line);
    // A dash in the column where the map should have had one tells enough.
    const bool begins =
        line->dashes > 0 ? first->has_key && first->dashes == 0 : begins_item(repair, first);
    if (!begins || first->key != map->first) return false;
    report_dash(repair, first,
                repair_span(repair, line->dashes > 0 ? line->dash : line->key,
                            line->dashes > 0 ? line->dash + 1 : line->key_end),
                line->dashes > 0 ? "the next item begins with one"
                                 : "the lines of the item stand deeper");
    if (line->dashes == 0) return add_dash_before(repair, first);
    repair->bytes[first->start + column] = '-';
    return true;
}

// --- the rest -----------------------------------------------------------------------------------

// The open collection a line belongs to: of the same kind, the nearest column, and left of what
// stands below the line.
static const Open *find_target(const Repair *repair, const Stack *stack) {
    const Line *line = repair_line(repair, repair->at);
    const bool is_list = line->dashes > 0;
    const uint32_t column = line_column(line);
    const uint32_t below = column_below(repair, repair->at);
    const Open *above = NULL;
    for (uint32_t i = stack->depth; i > 0 && above == NULL; i--) {
        if (stack->items[i - 1].is_list == is_list) above = &stack->items[i - 1];
    }
    if (!stack->has_popped || stack->popped.is_list != is_list) return above;
    const Open *popped = &stack->popped;
    if (popped->column >= below) return above;
    const bool is_nearer = above == &stack->items[stack->depth - 1] &&
                           column - above->column < popped->column - column;
    return is_nearer ? above : popped;
}

// The first key of a map may be the one that stands wrong: where more lines stand like this one, or
// this one is indented as usual and the first is not.
static bool blames_first(const Repair *repair, const Stack *stack, const Open *target) {
    const Line *line = repair_line(repair, repair->at);
    const Line *first = repair_line(repair, target->line);
    if (line->dashes > 0 || target->count != 1 || first->dashes > 0 || !first->has_key) {
        return false;
    }
    const bool is_popped = target == &stack->popped;
    const uint32_t around = is_popped ? stack->depth : stack->depth - 1;
    if (around == 0) return false;
    const uint32_t parent = stack->items[around - 1].column;
    const uint32_t column = line_column(line);
    if (column <= parent || column_below(repair, target->line) <= column) return false;
    uint32_t last = 0;
    const bool is_usual = column - parent == STEP && target->column - parent != STEP;
    return is_usual ||
           (siblings(repair, repair->at, NULL, &last) > 1 && target->column - parent != STEP);
}

bool repair_is_open(const Repair *repair, uint32_t number, uint32_t column, bool is_list) {
    Stack stack;
    open_lines(repair, number, &stack);
    for (uint32_t i = 0; i < stack.depth; i++) {
        if (stack.items[i].column == column && stack.items[i].is_list == is_list) return true;
    }
    return false;
}

// `key: |` that stands as deep as the text below it: the text is empty, and what was meant as text
// cannot be read.
bool repair_empty_block(Repair *repair) {
    uint32_t number = repair->context < repair->at ? repair->context : repair->at;
    while (number > 0 && repair_line(repair, --number)->kind != LINE_ITEM) {
    }
    const Line *line = repair_line(repair, number);
    if (!line->has_key || line->dashes > 0 || line->shape != CLASS_BLOCK || line->last != number) {
        return false;
    }
    const uint32_t below = column_below(repair, number);
    const uint32_t column = line_column(line);
    if (below > column || below < STEP || column - (below - STEP) > 2 * STEP) return false;
    Stack stack;
    open_lines(repair, number, &stack);
    close_to(&stack, below - STEP, false);
    if (stack.depth == 0 || !repair_move(repair, line, below - STEP)) return false;
    if (repair_is_first(repair, number)) {
        report_indent(repair, line, stack.items[stack.depth - 1].key, below - STEP, 1);
    }
    return true;
}

bool repair_indent(Repair *repair) {
    const Line *line = repair_line(repair, repair->at);
    if (line->kind != LINE_ITEM || (!line->has_key && line->dashes == 0)) return false;
    Stack stack;
    open_lines(repair, repair->at, &stack);
    const uint32_t column = line_column(line);
    close_to(&stack, column, line->dashes > 0);
    if (stack.depth == 0) return false;
    if (try_first_item(repair, &stack) || try_later_item(repair, &stack)) return true;
    const Open *target = find_target(repair, &stack);
    if (target == NULL || target->column == column) return false;
    if (blames_first(repair, &stack, target) &&
        repair_move(repair, repair_line(repair, target->line), column)) {
        if (repair_is_first(repair, target->line)) {
            report_indent(repair, repair_line(repair, target->line), line->key, column, 1);
        }
        return true;
    }
    const bool is_new = repair_is_first(repair, repair->at);
    uint32_t last = repair->at;
    const uint32_t moved = siblings(repair, repair->at, &target->column, &last);
    if (last > repair->at) repair_is_first_of(repair, repair->at + 1, last);
    if (is_new) report_indent(repair, line, target->key, target->column, moved);
    if (moved > 0) return true;
    last = item_end(repair, repair->at);
    if (line->dashes > 0 && patch_item(repair, repair->at, last, target->column)) return true;
    repair_blank(repair, line->start, repair_line_end(repair, last));
    return true;
}
