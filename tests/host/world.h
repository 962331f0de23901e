// world.h - a host with task modules that a test writes, and what came of an attempt.
#ifndef FLOW_TESTS_HOST_WORLD_H
#define FLOW_TESTS_HOST_WORLD_H

#include "support/test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "artifact/artifact.h"
#include "base/arena.h"
#include "base/file.h"
#include "host/host.h"
#include "leaf/leaf.h"
#include "log/mask.h"
#include "loop/loop.h"
#include "store/store.h"

enum { MODULES_MAX = 4 };

typedef struct World {
    Arena arena;
    Loop *loop;
    LeafVm *vm;
    Secrets *secrets;
    Masker *masker;
    Store *store;
    Host *host;
    Artifact artifact;
    HostOptions options;
    char folder[64];
    Buffer pool, chunks;
    Str sources[MODULES_MAX];
    const char *types[MODULES_MAX];
    uint32_t module_count;
    uint32_t effects;
    // Of the attempt.
    HostTask *task;
    Buffer log;  // "INFO text" lines
    Buffer checkpoints;
    uint32_t ended;
    bool is_ok, is_killed, is_timeout, has_begun;
    Str state, message, error_class;
    int64_t retry_after_ms;
    int32_t exit_code;
    Value outputs, metrics, effect_list;
    // Of the next attempt.
    int64_t timeout_ms;
    const char *workdir, *run_id, *key;
    Value checkpoint;
    bool is_recovery;
} World;

#define TOKEN "hush-hush-1"

static inline Err test_resolve(void *self, Str name, Str space, Str key, Buffer *plain) {
    (void)self;
    (void)space;
    (void)key;
    if (!str_eq(name, STR("TOKEN"))) {
        return err_make(ERR_NOT_FOUND, "cannot find secret for key '" STR_FMT "'", STR_ARG(name));
    }
    buffer_add(plain, STR(TOKEN));
    return err_none();
}

static inline void test_on_plain(void *self, Str plain) {
    World *world = self;
    masker_add(world->masker, plain);
}

