// manual.c - flowrun manual and completion: pages for man(1) and scripts for shells, from the rows
// of all commands.
#include "base/manual.h"

#include "cli/cli.h"

static const OptionSpec MANUAL_OPTIONS[] = {
    {"pages", 'o', "DIR", "write all pages into a folder"},
    OPTION_END,
};

static const ManualStatus STATUSES[] = {
    {STATUS_OK,       "the execution ended with SUCCESS or WARNING; the command did what it should"},
    {STATUS_FAILED,   "the execution failed; preflight: something is missing"                      },
    {STATUS_USAGE,    "wrong usage, bad inputs, no such execution, nothing to do in its state"     },
    {STATUS_ARTIFACT, "the artifact is refused"                                                    },
    {STATUS_PAUSED,   "paused: a person or another host must act"                                  },
    {STATUS_STORE,    "the store failed"                                                           },
    {STATUS_BUSY,     "busy (another process owns the execution), or stopped by SIGTERM"           },
    {STATUS_KILLED,   "killed or cancelled"                                                        },
};

static Manual make_manual(Arena *arena) {
    Manual manual = {.program = "flowrun",
                     .version = FLOW_VERSION,
                     .summary = "run compiled flows, durably",
                     .statuses = STATUSES,
                     .status_count = COUNT(STATUSES)};
    uint32_t count = 0;
    const CommandSpec *const *commands = cli_commands(&count);
    for (uint32_t i = 0; i < count; i++) {
        ManualCommand *command = LIST_ADD(arena, &manual.commands, ManualCommand);
        *command = (ManualCommand){.name = commands[i]->name,
                                   .usage = commands[i]->arguments,
                                   .summary = commands[i]->help};
        const OptionSpec *option = NULL;
        for (uint32_t k = 0; (option = cli_option_spec(commands[i], k)) != NULL; k++) {
            if (option->help == NULL) continue;  // for tests
            *LIST_ADD(arena, &command->options, ManualOption) = (ManualOption){
                .name = option->name,
                .letter = option->letter,
                .value = option->value,
                .help = option->help,
            };
        }
    }
    return manual;
}

static int run_manual(Cli *cli) {
    const Manual manual = make_manual(&cli->arena);
    const char *folder = cli_option_c(cli, "pages");
    if (folder != NULL) {
        const Err err = manual_write(&manual, folder);
        return err.code == ERR_NONE ? STATUS_OK : cli_usage(cli, "%s", err.text);
    }
    const ManualCommand *command = NULL;
    if (cli->argument_count > 0) {
        command = manual_find(&manual, cli->arguments[0]);
        if (command == NULL) {
            return cli_usage(cli, "no command '" STR_FMT "'", STR_ARG(cli->arguments[0]));
        }
    }
    Buffer page = {0};
    manual_page(&manual, command, &page);
    cli_write(cli, buffer_str(&page));
    buffer_release(&page);
    return STATUS_OK;
}

static int run_completion(Cli *cli) {
    const Manual manual = make_manual(&cli->arena);
    Buffer script = {0};
    int status = STATUS_OK;
    if (manual_completion(&manual, cli->arguments[0], &script)) {
        cli_write(cli, buffer_str(&script));
    } else {
        status = cli_usage(cli, "unknown shell '" STR_FMT "': bash, zsh and fish are known",
                           STR_ARG(cli->arguments[0]));
    }
    buffer_release(&script);
    return status;
}

const CommandSpec command_manual = {
    .name = "manual",
    .arguments = "[COMMAND]",
    .max = 1,
    .help = "Print a manual page, for man(1): `flowrun manual run | man -l -`.",
    .options = MANUAL_OPTIONS,
    .run = run_manual,
};

const CommandSpec command_completion = {
    .name = "completion",
    .arguments = "bash|zsh|fish",
    .min = 1,
    .max = 1,
    .help = "Print the script by which a shell completes flowrun's words.",
    .run = run_completion,
};
