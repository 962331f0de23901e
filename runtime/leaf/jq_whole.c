// jq_whole.c - jq programs beyond paths: the value goes to the helper as JSON and comes back so.
//
// A secret never goes: its plain value would leave the locked memory for a process that is not
// ours to wipe. libjq counts with doubles; where an integer comes out that a double cannot hold
// exactly, the program fails, since the digits it shows would be wrong. `null` members are kept,
// unlike in the language's own JSON: jq tells them from absent ones.
#include <string.h>

#include "leaf/jq_program.h"
#include "leaf/machine.h"

// Steps charged for a question, on top of what its bytes cost: as much as 30 ms of Lua would be
// 300,000, yet folding has to get some questions into its budget.
enum { STEPS = 10000, BYTES_PER_STEP = 16 };

#define EXACT_MAX INT64_C(9007199254740992)  // 2^53

bool leaf_jq_uses_clock(Str program) {
    bool uses_clock = false;
    Err err = jq_scan(program, &uses_clock);
    return err.code == ERR_NONE && uses_clock;
}

// Where jq's own compiler finds fault with a program, the reader of paths may have said it better.
static Err program_error(Err err, const Err *paths) {
    if (paths->code == ERR_INPUT && (err.code == ERR_INPUT || err.code == ERR_UNAVAILABLE)) {
        return *paths;
    }
    if (err.code != ERR_INPUT) return err;
    return err_make(ERR_INPUT, "this is no jq program: %s", err.text);
}

Err jq_whole_check(LeafVm *vm, Str program, const Err *paths) {
    const JqQuestion question = {.program = program};
    Buffer nothing = {0};
    uint64_t cpu_ns = 0;
    Err err = jq_ask(&vm->jq, &question, &nothing, &cpu_ns);
    buffer_release(&nothing);
    return err.code == ERR_NONE ? err : program_error(err, paths);
}

// Whether a number stands in it that a double may not hold exactly. Of what came out that is 2^53
// itself already, and floats too: libjq writes integers that grew that way.
static bool has_inexact(Str json, bool came_out) {
    const int64_t max = came_out ? EXACT_MAX - 1 : EXACT_MAX;
    JsonReader reader;
    json_reader_init(&reader, json, (JsonLimits){0});
    JsonToken token = JSON_NULL;
    bool is_found = false;
    while (!is_found && token != JSON_END && token != JSON_ERROR) {
        token = json_next(&reader);
        is_found = token == JSON_BIGNUM ||
                   (token == JSON_INT && (reader.integer > max || reader.integer < -max)) ||
                   (came_out && token == JSON_FLOAT && (reader.real > 9e15 || reader.real < -9e15));
    }
    json_reader_release(&reader);
    return is_found;
}

static void charge(lua_State *L, Str input, uint64_t cpu_ns) {
    LeafBudget *budget = vm_of(L)->budget;
    leaf_charge(L, STEPS + input.len / BYTES_PER_STEP);
    if (budget == NULL) return;
    budget->jq_ns += (int64_t)cpu_ns;
    if (budget->jq_ns <= (int64_t)JQ_TOTAL_MS * 1000000) return;
    leaf_raise(L, LEAF_ERROR_LIMIT, "the jq programs of the expression need more than %d ms",
               JQ_TOTAL_MS);
}

// Lines become items of a list, in place: no raw line break stands inside JSON.
static Str as_list(Buffer *lines) {
    for (size_t i = 0; i < lines->len; i++) {
        if (lines->ptr[i] == '\n') lines->ptr[i] = ',';
    }
    if (lines->ptr[lines->len - 1] == ',') lines->len--;
    buffer_add_char(lines, ']');
    return buffer_str(lines);
}

static void write_input(lua_State *L, int input, bool drops_nulls, Buffer *out) {
    LeafVm *vm = vm_of(L);
    Arena own = {0};
    Value value;
    Err err = leaf_to_value(L, input, &own, &value);
    if (err.code == ERR_NONE)
        json_write(out, value, JSON_COMPACT, drops_nulls ? JSON_DROP_NULLS : 0);
    arena_release(&own);
    if (err.code != ERR_NONE) leaf_raise_err(L, LEAF_ERROR_VALUE, &err);
    if (out->len > vm->limits.bytes) {
        leaf_raise(L, LEAF_ERROR_LIMIT, "the input of a jq program has more than %zu MiB",
                   vm->limits.bytes >> 20);
    }
}

int jq_whole(lua_State *L, int input, int program, bool drops_nulls, const Err *paths) {
    LeafVm *vm = vm_of(L);
    bool uses_clock;
    const JqQuestion scanned = {.program = leaf_str(L, program)};
    Err err = jq_scan(scanned.program, &uses_clock);
    if (err.code != ERR_NONE) leaf_raise_err(L, LEAF_ERROR_VALUE, &err);
    if (vm->is_private || leaf_holds_secret(L, input)) {
        leaf_raise(L, LEAF_ERROR_SECRET,
                   "a secret is given to no jq program beyond paths, since it would have to leave "
                   "the protected memory; use a path, or take the part with the 'key' of secret()");
    }
    Buffer *text = leaf_scratch(L), *results = leaf_scratch(L);
    write_input(L, input, drops_nulls, text);
    buffer_add_char(results, '[');
    const JqQuestion question = {scanned.program, buffer_str(text)};
    uint64_t cpu_ns = 0;
    err = jq_ask(&vm->jq, &question, results, &cpu_ns);
    charge(L, question.input, cpu_ns);
    if (err.code == ERR_CONFLICT) leaf_raise(L, LEAF_ERROR_VALUE, "jq: %s", err.text);
    if (err.code != ERR_NONE) {
        err = program_error(err, paths);
        leaf_raise_err(L, err.code == ERR_UNAVAILABLE ? LEAF_ERROR_UNKNOWN : LEAF_ERROR_VALUE,
                       &err);
    }
    const Str list = as_list(results);
    if (has_inexact(question.input, false) && has_inexact(list, true)) {
        leaf_raise(L, LEAF_ERROR_VALUE,
                   "jq counts with floating-point numbers, and an integer beyond %lld came out of "
                   "it; take it by a path instead",
                   (long long)EXACT_MAX);
    }
    leaf_charge(L, list.len / BYTES_PER_STEP);
    leaf_push_json(L, list, LEAF_ERROR_VALUE, "the results of jq are not JSON");
    leaf_scratch_end(L);
    leaf_scratch_end(L);
    return 1;
}
