// template_test.c - templates: places, white space, what stands alone, what is said of mistakes.
#include <string.h>

#include "expr/expr.h"
#include "support/test.h"

typedef struct Fixture {
    Arena arena;
    ExprParser *parser;
    Diags diags;
} Fixture;

static int setup(void **state) {
    static Fixture fixture;
    fixture = (Fixture){0};
    fixture.parser = expr_parser_new(&fixture.arena);
    fixture.diags.arena = &fixture.arena;
    *state = &fixture;
    return 0;
}

static int teardown(void **state) {
    Fixture *fixture = *state;
    expr_parser_free(fixture->parser);
    arena_release(&fixture->arena);
    return 0;
}

static Template *parse(Fixture *fixture, const char *text) {
    fixture->diags.list.count = 0;
    return template_parse_text(fixture->parser, 0, str_from(text), &fixture->diags);
}

static void a_mistake_is_named_at_its_place(void **state) {
    static const struct {
        const char *template, *code, *at, *message;
    } rows[] = {
        {"{{ a",                             "E0313", "{{",                  "'{{' is not closed; expected '}}'"                           },
        {"{{ a }",                           "E0313", "{{",                  "'{{' is not closed; expected '}}'"                           },
        {"{% if a",                          "E0313", "{%",                  "'{%' is not closed; expected '%}'"                           },
        {"x {# y",                           "E0313", "{#",                  "the comment is not closed; expected '#}'"                    },
        {"{{ }}",                            "E0315", "{{ }}",               "expected an expression, found nothing"                       },
        {"{{ a | }}",                        "E0315", "|",                   "expected the name of a filter behind '|'"                    },
        {"{{ a ~ }}",                        "E0315", "~",                   "expected a value behind '~'"                                 },
        {"{{ f(1 }}",                        "E0315", "(",                   "'(' is not closed; expected ')'"                             },
        {"{{ [1, 2) }}",                     "E0315", ")",                   "expected ']', found ')'"                                     },
        {"{{ a) }}",                         "E0315", ")",                   "')' closes nothing"                                          },
        {"{{ 'open }}",                      "E0315", "'open",               "the text is not closed; expected \"'\""                      },
        {"{{ [1,] }}",                       "E0315", ",",                   "a comma before ']' is not allowed"                           },
        {"{{ !a }}",                         "E0315", "!",                   "'!' is no operator; use 'not'"                               },
        {"{{ a && b }}",                     "E0315", "&&",                  "'&&' is no operator; use 'and'"                              },
        {"{{ a || b }}",                     "E0315", "||",                  "'||' is no operator; use 'or'"                               },
        {"{{ a <> b }}",                     "E0315", "<>",                  "'<>' is no operator; use '!='"                               },
        {"{{ a = 1 }}",                      "E0315", "=",                   "'=' does not compare; use '=='"                              },
        {"{{ a in b }}",                     "E0315", "in",                  "'in' is no operator; use 'isIn'"                             },
        {"{{ a not in b }}",                 "E0315", "not",
         "'not' stands before a value; for 'a not in b' write 'not (a isIn b)'"                                                            },
        {"{{ l.0 }}",                        "E0315", "0",                   "an element of a list is written in brackets: '[0]', not '.0'"},
        {"{{ 1e3 }}",                        "E0315", "1e3",
         "'1e3' is no number: there is no exponent, no hexadecimal form, and the suffix of long "
         "integers is a capital L"                                                                                                         },
        {"{{ .5 }}",                         "E0315", ".5",                  "a number needs a digit before the decimal point"             },
        {"{{ $x }}",                         "E0315", "$",                   "unexpected '$'; a variable is written without it"            },
        {"{{ a b }}",                        "E0315", "b",                   "expected an operator behind 'a', found 'b'"                  },
        {"{{ f()() }}",                      "E0315", "(",                   "only a name can be called"                                   },
        {"{{ [1][0] }}",                     "E0315", "[",
         "a list or map cannot be indexed directly; put it in parentheses"                                                                 },
        {"{{ m.is }}",                       "E0315", "is",                  "'is' is an operator and cannot be a name"                    },
        {"{{ and }}",                        "E0315", "and",                 "'and' is an operator and cannot be a name"                   },
        {"{{ a ? b }}",                      "E0315", "?",                   "'?' needs ': value' behind the first value"                  },
        {"{{ f(a=1, 2) }}",                  "E0315", "2",
         "an argument without a name stands behind a named one; put it before 'a='"                                                        },
        {"{{ 9223372036854775808 }}",        "E0315", "9223372036854775808",
         "'9223372036854775808' is too large: integers have 64 bits, at most 9223372036854775807"                                          },
        {"{{ \xe2\x80\x9c"
         "a }}",                    "E0315", "\xe2\x80\x9c",
         "'\xe2\x80\x9c' is a typographic character; quotes are ' or \", minus is -"                                                       },
        {"{{ l | map(i => i) }}",            "E0315", "=>",
         "'=>' is not part of expressions; there are no arrow functions"                                                                   },
        {"{{ d | date('a''T''b') }}",        "E0315", "'",
         "two texts side by side; join them with '~'; a quote inside a text is written as \\' or "
         "\\\""                                                                                                                            },
        {"{% for k, v in m %}x{% endfor %}", "E0315", ",",
         "a loop has one variable; over a map, its entries have '.key' and '.value'"                                                       },
        {"{% set a %}",                      "E0315", "set a",
         "expected '= value' behind 'set a'; there is no block form"                                                                       },
        {"{% set a.b = 1 %}",                "E0315", ".",                   "only a variable can be set, not a part of one"               },
        {"{% set true = 1 %}",               "E0315", "true",                "'true' is a constant and cannot be a name"                   },
        {"{% elif a %}",                     "E0315", "elif",
         "unknown tag 'elif'; expected if, for, set, macro, block, filter, raw or verbatim"                                                },
        {"{% include 'x' %}",                "E0315", "include",             "there is no tag 'include' in flows"                          },
        {"{% %}",                            "E0315", "{% %}",
         "expected a tag: if, for, set, macro, block, filter, raw or verbatim"                                                             },
        {"{% if a %}x",                      "E0316", "{% if a %}",          "'{% if %}' is not closed; expected '{% endif %}'"            },
        {"{% endif %}",                      "E0316", "{% endif %}",
         "'{% endif %}' closes nothing; there is no open '{% if %}'"                                                                       },
        {"{% if a %}x{% endfor %}",          "E0316", "{% endfor %}",
         "'{% endfor %}' cannot close '{% if %}'; expected '{% endif %}'"                                                                  },
        {"{% else %}",                       "E0316", "{% else %}",          "'{% else %}' has no '{% if %}' it could belong to"           },
        {"{% raw %} x",                      "E0316", "{% raw %}",           "'{% raw %}' is not closed; expected '{% endraw %}'"          },
    };
    Fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const Template *template = parse(fixture, rows[i].template);
        if (fixture->diags.list.count != 1) test_row(i);
        assert_int_equal(fixture->diags.list.count, 1);
        const Diag *diag = fixture->diags.list.items[0];
        assert_str_equal(str_from(diag->code), str_from(rows[i].code));
        assert_str_equal(diag->message, str_from(rows[i].message));
        assert_str_equal(
            str_slice(template->text, diag->span.start, diag->span.start + diag->span.len),
            str_from(rows[i].at));
        assert_true(template->has_error);
    }
}

