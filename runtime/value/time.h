// time.h - durations, instants, dates and zones. No global zone, no locale but English.
#ifndef FLOW_VALUE_TIME_H
#define FLOW_VALUE_TIME_H

#include "value/value.h"

// Nanoseconds; ISO-8601 as Java reads it (PnDTnHnMn.nS, signs, any case), or a number of seconds
// where `allow_seconds`.
MUST_CHECK Err duration_parse(Str text, bool allow_seconds, int64_t *nanoseconds);
// Java's form: PT8H6M12.345S, PT0S. Days are written as hours.
void duration_print(Buffer *out, int64_t nanoseconds);

typedef struct Instant {
    int64_t seconds;      // since 1970, UTC
    int32_t nanoseconds;  // 0 … 999,999,999
} Instant;

typedef struct DateTime {
    int32_t year;
    int8_t month, day, hour, minute, second;  // month and day from 1
    int32_t nanosecond;
    int32_t offset;  // seconds east of UTC
    bool has_offset;
    bool has_time;
} DateTime;

// ISO-8601 with offset or `Z`.
MUST_CHECK Err instant_parse(Str text, Instant *out);
// 2024-01-02T03:04:05Z, fraction in groups of three digits.
void instant_print(Buffer *out, Instant instant);
// With exactly three fraction digits: how machine-readable output writes times.
void instant_print_ms(Buffer *out, int64_t milliseconds);
// Any of date, date-time, zoned date-time.
MUST_CHECK Err datetime_parse(Str text, DateTime *out);
Instant datetime_to_instant(const DateTime *datetime);  // by its offset
DateTime datetime_from_instant(Instant instant, int32_t offset);
int64_t days_from_date(int32_t year, int month, int day);  // since 1970
void date_from_days(int64_t days, int32_t *year, int *month, int *day);

// An IANA zone, read from the host's data, else from `tzif` bytes an artifact carries.
typedef struct Zone Zone;
MUST_CHECK Err zone_open(Str name, Arena *arena, const Zone **out);
MUST_CHECK Err zone_from_tzif(Str name, Str bytes, Arena *arena, const Zone **out);
bool zone_is_known(Str name);
Str zone_name(const Zone *zone);
// False of a zone that is but an offset (`+02:00`, `Z`).
bool zone_is_region(const Zone *zone);
int32_t zone_offset_at(const Zone *zone, int64_t seconds, Str *abbreviation);
// Of a local time: a gap takes the later offset's result, an overlap the earlier offset (as
// java.time does).
Instant zone_to_instant(const Zone *zone, const DateTime *local);

// A Java date pattern, or a named format (iso, sql, rfc_1123_date_time, …), compiled to operations.
// Printing takes a date-time with its offset and the zone it is in. Parsing gives has_time and
// has_offset as the text has them.
typedef struct DatePattern DatePattern;
MUST_CHECK Err date_pattern_compile(Str pattern, Arena *arena, const DatePattern **out);
void date_pattern_print(const DatePattern *pattern, const DateTime *datetime, const Zone *zone,
                        Buffer *out);
MUST_CHECK Err date_pattern_parse(const DatePattern *pattern, Str text, DateTime *out);

#endif
