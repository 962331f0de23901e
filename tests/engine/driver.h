// driver.h - a driver without a world: virtual time, scripted or random results, a log of events as
// the store would keep them, and crashes.
//
// Every action becomes a pending answer with a due time. Due times and results follow from the seed
// and from what the action is about, not from the order in which things happen; so a run with a
// crash in it meets the same world as the one without, and must end the same.
#ifndef FLOW_TESTS_ENGINE_DRIVER_H
#define FLOW_TESTS_ENGINE_DRIVER_H

#include "engine/flow.h"
#include "support/test.h"

typedef struct Logged {
    EventKind kind;
    int64_t time_ms;
    Str body;
} Logged;

typedef enum Step { STEP_ANSWER, STEP_STARTED, STEP_COMMAND, STEP_JUMP, STEP_ECHO } Step;

typedef struct KeptPage {
    EnginePageKind kind;
    uint32_t page;
    Str bytes;
} KeptPage;

typedef struct Pending {
    Action action;
    Step step;
    int64_t due;
    Str key;
    Command command;  // STEP_COMMAND
    int64_t jump;     // STEP_JUMP: the clock is set by so much
} Pending;

typedef struct Script {
    const char *task;
    const char *results;  // one letter per attempt: S F W K (killed) X (skipped); the last repeats
} Script;

typedef struct Driver {
    Arena arena;  // lives as long as the driver
    const Flow *flow;
    Engine *engine;
    int64_t now;
    uint64_t seed;
    LIST_OF(Logged) log;
    LIST_OF(Pending) pending;
    LIST_OF(Action) actions;   // all that were handed out, in order
    LIST_OF(Event) decisions;  // all
    Script scripts[16];
    uint32_t script_count;
    bool is_random;  // results by hash, else scripts, else SUCCESS
    int fail_percent;
    bool outputs_fail;  // the outputs of the flow cannot be rendered
    bool is_finished;
    bool answers_unknown;  // RECOVER: sometimes UNKNOWN
    bool compacts;         // between turns
    bool saves;            // between turns: who takes over goes on from the last head
    LIST_OF(KeptPage) pages;
    Str head;
    uint32_t head_at;  // so many events are in it
    void (*on_decision)(struct Driver *driver, const Event *event);
    void (*on_restart)(struct Driver *driver);  // by a command at a time
    void *self;
    uint64_t crash_at;  // after this many events: refold; 0: never
    uint32_t crashes;
    uint32_t restarts;
    int64_t delay;         // of a task; 0: by hash
    const char *error;     // what an invariant found
    LIST_OF(Str) started;  // keys of attempts that the world has begun
} Driver;

static inline uint64_t mix(uint64_t seed, Str text, uint64_t more) {
    uint64_t hash = 0xcbf29ce484222325u ^ seed * 0x9e3779b97f4a7c15u ^ more * 0xff51afd7ed558ccdu;
    for (size_t i = 0; i < text.len; i++) hash = (hash ^ (uint8_t)text.ptr[i]) * 0x100000001b3u;
    hash ^= hash >> 32;
    hash *= 0xbf58476d1ce4e5b9u;
    return hash ^ hash >> 29;
}

// --- the log ------------------------------------------------------------------------------------

static inline void driver_log(Driver *driver, const Event *event) {
    Buffer text = {0};
    event_write(event, &text);
    Logged *logged = LIST_ADD(&driver->arena, &driver->log, Logged);
    *logged = (Logged){event->kind, event->time_ms, buffer_to_str(&text, &driver->arena)};
    buffer_release(&text);
}

static inline void driver_apply(Driver *driver, Event event) {
    event.time_ms = driver->now;
    driver_log(driver, &event);
    engine_apply(driver->engine, &event);
}

static inline void driver_fold(const Driver *driver, Engine *engine, uint32_t first) {
    for (uint32_t i = first; i < driver->log.count; i++) {
        Arena scratch = {0};
        Event event;
        Err err =
            event_read(driver->log.items[i].kind, driver->log.items[i].body, &scratch, &event);
        if (err.code != ERR_NONE) print_error("event %u: %s\n", i, err.text);
        event.seq = i + 1;
        event.time_ms = driver->log.items[i].time_ms;
        engine_apply(engine, &event);
        arena_release(&scratch);
    }
}

