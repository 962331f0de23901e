// calendar.c - functions of Kestra 2.0 on the day of a date as it is written: no zone changes it.
#include "leaf/machine.h"
#include "value/time.h"

static const char *const weekday_names[] = {"MONDAY", "TUESDAY",  "WEDNESDAY", "THURSDAY",
                                            "FRIDAY", "SATURDAY", "SUNDAY"};

// An ISO date or date-time, with an offset or without.
static DateTime read_date(lua_State *L, int index) {
    DateTime at;
    Err err = datetime_parse(leaf_str(L, index), &at);
    if (err.code != ERR_NONE) {
        char quoted[96];
        leaf_raise(L, LEAF_ERROR_VALUE,
                   "'%s()' takes a date such as 2024-01-31 or 2024-01-31T10:00:00Z, not %s",
                   vm_of(L)->builtin, leaf_quote(L, index, quoted));
    }
    return at;
}

static int64_t days_of(const DateTime *at) {
    return days_from_date(at->year, at->month, at->day);
}

// 0 is Monday; 1970-01-01 was a Thursday.
static int weekday_of(int64_t days) {
    return (int)(((days + 3) % 7 + 7) % 7);
}

static int month_length(const DateTime *at) {
    int next = at->month % 12 + 1;
    return (int)(days_from_date(at->year + (at->month == 12), next, 1) -
                 days_from_date(at->year, at->month, 1));
}

static int weekday_named(lua_State *L, Str name) {
    for (int i = 0; i < 7; i++) {
        if (str_eq_ignore_case(name, str_from(weekday_names[i]))) return i;
    }
    leaf_raise(L, LEAF_ERROR_VALUE, "'" STR_FMT "' is no weekday: MONDAY to SUNDAY",
               STR_ARG(str_slice(name, 0, 40)));
}

static int day_of_month(lua_State *L) {
    lua_pushinteger(L, read_date(L, FIRST_ARG).day);
    return 1;
}

static int day_of_week(lua_State *L) {
    DateTime at = read_date(L, FIRST_ARG);
    lua_pushstring(L, weekday_names[weekday_of(days_of(&at))]);
    return 1;
}

static int month_of_year(lua_State *L) {
    lua_pushinteger(L, read_date(L, FIRST_ARG).month);
    return 1;
}

static int hour_of_day(lua_State *L) {
    DateTime at = read_date(L, FIRST_ARG);
    if (!at.has_time) {
        leaf_raise(L, LEAF_ERROR_VALUE, "'hourOfDay()' takes a date with a time");
    }
    lua_pushinteger(L, at.hour);
    return 1;
}

static int is_weekend(lua_State *L) {
    DateTime at = read_date(L, FIRST_ARG);
    lua_pushboolean(L, weekday_of(days_of(&at)) >= 5);
    return 1;
}

static int is_day_week_in_month(lua_State *L) {
    static const char *const positions[] = {"FIRST", "SECOND", "THIRD", "FOURTH", "LAST"};
    DateTime at = read_date(L, FIRST_ARG);
    int weekday = weekday_named(L, leaf_str(L, FIRST_ARG + 1));
    Str position = leaf_str(L, FIRST_ARG + 2);
    int place = 0;
    while (place < 5 && !str_eq_ignore_case(position, str_from(positions[place]))) place++;
    if (place == 5) {
        leaf_raise(L, LEAF_ERROR_VALUE,
                   "'" STR_FMT "' is no position: FIRST, SECOND, THIRD, FOURTH or LAST",
                   STR_ARG(str_slice(position, 0, 40)));
    }
    bool is_there = place == 4 ? at.day + 7 > month_length(&at) : (at.day - 1) / 7 == place;
    lua_pushboolean(L, is_there && weekday_of(days_of(&at)) == weekday);
    return 1;
}