static inline void test_log(void *self, HostTask *task, int level, Str text) {
    static const char *const names[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR"};
    World *world = self;
    (void)task;
    buffer_printf(&world->log, "%s " STR_FMT "\n", names[level], STR_ARG(text));
}

static inline Err test_checkpoint(void *self, HostTask *task, Value value) {
    World *world = self;
    (void)task;
    json_write(&world->checkpoints, value, JSON_COMPACT, 0);
    buffer_add_char(&world->checkpoints, '\n');
    return err_none();
}

static inline void test_ended(void *self, HostTask *task, const HostResult *result) {
    World *world = self;
    (void)task;
    world->ended++;
    world->task = NULL;
    world->is_ok = result->is_ok;
    world->is_killed = result->is_killed;
    world->is_timeout = result->is_timeout;
    world->has_begun = result->has_begun;
    world->retry_after_ms = result->retry_after_ms;
    world->exit_code = result->exit_code;
    world->state = str_dup(&world->arena, result->state);
    world->message = str_dup(&world->arena, result->message);
    world->error_class = str_dup(&world->arena, result->error_class);
    world->outputs = value_copy(&world->arena, result->outputs);
    world->metrics = value_copy(&world->arena, result->metrics);
    world->effect_list = value_copy(&world->arena, result->effects);
    loop_stop(world->loop);
}

static inline PlanText pool_text(World *world, const char *text) {
    PlanText at = (PlanText)world->pool.len;
    buffer_add_u32(&world->pool, (uint32_t)strlen(text));
    buffer_add(&world->pool, str_from(text));
    return at;
}

static inline void add_module(World *world, const char *type, const char *lua) {
    Buffer code = {0};
    assert_ok(leaf_compile_lua(str_from(lua), str_from(type), &code));
    world->types[world->module_count] = type;
    world->sources[world->module_count++] = buffer_to_str(&code, &world->arena);
    buffer_release(&code);
}

// After the modules: plan, artifact, host.
static inline void open_world(World *world) {
    buffer_add_u32(&world->pool, 0);
    PlanModule *modules = arena_array(&world->arena, PlanModule, MODULES_MAX);
    for (uint32_t i = 0; i < world->module_count; i++) {
        modules[i] = (PlanModule){pool_text(world, world->types[i]), i + 1, world->effects};
    }
    chunks_encode(world->sources, world->module_count, &world->chunks);
    world->artifact.plan = (Plan){.modules = modules,
                                  .module_count = world->module_count,
                                  .strings = buffer_str(&world->pool)};
    assert_ok(chunks_open(buffer_str(&world->chunks), &world->artifact.modules));
    world->options.artifact = &world->artifact;
    assert_ok(host_new(&world->options, &world->host));
}

static inline int world_setup(void **state) {
    World *world = heap_alloc(1, sizeof *world);
    *state = world;
    snprintf(world->folder, sizeof world->folder, "/tmp/flow-host-XXXXXX");
    if (mkdtemp(world->folder) == NULL) return -1;
    Err err = loop_new(&world->loop);
    if (err.code != ERR_NONE) return -1;
    world->masker = masker_new();
    world->secrets = secrets_new((SecretSource){test_resolve, test_on_plain, world});
    LeafOptions leaf = {.secrets = world->secrets};
    err = leaf_vm_new(&leaf, &world->vm);
    if (err.code != ERR_NONE) return -1;
    static const char *const env[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/nonexistent",
                                      "FROM_HOST=yes", NULL};
    world->effects = EFFECT_EXEC;
    world->options = (HostOptions){
        .vm = world->vm,
        .secrets = world->secrets,
        .masker = world->masker,
        .loop = world->loop,
        .execution_id = STR("exec1"),
        .flow_namespace = STR("company.team"),
        .flow_id = STR("myflow"),
        .work_folder = str_printf(&world->arena, "%s/work", world->folder),
        .storage_folder = str_printf(&world->arena, "%s/files/company/team/myflow/executions/exec1",
                                     world->folder),
        .env = env,
        .grace_ms = 300,
    };
    return 0;
}

static inline int world_teardown(void **state) {
    World *world = *state;
    host_free(world->host);
    leaf_vm_free(world->vm);
    secrets_free(world->secrets);
    if (world->store != NULL) store_close(world->store);
    loop_free(world->loop);
    masker_free(world->masker);
    Err err = dir_remove(world->folder);
    buffer_release(&world->pool);
    buffer_release(&world->chunks);
    buffer_release(&world->log);
    buffer_release(&world->checkpoints);
    arena_release(&world->arena);
    heap_free(world);
    return err.code == ERR_NONE ? 0 : -1;
}

static inline void begin(World *world, const char *props_json) {
    Value props = {0};
    assert_ok(json_parse(str_from(props_json), (JsonLimits){0}, &world->arena, &props));
    buffer_clear(&world->log);
    buffer_clear(&world->checkpoints);
    world->ended = 0;
    HostStart start = {
        .task_id = STR("mytask"),
        .task_type = str_from(world->types[0]),
        .run_id =
            str_from(world->run_id != NULL ? world->run_id : "0123456789abcdef0123456789abcdef"),
        .attempt = 1,
        .props = props,
        .context = value_map(&world->arena),
        .workdir = str_from(world->workdir),
        .idempotency_key = str_from(world->key),
        .timeout_ms = world->timeout_ms,
        .callbacks = {.log = test_log,
                      .checkpoint = test_checkpoint,
                      .ended = test_ended,
                      .self = world},
        .user = world,
    };
    HostTask *task = world->is_recovery ? host_recover(world->host, &start, world->checkpoint)
                                        : host_start(world->host, &start);
    if (world->ended == 0) world->task = task;
}

static inline void finish(World *world) {
    while (world->ended == 0) {
        bool was_stopped = loop_run(world->loop);
        assert_true(was_stopped || world->ended == 1);  // else nothing is left that could end it
    }
    assert_int_equal(world->ended, 1);
    loop_run_once(world->loop, 0);
}

static inline void perform(World *world, const char *props_json) {
    begin(world, props_json);
    finish(world);
}

// A module with one function body, performed at once.
static inline void run_body(World *world, const char *body) {
    Str lua = str_printf(&world->arena,
                         "return task { implements = 'x', effects = {'exec'},\n"
                         "run = function(props, host)\n%s\nend }",
                         body);
    if (world->host == NULL) {
        add_module(world, "test.Task", lua.ptr);
        open_world(world);
    }
    perform(world, "{}");
}

static inline const char *json_of(World *world, Value value) {
    Buffer text = {0};
    json_write(&text, value, JSON_CANONICAL, 0);
    Str out = buffer_to_str(&text, &world->arena);
    buffer_release(&text);
    return str_to_c(&world->arena, out);
}

static inline const char *log_of(World *world) {
    return str_to_c(&world->arena, buffer_str(&world->log));
}

#define assert_has(text, part)                                                                     \
    do {                                                                                           \
        const char *text_ = (text);                                                                \
        if (strstr(text_, (part)) == NULL) print_error("'%s' is not in:\n%s\n", (part), text_);    \
        assert_non_null(strstr(text_, (part)));                                                    \
    } while (0)

#define assert_task_ok(world)                                                                      \
    do {                                                                                           \
        if (!(world)->is_ok) print_error(STR_FMT "\n", STR_ARG((world)->message));                 \
        assert_true((world)->is_ok);                                                               \
    } while (0)

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

#endif
