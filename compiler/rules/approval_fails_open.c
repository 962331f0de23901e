// approval_fails_open.c - a Pause that asks for an approval and goes on by itself when nobody
// answers.
#include "rules/rule.h"

static bool mentions(Str text, const char *word) {
    Str needle = str_from(word);
    for (size_t i = 0; i + needle.len <= text.len; i++) {
        if (str_eq_ignore_case(str_slice(text, i, i + needle.len), needle)) return true;
    }
    return false;
}

// By its name, or because it asks for something.
static bool is_approval(const Task *task) {
    static const char *const words[] = {"approv",   "review",  "confirm",
                                        "sign_off", "signoff", "sign-off"};
    for (size_t i = 0; i < COUNT(words); i++) {
        if (mentions(task->id, words[i])) return true;
    }
    for (uint32_t i = 0; i < task->on_resume.count; i++) {
        const InputDecl *input = task->on_resume.items[i];
        for (size_t k = 0; k < COUNT(words); k++) {
            if (mentions(input->id, words[k])) return true;
        }
    }
    return false;
}

// What was answered is looked at further down: without an answer it is not there.
static bool is_answer_read(const Flow *flow, const Task *task) {
    if (task->on_resume.count == 0) return false;
    for (uint32_t i = 0; i < flow->checked->sites.count; i++) {
        Str text = flow->checked->sites.items[i]->node->text;
        if (str_find(text, STR("onResume"), 0) != STR_NOT_FOUND &&
            str_find(text, task->id, 0) != STR_NOT_FOUND) {
            return true;
        }
    }
    return false;
}

static void check_pause(const Rule *rule, const Flow *flow, const Task *task, Diags *diags) {
    const Property *wait = task_property(task, STR("pauseDuration"));
    if (wait == NULL) wait = task_property(task, STR("delay"));
    if (wait == NULL || !is_approval(task) || is_answer_read(flow, task)) return;
    const Property *behavior = task_property(task, STR("behavior"));
    if (behavior != NULL && !str_eq(rule_text(behavior->node), STR("RESUME"))) return;
    Diag *diag = diag_add(diags, rule->code, rule->level, wait->name_span,
                          "when nobody answers, '" STR_FMT "' approves itself", STR_ARG(task->id));
    if (behavior != NULL) {
        diag_label(diag, behavior->node->span, "what happens at the end of the wait");
        DiagSuggestion *fix = diag_suggestion(diag, false, "use 'FAIL' or 'CANCEL'");
        diag_edit(diag, fix, behavior->node->span, STR("FAIL"));
    } else {
        diag_note(diag, "add 'behavior: FAIL' or 'behavior: CANCEL'; the default is RESUME");
    }
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        const Task *task = flow->all_tasks.items[i];
        if (task_is(task, "flow.Pause") && !task->is_disabled) check_pause(rule, flow, task, diags);
    }
}

const Rule rule_approval_fails_open = {
    .code = "S0608",
    .name = "approval-fails-open",
    .level = DIAG_WARNING,
    .help = "An approval that nobody gives must not count as given.",
    .check = check,
};
