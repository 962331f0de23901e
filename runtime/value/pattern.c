// pattern.c - date patterns of java.time compiled to operations, for printing and for parsing.
//
// English names, weeks as in en_US (they start on Sunday). A named format (`iso`, `sql`, …) is a
// pattern too: such names are no valid patterns, so the two cannot be confused.
#include <stdio.h>
#include <string.h>

#include "value/pattern.h"

enum { OPS_MAX = 256, PATTERN_SIZE_MAX = 1024 };

// --- compiling ----------------------------------------------------------------------------------

static const struct {
    const char *name, *pattern;
} named[] = {
    {"iso",                  "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX"  },
    {"iso_milli",            "yyyy-MM-dd'T'HH:mm:ss.SSSXXX"     },
    {"iso_sec",              "yyyy-MM-dd'T'HH:mm:ssXXX"         },
    {"sql",                  "yyyy-MM-dd HH:mm:ss.SSSSSS"       },
    {"sql_milli",            "yyyy-MM-dd HH:mm:ss.SSS"          },
    {"sql_sec",              "yyyy-MM-dd HH:mm:ss"              },
 // From here on with letters of our own: \1 fraction, \2 offset, \3 region, \4 grouped fraction
  // in UTC, \5 and \6 the ISO week, \7 the ISO weekday.
    {"iso_local_date",       "uuuu-MM-dd"                       },
    {"iso_local_time",       "HH:mm[:ss\1]"                     },
    {"iso_local_date_time",  "uuuu-MM-dd'T'HH:mm[:ss\1]"        },
    {"iso_offset_date",      "uuuu-MM-dd\2"                     },
    {"iso_offset_time",      "HH:mm[:ss\1]\2"                   },
    {"iso_offset_date_time", "uuuu-MM-dd'T'HH:mm[:ss\1]\2"      },
    {"iso_zoned_date_time",  "uuuu-MM-dd'T'HH:mm[:ss\1]\2[\3]"  },
    {"iso_date",             "uuuu-MM-dd[\2]"                   },
    {"iso_time",             "HH:mm[:ss\1][\2]"                 },
    {"iso_date_time",        "uuuu-MM-dd'T'HH:mm[:ss\1][\2[\3]]"},
    {"iso_instant",          "\x08uuuu-MM-dd'T'HH:mm:ss\4'Z'"   },
    {"iso_ordinal_date",     "uuuu-DDD[\2]"                     },
    {"iso_week_date",        "\5-'W'\6-\7[\2]"                  },
    {"rfc_1123_date_time",   "EEE, d MMM uuuu HH:mm:ss \x0e"    },
};

static const char *const localized[] = {"full", "long", "medium", "short"};

typedef struct Compiler {
    Arena *arena;
    Str pattern;
    LIST_OF(Op) ops;
    int depth;
} Compiler;

static Op *add_op(Compiler *compiler, OpKind kind, size_t count) {
    Op *op = LIST_ADD(compiler->arena, &compiler->ops, Op);
    *op = (Op){.kind = kind, .count = (uint8_t)(count > 255 ? 255 : count)};
    return op;
}

static void add_literal(Compiler *compiler, Str text) {
    add_op(compiler, OP_LITERAL, 1)->text = text;
}

// Letters that name one field, and how many of them are allowed.
static const struct {
    char letter;
    OpKind kind;
    uint8_t most;
} letters[] = {
    {'u', OP_YEAR,          DIGITS_MAX},
    {'y', OP_YEAR_OF_ERA,   DIGITS_MAX},
    {'Y', OP_WEEK_YEAR,     DIGITS_MAX},
    {'M', OP_MONTH,         5         },
    {'L', OP_MONTH,         5         },
    {'Q', OP_QUARTER,       5         },
    {'q', OP_QUARTER,       5         },
    {'E', OP_WEEKDAY,       5         },
    {'e', OP_LOCAL_WEEKDAY, 5         },
    {'c', OP_LOCAL_WEEKDAY, 5         },
    {'a', OP_HALF_DAY,      1         },
    {'G', OP_ERA,           5         },
    {'d', OP_DAY,           2         },
    {'D', OP_DAY_OF_YEAR,   3         },
    {'H', OP_HOUR,          2         },
    {'k', OP_HOUR_24,       2         },
    {'K', OP_HOUR_11,       2         },
    {'h', OP_HOUR_12,       2         },
    {'m', OP_MINUTE,        2         },
    {'s', OP_SECOND,        2         },
    {'S', OP_FRACTION,      9         },
    {'A', OP_MILLI_OF_DAY,  DIGITS_MAX},
    {'n', OP_NANO,          DIGITS_MAX},
    {'N', OP_NANO_OF_DAY,   DIGITS_MAX},
    {'w', OP_WEEK,          2         },
    {'W', OP_WEEK_OF_MONTH, 1         },
    {'F', OP_ALIGNED_WEEK,  1         },
    {'z', OP_ZONE_NAME,     3         },
};

