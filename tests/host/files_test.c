// files_test.c - working directories, objects, namespace files.
#include "world.h"

static void files_are_written_read_and_listed(void **state) {
    World *world = *state;
    run_body(world,
             "assert(host.workdir.write('a/b/c.txt', 'text'))\n"
             "host.workdir.write('d.tf', 'x') host.workdir.make('e/f')\n"
             "host.workdir.write('gone.txt', 'x') host.workdir.remove('gone.txt')\n"
             "host.workdir.write('h/i.txt', 'x') host.workdir.remove('h')\n"
             "local p = host.workdir.path()\n"
             "return { text = host.workdir.read('a/b/c.txt'), size = host.workdir.size('d.tf'),\n"
             "own = host.workdir.read(p .. '/d.tf'), file = host.workdir.exists('d.tf'),\n"
             "dir = host.workdir.exists('e/f'), none = host.workdir.exists('gone.txt') == nil,\n"
             "all = host.workdir.list(), some = host.workdir.list({'**.txt', '*.tf'}),\n"
             "flat = host.workdir.list({'*'}), group = host.workdir.list({'**/{c,x}.t?t'}),\n"
             "class = host.workdir.list({'[a-d].tf'}), bad = host.workdir.list({'[a'}) == nil,\n"
             "whole = host.workdir.list({'glob:' .. p .. '/*.tf', 'regex:.*/c\\\\.txt'}) }");
    assert_task_ok(world);
    assert_string_equal(json_of(world, world->outputs),
                        "{\"all\":[\"a/b/c.txt\",\"d.tf\"],\"bad\":true,\"class\":[\"d.tf\"],"
                        "\"dir\":\"dir\",\"file\":\"file\",\"flat\":[\"d.tf\"],"
                        "\"group\":[\"a/b/c.txt\"],\"none\":true,\"own\":\"x\",\"size\":1,"
                        "\"some\":[\"a/b/c.txt\",\"d.tf\"],\"text\":\"text\","
                        "\"whole\":[\"a/b/c.txt\",\"d.tf\"]}");
    assert_false(path_exists(
        str_printf(&world->arena, "%s/work/0123456789abcdef0123456789abcdef", world->folder).ptr));
}

static void no_path_leads_out(void **state) {
    World *world = *state;
    Str outside = str_printf(&world->arena, "%s/outside.txt", world->folder);
    assert_ok(file_write(outside.ptr, STR("outside"), 0600));
    add_module(
        world, "test.Task",
        "return task { implements = 'x', run = function(props, host)\n"
        "host.exec{argv = {'ln', '-s', props.folder, 'out'}}\n"
        "host.exec{argv = {'ln', '-s', '/etc/passwd', 'passwd'}}\n"
        "host.exec{argv = {'ln', '-s', '../..', 'up'}}\n"
        "host.exec{argv = {'mkfifo', 'pipe'}}\n"
        "local bad = {}\n"
        "for _, path in ipairs({'../x', 'a/../../x', '/etc/passwd', props.folder .. "
        "'/outside.txt',\n"
        " 'out/outside.txt', 'passwd', 'up/outside.txt', '', 'pipe', '/proc/self/environ'}) do\n"
        " if host.workdir.read(path) ~= nil then bad[#bad + 1] = 'read ' .. path end\n"
        " if path ~= 'pipe' and host.workdir.write(path, 'changed') ~= nil then\n"
        "  bad[#bad + 1] = 'write ' .. path end\n"
        " if host.workdir.input_files({[path] = 'x'}) and path ~= 'pipe' then\n"
        "  bad[#bad + 1] = 'input ' .. path end\n"
        " host.workdir.remove(path .. '/outside.txt') end\n"
        "local _, message = host.workdir.read('out/outside.txt')\n"
        "return { bad = host.list(bad), message = message, links = host.workdir.list() } end }");
    open_world(world);
    perform(world, str_printf(&world->arena, "{\"folder\":\"%s\"}", world->folder).ptr);
    assert_task_ok(world);
    const char *outputs = json_of(world, world->outputs);
    assert_has(outputs, "\"bad\":[]");
    assert_has(outputs, "leaves its folder");
    assert_has(outputs, "\"links\":[]");
    Str text = {0};
    assert_ok(file_read(outside.ptr, 100, &world->arena, &text));
    assert_str_equal(text, STR("outside"));
}

