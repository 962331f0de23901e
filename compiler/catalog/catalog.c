// catalog.c - rows become what the other stages read: found by name, made on first use, kept.
//
// A catalog is a stack of tables, the newest private one on top, the built-in one at the bottom.
// Types and definitions are materialised once each, into the caller's arena; a definition that
// refers to itself is entered into the cache before it is filled.
#include <stdlib.h>
#include <string.h>

#include "catalog/layers.h"

static Layer *layer_of(Catalog *catalog, const Tables *tables) {
    for (uint32_t i = 0; i < catalog->layers.count; i++) {
        if (catalog->layers.items[i].tables == tables) return &catalog->layers.items[i];
    }
    return &catalog->layers.items[0];
}

void catalog_push(Catalog *catalog, const Tables *tables) {
    Layer *layer = LIST_ADD(catalog->arena, &catalog->layers, Layer);
    layer->tables = tables;
    layer->types = arena_array(catalog->arena, TaskType *, tables->type_count);
    layer->defs = arena_array(catalog->arena, Def *, tables->def_count);
    layer->items = arena_array(catalog->arena, PropType *, tables->item_type_count);
    layer->sets = arena_array(catalog->arena, PropSlice, tables->set_count);
}

Catalog *catalog_new(Arena *arena) {
    Catalog *catalog = arena_new(arena, Catalog);
    catalog->arena = arena;
    catalog_push(catalog, &catalog_builtin);
    return catalog;
}

// --- types of values, definitions ---------------------------------------------------------------

static const Def *def_at(Catalog *catalog, const Tables *tables, uint32_t index);

static const PropType *item_at(Catalog *catalog, const Tables *tables, uint32_t index);

static PropType prop_type(Catalog *catalog, const Tables *tables, uint32_t word) {
    PropType type = {.kind = (ValueType)(word >> ROW_TYPE_SHIFT)};
    uint32_t ref = word & ROW_REF_MASK;
    switch (type.kind) {
    case T_LIST:
    case T_MAP:
        type.item = item_at(catalog, tables, ref);
        break;
    case T_ENUM:
    case T_OBJECT:
    case T_PLUGIN:
    case T_EXTERNAL:
        type.def = def_at(catalog, word & ROW_PARENT ? tables->parent : tables, ref);
        break;
    case T_STRING:
    case T_INT:
    case T_NUMBER:
    case T_BOOL:
    case T_DURATION:
    case T_DATETIME:
    case T_DATE:
    case T_TIME:
    case T_TIMEZONE:
    case T_URI:
    case T_ANY:
    case T_ENCRYPTED:
    case T_LABELS:
    case T_DATA:
    case T_TASK:
    case T_TRIGGER:
    case T_CONDITION:
    case T_RUNNER:
    case T_LOG_EXPORTER:
    case T_ASSET:
    case T_ASSET_EXPORTER:
        break;
    }
    return type;
}

static const PropType *item_at(Catalog *catalog, const Tables *tables, uint32_t index) {
    Layer *layer = layer_of(catalog, tables);
    if (layer->items[index] == NULL) {
        PropType *type = arena_new(catalog->arena, PropType);
        layer->items[index] = type;
        *type = prop_type(catalog, tables, tables->item_types[index]);
    }
    return layer->items[index];
}

static const Str *texts_of(Catalog *catalog, const Tables *tables, const uint32_t *words,
                           uint32_t count) {
    Str *texts = arena_array(catalog->arena, Str, count);
    for (uint32_t i = 0; i < count; i++) texts[i] = row_text(tables, words[i]);
    return texts;
}

// Defaults are JSON; most are a plain text, a word or a small number and need no parser.
static Value default_value(Catalog *catalog, Str json) {
    if (str_eq(json, STR("true"))) return value_bool(true);
    if (str_eq(json, STR("false"))) return value_bool(false);
    if (json.len >= 2 && json.ptr[0] == '"' && str_find_char(json, '\\', 0) == STR_NOT_FOUND) {
        return value_text(str_slice(json, 1, json.len - 1));
    }
    int64_t integer = 0;
    if (str_to_int(json, &integer)) return value_int(integer);
    Value value = value_null();
    Err err = json_parse(json, (JsonLimits){0}, catalog->arena, &value);
    return err.code == ERR_NONE ? value : value_null();
}

