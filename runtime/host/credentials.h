// credentials.h - a Kubernetes cluster as a task or a check before a run finds it.
#ifndef FLOW_HOST_CREDENTIALS_H
#define FLOW_HOST_CREDENTIALS_H

#include "host/internal.h"

typedef struct Cluster {
    Str server, space;  // space: the namespace
    Value auth, tls;    // as host.http takes them; keys and tokens are secrets
    Value plugin;       // an `exec` plugin that has to be asked; null: none
    Str plugin_folder, user;
} Cluster;

// ERR_NOT_FOUND where nothing is configured; ERR_INPUT, ERR_UNSUPPORTED with the file.
MUST_CHECK Err cluster_find(Host *host, Value connection, Arena *arena, Cluster *out);

#endif
