// scalar_test.c - every decoded byte of a scalar knows the bytes it came from.
//
// The property is tested over many generated scalars in all five styles, with LF and CRLF, with
// and without a byte-order mark: an exact run equals its raw bytes, an inexact one is an escape or
// a fold, and together they are the text.
#include "support/test.h"

#include <string.h>

#include "base/buffer.h"
#include "syntax/syntax.h"

typedef struct Fixture {
    Arena arena;
    Sources sources;
    Diags diags;
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
    return 0;
}

static Tree *read_text(Fixture *fixture, Str text) {
    const uint32_t file = sources_add(&fixture->sources, STR("a.yaml"), text);
    return syntax_read(&fixture->sources, file, &fixture->arena, &fixture->diags);
}

static const Node *value_of(const Tree *tree) {
    return node_get(tree->documents.items[0].root, STR("k"));
}

// --- by hand ------------------------------------------------------------------------------------

static void spans_are_exact_in_every_style(void **state) {
    static const struct {
        const char *yaml, *piece, *raw;
    } rows[] = {
        {"k: hello world\n",                        "world",    "world"  },
        {"k: 'it''s here'\n",                       "here",     "here"   },
        {"k: 'it''s here'\n",                       "t's",      "t''s"   },
        {"k: \"a\\tb \\u00e4 c\"\n",                "c",        "c"      },
        {"k: \"a\\tb \\u00e4 c\"\n",                "\xC3\xA4", "\\u00e4"},
        {"k: \"a\\\n   b\"\n",                      "b",        "b"      },
        {"k: one\n  two\n",                         "two",      "two"    },
        {"k: one\n  two\n",                         "e t",      "e\n  t" },
        {"k: |\n  a\n    {{ x }}\n",                "{{ x }}",  "{{ x }}"},
        {"k: |\r\n  a\r\n  {{ x }}\r\n",            "{{ x }}",  "{{ x }}"},
        {"k: |2\n    a\n  b\n",                     "  a",      "  a"    },
        {"k: >-\n  a\n  {{ x }}\n\n  z\n",          "{{ x }}",  "{{ x }}"},
        {"k: >-\n  a\n  b\n",                       "a b",      "a\n  b" },
        {"\xEF\xBB\xBFk: \xC3\xA4 x\n",             "x",        "x"      },
        {"k: \xF0\x9F\x98\x80 \xF0\x9F\x98\x80z\n", "z",        "z"      },
        {"k: |+\n  a\n\n\n",                        "\n\n\n",   "\n\n\n" },
        {"k: !!str &a 'q w'\n",                     "w",        "w"      },
        {"k: !x\n  # note\n  'q w'\n",              "w",        "w"      },
    };
    Fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        const Tree *tree = read_text(fixture, str_from(rows[i].yaml));
        const Node *node = value_of(tree);
        assert_non_null(node);
        const size_t at = str_find(node->text, str_from(rows[i].piece), 0);
        assert_int_not_equal(at, STR_NOT_FOUND);
        const Span span = scalar_span(node, (uint32_t)at, (uint32_t)strlen(rows[i].piece));
        assert_str_equal(source_text(&fixture->sources, span), str_from(rows[i].raw));
    }
}

static void an_empty_piece_has_a_place(void **state) {
    static const struct {
        const char *yaml;
        uint32_t at, start;
    } rows[] = {
        {"k: abc\n", 3, 6},
        {"k: abc\n", 0, 3},
        {"k: ''\n",  0, 4},
        {"k:\n",     0, 2},
        {"k: |\n",   0, 4},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        const Span span =
            scalar_span(value_of(read_text(*state, str_from(rows[i].yaml))), rows[i].at, 0);
        assert_int_equal(span.start, rows[i].start);
        assert_int_equal(span.len, 0);
    }
}

static void a_scalar_ends_with_its_last_byte_that_counts(void **state) {
    static const struct {
        const char *yaml, *raw;
    } rows[] = {
        {"k: abc  # note\n",                   "abc"                  },
        {"k: \"a b\"  # note\n",               "\"a b\""              },
        {"k: |  # note\n  a\n  b\n\n\nz: 1\n", "|  # note\n  a\n  b\n"},
        {"k: |-\n  a\n\n\n",                   "|-\n  a"              },
        {"k: >\n  a\n  b\nz: 1\n",             ">\n  a\n  b\n"        },
    };
    Fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        const Node *node = value_of(read_text(fixture, str_from(rows[i].yaml)));
        assert_str_equal(source_text(&fixture->sources, node->span), str_from(rows[i].raw));
    }
}

