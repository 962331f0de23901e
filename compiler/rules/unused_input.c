// unused_input.c - an input that nothing of the flow reads.
#include "rules/rule.h"

// `inputs` as a whole, a name calculated at run time: any input may be meant.
static bool reads_all(const Flow *flow) {
    for (uint32_t i = 0; i < flow->checked->refs.count; i++) {
        const Ref *ref = &flow->checked->refs.items[i];
        if (ref->kind == REF_INPUT && ref->name.len == 0) return true;
    }
    return false;
}

// The whole flow is looked through for so many inputs that nothing reads; a flow has few.
enum { LOOKS_MAX = 32 };

static bool is_read(const Flow *flow, Str id) {
    for (uint32_t i = 0; i < flow->checked->refs.count; i++) {
        const Ref *ref = &flow->checked->refs.items[i];
        if (ref->kind != REF_INPUT) continue;
        if (str_eq(ref->name, id)) return true;
        // `inputs.form` reads `form.child`.
        if (str_starts_with(id, ref->name) && ref->name.len < id.len &&
            id.ptr[ref->name.len] == '.') {
            return true;
        }
    }
    for (uint32_t i = 0; i < flow->inputs.count; i++) {
        const InputDecl *other = flow->inputs.items[i];
        for (uint32_t k = 0; k < other->depends_on.count; k++) {
            if (str_eq(other->depends_on.items[k], id)) return true;
        }
    }
    return checked_may_mention(flow->checked, id);
}

static void check_inputs(const Rule *rule, const Flow *flow, InputDecl *const *inputs,
                         uint32_t count, Diags *diags) {
    uint32_t looks = 0;
    for (uint32_t i = 0; i < count; i++) {
        const InputDecl *input = inputs[i];
        if (input->children.count > 0) {
            check_inputs(rule, flow, input->children.items, input->children.count, diags);
            continue;
        }
        if (input->id.len == 0 || is_read(flow, input->id)) continue;
        Str path = str_printf(diags->arena, "inputs." STR_FMT, STR_ARG(input->id));
        if (looks++ < LOOKS_MAX && rule_is_named(flow->node, path)) continue;
        diag_add(diags, rule->code, rule->level, input->id_span,
                 "input '" STR_FMT "' is never used", STR_ARG(input->id));
    }
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    if (flow->has_holes || flow->has_gaps || reads_all(flow)) return;
    check_inputs(rule, flow, flow->inputs.items, flow->inputs.count, diags);
}

const Rule rule_unused_input = {
    .code = "W0212",
    .name = "unused-input",
    .level = DIAG_WARNING,
    .help = "Whoever starts the flow is asked for a value that changes nothing.",
    .check = check,
};
