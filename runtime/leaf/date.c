// date.c - filters and functions on dates: one conversion to an instant in a zone, then printing,
// adding, counting (expression-language.md 10).
#include "leaf/machine.h"

#include <string.h>

#include "value/time.h"

enum { CACHE_MAX = 64 };

typedef struct Moment {
    Instant instant;
    const Zone *zone;
} Moment;

// --- zones and patterns, each read once ---------------------------------------------------------

// Beyond CACHE_MAX names the run's own arena is used, so that computed names cannot fill memory.
static Arena *cache_arena(LeafVm *vm, uint32_t count) {
    bool fits = count < CACHE_MAX || vm->run == NULL;
    return fits ? &vm->arena : vm->run->arena;
}

static const Zone *zone_of(lua_State *L, Str name) {
    LeafVm *vm = vm_of(L);
    if (name.len == 0) name = vm->time_zone.len == 0 ? STR("UTC") : vm->time_zone;
    for (uint32_t i = 0; i < vm->zones.count; i++) {
        if (str_eq(vm->zones.items[i].name, name)) return vm->zones.items[i].zone;
    }
    Arena *arena = cache_arena(vm, vm->zones.count);
    const Zone *zone = NULL;
    Err err = zone_open(name, arena, &zone);
    if (err.code != ERR_NONE) leaf_raise_err(L, LEAF_ERROR_VALUE, &err);
    if (arena == &vm->arena) {
        *LIST_ADD(arena, &vm->zones, LeafZone) = (LeafZone){str_dup(arena, name), zone};
    }
    return zone;
}

static const DatePattern *pattern_of(lua_State *L, Str text) {
    LeafVm *vm = vm_of(L);
    if (text.ptr == NULL) text = STR("iso");
    for (uint32_t i = 0; i < vm->patterns.count; i++) {
        if (str_eq(vm->patterns.items[i].text, text)) return vm->patterns.items[i].pattern;
    }
    Arena *arena = cache_arena(vm, vm->patterns.count);
    const DatePattern *pattern = NULL;
    Err err = date_pattern_compile(text, arena, &pattern);
    if (err.code != ERR_NONE) leaf_raise_err(L, LEAF_ERROR_VALUE, &err);
    if (arena == &vm->arena) {
        *LIST_ADD(arena, &vm->patterns, LeafPattern) = (LeafPattern){str_dup(arena, text), pattern};
    }
    return pattern;
}

static void check_locale(lua_State *L, int index) {
    static const char *const known[] = {"en", "en_US", "en-US"};
    if (lua_isnil(L, index)) return;
    Str locale = leaf_str(L, index);
    for (size_t i = 0; i < COUNT(known); i++) {
        if (str_eq(locale, str_from(known[i]))) return;
    }
    leaf_raise(L, LEAF_ERROR_UNKNOWN,
               "locale '" STR_FMT "' is not supported: dates print in English",
               STR_ARG(str_slice(locale, 0, 40)));
}

// --- to an instant ------------------------------------------------------------------------------

// Seconds, milliseconds, microseconds or nanoseconds by their magnitude.
static Instant instant_of_int(int64_t integer) {
    static const struct {
        int64_t limit, per_second;
    } scales[] = {
        {INT64_C(100000000000),       1         },
        {INT64_C(100000000000000),    1000      },
        {INT64_C(100000000000000000), 1000000   },
        {INT64_MAX,                   1000000000},
    };
    int64_t size = integer == INT64_MIN ? INT64_MAX : integer < 0 ? -integer : integer;
    size_t i = 0;
    while (i + 1 < COUNT(scales) && size >= scales[i].limit) i++;
    int64_t per_second = scales[i].per_second;
    int64_t seconds = integer / per_second, rest = integer % per_second;
    if (rest < 0) {
        rest += per_second;
        seconds--;
    }
    return (Instant){seconds, (int32_t)(rest * (1000000000 / per_second))};
}

