// jq_fuzz.c - `program NUL JSON`: paths of jq are read and run by our own code, within the budget.
// What is more than a path needs libjq, which is not asked here.
#include <stdlib.h>

#include "leaf/leaf.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static LeafVm *open_machine(void) {
    static Buffer bytecode;
    LeafVm *vm = NULL;
    const LeafOptions options = {
        .limits = {.steps = 1000000, .milliseconds = 1000}
    };
    Err err = leaf_compile_lua(STR("local rt = ... return function() return rt.value(rt.filter.jq("
                                   "1, rt.root('input', 1), rt.root('program', 1))) end"),
                               STR("jq"), &bytecode);
    if (err.code == ERR_NONE) err = leaf_vm_new(&options, &vm);
    if (err.code != ERR_NONE) abort();
    leaf_vm_set_chunk(vm, 0, buffer_str(&bytecode));
    return vm;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static LeafVm *vm;
    if (vm == NULL) vm = open_machine();
    Str rest = {(const char *)bytes, size}, program = {0};
    Arena arena = {0};
    Value input = value_null(), context = value_map(&arena);
    if (!str_split(&rest, '\0', &program)) return 0;
    Err err = json_parse(rest, (JsonLimits){0}, &arena, &input);
    if (err.code == ERR_NONE) {
        LeafRun run;
        value_map_set(&arena, context, STR("input"), input);
        value_map_set(&arena, context, STR("program"), value_text(program));
        LeafStatus status = leaf_start(&run, vm, 0, leaf_context_of_map(&context), &arena);
        if (status == LEAF_NEEDS) abort();
    }
    arena_release(&arena);
    return 0;
}
