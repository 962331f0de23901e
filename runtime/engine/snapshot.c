// snapshot.c - the folded state as bytes, and back.
//
// One walk names every field once and serves both directions: a Codec writes into a buffer or reads
// from bytes. Bytes come from a store, so reading checks every length and number; what does not fit
// is ERR_INPUT. Scratch is left out: it is rebuilt. Runs that were dropped are left out too, so a
// snapshot of an engine and of its refold are the same bytes, and restoring one frees what is no
// longer reachable.
#include <string.h>

#include "engine/inner.h"

enum { SNAPSHOT_VERSION = 2, OLDEST_VERSION = 1 };  // 2: pause_ms

typedef struct Codec {
    Buffer *out;  // writing; NULL: reading
    Str bytes;
    size_t at;
    bool has_failed;
    uint32_t version;
    Engine *engine;
    // Writing: numbers of runs and frames as they will be, by their number now.
    uint32_t *runs, *frames;
} Codec;

// --- primitives ---------------------------------------------------------------------------------

static void code_u64(Codec *codec, uint64_t *value) {
    if (codec->out != NULL) {  // seven bits a byte, lowest first
        uint64_t rest = *value;
        while (rest >= 0x80) {
            buffer_add_char(codec->out, (char)(rest | 0x80));
            rest >>= 7;
        }
        buffer_add_char(codec->out, (char)rest);
        return;
    }
    *value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (codec->at >= codec->bytes.len) break;
        uint8_t byte = (uint8_t)codec->bytes.ptr[codec->at++];
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) return;
    }
    codec->has_failed = true;
    *value = 0;
}

static void code_u32(Codec *codec, uint32_t *value) {
    uint64_t wide = *value;
    code_u64(codec, &wide);
    if (wide > UINT32_MAX) codec->has_failed = true;
    *value = codec->has_failed ? 0 : (uint32_t)wide;
}

static void code_i64(Codec *codec, int64_t *value) {
    uint64_t zigzag = (uint64_t)*value << 1 ^ (uint64_t)(*value < 0 ? -1 : 0);
    code_u64(codec, &zigzag);
    *value = (int64_t)(zigzag >> 1 ^ (uint64_t) - (int64_t)(zigzag & 1));
}

static void code_i32(Codec *codec, int32_t *value) {
    int64_t wide = *value;
    code_i64(codec, &wide);
    if (wide < INT32_MIN || wide > INT32_MAX) codec->has_failed = true;
    *value = codec->has_failed ? 0 : (int32_t)wide;
}

static void code_bool(Codec *codec, bool *value) {
    uint64_t wide = *value;
    code_u64(codec, &wide);
    *value = wide != 0;
}

static void code_u8(Codec *codec, uint8_t *value, uint8_t end) {
    uint64_t wide = *value;
    code_u64(codec, &wide);
    if (wide >= end) codec->has_failed = true;
    *value = codec->has_failed ? 0 : (uint8_t)wide;
}

static void code_state(Codec *codec, State *state) {
    uint8_t byte = (uint8_t)*state;
    code_u8(codec, &byte, STATE_COUNT);
    *state = (State)byte;
}

static void code_id(Codec *codec, RunId *id) {
    if (codec->out != NULL) {
        buffer_add_bytes(codec->out, id->bytes, sizeof id->bytes);
    } else if (codec->bytes.len - codec->at < sizeof id->bytes) {
        codec->has_failed = true;
    } else {
        memcpy(id->bytes, codec->bytes.ptr + codec->at, sizeof id->bytes);
        codec->at += sizeof id->bytes;
    }
}

static void code_str(Codec *codec, Str *text) {
    uint64_t len = text->len;
    code_u64(codec, &len);
    if (codec->out != NULL) {
        buffer_add(codec->out, *text);
    } else if (codec->has_failed || len > codec->bytes.len - codec->at) {
        codec->has_failed = true;
        *text = (Str){0};
    } else {
        *text = (Str){0};
        if (len > 0) {
            Str borrowed = {codec->bytes.ptr + codec->at, (size_t)len};
            *text = str_dup(&codec->engine->arena, borrowed);
        }
        codec->at += (size_t)len;
    }
}

