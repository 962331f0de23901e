// exec_test.c - host.exec with real processes: output, markers, secrets, plans, what a crash left.
#include "world.h"

#include <dirent.h>
#include <fcntl.h>

static void lines_are_logged_and_the_code_is_a_result(void **state) {
    World *world = *state;
    run_body(world, "local r = host.exec{script = 'echo out; echo err >&2; exit 3'}\n"
                    "return { code = r.code, lines = r.lines, vars = r.vars }");
    assert_task_ok(world);
    assert_string_equal(json_of(world, world->outputs), "{\"code\":3,\"lines\":2,\"vars\":{}}");
    assert_has(log_of(world), "INFO out\n");
    assert_has(log_of(world), "ERROR err\n");
    assert_int_equal(world->exit_code, 3);
    assert_true(world->has_begun);
}

static void an_argument_vector_goes_as_it_is(void **state) {
    World *world = *state;
    run_body(world, "local r = host.exec{argv = {'printf', '%s|', 'a b', '$HOME', ''}} return {}");
    assert_task_ok(world);
    assert_string_equal(log_of(world), "INFO a b|$HOME||\n");
}

static void a_signal_is_told_with_its_code(void **state) {
    World *world = *state;
    run_body(world, "local r = host.exec{script = 'kill -TERM $$'}\n"
                    "return { code = r.code, signal = r.signal }");
    assert_string_equal(json_of(world, world->outputs), "{\"code\":143,\"signal\":15}");
}

static void a_missing_program_is_a_failure_that_names_it(void **state) {
    World *world = *state;
    run_body(world, "return host.exec{argv = {'no-such-program'}}");
    assert_false(world->is_ok);
    assert_has(str_to_c(&world->arena, world->message), "'no-such-program' not found on PATH");
}

static void the_environment_is_put_over_the_host_s(void **state) {
    World *world = *state;
    run_body(world,
             "host.exec{script = 'echo $FROM_HOST $OWN; [ $WORKING_DIR = $(pwd) ] && echo same',\n"
             "env = {OWN = 1, FROM_HOST = 'no'}}\n"
             "local r, m = host.exec{script = 'x', env = {['A=B'] = 'c'}}\n"
             "return { refused = r == nil }");
    assert_string_equal(log_of(world), "INFO no 1\nINFO same\n");
    assert_string_equal(json_of(world, world->outputs), "{\"refused\":true}");
}

static void markers_become_variables_metrics_and_log_lines(void **state) {
    World *world = *state;
    run_body(
        world,
        "local r = host.exec{script = [[\n"
        "echo '::{\"outputs\":{\"a\":1,\"b\":\"x\"}}::'\n"
        "echo '::{\"outputs\":{\"a\":[2]}}::' >&2\n"
        "echo "
        "'::{\"metrics\":[{\"name\":\"n\",\"type\":\"counter\",\"value\":5,\"tags\":{\"k\":\"v\"}}]"
        "}::'\n"
        "echo '::{\"metrics\":[{\"name\":\"t\",\"type\":\"timer\",\"value\":\"PT1.5S\"}]}::'\n"
        "echo '::{\"metrics\":[{\"name\":\"s\",\"type\":\"timer\",\"value\":\"2.5\"}]}::'\n"
        "echo '::{\"metrics\":[{\"type\":\"counter\",\"value\":5}]}::'\n"
        "echo "
        "'::{\"logs\":[{\"level\":\"WARN\",\"message\":\"careful\"},{\"message\":\"plain\"}]}::'\n"
        "echo '::{broken}::'\n"
        "echo ' ::{\"outputs\":{\"no\":1}}::'\n"
        "echo '::{\"outputs\":{\"no\":1}}:: '\n"
        "echo '::{\"other\":1}::'\n"
        "printf '::{\"outputs\":{\"crlf\":true}}::\\r\\n'\n"
        "printf '::{\"outputs\":{\"last\":true}}::'\n"
        "]]}\n"
        "return { vars = r.vars }");
    assert_task_ok(world);
    assert_string_equal(json_of(world, world->outputs),
                        "{\"vars\":{\"a\":[2],\"b\":\"x\",\"crlf\":true,\"last\":true}}");
    const char *log = log_of(world);
    assert_has(log, "WARN careful\n");
    assert_has(log, "INFO plain\n");
    assert_has(log, "WARN Invalid outputs");
    assert_has(log, "WARN a metric needs a name");
    assert_has(log, "INFO  ::{\"outputs\":{\"no\":1}}::\n");
    const char *metrics = json_of(world, world->metrics);
    assert_has(metrics, "{\"name\":\"n\",\"tags\":{\"k\":\"v\"},\"type\":\"counter\",\"value\":5}");
    assert_has(metrics, "{\"name\":\"t\",\"type\":\"timer\",\"value\":1.5}");
    assert_has(metrics, "{\"name\":\"s\",\"type\":\"timer\",\"value\":2.5}");
}

