// value.c - nodes of the flow to operands: texts, objects, properties by their schema.
//
// The mode of a property is the catalog's (design §7): static values are literals, `leaf` renders
// the texts at any depth and keeps the shape, `full` renders and then converts to the property's
// type. What prints nothing is null, as in the reference since 1.x. A property inside an object has
// its own type, and at least the mode of what it stands in.
#include "emit/emitter.h"

static Str path_key(Emitter *emitter, Str path, Str key) {
    if (path.len == 0) return key;
    return str_printf(emitter->arena, STR_FMT "." STR_FMT, STR_ARG(path), STR_ARG(key));
}

static Str path_index(Emitter *emitter, Str path, uint32_t index) {
    return str_printf(emitter->arena, STR_FMT "[%u]", STR_ARG(path), index);
}

// --- literals -----------------------------------------------------------------------------------

Operand emit_literal(Emitter *emitter, Value value) {
    uint32_t mark = emitter->frame->at;
    Operands operands = {0};
    Operand literal = {.lua = STR("rt.null"), .is_constant = true};
    switch (value.kind) {
    case VALUE_NULL:
    case VALUE_UNDEFINED:
    case VALUE_SECRET:
        return literal;
    case VALUE_BOOL:
        literal.lua = value.as.boolean ? STR("true") : STR("false");
        return literal;
    case VALUE_INT:
        // The smallest integer has no literal of its own.
        literal.lua = value.as.integer == INT64_MIN
                          ? STR("(-9223372036854775807 - 1)")
                          : str_printf(emitter->arena, "%lld", (long long)value.as.integer);
        return literal;
    case VALUE_FLOAT:
        if (value.as.real != value.as.real) {
            literal.lua = STR("(0.0 / 0.0)");
        } else if (value.as.real - value.as.real != 0.0) {
            literal.lua = value.as.real > 0 ? STR("1e999") : STR("-1e999");
        } else {
            literal.lua = str_printf(emitter->arena, "%a", value.as.real);
        }
        return literal;
    case VALUE_BIGNUM:
    case VALUE_TEXT:
        return operand_text(emitter, value.as.text);
    case VALUE_LIST:
        for (uint32_t i = 0; i < value.as.list->count; i++) {
            operands_add(emitter, &operands, emit_literal(emitter, value.as.list->items[i]));
        }
        return operand_variadic(emitter, mark, "rt.list", value.as.list->count, &operands);
    case VALUE_MAP:
        for (uint32_t i = 0; i < value.as.map->count; i++) {
            const ValueMember *member = &value.as.map->members[i];
            operands_add(emitter, &operands, operand_text(emitter, member->key));
            operands_add(emitter, &operands, emit_literal(emitter, member->value));
        }
        return operand_variadic(emitter, mark, "rt.map", value.as.map->count, &operands);
    }
    return literal;
}

Operand emit_convert(Emitter *emitter, uint32_t mark, Operand operand, ConvertTo to, Str path,
                     Span span) {
    if (to == CONVERT_ANY || to == CONVERT_TEXT) return operand;
    Operands operands = {0};
    operands_add(emitter, &operands, operand);
    operands_add(emitter, &operands, operand_text(emitter, str_from(convert_name(to))));
    operands_add(emitter, &operands, operand_text(emitter, path));
    operands_add_site(emitter, &operands, span);
    return operand_call(emitter, mark, "rt.convert", &operands);
}

// --- texts and objects --------------------------------------------------------------------------

static bool has_code(const Node *node) {
    return node_is_text(node) && template_has_code(node->text);
}

Operand emit_scalar(Emitter *emitter, const Node *node, Sink sink) {
    if (node_is_null(node) || node->type != YAML_SCALAR) {
        return sink == SINK_TEXT ? operand_text(emitter, (Str){0})
                                 : operand_lua(emitter, "rt.null");
    }
    if (!has_code(node)) return operand_text(emitter, node->text);
    Template *template = template_parse(emitter->parser, node, emitter->diags);
    return emit_template_value(emitter, template, sink);
}

static Operand map_key(Emitter *emitter, const Node *key) {
    return emit_scalar(emitter, key, SINK_TEXT);
}

