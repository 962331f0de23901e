// duration.c - ISO-8601 durations, instants and dates as java.time reads and prints them.
//
// Calendar arithmetic follows the days-from-civil algorithm (proleptic Gregorian, eras of 400
// years).
#include <stdlib.h>
#include <string.h>

#include "value/time.h"

#define NANOS_PER_SECOND 1000000000LL

// --- durations ----------------------------------------------------------------------------------

typedef struct Scan {
    Str text;
    size_t at;
} Scan;

static char peek(const Scan *scan) {
    return scan->at < scan->text.len ? scan->text.ptr[scan->at] : '\0';
}

static bool take(Scan *scan, char c) {
    char found = peek(scan);
    if (found >= 'a' && found <= 'z') found = (char)(found - 'a' + 'A');
    if (found != c) return false;
    scan->at++;
    return true;
}

static bool is_digit_at(const Scan *scan) {
    return peek(scan) >= '0' && peek(scan) <= '9';
}

// [-+]?digits; false where there are none or they do not fit.
static bool scan_signed(Scan *scan, int64_t *value, bool *is_negative) {
    size_t start = scan->at;
    *is_negative = peek(scan) == '-';
    if (peek(scan) == '-' || peek(scan) == '+') scan->at++;
    size_t digits = scan->at;
    while (is_digit_at(scan)) scan->at++;
    if (scan->at == digits) {
        scan->at = start;
        return false;
    }
    return str_to_int(str_slice(scan->text, start, scan->at), value);
}

// Up to nine digits behind a point, as nanoseconds.
static bool scan_fraction(Scan *scan, int64_t *nanoseconds) {
    *nanoseconds = 0;
    int64_t unit = NANOS_PER_SECOND / 10;
    size_t start = scan->at;
    while (is_digit_at(scan)) {
        if (unit == 0) return false;
        *nanoseconds += (peek(scan) - '0') * unit;
        unit /= 10;
        scan->at++;
    }
    return scan->at > start;
}

static bool add_seconds(int64_t *total, int64_t count, int64_t unit) {
    int64_t seconds = 0;
    int64_t nanoseconds = 0;
    if (__builtin_mul_overflow(count, unit, &seconds)) return false;
    if (__builtin_mul_overflow(seconds, NANOS_PER_SECOND, &nanoseconds)) return false;
    return !__builtin_add_overflow(*total, nanoseconds, total);
}

// What stands behind T: hours, minutes, seconds, each at most once, at least one.
static bool scan_time_part(Scan *scan, int64_t *total) {
    static const struct {
        char letter;
        int64_t seconds;
    } units[] = {
        {'H', 3600},
        {'M', 60  },
        {'S', 1   },
    };
    size_t next = 0;
    while (scan->at < scan->text.len) {
        int64_t count = 0;
        bool is_negative = false;
        if (!scan_signed(scan, &count, &is_negative)) return false;
        int64_t fraction = 0;
        bool has_fraction = peek(scan) == '.' || peek(scan) == ',';
        if (has_fraction) {
            scan->at++;
            if (!scan_fraction(scan, &fraction)) return false;
        }
        while (next < COUNT(units) && !take(scan, units[next].letter)) next++;
        if (next == COUNT(units)) return false;
        if (has_fraction && units[next].letter != 'S') return false;
        if (!add_seconds(total, count, units[next].seconds)) return false;
        if (__builtin_add_overflow(*total, is_negative ? -fraction : fraction, total)) return false;
        next++;
    }
    return next > 0;
}

static bool parse_iso(Str text, int64_t *nanoseconds) {
    Scan scan = {text, 0};
    bool is_negated = peek(&scan) == '-';
    if (peek(&scan) == '-' || peek(&scan) == '+') scan.at++;
    if (!take(&scan, 'P')) return false;
    int64_t total = 0;
    int64_t days = 0;
    bool is_negative = false;
    bool has_days = scan_signed(&scan, &days, &is_negative);
    if (has_days && (!take(&scan, 'D') || !add_seconds(&total, days, 86400))) return false;
    if (take(&scan, 'T')) {
        if (!scan_time_part(&scan, &total)) return false;
    } else if (!has_days) {
        return false;
    }
    if (scan.at != text.len) return false;
    *nanoseconds = is_negated ? -total : total;
    return true;
}

// Digits, points, sign, exponent: a number of seconds.
static bool parse_seconds(Str text, int64_t *nanoseconds) {
    char copy[64];
    if (text.len == 0 || text.len >= sizeof copy) return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool is_allowed = (c >= '0' && c <= '9') || strchr("+-.eE", c) != NULL;
        if (!is_allowed) return false;
        copy[i] = c;
    }
    copy[text.len] = '\0';
    int64_t whole = 0;
    if (str_to_int(text, &whole)) {
        *nanoseconds = 0;
        return add_seconds(nanoseconds, whole, 1);
    }
    char *end = NULL;
    double seconds = strtod(copy, &end);
    if (end != copy + text.len || !(seconds > -9.2e9 && seconds < 9.2e9)) return false;
    double rounded = seconds * 1e9;
    *nanoseconds = (int64_t)(rounded < 0 ? rounded - 0.5 : rounded + 0.5);
    return true;
}

