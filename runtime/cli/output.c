// output.c - results and errors, as text and as JSON.
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cli.h"
#include "cli/tree.h"

static void say(Cli *cli, const char *word, const char *colour, Str text) {
    Buffer line = {0};
    cli_progress_end(cli);
    if (cli->has_colour) {
        buffer_printf(&line, "\x1b[%sm%s:\x1b[0m ", colour, word);
    } else {
        buffer_printf(&line, "%s: ", word);
    }
    masker_apply(cli->masker, text, &line);
    buffer_add_char(&line, '\n');
    Err err = file_write_fd(STDERR_FILENO, buffer_str(&line));
    (void)err;
    buffer_release(&line);
}

void cli_write(Cli *cli, Str text) {
    Err err = file_write_fd(STDOUT_FILENO, text);
    // A reader that has gone needs no message.
    if (err.code == ERR_NONE || err.number == EPIPE || cli->has_lost_output) return;
    cli->has_lost_output = true;
    say(cli, "error", "31", str_printf(&cli->arena, "standard output: %s", err.text));
}

void cli_print(Cli *cli, Value value) {
    Buffer text = {0};
    json_write(&text, value, JSON_PRETTY, 0);
    buffer_add_char(&text, '\n');
    cli_write(cli, buffer_str(&text));
    buffer_release(&text);
}

void cli_note(Cli *cli, const char *format, ...) {
    Buffer text = {0};
    va_list args;
    va_start(args, format);
    buffer_vprintf(&text, format, args);
    va_end(args);
    say(cli, "note", "36", buffer_str(&text));
    buffer_release(&text);
}

static int status_of(const char *kind) {
    static const struct {
        const char *kind;
        int status;
    } rows[] = {
        {"usage",    STATUS_USAGE   },
        {"input",    STATUS_USAGE   },
        {"secret",   STATUS_USAGE   },
        {"artifact", STATUS_ARTIFACT},
        {"runner",   STATUS_FAILED  },
        {"store",    STATUS_STORE   },
        {"busy",     STATUS_BUSY    },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (strcmp(rows[i].kind, kind) == 0) return rows[i].status;
    }
    return STATUS_ARTIFACT;
}

static Value text_or_null(Str text) {
    return text.len == 0 ? value_null() : value_text(text);
}

int cli_fail(Cli *cli, const char *kind, const Err *err, const InputFault *fault) {
    InputFault none = {0};
    if (fault == NULL) fault = &none;
    Str message = str_from(err->text);
    if (cli->is_json) {
        Value map = value_map(&cli->arena);
        Value error = value_map(&cli->arena);
        Buffer masked = {0};
        masker_apply(cli->masker, message, &masked);
        value_map_set(&cli->arena, error, STR("kind"), value_text(str_from(kind)));
        value_map_set(&cli->arena, error, STR("input"), text_or_null(fault->input));
        value_map_set(&cli->arena, error, STR("rule"), text_or_null(fault->rule));
        value_map_set(&cli->arena, error, STR("bound"), text_or_null(fault->bound));
        value_map_set(&cli->arena, error, STR("received"), text_or_null(fault->received));
        value_map_set(&cli->arena, error, STR("message"), value_text(buffer_str(&masked)));
        value_map_set(&cli->arena, map, STR("error"), error);
        cli_print(cli, map);
        buffer_release(&masked);
    } else {
        say(cli, "error", "31", message);
    }
    return status_of(kind);
}

int cli_usage(Cli *cli, const char *format, ...) {
    Err err = err_make(ERR_USAGE, "%s", "");
    va_list args;
    va_start(args, format);
    vsnprintf(err.text, sizeof err.text, format, args);
    va_end(args);
    int status = cli_fail(cli, "usage", &err, NULL);
    if (!cli->is_json && cli->command != NULL) {
        fprintf(stderr, "usage: flowrun %s %s\n", cli->command->name, cli->command->arguments);
    }
    return status;
}

