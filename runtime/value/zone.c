// zone.c - time zones from TZif data (RFC 8536): the host's, or the copy that an artifact carries.
//
// Transitions are read from the 64-bit block; behind the last one the footer's POSIX rule holds.
// Nothing global is touched: the C library's own zone functions keep a process-wide state and are
// banned.
#include <string.h>

#include "base/file.h"
#include "value/time.h"

enum {
    TZIF_SIZE_MAX = 64 << 10,
    HEADER_SIZE = 44,
    TYPES_MAX = 256,
    NAME_MAX_LEN = 64,
    ABBREVIATION_SIZE = 8
};

// When a POSIX rule switches: the week-th weekday of a month, or a day of the year.
typedef struct RuleDate {
    char kind;  // 'M', 'J' (1-365, no leap day), 'N' (0-365)
    int month, week, day;
    int32_t seconds;  // of local time; may be negative or above a day
} RuleDate;

typedef struct Rule {
    bool is_there, has_summer;
    int32_t offset, summer_offset;
    char name[ABBREVIATION_SIZE], summer_name[ABBREVIATION_SIZE];
    RuleDate start, end;
} Rule;

typedef struct ZoneType {
    int32_t offset;
    uint8_t name;
} ZoneType;

struct Zone {
    Str name;
    const char *times;       // big-endian 64-bit, count of them
    const uint8_t *indexes;  // the type after each
    uint32_t count;
    ZoneType types[TYPES_MAX];
    uint32_t type_count;
    Str names;  // abbreviations, NUL-terminated each
    Rule rule;
};

