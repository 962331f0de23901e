// input_cycle.c - inputs that wait for each other.
#include "rules/rule.h"

enum { CYCLE_MAX = 64 };

static bool reaches(const Flow *flow, const InputDecl *input, const InputDecl *start,
                    uint32_t depth, Str *path, Arena *arena) {
    for (uint32_t i = 0; i < input->depends_on.count && depth < CYCLE_MAX; i++) {
        const InputDecl *next = flow_find_input(flow, input->depends_on.items[i]);
        if (next == NULL || (next == input && next != start)) continue;
        if (next == start || reaches(flow, next, start, depth + 1, path, arena)) {
            Str rest = next == start ? start->id : *path;
            *path = str_printf(arena, STR_FMT " -> " STR_FMT, STR_ARG(input->id), STR_ARG(rest));
            return true;
        }
    }
    return false;
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    for (uint32_t i = 0; i < flow->inputs.count; i++) {
        const InputDecl *input = flow->inputs.items[i];
        Str path = {0};
        if (input->depends_on.count == 0) continue;
        if (!reaches(flow, input, input, 0, &path, diags->arena)) continue;
        diag_add(diags, rule->code, rule->level, input->depends_spans.items[0],
                 "inputs depend on each other: " STR_FMT, STR_ARG(path));
        return;  // the others of the cycle are the same mistake
    }
}

const Rule rule_input_cycle = {
    .code = "E0207",
    .name = "input-cycle",
    .level = DIAG_ERROR,
    .help = "An input is resolved after those it depends on; in a cycle none can be.",
    .check = check,
};
