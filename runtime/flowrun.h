// flowrun.h - the runtime as a library: run compiled flows durably from another program.
//
// A runtime is one process's hold on a state directory. It prints nothing. Functions return 0 or an
// exit status of `flowrun` (1 failed, 2 usage or input, 3 artifact refused, 50 paused, 74 store, 75
// busy, 130 killed) and, where it is not about the execution's own end, fill the error. Texts are
// UTF-8; what is handed out is freed with flow_free. One thread uses a runtime.
#ifndef FLOW_FLOWRUN_H
#define FLOW_FLOWRUN_H

#include <stddef.h>

typedef struct FlowRuntime FlowRuntime;

typedef struct FlowError {
    char text[480];  // empty where nothing went wrong but the execution itself
    char input[64];  // the input that was refused, or empty
} FlowError;

typedef struct FlowRuntimeOptions {
    const char *state_folder;  // made with mode 0700 where it is not there
    const char *config_path;   // flowrun.yaml; NULL: the user's or the machine's
    const char *trust_path;    // NULL: the host file's, if any
    const char *secrets_path;  // NULL: none
    const char *files_folder;  // namespace files; NULL: those in the artifact
    // A log line (level "TRACE" … "ERROR"; task may be empty), already masked. May be NULL.
    void (*log)(void *self, const char *execution, const char *level, const char *task,
                const char *message);
    void *self;
} FlowRuntimeOptions;

// Opens the state directory. On failure *out is NULL.
int flow_runtime_open(const FlowRuntimeOptions *options, FlowRuntime **out, FlowError *error);
// Ends what still runs; executions stay resumable.
void flow_runtime_close(FlowRuntime *runtime);
// Runs an artifact to its end, or until only a person can go on. `inputs_json` is a JSON object or
// NULL, `id` may be NULL. *result is the execution as JSON, NULL where none came to be.
int flow_run(FlowRuntime *runtime, const char *artifact_path, const char *inputs_json,
             const char *id, char **result, FlowError *error);
// Goes on with an execution that nobody runs; a Pause that waits gets `values_json`.
int flow_resume(FlowRuntime *runtime, const char *id, const char *values_json, char **result,
                FlowError *error);
// The execution as JSON, without taking it.
int flow_show(FlowRuntime *runtime, const char *id, char **result, FlowError *error);
// Tells the process that runs the execution to end it.
int flow_kill(FlowRuntime *runtime, const char *id, FlowError *error);
void flow_free(char *text);

#endif
