// credentials.c - where a cluster is and how to speak to it: the task's connection, kubeconfig, the
// service account of a pod (spec: secrets and clouds, 5).
#include "host/internal.h"

#include <string.h>

#include "base/codec.h"
#include "base/crypto.h"
#include "base/file.h"
#include "host/credentials.h"

enum { CONFIG_MAX = 4 << 20, PLUGIN_OUTPUT_MAX = 1 << 20 };

#define ACCOUNT_FOLDER "/var/run/secrets/kubernetes.io/serviceaccount"

Str env_get(const Host *host, const char *name) {
    size_t len = strlen(name);
    for (size_t i = 0; host->options.env != NULL && host->options.env[i] != NULL; i++) {
        const char *item = host->options.env[i];
        if (strncmp(item, name, len) == 0 && item[len] == '=') return str_from(item + len + 1);
    }
    return (Str){0};
}

static bool is_pem(Str text) {
    return str_find(text, STR("-----BEGIN "), 0) != STR_NOT_FOUND;
}

// PEM as it is, or in Base64 with line breaks.
static Err pem_of(Str text, const char *what, Arena *arena, Str *out) {
    if (is_pem(text)) {
        *out = str_dup(arena, text);
        return err_none();
    }
    Buffer compact = {0}, plain = {0};
    for (size_t i = 0; i < text.len; i++) {
        if (strchr(" \t\r\n", text.ptr[i]) == NULL) buffer_add_char(&compact, text.ptr[i]);
    }
    bool is_base64 = base64_decode(&plain, buffer_str(&compact));
    if (is_base64) *out = str_dup(arena, buffer_str(&plain));
    if (plain.len > 0) wipe(plain.ptr, plain.len);
    if (compact.len > 0) wipe(compact.ptr, compact.len);
    buffer_release(&compact);
    buffer_release(&plain);
    if (is_base64) return err_none();
    return err_make(ERR_INPUT, "'%s' is neither PEM nor Base64", what);
}

static Str beside(Arena *arena, Str config, Str path) {
    return path_join(arena, path_folder(config), path);
}

// Data, or else a file.
static Err read_part(Value map, Str config, const char *data_name, const char *file_name,
                     Arena *arena, Str *out) {
    Str given = value_map_get_text(map, str_from(data_name), STR(""));
    if (given.len > 0) return pem_of(given, data_name, arena, out);
    Str path = value_map_get_text(map, str_from(file_name), STR(""));
    if (path.len == 0) return err_none();
    Str whole = beside(arena, config, path);
    return err_wrap(file_read(str_to_c(arena, whole), CONFIG_MAX, arena, out), "%s", file_name);
}

static Str secret_name(Arena *arena, Str of, const char *what) {
    return str_printf(arena, "kubernetes " STR_FMT " %s", STR_ARG(of), what);
}

static void set_text(Arena *arena, Value map, const char *name, Str text) {
    if (text.len > 0) value_map_set(arena, map, str_from(name), value_text(text));
}

static void set_secret(Host *host, Arena *arena, Value map, const char *name, Str of, Str plain) {
    if (plain.len == 0) return;
    value_map_set(arena, map, str_from(name),
                  make_secret(host, secret_name(arena, of, name), plain, arena));
}

// --- kubeconfig ---------------------------------------------------------------------------------

typedef struct Config {
    Str path;
    Value value;
} Config;

typedef struct Configs {
    Config items[16];
    uint32_t count;
} Configs;

static Err read_config(Configs *configs, Str path, Arena *arena) {
    if (configs->count == COUNT(configs->items)) {
        return err_make(ERR_LIMIT, "KUBECONFIG names more than %zu files", COUNT(configs->items));
    }
    Str text = {0};
    Err err = file_read(str_to_c(arena, path), CONFIG_MAX, arena, &text);
    if (err.code == ERR_NOT_FOUND) return err_none();
    TRY(err);
    Config *config = &configs->items[configs->count];
    config->path = path;
    err = yaml_parse(text, arena, &config->value);
    if (err.code != ERR_NONE || config->value.kind != VALUE_MAP) {
        return err_make(ERR_INPUT, "'" STR_FMT "' is no kubeconfig", STR_ARG(path));
    }
    configs->count++;
    return err_none();
}

