// manual.c - flowc manual, flowc completion: manual pages and scripts for shells, from the rows of
// all commands.
#include "base/manual.h"

#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

typedef struct ManualOptions {
    const char *folder;
} ManualOptions;

static const Option manual_options[] = {
    {OPTION_TEXT, "--output", 'o', "DIR", offsetof(ManualOptions, folder),
     "write all pages into a folder", NULL},
    {.kind = OPTION_END       },
};

static const Option completion_options[] = {
    {.kind = OPTION_END},
};

static int run_manual(int argc, char **argv);
static int run_completion(int argc, char **argv);

const Command command_manual = {
    .name = "manual",
    .usage = "[COMMAND] [-o DIR]",
    .summary = "Print a manual page, for man(1).",
    .help = "The page of a command, else that of the program. To read one that is not installed:\n"
            "  flowc manual check | man -l -",
    .options = manual_options,
    .run = run_manual,
};

const Command command_completion = {
    .name = "completion",
    .usage = "bash|zsh|fish",
    .summary = "Print the script by which a shell completes flowc's words.",
    .help = "For the shell at hand, in bash:\n"
            "  source <(flowc completion bash)",
    .options = completion_options,
    .run = run_completion,
};

static const ManualStatus statuses[] = {
    {STATUS_OK,           "nothing at error level"                                              },
    {STATUS_FINDINGS,     "errors were found; a path is missing or cannot be read"              },
    {STATUS_USAGE,        "wrong usage"                                                         },
    {STATUS_MACHINE,      "the machine failed: memory, output that cannot be written"           },
    {STATUS_RUN_FINDINGS, "flowc run: errors were found; else its statuses are those of flowrun"},
    {STATUS_INTERRUPTED,  "interrupted"                                                         },
};

static void add_options(const Command *command, Arena *arena, ManualCommand *out) {
    for (const Option *option = command->options; option->kind != OPTION_END; option++) {
        if (option->help == NULL || option->kind == OPTION_LATER) continue;
        *LIST_ADD(arena, &out->options, ManualOption) = (ManualOption){.name = option->name + 2,
                                                                       .letter = option->letter,
                                                                       .value = option->value,
                                                                       .choices = option->choices,
                                                                       .help = option->help};
    }
}

static Manual make_manual(Arena *arena) {
    Manual manual = {.program = "flowc",
                     .version = FLOW_VERSION,
                     .summary = "check flows and compile them",
                     .statuses = statuses,
                     .status_count = COUNT(statuses)};
    size_t count = 0;
    const Command *const *commands = commands_all(&count);
    for (size_t i = 0; i < count; i++) {
        ManualCommand *command = LIST_ADD(arena, &manual.commands, ManualCommand);
        command->name = commands[i]->name;
        command->usage = commands[i]->usage;
        command->summary = commands[i]->summary;
        command->text = commands[i]->help;
        add_options(commands[i], arena, command);
    }
    return manual;
}

static int print_page(const Manual *manual, const Arguments *arguments) {
    const char *name = arguments->count == 0 ? NULL : arguments->items[0];
    const ManualCommand *command = name == NULL ? NULL : manual_find(manual, str_from(name));
    if (arguments->count > 1 || (name != NULL && command == NULL)) {
        return usage_error(&command_manual, "no command '%s'",
                           arguments->items[arguments->count - 1]);
    }
    Buffer page = {0};
    manual_page(manual, command, &page);
    const int status = write_out(STDOUT_FILENO, &page);
    buffer_release(&page);
    return status;
}

static int run_manual(int argc, char **argv) {
    Arena arena = {0};
    ManualOptions it = {0};
    Arguments arguments = {0};
    int status = STATUS_OK;
    if (options_read(&command_manual, argc, argv, &arena, &it, &arguments, &status)) {
        const Manual manual = make_manual(&arena);
        if (it.folder == NULL) {
            status = print_page(&manual, &arguments);
        } else {
            const Err err = manual_write(&manual, it.folder);
            if (err.code != ERR_NONE) status = report_error(&command_manual, err);
        }
    }
    arena_release(&arena);
    return status;
}

static int run_completion(int argc, char **argv) {
    Arena arena = {0};
    Arguments arguments = {0};
    int status = STATUS_OK;
    if (options_read(&command_completion, argc, argv, &arena, NULL, &arguments, &status)) {
        const Manual manual = make_manual(&arena);
        Buffer script = {0};
        if (arguments.count != 1) {
            status = usage_error(&command_completion, "one shell is needed: bash, zsh or fish");
        } else if (!manual_completion(&manual, str_from(arguments.items[0]), &script)) {
            status =
                usage_error(&command_completion, "unknown shell '%s': bash, zsh and fish are known",
                            arguments.items[0]);
        } else {
            status = write_out(STDOUT_FILENO, &script);
        }
        buffer_release(&script);
    }
    arena_release(&arena);
    return status;
}
