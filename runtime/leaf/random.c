// random.c - functions that give another result each time: ids, numbers, a free port. Chance comes
// from the machine's clock, so that tests can decide it.
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/utf8.h"
#include "leaf/machine.h"

enum { NANO_ID_MAX = 1000, ALPHABET_MAX = 256, KSUID_SIZE = 20, KSUID_DIGITS = 27 };

static const char base62[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static void fill(lua_State *L, void *out, size_t size) {
    const Clock *clock = vm_of(L)->clock;
    clock->random(clock->self, out, size);
}

// A number below `limit`, each as likely.
static uint64_t below(lua_State *L, uint64_t limit) {
    uint64_t reject = (0 - limit) % limit, value;
    do {
        fill(L, &value, sizeof value);
    } while (value < reject);
    return value % limit;
}

static int uuid(lua_State *L) {
    uint8_t bytes[16];
    fill(L, bytes, sizeof bytes);
    const Clock *clock = vm_of(L)->clock;
    uint64_t now = (uint64_t)clock->wall_ms(clock->self);
    for (int i = 0; i < 6; i++) bytes[i] = (uint8_t)(now >> (40 - 8 * i));
    bytes[6] = (uint8_t)(0x70 | (bytes[6] & 15));  // version 7
    bytes[8] = (uint8_t)(0x80 | (bytes[8] & 63));  // variant of RFC 9562
    Buffer *out = leaf_scratch(L);
    for (size_t i = 0; i < sizeof bytes; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) buffer_add_char(out, '-');
        buffer_printf(out, "%02x", bytes[i]);
    }
    leaf_push_scratch(L);
    return 1;
}

// The big-endian number in `bytes` with `digits` digits of base 62; destroys `bytes`.
static void push_base62(lua_State *L, uint8_t *bytes, size_t size, size_t digits) {
    char text[32];
    for (size_t i = digits; i > 0; i--) {
        unsigned rest = 0;
        for (size_t k = 0; k < size; k++) {
            unsigned value = rest << 8 | bytes[k];
            bytes[k] = (uint8_t)(value / 62);
            rest = value % 62;
        }
        text[i - 1] = base62[rest];
    }
    lua_pushlstring(L, text, digits);
}

static int id(lua_State *L) {
    uint8_t bytes[16];
    fill(L, bytes, sizeof bytes);
    bytes[0] &= 0x7f;
    push_base62(L, bytes, sizeof bytes, 22);
    return 1;
}

// Seconds since 2014-05-13 and 16 bytes of chance.
static int ksuid(lua_State *L) {
    uint8_t bytes[KSUID_SIZE];
    fill(L, bytes, sizeof bytes);
    const Clock *clock = vm_of(L)->clock;
    uint32_t seconds = (uint32_t)(clock->wall_ms(clock->self) / 1000 - 1400000000);
    for (int i = 0; i < 4; i++) bytes[i] = (uint8_t)(seconds >> (24 - 8 * i));
    push_base62(L, bytes, sizeof bytes, KSUID_DIGITS);
    return 1;
}

static int nano_id(lua_State *L) {
    int64_t length = lua_isinteger(L, FIRST_ARG) ? lua_tointeger(L, FIRST_ARG) : 21;
    Str alphabet = STR("_-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    if (!lua_isnil(L, FIRST_ARG + 1)) alphabet = leaf_str(L, FIRST_ARG + 1);
    int64_t least = leaf_is_2_0(L) ? 1 : 0;
    if (length < least || length > NANO_ID_MAX) {
        leaf_raise(L, LEAF_ERROR_VALUE, "'length' of 'nanoId()' is from %lld to %d",
                   (long long)least, NANO_ID_MAX);
    }
    Str letters[ALPHABET_MAX];
    size_t count = 0;
    for (size_t at = 0; at < alphabet.len && count < ALPHABET_MAX;) {
        size_t start = at;
        (void)utf8_next(alphabet, &at);
        letters[count++] = str_slice(alphabet, start, at);
    }
    if (count == 0) leaf_raise(L, LEAF_ERROR_VALUE, "'alphabet' of 'nanoId()' is empty");
    Buffer *out = leaf_scratch(L);
    for (int64_t i = 0; i < length; i++) buffer_add(out, letters[below(L, count)]);
    leaf_push_scratch(L);
    return 1;
}

static int random_int(lua_State *L) {
    int64_t lower = lua_tointeger(L, FIRST_ARG), upper = lua_tointeger(L, FIRST_ARG + 1);
    if (upper <= lower) {
        leaf_raise(L, LEAF_ERROR_VALUE, "'upper' of 'randomInt()' must be above 'lower'");
    }
    uint64_t offset = below(L, (uint64_t)upper - (uint64_t)lower);
    lua_pushinteger(L, (lua_Integer)((uint64_t)lower + offset));
    return 1;
}

static int random_port(lua_State *L) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_free = fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 &&
                   getsockname(fd, (struct sockaddr *)&address, &size) == 0;
    if (fd >= 0) close(fd);
    if (!is_free) leaf_raise(L, LEAF_ERROR_OTHER, "'randomPort()' finds no free port");
    lua_pushinteger(L, ntohs(address.sin_port));
    return 1;
}

const Builtin leaf_builtins_random[] = {
    {.kind = BUILTIN_FUNCTION,
     .name = "id",
     .params = {{"ignored", "any?"}},
     .result = "text",
     .flags = BUILTIN_RANDOM | BUILTIN_ANY_COUNT,
     .run = id,
     .text = "A short random id of 22 letters and digits.",
     .examples = "{{ id() | length }} => 22"},
    {.kind = BUILTIN_FUNCTION,
     .name = "ksuid",
     .params = {{"ignored", "any?"}},
     .result = "text",
     .flags = BUILTIN_RANDOM | BUILTIN_ANY_COUNT,
     .run = ksuid,
     .text = "An id of 27 letters and digits that sorts by time.",
     .examples = "{{ ksuid() | length }} => 27"},
    {.kind = BUILTIN_FUNCTION,
     .name = "nanoId",
     .params = {{"length", "any?"}, {"alphabet", "text?"}},
     .result = "text",
     .flags = BUILTIN_RANDOM,
     .run = nano_id,
     .text = "A random id of `length` (21) characters of `alphabet`.",
     .examples = "{{ nanoId(length=4, alphabet='z') }} => zzzz"},
    {.kind = BUILTIN_FUNCTION,
     .name = "randomInt",
     .params = {{"lower", "int"}, {"upper", "int"}},
     .result = "int",
     .flags = BUILTIN_RANDOM,
     .run = random_int,
     .text = "A random integer from `lower` to below `upper`.",
     .examples = "{{ randomInt(7, 8) }} => 7"},
    {.kind = BUILTIN_FUNCTION,
     .name = "randomPort",
     .params = {{"ignored", "any?"}},
     .result = "int",
     .flags = BUILTIN_RANDOM | BUILTIN_ANY_COUNT,
     .run = random_port,
     .text = "A TCP port of this machine that is free at this moment.",
     .examples = "{{ randomPort() > 1023 }} => true"},
    {.kind = BUILTIN_FUNCTION,
     .name = "uuid",
     .params = {{"ignored", "any?"}},
     .result = "text",
     .flags = BUILTIN_RANDOM | BUILTIN_ANY_COUNT,
     .run = uuid,
     .text = "A UUID that sorts by time (version 7).",
     .examples = "{{ uuid() | length }} => 36"},
    {.name = NULL                                     },
};
