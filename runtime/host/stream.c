// stream.c - readers and writers of objects: constant memory however large an object is.
//
// host.storage.reader(uri) and host.storage.writer{…} give userdata that close themselves. A writer
// is an object only once it is closed; what was not closed is dropped. In a plan nothing is read
// and nothing kept: a reader is empty, a writer gives a placeholder.
//
// Whatever moved many bytes lets the loop have its turn, so that other tasks go on and a timeout is
// seen; then the strand's budget begins anew, for it is one of computing without getting anywhere.
#include "host/internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

enum {
    CHUNK = 64 << 10,
    BREATH = 4 << 20,        // bytes between two turns of the loop
    PIECE_MAX = READ_LIMIT,  // of one line
};

static const char *const READER = "flow.reader", *const WRITER = "flow.writer";

typedef struct Reader {
    int fd;        // -1: closed, or of a plan
    Buffer bytes;  // read and not given yet: from `from` on
    size_t from;
    off_t at;       // where the next read begins
    Buffer tail;    // of reading backwards: what stands before the last record given
    off_t tail_at;  // where `tail` begins; -1: not begun
    size_t moved;   // since the loop had its turn
} Reader;

typedef struct Writer {
    NewObject object;
    Buffer bytes;
    uint64_t size;
    bool is_open, is_planned;
} Writer;

// --- taking turns -------------------------------------------------------------------------------

typedef struct Breath {
    Wait wait;
    LoopTimer *timer;
    lua_CFunction function;
} Breath;

static bool breath_cancel(Wait *wait) {
    (void)wait;
    return true;
}

static void breath_release(Wait *wait) {
    loop_timer_free(((Breath *)wait)->timer);
}

static void breath_over(void *self) {
    wait_done(self);
}

static int breath_finish(lua_State *L, Wait *wait) {
    strand_renew(wait->strand);
    return ((Breath *)wait)->function(L);
}

// The call itself, after the loop had its turn where it is due.
static int with_breath(lua_State *L, Reader *reader, lua_CFunction function) {
    if (reader->moved < BREATH || !lua_isyieldable(L)) return function(L);
    HostTask *task = call_begin(L);
    reader->moved = 0;
    Breath *breath = (Breath *)wait_new(L, sizeof *breath);
    breath->wait.cancel = breath_cancel;
    breath->wait.release = breath_release;
    breath->wait.finish = breath_finish;
    breath->function = function;
    breath->timer = loop_timer_new(task->host->options.loop, breath_over, breath);
    loop_timer_start(breath->timer, 0);
    return wait_for(L, &breath->wait);
}

// --- reading ------------------------------------------------------------------------------------

int api_reader(lua_State *L) {
    HostTask *task = call_begin(L);
    Str uri = check_text(L, 1, "URI");
    Reader *reader = lua_newuserdatauv(L, sizeof *reader, 0);
    *reader = (Reader){.fd = -1, .tail_at = -1};
    luaL_setmetatable(L, READER);
    if (is_planning(task)) return 1;
    Err err = open_uri(task, uri, &reader->fd);
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    return 1;
}

static void reader_release(Reader *reader) {
    if (reader->fd >= 0) close(reader->fd);
    reader->fd = -1;
    buffer_release(&reader->bytes);
    buffer_release(&reader->tail);
}

static int reader_close(lua_State *L) {
    reader_release(luaL_checkudata(L, 1, READER));
    return 0;
}

static Err read_at(int fd, char *bytes, size_t len, off_t at, size_t *got) {
    ssize_t count = 0;
    do {
        count = pread(fd, bytes, len, at);
    } while (count < 0 && errno == EINTR);
    if (count < 0) return err_system("cannot read an object");
    *got = (size_t)count;
    return err_none();
}

