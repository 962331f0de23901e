// config.c - the host file flowrun.yaml: every setting is named here, and an unknown one is refused
// with what was probably meant.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "run/driver.h"
#include "value/time.h"

static const char *const SETTINGS[] = {
    "stateDir",     "timezone", "envPrefix",  "globals",   "secrets",
    "kestra",       "trust",    "durability", "onUnknown", "taskRunner",
    "allowedPaths", "env",      "limits",     "handlers",  "containers",
};

static Err bad(const RunConfig *config, const char *setting, const char *expected, Value got) {
    return err_make(ERR_INPUT, "'" STR_FMT "': '%s' must be %s, not %s", STR_ARG(config->path),
                    setting, expected, value_kind_name(got.kind));
}

static Err read_text(const RunConfig *config, Value map, const char *setting, Str *out) {
    const Value *value = value_map_get(map, str_from(setting));
    if (value == NULL || value->kind == VALUE_NULL) return err_none();
    if (value->kind != VALUE_TEXT) return bad(config, setting, "a text", *value);
    *out = value->as.text;
    return err_none();
}

static Err read_names(const RunConfig *config, Value map, const char *setting, Arena *arena,
                      Str **out, uint32_t *count) {
    const Value *value = value_map_get(map, str_from(setting));
    if (value == NULL || value->kind == VALUE_NULL) return err_none();
    if (value->kind != VALUE_LIST) return bad(config, setting, "a list of texts", *value);
    *out = arena_array(arena, Str, value->as.list->count);
    for (uint32_t i = 0; i < value->as.list->count; i++) {
        Value item = value->as.list->items[i];
        if (item.kind != VALUE_TEXT) return bad(config, setting, "a list of texts", item);
        (*out)[i] = item.as.text;
    }
    *count = value->as.list->count;
    return err_none();
}

// One of a few words; `words` ends with NULL.
static Err read_word(const RunConfig *config, Value map, const char *setting,
                     const char *const *words, int *out) {
    Str text = {0};
    TRY(read_text(config, map, setting, &text));
    if (text.len == 0) return err_none();
    Buffer all = {0};
    for (int i = 0; words[i] != NULL; i++) {
        if (str_eq(text, str_from(words[i]))) {
            buffer_release(&all);
            *out = i;
            return err_none();
        }
        buffer_printf(&all, "%s%s", i > 0 ? ", " : "", words[i]);
    }
    Err err = err_make(ERR_INPUT, "'" STR_FMT "': '%s' is '" STR_FMT "', expected one of %.*s",
                       STR_ARG(config->path), setting, STR_ARG(text), (int)all.len, all.ptr);
    buffer_release(&all);
    return err;
}

// `batch` or `batch(50)`: milliseconds between syncs.
static Err read_durability(RunConfig *config, Value map) {
    Str text = {0};
    TRY(read_text(config, map, "durability", &text));
    int64_t milliseconds = 100;
    if (text.len == 0 || str_eq(text, STR("sync"))) return err_none();
    if (str_eq(text, STR("process"))) {
        config->durability = DURABILITY_PROCESS;
        return err_none();
    }
    bool is_batch = str_eq(text, STR("batch"));
    if (str_starts_with(text, STR("batch(")) && str_ends_with(text, STR(")"))) {
        is_batch = str_to_int(str_slice(text, 6, text.len - 1), &milliseconds) &&
                   milliseconds > 0 && milliseconds <= 60000;
    }
    if (!is_batch) {
        return err_make(ERR_INPUT,
                        "'" STR_FMT "': 'durability' is '" STR_FMT
                        "', expected sync, batch(MILLISECONDS) or process",
                        STR_ARG(config->path), STR_ARG(text));
    }
    config->durability = DURABILITY_BATCH;
    config->batch_ms = (uint32_t)milliseconds;
    return err_none();
}

static Err read_env(RunConfig *config, Value map, Arena *arena) {
    const Value *value = value_map_get(map, STR("env"));
    if (value != NULL && value->kind == VALUE_LIST) {
        config->env = ENV_NAMES;
        return read_names(config, map, "env", arena, &config->env_names, &config->env_name_count);
    }
    static const char *const words[] = {"inherit", "clean", NULL};
    int word = 0;
    TRY(read_word(config, map, "env", words, &word));
    config->env = word == 1 ? ENV_CLEAN : ENV_INHERIT;
    return err_none();
}

