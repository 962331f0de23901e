// loop.c - ForEach, Loop and LoopUntil (flow-language.md 4.2, 4.3).
//
// ForEach drops duplicates and keys its iterations by the value's text. An iteration advances when
// its previous task has ended; a free slot goes to the first iteration that has something to start,
// else to the next value. Loop drops nothing, its iterations are isolated: each ends by itself with
// a state and outputs of its own. Of LoopUntil only the last pass is there.
#include "engine/inner.h"

#include <string.h>

#include "value/convert.h"

// --- values -------------------------------------------------------------------------------------

typedef struct Seen {
    uint32_t *slots;  // number of the value + 1
    uint32_t size;
} Seen;

static bool is_new_value(Seen *seen, const Str *values, uint32_t count, Str text) {
    uint32_t at = str_hash(text) & (seen->size - 1);
    for (; seen->slots[at] != 0; at = (at + 1) & (seen->size - 1)) {
        if (str_eq(values[seen->slots[at] - 1], text)) return false;
    }
    seen->slots[at] = count + 1;
    return true;
}

// Whole numbers, each above the one before: no two are the same.
static bool are_rising(const ValueList *list) {
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->items[i].kind != VALUE_INT) return false;
        if (i > 0 && list->items[i].as.integer <= list->items[i - 1].as.integer) return false;
    }
    return true;
}

// The list in what was rendered: a list, or JSON text of one; Loop takes maps too.
static bool find_items(Engine *engine, const Run *run, Value *value, Str *why) {
    Arena *arena = engine->turn.arena;
    if (value->kind == VALUE_TEXT) {
        Str text = value->as.text;
        Err err = json_parse(text, (JsonLimits){0}, arena, value);
        if (err.code != ERR_NONE) {
            *why = str_printf(arena, "values '" STR_FMT "' are no JSON list: %s",
                              STR_ARG(str_slice(text, 0, 60)), err.text);
            return false;
        }
    }
    bool takes_maps = node_of(engine, run)->kind == NODE_LOOP;
    if (value->kind == VALUE_LIST || (takes_maps && value->kind == VALUE_MAP)) return true;
    *why = str_printf(arena, "values must be a list, received a value of type %s",
                      value_kind_name(value->kind));
    return false;
}

static Str text_of(Engine *engine, Value item) {
    if (item.kind == VALUE_TEXT) return str_dup(&engine->arena, item.as.text);
    return value_to_text(&engine->arena, item);
}

// Fills level->values. False with a reason where it is no list of values.
static bool read_values(Engine *engine, uint32_t number, Value value, Str *why) {
    Run *run = run_of(engine, number);
    Level *level = run->level;
    if (!find_items(engine, run, &value, why)) return false;
    bool is_map = value.kind == VALUE_MAP;
    uint32_t count = is_map ? value.as.map->count : value.as.list->count;
    uint32_t nulls = 0;
    for (uint32_t i = 0; i < count && !is_map; i++) {
        ValueKind kind = value.as.list->items[i].kind;
        if (kind == VALUE_NULL || kind == VALUE_UNDEFINED) nulls++;
    }
    if (nulls > 0) {
        *why = str_printf(engine->turn.arena, "found %u null values among the %u values", nulls,
                          count);
        return false;
    }
    Seen seen = {.size = 16};
    while (seen.size < count * 2) seen.size *= 2;
    bool drops = node_of(engine, run)->kind == NODE_FOREACH;
    if (drops && !is_map && are_rising(value.as.list)) drops = false;
    if (drops) seen.slots = arena_array(engine->turn.arena, uint32_t, seen.size);
    level->values = arena_array(&engine->arena, Str, count);
    level->value_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        engine->steps++;
        Value item = is_map ? value.as.map->members[i].value : value.as.list->items[i];
        Str text = text_of(engine, item);
        if (drops && !is_new_value(&seen, level->values, level->value_count, text)) continue;
        level->values[level->value_count++] = text;
    }
    if (is_map) {
        level->keys = arena_array(&engine->arena, Str, count);
        for (uint32_t i = 0; i < count; i++) {
            level->keys[i] = str_dup(&engine->arena, value.as.map->members[i].key);
        }
    }
    return true;
}

