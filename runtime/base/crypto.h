// crypto.h - hashes, signatures and wiping on libsodium. Call crypto_init() once before anything
// else here.
#ifndef FLOW_BASE_CRYPTO_H
#define FLOW_BASE_CRYPTO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum {
    HASH_SIZE = 32,
    HASH128_SIZE = 16,
    SIGN_PUBLIC_SIZE = 32,
    SIGN_SECRET_SIZE = 64,
    SIGN_SIZE = 64
};

typedef struct Hash {
    uint8_t bytes[HASH_SIZE];
} Hash;

typedef struct Hash128 {
    uint8_t bytes[HASH128_SIZE];
} Hash128;

// A running BLAKE2b; `size` is 16 or 32 (or 64).
typedef struct Hasher {
    _Alignas(64) uint8_t state[384];
} Hasher;

MUST_CHECK Err crypto_init(void);
void hasher_init(Hasher *hasher, size_t size);
void hasher_add(Hasher *hasher, Str bytes);
void hasher_end(Hasher *hasher, uint8_t *out, size_t size);
Hash hash_bytes(Str bytes);                  // BLAKE2b-256
Hash128 hash128_bytes(Str bytes);            // BLAKE2b-128
bool hash_eq(const Hash *a, const Hash *b);  // constant time
void sha256(Str bytes, uint8_t out[32]);
void sha512(Str bytes, uint8_t out[64]);
void hmac_sha256(Str key, Str bytes, uint8_t out[32]);
void hkdf_sha256(Str secret, Str salt, Str purpose, uint8_t out[32]);
// X25519: false where the result is all zero, as a point of small order gives.
bool x25519(uint8_t out[32], const uint8_t secret_key[32], const uint8_t public_key[32]);
void x25519_public(uint8_t out[32], const uint8_t secret_key[32]);
// ChaCha20-Poly1305 (RFC 8439); the tag stands behind the encrypted bytes. False where they do not
// belong together.
bool chacha20_open(uint8_t *out, Str sealed, const uint8_t nonce[12], const uint8_t key[32]);
void random_bytes(void *out, size_t len);
// Ed25519.
void sign_keypair(uint8_t public_key[SIGN_PUBLIC_SIZE], uint8_t secret_key[SIGN_SECRET_SIZE]);
void sign_detached(uint8_t out[SIGN_SIZE], Str bytes, const uint8_t secret_key[SIGN_SECRET_SIZE]);
bool sign_verify(const uint8_t signature[SIGN_SIZE], Str bytes,
                 const uint8_t public_key[SIGN_PUBLIC_SIZE]);
// scrypt, as minisign uses it; ERR_LIMIT where the memory it asks for is not to be had.
MUST_CHECK Err kdf_scrypt(uint8_t *out, size_t size, Str password, const uint8_t salt[32],
                          uint64_t operations, size_t memory);
// Overwrites memory in a way the compiler keeps.
void wipe(void *bytes, size_t len);

#endif
