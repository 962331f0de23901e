// options.c - the command line: commands, options, help, and what was probably meant.
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cli.h"

static const OptionSpec COMMON[] = {
    {"state-dir", 0,   "DIR",               "where executions are kept"              },
    {"config",    0,   "FILE",              "the host file flowrun.yaml"             },
    {"trust",     0,   "FILE",              "keys that artifacts must be signed with"},
    {"output",    0,   "text|json",         "form of the result"                     },
    {"color",     0,   "auto|always|never", "colours on standard error"              },
    {"help",      'h', NULL,                "this text"                              },
    OPTION_END,
};

const OptionSpec *cli_option_spec(const CommandSpec *command, uint32_t n) {
    uint32_t own = 0;
    while (command != NULL && command->options != NULL && command->options[own].name != NULL) own++;
    if (n < own) return &command->options[n];
    return n - own < COUNT(COMMON) - 1 ? &COMMON[n - own] : NULL;
}

// --- help ---------------------------------------------------------------------------------------

static void print_commands(FILE *out) {
    uint32_t count = 0;
    const CommandSpec *const *commands = cli_commands(&count);
    fprintf(out, "flowrun runs compiled flows, durably.\n\nusage: flowrun COMMAND …\n\n");
    for (uint32_t i = 0; i < count; i++) {
        fprintf(out, "  %-10s %-18s %s\n", commands[i]->name, commands[i]->arguments,
                commands[i]->help);
    }
    fprintf(out, "\n`flowrun COMMAND --help` tells more. Exit status: 0 success, 1 failed, 2 usage "
                 "or input,\n3 artifact refused, 50 paused, 74 store, 75 busy or stopped, 130 "
                 "killed.\n");
}

static void print_usage(FILE *out, const CommandSpec *command) {
    fprintf(out, "usage: flowrun %s %s%s[options]\n", command->name, command->arguments,
            command->arguments[0] == '\0' ? "" : " ");
}

static void print_help(const CommandSpec *command) {
    print_usage(stdout, command);
    printf("\n%s\n\n", command->help);
    const OptionSpec *option = NULL;
    for (uint32_t i = 0; (option = cli_option_spec(command, i)) != NULL; i++) {
        if (option->help == NULL) continue;  // for tests
        char name[80];
        snprintf(name, sizeof name, "--%s%s%s", option->name, option->value == NULL ? "" : " ",
                 option->value == NULL ? "" : option->value);
        if (option->letter != 0) {
            printf("  -%c, %-28s %s\n", option->letter, name, option->help);
        } else {
            printf("      %-28s %s\n", name, option->help);
        }
    }
}

// --- reading ------------------------------------------------------------------------------------

Str cli_option(const Cli *cli, const char *name) {
    Str value = {0};
    for (uint32_t i = 0; i < cli->options.count; i++) {
        if (strcmp(cli->options.items[i].name, name) == 0) value = cli->options.items[i].value;
    }
    return value;
}

bool cli_has(const Cli *cli, const char *name) {
    for (uint32_t i = 0; i < cli->options.count; i++) {
        if (strcmp(cli->options.items[i].name, name) == 0) return true;
    }
    return false;
}

const char *cli_option_c(Cli *cli, const char *name) {
    return cli_has(cli, name) ? str_to_c(&cli->arena, cli_option(cli, name)) : NULL;
}

bool cli_option_at(const Cli *cli, const char *name, uint32_t n, Str *out) {
    for (uint32_t i = 0; i < cli->options.count; i++) {
        if (strcmp(cli->options.items[i].name, name) != 0) continue;
        if (n-- > 0) continue;
        *out = cli->options.items[i].value;
        return true;
    }
    return false;
}

static const OptionSpec *find_option(const CommandSpec *command, Str name, char letter) {
    const OptionSpec *option = NULL;
    for (uint32_t i = 0; (option = cli_option_spec(command, i)) != NULL; i++) {
        if (letter != 0 ? option->letter == letter : str_eq(name, str_from(option->name))) {
            return option;
        }
    }
    return NULL;
}