static Err read_configs(const Host *host, Configs *configs, Arena *arena) {
    Str list = env_get(host, "KUBECONFIG");
    if (list.len == 0) {
        Str home = env_get(host, "HOME");
        if (home.len == 0) return err_none();
        return read_config(configs, path_join(arena, home, STR(".kube/config")), arena);
    }
    Str rest = list, path = {0};
    while (str_split(&rest, ':', &path)) {
        if (path.len > 0) TRY(read_config(configs, path, arena));
    }
    return err_none();
}

// The entry `name` of a list of {name, KIND: {…}}; the first file that has it wins.
static const Value *find_entry(const Configs *configs, const char *list, const char *kind, Str name,
                               Str *path) {
    for (uint32_t i = 0; i < configs->count; i++) {
        const Value *entries = value_map_get(configs->items[i].value, str_from(list));
        if (entries == NULL || entries->kind != VALUE_LIST) continue;
        for (uint32_t at = 0; at < entries->as.list->count; at++) {
            Value entry = entries->as.list->items[at];
            if (!str_eq(value_map_get_text(entry, STR("name"), STR("")), name)) continue;
            *path = configs->items[i].path;
            return value_map_get(entry, str_from(kind));
        }
    }
    return NULL;
}

static Err read_cluster(Value cluster, Str path, Arena *arena, Cluster *out) {
    out->server = value_map_get_text(cluster, STR("server"), STR(""));
    if (out->server.len == 0) {
        return err_make(ERR_INPUT, "the cluster in '" STR_FMT "' has no 'server'", STR_ARG(path));
    }
    if (value_map_get_text(cluster, STR("proxy-url"), STR("")).len > 0) {
        return err_make(ERR_UNSUPPORTED,
                        "'proxy-url' in '" STR_FMT "' is not supported: use HTTPS_PROXY",
                        STR_ARG(path));
    }
    Str authority = {0};
    TRY(read_part(cluster, path, "certificate-authority-data", "certificate-authority", arena,
                  &authority));
    set_text(arena, out->tls, "ca", authority);
    set_text(arena, out->tls, "server_name",
             value_map_get_text(cluster, STR("tls-server-name"), STR("")));
    if (value_map_get_bool(cluster, STR("insecure-skip-tls-verify"), false)) {
        value_map_set(arena, out->tls, STR("insecure"), value_bool(true));
    }
    return err_none();
}

static Err read_user(Host *host, Value user, Str name, Str path, Arena *arena, Cluster *out) {
    Str token = value_map_get_text(user, STR("token"), STR(""));
    Str token_file = value_map_get_text(user, STR("tokenFile"), STR(""));
    Str cert = {0}, key = {0};
    if (value_map_get(user, STR("as")) != NULL) {
        return err_make(ERR_UNSUPPORTED, "impersonation ('as' in '" STR_FMT "') is not supported",
                        STR_ARG(path));
    }
    if (value_map_get(user, STR("auth-provider")) != NULL) {
        return err_make(ERR_UNSUPPORTED,
                        "'auth-provider' in '" STR_FMT "' has been removed from Kubernetes: use an "
                        "'exec' plugin",
                        STR_ARG(path));
    }
    if (token_file.len > 0) {
        Str whole = beside(arena, path, token_file);
        TRY(file_read(str_to_c(arena, whole), CONFIG_MAX, arena, &token));
    }
    token = str_trim(token);
    TRY(read_part(user, path, "client-certificate-data", "client-certificate", arena, &cert));
    TRY(read_part(user, path, "client-key-data", "client-key", arena, &key));
    set_text(arena, out->tls, "cert", cert);
    set_secret(host, arena, out->tls, "key", name, key);
    Str username = value_map_get_text(user, STR("username"), STR(""));
    if (token.len > 0) {
        set_text(arena, out->auth, "type", STR("bearer"));
        set_secret(host, arena, out->auth, "token", name, token);
    } else if (username.len > 0) {
        set_text(arena, out->auth, "type", STR("basic"));
        set_text(arena, out->auth, "username", username);
        set_secret(host, arena, out->auth, "password", name,
                   value_map_get_text(user, STR("password"), STR("")));
    }
    const Value *plugin = value_map_get(user, STR("exec"));
    if (plugin != NULL && plugin->kind == VALUE_MAP && token.len == 0) {
        out->plugin = *plugin;
        out->plugin_folder = path_folder(path);
    }
    out->user = name;
    return err_none();
}

