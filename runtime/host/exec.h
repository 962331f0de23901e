// exec.h - what host.exec and its second source, the log of a container, share.
#ifndef FLOW_HOST_EXEC_H
#define FLOW_HOST_EXEC_H

#include "host/internal.h"

typedef struct Exec Exec;
typedef struct Attach Attach;

// Bytes of a stream as they come: masked, cut into lines, logged.
void exec_feed(Exec *exec, ProcStream kind, Str bytes);
// Nothing comes any more; `message` is empty where all was well.
void exec_end(Exec *exec, Str message, Str error_class);

// Follows `attach` = {unix, url}, a multiplexed log of the Engine API. In the arena of the exec.
MUST_CHECK Err attach_start(HostTask *task, Exec *exec, Value fields, Arena *arena, Attach **out);
void attach_cancel(Attach *attach);

// Whether the call is meant for a container (design §16).
bool wants_container(const HostTask *task, Value fields);
// The socket of the container engine: by `fields.runner.host`, by the environment, else where
// Docker and Podman put it. ERR_NOT_FOUND says what to do.
MUST_CHECK Err engine_find(Value fields, Arena *arena, Str *out);
int api_runner(lua_State *L);

#endif
