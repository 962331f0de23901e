// run.c - flowc run: compile in memory and hand over to flowrun through a sealed memfd.
//
// Options of `compile` are taken, all others go to `flowrun run` as they are. flowrun is the one
// beside this program, else the one on PATH; it takes this process's place, so its status is ours.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/compile.h"

static const Option options[] = {
    COMPILE_ROWS(CompileOptions),
    {OPTION_FLAG, "--quiet", 'q', NULL, offsetof(CompileOptions, common.is_quiet),
                      "print no findings", NULL},
    {.kind = OPTION_END       },
};

static int run(int argc, char **argv);

const Command command_run = {
    .name = "run",
    .usage = "FLOW [compile's options] [flowrun run's options]",
    .summary = "Compile a flow in memory and run it.",
    .help =
        "Options that are not listed here go to 'flowrun run': -i NAME=VALUE, --secrets FILE,\n"
        "--output json, … ('flowrun run --help'). Status 65: the flow has errors; else flowrun's.",
    .options = options,
    .run = run,
};

// Options of flowrun run that take the next word; all others stand alone.
static const char *const passed_with_value[] = {
    "-i",          "--inputs", "-l",       "--secrets",     "--id", "--until", "--task-runner",
    "--state-dir", "--trust",  "--output", "--host-config",
};

typedef struct Words {
    const char **own, **passed;
    int own_count, passed_count;
    const char *flow;
} Words;

static bool takes_value(const char *word) {
    for (size_t i = 0; i < COUNT(passed_with_value); i++) {
        if (strcmp(passed_with_value[i], word) == 0) return true;
    }
    return false;
}

// Both programs know --config: the project's is ours, the host's is passed on by another name.
static const char *passed_word(const char *word, Arena *arena) {
    static const char host[] = "--host-config";
    if (strncmp(word, host, sizeof host - 1) != 0) return word;
    return str_printf(arena, "--config%s", word + sizeof host - 1).ptr;
}

static void pass(Words *words, const char *word) {
    words->passed[words->passed_count++] = word;
}

static bool sort_words(Words *words, int argc, char **argv, Arena *arena) {
    words->own[words->own_count++] = argv[0];
    for (int at = 1; at < argc; at++) {
        const char *word = argv[at];
        if (word[0] != '-' || word[1] == '\0') {
            if (words->flow != NULL) {
                usage_error(&command_run, "two flows: '%s' and '%s'", words->flow, word);
                return false;
            }
            words->flow = word;
            continue;
        }
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            words->own[words->own_count++] = word;
            continue;
        }
        const char *value = NULL;
        const Option *option = option_find(options, word, &value);
        const bool has_next = at + 1 < argc;
        if (option != NULL) {
            words->own[words->own_count++] = word;
            const bool is_files = strcmp(option->name, "--files") == 0;
            if (is_files) pass(words, word);
            if (option->kind != OPTION_FLAG && value == NULL && has_next) {
                words->own[words->own_count++] = argv[++at];
                if (is_files) pass(words, argv[at]);
            }
        } else {
            pass(words, passed_word(word, arena));
            if (takes_value(word) && has_next) pass(words, argv[++at]);
        }
    }
    return true;
}

// The artifact in memory that nobody can change any more.
static Err seal(const Buffer *bytes, int *out) {
    const int fd = memfd_create("artifact", MFD_ALLOW_SEALING);
    if (fd < 0) return err_system("cannot make a file in memory");
    Err err = file_write_fd(fd, buffer_str(bytes));
    if (err.code == ERR_NONE && lseek(fd, 0, SEEK_SET) != 0) err = err_system("cannot rewind");
    const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    if (err.code == ERR_NONE && fcntl(fd, F_ADD_SEALS, seals) != 0) {
        err = err_system("cannot seal the artifact");
    }
    if (err.code != ERR_NONE) {
        close(fd);
        return err;
    }
    *out = fd;
    return err;
}

static const char *find_flowrun(Arena *arena) {
    char own[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    if (length > 0) {
        const Str folder = path_folder((Str){own, (size_t)length});
        const Str beside = path_join(arena, folder, STR("flowrun"));
        const char *path = str_to_c(arena, beside);
        if (access(path, X_OK) == 0) return path;
    }
    return "flowrun";
}

static int hand_over(const Words *words, int fd, Arena *arena) {
    const char *program = find_flowrun(arena);
    char **argv = arena_array(arena, char *, (size_t)words->passed_count + 4);
    int count = 0;
    argv[count++] = (char *)"flowrun";
    argv[count++] = (char *)"run";
    argv[count++] = (char *)str_printf(arena, "/dev/fd/%d", fd).ptr;
    for (int i = 0; i < words->passed_count; i++) argv[count++] = (char *)words->passed[i];
    fflush(stdout);
    execvp(program, argv);
    fprintf(stderr, "flowc run: cannot start '%s': %s; it belongs beside flowc\n", program,
            strerror(errno));
    return STATUS_MACHINE;
}

static int run(int argc, char **argv) {
    Arena arena = {0};
    CompileOptions it = {0};
    Arguments arguments = {0};
    int status = STATUS_USAGE;
    Words words = {.own = arena_array(&arena, const char *, (size_t)argc + 1),
                   .passed = arena_array(&arena, const char *, 2 * (size_t)argc + 1)};
    if (sort_words(&words, argc, argv, &arena) &&
        options_read(&command_run, words.own_count, (char **)words.own, &arena, &it, &arguments,
                     &status)) {
        Compiled compiled = {0};
        if (words.flow == NULL) {
            status = usage_error(&command_run, "no flow was named");
        } else {
            status = compile_flow(&command_run, &it, words.flow, &arena, &compiled);
            if (status == STATUS_FINDINGS) status = STATUS_RUN_FINDINGS;
        }
        if (status == STATUS_OK) {
            int fd = -1;
            const Err err = seal(&compiled.bytes, &fd);
            status = err.code == ERR_NONE ? hand_over(&words, fd, &arena)
                                          : report_error(&command_run, err);
        }
        buffer_release(&compiled.bytes);
    }
    arena_release(&arena);
    return status;
}
