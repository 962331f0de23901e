// build_versions.c - `_versions.yaml` -> rows: what targets differ in.

#include "catalog/builder.h"

// --- versions -----------------------------------------------------------------------------------

static void add_version(RowBuilder *builder, Str type, Str prop, VersionKind kind,
                        uint32_t targets) {
    *LIST_ADD(builder->arena, &builder->versions, VersionRow) =
        (VersionRow){.type = row_add_text(builder, type),
                     .prop = row_add_text(builder, prop),
                     .kind = (uint32_t)kind,
                     .targets = targets};
}

static void add_version_list(RowBuilder *builder, Str type, const Value *props, uint32_t targets) {
    if (!row_want_list(builder, props)) return;
    for (uint32_t i = 0; i < props->as.list->count; i++) {
        Str text = row_want_text(builder, &props->as.list->items[i]);
        if (type.len == 0) {
            add_version(builder, text, (Str){0}, VERSION_ABSENT, targets);
        } else {
            add_version(builder, type, text, VERSION_ABSENT, targets);
        }
    }
}

// {type: [property, …]}
static void add_version_map(RowBuilder *builder, const Value *value, uint32_t targets) {
    if (!row_want_map(builder, value)) return;
    for (uint32_t i = 0; i < value->as.map->count; i++) {
        const ValueMember *member = &value->as.map->members[i];
        row_enter(builder, member->key);
        add_version_list(builder, member->key, &member->value, targets);
        row_leave(builder);
    }
}

// List of {type | of, property, value, use}
static void add_version_rows(RowBuilder *builder, const Value *value, VersionKind kind,
                             uint32_t targets) {
    if (!row_want_list(builder, value)) return;
    for (uint32_t i = 0; i < value->as.list->count; i++) {
        const Value *item = &value->as.list->items[i];
        row_enter_item(builder, i);
        if (row_want_map(builder, item)) {
            Str type = value_map_get_text(*item, STR("type"), (Str){0});
            type = value_map_get_text(*item, STR("of"), type);
            if (type.len == 0) row_mistake(builder, "the row names no type");
            add_version(builder, type, value_map_get_text(*item, STR("property"), (Str){0}), kind,
                        targets);
            VersionRow *row = &builder->versions.items[builder->versions.count - 1];
            row->value = row_add_text(builder, value_map_get_text(*item, STR("value"), (Str){0}));
            row->use = row_add_text(builder, value_map_get_text(*item, STR("use"), (Str){0}));
        }
        row_leave(builder);
    }
}

static void read_version(RowBuilder *builder, const ValueMember *member, uint32_t targets,
                         uint32_t not_yet) {
    const Value *value = &member->value;
    Str key = member->key;
    if (str_eq(key, STR("absent_types"))) {
        add_version_list(builder, (Str){0}, value, targets);
    } else if (str_eq(key, STR("absent_properties")) ||
               str_eq(key, STR("absent_base_properties"))) {
        add_version_map(builder, value, targets);
    } else if (str_eq(key, STR("added_types"))) {
        add_version_list(builder, (Str){0}, value, not_yet);
    } else if (str_eq(key, STR("added_properties")) || str_eq(key, STR("added_base_properties"))) {
        add_version_map(builder, value, not_yet);
    } else if (str_eq(key, STR("removed_types")) || str_eq(key, STR("removed_properties"))) {
        add_version_rows(builder, value, VERSION_ABSENT, targets);
    } else if (str_eq(key, STR("deprecated_types")) || str_eq(key, STR("deprecated_properties"))) {
        add_version_rows(builder, value, VERSION_DEPRECATED, targets);
    } else if (str_eq(key, STR("newly_required"))) {
        add_version_rows(builder, value, VERSION_REQUIRED, targets);
    } else if (str_eq(key, STR("removed_values"))) {
        add_version_rows(builder, value, VERSION_VALUE, targets);
    }
    // The other keys are notes for people.
}

void rows_add_versions(RowBuilder *builder, uint32_t file, Value content) {
    static const struct {
        const char *section, *version;
        uint32_t targets, not_yet;
    } versions[] = {
        {"older", "0.21", TARGET_0_20, 0                       },
        {"newer", "2.0",  TARGET_2_0,  TARGET_0_20 | TARGET_1_3},
    };
    builder->path = (RowPath){.file = file};
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        const Value *section = value_map_get(content, str_from(versions[i].section));
        const Value *version =
            section == NULL ? NULL : value_map_get(*section, str_from(versions[i].version));
        row_enter(builder, str_from(versions[i].section));
        row_enter(builder, str_from(versions[i].version));
        if (version == NULL) {
            row_mistake(builder, "version '%s' is not there", versions[i].version);
        } else if (row_want_map(builder, version)) {
            for (uint32_t j = 0; j < version->as.map->count; j++) {
                const ValueMember *member = &version->as.map->members[j];
                row_enter(builder, member->key);
                read_version(builder, member, versions[i].targets, versions[i].not_yet);
                row_leave(builder);
            }
        }
        row_leave(builder);
        row_leave(builder);
    }
}
