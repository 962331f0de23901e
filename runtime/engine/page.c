// page.c - runs and frames in pages; what has ended for good may be in the store alone.
//
// A page holds PAGE runs or frames, by number. Once all of it has settled - dropped, or in an
// iteration that nothing but a restart comes back to - engine_save gives it to the store, once, and
// engine_compact takes it from memory. It comes back where somebody looks: by number that page
// (run_of, frame_of), by id all of them (table.c). Who only goes on passes over what is not here:
// it has ended.
#include "engine/inner.h"

// --- what may go --------------------------------------------------------------------------------

static uint32_t count_body(const Engine *engine, const Run *run) {
    uint32_t count = 0;
    const PlanNode *nodes = engine->plan->nodes;
    for (PlanRef at = nodes[run->node].body; at != 0; at = nodes[at - 1].next) count++;
    return count;
}

bool frame_is_settled(const Engine *engine, uint32_t number) {
    if (!frame_is_here(engine, number)) return true;
    const Frame *frame = frame_of(engine, number);
    if (frame->is_dropped || !run_is_here(engine, frame->loop)) return true;
    const Run *loop = run_of(engine, frame->loop);
    if (state_is_terminal(loop->state)) return true;
    uint8_t kind = node_of(engine, loop)->kind;
    if (kind == NODE_LOOP_UNTIL) return false;
    if (kind != NODE_FOREACH) return state_is_terminal(frame->state);
    const Tally *tally = &frame->tally;
    return tally->terminal == tally->created && tally->created == count_body(engine, loop);
}

// Runs outside of loops are few: those of the plan. They stay, so that a place outside of loops
// that is not found has no run.
static bool is_settled(const Engine *engine, EnginePageKind kind, uint32_t number) {
    if (kind == PAGE_FRAMES) return frame_is_settled(engine, number);
    const Run *run = run_of(engine, number);
    return run->is_dropped || (run->frame != NO_FRAME && frame_is_settled(engine, run->frame));
}

static bool is_full(const Engine *engine, EnginePageKind kind, uint32_t page) {
    uint32_t count = kind == PAGE_RUNS ? engine->run_count : engine->frame_count;
    return page > 0 && (page + 1) * PAGE <= count;  // the first has the root, and no frame
}

static bool page_is_settled(const Engine *engine, EnginePageKind kind, uint32_t page) {
    if (!is_full(engine, kind, page)) return false;
    for (uint32_t i = page * PAGE; i < (page + 1) * PAGE; i++) {
        if (!is_settled(engine, kind, i)) return false;
    }
    return true;
}

bool page_is_gone(const Engine *engine, EnginePageKind kind, uint32_t page) {
    const Page *it = &engine->pages[kind].items[page];
    if (it->status == PAGE_GONE || it->items == NULL) return it->status == PAGE_GONE;
    if (!is_full(engine, kind, page)) return false;
    for (uint32_t i = page * PAGE; i < (page + 1) * PAGE; i++) {
        bool is_dropped =
            kind == PAGE_RUNS ? run_of(engine, i)->is_dropped : frame_of(engine, i)->is_dropped;
        if (!is_dropped) return false;
    }
    return true;
}

// --- coming and going ---------------------------------------------------------------------------

void page_add(Engine *engine, EnginePageKind kind, Page page) {
    *LIST_ADD(&engine->arena, &engine->pages[kind], Page) = page;
    if (page.status == PAGE_STORED && page.items == NULL) engine->away++;
}

void *page_items_new(Engine *engine, EnginePageKind kind) {
    if (kind == PAGE_RUNS) {
        Run *runs = arena_array(&engine->arena, Run, PAGE);
        for (int i = 0; i < PAGE; i++) runs[i].is_dropped = true;
        return runs;
    }
    Frame *frames = arena_array(&engine->arena, Frame, PAGE);
    for (int i = 0; i < PAGE; i++) frames[i].is_dropped = true;
    return frames;
}

// Where that fails, a fault is set and the page has nothing in it.
static void *load(const Engine *const_engine, EnginePageKind kind, uint32_t page) {
    Engine *engine = (Engine *)const_engine;  // it holds the same as before
    void *items = page_items_new(engine, kind);
    Page *it = &engine->pages[kind].items[page];
    it->items = items;
    if (it->status != PAGE_STORED) return items;
    engine->away--;
    Arena scratch = {0};
    Str bytes = {0};
    Err err = engine->keeper.read(engine->keeper.self, kind, page, &scratch, &bytes);
    if (err.code != ERR_NONE) {
        engine_set_fault(engine, "%s", err.text);
    } else if (!snapshot_read_page(engine, kind, page, bytes)) {
        engine_set_fault(engine, "page %u of its snapshot is damaged", page);
    }
    arena_release(&scratch);
    return items;
}

Run *run_of(const Engine *engine, uint32_t number) {
    void *items = engine->pages[PAGE_RUNS].items[number / PAGE].items;
    if (items == NULL) items = load(engine, PAGE_RUNS, number / PAGE);
    return (Run *)items + number % PAGE;
}