void each_begin(Engine *engine, uint32_t number) {
    const PlanNode *node = node_of(engine, run_of(engine, number));
    Value value;
    if (turn_need(engine, number, SLOT_A, node->leaf_a, &value) != NEED_READY) return;
    Str why;
    if (!read_values(engine, number, value, &why)) {
        run_fail(engine, number, why);
        return;
    }
    run_set_state(engine, number, STATE_RUNNING, (Str){0});
    // Without a value there is nothing to do for a Loop, not even its `finally`.
    bool is_nothing = node->kind == NODE_LOOP && run_of(engine, number)->level->value_count == 0;
    if (is_nothing) {
        run_set_state_with(engine, number, STATE_SUCCESS, iterations_outputs(engine, number));
    }
}

// --- iterations ---------------------------------------------------------------------------------

static Frame *iteration(Engine *engine, const Level *level, uint32_t index) {
    uint32_t frame = index < level->frames.count ? level->frames.items[index] : NO_FRAME;
    return frame == NO_FRAME ? NULL : frame_of(engine, frame);
}

static bool has_iteration(const Level *level, uint32_t index) {
    return index < level->frames.count && level->frames.items[index] != NO_FRAME;
}

static void make_ready(Engine *engine, Level *level, Frame *frame) {
    if (frame->is_ready) return;
    frame->is_ready = true;
    least_push(&engine->arena, &level->ready, (uint32_t)frame->index);
}

// Scratch: the values, and the iterations that wait for something to be started.
void each_build(Engine *engine, uint32_t number) {
    Run *run = run_of(engine, number);
    Level *level = run->level;
    const PlanNode *node = node_of(engine, run);
    level->limit = node->limit > 0 ? node->limit : 0;
    if (level->values == NULL) {
        Value value;
        Str why;
        if (turn_need(engine, number, SLOT_A, node->leaf_a, &value) != NEED_READY) return;
        if (!read_values(engine, number, value, &why)) return;
    }
    for (uint32_t i = 0; i < level->frames.count; i++) {
        if (!has_iteration(level, i) || frame_is_settled(engine, level->frames.items[i])) continue;
        engine->steps++;
        Frame *frame = iteration(engine, level, i);
        frame->is_ready = false;
        frame->cursor = node->body;
        if (frame->tally.terminal == frame->tally.created) make_ready(engine, level, frame);
    }
}

// Gives the iteration of the next value, made where it is not there; NULL behind the last.
static Frame *next_iteration(Engine *engine, uint32_t number) {
    Level *level = run_of(engine, number)->level;
    while (has_iteration(level, level->next_value)) level->next_value++;
    if (level->next_value >= level->value_count) return NULL;
    uint32_t index = level->next_value++;
    Str key = level->keys == NULL ? (Str){0} : level->keys[index];
    uint32_t frame = level_create_frame(engine, number, index, level->values[index], key);
    if (frame == NO_FRAME) return NULL;
    frame_of(engine, frame)->cursor = node_of(engine, run_of(engine, number))->body;
    return frame_of(engine, frame);
}

static uint32_t number_of_frame(const Level *level, const Frame *frame) {
    return level->frames.items[frame->index];
}

// EachParallel: every (value, task) pair by itself, in order of the values.
static bool pairs_advance(Engine *engine, uint32_t number) {
    Level *level = run_of(engine, number)->level;
    PlanRef head = node_of(engine, run_of(engine, number))->body;
    const Tally *tasks = &level->tally[ROLE_TASKS];
    while (level->limit == 0 || tasks->created - tasks->terminal < level->limit) {
        if (head == 0 || level->next_value >= level->value_count) break;
        uint32_t index = level->next_value;
        if (has_iteration(level, index) && frame_is_settled(engine, level->frames.items[index])) {
            level->next_value++;
            level->pair = 0;
            continue;
        }
        Frame *frame = iteration(engine, level, index);
        if (frame == NULL) {
            level_create_frame(engine, number, index, level->values[index], (Str){0});
            frame = iteration(engine, level, index);
            if (frame == NULL) return false;
        }
        if (level->pair == 0) level->pair = head;
        uint32_t at = number_of_frame(level, frame);
        PlanRef next = level_next(engine, at, &level->pair);
        if (next == 0) {
            level->next_value++;
            continue;
        }
        level_create_run(engine, number, next - 1, at, PART_WHOLE);
        if (engine->fault[0] != 0) return false;
    }
    bool is_last = head == 0 || level->next_value >= level->value_count;
    return is_last && tasks->created == tasks->terminal;
}

// The first iteration that has a task to start; those that have none leave the heap.
static Frame *first_ready(Engine *engine, Level *level) {
    while (level->ready.count > 0) {
        engine->steps++;
        Frame *frame = iteration(engine, level, level->ready.items[0]);
        bool is_idle = frame != NULL && frame->tally.terminal == frame->tally.created;
        if (is_idle && level_next(engine, number_of_frame(level, frame), &frame->cursor) != 0) {
            return frame;
        }
        least_pop(&level->ready);
        if (frame != NULL) frame->is_ready = false;
    }
    return NULL;
}

