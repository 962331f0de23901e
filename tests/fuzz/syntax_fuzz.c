// syntax_fuzz.c - any bytes give a tree, findings inside the file, and spans that hold.
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "syntax/syntax.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_span(const Source *source, Span span) {
    assert(span.start <= source->bytes.len);
    assert(span.len <= source->bytes.len - span.start);
    (void)source;
    (void)span;
}

static void check_node(const Source *source, const Node *node) {
    check_span(source, node->span);
    if (node->type == YAML_SCALAR) {
        for (uint32_t at = 0; at < node->text.len && at < 64; at++) {
            check_span(source, scalar_span(node, at, 1));
        }
        check_span(source, scalar_span(node, 0, (uint32_t)node->text.len));
    }
    for (uint32_t i = 0; i < node->items.count; i++) check_node(source, node->items.items[i]);
    for (uint32_t i = 0; i < node->entries.count; i++) {
        check_node(source, node->entries.items[i].key);
        check_node(source, node->entries.items[i].value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    Arena arena = {0};
    Sources sources = {.arena = &arena};
    Diags diags = {.arena = &arena};
    const Str text = str_dup(&arena, (Str){(const char *)bytes, size});
    const uint32_t file = sources_add(&sources, STR("fuzz.yaml"), text);
    const Tree *tree = syntax_read(&sources, file, &arena, &diags);
    const Source *source = sources_get(&sources, file);
    assert(diags.muted == 0);
    for (uint32_t i = 0; i < tree->documents.count; i++) {
        check_node(source, tree->documents.items[i].root);
    }
    for (uint32_t i = 0; i < diags.list.count; i++) check_span(source, diags.list.items[i]->span);
    diags_sort(&diags);
    Buffer out = {0};
    diags_render_text(&diags, &sources, (DiagStyle){.colour = true, .width = 80}, &out);
    const DiagSummary summary = {.files = 1};
    diags_render_json(&diags, &sources, &summary, &out);
    buffer_release(&out);
    arena_release(&arena);
    return 0;
}
