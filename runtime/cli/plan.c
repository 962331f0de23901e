// plan.c - flowrun plan and preflight: what would happen, and what is missing for it.
#include "cli/cli.h"

static const OptionSpec PLAN_OPTIONS[] = {
    OPTION_INPUTS,
    {"label",  'l', "KEY=VALUE",    "a label of the execution"                         },
    OPTION_SECRETS,
    {"assume", 0,   "FILE",         "outputs to assume: a JSON or YAML map of task ids"},
    {"plan",   0,   "offline|live", "live: tasks may look at the world"                },
    OPTION_UNSIGNED,
    OPTION_END,
};

static const OptionSpec PREFLIGHT_OPTIONS[] = {
    OPTION_SECRETS,
    {"offline", 0, NULL, "contact nothing"},
    OPTION_UNSIGNED,
    OPTION_END,
};

static PlanRequest request_of(Cli *cli, const Artifact *artifact) {
    Str runner = cli_option(cli, "task-runner");
    return (PlanRequest){
        .artifact = artifact,
        .runtime = {.config = &cli->config,
                    .mode = str_eq(cli_option(cli, "plan"), STR("live")) ? HOST_PLAN_LIVE
                                                                         : HOST_PLAN_OFFLINE,
                    .runner = str_eq(runner, STR("docker"))    ? RUNNER_DOCKER
                              : str_eq(runner, STR("process")) ? RUNNER_PROCESS
                                                               : RUNNER_AUTO,
                    .secrets_path = cli_option_c(cli, "secrets"),
                    .files_folder = cli_option_c(cli, "files")},
    };
}

// --- plan ---------------------------------------------------------------------------------------

static void add_quoted(Buffer *out, Str text) {
    bool is_plain = text.len > 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool is_safe = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       str_find_char(STR("-_./=:,@%+"), c, 0) != STR_NOT_FOUND;
        if (!is_safe) is_plain = false;
    }
    if (is_plain) {
        buffer_add(out, text);
        return;
    }
    buffer_add_char(out, '\'');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\'') {
            buffer_add(out, STR("'\\''"));
        } else {
            buffer_add_char(out, text.ptr[i]);
        }
    }
    buffer_add_char(out, '\'');
}

static void add_indented(Buffer *out, Str text, const char *indent) {
    Str line = {0};
    while (str_split(&text, '\n', &line)) {
        if (line.len == 0 && text.len == 0) break;
        buffer_printf(out, "%s" STR_FMT "\n", indent, STR_ARG(line));
    }
}

static void add_argv(Buffer *out, Value argv) {
    Buffer line = {0};
    for (uint32_t i = 0; argv.kind == VALUE_LIST && i < argv.as.list->count; i++) {
        if (i > 0) buffer_add_char(&line, ' ');
        Value item = argv.as.list->items[i];
        add_quoted(&line, item.kind == VALUE_TEXT ? item.as.text : (Str){0});
    }
    add_indented(out, buffer_str(&line), "       ");
    buffer_release(&line);
}

// Members that have a form of their own; the others are shown as they are.
static bool is_shown_elsewhere(Str key) {
    static const char *const keys[] = {"taskId", "value",  "effect",  "argv",   "method",
                                       "url",    "branch", "assumed", "message"};
    for (size_t i = 0; i < COUNT(keys); i++) {
        if (str_eq(key, str_from(keys[i]))) return true;
    }
    return false;
}

static void add_step(Buffer *out, Value step, uint32_t number) {
    Str value = value_map_get_text(step, STR("value"), (Str){0});
    Str branch = value_map_get_text(step, STR("branch"), (Str){0});
    const Value *argv = value_map_get(step, STR("argv"));
    const Value *assumed = value_map_get(step, STR("assumed"));
    Str url = value_map_get_text(step, STR("url"), (Str){0});
    buffer_printf(out, "%4u. " STR_FMT, number,
                  STR_ARG(value_map_get_text(step, STR("taskId"), (Str){0})));
    if (value.len > 0) buffer_printf(out, "[" STR_FMT "]", STR_ARG(value));
    buffer_printf(out, "  " STR_FMT, STR_ARG(value_map_get_text(step, STR("effect"), (Str){0})));
    if (branch.len > 0) buffer_printf(out, "  (if " STR_FMT ")", STR_ARG(branch));
    buffer_add_char(out, '\n');
    if (argv != NULL) add_argv(out, *argv);
    if (url.len > 0) {
        buffer_printf(out, "       " STR_FMT " " STR_FMT "\n",
                      STR_ARG(value_map_get_text(step, STR("method"), STR("GET"))), STR_ARG(url));
    }
    add_indented(out, value_map_get_text(step, STR("message"), (Str){0}), "       ");
    Buffer text = {0};
    for (uint32_t i = 0; i < step.as.map->count; i++) {
        const ValueMember *member = &step.as.map->members[i];
        if (is_shown_elsewhere(member->key) || member->value.kind == VALUE_NULL) continue;
        buffer_clear(&text);
        value_print(&text, member->value);
        if (text.len == 0 || str_eq(buffer_str(&text), STR("[]"))) continue;
        buffer_printf(out, "       " STR_FMT ": ", STR_ARG(member->key));
        bool is_long = str_find_char(buffer_str(&text), '\n', 0) != STR_NOT_FOUND;
        buffer_add_char(out, is_long ? '\n' : ' ');
        out->len -= is_long ? 0 : 1;
        add_indented(out, buffer_str(&text), is_long ? "         " : "");
    }
    buffer_release(&text);
    if (assumed == NULL || assumed->kind != VALUE_LIST || assumed->as.list->count == 0) return;
    buffer_add(out, STR("       assumed: "));
    for (uint32_t i = 0; i < assumed->as.list->count; i++) {
        buffer_printf(out, "%s" STR_FMT, i > 0 ? ", " : "",
                      STR_ARG(assumed->as.list->items[i].as.text));
    }
    buffer_add_char(out, '\n');
}

