// script_injection.c - a text chosen by whoever starts the flow, or by whoever answers a request,
// in the text of a script: it can end the command it stands in and begin another.
#include "rules/rule.h"

// Only a text can carry a command.
static bool can_carry(const Type *type) {
    if (type_must_be(type, TYPE_TAG_BOOL) || type_accepts(type_number(), type)) return false;
    if (!type_must_be(type, TYPE_TAG_TEXT)) return true;
    return type->text == TEXT_PLAIN || type->text == TEXT_JSON || type->text == TEXT_URI ||
           type->text == TEXT_TEMPLATE;
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    for (uint32_t i = 0; i < flow->checked->prints.count; i++) {
        const Print *print = &flow->checked->prints.items[i];
        const ExprType *type = expr_type(print->expr);
        if (type == NULL || !type->is_foreign || !site_is_command(print->site)) continue;
        if (!can_carry(type->typed.type)) continue;
        Diag *diag = diag_add(diags, rule->code, rule->level, print->expr->span,
                              "'" STR_FMT "' in the text of a script can carry commands",
                              STR_ARG(type->taint_source));
        const InputDecl *input =
            str_starts_with(type->taint_source, STR("inputs."))
                ? flow_find_input(flow, str_slice(type->taint_source, 7, type->taint_source.len))
                : NULL;
        if (input != NULL) {
            diag_label(diag, input->id_span, "whoever starts the flow chooses this text");
        }
        Str name = rule_env_name(diags->arena, type->taint_source);
        bool is_short = input != NULL && input->type != INPUT_JSON;
        if (!rule_move_to_env(flow, print, name, is_short, diag)) {
            diag_note(diag, "put it into 'env' of the task and quote it there");
        }
        if (input != NULL) diag_note(diag, "a 'validator' of the input makes it safe, too");
    }
}

const Rule rule_script_injection = {
    .code = "S0604",
    .name = "script-injection",
    .level = DIAG_WARNING,
    .help = "A template is replaced before the shell reads the script, so quotes do not protect.",
    .check = check,
};
