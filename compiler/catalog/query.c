// query.c - questions about the whole catalog: counting, the nearest name, versions, the digest.
#include <string.h>

#include "base/crypto.h"
#include "catalog/layers.h"

uint32_t catalog_count(const Catalog *catalog) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < catalog->layers.count; i++) {
        count += catalog->layers.items[i].tables->type_count;
    }
    return count;
}

Str catalog_name_at(const Catalog *catalog, uint32_t index) {
    for (uint32_t i = 0; i < catalog->layers.count; i++) {
        const Tables *tables = catalog->layers.items[i].tables;
        if (index < tables->type_count) return row_text(tables, tables->types[index].name);
        index -= tables->type_count;
    }
    return (Str){0};
}

// --- types as text ------------------------------------------------------------------------------

void prop_type_print(PropType type, Buffer *out) {
    static const char *const names[] = {
        [T_STRING] = "string",
        [T_INT] = "int",
        [T_NUMBER] = "number",
        [T_BOOL] = "bool",
        [T_DURATION] = "duration",
        [T_DATETIME] = "datetime",
        [T_DATE] = "date",
        [T_TIME] = "time",
        [T_TIMEZONE] = "timezone",
        [T_URI] = "uri",
        [T_ANY] = "any",
        [T_ENCRYPTED] = "encrypted",
        [T_LABELS] = "labels",
        [T_DATA] = "data",
        [T_TASK] = "task",
        [T_TRIGGER] = "trigger",
        [T_CONDITION] = "condition",
        [T_RUNNER] = "runner",
        [T_LOG_EXPORTER] = "log-exporter",
        [T_ASSET] = "asset",
        [T_ASSET_EXPORTER] = "asset-exporter",
    };
    if (type.kind == T_LIST || type.kind == T_MAP) {
        buffer_add(out, type.kind == T_LIST ? STR("list<") : STR("map<"));
        prop_type_print(*type.item, out);
        buffer_add(out, STR(">"));
    } else if (type.def != NULL) {
        buffer_printf(out, "$" STR_FMT, STR_ARG(type.def->name));
    } else {
        buffer_add(out, str_from(names[type.kind]));
    }
}

// --- the nearest name ---------------------------------------------------------------------------

static Str last_part(Str name) {
    size_t dot = str_find_last_char(name, '.');
    return dot == STR_NOT_FOUND ? name : str_slice(name, dot + 1, name.len);
}

// How far two packages are apart: by letters, or by a part that one of them has and the other has
// not, whatever its length.
static size_t path_distance(Str wrong, Str right, size_t limit) {
    enum { A_PART = 4 };
    size_t before = 0, after = 0;
    const size_t shorter = wrong.len < right.len ? wrong.len : right.len;
    while (before < shorter && wrong.ptr[before] == right.ptr[before]) before++;
    while (after < shorter - before &&
           wrong.ptr[wrong.len - 1 - after] == right.ptr[right.len - 1 - after]) {
        after++;
    }
    const size_t letters = str_distance(wrong, right, limit);
    if (before + after < shorter || wrong.len == right.len || letters <= A_PART) return letters;
    const Str longer = wrong.len > right.len ? wrong : right;
    const Str part = str_slice(longer, before, longer.len - after);
    // `kv.` or `.kv`: with one of the dots around it, and none inside.
    size_t dots = 0;
    for (size_t i = 0; i < part.len; i++) dots += part.ptr[i] == '.';
    return dots == 1 ? A_PART : letters;
}

// How far a wrong name is from a right one: the class counts double, as it is what a person knows
// of a type; a class that is right in a wrong package is near too.
static size_t name_distance(Str wrong, Str right, size_t limit) {
    Str wrong_class = last_part(wrong), right_class = last_part(right);
    size_t class_limit = wrong_class.len / 3 + 1;
    size_t in_class = str_distance(wrong_class, right_class, class_limit);
    if (in_class > class_limit || in_class * 2 > limit) return limit + 1;
    Str wrong_path = str_slice(wrong, 0, wrong.len - wrong_class.len);
    Str right_path = str_slice(right, 0, right.len - right_class.len);
    size_t path_limit = in_class == 0 ? 40 : limit - in_class * 2;
    if (wrong_path.len == 0) return in_class * 2;
    size_t in_path = path_distance(wrong_path, right_path, path_limit);
    return in_path > path_limit ? limit + 1 : in_class * 2 + in_path;
}

