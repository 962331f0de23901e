// build.c - libyaml's events to nodes.
//
// One pass with a stack of open collections, at most SYNTAX_DEPTH_MAX of them: the depth is looked
// at before each event is asked for more, so libyaml never runs ahead of it by more than the 1,024
// characters within which it looks for a simple key. What the language does not know (aliases,
// merge keys, keys that are no text) is reported and becomes a hole or is left out.
#include <string.h>
#include <yaml.h>

#include "syntax/reader.h"

enum { INDEX_FROM = 16 };  // keys of a map from which on a hash table finds duplicates

typedef struct Frame {
    Node *node;
    Node *key;           // waits for its value
    bool is_template;    // `{{`: becomes a text when it ends
    bool is_broken_key;  // a collection where a key belongs
    bool is_muted;       // this frame muted the findings
    bool has_many;       // the limit of keys was reported
    uint32_t *index;     // hash table over the entries, number + 1
    uint32_t index_size;
    uint32_t end;  // of the last child
} Frame;

typedef struct Anchor {
    Str name;
    Span span;
    bool is_used;
} Anchor;

typedef struct Builder {
    Reader *reader;
    yaml_parser_t parser;
    Frame frames[SYNTAX_DEPTH_MAX + 1];
    uint32_t depth;
    uint32_t nodes;
    uint32_t gap;    // behind the last thing seen: what follows may hold comments
    uint32_t patch;  // the next one to come
    bool is_stopped;
    uint32_t muted;  // as it was at the start
    Document *document;
    uint32_t document_start;
    LIST_OF(Anchor) anchors;
} Builder;

// --- comments -----------------------------------------------------------------------------------

static void add_comment(Reader *reader, uint32_t start) {
    const Str bytes = reader->source->bytes;
    uint32_t end = start;
    while (end < bytes.len && bytes.ptr[end] != '\n' && bytes.ptr[end] != '\r') end++;
    uint32_t before = start;
    while (before > 0 && (bytes.ptr[before - 1] == ' ' || bytes.ptr[before - 1] == '\t')) before--;
    Comment *comment = LIST_ADD(reader->arena, &reader->tree->comments, Comment);
    comment->span = reader_span(reader, start, end);
    comment->is_own_line = before == reader->offsets.base || bytes.ptr[before - 1] == '\n' ||
                           bytes.ptr[before - 1] == '\r';
}

// Between two scalars stand indicators, tags, anchors, and comments: a `#` behind a blank.
static void find_comments(Builder *builder, uint32_t until) {
    Reader *reader = builder->reader;
    const char *bytes = reader->text.ptr;
    uint32_t at = builder->gap;
    while (at < until) {
        const char *hash = memchr(bytes + at, '#', until - at);
        if (hash == NULL) break;
        at = (uint32_t)(hash - bytes);
        const char before = at == reader->offsets.base ? '\n' : bytes[at - 1];
        if (before == ' ' || before == '\t' || before == '\n' || before == '\r') {
            add_comment(reader, at);
            while (at < until && bytes[at] != '\n' && bytes[at] != '\r') at++;
        } else {
            at++;
        }
    }
}

// --- tags and anchors ---------------------------------------------------------------------------

// An event begins at its anchor or tag; the content begins behind them.
static uint32_t skip_properties(const Builder *builder, uint32_t at, uint32_t end) {
    const char *bytes = builder->reader->text.ptr;
    while (at < end && (bytes[at] == '&' || bytes[at] == '!')) {
        while (at < end && strchr(" \t\r\n,[]{}", bytes[at]) == NULL) at++;
        while (at < end) {
            if (bytes[at] == '#') {
                while (at < end && bytes[at] != '\n' && bytes[at] != '\r') at++;
            } else if (strchr(" \t\r\n", bytes[at]) != NULL) {
                at++;
            } else {
                break;
            }
        }
    }
    return at;
}

