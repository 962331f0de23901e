// strand.c - coroutines that wait: calls of the host, what is under way, going on.
//
// A call that raises before it waits leaves its Wait behind; the next call of the strand, or its
// end, drops it.
#include "host/internal.h"

#include "base/wiped.h"

// --- strands ------------------------------------------------------------------------------------

Strand *strand_of(lua_State *L) {
    lua_getfield(L, LUA_REGISTRYINDEX, "flow.strands");
    lua_pushthread(L);
    lua_rawget(L, -2);
    Strand *strand = lua_touserdata(L, -1);
    lua_pop(L, 2);
    if (strand == NULL) luaL_error(L, "the host can be called from a running task only");
    return strand;
}

// A call that raised before it began to wait left its Wait behind.
static void drop_unused_waits(const Strand *strand) {
    for (Wait *wait = strand->task->waits, *next = NULL; wait != NULL; wait = next) {
        next = wait->next;
        if (wait->strand == strand && strand->wait != wait) wait_drop(wait);
    }
}

HostTask *call_begin(lua_State *L) {
    const Strand *strand = strand_of(L);
    HostTask *task = strand->task;
    if (strand->L == L) drop_unused_waits(strand);
    if (task->is_cancelled && strand != task->killer) luaL_error(L, "the task is being stopped");
    arena_reset(&task->call, (ArenaMark){0});
    return task;
}

static LeafBudget strand_budget(void) {
    // Of a whole attempt, waits not counted. A module that computes longer than this is broken.
    static const LeafLimits limits = {.steps = 200 * 1000 * 1000, .milliseconds = 5 * 1000};
    return leaf_budget(&limits);
}

void strand_renew(Strand *strand) {
    strand->budget = strand_budget();
}

// Of the coroutine at the top.
void strand_bind(lua_State *L, Strand *strand) {
    lua_getfield(L, LUA_REGISTRYINDEX, "flow.strands");
    lua_pushvalue(L, -2);
    lua_pushlightuserdata(L, strand);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

Strand *strand_new(lua_State *L, HostTask *task) {
    Strand *strand = arena_new(&task->arena, Strand);
    strand->task = task;
    strand->budget = strand_budget();
    lua_State *thread = lua_newthread(L);
    strand_bind(L, strand);
    strand->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    strand->L = thread;
    strand->next = task->strands;
    task->strands = strand;
    return strand;
}

void host_task_enter(HostTask *task) {
    task->busy++;
}

void host_task_leave(HostTask *task) {
    if (--task->busy == 0) host_task_step(task);
}

static void strand_over(Strand *strand, int status, int result_count) {
    strand->is_over = true;
    drop_unused_waits(strand);
    strand->ended(strand, status, result_count);
}

void strand_resume(Strand *strand, int argument_count) {
    HostTask *task = strand->task;
    if (task->is_over || strand->is_over) return;
    int result_count = 0;
    task->busy++;
    int status = leaf_resume(task->host->options.vm, strand->L, argument_count, &result_count,
                             &strand->budget);
    task->busy--;
    if (strand->budget.spent != LEAF_SPENT_NOTHING) {
        lua_resetthread(strand->L);
        lua_settop(strand->L, 0);
        strand_over(strand, LUA_ERRRUN, 0);
    } else if (status == LUA_YIELD) {
        lua_pop(strand->L, result_count);
        Wait *wait = strand->wait;
        if (wait != NULL && wait->is_done) strand_resume(strand, 0);
        return;
    } else {
        strand_over(strand, status, status == LUA_OK ? result_count : 1);
    }
}

// --- waits --------------------------------------------------------------------------------------

Wait *wait_new(lua_State *L, size_t size) {
    Strand *strand = strand_of(L);
    if (strand->L != L || !lua_isyieldable(L))
        luaL_error(L, "this function waits and cannot be called from here");
    Wait *wait = heap_alloc(1, size);
    wait->arena.allocator = &wiped_allocator;  // secrets are in clear there
    wait->task = strand->task;
    wait->strand = strand;
    wait->next = strand->task->waits;
    strand->task->waits = wait;
    return wait;
}

void wait_drop(Wait *wait) {
    Wait **at = &wait->task->waits;
    while (*at != wait) at = &(*at)->next;
    *at = wait->next;
    if (wait->strand->wait == wait) wait->strand->wait = NULL;
    if (wait->release != NULL) wait->release(wait);
    arena_release(&wait->arena);
    heap_free(wait);
}

static int wait_over(lua_State *L, int status, lua_KContext context) {
    (void)status;
    Wait *wait = (Wait *)context;
    wait->strand->wait =
        NULL;  // where `finish` raises, the Wait is dropped as one that is not used
    int count = wait->finish(L, wait);
    wait_drop(wait);
    return count;
}

int wait_for(lua_State *L, Wait *wait) {
    wait->strand->wait = wait;
    return lua_yieldk(L, 0, (lua_KContext)wait, wait_over);
}

void wait_done(Wait *wait) {
    HostTask *task = wait->task;
    wait->is_done = true;
    if (wait->strand->wait != wait) return;  // it has not yielded yet: wait_for will find it done
    host_task_enter(task);
    if (task->is_cancelled && wait->strand != task->killer) {
        wait_drop(wait);
    } else if (wait->strand->L != NULL && lua_status(wait->strand->L) == LUA_YIELD) {
        strand_resume(wait->strand, 0);
    }
    host_task_leave(task);
}
