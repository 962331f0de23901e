// secrets.c - secrets as a type: handles in Lua, plain values in locked memory, recipes between.
//
// A handle is userdata that holds its recipe as canonical JSON. Whatever is done with a handle is
// done at once, in a machine of its own whose memory is wiped, so that a mistake is reported where
// it is made; what comes back is a handle again, but for truth values and the like.
#include "leaf/machine.h"

#include <string.h>

#include "base/crypto.h"
#include "base/locked.h"
#include "base/wiped.h"

typedef struct Entry {
    Str recipe;  // canonical JSON, on the heap
    Str plain;   // in locked memory: the text, or JSON
    Kind kind;
} Entry;

struct Secrets {
    SecretSource source;
    LockedPool pool;
    Entry *entries;
    uint32_t count, capacity;
    uint32_t *index;  // open addressing; 0 is free, else place + 1
    uint32_t index_size;
    LeafVm *vm;  // private; made when something has to be calculated
    int depth;
};

enum { RECIPE_DEPTH_MAX = 100, RECIPE_SIZE_MAX = 1 << 20 };

Secrets *secrets_new(SecretSource source) {
    Secrets *secrets = heap_alloc(1, sizeof *secrets);
    secrets->source = source;
    return secrets;
}

void secrets_free(Secrets *secrets) {
    if (secrets == NULL) return;
    leaf_vm_free(secrets->vm);
    for (uint32_t i = 0; i < secrets->count; i++) {
        heap_free((void *)(uintptr_t)secrets->entries[i].recipe.ptr);
    }
    heap_free(secrets->entries);
    heap_free(secrets->index);
    locked_release(&secrets->pool);
    heap_free(secrets);
}

// --- the table ----------------------------------------------------------------------------------

static uint32_t *find_slot(const Secrets *secrets, Str recipe) {
    uint32_t mask = secrets->index_size - 1;
    for (uint32_t at = str_hash(recipe) & mask;; at = (at + 1) & mask) {
        uint32_t *slot = &secrets->index[at];
        if (*slot == 0 || str_eq(secrets->entries[*slot - 1].recipe, recipe)) return slot;
    }
}

static Entry *find_entry(const Secrets *secrets, Str recipe) {
    if (secrets->index_size == 0) return NULL;
    uint32_t slot = *find_slot(secrets, recipe);
    return slot == 0 ? NULL : &secrets->entries[slot - 1];
}

static void grow(Secrets *secrets) {
    secrets->capacity = secrets->capacity == 0 ? 16 : secrets->capacity * 2;
    secrets->entries = heap_resize(secrets->entries, secrets->capacity, sizeof *secrets->entries);
    heap_free(secrets->index);
    secrets->index_size = secrets->capacity * 2;
    secrets->index = heap_alloc(secrets->index_size, sizeof *secrets->index);
    for (uint32_t i = 0; i < secrets->count; i++) {
        *find_slot(secrets, secrets->entries[i].recipe) = i + 1;
    }
}

// The newest value of a recipe counts.
static Entry *add_entry(Secrets *secrets, Str recipe, Str plain, Kind kind) {
    Entry *entry = find_entry(secrets, recipe);
    if (entry == NULL) {
        if (secrets->count == secrets->capacity) grow(secrets);
        entry = &secrets->entries[secrets->count++];
        entry->recipe = (Str){heap_dup(recipe.ptr, recipe.len), recipe.len};
        *find_slot(secrets, entry->recipe) = secrets->count;
    }
    char *copy = locked_alloc(&secrets->pool, plain.len + 1);
    if (plain.len > 0) memcpy(copy, plain.ptr, plain.len);
    copy[plain.len] = '\0';
    entry->plain = (Str){copy, plain.len};
    entry->kind = kind;
    // Of a joined text only the secret parts are to be masked, and those are known already: else a
    // whole script, and each of its lines, would be hidden in every log.
    bool is_joined = str_starts_with(recipe, STR("{\"op\":\"concat\""));
    bool tells = !is_joined && (kind & (KIND_BOOL | KIND_NULL | KIND_UNDEFINED)) == 0;
    if (tells && secrets->source.on_plain != NULL) {
        secrets->source.on_plain(secrets->source.self, entry->plain);
    }
    return entry;
}

