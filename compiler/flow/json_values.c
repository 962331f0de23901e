// json_values.c - the JSON schema of values: what schema.c and literal.c accept, said in advance.
#include <string.h>

#include "flow/json_schema.h"

#define SCALAR "\"type\":[\"string\",\"number\",\"boolean\",\"null\"]"

// --- definitions --------------------------------------------------------------------------------

static Str reference(Export *it, Str name) {
    return str_printf(it->arena, "{\"$ref\":\"#/definitions/" STR_FMT "\"}", STR_ARG(name));
}

static uint32_t *slot_of(Export *it, Str text) {
    uint32_t at = str_hash(text) & (it->slot_count - 1);
    while (it->slots[at] != 0 && !str_eq(it->definitions.items[it->slots[at] - 1].text, text)) {
        at = (at + 1) & (it->slot_count - 1);
    }
    return &it->slots[at];
}

static void grow_slots(Export *it) {
    it->slot_count = it->slot_count == 0 ? 256 : it->slot_count * 2;
    it->slots = arena_array(it->arena, uint32_t, it->slot_count);
    for (uint32_t i = 0; i < it->definitions.count; i++) {
        const Definition *definition = &it->definitions.items[i];
        if (definition->subject == NULL) *slot_of(it, definition->text) = i + 1;
    }
}

Str json_interned(Export *it, Str text) {
    if (text.len < 32) return text;
    if (it->value_count * 2 >= it->slot_count) grow_slots(it);
    uint32_t *slot = slot_of(it, text);
    if (*slot == 0) {
        it->value_count++;
        Definition *definition = LIST_ADD(it->arena, &it->definitions, Definition);
        definition->name = str_printf(it->arena, "v%u", it->value_count);
        definition->text = text;
        *slot = it->definitions.count;
    }
    return reference(it, it->definitions.items[*slot - 1].name);
}

Str json_definition(Export *it, Str name, const void *subject, bool is_enforced,
                    void (*make)(Export *it, const void *subject, bool is_enforced, Buffer *out)) {
    for (uint32_t i = 0; i < it->definitions.count; i++) {
        const Definition *definition = &it->definitions.items[i];
        if (definition->subject == subject && definition->is_enforced == is_enforced) {
            return reference(it, definition->name);
        }
    }
    const uint32_t number = it->definitions.count;
    Definition *definition = LIST_ADD(it->arena, &it->definitions, Definition);
    *definition = (Definition){.subject = subject, .is_enforced = is_enforced};
    definition->name =
        str_printf(it->arena, STR_FMT "%s", STR_ARG(name), is_enforced ? "" : "-free");
    for (uint32_t i = 0; i < number; i++) {
        if (!str_eq(it->definitions.items[i].name, definition->name)) continue;
        definition->name = str_printf(it->arena, STR_FMT "-%u", STR_ARG(definition->name), number);
        break;
    }
    const Str name_of_it = definition->name;
    Buffer text = {0};
    make(it, subject, is_enforced, &text);
    it->definitions.items[number].text = buffer_to_str(&text, it->arena);
    buffer_release(&text);
    return reference(it, name_of_it);
}

// --- scalars ------------------------------------------------------------------------------------

Str json_pattern(Arena *arena, Str pattern) {
    for (size_t i = 0; i < pattern.len; i++) {
        // Classes of Unicode and what Java alone writes so.
        if (pattern.ptr[i] == '\\' && i + 1 < pattern.len &&
            strchr("pPQEhHRXG", pattern.ptr[i + 1])) {
            return (Str){0};
        }
        if (pattern.ptr[i] == '(' && i + 2 < pattern.len && pattern.ptr[i + 1] == '?' &&
            pattern.ptr[i + 2] != ':' && pattern.ptr[i + 2] != '=' && pattern.ptr[i + 2] != '!') {
            return (Str){0};
        }
    }
    return str_printf(arena, "^(?:" STR_FMT ")$", STR_ARG(pattern));
}

