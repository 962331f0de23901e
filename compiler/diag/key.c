// key.c - what makes a finding the same one after lines were added above it: for reports that are
// compared over time, and for the baseline.
#include "diag/diag.h"

Str diag_report_path(Str name) {
    while (str_starts_with(name, STR("./"))) name = str_slice(name, 2, name.len);
    return name;
}

DiagKey diag_key(const Diag *diag, const Sources *sources) {
    const Source *source = sources_get(sources, diag->span.file);
    const uint32_t line = source_position(source, diag->span.start, POSITION_BYTES).line;
    return (DiagKey){.code = str_from(diag->code),
                     .file = diag_report_path(source->name),
                     .line = str_trim(source_line(source, line))};
}

bool diag_key_eq(DiagKey a, DiagKey b) {
    return str_eq(a.code, b.code) && str_eq(a.line, b.line) && str_eq(a.file, b.file);
}

// --- counting -----------------------------------------------------------------------------------

static struct DiagCount *find_slot(DiagCounter *counter, DiagKey key, uint32_t hash) {
    uint32_t at = hash & (counter->capacity - 1);
    while (counter->slots[at].hash != 0) {
        if (counter->slots[at].hash == hash && diag_key_eq(counter->slots[at].key, key)) break;
        at = (at + 1) & (counter->capacity - 1);
    }
    return &counter->slots[at];
}

static void grow(DiagCounter *counter) {
    const DiagCounter old = *counter;
    counter->capacity = old.capacity == 0 ? 64 : old.capacity * 2;
    counter->slots = arena_array(counter->arena, struct DiagCount, counter->capacity);
    for (uint32_t i = 0; i < old.capacity; i++) {
        if (old.slots[i].hash == 0) continue;
        *find_slot(counter, old.slots[i].key, old.slots[i].hash) = old.slots[i];
    }
}

uint32_t *diag_counter_at(DiagCounter *counter, DiagKey key) {
    if (counter->used * 2 >= counter->capacity) grow(counter);
    uint32_t hash = str_hash(key.code) * 31 + str_hash(key.line);
    hash = hash * 31 + str_hash(key.file);
    if (hash == 0) hash = 1;  // 0 is a free slot
    struct DiagCount *slot = find_slot(counter, key, hash);
    if (slot->hash == 0) {
        slot->key = key;
        slot->hash = hash;
        counter->used++;
    }
    return &slot->count;
}