// --- evaluating a recipe ------------------------------------------------------------------------

static Err evaluate(Secrets *secrets, const Value *recipe, Entry **out);

static Err resolve(Secrets *secrets, const Value *recipe, Str key, Entry **out) {
    Str name = value_map_get_text(*recipe, STR("name"), (Str){0});
    if (secrets->source.resolve == NULL) {
        return err_make(ERR_NOT_FOUND, "there is no source for secret '" STR_FMT "'",
                        STR_ARG(name));
    }
    Buffer plain = {.is_wiped = true};
    Err err = secrets->source.resolve(secrets->source.self, name,
                                      value_map_get_text(*recipe, STR("namespace"), (Str){0}),
                                      value_map_get_text(*recipe, STR("key"), (Str){0}), &plain);
    if (err.code == ERR_NONE) *out = add_entry(secrets, key, buffer_str(&plain), KIND_TEXT);
    buffer_release(&plain);
    if (err.code != ERR_NONE) err.number = LEAF_ERROR_SECRET;
    return err;
}

static void push_recipe(lua_State *L, Secrets *secrets, const Value *recipe);

static void push_entry(lua_State *L, const Entry *entry) {
    switch (entry->kind) {
    case KIND_TEXT:
        leaf_push_str(L, entry->plain);
        return;
    case KIND_UNDEFINED:
        leaf_push_undefined(L, entry->plain);
        return;
    case KIND_ABSENT:
    case KIND_NULL:
    case KIND_BOOL:
    case KIND_INT:
    case KIND_FLOAT:
    case KIND_BIGNUM:
    case KIND_LIST:
    case KIND_MAP:
    case KIND_SECRET:
    case KIND_OTHER:
        leaf_push_json(L, entry->plain, LEAF_ERROR_SECRET, "a secret");
        return;
    }
}

static void push_part(lua_State *L, Secrets *secrets, Value part) {
    luaL_checkstack(L, 8, NULL);
    if (part.kind == VALUE_SECRET) {
        push_recipe(L, secrets, part.as.secret);
    } else if (part.kind == VALUE_LIST) {
        leaf_new_list(L, part.as.list->count);
        for (uint32_t i = 0; i < part.as.list->count; i++) {
            push_part(L, secrets, part.as.list->items[i]);
            leaf_list_add(L, -2);
        }
    } else if (part.kind == VALUE_MAP) {
        leaf_new_map(L, part.as.map->count);
        for (uint32_t i = 0; i < part.as.map->count; i++) {
            leaf_push_str(L, part.as.map->members[i].key);
            push_part(L, secrets, part.as.map->members[i].value);
            leaf_map_put(L, -3);
        }
    } else {
        leaf_push_value(L, part);
    }
}

static void push_parts(lua_State *L, Secrets *secrets, const Value *list) {
    if (list == NULL || list->kind != VALUE_LIST) {
        leaf_raise(L, LEAF_ERROR_SECRET, "a recipe of a secret is damaged");
    }
    for (uint32_t i = 0; i < list->as.list->count; i++) {
        push_part(L, secrets, list->as.list->items[i]);
    }
}

static void push_concat(lua_State *L, Secrets *secrets, const Value *recipe) {
    int base = lua_gettop(L);
    push_parts(L, secrets, value_map_get(*recipe, STR("parts")));
    Buffer *out = leaf_scratch(L);
    for (int i = base + 1, top = lua_gettop(L); i <= top; i++) leaf_print(L, i, out);
    leaf_push_scratch(L);
    lua_replace(L, base + 1);
    lua_settop(L, base + 1);
}

