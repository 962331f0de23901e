// replay.c - runs a fuzz target over the files of its corpus, where no fuzzer is built.
//
// usage: TARGET FOLDER. An absent folder is an error: a target without a corpus tests nothing.
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    DIR *dir = opendir(argv[1]);
    if (dir == NULL) {
        fprintf(stderr, "no corpus at %s\n", argv[1]);
        return 1;
    }
    size_t count = 0;
    const struct dirent *entry = NULL;
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.') continue;
        Arena arena = {0};
        Str path = path_join(&arena, str_from(argv[1]), str_from(entry->d_name));
        Str bytes = {0};
        Err err = file_read(path.ptr, 16 << 20, &arena, &bytes);
        if (err.code == ERR_NONE) LLVMFuzzerTestOneInput((const uint8_t *)bytes.ptr, bytes.len);
        arena_release(&arena);
        count++;
    }
    closedir(dir);
    printf("%zu inputs replayed\n", count);
    return count == 0;
}
