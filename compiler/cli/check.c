// check.c - flowc check: find the mistakes of flows.
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

typedef struct Check {
    CommonOptions common;
    int64_t max_warnings, jobs;
    bool is_fix, is_diff;
    const char *baseline, *new_baseline;
    Buffer fixed;  // diffs, or what became of standard input
} Check;

static const Option options[] = {
    {OPTION_FLAG,                       "--quiet", 'q', NULL, offsetof(Check, common.is_quiet),
     "print nothing, the status tells", NULL},
    COMMON_ROWS(Check),
    {OPTION_COUNT,                              "--max-warnings", 0, "N", offsetof(Check, max_warnings),
     "end with status 1 where there are more warnings", NULL},
    {OPTION_LIST,                   "--exclude", 0, "GLOB", offsetof(Check, common.excludes),
     "files and folders to leave out of folders", NULL},
    {OPTION_COUNT, "--jobs", 'j', "N", offsetof(Check, jobs),
     "threads, 0 for one a processor; the result is the same", NULL},
    {OPTION_FLAG,                                 "--no-cache", 0, NULL, offsetof(Check, common.no_cache),
     "look at every file anew", NULL},
    {OPTION_TEXT,"--embedded", 0, "WHEN", offsetof(Check, common.embedded),
     "scripts in flows: checked by tools that are installed, not at all, or by all tools", "auto|off|require"},
    {OPTION_FLAG,                              "--fix", 0, NULL, offsetof(Check, is_fix), "apply safe suggestions to the files",
     NULL},
    {OPTION_FLAG,                    "--diff", 0, NULL, offsetof(Check, is_diff), "show what --fix would change",
     NULL},
    {OPTION_TEXT,                             "--baseline", 0, "FILE", offsetof(Check, baseline),
     "leave out the findings that FILE knows", NULL},
    {OPTION_TEXT,                       "--write-baseline", 0, "FILE", offsetof(Check, new_baseline),
     "write all findings to FILE, for --baseline", NULL},
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
        "else the\ncurrent one. Flows of the project and of --flows are known, whichever is "
        "checked. "
        "What was found\nis kept in $XDG_CACHE_HOME/flowc, else in ~/.cache/flowc, so that only "
        "what "
        "changed is looked at\nagain. Status 0: nothing at error level; 1: errors; 2: wrong usage.",
    .options = options,
    .run = run,
};

static uint32_t processor_count(void) {
    const long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 1 ? (uint32_t)count : 1;
}

static EmbedMode embed_mode(const char *word) {
    if (word == NULL || strcmp(word, "auto") == 0) return EMBED_AUTO;
    return strcmp(word, "require") == 0 ? EMBED_REQUIRE : EMBED_OFF;
}

static Err check(Check *it, Arguments *arguments, Arena *arena, Session **out) {
    SessionOptions asked = session_options(&it->common);
    asked.embedded = embed_mode(it->common.embedded);
    asked.use_cache = !it->common.no_cache;
    TRY(session_new(&asked, arguments->count > 0 ? arguments->items[0] : NULL, out));
    Session *session = *out;
    if (arguments->count == 0) {
        const bool has_project = session->project.exists && session->project.folder.len > 0;
        arguments->items[arguments->count++] =
            has_project ? str_to_c(arena, session->project.folder) : ".";
    }
    SessionInput input = {.paths = arguments->items,
                          .count = (size_t)arguments->count,
                          .fix = it->is_diff ? FIX_DIFF : FIX_NONE,
                          .out = &it->fixed};
    if (it->is_fix) input.fix = FIX_WRITE;
    for (int i = 0; i < arguments->count; i++) {
        if (strcmp(arguments->items[i], "-") != 0) continue;
        TRY(read_input(arena, &input.input));
        input.input_name = str_from(it->common.stdin_name == NULL ? "-" : it->common.stdin_name);
        break;
    }
    input.jobs = it->jobs == 0 ? processor_count() : (uint32_t)(it->jobs < 64 ? it->jobs : 64);
    TRY(session_check(session, &input));
    if (it->new_baseline != NULL) return baseline_write(session, it->new_baseline);
    return it->baseline == NULL ? err_none() : baseline_apply(session, it->baseline);
}

// Standard input that is fixed goes to standard output, so that findings have to go elsewhere.
static int print(Check *it, const Arguments *arguments, const Session *session) {
    if (it->is_diff) {
        const int status = write_out(STDOUT_FILENO, &it->fixed);
        print_summary(session, &it->common);
        return status;
    }
    bool is_filter = false;
    for (int i = 0; it->is_fix && i < arguments->count; i++) {
        if (strcmp(arguments->items[i], "-") == 0) is_filter = true;
    }
    if (!is_filter) return print_findings(session, &it->common, STDOUT_FILENO);
    const int status = write_out(STDOUT_FILENO, &it->fixed);
    const int findings = print_findings(session, &it->common, STDERR_FILENO);
    return status == STATUS_OK ? findings : status;
}

static int end(Check *it, const Arguments *arguments, const Session *session) {
    int status = print(it, arguments, session);
    const uint32_t warnings = diags_count(&session->diags, DIAG_WARNING);
    const bool has_findings =
        diags_count(&session->diags, DIAG_ERROR) > 0 || (int64_t)warnings > it->max_warnings;
    const bool has_changes = it->is_diff && session->summary.fixed_files > 0;
    if (status == STATUS_OK && (has_findings || has_changes)) status = STATUS_FINDINGS;
    if (session->embed_error.code != ERR_NONE) {
        fprintf(stderr, "flowc check: %s; scripts were not checked, or not all of them\n",
                session->embed_error.text);
    }
    if (session->write_error.code != ERR_NONE) {
        status = report_error(&command_check, session->write_error);
    }
    return status;
}

static bool is_sensible(const Check *it) {
    if (it->is_fix && it->is_diff) {
        usage_error(&command_check, "--fix writes and --diff only shows: choose one");
        return false;
    }
    if (it->is_diff && it->common.format != NULL && strcmp(it->common.format, "text") != 0) {
        usage_error(&command_check, "--diff prints a diff: it takes no --format");
        return false;
    }
    if (it->baseline != NULL && it->new_baseline != NULL) {
        usage_error(&command_check, "a baseline is either read or written: choose one");
        return false;
    }
    return true;
}

static int run(int argc, char **argv) {
    Arena arena = {0};
    Check it = {.max_warnings = INT64_MAX, .jobs = 1};
    Arguments arguments = {0};
    int status = STATUS_OK;
    if (options_read(&command_check, argc, argv, &arena, &it, &arguments, &status)) {
        Session *session = NULL;
        if (!is_sensible(&it)) {
            status = STATUS_USAGE;
        } else {
            const Err err = check(&it, &arguments, &arena, &session);
            status = err.code != ERR_NONE ? report_error(&command_check, err)
                                          : end(&it, &arguments, session);
        }
        session_free(session);
    }
    buffer_release(&it.fixed);
    arena_release(&arena);
    return status;
}
