// calls.c - filters, functions and tests: does it exist, what does it take, what does it give.
//
// Facts are the rows of the shared builtins (leaf); names that are known elsewhere but not here are
// only reported when the template is compiled.
#include "check/internal.h"

typedef struct Synonym {
    BuiltinKind kind;
    const char *wrong, *right;
    const char *note;  // instead of a replacement
} Synonym;

static const Synonym synonyms[] = {
    {BUILTIN_FILTER,   "dateFormat",  "date",         NULL                                },
    {BUILTIN_FILTER,   "formatDate",  "date",         NULL                                },
    {BUILTIN_FILTER,   "truncate",    "abbreviate",   NULL                                },
    {BUILTIN_FILTER,   "ternary",     NULL,           "write 'condition ? yes : no'"      },
    {BUILTIN_FILTER,   "fromJson",    NULL,           "it is a function: 'fromJson(…)'" },
    {BUILTIN_FILTER,   "map",         NULL,           "use '{% for %}' or the filter 'jq'"},
    {BUILTIN_FILTER,   "filter",      NULL,           "use '{% for %}' or the filter 'jq'"},
    {BUILTIN_FILTER,   "select",      NULL,           "use the filter 'jq'"               },
    {BUILTIN_FILTER,   "reduce",      NULL,           "use the filter 'jq'"               },
    {BUILTIN_FILTER,   "int",         "number",       NULL                                },
    {BUILTIN_FILTER,   "float",       "number",       NULL                                },
    {BUILTIN_FILTER,   "round",       "numberFormat", NULL                                },
    {BUILTIN_FILTER,   "min",         NULL,           "it is a function: 'min(…)'"      },
    {BUILTIN_FILTER,   "max",         NULL,           "it is a function: 'max(…)'"      },
    {BUILTIN_FILTER,   "size",        "length",       NULL                                },
    {BUILTIN_FILTER,   "count",       "length",       NULL                                },
    {BUILTIN_FILTER,   "contains",    NULL,           "it is an operator: 'a contains b'" },
    {BUILTIN_FILTER,   "tojson",      "toJson",       NULL                                },
    {BUILTIN_FILTER,   "to_json",     "toJson",       NULL                                },
    {BUILTIN_FILTER,   "b64encode",   "base64encode", NULL                                },
    {BUILTIN_FILTER,   "b64decode",   "base64decode", NULL                                },
    {BUILTIN_FILTER,   "toUpperCase", "upper",        NULL                                },
    {BUILTIN_FILTER,   "toLowerCase", "lower",        NULL                                },
    {BUILTIN_FILTER,   "uppercase",   "upper",        NULL                                },
    {BUILTIN_FILTER,   "lowercase",   "lower",        NULL                                },
    {BUILTIN_FILTER,   "trimStart",   "trim",         NULL                                },
    {BUILTIN_FILTER,   "unique",      "distinct",     NULL                                },
    {BUILTIN_FILTER,   "uniq",        "distinct",     NULL                                },
    {BUILTIN_FILTER,   "concat",      NULL,           "use the operator '~'"              },
    {BUILTIN_FUNCTION, "secrets",     "secret",       NULL                                },
    {BUILTIN_FUNCTION, "parseJson",   "fromJson",     NULL                                },
    {BUILTIN_FUNCTION, "fromjson",    "fromJson",     NULL                                },
    {BUILTIN_FUNCTION, "toJson",      NULL,           "it is a filter: '… | toJson'"    },
    {BUILTIN_FUNCTION, "date",        NULL,           "it is a filter: '… | date(…)'" },
    {BUILTIN_TEST,     "none",        "null",         NULL                                },
    {BUILTIN_TEST,     "in",          NULL,           "it is an operator: 'a isIn b'"     },
    {BUILTIN_TEST,     "list",        "iterable",     NULL                                },
};

