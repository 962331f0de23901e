// mask.c - the automaton: a trie with failure links, built again after values were added.
#include "log/mask.h"

#include <string.h>

#include "base/arena.h"
#include "base/codec.h"
#include "base/crypto.h"

typedef struct Node {
    uint32_t child, sibling;  // 0: none; children of a node in a list, the root's in a table
    uint32_t failure;
    uint32_t depth;
    uint32_t longest;  // of the patterns that end here: bytes
    uint8_t byte;
    bool is_end;
} Node;

struct Masker {
    Node *nodes;  // nodes[0] is the root
    uint32_t count, capacity;
    uint32_t first[256];  // the root's children
    uint32_t generation;
    bool is_stale;  // failure links have to be made again
};

Masker *masker_new(void) {
    Masker *masker = heap_alloc(1, sizeof *masker);
    masker->count = masker->capacity = 1;
    masker->nodes = heap_alloc(1, sizeof *masker->nodes);
    return masker;
}

void masker_free(Masker *masker) {
    if (masker == NULL) return;
    wipe(masker->nodes, masker->count * sizeof *masker->nodes);
    heap_free(masker->nodes);
    wipe(masker->first, sizeof masker->first);
    heap_free(masker);
}

bool masker_is_empty(const Masker *masker) {
    return masker == NULL || masker->count == 1;
}

// --- building -----------------------------------------------------------------------------------

static uint32_t child_of(const Masker *masker, uint32_t node, uint8_t byte) {
    if (node == 0) return masker->first[byte];
    uint32_t child = masker->nodes[node].child;
    while (child != 0 && masker->nodes[child].byte != byte) child = masker->nodes[child].sibling;
    return child;
}

static uint32_t add_child(Masker *masker, uint32_t node, uint8_t byte) {
    if (masker->count == masker->capacity) {
        uint32_t capacity = arena_next_capacity(masker->count);
        Node *nodes = heap_alloc(capacity, sizeof *nodes);
        memcpy(nodes, masker->nodes, masker->count * sizeof *nodes);
        wipe(masker->nodes, masker->count * sizeof *nodes);
        heap_free(masker->nodes);
        masker->nodes = nodes;
        masker->capacity = capacity;
    }
    uint32_t child = masker->count++;
    masker->nodes[child] = (Node){.byte = byte, .depth = masker->nodes[node].depth + 1};
    if (node == 0) {
        masker->first[byte] = child;
    } else {
        masker->nodes[child].sibling = masker->nodes[node].child;
        masker->nodes[node].child = child;
    }
    return child;
}

static void add_pattern(Masker *masker, Str pattern) {
    if (pattern.len < MASK_VALUE_MIN) return;
    uint32_t node = 0;
    for (size_t i = 0; i < pattern.len; i++) {
        uint8_t byte = (uint8_t)pattern.ptr[i];
        uint32_t next = child_of(masker, node, byte);
        node = next != 0 ? next : add_child(masker, node, byte);
    }
    if (masker->nodes[node].is_end) return;
    masker->nodes[node].is_end = true;
    masker->is_stale = true;
}

static void link_child(Masker *masker, uint32_t node, uint32_t child) {
    uint32_t failure = masker->nodes[node].failure;
    uint8_t byte = masker->nodes[child].byte;
    uint32_t target = 0;
    if (node != 0) {
        target = child_of(masker, failure, byte);
        while (target == 0 && failure != 0) {
            failure = masker->nodes[failure].failure;
            target = child_of(masker, failure, byte);
        }
    }
    Node *self = &masker->nodes[child];
    self->failure = target;
    self->longest = self->is_end ? self->depth : masker->nodes[target].longest;
}

// Breadth first: the failure of a node is nearer to the root and done before it.
static void make_links(Masker *masker) {
    uint32_t *queue = heap_alloc(masker->count, sizeof *queue);
    uint32_t head = 0;
    uint32_t tail = 0;
    for (int byte = 0; byte < 256; byte++) {
        uint32_t child = masker->first[byte];
        if (child == 0) continue;
        link_child(masker, 0, child);
        queue[tail++] = child;
    }
    while (head < tail) {
        uint32_t node = queue[head++];
        for (uint32_t child = masker->nodes[node].child; child != 0;
             child = masker->nodes[child].sibling) {
            link_child(masker, node, child);
            queue[tail++] = child;
        }
    }
    heap_free(queue);
    masker->is_stale = false;
    masker->generation++;
}

// --- the patterns of a value --------------------------------------------------------------------

static void forget(Buffer *buffer) {
    if (buffer->ptr != NULL) wipe(buffer->ptr, buffer->capacity);
    buffer_clear(buffer);
}

static void lower(Buffer *buffer) {
    for (size_t i = 0; i + 2 < buffer->len; i++) {
        if (buffer->ptr[i] != '%') continue;
        for (size_t k = i + 1; k <= i + 2; k++) {
            char c = buffer->ptr[k];
            if (c >= 'A' && c <= 'F') buffer->ptr[k] = (char)(c + 32);
        }
    }
}