static void add_anchor(Builder *builder, const yaml_char_t *name, uint32_t at) {
    if (name == NULL) return;
    Reader *reader = builder->reader;
    const Str text = str_dup(reader->arena, str_from((const char *)name));
    const size_t found = str_find_char(reader->text, '&', at);
    const uint32_t start = found == STR_NOT_FOUND ? at : (uint32_t)found;
    Anchor *anchor = LIST_ADD(&reader->scratch, &builder->anchors, Anchor);
    anchor->name = text;
    anchor->span = reader_span(reader, start, start + 1 + (uint32_t)text.len);
}

static void use_anchor(Builder *builder, Str name) {
    for (uint32_t i = 0; i < builder->anchors.count; i++) {
        if (str_eq(builder->anchors.items[i].name, name)) builder->anchors.items[i].is_used = true;
    }
}

static void report_anchors(Builder *builder) {
    for (uint32_t i = 0; i < builder->anchors.count; i++) {
        const Anchor *anchor = &builder->anchors.items[i];
        if (anchor->is_used) continue;
        diag_add(builder->reader->diags, "W0024", DIAG_WARNING, anchor->span,
                 "nothing refers to the anchor '&" STR_FMT "'", STR_ARG(anchor->name));
    }
}

// --- limits -------------------------------------------------------------------------------------

static void stop(Builder *builder, Span span, const char *what, uint32_t limit) {
    if (builder->is_stopped) return;
    builder->is_stopped = true;
    builder->reader->diags->muted = builder->muted;
    Diag *diag =
        diag_add(builder->reader->diags, "E0002", DIAG_ERROR, span, "more than %u %s", limit, what);
    diag_note(diag, "what follows was not checked");
}

static Node *new_node(Builder *builder, NodeType type, uint32_t start) {
    Node *node = arena_new(builder->reader->arena, Node);
    node->type = type;
    node->span = reader_span(builder->reader, start, start);
    node->tag = STR("");
    if (++builder->nodes > SYNTAX_NODES_MAX) {
        stop(builder, node->span, "values in one file", SYNTAX_NODES_MAX);
    }
    return node;
}

// --- duplicate keys, lost dashes ----------------------------------------------------------------

static void index_add(Frame *frame, uint32_t number) {
    const Str key = frame->node->entries.items[number].key->text;
    uint32_t slot = str_hash(key) & (frame->index_size - 1);
    while (frame->index[slot] != 0) slot = (slot + 1) & (frame->index_size - 1);
    frame->index[slot] = number + 1;
}

static void index_grow(Builder *builder, Frame *frame) {
    const uint32_t count = frame->node->entries.count;
    if (count < INDEX_FROM || (frame->index != NULL && count * 2 <= frame->index_size)) return;
    frame->index_size = frame->index == NULL ? INDEX_FROM * 4 : frame->index_size * 2;
    frame->index = arena_array(&builder->reader->scratch, uint32_t, frame->index_size);
    for (uint32_t i = 0; i < count; i++) index_add(frame, i);
}

static NodeEntry *find_entry(const Frame *frame, Str key) {
    const Node *map = frame->node;
    if (frame->index == NULL) return (NodeEntry *)node_entry(map, key);
    uint32_t slot = str_hash(key) & (frame->index_size - 1);
    while (frame->index[slot] != 0) {
        NodeEntry *entry = &map->entries.items[frame->index[slot] - 1];
        if (str_eq(entry->key->text, key)) return entry;
        slot = (slot + 1) & (frame->index_size - 1);
    }
    return NULL;
}

// A key again with which the map began: the lines from here on are the next item.
static bool is_lost_dash(const Builder *builder, const Frame *frame, Str key) {
    if (frame->node->is_flow || builder->depth < 2 || frame->node->entries.count < 2) return false;
    const Frame *parent = frame - 1;
    return parent->node->type == YAML_LIST && !parent->node->is_flow &&
           str_eq(frame->node->entries.items[0].key->text, key);
}

