// handlers.c - which command or address of the host runs a task type that has no module.
#include "host/internal.h"

const Value *handler_of(const Host *host, Str type) {
    Value handlers = host->options.handlers;
    const ValueMember *best = NULL;
    for (uint32_t i = 0; handlers.kind == VALUE_MAP && i < handlers.as.map->count; i++) {
        const ValueMember *member = &handlers.as.map->members[i];
        if (!str_starts_with(type, member->key)) continue;
        if (best == NULL || member->key.len > best->key.len) best = member;
    }
    return best == NULL ? NULL : &best->value;
}

// host.handler()
int api_handler(lua_State *L) {
    HostTask *task = call_begin(L);
    Str type = task->start.task_type;
    const Value *handler = handler_of(task->host, type);
    if (handler == NULL) {
        Err err = err_make(ERR_NOT_FOUND,
                           "task type '" STR_FMT "' is run by an external handler, and none is "
                           "configured for it on this host ('handlers' in flowrun.yaml)",
                           STR_ARG(type));
        return push_failure(L, &err, "permanent");
    }
    leaf_push_value(L, *handler);
    return 1;
}
