// cron.h - cron expressions as the language takes them (flow-language.md 6.2).
#ifndef FLOW_RULES_CRON_H
#define FLOW_RULES_CRON_H

#include "base/arena.h"
#include "base/str.h"

typedef struct CronResult {
    const char *problem;  // NULL: well formed
    Str at;               // the piece that is wrong
    bool is_never;        // well formed, but no date fits (30 February)
} CronResult;

CronResult cron_check(Str text, bool with_seconds);

#endif
