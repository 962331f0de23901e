// plan_test.c - plans: a flow for every kind of node, its tables as a readable dump, and that the
// runtime opens what was built.
#include "support/flow.h"

// --- the dump -----------------------------------------------------------------------------------

static const char *mode_word(LeafMode mode) {
    switch (mode) {
    case LEAF_PROPERTIES:
        return "set";
    case LEAF_TEXT:
        return "text";
    case LEAF_TYPED:
        return "typed";
    case LEAF_CONDITION:
        return "condition";
    case LEAF_OBJECT:
        return "object";
    case LEAF_CONVERT:
        return "convert";
    }
    return "?";
}

static const LeafSpec *leaf_at(const PlanDraft *draft, const PlanLeaf *field) {
    for (uint32_t i = 0; i < draft->leaves.count; i++) {
        if (draft->leaves.items[i].target == field) return &draft->leaves.items[i];
    }
    return NULL;
}

static void dump_leaf(Buffer *out, const PlanDraft *draft, const char *name,
                      const PlanLeaf *field) {
    const LeafSpec *spec = leaf_at(draft, field);
    if (spec == NULL) return;
    buffer_printf(out, " %s=%s", name, mode_word(spec->mode));
    for (uint32_t i = 0; i < spec->properties.count; i++) {
        buffer_printf(out, "%s" STR_FMT, i == 0 ? ":" : ",",
                      STR_ARG(spec->properties.items[i].name));
    }
}

static void dump_flags(Buffer *out, uint32_t flags) {
    static const char *const names[] = {"allow-failure", "allow-warning", "pure",     "workdir",
                                        "pairs",         "wait",          "transmit", "inherit",
                                        "restart-new",   "fail-on-max",   "external", "log-to-file",
                                        "cache",         "secrets"};
    for (size_t i = 0; i < COUNT(names); i++) {
        if ((flags >> i & 1) != 0) buffer_printf(out, " %s", names[i]);
    }
}

static void dump_node(Buffer *out, PlanDraft *draft, uint32_t index) {
    static const char *const lists[] = {"", "errors ", "finally ", "extra ", "case "};
    const Plan *plan = &draft->plan;
    PlanNode *node = &draft->nodes.items[index];
    uint32_t depth = 0;
    for (uint32_t at = node->parent; at != 0; at = plan->nodes[at - 1].parent) depth++;
    buffer_add_repeat(out, ' ', depth * 2);
    buffer_printf(out, "%s", lists[node->list]);
    if (node->list == LIST_CASE) {
        const PlanNode *parent = &plan->nodes[node->parent - 1];
        Str key = plan_text(plan, plan->cases[parent->cases - 1 + node->list_case].key);
        buffer_printf(out, "'" STR_FMT "' ", STR_ARG(key));
    }
    buffer_printf(out, "%s " STR_FMT, plan_kind_name((NodeKind)node->kind),
                  STR_ARG(plan_text(plan, node->id)));
    dump_flags(out, node->flags);
    if (node->update != 0) buffer_printf(out, " update=%u", node->update);
    if (node->limit >= 0) buffer_printf(out, " limit=%d", node->limit);
    if (node->log_level != 0) buffer_printf(out, " level=%u", node->log_level);
    if (node->retry != 0) {
        const PlanRetry *retry = &plan->retries[node->retry - 1];
        buffer_printf(out, " retry=%s%u/%d/%lld", node->own_retry != 0 ? "own:" : "", retry->kind,
                      retry->max_attempts, (long long)retry->interval);
    }
    for (uint32_t i = 0; i < node->dep_count; i++) {
        const PlanNode *other = &plan->nodes[plan->deps[node->deps - 1 + i].node];
        buffer_printf(out, " after=" STR_FMT, STR_ARG(plan_text(plan, other->id)));
    }
    for (uint32_t i = 0; i < node->input_count; i++) {
        buffer_printf(out, " asks=" STR_FMT,
                      STR_ARG(plan_text(plan, plan->inputs[node->inputs - 1 + i].id)));
    }
    dump_leaf(out, draft, "if", &node->leaf_run_if);
    dump_leaf(out, draft, "timeout", &node->leaf_timeout);
    dump_leaf(out, draft, "props", &node->leaf_props);
    dump_leaf(out, draft, "a", &node->leaf_a);
    dump_leaf(out, draft, "b", &node->leaf_b);
    dump_leaf(out, draft, "c", &node->leaf_c);
    buffer_add_char(out, '\n');
}

