// catalog.c - flowc catalog: which types there are; a catalog file from a plugin's JSON schema.
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "catalog/import.h"
#include "cli/cli.h"

enum { SCHEMA_SIZE_MAX = 64 << 20 };

typedef struct CatalogCommand {
    CommonOptions common;
    const char *out, *group, *type, *kind, *prefix, *format;
    bool is_whole;
} CatalogCommand;

#define KINDS                                                                                      \
    "task|trigger|condition|runner|asset|additional|chart|data-filter|storage|log-exporter|asset-" \
    "exporter"

static const Option options[] = {
    {OPTION_TEXT,                                                            "--kind", 0, "KIND", offsetof(CatalogCommand, kind),
     "list: only these; import: what they are, where that is guessed wrong", KINDS},
    {OPTION_TEXT,                                                                     "--prefix", 0, "PREFIX", offsetof(CatalogCommand, prefix),
     "only types whose names begin so", NULL},
    {OPTION_TEXT,                                               "--format", 0, "FORMAT", offsetof(CatalogCommand, format),
     "list: how it is printed", "text|json"},
    {OPTION_TEXT, "--output", 'o', "FILE", offsetof(CatalogCommand, out),
     "import: where to write it, '-' for standard output", NULL},
    {OPTION_TEXT,                                                                      "--group", 0, "NAME", offsetof(CatalogCommand, group),
     "import: the name of the new catalog", NULL},
    {OPTION_TEXT,"--type", 0, "NAME", offsetof(CatalogCommand, type),
     "import: the type, where the schema does not name it", NULL},
    {OPTION_FLAG,                                                              "--all", 0, NULL, offsetof(CatalogCommand, is_whole),
     "import: also types that are known already", NULL},
    {OPTION_LIST,                                                               "--catalog", 0, "FILE|DIR", offsetof(CatalogCommand, common.catalogs),
     "private task types", NULL},
    {OPTION_TEXT,                                                                  "--config", 0, "FILE", offsetof(CatalogCommand, common.config),
     "the project file; else .flowc.yaml is looked for upwards", NULL},
    {.kind = OPTION_END                                                           },
};

static int run(int argc, char **argv);

const Command command_catalog = {
    .name = "catalog",
    .usage = "list [WORD...] | import SCHEMA.json|- [-o FILE]",
    .summary = "List the task types, or make a catalog of private ones.",
    .help =
        "'list' prints the types that are known, with their kinds; WORDs have to be in the name.\n"
        "'import' reads the JSON schema that a Kestra server gives for flows, its description of "
        "one\n"
        "plugin, or a schema of one task written by hand, and writes a catalog file of the types "
        "that\n"
        "are not known here, for --catalog or 'catalogs' in the project file. Look it over: a "
        "schema\n"
        "says neither what a task gives nor when a value is read.",
    .options = options,
    .run = run,
};

// --- list ---------------------------------------------------------------------------------------

static bool has_word(Str name, Str word) {
    for (size_t at = 0; at + word.len <= name.len; at++) {
        if (str_eq_ignore_case(str_slice(name, at, at + word.len), word)) return true;
    }
    return false;
}

static bool is_wanted(const CatalogCommand *it, const Arguments *arguments, const TaskType *type) {
    if (it->kind != NULL && strcmp(catalog_kind_name(type->kind), it->kind) != 0) return false;
    if (it->prefix != NULL && !str_starts_with(type->name, str_from(it->prefix))) return false;
    for (int i = 1; i < arguments->count; i++) {
        if (!has_word(type->name, str_from(arguments->items[i]))) return false;
    }
    return true;
}

static const char *origin(const TaskType *type) {
    if ((type->flags & TYPE_PRIVATE) != 0) return "private";
    const bool runs = (type->flags & TYPE_HAS_MODULE) != 0 || type->exec == EXEC_FLOWABLE;
    return runs ? "runs" : "schema";
}

static void add_row(const TaskType *type, bool is_json, bool is_first, Buffer *out) {
    if (!is_json) {
        buffer_printf(out, "%-12s %-8s " STR_FMT "%s\n", catalog_kind_name(type->kind),
                      origin(type), STR_ARG(type->name),
                      (type->flags & TYPE_DEPRECATED) != 0 ? " (deprecated)" : "");
        return;
    }
    buffer_add(out, is_first ? STR("\n {\"type\":") : STR(",\n {\"type\":"));
    buffer_add_json(out, type->name);
    buffer_printf(out, ",\"kind\":\"%s\",\"origin\":\"%s\",\"deprecated\":%s,\"aliases\":[",
                  catalog_kind_name(type->kind), origin(type),
                  (type->flags & TYPE_DEPRECATED) != 0 ? "true" : "false");
    for (uint32_t i = 0; i < type->alias_count; i++) {
        if (i > 0) buffer_add_char(out, ',');
        buffer_add_json(out, type->aliases[i]);
    }
    buffer_add(out, STR("],\"doc\":"));
    buffer_add_json(out, type->doc);
    buffer_add_char(out, '}');
}

typedef struct Names {
    LIST_OF(const TaskType *) list;
} Names;

