// preflight.c - what an artifact needs of this host, looked at before a task starts.
#include "host/exec.h"

#include <string.h>

#include "base/crypto.h"
#include "host/credentials.h"

enum { HOST_WAIT_MS = 10000 };

static void add_check(Arena *arena, Value checks, const char *kind, Str name, bool ok,
                      Str message) {
    Value check = value_map(arena);
    value_map_set(arena, check, STR("kind"), value_text(str_from(kind)));
    value_map_set(arena, check, STR("name"), value_text(str_dup(arena, name)));
    value_map_set(arena, check, STR("ok"), value_bool(ok));
    value_map_set(arena, check, STR("message"), value_text(str_dup(arena, message)));
    value_list_add(arena, checks, check);
}

static const ValueList *listed(const Host *host, const char *name) {
    const Value *list = value_map_get(host->options.artifact->manifest, str_from(name));
    return list != NULL && list->kind == VALUE_LIST ? list->as.list : NULL;
}

// An entry is a text, or a map with a name.
static Str name_of(Value entry) {
    if (entry.kind == VALUE_TEXT) return entry.as.text;
    return value_map_get_text(entry, STR("name"), STR(""));
}

static bool is_elsewhere(const ValueList *elsewhere, Str name) {
    for (uint32_t i = 0; elsewhere != NULL && i < elsewhere->count; i++) {
        if (str_eq(name_of(elsewhere->items[i]), name)) return true;
    }
    return false;
}

// Those of the flow's own namespace, or those of namespaces that are named. A run does not miss
// what only triggers read.
static void check_secrets_of(Host *host, const ValueList *list, const ValueList *elsewhere,
                             Arena *arena, Value checks) {
    const ValueList *idle = listed(host, "secrets_of_triggers");
    for (uint32_t i = 0; list != NULL && i < list->count; i++) {
        Str name = name_of(list->items[i]);
        if (is_elsewhere(elsewhere, name)) continue;
        Value recipe = value_map(arena);
        value_map_set(arena, recipe, STR("op"), value_text(STR("secret")));
        value_map_set(arena, recipe, STR("name"), value_text(name));
        Str space = value_map_get_text(list->items[i], STR("namespace"), STR(""));
        if (space.len > 0) value_map_set(arena, recipe, STR("namespace"), value_text(space));
        Str plain = {0};
        Err err = host->options.secrets == NULL
                      ? err_make(ERR_NOT_FOUND, "there are no secrets here")
                      : secrets_reveal(host->options.secrets, &recipe, &plain);
        bool is_idle = err.code != ERR_NONE && is_elsewhere(idle, name);
        Str text = is_idle ? STR("not found; only a trigger reads it, a run does not")
                           : str_from(err.text);
        add_check(arena, checks, "secret", name, err.code == ERR_NONE || is_idle, text);
    }
}

static void check_secrets(Host *host, Arena *arena, Value checks) {
    const ValueList *elsewhere = listed(host, "secrets_elsewhere");
    check_secrets_of(host, listed(host, "secrets"), elsewhere, arena, checks);
    check_secrets_of(host, elsewhere, NULL, arena, checks);
}

static void check_commands(Host *host, Arena *arena, Value checks) {
    const ValueList *list = listed(host, "commands");
    for (uint32_t i = 0; list != NULL && i < list->count; i++) {
        Str name = name_of(list->items[i]), path = {0};
        Err err = proc_find(str_to_c(arena, name), host->options.env, "/", arena, &path);
        add_check(arena, checks, "command", name, err.code == ERR_NONE,
                  err.code == ERR_NONE ? path : str_from(err.text));
    }
}

static void check_images(Host *host, Arena *arena, Value checks) {
    const ValueList *list = listed(host, "images");
    bool on_host = host->options.runner == RUNNER_PROCESS;
    Engine engine = {0};
    Err err =
        list == NULL || on_host ? err_none() : engine_find(host, value_map(arena), arena, &engine);
    for (uint32_t i = 0; list != NULL && i < list->count; i++) {
        add_check(arena, checks, "image", name_of(list->items[i]), err.code == ERR_NONE,
                  on_host                ? STR("not used: tasks run as processes")
                  : err.code == ERR_NONE ? engine.name
                                         : str_from(err.text));
    }
}

