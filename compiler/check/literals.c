// literals.c - literal arguments of filters and functions that no call can take: programs and
// patterns that do not parse, words that name nothing.
#include "base/codec.h"
#include "check/internal.h"
#include "value/regex.h"
#include "value/time.h"

enum { ANYWHERE = -1 };  // by its name only

static bool is_filter(const Expr *expr, const char *name) {
    return expr->kind == EXPR_FILTER && str_eq(expr->text, str_from(name));
}

static bool is_function(const Expr *expr, const char *name) {
    return expr->kind == EXPR_CALL && str_eq(expr->text, str_from(name));
}

// The literal text given as a parameter, by name or at its place; NULL: none.
static const Expr *literal_argument(const Expr *expr, const char *name, int place) {
    const int first = expr->kind == EXPR_FILTER ? 1 : 0;
    for (uint32_t i = (uint32_t)first; i < expr->args.count; i++) {
        const ExprArg *argument = &expr->args.items[i];
        const bool is_named = str_eq(argument->name, str_from(name));
        const bool is_there = argument->name.len == 0 && (int)i - first == place;
        if ((is_named || is_there) && argument->value->kind == EXPR_TEXT) return argument->value;
    }
    return NULL;
}

// --- programs and patterns ----------------------------------------------------------------------

static void check_regex(Env *env, const Expr *argument) {
    Regex *regex = NULL;
    Err err = regex_compile(argument->text, &regex);
    regex_free(regex);
    if (err.code != ERR_INPUT) return;
    diag_add(env->check->diags, "E0405", DIAG_ERROR, argument->span,
             "this regular expression does not parse: %s", err.text);
}

static void check_pattern(Env *env, const Expr *argument) {
    if (argument == NULL) return;
    const DatePattern *pattern = NULL;
    Err err = date_pattern_compile(argument->text, env->check->arena, &pattern);
    if (err.code != ERR_INPUT) return;
    diag_add(env->check->diags, "E0405", DIAG_ERROR, argument->span, "%s", err.text);
}

static void check_jq(Env *env, const Expr *argument) {
    Err err = jq_check(argument->text);
    if (err.code != ERR_INPUT && err.code != ERR_REFUSED) return;
    diag_add(env->check->diags, "E0405", DIAG_ERROR, argument->span, "%s%s",
             err.code == ERR_INPUT ? "this jq program does not parse: " : "", err.text);
}

static void check_json(Env *env, const Expr *argument) {
    Value value = value_null();
    const Err err = json_parse(argument->text, (JsonLimits){0}, env->check->arena, &value);
    if (err.code != ERR_INPUT) return;
    diag_add(env->check->diags, "E0405", DIAG_ERROR, argument->span, "this is no JSON: %s",
             err.text);
}

static void check_yaml(Env *env, const Expr *argument) {
    Value value = value_null();
    const Err err = yaml_parse(argument->text, env->check->arena, &value);
    if (err.code != ERR_INPUT) return;
    diag_add(env->check->diags, "E0405", DIAG_ERROR, argument->span, "this is no YAML: %s",
             err.text);
}

static void check_base64(Env *env, const Expr *argument) {
    Buffer out = {0};
    const bool is_fine = base64_decode(&out, argument->text);
    buffer_release(&out);
    if (is_fine) return;
    diag_add(env->check->diags, "E0405", DIAG_ERROR, argument->span, "this is no Base64");
}

// --- words --------------------------------------------------------------------------------------

// The word without its quotes, where it is written as it is.
static Span inside(const Expr *argument) {
    const Span span = argument->span;
    if (span.len != argument->text.len + 2) return span;
    return (Span){span.file, span.start + 1, span.len - 2};
}

static bool is_word_of(Str word, const char *words, bool ignores_case) {
    Str rest = str_from(words);
    Str one = {0};
    while (str_split(&rest, ' ', &one)) {
        if (ignores_case ? str_eq_ignore_case(one, word) : str_eq(one, word)) return true;
    }
    return false;
}