// More behind what is there; `from` becomes 0.
static Err fill(Reader *reader, bool *is_end) {
    Buffer *bytes = &reader->bytes;
    *is_end = true;
    if (reader->fd < 0) return err_none();
    if (reader->from > 0) {
        memmove(bytes->ptr, bytes->ptr + reader->from, bytes->len - reader->from);
        bytes->len -= reader->from;
        reader->from = 0;
    }
    size_t got = 0;
    buffer_reserve(bytes, CHUNK);
    TRY(read_at(reader->fd, bytes->ptr + bytes->len, CHUNK, reader->at, &got));
    bytes->len += got;
    reader->at += (off_t)got;
    reader->moved += got;
    *is_end = got == 0;
    return err_none();
}

// The text up to the next separator. *is_over: there was nothing left.
static Err next_piece(Reader *reader, Str separator, Str *out, bool *has_end, bool *is_over) {
    size_t searched = 0;
    for (;;) {
        Str rest = str_slice(buffer_str(&reader->bytes), reader->from, reader->bytes.len);
        size_t at = rest.len < separator.len ? STR_NOT_FOUND : str_find(rest, separator, searched);
        bool is_end = false;
        *has_end = at != STR_NOT_FOUND;
        *is_over = false;
        if (*has_end) {
            *out = str_slice(rest, 0, at);
            reader->from += at + separator.len;
            return err_none();
        }
        if (rest.len > PIECE_MAX) {
            return err_make(ERR_LIMIT, "a line has more than %d bytes", PIECE_MAX);
        }
        searched = rest.len >= separator.len ? rest.len - separator.len + 1 : 0;
        TRY(fill(reader, &is_end));
        if (!is_end) continue;
        *out = str_slice(buffer_str(&reader->bytes), reader->from, reader->bytes.len);
        *is_over = out->len == 0;
        reader->from = reader->bytes.len;
        return err_none();
    }
}

static Str separator_at(lua_State *L, int index) {
    if (lua_isnoneornil(L, index)) return STR("\n");
    Str separator = check_text(L, index, "separator");
    if (separator.len == 0) luaL_error(L, "the separator is empty");
    return separator;
}

// reader:line(separator?) -> text, whether a separator followed; nothing at the end.
static int line_now(lua_State *L) {
    Reader *reader = luaL_checkudata(L, 1, READER);
    Str separator = separator_at(L, 2), piece = {0};
    bool has_end = false, is_over = false;
    Err err = next_piece(reader, separator, &piece, &has_end, &is_over);
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    if (is_over) return 0;
    push_str(L, piece);
    lua_pushboolean(L, has_end);
    return 2;
}

static int reader_line(lua_State *L) {
    return with_breath(L, luaL_checkudata(L, 1, READER), line_now);
}

// reader:read(count) -> at most so many bytes; nothing at the end.
static int read_now(lua_State *L) {
    Reader *reader = luaL_checkudata(L, 1, READER);
    lua_Integer count = luaL_checkinteger(L, 2);
    if (count < 1 || count > READ_LIMIT) return luaL_error(L, "read: 1 to %d bytes", READ_LIMIT);
    bool is_end = false;
    while (!is_end && reader->bytes.len - reader->from < (size_t)count) {
        Err err = fill(reader, &is_end);
        if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    }
    size_t there = reader->bytes.len - reader->from;
    if (there == 0) return 0;
    size_t len = there < (size_t)count ? there : (size_t)count;
    size_t from = reader->from;
    reader->from += len;
    push_str(L, str_slice(buffer_str(&reader->bytes), from, from + len));
    return 1;
}

static int reader_read(lua_State *L) {
    return with_breath(L, luaL_checkudata(L, 1, READER), read_now);
}

