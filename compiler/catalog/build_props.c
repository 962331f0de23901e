// build_props.c - `properties:` and `defs:` of catalog files -> rows.
//
// A name that does not resolve is reported and stands for `any`.

#include "catalog/builder.h"

// --- types of values ----------------------------------------------------------------------------

typedef struct TypeName {
    const char *name;
    ValueType kind;
} TypeName;

static const TypeName type_names[] = {
    {"any",            T_ANY           },
    {"asset",          T_ASSET         },
    {"asset-exporter", T_ASSET_EXPORTER},
    {"bool",           T_BOOL          },
    {"condition",      T_CONDITION     },
    {"data",           T_DATA          },
    {"date",           T_DATE          },
    {"datetime",       T_DATETIME      },
    {"duration",       T_DURATION      },
    {"encrypted",      T_ENCRYPTED     },
    {"int",            T_INT           },
    {"labels",         T_LABELS        },
    {"log-exporter",   T_LOG_EXPORTER  },
    {"none",           T_ANY           }, // a form's default: there is nothing it could be
    {"number",         T_NUMBER        },
    {"runner",         T_RUNNER        },
    {"string",         T_STRING        },
    {"task",           T_TASK          },
    {"time",           T_TIME          },
    {"timezone",       T_TIMEZONE      },
    {"trigger",        T_TRIGGER       },
    {"uri",            T_URI           },
};

