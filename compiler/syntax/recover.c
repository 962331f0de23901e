// recover.c - after a syntax error: what is wrong, said at its place, and a patch with which the
// rest can be read.
//
// libyaml tells where it gave up, which is often lines behind the mistake. The lines around that
// place are looked at in a fixed order: tab, quote, bracket, colon, blank behind it, `{{`, text
// that needs quotes, indentation. The first that fits is reported and patched: in a copy of the
// same length, so that all offsets stay those of the file. A patch keeps what can be known (the
// key, the text of the value, the ids of an item) and makes a hole of the rest.
#include <stdio.h>
#include <string.h>

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

// --- patches ------------------------------------------------------------------------------------

static void blank(const Repair *repair, uint32_t start, uint32_t end) {
    for (uint32_t i = start; i < end; i++) {
        if (repair->bytes[i] != '\n' && repair->bytes[i] != '\r') repair->bytes[i] = ' ';
    }
}

static void add_patch(const Repair *repair, PatchKind kind, uint32_t at, uint32_t start,
                      uint32_t end) {
    *LIST_ADD(&repair->reader->scratch, &repair->reader->patches, Patch) =
        (Patch){kind, at, start, end};
}

// [start, end) becomes one scalar that stands for [raw_start, raw_end), or for something unknown.
static void patch_value(const Repair *repair, PatchKind kind, uint32_t start, uint32_t end) {
    blank(repair, start, end);
    repair->bytes[start] = 'x';
    add_patch(repair, kind, start, start, end);
}

// Each mistake is reported once: true where none of recovery's findings stands in line `first`,
// and marks the lines to `last` as reported.
static bool is_first_report_of(const Repair *repair, uint32_t first, uint32_t last) {
    Reader *reader = repair->reader;
    const uint32_t start = repair->lines.list.items[first].start;
    for (uint32_t i = 0; i < reader->reported.count; i++) {
        const Span span = reader->reported.items[i];
        if (start >= span.start && start < span.start + span.len) return false;
    }
    const uint32_t end = repair->lines.list.items[last].end + 1;
    *LIST_ADD(&reader->scratch, &reader->reported, Span) = (Span){0, start, end - start};
    return true;
}

static bool is_first_report(const Repair *repair, uint32_t number) {
    return is_first_report_of(repair, number, number);
}

static Span line_span(const Repair *repair, uint32_t start, uint32_t end) {
    return reader_span(repair->reader, start, end);
}

static Str raw(const Repair *repair, uint32_t start, uint32_t end) {
    return str_slice(repair->reader->source->bytes, start, end);
}

static Diag *report(const Repair *repair, const char *code, uint32_t start, uint32_t end,
                    const char *message) {
    return diag_add(repair->reader->diags, code, DIAG_ERROR, line_span(repair, start, end), "%s",
                    message);
}

static const Line *line_of(const Repair *repair, uint32_t number) {
    return &repair->lines.list.items[number];
}

static bool is_patched(const Repair *repair, uint32_t at) {
    for (uint32_t i = 0; i < repair->reader->patches.count; i++) {
        if (repair->reader->patches.items[i].at == at) return true;
    }
    return false;
}

void suggest_quotes(const Reader *reader, Diag *diag, uint32_t start, uint32_t end) {
    const Str text = str_slice(reader->source->bytes, start, end);
    if (str_find_char(text, '\n', 0) != STR_NOT_FOUND) return;
    const bool is_single = str_find_char(text, '"', 0) != STR_NOT_FOUND ||
                           str_find_char(text, '\\', 0) != STR_NOT_FOUND;
    const Str quote = is_single ? STR("'") : STR("\"");
    DiagSuggestion *suggestion = diag_suggestion(diag, true, "put quotes around it");
    diag_edit(diag, suggestion, reader_span(reader, start, start), quote);
    for (uint32_t at = start; is_single && at < end; at++) {
        if (reader->source->bytes.ptr[at] != '\'') continue;
        diag_edit(diag, suggestion, reader_span(reader, at, at), quote);
    }
    diag_edit(diag, suggestion, reader_span(reader, end, end), quote);
}

static bool is_word_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
}

