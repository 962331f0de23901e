// convert.h - from rendered text to the type of a property: the one conversion that checker, inputs
// and runtime share.
//
// Rules: expression-language.md 5.1 (properties), flow-language.md 2.3 (inputs and outputs).
#ifndef FLOW_VALUE_CONVERT_H
#define FLOW_VALUE_CONVERT_H

#include "value/value.h"

typedef enum ConvertTo {
    CONVERT_ANY,  // unchanged
    CONVERT_TEXT,
    CONVERT_INT,
    CONVERT_FLOAT,
    CONVERT_BOOL,
    CONVERT_DURATION,  // text in, ISO-8601 text out (canonical: PT5M)
    CONVERT_DATETIME,
    CONVERT_DATE,
    CONVERT_TIME,
    CONVERT_URI,
    CONVERT_LIST,  // text: JSON list
    CONVERT_MAP,   // text: JSON object
} ConvertTo;

// A property's value. Lists and maps are converted as such; their items by the caller. On failure
// ERR_INPUT with what was expected and what was received: "expected an integer, received 'abc'" (a
// secret is never shown).
MUST_CHECK Err value_convert(Value in, ConvertTo to, Arena *arena, Value *out);
// The name used in catalogs and messages: "string", "int", "number", "bool", "duration", …
const char *convert_name(ConvertTo to);

// Types of inputs and flow outputs, spelled as in the language.
typedef enum InputType {
    INPUT_STRING,
    INPUT_INT,
    INPUT_FLOAT,
    INPUT_BOOL,
    INPUT_BOOLEAN,
    INPUT_SELECT,
    INPUT_ENUM,
    INPUT_MULTISELECT,
    INPUT_ARRAY,
    INPUT_DATETIME,
    INPUT_DATE,
    INPUT_TIME,
    INPUT_DURATION,
    INPUT_FILE,
    INPUT_JSON,
    INPUT_YAML,
    INPUT_URI,
    INPUT_SECRET,
    INPUT_EMAIL,
    INPUT_FORM,
    INPUT_TYPE_COUNT,
} InputType;

const char *input_type_name(InputType type);
bool input_type_from(Str name, InputType *out);
// flow-language.md 2.3; `item` is the item type of ARRAY and MULTISELECT. FILE and SECRET pass text
// through.
MUST_CHECK Err value_convert_input(Value in, InputType type, InputType item, Arena *arena,
                                   Value *out);

// The truth of a condition's rendered text (design §20.22): trimmed, not one of `false`, `0`, `-0`,
// empty.
bool condition_is_true(Str text);

#endif
