// compile.h - what compile and run share: their options, and the way from a flow to bytes.
#ifndef FLOW_CLI_COMPILE_H
#define FLOW_CLI_COMPILE_H

#include "cli/cli.h"

typedef struct CompileOptions {
    CommonOptions common;
    const char *out, *emit, *sign, *password, *deps, *literals;
    bool no_link, no_source, is_standalone;
} CompileOptions;

#define COMPILE_ROWS(Struct)                                                                       \
    COMMON_ROWS(Struct),                                                                           \
        {OPTION_LIST,                                                                              \
         "--external",                                                                             \
         0,                                                                                        \
         "PREFIX",                                                                                 \
         offsetof(Struct, common.externals),                                                       \
         "types that a handler of the host runs",                                                  \
         NULL},                                                                                    \
        {OPTION_FLAG,                                                                              \
         "--no-link",                                                                              \
         0,                                                                                        \
         NULL,                                                                                     \
         offsetof(Struct, no_link),                                                                \
         "leave called flows out of the artifact",                                                 \
         NULL},                                                                                    \
        {OPTION_FLAG,                                                                              \
         "--no-source",                                                                            \
         0,                                                                                        \
         NULL,                                                                                     \
         offsetof(Struct, no_source),                                                              \
         "leave the flow's YAML out of the artifact",                                              \
         NULL},                                                                                    \
        {OPTION_TEXT,                                                                              \
         "--sign",                                                                                 \
         0,                                                                                        \
         "KEYFILE|fd:N",                                                                           \
         offsetof(Struct, sign),                                                                   \
         "sign with a key of 'flowc keygen'",                                                      \
         NULL},                                                                                    \
    {                                                                                              \
        OPTION_TEXT, "--password", 0, "fd:N", offsetof(Struct, password),                          \
            "where the key's password is read from", NULL                                          \
    }

// Compiles the flow at `path`. STATUS_OK: *out has the bytes; findings were printed to standard
// error. Else the status to end with; a flow with errors gives STATUS_FINDINGS.
int compile_flow(const Command *command, const CompileOptions *it, const char *path, Arena *arena,
                 Compiled *out);

#endif
