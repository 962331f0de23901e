// internal.h - what the files of this module share: hosts, tasks, strands, waits.
//
// A strand is one coroutine: the task's own, its `kill`, or one of `all{}`. A strand that waits has
// a Wait, which owns whatever is under way and an arena of its own; when it is done the strand is
// resumed and the Wait's `finish` pushes the results inside the coroutine. Everything a call needs
// lives in arenas of the task or of the Wait, so a Lua error, which is a longjmp, loses nothing.
#ifndef FLOW_HOST_INTERNAL_H
#define FLOW_HOST_INTERNAL_H

#include <lauxlib.h>
#include <lua.h>

#include "host/host.h"
#include "log/log.h"
#include "log/mask.h"
#include "loop/loop.h"
#include "net/net.h"
#include "proc/proc.h"

enum {
    GRACE_MS = 10000,  // between TERM and KILL where the options say nothing
    KILL_MS = 10000,   // what a module's `kill` may take
    READ_LIMIT = 64 << 20,
    EFFECT_TEXT_MAX = 4096,     // of a body in a description
    SCRIPT_ARG_MAX = 96 << 10,  // longer scripts go by descriptor: one argument has 128 KiB at most
    MARKERS_MAX = 64 << 20,     // bytes of markers of one process
};

typedef struct Strand Strand;
typedef struct Wait Wait;

typedef struct Module {
    bool is_loaded, is_loading;
    int ref;  // of the declaration, or of what a lib module returned
} Module;

struct Host {
    HostOptions options;
    Arena arena;
    lua_State *L;
    Module *modules;  // one for each of the plan
    int api_ref;      // table of the host's functions, the metatable's __index of each task's own
    int globals_ref;  // what modules see
    int strands_ref;  // coroutine -> Strand as light userdata
    int again_ref;
    Procs *procs;
    Net *net;
    bool owns_procs, owns_net;
    int journal;  // of processes; -1: none
    Str journal_path;
    Str storage_root;    // where kestra:/// begins; empty: only this execution's objects are known
    char *spare_folder;  // an empty working directory of a task that has ended; NULL: none
    HostTask *first;
};

struct Wait {
    HostTask *task;
    Strand *strand;
    Wait *next;
    Arena arena;
    // Ends what is under way. True: at once, the Wait is given back; false: wait_done follows.
    bool (*cancel)(Wait *wait);
    void (*release)(Wait *wait);  // may be NULL
    // Pushes the results in the strand's coroutine and says how many.
    int (*finish)(lua_State *L, Wait *wait);
    bool is_done;
};

struct Strand {
    HostTask *task;
    Strand *next;
    lua_State *L;
    int ref;
    LeafBudget budget;
    Wait *wait;
    // What to do when it has ended: `status` of lua_resume, results or error on its stack.
    void (*ended)(Strand *strand, int status, int result_count);
    void *self;
    bool is_over;
};

struct HostTask {
    Host *host;
    HostTask *next;
    HostStart start;  // copied into the arena
    Arena arena;
    Arena call;  // of the call at hand
    Strand *strands, *main;
    Wait *waits;
    Value outputs, metrics, effects;
    Value checkpoint;  // the last one; null: none
    Arena checkpoint_arena;
    int props_ref, host_ref;
    LoopTimer *timeout, *kill_limit;
    Strand *killer;
    int workdir_fd;   // -1: not made yet
    Str workdir;      // absolute; empty: not made yet
    uint32_t copies;  // local copies of objects made so far
    bool is_over;     // its end is being told
    bool is_cancelled, is_timeout, is_recovering;
    bool is_starting;  // inside host_start
    bool is_ended_early;
    bool may_read;  // plan --plan=live: requests that only read are performed
    uint32_t busy;  // calls that still need the task
    bool has_begun;
    Str kept;      // folder of a kept process; empty: none. It and the working directory stay
                   // until the result is durable
    bool goes_on;  // the working directory is that of an attempt before
    bool is_unknown;
    int32_t exit_code;
    // How it ended.
    bool is_ok;
    Str state, message, error_class;
    int64_t retry_after_ms;
};

// --- modules (host.c) ---------------------------------------------------------------------------

// Loads a module once and pushes what its chunk returned. Raises.
void push_module(lua_State *L, Host *host, uint32_t number);
// Runs a C function with one light userdata as argument under protection.
MUST_CHECK Err host_protect(Host *host, lua_CFunction function, void *argument);

// --- calls (strand.c, arguments.c) --------------------------------------------------------------

