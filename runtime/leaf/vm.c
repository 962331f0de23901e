// vm.c - the machine: a Lua state without a way out, its limits, and the running of leaves.
//
// Memory is limited by the allocator, steps by a count hook that yields: a yield passes through
// every pcall, an error would not. All work on the state happens inside a coroutine or a protected
// call, so that the end of memory is an error of one evaluation and not of the process.
#include "leaf/machine.h"

#include <lualib.h>
#include <string.h>
#include <time.h>

#include "base/crypto.h"
#include "base/wiped.h"
#include "leaf/jq_program.h"

enum {
    DEFAULT_MILLISECONDS = 1000,
    THREADS_MAX = 4096,  // evaluations that wait for the host at the same time
};

#define DEFAULT_STEPS (UINT64_C(10) * 1000 * 1000)
#define DEFAULT_BYTES ((size_t)64 << 20)

// --- memory -------------------------------------------------------------------------------------

static void *allocate(void *self, void *block, size_t old_size, size_t new_size) {
    LeafVm *vm = self;
    if (block == NULL) old_size = 0;
    if (new_size == 0) {
        if (vm->is_private && block != NULL) wipe(block, old_size);
        heap_free(block);
        vm->bytes -= old_size;
        return NULL;
    }
    if (new_size > old_size && vm->bytes + (new_size - old_size) > vm->limits.bytes) return NULL;
    void *moved;
    if (vm->is_private && block != NULL) {
        moved = heap_alloc(1, new_size);
        memcpy(moved, block, old_size < new_size ? old_size : new_size);
        wipe(block, old_size);
        heap_free(block);
    } else {
        moved = heap_resize(block, 1, new_size);
    }
    vm->bytes = vm->bytes - old_size + new_size;
    return moved;
}

size_t leaf_vm_memory(const LeafVm *vm) {
    return vm->bytes;
}

// --- budget -------------------------------------------------------------------------------------

static int64_t thread_cpu_ns(void) {
    struct timespec now;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) != 0) return 0;
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

LeafBudget leaf_budget(const LeafLimits *limits) {
    uint64_t steps = limits->steps == 0 ? DEFAULT_STEPS : limits->steps;
    uint32_t milliseconds = limits->milliseconds == 0 ? DEFAULT_MILLISECONDS : limits->milliseconds;
    return (LeafBudget){.steps_max = steps, .cpu_ns_max = (int64_t)milliseconds * 1000000};
}

// cpu_ns holds the negative start while the coroutine runs, so that a short evaluation reads the
// clock only once it is long.
static void spend(LeafBudget *budget) {
    budget->steps += HOOK_STEPS;
    if (budget->spent != LEAF_SPENT_NOTHING) return;
    if (budget->steps > budget->steps_max) {
        budget->spent = LEAF_SPENT_STEPS;
    } else if (budget->steps / HOOK_STEPS % 16 == 0) {
        int64_t now = thread_cpu_ns();
        if (budget->started == 0) budget->started = now;
        if (budget->cpu_ns + now - budget->started > budget->cpu_ns_max) {
            budget->spent = LEAF_SPENT_TIME;
        }
    }
}

static void count_hook(lua_State *L, lua_Debug *record) {
    (void)record;
    LeafBudget *budget = vm_of(L)->budget;
    if (budget == NULL) return;
    spend(budget);
    if (budget->spent == LEAF_SPENT_NOTHING) return;
    if (lua_isyieldable(L)) {
        lua_yield(L, 0);
        return;
    }
    // Inside a C function: an error, again at every step until the coroutine can yield.
    lua_sethook(L, count_hook, LUA_MASKCOUNT, 1);
    luaL_error(L, "budget is spent");
}

