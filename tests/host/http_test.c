// http_test.c - host.http and host.credentials against a real server.
#include "world.h"

#include "support/server.h"

typedef struct Group {
    TestServer server;
} Group;

static TestServer server_of(void **state) {
    // The group's state is handed to each test's setup.
    return ((Group *)*state)->server;
}

static int group_setup(void **state) {
    Group *group = heap_alloc(1, sizeof *group);
    *state = group;
    return server_start(&group->server, NULL) ? 0 : -1;
}

static int group_teardown(void **state) {
    Group *group = *state;
    server_stop(&group->server);
    heap_free(group);
    return 0;
}

static World *open_at(void **state, int *port) {
    World *world = NULL;
    *port = server_of(state).port;
    assert_int_equal(world_setup((void **)&world), 0);
    return world;
}

static void close_world(World *world) {
    assert_int_equal(world_teardown((void **)&world), 0);
}

// A module whose body may use `base`, the server's URL.
static void run_at(World *world, int port, const char *body) {
    Str whole = str_printf(&world->arena, "local base = 'http://127.0.0.1:%d'\n%s", port, body);
    run_body(world, whole.ptr);
}

static void an_answer_is_a_result_whatever_its_status(void **state) {
    int port = 0;
    World *world = open_at(state, &port);
    run_at(world, port,
           "local a = host.http{url = base .. '/echo'}\n"
           "local b = host.http{url = base .. '/status/503'}\n"
           "local c, m, class = host.http{url = 'http://127.0.0.1:1/'}\n"
           "return { status = a.status, type = a.headers['content-type'][1],\n"
           "two = a.headers['x-two'], class = b.class, refused = c == nil, why = class,\n"
           "body = b.body }");
    assert_task_ok(world);
    assert_string_equal(json_of(world, world->outputs),
                        "{\"body\":\"status 503\",\"class\":\"transient\",\"refused\":true,"
                        "\"status\":200,\"two\":[\"a\",\"b\"],\"type\":\"application/json\","
                        "\"why\":\"transient\"}");
    close_world(world);
}

static void bodies_of_every_kind_are_sent(void **state) {
    int port = 0;
    World *world = open_at(state, &port);
    run_at(world, port,
           "local function echo(r) r.url, r.method = base .. '/echo', 'POST'\n"
           " local a, m = host.http(r) if a == nil then error(m) end\n"
           " local e = host.json.decode(a.body) local h = {}\n"
           " for _, p in ipairs(e.headers) do h[p[1]:lower()] = p[2] end\n"
           " return e.body, h['content-type'], e.path end\n"
           "host.workdir.write('f.txt', 'file text')\n"
           "local t, tt = echo{body = 'plain'}\n"
           "local j, jt = echo{json = {a = {1}}}\n"
           "local f, ft = echo{form = host.map{{'a', 'x y'}, {'b', 2}}}\n"
           "local file = echo{file = 'f.txt'}\n"
           "local m, mt = echo{multipart = {{name = 'a', value = 'v'}, {name = 'f', file = "
           "'f.txt'}}}\n"
           "local _, _, path = echo{query = host.map{{'q', {'1', '2 3'}}}, body = ''}\n"
           "return { t = t, tt = tt, j = j, jt = jt, f = f, ft = ft, file = file, path = path,\n"
           "m = m:find('file text') ~= nil and m:find('filename=\"f.txt\"') ~= nil,\n"
           "mt = mt:starts('multipart/form-data; boundary=') }");
    assert_task_ok(world);
    assert_string_equal(
        json_of(world, world->outputs),
        "{\"f\":\"a=x%20y&b=2\",\"file\":\"file "
        "text\",\"ft\":\"application/x-www-form-urlencoded\","
        "\"j\":\"{\\\"a\\\":[1]}\",\"jt\":\"application/json\",\"m\":true,\"mt\":true,"
        "\"path\":\"/echo?q=1&q=2%203\",\"t\":\"plain\"}");
    close_world(world);
}

