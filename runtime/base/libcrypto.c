// libcrypto.c - see libcrypto.h. Prototypes are written down here, so that neither headers nor the
// library are needed where nobody uses it. The loader keeps the library once it is open; asking for
// it again costs a microsecond.
#include "base/libcrypto.h"

#include <dlfcn.h>
#include <limits.h>
#include <string.h>

enum { CTRL_SET_IV_SIZE = 0x9, CTRL_GET_TAG = 0x10, CTRL_SET_TAG = 0x11 };

typedef struct Cipher Cipher;
typedef struct CipherContext CipherContext;

static Err open_library(void **out) {
    static const char *const names[] = {"libcrypto.so.3", "libcrypto.so.1.1"};
    for (size_t i = 0; i < COUNT(names); i++) {
        *out = dlopen(names[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
        if (*out != NULL) return err_none();
    }
    return err_make(ERR_UNAVAILABLE, "this needs the library libcrypto (OpenSSL), which is not "
                                     "installed");
}

// Stores the address of a function; ISO C has no cast from an object pointer to it.
static bool find(void *library, const char *name, void *function) {
    void *address = dlsym(library, name);
    memcpy(function, &address, sizeof address);
    return address != NULL;
}

static Err incomplete(void) {
    return err_make(ERR_UNAVAILABLE, "the library libcrypto lacks a function");
}

static Err digest(const char *algorithm, Str bytes, uint8_t *out) {
    const void *(*get_algorithm)(void);
    int (*evp_digest)(const void *, size_t, unsigned char *, unsigned *, const void *, void *);
    void *library;
    TRY(open_library(&library));
    if (!find(library, algorithm, &get_algorithm) || !find(library, "EVP_Digest", &evp_digest)) {
        return incomplete();
    }
    if (evp_digest(bytes.len == 0 ? "" : bytes.ptr, bytes.len, out, NULL, get_algorithm(), NULL) !=
        1) {
        return err_make(ERR_UNAVAILABLE, "libcrypto refuses the hash %s", algorithm + 4);
    }
    return err_none();
}

Err md5(Str bytes, uint8_t out[MD5_SIZE]) {
    return digest("EVP_md5", bytes, out);
}

Err sha1(Str bytes, uint8_t out[SHA1_SIZE]) {
    return digest("EVP_sha1", bytes, out);
}

typedef int InitFunction(CipherContext *, const Cipher *, void *, const unsigned char *,
                         const unsigned char *);
typedef int UpdateFunction(CipherContext *, unsigned char *, int *, const unsigned char *, int);
typedef int FinalFunction(CipherContext *, unsigned char *, int *);

typedef struct Gcm {
    CipherContext *(*new_context)(void);
    void (*free_context)(CipherContext *);
    int (*ctrl)(CipherContext *, int, int, void *);
    const Cipher *(*get_cipher)(void);
    InitFunction *init;
    UpdateFunction *update;
    FinalFunction *final;
} Gcm;

static Err load_gcm(Gcm *gcm, size_t key_size, bool is_seal) {
    void *library;
    if (key_size != 16 && key_size != 24 && key_size != 32) {
        return err_make(ERR_INPUT, "a key has 16, 24 or 32 bytes, this one %zu", key_size);
    }
    TRY(open_library(&library));
    const char *cipher = key_size == 16   ? "EVP_aes_128_gcm"
                         : key_size == 24 ? "EVP_aes_192_gcm"
                                          : "EVP_aes_256_gcm";
    bool is_complete =
        find(library, "EVP_CIPHER_CTX_new", &gcm->new_context) &&
        find(library, "EVP_CIPHER_CTX_free", &gcm->free_context) &&
        find(library, "EVP_CIPHER_CTX_ctrl", &gcm->ctrl) &&
        find(library, cipher, &gcm->get_cipher) &&
        find(library, is_seal ? "EVP_EncryptInit_ex" : "EVP_DecryptInit_ex", &gcm->init) &&
        find(library, is_seal ? "EVP_EncryptUpdate" : "EVP_DecryptUpdate", &gcm->update) &&
        find(library, is_seal ? "EVP_EncryptFinal_ex" : "EVP_DecryptFinal_ex", &gcm->final);
    return is_complete ? err_none() : incomplete();
}

static bool begin(const Gcm *gcm, CipherContext *context, Str key, Str iv) {
    return gcm->init(context, gcm->get_cipher(), NULL, NULL, NULL) == 1 &&
           gcm->ctrl(context, CTRL_SET_IV_SIZE, (int)iv.len, NULL) == 1 &&
           gcm->init(context, NULL, NULL, (const unsigned char *)key.ptr,
                     (const unsigned char *)iv.ptr) == 1;
}

static Str vector(const uint8_t iv[GCM_IV_SIZE]) {
    return (Str){(const char *)iv, GCM_IV_SIZE};
}

Err aes_gcm_seal(Str key, const uint8_t iv[GCM_IV_SIZE], Str plain, Buffer *out) {
    Gcm gcm;
    TRY(load_gcm(&gcm, key.len, true));
    if (plain.len > INT_MAX - 64) return err_make(ERR_LIMIT, "a text is too long to encrypt");
    CipherContext *context = gcm.new_context();
    if (context == NULL) return err_make(ERR_UNAVAILABLE, "libcrypto has no memory");
    buffer_reserve(out, plain.len + GCM_TAG_SIZE + 16);
    unsigned char *at = (unsigned char *)out->ptr + out->len;
    int len = 0, more = 0;
    bool is_good =
        begin(&gcm, context, key, vector(iv)) &&
        gcm.update(context, at, &len, (const unsigned char *)plain.ptr, (int)plain.len) == 1 &&
        gcm.final(context, at + len, &more) == 1 &&
        gcm.ctrl(context, CTRL_GET_TAG, GCM_TAG_SIZE, at + len + more) == 1;
    gcm.free_context(context);
    if (!is_good) return err_make(ERR_UNAVAILABLE, "libcrypto cannot encrypt with AES-GCM");
    out->len += (size_t)(len + more) + GCM_TAG_SIZE;
    return err_none();
}

Err aes_gcm_open(Str key, const uint8_t iv[GCM_IV_SIZE], Str sealed, Buffer *out) {
    return aes_gcm_open_with(key, vector(iv), (Str){0}, sealed, out);
}

Err aes_gcm_open_with(Str key, Str iv, Str beside, Str sealed, Buffer *out) {
    Gcm gcm;
    TRY(load_gcm(&gcm, key.len, false));
    if (sealed.len < GCM_TAG_SIZE || sealed.len > INT_MAX - 64 || beside.len > INT_MAX ||
        iv.len > 128) {
        return err_make(ERR_INPUT, "it is too short to be encrypted text");
    }
    size_t size = sealed.len - GCM_TAG_SIZE;
    unsigned char tag[GCM_TAG_SIZE];
    memcpy(tag, sealed.ptr + size, sizeof tag);
    CipherContext *context = gcm.new_context();
    if (context == NULL) return err_make(ERR_UNAVAILABLE, "libcrypto has no memory");
    buffer_reserve(out, size + 16);
    unsigned char *at = (unsigned char *)out->ptr + out->len;
    int len = 0, more = 0;
    bool is_good =
        begin(&gcm, context, key, iv) &&
        (beside.len == 0 || gcm.update(context, NULL, &len, (const unsigned char *)beside.ptr,
                                       (int)beside.len) == 1) &&
        gcm.update(context, at, &len, (const unsigned char *)sealed.ptr, (int)size) == 1 &&
        gcm.ctrl(context, CTRL_SET_TAG, GCM_TAG_SIZE, tag) == 1 &&
        gcm.final(context, at + len, &more) == 1;
    gcm.free_context(context);
    if (!is_good) return err_make(ERR_INPUT, "it was not encrypted with this key, or is damaged");
    out->len += (size_t)(len + more);
    return err_none();
}
