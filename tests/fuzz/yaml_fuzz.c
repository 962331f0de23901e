// yaml_fuzz.c - any bytes as YAML data: what parses is written and parses back to the same value.
#include <stdlib.h>

#include "value/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    Arena arena = {0};
    Value value = value_null(), back = value_null();
    Err err = yaml_parse((Str){(const char *)bytes, size}, &arena, &value);
    if (err.code == ERR_NONE) {
        Buffer yaml = {0}, json = {0}, again = {0};
        yaml_write(&yaml, value);
        err = yaml_parse(buffer_str(&yaml), &arena, &back);
        if (err.code != ERR_NONE) abort();
        json_write(&json, value, JSON_COMPACT, 0);
        json_write(&again, back, JSON_COMPACT, 0);
        if (!str_eq(buffer_str(&json), buffer_str(&again))) abort();
        buffer_release(&again);
        buffer_release(&json);
        buffer_release(&yaml);
    }
    arena_release(&arena);
    return 0;
}
