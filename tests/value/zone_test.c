// zone_test.c - offsets of zones over transitions, gaps, overlaps and far years.
#include "support/test.h"

#include "value/time.h"

static void offsets_follow_the_zone(void **state) {
    (void)state;
    static const struct {
        const char *zone, *instant;
        int32_t offset;
        const char *abbreviation;
    } rows[] = {
        {"UTC",              "2024-07-01T00:00:00Z", 0,      "UTC" },
        {"Europe/Paris",     "2024-01-15T12:00:00Z", 3600,   "CET" },
        {"Europe/Paris",     "2024-07-15T12:00:00Z", 7200,   "CEST"},
        {"Europe/Paris",     "2024-03-31T00:59:59Z", 3600,   "CET" },
        {"Europe/Paris",     "2024-03-31T01:00:00Z", 7200,   "CEST"},
        {"Europe/Paris",     "2090-07-15T12:00:00Z", 7200,   "CEST"},
        {"America/New_York", "2024-12-01T12:00:00Z", -18000, "EST" },
        {"Australia/Sydney", "2050-01-15T12:00:00Z", 39600,  "AEDT"},
        {"Asia/Kolkata",     "2024-01-15T12:00:00Z", 19800,  "IST" },
        {"+02:00",           "2024-01-15T12:00:00Z", 7200,   "UTC" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        Arena arena = {0};
        const Zone *zone = NULL;
        Instant instant;
        Str abbreviation = {0};
        assert_ok(zone_open(str_from(rows[i].zone), &arena, &zone));
        assert_ok(instant_parse(str_from(rows[i].instant), &instant));
        assert_int_equal(zone_offset_at(zone, instant.seconds, &abbreviation), rows[i].offset);
        assert_str_equal(abbreviation, str_from(rows[i].abbreviation));
        arena_release(&arena);
    }
}

static void local_times_become_instants(void **state) {
    (void)state;
    static const struct {
        const char *local, *instant;
    } rows[] = {
        {"2024-01-15T12:00:00", "2024-01-15T11:00:00Z"},
        {"2024-07-15T12:00:00", "2024-07-15T10:00:00Z"},
        {"2024-03-31T02:30:00", "2024-03-31T01:30:00Z"},
        {"2024-10-27T02:30:00", "2024-10-27T00:30:00Z"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        Arena arena = {0};
        const Zone *zone = NULL;
        DateTime local;
        assert_ok(zone_open(STR("Europe/Paris"), &arena, &zone));
        assert_ok(datetime_parse(str_from(rows[i].local), &local));
        Buffer text = {0};
        instant_print(&text, zone_to_instant(zone, &local));
        assert_str_equal(buffer_str(&text), str_from(rows[i].instant));
        buffer_release(&text);
        arena_release(&arena);
    }
}

static void names_that_are_none_are_unknown(void **state) {
    (void)state;
    static const char *const rows[] = {
        "Europe/Pari", "../../etc/passwd", "/etc/localtime", "", "UTC+99", "Mars"};
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        assert_false(zone_is_known(str_from(rows[i])));
    }
    assert_true(zone_is_known(STR("Europe/Paris")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offsets_follow_the_zone),
        cmocka_unit_test(local_times_become_instants),
        cmocka_unit_test(names_that_are_none_are_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
