// property_type.c - one expression as the whole value of a property whose type it can never have: a
// list for a number, a word for a duration. Texts of any content are not judged.
#include "rules/rule.h"

// What a property needs, in words, and how its text is read.
typedef struct Need {
    const char *what;
    ConvertTo to;
    bool takes_list, takes_map;
} Need;

// False where all texts may do.
static bool need_of(const Prop *schema, Need *out) {
    static const struct {
        ValueType type;
        Need need;
    } needs[] = {
        {T_INT,      {"an integer", CONVERT_INT, false, false}          },
        {T_NUMBER,   {"a number", CONVERT_FLOAT, false, false}          },
        {T_BOOL,     {"a boolean", CONVERT_BOOL, false, false}          },
        {T_DURATION, {"a duration", CONVERT_DURATION, false, false}     },
        {T_DATETIME, {"a date and time", CONVERT_DATETIME, false, false}},
        {T_DATE,     {"a date", CONVERT_DATE, false, false}             },
        {T_TIME,     {"a time", CONVERT_TIME, false, false}             },
        {T_LIST,     {"a list", CONVERT_LIST, true, false}              },
        {T_MAP,      {"a map", CONVERT_MAP, false, true}                },
        {T_LABELS,   {"a map", CONVERT_MAP, true, true}                 },
    };
    for (size_t i = 0; i < COUNT(needs); i++) {
        if (schema->type.kind != needs[i].type) continue;
        *out = needs[i].need;
        return true;
    }
    return false;
}

// The values of a loop: a list, or a text with JSON.
static bool need_of_loop(const Site *site, Need *out) {
    if (!task_is_loop(site->task) || !str_eq(site->path, STR("values"))) return false;
    *out = (Need){"a list", CONVERT_LIST, true, true};
    return true;
}

static bool is_map(const Type *type) {
    return type_must_be(type, TYPE_TAG_MAP) || type_must_be(type, TYPE_TAG_RECORD);
}

// None of the texts it may be can be read so.
static bool no_literal_fits(const Type *type, ConvertTo to) {
    Arena scratch = {0};
    bool fits = false;
    for (uint32_t i = 0; i < type->count && !fits; i++) {
        Value out = value_null();
        fits = value_convert(value_text(type->literals[i]), to, &scratch, &out).code == ERR_NONE;
    }
    arena_release(&scratch);
    return !fits;
}

static bool is_text_of(const Type *type, TextKind kind) {
    return type->tag == TYPE_TAG_TEXT && type->text == kind;
}

// Nothing the expression can be is ever read as what the property needs.
static bool never_fits(const Type *type, const Need *need) {
    if (type_is_any(type) || type_may_be(type, TYPE_TAG_NULL)) return false;
    if (type_must_be(type, TYPE_TAG_LIST)) return !need->takes_list;
    if (is_map(type)) return !need->takes_map;
    const bool is_number = type_must_be(type, TYPE_TAG_INT) || type_must_be(type, TYPE_TAG_FLOAT);
    // 1 and 0 are booleans, seconds are durations and instants.
    if (is_number) return need->takes_list || need->takes_map;
    if (type_must_be(type, TYPE_TAG_BOOL)) return need->to != CONVERT_BOOL;
    if (is_text_of(type, TEXT_LITERALS)) {
        return need->to != CONVERT_TEXT && no_literal_fits(type, need->to);
    }
    const bool is_time = is_text_of(type, TEXT_DATETIME) || is_text_of(type, TEXT_DATE);
    return is_time && need->to != CONVERT_DATETIME && need->to != CONVERT_DATE &&
           need->to != CONVERT_TEXT;
}

// "list", "integer", "text that is none of these": what is there instead.
static Str given_word(Arena *arena, const Type *type) {
    if (type_must_be(type, TYPE_TAG_LIST)) return STR("a list");
    if (is_map(type)) return STR("a map");
    if (type_must_be(type, TYPE_TAG_INT)) return STR("an integer");
    if (type_must_be(type, TYPE_TAG_FLOAT)) return STR("a number");
    if (type_must_be(type, TYPE_TAG_BOOL)) return STR("a boolean");
    return type_to_text(arena, type);
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
        Need need;
        if (sole == NULL || !site->is_whole) continue;
        const bool is_known = site->schema->any_of_count == 0 && need_of(site->schema, &need);
        if (!is_known && !need_of_loop(site, &need)) continue;
        const ExprType *type = expr_type(sole);
        if (type == NULL || type->place != NULL || type->typed.source > SOURCE_CATALOG) continue;
        if (!never_fits(type->typed.type, &need)) {
            if (site->schema->type.kind != T_BOOL) continue;
            if (!type_must_be(type->typed.type, TYPE_TAG_TEXT)) continue;
            diag_add(diags, rule->code, DIAG_WARNING, sole->span,
                     "'" STR_FMT "' must be a boolean, and this is a text, which fits only where "
                     "it is 'true' or 'false'",
                     STR_ARG(site->schema->name));
            continue;
        }
        diag_add(diags, rule->code, is_certain(site) ? rule->level : DIAG_WARNING, sole->span,
                 "'" STR_FMT "' must be %s, and this is " STR_FMT, STR_ARG(site->schema->name),
                 need.what, STR_ARG(given_word(diags->arena, type->typed.type)));
    }
}

const Rule rule_property_type = {
    .code = "E0403",
    .name = "property-type",
    .level = DIAG_ERROR,
    .help = "What the expression can be is never read as what the property needs.",
    .check = check,
};
