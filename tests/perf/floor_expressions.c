// floor_expressions.c - what expressions cost beside what they are measured against: the same
// concatenation in plain Lua, strftime, jansson, a small context.
//
// usage: floor_expressions LEAF CONCAT LOOP LOOK DATE (files of Lua, as `flowc compile --emit=lua`
// writes leaves), and of one figure alone: its name behind them. One line for a figure: name, our
// nanoseconds, theirs; the least CPU time of several runs.
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "leaf/leaf.h"
#include "value/value.h"

enum { ROUNDS = 7, LOOP = 10000, SMALL = 10 };

// jansson's header has names that are also ours.
enum { JANSSON_COMPACT = 0x20 };
typedef struct json_t json_t;
json_t *json_loadb(const char *text, size_t len, size_t flags, void *error);
char *json_dumps(const json_t *json, size_t flags);
void json_delete(json_t *json);

typedef void Work(void *self);

static double cpu_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double least(Work *work, void *self) {
    double best = 0;
    for (int i = 0; i < ROUNDS; i++) {
        const double start = cpu_now();
        work(self);
        const double spent = cpu_now() - start;
        if (i == 0 || spent < best) best = spent;
    }
    return best;
}

static void fail(const char *what) {
    fprintf(stderr, "floor_expressions: %s\n", what);
    exit(1);
}

static void tell(const char *name, double ours, double theirs) {
    printf("%s %.0f %.0f\n", name, ours, theirs);
}

// --- leaves -------------------------------------------------------------------------------------

typedef struct Leaves {
    LeafVm *vm;
    Arena arena;
    Value context, taskrun;
    uint32_t leaf;
    int count, keys;
} Leaves;

static void load(Leaves *leaves, uint32_t number, const char *path) {
    Str source;
    Buffer bytecode = {0};
    Err err = file_read(path, 1 << 20, &leaves->arena, &source);
    if (err.code == ERR_NONE) err = leaf_compile_lua(source, STR("leaf"), &bytecode);
    if (err.code != ERR_NONE) fail(err.text);
    leaf_vm_set_chunk(leaves->vm, number, buffer_to_str(&bytecode, &leaves->arena));
    buffer_release(&bytecode);
}

static void evaluate(void *self) {
    Leaves *leaves = self;
    Arena arena = {0};
    LeafRun run;
    char key[16];
    for (int i = 0; i < leaves->count; i++) {
        if (leaves->keys > 0) {
            const int len = snprintf(key, sizeof key, "k%d", i % leaves->keys);
            value_map_set(&leaves->arena, leaves->taskrun, STR("value"),
                          value_text((Str){key, (size_t)len}));
        }
        const ArenaMark mark = arena_mark(&arena);
        if (leaf_start(&run, leaves->vm, leaves->leaf, leaf_context_of_map(&leaves->context),
                       &arena) != LEAF_DONE) {
            fail(str_to_c(&arena, run.error.message));
        }
        arena_reset(&arena, mark);
    }
    arena_release(&arena);
}

static Value outputs_of(Arena *arena, int count) {
    Value runs = value_map(arena), outputs = value_map(arena);
    for (int i = 0; i < count; i++) {
        Value one = value_map(arena);
        value_map_set(arena, one, STR("x"), value_int(i));
        value_map_set(arena, runs, str_printf(arena, "k%d", i), one);
    }
    value_map_set(arena, outputs, STR("t"), runs);
    return outputs;
}

static void open_leaves(Leaves *leaves, char **paths) {
    const LeafOptions options = {
        .limits = {.steps = UINT64_MAX / 2, .milliseconds = 600000}
    };
    const Err err = leaf_vm_new(&options, &leaves->vm);
    if (err.code != ERR_NONE) fail(err.text);
    Arena *arena = &leaves->arena;
    Value inputs = value_map(arena);
    leaves->context = value_map(arena);
    leaves->taskrun = value_map(arena);
    value_map_set(arena, inputs, STR("a"), value_text(STR("region")));
    value_map_set(arena, leaves->taskrun, STR("value"), value_text(STR("value-17")));
    value_map_set(arena, leaves->taskrun, STR("startDate"),
                  value_text(STR("2024-11-03T05:30:45.123Z")));
    value_map_set(arena, leaves->context, STR("inputs"), inputs);
    value_map_set(arena, leaves->context, STR("taskrun"), leaves->taskrun);
    for (uint32_t i = 0; i < 4; i++) load(leaves, i, paths[i]);
}

static double time_leaf(Leaves *leaves, uint32_t leaf, int count) {
    leaves->leaf = leaf;
    leaves->count = count;
    return least(evaluate, leaves);
}

// --- plain Lua ----------------------------------------------------------------------------------

static const char plain_call[] = "local inputs, taskrun = {a = 'region'}, {value = 'value-17'}\n"
                                 "return function() return inputs.a .. '-' .. taskrun.value end\n";
// The text of the whole loop, as the template prints it.
static const char plain_loop[] = "local inputs = {a = 'region'}\n"
                                 "return function()\n"
                                 "  local out = {}\n"
                                 "  for i = 1, 10000 do out[#out + 1] = inputs.a .. '-' .. i end\n"
                                 "  return table.concat(out)\n"
                                 "end\n";

