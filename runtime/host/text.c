// text.c - secrets on their way out: in clear to children and requests, masked to everything else.
#include "host/internal.h"

#include <string.h>

#include "base/crypto.h"

bool holds_secret(HostTask *task, Value value) {
    if (value_has_secret(value)) return true;
    return value.kind == VALUE_TEXT && task->host->options.masker != NULL &&
           masker_finds(task->host->options.masker, value.as.text);
}

Err reveal(HostTask *task, Value value, Arena *arena, Str *out) {
    Secrets *secrets = task->host->options.secrets;
    if (!value_has_secret(value) || secrets == NULL) {
        *out = value_to_text(arena, value);
        return err_none();
    }
    Buffer plain = {.is_wiped = true};
    Err err = secrets_print_revealed(secrets, value, &plain);
    if (err.code == ERR_NONE) *out = str_dup(arena, buffer_str(&plain));
    buffer_release(&plain);
    return err;
}

Str mask_plain(HostTask *task, Str plain, Arena *arena) {
    Buffer masked = {0};
    masker_apply(task->host->options.masker, plain, &masked);
    Str out = str_dup(arena, buffer_str(&masked));
    buffer_release(&masked);
    return out;
}

Str masked_text(HostTask *task, Value value, Arena *arena) {
    if (!value_has_secret(value)) return mask_plain(task, value_to_text(arena, value), arena);
    if (task->host->options.masker == NULL) return value_to_text(arena, value);
    // In clear first, so that what surrounds the secret can still be read.
    Str plain = {0};
    Arena scratch = {0};
    Err err = reveal(task, value, &scratch, &plain);
    Str out = err.code == ERR_NONE ? mask_plain(task, plain, arena) : value_to_text(arena, value);
    if (plain.len > 0) wipe((char *)(uintptr_t)plain.ptr, plain.len);
    arena_release(&scratch);
    return out;
}

Value mask_value(HostTask *task, Value value, Arena *arena) {
    return masker_value(task->host->options.masker, value, arena);
}

static Value make_recipe(Arena *arena, Value recipe) {
    Value *kept = arena_new(arena, Value);
    *kept = recipe;
    return (Value){.kind = VALUE_SECRET, .as.secret = kept};
}

Value make_concat(Arena *arena, Value parts) {
    Value recipe = value_map(arena);
    value_map_set(arena, recipe, STR("op"), value_text(STR("concat")));
    value_map_set(arena, recipe, STR("parts"), parts);
    return make_recipe(arena, recipe);
}

Value make_call(Arena *arena, Str filter, Value args) {
    Value recipe = value_map(arena);
    value_map_set(arena, recipe, STR("op"), value_text(STR("call")));
    value_map_set(arena, recipe, STR("filter"), value_text(filter));
    value_map_set(arena, recipe, STR("args"), args);
    return make_recipe(arena, recipe);
}

Value make_secret(Host *host, Str name, Str plain, Arena *arena) {
    Value recipe = value_map(arena);
    value_map_set(arena, recipe, STR("op"), value_text(STR("input")));
    value_map_set(arena, recipe, STR("name"), value_text(str_dup(arena, name)));
    if (host->options.secrets != NULL) {
        secrets_add(host->options.secrets, &recipe, plain);
    }
    return make_recipe(arena, recipe);
}
