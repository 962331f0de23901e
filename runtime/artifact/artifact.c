// artifact.c - sealing and opening. Opening checks structure, every digest and the form of the
// signatures, and stops at the first thing that is off: a damaged artifact is never partly used.
#include "artifact/artifact.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum {
    HEAD_SIZE = 16,
    ENTRY_SIZE = 56,
    FLAG_CRITICAL = 1,
    SIGNATURE_SIZE = 2 + KEY_ID_SIZE + SIGN_SIZE + SIGN_PUBLIC_SIZE
};

// The block behind the sections: "SIGN", u32 count, the digest, per signature minisign's `Ed`, key
// id and 64 bytes over the digest, then the public key; last BLAKE2b-256 of the block before it. So
// damage anywhere is noticed without a trust file, in an unsigned artifact too, and so is a
// signature that does not match. Whether a key is trusted is another question.
enum { SIGN_BLOCK_HEAD = 8 + HASH_SIZE };

typedef struct PendingSection {
    char tag[5];
    bool is_critical;
    Buffer bytes;
} PendingSection;

struct ArtifactWriter {
    PendingSection sections[ARTIFACT_SECTIONS_MAX];
    uint32_t count;
};

ArtifactWriter *artifact_writer_new(void) {
    return heap_alloc(1, sizeof(ArtifactWriter));
}

void artifact_writer_free(ArtifactWriter *writer) {
    for (uint32_t i = 0; i < writer->count; i++) buffer_release(&writer->sections[i].bytes);
    heap_free(writer);
}

void artifact_add(ArtifactWriter *writer, const char *tag, Str bytes, bool is_critical) {
    if (writer->count == ARTIFACT_SECTIONS_MAX) out_of_memory();
    PendingSection *section = &writer->sections[writer->count++];
    memcpy(section->tag, tag, 4);
    section->is_critical = is_critical;
    buffer_add(&section->bytes, bytes);
}

static int compare_sections(const void *a, const void *b) {
    const PendingSection *left = a;
    const PendingSection *right = b;
    return memcmp(left->tag, right->tag, 4);
}

static size_t aligned(size_t size) {
    return (size + 7) & ~(size_t)7;
}

void artifact_seal(ArtifactWriter *writer, const SecretKey *keys, size_t key_count, Buffer *out) {
    qsort(writer->sections, writer->count, sizeof *writer->sections, compare_sections);
    size_t start = out->len;
    buffer_add_bytes(out, ARTIFACT_MAGIC, 8);
    buffer_add_u32(out, ARTIFACT_VERSION);
    buffer_add_u32(out, writer->count);
    size_t offset = HEAD_SIZE + (size_t)writer->count * ENTRY_SIZE;
    for (uint32_t i = 0; i < writer->count; i++) {
        const PendingSection *section = &writer->sections[i];
        Hash hash = hash_bytes(buffer_str(&section->bytes));
        buffer_add_bytes(out, section->tag, 4);
        buffer_add_u32(out, section->is_critical ? FLAG_CRITICAL : 0);
        buffer_add_u64(out, offset);
        buffer_add_u64(out, section->bytes.len);
        buffer_add_bytes(out, hash.bytes, sizeof hash.bytes);
        offset += aligned(section->bytes.len);
    }
    Hash digest = hash_bytes((Str){out->ptr + start, out->len - start});
    for (uint32_t i = 0; i < writer->count; i++) {
        size_t size = writer->sections[i].bytes.len;
        buffer_add(out, buffer_str(&writer->sections[i].bytes));
        buffer_add_repeat(out, '\0', aligned(size) - size);
    }
    size_t block = out->len;
    buffer_add(out, STR("SIGN"));
    buffer_add_u32(out, (uint32_t)key_count);
    buffer_add_bytes(out, digest.bytes, sizeof digest.bytes);
    for (size_t i = 0; i < key_count; i++) {
        uint8_t signature[SIGN_SIZE];
        sign_detached(signature, (Str){(const char *)digest.bytes, sizeof digest.bytes},
                      keys[i].key);
        buffer_add(out, STR("Ed"));
        buffer_add_bytes(out, keys[i].id, KEY_ID_SIZE);
        buffer_add_bytes(out, signature, sizeof signature);
        // The second half of an Ed25519 secret key is the public key.
        buffer_add_bytes(out, keys[i].key + SIGN_SECRET_SIZE - SIGN_PUBLIC_SIZE, SIGN_PUBLIC_SIZE);
    }
    Hash check = hash_bytes((Str){out->ptr + block, out->len - block});
    buffer_add_bytes(out, check.bytes, sizeof check.bytes);
}

