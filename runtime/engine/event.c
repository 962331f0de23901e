// event.c - names of states and events, and events as JSON.
//
// One table lists the members; writing and reading walk it, so neither can forget one.
#include "engine/event.h"

#include <string.h>

#include "base/codec.h"

static const char *const state_names[STATE_COUNT] = {
    [STATE_NONE] = "NONE",           [STATE_CREATED] = "CREATED",     [STATE_RUNNING] = "RUNNING",
    [STATE_PAUSED] = "PAUSED",       [STATE_RESTARTED] = "RESTARTED", [STATE_KILLING] = "KILLING",
    [STATE_QUEUED] = "QUEUED",       [STATE_RETRYING] = "RETRYING",   [STATE_SUCCESS] = "SUCCESS",
    [STATE_WARNING] = "WARNING",     [STATE_FAILED] = "FAILED",       [STATE_KILLED] = "KILLED",
    [STATE_CANCELLED] = "CANCELLED", [STATE_RETRIED] = "RETRIED",     [STATE_SKIPPED] = "SKIPPED",
};

static const struct {
    const char *name;
    bool is_decision;
} kinds[EVENT_KIND_END] = {
    [EVENT_CREATED] = {"CREATED",          false},
    [EVENT_STATE] = {"STATE",            true },
    [EVENT_TASKRUN] = {"TASKRUN",          true },
    [EVENT_FRAME] = {"FRAME",            true },
    [EVENT_TASKSTATE] = {"TASKSTATE",        true },
    [EVENT_RESOLVED] = {"RESOLVED",         false},
    [EVENT_STARTED] = {"STARTED",          false},
    [EVENT_CHECKPOINT] = {"CHECKPOINT",       false},
    [EVENT_ENDED] = {"ENDED",            false},
    [EVENT_DONE] = {"DONE",             false},
    [EVENT_RETRY_AT] = {"RETRY_AT",         true },
    [EVENT_TIMER_SET] = {"TIMER_SET",        true },
    [EVENT_FIRED] = {"FIRED",            false},
    [EVENT_PAUSED] = {"PAUSED",           true },
    [EVENT_RESUMED] = {"RESUMED",          false},
    [EVENT_CHILD] = {"CHILD",            true },
    [EVENT_CHILD_ENDED] = {"CHILD_ENDED",      false},
    [EVENT_KILL] = {"KILL",             false},
    [EVENT_RESTARTED] = {"RESTARTED",        false},
    [EVENT_COPIED] = {"COPIED",           false},
    [EVENT_MARKED] = {"MARKED",           false},
    [EVENT_UNKNOWN] = {"UNKNOWN",          false},
    [EVENT_UNKNOWN_RESOLVED] = {"UNKNOWN_RESOLVED", false},
    [EVENT_VARS] = {"VARS",             true },
    [EVENT_LABELS] = {"LABELS",           true },
    [EVENT_OUTPUTS] = {"OUTPUTS",          false},
    [EVENT_SLA] = {"SLA",              true },
    [EVENT_OWNER] = {"OWNER",            false},
    [EVENT_PAUSE] = {"PAUSE",            false},
    [EVENT_ENDING] = {"ENDING",           true },
};

const char *state_name(State state) {
    return state >= STATE_NONE && state < STATE_COUNT ? state_names[state] : "NONE";
}

bool state_from(Str name, State *out) {
    for (int i = STATE_CREATED; i < STATE_COUNT; i++) {
        if (!str_eq(name, str_from(state_names[i]))) continue;
        *out = (State)i;
        return true;
    }
    return false;
}

bool state_is_terminal(State state) {
    return state >= STATE_SUCCESS && state < STATE_COUNT;
}

bool event_is_decision(EventKind kind) {
    return kind > 0 && kind < EVENT_KIND_END && kinds[kind].is_decision;
}

const char *event_kind_name(EventKind kind) {
    return kind > 0 && kind < EVENT_KIND_END ? kinds[kind].name : "?";
}

// --- JSON ---------------------------------------------------------------------------------------