static void add_percent(Masker *masker, Str plain, Buffer *scratch) {
    forget(scratch);
    percent_encode(scratch, plain);
    add_pattern(masker, buffer_str(scratch));
    lower(scratch);
    add_pattern(masker, buffer_str(scratch));
    if (str_find_char(plain, ' ', 0) == STR_NOT_FOUND) return;
    for (int is_lower = 0; is_lower < 2; is_lower++) {
        forget(scratch);
        Str rest = plain;
        Str word = {0};
        bool is_first = true;
        while (str_split(&rest, ' ', &word)) {
            if (!is_first) buffer_add_char(scratch, '+');
            percent_encode(scratch, word);
            is_first = false;
        }
        if (is_lower == 1) lower(scratch);
        add_pattern(masker, buffer_str(scratch));
    }
}

static void add_json(Masker *masker, Str plain, Buffer *scratch) {
    forget(scratch);
    buffer_add_json(scratch, plain);
    add_pattern(masker, str_slice(buffer_str(scratch), 1, scratch->len - 1));
    if (str_find_char(plain, '/', 0) == STR_NOT_FOUND) return;
    Buffer slashes = {.is_wiped = true};
    for (size_t i = 1; i + 1 < scratch->len; i++) {
        if (scratch->ptr[i] == '/') buffer_add_char(&slashes, '\\');
        buffer_add_char(&slashes, scratch->ptr[i]);
    }
    add_pattern(masker, buffer_str(&slashes));
    forget(&slashes);
    buffer_release(&slashes);
}

static void add_shell(Masker *masker, Str plain, Buffer *scratch) {
    if (str_find_char(plain, '\'', 0) == STR_NOT_FOUND) return;
    forget(scratch);
    for (size_t i = 0; i < plain.len; i++) {
        if (plain.ptr[i] == '\'') {
            buffer_add(scratch, STR("'\\''"));
        } else {
            buffer_add_char(scratch, plain.ptr[i]);
        }
    }
    add_pattern(masker, buffer_str(scratch));
}

// Behind 0, 1 or 2 foreign bytes: the characters that depend on the value alone, and with the end
// where the value ends the text.
static void add_base64(Masker *masker, Str plain, Buffer *scratch) {
    Buffer text = {.is_wiped = true};
    for (size_t shift = 0; shift < 3; shift++) {
        buffer_clear(&text);
        buffer_add_repeat(&text, '\0', shift);
        buffer_add(&text, plain);
        size_t start = shift == 0 ? 0 : shift + 1;
        size_t end = text.len * 8 / 6;
        forget(scratch);
        base64_encode(scratch, buffer_str(&text));
        add_pattern(masker, str_slice(buffer_str(scratch), start, end));
        add_pattern(masker, str_slice(buffer_str(scratch), start, scratch->len));
        forget(scratch);
        base64url_encode(scratch, buffer_str(&text));
        add_pattern(masker, str_slice(buffer_str(scratch), start, end));
        add_pattern(masker, str_slice(buffer_str(scratch), start, scratch->len));
    }
    forget(&text);
    buffer_release(&text);
}

static void add_hex(Masker *masker, Str plain, Buffer *scratch) {
    forget(scratch);
    hex_encode(scratch, (const uint8_t *)plain.ptr, plain.len);
    add_pattern(masker, buffer_str(scratch));
    for (size_t i = 0; i < scratch->len; i++) {
        char c = scratch->ptr[i];
        if (c >= 'a' && c <= 'f') scratch->ptr[i] = (char)(c - 32);
    }
    add_pattern(masker, buffer_str(scratch));
}

bool masker_add(Masker *masker, Str plain) {
    Str trimmed = str_trim(plain);
    if (plain.len < MASK_VALUE_MIN) return false;
    Buffer scratch = {.is_wiped = true};
    if (plain.len <= MASK_VALUE_MAX) {
        add_pattern(masker, plain);
        Str forms[] = {plain, trimmed};
        for (size_t i = 0; i < (trimmed.len == plain.len ? 1 : 2); i++) {
            if (forms[i].len < MASK_VALUE_MIN) continue;
            add_pattern(masker, forms[i]);
            add_json(masker, forms[i], &scratch);
            add_percent(masker, forms[i], &scratch);
            add_shell(masker, forms[i], &scratch);
            add_base64(masker, forms[i], &scratch);
            add_hex(masker, forms[i], &scratch);
        }
    }
    Str rest = plain;
    Str line = {0};
    while (str_split(&rest, '\n', &line)) {
        line = str_trim(line);
        if (line.len >= MASK_LINE_MIN) add_pattern(masker, line);
    }
    forget(&scratch);
    buffer_release(&scratch);
    return true;
}

// --- streams ------------------------------------------------------------------------------------

static uint32_t step(const Masker *masker, uint32_t state, uint8_t byte) {
    uint32_t next = child_of(masker, state, byte);
    while (next == 0 && state != 0) {
        state = masker->nodes[state].failure;
        next = child_of(masker, state, byte);
    }
    return next;
}