static void existing_files_follow_if_exists(void **state) {
    World *world = *state;
    run_body(world, "local w = host.workdir w.write('f', '1')\n"
                    "local r = { ignore = w.write('f', '2', {if_exists = 'IGNORE'}),\n"
                    "warn = w.write('f', '3', {if_exists = 'WARN'}),\n"
                    "fail = w.write('f', '4', {if_exists = 'FAIL'}) == nil, text = w.read('f') }\n"
                    "w.write('f', '5') r.last = w.read('f') return r");
    assert_string_equal(
        json_of(world, world->outputs),
        "{\"fail\":true,\"ignore\":true,\"last\":\"5\",\"text\":\"1\",\"warn\":true}");
    assert_has(log_of(world), "WARN the file 'f' is there already");
}

static void a_secret_in_a_file_is_for_its_owner_only(void **state) {
    World *world = *state;
    run_body(world, "host.workdir.write('s', host.secret('TOKEN'))\n"
                    "host.exec{script = 'stat -c %a s; cat s'} return {}");
    assert_string_equal(log_of(world), "INFO 600\nINFO ******\n");
}

static void objects_are_stored_and_found_again(void **state) {
    World *world = *state;
    run_body(
        world,
        "local uri = host.storage.put{text = 'content', name = 'a b/../my file.txt'}\n"
        "host.workdir.write('f', 'from file')\n"
        "local other = host.storage.put{file = 'f', extension = 'bin'}\n"
        "host.workdir.fetch(uri, 'back/again.txt')\n"
        "host.exec{script = 'cat ' .. other .. '; echo; cat ' .. uri}\n"
        "local r = { uri = uri, other = other, text = host.storage.get(uri),\n"
        "size = host.storage.size(other), back = host.workdir.read('back/again.txt'),\n"
        "path = host.storage.open(uri) ~= uri, deleted = host.storage.delete(other),\n"
        "again = host.storage.delete(other), gone = host.storage.get(other) == nil,\n"
        "list = host.workdir.list() }\n"
        "local _, message = host.storage.get('kestra:///company/team/myflow/executions/exec1/no')\n"
        "r.message = message return r");
    assert_task_ok(world);
    const char *outputs = json_of(world, world->outputs);
    assert_has(outputs, "\"uri\":\"kestra:///company/team/myflow/executions/exec1/tasks/mytask/"
                        "0123456789abcdef0123456789abcdef/my+file.txt\"");
    assert_has(outputs, "\"other\":\"kestra:///company/team/myflow/executions/exec1/tasks/mytask/"
                        "0123456789abcdef0123456789abcdef/f.bin\"");
    assert_has(outputs, "\"text\":\"content\"");
    assert_has(outputs, "\"size\":9");
    assert_has(outputs, "\"back\":\"content\"");
    assert_has(outputs, "\"again\":false");
    assert_has(outputs, "\"deleted\":true");
    assert_has(outputs, "\"gone\":true");
    assert_has(outputs, "\"list\":[\"back/again.txt\",\"f\"]");
    assert_has(outputs, "there is no object");
    assert_string_equal(log_of(world), "INFO from file\nINFO content\n");
}

