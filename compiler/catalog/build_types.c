// build_types.c - one entry of `types:` -> its row.
#include "catalog/builder.h"

static const FlagName type_flags[] = {
    {"deprecated",     TYPE_DEPRECATED  },
    {"internal",       TYPE_INTERNAL    },
    {"beta",           TYPE_BETA        },
    {"inferred",       TYPE_INFERRED    },
    {"open",           TYPE_OPEN        },
    {"ignore_unknown", TYPE_OPEN        },
    {"open_type",      TYPE_OPEN_TYPE   },
    {"outputs_open",   TYPE_OUTPUTS_OPEN},
    {"extension",      TYPE_EXTENSION   },
};

static uint32_t read_kind(RowBuilder *builder, const Value *value) {
    Str kind = row_want_text(builder, value);
    for (uint32_t i = 0; i < KIND_COUNT; i++) {
        if (str_eq(kind, str_from(catalog_kind_name((TypeKind)i)))) return i;
    }
    row_mistake(builder, "unknown kind '" STR_FMT "'", STR_ARG(kind));
    return KIND_TASK;
}

static uint32_t read_exec(RowBuilder *builder, const Value *value) {
    Str exec = row_want_text(builder, value);
    if (str_eq(exec, STR("flowable"))) return EXEC_FLOWABLE;
    if (str_eq(exec, STR("executable"))) return EXEC_EXECUTABLE;
    if (str_eq(exec, STR("other"))) return EXEC_OTHER;
    row_mistake(builder, "expected flowable, executable or other, received '" STR_FMT "'",
                STR_ARG(exec));
    return EXEC_RUNNABLE;
}

static uint32_t read_trigger_mode(RowBuilder *builder, const Value *value) {
    Str mode = row_want_text(builder, value);
    if (str_eq(mode, STR("polling"))) return TYPE_POLLING;
    if (str_eq(mode, STR("realtime"))) return TYPE_REALTIME;
    if (!str_eq(mode, STR("other"))) {
        row_mistake(builder, "expected polling, realtime or other, received '" STR_FMT "'",
                    STR_ARG(mode));
    }
    return 0;
}

static uint32_t find_set(RowBuilder *builder, Str name) {
    uint32_t found = row_find_named(builder->sets.items, builder->sets.count, builder->group, name);
    if (found == 0) {
        found = row_find_named(builder->sets.items, builder->sets.count, BASE_GROUP, name);
    }
    if (found != 0) return found;
    if (builder->parent != NULL) found = rows_find_set(builder->parent, BASE_GROUP, name);
    return found == 0 ? 0 : found | ROW_PARENT;
}

static uint32_t read_uses(RowBuilder *builder, const Value *value) {
    if (!row_want_list(builder, value)) return 0;
    Words uses = {0};
    row_add_word(builder, &uses, 0);
    for (uint32_t i = 0; i < value->as.list->count; i++) {
        row_enter_item(builder, i);
        Str name = row_want_text(builder, &value->as.list->items[i]);
        uint32_t found = find_set(builder, name);
        if (found == 0) {
            row_mistake(builder, "unknown group '" STR_FMT "'; neither this file nor _base has it",
                        STR_ARG(name));
        } else {
            row_add_word(builder, &uses, found - 1);
            uses.items[0]++;
        }
        row_leave(builder);
    }
    return row_add_sequence(builder, &uses);
}

static OutputRow read_output(RowBuilder *builder, const ValueMember *member) {
    OutputRow output = {.name = row_add_text(builder, member->key)};
    const Value *type = &member->value;
    if (type->kind == VALUE_MAP) {
        if (value_map_get_bool(*type, STR("deprecated"), false)) {
            output.flags |= OUTPUT_ROW_DEPRECATED;
        }
        type = value_map_get(*type, STR("type"));
    }
    if (type == NULL) {
        row_mistake(builder, "the output has no type");
        output.type = type_word(T_ANY, 0);
    } else {
        output.type = row_parse_type(builder, row_want_text(builder, type));
    }
    return output;
}

