// classify.c - what an answer means: one of the classes, how long to wait, where not to go.
#include <arpa/inet.h>
#include <string.h>

#include "net/net.h"
#include "value/time.h"

const char *net_class_name(NetClass net_class) {
    switch (net_class) {
    case NET_OK:
        return "ok";
    case NET_THROTTLED:
        return "throttled";
    case NET_TRANSIENT:
        return "transient";
    case NET_AUTH:
        return "auth";
    case NET_AMBIGUOUS:
        return "ambiguous";
    case NET_PERMANENT:
        return "permanent";
    }
    return "permanent";
}

static Str find_header(const NetHeader *headers, uint32_t count, Str name) {
    for (uint32_t i = 0; i < count; i++) {
        if (str_eq(headers[i].name, name)) return headers[i].value;
    }
    return (Str){0};
}

Str net_header(const NetResult *result, Str name) {
    return find_header(result->headers, result->header_count, name);
}

// A challenge that says the token is not good any more (RFC 6750).
static bool token_has_expired(const NetHeader *headers, uint32_t count) {
    Str challenge = find_header(headers, count, STR("www-authenticate"));
    return str_find(challenge, STR("invalid_token"), 0) != STR_NOT_FOUND ||
           str_find(challenge, STR("expired"), 0) != STR_NOT_FOUND;
}

NetClass net_classify(int32_t status, const NetHeader *headers, uint32_t count) {
    if (status >= 200 && status < 400) return NET_OK;
    switch (status) {
    case 429:
        return NET_THROTTLED;
    case 503:
        return find_header(headers, count, STR("retry-after")).len > 0 ? NET_THROTTLED
                                                                       : NET_TRANSIENT;
    case 408:
    case 500:
    case 502:
    case 504:
        return NET_TRANSIENT;
    case 401:
        return NET_AUTH;
    case 403:
        return token_has_expired(headers, count) ? NET_AUTH : NET_PERMANENT;
    default:
        return NET_PERMANENT;
    }
}

bool net_method_is_idempotent(Str method) {
    static const char *const once[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"};
    if (method.len == 0) return true;
    for (size_t i = 0; i < COUNT(once); i++) {
        if (str_eq(method, str_from(once[i]))) return true;
    }
    return false;
}

// --- waiting ------------------------------------------------------------------------------------

static bool read_number(Str text, size_t at, size_t len, int64_t *out) {
    return at + len <= text.len && str_to_int(str_slice(text, at, at + len), out);
}

// "Sun, 06 Nov 1994 08:49:37 GMT", the form that RFC 9110 prescribes; -1 for anything else.
static int64_t http_date_ms(Str text) {
    const Str months = STR("JanFebMarAprMayJunJulAugSepOctNovDec");
    int64_t day = 0, year = 0, hour = 0, minute = 0, second = 0;
    if (text.len != 29 || !read_number(text, 5, 2, &day) || !read_number(text, 12, 4, &year) ||
        !read_number(text, 17, 2, &hour) || !read_number(text, 20, 2, &minute) ||
        !read_number(text, 23, 2, &second) || !str_ends_with(text, STR(" GMT"))) {
        return -1;
    }
    size_t month = str_find(months, str_slice(text, 8, 11), 0);
    if (month == STR_NOT_FOUND || month % 3 != 0) return -1;
    int64_t days = days_from_date((int32_t)year, (int)month / 3 + 1, (int)day);
    return (((days * 24 + hour) * 60 + minute) * 60 + second) * 1000;
}

enum { WAIT_MAX_MS = 24 * 3600 * 1000 };

static int64_t bounded(int64_t milliseconds) {
    if (milliseconds < 0) return 0;
    return milliseconds > WAIT_MAX_MS ? WAIT_MAX_MS : milliseconds;
}

int64_t net_retry_after(const NetHeader *headers, uint32_t count, int64_t now_ms) {
    int64_t number = 0;
    if (str_to_int(find_header(headers, count, STR("x-amz-retry-after")), &number)) {
        return bounded(number);
    }
    if (str_to_int(find_header(headers, count, STR("retry-after-ms")), &number)) {
        return bounded(number);
    }
    Str text = find_header(headers, count, STR("retry-after"));
    if (text.len == 0) return -1;
    if (str_to_int(text, &number)) {
        return number > WAIT_MAX_MS / 1000 ? WAIT_MAX_MS : bounded(number * 1000);
    }
    int64_t date = http_date_ms(text);
    return date < 0 ? -1 : bounded(date - now_ms);
}

int64_t net_backoff(const Clock *clock, uint32_t attempt, NetClass net_class,
                    int64_t retry_after_ms) {
    enum { CAP_MS = 20000, SLACK_MS = 5000 };
    int64_t limit = net_class == NET_THROTTLED ? 1000 : 50;
    for (uint32_t i = 1; i < attempt && limit < CAP_MS; i++) limit *= 2;
    if (limit > CAP_MS) limit = CAP_MS;
    uint32_t chance = 0;
    clock->random(clock->self, &chance, sizeof chance);
    int64_t wait = (int64_t)((double)limit * ((double)chance / 4294967296.0));
    if (retry_after_ms < 0) return wait;
    if (wait < retry_after_ms) return retry_after_ms;
    return wait > retry_after_ms + SLACK_MS ? retry_after_ms + SLACK_MS : wait;
}

// --- metadata addresses -------------------------------------------------------------------------

static bool is_metadata_v4(const uint8_t bytes[4]) {
    return bytes[0] == 169 && bytes[1] == 254;
}

static bool is_metadata_v6(const uint8_t bytes[16]) {
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    static const uint8_t ec2[4] = {0xFD, 0x00, 0x0E, 0xC2};
    if (memcmp(bytes, mapped, sizeof mapped) == 0) return is_metadata_v4(bytes + 12);
    return memcmp(bytes, ec2, sizeof ec2) == 0;
}

bool net_is_metadata_host(Str host) {
    char name[256];
    if (host.len >= 2 && host.ptr[0] == '[') host = str_slice(host, 1, host.len - 1);
    if (host.len > 0 && host.ptr[host.len - 1] == '.') host = str_slice(host, 0, host.len - 1);
    if (host.len == 0 || host.len >= sizeof name) return false;
    if (str_eq_ignore_case(host, STR("metadata.google.internal"))) return true;
    memcpy(name, host.ptr, host.len);
    name[host.len] = '\0';
    struct in_addr v4 = {0};
    struct in6_addr v6 = {0};
    // inet_aton knows 0xA9FEA9FE, 169.16689662 and 0251.0376.… as well, as the resolver does.
    if (inet_aton(name, &v4) != 0) return is_metadata_v4((const uint8_t *)&v4.s_addr);
    if (inet_pton(AF_INET6, name, &v6) == 1) return is_metadata_v6(v6.s6_addr);
    return false;
}
