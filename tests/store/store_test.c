// store_test.c - what is committed is there, what is not is not, and nobody writes for another.
#include "support/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/file.h"
#include "store/store.h"

typedef struct Fault {
    StorePoint point;
    int countdown;  // 0: never
    int number;
    int seen[4];
} Fault;

typedef struct World {
    char folder[64];
    char state[80];
    Store *store;
    Arena arena;
    Fault fault;
    StoreSeam seam;
    int64_t owner;
    uint32_t visited;
} World;

static int at_point(void *self, StorePoint point, const char *file) {
    (void)file;
    Fault *fault = self;
    fault->seen[point]++;
    if (fault->countdown == 0 || point != fault->point) return 0;
    return --fault->countdown == 0 ? fault->number : 0;
}

static Err open_store(World *world, bool read_only) {
    StoreOptions options = {.folder = world->state, .read_only = read_only, .seam = &world->seam};
    return store_open(&options, &world->store);
}

static int setup(void **state) {
    static World world;
    memset(&world, 0, sizeof world);
    snprintf(world.folder, sizeof world.folder, "/tmp/flow-store-XXXXXX");
    if (mkdtemp(world.folder) == NULL) return 1;
    snprintf(world.state, sizeof world.state, "%s/state", world.folder);
    world.seam = (StoreSeam){at_point, &world.fault};
    *state = &world;
    Err err = crypto_init();
    if (err.code == ERR_NONE) err = open_store(&world, false);
    return err.code != ERR_NONE;
}

static int teardown(void **state) {
    World *world = *state;
    store_close(world->store);
    arena_release(&world->arena);
    Err err = dir_remove(world->folder);
    return err.code != ERR_NONE;
}

static void reopen(World *world) {
    store_close(world->store);
    world->store = NULL;
    assert_ok(open_store(world, false));
}

static StoreExecution execution(Str id) {
    return (StoreExecution){.id = id,
                            .flow_namespace = STR("company.team"),
                            .flow_id = STR("nightly"),
                            .flow_revision = 3,
                            .state = STR("RUNNING"),
                            .created_ms = 1000,
                            .labels = STR("{}")};
}

static void append(World *world, Str id, int64_t seq, Str body) {
    StoreEvent event = {.seq = seq, .time_ms = 100 + seq, .kind = 2, .body = body};
    assert_ok(store_append(world->store, id, world->owner, &event));
}

static void write_one(World *world, Str id) {
    assert_ok(store_claim(world->store, id, &world->owner));
    assert_ok(store_begin(world->store));
    append(world, id, 1, STR("{\"a\":1}"));
    StoreExecution row = execution(id);
    assert_ok(store_put_execution(world->store, world->owner, &row));
    assert_ok(store_commit(world->store));
}

static Err count_event(void *self, const StoreEvent *event) {
    World *world = self;
    world->visited++;
    return event->seq == 99 ? err_make(ERR_CANCELLED, "enough") : err_none();
}

// --- rows ---------------------------------------------------------------------------------------

static void what_was_committed_is_there_after_opening_again(void **state) {
    World *world = *state;
    write_one(world, STR("e1"));
    reopen(world);
    StoreExecution row;
    assert_ok(store_get_execution(world->store, STR("e1"), &world->arena, &row));
    assert_str_equal(row.state, STR("RUNNING"));
    assert_str_equal(row.flow_id, STR("nightly"));
    assert_int_equal(row.flow_revision, 3);
    assert_int_equal(row.last_seq, 1);
    assert_ok(store_events(world->store, STR("e1"), 0, count_event, world));
    assert_int_equal(world->visited, 1);
}

static void what_was_rolled_back_is_not_there(void **state) {
    World *world = *state;
    write_one(world, STR("e1"));
    assert_ok(store_begin(world->store));
    append(world, STR("e1"), 2, STR("{}"));
    store_rollback(world->store);
    assert_ok(store_begin(world->store));
    append(world, STR("e1"), 2, STR("{\"again\":true}"));
    assert_ok(store_commit(world->store));
    assert_ok(store_events(world->store, STR("e1"), 0, count_event, world));
    assert_int_equal(world->visited, 2);
}

