// flow.h - a flow written in a test, taken through the stages; its findings as lines to compare.
//
// `CODE marked text`, one a line, sorted as the user sees them; `E0301!` is an error code at
// warning level. A fragment of a flow is enough: what is missing of id, namespace and tasks is put
// in front or behind.
#ifndef FLOW_TESTS_FLOW_H
#define FLOW_TESTS_FLOW_H

#include <string.h>

#include "plan/draft.h"
#include "rules/rule.h"
#include "support/test.h"

typedef struct FlowTest {
    Arena arena;
    Sources sources;
    Diags diags;
    Catalog *catalog;
    ExprParser *parser;
    Tree *tree;
    Flow *flow;
    FlowOptions options;
} FlowTest;

static inline FlowTest *flow_test_new(void) {
    FlowTest *test = heap_alloc(1, sizeof *test);
    test->sources.arena = &test->arena;
    test->diags.arena = &test->arena;
    test->catalog = catalog_new(&test->arena);
    test->parser = expr_parser_new(&test->arena);
    return test;
}

static inline void flow_test_free(FlowTest *test) {
    expr_parser_free(test->parser);
    arena_release(&test->arena);
    heap_free(test);
}

static inline bool flow_test_has_key(const char *text, const char *key) {
    size_t len = strlen(key);
    for (const char *at = text; at != NULL; at = strchr(at, '\n')) {
        if (*at == '\n') at++;
        if (strncmp(at, key, len) == 0 && at[len] == ':') return true;
    }
    return false;
}

// Builds the flow of a text; the findings of the run before are forgotten.
static inline Flow *flow_test_build(FlowTest *test, const char *text) {
    Str head = {0}, tail = {0};
    if (!flow_test_has_key(text, "namespace")) head = STR("id: a\nnamespace: b\n");
    if (!flow_test_has_key(text, "tasks")) {
        tail = STR(
            "\ntasks:\n  - id: last\n    type: io.kestra.plugin.core.log.Log\n    message: x\n");
    }
    Str bytes = str_concat(&test->arena, str_concat(&test->arena, head, str_from(text)), tail);
    uint32_t file = sources_add(&test->sources, STR("flow.yaml"), bytes);
    test->diags.list.count = 0;
    test->tree = syntax_read(&test->sources, file, &test->arena, &test->diags);
    test->flow = flow_build(test->tree, &test->tree->documents.items[0], test->catalog,
                            &test->options, &test->arena, &test->diags);
    return test->flow;
}

static inline void flow_test_check(FlowTest *test, const char *text) {
    Flow *flow = flow_test_build(test, text);
    assert_non_null(flow);
    CheckOptions options = {.targets = test->options.targets};
    check_flow(flow, test->catalog, test->parser, &options, &test->arena, &test->diags);
    rules_run(flow, &test->diags);
    diags_sort(&test->diags);
}

// The findings, one a line; with `only`, those whose code begins with it.
static inline Str flow_test_findings(FlowTest *test, const char *only) {
    Buffer out = {0};
    for (uint32_t i = 0; i < test->diags.list.count; i++) {
        const Diag *diag = test->diags.list.items[i];
        if (only != NULL && !str_starts_with(str_from(diag->code), str_from(only))) continue;
        bool is_softer = diag->code[0] == 'E' && diag->level != DIAG_ERROR;
        Str marked = source_text(&test->sources, diag->span);
        buffer_printf(&out, "%s%s " STR_FMT "\n", diag->code, is_softer ? "!" : "",
                      STR_ARG(str_slice(marked, 0, 60)));
    }
    Str text = buffer_to_str(&out, &test->arena);
    buffer_release(&out);
    return text;
}

static inline int flow_test_setup(void **state) {
    *state = flow_test_new();
    return 0;
}

static inline int flow_test_teardown(void **state) {
    flow_test_free(*state);
    return 0;
}

#endif
