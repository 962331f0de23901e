// err.c - making and wrapping errors.
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

Err err_none(void) {
    Err err;
    err.code = ERR_NONE;
    err.number = 0;
    err.text[0] = '\0';
    return err;
}

Err err_make(ErrCode code, const char *format, ...) {
    Err err = err_none();
    err.code = code;
    va_list args;
    va_start(args, format);
    vsnprintf(err.text, sizeof err.text, format, args);
    va_end(args);
    return err;
}

// Adds `: <more>`, cut at the end of the room.
static void append(Err *err, const char *more) {
    size_t len = strlen(err->text);
    size_t room = sizeof err->text - 1 - len;
    if (room < 3) return;
    memcpy(err->text + len, ": ", 2);
    size_t count = strlen(more) < room - 2 ? strlen(more) : room - 2;
    memcpy(err->text + len + 2, more, count);
    err->text[len + 2 + count] = '\0';
}

Err err_system(const char *format, ...) {
    int number = errno;
    Err err = err_none();
    err.code = number == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM;
    err.number = number;
    va_list args;
    va_start(args, format);
    vsnprintf(err.text, sizeof err.text, format, args);
    va_end(args);
    append(&err, strerror(number));
    return err;
}

Err err_wrap(Err err, const char *format, ...) {
    Err wrapped = err_none();
    wrapped.code = err.code;
    wrapped.number = err.number;
    va_list args;
    va_start(args, format);
    vsnprintf(wrapped.text, sizeof wrapped.text, format, args);
    va_end(args);
    append(&wrapped, err.text);
    return wrapped;
}