// One chunk more in front of the tail.
static Err fill_tail(Reader *reader) {
    size_t len = reader->tail_at < CHUNK ? (size_t)reader->tail_at : CHUNK, got = 0;
    Buffer whole = {0};
    buffer_reserve(&whole, len + reader->tail.len);
    Err err = read_at(reader->fd, whole.ptr, len, reader->tail_at - (off_t)len, &got);
    if (err.code == ERR_NONE && got < len) {
        err = err_make(ERR_INPUT, "an object became shorter while it was read");
    }
    if (err.code != ERR_NONE) {
        buffer_release(&whole);
        return err;
    }
    whole.len = len;
    buffer_add(&whole, buffer_str(&reader->tail));
    buffer_release(&reader->tail);
    reader->tail = whole;
    reader->tail_at -= (off_t)len;
    reader->moved += len;
    return err_none();
}

static size_t find_last(Str text, Str separator) {
    for (size_t at = text.len + 1; at-- > 0;) {
        if (at + separator.len > text.len) continue;
        if (memcmp(text.ptr + at, separator.ptr, separator.len) == 0) return at;
    }
    return STR_NOT_FOUND;
}

static Err begin_tail(Reader *reader, Str separator) {
    reader->tail_at = lseek(reader->fd, 0, SEEK_END);
    if (reader->tail_at < 0) return err_system("cannot read an object");
    while (reader->tail_at > 0 && reader->tail.len < separator.len) TRY(fill_tail(reader));
    if (str_ends_with(buffer_str(&reader->tail), separator)) reader->tail.len -= separator.len;
    return err_none();
}

// reader:back(separator?) -> the last record that was not given yet; nothing at the beginning.
static int back_now(lua_State *L) {
    Reader *reader = luaL_checkudata(L, 1, READER);
    Str separator = separator_at(L, 2);
    if (reader->fd < 0) return 0;
    Err err = err_none();
    if (reader->tail_at < 0) {
        err = begin_tail(reader, separator);
        if (err.code == ERR_NONE && lseek(reader->fd, 0, SEEK_END) == 0) reader_release(reader);
        if (reader->fd < 0) return 0;
    }
    while (err.code == ERR_NONE) {
        Str text = buffer_str(&reader->tail);
        size_t at = find_last(text, separator);
        if (at == STR_NOT_FOUND && reader->tail_at > 0) {
            if (text.len > PIECE_MAX) {
                err = err_make(ERR_LIMIT, "a line has more than %d bytes", PIECE_MAX);
            } else {
                err = fill_tail(reader);
            }
            continue;
        }
        push_str(L, str_slice(text, at == STR_NOT_FOUND ? 0 : at + separator.len, text.len));
        if (at == STR_NOT_FOUND) {
            reader_release(reader);
        } else {
            reader->tail.len = at;
        }
        return 1;
    }
    return push_failure(L, &err, "permanent");
}

static int reader_back(lua_State *L) {
    return with_breath(L, luaL_checkudata(L, 1, READER), back_now);
}

// --- writing ------------------------------------------------------------------------------------

int api_writer(lua_State *L) {
    static const char *const known[] = {"name", "extension", NULL};
    HostTask *task = call_begin(L);
    Arena *arena = &task->call;
    Value fields = check_fields(L, 1, arena, "storage.writer", known);
    Str name = value_map_get_text(fields, STR("name"), STR("object"));
    Str extension = value_map_get_text(fields, STR("extension"), STR(""));
    if (extension.len > 0 && extension.ptr[0] != '.')
        extension = str_concat(arena, STR("."), extension);
    name = object_name(str_concat(arena, name, extension), arena);
    Writer *writer = lua_newuserdatauv(L, sizeof *writer, 0);
    *writer = (Writer){
        .object = {.folder = -1, .fd = -1}
    };
    luaL_setmetatable(L, WRITER);
    tell_object(task, name);
    writer->is_planned = is_planning(task);
    writer->is_open = true;
    if (writer->is_planned) return 1;
    Err err = object_begin(task, name, arena, &writer->object);
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    return 1;
}

static Writer *open_writer(lua_State *L) {
    Writer *writer = luaL_checkudata(L, 1, WRITER);
    if (!writer->is_open) luaL_error(L, "the object is closed already");
    return writer;
}