// What java.time's ISO readers take of what datetime_parse() takes: no blanks around, an offset
// with colons and behind a time.
static bool is_strict_iso(Str text, const DateTime *at) {
    if (text.len == 0 || text.ptr[0] <= ' ' || text.ptr[text.len - 1] <= ' ') return false;
    if (!at->has_time) return !at->has_offset && text.len == 10;
    size_t bracket = str_find_char(text, '[', 0);
    if (bracket != STR_NOT_FOUND) text = str_slice(text, 0, bracket);
    size_t sign = 11;
    while (sign < text.len && text.ptr[sign] != '+' && text.ptr[sign] != '-') sign++;
    if (bracket != STR_NOT_FOUND && !at->has_offset) return false;
    return sign + 3 >= text.len || text.ptr[sign + 3] == ':';
}

NO_RETURN static void no_date(lua_State *L, int index, Str existing) {
    char quoted[96];
    if (existing.ptr != NULL) {
        leaf_raise(L, LEAF_ERROR_VALUE, "%s is no date of the pattern '" STR_FMT "'",
                   leaf_quote(L, index, quoted), STR_ARG(str_slice(existing, 0, 80)));
    }
    leaf_raise(L, LEAF_ERROR_VALUE,
               "%s is no date: expected one such as 2024-01-31, 2024-01-31T10:00:00 or "
               "2024-01-31T10:00:00Z, or name its pattern as 'existingFormat'",
               leaf_quote(L, index, quoted));
}

static DateTime read_text(lua_State *L, int index, Str existing) {
    Str text = leaf_str(L, index);
    DateTime at;
    if (existing.ptr != NULL) {
        const Err err = date_pattern_parse(pattern_of(L, existing), text, &at);
        if (err.code != ERR_NONE) no_date(L, index, existing);
    } else {
        const Err err = datetime_parse(text, &at);
        if (err.code != ERR_NONE || !is_strict_iso(text, &at)) no_date(L, index, existing);
    }
    return at;
}

static Moment read_moment(lua_State *L, int index, Str zone_text, Str existing) {
    Moment moment = {.zone = zone_of(L, zone_text)};
    if (lua_isinteger(L, index)) {
        moment.instant = instant_of_int(lua_tointeger(L, index));
        return moment;
    }
    DateTime at = read_text(L, index, existing);
    moment.instant = at.has_offset ? datetime_to_instant(&at) : zone_to_instant(moment.zone, &at);
    return moment;
}

static void push_moment(lua_State *L, const Moment *moment, const DatePattern *pattern) {
    int32_t offset = zone_offset_at(moment->zone, moment->instant.seconds, NULL);
    DateTime at = datetime_from_instant(moment->instant, offset);
    Buffer *out = leaf_scratch(L);
    date_pattern_print(pattern, &at, moment->zone, out);
    leaf_push_scratch(L);
}

// --- date, now ----------------------------------------------------------------------------------

static int date(lua_State *L) {
    check_locale(L, FIRST_PARAM + 3);
    const DatePattern *pattern = pattern_of(L, leaf_str(L, FIRST_PARAM));
    Moment moment =
        read_moment(L, FIRST_ARG, leaf_str(L, FIRST_PARAM + 1), leaf_str(L, FIRST_PARAM + 2));
    push_moment(L, &moment, pattern);
    return 1;
}

static int now(lua_State *L) {
    check_locale(L, FIRST_ARG + 3);
    const Clock *clock = vm_of(L)->clock;
    int64_t milliseconds = clock->wall_ms(clock->self);
    Moment moment = {.zone = zone_of(L, leaf_str(L, FIRST_ARG + 1))};
    moment.instant.seconds = milliseconds / 1000;
    moment.instant.nanoseconds = (int32_t)(milliseconds % 1000 * 1000000);
    push_moment(L, &moment, pattern_of(L, leaf_str(L, FIRST_ARG)));
    return 1;
}

// --- dateAdd ------------------------------------------------------------------------------------