Str catalog_nearest(Catalog *catalog, TypeKind kind, Str name) {
    enum { LIMIT = 48 };
    Str best = {0};
    size_t best_distance = LIMIT + 1;
    if (name.len == 0 || name.len > 256) return best;
    for (uint32_t i = catalog->layers.count; i-- > 0;) {
        const Tables *tables = catalog->layers.items[i].tables;
        for (uint32_t j = 0; j < tables->type_count; j++) {
            const TypeRow *row = &tables->types[j];
            if ((row->kind & 0xff) != (uint32_t)kind || (row->flags & TYPE_INTERNAL)) continue;
            Str candidate = row_text(tables, row->name);
            size_t distance = name_distance(name, candidate, best_distance - 1);
            if (distance < best_distance) {
                best = candidate;
                best_distance = distance;
                if (distance == 0) return best;
            }
        }
    }
    return best;
}

// --- versions -----------------------------------------------------------------------------------

static bool type_matches(Str pattern, Str type, TypeKind kind) {
    if (str_ends_with(pattern, STR("*"))) {
        return str_starts_with(type, str_slice(pattern, 0, pattern.len - 1));
    }
    if (str_eq(pattern, type)) return true;
    return (kind == KIND_TASK && str_eq(pattern, STR("task"))) ||
           (kind == KIND_TRIGGER && str_eq(pattern, STR("trigger")));
}

typedef struct VersionRange {
    const VersionRow *at, *end;  // the rows of one property name
    Str type;
    TypeKind kind;
} VersionRange;

static VersionRange version_range(Str type, Str prop) {
    const Tables *tables = &catalog_builtin;
    VersionRange range = {.type = type, .kind = KIND_COUNT};
    uint32_t low = 0, high = tables->version_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (str_cmp(row_text(tables, tables->versions[middle].prop), prop) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    range.at = range.end = tables->versions + low;
    const VersionRow *last = tables->versions + tables->version_count;
    while (range.end < last && str_eq(row_text(tables, range.end->prop), prop)) range.end++;
    if (range.at == range.end) return range;
    uint32_t at = rows_find_name(tables, type);
    if (at == 0) return range;
    const TypeRow *row = &tables->types[tables->names[at - 1].type & ~(uint32_t)ROW_ALIAS];
    range.kind = (TypeKind)(row->kind & 0xff);
    return range;
}

static const VersionRow *version_next(VersionRange *range) {
    while (range->at < range->end) {
        const VersionRow *row = range->at++;
        Str pattern = row_text(&catalog_builtin, row->type);
        if (type_matches(pattern, range->type, range->kind)) return row;
    }
    return NULL;
}

static uint32_t version_targets(Str type, Str prop, VersionKind kind, Str value) {
    uint32_t targets = 0;
    VersionRange range = version_range(type, prop);
    const VersionRow *row;
    while ((row = version_next(&range)) != NULL) {
        if (row->kind != (uint32_t)kind) continue;
        if (kind == VERSION_VALUE && !str_eq(row_text(&catalog_builtin, row->value), value)) {
            continue;
        }
        targets |= row->targets;
    }
    return targets;
}

// A private type is of no version.
static uint32_t targets_of(Catalog *catalog, Str type, Str prop, VersionKind kind, Str value) {
    for (uint32_t i = 1; i < catalog->layers.count; i++) {
        if (rows_find_name(catalog->layers.items[i].tables, type) != 0) return 0;
    }
    return version_targets(type, prop, kind, value);
}

uint32_t catalog_absent_in(Catalog *catalog, Str type, Str prop) {
    return targets_of(catalog, type, prop, VERSION_ABSENT, (Str){0});
}

uint32_t catalog_deprecated_in(Catalog *catalog, Str type, Str prop) {
    return targets_of(catalog, type, prop, VERSION_DEPRECATED, (Str){0});
}

uint32_t catalog_required_in(Catalog *catalog, Str type, Str prop) {
    return targets_of(catalog, type, prop, VERSION_REQUIRED, (Str){0});
}

uint32_t catalog_value_absent_in(Catalog *catalog, Str type, Str prop, Str value) {
    return targets_of(catalog, type, prop, VERSION_VALUE, value);
}

Str catalog_replacement(Catalog *catalog, Str type, Str prop) {
    (void)catalog;
    VersionRange range = version_range(type, prop);
    const VersionRow *row;
    while ((row = version_next(&range)) != NULL) {
        Str use = row_text(&catalog_builtin, row->use);
        if (use.len != 0 && !str_eq(use, STR("none"))) return use;
    }
    return (Str){0};
}

// --- identity -----------------------------------------------------------------------------------

Str catalog_digest(const Catalog *catalog) {
    if (catalog->layers.count == 1) return str_from(catalog->layers.items[0].tables->digest);
    return catalog->digest;
}
