// order_test.c - order: which task has run before which, and what is said about outputs that need
// not exist.
#include "support/flow.h"

#define RETURN(id) "- {id: " id ", type: io.kestra.plugin.core.debug.Return, format: x}\n"
#define READ(id, from)                                                                             \
    "- {id: " id ", type: io.kestra.plugin.core.log.Log, message: \"{{ outputs." from              \
    ".value }}\"}\n"
#define READ_SAFE(id, from)                                                                        \
    "- {id: " id ", type: io.kestra.plugin.core.log.Log, message: \"{{ outputs." from              \
    ".value ?? 'none' }}\"}\n"

static const struct {
    const char *name, *flow, *findings;
} rows[] = {
    {"an earlier task",                                "tasks:\n  " RETURN("a") "  " READ("b", "a"),                                              ""},
    {"a later task",                                                "tasks:\n  " READ("b",                                                                         "a") "  " RETURN("a"),                                                      "E0202 a\n"},
    {"a later task, caught",                                     "tasks:\n  " READ_SAFE("b",                                                                           "a") "  " RETURN("a"),                                                  "W0216 a\n"},
    {"itself",
     "tasks:\n  - {id: a, type: io.kestra.plugin.core.debug.Return, format: \"{{ outputs.a.value "
     "}}\"}\n","E0208 a\n"},
    {"a sibling of a Parallel",
     "tasks:\n  - id: p\n    type: io.kestra.plugin.core.flow.Parallel\n    tasks:\n      " RETURN(
         "a") "      " READ("b",                                                                                        "a") "  " READ("c",                                                                                                                                                              "a"),
     "E0203 a\n"},
    {"a dependency of a Dag",
     "tasks:\n  - id: d\n    type: io.kestra.plugin.core.flow.Dag\n    tasks:\n"
     "      - task: {id: a, type: io.kestra.plugin.core.debug.Return, format: x}\n"
     "      - task: {id: b, type: io.kestra.plugin.core.log.Log, message: \"{{ outputs.a.value "
     "}}\"}\n"
     "        dependsOn: [a]\n"
     "      - task: {id: c, type: io.kestra.plugin.core.log.Log, message: \"{{ outputs.a.value "
     "}}\"}\n"
     "        dependsOn: [b]\n"
     "      - task: {id: e, type: io.kestra.plugin.core.log.Log, message: \"{{ outputs.a.value "
     "}}\"}\n","E0203 a\n"},
    {"a task behind runIf",
     "tasks:\n  - {id: a, type: io.kestra.plugin.core.debug.Return, format: x, runIf: \"{{ "
     "kv('on') "
     "}}\"}\n  " READ("b",                                                                "a") "  " READ_SAFE("c",                                                                                                                                   "a"),
     "W0204 a\n"},
    {"a task behind the same runIf",
     "tasks:\n  - {id: a, type: io.kestra.plugin.core.debug.Return, format: x, runIf: \"{{ "
     "kv('on') "
     "}}\"}\n"
     "  - {id: b, type: io.kestra.plugin.core.log.Log, message: \"{{ outputs.a.value }}\", runIf: "
     "\"{{ kv('on') }}\"}\n",                                                                  ""                                                                                                                       },
    {"a disabled task",
     "tasks:\n  - {id: a, type: io.kestra.plugin.core.debug.Return, format: x, disabled: true}\n "
     " " READ("b",                                                                              "a"),
     "W0204 a\n"},
    {"a branch of an If",
     "tasks:\n  - id: if\n    type: io.kestra.plugin.core.flow.If\n    condition: \"{{ kv('on') "
     "}}\"\n"
     "    then:\n      " RETURN("a") "    else:\n      " READ("b","a") "  " READ("c","a"),
     "W0204 a\nW0204 a\n"},
    {"a branch, asked about by an If around the reader",
     "tasks:\n  - id: if\n    type: io.kestra.plugin.core.flow.If\n    condition: \"{{ kv('on') "
     "}}\"\n"
     "    then:\n      " RETURN(
         "a") "  - id: if2\n    type: io.kestra.plugin.core.flow.If\n"
              "    condition: \"{{ outputs.a.value is defined }}\"\n    then:\n      " READ("c",
     "a"),
     ""},
    {"the body from a handler",                              "tasks:\n  " RETURN("a") "errors:\n  " READ("b",                             "a"),                                                                ""},
    {"a handler from the body",                             "tasks:\n  " READ("b",                                                                   "a") "errors:\n  " RETURN("a"),                                                                   "E0202 a\n"},
    {"an earlier pass of a loop",
     "tasks:\n  - id: l\n    type: io.kestra.plugin.core.flow.LoopUntil\n"
     "    condition: \"{{ outputs.a.value == 'x' and outputs.l.iterationCount > 1 }}\"\n    "
     "checkFrequency: {maxIterations: 3}\n    "
     "tasks:\n      " READ("b",                                                                                       "a") "      " RETURN("a"),
     "E0202! a\n"},
    {"flow outputs come last",
     "tasks:\n  " RETURN(
         "a") "outputs:\n  - {id: o, type: STRING, value: \"{{ outputs.a.value }}\"}\n",
     ""},
};

static void outputs_are_read_after_they_exist(void **state) {
    FlowTest *test = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        print_message("%s\n", rows[i].name);
        flow_test_check(test, rows[i].flow);
        Str all = flow_test_findings(test, NULL);
        assert_str_equal(all, str_from(rows[i].findings));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(outputs_are_read_after_they_exist, flow_test_setup,
                                        flow_test_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
