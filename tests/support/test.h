// test.h - what every unit test includes: cmocka with its headers, the row of a table, skipping.
#ifndef FLOW_TESTS_TEST_H
#define FLOW_TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/attributes.h"
#include "base/err.h"
#include "base/str.h"

// Says which row of a table is being looked at, so that a failed assertion can be placed.
static inline void test_row(size_t row) {
    print_message("row %zu\n", row);
}

#define assert_str_equal(actual, expected)                                                         \
    do {                                                                                           \
        Str actual_ = (actual);                                                                    \
        Str expected_ = (expected);                                                                \
        if (!str_eq(actual_, expected_)) {                                                         \
            print_error("got  '" STR_FMT "'\nwant '" STR_FMT "'\n", STR_ARG(actual_),              \
                        STR_ARG(expected_));                                                       \
        }                                                                                          \
        assert_true(str_eq(actual_, expected_));                                                   \
    } while (0)

#define assert_ok(err)                                                                             \
    do {                                                                                           \
        Err err_ = (err);                                                                          \
        if (err_.code != ERR_NONE) print_error("%s\n", err_.text);                                 \
        assert_int_equal(err_.code, ERR_NONE);                                                     \
    } while (0)

#endif
