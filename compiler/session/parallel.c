// parallel.c - many files checked by several threads, with the result of one.
//
// Each thread has a session of its own (catalog, parser, arenas: nothing is shared but the list of
// files, from which they take the next one). Afterwards sources and findings are put together in
// the order of the files, so that nobody can tell how many threads there were.
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "session/session.h"

enum { THREADS_MAX = 64 };

// What one file gave, inside the session of the thread that took it.
typedef struct Result {
    Session *session;
    uint32_t first_source, end_source;
    uint32_t first_diag, end_diag;
    uint32_t first_script, end_script;
    uint32_t first_ignore, end_ignore;
    uint32_t first_miss, end_miss;
    DiagSummary summary;  // before, then what came on top
    Err write_error;
    Buffer out;
} Result;

typedef struct Pool {
    const SessionInput *input;
    const FoundFiles *found;
    Result *results;
    atomic_uint next;
} Pool;

typedef struct Worker {
    Pool *pool;
    Session *session;
    pthread_t thread;
    bool is_running;
} Worker;

// --- checking -----------------------------------------------------------------------------------

static void check_one(Worker *worker, uint32_t number) {
    Session *session = worker->session;
    Result *result = &worker->pool->results[number];
    SessionInput input = *worker->pool->input;
    input.out = &result->out;
    session->summary = (DiagSummary){0};
    session->write_error = err_none();
    result->session = session;
    result->first_source = session->sources.list.count;
    result->first_diag = session->diags.list.count;
    result->first_script = session->late.scripts.list.count;
    result->first_miss = session->misses.count;
    result->first_ignore = session->late.ignores.count;
    check_file(session, &input, &worker->pool->found->list.items[number]);
    result->end_source = session->sources.list.count;
    result->end_diag = session->diags.list.count;
    result->end_script = session->late.scripts.list.count;
    result->end_miss = session->misses.count;
    result->end_ignore = session->late.ignores.count;
    result->summary = session->summary;
    result->write_error = session->write_error;
}

static void *work(void *self) {
    Worker *worker = self;
    for (;;) {
        const uint32_t number = atomic_fetch_add(&worker->pool->next, 1);
        if (number >= worker->pool->found->list.count) return NULL;
        check_one(worker, number);
    }
}

// --- putting together ---------------------------------------------------------------------------

// Sources before `first` are those of the project and of its index, which all have in common.
static void move_span(Span *span, uint32_t first, uint32_t base) {
    if (span->file >= first) span->file = span->file - first + base;
}

static void move_diag(Diag *diag, uint32_t first, uint32_t base) {
    move_span(&diag->span, first, base);
    for (uint32_t i = 0; i < diag->labels.count; i++) {
        move_span(&diag->labels.items[i].span, first, base);
    }
    for (uint32_t i = 0; i < diag->suggestions.count; i++) {
        const DiagSuggestion *suggestion = &diag->suggestions.items[i];
        for (uint32_t k = 0; k < suggestion->edits.count; k++) {
            move_span(&suggestion->edits.items[k].span, first, base);
        }
    }
}

// Scripts, and comments about them, for the end of the run.
static void take_late(Session *session, const Result *result, uint32_t base) {
    const Late *late = &result->session->late;
    for (uint32_t i = result->first_script; i < result->end_script; i++) {
        Script *script = late->scripts.list.items[i];
        if (script->file >= result->first_source) {
            script->file = script->file - result->first_source + base;
        }
        for (uint32_t k = 0; k < script->parts.count; k++) {
            move_span(&script->parts.items[k].scalar->span, result->first_source, base);
        }
        *LIST_ADD(&session->arena, &session->late.scripts.list, Script *) = script;
    }
    for (uint32_t i = result->first_ignore; i < result->end_ignore; i++) {
        LateIgnore *ignore = LIST_ADD(&session->arena, &session->late.ignores, LateIgnore);
        *ignore = late->ignores.items[i];
        move_span(&ignore->name, result->first_source, base);
    }
}

static void take_misses(Session *session, const Result *result, uint32_t base) {
    for (uint32_t i = result->first_miss; i < result->end_miss; i++) {
        CacheMiss *miss = LIST_ADD(&session->arena, &session->misses, CacheMiss);
        *miss = result->session->misses.items[i];
        miss->file = miss->file - result->first_source + base;
    }
}

static void take_result(Session *session, const Result *result, Buffer *out) {
    const uint32_t base = session->sources.list.count;
    for (uint32_t i = result->first_source; i < result->end_source; i++) {
        *LIST_ADD(&session->arena, &session->sources.list, Source) =
            result->session->sources.list.items[i];
    }
    for (uint32_t i = result->first_diag; i < result->end_diag; i++) {
        Diag *diag = result->session->diags.list.items[i];
        move_diag(diag, result->first_source, base);
        *LIST_ADD(&session->arena, &session->diags.list, Diag *) = diag;
    }
    take_late(session, result, base);
    take_misses(session, result, base);
    session->summary.files += result->summary.files;
    session->summary.skipped += result->summary.skipped;
    session->summary.ignored += result->summary.ignored;
    session->summary.fixed += result->summary.fixed;
    session->summary.fixed_files += result->summary.fixed_files;
    if (session->write_error.code == ERR_NONE) session->write_error = result->write_error;
    if (out != NULL) buffer_add(out, buffer_str(&result->out));
}

// The index, which nobody changes any more, and the sources that its spans mean.
static void share_flows(const Session *session, Session *worker) {
    worker->flows = session->flows;
    worker->cache = session->cache;
    for (uint32_t i = worker->sources.list.count; i < session->sources.list.count; i++) {
        *LIST_ADD(&worker->arena, &worker->sources.list, Source) = session->sources.list.items[i];
    }
}

Err parallel_check(Session *session, const SessionInput *input, const FoundFiles *found) {
    uint32_t count = input->jobs < THREADS_MAX ? input->jobs : THREADS_MAX;
    if (count > found->list.count) count = found->list.count;
    Pool pool = {.input = input,
                 .found = found,
                 .results = arena_array(&session->arena, Result, found->list.count)};
    Worker *workers = arena_array(&session->arena, Worker, count);
    session->workers = arena_array(&session->arena, Session *, count);
    Err err = err_none();
    for (uint32_t i = 0; i < count && err.code == ERR_NONE; i++) {
        err = session_new(&session->options, session->start, &workers[i].session);
        // They live as long as the findings that point into them.
        if (err.code == ERR_NONE) {
            session->workers[session->worker_count++] = workers[i].session;
            share_flows(session, workers[i].session);
        }
        workers[i].pool = &pool;
    }
    if (err.code != ERR_NONE) return err;
    for (uint32_t i = 1; i < count; i++) {
        // Fewer threads than asked for are enough.
        workers[i].is_running = pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0;
    }
    work(&workers[0]);
    for (uint32_t i = 1; i < count; i++) {
        if (workers[i].is_running) pthread_join(workers[i].thread, NULL);
    }
    for (uint32_t i = 0; i < found->list.count; i++) {
        take_result(session, &pool.results[i], input->out);
        buffer_release(&pool.results[i].out);
    }
    return err_none();
}
