// fold.h - what the files of the fold share. Only they change the folded state.
#ifndef FLOW_ENGINE_FOLD_H
#define FLOW_ENGINE_FOLD_H

#include <assert.h>

#include "engine/inner.h"

// What is changed is no longer as the store has it. It has to be here: else it would not be fetched
// any more, and nobody would have it.
static inline void fold_change_run(Engine *engine, uint32_t number) {
    assert(run_is_here(engine, number));
    engine->pages[PAGE_RUNS].items[number / PAGE].status = PAGE_HERE;
}

static inline void fold_change_frame(Engine *engine, uint32_t number) {
    assert(frame_is_here(engine, number));
    engine->pages[PAGE_FRAMES].items[number / PAGE].status = PAGE_HERE;
}

// A run or frame that is to be changed.
static inline uint32_t fold_find_run(Engine *engine, RunId id) {
    uint32_t number = table_find_run(engine, id);
    if (number != NO_RUN) fold_change_run(engine, number);
    return number;
}

static inline uint32_t fold_find_frame(Engine *engine, RunId id) {
    uint32_t number = table_find_frame(engine, id);
    if (number != NO_FRAME) fold_change_frame(engine, number);
    return number;
}

// --- state.c ------------------------------------------------------------------------------------

Str fold_keep(Engine *engine, Str text);
void fold_change_state(Engine *engine, uint32_t number, State state, int64_t time_ms);
void fold_end_frame(Engine *engine, uint32_t number, State state);
void fold_drop_run(Engine *engine, uint32_t number);
void fold_clear_level(Engine *engine, uint32_t number);
void fold_purge(Engine *engine, uint32_t number);
void fold_merge(Arena *arena, Value into, Value from, bool is_deep);
void fold_set_outputs(Engine *engine, Run *run, Value value);
bool run_has_iterations(const Engine *engine, const Run *run);
uint32_t fold_add_run(Engine *engine, const Event *event, State state);
Attempt *fold_add_attempt(Engine *engine, Run *run);

// --- fold_attempt.c, fold_restart.c: one event each ----------------------------------------------

void fold_started(Engine *engine, const Event *event);
void fold_ended(Engine *engine, const Event *event);
void fold_unknown(Engine *engine, const Event *event);
void fold_unknown_resolved(Engine *engine, const Event *event);
void fold_retry_at(Engine *engine, const Event *event);
void fold_timer_set(Engine *engine, const Event *event);
void fold_fired(Engine *engine, const Event *event);
void fold_child(Engine *engine, const Event *event);
void fold_child_ended(Engine *engine, const Event *event);
void fold_paused(Engine *engine, const Event *event);
void fold_checkpoint(Engine *engine, const Event *event);
void fold_restarted(Engine *engine, const Event *event);
void fold_copied(Engine *engine, const Event *event);

#endif
