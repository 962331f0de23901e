// private.c - private catalogs: types from a YAML file in the catalog's own format.
//
// The file is read into the same rows as the built-in ones and put on top of them, so its types win
// and are marked TYPE_PRIVATE. Its `use:` and `$Name` find the groups and definitions of _base.
// What is wrong in it is a finding there, and the rest is taken.
#include "base/codec.h"
#include "base/crypto.h"
#include "catalog/layers.h"

typedef struct Private {
    const Tree *tree;
    Diags *diags;
} Private;

static const Node *child_at(const Node *node, const RowPath *path, uint32_t i) {
    if (path->keys[i].len > 0) return node_get(node, path->keys[i]);
    if (node->type != YAML_LIST || path->index[i] >= node->items.count) return NULL;
    return node->items.items[path->index[i]];
}

// The node a path leads to, or the last one that is there.
static Span span_of(const Node *root, const RowPath *path) {
    const Node *node = root;
    Span span = root->span;
    for (uint32_t i = 0; i < path->depth && i < ROW_PATH_MAX; i++) {
        const NodeEntry *entry = path->keys[i].len > 0 ? node_entry(node, path->keys[i]) : NULL;
        const Node *child = child_at(node, path, i);
        if (child == NULL) break;
        span = child->span;
        if (entry != NULL && (path->is_key || span.len == 0) && i + 1 == path->depth) {
            span = entry->key->span;
        }
        node = child;
    }
    return span;
}

static void on_mistake(void *self, const RowPath *path, Str message) {
    const Private *private = self;
    const Node *root = private->tree->documents.items[0].root;
    diag_add(private->diags, "E0122", DIAG_ERROR, span_of(root, path), STR_FMT, STR_ARG(message));
}

// The built-in digest and what was added, in order.
static void add_digest(Catalog *catalog, Value content) {
    Buffer json = {0};
    buffer_add(&json, catalog_digest(catalog));
    json_write(&json, content, JSON_CANONICAL, 0);
    Hash hash = hash_bytes(buffer_str(&json));
    buffer_clear(&json);
    hex_encode(&json, hash.bytes, sizeof hash.bytes);
    catalog->digest = buffer_to_str(&json, catalog->arena);
    buffer_release(&json);
}

void catalog_add(Catalog *catalog, const Sources *sources, const Tree *tree, Diags *diags) {
    (void)sources;
    if (tree->documents.count == 0) return;
    Private private = {tree, diags};
    Value content = node_to_value(tree->documents.items[0].root, catalog->arena);
    RowBuilder *builder =
        rows_new(catalog->arena, &catalog_builtin, (RowReport){on_mistake, &private});
    rows_add_file(builder, tree->file, content);
    add_digest(catalog, content);
    catalog_push(catalog, rows_finish(builder, ""));
}