static void secrets_go_out_in_clear_and_are_told_masked(void **state) {
    int port = 0;
    World *world = open_at(state, &port);
    run_at(world, port,
           "local token = host.secret('TOKEN')\n"
           "local a = host.http{url = host.join{base, '/echo?t=', token}, method = 'POST',\n"
           "headers = {['X-Token'] = token}, auth = {type = 'bearer', token = token},\n"
           "body = host.join{'{\"t\":\"', token, '\"}'}}\n"
           "local count, at = 0, 1\n"
           "while true do local s, e = a.body:find('hush-hush-1', at) if s == nil then break end\n"
           " count = count + 1 at = e + 1 end\n"
           "host.log('INFO', a.body)\n"
           "return { count = count, url = a.url, body = a.body }");
    assert_task_ok(world);
    assert_has(json_of(world, world->outputs), "\"count\":4");
    assert_null(strstr(json_of(world, world->outputs), TOKEN));
    assert_null(strstr(log_of(world), TOKEN));
    const char *effects = json_of(world, world->effect_list);
    assert_null(strstr(effects, TOKEN));
    assert_has(effects, "\"body\":\"{\\\"t\\\":\\\"******\\\"}\"");
    assert_has(effects, "/echo?t=******\"");
    close_world(world);
}

static void a_body_can_be_saved_and_watched(void **state) {
    int port = 0;
    World *world = open_at(state, &port);
    run_at(world, port,
           "local a = host.http{url = base .. '/big/3000000', save = 'd/big'}\n"
           "local seen = ''\n"
           "local b = host.http{url = base .. '/chunks/100', on_chunk = function(text)\n"
           " seen = seen .. text return seen:find('line 3') == nil end}\n"
           "local c, m = host.http{url = base .. '/big/3000000', limits = {bytes = 1000}}\n"
           "return { file = a.file, size = a.size, real = host.workdir.size('d/big'),\n"
           "lines = #host.lines(seen) < 50, status = b.status, message = m }");
    assert_task_ok(world);
    assert_string_equal(json_of(world, world->outputs),
                        "{\"file\":\"d/big\",\"lines\":true,\"message\":\"the answer has more than "
                        "1000 bytes\",\"real\":3000000,\"size\":3000000,\"status\":200}");
    close_world(world);
}

static void what_may_be_repeated_is_repeated_as_often_as_asked(void **state) {
    int port = 0;
    World *world = open_at(state, &port);
    run_at(
        world, port,
        "local a = host.http{url = base .. '/count/503?a', retry = 3}\n"
        "local b = host.http{url = base .. '/count/429?b', retry = 3, method = 'POST', body = ''}\n"
        "local c = host.http{url = base .. '/count/500?c', retry = 3, method = 'POST', body = ''}\n"
        "local d = host.http{url = base .. '/count/500?d'}\n"
        "return { a = a.body, b = b.body, c = c.status, d = d.status }");
    assert_task_ok(world);
    assert_string_equal(json_of(world, world->outputs),
                        "{\"a\":\"3\",\"b\":\"3\",\"c\":500,\"d\":500}");
    close_world(world);
}

static void a_keyed_module_sends_its_key(void **state) {
    int port = 0;
    World *world = open_at(state, &port);
    world->key = "0190-key";
    add_module(world, "test.Task",
               str_printf(&world->arena,
                          "return task { implements = 'x', idempotent = function() return 'keyed' "
                          "end,\nrun = function(props, host) local a = host.http{method = 'POST',\n"
                          "url = 'http://127.0.0.1:%d/echo', body = ''} return {b = a.body} end }",
                          port)
                   .ptr);
    open_world(world);
    perform(world, "{}");
    assert_has(json_of(world, world->outputs), "Idempotency-Key\\\", \\\"0190-key\\\"");
    close_world(world);
}

