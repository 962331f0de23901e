// output_marker.c - a command that prints a text somebody else chose, as it is: a line of the form
// `::{…}::` in it sets outputs of the task; and so does any line that is written to $FLOW_OUTPUT.
#include "rules/rule.h"

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// The body of a request, or what a webhook brought: it may have lines of its own.
static bool is_foreign_body(const Expr *expr) {
    const ExprType *type = expr_type(expr);
    if (type == NULL || !type->is_foreign) return false;
    return str_starts_with(type->taint_source, STR("trigger"));
}

// `echo "$NAME"`, `printf '%s' "$NAME"`, up to the end of the command and not sent elsewhere,
// unless to where outputs are read from.
static bool prints_variable(Str line, Str name) {
    line = str_trim(line);
    bool is_print = str_starts_with(line, STR("echo ")) || str_starts_with(line, STR("printf "));
    bool is_sent = str_find_char(line, '>', 0) != STR_NOT_FOUND &&
                   str_find(line, STR("FLOW_OUTPUT"), 0) == STR_NOT_FOUND;
    if (!is_print || is_sent || str_find_char(line, '|', 0) != STR_NOT_FOUND) return false;
    for (size_t at = str_find(line, name, 0); at != STR_NOT_FOUND;
         at = str_find(line, name, at + 1)) {
        bool is_braced = at > 1 && line.ptr[at - 1] == '{' && line.ptr[at - 2] == '$';
        bool is_plain = at > 0 && line.ptr[at - 1] == '$';
        size_t end = at + name.len;
        bool is_whole = end == line.len || !is_word(line.ptr[end]);
        if ((is_braced || is_plain) && is_whole) return true;
    }
    return false;
}

static bool node_prints(const Node *node, Str name) {
    if (node == NULL) return false;
    for (uint32_t i = 0; i < node->items.count; i++) {
        if (node_prints(node->items.items[i], name)) return true;
    }
    if (node->type != YAML_SCALAR) return false;
    Str rest = node->text;
    Str line;
    while (str_split(&rest, '\n', &line)) {
        if (prints_variable(line, name)) return true;
    }
    return false;
}

static bool task_prints(const Task *task, Str name) {
    static const char *const names[] = {"commands", "beforeCommands", "script"};
    for (size_t i = 0; i < COUNT(names); i++) {
        const Property *property = task_property(task, str_from(names[i]));
        if (property != NULL && node_prints(property->node, name)) return true;
    }
    return false;
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    for (uint32_t i = 0; i < flow->checked->prints.count; i++) {
        const Print *print = &flow->checked->prints.items[i];
        const Site *site = print->site;
        if (site->kind != SITE_TASK || site->task == NULL) continue;
        if (!str_eq(site_property(site), STR("env")) || !is_foreign_body(print->expr)) continue;
        if (!str_starts_with(site->path, STR("env."))) continue;
        Str name = str_slice(site->path, 4, site->path.len);
        if (name.len == 0 || !task_prints(site->task, name)) continue;
        Diag *diag = diag_add(diags, rule->code, rule->level, print->expr->span,
                              "'" STR_FMT "' is printed as it is: a line of it can set outputs of "
                              "the task ('::{…}::', or any that goes to $FLOW_OUTPUT)",
                              STR_ARG(expr_type(print->expr)->taint_source));
        diag_note(diag,
                  "write it to a file, or print it encoded: 'jq -Rn --arg v \"$" STR_FMT "\" '$v''",
                  STR_ARG(name));
    }
}

const Rule rule_output_marker = {
    .code = "S0613",
    .name = "output-marker-injection",
    .level = DIAG_WARNING,
    .help = "What a command prints is searched for outputs, whoever wrote it.",
    .check = check,
};
