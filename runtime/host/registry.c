// registry.c - host.registry_auth: who asks a registry of images, as the Engine API wants to hear
// it.
//
// `credentials` of the task count, else the entry of the registry in its `config` (a Docker
// configuration, as text or map), else the one in the user's own config.json, which `docker login`
// writes. Programs that keep passwords (credsStore) are not asked. What is found is a secret from
// here on, and so is the password in it.
#include "host/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "base/file.h"

enum { CONFIG_MAX = 1 << 20 };

// The registry of an image's name: its first part, where that is a host.
static Str registry_of(Str image) {
    size_t slash = str_find_char(image, '/', 0);
    if (slash == STR_NOT_FOUND) return STR("docker.io");
    Str first = str_slice(image, 0, slash);
    bool is_host = str_find_char(first, '.', 0) != STR_NOT_FOUND ||
                   str_find_char(first, ':', 0) != STR_NOT_FOUND || str_eq(first, STR("localhost"));
    return is_host ? first : STR("docker.io");
}

// "https://index.docker.io/v1/" is docker.io.
static Str host_of_key(Str key) {
    size_t scheme = str_find(key, STR("://"), 0);
    if (scheme != STR_NOT_FOUND) key = str_slice(key, scheme + 3, key.len);
    size_t slash = str_find_char(key, '/', 0);
    if (slash != STR_NOT_FOUND) key = str_slice(key, 0, slash);
    bool is_hub = str_eq(key, STR("index.docker.io")) || str_eq(key, STR("registry-1.docker.io"));
    return is_hub ? STR("docker.io") : key;
}

// name:password in Base64, as `auth` holds it.
static void split_auth(Value entry, Arena *arena) {
    Str auth = value_map_get_text(entry, STR("auth"), STR(""));
    Buffer plain = {.is_wiped = true};
    if (auth.len > 0 && base64_decode(&plain, auth)) {
        Str text = str_dup(arena, buffer_str(&plain));
        size_t colon = str_find_char(text, ':', 0);
        if (colon != STR_NOT_FOUND) {
            value_map_set(arena, entry, STR("username"), value_text(str_slice(text, 0, colon)));
            value_map_set(arena, entry, STR("password"),
                          value_text(str_slice(text, colon + 1, text.len)));
        }
    }
    buffer_release(&plain);
}

static Err entry_of_config(Str config, Str registry, Arena *arena, Value *out) {
    Value whole = {0};
    Err err = json_parse(config, (JsonLimits){0}, arena, &whole);
    if (err.code != ERR_NONE || whole.kind != VALUE_MAP) {
        return err_make(ERR_INPUT, "the Docker configuration is no JSON object");
    }
    const Value *auths = value_map_get(whole, STR("auths"));
    for (uint32_t i = 0; auths != NULL && auths->kind == VALUE_MAP && i < auths->as.map->count;
         i++) {
        const ValueMember *member = &auths->as.map->members[i];
        if (!str_eq(host_of_key(member->key), registry) || member->value.kind != VALUE_MAP) {
            continue;
        }
        *out = value_copy(arena, member->value);
        split_auth(*out, arena);
        value_map_set(arena, *out, STR("registry"), value_text(member->key));
    }
    return err_none();
}

static Err own_config(Arena *arena, Str *out) {
    Str folder = str_from(getenv("DOCKER_CONFIG")), home = str_from(getenv("HOME"));
    if (folder.len == 0 && home.len == 0) return err_none();
    if (folder.len == 0) folder = path_join(arena, home, STR(".docker"));
    Str path = path_join(arena, folder, STR("config.json"));
    Err err = file_read(path.ptr, CONFIG_MAX, arena, out);
    return err.code == ERR_NOT_FOUND ? err_none() : err;
}

static bool is_given(const Value *value) {
    return value != NULL && value->kind != VALUE_NULL;
}

static Err find_entry(HostTask *task, Value fields, Str registry, Arena *arena, Value *out) {
    const Value *credentials = value_map_get(fields, STR("credentials"));
    const Value *config = value_map_get(fields, STR("config"));
    Str text = {0};
    if (is_given(credentials)) {
        TRY(reveal(task, *credentials, arena, &text));
        TRY(json_parse(text, (JsonLimits){0}, arena, out));
        if (value_map_get(*out, STR("password")) == NULL) split_auth(*out, arena);
        return err_none();
    }
    if (is_given(config)) {
        TRY(reveal(task, *config, arena, &text));
        return entry_of_config(text, registry, arena, out);
    }
    TRY(own_config(arena, &text));
    return text.len == 0 ? err_none() : entry_of_config(text, registry, arena, out);
}

// The names of Kestra and of Docker's configuration, and what the Engine API calls them.
static const struct {
    const char *name, *known;
} names[] = {
    {"username",      "username"     },
    {"password",      "password"     },
    {"registry",      "serveraddress"},
    {"registryToken", "registrytoken"},
    {"registrytoken", "registrytoken"},
    {"identityToken", "identitytoken"},
    {"identitytoken", "identitytoken"},
};

static Value header_of(HostTask *task, Value entry, Str registry, Arena *arena) {
    Value map = value_map(arena);
    for (size_t i = 0; i < COUNT(names); i++) {
        const Value *given = value_map_get(entry, str_from(names[i].name));
        if (!is_given(given)) continue;
        value_map_set(arena, map, str_from(names[i].known), *given);
        if (str_eq(str_from(names[i].name), STR("password"))) {
            Str name = str_printf(arena, "the password of " STR_FMT, STR_ARG(registry));
            make_secret(task->host, name, value_to_text(arena, *given), arena);
        }
    }
    Buffer json = {.is_wiped = true}, text = {.is_wiped = true};
    json_write(&json, map, JSON_COMPACT, 0);
    base64_encode(&text, buffer_str(&json));
    for (size_t i = 0; i < text.len; i++) {  // the alphabet for URLs, with its padding
        if (text.ptr[i] == '+') text.ptr[i] = '-';
        if (text.ptr[i] == '/') text.ptr[i] = '_';
    }
    Str name = str_printf(arena, "the credentials of " STR_FMT, STR_ARG(registry));
    Value header = make_secret(task->host, name, buffer_str(&text), arena);
    buffer_release(&json);
    buffer_release(&text);
    return header;
}

// host.registry_auth{image, credentials, config} -> the header X-Registry-Auth, or nil
int api_registry_auth(lua_State *L) {
    static const char *const known[] = {"image", "credentials", "config", NULL};
    HostTask *task = call_begin(L);
    Arena *arena = &task->call;
    Value fields = check_fields(L, 1, arena, "registry_auth", known);
    Str registry = registry_of(value_map_get_text(fields, STR("image"), STR("")));
    Value entry = value_null();
    if (is_planning(task)) return 0;
    Err err = find_entry(task, fields, registry, arena, &entry);
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    if (entry.kind != VALUE_MAP) return 0;
    leaf_push_value(L, header_of(task, entry, registry, arena));
    return 1;
}
