// secret_in_command.c - a secret in the text of a command: it shows in the list of processes and in
// what a shell prints.
#include "rules/rule.h"

// secret('CF_TOKEN') -> CF_TOKEN, inputs.token -> TOKEN.
static Str env_name(Arena *arena, Str source) {
    size_t quote = str_find_char(source, '\'', 0);
    size_t dot = str_find_last_char(source, '.');
    if (quote != STR_NOT_FOUND) {
        source = str_slice(source, quote + 1, str_find_last_char(source, '\''));
    } else if (dot != STR_NOT_FOUND) {
        source = str_slice(source, dot + 1, source.len);
    }
    char *name = arena_array(arena, char, source.len);
    for (size_t i = 0; i < source.len; i++) {
        char c = source.ptr[i];
        bool is_lower = c >= 'a' && c <= 'z';
        bool is_word = is_lower || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        name[i] = is_word ? c : '_';
        if (is_lower) name[i] = (char)(c - 'a' + 'A');
    }
    return (Str){name, source.len};
}

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
        Str name = env_name(diags->arena, type->taint_source);
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
