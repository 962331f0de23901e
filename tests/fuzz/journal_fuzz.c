// journal_fuzz.c - a journal of any content: lines of "<kind> <JSON>" are folded into an engine,
// which decides after each; then snapshot, restore and compaction. Whatever stands in a store,
// nothing crashes, hangs or grows without bound.
#include <assert.h>
#include <string.h>

#include "engine/journal.h"

static void take_turn(Engine *engine, int64_t now) {
    Arena arena = {0};
    Events decisions = {0};
    Actions actions = {0};
    engine_next(engine, now, &arena, &decisions, &actions);
    arena_release(&arena);
}

static void look_around(Engine *engine) {
    TaskRunView view, parent;
    FrameView frame;
    for (uint32_t i = 0; engine_run_at(engine, i, &view); i++) {
        engine_run(engine, view.parent, &parent);
        engine_frame_of(engine, view.id, &frame);
    }
    EngineReason reason;
    engine_reason(engine, &reason);
    static const CommandKind kinds[] = {COMMAND_KILL, COMMAND_RESUME, COMMAND_RESTART,
                                        COMMAND_REPLAY};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        Arena arena = {0};
        Events events = {0};
        Command command = {.kind = kinds[i], .new_id = STR("n"), .task = STR("d")};
        Err err = engine_command(engine, &command, &arena, &events);
        (void)err;
        arena_release(&arena);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static Flow flow;  // built once
    if (flow.plan.node_count == 0) journal_flow(&flow);
    Engine *engine = engine_new(&flow.plan);
    Str rest = {(const char *)bytes, size};
    Str line;
    int64_t now = 1000;
    for (int lines = 0; lines < 400 && str_split(&rest, '\n', &line); lines++) {
        size_t blank = str_find_char(line, ' ', 0);
        int64_t kind = 0;
        if (blank == STR_NOT_FOUND || !str_to_int(str_slice(line, 0, blank), &kind)) continue;
        if (kind < 0 || kind > 99) continue;
        Arena arena = {0};
        Event event;
        Str body = str_slice(line, blank + 1, line.len);
        if (event_read((EventKind)kind, body, &arena, &event).code == ERR_NONE) {
            event.time_ms = now += 10;
            engine_apply(engine, &event);
            take_turn(engine, now);
        }
        arena_release(&arena);
    }
    look_around(engine);
    Buffer snapshot = {0};
    engine_snapshot(engine, &snapshot);
    Engine *restored = NULL;
    Err err = engine_restore(&flow.plan, buffer_str(&snapshot), NULL, &restored);
    if (err.code == ERR_NONE) take_turn(restored, now);
    engine_free(restored);
    engine_compact(&engine);
    engine_free(engine);
    err = engine_restore(&flow.plan, (Str){(const char *)bytes, size}, NULL, &restored);
    if (err.code == ERR_NONE) take_turn(restored, now);
    engine_free(restored);
    buffer_release(&snapshot);
    return 0;
}
