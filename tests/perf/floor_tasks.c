// floor_tasks.c - the floor of durable shell tasks: per task mkdir, posix_spawn of `sh -c :` with
// two pipes, wait, rmdir; and one WAL commit of 300 bytes each, and one more. usage: floor_tasks
// FOLDER COUNT [bare]; prints milliseconds. With bare: the spawns alone.
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

extern char **environ;

static double now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void must(int is_right, const char *what) {
    if (is_right) return;
    perror(what);
    exit(2);
}

static void commit(sqlite3 *db, sqlite3_stmt *insert, const char *row) {
    must(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK, "begin");
    sqlite3_bind_text(insert, 1, row, 300, SQLITE_STATIC);
    must(sqlite3_step(insert) == SQLITE_DONE, "insert");
    sqlite3_reset(insert);
    must(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK, "commit");
}

static void drain(int fd) {
    char bytes[4096];
    while (read(fd, bytes, sizeof bytes) > 0) continue;
    close(fd);
}

static void spawn_and_wait(void) {
    int out[2];
    int err[2];
    must(pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0, "pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, err[1], 2);
    char *argv[] = {(char[]){"sh"}, (char[]){"-c"}, (char[]){":"}, NULL};
    pid_t pid = 0;
    must(posix_spawn(&pid, "/bin/sh", &actions, NULL, argv, environ) == 0, "spawn");
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    close(err[1]);
    drain(out[0]);
    drain(err[0]);
    must(waitpid(pid, NULL, 0) == pid, "wait");
}

static void run_task(void) {
    must(mkdir("task", 0700) == 0, "mkdir");
    spawn_and_wait();
    must(rmdir("task") == 0, "rmdir");
}

static void run_bare(int count) {
    double start = now_ms();
    for (int i = 0; i < count; i++) spawn_and_wait();
    printf("%.3f\n", now_ms() - start);
}

int main(int argc, char **argv) {
    if (argc < 3 || argc > 4 || chdir(argv[1]) != 0) return 2;
    int count = atoi(argv[2]);
    if (argc == 4) {
        run_bare(count);
        return 0;
    }
    sqlite3 *db = NULL;
    must(sqlite3_open("floor.db", &db) == SQLITE_OK, "open");
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    const char *setup =
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE IF NOT EXISTS t(x);";
    must(sqlite3_exec(db, setup, NULL, NULL, NULL) == SQLITE_OK, "set up");
    sqlite3_stmt *insert = NULL;
    must(sqlite3_prepare_v2(db, "INSERT INTO t VALUES(?)", -1, &insert, NULL) == SQLITE_OK,
         "prepare");
    char row[300];
    memset(row, 'x', sizeof row);
    double start = now_ms();
    commit(db, insert, row);
    for (int i = 0; i < count; i++) {
        run_task();
        commit(db, insert, row);
    }
    printf("%.3f\n", now_ms() - start);
    sqlite3_finalize(insert);
    sqlite3_close(db);
    return 0;
}