static void report_lost_dash(Builder *builder, const Node *key, const Node *item) {
    Reader *reader = builder->reader;
    Diag *diag =
        diag_add(reader->diags, "E0020", DIAG_ERROR, key->span,
                 "the '-' of a list item is missing before '" STR_FMT "'", STR_ARG(key->text));
    diag_label(diag, item->entries.items[0].key->span, "this item has '" STR_FMT "' already",
               STR_ARG(key->text));
    const uint32_t start = key->span.start;
    const char *bytes = reader->source->bytes.ptr;
    if (start >= 2 && bytes[start - 1] == ' ' && bytes[start - 2] == ' ') {
        DiagSuggestion *suggestion = diag_suggestion(diag, false, "begin a new item here");
        diag_edit(diag, suggestion, reader_span(reader, start - 2, start), STR("- "));
    }
}

static void start_next_item(Builder *builder, Frame *frame, Node *key) {
    report_lost_dash(builder, key, frame->node);
    frame->node->span.len = frame->end - frame->node->span.start;
    Node *item = new_node(builder, YAML_MAP, key->span.start);
    Node *list = (frame - 1)->node;
    item->parent = list;
    frame->node->parent = list;
    *LIST_ADD(builder->reader->arena, &list->items, Node *) = frame->node;
    frame->node = item;
    frame->index = NULL;
    frame->index_size = 0;
}

static void report_duplicate(Builder *builder, const Node *key, const NodeEntry *first) {
    Diag *diag = diag_add(builder->reader->diags, "E0019", DIAG_ERROR, key->span,
                          "the key '" STR_FMT "' stands twice in this map", STR_ARG(key->text));
    diag_label(diag, first->key->span, "first used here");
}

// An item of the same id or the same text: a copy.
static bool has_item(const Node *list, const Node *item) {
    const Node *id = node_get(item, STR("id"));
    for (uint32_t i = 0; i < list->items.count; i++) {
        const Node *other = list->items.items[i];
        if (item->type == YAML_SCALAR && other->type == YAML_SCALAR) {
            if (str_eq(item->text, other->text)) return true;
            continue;
        }
        const Node *own = node_get(other, STR("id"));
        if (id != NULL && own != NULL && str_eq(id->text, own->text)) return true;
    }
    return false;
}

// Of two lists or maps under the same key, what is in the second is kept too: it was meant.
static void merge(Builder *builder, Node *first, Node *second) {
    Arena *arena = builder->reader->arena;
    if (first->type != second->type) return;
    for (uint32_t i = 0; i < second->items.count; i++) {
        if (has_item(first, second->items.items[i])) continue;
        second->items.items[i]->parent = first;
        *LIST_ADD(arena, &first->items, Node *) = second->items.items[i];
    }
    for (uint32_t i = 0; i < second->entries.count; i++) {
        const NodeEntry *entry = &second->entries.items[i];
        if (node_entry(first, entry->key->text) != NULL) continue;
        entry->value->parent = first;
        *LIST_ADD(arena, &first->entries, NodeEntry) = *entry;
    }
}

static Node *list_of_one(Builder *builder, const Node *key, const Node *first, Node *value) {
    Diag *diag =
        diag_add(builder->reader->diags, "E0020", DIAG_ERROR, first->span,
                 "'" STR_FMT "' is a list: the '-' of its item is missing", STR_ARG(key->text));
    diag_note(diag, "put '- ' before the first key and indent the others by two blanks");
    Node *list = new_node(builder, YAML_LIST, value->span.start);
    list->span = value->span;
    value->parent = list;
    *LIST_ADD(builder->reader->arena, &list->items, Node *) = value;
    return list;
}

// A map where a list has to stand: one item whose dash is missing.
static Node *mend_list(Builder *builder, const Node *key, Node *value, const Node *map) {
    static const char *const lists[] = {"tasks",   "then",           "else",   "triggers", "errors",
                                        "finally", "afterExecution", "inputs", "outputs"};
    if (value->type != YAML_MAP || value->is_flow) return value;
    bool is_list = false;
    for (size_t i = 0; i < COUNT(lists); i++) {
        if (str_eq(key->text, str_from(lists[i]))) is_list = i < 3 || map->parent == NULL;
    }
    bool is_default = str_eq(key->text, STR("pluginDefaults")) && map->parent == NULL;
    // The items of a Dag hold their task.
    const NodeEntry *wrapped = node_entry(value, STR("task"));
    if (str_eq(key->text, STR("tasks")) && wrapped != NULL && wrapped->value->type == YAML_MAP) {
        return list_of_one(builder, key, wrapped->key, value);
    }
    const NodeEntry *id = node_entry(value, is_default ? STR("type") : STR("id"));
    is_list = is_list || (is_default && node_entry(value, STR("values")) != NULL);
    const NodeEntry *type = node_entry(value, STR("type"));
    if (!is_list || id == NULL || type == NULL || id->value->type != YAML_SCALAR ||
        type->value->type != YAML_SCALAR) {
        return value;
    }
    return list_of_one(builder, key, id->key, value);
}

