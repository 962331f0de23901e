// http.c - host.http: from a table to requests of net, and back.
//
// One call may send several requests: throttled and transient answers are repeated as often as
// `retry` allows, with full jitter, and so are lost ones that may be sent twice.
#include "host/internal.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/file.h"

typedef struct Http {
    Wait wait;
    NetStart start;
    NetRequest *request;
    LoopTimer *timer;
    NetPart *parts;
    uint32_t part_count;
    Str save;  // path; empty: memory
    uint32_t attempt, attempts;
    // The answer, in the arena.
    NetResult result;
    int callback_ref;
    lua_State *callback;
    bool has_callback, is_planned, is_chunk_over;
} Http;

static void close_files(Http *http) {
    for (uint32_t i = 0; i < http->part_count; i++) {
        if (http->parts[i].is_file && http->parts[i].fd >= 0) close(http->parts[i].fd);
    }
    http->part_count = 0;
    if (http->start.save_fd >= 0) close(http->start.save_fd);
    http->start.save_fd = -1;
}

static bool http_cancel(Wait *wait) {
    (void)wait;
    return true;
}

static void http_release(Wait *wait) {
    Http *http = (Http *)wait;
    if (http->request != NULL && wait->task->host->net != NULL) net_cancel(http->request);
    loop_timer_free(http->timer);
    close_files(http);
    luaL_unref(wait->task->host->L, LUA_REGISTRYINDEX, http->callback_ref);
}

// --- the answer ---------------------------------------------------------------------------------

static void push_headers(lua_State *L, const NetResult *result, Arena *arena) {
    Value headers = value_map(arena);
    for (uint32_t i = 0; i < result->header_count; i++) {
        const NetHeader *header = &result->headers[i];
        const Value *known = value_map_get(headers, header->name);
        Value list = known != NULL ? *known : value_list(arena);
        value_list_add(arena, list, value_text(header->value));
        if (known == NULL) value_map_set(arena, headers, header->name, list);
    }
    leaf_push_value(L, headers);
}

static int http_finish(lua_State *L, Wait *wait) {
    Http *http = (Http *)wait;
    const NetResult *result = &http->result;
    if (result->status == 0) {
        return push_failure_text(L, result->message, str_from(net_class_name(result->net_class)));
    }
    lua_newtable(L);
    lua_pushinteger(L, result->status);
    lua_setfield(L, -2, "status");
    push_headers(L, result, &wait->arena);
    lua_setfield(L, -2, "headers");
    push_str(L, http->save.len > 0 ? http->save : result->body);
    lua_setfield(L, -2, http->save.len > 0 ? "file" : "body");
    lua_pushinteger(L, (lua_Integer)result->size);
    lua_setfield(L, -2, "size");
    lua_pushstring(L, net_class_name(result->net_class));
    lua_setfield(L, -2, "class");
    push_str(L, mask_plain(wait->task, result->url, &wait->arena));
    lua_setfield(L, -2, "url");
    if (result->retry_after_ms >= 0 && !http->is_planned) {
        lua_pushnumber(L, (lua_Number)result->retry_after_ms / 1000);
        lua_setfield(L, -2, "retry_after");
    }
    if (http->is_planned) {
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, "planned");
    }
    return 1;
}

static void keep_result(Http *http, const NetResult *result) {
    Arena *arena = &http->wait.arena;
    http->result = *result;
    http->result.message = str_dup(arena, result->message);
    http->result.body = str_dup(arena, result->body);
    http->result.url = str_dup(arena, result->url);
    NetHeader *headers = arena_array(arena, NetHeader, result->header_count);
    for (uint32_t i = 0; i < result->header_count; i++) {
        headers[i].name = str_dup(arena, result->headers[i].name);
        headers[i].value = str_dup(arena, result->headers[i].value);
    }
    http->result.headers = headers;
}

static void send_again(void *self);

