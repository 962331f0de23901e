// secret_sink.c - a secret that reaches a place where it is kept or shown: a log, a label, an
// output, a key-value entry.
#include "rules/rule.h"

static const char *sink_of(const Site *site) {
    if (site->kind == SITE_OUTPUT) {
        bool is_secret = site->output->has_type && site->output->type == INPUT_SECRET;
        return is_secret ? NULL : "an output of the flow";
    }
    if (site->task == NULL || site->task->type == NULL) return NULL;
    static const struct {
        const char *type, *property, *sink;
    } rows[] = {
        {"log.Log",                "message",      "a log message"          },
        {"debug.Return",           "format",       "an output"              },
        {"debug.Echo",             "format",       "a log message"          },
        {"output.OutputValues",    "values",       "an output"              },
        {"kv.Set",                 "value",        "a key-value entry"      },
        {"execution.Labels",       "labels",       "a label"                },
        {"flow.Subflow",           "labels",       "a label"                },
        {"execution.SetVariables", "variables",    "a variable"             },
        {"execution.Fail",         "errorMessage", "a log message"          },
        {"flow.ForEach",           "values",       "the value of a task run"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (task_is(site->task, rows[i].type) &&
            str_eq(site_property(site), str_from(rows[i].property))) {
            return rows[i].sink;
        }
    }
    return NULL;
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    for (uint32_t i = 0; i < flow->checked->prints.count; i++) {
        const Print *print = &flow->checked->prints.items[i];
        const ExprType *type = expr_type(print->expr);
        if (type == NULL || type->typed.taint != TAINT_SECRET) continue;
        const char *sink = sink_of(print->site);
        if (sink == NULL) continue;
        diag_add(diags, rule->code, rule->level, print->expr->span, "a secret reaches %s: " STR_FMT,
                 sink, STR_ARG(type->taint_source));
    }
}

const Rule rule_secret_sink = {
    .code = "S0602",
    .name = "secret-sink",
    .level = DIAG_WARNING,
    .help = "What is logged, labelled or put out is kept and can be read by others.",
    .check = check,
};