// Through the codec of events, which knows secrets and deep values.
static void code_value(Codec *codec, Value *value) {
    if (codec->out != NULL) {
        Buffer text = {0};
        if (value->kind != VALUE_NULL) event_write(&(Event){.value = *value}, &text);
        Str written = buffer_str(&text);
        code_str(codec, &written);
        buffer_release(&text);
        return;
    }
    Str text = {0};
    uint64_t len = 0;
    code_u64(codec, &len);
    *value = value_null();
    if (codec->has_failed || len > codec->bytes.len - codec->at) {
        codec->has_failed = true;
        return;
    }
    text = (Str){codec->bytes.ptr + codec->at, (size_t)len};
    codec->at += (size_t)len;
    if (len == 0) return;
    Event event;
    Arena scratch = {0};
    if (event_read(EVENT_RESOLVED, text, &scratch, &event).code == ERR_NONE) {
        *value = value_copy(&codec->engine->arena, event.value);
    } else {
        codec->has_failed = true;
    }
    arena_release(&scratch);
}

// A count of things that take at least one byte each.
static uint32_t code_count(Codec *codec, uint32_t count) {
    code_u32(codec, &count);
    if (codec->out == NULL && count > codec->bytes.len - codec->at) codec->has_failed = true;
    return codec->has_failed ? 0 : count;
}

// Numbers of runs and frames: `none` stands for itself.
static void code_run(Codec *codec, uint32_t *number) {
    uint32_t written = *number;
    if (codec->out != NULL) written = *number == NO_RUN ? 0 : codec->runs[*number] + 1;
    code_u32(codec, &written);
    if (codec->out != NULL) return;
    *number = written == 0 ? NO_RUN : written - 1;
    if (written > codec->engine->run_count) codec->has_failed = true;
    if (codec->has_failed) *number = ROOT;
}

static void code_frame(Codec *codec, uint32_t *number) {
    uint32_t written = *number;
    if (codec->out != NULL) written = codec->frames[*number];
    code_u32(codec, &written);
    if (codec->out != NULL) return;
    if (written >= codec->engine->frame_count) codec->has_failed = true;
    *number = codec->has_failed ? NO_FRAME : written;
}

// --- parts --------------------------------------------------------------------------------------

static void code_tally(Codec *codec, Tally *tally) {
    code_u32(codec, &tally->created);
    code_u32(codec, &tally->terminal);
    code_u32(codec, &tally->failed);
    code_u32(codec, &tally->killed);
    code_u32(codec, &tally->warning);
}

static void code_history(Codec *codec, StateChanges *history) {
    uint32_t count = code_count(codec, history->count);
    for (uint32_t i = 0; i < count; i++) {
        StateChange *change = codec->out != NULL
                                  ? &history->items[i]
                                  : LIST_ADD(&codec->engine->arena, history, StateChange);
        code_state(codec, &change->state);
        code_i64(codec, &change->time_ms);
    }
}

static void code_attempts(Codec *codec, Attempts *attempts) {
    uint32_t count = code_count(codec, attempts->count);
    for (uint32_t i = 0; i < count; i++) {
        Attempt *attempt = codec->out != NULL ? &attempts->items[i]
                                              : LIST_ADD(&codec->engine->arena, attempts, Attempt);
        uint8_t begun = (uint8_t)attempt->begun;
        code_state(codec, &attempt->state);
        code_bool(codec, &attempt->is_started);
        code_bool(codec, &attempt->is_decided);
        code_u8(codec, &begun, BEGUN_FAILED + 1);
        attempt->begun = (Begun)begun;
        code_i32(codec, &attempt->exit_code);
        code_i64(codec, &attempt->started_ms);
        code_i64(codec, &attempt->ended_ms);
        if (codec->version >= 2) code_i64(codec, &attempt->pause_ms);
        code_str(codec, &attempt->message);
        code_str(codec, &attempt->error_class);
    }
}

static void code_slots(Codec *codec, Slot **slots) {
    uint32_t count = 0;
    for (const Slot *slot = *slots; codec->out != NULL && slot != NULL; slot = slot->next) count++;
    count = code_count(codec, count);
    Slot **link = slots;
    for (uint32_t i = 0; i < count; i++) {
        if (codec->out == NULL) *link = arena_new(&codec->engine->arena, Slot);
        Slot *slot = *link;
        code_u32(codec, &slot->slot);
        code_i64(codec, &slot->index);
        code_bool(codec, &slot->is_error);
        code_str(codec, &slot->text);
        code_value(codec, &slot->value);
        link = &slot->next;
    }
}

