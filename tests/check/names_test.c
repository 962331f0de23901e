// names_test.c - names in templates: what is unknown, what is known but not here, what is caught.
#include "support/flow.h"

#define LOG   "    type: io.kestra.plugin.core.log.Log\n    message: "
#define SHELL "    type: io.kestra.plugin.scripts.shell.Commands\n"

static const struct {
    const char *name, *flow, *findings;
} rows[] = {
    {"an input that is declared",
     "inputs:\n  - id: host\n    type: STRING\ntasks:\n  - id: t\n" LOG "\"{{ inputs.host }}\"\n",
     ""                                                                                                                                                                                           },
    {"an input that is not",
     "inputs:\n  - id: host\n    type: STRING\ntasks:\n  - id: t\n" LOG
     "\"{{ inputs.hots }} {{ inputs.host }}\"\n",                                                                                       "E0301 hots\n"                                            },
    {"an input that is not, in a flow without inputs",
     "tasks:\n  - id: t\n" LOG "\"{{ inputs.x }}\"\n",                                                                                  "E0301 x\n"                                               },
    {"a nested input",
     "inputs:\n  - id: a.b.c\n    type: STRING\ntasks:\n  - id: t\n" LOG
     "\"{{ inputs.a.b.c }} {{ inputs.a.b.d }}\"\n",                                                                                     "E0301 d\n"                                               },
    {"an unknown input with a default is a warning",
     "tasks:\n  - id: t\n" LOG "\"{{ inputs.x ?? 'none' }} {{ inputs.y | default('none') }}\"\n",
     "E0301! x\nE0301! y\n"                                                                                                                                                                       },
    {"an unknown input behind `is defined`",
     "tasks:\n  - id: t\n" LOG
     "\"{{ inputs.x is defined ? inputs.x : 1 }}{% if inputs.y is defined and inputs.y == 2 %}{{ "
     "inputs.y }}{% endif %}\"\n",                                                                                                      ""                                                        },
    {"a variable",                                     "variables:\n  a: 1\ntasks:\n  - id: t\n" LOG "\"{{ vars.a }} {{ vars.b }}\"\n",
     "E0304 b\n"                                                                                                                                                                                  },
    {"a variable that SetVariables adds",
     "tasks:\n  - id: s\n    type: io.kestra.plugin.core.execution.SetVariables\n    variables:\n"
     "      b: 1\n  - id: t\n" LOG "\"{{ vars.b }}\"\n",
     ""                                                                                                                                                                                           },
    {"a root nobody knows",                            "tasks:\n  - id: t\n" LOG "\"{{ input.x }}\"\n",                                 "E0305 input\n"                                           },
    {"outputs where inputs are resolved",
     "inputs:\n  - id: x\n    type: STRING\n    defaults: \"{{ outputs.t.value }}\"\ntasks:\n"
     "  - id: t\n" LOG "\"{{ inputs.x }}\"\n",
     "E0305 outputs\n"                                                                                                                                                                            },
    {"members of the language",
     "tasks:\n  - id: t\n" LOG "\"{{ flow.id }}{{ execution.url }}{{ taskrun.startDate }}\"\n",
     "E0306 url\n"                                                                                                                                                                                },
    {"a task nobody knows",                            "tasks:\n  - id: t\n" LOG "\"{{ outputs.tt.value }}\"\n",                        "E0302 tt\n"                                              },
    {"tasks that ForEachItem makes",
     "tasks:\n  - id: each\n    type: io.kestra.plugin.core.flow.ForEachItem\n    items: x\n"
     "    namespace: n\n    flowId: f\n  - id: t\n" LOG
     "\"{{ outputs.each_merge.subflowOutputs }}\"\n",                                                                                   ""                                                        },
    {"an output the type does not have",
     "tasks:\n  - id: r\n    type: io.kestra.plugin.core.debug.Return\n    format: x\n  - id: "
     "t\n" LOG "\"{{ outputs.r.value }} {{ outputs.r.valeu }}\"\n",
     "E0303 valeu\n"                                                                                                                                                                              },
    {"an output of a task with a version of its own",
     "tasks:\n  - id: r\n    type: io.kestra.plugin.core.debug.Return\n    version: 1.0\n    "
     "format: x\n"
     "  - id: t\n" LOG "\"{{ outputs.r.valeu }}\"\n",
     ""                                                                                                                                                                                           },
    {"the fields of a Subflow's trigger",
     "tasks:\n  - id: t\n" LOG "\"{{ trigger.executionId }} {{ trigger.date }}\"\n",
     "E0307 date\n"                                                                                                                                                                               },
    {"the fields of a Schedule",
     "triggers:\n  - id: s\n    type: io.kestra.plugin.core.trigger.Schedule\n    cron: 0 * * * *\n"
     "tasks:\n  - id: t\n" LOG "\"{{ trigger.date }} {{ trigger.body }}\"\n",
     "E0307 body\n"                                                                                                                                                                               },
    {"filters, functions and tests",
     "tasks:\n  - id: t\n" LOG
     "\"{{ 'a' | uper }} {{ secrets('A') }} {{ 1 is evn }} {{ now() | dateFormat('yyyy') }}\"\n",                                       "E0308 uper\nE0309 secrets\nE0310 evn\nE0308 dateFormat\n"},
    {"a macro is a function",
     "tasks:\n  - id: t\n" LOG "\"{% macro hi(a) %}{{ a }}{% endmacro %}{{ hi(1) }}\"\n",                                               ""                                                        },
    {"names a template makes",
     "tasks:\n  - id: t\n" LOG
     "\"{% set a = 1 %}{{ a }}{% for x in [1] %}{{ x }}{{ loop.index }}{% endfor %}{{ x }}\"\n",                                        "E0305 x\n"                                               },
    {"a dash",
     "inputs:\n  - id: my-host\n    type: STRING\ntasks:\n  - id: t\n" LOG
     "\"{{ inputs.my-host }} {{ inputs['my-host'] }}\"\n",                                                                              "E0317 my-host\n"                                         },
    {"a method",                                       "tasks:\n  - id: t\n" LOG "\"{{ flow.id.toUpperCase() }}\"\n",
     "E0323 toUpperCase\n"                                                                                                                                                                        },
    {"a member of a text",
     "inputs:\n  - id: a\n    type: STRING\ntasks:\n  - id: t\n" LOG "\"{{ inputs.a.b }}\"\n",
     "E0322 b\n"                                                                                                                                                                                  },
    {"a text of a static property is nobody's",
     "tasks:\n  - id: t\n    description: \"{{ nonsense }}\"\n" LOG "x\n",                                                              ""                                                        },
};