// Names that exist where flows come from, whether or not they can be compiled here.
static const char *const known_filters[] = {
    "abbreviate",
    "abs",
    "base64encode",
    "base64decode",
    "capitalize",
    "chunk",
    "className",
    "date",
    "dateAdd",
    "default",
    "distinct",
    "endsWith",
    "escapeChar",
    "first",
    "flatten",
    "format",
    "indent",
    "join",
    "jq",
    "json",
    "keys",
    "last",
    "length",
    "lower",
    "md5",
    "sha1",
    "sha256",
    "sha512",
    "merge",
    "nindent",
    "nl2br",
    "number",
    "numberFormat",
    "regexExtract",
    "regexMatch",
    "regexReplace",
    "replace",
    "reverse",
    "rsort",
    "sort",
    "slice",
    "slugify",
    "split",
    "startsWith",
    "string",
    "substringBefore",
    "substringBeforeLast",
    "substringAfter",
    "substringAfterLast",
    "timestamp",
    "timestampMilli",
    "timestampMicro",
    "timestampNano",
    "title",
    "toIon",
    "toJson",
    "trim",
    "upper",
    "urlencode",
    "urldecode",
    "values",
    "yaml",
};
static const char *const known_functions[] = {
    "max",
    "min",
    "range",
    "now",
    "fromJson",
    "json",
    "yaml",
    "fromIon",
    "render",
    "renderOnce",
    "printContext",
    "fetchContext",
    "secret",
    "credential",
    "kv",
    "env",
    "read",
    "fileURI",
    "fileSize",
    "fileExists",
    "isFileEmpty",
    "http",
    "encrypt",
    "decrypt",
    "uuid",
    "id",
    "ksuid",
    "nanoId",
    "randomInt",
    "randomPort",
    "errorLogs",
    "tasksWithState",
    "currentEachOutput",
    "iterationOutput",
    "parentOutput",
    "loopOutputs",
    "subflow",
    "isWeekend",
    "isPublicHoliday",
    "isDayWeekInMonth",
    "isLastWorkingDay",
    "dayOfWeek",
    "dayOfMonth",
    "monthOfYear",
    "hourOfDay",
    "isDateBetween",
    "appLink",
    "block",
    "assets",
    "parent",
    "i18n",
};
static const char *const known_tests[] = {"defined", "null", "empty",    "even",
                                          "odd",     "map",  "iterable", "json"};

static const char *const *known_names(BuiltinKind kind, size_t *count) {
    if (kind == BUILTIN_FILTER) {
        *count = COUNT(known_filters);
        return known_filters;
    }
    if (kind == BUILTIN_FUNCTION) {
        *count = COUNT(known_functions);
        return known_functions;
    }
    *count = COUNT(known_tests);
    return known_tests;
}

static bool is_known(BuiltinKind kind, Str name) {
    size_t count;
    const char *const *names = known_names(kind, &count);
    for (size_t i = 0; i < count; i++) {
        if (str_eq(name, str_from(names[i]))) return true;
    }
    return false;
}

static void unknown_builtin(Env *env, const Expr *expr, BuiltinKind kind) {
    static const char *const codes[] = {"E0308", "E0309", "E0310"};
    static const char *const words[] = {"filter", "function", "test"};
    Diag *diag = diag_add(env->check->diags, codes[kind], DIAG_ERROR, expr->name_span,
                          "unknown %s '" STR_FMT "'", words[kind], STR_ARG(expr->text));
    for (size_t i = 0; i < COUNT(synonyms); i++) {
        const Synonym *row = &synonyms[i];
        if (row->kind != kind || !str_eq(expr->text, str_from(row->wrong))) continue;
        if (row->right != NULL) diag_suggest(diag, str_from(row->right));
        if (row->right == NULL) diag_note(diag, "%s", row->note);
        return;
    }
    Nearest nearest = nearest_to(expr->text);
    size_t count;
    const char *const *names = known_names(kind, &count);
    for (size_t i = 0; i < count; i++) nearest_offer(&nearest, str_from(names[i]));
    diag_suggest(diag, nearest.name);
}

// --- arguments ----------------------------------------------------------------------------------