static Err flush(Writer *writer) {
    Err err = err_none();
    if (!writer->is_planned) err = file_write_fd(writer->object.fd, buffer_str(&writer->bytes));
    buffer_clear(&writer->bytes);
    return err;
}

static Err add_bytes(Writer *writer, Str bytes) {
    writer->size += bytes.len;
    buffer_add(&writer->bytes, bytes);
    return writer->bytes.len < CHUNK ? err_none() : flush(writer);
}

// writer:write(text, …) -> bytes written so far
static int writer_write(lua_State *L) {
    Writer *writer = open_writer(L);
    Err err = err_none();
    for (int i = 2; err.code == ERR_NONE && i <= lua_gettop(L); i++) {
        if (lua_type(L, i) == LUA_TSTRING) {
            err = add_bytes(writer, check_text(L, i, "text"));
            continue;
        }
        HostTask *task = call_begin(L);
        Str plain = {0};
        err = reveal(task, check_value(L, i, &task->call, "text"), &task->call, &plain);
        if (err.code == ERR_NONE) err = add_bytes(writer, plain);
    }
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    lua_pushinteger(L, (lua_Integer)writer->size);
    return 1;
}

// writer:copy(reader) -> bytes copied: 0 once the reader has nothing left
static int copy_now(lua_State *L) {
    Writer *writer = open_writer(L);
    Reader *reader = luaL_checkudata(L, 2, READER);
    Err err = err_none();
    uint64_t before = writer->size;
    for (bool is_end = false; !is_end && err.code == ERR_NONE;) {
        Str rest = str_slice(buffer_str(&reader->bytes), reader->from, reader->bytes.len);
        err = add_bytes(writer, rest);
        reader->from = reader->bytes.len;
        if (reader->moved >= BREATH) break;
        if (err.code == ERR_NONE) err = fill(reader, &is_end);
    }
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    lua_pushinteger(L, (lua_Integer)(writer->size - before));
    return 1;
}

static int writer_copy(lua_State *L) {
    open_writer(L);
    return with_breath(L, luaL_checkudata(L, 2, READER), copy_now);
}

static void writer_release(Writer *writer) {
    writer->is_open = false;
    object_drop(&writer->object);
    buffer_release(&writer->bytes);
}

static int writer_drop(lua_State *L) {
    writer_release(luaL_checkudata(L, 1, WRITER));
    return 0;
}

// writer:close() -> URI of the object
static int writer_close(lua_State *L) {
    HostTask *task = call_begin(L);
    Writer *writer = open_writer(L);
    Arena *arena = &task->call;
    Str uri = str_printf(arena, "<" STR_FMT ".uri>", STR_ARG(task->start.task_id));
    Err err = flush(writer);
    if (err.code == ERR_NONE && !writer->is_planned) {
        err = object_end(task, &writer->object, arena, &uri);
    }
    writer_release(writer);
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    push_str(L, uri);
    return 1;
}

static int writer_size(lua_State *L) {
    const Writer *writer = luaL_checkudata(L, 1, WRITER);
    lua_pushinteger(L, (lua_Integer)writer->size);
    return 1;
}

static void make_metatable(lua_State *L, const char *name, const luaL_Reg *methods,
                           lua_CFunction drop) {
    luaL_newmetatable(L, name);
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, drop);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, drop);
    lua_setfield(L, -2, "__close");
    lua_pushliteral(L, "stream");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

void open_streams(lua_State *L) {
    static const luaL_Reg reader[] = {
        {"line",  reader_line },
        {"read",  reader_read },
        {"back",  reader_back },
        {"close", reader_close},
        {NULL,    NULL        }
    };
    static const luaL_Reg writer[] = {
        {"write", writer_write},
        {"copy",  writer_copy },
        {"size",  writer_size },
        {"close", writer_close},
        {"drop",  writer_drop },
        {NULL,    NULL        }
    };
    make_metatable(L, READER, reader, reader_close);
    make_metatable(L, WRITER, writer, writer_drop);
}