static double number_of(Catalog *catalog, Str text) {
    return strtod(str_to_c(catalog->arena, text), NULL);
}

static void read_prop_facts(Catalog *catalog, const Tables *tables, uint32_t facts, Prop *prop) {
    const uint32_t *word = tables->words + facts;
    for (; *word != FACT_END; word += 1 + (*word >> 8)) {
        uint32_t count = *word >> 8;
        Str text = row_text(tables, 0);
        Fact fact = (Fact)(*word & 0xff);
        bool is_text = fact == FACT_DEFAULT || fact == FACT_DEFAULT_DOC || fact == FACT_PATTERN ||
                       fact == FACT_CHECK || fact == FACT_MIN || fact == FACT_MAX;
        if (is_text) text = row_text(tables, word[1]);
        switch (fact) {
        case FACT_DEFAULT:
            prop->default_value = default_value(catalog, text);
            break;
        case FACT_DEFAULT_DOC:
            prop->default_doc = text;
            break;
        case FACT_PATTERN:
            prop->pattern = text;
            break;
        case FACT_CHECK:
            prop->check = text;
            break;
        case FACT_MIN:
            prop->min = number_of(catalog, text);
            break;
        case FACT_MAX:
            prop->max = number_of(catalog, text);
            break;
        case FACT_MIN_LEN:
            prop->min_len = word[1];
            break;
        case FACT_MAX_LEN:
            prop->max_len = word[1];
            break;
        case FACT_VALUES:
            prop->values = texts_of(catalog, tables, word + 1, count);
            prop->value_count = count;
            break;
        case FACT_ALIASES:
            prop->aliases = texts_of(catalog, tables, word + 1, count);
            prop->alias_count = count;
            break;
        case FACT_ANY_OF: {
            PropType *types = arena_array(catalog->arena, PropType, count);
            for (uint32_t i = 0; i < count; i++) {
                types[i] = prop_type(catalog, tables, word[1 + i]);
            }
            prop->any_of = types;
            prop->any_of_count = count;
            break;
        }
        case FACT_END:
        case FACT_METRICS:
        case FACT_EXTRA_CHECKS:
        case FACT_EXACTLY_ONE:
        case FACT_DISCRIMINATOR:
        case FACT_VARIANTS:
        case FACT_PLUGINS:
        case FACT_EXTERNAL:
            break;
        }
    }
}

static void make_prop(Catalog *catalog, const Tables *tables, const PropRow *row, Prop *prop) {
    *prop = (Prop){
        .name = row_text(tables, row->name),
        .type = prop_type(catalog, tables, row->type),
        .mode = (PropMode)(row->flags >> 24),
        .flags = row->flags & 0xffffff,
        .min_len = -1,
        .max_len = -1,
    };
    if (row->facts != 0) read_prop_facts(catalog, tables, row->facts, prop);
}

static Prop *make_props(Catalog *catalog, const Tables *tables, uint32_t first, uint32_t count) {
    Prop *props = arena_array(catalog->arena, Prop, count);
    for (uint32_t i = 0; i < count; i++) {
        make_prop(catalog, tables, &tables->props[first + i], &props[i]);
    }
    return props;
}

