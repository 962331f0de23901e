// age.c - files of age, version 1 (C2SP age.md): X25519 recipients.
//
// A file key is wrapped for each recipient in a stanza of the header; the header has a MAC under
// that key, and the payload is a stream of chunks, of which the last one says so. Whatever is not
// as the format prescribes is refused: Base64 with padding or with bits left over, a share that
// gives an all-zero secret, an empty last chunk behind others.
#include <string.h>

#include "base/codec.h"
#include "base/crypto.h"
#include "secret/sealed.h"

enum {
    KEY_SIZE = 32,
    FILE_KEY_SIZE = 16,
    TAG_SIZE = 16,
    WRAPPED_SIZE = FILE_KEY_SIZE + TAG_SIZE,
    NONCE_SIZE = 16,
    CHUNK_SIZE = 64 << 10,
    STANZAS_MAX = 1000,
};

#define INTRODUCTION "age-encryption.org/v1\n"
#define ARMOUR_BEGIN "-----BEGIN AGE ENCRYPTED FILE-----"
#define ARMOUR_END   "-----END AGE ENCRYPTED FILE-----"

bool age_is(Str bytes) {
    return str_starts_with(bytes, STR(INTRODUCTION)) ||
           str_starts_with(str_trim(bytes), STR(ARMOUR_BEGIN));
}

static Err damaged(const char *what) {
    return err_make(ERR_INPUT, "the age file is damaged: %s", what);
}

// --- texts --------------------------------------------------------------------------------------

// Standard Base64 without padding, in the one form that these bytes have.
static bool decode_exactly(Str text, uint8_t *out, size_t size) {
    Buffer bytes = {0}, again = {0};
    bool is_good = base64_decode(&bytes, text) && bytes.len == size;
    if (is_good) {
        base64_encode(&again, buffer_str(&bytes));
        while (again.len > 0 && again.ptr[again.len - 1] == '=') again.len--;
        is_good = str_eq(buffer_str(&again), text);
        memcpy(out, bytes.ptr, size);
    }
    buffer_release(&bytes);
    buffer_release(&again);
    return is_good;
}

static bool next_line(Str *rest, Str *line) {
    size_t end = str_find_char(*rest, '\n', 0);
    if (end == STR_NOT_FOUND) return false;
    *line = str_slice(*rest, 0, end);
    *rest = str_slice(*rest, end + 1, rest->len);
    return true;
}

static Err remove_armour(Str text, Buffer *out) {
    text = str_trim(text);
    if (!str_ends_with(text, STR(ARMOUR_END))) return damaged("its armour has no end");
    Str rest = str_slice(text, sizeof ARMOUR_BEGIN - 1, text.len - (sizeof ARMOUR_END - 1)),
        line = {0};
    Buffer joined = {0};
    while (str_split(&rest, '\n', &line)) buffer_add(&joined, str_trim(line));
    bool is_good = base64_decode(out, buffer_str(&joined));
    buffer_release(&joined);
    return is_good ? err_none() : damaged("its armour is not Base64");
}

// --- identities (Bech32) ------------------------------------------------------------------------

static uint32_t checksum_step(uint32_t sum, uint8_t value) {
    static const uint32_t generators[] = {0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD,
                                          0x2A1462B3};
    uint32_t top = sum >> 25;
    sum = (sum & 0x1FFFFFF) << 5 ^ value;
    for (int i = 0; i < 5; i++) {
        if (((top >> i) & 1) != 0) sum ^= generators[i];
    }
    return sum;
}

