// tree_test.c - maps, lists, comments, limits and what the language does not know.
#include "support/test.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "syntax/syntax.h"

typedef struct Fixture {
    Arena arena;
    Sources sources;
    Diags diags;
    Buffer text;
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
    arena_release(&((Fixture *)*state)->arena);
    buffer_release(&((Fixture *)*state)->text);
    return 0;
}

static Tree *read_text(Fixture *fixture, Str text) {
    fixture->diags.list.count = 0;
    const uint32_t file = sources_add(&fixture->sources, STR("a.yaml"), text);
    Tree *tree = syntax_read(&fixture->sources, file, &fixture->arena, &fixture->diags);
    diags_sort(&fixture->diags);
    return tree;
}

static Node *root_of(const Tree *tree) {
    return tree->documents.items[0].root;
}

static void nodes_know_their_bytes(void **state) {
    Fixture *fixture = *state;
    const Str yaml =
        STR("a: 1\nb:  # note\n  - x: {y: [1, 2]}\n    z: w\n  - last\n\n# end\nc: 3\n");
    const Node *root = root_of(read_text(fixture, yaml));
    assert_str_equal(source_text(&fixture->sources, root->span), str_slice(yaml, 0, yaml.len - 1));
    const Node *list = node_get(root, STR("b"));
    assert_str_equal(source_text(&fixture->sources, list->span),
                     STR("- x: {y: [1, 2]}\n    z: w\n  - last"));
    const Node *map = list->items.items[0];
    assert_str_equal(source_text(&fixture->sources, map->span), STR("x: {y: [1, 2]}\n    z: w"));
    assert_str_equal(source_text(&fixture->sources, node_get(map, STR("x"))->span),
                     STR("{y: [1, 2]}"));
    assert_true(node_get(map, STR("x"))->is_flow);
    assert_ptr_equal(map->parent, list);
}

static void comments_are_kept(void **state) {
    Fixture *fixture = *state;
    const Tree *tree = read_text(
        fixture,
        STR("# one\na: b # two\nc: 'x # no' # three\nd: |  # four\n  # no\n  y\ne: [1, # five\n "
            " 2]\nf: g#no\n# six"));
    static const char *const texts[] = {"# one", "# two", "# three", "# four", "# five", "# six"};
    assert_int_equal(tree->comments.count, COUNT(texts));
    for (size_t i = 0; i < COUNT(texts); i++) {
        test_row(i);
        assert_str_equal(source_text(&fixture->sources, tree->comments.items[i].span),
                         str_from(texts[i]));
        assert_int_equal(tree->comments.items[i].is_own_line, i == 0 || i == 5);
    }
}

static void findings_stand_where_the_mistake_is(void **state) {
    static const struct {
        const char *yaml, *code;
        uint32_t start, len;
    } rows[] = {
        {"a: 1\nb: 2\na: 3\n",  "E0019", 10, 1},
        {"a: &x 1\nb: *x\n",    "E0021", 11, 2},
        {"a: &x 1\n",           "W0024", 3,  2},
        {"a:\n  <<: *x\n",      "E0021", 5,  2},
        {"a: 1\n---\nb: 2\n",   "W0022", 5,  3},
        {"a: \xE4\n",           "E0003", 3,  1},
        {"a: x\x01y\n",         "E0010", 4,  1},
        {"a: x\xE2\x80\xAEy\n", "W0005", 4,  3},
        {"? [a]\n: b\n",        "E0010", 2,  1},
        {": b\n",               "E0010", 0,  3},
    };
    Fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        read_text(fixture, str_from(rows[i].yaml));
        assert_int_equal(fixture->diags.list.count, 1);
        const Diag *diag = fixture->diags.list.items[0];
        assert_string_equal(diag->code, rows[i].code);
        assert_int_equal(diag->span.start, rows[i].start);
        assert_int_equal(diag->span.len, rows[i].len);
    }
}

static void a_nul_byte_is_an_error(void **state) {
    Fixture *fixture = *state;
    const Tree *tree = read_text(fixture, STR("a: x\0y\nb: 1\n"));
    assert_string_equal(fixture->diags.list.items[0]->code, "W0005");
    assert_int_equal(fixture->diags.list.items[0]->level, DIAG_ERROR);
    assert_non_null(node_get(root_of(tree), STR("b")));
}

static void of_two_lists_under_one_key_both_are_kept(void **state) {
    const Node *root = root_of(read_text(*state, STR("t: [1]\nt: [2, 3]\n")));
    assert_int_equal(node_get(root, STR("t"))->items.count, 3);
}

static void an_empty_file_is_an_empty_value(void **state) {
    static const char *const rows[] = {"", "\n\n", "# only\n", "\xEF\xBB\xBF"};
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        const Tree *tree = read_text(*state, str_from(rows[i]));
        assert_int_equal(tree->documents.count, 1);
        assert_true(node_is_null(root_of(tree)));
        assert_int_equal(((Fixture *)*state)->diags.list.count, 0);
    }
}

static void documents_are_read_one_by_one(void **state) {
    const Tree *tree = read_text(*state, STR("---\na: 1\n---\nb: 2\n...\n---\nc: 3\n---\n"));
    assert_int_equal(tree->documents.count, 3);
    assert_int_equal(((Fixture *)*state)->diags.list.count, 1);
}

