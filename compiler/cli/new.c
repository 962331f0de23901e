// new.c - flowc new: a first flow that checks clean and runs.
#include <string.h>

#include "base/file.h"
#include "cli/cli.h"

typedef struct New {
    const char *flow_namespace;
} New;

static const Option options[] = {
    {OPTION_TEXT, "--namespace", 'n', "NAME", offsetof(New, flow_namespace),
     "the namespace of the flow (company.team)", NULL},
    {.kind = OPTION_END       },
};

static int run(int argc, char **argv);

const Command command_new = {
    .name = "new",
    .usage = "FILE [OPTION...]",
    .summary = "Write a first flow to start from.",
    .help = "The flow's id is the name of the file. A file that is there is not touched.",
    .options = options,
    .run = run,
};

static bool is_id(Str text) {
    if (text.len == 0 || text.len > 100) return false;
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        const bool is_alphanumeric =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_alphanumeric && (i == 0 || strchr("_-.", c) == NULL)) return false;
    }
    return true;
}

static void write_flow(Buffer *out, Str id, const char *flow_namespace) {
    buffer_printf(out, "id: " STR_FMT "\nnamespace: %s\n", STR_ARG(id), flow_namespace);
    buffer_add(out, STR("description: Greets somebody.\n"
                        "\n"
                        "inputs:\n"
                        "  - id: name\n"
                        "    type: STRING\n"
                        "    defaults: world\n"
                        "\n"
                        "tasks:\n"
                        "  - id: greet\n"
                        "    type: io.kestra.plugin.core.log.Log\n"
                        "    message: \"Hello {{ inputs.name }}!\"\n"
                        "\n"
                        "  - id: answer\n"
                        "    type: io.kestra.plugin.core.debug.Return\n"
                        "    format: \"greeted {{ inputs.name }}\"\n"
                        "\n"
                        "outputs:\n"
                        "  - id: answer\n"
                        "    type: STRING\n"
                        "    value: \"{{ outputs.answer.value }}\"\n"));
}

static Err make(const New *it, const char *path, Arena *arena) {
    Str name = path_name(str_from(path));
    if (str_ends_with(name, STR(".yaml"))) {
        name = str_slice(name, 0, name.len - 5);
    } else if (str_ends_with(name, STR(".yml"))) {
        name = str_slice(name, 0, name.len - 4);
    } else {
        return err_make(ERR_USAGE, "a flow's file ends with .yaml: '%s.yaml'?", path);
    }
    if (!is_id(name)) {
        return err_make(ERR_USAGE,
                        "'" STR_FMT "' is no id of a flow: letters, digits, '-', '_' and '.'",
                        STR_ARG(name));
    }
    if (path_exists(path)) return err_make(ERR_CONFLICT, "'%s' is there already", path);
    Buffer text = {0};
    write_flow(&text, name, it->flow_namespace);
    const Err err = file_write(path, buffer_str(&text), 0644);
    buffer_release(&text);
    (void)arena;
    return err;
}

static int run(int argc, char **argv) {
    Arena arena = {0};
    New it = {.flow_namespace = "company.team"};
    Arguments arguments = {0};
    int status = STATUS_OK;
    if (options_read(&command_new, argc, argv, &arena, &it, &arguments, &status)) {
        if (arguments.count != 1) {
            status = usage_error(&command_new, "one file is needed: flowc new hello.yaml");
        } else if (!is_id(str_from(it.flow_namespace))) {
            status = usage_error(&command_new, "'%s' is no namespace", it.flow_namespace);
        } else {
            const Err err = make(&it, arguments.items[0], &arena);
            if (err.code != ERR_NONE) {
                status = report_error(&command_new, err);
            } else {
                printf("wrote %s\n", arguments.items[0]);
                fprintf(stderr, "next: flowc check %s, then flowc run %s\n", arguments.items[0],
                        arguments.items[0]);
            }
        }
    }
    arena_release(&arena);
    return status;
}
