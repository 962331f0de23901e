// cron_test.c - cron expressions: what is taken, what is refused and where, what never comes.
#include "rules/cron.h"
#include "support/test.h"

static const struct {
    const char *text;
    bool with_seconds;
    const char *wrong;  // NULL: taken
} rows[] = {
    {"* * * * *",               false, NULL         },
    {"*/15 8-18 * * MON-FRI",   false, NULL         },
    {"0 9 1,15 jan,Jul *",      false, NULL         },
    {"0  9\t1 * *",             false, NULL         },
    {"5/10 * * * *",            false, NULL         },
    {"0 0 L * *",               false, NULL         },
    {"0 0 * * 7",               false, NULL         },
    {"0 0 * * FRI-MON",         false, NULL         },
    {"0 9 * * * || 0 17 * * *", false, NULL         },
    {"30 0 9 * * *",            true,  NULL         },
    {"@daily",                  false, NULL         },
    {"@reboot",                 false, "@reboot"    },
    {"60 * * * *",              false, "60"         },
    {"* 24 * * *",              false, "24"         },
    {"* * 0 * *",               false, "0"          },
    {"* * * 13 *",              false, "13"         },
    {"* * * foo *",             false, "foo"        },
    {"* * * * 8",               false, "8"          },
    {"*/0 * * * *",             false, "*/0"        },
    {"5-1 * * * *",             false, "5-1"        },
    {"1, * * * *",              false, "1,"         },
    {"0 0 ? * *",               false, "?"          },
    {"0 9 * *",                 false, "0 9 * *"    },
    {"0 0 9 * * *",             false, "0 0 9 * * *"},
    {"0 9 * * *",               true,  "0 9 * * *"  },
    {"",                        false, ""           },
    {"-1 * * * *",              false, "-1"         },
};

static void cron_expressions_are_taken_or_placed(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        CronResult result = cron_check(str_from(rows[i].text), rows[i].with_seconds);
        assert_int_equal(result.problem != NULL, rows[i].wrong != NULL);
        if (rows[i].wrong != NULL) assert_str_equal(result.at, str_from(rows[i].wrong));
    }
}

static void dates_that_never_come_are_known(void **state) {
    (void)state;
    assert_true(cron_check(STR("0 0 30 2 *"), false).is_never);
    assert_true(cron_check(STR("0 0 31 4,6 *"), false).is_never);
    assert_false(cron_check(STR("0 0 29 2 *"), false).is_never);
    assert_false(cron_check(STR("0 0 31 * *"), false).is_never);
    // With a day of the week the days are joined.
    assert_false(cron_check(STR("0 0 30 2 MON"), false).is_never);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cron_expressions_are_taken_or_placed),
        cmocka_unit_test(dates_that_never_come_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
