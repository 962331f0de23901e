// literal.c - literal values against the type and the bounds of their property: E0104, E0105,
// E0106, E0501, E0504, E0505, E0508, E0512.
#include "flow/internal.h"
#include "value/regex.h"
#include "value/time.h"

typedef struct At {
    Builder *builder;
    const Node *node;
    const Prop *prop;
    const Level *level;
} At;

static Diag *report(const At *at, const char *code, const char *what) {
    DiagLevel severity = at->level->is_certain ? DIAG_ERROR : DIAG_WARNING;
    return diag_add(at->builder->diags, code, severity, at->node->span,
                    "'" STR_FMT "' %s, not '" STR_FMT "'", STR_ARG(at->prop->name), what,
                    STR_ARG(at->node->text));
}

// The server's integers have 32 bits wherever its own tasks and the language name one.
static bool is_of_core(const Level *level) {
    for (; level != NULL; level = level->up) {
        const bool is_type = str_find_char(level->name, '.', 0) != STR_NOT_FOUND;
        if (is_type && !str_starts_with(level->name, STR("io.kestra.plugin.core."))) return false;
    }
    return true;
}

static void check_size(const At *at) {
    const Value value = at->node->value;
    if (at->prop->mode != MODE_STATIC || value.kind != VALUE_INT || !is_of_core(at->level)) return;
    if (value.as.integer <= INT32_MAX && value.as.integer >= INT32_MIN) return;
    report(at, "E0104", "must be an integer of 32 bits");
}

static void check_number(const At *at, ConvertTo to, const char *what) {
    const Node *node = at->node;
    if (to == CONVERT_INT) check_size(at);
    if (node->resolved == YAML_SCALAR_INT || node->resolved == YAML_SCALAR_FLOAT) return;
    Value out;
    Err err = value_convert(node->value, to, at->builder->arena, &out);
    if (node->resolved == YAML_SCALAR_TEXT && err.code == ERR_NONE) return;
    report(at, "E0104", what);
}

static void check_bool(const At *at) {
    const Node *node = at->node;
    if (node->resolved == YAML_SCALAR_FLOAT && at->prop->mode == MODE_STATIC) {
        report(at, "E0104", "must be true or false");
    }
    if (node->resolved != YAML_SCALAR_TEXT || node->text.len == 0) return;
    if (str_eq_ignore_case(node->text, STR("true")) ||
        str_eq_ignore_case(node->text, STR("false"))) {
        return;
    }
    Diag *diag = report(at, "E0104", "must be true or false");
    Nearest nearest = nearest_to(node->text);
    nearest_offer(&nearest, STR("true"));
    nearest_offer(&nearest, STR("false"));
    diag_suggest(diag, nearest.name);
}

// An empty text where a value may be left out: the server takes it for none.
static bool is_left_out(const At *at) {
    if (at->node->text.len > 0 || (at->prop->flags & PROP_REQUIRED) != 0) return false;
    diag_add(at->builder->diags, at->prop->type.kind == T_DURATION ? "E0501" : "E0512",
             DIAG_WARNING, at->node->span, "'" STR_FMT "' is empty, which is the same as none",
             STR_ARG(at->prop->name));
    return true;
}

static void check_duration(const At *at) {
    const Node *node = at->node;
    if (is_left_out(at)) return;
    if (node->resolved == YAML_SCALAR_INT || node->resolved == YAML_SCALAR_FLOAT) return;
    int64_t nanoseconds;
    if (duration_parse(node->text, true, &nanoseconds).code == ERR_NONE) return;
    Diag *diag = report(at, "E0501", "must be an ISO-8601 duration such as PT5M");
    diag_suggest(diag, duration_meant(at->builder->arena, node->text));
}

static void check_date(const At *at, const char *what) {
    if (at->prop->mode == MODE_STATIC) {
        // A number counts the days.
        if (at->node->resolved == YAML_SCALAR_INT || is_left_out(at)) return;
    }
    DateTime datetime;
    if (datetime_parse(at->node->text, &datetime).code == ERR_NONE) return;
    report(at, "E0512", what);
}

