// secret.c - the chain of places, in the order file or folder, credentials directory, environment.
//
// The values of the file stay in locked memory and are wiped with the chain; the others are read
// when they are asked for, since a credential may be renewed while the process runs. libyaml leaves
// copies of what it reads in memory that it frees: a file of YAML is read by a process of its own.
#include "secret/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/locked.h"
#include "secret/sealed.h"
#include "value/value.h"

struct SecretChain {
    LockedPool pool;
    Allocator allocator;
    Arena arena;   // in the pool
    Str file;      // path; empty: none
    Value values;  // of the file
    const char *const *env;
    Str env_prefix;
    Str folder;      // of systemd's credentials; empty: none
    Str own_folder;  // one file a secret; empty: none
};

// --- the file -----------------------------------------------------------------------------------

static const char *env_get(const char *const *env, const char *name) {
    size_t len = strlen(name);
    for (size_t i = 0; env != NULL && env[i] != NULL; i++) {
        if (strncmp(env[i], name, len) == 0 && env[i][len] == '=') return env[i] + len + 1;
    }
    return NULL;
}

static Err check_owner(const char *path, const struct stat *is) {
    if (!S_ISREG(is->st_mode) && !S_ISFIFO(is->st_mode)) {
        return err_make(ERR_INPUT, "the secrets file '%s' is not a regular file", path);
    }
    if (is->st_uid != geteuid() && is->st_uid != 0) {
        return err_make(ERR_REFUSED, "the secrets file '%s' belongs to another user (%u)", path,
                        (unsigned)is->st_uid);
    }
    if ((is->st_mode & 077) != 0) {
        return err_make(ERR_REFUSED,
                        "the secrets file '%s' can be read by others (mode %04o): use chmod 600",
                        path, (unsigned)(is->st_mode & 07777));
    }
    return err_none();
}

static Err check_names(Value map, const char *path, const char *where) {
    for (uint32_t i = 0; i < map.as.map->count; i++) {
        const ValueMember *member = &map.as.map->members[i];
        if (member->key.len == 0) {
            return err_make(ERR_INPUT, "a secret without a name in %s of '%s'", where, path);
        }
        if (member->value.kind == VALUE_NULL) {
            return err_make(ERR_INPUT, "the secret '" STR_FMT "' in '%s' has no value",
                            STR_ARG(member->key), path);
        }
    }
    return err_none();
}

static Err check_file(Value values, const char *path) {
    if (values.kind != VALUE_MAP) {
        return err_make(ERR_INPUT, "the secrets file '%s' must hold a map: NAME: value", path);
    }
    TRY(check_names(values, path, "the secrets file"));
    const Value *namespaces = value_map_get(values, STR("namespaces"));
    if (namespaces == NULL) return err_none();
    if (namespaces->kind != VALUE_MAP) {
        return err_make(ERR_INPUT, "'namespaces' in '%s' must be a map of namespaces", path);
    }
    for (uint32_t i = 0; i < namespaces->as.map->count; i++) {
        const ValueMember *member = &namespaces->as.map->members[i];
        if (member->value.kind != VALUE_MAP) {
            return err_make(ERR_INPUT,
                            "the namespace '" STR_FMT "' in '%s' must hold a map: NAME: value",
                            STR_ARG(member->key), path);
        }
        TRY(check_names(member->value, path, "a namespace"));
    }
    return err_none();
}

// The child of parse_yaml(): YAML as JSON to `fd`.
NO_RETURN static void tell_json(Str text, int fd) {
    Arena arena = {0};
    Value values;
    Buffer json = {0};
    Err err = yaml_parse(text, &arena, &values);
    if (err.code == ERR_NONE) {
        json_write(&json, values, JSON_COMPACT, 0);
        err = file_write_fd(fd, buffer_str(&json));
    }
    _exit(err.code == ERR_NONE ? 0 : 1);
}

static Err parse_yaml(SecretChain *chain, Str text) {
    int ends[2], status = 0;
    if (pipe2(ends, O_CLOEXEC) != 0) return err_system("cannot make a pipe");
    pid_t child = fork();
    if (child == 0) tell_json(text, ends[1]);
    close(ends[1]);
    Str json = {0};
    Err err = child < 0 ? err_system("cannot start a process")
                        : locked_read(&chain->pool, ends[0], 2 * SECRET_BYTES_MAX, &json);
    close(ends[0]);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    TRY(err);
    if (status != 0) return err_make(ERR_INPUT, "no YAML");
    return json_parse(json, (JsonLimits){0}, &chain->arena, &chain->values);
}

