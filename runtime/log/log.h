// log.h - the lines of an execution's log: levels, their JSON form, the file they are in.
//
// One line of JSON each: {date, level, taskId, taskRunId, attempt, message}. A message is at most
// LOG_MESSAGE_MAX bytes; longer ones are split between characters. The file is written by one
// process, appended to and never rewritten; who wants it durable syncs log_file_fd().
#ifndef FLOW_LOG_LOG_H
#define FLOW_LOG_LOG_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/err.h"

typedef enum LogLevel {
    LOG_TRACE,
    LOG_DEBUG,
    LOG_INFO,
    LOG_WARN,
    LOG_ERROR,
    LOG_LEVEL_COUNT,
} LogLevel;

const char *log_level_name(LogLevel level);    // "TRACE", …
bool log_level_from(Str name, LogLevel *out);  // any case; WARNING too

enum { LOG_MESSAGE_MAX = 10 << 10 };

typedef struct LogLine {
    int64_t time_ms;
    LogLevel level;
    Str task, run;    // empty: of the execution itself
    int32_t attempt;  // 0: none
    Str message;
} LogLine;

// Takes the next piece of at most LOG_MESSAGE_MAX bytes off `*rest`; false at the end. An empty
// text gives one empty piece: call with `*rest` whole first.
bool log_split(Str *rest, Str *piece);
// Up to the message: the same for many lines of one moment.
void log_line_head(const LogLine *line, Buffer *out);
// The message and what is behind it, with the line feed.
void log_line_end(Str message, Buffer *out);
// Both.
void log_line_write(const LogLine *line, Buffer *out);
// False where it is no such line (a torn end after a crash). Texts live in the arena.
bool log_line_read(Str text, Arena *arena, LogLine *out);

typedef struct LogFile LogFile;

// Opens for appending, made with mode 0600. A torn last line is cut off.
MUST_CHECK Err log_file_open(const char *path, LogFile **out);
void log_file_close(LogFile *file);  // NULL is fine
MUST_CHECK Err log_file_add(LogFile *file, Str lines);
int64_t log_file_size(const LogFile *file);
// How often a text of at most 256 bytes is in it.
int64_t log_file_count(const LogFile *file, Str text);
int log_file_fd(const LogFile *file);
const char *log_file_path(const LogFile *file);

#endif
