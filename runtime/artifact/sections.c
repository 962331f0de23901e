// sections.c - the small formats inside sections: chunk lists, files, source maps.
#include <stdlib.h>
#include <string.h>

#include "artifact/artifact.h"

static uint32_t read_u32(Str bytes, size_t at) {
    uint32_t value = 0;
    memcpy(&value, bytes.ptr + at, sizeof value);
    return value;
}

static Err broken(const char *what) {
    return err_make(ERR_REFUSED, "the artifact is broken: %s", what);
}

void chunks_encode(const Str *chunks, uint32_t count, Buffer *out) {
    size_t at = 4 + ((size_t)count + 1) * 4;
    buffer_add_u32(out, count);
    for (uint32_t i = 0; i < count; i++) {
        buffer_add_u32(out, (uint32_t)at);
        at += chunks[i].len;
    }
    buffer_add_u32(out, (uint32_t)at);
    for (uint32_t i = 0; i < count; i++) buffer_add(out, chunks[i]);
}

Err chunks_open(Str bytes, Chunks *out) {
    *out = (Chunks){.bytes = bytes};
    if (bytes.len == 0) return err_none();
    if (bytes.len < 8) return broken("a chunk list is too short");
    out->count = read_u32(bytes, 0);
    if (out->count > bytes.len / 4 - 2) return broken("a chunk list leaves its section");
    size_t least = 4 + ((size_t)out->count + 1) * 4;
    for (uint32_t i = 0; i <= out->count; i++) {
        uint32_t at = read_u32(bytes, 4 + (size_t)i * 4);
        bool is_right = at >= least && at <= bytes.len && (i > 0 || at == least);
        if (!is_right) return broken("a chunk leaves its section");
        least = at;
    }
    return least == bytes.len ? err_none() : broken("bytes stand behind a chunk list");
}

Str chunks_get(const Chunks *chunks, uint32_t number) {
    if (number >= chunks->count) return (Str){0};
    size_t start = read_u32(chunks->bytes, 4 + (size_t)number * 4);
    size_t end = read_u32(chunks->bytes, 8 + (size_t)number * 4);
    return str_slice(chunks->bytes, start, end);
}

static int compare_files(const void *a, const void *b) {
    const ArtifactFile *left = a;
    const ArtifactFile *right = b;
    return str_cmp(left->name, right->name);
}

void files_encode(const ArtifactFile *files, uint32_t count, Buffer *out) {
    ArtifactFile *sorted = heap_alloc(count, sizeof *sorted);
    if (count > 0) memcpy(sorted, files, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_files);
    buffer_add_u32(out, count);
    for (uint32_t i = 0; i < count; i++) {
        buffer_add_u32(out, (uint32_t)sorted[i].name.len);
        buffer_add_u32(out, (uint32_t)sorted[i].bytes.len);
        buffer_add(out, sorted[i].name);
        buffer_add(out, sorted[i].bytes);
    }
    heap_free(sorted);
}

Err files_open(Str bytes, Arena *arena, ArtifactFile **files, uint32_t *count) {
    *files = NULL;
    *count = 0;
    if (bytes.len == 0) return err_none();
    if (bytes.len < 4) return broken("a file list is too short");
    uint32_t total = read_u32(bytes, 0);
    if (total > bytes.len / 8) return broken("a file list leaves its section");
    ArtifactFile *list = arena_array(arena, ArtifactFile, total);
    size_t at = 4;
    for (uint32_t i = 0; i < total; i++) {
        if (bytes.len - at < 8) return broken("a file leaves its section");
        size_t name_len = read_u32(bytes, at);
        size_t size = read_u32(bytes, at + 4);
        at += 8;
        if (name_len > bytes.len - at || size > bytes.len - at - name_len) {
            return broken("a file leaves its section");
        }
        list[i] = (ArtifactFile){str_slice(bytes, at, at + name_len),
                                 str_slice(bytes, at + name_len, at + name_len + size)};
        at += name_len + size;
        if (i > 0 && str_cmp(list[i - 1].name, list[i].name) >= 0) {
            return broken("its files are not in order");
        }
    }
    if (at != bytes.len) return broken("bytes stand behind a file list");
    *files = list;
    *count = total;
    return err_none();
}

void source_map_encode(const SourceMap *map, Buffer *out) {
    buffer_add_u32(out, map->site_count);
    buffer_add_u32(out, map->node_count);
    buffer_add_u32(out, (uint32_t)map->file.len);
    buffer_add_u32(out, 0);
    buffer_add_bytes(out, map->sites, map->site_count * sizeof *map->sites);
    buffer_add_bytes(out, map->nodes, map->node_count * sizeof *map->nodes);
    buffer_add(out, map->file);
}

Err source_map_open(Str bytes, SourceMap *out) {
    *out = (SourceMap){0};
    if (bytes.len == 0) return err_none();
    if (bytes.len < 16) return broken("its source map is too short");
    size_t sites = read_u32(bytes, 0);
    size_t nodes = read_u32(bytes, 4);
    size_t name = read_u32(bytes, 8);
    size_t size = (sites + nodes) * sizeof(SourceMapEntry);
    if (bytes.len - 16 < size || bytes.len - 16 - size != name) {
        return broken("its source map does not fit its section");
    }
    out->sites = (const SourceMapEntry *)(const void *)(bytes.ptr + 16);
    out->nodes = out->sites + sites;
    out->site_count = (uint32_t)sites;
    out->node_count = (uint32_t)nodes;
    out->file = str_slice(bytes, 16 + size, bytes.len);
    return err_none();
}