static const char *nearest_option(const CommandSpec *command, Str name) {
    const char *nearest = NULL;
    size_t best = 3;
    const OptionSpec *option = NULL;
    for (uint32_t i = 0; (option = cli_option_spec(command, i)) != NULL; i++) {
        if (option->help == NULL) continue;
        size_t distance = str_distance(name, str_from(option->name), 2);
        if (distance < best) nearest = option->name;
        if (distance < best) best = distance;
    }
    return nearest;
}

static int unknown_option(Cli *cli, Str name) {
    const char *nearest = nearest_option(cli->command, name);
    if (nearest != NULL) {
        return cli_usage(cli, "unknown option '--" STR_FMT "', did you mean '--%s'?", STR_ARG(name),
                         nearest);
    }
    return cli_usage(cli, "unknown option '--" STR_FMT "': `flowrun %s --help` lists them",
                     STR_ARG(name), cli->command->name);
}

static void add_option(Cli *cli, const OptionSpec *option, Str value) {
    *LIST_ADD(&cli->arena, &cli->options, GivenOption) = (GivenOption){option->name, value};
}

static int read_long(Cli *cli, Str text, char **argv, int argc, int *at) {
    size_t equals = str_find_char(text, '=', 0);
    Str name = str_slice(text, 0, equals);
    const OptionSpec *option = find_option(cli->command, name, 0);
    bool has_value = equals != STR_NOT_FOUND;
    if (option == NULL) return unknown_option(cli, name);
    bool may_lack = option->value != NULL && option->value[strlen(option->value) - 1] == '?';
    if (option->value == NULL && has_value) {
        return cli_usage(cli, "option '--%s' takes no value", option->name);
    }
    Str value = has_value ? str_slice(text, equals + 1, text.len) : (Str){0};
    if (option->value != NULL && !has_value && !may_lack) {
        if (*at + 1 >= argc) {
            return cli_usage(cli, "option '--%s' needs a value: --%s %s", option->name,
                             option->name, option->value);
        }
        value = str_from(argv[++*at]);
    }
    add_option(cli, option, value);
    return 0;
}

// -x, -xVALUE, -x VALUE; flags may stand together.
static int read_short(Cli *cli, Str text, char **argv, int argc, int *at) {
    for (size_t i = 0; i < text.len; i++) {
        const OptionSpec *option = find_option(cli->command, (Str){0}, text.ptr[i]);
        if (option == NULL) return cli_usage(cli, "unknown option '-%c'", text.ptr[i]);
        if (option->value == NULL) {
            add_option(cli, option, (Str){0});
            continue;
        }
        Str value = str_slice(text, i + 1, text.len);
        if (value.len == 0) {
            if (*at + 1 >= argc) {
                return cli_usage(cli, "option '-%c' needs a value: -%c %s", text.ptr[i],
                                 text.ptr[i], option->value);
            }
            value = str_from(argv[++*at]);
        }
        add_option(cli, option, value);
        return 0;
    }
    return 0;
}

static int read_arguments(Cli *cli, int argc, char **argv) {
    bool is_over = false;
    cli->arguments = arena_array(&cli->arena, Str, (size_t)argc);
    for (int at = 2; at < argc; at++) {
        Str text = str_from(argv[at]);
        int status = 0;
        if (!is_over && str_eq(text, STR("--"))) {
            is_over = true;
        } else if (!is_over && str_starts_with(text, STR("--"))) {
            status = read_long(cli, str_slice(text, 2, text.len), argv, argc, &at);
        } else if (!is_over && text.len > 1 && text.ptr[0] == '-') {
            status = read_short(cli, str_slice(text, 1, text.len), argv, argc, &at);
        } else {
            cli->arguments[cli->argument_count++] = text;
        }
        if (status != 0) return status;
    }
    if (cli_has(cli, "help")) return 0;
    int count = cli->argument_count;
    if (count < cli->command->min) {
        return cli_usage(cli, "'%s' needs %s", cli->command->name, cli->command->arguments);
    }
    if (cli->command->max >= 0 && count > cli->command->max) {
        return cli_usage(cli, "'" STR_FMT "' is one argument too many for '%s'",
                         STR_ARG(cli->arguments[cli->command->max]), cli->command->name);
    }
    return 0;
}

// --- starting -----------------------------------------------------------------------------------

