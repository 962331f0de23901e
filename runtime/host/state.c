// state.c - what a task says and asks: log, metrics, outputs, failure, checkpoints, time, secrets,
// key-value.
#include "host/internal.h"

#include <string.h>

#include "base/codec.h"
#include "store/store.h"
#include "value/time.h"

// --- saying -------------------------------------------------------------------------------------

static int api_log(lua_State *L) {
    HostTask *task = call_begin(L);
    LogLevel level = LOG_INFO;
    Str name = check_text(L, 1, "level");
    if (!log_level_from(name, &level)) {
        return luaL_error(L, "log: unknown level '%s'", lua_tostring(L, 1));
    }
    Value text = check_value(L, 2, &task->call, "log");
    host_task_log(task, (int)level, masked_text(task, text, &task->call));
    return 0;
}

static int api_metric(lua_State *L) {
    HostTask *task = call_begin(L);
    Str name = check_text(L, 1, "name of a metric");
    Str type = check_text(L, 2, "type of a metric");
    if (!str_eq(type, STR("counter")) && !str_eq(type, STR("timer")) &&
        !str_eq(type, STR("gauge"))) {
        return luaL_error(L, "metric: the type must be counter, timer or gauge");
    }
    luaL_checknumber(L, 3);
    Value value = check_value(L, 3, &task->call, "value of a metric");
    host_task_add_metric(task, name, type, value, check_value(L, 4, &task->call, "tags"));
    return 0;
}

static int api_outputs(lua_State *L) {
    HostTask *task = call_begin(L);
    Value outputs = check_value(L, 1, &task->call, "outputs");
    if (outputs.kind != VALUE_MAP) return luaL_error(L, "outputs: a map is needed");
    host_task_add_outputs(task, outputs);
    return 0;
}

// The error object of host.fail: a table with this mark, so that a pcall may pass it on.
static int api_fail(lua_State *L) {
    HostTask *task = call_begin(L);
    Value message = check_value(L, 1, &task->call, "message");
    static const char *const known[] = {"class", "retry_after", "state", NULL};
    Value options = lua_isnoneornil(L, 2) ? value_map(&task->call)
                                          : check_fields(L, 2, &task->call, "fail", known);
    lua_newtable(L);
    push_str(L, masked_text(task, message, &task->call));
    lua_setfield(L, -2, "message");
    for (size_t i = 0; known[i] != NULL; i++) {
        const Value *value = value_map_get(options, str_from(known[i]));
        if (value == NULL) continue;
        leaf_push_value(L, *value);
        lua_setfield(L, -2, known[i]);
    }
    lua_getfield(L, LUA_REGISTRYINDEX, "flow.failure");
    lua_setmetatable(L, -2);
    return lua_error(L);
}

static Str field_text(lua_State *L, const char *name, Arena *arena) {
    Str out = {0};
    lua_pushstring(L, name);
    lua_rawget(L, -2);
    if (lua_type(L, -1) == LUA_TSTRING) out = str_dup(arena, check_text(L, -1, name));
    lua_pop(L, 1);
    return out;
}

bool take_failure(lua_State *L, int index, HostTask *task) {
    if (!lua_checkstack(L, 6) || lua_type(L, index) != LUA_TTABLE) return false;
    if (!lua_getmetatable(L, index)) return false;
    lua_getfield(L, LUA_REGISTRYINDEX, "flow.failure");
    bool is_failure = lua_rawequal(L, -1, -2) != 0;
    lua_pop(L, 2);
    if (!is_failure) return false;
    lua_pushvalue(L, index);
    Str message = field_text(L, "message", &task->arena);
    Str error_class = field_text(L, "class", &task->arena);
    Str state = field_text(L, "state", &task->arena);
    lua_pushliteral(L, "retry_after");
    lua_rawget(L, -2);
    if (lua_isnumber(L, -1)) task->retry_after_ms = (int64_t)(lua_tonumber(L, -1) * 1000);
    lua_pop(L, 2);
    host_task_fail(task, message, error_class.len > 0 ? error_class : STR("permanent"));
    task->state = state;
    task->is_ok = str_eq(state, STR("SUCCESS")) || str_eq(state, STR("WARNING")) ||
                  str_eq(state, STR("SKIPPED"));
    return true;
}

// host.logged() -> how many lines this attempt has logged, also before a crash
static int api_logged(lua_State *L) {
    HostTask *task = call_begin(L);
    const HostCallbacks *callbacks = &task->start.callbacks;
    lua_pushinteger(L, callbacks->logged == NULL ? 0 : callbacks->logged(callbacks->self, task));
    return 1;
}

static int failure_to_text(lua_State *L) {
    lua_getfield(L, 1, "message");
    return 1;
}

