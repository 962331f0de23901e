// import.c - types of a JSON schema as types of the catalog.
//
// A schema says less than the catalog: not which kind of plugin a class is (guessed from the
// properties that all of a kind have) and not what it gives (outputs are open where they are not
// described). Properties that every type of the kind has anyway are left out.
#include "catalog/import.h"

#include <string.h>

enum { KIND_SAMPLE = 40, DEPTH_MAX = 24, NAME_TRIES = 100 };

typedef struct Import {
    Catalog *catalog;
    const ImportOptions *options;
    Arena *arena;
    const Value *definitions;
    Value types, defs;
    Value def_names;  // definition of the schema -> name in `defs`
    uint32_t depth;
    bool is_single;                   // the schema is that of one type
    LIST_OF(Str) common[KIND_COUNT];  // properties that all types of a kind have
    bool has_common[KIND_COUNT];
} Import;

static const Value *member(const Value *map, const char *name) {
    if (map == NULL || map->kind != VALUE_MAP) return NULL;
    return value_map_get(*map, str_from(name));
}

static Str text_member(const Value *map, const char *name) {
    const Value *value = member(map, name);
    return value != NULL && value->kind == VALUE_TEXT ? value->as.text : (Str){0};
}

static bool is_true(const Value *map, const char *name) {
    const Value *value = member(map, name);
    if (value == NULL) return false;
    // As a word, too: `"$deprecated": "true"`.
    return value->kind == VALUE_TEXT ? str_eq(value->as.text, STR("true"))
                                     : value->kind == VALUE_BOOL && value->as.boolean;
}

static void set(Import *it, Value map, const char *name, Value value) {
    value_map_set(it->arena, map, str_from(name), value);
}

// --- schemas as one map -------------------------------------------------------------------------

static Str referenced(const Value *schema) {
    const Str ref = text_member(schema, "$ref");
    const size_t slash = str_find_last_char(ref, '/');
    return slash == STR_NOT_FOUND ? (Str){0} : str_slice(ref, slash + 1, ref.len);
}

static const Value *definition(const Import *it, Str name) {
    if (name.len == 0 || it->definitions == NULL) return NULL;
    return value_map_get(*it->definitions, name);
}

static void merge(Import *it, Value into, const Value *schema, bool follows, uint32_t depth);

static void merge_member(Import *it, Value into, const ValueMember *from) {
    const Value *there = value_map_get(into, from->key);
    const bool is_map = there != NULL && there->kind == VALUE_MAP && from->value.kind == VALUE_MAP;
    const bool is_list =
        there != NULL && there->kind == VALUE_LIST && from->value.kind == VALUE_LIST;
    if (is_map && str_eq(from->key, STR("properties"))) {
        for (uint32_t i = 0; i < from->value.as.map->count; i++) {
            const ValueMember *one = &from->value.as.map->members[i];
            value_map_set(it->arena, *there, one->key, one->value);
        }
    } else if (is_list && str_eq(from->key, STR("required"))) {
        for (uint32_t i = 0; i < from->value.as.list->count; i++) {
            value_list_add(it->arena, *there, from->value.as.list->items[i]);
        }
    } else {
        value_map_set(it->arena, into, from->key, value_copy(it->arena, from->value));
    }
}

// All that `allOf` gathers, in one map. `follows`: references too, where an object is wanted.
static void merge(Import *it, Value into, const Value *schema, bool follows, uint32_t depth) {
    if (schema == NULL || schema->kind != VALUE_MAP || depth > DEPTH_MAX) return;
    if (follows) merge(it, into, definition(it, referenced(schema)), follows, depth + 1);
    const Value *all = member(schema, "allOf");
    for (uint32_t i = 0; all != NULL && all->kind == VALUE_LIST && i < all->as.list->count; i++) {
        merge(it, into, &all->as.list->items[i], follows, depth + 1);
    }
    for (uint32_t i = 0; i < schema->as.map->count; i++) {
        const ValueMember *one = &schema->as.map->members[i];
        if (str_eq(one->key, STR("allOf"))) continue;
        if (follows && str_eq(one->key, STR("$ref"))) continue;
        merge_member(it, into, one);
    }
}

static Value merged(Import *it, const Value *schema, bool follows) {
    Value out = value_map(it->arena);
    merge(it, out, schema, follows, 0);
    return out;
}

// --- classes ------------------------------------------------------------------------------------