static Err too_many(char letter, size_t count) {
    return err_make(ERR_INPUT,
                    "the date pattern has %zu times the letter '%c' in a row, which is "
                    "not allowed",
                    count, letter);
}

static Err add_offset(Compiler *compiler, char letter, size_t count) {
    if (letter == 'O' || (letter == 'Z' && count == 4)) {
        if (letter == 'O' && count != 1 && count != 4) return too_many(letter, count);
        add_op(compiler, OP_OFFSET_WORD, count);
        return err_none();
    }
    if (count > 5) return too_many(letter, count);
    size_t style = count;
    if (letter == 'Z') style = count < 4 ? 2 : 5;
    bool has_z = letter == 'X' || (letter == 'Z' && count == 5);
    add_op(compiler, OP_OFFSET, count)->style = (uint8_t)(style | (has_z ? OFFSET_Z : 0));
    return err_none();
}

static Err add_letters(Compiler *compiler, char letter, size_t count) {
    if (strchr("XxZO", letter) != NULL) return add_offset(compiler, letter, count);
    if (letter == 'V') {
        if (count != 2) return too_many(letter, count);
        add_op(compiler, OP_ZONE_ID, count);
        return err_none();
    }
    if (letter == 'p') {
        add_op(compiler, OP_PAD, count);
        return err_none();
    }
    for (size_t i = 0; i < COUNT(letters); i++) {
        if (letters[i].letter != letter) continue;
        if (count > letters[i].most || (letter == 'c' && count == 2)) {
            return too_many(letter, count);
        }
        add_op(compiler, letters[i].kind, count);
        return err_none();
    }
    if (letter == 'B' || letter == 'v' || letter == 'g') {
        return err_make(ERR_UNSUPPORTED, "the date pattern letter '%c' is not supported", letter);
    }
    return err_make(ERR_INPUT,
                    "'%c' is no letter of date patterns: put text in single quotes, as in "
                    "'yyyy-MM-dd''T''HH:mm'",
                    letter);
}

static Err add_quoted(Compiler *compiler, size_t *at) {
    Str pattern = compiler->pattern;
    char *text = arena_array(compiler->arena, char, pattern.len);
    size_t len = 0;
    for (size_t i = *at + 1; i < pattern.len; i++) {
        if (pattern.ptr[i] != '\'') {
            text[len++] = pattern.ptr[i];
        } else if (i + 1 < pattern.len && pattern.ptr[i + 1] == '\'') {
            text[len++] = '\'';
            i++;
        } else {
            if (len == 0) text[len++] = '\'';  // '' is a quote
            add_literal(compiler, (Str){text, len});
            *at = i + 1;
            return err_none();
        }
    }
    return err_make(ERR_INPUT, "the date pattern has a quote without its end");
}

static void add_own(Compiler *compiler, char c) {
    switch (c) {
    case 1:
        add_op(compiler, OP_ISO_FRACTION, 1);
        return;
    case 2:
        add_op(compiler, OP_OFFSET, 5)->style = 5 | OFFSET_Z;
        return;
    case 3:
        add_op(compiler, OP_ZONE_REGION, 1);
        return;
    case 4:
        add_op(compiler, OP_GROUPED_FRACTION, 1);
        return;
    case 5:
        add_op(compiler, OP_ISO_WEEK_YEAR, 4);
        return;
    case 6:
        add_op(compiler, OP_ISO_WEEK, 2);
        return;
    case 7:
        add_op(compiler, OP_ISO_WEEKDAY, 1);
        return;
    case 8:
        add_op(compiler, OP_TO_UTC, 1);
        return;
    default:
        add_op(compiler, OP_OFFSET, 2)->style = 6;
        return;  // +0200, GMT for zero
    }
}

