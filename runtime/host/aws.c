// aws.c - the AWS credentials of this host: the environment, then the shared files of the AWS
// tools.
//
// What needs requests (roles, metadata of machines and containers) is the modules' business.
#include "base/file.h"
#include "host/credentials.h"

enum { FILE_MAX = 1 << 20 };

typedef struct Profile {
    Str key, secret, token, region;
} Profile;

static void take(Profile *profile, Str name, Str text) {
    const struct {
        const char *name;
        Str *out;
    } rows[] = {
        {"aws_access_key_id",     &profile->key   },
        {"aws_secret_access_key", &profile->secret},
        {"aws_session_token",     &profile->token },
        {"region",                &profile->region},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (str_eq(name, str_from(rows[i].name)) && rows[i].out->len == 0) *rows[i].out = text;
    }
}

// What an INI file says below `[wanted]`, or below `[profile wanted]`.
static Err read_profile(Str path, Str wanted, Arena *arena, Profile *out) {
    Str text = {0};
    Err err = file_read(str_to_c(arena, path), FILE_MAX, arena, &text);
    if (err.code == ERR_NOT_FOUND) return err_none();
    TRY(err);
    bool is_meant = false;
    for (size_t at = 0; at < text.len;) {
        size_t end = str_find_char(text, '\n', at);
        if (end == STR_NOT_FOUND) end = text.len;
        Str line = str_trim(str_slice(text, at, end));
        at = end + 1;
        size_t equals = str_find_char(line, '=', 0);
        if (str_starts_with(line, STR("[")) && str_ends_with(line, STR("]"))) {
            Str name = str_trim(str_slice(line, 1, line.len - 1));
            if (str_starts_with(name, STR("profile "))) {
                name = str_trim(str_slice(name, 8, name.len));
            }
            is_meant = str_eq(name, wanted);
        } else if (is_meant && equals != STR_NOT_FOUND) {
            take(out, str_trim(str_slice(line, 0, equals)),
                 str_trim(str_slice(line, equals + 1, line.len)));
        }
    }
    return err_none();
}

static Str path_of(const Host *host, const char *variable, const char *name, Arena *arena) {
    Str path = env_get(host, variable), home = env_get(host, "HOME");
    return path.len > 0 ? path : str_printf(arena, STR_FMT "/.aws/%s", STR_ARG(home), name);
}

static void add_secret(Host *host, Arena *arena, Value map, const char *name, Str plain) {
    if (plain.len == 0) return;
    Str called = str_printf(arena, "aws %s", name);
    value_map_set(arena, map, str_from(name), make_secret(host, called, plain, arena));
}

Err aws_find(Host *host, Arena *arena, Value *out) {
    Profile found = {
        .key = env_get(host, "AWS_ACCESS_KEY_ID"),
        .secret = env_get(host, "AWS_SECRET_ACCESS_KEY"),
        .token = env_get(host, "AWS_SESSION_TOKEN"),
        .region = env_get(host, "AWS_REGION"),
    };
    Str profile = env_get(host, "AWS_PROFILE");
    if (found.region.len == 0) found.region = env_get(host, "AWS_DEFAULT_REGION");
    if (profile.len > 0 || found.key.len == 0 || found.secret.len == 0) {
        found.key = found.secret = found.token = (Str){0};  // never of two places
        if (profile.len == 0) profile = STR("default");
        TRY(read_profile(path_of(host, "AWS_SHARED_CREDENTIALS_FILE", "credentials", arena),
                         profile, arena, &found));
    }
    if (found.region.len == 0 || found.key.len == 0) {
        TRY(read_profile(path_of(host, "AWS_CONFIG_FILE", "config", arena),
                         profile.len == 0 ? STR("default") : profile, arena, &found));
    }
    *out = value_map(arena);
    if (found.region.len > 0) value_map_set(arena, *out, STR("region"), value_text(found.region));
    if (found.key.len == 0 || found.secret.len == 0) return err_none();
    value_map_set(arena, *out, STR("key"), value_text(found.key));
    add_secret(host, arena, *out, "secret", found.secret);
    add_secret(host, arena, *out, "token", found.token);
    return err_none();
}
