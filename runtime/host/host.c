// host.c - hosts, attempts, and the coroutines they are made of.
//
// All work on the Lua state is done inside a coroutine or a protected call: the end of its memory
// is the failure of one attempt. An attempt ends once its main strand is over and nothing of it is
// under way; then its processes are gone, its requests closed, its working directory removed.
#include "host/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

// --- strands ------------------------------------------------------------------------------------

Strand *strand_of(lua_State *L) {
    lua_getfield(L, LUA_REGISTRYINDEX, "flow.strands");
    lua_pushthread(L);
    lua_rawget(L, -2);
    Strand *strand = lua_touserdata(L, -1);
    lua_pop(L, 2);
    if (strand == NULL) luaL_error(L, "the host can be called from a running task only");
    return strand;
}

static void wait_free(Wait *wait);

// A call that raised before it began to wait left its Wait behind.
static void drop_unused_waits(const Strand *strand) {
    for (Wait *wait = strand->task->waits, *next = NULL; wait != NULL; wait = next) {
        next = wait->next;
        if (wait->strand == strand && strand->wait != wait) wait_free(wait);
    }
}

HostTask *call_begin(lua_State *L) {
    const Strand *strand = strand_of(L);
    HostTask *task = strand->task;
    if (strand->L == L) drop_unused_waits(strand);
    if (task->is_cancelled && strand != task->killer) luaL_error(L, "the task is being stopped");
    arena_reset(&task->call, (ArenaMark){0});
    return task;
}

static LeafBudget strand_budget(void) {
    // Of a whole attempt, waits not counted. A module that computes longer than this is broken.
    static const LeafLimits limits = {.steps = 200 * 1000 * 1000, .milliseconds = 5 * 1000};
    return leaf_budget(&limits);
}