static void add_text(Export *it, const Prop *prop, bool has_bounds, Buffer *out) {
    const Str pattern =
        has_bounds && prop->pattern.len > 0 ? json_pattern(it->arena, prop->pattern) : (Str){0};
    const bool is_filled = has_bounds && (prop->flags & PROP_NON_BLANK) != 0;
    const bool is_bounded = has_bounds && prop->max_len > 0;
    buffer_add(out, STR("{" SCALAR));
    if (pattern.len > 0 || is_filled || is_bounded) {
        buffer_add(out, STR(",\"anyOf\":[{\"pattern\":\"" PATTERN_TEMPLATE "\"},{"));
        buffer_add(out, STR("\"pattern\":"));
        buffer_add_json(out, pattern.len > 0 ? pattern : is_filled ? STR("\\S") : STR(""));
        if (is_bounded) buffer_printf(out, ",\"maxLength\":%lld", (long long)prop->max_len);
        buffer_add(out, STR("}]"));
    }
    buffer_add_char(out, '}');
}

static void add_number(const Prop *prop, bool has_bounds, Buffer *out) {
    buffer_printf(out, "{\"type\":[\"number\",\"string\",\"null\"],\"pattern\":\"%s%s\"",
                  "^\\\\s*[-+]?[0-9.][0-9._eE+-]*\\\\s*$",
                  prop->mode == MODE_STATIC ? "" : "|" PATTERN_TEMPLATE);
    if (has_bounds && (prop->flags & PROP_HAS_MIN) != 0) {
        buffer_printf(out, ",\"minimum\":%.17g", prop->min);
    }
    if (has_bounds && (prop->flags & PROP_HAS_MAX) != 0) {
        buffer_printf(out, ",\"maximum\":%.17g", prop->max);
    }
    buffer_add_char(out, '}');
}

static void add_enum(const Def *def, Buffer *out) {
    const bool is_open =
        def == NULL || def->value_count == 0 || (def->flags & (DEF_LOOSE | DEF_FROM_SDK)) != 0;
    if (def == NULL || def->value_count == 0) {
        buffer_add(out, STR("{" SCALAR "}"));
        return;
    }
    buffer_add(out, STR("{\"anyOf\":[{\"enum\":["));
    for (uint32_t i = 0; i < def->value_count; i++) {
        const Str value = def->values[i];
        int64_t number = 0;
        buffer_add_json(out, value);
        buffer_add_char(out, ',');
        // The text decides; read by YAML it may be a number or a boolean.
        if (str_to_int(value, &number) || str_eq(value, STR("true")) ||
            str_eq(value, STR("false"))) {
            buffer_printf(out, STR_FMT ",", STR_ARG(value));
        }
    }
    buffer_add(out, STR("null]},"));
    buffer_add(out, is_open ? STR("{" SCALAR "}")
                            : STR("{\"type\":\"string\",\"pattern\":\"" PATTERN_TEMPLATE "\"}"));
    buffer_add(out, STR("]}"));
}

static bool is_scalar_kind(ValueType kind) {
    return kind == T_STRING || kind == T_INT || kind == T_NUMBER || kind == T_BOOL ||
           kind == T_DURATION || kind == T_DATETIME || kind == T_URI;
}

// See check_any() of schema.c.
static void add_any(const Prop *prop, Buffer *out) {
    bool takes_list = prop->any_of_count == 0 && !str_eq(prop->name, STR("inputFiles"));
    bool takes_map = prop->any_of_count == 0;
    for (uint32_t i = 0; i < prop->any_of_count; i++) {
        const ValueType kind = prop->any_of[i].kind;
        takes_list = takes_list || (!is_scalar_kind(kind) && kind != T_MAP);
        takes_map = takes_map || (!is_scalar_kind(kind) && kind != T_LIST);
    }
    if (takes_list && takes_map) {
        buffer_add(out, STR("true"));
        return;
    }
    buffer_printf(out, "{\"type\":[\"string\",\"number\",\"boolean\",\"null\"%s%s]}",
                  takes_list ? ",\"array\"" : "", takes_map ? ",\"object\"" : "");
}

// --- what holds others --------------------------------------------------------------------------

