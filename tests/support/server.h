// server.h - starts tests/net/server.py and tells its port.
#ifndef FLOW_TESTS_SERVER_H
#define FLOW_TESTS_SERVER_H

#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct TestServer {
    pid_t pid;
    int input;  // closing it ends the server
    int port;
} TestServer;

extern char **environ;

// `args` (NULL-terminated) may be NULL.
static inline bool server_start(TestServer *server, const char *const *args) {
    int in[2], out[2];
    if (pipe(in) != 0 || pipe(out) != 0) return false;
    const char *argv[10] = {"/usr/bin/python3", FLOW_SOURCE_DIR "/tests/net/server.py"};
    for (int i = 0; args != NULL && args[i] != NULL; i++) argv[i + 2] = args[i];
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_addclose(&actions, in[1]);
    int status =
        posix_spawn(&server->pid, argv[0], &actions, NULL, (char *const *)(void *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    server->input = in[1];
    char line[64] = "";
    ssize_t len = status == 0 ? read(out[0], line, sizeof line - 1) : -1;
    close(out[0]);
    server->port = (int)strtol(line, NULL, 10);
    return len > 0;
}

static inline void server_stop(TestServer *server) {
    close(server->input);
    waitpid(server->pid, NULL, 0);
}

// cert.pem and key.pem for a name, self-signed. False where there is no openssl.
static inline bool make_certificate(const char *folder, const char *name) {
    char key[256], cert[256], subject[128], alt[128];
    snprintf(key, sizeof key, "%s/key.pem", folder);
    snprintf(cert, sizeof cert, "%s/cert.pem", folder);
    snprintf(subject, sizeof subject, "/CN=%s", name);
    snprintf(alt, sizeof alt, "subjectAltName=DNS:%s", name);
    const char *argv[] = {
        "openssl", "req",     "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes",  "-keyout", key,     "-out",    cert, "-subj",    subject,
        "-addext", alt,       "-days", "2",       NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", 1, 0);
    pid_t pid = 0;
    int status = posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)(void *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return status == 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

#endif
