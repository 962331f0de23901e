// rules.c - runs them all; the few questions that several rules ask.
#include "rules/rule.h"

void rules_run(const Flow *flow, Diags *diags) {
    for (size_t i = 0; rules_all[i] != NULL; i++) rules_all[i]->check(rules_all[i], flow, diags);
}

Str rule_text(const Node *node) {
    return node != NULL && node->type == YAML_SCALAR ? node->text : (Str){0};
}

const Node *rule_member(const Node *map, const char *name) {
    const Node *node = node_get(map, str_from(name));
    if (node == NULL || node->type == YAML_HOLE || node_is_null(node)) return NULL;
    return node;
}

static bool is_named(const Node *node, Str path, uint32_t depth) {
    if (node == NULL || depth > SYNTAX_DEPTH_MAX) return false;
    if (node->type == YAML_SCALAR) return str_find(node->text, path, 0) != STR_NOT_FOUND;
    for (uint32_t i = 0; i < node->items.count; i++) {
        if (is_named(node->items.items[i], path, depth + 1)) return true;
    }
    for (uint32_t i = 0; i < node->entries.count; i++) {
        if (is_named(node->entries.items[i].value, path, depth + 1)) return true;
    }
    return false;
}

bool rule_is_named(const Node *node, Str path) {
    return is_named(node, path, 0);
}

bool site_is_command(const Site *site) {
    if (site->kind != SITE_TASK || site->is_static) return false;
    static const char *const names[] = {"commands", "beforeCommands", "afterCommands",
                                        "script",   "command",        "finallyCommands"};
    Str name = site_property(site);
    for (size_t i = 0; i < COUNT(names); i++) {
        if (str_eq(name, str_from(names[i]))) return true;
    }
    return false;
}