// Of the coroutine at the top.
void strand_bind(lua_State *L, Strand *strand) {
    lua_getfield(L, LUA_REGISTRYINDEX, "flow.strands");
    lua_pushvalue(L, -2);
    lua_pushlightuserdata(L, strand);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

Strand *strand_new(lua_State *L, HostTask *task) {
    Strand *strand = arena_new(&task->arena, Strand);
    strand->task = task;
    strand->budget = strand_budget();
    lua_State *thread = lua_newthread(L);
    strand_bind(L, strand);
    strand->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    strand->L = thread;
    strand->next = task->strands;
    task->strands = strand;
    return strand;
}

static void task_step(HostTask *task);

// Nothing of a task is freed between these two.
static void task_enter(HostTask *task) {
    task->busy++;
}

static void task_leave(HostTask *task) {
    if (--task->busy == 0) task_step(task);
}

static void strand_over(Strand *strand, int status, int result_count) {
    strand->is_over = true;
    drop_unused_waits(strand);
    strand->ended(strand, status, result_count);
}

void strand_resume(Strand *strand, int argument_count) {
    HostTask *task = strand->task;
    if (task->is_over || strand->is_over) return;
    int result_count = 0;
    task->busy++;
    int status = leaf_resume(task->host->options.vm, strand->L, argument_count, &result_count,
                             &strand->budget);
    task->busy--;
    if (strand->budget.spent != LEAF_SPENT_NOTHING) {
        lua_resetthread(strand->L);
        lua_settop(strand->L, 0);
        strand_over(strand, LUA_ERRRUN, 0);
    } else if (status == LUA_YIELD) {
        lua_pop(strand->L, result_count);
        Wait *wait = strand->wait;
        if (wait != NULL && wait->is_done) strand_resume(strand, 0);
        return;
    } else {
        strand_over(strand, status, status == LUA_OK ? result_count : 1);
    }
}

// --- waits --------------------------------------------------------------------------------------

Wait *wait_new(lua_State *L, size_t size) {
    Strand *strand = strand_of(L);
    if (strand->L != L || !lua_isyieldable(L))
        luaL_error(L, "this function waits and cannot be called from here");
    Wait *wait = heap_alloc(1, size);
    wait->task = strand->task;
    wait->strand = strand;
    wait->next = strand->task->waits;
    strand->task->waits = wait;
    return wait;
}

static void wait_free(Wait *wait) {
    Wait **at = &wait->task->waits;
    while (*at != wait) at = &(*at)->next;
    *at = wait->next;
    if (wait->strand->wait == wait) wait->strand->wait = NULL;
    if (wait->release != NULL) wait->release(wait);
    arena_release(&wait->arena);
    heap_free(wait);
}

void wait_drop(Wait *wait) {
    wait_free(wait);
}

static int wait_over(lua_State *L, int status, lua_KContext context) {
    (void)status;
    Wait *wait = (Wait *)context;
    wait->strand->wait =
        NULL;  // where `finish` raises, the Wait is dropped as one that is not used
    int count = wait->finish(L, wait);
    wait_free(wait);
    return count;
}

int wait_for(lua_State *L, Wait *wait) {
    wait->strand->wait = wait;
    return lua_yieldk(L, 0, (lua_KContext)wait, wait_over);
}

void wait_done(Wait *wait) {
    HostTask *task = wait->task;
    wait->is_done = true;
    if (wait->strand->wait != wait) return;  // it has not yielded yet: wait_for will find it done
    task_enter(task);
    if (task->is_cancelled && wait->strand != task->killer) {
        wait_free(wait);
    } else if (wait->strand->L != NULL && lua_status(wait->strand->L) == LUA_YIELD) {
        strand_resume(wait->strand, 0);
    }
    task_leave(task);
}

// --- arguments ----------------------------------------------------------------------------------

void push_str(lua_State *L, Str text) {
    lua_pushlstring(L, text.len == 0 ? "" : text.ptr, text.len);
}

const char *class_of_err(const Err *err) {
    return err->code == ERR_UNAVAILABLE || err->code == ERR_CONFLICT ? "transient" : "permanent";
}

int push_failure_text(lua_State *L, Str message, Str error_class) {
    lua_pushnil(L);
    push_str(L, message);
    push_str(L, error_class);
    return 3;
}

int push_failure(lua_State *L, const Err *err, const char *error_class) {
    return push_failure_text(L, str_from(err->text),
                             str_from(error_class == NULL ? class_of_err(err) : error_class));
}

Str check_text(lua_State *L, int index, const char *what) {
    int type = lua_type(L, index);
    if (type != LUA_TSTRING && type != LUA_TNUMBER) {
        luaL_error(L, "%s must be a text%s", what,
                   type == LUA_TUSERDATA ? ": a secret cannot be used here" : "");
    }
    size_t len = 0;
    const char *text = lua_tolstring(L, index, &len);
    return (Str){text, len};
}

Value check_value(lua_State *L, int index, Arena *arena, const char *what) {
    Value value = {0};
    if (lua_isnoneornil(L, index)) return value;
    Err err = leaf_to_value(L, index, arena, &value);
    if (err.code != ERR_NONE) luaL_error(L, "%s: %s", what, err.text);
    return value;
}

static bool is_listed(const char *const *known, const char *name) {
    for (size_t i = 0; known[i] != NULL; i++) {
        if (strcmp(known[i], name) == 0) return true;
    }
    return false;
}

Value check_fields(lua_State *L, int index, Arena *arena, const char *call,
                   const char *const *known) {
    luaL_checktype(L, index, LUA_TTABLE);
    index = lua_absindex(L, index);
    Value fields = value_map(arena);
    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
        if (lua_type(L, -2) != LUA_TSTRING) {
            // A map of the language has its keys under 1 … n as well.
            lua_pop(L, 1);
            continue;
        }
        const char *name = lua_tostring(L, -2);
        if (!is_listed(known, name)) luaL_error(L, "%s: unknown field '%s'", call, name);
        if (!lua_isfunction(L, -1)) {
            Value value = check_value(L, -1, arena, name);
            if (value.kind != VALUE_NULL) {
                value_map_set(arena, fields, str_dup(arena, str_from(name)), value);
            }
        }
        lua_pop(L, 1);
    }
    return fields;
}

bool push_function(lua_State *L, int index, const char *name) {
    if (lua_getfield(L, index, name) == LUA_TFUNCTION) return true;
    lua_pop(L, 1);
    return false;
}

bool is_planning(const HostTask *task) {
    return task->host->options.mode != HOST_REAL;
}

// --- what a task says ---------------------------------------------------------------------------

