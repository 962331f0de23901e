// late.c - what is looked at when all files were read: scripts, by few processes for all of them.
#include "session/session.h"

#include <string.h>

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

static bool has_script(const Session *session, uint32_t file, bool is_python) {
    for (uint32_t i = 0; i < session->late.scripts.list.count; i++) {
        const Script *script = session->late.scripts.list.items[i];
        if (script->file == file && (script->language == SCRIPT_PYTHON) == is_python) return true;
    }
    return false;
}

// Where a script was not looked at, nobody knows whether a comment about it ignores something. Each
// file is judged by itself: another one's scripts change nothing.
static void forgive_ignores(Session *session, const EmbedTools *tools, bool has_failed) {
    for (uint32_t i = 0; i < session->late.ignores.count; i++) {
        LateIgnore *ignore = &session->late.ignores.items[i];
        const bool is_python = strcmp(ignore->code->code, "E0611") == 0;
        const bool is_looked_at =
            !has_failed && (is_python ? tools->python : tools->shellcheck) != NULL;
        if (is_looked_at || !has_script(session, ignore->name.file, is_python)) continue;
        ignore->is_used = true;
    }
}

Err late_check(Session *session, uint32_t jobs) {
    if (session->options.embedded == EMBED_OFF) return err_none();
    const Scripts *scripts = &session->late.scripts;
    if (scripts->list.count == 0) {
        ignores_apply_late(session, session->diags.list.count);
        return err_none();
    }
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
    forgive_ignores(session, &tools, err.code != ERR_NONE);
    ignores_apply_late(session, first);
    if (err.code == ERR_NONE || session->options.embedded == EMBED_REQUIRE) return err;
    session->embed_error = err;
    return err_none();
}
