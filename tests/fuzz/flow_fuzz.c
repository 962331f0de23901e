// flow_fuzz.c - any bytes as a flow: built, checked, judged by the rules, and planned where no
// error was found.
//
// Nothing crashes, hangs or leaks, and what the plan module writes the runtime opens.
#include <assert.h>
#include <string.h>

#include "plan/draft.h"
#include "rules/rule.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void plan_it(Flow *flow, Catalog *catalog, Arena *arena, Diags *diags) {
    static const Str externals[] = {
        {"io.",  3},
        {"com.", 4}
    };
    const PlanOptions options = {.externals = externals, .external_count = 2};
    PlanDraft *draft = plan_build(flow, catalog, &options, arena, diags);
    if (diags_count(diags, DIAG_ERROR) == 0) {
        Buffer out = {0};
        plan_encode(&draft->plan, &out);
        char *copy = arena_alloc(arena, out.len, 1, 8);
        memcpy(copy, out.ptr, out.len);
        Plan plan;
        Err err = plan_open((Str){copy, out.len}, draft->plan.strings, &plan);
        assert(err.code == ERR_NONE);
        (void)err;
        buffer_release(&out);
    }
    plan_draft_release(draft);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    if (size > 1 << 16) return 0;
    Arena arena = {0};
    Sources sources = {.arena = &arena};
    Diags diags = {.arena = &arena};
    const uint32_t file = sources_add(&sources, STR("flow.yaml"), (Str){(const char *)bytes, size});
    Tree *tree = syntax_read(&sources, file, &arena, &diags);
    Catalog *catalog = catalog_new(&arena);
    ExprParser *parser = expr_parser_new(&arena);
    for (uint32_t i = 0; i < tree->documents.count; i++) {
        const FlowOptions options = {.targets = size % 3 == 0 ? TARGET_2_0 : 0};
        const CheckOptions check = {.targets = options.targets};
        Flow *flow = flow_build(tree, &tree->documents.items[i], catalog, &options, &arena, &diags);
        if (flow == NULL) continue;
        check_flow(flow, catalog, parser, &check, &arena, &diags);
        rules_run(flow, &diags);
        if (diags_count(&diags, DIAG_ERROR) == 0) plan_it(flow, catalog, &arena, &diags);
    }
    expr_parser_free(parser);
    arena_release(&arena);
    return 0;
}