static Str dump(FlowTest *test, PlanDraft *draft) {
    Buffer out = {0};
    for (uint32_t i = 1; i < draft->plan.node_count; i++) dump_node(&out, draft, i);
    Str text = buffer_to_str(&out, &test->arena);
    buffer_release(&out);
    return text;
}

static PlanDraft *build(FlowTest *test, const char *text) {
    static const Str externals[] = {
        {"com.example.", 12}
    };
    PlanOptions options = {.externals = externals, .external_count = 1};
    test->options.externals = externals;
    test->options.external_count = 1;
    flow_test_check(test, text);
    return plan_build(test->flow, test->catalog, &options, &test->arena, &test->diags);
}

// What the runtime reads is what was written.
static void assert_opens(FlowTest *test, const PlanDraft *draft) {
    Buffer bytes = {0};
    plan_encode(&draft->plan, &bytes);
    char *copy = arena_alloc(&test->arena, bytes.len, 1, 8);
    memcpy(copy, bytes.ptr, bytes.len);
    Plan plan;
    assert_ok(plan_open((Str){copy, bytes.len}, draft->plan.strings, &plan));
    assert_int_equal(plan.node_count, draft->plan.node_count);
    buffer_release(&bytes);
}

// --- nodes --------------------------------------------------------------------------------------

#define TASK(id) "{id: " id ", type: com.example.Task}"

