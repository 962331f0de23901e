// diag_codes.c - the registry: every code there is, with its name, level and explanation.
//
// One file a block in codes/; rows stand in the order of their numbers, which the lookup relies on
// (a test holds it). A row without an explanation belongs to a check that is not there yet; whoever
// adds the check completes the row.
#include "base/attributes.h"
#include "diag/diag.h"

static const DiagCode codes[] = {
// The order is that of the numbers.
// clang-format off
#include "diag/codes/yaml.inc"
#include "diag/codes/structure.inc"
#include "diag/codes/references.inc"
#include "diag/codes/templates.inc"
#include "diag/codes/types.inc"
#include "diag/codes/values.inc"
#include "diag/codes/safety.inc"
    // clang-format on
};

const DiagCode *diag_codes(size_t *count) {
    *count = COUNT(codes);
    return codes;
}

const DiagCode *diag_code_find(Str code_or_name) {
    // By number first: the letter says the level, the digits are in order.
    if (code_or_name.len == 5) {
        size_t low = 0;
        size_t high = COUNT(codes);
        while (low < high) {
            const size_t middle = low + (high - low) / 2;
            const int order =
                str_cmp(str_from(codes[middle].code + 1), str_slice(code_or_name, 1, 5));
            if (order == 0) {
                if (str_eq_ignore_case(str_from(codes[middle].code), code_or_name)) {
                    return &codes[middle];
                }
                break;
            }
            if (order < 0) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
    }
    for (size_t i = 0; i < COUNT(codes); i++) {
        if (str_eq(str_from(codes[i].name), code_or_name)) return &codes[i];
    }
    return NULL;
}
