// session.h - the driver: options and paths in, findings and artifacts out. No global state.
//
// A session reads the project file, expands paths, takes each file through the stages (syntax,
// flow, check, rules) and gathers what they find; for `compile` it goes on to plan and emit. Trees
// and models of a file live in an arena of their own and are gone when the file is done; sources
// and findings live as long as the session. Nothing here prints.
#ifndef FLOW_SESSION_SESSION_H
#define FLOW_SESSION_SESSION_H

#include "artifact/artifact.h"
#include "base/crypto.h"
#include "catalog/catalog.h"
#include "diag/diag.h"
#include "embed/embed.h"
#include "expr/expr.h"
#include "flow/flow.h"

typedef struct Texts {
    const char **items;
    uint32_t count;
} Texts;

typedef enum UnknownTypes {
    UNKNOWN_TYPES_DEFAULT,
    UNKNOWN_TYPES_ERROR,
    UNKNOWN_TYPES_WARN
} UnknownTypes;

// Scripts in flows: left alone, looked at by the tools that are there, or by all of them.
typedef enum EmbedMode { EMBED_OFF, EMBED_AUTO, EMBED_REQUIRE } EmbedMode;

typedef struct SessionOptions {
    const char *config;  // a project file; NULL: found upwards
    const char *target;  // "1.3,2.0"; NULL: the project's, else 1.3
    const char *files;   // folder of namespace files; NULL: the project's
    Texts catalogs, flows, excludes, externals;
    UnknownTypes unknown_types;
    EmbedMode embedded;
    bool is_strict;
    bool use_cache;    // results of earlier runs are taken, new ones kept
    bool is_any_yaml;  // findings in YAML that is no flow count too
    // For tests of the language: names that templates may start from, with commas between, and
    // then nothing folds; a map of names that are literals, so that what hangs on them folds. NULL:
    // none.
    const char *context_roots;
    const Value *context_literals;
} SessionOptions;

// What `.flowc.yaml` says. Paths are joined to its folder.
typedef struct Project {
    Str folder;  // "" where there is no project file
    uint32_t file;
    bool exists;
    uint32_t targets;
    Str files;
    LIST_OF(Str) catalogs, flows, excludes, externals;
    const Node *defaults;
    UnknownTypes unknown_types;
    bool is_strict;
    struct RuleLevel {
        const DiagCode *code;
        enum { RULE_OFF, RULE_NOTE, RULE_WARNING, RULE_ERROR } level;
    } * rules;
    uint32_t rule_count;
} Project;

typedef struct FlowIndex FlowIndex;
typedef struct Cache Cache;

// A file of which no earlier run knew the result.
typedef struct CacheMiss {
    Hash128 key;
    uint32_t file;
    DiagSummary counts;  // of this file alone
} CacheMiss;

// A comment that ignores what is found only when all files were read.
typedef struct LateIgnore {
    const DiagCode *code;
    Span name;
    uint32_t line;  // 0: the whole file
    bool is_used;
} LateIgnore;

// What waits for the end of a run: scripts, and the comments about them.
typedef struct Late {
    Scripts scripts;
    LIST_OF(LateIgnore) ignores;
    LIST_OF(uint32_t) ignored;  // the files of findings that they took off the list
} Late;

typedef struct Session {
    Arena arena;
    SessionOptions options;
    Sources sources;
    Diags diags;
    DiagSummary summary;
    Project project;
    Catalog *catalog;
    ExprParser *parser;
    uint32_t targets;
    FlowIndex *flows;          // those that are known besides the one at hand; NULL: none
    const char *start;         // as given to session_new()
    struct Session **workers;  // of threads: findings point into them
    uint32_t worker_count;
    Err write_error;  // the first file that could not be written; the others were
    Late late;
    Cache *cache;  // NULL: none
    LIST_OF(CacheMiss) misses;
    Err embed_error;  // a tool that failed: what it looks at was not checked, or not all of it
} Session;

// ERR_USAGE for options that make no sense. `start` is a path from which the project file is looked
// for upwards; NULL: the current folder.
MUST_CHECK Err session_new(const SessionOptions *options, const char *start, Session **out);
void session_free(Session *session);

// --- checking -----------------------------------------------------------------------------------

// Safe suggestions: left, applied to files, or shown as a unified diff.
typedef enum FixMode { FIX_NONE, FIX_WRITE, FIX_DIFF } FixMode;

// A file or folder to check; "-" takes `input`, named `input_name`.
typedef struct SessionInput {
    const char *const *paths;
    size_t count;
    Str input;
    Str input_name;
    uint32_t jobs;  // threads; 0 and 1: none but this one
    FixMode fix;
    Buffer *out;  // FIX_DIFF: the diffs; FIX_WRITE: what became of `input`
} SessionInput;

// Checks all of it. Findings, sorted, are in session->diags, counts in session->summary.
MUST_CHECK Err session_check(Session *session, const SessionInput *input);