static void an_event_out_of_order_is_refused(void **state) {
    World *world = *state;
    write_one(world, STR("e1"));
    assert_ok(store_begin(world->store));
    StoreEvent event = {.seq = 3, .kind = 2, .body = STR("{}")};
    Err err = store_append(world->store, STR("e1"), world->owner, &event);
    assert_int_equal(err.code, ERR_CONFLICT);
    store_rollback(world->store);
}

static void execute(World *world, const char *sql) {
    sqlite3 *db = NULL;
    char path[128];
    snprintf(path, sizeof path, "%s/store.db", world->state);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void a_changed_event_breaks_the_chain(void **state) {
    World *world = *state;
    write_one(world, STR("e1"));
    execute(world, "UPDATE event SET body = '{\"a\":2}'");
    Err err = store_events(world->store, STR("e1"), 0, count_event, world);
    assert_int_equal(err.code, ERR_STORE);
    assert_non_null(strstr(err.text, "event 1"));
}

static void a_removed_event_breaks_the_chain(void **state) {
    World *world = *state;
    write_one(world, STR("e1"));
    assert_ok(store_begin(world->store));
    append(world, STR("e1"), 2, STR("{}"));
    append(world, STR("e1"), 3, STR("{}"));
    assert_ok(store_commit(world->store));
    execute(world, "DELETE FROM event WHERE seq = 2");
    Err err = store_events(world->store, STR("e1"), 0, count_event, world);
    assert_int_equal(err.code, ERR_STORE);
    assert_int_equal(world->visited, 1);
}

static void a_large_body_is_a_file_and_comes_back(void **state) {
    World *world = *state;
    Buffer body = {0};
    buffer_add_repeat(&body, 'x', 100000);
    write_one(world, STR("e1"));
    assert_ok(store_begin(world->store));
    append(world, STR("e1"), 2, buffer_str(&body));
    assert_ok(store_put_snapshot(world->store, STR("e1"), world->owner, 2, buffer_str(&body)));
    assert_ok(store_commit(world->store));
    Str bytes = {0};
    int64_t seq = 0;
    assert_ok(store_get_snapshot(world->store, STR("e1"), &world->arena, &seq, &bytes));
    assert_int_equal(seq, 2);
    assert_true(str_eq(bytes, buffer_str(&body)));
    assert_ok(store_events(world->store, STR("e1"), 1, count_event, world));
    assert_int_equal(world->visited, 1);
    buffer_release(&body);
}

static int count_files(const char *folder) {
    DIR *entries = opendir(folder);
    int count = 0;
    while (entries != NULL && readdir(entries) != NULL) count++;
    if (entries != NULL) closedir(entries);
    return count - 2;
}

static void a_snapshot_takes_the_place_of_the_one_before(void **state) {
    World *world = *state;
    char blobs[160];
    snprintf(blobs, sizeof blobs, "%s/blobs", world->state);
    Buffer body = {0};
    buffer_add_repeat(&body, 'x', 2 << 20);
    write_one(world, STR("e1"));
    for (int i = 0; i < 3; i++) {
        body.ptr[0] = (char)('a' + i);
        assert_ok(store_begin(world->store));
        assert_ok(store_put_snapshot(world->store, STR("e1"), world->owner, 1, buffer_str(&body)));
        if (i == 1) {
            store_rollback(world->store);
        } else {
            assert_ok(store_commit(world->store));
        }
    }
    Str bytes = {0};
    int64_t seq = 0;
    assert_ok(store_get_snapshot(world->store, STR("e1"), &world->arena, &seq, &bytes));
    assert_true(str_eq(bytes, buffer_str(&body)));
    assert_int_equal(count_files(blobs), 2);  // and what was rolled back, which nobody names
    buffer_release(&body);
}

static void a_page_comes_back_and_goes_with_its_execution(void **state) {
    World *world = *state;
    write_one(world, STR("e1"));
    assert_ok(store_begin(world->store));
    assert_ok(store_put_page(world->store, STR("e1"), world->owner, 0, 7, STR("old")));
    assert_ok(store_put_page(world->store, STR("e1"), world->owner, 0, 7, STR("seven")));
    assert_ok(store_commit(world->store));
    Str bytes = {0};
    assert_ok(store_get_page(world->store, STR("e1"), 0, 7, &world->arena, &bytes));
    assert_str_equal(bytes, STR("seven"));
    Err err = store_get_page(world->store, STR("e1"), 1, 7, &world->arena, &bytes);
    assert_int_equal(err.code, ERR_STORE);
    store_release(world->store, STR("e1"), world->owner);
    assert_ok(store_delete_execution(world->store, STR("e1")));
    err = store_get_page(world->store, STR("e1"), 0, 7, &world->arena, &bytes);
    assert_int_equal(err.code, ERR_STORE);
}

static void deleting_an_execution_removes_its_blobs(void **state) {
    World *world = *state;
    a_large_body_is_a_file_and_comes_back(state);
    store_release(world->store, STR("e1"), world->owner);
    char command[160];
    snprintf(command, sizeof command, "%s/blobs", world->state);
    assert_ok(store_delete_execution(world->store, STR("e1")));
    assert_int_equal(rmdir(command), 0);  // empty
    StoreExecution row;
    Err err = store_get_execution(world->store, STR("e1"), &world->arena, &row);
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void a_prefix_finds_the_only_execution_it_fits(void **state) {
    World *world = *state;
    static const struct {
        const char *prefix;
        ErrCode code;
        const char *id;
    } rows[] = {
        {"abc1", ERR_NONE,      "abc1" },
        {"abc2", ERR_NONE,      "abc22"},
        {"abc",  ERR_INPUT,     ""     },
        {"x",    ERR_NOT_FOUND, ""     },
    };
    write_one(world, STR("abc1"));
    write_one(world, STR("abc11"));
    write_one(world, STR("abc22"));
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        Str id = {0};
        Err err = store_find_execution(world->store, str_from(rows[i].prefix), &world->arena, &id);
        assert_int_equal(err.code, rows[i].code);
        if (err.code == ERR_NONE) assert_str_equal(id, str_from(rows[i].id));
    }
}

static void the_newest_execution_is_listed_first(void **state) {
    World *world = *state;
    StoreExecution *rows = NULL;
    uint32_t count = 0;
    write_one(world, STR("old"));
    assert_ok(store_claim(world->store, STR("new"), &world->owner));
    assert_ok(store_begin(world->store));
    StoreExecution row = execution(STR("new"));
    row.created_ms = 2000;
    row.parent = STR("old");
    assert_ok(store_put_execution(world->store, world->owner, &row));
    assert_ok(store_commit(world->store));
    assert_ok(store_list(world->store, &(StoreFilter){0}, &world->arena, &rows, &count));
    assert_int_equal(count, 2);
    assert_str_equal(rows[0].id, STR("new"));
    assert_ok(store_list(world->store, &(StoreFilter){.parent = STR("old")}, &world->arena, &rows,
                         &count));
    assert_int_equal(count, 1);
}

static void the_same_artifact_keeps_its_revision(void **state) {
    World *world = *state;
    Hash one = hash_bytes(STR("one"));
    Hash two = hash_bytes(STR("two"));
    Hash found;
    int64_t revision = 0;
    assert_ok(store_put_flow(world->store, STR("n"), STR("f"), &one, &revision));
    assert_int_equal(revision, 1);
    assert_ok(store_put_flow(world->store, STR("n"), STR("f"), &one, &revision));
    assert_int_equal(revision, 1);
    assert_ok(store_put_flow(world->store, STR("n"), STR("f"), &two, &revision));
    assert_int_equal(revision, 2);
    assert_ok(store_get_flow(world->store, STR("n"), STR("f"), 1, &found, &revision));
    assert_true(hash_eq(&found, &one));
    assert_ok(store_get_flow(world->store, STR("n"), STR("f"), 0, &found, &revision));
    assert_true(hash_eq(&found, &two));
    Str bytes = {0};
    assert_ok(store_put_artifact(world->store, &one, STR("bytes")));
    assert_ok(store_put_artifact(world->store, &one, STR("bytes")));
    assert_ok(store_get_artifact(world->store, &one, &world->arena, &bytes));
    assert_str_equal(bytes, STR("bytes"));
}

static void commands_wait_until_they_are_dropped(void **state) {
    World *world = *state;
    StoreCommand *rows = NULL;
    uint32_t count = 0;
    assert_ok(store_send_command(world->store, STR("e1"), STR("kill"), STR("{}"), NULL));
    assert_ok(store_send_command(world->store, STR("e2"), STR("pause"), STR("{}"), NULL));
    assert_ok(store_take_commands(world->store, STR("e1"), 0, &world->arena, &rows, &count));
    assert_int_equal(count, 1);
    assert_str_equal(rows[0].name, STR("kill"));
    assert_ok(store_drop_commands(world->store, STR("e1"), rows[0].number));
    assert_ok(store_take_commands(world->store, STR("e1"), 0, &world->arena, &rows, &count));
    assert_int_equal(count, 0);
}

static void a_change_by_another_connection_shows(void **state) {
    World *world = *state;
    write_one(world, STR("e1"));
    assert_true(store_has_changed(world->store));
    assert_false(store_has_changed(world->store));
    write_one(world, STR("e2"));
    assert_false(store_has_changed(world->store));  // our own
    execute(world, "INSERT INTO command VALUES(1, 'e1', 'kill', '{}', 0)");
    assert_true(store_has_changed(world->store));
}

static void a_key_has_a_value_until_it_expires(void **state) {
    World *world = *state;
    Value value = {0};
    bool deleted = false;
    assert_ok(store_kv_set(world->store, STR("n"), STR("k"), value_int(7), 0, true));
    Err err = store_kv_set(world->store, STR("n"), STR("k"), value_int(8), 0, false);
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_ok(store_kv_get(world->store, STR("n"), STR("k"), &world->arena, &value));
    assert_int_equal(value.as.integer, 7);
    assert_ok(store_kv_set(world->store, STR("n"), STR("k"), value_int(8), 5, true));
    err = store_kv_get(world->store, STR("n"), STR("k"), &world->arena, &value);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_ok(store_kv_set(world->store, STR("n"), STR("k"), value_int(9), 0, false));
    assert_ok(store_kv_keys(world->store, STR("n"), STR(""), &world->arena, &value));
    assert_int_equal(value.as.list->count, 1);
    assert_ok(store_kv_delete(world->store, STR("n"), STR("k"), &deleted));
    assert_true(deleted);
    assert_ok(store_kv_delete(world->store, STR("n"), STR("k"), &deleted));
    assert_false(deleted);
}

// --- owners -------------------------------------------------------------------------------------

static void a_claimed_execution_cannot_be_claimed_again(void **state) {
    World *world = *state;
    int64_t second = 0;
    write_one(world, STR("e1"));
    assert_true(store_is_owned(world->store, STR("e1")));
    Err err = store_claim(world->store, STR("e1"), &second);
    assert_int_equal(err.code, ERR_CONFLICT);
    store_release(world->store, STR("e1"), world->owner);
    assert_false(store_is_owned(world->store, STR("e1")));
    assert_ok(store_claim(world->store, STR("e1"), &second));
    assert_int_equal(second, world->owner + 1);
}

static void a_stale_owner_cannot_write(void **state) {
    World *world = *state;
    write_one(world, STR("e1"));
    execute(world, "UPDATE owner SET number = number + 1");
    assert_ok(store_begin(world->store));
    StoreEvent event = {.seq = 2, .kind = 2, .body = STR("{}")};
    Err err = store_append(world->store, STR("e1"), world->owner, &event);
    assert_int_equal(err.code, ERR_CONFLICT);
    store_rollback(world->store);
}

static void the_owner_of_a_dead_process_is_gone(void **state) {
    World *world = *state;
    store_close(world->store);
    world->store = NULL;
    pid_t child = fork();
    if (child == 0) {
        if (open_store(world, false).code != ERR_NONE) _exit(1);
        if (store_claim(world->store, STR("e1"), &world->owner).code != ERR_NONE) _exit(1);
        raise(SIGKILL);
    }
    int status = 0;
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status));
    assert_ok(open_store(world, false));
    assert_false(store_is_owned(world->store, STR("e1")));
    assert_ok(store_claim(world->store, STR("e1"), &world->owner));
}