int leaf_resume(LeafVm *vm, lua_State *thread, int argument_count, int *result_count,
                LeafBudget *budget) {
    LeafBudget *outer = vm->budget;
    int ignored = 0;
    vm->budget = budget;
    vm->scratch_used = 0;
    budget->started = 0;
    lua_sethook(thread, count_hook, LUA_MASKCOUNT, HOOK_STEPS);
    int status =
        lua_resume(thread, NULL, argument_count, result_count == NULL ? &ignored : result_count);
    if (budget->started != 0) budget->cpu_ns += thread_cpu_ns() - budget->started;
    budget->started = 0;
    vm->budget = outer;
    return status;
}

// --- the sandbox --------------------------------------------------------------------------------

// string.find without patterns: patterns on foreign text can take exponential time.
static int find_plain(lua_State *L) {
    size_t len, needle_len;
    const char *text = luaL_checklstring(L, 1, &len);
    const char *needle = luaL_checklstring(L, 2, &needle_len);
    lua_Integer from = luaL_optinteger(L, 3, 1);
    if (from < 0) from = from + (lua_Integer)len + 1 < 1 ? 1 : from + (lua_Integer)len + 1;
    if (from < 1) from = 1;
    size_t at = STR_NOT_FOUND;
    if ((size_t)from <= len + 1) {
        at = str_find((Str){text, len}, (Str){needle, needle_len}, (size_t)from - 1);
    }
    if (at == STR_NOT_FOUND) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, (lua_Integer)at + 1);
    lua_pushinteger(L, (lua_Integer)(at + needle_len));
    return 2;
}

static void open_library(lua_State *L, const char *name, lua_CFunction open) {
    luaL_requiref(L, name, open, 1);
    lua_pop(L, 1);
}

static void drop(lua_State *L, const char *table, const char *const names[]) {
    if (table == NULL) {
        lua_pushglobaltable(L);
    } else {
        lua_getglobal(L, table);
    }
    for (size_t i = 0; names[i] != NULL; i++) {
        lua_pushnil(L);
        lua_setfield(L, -2, names[i]);
    }
    lua_pop(L, 1);
}

static void open_sandbox(lua_State *L) {
    static const char *const globals[] = {"collectgarbage", "dofile", "load", "loadfile",
                                          "loadstring",     "print",  "warn", NULL};
    static const char *const string_names[] = {"dump", "match", "gmatch", "gsub", NULL};
    static const char *const math_names[] = {"random", "randomseed", NULL};  // host.random()
    open_library(L, LUA_GNAME, luaopen_base);
    open_library(L, LUA_STRLIBNAME, luaopen_string);
    open_library(L, LUA_TABLIBNAME, luaopen_table);
    open_library(L, LUA_MATHLIBNAME, luaopen_math);
    open_library(L, LUA_UTF8LIBNAME, luaopen_utf8);
    drop(L, NULL, globals);
    drop(L, LUA_STRLIBNAME, string_names);
    drop(L, LUA_MATHLIBNAME, math_names);
    lua_getglobal(L, LUA_STRLIBNAME);
    lua_pushcfunction(L, find_plain);
    lua_setfield(L, -2, "find");
    lua_pop(L, 1);
    // The registry's table of loaded modules would give back what was dropped.
    lua_pushnil(L);
    lua_setfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
}