static bool uses_kubernetes(const Host *host) {
    const Plan *plan = &host->options.artifact->plan;
    for (uint32_t i = 0; i < plan->module_count; i++) {
        Str type = plan_text(plan, plan->modules[i].type);
        if (str_starts_with(type, STR("io.kestra.plugin.kubernetes."))) return true;
    }
    return false;
}

static bool is_external(const Plan *plan, uint32_t module) {
    for (uint32_t i = 0; i < plan->node_count; i++) {
        const PlanNode *node = &plan->nodes[i];
        if (node->module == module + 1 && (node->flags & NODE_EXTERNAL) != 0) return true;
    }
    return false;
}

static void check_handlers(const Host *host, Arena *arena, Value checks) {
    const Plan *plan = &host->options.artifact->plan;
    for (uint32_t i = 0; i < plan->module_count; i++) {
        if (!is_external(plan, i)) continue;
        Str type = plan_text(plan, plan->modules[i].type), path = {0};
        const Value *handler = handler_of(host, type);
        if (handler == NULL) {
            add_check(arena, checks, "handler", type, false,
                      STR("no handler is configured for this external type ('handlers' in "
                          "flowrun.yaml)"));
            continue;
        }
        const Value *command = value_map_get(*handler, STR("command"));
        if (command == NULL) {
            add_check(arena, checks, "handler", type, true,
                      value_map_get_text(*handler, STR("url"), STR("")));
            continue;
        }
        Str program = command->as.list->items[0].as.text;
        Err err = proc_find(str_to_c(arena, program), host->options.env, "/", arena, &path);
        add_check(arena, checks, "handler", type, err.code == ERR_NONE,
                  err.code == ERR_NONE ? path : str_from(err.text));
    }
}

// --- hosts --------------------------------------------------------------------------------------

typedef struct Probe {
    bool is_done;
    bool is_reached;
    Str message;
    Arena *arena;
} Probe;

static void probe_ended(void *self, const NetResult *result) {
    Probe *probe = self;
    probe->is_done = true;
    probe->is_reached = result->status != 0;  // any answer shows that it is there
    probe->message = probe->is_reached
                         ? str_printf(probe->arena, "answers (status %d)", (int)result->status)
                         : str_dup(probe->arena, result->message);
}

static void probe_url(Host *host, Arena *arena, Value checks, Str name, NetStart *start) {
    Net *net = NULL;
    NetRequest *request = NULL;
    Probe probe = {.arena = arena};
    start->method = STR("HEAD");
    start->save_fd = -1;
    start->total_ms = HOST_WAIT_MS;
    start->callbacks = (NetCallbacks){.ended = probe_ended, .self = &probe};
    Err err = host_net(host, &net);
    if (err.code == ERR_NONE) err = net_start(net, start, &request);
    if (err.code != ERR_NONE) {
        add_check(arena, checks, "host", name, false, str_from(err.text));
        return;
    }
    while (!probe.is_done && loop_run_once(host->options.loop, -1)) {
    }
    if (!probe.is_done) net_cancel(request);
    add_check(arena, checks, "host", name, probe.is_reached, probe.message);
}

// What the `hosts` of a task's module says of its properties, where they are known.
typedef struct ModuleHosts {
    Host *host;
    const PlanNode *node;
    Arena *arena;
    Value names;
} ModuleHosts;

static int ask_module(lua_State *L) {
    ModuleHosts *at = lua_touserdata(L, 1);
    const Plan *plan = &at->host->options.artifact->plan;
    PlanLeaf leaf = at->node->leaf_props;
    Value props = value_map(at->arena);
    if (leaf != PLAN_NONE && (leaf & PLAN_CONSTANT) != 0) {
        Str json = plan_text(plan, leaf & ~PLAN_CONSTANT);
        Err err = json_parse(json, (JsonLimits){0}, at->arena, &props);
        if (err.code != ERR_NONE) return 0;
    }
    push_module(L, at->host, at->node->module - 1);
    if (lua_getfield(L, -1, "hosts") != LUA_TFUNCTION) return 0;
    leaf_push_value(L, props);
    lua_call(L, 1, 1);
    for (lua_Integer i = 1; lua_istable(L, -1) && lua_geti(L, -1, i) == LUA_TSTRING; i++) {
        Str name = str_dup(at->arena, check_text(L, -1, "host"));
        value_list_add(at->arena, at->names, value_text(name));
        lua_pop(L, 1);
    }
    return 0;
}

