// options.c - words of the command line into a command's struct, and the help that comes from the
// same rows.
//
// Long options take their value behind `=` or as the next word, short ones as the rest of the word
// or the next; `--` ends options; `-` is an argument.
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static const Option help_option = {.kind = OPTION_FLAG, .name = "--help", .letter = 'h'};

const Option *option_find(const Option *options, const char *word, const char **value) {
    *value = NULL;
    const char *equals = strchr(word, '=');
    const size_t length = equals == NULL ? strlen(word) : (size_t)(equals - word);
    for (const Option *option = options; option->kind != OPTION_END; option++) {
        if (word[1] == '-') {
            if (strlen(option->name) != length || strncmp(option->name, word, length) != 0) {
                continue;
            }
            if (equals != NULL) *value = equals + 1;
            return option;
        }
        if (option->letter != 0 && option->letter == word[1]) {
            if (word[2] != '\0') *value = word + 2;
            return option;
        }
    }
    return NULL;
}

static bool is_choice(const char *choices, const char *value) {
    Str rest = str_from(choices);
    Str one = {0};
    while (str_split(&rest, '|', &one)) {
        if (str_eq(one, str_from(value))) return true;
    }
    return false;
}

// False where the value does not fit; a mistake was reported.
static bool store(const Command *command, const Option *option, const char *value, Arena *arena,
                  void *target) {
    void *field = (char *)target + option->offset;
    if (option->choices != NULL && !is_choice(option->choices, value)) {
        usage_error(command, "'%s' is no value of %s: %s", value, option->name, option->choices);
        return false;
    }
    switch (option->kind) {
    case OPTION_END:
    case OPTION_LATER:
        break;
    case OPTION_FLAG:
        *(bool *)field = true;
        break;
    case OPTION_TEXT:
        *(const char **)field = value;
        break;
    case OPTION_LIST: {
        Texts *texts = field;
        texts->items =
            (const char **)arena_grow(arena, texts->items, texts->count, texts->count + 1,
                                      sizeof *texts->items, alignof(const char *));
        texts->items[texts->count++] = value;
        break;
    }
    case OPTION_COUNT:
        if (!str_to_int(str_from(value), field) || *(int64_t *)field < 0) {
            usage_error(command, "%s takes a number, not '%s'", option->name, value);
            return false;
        }
        break;
    }
    return true;
}

static void unknown_option(const Command *command, const char *word) {
    const char *names[64];
    size_t count = 0;
    for (const Option *option = command->options;
         option->kind != OPTION_END && count < COUNT(names); option++) {
        if (option->help != NULL || option->kind == OPTION_LATER) names[count++] = option->name;
    }
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word, "="), word);
    const char *nearest = nearest_name(name, names, count);
    if (nearest != NULL) {
        usage_error(command, "unknown option '%s'; did you mean '%s'?", name, nearest);
    } else {
        usage_error(command, "unknown option '%s'", name);
    }
}

// One option at argv[*at]; false where something is wrong with it.
static bool read_option(const Command *command, int argc, char **argv, int *at, Arena *arena,
                        void *target) {
    const char *word = argv[*at];
    const char *value = NULL;
    const Option *option = option_find(command->options, word, &value);
    if (option == NULL) {
        unknown_option(command, word);
        return false;
    }
    if (option->kind == OPTION_LATER) {
        usage_error(command, "%s is not available in this version", option->name);
        return false;
    }
    if (option->kind == OPTION_FLAG) {
        if (value != NULL) {
            usage_error(command, "%s takes no value", option->name);
            return false;
        }
    } else if (value == NULL) {
        if (*at + 1 >= argc) {
            usage_error(command, "%s needs a value: %s", option->name, option->value);
            return false;
        }
        value = argv[++*at];
    }
    return store(command, option, value, arena, target);
}

bool options_read(const Command *command, int argc, char **argv, Arena *arena, void *target,
                  Arguments *arguments, int *status) {
    arguments->items = arena_array(arena, const char *, (size_t)argc + 1);
    arguments->count = 0;
    bool takes_options = true;
    for (int at = 1; at < argc; at++) {
        const char *word = argv[at];
        if (!takes_options || word[0] != '-' || word[1] == '\0') {
            arguments->items[arguments->count++] = word;
        } else if (strcmp(word, "--") == 0) {
            takes_options = false;
        } else if (strcmp(word, help_option.name) == 0 || strcmp(word, "-h") == 0) {
            command_help(command, stdout);
            *status = STATUS_OK;
            return false;
        } else if (!read_option(command, argc, argv, &at, arena, target)) {
            *status = STATUS_USAGE;
            return false;
        }
    }
    return true;
}

static void print_option(const Option *option, FILE *out) {
    char head[80];
    char letter[8] = "    ";
    if (option->letter != 0) snprintf(letter, sizeof letter, "-%c, ", option->letter);
    snprintf(head, sizeof head, "%s%s%s%s", letter, option->name, option->value == NULL ? "" : " ",
             option->value == NULL ? "" : option->value);
    if (strlen(head) > 28) {
        fprintf(out, "  %s\n  %-28s  %s", head, "", option->help);
    } else {
        fprintf(out, "  %-28s  %s", head, option->help);
    }
    if (option->choices != NULL) fprintf(out, " (%s)", option->choices);
    fputc('\n', out);
}

void command_help(const Command *command, FILE *out) {
    fprintf(out, "%s\n\nusage: flowc %s %s\n\n%s\n\noptions:\n", command->summary, command->name,
            command->usage, command->help);
    for (const Option *option = command->options; option->kind != OPTION_END; option++) {
        if (option->help != NULL && option->kind != OPTION_LATER) print_option(option, out);
    }
    fprintf(out, "  %-28s  %s\n", "-h, --help", "this text");
}

int usage_error(const Command *command, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fprintf(stderr, "flowc%s%s: ", command == NULL ? "" : " ",
            command == NULL ? "" : command->name);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\ntry 'flowc%s%s --help'\n", command == NULL ? "" : " ",
            command == NULL ? "" : command->name);
    return STATUS_USAGE;
}

int report_error(const Command *command, Err err) {
    if (err.code == ERR_USAGE) return usage_error(command, "%s", err.text);
    fprintf(stderr, "flowc %s: %s\n", command->name, err.text);
    // What the caller can put right himself is not the machine's failure.
    return err.code == ERR_CONFLICT || err.code == ERR_NOT_FOUND ? STATUS_USAGE : STATUS_MACHINE;
}
