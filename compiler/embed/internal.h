// internal.h - what the files of this module share.
#ifndef FLOW_EMBED_INTERNAL_H
#define FLOW_EMBED_INTERNAL_H

#include <sys/types.h>

#include "embed/embed.h"

// --- places -------------------------------------------------------------------------------------

// The byte of a script at a line and column, both from 1, columns in code points. Behind the end:
// its length.
uint32_t script_offset(Script *script, Arena *arena, int64_t line, int64_t column);
// The bytes of the file for [start, end) of a script: at least a word where the range is empty.
Span script_span(const Script *script, uint32_t start, uint32_t end);
bool script_in_gap(const Script *script, uint32_t start, uint32_t end);
// Whether a text can be put in at a byte, and how it is to be written in that scalar.
bool script_escape(const Script *script, uint32_t at, Str text, Arena *arena, Span *place,
                   Str *out);

// --- tools --------------------------------------------------------------------------------------

// A program that runs: what it says is in `output`.
typedef struct ToolRun {
    pid_t pid;
    int output;
    const char *name;
} ToolRun;

// The program of that name on the PATH, or NULL.
const char *tool_find(Arena *arena, const char *name);
// A file in memory with that text, at its beginning; closed when a program is started that does not
// get it.
MUST_CHECK Err tool_file(Str text, int *out);
// Starts argv[0]. `input` becomes its standard input (-1: empty), `passed` are open in it under
// their own numbers. The caller keeps all of them.
MUST_CHECK Err tool_start(const char *const *argv, int input, const int *passed, size_t count,
                          ToolRun *out);
// Waits for it, reads what it said, and forgets it. Status 0 and 1 are fine; a program that takes
// longer than a minute is ended.
MUST_CHECK Err tool_finish(ToolRun *run, Arena *arena, Str *out);

// --- languages ----------------------------------------------------------------------------------

MUST_CHECK Err shell_check(const Scripts *scripts, const char *shellcheck, uint32_t jobs,
                           Diags *diags);
MUST_CHECK Err python_check(const Scripts *scripts, const char *python, Diags *diags);

#endif
