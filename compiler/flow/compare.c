// compare.c - trees compared piece by piece: maps by key, lists of things with an id by that, other
// lists by their longest common part.
#include "flow/compare.h"

enum { ITEMS_MAX = 1000 };  // of lists that are compared item by item; longer ones as a whole

typedef struct Comparison {
    Arena *arena;
    FlowChanges *out;
} Comparison;

typedef struct Place {
    Str path;
    Str name;            // of the property
    bool is_order_free;  // of a list: the order of its items means nothing
} Place;

// --- names --------------------------------------------------------------------------------------

static bool is_word(Str text) {
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              (c >= '0' && c <= '9') || c == '_' || c == '-';
        if (!is_plain) return false;
    }
    return text.len > 0;
}

static Str child_path(Arena *arena, Str path, Str name) {
    if (!is_word(name))
        return str_printf(arena, STR_FMT "['" STR_FMT "']", STR_ARG(path), STR_ARG(name));
    if (path.len == 0) return name;
    return str_printf(arena, STR_FMT "." STR_FMT, STR_ARG(path), STR_ARG(name));
}

// What an item is called: its id, that of the task it wraps, the type of a default, a label's key.
static Str item_name(const Node *item) {
    static const char *const keys[] = {"id", "key", "type"};
    const Node *task = node_get(item, STR("task"));
    if (node_get(item, STR("id")) == NULL && task != NULL) return item_name(task);
    for (size_t i = 0; i < COUNT(keys); i++) {
        const Node *name = node_get(item, str_from(keys[i]));
        if (name != NULL && name->type == YAML_SCALAR && name->text.len > 0) return name->text;
    }
    return (Str){0};
}

static const Node *item_named(const Node *list, Str name, uint32_t *at) {
    for (uint32_t i = 0; i < list->items.count; i++) {
        if (!str_eq(item_name(list->items.items[i]), name)) continue;
        if (at != NULL) *at = i;
        return list->items.items[i];
    }
    return NULL;
}

// All items have names, and no two the same.
static bool has_names(const Node *list) {
    if (list->items.count > ITEMS_MAX) return false;
    for (uint32_t i = 0; i < list->items.count; i++) {
        uint32_t first = 0;
        const Str name = item_name(list->items.items[i]);
        if (name.len == 0 || item_named(list, name, &first) == NULL || first != i) return false;
    }
    return true;
}

// --- sameness -----------------------------------------------------------------------------------

static bool is_absent(const Node *node) {
    return node == NULL || node_is_null(node);
}

static bool is_same(const Node *a, const Node *b) {
    if (is_absent(a) || is_absent(b)) return is_absent(a) && is_absent(b);
    if (a->type != b->type) return false;
    if (a->type == YAML_SCALAR)
        return value_equal(a->value, b->value) && a->value.kind == b->value.kind;
    if (a->type == YAML_LIST) {
        if (a->items.count != b->items.count) return false;
        for (uint32_t i = 0; i < a->items.count; i++) {
            if (!is_same(a->items.items[i], b->items.items[i])) return false;
        }
        return true;
    }
    for (uint32_t i = 0; i < a->entries.count; i++) {
        const NodeEntry *entry = &a->entries.items[i];
        if (!is_same(entry->value, node_get(b, entry->key->text))) return false;
    }
    for (uint32_t i = 0; i < b->entries.count; i++) {
        const NodeEntry *entry = &b->entries.items[i];
        if (!is_absent(entry->value) && node_entry(a, entry->key->text) == NULL) return false;
    }
    return true;
}

static FlowChange *add(Comparison *it, ChangeKind kind, Str path, const Node *before,
                       const Node *after) {
    FlowChange *change = LIST_ADD(it->arena, &it->out->list, FlowChange);
    *change = (FlowChange){.kind = kind, .path = path, .before = before, .after = after};
    return change;
}

static void compare(Comparison *it, const Place *place, const Node *before, const Node *after);

// --- lists --------------------------------------------------------------------------------------

// The items of `after` that keep their order among themselves, as many as can be: true for those
// that are not among them.
static bool *moved_items(Arena *arena, const uint32_t *from, uint32_t count) {
    bool *is_moved = arena_array(arena, bool, count);
    uint32_t *best = arena_array(arena, uint32_t, count);
    uint32_t *previous = arena_array(arena, uint32_t, count);
    uint32_t end = UINT32_MAX;
    for (uint32_t i = 0; i < count; i++) {
        is_moved[i] = true;
        best[i] = 1;
        previous[i] = UINT32_MAX;
        for (uint32_t k = 0; k < i; k++) {
            if (from[k] >= from[i] || best[k] + 1 <= best[i]) continue;
            best[i] = best[k] + 1;
            previous[i] = k;
        }
        if (end == UINT32_MAX || best[i] > best[end]) end = i;
    }
    for (; end != UINT32_MAX; end = previous[end]) is_moved[end] = false;
    return is_moved;
}

