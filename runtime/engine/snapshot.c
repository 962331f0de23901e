// snapshot.c - the folded state as bytes, and back.
//
// One walk names every field once and serves both directions: a Codec writes into a buffer or reads
// from bytes. A hash over the bytes tells what was damaged; every length and number is checked all
// the same. What does not fit is ERR_INPUT. Scratch is left out: it is rebuilt. Of runs and frames
// that were dropped nothing is left but their numbers, so a snapshot of an engine and of its refold
// are the same bytes, and restoring one frees what is no longer reachable.
#include <string.h>

#include "engine/inner.h"

// Another one, and one of another plan, is not read: all that is in it follows from the events.
enum { SNAPSHOT_VERSION = 3 };

typedef struct Codec {
    Buffer *out;  // writing; NULL: reading
    Str bytes;
    size_t at;
    bool has_failed;
    Engine *engine;
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
static void write_value(const Value *value, Buffer *out) {
    if (value->kind != VALUE_NULL) event_write(&(Event){.value = *value}, out);
}

bool snapshot_read_kept(Engine *engine, Str bytes, Value *out) {
    Event event;
    bool fits = event_read(EVENT_RESOLVED, bytes, &engine->arena, &event).code == ERR_NONE;
    *out = fits ? event.value : value_null();
    return fits;
}

static bool read_value(Engine *engine, Str bytes, Value *out) {
    Event event;
    Arena scratch = {0};
    bool fits = event_read(EVENT_RESOLVED, bytes, &scratch, &event).code == ERR_NONE;
    *out = fits ? value_copy(&engine->arena, event.value) : value_null();
    arena_release(&scratch);
    return fits;
}

// The bytes of a value, borrowed.
static Str read_bytes(Codec *codec) {
    uint64_t len = 0;
    code_u64(codec, &len);
    if (len > codec->bytes.len - codec->at) codec->has_failed = true;
    if (codec->has_failed) return (Str){0};
    codec->at += (size_t)len;
    return (Str){codec->bytes.ptr + codec->at - len, (size_t)len};
}

static void code_value(Codec *codec, Value *value) {
    if (codec->out != NULL) {
        Buffer text = {0};
        write_value(value, &text);
        Str written = buffer_str(&text);
        code_str(codec, &written);
        buffer_release(&text);
        return;
    }
    Str bytes = read_bytes(codec);
    *value = value_null();
    if (bytes.len == 0) return;
    if (!read_value(codec->engine, bytes, value)) codec->has_failed = true;
}

// The values of a long loop are made to bytes once, and read where the loop still goes on.
static void code_slot_value(Codec *codec, Slot *slot) {
    enum { LARGE = 16 * PAGE };
    Arena *arena = &codec->engine->arena;
    if (codec->out == NULL) {
        Str bytes = read_bytes(codec);
        if (bytes.len > LARGE) {
            slot->raw = str_dup(arena, bytes);
        } else if (bytes.len > 0 && !read_value(codec->engine, bytes, &slot->value)) {
            codec->has_failed = true;
        }
        return;
    }
    Buffer text = {0};
    Str written = slot->raw;
    if (written.len == 0) {
        write_value(&slot->value, &text);
        written = buffer_str(&text);
        if (written.len > LARGE) slot->raw = str_dup(arena, written);
    }
    code_str(codec, &written);
    buffer_release(&text);
}

// A count of things that take at least one byte each.
static uint32_t code_count(Codec *codec, uint32_t count) {
    code_u32(codec, &count);
    if (codec->out == NULL && count > codec->bytes.len - codec->at) codec->has_failed = true;
    return codec->has_failed ? 0 : count;
}

// Numbers of runs and frames: `none` stands for itself.
static void code_run(Codec *codec, uint32_t *number) {
    uint32_t written = *number + 1;  // NO_RUN: 0
    code_u32(codec, &written);
    if (written > codec->engine->run_count) codec->has_failed = true;
    *number = codec->has_failed ? ROOT : written - 1;
}

static void code_frame(Codec *codec, uint32_t *number) {
    code_u32(codec, number);
    if (*number >= codec->engine->frame_count) codec->has_failed = true;
    if (codec->has_failed) *number = NO_FRAME;
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
        code_i64(codec, &attempt->pause_ms);
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
        code_slot_value(codec, slot);
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

// The child of a run or frame, by its number; 0: none.
static void code_child(Codec *codec, Child **child) {
    uint32_t number = *child == NULL ? 0 : (*child)->number;
    code_u32(codec, &number);
    if (codec->out != NULL) return;
    if (number > codec->engine->children.count) codec->has_failed = true;
    bool has_child = number > 0 && !codec->has_failed;
    *child = has_child ? codec->engine->children.items[number - 1] : NULL;
}

// Mostly one behind the other: so many times the same step.
static void code_frames(Codec *codec, Numbers *frames) {
    uint32_t count = frames->count;
    code_u32(codec, &count);
    if (count > ITERATIONS_MAX) codec->has_failed = true;
    uint32_t before = 0;
    for (uint32_t i = 0; i < count && !codec->has_failed;) {
        uint32_t times = 1;
        int64_t step = codec->out == NULL ? 0 : (int64_t)frames->items[i] - before;
        while (codec->out != NULL && i + times < count &&
               (int64_t)frames->items[i + times] - frames->items[i + times - 1] == step) {
            times++;
        }
        code_u32(codec, &times);
        code_i64(codec, &step);
        if (times == 0 || times > count - i) codec->has_failed = true;
        for (uint32_t end = i + times; i < end && !codec->has_failed; i++) {
            int64_t number = before + step;
            if (number < 0 || number >= codec->engine->frame_count) codec->has_failed = true;
            before = (uint32_t)number;
            if (codec->out != NULL || codec->has_failed) continue;
            *LIST_ADD(&codec->engine->arena, frames, uint32_t) = before;
        }
    }
}

static void code_level(Codec *codec, Level *level) {
    for (int i = 0; i < ROLE_COUNT; i++) code_tally(codec, &level->tally[i]);
    code_u32(codec, &level->live);
    code_run(codec, &level->first_child);
    code_u32(codec, &level->children);
    code_u32(codec, &level->passes);
    code_frames(codec, &level->frames);
}

static void code_run_body(Codec *codec, uint32_t number, Run *run) {
    Engine *engine = codec->engine;
    code_id(codec, &run->id);
    code_u32(codec, &run->node);
    code_run(codec, &run->parent);
    code_run(codec, &run->next_child);
    code_frame(codec, &run->frame);
    code_u8(codec, &run->part, PART_MERGE + 1);
    code_u8(codec, &run->role, ROLE_COUNT);
    code_u8(codec, &run->state, STATE_COUNT);
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
    code_str(codec, &run->metrics);
    code_value(codec, &run->outputs);
    code_value(codec, &run->properties);
    code_value(codec, &run->checkpoint);
    code_slots(codec, &run->slots);
    code_attempts(codec, &run->attempts);
    code_history(codec, &run->history);
    code_child(codec, &run->child);
    bool fits = run->node < engine->plan->node_count && (number == ROOT) == (run->node == ROOT) &&
                (number == ROOT || run->parent < number);
    if (!fits) codec->has_failed = true;
    if (codec->has_failed) return;
    if (codec->out == NULL && number != ROOT) {
        run->task = run_task_name(engine, run, &engine->arena);
    }
    bool is_level = number == ROOT || node_is_level(&engine->plan->nodes[run->node], run->part);
    if (is_level && run->level == NULL) run->level = arena_new(&engine->arena, Level);
    if (is_level) code_level(codec, run->level);
}

static void code_frame_body(Codec *codec, Frame *frame) {
    code_id(codec, &frame->id);
    code_frame(codec, &frame->parent);
    code_run(codec, &frame->loop);
    code_i64(codec, &frame->index);
    code_str(codec, &frame->text);
    code_str(codec, &frame->key);
    code_u8(codec, &frame->state, STATE_COUNT);
    code_tally(codec, &frame->tally);
    code_bool(codec, &frame->has_outputs);
    code_value(codec, &frame->outputs);
    code_slots(codec, &frame->slot);
    code_child(codec, &frame->child);
    if (frame->index < 0 || frame->index >= ITERATIONS_MAX) codec->has_failed = true;
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

static void code_children(Codec *codec, Engine *engine) {
    uint32_t count = code_count(codec, engine->children.count);
    for (uint32_t i = 0; i < count && !codec->has_failed; i++) {
        if (codec->out == NULL) {
            Child *child = arena_new(&engine->arena, Child);
            child->number = i + 1;
            *LIST_ADD(&engine->arena, &engine->children, Child *) = child;
        }
        code_child_body(codec, engine->children.items[i]);
    }
    bool has_retry = engine->retry != NULL;
    code_bool(codec, &has_retry);
    if (has_retry && codec->out == NULL) engine->retry = arena_new(&engine->arena, Child);
    if (has_retry) code_child_body(codec, engine->retry);
}

// --- pages --------------------------------------------------------------------------------------

static uint32_t count_of(const Engine *engine, EnginePageKind kind) {
    return kind == PAGE_RUNS ? engine->run_count : engine->frame_count;
}

static void code_page(Codec *codec, EnginePageKind kind, uint32_t page) {
    Engine *engine = codec->engine;
    for (uint32_t i = page * PAGE; i < (page + 1) * PAGE && i < count_of(engine, kind); i++) {
        if (codec->has_failed) return;
        bool *is_dropped =
            kind == PAGE_RUNS ? &run_of(engine, i)->is_dropped : &frame_of(engine, i)->is_dropped;
        code_bool(codec, is_dropped);
        if (*is_dropped) continue;
        if (kind == PAGE_RUNS) {
            code_run_body(codec, i, run_of(engine, i));
        } else {
            code_frame_body(codec, frame_of(engine, i));
        }
        if (codec->has_failed) *is_dropped = true;
        if (codec->has_failed || codec->out != NULL) continue;
        if (kind == PAGE_RUNS) {
            table_index_run(engine, i);
        } else {
            table_index_frame(engine, i);
        }
    }
}

// What has a hash before it, and what it is of.
static void begin_bytes(Codec *codec, uint32_t kind, uint32_t page) {
    const Plan *plan = codec->engine->plan;
    RunId hash = {{0}};
    uint32_t head[] = {SNAPSHOT_VERSION, PAGE, kind, page, plan->node_count};
    code_id(codec, &hash);
    for (size_t i = 0; i < COUNT(head); i++) {
        uint32_t found = head[i];
        code_u32(codec, &found);
        if (found != head[i]) codec->has_failed = true;
    }
}

static RunId hash_of(const Codec *codec, Str bytes) {
    const Plan *plan = codec->engine->plan;
    Hasher hasher;
    hasher_init(&hasher, HASH128_SIZE);
    for (uint32_t i = 0; i < plan->node_count; i++) {
        hasher_add(&hasher, plan_text(plan, plan->nodes[i].id));
        hasher_add(&hasher, (Str){(const char *)&plan->nodes[i].kind, 1});
    }
    hasher_add(&hasher, str_slice(bytes, HASH128_SIZE, bytes.len));
    RunId hash;
    hasher_end(&hasher, hash.bytes, sizeof hash.bytes);
    return hash;
}

static void end_bytes(Codec *codec, size_t start) {
    Str bytes = str_slice(buffer_str(codec->out), start, codec->out->len);
    RunId hash = hash_of(codec, bytes);
    memcpy(codec->out->ptr + start, hash.bytes, sizeof hash.bytes);
}

static bool is_whole(const Codec *codec) {
    if (codec->bytes.len < HASH128_SIZE) return false;
    RunId hash = hash_of(codec, codec->bytes);
    return memcmp(hash.bytes, codec->bytes.ptr, sizeof hash.bytes) == 0;
}

void snapshot_write_page(Engine *engine, EnginePageKind kind, uint32_t page, Buffer *out) {
    Codec codec = {.out = out, .engine = engine};
    size_t start = out->len;
    begin_bytes(&codec, kind, page);
    code_page(&codec, kind, page);
    end_bytes(&codec, start);
}

bool snapshot_read_page(Engine *engine, EnginePageKind kind, uint32_t page, Str bytes) {
    Codec codec = {.bytes = bytes, .engine = engine};
    if (!is_whole(&codec)) return false;
    begin_bytes(&codec, kind, page);
    code_page(&codec, kind, page);
    return !codec.has_failed && codec.at == bytes.len;
}

// --- both directions ----------------------------------------------------------------------------

static void code_pages(Codec *codec, EnginePageKind kind, bool is_whole) {
    Engine *engine = codec->engine;
    uint32_t count = (count_of(engine, kind) + PAGE - 1) / PAGE;
    for (uint32_t i = 0; i < count && !codec->has_failed; i++) {
        uint8_t status = PAGE_HERE;
        if (codec->out != NULL) {
            bool is_stored = !is_whole && engine->pages[kind].items[i].status == PAGE_STORED;
            if (is_stored) status = PAGE_STORED;
            if (page_is_gone(engine, kind, i)) status = PAGE_GONE;
        }
        code_u8(codec, &status, PAGE_GONE + 1);
        if (codec->out == NULL) page_add(engine, kind, (Page){.status = (PageStatus)status});
        if (status != PAGE_HERE) continue;
        Page *page = &engine->pages[kind].items[i];
        if (codec->out == NULL) page->items = page_items_new(engine, kind);
        code_page(codec, kind, i);
    }
}

static void code_all(Codec *codec, bool is_whole) {
    Engine *engine = codec->engine;
    code_u32(codec, &engine->run_count);
    code_u32(codec, &engine->frame_count);
    if (engine->run_count == 0 || engine->frame_count == 0) codec->has_failed = true;
    code_children(codec, engine);
    code_pages(codec, PAGE_RUNS, is_whole);
    code_pages(codec, PAGE_FRAMES, is_whole);
    if (!codec->has_failed) code_execution(codec, engine);
}

void snapshot_write(Engine *engine, bool is_whole, Buffer *out) {
    Codec codec = {.out = out, .engine = engine};
    size_t start = out->len;
    begin_bytes(&codec, PAGE_KINDS, 0);
    code_all(&codec, is_whole);
    end_bytes(&codec, start);
}

static Engine *new_empty(const Plan *plan) {
    Arena arena = {0};
    Engine *engine = arena_new(&arena, Engine);
    engine->arena = arena;
    engine_start_plan(engine, plan);
    engine->ending.run = NO_RUN;
    return engine;
}

Err engine_restore(const Plan *plan, Str bytes, const EngineKeeper *keeper, Engine **out) {
    *out = NULL;
    Engine *engine = new_empty(plan);
    if (keeper != NULL) engine->keeper = *keeper;
    Codec codec = {.bytes = bytes, .engine = engine};
    bool fits = is_whole(&codec);
    if (fits) {
        begin_bytes(&codec, PAGE_KINDS, 0);
        code_all(&codec, false);
        fits = !codec.has_failed && codec.at == bytes.len && engine->last_seq >= 0 &&
               engine->history.count > 0 && (engine->away == 0 || keeper != NULL);
    }
    if (!fits) {
        engine_free(engine);
        return err_make(ERR_INPUT, "the snapshot of the execution cannot be read");
    }
    engine->order_is_stale = true;
    run_touch_live(engine);
    *out = engine;
    return err_none();
}
