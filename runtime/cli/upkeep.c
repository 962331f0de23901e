// upkeep.c - flowrun prune and doctor: the state directory and the host.
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cli.h"
#include "proc/proc.h"

static const OptionSpec PRUNE_OPTIONS[] = {
    {"older-than", 0, "AGE", "ended longer ago: 30d, 12h"    },
    {"keep",       0, "N",   "keep the newest N of each flow"},
    {"dry-run",    0, NULL,  "only say what would go"        },
    OPTION_END,
};

// --- prune --------------------------------------------------------------------------------------

typedef struct Pruning {
    Cli *cli;
    Store *store;
    int64_t before_ms;
    int64_t keep;
    bool is_dry;
    Value removed;
} Pruning;

// How many newer executions of the same flow there are.
static int64_t newer(const StoreExecution *rows, uint32_t at) {
    int64_t count = 0;
    for (uint32_t i = 0; i < at; i++) {
        bool is_same = str_eq(rows[i].flow_id, rows[at].flow_id) &&
                       str_eq(rows[i].flow_namespace, rows[at].flow_namespace);
        if (is_same) count++;
    }
    return count;
}

static Err prune_rows(Pruning *pruning) {
    StoreFilter filter = {.limit = 1000000};
    StoreExecution *rows = NULL;
    uint32_t count = 0;
    Arena *arena = &pruning->cli->arena;
    TRY(store_list(pruning->store, &filter, arena, &rows, &count));
    for (uint32_t i = 0; i < count; i++) {
        State state = STATE_NONE;
        bool is_over = state_from(rows[i].state, &state) && state_is_terminal(state);
        if (!is_over || rows[i].ended_ms > pruning->before_ms) continue;
        if (pruning->keep > 0 && newer(rows, i) < pruning->keep) continue;
        if (!pruning->is_dry) {
            Err err = store_delete_execution(pruning->store, rows[i].id);
            if (err.code == ERR_CONFLICT) continue;  // afterExecution still runs
            if (err.code != ERR_NONE) return err;
        }
        value_list_add(arena, pruning->removed, value_text(rows[i].id));
    }
    return err_none();
}

static int prune(Cli *cli) {
    int64_t age = 0;
    int64_t keep = 0;
    Str text = cli_option(cli, "keep");
    if (!cli_has(cli, "older-than")) return cli_usage(cli, "'prune' needs --older-than AGE");
    if (!cli_parse_age(cli_option(cli, "older-than"), &age)) {
        return cli_usage(cli, "'--older-than' takes an age like 30d or 12h, not '" STR_FMT "'",
                         STR_ARG(cli_option(cli, "older-than")));
    }
    if (text.len > 0 && (!str_to_int(text, &keep) || keep < 0)) {
        return cli_usage(cli, "'--keep' takes a number, not '" STR_FMT "'", STR_ARG(text));
    }
    StoreOptions options = {.folder = cli_state_folder(cli)};
    Pruning pruning = {.cli = cli,
                       .before_ms = clock_system()->wall_ms(clock_system()->self) - age,
                       .keep = keep,
                       .is_dry = cli_has(cli, "dry-run"),
                       .removed = value_list(&cli->arena)};
    Err err = store_open(&options, &pruning.store);
    if (err.code == ERR_NONE) err = prune_rows(&pruning);
    store_close(pruning.store);
    if (err.code != ERR_NONE) return cli_fail(cli, "store", &err, NULL);
    if (cli->is_json) {
        Value map = value_map(&cli->arena);
        value_map_set(&cli->arena, map, STR("version"), value_int(1));
        value_map_set(&cli->arena, map, STR("removed"), pruning.removed);
        value_map_set(&cli->arena, map, STR("dryRun"), value_bool(pruning.is_dry));
        cli_print(cli, map);
    } else {
        Buffer out = {0};
        for (uint32_t i = 0; i < pruning.removed.as.list->count; i++) {
            buffer_printf(&out, STR_FMT "\n", STR_ARG(pruning.removed.as.list->items[i].as.text));
        }
        cli_write(cli, buffer_str(&out));
        cli_note(cli, "%u executions %s", pruning.removed.as.list->count,
                 pruning.is_dry ? "would be removed" : "removed");
        buffer_release(&out);
    }
    return STATUS_OK;
}

// --- doctor -------------------------------------------------------------------------------------

typedef struct Doctor {
    Cli *cli;
    Value checks;
    bool all_ok;
} Doctor;

