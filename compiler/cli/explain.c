// explain.c - flowc explain: what a finding means, with an example of it and of its repair.
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

typedef struct Explain {
    const char *color;
} Explain;

static const Option options[] = {
    {OPTION_TEXT, "--color", 0, "WHEN", offsetof(Explain, color),
     "colours: on a terminal, always or never", "auto|always|never"},
    {.kind = OPTION_END         },
};

static int run(int argc, char **argv);

const Command command_explain = {
    .name = "explain",
    .usage = "[CODE|NAME...]",
    .summary = "Tell what a finding means and how to repair it.",
    .help = "CODE is a code (E0301) or a name (unknown-input). Without one, all are listed.",
    .options = options,
    .run = run,
};

static const char *level_word(const DiagCode *row) {
    return row->code[0] == 'S' ? "security" : diag_level_name(row->level);
}

static void list_all(void) {
    size_t count = 0;
    const DiagCode *rows = diag_codes(&count);
    for (size_t i = 0; i < count; i++) {
        printf("%s  %-8s  %-26s %s\n", rows[i].code, level_word(&rows[i]), rows[i].name,
               rows[i].what);
    }
}

// Text wrapped at 80 columns, at blanks.
static void print_wrapped(const char *text) {
    Str rest = str_from(text);
    Str word = {0};
    uint32_t column = 0;
    while (str_split(&rest, ' ', &word)) {
        if (column > 0 && column + 1 + word.len > 80) {
            putchar('\n');
            column = 0;
        }
        if (column > 0) column += (uint32_t)(putchar(' ') != EOF);
        printf(STR_FMT, STR_ARG(word));
        column += (uint32_t)word.len;
    }
    putchar('\n');
}

static void print_example(const char *title, const char *yaml) {
    if (yaml == NULL) return;
    printf("\n%s:\n\n", title);
    Str rest = str_from(yaml);
    Str line = {0};
    while (str_split(&rest, '\n', &line)) {
        if (line.len > 0 || rest.len > 0) printf("    " STR_FMT "\n", STR_ARG(line));
    }
}

static void explain(const DiagCode *row, bool has_colour) {
    const char *bold = has_colour ? "\033[1m" : "";
    const char *plain = has_colour ? "\033[0m" : "";
    printf("%s%s %s%s (%s)\n\nFinds: ", bold, row->code, row->name, plain, level_word(row));
    print_wrapped(row->what);
    if (row->explain != NULL) {
        putchar('\n');
        print_wrapped(row->explain);
    }
    print_example("Wrong", row->wrong);
    print_example("Right", row->right);
}

static int explain_one(const char *name, bool has_colour) {
    char upper[8] = {0};
    for (size_t i = 0; i < sizeof upper - 1 && name[i] != '\0'; i++) {
        upper[i] = name[i] >= 'a' && name[i] <= 'z' ? (char)(name[i] - 'a' + 'A') : name[i];
    }
    const DiagCode *row = diag_code_find(str_from(strlen(name) == 5 ? upper : name));
    if (row == NULL) row = diag_code_find(str_from(name));
    if (row != NULL) {
        explain(row, has_colour);
        return STATUS_OK;
    }
    size_t count = 0;
    const DiagCode *rows = diag_codes(&count);
    const char *nearest = NULL;
    size_t best = 4;
    for (size_t i = 0; i < count; i++) {
        const size_t distance = str_distance(str_from(name), str_from(rows[i].name), best);
        if (distance >= best) continue;
        best = distance;
        nearest = rows[i].name;
    }
    if (nearest != NULL) {
        return usage_error(&command_explain, "unknown code '%s'; did you mean '%s'?", name,
                           nearest);
    }
    return usage_error(&command_explain, "unknown code '%s'; 'flowc explain' lists all", name);
}

static int run(int argc, char **argv) {
    Arena arena = {0};
    Explain it = {0};
    Arguments arguments = {0};
    int status = STATUS_OK;
    if (options_read(&command_explain, argc, argv, &arena, &it, &arguments, &status)) {
        if (arguments.count == 0) list_all();
        const bool has_colour = wants_colour(it.color, STDOUT_FILENO);
        for (int i = 0; i < arguments.count && status == STATUS_OK; i++) {
            if (i > 0) putchar('\n');
            status = explain_one(arguments.items[i], has_colour);
        }
    }
    arena_release(&arena);
    return status;
}
