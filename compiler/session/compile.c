// compile.c - one flow through plan and emit: with the namespace files it uses and the flows it
// calls linked in.
//
// Which files: those an enabled `namespaceFiles` matches, those `manifests` names, those a literal
// read() names. Which flows: those a Subflow or ForEachItem names literally and that are found in
// the project or in --flows. What is not found stays a name that the host has to know.
#include <string.h>

#include "base/file.h"
#include "check/check.h"
#include "emit/emit.h"
#include "session/flows.h"
#include "session/session.h"

enum { LINK_DEPTH_MAX = 8 };

typedef struct Linker {
    Session *session;
    Compiled *compiled;
    const CompileRequest *request;
    LIST_OF(Str) active;  // "namespace.id" of the flows being compiled: a circle ends there
} Linker;

typedef struct Files {
    LIST_OF(ArtifactFile) list;
    size_t size;
} Files;

static void note_read(Linker *linker, Str path) {
    *LIST_ADD(&linker->session->arena, &linker->compiled->reads, Str) =
        str_dup(&linker->session->arena, path);
}

static bool has_template(Str text) {
    return str_find(text, STR("{{"), 0) != STR_NOT_FOUND ||
           str_find(text, STR("{%"), 0) != STR_NOT_FOUND;
}

// --- namespace files ----------------------------------------------------------------------------

static Str files_folder(const Session *session) {
    if (session->options.files != NULL) return str_from(session->options.files);
    return session->project.files;
}

static bool has_file(const Files *files, Str name) {
    for (uint32_t i = 0; i < files->list.count; i++) {
        if (str_eq(files->list.items[i].name, name)) return true;
    }
    return false;
}

static Err add_file(Linker *linker, Arena *arena, Files *files, Str name) {
    while (name.len > 0 && name.ptr[0] == '/') name = str_slice(name, 1, name.len);
    if (name.len == 0 || has_file(files, name)) return err_none();
    const Str path = path_join(arena, files_folder(linker->session), name);
    Str bytes = {0};
    TRY(file_read(str_to_c(arena, path), ARTIFACT_SIZE_MAX, arena, &bytes));
    files->size += bytes.len;
    if (files->size > ARTIFACT_SIZE_MAX) {
        return err_make(ERR_LIMIT, "the namespace files have more than %d bytes",
                        ARTIFACT_SIZE_MAX);
    }
    // In order of names, whatever asked for them first.
    ArtifactFile *last = LIST_ADD(arena, &files->list, ArtifactFile);
    uint32_t at = files->list.count - 1;
    for (; at > 0 && str_cmp(files->list.items[at - 1].name, name) > 0; at--) {
        files->list.items[at] = files->list.items[at - 1];
    }
    (void)last;
    files->list.items[at] = (ArtifactFile){str_dup(arena, name), bytes};
    note_read(linker, path);
    return err_none();
}

// Does one of the patterns of a text or list match? A template may match anything.
static bool patterns_match(const Node *patterns, Str name, bool of_template) {
    if (patterns == NULL) return false;
    if (patterns->type == YAML_SCALAR) {
        if (has_template(patterns->text)) return of_template;
        Str pattern = patterns->text;
        while (pattern.len > 0 && pattern.ptr[0] == '/') {
            pattern = str_slice(pattern, 1, pattern.len);
        }
        if (glob_matches(pattern, name)) return true;
        // A folder stands for all below it.
        return name.len > pattern.len && str_starts_with(name, pattern) && pattern.len > 0 &&
               (name.ptr[pattern.len] == '/' || pattern.ptr[pattern.len - 1] == '/');
    }
    for (uint32_t i = 0; i < patterns->items.count; i++) {
        if (patterns_match(patterns->items.items[i], name, of_template)) return true;
    }
    return false;
}

static Err add_matching(Linker *linker, Arena *arena, Files *files, const Node *settings) {
    const Node *enabled = node_get(settings, STR("enabled"));
    if (enabled != NULL && enabled->value.kind == VALUE_BOOL && !enabled->value.as.boolean) {
        return err_none();
    }
    if (settings->type != YAML_MAP) {
        // `namespaceFiles: true` is not of the language; nothing is matched by it.
        return err_none();
    }
    const Node *include = node_get(settings, STR("include"));
    const Node *exclude = node_get(settings, STR("exclude"));
    FoundFiles found = {0};
    TRY(paths_below(arena, files_folder(linker->session), &found));
    for (uint32_t i = 0; i < found.list.count; i++) {
        const Str name = found.list.items[i].path;
        if (str_starts_with(name, STR(".git/"))) continue;
        if (include != NULL && !node_is_null(include) && !patterns_match(include, name, true)) {
            continue;
        }
        if (patterns_match(exclude, name, false)) continue;
        TRY(add_file(linker, arena, files, name));
    }
    return err_none();
}

