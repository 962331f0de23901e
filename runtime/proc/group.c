// group.c - everything that descends from one child: finding it, ending it.
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proc/internal.h"

enum {
    FREEZE_ROUNDS = 50,
    LOOKS_FOR_MARK = 4,
};

void group_release(ProcGroup *group) {
    heap_free(group->known);
    group->known = NULL;
    group->known_count = group->known_capacity = 0;
}

static bool is_known(const ProcGroup *group, const ProcEntry *entry) {
    for (uint32_t i = 0; i < group->known_count; i++) {
        const ProcKnown *known = &group->known[i];
        if (known->pid == entry->pid && known->start == entry->start) return true;
    }
    return false;
}

static void know(ProcGroup *group, const ProcEntry *entry) {
    if (is_known(group, entry)) return;
    if (group->known_count == group->known_capacity) {
        group->known_capacity = arena_next_capacity(group->known_count);
        group->known = heap_resize(group->known, group->known_capacity, sizeof *group->known);
    }
    group->known[group->known_count++] = (ProcKnown){entry->pid, entry->start};
}

static bool is_root_member(ProcGroup *group, const ProcEntry *entry) {
    const ProcIdentity *identity = &group->identity;
    if (entry->start < identity->start) return false;
    if (entry->session == identity->pid || entry->group == identity->pid) return true;
    if (is_known(group, entry)) return true;
    // Orphans of this process's children are its own; those that share its session are not from a
    // child of ours.
    if (entry->parent != getpid() || entry->session == getsid(0)) return false;
    if (identity->mark[0] != '\0' && entry_has_mark(entry, identity->mark)) return true;
    return group->owns_orphan != NULL && group->owns_orphan(group->self, entry);
}

static const ProcEntry *table_find(const ProcTable *table, pid_t pid) {
    for (uint32_t i = 0; i < table->count; i++) {
        if (table->items[i].pid == pid) return &table->items[i];
    }
    return NULL;
}

uint32_t group_scan(ProcGroup *group, ProcTable *table) {
    Err err = table_scan(table);
    if (err.code != ERR_NONE) return 0;
    pid_t self = getpid();
    for (uint32_t i = 0; i < table->count; i++) {
        ProcEntry *entry = &table->items[i];
        entry->is_member = entry->pid != self && is_root_member(group, entry);
    }
    for (bool grew = true; grew;) {
        grew = false;
        for (uint32_t i = 0; i < table->count; i++) {
            ProcEntry *entry = &table->items[i];
            if (entry->is_member || entry->pid == self || entry->parent == self) continue;
            const ProcEntry *parent = table_find(table, entry->parent);
            if (parent == NULL || !parent->is_member) continue;
            entry->is_member = grew = true;
        }
    }
    uint32_t alive = 0;
    for (uint32_t i = 0; i < table->count; i++) {
        ProcEntry *entry = &table->items[i];
        if (!entry->is_member) continue;
        know(group, entry);
        if (entry->state != 'Z' && entry->state != 'X') alive++;
    }
    return alive;
}

void group_terminate(ProcGroup *group, ProcTable *table) {
    group_scan(group, table);
    for (uint32_t i = 0; i < table->count; i++) {
        const ProcEntry *entry = &table->items[i];
        if (!entry->is_member) continue;
        entry_signal(entry, SIGTERM);
        entry_signal(entry, SIGCONT);  // a stopped process would never see it
    }
}

uint32_t group_kill(ProcGroup *group, ProcTable *table) {
    uint32_t alive = 0;
    for (int round = 0; round < FREEZE_ROUNDS; round++) {
        alive = group_scan(group, table);
        bool is_new = false;
        for (uint32_t i = 0; i < table->count; i++) {
            const ProcEntry *entry = &table->items[i];
            if (!entry->is_member || strchr("ZXTt", entry->state) != NULL) continue;
            if (entry_signal(entry, SIGSTOP) == 0) is_new = true;
        }
        if (!is_new) break;
    }
    bool is_refused = false;
    for (uint32_t i = 0; i < table->count; i++) {
        if (!table->items[i].is_member) continue;
        if (entry_signal(&table->items[i], SIGKILL) == EPERM) is_refused = true;
    }
    if (is_refused) cgroup_kill(table);
    return alive;
}