// --- attaching ----------------------------------------------------------------------------------

static void add_entry(Builder *builder, Frame *frame, Node *value) {
    Node *key = frame->key;
    frame->key = NULL;
    if (str_eq(key->text, STR("<<")) && key->style == SCALAR_PLAIN) {
        Diag *diag = diag_add(builder->reader->diags, "E0021", DIAG_ERROR, key->span,
                              "merge keys are not part of the language");
        diag_note(diag, "Kestra takes '<<' as an ordinary key; write the values out");
        builder->reader->tree->has_holes = true;
        return;
    }
    if (frame->is_broken_key) {
        frame->is_broken_key = false;
        return;
    }
    value = mend_list(builder, key, value, frame->node);
    value->parent = frame->node;
    NodeEntry *first = find_entry(frame, key->text);
    if (first != NULL) {
        report_duplicate(builder, key, first);
        merge(builder, first->value, value);
        return;
    }
    if (frame->node->entries.count >= SYNTAX_KEYS_MAX) {
        stop(builder, key->span, "keys in one map", SYNTAX_KEYS_MAX);
        return;
    }
    NodeEntry *entry = LIST_ADD(builder->reader->arena, &frame->node->entries, NodeEntry);
    entry->key = key;
    entry->value = value;
    if (frame->index != NULL) index_add(frame, frame->node->entries.count - 1);
    index_grow(builder, frame);
}

static void take_key(Builder *builder, Frame *frame, Node *key) {
    if (key->type != YAML_SCALAR) {
        // `{{` is a map as key of a map; any other collection is no key of ours.
        frame->is_broken_key = true;
    } else if (key->text.len == 0 && key->style == SCALAR_PLAIN) {
        diag_add(builder->reader->diags, "E0010", DIAG_ERROR, key->span,
                 "a key is missing before ':'");
        frame->is_broken_key = true;
    } else if (is_lost_dash(builder, frame, key->text) && find_entry(frame, key->text) != NULL) {
        start_next_item(builder, frame, key);
    }
    if (frame->node->entries.count == 0 && !frame->node->is_flow) {
        frame->node->span.start = key->span.start;
    }
    key->parent = frame->node;
    frame->key = key;
    // Keys are text, whatever they look like.
    if (key->type == YAML_SCALAR) {
        key->resolved = YAML_SCALAR_TEXT;
        key->value = value_text(key->text);
    }
}

// Puts a finished node where it belongs.
static void attach(Builder *builder, Node *node, uint32_t end) {
    if (builder->depth == 0) {
        builder->document->root = node;
        return;
    }
    Frame *frame = &builder->frames[builder->depth - 1];
    if (end > frame->end) frame->end = end;
    if (frame->node->type == YAML_LIST) {
        node->parent = frame->node;
        *LIST_ADD(builder->reader->arena, &frame->node->items, Node *) = node;
    } else if (frame->key == NULL) {
        take_key(builder, frame, node);
    } else {
        add_entry(builder, frame, node);
    }
}

// --- scalars ------------------------------------------------------------------------------------

static ScalarStyle style_of(yaml_scalar_style_t style) {
    if (style == YAML_SINGLE_QUOTED_SCALAR_STYLE) return SCALAR_SINGLE;
    if (style == YAML_DOUBLE_QUOTED_SCALAR_STYLE) return SCALAR_DOUBLE;
    if (style == YAML_LITERAL_SCALAR_STYLE) return SCALAR_LITERAL;
    if (style == YAML_FOLDED_SCALAR_STYLE) return SCALAR_FOLDED;
    return SCALAR_PLAIN;
}