static uint32_t param_count(const Builtin *builtin) {
    uint32_t count = 0;
    while (count < BUILTIN_PARAMS_MAX && builtin->params[count].name != NULL) count++;
    return count;
}

static bool has_param(const Builtin *builtin, Str name) {
    for (uint32_t i = 0; i < param_count(builtin); i++) {
        if (str_eq(name, str_from(builtin->params[i].name))) return true;
    }
    return false;
}

// Arguments are counted here only where the row is sure of them: functions that take any number
// declare none, or say so by their flag.
static void check_arguments(Env *env, const Expr *expr, const Builtin *builtin, uint32_t first) {
    uint32_t params = param_count(builtin);
    uint32_t given = expr->args.count - first;
    for (uint32_t i = first; i < expr->args.count; i++) {
        Str name = expr->args.items[i].name;
        if (name.len == 0 || params == 0 || has_param(builtin, name)) continue;
        Diag *diag = diag_add(env->check->diags, "E0312", DIAG_ERROR, expr->args.items[i].name_span,
                              "'" STR_FMT "' has no argument '" STR_FMT "'", STR_ARG(expr->text),
                              STR_ARG(name));
        Nearest nearest = nearest_to(name);
        for (uint32_t k = 0; k < params; k++) {
            nearest_offer(&nearest, str_from(builtin->params[k].name));
        }
        diag_suggest(diag, nearest.name);
        return;
    }
    bool has_none = (builtin->flags & BUILTIN_NO_ARGUMENTS) != 0;
    bool is_open = (builtin->flags & BUILTIN_ANY_COUNT) != 0;
    if ((params > 0 && given > params && !is_open) || (has_none && given > 0)) {
        diag_add(env->check->diags, "E0311", DIAG_ERROR, expr->name_span,
                 "'" STR_FMT "' takes %s%u argument%s, not %u", STR_ARG(expr->text),
                 params > 0 ? "at most " : "", params, params == 1 ? "" : "s", given);
        return;
    }
    for (uint32_t i = given; i < params; i++) {
        const char *type = builtin->params[i].type;
        bool is_optional = type == NULL || str_ends_with(str_from(type), STR("?"));
        bool is_named = false;
        for (uint32_t k = first; k < expr->args.count; k++) {
            if (str_eq(expr->args.items[k].name, str_from(builtin->params[i].name)))
                is_named = true;
        }
        if (is_optional || is_named) continue;
        diag_add(env->check->diags, "E0311", DIAG_ERROR, expr->name_span,
                 "'" STR_FMT "' needs its argument '%s'", STR_ARG(expr->text),
                 builtin->params[i].name);
        return;
    }
}

// A row that is there; NULL and perhaps a finding where it is not.
static const Builtin *find(Env *env, const Expr *expr, BuiltinKind kind) {
    const Builtin *builtin = builtin_find(kind, expr->text);
    if (env->site->is_static) return builtin;
    if (builtin == NULL) {
        if (!is_known(kind, expr->text)) unknown_builtin(env, expr, kind);
        return NULL;
    }
    uint32_t targets = env->check->options->targets;
    bool is_newer = (builtin->flags & BUILTIN_ONLY_2_0) != 0 && targets != 0;
    bool is_older = (builtin->flags & BUILTIN_NOT_2_0) != 0 && (targets & TARGET_2_0) != 0;
    if ((is_newer && (targets & TARGET_2_0) != targets) || is_older) {
        Diag *diag =
            diag_add(env->check->diags, "E0111", DIAG_ERROR, expr->name_span,
                     is_older ? "'" STR_FMT "' is gone in 2.0" : "'" STR_FMT "' exists from 2.0 on",
                     STR_ARG(expr->text));
        diag->targets = is_older ? TARGET_2_0 : targets & ~(uint32_t)TARGET_2_0;
        if (is_older && str_eq(expr->text, STR("json"))) {
            const bool is_filter = kind == BUILTIN_FILTER;
            const Str now = is_filter ? STR("toJson") : STR("fromJson");
            DiagSuggestion *fix = diag_suggestion(diag, true, "write '" STR_FMT "'", STR_ARG(now));
            diag_edit(diag, fix, expr->name_span, now);
        }
    }
    return builtin;
}

