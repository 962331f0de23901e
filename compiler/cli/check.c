// check.c - flowc check: find the mistakes of flows.
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

typedef struct Check {
    CommonOptions common;
    int64_t max_warnings, jobs;
} Check;

static const Option options[] = {
    {OPTION_FLAG,                       "--quiet", 'q', NULL, offsetof(Check, common.is_quiet),
     "print nothing, the status tells", NULL},
    COMMON_ROWS(Check),
    {OPTION_COUNT,                              "--max-warnings", 0, "N", offsetof(Check, max_warnings),
     "end with status 1 where there are more warnings", NULL},
    {OPTION_LIST,                   "--exclude", 0, "GLOB", offsetof(Check, common.excludes),
     "files and folders to leave out of folders", NULL},
    {OPTION_COUNT, "--jobs", 'j', "N", offsetof(Check, jobs), "threads; the result is the same",
     NULL},
    {OPTION_FLAG,                                 "--no-cache", 0, NULL, offsetof(Check, common.no_cache),
     "look at every file anew", NULL},
    {OPTION_TEXT,"--embedded", 0, "WHEN", offsetof(Check, common.embedded),
     "scripts in flows: checked by tools that are installed, or not", "auto|off"},
    {OPTION_LATER,                              "--fix", 0, NULL, 0, NULL, NULL},
    {OPTION_LATER,                    "--diff", 0, NULL, 0, NULL, NULL},
    {OPTION_LATER,                             "--baseline", 0, "FILE", 0, NULL, NULL},
    {OPTION_LATER,                       "--write-baseline", 0, "FILE", 0, NULL, NULL},
    {.kind = OPTION_END                               },
};

static int run(int argc, char **argv);

const Command command_check = {
    .name = "check",
    .usage = "[PATH...|-] [OPTION...]",
    .summary = "Find the mistakes of flows.",
    .help =
        "A PATH is a file, a folder (all .yaml and .yml below it; .gitignore is honoured) or '-' "
        "for\nstandard input. Without one, the project is checked: the folder of .flowc.yaml, "
        "else the\ncurrent one. Status 0: nothing at error level; 1: errors; 2: wrong usage.",
    .options = options,
    .run = run,
};

static Err check(Check *it, Arguments *arguments, Arena *arena, Session **out) {
    const SessionOptions asked = session_options(&it->common);
    TRY(session_new(&asked, arguments->count > 0 ? arguments->items[0] : NULL, out));
    Session *session = *out;
    if (arguments->count == 0) {
        const bool has_project = session->project.exists && session->project.folder.len > 0;
        arguments->items[arguments->count++] =
            has_project ? str_to_c(arena, session->project.folder) : ".";
    }
    SessionInput input = {.paths = arguments->items, .count = (size_t)arguments->count};
    for (int i = 0; i < arguments->count; i++) {
        if (strcmp(arguments->items[i], "-") != 0) continue;
        TRY(read_input(arena, &input.input));
        input.input_name = str_from(it->common.stdin_name == NULL ? "-" : it->common.stdin_name);
        break;
    }
    return session_check(session, &input);
}

static int run(int argc, char **argv) {
    Arena arena = {0};
    Check it = {.max_warnings = INT64_MAX};
    Arguments arguments = {0};
    int status = STATUS_OK;
    if (options_read(&command_check, argc, argv, &arena, &it, &arguments, &status)) {
        Session *session = NULL;
        const Err err = check(&it, &arguments, &arena, &session);
        if (err.code != ERR_NONE) {
            status = report_error(&command_check, err);
        } else {
            status = print_findings(session, &it.common, STDOUT_FILENO);
            const uint32_t warnings = diags_count(&session->diags, DIAG_WARNING);
            const bool has_findings =
                diags_count(&session->diags, DIAG_ERROR) > 0 || (int64_t)warnings > it.max_warnings;
            if (status == STATUS_OK && has_findings) status = STATUS_FINDINGS;
        }
        session_free(session);
    }
    arena_release(&arena);
    return status;
}
