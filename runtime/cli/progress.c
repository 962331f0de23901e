// progress.c - what is seen while executions run: log lines and changes of state as they come, and
// at a terminal a block below them, drawn anew ten times a second: the tree of what runs.
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/columns.h"
#include "base/file.h"
#include "base/utf8.h"
#include "cli/cli.h"
#include "cli/tree.h"
#include "value/time.h"

static void send(Cli *cli) {
    Err err = file_write_fd(STDERR_FILENO, buffer_str(&cli->line));
    (void)err;  // nobody looks: nothing to tell
    buffer_clear(&cli->line);
}

enum {
    GATHERED_MAX = 16 << 10,
    FRAME_MS = 100,
    FRAME_COST = 20,  // a frame that takes long to draw comes less often: at most 1/20 of the time
    COLUMNS_MIN = 20,
    BLOCK_ROWS_MAX = 20
};

// --- the block at the bottom of a terminal ------------------------------------------------------

typedef struct Screen {
    uint32_t columns, rows;
} Screen;

static Screen screen_size(void) {
    struct winsize size;
    Screen screen = {80, 24};
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return screen;
    screen.columns = size.ws_col < COLUMNS_MIN ? COLUMNS_MIN : size.ws_col;
    screen.rows = size.ws_row;
    return screen;
}

// Columns of a line with its colours.
static uint32_t columns_shown(Str line) {
    uint32_t columns = 0;
    for (size_t at = 0; at < line.len;) {
        if (line.ptr[at] == '\x1b') {
            size_t end = str_find_char(line, 'm', at);
            at = end == STR_NOT_FOUND ? line.len : end + 1;
        } else {
            columns += columns_of_point(utf8_next(line, &at));
        }
    }
    return columns;
}

// Where the terminal has become narrower, the lines of the block take more rows than they did.
static void erase(Cli *cli) {
    if (cli->block.len == 0) return;
    Screen screen = screen_size();
    Str rest = buffer_str(&cli->block);
    Str line = {0};
    uint32_t rows = 0;
    while (rest.len > 0 && str_split(&rest, '\n', &line)) {
        uint32_t columns = columns_shown(line);
        rows += columns <= screen.columns ? 1 : (columns + screen.columns - 1) / screen.columns;
    }
    if (rows >= screen.rows) rows = screen.rows - 1;
    buffer_printf(&cli->line, "\r\x1b[%uA\x1b[J", rows);
    buffer_clear(&cli->block);
}

static void add_block(Cli *cli) {
    Execution *root = cli->shown == NULL ? NULL : runtime_root(cli->shown);
    if (!cli->is_terminal || root == NULL) return;
    Screen screen = screen_size();
    TreeStyle style = {
        .columns = screen.columns - 1,
        .rows = screen.rows / 2 > BLOCK_ROWS_MAX ? BLOCK_ROWS_MAX : screen.rows / 2,
        .has_colour = cli->has_colour,
        .has_unicode = tree_has_unicode(),
        .now_ms = clock_system()->wall_ms(clock_system()->self),
    };
    if (style.rows < 3) style.rows = 3;
    tree_draw(execution_engine(root), &style, &cli->block);
    buffer_add(&cli->line, buffer_str(&cli->block));
}

static void draw_frame(Cli *cli) {
    const Clock *clock = clock_system();
    int64_t begun = clock->mono_ms(clock->self);
    // What is gathered stands behind the escape that erases the block: see begin_lines.
    if (cli->line.len == 0) erase(cli);
    add_block(cli);
    send(cli);
    int64_t cost = clock->mono_ms(clock->self) - begun;
    cli->next_frame_ms = begun + (cost * FRAME_COST > FRAME_MS ? cost * FRAME_COST : FRAME_MS);
}

static void on_frame(void *self) {
    Cli *cli = self;
    if (clock_system()->mono_ms(clock_system()->self) >= cli->next_frame_ms) draw_frame(cli);
    loop_timer_start(cli->frames, FRAME_MS);
}

// Lines that are to stand above the block take its place until the next frame.
static void begin_lines(Cli *cli) {
    if (cli->line.len == 0) erase(cli);
}

static void end_lines(Cli *cli) {
    if (cli->line.len >= GATHERED_MAX) draw_frame(cli);
}

void cli_progress_begin(Cli *cli, Runtime *runtime) {
    if (!cli->is_terminal) return;
    cli->shown = runtime;
    cli->frames = loop_timer_new(runtime_loop(runtime), on_frame, cli);
    loop_timer_set_background(cli->frames);
    loop_timer_start(cli->frames, FRAME_MS);
}

void cli_progress_end(Cli *cli) {
    loop_timer_free(cli->frames);
    cli->frames = NULL;
    cli->shown = NULL;
    begin_lines(cli);
    if (cli->line.len > 0) send(cli);
}

// --- lines --------------------------------------------------------------------------------------

static const char *colour_of(LogLevel level) {
    if (level == LOG_ERROR) return "31";
    if (level == LOG_WARN) return "33";
    return level == LOG_INFO ? "0" : "2";
}

