// journal.c - which processes are under way, so that what a crash of this process left can be ended
// before anything runs again.
//
// A line before a start, one behind it, one at the end; no sync: a crash of the machine ends the
// processes anyway. The first of them says the mark alone, since a kill may come when the process
// is there and its number is not written yet.
#include "host/internal.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

// A start of which nothing more is known: the process may be there, or may never have been.
static Err end_unknown(Str line, Str rest) {
    ProcIdentity identity = {.pid = -1};
    Str boot = {0}, mark = line;
    if (!str_split(&mark, ' ', &boot) || boot.len + 1 != sizeof identity.boot ||
        mark.len + 1 != sizeof identity.mark) {
        return err_none();  // torn
    }
    memcpy(identity.boot, boot.ptr, boot.len);
    memcpy(identity.mark, mark.ptr, mark.len);
    if (str_find(rest, mark, 0) != STR_NOT_FOUND) return err_none();
    return proc_kill_left_over(&identity, NULL);
}

static Err read_journal(Host *host) {
    Str text = {0};
    Arena arena = {0};
    Err err = file_read(host->journal_path.ptr, READ_LIMIT, &arena, &text);
    if (err.code == ERR_NOT_FOUND) err = err_none();
    Str rest = text, line = {0};
    while (err.code == ERR_NONE && str_split(&rest, '\n', &line)) {
        if (str_starts_with(line, STR("? "))) {
            err = end_unknown(str_slice(line, 2, line.len), rest);
        }
        if (!str_starts_with(line, STR("+ "))) continue;
        ProcIdentity identity = {0};
        Err parsed = proc_identity_parse(str_slice(line, 2, line.len), &identity);
        if (parsed.code != ERR_NONE) continue;  // torn
        Str ended = str_printf(&arena, "- %s\n", identity.mark);
        if (str_find(text, ended, 0) != STR_NOT_FOUND) continue;
        err = proc_kill_left_over(&identity, NULL);
    }
    arena_release(&arena);
    return err;
}

Err journal_open(Host *host) {
    const HostOptions *options = &host->options;
    host->journal = -1;
    if (options->mode != HOST_REAL || options->work_folder.len == 0) return err_none();
    host->journal_path = path_join(&host->arena, options->work_folder, STR(".processes"));
    TRY(read_journal(host));
    output_files_drop(host);
    return err_none();
}

static void journal_write(Host *host, Buffer *line) {
    if (host->journal < 0 && host->journal_path.len > 0) {
        Err made = dir_make(str_to_c(&host->arena, host->options.work_folder), 0700);
        if (made.code == ERR_NONE) {
            host->journal =
                open(host->journal_path.ptr,
                     O_WRONLY | O_APPEND | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        }
    }
    if (host->journal < 0) return;
    Err err = file_write_fd(host->journal, buffer_str(line));
    (void)err.code;  // the mark in the environment of the child remains
}

void journal_intent(Host *host, const ProcIdentity *identity) {
    Buffer line = {0};
    buffer_printf(&line, "? %s %s\n", identity->boot, identity->mark);
    journal_write(host, &line);
    buffer_release(&line);
}

void journal_start(Host *host, const ProcIdentity *identity) {
    Buffer line = {0};
    buffer_add(&line, STR("+ "));
    proc_identity_print(identity, &line);
    buffer_add_char(&line, '\n');
    journal_write(host, &line);
    buffer_release(&line);
}

void journal_end(Host *host, const char *mark) {
    Buffer line = {0};
    buffer_printf(&line, "- %s\n", mark);
    journal_write(host, &line);
    buffer_release(&line);
}