static Err parse_secrets(SecretChain *chain, Str text, const char *path) {
    Err err = err_make(ERR_INPUT, "no JSON");
    if (str_starts_with(str_trim(text), STR("{"))) {
        err = json_parse(str_trim(text), (JsonLimits){0}, &chain->arena, &chain->values);
    }
    if (err.code != ERR_NONE) err = parse_yaml(chain, text);
    // A parser's message may quote what it met, which may be a value: only its kind is told.
    if (err.code == ERR_INPUT) {
        return err_make(ERR_INPUT, "the secrets file '%s' is neither YAML nor JSON", path);
    }
    return err;
}

// --- keys of age --------------------------------------------------------------------------------

static void add_keys_of(const char *path, Buffer *out) {
    Arena scratch = {0};
    Str text = {0};
    Err err = file_read(path, SECRET_BYTES_MAX, &scratch, &text);
    if (err.code == ERR_NONE) {
        buffer_add(out, text);
        buffer_add_char(out, '\n');
        if (text.len > 0) wipe((char *)(uintptr_t)text.ptr, text.len);
    }
    arena_release(&scratch);
}

// As SOPS looks for them: SOPS_AGE_KEY, SOPS_AGE_KEY_FILE, sops/age/keys.txt of the configuration.
static void find_keys(const SecretChain *chain, Buffer *out) {
    buffer_reserve(out, 16 << 10);
    const char *key = env_get(chain->env, "SOPS_AGE_KEY");
    const char *file = env_get(chain->env, "SOPS_AGE_KEY_FILE");
    const char *config = env_get(chain->env, "XDG_CONFIG_HOME");
    const char *home = env_get(chain->env, "HOME");
    if (key != NULL) buffer_printf(out, "%s\n", key);
    if (file != NULL) add_keys_of(file, out);
    Buffer path = {0};
    if (config != NULL && config[0] == '/') {
        buffer_printf(&path, "%s/sops/age/keys.txt", config);
    } else if (home != NULL) {
        buffer_printf(&path, "%s/.config/sops/age/keys.txt", home);
    }
    buffer_add_char(&path, '\0');
    if (path.len > 1) add_keys_of(path.ptr, out);
    buffer_release(&path);
}

// The file's bytes in clear where age has encrypted it as a whole.
static Err open_age(SecretChain *chain, const char *path, Str *text) {
    if (!age_is(*text)) return err_none();
    Buffer keys = {0}, plain = {0};
    find_keys(chain, &keys);
    Err err = age_open(*text, buffer_str(&keys), &plain);
    if (err.code == ERR_NONE) *text = buffer_to_str(&plain, &chain->arena);
    if (keys.len > 0) wipe(keys.ptr, keys.len);
    if (plain.len > 0) wipe(plain.ptr, plain.len);
    buffer_release(&keys);
    buffer_release(&plain);
    return err.code == ERR_NONE ? err : err_wrap(err, "the secrets file '%s'", path);
}

static Err open_sops(SecretChain *chain, const char *path) {
    if (!sops_is(chain->values)) return err_none();
    Buffer keys = {0};
    Value clear = {0};
    find_keys(chain, &keys);
    Err err = sops_open(chain->values, buffer_str(&keys), &chain->arena, &clear);
    if (err.code == ERR_NONE) chain->values = clear;
    if (keys.len > 0) wipe(keys.ptr, keys.len);
    buffer_release(&keys);
    return err.code == ERR_NONE ? err : err_wrap(err, "the secrets file '%s'", path);
}

