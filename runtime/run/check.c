// check.c - a recorded history once more: does this engine decide what was decided then?
//
// What the world did is folded again, and where decisions follow in the history the engine is asked
// for them, at the time they have there. Each that is recorded has to be among those it makes, as
// the same event, and none may be left when the world goes on. Where the history ends, or nobody
// was asked in between (a command that another process recorded), more may be to come.
#include <string.h>

#include "run/driver.h"

typedef struct Check {
    Engine *engine;
    Arena arena;  // of `made`
    Events made;  // by this engine, and not met in the history yet
    bool asks;    // something was folded since it was asked
    CheckReport *report;
    Arena *kept;  // of the report
} Check;

static Str print_event(const Event *event, Arena *arena) {
    Buffer text = {0};
    buffer_printf(&text, "%s ", event_kind_name(event->kind));
    event_write(event, &text);
    Str printed = buffer_to_str(&text, arena);
    buffer_release(&text);
    return printed;
}

static void differ(Check *check, int64_t seq, const Event *recorded) {
    check->report->seq = seq;
    if (recorded != NULL) check->report->recorded = print_event(recorded, check->kept);
    if (check->made.count == 0) return;
    check->report->decided = print_event(&check->made.items[0], check->kept);
}

static void ask(Check *check, int64_t now_ms) {
    Events decisions = {0};
    Actions actions = {0};
    engine_next(check->engine, now_ms, &check->arena, &decisions, &actions);
    for (uint32_t i = 0; i < decisions.count; i++) {
        *LIST_ADD(&check->arena, &check->made, Event) = decisions.items[i];
    }
    check->asks = false;
}

static void check_decision(Check *check, const Event *recorded) {
    check->report->decisions++;
    if (check->asks) ask(check, recorded->time_ms);
    Arena scratch = {0};
    Str text = print_event(recorded, &scratch);
    uint32_t at = 0;
    while (at < check->made.count && !str_eq(print_event(&check->made.items[at], &scratch), text)) {
        at++;
    }
    arena_release(&scratch);
    if (at == check->made.count) {
        differ(check, recorded->seq, recorded);
        return;
    }
    check->made.count--;
    memmove(&check->made.items[at], &check->made.items[at + 1],
            (check->made.count - at) * sizeof *check->made.items);
}

static void fold_again(Check *check, Event *event) {
    if (check->made.count > 0) {
        differ(check, event->seq, NULL);
        return;
    }
    check->made = (Events){0};
    arena_release(&check->arena);
    event->seq = 0;
    engine_apply(check->engine, event);
    Actions actions = {0};
    if (event->kind == EVENT_OWNER) engine_recover(check->engine, &check->arena, &actions);
    check->asks = true;
}

static Err check_event(void *self, const StoreEvent *row) {
    Check *check = self;
    Arena arena = {0};
    Event event;
    if (check->report->seq != 0) return err_none();
    Err err = event_read((EventKind)row->kind, row->body, &arena, &event);
    if (err.code == ERR_NONE) {
        event.seq = row->seq;
        event.time_ms = row->time_ms;
        check->report->events++;
        if (event_is_decision(event.kind)) {
            check_decision(check, &event);
        } else {
            fold_again(check, &event);
        }
    }
    arena_release(&arena);
    return err;
}

Err execution_check(Runtime *runtime, Str id, Arena *arena, CheckReport *out) {
    Execution *execution = NULL;
    *out = (CheckReport){0};
    TRY(execution_load(runtime, id, &execution));
    Check check = {.report = out, .kept = arena};
    check.engine = engine_new(&execution->artifact->plan);
    Err err = store_events(runtime->store, execution->id, 0, check_event, &check);
    const char *broken = engine_fault(check.engine);
    if (err.code == ERR_NONE && broken != NULL) {
        err =
            err_make(ERR_STORE, "execution '" STR_FMT "' cannot be read: %s", STR_ARG(id), broken);
    }
    engine_free(check.engine);
    arena_release(&check.arena);
    runtime_drop(runtime, execution);
    return err;
}
