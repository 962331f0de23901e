// file.h - whole files, and paths as text.
#ifndef FLOW_BASE_FILE_H
#define FLOW_BASE_FILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

// Reads a regular file of at most `limit` bytes. ERR_NOT_FOUND, ERR_LIMIT, ERR_INPUT (not a regular
// file), ERR_SYSTEM.
MUST_CHECK Err file_read(const char *path, size_t limit, Arena *arena, Str *out);
// Reads a descriptor to its end, at most `limit` bytes.
MUST_CHECK Err file_read_fd(int fd, const char *name, size_t limit, Arena *arena, Str *out);
// Writes to a temporary name in the same folder, then renames over `path`. Mode of an existing file
// is kept, else `mode`. What is no regular file (/dev/null, a pipe) is written to, not replaced.
MUST_CHECK Err file_write(const char *path, Str bytes, mode_t mode);
MUST_CHECK Err file_write_fd(int fd, Str bytes);         // all of it, or an error
MUST_CHECK Err dir_make(const char *path, mode_t mode);  // with parents; an existing folder is fine
MUST_CHECK Err
dir_remove(const char *path);  // with all below it, never following links; absent is fine
// Puts /dev/null where standard input, output or error is closed. Else the next file opened takes
// its number, and what is meant for the screen is written into that file.
void file_hold_standard(void);
bool path_is_dir(const char *path);
bool path_exists(const char *path);
Str path_join(Arena *arena, Str folder, Str name);  // an absolute `name` stays
Str path_folder(Str path);                          // "." where there is none
Str path_name(Str path);

#endif
