// format.c - a source laid out anew: two blanks a level, no blanks at ends of lines, one blank line
// at most, one line end at the end.
//
// The tree says where each line belongs; lines are moved, never rewritten, so comments, quotes and
// the look of block texts stay. Lines inside a text or a flow collection move with the line that
// begins it. What was made is read again and compared with what was there: a text that would come
// to mean something else is not handed out.
#include <string.h>

#include "syntax/syntax.h"

// A comment looks back that many placed lines for one that it belongs to.
enum { STEP = 2, UNSET = -1, LOOK_BACK_MAX = 1000 };

typedef struct Line {
    uint32_t start, end;  // without its end
    uint32_t next;        // where the next one begins
    uint32_t indent;
    int32_t want;            // the indentation to be; UNSET: nobody placed it
    int32_t shift;           // of lines inside
    uint32_t before, after;  // the nearest placed lines: their number + 1; 0 where there is none
    bool is_inside, is_blank, is_comment;
} Line;

typedef struct Format {
    const Source *source;
    Arena *arena;
    Line *lines;
    uint32_t count;
    bool *is_dropped;  // bytes: blanks behind a dash or colon
    bool has_failed;
} Format;

// --- lines --------------------------------------------------------------------------------------

static void read_lines(Format *format) {
    const Source *source = format->source;
    const Str bytes = source->bytes;
    format->count = source->line_count;
    format->lines = arena_array(format->arena, Line, format->count);
    format->is_dropped = arena_array(format->arena, bool, bytes.len + 1);
    for (uint32_t i = 0; i < format->count; i++) {
        Line *line = &format->lines[i];
        line->start = source->lines[i];
        line->next = i + 1 < format->count ? source->lines[i + 1] : (uint32_t)bytes.len;
        line->end = line->next;
        while (line->end > line->start &&
               (bytes.ptr[line->end - 1] == '\n' || bytes.ptr[line->end - 1] == '\r')) {
            line->end--;
        }
        uint32_t at = line->start;
        while (at < line->end && bytes.ptr[at] == ' ') at++;
        line->indent = at - line->start;
        line->want = UNSET;
        line->is_blank = str_trim(str_slice(bytes, line->start, line->end)).len == 0;
        line->is_comment = at < line->end && bytes.ptr[at] == '#';
    }
}

static uint32_t line_of(const Format *format, uint32_t offset) {
    return source_position(format->source, offset, POSITION_BYTES).line - 1;
}

static uint32_t column_of(const Format *format, uint32_t offset) {
    return offset - format->lines[line_of(format, offset)].start;
}

static bool is_first_on_line(const Format *format, uint32_t offset) {
    const Line *line = &format->lines[line_of(format, offset)];
    return line->start + line->indent == offset;
}

static void place(Format *format, uint32_t offset, uint32_t column) {
    Line *line = &format->lines[line_of(format, offset)];
    if (is_first_on_line(format, offset) && line->want == UNSET) line->want = (int32_t)column;
}

// Lines of [start, end) but the first move by `shift`.
static void take_inside(Format *format, const Node *node, int32_t shift) {
    if (node->span.len == 0) return;
    const uint32_t first = line_of(format, node->span.start);
    uint32_t end = node->span.start + node->span.len;
    // A block text ends with its line end, which belongs to its last line.
    const bool is_block = node->type == YAML_SCALAR &&
                          (node->style == SCALAR_LITERAL || node->style == SCALAR_FOLDED);
    uint32_t last = line_of(format, end - 1);
    for (uint32_t i = first + 1; i <= last && i < format->count; i++) {
        format->lines[i].is_inside = true;
        format->lines[i].shift = shift;
    }
    const Str head = str_slice(format->source->bytes, node->span.start, format->lines[first].end);
    if (!is_block || str_find_char(head, '+', 0) == STR_NOT_FOUND) return;
    // Empty lines behind it are kept by the text.
    while (++last < format->count && format->lines[last].is_blank) {
        format->lines[last].is_inside = true;
        format->lines[last].shift = shift;
    }
}

// --- nodes --------------------------------------------------------------------------------------

// All blanks of [start, end) but one are dropped; false where something else stands there.
static void drop_blanks(Format *format, uint32_t start, uint32_t end) {
    for (uint32_t at = start; at < end; at++) {
        if (format->source->bytes.ptr[at] != ' ') return;
    }
    for (uint32_t at = start + 1; at < end; at++) format->is_dropped[at] = true;
}

// Where a node's first byte is: of a map its first key, of a list its first item.
static uint32_t first_byte(const Node *node) {
    while (!node->is_flow) {
        if (node->type == YAML_MAP && node->entries.count > 0)
            return node->entries.items[0].key->span.start;
        if (node->type != YAML_LIST || node->items.count == 0) break;
        node = node->items.items[0];
    }
    return node->span.start;
}

