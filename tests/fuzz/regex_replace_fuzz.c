// regex_replace_fuzz.c - `pattern NUL replacement NUL text`: no crash, no long run, output in its
// limit.
#include <stdlib.h>

#include "value/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    Str rest = {(const char *)bytes, size}, pattern = {0}, replacement = {0};
    Regex *regex = NULL;
    if (size > 4096 || !str_split(&rest, '\0', &pattern) || !str_split(&rest, '\0', &replacement)) {
        return 0;
    }
    Err err = regex_compile(pattern, &regex);
    if (err.code != ERR_NONE) return 0;
    Buffer out = {0};
    bool found = false;
    Str groups[4];
    err = regex_replace(regex, rest, replacement, &out);
    if (err.code == ERR_NONE && out.len > (size_t)128 << 20) abort();
    err = regex_find(regex, rest, 0, groups, 4, &found);
    if (err.code == ERR_NONE && found && groups[0].ptr == NULL) abort();
    err = regex_matches(regex, rest, &found);
    buffer_release(&out);
    regex_free(regex);
    return err.code == ERR_SYSTEM;
}
