// pattern_parse.c - reading dates by a pattern: fields first, then what they mean together, as
// Java's smart style resolves them.
#include <string.h>

#include "value/pattern.h"

enum { FIELD_COUNT = OP_TO_UTC + 1 };

typedef struct Fields {
    int64_t values[FIELD_COUNT];
    bool is_set[FIELD_COUNT];
    const Zone *zone;
} Fields;

typedef struct Parser {
    const DatePattern *pattern;
    Str text;
    size_t at;
    Arena *arena;
    Fields fields;
} Parser;

static void set_field(Parser *parser, OpKind kind, int64_t value) {
    parser->fields.values[kind] = value;
    parser->fields.is_set[kind] = true;
}

static bool is_number(const Op *op) {
    switch (op->kind) {
    case OP_YEAR:
    case OP_YEAR_OF_ERA:
    case OP_DAY:
    case OP_DAY_OF_YEAR:
    case OP_HOUR:
    case OP_HOUR_24:
    case OP_HOUR_11:
    case OP_HOUR_12:
    case OP_MINUTE:
    case OP_SECOND:
    case OP_FRACTION:
    case OP_MILLI_OF_DAY:
    case OP_NANO:
    case OP_NANO_OF_DAY:
        return true;
    case OP_MONTH:
    case OP_QUARTER:
        return op->count < 3;
    case OP_LITERAL:
    case OP_OPTIONAL_START:
    case OP_OPTIONAL_END:
    case OP_PAD:
    case OP_WEEK_YEAR:
    case OP_ISO_WEEK_YEAR:
    case OP_WEEK:
    case OP_ISO_WEEK:
    case OP_WEEK_OF_MONTH:
    case OP_ALIGNED_WEEK:
    case OP_WEEKDAY:
    case OP_LOCAL_WEEKDAY:
    case OP_ISO_WEEKDAY:
    case OP_HALF_DAY:
    case OP_ISO_FRACTION:
    case OP_GROUPED_FRACTION:
    case OP_OFFSET:
    case OP_OFFSET_WORD:
    case OP_ZONE_ID:
    case OP_ZONE_NAME:
    case OP_ZONE_REGION:
    case OP_ERA:
    case OP_TO_UTC:
        return false;
    }
    return false;
}

static bool is_year(const Op *op) {
    return op->kind == OP_YEAR || op->kind == OP_YEAR_OF_ERA;
}

// How many digits an operation takes.
static void digit_range(const Op *op, size_t *least, size_t *most) {
    *least = op->count;
    *most = DIGITS_MAX;
    bool is_open = op->kind == OP_MILLI_OF_DAY || op->kind == OP_NANO || op->kind == OP_NANO_OF_DAY;
    if (op->kind == OP_DAY_OF_YEAR && op->count > 1) {
        *most = 3;
    } else if (op->kind == OP_FRACTION || (op->count == 2 && !is_open)) {
        *most = op->count;
    }
}

// Fixed widths right behind an operation are left for those that follow.
static size_t reserved_digits(const DatePattern *pattern, uint32_t next) {
    size_t reserved = 0;
    for (; next < pattern->count && is_number(&pattern->ops[next]); next++) {
        size_t least, most;
        digit_range(&pattern->ops[next], &least, &most);
        if (least != most) break;
        reserved += most;
    }
    return reserved;
}

static bool parse_number(Parser *parser, const Op *op, uint32_t next) {
    size_t least, most;
    digit_range(op, &least, &most);
    bool is_fixed = least == most;
    char sign = parser->at < parser->text.len ? parser->text.ptr[parser->at] : '\0';
    bool has_sign = !is_fixed && is_year(op) && (sign == '-' || (sign == '+' && op->count >= 4));
    size_t start = parser->at + has_sign, run = 0;
    size_t reserved = is_fixed ? 0 : reserved_digits(parser->pattern, next);
    while (start + run < parser->text.len && run < most + reserved &&
           parser->text.ptr[start + run] >= '0' && parser->text.ptr[start + run] <= '9') {
        run++;
    }
    if (reserved > 0) run = run > reserved + least ? run - reserved : least;
    if (run < least || run > most || start + run > parser->text.len || run > 18) return false;
    // A year of more digits than the pattern has needs its sign.
    bool exceeds = is_year(op) && op->count >= 4 && run > op->count;
    if (is_year(op) && op->count >= 4 && sign != '-' && exceeds != (has_sign && sign == '+')) {
        return false;
    }
    int64_t value = 0;
    for (size_t i = 0; i < run; i++) {
        char c = parser->text.ptr[start + i];
        if (c < '0' || c > '9') return false;
        value = value * 10 + (c - '0');
    }
    if (is_year(op) && op->count == 2) value += 2000;
    if (op->kind == OP_FRACTION) {
        for (size_t i = run; i < 9; i++) value *= 10;
    }
    set_field(parser, op->kind, has_sign && sign == '-' ? -value : value);
    parser->at = start + run;
    return true;
}