Err duration_parse(Str text, bool allow_seconds, int64_t *nanoseconds) {
    Str trimmed = str_trim(text);
    if (allow_seconds && parse_seconds(trimmed, nanoseconds)) return err_none();
    if (parse_iso(trimmed, nanoseconds)) return err_none();
    return err_make(ERR_INPUT, "expected a duration such as PT5M, received '" STR_FMT "'",
                    STR_ARG(trimmed));
}

void duration_print(Buffer *out, int64_t nanoseconds) {
    if (nanoseconds == 0) {
        buffer_add(out, STR("PT0S"));
        return;
    }
    int64_t seconds = nanoseconds / NANOS_PER_SECOND;
    int64_t fraction = nanoseconds % NANOS_PER_SECOND;
    int64_t hours = seconds / 3600;
    int64_t minutes = seconds % 3600 / 60;
    seconds %= 60;
    buffer_add(out, STR("PT"));
    if (hours != 0) buffer_printf(out, "%lldH", (long long)hours);
    if (minutes != 0) buffer_printf(out, "%lldM", (long long)minutes);
    if (seconds == 0 && fraction == 0) return;
    if (seconds == 0 && fraction < 0) buffer_add_char(out, '-');
    buffer_printf(out, "%lld", (long long)seconds);
    if (fraction != 0) {
        char digits[16];
        int64_t positive = fraction < 0 ? -fraction : fraction;
        for (int i = 8; i >= 0; i--) {
            digits[i] = (char)('0' + positive % 10);
            positive /= 10;
        }
        size_t count = 9;
        while (digits[count - 1] == '0') count--;
        buffer_add_char(out, '.');
        buffer_add_bytes(out, digits, count);
    }
    buffer_add_char(out, 'S');
}

// --- dates --------------------------------------------------------------------------------------

int64_t days_from_date(int32_t year, int month, int day) {
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

void date_from_days(int64_t days, int32_t *year, int *month, int *day) {
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    *day = (int)(day_of_year - (153 * shifted + 2) / 5 + 1);
    *month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
    *year = (int32_t)(year_of_era + era * 400 + (*month <= 2));
}

static int days_in_month(int32_t year, int month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && is_leap ? 29 : days[month - 1];
}

static bool scan_number(Scan *scan, int digits, int *out) {
    *out = 0;
    for (int i = 0; i < digits; i++) {
        if (!is_digit_at(scan)) return false;
        *out = *out * 10 + (peek(scan) - '0');
        scan->at++;
    }
    return true;
}

static bool scan_date(Scan *scan, DateTime *out) {
    bool is_negative = peek(scan) == '-';
    if (peek(scan) == '-' || peek(scan) == '+') scan->at++;
    int year = 0;
    if (!scan_number(scan, 4, &year)) return false;
    for (int more = 0; is_digit_at(scan) && more < 5; more++) {
        year = year * 10 + (peek(scan) - '0');
        scan->at++;
    }
    int month = 0;
    int day = 0;
    if (!take(scan, '-') || !scan_number(scan, 2, &month)) return false;
    if (!take(scan, '-') || !scan_number(scan, 2, &day)) return false;
    out->year = is_negative ? -year : year;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(out->year, month)) return false;
    out->month = (int8_t)month;
    out->day = (int8_t)day;
    return true;
}

static bool scan_time(Scan *scan, DateTime *out) {
    int hour = 0;
    int minute = 0;
    int second = 0;
    int64_t fraction = 0;
    if (!scan_number(scan, 2, &hour) || !take(scan, ':') || !scan_number(scan, 2, &minute)) {
        return false;
    }
    if (take(scan, ':')) {
        if (!scan_number(scan, 2, &second)) return false;
        if (take(scan, '.') && !scan_fraction(scan, &fraction)) return false;
    }
    if (hour > 23 || minute > 59 || second > 59) return false;
    out->hour = (int8_t)hour;
    out->minute = (int8_t)minute;
    out->second = (int8_t)second;
    out->nanosecond = (int32_t)fraction;
    out->has_time = true;
    return true;
}

