// trigger_inputs.c - a schedule or a webhook that starts the flow without an input it needs.
#include "rules/rule.h"

static bool is_needed(const InputDecl *input) {
    if (!input->is_required || !input->has_type || input->id.len == 0) return false;
    if (input->defaults != NULL || input->expression != NULL || input->auto_first) return false;
    // Asked only under a condition, or made of others.
    return input->condition == NULL && input->depends_on.count == 0 && input->children.count == 0;
}

// A server before 2.0 starts the flow all the same, and the run fails.
static DiagLevel level_of(const Flow *flow) {
    return flow->checked->targets == TARGET_2_0 ? DIAG_ERROR : DIAG_WARNING;
}

static void check_trigger(const Rule *rule, const Flow *flow, const TriggerDecl *trigger,
                          Diags *diags) {
    const Property *given = properties_find(&trigger->properties, STR("inputs"));
    const Node *map = given != NULL ? given->node : NULL;
    if (map != NULL && map->type != YAML_MAP) return;
    for (uint32_t i = 0; i < flow->inputs.count; i++) {
        const InputDecl *input = flow->inputs.items[i];
        if (!is_needed(input) || node_entry(map, input->id) != NULL) continue;
        Diag *diag =
            diag_add(diags, rule->code, level_of(flow), trigger->id_span,
                     "trigger '" STR_FMT "' does not give the required input '" STR_FMT "'",
                     STR_ARG(trigger->id), STR_ARG(input->id));
        diag_label(diag, input->id_span, "it has no default");
        diag_note(diag, "give it in 'inputs' of the trigger, or give the input 'defaults'");
        return;
    }
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    if (flow->has_holes) return;
    for (uint32_t i = 0; i < flow->triggers.count; i++) {
        const TriggerDecl *trigger = flow->triggers.items[i];
        if (trigger->type == NULL || trigger->is_disabled) continue;
        bool is_alone = str_ends_with(trigger->type->name, STR(".trigger.Schedule")) ||
                        str_ends_with(trigger->type->name, STR(".trigger.Webhook"));
        if (is_alone) check_trigger(rule, flow, trigger, diags);
    }
}

const Rule rule_trigger_inputs = {
    .code = "E0211",
    .name = "trigger-inputs",
    .level = DIAG_ERROR,
    .help = "A trigger starts the flow with no one to ask for what is missing.",
    .check = check,
};