// A file that is named and there; one that is not may come to be in the working directory.
static Err add_named(Linker *linker, Arena *arena, Files *files, Str name) {
    if (name.len == 0 || has_template(name) || str_find(name, STR("://"), 0) != STR_NOT_FOUND) {
        return err_none();
    }
    const Str path = path_join(arena, files_folder(linker->session), name);
    if (name.ptr[0] != '/' && !path_exists(str_to_c(arena, path))) return err_none();
    if (str_find(name, STR(".."), 0) != STR_NOT_FOUND) return err_none();
    if (name.ptr[0] == '/') {
        const Str below =
            path_join(arena, files_folder(linker->session), str_slice(name, 1, name.len));
        if (!path_exists(str_to_c(arena, below))) return err_none();
    }
    return add_file(linker, arena, files, name);
}

static Err add_named_list(Linker *linker, Arena *arena, Files *files, const Node *node) {
    if (node->type == YAML_SCALAR) return add_named(linker, arena, files, node->text);
    for (uint32_t i = 0; i < node->items.count; i++) {
        const Node *item = node->items.items[i];
        if (item->type == YAML_SCALAR) TRY(add_named(linker, arena, files, item->text));
    }
    return err_none();
}

static Err gather_files(Linker *linker, Arena *arena, const Flow *flow, Files *files) {
    if (files_folder(linker->session).len == 0) return err_none();
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        const Task *task = flow->all_tasks.items[i];
        if (task->is_disabled) continue;
        const Property *settings = task_property(task, STR("namespaceFiles"));
        if (settings != NULL) TRY(add_matching(linker, arena, files, settings->node));
        const Property *manifests = task_property(task, STR("manifests"));
        if (manifests != NULL) TRY(add_named_list(linker, arena, files, manifests->node));
    }
    const Checked *checked = flow->checked;
    for (uint32_t i = 0; checked != NULL && i < checked->refs.count; i++) {
        const Ref *ref = &checked->refs.items[i];
        if (ref->kind == REF_FILE) TRY(add_named(linker, arena, files, ref->name));
    }
    return err_none();
}

// --- subflows -----------------------------------------------------------------------------------

static Err compile_file(Linker *linker, uint32_t file, bool is_main, Buffer *out);

static bool is_active(const Linker *linker, Str name) {
    for (uint32_t i = 0; i < linker->active.count; i++) {
        if (str_eq(linker->active.items[i], name)) return true;
    }
    return false;
}

static Err link_flow(Linker *linker, Arena *arena, Str flow_namespace, Str id, Files *subflows) {
    const Str name = str_printf(arena, STR_FMT "." STR_FMT, STR_ARG(flow_namespace), STR_ARG(id));
    if (has_file(subflows, name) || is_active(linker, name)) return err_none();
    if (linker->active.count >= LINK_DEPTH_MAX) {
        return err_make(ERR_LIMIT, "flows call each other more than %d deep", LINK_DEPTH_MAX);
    }
    Session *session = linker->session;
    const uint32_t found = flows_find(session->flows, flow_namespace, id);
    if (found == FLOW_NONE) return err_none();
    const Str path = session->flows->list.items[found].path;
    uint32_t file = 0;
    TRY(sources_read(&session->sources, str_to_c(arena, path), path, &file));
    note_read(linker, path);
    Buffer bytes = {0};
    Err err = compile_file(linker, file, false, &bytes);
    if (err.code == ERR_NONE && bytes.len > 0) {
        *LIST_ADD(arena, &subflows->list, ArtifactFile) =
            (ArtifactFile){name, buffer_to_str(&bytes, arena)};
    }
    buffer_release(&bytes);
    return err;
}

static Err gather_subflows(Linker *linker, Arena *arena, const Flow *flow, Files *subflows) {
    if (linker->request->no_link) return err_none();
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        FlowCall call = {0};
        if (!flow_call_of(flow->all_tasks.items[i], &call)) continue;
        TRY(link_flow(linker, arena, call.flow_namespace, call.id, subflows));
    }
    // By name: the same flow gives the same bytes whatever the order of its calls.
    for (uint32_t i = 1; i < subflows->list.count; i++) {
        const ArtifactFile moved = subflows->list.items[i];
        uint32_t at = i;
        for (; at > 0 && str_cmp(subflows->list.items[at - 1].name, moved.name) > 0; at--) {
            subflows->list.items[at] = subflows->list.items[at - 1];
        }
        subflows->list.items[at] = moved;
    }
    return err_none();
}

// --- one flow -----------------------------------------------------------------------------------

static bool has_errors(const Session *session) {
    return diags_count(&session->diags, DIAG_ERROR) > 0;
}

static PlanOptions plan_options(Session *session) {
    uint32_t count = 0;
    const Str *externals = session_externals(session, &count);
    return (PlanOptions){
        .targets = session->targets, .externals = externals, .external_count = count};
}