void group_reap(const ProcTable *table, pid_t except) {
    pid_t self = getpid();
    for (uint32_t i = 0; i < table->count; i++) {
        const ProcEntry *entry = &table->items[i];
        if (!entry->is_member || entry->parent != self || entry->pid == except) continue;
        siginfo_t ended = {0};
        waitid(P_PID, (id_t)entry->pid, &ended, WEXITED | WNOHANG);
    }
}

// --- identity -----------------------------------------------------------------------------------

void proc_identity_print(const ProcIdentity *identity, Buffer *out) {
    buffer_printf(out, "%d %llu %s %s", (int)identity->pid, (unsigned long long)identity->start,
                  identity->boot, identity->mark);
}

Err proc_identity_parse(Str text, ProcIdentity *out) {
    Str parts[4] = {{0}};
    Str rest = text;
    for (size_t i = 0; i < COUNT(parts); i++) {
        if (!str_split(&rest, ' ', &parts[i])) {
            return err_make(ERR_INPUT, "'" STR_FMT "' names no process", STR_ARG(text));
        }
    }
    int64_t pid = 0, start = 0;
    if (!str_to_int(parts[0], &pid) || pid <= 1 || pid > INT32_MAX ||
        !str_to_int(parts[1], &start) || parts[2].len != 36 || parts[3].len >= PROC_MARK_SIZE) {
        return err_make(ERR_INPUT, "'" STR_FMT "' names no process", STR_ARG(text));
    }
    *out = (ProcIdentity){.pid = (pid_t)pid, .start = (uint64_t)start};
    memcpy(out->boot, parts[2].ptr, 36);
    memcpy(out->mark, parts[3].ptr, parts[3].len);
    return err_none();
}

// Everything with the mark counts, whoever its parent is now: after a crash orphans are init's or
// some other subreaper's.
static void mark_members_by_mark(ProcGroup *group, ProcTable *table) {
    for (uint32_t i = 0; i < table->count; i++) {
        ProcEntry *entry = &table->items[i];
        if (entry->is_member || entry->pid == getpid()) continue;
        if (entry->start < group->identity.start) continue;
        if (entry_has_mark(entry, group->identity.mark)) know(group, entry);
    }
}

Err proc_kill_left_over(const ProcIdentity *identity, uint32_t *killed) {
    char boot[37];
    read_boot_id(boot);
    if (killed != NULL) *killed = 0;
    if (strcmp(boot, identity->boot) != 0) return err_none();
    ProcGroup group = {.identity = *identity};
    ProcEntry leader = {0};
    if (table_read(identity->pid, &leader) && leader.start != identity->start) {
        group.identity.pid = -1;  // the number is somebody else's now; the mark still counts
    }
    ProcTable table = {0};
    Err err = table_scan(&table);
    uint32_t alive = 0;
    for (int round = 0; err.code == ERR_NONE && round < 500; round++) {
        if (round > 0 && identity->pid <= 0) err = table_scan(&table);
        if (identity->mark[0] != '\0') mark_members_by_mark(&group, &table);
        alive = group_kill(&group, &table);
        group_reap(&table, 0);
        if (killed != NULL && *killed < group.known_count) *killed = group.known_count;
        if (alive == 0 && (identity->pid > 0 || round >= LOOKS_FOR_MARK)) break;
        struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
        nanosleep(&pause, NULL);
    }
    if (err.code == ERR_NONE && alive > 0) {
        err = err_make(ERR_SYSTEM, "%u left-over processes of session %d could not be ended", alive,
                       (int)identity->pid);
    }
    table_release(&table);
    group_release(&group);
    return err;
}