static const struct {
    const char *name, *flow, *dump;
} rows[] = {
    {"a task with a module",
     "tasks:\n  - {id: t, type: io.kestra.plugin.core.log.Log, message: x, logLevel: WARN, "
     "timeout: PT5S, runIf: \"{{ true }}\", description: not rendered}\n",                                                    "  TASK t pure level=4 if=condition timeout=convert props=set:message\n"},
    {"a task of a handler",                  "tasks:\n  - {id: t, type: com.example.Task, a: 1, logToFile: true}\n",
     "  TASK t external log-to-file props=set:a\n"                                                                                                                                                    },
    {"a disabled task is left out",
     "tasks:\n  - {id: a, type: com.example.A, disabled: true}\n  - " TASK("b") "\n",
     "  TASK b external\n"                                                                                                                                                                            },
    {"the lists of the flow",
     "tasks: [" TASK("a") "]\nerrors: [" TASK("b") "]\nfinally: [" TASK(
         "c") "]\nafterExecution: [" TASK("d") "]\n",
     "  TASK a external\n  extra TASK d external\n  errors TASK b external\n"
     "  finally TASK c external\n"                                                                                                                                                                    },
    {"Sequential and AllowFailure",
     "tasks:\n  - {id: s, type: io.kestra.plugin.core.flow.Sequential, tasks: [" TASK(
         "a") "]}\n"
              "  - {id: f, type: io.kestra.plugin.core.flow.AllowFailure, tasks: [" TASK(
                  "b") "]}\n",
     "  SEQUENCE s\n    TASK a external\n  SEQUENCE f allow-failure\n    TASK b external\n"                                                                                                           },
    {"WorkingDirectory",
     "tasks:\n  - {id: w, type: io.kestra.plugin.core.flow.WorkingDirectory, inputFiles: {a: b}, "
     "tasks: [" TASK("a") "]}\n",
     "  SEQUENCE w workdir props=set:inputFiles\n    TASK a external\n"                                                                                                                               },
    {"Parallel",
     "tasks:\n  - {id: p, type: io.kestra.plugin.core.flow.Parallel, concurrent: 2, tasks: [" TASK(
         "a") ", " TASK("b") "], errors: [" TASK("c") "]}\n",
     "  PARALLEL p a=text\n    TASK a external\n    TASK b external\n    errors TASK c external\n"                                                                                                    },
    {"Dag",
     "tasks:\n  - {id: d, type: io.kestra.plugin.core.flow.Dag, tasks: [{task: " TASK(
         "a") "}, "
              "{task: {id: off, type: com.example.Task, disabled: true}}, {task: " TASK(
                  "b") ", dependsOn: [a, off]}]}\n",
     "  DAG d\n    TASK a external\n    TASK b external after=a\n"                                                                                                                                    },
    {"If",
     "tasks:\n  - {id: i, type: io.kestra.plugin.core.flow.If, condition: \"{{ true }}\", then: "
     "[" TASK("a") "], else: [" TASK("b") "]}\n",
     "  IF i a=condition\n    TASK a external\n    extra TASK b external\n"                                                                                                                           },
    {"Switch",
     "tasks:\n  - {id: s, type: io.kestra.plugin.core.flow.Switch, value: x, cases: {one: [" TASK(
         "a") "], none: [], two: [" TASK("b") "]}, defaults: [" TASK("c") "]}\n",
     "  SWITCH s a=text\n    case 'one' TASK a external\n    case 'two' TASK b external\n"
     "    extra TASK c external\n"                                                                                                                                                                    },
    {"ForEach over a list and over a text",
     "tasks:\n  - {id: e, type: io.kestra.plugin.core.flow.ForEach, values: [1, 2], "
     "concurrencyLimit: 3, tasks: [" TASK(
         "a") "]}\n"
              "  - {id: g, type: io.kestra.plugin.core.flow.ForEach, values: \"{{ [1] }}\", tasks: "
              "[" TASK("b") "]}\n",
     "  FOREACH e limit=3 a=object\n    TASK a external\n  FOREACH g limit=1 a=text\n"
     "    TASK b external\n"                                                                                                                                                                          },
    {"EachParallel and EachSequential",
     "tasks:\n  - {id: p, type: io.kestra.plugin.core.flow.EachParallel, value: [1], tasks: [" TASK(
         "a") "]}\n"
              "  - {id: s, type: io.kestra.plugin.core.flow.EachSequential, value: [1], tasks: "
              "[" TASK("b") "]}\n",
     "  FOREACH p pairs limit=0 a=object\n    TASK a external\n  FOREACH s limit=1 a=object\n"
     "    TASK b external\n"                                                                                                                                                                          },
    {"LoopUntil",
     "tasks:\n  - {id: l, type: io.kestra.plugin.core.flow.LoopUntil, condition: \"{{ true }}\", "
     "failOnMaxReached: true, checkFrequency: {interval: PT1S, maxIterations: 3}, tasks: [" TASK(
         "a") "]}\n",
     "  LOOP_UNTIL l a=condition b=set:interval,maxIterations c=condition\n    TASK a external\n"                                                                                                     },
    {"ForEachItem",
     "tasks:\n  - {id: e, type: io.kestra.plugin.core.flow.ForEachItem, items: x, batch: {rows: "
     "2}, namespace: n, flowId: f, inputs: {a: 1}, wait: false}\n",                                                           "  ITEMS e transmit a=text b=set:namespace,flowId,inputs c=object\n"    },
    {"Subflow",
     "tasks:\n  - {id: s, type: io.kestra.plugin.core.flow.Subflow, namespace: n, flowId: f, "
     "inheritLabels: true, restartBehavior: NEW_EXECUTION}\n",                                                                "  SUBFLOW s wait transmit inherit restart-new b=set:namespace,flowId\n"},
    {"Pause",
     "tasks:\n  - {id: p, type: io.kestra.plugin.core.flow.Pause, delay: PT1S, behavior: WARN, "
     "timeout: PT5S, onPause: " TASK("a") ", onResume: [{id: why, type: STRING}]}\n",
     "  PAUSE p asks=why a=set:pauseDuration,behavior,timeout\n    extra TASK a external\n"                                                                                                           },
    {"Sleep",                                "tasks:\n  - {id: s, type: io.kestra.plugin.core.flow.Sleep, duration: PT1S}\n",
     "  TIMER s props=set:duration\n"                                                                                                                                                                 },
    {"what the engine changes itself",
     "tasks:\n  - {id: l, type: io.kestra.plugin.core.execution.Labels, labels: {a: b}}\n"
     "  - {id: s, type: io.kestra.plugin.core.execution.SetVariables, variables: {a: b}}\n"
     "  - {id: u, type: io.kestra.plugin.core.execution.UnsetVariables, variables: [a]}\n"
     "  - {id: e, type: io.kestra.plugin.core.execution.Exit, state: SUCCESS}\n",                                             "  UPDATE l update=1 props=set:labels\n  UPDATE s update=2 props=set:variables\n"
     "  UPDATE u update=3 props=set:variables\n  UPDATE e update=4 props=set:state\n"                                },
    {"retries: own over ancestor over flow",
     "retry: {type: constant, interval: PT1S, maxAttempts: 2}\ntasks:\n"
     "  - {id: s, type: io.kestra.plugin.core.flow.Sequential, retry: {type: random, minInterval: "
     "PT2S, maxInterval: PT3S, maxAttempts: 3}, tasks: [" TASK(
         "a") ", {id: b, type: com.example.Task, retry: {type: exponential, interval: PT4S, "
              "maxInterval: PT9S, maxAttempts: 4}}]}\n"
              "  - " TASK("c") "\n",
     "  SEQUENCE s retry=own:2/3/2000\n    TASK a external retry=2/3/2000\n"
     "    TASK b external retry=own:1/4/4000\n  TASK c external retry=0/2/1000\n"                                                                                                                     },
    {"a task with a secret",
     "tasks:\n  - {id: t, type: com.example.Task, token: \"{{ secret('A') }}\", taskCache: "
     "{enabled: true, ttl: PT1H}}\n",                                                                                         "  TASK t external cache secrets props=set:token\n"                     },
    {"what plugin defaults bring",
     "pluginDefaults:\n  - {type: io.kestra.plugin.core.log, values: {level: WARN, nothing: 1}}\n"
     "tasks:\n  - {id: t, type: io.kestra.plugin.core.log.Log, message: x}\n",                                                "  TASK t pure props=set:level,message\n"                               },
};

