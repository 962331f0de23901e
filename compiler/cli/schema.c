// schema.c - flowc schema: the language with all task types as a JSON schema, for editors.
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cli.h"

typedef struct Schema {
    CommonOptions common;
    const char *out;
} Schema;

static const Option options[] = {
    {OPTION_TEXT,                                  "--output", 'o', "FILE", offsetof(Schema, out),
     "where to write it, '-' for standard output", NULL},
    {OPTION_TEXT,                                         "--target", 0, "V[,V]", offsetof(Schema, common.target),
     "versions of Kestra it is for: 0.20, 1.3, 2.0", NULL},
    {OPTION_TEXT,                             "--unknown-types", 0, "LEVEL", offsetof(Schema, common.unknown_types),
     "warn: types nobody knows are accepted", "error|warn"},
    {OPTION_LIST, "--catalog", 0, "FILE|DIR", offsetof(Schema, common.catalogs),
     "private task types", NULL},
    {OPTION_TEXT,                                            "--config", 0, "FILE", offsetof(Schema, common.config),
     "the project file; else .flowc.yaml is looked for upwards", NULL},
    {.kind = OPTION_END},
};

static int run(int argc, char **argv);

const Command command_schema = {
    .name = "schema",
    .usage = "[-o FILE]",
    .summary = "Write a JSON schema of flows, for editors.",
    .help = "The schema (draft 07) knows every task type, private ones too, and accepts what "
            "'flowc check'\n"
            "accepts as far as a schema can say it. For the YAML extension of Visual Studio Code:\n"
            "  \"yaml.schemas\": {\"./flow.schema.json\": \"flows/**/*.yaml\"}",
    .options = options,
    .run = run,
};

static Err write_schema(const Schema *it, Buffer *text, Session **out) {
    const SessionOptions asked = session_options(&it->common);
    TRY(session_new(&asked, NULL, out));
    const FlowOptions flow_options = session_flow_options(*out);
    flow_json_schema((*out)->catalog, &flow_options, &(*out)->arena, text);
    if (it->out == NULL || strcmp(it->out, "-") == 0) return err_none();
    return file_write(it->out, buffer_str(text), 0644);
}

static int run(int argc, char **argv) {
    Arena arena = {0};
    Schema it = {0};
    Arguments arguments = {0};
    int status = STATUS_OK;
    if (options_read(&command_schema, argc, argv, &arena, &it, &arguments, &status)) {
        Buffer text = {0};
        Session *session = NULL;
        Err err = arguments.count == 0
                      ? write_schema(&it, &text, &session)
                      : err_make(ERR_USAGE, "it takes no argument: '%s'", arguments.items[0]);
        if (err.code != ERR_NONE) {
            status = report_error(&command_schema, err);
        } else if (it.out == NULL || strcmp(it.out, "-") == 0) {
            status = write_out(STDOUT_FILENO, &text);
        }
        // What is wrong with a private catalog.
        if (session != NULL && session->diags.list.count > 0) {
            print_findings(session, &it.common, STDERR_FILENO);
        }
        buffer_release(&text);
        session_free(session);
    }
    arena_release(&arena);
    return status;
}