static void read_def_facts(Catalog *catalog, const Tables *tables, uint32_t facts, Def *def) {
    const uint32_t *word = tables->words + facts;
    for (; *word != FACT_END; word += 1 + (*word >> 8)) {
        uint32_t count = *word >> 8;
        Fact fact = (Fact)(*word & 0xff);
        if (fact == FACT_VALUES) {
            def->values = texts_of(catalog, tables, word + 1, count);
            def->value_count = count;
        } else if (fact == FACT_DISCRIMINATOR) {
            def->discriminator = row_text(tables, word[1]);
        } else if (fact == FACT_EXTERNAL) {
            def->external = row_text(tables, word[1]);
        } else if (fact == FACT_PLUGINS) {
            def->plugins = texts_of(catalog, tables, word + 1, count);
            def->plugin_count = count;
        } else if (fact == FACT_VARIANTS) {
            DefVariant *variants = arena_array(catalog->arena, DefVariant, count / 2);
            for (uint32_t i = 0; i < count / 2; i++) {
                variants[i].key = row_text(tables, word[1 + i * 2]);
                variants[i].def = prop_type(catalog, tables, word[2 + i * 2]).def;
            }
            def->variants = variants;
            def->variant_count = count / 2;
        }
    }
}

static const Def *def_at(Catalog *catalog, const Tables *tables, uint32_t index) {
    Layer *layer = layer_of(catalog, tables);
    if (layer->defs[index] != NULL) return layer->defs[index];
    const DefRow *row = &tables->defs[index];
    Def *def = arena_new(catalog->arena, Def);
    layer->defs[index] = def;  // before its parts: they may refer to it
    def->name = row_text(tables, row->name);
    def->kind = (ValueType)(row->kind & 0xff);
    def->flags = row->kind >> 8;
    if (row->facts != 0) read_def_facts(catalog, tables, row->facts, def);
    def->prop_count = row->prop_count;
    def->props = make_props(catalog, tables, row->props, row->prop_count);
    return def;
}

// --- task types ---------------------------------------------------------------------------------

static PropSlice set_at(Catalog *catalog, const Tables *tables, uint32_t index) {
    Layer *layer = layer_of(catalog, tables);
    if (layer->sets[index].props == NULL) {
        const SetRow *row = &tables->sets[index];
        layer->sets[index].count = row->prop_count;
        layer->sets[index].props = make_props(catalog, tables, row->props, row->prop_count);
    }
    return layer->sets[index];
}

// Both are sorted by name; where both have one, `over` wins.
static PropSlice merge(Catalog *catalog, PropSlice under, PropSlice over) {
    if (over.count == 0) return under;
    if (under.count == 0) return over;
    Prop *props = arena_array(catalog->arena, Prop, under.count + over.count);
    uint32_t count = 0, i = 0, j = 0;
    while (i < under.count && j < over.count) {
        int order = str_cmp(under.props[i].name, over.props[j].name);
        if (order == 0) i++;
        props[count++] = order < 0 ? under.props[i++] : over.props[j++];
    }
    while (i < under.count) props[count++] = under.props[i++];
    while (j < over.count) props[count++] = over.props[j++];
    return (PropSlice){props, count};
}

static void read_type_facts(Catalog *catalog, const Tables *tables, uint32_t facts,
                            TaskType *type) {
    const uint32_t *word = tables->words + facts;
    PropChoice *choices = NULL;
    for (; *word != FACT_END; word += 1 + (*word >> 8)) {
        uint32_t count = *word >> 8;
        Fact fact = (Fact)(*word & 0xff);
        const Str *texts = texts_of(catalog, tables, word + 1, count);
        if (fact == FACT_ALIASES) {
            type->aliases = texts;
            type->alias_count = count;
        } else if (fact == FACT_EXTRA_CHECKS) {
            type->extra_checks = texts;
            type->extra_check_count = count;
        } else if (fact == FACT_METRICS) {
            type->metrics = texts;
            type->metric_count = count;
        } else if (fact == FACT_EXACTLY_ONE) {
            uint32_t old = type->exactly_one_count++;
            choices = arena_grow(catalog->arena, choices, old, old + 1, sizeof *choices,
                                 alignof(PropChoice));
            choices[old] = (PropChoice){texts, count};
        }
    }
    type->exactly_one = choices;
}

