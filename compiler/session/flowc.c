// flowc.c - the public face of a session: opaque, C strings, nothing of ours shows.
#include "flowc.h"

#include <stdio.h>
#include <string.h>

#include "session/session.h"

struct FlowSession {
    Session *session;
    Arena arena;
    char error[ERR_TEXT_SIZE];
};

FlowSession *flow_session_new(const FlowSettings *settings, char *error, size_t error_size) {
    static const FlowSettings defaults;
    if (settings == NULL) settings = &defaults;
    const SessionOptions options = {
        .config = settings->config,
        .target = settings->target,
        .files = settings->files,
        .unknown_types = settings->unknown_types_warn ? UNKNOWN_TYPES_WARN : UNKNOWN_TYPES_DEFAULT,
        .is_strict = settings->strict};
    Session *inner = NULL;
    Err err = crypto_init();
    if (err.code == ERR_NONE) err = session_new(&options, settings->start, &inner);
    if (err.code != ERR_NONE) {
        if (error != NULL && error_size > 0) snprintf(error, error_size, "%s", err.text);
        return NULL;
    }
    FlowSession *session = heap_alloc(1, sizeof *session);
    session->session = inner;
    return session;
}

void flow_session_free(FlowSession *session) {
    if (session == NULL) return;
    session_free(session->session);
    arena_release(&session->arena);
    heap_free(session);
}

static FlowStatus end(FlowSession *session, Err err) {
    snprintf(session->error, sizeof session->error, "%s", err.code == ERR_NONE ? "" : err.text);
    if (err.code == ERR_NONE) return FLOW_OK;
    return err.code == ERR_USAGE ? FLOW_USAGE : FLOW_MACHINE;
}

FlowStatus flow_check_paths(FlowSession *session, const char *const *paths, size_t count) {
    const SessionInput input = {.paths = paths, .count = count, .input_name = STR("-")};
    return end(session, session_check(session->session, &input));
}

FlowStatus flow_check_text(FlowSession *session, const char *name, const char *text, size_t len) {
    static const char *const paths[] = {"-"};
    // Copied: findings show the text long after this call.
    const SessionInput input = {.paths = paths,
                                .count = 1,
                                .input = str_dup(&session->arena, (Str){text, len}),
                                .input_name = str_dup(&session->arena, str_from(name))};
    return end(session, session_check(session->session, &input));
}

FlowStatus flow_compile(FlowSession *session, const char *name, const char *text, size_t len,
                        uint8_t **bytes, size_t *size) {
    *bytes = NULL;
    *size = 0;
    CompileRequest request = {.path = name};
    if (text != NULL) {
        request.path = "-";
        request.input = str_dup(&session->arena, (Str){text, len});
        request.input_name = str_dup(&session->arena, str_from(name));
    }
    Compiled compiled = {0};
    const FlowStatus status = end(session, session_compile(session->session, &request, &compiled));
    if (status == FLOW_OK && compiled.bytes.len > 0) {
        *bytes = heap_alloc(compiled.bytes.len, 1);
        memcpy(*bytes, compiled.bytes.ptr, compiled.bytes.len);
        *size = compiled.bytes.len;
    }
    buffer_release(&compiled.bytes);
    return status;
}

void flow_bytes_free(uint8_t *bytes) {
    heap_free(bytes);
}

const char *flow_session_error(const FlowSession *session) {
    return session->error;
}

size_t flow_finding_count(const FlowSession *session) {
    return session->session->diags.list.count;
}

const FlowFinding *flow_finding_at(const FlowSession *session, size_t index) {
    const Diags *diags = &session->session->diags;
    return index < diags->list.count ? (const FlowFinding *)diags->list.items[index] : NULL;
}

// A finding is a Diag; only this file knows.
static const Diag *inner(const FlowFinding *finding) {
    return (const Diag *)finding;
}

const char *flow_finding_code(const FlowFinding *finding) {
    return inner(finding)->code;
}

const char *flow_finding_rule(const FlowFinding *finding) {
    const DiagCode *row = diag_code_find(str_from(inner(finding)->code));
    return row == NULL ? "" : row->name;
}

FlowLevel flow_finding_level(const FlowFinding *finding) {
    switch (inner(finding)->level) {
    case DIAG_NOTE:
        return FLOW_NOTE;
    case DIAG_WARNING:
        return FLOW_WARNING;
    case DIAG_ERROR:
        break;
    }
    return FLOW_ERROR;
}

const char *flow_finding_message(const FlowFinding *finding) {
    const Diag *diag = inner(finding);
    return str_to_c(diag->owner->arena, diag->message);
}

const char *flow_finding_file(const FlowSession *session, const FlowFinding *finding) {
    const Source *source = sources_get(&session->session->sources, inner(finding)->span.file);
    return str_to_c(&session->session->arena, source->name);
}

void flow_finding_place(const FlowSession *session, const FlowFinding *finding, uint32_t *start,
                        uint32_t *len, uint32_t *line, uint32_t *column) {
    const Span span = inner(finding)->span;
    const Source *source = sources_get(&session->session->sources, span.file);
    const Position at = source_position(source, span.start, POSITION_POINTS);
    *start = span.start;
    *len = span.len;
    *line = at.line;
    *column = at.column;
}

char *flow_render(const FlowSession *session, FlowFormat format) {
    const Session *own = session->session;
    Buffer out = {0};
    switch (format) {
    case FLOW_TEXT:
        diags_render_text(&own->diags, &own->sources, (DiagStyle){0}, &out);
        break;
    case FLOW_ONELINE:
        diags_render_oneline(&own->diags, &own->sources, &out);
        break;
    case FLOW_JSON:
        diags_render_json(&own->diags, &own->sources, &own->summary, &out);
        break;
    case FLOW_SARIF:
        diags_render_sarif(&own->diags, &own->sources, &out);
        break;
    case FLOW_GITHUB:
        diags_render_github(&own->diags, &own->sources, &out);
        break;
    case FLOW_GITLAB:
        diags_render_gitlab(&own->diags, &own->sources, &out);
        break;
    case FLOW_JUNIT:
        diags_render_junit(&own->diags, &own->sources, &own->summary, &out);
        break;
    }
    char *text = heap_dup(out.ptr == NULL ? "" : out.ptr, out.len);
    buffer_release(&out);
    return text;
}

void flow_text_free(char *text) {
    heap_free(text);
}
