// render_test.c - findings as people and programs read them.
#include "support/test.h"

#include <string.h>

#include "base/buffer.h"
#include "diag/diag.h"
#include "diag/display.h"

typedef struct Fixture {
    Arena arena;
    Sources sources;
    Diags diags;
    Buffer out;
} Fixture;

static int setup(void **state) {
    static Fixture fixture;
    fixture = (Fixture){0};
    fixture.sources.arena = &fixture.arena;
    fixture.diags.arena = &fixture.arena;
    *state = &fixture;
    return 0;
}

static int teardown(void **state) {
    buffer_release(&((Fixture *)*state)->out);
    arena_release(&((Fixture *)*state)->arena);
    return 0;
}

static Span find(const Fixture *fixture, uint32_t file, const char *piece) {
    const Str bytes = sources_get(&fixture->sources, file)->bytes;
    return (Span){file, (uint32_t)str_find(bytes, str_from(piece), 0), (uint32_t)strlen(piece)};
}

static void assert_text(Fixture *fixture, uint32_t width, const char *expected) {
    buffer_clear(&fixture->out);
    diags_render_text(&fixture->diags, &fixture->sources, (DiagStyle){.width = width},
                      &fixture->out);
    assert_str_equal(buffer_str(&fixture->out), str_from(expected));
}

static void a_finding_shows_its_line_and_what_was_meant(void **state) {
    Fixture *fixture = *state;
    sources_add(&fixture->sources, STR("deploy.yaml"), STR("url: \"{{ inputs.hots }}\"\n"));
    Diag *diag = diag_add(&fixture->diags, "E0301", DIAG_ERROR, find(fixture, 0, "hots"),
                          "unknown input '%s'", "hots");
    diag_suggest(diag, STR("host"));
    assert_text(fixture, 0,
                "error[E0301]: unknown input 'hots'\n"
                " --> deploy.yaml:1:17\n"
                "  |\n"
                "1 | url: \"{{ inputs.hots }}\"\n"
                "  |                 ^^^^ did you mean 'host'?\n\n");
}

static void labels_stand_under_their_own_lines(void **state) {
    Fixture *fixture = *state;
    sources_add(&fixture->sources, STR("a.yaml"), STR("one: 1\ntwo: 2\n3: 3\n4: 4\none: 5\n"));
    Diag *diag = diag_add(&fixture->diags, "E0019", DIAG_ERROR, (Span){0, 24, 3}, "twice");
    diag_label(diag, (Span){0, 0, 3}, "first used here");
    diag_note(diag, "a note");
    assert_text(fixture, 0,
                "error[E0019]: twice\n"
                " --> a.yaml:5:1\n"
                "  |\n"
                "1 | one: 1\n"
                "  | --- first used here\n"
                "...\n"
                "5 | one: 5\n"
                "  | ^^^\n"
                "  |\n"
                "  = note: a note\n\n");
}

static void several_marks_of_a_line_do_not_collide(void **state) {
    Fixture *fixture = *state;
    sources_add(&fixture->sources, STR("a.yaml"), STR("alpha beta gamma\n"));
    Diag *diag = diag_add(&fixture->diags, "E0402", DIAG_WARNING, find(fixture, 0, "beta"), "m");
    diag_label(diag, find(fixture, 0, "alpha"), "a text");
    diag_label(diag, find(fixture, 0, "gamma"), "a number");
    assert_text(fixture, 0,
                "warning[E0402]: m\n"
                " --> a.yaml:1:7\n"
                "  |\n"
                "1 | alpha beta gamma\n"
                "  | ----- ^^^^ ----- a number\n"
                "  | |\n"
                "  | a text\n\n");
}

