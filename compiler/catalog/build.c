// build.c - catalog files -> tables: what the build tool and private catalogs share.
//
// Works on files read as values; where something is wrong is reported as a path of keys, which the
// caller turns into a line. Two passes: first every definition and property set gets its number, so
// that names resolve in any order; then the rows are made.
#include <stdio.h>
#include <stdlib.h>

#include "catalog/builder.h"

// --- first pass ---------------------------------------------------------------------------------

static void declare_named(RowBuilder *builder, const FileEntry *file, Str section, bool is_set,
                          bool is_kind) {
    const Value *all = value_map_get(file->content, section);
    if (all == NULL) return;
    row_enter(builder, section);
    if (row_want_map(builder, all)) {
        for (uint32_t i = 0; i < all->as.map->count; i++) {
            const ValueMember *member = &all->as.map->members[i];
            row_enter(builder, member->key);
            const Value *value = &member->value;
            bool is_ok = row_want_map(builder, value);
            row_leave(builder);
            if (!is_ok) continue;
            NamedEntry *entry = is_set ? LIST_ADD(builder->arena, &builder->sets, NamedEntry)
                                       : LIST_ADD(builder->arena, &builder->defs, NamedEntry);
            *entry = (NamedEntry){.group = is_kind ? STR("_kinds") : file->group,
                                  .name = member->key,
                                  .map = value->as.map,
                                  .file = file->number,
                                  .is_kind = is_kind};
        }
    }
    row_leave(builder);
}

static void declare_types(RowBuilder *builder, const FileEntry *file) {
    const Value *all = value_map_get(file->content, STR("types"));
    if (all == NULL) return;
    row_enter(builder, STR("types"));
    if (row_want_list(builder, all)) {
        for (uint32_t i = 0; i < all->as.list->count; i++) {
            const Value *value = &all->as.list->items[i];
            row_enter_item(builder, i);
            const Value *name = NULL;
            if (row_want_map(builder, value)) {
                name = value_map_get(*value, STR("type"));
                if (name == NULL) row_mistake(builder, "the type has no name ('type:')");
            }
            if (name != NULL) {
                TypeEntry *entry = LIST_ADD(builder->arena, &builder->types, TypeEntry);
                entry->name = row_want_text(builder, name);
                entry->map = value->as.map;
                entry->file = file->number;
                entry->index = i;
            }
            row_leave(builder);
        }
    }
    row_leave(builder);
}

static void declare_file(RowBuilder *builder, const FileEntry *file) {
    static const char *const sections[] = {"group", "sources", "types", "groups", "defs", "kinds"};
    builder->path = (RowPath){.file = file->number};
    if (!row_want_map(builder, &file->content)) return;
    for (uint32_t i = 0; i < file->content.as.map->count; i++) {
        Str key = file->content.as.map->members[i].key;
        bool is_known = false;
        for (size_t j = 0; j < sizeof sections / sizeof *sections; j++) {
            is_known = is_known || str_eq(key, str_from(sections[j]));
        }
        if (!is_known) row_unknown_key(builder, key, "a catalog file");
    }
    declare_named(builder, file, STR("defs"), false, false);
    declare_named(builder, file, STR("groups"), true, false);
    declare_named(builder, file, STR("kinds"), true, true);
    declare_types(builder, file);
}

static int compare_named(const void *a, const void *b) {
    const NamedEntry *left = a, *right = b;
    int order = str_cmp(left->group, right->group);
    return order != 0 ? order : str_cmp(left->name, right->name);
}

static int compare_types(const void *a, const void *b) {
    const TypeEntry *left = a, *right = b;
    int order = str_cmp(left->name, right->name);
    if (order != 0) return order;
    return left->file == right->file ? (left->index > right->index) - (left->index < right->index)
                                     : (left->file > right->file) - (left->file < right->file);
}

static void drop_twice_named(RowBuilder *builder, Str what, NamedEntry *items, uint32_t *count) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < *count; i++) {
        if (kept > 0 && compare_named(&items[kept - 1], &items[i]) == 0) {
            builder->path = (RowPath){.file = items[i].file};
            row_enter(builder, what);
            row_enter(builder, items[i].name);
            row_mistake(builder, "'" STR_FMT "' is defined twice in group '" STR_FMT "'",
                        STR_ARG(items[i].name), STR_ARG(items[i].group));
            continue;
        }
        items[kept++] = items[i];
    }
    *count = kept;
}