// Z, +hh, +hh:mm, +hh:mm:ss, +hhmm; and a zone name in brackets behind, whose offset has been
// given.
static bool scan_offset(Scan *scan, DateTime *out) {
    out->has_offset = true;
    if (take(scan, 'Z')) return true;
    bool is_negative = peek(scan) == '-';
    if (peek(scan) != '-' && peek(scan) != '+') return false;
    scan->at++;
    int hours = 0;
    int minutes = 0;
    int seconds = 0;
    if (!scan_number(scan, 2, &hours)) return false;
    bool has_colon = take(scan, ':');
    if ((has_colon || is_digit_at(scan)) && !scan_number(scan, 2, &minutes)) return false;
    if (has_colon && take(scan, ':') && !scan_number(scan, 2, &seconds)) return false;
    if (hours > 18 || minutes > 59 || seconds > 59) return false;
    int32_t offset = hours * 3600 + minutes * 60 + seconds;
    out->offset = is_negative ? -offset : offset;
    return true;
}

Err datetime_parse(Str text, DateTime *out) {
    *out = (DateTime){0};
    Scan scan = {str_trim(text), 0};
    bool is_right = scan_date(&scan, out);
    if (is_right && scan.at < scan.text.len) is_right = take(&scan, 'T') && scan_time(&scan, out);
    if (is_right && scan.at < scan.text.len && peek(&scan) != '[')
        is_right = scan_offset(&scan, out);
    if (is_right && take(&scan, '[')) {
        size_t end = str_find_char(scan.text, ']', scan.at);
        is_right = end != STR_NOT_FOUND && end + 1 == scan.text.len;
        scan.at = scan.text.len;
    }
    if (is_right && scan.at == scan.text.len) return err_none();
    return err_make(ERR_INPUT,
                    "expected a date such as 2024-01-31 or 2024-01-31T10:00:00Z, received '" STR_FMT
                    "'",
                    STR_ARG(scan.text));
}

Instant datetime_to_instant(const DateTime *datetime) {
    int64_t days = days_from_date(datetime->year, datetime->month, datetime->day);
    int64_t seconds = days * 86400 + datetime->hour * 3600 + datetime->minute * 60 +
                      datetime->second - datetime->offset;
    return (Instant){seconds, datetime->nanosecond};
}

DateTime datetime_from_instant(Instant instant, int32_t offset) {
    int64_t local = instant.seconds + offset;
    int64_t days = local / 86400 - (local % 86400 < 0);
    int64_t second_of_day = local - days * 86400;
    DateTime out = {.offset = offset, .has_offset = true, .has_time = true};
    int month = 0;
    int day = 0;
    date_from_days(days, &out.year, &month, &day);
    out.month = (int8_t)month;
    out.day = (int8_t)day;
    out.hour = (int8_t)(second_of_day / 3600);
    out.minute = (int8_t)(second_of_day % 3600 / 60);
    out.second = (int8_t)(second_of_day % 60);
    out.nanosecond = instant.nanoseconds;
    return out;
}

Err instant_parse(Str text, Instant *out) {
    DateTime datetime;
    Err err = datetime_parse(text, &datetime);
    if (err.code == ERR_NONE && datetime.has_time && datetime.has_offset) {
        *out = datetime_to_instant(&datetime);
        return err_none();
    }
    return err_make(ERR_INPUT,
                    "expected a date and time with offset such as 2024-01-31T10:00:00Z, received "
                    "'" STR_FMT "'",
                    STR_ARG(text));
}

static void put_digits(char *out, int count, int number) {
    for (int i = count; i-- > 0; number /= 10) out[i] = (char)('0' + number % 10);
}

// Times stand in each line of a log: without printf, where the year has four digits.
static void print_date_time(Buffer *out, const DateTime *at) {
    if (at->year < 0 || at->year > 9999) {
        buffer_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d", at->year, at->month, at->day, at->hour,
                      at->minute, at->second);
        return;
    }
    char text[] = "0000-00-00T00:00:00";
    put_digits(text, 4, at->year);
    put_digits(text + 5, 2, at->month);
    put_digits(text + 8, 2, at->day);
    put_digits(text + 11, 2, at->hour);
    put_digits(text + 14, 2, at->minute);
    put_digits(text + 17, 2, at->second);
    buffer_add_bytes(out, text, sizeof text - 1);
}

void instant_print(Buffer *out, Instant instant) {
    DateTime at = datetime_from_instant(instant, 0);
    print_date_time(out, &at);
    if (at.nanosecond % 1000 != 0) {
        buffer_printf(out, ".%09d", at.nanosecond);
    } else if (at.nanosecond % 1000000 != 0) {
        buffer_printf(out, ".%06d", at.nanosecond / 1000);
    } else if (at.nanosecond != 0) {
        buffer_printf(out, ".%03d", at.nanosecond / 1000000);
    }
    buffer_add_char(out, 'Z');
}

void instant_print_ms(Buffer *out, int64_t milliseconds) {
    int64_t seconds = milliseconds / 1000 - (milliseconds % 1000 < 0);
    DateTime at = datetime_from_instant((Instant){seconds, 0}, 0);
    print_date_time(out, &at);
    char text[] = ".000Z";
    put_digits(text + 1, 3, (int)(milliseconds - seconds * 1000));
    buffer_add_bytes(out, text, sizeof text - 1);
}
