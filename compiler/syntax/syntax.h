// syntax.h - libyaml events -> a tree in which every node knows its bytes; comments and raw text
// are kept.
//
// Scalars are decoded; scalar_span() maps any piece of the decoded value back to the bytes it came
// from, exactly, in every style. After a syntax error the smallest enclosing item becomes a HOLE
// and the rest is read (design §15).
#ifndef FLOW_SYNTAX_SYNTAX_H
#define FLOW_SYNTAX_SYNTAX_H

#include "diag/diag.h"
#include "value/value.h"

enum {
    SYNTAX_DEPTH_MAX = 64,
    SYNTAX_NODES_MAX = 200000,
    SYNTAX_KEYS_MAX = 10000,
    SYNTAX_SCALAR_MAX = 1 << 20
};

typedef enum NodeType { YAML_SCALAR, YAML_LIST, YAML_MAP, YAML_HOLE } NodeType;
typedef enum ScalarStyle {
    SCALAR_PLAIN,
    SCALAR_SINGLE,
    SCALAR_DOUBLE,
    SCALAR_LITERAL,
    SCALAR_FOLDED
} ScalarStyle;

typedef struct Node Node;

typedef struct NodeEntry {
    Node *key;    // a scalar
    Node *value;  // never NULL; an absent value is a null scalar of length 0
} NodeEntry;

// A run of decoded bytes and where it came from: decoded [at, next.at) is raw [raw, …) byte by byte
// while `is_exact`, else (an escape, a folded newline) the whole raw run [raw, raw + raw_len).
typedef struct ScalarRun {
    uint32_t at, raw, raw_len;
    bool is_exact;
} ScalarRun;

struct Node {
    NodeType type;
    Span span;  // of the value, quotes and block indicator included, without trailing comments
    Str tag;    // "" where there is none
    Node *parent;
    // Scalars.
    ScalarStyle style;
    Str text;  // decoded
    LIST_OF(ScalarRun) runs;
    YamlScalar resolved;  // by the YAML 1.1 table; quoted and block scalars are text
    Value value;          // null, bool, int, float or text
    // Lists and maps.
    LIST_OF(Node *) items;
    LIST_OF(NodeEntry) entries;
    bool is_flow;  // [ ] or { }
    // Holes: ids found in it, by text.
    LIST_OF(Str) hole_ids;
};

typedef struct Comment {
    Span span;  // from `#` to the end of the line
    bool is_own_line;
} Comment;

typedef struct Document {
    Node *root;
} Document;

typedef struct Tree {
    uint32_t file;
    Str bytes;  // all of the file
    LIST_OF(Document) documents;
    LIST_OF(Comment) comments;
    bool has_holes;
    bool has_moved;         // a line stood in a column where nothing begins (E0012)
    LIST_OF(Str) text_ids;  // with holes: all ids that stand in the text, read or not
} Tree;

// Reads a source; all mistakes go to diags (E0002 … W0024). Always gives a tree, with a HOLE as
// root at worst.
Tree *syntax_read(const Sources *sources, uint32_t file, Arena *arena, Diags *diags);

Node *node_get(const Node *map, Str key);  // NULL where absent, or `map` is no map
const NodeEntry *node_entry(const Node *map, Str key);
bool node_is_text(const Node *node);
bool node_is_null(const Node *node);
// The bytes of decoded [start, start + len).
Span scalar_span(const Node *scalar, uint32_t start, uint32_t len);
// The user's word: "list", "map", "text", "integer", "boolean", "number", "null".
const char *node_kind_name(const Node *node);
// A source laid out anew: the text in *out, which means the same. False, and the text as it is,
// where the tree has holes or the layout cannot be changed with certainty.
bool syntax_format(const Sources *sources, const Tree *tree, Arena *arena, Str *out);
// As a Value (maps, lists, resolved scalars).
Value node_to_value(const Node *node, Arena *arena);

#endif