static void the_output_file_sets_variables(void **state) {
    World *world = *state;
    run_body(world, "local r = host.exec{script = [[\n"
                    "echo '::{\"outputs\":{\"a\":1,\"marker\":true}}::'\n"
                    "stat -c 'mode %a' $FLOW_OUTPUT\n"
                    "case $FLOW_OUTPUT in $WORKING_DIR/*) echo inside;; esac; ls -A\n"
                    "{ echo 'a=2 = two'; echo; echo 'empty='\n"
                    "printf 'text<<E<O\\nline 1\\n\\n E<O\\nname=x\\nE<O\\n'\n"
                    "printf 'none<<END\\nEND\\n'\n"
                    "printf 'crlf=x\\r\\n'\n"
                    "echo '{\"n\": 5, \"list\": [1, \"x\"], \"b\": false}'\n"
                    "printf 'last=no end'; } >> $FLOW_OUTPUT\n"
                    "]]}\n"
                    "return { vars = r.vars, files = host.workdir.list() }");
    assert_task_ok(world);
    assert_string_equal(
        json_of(world, world->outputs),
        "{\"files\":[],\"vars\":{\"a\":\"2 = two\",\"b\":false,\"crlf\":\"x\",\"empty\":\"\","
        "\"last\":\"no end\",\"list\":[1,\"x\"],\"marker\":true,\"n\":5,\"none\":\"\","
        "\"text\":\"line 1\\n\\n E<O\\nname=x\"}}");
    assert_string_equal(log_of(world), "INFO mode 600\n");
}

static void a_line_of_the_output_file_that_says_nothing_is_told(void **state) {
    World *world = *state;
    run_body(world, "local r = host.exec{script = [[\n"
                    "printf 'good=1\\nwithout\\n=x\\ny<<\\n{broken\\n' >> $FLOW_OUTPUT\n"
                    "printf 'bin=a\\000\\377b\\nopen<<END\\nfor ever\\n' >> $FLOW_OUTPUT\n"
                    "]]}\n"
                    "return { vars = r.vars }");
    assert_task_ok(world);
    assert_string_equal(json_of(world, world->outputs),
                        "{\"vars\":{\"bin\":\"a\xEF\xBF\xBD\xEF\xBF\xBD"
                        "b\",\"good\":\"1\"}}");
    const char *log = log_of(world);
    assert_has(log, "WARN line 2 of $FLOW_OUTPUT is neither 'name=value' nor 'name<<END' nor a "
                    "JSON object: 'without'\n");
    assert_has(log, "WARN line 3 of $FLOW_OUTPUT is neither");
    assert_has(log, "WARN line 4 of $FLOW_OUTPUT is neither");
    assert_has(log, "WARN line 5 of $FLOW_OUTPUT is no JSON object: ");
    assert_has(log, "WARN line 7 of $FLOW_OUTPUT begins 'open', and no line 'END' ends it");
    assert_has(log, "WARN 2 bytes of $FLOW_OUTPUT were no text");
}

