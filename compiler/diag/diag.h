// diag.h - findings: what is wrong with a flow, where, why, and how to repair it. Data, never
// printed here.
//
// Codes and names are those of the registry; they are for ever. A finding is added with its primary
// span and text and then given labels, notes and suggestions. Whoever adds one does not stop.
#ifndef FLOW_DIAG_DIAG_H
#define FLOW_DIAG_DIAG_H

#include "source/source.h"

typedef enum DiagLevel { DIAG_NOTE, DIAG_WARNING, DIAG_ERROR } DiagLevel;

const char *diag_level_name(DiagLevel level);  // "note", "warning", "error"

typedef struct DiagLabel {
    Span span;
    Str message;
} DiagLabel;

typedef struct DiagEdit {
    Span span;  // replaced by text
    Str text;
} DiagEdit;

typedef struct DiagSuggestion {
    Str message;
    bool is_safe;
    LIST_OF(DiagEdit) edits;
} DiagSuggestion;

typedef struct Diag {
    const char *code;  // "E0301"
    DiagLevel level;
    Span span;
    Str message;
    uint32_t targets;  // bits of Target; 0: all asked for
    LIST_OF(DiagLabel) labels;
    LIST_OF(Str) notes;
    LIST_OF(DiagSuggestion) suggestions;
    struct Diags *owner;
} Diag;

typedef struct Diags {
    Arena *arena;
    LIST_OF(Diag *) list;
    uint32_t muted;  // > 0: additions go nowhere (look-ahead, regions around a hole)
} Diags;

Diag *diag_add(Diags *diags, const char *code, DiagLevel level, Span span, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
// What turned out to be no mistake of its own.
void diag_take_back(const Diag *diag);
void diag_label(Diag *diag, Span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void diag_note(Diag *diag, const char *format, ...) __attribute__((format(printf, 2, 3)));
// "did you mean 'name'?" replacing the primary span; nothing where `name` is empty.
void diag_suggest(Diag *diag, Str name);
DiagSuggestion *diag_suggestion(Diag *diag, bool is_safe, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void diag_edit(Diag *diag, DiagSuggestion *suggestion, Span span, Str text);

// The registry: one row a code (diag_codes.c).
typedef struct DiagCode {
    const char *code, *name;
    DiagLevel level;
    const char *what;           // one line
    const char *explain;        // what, why; Markdown
    const char *wrong, *right;  // examples: whole flows
} DiagCode;
const DiagCode *diag_codes(size_t *count);
const DiagCode *diag_code_find(Str code_or_name);

// By file in the order given, offset, code.
void diags_sort(Diags *diags);
uint32_t diags_count(const Diags *diags, DiagLevel level);

typedef struct DiagStyle {
    bool colour;
    uint32_t width;  // of the terminal; 0: unlimited
} DiagStyle;

typedef struct DiagSummary {
    uint32_t files, skipped, ignored, baselined;
    uint32_t fixed, fixed_files;  // fixes applied
    Str targets[4];
    uint32_t target_count;
} DiagSummary;

struct Buffer;
void diags_render_text(const Diags *diags, const Sources *sources, DiagStyle style,
                       struct Buffer *out);
void diags_render_oneline(const Diags *diags, const Sources *sources, struct Buffer *out);
void diags_render_json(const Diags *diags, const Sources *sources, const DiagSummary *summary,
                       struct Buffer *out);
// SARIF 2.1.0, for code scanning.
void diags_render_sarif(const Diags *diags, const Sources *sources, struct Buffer *out);
// Workflow commands of GitHub Actions: annotations at the lines of a change.
void diags_render_github(const Diags *diags, const Sources *sources, struct Buffer *out);
// The code quality report of GitLab.
void diags_render_gitlab(const Diags *diags, const Sources *sources, struct Buffer *out);
// JUnit's XML: a suite per file, a failed case per finding.
void diags_render_junit(const Diags *diags, const Sources *sources, const DiagSummary *summary,
                        struct Buffer *out);

// What a finding is about, whatever stands above it: code, file, the line without the white space
// at its ends. The same for findings of one code on equal lines: they are counted.
typedef struct DiagKey {
    Str code, file, line;
} DiagKey;
DiagKey diag_key(const Diag *diag, const Sources *sources);
bool diag_key_eq(DiagKey a, DiagKey b);
// The file's name as reports want it: without "./" in front.
Str diag_report_path(Str name);
// Counts findings of equal keys. `DiagCounter counter = {.arena = …};` works.
typedef struct DiagCounter {
    Arena *arena;
    struct DiagCount {
        DiagKey key;
        uint32_t hash;  // 0: a free slot
        uint32_t count;
    } * slots;
    uint32_t used, capacity;
} DiagCounter;
// The count of a key, to be read and changed until the next call; 0 where it is new.
uint32_t *diag_counter_at(DiagCounter *counter, DiagKey key);

#endif