// Lets the first `count` held bytes go.
static void let_go(MaskStream *stream, size_t count, Buffer *out) {
    for (size_t i = 0; i < count; i++) {
        if (stream->marks.ptr[i] == 0) {
            buffer_add_char(out, stream->held.ptr[i]);
            stream->was_marked = false;
        } else if (!stream->was_marked) {
            buffer_add(out, STR(MASK_TEXT));
            stream->was_marked = true;
        }
    }
    memmove(stream->held.ptr, stream->held.ptr + count, stream->held.len - count);
    memmove(stream->marks.ptr, stream->marks.ptr + count, stream->marks.len - count);
    stream->held.len -= count;
    stream->marks.len -= count;
}

static void mark_match(MaskStream *stream, size_t end) {
    uint32_t longest = stream->masker->nodes[stream->state].longest;
    // Bytes let go before a value was registered cannot be taken back.
    size_t start = longest > end ? 0 : end - longest;
    memset(stream->marks.ptr + start, 1, end - start);
}

static void refeed(MaskStream *stream) {
    Masker *masker = stream->masker;
    if (masker->is_stale) make_links(masker);
    if (stream->generation == masker->generation) return;
    stream->generation = masker->generation;
    stream->state = 0;
    for (size_t i = 0; i < stream->held.len; i++) {
        stream->state = step(masker, stream->state, (uint8_t)stream->held.ptr[i]);
        mark_match(stream, i + 1);
    }
}

enum { LET_GO_AT = 8192 };  // bytes that are moved less often when more are let go at once

void mask_stream_add(MaskStream *stream, Str chunk, Buffer *out) {
    if (masker_is_empty(stream->masker)) {
        buffer_add(out, chunk);
        return;
    }
    refeed(stream);
    for (size_t i = 0; i < chunk.len; i++) {
        uint8_t byte = (uint8_t)chunk.ptr[i];
        stream->state = step(stream->masker, stream->state, byte);
        buffer_add_char(&stream->held, (char)byte);
        buffer_add_char(&stream->marks, 0);
        if (stream->masker->nodes[stream->state].longest > 0) mark_match(stream, stream->held.len);
        if (stream->held.len >= LET_GO_AT) {
            uint32_t depth = stream->masker->nodes[stream->state].depth;
            if (stream->held.len > 2 * (size_t)depth) {
                let_go(stream, stream->held.len - depth, out);
            }
        }
    }
    uint32_t depth = stream->masker->nodes[stream->state].depth;
    if (stream->held.len > depth) let_go(stream, stream->held.len - depth, out);
}

void mask_stream_end(MaskStream *stream, Buffer *out) {
    if (stream->held.len > 0) let_go(stream, stream->held.len, out);
    stream->state = 0;
    stream->was_marked = false;
}

void mask_stream_release(MaskStream *stream) {
    forget(&stream->held);
    buffer_release(&stream->held);
    buffer_release(&stream->marks);
    stream->state = 0;
}

void masker_apply(Masker *masker, Str text, Buffer *out) {
    if (masker_is_empty(masker)) {
        buffer_add(out, text);
        return;
    }
    MaskStream stream = {.masker = masker, .held = {.is_wiped = true}};
    mask_stream_add(&stream, text, out);
    mask_stream_end(&stream, out);
    mask_stream_release(&stream);
}

static Str masked(Masker *masker, Str text, Arena *arena) {
    if (!masker_finds(masker, text)) return str_dup(arena, text);
    Buffer out = {0};
    masker_apply(masker, text, &out);
    Str copy = buffer_to_str(&out, arena);
    buffer_release(&out);
    return copy;
}

Value masker_value(Masker *masker, Value value, Arena *arena) {
    if (masker_is_empty(masker)) return value_copy(arena, value);
    if (value.kind == VALUE_TEXT) return value_text(masked(masker, value.as.text, arena));
    if (value.kind == VALUE_LIST) {
        Value list = value_list(arena);
        for (uint32_t i = 0; i < value.as.list->count; i++) {
            value_list_add(arena, list, masker_value(masker, value.as.list->items[i], arena));
        }
        return list;
    }
    if (value.kind != VALUE_MAP) return value_copy(arena, value);
    Value map = value_map(arena);
    for (uint32_t i = 0; i < value.as.map->count; i++) {
        const ValueMember *member = &value.as.map->members[i];
        value_map_set(arena, map, masked(masker, member->key, arena),
                      masker_value(masker, member->value, arena));
    }
    return map;
}

bool masker_finds(Masker *masker, Str text) {
    if (masker_is_empty(masker)) return false;
    if (masker->is_stale) make_links(masker);
    uint32_t state = 0;
    for (size_t i = 0; i < text.len; i++) {
        state = step(masker, state, (uint8_t)text.ptr[i]);
        if (masker->nodes[state].longest > 0) return true;
    }
    return false;
}