bool foreach_advance(Engine *engine, uint32_t number) {
    Run *run = run_of(engine, number);
    Level *level = run->level;
    const PlanNode *node = node_of(engine, run);
    if ((node->flags & NODE_PAIRS) != 0) return pairs_advance(engine, number);
    const Tally *tasks = &level->tally[ROLE_TASKS];
    int64_t slots = level->limit > 0 && level->limit < level->value_count
                        ? level->limit
                        : (int64_t)level->value_count;
    if (node->limit < 0) slots = 1;
    while (node->body != 0 && tasks->created - tasks->terminal < slots) {
        Frame *frame = first_ready(engine, level);
        if (frame != NULL) {
            least_pop(&level->ready);
            frame->is_ready = false;
        } else {
            frame = next_iteration(engine, number);
        }
        if (frame == NULL) break;
        uint32_t at = number_of_frame(level, frame);
        PlanRef next = level_next(engine, at, &frame->cursor);
        if (next == 0) continue;
        level_create_run(engine, number, next - 1, at, PART_WHOLE);
        if (engine->fault[0] != 0) return false;
    }
    return tasks->created == tasks->terminal;
}

// --- Loop ---------------------------------------------------------------------------------------

static void end_iteration(Engine *engine, const Run *run, const Frame *frame, State state,
                          Value outputs, Str text) {
    turn_decide(engine, (Event){.kind = EVENT_TASKSTATE,
                                .run = run->id,
                                .frame = frame->id,
                                .state = state,
                                .value = outputs,
                                .text = text});
}

// From the list of the property to what the iteration puts out: id to value, of its type.
static bool read_outputs(Engine *engine, Value rendered, Value *out, Str *why) {
    Arena *arena = engine->turn.arena;
    const Value *list = value_map_get(rendered, STR("outputs"));
    *out = rendered;
    if (list == NULL || list->kind != VALUE_LIST) return true;
    *out = value_map(arena);
    for (uint32_t i = 0; i < list->as.list->count; i++) {
        Value item = list->as.list->items[i];
        Str id = value_map_get_text(item, STR("id"), (Str){0});
        InputType type = INPUT_STRING;
        InputType inner = INPUT_STRING;
        input_type_from(value_map_get_text(item, STR("type"), STR("STRING")), &type);
        input_type_from(value_map_get_text(item, STR("itemType"), STR("STRING")), &inner);
        const Value *given = turn_member(item, STR("value"));
        Value value = value_null();
        if (given != NULL) {
            Err err = value_convert_input(*given, type, inner, arena, &value);
            if (err.code != ERR_NONE) {
                *why = str_printf(arena, "output '" STR_FMT "': %s", STR_ARG(id), err.text);
                return false;
            }
        }
        value_map_set(arena, *out, id, value);
    }
    return true;
}

static State state_of_iteration(const Tally *tally) {
    if (tally->killed > 0) return STATE_KILLED;
    if (tally->failed > 0) return STATE_FAILED;
    return tally->warning > 0 ? STATE_WARNING : STATE_SUCCESS;
}

// What the outputs of an iteration render to; NEED_FAILED with a reason.
static Need need_outputs(Engine *engine, uint32_t number, Frame *frame, Value *out, Str *why) {
    const PlanNode *node = node_of(engine, run_of(engine, number));
    *out = value_null();
    if (node->leaf_props == 0) return NEED_READY;
    if ((node->leaf_props & PLAN_CONSTANT) != 0) {
        Need need = turn_need(engine, number, SLOT_OUTPUTS, node->leaf_props, out);
        if (need != NEED_READY) return NEED_WAIT;
    } else if (frame->slot == NULL) {
        if (frame->is_asked) return NEED_WAIT;
        frame->is_asked = true;
        Action *action = turn_act(engine, ACTION_EVAL, number);
        action->frame = frame->id;
        action->slot = SLOT_OUTPUTS;
        action->leaf = node->leaf_props;
        action->index = frame->index;
        return NEED_WAIT;
    } else if (frame->slot->is_error) {
        *why = frame->slot->text;
        return NEED_FAILED;
    } else {
        *out = *slot_value(engine, frame->slot);
    }
    return read_outputs(engine, *out, out, why) ? NEED_READY : NEED_FAILED;
}

