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

#include "syntax/repair.h"

// --- 1. tabs ------------------------------------------------------------------------------------

static bool is_tab_trouble(const Repair *repair, uint32_t number) {
    const Line *line = repair_line(repair, number);
    return line->has_tab && line->kind != LINE_BLANK;
}

// The column of a line whose `tabs` tabs were meant as 2, 4 or 8 blanks each: where something of
// its kind is open, or, below a key that waits for its value, where that may begin.
static bool guess_column(const Repair *repair, uint32_t number, uint32_t tabs, uint32_t *out) {
    const Line *line = repair_line(repair, number);
    uint32_t above = number;
    while (above > 0 && repair_line(repair, --above)->kind != LINE_ITEM) {
    }
    const Line *owner = repair_line(repair, above);
    const bool waits = above < number && owner->has_key && owner->shape == CLASS_NONE;
    for (uint32_t width = 2; width <= 8; width *= 2) {
        const uint32_t column = line_column(line) + tabs * (width - 1);
        const bool is_value = waits && (int32_t)column == line_owner_column(owner) + 2;
        if (!is_value && !repair_is_open(repair, number, column, line->dashes > 0)) continue;
        *out = column;
        return true;
    }
    return false;
}

// The last line that stands deeper than `column` below a line, or is a list in that column.
static uint32_t lines_below(const Repair *repair, uint32_t number, uint32_t column) {
    uint32_t last = number;
    for (uint32_t i = number + 1; i < repair->lines.list.count; i++) {
        const Line *line = repair_line(repair, i);
        if (line->kind == LINE_BLANK) continue;
        if (line->kind != LINE_INSIDE && line_column(line) <= column) break;
        last = i;
    }
    return last;
}

// One line with a tab among others without stands where its width or the next line tells.
static void align(const Repair *repair, uint32_t number, uint32_t tabs) {
    const Line *line = repair_line(repair, number);
    uint32_t column = 0;
    if (!guess_column(repair, number, tabs, &column)) {
        uint32_t below = number + 1;
        while (below < repair->lines.list.count && repair_line(repair, below)->kind == LINE_BLANK) {
            below++;
        }
        if (below == repair->lines.list.count) return;
        const Line *next = repair_line(repair, below);
        if (next->kind != LINE_ITEM) return;
        column = line_column(next);
        if (line->dashes > 0 && next->dashes == 0) {
            if (column < 2) return;
            column -= 2;
        } else if (line->dashes == 0 && (next->dashes > 0 || line->shape == CLASS_NONE)) {
            return;
        }
    }
    if (column == line_column(line) || repair_move(repair, line, column)) return;
    if (line->dashes == 0 && line->has_key && line->shape == CLASS_NONE) {
        // It cannot be moved, and what stands below it cannot be read without it.
        repair_blank(repair, line->start,
                     repair_line_end(repair, lines_below(repair, number, column)));
        return;
    }
    // No room: key and value stand for themselves as one letter each.
    const uint32_t at = line->start + column;
    const bool is_quoted = line->shape == CLASS_QUOTED && line->close > 0;
    if (line->dashes > 0 || !line->has_key || (line->shape != CLASS_PLAIN && !is_quoted) ||
        line->last != number || at + 4 > line->value_end || repair_is_patched(repair, line->key)) {
        return;
    }
    repair_blank(repair, line->start, line->value_end);
    memcpy(repair->bytes + at, "k: x", 4);
    repair_add(repair, PATCH_KEY, at, line->key, line->key_end);
    repair_add(repair, PATCH_TEXT, at + 3, line->value + is_quoted,
               is_quoted ? line->close - 1 : line->value_end);
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
            (repair_line(repair, last + 1)->kind == LINE_BLANK &&
             last + 2 < repair->lines.list.count && is_tab_trouble(repair, last + 2)))) {
        last++;
    }
    const bool is_new = repair_is_first_of(repair, first, last);
    Diag *diag = NULL;
    DiagSuggestion *suggestion = NULL;
    uint32_t tabs = 0;
    for (uint32_t i = first; i <= last; i++) {
        const Line *line = repair_line(repair, i);
        for (uint32_t at = line->start; at < line->content; at++) {
            if (repair->bytes[at] != '\t') continue;
            repair->bytes[at] = ' ';
            tabs++;
            if (is_new && diag == NULL) {
                diag = repair_report(repair, "E0011", at, at + 1, "a tab cannot indent YAML");
                suggestion = diag_suggestion(diag, true, "replace each tab by two blanks");
            }
            if (suggestion != NULL) {
                diag_edit(diag, suggestion, repair_span(repair, at, at + 1), STR("  "));
            }
        }
    }
    if (diag != NULL && last > first) {
        diag_note(diag, "%u lines from here on begin with tabs", last - first + 1);
    }
    if (first == last) align(repair, first, tabs);
    return true;
}