uint32_t row_find_named(const NamedEntry *items, uint32_t count, Str group, Str name) {
    for (uint32_t low = 0, high = count; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        int order = str_cmp(group, items[middle].group);
        if (order == 0) order = str_cmp(name, items[middle].name);
        if (order == 0) return middle + 1;
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return 0;
}

// Number of a definition + 1, with ROW_PARENT; first the same file, then the shared one.
static uint32_t find_def(const RowBuilder *builder, Str name) {
    uint32_t found = row_find_named(builder->defs.items, builder->defs.count, builder->group, name);
    if (found == 0) {
        found = row_find_named(builder->defs.items, builder->defs.count, BASE_GROUP, name);
    }
    if (found == 0 && builder->parent != NULL) {
        found = rows_find_def(builder->parent, BASE_GROUP, name);
        if (found != 0) return (found - 1) | ROW_PARENT | 1u << 31;
    }
    return found == 0 ? 0 : (found - 1) | 1u << 31;
}

static ValueType def_kind(const ValueMap *map) {
    Value value = {.kind = VALUE_MAP, .as.map = (ValueMap *)map};
    if (value_map_get(value, STR("enum"))) return T_ENUM;
    if (value_map_get(value, STR("plugins"))) return T_PLUGIN;
    if (value_map_get(value, STR("properties")) || value_map_get(value, STR("variants")) ||
        value_map_get(value, STR("implementations"))) {
        return T_OBJECT;
    }
    return T_EXTERNAL;
}

static uint32_t add_item_type(RowBuilder *builder, uint32_t word) {
    for (uint32_t i = 0; i < builder->item_types.count; i++) {
        if (builder->item_types.items[i] == word) return i;
    }
    row_add_word(builder, &builder->item_types, word);
    return builder->item_types.count - 1;
}

static uint32_t parse_def_type(RowBuilder *builder, Str name) {
    uint32_t found = find_def(builder, name);
    if (found == 0) {
        row_mistake(builder,
                    "unknown definition '$" STR_FMT "'; neither this file nor _base has it",
                    STR_ARG(name));
        return type_word(T_ANY, 0);
    }
    uint32_t ref = found & (ROW_PARENT | ROW_REF_MASK);
    if (ref & ROW_PARENT) {
        const DefRow *row = &builder->parent->defs[ref & ROW_REF_MASK];
        return type_word((ValueType)(row->kind & 0xff), ref);
    }
    return type_word(def_kind(builder->defs.items[ref].map), ref);
}

// `list<map<$Name>>` as a type word.
uint32_t row_parse_type(RowBuilder *builder, Str text) {
    uint32_t nested[8];
    uint32_t depth = 0;
    Str rest = text;
    while (str_ends_with(rest, STR(">"))) {
        bool is_list = str_starts_with(rest, STR("list<"));
        if ((!is_list && !str_starts_with(rest, STR("map<"))) || depth == 8) break;
        nested[depth++] = is_list ? T_LIST : T_MAP;
        rest = str_slice(rest, is_list ? 5 : 4, rest.len - 1);
    }
    uint32_t word = UINT32_MAX;
    if (str_starts_with(rest, STR("$"))) {
        word = parse_def_type(builder, str_slice(rest, 1, rest.len));
    } else {
        for (size_t i = 0; i < sizeof type_names / sizeof *type_names; i++) {
            if (str_eq(rest, str_from(type_names[i].name))) {
                word = type_word(type_names[i].kind, 0);
            }
        }
    }
    if (word == UINT32_MAX) {
        row_mistake(builder, "unknown type '" STR_FMT "'", STR_ARG(text));
        word = type_word(T_ANY, 0);
    }
    while (depth > 0) {
        depth--;
        word = type_word((ValueType)nested[depth], add_item_type(builder, word));
    }
    return word;
}

// --- properties ---------------------------------------------------------------------------------

static const FlagName prop_flags[] = {
    {"required",      PROP_REQUIRED     },
    {"secret",        PROP_SECRET       },
    {"storage_uri",   PROP_STORAGE_URI  },
    {"cascade",       PROP_CASCADE      },
    {"deprecated",    PROP_DEPRECATED   },
    {"hidden",        PROP_HIDDEN       },
    {"custom_parser", PROP_CUSTOM_PARSER},
    {"setter_only",   PROP_SETTER_ONLY  },
    {"non_empty",     PROP_NON_EMPTY    },
    {"non_blank",     PROP_NON_BLANK    },
    {"has_default",   PROP_HAS_DEFAULT  },
    {"extension",     PROP_EXTENSION    },
    {"inferred",      PROP_INFERRED     },
    {"item",          PROP_ITEM         },
};

static RowText json_text(RowBuilder *builder, Value value) {
    Buffer json = {0};
    json_write(&json, value, JSON_COMPACT, 0);
    RowText text = row_add_text(builder, buffer_str(&json));
    buffer_release(&json);
    return text;
}

static bool read_bound(RowBuilder *builder, const ValueMember *member, Words *facts,
                       uint32_t *flags) {
    bool is_min = str_eq(member->key, STR("min"));
    bool is_number = member->value.kind == VALUE_INT || member->value.kind == VALUE_FLOAT;
    if (is_min || str_eq(member->key, STR("max"))) {
        if (!is_number) {
            row_mistake(builder, "expected a number, received %s",
                        value_kind_name(member->value.kind));
            return true;
        }
        row_add_fact(builder, facts, is_min ? FACT_MIN : FACT_MAX,
                     json_text(builder, member->value));
        *flags |= is_min ? PROP_HAS_MIN : PROP_HAS_MAX;
        return true;
    }
    is_min = str_eq(member->key, STR("min_len"));
    if (!is_min && !str_eq(member->key, STR("max_len"))) return false;
    if (member->value.kind != VALUE_INT || member->value.as.integer < 0 ||
        member->value.as.integer > INT32_MAX) {
        row_mistake(builder, "expected a length");
        return true;
    }
    row_add_fact(builder, facts, is_min ? FACT_MIN_LEN : FACT_MAX_LEN,
                 (uint32_t)member->value.as.integer);
    return true;
}

static uint32_t read_mode(RowBuilder *builder, const Value *value) {
    Str mode = row_want_text(builder, value);
    if (str_eq(mode, STR("full"))) return MODE_FULL;
    if (str_eq(mode, STR("leaf"))) return MODE_LEAF;
    row_mistake(builder, "expected full or leaf, received '" STR_FMT "'", STR_ARG(mode));
    return MODE_STATIC;
}

static void read_any_of(RowBuilder *builder, const Value *value, Words *facts) {
    if (!row_want_list(builder, value)) return;
    const ValueList *list = value->as.list;
    row_add_word(builder, facts, (uint32_t)FACT_ANY_OF | list->count << 8);
    for (uint32_t i = 0; i < list->count; i++) {
        row_enter_item(builder, i);
        row_add_word(builder, facts,
                     row_parse_type(builder, row_want_text(builder, &list->items[i])));
        row_leave(builder);
    }
}

static bool read_fact(RowBuilder *builder, const ValueMember *member, Words *facts,
                      uint32_t *flags) {
    const Value *value = &member->value;
    Str key = member->key;
    if (str_eq(key, STR("default"))) {
        row_add_fact(builder, facts, FACT_DEFAULT, json_text(builder, *value));
        *flags |= PROP_HAS_DEFAULT;
    } else if (str_eq(key, STR("default_doc"))) {
        RowText text = value->kind == VALUE_TEXT ? row_add_text(builder, value->as.text)
                                                 : json_text(builder, *value);
        row_add_fact(builder, facts, FACT_DEFAULT_DOC, text);
        *flags |= PROP_HAS_DEFAULT;
    } else if (str_eq(key, STR("pattern"))) {
        row_add_fact(builder, facts, FACT_PATTERN,
                     row_add_text(builder, row_want_text(builder, value)));
    } else if (str_eq(key, STR("check"))) {
        row_add_fact(builder, facts, FACT_CHECK,
                     row_add_text(builder, row_want_text(builder, value)));
    } else if (str_eq(key, STR("values"))) {
        row_add_text_fact(builder, facts, FACT_VALUES, value);
    } else if (str_eq(key, STR("aliases"))) {
        row_add_text_fact(builder, facts, FACT_ALIASES, value);
    } else if (str_eq(key, STR("any_of"))) {
        read_any_of(builder, value, facts);
    } else {
        return read_bound(builder, member, facts, flags);
    }
    return true;
}

static PropRow read_prop(RowBuilder *builder, Str name, const Value *value) {
    PropRow row = {.name = row_add_text(builder, name), .type = type_word(T_ANY, 0)};
    if (!row_want_map(builder, value)) return row;
    const ValueMap *map = value->as.map;
    Words facts = {0};
    bool has_type = false;
    uint32_t mode = MODE_STATIC;
    for (uint32_t i = 0; i < map->count; i++) {
        const ValueMember *member = &map->members[i];
        row_enter(builder, member->key);
        bool is_known = true;
        if (str_eq(member->key, STR("type"))) {
            row.type = row_parse_type(builder, row_want_text(builder, &member->value));
            has_type = true;
        } else if (str_eq(member->key, STR("dynamic"))) {
            mode = read_mode(builder, &member->value);
        } else if (!row_read_flag(builder, prop_flags, sizeof prop_flags / sizeof *prop_flags,
                                  member, &row.flags)) {
            is_known = read_fact(builder, member, &facts, &row.flags);
        }
        row_leave(builder);
        if (!is_known) row_unknown_key(builder, member->key, "a property");
    }
    if (!has_type) row_mistake(builder, "property '" STR_FMT "' has no type", STR_ARG(name));
    row.flags |= mode << 24;
    row.facts = row_end_facts(builder, &facts);
    return row;
}

void row_read_props(RowBuilder *builder, const Value *value, uint32_t *first, uint32_t *count) {
    *first = builder->props.count;
    *count = 0;
    if (value == NULL || !row_want_map(builder, value)) return;
    const ValueMember **members = row_sorted_members(builder, value->as.map);
    for (uint32_t i = 0; i < value->as.map->count; i++) {
        row_enter(builder, members[i]->key);
        PropRow row = read_prop(builder, members[i]->key, &members[i]->value);
        row_leave(builder);
        *LIST_ADD(builder->arena, &builder->props, PropRow) = row;
    }
    *count = builder->props.count - *first;
}

// --- definitions --------------------------------------------------------------------------------

static void read_variants(RowBuilder *builder, const Value *value, Words *facts) {
    if (value->kind == VALUE_LIST) {  // `implementations`: any of these
        const ValueList *list = value->as.list;
        row_add_word(builder, facts, (uint32_t)FACT_VARIANTS | (list->count * 2) << 8);
        for (uint32_t i = 0; i < list->count; i++) {
            row_add_word(builder, facts, 0);
            row_add_word(builder, facts,
                         row_parse_type(builder, row_want_text(builder, &list->items[i])));
        }
        return;
    }
    if (!row_want_map(builder, value)) return;
    const ValueMap *map = value->as.map;
    row_add_word(builder, facts, (uint32_t)FACT_VARIANTS | (map->count * 2) << 8);
    for (uint32_t i = 0; i < map->count; i++) {
        row_enter(builder, map->members[i].key);
        row_add_word(builder, facts, row_add_text(builder, map->members[i].key));
        row_add_word(builder, facts,
                     row_parse_type(builder, row_want_text(builder, &map->members[i].value)));
        row_leave(builder);
    }
}

static const FlagName def_flags[] = {
    {"loose",          DEF_LOOSE      },
    {"from_sdk",       DEF_FROM_SDK   },
    {"from_string",    DEF_FROM_STRING},
    {"open",           DEF_OPEN       },
    {"ignore_unknown", DEF_OPEN       },
};

static bool all_numbers(const Value *value) {
    if (value->kind != VALUE_LIST || value->as.list->count == 0) return false;
    for (uint32_t i = 0; i < value->as.list->count; i++) {
        if (value->as.list->items[i].kind != VALUE_INT) return false;
    }
    return true;
}

static bool read_def_member(RowBuilder *builder, const ValueMember *member, DefRow *row,
                            Words *facts, uint32_t *flags) {
    const Value *value = &member->value;
    if (str_eq(member->key, STR("enum"))) {
        row_add_text_fact(builder, facts, FACT_VALUES, value);
        if (all_numbers(value)) *flags |= DEF_NUMBERS;
    } else if (str_eq(member->key, STR("properties"))) {
        row_read_props(builder, value, &row->props, &row->prop_count);
    } else if (str_eq(member->key, STR("discriminator"))) {
        RowText text = row_add_text(builder, row_want_text(builder, value));
        row_add_fact(builder, facts, FACT_DISCRIMINATOR, text);
    } else if (str_eq(member->key, STR("variants")) ||
               str_eq(member->key, STR("implementations"))) {
        read_variants(builder, value, facts);
    } else if (str_eq(member->key, STR("plugins"))) {
        row_add_text_fact(builder, facts, FACT_PLUGINS, value);
    } else if (str_eq(member->key, STR("external"))) {
        row_add_fact(builder, facts, FACT_EXTERNAL,
                     row_add_text(builder, row_want_text(builder, value)));
    } else {
        return row_read_flag(builder, def_flags, sizeof def_flags / sizeof *def_flags, member,
                             flags);
    }
    return true;
}

DefRow row_read_def(RowBuilder *builder, const NamedEntry *entry) {
    DefRow row = {.group = row_add_text(builder, entry->group),
                  .name = row_add_text(builder, entry->name)};
    uint32_t flags = 0;
    Words facts = {0};
    for (uint32_t i = 0; i < entry->map->count; i++) {
        const ValueMember *member = &entry->map->members[i];
        row_enter(builder, member->key);
        bool is_known = read_def_member(builder, member, &row, &facts, &flags);
        row_leave(builder);
        if (!is_known) row_unknown_key(builder, member->key, "a definition");
    }
    row.kind = (uint32_t)def_kind(entry->map) | flags << 8;
    row.facts = row_end_facts(builder, &facts);
    return row;
}