static void names_are_found_or_reported(void **state) {
    FlowTest *test = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        print_message("%s\n", rows[i].name);
        flow_test_check(test, rows[i].flow);
        assert_str_equal(flow_test_findings(test, "E03"), str_from(rows[i].findings));
    }
}

#define EACH                                                                                       \
    "tasks:\n  - id: each\n    type: io.kestra.plugin.core.flow.ForEach\n    values: [\"a\"]\n"    \
    "    tasks:\n"
#define IN_LOG "        type: io.kestra.plugin.core.log.Log\n        message: "

static const struct {
    const char *name, *flow, *findings;
} loops[] = {
    {"the value of a loop",              EACH "      - id: t\n" IN_LOG "\"{{ taskrun.value }}\"\n",      ""             },
    {"a value outside of a loop",
     "tasks:\n  - id: t\n" LOG "\"{{ taskrun.value }} {{ parent.taskrun.value }}\"\n",
     "E0318 value\nE0318 parent\n"                                                                                      },
    {"a value one level too deep",
     EACH "      - id: if\n        type: io.kestra.plugin.core.flow.If\n"
          "        condition: \"{{ taskrun.value == 'a' }}\"\n        then:\n          - id: t\n"
          "            type: io.kestra.plugin.core.log.Log\n"
          "            message: \"{{ taskrun.value }} {{ parent.taskrun.value }}\"\n",                   "E0318 value\n"},
    {"outputs of an If",
     "tasks:\n  - id: if\n    type: io.kestra.plugin.core.flow.If\n    condition: \"{{ true }}\"\n"
     "    then:\n      - id: t\n" IN_LOG "\"{{ parent.outputs.evaluationResult }}\"\n",
     ""                                                                                                                 },
    {"a member of the value",            EACH "      - id: t\n" IN_LOG "\"{{ taskrun.value.name }}\"\n",
     "E0322 name\n"                                                                                                     },
    {"a member of what the value holds",
     EACH "      - id: t\n" IN_LOG "\"{{ fromJson(taskrun.value).name }}\"\n",                           ""             },
    {"the item of a Loop",               "tasks:\n  - id: t\n" LOG "\"{{ item.value }}\"\n",             "E0318 item\n" },
    {"batches of a ForEachItem",
     "tasks:\n  - id: each\n    type: io.kestra.plugin.core.flow.ForEachItem\n    items: x\n"
     "    namespace: n\n    flowId: f\n    inputs:\n      file: \"{{ taskrun.items }}\"\n",              ""             },
};

static void values_exist_in_loops_only(void **state) {
    FlowTest *test = *state;
    for (size_t i = 0; i < COUNT(loops); i++) {
        print_message("%s\n", loops[i].name);
        flow_test_check(test, loops[i].flow);
        assert_str_equal(flow_test_findings(test, "E03"), str_from(loops[i].findings));
    }
}

static void a_text_of_plugin_defaults_is_judged_once(void **state) {
    FlowTest *test = *state;
    flow_test_check(test, "pluginDefaults:\n  - type: io.kestra.plugin.core.log\n    values:\n"
                          "      message: \"{{ inputs.x }}\"\ntasks:\n"
                          "  - id: a\n    type: io.kestra.plugin.core.log.Log\n"
                          "  - id: b\n    type: io.kestra.plugin.core.log.Log\n");
    assert_str_equal(flow_test_findings(test, NULL), STR("E0301 x\n"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names_are_found_or_reported, flow_test_setup,
                                        flow_test_teardown),
        cmocka_unit_test_setup_teardown(values_exist_in_loops_only, flow_test_setup,
                                        flow_test_teardown),
        cmocka_unit_test_setup_teardown(a_text_of_plugin_defaults_is_judged_once, flow_test_setup,
                                        flow_test_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
