// eval.c - flowc eval: one template with a context, or a stream of them.
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cli.h"
#include "session/eval.h"

enum { LINE_MAX_BYTES = 16 << 20, CONTEXT_MAX = 64 << 20 };

typedef struct EvalOptions {
    CommonOptions common;
    const char *mode, *type, *context, *batch;
    bool reveal;
} EvalOptions;

static const Option options[] = {
    {OPTION_TEXT,               "--mode", 0, "MODE", offsetof(EvalOptions, mode), "how the result is read",
     "string|typed|object|recursive|condition|convert"},
    {OPTION_TEXT,                        "--type", 0, "TYPE", offsetof(EvalOptions, type),
     "of --mode convert: integer, double, boolean, duration, list, …", NULL},
    {OPTION_TEXT,     "--context", 0, "FILE", offsetof(EvalOptions, context),
     "JSON: {\"vars\": {…}, \"env\": {…}, \"now\": …}", NULL},
    {OPTION_TEXT, "--batch", 0, "FILE|-", offsetof(EvalOptions, batch),
     "one JSON object a line: id, expr, mode, type, vars, env, now", NULL},
    {OPTION_TEXT,                         "--format", 0, "FORMAT", offsetof(EvalOptions, common.format),
     "how the result is printed", "text|json"},
    {OPTION_TEXT,"--target", 0, "V", offsetof(EvalOptions, common.target),
     "version of Kestra: 1.3 or 2.0", NULL},
    {OPTION_TEXT,                   "--color", 0, "WHEN", offsetof(EvalOptions, common.color),
     "colours: on a terminal, always or never", "auto|always|never"},
    {OPTION_FLAG,                    "--reveal", 0, NULL, offsetof(EvalOptions, reveal), "print secrets in clear",
     NULL},
    {.kind = OPTION_END                    },
};

static int run(int argc, char **argv);

const Command command_eval = {
    .name = "eval",
    .usage = "[TEMPLATE|-] [OPTION...]",
    .summary = "Evaluate a template with a context given as data.",
    .help = "TEMPLATE is the text itself, '-' reads it from standard input: flowc eval "
            "'{{ 1 + 2 }}'.\nSecrets are masked. Status 1: the template fails.",
    .options = options,
    .run = run,
};

static Err read_context(const EvalOptions *it, Arena *arena, Value *out) {
    *out = value_map(arena);
    if (it->context == NULL) return err_none();
    Str text = {0};
    TRY(file_read(it->context, CONTEXT_MAX, arena, &text));
    const Err err = json_parse(text, (JsonLimits){0}, arena, out);
    if (err.code != ERR_NONE) return err_wrap(err, "'%s'", it->context);
    if (out->kind != VALUE_MAP) {
        return err_make(ERR_INPUT, "'%s': expected an object", it->context);
    }
    return err_none();
}

// --- one ----------------------------------------------------------------------------------------

static int print_answer(const EvalOptions *it, const Session *session, const EvalAnswer *answer) {
    Buffer out = {0};
    if (it->common.format != NULL && strcmp(it->common.format, "json") == 0) {
        eval_answer_write(answer, NULL, &out);
        const int status = write_out(STDOUT_FILENO, &out);
        buffer_release(&out);
        return status != STATUS_OK ? status : answer->is_error ? STATUS_FINDINGS : STATUS_OK;
    }
    const DiagStyle style = {.colour = wants_colour(it->common.color, STDERR_FILENO),
                             .width = terminal_width(STDERR_FILENO)};
    diags_render_text(&session->diags, &session->sources, style, &out);
    write_out(STDERR_FILENO, &out);
    buffer_release(&out);
    if (!answer->is_error) {
        printf(STR_FMT "\n", STR_ARG(answer->text));
        return STATUS_OK;
    }
    // An error of the template was shown with its place.
    if (diags_count(&session->diags, DIAG_ERROR) == 0) {
        fprintf(stderr, "error: " STR_FMT " (" STR_FMT ")\n", STR_ARG(answer->message),
                STR_ARG(answer->kind));
    }
    return STATUS_FINDINGS;
}

static Err eval_one(const EvalOptions *it, Session *session, const char *template, Arena *arena,
                    EvalAnswer *out) {
    Str text = str_from(template);
    if (strcmp(template, "-") == 0) {
        TRY(read_input(arena, &text));
        if (str_ends_with(text, STR("\n"))) text = str_slice(text, 0, text.len - 1);
    }
    EvalRequest request = {
        .expression = value_text(text), .type = str_from(it->type), .reveal = it->reveal};
    if (it->mode != NULL) eval_mode_from(str_from(it->mode), &request.mode);
    if (request.mode == EVAL_CONVERT && it->type == NULL) {
        return err_make(ERR_USAGE, "--mode convert needs --type");
    }
    if (request.mode == EVAL_OBJECT) {
        const Err err = yaml_parse(text, arena, &request.expression);
        if (err.code != ERR_NONE) return err_wrap(err, "the object");
    }
    TRY(read_context(it, arena, &request.context));
    session_eval(session, &request, arena, out);
    return err_none();
}

