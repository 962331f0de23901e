// tls_off.c - the verification of certificates is switched off.
#include "rules/rule.h"

typedef struct Switch {
    const char *name;
    bool is_off_when;
} Switch;

static const Switch switches[] = {
    {"insecureTrustAllCertificates", true },
    {"insecureTls",                  true },
    {"trustServerCertificate",       true },
    {"skipSsl",                      true },
    {"verifySsl",                    false},
    {"verifyServerIdentity",         false},
    {"trustAllSsl",                  true },
    {"insecure",                     true },
};

static void check_value(const Rule *rule, Str name, const Node *node, Diags *diags,
                        uint32_t depth) {
    if (node == NULL || depth > SYNTAX_DEPTH_MAX) return;
    for (uint32_t i = 0; node->type == YAML_MAP && i < node->entries.count; i++) {
        check_value(rule, node->entries.items[i].key->text, node->entries.items[i].value, diags,
                    depth + 1);
    }
    if (node->type != YAML_SCALAR || node->value.kind != VALUE_BOOL) return;
    for (size_t i = 0; i < COUNT(switches); i++) {
        if (!str_eq(name, str_from(switches[i].name))) continue;
        if (node->value.as.boolean != switches[i].is_off_when) return;
        diag_add(diags, rule->code, rule->level, node->span,
                 "'" STR_FMT ": " STR_FMT "' lets anybody on the way answer for the server",
                 STR_ARG(name), STR_ARG(node->text));
        return;
    }
}

static void check_properties(const Rule *rule, const Properties *properties, Diags *diags) {
    for (uint32_t i = 0; i < properties->count; i++) {
        const Property *property = &properties->items[i];
        if (property->is_default || property->schema == NULL) continue;
        check_value(rule, property->name, property->node, diags, 0);
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
        check_value(rule, (Str){0}, rule_member(defaults->items.items[i], "values"), diags, 0);
    }
}

const Rule rule_tls_off = {
    .code = "S0607",
    .name = "tls-off",
    .level = DIAG_WARNING,
    .help = "Give the authority that signed the certificate instead of trusting every one.",
    .check = check,
};