static void an_id_with_a_slash_is_refused(void **state) {
    World *world = *state;
    Err err = store_claim(world->store, STR("../e1"), &world->owner);
    assert_int_equal(err.code, ERR_USAGE);
    err = store_claim(world->store, STR(".."), &world->owner);
    assert_int_equal(err.code, ERR_USAGE);
}

// --- durability ---------------------------------------------------------------------------------

static void a_commit_costs_one_sync(void **state) {
    World *world = *state;
    write_one(world, STR("e0"));
    reopen(world);
    uint64_t before = store_sync_count(world->store);
    assert_int_equal(before, 0);
    write_one(world, STR("e1"));
    assert_int_equal(store_sync_count(world->store), 1);
    for (int64_t seq = 2; seq < 12; seq++) {
        assert_ok(store_begin(world->store));
        append(world, STR("e1"), seq, STR("{}"));
        assert_ok(store_commit(world->store));
    }
    assert_int_equal(store_sync_count(world->store), 11);
}

static void a_failed_sync_fails_the_commit_and_stops_the_store(void **state) {
    World *world = *state;
    write_one(world, STR("e1"));
    world->fault = (Fault){.point = STORE_BEFORE_SYNC, .countdown = 1, .number = EIO};
    assert_ok(store_begin(world->store));
    append(world, STR("e1"), 2, STR("{}"));
    Err err = store_commit(world->store);
    assert_int_equal(err.code, ERR_STORE);
    err = store_begin(world->store);
    assert_int_equal(err.code, ERR_STORE);
    reopen(world);
    assert_ok(store_claim(world->store, STR("e1"), &world->owner));
}