static void http_ended(void *self, const NetResult *result) {
    Http *http = self;
    http->request = NULL;
    bool may_repeat = result->net_class == NET_THROTTLED || result->net_class == NET_TRANSIENT;
    // An answer says that a request which changes something was seen; only throttling says it was
    // not carried out.
    if (result->status != 0 && result->net_class == NET_TRANSIENT && !http->start.is_keyed &&
        !net_method_is_idempotent(http->start.method)) {
        may_repeat = false;
    }
    if (may_repeat && http->attempt < http->attempts) {
        const Clock *clock = http->wait.task->host->options.clock;
        int64_t wait = net_backoff(clock, http->attempt, result->net_class, result->retry_after_ms);
        http->timer = loop_timer_new(http->wait.task->host->options.loop, send_again, http);
        loop_timer_start(http->timer, wait);
        return;
    }
    keep_result(http, result);
    wait_done(&http->wait);
}

// --- chunks -------------------------------------------------------------------------------------

static int call_on_chunk(lua_State *L) {
    const Http *http = lua_touserdata(L, 1);
    const Str *bytes = lua_touserdata(L, 2);
    lua_settop(L, 0);
    lua_rawgeti(L, LUA_REGISTRYINDEX, http->callback_ref);
    push_str(L, *bytes);
    lua_call(L, 1, 1);
    return 1;
}

static bool http_chunk(void *self, Str bytes) {
    Http *http = self;
    if (!http->has_callback) return false;
    lua_State *L = http->callback;
    lua_pushcfunction(L, call_on_chunk);
    lua_pushlightuserdata(L, http);
    lua_pushlightuserdata(L, &bytes);
    int count = 0;
    LeafVm *vm = http->wait.task->host->options.vm;
    if (leaf_resume(vm, L, 2, &count, &http->wait.strand->budget) == LUA_OK) {
        bool goes_on = count == 0 || !lua_isboolean(L, -1) || lua_toboolean(L, -1) != 0;
        lua_settop(L, 0);
        return goes_on;
    }
    Str text = lua_type(L, -1) == LUA_TSTRING ? check_text(L, -1, "error")
                                              : STR("'on_chunk' of the task module failed");
    host_task_log(http->wait.task, LOG_WARN, text);
    lua_resetthread(L);
    http->has_callback = false;
    return false;
}

// --- the request --------------------------------------------------------------------------------

static void send_again(void *self) {
    Http *http = self;
    loop_timer_free(http->timer);
    http->timer = NULL;
    http->attempt++;
    Net *net = NULL;
    Err err = host_net(http->wait.task->host, &net);
    if (err.code == ERR_NONE && http->start.save_fd >= 0 &&
        (ftruncate(http->start.save_fd, 0) != 0 || lseek(http->start.save_fd, 0, SEEK_SET) != 0)) {
        err = err_system("cannot empty '" STR_FMT "'", STR_ARG(http->save));
    }
    if (err.code == ERR_NONE) err = net_start(net, &http->start, &http->request);
    if (err.code == ERR_NONE) return;
    NetResult result = {.net_class = NET_PERMANENT, .message = str_from(err.text)};
    keep_result(http, &result);
    wait_done(&http->wait);
}

static Err reveal_field(HostTask *task, Value map, const char *name, Arena *arena, Str *out) {
    const Value *value = value_map_get(map, str_from(name));
    *out = (Str){0};
    return value == NULL ? err_none() : reveal(task, *value, arena, out);
}

// name=value&… of a map; a list repeats the name.
static Err encode_map(HostTask *task, Value map, Arena *arena, Str *out) {
    Buffer text = {.is_wiped = true};
    Err err = err_none();
    for (uint32_t i = 0; i < map.as.map->count && err.code == ERR_NONE; i++) {
        const ValueMember *member = &map.as.map->members[i];
        bool is_list = member->value.kind == VALUE_LIST;
        uint32_t count = is_list ? member->value.as.list->count : 1;
        for (uint32_t at = 0; at < count && err.code == ERR_NONE; at++) {
            Value item = is_list ? member->value.as.list->items[at] : member->value;
            Str plain = {0};
            err = reveal(task, item, arena, &plain);
            if (text.len > 0) buffer_add_char(&text, '&');
            percent_encode(&text, member->key);
            buffer_add_char(&text, '=');
            percent_encode(&text, plain);
        }
    }
    *out = str_dup(arena, buffer_str(&text));
    buffer_release(&text);
    return err;
}

