// unified_test.c - differences as patch reads them.
#include "support/test.h"

#include "source/unified.h"

static const struct {
    const char *before, *after, *expected;
} rows[] = {
    {"a\n",                         "a\n",                         ""                                                                 },
    {"",                            "a\n",                         "--- f\n+++ f\n@@ -0,0 +1 @@\n+a\n"                                },
    {"a\n",                         "",                            "--- f\n+++ f\n@@ -1 +0,0 @@\n-a\n"                                },
    {"a\nb\nc\n",                   "a\nx\nc\n",                   "--- f\n+++ f\n@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n"                  },
    {"a",                           "a\n",                         "--- f\n+++ f\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n"},
    {"1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\n5\n6\n7\n9\n",
     "--- f\n+++ f\n@@ -5,5 +5,4 @@\n 5\n 6\n 7\n-8\n 9\n"                                                                            },
    {"x\n1\n2\n3\n4\n5\n6\n7\ny\n", "1\n2\n3\n4\n5\n6\n7\nz\ny\n",
     "--- f\n+++ f\n@@ -1,4 +1,3 @@\n-x\n 1\n 2\n 3\n@@ -6,4 +5,5 @@\n 5\n 6\n 7\n+z\n y\n"                                           },
};

static void a_diff_has_the_changes_and_three_lines_around_them(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        Buffer out = {0};
        unified_diff(STR("f"), str_from(rows[i].before), str_from(rows[i].after), &out);
        assert_str_equal(buffer_str(&out), str_from(rows[i].expected));
        buffer_release(&out);
    }
}

static void texts_that_have_nothing_in_common_are_replaced(void **state) {
    (void)state;
    Buffer before = {0};
    Buffer after = {0};
    Buffer out = {0};
    for (int i = 0; i < 3000; i++) {
        buffer_printf(&before, "old %d\n", i);
        buffer_printf(&after, "new %d\n", i);
    }
    unified_diff(STR("f"), buffer_str(&before), buffer_str(&after), &out);
    assert_true(str_find(buffer_str(&out), STR("@@ -1,3000 +1,3000 @@\n-old 0\n"), 0) !=
                STR_NOT_FOUND);
    buffer_release(&before);
    buffer_release(&after);
    buffer_release(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_diff_has_the_changes_and_three_lines_around_them),
        cmocka_unit_test(texts_that_have_nothing_in_common_are_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