static void every_kind_of_node_has_its_tables(void **state) {
    FlowTest *test = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        print_message("%s\n", rows[i].name);
        PlanDraft *draft = build(test, rows[i].flow);
        assert_str_equal(dump(test, draft), str_from(rows[i].dump));
        assert_opens(test, draft);
        plan_draft_release(draft);
    }
}

static void a_type_without_a_module_is_refused(void **state) {
    FlowTest *test = *state;
    PlanDraft *draft = build(test, "tasks:\n  - {id: t, type: org.other.Task}\n");
    assert_str_equal(flow_test_findings(test, "E0103"), STR("E0103 org.other.Task\n"));
    assert_str_equal(flow_test_findings(test, "W0121"), STR("W0121 org.other.Task\n"));
    plan_draft_release(draft);
}

// --- declarations -------------------------------------------------------------------------------

static void declarations_become_tables(void **state) {
    FlowTest *test = *state;
    PlanDraft *draft = build(
        test,
        "labels: {team: a, n: 1}\nvariables: {x: \"{{ 1 }}\"}\nconcurrency: {limit: 2, behavior: "
        "FAIL}\n"
        "inputs:\n  - {id: a, type: INT, min: 1, defaults: 2}\n"
        "  - {id: b, type: SELECT, values: [x, y], dependsOn: {inputs: [a], condition: \"{{ "
        "inputs.a > 1 }}\"}}\n"
        "  - {id: f, type: FORM, inputs: [{id: c, type: STRING, validator: \"[a-z]+\"}]}\n"
        "outputs:\n  - {id: o, type: STRING, value: \"{{ inputs.a }}\", required: false}\n"
        "sla:\n  - {id: s, type: MAX_DURATION, behavior: CANCEL, duration: PT1M, labels: {k: v}}\n"
        "checks:\n  - {condition: \"{{ inputs.a > 0 }}\", message: no, style: WARNING, behavior: "
        "FAIL_EXECUTION}\n"
        "triggers:\n  - {id: t, type: io.kestra.plugin.core.trigger.Schedule, cron: 0 0 * * *, "
        "inputs: {a: 3}, disabled: true, when: \"{{ true }}\"}\n"
        "tasks:\n  - {id: x, type: com.example.Task, v: \"{{ vars.x }}{{ inputs.b }}{{ inputs.f.c "
        "}}\"}\n");
    const Plan *plan = &draft->plan;
    assert_int_equal(diags_count(&test->diags, DIAG_ERROR), 0);
    assert_int_equal(plan->flow_input_count, 3);
    assert_str_equal(plan_text(plan, plan->inputs[0].min), STR("1"));
    assert_int_equal(plan->inputs[0].flags, INPUT_REQUIRED | INPUT_HAS_MIN);
    assert_int_equal(plan->inputs[1].value_count, 2);
    assert_str_equal(plan_text(plan, plan->texts[plan->inputs[1].depends - 1]), STR("a"));
    assert_int_equal(leaf_at(draft, &draft->inputs.items[1].condition)->mode, LEAF_TYPED);
    assert_str_equal(plan_text(plan, plan->inputs[2].id), STR("f.c"));
    assert_str_equal(plan_text(plan, plan->inputs[2].validator), STR("[a-z]+"));
    assert_int_equal(plan->flow_label_count, 2);
    assert_str_equal(plan_text(plan, plan->labels[1].value), STR("1"));
    assert_int_equal(plan->label_count, 3);
    assert_str_equal(plan_text(plan, plan->flow.variables), STR("{\"x\":\"{{ 1 }}\"}"));
    assert_int_equal(plan->flow.concurrency_limit, 2);
    assert_int_equal(plan->flow.concurrency_behavior, 2);
    assert_int_equal(plan->outputs[0].flags, 0);
    assert_int_equal(plan->slas[0].duration, 60000);
    assert_int_equal(plan->slas[0].behavior, 1);
    assert_int_equal(plan->checks[0].style, 2);
    assert_int_equal(plan->checks[0].behavior, 1);
    assert_int_equal(plan->triggers[0].flags, 1);
    assert_str_equal(plan_text(plan, plan->triggers[0].config),
                     STR("{\"cron\":\"0 0 * * *\",\"disabled\":true}"));
    assert_non_null(leaf_at(draft, &draft->triggers.items[0].props));
    assert_non_null(leaf_at(draft, &draft->triggers.items[0].condition));
    assert_opens(test, draft);
    plan_draft_release(draft);
}