static void nonsense_is_a_failure_or_a_mistake(void **state) {
    int port = 0;
    World *world = open_at(state, &port);
    run_at(world, port,
           "local seen = {}\n"
           "local function try(r) local a, m = host.http(r) seen[#seen + 1] = m or 'none' end\n"
           "try{} try{url = 'ftp://x/'} try{url = 'http://169.254.169.254/'}\n"
           "try{url = base, headers = {a = 'b\\nc'}} try{url = base, file = '../x'}\n"
           "try{url = base, auth = {type = 'odd'}} try{url = base, body = '', file = 'none'}\n"
           "return { seen = host.list(seen), typo = pcall(host.http, {ulr = base}) }");
    assert_task_ok(world);
    const char *outputs = json_of(world, world->outputs);
    assert_has(outputs, "the URL is missing");
    assert_has(outputs, "the scheme 'ftp' is not supported");
    assert_has(outputs, "metadata address '169.254.169.254' is refused");
    assert_has(outputs, "the header 'a' has a line break");
    assert_has(outputs, "leaves its folder");
    assert_has(outputs, "unknown kind of authentication 'odd'");
    assert_has(outputs, "\"typo\":false");
    close_world(world);
}

static void a_plan_sends_nothing(void **state) {
    int port = 0;
    World *world = open_at(state, &port);
    world->options.mode = HOST_PLAN_OFFLINE;
    run_body(world,
             "local a = host.http{url = 'http://192.0.2.1/x', method = 'PUT', json = {a = 1}}\n"
             "return { planned = a.planned, body = a.body, status = a.status }");
    assert_task_ok(world);
    assert_string_equal(json_of(world, world->outputs),
                        "{\"body\":\"<mytask.body>\",\"planned\":true,\"status\":200}");
    assert_string_equal(json_of(world, world->effect_list),
                        "[{\"body\":\"{\\\"a\\\":1}\",\"effect\":\"http\",\"method\":\"PUT\","
                        "\"url\":\"http://192.0.2.1/x\"}]");
    close_world(world);
}

static void a_live_plan_reads_and_changes_nothing(void **state) {
    int port = 0;
    World *world = open_at(state, &port);
    world->options.mode = HOST_PLAN_LIVE;
    add_module(world, "test.Task",
               str_printf(&world->arena,
                          "local function run(props, host) local base = 'http://127.0.0.1:%d'\n"
                          "local a = host.http{url = base .. '/status/204'}\n"
                          "local b = host.http{url = base .. '/echo', method = 'POST', body = ''}\n"
                          "return { a = a.status, b = b.planned } end\n"
                          "return task { implements = 'x', run = run, plan = run }",
                          port)
                   .ptr);
    open_world(world);
    perform(world, "{}");
    assert_string_equal(json_of(world, world->outputs), "{\"a\":204,\"b\":true}");
    close_world(world);
}

// --- credentials --------------------------------------------------------------------------------

static const char *config_of(World *world, const char *user, const char *cluster) {
    Str text = str_printf(&world->arena,
                          "current-context: c\n"
                          "contexts:\n- {name: c, context: {cluster: k, user: u, namespace: n}}\n"
                          "clusters:\n- name: k\n  cluster: %s\n"
                          "users:\n- name: u\n  user: %s\n",
                          cluster, user);
    Str path = str_printf(&world->arena, "%s/kubeconfig", world->folder);
    assert_ok(file_write(path.ptr, text, 0600));
    return path.ptr;
}

static void use_config(World *world, const char *path) {
    const char **env = arena_array(&world->arena, const char *, 4);
    env[0] = "PATH=/usr/local/bin:/usr/bin:/bin";
    env[1] = str_printf(&world->arena, "KUBECONFIG=/no/such/file:%s", path).ptr;
    world->options.env = env;
}