typedef enum MemberType {
    MEMBER_ID,
    MEMBER_STATE,
    MEMBER_BEGUN,
    MEMBER_U32,
    MEMBER_I32,
    MEMBER_I64,
    MEMBER_BOOL,
    MEMBER_STR,
    MEMBER_VALUE,
} MemberType;

// Names are in stores: they are for ever.
static const struct {
    const char *name;
    MemberType type;
    size_t offset;
} members[] = {
    {"run",     MEMBER_ID,    offsetof(Event, run)        },
    {"state",   MEMBER_STATE, offsetof(Event, state)      },
    {"node",    MEMBER_U32,   offsetof(Event, node)       },
    {"slot",    MEMBER_U32,   offsetof(Event, slot)       },
    {"attempt", MEMBER_I32,   offsetof(Event, attempt)    },
    {"at",      MEMBER_I64,   offsetof(Event, at_ms)      },
    {"index",   MEMBER_I64,   offsetof(Event, index)      },
    {"begun",   MEMBER_BEGUN, offsetof(Event, begun)      },
    {"exit",    MEMBER_I32,   offsetof(Event, exit_code)  },
    {"error",   MEMBER_BOOL,  offsetof(Event, is_error)   },
    {"parent",  MEMBER_ID,    offsetof(Event, parent)     },
    {"frame",   MEMBER_ID,    offsetof(Event, frame)      },
    {"id",      MEMBER_STR,   offsetof(Event, id)         },
    {"task",    MEMBER_STR,   offsetof(Event, task)       },
    {"text",    MEMBER_STR,   offsetof(Event, text)       },
    {"class",   MEMBER_STR,   offsetof(Event, error_class)},
    {"value",   MEMBER_VALUE, offsetof(Event, value)      },
    {"more",    MEMBER_VALUE, offsetof(Event, more)       },
};

static const char *const begun_names[] = {"never", "unknown", "failed"};

static void write_name(Buffer *out, const char *name) {
    buffer_add_char(out, out->ptr[out->len - 1] == '{' ? '"' : ',');
    if (out->ptr[out->len - 1] == ',') buffer_add_char(out, '"');
    buffer_add(out, str_from(name));
    buffer_add(out, STR("\":"));
}

static void write_integer(Buffer *out, const char *name, int64_t integer) {
    if (integer == 0) return;
    write_name(out, name);
    buffer_printf(out, "%lld", (long long)integer);
}

static void write_id(Buffer *out, const char *name, const RunId *id) {
    static const RunId zero = {{0}};
    if (memcmp(id, &zero, sizeof zero) == 0) return;
    write_name(out, name);
    buffer_add_char(out, '"');
    hex_encode(out, id->bytes, sizeof id->bytes);
    buffer_add_char(out, '"');
}

// How a value is written is told by the end of its member's name:
//   "value!"  it holds secrets. Only then is {"$secret": …} read back as one, so that a text from
//             outside cannot pose as a secret; a map that looks like one is written as
//             {"$secret": {"$literal": …}}.
//   "value#"  it is nested so deep that it is written as JSON text of its own.
enum { DEPTH_INLINE = 60 };

static uint32_t depth_of(Value value) {
    uint32_t depth = 0;
    if (value.kind == VALUE_LIST) {
        for (uint32_t i = 0; i < value.as.list->count; i++) {
            uint32_t inner = 1 + depth_of(value.as.list->items[i]);
            if (inner > depth) depth = inner;
        }
    } else if (value.kind == VALUE_MAP) {
        for (uint32_t i = 0; i < value.as.map->count; i++) {
            uint32_t inner = 1 + depth_of(value.as.map->members[i].value);
            if (inner > depth) depth = inner;
        }
    } else if (value.kind == VALUE_SECRET) {
        depth = 1 + depth_of(*value.as.secret);
    }
    return depth;
}

static bool is_marked(Value value, Str mark) {
    return value.kind == VALUE_MAP && value.as.map->count == 1 &&
           str_eq(value.as.map->members[0].key, mark);
}

static Value mark_with(Arena *arena, Str mark, Value value) {
    Value map = value_map(arena);
    value_map_set(arena, map, mark, value);
    return map;
}

