// batch_webhook.c - the condition of a batch webhook reads what is there for single events only.
#include "rules/rule.h"

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    static const char *const fields[] = {"trigger.body", "trigger.headers", "trigger.parameters"};
    for (uint32_t i = 0; i < flow->checked->sites.count; i++) {
        const Site *site = flow->checked->sites.items[i];
        const TriggerDecl *trigger = site->trigger;
        if (trigger == NULL || trigger->type == NULL) continue;
        if (!str_ends_with(trigger->type->name, STR(".trigger.BatchWebhook"))) continue;
        if (!str_eq(site_property(site), STR("when"))) continue;
        for (size_t k = 0; k < COUNT(fields); k++) {
            Str field = str_from(fields[k]);
            size_t at = str_find(site->node->text, field, 0);
            if (at == STR_NOT_FOUND) continue;
            Diag *diag = diag_add(
                diags, rule->code, rule->level,
                scalar_span(site->node, (uint32_t)at, (uint32_t)field.len),
                "'" STR_FMT "' is not there when a batch is complete: the trigger never fires",
                STR_ARG(field));
            diag_note(diag, "look at single events in 'eventFilter'; here there is 'trigger.date'");
            break;
        }
    }
}

const Rule rule_batch_webhook = {
    .code = "E0307",
    .name = "unknown-trigger-field",
    .level = DIAG_WARNING,
    .help = "The condition of a batch is asked once for the whole batch, not for each event.",
    .check = check,
};
