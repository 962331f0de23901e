// crypto.c - the only file that knows libsodium.
#include "base/crypto.h"

#include <sodium.h>
#include <string.h>

_Static_assert(sizeof(Hasher) >= sizeof(crypto_generichash_state), "a hasher holds sodium's state");

Err crypto_init(void) {
    if (sodium_init() < 0) return err_make(ERR_UNAVAILABLE, "libsodium cannot be initialised");
    return err_none();
}

static const unsigned char *bytes_of(Str str) {
    return (const unsigned char *)(str.ptr == NULL ? "" : str.ptr);
}

void hasher_init(Hasher *hasher, size_t size) {
    crypto_generichash_init((crypto_generichash_state *)(void *)hasher->state, NULL, 0, size);
}

void hasher_add(Hasher *hasher, Str bytes) {
    crypto_generichash_update((crypto_generichash_state *)(void *)hasher->state, bytes_of(bytes),
                              bytes.len);
}

void hasher_end(Hasher *hasher, uint8_t *out, size_t size) {
    crypto_generichash_final((crypto_generichash_state *)(void *)hasher->state, out, size);
}

Hash hash_bytes(Str bytes) {
    Hash hash;
    crypto_generichash(hash.bytes, sizeof hash.bytes, bytes_of(bytes), bytes.len, NULL, 0);
    return hash;
}

Hash128 hash128_bytes(Str bytes) {
    Hash128 hash;
    crypto_generichash(hash.bytes, sizeof hash.bytes, bytes_of(bytes), bytes.len, NULL, 0);
    return hash;
}

bool hash_eq(const Hash *a, const Hash *b) {
    return sodium_memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

void sha256(Str bytes, uint8_t out[32]) {
    crypto_hash_sha256(out, bytes_of(bytes), bytes.len);
}

void sha512(Str bytes, uint8_t out[64]) {
    crypto_hash_sha512(out, bytes_of(bytes), bytes.len);
}

void hmac_sha256(Str key, Str bytes, uint8_t out[32]) {
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, bytes_of(key), key.len);
    crypto_auth_hmacsha256_update(&state, bytes_of(bytes), bytes.len);
    crypto_auth_hmacsha256_final(&state, out);
    sodium_memzero(&state, sizeof state);
}

void hkdf_sha256(Str secret, Str salt, Str purpose, uint8_t out[32]) {
    crypto_auth_hmacsha256_state state;
    uint8_t key[32];
    const uint8_t counter = 1;
    hmac_sha256(salt, secret, key);
    crypto_auth_hmacsha256_init(&state, key, sizeof key);
    crypto_auth_hmacsha256_update(&state, bytes_of(purpose), purpose.len);
    crypto_auth_hmacsha256_update(&state, &counter, 1);
    crypto_auth_hmacsha256_final(&state, out);
    sodium_memzero(&state, sizeof state);
    sodium_memzero(key, sizeof key);
}

bool x25519(uint8_t out[32], const uint8_t secret_key[32], const uint8_t public_key[32]) {
    return crypto_scalarmult(out, secret_key, public_key) == 0 && !sodium_is_zero(out, 32);
}

void x25519_public(uint8_t out[32], const uint8_t secret_key[32]) {
    crypto_scalarmult_base(out, secret_key);
}

bool chacha20_open(uint8_t *out, Str sealed, const uint8_t nonce[12], const uint8_t key[32]) {
    return crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, bytes_of(sealed), sealed.len,
                                                     NULL, 0, nonce, key) == 0;
}

void random_bytes(void *out, size_t len) {
    randombytes_buf(out, len);
}

void sign_keypair(uint8_t public_key[SIGN_PUBLIC_SIZE], uint8_t secret_key[SIGN_SECRET_SIZE]) {
    crypto_sign_keypair(public_key, secret_key);
}

void sign_detached(uint8_t out[SIGN_SIZE], Str bytes, const uint8_t secret_key[SIGN_SECRET_SIZE]) {
    crypto_sign_detached(out, NULL, bytes_of(bytes), bytes.len, secret_key);
}

bool sign_verify(const uint8_t signature[SIGN_SIZE], Str bytes,
                 const uint8_t public_key[SIGN_PUBLIC_SIZE]) {
    return crypto_sign_verify_detached(signature, bytes_of(bytes), bytes.len, public_key) == 0;
}

Err kdf_scrypt(uint8_t *out, size_t size, Str password, const uint8_t salt[32], uint64_t operations,
               size_t memory) {
    int failed =
        crypto_pwhash_scryptsalsa208sha256(out, size, password.ptr == NULL ? "" : password.ptr,
                                           password.len, salt, operations, memory);
    if (failed) return err_make(ERR_LIMIT, "the key needs %zu MiB to be decrypted", memory >> 20);
    return err_none();
}

void wipe(void *bytes, size_t len) {
    sodium_memzero(bytes, len);
}
