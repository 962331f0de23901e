// host.c - hosts and the modules they load.
//
// All work on the Lua state is done inside a coroutine or a protected call: the end of its memory
// is the failure of one attempt. An attempt ends once its main strand is over and nothing of it is
// under way; then its processes are gone, its requests closed, its working directory removed.
#include "host/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

// --- modules ------------------------------------------------------------------------------------

static const char *const declaration_keys[] = {"implements", "extends", "effects",  "idempotent",
                                               "hosts",      "run",     "recover",  "kill",
                                               "plan",       "images",  "commands", NULL};

// task{…} of a module: checks and gives back the declaration.
static int declare(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_pushnil(L);
    while (lua_next(L, 1) != 0) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        if (!name_is_listed(declaration_keys, name))
            luaL_error(L, "task: unknown field '%s'", name);
        lua_pop(L, 1);
    }
    if (lua_getfield(L, 1, "run") != LUA_TFUNCTION) luaL_error(L, "task: 'run' must be a function");
    lua_settop(L, 1);
    return 1;
}

static Str module_type(const Host *host, uint32_t module) {
    const Plan *plan = &host->options.artifact->plan;
    return plan_text(plan, plan->modules[module].type);
}

// Replaces the list of tasks that a file declares by the one of this type.
static void choose_declaration(lua_State *L, const char *type) {
    if (lua_type(L, -1) != LUA_TTABLE) return;
    int list = lua_gettop(L);
    for (lua_Integer i = 1; lua_rawgeti(L, list, i) == LUA_TTABLE; i++) {
        lua_getfield(L, -1, "implements");
        bool is_it = lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), type) == 0;
        lua_settop(L, list + 1);
        if (is_it) {
            lua_replace(L, list);
            return;
        }
        lua_settop(L, list);
    }
    lua_settop(L, list);
}

void push_module(lua_State *L, Host *host, uint32_t number) {
    Module *module = &host->modules[number];
    if (module->is_loaded) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, module->ref);
        return;
    }
    const PlanModule *record = &host->options.artifact->plan.modules[number];
    Str type = module_type(host, number);
    const char *name = str_to_c(&host->arena, type);
    if (module->is_loading) luaL_error(L, "the module '%s' uses itself", name);
    if (record->code == 0) {
        luaL_error(L, "'%s' is run by a handler of the host, and none is configured", name);
    }
    Str code = chunks_get(&host->options.artifact->modules, record->code - 1);
    module->is_loading = true;
    Str chunk_name = str_printf(&host->arena, "=%s", name);
    if (luaL_loadbufferx(L, code.ptr, code.len, chunk_name.ptr, "b") != LUA_OK) lua_error(L);
    lua_newtable(L);  // its environment: empty, what it reads comes from the globals of modules
    lua_newtable(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, host->globals_ref);
    lua_setfield(L, -2, "__index");
    lua_getfield(L, LUA_REGISTRYINDEX, "flow.no_globals");
    lua_setfield(L, -2, "__newindex");
    lua_setmetatable(L, -2);
    if (lua_setupvalue(L, -2, 1) == NULL) lua_pop(L, 1);  // a chunk that reads no global has none
    lua_call(L, 0, 1);
    choose_declaration(L, name);
    module->is_loading = false;
    lua_pushvalue(L, -1);
    module->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    module->is_loaded = true;
}

// use "lib.x"
static int use_module(lua_State *L) {
    Host *host = lua_touserdata(L, lua_upvalueindex(1));
    size_t len = 0;
    const char *name = luaL_checklstring(L, 1, &len);
    const Plan *plan = &host->options.artifact->plan;
    for (uint32_t i = 0; i < plan->module_count; i++) {
        if (!str_eq(plan_text(plan, plan->modules[i].type), (Str){name, len})) continue;
        push_module(L, host, i);
        return 1;
    }
    return luaL_error(L, "the module '%s' is not in the artifact", name);
}

static int no_globals(lua_State *L) {
    return luaL_error(L, "'%s' is not local: modules have no globals of their own",
                      luaL_tolstring(L, 2, NULL));
}

// --- opening ------------------------------------------------------------------------------------

static void open_api(Host *host, lua_State *L) {
    lua_newtable(L);
    add_state_functions(L);
    add_file_functions(L);
    add_storage_functions(L);
    add_archive_functions(L);
    add_codec_functions(L);
    add_text_functions(L);
    static const luaL_Reg own[] = {
        {"exec",          api_exec         },
        {"which",         api_which        },
        {"handler",       api_handler      },
        {"runner",        api_runner       },
        {"registry_auth", api_registry_auth},
        {"http",          api_http         },
        {"credentials",   api_credentials  },
        {"all",           api_all          },
        {NULL,            NULL             }
    };
    luaL_setfuncs(L, own, 0);
    host->api_ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

static int open_host(lua_State *L) {
    Host *host = lua_touserdata(L, 1);
    lua_newtable(L);
    lua_newtable(L);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_setfield(L, LUA_REGISTRYINDEX, "flow.strands");
    lua_pushcfunction(L, no_globals);
    lua_setfield(L, LUA_REGISTRYINDEX, "flow.no_globals");
    lua_newtable(L);
    host->again_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    open_globals(host, L);
    lua_pushcfunction(L, declare);
    lua_setfield(L, -2, "task");
    lua_pushlightuserdata(L, host);
    lua_pushcclosure(L, use_module, 1);
    lua_setfield(L, -2, "use");
    host->globals_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    open_api(host, L);
    return 0;
}

Err host_protect(Host *host, lua_CFunction function, void *argument) {
    lua_State *L = host->L;
    if (!lua_checkstack(L, 10)) return err_make(ERR_LIMIT, "out of memory for task modules");
    lua_pushcfunction(L, function);
    lua_pushlightuserdata(L, argument);
    Err err = err_none();
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        size_t len = 0;
        const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : NULL;
        err = err_make(ERR_LIMIT, "%s", text == NULL ? "out of memory for task modules" : text);
        lua_pop(L, 1);
    }
    return err;
}