static void the_output_file_is_a_small_file_and_no_link(void **state) {
    World *world = *state;
    run_body(world,
             "local a = host.exec{script = 'ln -sf /etc/passwd $FLOW_OUTPUT'}\n"
             "local b = host.exec{script = 'rm $FLOW_OUTPUT'}\n"
             "local c = host.exec{script = 'rm $FLOW_OUTPUT; mkfifo $FLOW_OUTPUT'}\n"
             "local d = host.exec{script = 'truncate -s 17M $FLOW_OUTPUT'}\n"
             "local e = host.exec{script = 'echo $FLOW_OUTPUT', env = {FLOW_OUTPUT = 'own'}}\n"
             "local f = host.exec{script = 'echo [$FLOW_OUTPUT]', markers = false}\n"
             "return { vars = host.list{a.vars, b.vars, c.vars, d.vars, e.vars},\n"
             " files = host.workdir.list() }");
    assert_task_ok(world);
    assert_string_equal(json_of(world, world->outputs), "{\"files\":[],\"vars\":[{},{},{},{},{}]}");
    const char *log = log_of(world);
    assert_has(log, "$FLOW_OUTPUT is not read, nothing of it is taken: cannot open it");
    assert_has(log, "it is no file any more\n");
    assert_has(log, "$FLOW_OUTPUT has more than 16 MiB, nothing of it is taken");
    assert_has(log, "INFO own\nINFO []\n");
}

static void secrets_in_the_output_file_are_masked(void **state) {
    World *world = *state;
    run_body(world, "local r = host.exec{env = {T = host.secret('TOKEN')}, script = [[\n"
                    "{ echo \"plain=<$T>\"; echo \"$T=name\"; printf 'coded<<E\\n'\n"
                    "printf %s \"$T\" | base64 -w0; printf '\\nE\\n'\n"
                    "echo \"{\\\"json\\\": \\\"$T\\\"}\"; echo \"wrong $T\"; } >> $FLOW_OUTPUT\n"
                    "]]}\n"
                    "return { vars = r.vars }");
    assert_task_ok(world);
    assert_string_equal(json_of(world, world->outputs),
                        "{\"vars\":{\"******\":\"name\",\"coded\":\"******\","
                        "\"json\":\"******\",\"plain\":\"<******>\"}}");
    assert_has(log_of(world), "JSON object: 'wrong ******'");
}

static void a_marker_of_several_megabytes_arrives_whole(void **state) {
    World *world = *state;
    run_body(world, "local r = host.exec{argv = {'/usr/bin/python3', '-c',\n"
                    "'print(\"::{\\\\\"outputs\\\\\":{\\\\\"x\\\\\":\\\\\"\" + \"y\" * 3000000 + "
                    "\"\\\\\"}}::\")'}}\n"
                    "return { len = #r.vars.x }");
    assert_task_ok(world);
    assert_string_equal(json_of(world, world->outputs), "{\"len\":3000000}");
}

static void lines_can_be_taken_by_the_module(void **state) {
    World *world = *state;
    run_body(world, "local seen = {}\n"
                    "local r = host.exec{script = 'echo a; echo b >&2; echo c',\n"
                    "on_line = function(stream, line)\n"
                    " seen[#seen + 1] = stream .. ':' .. line return line ~= 'c' end}\n"
                    "table.sort(seen)\n"
                    "local d = host.exec{script = 'printf \"raw\\\\0bytes\"', stdout_limit = 100}\n"
                    "return { seen = host.list(seen), raw = #d.stdout }");
    assert_task_ok(world);
    assert_string_equal(json_of(world, world->outputs),
                        "{\"raw\":9,\"seen\":[\"stderr:b\",\"stdout:a\",\"stdout:c\"]}");
    assert_string_equal(log_of(world), "INFO c\n");
}

static void a_callback_that_fails_or_waits_is_told_and_left(void **state) {
    World *world = *state;
    run_body(world,
             "host.exec{script = 'echo a; echo b', on_line = function() error('oops', 0) end}\n"
             "host.exec{script = 'echo c', on_line = function() host.sleep(1) end} return {}");
    assert_task_ok(world);
    assert_has(log_of(world), "WARN oops\nINFO a\nINFO b\n");
    assert_has(log_of(world), "cannot be called from here");
    assert_has(log_of(world), "INFO c\n");
}