static void code_child_body(Codec *codec, Child *child) {
    code_str(codec, &child->id);
    code_run(codec, &child->run);
    code_frame(codec, &child->frame);
    code_i32(codec, &child->attempt);
    code_state(codec, &child->state);
    code_bool(codec, &child->is_error);
    code_bool(codec, &child->is_restart);
    code_bool(codec, &child->has_outputs);
    code_str(codec, &child->text);
    code_value(codec, &child->outputs);
}

// Of a level only the counters: the rest follows from runs and frames.
static void code_level(Codec *codec, Level *level) {
    for (int i = 0; i < ROLE_COUNT; i++) code_tally(codec, &level->tally[i]);
    code_u32(codec, &level->live);
    code_u32(codec, &level->children);
    code_u32(codec, &level->passes);
    uint32_t count = code_count(codec, level->frames.count);
    for (uint32_t i = 0; i < count; i++) {
        if (codec->out == NULL) *LIST_ADD(&codec->engine->arena, &level->frames, uint32_t) = 0;
        code_frame(codec, &level->frames.items[i]);
    }
}

// What a run is; first of all runs, so that the rest can name them.
static void code_run_head(Codec *codec, Run *run) {
    const Plan *plan = codec->engine->plan;
    code_id(codec, &run->id);
    code_u32(codec, &run->node);
    code_u32(codec, &run->frame);
    code_u8(codec, &run->part, PART_MERGE + 1);
    code_u8(codec, &run->role, ROLE_COUNT);
    code_u8(codec, &run->state, STATE_COUNT);
    code_str(codec, &run->task);
    if (run->node >= plan->node_count) codec->has_failed = true;
}

static void code_run_body(Codec *codec, Run *run) {
    code_bool(codec, &run->is_unknown);
    code_bool(codec, &run->is_resumed);
    code_bool(codec, &run->has_failed);
    code_bool(codec, &run->has_outputs);
    code_bool(codec, &run->timer_is_set);
    code_bool(codec, &run->timer_fired);
    code_i32(codec, &run->branch);
    code_u32(codec, &run->timer_count);
    code_i64(codec, &run->timer_at);
    code_str(codec, &run->retry_id);
    code_str(codec, &run->message);
    code_value(codec, &run->outputs);
    code_value(codec, &run->properties);
    code_value(codec, &run->checkpoint);
    code_slots(codec, &run->slots);
    code_attempts(codec, &run->attempts);
    code_history(codec, &run->history);
    if (run->level != NULL) code_level(codec, run->level);
}

static void code_frame_body(Codec *codec, Frame *frame) {
    code_id(codec, &frame->id);
    code_frame(codec, &frame->parent);
    code_u32(codec, &frame->loop);
    code_i64(codec, &frame->index);
    code_str(codec, &frame->text);
    code_str(codec, &frame->key);
    code_u8(codec, &frame->state, STATE_COUNT);
    code_tally(codec, &frame->tally);
    code_bool(codec, &frame->has_outputs);
    code_value(codec, &frame->outputs);
    code_slots(codec, &frame->slot);
}

static void code_sla(Codec *codec, SlaState *sla) {
    code_bool(codec, &sla->timer_is_set);
    code_bool(codec, &sla->timer_fired);
    code_bool(codec, &sla->is_violated);
    code_bool(codec, &sla->is_handled);
    code_bool(codec, &sla->is_error);
    code_i64(codec, &sla->at_ms);
    code_u64(codec, &sla->seen);
}

static void code_ending(Codec *codec, Ending *ending) {
    code_bool(codec, &ending->is_active);
    code_bool(codec, &ending->cancels);
    code_bool(codec, &ending->keeps_children);
    code_state(codec, &ending->state);
    code_run(codec, &ending->run);
    code_str(codec, &ending->text);
    code_str(codec, &ending->retry_id);
    code_i32(codec, &ending->retry_attempt);
}

