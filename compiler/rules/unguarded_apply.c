// unguarded_apply.c - something is created, changed or destroyed outside, and nobody was asked
// before. Under --strict, or where the project gives the rule a level.
//
// Guarded is what certainly comes after a Pause that somebody has to end: one that waits for ever,
// or fails when its time is over.
#include <string.h>

#include "rules/rule.h"

// What changes the world: a program and the words behind it, as they are typed.
static const struct {
    const char *program, *verbs;
} commands[] = {
    {"terraform",  "apply destroy import taint"                                              },
    {"tofu",       "apply destroy import taint"                                              },
    {"terragrunt", "apply destroy run-all"                                                   },
    {"pulumi",     "up destroy"                                                              },
    {"kubectl",    "apply create delete replace patch scale drain edit rollout set"          },
    {"helm",       "install upgrade uninstall delete rollback"                               },
    {"cdk",        "deploy destroy"                                                          },
    {"eksctl",     "create delete scale"                                                     },
    {"serverless", "deploy remove"                                                           },
    {"aws",        "rm rb deploy create-* delete-* terminate-* run-* put-* update-* modify-*"},
    {"gcloud",     "create delete deploy update resize"                                      },
    {"az",         "create delete deploy update start stop"                                  },
    {"doctl",      "create delete"                                                           },
};

// Types that do so themselves, by the first word of their name, in packages of providers.
static const char *const providers[] = {"io.kestra.plugin.aws.", "io.kestra.plugin.azure.",
                                        "io.kestra.plugin.gcp.", "io.kestra.plugin.kubernetes.",
                                        "io.kestra.plugin.digitalocean."};
static const char *const verbs[] = {"Apply",  "Create", "Delete",  "Terminate", "Patch",
                                    "Update", "Deploy", "Restart", "PodCreate"};

static bool next_word(Str *rest, Str *out) {
    while (rest->len > 0 && (rest->ptr[0] == ' ' || rest->ptr[0] == '\t')) {
        *rest = str_slice(*rest, 1, rest->len);
    }
    size_t end = 0;
    while (end < rest->len && strchr(" \t\n;|&()", rest->ptr[end]) == NULL) end++;
    *out = str_slice(*rest, 0, end);
    *rest = str_slice(*rest, end, rest->len);
    return end > 0;
}

static bool is_verb(const char *list, Str word) {
    Str rest = str_from(list);
    Str verb = {0};
    while (str_split(&rest, ' ', &verb)) {
        if (str_ends_with(verb, STR("*"))) {
            if (str_starts_with(word, str_slice(verb, 0, verb.len - 1))) return true;
        } else if (str_eq(verb, word)) {
            return true;
        }
    }
    return false;
}

static bool is_assignment(Str word) {
    const size_t equals = str_find_char(word, '=', 0);
    return equals != STR_NOT_FOUND && equals > 0 && word.ptr[0] != '-';
}

// One command, from its first word on: where the verb stands, or nothing.
static bool changes(Str command, Str *out) {
    if (str_find(command, STR("--dry-run"), 0) != STR_NOT_FOUND) return false;
    Str rest = command;
    Str word = {0};
    while (next_word(&rest, &word) && (is_assignment(word) || str_eq(word, STR("sudo")))) continue;
    for (size_t i = 0; i < COUNT(commands); i++) {
        if (!str_eq(word, str_from(commands[i].program))) continue;
        Str verb = {0};
        // Two words at most name what is done to what: `aws ec2 run-instances`.
        for (int seen = 0; seen < 4 && next_word(&rest, &verb);) {
            if (verb.ptr[0] == '-') continue;
            seen++;
            if (!is_verb(commands[i].verbs, verb)) continue;
            *out = (Str){word.ptr, (size_t)(verb.ptr + verb.len - word.ptr)};
            return true;
        }
    }
    return false;
}

// The first command of a text that changes something.
static bool text_changes(Str text, Str *out) {
    size_t start = 0;
    for (size_t at = 0; at <= text.len; at++) {
        const bool is_end = at == text.len || strchr("\n;|&(", text.ptr[at]) != NULL;
        if (!is_end) continue;
        if (changes(str_slice(text, start, at), out)) return true;
        start = at + 1;
    }
    return false;
}

static const Node *scalar_that_changes(const Node *node, Str *out) {
    if (node->type == YAML_SCALAR) return text_changes(node->text, out) ? node : NULL;
    for (uint32_t i = 0; i < node->items.count; i++) {
        const Node *found = scalar_that_changes(node->items.items[i], out);
        if (found != NULL) return found;
    }
    return NULL;
}

static bool type_changes(const Task *task) {
    bool is_provider = false;
    for (size_t i = 0; i < COUNT(providers); i++) {
        is_provider = is_provider || str_starts_with(task->type_name, str_from(providers[i]));
    }
    const Str name = type_short_name(task->type_name);
    for (size_t i = 0; is_provider && i < COUNT(verbs); i++) {
        if (str_starts_with(name, str_from(verbs[i]))) return true;
    }
    return false;
}

// --- approvals ----------------------------------------------------------------------------------

static const Property *open_end(const Task *pause) {
    const Property *wait = task_property(pause, STR("pauseDuration"));
    if (wait == NULL) wait = task_property(pause, STR("delay"));
    const Property *behavior = task_property(pause, STR("behavior"));
    const bool goes_on = behavior == NULL || str_eq(rule_text(behavior->node), STR("RESUME")) ||
                         str_eq(rule_text(behavior->node), STR("WARN"));
    return goes_on ? wait : NULL;
}

// A Pause that certainly comes before and does not end by itself. *open: one that does.
static bool is_guarded(const Flow *flow, const Task *task, const Property **open) {
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        const Task *pause = flow->all_tasks.items[i];
        bool is_looped = false;
        if (!task_is(pause, "flow.Pause") || pause->is_disabled) continue;
        if (order_of(pause, task, &is_looped) != ORDER_MUST) continue;
        const Property *end = open_end(pause);
        if (end == NULL) return true;
        *open = end;
    }
    return false;
}

static void check_task(const Rule *rule, const Flow *flow, const Task *task, Diags *diags) {
    Span at = task->type_span;
    Str what = type_short_name(task->type_name);
    if (!type_changes(task)) {
        const Node *found = NULL;
        static const char *const names[] = {"beforeCommands", "commands", "script"};
        for (size_t i = 0; i < COUNT(names) && found == NULL; i++) {
            const Property *property = task_property(task, str_from(names[i]));
            if (property != NULL) found = scalar_that_changes(property->node, &what);
        }
        if (found == NULL) return;
        at = scalar_span(found, (uint32_t)(what.ptr - found->text.ptr), (uint32_t)what.len);
    }
    const Property *open = NULL;
    if (is_guarded(flow, task, &open)) return;
    Diag *diag = diag_add(diags, rule->code, rule->level, at,
                          "'" STR_FMT "' changes what is outside, and nobody is asked before",
                          STR_ARG(what));
    if (open != NULL) diag_label(diag, open->name_span, "this Pause ends by itself");
    diag_note(
        diag,
        "put a Pause before it that fails when nobody answers: 'timeout', or 'behavior: FAIL'");
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    if (!flow->checked->is_strict) return;
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        const Task *task = flow->all_tasks.items[i];
        if (!task->is_disabled) check_task(rule, flow, task, diags);
    }
}

const Rule rule_unguarded_apply = {
    .code = "S0609",
    .name = "unguarded-apply",
    .level = DIAG_WARNING,
    .help = "What costs or cannot be undone waits for somebody who says yes.",
    .check = check,
};