// The dash of an item: before it on its line, or alone on a line above.
static bool find_dash(const Format *format, uint32_t item, uint32_t *out) {
    const char *bytes = format->source->bytes.ptr;
    uint32_t number = line_of(format, item);
    uint32_t at = item;
    for (;;) {
        const Line *line = &format->lines[number];
        while (at > line->start && (bytes[at - 1] == ' ' || bytes[at - 1] == '\t')) at--;
        if (at > line->start) {
            at--;
            *out = at;
            return bytes[at] == '-' &&
                   (at == line->start || bytes[at - 1] == ' ' || bytes[at - 1] == '-');
        }
        do {
            if (number == 0) return false;
            number--;
        } while (format->lines[number].is_blank || format->lines[number].is_comment);
        at = format->lines[number].end;
    }
}

static void walk(Format *format, const Node *node, uint32_t column);

static void walk_value(Format *format, const Node *value, uint32_t column, int32_t shift) {
    const bool is_block = !value->is_flow && (value->type == YAML_MAP || value->type == YAML_LIST);
    if (is_block) {
        walk(format, value, column);
        return;
    }
    if (value->span.len == 0) return;
    if (is_first_on_line(format, value->span.start)) {
        shift = (int32_t)column - (int32_t)column_of(format, value->span.start);
        place(format, value->span.start, column);
    }
    take_inside(format, value, shift);
}

static void walk_map(Format *format, const Node *map, uint32_t column) {
    for (uint32_t i = 0; i < map->entries.count; i++) {
        const Node *key = map->entries.items[i].key;
        const Node *value = map->entries.items[i].value;
        const int32_t shift = (int32_t)column - (int32_t)column_of(format, key->span.start);
        place(format, key->span.start, column);
        const uint32_t colon = key->span.start + key->span.len;
        const bool is_near = value->span.len > 0 && value->span.start > colon + 1 &&
                             format->source->bytes.ptr[colon] == ':' &&
                             line_of(format, value->span.start) == line_of(format, colon);
        if (is_near) drop_blanks(format, colon + 1, value->span.start);
        walk_value(format, value, column + STEP, shift);
    }
}

static void walk_list(Format *format, const Node *list, uint32_t column) {
    for (uint32_t i = 0; i < list->items.count; i++) {
        const Node *item = list->items.items[i];
        uint32_t start = first_byte(item);
        uint32_t dash = 0;
        // The first byte of a list inside a list is behind its own dash.
        const Node *inner = item;
        while (inner->type == YAML_LIST && !inner->is_flow && inner->items.count > 0) {
            if (!find_dash(format, start, &dash)) break;
            start = dash;
            inner = inner->items.items[0];
        }
        if (!find_dash(format, start, &dash)) {
            format->has_failed = true;
            return;
        }
        place(format, dash, column);
        const int32_t shift = (int32_t)column - (int32_t)column_of(format, dash);
        if (line_of(format, dash) == line_of(format, start) && start > dash + 1) {
            drop_blanks(format, dash + 1, start);
        }
        walk_value(format, item, column + STEP, shift);
    }
}

static void walk(Format *format, const Node *node, uint32_t column) {
    if (format->has_failed) return;
    if (node->type == YAML_MAP && !node->is_flow) {
        walk_map(format, node, column);
    } else if (node->type == YAML_LIST && !node->is_flow) {
        walk_list(format, node, column);
    } else {
        walk_value(format, node, column, 0);
    }
}

// --- comments -----------------------------------------------------------------------------------

static bool is_structure(const Line *line) {
    return !line->is_blank && !line->is_comment && !line->is_inside && line->want != UNSET;
}

static void link_structure(Format *format) {
    uint32_t last = 0;
    for (uint32_t i = 0; i < format->count; i++) {
        format->lines[i].before = last;
        if (is_structure(&format->lines[i])) last = i + 1;
    }
    last = 0;
    for (uint32_t i = format->count; i > 0; i--) {
        format->lines[i - 1].after = last;
        if (is_structure(&format->lines[i - 1])) last = i;
    }
}

// Where a comment that stood at `indent` belongs after `line` was moved: beside it, or beside what
// follows its dashes.
static bool fits(const Format *format, const Line *line, uint32_t indent, int32_t *want) {
    uint32_t at = line->indent;
    *want = line->want;
    const char *bytes = format->source->bytes.ptr + line->start;
    for (;;) {
        if (at == indent) return true;
        if (line->start + at + 1 >= line->end || bytes[at] != '-' || bytes[at + 1] != ' ') {
            return false;
        }
        do at++;
        while (line->start + at < line->end && bytes[at] == ' ');
        *want += STEP;
    }
}

static int32_t place_of_comment(const Format *format, uint32_t number) {
    const uint32_t indent = format->lines[number].indent;
    const Line *next =
        format->lines[number].after == 0 ? NULL : &format->lines[format->lines[number].after - 1];
    if (next != NULL && next->indent == indent) return next->want;
    int32_t want = 0;
    uint32_t at = format->lines[number].before;
    for (uint32_t i = 0; at > 0 && i < LOOK_BACK_MAX; i++) {
        const Line *line = &format->lines[at - 1];
        if (fits(format, line, indent, &want)) return want;
        if (line->indent < indent) break;
        at = line->before;
    }
    if (next == NULL) return (int32_t)indent;
    want = (int32_t)indent + next->want - (int32_t)next->indent;
    return want < 0 ? 0 : want;
}