static int open_machine(lua_State *L) {
    LeafVm *vm = vm_of(L);
    open_sandbox(L);
    for (int meta = 0; meta < META_COUNT; meta++) {
        lua_createtable(L, 0, 4);
        vm->metas[meta] = lua_topointer(L, -1);
        vm->meta_refs[meta] = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    leaf_values_open(L);
    leaf_error_open(L);
    leaf_context_open(L);
    leaf_secrets_open(L);
    leaf_abi_open(L);
    lua_createtable(L, 0, 0);
    vm->leaves_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_createtable(L, 4, 0);
    vm->threads_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_createtable(L, 0, 0);
    vm->empty_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

static Err machine_new(const LeafOptions *options, bool is_private, LeafVm **out) {
    LeafVm *vm = heap_alloc(1, sizeof *vm);
    vm->limits = options->limits;
    if (vm->limits.bytes == 0) vm->limits.bytes = DEFAULT_BYTES;
    vm->clock = options->clock == NULL ? clock_system() : options->clock;
    vm->secrets = options->secrets;
    if (is_private) vm->arena.allocator = &wiped_allocator;
    vm->time_zone = str_dup(&vm->arena, options->time_zone);
    vm->is_2_0 = str_starts_with(options->target, STR("2"));
    vm->is_private = is_private;
    for (int i = 0; i < SCRATCH_COUNT; i++) vm->scratch[i].is_wiped = is_private;
    *out = vm;
    vm->L = lua_newstate(allocate, vm);
    if (vm->L == NULL) goto failed;
    *(LeafVm **)lua_getextraspace(vm->L) = vm;
    lua_pushcfunction(vm->L, open_machine);
    if (lua_pcall(vm->L, 0, 0, 0) != LUA_OK) goto failed;
    return err_none();

failed:
    leaf_vm_free(vm);
    *out = NULL;
    return err_make(ERR_LIMIT, "the Lua machine does not fit into %zu bytes",
                    options->limits.bytes);
}

Err leaf_vm_new(const LeafOptions *options, LeafVm **out) {
    return machine_new(options, false, out);
}

LeafVm *leaf_vm_private(const LeafVm *model) {
    LeafOptions options = {.clock = model == NULL ? NULL : model->clock,
                           .time_zone = model == NULL ? (Str){0} : model->time_zone,
                           .target = model != NULL && model->is_2_0 ? STR("2.0") : STR("1.3")};
    LeafVm *vm = NULL;
    Err err = machine_new(&options, true, &vm);
    return err.code == ERR_NONE ? vm : NULL;
}

void leaf_vm_free(LeafVm *vm) {
    if (vm == NULL) return;
    if (vm->L != NULL) lua_close(vm->L);
    jq_helper_free(vm->jq);
    for (int i = 0; i < SCRATCH_COUNT; i++) buffer_release(&vm->scratch[i]);
    heap_free(vm->threads);
    arena_release(&vm->arena);
    heap_free(vm);
}

lua_State *leaf_vm_lua(LeafVm *vm) {
    return vm->L;
}

// --- chunks -------------------------------------------------------------------------------------

static LeafChunk *find_chunk(LeafVm *vm, uint32_t leaf) {
    // Leaves are numbered from 0 and set in order: the usual case is a hit.
    if (leaf < vm->chunks.count && vm->chunks.items[leaf].leaf == leaf) {
        return &vm->chunks.items[leaf];
    }
    for (uint32_t i = 0; i < vm->chunks.count; i++) {
        if (vm->chunks.items[i].leaf == leaf) return &vm->chunks.items[i];
    }
    return NULL;
}

static int forget_leaf(lua_State *L) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm_of(L)->leaves_ref);
    lua_pushnil(L);
    lua_rawseti(L, -2, lua_tointeger(L, 1));
    return 0;
}

void leaf_vm_set_chunk(LeafVm *vm, uint32_t leaf, Str bytecode) {
    LeafChunk *chunk = find_chunk(vm, leaf);
    if (chunk == NULL) {
        chunk = LIST_ADD(&vm->arena, &vm->chunks, LeafChunk);
        chunk->leaf = leaf;
    } else {
        lua_pushcfunction(vm->L, forget_leaf);
        lua_pushinteger(vm->L, leaf);
        if (lua_pcall(vm->L, 1, 0, 0) != LUA_OK) lua_pop(vm->L, 1);
    }
    chunk->bytecode = bytecode;
}

