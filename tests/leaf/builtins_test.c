// builtins_test.c - the examples of all builtins, evaluated as templates; rows that are complete.
//
// An example is `template => result`; they are run through the compiler's own evaluation, so that
// what the documentation says is what happens.
#include "leaf/fixture.h"
#include "session/eval.h"

static void rows_are_complete(void **state) {
    (void)state;
    size_t count = 0;
    for (const Builtin *row = builtins_next(NULL); row != NULL; row = builtins_next(row)) {
        count++;
        bool is_refused = (row->flags & BUILTIN_REFUSED) != 0;
        assert_true(row->name != NULL && row->text != NULL && row->result != NULL);
        assert_true((row->run == NULL) == is_refused);
        assert_true(is_refused || str_from(row->examples).len > 0);
        assert_true((row->input == NULL) == (row->kind == BUILTIN_FUNCTION));
        const Builtin *found = builtin_find(row->kind, str_from(row->name));
        assert_ptr_equal(found, row);  // no name twice
    }
    assert_true(count > 100);
}

static void what_the_language_has_is_there(void **state) {
    (void)state;
    static const char *const filters[] = {"abbreviate",
                                          "abs",
                                          "base64encode",
                                          "base64decode",
                                          "capitalize",
                                          "chunk",
                                          "className",
                                          "date",
                                          "dateAdd",
                                          "default",
                                          "distinct",
                                          "endsWith",
                                          "escapeChar",
                                          "first",
                                          "flatten",
                                          "format",
                                          "indent",
                                          "join",
                                          "jq",
                                          "json",
                                          "keys",
                                          "last",
                                          "length",
                                          "lower",
                                          "md5",
                                          "sha1",
                                          "sha256",
                                          "sha512",
                                          "merge",
                                          "nindent",
                                          "nl2br",
                                          "number",
                                          "numberFormat",
                                          "regexExtract",
                                          "regexMatch",
                                          "regexReplace",
                                          "replace",
                                          "reverse",
                                          "rsort",
                                          "sort",
                                          "slice",
                                          "slugify",
                                          "split",
                                          "startsWith",
                                          "string",
                                          "substringBefore",
                                          "substringBeforeLast",
                                          "substringAfter",
                                          "substringAfterLast",
                                          "timestamp",
                                          "timestampMilli",
                                          "timestampMicro",
                                          "timestampNano",
                                          "title",
                                          "toIon",
                                          "toJson",
                                          "trim",
                                          "upper",
                                          "urlencode",
                                          "urldecode",
                                          "values",
                                          "yaml"};
    static const char *const functions[] = {"max",
                                            "min",
                                            "range",
                                            "now",
                                            "fromJson",
                                            "json",
                                            "yaml",
                                            "fromIon",
                                            "render",
                                            "renderOnce",
                                            "printContext",
                                            "fetchContext",
                                            "secret",
                                            "credential",
                                            "kv",
                                            "env",
                                            "read",
                                            "fileURI",
                                            "fileSize",
                                            "fileExists",
                                            "isFileEmpty",
                                            "http",
                                            "encrypt",
                                            "decrypt",
                                            "uuid",
                                            "id",
                                            "ksuid",
                                            "nanoId",
                                            "randomInt",
                                            "randomPort",
                                            "errorLogs",
                                            "tasksWithState",
                                            "currentEachOutput",
                                            "loopOutputs",
                                            "subflow",
                                            "isWeekend",
                                            "isPublicHoliday",
                                            "isDayWeekInMonth",
                                            "isLastWorkingDay",
                                            "dayOfWeek",
                                            "dayOfMonth",
                                            "monthOfYear",
                                            "hourOfDay",
                                            "isDateBetween",
                                            "appLink"};
    static const char *const tests[] = {"defined", "null",     "empty", "even",
                                        "odd",     "iterable", "map",   "json"};
    for (size_t i = 0; i < COUNT(filters); i++) {
        test_row(i);
        assert_non_null(builtin_find(BUILTIN_FILTER, str_from(filters[i])));
    }
    for (size_t i = 0; i < COUNT(functions); i++) {
        test_row(i);
        assert_non_null(builtin_find(BUILTIN_FUNCTION, str_from(functions[i])));
    }
    for (size_t i = 0; i < COUNT(tests); i++) {
        test_row(i);
        assert_non_null(builtin_find(BUILTIN_TEST, str_from(tests[i])));
    }
}