// What a patch stands for; false where it is none.
static bool apply_patch(Builder *builder, Node *node, uint32_t start) {
    Reader *reader = builder->reader;
    const Patch *patch = patch_find(reader, start);
    if (patch == NULL) return false;
    node->span = reader_span(reader, patch->start, patch->end);
    if (patch->kind == PATCH_HOLE) {
        node->type = YAML_HOLE;
        reader->tree->has_holes = true;
        find_ids(reader, patch->start, patch->end, node);
    } else {
        node->style = SCALAR_PLAIN;
        scalar_set_raw(reader, node, patch->start, patch->end);
        node->resolved = YAML_SCALAR_TEXT;
        node->value = value_text(node->text);
    }
    return true;
}

static void on_scalar(Builder *builder, const yaml_event_t *event) {
    Reader *reader = builder->reader;
    const uint32_t event_start = offsets_byte(&reader->offsets, event->start_mark.index);
    const uint32_t end = offsets_byte(&reader->offsets, event->end_mark.index);
    const bool has_properties = event->data.scalar.anchor != NULL || event->data.scalar.tag != NULL;
    const uint32_t start =
        has_properties ? skip_properties(builder, event_start, end) : event_start;
    find_comments(builder, start);
    builder->gap = end;

    Node *node = new_node(builder, YAML_SCALAR, start);
    node->style = style_of(event->data.scalar.style);
    add_anchor(builder, event->data.scalar.anchor, event_start);
    if (event->data.scalar.tag != NULL) {
        node->tag = str_dup(reader->arena, str_from((const char *)event->data.scalar.tag));
    }
    if (!apply_patch(builder, node, start)) {
        const Str decoded = {(const char *)event->data.scalar.value, event->data.scalar.length};
        scalar_map(reader, node, decoded, start, end);
        scalar_resolve(node, reader->arena);
        if (decoded.len > SYNTAX_SCALAR_MAX) {
            diag_add(reader->diags, "E0002", DIAG_ERROR, node->span, "a text of more than %d bytes",
                     SYNTAX_SCALAR_MAX);
        }
    }
    attach(builder, node, node->span.start + node->span.len);
}

static void on_alias(Builder *builder, const yaml_event_t *event) {
    Reader *reader = builder->reader;
    const uint32_t start = offsets_byte(&reader->offsets, event->start_mark.index);
    const uint32_t end = offsets_byte(&reader->offsets, event->end_mark.index);
    find_comments(builder, start);
    builder->gap = end;
    const Str name = str_from((const char *)event->data.alias.anchor);
    use_anchor(builder, name);
    Node *node = new_node(builder, YAML_HOLE, start);
    node->span = reader_span(reader, start, end);
    reader->tree->has_holes = true;
    const Frame *frame = builder->depth > 0 ? &builder->frames[builder->depth - 1] : NULL;
    const bool is_merge =
        frame != NULL && frame->key != NULL && str_eq(frame->key->text, STR("<<"));
    if (!is_merge) {
        Diag *diag = diag_add(reader->diags, "E0021", DIAG_ERROR, node->span,
                              "aliases are not part of the language");
        diag_note(diag,
                  "Kestra reads the text '*" STR_FMT "'; write the value out, or quote it if the "
                  "text is meant",
                  STR_ARG(name));
    }
    attach(builder, node, end);
}

// --- collections --------------------------------------------------------------------------------

