// model_test.c - the model: lists of tasks, wrappers, cases, defaults, retries.
#include "support/flow.h"

static Str lists_of(FlowTest *test) {
    static const char *const names[] = {"body",     "errors", "finally", "after",   "else",
                                        "defaults", "case",   "onPause", "listener"};
    Buffer out = {0};
    for (uint32_t i = 0; i < test->flow->all_tasks.count; i++) {
        const Task *task = test->flow->all_tasks.items[i];
        buffer_printf(&out, STR_FMT ":%s" STR_FMT " ", STR_ARG(task->id), names[task->group->list],
                      STR_ARG(task->group->key));
    }
    Str text = buffer_to_str(&out, &test->arena);
    buffer_release(&out);
    return text;
}

#define TASK(id) "{id: " id ", type: io.kestra.plugin.core.log.Log, message: x}"

static void every_list_is_found(void **state) {
    FlowTest *test = *state;
    static const struct {
        const char *flow, *lists;
    } rows[] = {
        {"tasks: [" TASK("a") "]\nerrors: [" TASK("b") "]\nfinally: [" TASK(
             "c") "]\nafterExecution: [" TASK("d") "]\n",
         "a:body b:errors c:finally d:after "                                                                         },
        {"tasks:\n  - {id: s, type: io.kestra.plugin.core.flow.Switch, value: x, cases: {one: "
         "[" TASK("a") "], two: [" TASK("b") "]}, defaults: [" TASK("c") "]}\n",
         "s:body a:caseone b:casetwo c:defaults "                                                                     },
        {"tasks:\n  - {id: i, type: io.kestra.plugin.core.flow.If, condition: x, then: [" TASK(
             "a") "], else: [" TASK("b") "], errors: [" TASK("c") "]}\n",
         "i:body a:body b:else c:errors "                                                                             },
        {"tasks:\n  - {id: p, type: io.kestra.plugin.core.flow.Pause, onPause: " TASK("a") "}\n",
         "p:body a:onPause "                                                                                          },
        {"tasks:\n  - {id: d, type: io.kestra.plugin.core.flow.Dag, tasks: [{task: " TASK(
             "a") "}, {task: " TASK("b") ", dependsOn: [a]}]}\n",
         "d:body a:body b:body "                                                                                      },
        {"tasks:\n  - {id: u, type: com.example.Unknown, tasks: [" TASK("a") "]}\n",
         "u:body a:body "                                                                                             },
        {"tasks: [" TASK("a") "]\nlisteners:\n  - tasks: [" TASK("b") "]\n",                      "a:body b:listener "},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        flow_test_build(test, rows[i].flow);
        assert_str_equal(lists_of(test), str_from(rows[i].lists));
    }
}

static void the_dependencies_of_a_dag_are_kept(void **state) {
    FlowTest *test = *state;
    flow_test_build(
        test, "tasks:\n  - {id: d, type: io.kestra.plugin.core.flow.Dag, tasks: [{task: " TASK(
                  "a") "}, {task: " TASK("b") ", dependsOn: [a]}]}\n");
    const Task *task = flow_find_task(test->flow, STR("b"));
    assert_int_equal(task->depends_on.count, 1);
    assert_str_equal(task->depends_on.items[0], STR("a"));
}

static Str value_of(FlowTest *test, const char *task, const char *property) {
    const Property *found =
        task_property(flow_find_task(test->flow, str_from(task)), str_from(property));
    if (found == NULL) return STR("(none)");
    return value_to_text(&test->arena, node_to_value(found->node, &test->arena));
}

// Exact over prefix, longer prefix over shorter; maps merge, lists are joined, forced wins.
static void plugin_defaults_are_merged(void **state) {
    FlowTest *test = *state;
    flow_test_build(
        test,
        "pluginDefaults:\n"
        "  - {type: io.kestra, values: {timeout: PT1S, logLevel: INFO}}\n"
        "  - {type: io.kestra.plugin.core.http, values: {timeout: PT2S, headers: {a: 1, b: 2}}}\n"
        "  - {type: io.kestra.plugin.core.http.Request, values: {headers: {b: 3}, method: POST}}\n"
        "  - {type: io.kestra.plugin.core.http.Request, forced: true, values: {contentType: x/y}}\n"
        "tasks:\n"
        "  - {id: t, type: io.kestra.plugin.core.http.Request, uri: u, method: PUT, headers: {c: "
        "4}, contentType: a/b}\n");
    assert_str_equal(value_of(test, "t", "timeout"), STR("PT2S"));
    assert_str_equal(value_of(test, "t", "logLevel"), STR("INFO"));
    assert_str_equal(value_of(test, "t", "method"), STR("PUT"));
    assert_str_equal(value_of(test, "t", "contentType"), STR("x/y"));
    assert_str_equal(value_of(test, "t", "headers"), STR("{\"a\":1,\"b\":3,\"c\":4}"));
}