static void every_node_knows_its_bytes(void **state) {
    Fixture *fixture = *state;
    const Template *template = parse(fixture, "a {{ (b.c) | f(x=1) }}");
    const Expr *filter = template->parts.items[1]->expr;
    assert_int_equal(filter->span.start, 5);
    assert_int_equal(filter->span.len, 14);
    assert_int_equal(filter->name_span.start, 13);
    const Expr *member = filter->args.items[0].value;
    assert_true(member->is_parenthesised);
    assert_int_equal(member->span.len, 5);
    assert_int_equal(member->name_span.start, 8);
    assert_int_equal(filter->args.items[1].name_span.start, 15);
    assert_int_equal(filter->args.items[1].value->span.start, 17);
}

static void a_sole_expression_is_known(void **state) {
    static const struct {
        const char *template;
        bool has_sole;
    } rows[] = {
        {"{{ a }}",                      true },
        {"{# c #}{{ a }}",               true },
        {"{% set b = 1 %}{{ b }}",       true },
        {" {{ a }}",                     false},
        {"{{ a }}\n",                    false},
        {"{{ a }}{{ b }}",               false},
        {"{% if a %}{{ b }}{% endif %}", false},
        {"text",                         false},
        {"  {{- a -}}  ",                true },
        {"  {{- a -}}  x",               false},
    };
    Fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        bool has_sole = parse(fixture, rows[i].template)->sole != NULL;
        if (has_sole != rows[i].has_sole) test_row(i);
        assert_int_equal(has_sole, rows[i].has_sole);
    }
}

static void code_is_seen_before_it_is_parsed(void **state) {
    (void)state;
    assert_true(template_has_code(STR("{{")));
    assert_true(template_has_code(STR("a{b{%")));
    assert_true(template_has_code(STR("{#")));
    assert_false(template_has_code(STR("{ {")));
    assert_false(template_has_code(STR("{")));
    assert_false(template_has_code(STR("")));
}

static void limits_are_named(void **state) {
    static const struct {
        const char *before, *repeated, *after;
        size_t count;
    } rows[] = {
        {"{{ 1", " + 1",       " }}",  2500},
        {"{{ ",  "(",          "1 }}", 70  },
        {"{{ ",  "-",          "1 }}", 501 },
        {"{{ a", "+a",         " }}",  600 },
        {"",     "{% if a %}", "",     65  },
    };
    Fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        Buffer text = {0};
        buffer_add(&text, str_from(rows[i].before));
        for (size_t n = 0; n < rows[i].count; n++) buffer_add(&text, str_from(rows[i].repeated));
        buffer_add(&text, str_from(rows[i].after));
        parse(fixture, str_to_c(&fixture->arena, buffer_str(&text)));
        buffer_release(&text);
        if (fixture->diags.list.count != 1) test_row(i);
        assert_int_equal(fixture->diags.list.count, 1);
        assert_str_equal(str_from(fixture->diags.list.items[0]->code), STR("E0002"));
    }
}

static void suggestions_repair_the_text(void **state) {
    Fixture *fixture = *state;
    parse(fixture, "{{ a }");
    const DiagSuggestion *fix = &fixture->diags.list.items[0]->suggestions.items[0];
    assert_true(fix->is_safe);
    assert_int_equal(fix->edits.items[0].span.start, 5);
    assert_str_equal(fix->edits.items[0].text, STR("}}"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_mistake_is_named_at_its_place, setup, teardown),
        cmocka_unit_test_setup_teardown(every_node_knows_its_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_sole_expression_is_known, setup, teardown),
        cmocka_unit_test_setup_teardown(limits_are_named, setup, teardown),
        cmocka_unit_test_setup_teardown(suggestions_repair_the_text, setup, teardown),
        cmocka_unit_test(code_is_seen_before_it_is_parsed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
