// all.c - host.all: functions that wait at the same time, at most `n` at once.
//
// Each runs in a strand of its own. The call ends when all have ended; the first error, in the
// order of the functions, is raised then.
#include "host/internal.h"

typedef struct All {
    Wait wait;
    uint32_t count, limit, started, ended;
    Strand **strands;
    int *results;  // registry references: a table of what came, or an error
    bool *failed;
} All;

static bool all_cancel(Wait *wait) {
    (void)wait;
    return true;  // its strands' own waits are ended one by one
}

static void all_release(Wait *wait) {
    All *all = (All *)wait;
    for (uint32_t i = 0; i < all->count; i++) {
        luaL_unref(wait->task->host->L, LUA_REGISTRYINDEX, all->results[i]);
    }
}

static int all_finish(lua_State *L, Wait *wait) {
    All *all = (All *)wait;
    for (uint32_t i = 0; i < all->count; i++) {
        if (!all->failed[i]) continue;
        lua_rawgeti(L, LUA_REGISTRYINDEX, all->results[i]);
        return lua_error(L);
    }
    lua_createtable(L, (int)all->count, 0);
    for (uint32_t i = 0; i < all->count; i++) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, all->results[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

// table.pack of the results, inside a protected call.
static int pack(lua_State *L) {
    lua_State *from = lua_touserdata(L, 1);
    int count = (int)lua_tointeger(L, 2);
    int *reference = lua_touserdata(L, 3);
    lua_settop(L, 0);
    luaL_checkstack(L, count + 4, NULL);
    lua_createtable(L, count, 1);
    lua_xmove(from, L, count);
    for (int i = count; i >= 1; i--) lua_rawseti(L, 1, i);
    lua_pushinteger(L, count);
    lua_setfield(L, 1, "n");
    *reference = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

static void start_more(All *all) {
    while (all->started < all->count && all->started - all->ended < all->limit) {
        strand_resume(all->strands[all->started++], 0);
    }
}

static void one_over(Strand *strand, int status, int result_count) {
    All *all = strand->self;
    HostTask *task = strand->task;
    uint32_t i = 0;
    while (all->strands[i] != strand) i++;
    all->failed[i] = true;
    lua_State *L = task->host->L;
    if (status == LUA_OK && lua_checkstack(L, 8)) {
        lua_pushcfunction(L, pack);
        lua_pushlightuserdata(L, strand->L);
        lua_pushinteger(L, result_count);
        lua_pushlightuserdata(L, &all->results[i]);
        if (lua_pcall(L, 3, 0, 0) == LUA_OK)
            all->failed[i] = false;
        else
            lua_pop(L, 1);
    } else if (result_count == 1 && lua_checkstack(L, 4)) {
        // The error itself: moved below the registry by a function that cannot fail but for memory.
        lua_xmove(strand->L, L, 1);
        all->results[i] = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    all->ended++;
    if (all->ended == all->count) {
        wait_done(&all->wait);
    } else {
        start_more(all);
    }
}

int api_all(lua_State *L) {
    HostTask *task = call_begin(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_getfield(L, 1, "n");
    lua_Integer limit = luaL_optinteger(L, 2, 4);
    lua_Integer count = (lua_Integer)lua_rawlen(L, 1);
    if (count == 0) {
        lua_newtable(L);
        return 1;
    }
    if (count > 10000) return luaL_error(L, "all: at most 10000 functions");
    All *all = (All *)wait_new(L, sizeof *all);
    all->wait.cancel = all_cancel;
    all->wait.finish = all_finish;
    all->strands = arena_array(&all->wait.arena, Strand *, (size_t)count);
    all->results = arena_array(&all->wait.arena, int, (size_t)count);
    all->failed = arena_array(&all->wait.arena, bool, (size_t)count);
    all->limit = limit < 1 ? 1 : limit > 64 ? 64 : (uint32_t)limit;
    for (lua_Integer i = 0; i < count; i++) all->results[i] = LUA_NOREF;
    all->count = (uint32_t)count;
    all->wait.release = all_release;
    for (lua_Integer i = 0; i < count; i++) {
        if (lua_rawgeti(L, 1, i + 1) != LUA_TFUNCTION) {
            return luaL_error(L, "all: item %d is no function", (int)i + 1);
        }
        Strand *strand = strand_new(L, task);
        strand->ended = one_over;
        strand->self = all;
        luaL_checkstack(strand->L, 8, NULL);
        lua_xmove(L, strand->L, 1);
        all->strands[i] = strand;
    }
    start_more(all);
    return wait_for(L, &all->wait);
}