static Err read_secrets(SecretChain *chain, const char *path) {
    struct stat folder = {0};
    if (stat(path, &folder) == 0 && S_ISDIR(folder.st_mode)) {
        chain->own_folder = str_dup(&chain->arena, str_from(path));
        return err_none();
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) return err_system("cannot open the secrets file '%s'", path);
    struct stat is = {0};
    Str text = {0};
    Err err = err_none();
    if (fstat(fd, &is) != 0) {
        err = err_system("cannot read the secrets file '%s'", path);
    } else {
        err = check_owner(path, &is);
    }
    if (err.code == ERR_NONE) {
        err = locked_read(&chain->pool, fd, SECRET_BYTES_MAX, &text);
        if (err.code != ERR_NONE) err = err_wrap(err, "the secrets file '%s'", path);
    }
    close(fd);
    TRY(err);
    chain->file = str_dup(&chain->arena, str_from(path));
    TRY(open_age(chain, path, &text));
    TRY(parse_secrets(chain, text, path));
    if (chain->values.kind == VALUE_MAP) TRY(open_sops(chain, path));
    return check_file(chain->values, path);
}

static const Value *find_name(Value map, Str name, Arena *scratch) {
    const Value *found = value_map_get(map, name);
    if (found != NULL) return found;
    // As variables of the environment are: in capitals.
    Str upper = str_dup(scratch, name);
    for (size_t i = 0; i < upper.len; i++) {
        char *c = (char *)(uintptr_t)&upper.ptr[i];
        if (*c >= 'a' && *c <= 'z') *c = (char)(*c - ('a' - 'A'));
    }
    return value_map_get(map, upper);
}

static const Value *find_in_file(const SecretChain *chain, Str name, Str at, Arena *scratch) {
    if (chain->file.len == 0) return NULL;
    const Value *namespaces = value_map_get(chain->values, STR("namespaces"));
    while (namespaces != NULL && at.len > 0) {
        const Value *names = value_map_get(*namespaces, at);
        const Value *found = names == NULL ? NULL : find_name(*names, name, scratch);
        if (found != NULL) return found;
        size_t dot = str_find_last_char(at, '.');
        at = dot == STR_NOT_FOUND ? (Str){0} : str_slice(at, 0, dot);
    }
    if (str_eq(name, STR("namespaces"))) return NULL;
    return find_name(chain->values, name, scratch);
}

// --- the other places ---------------------------------------------------------------------------

static bool is_file_name(Str name) {
    return name.len > 0 && name.len < 256 && name.ptr[0] != '.' &&
           str_find_char(name, '/', 0) == STR_NOT_FOUND &&
           str_find_char(name, '\0', 0) == STR_NOT_FOUND;
}

