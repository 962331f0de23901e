// nearest.c - guesses: the name that was probably meant, the duration that was probably meant.
#include <ctype.h>

#include "flow/flow.h"

Nearest nearest_to(Str wanted) {
    // A short name may differ in one place only, or every name would be near every other.
    size_t limit = wanted.len < 3 ? 0 : wanted.len < 5 ? 1 : wanted.len < 9 ? 2 : 3;
    return (Nearest){.wanted = wanted, .best = limit + 1};
}

void nearest_offer(Nearest *nearest, Str candidate) {
    if (nearest->best == 0) return;
    size_t distance = str_distance(nearest->wanted, candidate, nearest->best - 1);
    if (distance >= nearest->best) return;
    nearest->best = distance;
    nearest->name = candidate;
}

// The ISO designator of a unit word: 'D', 'H', 'M', 'S'; 'W' for weeks, 'm' for milliseconds, 0 for
// none.
static char unit_of(Str word) {
    static const struct {
        const char *word;
        char unit;
    } units[] = {
        {"s",       'S'},
        {"sec",     'S'},
        {"secs",    'S'},
        {"second",  'S'},
        {"seconds", 'S'},
        {"m",       'M'},
        {"min",     'M'},
        {"mins",    'M'},
        {"minute",  'M'},
        {"minutes", 'M'},
        {"h",       'H'},
        {"hr",      'H'},
        {"hour",    'H'},
        {"hours",   'H'},
        {"d",       'D'},
        {"day",     'D'},
        {"days",    'D'},
        {"w",       'W'},
        {"week",    'W'},
        {"weeks",   'W'},
        {"ms",      'm'},
    };
    for (size_t i = 0; i < COUNT(units); i++) {
        if (str_eq_ignore_case(word, str_from(units[i].word))) return units[i].unit;
    }
    return 0;
}

// Reads one `number unit`; false at anything else.
static bool next_amount(Str text, size_t *at, int64_t *amount, char *unit) {
    while (*at < text.len && text.ptr[*at] == ' ') (*at)++;
    size_t start = *at;
    while (*at < text.len && isdigit((unsigned char)text.ptr[*at])) (*at)++;
    if (*at == start || *at - start > 9) return false;
    if (!str_to_int(str_slice(text, start, *at), amount)) return false;
    while (*at < text.len && text.ptr[*at] == ' ') (*at)++;
    start = *at;
    while (*at < text.len && isalpha((unsigned char)text.ptr[*at])) (*at)++;
    *unit = unit_of(str_slice(text, start, *at));
    return *unit != 0;
}

Str duration_meant(Arena *arena, Str text) {
    text = str_trim(text);
    size_t at = 0;
    if (text.len > 0 && (text.ptr[0] == 'P' || text.ptr[0] == 'p')) at = 1;
    if (at < text.len && (text.ptr[at] == 'T' || text.ptr[at] == 't')) at++;
    if (text.len > 40) return (Str){0};
    int64_t days = 0;
    Str rest = {0};
    while (at < text.len) {
        int64_t amount = 0;
        char unit = 0;
        if (!next_amount(text, &at, &amount, &unit)) return (Str){0};
        if (unit == 'W') {
            days += amount * 7;
        } else if (unit == 'D') {
            days += amount;
        } else if (unit == 'm') {
            rest = str_printf(arena, STR_FMT "%lld.%03lldS", STR_ARG(rest),
                              (long long)amount / 1000, (long long)amount % 1000);
        } else {
            rest = str_printf(arena, STR_FMT "%lld%c", STR_ARG(rest), (long long)amount, unit);
        }
    }
    if (days > 0 && rest.len > 0) {
        return str_printf(arena, "P%lldDT" STR_FMT, (long long)days, STR_ARG(rest));
    }
    if (days > 0) return str_printf(arena, "P%lldD", (long long)days);
    if (rest.len > 0) return str_printf(arena, "PT" STR_FMT, STR_ARG(rest));
    return (Str){0};
}