static bool take_text(Parser *parser, Str text) {
    if (!str_starts_with(str_slice(parser->text, parser->at, parser->text.len), text)) return false;
    parser->at += text.len;
    return true;
}

static bool parse_name(Parser *parser, const Op *op, const char *const names[], int count) {
    for (int i = 0; i < count; i++) {
        Str name = str_from(names[i]);
        if (op->count < 4) name = str_slice(name, 0, 3);
        if (op->count == 5) name = str_slice(name, 0, 1);
        if (!take_text(parser, name)) continue;
        set_field(parser, op->kind, i + 1);
        return true;
    }
    return false;
}

static bool take_two(Parser *parser, int most, int *out) {
    if (parser->text.len - parser->at < 2) return false;
    char a = parser->text.ptr[parser->at], b = parser->text.ptr[parser->at + 1];
    if (a < '0' || a > '9' || b < '0' || b > '9') return false;
    *out = (a - '0') * 10 + (b - '0');
    if (*out > most) return false;
    parser->at += 2;
    return true;
}

static bool parse_offset_text(Parser *parser, uint8_t style) {
    bool has_z = (style & OFFSET_Z) != 0;
    style &= 15;
    if ((has_z && take_text(parser, STR("Z"))) || (style == 6 && take_text(parser, STR("GMT")))) {
        set_field(parser, OP_OFFSET, 0);
        return true;
    }
    bool is_negative = take_text(parser, STR("-"));
    if (!is_negative && !take_text(parser, STR("+"))) return false;
    int hours = 0, minutes = 0, seconds = 0;
    if (!take_two(parser, 18, &hours)) return false;
    bool has_colon = style == 3 || style == 5;
    size_t before = parser->at;
    bool has_minutes =
        (!has_colon || take_text(parser, STR(":"))) && take_two(parser, 59, &minutes);
    if (!has_minutes) {
        parser->at = before;
        if (style != 1) return false;
    }
    if (has_minutes && (style == 4 || style == 5)) {
        before = parser->at;
        bool has_seconds =
            (!has_colon || take_text(parser, STR(":"))) && take_two(parser, 59, &seconds);
        if (!has_seconds) parser->at = before;
    }
    int32_t offset = hours * 3600 + minutes * 60 + seconds;
    set_field(parser, OP_OFFSET, is_negative ? -offset : offset);
    return true;
}

static bool parse_offset_word(Parser *parser) {
    if (!take_text(parser, STR("GMT"))) return false;
    set_field(parser, OP_OFFSET, 0);
    size_t before = parser->at;
    if (!parse_offset_text(parser, 5) && !(parser->at = before, parse_offset_text(parser, 1))) {
        parser->at = before;
        set_field(parser, OP_OFFSET, 0);
    }
    return true;
}

// The longest name of a zone that stands here.
static bool parse_zone(Parser *parser) {
    size_t end = parser->at;
    while (end < parser->text.len && end - parser->at < 64) {
        char c = parser->text.ptr[end];
        bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_word && strchr("/_+-:", c) == NULL) break;
        end++;
    }
    if (end == parser->at) return false;
    Err err =
        zone_open(str_slice(parser->text, parser->at, end), parser->arena, &parser->fields.zone);
    if (err.code != ERR_NONE) return false;
    parser->at = end;
    return true;
}

static bool parse_iso_fraction(Parser *parser) {
    set_field(parser, OP_FRACTION, 0);
    if (!take_text(parser, STR("."))) return true;
    int64_t value = 0;
    int digits = 0;
    while (parser->at < parser->text.len && digits < 9) {
        char c = parser->text.ptr[parser->at];
        if (c < '0' || c > '9') break;
        value = value * 10 + (c - '0');
        digits++;
        parser->at++;
    }
    for (int i = digits; i < 9; i++) value *= 10;
    set_field(parser, OP_FRACTION, value);
    return digits > 0;
}

