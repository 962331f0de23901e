// secret_in_command.c - a secret in the text of a command: it shows in the list of processes and in
// what a shell prints.
#include "rules/rule.h"

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    for (uint32_t i = 0; i < flow->checked->prints.count; i++) {
        const Print *print = &flow->checked->prints.items[i];
        const ExprType *type = expr_type(print->expr);
        if (type == NULL || type->typed.taint != TAINT_SECRET || !site_is_command(print->site)) {
            continue;
        }
        Diag *diag =
            diag_add(diags, rule->code, rule->level, print->expr->span,
                     "a secret in the text of a command: " STR_FMT, STR_ARG(type->taint_source));
        Str name = rule_env_name(diags->arena, type->taint_source);
        if (rule_move_to_env(flow, print, name, true, diag)) continue;
        diag_note(diag,
                  "give it to the task in its environment: env: {" STR_FMT
                  ": \"{{ … }}\"}, and write \"$" STR_FMT "\" in the command",
                  STR_ARG(name), STR_ARG(name));
    }
}

const Rule rule_secret_in_command = {
    .code = "S0603",
    .name = "secret-in-command",
    .level = DIAG_WARNING,
    .help = "Arguments of a process can be read by every user of a host; its environment cannot.",
    .check = check,
};