// --- reading ------------------------------------------------------------------------------------

static Err refuse(const char *what) {
    return err_make(ERR_REFUSED, "%s", what);
}

Err artifact_read_fd(int fd, const char *name, Arena *arena, Str *out) {
    struct stat status;
    if (fstat(fd, &status) != 0) return err_system("cannot read '%s'", name);
    if (!S_ISREG(status.st_mode)) {
        return err_make(ERR_INPUT, "'%s' is %s, not an artifact", name,
                        S_ISDIR(status.st_mode) ? "a directory" : "no regular file");
    }
    if (status.st_size > ARTIFACT_SIZE_MAX) {
        return err_make(ERR_LIMIT, "'%s' has more than %d MiB", name, ARTIFACT_SIZE_MAX >> 20);
    }
    // 8-byte aligned, so that tables can be used in place.
    size_t size = (size_t)status.st_size;
    char *bytes = (char *)arena_array(arena, uint64_t, size / 8 + 1);
    size_t done = 0;
    while (done < size) {
        ssize_t got = pread(fd, bytes + done, size - done, (off_t)done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return err_system("cannot read '%s'", name);
        if (got == 0) break;
        done += (size_t)got;
    }
    *out = (Str){bytes, done};
    return err_none();
}

Err artifact_read(const char *path, Arena *arena, Str *out) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ELOOP) {
        return err_make(ERR_REFUSED, "'%s' is a link; name the artifact itself", path);
    }
    if (fd < 0) return err_system("cannot open '%s'", path);
    Err err = artifact_read_fd(fd, path, arena, out);
    close(fd);
    return err;
}

static uint64_t read_number(Str bytes, size_t at, size_t size) {
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)(unsigned char)bytes.ptr[at + i] << (8 * i);
    return value;
}

static bool is_zero(Str bytes) {
    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.ptr[i] != '\0') return false;
    }
    return true;
}

static Err open_section(Str bytes, uint32_t number, size_t *expected, Artifact *out) {
    ArtifactSection *section = &out->sections[number];
    size_t at = HEAD_SIZE + (size_t)number * ENTRY_SIZE;
    memcpy(section->tag, bytes.ptr + at, 4);
    section->flags = (uint32_t)read_number(bytes, at + 4, 4);
    uint64_t offset = read_number(bytes, at + 8, 8);
    uint64_t size = read_number(bytes, at + 16, 8);
    memcpy(section->hash.bytes, bytes.ptr + at + 24, sizeof section->hash.bytes);
    if (number > 0 && memcmp(out->sections[number - 1].tag, section->tag, 4) >= 0) {
        return refuse("the artifact is damaged: its sections are not in order");
    }
    if (offset != *expected || size > bytes.len - offset) {
        return err_make(ERR_REFUSED,
                        "the artifact is truncated or damaged: section '%s' leaves the file",
                        section->tag);
    }
    size_t end = (size_t)offset + aligned((size_t)size);
    if (end > bytes.len || !is_zero(str_slice(bytes, (size_t)(offset + size), end))) {
        return err_make(ERR_REFUSED, "the artifact is damaged behind section '%s'", section->tag);
    }
    section->bytes = str_slice(bytes, (size_t)offset, (size_t)(offset + size));
    *expected = end;
    return err_none();
}