static void scalars_follow_yaml_1_1(void **state) {
    static const struct {
        const char *yaml;
        YamlScalar resolved;
    } rows[] = {
        {"k: yes\n",        YAML_SCALAR_BOOL },
        {"k: 'yes'\n",      YAML_SCALAR_TEXT },
        {"k: 012\n",        YAML_SCALAR_INT  },
        {"k: 1.10\n",       YAML_SCALAR_FLOAT},
        {"k: ~\n",          YAML_SCALAR_NULL },
        {"k:\n",            YAML_SCALAR_NULL },
        {"k: 12:30\n",      YAML_SCALAR_TEXT },
        {"k: !!str 012\n",  YAML_SCALAR_TEXT },
        {"k: ! 012\n",      YAML_SCALAR_TEXT },
        {"k: !!int '12'\n", YAML_SCALAR_INT  },
        {"k: !!float 12\n", YAML_SCALAR_FLOAT},
        {"k: !other 12\n",  YAML_SCALAR_INT  },
        {"k: |\n  12\n",    YAML_SCALAR_TEXT },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        assert_int_equal(value_of(read_text(*state, str_from(rows[i].yaml)))->resolved,
                         rows[i].resolved);
    }
}

// --- generated ----------------------------------------------------------------------------------

static uint32_t next(uint32_t *seed) {
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 8;
}

static void add_words(Buffer *out, uint32_t *seed, const char *const *words, uint32_t count) {
    const uint32_t length = 1 + next(seed) % 6;
    for (uint32_t i = 0; i < length; i++) buffer_add(out, str_from(words[next(seed) % count]));
}

static void add_plain(Buffer *out, uint32_t *seed, const char *eol) {
    static const char *const words[] = {"a", "bc ",  "d  ",      "\xC3\xA4 ", "\xF0\x9F\x98\x80",
                                        "'", "x\"y", "{{ z }} ", "\\n",       "w:w"};
    buffer_add_char(out, 'p');
    const uint32_t lines = 1 + next(seed) % 3;
    for (uint32_t i = 0; i < lines; i++) {
        if (i > 0) {
            for (uint32_t k = 1 + next(seed) % 2; k > 0; k--) buffer_add(out, str_from(eol));
            buffer_add_repeat(out, ' ', 1 + next(seed) % 3);
            buffer_add_char(out, 'q');
        }
        add_words(out, seed, words, COUNT(words));
    }
}

static void add_quoted(Buffer *out, uint32_t *seed, const char *eol, char quote) {
    static const char *const words[] = {
        "a", "b ", "\xC3\xA4", "\xF0\x9F\x98\x80 ", "{{ z }} ", ": ", " # ", "\t", "[", "- "};
    static const char *const escapes[] = {"\\n",   "\\\"",    "\\\\",    "\\t",
                                          "\\x41", "\\u00e4", "\\u20AC", "\\U0001F600",
                                          "\\N",   "\\L",     "\\ ",     "\\e"};
    buffer_add_char(out, quote);
    const uint32_t parts = next(seed) % 8;
    for (uint32_t i = 0; i < parts; i++) {
        const uint32_t kind = next(seed) % 8;
        if (kind == 0) {
            for (uint32_t k = 1 + next(seed) % 3; k > 0; k--) buffer_add(out, str_from(eol));
            buffer_add_repeat(out, ' ', 1 + next(seed) % 3);
        } else if (kind == 1 && quote == '"') {
            buffer_add_char(out, '\\');
            buffer_add(out, str_from(eol));
            buffer_add_repeat(out, ' ', 1 + next(seed) % 3);
        } else if (kind <= 3) {
            buffer_add(out,
                       quote == '"' ? str_from(escapes[next(seed) % COUNT(escapes)]) : STR("''"));
        } else {
            add_words(out, seed, words, COUNT(words));
        }
    }
    buffer_add_char(out, quote);
}

