// request.c - one request: from NetStart to options of libcurl, its streams, its end.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/file.h"
#include "base/wiped.h"
#include "net/internal.h"

enum { HEADERS_MAX = 1000, HEADER_BYTES_MAX = 1 << 20, CONNECT_MS = 30000, IDLE_MS = 300000 };

struct Net {
    Loop *loop;
    NetSeam seam;
    CurlApi curl;
    CURLM *multi;
    LoopTimer *timer;
    NetRequest *first;
};

// A socket of libcurl's in the loop.
typedef struct Socket {
    Net *net;
    LoopWatch *watch;
} Socket;

struct NetRequest {
    Net *net;
    NetRequest *next;
    NetCallbacks callbacks;
    Arena arena;     // copies of what was given, headers of the answer
    NetPart *parts;  // texts in the arena
    uint32_t part_count;
    uint32_t part_at;   // where reading stands
    int64_t offset_at;  // in that part
    CURL *easy;
    struct curl_slist *header_list, *connect_list, *mail_list;
    int save_fd;
    int64_t size_max, size;
    bool allow_metadata, is_idempotent;
    bool is_over;    // a callback of the caller ended it well
    bool has_error;  // of ours: `error` says what
    Err error;
    Buffer body;
    LIST_OF(NetHeader) headers;
    size_t header_bytes;
    bool is_head_open;  // a status line has come, the empty line behind the headers has not
    char error_text[CURL_ERROR_SIZE];
};

// --- the multi handle on the loop ---------------------------------------------------------------

static void look_for_ended(Net *net);

static void act(Net *net, curl_socket_t socket, int events) {
    int running = 0;
    net->curl.multi_action(net->multi, socket, events, &running);
    look_for_ended(net);
}

static void on_timer(void *self) {
    act(self, CURL_SOCKET_TIMEOUT, 0);
}

static void on_socket(void *self, int fd, unsigned events) {
    Socket *socket = self;
    int what = 0;
    if ((events & LOOP_READABLE) != 0) what |= CURL_CSELECT_IN;
    if ((events & LOOP_WRITABLE) != 0) what |= CURL_CSELECT_OUT;
    act(socket->net, fd, what);
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *self, void *assigned) {
    (void)easy;
    Net *net = self;
    Socket *socket = assigned;
    if (what == CURL_POLL_REMOVE) {
        if (socket != NULL) loop_watch_free(socket->watch);
        heap_free(socket);
        net->curl.multi_assign(net->multi, fd, NULL);
        return 0;
    }
    if (socket == NULL) {
        socket = heap_alloc(1, sizeof *socket);
        socket->net = net;
        Err err = loop_watch_new(net->loop, fd, on_socket, socket, &socket->watch);
        if (err.code != ERR_NONE) {
            heap_free(socket);
            return -1;
        }
        net->curl.multi_assign(net->multi, fd, socket);
    }
    unsigned events = 0;
    if ((what & CURL_POLL_IN) != 0) events |= LOOP_READABLE;
    if ((what & CURL_POLL_OUT) != 0) events |= LOOP_WRITABLE;
    loop_watch_set(socket->watch, events);
    return 0;
}

static int set_timer(CURLM *multi, long milliseconds, void *self) {
    (void)multi;
    Net *net = self;
    if (milliseconds < 0) {
        loop_timer_stop(net->timer);
    } else {
        loop_timer_start(net->timer, milliseconds);
    }
    return 0;
}

