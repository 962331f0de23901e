// recover_test.c - a syntax error is explained at its place, and the rest of the file is read.
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
    fixture->diags.list.count = 0;
    const uint32_t file = sources_add(&fixture->sources, STR("a.yaml"), text);
    Tree *tree = syntax_read(&fixture->sources, file, &fixture->arena, &fixture->diags);
    diags_sort(&fixture->diags);
    return tree;
}

// "E0013 2:1, E0014 3:4"
static Str findings(Fixture *fixture) {
    Buffer out = {0};
    for (uint32_t i = 0; i < fixture->diags.list.count; i++) {
        const Diag *diag = fixture->diags.list.items[i];
        const Position at = source_position(sources_get(&fixture->sources, diag->span.file),
                                            diag->span.start, POSITION_POINTS);
        buffer_printf(&out, "%s%s %u:%u", i == 0 ? "" : ", ", diag->code, at.line, at.column);
    }
    const Str text = buffer_to_str(&out, &fixture->arena);
    buffer_release(&out);
    return text;
}

// A tree in one line: {id: a, tasks: [{id: b}, <c>]}; holes in angle brackets with their ids.
static void outline(Buffer *out, const Node *node) {
    switch (node->type) {
    case YAML_SCALAR:
        buffer_add(out, node_is_null(node) ? STR("~") : node->text);
        break;
    case YAML_HOLE:
        buffer_add_char(out, '<');
        for (uint32_t i = 0; i < node->hole_ids.count; i++) {
            if (i > 0) buffer_add_char(out, ' ');
            buffer_add(out, node->hole_ids.items[i]);
        }
        buffer_add_char(out, '>');
        break;
    case YAML_LIST:
        buffer_add_char(out, '[');
        for (uint32_t i = 0; i < node->items.count; i++) {
            if (i > 0) buffer_add(out, STR(", "));
            outline(out, node->items.items[i]);
        }
        buffer_add_char(out, ']');
        break;
    case YAML_MAP:
        buffer_add_char(out, '{');
        for (uint32_t i = 0; i < node->entries.count; i++) {
            if (i > 0) buffer_add(out, STR(", "));
            buffer_add(out, node->entries.items[i].key->text);
            buffer_add(out, STR(": "));
            outline(out, node->entries.items[i].value);
        }
        buffer_add_char(out, '}');
        break;
    }
}

static Str outline_of(Fixture *fixture, const Tree *tree) {
    Buffer out = {0};
    outline(&out, tree->documents.items[0].root);
    const Str text = buffer_to_str(&out, &fixture->arena);
    buffer_release(&out);
    return text;
}