static Err make_url(HostTask *task, Value fields, Arena *arena, Str *out) {
    const Value *url = value_map_get(fields, STR("url"));
    if (url == NULL) return err_make(ERR_INPUT, "the URL is missing");
    Str plain = {0};
    TRY(reveal(task, *url, arena, &plain));
    plain = str_trim(plain);
    Buffer text = {.is_wiped = true};
    for (size_t i = 0; i < plain.len; i++) {
        if (plain.ptr[i] == ' ') {
            buffer_add(&text, STR("%20"));
        } else {
            buffer_add_char(&text, plain.ptr[i]);
        }
    }
    const Value *query = value_map_get(fields, STR("query"));
    Err err = err_none();
    if (query != NULL && query->kind == VALUE_MAP && query->as.map->count > 0) {
        Str encoded = {0};
        err = encode_map(task, *query, arena, &encoded);
        Str so_far = buffer_str(&text);
        size_t hash = str_find_char(so_far, '#', 0);
        if (hash != STR_NOT_FOUND) text.len = hash;
        bool has_query = str_find_char(buffer_str(&text), '?', 0) != STR_NOT_FOUND;
        buffer_add_char(&text, has_query ? '&' : '?');
        buffer_add(&text, encoded);
    }
    *out = str_dup(arena, buffer_str(&text));
    buffer_release(&text);
    return err;
}

static void add_header(Http *http, Str name, Str value) {
    Arena *arena = &http->wait.arena;
    NetHeader *headers = arena_array(arena, NetHeader, (size_t)http->start.header_count + 1);
    if (http->start.header_count > 0) {
        memcpy(headers, http->start.headers, http->start.header_count * sizeof *headers);
    }
    headers[http->start.header_count] = (NetHeader){name, value};
    http->start.headers = headers;
    http->start.header_count++;
}

static bool has_header(const Http *http, Str name) {
    for (uint32_t i = 0; i < http->start.header_count; i++) {
        if (str_eq_ignore_case(http->start.headers[i].name, name)) return true;
    }
    return false;
}

static Err make_headers(Http *http, Value fields) {
    const Value *headers = value_map_get(fields, STR("headers"));
    Arena *arena = &http->wait.arena;
    if (headers == NULL) return err_none();
    if (headers->kind != VALUE_MAP) return err_make(ERR_USAGE, "'headers' must be a map");
    for (uint32_t i = 0; i < headers->as.map->count; i++) {
        const ValueMember *member = &headers->as.map->members[i];
        bool is_list = member->value.kind == VALUE_LIST;
        uint32_t count = is_list ? member->value.as.list->count : 1;
        for (uint32_t at = 0; at < count; at++) {
            Value item = is_list ? member->value.as.list->items[at] : member->value;
            Str plain = {0};
            TRY(reveal(http->wait.task, item, arena, &plain));
            add_header(http, member->key, plain);
        }
    }
    return err_none();
}

static void add_part(Http *http, NetPart part) {
    NetPart *parts = arena_array(&http->wait.arena, NetPart, (size_t)http->part_count + 1);
    if (http->part_count > 0) memcpy(parts, http->parts, http->part_count * sizeof *parts);
    parts[http->part_count++] = part;
    http->parts = parts;
}

// A path in the working directory, or a URI.
static Err add_file_part(Http *http, Str name) {
    HostTask *task = http->wait.task;
    int fd = -1;
    if (is_uri(name)) {
        TRY(open_uri(task, name, &fd));
    } else {
        TRY(workdir_open_file(task, name, O_RDONLY, 0, &fd));
    }
    off_t size = lseek(fd, 0, SEEK_END);
    if (size < 0) {
        Err err = err_system("cannot read '" STR_FMT "'", STR_ARG(name));
        close(fd);
        return err;
    }
    add_part(http, (NetPart){.is_file = true, .fd = fd, .size = size});
    return err_none();
}

static void quote_name(Buffer *out, Str name) {
    buffer_add_char(out, '"');
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (c == '"') {
            buffer_add(out, STR("%22"));
        } else if (c == '\n') {
            buffer_add(out, STR("%0A"));
        } else if (c == '\r') {
            buffer_add(out, STR("%0D"));
        } else {
            buffer_add_char(out, c);
        }
    }
    buffer_add_char(out, '"');
}

