// keys.h - signing keys as commands get at them: files, descriptors, passwords.
#ifndef FLOW_CLI_KEYS_H
#define FLOW_CLI_KEYS_H

#include "artifact/artifact.h"

// "fd:N" gives N; -1 where the text is something else.
int descriptor_of(const char *text);
// A password from `source` ("fd:N": its first line) or, where that is NULL, from the terminal
// without echo. ERR_UNAVAILABLE where there is no terminal. The caller wipes it.
MUST_CHECK Err password_read(const char *source, const char *prompt, Buffer *out);
// A secret key from a file or "fd:N", with its password where it has one. The caller wipes it.
MUST_CHECK Err key_read(const char *source, const char *password, Arena *arena, SecretKey *out);

#endif