static void show_plan(Cli *cli, Value plan) {
    if (cli->is_json) {
        cli_print(cli, plan);
        return;
    }
    Buffer out = {0};
    const Value *steps = value_map_get(plan, STR("steps"));
    for (uint32_t i = 0; i < steps->as.list->count; i++) {
        add_step(&out, steps->as.list->items[i], i + 1);
    }
    if (steps->as.list->count == 0) buffer_add(&out, STR("nothing would be done outside\n"));
    cli_write(cli, buffer_str(&out));
    buffer_release(&out);
    const Value *notes = value_map_get(plan, STR("notes"));
    for (uint32_t i = 0; i < notes->as.list->count; i++) {
        cli_note(cli, STR_FMT, STR_ARG(notes->as.list->items[i].as.text));
    }
}

static int plan(Cli *cli) {
    Artifact artifact;
    Err err = cli_artifact(cli, cli->arguments[0], &artifact);
    if (err.code != ERR_NONE) return cli_fail(cli, "artifact", &err, NULL);
    Str mode = cli_option(cli, "plan");
    if (mode.len > 0 && !str_eq(mode, STR("offline")) && !str_eq(mode, STR("live"))) {
        return cli_usage(cli, "'--plan' is offline or live, not '" STR_FMT "'", STR_ARG(mode));
    }
    PlanRequest request = request_of(cli, &artifact);
    InputFault fault = {0};
    Value result = value_null();
    err = cli_inputs(cli, &artifact.plan, &request.start.inputs);
    if (err.code == ERR_NONE) err = cli_labels(cli, &request.start.labels);
    if (err.code == ERR_NONE) err = cli_map_file(cli, "assume", &request.assume);
    if (err.code == ERR_USAGE) return cli_fail(cli, "usage", &err, NULL);
    // The tools that a live plan asks are processes.
    bool is_live = request.runtime.mode == HOST_PLAN_LIVE;
    if (err.code == ERR_NONE && is_live) err = cli_supervise(cli, &artifact.plan);
    if (err.code == ERR_NONE) err = run_plan(&request, &cli->arena, &fault, &result);
    if (err.code == ERR_INPUT || err.code == ERR_NOT_FOUND) {
        return cli_fail(cli, "input", &err, &fault);
    }
    if (err.code == ERR_CANCELLED) return STATUS_KILLED;
    if (err.code != ERR_NONE) return cli_fail_execution(cli, &err);
    show_plan(cli, result);
    return STATUS_OK;
}

// --- preflight ----------------------------------------------------------------------------------

static int show_checks(Cli *cli, Value result) {
    bool all_ok = true;
    Buffer out = {0};
    const Value *checks = value_map_get(result, STR("checks"));
    for (uint32_t i = 0; i < checks->as.list->count; i++) {
        Value check = checks->as.list->items[i];
        bool is_ok = value_map_get_bool(check, STR("ok"), false);
        Str message = value_map_get_text(check, STR("message"), (Str){0});
        all_ok = all_ok && is_ok;
        buffer_printf(&out, "%-8s %-10.*s " STR_FMT, is_ok ? "ok" : "missing",
                      STR_ARG(value_map_get_text(check, STR("kind"), (Str){0})),
                      STR_ARG(value_map_get_text(check, STR("name"), (Str){0})));
        if (message.len > 0) buffer_printf(&out, ": " STR_FMT, STR_ARG(message));
        buffer_add_char(&out, '\n');
    }
    if (cli->is_json) {
        cli_print(cli, result);
    } else {
        if (out.len == 0) buffer_add(&out, STR("nothing is needed\n"));
        cli_write(cli, buffer_str(&out));
    }
    buffer_release(&out);
    return all_ok ? STATUS_OK : STATUS_FAILED;
}

static int preflight(Cli *cli) {
    Artifact artifact;
    Err err = cli_artifact(cli, cli->arguments[0], &artifact);
    if (err.code != ERR_NONE) return cli_fail(cli, "artifact", &err, NULL);
    PlanRequest request = request_of(cli, &artifact);
    Value result = value_null();
    err = run_preflight(&request, cli_has(cli, "offline"), &cli->arena, &result);
    if (err.code != ERR_NONE) return cli_fail_execution(cli, &err);
    return show_checks(cli, result);
}

const CommandSpec command_plan = {
    .name = "plan",
    .arguments = "ARTIFACT",
    .min = 1,
    .max = 1,
    .help = "show what a run would do, and do nothing",
    .options = PLAN_OPTIONS,
    .run = plan,
};

const CommandSpec command_preflight = {
    .name = "preflight",
    .arguments = "ARTIFACT",
    .min = 1,
    .max = 1,
    .help = "check that this host has what a flow needs",
    .options = PREFLIGHT_OPTIONS,
    .run = preflight,
};