// The names a class goes by: `const` or `enum` of its `type`, the first being its own.
static bool class_names(Import *it, const Value *schema, Value *out) {
    const Value *type = member(member(schema, "properties"), "type");
    const Str only = text_member(type, "const");
    const Value *names = member(type, "enum");
    *out = value_list(it->arena);
    if (only.len > 0) value_list_add(it->arena, *out, value_text(only));
    for (uint32_t i = 0; names != NULL && names->kind == VALUE_LIST && i < names->as.list->count;
         i++) {
        const Value *name = &names->as.list->items[i];
        if (name->kind == VALUE_TEXT) value_list_add(it->arena, *out, *name);
    }
    if (out->as.list->count == 0) return false;
    const Str first = out->as.list->items[0].as.text;
    const size_t dot = str_find_char(first, '.', 0);
    return dot != STR_NOT_FOUND && str_find_char(first, '.', dot + 1) != STR_NOT_FOUND;
}

static bool has_property(const Value *schema, const char *name) {
    return member(member(schema, "properties"), name) != NULL;
}

static bool in_name(Str name, const char *part) {
    return str_find(name, str_from(part), 0) != STR_NOT_FOUND;
}

static TypeKind guess_kind(const Import *it, Str name, const Value *schema) {
    for (uint32_t i = 0; i < KIND_COUNT; i++) {
        if (str_eq(it->options->kind, str_from(catalog_kind_name((TypeKind)i)))) return (TypeKind)i;
    }
    bool is_alias = false;
    const TaskType *known = catalog_find(it->catalog, name, &is_alias);
    if (known != NULL) return known->kind;
    const bool has_id = has_property(schema, "id");
    if (has_id &&
        (has_property(schema, "stopAfter") || has_property(schema, "failOnTriggerError") ||
         has_property(schema, "conditions"))) {
        return KIND_TRIGGER;
    }
    if (has_property(schema, "runIf") || has_property(schema, "allowFailure")) return KIND_TASK;
    if (in_name(name, ".condition")) return KIND_CONDITION;
    if (in_name(name, ".runner") || in_name(name, "TaskRunner")) return KIND_RUNNER;
    if (in_name(name, ".asset")) return KIND_ASSET;
    if (in_name(name, "LogExporter") || in_name(name, ".logexporter")) return KIND_LOG_EXPORTER;
    // A schema written by hand has neither.
    if (in_name(name, ".trigger") || in_name(name, "Trigger")) return KIND_TRIGGER;
    return it->is_single || has_id ? KIND_TASK : KIND_ADDITIONAL;
}

// The kind of the class a reference leads to; KIND_COUNT: it leads to none.
static TypeKind kind_of_reference(Import *it, const Value *schema, Str *name) {
    const Value *target = definition(it, referenced(schema));
    if (target == NULL) return KIND_COUNT;
    const Value whole = merged(it, target, true);
    Value names;
    if (!class_names(it, &whole, &names)) return KIND_COUNT;
    *name = names.as.list->items[0].as.text;
    return guess_kind(it, *name, &whole);
}

// --- definitions --------------------------------------------------------------------------------

static Value properties_of(Import *it, const Value *object, TypeKind kind);

static Str free_name(Import *it, Str wanted) {
    const size_t dot = str_find_last_char(wanted, '.');
    Str name = dot == STR_NOT_FOUND ? wanted : str_slice(wanted, dot + 1, wanted.len);
    const size_t dash = str_find_last_char(name, '-');
    int64_t number = 0;
    if (dash != STR_NOT_FOUND && str_to_int(str_slice(name, dash + 1, name.len), &number)) {
        name = str_slice(name, 0, dash);
    }
    char *copy = (char *)str_to_c(it->arena, name);
    if (copy[0] >= 'a' && copy[0] <= 'z') copy[0] = (char)(copy[0] - 'a' + 'A');
    name = str_from(copy);
    for (uint32_t i = 2; value_map_get(it->defs, name) != NULL && i < NAME_TRIES; i++) {
        name = str_printf(it->arena, "%s%u", copy, i);
    }
    return name;
}

static Str as_type(Import *it, Str name) {
    return str_printf(it->arena, "$" STR_FMT, STR_ARG(name));
}

// A definition of equal content is used again.
static Str add_def(Import *it, Str wanted, Value content) {
    for (uint32_t i = 0; i < it->defs.as.map->count; i++) {
        const ValueMember *one = &it->defs.as.map->members[i];
        if (value_equal(one->value, content)) return as_type(it, one->key);
    }
    const Str name = free_name(it, wanted);
    value_map_set(it->arena, it->defs, name, content);
    return as_type(it, name);
}

