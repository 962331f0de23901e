// bad_precondition.c - preconditions, time windows, SLAs and checks that cannot hold or lack what
// they need.
#include "rules/rule.h"

static void need(const Rule *rule, const Node *map, Diags *diags, const char *name,
                 const char *of) {
    if (rule_member(map, name) != NULL) return;
    diag_add(diags, rule->code, rule->level, map->span, "%s needs '%s'", of, name);
}

static void forbid(const Rule *rule, const Node *map, Diags *diags, const char *name,
                   const char *of) {
    const NodeEntry *entry = node_entry(map, str_from(name));
    if (entry == NULL) return;
    diag_add(diags, rule->code, rule->level, entry->key->span, "%s cannot have '%s'", of, name);
}

static void check_window(const Rule *rule, const Node *window, Diags *diags) {
    static const struct {
        const char *type;
        const char *needs[2];
        const char *forbids[5];
    } rows[] = {
        {"DURATION_WINDOW",     {NULL},                   {"deadline", "startTime", "endTime"}                 },
        {"SLIDING_WINDOW",      {NULL},                   {"deadline", "startTime", "endTime", "windowAdvance"}},
        {"DAILY_TIME_WINDOW",   {"startTime", "endTime"}, {"window", "windowAdvance", "deadline"}              },
        {"DAILY_TIME_DEADLINE", {"deadline"},             {"window", "windowAdvance", "startTime", "endTime"}  },
    };
    if (window == NULL || window->type != YAML_MAP) return;
    Str type = rule_text(rule_member(window, "type"));
    if (type.len == 0) type = STR("DURATION_WINDOW");
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (!str_eq(type, str_from(rows[i].type))) continue;
        for (size_t k = 0; k < COUNT(rows[i].needs) && rows[i].needs[k] != NULL; k++) {
            need(rule, window, diags, rows[i].needs[k], rows[i].type);
        }
        for (size_t k = 0; k < COUNT(rows[i].forbids) && rows[i].forbids[k] != NULL; k++) {
            forbid(rule, window, diags, rows[i].forbids[k], rows[i].type);
        }
    }
}

static void check_filter(const Rule *rule, const Node *filter, Diags *diags) {
    Str type = rule_text(rule_member(filter, "type"));
    if (type.len == 0) return;
    bool is_list = str_eq(type, STR("IN")) || str_eq(type, STR("NOT_IN"));
    need(rule, filter, diags, is_list ? "values" : "value", "this filter");
    forbid(rule, filter, diags, is_list ? "value" : "values", "this filter");
}

static void check_trigger(const Rule *rule, const TriggerDecl *trigger, Diags *diags) {
    const Property *property = properties_find(&trigger->properties, STR("preconditions"));
    const Node *map = property == NULL ? NULL : property->node;
    if (map == NULL || map->type != YAML_MAP) return;
    const Node *id = rule_member(map, "id");
    if (id != NULL && template_has_code(rule_text(id))) {
        diag_add(diags, rule->code, rule->level, id->span,
                 "'id' is read when the flow is saved: a template is not rendered here");
    }
    check_window(rule, rule_member(map, "timeWindow"), diags);
    const Node *where = rule_member(map, "where");
    for (uint32_t i = 0; where != NULL && i < where->items.count; i++) {
        const Node *filters = rule_member(where->items.items[i], "filters");
        for (uint32_t k = 0; filters != NULL && k < filters->items.count; k++) {
            check_filter(rule, filters->items.items[k], diags);
        }
    }
}

static void check_webhook(const Rule *rule, const Flow *flow, const TriggerDecl *trigger,
                          Diags *diags) {
    if (trigger->type == NULL || !str_ends_with(trigger->type->name, STR(".trigger.Webhook")))
        return;
    const Node *key = rule_member(trigger->node, "key");
    if ((flow->targets & TARGET_2_0) != 0 && key != NULL && key->type == YAML_SCALAR &&
        str_trim(key->text).len == 0 && !node_is_null(key)) {
        Diag *diag = diag_add(diags, "E0102", DIAG_ERROR, key->span, "'key' must not be empty");
        diag->targets = TARGET_2_0;
    }
    const Node *conditions = rule_member(trigger->node, "conditions");
    for (uint32_t i = 0; conditions != NULL && i < conditions->items.count; i++) {
        const Node *type = rule_member(conditions->items.items[i], "type");
        if (!str_ends_with(rule_text(type), STR(".MultipleCondition"))) continue;
        diag_add(diags, rule->code, rule->level, type->span,
                 "a Webhook cannot have a MultipleCondition");
    }
}

// A batch is complete by its count or by time.
static void check_batch(const Rule *rule, const TriggerDecl *trigger, Diags *diags) {
    if (trigger->type == NULL) return;
    if (!str_ends_with(trigger->type->name, STR(".trigger.BatchWebhook"))) return;
    if (properties_find(&trigger->properties, STR("eventsCount")) != NULL) return;
    if (properties_find(&trigger->properties, STR("pollingInterval")) != NULL) return;
    diag_add(diags, rule->code, rule->level, trigger->id_span,
             "a BatchWebhook needs 'eventsCount' or 'pollingInterval': without them no batch is "
             "ever complete");
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    if (flow->has_holes) return;
    for (uint32_t i = 0; i < flow->triggers.count; i++) {
        check_trigger(rule, flow->triggers.items[i], diags);
        check_batch(rule, flow->triggers.items[i], diags);
        check_webhook(rule, flow, flow->triggers.items[i], diags);
    }
    for (uint32_t i = 0; flow->sla != NULL && i < flow->sla->items.count; i++) {
        const Node *sla = flow->sla->items.items[i];
        if (sla->type != YAML_MAP) continue;
        Str type = rule_text(rule_member(sla, "type"));
        if (str_eq(type, STR("MAX_DURATION"))) need(rule, sla, diags, "duration", "MAX_DURATION");
        if (str_eq(type, STR("EXECUTION_ASSERTION"))) {
            need(rule, sla, diags, "assert", "EXECUTION_ASSERTION");
        }
    }
    for (uint32_t i = 0; flow->checks != NULL && i < flow->checks->items.count; i++) {
        const Node *item = flow->checks->items.items[i];
        if (item->type != YAML_MAP || rule_member(item, "when") != NULL) continue;
        need(rule, item, diags, "condition", "a check");
    }
}

const Rule rule_bad_precondition = {
    .code = "E0119",
    .name = "bad-precondition",
    .level = DIAG_ERROR,
    .help = "A window, filter, SLA or check must have what its type needs and nothing it excludes.",
    .check = check,
};