// True where a command line on this machine has the secret in it.
static bool secret_is_on_argv(void) {
    DIR *dir = opendir("/proc");
    bool found = false;
    const struct dirent *entry = NULL;
    while (dir != NULL && !found && (entry = readdir(dir)) != NULL) {
        char path[300], text[65536];
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
        snprintf(path, sizeof path, "/proc/%s/cmdline", entry->d_name);
        int fd = open(path, O_RDONLY);
        ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof text);
        if (fd >= 0) close(fd);
        if (len > 0) found = str_find((Str){text, (size_t)len}, STR(TOKEN), 0) != STR_NOT_FOUND;
    }
    if (dir != NULL) closedir(dir);
    return found;
}

typedef struct Watch {
    World *world;
    LoopTimer *timer;
    uint32_t looks;
    bool found;
} Watch;

static void look(void *self) {
    Watch *watch = self;
    watch->looks++;
    if (secret_is_on_argv()) watch->found = true;
    loop_timer_start(watch->timer, 5);
}

static void no_secret_is_on_any_command_line(void **state) {
    World *world = *state;
    static const char *const interpreters[] = {"{'/bin/sh', '-c'}", "{'bash', '-ec'}",
                                               "{'/usr/bin/python3', '-c'}"};
    static const char *const scripts[] = {
        "host.join{'T=', token, '; echo \"$T\"; sleep 0.2; tr \"\\\\0\" \" \" </proc/$$/cmdline'}",
        "host.join{'T=', token, '; echo \"$T\"; sleep 0.2'}",
        "host.join{'import time\\nprint(\"', token, '\")\\ntime.sleep(0.2)'}"};
    Buffer lua = {0};
    buffer_add(&lua, STR("return task { implements = 'x', run = function(props, host)\n"
                         "local token = host.secret('TOKEN')\n"));
    for (size_t i = 0; i < COUNT(scripts); i++) {
        buffer_printf(&lua,
                      "if props.n == %zu then\nreturn {code = host.exec{interpreter = %s, "
                      "script = %s}.code} end\n",
                      i, interpreters[i], scripts[i]);
    }
    buffer_add(&lua, STR("host.exec{script = 'echo $T; sleep 0.2', env = {T = token}} end }"));
    add_module(world, "test.Task", str_to_c(&world->arena, buffer_str(&lua)));
    buffer_release(&lua);
    open_world(world);
    for (size_t i = 0; i <= COUNT(scripts); i++) {
        test_row(i);
        Watch watch = {.world = world};
        watch.timer = loop_timer_new(world->loop, look, &watch);
        loop_timer_start(watch.timer, 5);
        perform(world, str_printf(&world->arena, "{\"n\":%zu}", i).ptr);
        loop_timer_free(watch.timer);
        assert_task_ok(world);
        assert_has(log_of(world), "INFO ******\n");
        assert_null(strstr(log_of(world), TOKEN));
        assert_true(watch.looks >= 2);  // on a busy machine one look takes long
        assert_false(watch.found);
        assert_null(strstr(json_of(world, world->effect_list), TOKEN));
    }
}

static void a_secret_in_an_argument_is_refused(void **state) {
    World *world = *state;
    run_body(world, "local t = host.secret('TOKEN')\n"
                    "local a, m = host.exec{argv = {'echo', t}}\n"
                    "local b, n = host.exec{argv = {'echo', 'x' .. t}}\n"
                    "local c, o = host.exec{script = 'puts ' .. t, interpreter = {'ruby', '-e'}}\n"
                    "return { a = a == nil, b = b == nil, c = c == nil, m = m, o = o }");
    assert_task_ok(world);
    const char *outputs = json_of(world, world->outputs);
    assert_has(outputs, "\"a\":true,\"b\":true,\"c\":true");
    assert_has(outputs, "pass it by 'env'");
    assert_has(outputs, "'ruby' cannot be given a script");
}

static void a_secret_is_masked_where_writes_and_lines_cut_it(void **state) {
    World *world = *state;
    run_body(world,
             "host.exec{script = [[printf 'a hush-'; sleep 0.1; printf 'hush-1 b\\n'\n"
             "echo aHVzaC1odXNoLTE= >&2\n"
             "head -c 10230 /dev/zero | tr '\\0' x; echo $T]], env = {T = host.secret('TOKEN')}}\n"
             "return {}");
    const char *log = log_of(world);
    assert_has(log, "INFO a ****** b\n");
    assert_has(log, "ERROR ******\n");
    assert_has(log, "xxxx******\n");
    assert_null(strstr(log, "hush"));
}