static Err from_configs(Host *host, const Configs *configs, Arena *arena, Cluster *out) {
    Str current = {0}, path = {0};
    for (uint32_t i = 0; i < configs->count && current.len == 0; i++) {
        path = configs->items[i].path;
        current = value_map_get_text(configs->items[i].value, STR("current-context"), STR(""));
    }
    if (current.len == 0) {
        return err_make(ERR_INPUT, "'" STR_FMT "' names no 'current-context'",
                        STR_ARG(configs->items[0].path));
    }
    const Value *context = find_entry(configs, "contexts", "context", current, &path);
    if (context == NULL) {
        return err_make(ERR_INPUT, "there is no context '" STR_FMT "' in '" STR_FMT "'",
                        STR_ARG(current), STR_ARG(path));
    }
    Str cluster_name = value_map_get_text(*context, STR("cluster"), STR(""));
    Str user_name = value_map_get_text(*context, STR("user"), STR(""));
    out->space = value_map_get_text(*context, STR("namespace"), STR("default"));
    const Value *cluster = find_entry(configs, "clusters", "cluster", cluster_name, &path);
    if (cluster == NULL) {
        return err_make(ERR_INPUT, "there is no cluster '" STR_FMT "' in '" STR_FMT "'",
                        STR_ARG(cluster_name), STR_ARG(path));
    }
    TRY(read_cluster(*cluster, path, arena, out));
    const Value *user = find_entry(configs, "users", "user", user_name, &path);
    if (user == NULL) {
        return err_make(ERR_INPUT, "there is no user '" STR_FMT "' in '" STR_FMT "'",
                        STR_ARG(user_name), STR_ARG(path));
    }
    if (user->kind != VALUE_MAP) return err_none();
    return read_user(host, *user, user_name, path, arena, out);
}

// --- the other places ---------------------------------------------------------------------------

static Err from_pod(Host *host, Arena *arena, Cluster *out, bool *found) {
    Str name = env_get(host, "KUBERNETES_SERVICE_HOST");
    Str port = env_get(host, "KUBERNETES_SERVICE_PORT");
    if (name.len == 0 || !path_exists(ACCOUNT_FOLDER "/token")) return err_none();
    Str token = {0}, authority = {0}, space = {0};
    TRY(file_read(ACCOUNT_FOLDER "/token", CONFIG_MAX, arena, &token));
    TRY(file_read(ACCOUNT_FOLDER "/ca.crt", CONFIG_MAX, arena, &authority));
    Err err = file_read(ACCOUNT_FOLDER "/namespace", CONFIG_MAX, arena, &space);
    bool is_v6 = str_find_char(name, ':', 0) != STR_NOT_FOUND;
    out->server =
        str_printf(arena, is_v6 ? "https://[" STR_FMT "]:" STR_FMT : "https://" STR_FMT ":" STR_FMT,
                   STR_ARG(name), STR_ARG(port.len > 0 ? port : STR("443")));
    out->space = err.code == ERR_NONE ? str_trim(space) : STR("default");
    set_text(arena, out->auth, "type", STR("bearer"));
    set_secret(host, arena, out->auth, "token", STR("service account"), str_trim(token));
    set_text(arena, out->tls, "ca", authority);
    *found = true;
    return err_none();
}

static Err reveal_here(Host *host, Value value, Arena *arena, Str *out) {
    if (!value_has_secret(value)) {
        *out = value_to_text(arena, value);
        return err_none();
    }
    Buffer plain = {0};
    Err err = secrets_print_revealed(host->options.secrets, value, &plain);
    *out = str_dup(arena, buffer_str(&plain));
    if (plain.len > 0) wipe(plain.ptr, plain.len);
    buffer_release(&plain);
    return err;
}

