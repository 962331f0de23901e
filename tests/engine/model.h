// model.h - asks the model (model.lua) whether a run ended as the language says.
//
// The model gets the flow as the tree the test made, not as the plan the engine reads, and the log.
#ifndef FLOW_TESTS_ENGINE_MODEL_H
#define FLOW_TESTS_ENGINE_MODEL_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "engine/driver.h"

static inline lua_State *model_open(void) {
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    if (luaL_dofile(L, FLOW_SOURCE_DIR "/tests/engine/model.lua") != LUA_OK) {
        print_error("%s\n", lua_tostring(L, -1));
        abort();
    }
    return L;
}

static inline void model_write_leaf(Buffer *out, const char *name, ItemLeaf leaf) {
    if (leaf.json == NULL) return;
    if (leaf.is_constant) {
        buffer_printf(out, ",\"%s\":{\"constant\":%s}", name, leaf.json);
    } else {
        buffer_printf(out, ",\"%s\":{}", name);
    }
}

static inline void model_write_list(Buffer *out, const char *name, const ItemList *list);

static inline void model_write_flag(Buffer *out, const Item *item, uint32_t flag,
                                    const char *name) {
    if ((item->flags & flag) != 0) buffer_printf(out, ",\"%s\":true", name);
}

static inline void model_write_item(Buffer *out, const Item *item) {
    buffer_printf(out, "{\"kind\":\"%s\",\"id\":\"%s\",\"limit\":%d", plan_kind_name(item->kind),
                  item->id, item->limit);
    if (item->update == UPDATE_EXIT) buffer_add(out, STR(",\"update\":\"EXIT\""));
    model_write_flag(out, item, NODE_ALLOW_FAILURE, "allowFailure");
    model_write_flag(out, item, NODE_ALLOW_WARNING, "allowWarning");
    model_write_flag(out, item, NODE_WORKDIR, "workdir");
    model_write_flag(out, item, NODE_PAIRS, "pairs");
    model_write_flag(out, item, NODE_WAIT, "wait");
    model_write_flag(out, item, NODE_TRANSMIT_FAILED, "transmitFailed");
    model_write_flag(out, item, NODE_FAIL_ON_MAX, "failOnMax");
    model_write_leaf(out, "a", item->a);
    model_write_leaf(out, "b", item->b);
    model_write_leaf(out, "c", item->c);
    model_write_leaf(out, "props", item->props);
    model_write_leaf(out, "runIf", item->run_if);
    model_write_leaf(out, "timeout", item->timeout);
    if (item->retry != NULL) {
        static const char *const kinds[] = {"CONSTANT", "EXPONENTIAL", "RANDOM"};
        buffer_printf(out,
                      ",\"retry\":{\"kind\":\"%s\",\"maxAttempts\":%d,\"maxDuration\":%lld,"
                      "\"interval\":%lld,\"maxInterval\":%lld,\"delayFactor\":%g,\"warning\":%s,"
                      "\"isNew\":%s}",
                      kinds[item->retry->kind], item->retry->max_attempts,
                      (long long)item->retry->max_duration, (long long)item->retry->interval,
                      (long long)item->retry->max_interval, item->retry->delay_factor,
                      (item->retry->flags & RETRY_WARNING) != 0 ? "true" : "false",
                      (item->retry->flags & RETRY_NEW_EXECUTION) != 0 ? "true" : "false");
    }
    model_write_list(out, "body", &item->body);
    model_write_list(out, "errors", &item->errors);
    model_write_list(out, "finally", &item->finally);
    model_write_list(out, "extra", &item->extra);
    buffer_add(out, STR(",\"cases\":["));
    for (uint32_t i = 0; i < item->case_count; i++) {
        buffer_printf(out, "%s{\"key\":\"%s\"", i > 0 ? "," : "", item->cases[i].key);
        model_write_list(out, "tasks", &item->cases[i].list);
        buffer_add_char(out, '}');
    }
    buffer_add(out, STR("],\"deps\":["));
    for (uint32_t i = 0; i < item->dep_count; i++) {
        buffer_printf(out, "%s\"%s\"", i > 0 ? "," : "", item->deps[i]->id);
    }
    buffer_add(out, STR("]}"));
}

static inline void model_write_list(Buffer *out, const char *name, const ItemList *list) {
    buffer_printf(out, ",\"%s\":[", name);
    for (uint32_t i = 0; i < list->count; i++) {
        if (i > 0) buffer_add_char(out, ',');
        model_write_item(out, list->items[i]);
    }
    buffer_add_char(out, ']');
}

static inline void model_write_plan(Buffer *out, const Flow *flow) {
    static const char *const behaviors[] = {"FAIL", "CANCEL", "NONE"};
    buffer_printf(out, "{\"hasOutputs\":%s,\"slas\":[", flow->has_outputs ? "true" : "false");
    for (uint32_t i = 0; i < flow->sla_count; i++) {
        const PlanSla *sla = &flow->slas[i];
        buffer_printf(out, "%s{\"kind\":\"%s\",\"behavior\":\"%s\",\"duration\":%lld}",
                      i > 0 ? "," : "", sla->kind == 0 ? "DURATION" : "ASSERTION",
                      behaviors[sla->behavior], (long long)sla->duration);
    }
    buffer_add(out, STR("],\"root\":"));
    model_write_item(out, flow->root);
    buffer_add_char(out, '}');
}

// What the model objects to, in the driver's arena; NULL: nothing.
static inline const char *model_check(lua_State *L, Str plan, Driver *driver) {
    Buffer text = {0};
    for (uint32_t i = 0; i < driver->log.count; i++) {
        const Logged *logged = &driver->log.items[i];
        buffer_printf(&text, "%lld %s " STR_FMT "\n", (long long)logged->time_ms,
                      event_kind_name(logged->kind), STR_ARG(logged->body));
    }
    lua_pushvalue(L, -1);
    lua_pushlstring(L, plan.ptr, plan.len);
    lua_pushlstring(L, text.ptr, text.len);
    text.len = 0;
    TaskRunView view;
    for (uint32_t i = 0; engine_run_at(driver->engine, i, &view); i++) {
        char id[33];
        run_id_print(view.id, id);
        buffer_printf(&text, "%s %s %d\n", id, state_name(view.state), view.attempts);
    }
    lua_pushstring(L, state_name(engine_state(driver->engine)));
    lua_pushlstring(L, text.ptr == NULL ? "" : text.ptr, text.len);
    buffer_release(&text);
    const char *says = NULL;
    bool is_broken = lua_pcall(L, 4, 1, 0) != LUA_OK;
    if (is_broken || !lua_isnil(L, -1)) {
        says = str_to_c(&driver->arena, str_from(lua_tostring(L, -1)));
    }
    lua_pop(L, 1);
    return says;
}

#endif
