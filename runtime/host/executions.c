// executions.c - host.executions: those of this state directory, as tasks that count and purge see
// them.
#include "host/internal.h"
#include "store/store.h"

enum { EXECUTIONS_MAX = 1000000 };  // of one answer; what is older is not seen

static void add(Arena *arena, Value map, const char *name, Value value) {
    value_map_set(arena, map, str_from(name), value);
}

// executions.list{namespace, flow, state, since}: the newest first; `since` and times in ms.
static int list(lua_State *L) {
    static const char *const known[] = {"namespace", "flow", "state", "since", NULL};
    HostTask *task = call_begin(L);
    Arena *arena = &task->call;
    Value fields = check_fields(L, 1, arena, "executions.list", known);
    StoreFilter filter = {
        .flow_namespace = value_map_get_text(fields, STR("namespace"), (Str){0}),
        .flow_id = value_map_get_text(fields, STR("flow"), (Str){0}),
        .state = value_map_get_text(fields, STR("state"), (Str){0}),
        .since_ms = value_map_get_int(fields, STR("since"), 0),
        .limit = EXECUTIONS_MAX,
    };
    Store *store = task->host->options.store;
    StoreExecution *rows = NULL;
    uint32_t count = 0;
    Value out = value_list(arena);
    if (store != NULL && !is_planning(task)) {
        Err err = store_list(store, &filter, arena, &rows, &count);
        if (err.code != ERR_NONE) return push_failure(L, &err, NULL);
    }
    for (uint32_t i = 0; i < count; i++) {
        Value row = value_map(arena);
        add(arena, row, "id", value_text(rows[i].id));
        add(arena, row, "namespace", value_text(rows[i].flow_namespace));
        add(arena, row, "flow", value_text(rows[i].flow_id));
        add(arena, row, "state", value_text(rows[i].state));
        add(arena, row, "created", value_int(rows[i].created_ms));
        add(arena, row, "ended", value_int(rows[i].ended_ms));
        value_list_add(arena, out, row);
    }
    leaf_push_value(L, out);
    return 1;
}

// executions.delete(id): true, or false for one that a process still runs.
static int delete_one(lua_State *L) {
    HostTask *task = call_begin(L);
    Str id = check_text(L, 1, "id");
    Value description = value_map(&task->call);
    add(&task->call, description, "effect", value_text(STR("kv")));
    add(&task->call, description, "op", value_text(STR("delete execution")));
    add(&task->call, description, "key", value_text(id));
    bool is_gone = true;
    if (effect(task, description) && task->host->options.store != NULL) {
        Err err = store_delete_execution(task->host->options.store, id);
        is_gone = err.code == ERR_NONE;
        if (!is_gone && err.code != ERR_CONFLICT) return push_failure(L, &err, NULL);
    }
    lua_pushboolean(L, is_gone);
    return 1;
}

void add_execution_functions(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"list",   list      },
        {"delete", delete_one},
        {NULL,     NULL      }
    };
    add_table(L, "executions", functions);
}