static uint32_t big32(const char *at) {
    const unsigned char *b = (const unsigned char *)at;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static int64_t big64(const char *at) {
    return (int64_t)((uint64_t)big32(at) << 32 | big32(at + 4));
}

// --- the footer ---------------------------------------------------------------------------------

typedef struct Scan {
    Str text;
    size_t at;
} Scan;

static char peek(const Scan *scan) {
    return scan->at < scan->text.len ? scan->text.ptr[scan->at] : '\0';
}

static bool scan_int(Scan *scan, int most, int *out) {
    *out = 0;
    size_t start = scan->at;
    while (peek(scan) >= '0' && peek(scan) <= '9' && *out <= most) {
        *out = *out * 10 + (peek(scan) - '0');
        scan->at++;
    }
    return scan->at > start && *out <= most;
}

// [+-]hh[:mm[:ss]]
static bool scan_seconds(Scan *scan, int32_t *out) {
    bool is_negative = peek(scan) == '-';
    if (peek(scan) == '-' || peek(scan) == '+') scan->at++;
    int parts[3] = {0};
    for (int i = 0; i < 3; i++) {
        if (i > 0 && peek(scan) != ':') break;
        if (i > 0) scan->at++;
        if (!scan_int(scan, i == 0 ? 167 : 59, &parts[i])) return false;
    }
    *out = parts[0] * 3600 + parts[1] * 60 + parts[2];
    if (is_negative) *out = -*out;
    return true;
}

static bool scan_name(Scan *scan, char out[ABBREVIATION_SIZE]) {
    bool is_quoted = peek(scan) == '<';
    if (is_quoted) scan->at++;
    size_t len = 0;
    for (;;) {
        char c = peek(scan);
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool is_sign = is_quoted && ((c >= '0' && c <= '9') || c == '+' || c == '-');
        if (!is_letter && !is_sign) break;
        if (len < ABBREVIATION_SIZE - 1) out[len++] = c;
        scan->at++;
    }
    out[len] = '\0';
    if (!is_quoted) return len > 0;
    if (peek(scan) != '>') return false;
    scan->at++;
    return len > 0;
}

static bool scan_rule_date(Scan *scan, RuleDate *out) {
    if (peek(scan) != ',') return false;
    scan->at++;
    out->kind = 'N';
    if (peek(scan) == 'M' || peek(scan) == 'J') out->kind = scan->text.ptr[scan->at++];
    if (out->kind == 'M') {
        if (!scan_int(scan, 12, &out->month) || out->month == 0 || peek(scan) != '.') return false;
        scan->at++;
        if (!scan_int(scan, 5, &out->week) || out->week == 0 || peek(scan) != '.') return false;
        scan->at++;
        if (!scan_int(scan, 6, &out->day)) return false;
    } else if (!scan_int(scan, 365, &out->day)) {
        return false;
    }
    out->seconds = 7200;
    if (peek(scan) != '/') return true;
    scan->at++;
    return scan_seconds(scan, &out->seconds);
}

// CET-1CEST,M3.5.0,M10.5.0/3. POSIX counts west of Greenwich.
static bool parse_rule(Str text, Rule *out) {
    Scan scan = {text, 0};
    *out = (Rule){0};
    if (text.len == 0) return true;
    if (!scan_name(&scan, out->name) || !scan_seconds(&scan, &out->offset)) return false;
    out->offset = -out->offset;
    out->is_there = true;
    if (scan.at == text.len) return true;
    if (!scan_name(&scan, out->summer_name)) return false;
    out->summer_offset = out->offset + 3600;
    if (peek(&scan) != ',') {
        if (!scan_seconds(&scan, &out->summer_offset)) return false;
        out->summer_offset = -out->summer_offset;
    }
    out->has_summer = scan_rule_date(&scan, &out->start) && scan_rule_date(&scan, &out->end);
    return out->has_summer && scan.at == text.len;
}

static bool is_leap_year(int32_t year) {
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

// Seconds since 1970 of a rule date, as if local time were UTC.
static int64_t rule_seconds(const RuleDate *date, int32_t year) {
    int64_t day = 0;
    if (date->kind == 'M') {
        int64_t first = days_from_date(year, date->month, 1);
        int64_t weekday = ((first + 4) % 7 + 7) % 7;  // 1970-01-01 was a Thursday
        day = first + (date->day - weekday + 7) % 7 + (date->week - 1) * 7;
        int64_t next_month = date->month == 12 ? days_from_date(year + 1, 1, 1)
                                               : days_from_date(year, date->month + 1, 1);
        while (day >= next_month) day -= 7;
    } else {
        day = days_from_date(year, 1, 1) + date->day;
        bool skips_leap_day = date->kind == 'J' && !(is_leap_year(year) && date->day >= 60);
        if (skips_leap_day) day--;
    }
    return day * 86400 + date->seconds;
}

static int32_t rule_offset_at(const Rule *rule, int64_t seconds, Str *abbreviation) {
    bool is_summer = false;
    if (rule->has_summer) {
        int32_t year = 0;
        int month = 0;
        int day = 0;
        int64_t local = seconds + rule->offset;
        date_from_days(local / 86400 - (local % 86400 < 0), &year, &month, &day);
        int64_t start = rule_seconds(&rule->start, year) - rule->offset;
        int64_t end = rule_seconds(&rule->end, year) - rule->summer_offset;
        is_summer =
            start < end ? seconds >= start && seconds < end : !(seconds >= end && seconds < start);
    }
    if (abbreviation != NULL) *abbreviation = str_from(is_summer ? rule->summer_name : rule->name);
    return is_summer ? rule->summer_offset : rule->offset;
}

// --- TZif ---------------------------------------------------------------------------------------

typedef struct TzifCounts {
    uint64_t utc, standard, leap, times, types, chars;
} TzifCounts;

static bool read_header(Str bytes, size_t at, TzifCounts *out) {
    if (bytes.len < at + HEADER_SIZE || memcmp(bytes.ptr + at, "TZif", 4) != 0) return false;
    const char *counts = bytes.ptr + at + 20;
    *out = (TzifCounts){big32(counts),      big32(counts + 4),  big32(counts + 8),
                        big32(counts + 12), big32(counts + 16), big32(counts + 20)};
    return out->types > 0 && out->types <= TYPES_MAX && out->times <= TZIF_SIZE_MAX &&
           out->leap <= TZIF_SIZE_MAX && out->chars <= TZIF_SIZE_MAX && out->utc <= TYPES_MAX &&
           out->standard <= TYPES_MAX;
}

static size_t body_size(const TzifCounts *counts, size_t time_size) {
    return (size_t)(counts->times * (time_size + 1) + counts->types * 6 + counts->chars +
                    counts->leap * (time_size + 4) + counts->standard + counts->utc);
}

static bool read_types(Zone *zone, const char *at, const TzifCounts *counts) {
    zone->type_count = (uint32_t)counts->types;
    for (uint32_t i = 0; i < zone->type_count; i++) {
        zone->types[i] = (ZoneType){(int32_t)big32(at + i * 6), (uint8_t)at[i * 6 + 5]};
        if (zone->types[i].name >= counts->chars) return false;
    }
    for (uint32_t i = 0; i < zone->count; i++) {
        if (zone->indexes[i] >= zone->type_count) return false;
    }
    return zone->names.ptr[zone->names.len - 1] == '\0';
}

static bool read_tzif(Str bytes, Zone *zone) {
    TzifCounts counts;
    if (!read_header(bytes, 0, &counts) || bytes.ptr[4] < '2') return false;
    size_t second = HEADER_SIZE + body_size(&counts, 4);
    if (!read_header(bytes, second, &counts)) return false;
    size_t body = second + HEADER_SIZE;
    size_t end = body + body_size(&counts, 8);
    if (end + 2 > bytes.len || bytes.ptr[end] != '\n' || counts.chars == 0) return false;
    zone->count = (uint32_t)counts.times;
    zone->times = bytes.ptr + body;
    zone->indexes = (const uint8_t *)bytes.ptr + body + counts.times * 8;
    size_t types = body + (size_t)counts.times * 9;
    zone->names = (Str){bytes.ptr + types + counts.types * 6, (size_t)counts.chars};
    size_t footer_end = str_find_char(bytes, '\n', end + 1);
    if (footer_end == STR_NOT_FOUND) return false;
    return read_types(zone, bytes.ptr + types, &counts) &&
           parse_rule(str_slice(bytes, end + 1, footer_end), &zone->rule);
}

Err zone_from_tzif(Str name, Str bytes, Arena *arena, const Zone **out) {
    Zone *zone = arena_new(arena, Zone);
    zone->name = str_dup(arena, name);
    if (!read_tzif(bytes, zone)) {
        return err_make(ERR_INPUT, "the data of time zone '" STR_FMT "' is broken", STR_ARG(name));
    }
    *out = zone;
    return err_none();
}

// Region/City, UTC, EST5EDT: letters, digits, `_+-` and `/`; no `..`, nothing absolute.
// Old three-letter names that java.time refuses are refused too.
static bool name_is_safe(Str name) {
    static const char *const refused[] = {"EST",     "MST",       "HST",       "ROC",
                                          "Factory", "localtime", "posixrules"};
    for (size_t i = 0; i < COUNT(refused); i++) {
        if (str_eq(name, str_from(refused[i]))) return false;
    }
    if (str_starts_with(name, STR("posix/")) || str_starts_with(name, STR("right/"))) return false;
    if (name.len == 0 || name.len > NAME_MAX_LEN || name.ptr[0] == '/' || name.ptr[0] == '-')
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_word && strchr("_+-/", c) == NULL) return false;
    }
    return true;
}

