// libcrypto.h - what libsodium lacks, by OpenSSL's libcrypto, which is opened on first use: most
// runs never need it.
//
// ERR_UNAVAILABLE where the library is not installed.
#ifndef FLOW_BASE_LIBCRYPTO_H
#define FLOW_BASE_LIBCRYPTO_H

#include "base/buffer.h"
#include "base/err.h"

enum { MD5_SIZE = 16, SHA1_SIZE = 20, GCM_IV_SIZE = 12, GCM_TAG_SIZE = 16 };

MUST_CHECK Err md5(Str bytes, uint8_t out[MD5_SIZE]);
MUST_CHECK Err sha1(Str bytes, uint8_t out[SHA1_SIZE]);
// AES-GCM with a key of 16, 24 or 32 bytes; the tag stands behind the encrypted bytes.
MUST_CHECK Err aes_gcm_seal(Str key, const uint8_t iv[GCM_IV_SIZE], Str plain, Buffer *out);
// The same with a vector of any length, and data beside it that the tag covers.
MUST_CHECK Err aes_gcm_open_with(Str key, Str iv, Str beside, Str sealed, Buffer *out);
// ERR_INPUT where key, vector or bytes do not belong together.
MUST_CHECK Err aes_gcm_open(Str key, const uint8_t iv[GCM_IV_SIZE], Str sealed, Buffer *out);

#endif