// kestra:///… of other executions can be read where the folder is laid out by the URI's own path.
static void find_storage_root(Host *host) {
    const HostOptions *options = &host->options;
    Str space = str_dup(&host->arena, options->flow_namespace);
    for (size_t i = 0; i < space.len; i++) {
        if (space.ptr[i] == '.') *(char *)(uintptr_t)&space.ptr[i] = '/';
    }
    Str tail =
        str_printf(&host->arena, "/" STR_FMT "/" STR_FMT "/executions/" STR_FMT, STR_ARG(space),
                   STR_ARG(options->flow_id), STR_ARG(options->execution_id));
    if (str_ends_with(options->storage_folder, tail)) {
        host->storage_root =
            str_dup(&host->arena,
                    str_slice(options->storage_folder, 0, options->storage_folder.len - tail.len));
    }
}

// --- Host ---------------------------------------------------------------------------------------

Err host_new(const HostOptions *options, Host **out) {
    Host *host = heap_alloc(1, sizeof *host);
    host->options = *options;
    host->procs = options->procs;
    host->net = options->net;
    host->L = leaf_vm_lua(options->vm);
    if (host->options.clock == NULL) host->options.clock = clock_system();
    if (host->options.grace_ms <= 0) host->options.grace_ms = GRACE_MS;
    host->modules = arena_array(&host->arena, Module, options->artifact->plan.module_count);
    find_storage_root(host);
    Err err = journal_open(host);
    if (err.code == ERR_NONE) err = host_protect(host, open_host, host);
    if (err.code != ERR_NONE) {
        host_free(host);
        return err;
    }
    *out = host;
    return err_none();
}

Err host_procs(Host *host, Procs **out) {
    if (host->procs == NULL) {
        TRY(procs_new(host->options.loop, NULL, &host->procs));
        host->owns_procs = true;
    }
    *out = host->procs;
    return err_none();
}

Err host_net(Host *host, Net **out) {
    if (host->net == NULL) {
        TRY(net_new(host->options.loop, NULL, &host->net));
        host->owns_net = true;
    }
    *out = host->net;
    return err_none();
}

// --- recovery -----------------------------------------------------------------------------------

typedef struct Question {
    Host *host;
    uint32_t module;
    Value props;
    bool has_checkpoint;
    HostRecovery answer;
} Question;

static int ask_recovery(lua_State *L) {
    Question *question = lua_touserdata(L, 1);
    push_module(L, question->host, question->module);
    if (lua_type(L, -1) != LUA_TTABLE) return 0;
    bool has_recover = push_function(L, -1, "recover");
    if (has_recover) lua_pop(L, 1);
    const char *word = has_recover ? "recover" : "no";
    if (push_function(L, -1, "idempotent")) {
        leaf_push_value(L, question->props);
        lua_call(L, 1, 1);
        const char *said = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "no";
        if (!has_recover) word = said;
        if (has_recover && strcmp(said, "checkpoint") == 0 && !question->has_checkpoint) return 0;
    }
    if (strcmp(word, "recover") == 0) question->answer = HOST_CALL_RECOVER;
    if (strcmp(word, "yes") == 0) question->answer = HOST_RERUN;
    if (strcmp(word, "keyed") == 0) question->answer = HOST_RERUN_KEYED;
    return 0;
}

bool host_task_is_keyed(lua_State *L, HostTask *task) {
    push_module(L, task->host, task->start.module);
    bool is_keyed = false;
    if (push_function(L, -1, "idempotent")) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, task->props_ref);
        lua_call(L, 1, 1);
        is_keyed = lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), "keyed") == 0;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return is_keyed;
}

HostRecovery host_recovery(Host *host, uint32_t module, Value props, bool has_checkpoint) {
    // What has no effects may always run again.
    if (host->options.artifact->plan.modules[module].effects == 0) return HOST_RERUN;
    Question question = {host, module, props, has_checkpoint, HOST_ASK};
    Err err = host_protect(host, ask_recovery, &question);
    return err.code == ERR_NONE ? question.answer : HOST_ASK;
}

void host_free(Host *host) {
    if (host == NULL) return;
    // Without callbacks: the driver has let go.
    for (HostTask *task = host->first, *next = NULL; task != NULL; task = next) {
        next = task->next;
        task->is_over = true;
        task->is_cancelled = true;
    }
    bool was_clean = host->first == NULL;
    if (host->owns_procs) {
        procs_free(host->procs);
        host->procs = NULL;
    }
    while (host->first != NULL) {
        HostTask *task = host->first;
        host->first = task->next;
        host_task_free(task);
    }
    workdir_drop_spare(host);
    if (host->owns_net) net_free(host->net);
    if (host->journal >= 0) close(host->journal);
    if (host->journal_path.len > 0 && (was_clean || host->owns_procs)) {
        unlink(host->journal_path.ptr);
    }
    arena_release(&host->arena);
    heap_free(host);
}
