// embed.h - programs inside of flows: shell and Python scripts, checked by tools that are
// installed.
//
// Scripts are gathered flow by flow and looked at in the end, so that a run needs few processes.
// A script is the text that the task would run, with a word of the same length for each template,
// and knows of every byte where it stands in the file. No script is ever run.
#ifndef FLOW_EMBED_EMBED_H
#define FLOW_EMBED_EMBED_H

#include "flow/flow.h"

typedef enum ScriptLanguage {
    SCRIPT_NONE,
    SCRIPT_SH,
    SCRIPT_BASH,
    SCRIPT_KSH,
    SCRIPT_PYTHON
} ScriptLanguage;

// A scalar of the file, and where its text begins in the script.
typedef struct ScriptPart {
    uint32_t at;
    Node *scalar;  // a copy: no parent, no value
} ScriptPart;

// Bytes that stand for a template.
typedef struct ScriptGap {
    uint32_t start, end;
} ScriptGap;

typedef struct Script {
    uint32_t file;
    ScriptLanguage language;
    Str text;
    bool fails_fast;  // `set -e` holds
    bool is_sample;   // one of several texts: templates choose between pieces of it
    bool has_image;   // which shell `sh` is there, nobody knows
    LIST_OF(ScriptPart) parts;
    LIST_OF(ScriptGap) gaps;
    LIST_OF(uint32_t) lines;  // where they begin; made by script_offset()
} Script;

typedef struct Scripts {
    Arena *arena;
    LIST_OF(Script *) list;
} Scripts;

// Adds the scripts of a flow; nothing of the flow is borrowed but bytes of its file.
void scripts_collect(Scripts *scripts, const Flow *flow);

// Paths of the tools; NULL: not installed.
typedef struct EmbedTools {
    const char *shellcheck, *python;
} EmbedTools;
EmbedTools embed_tools(Arena *arena);

// Looks at all scripts, with at most `jobs` processes at a time. A tool that fails is an error
// (ERR_UNAVAILABLE, ERR_SYSTEM); what was found until then stays.
MUST_CHECK Err scripts_check(const Scripts *scripts, const EmbedTools *tools, uint32_t jobs,
                             Diags *diags);
// Whether a tool that is not there would have had something to do: its name, or NULL.
const char *scripts_missing_tool(const Scripts *scripts, const EmbedTools *tools);

#endif