static inline Engine *driver_refold(const Driver *driver) {
    Engine *engine = engine_new(&driver->flow->plan);
    driver_fold(driver, engine, 0);
    return engine;
}

static inline Str driver_snapshot(const Engine *engine, Arena *arena) {
    Buffer bytes = {0};
    engine_snapshot(engine, &bytes);
    Str text = buffer_to_str(&bytes, arena);
    buffer_release(&bytes);
    return text;
}

// --- heads and pages ----------------------------------------------------------------------------

static inline KeptPage *driver_page(const Driver *driver, EnginePageKind kind, uint32_t page) {
    for (uint32_t i = 0; i < driver->pages.count; i++) {
        KeptPage *kept = &driver->pages.items[i];
        if (kept->kind == kind && kept->page == page) return kept;
    }
    return NULL;
}

static inline Err driver_write_page(void *self, EnginePageKind kind, uint32_t page, Str bytes) {
    Driver *driver = self;
    KeptPage *kept = driver_page(driver, kind, page);
    if (kept == NULL) kept = LIST_ADD(&driver->arena, &driver->pages, KeptPage);
    *kept = (KeptPage){kind, page, str_dup(&driver->arena, bytes)};
    return err_none();
}

static inline Err driver_read_page(void *self, EnginePageKind kind, uint32_t page, Arena *arena,
                                   Str *out) {
    const KeptPage *kept = driver_page(self, kind, page);
    if (kept == NULL) return err_make(ERR_STORE, "page %u was never written", page);
    *out = str_dup(arena, kept->bytes);
    return err_none();
}

static inline EngineKeeper driver_keeper(Driver *driver) {
    return (EngineKeeper){driver_write_page, driver_read_page, driver};
}

static inline void driver_save(Driver *driver) {
    EngineKeeper keeper = driver_keeper(driver);
    Buffer head = {0};
    engine_keep_in(driver->engine, &keeper);
    Err err = engine_save(driver->engine, &head);
    if (err.code != ERR_NONE) driver->error = "an engine cannot be saved";
    driver->head = buffer_to_str(&head, &driver->arena);
    driver->head_at = driver->log.count;
    buffer_release(&head);
}

// As a process does that takes over: the last head, and what is behind it.
static inline Engine *driver_take_over(Driver *driver) {
    if (driver->head_at == 0) return driver_refold(driver);
    EngineKeeper keeper = driver_keeper(driver);
    Engine *engine = NULL;
    Err err = engine_restore(&driver->flow->plan, driver->head, &keeper, &engine);
    if (err.code != ERR_NONE) {
        driver->error = "a head cannot be read";
        return driver_refold(driver);
    }
    driver_fold(driver, engine, driver->head_at);
    return engine;
}

// --- actions become pending answers -------------------------------------------------------------

static inline Str driver_key(Driver *driver, const Action *action) {
    char run[33], frame[33];
    run_id_print(action->run, run);
    run_id_print(action->frame, frame);
    ActionKind kind = action->kind == ACTION_RECOVER ? ACTION_START : action->kind;
    bool is_child = kind == ACTION_SPAWN_CHILD || kind == ACTION_SIGNAL_CHILD;
    return str_printf(&driver->arena, "%d %s %s %u %d %lld " STR_FMT, is_child ? 99 : (int)kind,
                      run, frame, kind == ACTION_EVAL ? action->slot : 0,
                      kind == ACTION_EVAL ? 0 : action->attempt,
                      kind == ACTION_EVAL ? (long long)action->index : 0,
                      STR_ARG(kind == ACTION_TIMER || is_child ? action->id : (Str){0}));
}

static inline Str driver_task(const Driver *driver, RunId run) {
    TaskRunView view;
    return engine_run(driver->engine, run, &view) ? view.task : (Str){0};
}

static inline Pending *driver_find(Driver *driver, Str key) {
    for (uint32_t i = 0; i < driver->pending.count; i++) {
        if (str_eq(driver->pending.items[i].key, key)) return &driver->pending.items[i];
    }
    return NULL;
}

static inline void driver_remove(Driver *driver, uint32_t index) {
    driver->pending.items[index] = driver->pending.items[--driver->pending.count];
}