// One of the connection's PEM properties, data or file; an empty text where neither is there.
static Err connection_pem(Host *host, Value connection, const char *data_name,
                          const char *file_name, Arena *arena, Str *out) {
    const Value *given = value_map_get(connection, str_from(data_name));
    if (given != NULL && given->kind != VALUE_NULL) {
        Str text = {0};
        TRY(reveal_here(host, *given, arena, &text));
        return pem_of(text, data_name, arena, out);
    }
    Str path = value_map_get_text(connection, str_from(file_name), STR(""));
    if (path.len == 0) return err_none();
    return err_wrap(file_read(str_to_c(arena, path), CONFIG_MAX, arena, out), "%s", file_name);
}

static Err from_connection(Host *host, Value connection, Arena *arena, Cluster *out) {
    static const char *const unsupported[] = {"oauthTokenProvider", "keyStoreFile",
                                              "trustStoreFile", "clientKeyPassphrase"};
    for (size_t i = 0; i < COUNT(unsupported); i++) {
        const Value *value = value_map_get(connection, str_from(unsupported[i]));
        if (value == NULL || value->kind == VALUE_NULL) continue;
        return err_make(ERR_UNSUPPORTED,
                        "'connection.%s' is not supported: use PEM data or a token",
                        unsupported[i]);
    }
    out->server =
        value_map_get_text(connection, STR("masterUrl"), STR("https://kubernetes.default.svc"));
    out->space = value_map_get_text(connection, STR("namespace"), STR("default"));
    Str authority = {0}, cert = {0}, key = {0};
    TRY(connection_pem(host, connection, "caCertData", "caCertFile", arena, &authority));
    TRY(connection_pem(host, connection, "clientCertData", "clientCertFile", arena, &cert));
    TRY(connection_pem(host, connection, "clientKeyData", "clientKeyFile", arena, &key));
    set_text(arena, out->tls, "ca", authority);
    set_text(arena, out->tls, "cert", cert);
    set_secret(host, arena, out->tls, "key", STR("connection"), key);
    if (value_map_get_bool(connection, STR("trustCerts"), false)) {
        value_map_set(arena, out->tls, STR("insecure"), value_bool(true));
    }
    const Value *token = value_map_get(connection, STR("oauthToken"));
    const Value *username = value_map_get(connection, STR("username"));
    const Value *password = value_map_get(connection, STR("password"));
    if (token != NULL && token->kind != VALUE_NULL) {
        set_text(arena, out->auth, "type", STR("bearer"));
        value_map_set(arena, out->auth, STR("token"), *token);
    } else if (username != NULL && username->kind != VALUE_NULL) {
        set_text(arena, out->auth, "type", STR("basic"));
        value_map_set(arena, out->auth, STR("username"), *username);
        if (password != NULL) value_map_set(arena, out->auth, STR("password"), *password);
    }
    return err_none();
}

Err cluster_find(Host *host, Value connection, Arena *arena, Cluster *out) {
    *out = (Cluster){.auth = value_map(arena), .tls = value_map(arena)};
    Err err = err_none();
    if (connection.kind == VALUE_MAP && connection.as.map->count > 0) {
        err = from_connection(host, connection, arena, out);
    } else {
        Configs configs = {0};
        bool found = false;
        TRY(read_configs(host, &configs, arena));
        if (configs.count > 0) {
            err = from_configs(host, &configs, arena, out);
            found = true;
        } else {
            err = from_pod(host, arena, out, &found);
        }
        if (err.code == ERR_NONE && !found) {
            return err_make(ERR_NOT_FOUND,
                            "no Kubernetes cluster is configured: looked at 'connection' of the "
                            "task, KUBECONFIG, ~/.kube/config and the service account of a pod");
        }
    }
    TRY(err);
    while (str_ends_with(out->server, STR("/"))) out->server.len--;
    return err_none();
}

// --- exec plugins -------------------------------------------------------------------------------

typedef struct Plugin {
    Wait wait;
    Cluster cluster;
    Proc *proc;
    Buffer output;
    Buffer errors;
    int code;
} Plugin;

static int push_cluster(lua_State *L, const Cluster *cluster, Arena *arena) {
    Value out = value_map(arena);
    value_map_set(arena, out, STR("server"), value_text(cluster->server));
    value_map_set(arena, out, STR("namespace"), value_text(cluster->space));
    value_map_set(arena, out, STR("auth"), cluster->auth);
    value_map_set(arena, out, STR("tls"), cluster->tls);
    leaf_push_value(L, out);
    return 1;
}

