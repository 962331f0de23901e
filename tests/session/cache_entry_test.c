// cache_entry_test.c - findings as bytes: they come back as they were, and nonsense is refused.
#include "support/test.h"

#include <string.h>

#include "session/cache_entry.h"

typedef struct Fixture {
    Session session;
    Buffer out;
} Fixture;

static int setup(void **state) {
    static Fixture fixture;
    fixture = (Fixture){0};
    Session *session = &fixture.session;
    session->sources.arena = &session->arena;
    session->diags.arena = &session->arena;
    sources_add(&session->sources, STR("a.yaml"), STR("id: a\nurl: hots\n"));
    sources_add(&session->sources, STR("b.yaml"), STR("id: b\n"));
    *state = &fixture;
    return 0;
}

static int teardown(void **state) {
    Fixture *fixture = *state;
    buffer_release(&fixture->out);
    arena_release(&fixture->session.arena);
    return 0;
}

// A finding with everything a finding can have.
static void add_finding(Session *session) {
    Diag *diag =
        diag_add(&session->diags, "E0301", DIAG_ERROR, (Span){0, 11, 4}, "unknown '%s'", "hots");
    diag->targets = 2;
    diag_label(diag, (Span){1, 4, 1}, "there");
    diag_note(diag, "a note");
    diag_suggest(diag, STR("host"));
}

static void write_entry(Fixture *fixture) {
    Session *session = &fixture->session;
    const CacheMiss miss = {
        .file = 0, .counts = {.files = 1, .ignored = 2}
    };
    *LIST_ADD(&session->arena, &session->misses, CacheMiss) = miss;
    *LIST_ADD(&session->arena, &session->late.ignored, uint32_t) = 0;
    const EntryFindings *findings = cache_entry_findings(session, &session->arena);
    assert_int_equal(findings->list.count, session->diags.list.count);
    assert_true(cache_entry_write(session, &miss, findings, &fixture->out));
    session->diags.list.count = 0;
}

static void a_finding_comes_back_as_it_was(void **state) {
    Fixture *fixture = *state;
    Session *session = &fixture->session;
    add_finding(session);
    Buffer before = {0}, after = {0};
    diags_render_json(&session->diags, &session->sources, &session->summary, &before);
    write_entry(fixture);
    assert_true(cache_entry_read(session, 0, buffer_str(&fixture->out)));
    assert_int_equal(session->summary.files, 1);
    assert_int_equal(session->summary.ignored, 3);
    session->summary = (DiagSummary){0};
    diags_render_json(&session->diags, &session->sources, &session->summary, &after);
    const bool is_same = str_eq(buffer_str(&before), buffer_str(&after));
    buffer_release(&before);
    buffer_release(&after);
    assert_true(is_same);
}

static void a_source_that_is_another_now_makes_it_useless(void **state) {
    Fixture *fixture = *state;
    Session *session = &fixture->session;
    add_finding(session);
    write_entry(fixture);
    session->sources.list.items[1].bytes = STR("id: B\n");
    assert_false(cache_entry_read(session, 0, buffer_str(&fixture->out)));
    assert_int_equal(session->diags.list.count, 0);
    assert_int_equal(session->summary.files, 0);
}

static void nonsense_is_refused_or_harmless(void **state) {
    Fixture *fixture = *state;
    Session *session = &fixture->session;
    add_finding(session);
    write_entry(fixture);
    const Str whole = buffer_str(&fixture->out);
    for (size_t len = 0; len < whole.len; len++) {
        assert_false(cache_entry_read(session, 0, str_slice(whole, 0, len)));
        assert_int_equal(session->diags.list.count, 0);
    }
    for (size_t bit = 0; bit < whole.len * 8; bit++) {
        char *bytes = fixture->out.ptr;
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << (bit % 8)));
        if (cache_entry_read(session, 0, whole)) {
            // A text or a count was changed: what there is can be shown.
            Buffer text = {0};
            diags_render_text(&session->diags, &session->sources, (DiagStyle){0}, &text);
            buffer_release(&text);
        }
        session->diags.list.count = 0;
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << (bit % 8)));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_finding_comes_back_as_it_was, setup, teardown),
        cmocka_unit_test_setup_teardown(a_source_that_is_another_now_makes_it_useless, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(nonsense_is_refused_or_harmless, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
