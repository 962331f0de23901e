// read.c - the way of one file: bytes checked, tree built, and where that fails, recovery.
#include <string.h>

#include "syntax/reader.h"

enum {
    ROUNDS_MAX = 20,  // repairs of one file: beyond, it is no YAML but something else
    ROUNDS_LARGE = 4,
    SIZE_LARGE = 1 << 20,  // each round reads all of the file again
};

static Tree *hole_tree(Reader *reader) {
    Tree *tree = arena_new(reader->arena, Tree);
    tree->file = reader->file;
    tree->bytes = reader->source->bytes;
    tree->has_holes = true;
    Node *hole = arena_new(reader->arena, Node);
    hole->type = YAML_HOLE;
    hole->tag = STR("");
    hole->span = reader_span(reader, 0, (uint32_t)reader->source->bytes.len);
    LIST_ADD(reader->arena, &tree->documents, Document)->root = hole;
    return tree;
}

static void report_not_utf8(Reader *reader, uint32_t at) {
    const Str bytes = reader->source->bytes;
    Diag *diag = diag_add(reader->diags, "E0003", DIAG_ERROR, reader_span(reader, at, at + 1),
                          "the byte 0x%02X at offset %u is not UTF-8",
                          (unsigned)(unsigned char)bytes.ptr[at], at);
    const bool is_utf16 =
        str_starts_with(bytes, STR("\xFF\xFE")) || str_starts_with(bytes, STR("\xFE\xFF"));
    diag_note(diag, "%s",
              is_utf16 ? "the file is UTF-16; save it as UTF-8" : "save the file as UTF-8");
}

// A copy of the same length that recovery may write to.
static void make_writable(Reader *reader) {
    if (reader->text.ptr != reader->source->bytes.ptr) return;
    reader->text = str_dup(&reader->scratch, reader->source->bytes);
}

static void read_tree(Reader *reader, BytesReport report) {
    const uint32_t base = reader->source->has_bom ? 3 : 0;
    if (report.has_unreadable) {
        make_writable(reader);
        bytes_blank((char *)reader->text.ptr + base, reader->text.len - base);
    }
    offsets_init(&reader->offsets, reader->text, base, report.is_ascii, &reader->scratch);
    const uint32_t found_before = reader->diags->list.count;
    Failure failure = {0};
    if (tree_build(reader, &failure) != BUILD_FAILED) return;

    // What the broken tree made the builder say does not count.
    reader->diags->list.count = found_before;
    make_writable(reader);
    BuildEnd end = BUILD_FAILED;
    int rounds = reader->text.len > SIZE_LARGE ? ROUNDS_LARGE : ROUNDS_MAX;
    for (; rounds > 0 && end == BUILD_FAILED; rounds--) {
        recover(reader, &failure);
        offsets_init(&reader->offsets, reader->text, base, report.is_ascii, &reader->scratch);
        end = tree_probe(reader, &failure);
    }
    if (tree_build(reader, &failure) == BUILD_FAILED) {
        Diag *diag = diag_add(reader->diags, "E0010", DIAG_ERROR,
                              reader_span(reader, failure.at, failure.at),
                              "too many syntax errors; what follows was not checked");
        diag_note(diag, "repair those above and check again");
    }
    reader->tree->has_holes = true;
    for (uint32_t i = found_before; i < reader->diags->list.count; i++) {
        const Str code = str_from(reader->diags->list.items[i]->code);
        if (str_eq(code, STR("E0012"))) reader->tree->has_moved = true;
    }
    Node all = {0};
    find_ids(reader, 0, (uint32_t)reader->source->bytes.len, &all);
    for (uint32_t i = 0; i < all.hole_ids.count; i++) {
        *LIST_ADD(reader->arena, &reader->tree->text_ids, Str) = all.hole_ids.items[i];
    }
}

Tree *syntax_read(const Sources *sources, uint32_t file, Arena *arena, Diags *diags) {
    Reader reader = {.sources = sources,
                     .source = sources_get(sources, file),
                     .file = file,
                     .arena = arena,
                     .diags = diags};
    reader.text = reader.source->bytes;
    if (reader.text.len > SOURCE_SIZE_MAX) {
        diag_add(diags, "E0002", DIAG_ERROR, reader_span(&reader, 0, 0),
                 "the file has more than %d bytes", SOURCE_SIZE_MAX);
        return hole_tree(&reader);
    }
    const BytesReport report = bytes_check(reader.source, file, diags);
    if (!report.is_utf8) {
        report_not_utf8(&reader, report.bad);
        return hole_tree(&reader);
    }
    read_tree(&reader, report);
    if (reader.tree->documents.count == 0) {
        // An empty file holds an empty value.
        Node *node = arena_new(arena, Node);
        node->tag = STR("");
        node->resolved = YAML_SCALAR_NULL;
        node->span = reader_span(&reader, 0, 0);
        LIST_ADD(arena, &reader.tree->documents, Document)->root = node;
    }
    arena_release(&reader.scratch);
    return reader.tree;
}
