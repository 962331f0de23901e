// project.c - the project file `.flowc.yaml`: found upwards, read like any YAML, mistakes are
// findings in it.
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "session/session.h"

#define PROJECT_NAME ".flowc.yaml"

static const char *const keys[] = {"target",  "catalogs",     "namespaceFiles", "defaults",
                                   "rules",   "policies",     "external",       "flows",
                                   "exclude", "unknownTypes", "strict",         "serverDefaults"};

bool targets_parse(Str text, uint32_t *targets) {
    static const struct {
        const char *name;
        uint32_t bit;
    } names[] = {
        {"0.20", TARGET_0_20},
        {"1.3",  TARGET_1_3 },
        {"2.0",  TARGET_2_0 }
    };
    *targets = 0;
    Str one = {0};
    while (str_split(&text, ',', &one)) {
        one = str_trim(one);
        bool is_known = false;
        for (size_t i = 0; i < COUNT(names); i++) {
            if (!str_eq(one, str_from(names[i].name))) continue;
            *targets |= names[i].bit;
            is_known = true;
        }
        if (!is_known) return false;
    }
    return *targets != 0;
}

// --- finding it ---------------------------------------------------------------------------------

// The folder in which the search begins, absolute.
static bool start_folder(Arena *arena, const char *start, Str *out) {
    char resolved[PATH_MAX];
    if (start == NULL || strcmp(start, "-") == 0) start = ".";
    if (realpath(start, resolved) == NULL) return false;
    Str path = str_dup(arena, str_from(resolved));
    if (!path_is_dir(path.ptr)) path = str_dup(arena, path_folder(path));
    *out = path;
    return true;
}

// The path as short as it can be said: relative to the current folder where it is below it.
static Str shown_path(Arena *arena, Str path) {
    char here[PATH_MAX];
    if (getcwd(here, sizeof here) == NULL) return path;
    const Str folder = str_from(here);
    if (str_starts_with(path, folder) && path.len > folder.len && path.ptr[folder.len] == '/') {
        return str_dup(arena, str_slice(path, folder.len + 1, path.len));
    }
    return path;
}

static bool find_upwards(Session *session, const char *start, Str *out) {
    Str folder = {0};
    if (!start_folder(&session->arena, start, &folder)) return false;
    for (;;) {
        const Str path = path_join(&session->arena, folder, STR(PROJECT_NAME));
        if (path_exists(str_to_c(&session->arena, path))) {
            *out = shown_path(&session->arena, path);
            return true;
        }
        if (folder.len <= 1) return false;
        folder = str_dup(&session->arena, path_folder(folder));
    }
}

// --- reading it ---------------------------------------------------------------------------------

static void complain(Session *session, const Node *node, const char *expected) {
    diag_add(&session->diags, "E0104", DIAG_ERROR, node->span, "expected %s, found a %s", expected,
             node_kind_name(node));
}

static Str joined(Session *session, Str path) {
    if (session->project.folder.len == 0 || str_eq(session->project.folder, STR("."))) {
        return str_dup(&session->arena, path);
    }
    return str_dup(&session->arena, path_join(&session->arena, session->project.folder, path));
}

typedef LIST_OF(Str) StrList;

static void add_texts(Session *session, const Node *node, bool is_path, StrList *out) {
    if (node->type == YAML_SCALAR && !node_is_null(node)) {
        *LIST_ADD(&session->arena, out, Str) = is_path ? joined(session, node->text) : node->text;
        return;
    }
    if (node->type != YAML_LIST) {
        complain(session, node, "a text or a list of texts");
        return;
    }
    for (uint32_t i = 0; i < node->items.count; i++) {
        const Node *item = node->items.items[i];
        if (item->type != YAML_SCALAR) {
            complain(session, item, "a text");
            continue;
        }
        *LIST_ADD(&session->arena, out, Str) = is_path ? joined(session, item->text) : item->text;
    }
}

static void read_target(Session *session, const Node *node) {
    StrList names = {0};
    add_texts(session, node, false, &names);
    for (uint32_t i = 0; i < names.count; i++) {
        uint32_t bits = 0;
        if (targets_parse(names.items[i], &bits)) {
            session->project.targets |= bits;
        } else {
            Diag *diag = diag_add(&session->diags, "E0105", DIAG_ERROR, node->span,
                                  "unknown target '" STR_FMT "'", STR_ARG(names.items[i]));
            diag_note(diag, "known are 0.20, 1.3 and 2.0");
        }
    }
}