// An instant; a number counts its seconds. What is read when the flow is saved needs an offset.
static void check_instant(const At *at) {
    const char *what = "must be a date and time such as 2025-01-31T08:30:00Z";
    if (at->prop->mode != MODE_STATIC) {
        check_date(at, what);
        return;
    }
    if (at->node->resolved == YAML_SCALAR_INT || is_left_out(at)) return;
    enum { LEAST = sizeof "2025-01-31T08:30:00Z" - 1 };
    Instant instant;
    const Str text = at->node->text;
    if (text.len >= LEAST && instant_parse(text, &instant).code == ERR_NONE) return;
    report(at, "E0512", what);
}

// HH:mm, with seconds and a fraction or an offset behind.
static void check_time(const At *at) {
    Str text = at->node->text;
    bool is_time = text.len >= 5 && text.ptr[2] == ':' && text.ptr[0] >= '0' &&
                   text.ptr[0] <= '2' && text.ptr[1] >= '0' && text.ptr[1] <= '9' &&
                   text.ptr[3] >= '0' && text.ptr[3] <= '5' && text.ptr[4] >= '0' &&
                   text.ptr[4] <= '9' && (text.ptr[0] < '2' || text.ptr[1] < '4');
    if (!is_time) report(at, "E0512", "must be a time such as 08:30");
}

Str zone_meant(Str text) {
    static const char *const common[] = {
        "UTC",
        "Europe/Paris",
        "Europe/London",
        "Europe/Berlin",
        "Europe/Madrid",
        "Europe/Rome",
        "America/New_York",
        "America/Chicago",
        "America/Denver",
        "America/Los_Angeles",
        "Asia/Tokyo",
        "Asia/Kolkata",
        "Asia/Shanghai",
        "Asia/Singapore",
        "Australia/Sydney",
        "America/Sao_Paulo",
    };
    Nearest nearest = nearest_to(text);
    for (size_t i = 0; i < COUNT(common); i++) nearest_offer(&nearest, str_from(common[i]));
    return nearest.name;
}

static void check_zone(const At *at) {
    if (zone_is_known(at->node->text)) return;
    Diag *diag = report(at, "E0504", "must be a time zone such as Europe/Paris");
    diag_suggest(diag, zone_meant(at->node->text));
}

// An enum whose values are numbers: `MB_2048` is what 2048 is called elsewhere.
static void check_digits(const At *at, const Def *def) {
    Str text = at->node->text;
    size_t digits = text.len;
    while (digits > 0 && text.ptr[digits - 1] >= '0' && text.ptr[digits - 1] <= '9') digits--;
    Str number = str_slice(text, digits, text.len);
    for (uint32_t i = 0; i < def->value_count; i++) {
        if (!str_eq(def->values[i], number)) continue;
        if (digits == 0) return;
        diag_suggest(report(at, "E0105", "must be a number"), number);
        return;
    }
    report(at, "E0105", "must be one of its numbers");
}

static void check_enum(const At *at, const Def *def) {
    if (def == NULL || def->value_count == 0 || (def->flags & (DEF_LOOSE | DEF_FROM_SDK)) != 0) {
        return;
    }
    if ((def->flags & DEF_NUMBERS) != 0) {
        check_digits(at, def);
        return;
    }
    Nearest nearest = nearest_to(at->node->text);
    for (uint32_t i = 0; i < def->value_count; i++) {
        if (str_eq(def->values[i], at->node->text)) return;
        nearest_offer(&nearest, def->values[i]);
    }
    DiagLevel severity = at->level->is_certain ? DIAG_ERROR : DIAG_WARNING;
    Diag *diag = diag_add(at->builder->diags, "E0105", severity, at->node->span,
                          "'" STR_FMT "' is no value of '" STR_FMT "'", STR_ARG(at->node->text),
                          STR_ARG(at->prop->name));
    if (nearest.name.len > 0) {
        diag_suggest(diag, nearest.name);
        return;
    }
    Str all = {0};
    for (uint32_t i = 0; i < def->value_count && i < 12; i++) {
        all = str_printf(at->builder->arena, STR_FMT "%s" STR_FMT, STR_ARG(all), i > 0 ? ", " : "",
                         STR_ARG(def->values[i]));
    }
    diag_note(diag, "one of: " STR_FMT "%s", STR_ARG(all), def->value_count > 12 ? ", …" : "");
}