static void secrets_do_not_come_back_in_outputs(void **state) {
    World *world = *state;
    run_body(world, "local r = host.exec{script = [[echo \"::{\\\"outputs\\\":{\\\"t\\\":\\\"x "
                    "$T\\\"}}::\"]],\n"
                    "env = {T = host.secret('TOKEN')}}\n"
                    "host.metric('m', 'gauge', 1, {t = 'hush-hush-1'})\n"
                    "return { vars = r.vars }");
    assert_task_ok(world);
    assert_string_equal(json_of(world, world->outputs), "{\"vars\":{\"t\":\"x ******\"}}");
    assert_null(strstr(json_of(world, world->metrics), TOKEN));
}

static void a_long_script_goes_by_descriptor(void **state) {
    World *world = *state;
    run_body(world, "local r = host.exec{script = ('# padding\\n'):rep(30000) .. 'echo done'}\n"
                    "return { code = r.code }");
    assert_task_ok(world);
    assert_string_equal(log_of(world), "INFO done\n");
}

static void a_task_for_a_container_says_how_to_run_it_here(void **state) {
    World *world = *state;
    static const struct {
        const char *fields;
        HostRunner runner;
        bool runs;
    } rows[] = {
        {"{}",                                                                               RUNNER_AUTO,    true },
        {"{\"image\":\"ubuntu\"}",                                                           RUNNER_AUTO,    false},
        {"{\"image\":\"ubuntu\"}",                                                           RUNNER_PROCESS, true },
        {"{}",                                                                               RUNNER_DOCKER,  false},
        {"{\"runner\":{\"type\":\"io.kestra.plugin.core.runner.Process\"}}",                 RUNNER_AUTO,    true },
        {"{\"runner\":{\"type\":\"io.kestra.plugin.core.runner.Process\"},\"image\":\"u\"}",
         RUNNER_AUTO,                                                                                        true },
        {"{\"runner\":{\"type\":\"io.kestra.plugin.scripts.runner.docker.Docker\"}}",        RUNNER_AUTO,
         false                                                                                                    },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        World *own = NULL;
        assert_int_equal(world_setup((void **)&own), 0);
        own->options.runner = rows[i].runner;
        add_module(own, "test.Task",
                   "return task { implements = 'x', run = function(props, host)\n"
                   "local r, m, c = host.exec{script = 'true', runner = props.runner,\n"
                   " image = props.image} if r == nil then return nil, m, c end end }");
        open_world(own);
        perform(own, rows[i].fields);
        assert_int_equal(own->is_ok, rows[i].runs);
        if (!rows[i].runs) {
            assert_has(str_to_c(&own->arena, own->message), "--task-runner process");
        }
        assert_int_equal(world_teardown((void **)&own), 0);
    }
    open_world(world);
}

static const char story[] =
    "return task { implements = 'x', effects = {'exec'}, run = function(props, host)\n"
    "local token = host.secret('TOKEN')\n"
    "host.workdir.write('a/b.txt', 'text')\n"
    "host.exec{script = host.join{'echo ', token, ' ', host.workdir.path()}, env = {A = token}}\n"
    "host.exec{argv = {'printf', 'x'}, cwd = 'a'}\n"
    "host.storage.put{text = 'x', name = 'y.txt'}\n"
    "host.kv.set('k', 1) return {} end }";