// The strand and task that call; raises outside of one. The arena `call` is empty.
Strand *strand_of(lua_State *L);
HostTask *call_begin(lua_State *L);
// Makes a Wait of `size` bytes (a struct that begins with one) for the calling strand.
Wait *wait_new(lua_State *L, size_t size);
// Returns from the host function; the strand waits.
int wait_for(lua_State *L, Wait *wait);
// What is under way has ended: the strand goes on, now or when it has yielded.
void wait_done(Wait *wait);
void wait_drop(Wait *wait);
// Nothing of a task is freed between these two.
void host_task_enter(HostTask *task);
void host_task_leave(HostTask *task);
Strand *strand_new(lua_State *L, HostTask *task);  // pushes nothing
void strand_resume(Strand *strand, int argument_count);
void strand_renew(Strand *strand);  // its budget, while it is not running
// Calls from the coroutine at the top of L are calls of the strand (on_line and the like).
void strand_bind(lua_State *L, Strand *strand);
// nil, message, class.
int push_failure(lua_State *L, const Err *err, const char *error_class);
int push_failure_text(lua_State *L, Str message, Str error_class);
void push_str(lua_State *L, Str text);
// A text; raises for anything else, also for a secret: `what` names it.
Str check_text(lua_State *L, int index, const char *what);
// A value in the arena; raises where it cannot be one.
Value check_value(lua_State *L, int index, Arena *arena, const char *what);
// The fields of the table at `index` without functions; raises on a field that `known` (ends with
// NULL) does not list.
Value check_fields(lua_State *L, int index, Arena *arena, const char *call,
                   const char *const *known);
// A function in the table at `index`: pushed, or nothing pushed and false.
bool push_function(lua_State *L, int index, const char *name);
bool name_is_listed(const char *const *known, const char *name);  // `known` ends with NULL
bool is_planning(const HostTask *task);

// --- attempts (attempt.c) -----------------------------------------------------------------------

// Ends the attempt where nothing of it is left.
void host_task_step(HostTask *task);
void host_task_free(HostTask *task);
MUST_CHECK Err host_procs(Host *host, Procs **out);
MUST_CHECK Err host_net(Host *host, Net **out);
void host_task_log(HostTask *task, int level, Str text);
void host_task_fail(HostTask *task, Str message, Str error_class);
void host_task_add_metric(HostTask *task, Str name, Str type, Value value, Value tags);
void host_task_add_outputs(HostTask *task, Value outputs);
// What the module's `idempotent` says of the task's properties.
bool host_task_is_keyed(lua_State *L, HostTask *task);
const char *class_of_err(const Err *err);
// Ends what the journal of a process that died has left under way.
MUST_CHECK Err journal_open(Host *host);
void journal_intent(Host *host, const ProcIdentity *identity);  // before it is there
void journal_start(Host *host, const ProcIdentity *identity);
void journal_end(Host *host, const char *mark);

// --- secrets and texts (text.c) -----------------------------------------------------------------

// The text of a value in clear, in the arena.
MUST_CHECK Err reveal(HostTask *task, Value value, Arena *arena, Str *out);
// The text of a value with every secret masked.
Str masked_text(HostTask *task, Value value, Arena *arena);
Str mask_plain(HostTask *task, Str plain, Arena *arena);
// A copy in which texts that hold a registered secret are masked.
Value mask_value(HostTask *task, Value value, Arena *arena);
// True for a handle, or a text with a registered secret in it.
bool holds_secret(HostTask *task, Value value);
Value make_concat(Arena *arena, Value parts);
// A filter of the language over a list of its input and its arguments, which may hold secrets.
Value make_call(Arena *arena, Str filter, Value args);
// A plain value under a name of ours, as a secret.
Value make_secret(Host *host, Str name, Str plain, Arena *arena);

// --- effects (effect.c) -------------------------------------------------------------------------

// Describes an effect before it is performed; false where it must not be (plan). The description is
// a map in any arena; working directory and secrets are replaced.
bool effect(HostTask *task, Value description);

int api_logs(lua_State *L);                  // logs.c
void add_execution_functions(lua_State *L);  // executions.c

// --- handlers of external types (handlers.c) ----------------------------------------------------

// The handler of the longest prefix; NULL: none.
const Value *handler_of(const Host *host, Str type);
int api_handler(lua_State *L);

// --- files (files.c) ----------------------------------------------------------------------------

// Makes the working directory on first use.
MUST_CHECK Err workdir_open(HostTask *task);
void workdir_close(HostTask *task);
void workdir_drop_spare(Host *host);
// Opens beneath the directory; `create` makes parents. The path is relative, or absolute within it.
MUST_CHECK Err workdir_open_file(HostTask *task, Str path, int flags, mode_t mode, int *out);
MUST_CHECK Err workdir_write(HostTask *task, Str path, Str text, mode_t mode);
MUST_CHECK Err workdir_copy(HostTask *task, int from, Str path);
MUST_CHECK Err workdir_read(HostTask *task, Str path, size_t limit, Arena *arena, Str *out);
// Relative paths of regular files, sorted.
MUST_CHECK Err workdir_walk(HostTask *task, Arena *arena, Value *out);
MUST_CHECK Err folder_walk(int folder, Arena *arena, Value *out);
MUST_CHECK Err open_beneath(int folder, Str path, int flags, mode_t mode, int *out);
MUST_CHECK Err make_parents(int folder, Str path);
MUST_CHECK Err copy_all(int from, int to, const char *name);
// The whole of `inputFiles`, and so on.
MUST_CHECK Err write_input_files(HostTask *task, Value files, Arena *arena);
MUST_CHECK Err write_namespace_files(HostTask *task, Value options, Arena *arena, uint32_t *count);
MUST_CHECK Err store_output_files(HostTask *task, Value globs, Arena *arena, Value *out);
int api_workdir(lua_State *L);