static void check_word(Env *env, const Expr *argument, const char *what, const char *words,
                       bool ignores_case) {
    if (argument == NULL || is_word_of(argument->text, words, ignores_case)) return;
    Diag *diag = diag_add(env->check->diags, "E0401", DIAG_ERROR, inside(argument),
                          "'" STR_FMT "' is no %s", STR_ARG(argument->text), what);
    Nearest nearest = nearest_to(argument->text);
    Str rest = str_from(words);
    Str one = {0};
    while (str_split(&rest, ' ', &one)) {
        // `days`, `day`: the word itself, written otherwise.
        const bool is_same = str_eq_ignore_case(one, argument->text) ||
                             (one.len == argument->text.len + 1 &&
                              str_eq_ignore_case(str_slice(one, 0, one.len - 1), argument->text));
        if (is_same) {
            nearest.name = one;
            nearest.best = 0;
        } else {
            nearest_offer(&nearest, one);
        }
    }
    diag_note(diag, "it is one of %s", words);
    if (nearest.name.len == 0) return;
    DiagSuggestion *fix = diag_suggestion(diag, nearest.best <= 1, "did you mean '" STR_FMT "'?",
                                          STR_ARG(nearest.name));
    const bool is_plain = argument->span.len == argument->text.len + 2;
    if (is_plain) diag_edit(diag, fix, inside(argument), nearest.name);
}

static void check_zone(Env *env, const Expr *argument) {
    if (argument == NULL || zone_is_known(argument->text)) return;
    Diag *diag =
        diag_add(env->check->diags, "E0504", DIAG_ERROR, inside(argument),
                 "'" STR_FMT "' is no time zone such as Europe/Paris", STR_ARG(argument->text));
    const Str meant = zone_meant(argument->text);
    if (meant.len == 0) return;
    DiagSuggestion *fix =
        diag_suggestion(diag, true, "did you mean '" STR_FMT "'?", STR_ARG(meant));
    const bool is_plain = argument->span.len == argument->text.len + 2;
    if (is_plain) diag_edit(diag, fix, inside(argument), meant);
}

// --- calls --------------------------------------------------------------------------------------

static const char units[] = "NANOS MICROS MILLIS SECONDS MINUTES HOURS HALF_DAYS DAYS WEEKS MONTHS "
                            "YEARS DECADES CENTURIES MILLENNIA";

static void check_dates(Env *env, const Expr *expr) {
    static const struct {
        const char *name;
        int format, zone;  // their places
    } rows[] = {
        {"date",      0,        1},
        {"dateAdd",   2,        3},
        {"now",       0,        1},
        {"timestamp", ANYWHERE, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (!str_eq(expr->text, str_from(rows[i].name))) continue;
        check_pattern(env, literal_argument(expr, "format", rows[i].format));
        check_pattern(env, literal_argument(expr, "existingFormat", ANYWHERE));
        check_zone(env, literal_argument(expr, "timeZone", rows[i].zone));
    }
    if (is_filter(expr, "dateAdd")) {
        check_word(env, literal_argument(expr, "unit", 1), "unit of time", units, false);
    }
}

// What a filter or a function is given as a literal.
void check_literal_arguments(Env *env, const Expr *expr) {
    check_dates(env, expr);
    if (is_filter(expr, "number")) {
        check_word(env, literal_argument(expr, "type", 0), "type of number",
                   "INT LONG FLOAT DOUBLE BIGDECIMAL BIGINTEGER", true);
    } else if (is_filter(expr, "escapeChar")) {
        check_word(env, literal_argument(expr, "type", 0), "way to escape", "single double shell",
                   true);
    }
    const Expr *first = literal_argument(expr, "", 0);
    if (first != NULL) {
        if (is_filter(expr, "jq")) check_jq(env, first);
        if (is_filter(expr, "regexReplace") || is_filter(expr, "regexMatch") ||
            is_filter(expr, "regexExtract")) {
            check_regex(env, first);
        }
        if (is_function(expr, "fromJson") || is_function(expr, "json")) check_json(env, first);
        if (is_function(expr, "yaml")) check_yaml(env, first);
    }
    const Expr *input = expr->args.count > 0 ? expr->args.items[0].value : NULL;
    if (is_filter(expr, "base64decode") && input != NULL && input->kind == EXPR_TEXT) {
        check_base64(env, input);
    }
}