// --- 2. and 3. quotes and brackets that are never closed ----------------------------------------

// The quote of a flow collection's line that has no end; `end` where there is none.
static uint32_t open_quote(const Repair *repair, const Line *line, uint32_t end) {
    uint32_t open = end;
    for (uint32_t at = line->value; at < end; at++) {
        const char c = repair->bytes[at];
        if (open < end) {
            if (c == '\\' && repair->bytes[open] == '"') {
                at++;
            } else if (c == repair->bytes[open]) {
                open = end;
            }
        } else if ((c == '"' || c == '\'') && strchr("[{,: ", repair->bytes[at - 1]) != NULL) {
            open = at;
        }
    }
    return open;
}

static void report_quote(const Repair *repair, uint32_t quote, uint32_t end) {
    Diag *diag = repair_report(repair, "E0015", quote, quote + 1, "this quote is never closed");
    if (strchr("]}", repair->bytes[end - 1]) != NULL) end--;
    while (end > quote + 1 && repair->bytes[end - 1] == ' ') end--;
    const char sign = repair->bytes[quote];
    DiagSuggestion *suggestion =
        diag_suggestion(diag, false, "close it with '%c' at the end of the text", sign);
    diag_edit(diag, suggestion, repair_span(repair, end, end), (Str){&sign, 1});
}