static void a_failed_commit_leaves_nothing(void **state) {
    World *world = *state;
    write_one(world, STR("e1"));
    world->fault = (Fault){.point = STORE_BEFORE_COMMIT, .countdown = 1, .number = ENOSPC};
    assert_ok(store_begin(world->store));
    append(world, STR("e1"), 2, STR("{}"));
    Err err = store_commit(world->store);
    assert_int_equal(err.code, ERR_STORE);
    assert_non_null(strstr(err.text, "full"));
    assert_ok(store_events(world->store, STR("e1"), 0, count_event, world));
    assert_int_equal(world->visited, 1);
}

static void a_full_disk_is_told_and_loses_nothing(void **state) {
    World *world = *state;
    char folder[160];
    snprintf(folder, sizeof folder, "%s/small", world->folder);
    mkdir(folder, 0700);
    if (mount("none", folder, "tmpfs", 0, "size=400k") != 0) {
        print_message("skipped: no permission to mount a small disk\n");
        return;
    }
    store_close(world->store);
    world->store = NULL;
    char state_folder[200];
    snprintf(state_folder, sizeof state_folder, "%s/state", folder);
    StoreOptions options = {.folder = state_folder};
    Err err = store_open(&options, &world->store);
    int64_t seq = 0;
    Buffer body = {0};
    buffer_add_repeat(&body, 'y', 9000);
    if (err.code == ERR_NONE) err = store_claim(world->store, STR("e1"), &world->owner);
    while (err.code == ERR_NONE && seq < 200) {
        StoreEvent event = {.seq = seq + 1, .kind = 2, .body = buffer_str(&body)};
        err = store_begin(world->store);
        if (err.code != ERR_NONE) break;
        err = store_append(world->store, STR("e1"), world->owner, &event);
        if (err.code == ERR_NONE) {
            err = store_commit(world->store);
        } else {
            store_rollback(world->store);
        }
        if (err.code == ERR_NONE) seq++;
    }
    buffer_release(&body);
    Err read = world->store == NULL ? err_none()
                                    : store_events(world->store, STR("e1"), 0, count_event, world);
    store_close(world->store);
    world->store = NULL;
    umount2(folder, MNT_DETACH);
    assert_int_equal(err.code, ERR_STORE);
    assert_non_null(strstr(err.text, "is full"));
    assert_ok(read);
    assert_true(seq > 0);
    assert_int_equal(world->visited, seq);
}

