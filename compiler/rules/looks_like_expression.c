// looks_like_expression.c - a whole value that is the path of an expression without its braces; a
// template in a place that is never rendered.
#include "rules/rule.h"

// An input, or the beginning of nested ones.
static bool is_input(const Flow *flow, Str name) {
    if (flow_find_input(flow, name) != NULL) return true;
    for (uint32_t i = 0; i < flow->inputs.count; i++) {
        Str id = flow->inputs.items[i]->id;
        if (id.len > name.len && id.ptr[name.len] == '.' && str_starts_with(id, name)) return true;
    }
    return false;
}

// `inputs.x`, `outputs.t.x`: a root, then members.
static bool is_path(const Flow *flow, Str text) {
    Str root, rest = text;
    if (!str_split(&rest, '.', &root) || rest.len == 0) return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '.';
        if (!is_word) return false;
    }
    Str member;
    str_split(&rest, '.', &member);
    if (str_eq(root, STR("inputs"))) return is_input(flow, member);
    if (str_eq(root, STR("outputs"))) return flow_find_task(flow, member) != NULL;
    if (str_eq(root, STR("vars"))) return node_get(flow->variables, member) != NULL;
    static const char *const paths[] = {"taskrun.value",  "execution.id", "flow.id",
                                        "flow.namespace", "taskrun.id",   "execution.startDate"};
    for (size_t i = 0; i < COUNT(paths); i++) {
        if (str_eq(text, str_from(paths[i]))) return true;
    }
    return false;
}

static void check_value(const Rule *rule, const Flow *flow, const Node *node, Diags *diags,
                        uint32_t depth) {
    if (node == NULL || depth > SYNTAX_DEPTH_MAX) return;
    if (node->type == YAML_SCALAR && is_path(flow, node->text)) {
        Diag *diag =
            diag_add(diags, rule->code, rule->level, node->span,
                     "'" STR_FMT "' is a text here, not the value it names", STR_ARG(node->text));
        DiagSuggestion *fix =
            diag_suggestion(diag, false, "did you mean '{{ " STR_FMT " }}'?", STR_ARG(node->text));
        const char *quote = node->style == SCALAR_PLAIN ? "\"" : "";
        Str text =
            str_printf(diags->arena, "%s{{ " STR_FMT " }}%s", quote, STR_ARG(node->text), quote);
        diag_edit(diag, fix, scalar_span(node, 0, (uint32_t)node->text.len), text);
        return;
    }
    for (uint32_t i = 0; i < node->items.count; i++) {
        check_value(rule, flow, node->items.items[i], diags, depth + 1);
    }
    for (uint32_t i = 0; i < node->entries.count; i++) {
        check_value(rule, flow, node->entries.items[i].value, diags, depth + 1);
    }
}

static void check_unrendered(const Rule *rule, const Node *node, const char *what, Diags *diags) {
    if (node == NULL || node->type != YAML_SCALAR || !template_has_code(node->text)) return;
    diag_add(diags, rule->code, rule->level, node->span,
             "a template in %s is not rendered: it stays as it is written", what);
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        const Task *task = flow->all_tasks.items[i];
        for (uint32_t k = 0; k < task->properties.count; k++) {
            const Property *property = &task->properties.items[k];
            if (property->is_default || str_eq(property->name, STR("description"))) continue;
            check_value(rule, flow, property->node, diags, 0);
        }
    }
    for (uint32_t i = 0; i < flow->outputs.count; i++) {
        check_value(rule, flow, flow->outputs.items[i]->value, diags, 0);
    }
    check_unrendered(rule, rule_member(flow->node, "id"), "the id of a flow", diags);
    check_unrendered(rule, rule_member(flow->node, "namespace"), "the namespace of a flow", diags);
    const Node *labels = flow->labels;
    for (uint32_t i = 0; labels != NULL && i < labels->entries.count; i++) {
        check_unrendered(rule, labels->entries.items[i].value, "the labels of a flow", diags);
    }
    for (uint32_t i = 0; labels != NULL && i < labels->items.count; i++) {
        check_unrendered(rule, rule_member(labels->items.items[i], "value"), "the labels of a flow",
                         diags);
    }
}

const Rule rule_looks_like_expression = {
    .code = "W0319",
    .name = "looks-like-expression",
    .level = DIAG_WARNING,
    .help = "Only what stands between '{{' and '}}' is evaluated, and only in properties that are.",
    .check = check,
};
