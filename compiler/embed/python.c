// python.c - the parser of python3 over many scripts at once. A script is parsed, never run.
#include <string.h>
#include <unistd.h>

#include "embed/internal.h"

enum { PYTHON_BYTES = 4 << 20 };  // of all scripts that one process gets

// Reads "<length>\n<text>" again and again; answers a line of JSON for each text that does not
// parse: [number, line, column, end line, end column, message, version, whether something was
// emptied]. Columns count code points.
//
// Since 3.12 a text inside of an f-string may have the quotes of the f-string. For older ones such
// an f-string is emptied and the rest read again; what is found then is not certain.
static const char program[] =
    "import ast, json, re, sys, warnings\n"
    "warnings.simplefilter('ignore')\n"
    "def find(text, emptied):\n"
    "    try:\n"
    "        ast.parse(text)\n"
    "    except SyntaxError as e:\n"
    "        at = e.lineno or 1\n"
    "        lines = text.split('\\n')\n"
    "        if 'f-string' in e.msg and sys.version_info < (3, 12) and at <= len(lines):\n"
    "            line = re.sub(r'\\b[rR]?[fF][rR]?([\\'\"]).*\\1', '\"\"', lines[at - 1])\n"
    "            if line == lines[at - 1] or len(emptied) > 50:\n"
    "                return None\n"
    "            lines[at - 1] = line\n"
    "            return find('\\n'.join(lines), emptied + [at])\n"
    "        if at in emptied:\n"
    "            return None\n"
    "        return [at, e.offset or 1, getattr(e, 'end_lineno', 0) or 0, getattr(e, 'end_offset', "
    "0) or 0,\n"
    "                e.msg, list(sys.version_info[:2]), bool(emptied)]\n"
    "    except (ValueError, RecursionError, MemoryError):\n"
    "        pass\n"
    "number = 0\n"
    "while True:\n"
    "    size = sys.stdin.buffer.readline()\n"
    "    if not size:\n"
    "        break\n"
    "    found = find(sys.stdin.buffer.read(int(size)).decode(), [])\n"
    "    if found:\n"
    "        print(json.dumps([number] + found), flush=True)\n"
    "    number += 1\n";

static int64_t integer_at(const Value *list, uint32_t at) {
    const Value *item = &list->as.list->items[at];
    return item->kind == VALUE_INT ? item->as.integer : 0;
}

// What a newer Python may read is no mistake that is known.
static bool may_be_newer(const Value *version) {
    const bool is_known = version->kind == VALUE_LIST && version->as.list->count == 2;
    return !is_known || integer_at(version, 1) < 10;
}

// "… on line 3": of the script, which nobody sees. The line is shown instead. Gives the message
// without it.
static Str take_line(Str message, int64_t *line) {
    static const char *const ways[] = {" on line ", " (detected at line "};
    *line = 0;
    for (size_t i = 0; i < COUNT(ways); i++) {
        const Str way = str_from(ways[i]);
        const size_t at = str_find(message, way, 0);
        if (at == STR_NOT_FOUND) continue;
        size_t end = at + way.len;
        while (end < message.len && message.ptr[end] >= '0' && message.ptr[end] <= '9') end++;
        if (!str_to_int(str_slice(message, at + way.len, end), line)) *line = 0;
        return str_slice(message, 0, at);
    }
    return message;
}

static void report(Script *script, const Value *answer, Diags *diags) {
    const Value *list = answer->as.list->items;
    if (list[5].kind != VALUE_TEXT) return;
    int64_t other = 0;
    const Str message = take_line(list[5].as.text, &other);
    const int64_t line = integer_at(answer, 1);
    const uint32_t start = script_offset(script, diags->arena, line, integer_at(answer, 2));
    uint32_t end = start;
    if (integer_at(answer, 3) >= line && integer_at(answer, 4) > 0) {
        end = script_offset(script, diags->arena, integer_at(answer, 3), integer_at(answer, 4));
    }
    if (script_in_gap(script, start, end) || may_be_newer(&list[6])) return;
    const bool is_sample = script->is_sample || (list[7].kind == VALUE_BOOL && list[7].as.boolean);
    Diag *diag = diag_add(diags, "E0611", is_sample ? DIAG_WARNING : DIAG_ERROR,
                          script_span(script, start, end), "this script does not parse: " STR_FMT,
                          STR_ARG(message));
    if (other > 0 && other != line) {
        uint32_t place = script_offset(script, diags->arena, other, 1);
        while (place < script->text.len && script->text.ptr[place] == ' ') place++;
        diag_label(diag, script_span(script, place, place), "this line is meant");
    }
    const Value *version = &list[6];
    if (version->kind == VALUE_LIST && version->as.list->count == 2) {
        diag_note(diag, "said by Python %d.%d", (int)integer_at(version, 0),
                  (int)integer_at(version, 1));
    }
}

static Err run(Script *const *batch, uint32_t count, Str text, const char *python, Diags *diags) {
    int input = -1;
    TRY(tool_file(text, &input));
    const char *const argv[] = {python, "-I", "-S", "-X", "utf8", "-c", program, NULL};
    ToolRun tool = {0};
    Err err = tool_start(argv, input, NULL, 0, &tool);
    close(input);
    if (err.code != ERR_NONE) return err;
    Arena scratch = {0};
    Str said = {0};
    err = tool_finish(&tool, &scratch, &said);
    Str line = {0};
    while (err.code == ERR_NONE && str_split(&said, '\n', &line)) {
        Value answer = value_null();
        if (line.len == 0) continue;
        err = json_parse(line, (JsonLimits){0}, &scratch, &answer);
        if (err.code != ERR_NONE || answer.kind != VALUE_LIST || answer.as.list->count != 8) break;
        const int64_t number = integer_at(&answer, 0);
        if (number >= 0 && number < count) report(batch[number], &answer, diags);
    }
    arena_release(&scratch);
    return err;
}

Err python_check(const Scripts *scripts, const char *python, Diags *diags) {
    Arena arena = {0};
    Script **batch = arena_array(&arena, Script *, scripts->list.count);
    Buffer text = {0};
    Err err = err_none();
    uint32_t count = 0;
    for (uint32_t i = 0; i <= scripts->list.count && err.code == ERR_NONE; i++) {
        const bool is_end = i == scripts->list.count;
        if (count > 0 && (is_end || text.len > PYTHON_BYTES)) {
            err = run(batch, count, buffer_str(&text), python, diags);
            buffer_clear(&text);
            count = 0;
        }
        if (is_end || scripts->list.items[i]->language != SCRIPT_PYTHON) continue;
        const Str script = scripts->list.items[i]->text;
        buffer_printf(&text, "%zu\n", script.len);
        buffer_add(&text, script);
        batch[count++] = scripts->list.items[i];
    }
    buffer_release(&text);
    arena_release(&arena);
    return err;
}
