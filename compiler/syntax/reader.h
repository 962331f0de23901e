// reader.h - what the files of this module share while one source is read.
#ifndef FLOW_SYNTAX_READER_H
#define FLOW_SYNTAX_READER_H

#include "syntax/syntax.h"

// Code points (libyaml's unit) to byte offsets of the file.
typedef struct Offsets {
    Str bytes;
    uint32_t base;  // behind the byte-order mark
    bool is_ascii;
    uint32_t *marks;  // byte offset of every 64th code point
    uint32_t mark_count;
} Offsets;

void offsets_init(Offsets *offsets, Str bytes, uint32_t base, bool is_ascii, Arena *arena);
uint32_t offsets_byte(const Offsets *offsets, size_t point);

typedef struct BytesReport {
    bool is_utf8, is_ascii;
    uint32_t bad;         // offset of the first byte that is not UTF-8
    bool has_unreadable;  // characters no reader of YAML accepts; to be blanked
} BytesReport;

// Findings on characters (W0005, E0010) go to diags.
BytesReport bytes_check(const Source *source, uint32_t file, Diags *diags);
// Overwrites with blanks what no reader of YAML accepts; offsets stay.
void bytes_blank(char *bytes, size_t len);

// What the text handed to libyaml says otherwise than the file, because recovery repaired it.
typedef enum PatchKind {
    PATCH_HOLE,  // the scalar at `at` stands for something that cannot be read
    PATCH_TEXT,  // the scalar at `at` stands for the raw bytes, taken as plain text
    PATCH_KEY,   // the key at `at` stands for the raw bytes
} PatchKind;

typedef struct Patch {
    PatchKind kind;
    uint32_t at;          // where libyaml sees a scalar begin
    uint32_t start, end;  // raw bytes
} Patch;

typedef struct Reader {
    const Sources *sources;
    const Source *source;
    uint32_t file;
    Arena *arena;
    Arena scratch;
    Diags *diags;
    Str text;  // what libyaml reads: the file's bytes, or a patched copy of the same length
    Offsets offsets;
    LIST_OF(Patch) patches;
    uint32_t *patch_slots;  // open addressing over `at`: number + 1, 0 where free
    uint32_t patch_slot_count;
    LIST_OF(Span) reported;  // runs of lines that have a finding of recovery
    Tree *tree;
} Reader;

static inline Span reader_span(const Reader *reader, uint32_t start, uint32_t end) {
    return (Span){reader->file, start, end > start ? end - start : 0};
}

void patch_add(Reader *reader, Patch patch);
// The first patch at an offset; NULL where there is none.
const Patch *patch_find(const Reader *reader, uint32_t at);

// Where libyaml gave up.
typedef struct Failure {
    const char *problem, *context;
    uint32_t at, context_at;  // byte offsets; context_at == at where there is none
} Failure;

typedef enum BuildEnd { BUILD_DONE, BUILD_LIMIT, BUILD_FAILED } BuildEnd;

// Builds reader->tree from reader->text. BUILD_LIMIT: a limit was reported, the tree holds what
// stood before it.
BuildEnd tree_build(Reader *reader, Failure *failure);
// Only reads, to find the first failure.
BuildEnd tree_probe(Reader *reader, Failure *failure);

// Explains the failure (one finding, or none where the place has one already) and patches
// reader->text so that the rest can be read.
void recover(Reader *reader, const Failure *failure);

// Fills text, runs and span of a scalar that libyaml decoded to `decoded` and that begins at
// `start` (quote or block indicator) and ends before `end`.
void scalar_map(Reader *reader, Node *node, Str decoded, uint32_t start, uint32_t end);
void scalar_resolve(Node *node, Arena *arena);
// A scalar whose text is raw bytes, as they are.
void scalar_set_raw(const Reader *reader, Node *node, uint32_t start, uint32_t end);

// A repair: quotes around a piece of text, those in it doubled or escaped.
void suggest_quotes(const Reader *reader, Diag *diag, uint32_t start, uint32_t end);

// The ids a piece of text declares, by its words `id: name`.
void find_ids(Reader *reader, uint32_t start, uint32_t end, Node *hole);

#endif
