// task_test.c - the life of an attempt: results, failures, waits, stops, recovery, what a module
// may see.
#include "world.h"

#include <arpa/inet.h>
#include <sys/socket.h>

static void outputs_are_collected_and_merged(void **state) {
    World *world = *state;
    run_body(world, "host.outputs({a = 1, b = 1}); host.log('INFO', 'hello');\n"
                    "host.metric('m', 'counter', 3, {k = 'v'});\n"
                    "return { b = 2, c = host.list(), d = host.null, e = 1.5 }");
    assert_task_ok(world);
    assert_string_equal(json_of(world, world->outputs),
                        "{\"a\":1,\"b\":2,\"c\":[],\"d\":null,\"e\":1.5}");
    assert_string_equal(log_of(world), "INFO hello\n");
    assert_string_equal(
        json_of(world, world->metrics),
        "[{\"name\":\"m\",\"tags\":{\"k\":\"v\"},\"type\":\"counter\",\"value\":3}]");
    assert_false(world->has_begun);
}

static void a_failure_keeps_what_was_output(void **state) {
    World *world = *state;
    run_body(world, "host.outputs({a = 1}); host.fail('no way', {class = 'throttled', "
                    "retry_after = 2.5})");
    assert_false(world->is_ok);
    assert_str_equal(world->message, STR("no way"));
    assert_str_equal(world->error_class, STR("throttled"));
    assert_int_equal(world->retry_after_ms, 2500);
    assert_string_equal(json_of(world, world->outputs), "{\"a\":1}");
}

static void a_failure_may_be_a_good_end(void **state) {
    World *world = *state;
    run_body(world, "host.fail('nearly', {state = 'WARNING'})");
    assert_true(world->is_ok);
    assert_str_equal(world->state, STR("WARNING"));
}

static void a_failure_passes_through_pcall_when_it_is_passed_on(void **state) {
    World *world = *state;
    run_body(world, "local ok, e = pcall(host.fail, 'caught', {class = 'auth'});\n"
                    "host.log('INFO', tostring(ok) .. ' ' .. tostring(e)); error(e, 0)");
    assert_false(world->is_ok);
    assert_str_equal(world->error_class, STR("auth"));
    assert_string_equal(log_of(world), "INFO false caught\n");
}

static void nil_and_a_message_are_a_failure(void **state) {
    World *world = *state;
    run_body(world, "return nil, 'gone', 'transient'");
    assert_false(world->is_ok);
    assert_str_equal(world->message, STR("gone"));
    assert_str_equal(world->error_class, STR("transient"));
}

static void an_error_is_a_permanent_failure_that_says_where(void **state) {
    World *world = *state;
    run_body(world, "local x = nil; return x.y");
    assert_false(world->is_ok);
    assert_str_equal(world->error_class, STR("permanent"));
    assert_true(world->message.len > 10);
}

static void results_that_are_no_map_are_refused(void **state) {
    World *world = *state;
    static const char *const rows[] = {"return 5", "return 'text'", "return {1, 2}",
                                       "return {a = function() end}", "return {[true] = 1}"};
    (void)state;
    add_module(world, "test.Task",
               "return task { implements = 'x', run = function(props, host)\n"
               "if props.n == 0 then return 5 elseif props.n == 1 then return 'text'\n"
               "elseif props.n == 2 then return {1, 2}\n"
               "elseif props.n == 3 then return {a = function() end}\n"
               "else return {[true] = 1} end end }");
    open_world(world);
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        perform(world, str_printf(&world->arena, "{\"n\":%zu}", i).ptr);
        assert_false(world->is_ok);
        assert_true(world->message.len > 0);
    }
}

