// attempt.c - one attempt from start to end: its strands, its results, its stop.
//
// An attempt ends once its main strand is over and nothing of it is under way; then its processes
// are gone, its requests closed, its working directory removed.
#include "host/internal.h"

#include <string.h>

#include "base/wiped.h"

// --- what a task says ---------------------------------------------------------------------------

// What a module found out for a plan is a step of it.
static void add_finding(HostTask *task, Str text) {
    Value finding = value_map(&task->arena);
    value_map_set(&task->arena, finding, STR("effect"), value_text(STR("finding")));
    value_map_set(&task->arena, finding, STR("message"),
                  value_text(mask_plain(task, text, &task->arena)));
    value_list_add(&task->arena, task->effects, finding);
}

void host_task_log(HostTask *task, int level, Str text) {
    if (task->may_read && level >= LOG_INFO) add_finding(task, text);
    if (level < task->start.log_level || task->start.callbacks.log == NULL) return;
    Buffer masked = {0};
    masker_apply(task->host->options.masker, text, &masked);
    task->start.callbacks.log(task->start.callbacks.self, task, level, buffer_str(&masked));
    buffer_release(&masked);
}

void host_task_fail(HostTask *task, Str message, Str error_class) {
    if (task->is_cancelled) return;  // the reason for that stands
    task->is_ok = false;
    task->message = mask_plain(task, message, &task->arena);
    task->error_class = str_dup(&task->arena, error_class);
}

void host_task_add_outputs(HostTask *task, Value outputs) {
    if (outputs.kind != VALUE_MAP) return;
    for (uint32_t i = 0; i < outputs.as.map->count; i++) {
        const ValueMember *member = &outputs.as.map->members[i];
        value_map_set(&task->arena, task->outputs, str_dup(&task->arena, member->key),
                      mask_value(task, member->value, &task->arena));
    }
}

void host_task_add_metric(HostTask *task, Str name, Str type, Value value, Value tags) {
    Value metric = value_map(&task->arena);
    value_map_set(&task->arena, metric, STR("name"), value_text(str_dup(&task->arena, name)));
    value_map_set(&task->arena, metric, STR("type"), value_text(str_dup(&task->arena, type)));
    value_map_set(&task->arena, metric, STR("value"), value_copy(&task->arena, value));
    if (tags.kind == VALUE_MAP && tags.as.map->count > 0) {
        value_map_set(&task->arena, metric, STR("tags"), mask_value(task, tags, &task->arena));
    }
    value_list_add(&task->arena, task->metrics, metric);
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

void host_task_free(HostTask *task) {
    free_strands(task);
    while (task->waits != NULL) wait_drop(task->waits);
    workdir_close(task);
    loop_timer_free(task->timeout);
    loop_timer_free(task->kill_limit);
    arena_release(&task->call);
    arena_release(&task->checkpoint_arena);
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
    Value spent = value_list(&task->arena);
    if (task->kept.len > 0) {
        value_list_add(&task->arena, spent, value_text(task->kept));
        bool is_own = task->start.workdir.len == 0 && task->workdir.len > 0;
        if (is_own) value_list_add(&task->arena, spent, value_text(task->workdir));
    }
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
        .is_unknown = task->is_unknown && !task->is_cancelled,
        .spent = spent,
    };
    task->start.callbacks.ended(task->start.callbacks.self, task, &result);
    if (task->is_starting) {
        task->is_ended_early = true;  // host_start frees it
    } else {
        host_task_free(task);
    }
}

// Ends the attempt where nothing of it is left.
void host_task_step(HostTask *task) {
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
        host_task_fail(task, STR("the task module computed for too long"), STR("permanent"));
        return;
    }
    if (take_failure(L, -1, task)) return;
    LeafError error = {0};
    leaf_take_error(L, &task->arena, &error);
    Str message = error.message.len > 0 ? error.message : STR("the task module failed");
    host_task_fail(task, message, STR("permanent"));
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
    host_task_add_outputs(task, outputs);
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
        host_task_fail(task, check_text(thread, first + 1, "message"), error_class);
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
    host_task_fail(task, str_from(text), STR("permanent"));
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
        Err err = host_protect(task->host, start_main, task);
        if (err.code != ERR_NONE) host_task_fail(task, str_from(err.text), STR("permanent"));
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
    host_task_log(task, LOG_WARN, text);
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
    task->call.allocator = &wiped_allocator;
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
    own->shared = value_copy(arena, start->shared);
    own->shared_task = str_dup(arena, start->shared_task);
    own->shared_value = str_dup(arena, start->shared_value);
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

