// scalar.c - from the decoded text of a scalar back to the bytes it came from.
//
// libyaml gives the decoded text; here the raw bytes are walked once more by the same rules (the
// scanner of libyaml 0.2.5), noting runs. Where the walk and libyaml disagree on the length, the
// whole scalar becomes one inexact run: coarse, never wrong. The commonest scalars, on one line
// without an escape, are one exact run and borrow their text from the file.
#include <string.h>

#include "base/utf8.h"
#include "syntax/reader.h"

// Appends runs; `at` counts decoded bytes.
typedef struct Walk {
    Arena *arena;
    Node *node;
    const char *bytes;  // of the file
    uint32_t end;       // of the raw bytes
    uint32_t at;
} Walk;

static void emit_exact(Walk *walk, uint32_t raw, uint32_t len) {
    if (len == 0) return;
    ScalarRun *last =
        walk->node->runs.count == 0 ? NULL : &walk->node->runs.items[walk->node->runs.count - 1];
    if (last != NULL && last->is_exact && last->raw + last->raw_len == raw) {
        last->raw_len += len;
    } else {
        *LIST_ADD(walk->arena, &walk->node->runs, ScalarRun) =
            (ScalarRun){walk->at, raw, len, true};
    }
    walk->at += len;
}

static void emit_mapped(Walk *walk, uint32_t len, uint32_t raw, uint32_t raw_len) {
    if (len == 0) return;
    *LIST_ADD(walk->arena, &walk->node->runs, ScalarRun) =
        (ScalarRun){walk->at, raw, raw_len, false};
    walk->at += len;
}

// Bytes of the line break at `at`, 0 where there is none. *out: how long it is decoded (CRLF, CR
// and NEL become LF; the Unicode separators stay).
static uint32_t break_at(const Walk *walk, uint32_t at, uint32_t *out) {
    if (at >= walk->end) return 0;
    const unsigned char *bytes = (const unsigned char *)walk->bytes + at;
    const uint32_t left = walk->end - at;
    *out = 1;
    if (bytes[0] == '\n') return 1;
    if (bytes[0] == '\r') return left > 1 && bytes[1] == '\n' ? 2 : 1;
    if (bytes[0] == 0xC2 && left > 1 && bytes[1] == 0x85) return 2;
    if (bytes[0] == 0xE2 && left > 2 && bytes[1] == 0x80 &&
        (bytes[2] == 0xA8 || bytes[2] == 0xA9)) {
        *out = 3;
        return 3;
    }
    return 0;
}

static bool is_blank(const Walk *walk, uint32_t at) {
    return at < walk->end && (walk->bytes[at] == ' ' || walk->bytes[at] == '\t');
}

static void emit_break(Walk *walk, uint32_t raw, uint32_t raw_len, uint32_t len) {
    if (raw_len == len) {
        emit_exact(walk, raw, raw_len);
    } else {
        emit_mapped(walk, len, raw, raw_len);
    }
}

// --- plain and quoted: lines are folded ---------------------------------------------------------

// Blanks and breaks from `at`, the first break included if `is_escaped` says that a backslash ate
// it. One break is a blank, n breaks are n - 1; blanks around them are dropped.
static uint32_t walk_fold(Walk *walk, uint32_t from, uint32_t at, bool is_escaped) {
    uint32_t out = 0;
    uint32_t len = 0;
    const uint32_t first = at;
    uint32_t first_out = 0;
    uint32_t first_len = 0;
    if (!is_escaped) {
        first_len = break_at(walk, at, &first_out);
        at += first_len;
    }
    const uint32_t count_before = walk->node->runs.count;
    const uint32_t at_before = walk->at;
    if (!is_escaped && first_out == 3) emit_exact(walk, first, 3);
    bool has_more = false;
    for (;;) {
        while (is_blank(walk, at)) at++;
        len = break_at(walk, at, &out);
        if (len == 0) break;
        emit_break(walk, at, len, out);
        has_more = true;
        at += len;
    }
    if (!is_escaped && first_out == 1 && !has_more) {
        // A blank stands for all of it.
        walk->node->runs.count = count_before;
        walk->at = at_before;
        emit_mapped(walk, 1, from, at - from);
    }
    return at;
}

