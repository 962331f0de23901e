// property_type.c - one expression as the whole value of a property whose type it can never have.
#include "rules/rule.h"

// What the property needs, in words; NULL where texts and all others may do.
static const char *needed(const Prop *schema) {
    switch (schema->type.kind) {
    case T_INT:
        return "an integer";
    case T_NUMBER:
        return "a number";
    case T_BOOL:
        return "a boolean";
    case T_DURATION:
        return "a duration";
    case T_DATETIME:
        return "a date and time";
    case T_DATE:
        return "a date";
    case T_TIME:
        return "a time";
    case T_STRING:
    case T_TIMEZONE:
    case T_URI:
    case T_ANY:
    case T_ENCRYPTED:
    case T_LIST:
    case T_MAP:
    case T_LABELS:
    case T_DATA:
    case T_TASK:
    case T_TRIGGER:
    case T_CONDITION:
    case T_RUNNER:
    case T_LOG_EXPORTER:
    case T_ASSET:
    case T_ASSET_EXPORTER:
    case T_ENUM:
    case T_OBJECT:
    case T_PLUGIN:
    case T_EXTERNAL:
        return NULL;
    }
    return NULL;
}

static bool is_certain(const Site *site) {
    const Task *task = site->task;
    if (task == NULL || task->type == NULL || task->has_version) return false;
    uint32_t unsure = TYPE_INFERRED | TYPE_AS_OF | TYPE_OPEN;
    return (task->type->flags & unsure) == 0 && (site->schema->flags & PROP_INFERRED) == 0;
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    for (uint32_t i = 0; i < flow->checked->sites.count; i++) {
        const Site *site = flow->checked->sites.items[i];
        if (site->kind != SITE_TASK || site->is_static || site->schema == NULL) continue;
        const Expr *sole = site->tpl->sole;
        const char *wanted = needed(site->schema);
        if (sole == NULL || wanted == NULL || site->schema->any_of_count > 0) continue;
        const ExprType *type = expr_type(sole);
        if (type == NULL || type->place != NULL || type->typed.source > SOURCE_CATALOG) continue;
        const Type *given = type->typed.type;
        bool is_composite = type_must_be(given, TYPE_TAG_LIST) ||
                            type_must_be(given, TYPE_TAG_MAP) ||
                            type_must_be(given, TYPE_TAG_RECORD);
        if (!is_composite) continue;
        diag_add(diags, rule->code, is_certain(site) ? rule->level : DIAG_WARNING, sole->span,
                 "'" STR_FMT "' must be %s, and this is a %s", STR_ARG(site->schema->name), wanted,
                 type_must_be(given, TYPE_TAG_LIST) ? "list" : "map");
    }
}

const Rule rule_property_type = {
    .code = "E0403",
    .name = "property-type",
    .level = DIAG_ERROR,
    .help = "No list or map can be converted into a number, a boolean, a time.",
    .check = check,
};
