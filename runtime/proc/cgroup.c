// cgroup.c - the last resort: members that signals cannot reach (another user's, by sudo) are moved
// into a control group of ours and killed by the kernel.
//
// Only at the end of a sweep, and only where the group this process is in can be written (root, or
// a delegated subtree). Putting each child into a group of its own from the start would cost up to
// 12 ms a child (the kernel waits for a grace period when a process is moved) and gain nothing
// else: the sweep finds every descendant.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "proc/internal.h"

// Where version 2 of control groups is mounted; empty: nowhere.
static Str find_mount(Arena *arena) {
    Str text = {0};
    Err err = file_read("/proc/self/mounts", 1 << 20, arena, &text);
    if (err.code != ERR_NONE) return (Str){0};
    Str rest = text, line = {0};
    while (str_split(&rest, '\n', &line)) {
        Str fields[3] = {{0}};
        size_t count = 0;
        while (count < 3 && str_split(&line, ' ', &fields[count])) count++;
        if (count == 3 && str_eq(fields[2], STR("cgroup2"))) return fields[1];
    }
    return (Str){0};
}

// The folder of the group this process is in; empty where there is none.
static Str find_own(Arena *arena) {
    Str mount = find_mount(arena), text = {0};
    if (mount.len == 0) return mount;
    Err err = file_read("/proc/self/cgroup", 1 << 16, arena, &text);
    if (err.code != ERR_NONE) return (Str){0};
    Str rest = text, line = {0};
    while (str_split(&rest, '\n', &line)) {
        if (!str_starts_with(line, STR("0::"))) continue;
        return str_concat(arena, mount, str_slice(line, 3, line.len));
    }
    return (Str){0};
}

static bool write_text(int folder, const char *name, const char *text) {
    int fd = openat(folder, name, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return false;
    bool is_written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    return is_written;
}

bool cgroup_kill(const ProcTable *table) {
    Arena arena = {0};
    Str own = find_own(&arena);
    bool is_killed = false;
    if (own.len == 0) goto done;
    Str path = str_printf(&arena, STR_FMT "/flowrun-%d", STR_ARG(own), (int)getpid());
    if (mkdir(path.ptr, 0700) != 0 && errno != EEXIST) goto done;
    int folder = open(path.ptr, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (uint32_t i = 0; folder >= 0 && i < table->count; i++) {
        char pid[16];
        if (!table->items[i].is_member || strchr("ZX", table->items[i].state) != NULL) continue;
        snprintf(pid, sizeof pid, "%d", (int)table->items[i].pid);
        write_text(folder, "cgroup.procs", pid);  // where it is refused, the process is counted
    }
    is_killed = folder >= 0 && write_text(folder, "cgroup.kill", "1");
    if (folder >= 0) close(folder);
    // The folder can go as soon as they are dead; one that stays is used again.
    for (int i = 0; i < 50 && rmdir(path.ptr) != 0 && errno == EBUSY; i++) {
        struct timespec pause = {.tv_nsec = 1000 * 1000};
        nanosleep(&pause, NULL);
    }
done:
    arena_release(&arena);
    return is_killed;
}