// Pushes the leaf's function, loading its chunk at the first use.
static void push_leaf(lua_State *L, uint32_t leaf) {
    LeafVm *vm = vm_of(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->leaves_ref);
    if (lua_rawgeti(L, -1, leaf) == LUA_TFUNCTION) {
        lua_remove(L, -2);
        return;
    }
    lua_pop(L, 1);
    const LeafChunk *chunk = find_chunk(vm, leaf);
    if (chunk == NULL) leaf_raise(L, LEAF_ERROR_OTHER, "there is no leaf %u", leaf);
    if (luaL_loadbufferx(L, chunk->bytecode.ptr, chunk->bytecode.len, "=leaf", "b") != LUA_OK) {
        leaf_raise(L, LEAF_ERROR_OTHER, "leaf %u is no bytecode of this Lua version", leaf);
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->empty_ref);
    if (lua_setupvalue(L, -2, 1) == NULL) lua_pop(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->rt_ref);
    lua_call(L, 1, 1);
    if (!lua_isfunction(L, -1)) leaf_raise(L, LEAF_ERROR_OTHER, "leaf %u gives no function", leaf);
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, leaf);
    lua_remove(L, -2);
}

typedef struct Compilation {
    Str source, name;
    Buffer *out;
    Arena *arena;
} Compilation;

static int write_bytecode(lua_State *L, const void *bytes, size_t size, void *out) {
    (void)L;
    buffer_add_bytes(out, bytes, size);
    return 0;
}

static int compile(lua_State *L) {
    const Compilation *unit = lua_touserdata(L, 1);
    const char *name = str_to_c(unit->arena, unit->name);
    if (luaL_loadbufferx(L, unit->source.ptr, unit->source.len, name, "t") != LUA_OK) {
        return lua_error(L);
    }
    lua_dump(L, write_bytecode, unit->out, 1);
    return 0;
}

Err leaf_compile_lua(Str source, Str name, Buffer *bytecode) {
    LeafVm vm = {.limits = {.bytes = (size_t)1 << 30}};
    Arena arena = {0};
    Str chunk_name = str_concat(&arena, STR("="), name);
    lua_State *L = lua_newstate(allocate, &vm);
    if (L == NULL) out_of_memory();
    *(LeafVm **)lua_getextraspace(L) = &vm;
    Compilation unit = {source, chunk_name, bytecode, &arena};
    lua_pushcfunction(L, compile);
    lua_pushlightuserdata(L, &unit);
    Err err = err_none();
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        const char *text = lua_tostring(L, -1);
        err = err_make(ERR_INPUT, "%s", text == NULL ? "the Lua compiler failed" : text);
    }
    lua_close(L);
    arena_release(&arena);
    return err;
}

Str leaf_bytecode_version(void) {
    // Signature, version 5.4, format 0, the line-ending check, sizes of an instruction, an integer
    // and a float: what lundump.c compares before anything else. In hexadecimal, since a manifest
    // is text.
    return STR("1b4c7561540019930d0a1a0a040808");
}

// --- coroutines ---------------------------------------------------------------------------------

static int make_thread(lua_State *L) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm_of(L)->threads_ref);
    lua_State **out = lua_touserdata(L, 1);
    *out = lua_newthread(L);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    return 0;
}

static int take_thread(LeafVm *vm) {
    for (int i = 0; i < vm->thread_count; i++) {
        if (vm->threads[i].is_busy) continue;
        vm->threads[i].is_busy = true;
        return i;
    }
    if (vm->thread_count == THREADS_MAX) return -1;
    lua_State *thread = NULL;
    lua_pushcfunction(vm->L, make_thread);
    lua_pushlightuserdata(vm->L, &thread);
    if (lua_pcall(vm->L, 1, 0, 0) != LUA_OK) {
        lua_pop(vm->L, 1);
        return -1;
    }
    vm->threads = heap_resize(vm->threads, (size_t)vm->thread_count + 1, sizeof *vm->threads);
    vm->threads[vm->thread_count] = (LeafThread){thread, true};
    return vm->thread_count++;
}

static void give_thread(LeafRun *run) {
    if (run->thread < 0) return;
    LeafThread *thread = &run->vm->threads[run->thread];
    lua_resetthread(thread->L);
    lua_settop(thread->L, 0);
    thread->is_busy = false;
    run->thread = -1;
}