static Err compile(Compiler *compiler, bool is_own) {
    Str pattern = compiler->pattern;
    for (size_t at = 0; at < pattern.len;) {
        char c = pattern.ptr[at];
        if (compiler->ops.count > OPS_MAX) {
            return err_make(ERR_LIMIT, "the date pattern has more than %d parts", OPS_MAX);
        }
        if (is_own && (unsigned char)c < ' ') {
            add_own(compiler, c);
            at++;
        } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
            size_t end = at;
            while (end < pattern.len && pattern.ptr[end] == c) end++;
            TRY(add_letters(compiler, c, end - at));
            at = end;
        } else if (c == '\'') {
            TRY(add_quoted(compiler, &at));
        } else if (c == '[') {
            compiler->depth++;
            add_op(compiler, OP_OPTIONAL_START, 1);
            at++;
        } else if (c == ']') {
            if (compiler->depth-- == 0) {
                return err_make(ERR_INPUT, "the date pattern has a ']' without '['");
            }
            add_op(compiler, OP_OPTIONAL_END, 1);
            at++;
        } else if (c == '{' || c == '}' || c == '#') {
            return err_make(ERR_INPUT, "'%c' in a date pattern is reserved: put it in quotes", c);
        } else {
            add_literal(compiler, str_slice(pattern, at, at + 1));
            at++;
        }
    }
    while (compiler->depth > 0) {
        add_op(compiler, OP_OPTIONAL_END, 1);
        compiler->depth--;
    }
    const Op *last =
        compiler->ops.count == 0 ? NULL : &compiler->ops.items[compiler->ops.count - 1];
    if (last != NULL && last->kind == OP_PAD) {
        return err_make(ERR_INPUT, "the date pattern pads nothing with its 'p'");
    }
    return err_none();
}

Err date_pattern_compile(Str pattern, Arena *arena, const DatePattern **out) {
    *out = NULL;
    if (pattern.len > PATTERN_SIZE_MAX) {
        return err_make(ERR_LIMIT, "a date pattern has more than %d bytes", PATTERN_SIZE_MAX);
    }
    Compiler compiler = {.arena = arena, .pattern = str_dup(arena, pattern)};
    bool is_own = false;
    for (size_t i = 0; i < COUNT(named); i++) {
        if (!str_eq(pattern, str_from(named[i].name))) continue;
        compiler.pattern = str_from(named[i].pattern);
        is_own = true;
    }
    for (size_t i = 0; i < COUNT(localized); i++) {
        if (!str_eq(pattern, str_from(localized[i]))) continue;
        return err_make(ERR_UNSUPPORTED,
                        "the date format '%s' depends on the machine's language: write a pattern "
                        "such as 'yyyy-MM-dd'",
                        localized[i]);
    }
    TRY(compile(&compiler, is_own));
    DatePattern *result = arena_new(arena, DatePattern);
    *result = (DatePattern){compiler.ops.items, compiler.ops.count};
    *out = result;
    return err_none();
}

// --- calendar -----------------------------------------------------------------------------------

const char *const pattern_months[12] = {"January",   "February", "March",    "April",
                                        "May",       "June",     "July",     "August",
                                        "September", "October",  "November", "December"};
const char *const pattern_weekdays[7] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                         "Friday", "Saturday", "Sunday"};

static int64_t days_of(const DateTime *at) {
    return days_from_date(at->year, at->month, at->day);
}

// 1970-01-01 was a Thursday.
int pattern_weekday(int64_t days) {
    return (int)(((days + 3) % 7 + 7) % 7);
}

static int day_of_year(const DateTime *at) {
    return (int)(days_of(at) - days_from_date(at->year, 1, 1)) + 1;
}