static void compare_order(Comparison *it, const Place *place, const Node *before,
                          const Node *after) {
    uint32_t count = 0;
    uint32_t *from = arena_array(it->arena, uint32_t, after->items.count);
    const Node **items = arena_array(it->arena, const Node *, after->items.count);
    for (uint32_t i = 0; i < after->items.count; i++) {
        if (item_named(before, item_name(after->items.items[i]), &from[count]) == NULL) continue;
        items[count++] = after->items.items[i];
    }
    const bool *is_moved = moved_items(it->arena, from, count);
    for (uint32_t i = 0; i < count; i++) {
        if (!is_moved[i]) continue;
        const Str name = item_name(items[i]);
        add(it, CHANGE_MOVED, child_path(it->arena, place->path, name),
            before->items.items[from[i]], items[i]);
    }
}

static void compare_named(Comparison *it, const Place *place, const Node *before,
                          const Node *after) {
    for (uint32_t i = 0; i < before->items.count; i++) {
        const Node *item = before->items.items[i];
        const Str name = item_name(item);
        const Node *now = item_named(after, name, NULL);
        const Place inner = {.path = child_path(it->arena, place->path, name), .name = place->name};
        if (now == NULL) {
            add(it, CHANGE_REMOVED, inner.path, item, NULL);
        } else {
            compare(it, &inner, item, now);
        }
    }
    for (uint32_t i = 0; i < after->items.count; i++) {
        const Node *item = after->items.items[i];
        const Str name = item_name(item);
        if (item_named(before, name, NULL) != NULL) continue;
        add(it, CHANGE_ADDED, child_path(it->arena, place->path, name), NULL, item);
    }
    if (!place->is_order_free) compare_order(it, place, before, after);
}

static Str numbered(Comparison *it, const Place *place, uint32_t at) {
    return str_printf(it->arena, STR_FMT "[%u]", STR_ARG(place->path), at);
}

// What is left when equal ends are cut off: pairs, then what is over.
static void compare_numbered(Comparison *it, const Place *place, const Node *before,
                             const Node *after) {
    uint32_t first = 0;
    uint32_t old_end = before->items.count, new_end = after->items.count;
    while (first < old_end && first < new_end &&
           is_same(before->items.items[first], after->items.items[first])) {
        first++;
    }
    while (old_end > first && new_end > first &&
           is_same(before->items.items[old_end - 1], after->items.items[new_end - 1])) {
        old_end--;
        new_end--;
    }
    for (uint32_t i = first; i < old_end || i < new_end; i++) {
        const Place inner = {.path = numbered(it, place, i), .name = place->name};
        if (i >= new_end) {
            add(it, CHANGE_REMOVED, inner.path, before->items.items[i], NULL);
        } else if (i >= old_end) {
            add(it, CHANGE_ADDED, inner.path, NULL, after->items.items[i]);
        } else {
            compare(it, &inner, before->items.items[i], after->items.items[i]);
        }
    }
}

// --- all of it ----------------------------------------------------------------------------------

static bool is_order_free(const Node *map, Str name) {
    static const char *const always[] = {"inputs",         "outputs",      "triggers", "labels",
                                         "pluginDefaults", "taskDefaults", "dependsOn"};
    for (size_t i = 0; i < COUNT(always); i++) {
        if (str_eq(name, str_from(always[i]))) return true;
    }
    const Node *type = node_get(map, STR("type"));
    return str_eq(name, STR("tasks")) && type != NULL && type->type == YAML_SCALAR &&
           (str_ends_with(type->text, STR(".Parallel")) || str_ends_with(type->text, STR(".Dag")));
}

static void compare_maps(Comparison *it, const Place *place, const Node *before,
                         const Node *after) {
    for (uint32_t i = 0; i < before->entries.count; i++) {
        const NodeEntry *entry = &before->entries.items[i];
        const Node *now = node_get(after, entry->key->text);
        const Place inner = {.path = child_path(it->arena, place->path, entry->key->text),
                             .name = entry->key->text,
                             .is_order_free = is_order_free(after, entry->key->text)};
        compare(it, &inner, entry->value, now);
    }
    for (uint32_t i = 0; i < after->entries.count; i++) {
        const NodeEntry *entry = &after->entries.items[i];
        if (node_entry(before, entry->key->text) != NULL) continue;
        const Place inner = {.path = child_path(it->arena, place->path, entry->key->text)};
        compare(it, &inner, NULL, entry->value);
    }
}

static void compare(Comparison *it, const Place *place, const Node *before, const Node *after) {
    if (is_absent(before) && is_absent(after)) return;
    if (is_absent(before)) {
        // A list of things that is new is each of them.
        if (after->type == YAML_LIST && has_names(after)) {
            const Node none = {.type = YAML_LIST};
            compare_named(it, place, &none, after);
        } else {
            add(it, CHANGE_ADDED, place->path, NULL, after);
        }
        return;
    }
    if (is_absent(after)) {
        if (before->type == YAML_LIST && has_names(before)) {
            const Node none = {.type = YAML_LIST};
            compare_named(it, place, before, &none);
        } else {
            add(it, CHANGE_REMOVED, place->path, before, NULL);
        }
        return;
    }
    const bool are_maps = before->type == YAML_MAP && after->type == YAML_MAP;
    const bool are_lists = before->type == YAML_LIST && after->type == YAML_LIST;
    if (are_maps) {
        compare_maps(it, place, before, after);
    } else if (are_lists && has_names(before) && has_names(after)) {
        compare_named(it, place, before, after);
    } else if (are_lists) {
        compare_numbered(it, place, before, after);
    } else if (!is_same(before, after)) {
        add(it, CHANGE_VALUE, place->path, before, after);
    }
}