static void push_call(lua_State *L, Secrets *secrets, const Value *recipe) {
    static const char *const kinds[] = {"filter", "function", "test"};
    static const char *const tables[] = {"filter", "func", "test"};
    const Value *arguments = value_map_get(*recipe, STR("args"));
    int base = lua_gettop(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm_of(L)->rt_ref);
    Str name = value_map_get_text(*recipe, STR("operator"), (Str){0});
    bool is_operator = name.len > 0;
    for (size_t i = 0; i < COUNT(kinds) && !is_operator; i++) {
        name = value_map_get_text(*recipe, str_from(kinds[i]), (Str){0});
        if (name.len == 0) continue;
        lua_getfield(L, -1, tables[i]);
        break;
    }
    leaf_push_str(L, name);
    lua_gettable(L, -2);
    if (!lua_isfunction(L, -1)) {
        leaf_raise(L, LEAF_ERROR_SECRET, "a recipe of a secret is damaged");
    }
    lua_replace(L, base + 1);
    lua_settop(L, base + 1);
    if (!is_operator) lua_pushinteger(L, 0);
    push_parts(L, secrets, arguments);
    if (is_operator) lua_pushinteger(L, 0);
    lua_call(L, lua_gettop(L) - base - 1, 1);
}

static void push_recipe(lua_State *L, Secrets *secrets, const Value *recipe) {
    luaL_checkstack(L, 10, NULL);
    Str op = value_map_get_text(*recipe, STR("op"), (Str){0});
    if (str_eq(op, STR("concat"))) {
        push_concat(L, secrets, recipe);
    } else if (str_eq(op, STR("call"))) {
        push_call(L, secrets, recipe);
    } else if (str_eq(op, STR("absent"))) {
        lua_pushnil(L);
    } else if (str_eq(op, STR("json"))) {
        leaf_push_json(L, value_map_get_text(*recipe, STR("text"), (Str){0}), LEAF_ERROR_SECRET,
                       "a recipe");
    } else {
        Entry *entry = NULL;
        Err err = evaluate(secrets, recipe, &entry);
        if (err.code != ERR_NONE) {
            leaf_raise(L, err.number == 0 ? LEAF_ERROR_SECRET : (LeafErrorKind)err.number, "%s",
                       err.text);
        }
        push_entry(L, entry);
    }
}

typedef struct Job {
    Secrets *secrets;
    const Value *recipe;
    Str key;
    Entry *entry;
} Job;

static int calculate(lua_State *L) {
    Job *job = lua_touserdata(L, 1);
    push_recipe(L, job->secrets, job->recipe);
    Kind kind = leaf_kind(L, -1);
    Str plain;
    if (kind == KIND_UNDEFINED) {
        plain = leaf_undefined_path(L, -1);
    } else if (kind == KIND_TEXT) {
        plain = leaf_str(L, -1);
    } else {
        Buffer *out = leaf_scratch(L);
        leaf_print_json(L, -1, out);
        plain = buffer_str(out);
    }
    job->entry = add_entry(job->secrets, job->key, plain, kind);
    return 0;
}

static Err run_job(Job *job) {
    Secrets *secrets = job->secrets;
    if (secrets->vm == NULL) secrets->vm = leaf_vm_private(NULL);
    if (secrets->vm == NULL) return err_make(ERR_LIMIT, "no memory to calculate with a secret");
    lua_State *L = secrets->vm->L;
    if (secrets->depth == 0) {
        lua_settop(L, 0);
        secrets->vm->scratch_used = 0;
    }
    if (!lua_checkstack(L, 8)) return err_make(ERR_LIMIT, "a secret is nested too deeply");
    LeafBudget budget = leaf_budget(&secrets->vm->limits);
    LeafBudget *outer = secrets->vm->budget;
    secrets->vm->budget = &budget;
    secrets->depth++;
    lua_pushcfunction(L, calculate);
    lua_pushlightuserdata(L, job);
    int status = lua_pcall(L, 1, 0, 0);
    secrets->depth--;
    secrets->vm->budget = outer;
    Err err = err_none();
    if (status != LUA_OK) {
        Arena arena = {0};
        LeafError error;
        leaf_error_take(L, &arena, &error);
        err = err_make(error.kind == LEAF_ERROR_LIMIT ? ERR_LIMIT : ERR_INPUT, STR_FMT,
                       STR_ARG(error.message));
        err.number = (int)error.kind;
        arena_release(&arena);
    }
    if (secrets->depth == 0) {
        lua_settop(L, 0);
        secrets->vm->scratch_used = 0;
        lua_gc(L, LUA_GCCOLLECT);
    }
    return err;
}

