// structure_test.c - structure: what is unknown, misplaced, missing or mistyped, and how loudly it
// is said.
#include "support/flow.h"

#define LOG(more)                                                                                  \
    "tasks:\n  - id: t\n    type: io.kestra.plugin.core.log.Log\n    message: x\n" more

static const struct {
    const char *name, *flow, *findings;
} rows[] = {
    {"an unknown property",                  LOG("    mesage: y\n"),                                                  "E0101 mesage\n"                                },
    {"a property of another level",          LOG("    triggers: []\n"),                                               "E0101 triggers\n"                              },
    {"an unknown property of the flow",      "inptus: []\n" LOG(""),                                                  "E0101 inptus\n"                                },
    {"metadata of a catalogue of flows",     "extend:\n  title: x\n  tags: [a]\n" LOG(""),                            ""                                              },
    {"an unknown property of an input",
     "inputs:\n  - {id: a, type: STRING, validater: x}\n" LOG(""),                                                    "E0101 validater\n"                             },
    {"a property of one type of input only",
     "inputs:\n  - {id: a, type: STRING, values: [a]}\n" LOG(""),                                                     "E0101 values\n"                                },
    {"a missing property",                   "tasks:\n  - id: t\n    type: io.kestra.plugin.core.log.Log\n",
     "E0102 io.kestra.plugin.core.log.Log\n"                                                                                                                          },
    {"one that a default supplies",
     "pluginDefaults:\n  - type: io.kestra.plugin.core.log.Log\n    values: {message: x}\ntasks:\n"
     "  - id: t\n    type: io.kestra.plugin.core.log.Log\n",                                                          ""                                              },
    {"a missing id and a missing type",      "tasks:\n  - message: x\n",
     "E0102 message\nE0102 message\n"                                                                                                                                 },
    {"the old name of an input's id",        "inputs:\n  - {name: a, type: STRING}\n" LOG(""),
     "W0109 name\n"                                                                                                                                                   },
    {"an unknown type",
     "tasks:\n  - id: t\n    type: io.kestra.plugin.core.log.Lag\n    message: x\n",                                  "E0103 io.kestra.plugin.core.log.Lag\n"         },
    {"a word for a boolean",                 LOG("    allowFailure: ture\n"),                                         "E0104 ture\n"                                  },
    {"a quoted boolean",                     LOG("    allowFailure: \"true\"\n"),                                     ""                                              },
    {"a template where the flow is saved",   LOG("    disabled: \"{{ true }}\"\n"),
     "E0104 \"{{ true }}\"\n"                                                                                                                                         },
    {"a list for a map",                     "variables: [a]\n" LOG(""),                                              "E0104 [a]\n"                                   },
    {"a value that is none of the enum",     LOG("    logLevel: INFOO\n"),                                            "E0105 INFOO\n"                                 },
    {"a wrong input type",                   "inputs:\n  - {id: a, type: STRNG}\n" LOG(""),                           "E0105 STRNG\n"                                 },
    {"an old type",                          "tasks:\n  - {id: t, type: io.kestra.core.tasks.log.Log, message: x}\n",
     "W0108 io.kestra.core.tasks.log.Log\n"                                                                                                                           },
    {"an old property",                      LOG("    retry: {type: constant, interval: PT1S, maxAttempt: 3}\n"),
     "W0109 maxAttempt\n"                                                                                                                                             },
    {"a trigger among the tasks",
     "tasks:\n  - {id: t, type: io.kestra.plugin.core.trigger.Schedule, cron: 0 0 * * *}\n",                          "E0112 io.kestra.plugin.core.trigger.Schedule\n"},
    {"a duration of another language",       LOG("    timeout: 5m\n"),                                                "E0501 5m\n"                                    },
    {"a duration of seconds",                LOG("    timeout: 30\n"),                                                ""                                              },
    {"a retry without its interval",         LOG("    retry: {type: constant}\n"),
     "E0102 {type: constant}\n"                                                                                                                                       },
    {"a retry of no kind",                   LOG("    retry: {type: linear, interval: PT1S}\n"),                      "E0105 linear\n"                                },
    {"a number below its least",
     "tasks:\n  - id: e\n    type: io.kestra.plugin.core.flow.ForEach\n    values: [a]\n"
     "    concurrencyLimit: -1\n    tasks:\n"
     "      - {id: t, type: io.kestra.plugin.core.log.Log, message: x}\n",                                            "E0508 -1\n"                                    },
    {"a task of a Dag without its wrapper",
     "tasks:\n  - id: d\n    type: io.kestra.plugin.core.flow.Dag\n    tasks:\n"
     "      - id: t\n        type: io.kestra.plugin.core.log.Log\n        message: x\n",                              "E0102 id\n"                                    },
    {"what newer versions call a condition", LOG("    when: \"{{ true }}\"\n"),                                       ""                                              },
    {"a label that is a list",               "labels:\n  a: [1]\n" LOG(""),                                           "E0104 a\n"                                     },
    {"a default that names nothing",
     "pluginDefaults:\n  - type: io.kestra.plugin.core.http.Request\n    values: {uri: x}\n" LOG(
         ""),
     "W0120 io.kestra.plugin.core.http.Request\n"                                                                                                                     },
    {"a default of an unknown property",
     "pluginDefaults:\n  - type: io.kestra.plugin.core.log.Log\n    values: {mesage: x}\n" LOG(""),
     "E0101 mesage\n"                                                                                                                                                 },
};

static void structure_is_compared_with_the_catalog(void **state) {
    FlowTest *test = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        print_message("%s\n", rows[i].name);
        flow_test_build(test, rows[i].flow);
        diags_sort(&test->diags);
        assert_str_equal(flow_test_findings(test, NULL), str_from(rows[i].findings));
    }
}

static void a_target_refuses_what_it_lacks(void **state) {
    FlowTest *test = *state;
    const char *flow = LOG("    when: \"{{ true }}\"\n");
    test->options.targets = TARGET_1_3;
    flow_test_build(test, flow);
    assert_str_equal(flow_test_findings(test, NULL), STR("E0111 when\n"));
    test->options.targets = TARGET_2_0;
    flow_test_build(test, flow);
    assert_str_equal(flow_test_findings(test, NULL), STR(""));
    flow_test_build(test, "tasks:\n  - {id: t, type: io.kestra.core.tasks.log.Log, message: x}\n");
    assert_str_equal(flow_test_findings(test, NULL), STR("E0111 io.kestra.core.tasks.log.Log\n"));
}

static void unknown_types_can_be_warnings(void **state) {
    FlowTest *test = *state;
    test->options.unknown_types_warn = true;
    flow_test_build(test, "tasks:\n  - {id: t, type: com.example.Task, x: 1}\n");
    assert_str_equal(flow_test_findings(test, NULL), STR("E0103! com.example.Task\n"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(structure_is_compared_with_the_catalog, flow_test_setup,
                                        flow_test_teardown),
        cmocka_unit_test_setup_teardown(a_target_refuses_what_it_lacks, flow_test_setup,
                                        flow_test_teardown),
        cmocka_unit_test_setup_teardown(unknown_types_can_be_warnings, flow_test_setup,
                                        flow_test_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