// --- running ------------------------------------------------------------------------------------

static int deliver(lua_State *L, int status, lua_KContext context) {
    (void)status;
    LeafRun *run = (LeafRun *)context;
    Err err = leaf_to_value(L, -1, run->arena, &run->value);
    if (err.code != ERR_NONE) leaf_raise_err(L, LEAF_ERROR_VALUE, &err);
    return 0;
}

static int enter(lua_State *L) {
    LeafRun *run = lua_touserdata(L, 1);
    uint32_t leaf = (uint32_t)lua_tointeger(L, 2);
    push_leaf(L, leaf);
    lua_callk(L, 0, 1, (lua_KContext)run, deliver);
    return deliver(L, LUA_OK, (lua_KContext)run);
}

static LeafStatus fail(LeafRun *run, LeafErrorKind kind, Str message) {
    run->error = (LeafError){.kind = kind, .message = message};
    give_thread(run);
    return LEAF_FAILED;
}

static LeafStatus fail_budget(LeafRun *run) {
    if (run->budget.spent == LEAF_SPENT_STEPS) {
        return fail(run, LEAF_ERROR_LIMIT,
                    str_printf(run->arena, "the expression needs more than %llu steps",
                               (unsigned long long)run->budget.steps_max));
    }
    return fail(run, LEAF_ERROR_LIMIT,
                str_printf(run->arena, "the expression needs more than %lld ms of CPU time",
                           (long long)(run->budget.cpu_ns_max / 1000000)));
}

static LeafStatus resume(LeafRun *run, int argument_count) {
    LeafVm *vm = run->vm;
    LeafRun *outer = vm->run;
    lua_State *L = vm->threads[run->thread].L;
    int results = 0;
    vm->run = run;
    memset(vm->paths, 0, sizeof vm->paths);
    int status = leaf_resume(vm, L, argument_count, &results, &run->budget);
    vm->run = outer;
    run->steps = run->budget.steps;
    if (run->budget.spent != LEAF_SPENT_NOTHING) return fail_budget(run);
    if (status == LUA_OK) {
        give_thread(run);
        return LEAF_DONE;
    }
    if (status == LUA_YIELD) return LEAF_NEEDS;
    if (status == LUA_ERRMEM) {
        return fail(run, LEAF_ERROR_LIMIT,
                    str_printf(run->arena, "the expression needs more than %zu MiB of memory",
                               vm->limits.bytes >> 20));
    }
    leaf_error_take(L, run->arena, &run->error);
    give_thread(run);
    return LEAF_FAILED;
}

LeafStatus leaf_start(LeafRun *run, LeafVm *vm, uint32_t leaf, LeafContext context, Arena *arena) {
    *run = (LeafRun){.vm = vm, .arena = arena, .context = context, .thread = take_thread(vm)};
    run->budget = leaf_budget(&vm->limits);
    if (run->thread < 0) {
        return fail(run, LEAF_ERROR_LIMIT, STR("too many expressions wait at the same time"));
    }
    lua_State *L = vm->threads[run->thread].L;
    lua_pushcfunction(L, enter);
    lua_pushlightuserdata(L, run);
    lua_pushinteger(L, leaf);
    return resume(run, 2);
}

LeafStatus leaf_answer(LeafRun *run, Value answer) {
    run->vm->answer = answer;
    run->vm->refusal = LEAF_ERROR_NONE;
    return resume(run, 0);
}

LeafStatus leaf_refuse(LeafRun *run, LeafErrorKind kind, Str message) {
    run->vm->refusal = kind == LEAF_ERROR_NONE ? LEAF_ERROR_OTHER : kind;
    run->vm->refusal_text = message;
    return resume(run, 0);
}

void leaf_stop(LeafRun *run) {
    give_thread(run);
}

void leaf_take_error(lua_State *L, Arena *arena, LeafError *error) {
    leaf_error_take(L, arena, error);
}