static void properties_come_as_lua_values_and_null_is_nil(void **state) {
    World *world = *state;
    add_module(world, "test.Task",
               "return task { implements = 'x', run = function(props, host)\n"
               "local keys = {} for k in pairs(props.map) do keys[#keys + 1] = k end\n"
               "return { n = props.none == nil, t = props.text:upper(), i = props.int + 1,\n"
               "keys = table.concat(keys, ','), null = props.list[2] == host.null,\n"
               "kinds = host.is_list(props.list) and host.is_map(props.map)\n"
               "  and not host.is_map(props.list) and not host.is_list(props.map)\n"
               "  and host.is_list({1}) and host.is_map({}) and host.is_map({a = 1}),\n"
               "id = host.context.task_id, mode = host.context.mode } end }");
    open_world(world);
    perform(world, "{\"none\":null,\"text\":\"abc\",\"int\":41,\"map\":{\"z\":1,\"a\":2},"
                   "\"list\":[1,null]}");
    assert_task_ok(world);
    assert_string_equal(json_of(world, world->outputs),
                        "{\"i\":42,\"id\":\"mytask\",\"keys\":\"z,a\",\"kinds\":true,"
                        "\"mode\":\"run\",\"n\":true,\"null\":true,\"t\":\"ABC\"}");
}

static void modules_see_no_way_out(void **state) {
    World *world = *state;
    run_body(world,
             "local seen = {}\n"
             "for _, name in ipairs({'load', 'loadstring', 'loadfile', 'dofile', 'require', 'io',\n"
             " 'os', 'debug', 'package', 'collectgarbage', 'print', 'coroutine', '_G'}) do\n"
             " local ok, found = pcall(function() return _ENV[name] end)\n"
             " if ok and found ~= nil then seen[#seen + 1] = name end end\n"
             "for _, name in ipairs({'match', 'gmatch', 'gsub', 'dump'}) do\n"
             " if string[name] ~= nil or (''):len() ~= 0 or (('')[name]) ~= nil then\n"
             " seen[#seen + 1] = name end end\n"
             "return { seen = host.list(seen), global = pcall(function() x = 1 end),\n"
             " meta = getmetatable('') == nil and getmetatable(host.secret('TOKEN')) == nil }");
    assert_task_ok(world);
    assert_string_equal(json_of(world, world->outputs),
                        "{\"global\":false,\"meta\":true,\"seen\":[]}");
}

static void texts_have_plain_functions(void **state) {
    World *world = *state;
    run_body(world, "local s, e = string.find('a.b.c', '.b')\n"
                    "return { s = s, e = e, none = string.find('abc', '.') == nil,\n"
                    "split = host.list(string.split('a,b,,c', ',')), trim = string.trim(' x\\n'),\n"
                    "starts = ('abc'):starts('ab'), ends = ('abc'):ends('bc'),\n"
                    "sub = ('abc'):sub(2) }");
    assert_task_ok(world);
    assert_string_equal(json_of(world, world->outputs),
                        "{\"e\":3,\"ends\":true,\"none\":true,\"s\":2,\"split\":[\"a\",\"b\",\"\","
                        "\"c\"],\"starts\":true,\"sub\":\"bc\",\"trim\":\"x\"}");
}

static void lib_modules_are_loaded_once(void **state) {
    World *world = *state;
    add_module(world, "test.Task",
               "local a, b = use 'lib.a', use 'lib.a'\n"
               "return task { implements = 'x', run = function(props, host)\n"
               "return { same = a == b, value = a.value, missing = pcall(use, 'lib.none') } end }");
    add_module(world, "lib.a", "return { value = 7 }");
    open_world(world);
    perform(world, "{}");
    assert_task_ok(world);
    assert_string_equal(json_of(world, world->outputs),
                        "{\"missing\":false,\"same\":true,\"value\":7}");
}

static void a_declaration_with_a_typing_mistake_is_refused(void **state) {
    World *world = *state;
    add_module(world, "test.Task",
               "return task { implements = 'x', rum = 1, run = function() end }");
    open_world(world);
    perform(world, "{}");
    assert_false(world->is_ok);
    assert_has(str_to_c(&world->arena, world->message), "unknown field 'rum'");
}

static void a_module_that_never_ends_is_ended(void **state) {
    World *world = *state;
    run_body(world, "while true do pcall(function() while true do end end) end");
    assert_false(world->is_ok);
    assert_str_equal(world->message, STR("the task module computed for too long"));
}

static void memory_ends_for_one_attempt_only(void **state) {
    World *world = *state;
    add_module(world, "test.Task",
               "return task { implements = 'x', run = function(props, host)\n"
               "if props.small then return {a = 1} end\n"
               "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000000) .. i end end }");
    open_world(world);
    perform(world, "{}");
    assert_false(world->is_ok);
    perform(world, "{\"small\":true}");
    assert_task_ok(world);
}

