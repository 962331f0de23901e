// tar_test.c - the working directory as an archive and back: what is foreign stays inside or is
// refused.
#include "world.h"

// Lua that builds archives: entry(name, type, data, link), and try(…) that unpacks them.
static const char tools[] =
    "local function entry(name, kind, data, link)\n"
    " data = data or ''\n"
    " local function field(text, len) return text .. string.rep('\\0', len - #text) end\n"
    " local size = (kind == '0' or kind == 'L' or kind == 'x') and #data or 0\n"
    " local head = field(name, 100) .. '0000644\\0' .. '0000000\\0' .. '0000000\\0'\n"
    "  .. string.format('%011o\\0', size) .. '00000000000\\0'\n"
    " local rest = kind .. field(link or '', 100) .. 'ustar\\0' .. '00' .. string.rep('\\0', 247)\n"
    " local sum = 8 * 32\n"
    " for _, part in ipairs({head, rest}) do\n"
    "  for i = 1, #part do sum = sum + string.byte(part, i) end end\n"
    " local whole = head .. string.format('%06o\\0 ', sum) .. rest\n"
    " return whole .. data .. string.rep('\\0', (512 - #data % 512) % 512) end\n"
    "local END = string.rep('\\0', 1024)\n"
    "local function try(text)\n"
    " assert(host.workdir.write('a.tar', text))\n"
    " local ok, message = host.workdir.unpack('a.tar')\n"
    " host.workdir.remove('a.tar')\n"
    " return ok and 'ok' or message end\n";

static void run_tools(World *world, const char *body) {
    run_body(world, str_printf(&world->arena, "%s%s", tools, body).ptr);
    assert_task_ok(world);
}

static void what_is_packed_comes_back(void **state) {
    World *world = *state;
    run_tools(world,
              "local long = string.rep('n', 90) .. '/' .. string.rep('m', 90) .. '.txt'\n"
              "host.workdir.write('a.txt', 'one') host.workdir.write(long, 'two')\n"
              "host.workdir.write('big', string.rep('x', 70000)) host.workdir.make('empty')\n"
              "host.exec{argv = {'ln', '-s', 'a.txt', 'link'}}\n"
              "assert(host.workdir.pack('all.tar'))\n"
              "for _, path in ipairs({'a.txt', long, 'big', 'link', 'empty'}) do\n"
              " host.workdir.remove(path) end\n"
              "local listed = host.exec{stdout_limit = 100,\n"
              " script = 'mkdir top && tar xf all.tar -C top && find top -type f | wc -l'}\n"
              "host.workdir.remove('top')\n"
              "return { files = tonumber(string.trim(listed.stdout)) }");
    assert_string_equal(json_of(world, world->outputs), "{\"files\":3}");
}

static void the_top_folder_is_left_out_and_names_may_be_long(void **state) {
    World *world = *state;
    run_tools(
        world,
        "local long = string.rep('n', 120) .. '.txt'\n"
        "local pax = 'path=dir/pax.txt\\n'\n"
        "pax = (#pax + 3) .. ' ' .. pax\n"
        "local said = try(entry('dir/', '5') .. entry('dir/f', '0', 'text')\n"
        " .. entry('././@LongLink', 'L', 'dir/' .. long .. '\\0') .. entry('short', '0', 'l')\n"
        " .. entry('x', 'x', pax) .. entry('short', '0', 'p')\n"
        " .. entry('dir/s', '2', '', 'f') .. END)\n"
        "return { said = said, f = host.workdir.read('f'), l = host.workdir.read(long),\n"
        " p = host.workdir.read('pax.txt'), s = host.workdir.read('s') }");
    assert_string_equal(json_of(world, world->outputs),
                        "{\"f\":\"text\",\"l\":\"l\",\"p\":\"p\",\"s\":\"text\",\"said\":\"ok\"}");
}

static void nothing_is_written_outside(void **state) {
    World *world = *state;
    run_tools(
        world,
        "return { up = try(entry('dir/../../x', '0', 'x') .. END),\n"
        " abs = try(entry('dir//etc/x', '0', 'x') .. END),\n"
        " link = try(entry('dir/out', '2', '', '../..') .. entry('dir/out/x', '0', 'x') .. END),\n"
        " far = try(entry('dir/etc', '2', '', '/etc') .. END),\n"
        " device = try(entry('dir/d', '3') .. END),\n"
        " all = host.workdir.list() }");
    const char *outputs = json_of(world, world->outputs);
    assert_has(outputs, "\"up\":\"the archive has an entry 'dir/../../x' that leaves its folder\"");
    assert_has(outputs, "\"abs\":\"the archive has an entry");
    assert_has(outputs, "\"link\":\"ok\"");  // the link is left out, a folder stands in its place
    assert_has(outputs, "\"all\":[\"out/x\"]");
    assert_has(log_of(world), "1 entries of the archive were left out");
}

static void a_broken_archive_is_told(void **state) {
    World *world = *state;
    run_tools(world, "local good = entry('dir/f', '0', string.rep('x', 600)) .. END\n"
                     "return { cut = try(good:sub(1, 700)), none = try(''),\n"
                     " bad = try('y' .. good:sub(2)),\n"
                     " huge = try(entry('x', 'L', 'n') .. good:sub(1, 124) .. '77777777777\\0' .. "
                     "good:sub(137)) }");
    const char *outputs = json_of(world, world->outputs);
    assert_has(outputs, "\"bad\":\"it cannot be unpacked: ");
    assert_has(outputs, "\"cut\":\"cannot write 'f': the archive is damaged: ");
    assert_has(outputs, "\"huge\":\"it cannot be unpacked: ");
    assert_has(outputs, "\"none\":\"it cannot be unpacked: ");
}

static void a_second_name_of_a_file_is_one_here_too(void **state) {
    World *world = *state;
    run_tools(
        world,
        "local said = try(entry('dir/f', '0', 'text') .. entry('dir/s/again', '1', '', 'dir/f')\n"
        " .. entry('dir/out', '1', '', 'dir/../../etc/passwd')\n"
        " .. entry('dir/none', '1', '', 'dir/nowhere') .. END)\n"
        "return { said = said, again = host.workdir.read('s/again'),\n"
        " all = host.workdir.list() }");
    assert_string_equal(json_of(world, world->outputs),
                        "{\"again\":\"text\",\"all\":[\"f\",\"s/again\"],\"said\":\"ok\"}");
    assert_has(log_of(world), "2 entries of the archive were left out");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_is_packed_comes_back),
        TEST(the_top_folder_is_left_out_and_names_may_be_long),
        TEST(nothing_is_written_outside),
        TEST(a_broken_archive_is_told),
        TEST(a_second_name_of_a_file_is_one_here_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
