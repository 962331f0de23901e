// world.c - functions that ask outside: secrets, the key-value store, files, HTTP, the run's own
// context.
#include "leaf/machine.h"

#include <string.h>

// --- what the host answers ----------------------------------------------------------------------

// Collects the arguments that were given into a map and asks.
static int ask(lua_State *L, LeafNeedKind need) {
    const Builtin *row = builtin_find(BUILTIN_FUNCTION, str_from(vm_of(L)->builtin));
    leaf_new_map(L, 4);
    int map = lua_gettop(L);
    lua_pushliteral(L, "function");
    lua_pushstring(L, row->name);
    leaf_map_put(L, map);
    for (int i = 0; i < BUILTIN_PARAMS_MAX && row->params[i].name != NULL; i++) {
        if (FIRST_ARG + i >= map || lua_isnil(L, FIRST_ARG + i)) continue;
        lua_pushstring(L, row->params[i].name);
        lua_pushvalue(L, FIRST_ARG + i);
        leaf_map_put(L, map);
    }
    return leaf_need(L, need);
}

static int ask_kv(lua_State *L) {
    return ask(L, LEAF_NEED_KV);
}

static int ask_read(lua_State *L) {
    return ask(L, LEAF_NEED_READ);
}

static int ask_http(lua_State *L) {
    return ask(L, LEAF_NEED_HTTP);
}

static int ask_error_logs(lua_State *L) {
    return ask(L, LEAF_NEED_ERROR_LOGS);
}

static int ask_render(lua_State *L) {
    Kind kind = leaf_kind(L, FIRST_ARG);
    if ((kind & (KIND_TEXT | KIND_LIST | KIND_MAP)) == 0) {
        lua_pushvalue(L, FIRST_ARG);
        return 1;
    }
    if (kind == KIND_TEXT && str_find_char(leaf_str(L, FIRST_ARG), '{', 0) == STR_NOT_FOUND) {
        lua_pushvalue(L, FIRST_ARG);
        return 1;
    }
    return ask(L, LEAF_NEED_RENDER);
}

// --- secrets ------------------------------------------------------------------------------------

static int secret(lua_State *L) {
    Str name = leaf_str(L, FIRST_ARG);
    Str secret_namespace = leaf_str(L, FIRST_ARG + 1), key = leaf_str(L, FIRST_ARG + 2);
    bool is_full = lua_toboolean(L, FIRST_ARG + 3);
    if (name.len == 0) leaf_raise(L, LEAF_ERROR_ARG, "'secret()' needs a name");
    if (is_full && key.len > 0) {
        leaf_raise(L, LEAF_ERROR_SECRET, "'secret()' takes 'subkey' or 'full', not both");
    }
    leaf_secret_named(L, name, secret_namespace, key);
    if (!is_full) return 1;
    leaf_new_map(L, 1);
    lua_pushliteral(L, "value");
    lua_pushvalue(L, -3);
    leaf_map_put(L, -3);
    return 1;
}

// --- the context --------------------------------------------------------------------------------

// Pushes a root of the context, or nil.
static void push_root(lua_State *L, Str name) {
    LeafVm *vm = vm_of(L);
    LeafRef ref = {.kind = LEAF_REF_ABSENT};
    if (vm->run != NULL && vm->run->context.root != NULL) {
        ref = vm->run->context.root(vm->run->context.self, name);
    }
    leaf_push_ref(L, &ref);
}

// Replaces the value at the top by its member, or by nil.
static void member(lua_State *L, Str key) {
    if (leaf_kind(L, -1) == KIND_MAP) {
        leaf_force(L, -1);
        leaf_map_at(L, -1, key);
    } else {
        lua_pushnil(L);
    }
    lua_remove(L, -2);
}

static int env(lua_State *L) {
    Str name = leaf_str(L, FIRST_ARG);
    push_root(L, STR("envs"));
    member(L, name);
    Kind kind = leaf_kind(L, -1);
    if (kind != KIND_TEXT || lua_rawlen(L, -1) == 0) {
        if (kind != KIND_TEXT && kind != KIND_ABSENT && kind != KIND_NULL) return 1;
        if (lua_isnil(L, FIRST_ARG + 1)) {
            leaf_push_null(L);
        } else {
            lua_pushvalue(L, FIRST_ARG + 1);
        }
    }
    return 1;
}

