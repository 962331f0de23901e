// net_test.c - requests to a real server that the test starts.
#include "support/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "loop/loop.h"
#include "net/net.h"
#include "support/server.h"

typedef struct World {
    Loop *loop;
    Net *net;
    Arena arena;
    TestServer server;
    uint32_t ended;
    NetClass net_class;
    int32_t status;
    Str body, message, url, two;
    int64_t size, retry_after_ms;
    bool was_sent;
    uint32_t header_count;
    uint32_t chunks, chunks_wanted;
} World;

static void on_end(void *self, const NetResult *result) {
    World *world = self;
    world->ended++;
    world->net_class = result->net_class;
    world->status = result->status;
    world->body = str_dup(&world->arena, result->body);
    world->message = str_dup(&world->arena, result->message);
    world->url = str_dup(&world->arena, result->url);
    world->two = str_dup(&world->arena, net_header(result, STR("x-two")));
    world->size = result->size;
    world->retry_after_ms = result->retry_after_ms;
    world->was_sent = result->was_sent;
    world->header_count = result->header_count;
    loop_stop(world->loop);
}

static int group_setup(void **state) {
    World *world = heap_alloc(1, sizeof *world);
    *state = world;
    if (!server_start(&world->server, NULL)) return -1;
    return 0;
}

static int group_teardown(void **state) {
    World *world = *state;
    server_stop(&world->server);
    heap_free(world);
    return 0;
}

static int setup(void **state) {
    World *world = *state;
    TestServer server = world->server;
    *world = (World){.server = server};
    Err err = loop_new(&world->loop);
    if (err.code == ERR_NONE) err = net_new(world->loop, NULL, &world->net);
    return err.code == ERR_NONE ? 0 : -1;
}

static int teardown(void **state) {
    World *world = *state;
    net_free(world->net);
    loop_free(world->loop);
    arena_release(&world->arena);
    return 0;
}

static NetStart start_of(World *world, const char *path) {
    return (NetStart){
        .url = str_printf(&world->arena, "http://127.0.0.1:%d%s", world->server.port, path),
        .save_fd = -1,
        .callbacks = {.ended = on_end, .self = world},
    };
}

static void perform(World *world, const NetStart *start) {
    NetRequest *request = NULL;
    assert_ok(net_start(world->net, start, &request));
    assert_int_equal(world->ended, 0);
    loop_run(world->loop);
    assert_int_equal(world->ended, 1);
    world->ended = 0;
}

static bool body_has(const World *world, const char *text) {
    return str_find(world->body, str_from(text), 0) != STR_NOT_FOUND;
}

static void a_request_brings_status_headers_and_body(void **state) {
    World *world = *state;
    NetStart start = start_of(world, "/echo?a=1");
    perform(world, &start);
    assert_int_equal(world->status, 200);
    assert_int_equal(world->net_class, NET_OK);
    assert_true(body_has(world, "\"method\": \"GET\", \"path\": \"/echo?a=1\""));
    assert_str_equal(world->two, STR("a"));
    assert_true(body_has(world, "flowrun/"));
}

static void methods_bodies_and_headers_go_out_as_given(void **state) {
    World *world = *state;
    static const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE"};
    for (size_t i = 0; i < COUNT(methods); i++) {
        NetPart parts[] = {{.text = STR("{\"a\":")}, {.text = STR("1}")}};
        NetHeader headers[] = {
            {STR("X-Empty"),      STR("")      },
            {STR("Content-Type"), STR("text/x")}
        };
        NetStart start = start_of(world, "/echo");
        start.method = str_from(methods[i]);
        start.headers = headers;
        start.header_count = 2;
        start.parts = parts;
        start.part_count = 2;
        start.has_body = true;
        perform(world, &start);
        assert_true(body_has(world, methods[i]));
        assert_true(body_has(world, "\"body\": \"{\\\"a\\\":1}\""));
        assert_true(body_has(world, "[\"X-Empty\", \"\"]"));
        assert_true(body_has(world, "[\"Content-Type\", \"text/x\"]"));
        assert_true(body_has(world, "[\"Content-Length\", \"7\"]"));
        assert_false(body_has(world, "urlencoded"));
    }
}

