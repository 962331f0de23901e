// streams.c - terminals, output, and findings as every command prints them.
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cli.h"

// Where no terminal says how wide it is: lines longer than that are data, not text.
enum { WIDTH_WITHOUT_TERMINAL = 140 };

bool wants_colour(const char *choice, int fd) {
    if (choice != NULL && strcmp(choice, "always") == 0) return true;
    if (choice != NULL && strcmp(choice, "never") == 0) return false;
    const char *no_colour = getenv("NO_COLOR");
    if (no_colour != NULL && no_colour[0] != '\0') return false;
    const char *terminal = getenv("TERM");
    if (terminal == NULL || strcmp(terminal, "dumb") == 0) return false;
    return isatty(fd) == 1;
}

uint32_t terminal_width(int fd) {
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    int64_t columns = 0;
    const char *given = getenv("COLUMNS");
    if (given != NULL && str_to_int(str_from(given), &columns) && columns > 0 && columns < 10000) {
        return (uint32_t)columns;
    }
    return WIDTH_WITHOUT_TERMINAL;
}

int write_out(int fd, const Buffer *buffer) {
    if (buffer->len == 0) return STATUS_OK;
    const Err err = file_write_fd(fd, buffer_str(buffer));
    if (err.code == ERR_NONE) return STATUS_OK;
    fprintf(stderr, "flowc: cannot write: %s\n", err.text);
    return STATUS_MACHINE;
}

Err read_input(Arena *arena, Str *out) {
    // One byte more than is allowed, so that the limit is a finding and not a cut text.
    return file_read_fd(STDIN_FILENO, "standard input", SOURCE_SIZE_MAX + 1, arena, out);
}

const char *nearest_name(const char *word, const char *const *names, size_t count) {
    const char *nearest = NULL;
    size_t best = 1 + strlen(word) / 3;
    if (best > 3) best = 3;
    for (size_t i = 0; i < count; i++) {
        const size_t distance = str_distance(str_from(word), str_from(names[i]), best);
        if (distance > best || (nearest != NULL && distance == best)) continue;
        best = distance;
        nearest = names[i];
    }
    return nearest;
}

SessionOptions session_options(const CommonOptions *common) {
    SessionOptions options = {.config = common->config,
                              .target = common->target,
                              .files = common->files,
                              .catalogs = common->catalogs,
                              .flows = common->flows,
                              .excludes = common->excludes,
                              .externals = common->externals,
                              .is_strict = common->is_strict,
                              .context_roots = common->context_roots,
                              .context_literals = common->context_literals};
    if (common->unknown_types != NULL) {
        options.unknown_types =
            strcmp(common->unknown_types, "warn") == 0 ? UNKNOWN_TYPES_WARN : UNKNOWN_TYPES_ERROR;
    }
    return options;
}

static void add_count(Buffer *out, uint32_t count, const char *word) {
    buffer_printf(out, "%u %s%s", count, word, count == 1 ? "" : "s");
}

void print_summary(const Session *session, const CommonOptions *common) {
    if (common->is_quiet) return;
    const uint32_t errors = diags_count(&session->diags, DIAG_ERROR);
    const uint32_t warnings = diags_count(&session->diags, DIAG_WARNING);
    Buffer line = {0};
    if (session->summary.fixed > 0) {
        buffer_printf(&line, "%u fixed in ", session->summary.fixed);
        add_count(&line, session->summary.fixed_files, "file");
        buffer_add(&line, STR("; "));
    }
    if (errors > 0) add_count(&line, errors, "error");
    if (errors > 0 && warnings > 0) buffer_add(&line, STR(", "));
    if (warnings > 0) add_count(&line, warnings, "warning");
    if (errors == 0 && warnings == 0) buffer_add(&line, STR("no findings"));
    buffer_add(&line, STR(" in "));
    add_count(&line, session->summary.files, "file");
    if (session->summary.ignored > 0) {
        buffer_printf(&line, ", %u ignored", session->summary.ignored);
    }
    if (session->summary.baselined > 0) {
        buffer_printf(&line, ", %u in the baseline", session->summary.baselined);
    }
    if (session->summary.skipped > 0) {
        buffer_add(&line, STR("; "));
        add_count(&line, session->summary.skipped, "file");
        buffer_add(&line, STR(" without a flow skipped"));
    }
    fprintf(stderr, STR_FMT "\n", STR_ARG(buffer_str(&line)));
    buffer_release(&line);
}

int print_findings(const Session *session, const CommonOptions *common, int fd) {
    if (common->is_quiet) return STATUS_OK;
    const char *format = common->format == NULL ? "text" : common->format;
    Buffer out = {0};
    if (strcmp(format, "json") == 0) {
        diags_render_json(&session->diags, &session->sources, &session->summary, &out);
    } else if (strcmp(format, "oneline") == 0) {
        diags_render_oneline(&session->diags, &session->sources, &out);
    } else if (strcmp(format, "sarif") == 0) {
        diags_render_sarif(&session->diags, &session->sources, &out);
    } else if (strcmp(format, "github") == 0) {
        diags_render_github(&session->diags, &session->sources, &out);
    } else if (strcmp(format, "gitlab") == 0) {
        diags_render_gitlab(&session->diags, &session->sources, &out);
    } else if (strcmp(format, "junit") == 0) {
        diags_render_junit(&session->diags, &session->sources, &session->summary, &out);
    } else {
        const DiagStyle style = {.colour = wants_colour(common->color, fd),
                                 .width = terminal_width(fd)};
        diags_render_text(&session->diags, &session->sources, style, &out);
    }
    const int status = write_out(fd, &out);
    buffer_release(&out);
    if (strcmp(format, "text") == 0) print_summary(session, common);
    return status;
}
