// trigger_inputs.c - a schedule or a webhook that starts the flow without an input it needs.
#include "rules/rule.h"

// A server before 2.0 starts the flow all the same, and the run fails.
static DiagLevel level_of(const Flow *flow) {
    return (flow->checked->targets & TARGET_2_0) != 0 ? DIAG_ERROR : DIAG_WARNING;
}

// An input asked for under a condition may never be asked for; 2.0 refuses the flow all the same.
static bool is_needed(const Flow *flow, const InputDecl *input) {
    if (!input->is_required || !input->has_type || input->id.len == 0) return false;
    if (input->defaults != NULL || input->auto_first) return false;
    return level_of(flow) == DIAG_ERROR ||
           (input->condition == NULL && input->depends_on.count == 0);
}

// By its own name, or inside a map under the name of its form.
static bool is_given(const Node *map, Str id) {
    size_t dot = str_find_char(id, '.', 0);
    if (node_entry(map, id) != NULL) return true;
    if (dot == STR_NOT_FOUND) return false;
    const Node *form = node_get(map, str_slice(id, 0, dot));
    return form != NULL &&
           (form->type != YAML_MAP || node_entry(form, str_slice(id, dot + 1, id.len)) != NULL);
}

static const InputDecl *first_missing(const Flow *flow, InputDecl *const *inputs, uint32_t count,
                                      const Node *given) {
    for (uint32_t i = 0; i < count; i++) {
        const InputDecl *input = inputs[i];
        if (input->type == INPUT_FORM || input->children.count > 0) {
            const InputDecl *inner =
                first_missing(flow, input->children.items, input->children.count, given);
            if (inner != NULL) return inner;
        } else if (is_needed(flow, input) && !is_given(given, input->id)) {
            return input;
        }
    }
    return NULL;
}

static void check_trigger(const Rule *rule, const Flow *flow, const TriggerDecl *trigger,
                          Diags *diags) {
    const Property *given = properties_find(&trigger->properties, STR("inputs"));
    const Node *map = given != NULL ? given->node : NULL;
    if (map != NULL && map->type != YAML_MAP) return;
    const InputDecl *input = first_missing(flow, flow->inputs.items, flow->inputs.count, map);
    if (input == NULL) return;
    Diag *diag = diag_add(diags, rule->code, level_of(flow), trigger->id_span,
                          "trigger '" STR_FMT "' does not give the required input '" STR_FMT "'",
                          STR_ARG(trigger->id), STR_ARG(input->id));
    diag_label(diag, input->id_span, "it has no default");
    if (level_of(flow) == DIAG_ERROR) diag->targets = TARGET_2_0;
    diag_note(diag, "give it in 'inputs' of the trigger, or give the input 'defaults'");
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