static Err open_multi(Net *net) {
    if (net->multi != NULL) return err_none();
    if (net->curl.library == NULL) TRY(curl_open(&net->curl));
    net->multi = net->curl.multi_init();
    if (net->multi == NULL) return err_make(ERR_UNAVAILABLE, "libcurl cannot be initialised");
    net->curl.multi_set(net->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    net->curl.multi_set(net->multi, CURLMOPT_SOCKETDATA, net);
    net->curl.multi_set(net->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    net->curl.multi_set(net->multi, CURLMOPT_TIMERDATA, net);
    return err_none();
}

// --- the end ------------------------------------------------------------------------------------

static void unlink_request(NetRequest *request) {
    NetRequest **at = &request->net->first;
    while (*at != NULL && *at != request) at = &(*at)->next;
    if (*at == request) *at = request->next;
}

static void request_free(NetRequest *request) {
    Net *net = request->net;
    if (request->easy != NULL) {
        net->curl.multi_remove(net->multi, request->easy);
        net->curl.easy_cleanup(request->easy);
    }
    if (request->header_list != NULL) net->curl.slist_free(request->header_list);
    if (request->connect_list != NULL) net->curl.slist_free(request->connect_list);
    if (request->mail_list != NULL) net->curl.slist_free(request->mail_list);
    for (uint32_t i = 0; i < request->part_count; i++) {
        if (request->parts[i].text.len > 0) {
            wipe((char *)(uintptr_t)request->parts[i].text.ptr, request->parts[i].text.len);
        }
    }
    buffer_release(&request->body);
    arena_release(&request->arena);
    heap_free(request);
}

void net_answer(NetRequest *request, const NetResult *result) {
    unlink_request(request);
    request->callbacks.ended(request->callbacks.self, result);
    request_free(request);
}

void net_cancel(NetRequest *request) {
    if (request == NULL) return;
    unlink_request(request);
    request_free(request);
}

static NetClass class_of_failure(CURLcode code, bool was_sent, bool is_idempotent) {
    switch ((int)code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
        return NET_TRANSIENT;
    case CURLE_LOGIN_DENIED:
        return NET_AUTH;
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_READ_ERROR:
    case CURLE_SSL_SHUTDOWN_FAILED:
        return was_sent && !is_idempotent ? NET_AMBIGUOUS : NET_TRANSIENT;
    default:
        return NET_PERMANENT;
    }
}

static void add_failure_text(NetRequest *request, CURLcode code, const char *url, Buffer *out) {
    const CurlApi *curl = &request->net->curl;
    if (request->has_error) {
        buffer_add(out, str_from(request->error.text));
        return;
    }
    CURLU *parts = curl->url_new();
    char *host = NULL;
    if (parts != NULL && curl->url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl->url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
        buffer_printf(out, "'%s': ", host);
        curl->text_free(host);
    }
    if (parts != NULL) curl->url_free(parts);
    // Host only: a query may hold a secret.
    const char *text =
        request->error_text[0] != '\0' ? request->error_text : curl->easy_error(code);
    buffer_add(out, str_trim(str_from(text)));
}

static void end_request(NetRequest *request, CURLcode code) {
    const CurlApi *curl = &request->net->curl;
    long status = 0;
    curl_off_t before_transfer = 0;
    char *url = NULL;
    curl->easy_get(request->easy, CURLINFO_RESPONSE_CODE, &status);
    curl->easy_get(request->easy, CURLINFO_PRETRANSFER_TIME_T, &before_transfer);
    curl->easy_get(request->easy, CURLINFO_EFFECTIVE_URL, &url);
    NetResult result = {
        .status = (int32_t)status,
        .headers = request->headers.items,
        .header_count = request->headers.count,
        .size = request->size,
        .url = str_from(url),
        .retry_after_ms = -1,
        .was_sent = before_transfer > 0,
    };
    Buffer message = {0};
    if (code == CURLE_OK && request->is_head_open && !request->is_over) {
        // For libcurl this is an answer without a body.
        code = CURLE_PARTIAL_FILE;
        snprintf(request->error_text, sizeof request->error_text,
                 "the connection was closed in the middle of the headers");
    }
    if (code == CURLE_OK || request->is_over) {
        result.body = buffer_str(&request->body);
        result.net_class = net_classify(result.status, result.headers, result.header_count);
        result.retry_after_ms = net_retry_after(result.headers, result.header_count,
                                                clock_system()->wall_ms(clock_system()->self));
    } else {
        add_failure_text(request, code, url == NULL ? "" : url, &message);
        result.message = buffer_str(&message);
        result.status = 0;
        result.net_class = request->has_error
                               ? NET_PERMANENT
                               : class_of_failure(code, result.was_sent, request->is_idempotent);
    }
    net_answer(request, &result);
    buffer_release(&message);
}

static void look_for_ended(Net *net) {
    // A callback may start or cancel requests; each message is taken before its callback runs.
    for (;;) {
        int left = 0;
        CURLMsg *message = net->curl.multi_info(net->multi, &left);
        if (message == NULL) return;
        if (message->msg != CURLMSG_DONE) continue;
        NetRequest *request = NULL;
        CURLcode code = message->data.result;
        net->curl.easy_get(message->easy_handle, CURLINFO_PRIVATE, &request);
        if (request != NULL) end_request(request, code);
    }
}

// --- streams ------------------------------------------------------------------------------------

static size_t on_body(char *bytes, size_t size, size_t count, void *self) {
    NetRequest *request = self;
    Str chunk = {bytes, size * count};
    if (request->size + (int64_t)chunk.len > request->size_max) {
        request->has_error = true;
        request->error = err_make(ERR_LIMIT, "the answer has more than %lld bytes",
                                  (long long)request->size_max);
        return CURL_WRITEFUNC_ERROR;
    }
    request->size += (int64_t)chunk.len;
    if (request->callbacks.chunk != NULL) {
        if (request->callbacks.chunk(request->callbacks.self, chunk)) return chunk.len;
        request->is_over = true;
        return CURL_WRITEFUNC_ERROR;
    }
    if (request->save_fd < 0) {
        buffer_add(&request->body, chunk);
        return chunk.len;
    }
    Err err = file_write_fd(request->save_fd, chunk);
    if (err.code == ERR_NONE) return chunk.len;
    request->has_error = true;
    request->error = err_wrap(err, "cannot keep the answer");
    return CURL_WRITEFUNC_ERROR;
}

// True where a redirect leads to where it may not.
static bool leads_astray(NetRequest *request, Str location) {
    if (request->allow_metadata) return false;
    const CurlApi *curl = &request->net->curl;
    CURLU *url = curl->url_new();
    char *host = NULL;
    bool is_bad =
        url != NULL &&
        curl->url_set(url, CURLUPART_URL, str_to_c(&request->arena, location), 0) == CURLUE_OK &&
        curl->url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        net_is_metadata_host(str_from(host));
    if (host != NULL) curl->text_free(host);
    if (url != NULL) curl->url_free(url);
    return is_bad;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *self) {
    NetRequest *request = self;
    Str line = {bytes, size * count};
    if (str_starts_with(line, STR("HTTP/"))) {  // of the next answer: after a redirect, after 100
        request->headers.count = 0;
        request->is_head_open = true;
        if (request->save_fd < 0) buffer_clear(&request->body);
        return line.len;
    }
    if (str_trim(line).len == 0) request->is_head_open = false;
    size_t colon = str_find_char(line, ':', 0);
    request->header_bytes += line.len;
    if (colon == STR_NOT_FOUND || request->headers.count >= HEADERS_MAX) return line.len;
    if (request->header_bytes > HEADER_BYTES_MAX) {
        request->has_error = true;
        request->error =
            err_make(ERR_LIMIT, "the answer has more than %d bytes of headers", HEADER_BYTES_MAX);
        return 0;
    }
    Str name = str_dup(&request->arena, str_trim(str_slice(line, 0, colon)));
    for (size_t i = 0; i < name.len; i++) {
        char *c = (char *)(uintptr_t)&name.ptr[i];
        if (*c >= 'A' && *c <= 'Z') *c = (char)(*c + ('a' - 'A'));
    }
    Str value = str_dup(&request->arena, str_trim(str_slice(line, colon + 1, line.len)));
    *LIST_ADD(&request->arena, &request->headers, NetHeader) = (NetHeader){name, value};
    if (str_eq(name, STR("location")) && leads_astray(request, value)) {
        request->has_error = true;
        request->error = err_make(ERR_REFUSED, "a redirect to a metadata address is refused");
        return 0;
    }
    return line.len;
}

static size_t on_read(char *out, size_t size, size_t count, void *self) {
    NetRequest *request = self;
    size_t room = size * count;
    while (request->part_at < request->part_count) {
        const NetPart *part = &request->parts[request->part_at];
        int64_t whole = part->is_file ? part->size : (int64_t)part->text.len;
        int64_t left = whole - request->offset_at;
        if (left <= 0) {
            request->part_at++;
            request->offset_at = 0;
            continue;
        }
        size_t want = left < (int64_t)room ? (size_t)left : room;
        if (!part->is_file) {
            memcpy(out, part->text.ptr + request->offset_at, want);
        } else {
            ssize_t got = pread(part->fd, out, want, request->offset_at);
            if (got <= 0) return CURL_READFUNC_ABORT;  // shorter than it was
            want = (size_t)got;
        }
        request->offset_at += (int64_t)want;
        return want;
    }
    return 0;
}

// A body is sent again after a redirect or a challenge: always from its beginning.
static int on_seek(void *self, curl_off_t offset, int origin) {
    NetRequest *request = self;
    if (offset != 0 || origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
    request->part_at = 0;
    request->offset_at = 0;
    return CURL_SEEKFUNC_OK;
}

// The address that is really connected to, whatever the name was.
static curl_socket_t on_open(void *self, curlsocktype purpose, struct curl_sockaddr *address) {
    (void)purpose;
    NetRequest *request = self;
    char text[INET6_ADDRSTRLEN] = "";
    if (address->family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)&address->addr;
        inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
    } else if (address->family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)&address->addr;
        inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
    }
    if (!request->allow_metadata && net_is_metadata_host(str_from(text))) {
        request->has_error = true;
        request->error = err_make(ERR_REFUSED, "the metadata address '%s' is refused", text);
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

// --- from NetStart ------------------------------------------------------------------------------

static bool has_line_break(Str text) {
    return str_find_char(text, '\n', 0) != STR_NOT_FOUND ||
           str_find_char(text, '\r', 0) != STR_NOT_FOUND ||
           str_find_char(text, '\0', 0) != STR_NOT_FOUND;
}

static Err check_start(const NetStart *start) {
    if (start->url.len == 0) return err_make(ERR_INPUT, "the URL is empty");
    if (has_line_break(start->url)) return err_make(ERR_INPUT, "the URL has a line break in it");
    if (has_line_break(start->method) || str_find_char(start->method, ' ', 0) != STR_NOT_FOUND) {
        return err_make(ERR_INPUT, "'" STR_FMT "' is no HTTP method", STR_ARG(start->method));
    }
    for (uint32_t i = 0; i < start->header_count; i++) {
        const NetHeader *header = &start->headers[i];
        bool is_name = header->name.len > 0 && !has_line_break(header->name) &&
                       str_find_char(header->name, ':', 0) == STR_NOT_FOUND &&
                       str_find_char(header->name, ' ', 0) == STR_NOT_FOUND;
        if (!is_name) {
            return err_make(ERR_INPUT, "'" STR_FMT "' is no header name", STR_ARG(header->name));
        }
        if (has_line_break(header->value)) {
            return err_make(ERR_INPUT, "the header '" STR_FMT "' has a line break in its value",
                            STR_ARG(header->name));
        }
    }
    return err_none();
}

static bool given(const NetStart *start, Str name) {
    for (uint32_t i = 0; i < start->header_count; i++) {
        if (str_eq_ignore_case(start->headers[i].name, name)) return true;
    }
    return false;
}

static Err add_header(NetRequest *request, const char *line) {
    struct curl_slist *list = request->net->curl.slist_append(request->header_list, line);
    if (list == NULL) return err_make(ERR_SYSTEM, "libcurl is out of memory");
    request->header_list = list;
    return err_none();
}

static Err set_headers(NetRequest *request, const NetStart *start) {
    for (uint32_t i = 0; i < start->header_count; i++) {
        const NetHeader *header = &start->headers[i];
        // libcurl drops a header without a value unless it ends in `;`.
        Buffer line = {0};
        buffer_add(&line, header->name);
        if (header->value.len == 0) {
            buffer_add_char(&line, ';');
        } else {
            buffer_add(&line, STR(": "));
            buffer_add(&line, header->value);
        }
        buffer_add_char(&line, '\0');
        Err err = add_header(request, line.ptr);
        wipe(line.ptr, line.len);
        buffer_release(&line);
        TRY(err);
    }
    // What libcurl would add by itself.
    if (!given(start, STR("Expect"))) TRY(add_header(request, "Expect:"));
    if (start->has_body && !given(start, STR("Content-Type"))) {
        TRY(add_header(request, "Content-Type:"));
    }
    if (!given(start, STR("User-Agent")))
        TRY(add_header(request, "User-Agent: flowrun/" FLOW_VERSION));
    request->net->curl.easy_set(request->easy, CURLOPT_HTTPHEADER, request->header_list);
    return err_none();
}

static int64_t body_size(const NetRequest *request) {
    int64_t size = 0;
    for (uint32_t i = 0; i < request->part_count; i++) {
        const NetPart *part = &request->parts[i];
        size += part->is_file ? part->size : (int64_t)part->text.len;
    }
    return size;
}

static void set_method(NetRequest *request, const NetStart *start, Str method) {
    const CurlApi *curl = &request->net->curl;
    CURL *easy = request->easy;
    if (start->has_body) {
        curl->easy_set(easy, CURLOPT_POST, 1L);
        curl->easy_set(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body_size(request));
        curl->easy_set(easy, CURLOPT_READFUNCTION, on_read);
        curl->easy_set(easy, CURLOPT_READDATA, request);
        curl->easy_set(easy, CURLOPT_SEEKFUNCTION, on_seek);
        curl->easy_set(easy, CURLOPT_SEEKDATA, request);
    } else if (str_eq(method, STR("HEAD"))) {
        curl->easy_set(easy, CURLOPT_NOBODY, 1L);
    }
    // Not for POST with a body: libcurl then does what browsers do at 301, 302, 303.
    bool is_natural = start->has_body ? str_eq(method, STR("POST"))
                                      : str_eq(method, STR("GET")) || str_eq(method, STR("HEAD"));
    if (!is_natural) {
        curl->easy_set(easy, CURLOPT_CUSTOMREQUEST, str_to_c(&request->arena, method));
    }
}

static void set_blob(NetRequest *request, CURLoption option, Str text) {
    if (text.len == 0) return;
    struct curl_blob blob = {
        .data = (void *)(uintptr_t)text.ptr, .len = text.len, .flags = CURL_BLOB_COPY};
    request->net->curl.easy_set(request->easy, option, &blob);
}

static void set_text(NetRequest *request, CURLoption option, Str text) {
    if (text.len == 0) return;
    request->net->curl.easy_set(request->easy, option, str_to_c(&request->arena, text));
}

static void set_security(NetRequest *request, const NetStart *start) {
    const CurlApi *curl = &request->net->curl;
    CURL *easy = request->easy;
    curl->easy_set(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (start->is_insecure) {
        curl->easy_set(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl->easy_set(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    set_text(request, CURLOPT_CAINFO, start->ca_file);
    set_blob(request, CURLOPT_CAINFO_BLOB, start->ca);
    set_blob(request, CURLOPT_SSLCERT_BLOB, start->cert);
    set_blob(request, CURLOPT_SSLKEY_BLOB, start->key);
    if (start->auth != NET_AUTH_NONE) {
        curl->easy_set(easy, CURLOPT_HTTPAUTH,
                       start->auth == NET_AUTH_BASIC ? CURLAUTH_BASIC : CURLAUTH_DIGEST);
        set_text(request, CURLOPT_USERNAME, start->username.len > 0 ? start->username : STR(" "));
        set_text(request, CURLOPT_PASSWORD, start->password);
    }
    curl->easy_set(easy, CURLOPT_UNRESTRICTED_AUTH, 0L);
    if (start->allow_metadata || start->unix_socket.len > 0) {
        curl->easy_set(easy, CURLOPT_NOPROXY, "*");
    } else {
        set_text(request, CURLOPT_PROXY, start->proxy);
        set_text(request, CURLOPT_PROXYUSERNAME, start->proxy_username);
        set_text(request, CURLOPT_PROXYPASSWORD, start->proxy_password);
    }
    set_text(request, CURLOPT_UNIX_SOCKET_PATH, start->unix_socket);
}

static void set_streams(NetRequest *request, const NetStart *start) {
    const CurlApi *curl = &request->net->curl;
    CURL *easy = request->easy;
    curl->easy_set(easy, CURLOPT_PRIVATE, request);
    curl->easy_set(easy, CURLOPT_ERRORBUFFER, request->error_text);
    curl->easy_set(easy, CURLOPT_NOSIGNAL, 1L);
    curl->easy_set(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl->easy_set(easy, CURLOPT_WRITEDATA, request);
    curl->easy_set(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl->easy_set(easy, CURLOPT_HEADERDATA, request);
    if (start->unix_socket.len == 0) {
        curl->easy_set(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
        curl->easy_set(easy, CURLOPT_OPENSOCKETDATA, request);
    }
    if (start->save_fd < 0) curl->easy_set(easy, CURLOPT_ACCEPT_ENCODING, "");
    curl->easy_set(easy, CURLOPT_FOLLOWLOCATION, start->follow > 0 ? 1L : 0L);
    curl->easy_set(easy, CURLOPT_MAXREDIRS, (long)start->follow);
    int64_t connect = start->connect_ms > 0 ? start->connect_ms : CONNECT_MS;
    int64_t idle = start->idle_ms > 0 ? start->idle_ms : IDLE_MS;
    curl->easy_set(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect);
    curl->easy_set(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl->easy_set(easy, CURLOPT_LOW_SPEED_TIME, (long)((idle + 999) / 1000));
    if (start->total_ms > 0) curl->easy_set(easy, CURLOPT_TIMEOUT_MS, (long)start->total_ms);
}

// The URL as libcurl understands it; its host is what is refused or replaced.
static Err set_url(NetRequest *request, const NetStart *start) {
    const CurlApi *curl = &request->net->curl;
    CURLU *url = curl->url_new();
    char *host = NULL, *scheme = NULL, *port = NULL, *whole = NULL;
    Err err = err_none();
    if (url == NULL ||
        curl->url_set(url, CURLUPART_URL, str_to_c(&request->arena, start->url), 0) != CURLUE_OK ||
        curl->url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        curl->url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl->url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK) {
        err = err_make(ERR_INPUT, "this is no URL with http or https and a host");
        goto done;
    }
    bool is_mail =
        start->mail_to_count > 0 && (strcmp(scheme, "smtp") == 0 || strcmp(scheme, "smtps") == 0);
    if (!is_mail && strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0) {
        err = err_make(ERR_INPUT, "the scheme '%s' is not supported: use http or https", scheme);
        goto done;
    }
    if (!start->allow_metadata && net_is_metadata_host(str_from(host))) {
        err = err_make(ERR_REFUSED, "the metadata address '%s' is refused", host);
        goto done;
    }
    if (start->server_name.len > 0) {
        // The name that is checked goes into the URL, the connection still goes to the host.
        Str to = str_printf(&request->arena, STR_FMT ":%s:%s:%s", STR_ARG(start->server_name), port,
                            host, port);
        request->connect_list = curl->slist_append(NULL, to.ptr);
        curl->easy_set(request->easy, CURLOPT_CONNECT_TO, request->connect_list);
        curl->url_set(url, CURLUPART_HOST, str_to_c(&request->arena, start->server_name), 0);
        if (!given(start, STR("Host"))) {
            Str line = str_printf(&request->arena, "Host: %s:%s", host, port);
            err = add_header(request, line.ptr);
            if (err.code != ERR_NONE) goto done;
        }
    }
    if (curl->url_get(url, CURLUPART_URL, &whole, 0) == CURLUE_OK) {
        curl->easy_set(request->easy, CURLOPT_URL, whole);
    }
done:
    if (host != NULL) curl->text_free(host);
    if (scheme != NULL) curl->text_free(scheme);
    if (port != NULL) curl->text_free(port);
    if (whole != NULL) curl->text_free(whole);
    if (url != NULL) curl->url_free(url);
    return err;
}

static Err set_mail(NetRequest *request, const NetStart *start) {
    const CurlApi *curl = &request->net->curl;
    CURL *easy = request->easy;
    for (uint32_t i = 0; i < start->mail_to_count; i++) {
        if (has_line_break(start->mail_to[i])) {
            return err_make(ERR_INPUT, "a mail address has a line break in it");
        }
        const char *address = str_to_c(&request->arena, start->mail_to[i]);
        struct curl_slist *list = curl->slist_append(request->mail_list, address);
        if (list == NULL) return err_make(ERR_SYSTEM, "libcurl is out of memory");
        request->mail_list = list;
    }
    set_text(request, CURLOPT_MAIL_FROM, start->mail_from);
    curl->easy_set(easy, CURLOPT_MAIL_RCPT, request->mail_list);
    curl->easy_set(easy, CURLOPT_UPLOAD, 1L);
    curl->easy_set(easy, CURLOPT_READFUNCTION, on_read);
    curl->easy_set(easy, CURLOPT_READDATA, request);
    curl->easy_set(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)body_size(request));
    bool is_all = start->mail_tls == NET_MAIL_TLS_ALL;
    curl->easy_set(easy, CURLOPT_USE_SSL, (long)(is_all ? CURLUSESSL_ALL : CURLUSESSL_TRY));
    set_text(request, CURLOPT_XOAUTH2_BEARER, start->bearer);
    if (start->bearer.len > 0) set_text(request, CURLOPT_USERNAME, start->username);
    return err_none();
}

static Err set_all(NetRequest *request, const NetStart *start) {
    const CurlApi *curl = &request->net->curl;
    Str method = start->method.len > 0 ? start->method : STR("GET");
    request->easy = curl->easy_init();
    if (request->easy == NULL) return err_make(ERR_SYSTEM, "libcurl is out of memory");
    bool is_mail = start->mail_to_count > 0;
    const char *protocols = is_mail ? "smtp,smtps" : "http,https";
    if (curl->easy_set(request->easy, CURLOPT_PROTOCOLS_STR, protocols) != CURLE_OK ||
        curl->easy_set(request->easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https") != CURLE_OK) {
        return err_make(ERR_UNAVAILABLE, "the installed libcurl is too old (7.85 is needed)");
    }
    TRY(set_url(request, start));
    if (is_mail) {
        TRY(set_mail(request, start));
    } else {
        TRY(set_headers(request, start));
        set_method(request, start, method);
    }
    set_security(request, start);
    set_streams(request, start);
    return err_none();
}

static void copy_parts(NetRequest *request, const NetStart *start) {
    request->parts = arena_array(&request->arena, NetPart, start->part_count);
    request->part_count = start->part_count;
    for (uint32_t i = 0; i < start->part_count; i++) {
        request->parts[i] = start->parts[i];
        request->parts[i].text =
            start->parts[i].is_file ? (Str){0} : str_dup(&request->arena, start->parts[i].text);
    }
}

Err net_start(Net *net, const NetStart *start, NetRequest **out) {
    TRY(check_start(start));
    NetRequest *request = heap_alloc(1, sizeof *request);
    request->arena.allocator = &wiped_allocator;
    request->net = net;
    request->callbacks = start->callbacks;
    request->save_fd = start->save_fd;
    request->allow_metadata = start->allow_metadata;
    request->is_idempotent = start->is_keyed || net_method_is_idempotent(start->method);
    request->size_max = start->size_max;
    bool is_streamed = start->save_fd >= 0 || start->callbacks.chunk != NULL;
    if (request->size_max <= 0) request->size_max = is_streamed ? INT64_MAX : NET_MEMORY_MAX;
    copy_parts(request, start);
    Err err = err_none();
    bool is_taken = net->seam.start != NULL && net->seam.start(net->seam.self, start, request);
    if (!is_taken) {
        err = open_multi(net);
        if (err.code == ERR_NONE) err = set_all(request, start);
        if (err.code == ERR_NONE && net->curl.multi_add(net->multi, request->easy) != CURLM_OK) {
            err = err_make(ERR_SYSTEM, "libcurl does not take the request");
        }
    }
    if (err.code != ERR_NONE) {
        request_free(request);
        return err;
    }
    request->next = net->first;
    net->first = request;
    *out = request;
    return err_none();
}

// --- Net ----------------------------------------------------------------------------------------

Err net_new(Loop *loop, const NetSeam *seam, Net **out) {
    Net *net = heap_alloc(1, sizeof *net);
    net->loop = loop;
    if (seam != NULL) net->seam = *seam;
    net->timer = loop_timer_new(loop, on_timer, net);
    *out = net;
    return err_none();
}

void net_free(Net *net) {
    if (net == NULL) return;
    while (net->first != NULL) net_cancel(net->first);
    if (net->multi != NULL) net->curl.multi_cleanup(net->multi);
    curl_close(&net->curl);
    loop_timer_free(net->timer);
    heap_free(net);
}