static void each_mistake_has_its_code_its_place_and_a_tree(void **state) {
    static const struct {
        const char *yaml, *findings, *tree;
    } rows[] = {
  // Tabs.
        {"id: a\ntasks:\n\t- id: b\n\t  type: c\n",                           "E0011 3:1",
         "{id: a, tasks: [{id: b, type: c}]}"                                                                                                   },
        {"tasks:\n  - id: b\n\ttype: c\nz: 1\n",                              "E0011 3:1",  NULL                                                },
 // Quotes.
        {"id: \"a\nns: b\nz: 1\n",                                            "E0015 1:5",  "{id: a, ns: b, z: 1}"                              },
        {"id: \"a\nns: \"b\"\nz: 1\n",                                        "E0015 1:5",  "{id: a, ns: b, z: 1}"                              },
        {"id: 'a\nns: 'b'\nz: 1\n",                                           "E0015 1:5",  "{id: a, ns: b, z: 1}"                              },
        {"tasks:\n  - id: b\n    m: \"{{ x }}\n    type: c\n  - id: d\n",     "E0015 3:8",
         "{tasks: [{id: b, m: {{ x }}, type: c}, {id: d}]}"                                                                                     },
 // Brackets.
        {"a: [1, 2\nb: 3\n",                                                  "E0016 1:4",  "{a: <>, b: 3}"                                     },
        {"a: {x: 1\nb: 3\n",                                                  "E0016 1:4",  "{a: <>, b: 3}"                                     },
        {"t:\n  - id: b\n    c: [1,\n      2\n    d: 4\ne: 5\n",              "E0016 3:8",
         "{t: [{id: b, c: <>, d: 4}], e: 5}"                                                                                                    },
 // Colons.
        {"id: a\nnamespace foo.bar\nz: 1\n",                                  "E0013 2:1",  "{id: a, namespace: foo.bar, z: 1}"                 },
        {"id: a\nnamespace:foo.bar\nz: 1\n",                                  "E0014 2:10", "{id: a, namespace: foo.bar, z: 1}"                 },
        {"t:\n  - id a\n    type: b\n  - id: c\n",                            "E0013 2:5",  "{t: [{id: a, type: b}, {id: c}]}"                  },
        {"t:\n  - id:a\n    type: b\n",                                       "E0014 2:7",  "{t: [{id: a, type: b}]}"                           },
        {"t:\n  - id: a\n    type io.x\n    m: \"q\"\n",                      "E0013 3:5",
         "{t: [{id: a, type: io.x, m: q}]}"                                                                                                     },
        {"t:\n  - id: a\n    ms:\"qw\"\n    n: 1\n",                          "E0014 3:7",  "{t: [{id: a, ms: qw, n: 1}]}"                      },
        {"id: a\nlast word\n",                                                "E0013 2:1",  "{id: a, last: word}"                               },
 // Expressions.
        {"a: {{ x }}\nb: 1\n",                                                "E0017 1:4",  "{a: {{ x }}, b: 1}"                                },
        {"a: {{ x }} y\nb: 1\n",                                              "E0017 1:4",  "{a: {{ x }} y, b: 1}"                              },
        {"a: {{ x['y'] }}\nb: 1\n",                                           "E0017 1:4",  "{a: {{ x['y'] }}, b: 1}"                           },
        {"a:\n  - {{ x }}/y\n  - z\n",                                        "E0017 2:5",  "{a: [{{ x }}/y, z]}"                               },
        {"a: {{ x\nb: 1\n",                                                   "E0017 1:4",  "{a: {{ x, b: 1}"                                   },
 // Quotes needed.
        {"a: b: c\nd: 1\n",                                                   "E0018 1:4",  "{a: b: c, d: 1}"                                   },
        {"a: @x\nd: 1\n",                                                     "E0018 1:4",  "{a: @x, d: 1}"                                     },
        {"a: %x\nd: 1\n",                                                     "E0018 1:4",  "{a: %x, d: 1}"                                     },
        {"a: *.txt\nd: 1\n",                                                  "E0018 1:4",  "{a: *.txt, d: 1}"                                  },
        {"a: \"b\" c\nd: 1\n",                                                "E0018 1:7",  "{a: \"b\" c, d: 1}"                                },
        {"a: [b] c\nd: 1\n",                                                  "E0018 1:7",  "{a: [b] c, d: 1}"                                  },
        {"t:\n  - echo: a: b\n  - x\n",                                       "E0018 2:11", "{t: [{echo: a: b}, x]}"                            },
 // Indentation.
        {"t:\n  - id: a\n     type: b\n    m: c\n",                           "E0012 3:6",  "{t: [{id: a, type: b, m: c}]}"                     },
        {"t:\n  - id: a\n   type: b\n    m: c\n",                             "E0012 3:4",  "{t: [{id: a, type: b, m: c}]}"                     },
        {"t:\n  - id: a\n     type: b\n     m: c\n  - id: d\n",               "E0012 3:6",
         "{t: [{id: a, type: b, m: c}, {id: d}]}"                                                                                               },
        {"t:\n  - id: a\n    type: b\n   - id: c\n     type: d\nz: 1\n",      "E0012 4:4",
         "{t: [{id: a, type: b}, {id: c, type: d}], z: 1}"                                                                                      },
        {"t:\n  - id: a\n    type: b\n - id: c\n   type: d\nz: 1\n",          "E0012 4:2",
         "{t: [{id: a, type: b}, {id: c, type: d}], z: 1}"                                                                                      },
        {"id: a\n ns: b\nz: 1\n",                                             "E0012 2:2",  "{id: a, ns: b, z: 1}"                              },
 // Dashes.
        {"t:\n  - id: a\n    type: b\n  id: c\n  type: d\n  - id: e\nz: 1\n", "E0020 4:3",
         "{t: [{id: a, type: b}, <c>, {id: e}], z: 1}"                                                                                          },
        {"t:\n  - id: a\n    type: b\n    id: c\n    type: d\nz: 1\n",        "E0020 4:5",
         "{t: [{id: a, type: b}, {id: c, type: d}], z: 1}"                                                                                      },
        {"tasks:\n  id: a\n  type: b\n",                                      "E0020 2:3",  "{tasks: [{id: a, type: b}]}"                       },
 // The rest.
        {"a: \"x\\qy\"\nb: 1\n",                                              "E0010 1:6",  "{a: x\\qy, b: 1}"                                  },
        {"a: 1\n]\nb: 2\n",                                                   "E0010 2:1",  "{a: 1, b: 2}"                                      },
 // Several at once.
        {"id:a\nnamespace b\nm: {{ x }} z\nd: \"e\nf: g: h\n",
         "E0014 1:3, E0013 2:1, E0017 3:4, E0015 4:4, E0018 5:4",                           "{id: a, namespace: b, m: {{ x }} z, d: e, f: g: h}"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        const Tree *tree = read_text(*state, str_from(rows[i].yaml));
        assert_str_equal(findings(*state), str_from(rows[i].findings));
        if (rows[i].tree != NULL) {
            assert_str_equal(outline_of(*state, tree), str_from(rows[i].tree));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_mistake_has_its_code_its_place_and_a_tree, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
