// cache.h - what earlier runs found in files that have not changed since.
//
// A result is kept under a digest of all that it rests on: the bytes and the name of the file, this
// program, options, project file, catalogs, time zones, the tools for scripts, and for a file that
// calls flows, or whose name another one has, the flows that are known. So nothing is ever stale;
// what is damaged, foreign or unreadable counts as not there, and a cache that cannot be written is
// no failure. Results lie in one file for each set of options; concurrent runs add to it in turn.
#ifndef FLOW_SESSION_CACHE_H
#define FLOW_SESSION_CACHE_H

#include "session/session.h"

// Opens the cache of this session's settings; NULL where there is no place for one.
Cache *cache_open(Session *session);
// True: what an earlier run found in the file is among the findings now, counts included. False:
// *key is the name for what will be found. Safe from several threads, each with its own session.
bool cache_take(Session *session, uint32_t file, const FoundFile *found, Hash128 *key);
// Keeps what was found in the files of session->misses.
void cache_keep(Session *session);

#endif