// --- results ------------------------------------------------------------------------------------

static bool name_is(const Expr *expr, const char *name) {
    return str_eq(expr->text, str_from(name));
}

static uint32_t effects_of(const Builtin *builtin) {
    uint32_t effects = 0;
    if ((builtin->flags & BUILTIN_EFFECT) != 0) effects |= HAS_CONTEXT;
    if ((builtin->flags & BUILTIN_RANDOM) != 0) effects |= HAS_RANDOM;
    if ((builtin->flags & BUILTIN_MAKES_SECRET) != 0) effects |= HAS_SECRET;
    return effects;
}

static const Type *filter_result(Env *env, const Expr *expr, const ExprType *input,
                                 const Builtin *builtin) {
    const Type *in = input->typed.type;
    Arena *arena = env->check->arena;
    if (name_is(expr, "first") || name_is(expr, "last")) {
        const Type *item = type_element(arena, in);
        if (type_must_be(in, TYPE_TAG_TEXT)) return type_text(TEXT_PLAIN);
        return item->tag == TYPE_TAG_NEVER ? type_any() : type_optional(arena, item);
    }
    static const char *const same[] = {"sort", "rsort", "reverse", "distinct"};
    for (size_t i = 0; i < COUNT(same); i++) {
        if (name_is(expr, same[i])) return in;
    }
    if (name_is(expr, "slice")) return type_must_be(in, TYPE_TAG_LIST) ? in : type_any();
    if (name_is(expr, "split")) return type_list(arena, type_text(TEXT_PLAIN));
    if (name_is(expr, "values") && !type_is_any(in)) {
        const Type *item = type_element(arena, in);
        return type_list(arena, item->tag == TYPE_TAG_NEVER ? type_any() : item);
    }
    if (name_is(expr, "toJson") || name_is(expr, "json")) return type_json(arena, in);
    if (name_is(expr, "default") && expr->args.count > 1) {
        const Type *otherwise = expr_type(expr->args.items[1].value)->typed.type;
        if (input->typed.undef == CERTAINLY) return otherwise;
        return type_join(arena, type_without_null(arena, in), otherwise);
    }
    return builtin == NULL ? type_any() : type_of_word(arena, builtin->result);
}

ExprType *infer_filter(Env *env, Expr *expr) {
    bool was = env->is_guarded;
    if (name_is(expr, "default")) env->is_guarded = true;
    ExprType *input = infer(env, expr->args.items[0].value);
    env->is_guarded = was;
    ExprType *type = new_type(env, type_any());
    join_taint(type, input);
    for (uint32_t i = 1; i < expr->args.count; i++) {
        join_taint(type, infer(env, expr->args.items[i].value));
    }
    const Builtin *builtin = find(env, expr, BUILTIN_FILTER);
    if (builtin != NULL && !env->site->is_static) check_arguments(env, expr, builtin, 1);
    if (builtin != NULL) check_filter_types(env, expr, input, builtin);
    check_precedence(env, expr);
    if (builtin != NULL) type->typed.effects |= effects_of(builtin);
    type->typed.type = filter_result(env, expr, input, builtin);
    type->typed.undef = name_is(expr, "default") ? CERTAINLY_NOT : input->typed.undef;
    if (name_is(expr, "length") && type->typed.taint == TAINT_SECRET) {
        type->typed.taint = TAINT_DERIVED;
    }
    static const char *const harmless[] = {"length",       "number",     "slugify",  "urlencode",
                                           "md5",          "sha1",       "sha256",   "sha512",
                                           "base64encode", "escapeChar", "timestamp"};
    for (size_t i = 0; i < COUNT(harmless); i++) {
        if (name_is(expr, harmless[i])) type->is_foreign = false;
    }
    return type;
}

