// log.c - log lines and the file they are appended to.
#include "log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "value/time.h"
#include "value/value.h"

static const char *const NAMES[LOG_LEVEL_COUNT] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR"};

const char *log_level_name(LogLevel level) {
    return level < LOG_LEVEL_COUNT ? NAMES[level] : "INFO";
}

bool log_level_from(Str name, LogLevel *out) {
    for (int i = 0; i < LOG_LEVEL_COUNT; i++) {
        if (str_eq_ignore_case(name, str_from(NAMES[i]))) {
            *out = (LogLevel)i;
            return true;
        }
    }
    *out = LOG_WARN;
    return str_eq_ignore_case(name, STR("WARNING"));
}

bool log_split(Str *rest, Str *piece) {
    if (rest->ptr == NULL) return false;
    if (rest->len <= LOG_MESSAGE_MAX) {
        *piece = *rest;
        *rest = (Str){0};
        return true;
    }
    size_t end = LOG_MESSAGE_MAX;
    // Not inside a character; a run of continuation bytes that long is no UTF-8 anyway.
    while (end > LOG_MESSAGE_MAX - 4 && ((uint8_t)rest->ptr[end] & 0xc0) == 0x80) end--;
    *piece = str_slice(*rest, 0, end);
    *rest = str_slice(*rest, end, rest->len);
    return true;
}

void log_line_head(const LogLine *line, Buffer *out) {
    buffer_add(out, STR("{\"date\":\""));
    instant_print_ms(out, line->time_ms);
    buffer_printf(out, "\",\"level\":\"%s\"", log_level_name(line->level));
    if (line->task.len > 0) {
        buffer_add(out, STR(",\"taskId\":"));
        buffer_add_json(out, line->task);
    }
    if (line->run.len > 0) {
        buffer_add(out, STR(",\"taskRunId\":"));
        buffer_add_json(out, line->run);
    }
    if (line->attempt > 0) buffer_printf(out, ",\"attempt\":%d", line->attempt);
    buffer_add(out, STR(",\"message\":"));
}

void log_line_end(Str message, Buffer *out) {
    buffer_add_json(out, message);
    buffer_add(out, STR("}\n"));
}

void log_line_write(const LogLine *line, Buffer *out) {
    log_line_head(line, out);
    log_line_end(line->message, out);
}

bool log_line_read(Str text, Arena *arena, LogLine *out) {
    Value line;
    Err err = json_parse(text, (JsonLimits){0}, arena, &line);
    if (err.code != ERR_NONE || line.kind != VALUE_MAP) return false;
    Instant date = {0};
    *out = (LogLine){.task = value_map_get_text(line, STR("taskId"), (Str){0}),
                     .run = value_map_get_text(line, STR("taskRunId"), (Str){0}),
                     .attempt = (int32_t)value_map_get_int(line, STR("attempt"), 0),
                     .message = value_map_get_text(line, STR("message"), (Str){0})};
    err = instant_parse(value_map_get_text(line, STR("date"), (Str){0}), &date);
    if (err.code != ERR_NONE) return false;
    out->time_ms = date.seconds * 1000 + date.nanoseconds / 1000000;
    return log_level_from(value_map_get_text(line, STR("level"), (Str){0}), &out->level);
}

// --- the file -----------------------------------------------------------------------------------

struct LogFile {
    int fd;
    int64_t size;
    char *path;
};

// Size up to and with the last line feed.
static Err whole_size(int fd, int64_t size, int64_t *out) {
    char chunk[4096];
    while (size > 0) {
        int64_t start = size > (int64_t)sizeof chunk ? size - (int64_t)sizeof chunk : 0;
        ssize_t got = pread(fd, chunk, (size_t)(size - start), start);
        if (got <= 0) return err_system("cannot read the log");
        for (ssize_t i = got; i > 0; i--) {
            if (chunk[i - 1] == '\n') {
                *out = start + i;
                return err_none();
            }
        }
        size = start;
    }
    *out = 0;
    return err_none();
}

Err log_file_open(const char *path, LogFile **out) {
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return err_system("cannot open '%s'", path);
    struct stat status;
    int64_t size = 0;
    Err err = fstat(fd, &status) == 0 ? whole_size(fd, status.st_size, &size)
                                      : err_system("cannot read '%s'", path);
    if (err.code == ERR_NONE && size != status.st_size && ftruncate(fd, size) != 0) {
        err = err_system("cannot write '%s'", path);
    }
    if (err.code != ERR_NONE) {
        close(fd);
        return err;
    }
    LogFile *file = heap_alloc(1, sizeof *file);
    file->fd = fd;
    file->size = size;
    file->path = heap_dup(path, strlen(path));
    *out = file;
    return err_none();
}

void log_file_close(LogFile *file) {
    if (file == NULL) return;
    close(file->fd);
    heap_free(file->path);
    heap_free(file);
}

Err log_file_add(LogFile *file, Str lines) {
    Err err = file_write_fd(file->fd, lines);
    if (err.code != ERR_NONE) {
        // A part of it may be there; what cannot be cut off now is cut off at the next opening.
        if (ftruncate(file->fd, file->size) != 0) err.number = errno;
        if (err.number == ENOSPC || err.number == EDQUOT) {
            return err_make(ERR_STORE, "the disk that holds '%s' is full: free some space there",
                            file->path);
        }
        return err_wrap(err, "'%s'", file->path);
    }
    file->size += (int64_t)lines.len;
    return err_none();
}

int64_t log_file_size(const LogFile *file) {
    return file->size;
}

int64_t log_file_count(const LogFile *file, Str text) {
    char chunk[16384];
    size_t held = 0;
    int64_t count = 0;
    if (text.len == 0 || text.len > 256) return 0;
    for (off_t at = 0;;) {
        ssize_t got = pread(file->fd, chunk + held, sizeof chunk - held, at);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return count;
        at += got;
        Str have = {chunk, held + (size_t)got};
        size_t from = 0;
        for (size_t found; (found = str_find(have, text, from)) != STR_NOT_FOUND; count++) {
            from = found + text.len;
        }
        // What may be the beginning of one.
        held = have.len - from < text.len - 1 ? have.len - from : text.len - 1;
        memmove(chunk, chunk + have.len - held, held);
    }
}

int log_file_fd(const LogFile *file) {
    return file->fd;
}

const char *log_file_path(const LogFile *file) {
    return file->path;
}
