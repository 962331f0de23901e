// sops.c - YAML or JSON whose values SOPS has encrypted.
//
// Each value is ENC[AES256_GCM,data:…,iv:…,tag:…,type:…] under one data key, with the path of its
// keys as additional data, so that values cannot change places; the data key lies in the document,
// encrypted for age keys. A MAC over all values in the order of the document, encrypted too, says
// that none was added, taken away or put back.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "base/crypto.h"
#include "base/libcrypto.h"
#include "secret/sealed.h"

enum { KEY_SIZE = 32, DEPTH_MAX = 64, MAC_HEX = 128 };

#define PREFIX "ENC[AES256_GCM,"

typedef struct Sops {
    Arena *arena;
    uint8_t key[KEY_SIZE];
    Buffer hashed;  // what the MAC is taken of
    bool mac_only_encrypted;
} Sops;

bool sops_is(Value document) {
    const Value *own = value_map_get(document, STR("sops"));
    return own != NULL && own->kind == VALUE_MAP && value_map_get(*own, STR("mac")) != NULL;
}

static bool is_sealed(Value value) {
    return value.kind == VALUE_TEXT && str_starts_with(value.as.text, STR(PREFIX)) &&
           str_ends_with(value.as.text, STR("]"));
}

// The field `name:` of the text between PREFIX and `]`.
static Str field(Str text, Str name) {
    Str rest = str_slice(text, sizeof PREFIX - 1, text.len - 1), piece = {0};
    while (str_split(&rest, ',', &piece)) {
        if (str_starts_with(piece, name)) return str_slice(piece, name.len, piece.len);
    }
    return (Str){0};
}

static Err open_text(const Sops *sops, Str text, Str path, Str *plain) {
    Buffer bytes = {0}, iv = {0}, tag = {0}, out = {0};
    Err err = err_none();
    if (!base64_decode(&bytes, field(text, STR("data:"))) ||
        !base64_decode(&iv, field(text, STR("iv:"))) ||
        !base64_decode(&tag, field(text, STR("tag:"))) || tag.len != GCM_TAG_SIZE || iv.len == 0) {
        err = err_make(ERR_INPUT, "it is not as SOPS writes an encrypted value");
    } else {
        buffer_add(&bytes, buffer_str(&tag));
        err = aes_gcm_open_with((Str){(const char *)sops->key, KEY_SIZE}, buffer_str(&iv), path,
                                buffer_str(&bytes), &out);
    }
    if (err.code == ERR_NONE) *plain = str_dup(sops->arena, buffer_str(&out));
    if (out.len > 0) wipe(out.ptr, out.len);
    buffer_release(&bytes);
    buffer_release(&iv);
    buffer_release(&tag);
    buffer_release(&out);
    return err;
}

// The shortest digits that give the number again, without an exponent: 1e21 has 22 of them.
static void hash_float(Sops *sops, double number) {
    char text[40];
    for (int precision = 0; precision <= 16; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, number);
        if (strtod(text, NULL) == number) break;
    }
    const char *mark = strchr(text, 'e');
    if (mark == NULL) return;  // not a number, and then not in a document either
    long exponent = strtol(mark + 1, NULL, 10);
    if (text[0] == '-') buffer_add_char(&sops->hashed, '-');
    long place = 0;  // of the next digit, counted from the first
    if (exponent < 0) {
        buffer_add(&sops->hashed, STR("0."));
        buffer_add_repeat(&sops->hashed, '0', (size_t)(-exponent - 1));
    }
    for (const char *at = text; at < mark; at++) {
        if (*at < '0' || *at > '9') continue;
        if (exponent >= 0 && place == exponent + 1) buffer_add_char(&sops->hashed, '.');
        buffer_add_char(&sops->hashed, *at);
        place++;
    }
    if (place <= exponent) buffer_add_repeat(&sops->hashed, '0', (size_t)(exponent + 1 - place));
}

// As SOPS writes a value that it left in clear.
static void hash_clear(Sops *sops, Value value) {
    if (sops->mac_only_encrypted || value.kind == VALUE_NULL) return;
    if (value.kind == VALUE_BOOL) {
        buffer_add(&sops->hashed, value.as.boolean ? STR("True") : STR("False"));
    } else if (value.kind == VALUE_FLOAT) {
        hash_float(sops, value.as.real);
    } else {
        value_print(&sops->hashed, value);
    }
}

static Err open_value(Sops *sops, Value value, Str path, int depth, Value *out);