static const char ask[] =
    "local c, m, class = host.credentials('k8s', props.connection)\n"
    "if c == nil then return nil, m, class end\n"
    "local a = host.http{url = c.server .. '/echo', auth = c.auth}\n"
    "return { c = c, body = a and a.body, ns = c.namespace,\n"
    "secret = host.is_secret(c.auth.token), again = host.is_secret(c.tls.key) }";

static void kubeconfigs_lead_to_a_cluster(void **state) {
    static const struct {
        const char *user, *header;
    } rows[] = {
        {"{token: static-token-1}",                                                     "Bearer static-token-1"},
        {"{tokenFile: token}",                                                          "Bearer from-a-file-1" },
        {"{username: u, password: p}",                                                  "Basic dTpw"           },
        {"{exec: {command: sh, apiVersion: client.authentication.k8s.io/v1, args: [-c, "
         "'case $KUBERNETES_EXEC_INFO in *ExecCredential*) echo \"{\\\"status\\\":{\\\"token\\\":"
         "\\\"$T\\\"}}\";; esac'], env: [{name: T, value: plugin-token-1}]}}", "Bearer plugin-token-1"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        int port = 0;
        World *world = open_at(state, &port);
        Str cluster = str_printf(&world->arena, "{server: 'http://127.0.0.1:%d/'}", port);
        Str token = str_printf(&world->arena, "%s/token", world->folder);
        assert_ok(file_write(token.ptr, STR("from-a-file-1\n"), 0600));
        use_config(world, config_of(world, rows[i].user, cluster.ptr));
        run_body(world, str_printf(&world->arena, "%s", ask).ptr);
        assert_task_ok(world);
        // Tokens are secrets: masked in outputs, so the header is looked for masked or in clear.
        const char *outputs = json_of(world, world->outputs);
        assert_has(outputs, "\"ns\":\"n\"");
        if (strncmp(rows[i].header, "Bearer", 6) == 0) {
            assert_has(outputs, "Bearer ******");
            assert_has(outputs, "\"secret\":true");
            assert_null(strstr(outputs, rows[i].header + 7));
        } else {
            assert_has(outputs, rows[i].header);
        }
        close_world(world);
    }
}

static void what_is_wrong_with_a_kubeconfig_is_said(void **state) {
    static const struct {
        const char *user, *cluster, *message;
    } rows[] = {
        {"{token: abcdef}",                                      "{}",                   "has no 'server'"       },
        {"{as: somebody}",                                       "{server: 'http://x'}", "impersonation"         },
        {"{exec: {command: sh, args: [-c, 'echo no; exit 3']}}", "{server: 'http://x'}",
         "ended with exit code 3"                                                                                },
        {"{exec: {command: sh, args: [-c, 'echo no']}}",         "{server: 'http://x'}",
         "printed no ExecCredential"                                                                             },
        {"{exec: {command: no-such-plugin}}",                    "{server: 'http://x'}", "'no-such-plugin'"      },
        {"{client-certificate-data: '%%%'}",                     "{server: 'http://x'}", "neither PEM nor Base64"},
        {"{client-key: gone.pem}",                               "{server: 'http://x'}", "client-key"            },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        int port = 0;
        World *world = open_at(state, &port);
        use_config(world, config_of(world, rows[i].user, rows[i].cluster));
        run_body(world, ask);
        assert_false(world->is_ok);
        assert_has(str_to_c(&world->arena, world->message), rows[i].message);
        close_world(world);
    }
}

static void a_connection_of_the_task_wins(void **state) {
    int port = 0;
    World *world = open_at(state, &port);
    add_module(world, "test.Task",
               str_printf(&world->arena,
                          "return task { implements = 'x', run = function(props, host)\n"
                          "props.connection.oauthToken = host.secret('TOKEN') %s end }",
                          ask)
                   .ptr);
    open_world(world);
    perform(world, str_printf(&world->arena,
                              "{\"connection\":{\"masterUrl\":\"http://127.0.0.1:%d\","
                              "\"caCertData\":\"LS0tLS1CRUdJTiBYLS0tLS0=\",\"trustCerts\":true}}",
                              port)
                       .ptr);
    assert_task_ok(world);
    const char *outputs = json_of(world, world->outputs);
    assert_has(outputs, "Bearer ******");
    assert_has(outputs, "\"ca\":\"-----BEGIN X-----\"");
    assert_has(outputs, "\"insecure\":true");
    close_world(world);
}

static void no_cluster_and_other_clouds_are_said(void **state) {
    int port = 0;
    World *world = open_at(state, &port);
    run_body(world, "local a, m = host.credentials('k8s')\n"
                    "local b, n = host.credentials('gcp') return { m = m, n = n }");
    const char *outputs = json_of(world, world->outputs);
    assert_has(outputs, "no Kubernetes cluster is configured: looked at 'connection'");
    assert_has(outputs, "credentials for 'gcp' are not there yet");
    close_world(world);
}

static void a_check_before_a_run_says_what_is_missing(void **state) {
    int port = 0;
    World *world = open_at(state, &port);
    Str manifest =
        str_printf(&world->arena,
                   "{\"secrets\":[\"TOKEN\",\"NONE\"],\"commands\":[\"sh\",\"no-such-x\"],"
                   "\"images\":[\"ubuntu\"],\"hosts\":[\"http://127.0.0.1:%d\","
                   "\"http://127.0.0.1:1\",\"{{ x }}\"]}",
                   port);
    assert_ok(json_parse(manifest, (JsonLimits){0}, &world->arena, &world->artifact.manifest));
    add_module(world, "io.kestra.plugin.kubernetes.kubectl.Apply",
               "return task { implements = 'x', run = function() end }");
    open_world(world);
    Value checks = {0};
    assert_ok(host_preflight(world->host, false, &world->arena, &checks));
    Buffer text = {0};
    for (uint32_t i = 0; i < checks.as.list->count; i++) {
        Value check = checks.as.list->items[i];
        buffer_printf(&text, STR_FMT " " STR_FMT " %d\n",
                      STR_ARG(value_map_get_text(check, STR("kind"), STR("?"))),
                      STR_ARG(value_map_get_text(check, STR("name"), STR("?"))),
                      value_map_get_bool(check, STR("ok"), false));
    }
    Str expected =
        str_printf(&world->arena,
                   "secret TOKEN 1\nsecret NONE 0\ncommand sh 1\ncommand no-such-x 0\n"
                   "image ubuntu 0\nkubeconfig kubernetes 0\nhost http://127.0.0.1:%d 1\n"
                   "host http://127.0.0.1:1 0\n",
                   port);
    assert_str_equal(buffer_str(&text), expected);
    buffer_release(&text);
    assert_null(strstr(json_of(world, checks), TOKEN));
    close_world(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_a_result_whatever_its_status),
        cmocka_unit_test(bodies_of_every_kind_are_sent),
        cmocka_unit_test(secrets_go_out_in_clear_and_are_told_masked),
        cmocka_unit_test(a_body_can_be_saved_and_watched),
        cmocka_unit_test(what_may_be_repeated_is_repeated_as_often_as_asked),
        cmocka_unit_test(a_keyed_module_sends_its_key),
        cmocka_unit_test(nonsense_is_a_failure_or_a_mistake),
        cmocka_unit_test(a_plan_sends_nothing),
        cmocka_unit_test(a_live_plan_reads_and_changes_nothing),
        cmocka_unit_test(kubeconfigs_lead_to_a_cluster),
        cmocka_unit_test(what_is_wrong_with_a_kubeconfig_is_said),
        cmocka_unit_test(a_connection_of_the_task_wins),
        cmocka_unit_test(no_cluster_and_other_clouds_are_said),
        cmocka_unit_test(a_check_before_a_run_says_what_is_missing),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
