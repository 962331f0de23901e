// unused_variable.c - a variable of the flow that nothing reads.
#include "rules/rule.h"

static bool is_read(const Flow *flow, Str name) {
    for (uint32_t i = 0; i < flow->checked->refs.count; i++) {
        const Ref *ref = &flow->checked->refs.items[i];
        if (ref->kind != REF_VARIABLE) continue;
        if (ref->name.len == 0 || str_eq(ref->name, name)) return true;
    }
    return checked_may_mention(flow->checked, name);
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