static void add_task(lua_State *L, int list, int task, int value, Str state) {
    leaf_new_map(L, 3);
    int map = lua_gettop(L);
    lua_pushliteral(L, "taskId");
    lua_pushvalue(L, task);
    leaf_map_put(L, map);
    lua_pushliteral(L, "state");
    leaf_push_str(L, state);
    leaf_map_put(L, map);
    if (value != 0) {
        lua_pushliteral(L, "value");
        lua_pushvalue(L, value);
        leaf_map_put(L, map);
    }
    leaf_list_add(L, list);
}

// Pushes the state of a task run, or nil.
static void push_state(lua_State *L, int task) {
    lua_pushvalue(L, task);
    member(L, STR("state"));
}

// `tasks` has one level of loop values below a task that runs in a loop.
static int tasks_with_state(lua_State *L) {
    Str wanted = leaf_str(L, FIRST_ARG);
    leaf_new_list(L, 4);
    int list = lua_gettop(L);
    push_root(L, STR("tasks"));
    if (leaf_kind(L, -1) != KIND_MAP) {
        lua_pushvalue(L, list);
        return 1;
    }
    leaf_force(L, -1);
    int tasks = lua_gettop(L);
    for (size_t i = 0, count = lua_rawlen(L, tasks); i < count; i++) {
        leaf_charge(L, 1);
        leaf_push_member(L, tasks, i);
        int id = lua_gettop(L) - 1, task = id + 1;
        push_state(L, task);
        if (leaf_kind(L, -1) == KIND_TEXT) {
            Str state = leaf_str(L, -1);
            if (str_eq_ignore_case(state, wanted)) add_task(L, list, id, 0, state);
        } else if (leaf_kind(L, task) == KIND_MAP) {
            leaf_force(L, task);
            for (size_t k = 0, runs = lua_rawlen(L, task); k < runs; k++) {
                leaf_charge(L, 1);
                leaf_push_member(L, task, k);
                int value = lua_gettop(L) - 1;
                push_state(L, value + 1);
                Str state = leaf_str(L, -1);
                if (str_eq_ignore_case(state, wanted)) add_task(L, list, id, value, state);
                lua_settop(L, value - 1);
            }
        }
        lua_settop(L, tasks);
    }
    lua_pushvalue(L, list);
    return 1;
}

// Steps into the map at the top by the text form of `taskrun.value` below the value at `holder`.
static bool step_by_value(lua_State *L, int holder) {
    lua_pushvalue(L, holder);
    member(L, STR("taskrun"));
    member(L, STR("value"));
    if (leaf_kind(L, -1) == KIND_ABSENT || leaf_kind(L, -1) == KIND_NULL) {
        lua_pop(L, 1);
        return false;
    }
    Str value = leaf_to_str(L, -1);
    lua_pushvalue(L, -2);
    member(L, value);
    lua_replace(L, -3);
    lua_pop(L, 1);
    return true;
}

static int current_each_output(lua_State *L) {
    lua_settop(L, FIRST_ARG);
    push_root(L, STR("parents"));
    if (leaf_kind(L, -1) == KIND_LIST) leaf_force(L, -1);
    int parents = lua_gettop(L);
    size_t count = leaf_kind(L, parents) == KIND_LIST ? lua_rawlen(L, parents) : 0;
    lua_pushvalue(L, FIRST_ARG);
    int result = lua_gettop(L);
    for (size_t i = count; i > 0; i--) {  // the outermost first
        lua_rawgeti(L, parents, (lua_Integer)i);
        int holder = lua_gettop(L);
        lua_pushvalue(L, result);
        (void)step_by_value(L, holder);
        lua_replace(L, result);
        lua_settop(L, result);
    }
    leaf_new_map(L, 1);
    lua_pushliteral(L, "taskrun");
    push_root(L, STR("taskrun"));
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        leaf_push_null(L);
    }
    leaf_map_put(L, -3);
    lua_pushvalue(L, result);
    (void)step_by_value(L, result + 1);
    if (lua_isnil(L, -1)) leaf_push_null(L);
    return 1;
}