Operand emit_object(Emitter *emitter, const Node *node, Str path) {
    uint32_t mark = emitter->frame->at;
    Operands operands = {0};
    switch (node->type) {
    case YAML_SCALAR:
        if (node_is_text(node)) return emit_scalar(emitter, node, SINK_OBJECT);
        return emit_literal(emitter, node->value);
    case YAML_LIST:
        for (uint32_t i = 0; i < node->items.count; i++) {
            operands_add(emitter, &operands,
                         emit_object(emitter, node->items.items[i], path_index(emitter, path, i)));
        }
        return operand_variadic(emitter, mark, "rt.list", node->items.count, &operands);
    case YAML_MAP:
        for (uint32_t i = 0; i < node->entries.count; i++) {
            const NodeEntry *entry = &node->entries.items[i];
            operands_add(emitter, &operands, map_key(emitter, entry->key));
            operands_add(
                emitter, &operands,
                emit_object(emitter, entry->value, path_key(emitter, path, entry->key->text)));
        }
        return operand_variadic(emitter, mark, "rt.map", node->entries.count, &operands);
    case YAML_HOLE:
        emitter->has_error = true;
        break;
    }
    return operand_lua(emitter, "rt.null");
}

// --- properties ---------------------------------------------------------------------------------

static ConvertTo conversion(const PropType *type) {
    switch (type->kind) {
    case T_STRING:
    case T_TIMEZONE:
    case T_ENCRYPTED:
    case T_ENUM:
        return CONVERT_TEXT;
    case T_INT:
        return CONVERT_INT;
    case T_NUMBER:
        return CONVERT_FLOAT;
    case T_BOOL:
        return CONVERT_BOOL;
    case T_DURATION:
        return CONVERT_DURATION;
    case T_DATETIME:
        return CONVERT_DATETIME;
    case T_DATE:
        return CONVERT_DATE;
    case T_TIME:
        return CONVERT_TIME;
    case T_URI:
        return CONVERT_URI;
    case T_LIST:
        return CONVERT_LIST;
    case T_MAP:
        return CONVERT_MAP;
    case T_OBJECT:
        return type->def != NULL && (type->def->flags & DEF_FROM_STRING) != 0 ? CONVERT_ANY
                                                                              : CONVERT_MAP;
    case T_ANY:
    case T_LABELS:
    case T_DATA:
    case T_TASK:
    case T_TRIGGER:
    case T_CONDITION:
    case T_RUNNER:
    case T_LOG_EXPORTER:
    case T_ASSET:
    case T_ASSET_EXPORTER:
    case T_PLUGIN:
    case T_EXTERNAL:
        break;
    }
    return CONVERT_ANY;
}

// A literal as its property's type; what does not convert is left to the run, which says why.
static bool literal_as(Emitter *emitter, const Node *node, ConvertTo to, Operand *out) {
    Value in = node->value, value;
    if (to == CONVERT_ANY) {
        *out = emit_literal(emitter, in);
        return true;
    }
    if (to == CONVERT_TEXT) {
        *out = operand_text(emitter, node->text);  // as written: 1.10 stays 1.10
        return true;
    }
    Err err = value_convert(in, to, emitter->arena, &value);
    if (err.code != ERR_NONE) return false;
    *out = emit_literal(emitter, value);
    return true;
}

// The items of a list or map that was read from rendered text.
static Operand convert_items(Emitter *emitter, uint32_t mark, Operand operand, const PropType *type,
                             Str path, Span span) {
    if ((type->kind != T_LIST && type->kind != T_MAP) || type->item == NULL) return operand;
    ConvertTo to = conversion(type->item);
    if (to == CONVERT_ANY || to == CONVERT_LIST || to == CONVERT_MAP) return operand;
    Operands operands = {0};
    operands_add(emitter, &operands, operand);
    operands_add(emitter, &operands, operand_text(emitter, str_from(convert_name(to))));
    operands_add(emitter, &operands, operand_text(emitter, path));
    operands_add_site(emitter, &operands, span);
    return operand_call(emitter, mark, "rt.items", &operands);
}

static Operand scalar_property(Emitter *emitter, const Node *node, const PropType *type,
                               PropMode mode, Str path) {
    uint32_t mark = emitter->frame->at;
    ConvertTo to = conversion(type);
    Operand operand;
    if (mode == MODE_STATIC || !has_code(node)) {
        bool is_shaped = to == CONVERT_LIST || to == CONVERT_MAP;
        if (is_shaped && mode != MODE_FULL) return emit_literal(emitter, node->value);
        if (literal_as(emitter, node, to, &operand)) return operand;
        if (mode == MODE_STATIC) return emit_literal(emitter, node->value);
        operand = operand_text(emitter, node->text);
        return emit_convert(emitter, mark, operand, to, path, node->span);
    }
    operand = emit_scalar(emitter, node, SINK_OBJECT);
    if (mode == MODE_LEAF && (to == CONVERT_LIST || to == CONVERT_MAP)) return operand;
    operand = emit_convert(emitter, mark, operand, to, path, node->span);
    return convert_items(emitter, mark, operand, type, path, node->span);
}