typedef struct Unit {
    const char *name;
    int64_t nanoseconds;  // of elapsed time, else 0
    int32_t days, months;
} Unit;

static const Unit units[] = {
    {"NANOS",     1,                       0, 0    },
    {"MICROS",    1000,                    0, 0    },
    {"MILLIS",    1000000,                 0, 0    },
    {"SECONDS",   1000000000,              0, 0    },
    {"MINUTES",   INT64_C(60000000000),    0, 0    },
    {"HOURS",     INT64_C(3600000000000),  0, 0    },
    {"HALF_DAYS", INT64_C(43200000000000), 0, 0    },
    {"DAYS",      0,                       1, 0    },
    {"WEEKS",     0,                       7, 0    },
    {"MONTHS",    0,                       0, 1    },
    {"YEARS",     0,                       0, 12   },
    {"DECADES",   0,                       0, 120  },
    {"CENTURIES", 0,                       0, 1200 },
    {"MILLENNIA", 0,                       0, 12000},
};

static const Unit *find_unit(lua_State *L, Str name) {
    for (size_t i = 0; i < COUNT(units); i++) {
        if (str_eq(name, str_from(units[i].name))) return &units[i];
    }
    for (size_t i = 0; i < COUNT(units); i++) {
        if (!str_eq_ignore_case(name, str_from(units[i].name))) continue;
        leaf_raise(L, LEAF_ERROR_VALUE, "'unit' of 'dateAdd' is written '%s'", units[i].name);
    }
    leaf_raise(L, LEAF_ERROR_VALUE,
               "'unit' of 'dateAdd' is one of SECONDS, MINUTES, HOURS, DAYS, WEEKS, MONTHS, YEARS "
               "and the like, not '" STR_FMT "'",
               STR_ARG(str_slice(name, 0, 40)));
}

static int64_t read_amount(lua_State *L, int index) {
    char quoted[96];
    int64_t amount = 0;
    if (lua_isinteger(L, index)) return lua_tointeger(L, index);
    if (leaf_kind(L, index) == KIND_TEXT && leaf_parse_int(leaf_str(L, index), &amount)) {
        return amount;
    }
    double real = leaf_kind(L, index) == KIND_FLOAT ? lua_tonumber(L, index) : 1e300;
    if (real > -9.2e18 && real < 9.2e18) return (int64_t)real;
    leaf_raise(L, LEAF_ERROR_TYPE, "'amount' of 'dateAdd' is an integer, not %s",
               leaf_quote(L, index, quoted));
}

NO_RETURN static void out_of_range(lua_State *L) {
    leaf_raise(L, LEAF_ERROR_VALUE, "the date is beyond the years ±999999999");
}

static void check_seconds(lua_State *L, int64_t seconds) {
    // ±999,999,999 years.
    if (seconds < INT64_C(-31557014135553600) || seconds > INT64_C(31556889832780799)) {
        out_of_range(L);
    }
}

static void add_elapsed(lua_State *L, Instant *instant, int64_t amount, int64_t unit) {
    // amount × unit nanoseconds as seconds and nanoseconds, without 128-bit arithmetic.
    int64_t per_second = unit < 1000000000 ? 1000000000 / unit : 1;
    int64_t seconds = unit < 1000000000 ? amount / per_second : 0;
    int64_t nanoseconds = unit < 1000000000 ? amount % per_second * unit : 0;
    if (unit >= 1000000000 && __builtin_mul_overflow(amount, unit / 1000000000, &seconds)) {
        out_of_range(L);
    }
    nanoseconds += instant->nanoseconds;
    if (nanoseconds < 0) {
        nanoseconds += 1000000000;
        if (__builtin_sub_overflow(seconds, 1, &seconds)) out_of_range(L);
    }
    if (__builtin_add_overflow(seconds, nanoseconds / 1000000000, &seconds) ||
        __builtin_add_overflow(instant->seconds, seconds, &instant->seconds)) {
        out_of_range(L);
    }
    instant->nanoseconds = (int32_t)(nanoseconds % 1000000000);
    check_seconds(L, instant->seconds);
}