static int api_checkpoint(lua_State *L) {
    HostTask *task = call_begin(L);
    Value value = check_value(L, 1, &task->call, "checkpoint");
    if (is_planning(task) || task->start.callbacks.checkpoint == NULL) return 0;
    Err err = task->start.callbacks.checkpoint(task->start.callbacks.self, task, value);
    if (err.code != ERR_NONE) return luaL_error(L, "checkpoint: %s", err.text);
    arena_release(&task->checkpoint_arena);
    task->checkpoint = value_copy(&task->checkpoint_arena, value);  // for `kill`
    return 0;
}

static int api_again(lua_State *L) {
    HostTask *task = call_begin(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, task->host->again_ref);
    return 1;
}

// --- time and chance ----------------------------------------------------------------------------

typedef struct Sleep {
    Wait wait;
    LoopTimer *timer;
} Sleep;

static bool sleep_cancel(Wait *wait) {
    (void)wait;
    return true;
}

static void sleep_release(Wait *wait) {
    loop_timer_free(((Sleep *)wait)->timer);
}

static int sleep_finish(lua_State *L, Wait *wait) {
    (void)L;
    (void)wait;
    return 0;
}

static void sleep_over(void *self) {
    wait_done(self);
}

static int api_sleep(lua_State *L) {
    HostTask *task = call_begin(L);
    lua_Number seconds = luaL_checknumber(L, 1);
    if (!(seconds > 0) || is_planning(task)) return 0;
    if (seconds > 1e9) seconds = 1e9;
    Sleep *sleep = (Sleep *)wait_new(L, sizeof *sleep);
    sleep->wait.cancel = sleep_cancel;
    sleep->wait.release = sleep_release;
    sleep->wait.finish = sleep_finish;
    sleep->timer = loop_timer_new(task->host->options.loop, sleep_over, sleep);
    loop_timer_start(sleep->timer, (int64_t)(seconds * 1000));
    return wait_for(L, &sleep->wait);
}

static int api_now(lua_State *L) {
    const Clock *clock = call_begin(L)->host->options.clock;
    lua_pushinteger(L, clock->wall_ms(clock->self));
    return 1;
}

static int api_random(lua_State *L) {
    const Clock *clock = call_begin(L)->host->options.clock;
    uint64_t bits = 0;
    clock->random(clock->self, &bits, sizeof bits);
    lua_pushnumber(L, (double)(bits >> 11) / 9007199254740992.0);  // 53 bits, below 1
    return 1;
}

static int api_uuid(lua_State *L) {
    const Clock *clock = call_begin(L)->host->options.clock;
    uint8_t bytes[16];
    clock->random(clock->self, bytes, sizeof bytes);
    bytes[6] = (uint8_t)((bytes[6] & 0x0F) | 0x40);
    bytes[8] = (uint8_t)((bytes[8] & 0x3F) | 0x80);
    char text[37];
    size_t at = 0;
    for (size_t i = 0; i < sizeof bytes; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) text[at++] = '-';
        text[at++] = "0123456789abcdef"[bytes[i] >> 4];
        text[at++] = "0123456789abcdef"[bytes[i] & 15];
    }
    lua_pushlstring(L, text, at);
    return 1;
}

static int api_duration(lua_State *L) {
    call_begin(L);
    int64_t nanoseconds = 0;
    Err err = duration_parse(check_text(L, 1, "duration"), true, &nanoseconds);
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    lua_pushnumber(L, (double)nanoseconds / 1e9);
    return 1;
}

static int api_date(lua_State *L) {
    HostTask *task = call_begin(L);
    Buffer text = {0};
    instant_print_ms(&text, luaL_checkinteger(L, 1));
    Str printed = buffer_to_str(&text, &task->call);
    buffer_release(&text);
    push_str(L, printed);
    return 1;
}

static int api_instant(lua_State *L) {
    call_begin(L);
    Str text = check_text(L, 1, "date");
    DateTime date = {0};
    Err err = datetime_parse(text, &date);
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    Instant instant = datetime_to_instant(&date);
    lua_pushinteger(L, instant.seconds * 1000 + instant.nanoseconds / 1000000);
    return 1;
}

// --- items --------------------------------------------------------------------------------------

static int api_item(lua_State *L) {
    HostTask *task = call_begin(L);
    Value item = check_value(L, 1, &task->call, "item");
    const HostCallbacks *callbacks = &task->start.callbacks;
    if (callbacks->item == NULL) return luaL_error(L, "item: the task has no template for items");
    if (item.kind != VALUE_MAP) {
        Value map = value_map(&task->call);
        value_map_set(&task->call, map, STR("value"), item);
        item = map;
    }
    Value out = {0};
    Err err = callbacks->item(callbacks->self, task, item, &task->call, &out);
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    leaf_push_value(L, out);
    return 1;
}

