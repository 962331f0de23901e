// system_label.c - labels whose key begins with `system.`: only the server may set them. In the
// flow's own labels `system.readOnly` is tolerated.
#include "rules/rule.h"

static void check_key(const Rule *rule, const Node *key, bool is_flow, Diags *diags) {
    Str text = rule_text(key);
    if (!str_starts_with(text, STR("system."))) return;
    if (is_flow && str_eq(text, STR("system.readOnly"))) return;
    diag_add(diags, rule->code, rule->level, key->span,
             "label '" STR_FMT "' can be set by the server only", STR_ARG(text));
}

static void check_labels(const Rule *rule, const Node *labels, bool is_flow, Diags *diags) {
    if (labels == NULL) return;
    for (uint32_t i = 0; i < labels->entries.count; i++) {
        check_key(rule, labels->entries.items[i].key, is_flow, diags);
    }
    for (uint32_t i = 0; i < labels->items.count; i++) {
        const Node *key = rule_member(labels->items.items[i], "key");
        if (key != NULL) check_key(rule, key, is_flow, diags);
    }
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    check_labels(rule, flow->labels, true, diags);
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        const Task *task = flow->all_tasks.items[i];
        bool has_labels = task_is(task, "flow.Subflow") || task_is(task, "flow.ForEachItem") ||
                          task_is(task, "execution.Labels");
        const Property *property = has_labels ? task_property(task, STR("labels")) : NULL;
        if (property != NULL) check_labels(rule, property->node, false, diags);
    }
    for (uint32_t i = 0; i < flow->triggers.count; i++) {
        const Property *property =
            properties_find(&flow->triggers.items[i]->properties, STR("labels"));
        if (property != NULL) check_labels(rule, property->node, false, diags);
    }
    for (uint32_t i = 0; flow->sla != NULL && i < flow->sla->items.count; i++) {
        check_labels(rule, rule_member(flow->sla->items.items[i], "labels"), false, diags);
    }
}

const Rule rule_system_label = {
    .code = "E0116",
    .name = "system-label",
    .level = DIAG_ERROR,
    .help = "Keys that begin with 'system.' belong to the server.",
    .check = check,
};