int cli_fail_execution(Cli *cli, const Err *err) {
    switch (err->code) {
    case ERR_CONFLICT:
        return cli_fail(cli, "busy", err, NULL);
    case ERR_NOT_FOUND:
    case ERR_USAGE:
    case ERR_INPUT:
        return cli_fail(cli, "usage", err, NULL);
    case ERR_REFUSED:
    case ERR_UNSUPPORTED:
        return cli_fail(cli, "artifact", err, NULL);
    case ERR_NONE:
    case ERR_SYSTEM:
    case ERR_LIMIT:
    case ERR_UNAVAILABLE:
    case ERR_STORE:
    case ERR_CANCELLED:
        break;
    }
    return cli_fail(cli, "store", err, NULL);
}

// --- executions as text -------------------------------------------------------------------------

void cli_duration(Buffer *out, int64_t milliseconds) {
    if (milliseconds < 0) milliseconds = 0;
    if (milliseconds < 60000) {
        buffer_printf(out, "%lld.%02lld s", (long long)(milliseconds / 1000),
                      (long long)(milliseconds % 1000 / 10));
    } else if (milliseconds < 3600000) {
        buffer_printf(out, "%lld min %02lld s", (long long)(milliseconds / 60000),
                      (long long)(milliseconds / 1000 % 60));
    } else {
        buffer_printf(out, "%lld h %02lld min", (long long)(milliseconds / 3600000),
                      (long long)(milliseconds / 60000 % 60));
    }
}

static void add_span(Buffer *out, const Engine *engine, RunId run) {
    const StateChange *changes = NULL;
    uint32_t count = engine_history(engine, run, &changes);
    if (count == 0) return;
    int64_t end = changes[count - 1].time_ms;
    if (!state_is_terminal(changes[count - 1].state)) {
        end = clock_system()->wall_ms(clock_system()->self);
    }
    cli_duration(out, end - changes[0].time_ms);
}

static uint32_t output_columns(void) {
    struct winsize size;
    bool is_known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20;
    return is_known ? size.ws_col : 80;
}

static void add_reason(Cli *cli, Buffer *out, const Engine *engine) {
    EngineReason reason;
    Buffer text = {0};
    if (!engine_reason(engine, &reason)) return;
    buffer_add(&text, STR("reason: "));
    if (reason.task.len > 0) {
        buffer_printf(&text, "task '" STR_FMT, STR_ARG(reason.task));
        cli_add_plain(cli, &text, run_place(engine, reason.run, &cli->arena));
        buffer_printf(&text, "'%s", reason.message.len > 0 ? ": " : "");
    }
    cli_add_plain(cli, &text, reason.message);
    buffer_add_char(&text, '\n');
    if (isatty(STDOUT_FILENO) == 1) {
        cli_add_folded(out, buffer_str(&text), output_columns());
    } else {
        buffer_add(out, buffer_str(&text));
    }
    buffer_release(&text);
}

// For a person at a terminal: when what ran, as bars.
static void add_timeline(Cli *cli, Buffer *out, const Engine *engine) {
    TreeStyle style = {
        .columns = output_columns() - 1,
        .has_colour = cli_output_has_colour(cli),
        .has_unicode = tree_has_unicode(),
        .is_timeline = true,
        .now_ms = clock_system()->wall_ms(clock_system()->self),
    };
    tree_draw(engine, &style, out);
}

static void add_runs(Cli *cli, Buffer *out, const Engine *engine) {
    if (isatty(STDOUT_FILENO) == 1) {
        add_timeline(cli, out, engine);
        return;
    }
    TaskRunView view;
    for (uint32_t i = 0; engine_run_at(engine, i, &view); i++) {
        if (view.task.len == 0) continue;
        Buffer name = {0};
        buffer_add(&name, view.task);
        cli_add_plain(cli, &name, run_place(engine, view.id, &cli->arena));
        buffer_printf(out, "  %-32.*s %-9s", (int)name.len, name.ptr, state_name(view.state));
        buffer_release(&name);
        if (view.attempts > 1) buffer_printf(out, " %d attempts ", view.attempts);
        buffer_add_char(out, ' ');
        add_span(out, engine, view.id);
        if (view.is_unknown) buffer_add(out, STR("  outcome unknown"));
        buffer_add_char(out, '\n');
    }
}

