// late.c - what is looked at when all files were read: scripts, by few processes for all of them.
#include "session/session.h"

void late_forget(Session *session, uint32_t file) {
    Late *late = &session->late;
    while (late->scripts.list.count > 0 &&
           late->scripts.list.items[late->scripts.list.count - 1]->file >= file) {
        late->scripts.list.count--;
    }
    while (late->ignores.count > 0 &&
           late->ignores.items[late->ignores.count - 1].name.file >= file) {
        late->ignores.count--;
    }
}

Err late_check(Session *session, uint32_t jobs) {
    if (session->options.embedded == EMBED_OFF) return err_none();
    const Scripts *scripts = &session->late.scripts;
    if (scripts->list.count == 0) return err_none();
    const EmbedTools tools = embed_tools(&session->arena);
    const char *missing = scripts_missing_tool(scripts, &tools);
    if (missing != NULL && session->options.embedded == EMBED_REQUIRE) {
        return err_make(ERR_UNAVAILABLE,
                        "'%s' is not installed, and --embedded=require asks for it; install it, or "
                        "use --embedded=auto",
                        missing);
    }
    const uint32_t first = session->diags.list.count;
    const Err err = scripts_check(scripts, &tools, jobs, &session->diags);
    levels_apply(session, first);
    ignores_apply_late(session, first);
    if (err.code == ERR_NONE || session->options.embedded == EMBED_REQUIRE) return err;
    session->embed_error = err;
    return err_none();
}