static int month_length(int64_t year, int month) {
    int32_t next_year = (int32_t)year + (month == 12);
    return (int)(days_from_date(next_year, month % 12 + 1, 1) -
                 days_from_date((int32_t)year, month, 1));
}

// Calendar steps on the local date-time; the offset is found again.
static void add_calendar(lua_State *L, Moment *moment, int64_t amount, const Unit *unit) {
    int32_t offset = zone_offset_at(moment->zone, moment->instant.seconds, NULL);
    DateTime at = datetime_from_instant(moment->instant, offset);
    int64_t step;
    if (__builtin_mul_overflow(amount, unit->days != 0 ? unit->days : unit->months, &step) ||
        step > INT64_C(400000000000) || step < INT64_C(-400000000000)) {
        out_of_range(L);
    }
    if (unit->days != 0) {
        int64_t days = days_from_date(at.year, at.month, at.day) + step;
        int month, day;
        check_seconds(L, days * 86400);
        date_from_days(days, &at.year, &month, &day);
        at.month = (int8_t)month;
        at.day = (int8_t)day;
    } else {
        int64_t months = (int64_t)at.year * 12 + at.month - 1 + step;
        int64_t year = months / 12 - (months % 12 < 0);
        if (year > 999999999 || year < -999999999) out_of_range(L);
        int month = (int)(months - year * 12) + 1, last = month_length(year, month);
        at.year = (int32_t)year;
        at.month = (int8_t)month;
        if (at.day > last) at.day = (int8_t)last;
    }
    moment->instant = zone_to_instant(moment->zone, &at);
}

static int date_add(lua_State *L) {
    check_locale(L, FIRST_PARAM + 5);
    const Unit *unit = find_unit(L, leaf_str(L, FIRST_PARAM + 1));
    int64_t amount = read_amount(L, FIRST_PARAM);
    const DatePattern *pattern = pattern_of(L, leaf_str(L, FIRST_PARAM + 2));
    Moment moment =
        read_moment(L, FIRST_ARG, leaf_str(L, FIRST_PARAM + 3), leaf_str(L, FIRST_PARAM + 4));
    check_seconds(L, moment.instant.seconds);
    if (unit->nanoseconds != 0) {
        add_elapsed(L, &moment.instant, amount, unit->nanoseconds);
    } else {
        add_calendar(L, &moment, amount, unit);
    }
    push_moment(L, &moment, pattern);
    return 1;
}

// --- timestamps ---------------------------------------------------------------------------------

static int push_timestamp(lua_State *L, int64_t per_second) {
    Moment moment =
        read_moment(L, FIRST_ARG, leaf_str(L, FIRST_PARAM), leaf_str(L, FIRST_PARAM + 1));
    int64_t result;
    int64_t rest = moment.instant.nanoseconds / (1000000000 / per_second);
    if (__builtin_mul_overflow(moment.instant.seconds, per_second, &result) ||
        __builtin_add_overflow(result, rest, &result)) {
        leaf_raise(L, LEAF_ERROR_VALUE, "the result of '%s' does not fit into 64 bits",
                   vm_of(L)->builtin);
    }
    lua_pushinteger(L, result);
    return 1;
}

static int timestamp(lua_State *L) {
    return push_timestamp(L, 1);
}

static int timestamp_milli(lua_State *L) {
    return push_timestamp(L, 1000);
}

static int timestamp_micro(lua_State *L) {
    return push_timestamp(L, 1000000);
}

static int timestamp_nano(lua_State *L) {
    return push_timestamp(L, 1000000000);
}

#define DATE_PARAMS                                                                                \
    {"format", "text?"}, {"timeZone", "text?"}, {"existingFormat", "text?"}, {                     \
        "locale", "text?"                                                                          \
    }
