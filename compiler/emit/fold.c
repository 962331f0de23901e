// fold.c - what can be known now: the values of leaves that ask for nothing, and builtins that
// would refuse their constant arguments wherever they are reached.
//
// A leaf that reads no context and asks nothing of the world gives the same value everywhere; it is
// evaluated here by the machine that evaluates it at run time, under a budget of steps (never of
// time: the same source must give the same bytes). What fails here is left to fail where it is
// reached. A constant is written as JSON with its keys in their order, since maps keep it.
// What a jq program beyond paths gives is known only where libjq is installed; elsewhere the leaf
// stays one.
#include "emit/emitter.h"

enum { FOLDED_SIZE_MAX = 4096, FOLDING_STEPS_MAX = 200000, FOLDING_BYTES_MAX = 8 << 20 };

// Chunks stay loaded in a machine; a new one is taken now and then.
enum { CHUNKS_PER_MACHINE = 256 };

static bool is_finite(Value value) {
    switch (value.kind) {
    case VALUE_FLOAT:
        return value.as.real - value.as.real == 0.0;
    case VALUE_LIST:
        for (uint32_t i = 0; i < value.as.list->count; i++) {
            if (!is_finite(value.as.list->items[i])) return false;
        }
        return true;
    case VALUE_MAP:
        for (uint32_t i = 0; i < value.as.map->count; i++) {
            if (!is_finite(value.as.map->members[i].value)) return false;
        }
        return true;
    case VALUE_UNDEFINED:
        return false;
    case VALUE_NULL:
    case VALUE_BOOL:
    case VALUE_INT:
    case VALUE_BIGNUM:
    case VALUE_TEXT:
    case VALUE_SECRET:
        break;
    }
    return true;
}

// A machine with room for one more chunk; NULL where there is no memory for one.
static LeafVm *machine(Emitter *emitter) {
    if (emitter->machine != NULL && emitter->machine_chunks < CHUNKS_PER_MACHINE) {
        return emitter->machine;
    }
    leaf_vm_free(emitter->machine);
    emitter->machine = NULL;
    emitter->machine_chunks = 0;
    const LeafOptions options = {
        .limits = {.steps = FOLDING_STEPS_MAX, .bytes = FOLDING_BYTES_MAX, .milliseconds = 60000}
    };
    Err err = leaf_vm_new(&options, &emitter->machine);
    return err.code == ERR_NONE ? emitter->machine : NULL;
}

// Evaluates a chunk without a context.
static LeafStatus evaluate(Emitter *emitter, Str bytecode, LeafRun *run) {
    if (machine(emitter) == NULL) return LEAF_NEEDS;
    uint32_t number = emitter->machine_chunks++;
    leaf_vm_set_chunk(emitter->machine, number, bytecode);
    Value nothing = value_map(emitter->arena);
    LeafStatus status =
        leaf_start(run, emitter->machine, number, leaf_context_of_map(&nothing), emitter->arena);
    if (status == LEAF_NEEDS) leaf_stop(run);
    return status;
}

bool fold(Emitter *emitter, Str bytecode, Buffer *json) {
    LeafRun run = {0};
    if (evaluate(emitter, bytecode, &run) != LEAF_DONE) return false;
    if (value_has_secret(run.value) || !is_finite(run.value)) return false;
    json_write(json, run.value, JSON_COMPACT, 0);
    return json->len <= FOLDED_SIZE_MAX;
}

void check_jq(Emitter *emitter, const Expr *program) {
    LeafVm *vm = machine(emitter);
    if (vm == NULL) return;
    Err err = leaf_check_jq(vm, program->text);
    // Where jq is not at hand the host will tell.
    if (err.code != ERR_INPUT && err.code != ERR_REFUSED && err.code != ERR_LIMIT) return;
    emit_error(emitter, "E0405", program->span, "%s", err.text);
}
