// session.c - a session from its options to its end, and the way of one file through the stages.
#include "session/session.h"

#include <string.h>

#include "base/file.h"
#include "check/check.h"
#include "rules/rule.h"
#include "session/cache.h"
#include "session/flows.h"

static Err read_catalogs(Session *session) {
    session->catalog = catalog_new(&session->arena);
    const uint32_t named = session->options.catalogs.count;
    const uint32_t count = named + session->project.catalogs.count;
    for (uint32_t i = 0; i < count; i++) {
        const Str path = i < named ? str_from(session->options.catalogs.items[i])
                                   : session->project.catalogs.items[i - named];
        FoundFiles found = {0};
        TRY(paths_expand(session, str_to_c(&session->arena, path), &found));
        for (uint32_t k = 0; k < found.list.count; k++) {
            uint32_t file = 0;
            const Str name = found.list.items[k].path;
            TRY(sources_read(&session->sources, str_to_c(&session->arena, name), name, &file));
            const Tree *tree =
                syntax_read(&session->sources, file, &session->arena, &session->diags);
            catalog_add(session->catalog, &session->sources, tree, &session->diags);
        }
    }
    return err_none();
}

static Err choose_targets(Session *session) {
    session->targets = session->project.targets == 0 ? TARGET_1_3 : session->project.targets;
    const char *asked = session->options.target;
    if (asked != NULL && !targets_parse(str_from(asked), &session->targets)) {
        return err_make(ERR_USAGE, "unknown target '%s': known are 0.20, 1.3 and 2.0", asked);
    }
    static const char *const names[] = {"0.20", "1.3", "2.0"};
    for (uint32_t i = 0; i < COUNT(names); i++) {
        if ((session->targets & (1U << i)) == 0) continue;
        session->summary.targets[session->summary.target_count++] = str_from(names[i]);
    }
    return err_none();
}

Err session_new(const SessionOptions *options, const char *start, Session **out) {
    Session *session = heap_alloc(1, sizeof *session);
    session->options = *options;
    session->start = start;
    session->sources.arena = &session->arena;
    session->diags.arena = &session->arena;
    session->late.scripts.arena = &session->arena;
    Err err = project_read(session, start);
    if (err.code == ERR_NONE) err = choose_targets(session);
    if (err.code == ERR_NONE) err = read_catalogs(session);
    if (err.code == ERR_NONE) {
        session->parser = expr_parser_new(&session->arena);
        expr_parser_set_2_0(session->parser, session->targets == TARGET_2_0);
        *out = session;
    } else {
        session_free(session);
    }
    return err;
}

void session_free(Session *session) {
    if (session == NULL) return;
    for (uint32_t i = 0; i < session->worker_count; i++) session_free(session->workers[i]);
    if (session->parser != NULL) expr_parser_free(session->parser);
    Arena arena = session->arena;
    heap_free(session);
    arena_release(&arena);
}

// --- one file -----------------------------------------------------------------------------------

void unit_release(Unit *unit) {
    arena_release(&unit->arena);
}

// A file that cannot be read as YAML at all: was a flow meant?
static bool looks_like_flow(const Source *source) {
    return str_starts_with(source->bytes, STR("tasks:")) ||
           str_find(source->bytes, STR("\ntasks:"), 0) != STR_NOT_FOUND;
}

static bool has_error(const Session *session, uint32_t first) {
    for (uint32_t i = first; i < session->diags.list.count; i++) {
        if (session->diags.list.items[i]->level == DIAG_ERROR) return true;
    }
    return false;
}

static void report_no_flow(Session *session, const Node *root) {
    Span span = root->span;
    if (root->type == YAML_MAP && root->entries.count > 0) {
        span = root->entries.items[0].key->span;
    }
    if (root->type != YAML_MAP) {
        const Str line = source_line(sources_get(&session->sources, span.file), 1);
        span = (Span){span.file, 0, (uint32_t)line.len};
    }
    Diag *diag = diag_add(&session->diags, "E0004", DIAG_ERROR, span,
                          "this is not a flow: it has no 'tasks' at the top");
    diag_note(diag, "a flow has 'id', 'namespace' and 'tasks'");
}

const Str *session_externals(Session *session, uint32_t *count) {
    const uint32_t asked = session->options.externals.count;
    *count = asked + session->project.externals.count;
    Str *externals = arena_array(&session->arena, Str, *count);
    for (uint32_t i = 0; i < *count; i++) {
        externals[i] = i < asked ? str_from(session->options.externals.items[i])
                                 : session->project.externals.items[i - asked];
    }
    return externals;
}

static Str context_roots(const Session *session, Arena *arena) {
    const Value *literals = session->options.context_literals;
    Buffer names = {0};
    if (session->options.context_roots != NULL) {
        buffer_add(&names, str_from(session->options.context_roots));
    }
    for (uint32_t i = 0; literals != NULL && i < literals->as.map->count; i++) {
        buffer_add_char(&names, ',');
        buffer_add(&names, literals->as.map->members[i].key);
    }
    const Str text = buffer_to_str(&names, arena);
    buffer_release(&names);
    return text;
}

FlowOptions session_flow_options(Session *session) {
    const UnknownTypes asked = session->options.unknown_types != UNKNOWN_TYPES_DEFAULT
                                   ? session->options.unknown_types
                                   : session->project.unknown_types;
    // No target asked for: the base language, which takes 2.0's spellings as synonyms.
    const bool is_given = session->options.target != NULL || session->project.targets != 0;
    FlowOptions options = {.targets = is_given ? session->targets : 0,
                           .unknown_types_warn = asked == UNKNOWN_TYPES_WARN,
                           .project_defaults = session->project.defaults};
    options.externals = session_externals(session, &options.external_count);
    return options;
}

