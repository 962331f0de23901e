// mask.c - the patterns of all values in a hash table by their first four bytes, and streams.
//
// Every position of a text is looked at once: a bit map says whether a pattern may begin there,
// mostly not, and what is left is compared in full. Patterns lie in locked memory. The cost is
// linear but for values that repeat themselves within a few bytes.
#include "log/mask.h"

#include <string.h>

#include "base/arena.h"
#include "base/crypto.h"
#include "base/locked.h"
#include "log/forms.h"

enum {
    KEY = MASK_VALUE_MIN,  // bytes that are hashed
    MIN_BITS = 8,          // of the number of heads, at least
    MAP_MORE = 5,          // the bit map has so many times (2^) the bits of the heads
};

typedef struct Pattern {
    const char *bytes;
    uint32_t len;
    uint32_t next;  // of the same head; number + 1
} Pattern;

struct Masker {
    LockedPool pool;
    Pattern *patterns;
    uint32_t count, capacity;
    uint32_t bits;    // of the number of heads
    uint32_t *heads;  // number + 1 of a pattern
    uint64_t *map;
    uint64_t first[4];     // bytes that patterns begin with
    uint64_t pairs[1024];  // and their first two
};

static bool bit_is_set(const uint64_t *map, uint32_t bit) {
    return (map[bit >> 6] >> (bit & 63) & 1) != 0;
}

static void set_bit(uint64_t *map, uint32_t bit) {
    map[bit >> 6] |= (uint64_t)1 << (bit & 63);
}

static uint32_t hash_at(const char *bytes) {
    uint32_t key;
    memcpy(&key, bytes, sizeof key);
    return key * 0x9E3779B1u;
}

static uint32_t pair_at(const char *bytes) {
    return (uint32_t)(uint8_t)bytes[0] << 8 | (uint8_t)bytes[1];
}

Masker *masker_new(void) {
    return heap_alloc(1, sizeof(Masker));
}

static void wiped_free_map(Masker *masker) {
    if (masker->map == NULL) return;
    wipe(masker->map, (size_t)1 << (masker->bits + MAP_MORE - 3));
    heap_free(masker->map);
    heap_free(masker->heads);
}

void masker_free(Masker *masker) {
    if (masker == NULL) return;
    wiped_free_map(masker);
    heap_free(masker->patterns);
    locked_release(&masker->pool);
    wipe(masker, sizeof *masker);
    heap_free(masker);
}

bool masker_is_empty(const Masker *masker) {
    return masker == NULL || masker->count == 0;
}

// --- building -----------------------------------------------------------------------------------

static void enter(Masker *masker, uint32_t number) {
    Pattern *pattern = &masker->patterns[number];
    uint32_t hash = hash_at(pattern->bytes);
    uint32_t *head = &masker->heads[hash >> (32 - masker->bits)];
    pattern->next = *head;
    *head = number + 1;
    set_bit(masker->map, hash >> (32 - masker->bits - MAP_MORE));
}

static void grow(Masker *masker) {
    if (masker->count == masker->capacity) {
        masker->capacity = arena_next_capacity(masker->count);
        masker->patterns =
            heap_resize(masker->patterns, masker->capacity, sizeof *masker->patterns);
    }
    if (masker->heads != NULL && masker->count < (uint32_t)1 << masker->bits) return;
    uint32_t bits = masker->heads == NULL ? MIN_BITS : masker->bits + 2;
    wiped_free_map(masker);
    masker->bits = bits;
    masker->heads = heap_alloc((size_t)1 << bits, sizeof *masker->heads);
    masker->map = heap_alloc((size_t)1 << (bits + MAP_MORE - 6), sizeof *masker->map);
    for (uint32_t i = 0; i < masker->count; i++) enter(masker, i);
}

static bool is_known(const Masker *masker, Str bytes) {
    if (masker->heads == NULL) return false;
    uint32_t at = masker->heads[hash_at(bytes.ptr) >> (32 - masker->bits)];
    for (; at != 0; at = masker->patterns[at - 1].next) {
        const Pattern *pattern = &masker->patterns[at - 1];
        if (pattern->len == bytes.len && memcmp(pattern->bytes, bytes.ptr, bytes.len) == 0) {
            return true;
        }
    }
    return false;
}

static void add_pattern(void *self, Str bytes) {
    Masker *masker = self;
    if (bytes.len < MASK_VALUE_MIN || is_known(masker, bytes)) return;
    grow(masker);
    char *copy = locked_alloc(&masker->pool, bytes.len);
    memcpy(copy, bytes.ptr, bytes.len);
    masker->patterns[masker->count] = (Pattern){.bytes = copy, .len = (uint32_t)bytes.len};
    enter(masker, masker->count++);
    set_bit(masker->first, (uint8_t)copy[0]);
    set_bit(masker->pairs, pair_at(copy));
}

bool masker_add(Masker *masker, Str plain) {
    if (plain.len < MASK_VALUE_MIN) return false;
    Str rest = plain, line = {0};
    if (plain.len <= MASK_VALUE_MAX) {
        Str trimmed = str_trim(plain);
        forms_of(plain, add_pattern, masker);
        if (trimmed.len != plain.len && trimmed.len >= MASK_VALUE_MIN) {
            forms_of(trimmed, add_pattern, masker);
        }
    }
    while (str_split(&rest, '\n', &line)) {
        line = str_trim(line);
        if (line.len >= MASK_LINE_MIN) add_pattern(masker, line);
    }
    return true;
}

