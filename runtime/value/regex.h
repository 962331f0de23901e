// regex.h - regular expressions by PCRE2, with match and depth limits. The language promises
// Java's; this is the nearest.
#ifndef FLOW_VALUE_REGEX_H
#define FLOW_VALUE_REGEX_H

#include "value/value.h"

typedef struct Regex Regex;  // freed by regex_free

MUST_CHECK Err regex_compile(Str pattern, Regex **out);  // ERR_INPUT names the offset
void regex_free(Regex *regex);
// Whole text; first place. ERR_LIMIT when a limit of matching is hit.
MUST_CHECK Err regex_matches(const Regex *regex, Str text, bool *out);
MUST_CHECK Err regex_find(const Regex *regex, Str text, size_t from, Str groups[],
                          size_t group_count, bool *out);
// How many groups the pattern has, without the whole match.
uint32_t regex_group_count(const Regex *regex);
// Java's replaceAll: $1, ${name}, \$ in the replacement.
MUST_CHECK Err regex_replace(const Regex *regex, Str text, Str replacement, Buffer *out);

#endif