static void on_start(Builder *builder, const yaml_event_t *event) {
    Reader *reader = builder->reader;
    const bool is_map = event->type == YAML_MAPPING_START_EVENT;
    const uint32_t event_start = offsets_byte(&reader->offsets, event->start_mark.index);
    const yaml_char_t *tag =
        is_map ? event->data.mapping_start.tag : event->data.sequence_start.tag;
    const yaml_char_t *anchor =
        is_map ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
    uint32_t start = event_start;
    if (tag != NULL || anchor != NULL) {
        start = skip_properties(builder, event_start, (uint32_t)reader->text.len);
    }
    if (builder->depth == SYNTAX_DEPTH_MAX) {
        stop(builder, reader_span(reader, start, start + 1), "levels of nesting", SYNTAX_DEPTH_MAX);
        return;
    }
    Node *node = new_node(builder, is_map ? YAML_MAP : YAML_LIST, start);
    node->is_flow = is_map ? event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE
                           : event->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
    add_anchor(builder, anchor, event_start);
    if (tag != NULL) node->tag = str_dup(reader->arena, str_from((const char *)tag));

    Frame *frame = &builder->frames[builder->depth];
    *frame = (Frame){.node = node, .end = start};
    Frame *parent = builder->depth > 0 ? frame - 1 : NULL;
    // A collection where a key belongs: `{{` where it follows its brace, else a mistake.
    if (parent != NULL && parent->node->type == YAML_MAP && parent->key == NULL) {
        if (parent->node->is_flow && node->is_flow && is_map &&
            parent->node->span.start + 1 == start && parent->node->entries.count == 0) {
            parent->is_template = true;
        } else {
            diag_add(reader->diags, "E0010", DIAG_ERROR, reader_span(reader, start, start + 1),
                     "a key has to be a text, not a %s", is_map ? "map" : "list");
        }
        frame->is_muted = true;
        reader->diags->muted++;
    }
    builder->depth++;
}

// `{{ x }}` without quotes reads as a map in a map; it was meant as text.
static void make_template(Builder *builder, Node *node) {
    Reader *reader = builder->reader;
    const Span span = node->span;
    Diag *diag = diag_add(reader->diags, "E0017", DIAG_ERROR, span,
                          "a text that begins with '{{' needs quotes");
    suggest_quotes(reader, diag, span.start, span.start + span.len);
    *node = (Node){.type = YAML_SCALAR, .span = span, .tag = STR(""), .parent = node->parent};
    scalar_set_raw(reader, node, span.start, span.start + span.len);
    node->value = value_text(node->text);
    node->resolved = YAML_SCALAR_TEXT;
}

static void on_end(Builder *builder, const yaml_event_t *event) {
    Reader *reader = builder->reader;
    Frame *frame = &builder->frames[--builder->depth];
    Node *node = frame->node;
    uint32_t end = frame->end;
    if (node->is_flow) end = offsets_byte(&reader->offsets, event->end_mark.index);
    node->span = reader_span(reader, node->span.start, end);
    if (node->is_flow) {
        find_comments(builder, end);
        builder->gap = end;
    }
    if (frame->is_muted) reader->diags->muted--;
    if (frame->is_template) make_template(builder, node);
    attach(builder, node, end);
}

// --- documents ----------------------------------------------------------------------------------

static void on_document_start(Builder *builder, const yaml_event_t *event) {
    builder->document_start = offsets_byte(&builder->reader->offsets, event->start_mark.index);
    builder->document = arena_new(builder->reader->arena, Document);
}

static void on_document_end(Builder *builder) {
    Reader *reader = builder->reader;
    Document *document = builder->document;
    builder->document = NULL;
    if (document == NULL) return;
    if (document->root == NULL) document->root = new_node(builder, YAML_HOLE, 0);
    const uint32_t count = reader->tree->documents.count;
    // `---` at the end of a file begins nothing.
    if (count > 0 && node_is_null(document->root)) return;
    *LIST_ADD(reader->arena, &reader->tree->documents, Document) = *document;
    if (count != 1) return;
    Diag *diag = diag_add(reader->diags, "W0022", DIAG_WARNING,
                          reader_span(reader, builder->document_start, builder->document_start + 3),
                          "a second document begins here");
    diag_note(diag, "Kestra reads the first document of a file only; give each flow its own file");
}

