// link.c - the artifact: leaves, the modules a flow uses with the libraries they use, files,
// subflows, the source map and the manifest, each in its section.
//
// Nothing in it depends on time, place or hash order: sections are sorted by the writer, modules
// stand in the order in which they are met, names in the manifest are sorted.
#include "emit/emit.h"
#include "emit/emitter.h"

typedef LIST_OF(Str) ModuleCodes;

// Index of a module in the plan, or UINT32_MAX.
static uint32_t find_module(const PlanDraft *draft, Str type) {
    for (uint32_t i = 0; i < draft->modules.count; i++) {
        if (str_eq(plan_text(&draft->plan, draft->modules.items[i].type), type)) return i;
    }
    return UINT32_MAX;
}

// The number of a code in the artifact; task types of one file share theirs.
static uint32_t code_number(Arena *arena, ModuleCodes *codes, Str code) {
    for (uint32_t i = 0; i < codes->count; i++) {
        if (codes->items[i].ptr == code.ptr) return i + 1;
    }
    *LIST_ADD(arena, codes, Str) = code;
    return codes->count;
}

// Gives every module of the plan its code, and adds the libraries they use to the plan.
static Err link_modules(PlanDraft *draft, Arena *arena, ModuleCodes *codes) {
    for (uint32_t i = 0; i < draft->modules.count; i++) {
        Str type = plan_text(&draft->plan, draft->modules.items[i].type);
        const StdModule *module = std_module_find(type);
        bool is_external = module == NULL;  // a handler of the host runs it
        if (is_external) module = std_module_find(STR("lib.external"));
        draft->modules.items[i].code = code_number(arena, codes, module->bytecode);
        if (!is_external) draft->modules.items[i].effects = module->effects;
        for (uint32_t u = 0; u < module->use_count; u++) {
            if (find_module(draft, module->uses[u]) != UINT32_MAX) continue;
            if (std_module_find(module->uses[u]) == NULL) {
                return err_make(ERR_NOT_FOUND,
                                "the module '" STR_FMT "' uses '" STR_FMT "', which there is not",
                                STR_ARG(type), STR_ARG(module->uses[u]));
            }
            PlanText text = draft_text(draft, module->uses[u]);
            draft->plan.strings = buffer_str(&draft->strings);
            LIST_ADD(arena, &draft->modules, PlanModule)->type = text;
        }
    }
    draft->plan.modules = draft->modules.items;
    draft->plan.module_count = draft->modules.count;
    return err_none();
}

static void add_chunks(ArtifactWriter *writer, const char *tag, const Str *chunks, uint32_t count,
                       Buffer *scratch) {
    buffer_clear(scratch);
    chunks_encode(chunks, count, scratch);
    artifact_add(writer, tag, buffer_str(scratch), true);
}

static void add_files(ArtifactWriter *writer, const char *tag, const ArtifactFile *files,
                      uint32_t count, Buffer *scratch) {
    if (count == 0) return;
    buffer_clear(scratch);
    files_encode(files, count, scratch);
    artifact_add(writer, tag, buffer_str(scratch), true);
}

Err emit_artifact(PlanDraft *draft, const EmitOptions *options, Catalog *catalog, Arena *arena,
                  Diags *diags, Buffer *out) {
    EmittedLeaf *leaves = NULL;
    SourceMap map = {0};
    Facts facts = {0};
    ModuleCodes codes = {0};
    uint32_t errors = diags_count(diags, DIAG_ERROR);
    emit_leaves_with_facts(draft, options->sources, arena, diags, &leaves, &map, &facts);
    if (diags_count(diags, DIAG_ERROR) > errors) return err_none();
    TRY(link_modules(draft, arena, &codes));

    Str *chunks = arena_array(arena, Str, draft->plan.leaf_count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < draft->leaves.count; i++) {
        if (leaves[i].bytecode.len > 0) chunks[count++] = leaves[i].bytecode;
    }
    Str source = options->sources != NULL ? sources_get(options->sources, draft->flow->file)->bytes
                                          : (Str){0};
    Buffer scratch = {0};
    ArtifactWriter *writer = artifact_writer_new();
    plan_encode(&draft->plan, &scratch);
    artifact_add(writer, "PLAN", buffer_str(&scratch), true);
    artifact_add(writer, "STRS", draft->plan.strings, true);
    add_chunks(writer, "LEAF", chunks, count, &scratch);
    add_chunks(writer, "MODS", codes.items, codes.count, &scratch);
    buffer_clear(&scratch);
    source_map_encode(&map, &scratch);
    artifact_add(writer, "SMAP", buffer_str(&scratch), true);
    add_files(writer, "FILE", options->files, options->file_count, &scratch);
    if (!options->no_link) {
        add_files(writer, "SUBF", options->subflows, options->subflow_count, &scratch);
    }
    if (!options->no_source) artifact_add(writer, "FLOW", source, false);
    buffer_clear(&scratch);
    manifest_write(draft, &facts, source, catalog, arena, &scratch);
    artifact_add(writer, "MANI", buffer_str(&scratch), true);
    artifact_seal(writer, options->keys, options->key_count, out);
    artifact_writer_free(writer);
    buffer_release(&scratch);
    return err_none();
}