static bool try_unclosed(Repair *repair, ValueClass shape, const char *code) {
    for (uint32_t i = repair->at + 1; i-- > 0;) {
        const Line *line = repair_line(repair, i);
        if (line->kind != LINE_ITEM || line->shape != shape || !line->is_unclosed) continue;
        if (line->last + 1 < repair->at) break;  // too far above to be the reason
        const char open = repair->bytes[line->value];
        // What stands in lines of its own below and is no item belongs to the value.
        uint32_t last = i;
        while (last + 1 < repair->lines.list.count &&
               repair_line(repair, last + 1)->kind == LINE_ITEM &&
               !repair_line(repair, last + 1)->has_key &&
               repair_line(repair, last + 1)->dashes == 0 &&
               (int32_t)line_column(repair_line(repair, last + 1)) > line_owner_column(line)) {
            last++;
        }
        if (shape == CLASS_FLOW) {
            const uint32_t extent = lines_extent(&repair->lines, i);
            if (extent > last) last = extent;
        }
        const uint32_t end = last == i ? line->value_end : repair_line(repair, last)->value_end;
        const uint32_t quote =
            shape == CLASS_FLOW ? open_quote(repair, line, line->value_end) : line->value_end;
        if (quote < line->value_end && repair_is_first(repair, i)) {
            report_quote(repair, quote, line->value_end);
        } else if (repair_is_first(repair, i)) {
            const char close = open == '[' ? ']' : open == '{' ? '}' : open;
            Diag *diag = diag_add(repair->reader->diags, code, DIAG_ERROR,
                                  repair_span(repair, line->value, line->value + 1),
                                  "this %s is never closed",
                                  shape == CLASS_QUOTED ? "quote"
                                  : open == '['         ? "'['"
                                                        : "'{'");
            DiagSuggestion *suggestion =
                diag_suggestion(diag, false, "close it with '%c' at the end of the text", close);
            diag_edit(diag, suggestion, repair_span(repair, end, end), (Str){&close, 1});
        }
        if (shape == CLASS_QUOTED && end > line->value + 1) {
            repair_blank(repair, line->value, end);
            repair->bytes[line->value] = 'x';
            repair_add(repair, PATCH_TEXT, line->value, line->value + 1, end);
        } else {
            repair_value(repair, PATCH_HOLE, line->value, end);
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
    repair_add(repair, PATCH_KEY, key, key, key_end);
    return true;
}

// `key:|`: what follows would be a block text, and is taken for a plain one instead.
static bool find_glued_block(const Repair *repair, uint32_t *number) {
    for (uint32_t i = repair->at + 1; i-- > 0;) {
        const Line *line = repair_line(repair, i);
        if (!is_keyless(line)) continue;
        const uint32_t end = repair_word_end(repair, line->content, line->value_end);
        if (end == line->content || end + 1 >= line->value_end || repair->bytes[end] != ':' ||
            strchr("|>", repair->bytes[end + 1]) == NULL || line->value_end - end > 4) {
            continue;
        }
        *number = i;
        return lines_extent(&repair->lines, i) >= repair->at;
    }
    return false;
}

// `tasks` alone on its line, and below it what should have been its value.
static bool is_bare_key(const Repair *repair, uint32_t number) {
    const Line *line = repair_line(repair, number);
    if (!is_keyless(line) || line->value_end < line->content + 2) return false;
    if (repair_word_end(repair, line->content, line->value_end) != line->value_end) return false;
    const uint32_t column = line->content - line->start;
    uint32_t below = number + 1;
    while (below < repair->lines.list.count && repair_line(repair, below)->kind == LINE_BLANK) {
        below++;
    }
    if (below == repair->lines.list.count) return false;
    const Line *next = repair_line(repair, below);
    if (next->kind != LINE_ITEM || (!next->has_key && next->dashes == 0)) return false;
    const bool is_deeper =
        line_column(next) > column || (next->dashes > 0 && line_column(next) == column);
    return is_deeper && (line->dashes > 0 || repair_is_open(repair, number, column, false));
}

static bool try_bare_key(Repair *repair) {
    const char *problem = repair->failure->problem;
    static const char *const problems[] = {
        "expected ':'", "mapping values", "block sequence entries", "expected key", "expected '-'"};
    bool fits = false;
    for (size_t i = 0; i < COUNT(problems); i++) {
        fits = fits || strstr(problem, problems[i]) != NULL;
    }
    if (!fits) return false;
    const uint32_t first = repair->context < repair->at ? repair->context : repair->at;
    for (uint32_t i = repair->at + 1; i-- > first;) {
        if (!is_bare_key(repair, i)) continue;
        const Line *line = repair_line(repair, i);
        if (repair_is_patched(repair, line->content)) return false;
        const uint32_t end = line->value_end;
        if (repair_is_first(repair, i)) {
            Diag *diag = diag_add(repair->reader->diags, "E0013", DIAG_ERROR,
                                  repair_span(repair, line->content, end),
                                  "a ':' is missing behind '" STR_FMT "'",
                                  STR_ARG(repair_raw(repair, line->content, end)));
            DiagSuggestion *suggestion = diag_suggestion(diag, true, "put a colon there");
            diag_edit(diag, suggestion, repair_span(repair, end, end), STR(":"));
        }
        memset(repair->bytes + line->content, 'x', end - line->content - 1);
        repair->bytes[end - 1] = ':';
        repair_add(repair, PATCH_KEY, line->content, line->content, end);
        return true;
    }
    return false;
}

static bool try_colon(Repair *repair) {
    uint32_t number = repair->context;
    const char *problem = repair->failure->problem;
    if (find_glued_block(repair, &number)) {
        // The rest is as for any other line.
    } else if (strstr(problem, "expected ':'") == NULL) {
        if (strstr(problem, "mapping values") == NULL) return false;
        // `- id a`, and the next line's colon comes as a surprise.
        number = repair->at;
        while (number > 0 && repair_line(repair, --number)->kind == LINE_BLANK) {
        }
        if (repair_line(repair, repair->at)->has_tab || number == repair->at) return false;
    }
    const Line *line = repair_line(repair, number);
    if (!is_keyless(line)) return false;
    const uint32_t end = repair_word_end(repair, line->content, line->value_end);
    if (end == line->content || end >= line->value_end) return false;
    const bool has_colon = repair->bytes[end] == ':' && end + 1 < line->value_end;
    uint32_t value = end + 1;
    if (!has_colon) {
        if (repair->bytes[end] != ' ') return false;
        while (value < line->value_end && repair->bytes[value] == ' ') value++;
    } else if (repair->bytes[value] == ':' ||
               (repair->bytes[value] == '/' && repair->bytes[value + 1] == '/')) {
        return false;  // a URL or a name with colons: no key
    }
    const Str key = repair_raw(repair, line->content, end);
    if (repair_is_first(repair, number)) {
        Diag *diag = NULL;
        if (has_colon) {
            diag = diag_add(repair->reader->diags, "E0014", DIAG_ERROR,
                            repair_span(repair, end, end + 1),
                            "a blank is missing behind '" STR_FMT ":'", STR_ARG(key));
        } else {
            diag = diag_add(repair->reader->diags, "E0013", DIAG_ERROR,
                            repair_span(repair, line->content, end),
                            "a ':' is missing behind '" STR_FMT "'", STR_ARG(key));
        }
        const uint32_t at = has_colon ? end + 1 : end;
        DiagSuggestion *suggestion =
            diag_suggestion(diag, true, has_colon ? "put a blank there" : "put a colon there");
        diag_edit(diag, suggestion, repair_span(repair, at, at), has_colon ? STR(" ") : STR(":"));
    }
    if (!mend_colon(repair, line, end, value)) repair_blank(repair, line->content, line->end);
    return true;
}

// --- 6. `{{` without quotes ---------------------------------------------------------------------

static bool try_template(Repair *repair) {
    // A quote inside of it opens a text that ends nowhere: libyaml gives up far below.
    const Line *begun = repair_line(repair, repair->context);
    const bool is_begun = begun->kind == LINE_ITEM && begun->shape == CLASS_TEMPLATE &&
                          !repair_is_patched(repair, begun->value);
    for (uint32_t i = is_begun ? repair->context + 1 : repair->at + 1; i-- > 0;) {
        const Line *line = repair_line(repair, i);
        if (line->kind != LINE_ITEM) continue;
        if (line->shape != CLASS_TEMPLATE || repair_is_patched(repair, line->value)) {
            if (i < repair->context || i + 1 < repair->at) break;
            continue;
        }
        if (line->last + 1 < repair->at && !is_begun) break;
        const Line *last = repair_line(repair, line->last);
        uint32_t end = line->value_end;
        if (line->last > i) {
            end = last->end;
            while (end > last->start && repair->bytes[end - 1] == ' ') end--;
        }
        if (repair_is_first(repair, i)) {
            Diag *diag = repair_report(repair, "E0017", line->value, line->value_end,
                                       "a text that begins with '{{' needs quotes");
            suggest_quotes(repair->reader, diag, line->value, end);
        }
        repair_value(repair, PATCH_TEXT, line->value, end);
        return true;
    }
    return false;
}

// --- 7. text that needs quotes ------------------------------------------------------------------

static bool needs_quotes(const Repair *repair, const Line *line) {
    if (line->kind != LINE_ITEM || repair_is_patched(repair, line->value)) return false;
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
    if (!needs_quotes(repair, repair_line(repair, number))) {
        number = repair->context;
        if (number > repair->at || !needs_quotes(repair, repair_line(repair, number))) {
            // Behind a bracket that closed too early, the failure stands in the next line.
            number = repair->at;
            while (number > 0 && repair_line(repair, --number)->kind != LINE_ITEM) {
            }
            if (number == repair->at || !needs_quotes(repair, repair_line(repair, number)))
                return false;
        }
    }
    const Line *line = repair_line(repair, number);
    const uint32_t end = line->value_end;
    if (line->last > number) return false;
    if (repair_is_first(repair, number)) {
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
        Diag *diag =
            repair_report(repair, "E0018", is_behind ? line->close : line->value, end, why);
        suggest_quotes(repair->reader, diag, line->value, end);
    }
    repair_value(repair, PATCH_TEXT, line->value, end);
    return true;
}

// --- 8. indentation is in indent.c; 9. anything else
// ---------------------------------------------------------------------------

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
    const Line *line = repair_line(repair, repair->context);
    if (line->shape != CLASS_QUOTED || line->close == 0) return false;
    const uint32_t at = repair->failure->at;
    uint32_t escape = at;
    while (escape > line->value && repair->bytes[escape] != '\\') escape--;
    if (repair_is_first(repair, repair->context)) {
        Diag *diag = diag_add(repair->reader->diags, "E0010", DIAG_ERROR,
                              repair_span(repair, escape, escape + 2),
                              "the escape '" STR_FMT "' does not exist in a double-quoted text",
                              STR_ARG(repair_raw(repair, escape, escape + 2)));
        const Str text = repair_raw(repair, line->value + 1, line->close - 1);
        if (str_find_char(text, '\'', 0) == STR_NOT_FOUND) {
            DiagSuggestion *suggestion =
                diag_suggestion(diag, false, "in single quotes a backslash is a backslash");
            diag_edit(diag, suggestion, repair_span(repair, line->value, line->value + 1),
                      STR("'"));
            diag_edit(diag, suggestion, repair_span(repair, line->close - 1, line->close),
                      STR("'"));
        } else {
            diag_note(diag, "a backslash itself is written '\\\\'");
        }
    }
    repair_blank(repair, line->value, line->close);
    repair->bytes[line->value] = 'x';
    repair_add(repair, PATCH_TEXT, line->value, line->value + 1, line->close - 1);
    return true;
}

// The smallest item that encloses the place becomes a hole.
static void make_hole(Repair *repair) {
    uint32_t number = repair->at;
    const Line *line = repair_line(repair, number);
    if (line->kind != LINE_ITEM || repair_is_patched(repair, line->value)) {
        // Inside of something that began above, or in a line that was patched already.
        while (number > 0 && repair_line(repair, number)->kind != LINE_ITEM) number--;
        line = repair_line(repair, number);
    }
    uint32_t last = lines_extent(&repair->lines, number);
    if (last < repair->at) last = repair->at;
    const uint32_t end = repair_line_end(repair, last);
    const bool can_keep_key = line->kind == LINE_ITEM && line->has_key && line->value < line->end &&
                              repair->failure->at > line->colon &&
                              !repair_is_patched(repair, line->value);
    if (can_keep_key) {
        repair_value(repair, PATCH_HOLE, line->value, end);
    } else if (line->kind == LINE_ITEM && line->dashes > 0 && line->content < line->end &&
               !repair_is_patched(repair, line->content)) {
        repair_value(repair, PATCH_HOLE, line->content, end);
    } else {
        repair_blank(repair, line->start, end);
    }
}

static void report_other(Repair *repair) {
    uint32_t at = repair->failure->at;
    uint32_t number = repair->at;
    // At the end of the file the fault stands where the thing began.
    if (at >= repair->reader->text.len || repair_line(repair, number)->kind == LINE_BLANK) {
        at = repair->failure->context_at;
        number = repair->context;
    }
    if (!repair_is_first(repair, number)) return;
    const Line *line = repair_line(repair, number);
    uint32_t end = line->kind == LINE_ITEM && line->value_end > at ? line->value_end : at + 1;
    if (line->has_key && at < line->key_end) end = line->key_end;
    if (end > line->end) end = line->end > at ? line->end : at;
    repair_report(repair, "E0010", at, end, message_of(repair->failure->problem));
}

static void explain_and_patch(Repair *repair) {
    Reader *reader = repair->reader;
    const uint32_t findings = reader->diags->list.count;
    const uint32_t patches = reader->patches.count;
    if (try_tab(repair) || try_unclosed(repair, CLASS_QUOTED, "E0015") ||
        try_unclosed(repair, CLASS_FLOW, "E0016") || repair_empty_block(repair) ||
        try_bare_key(repair) || try_colon(repair) || try_template(repair) || try_escape(repair) ||
        try_quotes(repair) || repair_indent(repair)) {
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
           repair_line(&repair, repair.at)->kind == LINE_BLANK) {
        repair.at--;
    }
    explain_and_patch(&repair);
    arena_release(&arena);
}
