// methods.c - what to write instead of a Java method or member (expression-language.md 4.7).
#include "base/attributes.h"
#include "expr/expr.h"

static const struct {
    const char *method, *instead;
} rows[] = {
    {"toUpperCase", "'| upper'"                                   },
    {"toLowerCase", "'| lower'"                                   },
    {"size",        "'| length'"                                  },
    {"length",      "'| length'"                                  },
    {"substring",   "'| slice(from, to)'"                         },
    {"subList",     "'| slice(from, to)'"                         },
    {"contains",    "'contains'"                                  },
    {"containsKey", "'contains'"                                  },
    {"startsWith",  "'| startsWith(text)'"                        },
    {"endsWith",    "'| endsWith(text)'"                          },
    {"replace",     "'| replace({\"from\": \"to\"})'"             },
    {"replaceAll",  "'| replace({\"from\": \"to\"}, regexp=true)'"},
    {"split",       "'| split(separator)'"                        },
    {"trim",        "'| trim'"                                    },
    {"strip",       "'| trim'"                                    },
    {"plusSeconds", "'| dateAdd(n, \"SECONDS\")'"                 },
    {"plusMinutes", "'| dateAdd(n, \"MINUTES\")'"                 },
    {"plusHours",   "'| dateAdd(n, \"HOURS\")'"                   },
    {"plusDays",    "'| dateAdd(n, \"DAYS\")'"                    },
    {"plusWeeks",   "'| dateAdd(n, \"WEEKS\")'"                   },
    {"plusMonths",  "'| dateAdd(n, \"MONTHS\")'"                  },
    {"plusYears",   "'| dateAdd(n, \"YEARS\")'"                   },
    {"minusDays",   "'| dateAdd(-n, \"DAYS\")'"                   },
    {"toString",    "'| string'"                                  },
    {"isEmpty",     "'is empty'"                                  },
    {"isBlank",     "'is empty'"                                  },
    {"empty",       "'is empty'"                                  },
    {"get",         "'[key]'"                                     },
    {"equals",      "'=='"                                        },
    {"keySet",      "'| keys'"                                    },
    {"values",      "'| values'"                                  },
    {"indexOf",     "'contains'"                                  },
    {"join",        "'| join(separator)'"                         },
    {"format",      "'| format(…)' or '| date(format)'"         },
    {"getYear",     "'| date(\"yyyy\")'"                          },
    {"year",        "'| date(\"yyyy\")'"                          },
};

Str method_replacement(Str method) {
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (str_eq(method, str_from(rows[i].method))) return str_from(rows[i].instead);
    }
    return (Str){0};
}
