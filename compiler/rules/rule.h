// rule.h - a lint rule: one file of this folder, found by the build.
//
// A rule looks at a whole flow, after its templates were checked (flow->checked is set), and adds
// findings. It never changes anything and knows of no other rule. What a rule repairs is in its
// suggestions.
#ifndef FLOW_RULES_RULE_H
#define FLOW_RULES_RULE_H

#include "check/check.h"

typedef struct Rule Rule;

struct Rule {
    const char *code;
    const char *name;
    DiagLevel level;
    const char *help;
    void (*check)(const Rule *rule, const Flow *flow, Diags *diags);
};

// All rules, ended by NULL.
extern const Rule *const rules_all[];
void rules_run(const Flow *flow, Diags *diags);

// --- what several rules ask ---------------------------------------------------------------------

// Calls `each` for the sites of a task's property of that name.
bool site_is_command(const Site *site);
Str rule_text(const Node *node);  // of a scalar, else empty
// A member that is there and not null.
const Node *rule_member(const Node *map, const char *name);

// Whether some text of a tree holds a path such as `inputs.id`, whether or not it is read there:
// braces were forgotten around it, which is reported as that.
bool rule_is_named(const Node *node, Str path);

// What is wrong with a literal as the value of an input. `text` says it as the rest of a sentence
// about that value: "is less than the 'min' of 3".
typedef struct ValueFault {
    Str text;
    const Node *at;       // the value, or an item of it
    Str nearest;          // of allowed values, or empty
    const Node *because;  // of the input: what the value contradicts; NULL: its type
} ValueFault;
// False where the value may do. Type first, then bounds, allowed values, pattern.
bool input_type_fault(const InputDecl *input, const Node *value, Arena *arena, ValueFault *out);
bool input_range_fault(const InputDecl *input, const Node *value, Arena *arena, ValueFault *out);
// The name of a variable of the environment for what a secret or a foreign text comes from.
Str rule_env_name(Arena *arena, Str source);
// Offers to move a printed expression from a shell's text into `env`; safe where it stands in
// double quotes and `is_short` says that any environment has room for it. False where it cannot be
// offered.
bool rule_move_to_env(const Flow *flow, const Print *print, Str name, bool is_short, Diag *diag);

#endif