// One of `schema`, null, and a text that is a template or what else `pattern` says.
static void add_or_text(Str schema, const char *pattern, Buffer *out) {
    buffer_printf(out, "{\"anyOf\":[" STR_FMT ",{\"type\":\"null\"},{\"type\":\"string\"",
                  STR_ARG(schema));
    if (pattern != NULL) buffer_printf(out, ",\"pattern\":\"%s\"", pattern);
    buffer_add(out, STR("}]}"));
}

static void add_collection(Export *it, const Prop *prop, const PropType *type, bool is_enforced,
                           bool is_whole, Buffer *out) {
    const Str item = type->item == NULL
                         ? STR("true")
                         : json_value_schema(it, prop, type->item, is_enforced, false);
    const bool is_list = type->kind == T_LIST;
    const bool is_filled =
        is_list && is_whole && is_enforced && (prop->flags & PROP_NON_EMPTY) != 0;
    const Str schema =
        str_printf(it->arena, "{\"type\":\"%s\",\"%s\":" STR_FMT "%s}",
                   is_list ? "array" : "object", is_list ? "items" : "additionalProperties",
                   STR_ARG(item), is_filled ? ",\"minItems\":1" : "");
    add_or_text(schema, prop->mode == MODE_FULL ? PATTERN_TEMPLATE "|^[\\\\[{]" : PATTERN_TEMPLATE,
                out);
}

static void add_labels(const Prop *prop, Buffer *out) {
    buffer_add(out, STR("{\"anyOf\":[{\"type\":\"object\",\"additionalProperties\":{\"type\":["
                        "\"string\",\"number\",\"boolean\"]}},{\"type\":\"array\",\"items\":{"
                        "\"type\":\"object\",\"required\":[\"key\"]}},"));
    if (prop->mode == MODE_STATIC) {
        buffer_add(out,
                   STR("{\"type\":\"null\"},{\"type\":\"string\",\"pattern\":\"" PATTERN_TEMPLATE
                       "\"}]}"));
    } else {
        buffer_add(out, STR("{" SCALAR "}]}"));
    }
}

static void make_object(Export *it, const void *subject, bool is_enforced, Buffer *out) {
    const Def *def = subject;
    JsonObject object = {.props = def->props,
                         .prop_count = def->prop_count,
                         .is_certain = (def->flags & (DEF_LOOSE | DEF_FROM_SDK)) == 0,
                         .is_enforced = is_enforced,
                         .needs_required = is_enforced};
    if (def->variant_count == 0) {
        object.is_strict = object.is_certain && def->prop_count > 0;
        json_object_schema(it, &object, out);
        return;
    }
    // Without its key nobody knows which variant it is.
    buffer_add(out, STR("{\"type\":\"object\",\"properties\":{"));
    buffer_add_json(out, def->discriminator);
    buffer_add(out, STR(":{\"anyOf\":[{\"enum\":["));
    for (uint32_t i = 0; i < def->variant_count; i++) {
        if (i > 0) buffer_add_char(out, ',');
        buffer_add_json(out, def->variants[i].key);
    }
    buffer_add(out, object.is_certain
                        ? STR("]},{\"type\":\"string\",\"pattern\":\"" PATTERN_TEMPLATE
                              "\"}]}},\"allOf\":[")
                        : STR("]},true]}},\"allOf\":["));
    for (uint32_t i = 0; i < def->variant_count; i++) {
        const Def *variant = def->variants[i].def;
        if (i > 0) buffer_add_char(out, ',');
        buffer_add(out, STR("{\"if\":{\"required\":["));
        buffer_add_json(out, def->discriminator);
        buffer_add(out, STR("],\"properties\":{"));
        buffer_add_json(out, def->discriminator);
        buffer_add(out, STR(":{\"const\":"));
        buffer_add_json(out, def->variants[i].key);
        buffer_add(out, STR("}}},\"then\":"));
        buffer_add(out,
                   variant == NULL || !object.is_certain
                       ? STR("true")
                       : json_definition(it, variant->name, variant, is_enforced, make_object));
        buffer_add_char(out, '}');
    }
    buffer_add(out, STR("]}"));
}

