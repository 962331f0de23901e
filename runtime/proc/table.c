// table.c - reads /proc: who is there, whose child, in which session.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "proc/internal.h"

// Reads a small file of /proc; the number of bytes, or -1.
static ssize_t read_small(const char *path, char *out, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    size_t len = 0;
    while (len < size - 1) {
        ssize_t got = read(fd, out + len, size - 1 - len);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        len += (size_t)got;
    }
    close(fd);
    out[len] = '\0';
    return (ssize_t)len;
}

// The fields of stat(5): the name of the program stands in parentheses and may hold any byte, so
// what follows is found from the last closing one.
static bool parse_stat(const char *text, ProcEntry *out) {
    const char *at = strrchr(text, ')');
    if (at == NULL || at[1] != ' ') return false;
    at += 2;
    out->state = *at;
    char *next = NULL;
    at++;
    long long fields[20] = {0};  // from field 4, ppid
    for (size_t i = 0; i < 19; i++) {
        fields[i] = strtoll(at, &next, 10);
        if (next == at) return false;
        at = next;
    }
    out->parent = (pid_t)fields[0];
    out->group = (pid_t)fields[1];
    out->session = (pid_t)fields[2];
    out->start = (uint64_t)fields[18];
    return true;
}

bool table_read(pid_t pid, ProcEntry *out) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    char text[1024];
    *out = (ProcEntry){.pid = pid};
    return read_small(path, text, sizeof text) > 0 && parse_stat(text, out);
}

uint64_t ticks_since_boot(void) {
    struct timespec now = {0};
    clock_gettime(CLOCK_BOOTTIME, &now);
    uint64_t nanoseconds = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    long hertz = sysconf(_SC_CLK_TCK);
    return hertz > 0 ? nanoseconds / (1000000000u / (uint64_t)hertz) : 0;
}

Err table_scan(ProcTable *table) {
    table->count = 0;
    DIR *dir = opendir("/proc");
    if (dir == NULL) return err_system("cannot read '/proc'");
    const struct dirent *entry = NULL;
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
        ProcEntry found = {0};
        if (!table_read((pid_t)strtol(entry->d_name, NULL, 10), &found)) continue;
        if (table->count == table->capacity) {
            table->capacity = arena_next_capacity(table->count);
            table->items = heap_resize(table->items, table->capacity, sizeof *table->items);
        }
        table->items[table->count++] = found;
    }
    closedir(dir);
    return err_none();
}

void table_release(ProcTable *table) {
    heap_free(table->items);
    *table = (ProcTable){0};
}

int entry_signal(const ProcEntry *entry, int signal_number) {
    int fd = pidfd_open(entry->pid, 0);
    if (fd < 0) return errno;
    // The descriptor holds the process; only now is it certain that it is the one that was seen.
    ProcEntry now = {0};
    int status = 0;
    if (!table_read(entry->pid, &now) || now.start != entry->start) {
        status = ESRCH;
    } else if (pidfd_send_signal(fd, signal_number, NULL, 0) != 0) {
        status = errno;
    }
    close(fd);
    return status;
}

bool entry_has_mark(const ProcEntry *entry, const char *mark) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/environ", (int)entry->pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    Buffer environment = {0};
    for (;;) {
        buffer_reserve(&environment, 16384);
        ssize_t got = read(fd, environment.ptr + environment.len, 16384);
        if (got <= 0) break;
        environment.len += (size_t)got;
        if (environment.len > (4 << 20)) break;
    }
    close(fd);
    Str rest = buffer_str(&environment);
    Str item = {0};
    Str name = STR(PROC_MARK_VARIABLE "=");
    bool found = false;
    while (!found && str_split(&rest, '\0', &item)) {
        if (!str_starts_with(item, name)) continue;
        found = mark == NULL || str_eq(str_slice(item, name.len, item.len), str_from(mark));
    }
    buffer_release(&environment);
    return found;
}

size_t children_of_self(pid_t *out, size_t max) {
    char path[80];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    char text[8192];
    ssize_t len = read_small(path, text, sizeof text);
    if (len < 0 || (size_t)len == sizeof text - 1) return SIZE_MAX;
    size_t count = 0;
    char *at = text;
    for (;;) {
        char *next = NULL;
        long pid = strtol(at, &next, 10);
        if (next == at) return count;
        if (count == max) return SIZE_MAX;
        out[count++] = (pid_t)pid;
        at = next;
    }
}

void read_boot_id(char out[37]) {
    char text[64] = "";
    ssize_t len = read_small("/proc/sys/kernel/random/boot_id", text, sizeof text);
    if (len < 36) memset(text, '0', 36);
    memcpy(out, text, 36);
    out[36] = '\0';
}