static void code_execution(Codec *codec, Engine *engine) {
    code_str(codec, &engine->id);
    code_state(codec, &engine->state);
    code_history(codec, &engine->history);
    code_i64(codec, &engine->last_seq);
    code_i64(codec, &engine->created_ms);
    code_i64(codec, &engine->watched_ms);
    code_i32(codec, &engine->attempt);
    code_bool(codec, &engine->is_held);
    code_bool(codec, &engine->is_paused);
    code_bool(codec, &engine->outputs_are_known);
    code_bool(codec, &engine->outputs_failed);
    code_bool(codec, &engine->has_outputs);
    code_bool(codec, &engine->after_is_killed);
    code_str(codec, &engine->text);
    code_value(codec, &engine->inputs);
    code_value(codec, &engine->labels);
    code_value(codec, &engine->variables);
    code_value(codec, &engine->created);
    code_value(codec, &engine->outputs);
    code_u32(codec, &engine->paused);
    code_u32(codec, &engine->retrying);
    code_u64(codec, &engine->changes);
    code_ending(codec, &engine->ending);
    for (uint32_t i = 0; i < engine->plan->sla_count; i++) code_sla(codec, &engine->slas[i]);
}

// --- children -----------------------------------------------------------------------------------

static Child **place_of(Engine *engine, const Child *child) {
    if (child->run == NO_RUN) return &engine->retry;
    return child->frame == NO_FRAME ? &run_of(engine, child->run)->child
                                    : &frame_of(engine, child->frame)->child;
}

static bool is_kept(const Engine *engine, const Child *child) {
    return !run_of(engine, child->run)->is_dropped &&
           (child->frame == NO_FRAME || !frame_of(engine, child->frame)->is_dropped);
}

// Which of several executions of a run is the present one is told by `is_current`.
static void code_children(Codec *codec, Engine *engine) {
    uint32_t kept = 0;
    for (uint32_t i = 0; codec->out != NULL && i < engine->children.count; i++) {
        kept += is_kept(engine, engine->children.items[i]);
    }
    uint32_t written = kept;
    uint32_t count = code_count(codec, written);
    uint32_t at = 0;
    for (uint32_t i = 0; i < count && !codec->has_failed; i++) {
        if (codec->out == NULL) {
            *LIST_ADD(&engine->arena, &engine->children, Child *) =
                arena_new(&engine->arena, Child);
            at = i;
        } else {
            while (!is_kept(engine, engine->children.items[at])) at++;
        }
        Child *child = engine->children.items[at];
        code_child_body(codec, child);
        bool is_current = codec->out != NULL && *place_of(engine, child) == child;
        code_bool(codec, &is_current);
        if (codec->out == NULL && child->run == NO_RUN) codec->has_failed = true;
        if (codec->out == NULL && !codec->has_failed && is_current) {
            *place_of(engine, child) = child;
        }
        at++;
    }
    bool has_retry = engine->retry != NULL;
    code_bool(codec, &has_retry);
    if (has_retry && codec->out == NULL) engine->retry = arena_new(&engine->arena, Child);
    if (has_retry) code_child_body(codec, engine->retry);
}

// --- both directions ----------------------------------------------------------------------------

static void number_anew(Codec *codec, Engine *engine, Arena *arena, uint32_t *runs,
                        uint32_t *frames) {
    codec->runs = arena_array(arena, uint32_t, engine->run_count);
    codec->frames = arena_array(arena, uint32_t, engine->frame_count);
    *runs = 0;
    for (uint32_t i = 0; i < engine->run_count; i++) {
        if (!run_of(engine, i)->is_dropped) codec->runs[i] = (*runs)++;
    }
    *frames = 1;
    for (uint32_t i = 1; i < engine->frame_count; i++) {
        if (!frame_of(engine, i)->is_dropped) codec->frames[i] = (*frames)++;
    }
}

