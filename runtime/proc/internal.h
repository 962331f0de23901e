// internal.h - the process table as proc sees it, and the group of one child.
#ifndef FLOW_PROC_INTERNAL_H
#define FLOW_PROC_INTERNAL_H

#include "base/attributes.h"
#include "proc/proc.h"

typedef struct ProcEntry {
    pid_t pid, parent, group, session;
    uint64_t start;
    char state;  // R S D T Z …
    bool is_member;
} ProcEntry;

typedef struct ProcTable {
    ProcEntry *items;
    uint32_t count, capacity;
} ProcTable;

// All processes this one may see. The table is reused; release it.
MUST_CHECK Err table_scan(ProcTable *table);
void table_release(ProcTable *table);
// One process; false where it is gone.
bool table_read(pid_t pid, ProcEntry *out);
// Now, in the unit of ProcIdentity.start.
uint64_t ticks_since_boot(void);
// Signals the process only if it still is the one that was seen. 0 or an errno.
int entry_signal(const ProcEntry *entry, int signal_number);
// True where the environment of the process has the mark. `mark` NULL: any mark.
bool entry_has_mark(const ProcEntry *entry, const char *mark);
// Direct children of this process, at most `max`; SIZE_MAX where the kernel cannot tell.
size_t children_of_self(pid_t *out, size_t max);
void read_boot_id(char out[37]);

// Processes seen as members stay members after their parent has gone.
typedef struct ProcKnown {
    pid_t pid;
    uint64_t start;
} ProcKnown;

typedef struct ProcGroup {
    ProcIdentity identity;
    ProcKnown *known;
    uint32_t known_count, known_capacity;
    // Says whether an orphan (a child of ours with a session of its own and no mark) is of this
    // group. NULL: none is.
    bool (*owns_orphan)(void *self, const ProcEntry *entry);
    void *self;
} ProcGroup;

void group_release(ProcGroup *group);
// Scans and marks the members; returns how many are alive (zombies do not count).
uint32_t group_scan(ProcGroup *group, ProcTable *table);
// TERM and CONT to every member.
void group_terminate(ProcGroup *group, ProcTable *table);
// Stops every member until a scan finds no new one, so that none can fork away, then kills all.
// Returns how many were alive.
uint32_t group_kill(ProcGroup *group, ProcTable *table);
// Kills the members of a scan by a control group. False where none can be written.
bool cgroup_kill(const ProcTable *table);
// Reaps the members that are zombies and children of this process, but for `except`.
void group_reap(const ProcTable *table, pid_t except);

// --- keepers (keeper.c, kept.c) -----------------------------------------------------------------

#define KEEP_CLAIM    "claim"
#define KEEP_PROCESS  "process"
#define KEEP_OUTPUT   "output"
#define KEEP_END      "end"
#define KEEP_GIVEN_UP "given up"  // a claim that no child will begin

enum { KEEP_FRAME_HEAD = 5 };

// Makes the claim `text`, durably; *is_ours is false where there is one.
MUST_CHECK Err keep_claim(int folder, Str text, bool *is_ours);
// In the copy: does not return.
NO_RETURN void keeper_run(const KeepStart *start, ProcSpared *spared, int folder);

MUST_CHECK Err proc_spared_new(ProcSpared **out);
// False where there is no room. NULL: nobody sweeps, which is true.
bool spared_add(ProcSpared *spared, pid_t pid, uint64_t start);
void spared_remove(ProcSpared *spared, pid_t pid);
bool spared_has(const ProcSpared *spared, const ProcEntry *entry);

Loop *procs_loop(const Procs *procs);
char *procs_scratch(const Procs *procs);  // PROC_READ_BYTES
ProcSpared *procs_spared(const Procs *procs);
// A keeper is a child of ours and no child's orphan.
void procs_spare(Procs *procs, pid_t pid);
void procs_unspare(Procs *procs, pid_t pid);

enum { PROC_READ_BYTES = 64 << 10 };

#endif