// --- writing ------------------------------------------------------------------------------------

static bool is_marker(const Format *format, const Line *line) {
    const Str text = str_slice(format->source->bytes, line->start, line->end);
    return str_starts_with(text, STR("---")) || str_starts_with(text, STR("...")) ||
           str_starts_with(text, STR("%"));
}

static void write_line(const Format *format, const Line *line, int32_t indent, Buffer *out) {
    const char *bytes = format->source->bytes.ptr;
    buffer_add_repeat(out, ' ', indent > 0 ? (size_t)indent : 0);
    uint32_t end = line->end;
    while (!line->is_inside && end > line->start &&
           (bytes[end - 1] == ' ' || bytes[end - 1] == '\t')) {
        end--;
    }
    for (uint32_t at = line->start + line->indent; at < end; at++) {
        if (!format->is_dropped[at]) buffer_add_char(out, bytes[at]);
    }
    buffer_add(out, str_slice(format->source->bytes, line->end, line->next));
}

static bool write_lines(const Format *format, Buffer *out) {
    if (format->source->has_bom) buffer_add(out, str_slice(format->source->bytes, 0, 3));
    const size_t start = out->len;
    size_t end = out->len;  // behind the last line that is no blank one
    bool was_blank = true;
    bool is_inside = false;
    for (uint32_t i = 0; i < format->count; i++) {
        const Line *line = &format->lines[i];
        if (line->is_blank && !line->is_inside) {
            if (!was_blank)
                buffer_add(out, str_slice(format->source->bytes, line->end, line->next));
            was_blank = true;
            continue;
        }
        was_blank = false;
        is_inside = line->is_inside;
        if (line->is_inside) {
            write_line(format, line, (int32_t)line->indent + line->shift, out);
        } else if (line->is_comment) {
            write_line(format, line, place_of_comment(format, i), out);
        } else if (line->want != UNSET) {
            write_line(format, line, line->want, out);
        } else if (is_marker(format, line)) {
            write_line(format, line, 0, out);
        } else {
            return false;
        }
        end = out->len;
    }
    out->len = end;
    // A block text without a line end says that it has none.
    if (end > start && !is_inside && out->ptr[end - 1] != '\n') buffer_add_char(out, '\n');
    return true;
}

// --- comparing ----------------------------------------------------------------------------------

static bool nodes_equal(const Node *a, const Node *b) {
    if (a->type != b->type || !str_eq(a->tag, b->tag)) return false;
    if (a->type == YAML_SCALAR) {
        return str_eq(a->text, b->text) && a->value.kind == b->value.kind && a->style == b->style;
    }
    if (a->items.count != b->items.count || a->entries.count != b->entries.count) return false;
    for (uint32_t i = 0; i < a->items.count; i++) {
        if (!nodes_equal(a->items.items[i], b->items.items[i])) return false;
    }
    for (uint32_t i = 0; i < a->entries.count; i++) {
        const NodeEntry *left = &a->entries.items[i];
        const NodeEntry *right = &b->entries.items[i];
        if (!nodes_equal(left->key, right->key) || !nodes_equal(left->value, right->value)) {
            return false;
        }
    }
    return true;
}

static bool means_the_same(const Sources *sources, const Tree *tree, Str text, Arena *arena) {
    Sources own = {.arena = arena};
    Diags diags = {.arena = arena};
    const uint32_t file = sources_add(&own, sources_get(sources, tree->file)->name, text);
    const Tree *made = syntax_read(&own, file, arena, &diags);
    if (made->has_holes || made->documents.count != tree->documents.count ||
        made->comments.count != tree->comments.count) {
        return false;
    }
    for (uint32_t i = 0; i < tree->documents.count; i++) {
        if (!nodes_equal(tree->documents.items[i].root, made->documents.items[i].root))
            return false;
    }
    return true;
}

bool syntax_format(const Sources *sources, const Tree *tree, Arena *arena, Str *out) {
    const Source *source = sources_get(sources, tree->file);
    *out = source->bytes;
    if (tree->has_holes) return false;
    Format format = {.source = source, .arena = arena};
    read_lines(&format);
    for (uint32_t i = 0; i < tree->documents.count; i++) {
        walk(&format, tree->documents.items[i].root, 0);
    }
    if (format.has_failed) return false;
    link_structure(&format);
    Buffer made = {0};
    bool is_good = write_lines(&format, &made);
    const Str text = buffer_to_str(&made, arena);
    buffer_release(&made);
    is_good = is_good && means_the_same(sources, tree, text, arena);
    if (is_good) *out = text;
    return is_good;
}