static Err add_multipart_item(Http *http, Value item, Str boundary) {
    Arena *arena = &http->wait.arena;
    Str file = value_map_get_text(item, STR("file"), STR(""));
    Str filename =
        value_map_get_text(item, STR("filename"), file.len > 0 ? path_name(file) : STR(""));
    Str type = value_map_get_text(item, STR("type"), STR(""));
    Buffer head = {.is_wiped = true};
    buffer_printf(&head,
                  "--" STR_FMT "\r\nContent-Disposition: form-data; name=", STR_ARG(boundary));
    quote_name(&head, value_map_get_text(item, STR("name"), STR("")));
    if (filename.len > 0) {
        buffer_add(&head, STR("; filename="));
        quote_name(&head, filename);
    }
    if (type.len == 0 && file.len > 0) type = STR("application/octet-stream");
    if (type.len > 0 && str_find_char(type, '\n', 0) == STR_NOT_FOUND) {
        buffer_printf(&head, "\r\nContent-Type: " STR_FMT, STR_ARG(type));
    }
    buffer_add(&head, STR("\r\n\r\n"));
    add_part(http, (NetPart){.text = str_dup(arena, buffer_str(&head))});
    buffer_release(&head);
    if (file.len > 0) {
        TRY(add_file_part(http, file));
    } else {
        Str plain = {0};
        TRY(reveal_field(http->wait.task, item, "value", arena, &plain));
        add_part(http, (NetPart){.text = plain});
    }
    add_part(http, (NetPart){.text = STR("\r\n")});
    return err_none();
}

static Err make_multipart(Http *http, Value list) {
    if (list.kind != VALUE_LIST) return err_make(ERR_USAGE, "'multipart' must be a list");
    uint8_t chance[12];
    const Clock *clock = http->wait.task->host->options.clock;
    clock->random(clock->self, chance, sizeof chance);
    Buffer text = {.is_wiped = true};
    buffer_add(&text, STR("flowrun-"));
    hex_encode(&text, chance, sizeof chance);
    Str boundary = str_dup(&http->wait.arena, buffer_str(&text));
    buffer_release(&text);
    for (uint32_t i = 0; i < list.as.list->count; i++) {
        TRY(add_multipart_item(http, list.as.list->items[i], boundary));
    }
    Str end = str_printf(&http->wait.arena, "--" STR_FMT "--\r\n", STR_ARG(boundary));
    add_part(http, (NetPart){.text = end});
    // The boundary has to be in it, whatever the caller gave.
    Str type =
        str_printf(&http->wait.arena, "multipart/form-data; boundary=" STR_FMT, STR_ARG(boundary));
    for (uint32_t i = 0; i < http->start.header_count; i++) {
        if (!str_eq_ignore_case(http->start.headers[i].name, STR("Content-Type"))) continue;
        ((NetHeader *)(uintptr_t)http->start.headers)[i].value = type;
        return err_none();
    }
    add_header(http, STR("Content-Type"), type);
    return err_none();
}

// A copy with every secret in clear, so that it is written as JSON writes a text.
static Err reveal_tree(HostTask *task, Value value, Arena *arena, Value *out) {
    *out = value;
    if (!value_has_secret(value)) return err_none();
    if (value.kind == VALUE_LIST) {
        *out = value_list(arena);
        for (uint32_t i = 0; i < value.as.list->count; i++) {
            Value item = {0};
            TRY(reveal_tree(task, value.as.list->items[i], arena, &item));
            value_list_add(arena, *out, item);
        }
        return err_none();
    }
    if (value.kind == VALUE_MAP) {
        *out = value_map(arena);
        for (uint32_t i = 0; i < value.as.map->count; i++) {
            const ValueMember *member = &value.as.map->members[i];
            Value item = {0};
            TRY(reveal_tree(task, member->value, arena, &item));
            value_map_set(arena, *out, member->key, item);
        }
        return err_none();
    }
    Str plain = {0};
    TRY(reveal(task, value, arena, &plain));
    *out = value_text(plain);
    return err_none();
}