static void a_repair_is_shown_as_the_line_would_read(void **state) {
    Fixture *fixture = *state;
    sources_add(&fixture->sources, STR("a.yaml"), STR("m: {{ x }}\n"));
    const Span span = find(fixture, 0, "{{ x }}");
    Diag *diag = diag_add(&fixture->diags, "E0017", DIAG_ERROR, span, "needs quotes");
    DiagSuggestion *suggestion = diag_suggestion(diag, true, "put quotes around it");
    diag_edit(diag, suggestion, (Span){0, span.start, 0}, STR("\""));
    diag_edit(diag, suggestion, (Span){0, span.start + span.len, 0}, STR("\""));
    assert_text(fixture, 0,
                "error[E0017]: needs quotes\n"
                " --> a.yaml:1:4\n"
                "  |\n"
                "1 | m: {{ x }}\n"
                "  |    ^^^^^^^\n"
                "  |\n"
                "  = help: put quotes around it\n"
                "  |\n"
                "1 | m: \"{{ x }}\"\n"
                "  |    +       +\n\n");
}

static void wide_and_combining_characters_and_tabs_keep_the_carets_right(void **state) {
    Fixture *fixture = *state;
    sources_add(&fixture->sources, STR("a.yaml"),
                STR("\xE8\xA1\xA8\xF0\x9F\x98\x80"
                    "e\xCC\x81\tX\xE2\x80\xAE\n"));
    diag_add(&fixture->diags, "W0005", DIAG_WARNING, find(fixture, 0, "X"), "m");
    assert_text(fixture, 0,
                "warning[W0005]: m\n"
                " --> a.yaml:1:6\n"
                "  |\n"
                "1 | \xE8\xA1\xA8\xF0\x9F\x98\x80"
                "e\xCC\x81    X\xEF\xBF\xBD\n"
                "  |          ^\n\n");
}

static void a_long_line_is_cut_to_the_terminal(void **state) {
    Fixture *fixture = *state;
    Buffer line = {0};
    buffer_add_repeat(&line, 'a', 200);
    buffer_add(&line, STR("BAD"));
    buffer_add_repeat(&line, 'c', 200);
    sources_add(&fixture->sources, STR("a.yaml"), buffer_to_str(&line, &fixture->arena));
    buffer_release(&line);
    diag_add(&fixture->diags, "E0010", DIAG_ERROR, find(fixture, 0, "BAD"), "m");
    assert_text(fixture, 44,
                "error[E0010]: m\n"
                " --> a.yaml:1:201\n"
                "  |\n"
                "1 | \xE2\x80\xA6"
                "aaaaaaaaaBADcccccccccccccccccccccccccc\xE2\x80\xA6\n"
                "  |           ^^^\n\n");
}

static void what_has_no_room_goes_on_below(void **state) {
    Fixture *fixture = *state;
    sources_add(&fixture->sources, STR("a.yaml"), STR("type: io.company.plugin.messages.Sendd\n"));
    Diag *diag = diag_add(&fixture->diags, "E0103", DIAG_ERROR,
                          find(fixture, 0, "io.company.plugin.messages.Sendd"),
                          "unknown type 'io.company.plugin.messages.Sendd'");
    diag_suggest(diag, STR("io.company.plugin.messages.Send"));
    diag_note(diag, "one two three four five six seven eight nine");
    assert_text(fixture, 44,
                "error[E0103]: unknown type\n"
                "  'io.company.plugin.messages.Sendd'\n"
                " --> a.yaml:1:7\n"
                "  |\n"
                "1 | type: io.company.plugin.messages.Sendd\n"
                "  |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n"
                "  |\n"
                "  = note: one two three four five six seven\n"
                "          eight nine\n"
                "  = help: did you mean\n"
                "          'io.company.plugin.messages.Send'?\n"
                "  |\n"
                "1 | type: io.company.plugin.messages.Send\n"
                "  |       ~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~\n\n");
}

static void a_file_that_cannot_be_read_has_no_lines(void **state) {
    Fixture *fixture = *state;
    sources_add(&fixture->sources, STR("gone.yaml"), (Str){0});
    diag_add(&fixture->diags, "E0001", DIAG_ERROR, (Span){0, 0, 0}, "m");
    assert_text(fixture, 0, "error[E0001]: m\n --> gone.yaml\n\n");
}

