// flow_trigger_catch_all.c - a Flow trigger that nothing narrows: it fires for every execution of
// every flow. Kestra says so when the flow is saved.
#include "rules/rule.h"

// Whether the property is there and says something.
static bool narrows(const TriggerDecl *trigger, const char *name) {
    const Property *property = properties_find(&trigger->properties, str_from(name));
    const Node *node = property == NULL ? NULL : property->node;
    if (node == NULL || node_is_null(node)) return false;
    if (node->type == YAML_LIST) return node->items.count > 0;
    return !str_eq(rule_text(node), STR("true"));
}

static bool is_open(const TriggerDecl *trigger) {
    static const char *const names[] = {"preconditions", "conditions", "dependsOn", "when"};
    for (size_t i = 0; i < COUNT(names); i++) {
        if (narrows(trigger, names[i])) return false;
    }
    return true;
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    if (flow->has_holes) return;
    bool is_new_only = flow->checked->targets == TARGET_2_0;
    for (uint32_t i = 0; i < flow->triggers.count; i++) {
        const TriggerDecl *trigger = flow->triggers.items[i];
        if (trigger->type == NULL || trigger->is_disabled) continue;
        if (!str_ends_with(trigger->type->name, STR(".core.trigger.Flow"))) continue;
        if (!is_open(trigger)) continue;
        Diag *diag =
            diag_add(diags, rule->code, rule->level, trigger->id_span,
                     "'" STR_FMT "' fires for every execution of every flow", STR_ARG(trigger->id));
        diag_note(diag, is_new_only ? "add 'dependsOn'" : "add 'preconditions'");
    }
}

const Rule rule_flow_trigger_catch_all = {
    .code = "W0513",
    .name = "flow-trigger-catch-all",
    .level = DIAG_WARNING,
    .help = "A trigger that nothing narrows also fires for the executions of its own flow.",
    .check = check,
};