static void a_body_may_come_from_a_file(void **state) {
    World *world = *state;
    char path[] = "/tmp/flow-net-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(write(fd, "from a file", 11), 11);
    NetPart parts[] = {
        {.text = STR("<")},
        {.is_file = true,  .fd = fd, .size = 11},
        {.text = STR(">")     }
    };
    NetStart start = start_of(world, "/echo");
    start.method = STR("POST");
    start.parts = parts;
    start.part_count = 3;
    start.has_body = true;
    perform(world, &start);
    close(fd);
    assert_true(body_has(world, "\"body\": \"<from a file>\""));
}

static void statuses_are_classified(void **state) {
    World *world = *state;
    static const struct {
        const char *path;
        NetClass net_class;
        int64_t retry_after_ms;
    } rows[] = {
        {"/status/204",         NET_OK,        -1  },
        {"/status/304",         NET_OK,        -1  },
        {"/status/400",         NET_PERMANENT, -1  },
        {"/status/401",         NET_AUTH,      -1  },
        {"/status/403",         NET_PERMANENT, -1  },
        {"/status/404",         NET_PERMANENT, -1  },
        {"/status/408",         NET_TRANSIENT, -1  },
        {"/status/429?after=7", NET_THROTTLED, 7000},
        {"/status/500",         NET_TRANSIENT, -1  },
        {"/status/503",         NET_TRANSIENT, -1  },
        {"/status/503?after=2", NET_THROTTLED, 2000},
        {"/status/503?after=x", NET_THROTTLED, -1  },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        NetStart start = start_of(world, rows[i].path);
        perform(world, &start);
        assert_int_equal(world->net_class, rows[i].net_class);
        assert_int_equal(world->retry_after_ms, rows[i].retry_after_ms);
    }
}

static void redirects_are_followed_as_far_as_asked(void **state) {
    World *world = *state;
    NetStart start = start_of(world, "/redirect?to=/redirect%3Fto%3D/echo");
    start.follow = 10;
    perform(world, &start);
    assert_int_equal(world->status, 200);
    assert_true(str_ends_with(world->url, STR("/echo")));
    start.follow = 0;
    perform(world, &start);
    assert_int_equal(world->status, 302);
    start.follow = 1;
    perform(world, &start);
    assert_int_equal(world->status, 0);
    assert_int_equal(world->net_class, NET_PERMANENT);
    NetPart part = {.text = STR("again")};
    start = start_of(world, "/redirect?code=307&to=/echo");
    start.follow = 10;
    start.method = STR("POST");
    start.parts = &part;
    start.part_count = 1;
    start.has_body = true;
    perform(world, &start);
    assert_true(body_has(world, "\"method\": \"POST\""));
    assert_true(body_has(world, "\"body\": \"again\""));
}

static void metadata_addresses_are_refused_however_they_are_written(void **state) {
    World *world = *state;
    static const char *const rows[] = {
        "http://169.254.169.254/latest/",
        "http://metadata.google.internal/",
        "http://metadata.google.internal./x",
        "http://2852039166/",
        "http://0xA9FEA9FE/",
        "http://[::ffff:169.254.169.254]/",
        "http://[fd00:ec2::254]/",
        "https://user@169.254.170.2:444/",
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        NetStart start = start_of(world, "/");
        start.url = str_from(rows[i]);
        NetRequest *request = NULL;
        Err err = net_start(world->net, &start, &request);
        assert_int_equal(err.code, ERR_REFUSED);
    }
    NetStart start = start_of(world, "/redirect?to=http://169.254.169.254/latest");
    start.follow = 5;
    perform(world, &start);
    assert_int_equal(world->net_class, NET_PERMANENT);
    assert_str_equal(world->message, STR("a redirect to a metadata address is refused"));
}