static void step_iteration(Engine *engine, uint32_t number, Frame *frame) {
    const Run *run = run_of(engine, number);
    const Tally *tally = &frame->tally;
    if (state_is_terminal(frame->state) || tally->terminal < tally->created) return;
    State state = state_of_iteration(tally);
    bool is_failed = state == STATE_FAILED || state == STATE_KILLED;
    uint32_t at = number_of_frame(run->level, frame);
    PlanRef next = is_failed ? 0 : level_next(engine, at, &frame->cursor);
    if (next != 0) {
        level_create_run(engine, number, next - 1, at, PART_WHOLE);
        return;
    }
    Value outputs = value_null();
    Str why = {0};
    Need need = NEED_READY;
    if (state != STATE_KILLED) need = need_outputs(engine, number, frame, &outputs, &why);
    if (need == NEED_WAIT) return;
    // A failed iteration puts out what it can.
    bool is_broken = need == NEED_FAILED && !is_failed;
    if (need == NEED_FAILED) outputs = value_null();
    end_iteration(engine, run, frame, is_broken ? STATE_FAILED : state, outputs,
                  is_broken ? why : (Str){0});
}

bool iterations_advance(Engine *engine, uint32_t number, bool may_start) {
    Run *run = run_of(engine, number);
    Level *level = run->level;
    const PlanNode *node = node_of(engine, run);
    const Tally *tasks = &level->tally[ROLE_TASKS];
    for (;;) {
        while (level->ready.count > 0 && engine->fault[0] == 0) {
            Frame *frame = iteration(engine, level, least_pop(&level->ready));
            if (frame == NULL) continue;
            frame->is_ready = false;
            step_iteration(engine, number, frame);
            if (state_is_terminal(run->state)) return false;
        }
        bool fails = (node->flags & NODE_TRANSMIT_FAILED) != 0 && tasks->failed + tasks->killed > 0;
        int64_t limit = node->limit < 0 ? 1 : level->limit;
        bool has_room = limit == 0 || tasks->created - tasks->terminal < limit;
        if (!may_start || fails || !has_room) break;
        Frame *frame = next_iteration(engine, number);
        if (frame == NULL) break;
        make_ready(engine, level, frame);
    }
    return tasks->created == tasks->terminal;
}

Value iterations_outputs(Engine *engine, uint32_t number) {
    const Run *run = run_of(engine, number);
    const PlanNode *node = node_of(engine, run);
    Arena *arena = engine->turn.arena;
    uint32_t counts[STATE_COUNT] = {0};
    Value list = value_list(arena);
    for (uint32_t i = 0; i < run->level->frames.count; i++) {
        const Frame *frame = iteration(engine, run->level, i);
        if (frame == NULL) continue;
        counts[frame->state]++;
        if (node->leaf_props == 0) continue;
        Value item = value_map(arena);
        value_map_set(arena, item, STR("value"), value_text(frame->text));
        value_map_set(arena, item, STR("iteration"), value_int(frame->index));
        if (run->level->keys != NULL) {
            value_map_set(arena, item, STR("key"), value_text(frame->key));
        }
        Value entry = value_map(arena);
        value_map_set(arena, entry, STR("item"), item);
        value_map_set(arena, entry, STR("outputs"),
                      frame->has_outputs ? frame->outputs : value_map(arena));
        value_list_add(arena, list, entry);
    }
    Value ended = value_map(arena);
    for (int state = STATE_SUCCESS; state < STATE_COUNT; state++) {
        if (counts[state] == 0) continue;
        value_map_set(arena, ended, str_from(state_name((State)state)), value_int(counts[state]));
    }
    Value outputs = value_map(arena);
    value_map_set(arena, outputs, STR("iterationCount"), value_int(run->level->value_count));
    value_map_set(arena, outputs, STR("runningIterations"), value_int(0));
    value_map_set(arena, outputs, STR("terminatedIterations"), ended);
    if (list.as.list->count > 0) value_map_set(arena, outputs, STR("outputs"), list);
    return outputs;
}

// --- LoopUntil ----------------------------------------------------------------------------------

typedef struct Frequency {
    int64_t interval, passes, duration;
} Frequency;

