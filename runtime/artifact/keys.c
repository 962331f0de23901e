// keys.c - keys in minisign's text forms, and the trust file.
//
// Public key: base64 of `Ed`, key id, 32 bytes. Secret key: base64 of `Ed`, KDF (`Sc` or zero),
// `B2`, salt (32), opslimit u64, memlimit u64, then key id, 64 bytes, BLAKE2b-256 over algorithm,
// id and key, xor-ed with the KDF's stream. Source: the format section of minisign's manual.
#include <string.h>

#include "artifact/artifact.h"
#include "base/codec.h"
#include "value/time.h"

enum {
    PUBLIC_BLOB = 2 + KEY_ID_SIZE + SIGN_PUBLIC_SIZE,
    SALT_SIZE = 32,
    CHECK_SIZE = 32,
    STREAM_SIZE = KEY_ID_SIZE + SIGN_SECRET_SIZE + CHECK_SIZE,
    STREAM_AT = 6 + SALT_SIZE + 16,
    SECRET_BLOB = STREAM_AT + STREAM_SIZE,
};

// Of keys we make; those of a key file are read from it. minisign's own take 1 GiB, too much for a
// CI container; a file that asks for more than the largest is refused by its wrong password check
// rather than by exhausting the host.
#define KDF_OPERATIONS 4194304ULL
#define KDF_MEMORY     ((size_t)128 << 20)
#define KDF_MEMORY_MAX ((uint64_t)1 << 30)

void key_generate(PublicKey *public_key, SecretKey *secret_key) {
    sign_keypair(public_key->key, secret_key->key);
    random_bytes(public_key->id, KEY_ID_SIZE);
    memcpy(secret_key->id, public_key->id, KEY_ID_SIZE);
}

static Str two_lines(Arena *arena, const char *comment, const uint8_t *blob, size_t size) {
    Buffer text = {0};
    buffer_printf(&text, "untrusted comment: %s\n", comment);
    base64_encode(&text, (Str){(const char *)blob, size});
    buffer_add_char(&text, '\n');
    Str copy = buffer_to_str(&text, arena);
    wipe(text.ptr, text.len);
    buffer_release(&text);
    return copy;
}

// The Base64 line of a key file: the last line that is no comment. A bare line is fine too.
static Str key_line(Str text) {
    Str rest = text;
    Str line = {0};
    Str found = {0};
    while (str_split(&rest, '\n', &line)) {
        line = str_trim(line);
        if (line.len == 0 || str_starts_with(line, STR("untrusted comment:")) || line.ptr[0] == '#')
            continue;
        found = line;
    }
    return found;
}

static Str id_text(Arena *arena, const uint8_t id[KEY_ID_SIZE]) {
    uint8_t reversed[KEY_ID_SIZE];  // minisign prints the id as a little-endian number
    for (size_t i = 0; i < KEY_ID_SIZE; i++) reversed[i] = id[KEY_ID_SIZE - 1 - i];
    Buffer text = {0};
    hex_encode(&text, reversed, KEY_ID_SIZE);
    Str copy = buffer_to_str(&text, arena);
    buffer_release(&text);
    return copy;
}

Str public_key_to_text(Arena *arena, const PublicKey *key) {
    uint8_t blob[PUBLIC_BLOB];
    memcpy(blob, "Ed", 2);
    memcpy(blob + 2, key->id, KEY_ID_SIZE);
    memcpy(blob + 2 + KEY_ID_SIZE, key->key, SIGN_PUBLIC_SIZE);
    Str comment = str_printf(arena, "flowc public key " STR_FMT, STR_ARG(id_text(arena, key->id)));
    return two_lines(arena, comment.ptr, blob, sizeof blob);
}

// The bytes of a key file's Base64 line; false where they are not `size` many.
static bool read_blob(Str text, uint8_t *blob, size_t size) {
    Buffer bytes = {0};
    bool is_right = base64_decode(&bytes, key_line(text)) && bytes.len == size;
    if (is_right) memcpy(blob, bytes.ptr, size);
    if (bytes.len > 0) wipe(bytes.ptr, bytes.len);
    buffer_release(&bytes);
    return is_right;
}

Err public_key_from_text(Str text, PublicKey *out) {
    uint8_t blob[PUBLIC_BLOB];
    if (!read_blob(text, blob, sizeof blob) || memcmp(blob, "Ed", 2) != 0) {
        return err_make(
            ERR_INPUT,
            "not a public key: expected the text that 'flowc keygen' or minisign writes");
    }
    memcpy(out->id, blob + 2, KEY_ID_SIZE);
    memcpy(out->key, blob + 2 + KEY_ID_SIZE, SIGN_PUBLIC_SIZE);
    return err_none();
}