static inline bool driver_has_started(const Driver *driver, Str key) {
    for (uint32_t i = 0; i < driver->started.count; i++) {
        if (str_eq(driver->started.items[i], key)) return true;
    }
    return false;
}

static inline void driver_cancel(Driver *driver, const Action *action) {
    Action start = *action;
    start.kind = ACTION_START;
    Str key = driver_key(driver, &start);
    for (uint32_t i = 0; i < driver->pending.count; i++) {
        Pending *pending = &driver->pending.items[i];
        if (!str_eq(pending->key, key)) continue;
        bool is_pure = (driver->flow->plan.nodes[action->node].flags & NODE_PURE) != 0;
        if (pending->step == STEP_STARTED || is_pure) {
            driver_remove(driver, i);  // given up without an answer
            return;
        }
        pending->action.kind = ACTION_CANCEL;
        pending->due = driver->now + (int64_t)(mix(driver->seed, key, 7) % 5);
        return;
    }
    // After a take-over nobody works on it: it is ended by what it left.
    Pending *pending = LIST_ADD(&driver->arena, &driver->pending, Pending);
    *pending = (Pending){.action = *action, .key = key, .due = driver->now};
}

static inline void driver_take(Driver *driver, const Action *given) {
    Action action = *given;
    action.id = str_dup(&driver->arena, action.id);
    action.value = value_copy(&driver->arena, action.value);
    *LIST_ADD(&driver->arena, &driver->actions, Action) = action;
    if (action.kind == ACTION_FINISH) {
        driver->is_finished = true;
        return;
    }
    if (action.kind == ACTION_CANCEL) {
        driver_cancel(driver, &action);
        return;
    }
    bool is_restart =
        action.kind == ACTION_SIGNAL_CHILD &&
        str_eq(value_map_get_text(action.value, STR("signal"), (Str){0}), STR("restart"));
    bool is_new = (driver->flow->plan.nodes[action.node].flags & NODE_RESTART_NEW) != 0;
    if (is_restart && is_new) driver->error = "a child was restarted, not made anew";
    Str key = driver_key(driver, &action);
    Pending *old = driver_find(driver, key);
    if (action.kind == ACTION_SIGNAL_CHILD && old != NULL) {
        old->action = action;
        old->due = driver->now + (int64_t)(mix(driver->seed, key, 3) % 5);
        return;
    }
    // What was asked before a restart or a crash may be asked again: the answer is the same.
    bool is_question = action.kind == ACTION_EVAL || action.kind == ACTION_FLOW_OUTPUTS;
    if (old != NULL && is_question && driver->restarts + driver->crashes > 0) return;
    if (old != NULL) {
        print_error("twice: " STR_FMT "\n", STR_ARG(key));
        driver->error = "an action was handed out twice";
        return;
    }
    uint64_t hash = mix(driver->seed, key, 1);
    Pending *pending = LIST_ADD(&driver->arena, &driver->pending, Pending);
    *pending = (Pending){.action = action, .key = key, .due = driver->now};
    switch (action.kind) {
    case ACTION_START: {
        const PlanNode *node = &driver->flow->plan.nodes[action.node];
        bool is_pure = (node->flags & NODE_PURE) != 0;
        pending->step = is_pure ? STEP_ANSWER : STEP_STARTED;
        if (!is_pure) pending->due += (int64_t)(hash % 3);
        break;
    }
    case ACTION_TIMER:
        pending->due = action.at_ms;
        break;
    case ACTION_SPAWN_CHILD:
        pending->due += (int64_t)(hash % 40);
        break;
    case ACTION_EVAL:
    case ACTION_FLOW_OUTPUTS:
    case ACTION_SPAWN_RETRY:
        pending->due += (int64_t)(hash % 2);
        break;
    case ACTION_RECOVER:
    case ACTION_SIGNAL_CHILD:
    case ACTION_CANCEL:
    case ACTION_FINISH:
        break;
    }
}

static inline void driver_begin(Driver *driver, const Flow *flow, uint64_t seed) {
    *driver = (Driver){.flow = flow, .seed = seed, .now = 1000};
    driver->engine = engine_new(&flow->plan);
    Event event = {
        .kind = EVENT_CREATED, .id = STR("execution"), .value = value_map(&driver->arena)};
    driver_apply(driver, event);
}