static const CommandSpec *find_command(const char *name) {
    uint32_t count = 0;
    const CommandSpec *const *commands = cli_commands(&count);
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(commands[i]->name, name) == 0) return commands[i];
    }
    return NULL;
}

static int unknown_command(Cli *cli, const char *name) {
    uint32_t count = 0;
    const CommandSpec *const *commands = cli_commands(&count);
    const char *nearest = NULL;
    size_t best = 3;
    for (uint32_t i = 0; i < count; i++) {
        size_t distance = str_distance(str_from(name), str_from(commands[i]->name), 2);
        if (distance < best) nearest = commands[i]->name;
        if (distance < best) best = distance;
    }
    if (nearest != NULL) {
        return cli_usage(cli, "unknown command '%s', did you mean '%s'?", name, nearest);
    }
    return cli_usage(cli, "unknown command '%s': `flowrun --help` lists them", name);
}

// Whether the result is JSON has to be known before the first mistake is told.
static bool wants_json(int argc, char **argv) {
    bool is_json = false;
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) break;
        if (strcmp(argv[i], "--output=json") == 0) is_json = true;
        if (strcmp(argv[i], "--output") == 0 && i + 1 < argc) {
            is_json = strcmp(argv[i + 1], "json") == 0;
        }
    }
    return is_json;
}

static bool has_colour(Str wanted, int fd) {
    const char *none = getenv("NO_COLOR");
    if (str_eq(wanted, STR("always"))) return true;
    if (str_eq(wanted, STR("never"))) return false;
    return isatty(fd) == 1 && (none == NULL || none[0] == '\0');
}

static void choose_colour(Cli *cli, Str colour) {
    cli->colour = colour;
    cli->is_terminal = isatty(STDERR_FILENO) == 1;
    cli->has_colour = has_colour(colour, STDERR_FILENO);
}

bool cli_output_has_colour(const Cli *cli) {
    return has_colour(cli->colour, STDOUT_FILENO);
}

static int check_words(Cli *cli) {
    Str output = cli_option(cli, "output");
    Str colour = cli_option(cli, "color");
    if (output.len > 0 && !str_eq(output, STR("text")) && !str_eq(output, STR("json"))) {
        return cli_usage(cli, "'--output' is text or json, not '" STR_FMT "'", STR_ARG(output));
    }
    if (colour.len > 0 && !str_eq(colour, STR("auto")) && !str_eq(colour, STR("always")) &&
        !str_eq(colour, STR("never"))) {
        return cli_usage(cli, "'--color' is auto, always or never, not '" STR_FMT "'",
                         STR_ARG(colour));
    }
    choose_colour(cli, colour);
    return 0;
}

// Nothing of this process, which may hold secrets, is left behind or looked into.
static void harden(void) {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
    umask(077);
}

static int run_command(Cli *cli, int argc, char **argv) {
    cli->is_json = wants_json(argc, argv);
    choose_colour(cli, (Str){0});
    cli->command = find_command(argv[1]);
    if (cli->command == NULL) return unknown_command(cli, argv[1]);
    int status = read_arguments(cli, argc, argv);
    if (status == 0) status = check_words(cli);
    if (status != 0) return status;
    if (cli_has(cli, "help")) {
        print_help(cli->command);
        return STATUS_OK;
    }
    Err err = crypto_init();
    if (err.code == ERR_NONE) {
        err = run_config_load(cli_option_c(cli, "config"), &cli->arena, &cli->config);
    }
    if (err.code != ERR_NONE) return cli_fail(cli, "usage", &err, NULL);
    return cli->command->run(cli);
}

int cli_main(int argc, char **argv) {
    file_hold_standard();
    harden();
    if (argc < 2) {
        print_commands(stderr);
        return STATUS_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_commands(stdout);
        return STATUS_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("flowrun %s\n", FLOW_VERSION);
        return STATUS_OK;
    }
    Cli cli = {.started_fd = -1};
    int status = run_command(&cli, argc, argv);
    buffer_release(&cli.line);
    buffer_release(&cli.time);
    buffer_release(&cli.block);
    arena_release(&cli.arena);
    if (fflush(stdout) != 0) cli.has_lost_output = true;
    if (cli.has_lost_output && status == STATUS_OK) status = STATUS_STORE;
    return status;
}