static int is_last_working_day(lua_State *L) {
    DateTime at = read_date(L, FIRST_ARG);
    bool works[7] = {true, true, true, true, true, false, false};
    if (!lua_isnil(L, FIRST_ARG + 1)) {
        Str rest = leaf_str(L, FIRST_ARG + 1), name;
        for (int i = 0; i < 7; i++) works[i] = false;
        while (str_split(&rest, ',', &name)) works[weekday_named(L, str_trim(name))] = true;
    }
    int64_t days = days_of(&at), last = days - at.day + month_length(&at);
    bool is_last = works[weekday_of(days)];
    for (int64_t later = days + 1; later <= last && is_last; later++) {
        is_last = !works[weekday_of(later)];
    }
    lua_pushboolean(L, is_last);
    return 1;
}

const Builtin leaf_builtins_calendar[] = {
    {.kind = BUILTIN_FUNCTION,
     .name = "dayOfMonth",
     .params = {{"date", "text"}},
     .result = "int",
     .flags = BUILTIN_ONLY_2_0,
     .run = day_of_month,
     .text = "The day of the month, from 1.",
     .examples = "{{ dayOfMonth('2024-11-03') }} => 3"},
    {.kind = BUILTIN_FUNCTION,
     .name = "dayOfWeek",
     .params = {{"date", "text"}},
     .result = "text",
     .flags = BUILTIN_ONLY_2_0,
     .run = day_of_week,
     .text = "The weekday: MONDAY to SUNDAY.",
     .examples = "{{ dayOfWeek('2024-11-03') }} => SUNDAY"},
    {.kind = BUILTIN_FUNCTION,
     .name = "hourOfDay",
     .params = {{"date", "text"}},
     .result = "int",
     .flags = BUILTIN_ONLY_2_0,
     .run = hour_of_day,
     .text = "The hour, from 0 to 23.",
     .examples = "{{ hourOfDay('2024-11-03T05:30:00') }} => 5"},
    {.kind = BUILTIN_FUNCTION,
     .name = "isDateBetween",
     .result = "bool",
     .flags = BUILTIN_REFUSED | BUILTIN_ONLY_2_0,
     .text = "it is in no released version: compare 'timestamp' values",
     .examples = ""},
    {.kind = BUILTIN_FUNCTION,
     .name = "isDayWeekInMonth",
     .params = {{"date", "text"}, {"dayOfWeek", "text"}, {"position", "text"}},
     .result = "bool",
     .flags = BUILTIN_ONLY_2_0,
     .run = is_day_week_in_month,
     .text = "Whether it is the FIRST, SECOND, THIRD, FOURTH or LAST such weekday of its month.",
     .examples = "{{ isDayWeekInMonth('2024-11-04', 'MONDAY', 'FIRST') }} => true"},
    {.kind = BUILTIN_FUNCTION,
     .name = "isLastWorkingDay",
     .params = {{"date", "text"}, {"workingDays", "text?"}},
     .result = "bool",
     .flags = BUILTIN_ONLY_2_0,
     .run = is_last_working_day,
     .text = "Whether no working day (MONDAY to FRIDAY) of its month comes after it.",
     .examples = "{{ isLastWorkingDay('2024-11-29') }} => true"},
    {.kind = BUILTIN_FUNCTION,
     .name = "isPublicHoliday",
     .result = "bool",
     .flags = BUILTIN_REFUSED | BUILTIN_ONLY_2_0,
     .text = "no calendar of public holidays is built in",
     .examples = ""},
    {.kind = BUILTIN_FUNCTION,
     .name = "isWeekend",
     .params = {{"date", "text"}},
     .result = "bool",
     .flags = BUILTIN_ONLY_2_0,
     .run = is_weekend,
     .text = "Whether it is a Saturday or Sunday.",
     .examples = "{{ isWeekend('2024-11-03') }} => true"},
    {.kind = BUILTIN_FUNCTION,
     .name = "monthOfYear",
     .params = {{"date", "text"}},
     .result = "int",
     .flags = BUILTIN_ONLY_2_0,
     .run = month_of_year,
     .text = "The month, from 1 to 12.",
     .examples = "{{ monthOfYear('2024-11-03') }} => 11"},
    {.name = NULL                             },
};
