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
    Str targets[4];
    uint32_t target_count;
} DiagSummary;

struct Buffer;
void diags_render_text(const Diags *diags, const Sources *sources, DiagStyle style,
                       struct Buffer *out);
void diags_render_oneline(const Diags *diags, const Sources *sources, struct Buffer *out);
void diags_render_json(const Diags *diags, const Sources *sources, const DiagSummary *summary,
                       struct Buffer *out);

#endif
