// literal_credential.c - a literal that is a credential: by the property it stands in, or by its
// own form.
#include "rules/rule.h"

static bool is_placeholder(Str text) {
    if (text.len < 4 || template_has_code(text)) return true;
    // Braces are missing, and another rule says so.
    if (str_find(text, STR("secret("), 0) != STR_NOT_FOUND) return true;
    if (str_find(text, STR("}}"), 0) != STR_NOT_FOUND) return true;
    if (str_starts_with(text, STR("outputs.")) || str_starts_with(text, STR("inputs.")) ||
        str_starts_with(text, STR("vars."))) {
        return true;
    }
    static const char *const marks[] = {"<",        "your",    "YOUR",    "xxx",   "XXX", "***",
                                        "changeme", "example", "EXAMPLE", "dummy", "...", "$"};
    for (size_t i = 0; i < COUNT(marks); i++) {
        if (str_find(text, str_from(marks[i]), 0) != STR_NOT_FOUND) return true;
    }
    return false;
}

// Tokens whose form says what they are.
static const char *token_kind(Str text) {
    static const struct {
        const char *prefix;
        size_t least;
        const char *kind;
    } rows[] = {
        {"ghp_",        36, "a GitHub token"      },
        {"github_pat_", 40, "a GitHub token"      },
        {"glpat-",      20, "a GitLab token"      },
        {"AKIA",        20, "an AWS access key"   },
        {"xoxb-",       24, "a Slack token"       },
        {"xoxp-",       24, "a Slack token"       },
        {"sk_live_",    24, "a Stripe key"        },
        {"sk-ant-",     32, "an API key"          },
        {"AIza",        39, "a Google API key"    },
        {"-----BEGIN ", 40, "a private key"       },
        {"eyJhbGciOi",  40, "a signed token (JWT)"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (text.len < rows[i].least || !str_starts_with(text, str_from(rows[i].prefix))) continue;
        bool is_key = str_eq(str_from(rows[i].prefix), STR("-----BEGIN "));
        if (is_key && str_find(text, STR("PRIVATE KEY"), 0) == STR_NOT_FOUND) continue;
        return rows[i].kind;
    }
    return NULL;
}

static bool names_secret(Str name) {
    static const char *const names[] = {
        "password",    "token",          "secretKey",    "secretAccessKey", "accessToken",
        "apiKey",      "secretKeyId",    "clientSecret", "apiToken",        "privateKey",
        "secret",      "passphrase",     "oauthToken",   "authToken",       "botToken",
        "bearerToken", "accessKeySecret"};
    for (size_t i = 0; i < COUNT(names); i++) {
        if (str_eq_ignore_case(name, str_from(names[i]))) return true;
    }
    return false;
}

static void check_node(const Rule *rule, const Node *node, Str name, bool is_secret, Diags *diags,
                       uint32_t depth) {
    if (node == NULL || depth > SYNTAX_DEPTH_MAX) return;
    if (node->type == YAML_SCALAR) {
        if (is_placeholder(node->text) || node->resolved != YAML_SCALAR_TEXT) return;
        const char *kind = token_kind(node->text);
        if (kind == NULL && !is_secret) return;
        Diag *diag = NULL;
        if (kind != NULL) {
            diag = diag_add(diags, rule->code, rule->level, node->span, "%s is written in the flow",
                            kind);
        } else {
            diag = diag_add(diags, rule->code, rule->level, node->span,
                            "the value of '" STR_FMT "' is written in the flow", STR_ARG(name));
        }
        diag_note(diag, "keep it as a secret and write {{ secret('NAME') }}");
        return;
    }
    for (uint32_t i = 0; i < node->items.count; i++) {
        check_node(rule, node->items.items[i], name, is_secret, diags, depth + 1);
    }
    for (uint32_t i = 0; i < node->entries.count; i++) {
        const NodeEntry *entry = &node->entries.items[i];
        bool is_named = names_secret(entry->key->text) && entry->value->type == YAML_SCALAR;
        check_node(rule, entry->value, entry->key->text, is_named, diags, depth + 1);
    }
}

// Marked secret in the catalog because they may hold one; by themselves they say who and where.
static bool is_address(Str name) {
    static const char *const names[] = {
        "url", "uri", "host", "username", "user", "database", "connectionString", "servers"};
    for (size_t i = 0; i < COUNT(names); i++) {
        if (str_eq(name, str_from(names[i]))) return true;
    }
    return false;
}

// scheme://user:password@host
static bool has_login(const Node *node) {
    Str text = rule_text(node);
    size_t scheme = str_find(text, STR("://"), 0);
    if (scheme == STR_NOT_FOUND) return false;
    size_t at = str_find_char(text, '@', scheme);
    size_t colon = str_find_char(text, ':', scheme + 3);
    size_t slash = str_find_char(text, '/', scheme + 3);
    return at != STR_NOT_FOUND && colon < at && (slash == STR_NOT_FOUND || at < slash);
}

static void check_properties(const Rule *rule, const Properties *properties, Diags *diags) {
    for (uint32_t i = 0; i < properties->count; i++) {
        const Property *property = &properties->items[i];
        bool is_secret = names_secret(property->name) && property->node->type == YAML_SCALAR;
        if (property->schema != NULL && (property->schema->flags & PROP_SECRET) != 0) {
            is_secret = !is_address(property->name) || has_login(property->node);
        }
        if (property->is_default) continue;
        check_node(rule, property->node, property->name, is_secret, diags, 0);
    }
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        check_properties(rule, &flow->all_tasks.items[i]->properties, diags);
    }
    for (uint32_t i = 0; i < flow->triggers.count; i++) {
        check_properties(rule, &flow->triggers.items[i]->properties, diags);
    }
    check_node(rule, flow->variables, STR("variables"), false, diags, 0);
    const Node *defaults = flow->plugin_defaults;
    for (uint32_t i = 0; defaults != NULL && i < defaults->items.count; i++) {
        check_node(rule, rule_member(defaults->items.items[i], "values"), STR("values"), false,
                   diags, 0);
    }
}

const Rule rule_literal_credential = {
    .code = "S0601",
    .name = "literal-credential",
    .level = DIAG_WARNING,
    .help = "A flow is kept in version control and shown to everybody who may read it.",
    .check = check,
};