// A task that went into another list is gone there and new here: one change, and what changed in
// it.
static bool join_move(Comparison *it, uint32_t removed) {
    const FlowChange old = it->out->list.items[removed];
    const Node *id = node_get(old.before, STR("id"));
    const Node *type = node_get(old.before, STR("type"));
    if (id == NULL || type == NULL || type->type != YAML_SCALAR) return false;
    for (uint32_t i = 0; i < it->out->list.count; i++) {
        const FlowChange *now = &it->out->list.items[i];
        if (now->kind != CHANGE_ADDED || !is_same(node_get(now->after, STR("id")), id)) continue;
        const Place place = {.path = now->path};
        const Node *after = now->after;
        it->out->list.items[i] = (FlowChange){.kind = CHANGE_MOVED,
                                              .path = now->path,
                                              .from = old.path,
                                              .before = old.before,
                                              .after = after};
        compare(it, &place, old.before, after);
        return true;
    }
    return false;
}

static void join_moves(Comparison *it) {
    const uint32_t count = it->out->list.count;
    for (uint32_t i = 0; i < count; i++) {
        if (it->out->list.items[i].kind != CHANGE_REMOVED || !join_move(it, i)) continue;
        it->out->list.items[i].path = (Str){0};
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < it->out->list.count; i++) {
        if (it->out->list.items[i].path.len == 0) continue;
        it->out->list.items[kept++] = it->out->list.items[i];
    }
    it->out->list.count = kept;
}

// --- those who call the flow --------------------------------------------------------------------

static bool is_needed(const Node *input) {
    const Node *required = node_get(input, STR("required"));
    const bool is_optional = required != NULL && required->type == YAML_SCALAR &&
                             str_eq_ignore_case(required->text, STR("false"));
    return !is_optional && is_absent(node_get(input, STR("defaults"))) &&
           is_absent(node_get(input, STR("prefill"))) &&
           is_absent(node_get(input, STR("expression")));
}

static Str note_of_input(const FlowChange *change, Str property, const Node *before,
                         const Node *after) {
    if (property.len == 0) {
        if (change->kind == CHANGE_REMOVED) return STR("a value that callers give is ignored");
        if (change->kind == CHANGE_ADDED && is_needed(after)) return STR("callers have to give it");
        return (Str){0};
    }
    if (before == NULL || after == NULL) return (Str){0};
    if (!is_needed(before) && is_needed(after)) return STR("callers have to give it");
    static const char *const bounds[] = {"type", "itemType", "values", "validator",
                                         "min",  "max",      "after",  "before"};
    for (size_t i = 0; i < COUNT(bounds); i++) {
        if (str_starts_with(property, str_from(bounds[i]))) {
            return STR("what callers give may be refused");
        }
    }
    return (Str){0};
}

static Str note_of(const FlowChange *change, const Node *before, const Node *after) {
    const Str path = change->path;
    if (str_eq(path, STR("id")) || str_eq(path, STR("namespace"))) {
        return STR("another flow: callers and past executions stay with the old one");
    }
    if (str_eq(path, STR("disabled")) && change->after != NULL &&
        str_eq(change->after->text, STR("true"))) {
        return STR("a call of it fails");
    }
    const bool is_input = str_starts_with(path, STR("inputs."));
    const bool is_output = str_starts_with(path, STR("outputs."));
    if (!is_input && !is_output) return (Str){0};
    const size_t at = str_find_char(path, '.', 0) + 1;
    const size_t dot = str_find_char(path, '.', at);
    const Str name = str_slice(path, at, dot);
    const Str property = dot == STR_NOT_FOUND ? (Str){0} : str_slice(path, dot + 1, path.len);
    if (is_output) {
        if (property.len == 0 && change->kind == CHANGE_REMOVED) {
            return STR("callers that read it fail");
        }
        return str_eq(property, STR("type")) ? STR("callers read another type") : (Str){0};
    }
    const Node *old = node_get(before, STR("inputs")), *now = node_get(after, STR("inputs"));
    return note_of_input(change, property, old == NULL ? NULL : item_named(old, name, NULL),
                         now == NULL ? NULL : item_named(now, name, NULL));
}

void flow_compare(const Node *before, const Node *after, Arena *arena, FlowChanges *out) {
    Comparison it = {.arena = arena, .out = out};
    const Place place = {0};
    compare(&it, &place, before, after);
    join_moves(&it);
    for (uint32_t i = 0; i < out->list.count; i++) {
        out->list.items[i].note = note_of(&out->list.items[i], before, after);
    }
}