// --- many ---------------------------------------------------------------------------------------

static void bad_line(EvalAnswer *answer, Str message) {
    *answer = (EvalAnswer){.is_error = true, .kind = STR("input"), .message = message};
}

static void eval_line(const EvalOptions *it, Session *session, Str line, Arena *arena,
                      Buffer *out) {
    EvalAnswer answer = {0};
    Value object = value_null();
    const Value *id = NULL;
    const Err err = json_parse(line, (JsonLimits){0}, arena, &object);
    if (err.code != ERR_NONE) {
        bad_line(&answer, str_from(err.text));
    } else if (object.kind != VALUE_MAP) {
        bad_line(&answer, STR("expected an object"));
    } else {
        id = value_map_get(object, STR("id"));
        const Value *expression = value_map_get(object, STR("expr"));
        const Str mode = value_map_get_text(object, STR("mode"), STR("string"));
        EvalRequest request = {.type = value_map_get_text(object, STR("type"), (Str){0}),
                               .context = object,
                               .reveal = it->reveal};
        if (expression == NULL) {
            bad_line(&answer, STR("'expr' is missing"));
        } else if (!eval_mode_from(mode, &request.mode)) {
            bad_line(&answer, str_printf(arena, "unknown mode '" STR_FMT "'", STR_ARG(mode)));
        } else {
            request.expression = *expression;
            session_eval(session, &request, arena, &answer);
        }
    }
    eval_answer_write(&answer, id, out);
}

// Answers each line as soon as it is there: a caller may wait for an answer before it asks on.
static Err eval_stream(const EvalOptions *it, Session *session, int fd) {
    Buffer input = {0};
    Buffer output = {0};
    Err err = err_none();
    bool is_end = false;
    size_t done = 0;
    while (err.code == ERR_NONE && !(is_end && done == input.len)) {
        const Str rest = str_slice(buffer_str(&input), done, input.len);
        const size_t end = str_find_char(rest, '\n', 0);
        if (end != STR_NOT_FOUND || (is_end && rest.len > 0)) {
            const Str line = str_slice(rest, 0, end);
            done += end == STR_NOT_FOUND ? rest.len : end + 1;
            if (str_trim(line).len == 0) continue;
            Arena arena = {0};
            buffer_clear(&output);
            eval_line(it, session, line, &arena, &output);
            err = file_write_fd(STDOUT_FILENO, buffer_str(&output));
            arena_release(&arena);
            continue;
        }
        if (done > 0) {
            memmove(input.ptr, input.ptr + done, input.len - done);
            input.len -= done;
            done = 0;
        }
        if (input.len > LINE_MAX_BYTES) {
            err = err_make(ERR_LIMIT, "a line has more than %d bytes", LINE_MAX_BYTES);
            break;
        }
        buffer_reserve(&input, 65536);
        const ssize_t count = read(fd, input.ptr + input.len, 65536);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) err = err_system("cannot read the lines");
        if (count == 0) is_end = true;
        if (count > 0) input.len += (size_t)count;
    }
    buffer_release(&input);
    buffer_release(&output);
    return err;
}

static Err eval_batch(const EvalOptions *it, Session *session) {
    if (strcmp(it->batch, "-") == 0) return eval_stream(it, session, STDIN_FILENO);
    Arena arena = {0};
    Str text = {0};
    Err err = file_read(it->batch, CONTEXT_MAX, &arena, &text);
    Str line = {0};
    Buffer output = {0};
    while (err.code == ERR_NONE && str_split(&text, '\n', &line)) {
        if (str_trim(line).len == 0) continue;
        Arena own = {0};
        buffer_clear(&output);
        eval_line(it, session, line, &own, &output);
        err = file_write_fd(STDOUT_FILENO, buffer_str(&output));
        arena_release(&own);
    }
    buffer_release(&output);
    arena_release(&arena);
    return err;
}

static int run(int argc, char **argv) {
    Arena arena = {0};
    EvalOptions it = {0};
    Arguments arguments = {0};
    int status = STATUS_OK;
    if (options_read(&command_eval, argc, argv, &arena, &it, &arguments, &status)) {
        if (arguments.count != (it.batch == NULL ? 1 : 0)) {
            status =
                usage_error(&command_eval, it.batch == NULL ? "one template is needed, in quotes"
                                                            : "a template and --batch together");
        } else {
            const SessionOptions asked = session_options(&it.common);
            Session *session = NULL;
            Err err = session_new(&asked, NULL, &session);
            if (err.code == ERR_NONE && it.batch != NULL) {
                err = eval_batch(&it, session);
            } else if (err.code == ERR_NONE) {
                EvalAnswer answer = {0};
                err = eval_one(&it, session, arguments.items[0], &arena, &answer);
                if (err.code == ERR_NONE) status = print_answer(&it, session, &answer);
            }
            if (err.code != ERR_NONE) status = report_error(&command_eval, err);
            session_free(session);
        }
    }
    arena_release(&arena);
    return status;
}