static Str object_schema(Export *it, const Prop *prop, const Def *def, bool is_enforced) {
    if (def == NULL) return STR("true");
    // Below what is rendered as a whole nothing is certain.
    const bool is_certain = prop->mode != MODE_FULL;
    return is_certain
               ? json_definition(it, def->name, def,
                                 is_enforced && (prop->flags & PROP_CASCADE) != 0, make_object)
               : STR("{\"type\":\"object\"}");
}

static TypeKind kind_of(ValueType type) {
    switch (type) {
    case T_TASK:
        return KIND_TASK;
    case T_TRIGGER:
        return KIND_TRIGGER;
    case T_CONDITION:
        return KIND_CONDITION;
    case T_RUNNER:
        return KIND_RUNNER;
    case T_LOG_EXPORTER:
        return KIND_LOG_EXPORTER;
    default:  // NOLINT: only those above are dispatched by kind
        return KIND_COUNT;
    }
}

static void add_value(Export *it, const Prop *prop, const PropType *type, bool is_enforced,
                      bool is_whole, Buffer *out) {
    const bool has_bounds = is_whole && is_enforced;
    switch (type->kind) {
    case T_ANY:
        add_any(prop, out);
        return;
    case T_DATA:
    case T_EXTERNAL:
    case T_ASSET:  // what is not registered is a custom asset
    case T_ASSET_EXPORTER:
        buffer_add(out, STR("true"));
        return;
    case T_LABELS:
        add_labels(prop, out);
        return;
    case T_LIST:
    case T_MAP:
        add_collection(it, prop, type, is_enforced, is_whole, out);
        return;
    case T_TASK:
        buffer_add(out, json_typed_schema(it, KIND_TASK, NULL, true));
        return;
    case T_TRIGGER:
    case T_CONDITION:
    case T_RUNNER:
    case T_LOG_EXPORTER:
    case T_PLUGIN:
        add_or_text(json_typed_schema(it, kind_of(type->kind),
                                      type->kind == T_PLUGIN ? type->def : NULL,
                                      is_enforced && (prop->flags & PROP_CASCADE) != 0),
                    PATTERN_TEMPLATE, out);
        return;
    case T_OBJECT: {
        const bool takes_text = type->def != NULL && (type->def->flags & DEF_FROM_STRING) != 0;
        add_or_text(object_schema(it, prop, type->def, is_enforced),
                    takes_text ? NULL : PATTERN_TEMPLATE, out);
        return;
    }
    case T_INT:
    case T_NUMBER:
        add_number(prop, has_bounds, out);
        return;
    case T_BOOL:
        buffer_add(out, STR("{\"type\":[\"boolean\",\"number\",\"string\",\"null\"],\"pattern\":"
                            "\"^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee])?$"));
        if (prop->mode != MODE_STATIC) buffer_add(out, STR("|" PATTERN_TEMPLATE));
        buffer_add(out, STR("\"}"));
        return;
    case T_DURATION:
        buffer_add(out, STR("{\"type\":[\"string\",\"number\",\"null\"],\"pattern\":"
                            "\"^\\\\s*[-+]?([Pp]|[0-9.]+\\\\s*$)|" PATTERN_TEMPLATE "\"}"));
        return;
    case T_ENUM:
        add_enum(type->def, out);
        return;
    case T_STRING:
    case T_URI:
        if (prop->mode == MODE_STATIC || has_bounds) {
            add_text(it, prop, has_bounds, out);
        } else {
            buffer_add(out, STR("true"));
        }
        return;
    case T_DATETIME:
    case T_DATE:
    case T_TIME:
    case T_TIMEZONE:
    case T_ENCRYPTED:
        add_text(it, prop, has_bounds, out);
        return;
    }
}

Str json_value_schema(Export *it, const Prop *prop, const PropType *type, bool is_enforced,
                      bool is_whole) {
    if ((prop->flags & (PROP_CUSTOM_PARSER | PROP_SETTER_ONLY)) != 0) return STR("true");
    Buffer text = {0};
    add_value(it, prop, type, is_enforced, is_whole, &text);
    const Str schema = buffer_to_str(&text, it->arena);
    buffer_release(&text);
    return json_interned(it, schema);
}