// Decoded length of the escape at `at` (a backslash), its raw length in *raw_len.
static uint32_t escape_at(const Walk *walk, uint32_t at, uint32_t *raw_len) {
    *raw_len = 2;
    if (at + 1 >= walk->end) {
        *raw_len = 1;
        return 1;
    }
    const char letter = walk->bytes[at + 1];
    uint32_t digits = 0;
    if (letter == 'N' || letter == '_') return 2;
    if (letter == 'L' || letter == 'P') return 3;
    if (letter == 'x') digits = 2;
    if (letter == 'u') digits = 4;
    if (letter == 'U') digits = 8;
    if (digits == 0) return 1;
    uint32_t point = 0;
    for (uint32_t i = 0; i < digits && at + 2 + i < walk->end; i++) {
        const char c = walk->bytes[at + 2 + i];
        const uint32_t digit = (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
        point = point * 16 + (digit & 15U);
    }
    *raw_len = 2 + digits;
    if (point < 0x80) return 1;
    if (point < 0x800) return 2;
    return point < 0x10000 ? 3 : 4;
}

static uint32_t walk_special(Walk *walk, uint32_t at, uint32_t start) {
    emit_exact(walk, start, at - start);
    uint32_t out = 0;
    if (walk->node->style == SCALAR_SINGLE) {
        emit_mapped(walk, 1, at, 2);
        return at + 2;
    }
    const uint32_t len = break_at(walk, at + 1, &out);
    if (len > 0) return walk_fold(walk, at, at + 1 + len, true);
    uint32_t raw_len = 0;
    const uint32_t decoded = escape_at(walk, at, &raw_len);
    emit_mapped(walk, decoded, at, raw_len);
    return at + raw_len;
}

static void walk_folding(Walk *walk, uint32_t at) {
    const char special = walk->node->style == SCALAR_SINGLE   ? '\''
                         : walk->node->style == SCALAR_DOUBLE ? '\\'
                                                              : '\0';
    uint32_t start = at;
    uint32_t out = 0;
    while (at < walk->end) {
        if (special != '\0' && walk->bytes[at] == special) {
            at = walk_special(walk, at, start);
            start = at;
            continue;
        }
        uint32_t ahead = at;
        while (is_blank(walk, ahead)) ahead++;
        if (break_at(walk, ahead, &out) > 0) {
            emit_exact(walk, start, at - start);
            at = walk_fold(walk, at, ahead, false);
            start = at;
        } else {
            at = ahead > at ? ahead : at + 1;
        }
    }
    emit_exact(walk, start, walk->end - start);
}

// --- literal and folded blocks ------------------------------------------------------------------

typedef struct Break {
    uint32_t raw, raw_len, len;
} Break;

typedef struct Block {
    Walk *walk;
    uint32_t indent;  // 0: not known yet
    uint32_t at;
    Break leading;
    LIST_OF(Break) trailing;
} Block;

// Eats indentation and empty lines; gives the column reached.
static uint32_t block_breaks(Block *block) {
    Walk *walk = block->walk;
    block->trailing.count = 0;
    uint32_t widest = 0;
    uint32_t column = 0;
    for (;;) {
        column = 0;
        while ((block->indent == 0 || column < block->indent) && block->at < walk->end &&
               walk->bytes[block->at] == ' ') {
            column++;
            block->at++;
        }
        if (column > widest) widest = column;
        Break found = {.raw = block->at};
        found.raw_len = break_at(walk, block->at, &found.len);
        if (found.raw_len == 0) break;
        *LIST_ADD(walk->arena, &block->trailing, Break) = found;
        block->at += found.raw_len;
    }
    if (block->indent == 0) block->indent = widest == 0 ? 1 : widest;
    return column;
}

static void emit_breaks(Block *block) {
    for (uint32_t i = 0; i < block->trailing.count; i++) {
        const Break *one = &block->trailing.items[i];
        emit_break(block->walk, one->raw, one->raw_len, one->len);
    }
}

// `chomping`: '-', '+' or 0.
static void walk_block(Walk *walk, uint32_t at, uint32_t indent, char chomping) {
    Block block = {.walk = walk, .indent = indent, .at = at};
    bool leading_blank = false;
    uint32_t column = block_breaks(&block);
    while (column == block.indent && block.at < walk->end) {
        const bool starts_blank = is_blank(walk, block.at);
        if (walk->node->style == SCALAR_FOLDED && block.leading.len == 1 && !leading_blank &&
            !starts_blank) {
            if (block.trailing.count == 0) {
                emit_mapped(walk, 1, block.leading.raw, block.leading.raw_len);
            }
        } else {
            emit_break(walk, block.leading.raw, block.leading.raw_len, block.leading.len);
        }
        emit_breaks(&block);
        leading_blank = starts_blank;
        const uint32_t start = block.at;
        Break *leading = &block.leading;
        *leading = (Break){0};
        while (block.at < walk->end &&
               (leading->raw_len = break_at(walk, block.at, &leading->len)) == 0) {
            block.at++;
        }
        emit_exact(walk, start, block.at - start);
        if (leading->raw_len == 0) leading->len = 0;
        leading->raw = block.at;
        block.at += leading->raw_len;
        column = block_breaks(&block);
    }
    if (chomping == '-') return;
    emit_break(walk, block.leading.raw, block.leading.raw_len, block.leading.len);
    if (chomping == '+') emit_breaks(&block);
}

static void clear_runs(Walk *walk) {
    walk->node->runs.count = 0;
    walk->at = 0;
}

// The header of a block scalar: its chomping and indentation indicators, its comment. Gives the
// offset of the first line.
static uint32_t block_header(Reader *reader, const Walk *walk, uint32_t at, char *chomping,
                             bool *has_indent) {
    *chomping = 0;
    *has_indent = false;
    uint32_t out = 0;
    for (at++; at < walk->end; at++) {
        const char c = walk->bytes[at];
        if (c == '+' || c == '-') {
            *chomping = c;
        } else if (c >= '1' && c <= '9') {
            *has_indent = true;
        } else {
            break;
        }
    }
    while (is_blank(walk, at)) at++;
    const uint32_t comment = at;
    while (at < walk->end && break_at(walk, at, &out) == 0) at++;
    if (comment < at && walk->bytes[comment] == '#') {
        Comment *found = LIST_ADD(reader->arena, &reader->tree->comments, Comment);
        found->span = reader_span(reader, comment, at);
    }
    return at + break_at(walk, at, &out);
}

static void map_block(Reader *reader, Walk *walk, Str decoded, uint32_t start) {
    char chomping = 0;
    bool has_indent = false;
    const uint32_t first = block_header(reader, walk, start, &chomping, &has_indent);
    if (!has_indent) {
        walk_block(walk, first, 0, chomping);
        return;
    }
    // With an indicator the indentation counts from the parent's, which libyaml keeps to itself:
    // the one that gives the text is the one.
    for (uint32_t indent = 1; indent <= 2 * SYNTAX_DEPTH_MAX * 9; indent++) {
        clear_runs(walk);
        walk_block(walk, first, indent, chomping);
        if (walk->at != decoded.len) continue;
        bool is_same = true;
        for (uint32_t i = 0; i < walk->node->runs.count && is_same; i++) {
            const ScalarRun *run = &walk->node->runs.items[i];
            is_same = !run->is_exact ||
                      memcmp(decoded.ptr + run->at, walk->bytes + run->raw, run->raw_len) == 0;
        }
        if (is_same) return;
    }
}

// --- the whole ----------------------------------------------------------------------------------

void scalar_set_raw(const Reader *reader, Node *node, uint32_t start, uint32_t end) {
    node->text = str_slice(reader->source->bytes, start, end);
    node->runs.count = 0;
    if (end > start) {
        *LIST_ADD(reader->arena, &node->runs, ScalarRun) = (ScalarRun){0, start, end - start, true};
    }
}

void scalar_map(Reader *reader, Node *node, Str decoded, uint32_t start, uint32_t end) {
    Walk walk = {
        .arena = reader->arena, .node = node, .bytes = reader->source->bytes.ptr, .end = end};
    node->span = reader_span(reader, start, end);
    const bool is_quoted = node->style == SCALAR_SINGLE || node->style == SCALAR_DOUBLE;
    const bool is_block = node->style == SCALAR_LITERAL || node->style == SCALAR_FOLDED;
    uint32_t content = start;
    if (is_quoted && end - start >= 2) {
        content = start + 1;
        walk.end = end - 1;
    }
    // Nothing to decode where the lengths agree: decoding never makes a text of the same length.
    if (!is_block && walk.end - content == decoded.len &&
        memcmp(walk.bytes + content, decoded.ptr, decoded.len) == 0) {
        scalar_set_raw(reader, node, content, walk.end);
        return;
    }
    node->text = str_dup(reader->arena, decoded);
    if (is_block) {
        map_block(reader, &walk, decoded, start);
    } else {
        walk_folding(&walk, content);
    }
    if (walk.at != decoded.len) {
        clear_runs(&walk);
        emit_mapped(&walk, (uint32_t)decoded.len, content, walk.end - content);
    }
    if (!is_block) return;
    // A block ends with its last byte that counts, not with the blank lines behind it.
    uint32_t last = start + 1;
    while (last < end && reader->source->bytes.ptr[last] != '\n' &&
           reader->source->bytes.ptr[last] != '\r') {
        last++;
    }
    if (node->runs.count > 0) {
        const ScalarRun *run = &node->runs.items[node->runs.count - 1];
        last = run->raw + run->raw_len;
    }
    node->span = reader_span(reader, start, last);
}

void scalar_resolve(Node *node, Arena *arena) {
    node->resolved = YAML_SCALAR_TEXT;
    node->value = value_text(node->text);
    static const char core[] = "tag:yaml.org,2002:";
    const Str tag = node->tag;
    const bool is_core = str_starts_with(tag, str_from(core));
    const Str name = is_core ? str_slice(tag, sizeof core - 1, tag.len) : (Str){0};
    if (str_eq(tag, STR("!")) || str_eq(name, STR("str")) || str_eq(name, STR("binary"))) return;
    const bool is_forced = str_eq(name, STR("int")) || str_eq(name, STR("float")) ||
                           str_eq(name, STR("bool")) || str_eq(name, STR("null"));
    if (node->style != SCALAR_PLAIN && !is_forced) return;
    Value value = value_null();
    const YamlScalar resolved = yaml_resolve_plain(node->text, arena, &value);
    if (resolved == YAML_SCALAR_TEXT) return;
    node->resolved = resolved;
    node->value = value;
    if (str_eq(name, STR("float")) && resolved == YAML_SCALAR_INT && value.kind == VALUE_INT) {
        node->resolved = YAML_SCALAR_FLOAT;
        node->value = value_float((double)value.as.integer);
    }
}

// The run that holds decoded byte `at`.
static const ScalarRun *run_of(const Node *scalar, uint32_t at) {
    uint32_t low = 0;
    uint32_t high = scalar->runs.count;
    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;
        if (scalar->runs.items[middle].at <= at) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return &scalar->runs.items[low];
}

Span scalar_span(const Node *scalar, uint32_t start, uint32_t len) {
    if (scalar->type != YAML_SCALAR || scalar->runs.count == 0) {
        Span span = scalar->span;
        if (scalar->type != YAML_SCALAR) return span;
        if (scalar->style != SCALAR_PLAIN && span.len > 0) span.start++;
        span.len = 0;
        return span;
    }
    const uint32_t size = (uint32_t)scalar->text.len;
    if (start > size) start = size;
    if (len > size - start) len = size - start;
    uint32_t from = 0;
    if (start == size) {
        const ScalarRun *last = &scalar->runs.items[scalar->runs.count - 1];
        from = last->raw + last->raw_len;
    } else {
        const ScalarRun *run = run_of(scalar, start);
        from = run->is_exact ? run->raw + (start - run->at) : run->raw;
    }
    if (len == 0) return (Span){scalar->span.file, from, 0};
    const ScalarRun *run = run_of(scalar, start + len - 1);
    const uint32_t to =
        run->is_exact ? run->raw + (start + len - run->at) : run->raw + run->raw_len;
    return (Span){scalar->span.file, from, to - from};
}