void task_log(HostTask *task, int level, Str text) {
    if (level < task->start.log_level || task->start.callbacks.log == NULL) return;
    Buffer masked = {0};
    masker_apply(task->host->options.masker, text, &masked);
    task->start.callbacks.log(task->start.callbacks.self, task, level, buffer_str(&masked));
    buffer_release(&masked);
}

void task_fail(HostTask *task, Str message, Str error_class) {
    if (task->is_cancelled) return;  // the reason for that stands
    task->is_ok = false;
    task->message = mask_plain(task, message, &task->arena);
    task->error_class = str_dup(&task->arena, error_class);
}

void task_add_outputs(HostTask *task, Value outputs) {
    if (outputs.kind != VALUE_MAP) return;
    for (uint32_t i = 0; i < outputs.as.map->count; i++) {
        const ValueMember *member = &outputs.as.map->members[i];
        value_map_set(&task->arena, task->outputs, str_dup(&task->arena, member->key),
                      mask_value(task, member->value, &task->arena));
    }
}

void task_add_metric(HostTask *task, Str name, Str type, Value value, Value tags) {
    Value metric = value_map(&task->arena);
    value_map_set(&task->arena, metric, STR("name"), value_text(str_dup(&task->arena, name)));
    value_map_set(&task->arena, metric, STR("type"), value_text(str_dup(&task->arena, type)));
    value_map_set(&task->arena, metric, STR("value"), value_copy(&task->arena, value));
    if (tags.kind == VALUE_MAP && tags.as.map->count > 0) {
        value_map_set(&task->arena, metric, STR("tags"), mask_value(task, tags, &task->arena));
    }
    value_list_add(&task->arena, task->metrics, metric);
}

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
        if (!is_listed(declaration_keys, name)) luaL_error(L, "task: unknown field '%s'", name);
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