static void add_block(Buffer *out, uint32_t *seed, const char *eol, char style) {
    static const char *const words[] = {
        "a", "b ", "\xC3\xA4", "\xF0\x9F\x98\x80 ", "{{ z }} ", ": ", "# ", "\t", "'", "\"", "\\n"};
    static const char *const chomping[] = {"", "-", "+"};
    const bool has_indent = next(seed) % 4 == 0;
    const uint32_t indent = 1 + next(seed) % 4;
    buffer_add_char(out, style);
    if (has_indent) buffer_add_char(out, (char)('0' + indent));
    buffer_add(out, str_from(chomping[next(seed) % 3]));
    if (next(seed) % 4 == 0) buffer_add(out, STR(" # note"));
    buffer_add(out, str_from(eol));
    const uint32_t lines = next(seed) % 6;
    for (uint32_t i = 0; i < lines; i++) {
        if (next(seed) % 4 == 0) {
            buffer_add(out, str_from(eol));
            continue;
        }
        buffer_add_repeat(out, ' ', indent);
        if ((i > 0 || has_indent) && next(seed) % 3 == 0) buffer_add(out, STR("  "));
        add_words(out, seed, words, COUNT(words));
        if (i + 1 < lines || next(seed) % 4 != 0) buffer_add(out, str_from(eol));
    }
}

static bool is_fold_or_escape(Str raw) {
    if (raw.ptr[0] == '\\' || str_eq(raw, STR("''"))) return true;
    for (size_t i = 0; i < raw.len; i++) {
        if (strchr(" \t\r\n", raw.ptr[i]) == NULL) return false;
    }
    return raw.len > 0;
}

static void check_runs(const Fixture *fixture, const Node *node) {
    const Source *source = sources_get(&fixture->sources, node->span.file);
    uint32_t at = 0;
    for (uint32_t i = 0; i < node->runs.count; i++) {
        const ScalarRun *run = &node->runs.items[i];
        const uint32_t next_at =
            i + 1 < node->runs.count ? node->runs.items[i + 1].at : (uint32_t)node->text.len;
        assert_int_equal(run->at, at);
        assert_true(next_at > at);
        const Str raw = str_slice(source->bytes, run->raw, run->raw + run->raw_len);
        if (run->is_exact) {
            assert_int_equal(run->raw_len, next_at - at);
            assert_str_equal(str_slice(node->text, at, next_at), raw);
        } else {
            assert_true(next_at - at <= 4);
            assert_true(is_fold_or_escape(raw));
        }
        assert_true(run->raw >= node->span.start);
        assert_true(run->raw + run->raw_len <= node->span.start + node->span.len);
        at = next_at;
    }
    assert_int_equal(at, node->text.len);
}

static void generate(Buffer *out, uint32_t *seed) {
    const char *eol = next(seed) % 3 == 0 ? "\r\n" : "\n";
    buffer_clear(out);
    if (next(seed) % 5 == 0) buffer_add(out, STR("\xEF\xBB\xBF"));
    if (next(seed) % 2 == 0) buffer_printf(out, "first: \xC3\xA4%s", eol);
    buffer_add(out, STR("k: "));
    switch (next(seed) % 5) {
    case 0:
        add_plain(out, seed, eol);
        break;
    case 1:
        add_quoted(out, seed, eol, '\'');
        break;
    case 2:
        add_quoted(out, seed, eol, '"');
        break;
    case 3:
        add_block(out, seed, eol, '|');
        break;
    default:
        add_block(out, seed, eol, '>');
        break;
    }
    if (next(seed) % 2 == 0) buffer_printf(out, "%slast: 1%s", eol, eol);
}

static void every_mapped_byte_equals_its_source(void **state) {
    Fixture *fixture = *state;
    uint32_t seed = 1;
    Buffer yaml = {0};
    uint32_t read = 0;
    for (uint32_t i = 0; i < 20000; i++) {
        generate(&yaml, &seed);
        fixture->diags.list.count = 0;
        const Tree *tree = read_text(fixture, buffer_to_str(&yaml, &fixture->arena));
        if (diags_count(&fixture->diags, DIAG_ERROR) > 0) continue;
        const Node *node = value_of(tree);
        if (node == NULL || node->type != YAML_SCALAR) continue;
        read++;
        check_runs(fixture, node);
    }
    buffer_release(&yaml);
    print_message("%u scalars\n", read);
    assert_true(read > 15000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(spans_are_exact_in_every_style, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_piece_has_a_place, setup, teardown),
        cmocka_unit_test_setup_teardown(a_scalar_ends_with_its_last_byte_that_counts, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(scalars_follow_yaml_1_1, setup, teardown),
        cmocka_unit_test_setup_teardown(every_mapped_byte_equals_its_source, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