static void lists_of_defaults_come_first(void **state) {
    FlowTest *test = *state;
    flow_test_build(test,
                    "pluginDefaults:\n"
                    "  - {type: io.kestra.plugin.scripts.shell, values: {beforeCommands: [a]}}\n"
                    "tasks:\n  - id: t\n    type: io.kestra.plugin.scripts.shell.Commands\n"
                    "    beforeCommands: [b]\n    commands: [c]\n");
    assert_str_equal(value_of(test, "t", "beforeCommands"), STR("[\"a\",\"b\"]"));
}

static void defaults_reach_what_stands_inside_a_task(void **state) {
    FlowTest *test = *state;
    flow_test_build(test,
                    "pluginDefaults:\n  - type: io.kestra.plugin.scripts.runner.docker.Docker\n"
                    "    values: {pullPolicy: NEVER}\n"
                    "tasks:\n  - id: t\n    type: io.kestra.plugin.scripts.shell.Commands\n"
                    "    commands: [c]\n    taskRunner:\n"
                    "      type: io.kestra.plugin.scripts.runner.docker.Docker\n");
    assert_str_equal(value_of(test, "t", "taskRunner"),
                     STR("{\"pullPolicy\":\"NEVER\",\"type\":\"io.kestra.plugin.scripts.runner."
                         "docker.Docker\"}"));
}

static void the_project_file_comes_behind_the_flow(void **state) {
    FlowTest *test = *state;
    uint32_t file = sources_add(&test->sources, STR("project.yaml"),
                                STR("defaults:\n  - {type: io.kestra.plugin.core.log.Log, values: "
                                    "{level: WARN, logToFile: true}}\n"));
    Tree *project = syntax_read(&test->sources, file, &test->arena, &test->diags);
    test->options.project_defaults = node_get(project->documents.items[0].root, STR("defaults"));
    flow_test_build(test, "pluginDefaults:\n"
                          "  - {type: io.kestra.plugin.core.log.Log, values: {level: ERROR}}\n"
                          "tasks:\n  - {id: t, type: io.kestra.plugin.core.log.Log, message: x}\n");
    assert_str_equal(value_of(test, "t", "level"), STR("ERROR"));
    assert_str_equal(value_of(test, "t", "logToFile"), STR("true"));
    assert_str_equal(flow_test_findings(test, NULL), STR(""));
}

static void a_duration_is_guessed_from_what_was_meant(void **state) {
    FlowTest *test = *state;
    static const struct {
        const char *written, *meant;
    } rows[] = {
        {"5m",         "PT5M"    },
        {"10 seconds", "PT10S"   },
        {"1h30m",      "PT1H30M" },
        {"P1W",        "P7D"     },
        {"2d",         "P2D"     },
        {"1d 2h",      "P1DT2H"  },
        {"500ms",      "PT0.500S"},
        {"soon",       ""        },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        assert_str_equal(duration_meant(&test->arena, str_from(rows[i].written)),
                         str_from(rows[i].meant));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_list_is_found, flow_test_setup, flow_test_teardown),
        cmocka_unit_test_setup_teardown(the_dependencies_of_a_dag_are_kept, flow_test_setup,
                                        flow_test_teardown),
        cmocka_unit_test_setup_teardown(plugin_defaults_are_merged, flow_test_setup,
                                        flow_test_teardown),
        cmocka_unit_test_setup_teardown(lists_of_defaults_come_first, flow_test_setup,
                                        flow_test_teardown),
        cmocka_unit_test_setup_teardown(defaults_reach_what_stands_inside_a_task, flow_test_setup,
                                        flow_test_teardown),
        cmocka_unit_test_setup_teardown(the_project_file_comes_behind_the_flow, flow_test_setup,
                                        flow_test_teardown),
        cmocka_unit_test_setup_teardown(a_duration_is_guessed_from_what_was_meant, flow_test_setup,
                                        flow_test_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
