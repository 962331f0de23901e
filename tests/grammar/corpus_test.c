// corpus_test.c - the grammar's corpus, and every case of the language's own file where it is at
// hand.
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "expr/expr.h"
#include "support/test.h"
#include "value/value.h"

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

static void take_line(Str *rest, Str *line) {
    size_t end = str_find_char(*rest, '\n', 0);
    if (end == STR_NOT_FOUND) end = rest->len;
    *line = str_slice(*rest, 0, end);
    *rest = str_slice(*rest, end + 1, rest->len);
}

// One corpus file; `out` gets what it would be with today's expressions.
static int run_corpus(Fixture *fixture, Str rest, Buffer *out) {
    int wrong = 0;
    while (rest.len > 0) {
        Str name, line;
        take_line(&rest, &name);
        size_t end = str_find(rest, STR("\n---\n"), 0);
        assert_true(str_starts_with(name, STR("=== ")) && end != STR_NOT_FOUND);
        Str template = str_slice(rest, 0, end);
        rest = str_slice(rest, end + 5, rest.len);
        Str want = {0};
        if (!str_starts_with(rest, STR("=== ")) && rest.len > 0) {
            take_line(&rest, &line);
            want = line;
        }
        Buffer got = {0};
        template_print(template_parse_text(fixture->parser, 0, template, &fixture->diags), &got);
        if (!str_eq(buffer_str(&got), want)) {
            print_error(STR_FMT "\n  got  " STR_FMT "\n  want " STR_FMT "\n", STR_ARG(name),
                        STR_ARG(buffer_str(&got)), STR_ARG(want));
            wrong++;
        }
        buffer_printf(out, STR_FMT "\n" STR_FMT "\n---\n" STR_FMT "\n", STR_ARG(name),
                      STR_ARG(template), STR_ARG(buffer_str(&got)));
        buffer_release(&got);
    }
    return wrong;
}

static void templates_have_the_trees_of_the_corpus(void **state) {
    Fixture *fixture = *state;
    int wrong = 0, files = 0;
    static const char *const names[] = {"text", "expressions", "tags", "errors", "precedence"};
    for (size_t i = 0; i < COUNT(names); i++) {
        Str path =
            str_printf(&fixture->arena, FLOW_SOURCE_DIR "/tests/grammar/corpus/%s.txt", names[i]);
        Str text;
        assert_ok(file_read(path.ptr, 1 << 20, &fixture->arena, &text));
        Buffer out = {0};
        int bad = run_corpus(fixture, text, &out);
        if (getenv("FLOW_UPDATE") != NULL) {
            assert_ok(file_write(path.ptr, buffer_str(&out), 0644));
        } else {
            wrong += bad;
        }
        buffer_release(&out);
        files++;
    }
    assert_int_equal(files, COUNT(names));
    assert_int_equal(wrong, 0);
}

static void the_cases_of_the_language_parse_as_they_say(void **state) {
    Fixture *fixture = *state;
    const char *path = FLOW_SOURCE_DIR "/../shared/spec/expression-cases.yaml";
    if (access(path, R_OK) != 0) path = FLOW_SOURCE_DIR "/../../shared/spec/expression-cases.yaml";
    if (access(path, R_OK) != 0) skip();
    Str text;
    assert_ok(file_read(path, 8 << 20, &fixture->arena, &text));
    Value cases;
    assert_ok(yaml_parse(text, &fixture->arena, &cases));
    int wrong = 0, looked_at = 0;
    for (uint32_t i = 0; i < cases.as.list->count; i++) {
        Value one = cases.as.list->items[i];
        Str mode = value_map_get_text(one, STR("mode"), STR("string"));
        const Value *expr = value_map_get(one, STR("expr"));
        if (str_eq(mode, STR("object")) || str_eq(mode, STR("convert"))) continue;
        if (expr == NULL || expr->kind != VALUE_TEXT) continue;
        Diags diags = {.arena = &fixture->arena};
        Template *template = template_parse_text(fixture->parser, 0, expr->as.text, &diags);
        bool must_fail = str_eq(value_map_get_text(one, STR("error"), (Str){0}), STR("parse"));
        // What the reference takes and we refuse may be refused by the grammar already.
        const Value *ours = value_map_get(one, STR("flowc"));
        bool may_fail = ours != NULL && value_map_get(*ours, STR("reject")) != NULL;
        bool is_mended = must_fail && ours != NULL && value_map_get(*ours, STR("expect")) != NULL;
        looked_at++;
        if (template->has_error == must_fail || may_fail || is_mended) {
            if (!template->has_error == (diags.list.count == 0)) continue;
        }
        wrong++;
        print_error(STR_FMT ": " STR_FMT "\n  %s\n",
                    STR_ARG(value_map_get_text(one, STR("id"), STR("?"))), STR_ARG(expr->as.text),
                    diags.list.count > 0 ? str_to_c(&fixture->arena, diags.list.items[0]->message)
                                         : "parses");
    }
    print_message("%d cases parsed\n", looked_at);
    assert_true(looked_at > 500);
    assert_int_equal(wrong, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(templates_have_the_trees_of_the_corpus, setup, teardown),
        cmocka_unit_test_setup_teardown(the_cases_of_the_language_parse_as_they_say, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
