// runner.c - where a command runs: as a process of this host, or in a container of an engine that
// listens on a Unix socket (design §16).
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "host/exec.h"

static bool names_process(Value runner) {
    if (runner.kind == VALUE_TEXT) return str_eq_ignore_case(runner.as.text, STR("PROCESS"));
    return str_ends_with(value_map_get_text(runner, STR("type"), STR("")),
                         STR("core.runner.Process"));
}

static bool is_given(const Value *value) {
    return value != NULL && value->kind != VALUE_NULL;
}

bool wants_container(const HostTask *task, Value fields) {
    const Value *runner = value_map_get(fields, STR("runner"));
    switch (task->host->options.runner) {
    case RUNNER_PROCESS:
        return false;
    case RUNNER_DOCKER:
        return true;
    case RUNNER_AUTO:
        break;
    }
    if (is_given(runner)) return !names_process(*runner);
    return is_given(value_map_get(fields, STR("image")));
}

static bool is_socket(Str path) {
    struct stat is = {0};
    char text[4096];
    if (path.len == 0 || path.len >= sizeof text) return false;
    memcpy(text, path.ptr, path.len);
    text[path.len] = '\0';
    return stat(text, &is) == 0 && S_ISSOCK(is.st_mode);
}

static Err socket_of_address(Str address, Str *out) {
    Str scheme = STR("unix://");
    if (str_starts_with(address, STR("/"))) {
        *out = address;
        return err_none();
    }
    if (!str_starts_with(address, scheme)) {
        return err_make(ERR_UNSUPPORTED,
                        "the container engine at '" STR_FMT "' cannot be reached: only Unix "
                        "sockets are supported (unix:///path)",
                        STR_ARG(address));
    }
    *out = str_slice(address, scheme.len, address.len);
    return err_none();
}

// By the task, by the environment, else where Docker and Podman put it.
Err engine_find(Value fields, Arena *arena, Str *out) {
    const Value *runner = value_map_get(fields, STR("runner"));
    Str given = runner == NULL ? STR("") : value_map_get_text(*runner, STR("host"), STR(""));
    if (given.len == 0) given = str_from(getenv("DOCKER_HOST"));
    if (given.len > 0) {
        TRY(socket_of_address(given, out));
        if (is_socket(*out)) return err_none();
        return err_make(ERR_NOT_FOUND,
                        "there is no container engine at '" STR_FMT "': start Docker or Podman, or "
                        "run the task on the host: --task-runner process, or 'taskRunner: process' "
                        "in flowrun.yaml",
                        STR_ARG(*out));
    }
    const char *session = getenv("XDG_RUNTIME_DIR");
    const Str places[] = {
        STR("/var/run/docker.sock"),
        session == NULL ? STR("") : path_join(arena, str_from(session), STR("podman/podman.sock")),
        STR("/run/podman/podman.sock"),
        STR("/dind/docker.sock"),
    };
    for (size_t i = 0; i < COUNT(places); i++) {
        *out = places[i];
        if (is_socket(places[i])) return err_none();
    }
    return err_make(ERR_NOT_FOUND,
                    "this task is meant for a container, and there is no container engine here "
                    "(no /var/run/docker.sock, no socket of Podman): start one, name its socket in "
                    "DOCKER_HOST, or run the task on the host: --task-runner process, or "
                    "'taskRunner: process' in flowrun.yaml");
}

static Err check_type(Value fields) {
    const Value *runner = value_map_get(fields, STR("runner"));
    Str type = runner == NULL ? STR("") : value_map_get_text(*runner, STR("type"), STR(""));
    if (type.len == 0 || names_process(*runner) ||
        str_ends_with(type, STR("runner.docker.Docker"))) {
        return err_none();
    }
    return err_make(ERR_UNSUPPORTED,
                    "the task runner '" STR_FMT "' is not supported: use Docker, or Process, or "
                    "--task-runner",
                    STR_ARG(type));
}

// host.runner{runner, image, force} -> {kind = "process"}, or {kind = "docker", socket, volumes}
int api_runner(lua_State *L) {
    static const char *const known[] = {"runner", "image", "force", NULL};
    HostTask *task = call_begin(L);
    Arena *arena = &task->call;
    Value fields = check_fields(L, 1, arena, "runner", known);
    const HostOptions *options = &task->host->options;
    bool is_forced = value_map_get_bool(fields, STR("force"), false);
    bool is_container = is_forced || wants_container(task, fields);
    Str socket = {0};
    Err err = err_none();
    if (is_container && !is_forced && options->runner == RUNNER_AUTO) err = check_type(fields);
    if (err.code == ERR_NONE && is_container && !is_planning(task)) {
        err = engine_find(fields, arena, &socket);
    }
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    lua_createtable(L, 0, 3);
    lua_pushstring(L, is_container ? "docker" : "process");
    lua_setfield(L, -2, "kind");
    if (socket.len > 0) {
        push_str(L, socket);
        lua_setfield(L, -2, "socket");
    }
    lua_pushboolean(L, options->allows_volumes);
    lua_setfield(L, -2, "volumes");
    return 1;
}