static Err evaluate(Secrets *secrets, const Value *recipe, Entry **out) {
    Buffer key = {0};
    json_write(&key, *recipe, JSON_CANONICAL, JSON_KEEP_SECRETS);
    Str op = value_map_get_text(*recipe, STR("op"), (Str){0});
    *out = find_entry(secrets, buffer_str(&key));
    Err err = err_none();
    if (*out == NULL && key.len > RECIPE_SIZE_MAX) {
        err = err_make(ERR_LIMIT, "a text with a secret in it has more than %d KiB",
                       RECIPE_SIZE_MAX >> 10);
    } else if (*out == NULL && str_eq(op, STR("secret"))) {
        err = resolve(secrets, recipe, buffer_str(&key), out);
    } else if (*out == NULL && (str_eq(op, STR("concat")) || str_eq(op, STR("call")))) {
        Job job = {secrets, recipe, buffer_str(&key), NULL};
        err = secrets->depth > RECIPE_DEPTH_MAX
                  ? err_make(ERR_LIMIT, "a secret is nested too deeply")
                  : run_job(&job);
        *out = job.entry;
    } else if (*out == NULL) {
        Str name = value_map_get_text(*recipe, STR("name"), STR("?"));
        err = err_make(ERR_NOT_FOUND, "the value of " STR_FMT " '" STR_FMT "' is not at hand",
                       STR_ARG(op), STR_ARG(name));
    }
    if (err.code != ERR_NONE && err.number == 0) err.number = LEAF_ERROR_SECRET;
    buffer_release(&key);
    return err;
}

Err secrets_reveal(Secrets *secrets, const Value *recipe, Str *plain) {
    Entry *entry = NULL;
    *plain = (Str){0};
    Err err = evaluate(secrets, recipe, &entry);
    if (err.code == ERR_NONE) *plain = entry->plain;
    return err;
}

void secrets_add(Secrets *secrets, const Value *recipe, Str plain) {
    Buffer key = {0};
    json_write(&key, *recipe, JSON_CANONICAL, JSON_KEEP_SECRETS);
    add_entry(secrets, buffer_str(&key), plain, KIND_TEXT);
    buffer_release(&key);
}

// Replaces the secrets in a value by their plain texts; the copy lives in `arena`, which the caller
// wipes by releasing it at once.
static Err reveal_all(Secrets *secrets, Value value, Arena *arena, Value *out) {
    *out = value;
    if (value.kind == VALUE_SECRET) {
        Str plain;
        TRY(secrets_reveal(secrets, value.as.secret, &plain));
        *out = value_text(plain);
    } else if (value.kind == VALUE_LIST) {
        *out = value_list(arena);
        for (uint32_t i = 0; i < value.as.list->count; i++) {
            Value item;
            TRY(reveal_all(secrets, value.as.list->items[i], arena, &item));
            value_list_add(arena, *out, item);
        }
    } else if (value.kind == VALUE_MAP) {
        *out = value_map(arena);
        for (uint32_t i = 0; i < value.as.map->count; i++) {
            Value member;
            TRY(reveal_all(secrets, value.as.map->members[i].value, arena, &member));
            value_map_set(arena, *out, value.as.map->members[i].key, member);
        }
    }
    return err_none();
}

Err secrets_print_revealed(Secrets *secrets, Value value, Buffer *out) {
    Arena arena = {.allocator = &wiped_allocator};
    Value plain;
    Err err = reveal_all(secrets, value, &arena, &plain);
    if (err.code == ERR_NONE) value_print(out, plain);
    arena_release(&arena);
    return err;
}