// --- opening ------------------------------------------------------------------------------------

static void a_newer_schema_is_refused_with_the_version_it_needs(void **state) {
    World *world = *state;
    store_close(world->store);
    world->store = NULL;
    execute(world, "UPDATE meta SET value = '9.9.9' WHERE key = 'needs'; PRAGMA user_version = 99");
    Err err = open_store(world, false);
    assert_int_equal(err.code, ERR_REFUSED);
    assert_non_null(strstr(err.text, "9.9.9"));
}

static void the_state_directory_is_for_its_owner_only(void **state) {
    World *world = *state;
    struct stat status;
    assert_int_equal(stat(world->state, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    char path[128];
    snprintf(path, sizeof path, "%s/store.db", world->state);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void a_folder_of_others_is_not_taken(void **state) {
    World *world = *state;
    char path[160];
    snprintf(path, sizeof path, "%s/used", world->folder);
    mkdir(path, 0755);
    chmod(path, 0755);
    char file[200];
    snprintf(file, sizeof file, "%s/letter", path);
    assert_ok(file_write(file, STR("hello"), 0600));
    StoreOptions options = {.folder = path};
    Store *store = NULL;
    Err err = store_open(&options, &store);
    assert_int_equal(err.code, ERR_REFUSED);
    assert_null(store);
}

static void reading_a_store_that_is_not_there_makes_none(void **state) {
    World *world = *state;
    char path[160];
    snprintf(path, sizeof path, "%s/nothing", world->folder);
    StoreOptions options = {.folder = path, .read_only = true};
    Store *store = NULL;
    Err err = store_open(&options, &store);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_false(path_exists(path));
}

static void a_file_that_is_no_database_is_told(void **state) {
    World *world = *state;
    store_close(world->store);
    world->store = NULL;
    char path[128];
    snprintf(path, sizeof path, "%s/store.db", world->state);
    assert_ok(file_write(path,
                         STR("this is not a database, but it is long enough to be read as "
                             "one: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
                         0600));
    char log[128];
    snprintf(log, sizeof log, "%s/store.db-wal", world->state);
    unlink(log);  // it would heal the database
    Err err = open_store(world, false);
    assert_int_equal(err.code, ERR_STORE);
    assert_non_null(strstr(err.text, "damaged"));
}

static void an_ephemeral_store_writes_no_database(void **state) {
    World *world = *state;
    store_close(world->store);
    char path[160];
    snprintf(path, sizeof path, "%s/ephemeral", world->folder);
    StoreOptions options = {.folder = path, .is_ephemeral = true};
    assert_ok(store_open(&options, &world->store));
    write_one(world, STR("e1"));
    assert_int_equal(store_sync_count(world->store), 0);
    char file[200];
    snprintf(file, sizeof file, "%s/store.db", path);
    assert_false(path_exists(file));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_was_committed_is_there_after_opening_again),
        TEST(what_was_rolled_back_is_not_there),
        TEST(an_event_out_of_order_is_refused),
        TEST(a_changed_event_breaks_the_chain),
        TEST(a_removed_event_breaks_the_chain),
        TEST(a_large_body_is_a_file_and_comes_back),
        TEST(a_snapshot_takes_the_place_of_the_one_before),
        TEST(a_page_comes_back_and_goes_with_its_execution),
        TEST(deleting_an_execution_removes_its_blobs),
        TEST(a_prefix_finds_the_only_execution_it_fits),
        TEST(the_newest_execution_is_listed_first),
        TEST(the_same_artifact_keeps_its_revision),
        TEST(commands_wait_until_they_are_dropped),
        TEST(a_change_by_another_connection_shows),
        TEST(a_key_has_a_value_until_it_expires),
        TEST(a_claimed_execution_cannot_be_claimed_again),
        TEST(a_stale_owner_cannot_write),
        TEST(the_owner_of_a_dead_process_is_gone),
        TEST(an_id_with_a_slash_is_refused),
        TEST(a_commit_costs_one_sync),
        TEST(a_failed_sync_fails_the_commit_and_stops_the_store),
        TEST(a_failed_commit_leaves_nothing),
        TEST(a_full_disk_is_told_and_loses_nothing),
        TEST(a_newer_schema_is_refused_with_the_version_it_needs),
        TEST(the_state_directory_is_for_its_owner_only),
        TEST(a_folder_of_others_is_not_taken),
        TEST(reading_a_store_that_is_not_there_makes_none),
        TEST(a_file_that_is_no_database_is_told),
        TEST(an_ephemeral_store_writes_no_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