static Str enum_type(Import *it, Str name, const Value *values) {
    Value def = value_map(it->arena);
    set(it, def, "enum", *values);
    return add_def(it, name, def);
}

static Str object_type(Import *it, Str name, const Value *object) {
    if (it->depth > DEPTH_MAX) return STR("any");
    it->depth++;
    Value def = value_map(it->arena);
    set(it, def, "properties", properties_of(it, object, KIND_COUNT));
    it->depth--;
    return add_def(it, name, def);
}

static Str type_of(Import *it, Str name, const Value *schema);

static Str definition_type(Import *it, Str ref) {
    const Value *known = value_map_get(it->def_names, ref);
    if (known != NULL) return known->as.text;
    const Value *target = definition(it, ref);
    if (target == NULL) return STR("any");
    const Value whole = merged(it, target, true);
    if (!has_property(&whole, "type") && member(&whole, "properties") == NULL) {
        return type_of(it, ref, &whole);
    }
    // Entered before it is filled: it may refer to itself, and then one level is `any`.
    value_map_set(it->arena, it->def_names, ref, value_text(STR("any")));
    const Str type = object_type(it, ref, &whole);
    value_map_set(it->arena, it->def_names, ref, value_text(type));
    return type;
}

// --- types of values ----------------------------------------------------------------------------

static Str kind_word(TypeKind kind) {
    switch (kind) {
    case KIND_TASK:
    case KIND_TRIGGER:
    case KIND_CONDITION:
    case KIND_RUNNER:
    case KIND_ASSET:
    case KIND_LOG_EXPORTER:
    case KIND_ASSET_EXPORTER:
        return str_from(catalog_kind_name(kind));
    case KIND_ADDITIONAL:
    case KIND_CHART:
    case KIND_FILTER:
    case KIND_STORAGE:
    case KIND_COUNT:
        break;
    }
    return (Str){0};
}

static const Value *alternatives(const Value *schema) {
    const Value *all = member(schema, "anyOf");
    if (all == NULL) all = member(schema, "oneOf");
    return all != NULL && all->kind == VALUE_LIST && all->as.list->count > 0 ? all : NULL;
}

// Plugins of one kind, or of a list; empty where not all are plugins.
static Str plugin_type(Import *it, Str name, const Value *all) {
    TypeKind kind = KIND_COUNT;
    Value names = value_list(it->arena);
    for (uint32_t i = 0; i < all->as.list->count; i++) {
        const Value one = merged(it, &all->as.list->items[i], false);
        Str class_name = {0};
        const TypeKind found = kind_of_reference(it, &one, &class_name);
        if (found == KIND_COUNT || (kind != KIND_COUNT && found != kind)) return (Str){0};
        kind = found;
        value_list_add(it->arena, names, value_text(class_name));
    }
    const Str word = kind_word(kind);
    if (word.len > 0) return word;
    Value def = value_map(it->arena);
    set(it, def, "plugins", names);
    return add_def(it, name, def);
}

// Objects that a constant tells apart: `type: BASIC`.
static Str variant_type(Import *it, Str name, const Value *all) {
    Value variants = value_map(it->arena);
    for (uint32_t i = 0; i < all->as.list->count; i++) {
        const Value one = merged(it, &all->as.list->items[i], true);
        const Str key = text_member(member(member(&one, "properties"), "type"), "const");
        if (key.len == 0) return (Str){0};
        value_map_set(it->arena, variants, key, value_text(object_type(it, key, &one)));
    }
    Value def = value_map(it->arena);
    set(it, def, "discriminator", value_text(STR("type")));
    set(it, def, "variants", variants);
    return add_def(it, name, def);
}

// Of several types: the one that is no text, since an expression may always stand there.
static Str mixed_type(Import *it, Str name, const Value *all, Value *any_of) {
    Value types = value_list(it->arena);
    Str single = {0};
    for (uint32_t i = 0; i < all->as.list->count; i++) {
        const Value one = merged(it, &all->as.list->items[i], false);
        const Str type = type_of(it, name, &one);
        if (str_eq(type, STR("any"))) return type;
        value_list_add(it->arena, types, value_text(type));
        if (str_eq(type, STR("string")) || str_eq(type, single)) continue;
        single = single.len == 0 ? type : STR("any");
    }
    const bool is_collection = str_ends_with(single, STR(">")) || single.len == 0;
    if (single.len == 0) return STR("string");
    if (!is_collection && !str_eq(single, STR("any"))) return single;
    if (any_of != NULL) *any_of = types;
    return STR("any");
}

