// tool.c - finds and runs a program. What it reads and writes are files in memory, so that no text
// of a flow lies on a disk and nothing is left behind.
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "embed/internal.h"

enum {
    OUTPUT_MAX = 64 << 20,
    SECONDS_MAX = 60,
    VARIABLES_MAX = 4096,
};

extern char **environ;

const char *tool_find(Arena *arena, const char *name) {
    const char *path = getenv("PATH");
    if (path == NULL) return NULL;
    Str rest = str_from(path);
    Str folder = {0};
    while (str_split(&rest, ':', &folder)) {
        // A relative folder, the empty one included, is whatever the flow's folder holds.
        if (folder.len == 0 || folder.ptr[0] != '/') continue;
        const char *file = str_to_c(arena, path_join(arena, folder, str_from(name)));
        if (access(file, X_OK) == 0 && !path_is_dir(file)) return file;
    }
    return NULL;
}

Err tool_file(Str text, int *out) {
    const int fd = memfd_create("script", MFD_CLOEXEC);
    if (fd < 0) return err_system("cannot make a file in memory");
    Err err = file_write_fd(fd, text);
    if (err.code == ERR_NONE && lseek(fd, 0, SEEK_SET) != 0) err = err_system("cannot rewind");
    if (err.code != ERR_NONE) {
        close(fd);
        return err;
    }
    *out = fd;
    return err;
}

// The environment, but for what changes how a tool reads and what it says.
static char **environment(Arena *arena) {
    static const char *const left_out[] = {"LC_", "LANG", "PYTHON", "SHELLCHECK_"};
    char **out = arena_array(arena, char *, VARIABLES_MAX + 2);
    size_t count = 0;
    for (char **at = environ; *at != NULL && count < VARIABLES_MAX; at++) {
        bool is_out = false;
        for (size_t i = 0; i < COUNT(left_out); i++) {
            is_out = is_out || strncmp(*at, left_out[i], strlen(left_out[i])) == 0;
        }
        if (!is_out) out[count++] = *at;
    }
    out[count++] = (char *)"LC_ALL=C.UTF-8";
    out[count] = NULL;
    return out;
}

static int add_files(posix_spawn_file_actions_t *actions, int input, int output, const int *passed,
                     size_t count) {
    int failed = input < 0 ? posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null",
                                                              O_RDONLY, 0)
                           : posix_spawn_file_actions_adddup2(actions, input, STDIN_FILENO);
    if (failed == 0) failed = posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO);
    if (failed == 0) {
        failed = posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    }
    // Onto itself: the descriptor stays open in the program.
    for (size_t i = 0; i < count && failed == 0; i++) {
        failed = posix_spawn_file_actions_adddup2(actions, passed[i], passed[i]);
    }
    return failed;
}

Err tool_start(const char *const *argv, int input, const int *passed, size_t count, ToolRun *out) {
    *out = (ToolRun){.output = memfd_create("output", MFD_CLOEXEC), .name = argv[0]};
    if (out->output < 0) return err_system("cannot make a file in memory");
    Arena scratch = {0};
    posix_spawn_file_actions_t actions;
    int failed = posix_spawn_file_actions_init(&actions);
    if (failed == 0) {
        failed = add_files(&actions, input, out->output, passed, count);
        if (failed == 0) {
            failed = posix_spawn(&out->pid, argv[0], &actions, NULL, (char *const *)argv,
                                 environment(&scratch));
        }
        posix_spawn_file_actions_destroy(&actions);
    }
    arena_release(&scratch);
    if (failed == 0) return err_none();
    close(out->output);
    return err_make(ERR_SYSTEM, "cannot start '%s': %s", argv[0], strerror(failed));
}

static bool wait_for(pid_t pid, int *status) {
    const struct timespec pause = {.tv_nsec = 2000000};
    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (;;) {
        const pid_t done = waitpid(pid, status, WNOHANG);
        if (done == pid) return true;
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (done < 0 || now.tv_sec - start.tv_sec > SECONDS_MAX) break;
        nanosleep(&pause, NULL);
    }
    kill(pid, SIGKILL);
    waitpid(pid, status, 0);
    return false;
}

Err tool_finish(ToolRun *run, Arena *arena, Str *out) {
    int status = 0;
    Err err = err_none();
    if (!wait_for(run->pid, &status)) {
        err = err_make(ERR_UNAVAILABLE, "'%s' took longer than %d s and was ended", run->name,
                       SECONDS_MAX);
    } else if (!WIFEXITED(status) || WEXITSTATUS(status) > 1) {
        err = err_make(ERR_UNAVAILABLE, "'%s' failed (%s %d)", run->name,
                       WIFEXITED(status) ? "status" : "signal",
                       WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    } else if (lseek(run->output, 0, SEEK_SET) != 0) {
        err = err_system("cannot rewind");
    } else {
        err = file_read_fd(run->output, run->name, OUTPUT_MAX, arena, out);
    }
    close(run->output);
    return err;
}