// Z, UTC+2, GMT-03:30, +01:00: zones that java.time takes without data.
static bool fixed_offset(Str name, int32_t *offset) {
    *offset = 0;
    static const char *const zeros[] = {"Z", "UTC", "GMT", "UT", "Etc/UTC", "Etc/GMT"};
    for (size_t i = 0; i < COUNT(zeros); i++) {
        if (str_eq(name, str_from(zeros[i]))) return true;
    }
    static const char *const prefixes[] = {"UTC", "GMT", "UT", ""};
    for (size_t i = 0; i < COUNT(prefixes); i++) {
        Str prefix = str_from(prefixes[i]);
        if (!str_starts_with(name, prefix) || name.len == prefix.len) continue;
        Scan scan = {name, prefix.len};
        if (peek(&scan) != '+' && peek(&scan) != '-') continue;
        return scan_seconds(&scan, offset) && scan.at == name.len && *offset <= 64800 &&
               *offset >= -64800;
    }
    return false;
}

static Err read_zone_file(Str name, Arena *arena, Str *bytes) {
    static const char *const folders[] = {"/usr/share/zoneinfo", "/usr/lib/zoneinfo",
                                          "/etc/zoneinfo"};
    Err err = err_make(ERR_NOT_FOUND, "no time zone data on this host");
    for (size_t i = 0; i < COUNT(folders) && err.code != ERR_NONE; i++) {
        err = file_read(path_join(arena, str_from(folders[i]), name).ptr, TZIF_SIZE_MAX, arena,
                        bytes);
    }
    return err;
}

