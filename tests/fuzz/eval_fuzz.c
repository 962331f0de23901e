// eval_fuzz.c - template text to its end: parsed, compiled to Lua, run within its budget. Whatever
// compiles is Lua that loads, and an evaluation ends with a value, an error or a question.
#include <stdlib.h>

#include "emit/emit.h"
#include "leaf/leaf.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static LeafVm *vm;
static Value context;

static void open_machine(void) {
    static Arena arena;
    const LeafOptions options = {
        .limits = {.steps = 200000, .bytes = 16 << 20, .milliseconds = 500}
    };
    Err err = leaf_vm_new(&options, &vm);
    if (err.code == ERR_NONE) {
        err = json_parse(STR("{\"inputs\":{\"a\":\"x\",\"n\":3,\"f\":1.5,\"b\":true,\"z\":null},"
                             "\"outputs\":{\"t\":{\"l\":[3,1,2],\"m\":{\"k\":\"v\"}}},"
                             "\"d\":\"2024-11-03T05:30:45.123Z\"}"),
                         (JsonLimits){0}, &arena, &context);
    }
    if (err.code != ERR_NONE) abort();
}

static void evaluate(Str lua, Arena *arena) {
    Buffer bytecode = {0};
    LeafRun run;
    const Err err = leaf_compile_lua(lua, STR("leaf"), &bytecode);
    if (err.code != ERR_NONE) abort();
    leaf_vm_set_chunk(vm, 0, buffer_str(&bytecode));
    if (leaf_start(&run, vm, 0, leaf_context_of_map(&context), arena) == LEAF_NEEDS) {
        leaf_stop(&run);
    }
    buffer_release(&bytecode);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    if (vm == NULL) open_machine();
    if (size > 8192) return 0;
    Arena arena = {0};
    Diags diags = {.arena = &arena};
    ExprParser *parser = expr_parser_new(&arena);
    Template *template = template_parse_text(parser, 0, (Str){(const char *)bytes, size}, &diags);
    if (!template->has_error) {
        Str lua = {0};
        const Err err = emit_template(template, LEAF_TYPED, CONVERT_ANY, &arena, &diags, &lua);
        if (err.code == ERR_NONE) evaluate(lua, &arena);
    }
    expr_parser_free(parser);
    arena_release(&arena);
    return 0;
}