// Weeks start on `first` (0 Monday, 6 Sunday); the first week of a year has at least `least` days
// of it.
static int week_of(int64_t days, int32_t year, int first, int least, int32_t *week_year) {
    int64_t starts[2];
    for (int i = 0; i < 2; i++) {
        int64_t new_year = days_from_date(year + i, 1, 1);
        int before = (pattern_weekday(new_year) - first + 7) % 7;
        starts[i] = new_year - before + (7 - before >= least ? 0 : 7);
    }
    if (days >= starts[1]) {
        *week_year = year + 1;
        return (int)((days - starts[1]) / 7) + 1;
    }
    if (days >= starts[0]) {
        *week_year = year;
        return (int)((days - starts[0]) / 7) + 1;
    }
    int32_t ignored;
    *week_year = year - 1;
    return week_of(days, year - 1, first, least, &ignored);
}

static int64_t nano_of_day(const DateTime *at) {
    return ((int64_t)at->hour * 3600 + at->minute * 60 + at->second) * 1000000000 + at->nanosecond;
}

static int weekday_of(const DateTime *at) {
    return pattern_weekday(days_of(at));
}

// --- printing -----------------------------------------------------------------------------------

typedef struct Printer {
    const DateTime *at;
    const Zone *zone;
    Buffer *out;
} Printer;

static void print_padded(Buffer *out, int64_t value, int width) {
    if (width == 2 && value >= 0 && value < 100) {  // most fields of most patterns
        const char two[2] = {(char)('0' + value / 10), (char)('0' + value % 10)};
        buffer_add_bytes(out, two, 2);
        return;
    }
    if (value < 0) {
        buffer_add_char(out, '-');
        value = -value;
    }
    char digits[24];  // 19 of a 64-bit number
    int at = (int)sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    int count = (int)sizeof digits - at;
    if (count < width) buffer_add_repeat(out, '0', (size_t)(width - count));
    buffer_add_bytes(out, digits + at, (size_t)count);
}

// One letter: as it is; two: the last two digits; four and more: padded, with a sign beyond.
static void print_year(Buffer *out, int64_t year, int count) {
    if (count == 2) {
        print_padded(out, (year % 100 + 100) % 100, 2);
        return;
    }
    int64_t limit = 1;
    for (int i = 0; i < count && i < 18; i++) limit *= 10;
    if (count >= 4 && year >= limit) buffer_add_char(out, '+');
    print_padded(out, year, count);
}

static void print_name(Buffer *out, const char *name, int count) {
    size_t len = strlen(name);
    if (count == 5) len = 1;
    if (count < 4) len = 3;
    buffer_add_bytes(out, name, len);
}

static void print_quarter(Buffer *out, int quarter, int count) {
    static const char *const names[] = {"1st quarter", "2nd quarter", "3rd quarter", "4th quarter"};
    if (count == 3) {
        buffer_printf(out, "Q%d", quarter);
    } else if (count == 4) {
        buffer_add(out, str_from(names[quarter - 1]));
    } else {
        print_padded(out, quarter, count == 2 ? 2 : 1);
    }
}

static void print_offset(Buffer *out, int32_t offset, uint8_t style) {
    bool has_z = (style & OFFSET_Z) != 0;
    style &= 15;
    if (offset == 0 && (has_z || style == 6)) {
        buffer_add(out, has_z ? STR("Z") : STR("GMT"));
        return;
    }
    int32_t size = offset < 0 ? -offset : offset;
    int hours = size / 3600, minutes = size % 3600 / 60, seconds = size % 60;
    const char *colon = style == 3 || style == 5 ? ":" : "";
    buffer_printf(out, "%c%02d", offset < 0 ? '-' : '+', hours);
    if (style == 1 && minutes == 0) return;
    buffer_printf(out, "%s%02d", colon, minutes);
    if ((style == 4 || style == 5) && seconds != 0) buffer_printf(out, "%s%02d", colon, seconds);
}

