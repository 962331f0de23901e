// runner.c - where a command runs: as a process of this host, or in a container of an engine that
// listens on a Unix socket, or on the network with or without TLS (design §16).
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "host/credentials.h"
#include "host/exec.h"

enum { CERTIFICATE_MAX = 1 << 20 };

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

static Str setting(const Host *host, const char *name) {
    Str given = env_get(host, name);
    return given.len > 0 ? given : str_from(getenv(name));  // what children do not get, we may read
}

// A file of the folder with certificates; nothing where there is none.
static Err certificate(Str folder, const char *name, Arena *arena, Str *out) {
    Str path = path_join(arena, folder, str_from(name));
    Err err = file_read(path.ptr, CERTIFICATE_MAX, arena, out);
    return err.code == ERR_NOT_FOUND ? err_none() : err;
}

// The authority, and what we are known by: ca.pem, cert.pem, key.pem, as the docker command has it.
static Err read_certificates(Host *host, Arena *arena, Engine *out) {
    Str folder = setting(host, "DOCKER_CERT_PATH"), ca = {0}, cert = {0}, key = {0};
    if (folder.len == 0) {
        folder = path_join(arena, setting(host, "HOME"), STR(".docker"));
    }
    TRY(certificate(folder, "ca.pem", arena, &ca));
    TRY(certificate(folder, "cert.pem", arena, &cert));
    TRY(certificate(folder, "key.pem", arena, &key));
    out->tls = value_map(arena);
    if (ca.len > 0) value_map_set(arena, out->tls, STR("ca"), value_text(ca));
    if (cert.len == 0 || key.len == 0) return err_none();
    value_map_set(arena, out->tls, STR("cert"), value_text(cert));
    Str name = STR("the key of the container engine");
    value_map_set(arena, out->tls, STR("key"), make_secret(host, name, key, arena));
    return err_none();
}

static Err engine_of_address(Host *host, Str address, Arena *arena, Engine *out) {
    static const char *const schemes[] = {"tcp://", "http://", "https://"};
    out->name = str_dup(arena, address);
    if (str_starts_with(address, STR("unix://"))) address = str_slice(address, 7, address.len);
    if (str_starts_with(address, STR("/"))) {
        out->unix_socket = str_dup(arena, address);
        out->url = STR("http://engine");
        if (is_socket(address)) return err_none();
        return err_make(ERR_NOT_FOUND,
                        "there is no container engine at '" STR_FMT "': start Docker or Podman, or "
                        "run the task on the host: --task-runner process, or 'taskRunner: process' "
                        "in flowrun.yaml",
                        STR_ARG(address));
    }
    for (size_t i = 0; i < COUNT(schemes); i++) {
        Str scheme = str_from(schemes[i]);
        if (!str_starts_with(address, scheme)) continue;
        Str place = str_slice(address, scheme.len, address.len);
        while (str_ends_with(place, STR("/"))) place.len--;
        bool is_plain = i < 2 && setting(host, "DOCKER_TLS_VERIFY").len == 0;
        out->url = str_printf(arena, "%s://" STR_FMT, is_plain ? "http" : "https", STR_ARG(place));
        return is_plain ? err_none() : read_certificates(host, arena, out);
    }
    return err_make(ERR_UNSUPPORTED,
                    "the container engine at '" STR_FMT "' cannot be reached: only unix:///path, "
                    "tcp://host:port and https://host:port are supported (over ssh: forward the "
                    "socket, `ssh -L /path:/var/run/docker.sock host`)",
                    STR_ARG(address));
}

Err engine_find(Host *host, Value fields, Arena *arena, Engine *out) {
    *out = (Engine){.tls = value_null()};
    const Value *runner = value_map_get(fields, STR("runner"));
    Value map = runner == NULL ? value_null() : *runner;
    Str given = value_map_get_text(map, STR("host"), STR(""));
    if (given.len == 0) given = value_map_get_text(map, STR("dockerHost"), STR(""));
    if (given.len == 0) given = setting(host, "DOCKER_HOST");
    if (given.len > 0) return engine_of_address(host, given, arena, out);
    Str session = setting(host, "XDG_RUNTIME_DIR");
    const Str places[] = {
        STR("/var/run/docker.sock"),
        session.len == 0 ? session : path_join(arena, session, STR("podman/podman.sock")),
        STR("/run/podman/podman.sock"),
        STR("/dind/docker.sock"),
    };
    for (size_t i = 0; i < COUNT(places); i++) {
        if (is_socket(places[i])) return engine_of_address(host, places[i], arena, out);
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

static void set_text(lua_State *L, const char *name, Str text) {
    if (text.len == 0) return;
    push_str(L, text);
    lua_setfield(L, -2, name);
}

// host.runner{runner, image, force} -> {kind = "process"}, or {kind = "docker", name, url, unix,
// tls, volumes}
int api_runner(lua_State *L) {
    static const char *const known[] = {"runner", "image", "force", NULL};
    HostTask *task = call_begin(L);
    Arena *arena = &task->call;
    Value fields = check_fields(L, 1, arena, "runner", known);
    const HostOptions *options = &task->host->options;
    bool is_forced = value_map_get_bool(fields, STR("force"), false);
    bool is_container = is_forced || wants_container(task, fields);
    Engine engine = {.tls = value_null()};
    Err err = err_none();
    if (is_container && !is_forced && options->runner == RUNNER_AUTO) err = check_type(fields);
    if (err.code == ERR_NONE && is_container && !is_planning(task)) {
        err = engine_find(task->host, fields, arena, &engine);
    }
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    lua_createtable(L, 0, 6);
    lua_pushstring(L, is_container ? "docker" : "process");
    lua_setfield(L, -2, "kind");
    set_text(L, "name", engine.name);
    set_text(L, "url", engine.url);
    set_text(L, "unix", engine.unix_socket);
    if (engine.tls.kind == VALUE_MAP) {
        leaf_push_value(L, engine.tls);
        lua_setfield(L, -2, "tls");
    }
    lua_pushboolean(L, options->allows_volumes);
    lua_setfield(L, -2, "volumes");
    return 1;
}