static Str text_type(Import *it, Str name, const Value *schema) {
    static const struct {
        const char *format, *type;
    } formats[] = {
        {"duration",  "duration"},
        {"date-time", "datetime"},
        {"date",      "date"    },
        {"time",      "time"    },
        {"uri",       "uri"     },
    };
    const Value *values = member(schema, "enum");
    if (values != NULL && values->kind == VALUE_LIST) return enum_type(it, name, values);
    for (size_t i = 0; i < COUNT(formats); i++) {
        if (str_eq(text_member(schema, "format"), str_from(formats[i].format))) {
            return str_from(formats[i].type);
        }
    }
    return STR("string");
}

// The catalog reads eight levels.
static bool is_deep(Str type) {
    uint32_t depth = 0;
    for (size_t i = 0; i < type.len; i++) depth += type.ptr[i] == '<';
    return depth >= 6;
}

static Str typed(Import *it, Str name, Str type, const Value *schema) {
    if (str_eq(type, STR("string"))) return text_type(it, name, schema);
    if (str_eq(type, STR("boolean"))) return STR("bool");
    if (str_eq(type, STR("integer"))) return STR("int");
    if (str_eq(type, STR("number"))) return STR("number");
    if (str_eq(type, STR("array"))) {
        const Value items = merged(it, member(schema, "items"), false);
        const Str item = type_of(it, name, &items);
        if (is_deep(item)) return STR("list<any>");
        return str_printf(it->arena, "list<" STR_FMT ">", STR_ARG(item));
    }
    if (!str_eq(type, STR("object"))) return STR("any");
    if (member(schema, "properties") != NULL) return object_type(it, name, schema);
    const Value *values = member(schema, "additionalProperties");
    const Value whole = merged(it, values, false);
    const Str item = values == NULL ? STR("any") : type_of(it, name, &whole);
    if (is_deep(item)) return STR("map<any>");
    return str_printf(it->arena, "map<" STR_FMT ">", STR_ARG(item));
}

static Str type_with_alternatives(Import *it, Str name, const Value *schema, Value *any_of) {
    const Value *all = alternatives(schema);
    if (all == NULL) return type_of(it, name, schema);
    if (str_eq(name, STR("labels"))) return STR("labels");
    Str type = plugin_type(it, name, all);
    if (type.len == 0) type = variant_type(it, name, all);
    return type.len == 0 ? mixed_type(it, name, all, any_of) : type;
}

// `schema` is merged.
static Str type_of(Import *it, Str name, const Value *schema) {
    if (it->depth > DEPTH_MAX) return STR("any");
    it->depth++;
    Str type = STR("any");
    Str class_name = {0};
    const Str ref = referenced(schema);
    if (alternatives(schema) != NULL) {
        type = type_with_alternatives(it, name, schema, NULL);
    } else if (ref.len > 0) {
        const TypeKind kind = kind_of_reference(it, schema, &class_name);
        type = kind == KIND_COUNT ? definition_type(it, ref) : kind_word(kind);
        if (type.len == 0) type = STR("any");
    } else if (text_member(schema, "type").len > 0) {
        type = typed(it, name, text_member(schema, "type"), schema);
    } else if (member(schema, "properties") != NULL) {
        type = object_type(it, name, schema);
    }
    it->depth--;
    return type;
}

// --- properties ---------------------------------------------------------------------------------

static void copy_number(Import *it, const Value *schema, const char *from, Value to,
                        const char *name) {
    const Value *value = member(schema, from);
    const bool is_number =
        value != NULL && (value->kind == VALUE_INT || value->kind == VALUE_FLOAT);
    if (is_number) set(it, to, name, *value);
}