static bool plugin_bytes(void *self, ProcStream stream, Str bytes) {
    Plugin *plugin = self;
    Buffer *out = stream == PROC_STDOUT ? &plugin->output : &plugin->errors;
    if (out->len + bytes.len <= PLUGIN_OUTPUT_MAX) buffer_add(out, bytes);
    return true;
}

static void plugin_ended(void *self, const ProcEnd *end) {
    Plugin *plugin = self;
    plugin->proc = NULL;
    plugin->code = end->code;
    wait_done(&plugin->wait);
}

static bool plugin_cancel(Wait *wait) {
    Plugin *plugin = (Plugin *)wait;
    if (plugin->proc == NULL) return true;
    proc_stop(plugin->proc, 1000);
    return false;
}

static void plugin_release(Wait *wait) {
    Plugin *plugin = (Plugin *)wait;
    if (plugin->proc != NULL && wait->task->host->procs != NULL) proc_abandon(plugin->proc);
    if (plugin->output.len > 0) wipe(plugin->output.ptr, plugin->output.len);
    buffer_release(&plugin->output);
    buffer_release(&plugin->errors);
}

static Err read_credential(Plugin *plugin, Arena *arena) {
    Host *host = plugin->wait.task->host;
    Cluster *cluster = &plugin->cluster;
    Str command = value_map_get_text(cluster->plugin, STR("command"), STR(""));
    if (plugin->code != 0) {
        Str text = str_trim(buffer_str(&plugin->errors));
        return err_make(ERR_REFUSED,
                        "'" STR_FMT "' of the kubeconfig ended with exit code %d: " STR_FMT,
                        STR_ARG(command), plugin->code, STR_ARG(str_slice(text, 0, 200)));
    }
    Value answer = {0};
    Err err = json_parse(buffer_str(&plugin->output), (JsonLimits){0}, arena, &answer);
    const Value *status = err.code == ERR_NONE ? value_map_get(answer, STR("status")) : NULL;
    if (status == NULL) {
        return err_make(ERR_INPUT, "'" STR_FMT "' of the kubeconfig printed no ExecCredential",
                        STR_ARG(command));
    }
    Str token = value_map_get_text(*status, STR("token"), STR(""));
    if (token.len > 0) {
        set_text(arena, cluster->auth, "type", STR("bearer"));
        set_secret(host, arena, cluster->auth, "token", cluster->user, token);
    }
    set_text(arena, cluster->tls, "cert",
             value_map_get_text(*status, STR("clientCertificateData"), STR("")));
    set_secret(host, arena, cluster->tls, "key", cluster->user,
               value_map_get_text(*status, STR("clientKeyData"), STR("")));
    return err_none();
}

static int plugin_finish(lua_State *L, Wait *wait) {
    Plugin *plugin = (Plugin *)wait;
    Err err = read_credential(plugin, &wait->arena);
    if (err.code != ERR_NONE) return push_failure(L, &err, "auth");
    return push_cluster(L, &plugin->cluster, &wait->arena);
}

static const char *const *plugin_env(Plugin *plugin, Arena *arena) {
    const char *const *inherited = plugin->wait.task->host->options.env;
    const Value *given = value_map_get(plugin->cluster.plugin, STR("env"));
    size_t count = 0, more = given != NULL && given->kind == VALUE_LIST ? given->as.list->count : 0;
    while (inherited != NULL && inherited[count] != NULL) count++;
    const char **env = arena_array(arena, const char *, count + more + 2);
    for (size_t i = 0; i < count; i++) env[i] = inherited[i];
    for (size_t i = 0; i < more; i++) {
        Value item = given->as.list->items[i];
        env[count++] = str_printf(arena, STR_FMT "=" STR_FMT,
                                  STR_ARG(value_map_get_text(item, STR("name"), STR(""))),
                                  STR_ARG(value_map_get_text(item, STR("value"), STR(""))))
                           .ptr;
    }
    Str version = value_map_get_text(plugin->cluster.plugin, STR("apiVersion"),
                                     STR("client.authentication.k8s.io/v1"));
    env[count] = str_printf(arena,
                            "KUBERNETES_EXEC_INFO={\"apiVersion\":\"" STR_FMT
                            "\",\"kind\":\"ExecCredential\",\"spec\":{\"interactive\":false}}",
                            STR_ARG(version))
                     .ptr;
    return env;
}