// AGE-SECRET-KEY-1… to its 32 bytes.
static bool read_identity(Str text, uint8_t out[KEY_SIZE]) {
    static const char prefix[] = "age-secret-key-";
    static const char alphabet[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    enum { PREFIX_SIZE = sizeof prefix - 1, DIGITS = 58 };  // 52 of the key, 6 of the checksum
    if (text.len != PREFIX_SIZE + 1 + DIGITS) return false;
    if (!str_eq_ignore_case(str_slice(text, 0, PREFIX_SIZE), str_from(prefix))) return false;
    uint32_t sum = 1, bits = 0;
    int count = 0;
    size_t at = 0;
    for (size_t i = 0; i < PREFIX_SIZE; i++) sum = checksum_step(sum, (uint8_t)(prefix[i] >> 5));
    sum = checksum_step(sum, 0);
    for (size_t i = 0; i < PREFIX_SIZE; i++) sum = checksum_step(sum, (uint8_t)(prefix[i] & 31));
    for (size_t i = 0; i < DIGITS; i++) {
        char c = text.ptr[PREFIX_SIZE + 1 + i];
        if (c >= 'A' && c <= 'Z') c = (char)(c + ('a' - 'A'));
        const char *found = c == '\0' ? NULL : strchr(alphabet, c);
        if (found == NULL) return false;
        uint8_t value = (uint8_t)(found - alphabet);
        sum = checksum_step(sum, value);
        if (i >= DIGITS - 6) continue;
        bits = (bits << 5 | value) & 0xFFF;
        count += 5;
        if (count >= 8 && at < KEY_SIZE) {
            count -= 8;
            out[at++] = (uint8_t)(bits >> count);
        }
    }
    return sum == 1 && at == KEY_SIZE;
}

// --- the header ---------------------------------------------------------------------------------

typedef struct Wrapped {
    uint8_t share[KEY_SIZE], body[WRAPPED_SIZE];
} Wrapped;

static bool unwrap(const Wrapped *wrapped, const uint8_t identity[KEY_SIZE],
                   uint8_t file_key[FILE_KEY_SIZE]) {
    static const uint8_t no_nonce[12];
    uint8_t secret[KEY_SIZE], key[KEY_SIZE], salt[2 * KEY_SIZE];
    bool is_open = false;
    if (x25519(secret, identity, wrapped->share)) {
        memcpy(salt, wrapped->share, KEY_SIZE);
        x25519_public(salt + KEY_SIZE, identity);
        hkdf_sha256((Str){(const char *)secret, sizeof secret},
                    (Str){(const char *)salt, sizeof salt}, STR("age-encryption.org/v1/X25519"),
                    key);
        is_open = chacha20_open(file_key, (Str){(const char *)wrapped->body, WRAPPED_SIZE},
                                no_nonce, key);
    }
    wipe(secret, sizeof secret);
    wipe(key, sizeof key);
    return is_open;
}

// The stanza that begins with `line`; *is_ours: for an X25519 key.
static Err read_stanza(Str line, Str *rest, Wrapped *out, bool *is_ours) {
    Str words = str_slice(line, 3, line.len), kind = {0}, share = {0}, piece = {0};
    str_split(&words, ' ', &kind);
    *is_ours = str_eq(kind, STR("X25519"));
    if (*is_ours && (!str_split(&words, ' ', &share) || words.len > 0 ||
                     !decode_exactly(share, out->share, KEY_SIZE))) {
        return damaged("a recipient's share is not 32 bytes");
    }
    Buffer body = {0};
    bool has_end = false;
    while (!has_end && next_line(rest, &piece)) {
        buffer_add(&body, piece);
        has_end = piece.len < 64;
    }
    bool is_good =
        has_end && (!*is_ours || decode_exactly(buffer_str(&body), out->body, WRAPPED_SIZE));
    buffer_release(&body);
    return is_good ? err_none() : damaged("a recipient's key has another length");
}

static bool unwrap_with_any(const Wrapped *wrapped, Str identities,
                            uint8_t file_key[FILE_KEY_SIZE]) {
    Str line = {0};
    while (str_split(&identities, '\n', &line)) {
        uint8_t identity[KEY_SIZE];
        bool is_open =
            read_identity(str_trim(line), identity) && unwrap(wrapped, identity, file_key);
        wipe(identity, sizeof identity);
        if (is_open) return true;
    }
    return false;
}

static Err no_identity(bool has_ours, Str identities) {
    if (!has_ours) {
        return err_make(ERR_UNSUPPORTED,
                        "the age file is for other kinds of recipients than X25519 "
                        "keys (age1…): a passphrase or a plugin");
    }
    if (str_find(identities, STR("AGE-SECRET-KEY-1"), 0) == STR_NOT_FOUND) {
        return err_make(ERR_REFUSED, "there is no age key: SOPS_AGE_KEY or SOPS_AGE_KEY_FILE gives "
                                     "one, or sops/age/keys.txt in the configuration folder");
    }
    return err_make(ERR_REFUSED, "none of the age keys at hand is one the file is encrypted for");
}

// Gives the file key, and what follows the header.
static Err open_header(Str bytes, Str identities, uint8_t file_key[FILE_KEY_SIZE], Str *payload) {
    Str rest = str_slice(bytes, sizeof INTRODUCTION - 1, bytes.len), line = {0};
    bool has_key = false, has_ours = false;
    for (int i = 0; i < STANZAS_MAX; i++) {
        if (!next_line(&rest, &line)) return damaged("its header has no end");
        if (str_starts_with(line, STR("--- "))) break;
        if (!str_starts_with(line, STR("-> "))) return damaged("its header has an unknown line");
        Wrapped wrapped;
        bool is_ours = false;
        TRY(read_stanza(line, &rest, &wrapped, &is_ours));
        has_ours = has_ours || is_ours;
        if (is_ours && !has_key) has_key = unwrap_with_any(&wrapped, identities, file_key);
    }
    if (!str_starts_with(line, STR("--- "))) return damaged("its header is too long");
    if (!has_key) return no_identity(has_ours, identities);
    uint8_t given[HASH_SIZE], made[HASH_SIZE], key[KEY_SIZE];
    hkdf_sha256((Str){(const char *)file_key, FILE_KEY_SIZE}, (Str){0}, STR("header"), key);
    size_t signed_len = (size_t)(line.ptr - bytes.ptr) + 3;
    hmac_sha256((Str){(const char *)key, sizeof key}, str_slice(bytes, 0, signed_len), made);
    wipe(key, sizeof key);
    if (!decode_exactly(str_slice(line, 4, line.len), given, sizeof given) ||
        memcmp(given, made, sizeof made) != 0) {
        return damaged("its header was changed");
    }
    *payload = rest;
    return err_none();
}

// --- the payload --------------------------------------------------------------------------------

static Err open_payload(Str payload, const uint8_t file_key[FILE_KEY_SIZE], Buffer *plain) {
    if (payload.len < NONCE_SIZE + TAG_SIZE) return damaged("its payload is too short");
    uint8_t key[KEY_SIZE], nonce[12] = {0};
    hkdf_sha256((Str){(const char *)file_key, FILE_KEY_SIZE}, str_slice(payload, 0, NONCE_SIZE),
                STR("payload"), key);
    buffer_reserve(plain, payload.len);  // at once: a buffer that moves would leave a copy behind
    Str rest = str_slice(payload, NONCE_SIZE, payload.len);
    Err err = err_none();
    for (bool is_first = true; err.code == ERR_NONE && (rest.len > 0 || is_first);
         is_first = false) {
        size_t len = rest.len > CHUNK_SIZE + TAG_SIZE ? CHUNK_SIZE + TAG_SIZE : rest.len;
        nonce[11] = len == rest.len;
        bool is_empty = len == TAG_SIZE && !is_first;
        if (is_empty || len < TAG_SIZE ||
            !chacha20_open((uint8_t *)plain->ptr + plain->len, str_slice(rest, 0, len), nonce,
                           key)) {
            err = damaged("its payload was changed or cut");
            break;
        }
        plain->len += len - TAG_SIZE;
        rest = str_slice(rest, len, rest.len);
        for (int i = 10; i >= 0 && ++nonce[i] == 0; i--) {
        }
    }
    wipe(key, sizeof key);
    return err;
}

Err age_open(Str bytes, Str identities, Buffer *plain) {
    Buffer binary = {0};
    Err err = err_none();
    if (!str_starts_with(bytes, STR(INTRODUCTION))) {
        err = remove_armour(bytes, &binary);
        bytes = buffer_str(&binary);
        if (err.code == ERR_NONE && !str_starts_with(bytes, STR(INTRODUCTION))) {
            err = damaged("its armour holds something else");
        }
    }
    uint8_t file_key[FILE_KEY_SIZE] = {0};
    Str payload = {0};
    if (err.code == ERR_NONE) err = open_header(bytes, identities, file_key, &payload);
    if (err.code == ERR_NONE) err = open_payload(payload, file_key, plain);
    wipe(file_key, sizeof file_key);
    buffer_release(&binary);
    return err;
}
