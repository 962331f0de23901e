// effect.c - the one place that everything passes which touches the world.
//
// A real run and a plan tell the same story because both tell it here: the description is made
// before the effect, from what was asked for, with the working directory and all secrets replaced.
#include "host/internal.h"

#define WORKDIR_PLACEHOLDER "<workingDir>"

static Str replace_workdir(const HostTask *task, Str text, Arena *arena) {
    if (task->workdir.len == 0) return text;
    size_t at = str_find(text, task->workdir, 0);
    if (at == STR_NOT_FOUND) return text;
    Buffer out = {0};
    size_t from = 0;
    for (; at != STR_NOT_FOUND; at = str_find(text, task->workdir, from)) {
        buffer_add(&out, str_slice(text, from, at));
        buffer_add(&out, STR(WORKDIR_PLACEHOLDER));
        from = at + task->workdir.len;
    }
    buffer_add(&out, str_slice(text, from, text.len));
    Str done = buffer_to_str(&out, arena);
    buffer_release(&out);
    return done;
}

// A copy that can be kept and shown.
static Value shown(HostTask *task, Value value) {
    Arena *arena = &task->arena;
    if (value.kind == VALUE_LIST) {
        Value out = value_list(arena);
        for (uint32_t i = 0; i < value.as.list->count; i++) {
            value_list_add(arena, out, shown(task, value.as.list->items[i]));
        }
        return out;
    }
    if (value.kind == VALUE_MAP) {
        Value out = value_map(arena);
        for (uint32_t i = 0; i < value.as.map->count; i++) {
            const ValueMember *member = &value.as.map->members[i];
            value_map_set(arena, out, str_dup(arena, member->key), shown(task, member->value));
        }
        return out;
    }
    if (value.kind == VALUE_TEXT || value.kind == VALUE_SECRET) {
        return value_text(replace_workdir(task, masked_text(task, value, arena), arena));
    }
    return value_copy(arena, value);
}

// With `plan --plan=live` a module's `plan` may look at the world.
static bool only_reads(Value description) {
    Str kind = value_map_get_text(description, STR("effect"), STR(""));
    Str method = value_map_get_text(description, STR("method"), STR(""));
    if (value_map_get_bool(description, STR("dryRun"), false)) {
        return str_eq(kind, STR("http")) || str_eq(kind, STR("exec"));
    }
    return str_eq(kind, STR("http")) && (str_eq(method, STR("GET")) || str_eq(method, STR("HEAD")));
}

bool effect(HostTask *task, Value description) {
    value_list_add(&task->arena, task->effects, shown(task, description));
    if (is_planning(task)) return task->may_read && only_reads(description);
    // Files of the working directory and objects nobody knows of yet are no reason to ask after a
    // crash.
    if (!str_eq(value_map_get_text(description, STR("effect"), STR("")), STR("file"))) {
        task->has_begun = true;
    }
    return true;
}