static bool parse_half_day(Parser *parser) {
    bool is_morning = take_text(parser, STR("AM"));
    if (!is_morning && !take_text(parser, STR("PM"))) return false;
    set_field(parser, OP_HALF_DAY, is_morning ? 0 : 1);
    return true;
}

static bool parse_op(Parser *parser, const Op *op, uint32_t next) {
    if (is_number(op)) return parse_number(parser, op, next);
    switch (op->kind) {
    case OP_LITERAL:
        return take_text(parser, op->text);
    case OP_MONTH:
        return parse_name(parser, op, pattern_months, 12);
    case OP_WEEKDAY:
        return parse_name(parser, op, pattern_weekdays, 7);
    case OP_HALF_DAY:
        return parse_half_day(parser);
    case OP_ERA:
        return take_text(parser, op->count == 4 ? STR("Anno Domini") : STR("AD"));
    case OP_OFFSET:
        return parse_offset_text(parser, op->style);
    case OP_OFFSET_WORD:
        return parse_offset_word(parser);
    case OP_ZONE_ID:
    case OP_ZONE_NAME:
        return parse_zone(parser);
    case OP_ZONE_REGION:
        return take_text(parser, STR("[")) && parse_zone(parser) && take_text(parser, STR("]"));
    case OP_ISO_FRACTION:
    case OP_GROUPED_FRACTION:
        return parse_iso_fraction(parser);
    case OP_TO_UTC:
        return true;
    case OP_PAD:
        while (take_text(parser, STR(" "))) continue;
        return true;
    case OP_OPTIONAL_START:
    case OP_OPTIONAL_END:
    case OP_YEAR:
    case OP_YEAR_OF_ERA:
    case OP_WEEK_YEAR:
    case OP_ISO_WEEK_YEAR:
    case OP_DAY:
    case OP_DAY_OF_YEAR:
    case OP_QUARTER:
    case OP_WEEK:
    case OP_ISO_WEEK:
    case OP_WEEK_OF_MONTH:
    case OP_ALIGNED_WEEK:
    case OP_LOCAL_WEEKDAY:
    case OP_ISO_WEEKDAY:
    case OP_HOUR:
    case OP_HOUR_24:
    case OP_HOUR_11:
    case OP_HOUR_12:
    case OP_MINUTE:
    case OP_SECOND:
    case OP_FRACTION:
    case OP_MILLI_OF_DAY:
    case OP_NANO:
    case OP_NANO_OF_DAY:
        break;
    }
    return false;  // fields of weeks and quarters in words are printed only
}

static uint32_t matching_end(const DatePattern *pattern, uint32_t start) {
    int depth = 0;
    for (uint32_t i = start; i < pattern->count; i++) {
        if (pattern->ops[i].kind == OP_OPTIONAL_START) depth++;
        if (pattern->ops[i].kind == OP_OPTIONAL_END && --depth == 0) return i;
    }
    return pattern->count;
}

static bool parse_ops(Parser *parser, uint32_t from, uint32_t to) {
    for (uint32_t i = from; i < to; i++) {
        const Op *op = &parser->pattern->ops[i];
        if (op->kind == OP_OPTIONAL_END) continue;
        if (op->kind != OP_OPTIONAL_START) {
            if (!parse_op(parser, op, i + 1)) return false;
            continue;
        }
        uint32_t end = matching_end(parser->pattern, i);
        Fields fields = parser->fields;
        size_t at = parser->at;
        if (!parse_ops(parser, i + 1, end)) {
            parser->fields = fields;
            parser->at = at;
        }
        i = end;
    }
    return true;
}

static bool in_range(int64_t value, int64_t least, int64_t most) {
    return value >= least && value <= most;
}

