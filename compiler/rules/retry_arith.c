// retry_arith.c - retries whose numbers contradict each other: what the server refuses (an error),
// and attempts that never happen (a warning).
#include "rules/rule.h"
#include "value/time.h"

enum { NANOSECONDS = 1000000000 };

static void refuse(const Retry *retry, const char *name, const char *bound, Diags *diags) {
    const Node *node = rule_member(retry->node, name);
    diag_add(diags, "E0508", DIAG_ERROR, node != NULL ? node->span : retry->node->span,
             "'%s' must be less than '%s'", name, bound);
}

// 2.0 takes durations of more than nothing and of at most ten years.
static void check_lengths(const Retry *retry, const Flow *flow, Diags *diags) {
    static const char *const names[] = {"interval", "minInterval", "maxInterval", "maxDuration"};
    enum { DAYS = 3650 };
    if ((flow->targets & TARGET_2_0) == 0) return;
    for (size_t i = 0; i < COUNT(names); i++) {
        const Node *node = rule_member(retry->node, names[i]);
        if (node == NULL || node->type != YAML_SCALAR || template_has_code(node->text)) continue;
        int64_t nanoseconds = 0;
        const bool is_number = node->value.kind == VALUE_INT;
        int64_t seconds = is_number ? node->value.as.integer : 0;
        if (!is_number) {
            if (duration_parse(node->text, true, &nanoseconds).code != ERR_NONE) continue;
            seconds = nanoseconds / NANOSECONDS;
        }
        const bool is_long = seconds > (int64_t)DAYS * 24 * 60 * 60;
        const bool is_none = seconds < 0 || (seconds == 0 && nanoseconds <= 0);
        if (!is_long && !is_none) continue;
        Diag *diag = diag_add(diags, "E0508", DIAG_ERROR, node->span, "'%s' must be %s", names[i],
                              is_long ? "at most 3650 days" : "more than nothing");
        diag->targets = TARGET_2_0;
    }
}

static void check_retry(const Rule *rule, const Flow *flow, const Retry *retry, Diags *diags) {
    if (retry == NULL || flow_span_is_default(flow, retry->node->span)) return;
    check_lengths(retry, flow, diags);
    // What is not given is 0, and a bound may be less than that.
    const int64_t longest = retry->max_duration;
    const bool has_interval = rule_member(retry->node, "interval") != NULL;
    const bool has_least = rule_member(retry->node, "minInterval") != NULL;
    if (longest != 0 && has_interval && retry->interval >= longest) {
        refuse(retry, "interval", "maxDuration", diags);
    }
    if (longest != 0 && has_least && retry->min_interval >= longest) {
        refuse(retry, "minInterval", "maxDuration", diags);
    }
    if (longest > 0 && retry->max_interval >= longest && str_eq(retry->type, STR("random"))) {
        refuse(retry, "maxInterval", "maxDuration", diags);
    }
    if (retry->max_interval != 0 && has_interval && retry->interval >= retry->max_interval) {
        refuse(retry, "interval", "maxInterval", diags);
    }
    if (retry->max_interval != 0 && has_least && retry->min_interval >= retry->max_interval) {
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