static Operand list_property(Emitter *emitter, const Node *node, const PropType *item,
                             PropMode mode, Str path) {
    uint32_t mark = emitter->frame->at;
    Operands operands = {0};
    for (uint32_t i = 0; i < node->items.count; i++) {
        operands_add(
            emitter, &operands,
            emit_property(emitter, node->items.items[i], item, mode, path_index(emitter, path, i)));
    }
    return operand_variadic(emitter, mark, "rt.list", node->items.count, &operands);
}

// The definition an object follows: its variant's where it has variants.
static const Def *object_def(const Def *def, const Node *node) {
    if (def == NULL || def->variant_count == 0) return def;
    const Node *key = node_get(node, def->discriminator);
    if (key == NULL || key->type != YAML_SCALAR) return def;
    for (uint32_t i = 0; i < def->variant_count; i++) {
        if (str_eq(def->variants[i].key, key->text)) return def->variants[i].def;
    }
    return def;
}

static const TaskType *plugin_type(Emitter *emitter, const Node *node) {
    const Node *name = node_get(node, STR("type"));
    bool is_alias = false;
    if (emitter->catalog == NULL || name == NULL || name->type != YAML_SCALAR) return NULL;
    return catalog_find(emitter->catalog, name->text, &is_alias);
}

static Operand map_property(Emitter *emitter, const Node *node, const PropType *type, PropMode mode,
                            Str path) {
    uint32_t mark = emitter->frame->at;
    const Def *def = type->kind == T_OBJECT ? object_def(type->def, node) : NULL;
    const TaskType *plugin =
        type->kind == T_OBJECT || type->kind == T_MAP ? NULL : plugin_type(emitter, node);
    static const PropType any = {.kind = T_ANY};
    Operands operands = {0};
    for (uint32_t i = 0; i < node->entries.count; i++) {
        const NodeEntry *entry = &node->entries.items[i];
        Str key = entry->key->text;
        const Prop *prop = def != NULL      ? def_prop(def, key)
                           : plugin != NULL ? type_prop(plugin, key)
                                            : NULL;
        const PropType *value_type = prop != NULL                                ? &prop->type
                                     : type->kind == T_MAP && type->item != NULL ? type->item
                                                                                 : &any;
        PropMode value_mode = prop != NULL && prop->mode > mode ? prop->mode : mode;
        operands_add(emitter, &operands,
                     mode == MODE_STATIC ? operand_text(emitter, key)
                                         : map_key(emitter, entry->key));
        operands_add(emitter, &operands,
                     emit_property(emitter, entry->value, value_type, value_mode,
                                   path_key(emitter, path, key)));
    }
    return operand_variadic(emitter, mark, "rt.map", node->entries.count, &operands);
}

Operand emit_property(Emitter *emitter, const Node *node, const PropType *type, PropMode mode,
                      Str path) {
    uint32_t mark = emitter->frame->at;
    static const PropType any = {.kind = T_ANY};
    if (node_is_null(node)) return operand_lua(emitter, "rt.null");
    if (node->type == YAML_HOLE) return emit_object(emitter, node, path);
    if (node->type == YAML_SCALAR) return scalar_property(emitter, node, type, mode, path);
    if (conversion(type) == CONVERT_TEXT && mode != MODE_STATIC) {
        // A list or map where a text is wanted becomes JSON text.
        Operands operands = {0};
        operands_add(emitter, &operands, emit_object(emitter, node, path));
        return operand_call(emitter, mark, "rt.text", &operands);
    }
    if (node->type == YAML_LIST) {
        return list_property(emitter, node,
                             type->kind == T_LIST && type->item != NULL ? type->item : &any, mode,
                             path);
    }
    return map_property(emitter, node, type, mode, path);
}

// A text property that prints nothing is the empty text; other types, and texts in maps and lists,
// are null then.
static bool is_text_property(const Property *property) {
    const Prop *schema = property->schema;
    return schema != NULL && schema->type.kind == T_STRING && schema->mode == MODE_FULL &&
           property->node->type == YAML_SCALAR && has_code(property->node);
}

Operand emit_properties(Emitter *emitter, const Property *properties, uint32_t count) {
    static const PropType any = {.kind = T_ANY};
    uint32_t mark = emitter->frame->at;
    Operands operands = {0};
    for (uint32_t i = 0; i < count; i++) {
        const Property *property = &properties[i];
        const Prop *schema = property->schema;
        Str name = schema != NULL ? schema->name : property->name;
        operands_add(emitter, &operands, operand_text(emitter, name));
        operands_add(emitter, &operands,
                     is_text_property(property)
                         ? emit_scalar(emitter, property->node, SINK_TEXT)
                         : emit_property(emitter, property->node,
                                         schema != NULL ? &schema->type : &any,
                                         schema != NULL ? schema->mode : MODE_FULL, name));
    }
    return operand_variadic(emitter, mark, "rt.map", count, &operands);
}