static const TaskType *type_at(Catalog *catalog, Layer *layer, uint32_t index) {
    if (layer->types[index] != NULL) return layer->types[index];
    const Tables *tables = layer->tables;
    const TypeRow *row = &tables->types[index];
    TaskType *type = arena_new(catalog->arena, TaskType);
    layer->types[index] = type;
    type->name = row_text(tables, row->name);
    type->kind = (TypeKind)(row->kind & 0xff);
    type->exec = (TypeExec)(row->kind >> 8);
    type->flags = row->flags;
    type->doc = row_text(tables, row->doc);
    type->group = row_text(tables, row->group);
    if (tables->parent != NULL) type->flags |= TYPE_PRIVATE;
    const StdModule *module = std_module_find(type->name);
    if (module != NULL && !module->is_lib) type->flags |= TYPE_HAS_MODULE;

    PropSlice props = {0};
    Str kind = str_from(catalog_kind_name(type->kind));
    uint32_t kind_set = rows_find_set(&catalog_builtin, STR("_kinds"), kind);
    if (kind_set != 0) props = set_at(catalog, &catalog_builtin, kind_set - 1);
    const uint32_t *uses = tables->words + row->uses;
    for (uint32_t i = 0; row->uses != 0 && i < uses[0]; i++) {
        const Tables *owner = uses[1 + i] & ROW_PARENT ? tables->parent : tables;
        props = merge(catalog, props, set_at(catalog, owner, uses[1 + i] & ROW_REF_MASK));
    }
    PropSlice own = {make_props(catalog, tables, row->props, row->prop_count), row->prop_count};
    props = merge(catalog, props, own);
    type->props = props.props;
    type->prop_count = props.count;

    Output *outputs = arena_array(catalog->arena, Output, row->output_count);
    for (uint32_t i = 0; i < row->output_count; i++) {
        const OutputRow *output = &tables->outputs[row->outputs + i];
        outputs[i].name = row_text(tables, output->name);
        outputs[i].type = prop_type(catalog, tables, output->type);
        outputs[i].is_deprecated = (output->flags & OUTPUT_ROW_DEPRECATED) != 0;
    }
    type->outputs = outputs;
    type->output_count = row->output_count;
    if (row->facts != 0) read_type_facts(catalog, tables, row->facts, type);
    return type;
}

const TaskType *catalog_find(Catalog *catalog, Str name, bool *is_alias) {
    for (uint32_t i = catalog->layers.count; i-- > 0;) {
        Layer *layer = &catalog->layers.items[i];
        uint32_t at = rows_find_name(layer->tables, name);
        if (at == 0) continue;
        uint32_t type = layer->tables->names[at - 1].type;
        if (is_alias != NULL) *is_alias = (type & ROW_ALIAS) != 0;
        return type_at(catalog, layer, type & ~(uint32_t)ROW_ALIAS);
    }
    if (is_alias != NULL) *is_alias = false;
    return NULL;
}

// --- parts by name ------------------------------------------------------------------------------

static const Prop *find_prop(const Prop *props, uint32_t count, Str name) {
    for (uint32_t low = 0, high = count; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        int order = str_cmp(name, props[middle].name);
        if (order == 0) return &props[middle];
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

const Prop *type_prop(const TaskType *type, Str name) {
    return find_prop(type->props, type->prop_count, name);
}

const Prop *def_prop(const Def *def, Str name) {
    return find_prop(def->props, def->prop_count, name);
}

const Output *type_output(const TaskType *type, Str name) {
    for (uint32_t i = 0; i < type->output_count; i++) {
        if (str_eq(type->outputs[i].name, name)) return &type->outputs[i];
    }
    return NULL;
}

const Def *catalog_def(Catalog *catalog, Str group, Str name) {
    for (uint32_t i = catalog->layers.count; i-- > 0;) {
        const Tables *tables = catalog->layers.items[i].tables;
        uint32_t found = rows_find_def(tables, group, name);
        if (found == 0) found = rows_find_def(tables, STR("_base"), name);
        if (found != 0) return def_at(catalog, tables, found - 1);
    }
    return NULL;
}