static bool is_named(const ValueList *list, Str name) {
    size_t colon = str_find_char(name, ':', 0);
    if (colon != STR_NOT_FOUND) name = str_slice(name, 0, colon);
    for (uint32_t i = 0; list != NULL && i < list->count; i++) {
        if (str_eq(name_of(list->items[i]), name)) return true;
    }
    return false;
}

// Hosts that stand in no text of the flow: those a task type goes to by itself.
static Value module_hosts(Host *host, Arena *arena) {
    const Plan *plan = &host->options.artifact->plan;
    const ValueList *known = listed(host, "hosts");
    ModuleHosts at = {.host = host, .arena = arena, .names = value_list(arena)};
    Value out = value_list(arena);
    for (uint32_t i = 0; i < plan->node_count; i++) {
        at.node = &plan->nodes[i];
        if (at.node->kind != NODE_TASK || at.node->module == 0) continue;
        if (plan->modules[at.node->module - 1].code == 0) continue;
        Err err = host_protect(host, ask_module, &at);
        if (err.code != ERR_NONE) continue;  // a module that cannot say
    }
    for (uint32_t i = 0; i < at.names.as.list->count; i++) {
        Str name = at.names.as.list->items[i].as.text;
        if (!is_named(known, name) && !is_named(out.as.list, name)) {
            value_list_add(arena, out, value_text(name));
        }
    }
    return out;
}

// Where a host is reached by http or at a port of its own; false where it is not.
static bool probe_origins(Host *host, Arena *arena, Value checks, Str name) {
    const ValueList *list = listed(host, "origins");
    bool is_found = false;
    for (uint32_t i = 0; list != NULL && i < list->count; i++) {
        Str origin = name_of(list->items[i]);
        size_t at = str_find(origin, STR("://"), 0) + 3;
        Str rest = str_slice(origin, at, origin.len);
        bool is_same =
            str_starts_with(rest, name) && (rest.len == name.len || rest.ptr[name.len] == ':');
        if (!is_same) continue;
        NetStart start = {.url = str_concat(arena, origin, STR("/"))};
        probe_url(host, arena, checks, rest, &start);
        is_found = true;
    }
    return is_found;
}

static void check_hosts_of(Host *host, const ValueList *list, Arena *arena, Value checks) {
    for (uint32_t i = 0; list != NULL && i < list->count; i++) {
        Str name = name_of(list->items[i]);
        if (name.len == 0 || str_find(name, STR("{{"), 0) != STR_NOT_FOUND) continue;
        if (probe_origins(host, arena, checks, name)) continue;
        NetStart start = {.url = str_find(name, STR("://"), 0) == STR_NOT_FOUND
                                     ? str_printf(arena, "https://" STR_FMT "/", STR_ARG(name))
                                     : name};
        probe_url(host, arena, checks, name, &start);
    }
}

static void check_hosts(Host *host, Arena *arena, Value checks) {
    check_hosts_of(host, listed(host, "hosts"), arena, checks);
    check_hosts_of(host, module_hosts(host, arena).as.list, arena, checks);
}

static void check_cluster(Host *host, bool offline, Arena *arena, Value checks) {
    Cluster cluster = {0};
    Err err = cluster_find(host, value_null(), arena, &cluster);
    add_check(arena, checks, "kubeconfig",
              err.code == ERR_NONE ? cluster.server : STR("kubernetes"), err.code == ERR_NONE,
              str_from(err.text));
    if (err.code != ERR_NONE || offline) return;
    NetStart start = {.url = str_concat(arena, cluster.server, STR("/version")),
                      .ca = value_map_get_text(cluster.tls, STR("ca"), STR("")),
                      .server_name = value_map_get_text(cluster.tls, STR("server_name"), STR("")),
                      .is_insecure = value_map_get_bool(cluster.tls, STR("insecure"), false)};
    probe_url(host, arena, checks, cluster.server, &start);
}

Err host_preflight(Host *host, bool offline, Arena *arena, Value *checks) {
    *checks = value_list(arena);
    check_secrets(host, arena, *checks);
    check_commands(host, arena, *checks);
    check_images(host, arena, *checks);
    check_handlers(host, arena, *checks);
    if (uses_kubernetes(host)) check_cluster(host, offline, arena, *checks);
    if (!offline) check_hosts(host, arena, *checks);
    return err_none();
}
