// globs_test.c - patterns over paths and the rules of .gitignore.
#include "support/test.h"

#include "session/session.h"

static void patterns_match_as_shells_do(void **state) {
    (void)state;
    static const struct {
        const char *pattern, *path;
        bool matches;
    } rows[] = {
        {"*.yaml",     "a.yaml",      true },
        {"*.yaml",     "d/a.yaml",    false},
        {"**/*.yaml",  "a.yaml",      true },
        {"**/*.yaml",  "d/e/a.yaml",  true },
        {"d/**",       "d/e/f",       true },
        {"d/**",       "e/d/f",       false},
        {"a/**/z",     "a/z",         true },
        {"a/**/z",     "a/b/c/z",     true },
        {"a/**/z",     "a/b/c/zz",    false},
        {"?.txt",      "a.txt",       true },
        {"?.txt",      "ab.txt",      false},
        {"[a-c]x",     "bx",          true },
        {"[!a-c]x",    "bx",          false},
        {"*.{sql,py}", "a.py",        true },
        {"*.{sql,py}", "a.rb",        false},
        {"main.tf",    "main.tf",     true },
        {"*a*b*c*",    "xxaxxbxxcxx", true },
        {"*a*b*c*",    "xxaxxcxxbxx", false},
        {"\\*",        "*",           true },
        {"",           "",            true },
        {"",           "a",           false},
        {"**",         "a/b",         true },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        assert_int_equal(glob_matches(str_from(rows[i].pattern), str_from(rows[i].path)),
                         rows[i].matches);
    }
}

static void the_last_rule_of_a_gitignore_decides(void **state) {
    (void)state;
    static const struct {
        const char *path;
        bool is_folder, is_ignored;
    } rows[] = {
        {"build",         true,  true },
        {"build",         false, false},
        {"x/build",       true,  true },
        {"a.tmp.yaml",    false, true },
        {"keep.tmp.yaml", false, false},
        {"top.yaml",      false, true },
        {"x/top.yaml",    false, false},
        {"docs/a/b.yaml", false, true },
        {"sub/own.yaml",  false, true },
        {"own.yaml",      false, false},
    };
    Arena arena = {0};
    IgnoreRules rules = {0};
    ignore_add(&arena, &rules, (Str){0},
               STR("# note\n\nbuild/\n*.tmp.yaml\n!keep.tmp.yaml\n/top.yaml\ndocs/**\n"));
    ignore_add(&arena, &rules, STR("sub"), STR("own.yaml\r\n"));
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        assert_int_equal(ignore_matches(&rules, str_from(rows[i].path), rows[i].is_folder),
                         rows[i].is_ignored);
    }
    arena_release(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match_as_shells_do),
        cmocka_unit_test(the_last_rule_of_a_gitignore_decides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
