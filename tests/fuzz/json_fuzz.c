// json_fuzz.c - any bytes as JSON and as YAML: no crash, and what parses writes and parses back to
// the same value.
#include <stdlib.h>

#include "value/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    Arena arena = {0};
    Str text = {(const char *)bytes, size};
    Value value = value_null();
    Err err = json_parse(text, (JsonLimits){0}, &arena, &value);
    if (err.code == ERR_NONE) {
        Buffer out = {0};
        json_write(&out, value, JSON_COMPACT, 0);
        Value back = value_null();
        err = json_parse(buffer_str(&out), (JsonLimits){0}, &arena, &back);
        Buffer again = {0};
        if (err.code == ERR_NONE) json_write(&again, back, JSON_COMPACT, 0);
        if (!str_eq(buffer_str(&out), buffer_str(&again))) abort();
        buffer_release(&again);
        buffer_release(&out);
    }
    err = yaml_parse(text, &arena, &value);
    if (err.code == ERR_NONE && size > SIZE_MAX / 2) abort();
    arena_release(&arena);
    return 0;
}
