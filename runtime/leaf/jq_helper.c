// jq_helper.c - the side of the helper: a process that runs jq programs and can do nothing else.
//
// main() of a program that offers it begins with jq_helper_asked(). libjq is opened here and
// nowhere else; its prototypes are written down here, so that its headers are not needed. Limits
// come before the first question: no file can be opened, none written, no process started, memory
// and CPU time end the process. What libjq does then, aborting included, is the helper's end and
// an error of one expression.
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "leaf/jq_program.h"
#include "leaf/leaf.h"

enum { PROGRAMS_KEPT = 8, MESSAGE_MAX = 400 };

typedef struct Jv {  // 16 bytes by value in every release with this soname
    unsigned char kind, pad;
    unsigned short offset;
    int size;
    union {
        void *pointer;
        double number;
    } as;
} Jv;

enum { JV_INVALID = 0, JV_STRING = 5 };

typedef struct JqState JqState;

typedef struct Library {
    JqState *(*init)(void);
    void (*teardown)(JqState **);
    void (*set_error_cb)(JqState *, void (*)(void *, Jv), void *);
    void (*set_nomem_handler)(JqState *, void (*)(void *), void *);
    int (*compile)(JqState *, const char *);
    void (*start)(JqState *, Jv, int);
    Jv (*next)(JqState *);
    Jv (*parse)(const char *, int);
    Jv (*dump)(Jv, int);
    const char *(*text)(Jv);
    int (*text_size)(Jv);
    int (*kind)(Jv);
    Jv (*copy)(Jv);
    void (*release)(Jv);
    int (*has_message)(Jv);
    Jv (*message)(Jv);
} Library;

typedef struct Program {
    JqState *state;  // NULL: free
    Str text;
    Buffer message;  // of its compiler
    bool is_valid;
    uint64_t used;  // of the question that asked last
} Program;

typedef struct Helper {
    Library jq;
    bool has_library;
    Program programs[PROGRAMS_KEPT];
    uint64_t questions;
    int64_t started_ns;
} Helper;

static int64_t cpu_now(void) {
    struct timespec now;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) != 0) return 0;
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// --- limits -------------------------------------------------------------------------------------

// A build with the address sanitizer maps terabytes that it never touches.
static bool is_sanitized(void) {
    return dlsym(RTLD_DEFAULT, "__asan_init") != NULL;
}

