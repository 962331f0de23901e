// emit.h - leaf functions -> Lua source -> bytecode; task modules, namespace files and subflows
// linked in; the artifact.
//
// The manifest (section MANI) is canonical JSON:
//   id, namespace, compiler, bytecode, catalog, tzdata, host_api, leaf_abi, source_digest
//   effects      ["exec", "net", …] of the modules linked in
//   secrets, kv  names asked for by constants; secrets_dynamic, kv_dynamic: true where others may
//   be hosts, images, commands   what constants in properties name: sorted subflows
//   ["namespace.id", …] called by constants externals    task types that a handler of the host runs
//   inputs       [{"id", "type", "required", "values"?}]
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

// What one leaf became.
typedef struct EmittedLeaf {
    Str lua;       // source, for --emit=lua
    Str bytecode;  // empty where it folded
} EmittedLeaf;

// Compiles every leaf of the draft, folding what is constant. Findings: what evaluation cannot do
// yet is an error that says so. `first_site` numbers go into the source map.
void emit_leaves(PlanDraft *draft, const Sources *sources, Arena *arena, Diags *diags,
                 EmittedLeaf **leaves, uint32_t *count, SourceMap *map);
// The Lua source of one template by itself: flowc eval. `render` of a text that is not constant
// asks at run time (LEAF_NEED_RENDER), which a flow's leaves never do. ERR_INPUT with the first
// finding.
MUST_CHECK Err emit_template(const Template *tpl, LeafMode mode, ConvertTo convert, Arena *arena,
                             Diags *diags, Str *lua);
// The same for a node, at any depth: LEAF_OBJECT renders every text of it (flowc eval --mode
// object).
MUST_CHECK Err emit_node(const Node *node, LeafMode mode, ConvertTo convert, bool is_2_0,
                         Arena *arena, Diags *diags, Str *lua);
// All of it. The same input gives the same bytes. Nothing is written where a leaf could not be
// compiled: that is an error in diags.
MUST_CHECK Err emit_artifact(PlanDraft *draft, const EmitOptions *options, Catalog *catalog,
                             Arena *arena, Diags *diags, Buffer *out);
// --emit=plan: the tables as JSON for people and tools.
void emit_plan_json(const Plan *plan, Buffer *out);

#endif
