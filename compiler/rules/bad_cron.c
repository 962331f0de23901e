// bad_cron.c - cron expressions of a Schedule: form and ranges, and dates that never come.
#include "rules/cron.h"
#include "rules/rule.h"

static const Node *cron_of(const TriggerDecl *trigger, bool *with_seconds) {
    if (trigger->type == NULL || !str_ends_with(trigger->type->name, STR(".trigger.Schedule"))) {
        return NULL;
    }
    const Property *seconds = properties_find(&trigger->properties, STR("withSeconds"));
    *with_seconds = seconds != NULL && str_eq(rule_text(seconds->node), STR("true"));
    const Property *cron = properties_find(&trigger->properties, STR("cron"));
    if (cron == NULL || cron->node->type != YAML_SCALAR) return NULL;
    return cron->node;
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    for (uint32_t i = 0; i < flow->triggers.count; i++) {
        bool with_seconds = false;
        const Node *cron = cron_of(flow->triggers.items[i], &with_seconds);
        if (cron == NULL) continue;
        if (template_has_code(cron->text)) {
            diag_add(diags, rule->code, rule->level, cron->span,
                     "'cron' is read when the flow is saved: a template is not rendered here");
            continue;
        }
        CronResult result = cron_check(cron->text, with_seconds);
        if (result.problem == NULL) continue;
        uint32_t start = (uint32_t)(result.at.ptr - cron->text.ptr);
        Span span =
            result.at.len > 0 ? scalar_span(cron, start, (uint32_t)result.at.len) : cron->span;
        diag_add(diags, rule->code, rule->level, span, "bad cron expression '" STR_FMT "': %s",
                 STR_ARG(cron->text), result.problem);
    }
}

const Rule rule_bad_cron = {
    .code = "E0502",
    .name = "bad-cron",
    .level = DIAG_ERROR,
    .help = "Minutes, hours, day of month, month, day of week; seconds first with 'withSeconds'.",
    .check = check,
};

static void check_never(const Rule *rule, const Flow *flow, Diags *diags) {
    for (uint32_t i = 0; i < flow->triggers.count; i++) {
        bool with_seconds = false;
        const Node *cron = cron_of(flow->triggers.items[i], &with_seconds);
        if (cron == NULL || template_has_code(cron->text)) continue;
        if (!cron_check(cron->text, with_seconds).is_never) continue;
        diag_add(diags, rule->code, rule->level, cron->span, "'" STR_FMT "' never comes",
                 STR_ARG(cron->text));
    }
}

const Rule rule_cron_never = {
    .code = "E0503",
    .name = "cron-never",
    .level = DIAG_ERROR,
    .help = "No month has the day that is asked for.",
    .check = check_never,
};
