// fmt.c - flowc fmt: lay flows out anew, and mean the same.
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "source/unified.h"

typedef struct Fmt {
    const char *config, *stdin_name;
    Texts excludes;
    bool is_check, is_diff, is_quiet;
    uint32_t changed, unchanged, failed;
    Buffer out;
} Fmt;

static const Option options[] = {
    {OPTION_FLAG,                                         "--check", 0, NULL, offsetof(Fmt, is_check),
     "write nothing; status 1 where a file would change", NULL},
    {OPTION_FLAG,                                                  "--diff", 0, NULL, offsetof(Fmt, is_diff), "show what would change", NULL},
    {OPTION_FLAG,                                       "--quiet", 'q', NULL, offsetof(Fmt, is_quiet), "print nothing", NULL},
    {OPTION_LIST, "--exclude", 0, "GLOB", offsetof(Fmt, excludes),
     "files and folders to leave out of folders", NULL},
    {OPTION_TEXT,                                                   "--stdin-filename", 0, "NAME", offsetof(Fmt, stdin_name),
     "what standard input is called", NULL},
    {OPTION_TEXT,"--config", 0, "FILE", offsetof(Fmt, config),
     "the project file; else .flowc.yaml is looked for upwards", NULL},
    {.kind = OPTION_END                                              },
};

static int run(int argc, char **argv);

const Command command_fmt = {
    .name = "fmt",
    .usage = "[PATH...|-] [OPTION...]",
    .summary = "Lay flows out anew.",
    .help = "Two blanks a level, no blanks at ends of lines, one blank line at most, one line end "
            "at\nthe end. Comments, quotes and block texts stay as they are, and the flow means "
            "the same:\nwhat cannot be laid out anew with certainty is left alone. Without PATH "
            "the project is\nformatted; '-' goes from standard input to standard output.",
    .options = options,
    .run = run,
};

static bool is_flow(const Tree *tree) {
    for (uint32_t i = 0; i < tree->documents.count; i++) {
        const Node *root = tree->documents.items[i].root;
        if (root->type == YAML_MAP && node_entry(root, STR("tasks")) != NULL) return true;
    }
    return false;
}

static void complain(Fmt *it, Str name, const char *why) {
    it->failed++;
    if (!it->is_quiet) fprintf(stderr, STR_FMT ": %s\n", STR_ARG(name), why);
}

// Says what would change, or writes it.
static Err hand_out(Fmt *it, Session *session, const FoundFile *found, const Source *source,
                    Str made) {
    const bool is_input = str_eq(found->path, STR("-"));
    const bool is_same = str_eq(source->bytes, made);
    if (is_input && !it->is_check && !it->is_diff) buffer_add(&it->out, made);
    if (is_same) {
        it->unchanged++;
        return err_none();
    }
    it->changed++;
    if (it->is_diff) {
        unified_diff(diag_report_path(source->name), source->bytes, made, &it->out);
    } else if (it->is_check) {
        if (!it->is_quiet) {
            buffer_printf(&it->out, "would reformat: " STR_FMT "\n", STR_ARG(source->name));
        }
    } else if (!is_input) {
        return fix_write(session, found->path, source->bytes, made);
    }
    return err_none();
}

static Err format_file(Fmt *it, Session *session, const FoundFile *found, Arena *scratch) {
    uint32_t file = 0;
    if (str_eq(found->path, STR("-"))) {
        Str text = {0};
        TRY(read_input(&session->arena, &text));
        const char *name = it->stdin_name == NULL ? "-" : it->stdin_name;
        file = sources_add(&session->sources, str_from(name), text);
    } else {
        const Err err = sources_read(&session->sources, str_to_c(&session->arena, found->path),
                                     found->path, &file);
        if (err.code != ERR_NONE) {
            complain(it, found->path, err.text);
            return err_none();
        }
    }
    Diags diags = {.arena = scratch};
    const Tree *tree = syntax_read(&session->sources, file, scratch, &diags);
    const Source *source = sources_get(&session->sources, file);
    if (!is_flow(tree) && !found->is_named) return err_none();
    if (diags_count(&diags, DIAG_ERROR) > 0) {
        complain(it, source->name, "it has errors of syntax, left as it is; see 'flowc check'");
        return err_none();
    }
    Str made = {0};
    if (!syntax_format(&session->sources, tree, scratch, &made)) {
        complain(it, source->name, "its layout is too unusual to be changed safely, left as it is");
        return err_none();
    }
    return hand_out(it, session, found, source, made);
}

static Err format_all(Fmt *it, Arguments *arguments, Arena *arena, Session **out) {
    const SessionOptions asked = {.config = it->config, .excludes = it->excludes};
    TRY(session_new(&asked, arguments->count > 0 ? arguments->items[0] : NULL, out));
    Session *session = *out;
    if (arguments->count == 0) {
        const bool has_project = session->project.exists && session->project.folder.len > 0;
        arguments->items[arguments->count++] =
            has_project ? str_to_c(arena, session->project.folder) : ".";
    }
    FoundFiles found = {0};
    for (int i = 0; i < arguments->count; i++) {
        TRY(paths_expand(session, arguments->items[i], &found));
    }
    for (uint32_t i = 0; i < found.list.count; i++) {
        Arena scratch = {0};
        const Err err = format_file(it, session, &found.list.items[i], &scratch);
        arena_release(&scratch);
        if (err.code != ERR_NONE) return err;
    }
    return err_none();
}

static void print_counts(const Fmt *it) {
    const bool is_dry = it->is_check || it->is_diff;
    fprintf(stderr, "%u file%s %s, %u left as %s\n", it->changed, it->changed == 1 ? "" : "s",
            is_dry ? "would be reformatted" : "reformatted", it->unchanged + it->failed,
            it->unchanged + it->failed == 1 ? "it is" : "they are");
}

static int run(int argc, char **argv) {
    Arena arena = {0};
    Fmt it = {0};
    Arguments arguments = {0};
    int status = STATUS_OK;
    if (options_read(&command_fmt, argc, argv, &arena, &it, &arguments, &status)) {
        Session *session = NULL;
        const Err err = format_all(&it, &arguments, &arena, &session);
        status = write_out(STDOUT_FILENO, &it.out);
        const bool would_change = (it.is_check || it.is_diff) && it.changed > 0;
        if (status == STATUS_OK && (it.failed > 0 || would_change)) status = STATUS_FINDINGS;
        if (err.code != ERR_NONE) {
            status = report_error(&command_fmt, err);
        } else if (!it.is_quiet) {
            print_counts(&it);
        }
        session_free(session);
    }
    buffer_release(&it.out);
    arena_release(&arena);
    return status;
}