// A helper that cannot be limited does not run.
static bool close_doors(void) {
    // A sanitizer's handlers would turn the end by a signal, which says what was exceeded, into a
    // status.
    (void)signal(SIGSEGV, SIG_DFL);
    (void)signal(SIGBUS, SIG_DFL);
    (void)signal(SIGABRT, SIG_DFL);
    const struct rlimit nothing = {0, 0}, files = {JQ_SOCKET + 1, JQ_SOCKET + 1};
    const struct rlimit memory = {JQ_MEMORY, JQ_MEMORY};
    return (is_sanitized() || setrlimit(RLIMIT_AS, &memory) == 0) &&
           setrlimit(RLIMIT_CORE, &nothing) == 0 && setrlimit(RLIMIT_FSIZE, &nothing) == 0 &&
           setrlimit(RLIMIT_NPROC, &nothing) == 0 && setrlimit(RLIMIT_NOFILE, &files) == 0 &&
           prctl(PR_SET_DUMPABLE, 0) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

// One question's CPU time, by a timer whose signal ends the process; the kernel's own limit stands
// behind it.
static void wind_clock(void) {
    const struct itimerval timer = {
        .it_value = {.tv_sec = JQ_CPU_MS / 1000, .tv_usec = JQ_CPU_MS % 1000 * 1000}
    };
    const struct rlimit seconds = {(rlim_t)(cpu_now() / 1000000000 + JQ_CPU_MS / 1000 + 2),
                                   RLIM_INFINITY};
    setrlimit(RLIMIT_CPU, &seconds);
    setitimer(ITIMER_PROF, &timer, NULL);
}

static void stop_clock(void) {
    const struct itimerval never = {0};
    setitimer(ITIMER_PROF, &never, NULL);
}

// --- the library --------------------------------------------------------------------------------

static bool find(void *library, const char *name, void *function) {
    void *address = dlsym(library, name);
    memcpy(function, &address, sizeof address);
    return address != NULL;
}

static bool open_library(Library *jq) {
    void *library = dlopen("libjq.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) return false;
    return find(library, "jq_init", &jq->init) && find(library, "jq_teardown", &jq->teardown) &&
           find(library, "jq_set_error_cb", &jq->set_error_cb) &&
           find(library, "jq_set_nomem_handler", &jq->set_nomem_handler) &&
           find(library, "jq_compile", &jq->compile) && find(library, "jq_start", &jq->start) &&
           find(library, "jq_next", &jq->next) && find(library, "jv_parse_sized", &jq->parse) &&
           find(library, "jv_dump_string", &jq->dump) &&
           find(library, "jv_string_value", &jq->text) &&
           find(library, "jv_string_length_bytes", &jq->text_size) &&
           find(library, "jv_get_kind", &jq->kind) && find(library, "jv_copy", &jq->copy) &&
           find(library, "jv_free", &jq->release) &&
           find(library, "jv_invalid_has_msg", &jq->has_message) &&
           find(library, "jv_invalid_get_msg", &jq->message);
}

// --- frames -------------------------------------------------------------------------------------

static bool receive(void *bytes, size_t size) {
    char *at = bytes;
    while (size > 0) {
        ssize_t count = recv(JQ_SOCKET, at, size, 0);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        at += count;
        size -= (size_t)count;
    }
    return true;
}

static bool deliver(const void *bytes, size_t size) {
    const char *at = bytes;
    while (size > 0) {
        ssize_t count = send(JQ_SOCKET, at, size, MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        at += count;
        size -= (size_t)count;
    }
    return true;
}

static bool answer(const Helper *helper, JqAnswer kind, Str bytes) {
    const JqHead head = {
        .kind = kind, .bytes = bytes.len, .cpu_ns = (uint64_t)(cpu_now() - helper->started_ns)};
    return deliver(&head, sizeof head) && deliver(bytes.ptr, bytes.len);
}

// libjq cannot go on without memory, nor can we.
static void end_without_memory(void *self) {
    (void)answer(self, JQ_NO_MEMORY, (Str){0});
    _exit(0);
}

// --- programs -----------------------------------------------------------------------------------

// `jq: error: foo/0 is not defined at <top-level>, line 1:` and the program behind it: what is
// said, without where it comes from. The first message is the cause.
static void take_message(Program *program, Str text) {
    static const char *const prefix = "jq: error: ", *const hint = " (Unix shell quoting issues?)";
    if (program->message.len > 0) return;
    if (str_starts_with(text, str_from(prefix))) {
        text = str_slice(text, strlen(prefix), text.len);
    }
    size_t end = str_find(text, STR(" at <top-level>"), 0);
    if (end == STR_NOT_FOUND) end = str_find_char(text, '\n', 0);
    text = str_slice(text, 0, end == STR_NOT_FOUND ? text.len : end);
    end = str_find(text, str_from(hint), 0);
    if (end != STR_NOT_FOUND) text = str_slice(text, 0, end);
    buffer_add(&program->message, str_slice(text, 0, MESSAGE_MAX));
}

typedef struct Listener {
    const Library *jq;
    Program *program;
} Listener;

static void hear(void *self, Jv message) {
    const Listener *listener = self;
    const Library *jq = listener->jq;
    if (jq->kind(message) == JV_STRING) {
        const size_t size = (size_t)jq->text_size(jq->copy(message));
        take_message(listener->program, (Str){jq->text(message), size});
    }
    jq->release(message);
}

static void drop(const Library *jq, Program *program) {
    if (program->state != NULL) jq->teardown(&program->state);
    heap_free((void *)(uintptr_t)program->text.ptr);
    buffer_release(&program->message);
    *program = (Program){0};
}

// The compiled program, from those that are kept where it is among them.
static Program *compile(Helper *helper, Str text) {
    Program *oldest = &helper->programs[0];
    for (size_t i = 0; i < PROGRAMS_KEPT; i++) {
        Program *program = &helper->programs[i];
        if (program->state != NULL && str_eq(program->text, text)) {
            program->used = helper->questions;
            return program;
        }
        if (program->used < oldest->used) oldest = program;
    }
    const Library *jq = &helper->jq;
    drop(jq, oldest);
    oldest->text = (Str){heap_dup(text.ptr, text.len), text.len};
    oldest->used = helper->questions;
    oldest->state = jq->init();
    if (oldest->state == NULL) end_without_memory(helper);
    Listener listener = {jq, oldest};
    jq->set_nomem_handler(oldest->state, end_without_memory, helper);
    jq->set_error_cb(oldest->state, hear, &listener);
    oldest->is_valid = jq->compile(oldest->state, oldest->text.ptr) != 0;
    jq->set_error_cb(oldest->state, NULL, NULL);
    return oldest;
}

// What the program was stopped by: its own error(), or an operation that does not go.
static bool tell_failure(const Helper *helper, Jv message) {
    const Library *jq = &helper->jq;
    Jv text = jq->kind(message) == JV_STRING ? message : jq->dump(message, 0);
    Buffer out = {0};
    buffer_add(&out, str_slice((Str){jq->text(text), (size_t)jq->text_size(jq->copy(text))}, 0,
                               MESSAGE_MAX));
    jq->release(text);
    const bool is_sent = answer(helper, JQ_FAILED, buffer_str(&out));
    buffer_release(&out);
    return is_sent;
}

static bool run(Helper *helper, Program *program, Str input) {
    const Library *jq = &helper->jq;
    Jv value = jq->parse(input.ptr, (int)input.len);
    if (jq->kind(value) == JV_INVALID) {
        jq->release(value);
        return answer(helper, JQ_FAILED, STR("the input is no JSON for jq"));
    }
    jq->start(program->state, value, 0);
    Buffer out = {0};
    Jv result = jq->next(program->state);
    while (jq->kind(result) != JV_INVALID && out.len <= JQ_RESULT_MAX) {
        Jv text = jq->dump(result, 0);
        buffer_add(&out, (Str){jq->text(text), (size_t)jq->text_size(jq->copy(text))});
        buffer_add_char(&out, '\n');
        jq->release(text);
        result = jq->next(program->state);
    }
    bool is_sent;
    if (out.len > JQ_RESULT_MAX) {
        jq->release(result);
        is_sent = answer(helper, JQ_TOO_LARGE, (Str){0});
    } else if (jq->has_message(jq->copy(result))) {
        is_sent = tell_failure(helper, jq->message(result));
    } else {
        jq->release(result);
        is_sent = answer(helper, JQ_RESULTS, buffer_str(&out));
    }
    buffer_release(&out);
    return is_sent;
}

static bool serve(Helper *helper, const JqHead *head, char *bytes) {
    const Str text = {bytes, head->program}, input = {bytes + head->program, (size_t)head->bytes};
    helper->started_ns = cpu_now();
    helper->questions++;
    if (!helper->has_library) return answer(helper, JQ_NO_LIBRARY, (Str){0});
    wind_clock();
    Program *program = compile(helper, text);
    bool is_sent;
    if (!program->is_valid) {
        is_sent = answer(helper, JQ_NOT_VALID, buffer_str(&program->message));
    } else if (head->kind == 0) {
        is_sent = answer(helper, JQ_RESULTS, (Str){0});
    } else {
        is_sent = run(helper, program, input);
    }
    stop_clock();
    return is_sent;
}

// False: there will be no further question.
static bool next_question(Helper *helper) {
    struct pollfd poller = {.fd = JQ_SOCKET, .events = POLLIN};
    int count = poll(&poller, 1, JQ_IDLE_MS);
    if (count == 0) return false;
    if (count < 0) return errno == EINTR;
    JqHead head;
    if (!receive(&head, sizeof head) || head.program > JQ_PROGRAM_MAX ||
        head.bytes > JQ_INPUT_MAX) {
        return false;
    }
    char *bytes = heap_alloc(1, head.program + (size_t)head.bytes + 1);
    const bool goes_on =
        receive(bytes, head.program + (size_t)head.bytes) && serve(helper, &head, bytes);
    heap_free(bytes);
    return goes_on;
}

bool jq_helper_asked(int argc, char **argv) {
    return argc == 1 && argv[0] != NULL && strcmp(argv[0], JQ_HELPER_NAME) == 0;
}

int jq_helper_main(void) {
    Helper helper = {0};
    helper.has_library = open_library(&helper.jq);
    if (!close_doors()) return 1;
    while (next_question(&helper)) continue;
    return 0;
}