static void write_lua(const EmittedLeaf *leaves, uint32_t count, const PlanDraft *draft,
                      Buffer *out) {
    for (uint32_t i = 0; i < count; i++) {
        const LeafSpec *spec = &draft->leaves.items[i];
        buffer_printf(out, "-- leaf %u: " STR_FMT "\n", i, STR_ARG(spec->what));
        if (leaves[i].bytecode.len == 0) buffer_add(out, STR("-- folded into a constant\n"));
        buffer_add(out, leaves[i].lua);
        if (leaves[i].lua.len > 0 && leaves[i].lua.ptr[leaves[i].lua.len - 1] != '\n') {
            buffer_add_char(out, '\n');
        }
        buffer_add_char(out, '\n');
    }
}

static void write_tables(Linker *linker, Arena *arena, PlanDraft *draft, Buffer *out) {
    Session *session = linker->session;
    EmittedLeaf *leaves = NULL;
    uint32_t count = 0;
    SourceMap map = {0};
    emit_leaves(draft, &session->sources, arena, &session->diags, &leaves, &count, &map);
    if (has_errors(session)) return;
    if (linker->request->emit == EMIT_LUA) {
        write_lua(leaves, count, draft, out);
    } else {
        emit_plan_json(&draft->plan, out);
    }
}

static Err write_artifact(Linker *linker, Arena *arena, PlanDraft *draft, bool is_main,
                          Buffer *out) {
    Session *session = linker->session;
    Files files = {0};
    Files subflows = {0};
    TRY(gather_files(linker, arena, draft->flow, &files));
    TRY(gather_subflows(linker, arena, draft->flow, &subflows));
    if (has_errors(session)) return err_none();
    const EmitOptions options = {.no_source = linker->request->no_source,
                                 .no_link = linker->request->no_link,
                                 .keys = is_main ? linker->request->keys : NULL,
                                 .key_count = is_main ? linker->request->key_count : 0,
                                 .files = files.list.items,
                                 .file_count = files.list.count,
                                 .subflows = subflows.list.items,
                                 .subflow_count = subflows.list.count,
                                 .sources = &session->sources};
    TRY(emit_artifact(draft, &options, session->catalog, arena, &session->diags, out));
    if (has_errors(session)) buffer_clear(out);
    return err_none();
}

static Err compile_unit(Linker *linker, Unit *unit, bool is_main, Buffer *out) {
    Session *session = linker->session;
    const Flow *flow = unit->flow;
    if (has_errors(session) || flow == NULL) return err_none();
    if (is_main) {
        linker->compiled->flow_id = str_dup(&session->arena, flow->id);
        linker->compiled->flow_namespace = str_dup(&session->arena, flow->flow_namespace);
        linker->compiled->has_triggers = flow->triggers.count > 0;
    }
    *LIST_ADD(&session->arena, &linker->active, Str) = str_printf(
        &session->arena, STR_FMT "." STR_FMT, STR_ARG(flow->flow_namespace), STR_ARG(flow->id));
    const PlanOptions options = plan_options(session);
    PlanDraft *draft = plan_build(flow, session->catalog, &options, &unit->arena, &session->diags);
    draft->literals = session->options.context_literals;
    draft->no_fold = session->options.context_roots != NULL;
    Err err = err_none();
    if (!has_errors(session)) {
        if (is_main && linker->request->emit != EMIT_ARTIFACT) {
            write_tables(linker, &unit->arena, draft, out);
        } else {
            err = write_artifact(linker, &unit->arena, draft, is_main, out);
        }
    }
    plan_draft_release(draft);
    linker->active.count--;
    return err;
}

static Err compile_file(Linker *linker, uint32_t file, bool is_main, Buffer *out) {
    Unit unit = {0};
    unit_check(linker->session, &unit, file, true);
    const Err err = compile_unit(linker, &unit, is_main, out);
    unit_release(&unit);
    return err;
}

Err session_compile(Session *session, const CompileRequest *request, Compiled *out) {
    Linker linker = {.session = session, .compiled = out, .request = request};
    const SessionInput input = {.paths = &request->path,
                                .count = 1,
                                .input = request->input,
                                .input_name = request->input_name};
    FoundFiles found = {0};
    FoundFile *main_file = LIST_ADD(&session->arena, &found.list, FoundFile);
    main_file->path = str_dup(&session->arena, str_from(request->path));
    main_file->is_named = true;
    TRY(flows_index(session, &input, &found));
    // Alone, it may call what only the host knows.
    if (session->flows != NULL && !session->flows->has_places) session->flows = NULL;
    if (main_file->error != NULL) {
        session_report_unreadable(session, main_file->path, *main_file->error);
        return err_none();
    }
    const bool is_input = str_eq(main_file->path, STR("-"));
    const Str name = is_input ? request->input_name : main_file->path;
    const uint32_t file = sources_add(&session->sources, name, main_file->bytes);
    if (!is_input) note_read(&linker, name);
    if (session->project.exists) {
        note_read(&linker, sources_get(&session->sources, session->project.file)->name);
    }
    const Err err = compile_file(&linker, file, true, &out->bytes);
    diags_sort(&session->diags);
    return err;
}
