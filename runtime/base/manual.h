// manual.h - manual pages, and completion for shells, made of the rows that commands read their
// options by: what a program says of itself cannot disagree with what it does.
#ifndef FLOW_BASE_MANUAL_H
#define FLOW_BASE_MANUAL_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/err.h"

typedef struct ManualOption {
    const char *name;     // without dashes
    char letter;          // 0: none
    const char *value;    // what follows it: "FILE", "text|json"; NULL: nothing
    const char *choices;  // words with | between, where `value` does not say them; NULL: see there
    const char *help;
} ManualOption;

typedef struct ManualCommand {
    const char *name, *usage, *summary;
    const char *text;  // more about it; NULL: nothing
    LIST_OF(ManualOption) options;
} ManualCommand;

typedef struct ManualStatus {
    int status;
    const char *meaning;
} ManualStatus;

typedef struct Manual {
    const char *program, *version, *summary;
    LIST_OF(ManualCommand) commands;
    const ManualStatus *statuses;
    size_t status_count;
} Manual;

// A page for man(1), section 1; `command` NULL: of the program.
void manual_page(const Manual *manual, const ManualCommand *command, Buffer *out);
// All pages, into a folder, which is made where it is not there.
MUST_CHECK Err manual_write(const Manual *manual, const char *folder);
// The script for "bash", "zsh" or "fish"; false for another name.
bool manual_completion(const Manual *manual, Str shell, Buffer *out);
const ManualCommand *manual_find(const Manual *manual, Str name);

#endif