static uint32_t word_end(const Repair *repair, uint32_t at, uint32_t end) {
    while (at < end && is_word_char(repair->bytes[at])) at++;
    return at;
}

void find_ids(Reader *reader, uint32_t start, uint32_t end, Node *hole) {
    const Str bytes = str_slice(reader->source->bytes, 0, end);
    for (size_t at = start; (at = str_find(bytes, STR("id:"), at)) != STR_NOT_FOUND; at += 3) {
        const char before = at == 0 ? '\n' : bytes.ptr[at - 1];
        if (is_word_char(before)) continue;
        size_t from = at + 3;
        while (from < end && strchr(" \t\"'", bytes.ptr[from]) != NULL) from++;
        size_t to = from;
        while (to < end && is_word_char(bytes.ptr[to])) to++;
        if (to > from) *LIST_ADD(reader->arena, &hole->hole_ids, Str) = str_slice(bytes, from, to);
    }
}

// --- 1. tabs ------------------------------------------------------------------------------------

static bool is_tab_trouble(const Repair *repair, uint32_t number) {
    const Line *line = line_of(repair, number);
    return line->has_tab && line->kind != LINE_BLANK;
}

// Each tab becomes one blank: consistent as far as the tabs are.
static bool try_tab(Repair *repair) {
    uint32_t first = repair->at;
    if (!is_tab_trouble(repair, first)) return false;
    // A run of such lines is one mistake.
    while (first > 0 && is_tab_trouble(repair, first - 1)) first--;
    uint32_t last = repair->at;
    while (last + 1 < repair->lines.list.count &&
           (is_tab_trouble(repair, last + 1) ||
            (line_of(repair, last + 1)->kind == LINE_BLANK && last + 2 < repair->lines.list.count &&
             is_tab_trouble(repair, last + 2)))) {
        last++;
    }
    const bool is_new = is_first_report_of(repair, first, last);
    Diag *diag = NULL;
    DiagSuggestion *suggestion = NULL;
    for (uint32_t i = first; i <= last; i++) {
        const Line *line = line_of(repair, i);
        for (uint32_t at = line->start; at < line->content; at++) {
            if (repair->bytes[at] != '\t') continue;
            repair->bytes[at] = ' ';
            if (is_new && diag == NULL) {
                diag = report(repair, "E0011", at, at + 1, "a tab cannot indent YAML");
                suggestion = diag_suggestion(diag, true, "replace each tab by two blanks");
            }
            if (suggestion != NULL) {
                diag_edit(diag, suggestion, line_span(repair, at, at + 1), STR("  "));
            }
        }
    }
    if (diag != NULL && last > first) {
        diag_note(diag, "%u lines from here on begin with tabs", last - first + 1);
    }
    return true;
}

// --- 2. and 3. quotes and brackets that are never closed ----------------------------------------

static bool try_unclosed(Repair *repair, ValueClass shape, const char *code) {
    for (uint32_t i = repair->at + 1; i-- > 0;) {
        const Line *line = line_of(repair, i);
        if (line->kind != LINE_ITEM || line->shape != shape || !line->is_unclosed) continue;
        if (line->last + 1 < repair->at) break;  // too far above to be the reason
        const char open = repair->bytes[line->value];
        // What stands in lines of its own below and is no item belongs to the value.
        uint32_t last = i;
        while (last + 1 < repair->lines.list.count &&
               line_of(repair, last + 1)->kind == LINE_ITEM &&
               !line_of(repair, last + 1)->has_key && line_of(repair, last + 1)->dashes == 0 &&
               (int32_t)line_column(line_of(repair, last + 1)) > line_owner_column(line)) {
            last++;
        }
        if (shape == CLASS_FLOW) {
            const uint32_t extent = lines_extent(&repair->lines, i);
            if (extent > last) last = extent;
        }
        const uint32_t end = last == i ? line->value_end : line_of(repair, last)->value_end;
        if (is_first_report(repair, i)) {
            const char close = open == '[' ? ']' : open == '{' ? '}' : open;
            Diag *diag =
                diag_add(repair->reader->diags, code, DIAG_ERROR,
                         line_span(repair, line->value, line->value + 1), "this %s is never closed",
                         shape == CLASS_QUOTED ? "quote"
                         : open == '['         ? "'['"
                                               : "'{'");
            DiagSuggestion *suggestion =
                diag_suggestion(diag, false, "close it with '%c' at the end of the text", close);
            diag_edit(diag, suggestion, line_span(repair, end, end), (Str){&close, 1});
        }
        if (shape == CLASS_QUOTED && end > line->value + 1) {
            blank(repair, line->value, end);
            repair->bytes[line->value] = 'x';
            add_patch(repair, PATCH_TEXT, line->value, line->value + 1, end);
        } else {
            patch_value(repair, PATCH_HOLE, line->value, end);
        }
        return true;
    }
    return false;
}

