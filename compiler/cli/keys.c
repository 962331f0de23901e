// keys.c - secret keys and passwords. What is secret is wiped when it was used; a password is never
// taken from the command line, where every process can read it.
#include "cli/keys.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/file.h"

enum { KEY_FILE_MAX = 4096, PASSWORD_MAX = 1024 };

int descriptor_of(const char *text) {
    int64_t number = 0;
    if (strncmp(text, "fd:", 3) != 0 || !str_to_int(str_from(text + 3), &number)) return -1;
    return number >= 0 && number < 65536 ? (int)number : -1;
}

static Err read_line(int fd, const char *name, Buffer *out) {
    char c = '\0';
    ssize_t count = 0;
    while ((count = read(fd, &c, 1)) == 1 && c != '\n') {
        if (out->len >= PASSWORD_MAX) return err_make(ERR_LIMIT, "the password is too long");
        buffer_add_char(out, c);
    }
    if (count < 0) return err_system("cannot read the password from %s", name);
    return err_none();
}

static Err read_from_terminal(const char *prompt, Buffer *out) {
    const int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return err_make(ERR_UNAVAILABLE,
                        "there is no terminal to ask for a password; use --password fd:N");
    }
    struct termios before;
    Err err = err_none();
    if (tcgetattr(fd, &before) != 0) {
        err = err_system("cannot read the state of the terminal");
        goto done;
    }
    struct termios silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    if (tcsetattr(fd, TCSAFLUSH, &silent) != 0) {
        err = err_system("cannot switch off the echo of the terminal");
        goto done;
    }
    err = file_write_fd(fd, str_from(prompt));
    if (err.code == ERR_NONE) err = read_line(fd, "the terminal", out);
    tcsetattr(fd, TCSAFLUSH, &before);
    if (err.code == ERR_NONE) err = file_write_fd(fd, STR("\n"));

done:
    close(fd);
    return err;
}

Err password_read(const char *source, const char *prompt, Buffer *out) {
    // Room at once: a buffer that grows leaves copies behind.
    buffer_reserve(out, PASSWORD_MAX + 1);
    if (source == NULL) return read_from_terminal(prompt, out);
    const int fd = descriptor_of(source);
    if (fd < 0) {
        return err_make(ERR_USAGE, "a password comes from a descriptor, as in fd:3, not from '%s'",
                        source);
    }
    return read_line(fd, source, out);
}

static Err key_text(const char *source, Arena *arena, Str *out) {
    const int fd = descriptor_of(source);
    if (fd >= 0) return file_read_fd(fd, source, KEY_FILE_MAX, arena, out);
    struct stat status;
    if (stat(source, &status) == 0 && (status.st_mode & 077) != 0) {
        return err_make(ERR_REFUSED,
                        "others may read the key '%s'; make it private: chmod 600 '%s'", source,
                        source);
    }
    return file_read(source, KEY_FILE_MAX, arena, out);
}

Err key_read(const char *source, const char *password, Arena *arena, SecretKey *out) {
    TRY(crypto_init());
    Str text = {0};
    TRY(key_text(source, arena, &text));
    Buffer secret = {0};
    Err err = err_none();
    if (secret_key_text_is_encrypted(text)) {
        err = password_read(password, "password of the key: ", &secret);
    }
    if (err.code == ERR_NONE) err = secret_key_from_text(text, buffer_str(&secret), out);
    if (secret.ptr != NULL) wipe(secret.ptr, secret.capacity);
    buffer_release(&secret);
    wipe((char *)text.ptr, text.len);
    return err;
}
