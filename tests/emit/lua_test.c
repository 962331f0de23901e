// lua_test.c - what leaves look like: the Lua of templates and of property sets, as golden files.
#include <stdlib.h>

#include "base/file.h"
#include "emit/emit.h"
#include "leaf/leaf.h"
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

static Str lua_of(Fixture *fixture, Str text, LeafMode mode) {
    Str lua = {0};
    Template *template = template_parse_text(fixture->parser, 0, text, &fixture->diags);
    assert_false(template->has_error);
    Err err = emit_template(template, mode, CONVERT_ANY, &fixture->arena, &fixture->diags, &lua);
    if (err.code != ERR_NONE) print_error(STR_FMT ": %s\n", STR_ARG(text), err.text);
    assert_int_equal(err.code, ERR_NONE);
    return lua;
}

static void templates_become_the_lua_of_the_golden_file(void **state) {
    Fixture *fixture = *state;
    const char *path = FLOW_SOURCE_DIR "/tests/emit/templates.txt";
    Str text;
    assert_ok(file_read(path, 1 << 20, &fixture->arena, &text));
    Buffer out = {0};
    for (Str rest = text; rest.len > 0;) {
        size_t next = str_find(rest, STR("\n=== "), 0);
        Str entry = str_slice(rest, 0, next == STR_NOT_FOUND ? rest.len : next + 1);
        rest = str_slice(rest, entry.len, rest.len);
        size_t name = str_find_char(entry, '\n', 0), end = str_find(entry, STR("\n---\n"), 0);
        assert_true(name != STR_NOT_FOUND && end != STR_NOT_FOUND);
        Str lua = lua_of(fixture, str_slice(entry, name + 1, end), LEAF_TEXT);
        buffer_add(&out, str_slice(entry, 0, end + 5));
        buffer_add(&out, lua);
    }
    if (getenv("FLOW_UPDATE") != NULL) {
        assert_ok(file_write(path, buffer_str(&out), 0644));
    } else {
        assert_str_equal(buffer_str(&out), text);
    }
    buffer_release(&out);
}

static void every_chunk_of_a_large_template_is_within_luas_limits(void **state) {
    static const struct {
        const char *before, *repeated, *after;
        size_t count;
    } rows[] = {
        {"{{ 1",        " + 1",                          " }}",         480 },
        {"{{ a",        " | lower",                      " }}",         480 },
        {"{{ a",        " ?? b",                         " }}",         480 },
        {"{{ [1",       ",a ?? 1",                       "] }}",        900 },
        {"{{ [1",       ",1",                            "] }}",        3900},
        {"{{ ",         "not ",                          "a }}",        490 },
        {"",            "x{{ a }}",                      "",            5000},
        {"{% if a %}1", "{% elseif b %}2",               "{% endif %}", 500 },
        {"",            "{% set v = a %}{{ v }}",        "",            500 },
        {"",            "{% macro m() %}{% endmacro %}", "{{ m() }}",   300 },
        {"",            "{% for x in l %}",              "",            0   },
    };
    Fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        Buffer text = {0}, bytecode = {0};
        buffer_add(&text, str_from(rows[i].before));
        for (size_t n = 0; n < rows[i].count; n++) buffer_add(&text, str_from(rows[i].repeated));
        buffer_add(&text, str_from(rows[i].after));
        if (rows[i].count == 0) {
            for (int n = 0; n < 60; n++) buffer_add(&text, str_from(rows[i].repeated));
            buffer_add(&text, STR("{{ a ?? (b ?? c) }}"));
            for (int n = 0; n < 60; n++) buffer_add(&text, STR("{% endfor %}"));
        }
        Str lua = lua_of(fixture, buffer_to_str(&text, &fixture->arena), LEAF_TYPED);
        Err err = leaf_compile_lua(lua, STR("large"), &bytecode);
        if (err.code != ERR_NONE) print_error("row %zu: %s\n", i, err.text);
        assert_int_equal(err.code, ERR_NONE);
        buffer_release(&text);
        buffer_release(&bytecode);
    }
}

static void what_cannot_be_compiled_is_said(void **state) {
    static const struct {
        const char *template, *code, *message;
    } rows[] = {
        {"{{ a | uper }}",                              "E0308", "unknown filter 'uper'"                                        },
        {"{{ slugify(a) }}",                            "E0309", "unknown function 'slugify'"                                   },
        {"{{ a is text }}",                             "E0310", "unknown test 'text'"                                          },
        {"{{ a | lower(1) }}",                          "E0311", "'lower' takes no argument"                                    },
        {"{{ a | slice(fromIdx=1) }}",                  "E0312", "'slice' has no argument 'fromIdx'"                            },
        {"{{ a.b() }}",                                 "E0323", "methods cannot be called here: 'b()' belongs to a Java object"},
        {"{{ {'a': 1, 'a': 2} }}",                      "E0315", "the key 'a' stands twice in the map"                          },
        {"{% set inputs = 1 %}",                        "E0315",
         "'inputs' is given by the execution and cannot be set; take another name"                                              },
        {"{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "E0311",
         "the macro 'm' takes 1 argument at most"                                                                               },
        {"{% block b %}{{ block('b') }}{% endblock %}", "E0316", "the block 'b' contains itself"                                },
    };
    Fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        Str lua;
        fixture->diags.list.count = 0;
        Template *template =
            template_parse_text(fixture->parser, 0, str_from(rows[i].template), &fixture->diags);
        Err err =
            emit_template(template, LEAF_TEXT, CONVERT_ANY, &fixture->arena, &fixture->diags, &lua);
        if (fixture->diags.list.count != 1) test_row(i);
        assert_int_equal(err.code, ERR_INPUT);
        assert_int_equal(fixture->diags.list.count, 1);
        assert_str_equal(str_from(fixture->diags.list.items[0]->code), str_from(rows[i].code));
        assert_str_equal(fixture->diags.list.items[0]->message, str_from(rows[i].message));
    }
}

static void a_condition_is_one_expression(void **state) {
    Fixture *fixture = *state;
    Str lua;
    Template *template =
        template_parse_text(fixture->parser, 0, STR("{{ a }} and {{ b }}"), &fixture->diags);
    Err err = emit_template(template, LEAF_CONDITION, CONVERT_ANY, &fixture->arena, &fixture->diags,
                            &lua);
    assert_int_equal(err.code, ERR_INPUT);
    assert_str_equal(str_from(fixture->diags.list.items[0]->code), STR("E0401"));
    lua_of(fixture, STR(" {{ a and b }}\n"), LEAF_CONDITION);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(templates_become_the_lua_of_the_golden_file, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(every_chunk_of_a_large_template_is_within_luas_limits,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_compiled_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(a_condition_is_one_expression, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
