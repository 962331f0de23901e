// cache_entry.h - the findings of one file as bytes, and back.
#ifndef FLOW_SESSION_CACHE_ENTRY_H
#define FLOW_SESSION_CACHE_ENTRY_H

#include "session/session.h"

typedef struct EntryFindings {
    LIST_OF(const Diag *) list;
    uint32_t ignored;  // by comments, once all files were read
} EntryFindings;

// The findings of each of session->misses, in the order in which they were found.
const EntryFindings *cache_entry_findings(const Session *session, Arena *arena);
// False where they cannot be kept: one is about no source that a later run will know.
bool cache_entry_write(const Session *session, const CacheMiss *miss, const EntryFindings *findings,
                       Buffer *out);
// Adds the findings of `file` and its counts. False, and nothing is added, where the bytes make no
// sense here; texts are borrowed from them.
bool cache_entry_read(Session *session, uint32_t file, Str bytes);

#endif
