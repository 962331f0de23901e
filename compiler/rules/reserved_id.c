// reserved_id.c - flow ids that stand for something else in the addresses of the server.
#include "rules/rule.h"

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    static const char *const words[] = {"pause",   "resume", "force-run", "change-status",
                                        "kill",    "search", "source",    "executions",
                                        "disable", "enable"};
    for (size_t i = 0; i < COUNT(words); i++) {
        if (!str_eq(flow->id, str_from(words[i]))) continue;
        Diag *diag = diag_add(diags, rule->code, rule->level, flow->id_span,
                              "flow id '" STR_FMT "' is reserved", STR_ARG(flow->id));
        diag_suggest(diag, str_printf(diags->arena, STR_FMT "-flow", STR_ARG(flow->id)));
    }
}

const Rule rule_reserved_id = {
    .code = "E0115",
    .name = "reserved-id",
    .level = DIAG_ERROR,
    .help = "The id is part of an address that already means a command.",
    .check = check,
};