static void sort_names(Names *names) {
    // Private types come first in the catalog; a merge of a few sorted runs.
    for (uint32_t i = 1; i < names->list.count; i++) {
        const TaskType *type = names->list.items[i];
        uint32_t at = i;
        for (; at > 0 && str_cmp(names->list.items[at - 1]->name, type->name) > 0; at--) {
            names->list.items[at] = names->list.items[at - 1];
        }
        names->list.items[at] = type;
    }
}

static int list(const CatalogCommand *it, const Arguments *arguments, Session *session) {
    const bool is_json = it->format != NULL && strcmp(it->format, "json") == 0;
    Names names = {0};
    for (uint32_t i = 0; i < catalog_count(session->catalog); i++) {
        bool is_alias = false;
        const Str name = catalog_name_at(session->catalog, i);
        const TaskType *type = catalog_find(session->catalog, name, &is_alias);
        if (type == NULL || (type->flags & TYPE_INTERNAL) != 0) continue;
        if (!is_wanted(it, arguments, type)) continue;
        *LIST_ADD(&session->arena, &names.list, const TaskType *) = type;
    }
    sort_names(&names);
    Buffer out = {0};
    if (is_json) buffer_add(&out, STR("{\"version\":1,\"types\":["));
    const TaskType *before = NULL;
    for (uint32_t i = 0; i < names.list.count; i++) {
        // A private type that replaces another is there twice.
        if (names.list.items[i] != before) add_row(names.list.items[i], is_json, i == 0, &out);
        before = names.list.items[i];
    }
    if (is_json) buffer_add(&out, STR("\n]}\n"));
    const int status = write_out(STDOUT_FILENO, &out);
    buffer_release(&out);
    return status;
}

// --- import -------------------------------------------------------------------------------------

static Err read_schema(const char *path, Arena *arena, Value *out) {
    Str text = {0};
    if (strcmp(path, "-") == 0) {
        TRY(file_read_fd(STDIN_FILENO, "standard input", SCHEMA_SIZE_MAX, arena, &text));
    } else {
        TRY(file_read(path, SCHEMA_SIZE_MAX, arena, &text));
    }
    const Err err = json_parse(text, (JsonLimits){0}, arena, out);
    return err.code == ERR_NONE ? err : err_make(ERR_CONFLICT, "'%s': %s", path, err.text);
}

static Str option_text(const char *text) {
    return text == NULL ? (Str){0} : str_from(text);
}

static Err import(const CatalogCommand *it, const char *path, Session *session) {
    Value schema;
    TRY(read_schema(path, &session->arena, &schema));
    const ImportOptions asked = {.group = option_text(it->group),
                                 .type = option_text(it->type),
                                 .kind = option_text(it->kind),
                                 .prefix = option_text(it->prefix),
                                 .is_whole = it->is_whole};
    Imported imported;
    const Err err = catalog_import(session->catalog, schema, &asked, &session->arena, &imported);
    if (err.code != ERR_NONE) return err_make(ERR_CONFLICT, "'%s': %s", path, err.text);
    Buffer out = {0};
    buffer_printf(&out, "# Made by 'flowc catalog import'. Put right what it could not know.\n");
    yaml_write(&out, imported.file);
    const bool is_file = it->out != NULL && strcmp(it->out, "-") != 0;
    const Err written = is_file ? file_write(it->out, buffer_str(&out), 0644)
                                : file_write_fd(STDOUT_FILENO, buffer_str(&out));
    buffer_release(&out);
    TRY(written);
    fprintf(stderr, "%u type%s written to %s\n", imported.count, imported.count == 1 ? "" : "s",
            is_file ? it->out : "standard output");
    if (imported.known > 0) {
        fprintf(stderr, "%u left out, since they are known already; --all takes them too\n",
                imported.known);
    }
    return err_none();
}

static int perform(const CatalogCommand *it, const Arguments *arguments, Session *session) {
    const char *what = arguments->count > 0 ? arguments->items[0] : NULL;
    if (what != NULL && strcmp(what, "list") == 0) return list(it, arguments, session);
    if (what != NULL && strcmp(what, "import") == 0) {
        if (arguments->count != 2) {
            return usage_error(&command_catalog, "one schema is needed: import SCHEMA.json");
        }
        const Err err = import(it, arguments->items[1], session);
        return err.code == ERR_NONE ? STATUS_OK : report_error(&command_catalog, err);
    }
    if (what == NULL) return usage_error(&command_catalog, "list or import?");
    static const char *const words[] = {"list", "import"};
    const char *nearest = nearest_name(what, words, COUNT(words));
    return nearest == NULL
               ? usage_error(&command_catalog, "unknown '%s': list or import", what)
               : usage_error(&command_catalog, "unknown '%s'; did you mean '%s'?", what, nearest);
}

static int run(int argc, char **argv) {
    Arena arena = {0};
    CatalogCommand it = {0};
    Arguments arguments = {0};
    int status = STATUS_OK;
    if (options_read(&command_catalog, argc, argv, &arena, &it, &arguments, &status)) {
        const SessionOptions asked = session_options(&it.common);
        Session *session = NULL;
        const Err err = session_new(&asked, NULL, &session);
        status = err.code == ERR_NONE ? perform(&it, &arguments, session)
                                      : report_error(&command_catalog, err);
        if (session != NULL && session->diags.list.count > 0) {
            print_findings(session, &it.common, STDERR_FILENO);
        }
        session_free(session);
    }
    arena_release(&arena);
    return status;
}
