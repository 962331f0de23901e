// regex_test.c - regular expressions: matching, groups, Java's replacement syntax, limits.
#include <string.h>

#include "support/test.h"
#include "value/regex.h"

static Regex *compile(const char *pattern) {
    Regex *regex = NULL;
    assert_ok(regex_compile(str_from(pattern), &regex));
    return regex;
}

static void replacement_follows_java(void **state) {
    (void)state;
    static const struct {
        const char *pattern, *text, *replacement, *result;  // NULL: an error
    } rows[] = {
        {"[0-9]+",       "id 12, 7",          "#",       "id #, #"     },
        {"(\\w)=(\\w)",  "k=v",               "$2=$1",   "v=k"         },
        {"(?<key>\\w)=", "k=v",               "${key}:", "k:v"         },
        {"a",            "banana",            "\\$\\\\", "b$\\n$\\n$\\"},
        {"(a)(b)?",      "a",                 "[$1$2]",  "[a]"         },
        {"(a)",          "a",                 "$10",     "a0"          },
        {"",             "ab",                "-",       "-a-b-"       },
        {"x*",           "axb",               "-",       "-a--b-"      },
        {"\xc3\xa9",     "\xc3\xa9t\xc3\xa9", "e",       "ete"         },
        {"a",            "a",                 "$9",      NULL          },
        {"a",            "a",                 "$",       NULL          },
        {"a",            "a",                 "\\",      NULL          },
        {"a",            "a",                 "${nope}", NULL          },
        {"a",            "a",                 "${",      NULL          },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        Regex *regex = compile(rows[i].pattern);
        Buffer out = {0};
        Err err = regex_replace(regex, str_from(rows[i].text), str_from(rows[i].replacement), &out);
        if (rows[i].result == NULL) {
            assert_int_equal(err.code, ERR_INPUT);
        } else {
            assert_ok(err);
            assert_str_equal(buffer_str(&out), str_from(rows[i].result));
        }
        buffer_release(&out);
        regex_free(regex);
    }
}

static void groups_are_found(void **state) {
    (void)state;
    Regex *regex = compile("(a)(x)?(b)");
    Str groups[5];
    bool found = false;
    assert_ok(regex_find(regex, STR("..ab"), 0, groups, COUNT(groups), &found));
    assert_true(found);
    assert_str_equal(groups[0], STR("ab"));
    assert_null(groups[2].ptr);
    assert_str_equal(groups[3], STR("b"));
    assert_null(groups[4].ptr);
    regex_free(regex);
}

static void matching_takes_the_whole_text(void **state) {
    (void)state;
    Regex *regex = compile("a|ab");
    bool matches = false;
    assert_ok(regex_matches(regex, STR("ab"), &matches));
    assert_true(matches);
    assert_ok(regex_matches(regex, STR("abc"), &matches));
    assert_false(matches);
    regex_free(regex);
}

static void a_bad_pattern_names_its_place(void **state) {
    (void)state;
    Regex *regex = NULL;
    Err err = regex_compile(STR("ab("), &regex);
    assert_int_equal(err.code, ERR_INPUT);
    assert_non_null(strstr(err.text, "at character 4"));
    assert_null(regex);
}

static void long_matches_end_at_a_limit(void **state) {
    (void)state;
    Regex *regex = compile("^(a|aa)+$");
    bool found = false;
    Err err = regex_find(regex, STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"), 0,
                         NULL, 0, &found);
    assert_int_equal(err.code, ERR_LIMIT);
    regex_free(regex);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replacement_follows_java),
        cmocka_unit_test(groups_are_found),
        cmocka_unit_test(matching_takes_the_whole_text),
        cmocka_unit_test(a_bad_pattern_names_its_place),
        cmocka_unit_test(long_matches_end_at_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