static inline void driver_release(Driver *driver) {
    engine_free(driver->engine);
    arena_release(&driver->arena);
}

// --- results ------------------------------------------------------------------------------------

static inline State driver_result(const Driver *driver, Str task, Str key, int32_t attempt) {
    for (uint32_t i = 0; i < driver->script_count; i++) {
        const Script *script = &driver->scripts[i];
        if (!str_eq(task, str_from(script->task))) continue;
        size_t at = (size_t)attempt - 1;
        size_t len = strlen(script->results);
        char letter = script->results[at < len ? at : len - 1];
        return letter == 'F'   ? STATE_FAILED
               : letter == 'W' ? STATE_WARNING
               : letter == 'K' ? STATE_KILLED
               : letter == 'X' ? STATE_SKIPPED
                               : STATE_SUCCESS;
    }
    if (!driver->is_random) return STATE_SUCCESS;
    uint64_t roll = mix(driver->seed, key, 11) % 100;
    if (roll < (uint64_t)driver->fail_percent) return STATE_FAILED;
    if (roll == 96) return STATE_KILLED;
    return roll > 96 ? STATE_WARNING : STATE_SUCCESS;
}

static inline void driver_script(Driver *driver, const char *task, const char *results) {
    driver->scripts[driver->script_count++] = (Script){task, results};
}

// The value of a leaf: its JSON text; "?" is true or false by hash.
static inline void driver_evaluate(Driver *driver, const Pending *pending) {
    const Action *action = &pending->action;
    Event event = {.kind = EVENT_RESOLVED,
                   .run = action->run,
                   .frame = action->frame,
                   .slot = action->slot,
                   .index = action->index,
                   .attempt = action->attempt};
    const char *json = driver->flow->leaves.items[action->leaf - 1];
    if (strcmp(json, "!") == 0) {
        event.is_error = true;
        event.text = STR("unknown variable");
    } else if (json[0] == '?') {
        event.value = value_bool(mix(driver->seed, pending->key, 5) % 3 != 0);
    } else if (strncmp(json, "pass>", 5) == 0) {
        event.value = value_bool(action->index >= atoi(json + 5));
    } else {
        Err err = json_parse(str_from(json), (JsonLimits){0}, &driver->arena, &event.value);
        if (err.code != ERR_NONE) driver->error = "a leaf of the test is no JSON";
    }
    driver_apply(driver, event);
}

static inline void driver_end_attempt(Driver *driver, const Pending *pending, EventKind kind) {
    const Action *action = &pending->action;
    Str task = driver_task(driver, action->run);
    Event event = {.kind = kind, .run = action->run, .attempt = action->attempt};
    event.state = driver_result(driver, task, pending->key, action->attempt);
    // Now and then it ends by itself just before it is stopped.
    bool is_late = driver->is_random && mix(driver->seed, pending->key, 17) % 8 == 0;
    if (action->kind == ACTION_CANCEL && !is_late) event.state = STATE_KILLED;
    if (event.state == STATE_FAILED) {
        event.text = STR("it failed");
        event.error_class = STR("permanent");
        event.begun = BEGUN_FAILED;
    }
    if (event.state == STATE_SUCCESS) {
        event.value = value_map(&driver->arena);
        value_map_set(&driver->arena, event.value, STR("from"), value_text(task));
    }
    if (action->slot == PART_SPLIT && event.state == STATE_SUCCESS) {
        Value list = value_list(&driver->arena);
        uint64_t count = mix(driver->seed, pending->key, 13) % 4;
        for (uint64_t i = 0; i < count; i++) {
            Str uri = str_printf(&driver->arena, "kestra:///batch/%llu", (unsigned long long)i);
            value_list_add(&driver->arena, list, value_text(uri));
        }
        event.more = value_map(&driver->arena);
        value_map_set(&driver->arena, event.more, STR("batches"), list);
    }
    driver_apply(driver, event);
}

