// secret.h - where secrets come from: a file or folder, the systemd credentials directory, the
// environment.
//
// The first place that has the name wins. A value is at least 4 bytes, or it could not be masked.
// An error names the secret and where it was looked for, never a value. Also here: the environment
// of children, which is the host's without what could give secrets away (design §16).
#ifndef FLOW_SECRET_SECRET_H
#define FLOW_SECRET_SECRET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/err.h"
#include "base/str.h"

enum { SECRET_BYTES_MIN = 4, SECRET_BYTES_MAX = 1 << 20 };

typedef struct SecretChain SecretChain;

typedef struct SecretOptions {
    // YAML or JSON: `NAME: value`, or `namespaces: {NS: {NAME: value}}`, or both; the same
    // encrypted by age, or its values by SOPS for age. Or a folder with one file a secret, NAME, or
    // NS/NAME of a namespace. Files must be the caller's or root's and readable by nobody else.
    // NULL: none.
    const char *file;
    const char *const *env;  // NULL-terminated; variables PREFIX + NAME hold Base64
    const char *env_prefix;  // NULL: "SECRET_"
    // One file a secret. NULL: as CREDENTIALS_DIRECTORY in `env` says.
    const char *credentials_folder;
} SecretOptions;

// Reads the file. ERR_NOT_FOUND, ERR_REFUSED (mode, owner), ERR_INPUT.
MUST_CHECK Err secret_chain_new(const SecretOptions *options, SecretChain **out);
void secret_chain_free(SecretChain *chain);  // wipes
// Adds the plain value to `plain`, which the caller wipes; `self` is the chain. In the file a
// namespace is asked first, then those above it, then the names outside `namespaces`; the other
// places know no namespaces. `key` takes one member of a value that is a JSON object. ERR_NOT_FOUND
// lists the places; ERR_INPUT: too short, not Base64, no such member.
Err secret_chain_resolve(void *self, Str name, Str secret_namespace, Str key, Buffer *plain);
// "the secrets file 'x', …": for people.
void secret_chain_places(const SecretChain *chain, Buffer *out);

typedef enum ChildEnv {
    CHILD_ENV_INHERIT,  // all but secrets, the runtime's own variables, the credentials directory
    CHILD_ENV_CLEAN,    // PATH, HOME, USER, LOGNAME, SHELL, LANG, LC_*, TZ, TMPDIR
    CHILD_ENV_NAMED,    // PATH and HOME, and those that are named
} ChildEnv;

// NULL-terminated, in the arena; the texts are borrowed. `names` end with NULL.
const char *const *secret_child_env(const char *const *env, const char *env_prefix, ChildEnv kind,
                                    const char *const *names, Arena *arena);

#endif
