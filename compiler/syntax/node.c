// node.c - questions to nodes.
#include "syntax/syntax.h"

const NodeEntry *node_entry(const Node *map, Str key) {
    if (map == NULL || map->type != YAML_MAP) return NULL;
    for (uint32_t i = 0; i < map->entries.count; i++) {
        if (str_eq(map->entries.items[i].key->text, key)) return &map->entries.items[i];
    }
    return NULL;
}

Node *node_get(const Node *map, Str key) {
    const NodeEntry *entry = node_entry(map, key);
    return entry == NULL ? NULL : entry->value;
}

bool node_is_text(const Node *node) {
    return node != NULL && node->type == YAML_SCALAR && node->resolved == YAML_SCALAR_TEXT;
}

bool node_is_null(const Node *node) {
    return node != NULL && node->type == YAML_SCALAR && node->resolved == YAML_SCALAR_NULL;
}

const char *node_kind_name(const Node *node) {
    switch (node->type) {
    case YAML_LIST:
        return "list";
    case YAML_MAP:
        return "map";
    case YAML_HOLE:
        return "unreadable text";
    case YAML_SCALAR:
        break;
    }
    switch (node->resolved) {
    case YAML_SCALAR_TEXT:
        return "text";
    case YAML_SCALAR_NULL:
        return "null";
    case YAML_SCALAR_BOOL:
        return "boolean";
    case YAML_SCALAR_INT:
        return "integer";
    case YAML_SCALAR_FLOAT:
        return "number";
    }
    return "text";
}

// Recursion is bounded by SYNTAX_DEPTH_MAX.
Value node_to_value(const Node *node, Arena *arena) {
    switch (node->type) {
    case YAML_SCALAR:
        return node->value;
    case YAML_HOLE:
        return value_null();
    case YAML_LIST: {
        Value list = value_list(arena);
        for (uint32_t i = 0; i < node->items.count; i++) {
            value_list_add(arena, list, node_to_value(node->items.items[i], arena));
        }
        return list;
    }
    case YAML_MAP: {
        Value map = value_map(arena);
        for (uint32_t i = 0; i < node->entries.count; i++) {
            value_map_set(arena, map, node->entries.items[i].key->text,
                          node_to_value(node->entries.items[i].value, arena));
        }
        return map;
    }
    }
    return value_null();
}