// What a WorkingDirectory holds before its first task. A process that was kept works in it already.
static Err lay_out(HostTask *task) {
    if (value_map_get(task->checkpoint, STR("kept")) != NULL) return err_none();
    const Value *inputs = value_map_get(task->start.shared, STR("inputFiles"));
    const Value *names = value_map_get(task->start.shared, STR("namespaceFiles"));
    uint32_t count = 0;
    if (names != NULL) TRY(write_namespace_files(task, *names, &task->arena, &count));
    if (inputs != NULL) TRY(write_input_files(task, *inputs, &task->arena));
    const Value *cache = value_map_get(task->start.shared, STR("cache"));
    if (cache == NULL || cache->kind != VALUE_MAP) return err_none();
    TRY(workdir_open(task));
    return cache_restore(task, task->start.shared_task, task->start.shared_value, *cache,
                         &task->arena);
}

static HostTask *task_run(HostTask *task) {
    task->is_starting = true;
    host_task_enter(task);
    Err err = lay_out(task);
    if (err.code == ERR_NONE) err = host_protect(task->host, start_main, task);
    if (err.code != ERR_NONE) {
        host_task_fail(task, str_from(err.text), STR("permanent"));
        if (task->main != NULL) task->main->is_over = true;
    }
    host_task_leave(task);
    task->is_starting = false;
    if (!task->is_ended_early) return task;
    host_task_free(task);
    return NULL;
}

HostTask *host_start(Host *host, const HostStart *start) {
    return task_run(task_new(host, start));
}

HostTask *host_recover(Host *host, const HostStart *start, Value checkpoint) {
    HostTask *task = task_new(host, start);
    task->is_recovering = true;
    task->checkpoint = value_copy(&task->checkpoint_arena, checkpoint);
    return task_run(task);
}

HostTask *host_kill(Host *host, const HostStart *start, Value checkpoint, Str reason) {
    HostTask *task = task_new(host, start);
    task->checkpoint = value_copy(&task->checkpoint_arena, checkpoint);
    task->is_starting = true;
    task->has_begun = true;
    task->error_class = STR("ambiguous");  // how far it came nobody knows
    host_cancel(task, reason, false);
    task->is_starting = false;
    if (!task->is_ended_early) return task;
    host_task_free(task);
    return NULL;
}

// --- stopping -----------------------------------------------------------------------------------

static void end_waits(HostTask *task, const Strand *but) {
    for (Wait *wait = task->waits, *next = NULL; wait != NULL; wait = next) {
        next = wait->next;
        if (wait->strand == but && but != NULL) continue;
        if (wait->cancel(wait)) wait_drop(wait);
    }
}

static void kill_is_late(void *self) {
    HostTask *task = self;
    host_task_log(task, LOG_WARN, STR("'kill' of the task module took too long"));
    host_task_enter(task);
    if (task->killer != NULL) task->killer->is_over = true;
    end_waits(task, NULL);
    host_task_leave(task);
}

void host_cancel(HostTask *task, Str reason, bool is_timeout) {
    if (task->is_cancelled || task->is_over) return;
    host_task_enter(task);
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
        Err err = host_protect(task->host, start_killer, task);
        if (err.code != ERR_NONE) host_task_log(task, LOG_WARN, str_from(err.text));
    }
    if (task->killer != NULL && !task->killer->is_over) {
        task->kill_limit = loop_timer_new(task->host->options.loop, kill_is_late, task);
        loop_timer_start(task->kill_limit, KILL_MS);
    }
    end_waits(task, task->killer);
    host_task_leave(task);
}

void *host_task_user(const HostTask *task) {
    return task->start.user;
}
