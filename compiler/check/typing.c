// typing.c - types of what is declared: by the catalog, by literals, by the rows of builtins.
#include "check/typing.h"

enum { DECLARED_DEPTH_MAX = 6, DECLARED_FIELDS_MAX = 64 };

Place *place_new(Arena *arena, Origin origin, Str name) {
    Place *place = arena_new(arena, Place);
    place->origin = origin;
    place->name = name;
    place->is_certain = true;
    return place;
}

void place_add(Arena *arena, Place *place, Str name, const Type *type, const Place *inner) {
    *LIST_ADD(arena, &place->fields, PlaceField) = (PlaceField){name, type, inner};
}

PlaceField *place_field(const Place *place, Str name) {
    for (uint32_t i = 0; i < place->fields.count; i++) {
        if (str_eq(place->fields.items[i].name, name)) return &place->fields.items[i];
    }
    return NULL;
}

static const Type *of_prop(Arena *arena, const PropType *type, int depth);

static const Type *of_object(Arena *arena, const Def *def, int depth) {
    if (def == NULL || def->prop_count == 0 || def->prop_count > DECLARED_FIELDS_MAX) {
        return type_any();
    }
    TypeField *fields = arena_array(arena, TypeField, def->prop_count);
    for (uint32_t i = 0; i < def->prop_count; i++) {
        fields[i] = (TypeField){.name = def->props[i].name,
                                .type = of_prop(arena, &def->props[i].type, depth + 1),
                                .is_optional = true};
    }
    // Objects of outputs are written down from classes that grow.
    return type_record(arena, fields, def->prop_count, true);
}

static const Type *of_prop(Arena *arena, const PropType *type, int depth) {
    if (type == NULL || depth > DECLARED_DEPTH_MAX) return type_any();
    switch (type->kind) {
    case T_STRING:
    case T_TIMEZONE:
        return type_text(TEXT_PLAIN);
    case T_INT:
        return type_int();
    case T_NUMBER:
        return type_number();
    case T_BOOL:
        return type_bool();
    case T_DURATION:
        return type_text(TEXT_DURATION);
    case T_DATETIME:
        return type_text(TEXT_DATETIME);
    case T_DATE:
        return type_text(TEXT_DATE);
    case T_TIME:
        return type_text(TEXT_TIME);
    case T_URI:
        return type_text(TEXT_URI);
    case T_ENUM:
        if (type->def == NULL || (type->def->flags & (DEF_LOOSE | DEF_FROM_SDK)) != 0) {
            return type_text(TEXT_PLAIN);
        }
        return type_literals(arena, type->def->values, type->def->value_count);
    case T_LIST:
        return type_list(arena, of_prop(arena, type->item, depth + 1));
    case T_MAP:
        return type_map(arena, of_prop(arena, type->item, depth + 1));
    case T_OBJECT:
        return of_object(arena, type->def, depth);
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
    case T_PLUGIN:
    case T_EXTERNAL:
        return type_any();
    }
    return type_any();
}

const Type *type_of_prop(Arena *arena, const PropType *type) {
    return of_prop(arena, type, 0);
}

const Type *type_of_node(Arena *arena, const Node *node) {
    if (node == NULL || node->type == YAML_HOLE) return type_any();
    if (node->type == YAML_LIST) {
        const Type *item = type_never();
        for (uint32_t i = 0; i < node->items.count; i++) {
            item = type_join(arena, item, type_of_node(arena, node->items.items[i]));
        }
        return type_list(arena, item);
    }
    if (node->type == YAML_MAP) {
        bool is_open = false;
        TypeField *fields = arena_array(arena, TypeField, node->entries.count);
        for (uint32_t i = 0; i < node->entries.count; i++) {
            const NodeEntry *entry = &node->entries.items[i];
            is_open = is_open || template_has_code(entry->key->text);
            fields[i] =
                (TypeField){.name = entry->key->text, .type = type_of_node(arena, entry->value)};
        }
        return type_record(arena, fields, node->entries.count, is_open);
    }
    if (template_has_code(node->text)) return type_any();
    return type_of_value(arena, node->value);
}

const Type *type_of_word(Arena *arena, const char *word) {
    Str name = word == NULL ? (Str){0} : str_from(word);
    if (str_eq(name, STR("text"))) return type_text(TEXT_PLAIN);
    if (str_eq(name, STR("bool"))) return type_bool();
    if (str_eq(name, STR("int"))) return type_int();
    if (str_eq(name, STR("float"))) return type_float();
    if (str_eq(name, STR("number"))) return type_number();
    if (str_eq(name, STR("null"))) return type_null();
    if (str_eq(name, STR("list"))) return type_list(arena, type_any());
    if (str_eq(name, STR("map"))) return type_map(arena, type_any());
    return type_any();
}