static bool resolve_date(const Fields *fields, DateTime *out) {
    const int64_t *v = fields->values;
    const bool *is_set = fields->is_set;
    if (!is_set[OP_YEAR] && !is_set[OP_YEAR_OF_ERA]) return false;
    int64_t year = is_set[OP_YEAR] ? v[OP_YEAR] : v[OP_YEAR_OF_ERA];
    if (!in_range(year, -999999999, 999999999)) return false;
    out->year = (int32_t)year;
    int64_t days;
    if (is_set[OP_MONTH] && is_set[OP_DAY]) {
        if (!in_range(v[OP_MONTH], 1, 12) || !in_range(v[OP_DAY], 1, 31)) return false;
        // The smart style takes day 30 or 31 of a shorter month as its last day.
        int32_t next_year = out->year + (v[OP_MONTH] == 12);
        int next_month = (int)(v[OP_MONTH] % 12) + 1;
        int64_t last = days_from_date(next_year, next_month, 1) - 1;
        days = days_from_date(out->year, (int)v[OP_MONTH], (int)v[OP_DAY]);
        if (days > last) days = last;
    } else if (is_set[OP_DAY_OF_YEAR]) {
        days = days_from_date(out->year, 1, 1) + v[OP_DAY_OF_YEAR] - 1;
        if (!in_range(v[OP_DAY_OF_YEAR], 1, 366) || days >= days_from_date(out->year + 1, 1, 1)) {
            return false;
        }
    } else {
        return false;
    }
    int month, day;
    date_from_days(days, &out->year, &month, &day);
    out->month = (int8_t)month;
    out->day = (int8_t)day;
    return !is_set[OP_WEEKDAY] || v[OP_WEEKDAY] == pattern_weekday(days) + 1;
}

// Without a full time there is a date only; false where a field is out of its range.
static bool resolve_time(const Fields *fields, DateTime *out) {
    const int64_t *v = fields->values;
    const bool *is_set = fields->is_set;
    int64_t hour = -1;
    if (is_set[OP_HOUR]) hour = v[OP_HOUR];
    if (is_set[OP_HOUR_24]) hour = v[OP_HOUR_24] == 24 ? 0 : v[OP_HOUR_24];
    if (is_set[OP_HALF_DAY] && is_set[OP_HOUR_12]) {
        if (!in_range(v[OP_HOUR_12], 1, 12)) return false;
        hour = v[OP_HOUR_12] % 12 + 12 * v[OP_HALF_DAY];
    }
    if (is_set[OP_HALF_DAY] && is_set[OP_HOUR_11]) {
        if (!in_range(v[OP_HOUR_11], 0, 11)) return false;
        hour = v[OP_HOUR_11] + 12 * v[OP_HALF_DAY];
    }
    int64_t nano = is_set[OP_FRACTION] ? v[OP_FRACTION] : v[OP_NANO];
    bool is_day = is_set[OP_MILLI_OF_DAY] || is_set[OP_NANO_OF_DAY];
    int64_t minute = v[OP_MINUTE], second = v[OP_SECOND];
    if (is_day) {
        int64_t all = is_set[OP_NANO_OF_DAY] ? v[OP_NANO_OF_DAY] : 0;
        if (is_set[OP_MILLI_OF_DAY]) {
            if (!in_range(v[OP_MILLI_OF_DAY], 0, 86399999)) return false;
            all = v[OP_MILLI_OF_DAY] * 1000000;
        }
        if (!in_range(all, 0, INT64_C(86399999999999))) return false;
        hour = all / INT64_C(3600000000000);
        minute = all / INT64_C(60000000000) % 60;
        second = all / 1000000000 % 60;
        nano = all % 1000000000;
    }
    if (hour == -1) return true;
    if (!in_range(hour, 0, 23) || !in_range(minute, 0, 59) || !in_range(second, 0, 59) ||
        !in_range(nano, 0, 999999999)) {
        return false;
    }
    out->hour = (int8_t)hour;
    out->minute = (int8_t)minute;
    out->second = (int8_t)second;
    out->nanosecond = (int32_t)nano;
    out->has_time = true;
    return true;
}

Err date_pattern_parse(const DatePattern *pattern, Str text, DateTime *out) {
    Arena arena = {0};
    Parser parser = {.pattern = pattern, .text = text, .arena = &arena};
    *out = (DateTime){0};
    bool is_good = parse_ops(&parser, 0, pattern->count) && parser.at == text.len &&
                   resolve_date(&parser.fields, out) && resolve_time(&parser.fields, out);
    if (is_good && parser.fields.is_set[OP_OFFSET]) {
        out->offset = (int32_t)parser.fields.values[OP_OFFSET];
        out->has_offset = true;
    } else if (is_good && parser.fields.zone != NULL) {
        DateTime local = *out;
        Instant instant = zone_to_instant(parser.fields.zone, &local);
        out->offset = zone_offset_at(parser.fields.zone, instant.seconds, NULL);
        out->has_offset = true;
    }
    arena_release(&arena);
    if (is_good) return err_none();
    return err_make(ERR_INPUT, "'" STR_FMT "' is no date of that pattern",
                    STR_ARG(str_slice(text, 0, 80)));
}
