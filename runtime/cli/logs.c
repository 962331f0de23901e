// logs.c - flowrun logs: the lines of an execution, also while they are written.
#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

static const OptionSpec OPTIONS[] = {
    {"follow", 'f', NULL,    "wait for more until the execution has ended"          },
    {"level",  0,   "LEVEL", "this level and above: TRACE, DEBUG, INFO, WARN, ERROR"},
    {"task",   0,   "TASK",  "of this task or task run"                             },
    OPTION_END,
};

typedef struct Reader {
    Cli *cli;
    LogLevel level;
    Str task;
    Str id;
    Runtime *runtime;      // tells in which iterations task runs stand
    Execution *execution;  // as it was when last looked at; NULL: not yet
    bool is_fresh;         // looked at since the last wait
    Buffer held;           // a line without an end
    Arena arena;
} Reader;

static void look(Reader *reader) {
    if (reader->runtime != NULL) cli_end(reader->cli, reader->runtime);
    reader->runtime = NULL;
    reader->execution = NULL;
    reader->is_fresh = true;
    Err err = cli_runtime(reader->cli, true, HOST_REAL, &reader->runtime);
    if (err.code == ERR_NONE) {
        err = execution_look(reader->runtime, reader->id, &reader->execution);
    }
    (void)err;  // then lines have no place, as good as it gets
}

// "[outer][inner]" of the task run that wrote the line.
static Str place_of(Reader *reader, const LogLine *line) {
    RunId run;
    TaskRunView view;
    if (!run_id_parse(line->run, &run)) return (Str){0};
    bool is_known =
        reader->execution != NULL && engine_run(execution_engine(reader->execution), run, &view);
    if (!is_known && !reader->is_fresh) look(reader);
    if (reader->execution == NULL) return (Str){0};
    return run_place(execution_engine(reader->execution), run, &reader->arena);
}

// The task id, the task with its iterations (`id[value]`), or the id of the task run.
static bool is_of_task(Reader *reader, const LogLine *line) {
    if (reader->task.len == 0 || str_eq(line->task, reader->task)) return true;
    if (str_eq(line->run, reader->task)) return true;
    bool has_place = str_starts_with(reader->task, line->task) && line->task.len > 0 &&
                     str_find_char(reader->task, '[', 0) == line->task.len;
    if (!has_place) return false;
    Str place = str_slice(reader->task, line->task.len, reader->task.len);
    return str_eq(place, place_of(reader, line));
}

static void show_line(Reader *reader, Str text) {
    LogLine line;
    ArenaMark mark = arena_mark(&reader->arena);
    bool is_wanted = log_line_read(text, &reader->arena, &line) && line.level >= reader->level &&
                     is_of_task(reader, &line);
    if (is_wanted && reader->cli->is_json) {
        cli_write(reader->cli, text);
        cli_write(reader->cli, STR("\n"));
    } else if (is_wanted) {
        Buffer out = {0};
        cli_log_text(reader->cli, &line, place_of(reader, &line), &out);
        cli_write(reader->cli, buffer_str(&out));
        buffer_release(&out);
    }
    arena_reset(&reader->arena, mark);
}

// What is there now; false at a failure.
static bool read_on(Reader *reader, int fd) {
    char chunk[16384];
    for (;;) {
        ssize_t got = read(fd, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return got == 0;
        buffer_add_bytes(&reader->held, chunk, (size_t)got);
        Str rest = buffer_str(&reader->held);
        size_t end = 0;
        size_t taken = 0;
        while ((end = str_find_char(rest, '\n', taken)) != STR_NOT_FOUND) {
            show_line(reader, str_slice(rest, taken, end));
            taken = end + 1;
        }
        Buffer left = {0};
        buffer_add(&left, str_slice(rest, taken, rest.len));
        buffer_release(&reader->held);
        reader->held = left;
    }
}

static Err follow(Reader *reader, Store *store, Str id, int fd) {
    for (;;) {
        bool is_owned = store_is_owned(store, id);  // before the read: nothing written is missed
        if (!read_on(reader, fd)) return err_system("cannot read the log");
        if (!is_owned) return err_none();
        struct timespec pause = {.tv_nsec = 100000000};
        nanosleep(&pause, NULL);
        reader->is_fresh = false;
    }
}

static Err show_log(Reader *reader, Store *store) {
    Cli *cli = reader->cli;
    Str id = {0};
    TRY(cli_find(cli, store, &id));
    reader->id = id;
    Str relative = str_printf(&cli->arena, "exec/" STR_FMT "/log.jsonl", STR_ARG(id));
    Str path = store_path(store, &cli->arena, relative);
    int fd = open(path.ptr, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT) return err_none();  // nothing was said
    if (fd < 0) return err_system("cannot open '" STR_FMT "'", STR_ARG(path));
    Err err = err_none();
    if (cli_has(cli, "follow")) {
        err = follow(reader, store, id, fd);
    } else if (!read_on(reader, fd)) {
        err = err_system("cannot read '" STR_FMT "'", STR_ARG(path));
    }
    close(fd);
    return err;
}

static int logs(Cli *cli) {
    Reader reader = {.cli = cli, .level = LOG_TRACE, .task = cli_option(cli, "task")};
    Str level = cli_option(cli, "level");
    if (level.len > 0 && !log_level_from(level, &reader.level)) {
        return cli_usage(cli, "'--level' is TRACE, DEBUG, INFO, WARN or ERROR, not '" STR_FMT "'",
                         STR_ARG(level));
    }
    StoreOptions options = {.folder = cli_state_folder(cli), .read_only = true};
    Store *store = NULL;
    // Lines are results here: what a person sees depends on standard output.
    cli->is_terminal = isatty(STDOUT_FILENO) == 1;
    cli->has_colour = cli_output_has_colour(cli);
    Err err = store_open(&options, &store);
    if (err.code == ERR_NONE) err = show_log(&reader, store);
    if (reader.runtime != NULL) cli_end(cli, reader.runtime);
    store_close(store);
    buffer_release(&reader.held);
    arena_release(&reader.arena);
    if (err.code == ERR_NONE) return STATUS_OK;
    bool is_usage = err.code == ERR_NOT_FOUND || err.code == ERR_INPUT;
    return cli_fail(cli, is_usage ? "usage" : "store", &err, NULL);
}

const CommandSpec command_logs = {
    .name = "logs",
    .arguments = "ID",
    .min = 1,
    .max = 1,
    .help = "show the log of an execution",
    .options = OPTIONS,
    .run = logs,
};