// One flow through syntax, flow, check and rules.
typedef struct Unit {
    Arena arena;
    uint32_t file;
    Tree *tree;
    Flow *flow;  // of the first document; NULL: no flow
} Unit;

// `is_named`: what is no flow is an error (E0004), else it is skipped and counted.
void unit_check(Session *session, Unit *unit, uint32_t file, bool is_named);
void unit_release(Unit *unit);
FlowOptions session_flow_options(Session *session);
// Prefixes of types that handlers of the host run: those asked for, then the project's.
const Str *session_externals(Session *session, uint32_t *count);

// --- compiling ----------------------------------------------------------------------------------

typedef enum EmitKind { EMIT_ARTIFACT, EMIT_PLAN, EMIT_LUA } EmitKind;

typedef struct CompileRequest {
    const char *path;  // "-": input
    Str input, input_name;
    EmitKind emit;
    bool no_link, no_source;
    const SecretKey *keys;
    size_t key_count;
} CompileRequest;

typedef struct Compiled {
    Str flow_id, flow_namespace;
    bool has_triggers;
    Buffer bytes;        // the caller releases it
    LIST_OF(Str) reads;  // every file that was read, for --deps
} Compiled;

// Findings are in session->diags; *out has bytes only where there is no error among them.
MUST_CHECK Err session_compile(Session *session, const CompileRequest *request, Compiled *out);

// --- files --------------------------------------------------------------------------------------

typedef struct FoundFile {
    Str path;
    bool is_named;
    Str bytes;            // once flows_index() has read it
    Err *error;           // why it could not be read; NULL: it was
    bool rests_on_flows;  // what is found in it depends on which others are known
} FoundFile;

typedef struct FoundFiles {
    LIST_OF(FoundFile) list;
} FoundFiles;

// Files as they are; of folders all .yaml and .yml, bytewise ordered, without what .gitignore and
// `excludes` name, hidden folders and linked folders.
MUST_CHECK Err paths_expand(Session *session, const char *path, FoundFiles *found);
// All regular files below a folder, as paths relative to it, bytewise ordered.
MUST_CHECK Err paths_below(Arena *arena, Str folder, FoundFiles *found);
// A pattern with * ? [] {} and ** over a path with `/`.
bool glob_matches(Str pattern, Str path);

// --- .gitignore ---------------------------------------------------------------------------------

typedef struct IgnoreRule {
    Str pattern;
    Str folder;  // where the .gitignore stands, "" at the root of the walk
    bool is_negated, is_anchored, is_folder;
} IgnoreRule;

typedef struct IgnoreRules {
    LIST_OF(IgnoreRule) list;
} IgnoreRules;

void ignore_add(Arena *arena, IgnoreRules *rules, Str folder, Str text);
bool ignore_matches(const IgnoreRules *rules, Str path, bool is_folder);

// --- fixing -------------------------------------------------------------------------------------

// Checks the newest source and applies safe suggestions until nothing changes; then that source is
// the fixed text, and findings are those of it. Gives the number of fixes.
uint32_t fix_text(Session *session, uint32_t file, bool is_named);
// The same for a file, and what `input` asks for: writing it, or a diff.
MUST_CHECK Err fix_file(Session *session, const SessionInput *input, Str path, uint32_t file,
                        bool is_named);
// Replaces a file's bytes: links are not followed out of the project, and what changed meanwhile is
// left as it is (both ERR_CONFLICT).
MUST_CHECK Err fix_write(Session *session, Str path, Str before, Str after);

// --- the baseline -------------------------------------------------------------------------------

// Takes the findings that a file knows off the list and counts them. ERR_NOT_FOUND, ERR_USAGE (no
// baseline).
MUST_CHECK Err baseline_apply(Session *session, const char *path);
// Writes all findings to a file, and takes them off the list too.
MUST_CHECK Err baseline_write(Session *session, const char *path);

// --- used inside --------------------------------------------------------------------------------

// One file of session_check(), on top of what was found before.
void check_file(Session *session, const SessionInput *input, const FoundFile *found);
// All files, by input->jobs threads; sources and findings as one thread would leave them.
MUST_CHECK Err parallel_check(Session *session, const SessionInput *input, const FoundFiles *found);
// A path that cannot be read: E0001, E0002.
void session_report_unreadable(Session *session, Str name, Err err);
MUST_CHECK Err project_read(Session *session, const char *start);
bool targets_parse(Str text, uint32_t *targets);
// Comments `# flowc: ignore[…]`: takes findings of `file` from number `first` on off the list.
void ignores_apply(Session *session, const Tree *tree, uint32_t first);
// The same for scripts, once all files were read.
void ignores_apply_late(Session *session, uint32_t first);
// Looks at the scripts of all files. ERR_UNAVAILABLE where a tool is required and not there.
MUST_CHECK Err late_check(Session *session, uint32_t jobs);
// Forgets what waits from file number `file` on: it is read anew.
void late_forget(Session *session, uint32_t file);
// Levels of the project file and --strict, on findings from number `first` on.
void levels_apply(Session *session, uint32_t first);

#endif
