// exec.h - what host.exec and its second source, a container, share.
#ifndef FLOW_HOST_EXEC_H
#define FLOW_HOST_EXEC_H

#include "host/internal.h"

typedef struct Exec Exec;
typedef struct Attach Attach;

// Bytes of a stream as they come: masked, cut into lines, logged.
void exec_feed(Exec *exec, ProcStream kind, Str bytes);
// It has ended with this code; or nobody knows how, as `message` says.
void exec_end(Exec *exec, int32_t code, Str message, Str error_class);

// Follows a container of the Engine API to its end: `url` is the container's, `unix` and `tls` say
// how the engine is reached. In the arena of the exec.
MUST_CHECK Err attach_start(HostTask *task, Exec *exec, Value fields, Arena *arena, Attach **out);
void attach_cancel(Attach *attach);

// Whether the call is meant for a container (design §16).
bool wants_container(const HostTask *task, Value fields);
// Where the container engine listens.
typedef struct Engine {
    Str name;  // as it was given
    Str unix_socket;
    Str url;    // in front of a path of its API
    Value tls;  // as host.http takes it; null: none
} Engine;

// By `fields.runner.host`, by the environment (DOCKER_HOST, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH),
// else where Docker and Podman put their sockets. ERR_NOT_FOUND says what to do.
MUST_CHECK Err engine_find(Host *host, Value fields, Arena *arena, Engine *out);
int api_runner(lua_State *L);

#endif