static void path_of_type(RowBuilder *builder, const TypeEntry *entry) {
    builder->path = (RowPath){.file = entry->file};
    row_enter(builder, STR("types"));
    row_enter_item(builder, entry->index);
}

static void drop_twice_types(RowBuilder *builder) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < builder->types.count; i++) {
        TypeEntry *entry = &builder->types.items[i];
        if (kept > 0 && str_eq(builder->types.items[kept - 1].name, entry->name)) {
            path_of_type(builder, entry);
            row_mistake(builder, "type '" STR_FMT "' is defined twice", STR_ARG(entry->name));
            continue;
        }
        builder->types.items[kept++] = *entry;
    }
    builder->types.count = kept;
}

// --- names --------------------------------------------------------------------------------------

typedef struct NameEntry {
    Str text;
    uint32_t type;
} NameEntry;

static int compare_names(const void *a, const void *b) {
    const NameEntry *left = a, *right = b;
    int order = str_cmp(left->text, right->text);
    if (order != 0) return order;
    return (left->type > right->type) - (left->type < right->type);  // the type before an alias
}

static void collect_names(RowBuilder *builder) {
    LIST_OF(NameEntry) names = {0};
    for (uint32_t i = 0; i < builder->types.count; i++) {
        const TypeEntry *entry = &builder->types.items[i];
        *LIST_ADD(builder->arena, &names, NameEntry) = (NameEntry){entry->name, i};
        if (entry->aliases.kind != VALUE_LIST) continue;
        for (uint32_t j = 0; j < entry->aliases.as.list->count; j++) {
            Str text = row_want_text(builder, &entry->aliases.as.list->items[j]);
            *LIST_ADD(builder->arena, &names, NameEntry) = (NameEntry){text, i | ROW_ALIAS};
        }
    }
    if (names.count == 0) return;
    qsort(names.items, names.count, sizeof *names.items, compare_names);
    for (uint32_t i = 0; i < names.count; i++) {
        if (i > 0 && str_eq(names.items[i].text, names.items[i - 1].text)) {
            path_of_type(builder, &builder->types.items[names.items[i].type & ~ROW_ALIAS]);
            row_mistake(builder, "the name '" STR_FMT "' is taken by another type",
                        STR_ARG(names.items[i].text));
            continue;
        }
        *LIST_ADD(builder->arena, &builder->names, NameRow) =
            (NameRow){row_add_text(builder, names.items[i].text), names.items[i].type};
    }
}

// --- the whole ----------------------------------------------------------------------------------

RowBuilder *rows_new(Arena *arena, const Tables *parent, RowReport report) {
    RowBuilder *builder = arena_new(arena, RowBuilder);
    builder->arena = arena;
    builder->parent = parent;
    builder->report = report;
    buffer_add_u16(&builder->pool, 0);          // the empty text
    row_add_word(builder, &builder->words, 0);  // "none"
    return builder;
}

void rows_add_file(RowBuilder *builder, uint32_t file, Value content) {
    *LIST_ADD(builder->arena, &builder->files, FileEntry) =
        (FileEntry){file, content, value_map_get_text(content, STR("group"), STR("private"))};
}

static void read_all_sets(RowBuilder *builder) {
    builder->set_rows = arena_array(builder->arena, SetRow, builder->sets.count);
    for (uint32_t i = 0; i < builder->sets.count; i++) {
        const NamedEntry *entry = &builder->sets.items[i];
        builder->path = (RowPath){.file = entry->file};
        builder->group = entry->is_kind ? BASE_GROUP : entry->group;
        row_enter(builder, entry->is_kind ? STR("kinds") : STR("groups"));
        row_enter(builder, entry->name);
        SetRow *row = &builder->set_rows[i];
        row->name = row_add_text(builder, entry->name);
        row->group = row_add_text(builder, entry->group);
        Value value = {.kind = VALUE_MAP, .as.map = (ValueMap *)entry->map};
        row_read_props(builder, &value, &row->props, &row->prop_count);
    }
}