static int api_glob(lua_State *L) {
    call_begin(L);
    bool is_match = false;
    Str pattern = check_text(L, 1, "glob"), text = check_text(L, 2, "text");
    Err err = file_glob_matches(pattern, text, text, &is_match);
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    lua_pushboolean(L, is_match);
    return 1;
}

// --- secrets ------------------------------------------------------------------------------------

static int api_secret(lua_State *L) {
    HostTask *task = call_begin(L);
    Arena *arena = &task->call;
    Value recipe = value_map(arena);
    value_map_set(arena, recipe, STR("op"), value_text(STR("secret")));
    value_map_set(arena, recipe, STR("name"), value_text(check_text(L, 1, "name of a secret")));
    if (!lua_isnoneornil(L, 2)) {
        value_map_set(arena, recipe, STR("namespace"), value_text(check_text(L, 2, "namespace")));
    }
    if (!lua_isnoneornil(L, 3)) {
        value_map_set(arena, recipe, STR("key"), value_text(check_text(L, 3, "subkey")));
    }
    if (task->host->options.secrets == NULL) {
        return push_failure_text(L, STR("there are no secrets here"), STR("permanent"));
    }
    Str plain = {0};
    Err err = secrets_reveal(task->host->options.secrets, &recipe, &plain);
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    leaf_push_value(L, (Value){.kind = VALUE_SECRET, .as.secret = &recipe});
    return 1;
}

// hide(name, text): a text that a service has given, as a secret from now on.
static int api_hide(lua_State *L) {
    HostTask *task = call_begin(L);
    Str name = check_text(L, 1, "name"), plain = check_text(L, 2, "text");
    leaf_push_value(L, make_secret(task->host, name, plain, &task->call));
    return 1;
}

// filter(name, secret, …): what a filter of the language makes of a handle, as a handle.
static int api_filter(lua_State *L) {
    HostTask *task = call_begin(L);
    Value args = value_list(&task->call);
    Str name = str_dup(&task->call, check_text(L, 1, "name of a filter"));
    for (int i = 2; i <= lua_gettop(L); i++) {
        value_list_add(&task->call, args, check_value(L, i, &task->call, "argument"));
    }
    leaf_push_value(L, make_call(&task->call, name, args));
    return 1;
}

// --- key-value ----------------------------------------------------------------------------------

static Str kv_namespace(lua_State *L, int index, const HostTask *task) {
    if (lua_isnoneornil(L, index)) return task->host->options.flow_namespace;
    return check_text(L, index, "namespace");
}

static Value kv_effect(HostTask *task, const char *op, Str space, Str key) {
    Value description = value_map(&task->call);
    value_map_set(&task->call, description, STR("effect"), value_text(STR("kv")));
    value_map_set(&task->call, description, STR("op"), value_text(str_from(op)));
    value_map_set(&task->call, description, STR("namespace"), value_text(space));
    value_map_set(&task->call, description, STR("key"), value_text(key));
    return description;
}

// Kestra's rule; what keeps states apart from keys is a namespace that no flow can have.
static void check_key(lua_State *L, Str key, Str space) {
    bool is_good = key.len > 0 || str_find_char(space, ':', 0) != STR_NOT_FOUND;
    for (size_t i = 0; i < key.len && str_find_char(space, ':', 0) == STR_NOT_FOUND; i++) {
        char c = key.ptr[i];
        bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_word && (i == 0 || (c != '.' && c != '_' && c != '-'))) is_good = false;
    }
    if (is_good) return;
    luaL_error(L,
               "the key '%s' is not possible: letters, digits, '.', '_' and '-', the first one a "
               "letter or digit",
               str_to_c(&strand_of(L)->task->call, key));
}

static int no_store(lua_State *L) {
    return push_failure_text(L, STR("there is no key-value store here"), STR("permanent"));
}

static int kv_get(lua_State *L) {
    HostTask *task = call_begin(L);
    Str key = check_text(L, 1, "key");
    Str space = kv_namespace(L, 2, task);
    check_key(L, key, space);
    if (is_planning(task)) {
        push_str(L, str_printf(&task->call, "<kv." STR_FMT ">", STR_ARG(key)));
        return 1;
    }
    if (task->host->options.store == NULL) return no_store(L);
    Value value = {0};
    Err err = store_kv_get(task->host->options.store, space, key, &task->call, &value);
    if (err.code == ERR_NOT_FOUND) {
        lua_pushnil(L);
        return 1;
    }
    if (err.code != ERR_NONE) return push_failure(L, &err, NULL);
    leaf_push_value(L, value);
    return 1;
}

