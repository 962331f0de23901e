// pattern.h - date patterns as operations: what pattern.c prints and pattern_parse.c reads.
#ifndef FLOW_VALUE_PATTERN_H
#define FLOW_VALUE_PATTERN_H

#include "value/time.h"

enum { DIGITS_MAX = 19 };

typedef enum OpKind {
    OP_LITERAL,
    OP_OPTIONAL_START,
    OP_OPTIONAL_END,
    OP_PAD,  // pads what the next operation prints to `count`
    OP_YEAR_OF_ERA,
    OP_YEAR,
    OP_WEEK_YEAR,
    OP_ISO_WEEK_YEAR,
    OP_MONTH,
    OP_DAY,
    OP_DAY_OF_YEAR,
    OP_QUARTER,
    OP_WEEK,
    OP_ISO_WEEK,
    OP_WEEK_OF_MONTH,
    OP_ALIGNED_WEEK,
    OP_WEEKDAY,        // text
    OP_LOCAL_WEEKDAY,  // number from Sunday, or text
    OP_ISO_WEEKDAY,    // number from Monday
    OP_HALF_DAY,
    OP_HOUR,     // 0-23
    OP_HOUR_24,  // 1-24
    OP_HOUR_11,  // 0-11
    OP_HOUR_12,  // 1-12
    OP_MINUTE,
    OP_SECOND,
    OP_FRACTION,
    OP_ISO_FRACTION,      // as many digits as there are, with the point
    OP_GROUPED_FRACTION,  // 0, 3, 6 or 9 digits, with the point
    OP_MILLI_OF_DAY,
    OP_NANO,
    OP_NANO_OF_DAY,
    OP_OFFSET,  // style: how it looks
    OP_OFFSET_WORD,
    OP_ZONE_ID,
    OP_ZONE_NAME,
    OP_ZONE_REGION,  // `[Europe/Paris]`, nothing for an offset
    OP_ERA,
    OP_TO_UTC,  // what follows is printed in UTC
} OpKind;

typedef struct Op {
    OpKind kind;
    uint8_t count;  // letters
    uint8_t style;  // of offsets: 1 to 5 as `X`, with OFFSET_Z for a zero written as Z
    Str text;       // of literals
} Op;

enum { OFFSET_Z = 16 };

struct DatePattern {
    const Op *ops;
    uint32_t count;
};

extern const char *const pattern_months[12];
extern const char *const pattern_weekdays[7];  // from Monday
// 0 is Monday.
int pattern_weekday(int64_t days);

#endif