static void check(Doctor *doctor, const char *name, bool is_ok, Str message) {
    Arena *arena = &doctor->cli->arena;
    Value map = value_map(arena);
    value_map_set(arena, map, STR("name"), value_text(str_from(name)));
    value_map_set(arena, map, STR("ok"), value_bool(is_ok));
    value_map_set(arena, map, STR("message"), value_text(str_dup(arena, message)));
    value_list_add(arena, doctor->checks, map);
    doctor->all_ok = doctor->all_ok && is_ok;
}

static void check_store(Doctor *doctor) {
    Cli *cli = doctor->cli;
    StoreOptions options = {.folder = cli_state_folder(cli)};
    Store *store = NULL;
    Err err = store_open(&options, &store);
    if (err.code != ERR_NONE) {
        check(doctor, "state directory", false, str_from(err.text));
        return;
    }
    check(doctor, "state directory", true, str_from(options.folder));
    const Clock *clock = clock_system();
    int64_t start = clock->mono_ms(clock->self);
    bool deleted = false;
    for (int i = 0; i < 10 && err.code == ERR_NONE; i++) {
        err = store_kv_set(store, STR("flowrun"), STR("doctor"), value_int(i), 0, true);
    }
    int64_t took = clock->mono_ms(clock->self) - start;
    if (err.code == ERR_NONE) err = store_kv_delete(store, STR("flowrun"), STR("doctor"), &deleted);
    Str message = err.code != ERR_NONE ? str_from(err.text)
                                       : str_printf(&cli->arena, "%.1f ms each", (double)took / 10);
    check(doctor, "durable commits", err.code == ERR_NONE, message);
    store_close(store);
}

static void check_program(Doctor *doctor, const char *program, bool is_needed) {
    static const char *const none[] = {NULL};
    const char *path = getenv("PATH");
    Str variable = str_printf(&doctor->cli->arena, "PATH=%s", path == NULL ? "" : path);
    const char *env[] = {str_to_c(&doctor->cli->arena, variable), NULL};
    Str found = {0};
    Err err = proc_find(program, path == NULL ? none : env, "/", &doctor->cli->arena, &found);
    bool is_there = err.code == ERR_NONE;
    check(doctor, program, is_there || !is_needed, is_there ? found : STR("not found"));
}

static int doctor_command(Cli *cli) {
    Doctor doctor = {.cli = cli, .checks = value_list(&cli->arena), .all_ok = true};
    check_store(&doctor);
    int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    check(&doctor, "process descriptors", fd >= 0,
          fd >= 0 ? STR("pidfd")
                  : STR("the kernel has no pidfd_open: Linux 5.3 or newer is needed"));
    if (fd >= 0) close(fd);
    check_program(&doctor, "sh", true);
    check_program(&doctor, "docker", false);
    bool has_trust = cli_has(cli, "trust") || cli->config.trust_path.len > 0;
    check(&doctor, "trust file", true,
          has_trust ? STR("configured") : STR("none: artifacts of yours or of root may run"));
    check(&doctor, "host file", true,
          cli->config.path.len > 0 ? cli->config.path : STR("none: defaults"));
    if (cli->is_json) {
        Value map = value_map(&cli->arena);
        value_map_set(&cli->arena, map, STR("version"), value_int(1));
        value_map_set(&cli->arena, map, STR("checks"), doctor.checks);
        cli_print(cli, map);
    } else {
        Buffer out = {0};
        for (uint32_t i = 0; i < doctor.checks.as.list->count; i++) {
            Value item = doctor.checks.as.list->items[i];
            buffer_printf(&out, "%-8s %-20.*s " STR_FMT "\n",
                          value_map_get_bool(item, STR("ok"), false) ? "ok" : "problem",
                          STR_ARG(value_map_get_text(item, STR("name"), (Str){0})),
                          STR_ARG(value_map_get_text(item, STR("message"), (Str){0})));
        }
        cli_write(cli, buffer_str(&out));
        buffer_release(&out);
    }
    return doctor.all_ok ? STATUS_OK : STATUS_FAILED;
}

const CommandSpec command_prune = {.name = "prune",
                                   .arguments = "",
                                   .min = 0,
                                   .max = 0,
                                   .help = "remove old executions",
                                   .options = PRUNE_OPTIONS,
                                   .run = prune};
const CommandSpec command_doctor = {.name = "doctor",
                                    .arguments = "",
                                    .min = 0,
                                    .max = 0,
                                    .help = "check this host and its state directory",
                                    .run = doctor_command};
