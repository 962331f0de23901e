// crypto.c - hashes, encryption with a key of the flow's own.
#include "base/crypto.h"

#include "base/codec.h"
#include "base/libcrypto.h"
#include "leaf/machine.h"

static int push_hex(lua_State *L, const uint8_t *bytes, size_t size) {
    Buffer *out = leaf_scratch(L);
    hex_encode(out, bytes, size);
    leaf_push_scratch(L);
    return 1;
}

static int md5_filter(lua_State *L) {
    uint8_t hash[MD5_SIZE];
    Err err = md5(leaf_str(L, FIRST_ARG), hash);
    if (err.code != ERR_NONE) leaf_raise_err(L, LEAF_ERROR_UNKNOWN, &err);
    return push_hex(L, hash, sizeof hash);
}

static int sha1_filter(lua_State *L) {
    uint8_t hash[SHA1_SIZE];
    Err err = sha1(leaf_str(L, FIRST_ARG), hash);
    if (err.code != ERR_NONE) leaf_raise_err(L, LEAF_ERROR_UNKNOWN, &err);
    return push_hex(L, hash, sizeof hash);
}

static int sha256_filter(lua_State *L) {
    uint8_t hash[32];
    sha256(leaf_str(L, FIRST_ARG), hash);
    return push_hex(L, hash, sizeof hash);
}

static int sha512_filter(lua_State *L) {
    uint8_t hash[64];
    sha512(leaf_str(L, FIRST_ARG), hash);
    return push_hex(L, hash, sizeof hash);
}

// --- encryption ---------------------------------------------------------------------------------

// Null and empty texts stay as they are.
static bool is_nothing(lua_State *L, int index) {
    return leaf_kind(L, index) == KIND_NULL || leaf_str(L, index).len == 0;
}

static Str read_key(lua_State *L) {
    Buffer *key = leaf_scratch(L);
    bool is_key = base64_decode(key, leaf_str(L, FIRST_ARG)) &&
                  (key->len == 16 || key->len == 24 || key->len == 32);
    if (!is_key) {
        leaf_raise(L, LEAF_ERROR_VALUE, "'key' of '%s()' is 16, 24 or 32 bytes in Base64",
                   vm_of(L)->builtin);
    }
    return buffer_str(key);
}

static int encrypt(lua_State *L) {
    if (is_nothing(L, FIRST_ARG + 1)) {
        lua_pushvalue(L, FIRST_ARG + 1);
        return 1;
    }
    Str key = read_key(L);
    const Clock *clock = vm_of(L)->clock;
    uint8_t iv[GCM_IV_SIZE];
    clock->random(clock->self, iv, sizeof iv);
    Buffer *sealed = leaf_scratch(L), *out = leaf_scratch(L);
    buffer_add_bytes(sealed, iv, sizeof iv);
    Err err = aes_gcm_seal(key, iv, leaf_str(L, FIRST_ARG + 1), sealed);
    if (err.code != ERR_NONE) leaf_raise_err(L, LEAF_ERROR_UNKNOWN, &err);
    base64_encode(out, buffer_str(sealed));
    leaf_push_scratch(L);
    return 1;
}

static int decrypt(lua_State *L) {
    if (is_nothing(L, FIRST_ARG + 1)) {
        lua_pushvalue(L, FIRST_ARG + 1);
        return 1;
    }
    Str key = read_key(L);
    Buffer *sealed = leaf_scratch(L), *out = leaf_scratch(L);
    if (!base64_decode(sealed, leaf_str(L, FIRST_ARG + 1)) || sealed->len < GCM_IV_SIZE) {
        leaf_raise(L, LEAF_ERROR_VALUE, "'encrypted' of 'decrypt()' is no encrypted text");
    }
    Str bytes = buffer_str(sealed);
    Err err = aes_gcm_open(key, (const uint8_t *)bytes.ptr,
                           str_slice(bytes, GCM_IV_SIZE, bytes.len), out);
    if (err.code != ERR_NONE) {
        leaf_raise(L, err.code == ERR_UNAVAILABLE ? LEAF_ERROR_UNKNOWN : LEAF_ERROR_VALUE,
                   "'decrypt()' fails: %s", err.text);
    }
    leaf_push_bytes(L, buffer_str(out));
    return 1;
}

#define HASH_ROW(filter, function, words, cases)                                                   \
    {                                                                                              \
        .kind = BUILTIN_FILTER, .name = (filter), .input = "text", .result = "text",               \
        .flags = BUILTIN_NULL_PASSES | BUILTIN_NO_ARGUMENTS, .run = (function), .text = (words),   \
        .examples = (cases)                                                                        \
    }

const Builtin leaf_builtins_crypto[] = {
    {.kind = BUILTIN_FUNCTION,
     .name = "decrypt",
     .params = {{"key", "text"}, {"encrypted", "text|null"}},
     .result = "text",
     .run = decrypt,
     .text = "The text that `encrypt` was given; `key` is Base64.",
     .examples = "{{ decrypt('MDEyMzQ1Njc4OWFiY2RlZg==', '') }} => "},
    {.kind = BUILTIN_FUNCTION,
     .name = "encrypt",
     .params = {{"key", "text"}, {"plaintext", "text|null"}},
     .result = "text",
     .flags = BUILTIN_RANDOM,
     .run = encrypt,
     .text = "A text encrypted with AES-GCM; `key` is 16, 24 or 32 bytes in Base64.",
     .examples = "{{ decrypt('MDEyMzQ1Njc4OWFiY2RlZg==', "
                 "encrypt('MDEyMzQ1Njc4OWFiY2RlZg==', 'hidden')) }} => hidden"},
    HASH_ROW("md5", md5_filter, "The MD5 hash in hexadecimal.",
             "{{ 'flow' | md5 }} => cff5497121104c2b8e0cb41ed2083a9b"),
    HASH_ROW("sha1", sha1_filter, "The SHA-1 hash in hexadecimal.",
             "{{ 'flow' | sha1 }} => d8f7e9c783be82328ffc2f348b0f257b671c1107"),
    HASH_ROW("sha256", sha256_filter, "The SHA-256 hash in hexadecimal.",
             "{{ 'a' | sha256 | slice(0, 8) }} => ca978112"),
    HASH_ROW("sha512", sha512_filter, "The SHA-512 hash in hexadecimal.",
             "{{ 'flow' | sha512 | slice(0, 8) }} => 8f0ae317"),
    {.name = NULL                                         },
};
