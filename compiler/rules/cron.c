// cron.c - reading cron expressions: five fields, six with seconds, lists, ranges, steps, names,
// nicknames, alternatives by `||` and `|`.
#include <ctype.h>

#include "rules/cron.h"

enum { FIELDS_MAX = 6 };

typedef struct Field {
    const char *range;
    int64_t low, high;
    const char *const *words;  // three letters each
    int64_t first_word;
    uint32_t word_count;
} Field;

static const char *const months[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                     "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const days[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

static const Field fields[FIELDS_MAX] = {
    {"seconds are 0 to 59",                        0, 59, NULL,   0, 0 },
    {"minutes are 0 to 59",                        0, 59, NULL,   0, 0 },
    {"hours are 0 to 23",                          0, 23, NULL,   0, 0 },
    {"days of the month are 1 to 31",              1, 31, NULL,   0, 0 },
    {"months are 1 to 12, or jan to dec",          1, 12, months, 1, 12},
    {"days of the week are 0 to 7, or sun to sat", 0, 7,  days,   0, 7 },
};

typedef struct Set {
    uint64_t bits;
    bool is_all;
} Set;

static bool read_value(const Field *field, Str text, int64_t *out) {
    for (uint32_t i = 0; i < field->word_count; i++) {
        if (!str_eq_ignore_case(text, str_from(field->words[i]))) continue;
        *out = field->first_word + i;
        return true;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (!isdigit((unsigned char)text.ptr[i])) return false;
    }
    return text.len > 0 && text.len < 5 && str_to_int(text, out) && *out >= field->low &&
           *out <= field->high;
}

// `*`, `a`, `a-b`, each with `/n`.
static const char *read_part(const Field *field, Str text, Set *set) {
    int64_t step = 1;
    size_t slash = str_find_char(text, '/', 0);
    bool has_step = slash != STR_NOT_FOUND;
    if (has_step) {
        Str tail = str_slice(text, slash + 1, text.len);
        if (!str_to_int(tail, &step) || step < 1)
            return "the step behind '/' must be a number from 1";
        text = str_slice(text, 0, slash);
    }
    int64_t from = field->low;
    int64_t to = field->high;
    size_t dash = str_find_char(text, '-', 0);
    if (text.len == 0 || str_eq(text, STR("*"))) {
        if (text.len == 0 && !has_step) return "a value is missing";
        if (step == 1) set->is_all = true;
    } else if (str_eq(text, STR("L")) && field->high == 31) {
        from = 28;
    } else if (str_find_char(text, '?', 0) != STR_NOT_FOUND) {
        return "'?' is not known here, write '*'";
    } else if (dash != STR_NOT_FOUND) {
        if (!read_value(field, str_slice(text, 0, dash), &from) ||
            !read_value(field, str_slice(text, dash + 1, text.len), &to)) {
            return field->range;
        }
        if (from > to && field->high != 7) return "the range ends before it begins";
    } else {
        if (!read_value(field, text, &from)) return field->range;
        if (!has_step) to = from;
    }
    for (int64_t at = from; at <= to; at += step) set->bits |= (uint64_t)1 << at;
    return NULL;
}

static const char *read_field(const Field *field, Str text, Set *set) {
    Str part;
    if (text.len > 0 && (text.ptr[text.len - 1] == ',' || text.ptr[text.len - 1] == '|')) {
        return "a value is missing behind the last sign";
    }
    while (str_split(&text, ',', &part)) {
        Str piece;
        while (str_split(&part, '|', &piece)) {
            const char *problem = read_part(field, piece, set);
            if (problem != NULL) return problem;
        }
    }
    return NULL;
}

// No month that is asked for has a day that is asked for.
static bool never_comes(const Set *day, const Set *month, const Set *week) {
    static const int longest[] = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (day->is_all || !week->is_all) return false;
    for (int m = 1; m <= 12; m++) {
        if ((month->bits >> m & 1) == 0) continue;
        for (int d = 1; d <= longest[m]; d++) {
            if ((day->bits >> d & 1) != 0) return false;
        }
    }
    return true;
}

static bool next_word(Str *rest, Str *word) {
    *rest = str_trim(*rest);
    if (rest->len == 0) return false;
    size_t end = 0;
    while (end < rest->len && !isspace((unsigned char)rest->ptr[end])) end++;
    *word = str_slice(*rest, 0, end);
    *rest = str_slice(*rest, end, rest->len);
    return true;
}

static CronResult check_one(Str text, bool with_seconds) {
    static const char *const nicknames[] = {"@yearly", "@annually", "@monthly", "@weekly",
                                            "@daily",  "@midnight", "@hourly"};
    text = str_trim(text);
    for (size_t i = 0; i < sizeof nicknames / sizeof nicknames[0]; i++) {
        if (str_eq(text, str_from(nicknames[i]))) return (CronResult){0};
    }
    if (text.len > 0 && text.ptr[0] == '@') return (CronResult){"no such nickname", text, false};
    Str words[FIELDS_MAX + 1];
    uint32_t count = 0;
    Str rest = text;
    while (count < FIELDS_MAX + 1 && next_word(&rest, &words[count])) count++;
    uint32_t wanted = with_seconds ? 6 : 5;
    if (count != wanted) {
        return (CronResult){with_seconds ? "six fields are needed with 'withSeconds'"
                                         : "five fields are needed: minutes, hours, day of month, "
                                           "month, day of week",
                            text, false};
    }
    Set sets[FIELDS_MAX] = {{0}};
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = i + FIELDS_MAX - wanted;
        const char *problem = read_field(&fields[at], words[i], &sets[at]);
        if (problem != NULL) return (CronResult){problem, words[i], false};
    }
    return (CronResult){.is_never = never_comes(&sets[3], &sets[4], &sets[5]), .at = text};
}

CronResult cron_check(Str text, bool with_seconds) {
    size_t or = str_find(text, STR("||"), 0);
    while (or != STR_NOT_FOUND) {
        CronResult result = check_one(str_slice(text, 0, or), with_seconds);
        if (result.problem != NULL) return result;
        text = str_slice(text, or +2, text.len);
        or = str_find(text, STR("||"), 0);
        if (or == STR_NOT_FOUND) {
            result = check_one(text, with_seconds);
            result.is_never = false;
            return result;
        }
    }
    return check_one(text, with_seconds);
}