#define TIMESTAMP_PARAMS                                                                           \
    {                                                                                              \
        {"timeZone", "text?"}, {                                                                   \
            "existingFormat", "text?"                                                              \
        }                                                                                          \
    }

const Builtin leaf_builtins_date[] = {
    {.kind = BUILTIN_FILTER,
     .name = "date",
     .params = {DATE_PARAMS},
     .input = "text|int",
     .result = "text",
     .flags = BUILTIN_NULL_PASSES,
     .run = date,
     .text = "A date as text in `format`: a pattern such as `yyyy-MM-dd` or a name such as `iso`, "
             "`iso_sec`, `sql`. The date is ISO text, text in `existingFormat`, or seconds since "
             "1970.", .examples = "{{ '2024-11-03T05:30:45Z' | date('yyyy-MM-dd') }} => 2024-11-03\n"
                 "{{ '03/11/2024' | date('yyyy-MM-dd', existingFormat='dd/MM/yyyy') }} => "
                 "2024-11-03\n"
                 "{{ 1730611845 | date('iso_sec', timeZone='+05:30') }} => "
                 "2024-11-03T11:00:45+05:30"},
    {.kind = BUILTIN_FILTER,
     .name = "dateAdd",
     .params = {{"amount", "number|text"}, {"unit", "text"}, DATE_PARAMS},
     .input = "text|int",
     .result = "text",
     .flags = BUILTIN_NULL_PASSES,
     .run = date_add,
     .text = "A date some units later or earlier: SECONDS, MINUTES, HOURS are elapsed time, DAYS, "
             "WEEKS, MONTHS, YEARS steps of the calendar.", .examples = "{{ '2024-01-31' | dateAdd(1, 'MONTHS', 'yyyy-MM-dd') }} => 2024-02-29\n"
                 "{{ '2024-01-31' | dateAdd(-1, 'DAYS', 'yyyy-MM-dd') }} => 2024-01-30"},
    {.kind = BUILTIN_FUNCTION,
     .name = "now",
     .params = {DATE_PARAMS},
     .result = "text",
     .flags = BUILTIN_RANDOM,
     .run = now,
     .text = "The current time in `format`.",
     .examples = "{{ now('yyyy') | length }} => 4"},
    {.kind = BUILTIN_FILTER,
     .name = "timestamp",
     .params = TIMESTAMP_PARAMS,
     .input = "text|int",
     .result = "int",
     .flags = BUILTIN_NULL_PASSES,
     .run = timestamp,
     .text = "Seconds since 1970 of a date.",
     .examples = "{{ '2024-11-03T05:30:45Z' | timestamp }} => 1730611845"},
    {.kind = BUILTIN_FILTER,
     .name = "timestampMicro",
     .params = TIMESTAMP_PARAMS,
     .input = "text|int",
     .result = "int",
     .flags = BUILTIN_NULL_PASSES,
     .run = timestamp_micro,
     .text = "Microseconds since 1970 of a date.",
     .examples = "{{ '2024-11-03T05:30:45Z' | timestampMicro }} => 1730611845000000"},
    {.kind = BUILTIN_FILTER,
     .name = "timestampMilli",
     .params = TIMESTAMP_PARAMS,
     .input = "text|int",
     .result = "int",
     .flags = BUILTIN_NULL_PASSES,
     .run = timestamp_milli,
     .text = "Milliseconds since 1970 of a date.",
     .examples = "{{ '2024-11-03T05:30:45Z' | timestampMilli }} => 1730611845000"},
    {.kind = BUILTIN_FILTER,
     .name = "timestampNano",
     .params = TIMESTAMP_PARAMS,
     .input = "text|int",
     .result = "int",
     .flags = BUILTIN_NULL_PASSES,
     .run = timestamp_nano,
     .text = "Nanoseconds since 1970 of a date.",
     .examples = "{{ '2024-11-03T05:30:45Z' | timestampNano }} => 1730611845000000000"},
    {.name = NULL                                                    },
};