// A copy in which maps that look like secrets are literals.
static Value escape(Arena *arena, Value value) {
    if (value.kind == VALUE_LIST) {
        Value list = value_list(arena);
        for (uint32_t i = 0; i < value.as.list->count; i++) {
            value_list_add(arena, list, escape(arena, value.as.list->items[i]));
        }
        return list;
    }
    if (value.kind != VALUE_MAP) return value;
    Value map = value_map(arena);
    for (uint32_t i = 0; i < value.as.map->count; i++) {
        const ValueMember *member = &value.as.map->members[i];
        value_map_set(arena, map, member->key, escape(arena, member->value));
    }
    if (!is_marked(value, STR("$secret"))) return map;
    return mark_with(arena, STR("$secret"),
                     mark_with(arena, STR("$literal"), map.as.map->members[0].value));
}

// Behind value_restore_secrets: literals become maps again.
static Value unescape(Arena *arena, Value value) {
    if (value.kind == VALUE_LIST) {
        for (uint32_t i = 0; i < value.as.list->count; i++) {
            value.as.list->items[i] = unescape(arena, value.as.list->items[i]);
        }
    } else if (value.kind == VALUE_MAP) {
        for (uint32_t i = 0; i < value.as.map->count; i++) {
            value.as.map->members[i].value = unescape(arena, value.as.map->members[i].value);
        }
    } else if (value.kind == VALUE_SECRET && is_marked(*value.as.secret, STR("$literal"))) {
        Value literal = value.as.secret->as.map->members[0].value;
        return mark_with(arena, STR("$secret"), unescape(arena, literal));
    }
    return value;
}

static void write_value(Buffer *out, const char *name, Value value) {
    if (value.kind == VALUE_NULL) return;
    Arena scratch = {0};
    bool has_secret = value_has_secret(value);
    if (has_secret) value = escape(&scratch, value);
    bool is_deep = depth_of(value) > DEPTH_INLINE;
    write_name(out, name);
    if (has_secret || is_deep) out->len -= 2;
    if (has_secret) buffer_add_char(out, '!');
    if (is_deep) buffer_add_char(out, '#');
    if (has_secret || is_deep) buffer_add(out, STR("\":"));
    unsigned flags = has_secret ? JSON_KEEP_SECRETS : 0;
    if (is_deep) {
        Buffer text = {0};
        json_write(&text, value, JSON_COMPACT, flags);
        buffer_add_json(out, buffer_str(&text));
        buffer_release(&text);
    } else {
        json_write(out, value, JSON_COMPACT, flags);
    }
    arena_release(&scratch);
}

void event_write(const Event *event, Buffer *out) {
    buffer_add_char(out, '{');
    for (size_t i = 0; i < COUNT(members); i++) {
        const void *at = (const char *)event + members[i].offset;
        const char *name = members[i].name;
        switch (members[i].type) {
        case MEMBER_ID:
            write_id(out, name, at);
            break;
        case MEMBER_STATE:
            if (*(const State *)at == STATE_NONE) break;
            write_name(out, name);
            buffer_printf(out, "\"%s\"", state_name(*(const State *)at));
            break;
        case MEMBER_BEGUN:
            if (*(const Begun *)at == BEGUN_NEVER) break;
            write_name(out, name);
            buffer_printf(out, "\"%s\"", begun_names[*(const Begun *)at]);
            break;
        case MEMBER_U32:
            write_integer(out, name, *(const uint32_t *)at);
            break;
        case MEMBER_I32:
            write_integer(out, name, *(const int32_t *)at);
            break;
        case MEMBER_I64:
            write_integer(out, name, *(const int64_t *)at);
            break;
        case MEMBER_BOOL:
            if (!*(const bool *)at) break;
            write_name(out, name);
            buffer_add(out, STR("true"));
            break;
        case MEMBER_STR:
            if (((const Str *)at)->len == 0) break;
            write_name(out, name);
            buffer_add_json(out, *(const Str *)at);
            break;
        case MEMBER_VALUE:
            write_value(out, name, *(const Value *)at);
            break;
        }
    }
    buffer_add_char(out, '}');
}

