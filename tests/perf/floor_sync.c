// floor_sync.c - the floor "sync": fdatasync of 4 KiB on a disk. usage: floor_sync FOLDER COUNT;
// prints the least milliseconds.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

int main(int argc, char **argv) {
    if (argc != 3 || chdir(argv[1]) != 0) return 2;
    int fd = open("floor.bytes", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return 2;
    char page[4096];
    memset(page, 'x', sizeof page);
    double least = 1e9;
    for (int i = 0; i < atoi(argv[2]); i++) {
        double start = now_ms();
        if (write(fd, page, sizeof page) != (ssize_t)sizeof page || fdatasync(fd) != 0) return 2;
        double took = now_ms() - start;
        if (took < least) least = took;
    }
    printf("%.4f\n", least);
    return 0;
}