Err secret_subkey(Str json, Str key, Buffer *plain) {
    Arena arena = {.allocator = &wiped_allocator};
    Value value;
    Err err = json_parse(json, (JsonLimits){0}, &arena, &value);
    const Value *found = NULL;
    if (err.code != ERR_NONE || value.kind != VALUE_MAP) {
        err = err_make(ERR_INPUT, "it has no key '" STR_FMT "': it is not a JSON object",
                       STR_ARG(key));
    } else {
        found = value_map_get(value, key);
        if (found == NULL) {
            err = err_make(ERR_NOT_FOUND, "it has no key '" STR_FMT "'", STR_ARG(key));
        } else {
            value_print(plain, *found);
        }
    }
    arena_release(&arena);
    return err;
}

// --- handles ------------------------------------------------------------------------------------

static void push_handle(lua_State *L, Str recipe) {
    char *copy = lua_newuserdatauv(L, recipe.len + 1, 0);
    memcpy(copy, recipe.ptr, recipe.len);
    copy[recipe.len] = '\0';
    leaf_set_meta(L, META_SECRET);
    vm_of(L)->has_secrets = true;
}

Str leaf_secret_recipe(lua_State *L, int index) {
    return str_from(lua_touserdata(L, index));
}

void leaf_push_secret(lua_State *L, const Value *recipe) {
    Buffer *out = leaf_scratch(L);
    json_write(out, *recipe, JSON_CANONICAL, JSON_KEEP_SECRETS);
    push_handle(L, buffer_str(out));
    leaf_scratch_end(L);
}

// A value as part of a recipe.
static void write_part(lua_State *L, int index, Buffer *out, int depth) {
    luaL_checkstack(L, 6, NULL);
    if (depth > VALUE_DEPTH_MAX) leaf_raise(L, LEAF_ERROR_LIMIT, "a value is nested too deeply");
    leaf_force(L, index);
    Kind kind = leaf_kind(L, index);
    if (kind == KIND_SECRET) {
        buffer_add(out, STR("{\"$secret\":"));
        buffer_add(out, leaf_secret_recipe(L, index));
        buffer_add_char(out, '}');
    } else if (kind == KIND_ABSENT) {
        buffer_add(out, STR("{\"$secret\":{\"op\":\"absent\"}}"));
    } else if (kind == KIND_LIST) {
        buffer_add_char(out, '[');
        for (size_t i = 0, n = lua_rawlen(L, index); i < n; i++) {
            if (i > 0) buffer_add_char(out, ',');
            lua_rawgeti(L, index, (lua_Integer)i + 1);
            write_part(L, lua_gettop(L), out, depth + 1);
            lua_pop(L, 1);
        }
        buffer_add_char(out, ']');
    } else if (kind == KIND_MAP) {
        buffer_add_char(out, '{');
        for (size_t i = 0, n = lua_rawlen(L, index); i < n; i++) {
            leaf_push_member(L, index, i);
            // A map from outside must not be taken for a secret when the recipe is read again.
            if (str_eq(leaf_str(L, -2), STR("$secret"))) {
                leaf_raise(L, LEAF_ERROR_SECRET,
                           "a map with the key '$secret' cannot be combined with a secret");
            }
            if (i > 0) buffer_add_char(out, ',');
            buffer_add_json(out, leaf_str(L, -2));
            buffer_add_char(out, ':');
            write_part(L, lua_gettop(L), out, depth + 1);
            lua_pop(L, 2);
        }
        buffer_add_char(out, '}');
    } else {
        leaf_print_json(L, index, out);
    }
}

static void write_parts(lua_State *L, int first, int last, Buffer *out) {
    buffer_add_char(out, '[');
    for (int i = first; i <= last; i++) {
        if (i > first) buffer_add_char(out, ',');
        write_part(L, i, out, 0);
    }
    buffer_add_char(out, ']');
}