typedef struct Plain {
    lua_State *L;
    int count;
} Plain;

static void call(void *self) {
    const Plain *plain = self;
    for (int i = 0; i < plain->count; i++) {
        lua_pushvalue(plain->L, -1);
        if (lua_pcall(plain->L, 0, 1, 0) != LUA_OK) fail(lua_tostring(plain->L, -1));
        lua_pop(plain->L, 1);
    }
}

static double time_plain(const char *source, int count) {
    Plain plain = {luaL_newstate(), count};
    luaL_openlibs(plain.L);
    if (luaL_dostring(plain.L, source) != LUA_OK) fail(lua_tostring(plain.L, -1));
    const double spent = least(call, &plain);
    lua_close(plain.L);
    return spent;
}

// --- dates --------------------------------------------------------------------------------------

static void format_dates(void *self) {
    size_t *total = self;
    for (int i = 0; i < LOOP; i++) {
        const time_t at = 1730611845 + i;
        struct tm parts;
        char text[64];
        localtime_r(&at, &parts);
        *total += strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
    }
}

// --- JSON ---------------------------------------------------------------------------------------

typedef struct Json {
    Str text;
    int count;
} Json;

static void ours_json(void *self) {
    const Json *json = self;
    for (int i = 0; i < json->count; i++) {
        Arena arena = {0};
        Buffer out = {0};
        Value value;
        const Err err = json_parse(json->text, (JsonLimits){0}, &arena, &value);
        if (err.code != ERR_NONE) fail(err.text);
        json_write(&out, value, JSON_COMPACT, 0);
        buffer_release(&out);
        arena_release(&arena);
    }
}

static void their_json(void *self) {
    const Json *json = self;
    for (int i = 0; i < json->count; i++) {
        json_t *value = json_loadb(json->text.ptr, json->text.len, 0, NULL);
        if (value == NULL) fail("jansson does not read it");
        char *out = json_dumps(value, JANSSON_COMPACT);
        free(out);
        json_delete(value);
    }
}

static void add_record(Buffer *out, int i) {
    buffer_printf(out,
                  "{\"id\":%d,\"name\":\"record number "
                  "%d\",\"ok\":%s,\"ratio\":%d.25,\"tags\":[\"a\",\"b\",\"c\"],"
                  "\"nested\":{\"key\":\"value with \\\"quotes\\\" and "
                  "\\u00e9\",\"list\":[1,2,3,4,5]},\"none\":null,"
                  "\"text\":\"some more text to fill\"}",
                  i, i, i % 2 == 0 ? "true" : "false", i);
}

static void json_figures(void) {
    Buffer large = {0}, small = {0};
    buffer_add_char(&large, '[');
    for (int i = 0; large.len < 10 << 20; i++) {
        if (i > 0) buffer_add_char(&large, ',');
        add_record(&large, i);
    }
    buffer_add_char(&large, ']');
    add_record(&small, 7);
    Json json = {buffer_str(&large), 1};
    tell("json_10mb", least(ours_json, &json), least(their_json, &json));
    json = (Json){buffer_str(&small), LOOP};
    tell("json_200b", least(ours_json, &json), least(their_json, &json));
    buffer_release(&large);
    buffer_release(&small);
}

static bool wants(char **argv, const char *name) {
    return argv[5] == NULL || strcmp(argv[5], name) == 0;
}

static void leaf_figures(Leaves *leaves, char **argv) {
    if (wants(argv, "concat_leaf")) {
        tell("concat_leaf", time_leaf(leaves, 0, LOOP), time_plain(plain_call, LOOP));
    }
    if (wants(argv, "concat_loop")) {
        tell("concat_loop", time_leaf(leaves, 1, 1), time_plain(plain_loop, 1));
    }
    if (wants(argv, "look_up")) {
        leaves->keys = SMALL;
        value_map_set(&leaves->arena, leaves->context, STR("outputs"),
                      outputs_of(&leaves->arena, SMALL));
        const double few = time_leaf(leaves, 2, LOOP);
        leaves->keys = LOOP;
        value_map_set(&leaves->arena, leaves->context, STR("outputs"),
                      outputs_of(&leaves->arena, LOOP));
        tell("look_up", time_leaf(leaves, 2, LOOP), few);
        leaves->keys = 0;
    }
    if (wants(argv, "date")) {
        size_t total = 0;  // so that the calls are not left out
        setenv("TZ", "Europe/Paris", 1);
        tzset();
        tell("date", time_leaf(leaves, 3, 1), least(format_dates, &total));
    }
}

int main(int argc, char **argv) {
    if (argc != 5 && argc != 6) fail("four files of leaves are needed");
    Leaves leaves = {0};
    open_leaves(&leaves, argv + 1);
    leaf_figures(&leaves, argv);
    if (wants(argv, "json")) json_figures();
    leaf_vm_free(leaves.vm);
    arena_release(&leaves.arena);
    return 0;
}