// --- 4. and 5. `key value`, `key:value` ---------------------------------------------------------

static bool is_keyless(const Line *line) {
    return line->kind == LINE_ITEM && !line->has_key && line->shape == CLASS_PLAIN;
}

// Makes `xx: value` of it; the key's letters are those of the file all the same.
static bool mend_colon(const Repair *repair, const Line *line, uint32_t key_end, uint32_t value) {
    const uint32_t key = line->content;
    if (value - key < 3) return false;
    memset(repair->bytes + key, 'x', value - key - 2);
    repair->bytes[value - 2] = ':';
    repair->bytes[value - 1] = ' ';
    add_patch(repair, PATCH_KEY, key, key, key_end);
    return true;
}

static bool try_colon(Repair *repair) {
    uint32_t number = repair->context;
    const char *problem = repair->failure->problem;
    if (strstr(problem, "expected ':'") == NULL) {
        if (strstr(problem, "mapping values") == NULL) return false;
        // `- id a`, and the next line's colon comes as a surprise.
        number = repair->at;
        while (number > 0 && line_of(repair, --number)->kind == LINE_BLANK) {
        }
        if (line_of(repair, repair->at)->has_tab || number == repair->at) return false;
    }
    const Line *line = line_of(repair, number);
    if (!is_keyless(line)) return false;
    const uint32_t end = word_end(repair, line->content, line->value_end);
    if (end == line->content || end >= line->value_end) return false;
    const bool has_colon = repair->bytes[end] == ':' && end + 1 < line->value_end;
    uint32_t value = end + 1;
    if (!has_colon) {
        if (repair->bytes[end] != ' ') return false;
        while (value < line->value_end && repair->bytes[value] == ' ') value++;
    } else if (repair->bytes[value] == '/' || repair->bytes[value] == ':') {
        return false;  // a URL or a name with colons: no key
    }
    const Str key = raw(repair, line->content, end);
    if (is_first_report(repair, number)) {
        Diag *diag = NULL;
        if (has_colon) {
            diag = diag_add(repair->reader->diags, "E0014", DIAG_ERROR,
                            line_span(repair, end, end + 1),
                            "a blank is missing behind '" STR_FMT ":'", STR_ARG(key));
        } else {
            diag = diag_add(repair->reader->diags, "E0013", DIAG_ERROR,
                            line_span(repair, line->content, end),
                            "a ':' is missing behind '" STR_FMT "'", STR_ARG(key));
        }
        const uint32_t at = has_colon ? end + 1 : end;
        DiagSuggestion *suggestion =
            diag_suggestion(diag, true, has_colon ? "put a blank there" : "put a colon there");
        diag_edit(diag, suggestion, line_span(repair, at, at), has_colon ? STR(" ") : STR(":"));
    }
    if (!mend_colon(repair, line, end, value)) blank(repair, line->content, line->end);
    return true;
}

// --- 6. `{{` without quotes ---------------------------------------------------------------------

static bool try_template(Repair *repair) {
    for (uint32_t i = repair->at + 1; i-- > 0;) {
        const Line *line = line_of(repair, i);
        if (line->kind != LINE_ITEM) continue;
        if (line->shape != CLASS_TEMPLATE || is_patched(repair, line->value)) {
            if (i < repair->context || i + 1 < repair->at) break;
            continue;
        }
        if (line->last + 1 < repair->at) break;
        const Line *last = line_of(repair, line->last);
        uint32_t end = line->value_end;
        if (line->last > i) {
            end = last->end;
            while (end > last->start && repair->bytes[end - 1] == ' ') end--;
        }
        if (is_first_report(repair, i)) {
            Diag *diag = report(repair, "E0017", line->value, line->value_end,
                                "a text that begins with '{{' needs quotes");
            suggest_quotes(repair->reader, diag, line->value, end);
        }
        patch_value(repair, PATCH_TEXT, line->value, end);
        return true;
    }
    return false;
}