static int loop_outputs(lua_State *L) {
    Str name = leaf_str(L, FIRST_ARG + 1);
    size_t count = lua_rawlen(L, FIRST_ARG);
    leaf_charge(L, count);
    leaf_new_list(L, count);
    int list = lua_gettop(L);
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, FIRST_ARG, (lua_Integer)i);
        member(L, STR("outputs"));
        member(L, name);
        if (lua_isnil(L, -1)) {
            lua_pop(L, 1);
            leaf_push_null(L);
        }
        lua_rawseti(L, list, (lua_Integer)i);
    }
    return 1;
}

// What arguments it takes does not matter: the compiler says that it is refused.
#define REFUSED_ROW(of, builtin, input_type, words)                                                \
    {                                                                                              \
        .kind = (of), .name = (builtin), .input = (input_type), .result = "any",                   \
        .flags = BUILTIN_REFUSED | BUILTIN_ANY_COUNT, .text = (words), .examples = ""              \
    }

const Builtin leaf_builtins_world[] = {
    {.kind = BUILTIN_FUNCTION,
     .name = "currentEachOutput",
     .params = {{"outputs", "map"}},
     .result = "any",
     .flags = BUILTIN_EFFECT | BUILTIN_NOT_2_0,
     .run = current_each_output,
     .text = "The outputs of a task in the same pass of the enclosing loops.",
     .examples = "{{ currentEachOutput(outputs.fetch).value }} => one"},
    {.kind = BUILTIN_FUNCTION,
     .name = "env",
     .params = {{"name", "text"}, {"default", "any?"}},
     .result = "any",
     .flags = BUILTIN_EFFECT | BUILTIN_ONLY_2_0,
     .run = env,
     .text = "A variable of `envs`, or `default` where it is missing or empty.",
     .examples = "{{ env('home_dir') }} => /srv\n"
                 "{{ env('none', 'd') }} => d"},
    {.kind = BUILTIN_FUNCTION,
     .name = "errorLogs",
     .result = "list",
     .flags = BUILTIN_EFFECT,
     .run = ask_error_logs,
     .text = "The error log lines of the execution, as maps with taskId, level, message, …",
     .examples = "{{ errorLogs() | length }} => 0"},
    {.kind = BUILTIN_FUNCTION,
     .name = "fileExists",
     .params = {{"path", "text"}, {"namespace", "text?"}},
     .result = "bool",
     .flags = BUILTIN_EFFECT,
     .run = ask_read,
     .text = "Whether a file of the run or the namespace is there.",
     .examples = "{{ fileExists('sql/q.sql') }} => true\n"
                 "{{ fileExists('none.sql') }} => false"},
    {.kind = BUILTIN_FUNCTION,
     .name = "fileSize",
     .params = {{"path", "text"}, {"namespace", "text?"}},
     .result = "int",
     .flags = BUILTIN_EFFECT,
     .run = ask_read,
     .text = "The size of a file in bytes.",
     .examples = "{{ fileSize('sql/q.sql') }} => 8"},
    {.kind = BUILTIN_FUNCTION,
     .name = "fileURI",
     .params = {{"path", "text"}, {"namespace", "text?"}, {"version", "int?"}},
     .result = "text",
     .flags = BUILTIN_EFFECT,
     .run = ask_read,
     .text = "The internal URI of a namespace file.",
     .examples = "{{ fileURI('sql/q.sql') }} => nsfile:///sql/q.sql"},
    {.kind = BUILTIN_FUNCTION,
     .name = "http",
     .params = {{"uri", "text"},
                {"method", "text?"},
                {"query", "map?"},
                {"body", "any?"},
                {"contentType", "text?"},
                {"headers", "map?"},
                {"options", "map?"},
                {"accept", "text?"}},
     .result = "any",
     .flags = BUILTIN_EFFECT,
     .run = ask_http,
     .text = "The body of an HTTP response, parsed by its type; a status of 400 or more fails.",
     .examples = "{{ http('https://api.example.com/v1/status').state }}\n"
                 "{{ http(uri=inputs.url, method='POST', body={'name': 'x'}) }}"},
    {.kind = BUILTIN_FUNCTION,
     .name = "isFileEmpty",
     .params = {{"path", "text"}, {"namespace", "text?"}},
     .result = "bool",
     .flags = BUILTIN_EFFECT,
     .run = ask_read,
     .text = "Whether a file has no bytes.",
     .examples = "{{ isFileEmpty('sql/q.sql') }} => false"},
    {.kind = BUILTIN_FUNCTION,
     .name = "kv",
     .params = {{"key", "text"}, {"namespace", "text?"}, {"errorOnMissing", "bool?"}},
     .result = "any",
     .flags = BUILTIN_EFFECT,
     .run = ask_kv,
     .text = "A value of the key-value store. A missing key is an error unless `errorOnMissing` is "
             "false; then it is null.", .examples = "{{ kv('limit') }} => 5\n"
                 "{{ kv('none', errorOnMissing=false) ?? 'd' }} => d"},
    {.kind = BUILTIN_FUNCTION,
     .name = "loopOutputs",
     .params = {{"outputs", "list"}, {"name", "text"}},
     .result = "list",
     .flags = BUILTIN_ONLY_2_0,
     .run = loop_outputs,
     .text = "One output of every pass of a loop, null where a pass has none.",
     .examples = "{{ loopOutputs([{'outputs': {'r': 'x'}}, {}], 'r') }} => [\"x\",null]"},
    {.kind = BUILTIN_FUNCTION,
     .name = "read",
     .params = {{"path", "text"}, {"namespace", "text?"}, {"version", "int?"}},
     .result = "text",
     .flags = BUILTIN_EFFECT,
     .run = ask_read,
     .text = "The text of a file of the run or of the namespace.",
     .examples = "{{ read('sql/q.sql') }} => select 1"},
    {.kind = BUILTIN_FUNCTION,
     .name = "render",
     .params = {{"toRender", "any|null"}, {"recursive", "bool?"}},
     .result = "any",
     .flags = BUILTIN_EFFECT,
     .run = ask_render,
     .text = "Evaluates the templates in a text, in a list's items, in a map's keys and values, "
             "until nothing changes.", .examples = "{{ render('plain') }} => plain\n{{ render(5) }} => 5"},
    {.kind = BUILTIN_FUNCTION,
     .name = "renderOnce",
     .params = {{"toRender", "any|null"}},
     .result = "any",
     .flags = BUILTIN_EFFECT,
     .run = ask_render,
     .text = "As `render`, one time.",
     .examples = "{{ renderOnce('plain') }} => plain"},
    {.kind = BUILTIN_FUNCTION,
     .name = "secret",
     .params = {{"key", "text"}, {"namespace", "text?"}, {"subkey", "text?"}, {"full", "bool?"}},
     .result = "any",
     .flags = BUILTIN_EFFECT | BUILTIN_MAKES_SECRET,
     .run = secret,
     .text = "A secret by its name; `subkey` takes one member of a JSON secret. Whatever is made "
             "of it is a secret too.", .examples = "{{ secret('DB_PASSWORD') }} => ******"},
    {.kind = BUILTIN_FUNCTION,
     .name = "tasksWithState",
     .params = {{"state", "text"}},
     .result = "list",
     .flags = BUILTIN_EFFECT,
     .run = tasks_with_state,
     .text = "The task runs in a state, as maps of taskId, state and, in loops, value.",
     .examples =
         "{{ tasksWithState('failed') }} => [{\"taskId\":\"deploy\",\"state\":\"FAILED\"}]"},
    REFUSED_ROW(BUILTIN_FUNCTION, "appLink", NULL, "a function of the Enterprise edition"),
    REFUSED_ROW(BUILTIN_FUNCTION, "assets", NULL, "a function of the Enterprise edition"),
    REFUSED_ROW(BUILTIN_FUNCTION, "credential", NULL, "a function of the Enterprise edition"),
    REFUSED_ROW(BUILTIN_FUNCTION, "fetchContext", NULL,
                "it shows all variables, secrets too: name the "
                "variable you need"),
    REFUSED_ROW(BUILTIN_FUNCTION, "fromIon", NULL,
                "Amazon Ion is not supported: use JSON and "
                "'fromJson()'"),
    REFUSED_ROW(BUILTIN_FUNCTION, "printContext", NULL,
                "it shows all variables, secrets too: name the "
                "variable you need"),
    REFUSED_ROW(BUILTIN_FUNCTION, "subflow", NULL,
                "it runs a flow while inputs are rendered: use a task "
                "of type Subflow"),
    REFUSED_ROW(BUILTIN_FILTER, "className", "any", "it names a Java class"),
    REFUSED_ROW(BUILTIN_FILTER, "toIon", "any", "Amazon Ion is not supported: use 'toJson'"),
    {.name = NULL                                                 },
};
