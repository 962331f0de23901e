// keygen.c - flowc keygen: a key pair for signing artifacts, in minisign's text form.
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cli.h"
#include "cli/keys.h"

typedef struct Keygen {
    const char *out, *password;
    bool no_password, is_forced;
} Keygen;

static const Option options[] = {
    {OPTION_TEXT,                                                   "--output", 'o', "FILE", offsetof(Keygen, out),
     "the secret key; the public one goes to FILE.pub (flowc.key)", NULL},
    {OPTION_TEXT,                                                          "--password", 0, "fd:N", offsetof(Keygen, password),
     "read the password from a descriptor instead of the terminal", NULL},
    {OPTION_FLAG,                                              "--no-password", 0, NULL, offsetof(Keygen, no_password),
     "leave the key in clear; its file is its only protection", NULL},
    {OPTION_FLAG, "--force", 'f', NULL, offsetof(Keygen, is_forced), "replace a key that is there",
     NULL},
    {.kind = OPTION_END                                                            },
};

static int run(int argc, char **argv);

const Command command_keygen = {
    .name = "keygen",
    .usage = "[-o FILE] [OPTION...]",
    .summary = "Make a key pair for signing artifacts.",
    .help = "The secret key is written with mode 0600 and encrypted with a password. Sign with\n"
            "'flowc compile --sign FILE'; a host trusts the line of FILE.pub in its trust file.",
    .options = options,
    .run = run,
};

static Err choose_password(const Keygen *it, Buffer *out) {
    if (it->no_password) return err_none();
    TRY(password_read(it->password, "new password: ", out));
    if (out->len == 0) {
        return err_make(ERR_USAGE,
                        "an empty password protects nothing; ask for that with --no-password");
    }
    if (it->password != NULL) return err_none();
    Buffer again = {0};
    Err err = password_read(NULL, "once more: ", &again);
    if (err.code == ERR_NONE && !str_eq(buffer_str(out), buffer_str(&again))) {
        err = err_make(ERR_INPUT, "the two passwords differ");
    }
    if (again.ptr != NULL) wipe(again.ptr, again.capacity);
    buffer_release(&again);
    return err;
}

static Err write_keys(const Keygen *it, Str password, Arena *arena) {
    const Str path = str_from(it->out);
    const Str public_path = str_concat(arena, path, STR(".pub"));
    if (!it->is_forced && (path_exists(it->out) || path_exists(public_path.ptr))) {
        return err_make(ERR_CONFLICT, "'%s' or its .pub is there already; --force replaces them",
                        it->out);
    }
    // A file that is replaced would keep its mode, which may be too wide.
    if (it->is_forced) unlink(it->out);
    PublicKey public_key;
    SecretKey secret_key;
    key_generate(&public_key, &secret_key);
    Str text = {0};
    Err err = secret_key_to_text(arena, &secret_key, password, &text);
    wipe(&secret_key, sizeof secret_key);
    if (err.code == ERR_NONE) err = file_write(it->out, text, 0600);
    wipe((char *)text.ptr, text.len);
    if (err.code != ERR_NONE) return err;
    const Str shown = public_key_to_text(arena, &public_key);
    TRY(file_write(public_path.ptr, shown, 0644));
    printf(STR_FMT, STR_ARG(shown));
    fprintf(stderr, "secret key in %s, public key in " STR_FMT "\n", it->out, STR_ARG(public_path));
    return err_none();
}

static int run(int argc, char **argv) {
    Arena arena = {0};
    Keygen it = {.out = "flowc.key"};
    Arguments arguments = {0};
    int status = STATUS_OK;
    if (options_read(&command_keygen, argc, argv, &arena, &it, &arguments, &status)) {
        if (arguments.count > 0) {
            status = usage_error(&command_keygen, "unexpected '%s'; the file is named with -o",
                                 arguments.items[0]);
        } else if (it.no_password && it.password != NULL) {
            status = usage_error(&command_keygen, "--password and --no-password together");
        } else {
            Buffer password = {0};
            Err err = crypto_init();
            if (err.code == ERR_NONE) err = choose_password(&it, &password);
            if (err.code == ERR_NONE) err = write_keys(&it, buffer_str(&password), &arena);
            if (password.ptr != NULL) wipe(password.ptr, password.capacity);
            buffer_release(&password);
            if (err.code != ERR_NONE) status = report_error(&command_keygen, err);
        }
    }
    arena_release(&arena);
    return status;
}
