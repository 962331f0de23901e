// flowrun.c - the public interface over run.h.
#include "flowrun.h"

#include <stdio.h>
#include <string.h>

#include "run/driver.h"

struct FlowRuntime {
    FlowRuntimeOptions options;
    RunConfig config;
    Arena arena;
    Runtime *runtime;
};

static int fail(FlowError *error, const Err *err, const InputFault *fault) {
    if (error != NULL) {
        memcpy(error->text, err->text, sizeof error->text);
        error->text[sizeof error->text - 1] = '\0';
        Str input = fault == NULL ? (Str){0} : fault->input;
        snprintf(error->input, sizeof error->input, STR_FMT, STR_ARG(input));
    }
    switch (err->code) {
    case ERR_REFUSED:
    case ERR_UNSUPPORTED:
    case ERR_LIMIT:
        return 3;
    case ERR_USAGE:
    case ERR_INPUT:
    case ERR_NOT_FOUND:
        return 2;
    case ERR_CONFLICT:
        return 75;
    case ERR_NONE:
    case ERR_SYSTEM:
    case ERR_UNAVAILABLE:
    case ERR_STORE:
    case ERR_CANCELLED:
        break;
    }
    return 74;
}

static void clear(FlowError *error) {
    if (error != NULL) *error = (FlowError){{0}, {0}};
}

static void pass_log(void *self, const RunLog *log) {
    FlowRuntime *flow = self;
    Arena scratch = {0};
    flow->options.log(flow->options.self, str_to_c(&scratch, log->execution),
                      log_level_name(log->line.level), str_to_c(&scratch, log->line.task),
                      str_to_c(&scratch, log->line.message));
    arena_release(&scratch);
}

int flow_runtime_open(const FlowRuntimeOptions *options, FlowRuntime **out, FlowError *error) {
    clear(error);
    *out = NULL;
    FlowRuntime *flow = heap_alloc(1, sizeof *flow);
    flow->options = *options;
    RuntimeOptions own = {.config = &flow->config,
                          .state_folder = options->state_folder,
                          .secrets_path = options->secrets_path,
                          .files_folder = options->files_folder};
    if (options->log != NULL) own.observer = (RunObserver){.log = pass_log, .self = flow};
    Err err = run_config_load(options->config_path, &flow->arena, &flow->config);
    if (err.code == ERR_NONE) err = runtime_new(&own, &flow->runtime);
    if (err.code != ERR_NONE) {
        flow_runtime_close(flow);
        return fail(error, &err, NULL);
    }
    *out = flow;
    return 0;
}

void flow_runtime_close(FlowRuntime *runtime) {
    if (runtime == NULL) return;
    runtime_free(runtime->runtime);
    arena_release(&runtime->arena);
    heap_free(runtime);
}

static void give_result(const Execution *execution, char **result) {
    Arena scratch = {0};
    Buffer text = {0};
    json_write(&text, execution_result(execution, 0, &scratch), JSON_COMPACT, 0);
    *result = heap_dup(text.ptr, text.len);
    buffer_release(&text);
    arena_release(&scratch);
}

// To the end; the execution is dropped, so that the runtime can be used for the next one.
static int finish(FlowRuntime *flow, Execution *execution, char **result, FlowError *error) {
    Err err = err_none();
    RunEnd end = runtime_run(flow->runtime, execution, RUN_TO_END, STATE_NONE, &err);
    if (end == RUN_FAILED) return fail(error, &err, NULL);
    execution = runtime_root(flow->runtime);
    int status = run_exit_status(end, execution);
    give_result(execution, result);
    while (flow->runtime->executions != NULL) {
        runtime_drop(flow->runtime, flow->runtime->executions);
    }
    return status;
}

static Err parse_map(const char *json, Arena *arena, Value *out) {
    *out = value_map(arena);
    if (json == NULL) return err_none();
    TRY(json_parse(str_from(json), (JsonLimits){0}, arena, out));
    if (out->kind == VALUE_MAP) return err_none();
    return err_make(ERR_INPUT, "a JSON object is expected, not %s", value_kind_name(out->kind));
}

int flow_run(FlowRuntime *runtime, const char *artifact_path, const char *inputs_json,
             const char *id, char **result, FlowError *error) {
    clear(error);
    *result = NULL;
    Arena arena = {0};
    Artifact artifact;
    InputFault fault = {0};
    RunTrust trust = {.path = runtime->options.trust_path};
    RunStart start = {.artifact = &artifact, .id = str_from(id)};
    Execution *execution = NULL;
    int status = 3;
    Err err = run_open_artifact(&runtime->config, &trust, artifact_path, -1, &arena, &artifact);
    if (err.code != ERR_NONE) {
        fail(error, &err, NULL);
        goto done;
    }
    err = parse_map(inputs_json, &arena, &start.inputs);
    if (err.code == ERR_NONE) {
        err = execution_create(runtime->runtime, &start, &arena, &fault, &execution);
    }
    status = err.code == ERR_NONE ? finish(runtime, execution, result, error)
                                  : fail(error, &err, &fault);

done:
    arena_release(&arena);
    return status;
}

int flow_resume(FlowRuntime *runtime, const char *id, const char *values_json, char **result,
                FlowError *error) {
    clear(error);
    *result = NULL;
    Arena arena = {0};
    InputFault fault = {0};
    Value values;
    Execution *execution = NULL;
    Err err = parse_map(values_json, &arena, &values);
    if (err.code == ERR_NONE) err = execution_adopt(runtime->runtime, str_from(id), &execution);
    if (err.code == ERR_NONE && engine_state(execution->engine) == STATE_PAUSED) {
        Command command = {.kind = COMMAND_RESUME, .now_ms = runtime_now(runtime->runtime)};
        err = execution_resume_values(execution, (Str){0}, values, &arena, &fault, &command.value);
        if (err.code == ERR_NONE) err = execution_command(execution, &command);
        if (err.code == ERR_USAGE) err = err_none();  // it waits for something else
    }
    int status = err.code == ERR_NONE ? finish(runtime, execution, result, error)
                                      : fail(error, &err, &fault);
    arena_release(&arena);
    return status;
}

int flow_show(FlowRuntime *runtime, const char *id, char **result, FlowError *error) {
    clear(error);
    *result = NULL;
    Execution *execution = NULL;
    Err err = execution_look(runtime->runtime, str_from(id), &execution);
    if (err.code != ERR_NONE) return fail(error, &err, NULL);
    give_result(execution, result);
    runtime_drop(runtime->runtime, execution);
    return 0;
}

int flow_kill(FlowRuntime *runtime, const char *id, FlowError *error) {
    clear(error);
    Err err =
        store_send_command(runtime->runtime->store, str_from(id), STR("kill"), STR("{}"), NULL);
    return err.code == ERR_NONE ? 0 : fail(error, &err, NULL);
}

void flow_free(char *text) {
    heap_free(text);
}