static Err open_map(Sops *sops, Value map, Str path, int depth, Value *out) {
    *out = value_map(sops->arena);
    for (uint32_t i = 0; i < map.as.map->count; i++) {
        const ValueMember *member = &map.as.map->members[i];
        if (depth == 0 && str_eq(member->key, STR("sops"))) continue;
        Str below =
            str_printf(sops->arena, STR_FMT STR_FMT ":", STR_ARG(path), STR_ARG(member->key));
        Value inner = {0};
        Err err = open_value(sops, member->value, below, depth + 1, &inner);
        if (err.code != ERR_NONE && (depth > 0 || err.code == ERR_UNAVAILABLE)) return err;
        if (err.code != ERR_NONE) {
            return err_wrap(err, "the value '" STR_FMT "' cannot be decrypted",
                            STR_ARG(member->key));
        }
        value_map_set(sops->arena, *out, member->key, inner);
    }
    return err_none();
}

static Err open_value(Sops *sops, Value value, Str path, int depth, Value *out) {
    if (depth > DEPTH_MAX) return err_make(ERR_LIMIT, "it is nested too deep");
    if (value.kind == VALUE_MAP) return open_map(sops, value, path, depth, out);
    if (value.kind == VALUE_LIST) {
        *out = value_list(sops->arena);
        for (uint32_t i = 0; i < value.as.list->count; i++) {
            Value item = {0};
            TRY(open_value(sops, value.as.list->items[i], path, depth + 1, &item));
            value_list_add(sops->arena, *out, item);
        }
        return err_none();
    }
    *out = value;
    if (!is_sealed(value)) {
        hash_clear(sops, value);
        return err_none();
    }
    Str plain = {0};
    TRY(open_text(sops, value.as.text, path, &plain));
    buffer_add(&sops->hashed, plain);
    *out = value_text(plain);
    if (str_eq(field(value.as.text, STR("type:")), STR("bool"))) {
        *out = value_bool(str_eq_ignore_case(plain, STR("true")));
    }
    return err_none();
}

static Err find_key(Sops *sops, Value own, Str identities) {
    const Value *list = value_map_get(own, STR("age"));
    if (list == NULL || list->kind != VALUE_LIST || list->as.list->count == 0) {
        return err_make(ERR_UNSUPPORTED,
                        "the file is not encrypted for an age key: sops updatekeys "
                        "with an age recipient in .sops.yaml adds one");
    }
    Err err = err_make(ERR_INPUT, "the file has no age recipient");
    for (uint32_t i = 0; i < list->as.list->count; i++) {
        Str sealed = value_map_get_text(list->as.list->items[i], STR("enc"), STR(""));
        Buffer key = {0};
        err = age_open(sealed, identities, &key);
        bool is_key = err.code == ERR_NONE && key.len == KEY_SIZE;
        if (is_key) memcpy(sops->key, key.ptr, KEY_SIZE);
        if (err.code == ERR_NONE && !is_key) {
            err = err_make(ERR_INPUT, "the file's data key has %zu bytes instead of 32", key.len);
        }
        if (key.len > 0) wipe(key.ptr, key.len);
        buffer_release(&key);
        if (is_key) return err_none();
    }
    return err;
}

static Err check_mac(Sops *sops, Value own) {
    Str sealed = value_map_get_text(own, STR("mac"), STR(""));
    Str time = value_map_get_text(own, STR("lastmodified"), STR("")), given = {0};
    if (!is_sealed(value_text(sealed))) return err_make(ERR_INPUT, "the file has no MAC");
    Err err = open_text(sops, sealed, time, &given);
    if (err.code == ERR_UNAVAILABLE) return err;
    uint8_t hash[64];
    char text[MAC_HEX + 1];
    sha512(buffer_str(&sops->hashed), hash);
    for (size_t i = 0; i < sizeof hash; i++) snprintf(text + 2 * i, 3, "%02X", hash[i]);
    if (err.code != ERR_NONE || !str_eq(given, str_from(text))) {
        return err_make(ERR_REFUSED,
                        "the MAC does not fit: a value was changed, added or taken away "
                        "without SOPS");
    }
    return err_none();
}

Err sops_open(Value document, Str identities, Arena *arena, Value *out) {
    Value own = *value_map_get(document, STR("sops"));
    Sops sops = {.arena = arena};
    sops.mac_only_encrypted = value_map_get_bool(own, STR("mac_only_encrypted"), false);
    if (sops.mac_only_encrypted) {
        // A beginning of its own, so that no MAC of one kind is one of the other.
        uint8_t beginning[HASH_SIZE];
        sha256(STR("sops"), beginning);
        buffer_add_bytes(&sops.hashed, beginning, sizeof beginning);
    }
    Err err = find_key(&sops, own, identities);
    if (err.code == ERR_NONE) err = open_map(&sops, document, (Str){0}, 0, out);
    if (err.code == ERR_NONE) err = check_mac(&sops, own);
    wipe(sops.key, sizeof sops.key);
    if (sops.hashed.len > 0) wipe(sops.hashed.ptr, sops.hashed.len);
    buffer_release(&sops.hashed);
    return err;
}