static Err open_signature(Str one, uint32_t number, Artifact *out) {
    if (!str_starts_with(one, STR("Ed"))) {
        return refuse("the artifact's signature block is malformed");
    }
    Signature *signature = &out->signatures[number];
    memcpy(signature->key_id, one.ptr + 2, KEY_ID_SIZE);
    memcpy(signature->bytes, one.ptr + 2 + KEY_ID_SIZE, SIGN_SIZE);
    const uint8_t *key = (const uint8_t *)one.ptr + 2 + KEY_ID_SIZE + SIGN_SIZE;
    Str digest = {(const char *)out->digest.bytes, sizeof out->digest.bytes};
    if (!sign_verify(signature->bytes, digest, key)) {
        return refuse("the artifact's signature does not match its content");
    }
    return err_none();
}

static Err open_signatures(Str block, Artifact *out) {
    uint64_t count = block.len < SIGN_BLOCK_HEAD ? 0 : read_number(block, 4, 4);
    bool fits = str_starts_with(block, STR("SIGN")) && count <= ARTIFACT_SIGNATURES_MAX &&
                block.len == SIGN_BLOCK_HEAD + count * SIGNATURE_SIZE + HASH_SIZE;
    if (!fits) {
        return refuse("the artifact is truncated or damaged: its signature block is malformed");
    }
    Hash check = hash_bytes(str_slice(block, 0, block.len - HASH_SIZE));
    if (memcmp(check.bytes, block.ptr + block.len - HASH_SIZE, HASH_SIZE) != 0) {
        return refuse("the artifact's signature block is damaged");
    }
    if (memcmp(out->digest.bytes, block.ptr + 8, HASH_SIZE) != 0) {
        return refuse("the artifact is damaged: its section table does not match its digest");
    }
    for (uint32_t i = 0; i < count; i++) {
        size_t at = SIGN_BLOCK_HEAD + (size_t)i * SIGNATURE_SIZE;
        TRY(open_signature(str_slice(block, at, at + SIGNATURE_SIZE), i, out));
    }
    out->signature_count = (uint32_t)count;
    return err_none();
}

static bool is_known_tag(const char *tag) {
    static const char *const known[] = {"MANI", "PLAN", "STRS", "LEAF", "MODS",
                                        "SMAP", "FLOW", "FILE", "TZIF", "SUBF"};
    for (size_t i = 0; i < COUNT(known); i++) {
        if (strcmp(tag, known[i]) == 0) return true;
    }
    return false;
}

Err artifact_open(Str bytes, Artifact *out) {
    memset(out, 0, sizeof *out);
    out->bytes = bytes;
    if (bytes.len < HEAD_SIZE || memcmp(bytes.ptr, ARTIFACT_MAGIC, 8) != 0) {
        return refuse("this is not an artifact of flowc");
    }
    uint64_t version = read_number(bytes, 8, 4);
    if (version != ARTIFACT_VERSION) {
        return err_make(ERR_REFUSED, "the artifact has format %llu, this runtime reads format %d",
                        (unsigned long long)version, ARTIFACT_VERSION);
    }
    uint64_t count = read_number(bytes, 12, 4);
    size_t table_end = HEAD_SIZE + (size_t)count * ENTRY_SIZE;
    if (count == 0 || count > ARTIFACT_SECTIONS_MAX || table_end > bytes.len) {
        return refuse("the artifact is truncated or damaged: its section table");
    }
    out->digest = hash_bytes(str_slice(bytes, 0, table_end));
    size_t expected = table_end;
    for (uint32_t i = 0; i < count; i++) {
        TRY(open_section(bytes, i, &expected, out));
        out->section_count = i + 1;
    }
    TRY(open_signatures(str_slice(bytes, expected, bytes.len), out));
    for (uint32_t i = 0; i < count; i++) {
        const ArtifactSection *section = &out->sections[i];
        Hash hash = hash_bytes(section->bytes);
        if (!hash_eq(&hash, &section->hash)) {
            return err_make(ERR_REFUSED,
                            "the artifact is damaged: section '%s' does not match its digest",
                            section->tag);
        }
        if (!is_known_tag(section->tag) && (section->flags & FLAG_CRITICAL) != 0) {
            return err_make(ERR_REFUSED,
                            "the artifact needs a newer runtime: section '%s' is unknown here",
                            section->tag);
        }
    }
    return err_none();
}