static bool is_macro(const Env *env, Str name) {
    for (uint32_t i = 0; i < env->macros->count; i++) {
        if (str_eq(env->macros->items[i].name, name)) return true;
    }
    return false;
}

static void call_refs(Env *env, const Expr *expr) {
    static const struct {
        const char *name;
        RefKind kind;
    } rows[] = {
        {"secret",      REF_SECRET},
        {"kv",          REF_KV    },
        {"read",        REF_FILE  },
        {"fileURI",     REF_FILE  },
        {"fileSize",    REF_FILE  },
        {"fileExists",  REF_FILE  },
        {"isFileEmpty", REF_FILE  },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (!name_is(expr, rows[i].name)) continue;
        const Expr *first = expr->args.count > 0 ? expr->args.items[0].value : NULL;
        bool is_text = first != NULL && first->kind == EXPR_TEXT;
        add_ref(env, rows[i].kind, is_text ? first->text : (Str){0},
                first != NULL ? first->span : expr->span);
    }
}

static const Type *json_content(const Expr *expr) {
    if (expr->args.count == 0) return type_any();
    const Type *in = expr_type(expr->args.items[0].value)->typed.type;
    bool is_json = type_must_be(in, TYPE_TAG_TEXT) && in->text == TEXT_JSON && in->item != NULL;
    return is_json ? in->item : type_any();
}

ExprType *infer_call(Env *env, Expr *expr) {
    ExprType *type = new_type(env, type_any());
    for (uint32_t i = 0; i < expr->args.count; i++) {
        join_taint(type, infer(env, expr->args.items[i].value));
    }
    if (is_macro(env, expr->text)) {
        type->typed.type = type_text(TEXT_PLAIN);
        type->typed.effects |= HAS_CONTEXT;
        return type;
    }
    const Builtin *builtin = find(env, expr, BUILTIN_FUNCTION);
    call_refs(env, expr);
    check_call_texts(env, expr);
    if (builtin != NULL) {
        if (!env->site->is_static) check_arguments(env, expr, builtin, 0);
        type->typed.effects |= effects_of(builtin);
        type->typed.type = type_of_word(env->check->arena, builtin->result);
    }
    if (name_is(expr, "fromJson") || name_is(expr, "json")) type->typed.type = json_content(expr);
    if (name_is(expr, "secret") || name_is(expr, "credential")) {
        type->typed.taint = TAINT_SECRET;
        bool has_name = expr->args.count > 0 && expr->args.items[0].value->kind == EXPR_TEXT;
        type->taint_source = has_name ? str_printf(env->check->arena, "secret('" STR_FMT "')",
                                                   STR_ARG(expr->args.items[0].value->text))
                                      : STR("secret(…)");
        type->typed.effects |= HAS_SECRET;
        type->typed.type = type_text(TEXT_PLAIN);
        for (uint32_t i = 0; i < expr->args.count; i++) {
            if (str_eq(expr->args.items[i].name, STR("full"))) type->typed.type = type_any();
        }
    }
    if (name_is(expr, "http")) {
        type->is_foreign = true;
        type->taint_source = STR("http(…)");
    }
    if (name_is(expr, "render") || name_is(expr, "renderOnce")) {
        type->typed.type = type_any();
        type->typed.effects |= HAS_CONTEXT;
    }
    return type;
}

ExprType *infer_test(Env *env, Expr *expr) {
    bool was = env->is_guarded;
    bool was_asked = env->is_asked;
    if (name_is(expr, "defined")) env->is_guarded = env->is_asked = true;
    ExprType *input = infer(env, expr->args.items[0].value);
    env->is_guarded = was;
    env->is_asked = was_asked;
    ExprType *type = new_type(env, type_bool());
    join_taint(type, input);
    for (uint32_t i = 1; i < expr->args.count; i++) {
        join_taint(type, infer(env, expr->args.items[i].value));
    }
    find(env, expr, BUILTIN_TEST);
    check_precedence(env, expr);
    return type;
}