static Err make_body(Http *http, Value fields) {
    HostTask *task = http->wait.task;
    Arena *arena = &http->wait.arena;
    const Value *body = value_map_get(fields, STR("body"));
    const Value *json = value_map_get(fields, STR("json"));
    const Value *form = value_map_get(fields, STR("form"));
    const Value *multipart = value_map_get(fields, STR("multipart"));
    Str file = value_map_get_text(fields, STR("file"), STR(""));
    Str plain = {0};
    Str type = {0};
    if (multipart != NULL) {
        TRY(make_multipart(http, *multipart));
    } else if (form != NULL) {
        if (form->kind != VALUE_MAP) return err_make(ERR_USAGE, "'form' must be a map");
        TRY(encode_map(task, *form, arena, &plain));
        type = STR("application/x-www-form-urlencoded");
    } else if (file.len > 0) {
        TRY(add_file_part(http, file));
    } else if (body != NULL) {
        TRY(reveal(task, *body, arena, &plain));
    } else if (json != NULL) {
        Value clear = {0};
        TRY(reveal_tree(task, *json, arena, &clear));
        Buffer text = {.is_wiped = true};
        json_write(&text, clear, JSON_COMPACT, 0);
        plain = str_dup(arena, buffer_str(&text));
        buffer_release(&text);
        type = STR("application/json");
    } else {
        return err_none();
    }
    if (http->part_count == 0) add_part(http, (NetPart){.text = plain});
    if (type.len > 0 && !has_header(http, STR("Content-Type"))) {
        add_header(http, STR("Content-Type"), type);
    }
    http->start.has_body = true;
    return err_none();
}

static Err make_auth(Http *http, Value fields) {
    const Value *auth = value_map_get(fields, STR("auth"));
    HostTask *task = http->wait.task;
    Arena *arena = &http->wait.arena;
    if (auth == NULL) return err_none();
    Str type = value_map_get_text(*auth, STR("type"), STR("none"));
    if (str_eq(type, STR("none"))) return err_none();
    if (str_eq(type, STR("bearer"))) {
        Str token = {0};
        TRY(reveal_field(task, *auth, "token", arena, &token));
        if (http->start.mail_to_count > 0) {
            http->start.bearer = token;
            return reveal_field(task, *auth, "username", arena, &http->start.username);
        }
        if (!has_header(http, STR("Authorization"))) {
            add_header(http, STR("Authorization"), str_concat(arena, STR("Bearer "), token));
        }
        return err_none();
    }
    if (str_eq(type, STR("basic"))) {
        http->start.auth = NET_AUTH_BASIC;
    } else if (str_eq(type, STR("digest"))) {
        http->start.auth = NET_AUTH_DIGEST;
    } else {
        return err_make(ERR_USAGE, "unknown kind of authentication '" STR_FMT "'", STR_ARG(type));
    }
    TRY(reveal_field(task, *auth, "username", arena, &http->start.username));
    return reveal_field(task, *auth, "password", arena, &http->start.password);
}

// A message by SMTP: `mail` says from whom to whom.
static Err make_mail(Http *http, Value fields) {
    const Value *mail = value_map_get(fields, STR("mail"));
    if (mail == NULL) return err_none();
    Arena *arena = &http->wait.arena;
    const Value *to = value_map_get(*mail, STR("to"));
    if (to == NULL || to->kind != VALUE_LIST || to->as.list->count == 0) {
        return err_make(ERR_USAGE, "'mail.to' must be a list of addresses");
    }
    Str *list = arena_array(arena, Str, to->as.list->count);
    for (uint32_t i = 0; i < to->as.list->count; i++) {
        list[i] = value_to_text(arena, to->as.list->items[i]);
    }
    http->start.mail_to = list;
    http->start.mail_to_count = to->as.list->count;
    http->start.mail_from = value_map_get_text(*mail, STR("from"), STR(""));
    bool is_all = str_eq(value_map_get_text(*mail, STR("tls"), STR("all")), STR("all"));
    http->start.mail_tls = is_all ? NET_MAIL_TLS_ALL : NET_MAIL_TLS_TRY;
    http->start.method = STR("MAIL");
    return err_none();
}

Err net_start_peer(HostTask *task, Value fields, Arena *arena, NetStart *start) {
    start->unix_socket = value_map_get_text(fields, STR("unix"), STR(""));
    const Value *tls = value_map_get(fields, STR("tls"));
    if (tls == NULL) return err_none();
    start->is_insecure = value_map_get_bool(*tls, STR("insecure"), false);
    TRY(reveal_field(task, *tls, "ca", arena, &start->ca));
    TRY(reveal_field(task, *tls, "ca_file", arena, &start->ca_file));
    TRY(reveal_field(task, *tls, "cert", arena, &start->cert));
    TRY(reveal_field(task, *tls, "key", arena, &start->key));
    return reveal_field(task, *tls, "server_name", arena, &start->server_name);
}