// --- objects ------------------------------------------------------------------------------------

static Str property_schema(Export *it, const JsonObject *object, const Prop *prop) {
    for (uint32_t i = 0; i < object->override_count; i++) {
        if (str_eq(prop->name, str_from(object->overrides[i].name))) {
            return str_from(object->overrides[i].schema);
        }
    }
    if (!object->is_certain) return STR("true");
    return json_value_schema(it, prop, &prop->type, object->is_enforced, true);
}

static void add_property(Export *it, const JsonObject *object, const Prop *prop, bool *is_first,
                         Buffer *out) {
    const uint32_t absent =
        object->type_name.len == 0
            ? 0
            : catalog_absent_in(it->builder.catalog, object->type_name, prop->name);
    if ((absent & it->targets) != 0) return;
    const Str schema = property_schema(it, object, prop);
    for (uint32_t i = 0; i <= prop->alias_count; i++) {
        if (!*is_first) buffer_add_char(out, ',');
        *is_first = false;
        buffer_add_json(out, i == 0 ? prop->name : prop->aliases[i - 1]);
        buffer_add_char(out, ':');
        buffer_add(out, schema);
    }
}

static void add_properties(Export *it, const JsonObject *object, Buffer *out) {
    bool is_first = true;
    for (uint32_t i = 0; i < object->prop_count; i++) {
        add_property(it, object, &object->props[i], &is_first, out);
    }
    const Def *const others[] = {object->extra, object->more};
    for (size_t k = 0; k < COUNT(others); k++) {
        for (uint32_t i = 0; others[k] != NULL && i < others[k]->prop_count; i++) {
            const Prop *prop = &others[k]->props[i];
            bool is_there = false;
            for (uint32_t p = 0; p < object->prop_count; p++) {
                is_there = is_there || str_eq(object->props[p].name, prop->name);
            }
            if (!is_there) add_property(it, object, prop, &is_first, out);
        }
    }
}

// A property, or one of its other names.
static void add_requirement(const Prop *prop, Buffer *out) {
    buffer_add(out, STR("{\"anyOf\":["));
    for (uint32_t i = 0; i <= prop->alias_count; i++) {
        if (i > 0) buffer_add_char(out, ',');
        buffer_add(out, STR("{\"required\":["));
        buffer_add_json(out, i == 0 ? prop->name : prop->aliases[i - 1]);
        buffer_add(out, STR("]}"));
    }
    buffer_add(out, STR("]}"));
}

static void add_required(const JsonObject *object, Buffer *out) {
    uint32_t plain = 0, others = 0;
    for (uint32_t i = 0; i < object->prop_count; i++) {
        const Prop *prop = &object->props[i];
        if ((prop->flags & PROP_REQUIRED) == 0 || prop->alias_count > 0) continue;
        buffer_add(out, plain++ == 0 ? STR(",\"required\":[") : STR(","));
        buffer_add_json(out, prop->name);
    }
    if (plain > 0) buffer_add_char(out, ']');
    for (uint32_t i = 0; i < object->prop_count; i++) {
        const Prop *prop = &object->props[i];
        if ((prop->flags & PROP_REQUIRED) == 0 || prop->alias_count == 0) continue;
        buffer_add(out, others++ == 0 ? STR(",\"allOf\":[") : STR(","));
        add_requirement(prop, out);
    }
    if (others > 0) buffer_add_char(out, ']');
}

void json_object_schema(Export *it, const JsonObject *object, Buffer *out) {
    buffer_add(out, STR("{\"type\":\"object\""));
    if (object->doc.len > 0) {
        buffer_add(out, STR(",\"description\":"));
        buffer_add_json(out, object->doc);
    }
    buffer_add(out, STR(",\"properties\":{"));
    add_properties(it, object, out);
    buffer_add_char(out, '}');
    if (object->is_strict) buffer_add(out, STR(",\"additionalProperties\":false"));
    if (object->needs_required && object->is_certain) add_required(object, out);
    buffer_add_char(out, '}');
}