static void print_offset_word(Buffer *out, int32_t offset, int count) {
    buffer_add(out, STR("GMT"));
    if (offset == 0) return;
    int32_t size = offset < 0 ? -offset : offset;
    int hours = size / 3600, minutes = size % 3600 / 60, seconds = size % 60;
    buffer_add_char(out, offset < 0 ? '-' : '+');
    if (count == 4) {
        buffer_printf(out, "%02d:%02d", hours, minutes);
    } else {
        buffer_printf(out, "%d", hours);
        if (minutes != 0 || seconds != 0) buffer_printf(out, ":%02d", minutes);
    }
    if (seconds != 0) buffer_printf(out, ":%02d", seconds);
}

static void print_fraction(Buffer *out, int32_t nanosecond, int digits) {
    char text[12];
    snprintf(text, sizeof text, "%09d", nanosecond);
    buffer_add_bytes(out, text, (size_t)digits);
}

static void print_iso_fraction(Buffer *out, int32_t nanosecond, bool is_grouped) {
    if (nanosecond == 0) return;
    int digits = 9;
    for (int32_t rest = nanosecond; rest % 10 == 0; rest /= 10) digits--;
    if (is_grouped) digits = (digits + 2) / 3 * 3;
    buffer_add_char(out, '.');
    print_fraction(out, nanosecond, digits);
}

static Str zone_label(const Printer *printer) {
    Str abbreviation = {0};
    (void)zone_offset_at(printer->zone, datetime_to_instant(printer->at).seconds, &abbreviation);
    return abbreviation;
}

static void print_zone_name(const Printer *printer, Buffer *out) {
    if (!zone_is_region(printer->zone)) {
        buffer_add(out, zone_name(printer->zone));
        return;
    }
    Str label = zone_label(printer);
    // Zones without a name of their own have their offset as one.
    if (label.len > 0 && (label.ptr[0] == '+' || label.ptr[0] == '-')) {
        print_offset_word(out, printer->at->offset, 4);
    } else {
        buffer_add(out, label);
    }
}

static void print_text_or_number(Buffer *out, const char *name, int number, int count) {
    if (count < 3) {
        print_padded(out, number, count);
    } else {
        print_name(out, name, count);
    }
}

static void print_era(Buffer *out, int32_t year, int count) {
    static const char *const eras[2][3] = {
        {"BC", "Before Christ", "B"},
        {"AD", "Anno Domini",   "A"}
    };
    buffer_add(out, str_from(eras[year > 0][count == 4 ? 1 : count == 5 ? 2 : 0]));
}

static void print_week_year(Buffer *out, const DateTime *at, int first, int least, int count) {
    int32_t year = 0;
    (void)week_of(days_of(at), at->year, first, least, &year);
    print_year(out, year, count);
}

static void print_week(Buffer *out, const DateTime *at, int first, int least, int count) {
    int32_t year = 0;
    print_padded(out, week_of(days_of(at), at->year, first, least, &year), count);
}

static void print_week_of_month(Buffer *out, const DateTime *at) {
    int first = pattern_weekday(days_of(at) - at->day + 1);
    print_padded(out, (at->day - 1 + (first + 1) % 7) / 7 + 1, 1);
}

static void print_region(const Printer *printer) {
    if (!zone_is_region(printer->zone)) return;
    buffer_add_char(printer->out, '[');
    buffer_add(printer->out, zone_name(printer->zone));
    buffer_add_char(printer->out, ']');
}