static Err make_security(Http *http, Value fields) {
    HostTask *task = http->wait.task;
    Arena *arena = &http->wait.arena;
    TRY(make_auth(http, fields));
    TRY(net_start_peer(task, fields, arena, &http->start));
    const Value *proxy = value_map_get(fields, STR("proxy"));
    if (proxy != NULL) {
        TRY(reveal_field(task, *proxy, "url", arena, &http->start.proxy));
        TRY(reveal_field(task, *proxy, "username", arena, &http->start.proxy_username));
        TRY(reveal_field(task, *proxy, "password", arena, &http->start.proxy_password));
    }
    http->start.allow_metadata = value_map_get_bool(fields, STR("metadata"), false);
    return err_none();
}

static int64_t milliseconds_of(Value map, const char *name) {
    const Value *value = value_map_get(map, str_from(name));
    if (value == NULL) return 0;
    double seconds = value->kind == VALUE_INT     ? (double)value->as.integer
                     : value->kind == VALUE_FLOAT ? value->as.real
                                                  : 0;
    if (!(seconds > 0)) return 0;
    return seconds > 1e9 ? (int64_t)1e12 : (int64_t)(seconds * 1000);
}

static void make_limits(Http *http, Value fields) {
    const Value *limits = value_map_get(fields, STR("limits"));
    const Value *follow = value_map_get(fields, STR("follow"));
    http->start.follow = 10;
    if (follow != NULL && follow->kind == VALUE_BOOL && !follow->as.boolean) http->start.follow = 0;
    if (follow != NULL && follow->kind == VALUE_INT && follow->as.integer >= 0) {
        http->start.follow = (uint32_t)(follow->as.integer > 50 ? 50 : follow->as.integer);
    }
    int64_t attempts = value_map_get_int(fields, STR("retry"), 1);
    http->attempts = attempts < 1 ? 1 : attempts > 20 ? 20 : (uint32_t)attempts;
    if (limits == NULL) return;
    http->start.connect_ms = milliseconds_of(*limits, "connect");
    http->start.idle_ms = milliseconds_of(*limits, "idle");
    http->start.total_ms = milliseconds_of(*limits, "total");
    http->start.size_max = value_map_get_int(*limits, STR("bytes"), 0);
}

// The module says "keyed": a lost answer is no reason to give up.
static void make_key(lua_State *L, Http *http) {
    HostTask *task = http->wait.task;
    bool changes =
        str_eq(http->start.method, STR("POST")) || str_eq(http->start.method, STR("PATCH"));
    if (!changes || task->start.idempotency_key.len == 0 || !host_task_is_keyed(L, task)) return;
    http->start.is_keyed = true;
    if (!has_header(http, STR("Idempotency-Key"))) {
        add_header(http, STR("Idempotency-Key"), task->start.idempotency_key);
    }
}

static Value describe(Http *http, Value fields) {
    Arena *arena = &http->wait.arena;
    Value description = value_map(arena);
    value_map_set(arena, description, STR("effect"), value_text(STR("http")));
    value_map_set(arena, description, STR("method"), value_text(http->start.method));
    value_map_set(arena, description, STR("url"), value_text(http->start.url));
    static const char *const bodies[] = {"body", "json", "form"};
    for (size_t i = 0; i < COUNT(bodies); i++) {
        const Value *body = value_map_get(fields, str_from(bodies[i]));
        if (body == NULL) continue;
        Str text = masked_text(http->wait.task, *body, arena);
        if (text.len > EFFECT_TEXT_MAX) {
            text = str_printf(arena, STR_FMT "… (%zu bytes)",
                              STR_ARG(str_slice(text, 0, EFFECT_TEXT_MAX)), text.len);
        }
        value_map_set(arena, description, STR("body"), value_text(text));
    }
    const Value *multipart = value_map_get(fields, STR("multipart"));
    const Value *file = value_map_get(fields, STR("file"));
    if (multipart != NULL || file != NULL) {
        Value files = value_list(arena);
        if (file != NULL) value_list_add(arena, files, *file);
        for (uint32_t i = 0;
             multipart != NULL && multipart->kind == VALUE_LIST && i < multipart->as.list->count;
             i++) {
            const Value *part = value_map_get(multipart->as.list->items[i], STR("file"));
            if (part != NULL) value_list_add(arena, files, *part);
        }
        value_map_set(arena, description, STR("files"), files);
    }
    if (str_find(http->start.url, STR("dryRun=All"), 0) != STR_NOT_FOUND) {
        value_map_set(arena, description, STR("dryRun"), value_bool(true));
    }
    return description;
}