static void read_outputs(RowBuilder *builder, const Value *value, TypeRow *row) {
    row->outputs = builder->outputs.count;
    if (!row_want_map(builder, value)) return;
    const ValueMember **members = row_sorted_members(builder, value->as.map);
    if (value->as.map->count == 0) row->flags |= TYPE_NO_OUTPUTS;
    for (uint32_t i = 0; i < value->as.map->count; i++) {
        row_enter(builder, members[i]->key);
        OutputRow output = read_output(builder, members[i]);
        row_leave(builder);
        *LIST_ADD(builder->arena, &builder->outputs, OutputRow) = output;
    }
    row->output_count = value->as.map->count;
}

static void read_metrics(RowBuilder *builder, const Value *value, Words *facts) {
    if (!row_want_map(builder, value)) return;
    const ValueMap *map = value->as.map;
    row_add_word(builder, facts, (uint32_t)FACT_METRICS | (map->count * 2) << 8);
    for (uint32_t i = 0; i < map->count; i++) {
        row_add_word(builder, facts, row_add_text(builder, map->members[i].key));
        Str kind = row_want_text(builder, &map->members[i].value);
        row_add_word(builder, facts, row_add_text(builder, kind));
    }
}

static void read_choices(RowBuilder *builder, const Value *value, Words *facts) {
    if (!row_want_list(builder, value)) return;
    for (uint32_t i = 0; i < value->as.list->count; i++) {
        row_enter_item(builder, i);
        row_add_text_fact(builder, facts, FACT_EXACTLY_ONE, &value->as.list->items[i]);
        row_leave(builder);
    }
}

// Lists of a type; false where the key is none of them.
static bool read_type_list(RowBuilder *builder, const ValueMember *member, TypeEntry *entry,
                           Words *facts) {
    const Value *value = &member->value;
    TypeRow *row = &entry->row;
    if (str_eq(member->key, STR("use"))) {
        row->uses = read_uses(builder, value);
    } else if (str_eq(member->key, STR("properties"))) {
        row_read_props(builder, value, &row->props, &row->prop_count);
    } else if (str_eq(member->key, STR("outputs"))) {
        read_outputs(builder, value, row);
    } else if (str_eq(member->key, STR("metrics"))) {
        read_metrics(builder, value, facts);
    } else if (str_eq(member->key, STR("extra_checks"))) {
        row_add_text_fact(builder, facts, FACT_EXTRA_CHECKS, value);
    } else if (str_eq(member->key, STR("exactly_one"))) {
        read_choices(builder, value, facts);
    } else if (str_eq(member->key, STR("aliases"))) {
        row_add_text_fact(builder, facts, FACT_ALIASES, value);
        entry->aliases = *value;
    } else {
        return false;
    }
    return true;
}

void row_read_type(RowBuilder *builder, TypeEntry *entry) {
    TypeRow *row = &entry->row;
    row->name = row_add_text(builder, entry->name);
    row->group = row_add_text(builder, builder->group);
    uint32_t kind = KIND_TASK, exec = EXEC_RUNNABLE;
    Words facts = {0};
    bool has_kind = false;
    for (uint32_t i = 0; i < entry->map->count; i++) {
        const ValueMember *member = &entry->map->members[i];
        row_enter(builder, member->key);
        bool is_known = true;
        if (str_eq(member->key, STR("kind"))) {
            kind = read_kind(builder, &member->value);
            has_kind = true;
        } else if (str_eq(member->key, STR("exec"))) {
            exec = read_exec(builder, &member->value);
        } else if (str_eq(member->key, STR("mode"))) {
            row->flags |= read_trigger_mode(builder, &member->value);
        } else if (str_eq(member->key, STR("doc"))) {
            row->doc = row_add_text(builder, row_want_text(builder, &member->value));
        } else if (str_eq(member->key, STR("as_of"))) {  // true, or what it is the state of
            row->flags |= TYPE_AS_OF;
        } else if (!str_eq(member->key, STR("type")) &&
                   !read_type_list(builder, member, entry, &facts)) {
            is_known = row_read_flag(builder, type_flags, sizeof type_flags / sizeof *type_flags,
                                     member, &row->flags);
        }
        row_leave(builder);
        if (!is_known) row_unknown_key(builder, member->key, "a type");
    }
    if (!has_kind) row_mistake(builder, "type '" STR_FMT "' has no kind", STR_ARG(entry->name));
    row->kind = kind | exec << 8;
    row->facts = row_end_facts(builder, &facts);
}