static Value property_of(Import *it, Str name, const Value *schema, bool is_required) {
    const Value whole = merged(it, schema, false);
    const Value *all = alternatives(&whole);
    // What is said of the first alternative is said of the property.
    Value said = all == NULL ? whole : merged(it, &all->as.list->items[0], false);
    for (uint32_t i = 0; all != NULL && i < whole.as.map->count; i++) {
        merge_member(it, said, &whole.as.map->members[i]);
    }
    Value any_of = {0};
    Value property = value_map(it->arena);
    set(it, property, "type", value_text(type_with_alternatives(it, name, &whole, &any_of)));
    if (is_required) set(it, property, "required", value_bool(true));
    if (is_true(&said, "$dynamic")) set(it, property, "dynamic", value_text(STR("full")));
    if (any_of.kind == VALUE_LIST) set(it, property, "any_of", any_of);
    const Value *otherwise = member(&said, "default");
    if (otherwise != NULL && otherwise->kind != VALUE_LIST && otherwise->kind != VALUE_MAP) {
        set(it, property, "default", *otherwise);
    }
    if (is_true(&said, "$deprecated") || is_true(&said, "deprecated")) {
        set(it, property, "deprecated", value_bool(true));
    }
    if (is_true(&said, "$secret")) set(it, property, "secret", value_bool(true));
    if (is_true(&said, "$internalStorageURI")) set(it, property, "storage_uri", value_bool(true));
    const Str pattern = text_member(&said, "pattern");
    if (pattern.len > 0) set(it, property, "pattern", value_text(pattern));
    copy_number(it, &said, "minimum", property, "min");
    copy_number(it, &said, "maximum", property, "max");
    copy_number(it, &said, "minLength", property, "min_len");
    copy_number(it, &said, "maxLength", property, "max_len");
    return property;
}

static bool is_in(const Value *list, Str name) {
    for (uint32_t i = 0; list != NULL && list->kind == VALUE_LIST && i < list->as.list->count;
         i++) {
        const Value *item = &list->as.list->items[i];
        if (item->kind == VALUE_TEXT && str_eq(item->as.text, name)) return true;
    }
    return false;
}

// What all types of a kind have: known from some of them.
static void find_common(Import *it, TypeKind kind) {
    if (it->has_common[kind]) return;
    it->has_common[kind] = true;
    uint32_t seen = 0;
    for (uint32_t i = 0; i < catalog_count(it->catalog) && seen < KIND_SAMPLE; i++) {
        const TaskType *type =
            catalog_find(it->catalog, catalog_name_at(it->catalog, i), &(bool){false});
        if (type == NULL || type->kind != kind) continue;
        if (seen++ == 0) {
            for (uint32_t k = 0; k < type->prop_count; k++) {
                *LIST_ADD(it->arena, &it->common[kind], Str) = type->props[k].name;
            }
        }
        uint32_t kept = 0;
        for (uint32_t k = 0; k < it->common[kind].count; k++) {
            const Str name = it->common[kind].items[k];
            if (type_prop(type, name) != NULL) it->common[kind].items[kept++] = name;
        }
        it->common[kind].count = kept;
    }
}

static bool is_common(Import *it, TypeKind kind, Str name) {
    if (kind == KIND_COUNT) return false;
    if (str_eq(name, STR("type"))) return true;
    find_common(it, kind);
    for (uint32_t i = 0; i < it->common[kind].count; i++) {
        if (str_eq(it->common[kind].items[i], name)) return true;
    }
    return false;
}

// `kind`: whose common properties are left out; KIND_COUNT: of an object, all are taken.
static Value properties_of(Import *it, const Value *object, TypeKind kind) {
    Value out = value_map(it->arena);
    const Value *properties = member(object, "properties");
    for (uint32_t i = 0;
         properties != NULL && properties->kind == VALUE_MAP && i < properties->as.map->count;
         i++) {
        const ValueMember *one = &properties->as.map->members[i];
        if (is_common(it, kind, one->key)) continue;
        const bool is_required = is_in(member(object, "required"), one->key);
        value_map_set(it->arena, out, one->key,
                      property_of(it, one->key, &one->value, is_required));
    }
    return out;
}

// --- types --------------------------------------------------------------------------------------

static void add_outputs(Import *it, Value type, const Value *outputs) {
    const Value *properties = member(outputs, "properties");
    if (properties == NULL || properties->kind != VALUE_MAP) {
        set(it, type, "outputs_open", value_bool(true));
        return;
    }
    Value all = value_map(it->arena);
    for (uint32_t i = 0; i < properties->as.map->count; i++) {
        const ValueMember *one = &properties->as.map->members[i];
        const Value whole = merged(it, &one->value, false);
        value_map_set(it->arena, all, one->key,
                      value_text(type_with_alternatives(it, one->key, &whole, NULL)));
    }
    set(it, type, "outputs", all);
}

static bool holds_tasks(Value properties) {
    for (uint32_t i = 0; i < properties.as.map->count; i++) {
        const Str type = text_member(&properties.as.map->members[i].value, "type");
        if (in_name(type, "task>") || str_eq(type, STR("task"))) return true;
    }
    return false;
}

