// ask_http.c - http() in an expression: one request, answered before the expression goes on.
//
// It has a loop of its own for that long; a task of type Request is the better place for what takes
// time, may fail or needs credentials, and the messages say so.
#include <string.h>

#include "base/codec.h"
#include "base/utf8.h"
#include "loop/loop.h"
#include "net/net.h"
#include "run/driver.h"

enum { TOTAL_MS = 60000, BODY_MAX = 16 << 20, HEADERS_MAX = 64, FOLLOW = 5 };

typedef struct Asked {
    Arena *arena;
    bool is_ended;
    NetResult result;
    Str body, content_type;
} Asked;

static void ended(void *self, const NetResult *result) {
    Asked *asked = self;
    asked->is_ended = true;
    asked->result = *result;
    asked->result.message = str_dup(asked->arena, result->message);
    asked->body = str_dup(asked->arena, result->body);
    asked->content_type = str_dup(asked->arena, net_header(result, STR("content-type")));
}

static LeafStatus refuse(LeafRun *run, Str url, const char *why, Str detail) {
    return leaf_refuse(run, LEAF_ERROR_OTHER,
                       str_printf(run->arena, "http('" STR_FMT "') %s" STR_FMT,
                                  STR_ARG(str_slice(url, 0, 200)), why, STR_ARG(detail)));
}

// `url?name=value&…`
static Str with_query(Arena *arena, Str url, Value query) {
    if (query.kind != VALUE_MAP || query.as.map->count == 0) return url;
    Buffer out = {0};
    buffer_add(&out, url);
    char separator = str_find_char(url, '?', 0) == STR_NOT_FOUND ? '?' : '&';
    for (uint32_t i = 0; i < query.as.map->count; i++) {
        const ValueMember *member = &query.as.map->members[i];
        buffer_add_char(&out, separator);
        percent_encode(&out, member->key);
        buffer_add_char(&out, '=');
        percent_encode(&out, value_to_text(arena, member->value));
        separator = '&';
    }
    Str whole = buffer_to_str(&out, arena);
    buffer_release(&out);
    return whole;
}

static void add_header(NetHeader headers[HEADERS_MAX], uint32_t *count, Str name, Str value) {
    for (uint32_t i = 0; i < *count; i++) {
        if (str_eq_ignore_case(headers[i].name, name)) return;  // what was given wins
    }
    if (*count < HEADERS_MAX) headers[(*count)++] = (NetHeader){name, value};
}

static Value argument(const LeafRun *run, const char *name) {
    const Value *found = value_map_get(run->arguments, str_from(name));
    return found == NULL ? value_null() : *found;
}

// By the type that the answer says it has: JSON and YAML are read, all else is text.
static LeafStatus give(LeafRun *run, Str url, const Asked *asked) {
    Value value = value_text(asked->body);
    Str type = asked->content_type;
    size_t end = str_find_char(type, ';', 0);
    type = str_trim(str_slice(type, 0, end == STR_NOT_FOUND ? type.len : end));
    Err err = err_none();
    if (asked->body.len > 0 && (str_ends_with(type, STR("json")))) {
        err = json_parse(asked->body, (JsonLimits){0}, run->arena, &value);
    } else if (asked->body.len > 0 && str_ends_with(type, STR("yaml"))) {
        err = yaml_parse(asked->body, run->arena, &value);
    } else if (utf8_find_invalid(asked->body) != STR_NOT_FOUND) {
        return refuse(run, url, "gave bytes that are no text", (Str){0});
    }
    if (err.code != ERR_NONE)
        return refuse(run, url, "gave a body that is not what it says: ", str_from(err.text));
    return leaf_answer(run, value);
}

static Err send(const NetStart *start, Asked *asked) {
    Loop *loop = NULL;
    Net *net = NULL;
    NetRequest *request = NULL;
    TRY(loop_new(&loop));
    Err err = net_new(loop, NULL, &net);
    if (err.code == ERR_NONE) err = net_start(net, start, &request);
    while (err.code == ERR_NONE && !asked->is_ended) {
        if (!loop_run_once(loop, TOTAL_MS)) break;
    }
    if (net != NULL) net_free(net);
    loop_free(loop);
    return err;
}

LeafStatus run_ask_http(Execution *execution, LeafRun *run) {
    Arena *arena = run->arena;
    Str url = value_map_get_text(run->arguments, STR("uri"), (Str){0});
    if (execution->planner != NULL) {
        return leaf_answer(run, value_text(str_printf(arena, "<http." STR_FMT ">", STR_ARG(url))));
    }
    const Value options = argument(run, "options");
    if (options.kind == VALUE_MAP && options.as.map->count > 0) {
        return refuse(
            run, url,
            "takes no 'options' here: use a task of type 'io.kestra.plugin.core.http.Request'",
            (Str){0});
    }
    NetHeader headers[HEADERS_MAX];
    uint32_t count = 0;
    const Value given = argument(run, "headers");
    for (uint32_t i = 0; given.kind == VALUE_MAP && i < given.as.map->count; i++) {
        const ValueMember *member = &given.as.map->members[i];
        add_header(headers, &count, member->key, value_to_text(arena, member->value));
    }
    const Str json = STR("application/json");
    add_header(headers, &count, STR("Accept"),
               value_map_get_text(run->arguments, STR("accept"), json));
    const Value body = argument(run, "body");
    NetPart part = {.fd = -1};
    if (body.kind != VALUE_NULL) {
        add_header(headers, &count, STR("Content-Type"),
                   value_map_get_text(run->arguments, STR("contentType"), json));
        part.text = value_to_text(arena, body);
    }
    Asked asked = {.arena = arena};
    const NetStart start = {
        .method = value_map_get_text(run->arguments, STR("method"), STR("GET")),
        .url = with_query(arena, url, argument(run, "query")),
        .headers = headers,
        .header_count = count,
        .parts = &part,
        .part_count = body.kind != VALUE_NULL,
        .has_body = body.kind != VALUE_NULL,
        .follow = FOLLOW,
        .total_ms = TOTAL_MS,
        .save_fd = -1,
        .size_max = BODY_MAX,
        .callbacks = {.ended = ended, .self = &asked}
    };
    const Err err = send(&start, &asked);
    if (err.code != ERR_NONE) return refuse(run, url, "failed: ", str_from(err.text));
    if (asked.result.status == 0) return refuse(run, url, "got no answer: ", asked.result.message);
    if (asked.result.status >= 400) {
        return refuse(run, url, "got the status ", str_printf(arena, "%d", asked.result.status));
    }
    return give(run, url, &asked);
}