// Loads a module once and pushes what its chunk returned. Raises.
static void push_module(lua_State *L, Host *host, uint32_t number) {
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
    add_codec_functions(L);
    add_text_functions(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, host->again_ref);
    lua_setfield(L, -2, "again_mark");
    static const luaL_Reg own[] = {
        {"exec",        api_exec       },
        {"which",       api_which      },
        {"http",        api_http       },
        {"credentials", api_credentials},
        {"all",         api_all        },
        {NULL,          NULL           }
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

// Runs a C function with one light userdata under protection.
static Err protect(Host *host, lua_CFunction function, void *argument) {
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

// --- the journal of processes -------------------------------------------------------------------

// Which processes are under way, so that what a crash of this process left can be ended before
// anything runs again. One write to the page cache each: a crash of the machine ends them anyway.
static Err read_journal(Host *host) {
    Str text = {0};
    Arena arena = {0};
    Err err = file_read(host->journal_path.ptr, READ_LIMIT, &arena, &text);
    if (err.code == ERR_NOT_FOUND) err = err_none();
    Str rest = text, line = {0};
    while (err.code == ERR_NONE && str_split(&rest, '\n', &line)) {
        if (!str_starts_with(line, STR("+ "))) continue;
        ProcIdentity identity = {0};
        Err parsed = proc_identity_parse(str_slice(line, 2, line.len), &identity);
        if (parsed.code != ERR_NONE) continue;  // torn
        Str ended = str_printf(&arena, "- %s\n", identity.mark);
        if (str_find(text, ended, 0) != STR_NOT_FOUND) continue;
        err = proc_kill_left_over(&identity, NULL);
    }
    arena_release(&arena);
    return err;
}

static Err open_journal(Host *host) {
    const HostOptions *options = &host->options;
    host->journal = -1;
    if (options->mode != HOST_REAL || options->work_folder.len == 0) return err_none();
    host->journal_path = path_join(&host->arena, options->work_folder, STR(".processes"));
    return read_journal(host);
}

static void journal_write(Host *host, Buffer *line) {
    if (host->journal < 0 && host->journal_path.len > 0) {
        Err made = dir_make(str_to_c(&host->arena, host->options.work_folder), 0700);
        if (made.code == ERR_NONE) {
            host->journal =
                open(host->journal_path.ptr,
                     O_WRONLY | O_APPEND | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        }
    }
    if (host->journal < 0) return;
    Err err = file_write_fd(host->journal, buffer_str(line));
    (void)err.code;  // the mark in the environment of the child remains
}

void journal_start(Host *host, const ProcIdentity *identity) {
    Buffer line = {0};
    buffer_add(&line, STR("+ "));
    proc_identity_print(identity, &line);
    buffer_add_char(&line, '\n');
    journal_write(host, &line);
    buffer_release(&line);
}

void journal_end(Host *host, const char *mark) {
    Buffer line = {0};
    buffer_printf(&line, "- %s\n", mark);
    journal_write(host, &line);
    buffer_release(&line);
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
    Err err = open_journal(host);
    if (err.code == ERR_NONE) err = protect(host, open_host, host);
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

// --- the end of an attempt ----------------------------------------------------------------------

static void free_strands(HostTask *task) {
    lua_State *L = task->host->L;
    for (Strand *strand = task->strands; strand != NULL; strand = strand->next) {
        if (strand->L == NULL) continue;
        lua_resetthread(strand->L);
        luaL_unref(L, LUA_REGISTRYINDEX, strand->ref);
        strand->L = NULL;
    }
    luaL_unref(L, LUA_REGISTRYINDEX, task->props_ref);
    luaL_unref(L, LUA_REGISTRYINDEX, task->host_ref);
}

static void task_free(HostTask *task) {
    free_strands(task);
    while (task->waits != NULL) wait_free(task->waits);
    workdir_close(task);
    loop_timer_free(task->timeout);
    loop_timer_free(task->kill_limit);
    arena_release(&task->call);
    arena_release(&task->arena);
    heap_free(task);
}

static void tell_end(HostTask *task) {
    Host *host = task->host;
    HostTask **at = &host->first;
    while (*at != task) at = &(*at)->next;
    *at = task->next;
    task->is_over = true;
    workdir_close(task);
    HostResult result = {
        .is_ok = task->is_ok && !task->is_cancelled,
        .is_killed = task->is_cancelled && !task->is_timeout,
        .is_timeout = task->is_timeout,
        .state = task->state,
        .message = task->message,
        .error_class = task->is_ok ? STR("") : task->error_class,
        .retry_after_ms = task->retry_after_ms,
        .has_begun = task->has_begun,
        .exit_code = task->exit_code,
        .outputs = task->is_timeout ? value_map(&task->arena) : task->outputs,
        .metrics = task->metrics,
        .effects = task->effects,
    };
    task->start.callbacks.ended(task->start.callbacks.self, task, &result);
    if (task->is_starting) {
        task->is_ended_early = true;  // host_start frees it
    } else {
        task_free(task);
    }
}

// Ends the attempt where nothing of it is left.
static void task_step(HostTask *task) {
    if (task->is_over || task->busy > 0) return;
    if (task->killer != NULL && !task->killer->is_over) return;
    if (task->waits != NULL) return;
    bool is_main_over = task->main == NULL || task->main->is_over;
    if (is_main_over || task->is_cancelled) tell_end(task);
}

// The text of the error at the top of a strand that failed.
static void take_error(Strand *strand) {
    HostTask *task = strand->task;
    lua_State *L = strand->L;
    if (strand->budget.spent != LEAF_SPENT_NOTHING) {
        task_fail(task, STR("the task module computed for too long"), STR("permanent"));
        return;
    }
    if (take_failure(L, -1, task)) return;
    LeafError error = {0};
    leaf_take_error(L, &task->arena, &error);
    Str message = error.message.len > 0 ? error.message : STR("the task module failed");
    task_fail(task, message, STR("permanent"));
}

static int take_outputs(lua_State *L) {
    HostTask *task = lua_touserdata(L, 1);
    lua_State *from = lua_touserdata(L, 2);
    lua_settop(L, 0);
    lua_xmove(from, L, 1);
    Value outputs = {0};
    Err err = leaf_to_value(L, 1, &task->arena, &outputs);
    if (err.code != ERR_NONE) luaL_error(L, "outputs: %s", err.text);
    if (outputs.kind != VALUE_MAP) luaL_error(L, "a task returns a map of outputs");
    task_add_outputs(task, outputs);
    return 0;
}

// `run` returned: outputs, or nil with a message and a class.
static void take_results(Strand *strand, int count) {
    HostTask *task = strand->task;
    lua_State *thread = strand->L;
    int first = lua_gettop(thread) - count + 1;
    if (count >= 2 && lua_isnil(thread, first) && lua_type(thread, first + 1) == LUA_TSTRING) {
        Str error_class = STR("permanent");
        if (count >= 3 && lua_type(thread, first + 2) == LUA_TSTRING) {
            error_class = check_text(thread, first + 2, "class");
        }
        task_fail(task, check_text(thread, first + 1, "message"), error_class);
        return;
    }
    task->is_ok = true;
    if (count == 0 || lua_isnil(thread, first)) return;
    lua_settop(thread, first);
    lua_State *L = task->host->L;
    lua_pushcfunction(L, take_outputs);
    lua_pushlightuserdata(L, task);
    lua_pushlightuserdata(L, thread);
    if (lua_pcall(L, 2, 0, 0) == LUA_OK) return;
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "outputs";
    task_fail(task, str_from(text), STR("permanent"));
    lua_pop(L, 1);
}

static int start_main(lua_State *L);

// What `recover` returned: outputs, a failure, or the wish to have `run` called.
static bool wants_again(Strand *strand, int count) {
    HostTask *task = strand->task;
    if (!task->is_recovering || count == 0) return false;
    lua_State *L = strand->L;
    int first = lua_gettop(L) - count + 1;
    lua_rawgeti(L, LUA_REGISTRYINDEX, task->host->again_ref);
    bool is_again = lua_rawequal(L, first, -1) != 0;
    lua_pop(L, 1);
    return is_again;
}

static void main_over(Strand *strand, int status, int result_count) {
    HostTask *task = strand->task;
    if (status != LUA_OK) {
        take_error(strand);
        return;
    }
    if (wants_again(strand, result_count)) {
        task->is_recovering = false;
        Err err = protect(task->host, start_main, task);
        if (err.code != ERR_NONE) task_fail(task, str_from(err.text), STR("permanent"));
        return;
    }
    take_results(strand, result_count);
}

static void killer_over(Strand *strand, int status, int result_count) {
    (void)result_count;
    if (status == LUA_OK) return;
    HostTask *task = strand->task;
    Str text = STR("'kill' of the task module failed");
    if (strand->budget.spent == LEAF_SPENT_NOTHING && lua_type(strand->L, -1) == LUA_TSTRING) {
        text = check_text(strand->L, -1, "error");
    }
    task_log(task, LOG_WARN, text);
}

// --- the beginning of an attempt ----------------------------------------------------------------

static void set_text(lua_State *L, const char *name, Str text) {
    if (text.len == 0) return;
    push_str(L, text);
    lua_setfield(L, -2, name);
}

static void push_context(lua_State *L, const HostTask *task) {
    const HostStart *start = &task->start;
    const HostOptions *options = &task->host->options;
    lua_newtable(L);
    if (start->context.kind == VALUE_MAP) {
        for (uint32_t i = 0; i < start->context.as.map->count; i++) {
            const ValueMember *member = &start->context.as.map->members[i];
            push_str(L, member->key);
            leaf_push_value(L, member->value);
            lua_rawset(L, -3);
        }
    }
    set_text(L, "execution_id", options->execution_id);
    set_text(L, "namespace", options->flow_namespace);
    set_text(L, "flow_id", options->flow_id);
    set_text(L, "task_id", start->task_id);
    set_text(L, "task_type", start->task_type);
    set_text(L, "task_run_id", start->run_id);
    set_text(L, "value", start->value);
    set_text(L, "idempotency_key", start->idempotency_key);
    lua_pushinteger(L, start->attempt);
    lua_setfield(L, -2, "attempt");
    lua_pushstring(L, options->mode == HOST_REAL ? "run" : "plan");
    lua_setfield(L, -2, "mode");
    if (start->timeout_ms > 0) {
        lua_pushinteger(L, options->clock->wall_ms(options->clock->self) + start->timeout_ms);
        lua_setfield(L, -2, "deadline");
    }
}

// props and host of a task, kept for run, recover and kill.
static void push_arguments(lua_State *L, HostTask *task) {
    if (task->props_ref == LUA_NOREF) {
        Value props = value_map(&task->arena);
        Value given = task->start.props;
        for (uint32_t i = 0; given.kind == VALUE_MAP && i < given.as.map->count; i++) {
            const ValueMember *member = &given.as.map->members[i];
            if (member->value.kind == VALUE_NULL) continue;
            value_map_set(&task->arena, props, member->key, member->value);
        }
        leaf_push_value(L, props);
        task->props_ref = luaL_ref(L, LUA_REGISTRYINDEX);
        lua_newtable(L);
        push_context(L, task);
        lua_setfield(L, -2, "context");
        lua_createtable(L, 0, 1);
        lua_rawgeti(L, LUA_REGISTRYINDEX, task->host->api_ref);
        lua_setfield(L, -2, "__index");
        lua_setmetatable(L, -2);
        task->host_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, task->props_ref);
    lua_rawgeti(L, LUA_REGISTRYINDEX, task->host_ref);
}

static void push_last(lua_State *L, const HostTask *task) {
    lua_newtable(L);
    lua_pushinteger(L, task->start.attempt);
    lua_setfield(L, -2, "attempt");
    leaf_push_value(L, task->checkpoint);
    lua_setfield(L, -2, "checkpoint");
}

// Makes a strand that will call the module's function `name` and has its arguments on its stack.
static Strand *prepare(lua_State *L, HostTask *task, const char *name) {
    push_module(L, task->host, task->start.module);
    if (lua_type(L, -1) != LUA_TTABLE) {
        luaL_error(L, "the module of '%s' declares no task",
                   str_to_c(&task->arena, task->start.task_type));
    }
    if (lua_getfield(L, -1, name) != LUA_TFUNCTION) {
        lua_pop(L, 2);
        return NULL;
    }
    Strand *strand = strand_new(L, task);
    push_arguments(L, task);
    if (strcmp(name, "run") != 0 && strcmp(name, "plan") != 0) push_last(L, task);
    luaL_checkstack(strand->L, 8, NULL);
    return strand;
}

static int start_main(lua_State *L) {
    HostTask *task = lua_touserdata(L, 1);
    lua_settop(L, 0);
    const char *name = "run";
    if (task->is_recovering) name = "recover";
    Strand *strand = NULL;
    if (task->host->options.mode == HOST_PLAN_LIVE) {
        strand = prepare(L, task, "plan");
        task->may_read = strand != NULL;
    }
    if (strand == NULL) strand = prepare(L, task, name);
    if (strand == NULL && task->is_recovering) {
        task->is_recovering = false;
        strand = prepare(L, task, "run");
    }
    if (strand == NULL) luaL_error(L, "the module has no 'run'");
    // On the stack: the declaration, the function, its arguments.
    int arguments = lua_gettop(L) - 2;
    lua_xmove(L, strand->L, arguments + 1);
    strand->ended = main_over;
    task->main = strand;
    strand_resume(strand, arguments);
    return 0;
}

static int start_killer(lua_State *L) {
    HostTask *task = lua_touserdata(L, 1);
    lua_settop(L, 0);
    Strand *strand = prepare(L, task, "kill");
    if (strand == NULL) return 0;
    int arguments = lua_gettop(L) - 2;
    lua_xmove(L, strand->L, arguments + 1);
    strand->ended = killer_over;
    task->killer = strand;
    strand_resume(strand, arguments);
    return 0;
}

static void on_timeout(void *self) {
    HostTask *task = self;
    host_cancel(task, STR("timeout"), true);
}

static HostTask *task_new(Host *host, const HostStart *start) {
    HostTask *task = heap_alloc(1, sizeof *task);
    Arena *arena = &task->arena;
    task->host = host;
    task->start = *start;
    HostStart *own = &task->start;
    own->task_id = str_dup(arena, start->task_id);
    own->task_type = str_dup(arena, start->task_type);
    own->run_id = str_dup(arena, start->run_id);
    own->value = str_dup(arena, start->value);
    own->idempotency_key = str_dup(arena, start->idempotency_key);
    own->workdir = str_dup(arena, start->workdir);
    own->props = value_copy(arena, start->props);
    own->context = value_copy(arena, start->context);
    task->props_ref = task->host_ref = LUA_NOREF;
    task->workdir_fd = -1;
    task->exit_code = -1;
    task->retry_after_ms = -1;
    task->outputs = value_map(arena);
    task->metrics = value_list(arena);
    task->effects = value_list(arena);
    task->error_class = STR("permanent");
    task->next = host->first;
    host->first = task;
    if (start->timeout_ms > 0) {
        task->timeout = loop_timer_new(host->options.loop, on_timeout, task);
        loop_timer_start(task->timeout, start->timeout_ms);
    }
    return task;
}

static HostTask *task_run(HostTask *task) {
    task->is_starting = true;
    task_enter(task);
    Err err = protect(task->host, start_main, task);
    if (err.code != ERR_NONE) {
        task_fail(task, str_from(err.text), STR("permanent"));
        if (task->main != NULL) task->main->is_over = true;
    }
    task_leave(task);
    task->is_starting = false;
    if (!task->is_ended_early) return task;
    task_free(task);
    return NULL;
}

HostTask *host_start(Host *host, const HostStart *start) {
    return task_run(task_new(host, start));
}

HostTask *host_recover(Host *host, const HostStart *start, Value checkpoint) {
    HostTask *task = task_new(host, start);
    task->is_recovering = true;
    task->checkpoint = value_copy(&task->arena, checkpoint);
    return task_run(task);
}

// --- stopping -----------------------------------------------------------------------------------

static void end_waits(HostTask *task, const Strand *but) {
    for (Wait *wait = task->waits, *next = NULL; wait != NULL; wait = next) {
        next = wait->next;
        if (wait->strand == but && but != NULL) continue;
        if (wait->cancel(wait)) wait_free(wait);
    }
}

static void kill_is_late(void *self) {
    HostTask *task = self;
    task_log(task, LOG_WARN, STR("'kill' of the task module took too long"));
    task_enter(task);
    if (task->killer != NULL) task->killer->is_over = true;
    end_waits(task, NULL);
    task_leave(task);
}

void host_cancel(HostTask *task, Str reason, bool is_timeout) {
    if (task->is_cancelled || task->is_over) return;
    task_enter(task);
    task->is_cancelled = true;
    task->is_timeout = is_timeout;
    if (is_timeout) {
        task->message =
            str_printf(&task->arena, "timeout after %lld ms", (long long)task->start.timeout_ms);
        task->error_class = STR("transient");
    } else {
        task->message = mask_plain(task, reason, &task->arena);
    }
    if (task->timeout != NULL) loop_timer_stop(task->timeout);
    if (!is_planning(task)) {
        Err err = protect(task->host, start_killer, task);
        if (err.code != ERR_NONE) task_log(task, LOG_WARN, str_from(err.text));
    }
    if (task->killer != NULL && !task->killer->is_over) {
        task->kill_limit = loop_timer_new(task->host->options.loop, kill_is_late, task);
        loop_timer_start(task->kill_limit, KILL_MS);
    }
    end_waits(task, task->killer);
    task_leave(task);
}

void *host_task_user(const HostTask *task) {
    return task->start.user;
}

// --- recovery -----------------------------------------------------------------------------------

typedef struct Question {
    Host *host;
    uint32_t module;
    Value props;
    HostRecovery answer;
} Question;

static int ask_recovery(lua_State *L) {
    Question *question = lua_touserdata(L, 1);
    push_module(L, question->host, question->module);
    if (lua_type(L, -1) != LUA_TTABLE) return 0;
    if (push_function(L, -1, "recover")) {
        question->answer = HOST_CALL_RECOVER;
        return 0;
    }
    if (!push_function(L, -1, "idempotent")) return 0;
    leaf_push_value(L, question->props);
    lua_call(L, 1, 1);
    const char *word = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "no";
    if (strcmp(word, "yes") == 0) question->answer = HOST_RERUN;
    if (strcmp(word, "keyed") == 0) question->answer = HOST_RERUN_KEYED;
    return 0;
}

bool task_is_keyed(lua_State *L, HostTask *task) {
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

HostRecovery host_recovery(Host *host, uint32_t module, Value props) {
    // What has no effects may always run again.
    if (host->options.artifact->plan.modules[module].effects == 0) return HOST_RERUN;
    Question question = {host, module, props, HOST_ASK};
    Err err = protect(host, ask_recovery, &question);
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
        task_free(task);
    }
    if (host->owns_net) net_free(host->net);
    if (host->journal >= 0) close(host->journal);
    if (host->journal_path.len > 0 && (was_clean || host->owns_procs)) {
        unlink(host->journal_path.ptr);
    }
    arena_release(&host->arena);
    heap_free(host);
}
