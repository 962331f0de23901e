// peak.c - peak resident memory of a command, in KiB, as the kernel accounts it. usage: peak
// COMMAND...
//
// A small parent matters: a process inherits its parent's peak until it has run a program of its
// own, so measuring from an interpreter measures the interpreter.
#include <spawn.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>

extern char **environ;

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    pid_t pid = 0;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", 1, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", 1, 0);
    if (posix_spawnp(&pid, argv[1], &actions, NULL, argv + 1, environ) != 0) return 2;
    int status = 0;
    struct rusage usage;
    if (wait4(pid, &status, 0, &usage) != pid || !WIFEXITED(status)) return 2;
    if (WEXITSTATUS(status) > 1) return 2;  // 1: findings
    printf("%ld\n", usage.ru_maxrss);
    return 0;
}
