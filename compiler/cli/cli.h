// cli.h - what the commands of flowc share: their registry, options, streams, statuses.
//
// A command is one file with one `Command`; it is found by the table in commands.c. Options are
// declared as rows and read into a struct of the command. Results go to standard output, everything
// else to standard error.
#ifndef FLOW_CLI_CLI_H
#define FLOW_CLI_CLI_H

#include <stddef.h>
#include <stdio.h>

#include "session/session.h"

enum {
    STATUS_OK = 0,
    STATUS_FINDINGS = 1,
    STATUS_USAGE = 2,
    STATUS_MACHINE = 3,
    STATUS_RUN_FINDINGS = 65,
    STATUS_INTERRUPTED = 130
};

typedef enum OptionKind {
    OPTION_END,
    OPTION_FLAG,   // bool
    OPTION_TEXT,   // const char *
    OPTION_LIST,   // Texts: may be repeated
    OPTION_COUNT,  // int64_t: a number from 0 on
    OPTION_LATER,  // known, but not in this version: refused with a message
} OptionKind;

typedef struct Option {
    OptionKind kind;
    const char *name;   // "--format"
    char letter;        // 'q' for -q; 0: none
    const char *value;  // how the value is called in the help; NULL where there is none
    size_t offset;      // into the command's struct
    const char *help;
    const char *choices;  // "text|oneline|json|sarif|github|gitlab|junit"; NULL: anything
} Option;

typedef struct Command {
    const char *name;
    const char *usage;    // behind `flowc NAME`
    const char *summary;  // one line
    const char *help;     // paragraphs
    const Option *options;
    int (*run)(int argc, char **argv);  // argv[0] is the command's name
} Command;

extern const Command command_check, command_compile, command_run, command_eval, command_keygen,
    command_explain, command_docs, command_new, command_fmt, command_schema, command_catalog,
    command_manual, command_completion, command_graph, command_diff;

const Command *const *commands_all(size_t *count);

// The program: finds the command and runs it.
int flowc_main(int argc, char **argv);

// --- options ------------------------------------------------------------------------------------

typedef struct Arguments {
    const char **items;  // what is no option
    int count;
} Arguments;

// Reads options into `target`. True: go on. False: *status is how to end (help was asked for, or a
// mistake was reported).
bool options_read(const Command *command, int argc, char **argv, Arena *arena, void *target,
                  Arguments *arguments, int *status);
// The option a word names, or NULL. *value: what follows `=`, or NULL.
const Option *option_find(const Option *options, const char *word, const char **value);
void command_help(const Command *command, FILE *out);
// `flowc NAME: message`, then how to get help; gives STATUS_USAGE.
int usage_error(const Command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// `flowc: message`; ERR_USAGE gives STATUS_USAGE, else STATUS_MACHINE.
int report_error(const Command *command, Err err);

// --- streams ------------------------------------------------------------------------------------

bool wants_colour(const char *choice, int fd);
uint32_t terminal_width(int fd);
int write_out(int fd, const Buffer *buffer);  // STATUS_OK or STATUS_MACHINE
// Reads standard input; ERR_LIMIT beyond the size of a source.
MUST_CHECK Err read_input(Arena *arena, Str *out);
// The nearest of `count` names, or NULL where none is near.
const char *nearest_name(const char *word, const char *const *names, size_t count);

// --- findings -----------------------------------------------------------------------------------

// The options that check, compile and run have in common.
typedef struct CommonOptions {
    const char *target, *config, *files, *color, *format, *unknown_types, *stdin_name, *embedded;
    Texts catalogs, flows, excludes, externals;
    bool is_strict, is_quiet, no_cache;
    const char *context_roots;      // of compile: for tests
    const Value *context_literals;  // read from a file
} CommonOptions;

SessionOptions session_options(const CommonOptions *common);
// Writes the findings to `fd` in the format asked for, the summary line of text to standard error.
int print_findings(const Session *session, const CommonOptions *common, int fd);
void print_summary(const Session *session, const CommonOptions *common);  // to standard error

#define COMMON_ROWS(Struct)                                                                          \
    {OPTION_TEXT,                                                                                    \
     "--target",                                                                                     \
     0,                                                                                              \
     "V[,V]",                                                                                        \
     offsetof(Struct, common.target),                                                                \
     "versions of Kestra to check for: 0.20, 1.3, 2.0",                                              \
     NULL},                                                                                          \
        {OPTION_FLAG,                                                                                \
         "--strict",                                                                                 \
         0,                                                                                          \
         NULL,                                                                                       \
         offsetof(Struct, common.is_strict),                                                         \
         "findings about secrets and safety are errors",                                             \
         NULL},                                                                                      \
        {OPTION_TEXT,                                                                                \
         "--unknown-types",                                                                          \
         0,                                                                                          \
         "LEVEL",                                                                                    \
         offsetof(Struct, common.unknown_types),                                                     \
         "how loud an unknown task type is",                                                         \
         "error|warn"},                                                                              \
        {OPTION_TEXT,                                                                                \
         "--format",                                                                                 \
         0,                                                                                          \
         "FORMAT",                                                                                   \
         offsetof(Struct, common.format),                                                            \
         "how findings are printed",                                                                 \
         "text|oneline|json|sarif|github|gitlab|junit"},                                             \
        {OPTION_TEXT,                                                                                \
         "--color",                                                                                  \
         0,                                                                                          \
         "WHEN",                                                                                     \
         offsetof(Struct, common.color),                                                             \
         "colours: on a terminal, always or never",                                                  \
         "auto|always|never"},                                                                       \
        {OPTION_LIST,          "--catalog", 0, "FILE|DIR", offsetof(Struct, common.catalogs),        \
         "private task types", NULL},                                                                \
        {OPTION_TEXT, "--files", 0, "DIR", offsetof(Struct, common.files), "namespace files", NULL}, \
        {OPTION_LIST,                                                                                \
         "--flows",                                                                                  \
         0,                                                                                          \
         "DIR",                                                                                      \
         offsetof(Struct, common.flows),                                                             \
         "where subflows are found",                                                                 \
         NULL},                                                                                      \
        {OPTION_TEXT,                                                                                \
         "--config",                                                                                 \
         0,                                                                                          \
         "FILE",                                                                                     \
         offsetof(Struct, common.config),                                                            \
         "the project file; else .flowc.yaml is looked for upwards",                                 \
         NULL},                                                                                      \
    {                                                                                                \
        OPTION_TEXT, "--stdin-filename", 0, "NAME", offsetof(Struct, common.stdin_name),             \
            "what standard input is called in findings", NULL                                        \
    }

#endif