// `\n` of an example is a line break.
static Str line_breaks(Arena *arena, Str text) {
    Buffer out = {0};
    for (size_t i = 0; i < text.len; i++) {
        bool is_break = text.ptr[i] == '\\' && i + 1 < text.len && text.ptr[i + 1] == 'n';
        buffer_add_char(&out, is_break ? '\n' : text.ptr[i]);
        i += is_break;
    }
    Str result = buffer_to_str(&out, arena);
    buffer_release(&out);
    return result;
}

// What the examples that ask the world find there.
static const char world[] =
    "{\"vars\": {\"tasks\": {\"build\": {\"state\": \"SUCCESS\"}, \"deploy\": {\"state\": "
    "\"FAILED\"}},"
    " \"outputs\": {\"fetch\": {\"a\": {\"value\": \"one\"}}}, \"taskrun\": {\"value\": \"a\"}, "
    "\"parents\": [],"
    " \"inputs\": {\"url\": \"https://example.com\"}},"
    " \"env\": {\"secrets\": {\"DB_PASSWORD\": \"secret-word\"}, \"kv\": {\"company.team\": "
    "{\"limit\": 5}},"
    " \"files\": {\"sql/q.sql\": \"select 1\"}, \"envs\": {\"home_dir\": \"/srv\"},"
    " \"flow\": {\"id\": \"f\", \"namespace\": \"company.team\"}}}";

static void check_example(Session *session, Arena *arena, const Builtin *row, Str line) {
    size_t arrow = str_find(line, STR(" => "), 0);
    // Without a result it is shown only: it has to be understood, and eval makes no request.
    bool is_shown = arrow == STR_NOT_FOUND;
    if (is_shown) arrow = line.len;
    Str template = line_breaks(arena, str_slice(line, 0, arrow));
    Str expected = is_shown ? (Str){0} : line_breaks(arena, str_slice(line, arrow + 4, line.len));
    EvalRequest request = {.expression = value_text(template)};
    assert_ok(json_parse(str_from(world), (JsonLimits){0}, arena, &request.context));
    EvalAnswer answer;
    session_eval(session, &request, arena, &answer);
    if (is_shown) {
        assert_true(answer.is_error);
        assert_str_equal(answer.kind, STR("other"));
        return;
    }
    if (answer.is_error) {
        print_error("%s: " STR_FMT ": " STR_FMT "\n", row->name, STR_ARG(line),
                    STR_ARG(answer.message));
    }
    assert_false(answer.is_error);
    if (!str_eq(answer.text, expected)) print_error("%s: " STR_FMT "\n", row->name, STR_ARG(line));
    assert_str_equal(answer.text, expected);
}

static void examples_give_what_they_say(void **state) {
    (void)state;
    Session *session = NULL;
    Arena arena = {0};
    SessionOptions options = {.target = "1.3"};
    assert_ok(session_new(&options, NULL, &session));
    size_t count = 0;
    for (const Builtin *row = builtins_next(NULL); row != NULL; row = builtins_next(row)) {
        Str rest = str_from(row->examples), line;
        while (rest.len > 0 && str_split(&rest, '\n', &line)) {
            check_example(session, &arena, row, line);
            count++;
        }
    }
    assert_true(count > 100);
    session_free(session);
    arena_release(&arena);
}

// --- edges that the examples do not show --------------------------------------------------------