static inline void driver_end_child(Driver *driver, const Pending *pending) {
    const Action *action = &pending->action;
    const PlanNode *node = &driver->flow->plan.nodes[action->node];
    Event event = {.kind = EVENT_CHILD_ENDED,
                   .run = action->run,
                   .frame = action->frame,
                   .id = action->id,
                   .attempt = action->attempt};
    bool is_killed =
        action->kind == ACTION_SIGNAL_CHILD &&
        str_eq(value_map_get_text(action->value, STR("signal"), (Str){0}), STR("kill"));
    if (action->kind == ACTION_SPAWN_RETRY || (node->flags & NODE_WAIT) == 0) {
        event.state = STATE_CREATED;
    } else if (is_killed) {
        event.state = STATE_KILLED;
    } else {
        event.state =
            driver_result(driver, driver_task(driver, action->run), pending->key, action->attempt);
    }
    driver_apply(driver, event);
}

// What was said twice is not said to those that a restart makes.
static inline void driver_drop_echoes(Driver *driver) {
    driver->restarts++;
    for (uint32_t i = driver->pending.count; i > 0; i--) {
        if (driver->pending.items[i - 1].step == STEP_ECHO) driver_remove(driver, i - 1);
    }
}

static inline void driver_perform(Driver *driver, uint32_t index) {
    Pending pending = driver->pending.items[index];
    const Action *action = &pending.action;
    driver_remove(driver, index);
    if (pending.step == STEP_JUMP) {
        driver->now += pending.jump;
        return;
    }
    if (pending.step == STEP_COMMAND) {
        Events events = {0};
        pending.command.now_ms = driver->now;
        Err err = engine_command(driver->engine, &pending.command, &driver->arena, &events);
        for (uint32_t i = 0; err.code == ERR_NONE && i < events.count; i++) {
            driver_apply(driver, events.items[i]);
        }
        if (err.code == ERR_NONE && pending.command.kind == COMMAND_RESTART) {
            driver->is_finished = false;
            driver_drop_echoes(driver);
            if (driver->on_restart != NULL) driver->on_restart(driver);
        }
        return;
    }
    if (pending.step == STEP_ECHO) {
        driver_apply(driver, (Event){.kind = EVENT_ENDED,
                                     .run = action->run,
                                     .attempt = action->attempt,
                                     .state = STATE_FAILED,
                                     .text = STR("said twice")});
        return;
    }
    bool cannot_start = driver->is_random && mix(driver->seed, pending.key, 19) % 40 == 0;
    if (pending.step == STEP_STARTED && cannot_start) {  // its properties cannot be rendered
        Event event = {.kind = EVENT_ENDED,
                       .run = action->run,
                       .attempt = action->attempt,
                       .state = STATE_FAILED,
                       .text = STR("unknown variable")};
        driver_apply(driver, event);
        return;
    }
    if (pending.step == STEP_STARTED) {
        Event event = {.kind = EVENT_STARTED, .run = action->run, .attempt = action->attempt};
        event.id = action->id;
        event.value = value_map(&driver->arena);
        value_map_set(&driver->arena, event.value, STR("message"), value_text(STR("hello")));
        driver_apply(driver, event);
        *LIST_ADD(&driver->arena, &driver->started, Str) = pending.key;
        int64_t delay = (int64_t)(mix(driver->seed, pending.key, 2) % 50);
        pending.step = STEP_ANSWER;
        pending.due = driver->now + (driver->delay > 0 ? driver->delay : delay);
        *LIST_ADD(&driver->arena, &driver->pending, Pending) = pending;
        return;
    }
    switch (action->kind) {
    case ACTION_EVAL:
        driver_evaluate(driver, &pending);
        break;
    case ACTION_START: {
        const PlanNode *node = &driver->flow->plan.nodes[action->node];
        bool is_pure = (node->flags & NODE_PURE) != 0;
        driver_end_attempt(driver, &pending, is_pure ? EVENT_DONE : EVENT_ENDED);
        // Now and then it is said twice, the second time much later.
        if (driver->is_random && !is_pure && mix(driver->seed, pending.key, 29) % 8 == 0) {
            pending.step = STEP_ECHO;
            pending.due = driver->now + (int64_t)(mix(driver->seed, pending.key, 31) % 100);
            pending.key = str_printf(&driver->arena, "echo " STR_FMT, STR_ARG(pending.key));
            *LIST_ADD(&driver->arena, &driver->pending, Pending) = pending;
        }
        break;
    }
    case ACTION_RECOVER:
        if (driver->answers_unknown && mix(driver->seed, pending.key, 23) % 2 == 0) {
            driver_apply(driver, (Event){.kind = EVENT_UNKNOWN,
                                         .run = action->run,
                                         .attempt = action->attempt,
                                         .text = STR("nobody knows")});
            break;
        }
        driver_end_attempt(driver, &pending, EVENT_ENDED);
        break;
    case ACTION_CANCEL:
        driver_end_attempt(driver, &pending, EVENT_ENDED);
        break;
    case ACTION_TIMER:
        driver_apply(driver, (Event){.kind = EVENT_FIRED, .run = action->run, .id = action->id});
        break;
    case ACTION_SPAWN_CHILD:
    case ACTION_SIGNAL_CHILD:
    case ACTION_SPAWN_RETRY:
        driver_end_child(driver, &pending);
        break;
    case ACTION_FLOW_OUTPUTS:
        driver_apply(driver, (Event){.kind = EVENT_OUTPUTS,
                                     .value = value_map(&driver->arena),
                                     .is_error = driver->outputs_fail,
                                     .text = driver->outputs_fail ? STR("no output") : STR("")});
        break;
    case ACTION_FINISH:
        break;
    }
}

