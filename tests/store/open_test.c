// open_test.c - many processes that open one new state directory at the same moment.
#include "support/test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "store/store.h"

enum { PROCESSES = 8, ROUNDS = 20 };

// Waits for the gate to close, opens, commits once, says how it went.
static int open_once(const char *folder, int gate) {
    char byte = 0;
    if (read(gate, &byte, 1) < 0) return 2;
    Store *store = NULL;
    StoreOptions options = {.folder = folder};
    Err err = store_open(&options, &store);
    if (err.code == ERR_NONE) {
        err = store_begin(store);
        Hash digest = {{0}};
        if (err.code == ERR_NONE) err = store_put_artifact(store, &digest, STR("bytes"));
        if (err.code == ERR_NONE) err = store_commit(store);
        store_close(store);
    }
    if (err.code != ERR_NONE) print_error("%s\n", err.text);
    return err.code != ERR_NONE;
}

static void all_of_them_find_it_open(void **state) {
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        char folder[] = "/tmp/flow-open-XXXXXX";
        assert_non_null(mkdtemp(folder));
        char below[64];
        snprintf(below, sizeof below, "%s/state", folder);
        int gate[2];
        assert_int_equal(pipe(gate), 0);
        pid_t children[PROCESSES];
        for (int i = 0; i < PROCESSES; i++) {
            children[i] = fork();
            if (children[i] != 0) continue;
            close(gate[1]);
            _exit(open_once(below, gate[0]));
        }
        close(gate[0]);
        close(gate[1]);
        int failed = 0;
        for (int i = 0; i < PROCESSES; i++) {
            int status = 0;
            waitpid(children[i], &status, 0);
            failed += status != 0;
        }
        assert_ok(dir_remove(folder));
        assert_int_equal(failed, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_them_find_it_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
