// net.h - HTTP requests, and messages by SMTP, over libcurl's multi interface on the event loop.
//
// libcurl is opened at the first request, never linked (design §4.12). One Net holds the pool of
// connections; credentials are a request's own and never shared. TLS is 1.2 or newer and verified
// unless asked otherwise; only http and https, also after a redirect; link-local metadata addresses
// are refused, by name and by the address that is really connected to, unless asked for. Each
// request ends in exactly one class (spec: secrets and clouds, 1.1).
#ifndef FLOW_NET_NET_H
#define FLOW_NET_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "loop/loop.h"

typedef struct Net Net;
typedef struct NetRequest NetRequest;

typedef enum NetClass {
    NET_OK,
    NET_THROTTLED,  // wait, retry
    NET_TRANSIENT,  // retry within the budget
    NET_AUTH,       // refresh credentials once
    NET_AMBIGUOUS,  // may have been carried out: never sent again blindly
    NET_PERMANENT,
} NetClass;

const char *net_class_name(NetClass net_class);  // "ok", "throttled", …

typedef struct NetHeader {
    Str name, value;  // of an answer: the name is in lower case
} NetHeader;

// A body is its parts one behind the other.
typedef struct NetPart {
    Str text;
    int fd;  // where `is_file`: read from offset 0, not closed
    bool is_file;
    int64_t size;  // of the file
} NetPart;

typedef enum NetAuth { NET_AUTH_NONE, NET_AUTH_BASIC, NET_AUTH_DIGEST } NetAuth;

// Of smtp://; smtps:// is encrypted from the beginning.
typedef enum NetMailTls { NET_MAIL_TLS_TRY, NET_MAIL_TLS_ALL } NetMailTls;

enum { NET_MEMORY_MAX = 19 << 20 };

typedef struct NetResult {
    NetClass net_class;
    int32_t status;  // 0: no answer
    Str message;     // of a transport failure; empty where there is an answer
    const NetHeader *headers;
    uint32_t header_count;
    Str body;  // where it was kept in memory
    int64_t size;
    Str url;                 // where the last redirect led
    int64_t retry_after_ms;  // -1: the answer does not say
    bool was_sent;           // the request may have reached the server
} NetResult;

typedef struct NetCallbacks {
    // A piece of the body as it comes; false ends the request, which counts as done. May be NULL.
    bool (*chunk)(void *self, Str bytes);
    // Exactly once, never inside net_start; what it points to lives until it returns.
    void (*ended)(void *self, const NetResult *result);
    void *self;
} NetCallbacks;

typedef struct NetStart {
    Str method;  // empty: GET
    Str url;
    const NetHeader *headers;
    uint32_t header_count;
    const NetPart *parts;  // the texts are copied
    uint32_t part_count;
    bool has_body;  // also an empty one
    NetAuth auth;
    Str username, password;
    Str ca, ca_file;   // PEM text; path
    Str cert, key;     // PEM texts
    bool is_insecure;  // no verification
    Str server_name;   // what the certificate is checked against, where it is not the URL's host
    Str proxy;         // URL; empty: as the environment says
    Str proxy_username, proxy_password;
    Str unix_socket;
    uint32_t follow;                        // redirects at most; 0: none
    int64_t connect_ms, idle_ms, total_ms;  // 0: 30 s, 300 s, none
    int save_fd;                            // the body goes there; -1: memory
    int64_t size_max;                       // 0: NET_MEMORY_MAX in memory, else unlimited
    bool allow_metadata;
    // A message by SMTP: the URL is smtp:// or smtps://, the body is the message. NULL: HTTP.
    const Str *mail_to;
    uint32_t mail_to_count;
    Str mail_from;
    NetMailTls mail_tls;
    Str bearer;     // of SMTP: an OAuth 2 token
    bool is_keyed;  // an idempotency key is in it: a lost answer is no ambiguity
    NetCallbacks callbacks;
} NetStart;

// The seam for the transport (design §4.8): true takes the request; net_answer ends it later.
typedef struct NetSeam {
    bool (*start)(void *self, const NetStart *start, NetRequest *request);
    void *self;
} NetSeam;

MUST_CHECK Err net_new(Loop *loop, const NetSeam *seam, Net **out);
void net_free(Net *net);  // ends what is under way without callbacks
// ERR_UNAVAILABLE (no libcurl), ERR_INPUT (a URL or header that cannot be), ERR_REFUSED (a metadata
// address). Everything else is told by `ended`.
MUST_CHECK Err net_start(Net *net, const NetStart *start, NetRequest **out);
// Ends it without a callback.
void net_cancel(NetRequest *request);
// For a seam.
void net_answer(NetRequest *request, const NetResult *result);

// The class of an answer; `headers` are looked at for Retry-After and challenges.
NetClass net_classify(int32_t status, const NetHeader *headers, uint32_t count);
// True for methods that may be sent twice.
bool net_method_is_idempotent(Str method);
// Milliseconds an answer asks to wait: Retry-After-Ms, x-amz-retry-after, Retry-After (seconds or
// an HTTP date seen from `now_ms`); -1 where it does not.
int64_t net_retry_after(const NetHeader *headers, uint32_t count, int64_t now_ms);
// Full jitter: how long to wait before attempt `attempt` + 1 (from 1); what the answer asked for
// counts, at most 5 s above its own.
int64_t net_backoff(const Clock *clock, uint32_t attempt, NetClass net_class,
                    int64_t retry_after_ms);
// True for hosts that hold credentials of the machine: 169.254.0.0/16, fd00:ec2::/32,
// metadata.google.internal.
bool net_is_metadata_host(Str host);
// Value of a header, empty where there is none; `name` in lower case.
Str net_header(const NetResult *result, Str name);

#endif
