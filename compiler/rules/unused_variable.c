// unused_variable.c - a variable of the flow that nothing reads.
#include "rules/rule.h"

// `vars.x` as a whole value: braces are missing, which is the mistake.
static bool is_bare(const Node *node, Str name, uint32_t depth) {
    if (depth > SYNTAX_DEPTH_MAX) return false;
    if (node->type == YAML_SCALAR) {
        return node->text.len == name.len + 5 && str_starts_with(node->text, STR("vars.")) &&
               str_ends_with(node->text, name);
    }
    for (uint32_t i = 0; i < node->items.count; i++) {
        if (is_bare(node->items.items[i], name, depth + 1)) return true;
    }
    for (uint32_t i = 0; i < node->entries.count; i++) {
        if (is_bare(node->entries.items[i].value, name, depth + 1)) return true;
    }
    return false;
}

static bool is_read(const Flow *flow, Str name) {
    for (uint32_t i = 0; i < flow->checked->refs.count; i++) {
        const Ref *ref = &flow->checked->refs.items[i];
        if (ref->kind != REF_VARIABLE) continue;
        if (ref->name.len == 0 || str_eq(ref->name, name)) return true;
    }
    return checked_may_mention(flow->checked, name) || is_bare(flow->node, name, 0);
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    const Node *map = flow->variables;
    if (flow->has_holes || map == NULL || map->type != YAML_MAP) return;
    for (uint32_t i = 0; i < map->entries.count; i++) {
        const Node *key = map->entries.items[i].key;
        if (is_read(flow, key->text)) continue;
        diag_add(diags, rule->code, rule->level, key->span, "variable '" STR_FMT "' is never used",
                 STR_ARG(key->text));
    }
}

const Rule rule_unused_variable = {
    .code = "W0213",
    .name = "unused-variable",
    .level = DIAG_WARNING,
    .help = "Nothing in the flow reads 'vars.<name>'.",
    .check = check,
};
