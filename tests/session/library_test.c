// library_test.c - the compiler as a library: sessions side by side, texts and bytes handed out.
#include "support/test.h"

#include <string.h>

#include "flowc.h"

static const char clean[] = "id: small\nnamespace: company.team\ntasks:\n  - id: one\n"
                            "    type: io.kestra.plugin.core.debug.Return\n    format: hello\n";
static const char broken[] = "id: small\nnamespace: company.team\ntasks:\n  - id: one\n"
                             "    type: io.kestra.plugin.core.debug.Return\n"
                             "    format: \"{{ inputs.n\xC3\xA4me }}\"\n";

static int setup(void **state) {
    *state = flow_session_new(NULL, NULL, 0);
    return *state == NULL;
}

static int teardown(void **state) {
    flow_session_free(*state);
    return 0;
}

static void a_finding_says_where_and_what(void **state) {
    FlowSession *session = *state;
    assert_int_equal(flow_check_text(session, "a.yaml", broken, strlen(broken)), FLOW_OK);
    assert_int_equal(flow_finding_count(session), 1);
    const FlowFinding *finding = flow_finding_at(session, 0);
    assert_string_equal(flow_finding_code(finding), "E0301");
    assert_string_equal(flow_finding_rule(finding), "unknown-input");
    assert_int_equal(flow_finding_level(finding), FLOW_ERROR);
    assert_non_null(strstr(flow_finding_message(finding), "n\xC3\xA4me"));
    assert_string_equal(flow_finding_file(session, finding), "a.yaml");
    uint32_t start = 0;
    uint32_t len = 0;
    uint32_t line = 0;
    uint32_t column = 0;
    flow_finding_place(session, finding, &start, &len, &line, &column);
    assert_int_equal(len, 5);
    assert_memory_equal(broken + start, "n\xC3\xA4me", 5);
    assert_int_equal(line, 6);
    assert_int_equal(column, 24);
    assert_null(flow_finding_at(session, 1));
}

static void a_flow_compiles_to_the_same_bytes_in_any_session(void **state) {
    FlowSession *other = flow_session_new(NULL, NULL, 0);
    uint8_t *bytes[2] = {NULL, NULL};
    size_t sizes[2] = {0, 0};
    assert_int_equal(flow_compile(*state, "a.yaml", clean, strlen(clean), &bytes[0], &sizes[0]),
                     FLOW_OK);
    assert_int_equal(flow_compile(other, "a.yaml", clean, strlen(clean), &bytes[1], &sizes[1]),
                     FLOW_OK);
    assert_non_null(bytes[0]);
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(bytes[0], bytes[1], sizes[0]);
    flow_bytes_free(bytes[0]);
    flow_bytes_free(bytes[1]);
    flow_session_free(other);
}

static void a_flow_with_errors_gives_no_bytes(void **state) {
    uint8_t *bytes = NULL;
    size_t size = 1;
    assert_int_equal(flow_compile(*state, "a.yaml", broken, strlen(broken), &bytes, &size),
                     FLOW_OK);
    assert_null(bytes);
    assert_int_equal(size, 0);
    assert_true(flow_finding_count(*state) > 0);
}

static void findings_render_in_every_format(void **state) {
    flow_check_text(*state, "a.yaml", broken, strlen(broken));
    static const struct {
        FlowFormat format;
        const char *piece;
    } rows[] = {
        {FLOW_TEXT,    "error[E0301]"      },
        {FLOW_ONELINE, "a.yaml:6:24: "     },
        {FLOW_JSON,    "\"code\":\"E0301\""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        char *text = flow_render(*state, rows[i].format);
        assert_non_null(strstr(text, rows[i].piece));
        flow_text_free(text);
    }
}

static void a_wrong_target_is_refused_with_the_reason(void **state) {
    (void)state;
    char error[200] = "";
    const FlowSettings settings = {.target = "9.9"};
    assert_null(flow_session_new(&settings, error, sizeof error));
    assert_non_null(strstr(error, "9.9"));
}

static void a_path_that_is_missing_is_a_finding(void **state) {
    static const char *const paths[] = {"/no/such/flow.yaml"};
    assert_int_equal(flow_check_paths(*state, paths, 1), FLOW_OK);
    assert_string_equal(flow_finding_code(flow_finding_at(*state, 0)), "E0001");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_finding_says_where_and_what, setup, teardown),
        cmocka_unit_test_setup_teardown(a_flow_compiles_to_the_same_bytes_in_any_session, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_flow_with_errors_gives_no_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(findings_render_in_every_format, setup, teardown),
        cmocka_unit_test(a_wrong_target_is_refused_with_the_reason),
        cmocka_unit_test_setup_teardown(a_path_that_is_missing_is_a_finding, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
