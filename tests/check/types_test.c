// types_test.c - types of expressions: what Expr.type says once a template was checked.
#include "support/flow.h"

static const struct {
    const char *expr, *type;
} rows[] = {
    {"1 + 2",                            "int"               },
    {"1 + 2.5",                          "number"            },
    {"'a' ~ 1",                          "string"            },
    {"'a' + 1",                          "string"            },
    {"1 == 2 and true",                  "bool"              },
    {"inputs.text",                      "string"            },
    {"inputs.number",                    "int"               },
    {"inputs.choice",                    "\"a\" | \"b\""     },
    {"inputs.list | first",              "int?"              },
    {"inputs.maybe",                     "string?"           },
    {"inputs.maybe ?? 'x'",              "string"            },
    {"[1, 2]",                           "list<int>"         },
    {"{'a': 1, 'b': 'c'}",               "{a: int, b: \"c\"}"},
    {"'a,b' | split(',')",               "list<string>"      },
    {"fromJson({'a': 1} | toJson).a",    "int"               },
    {"inputs.number > 1 ? 'yes' : 'no'", "\"no\" | \"yes\""  },
    {"outputs.get.code",                 "int"               },
    {"outputs.get.headers",              "map<list<string>>" },
    {"execution.startDate",              "datetime"          },
    {"secret('A')",                      "secret<string>"    },
    {"secret('A') ~ 'x'",                "secret<string>"    },
    {"[secret('A')] | first",            "secret<string?>"   },
    {"secret('A') == 'x'",               "bool"              },
    {"inputs.hidden | upper",            "secret<string>"    },
};

static Str print_type(FlowTest *test, const Expr *expr) {
    Buffer out = {0};
    const ExprType *type = expr_type(expr);
    type_print(type->typed.type, type->typed.taint == TAINT_SECRET, &out);
    Str text = buffer_to_str(&out, &test->arena);
    buffer_release(&out);
    return text;
}

static void every_expression_has_a_type(void **state) {
    FlowTest *test = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (rows[i].type == NULL) continue;
        Str flow = str_printf(
            &test->arena,
            "inputs:\n  - {id: text, type: STRING}\n  - {id: number, type: INT}\n"
            "  - {id: choice, type: SELECT, values: [a, b]}\n"
            "  - {id: list, type: ARRAY, itemType: INT}\n"
            "  - {id: maybe, type: STRING, required: false}\n  - {id: hidden, type: SECRET}\n"
            "tasks:\n  - {id: get, type: io.kestra.plugin.core.http.Request, uri: x}\n"
            "  - id: t\n    type: io.kestra.plugin.core.debug.Return\n    format: |\n"
            "      {{ %s }}\n",
            rows[i].expr);
        flow_test_check(test, flow.ptr);
        const Print *print =
            &test->flow->checked->prints.items[test->flow->checked->prints.count - 1];
        print_message("%s\n", rows[i].expr);
        assert_str_equal(print_type(test, print->expr), str_from(rows[i].type));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_expression_has_a_type, flow_test_setup,
                                        flow_test_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