static int kv_set(lua_State *L) {
    HostTask *task = call_begin(L);
    Str key = check_text(L, 1, "key");
    Value value = check_value(L, 2, &task->call, "value");
    static const char *const known[] = {"namespace", "ttl", "overwrite", NULL};
    Value options = lua_isnoneornil(L, 3) ? value_map(&task->call)
                                          : check_fields(L, 3, &task->call, "kv.set", known);
    Str space = value_map_get_text(options, STR("namespace"), task->host->options.flow_namespace);
    check_key(L, key, space);
    if (value_has_secret(value)) {
        return push_failure_text(L, STR("a secret cannot be written to the key-value store"),
                                 STR("permanent"));
    }
    if (!effect(task, kv_effect(task, "set", space, key))) {
        lua_pushboolean(L, 1);
        return 1;
    }
    if (task->host->options.store == NULL) return no_store(L);
    const Clock *clock = task->host->options.clock;
    const Value *ttl = value_map_get(options, STR("ttl"));
    double seconds = (double)value_map_get_int(options, STR("ttl"), 0);
    if (ttl != NULL && ttl->kind == VALUE_FLOAT) seconds = ttl->as.real;
    int64_t expires = seconds > 0 ? clock->wall_ms(clock->self) + (int64_t)(seconds * 1000) : 0;
    bool overwrite = value_map_get_bool(options, STR("overwrite"), true);
    Err err = store_kv_set(task->host->options.store, space, key, value, expires, overwrite);
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    lua_pushboolean(L, 1);
    return 1;
}

static int kv_delete(lua_State *L) {
    HostTask *task = call_begin(L);
    Str key = check_text(L, 1, "key");
    Str space = kv_namespace(L, 2, task);
    bool was_there = true;
    check_key(L, key, space);
    if (effect(task, kv_effect(task, "delete", space, key))) {
        if (task->host->options.store == NULL) return no_store(L);
        Err err = store_kv_delete(task->host->options.store, space, key, &was_there);
        if (err.code != ERR_NONE) return push_failure(L, &err, NULL);
    }
    lua_pushboolean(L, was_there);
    return 1;
}

static int kv_keys(lua_State *L) {
    HostTask *task = call_begin(L);
    Str prefix = lua_isnoneornil(L, 1) ? (Str){0} : check_text(L, 1, "prefix");
    Str space = kv_namespace(L, 2, task);
    Value keys = value_list(&task->call);
    if (!is_planning(task)) {
        if (task->host->options.store == NULL) return no_store(L);
        Err err = store_kv_keys(task->host->options.store, space, prefix, &task->call, &keys);
        if (err.code != ERR_NONE) return push_failure(L, &err, NULL);
    }
    leaf_push_value(L, keys);
    return 1;
}

// Every key of every namespace, also of those that have ended.
static int kv_entries(lua_State *L) {
    HostTask *task = call_begin(L);
    Value entries = value_list(&task->call);
    if (!is_planning(task)) {
        if (task->host->options.store == NULL) return no_store(L);
        Err err = store_kv_entries(task->host->options.store, &task->call, &entries);
        if (err.code != ERR_NONE) return push_failure(L, &err, NULL);
    }
    leaf_push_value(L, entries);
    return 1;
}

void add_table(lua_State *L, const char *name, const luaL_Reg *functions) {
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
    lua_setfield(L, -2, name);
}

void add_state_functions(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"log",        api_log       },
        {"logs",       api_logs      },
        {"logged",     api_logged    },
        {"metric",     api_metric    },
        {"outputs",    api_outputs   },
        {"fail",       api_fail      },
        {"again",      api_again     },
        {"checkpoint", api_checkpoint},
        {"sleep",      api_sleep     },
        {"now",        api_now       },
        {"random",     api_random    },
        {"uuid",       api_uuid      },
        {"secret",     api_secret    },
        {"filter",     api_filter    },
        {"hide",       api_hide      },
        {"duration",   api_duration  },
        {"date",       api_date      },
        {"instant",    api_instant   },
        {"item",       api_item      },
        {"glob",       api_glob      },
        {NULL,         NULL          },
    };
    static const luaL_Reg kv[] = {
        {"get",     kv_get    },
        {"set",     kv_set    },
        {"delete",  kv_delete },
        {"keys",    kv_keys   },
        {"entries", kv_entries},
        {NULL,      NULL      }
    };
    luaL_setfuncs(L, functions, 0);
    add_table(L, "kv", kv);
    add_execution_functions(L);
    lua_newtable(L);
    lua_pushcfunction(L, failure_to_text);
    lua_setfield(L, -2, "__tostring");
    lua_setfield(L, LUA_REGISTRYINDEX, "flow.failure");
}