static void add_type(Import *it, Value names, const Value *schema, const Value *outputs,
                     Imported *out) {
    const Str name = names.as.list->items[0].as.text;
    bool is_alias = false;
    if (!str_starts_with(name, it->options->prefix)) return;
    if (!it->options->is_whole && catalog_find(it->catalog, name, &is_alias) != NULL) {
        out->known++;
        return;
    }
    const TypeKind kind = guess_kind(it, name, schema);
    const Value properties = properties_of(it, schema, kind);
    Value type = value_map(it->arena);
    set(it, type, "type", value_text(name));
    set(it, type, "kind", value_text(str_from(catalog_kind_name(kind))));
    if (holds_tasks(properties)) set(it, type, "exec", value_text(STR("flowable")));
    const Str title = text_member(schema, "title");
    if (title.len > 0) set(it, type, "doc", value_text(title));
    if (is_true(schema, "$deprecated")) set(it, type, "deprecated", value_bool(true));
    if (names.as.list->count > 1) {
        Value aliases = value_list(it->arena);
        for (uint32_t i = 1; i < names.as.list->count; i++) {
            value_list_add(it->arena, aliases, names.as.list->items[i]);
        }
        set(it, type, "aliases", aliases);
    }
    set(it, type, "properties", properties);
    if (kind == KIND_TASK || kind == KIND_TRIGGER) add_outputs(it, type, outputs);
    value_list_add(it->arena, it->types, type);
    out->count++;
}

static void add_definitions(Import *it, Imported *out) {
    const ValueMap *map = it->definitions->as.map;
    for (uint32_t i = 0; i < map->count; i++) {
        const Value whole = merged(it, &map->members[i].value, true);
        Value names;
        if (class_names(it, &whole, &names)) add_type(it, names, &whole, NULL, out);
    }
}

static Err add_single(Import *it, const Value *schema, const Value *outputs, Imported *out) {
    const Value whole = merged(it, schema, true);
    it->is_single = true;
    Value names;
    if (it->options->type.len > 0) {
        names = value_list(it->arena);
        value_list_add(it->arena, names, value_text(it->options->type));
    } else if (!class_names(it, &whole, &names)) {
        return err_make(ERR_INPUT, "the schema does not say which type it describes: name it "
                                   "with --type");
    }
    add_type(it, names, &whole, outputs, out);
    return err_none();
}

static const Value *definitions_of(const Value *schema) {
    const Value *found = member(schema, "definitions");
    if (found == NULL) found = member(schema, "$defs");
    return found != NULL && found->kind == VALUE_MAP ? found : NULL;
}

// "com.acme.plugin.Ping" -> "acme": what follows the domain.
static Str group_of(const Import *it) {
    if (it->options->group.len > 0) return it->options->group;
    if (it->types.as.list->count == 0) return STR("private");
    const Str name = text_member(&it->types.as.list->items[0], "type");
    const size_t first = str_find_char(name, '.', 0);
    if (first == STR_NOT_FOUND) return STR("private");
    const size_t second = str_find_char(name, '.', first + 1);
    return str_slice(name, first + 1, second == STR_NOT_FOUND ? name.len : second);
}

Err catalog_import(Catalog *catalog, Value schema, const ImportOptions *options, Arena *arena,
                   Imported *out) {
    *out = (Imported){0};
    Import it = {.catalog = catalog,
                 .options = options,
                 .arena = arena,
                 .types = value_list(arena),
                 .defs = value_map(arena),
                 .def_names = value_map(arena)};
    const Value *described = member(&schema, "schema");
    if (member(described, "properties") != NULL) {
        const Value *properties = member(described, "properties");
        it.definitions = definitions_of(described);
        if (it.definitions == NULL) it.definitions = definitions_of(properties);
        TRY(add_single(&it, properties, member(described, "outputs"), out));
    } else {
        it.definitions = definitions_of(&schema);
        if (member(&schema, "properties") != NULL) {
            TRY(add_single(&it, &schema, NULL, out));
        } else if (it.definitions != NULL) {
            add_definitions(&it, out);
        } else {
            return err_make(ERR_INPUT, "this is no JSON schema of plugins: it has neither "
                                       "'definitions' nor 'properties'");
        }
    }
    out->file = value_map(arena);
    set(&it, out->file, "group", value_text(group_of(&it)));
    set(&it, out->file, "types", it.types);
    if (it.defs.as.map->count > 0) set(&it, out->file, "defs", it.defs);
    return err_none();
}
