// fixture.h - a machine with a context and secrets, and leaves written as Lua.
#ifndef FLOW_TESTS_LEAF_FIXTURE_H
#define FLOW_TESTS_LEAF_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "leaf/leaf.h"
#include "support/test.h"

typedef struct Fixture {
    LeafVm *vm;
    Secrets *secrets;
    Arena arena;
    Value context;
    LeafRun run;
    Buffer bytecode[16];
    uint32_t leaves;
    Buffer announced;  // plain secrets, each with a `|` behind it
} Fixture;

static inline Err fixture_resolve(void *self, Str name, Str secret_namespace, Str key,
                                  Buffer *plain) {
    (void)self;
    (void)secret_namespace;
    if (str_eq(name, STR("PASS"))) {
        buffer_add(plain, STR("s3cret"));
        return err_none();
    }
    if (str_eq(name, STR("JSON"))) {
        Str json = STR("{\"user\":\"u-secret\",\"port\":5432}");
        if (key.len > 0) return secret_subkey(json, key, plain);
        buffer_add(plain, json);
        return err_none();
    }
    return err_make(ERR_NOT_FOUND, "there is no secret '" STR_FMT "'", STR_ARG(name));
}

static inline void fixture_announce(void *self, Str plain) {
    Fixture *fixture = self;
    buffer_add(&fixture->announced, plain);
    buffer_add_char(&fixture->announced, '|');
}

static inline int fixture_open(void **state, LeafLimits limits) {
    Fixture *fixture = calloc(1, sizeof *fixture);
    fixture->secrets = secrets_new(
        (SecretSource){.resolve = fixture_resolve, .on_plain = fixture_announce, .self = fixture});
    LeafOptions options = {.limits = limits, .secrets = fixture->secrets};
    assert_ok(leaf_vm_new(&options, &fixture->vm));
    fixture->context = value_map(&fixture->arena);
    *state = fixture;
    return 0;
}

static inline int fixture_setup(void **state) {
    return fixture_open(state, (LeafLimits){0});
}

static inline int fixture_teardown(void **state) {
    Fixture *fixture = *state;
    leaf_vm_free(fixture->vm);
    secrets_free(fixture->secrets);
    arena_release(&fixture->arena);
    for (size_t i = 0; i < COUNT(fixture->bytecode); i++) buffer_release(&fixture->bytecode[i]);
    buffer_release(&fixture->announced);
    free(fixture);
    return 0;
}

static inline void fixture_context(Fixture *fixture, const char *json) {
    assert_ok(json_parse(str_dup(&fixture->arena, str_from(json)), (JsonLimits){0}, &fixture->arena,
                         &fixture->context));
}

// Runs the body of a leaf, `rt` in sight.
static inline LeafStatus fixture_run(Fixture *fixture, const char *body) {
    Buffer source = {0};
    uint32_t leaf = fixture->leaves++ % COUNT(fixture->bytecode);
    Buffer *bytecode = &fixture->bytecode[leaf];
    buffer_clear(bytecode);
    buffer_printf(&source, "local rt = ...\nreturn function() %s end", body);
    assert_ok(leaf_compile_lua(buffer_str(&source), STR("test"), bytecode));
    buffer_release(&source);
    leaf_vm_set_chunk(fixture->vm, leaf, buffer_str(bytecode));
    return leaf_start(&fixture->run, fixture->vm, leaf, leaf_context_of_map(&fixture->context),
                      &fixture->arena);
}

// The text form of an expression's result, or `kind: message`.
static inline Str fixture_eval(Fixture *fixture, const char *expression) {
    Buffer body = {0};
    buffer_printf(&body, "return %s", expression);
    buffer_add_char(&body, '\0');
    LeafStatus status = fixture_run(fixture, body.ptr);
    buffer_release(&body);
    if (status == LEAF_DONE) return value_to_text(&fixture->arena, fixture->run.value);
    return str_printf(&fixture->arena, "%s: " STR_FMT,
                      leaf_error_kind_name(fixture->run.error.kind),
                      STR_ARG(fixture->run.error.message));
}

#endif