// --- turns --------------------------------------------------------------------------------------

static inline void driver_crash(Driver *driver, bool calls_recover);

static inline void driver_turn(Driver *driver) {
    Arena arena = {0};
    Events decisions = {0};
    Actions actions = {0};
    engine_next(driver->engine, driver->now, &arena, &decisions, &actions);
    for (uint32_t i = 0; i < decisions.count; i++) {
        driver_log(driver, &decisions.items[i]);
        *LIST_ADD(&driver->arena, &driver->decisions, Event) = decisions.items[i];
        if (driver->on_decision != NULL) driver->on_decision(driver, &decisions.items[i]);
    }
    for (uint32_t i = 0; i < actions.count; i++) driver_take(driver, &actions.items[i]);
    const char *fault = engine_fault(driver->engine);
    if (fault != NULL) {
        print_error("fault: %s\n", fault);
        driver->error = "the engine reports a fault";
    }
    arena_release(&arena);
}

static inline int driver_order(const Pending *a, const Pending *b) {
    if (a->due != b->due) return a->due < b->due ? -1 : 1;
    int order = str_cmp(a->key, b->key);
    return order != 0 ? order : (int)a->step - (int)b->step;
}

static inline uint32_t driver_earliest(const Driver *driver) {
    uint32_t best = 0;
    for (uint32_t i = 1; i < driver->pending.count; i++) {
        if (driver_order(&driver->pending.items[i], &driver->pending.items[best]) < 0) best = i;
    }
    return best;
}

// The process dies and another takes over: what was handed out is forgotten and handed out again.
// The world goes on: what it works on keeps its due time.
static inline void driver_crash(Driver *driver, bool calls_recover) {
    driver->crashes++;
    Engine *engine = driver_take_over(driver);
    Str live = driver_snapshot(driver->engine, &driver->arena);
    Str folded = driver_snapshot(engine, &driver->arena);
    if (!str_eq(live, folded)) driver->error = "the refold differs from the live engine";
    engine_free(engine);
    engine = driver_take_over(driver);  // without what a look at the other one fetched
    engine_free(driver->engine);
    driver->engine = engine;
    Pending *old = driver->pending.items;
    uint32_t old_count = driver->pending.count;
    driver->pending.items = NULL;
    driver->pending.count = driver->pending.capacity = 0;
    bool was_finished = driver->is_finished;
    driver->is_finished = false;
    Arena arena = {0};
    Actions actions = {0};
    if (calls_recover) engine_recover(engine, &arena, &actions);
    for (uint32_t i = 0; i < actions.count; i++) driver_take(driver, &actions.items[i]);
    arena_release(&arena);
    driver_turn(driver);
    if (was_finished != driver->is_finished) driver->error = "finish is lost or came too early";
    for (uint32_t i = 0; i < old_count; i++) {
        Pending *found = driver_find(driver, old[i].key);
        if (old[i].step >= STEP_COMMAND) {
            *LIST_ADD(&driver->arena, &driver->pending, Pending) = old[i];
        } else if (found == NULL) {
            // What nobody waits for any more is not asked for again; its answer may still come.
            // Neither is the execution that would follow one that was killed meanwhile.
            ActionKind kind = old[i].action.kind;
            bool is_unwanted =
                kind == ACTION_SPAWN_RETRY && state_is_terminal(engine_state(engine));
            if (kind == ACTION_TIMER || kind == ACTION_EVAL || kind == ACTION_FLOW_OUTPUTS ||
                is_unwanted) {
                *LIST_ADD(&driver->arena, &driver->pending, Pending) = old[i];
                continue;
            }
            TaskRunView view;
            bool is_over =
                engine_run(engine, old[i].action.run, &view) && state_is_terminal(view.state);
            if (is_over) continue;
            print_error("lost: " STR_FMT "\n", STR_ARG(old[i].key));
            driver->error = "an action was not handed out again";
        } else {
            bool is_recovered = found->action.kind == ACTION_RECOVER && driver->answers_unknown;
            found->due = old[i].due;
            found->step = old[i].step;
            if (!is_recovered) found->action = old[i].action;
            old[i].due = -1;
        }
    }
    for (uint32_t i = 0; i < driver->pending.count; i++) {
        const Pending *pending = &driver->pending.items[i];
        bool was_there = pending->step >= STEP_COMMAND;
        for (uint32_t o = 0; o < old_count; o++) was_there |= str_eq(old[o].key, pending->key);
        if (!was_there) {
            print_error("new: " STR_FMT "\n", STR_ARG(pending->key));
            driver->error = "taking over handed out something new";
        }
    }
}

