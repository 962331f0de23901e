// update.c - tasks that change the execution itself: Labels, SetVariables, UnsetVariables, Exit
// (flow-language.md 4.5). The event records the change, not the result, so its size does not grow
// with what is there already.
#include "engine/inner.h"

// A list or map, also where it was rendered to JSON text.
static bool read_json(Engine *engine, const Value *value, ValueKind kind, Value *out) {
    if (value == NULL) return false;
    *out = *value;
    if (value->kind == VALUE_TEXT &&
        json_parse(value->as.text, (JsonLimits){0}, engine->turn.arena, out).code != ERR_NONE) {
        return false;
    }
    return out->kind == kind;
}

static bool read_flag(Engine *engine, Value props, Str key, bool otherwise) {
    const Value *value = turn_member(props, key);
    return value == NULL ? otherwise : turn_is_true(engine, *value);
}

static void succeed(Engine *engine, uint32_t number) {
    run_set_state(engine, number, STATE_SUCCESS, (Str){0});
}

// Labels as a map of texts: from a map, a list of {key, value}, or JSON text of either.
static bool read_labels(Engine *engine, Value props, Value *out, Str *why) {
    Arena *arena = engine->turn.arena;
    const Value *given = turn_member(props, STR("labels"));
    Value source = value_null();
    *out = value_map(arena);
    *why = STR("labels must be a map, or a list of maps with key and value");
    if (given == NULL) return false;
    if (!read_json(engine, given, VALUE_MAP, &source) && source.kind != VALUE_LIST) return false;
    uint32_t count = source.kind == VALUE_MAP ? source.as.map->count : source.as.list->count;
    for (uint32_t i = 0; i < count; i++) {
        Str key;
        Value value = value_null();
        if (source.kind == VALUE_MAP) {
            key = source.as.map->members[i].key;
            value = source.as.map->members[i].value;
        } else {
            key = value_map_get_text(source.as.list->items[i], STR("key"), (Str){0});
            const Value *found = value_map_get(source.as.list->items[i], STR("value"));
            if (found != NULL) value = *found;
        }
        if (key.len == 0) return false;
        if (str_starts_with(key, STR("system."))) {
            *why = str_printf(arena, "label '" STR_FMT "' is reserved", STR_ARG(key));
            return false;
        }
        value_map_set(arena, *out, key, value_text(value_to_text(arena, value)));
    }
    return true;
}

static void set_labels(Engine *engine, uint32_t number, Value props) {
    Value labels;
    Str why;
    if (!read_labels(engine, props, &labels, &why)) {
        run_fail(engine, number, why);
        return;
    }
    RunId id = run_of(engine, number)->id;
    turn_decide(engine, (Event){.kind = EVENT_LABELS, .run = id, .value = labels});
    succeed(engine, number);
}

static void set_variables(Engine *engine, uint32_t number, Value props) {
    Arena *arena = engine->turn.arena;
    Value set;
    if (!read_json(engine, turn_member(props, STR("variables")), VALUE_MAP, &set)) {
        run_fail(engine, number, STR("variables must be a map"));
        return;
    }
    bool overwrites = read_flag(engine, props, STR("overwrite"), true);
    for (uint32_t i = 0; !overwrites && i < set.as.map->count; i++) {
        Str key = set.as.map->members[i].key;
        if (value_map_get(engine->variables, key) == NULL) continue;
        run_fail(engine, number,
                 str_printf(arena, "variable '" STR_FMT "' exists and overwrite is false",
                            STR_ARG(key)));
        return;
    }
    Value change = value_map(arena);
    value_map_set(arena, change, STR("set"), set);
    RunId id = run_of(engine, number)->id;
    turn_decide(engine, (Event){.kind = EVENT_VARS, .run = id, .value = change});
    succeed(engine, number);
}

static bool has_variable(const Engine *engine, Str path) {
    Value at = engine->variables;
    Str part;
    while (str_split(&path, '.', &part)) {
        const Value *inner = value_map_get(at, part);
        if (inner == NULL) return false;
        at = *inner;
    }
    return true;
}

static void unset_variables(Engine *engine, uint32_t number, Value props) {
    Arena *arena = engine->turn.arena;
    Value list;
    if (!read_json(engine, turn_member(props, STR("variables")), VALUE_LIST, &list)) {
        run_fail(engine, number, STR("variables must be a list of names"));
        return;
    }
    bool ignores = read_flag(engine, props, STR("ignoreMissing"), false);
    Value names = value_list(arena);
    for (uint32_t i = 0; i < list.as.list->count; i++) {
        Str name = value_to_text(arena, list.as.list->items[i]);
        if (!ignores && !has_variable(engine, name)) {
            run_fail(engine, number,
                     str_printf(arena, "variable '" STR_FMT "' does not exist", STR_ARG(name)));
            return;
        }
        value_list_add(arena, names, value_text(name));
    }
    Value change = value_map(arena);
    value_map_set(arena, change, STR("unset"), names);
    RunId id = run_of(engine, number)->id;
    turn_decide(engine, (Event){.kind = EVENT_VARS, .run = id, .value = change});
    succeed(engine, number);
}

static void exit_execution(Engine *engine, uint32_t number, Value props) {
    const Value *given = turn_member(props, STR("state"));
    Str name = given == NULL ? STR("SUCCESS") : value_to_text(engine->turn.arena, *given);
    if (str_eq(name, STR("CANCELED"))) name = STR("CANCELLED");
    State state = STATE_NONE;
    bool is_known = state_from(name, &state) &&
                    (state == STATE_SUCCESS || state == STATE_WARNING || state == STATE_KILLED ||
                     state == STATE_FAILED || state == STATE_CANCELLED);
    if (!is_known) {
        run_fail(engine, number,
                 str_printf(engine->turn.arena,
                            "state '" STR_FMT
                            "' is none of SUCCESS, WARNING, KILLED, FAILED, CANCELLED",
                            STR_ARG(name)));
        return;
    }
    RunId id = run_of(engine, number)->id;
    turn_decide(engine, (Event){.kind = EVENT_ENDING,
                                .run = id,
                                .state = state,
                                .index = state == STATE_KILLED,
                                .text = STR("an Exit task ended the execution")});
    run_set_state(engine, number, state, (Str){0});
}

void update_begin(Engine *engine, uint32_t number) {
    const PlanNode *node = node_of(engine, run_of(engine, number));
    Value props;
    if (turn_need(engine, number, SLOT_PROPS, node->leaf_props, &props) != NEED_READY) return;
    switch ((NodeUpdate)node->update) {
    case UPDATE_LABELS:
        set_labels(engine, number, props);
        break;
    case UPDATE_SET_VARIABLES:
        set_variables(engine, number, props);
        break;
    case UPDATE_UNSET_VARIABLES:
        unset_variables(engine, number, props);
        break;
    case UPDATE_EXIT:
        exit_execution(engine, number, props);
        break;
    case UPDATE_NONE:
        succeed(engine, number);
        break;
    }
}