// A folder as an archive in the directory, its entries below `top`, and back from one whose top is
// a folder (tar.c).
MUST_CHECK Err workdir_pack(HostTask *task, Str name, int from, Str top, Arena *arena);
// `filter` as for archives; empty: none.
MUST_CHECK Err workdir_unpack(HostTask *task, Str archive, Str filter, int to, Arena *arena);

// --- $FLOW_OUTPUT (output_file.c) ---------------------------------------------------------------

// An empty file for the outputs of a command, of this attempt: its absolute path. It is beside the
// working directory, not in it: `git clone … .` wants an empty one.
MUST_CHECK Err output_file_make(HostTask *task, Arena *arena, Str *path);
// Those of processes that a crash has ended.
void output_files_drop(const Host *host);
// Makes the file, or empties it; no link is followed.
MUST_CHECK Err output_file_empty(Str path, Arena *arena);
// Adds what it says to `vars` (in `arena`) and removes it; what cannot be read is told in the log.
void output_file_take(HostTask *task, Str path, Arena *arena, Value vars);
int wd_output_file(lua_State *L);
int wd_pack_outputs(lua_State *L);
int wd_take_outputs(lua_State *L);

// --- caches of WorkingDirectory (cache.c) -------------------------------------------------------

MUST_CHECK Err cache_restore(HostTask *task, Str id, Str value, Value cache, Arena *arena);
MUST_CHECK Err cache_save(HostTask *task, Str id, Str value, Value cache, Arena *arena);

// --- globs (glob.c) -----------------------------------------------------------------------------

// Java's globs; `glob:` and `regex:` in front are matched against `absolute`.
MUST_CHECK Err file_glob_matches(Str pattern, Str relative, Str absolute, bool *out);

// --- objects (storage.c) ------------------------------------------------------------------------

bool is_uri(Str text);
// A readable descriptor of what a URI names; ERR_INPUT for other schemes.
MUST_CHECK Err open_uri(HostTask *task, Str uri, int *out);
// An object while it is written, under a name of its own. `path` is on the heap.
typedef struct NewObject {
    int folder, fd;
    char *path;  // NULL: there is none
} NewObject;
MUST_CHECK Err object_begin(HostTask *task, Str name, Arena *arena, NewObject *out);
// Synced, renamed and given back; nothing of it is left where that fails.
MUST_CHECK Err object_end(HostTask *task, NewObject *object, Arena *arena, Str *uri);
void object_drop(NewObject *object);
// The name of an object made of a file's name.
Str object_name(Str name, Arena *arena);
// Stores what `fd` holds from its beginning; gives the URI in the arena.
MUST_CHECK Err store_object(HostTask *task, int fd, Str name, Arena *arena, Str *uri);
MUST_CHECK Err store_text(HostTask *task, Str text, Str name, Arena *arena, Str *uri);
// A local copy with a path of its own.
MUST_CHECK Err local_copy(HostTask *task, Str uri, Arena *arena, Str *path);
// Replaces every URI in the text by the path of a local copy.
MUST_CHECK Err localise(HostTask *task, Str text, Arena *arena, Str *out);
// Of a namespace; empty: the flow's own.
MUST_CHECK Err namespace_file(HostTask *task, Str space, Str path, Arena *arena, Str *text);
MUST_CHECK Err namespace_paths(HostTask *task, Str space, Arena *arena, Value *out);

// --- what modules call --------------------------------------------------------------------------

int api_exec(lua_State *L);
int api_which(lua_State *L);
int api_http(lua_State *L);
// `unix` and `tls` of a table for http.
MUST_CHECK Err net_start_peer(HostTask *task, Value fields, Arena *arena, NetStart *start);
int api_registry_auth(lua_State *L);  // registry.c
int api_credentials(lua_State *L);
int api_all(lua_State *L);
void open_globals(Host *host, lua_State *L);  // leaves the table on the stack
void add_state_functions(lua_State *L);       // to the table at the top
void add_file_functions(lua_State *L);
void add_storage_functions(lua_State *L);
void add_archive_functions(lua_State *L);
void tell_object(HostTask *task, Str name);
int api_reader(lua_State *L);  // stream.c
int api_writer(lua_State *L);
void open_streams(lua_State *L);
void add_codec_functions(lua_State *L);
void add_text_functions(lua_State *L);
void add_table(lua_State *L, const char *name, const luaL_Reg *functions);
// The error value of host.fail: fills the task's end where it is one.
bool take_failure(lua_State *L, int index, HostTask *task);

#endif