static void uris_lead_to_what_they_name_and_nothing_else(void **state) {
    World *world = *state;
    Str allowed = str_printf(&world->arena, "%s/allowed", world->folder);
    assert_ok(dir_make(allowed.ptr, 0700));
    assert_ok(file_write(path_join(&world->arena, allowed, STR("f")).ptr, STR("local"), 0600));
    assert_ok(
        file_write(str_printf(&world->arena, "%s/allowedx", world->folder).ptr, STR("x"), 0600));
    Str other = str_printf(&world->arena, "%s/files/other/flow/executions/e2/f", world->folder);
    assert_ok(dir_make(str_to_c(&world->arena, path_folder(other)), 0700));
    assert_ok(file_write(other.ptr, STR("of another"), 0600));
    world->options.allowed_paths = &allowed;
    world->options.allowed_path_count = 1;
    ArtifactFile files[] = {
        {STR("dir/a.txt"), STR("namespace")}
    };
    world->artifact.files = files;
    world->artifact.file_count = 1;
    add_module(
        world, "test.Task",
        "return task { implements = 'x', run = function(props, host)\n"
        "local p, bad = props.folder, {}\n"
        "for _, uri in ipairs({'file:///etc/passwd', 'file://' .. p .. '/allowedx',\n"
        " 'file://' .. p .. '/allowed/../allowedx', 'nsfile:///no', 'nsfile://other/a',\n"
        " 'kestra:///../../etc/passwd', 'kestra:///company/team/myflow/executions/exec1/../../x',\n"
        " 'http://x/', 'plain', 'kestra://'}) do\n"
        " if host.storage.get(uri) ~= nil then bad[#bad + 1] = uri end end\n"
        "return { bad = host.list(bad), file = host.storage.get('file://' .. p .. '/allowed/f'),\n"
        "ns = host.storage.get('nsfile:///dir/a.txt'),\n"
        "other = host.storage.get('kestra:///other/flow/executions/e2/f') } end }");
    open_world(world);
    perform(world, str_printf(&world->arena, "{\"folder\":\"%s\"}", world->folder).ptr);
    assert_task_ok(world);
    assert_string_equal(
        json_of(world, world->outputs),
        "{\"bad\":[],\"file\":\"local\",\"ns\":\"namespace\",\"other\":\"of another\"}");
}

static void input_files_come_as_map_or_json(void **state) {
    World *world = *state;
    run_body(world,
             "local uri = host.storage.put{text = 'stored', name = 'x'}\n"
             "assert(host.workdir.input_files({ ['a/b.txt'] = 'text', c = uri, n = host.null,\n"
             " s = host.secret('TOKEN'), i = 5 }))\n"
             "assert(host.workdir.input_files('{\"a/b.txt\": \"over\", \"j\": {\"k\": 1}}'))\n"
             "local r, m = host.workdir.input_files('no json')\n"
             "return { b = host.workdir.read('a/b.txt'), c = host.workdir.read('c'),\n"
             "n = host.workdir.size('n'), i = host.workdir.read('i'), j = host.workdir.read('j'),\n"
             "refused = r == nil }");
    assert_task_ok(world);
    assert_string_equal(json_of(world, world->outputs),
                        "{\"b\":\"over\",\"c\":\"stored\",\"i\":\"5\",\"j\":\"{\\\"k\\\":1}\","
                        "\"n\":0,\"refused\":true}");
}

static void namespace_files_are_chosen_by_patterns(void **state) {
    World *world = *state;
    ArtifactFile files[] = {
        {STR("dir/b.tf"),      STR("b")},
        {STR("dir/sub/c.txt"), STR("c")},
        {STR("main.tf"),       STR("m")}
    };
    world->artifact.files = files;
    world->artifact.file_count = 3;
    add_module(world, "test.Task",
               "return task { implements = 'x', run = function(props, host)\n"
               "local n, m = host.workdir.namespace_files(props.options)\n"
               "return { n = n, message = m, files = host.workdir.list() } end }");
    open_world(world);
    static const struct {
        const char *options, *outputs;
    } rows[] = {
        {"{\"enabled\":true}",                                      "{\"files\":[\"dir/b.tf\",\"dir/sub/c.txt\",\"main.tf\"],\"n\":3}"},
        {"{\"enabled\":false}",                                     "{\"files\":[],\"n\":0}"                                          },
        {"{\"include\":[\"*.tf\"]}",                                "{\"files\":[\"main.tf\"],\"n\":1}"                               },
        {"{\"include\":[\"b.tf\"]}",                                "{\"files\":[\"dir/b.tf\"],\"n\":1}"                              },
        {"{\"include\":[\"/main.tf\"]}",                            "{\"files\":[\"main.tf\"],\"n\":1}"                               },
        {"{\"include\":[\"dir/**\"],\"exclude\":[\"**.txt\"]}",
         "{\"files\":[\"dir/b.tf\"],\"n\":1}"                                                                                         },
        {"{\"include\":[\"main.tf\"],\"folderPerNamespace\":true}",
         "{\"files\":[\"company.team/main.tf\"],\"n\":1}"                                                                             },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        perform(world, str_printf(&world->arena, "{\"options\":%s}", rows[i].options).ptr);
        assert_string_equal(json_of(world, world->outputs), rows[i].outputs);
    }
    perform(world, "{\"options\":{\"namespaces\":[\"other\"]}}");
    assert_has(json_of(world, world->outputs), "there are no files of the namespace 'other' here");
}