static void waits_of_all_run_side_by_side(void **state) {
    World *world = *state;
    int64_t begin_ms = clock_system()->mono_ms(NULL);
    run_body(world,
             "local function wait(n) return function() host.sleep(0.2) return n, n * 2 end end\n"
             "local r = host.all{wait(1), wait(2), wait(3), wait(4), n = 4}\n"
             "return { a = r[1][1], b = r[4][2], n = r[2].n, count = #r }");
    assert_task_ok(world);
    assert_string_equal(json_of(world, world->outputs), "{\"a\":1,\"b\":8,\"count\":4,\"n\":2}");
    assert_true(clock_system()->mono_ms(NULL) - begin_ms < 700);
}

static void an_error_in_one_of_all_comes_when_all_have_ended(void **state) {
    World *world = *state;
    run_body(world, "host.all{function() host.fail('first', {class = 'auth'}) end,\n"
                    "function() host.sleep(0.1) host.outputs({late = true}) end}");
    assert_false(world->is_ok);
    assert_str_equal(world->message, STR("first"));
    assert_str_equal(world->error_class, STR("auth"));
    assert_string_equal(json_of(world, world->outputs), "{\"late\":true}");
}

static void a_timeout_stops_and_says_so(void **state) {
    World *world = *state;
    world->timeout_ms = 200;
    run_body(world, "host.outputs({a = 1}) host.exec{script = 'sleep 4801.1'} return {}");
    assert_false(world->is_ok);
    assert_true(world->is_timeout);
    assert_false(world->is_killed);
    assert_str_equal(world->message, STR("timeout after 200 ms"));
    assert_string_equal(json_of(world, world->outputs), "{}");
}

static void stop_now(void *self) {
    World *world = self;
    host_cancel(world->task, STR("killed by the user"), false);
}

static void a_kill_calls_the_module_and_ends_its_processes(void **state) {
    World *world = *state;
    add_module(world, "test.Task",
               "return task { implements = 'x', effects = {'exec'},\n"
               "run = function(props, host) host.checkpoint({id = 'r1'})\n"
               " host.exec{script = \"trap '' TERM; sleep 4802.1 & sleep 4802.2\"} end,\n"
               "kill = function(props, host, last) host.log('INFO', 'killing ' .. props.name)\n"
               " host.exec{script = 'echo remote stopped'} end }");
    open_world(world);
    begin(world, "{\"name\":\"n\"}");
    LoopTimer *timer = loop_timer_new(world->loop, stop_now, world);
    loop_timer_start(timer, 300);
    finish(world);
    loop_timer_free(timer);
    assert_true(world->is_killed);
    assert_str_equal(world->message, STR("killed by the user"));
    assert_has(log_of(world), "INFO killing n\nINFO remote stopped\n");
    assert_str_equal(buffer_str(&world->checkpoints), STR("{\"id\":\"r1\"}\n"));
}

static void what_is_waited_for_can_be_cancelled(void **state) {
    World *world = *state;
    add_module(world, "test.Task",
               "return task { implements = 'x', run = function(props, host)\n"
               "if props.n == 0 then host.sleep(100)\n"
               "elseif props.n == 1 then host.http{url = props.url}\n"
               "else host.all{function() host.sleep(50) end,\n"
               " function() host.exec{script = 'sleep 4803'} end} end end }");
    open_world(world);
    // A server that takes connections and never answers.
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 4), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    for (int i = 0; i < 3; i++) {
        begin(world, str_printf(&world->arena, "{\"n\":%d,\"url\":\"http://127.0.0.1:%d/\"}", i,
                                ntohs(address.sin_port))
                         .ptr);
        LoopTimer *timer = loop_timer_new(world->loop, stop_now, world);
        loop_timer_start(timer, 100);
        finish(world);
        loop_timer_free(timer);
        assert_true(world->is_killed);
    }
    close(listener);
}