static Err check_names(const RunConfig *config, Value map) {
    for (uint32_t i = 0; i < map.as.map->count; i++) {
        Str name = map.as.map->members[i].key;
        const char *nearest = NULL;
        size_t distance = 3;
        bool is_known = false;
        for (size_t k = 0; k < COUNT(SETTINGS); k++) {
            is_known = is_known || str_eq(name, str_from(SETTINGS[k]));
            size_t edits = str_distance(name, str_from(SETTINGS[k]), 2);
            if (edits < distance) {
                distance = edits;
                nearest = SETTINGS[k];
            }
        }
        if (is_known) continue;
        if (nearest != NULL) {
            return err_make(ERR_INPUT,
                            "'" STR_FMT "': unknown setting '" STR_FMT "', did you mean '%s'?",
                            STR_ARG(config->path), STR_ARG(name), nearest);
        }
        return err_make(ERR_INPUT, "'" STR_FMT "': unknown setting '" STR_FMT "'",
                        STR_ARG(config->path), STR_ARG(name));
    }
    return err_none();
}

static bool is_texts(Value value) {
    if (value.kind != VALUE_LIST || value.as.list->count == 0) return false;
    for (uint32_t i = 0; i < value.as.list->count; i++) {
        if (value.as.list->items[i].kind != VALUE_TEXT) return false;
    }
    return true;
}

// Words that begin with `./` are relative to the folder of the host file.
static Value handler_command(const RunConfig *config, Value words, Arena *arena) {
    char here[4096];
    Str folder = path_folder(config->path);
    if (!str_starts_with(folder, STR("/")) && getcwd(here, sizeof here) != NULL) {
        folder = folder.len == 0 ? str_dup(arena, str_from(here))
                                 : path_join(arena, str_dup(arena, str_from(here)), folder);
    }
    Value out = value_list(arena);
    for (uint32_t i = 0; i < words.as.list->count; i++) {
        Str word = words.as.list->items[i].as.text;
        if (str_starts_with(word, STR("./"))) {
            word = path_join(arena, folder, str_slice(word, 2, word.len));
        }
        value_list_add(arena, out, value_text(word));
    }
    return out;
}

// PREFIX: [command, …], or {command: […], env: {…}}, or {url: …}.
static Err read_handler(const RunConfig *config, const ValueMember *member, Arena *arena,
                        Value *out) {
    *out = value_map(arena);
    Value given = member->value;
    const Value *command = given.kind == VALUE_LIST ? &given : value_map_get(given, STR("command"));
    Str url = value_map_get_text(given, STR("url"), STR(""));
    if (command != NULL && is_texts(*command) && url.len == 0) {
        value_map_set(arena, *out, STR("command"), handler_command(config, *command, arena));
        const Value *env = value_map_get(given, STR("env"));
        if (env != NULL) value_map_set(arena, *out, STR("env"), *env);
        return err_none();
    }
    if (command == NULL && url.len > 0) {
        value_map_set(arena, *out, STR("url"), value_text(url));
        return err_none();
    }
    return err_make(ERR_INPUT,
                    "'" STR_FMT "': the handler of '" STR_FMT
                    "' must be a command as a list of texts, {command, env} or {url}",
                    STR_ARG(config->path), STR_ARG(member->key));
}

static Err read_handlers(RunConfig *config, Value map, Arena *arena) {
    const Value *given = value_map_get(map, STR("handlers"));
    if (given == NULL || given->kind == VALUE_NULL) return err_none();
    if (given->kind != VALUE_MAP) return bad(config, "handlers", "a map of prefixes", *given);
    config->handlers = value_map(arena);
    for (uint32_t i = 0; i < given->as.map->count; i++) {
        const ValueMember *member = &given->as.map->members[i];
        Value handler = value_null();
        TRY(read_handler(config, member, arena, &handler));
        value_map_set(arena, config->handlers, member->key, handler);
    }
    return err_none();
}