// --- 7. text that needs quotes ------------------------------------------------------------------

static bool needs_quotes(const Repair *repair, const Line *line) {
    if (line->kind != LINE_ITEM || is_patched(repair, line->value)) return false;
    if (line->shape == CLASS_QUOTED || line->shape == CLASS_FLOW) return line->has_trailing;
    if (line->shape != CLASS_PLAIN || line->value >= line->value_end) return false;
    if (strchr("@`%*&!|>", repair->bytes[line->value]) != NULL) return true;
    // A second `: ` behind the one that ends the key.
    if (!line->has_key || repair->failure->at < line->value) return false;
    for (uint32_t at = line->value; at < line->value_end; at++) {
        if (repair->bytes[at] == ':' &&
            (at + 1 == line->value_end || repair->bytes[at + 1] == ' ')) {
            return true;
        }
    }
    return false;
}

static bool try_quotes(Repair *repair) {
    uint32_t number = repair->at;
    if (!needs_quotes(repair, line_of(repair, number))) {
        number = repair->context;
        if (number > repair->at || !needs_quotes(repair, line_of(repair, number))) {
            // Behind a bracket that closed too early, the failure stands in the next line.
            number = repair->at;
            while (number > 0 && line_of(repair, --number)->kind != LINE_ITEM) {
            }
            if (number == repair->at || !needs_quotes(repair, line_of(repair, number)))
                return false;
        }
    }
    const Line *line = line_of(repair, number);
    const uint32_t end = line->value_end;
    if (line->last > number) return false;
    if (is_first_report(repair, number)) {
        const char *why = "this text needs quotes: it holds ': '";
        if (line->shape == CLASS_QUOTED) why = "text behind the closing quote";
        if (line->shape == CLASS_FLOW) why = "text behind the closing bracket";
        char reserved[64];
        if (line->shape == CLASS_PLAIN && strchr("@`%*&!|>", repair->bytes[line->value]) != NULL) {
            snprintf(reserved, sizeof reserved, "a text that begins with '%c' needs quotes",
                     repair->bytes[line->value]);
            why = reserved;
        }
        const bool is_behind = line->shape != CLASS_PLAIN && line->close > 0;
        Diag *diag = report(repair, "E0018", is_behind ? line->close : line->value, end, why);
        suggest_quotes(repair->reader, diag, line->value, end);
    }
    patch_value(repair, PATCH_TEXT, line->value, end);
    return true;
}

// --- 8. indentation -----------------------------------------------------------------------------