static void recovery_follows_the_module_s_word(void **state) {
    World *world = *state;
    static const struct {
        const char *word;
        HostRecovery way;
    } rows[] = {
        {"yes",   HOST_RERUN      },
        {"keyed", HOST_RERUN_KEYED},
        {"no",    HOST_ASK        },
        {"?",     HOST_ASK        }
    };
    add_module(world, "test.Task",
               "return task { implements = 'x', run = function() end,\n"
               "idempotent = function(props) return props.word end }");
    add_module(world, "test.Other",
               "return task { implements = 'y', run = function() end, recover = function() end }");
    add_module(world, "test.Silent", "return task { implements = 'z', run = function() end }");
    open_world(world);
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        Value props = value_map(&world->arena);
        value_map_set(&world->arena, props, STR("word"), value_text(str_from(rows[i].word)));
        assert_int_equal(host_recovery(world->host, 0, props, false), rows[i].way);
    }
    assert_int_equal(host_recovery(world->host, 1, value_map(&world->arena), false),
                     HOST_CALL_RECOVER);
    assert_int_equal(host_recovery(world->host, 2, value_map(&world->arena), false), HOST_ASK);
}

static void recover_looks_it_up_or_runs_again(void **state) {
    World *world = *state;
    add_module(
        world, "test.Task",
        "return task { implements = 'x', run = function() return { from = 'run' } end,\n"
        "recover = function(props, host, last)\n"
        " if last.checkpoint.id == nil then return host.again() end\n"
        " return { from = 'recover', id = last.checkpoint.id, attempt = last.attempt } end }");
    open_world(world);
    world->is_recovery = true;
    assert_ok(
        json_parse(STR("{\"id\":\"r7\"}"), (JsonLimits){0}, &world->arena, &world->checkpoint));
    perform(world, "{}");
    assert_task_ok(world);
    assert_string_equal(json_of(world, world->outputs),
                        "{\"attempt\":1,\"from\":\"recover\",\"id\":\"r7\"}");
    world->checkpoint = value_map(&world->arena);
    perform(world, "{}");
    assert_task_ok(world);
    assert_string_equal(json_of(world, world->outputs), "{\"from\":\"run\"}");
}

static void key_values_are_kept(void **state) {
    World *world = *state;
    StoreOptions options = {.folder = str_printf(&world->arena, "%s/store", world->folder).ptr};
    assert_ok(store_open(&options, &world->store));
    world->options.store = world->store;
    run_body(world, "assert(host.kv.set('k', {a = {1, 2}}))\n"
                    "local none, message = host.kv.set('k', 2, {overwrite = false})\n"
                    "local r = { found = host.kv.get('k'), none = host.kv.get('other') == nil,\n"
                    " refused = none == nil and message ~= nil, keys = host.kv.keys() }\n"
                    "r.deleted = host.kv.delete('k') r.again = host.kv.delete('k')\n"
                    "r.secret = host.kv.set('s', host.secret('TOKEN')) == nil return r");
    assert_task_ok(world);
    assert_string_equal(
        json_of(world, world->outputs),
        "{\"again\":false,\"deleted\":true,\"found\":{\"a\":[1,2]},\"keys\":[\"k\"],"
        "\"none\":true,\"refused\":true,\"secret\":true}");
}