void engine_snapshot(const Engine *const_engine, Buffer *out) {
    Engine *engine = (Engine *)const_engine;  // the walk writes nothing when it has a buffer
    Arena scratch = {0};
    Codec codec = {.out = out, .engine = engine};
    uint32_t runs = 0;
    uint32_t frames = 0;
    number_anew(&codec, engine, &scratch, &runs, &frames);
    codec.version = SNAPSHOT_VERSION;
    code_u32(&codec, &codec.version);
    code_u32(&codec, &runs);
    code_u32(&codec, &frames);
    for (uint32_t i = 0; i < engine->run_count; i++) {
        Run run = *run_of(engine, i);
        if (run.is_dropped) continue;
        run.frame = codec.frames[run.frame];
        code_run_head(&codec, &run);
    }
    for (uint32_t i = 1; i < engine->frame_count; i++) {
        Frame frame = *frame_of(engine, i);
        if (frame.is_dropped) continue;
        frame.loop = codec.runs[frame.loop];
        code_frame_body(&codec, &frame);
    }
    for (uint32_t i = 0; i < engine->run_count; i++) {
        Run run = *run_of(engine, i);
        if (run.is_dropped) continue;
        code_run(&codec, &run.parent);
        code_run_body(&codec, &run);
    }
    code_execution(&codec, engine);
    code_children(&codec, engine);
    arena_release(&scratch);
}

static void read_runs(Codec *codec, Engine *engine, uint32_t count) {
    for (uint32_t i = 0; i < count && !codec->has_failed; i++) {
        Run run = {0};
        code_run_head(codec, &run);
        if (codec->has_failed) return;
        Str id = plan_text(engine->plan, engine->plan->nodes[run.node].id);
        bool is_root = run.node == ROOT && run.task.len == 0;
        bool is_named = run.node != ROOT && str_starts_with(run.task, id) &&
                        (run.part != PART_WHOLE || run.task.len == id.len);
        if (i == ROOT ? !is_root : !is_named) {  // of another flow
            codec->has_failed = true;
            return;
        }
        if (i == ROOT || node_is_level(&engine->plan->nodes[run.node], run.part)) {
            run.level = arena_new(&engine->arena, Level);
        }
        table_add_run(engine, run);
    }
}

static void read_frames(Codec *codec, Engine *engine, uint32_t count) {
    for (uint32_t i = 1; i < count && !codec->has_failed; i++) {
        Frame frame = {0};
        code_frame_body(codec, &frame);
        bool fits = !codec->has_failed && frame.loop < engine->run_count &&
                    run_of(engine, frame.loop)->level != NULL && frame.index >= 0 &&
                    frame.index <= INT32_MAX;
        if (!fits) {
            codec->has_failed = true;
            return;
        }
        table_add_frame(engine, frame);
    }
    for (uint32_t i = 0; i < engine->run_count; i++) {
        if (run_of(engine, i)->frame >= engine->frame_count) codec->has_failed = true;
    }
}

static void read_bodies(Codec *codec, Engine *engine) {
    for (uint32_t i = 0; i < engine->run_count && !codec->has_failed; i++) {
        Run *run = run_of(engine, i);
        code_run(codec, &run->parent);
        code_run_body(codec, run);
        if (codec->has_failed) return;
        bool has_pass = run->level == NULL || run->level->passes == 0 ||
                        (run->level->frames.count == 1 && run->level->frames.items[0] != NO_FRAME);
        if (!has_pass) codec->has_failed = true;
        bool fits = i == ROOT ? run->parent == ROOT
                              : run->parent < i && run_of(engine, run->parent)->level != NULL;
        if (!fits) {
            codec->has_failed = true;
            return;
        }
        if (i == ROOT) continue;
        Level *above = run_of(engine, run->parent)->level;
        run->next_child = above->first_child;
        above->first_child = i;
    }
    // The frames of a level are those of its own loop, each at its place.
    for (uint32_t i = 0; i < engine->run_count && !codec->has_failed; i++) {
        const Level *level = run_of(engine, i)->level;
        for (uint32_t f = 0; level != NULL && f < level->frames.count; f++) {
            uint32_t number = level->frames.items[f];
            if (number == NO_FRAME) continue;
            const Frame *frame = frame_of(engine, number);
            bool is_pass = node_of(engine, run_of(engine, i))->kind == NODE_LOOP_UNTIL;
            uint32_t place = is_pass && level->passes > 0 ? level->passes - 1 : f;
            if (frame->loop != i || frame->index != place) codec->has_failed = true;
        }
    }
}