static void calls_give(void **state, const char *const rows[][2], size_t count) {
    Fixture *fixture = *state;
    for (size_t i = 0; i < count; i++) {
        test_row(i);
        assert_str_equal(fixture_eval(fixture, rows[i][0]), str_from(rows[i][1]));
    }
}

static void numbers_are_formatted_as_java_does(void **state) {
    static const char *const rows[][2] = {
        {"rt.filter.numberFormat(1, 1234567)",                  "1,234,567"                               },
        {"rt.filter.numberFormat(1, 2.5, '0')",                 "2"                                       },
        {"rt.filter.numberFormat(1, 0.5, '#.##')",              "0.5"                                     },
        {"rt.filter.numberFormat(1, 0.5, '.##')",               ".5"                                      },
        {"rt.filter.numberFormat(1, -3, '0.0;(0.0)')",          "(3.0)"                                   },
        {"rt.filter.numberFormat(1, 7, '000')",                 "007"                                     },
        {"rt.filter.numberFormat(1, 12, \"'#'0\")",             "#12"                                     },
        {"rt.filter.numberFormat(1, 0, '#,###')",               "0"                                       },
        {"rt.filter.numberFormat(1, 1e300, '0') ~= nil",        "true"                                    },
        {"rt.filter.numberFormat(1, 1, '0.0.0')",               "value: a number format has two points"   },
        {"rt.filter.format(1, '%.1f', 0.25)",                   "0.3"                                     },
        {"rt.filter.format(1, '%.2f', 1.005)",                  "1.01"                                    },
        {"rt.filter.format(1, '%,d', 1234567)",                 "1,234,567"                               },
        {"rt.filter.format(1, '%05d|%-4s|%4s', -42, 'a', 'b')", "-0042|a   |   b"                         },
        {"rt.filter.format(1, '%x %X %o', 255, 255, 8)",        "ff FF 10"                                },
        {"rt.filter.format(1, '%e', 12345.678)",                "1.234568e+04"                            },
        {"rt.filter.format(1, '%s %s', 'a')",
         "value: the pattern '%s %s' of 'format' needs more arguments than were given"                    },
        {"rt.filter.format(1, '%d', 'x')",                      "type: '%d' of 'format' does not take 'x'"},
        {"rt.filter.number(1, '1.5e3')",                        "1500.0"                                  },
        {"rt.filter.number(1, '010')",                          "10"                                      },
        {"rt.filter.number(1, '9', 'DOUBLE')",                  "9.0"                                     },
        {"rt.filter.number(1, ' ')",                            "value: ' ' is no number"                 },
        {"rt.filter.abs(1, rt.null)",                           "type: 'abs' takes a number, not null"    },
    };
    calls_give(state, rows, COUNT(rows));
}

static void texts_are_cut_at_characters(void **state) {
    static const char *const rows[][2] = {
        {"rt.filter.slice(1, '\u20acuro', 1)",              "uro"                                        },
        {"rt.filter.slice(1, '\U0001F680x', 2)",            "x"                                          },
        {"rt.filter.slice(1, '\U0001F680x', 1)",            "value: 'slice' would cut a character in two"},
        {"rt.filter.first(1, '\u20acuro')",                 "\u20ac"                                     },
        {"rt.filter.last(1, 'eur\u20ac')",                  "\u20ac"                                     },
        {"rt.filter.length(1, '\U0001F680')",               "2"                                          },
        {"rt.filter.upper(1, 'stra\u00dfe')",               "STRASSE"                                    },
        {"rt.filter.lower(1, '\u039f\u03a3')",              "\u03bf\u03c2"                               },
        {"rt.filter.title(1, '\u01c6 x')",                  "\u01c5 X"                                   },
        {"rt.filter.split(1, 'a1b22c', '[0-9]+')",          "[\"a\",\"b\",\"c\"]"                        },
        {"rt.filter.split(1, 'abc', '')",                   "[\"a\",\"b\",\"c\"]"                        },
        {"rt.filter.split(1, 'a,b,c', ',', 2)",             "[\"a\",\"b,c\"]"                            },
        {"rt.filter.replace(1, 'abc', rt.map(1, '', '-'))", "-a-b-c-"                                    },
        {"rt.filter.substringAfterLast(1, 'a/b', '')",      ""                                           },
        {"rt.filter.slugify(1, 'Ünïcode  __ Tëst')",     "unicode-test"                               },
    };
    calls_give(state, rows, COUNT(rows));
}

