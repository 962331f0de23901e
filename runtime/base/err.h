// err.h - the machine failed: an error by value that carries its text, so nobody owns it.
//
// Not for mistakes in a flow (those are diagnostics) and not for our own (those are assertions).
#ifndef FLOW_BASE_ERR_H
#define FLOW_BASE_ERR_H

#include "base/attributes.h"

typedef enum ErrCode {
    ERR_NONE,
    ERR_SYSTEM,       // an operating-system call failed; the text names it
    ERR_NOT_FOUND,    // the thing asked for is not there
    ERR_LIMIT,        // a limit of the design was exceeded
    ERR_INPUT,        // bytes or text from outside are malformed
    ERR_USAGE,        // the caller's words are off
    ERR_REFUSED,      // trust, permission, signature
    ERR_CONFLICT,     // somebody else owns it
    ERR_UNAVAILABLE,  // a peer, a library or a program is not there
    ERR_STORE,        // durable state could not be read or written
    ERR_UNSUPPORTED,  // known, but not for this host or version
    ERR_CANCELLED,
} ErrCode;

enum { ERR_TEXT_SIZE = 480 };

typedef struct Err {
    ErrCode code;
    int number;                // errno or a library's own code, 0 where there is none
    char text[ERR_TEXT_SIZE];  // lower case, no full stop, subject in single quotes; cut at the end
} Err;

MUST_CHECK Err err_none(void);
MUST_CHECK Err err_make(ErrCode code, const char *format, ...) FORMAT_LIKE(2, 3);
// ERR_SYSTEM with `: <strerror(errno)>` behind the text; ENOENT gives ERR_NOT_FOUND.
MUST_CHECK Err err_system(const char *format, ...) FORMAT_LIKE(1, 2);
// The same error with `<text>: ` before its own.
MUST_CHECK Err err_wrap(Err err, const char *format, ...) FORMAT_LIKE(2, 3);

// Passes a failure up; only in functions that hold nothing.
#define TRY(call)                                                                                  \
    do {                                                                                           \
        Err try_err_ = (call);                                                                     \
        if (try_err_.code != ERR_NONE) return try_err_;                                            \
    } while (0)

#endif