// --- searching ----------------------------------------------------------------------------------

// The longest pattern that begins at `at`; *may_go_on where one does whose end is not there yet.
static size_t match_at(const Masker *masker, Str text, size_t at, bool *may_go_on) {
    const char *bytes = text.ptr + at;
    size_t left = text.len - at, longest = 0;
    uint32_t number = masker->heads[hash_at(bytes) >> (32 - masker->bits)];
    for (; number != 0; number = masker->patterns[number - 1].next) {
        const Pattern *pattern = &masker->patterns[number - 1];
        size_t compared = pattern->len < left ? pattern->len : left;
        if (compared <= longest && pattern->len <= left) continue;
        if (memcmp(pattern->bytes, bytes, compared) != 0) continue;
        if (pattern->len > left) {
            *may_go_on = true;
        } else if (pattern->len > longest) {
            longest = pattern->len;
        }
    }
    return longest;
}

// Whether a pattern begins with the last one to three bytes.
static bool tail_may_go_on(const Masker *masker, Str tail) {
    if (!bit_is_set(masker->first, (uint8_t)tail.ptr[0])) return false;
    if (tail.len == 1) return true;
    if (!bit_is_set(masker->pairs, pair_at(tail.ptr))) return false;
    if (tail.len == 2) return true;
    for (uint32_t i = 0; i < masker->count; i++) {
        if (memcmp(masker->patterns[i].bytes, tail.ptr, tail.len) == 0) return true;
    }
    return false;
}

// The next position from `at` on where a pattern may begin that has four bytes there; else the
// first without.
static size_t next_candidate(const Masker *masker, Str text, size_t at) {
    const uint64_t *map = masker->map;
    uint32_t shift = 32 - masker->bits - MAP_MORE;
    size_t end = text.len < KEY ? 0 : text.len - KEY + 1;
    while (at < end && !bit_is_set(map, hash_at(text.ptr + at) >> shift)) at++;
    return at;
}

bool masker_finds(Masker *masker, Str text) {
    if (masker_is_empty(masker)) return false;
    for (size_t at = 0; (at = next_candidate(masker, text, at)) + KEY <= text.len; at++) {
        bool may_go_on = false;
        if (match_at(masker, text, at, &may_go_on) > 0) return true;
    }
    return false;
}

// --- streams ------------------------------------------------------------------------------------

static void put(MaskStream *stream, Str plain, Buffer *out) {
    if (plain.len == 0) return;
    buffer_add(out, plain);
    stream->was_marked = false;
}

static void put_mark(MaskStream *stream, Buffer *out) {
    if (!stream->was_marked) buffer_add(out, STR(MASK_TEXT));
    stream->was_marked = true;
}

// Lets go what is certain of the text, whose first `stream->covered` bytes are marked; gives how
// many bytes that is. With `is_end` all is.
static size_t work_off(MaskStream *stream, Str text, bool is_end, Buffer *out) {
    const Masker *masker = stream->masker;
    size_t marked = stream->covered, plain = 0, at = 0;  // up to where; from where not let go yet
    while (at < text.len) {
        at = next_candidate(masker, text, at);
        size_t longest = 0;
        bool waits = false;
        if (at + KEY <= text.len) {
            longest = match_at(masker, text, at, &waits);
        } else if (at < text.len) {
            waits = tail_may_go_on(masker, str_slice(text, at, text.len));
        }
        if (waits && !is_end) break;
        if (longest > 0 && at + longest > marked) {
            if (at > marked) {
                if (marked > plain) put_mark(stream, out);
                put(stream, str_slice(text, marked > plain ? marked : plain, at), out);
                plain = at;
            }
            marked = at + longest;
        }
        at++;
    }
    if (marked > plain) {
        put_mark(stream, out);
        plain = marked < at ? marked : at;
    }
    put(stream, str_slice(text, plain, at), out);
    stream->covered = marked > at ? marked - at : 0;
    return at;
}

void mask_stream_add(MaskStream *stream, Str chunk, Buffer *out) {
    if (masker_is_empty(stream->masker)) {
        buffer_add(out, chunk);
        return;
    }
    stream->held.is_wiped = true;
    if (stream->held.len == 0) {
        size_t done = work_off(stream, chunk, false, out);
        buffer_add(&stream->held, str_slice(chunk, done, chunk.len));
        return;
    }
    buffer_add(&stream->held, chunk);
    Str held = buffer_str(&stream->held);
    size_t done = work_off(stream, held, false, out);
    memmove(stream->held.ptr, stream->held.ptr + done, held.len - done);
    stream->held.len = held.len - done;
}

void mask_stream_end(MaskStream *stream, Buffer *out) {
    if (stream->held.len > 0) work_off(stream, buffer_str(&stream->held), true, out);
    mask_stream_release(stream);
    stream->was_marked = false;
}

void mask_stream_release(MaskStream *stream) {
    buffer_release(&stream->held);
    stream->covered = 0;
}

void masker_apply(Masker *masker, Str text, Buffer *out) {
    if (masker_is_empty(masker)) {
        buffer_add(out, text);
        return;
    }
    MaskStream stream = {.masker = masker};
    work_off(&stream, text, true, out);
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
