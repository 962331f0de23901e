// progress.c - what is seen while executions run: log lines and changes of state as they come, and
// at a terminal one line below them that tells what runs.
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cli.h"
#include "value/time.h"

static void send(Cli *cli) {
    Err err = file_write_fd(STDERR_FILENO, buffer_str(&cli->line));
    (void)err;  // nobody looks: nothing to tell
    buffer_clear(&cli->line);
}

enum { GATHERED_MAX = 16 << 10 };

// Lines of one round go out together; a status line has to be seen at once.
static void send_later(Cli *cli) {
    if (cli->line.len >= GATHERED_MAX || cli->has_status_line) send(cli);
}

static void erase(Cli *cli) {
    if (cli->has_status_line) buffer_add(&cli->line, STR("\r\x1b[K"));
    cli->has_status_line = false;
}

static uint32_t width_of_terminal(void) {
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20) return size.ws_col;
    return 80;
}

static void add_status_line(Cli *cli) {
    if (!cli->is_terminal || cli->running.count == 0) return;
    Buffer text = {0};
    buffer_printf(&text, "%u done, running:", cli->ended);
    for (uint32_t i = 0; i < cli->running.count; i++) {
        buffer_printf(&text, "%s " STR_FMT, i > 0 ? "," : "", STR_ARG(cli->running.items[i]));
    }
    Str shown = str_slice(buffer_str(&text), 0, width_of_terminal() - 1);
    if (cli->has_colour) buffer_add(&cli->line, STR("\x1b[2m"));
    buffer_add(&cli->line, shown);
    if (cli->has_colour) buffer_add(&cli->line, STR("\x1b[0m"));
    buffer_release(&text);
    cli->has_status_line = true;
}

void cli_progress_end(Cli *cli) {
    erase(cli);
    if (cli->line.len > 0) send(cli);
}

// --- lines --------------------------------------------------------------------------------------

static const char *colour_of(LogLevel level) {
    if (level == LOG_ERROR) return "31";
    if (level == LOG_WARN) return "33";
    return level == LOG_INFO ? "0" : "2";
}

static void add_time(const Cli *cli, int64_t time_ms, Buffer *out) {
    size_t start = out->len;
    instant_print_ms(out, time_ms);
    // A person who watches knows the day.
    if (!cli->is_terminal) return;
    Str whole = str_slice(buffer_str(out), start, out->len);
    size_t t = str_find_char(whole, 'T', 0);
    if (t == STR_NOT_FOUND || whole.len < t + 9) return;
    memmove(out->ptr + start, out->ptr + start + t + 1, 8);
    out->len = start + 8;
}

void cli_add_plain(const Cli *cli, Buffer *out, Str text) {
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        unsigned char next = i + 1 < text.len ? (unsigned char)text.ptr[i + 1] : 0;
        bool is_c1 = c == 0xc2 && next >= 0x80 && next < 0xa0;  // U+0080 to U+009F in UTF-8
        bool is_control = (c < 0x20 && c != '\t' && c != '\n') || c == 0x7f || is_c1;
        if (!is_control) {
            buffer_add_char(out, (char)c);
        } else if (!cli->is_terminal) {
            buffer_printf(out, "\\x%02x", is_c1 ? next : c);
        }
        if (is_c1) i++;
    }
}

void cli_log_text(const Cli *cli, const LogLine *line, Str place, Buffer *out) {
    if (cli->has_colour) buffer_printf(out, "\x1b[2m");
    add_time(cli, line->time_ms, out);
    if (cli->has_colour) buffer_printf(out, "\x1b[0m");
    if (cli->has_colour) {
        buffer_printf(out, " \x1b[%sm%-5s\x1b[0m ", colour_of(line->level),
                      log_level_name(line->level));
    } else {
        buffer_printf(out, " %-5s ", log_level_name(line->level));
    }
    if (line->task.len > 0) {
        buffer_add(out, line->task);
        cli_add_plain(cli, out, place);
        buffer_add(out, STR(": "));
    }
    cli_add_plain(cli, out, line->message);
    buffer_add_char(out, '\n');
}

static void on_log(void *self, const RunLog *log) {
    Cli *cli = self;
    erase(cli);
    cli_log_text(cli, &log->line, log->place, &cli->line);
    add_status_line(cli);
    send_later(cli);
}

static Str run_name(Cli *cli, Str task, Str place) {
    if (place.len == 0) return str_dup(&cli->arena, task);
    Buffer plain = {0};
    cli_add_plain(cli, &plain, place);
    Str name = str_concat(&cli->arena, task, buffer_str(&plain));
    buffer_release(&plain);
    return name;
}

enum { RUNNING_SHOWN = 12 };  // names kept for the status line; more are counted when they end

static bool change_running(Cli *cli, Str name, bool runs) {
    for (uint32_t i = 0; i < cli->running.count; i++) {
        if (!str_eq(cli->running.items[i], name)) continue;
        if (!runs) cli->running.items[i] = cli->running.items[--cli->running.count];
        return true;
    }
    if (runs && cli->running.count < RUNNING_SHOWN) {
        *LIST_ADD(&cli->arena, &cli->running, Str) = name;
    }
    return runs;
}

static void add_state_line(Cli *cli, Str name, State state) {
    bool is_bad = state == STATE_FAILED || state == STATE_KILLED;
    if (cli->has_colour) buffer_add(&cli->line, STR("\x1b[2m"));
    add_time(cli, clock_system()->wall_ms(clock_system()->self), &cli->line);
    if (cli->has_colour) buffer_add(&cli->line, STR("\x1b[0m"));
    buffer_add(&cli->line, STR(" STATE "));
    buffer_add(&cli->line, name);
    if (cli->has_colour) {
        buffer_printf(&cli->line, " \x1b[%sm%s\x1b[0m\n", is_bad ? "31" : "32", state_name(state));
    } else {
        buffer_printf(&cli->line, " %s\n", state_name(state));
    }
}

static void on_state(void *self, Str execution, Str task, Str place, State state) {
    Cli *cli = self;
    bool is_over = state_is_terminal(state);
    erase(cli);
    if (task.len == 0) {
        add_state_line(cli, execution, state);
    } else {
        ArenaMark mark = arena_mark(&cli->arena);
        Str name = run_name(cli, task, place);
        bool is_kept = state == STATE_RUNNING && cli->is_terminal;
        if (is_kept || is_over) change_running(cli, name, !is_over);
        if (is_over) cli->ended++;
        if (is_over || state == STATE_PAUSED) add_state_line(cli, name, state);
        if (!is_kept) arena_reset(&cli->arena, mark);
    }
    add_status_line(cli);
    send_later(cli);
}

static void on_flush(void *self) {
    Cli *cli = self;
    if (cli->line.len > 0) send(cli);
}

RunObserver cli_observer(Cli *cli) {
    return (RunObserver){on_log, on_state, on_flush, cli};
}
