// commands.c - the registry of commands, `flowc` without one, help, misspelt names.
#include <string.h>

#include "cli/cli.h"

static const Command *const commands[] = {
    &command_check,   &command_compile, &command_run,        &command_eval,  &command_explain,
    &command_docs,    &command_new,     &command_keygen,     &command_fmt,   &command_schema,
    &command_catalog, &command_manual,  &command_completion, &command_graph, &command_diff,
};

// Named in the contract, not there yet.
static const char *const later[] = {"test", "lsp"};

const Command *const *commands_all(size_t *count) {
    *count = COUNT(commands);
    return commands;
}

static void print_usage(FILE *out) {
    fprintf(out, "flowc " FLOW_VERSION
                 ": checks flows and compiles them to artifacts that flowrun executes\n\n"
                 "usage: flowc COMMAND [OPTION...] [ARGUMENT...]\n\n");
    for (size_t i = 0; i < COUNT(commands); i++) {
        fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    }
    fprintf(out, "\n'flowc COMMAND --help' tells more\n");
}

static const Command *find_command(const char *name) {
    for (size_t i = 0; i < COUNT(commands); i++) {
        if (strcmp(commands[i]->name, name) == 0) return commands[i];
    }
    return NULL;
}

static int unknown_command(const char *name) {
    for (size_t i = 0; i < COUNT(later); i++) {
        if (strcmp(later[i], name) == 0) {
            return usage_error(NULL, "'%s' is not available in this version", name);
        }
    }
    const char *names[COUNT(commands)];
    for (size_t i = 0; i < COUNT(commands); i++) names[i] = commands[i]->name;
    const char *nearest = nearest_name(name, names, COUNT(commands));
    if (nearest != NULL) {
        return usage_error(NULL, "unknown command '%s'; did you mean '%s'?", name, nearest);
    }
    if (strchr(name, '.') != NULL || strchr(name, '/') != NULL) {
        return usage_error(NULL, "unknown command '%s'; to check a flow: flowc check %s", name,
                           name);
    }
    return usage_error(NULL, "unknown command '%s'", name);
}

int flowc_main(int argc, char **argv) {
    if (argc < 2) {
        print_usage(stderr);
        return STATUS_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        print_usage(stdout);
        return STATUS_OK;
    }
    if (strcmp(name, "help") == 0) {
        const Command *command = argc > 2 ? find_command(argv[2]) : NULL;
        if (argc > 2 && command == NULL) return unknown_command(argv[2]);
        if (command == NULL) print_usage(stdout);
        if (command != NULL) command_help(command, stdout);
        return STATUS_OK;
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        printf("flowc " FLOW_VERSION "\n");
        return STATUS_OK;
    }
    const Command *command = find_command(name);
    if (command == NULL) {
        if (name[0] == '-') return usage_error(NULL, "an option before the command: '%s'", name);
        return unknown_command(name);
    }
    return command->run(argc - 1, argv + 1);
}
