// environment.c - what children get to see of the host's environment.
#include <string.h>

#include "secret/secret.h"

static const char *const own[] = {
    "CREDENTIALS_DIRECTORY=", "NOTIFY_SOCKET=", "LISTEN_FDS=", "LISTEN_PID=", "LISTEN_FDNAMES="};
static const char *const clean[] = {"PATH", "HOME", "USER",   "LOGNAME", "SHELL",
                                    "LANG", "TZ",   "TMPDIR", NULL};
static const char *const least[] = {"PATH", "HOME", NULL};

static bool is_named(Str item, const char *const *names) {
    for (size_t i = 0; names != NULL && names[i] != NULL; i++) {
        Str name = str_from(names[i]);
        if (str_starts_with(item, name) && item.len > name.len && item.ptr[name.len] == '=') {
            return true;
        }
    }
    return false;
}

// The runtime's own variables, and what would lead a child to secrets.
static bool is_withheld(Str item, const char *prefix) {
    if (str_starts_with(item, str_from(prefix)) || str_starts_with(item, STR("SECRET_")))
        return true;
    if (str_starts_with(item, STR("FLOWRUN_"))) return true;
    if (str_starts_with(item, STR("SOPS_AGE_KEY"))) return true;
    for (size_t i = 0; i < COUNT(own); i++) {
        if (str_starts_with(item, str_from(own[i]))) return true;
    }
    return false;
}

const char *const *secret_child_env(const char *const *env, const char *env_prefix, ChildEnv kind,
                                    const char *const *names, Arena *arena) {
    const char *prefix = env_prefix == NULL || env_prefix[0] == '\0' ? "SECRET_" : env_prefix;
    size_t count = 0;
    while (env != NULL && env[count] != NULL) count++;
    const char **out = arena_array(arena, const char *, count + 1);
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        Str item = str_from(env[i]);
        bool is_wanted = true;
        switch (kind) {
        case CHILD_ENV_INHERIT:
            break;
        case CHILD_ENV_CLEAN:
            is_wanted = is_named(item, clean) || str_starts_with(item, STR("LC_"));
            break;
        case CHILD_ENV_NAMED:
            is_wanted = is_named(item, least) || is_named(item, names);
            break;
        }
        if (is_wanted && !is_withheld(item, prefix)) out[at++] = env[i];
    }
    out[at] = NULL;
    return out;
}
