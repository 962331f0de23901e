// lines_test.c - streams cut into lines.
#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/utf8.h"
#include "proc/proc.h"

typedef struct Seen {
    LineSplitter splitter;
    Buffer text;  // lines joined by `|`
    uint32_t calls;
    size_t longest;
    unsigned flags;
} Seen;

static void take(void *self, Str line, unsigned flags) {
    Seen *seen = self;
    seen->calls++;
    seen->flags |= flags;
    if (line.len > seen->longest) seen->longest = line.len;
    assert_true(utf8_find_invalid(line) == STR_NOT_FOUND);
    buffer_add(&seen->text, line);
    if ((flags & LINE_GOES_ON) == 0) buffer_add_char(&seen->text, '|');
}

static int setup(void **state) {
    *state = heap_alloc(1, sizeof(Seen));
    return 0;
}

static int teardown(void **state) {
    Seen *seen = *state;
    lines_release(&seen->splitter);
    buffer_release(&seen->text);
    heap_free(seen);
    return 0;
}

static void lines_end_at_lf_crlf_and_cr_wherever_the_stream_is_cut(void **state) {
    (void)state;
    static const struct {
        const char *bytes, *lines;
    } rows[] = {
        {"",               ""             },
        {"a",              "a|"           },
        {"a\n",            "a|"           },
        {"a\nb",           "a|b|"         },
        {"a\r\nb\r\n",     "a|b|"         },
        {"a\rb\rc",        "a|b|c|"       },
        {"\n\n",           "||"           },
        {"\r\n\r\n",       "||"           },
        {"\xE2\x82\xAC\n", "\xE2\x82\xAC|"},
        {"10%\r20%\r\nx",  "10%|20%|x|"   },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t len = strlen(rows[i].bytes);
        for (size_t cut = 0; cut <= len; cut++) {
            Seen seen = {0};
            lines_feed(&seen.splitter, (Str){rows[i].bytes, cut}, take, &seen);
            lines_feed(&seen.splitter, (Str){rows[i].bytes + cut, len - cut}, take, &seen);
            lines_end(&seen.splitter, take, &seen);
            assert_str_equal(buffer_str(&seen.text), str_from(rows[i].lines));
            lines_release(&seen.splitter);
            buffer_release(&seen.text);
        }
    }
}

static void long_lines_come_in_pieces_that_do_not_cut_a_character(void **state) {
    Seen *seen = *state;
    Buffer line = {0};
    for (int i = 0; i < 20000; i++) buffer_add(&line, STR("\xE2\x82\xAC"));
    buffer_add_char(&line, '\n');
    for (size_t at = 0; at < line.len; at += 7) {
        lines_feed(&seen->splitter, str_slice(buffer_str(&line), at, at + 7), take, seen);
    }
    assert_true(seen->longest <= LINE_MAX_BYTES);
    assert_int_equal(seen->splitter.lines, 1);
    assert_int_equal(seen->text.len, 60001);
    assert_int_equal(seen->splitter.invalid, 0);
    assert_true((seen->flags & LINE_IS_REST) != 0);
    buffer_release(&line);
}

static void nul_and_invalid_bytes_are_replaced_and_counted(void **state) {
    Seen *seen = *state;
    lines_feed(&seen->splitter, STR("a\0b\xFF\xC3(\n"), take, seen);
    assert_str_equal(buffer_str(&seen->text), STR("a\xEF\xBF\xBD"
                                                  "b\xEF\xBF\xBD\xEF\xBF\xBD(|"));
    assert_int_equal(seen->splitter.nuls, 1);
    assert_int_equal(seen->splitter.invalid, 2);
    assert_int_equal(seen->flags, LINE_REPAIRED);
}

static void a_marker_may_be_long_and_stays_whole(void **state) {
    Seen *seen = *state;
    Buffer line = {0};
    buffer_add(&line, STR("::{\"outputs\":{\"x\":\""));
    buffer_add_repeat(&line, 'x', 3 << 20);
    buffer_add(&line, STR("\"}}::\n"));
    for (size_t at = 0; at < line.len; at += 65536) {
        lines_feed(&seen->splitter, str_slice(buffer_str(&line), at, at + 65536), take, seen);
    }
    assert_int_equal(seen->calls, 1);
    assert_int_equal(seen->longest, line.len - 1);
    buffer_release(&line);
}

static void a_marker_over_the_limit_is_an_ordinary_long_line(void **state) {
    Seen *seen = *state;
    Buffer block = {0};
    buffer_add_repeat(&block, 'x', 1 << 20);
    lines_feed(&seen->splitter, STR("::{"), take, seen);
    for (int i = 0; i < 40; i++) {
        lines_feed(&seen->splitter, buffer_str(&block), take, seen);
        assert_true(seen->splitter.held.len <= MARKER_MAX_BYTES);
        buffer_clear(&seen->text);
    }
    lines_feed(&seen->splitter, STR("\nnext\n"), take, seen);
    assert_int_equal(seen->splitter.lines, 2);
    assert_true(seen->longest <= LINE_MAX_BYTES);
    buffer_release(&block);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_end_at_lf_crlf_and_cr_wherever_the_stream_is_cut),
        cmocka_unit_test_setup_teardown(long_lines_come_in_pieces_that_do_not_cut_a_character,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(nul_and_invalid_bytes_are_replaced_and_counted, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_marker_may_be_long_and_stays_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(a_marker_over_the_limit_is_an_ordinary_long_line, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