// Evaluates the recipe in the newest scratch buffer and pushes what may be seen of the result: the
// plain value where it says next to nothing, else a handle.
static void push_result(lua_State *L, bool is_plain) {
    LeafVm *vm = vm_of(L);
    Str text = buffer_str(&vm->scratch[vm->scratch_used - 1]);
    if (vm->secrets == NULL) leaf_raise(L, LEAF_ERROR_SECRET, "secrets are not at hand here");
    Arena arena = {0};
    Value recipe;
    Entry *entry = NULL;
    Err err = json_parse(text, (JsonLimits){.depth = VALUE_DEPTH_MAX}, &arena, &recipe);
    if (err.code == ERR_NONE) {
        recipe = value_restore_secrets(&arena, recipe);
        err = evaluate(vm->secrets, &recipe, &entry);
    }
    Buffer canonical = {0};
    if (err.code == ERR_NONE) {
        json_write(&canonical, recipe, JSON_CANONICAL, JSON_KEEP_SECRETS);
        vm->scratch[vm->scratch_used - 1].len = 0;
        buffer_add(&vm->scratch[vm->scratch_used - 1], buffer_str(&canonical));
    }
    buffer_release(&canonical);
    arena_release(&arena);
    if (err.code != ERR_NONE) {
        leaf_raise(L,
                   err.code == ERR_LIMIT ? LEAF_ERROR_LIMIT
                   : err.number == 0     ? LEAF_ERROR_SECRET
                                         : (LeafErrorKind)err.number,
                   "%s", err.text);
    }
    bool shows = (entry->kind & (KIND_BOOL | KIND_NULL | KIND_UNDEFINED)) != 0 || is_plain;
    if (shows) {
        push_entry(L, entry);
    } else {
        push_handle(L, buffer_str(&vm->scratch[vm->scratch_used - 1]));
    }
    leaf_scratch_end(L);
}

void leaf_secret_call(lua_State *L, const char *kind, const char *name, int first) {
    int last = lua_gettop(L);
    bool is_plain = false;
    if (strcmp(kind, "operator") != 0) {
        BuiltinKind of = strcmp(kind, "filter") == 0     ? BUILTIN_FILTER
                         : strcmp(kind, "function") == 0 ? BUILTIN_FUNCTION
                                                         : BUILTIN_TEST;
        const Builtin *row = builtin_find(of, str_from(name));
        is_plain = row != NULL && (row->flags & BUILTIN_PLAIN) != 0;
    }
    Buffer *out = leaf_scratch(L);
    buffer_add(out, STR("{\"args\":"));
    write_parts(L, first, last, out);
    buffer_printf(out, ",\"op\":\"call\",\"%s\":\"%s\"}", kind, name);
    push_result(L, is_plain);
}

void leaf_secret_concat(lua_State *L, int first) {
    int last = lua_gettop(L);
    if (first == last && leaf_kind(L, first) == KIND_SECRET) {
        lua_pushvalue(L, first);
        return;
    }
    Buffer *out = leaf_scratch(L);
    buffer_add(out, STR("{\"op\":\"concat\",\"parts\":"));
    write_parts(L, first, last, out);
    buffer_add_char(out, '}');
    push_result(L, false);
}

static void write_member(Buffer *out, const char *key, Str text) {
    if (text.len == 0) return;
    buffer_printf(out, ",\"%s\":", key);
    buffer_add_json(out, text);
}

void leaf_secret_named(lua_State *L, Str name, Str secret_namespace, Str key) {
    Buffer *out = leaf_scratch(L);
    buffer_add(out, STR("{\"op\":\"secret\""));
    write_member(out, "name", name);
    write_member(out, "namespace", secret_namespace);
    write_member(out, "key", key);
    buffer_add_char(out, '}');
    push_result(L, false);
}

static int handle_to_text(lua_State *L) {
    lua_pushliteral(L, "******");
    return 1;
}

static int handle_concat(lua_State *L) {
    lua_settop(L, 2);
    leaf_secret_concat(L, 1);
    return 1;
}

static int handle_index(lua_State *L) {
    lua_pushnil(L);
    return 1;
}

void leaf_secrets_open(lua_State *L) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm_of(L)->meta_refs[META_SECRET]);
    lua_pushcfunction(L, handle_to_text);
    lua_setfield(L, -2, "__tostring");
    lua_pushcfunction(L, handle_concat);
    lua_setfield(L, -2, "__concat");
    lua_pushcfunction(L, handle_index);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