static Err start_plugin(Plugin *plugin, Value argv) {
    Arena *arena = &plugin->wait.arena;
    Host *host = plugin->wait.task->host;
    Procs *procs = NULL;
    TRY(host_procs(host, &procs));
    uint32_t count = argv.as.list->count;
    const char **list = arena_array(arena, const char *, (size_t)count + 1);
    for (uint32_t i = 0; i < count; i++) {
        list[i] = str_to_c(arena, value_to_text(arena, argv.as.list->items[i]));
    }
    ProcStart start = {
        .argv = list,
        .env = plugin_env(plugin, arena),
        .folder = str_to_c(arena, plugin->cluster.plugin_folder),
        .callbacks = {.bytes = plugin_bytes, .ended = plugin_ended, .self = plugin},
    };
    return proc_start(procs, &start, &plugin->proc);
}

static int run_plugin(lua_State *L, const Cluster *cluster) {
    Str command = value_map_get_text(cluster->plugin, STR("command"), STR(""));
    Str mode = value_map_get_text(cluster->plugin, STR("interactiveMode"), STR("IfAvailable"));
    if (command.len == 0 || str_eq(mode, STR("Always"))) {
        return push_failure_text(L,
                                 STR("the 'exec' plugin of the kubeconfig cannot be used: it has "
                                     "no command, or wants a terminal"),
                                 STR("permanent"));
    }
    Plugin *plugin = (Plugin *)wait_new(L, sizeof *plugin);
    Arena *arena = &plugin->wait.arena;
    plugin->wait.cancel = plugin_cancel;
    plugin->wait.release = plugin_release;
    plugin->wait.finish = plugin_finish;
    plugin->cluster = *cluster;
    Value argv = value_list(arena), description = value_map(arena);
    value_list_add(arena, argv, value_text(command));
    const Value *args = value_map_get(cluster->plugin, STR("args"));
    for (uint32_t i = 0; args != NULL && args->kind == VALUE_LIST && i < args->as.list->count;
         i++) {
        value_list_add(arena, argv, args->as.list->items[i]);
    }
    value_map_set(arena, description, STR("effect"), value_text(STR("exec")));
    value_map_set(arena, description, STR("argv"), argv);
    Err err = err_none();
    if (effect(plugin->wait.task, description)) {
        err = start_plugin(plugin, argv);
    } else {
        int count = push_cluster(L, cluster, arena);
        wait_drop(&plugin->wait);
        return count;
    }
    if (err.code == ERR_NONE) return wait_for(L, &plugin->wait);
    wait_drop(&plugin->wait);
    return push_failure(L, &err, "permanent");
}

// --- what modules call --------------------------------------------------------------------------

int api_credentials(lua_State *L) {
    HostTask *task = call_begin(L);
    Str kind = check_text(L, 1, "kind of credentials");
    Value connection = check_value(L, 2, &task->arena, "connection");
    if (str_eq(kind, STR("aws"))) {
        Value found = {0};
        Err err = aws_find(task->host, &task->call, &found);
        if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
        leaf_push_value(L, found);
        return 1;
    }
    if (!str_eq(kind, STR("k8s"))) {
        Str text = str_printf(&task->call, "credentials for '" STR_FMT "' are not there yet",
                              STR_ARG(kind));
        return push_failure_text(L, text, STR("permanent"));
    }
    // The arena of the task: a plugin outlives this call.
    Cluster cluster = {0};
    Err err = cluster_find(task->host, connection, &task->arena, &cluster);
    if (err.code == ERR_NOT_FOUND && is_planning(task)) {
        host_task_log(task, LOG_WARN, str_from(err.text));
        cluster.server = STR("https://<cluster>");
        cluster.space = STR("default");
        return push_cluster(L, &cluster, &task->arena);
    }
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    if (cluster.plugin.kind == VALUE_MAP) return run_plugin(L, &cluster);
    return push_cluster(L, &cluster, &task->arena);
}
