// docs.c - flowc docs: a task type with its properties and outputs, or a filter, function, test.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "leaf/leaf.h"

typedef struct Docs {
    CommonOptions common;
} Docs;

static const Option options[] = {
    {OPTION_LIST,    "--catalog", 0, "FILE|DIR", offsetof(Docs, common.catalogs), "private task types",
     NULL},
    {OPTION_TEXT,             "--config", 0, "FILE", offsetof(Docs, common.config), "the project file", NULL},
    {.kind = OPTION_END},
};

static int run(int argc, char **argv);

const Command command_docs = {
    .name = "docs",
    .usage = "TYPE|BUILTIN",
    .summary = "Describe a task type, or a filter, function or test of expressions.",
    .help = "TYPE is a full name, or its end where that is unique (core.log.Log, Log). Without an\n"
            "argument all builtins are listed.",
    .options = options,
    .run = run,
};

// --- builtins -----------------------------------------------------------------------------------

static const char *builtin_word(BuiltinKind kind) {
    switch (kind) {
    case BUILTIN_FILTER:
        return "filter";
    case BUILTIN_FUNCTION:
        return "function";
    case BUILTIN_TEST:
        return "test";
    }
    return "";
}

static void print_signature(const Builtin *builtin) {
    if (builtin->kind == BUILTIN_FILTER) printf("%s | ", builtin->input);
    if (builtin->kind == BUILTIN_TEST) printf("%s is ", builtin->input);
    printf("%s", builtin->name);
    const bool has_params = builtin->params[0].name != NULL;
    if (has_params || builtin->kind == BUILTIN_FUNCTION) putchar('(');
    for (size_t i = 0; i < BUILTIN_PARAMS_MAX && builtin->params[i].name != NULL; i++) {
        printf("%s%s: %s", i == 0 ? "" : ", ", builtin->params[i].name, builtin->params[i].type);
    }
    if (has_params || builtin->kind == BUILTIN_FUNCTION) putchar(')');
    printf(" -> %s\n", builtin->result == NULL ? "bool" : builtin->result);
}

static void print_builtin(const Builtin *builtin) {
    printf("%s (%s)\n\n  ", builtin->name, builtin_word(builtin->kind));
    print_signature(builtin);
    if (builtin->text != NULL) printf("\n%s\n", builtin->text);
    if ((builtin->flags & BUILTIN_ONLY_2_0) != 0) printf("\nFrom 2.0 on.\n");
    if ((builtin->flags & BUILTIN_NOT_2_0) != 0) printf("\nRemoved in 2.0.\n");
    if ((builtin->flags & BUILTIN_REFUSED) != 0) printf("\nNot available here.\n");
    if (builtin->examples == NULL || builtin->examples[0] == '\0') return;
    printf("\nexamples:\n");
    Str rest = str_from(builtin->examples);
    Str line = {0};
    while (str_split(&rest, '\n', &line)) {
        if (line.len > 0) printf("  " STR_FMT "\n", STR_ARG(line));
    }
}

static uint32_t print_builtins(const char *name) {
    static const BuiltinKind kinds[] = {BUILTIN_FILTER, BUILTIN_FUNCTION, BUILTIN_TEST};
    uint32_t found = 0;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        const Builtin *builtin = builtin_find(kinds[i], str_from(name));
        if (builtin == NULL) continue;
        if (found++ > 0) putchar('\n');
        print_builtin(builtin);
    }
    return found;
}

static Str nearest_builtin(const char *name) {
    Str nearest = {0};
    size_t best = 3;
    for (const Builtin *row = builtins_next(NULL); row != NULL; row = builtins_next(row)) {
        const size_t distance = str_distance(str_from(name), str_from(row->name), best);
        if (distance >= best) continue;
        best = distance;
        nearest = str_from(row->name);
    }
    return nearest;
}

static void list_builtins(void) {
    for (const Builtin *row = builtins_next(NULL); row != NULL; row = builtins_next(row)) {
        printf("%-9s %-22s %s\n", builtin_word(row->kind), row->name, row->text);
    }
}

// --- types --------------------------------------------------------------------------------------

static void add_type(Buffer *out, const PropType *type, uint32_t depth) {
    static const char *const names[] = {
        [T_STRING] = "string",
        [T_INT] = "integer",
        [T_NUMBER] = "number",
        [T_BOOL] = "boolean",
        [T_DURATION] = "duration",
        [T_DATETIME] = "datetime",
        [T_DATE] = "date",
        [T_TIME] = "time",
        [T_TIMEZONE] = "time zone",
        [T_URI] = "URI",
        [T_ANY] = "any",
        [T_ENCRYPTED] = "encrypted string",
        [T_LIST] = "list",
        [T_MAP] = "map",
        [T_LABELS] = "labels",
        [T_DATA] = "data",
        [T_TASK] = "task",
        [T_TRIGGER] = "trigger",
        [T_CONDITION] = "condition",
        [T_RUNNER] = "task runner",
        [T_LOG_EXPORTER] = "log exporter",
        [T_ASSET] = "asset",
        [T_ASSET_EXPORTER] = "asset exporter",
        [T_ENUM] = "enum",
        [T_OBJECT] = "object",
        [T_PLUGIN] = "plugin",
        [T_EXTERNAL] = "object",
    };
    if (type->kind == T_ENUM && type->def != NULL) {
        for (uint32_t i = 0; i < type->def->value_count && i < 12; i++) {
            if (i > 0) buffer_add_char(out, '|');
            buffer_add(out, type->def->values[i]);
        }
        if (type->def->value_count > 12) buffer_add(out, STR("|…"));
        return;
    }
    buffer_add(out, str_from(names[type->kind]));
    if (type->item != NULL && depth < 4) {
        buffer_add_char(out, '<');
        add_type(out, type->item, depth + 1);
        buffer_add_char(out, '>');
    }
    if (type->def != NULL) {
        buffer_add_char(out, ' ');
        buffer_add(out, type->def->name);
    }
}