Frame *frame_of(const Engine *engine, uint32_t number) {
    void *items = engine->pages[PAGE_FRAMES].items[number / PAGE].items;
    if (items == NULL) items = load(engine, PAGE_FRAMES, number / PAGE);
    return (Frame *)items + number % PAGE;
}

void engine_keep_in(Engine *engine, const EngineKeeper *keeper) {
    engine->keeper = *keeper;
}

void engine_fetch(const Engine *engine) {
    for (int kind = 0; kind < PAGE_KINDS; kind++) {
        const Pages *pages = &engine->pages[kind];
        for (uint32_t i = 0; i < pages->count && engine->away > 0; i++) {
            bool is_away = pages->items[i].status == PAGE_STORED && pages->items[i].items == NULL;
            if (is_away) load(engine, (EnginePageKind)kind, i);
        }
    }
}

void page_take_back(Engine *engine) {
    engine_fetch(engine);
    for (int kind = 0; kind < PAGE_KINDS; kind++) {
        for (uint32_t i = 0; i < engine->pages[kind].count; i++) {
            Page *page = &engine->pages[kind].items[i];
            if (page->status == PAGE_STORED) page->status = PAGE_HERE;
        }
    }
}

Err engine_save(Engine *engine, Buffer *head) {
    Buffer bytes = {0};
    Err err = err_none();
    for (int each = 0; each < PAGE_KINDS; each++) {
        EnginePageKind kind = (EnginePageKind)each;
        for (uint32_t i = 1; i < engine->pages[kind].count && err.code == ERR_NONE; i++) {
            Page *page = &engine->pages[kind].items[i];
            if (page->status != PAGE_HERE || !page_is_settled(engine, kind, i)) continue;
            page->status = page_is_gone(engine, kind, i) ? PAGE_GONE : PAGE_STORED;
            if (page->status == PAGE_GONE) continue;
            buffer_clear(&bytes);
            snapshot_write_page(engine, kind, i, &bytes);
            err = engine->keeper.write(engine->keeper.self, kind, i, buffer_str(&bytes));
        }
    }
    buffer_release(&bytes);
    if (err.code == ERR_NONE) snapshot_write(engine, false, head);
    return err;
}

void engine_snapshot(const Engine *engine, Buffer *out) {
    engine_fetch(engine);
    snapshot_write((Engine *)engine, true, out);  // it holds the same as before
}

// --- compaction ---------------------------------------------------------------------------------

// What waits to be looked at waits in the same order.
static void keep_queue(const Engine *from, Engine *to) {
    for (uint32_t i = to->queue_at; i < to->queue.count; i++) {
        run_of(to, to->queue.items[i])->is_queued = false;
    }
    to->queue.count = to->queue_at = 0;
    for (uint32_t i = from->queue_at; i < from->queue.count; i++) {
        if (run_is_here(to, from->queue.items[i])) run_touch(to, from->queue.items[i]);
    }
}

// The values of a loop as texts: to read them again would cost what the loop has cost so far.
static void keep_values(const Level *from, Engine *engine, Level *to) {
    if (from->values == NULL) return;
    to->value_count = from->value_count;
    to->values = arena_array(&engine->arena, Str, from->value_count);
    if (from->keys != NULL) to->keys = arena_array(&engine->arena, Str, from->value_count);
    for (uint32_t i = 0; i < from->value_count; i++) {
        to->values[i] = str_dup(&engine->arena, from->values[i]);
        if (from->keys != NULL) to->keys[i] = str_dup(&engine->arena, from->keys[i]);
    }
}

static void keep_scratch(const Engine *from, Engine *to) {
    keep_queue(from, to);
    for (uint32_t i = ROOT; i != NO_RUN; i = run_next_here(to, i)) {
        const Run *old = run_of(from, i);
        Run *run = run_of(to, i);
        run->start_is_asked = old->start_is_asked;
        run->timer_is_asked = old->timer_is_asked;
        run->cancel_is_asked = old->cancel_is_asked;
        run->asked = old->asked;
        bool goes_on = run->level != NULL && !state_is_terminal(run->state);
        if (goes_on) keep_values(old->level, to, run->level);
    }
    for (uint32_t i = 0; i < from->frame_count; i++) {
        if (frame_is_here(to, i)) frame_of(to, i)->is_asked = frame_of(from, i)->is_asked;
    }
    for (uint32_t i = 0; i < from->children.count; i++) {
        to->children.items[i]->is_asked = from->children.items[i]->is_asked;
        to->children.items[i]->is_killed = from->children.items[i]->is_killed;
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
    snapshot_write(*engine, false, &bytes);
    Engine *compact = NULL;
    Err err = engine_restore((*engine)->plan, buffer_str(&bytes), &(*engine)->keeper, &compact);
    if (err.code == ERR_NONE) {
        keep_scratch(*engine, compact);
        engine_free(*engine);
        *engine = compact;
    }
    buffer_release(&bytes);
}