static bool read_frequency(Engine *engine, uint32_t number, Frequency *out) {
    const PlanNode *node = node_of(engine, run_of(engine, number));
    *out = (Frequency){.interval = 60000};  // PT1M, no maximum: as since 0.23
    Value map;
    if (turn_need(engine, number, SLOT_B, node->leaf_b, &map) != NEED_READY) return false;
    const Value *interval = turn_member(map, STR("interval"));
    const Value *duration = turn_member(map, STR("maxDuration"));
    const Value *passes = turn_member(map, STR("maxIterations"));
    bool fits = (interval == NULL || turn_duration(*interval, &out->interval)) &&
                (duration == NULL || turn_duration(*duration, &out->duration));
    if (fits && passes != NULL) {
        fits = passes->kind == VALUE_INT ||
               (passes->kind == VALUE_TEXT && str_to_int(str_trim(passes->as.text), &out->passes));
        if (passes->kind == VALUE_INT) out->passes = passes->as.integer;
    }
    if (fits) return true;
    Str text = value_to_text(engine->turn.arena, map);
    run_fail(
        engine, number,
        str_printf(engine->turn.arena, "checkFrequency cannot be read: " STR_FMT, STR_ARG(text)));
    return false;
}

static Value count_passes(Engine *engine, uint32_t passes) {
    Value outputs = value_map(engine->turn.arena);
    value_map_set(engine->turn.arena, outputs, STR("iterationCount"), value_int(passes));
    return outputs;
}

void until_begin(Engine *engine, uint32_t number) {
    Frequency frequency;
    if (!read_frequency(engine, number, &frequency)) return;
    run_set_state_with(engine, number, STATE_RUNNING, count_passes(engine, 1));
}

// A maximum is reached: the level fails by itself, or ends with the state of the last pass. The
// count is then one higher than its passes, as in the language.
static bool end_at_maximum(Engine *engine, uint32_t number, const char *which) {
    const Run *run = run_of(engine, number);
    const PlanNode *node = node_of(engine, run);
    Value fails;
    if (turn_need(engine, number, SLOT_C, node->leaf_c, &fails) != NEED_READY) return false;
    bool is_failure = (node->flags & NODE_FAIL_ON_MAX) != 0 ||
                      (fails.kind != VALUE_NULL && turn_is_true(engine, fails));
    uint32_t passes = run->level->passes;
    turn_decide(engine, (Event){.kind = EVENT_TASKSTATE,
                                .run = run->id,
                                .state = STATE_RUNNING,
                                .is_error = is_failure,
                                .text = str_printf(engine->turn.arena, "%s reached after %u passes",
                                                   which, passes),
                                .value = count_passes(engine, passes + 1)});
    return true;
}

static bool next_pass(Engine *engine, uint32_t number) {
    const Run *run = run_of(engine, number);
    const PlanNode *node = node_of(engine, run);
    Value condition;
    if (turn_need(engine, number, SLOT_A, node->leaf_a, &condition) != NEED_READY) return false;
    if (turn_is_true(engine, condition)) return true;
    Frequency frequency;
    if (!read_frequency(engine, number, &frequency)) return false;
    if (frequency.passes > 0 && run->level->passes >= frequency.passes) {
        return end_at_maximum(engine, number, "maxIterations");
    }
    int64_t created = run->history.count > 0 ? run->history.items[0].time_ms : 0;
    if (frequency.duration > 0 && engine->turn.now_ms - created >= frequency.duration) {
        return end_at_maximum(engine, number, "maxDuration");
    }
    run_set_timer(engine, number, engine->turn.now_ms + frequency.interval);
    turn_decide(
        engine,
        (Event){.kind = EVENT_PAUSED, .run = run->id, .text = STR("waits for the next pass")});
    return false;
}

bool until_advance(Engine *engine, uint32_t number) {
    Run *run = run_of(engine, number);
    Level *level = run->level;
    if (run->state == STATE_PAUSED) {
        if (!run->timer_fired) return false;
        run_set_state_with(engine, number, STATE_RUNNING, count_passes(engine, level->passes + 1));
        level_create_frame(engine, number, level->passes, (Str){0}, (Str){0});
    } else if (level->passes == 0) {
        level_create_frame(engine, number, 0, (Str){0}, (Str){0});
    }
    if (engine->fault[0] != 0) return false;
    const Tally *tasks = &level->tally[ROLE_TASKS];
    if (tasks->terminal < tasks->created) return false;
    uint32_t frame = level->frames.items[0];
    Frame *pass = frame_of(engine, frame);
    if (pass->cursor == 0) pass->cursor = node_of(engine, run)->body;
    PlanRef next = level_next(engine, frame, &pass->cursor);
    if (next != 0) {
        level_create_run(engine, number, next - 1, frame, PART_WHOLE);
        return false;
    }
    return next_pass(engine, number);
}
