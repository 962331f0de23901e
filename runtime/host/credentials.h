// credentials.h - a Kubernetes cluster, or the keys of a cloud, as a task or a check before a run
// finds them.
#ifndef FLOW_HOST_CREDENTIALS_H
#define FLOW_HOST_CREDENTIALS_H

#include "host/internal.h"

// A variable of the host's environment; empty: none.
Str env_get(const Host *host, const char *name);

typedef struct Cluster {
    Str server, space;  // space: the namespace
    Value auth, tls;    // as host.http takes them; keys and tokens are secrets
    Value plugin;       // an `exec` plugin that has to be asked; null: none
    Str plugin_folder, user;
} Cluster;

// ERR_NOT_FOUND where nothing is configured; ERR_INPUT, ERR_UNSUPPORTED with the file.
MUST_CHECK Err cluster_find(Host *host, Value connection, Arena *arena, Cluster *out);

// A map of `key`, `secret`, `token` and `region`, each where there is one (aws.c).
MUST_CHECK Err aws_find(Host *host, Arena *arena, Value *out);

#endif