static void equal_texts_stand_once_in_the_pool(void **state) {
    FlowTest *test = *state;
    PlanDraft *draft = build(test, "tasks: [" TASK("a") "]\n");
    PlanText first = draft_text(draft, STR("again"));
    size_t size = draft->strings.len;
    assert_int_equal(draft_text(draft, STR("again")), first);
    assert_int_equal(draft->strings.len, size);
    assert_int_equal(draft_text(draft, STR("")), 0);
    for (int i = 0; i < 1000; i++) draft_text(draft, str_printf(&test->arena, "text %d", i));
    assert_int_equal(draft_text(draft, STR("again")), first);
    assert_str_equal(plan_text(&draft->plan, first), STR("again"));
    plan_draft_release(draft);
}

static void the_same_flow_gives_the_same_bytes(void **state) {
    FlowTest *test = *state;
    Buffer bytes[2] = {{0}, {0}};
    for (int i = 0; i < 2; i++) {
        PlanDraft *draft = build(test, rows[COUNT(rows) - 3].flow);
        plan_encode(&draft->plan, &bytes[i]);
        buffer_add(&bytes[i], draft->plan.strings);
        plan_draft_release(draft);
    }
    assert_true(str_eq(buffer_str(&bytes[0]), buffer_str(&bytes[1])));
    buffer_release(&bytes[0]);
    buffer_release(&bytes[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_kind_of_node_has_its_tables, flow_test_setup,
                                        flow_test_teardown),
        cmocka_unit_test_setup_teardown(a_type_without_a_module_is_refused, flow_test_setup,
                                        flow_test_teardown),
        cmocka_unit_test_setup_teardown(declarations_become_tables, flow_test_setup,
                                        flow_test_teardown),
        cmocka_unit_test_setup_teardown(equal_texts_stand_once_in_the_pool, flow_test_setup,
                                        flow_test_teardown),
        cmocka_unit_test_setup_teardown(the_same_flow_gives_the_same_bytes, flow_test_setup,
                                        flow_test_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
