// unpinned_image.c - a container image without a tag, or with the tag `latest`.
#include "rules/rule.h"

static void check_image(const Rule *rule, const Node *node, Diags *diags) {
    Str text = rule_text(node);
    if (text.len == 0 || template_has_code(text) || node->resolved != YAML_SCALAR_TEXT) return;
    if (str_find(text, STR("@sha256:"), 0) != STR_NOT_FOUND) return;
    if (str_find(text, STR("}}"), 0) != STR_NOT_FOUND)
        return;  // braces are missing: said elsewhere
    size_t slash = str_find_last_char(text, '/');
    size_t start = slash == STR_NOT_FOUND ? 0 : slash + 1;
    size_t colon = str_find_char(text, ':', start);
    if (colon == STR_NOT_FOUND) {
        diag_add(diags, rule->code, rule->level, node->span,
                 "image '" STR_FMT "' has no tag: it is another one tomorrow", STR_ARG(text));
        return;
    }
    if (!str_eq(str_slice(text, colon + 1, text.len), STR("latest"))) return;
    diag_add(diags, rule->code, rule->level,
             scalar_span(node, (uint32_t)colon + 1, (uint32_t)(text.len - colon - 1)),
             "'latest' is another image tomorrow: name a version");
}

static void check_properties(const Rule *rule, const Properties *properties, Diags *diags) {
    for (uint32_t i = 0; i < properties->count; i++) {
        const Property *property = &properties->items[i];
        if (property->is_default) continue;
        if (str_eq(property->name, STR("containerImage"))) {
            check_image(rule, property->node, diags);
        } else if (str_eq(property->name, STR("docker"))) {
            check_image(rule, rule_member(property->node, "image"), diags);
        }
    }
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        check_properties(rule, &flow->all_tasks.items[i]->properties, diags);
    }
    for (uint32_t i = 0; i < flow->triggers.count; i++) {
        check_properties(rule, &flow->triggers.items[i]->properties, diags);
    }
    const Node *defaults = flow->plugin_defaults;
    for (uint32_t i = 0; defaults != NULL && i < defaults->items.count; i++) {
        const Node *values = rule_member(defaults->items.items[i], "values");
        check_image(rule, rule_member(values, "containerImage"), diags);
    }
}

const Rule rule_unpinned_image = {
    .code = "S0606",
    .name = "unpinned-image",
    .level = DIAG_WARNING,
    .help = "A run can be repeated only with the image it had: name a version or a digest.",
    .check = check,
};