static void namespace_files_may_come_from_a_folder(void **state) {
    World *world = *state;
    Str folder = str_printf(&world->arena, "%s/ns", world->folder);
    assert_ok(dir_make(folder.ptr, 0700));
    assert_ok(file_write(path_join(&world->arena, folder, STR("x.txt")).ptr, STR("folder"), 0600));
    world->options.files_folder = folder;
    run_body(world,
             "host.workdir.namespace_files({enabled = true})\n"
             "return { text = host.workdir.read('x.txt'), read = host.nsfiles.read('x.txt'),\n"
             "list = host.nsfiles.list(), out = host.nsfiles.read('../work') == nil }");
    assert_task_ok(world);
    assert_string_equal(
        json_of(world, world->outputs),
        "{\"list\":[\"x.txt\"],\"out\":true,\"read\":\"folder\",\"text\":\"folder\"}");
}

static void output_files_go_to_storage_also_after_a_failure(void **state) {
    World *world = *state;
    run_body(world, "host.exec{script = 'mkdir d; echo one >d/one.txt; echo two >\"t wo.txt\"; "
                    "ln -s /etc/passwd p.txt; exit 1'}\n"
                    "local files = host.workdir.output_files({'**.txt', 'missing.csv'})\n"
                    "local names = {} for k, v in pairs(files) do\n"
                    " names[#names + 1] = k names[#names + 1] = host.storage.get(v) end\n"
                    "return { names = host.list(names), uri = files['t wo.txt'] }");
    assert_task_ok(world);
    const char *outputs = json_of(world, world->outputs);
    assert_has(outputs, "\"names\":[\"d/one.txt\",\"one\\n\",\"t wo.txt\",\"two\\n\"]");
    assert_has(outputs, "-t+wo.txt\"");
}

static void a_shared_directory_stays(void **state) {
    World *world = *state;
    Str shared = str_printf(&world->arena, "%s/shared", world->folder);
    world->workdir = shared.ptr;
    run_body(world, "host.workdir.write('f', 'x') return {}");
    assert_task_ok(world);
    assert_true(path_exists(str_printf(&world->arena, "%s/f", shared.ptr).ptr));
}

static void what_an_attempt_before_left_is_not_seen(void **state) {
    World *world = *state;
    Str old = str_printf(&world->arena, "%s/work/0123456789abcdef0123456789abcdef", world->folder);
    assert_ok(dir_make(old.ptr, 0700));
    assert_ok(file_write(path_join(&world->arena, old, STR("old")).ptr, STR("x"), 0600));
    run_body(world, "return { list = host.workdir.list() }");
    assert_string_equal(json_of(world, world->outputs), "{\"list\":[]}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(files_are_written_read_and_listed),
        TEST(no_path_leads_out),
        TEST(existing_files_follow_if_exists),
        TEST(a_secret_in_a_file_is_for_its_owner_only),
        TEST(objects_are_stored_and_found_again),
        TEST(uris_lead_to_what_they_name_and_nothing_else),
        TEST(input_files_come_as_map_or_json),
        TEST(namespace_files_are_chosen_by_patterns),
        TEST(namespace_files_may_come_from_a_folder),
        TEST(output_files_go_to_storage_also_after_a_failure),
        TEST(a_shared_directory_stays),
        TEST(what_an_attempt_before_left_is_not_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
