// json.c - filters and functions that write and read JSON and YAML.
#include "leaf/machine.h"

static int to_json(lua_State *L) {
    Buffer *out = leaf_scratch(L);
    leaf_print_json(L, FIRST_ARG, out);
    leaf_push_scratch(L);
    return 1;
}

static int from_json(lua_State *L) {
    if (leaf_kind(L, FIRST_ARG) == KIND_NULL) {
        leaf_push_null(L);
        return 1;
    }
    leaf_push_json(L, leaf_str(L, FIRST_ARG), LEAF_ERROR_VALUE, "the text is not JSON");
    return 1;
}

static Arena *result_arena(lua_State *L) {
    LeafVm *vm = vm_of(L);
    return vm->run != NULL ? vm->run->arena : &vm->arena;
}

static int yaml_filter(lua_State *L) {
    if (leaf_kind(L, FIRST_ARG) == KIND_NULL) {
        lua_pushliteral(L, "null");
        return 1;
    }
    Value value;
    Err err = leaf_to_value(L, FIRST_ARG, result_arena(L), &value);
    if (err.code != ERR_NONE) leaf_raise_err(L, LEAF_ERROR_VALUE, &err);
    Buffer *out = leaf_scratch(L);
    leaf_write_yaml(out, value);
    leaf_check_size(L, out);
    leaf_push_scratch(L);
    return 1;
}

static int yaml_function(lua_State *L) {
    Value value;
    Str text = leaf_str(L, FIRST_ARG);
    if (str_trim(text).len == 0) leaf_raise(L, LEAF_ERROR_VALUE, "an empty text is no YAML");
    leaf_charge(L, text.len / 16);
    Err err = yaml_parse(text, result_arena(L), &value);
    if (err.code != ERR_NONE) {
        leaf_raise(L, err.code == ERR_LIMIT ? LEAF_ERROR_LIMIT : LEAF_ERROR_VALUE,
                   "the text is not YAML%s%s", vm_of(L)->is_private ? "" : ": ",
                   vm_of(L)->is_private ? "" : err.text);
    }
    leaf_push_value(L, value);
    return 1;
}

const Builtin leaf_builtins_json[] = {
    {.kind = BUILTIN_FUNCTION,
     .name = "fromJson",
     .params = {{"json", "text|null"}},
     .result = "any",
     .run = from_json,
     .text = "The value a JSON text stands for.",
     .examples = "{{ fromJson('{\"ports\":[80,443]}').ports[1] }} => 443"},
    {.kind = BUILTIN_FUNCTION,
     .name = "json",
     .params = {{"json", "text|null"}},
     .result = "any",
     .flags = BUILTIN_NOT_2_0,
     .run = from_json,
     .text = "The older name of `fromJson`.",
     .examples = "{{ json('[1]')[0] }} => 1"},
    {.kind = BUILTIN_FILTER,
     .name = "json",
     .input = "any",
     .result = "text",
     .flags = BUILTIN_NULL_TAKEN | BUILTIN_NO_ARGUMENTS | BUILTIN_NOT_2_0 | BUILTIN_LAZY,
     .run = to_json,
     .text = "The older name of `toJson`.",
     .examples = "{{ [1,2] | json }} => [1,2]"},
    {.kind = BUILTIN_FILTER,
     .name = "toJson",
     .input = "any",
     .result = "text",
     .flags = BUILTIN_NULL_TAKEN | BUILTIN_NO_ARGUMENTS | BUILTIN_LAZY,
     .run = to_json,
     .text = "The value as JSON; a text gets quotes, null members of maps are left out.",
     .examples = "{{ 'x\"y' | toJson }} => \"x\\\"y\""},
    {.kind = BUILTIN_FILTER,
     .name = "yaml",
     .input = "any",
     .result = "text",
     .flags = BUILTIN_NULL_TAKEN | BUILTIN_NO_ARGUMENTS,
     .run = yaml_filter,
     .text = "The value as YAML in block style.",
     .examples = "{{ {'a': 'x'} | yaml }} => a: x\\n"},
    {.kind = BUILTIN_FUNCTION,
     .name = "yaml",
     .params = {{"yaml", "text"}},
     .result = "any",
     .run = yaml_function,
     .text = "The value of the first document of a YAML text (YAML 1.1 scalars).",
     .examples = "{{ yaml('on: yes') }} => {\"on\":true}"},
    {.name = NULL                                            },
};
