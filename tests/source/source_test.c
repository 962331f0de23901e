// source_test.c - lines, positions and pieces of files.
#include "support/test.h"

#include "source/source.h"

static int setup(void **state) {
    static Arena arena;
    arena = (Arena){0};
    *state = &arena;
    return 0;
}

static int teardown(void **state) {
    arena_release(*state);
    return 0;
}

static const Source *add(Arena *arena, Sources *sources, Str bytes) {
    sources->arena = arena;
    return sources_get(sources, sources_add(sources, STR("a.yaml"), bytes));
}

static void lines_end_with_lf_crlf_or_cr(void **state) {
    Sources sources = {0};
    const Source *source = add(*state, &sources, STR("a\nbc\r\nd\re"));
    assert_int_equal(source->line_count, 4);
    assert_str_equal(source_line(source, 1), STR("a"));
    assert_str_equal(source_line(source, 2), STR("bc"));
    assert_str_equal(source_line(source, 3), STR("d"));
    assert_str_equal(source_line(source, 4), STR("e"));
    assert_str_equal(source_line(source, 5), STR(""));
    assert_str_equal(source_line(source, 0), STR(""));
}

static void an_empty_file_has_one_empty_line(void **state) {
    Sources sources = {0};
    const Source *source = add(*state, &sources, (Str){0});
    assert_int_equal(source->line_count, 1);
    assert_str_equal(source_line(source, 1), STR(""));
    const Position position = source_position(source, 0, POSITION_POINTS);
    assert_int_equal(position.line, 1);
    assert_int_equal(position.column, 1);
}

static void columns_count_in_the_unit_asked_for(void **state) {
    Sources sources = {0};
    const Source *source = add(*state, &sources, STR("x\n\xC3\xA4\xF0\x9F\x98\x80z"));
    static const struct {
        PositionUnit unit;
        uint32_t column;
    } rows[] = {
        {POSITION_POINTS, 3},
        {POSITION_BYTES,  7},
        {POSITION_UTF16,  4},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        const Position position = source_position(source, 8, rows[i].unit);
        assert_int_equal(position.line, 2);
        assert_int_equal(position.column, rows[i].column);
        assert_int_equal(position.offset, 8);
    }
}

static void the_byte_order_mark_counts_in_offsets_but_not_in_columns(void **state) {
    Sources sources = {0};
    const Source *source = add(*state, &sources,
                               STR("\xEF\xBB\xBF"
                                   "id: a\n"));
    assert_true(source->has_bom);
    assert_str_equal(source_line(source, 1), STR("id: a"));
    const Position position = source_position(source, 7, POSITION_POINTS);
    assert_int_equal(position.column, 5);
    assert_int_equal(position.offset, 7);
}

static void an_offset_behind_the_end_is_the_end(void **state) {
    Sources sources = {0};
    const Source *source = add(*state, &sources, STR("ab\n"));
    const Position position = source_position(source, 99, POSITION_POINTS);
    assert_int_equal(position.line, 2);
    assert_int_equal(position.column, 1);
    assert_int_equal(position.offset, 3);
}

static void a_span_reads_back_its_bytes(void **state) {
    Sources sources = {0};
    add(*state, &sources, STR("hello"));
    assert_str_equal(source_text(&sources, (Span){0, 1, 3}), STR("ell"));
    assert_str_equal(source_text(&sources, (Span){0, 4, 9}), STR("o"));
}

static void a_folder_and_a_missing_file_are_errors_of_their_own(void **state) {
    Sources sources = {.arena = *state};
    uint32_t file = 0;
    Err err = sources_read(&sources, FLOW_SOURCE_DIR, STR("x"), &file);
    assert_int_equal(err.code, ERR_INPUT);
    err = sources_read(&sources, FLOW_SOURCE_DIR "/no-such-file", STR("x"), &file);
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_end_with_lf_crlf_or_cr, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_file_has_one_empty_line, setup, teardown),
        cmocka_unit_test_setup_teardown(columns_count_in_the_unit_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(the_byte_order_mark_counts_in_offsets_but_not_in_columns,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(an_offset_behind_the_end_is_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(a_span_reads_back_its_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_folder_and_a_missing_file_are_errors_of_their_own, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
