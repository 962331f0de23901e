// flowc.h - the compiler as a library: check flows, compile them to artifacts.
//
// No global state: everything hangs on a FlowSession, sessions know nothing of each other, and one
// session is used by one thread at a time. Texts that are handed out are NUL-terminated UTF-8, live
// as long as their owner says, and belong to it. Nothing here prints or exits; only when memory
// ends the program does.
#ifndef FLOW_FLOWC_H
#define FLOW_FLOWC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct FlowSession FlowSession;
typedef struct FlowFinding FlowFinding;

typedef enum FlowStatus {
    FLOW_OK,       // done; there may be findings
    FLOW_USAGE,    // options that make no sense
    FLOW_MACHINE,  // the machine failed: a file that cannot be written, a limit
} FlowStatus;

typedef enum FlowLevel { FLOW_NOTE, FLOW_WARNING, FLOW_ERROR } FlowLevel;

typedef enum FlowFormat {
    FLOW_TEXT,
    FLOW_ONELINE,
    FLOW_JSON,
    FLOW_SARIF,
    FLOW_GITHUB,
    FLOW_GITLAB,
    FLOW_JUNIT
} FlowFormat;

// Zero is valid and gives the defaults.
typedef struct FlowSettings {
    const char *target;       // "1.3", "2.0", "1.3,2.0"; NULL: the project file's, else 1.3
    const char *config;       // a project file; NULL: .flowc.yaml is looked for upwards
    const char *files;        // folder of namespace files; NULL: the project file's
    const char *start;        // from where the project file is looked for; NULL: the current folder
    bool strict;              // findings about secrets and safety are errors
    bool unknown_types_warn;  // an unknown task type is a warning
} FlowSettings;

// A session, or NULL; then `error` (which may be NULL) says why.
FlowSession *flow_session_new(const FlowSettings *settings, char *error, size_t error_size);
void flow_session_free(FlowSession *session);

// Checks files and folders. Findings add up over calls, in the order of cli.md.
FlowStatus flow_check_paths(FlowSession *session, const char *const *paths, size_t count);
// Checks a text; `name` is what it is called in findings.
FlowStatus flow_check_text(FlowSession *session, const char *name, const char *text, size_t len);
// Compiles a flow. *bytes is the artifact, to be given back with flow_bytes_free(); NULL where the
// flow has errors. `text` may be NULL: then the file `name` is read.
FlowStatus flow_compile(FlowSession *session, const char *name, const char *text, size_t len,
                        uint8_t **bytes, size_t *size);
void flow_bytes_free(uint8_t *bytes);

// The text of the last failure, "" where there was none. Lives until the next call.
const char *flow_session_error(const FlowSession *session);

// Findings, sorted by file and place. A finding lives as long as its session and until the next
// call that adds to them.
size_t flow_finding_count(const FlowSession *session);
const FlowFinding *flow_finding_at(const FlowSession *session, size_t index);
const char *flow_finding_code(const FlowFinding *finding);  // "E0301"
const char *flow_finding_rule(const FlowFinding *finding);  // "unknown-input"
FlowLevel flow_finding_level(const FlowFinding *finding);
const char *flow_finding_message(const FlowFinding *finding);
// File and place: bytes from 0; line and column from 1, columns in code points.
const char *flow_finding_file(const FlowSession *session, const FlowFinding *finding);
void flow_finding_place(const FlowSession *session, const FlowFinding *finding, uint32_t *start,
                        uint32_t *len, uint32_t *line, uint32_t *column);

// All findings in a format of the command line; to be given back with flow_text_free().
char *flow_render(const FlowSession *session, FlowFormat format);
void flow_text_free(char *text);

#endif