// --strict, or a level for the rule that only then looks.
static bool wants_strict(const Session *session) {
    for (uint32_t i = 0; i < session->project.rule_count; i++) {
        if (strcmp(session->project.rules[i].code->code, "S0609") == 0) return true;
    }
    return session->options.is_strict || session->project.is_strict;
}

static void check_document(Session *session, Unit *unit, uint32_t number) {
    const Document *document = &unit->tree->documents.items[number];
    const FlowOptions options = session_flow_options(session);
    Flow *flow =
        flow_build(unit->tree, document, session->catalog, &options, &unit->arena, &session->diags);
    if (flow == NULL) return;
    if (unit->flow == NULL) unit->flow = flow;
    const CheckOptions check_options = {.targets = options.targets,
                                        .is_strict = wants_strict(session),
                                        .roots = context_roots(session, &unit->arena)};
    check_flow(flow, session->catalog, session->parser, &check_options, &unit->arena,
               &session->diags);
    rules_run(flow, &session->diags);
    calls_check(session, flow, number);
    if (session->options.embedded != EMBED_OFF) scripts_collect(&session->late.scripts, flow);
}

// With several targets, which of them a finding is about.
static void name_targets(Session *session, uint32_t first) {
    static const char *const names[] = {"0.20", "1.3", "2.0"};
    if (session->summary.target_count < 2) return;
    for (uint32_t i = first; i < session->diags.list.count; i++) {
        Diag *diag = session->diags.list.items[i];
        if (diag->targets == 0 || (diag->targets & session->targets) == session->targets) continue;
        for (uint32_t k = 0; k < COUNT(names); k++) {
            if ((diag->targets & (1U << k)) != 0) diag_note(diag, "holds for target %s", names[k]);
        }
    }
}

void unit_check(Session *session, Unit *unit, uint32_t file, bool is_named) {
    const uint32_t first = session->diags.list.count;
    late_forget(session, file);
    unit->file = file;
    unit->tree = syntax_read(&session->sources, file, &unit->arena, &session->diags);
    uint32_t flows = 0;
    for (uint32_t i = 0; i < unit->tree->documents.count; i++) {
        if (!flow_is_meant(unit->tree->documents.items[i].root)) continue;
        flows++;
        check_document(session, unit, i);
    }
    if (flows == 0) {
        const Source *source = sources_get(&session->sources, file);
        const Node *root = unit->tree->documents.items[0].root;
        if (!is_named && !(unit->tree->has_holes && looks_like_flow(source))) {
            // Not ours: what is wrong with it is not our business.
            session->diags.list.count = first;
            session->summary.skipped++;
            return;
        }
        if (!has_error(session, first)) report_no_flow(session, root);
    }
    session->summary.files++;
    name_targets(session, first);
    levels_apply(session, first);
    ignores_apply(session, unit->tree, first);
}

// --- many files ---------------------------------------------------------------------------------

void session_report_unreadable(Session *session, Str name, Err err) {
    const uint32_t file = sources_add(&session->sources, name, (Str){0});
    if (err.code == ERR_LIMIT) {
        diag_add(&session->diags, "E0002", DIAG_ERROR, (Span){file, 0, 0},
                 "the file has more than %d bytes", SOURCE_SIZE_MAX);
    } else {
        diag_add(&session->diags, "E0001", DIAG_ERROR, (Span){file, 0, 0}, "%s", err.text);
    }
    session->summary.files++;
}

void check_file(Session *session, const SessionInput *input, const FoundFile *found) {
    if (found->error != NULL) {
        session_report_unreadable(session, found->path, *found->error);
        return;
    }
    const Str name = str_eq(found->path, STR("-")) ? input->input_name : found->path;
    const uint32_t file = sources_add(&session->sources, name, found->bytes);
    if (input->fix != FIX_NONE) {
        const Err err = fix_file(session, input, found->path, file, found->is_named);
        if (session->write_error.code == ERR_NONE) session->write_error = err;
        return;
    }
    CacheMiss miss = {.file = file, .counts = session->summary};
    if (session->cache != NULL && cache_take(session, file, found, &miss.key)) return;
    Unit unit = {0};
    unit_check(session, &unit, file, found->is_named);
    unit_release(&unit);
    if (session->cache == NULL) return;
    miss.counts = (DiagSummary){.files = session->summary.files - miss.counts.files,
                                .skipped = session->summary.skipped - miss.counts.skipped,
                                .ignored = session->summary.ignored - miss.counts.ignored};
    *LIST_ADD(&session->arena, &session->misses, CacheMiss) = miss;
}

Err session_check(Session *session, const SessionInput *input) {
    FoundFiles found = {0};
    // First of all: its settings are what was read until now.
    const bool use_cache = session->options.use_cache && input->fix == FIX_NONE;
    session->cache = use_cache ? cache_open(session) : NULL;
    session->misses.count = session->late.ignored.count = 0;
    for (size_t i = 0; i < input->count; i++) {
        Err err = paths_expand(session, input->paths[i], &found);
        if (err.code != ERR_NONE)
            session_report_unreadable(session, str_from(input->paths[i]), err);
    }
    TRY(flows_index(session, input, &found));
    if (input->jobs > 1 && found.list.count > 1) {
        TRY(parallel_check(session, input, &found));
    } else {
        for (uint32_t i = 0; i < found.list.count; i++) {
            check_file(session, input, &found.list.items[i]);
        }
    }
    TRY(late_check(session, input->jobs));
    if (session->cache != NULL) cache_keep(session);
    diags_sort(&session->diags);
    return err_none();
}