static void print_op(const Printer *printer, const Op *op) {  // NOLINT: one line a field
    const DateTime *at = printer->at;
    Buffer *out = printer->out;
    int count = op->count;
    switch (op->kind) {
    case OP_LITERAL:
        buffer_add_bytes(out, op->text.ptr, op->text.len);
        return;
    case OP_OPTIONAL_START:
    case OP_OPTIONAL_END:
    case OP_PAD:
    case OP_TO_UTC:
        return;
    case OP_YEAR:
        print_year(out, at->year, count);
        return;
    case OP_YEAR_OF_ERA:
        print_year(out, at->year > 0 ? at->year : 1 - (int64_t)at->year, count);
        return;
    case OP_WEEK_YEAR:
        print_week_year(out, at, 6, 1, count);
        return;
    case OP_ISO_WEEK_YEAR:
        print_week_year(out, at, 0, 4, count);
        return;
    case OP_MONTH:
        print_text_or_number(out, pattern_months[at->month - 1], at->month, count);
        return;
    case OP_DAY:
        print_padded(out, at->day, count);
        return;
    case OP_DAY_OF_YEAR:
        print_padded(out, day_of_year(at), count);
        return;
    case OP_QUARTER:
        print_quarter(out, (at->month - 1) / 3 + 1, count);
        return;
    case OP_WEEK:
        print_week(out, at, 6, 1, count);
        return;
    case OP_ISO_WEEK:
        print_week(out, at, 0, 4, count);
        return;
    case OP_WEEK_OF_MONTH:
        print_week_of_month(out, at);
        return;
    case OP_ALIGNED_WEEK:
        print_padded(out, (at->day - 1) / 7 + 1, 1);
        return;
    case OP_WEEKDAY:
        print_name(out, pattern_weekdays[weekday_of(at)], count);
        return;
    case OP_LOCAL_WEEKDAY:
        print_text_or_number(out, pattern_weekdays[weekday_of(at)], (weekday_of(at) + 1) % 7 + 1,
                             count);
        return;
    case OP_ISO_WEEKDAY:
        print_padded(out, weekday_of(at) + 1, 1);
        return;
    case OP_HALF_DAY:
        buffer_add(out, at->hour < 12 ? STR("AM") : STR("PM"));
        return;
    case OP_HOUR:
        print_padded(out, at->hour, count);
        return;
    case OP_HOUR_24:
        print_padded(out, at->hour == 0 ? 24 : at->hour, count);
        return;
    case OP_HOUR_11:
        print_padded(out, at->hour % 12, count);
        return;
    case OP_HOUR_12:
        print_padded(out, (at->hour + 11) % 12 + 1, count);
        return;
    case OP_MINUTE:
        print_padded(out, at->minute, count);
        return;
    case OP_SECOND:
        print_padded(out, at->second, count);
        return;
    case OP_FRACTION:
        print_fraction(out, at->nanosecond, count);
        return;
    case OP_ISO_FRACTION:
        print_iso_fraction(out, at->nanosecond, false);
        return;
    case OP_GROUPED_FRACTION:
        print_iso_fraction(out, at->nanosecond, true);
        return;
    case OP_MILLI_OF_DAY:
        print_padded(out, nano_of_day(at) / 1000000, count);
        return;
    case OP_NANO:
        print_padded(out, at->nanosecond, count);
        return;
    case OP_NANO_OF_DAY:
        print_padded(out, nano_of_day(at), count);
        return;
    case OP_OFFSET:
        print_offset(out, at->offset, op->style);
        return;
    case OP_OFFSET_WORD:
        print_offset_word(out, at->offset, count);
        return;
    case OP_ZONE_ID:
        buffer_add(out, zone_name(printer->zone));
        return;
    case OP_ZONE_NAME:
        print_zone_name(printer, out);
        return;
    case OP_ZONE_REGION:
        print_region(printer);
        return;
    case OP_ERA:
        print_era(out, at->year, count);
        return;
    }
}

void date_pattern_print(const DatePattern *pattern, const DateTime *datetime, const Zone *zone,
                        Buffer *out) {
    Printer printer = {datetime, zone, out};
    DateTime utc;
    for (uint32_t i = 0; i < pattern->count; i++) {
        const Op *op = &pattern->ops[i];
        if (op->kind == OP_TO_UTC) {
            utc = datetime_from_instant(datetime_to_instant(datetime), 0);
            printer.at = &utc;
        }
        if (op->kind != OP_PAD || i + 1 == pattern->count) {
            print_op(&printer, op);
            continue;
        }
        Buffer padded = {0};
        printer.out = &padded;
        print_op(&printer, &pattern->ops[++i]);
        printer.out = out;
        if (padded.len < op->count) buffer_add_repeat(out, ' ', op->count - padded.len);
        buffer_add(out, buffer_str(&padded));
        buffer_release(&padded);
    }
}