static inline void driver_command(Driver *driver, Command command, int64_t due) {
    Pending *pending = LIST_ADD(&driver->arena, &driver->pending, Pending);
    *pending = (Pending){.step = STEP_COMMAND, .due = due, .command = command};
    pending->key = str_printf(&driver->arena, "command %u", driver->pending.count);
}

// The clock is set forwards or back.
static inline void driver_jump(Driver *driver, int64_t by, int64_t due) {
    Pending *pending = LIST_ADD(&driver->arena, &driver->pending, Pending);
    *pending = (Pending){.step = STEP_JUMP, .due = due, .jump = by};
    pending->key = str_printf(&driver->arena, "jump %u", driver->pending.count);
}

// Applies a command now; its error is the caller's.
MUST_CHECK static inline Err driver_tell(Driver *driver, Command command) {
    Events events = {0};
    command.now_ms = driver->now;
    TRY(engine_command(driver->engine, &command, &driver->arena, &events));
    for (uint32_t i = 0; i < events.count; i++) driver_apply(driver, events.items[i]);
    driver->is_finished = false;
    if (command.kind == COMMAND_RESTART) driver_drop_echoes(driver);
    return err_none();
}

// Until it is finished, or nothing is under way any more, or an invariant is broken.
static inline void driver_run(Driver *driver) {
    driver_turn(driver);
    for (uint32_t turns = 0; driver->pending.count > 0 && driver->error == NULL; turns++) {
        if (turns > 200000) driver->error = "it does not end";
        if (driver->crash_at != 0 && driver->log.count >= driver->crash_at) {
            driver->crash_at = 0;
            driver_crash(driver, true);
            continue;
        }
        uint32_t next = driver_earliest(driver);
        if (driver->pending.items[next].due > driver->now) {
            driver->now = driver->pending.items[next].due;
        }
        driver_perform(driver, next);
        driver_turn(driver);
        if ((driver->compacts || driver->saves) && turns % 3 == 0) driver_save(driver);
        if (driver->compacts && turns % 3 == 0) engine_compact(&driver->engine);
    }
}

// "a SUCCESS, b FAILED": task runs in order of creation.
static inline Str driver_runs(Driver *driver) {
    Buffer text = {0};
    TaskRunView view;
    for (uint32_t i = 0; engine_run_at(driver->engine, i, &view); i++) {
        if (i > 0) buffer_add(&text, STR(", "));
        buffer_add(&text, view.task);
        if (view.has_value) buffer_printf(&text, "[" STR_FMT "]", STR_ARG(view.value));
        buffer_printf(&text, " %s", state_name(view.state));
    }
    Str result = buffer_to_str(&text, &driver->arena);
    buffer_release(&text);
    return result;
}

#endif