static void nonsense_is_refused_before_anything_is_sent(void **state) {
    World *world = *state;
    static const struct {
        const char *method, *url, *header, *value;
    } rows[] = {
        {"GET",    "",                     "a",   "b"     },
        {"GET",    "nothing",              "a:",  "b"     },
        {"GET",    "file:///etc/passwd",   "a",   "b"     },
        {"GET",    "ftp://127.0.0.1/x",    "a",   "b"     },
        {"GET",    "http://127.0.0.1/\nx", "a",   "b"     },
        {"GE T",   "http://127.0.0.1/",    "a",   "b"     },
        {"G\r\nX", "http://127.0.0.1/",    "a",   "b"     },
        {"GET",    "http://127.0.0.1/",    "a b", "b"     },
        {"GET",    "http://127.0.0.1/",    "",    "b"     },
        {"GET",    "http://127.0.0.1/",    "a",   "b\r\nc"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        NetHeader header = {str_from(rows[i].header), str_from(rows[i].value)};
        NetStart start = start_of(world, "/");
        start.url = str_from(rows[i].url);
        start.method = str_from(rows[i].method);
        start.headers = &header;
        start.header_count = 1;
        NetRequest *request = NULL;
        Err err = net_start(world->net, &start, &request);
        assert_int_equal(err.code, ERR_INPUT);
    }
}

static void a_refused_connection_is_transient_and_names_the_host(void **state) {
    World *world = *state;
    NetStart start = start_of(world, "/");
    start.url = STR("http://127.0.0.1:1/?token=hush");
    start.method = STR("POST");
    perform(world, &start);
    assert_int_equal(world->net_class, NET_TRANSIENT);
    assert_false(world->was_sent);
    assert_true(str_starts_with(world->message, STR("'127.0.0.1': ")));
    assert_true(str_find(world->message, STR("hush"), 0) == STR_NOT_FOUND);
}

static void a_lost_answer_is_ambiguous_unless_it_may_be_repeated(void **state) {
    World *world = *state;
    NetStart start = start_of(world, "/drop");
    perform(world, &start);
    assert_int_equal(world->net_class, NET_TRANSIENT);
    start.method = STR("POST");
    start.has_body = true;
    perform(world, &start);
    assert_int_equal(world->net_class, NET_AMBIGUOUS);
    assert_true(world->was_sent);
    start.is_keyed = true;
    perform(world, &start);
    assert_int_equal(world->net_class, NET_TRANSIENT);
}

static void time_limits_hold(void **state) {
    World *world = *state;
    NetStart start = start_of(world, "/slow/30");
    start.total_ms = 200;
    perform(world, &start);
    assert_int_equal(world->status, 0);
    assert_int_equal(world->net_class, NET_TRANSIENT);
    start = start_of(world, "/slow/30");
    start.idle_ms = 1000;
    start.method = STR("POST");
    start.has_body = true;
    perform(world, &start);
    assert_int_equal(world->net_class, NET_AMBIGUOUS);
}

static void memory_is_limited_and_files_are_not(void **state) {
    World *world = *state;
    NetStart start = start_of(world, "/big/30000000");
    perform(world, &start);
    assert_int_equal(world->net_class, NET_PERMANENT);
    assert_str_equal(world->message, STR("the answer has more than 19922944 bytes"));
    char path[] = "/tmp/flow-net-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    start.save_fd = fd;
    perform(world, &start);
    struct stat is = {0};
    fstat(fd, &is);
    close(fd);
    assert_int_equal(world->status, 200);
    assert_int_equal(is.st_size, 30000000);
    assert_int_equal(world->size, 30000000);
}

static bool on_chunk(void *self, Str bytes) {
    World *world = self;
    assert_true(bytes.len > 0);
    return ++world->chunks < world->chunks_wanted;
}

static void a_stream_can_be_left_when_enough_was_seen(void **state) {
    World *world = *state;
    NetStart start = start_of(world, "/chunks/500");
    start.callbacks.chunk = on_chunk;
    world->chunks_wanted = 3;
    perform(world, &start);
    assert_int_equal(world->chunks, 3);
    assert_int_equal(world->status, 200);
    assert_int_equal(world->net_class, NET_OK);
}

static void a_user_and_a_password_are_sent(void **state) {
    World *world = *state;
    NetStart start = start_of(world, "/basic");
    perform(world, &start);
    assert_int_equal(world->net_class, NET_AUTH);
    start.auth = NET_AUTH_BASIC;
    start.username = STR("u");
    start.password = STR("p");
    perform(world, &start);
    assert_str_equal(world->body, STR("in"));
}

static void many_requests_run_at_once(void **state) {
    World *world = *state;
    for (int i = 0; i < 20; i++) {
        NetStart start = start_of(world, "/slow/0.3");
        NetRequest *request = NULL;
        assert_ok(net_start(world->net, &start, &request));
    }
    int64_t begin = loop_now_ms(world->loop);
    while (world->ended < 20) assert_true(loop_run_once(world->loop, 5000) || world->ended == 20);
    assert_true(loop_now_ms(world->loop) - begin < 3000);
}

static void a_cancelled_request_is_silent(void **state) {
    World *world = *state;
    NetStart start = start_of(world, "/slow/30");
    NetRequest *request = NULL;
    assert_ok(net_start(world->net, &start, &request));
    loop_run_once(world->loop, 50);
    loop_run_once(world->loop, 50);
    net_cancel(request);
    loop_run_once(world->loop, 50);
    assert_int_equal(world->ended, 0);
}

static void a_unix_socket_is_reached(void **state) {
    World *world = *state;
    char path[] = "/tmp/flow-net-XXXXXX";
    assert_non_null(mkdtemp(path));
    Str name = str_printf(&world->arena, "%s/socket", path);
    const char *args[] = {"--unix", name.ptr, NULL};
    TestServer server = {0};
    assert_true(server_start(&server, args));
    NetStart start = start_of(world, "/");
    start.url = STR("http://docker/echo");
    start.unix_socket = name;
    perform(world, &start);
    server_stop(&server);
    assert_ok(dir_remove(path));
    assert_true(body_has(world, "[\"Host\", \"docker\"]"));
}

static void certificates_are_verified(void **state) {
    World *world = *state;
    char folder[] = "/tmp/flow-net-XXXXXX";
    assert_non_null(mkdtemp(folder));
    if (!make_certificate(folder, "localhost")) {
        assert_ok(dir_remove(folder));
        print_message("openssl is not installed\n");
        skip();
    }
    Str cert = str_printf(&world->arena, "%s/cert.pem", folder);
    Str key = str_printf(&world->arena, "%s/key.pem", folder);
    const char *args[] = {"--tls", cert.ptr, key.ptr, cert.ptr, NULL};
    TestServer server = {0};
    assert_true(server_start(&server, args));
    Str cert_text = {0}, key_text = {0};
    assert_ok(file_read(cert.ptr, 100000, &world->arena, &cert_text));
    assert_ok(file_read(key.ptr, 100000, &world->arena, &key_text));
    NetStart start = start_of(world, "/");
    start.url = str_printf(&world->arena, "https://127.0.0.1:%d/echo", server.port);
    perform(world, &start);
    assert_int_equal(world->net_class, NET_PERMANENT);
    // The right authority and a client certificate, but the name is another one.
    start.ca = cert_text;
    start.cert = cert_text;
    start.key = key_text;
    perform(world, &start);
    assert_int_equal(world->net_class, NET_PERMANENT);
    start.server_name = STR("localhost");
    perform(world, &start);
    assert_int_equal(world->status, 200);
    start.server_name = STR("");
    start.is_insecure = true;
    start.ca = STR("");
    perform(world, &start);
    assert_int_equal(world->status, 200);
    server_stop(&server);
    assert_ok(dir_remove(folder));
}

static void waits_are_read_from_headers(void **state) {
    (void)state;
    static const struct {
        const char *name, *value;
        int64_t wait;
    } rows[] = {
        {"retry-after",       "3",                             3000        },
        {"retry-after",       "-3",                            0           },
        {"retry-after",       "99999999999999",                24 * 3600000},
        {"retry-after",       "Thu, 01 Jan 1970 00:01:10 GMT", 60000       },
        {"retry-after",       "Thu, 01 Jan 1970 00:00:01 GMT", 0           },
        {"retry-after",       "soon",                          -1          },
        {"retry-after-ms",    "250",                           250         },
        {"x-amz-retry-after", "1500",                          1500        },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        NetHeader header = {str_from(rows[i].name), str_from(rows[i].value)};
        assert_int_equal(net_retry_after(&header, 1, 10000), rows[i].wait);
    }
}

static void most_chance(void *self, void *out, size_t len) {
    (void)self;
    memset(out, 0xFF, len);
}

static void waits_grow_to_a_cap_and_follow_hints(void **state) {
    (void)state;
    Clock clock = {.random = most_chance};
    assert_in_range(net_backoff(&clock, 1, NET_TRANSIENT, -1), 48, 50);
    assert_in_range(net_backoff(&clock, 3, NET_TRANSIENT, -1), 198, 200);
    assert_in_range(net_backoff(&clock, 60, NET_TRANSIENT, -1), 19998, 20000);
    assert_in_range(net_backoff(&clock, 1, NET_THROTTLED, -1), 998, 1000);
    assert_int_equal(net_backoff(&clock, 1, NET_THROTTLED, 30000), 30000);
    assert_int_equal(net_backoff(&clock, 9, NET_THROTTLED, 1000), 6000);
}

static bool seam_start(void *self, const NetStart *start, NetRequest *request) {
    NetRequest **taken = self;
    *taken = request;
    return start->save_fd < 0;
}

static void a_transport_can_be_put_in_its_place(void **state) {
    World *world = *state;
    NetRequest *taken = NULL;
    NetSeam seam = {seam_start, &taken};
    Net *net = NULL;
    assert_ok(net_new(world->loop, &seam, &net));
    NetStart start = start_of(world, "/");
    NetRequest *request = NULL;
    assert_ok(net_start(net, &start, &request));
    NetResult result = {.status = 200, .body = STR("from the seam"), .retry_after_ms = -1};
    assert_ptr_equal(taken, request);
    net_answer(taken, &result);
    assert_int_equal(world->ended, 1);
    assert_str_equal(world->body, STR("from the seam"));
    net_free(net);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_request_brings_status_headers_and_body),
        TEST(methods_bodies_and_headers_go_out_as_given),
        TEST(a_body_may_come_from_a_file),
        TEST(statuses_are_classified),
        TEST(redirects_are_followed_as_far_as_asked),
        TEST(metadata_addresses_are_refused_however_they_are_written),
        TEST(nonsense_is_refused_before_anything_is_sent),
        TEST(a_refused_connection_is_transient_and_names_the_host),
        TEST(a_lost_answer_is_ambiguous_unless_it_may_be_repeated),
        TEST(time_limits_hold),
        TEST(memory_is_limited_and_files_are_not),
        TEST(a_stream_can_be_left_when_enough_was_seen),
        TEST(a_user_and_a_password_are_sent),
        TEST(many_requests_run_at_once),
        TEST(a_cancelled_request_is_silent),
        TEST(a_unix_socket_is_reached),
        TEST(certificates_are_verified),
        TEST(waits_are_read_from_headers),
        TEST(waits_grow_to_a_cap_and_follow_hints),
        TEST(a_transport_can_be_put_in_its_place),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