static void read_rules(Session *session, const Node *node) {
    Project *project = &session->project;
    if (node->type != YAML_MAP) {
        complain(session, node, "a map of rules and levels");
        return;
    }
    static const char *const levels[] = {"off", "note", "warning", "error"};
    project->rules = arena_array(&session->arena, struct RuleLevel, node->entries.count);
    for (uint32_t i = 0; i < node->entries.count; i++) {
        const NodeEntry *entry = &node->entries.items[i];
        const DiagCode *code = diag_code_find(entry->key->text);
        if (code == NULL) {
            diag_add(&session->diags, "E0101", DIAG_ERROR, entry->key->span,
                     "unknown rule '" STR_FMT "'", STR_ARG(entry->key->text));
            continue;
        }
        uint32_t level = COUNT(levels);
        for (uint32_t k = 0; k < COUNT(levels); k++) {
            if (entry->value->type == YAML_SCALAR &&
                str_eq(entry->value->text, str_from(levels[k]))) {
                level = k;
            }
        }
        if (level == COUNT(levels)) {
            Diag *diag = diag_add(&session->diags, "E0105", DIAG_ERROR, entry->value->span,
                                  "no level of a rule");
            diag_note(diag, "levels are off, note, warning and error");
            continue;
        }
        project->rules[project->rule_count].code = code;
        project->rules[project->rule_count++].level = level;
    }
}

static void read_unknown_types(Session *session, const Node *node) {
    if (node->type == YAML_SCALAR && str_eq(node->text, STR("warn"))) {
        session->project.unknown_types = UNKNOWN_TYPES_WARN;
    } else if (node->type == YAML_SCALAR && str_eq(node->text, STR("error"))) {
        session->project.unknown_types = UNKNOWN_TYPES_ERROR;
    } else {
        diag_add(&session->diags, "E0105", DIAG_ERROR, node->span, "expected error or warn");
    }
}

static void unknown_key(Session *session, const Node *key) {
    Diag *diag = diag_add(&session->diags, "E0101", DIAG_ERROR, key->span,
                          "unknown key '" STR_FMT "' in a project file", STR_ARG(key->text));
    const char *nearest = NULL;
    size_t best = 3;
    for (size_t i = 0; i < COUNT(keys); i++) {
        const size_t distance = str_distance(key->text, str_from(keys[i]), best);
        if (distance >= best) continue;
        best = distance;
        nearest = keys[i];
    }
    if (nearest != NULL) diag_suggest(diag, str_from(nearest));
}

static void read_key(Session *session, const NodeEntry *entry) {
    Project *project = &session->project;
    const Node *value = entry->value;
    const Str key = entry->key->text;
    if (str_eq(key, STR("target"))) {
        read_target(session, value);
    } else if (str_eq(key, STR("catalogs"))) {
        add_texts(session, value, true, (StrList *)&project->catalogs);
    } else if (str_eq(key, STR("flows"))) {
        add_texts(session, value, true, (StrList *)&project->flows);
    } else if (str_eq(key, STR("exclude"))) {
        add_texts(session, value, false, (StrList *)&project->excludes);
    } else if (str_eq(key, STR("external"))) {
        add_texts(session, value, false, (StrList *)&project->externals);
    } else if (str_eq(key, STR("namespaceFiles"))) {
        if (value->type == YAML_SCALAR) {
            project->files = joined(session, value->text);
        } else {
            complain(session, value, "the path of a folder");
        }
    } else if (str_eq(key, STR("defaults"))) {
        project->defaults = value;
    } else if (str_eq(key, STR("rules"))) {
        read_rules(session, value);
    } else if (str_eq(key, STR("unknownTypes"))) {
        read_unknown_types(session, value);
    } else if (str_eq(key, STR("strict"))) {
        project->is_strict = value->value.kind == VALUE_BOOL && value->value.as.boolean;
    } else if (str_eq(key, STR("policies"))) {
        diag_add(&session->diags, "E0101", DIAG_ERROR, entry->key->span,
                 "policies are not supported by this version");
    } else if (!str_eq(key, STR("serverDefaults"))) {
        unknown_key(session, entry->key);
    }
}

Err project_read(Session *session, const char *start) {
    Project *project = &session->project;
    Str path = {0};
    if (session->options.config != NULL) {
        path = str_dup(&session->arena, str_from(session->options.config));
    } else if (!find_upwards(session, start, &path)) {
        return err_none();
    }
    TRY(sources_read(&session->sources, str_to_c(&session->arena, path), path, &project->file));
    project->exists = true;
    project->folder = str_dup(&session->arena, path_folder(path));
    const Tree *tree =
        syntax_read(&session->sources, project->file, &session->arena, &session->diags);
    const Node *root = tree->documents.items[0].root;
    if (node_is_null(root) || root->type == YAML_HOLE) return err_none();
    if (root->type != YAML_MAP) {
        complain(session, root, "a map");
        return err_none();
    }
    for (uint32_t i = 0; i < root->entries.count; i++) read_key(session, &root->entries.items[i]);
    return err_none();
}