// The task as one types it in a shell.
static void add_task_argument(Cli *cli, Buffer *out, const Engine *engine,
                              const TaskRunView *view) {
    Str place = run_place(engine, view->id, &cli->arena);
    Buffer plain = {0};
    cli_add_plain(cli, &plain, place);
    bool is_typable =
        str_eq(buffer_str(&plain), place) && str_find_char(place, '\'', 0) == STR_NOT_FOUND;
    buffer_release(&plain);
    if (place.len == 0) {
        buffer_add(out, view->task);
    } else if (is_typable) {
        buffer_printf(out, "'" STR_FMT STR_FMT "'", STR_ARG(view->task), STR_ARG(place));
    } else {
        char id[33];
        run_id_print(view->id, id);
        buffer_add(out, str_from(id));
    }
}

static void add_next(Cli *cli, Buffer *out, const Execution *execution, RunEnd end) {
    const Engine *engine = execution_engine(execution);
    Str id = execution_id(execution);
    TaskRunView view;
    if (end == RUN_STOPPED) {
        buffer_printf(out, "next: flowrun resume " STR_FMT "\n", STR_ARG(id));
        return;
    }
    if (end == RUN_WAITS_FOR_TIME) {
        buffer_printf(out, "next: flowrun resume " STR_FMT ", when its time has come\n",
                      STR_ARG(id));
        return;
    }
    if (end != RUN_WAITS_FOR_PERSON) return;
    bool has_unknown = false;
    uint32_t at = 0;
    while (engine_next_open(engine, &at, &view)) {
        if (!view.is_unknown) continue;
        has_unknown = true;
        buffer_printf(out, "next: flowrun resolve " STR_FMT " ", STR_ARG(id));
        add_task_argument(cli, out, engine, &view);
        buffer_printf(out, " --as success|failed|retry, then flowrun resume " STR_FMT "\n",
                      STR_ARG(id));
    }
    if (!has_unknown) buffer_printf(out, "next: flowrun resume " STR_FMT "\n", STR_ARG(id));
}

void cli_show_result(Cli *cli, const Execution *execution, bool with_runs, RunEnd end) {
    unsigned flags = cli_has(cli, "record-effects") ? RESULT_WITH_EFFECTS : 0;
    cli_progress_end(cli);
    if (cli->is_json) {
        cli_print(cli, execution_result(execution, flags, &cli->arena));
        return;
    }
    const Engine *engine = execution_engine(execution);
    const Plan *plan = &execution_artifact(execution)->plan;
    Buffer out = {0};
    RunId none = {0};
    buffer_printf(&out, STR_FMT "  " STR_FMT "." STR_FMT "  %s  ", STR_ARG(execution_id(execution)),
                  STR_ARG(plan_text(plan, plan->flow.flow_namespace)),
                  STR_ARG(plan_text(plan, plan->flow.id)), state_name(engine_state(engine)));
    add_span(&out, engine, none);
    buffer_add_char(&out, '\n');
    add_reason(cli, &out, engine);
    if (with_runs) add_runs(cli, &out, engine);
    const Value *outputs = engine_outputs(engine);
    if (outputs != NULL && outputs->kind == VALUE_MAP && outputs->as.map->count > 0) {
        Value map = value_map(&cli->arena);
        value_map_set(&cli->arena, map, STR("outputs"), *outputs);
        Buffer text = {0};
        yaml_write(&text, map);
        cli_add_plain(cli, &out, buffer_str(&text));
        buffer_release(&text);
    }
    add_next(cli, &out, execution, end);
    cli_write(cli, buffer_str(&out));
    buffer_release(&out);
}