typedef struct Open {
    uint32_t column, line, key;  // line where it began; offset of its latest key or dash
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
            return;
        }
    }
    if (stack->depth < COUNT(stack->items)) {
        stack->items[stack->depth++] = (Open){column, line, key, is_list};
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
        const Line *line = line_of(repair, i);
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

static void report_indent(const Repair *repair, uint32_t number, const Open *target,
                          uint32_t lines) {
    const Line *line = line_of(repair, number);
    const uint32_t column = line_column(line);
    const Line *other = line_of(repair, lines_at(&repair->lines, target->key));
    const bool is_list = line->dashes > 0;
    const uint32_t start = is_list ? line->dash : line->key;
    const uint32_t end = is_list ? line->dash + 1 : line->key_end;
    Diag *diag = diag_add(repair->reader->diags, "E0012", DIAG_ERROR, line_span(repair, start, end),
                          "'" STR_FMT "' stands in column %u, where nothing it could belong to "
                          "begins",
                          STR_ARG(raw(repair, start, end)), column + 1);
    const uint32_t other_end =
        target->is_list ? target->key + 1 : (other->has_key ? other->key_end : target->key + 1);
    diag_label(diag, line_span(repair, target->key, other_end), "what is above begins in column %u",
               target->column + 1);
    DiagSuggestion *suggestion = diag_suggestion(diag, false, "indent it by %u blank%s",
                                                 target->column, target->column == 1 ? "" : "s");
    Buffer blanks = {0};
    buffer_add_repeat(&blanks, ' ', target->column);
    diag_edit(diag, suggestion, line_span(repair, line->start, start), buffer_str(&blanks));
    buffer_release(&blanks);
    if (lines > 1) diag_note(diag, "the same holds for %u lines from here on", lines);
}

// Moves the key of a line to another column by lengthening or shortening it to the left.
static bool move_key(const Repair *repair, const Line *line, uint32_t column) {
    const uint32_t to = line->start + column;
    if (!line->has_key || line->dashes > 0 || to + 1 > line->colon) return false;
    if (to > line->key) blank(repair, line->key, to);
    memset(repair->bytes + to, 'x', line->colon - to);
    uint32_t start = line->key;
    uint32_t end = line->key_end;
    const char quote = raw(repair, start, start + 1).ptr[0];
    if ((quote == '"' || quote == '\'') && end - start >= 2) {
        start++;
        end--;
    }
    add_patch(repair, PATCH_KEY, to, start, end);
    return true;
}

static bool move_dash(const Repair *repair, const Line *line, uint32_t column) {
    const uint32_t to = line->start + column;
    if (line->dashes == 0 || (to > line->dash && to + 1 >= line->content)) return false;
    repair->bytes[line->dash] = ' ';
    repair->bytes[to] = '-';
    return true;
}

// Line `number` and those that follow it in the same wrong column; how many.
static uint32_t move_lines(const Repair *repair, uint32_t number, uint32_t column) {
    const uint32_t wrong = line_column(line_of(repair, number));
    uint32_t moved = 0;
    uint32_t last = number;
    for (uint32_t i = number; i < repair->lines.list.count; i++) {
        const Line *line = line_of(repair, i);
        if (line->kind == LINE_BLANK || line->kind == LINE_INSIDE) continue;
        if (line->kind == LINE_MARKER || line_column(line) < wrong) break;
        if (line_column(line) > wrong) continue;
        const bool is_moved =
            line->dashes > 0 ? move_dash(repair, line, column) : move_key(repair, line, column);
        if (!is_moved) break;
        moved++;
        last = i;
    }
    if (last > number) is_first_report_of(repair, number + 1, last);
    return moved;
}

static uint32_t region_end(const Repair *repair, uint32_t last) {
    return line_of(repair, last)->end;
}

// The last line of an item, with or without its dash: up to the next line that begins further
// left, or where the next item of the same list does.
static uint32_t item_end(const Repair *repair, uint32_t number) {
    const Line *first = line_of(repair, number);
    const uint32_t column = line_column(first);
    uint32_t last = number;
    for (uint32_t i = number + 1; i < repair->lines.list.count; i++) {
        const Line *line = line_of(repair, i);
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
    const Line *line = line_of(repair, number);
    const uint32_t at = line->start + column;
    const uint32_t end = region_end(repair, last);
    if (at + 2 >= line->end) return false;
    const uint32_t start = line->dashes > 0 ? line->dash : line->content;
    blank(repair, start, end);
    repair->bytes[at] = '-';
    repair->bytes[at + 2] = 'x';
    add_patch(repair, PATCH_HOLE, at + 2, start, end);
    return true;
}

static bool try_lost_dash(Repair *repair, const Stack *stack) {
    const Line *line = line_of(repair, repair->at);
    const Open *top = &stack->items[stack->depth - 1];
    if (!line->has_key || line->dashes > 0 || !top->is_list || top->column != line_column(line)) {
        return false;
    }
    const Line *item = line_of(repair, lines_at(&repair->lines, top->key));
    const Str key = raw(repair, line->key, line->key_end);
    if (!item->has_key || !str_eq(key, raw(repair, item->key, item->key_end))) return false;
    if (is_first_report(repair, repair->at)) {
        Diag *diag = diag_add(
            repair->reader->diags, "E0020", DIAG_ERROR, line_span(repair, line->key, line->key_end),
            "the '-' of a list item is missing before '" STR_FMT "'", STR_ARG(key));
        diag_label(diag, line_span(repair, item->dash, item->dash + 1),
                   "the item above begins with one");
        DiagSuggestion *suggestion = diag_suggestion(
            diag, false, "begin the item with '- ' and indent its other lines by two more");
        diag_edit(diag, suggestion, line_span(repair, line->key, line->key), STR("- "));
    }
    return patch_item(repair, repair->at, item_end(repair, repair->at), top->column);
}

static bool try_indent(Repair *repair) {
    const Line *line = line_of(repair, repair->at);
    if (line->kind != LINE_ITEM || (!line->has_key && line->dashes == 0)) return false;
    Stack stack;
    open_lines(repair, repair->at, &stack);
    const uint32_t column = line_column(line);
    const bool is_list = line->dashes > 0;
    close_to(&stack, column, is_list);
    if (stack.depth == 0) return false;
    if (try_lost_dash(repair, &stack)) return true;
    // Back to the nearest open collection of the same kind: the one just closed, or one above.
    const Open *target = NULL;
    if (stack.has_popped && stack.popped.is_list == is_list) target = &stack.popped;
    for (uint32_t i = stack.depth; i > 0 && target == NULL; i--) {
        if (stack.items[i - 1].is_list == is_list) target = &stack.items[i - 1];
    }
    const Open *top = &stack.items[stack.depth - 1];
    if (target == &stack.popped && top->is_list == is_list &&
        column - top->column < stack.popped.column - column) {
        target = top;
    }
    if (target == NULL || target->column == column) return false;
    const bool is_new = is_first_report(repair, repair->at);
    uint32_t lines = move_lines(repair, repair->at, target->column);
    if (is_new) report_indent(repair, repair->at, target, lines);
    if (lines > 0) return true;
    const uint32_t last = item_end(repair, repair->at);
    if (is_list && patch_item(repair, repair->at, last, target->column)) return true;
    blank(repair, line->start, region_end(repair, last));
    return true;
}

// --- 9. anything else ---------------------------------------------------------------------------

static const struct {
    const char *problem, *message;
} messages[] = {
    {"found unknown escape character",                         "unknown escape in a double-quoted text"   },
    {"did not find expected hexdecimal number",                "an escape needs hexadecimal digits here"  },
    {"found invalid Unicode character escape code",            "no such Unicode character"                },
    {"found character that cannot start any token",            "no value can begin with this character"   },
    {"mapping values are not allowed in this context",         "a key has no place here"                  },
    {"block sequence entries are not allowed in this context", "a list item has no place here"            },
    {"did not find expected key",                              "this does not belong to the map above it" },
    {"did not find expected '-' indicator",                    "this does not belong to the list above it"},
    {"could not find expected ':'",                            "a ':' is missing behind this key"         },
    {"found unexpected end of stream",                         "the text ends too early"                  },
    {"did not find expected ',' or ']'",                       "a ',' or ']' is missing here"             },
    {"did not find expected ',' or '}'",                       "a ',' or '}' is missing here"             },
    {"did not find expected <document start>",                 "text behind the end of the document"      },
    {"did not find expected alphabetic or numeric character",  "a name is missing here"                   },
    {"found undefined tag handle",                             "an undefined tag"                         },
    {"did not find expected comment or line break",
     "a block text begins in the line below its sign"                                                     },
};

static const char *message_of(const char *problem) {
    for (size_t i = 0; i < COUNT(messages); i++) {
        if (strcmp(messages[i].problem, problem) == 0) return messages[i].message;
    }
    return problem;
}

// An escape that does not exist: the rest of the text is as it reads.
static bool try_escape(Repair *repair) {
    const char *context = repair->failure->context;
    if (context == NULL || strcmp(context, "while parsing a quoted scalar") != 0) return false;
    const Line *line = line_of(repair, repair->context);
    if (line->shape != CLASS_QUOTED || line->close == 0) return false;
    const uint32_t at = repair->failure->at;
    uint32_t escape = at;
    while (escape > line->value && repair->bytes[escape] != '\\') escape--;
    if (is_first_report(repair, repair->context)) {
        Diag *diag = diag_add(repair->reader->diags, "E0010", DIAG_ERROR,
                              line_span(repair, escape, escape + 2),
                              "the escape '" STR_FMT "' does not exist in a double-quoted text",
                              STR_ARG(raw(repair, escape, escape + 2)));
        const Str text = raw(repair, line->value + 1, line->close - 1);
        if (str_find_char(text, '\'', 0) == STR_NOT_FOUND) {
            DiagSuggestion *suggestion =
                diag_suggestion(diag, false, "in single quotes a backslash is a backslash");
            diag_edit(diag, suggestion, line_span(repair, line->value, line->value + 1), STR("'"));
            diag_edit(diag, suggestion, line_span(repair, line->close - 1, line->close), STR("'"));
        } else {
            diag_note(diag, "a backslash itself is written '\\\\'");
        }
    }
    blank(repair, line->value, line->close);
    repair->bytes[line->value] = 'x';
    add_patch(repair, PATCH_TEXT, line->value, line->value + 1, line->close - 1);
    return true;
}

// The smallest item that encloses the place becomes a hole.
static void make_hole(Repair *repair) {
    uint32_t number = repair->at;
    const Line *line = line_of(repair, number);
    if (line->kind != LINE_ITEM || is_patched(repair, line->value)) {
        // Inside of something that began above, or in a line that was patched already.
        while (number > 0 && line_of(repair, number)->kind != LINE_ITEM) number--;
        line = line_of(repair, number);
    }
    uint32_t last = lines_extent(&repair->lines, number);
    if (last < repair->at) last = repair->at;
    const uint32_t end = region_end(repair, last);
    const bool can_keep_key = line->kind == LINE_ITEM && line->has_key && line->value < line->end &&
                              repair->failure->at > line->colon && !is_patched(repair, line->value);
    if (can_keep_key) {
        patch_value(repair, PATCH_HOLE, line->value, end);
    } else if (line->kind == LINE_ITEM && line->dashes > 0 && line->content < line->end &&
               !is_patched(repair, line->content)) {
        patch_value(repair, PATCH_HOLE, line->content, end);
    } else {
        blank(repair, line->start, end);
    }
}

static void report_other(Repair *repair) {
    uint32_t at = repair->failure->at;
    uint32_t number = repair->at;
    // At the end of the file the fault stands where the thing began.
    if (at >= repair->reader->text.len || line_of(repair, number)->kind == LINE_BLANK) {
        at = repair->failure->context_at;
        number = repair->context;
    }
    if (!is_first_report(repair, number)) return;
    const Line *line = line_of(repair, number);
    uint32_t end = line->kind == LINE_ITEM && line->value_end > at ? line->value_end : at + 1;
    if (line->has_key && at < line->key_end) end = line->key_end;
    if (end > line->end) end = line->end > at ? line->end : at;
    report(repair, "E0010", at, end, message_of(repair->failure->problem));
}

static void explain_and_patch(Repair *repair) {
    Reader *reader = repair->reader;
    const uint32_t findings = reader->diags->list.count;
    const uint32_t patches = reader->patches.count;
    if (try_tab(repair) || try_unclosed(repair, CLASS_QUOTED, "E0015") ||
        try_unclosed(repair, CLASS_FLOW, "E0016") || try_colon(repair) || try_template(repair) ||
        try_escape(repair) || try_quotes(repair) || try_indent(repair)) {
        // A mistake that was found and patched before, and fails again, is given up.
        if (reader->diags->list.count > findings || reader->patches.count > patches) return;
    } else {
        report_other(repair);
    }
    make_hole(repair);
}

void recover(Reader *reader, const Failure *failure) {
    Arena arena = {0};
    Repair repair = {.reader = reader, .failure = failure, .bytes = (char *)reader->text.ptr};
    lines_scan(&repair.lines, reader->text, reader->offsets.base, &arena);
    repair.at = lines_at(&repair.lines, failure->at);
    repair.context = lines_at(&repair.lines, failure->context_at);
    // Behind the last line the failure belongs to what came before.
    while (repair.at > 0 && repair.at > repair.context &&
           line_of(&repair, repair.at)->kind == LINE_BLANK) {
        repair.at--;
    }
    explain_and_patch(&repair);
    arena_release(&arena);
}