static void crlf_and_byte_order_mark_keep_spans_exact(void **state) {
    Fixture *fixture = *state;
    const Tree *tree =
        read_text(fixture, STR("\xEF\xBB\xBF"
                               "\xC3\xA4: 1\r\nb:\r\n  - \xF0\x9F\x98\x80\r\n  - c\r\n"));
    const Node *list = node_get(root_of(tree), STR("b"));
    assert_str_equal(source_text(&fixture->sources, list->items.items[0]->span),
                     STR("\xF0\x9F\x98\x80"));
    assert_str_equal(source_text(&fixture->sources, list->items.items[1]->span), STR("c"));
    assert_int_equal(fixture->diags.list.count, 0);
}

// Reading `repeat` times `piece` must end soon with E0002: all but linear work would not.
static void each_limit_is_reported_at_once(void **state) {
    static const struct {
        const char *head, *piece;
        uint32_t count;
        const char *code;
    } rows[] = {
        {"",     "[",              SOURCE_SIZE_MAX,       "E0002"},
        {"",     "[",              5 << 20,               "E0002"},
        {"",     "{",              SOURCE_SIZE_MAX,       "E0002"},
        {"",     "{a: ",           SOURCE_SIZE_MAX / 4,   "E0002"},
        {"",     "- ",             SOURCE_SIZE_MAX / 2,   "E0002"},
        {"",     "? ",             SOURCE_SIZE_MAX / 2,   "E0002"},
        {"",     "[\n",            SOURCE_SIZE_MAX / 2,   "E0002"},
        {"a: [", "1,",             SYNTAX_NODES_MAX + 1,  "E0002"},
        {"a: ",  "x",              SYNTAX_SCALAR_MAX + 1, "E0002"},
        {"",     "]\n",            SOURCE_SIZE_MAX / 2,   NULL   },
        {"",     "a: \"\n",        SOURCE_SIZE_MAX / 5,   NULL   },
        {"",     "a: [\n",         SOURCE_SIZE_MAX / 5,   NULL   },
        {"",     "\t- a\n",        SOURCE_SIZE_MAX / 5,   NULL   },
        {"",     "a b\n",          SOURCE_SIZE_MAX / 4,   NULL   },
        {"",     "a: {{ x }} y\n", SOURCE_SIZE_MAX / 13,  NULL   },
        {"",     "a: &b c\n",      SYNTAX_NODES_MAX / 4,  NULL   },
        {"",     "\xE2\x80\xAE\n", SOURCE_SIZE_MAX / 4,   NULL   },
    };
    Fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        buffer_clear(&fixture->text);
        buffer_add(&fixture->text, str_from(rows[i].head));
        for (uint32_t k = 0; k < rows[i].count; k++) {
            buffer_add(&fixture->text, str_from(rows[i].piece));
        }
        const clock_t start = clock();
        read_text(fixture, buffer_str(&fixture->text));
        const double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
        print_message("%.2f s, %u findings\n", seconds, fixture->diags.list.count);
        bool is_found = rows[i].code == NULL;
        for (uint32_t k = 0; k < fixture->diags.list.count && !is_found; k++) {
            is_found = strcmp(fixture->diags.list.items[k]->code, rows[i].code) == 0;
        }
        assert_true(is_found);
        assert_true(seconds < 20);
        fixture->sources.list.count = 0;
    }
}

static void a_map_may_have_ten_thousand_keys_and_no_more(void **state) {
    Fixture *fixture = *state;
    for (uint32_t i = 0; i <= SYNTAX_KEYS_MAX; i++) buffer_printf(&fixture->text, "k%u: 1\n", i);
    const Str text = buffer_str(&fixture->text);
    read_text(fixture, text);
    assert_int_equal(fixture->diags.list.count, 1);
    assert_string_equal(fixture->diags.list.items[0]->code, "E0002");
    const size_t last = str_find(text, STR("k10000:"), 0);
    assert_int_equal(fixture->diags.list.items[0]->span.start, last);
    read_text(fixture, str_slice(text, 0, last));
    assert_int_equal(fixture->diags.list.count, 0);
}

static void depth_is_limited_to_64(void **state) {
    Fixture *fixture = *state;
    for (uint32_t i = 0; i < SYNTAX_DEPTH_MAX + 1; i++) {
        buffer_add_repeat(&fixture->text, ' ', i);
        buffer_add(&fixture->text, STR("k:\n"));
    }
    read_text(fixture, buffer_str(&fixture->text));
    assert_int_equal(fixture->diags.list.count, 1);
    assert_string_equal(fixture->diags.list.items[0]->code, "E0002");
}

static void values_come_out_as_the_language_reads_them(void **state) {
    Fixture *fixture = *state;
    const Tree *tree = read_text(fixture, STR("a: 1\nb: [yes, ~, 'x']\non: 2\n"));
    Buffer out = {0};
    json_write(&out, node_to_value(root_of(tree), &fixture->arena), JSON_COMPACT, 0);
    assert_str_equal(buffer_str(&out), STR("{\"a\":1,\"b\":[true,null,\"x\"],\"on\":2}"));
    buffer_release(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nodes_know_their_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(comments_are_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(findings_stand_where_the_mistake_is, setup, teardown),
        cmocka_unit_test_setup_teardown(a_nul_byte_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(of_two_lists_under_one_key_both_are_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_file_is_an_empty_value, setup, teardown),
        cmocka_unit_test_setup_teardown(documents_are_read_one_by_one, setup, teardown),
        cmocka_unit_test_setup_teardown(crlf_and_byte_order_mark_keep_spans_exact, setup, teardown),
        cmocka_unit_test_setup_teardown(each_limit_is_reported_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_map_may_have_ten_thousand_keys_and_no_more, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(depth_is_limited_to_64, setup, teardown),
        cmocka_unit_test_setup_teardown(values_come_out_as_the_language_reads_them, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
