// date_pattern_fuzz.c - `pattern|text`: no crash; what a pattern with date, time and offset prints
// is read back by it, if it is read at all, without harm.
#include <stdlib.h>
#include <string.h>

#include "value/time.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    Arena arena = {0};
    Str rest = {(const char *)bytes, size}, pattern_text = {0};
    const DatePattern *pattern = NULL;
    const Zone *zone = NULL;
    Err err = zone_open(STR("+05:30"), &arena, &zone);
    if (err.code != ERR_NONE || !str_split(&rest, '|', &pattern_text)) return 0;
    err = date_pattern_compile(pattern_text, &arena, &pattern);
    if (err.code == ERR_NONE) {
        DateTime at = {0}, back = {0};
        err = date_pattern_parse(pattern, rest, &at);
        if (err.code != ERR_NONE)
            at = datetime_from_instant((Instant){1730611845, 123456789}, 19800);
        Buffer out = {0};
        date_pattern_print(pattern, &at, zone, &out);
        err = date_pattern_parse(pattern, buffer_str(&out), &back);
        if (err.code == ERR_NONE && (back.month < 1 || back.month > 12)) abort();
        buffer_release(&out);
    }
    err = datetime_parse(rest, &(DateTime){0});
    err = zone_from_tzif(STR("fuzz"), rest, &arena, &zone);
    if (err.code == ERR_NONE) {
        for (int64_t at = -5000000000; at < 5000000000; at += 500000000) {
            (void)zone_offset_at(zone, at, NULL);
        }
    }
    arena_release(&arena);
    return 0;
}