static void add_time(Cli *cli, int64_t time_ms, Buffer *out) {
    size_t start = out->len;
    if (time_ms != cli->time_ms || cli->time.len == 0) {
        buffer_clear(&cli->time);
        instant_print_ms(&cli->time, time_ms);
        cli->time_ms = time_ms;
    }
    buffer_add(out, buffer_str(&cli->time));
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
        size_t end = ascii_plain_end(text, i);
        buffer_add(out, str_slice(text, i, end));
        if (end == text.len) return;
        i = end;
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

void cli_log_text(Cli *cli, const LogLine *line, Str place, Buffer *out) {
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

// Breaks a line before it reaches the edge of the terminal, and sets off what follows.
void cli_add_folded(Buffer *out, Str line, uint32_t columns) {
    static const Str indent = {"    ", 4};
    uint32_t used = 0;
    size_t from = 0;
    for (size_t at = 0; at < line.len;) {
        size_t start = at;
        if (line.ptr[at] == '\x1b') {
            size_t end = str_find_char(line, 'm', at);
            at = end == STR_NOT_FOUND ? line.len : end + 1;
            continue;
        }
        uint32_t point = utf8_next(line, &at);
        uint32_t wide = point == '\t' ? 8 - used % 8 : point == '\n' ? 0 : columns_of_point(point);
        if (point == '\n') {
            used = 0;
        } else if (used + wide > columns) {
            buffer_add(out, str_slice(line, from, start));
            buffer_add_char(out, '\n');
            buffer_add(out, indent);
            from = start;
            used = (uint32_t)indent.len + wide;
        } else {
            used += wide;
        }
    }
    buffer_add(out, str_slice(line, from, line.len));
}

// Lines that were made in full, as the terminal can take them.
static void add_lines(Cli *cli, Str lines) {
    begin_lines(cli);
    if (cli->is_terminal) {
        cli_add_folded(&cli->line, lines, screen_size().columns);
    } else {
        buffer_add(&cli->line, lines);
    }
    end_lines(cli);
}

static void on_log(void *self, const RunLog *log) {
    Cli *cli = self;
    if (cli->is_unseen) return;
    if (!cli->is_terminal) {
        begin_lines(cli);
        cli_log_text(cli, &log->line, log->place, &cli->line);
        end_lines(cli);
        return;
    }
    Buffer text = {0};
    cli_log_text(cli, &log->line, log->place, &text);
    add_lines(cli, buffer_str(&text));
    buffer_release(&text);
}

static Str run_name(Cli *cli, Str task, Str place) {
    if (place.len == 0) return str_dup(&cli->arena, task);
    Buffer plain = {0};
    cli_add_plain(cli, &plain, place);
    Str name = str_concat(&cli->arena, task, buffer_str(&plain));
    buffer_release(&plain);
    return name;
}

static void add_state_line(Cli *cli, Str name, State state, Buffer *out) {
    bool is_bad = state == STATE_FAILED || state == STATE_KILLED;
    if (cli->has_colour) buffer_add(out, STR("\x1b[2m"));
    add_time(cli, clock_system()->wall_ms(clock_system()->self), out);
    if (cli->has_colour) buffer_add(out, STR("\x1b[0m"));
    buffer_add(out, STR(" STATE "));
    buffer_add(out, name);
    if (cli->has_colour) {
        buffer_printf(out, " \x1b[%sm%s\x1b[0m\n", is_bad ? "31" : "32", state_name(state));
    } else {
        buffer_printf(out, " %s\n", state_name(state));
    }
}

// The tree tells what goes well.
static void on_state(void *self, Str execution, Str task, Str place, State state) {
    Cli *cli = self;
    bool is_over = state_is_terminal(state);
    bool is_bad = state == STATE_FAILED || state == STATE_KILLED || state == STATE_WARNING;
    bool is_told = task.len == 0 || is_over || state == STATE_PAUSED;
    if (!is_told || (cli->shown != NULL && !is_bad)) return;
    ArenaMark mark = arena_mark(&cli->arena);
    Buffer text = {0};
    add_state_line(cli, task.len == 0 ? execution : run_name(cli, task, place), state, &text);
    add_lines(cli, buffer_str(&text));
    buffer_release(&text);
    arena_reset(&cli->arena, mark);
}

static void on_flush(void *self) {
    Cli *cli = self;
    if (cli->line.len == 0) return;
    if (cli->shown == NULL) {
        send(cli);
    } else if (clock_system()->mono_ms(clock_system()->self) >= cli->next_frame_ms) {
        draw_frame(cli);
    }
}

// Lines that go to /dev/null need not be made.
static bool is_unseen(void) {
    struct stat error, null;
    return fstat(STDERR_FILENO, &error) == 0 && stat("/dev/null", &null) == 0 &&
           S_ISCHR(error.st_mode) && error.st_rdev == null.st_rdev;
}

RunObserver cli_observer(Cli *cli) {
    cli->is_unseen = is_unseen();
    return (RunObserver){on_log, on_state, on_flush, cli};
}