// Bodies are ours: a value may have 64 MiB, and a COPIED holds several.
static const JsonLimits LIMITS = {.bytes = (size_t)256 << 20, .depth = 64};

static Err wrong(Str key, const char *expected) {
    return err_make(ERR_INPUT, "event member '" STR_FMT "': expected %s", STR_ARG(key), expected);
}

static Err read_integer(Str key, Value value, int64_t low, int64_t high, int64_t *out) {
    if (value.kind != VALUE_INT || value.as.integer < low || value.as.integer > high) {
        return wrong(key, "an integer in range");
    }
    *out = value.as.integer;
    return err_none();
}

static Err read_text_member(Str key, MemberType type, Value value, void *at) {
    if (value.kind != VALUE_TEXT) return wrong(key, "a text");
    Str text = value.as.text;
    switch (type) {
    case MEMBER_ID:
        if (hex_decode(text, ((RunId *)at)->bytes, sizeof(RunId))) return err_none();
        return wrong(key, "32 hexadecimal digits");
    case MEMBER_STATE:
        if (state_from(text, at)) return err_none();
        return wrong(key, "the name of a state");
    case MEMBER_BEGUN:
        for (size_t i = 0; i < COUNT(begun_names); i++) {
            if (!str_eq(text, str_from(begun_names[i]))) continue;
            *(Begun *)at = (Begun)i;
            return err_none();
        }
        return wrong(key, "never, unknown or failed");
    case MEMBER_STR:
        *(Str *)at = text;
        return err_none();
    case MEMBER_U32:
    case MEMBER_I32:
    case MEMBER_I64:
    case MEMBER_BOOL:
    case MEMBER_VALUE:
        break;
    }
    return wrong(key, "something else");
}

static Err read_member(Str key, MemberType type, Value value, void *at) {
    int64_t integer = 0;
    switch (type) {
    case MEMBER_U32:
        TRY(read_integer(key, value, 0, UINT32_MAX, &integer));
        *(uint32_t *)at = (uint32_t)integer;
        return err_none();
    case MEMBER_I32:
        TRY(read_integer(key, value, INT32_MIN, INT32_MAX, &integer));
        *(int32_t *)at = (int32_t)integer;
        return err_none();
    case MEMBER_I64:
        TRY(read_integer(key, value, INT64_MIN, INT64_MAX, &integer));
        *(int64_t *)at = integer;
        return err_none();
    case MEMBER_BOOL:
        if (value.kind != VALUE_BOOL) return wrong(key, "true or false");
        *(bool *)at = value.as.boolean;
        return err_none();
    case MEMBER_VALUE:
        *(Value *)at = value;
        return err_none();
    case MEMBER_ID:
    case MEMBER_STATE:
    case MEMBER_BEGUN:
    case MEMBER_STR:
        break;
    }
    return read_text_member(key, type, value, at);
}

Err event_read(EventKind kind, Str body, Arena *arena, Event *out) {
    *out = (Event){.kind = kind};
    if (kind <= 0 || kind >= EVENT_KIND_END) {
        return err_make(ERR_UNSUPPORTED, "event of kind %d is unknown: a newer version wrote it",
                        (int)kind);
    }
    Value object;
    TRY(json_parse(body, LIMITS, arena, &object));
    if (object.kind != VALUE_MAP) return err_make(ERR_INPUT, "an event must be a map");
    // Members of a newer version are passed over.
    for (uint32_t i = 0; i < object.as.map->count; i++) {
        Str key = object.as.map->members[i].key;
        Value value = object.as.map->members[i].value;
        Str name = key;
        if (str_ends_with(name, STR("#"))) {
            name.len -= 1;
            if (value.kind != VALUE_TEXT) return wrong(key, "JSON as text");
            TRY(json_parse(value.as.text, LIMITS, arena, &value));
        }
        if (str_ends_with(name, STR("!"))) {
            name.len -= 1;
            value = unescape(arena, value_restore_secrets(arena, value));
        }
        for (size_t m = 0; m < COUNT(members); m++) {
            if (!str_eq(name, str_from(members[m].name))) continue;
            TRY(read_member(name, members[m].type, value, (char *)out + members[m].offset));
        }
    }
    return err_none();
}