static void secret_check(const uint8_t *id, const uint8_t *key, uint8_t out[CHECK_SIZE]) {
    Hasher hasher;
    hasher_init(&hasher, CHECK_SIZE);
    hasher_add(&hasher, STR("Ed"));
    hasher_add(&hasher, (Str){(const char *)id, KEY_ID_SIZE});
    hasher_add(&hasher, (Str){(const char *)key, SIGN_SECRET_SIZE});
    hasher_end(&hasher, out, CHECK_SIZE);
}

static void put_u64(uint8_t *out, uint64_t value) {
    for (int i = 0; i < 8; i++) out[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get_u64(const uint8_t *from) {
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) value |= (uint64_t)from[i] << (8 * i);
    return value;
}

static Err apply_stream(uint8_t *blob, Str password, uint64_t operations, size_t memory) {
    uint8_t stream[STREAM_SIZE];
    Err err = kdf_scrypt(stream, sizeof stream, password, blob + 6, operations, memory);
    for (size_t i = 0; err.code == ERR_NONE && i < STREAM_SIZE; i++)
        blob[STREAM_AT + i] ^= stream[i];
    wipe(stream, sizeof stream);
    return err;
}

Err secret_key_to_text(Arena *arena, const SecretKey *key, Str password, Str *out) {
    uint8_t blob[SECRET_BLOB] = {0};
    memcpy(blob, password.len > 0 ? "EdScB2" : "Ed\0\0B2", 6);
    memcpy(blob + STREAM_AT, key->id, KEY_ID_SIZE);
    memcpy(blob + STREAM_AT + KEY_ID_SIZE, key->key, SIGN_SECRET_SIZE);
    secret_check(key->id, key->key, blob + STREAM_AT + KEY_ID_SIZE + SIGN_SECRET_SIZE);
    Err err = err_none();
    if (password.len > 0) {
        random_bytes(blob + 6, SALT_SIZE);
        put_u64(blob + 6 + SALT_SIZE, KDF_OPERATIONS);
        put_u64(blob + 6 + SALT_SIZE + 8, KDF_MEMORY);
        err = apply_stream(blob, password, KDF_OPERATIONS, KDF_MEMORY);
    }
    if (err.code == ERR_NONE) {
        *out =
            two_lines(arena, password.len > 0 ? "flowc encrypted secret key" : "flowc secret key",
                      blob, sizeof blob);
    }
    wipe(blob, sizeof blob);
    return err;
}

bool secret_key_text_is_encrypted(Str text) {
    uint8_t blob[SECRET_BLOB];
    bool is_encrypted = read_blob(text, blob, sizeof blob) && memcmp(blob + 2, "Sc", 2) == 0;
    wipe(blob, sizeof blob);
    return is_encrypted;
}

Err secret_key_from_text(Str text, Str password, SecretKey *out) {
    uint8_t blob[SECRET_BLOB];
    Err err = err_none();
    bool is_key = read_blob(text, blob, sizeof blob) && memcmp(blob, "Ed", 2) == 0 &&
                  memcmp(blob + 4, "B2", 2) == 0;
    if (!is_key) {
        err =
            err_make(ERR_INPUT,
                     "not a secret key: expected the file that 'flowc keygen' or minisign writes");
        goto done;
    }
    bool is_encrypted = memcmp(blob + 2, "Sc", 2) == 0;
    if (is_encrypted) {
        uint64_t memory = get_u64(blob + 6 + SALT_SIZE + 8);
        if (memory > KDF_MEMORY_MAX) memory = KDF_MEMORY_MAX;
        err = apply_stream(blob, password, get_u64(blob + 6 + SALT_SIZE), (size_t)memory);
        if (err.code != ERR_NONE) goto done;
    }
    uint8_t check[CHECK_SIZE];
    const uint8_t *key = blob + STREAM_AT + KEY_ID_SIZE;
    secret_check(blob + STREAM_AT, key, check);
    if (memcmp(check, key + SIGN_SECRET_SIZE, CHECK_SIZE) != 0) {
        err = err_make(ERR_REFUSED, is_encrypted ? "the password of the secret key is wrong"
                                                 : "the secret key is damaged");
        goto done;
    }
    memcpy(out->id, blob + STREAM_AT, KEY_ID_SIZE);
    memcpy(out->key, key, SIGN_SECRET_SIZE);

done:
    wipe(blob, sizeof blob);
    return err;
}

// --- trust --------------------------------------------------------------------------------------

static Str next_word(Str *rest) {
    size_t start = 0;
    while (start < rest->len && (rest->ptr[start] == ' ' || rest->ptr[start] == '\t')) start++;
    size_t end = start;
    while (end < rest->len && rest->ptr[end] != ' ' && rest->ptr[end] != '\t') end++;
    Str word = str_slice(*rest, start, end);
    *rest = str_slice(*rest, end, rest->len);
    return word;
}

// `-` or nothing: open. `is_end`: the day counts to its end.
static bool read_day(Str word, bool is_end, int64_t *out) {
    *out = 0;
    if (word.len == 0 || str_eq(word, STR("-"))) return true;
    DateTime date;
    Err err = datetime_parse(word, &date);
    if (err.code != ERR_NONE || date.has_time) return false;
    *out = datetime_to_instant(&date).seconds + (is_end ? 86399 : 0);
    return true;
}

Err trust_parse(Str text, Str name, Arena *arena, Trust *out) {
    LIST_OF(TrustEntry) list = {0};
    Str rest = text;
    Str line = {0};
    for (uint32_t number = 1; str_split(&rest, '\n', &line); number++) {
        line = str_trim(str_slice(line, 0, str_find_char(line, '#', 0)));
        if (line.len == 0 || str_starts_with(line, STR("untrusted comment:"))) continue;
        TrustEntry entry = {.line = number};
        Err err = public_key_from_text(next_word(&line), &entry.key);
        if (err.code != ERR_NONE) {
            return err_make(ERR_INPUT, STR_FMT ":%u: %s", STR_ARG(name), number, err.text);
        }
        Str namespaces = next_word(&line);
        entry.namespaces = str_dup(arena, namespaces.len == 0 ? STR("*") : namespaces);
        bool has_days = read_day(next_word(&line), false, &entry.not_before) &&
                        read_day(next_word(&line), true, &entry.not_after);
        if (!has_days || str_trim(line).len > 0) {
            return err_make(
                ERR_INPUT,
                STR_FMT ":%u: expected KEY NAMESPACES NOT-BEFORE NOT-AFTER, dates as 2026-01-31",
                STR_ARG(name), number);
        }
        *LIST_ADD(arena, &list, TrustEntry) = entry;
    }
    *out = (Trust){list.items, list.count};
    return err_none();
}

static bool namespace_matches(Str patterns, Str flow_namespace) {
    Str pattern = {0};
    while (str_split(&patterns, ',', &pattern)) {
        pattern = str_trim(pattern);
        if (str_eq(pattern, STR("*")) || str_eq(pattern, flow_namespace)) return true;
        bool is_below = flow_namespace.len > pattern.len &&
                        str_starts_with(flow_namespace, pattern) &&
                        flow_namespace.ptr[pattern.len] == '.';
        if (is_below && pattern.len > 0) return true;
    }
    return false;
}

Err trust_check(const Trust *trust, const Artifact *artifact, Str flow_namespace,
                int64_t now_seconds, const TrustEntry **signer) {
    if (artifact->signature_count == 0) {
        return err_make(ERR_REFUSED,
                        "the artifact is not signed; sign it with 'flowc compile --sign KEYFILE'");
    }
    const char *reason = "none of its signatures is by a trusted key";
    for (uint32_t i = 0; i < trust->count; i++) {
        const TrustEntry *entry = &trust->entries[i];
        bool names_key = false;
        for (uint32_t j = 0; j < artifact->signature_count; j++) {
            names_key |= memcmp(artifact->signatures[j].key_id, entry->key.id, KEY_ID_SIZE) == 0;
        }
        if (!names_key) continue;
        if (!artifact_is_signed_by(artifact, &entry->key)) {
            // A block that names a known key and does not match is damage or an attack, whoever
            // else signed.
            return err_make(ERR_REFUSED, "the artifact's signature does not match its content");
        }
        if (!namespace_matches(entry->namespaces, flow_namespace)) {
            reason = "its signer is not trusted for this namespace";
        } else if (entry->not_before != 0 && now_seconds < entry->not_before) {
            reason = "its signer's key is not valid yet";
        } else if (entry->not_after != 0 && now_seconds > entry->not_after) {
            reason = "its signer's key is not valid any more";
        } else {
            if (signer != NULL) *signer = entry;
            return err_none();
        }
    }
    return err_make(ERR_REFUSED, "the artifact of namespace '" STR_FMT "' is refused: %s",
                    STR_ARG(flow_namespace), reason);
}
