// cleartext.c - credentials sent over plain http to a host outside.
#include "rules/rule.h"

// A host that traffic does not leave a machine or a private network for, or none that is known.
static bool is_near(Str host) {
    if (host.len == 0 || host.ptr[0] == '{' || host.ptr[0] == '[') return true;
    size_t end = 0;
    while (end < host.len && host.ptr[end] != '/' && host.ptr[end] != ':' && host.ptr[end] != '{')
        end++;
    if (end < host.len && host.ptr[end] == '{') return true;
    host = str_slice(host, 0, end);
    if (str_find_char(host, '.', 0) == STR_NOT_FOUND) return true;
    static const char *const ends[] = {".local", ".internal", ".localhost", ".lan"};
    for (size_t i = 0; i < COUNT(ends); i++) {
        if (str_ends_with(host, str_from(ends[i]))) return true;
    }
    static const char *const begins[] = {"127.", "10.", "192.168.", "172.1", "172.2", "172.3"};
    for (size_t i = 0; i < COUNT(begins); i++) {
        if (str_starts_with(host, str_from(begins[i]))) return true;
    }
    return false;
}

static bool names_credential(Str name) {
    static const char *const names[] = {"password",      "token",     "apiKey",       "accessToken",
                                        "Authorization", "X-API-Key", "clientSecret", "basicAuth"};
    for (size_t i = 0; i < COUNT(names); i++) {
        if (str_eq_ignore_case(name, str_from(names[i]))) return true;
    }
    return false;
}

static bool has_credential(const Node *node, uint32_t depth) {
    if (node == NULL || depth > SYNTAX_DEPTH_MAX) return false;
    for (uint32_t i = 0; i < node->entries.count; i++) {
        const NodeEntry *entry = &node->entries.items[i];
        if (names_credential(entry->key->text) && !node_is_null(entry->value)) return true;
        if (has_credential(entry->value, depth + 1)) return true;
    }
    return false;
}

static bool has_login(Str rest) {
    size_t at = str_find_char(rest, '@', 0);
    size_t slash = str_find_char(rest, '/', 0);
    return at != STR_NOT_FOUND && (slash == STR_NOT_FOUND || at < slash);
}

static void check_properties(const Rule *rule, const Properties *properties, Diags *diags) {
    bool is_known = false;
    bool is_secret = false;
    for (uint32_t i = 0; i < properties->count; i++) {
        const Property *property = &properties->items[i];
        Str text = rule_text(property->node);
        if (property->is_default || !str_starts_with(text, STR("http://"))) continue;
        Str rest = str_slice(text, 7, text.len);
        bool is_login = has_login(rest);
        if (is_login) rest = str_slice(rest, str_find_char(rest, '@', 0) + 1, rest.len);
        // A login for a host that is not known yet is one all the same.
        bool is_unknown = rest.len > 0 && rest.ptr[0] == '{';
        if (is_near(rest) && !(is_login && is_unknown)) continue;
        for (uint32_t k = 0; !is_known && k < properties->count; k++) {
            const Property *other = &properties->items[k];
            is_secret =
                is_secret || names_credential(other->name) || has_credential(other->node, 0);
        }
        is_known = true;
        if (!is_secret && !is_login) continue;
        Diag *diag = diag_add(diags, rule->code, rule->level, scalar_span(property->node, 0, 7),
                              "credentials are sent over http, where all on the way can read them");
        DiagSuggestion *fix = diag_suggestion(diag, false, "use 'https://'");
        diag_edit(diag, fix, scalar_span(property->node, 0, 7), STR("https://"));
    }
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        check_properties(rule, &flow->all_tasks.items[i]->properties, diags);
    }
    for (uint32_t i = 0; i < flow->triggers.count; i++) {
        check_properties(rule, &flow->triggers.items[i]->properties, diags);
    }
}

const Rule rule_cleartext = {
    .code = "S0605",
    .name = "cleartext",
    .level = DIAG_WARNING,
    .help = "What is sent over http is read by everybody on the way.",
    .check = check,
};
