// emit.h - leaf functions -> Lua source -> bytecode; task modules, namespace files and subflows
// linked in; the artifact.
#ifndef FLOW_EMIT_EMIT_H
#define FLOW_EMIT_EMIT_H

#include "artifact/artifact.h"
#include "plan/draft.h"

typedef struct EmitOptions {
    bool no_source, no_link;
    const SecretKey *keys;
    size_t key_count;
    const ArtifactFile *files;  // namespace files to embed, sorted
    uint32_t file_count;
    const ArtifactFile *subflows;  // artifacts of linked subflows: name `namespace.id`
    uint32_t subflow_count;
    const Sources *sources;
} EmitOptions;

typedef struct EmittedLeaf {
    Str lua;       // source, for --emit=lua
    Str bytecode;  // empty where it folded
} EmittedLeaf;

// Compiles every leaf of the draft, folding what is constant. Findings: what evaluation cannot do
// yet is an error that says so. `first_site` numbers go into the source map.
void emit_leaves(PlanDraft *draft, const Sources *sources, Arena *arena, Diags *diags,
                 EmittedLeaf **leaves, uint32_t *count, SourceMap *map);
// The Lua source of one template by itself: flowc eval. `site_spans` gets the span of each site.
MUST_CHECK Err emit_template(const Template *tpl, LeafMode mode, ConvertTo convert, Arena *arena,
                             Diags *diags, Str *lua);
// All of it. The same input gives the same bytes.
MUST_CHECK Err emit_artifact(PlanDraft *draft, const EmitOptions *options, Catalog *catalog,
                             Arena *arena, Diags *diags, Buffer *out);
// --emit=plan: the tables as JSON for people and tools.
void emit_plan_json(const Plan *plan, Buffer *out);

#endif