static Err read_settings(RunConfig *config, Value map, Arena *arena) {
    static const char *const unknown_words[] = {"pause", "retry", "fail", NULL};
    static const char *const runner_words[] = {"auto", "process", "docker", NULL};
    if (map.kind == VALUE_NULL) return err_none();
    if (map.kind != VALUE_MAP) {
        return err_make(ERR_INPUT, "'" STR_FMT "' must be a map of settings",
                        STR_ARG(config->path));
    }
    TRY(check_names(config, map));
    TRY(read_text(config, map, "stateDir", &config->state_folder));
    TRY(read_text(config, map, "timezone", &config->time_zone));
    TRY(read_text(config, map, "envPrefix", &config->env_prefix));
    TRY(read_text(config, map, "trust", &config->trust_path));
    TRY(read_durability(config, map));
    int word = 0;
    TRY(read_word(config, map, "onUnknown", unknown_words, &word));
    config->on_unknown = (OnUnknown)word;
    word = 0;
    TRY(read_word(config, map, "taskRunner", runner_words, &word));
    config->runner = (HostRunner)word;
    TRY(read_names(config, map, "allowedPaths", arena, &config->allowed_paths,
                   &config->allowed_path_count));
    TRY(read_env(config, map, arena));
    TRY(read_handlers(config, map, arena));
    const Value *containers = value_map_get(map, STR("containers"));
    if (containers != NULL && containers->kind != VALUE_NULL) {
        if (containers->kind != VALUE_MAP) return bad(config, "containers", "a map", *containers);
        config->allows_volumes = value_map_get_bool(*containers, STR("volumes"), false);
    }
    const Value *globals = value_map_get(map, STR("globals"));
    if (globals != NULL && globals->kind == VALUE_MAP) config->globals = *globals;
    TRY(read_text(config, map, "secrets", &config->secrets_path));
    const Value *kestra = value_map_get(map, STR("kestra"));
    if (kestra != NULL && kestra->kind == VALUE_MAP) {
        TRY(read_text(config, *kestra, "url", &config->kestra_url));
        TRY(read_text(config, *kestra, "environment", &config->kestra_environment));
    }
    return err_none();
}

static Str default_path(Arena *arena) {
    Str user = str_from(getenv("XDG_CONFIG_HOME"));
    if (user.len == 0 && getenv("HOME") != NULL) {
        user = path_join(arena, str_from(getenv("HOME")), STR(".config"));
    }
    if (user.len > 0) {
        Str path = path_join(arena, user, STR("flowrun/flowrun.yaml"));
        if (path_exists(path.ptr)) return path;
    }
    if (path_exists("/etc/flowrun.yaml")) return STR("/etc/flowrun.yaml");
    return (Str){0};
}

Err run_config_load(const char *path, Arena *arena, RunConfig *out) {
    *out = (RunConfig){.env_prefix = STR("ENV_"), .batch_ms = 100};
    out->globals = value_map(arena);
    out->path = path != NULL ? str_from(path) : default_path(arena);
    if (out->path.len == 0) return err_none();
    Str text = {0};
    TRY(file_read(str_to_c(arena, out->path), (size_t)1 << 20, arena, &text));
    Value map = value_null();
    Err err = yaml_parse(text, arena, &map);
    if (err.code != ERR_NONE) return err_wrap(err, "'" STR_FMT "'", STR_ARG(out->path));
    return read_settings(out, map, arena);
}

Str run_state_folder(const RunConfig *config, const char *option, Arena *arena) {
    if (option != NULL) return str_from(option);
    Str folder = str_from(getenv("FLOWRUN_STATE_DIR"));
    if (folder.len > 0) return folder;
    if (config->state_folder.len > 0) return config->state_folder;
    if (geteuid() == 0) return STR("/var/lib/flowrun");
    Str base = str_from(getenv("XDG_STATE_HOME"));
    if (base.len == 0) {
        Str home = str_from(getenv("HOME"));
        base = path_join(arena, home.len > 0 ? home : STR("/tmp"), STR(".local/state"));
    }
    return path_join(arena, base, STR("flowrun"));
}