Err zone_open(Str name, Arena *arena, const Zone **out) {
    int32_t offset = 0;
    if (fixed_offset(name, &offset)) {
        Zone *zone = arena_new(arena, Zone);
        zone->name = str_dup(arena, name);
        zone->rule.is_there = true;
        zone->rule.offset = offset;
        memcpy(zone->rule.name, "UTC", 4);
        *out = zone;
        return err_none();
    }
    Str bytes = {0};
    bool is_there = name_is_safe(name) && read_zone_file(name, arena, &bytes).code == ERR_NONE;
    if (is_there) return zone_from_tzif(name, bytes, arena, out);
    return err_make(ERR_NOT_FOUND,
                    "unknown time zone '" STR_FMT "'; expected a name such as Europe/Paris or UTC",
                    STR_ARG(name));
}

bool zone_is_known(Str name) {
    Arena scratch = {0};
    const Zone *zone = NULL;
    bool is_known = zone_open(name, &scratch, &zone).code == ERR_NONE;
    arena_release(&scratch);
    return is_known;
}

Str zone_name(const Zone *zone) {
    return zone->name;
}

bool zone_is_region(const Zone *zone) {
    return zone->name.len > 0 && strchr("+-", zone->name.ptr[0]) == NULL &&
           !str_eq(zone->name, STR("Z"));
}

// --- asking -------------------------------------------------------------------------------------

static int32_t type_offset(const Zone *zone, uint32_t type, Str *abbreviation) {
    if (abbreviation != NULL) *abbreviation = str_from(zone->names.ptr + zone->types[type].name);
    return zone->types[type].offset;
}

int32_t zone_offset_at(const Zone *zone, int64_t seconds, Str *abbreviation) {
    if (zone->count == 0 || seconds >= big64(zone->times + (size_t)(zone->count - 1) * 8)) {
        if (zone->rule.is_there) return rule_offset_at(&zone->rule, seconds, abbreviation);
        if (zone->count == 0) return zone->type_count == 0 ? 0 : type_offset(zone, 0, abbreviation);
        return type_offset(zone, zone->indexes[zone->count - 1], abbreviation);
    }
    uint32_t low = 0;  // transitions at or before `seconds`
    uint32_t high = zone->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (big64(zone->times + (size_t)middle * 8) <= seconds) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return type_offset(zone, low == 0 ? 0 : zone->indexes[low - 1], abbreviation);
}

Instant zone_to_instant(const Zone *zone, const DateTime *local) {
    DateTime as_utc = *local;
    as_utc.offset = 0;
    Instant wall = datetime_to_instant(&as_utc);
    int32_t before = zone_offset_at(zone, wall.seconds - 86400, NULL);
    int32_t after = zone_offset_at(zone, wall.seconds + 86400, NULL);
    // An overlap: the earlier offset fits. A gap: neither fits, and the time is moved on by the
    // gap, which is what the earlier offset gives.
    int64_t guess = wall.seconds - before;
    if (zone_offset_at(zone, guess, NULL) == before) return (Instant){guess, wall.nanoseconds};
    int64_t other = wall.seconds - after;
    if (zone_offset_at(zone, other, NULL) == after) return (Instant){other, wall.nanoseconds};
    return (Instant){guess, wall.nanoseconds};
}
