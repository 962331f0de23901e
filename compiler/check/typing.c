// typing.c - places, and types of literals and of the words in the rows of builtins.
#include "check/typing.h"

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