// What is open when reading stops is closed as it is.
static void close_all(Builder *builder) {
    Reader *reader = builder->reader;
    reader->diags->muted = builder->muted;
    while (builder->depth > 0) {
        Frame *frame = &builder->frames[--builder->depth];
        frame->node->span = reader_span(reader, frame->node->span.start, frame->end);
        if (frame->key != NULL && frame->key->type == YAML_SCALAR) {
            add_entry(builder, frame, new_node(builder, YAML_HOLE, frame->end));
        }
        attach(builder, frame->node, frame->end);
    }
    if (builder->document != NULL) on_document_end(builder);
    reader->tree->has_holes = true;
}

// --- the pass -----------------------------------------------------------------------------------

static void parser_start(yaml_parser_t *parser, const Reader *reader) {
    // The parser is memory of libyaml's own; where it cannot get any, so cannot we.
    if (!yaml_parser_initialize(parser)) out_of_memory();
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(parser,
                                 (const unsigned char *)reader->text.ptr + reader->offsets.base,
                                 reader->text.len - reader->offsets.base);
}

static void note_failure(const Reader *reader, const yaml_parser_t *parser, Failure *failure) {
    if (parser->error == YAML_MEMORY_ERROR) out_of_memory();
    failure->problem = parser->problem == NULL ? "unreadable text" : parser->problem;
    failure->context = parser->context;
    failure->at = offsets_byte(&reader->offsets, parser->problem_mark.index);
    failure->context_at = failure->at;
    if (parser->context != NULL) {
        failure->context_at = offsets_byte(&reader->offsets, parser->context_mark.index);
    }
}

// Gives false at the end of the stream.
static bool on_event(Builder *builder, const yaml_event_t *event) {
    switch (event->type) {
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
        return true;
    case YAML_STREAM_END_EVENT:
        return false;
    case YAML_DOCUMENT_START_EVENT:
        on_document_start(builder, event);
        return true;
    case YAML_DOCUMENT_END_EVENT:
        on_document_end(builder);
        return true;
    case YAML_ALIAS_EVENT:
        on_alias(builder, event);
        return true;
    case YAML_SCALAR_EVENT:
        on_scalar(builder, event);
        return true;
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        on_start(builder, event);
        return true;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        on_end(builder, event);
        return true;
    }
    return true;
}

BuildEnd tree_build(Reader *reader, Failure *failure) {
    Builder *builder = arena_new(&reader->scratch, Builder);
    builder->reader = reader;
    builder->gap = reader->offsets.base;
    reader->tree = arena_new(reader->arena, Tree);
    reader->tree->file = reader->file;
    reader->tree->bytes = reader->source->bytes;
    builder->muted = reader->diags->muted;
    parser_start(&builder->parser, reader);
    BuildEnd end = BUILD_DONE;
    for (bool goes_on = true; goes_on && !builder->is_stopped;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&builder->parser, &event)) {
            note_failure(reader, &builder->parser, failure);
            end = BUILD_FAILED;
            break;
        }
        goes_on = on_event(builder, &event);
        yaml_event_delete(&event);
    }
    if (end == BUILD_DONE && builder->is_stopped) end = BUILD_LIMIT;
    if (end == BUILD_DONE) {
        find_comments(builder, (uint32_t)reader->text.len);
        report_anchors(builder);
    } else {
        close_all(builder);
    }
    reader->diags->muted = builder->muted;
    yaml_parser_delete(&builder->parser);
    return end;
}

BuildEnd tree_probe(Reader *reader, Failure *failure) {
    yaml_parser_t parser;
    parser_start(&parser, reader);
    BuildEnd end = BUILD_DONE;
    uint32_t depth = 0;
    for (bool goes_on = true; goes_on;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            note_failure(reader, &parser, failure);
            end = BUILD_FAILED;
            break;
        }
        if (event.type == YAML_MAPPING_START_EVENT || event.type == YAML_SEQUENCE_START_EVENT) {
            if (depth++ == SYNTAX_DEPTH_MAX) end = BUILD_LIMIT;
        } else if (event.type == YAML_MAPPING_END_EVENT || event.type == YAML_SEQUENCE_END_EVENT) {
            depth--;
        }
        goes_on = event.type != YAML_STREAM_END_EVENT && end == BUILD_DONE;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return end;
}
