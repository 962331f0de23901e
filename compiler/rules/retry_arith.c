// retry_arith.c - retries whose numbers contradict each other: what the server refuses (an error),
// and attempts that never happen (a warning).
#include "rules/rule.h"

static void refuse(const Retry *retry, const char *name, const char *bound, Diags *diags) {
    const Node *node = rule_member(retry->node, name);
    diag_add(diags, "E0508", DIAG_ERROR, node != NULL ? node->span : retry->node->span,
             "'%s' must be less than '%s'", name, bound);
}

static void check_retry(const Rule *rule, const Flow *flow, const Retry *retry, Diags *diags) {
    if (retry == NULL || flow_span_is_default(flow, retry->node->span)) return;
    int64_t longest = retry->max_duration;
    if (longest > 0 && retry->interval >= longest) refuse(retry, "interval", "maxDuration", diags);
    if (longest > 0 && retry->min_interval >= longest) {
        refuse(retry, "minInterval", "maxDuration", diags);
    }
    if (longest > 0 && retry->max_interval >= longest && str_eq(retry->type, STR("random"))) {
        refuse(retry, "maxInterval", "maxDuration", diags);
    }
    if (retry->max_interval > 0 && retry->interval >= retry->max_interval) {
        refuse(retry, "interval", "maxInterval", diags);
    }
    if (retry->max_interval > 0 && retry->min_interval >= retry->max_interval) {
        refuse(retry, "minInterval", "maxInterval", diags);
    }
    if (retry->max_attempts != 1) return;
    const Node *node = rule_member(retry->node, "maxAttempts");
    if (node == NULL) node = rule_member(retry->node, "maxAttempt");
    diag_add(diags, rule->code, rule->level, node->span,
             "one attempt is the first run itself: nothing is ever retried");
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    check_retry(rule, flow, flow->retry, diags);
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        check_retry(rule, flow, flow->all_tasks.items[i]->retry, diags);
    }
}

const Rule rule_retry_arith = {
    .code = "W0509",
    .name = "retry-arith",
    .level = DIAG_WARNING,
    .help = "'maxAttempts' counts every attempt, the first included.",
    .check = check,
};