static const char growing[] = "(function() local s, r = 'a', rt.map(1, 'a', ('a'):rep(100)) "
                              "for i = 1, 9 do s = rt.filter.replace(1, s, r) end return s end)()";

static void hostile_calls_end_with_the_limit_named(void **state) {
    static const char *const expressions[] = {
        "rt.range(1, 1099511627776, 1)",
        "rt.func.range(1, 1, 9000000000000000000)",
        "rt.filter.indent(1, 'a\\nb', 1099511627776)",
        "(function() local s = 'ab' for i = 1, 40 do s = rt.concat(s, s, 1) end return s end)()",
        "(function() local l = rt.list(1, 1) for i = 1, 40 do l = rt.add(l, l, 1) end end)()",
        "rt.filter.replace(1, ('a'):rep(40) .. '!', rt.map(1, '^(a|aa)+$', 'x'), true)",
        "rt.test.json(1, ('['):rep(100)) and rt.func.fromJson(1, ('['):rep(100))",
        "rt.filter.regexMatch(1, ('a'):rep(60) .. '!', '^(a+)+$')",
        "rt.filter.jq(1, 'x', ('('):rep(200))",
        "rt.filter.date(1, 0, ('y'):rep(2000))",
        growing,
    };
    Fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(expressions); i++) {
        test_row(i);
        Str text = fixture_eval(fixture, expressions[i]);
        bool is_limit = str_starts_with(text, STR("limit: "));
        bool is_refused = str_starts_with(text, STR("value: ")) || str_eq(text, STR("false"));
        if (!is_limit && !is_refused) print_error(STR_FMT "\n", STR_ARG(str_slice(text, 0, 200)));
        assert_true(is_limit || is_refused);
        assert_str_equal(fixture_eval(fixture, "rt.text('alive')"), STR("alive"));
    }
}

static void a_large_context_is_not_copied(void **state) {
    Fixture *fixture = *state;
    Value map = value_map(&fixture->arena), outputs = value_map(&fixture->arena);
    for (int i = 0; i < 20000; i++) {
        Value member = value_map(&fixture->arena);
        value_map_set(&fixture->arena, member, STR("x"), value_int(i));
        value_map_set(&fixture->arena, map, str_printf(&fixture->arena, "k%d", i), member);
    }
    value_map_set(&fixture->arena, outputs, STR("outputs"), map);
    fixture->context = outputs;
    size_t before = leaf_vm_memory(fixture->vm);
    assert_str_equal(
        fixture_eval(fixture, "rt.get(rt.get(rt.root('outputs', 1), 'k19999', 1), 'x', 1)"),
        STR("19999"));
    assert_str_equal(fixture_eval(fixture, "rt.filter.length(1, rt.root('outputs', 1))"),
                     STR("20000"));
    assert_true(leaf_vm_memory(fixture->vm) < before + 32 * 1024);
}

const bool flow_has_jq_helper = true;

int main(int argc, char **argv) {
    if (jq_helper_asked(argc, argv)) return jq_helper_main();
    const struct CMUnitTest tests[] = {
#define TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
        cmocka_unit_test(rows_are_complete),
        cmocka_unit_test(what_the_language_has_is_there),
        cmocka_unit_test(examples_give_what_they_say),
        TEST(numbers_are_formatted_as_java_does),
        TEST(texts_are_cut_at_characters),
        TEST(hostile_calls_end_with_the_limit_named),
        TEST(a_large_context_is_not_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