static void a_plan_tells_what_a_run_does(void **state) {
    World *world = *state;
    StoreOptions options = {.folder = str_printf(&world->arena, "%s/store", world->folder).ptr};
    assert_ok(store_open(&options, &world->store));
    world->options.store = world->store;
    add_module(world, "test.Task", story);
    open_world(world);
    perform(world, "{}");
    assert_task_ok(world);
    const char *real = json_of(world, world->effect_list);
    host_free(world->host);
    world->options.mode = HOST_PLAN_OFFLINE;
    assert_ok(host_new(&world->options, &world->host));
    perform(world, "{}");
    assert_task_ok(world);
    assert_string_equal(log_of(world), "");
    assert_false(world->has_begun);
    assert_string_equal(json_of(world, world->effect_list), real);
    assert_string_equal(
        real,
        "[{\"effect\":\"file\",\"files\":[\"a/b.txt\"]},"
        "{\"argv\":[\"/bin/sh\",\"-c\",\"echo ****** <workingDir>\"],\"effect\":\"exec\",\"env\":["
        "\"A\"]},"
        "{\"argv\":[\"printf\",\"x\"],\"cwd\":\"a\",\"effect\":\"exec\"},"
        "{\"effect\":\"file\",\"files\":[\"y.txt\"]},"
        "{\"effect\":\"kv\",\"key\":\"k\",\"namespace\":\"company.team\",\"op\":\"set\"}]");
}

static uint32_t count_running(const char *word) {
    uint32_t count = 0;
    DIR *dir = opendir("/proc");
    const struct dirent *entry = NULL;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char path[300], text[512] = "";
        snprintf(path, sizeof path, "/proc/%s/cmdline", entry->d_name);
        int fd = open(path, O_RDONLY);
        ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
        if (fd >= 0) close(fd);
        for (ssize_t i = 0; i < len; i++) {
            if (text[i] == '\0') text[i] = ' ';
        }
        if (len > 0 && strstr(text, word) != NULL) count++;
    }
    if (dir != NULL) closedir(dir);
    return count;
}

static void what_a_crash_left_is_ended_by_the_next_host(void **state) {
    World *world = *state;
    add_module(
        world, "test.Task",
        "return task { implements = 'x', run = function(props, host)\n"
        "host.exec{script = 'true'} host.exec{script = 'setsid sleep 4804.1 & sleep 4804.2'} "
        "end }");
    open_world(world);
    begin(world, "{}");
    for (int i = 0; i < 20; i++) loop_run_once(world->loop, 30);
    assert_true(count_running("sleep 4804.") >= 2);
    // As after a crash: the journal is there, the process that wrote it is not asked.
    Host *next = NULL;
    assert_ok(host_new(&world->options, &next));
    assert_int_equal(count_running("sleep 4804."), 0);
    host_free(next);
    finish(world);
}

static void freeing_a_host_ends_what_runs(void **state) {
    World *world = *state;
    add_module(world, "test.Task",
               "return task { implements = 'x', run = function(props, host)\n"
               "host.all{function() host.exec{script = 'setsid sleep 4805.1 & sleep 4805.2'} end,\n"
               "function() host.sleep(100) end} end }");
    open_world(world);
    begin(world, "{}");
    for (int i = 0; i < 10; i++) loop_run_once(world->loop, 30);
    host_free(world->host);
    world->host = NULL;
    assert_int_equal(count_running("sleep 4805."), 0);
    assert_int_equal(world->ended, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(lines_are_logged_and_the_code_is_a_result),
        TEST(an_argument_vector_goes_as_it_is),
        TEST(a_signal_is_told_with_its_code),
        TEST(a_missing_program_is_a_failure_that_names_it),
        TEST(the_environment_is_put_over_the_host_s),
        TEST(markers_become_variables_metrics_and_log_lines),
        TEST(the_output_file_sets_variables),
        TEST(a_line_of_the_output_file_that_says_nothing_is_told),
        TEST(the_output_file_is_a_small_file_and_no_link),
        TEST(secrets_in_the_output_file_are_masked),
        TEST(a_marker_of_several_megabytes_arrives_whole),
        TEST(lines_can_be_taken_by_the_module),
        TEST(a_callback_that_fails_or_waits_is_told_and_left),
        TEST(no_secret_is_on_any_command_line),
        TEST(a_secret_in_an_argument_is_refused),
        TEST(a_secret_is_masked_where_writes_and_lines_cut_it),
        TEST(secrets_do_not_come_back_in_outputs),
        TEST(a_long_script_goes_by_descriptor),
        TEST(a_task_for_a_container_says_how_to_run_it_here),
        TEST(a_plan_tells_what_a_run_does),
        TEST(what_a_crash_left_is_ended_by_the_next_host),
        TEST(freeing_a_host_ends_what_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