static void any_width_and_any_bytes_render(void **state) {
    Fixture *fixture = *state;
    sources_add(&fixture->sources, STR("a.yaml"),
                STR("\xFF\xFE \xE8\xA1\xA8\xE8\xA1\xA8\xE8\xA1\xA8 abc\t\t def \x01 ghi\r\nx"));
    const uint32_t size = (uint32_t)sources_get(&fixture->sources, 0)->bytes.len;
    for (uint32_t start = 0; start <= size; start++) {
        Diag *diag =
            diag_add(&fixture->diags, "E0010", DIAG_ERROR, (Span){0, start, size - start}, "m");
        diag_label(diag, (Span){0, size - start, start / 2}, "l");
    }
    for (uint32_t width = 1; width < 60; width++) {
        buffer_clear(&fixture->out);
        diags_render_text(&fixture->diags, &fixture->sources,
                          (DiagStyle){.colour = true, .width = width}, &fixture->out);
        assert_true(fixture->out.len > 0);
    }
}

static void one_line_says_all(void **state) {
    Fixture *fixture = *state;
    sources_add(&fixture->sources, STR("a.yaml"), STR("\xC3\xA4 hots\n"));
    Diag *diag =
        diag_add(&fixture->diags, "E0301", DIAG_ERROR, find(fixture, 0, "hots"), "unknown");
    diag_suggest(diag, STR("host"));
    diags_render_oneline(&fixture->diags, &fixture->sources, &fixture->out);
    assert_str_equal(buffer_str(&fixture->out),
                     STR("a.yaml:1:3: error[E0301]: unknown (did you mean 'host'?)\n"));
}

static void names_and_messages_stay_on_their_line(void **state) {
    Fixture *fixture = *state;
    sources_add(&fixture->sources, STR("a\n\x1B[2J\xFF.yaml"), STR("hots\n"));
    Diag *diag = diag_add(&fixture->diags, "E0301", DIAG_ERROR, find(fixture, 0, "hots"),
                          "unknown 'a\tb\r\xE2\x80\xAE'");
    diag_suggest(diag, STR("ho\nst"));
    diags_render_oneline(&fixture->diags, &fixture->sources, &fixture->out);
    assert_str_equal(buffer_str(&fixture->out),
                     STR("a\\n\\u{1B}[2J\\xFF.yaml:1:1: error[E0301]: unknown 'a\\tb\\r\\u{202E}' "
                         "(did you mean 'ho\\nst'?)\n"));
    assert_text(fixture, 0,
                "error[E0301]: unknown 'a\\tb\\r\\u{202E}'\n"
                " --> a\\n\\u{1B}[2J\\xFF.yaml:1:1\n"
                "  |\n"
                "1 | hots\n"
                "  | ^^^^ did you mean 'ho\\nst'?\n\n");
}

static void json_is_version_1(void **state) {
    Fixture *fixture = *state;
    sources_add(&fixture->sources, STR("a\".yaml"), STR("\xC3\xA4 hots\n"));
    Diag *diag =
        diag_add(&fixture->diags, "E0301", DIAG_ERROR, find(fixture, 0, "hots"), "unknown");
    diag_label(diag, (Span){0, 0, 2}, "here");
    diag_note(diag, "n");
    diag_suggest(diag, STR("host"));
    diag->targets = 4;
    const DiagSummary summary = {
        .files = 1, .skipped = 2, .targets = {STR("1.3"), STR("2.0")},
                .target_count = 2
    };
    diags_render_json(&fixture->diags, &fixture->sources, &summary, &fixture->out);
    assert_str_equal(
        buffer_str(&fixture->out),
        STR("{\"version\":1,\"files\":1,\"skipped\":2,\"errors\":1,\"warnings\":0,\"ignored\":0,"
            "\"baselined\":0,\"targets\":[\"1.3\",\"2.0\"],\"diagnostics\":[\n "
            "{\"code\":\"E0301\",\"rule\":\"unknown-input\",\"severity\":\"error\",\"targets\":["
            "\"2.0\"],"
            "\"message\":\"unknown\",\"file\":\"a\\\".yaml\",\"range\":{\"start\":{\"line\":1,"
            "\"column\":3,"
            "\"offset\":3},\"end\":{\"line\":1,\"column\":7,\"offset\":7}},\"labels\":[{"
            "\"message\":\"here\","
            "\"file\":\"a\\\".yaml\",\"range\":{\"start\":{\"line\":1,\"column\":1,\"offset\":0},"
            "\"end\":{"
            "\"line\":1,\"column\":2,\"offset\":2}}}],\"notes\":[\"n\"],\"suggestions\":[{"
            "\"message\":\"did "
            "you mean "
            "'host'?\",\"applicability\":\"safe\",\"edits\":[{\"start\":3,\"end\":7,\"text\":"
            "\"host\"}]}]}]}\n"));
}