// `bytes` are those of a snapshot; the engine is new, without a root.
static void read_all(Codec *codec, Engine *engine) {
    uint32_t runs = 0;
    uint32_t frames = 0;
    code_u32(codec, &codec->version);
    code_u32(codec, &runs);
    code_u32(codec, &frames);
    bool is_known = codec->version >= OLDEST_VERSION && codec->version <= SNAPSHOT_VERSION;
    if (!is_known || runs == 0 || frames == 0) codec->has_failed = true;
    if (!codec->has_failed) read_runs(codec, engine, runs);
    if (!codec->has_failed) read_frames(codec, engine, frames);
    if (!codec->has_failed) read_bodies(codec, engine);
    if (!codec->has_failed) code_execution(codec, engine);
    if (!codec->has_failed) code_children(codec, engine);
    if (codec->at != codec->bytes.len) codec->has_failed = true;
    if (engine->last_seq < 0 || engine->history.count == 0) codec->has_failed = true;
}

static Engine *new_empty(const Plan *plan) {
    Arena arena = {0};
    Engine *engine = arena_new(&arena, Engine);
    engine->arena = arena;
    engine_start_plan(engine, plan);
    engine->ending.run = NO_RUN;
    return engine;
}

Err engine_restore(const Plan *plan, Str bytes, Engine **out) {
    *out = NULL;
    Engine *engine = new_empty(plan);
    Codec codec = {.bytes = bytes, .engine = engine};
    read_all(&codec, engine);
    if (codec.has_failed) {
        engine_free(engine);
        return err_make(ERR_INPUT, "the snapshot of the execution cannot be read");
    }
    run_touch_live(engine);
    *out = engine;
    return err_none();
}

// --- compaction ---------------------------------------------------------------------------------

// What waits to be looked at waits in the same order.
static void keep_queue(const Engine *from, Engine *to) {
    Arena scratch = {0};
    uint32_t *numbers = arena_array(&scratch, uint32_t, from->run_count);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < from->run_count; i++) {
        if (!run_of(from, i)->is_dropped) numbers[i] = kept++;
    }
    for (uint32_t i = 0; i < to->run_count; i++) run_of(to, i)->is_queued = false;
    to->queue.count = to->queue_at = 0;
    for (uint32_t i = from->queue_at; i < from->queue.count; i++) {
        uint32_t number = from->queue.items[i];
        if (!run_of(from, number)->is_dropped) run_touch(to, numbers[number]);
    }
    arena_release(&scratch);
}

static void keep_scratch(const Engine *from, Engine *to) {
    keep_queue(from, to);
    uint32_t at = 0;
    for (uint32_t i = 0; i < from->run_count; i++) {
        const Run *old = run_of(from, i);
        if (old->is_dropped) continue;
        Run *run = run_of(to, at++);
        run->start_is_asked = old->start_is_asked;
        run->timer_is_asked = old->timer_is_asked;
        run->cancel_is_asked = old->cancel_is_asked;
        run->asked = old->asked;
    }
    at = 1;
    for (uint32_t i = 1; i < from->frame_count; i++) {
        if (frame_of(from, i)->is_dropped) continue;
        frame_of(to, at++)->is_asked = frame_of(from, i)->is_asked;
    }
    at = 0;
    for (uint32_t i = 0; i < from->children.count; i++) {
        const Child *old = from->children.items[i];
        if (!is_kept(from, old)) continue;
        Child *child = to->children.items[at++];
        child->is_asked = old->is_asked;
        child->is_killed = old->is_killed;
    }
    if (from->retry != NULL) to->retry->is_asked = from->retry->is_asked;
    for (uint32_t i = 0; i < from->plan->sla_count; i++) {
        to->slas[i].timer_is_asked = from->slas[i].timer_is_asked;
        to->slas[i].is_asked = from->slas[i].is_asked;
    }
    to->outputs_are_asked = from->outputs_are_asked;
    to->finish_is_told = from->finish_is_told;
    to->steps = from->steps;
}

void engine_compact(Engine **engine) {
    if ((*engine)->fault[0] != 0 || (*engine)->history.count == 0) return;
    Buffer bytes = {0};
    engine_snapshot(*engine, &bytes);
    Engine *compact = NULL;
    if (engine_restore((*engine)->plan, buffer_str(&bytes), &compact).code == ERR_NONE) {
        keep_scratch(*engine, compact);
        engine_free(*engine);
        *engine = compact;
    }
    buffer_release(&bytes);
}