Str artifact_section(const Artifact *artifact, const char *tag) {
    for (uint32_t i = 0; i < artifact->section_count; i++) {
        if (strcmp(artifact->sections[i].tag, tag) == 0) return artifact->sections[i].bytes;
    }
    return (Str){0};
}

// A number of the manifest that must be n or n - 1 of what this runtime has.
static Err check_version(Value manifest, Str key, int64_t ours, const char *what) {
    int64_t theirs = value_map_get_int(manifest, key, -1);
    if (theirs == ours || theirs == ours - 1) return err_none();
    return err_make(ERR_REFUSED, "the artifact needs %s %lld, this runtime has %lld", what,
                    (long long)theirs, (long long)ours);
}

Err artifact_decode(Artifact *artifact, Str bytecode_version, uint32_t leaf_abi, Arena *arena) {
    Err err =
        json_parse(artifact_section(artifact, "MANI"), (JsonLimits){0}, arena, &artifact->manifest);
    if (err.code != ERR_NONE)
        return err_make(ERR_REFUSED, "the artifact's manifest is broken: %s", err.text);
    TRY(check_version(artifact->manifest, STR("host_api"), HOST_API, "host API"));
    TRY(check_version(artifact->manifest, STR("leaf_abi"), leaf_abi, "leaf ABI"));
    Str bytecode = value_map_get_text(artifact->manifest, STR("bytecode"), STR(""));
    if (!str_eq(bytecode, bytecode_version)) {
        return err_make(ERR_REFUSED,
                        "the artifact holds bytecode '" STR_FMT "', this runtime runs '" STR_FMT
                        "'",
                        STR_ARG(bytecode), STR_ARG(bytecode_version));
    }
    TRY(plan_open(artifact_section(artifact, "PLAN"), artifact_section(artifact, "STRS"),
                  &artifact->plan));
    TRY(chunks_open(artifact_section(artifact, "LEAF"), &artifact->leaves));
    TRY(chunks_open(artifact_section(artifact, "MODS"), &artifact->modules));
    TRY(source_map_open(artifact_section(artifact, "SMAP"), &artifact->source_map));
    TRY(files_open(artifact_section(artifact, "FILE"), arena, &artifact->files,
                   &artifact->file_count));
    if (artifact->plan.leaf_count != artifact->leaves.count)
        return refuse("the artifact is broken: its leaves");
    for (uint32_t i = 0; i < artifact->plan.module_count; i++) {
        if (artifact->plan.modules[i].code > artifact->modules.count) {
            return refuse("the artifact is broken: its modules");
        }
    }
    return err_none();
}

Err artifact_semantic_digest(const Artifact *artifact, Arena *arena, Hash *out) {
    Value manifest = value_null();
    TRY(json_parse(artifact_section(artifact, "MANI"), (JsonLimits){0}, arena, &manifest));
    if (manifest.kind == VALUE_MAP) value_map_remove(manifest, STR("source_digest"));
    Buffer canonical = {0};
    json_write(&canonical, manifest, JSON_CANONICAL, 0);
    Hasher hasher;
    hasher_init(&hasher, HASH_SIZE);
    hasher_add(&hasher, buffer_str(&canonical));
    static const char *const tags[] = {"PLAN", "STRS", "LEAF", "MODS", "FILE"};
    for (size_t i = 0; i < COUNT(tags); i++) {
        Hash section = hash_bytes(artifact_section(artifact, tags[i]));
        hasher_add(&hasher, (Str){(const char *)section.bytes, sizeof section.bytes});
    }
    hasher_end(&hasher, out->bytes, sizeof out->bytes);
    buffer_release(&canonical);
    return err_none();
}

bool artifact_is_signed_by(const Artifact *artifact, const PublicKey *key) {
    Str digest = {(const char *)artifact->digest.bytes, sizeof artifact->digest.bytes};
    for (uint32_t i = 0; i < artifact->signature_count; i++) {
        const Signature *signature = &artifact->signatures[i];
        if (memcmp(signature->key_id, key->id, KEY_ID_SIZE) != 0) continue;
        if (sign_verify(signature->bytes, digest, key->key)) return true;
    }
    return false;
}