static void findings_are_sorted_by_file_place_and_code(void **state) {
    Fixture *fixture = *state;
    static const struct {
        const char *code;
        uint32_t file, start;
    } rows[] = {
        {"E0002", 1, 0},
        {"E0003", 0, 9},
        {"E0002", 0, 9},
        {"E0004", 0, 1}
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        diag_add(&fixture->diags, rows[i].code, DIAG_ERROR, (Span){rows[i].file, rows[i].start, 0},
                 "m");
    }
    diags_sort(&fixture->diags);
    static const char *const order[] = {"E0004", "E0002", "E0003", "E0002"};
    for (size_t i = 0; i < COUNT(order); i++) {
        test_row(i);
        assert_string_equal(fixture->diags.list.items[i]->code, order[i]);
    }
}

static void what_is_muted_stands_in_no_list(void **state) {
    Fixture *fixture = *state;
    fixture->diags.muted = 1;
    Diag *diag = diag_add(&fixture->diags, "E0301", DIAG_ERROR, (Span){0}, "m");
    diag_note(diag, "n");
    assert_int_equal(fixture->diags.list.count, 0);
}

static void codes_are_unique_ordered_and_found(void **state) {
    (void)state;
    size_t count = 0;
    const DiagCode *rows = diag_codes(&count);
    assert_true(count > 100);
    for (size_t i = 0; i < count; i++) {
        test_row(i);
        assert_int_equal(strlen(rows[i].code), 5);
        if (i > 0) assert_true(strcmp(rows[i - 1].code + 1, rows[i].code + 1) < 0);
        assert_ptr_equal(diag_code_find(str_from(rows[i].code)), &rows[i]);
        assert_ptr_equal(diag_code_find(str_from(rows[i].name)), &rows[i]);
        assert_true(strlen(rows[i].what) > 0);
        assert_int_equal(rows[i].level == DIAG_ERROR, rows[i].code[0] == 'E');
        assert_int_equal(rows[i].wrong == NULL, rows[i].right == NULL);
    }
    assert_null(diag_code_find(STR("E9999")));
    assert_null(diag_code_find(STR("W0301")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_finding_shows_its_line_and_what_was_meant, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(labels_stand_under_their_own_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(several_marks_of_a_line_do_not_collide, setup, teardown),
        cmocka_unit_test_setup_teardown(a_repair_is_shown_as_the_line_would_read, setup, teardown),
        cmocka_unit_test_setup_teardown(
            wide_and_combining_characters_and_tabs_keep_the_carets_right, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_line_is_cut_to_the_terminal, setup, teardown),
        cmocka_unit_test_setup_teardown(what_has_no_room_goes_on_below, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_cannot_be_read_has_no_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(any_width_and_any_bytes_render, setup, teardown),
        cmocka_unit_test_setup_teardown(one_line_says_all, setup, teardown),
        cmocka_unit_test_setup_teardown(names_and_messages_stay_on_their_line, setup, teardown),
        cmocka_unit_test_setup_teardown(json_is_version_1, setup, teardown),
        cmocka_unit_test_setup_teardown(findings_are_sorted_by_file_place_and_code, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_muted_stands_in_no_list, setup, teardown),
        cmocka_unit_test_setup_teardown(codes_are_unique_ordered_and_found, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