static void read_all_defs(RowBuilder *builder) {
    builder->def_rows = arena_array(builder->arena, DefRow, builder->defs.count);
    for (uint32_t i = 0; i < builder->defs.count; i++) {
        const NamedEntry *entry = &builder->defs.items[i];
        builder->path = (RowPath){.file = entry->file};
        builder->group = entry->group;
        row_enter(builder, STR("defs"));
        row_enter(builder, entry->name);
        builder->def_rows[i] = row_read_def(builder, entry);
    }
}

static void read_all_types(RowBuilder *builder) {
    for (uint32_t i = 0; i < builder->types.count; i++) {
        TypeEntry *entry = &builder->types.items[i];
        path_of_type(builder, entry);
        for (uint32_t j = 0; j < builder->files.count; j++) {
            if (builder->files.items[j].number == entry->file) {
                builder->group = builder->files.items[j].group;
            }
        }
        row_read_type(builder, entry);
    }
}

static int compare_versions(const RowBuilder *builder, const VersionRow *a, const VersionRow *b) {
    int order = str_cmp(row_pool_text(builder, a->prop), row_pool_text(builder, b->prop));
    if (order != 0) return order;
    return str_cmp(row_pool_text(builder, a->type), row_pool_text(builder, b->type));
}

static void sort_versions(RowBuilder *builder) {
    VersionRow *rows = builder->versions.items;
    for (uint32_t i = 1; i < builder->versions.count; i++) {  // a few hundred, nearly sorted
        VersionRow row = rows[i];
        uint32_t at = i;
        for (; at > 0 && compare_versions(builder, &row, &rows[at - 1]) < 0; at--) {
            rows[at] = rows[at - 1];
        }
        rows[at] = row;
    }
}

static const TypeRow *type_rows(RowBuilder *builder) {
    TypeRow *rows = arena_array(builder->arena, TypeRow, builder->types.count);
    for (uint32_t i = 0; i < builder->types.count; i++) rows[i] = builder->types.items[i].row;
    return rows;
}

const Tables *rows_finish(RowBuilder *builder, const char *digest) {
    for (uint32_t i = 0; i < builder->files.count; i++) {
        declare_file(builder, &builder->files.items[i]);
    }
    if (builder->defs.count > 0) {
        qsort(builder->defs.items, builder->defs.count, sizeof(NamedEntry), compare_named);
    }
    if (builder->sets.count > 0) {
        qsort(builder->sets.items, builder->sets.count, sizeof(NamedEntry), compare_named);
    }
    if (builder->types.count > 0) {
        qsort(builder->types.items, builder->types.count, sizeof(TypeEntry), compare_types);
    }
    drop_twice_named(builder, STR("defs"), builder->defs.items, &builder->defs.count);
    drop_twice_named(builder, STR("groups"), builder->sets.items, &builder->sets.count);
    drop_twice_types(builder);
    read_all_sets(builder);
    read_all_defs(builder);
    read_all_types(builder);
    collect_names(builder);
    sort_versions(builder);

    Str pool = buffer_to_str(&builder->pool, builder->arena);
    Tables *tables = arena_new(builder->arena, Tables);
    *tables = (Tables){
        .parent = builder->parent,
        .pool = pool.ptr,
        .words = builder->words.items,
        .names = builder->names.items,
        .types = type_rows(builder),
        .sets = builder->set_rows,
        .props = builder->props.items,
        .outputs = builder->outputs.items,
        .defs = builder->def_rows,
        .versions = builder->versions.items,
        .item_types = builder->item_types.items,
        .pool_size = (uint32_t)pool.len,
        .word_count = builder->words.count,
        .name_count = builder->names.count,
        .type_count = builder->types.count,
        .set_count = builder->sets.count,
        .prop_count = builder->props.count,
        .output_count = builder->outputs.count,
        .def_count = builder->defs.count,
        .version_count = builder->versions.count,
        .item_type_count = builder->item_types.count,
    };
    snprintf(tables->digest, sizeof tables->digest, "%s", digest);
    rows_make_hash(builder->arena, tables);
    buffer_release(&builder->pool);
    return tables;
}
