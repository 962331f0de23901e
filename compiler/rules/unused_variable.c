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

// The whole flow is looked through for so many variables that nothing reads; a flow has few.
enum { LOOKS_MAX = 32 };

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    const Node *map = flow->variables;
    if (flow->has_holes || flow->has_gaps || map == NULL || map->type != YAML_MAP) return;
    uint32_t looks = 0;
    for (uint32_t i = 0; i < map->entries.count; i++) {
        const Node *key = map->entries.items[i].key;
        if (is_read(flow, key->text)) continue;
        Str path = str_printf(diags->arena, "vars." STR_FMT, STR_ARG(key->text));
        if (looks++ < LOOKS_MAX && rule_is_named(flow->node, path)) continue;
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