static void check_regex(const At *at) {
    Regex *regex = NULL;
    Err err = regex_compile(at->node->text, &regex);
    regex_free(regex);
    if (err.code != ERR_INPUT) return;
    diag_add(at->builder->diags, "E0505", DIAG_ERROR, at->node->span,
             "'" STR_FMT "' is no regular expression: %s", STR_ARG(at->node->text), err.text);
}

// The bounds that hold for literals; a pattern must match the whole text.
static void check_bounds(const At *at) {
    const Prop *prop = at->prop;
    const Node *node = at->node;
    DiagLevel severity = at->level->is_certain ? DIAG_ERROR : DIAG_WARNING;
    if ((prop->flags & (PROP_HAS_MIN | PROP_HAS_MAX)) != 0 &&
        (node->resolved == YAML_SCALAR_INT || node->resolved == YAML_SCALAR_FLOAT)) {
        double real =
            node->value.kind == VALUE_INT ? (double)node->value.as.integer : node->value.as.real;
        bool is_low = (prop->flags & PROP_HAS_MIN) != 0 && real < prop->min;
        bool is_high = (prop->flags & PROP_HAS_MAX) != 0 && real > prop->max;
        if (is_low || is_high) {
            diag_add(at->builder->diags, "E0508", severity, node->span,
                     "'" STR_FMT "' must be at %s %g, not " STR_FMT, STR_ARG(prop->name),
                     is_low ? "least" : "most", is_low ? prop->min : prop->max,
                     STR_ARG(node->text));
        }
    }
    // An empty text is no number and no word: what is read is a null.
    const ValueType kind = prop->type.kind;
    const bool is_null = (prop->flags & PROP_REQUIRED) != 0 && prop->mode == MODE_STATIC &&
                         kind != T_STRING && kind != T_URI && kind != T_ANY && kind != T_ENUM &&
                         node->text.len == 0;
    if (is_null || ((prop->flags & PROP_NON_BLANK) != 0 && str_trim(node->text).len == 0)) {
        diag_add(at->builder->diags, "E0102", severity, node->span,
                 "'" STR_FMT "' must not be empty", STR_ARG(prop->name));
        return;
    }
    if (prop->max_len > 0 && node->text.len > (size_t)prop->max_len) {
        diag_add(at->builder->diags, "E0508", severity, node->span,
                 "'" STR_FMT "' has more than %lld characters", STR_ARG(prop->name),
                 (long long)prop->max_len);
    }
    // Ids of what a flow declares have a rule of their own, which says which character is wrong.
    bool is_id = str_eq(prop->name, STR("id")) && at->level->up == NULL;
    if (prop->pattern.len > 0 && !is_id) {
        Regex *regex = NULL;
        bool is_match = true;
        if (regex_compile(prop->pattern, &regex).code == ERR_NONE &&
            regex_matches(regex, node->text, &is_match).code == ERR_NONE && !is_match) {
            Diag *diag = diag_add(at->builder->diags, "E0106", severity, node->span,
                                  "'" STR_FMT "' cannot be '" STR_FMT "'", STR_ARG(prop->name),
                                  STR_ARG(node->text));
            diag_note(diag, "it must match " STR_FMT, STR_ARG(prop->pattern));
        }
        regex_free(regex);
    }
}

void literal_check(Builder *builder, const Node *node, const Prop *prop, const PropType *type,
                   const Level *level) {
    if (flow_span_is_default(builder->flow, node->span)) return;
    At at = {builder, node, prop, level};
    ValueType kind = type->kind;
    if (kind == T_INT) {
        check_number(&at, CONVERT_INT, "must be an integer");
    } else if (kind == T_NUMBER) {
        check_number(&at, CONVERT_FLOAT, "must be a number");
    } else if (kind == T_BOOL) {
        check_bool(&at);
    } else if (kind == T_DURATION) {
        check_duration(&at);
    } else if (kind == T_DATETIME) {
        check_instant(&at);
    } else if (kind == T_DATE) {
        check_date(&at, "must be a date such as 2025-01-31");
    } else if (kind == T_TIME) {
        check_time(&at);
    } else if (kind == T_TIMEZONE || str_eq(prop->check, STR("TimezoneId"))) {
        check_zone(&at);
    } else if (kind == T_ENUM) {
        check_enum(&at, type->def);
    }
    if (str_eq(prop->check, STR("Regex"))) check_regex(&at);
    if (type == &prop->type && level->is_enforced) check_bounds(&at);
}