static Err find_in_folder(const SecretChain *chain, Str name, Buffer *plain, bool *found) {
    if (chain->folder.len == 0 || !is_file_name(name)) return err_none();
    Arena scratch = {0};
    LockedPool pool = {0};
    Str path = path_join(&scratch, chain->folder, name), text = {0};
    int fd = open(path.ptr, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    Err err = err_none();
    if (fd >= 0) {
        err = locked_read(&pool, fd, SECRET_BYTES_MAX, &text);
        close(fd);
        if (err.code != ERR_NONE) err = err_wrap(err, "'" STR_FMT "'", STR_ARG(path));
    } else if (errno != ENOENT) {
        err = err_system("cannot open '" STR_FMT "'", STR_ARG(path));
    }
    if (fd >= 0 && err.code == ERR_NONE) {
        if (str_ends_with(text, STR("\n"))) text.len--;
        buffer_add(plain, text);
        *found = true;
    }
    locked_release(&pool);
    arena_release(&scratch);
    return err;
}

// One file of the folder that was given: its mode and owner are looked at, and a link may not lead
// out of the folder.
static Err read_own(const SecretChain *chain, const char *path, Buffer *plain, bool *found) {
    char whole[PATH_MAX], root[PATH_MAX];
    if (realpath(path, whole) == NULL || realpath(chain->own_folder.ptr, root) == NULL) {
        return err_none();  // there is none
    }
    size_t len = strlen(root);
    if (strncmp(whole, root, len) != 0 || whole[len] != '/') {
        return err_make(ERR_REFUSED, "the secret '%s' is a link that leaves its folder", path);
    }
    int fd = open(whole, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
    struct stat is = {0};
    LockedPool pool = {0};
    Str text = {0};
    Err err = err_none();
    if (fd < 0 || fstat(fd, &is) != 0) {
        err = err_system("cannot read the secret '%s'", path);
    } else if (!S_ISDIR(is.st_mode)) {
        err = check_owner(whole, &is);
        if (err.code == ERR_NONE) err = locked_read(&pool, fd, SECRET_BYTES_MAX, &text);
        *found = err.code == ERR_NONE;
    }
    if (*found) {
        if (str_ends_with(text, STR("\n"))) text.len--;
        buffer_add(plain, text);
    }
    if (fd >= 0) close(fd);
    locked_release(&pool);
    return err;
}

// NAMESPACE/NAME, of the namespaces above it, NAME.
static Err find_in_own_folder(const SecretChain *chain, Str name, Str at, Buffer *plain,
                              bool *found) {
    if (chain->own_folder.len == 0 || !is_file_name(name)) return err_none();
    Arena scratch = {0};
    Err err = err_none();
    for (bool is_last = false; err.code == ERR_NONE && !*found && !is_last;) {
        is_last = at.len == 0;
        Str folder = is_last ? chain->own_folder : path_join(&scratch, chain->own_folder, at);
        if (is_last || is_file_name(at)) {
            err = read_own(chain, path_join(&scratch, folder, name).ptr, plain, found);
        }
        size_t dot = str_find_last_char(at, '.');
        at = dot == STR_NOT_FOUND ? (Str){0} : str_slice(at, 0, dot);
    }
    arena_release(&scratch);
    return err;
}

// The Base64 text behind PREFIX + NAME in capitals; NULL where there is none.
static const char *find_variable(const SecretChain *chain, Str name) {
    Str prefix = chain->env_prefix;
    for (size_t i = 0; chain->env != NULL && chain->env[i] != NULL; i++) {
        Str item = str_from(chain->env[i]);
        if (!str_starts_with(item, prefix)) continue;
        Str rest = str_slice(item, prefix.len, item.len);
        if (rest.len <= name.len || rest.ptr[name.len] != '=') continue;
        if (str_eq_ignore_case(str_slice(rest, 0, name.len), name)) {
            return rest.ptr + name.len + 1;
        }
    }
    return NULL;
}

static Err find_in_env(const SecretChain *chain, Str name, Buffer *plain, bool *found) {
    const char *text = find_variable(chain, name);
    if (text == NULL) return err_none();
    Buffer joined = {0};
    for (const char *at = text; *at != '\0'; at++) {
        if (*at != '\n' && *at != '\r') buffer_add_char(&joined, *at);
    }
    size_t before = plain->len;
    bool is_base64 = base64_decode(plain, buffer_str(&joined));
    if (joined.len > 0) wipe(joined.ptr, joined.len);
    buffer_release(&joined);
    if (!is_base64) {
        plain->len = before;
        return err_make(ERR_INPUT, "the environment variable '" STR_FMT STR_FMT "' is not Base64",
                        STR_ARG(chain->env_prefix), STR_ARG(name));
    }
    *found = true;
    return err_none();
}

// --- the chain ----------------------------------------------------------------------------------

Err secret_chain_new(const SecretOptions *options, SecretChain **out) {
    SecretChain *chain = heap_alloc(1, sizeof *chain);
    chain->allocator = locked_allocator(&chain->pool);
    chain->arena.allocator = &chain->allocator;
    chain->env = options->env;
    chain->env_prefix = str_from(options->env_prefix == NULL ? "SECRET_" : options->env_prefix);
    const char *folder = options->credentials_folder;
    if (folder == NULL) folder = env_get(options->env, "CREDENTIALS_DIRECTORY");
    if (folder != NULL) chain->folder = str_dup(&chain->arena, str_from(folder));
    Err err = options->file == NULL ? err_none() : read_secrets(chain, options->file);
    if (err.code != ERR_NONE) {
        secret_chain_free(chain);
        return err;
    }
    *out = chain;
    return err_none();
}

void secret_chain_free(SecretChain *chain) {
    if (chain == NULL) return;
    arena_release(&chain->arena);
    locked_release(&chain->pool);
    heap_free(chain);
}

void secret_chain_places(const SecretChain *chain, Buffer *out) {
    if (chain->file.len > 0) {
        buffer_printf(out, "the secrets file '" STR_FMT "', ", STR_ARG(chain->file));
    }
    if (chain->own_folder.len > 0) {
        buffer_printf(out, "the folder '" STR_FMT "', ", STR_ARG(chain->own_folder));
    }
    if (chain->folder.len > 0) {
        buffer_printf(out, "the credentials directory '" STR_FMT "', ", STR_ARG(chain->folder));
    }
    buffer_printf(out, "the environment (" STR_FMT "NAME, Base64)", STR_ARG(chain->env_prefix));
}

static Err missing(const SecretChain *chain, Str name) {
    Buffer places = {0};
    if (chain->file.len > 0) {
        buffer_printf(&places, "the secrets file '" STR_FMT "', ", STR_ARG(chain->file));
    } else if (chain->own_folder.len > 0) {
        buffer_printf(&places, "the folder '" STR_FMT "', ", STR_ARG(chain->own_folder));
    }
    if (chain->folder.len > 0) {
        buffer_printf(&places, "the credentials directory '" STR_FMT "', ", STR_ARG(chain->folder));
    }
    buffer_printf(&places, "the environment variable '" STR_FMT, STR_ARG(chain->env_prefix));
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        buffer_add_char(&places, c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : c);
    }
    buffer_add(&places, STR("' (Base64)"));
    if (chain->file.len == 0 && chain->own_folder.len == 0) {
        buffer_add(&places, STR("; --secrets FILE names a file with secrets"));
    }
    Err err =
        err_make(ERR_NOT_FOUND, "cannot find secret for key '" STR_FMT "': looked in " STR_FMT,
                 STR_ARG(name), STR_ARG(buffer_str(&places)));
    buffer_release(&places);
    return err;
}

static Err find_plain(const SecretChain *chain, Str name, Str secret_namespace, Buffer *plain) {
    Arena scratch = {0};
    bool found = false;
    const Value *value = find_in_file(chain, name, secret_namespace, &scratch);
    arena_release(&scratch);
    if (value != NULL) {
        value_print(plain, *value);
        return err_none();
    }
    TRY(find_in_own_folder(chain, name, secret_namespace, plain, &found));
    if (found) return err_none();
    TRY(find_in_folder(chain, name, plain, &found));
    if (found) return err_none();
    TRY(find_in_env(chain, name, plain, &found));
    return found ? err_none() : missing(chain, name);
}

// Replaces the value behind `from` by one of its members.
static Err take_member(Str name, Str key, Buffer *plain, size_t from) {
    LockedPool pool = {0};
    Allocator allocator = locked_allocator(&pool);
    Arena scratch = {.allocator = &allocator};
    Value whole = {0};
    Str text = str_slice(buffer_str(plain), from, plain->len);
    Err err = json_parse(text, (JsonLimits){0}, &scratch, &whole);
    const Value *member = err.code == ERR_NONE ? value_map_get(whole, key) : NULL;
    if (member == NULL) {
        err = err_make(ERR_NOT_FOUND,
                       "cannot find secret sub-key '" STR_FMT "' in secret '" STR_FMT "'",
                       STR_ARG(key), STR_ARG(name));
    } else {
        Buffer part = {0};
        value_print(&part, *member);
        wipe(plain->ptr + from, plain->len - from);
        plain->len = from;
        buffer_add(plain, buffer_str(&part));
        if (part.len > 0) wipe(part.ptr, part.len);
        buffer_release(&part);
    }
    arena_release(&scratch);
    locked_release(&pool);
    return err;
}

Err secret_chain_resolve(void *self, Str name, Str secret_namespace, Str key, Buffer *plain) {
    const SecretChain *chain = self;
    size_t from = plain->len;
    // Room at once: a buffer that moves would leave a copy behind.
    buffer_reserve(plain, 16 << 10);
    Err err = find_plain(chain, name, secret_namespace, plain);
    if (err.code == ERR_NONE && key.len > 0) err = take_member(name, key, plain, from);
    if (err.code == ERR_NONE && plain->len - from < SECRET_BYTES_MIN) {
        err =
            err_make(ERR_INPUT,
                     "the secret '" STR_FMT "' has fewer than %d bytes and could not be masked in "
                     "logs: use a longer value",
                     STR_ARG(name), SECRET_BYTES_MIN);
    }
    if (err.code != ERR_NONE && plain->len > from) {
        wipe(plain->ptr + from, plain->len - from);
        plain->len = from;
    }
    return err;
}