static void texts_are_read_and_written(void **state) {
    World *world = *state;
    run_body(
        world,
        "local docs = host.yaml.decode_all('a: 1\\n---\\n# nothing\\n--- \\nb: |\\n  x\\n...\\n')\n"
        "local found = host.re.find('(\\\\d+)-(\\\\d+)', 'ab 12-34 c')\n"
        "local rows = host.csv.decode('a,b\\n1,\"x,\"\"y\"\"\"\\n', {header = true})\n"
        "return { json = host.json.encode(host.json.decode('{\"b\":1,\"a\":[1,null]}')),\n"
        "docs = #docs, b = docs[2].b, bad = host.json.decode('{') == nil,\n"
        "bad_yaml = host.yaml.decode_all('a: [') == nil,\n"
        "re = found[1] .. found[3] .. found.start .. found.finish,\n"
        "all = host.re.matches('a+', 'aaa') and not host.re.matches('a+', 'ab'),\n"
        "replaced = host.re.replace('b', 'abc', '<$0>'), csv = rows[1].b,\n"
        "csv_text = host.csv.encode({{a = 1, b = 'x,y'}}),\n"
        "sha = host.hash('sha256', 'abc'):sub(1, 8), hmac = #host.hmac('sha256', 'k', 'x'),\n"
        "b64 = host.base64.encode('hi?') .. host.base64.decode('aGk_'),\n"
        "url = host.url.encode('a b/ä'), query = host.url.query(host.map{{'q', 'a b'}, {'l', {'1', "
        "'2'}}}),\n"
        "lines = #host.lines('a\\r\\nb\\n\\n'), text = host.text({b = 1, a = 'x'}),\n"
        "joined = host.join{'a', 1, true}, seconds = host.duration('PT1M30S'),\n"
        "uuid = #host.uuid(), random = host.random() < 1, now = host.now() > 1e12 }");
    assert_task_ok(world);
    assert_string_equal(
        json_of(world, world->outputs),
        "{\"all\":true,\"b\":\"x\\n\",\"b64\":\"aGk/hi?\",\"bad\":true,\"bad_yaml\":true,"
        "\"csv\":\"x,\\\"y\\\"\",\"csv_text\":\"a,b\\n1,\\\"x,y\\\"\\n\",\"docs\":2,\"hmac\":64,"
        "\"joined\":\"a1true\",\"json\":\"{\\\"b\\\":1,\\\"a\\\":[1,null]}\",\"lines\":3,"
        "\"now\":true,\"query\":\"q=a%20b&l=1&l=2\",\"random\":true,\"re\":\"12-343448\","
        "\"replaced\":\"a<b>c\",\"seconds\":90.0,\"sha\":\"ba7816bf\","
        "\"text\":\"{\\\"a\\\":\\\"x\\\",\\\"b\\\":1}\",\"url\":\"a%20b%2F%C3%A4\",\"uuid\":36}");
}

static void a_secret_is_a_handle_that_prints_masked(void **state) {
    World *world = *state;
    run_body(world,
             "local token = host.secret('TOKEN')\n"
             "local joined = host.join{'x-', token}\n"
             "host.log('INFO', joined) host.log('INFO', 'plain ' .. tostring(token))\n"
             "local missing, message = host.secret('NONE')\n"
             "return { is = host.is_secret(token) and host.is_secret(joined),\n"
             " concat = host.is_secret('a' .. token),\n"
             " encoded = host.is_secret(host.base64.encode(token)), missing = missing == nil,\n"
             " message = message, token = token, json = host.json.encode({t = token}) }");
    assert_task_ok(world);
    assert_has(log_of(world), "INFO x-******\nINFO plain ******\n");
    const char *outputs = json_of(world, world->outputs);
    assert_has(outputs, "\"is\":true");
    assert_has(outputs, "\"concat\":true");
    assert_has(outputs, "\"encoded\":true");
    assert_has(outputs, "'NONE'");
    assert_null(strstr(outputs, TOKEN));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(outputs_are_collected_and_merged),
        TEST(a_failure_keeps_what_was_output),
        TEST(a_failure_may_be_a_good_end),
        TEST(a_failure_passes_through_pcall_when_it_is_passed_on),
        TEST(nil_and_a_message_are_a_failure),
        TEST(an_error_is_a_permanent_failure_that_says_where),
        TEST(results_that_are_no_map_are_refused),
        TEST(properties_come_as_lua_values_and_null_is_nil),
        TEST(modules_see_no_way_out),
        TEST(texts_have_plain_functions),
        TEST(lib_modules_are_loaded_once),
        TEST(a_declaration_with_a_typing_mistake_is_refused),
        TEST(a_module_that_never_ends_is_ended),
        TEST(memory_ends_for_one_attempt_only),
        TEST(waits_of_all_run_side_by_side),
        TEST(an_error_in_one_of_all_comes_when_all_have_ended),
        TEST(a_timeout_stops_and_says_so),
        TEST(a_kill_calls_the_module_and_ends_its_processes),
        TEST(what_is_waited_for_can_be_cancelled),
        TEST(recovery_follows_the_module_s_word),
        TEST(recover_looks_it_up_or_runs_again),
        TEST(key_values_are_kept),
        TEST(texts_are_read_and_written),
        TEST(a_secret_is_a_handle_that_prints_masked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