static Err make_request(lua_State *L, Http *http, Value fields) {
    HostTask *task = http->wait.task;
    Arena *arena = &http->wait.arena;
    Str method = value_map_get_text(fields, STR("method"), STR("GET"));
    Str upper = str_dup(arena, method);
    for (size_t i = 0; i < upper.len; i++) {
        char *c = (char *)(uintptr_t)&upper.ptr[i];
        if (*c >= 'a' && *c <= 'z') *c = (char)(*c - ('a' - 'A'));
    }
    http->start.method = upper;
    TRY(make_url(task, fields, arena, &http->start.url));
    TRY(make_headers(http, fields));
    TRY(make_mail(http, fields));
    TRY(make_security(http, fields));
    make_limits(http, fields);
    make_key(L, http);
    return err_none();
}

static Err send(Http *http, Value fields) {
    HostTask *task = http->wait.task;
    Net *net = NULL;
    TRY(make_body(http, fields));
    http->start.parts = http->parts;
    http->start.part_count = http->part_count;
    http->save = value_map_get_text(fields, STR("save"), STR(""));
    if (http->save.len > 0) {
        TRY(workdir_open_file(task, http->save, O_RDWR | O_CREAT | O_TRUNC, 0600,
                              &http->start.save_fd));
    }
    http->start.callbacks = (NetCallbacks){.ended = http_ended, .self = http};
    if (http->has_callback) http->start.callbacks.chunk = http_chunk;
    TRY(host_net(task->host, &net));
    http->attempt = 1;
    return net_start(net, &http->start, &http->request);
}

static void plan_answer(Http *http, Value fields) {
    Arena *arena = &http->wait.arena;
    http->is_planned = true;
    http->save = value_map_get_text(fields, STR("save"), STR(""));
    Str id = http->wait.task->start.task_id;
    http->result = (NetResult){.net_class = NET_OK,
                               .status = 200,
                               .body = str_printf(arena, "<" STR_FMT ".body>", STR_ARG(id)),
                               .url = http->start.url};
}

int api_http(lua_State *L) {
    static const char *const known[] = {
        "method", "url",       "headers", "query",    "body",     "json",  "file",
        "form",   "multipart", "save",    "auth",     "tls",      "proxy", "unix",
        "follow", "limits",    "retry",   "on_chunk", "metadata", "mail",  NULL};
    call_begin(L);
    lua_settop(L, 1);
    Http *http = (Http *)wait_new(L, sizeof *http);
    http->callback_ref = LUA_NOREF;
    http->start.save_fd = -1;
    http->wait.cancel = http_cancel;
    http->wait.release = http_release;
    http->wait.finish = http_finish;
    Value fields = check_fields(L, 1, &http->wait.arena, "http", known);
    if (push_function(L, 1, "on_chunk")) {
        http->callback_ref = luaL_ref(L, LUA_REGISTRYINDEX);
        http->callback = lua_newthread(L);  // stays on the stack of the call
        strand_bind(L, http->wait.strand);
        luaL_checkstack(http->callback, 8, NULL);
        http->has_callback = true;
    }
    Err err = make_request(L, http, fields);
    if (err.code == ERR_NONE && !effect(http->wait.task, describe(http, fields))) {
        plan_answer(http, fields);
        int count = http_finish(L, &http->wait);
        wait_drop(&http->wait);
        return count;
    }
    if (err.code == ERR_NONE) err = send(http, fields);
    if (err.code != ERR_NONE) {
        Str message = mask_plain(http->wait.task, str_from(err.text), &http->wait.task->call);
        wait_drop(&http->wait);
        return push_failure_text(L, message, str_from(class_of_err(&err)));
    }
    return wait_for(L, &http->wait);
}