static void print_prop(const Prop *prop) {
    if ((prop->flags & PROP_HIDDEN) != 0) return;
    Buffer type = {0};
    add_type(&type, &prop->type, 0);
    printf("  %-24.*s " STR_FMT, (int)prop->name.len, prop->name.ptr, STR_ARG(buffer_str(&type)));
    if ((prop->flags & PROP_REQUIRED) != 0) printf(", required");
    if ((prop->flags & PROP_HAS_DEFAULT) != 0 && prop->default_value.kind != VALUE_NULL) {
        buffer_clear(&type);
        json_write(&type, prop->default_value, JSON_COMPACT, 0);
        printf(", default " STR_FMT, STR_ARG(buffer_str(&type)));
    }
    if (prop->mode == MODE_STATIC) printf(", not rendered");
    if ((prop->flags & PROP_SECRET) != 0) printf(", secret");
    if ((prop->flags & PROP_DEPRECATED) != 0) printf(", deprecated");
    if ((prop->flags & PROP_EXTENSION) != 0) printf(", extension of flowc");
    putchar('\n');
    buffer_release(&type);
}

static void print_type(const TaskType *type) {
    printf(STR_FMT "\n", STR_ARG(type->name));
    if (type->doc.len > 0) printf("\n" STR_FMT "\n", STR_ARG(type->doc));
    if ((type->flags & TYPE_DEPRECATED) != 0) printf("\nDeprecated.\n");
    printf("\n%s\n", (type->flags & TYPE_HAS_MODULE) != 0 || type->exec == EXEC_FLOWABLE
                         ? "Runs on flowrun."
                         : "Known by its schema only: it checks; to compile it, give its prefix "
                           "with --external.");
    if (type->prop_count > 0) printf("\nproperties:\n");
    for (uint32_t i = 0; i < type->prop_count; i++) print_prop(&type->props[i]);
    if (type->output_count > 0) printf("\noutputs:\n");
    for (uint32_t i = 0; i < type->output_count; i++) {
        Buffer text = {0};
        add_type(&text, &type->outputs[i].type, 0);
        printf("  %-24.*s " STR_FMT "\n", (int)type->outputs[i].name.len, type->outputs[i].name.ptr,
               STR_ARG(buffer_str(&text)));
        buffer_release(&text);
    }
}

// Names that end with `.name`; the only one is the type meant.
static uint32_t find_by_end(const Session *session, Str name, Str *only, bool prints) {
    uint32_t found = 0;
    for (uint32_t i = 0; i < catalog_count(session->catalog); i++) {
        const Str candidate = catalog_name_at(session->catalog, i);
        if (candidate.len <= name.len || !str_ends_with(candidate, name) ||
            candidate.ptr[candidate.len - name.len - 1] != '.') {
            continue;
        }
        if (prints) fprintf(stderr, "  " STR_FMT "\n", STR_ARG(candidate));
        *only = candidate;
        found++;
    }
    return found;
}

static int describe(Session *session, const char *name) {
    bool is_alias = false;
    const TaskType *type = catalog_find(session->catalog, str_from(name), &is_alias);
    Str only = {0};
    const uint32_t ends = type == NULL ? find_by_end(session, str_from(name), &only, false) : 0;
    if (ends == 1) type = catalog_find(session->catalog, only, &is_alias);
    const uint32_t builtins = print_builtins(name);
    if (type != NULL) {
        if (builtins > 0) putchar('\n');
        print_type(type);
        return STATUS_OK;
    }
    if (builtins > 0) return STATUS_OK;
    if (ends > 1) {
        fprintf(stderr, "flowc docs: '%s' is the end of %u types:\n", name, ends);
        find_by_end(session, str_from(name), &only, true);
        return STATUS_USAGE;
    }
    Str nearest = nearest_builtin(name);
    if (strchr(name, '.') != NULL) {
        nearest = catalog_nearest(session->catalog, KIND_TASK, str_from(name));
    }
    if (nearest.len > 0) {
        return usage_error(&command_docs, "unknown '%s'; did you mean '" STR_FMT "'?", name,
                           STR_ARG(nearest));
    }
    return usage_error(&command_docs, "unknown type or builtin '%s'", name);
}

static int run(int argc, char **argv) {
    Arena arena = {0};
    Docs it = {0};
    Arguments arguments = {0};
    int status = STATUS_OK;
    if (options_read(&command_docs, argc, argv, &arena, &it, &arguments, &status)) {
        if (arguments.count == 0) list_builtins();
        const SessionOptions asked = session_options(&it.common);
        Session *session = NULL;
        const Err err = session_new(&asked, NULL, &session);
        if (err.code != ERR_NONE) status = report_error(&command_docs, err);
        for (int i = 0; i < arguments.count && status == STATUS_OK; i++) {
            if (i > 0) putchar('\n');
            status = describe(session, arguments.items[i]);
        }
        session_free(session);
    }
    arena_release(&arena);
    return status;
}
