// artifact.h - NAME.flowc: magic, section table, digest, signatures; nothing of it is used before
// all of it is verified.
//
//   magic "FLOWC\r\n\x1a" (8) · version u32 · section count u32 · table · sections · signature
//   block table entry, by tag: tag (4 bytes) · flags u32 (1: critical) · offset u64 · size u64 ·
//   BLAKE2b-256 sections: each 8-byte aligned, zero padding digest = BLAKE2b-256 over header and
//   table; the signature block repeats it (artifact.c)
// Every byte is covered: padding must be zero, sections must follow each other, nothing may stand
// between or behind.
#ifndef FLOW_ARTIFACT_ARTIFACT_H
#define FLOW_ARTIFACT_ARTIFACT_H

#include "artifact/plan.h"
#include "base/crypto.h"
#include "value/value.h"

enum {
    ARTIFACT_VERSION = 1,
    ARTIFACT_SIZE_MAX = 64 << 20,
    ARTIFACT_SECTIONS_MAX = 64,
    ARTIFACT_SIGNATURES_MAX = 16,
    HOST_API = 1,
};

#define ARTIFACT_MAGIC "FLOWC\r\n\x1a"

// --- keys and signatures ------------------------------------------------------------------------

enum { KEY_ID_SIZE = 8 };

typedef struct PublicKey {
    uint8_t id[KEY_ID_SIZE];
    uint8_t key[SIGN_PUBLIC_SIZE];
} PublicKey;

typedef struct SecretKey {
    uint8_t id[KEY_ID_SIZE];
    uint8_t key[SIGN_SECRET_SIZE];
} SecretKey;  // wipe() it

typedef struct Signature {
    uint8_t key_id[KEY_ID_SIZE];
    uint8_t bytes[SIGN_SIZE];
} Signature;

void key_generate(PublicKey *public_key, SecretKey *secret_key);
// minisign's text forms. A secret key is encrypted with `password`; the empty password leaves it in
// clear.
Str public_key_to_text(Arena *arena, const PublicKey *key);
MUST_CHECK Err public_key_from_text(Str text, PublicKey *out);
MUST_CHECK Err secret_key_to_text(Arena *arena, const SecretKey *key, Str password, Str *out);
MUST_CHECK Err secret_key_from_text(Str text, Str password, SecretKey *out);
bool secret_key_text_is_encrypted(Str text);

// --- writing ------------------------------------------------------------------------------------

typedef struct ArtifactWriter ArtifactWriter;

ArtifactWriter *artifact_writer_new(void);
void artifact_writer_free(ArtifactWriter *writer);
// `tag` has four letters; the bytes are copied. One section a tag.
void artifact_add(ArtifactWriter *writer, const char *tag, Str bytes, bool is_critical);
// Sorted, padded, with its digest; `keys` may be empty. The same input gives the same bytes.
void artifact_seal(ArtifactWriter *writer, const SecretKey *keys, size_t key_count, Buffer *out);

// A list of chunks (LEAF, MODS): u32 count, then count + 1 u32 offsets, then the bytes.
void chunks_encode(const Str *chunks, uint32_t count, Buffer *out);
typedef struct Chunks {
    Str bytes;
    uint32_t count;
} Chunks;
MUST_CHECK Err chunks_open(Str bytes, Chunks *out);
Str chunks_get(const Chunks *chunks, uint32_t number);

// Named files (FILE): u32 count, then per file u32 name length, u32 size, name, bytes; sorted by
// name.
typedef struct ArtifactFile {
    Str name, bytes;
} ArtifactFile;
void files_encode(const ArtifactFile *files, uint32_t count, Buffer *out);
MUST_CHECK Err files_open(Str bytes, Arena *arena, ArtifactFile **files, uint32_t *count);

// SMAP: per leaf site and per node a place in the source. Sites are numbered over the whole
// artifact from 1.
typedef struct SourceMapEntry {
    uint32_t line, column;  // from 1, code points
    uint32_t start, len;    // bytes
} SourceMapEntry;
typedef struct SourceMap {
    const SourceMapEntry *sites;  // [site - 1]
    uint32_t site_count;
    const SourceMapEntry *nodes;
    uint32_t node_count;
    Str file;  // name of the source without a folder
} SourceMap;
void source_map_encode(const SourceMap *map, Buffer *out);
MUST_CHECK Err source_map_open(Str bytes, SourceMap *out);

// --- opening ------------------------------------------------------------------------------------

typedef struct ArtifactSection {
    char tag[5];
    uint32_t flags;
    Str bytes;
    Hash hash;
} ArtifactSection;

typedef struct Artifact {
    Str bytes;
    ArtifactSection sections[ARTIFACT_SECTIONS_MAX];
    uint32_t section_count;
    Signature signatures[ARTIFACT_SIGNATURES_MAX];
    uint32_t signature_count;
    Hash digest;
    // Filled by artifact_decode:
    Value manifest;
    Plan plan;
    Chunks leaves, modules;
    SourceMap source_map;
    ArtifactFile *files;
    uint32_t file_count;
} Artifact;

// The bytes of a file: a regular file, opened without following links, at most ARTIFACT_SIZE_MAX.
MUST_CHECK Err artifact_read(const char *path, Arena *arena, Str *out);
MUST_CHECK Err artifact_read_fd(int fd, const char *name, Arena *arena, Str *out);
// Structure, every digest, the form of the signature block. Executes and decodes nothing.
// ERR_REFUSED with the reason.
MUST_CHECK Err artifact_open(Str bytes, Artifact *out);
// Versions (format, host API, leaf ABI, bytecode), manifest, plan, chunks, files. Only after
// artifact_open and trust.
MUST_CHECK Err artifact_decode(Artifact *artifact, Str bytecode_version, uint32_t leaf_abi,
                               Arena *arena);
Str artifact_section(const Artifact *artifact, const char *tag);  // empty where there is none
// Over PLAN, STRS, LEAF, MODS, FILE and MANI without its source digest: equal for flows that differ
// in layout only.
MUST_CHECK Err artifact_semantic_digest(const Artifact *artifact, Arena *arena, Hash *out);
// True where one of the signatures is of this key and right.
bool artifact_is_signed_by(const Artifact *artifact, const PublicKey *key);

// --- trust --------------------------------------------------------------------------------------

// A trust file: lines `PUBLIC-KEY NAMESPACES NOT-BEFORE NOT-AFTER`; namespaces comma separated, `*`
// any, `a.b` with all below; dates yyyy-mm-dd or `-`. `#` begins a comment.
typedef struct TrustEntry {
    PublicKey key;
    Str namespaces;
    int64_t not_before, not_after;  // seconds since 1970; 0: open
    uint32_t line;
} TrustEntry;
typedef struct Trust {
    TrustEntry *entries;
    uint32_t count;
} Trust;
MUST_CHECK Err trust_parse(Str text, Str name, Arena *arena, Trust *out);
// ERR_REFUSED with the reason: unsigned, unknown key, namespace, date.
MUST_CHECK Err trust_check(const Trust *trust, const Artifact *artifact, Str flow_namespace,
                           int64_t now_seconds, const TrustEntry **signer);

#endif
