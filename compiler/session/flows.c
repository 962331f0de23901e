// flows.c - the index of a project's flows.
//
// A project may have thousands of files of which one is checked, so the name of a flow is read from
// the lines that begin with `id:` and `namespace:`; only a file in which they are written in
// another way is parsed for it.
#include "session/flows.h"

#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "rules/rule.h"

typedef struct Seen {
    uint64_t device, inode;
    bool is_used;
} Seen;

typedef struct Indexer {
    Session *session;
    FlowIndex *index;
    Arena scratch;
    Seen *seen;  // files that were read: a file has many paths
    uint32_t seen_size, seen_count;
    uint32_t file_count;
} Indexer;

// --- names --------------------------------------------------------------------------------------

typedef enum HeadKind { HEAD_NONE, HEAD_FLOW, HEAD_UNCLEAR } HeadKind;

typedef struct Head {
    Str id, flow_namespace;
    bool has_tasks, has_key, has_content;
} Head;

// The value behind `key:` on one line; false where it is not that simple.
static bool simple_value(Str rest, Str *out) {
    rest = str_trim(rest);
    if (rest.len == 0) return false;
    const char first = rest.ptr[0];
    if (first == '"' || first == '\'') {
        const size_t end = str_find_char(rest, first, 1);
        if (end == STR_NOT_FOUND || str_find_char(rest, '\\', 0) != STR_NOT_FOUND) return false;
        const Str behind = str_trim(str_slice(rest, end + 1, rest.len));
        *out = str_slice(rest, 1, end);
        return behind.len == 0 || behind.ptr[0] == '#';
    }
    if (strchr("|>&*!{}[]%@`,?-#:", first) != NULL) return false;
    const size_t comment = str_find(rest, STR(" #"), 0);
    if (comment != STR_NOT_FOUND) rest = str_trim(str_slice(rest, 0, comment));
    *out = rest;
    return str_find(rest, STR(": "), 0) == STR_NOT_FOUND &&
           str_find_char(rest, '\r', 0) == STR_NOT_FOUND &&
           str_find_char(rest, '\t', 0) == STR_NOT_FOUND;
}

static bool begins_with_key(Str line, Str key) {
    if (!str_starts_with(line, key) || line.len <= key.len || line.ptr[key.len] != ':')
        return false;
    const char next = line.len == key.len + 1 ? ' ' : line.ptr[key.len + 1];
    return next == ' ' || next == '\t' || next == '\r';
}

// One line that begins in the first column, and what follows it; false where it is unclear.
static bool read_line(Head *head, Str line, char following) {
    if (str_starts_with(line, STR("---"))) {
        const bool is_first = !head->has_content;
        return is_first && str_trim(str_slice(line, 3, line.len)).len == 0;
    }
    if (strchr("\"'{?%.", line.ptr[0]) != NULL) return false;
    head->has_content = true;
    head->has_key = true;
    if (begins_with_key(line, STR("tasks"))) head->has_tasks = true;
    Str *out = NULL;
    if (begins_with_key(line, STR("id"))) out = &head->id;
    if (begins_with_key(line, STR("namespace"))) out = &head->flow_namespace;
    if (out == NULL) return true;
    if (out->len > 0 || following == ' ' || following == '\t') return false;
    return simple_value(str_slice(line, str_find_char(line, ':', 0) + 1, line.len), out);
}

static HeadKind read_head(Str bytes, Head *head) {
    if (str_starts_with(bytes, STR("\xEF\xBB\xBF"))) bytes = str_slice(bytes, 3, bytes.len);
    for (size_t at = 0; at < bytes.len;) {
        const char *end = memchr(bytes.ptr + at, '\n', bytes.len - at);
        const size_t next = end == NULL ? bytes.len : (size_t)(end - bytes.ptr) + 1;
        const char first = bytes.ptr[at];
        if (first != ' ' && first != '\n' && first != '\r' && first != '#' && first != '\t') {
            const Str line = str_slice(bytes, at, end == NULL ? next : next - 1);
            const char following = next < bytes.len ? bytes.ptr[next] : '\n';
            if (!read_line(head, line, following)) return HEAD_UNCLEAR;
        }
        at = next;
    }
    if (!head->has_tasks) {
        const bool may_be = !head->has_key && str_find(bytes, STR("tasks"), 0) != STR_NOT_FOUND;
        return may_be ? HEAD_UNCLEAR : HEAD_NONE;
    }
    return head->id.len > 0 && head->flow_namespace.len > 0 ? HEAD_FLOW : HEAD_NONE;
}

// --- reading ------------------------------------------------------------------------------------

static void add_flow(Indexer *indexer, const KnownFlow *from, Str flow_namespace, Str id) {
    if (flow_namespace.len == 0 || id.len == 0) return;
    Arena *arena = &indexer->session->arena;
    KnownFlow *known = LIST_ADD(arena, &indexer->index->list, KnownFlow);
    *known = *from;
    known->next_same = FLOW_NONE;
    known->flow_namespace = str_dup(arena, flow_namespace);
    known->id = str_dup(arena, id);
}

static void add_documents(Indexer *indexer, KnownFlow *from, Str bytes) {
    Sources sources = {.arena = &indexer->scratch};
    Diags quiet = {.arena = &indexer->scratch, .muted = 1};
    const uint32_t file = sources_add(&sources, from->path, bytes);
    const Tree *tree = syntax_read(&sources, file, &indexer->scratch, &quiet);
    for (uint32_t i = 0; i < tree->documents.count; i++) {
        const Node *root = tree->documents.items[i].root;
        const Node *id = node_get(root, STR("id"));
        const Node *name_space = node_get(root, STR("namespace"));
        if (id == NULL || name_space == NULL || node_get(root, STR("tasks")) == NULL) continue;
        from->document = i;
        add_flow(indexer, from, name_space->text, id->text);
    }
}

static void add_file(Indexer *indexer, KnownFlow *from, Str bytes) {
    Head head = {0};
    from->origin = indexer->file_count++;
    from->may_call = str_find(bytes, STR("flowId"), 0) != STR_NOT_FOUND;
    switch (read_head(bytes, &head)) {
    case HEAD_NONE:
        return;
    case HEAD_FLOW:
        add_flow(indexer, from, head.flow_namespace, head.id);
        return;
    case HEAD_UNCLEAR:
        add_documents(indexer, from, bytes);
        return;
    }
}

static uint32_t mix(uint64_t device, uint64_t inode) {
    const uint64_t mixed = (inode + device * 31) * 0x9E3779B97F4A7C15ULL;
    return (uint32_t)(mixed >> 32);
}

static void grow_seen(Indexer *indexer) {
    Seen *old = indexer->seen;
    const uint32_t old_size = indexer->seen_size;
    indexer->seen_size = old_size == 0 ? 64 : old_size * 2;
    indexer->seen = arena_array(&indexer->session->arena, Seen, indexer->seen_size);
    for (uint32_t i = 0; i < old_size; i++) {
        if (!old[i].is_used) continue;
        uint32_t at = mix(old[i].device, old[i].inode) & (indexer->seen_size - 1);
        while (indexer->seen[at].is_used) at = (at + 1) & (indexer->seen_size - 1);
        indexer->seen[at] = old[i];
    }
}

// True the first time. What is no file is new each time.
static bool is_new(Indexer *indexer, KnownFlow *from, const char *path) {
    struct stat status;
    if (stat(path, &status) != 0) return true;
    from->device = (uint64_t)status.st_dev;
    from->inode = (uint64_t)status.st_ino;
    if (indexer->seen_count * 2 >= indexer->seen_size) grow_seen(indexer);
    uint32_t at = mix(from->device, from->inode) & (indexer->seen_size - 1);
    for (; indexer->seen[at].is_used; at = (at + 1) & (indexer->seen_size - 1)) {
        const Seen *seen = &indexer->seen[at];
        if (seen->device == from->device && seen->inode == from->inode) return false;
    }
    indexer->seen[at] = (Seen){from->device, from->inode, true};
    indexer->seen_count++;
    return true;
}

static void add_given(Indexer *indexer, const SessionInput *input, FoundFile *found,
                      uint32_t number) {
    const Str name = str_eq(found->path, STR("-")) ? input->input_name : found->path;
    KnownFlow from = {.path = name, .bytes = found->bytes, .given = number, .is_given = true};
    if (found->error != NULL) return;
    if (is_new(indexer, &from, str_to_c(&indexer->scratch, name))) {
        add_file(indexer, &from, found->bytes);
        found->rests_on_flows = from.may_call;
    } else {
        found->rests_on_flows = true;
    }
}

// A file that only others rest on: one that cannot be read is not there.
static void add_other(Indexer *indexer, Str path) {
    const ArenaMark mark = arena_mark(&indexer->scratch);
    const char *name = str_to_c(&indexer->scratch, path);
    KnownFlow from = {.path = path};
    Str bytes = {0};
    if (is_new(indexer, &from, name) &&
        file_read(name, SOURCE_SIZE_MAX, &indexer->scratch, &bytes).code == ERR_NONE) {
        add_file(indexer, &from, bytes);
    }
    arena_reset(&indexer->scratch, mark);
}

static Err add_place(Indexer *indexer, const char *path, const char *what) {
    if (!path_exists(path))
        return err_make(ERR_USAGE, "%s names '%s', which is not there", what, path);
    FoundFiles found = {0};
    TRY(paths_expand(indexer->session, path, &found));
    for (uint32_t i = 0; i < found.list.count; i++) add_other(indexer, found.list.items[i].path);
    return err_none();
}

static Err add_places(Indexer *indexer) {
    Session *session = indexer->session;
    for (uint32_t i = 0; i < session->options.flows.count; i++) {
        TRY(add_place(indexer, session->options.flows.items[i], "--flows"));
    }
    for (uint32_t i = 0; i < session->project.flows.count; i++) {
        const char *path = str_to_c(&session->arena, session->project.flows.items[i]);
        TRY(add_place(indexer, path, "'flows' of the project file"));
    }
    if (!session->project.exists) return err_none();
    const Str folder = session->project.folder.len > 0 ? session->project.folder : STR(".");
    return add_place(indexer, str_to_c(&session->arena, folder), "the project");
}

// --- finding ------------------------------------------------------------------------------------

static uint32_t name_hash(Str flow_namespace, Str id) {
    return str_hash(flow_namespace) * 31 + str_hash(id);
}

static bool is_named(const KnownFlow *known, Str flow_namespace, Str id) {
    return str_eq(known->id, id) && str_eq(known->flow_namespace, flow_namespace);
}

static void link_names(Session *session, FlowIndex *index) {
    index->slot_count = 16;
    while (index->slot_count < index->list.count * 2) index->slot_count *= 2;
    index->slots = arena_array(&session->arena, uint32_t, index->slot_count);
    for (uint32_t i = 0; i < index->slot_count; i++) index->slots[i] = FLOW_NONE;
    for (uint32_t i = 0; i < index->list.count; i++) {
        const KnownFlow *known = &index->list.items[i];
        uint32_t at = name_hash(known->flow_namespace, known->id) & (index->slot_count - 1);
        while (index->slots[at] != FLOW_NONE &&
               !is_named(&index->list.items[index->slots[at]], known->flow_namespace, known->id)) {
            at = (at + 1) & (index->slot_count - 1);
        }
        if (index->slots[at] == FLOW_NONE) {
            index->slots[at] = i;
            continue;
        }
        KnownFlow *last = &index->list.items[index->slots[at]];
        while (last->next_same != FLOW_NONE) last = &index->list.items[last->next_same];
        last->next_same = i;
    }
}

uint32_t flows_find(const FlowIndex *index, Str flow_namespace, Str id) {
    if (index == NULL) return FLOW_NONE;
    uint32_t at = name_hash(flow_namespace, id) & (index->slot_count - 1);
    for (; index->slots[at] != FLOW_NONE; at = (at + 1) & (index->slot_count - 1)) {
        if (is_named(&index->list.items[index->slots[at]], flow_namespace, id)) {
            return index->slots[at];
        }
    }
    return FLOW_NONE;
}

// The literal text of a property; `{{ flow.namespace }}` is one, too.
static Str literal_property(const Task *task, const Property *property) {
    if (property == NULL || property->node->type != YAML_SCALAR) return (Str){0};
    const Str text = property->node->text;
    if (!template_has_code(text)) return text;
    const Str inside = str_trim(str_slice(text, 2, text.len > 4 ? text.len - 2 : 2));
    if (str_starts_with(text, STR("{{")) && str_ends_with(text, STR("}}")) &&
        str_eq(inside, STR("flow.namespace"))) {
        return task->flow->flow_namespace;
    }
    return (Str){0};
}

bool flow_call_of(const Task *task, FlowCall *out) {
    if (!task_is(task, "flow.Subflow") && !task_is(task, "flow.ForEachItem")) return false;
    for (const Task *at = task; at != NULL; at = at->parent) {
        if (at->is_disabled) return false;
    }
    out->id_property = task_property(task, STR("flowId"));
    out->namespace_property = task_property(task, STR("namespace"));
    out->id = literal_property(task, out->id_property);
    out->flow_namespace = literal_property(task, out->namespace_property);
    return out->id.len > 0 && out->flow_namespace.len > 0;
}

// Does it wait for what it calls? Who does not may call for ever, as a daemon does.
static bool is_waiting(const Task *task) {
    const Property *wait = task_property(task, STR("wait"));
    return wait == NULL || node_is_null(wait->node) || str_eq(rule_text(wait->node), STR("true"));
}

// Is the task reached in every run that gets as far as its list?
bool flow_call_is_sure(const Task *task) {
    for (const Task *at = task; at != NULL; at = at->parent) {
        if (at->is_disabled || task_run_if(at) != NULL || at->group == NULL) return false;
        if (at->group->list != TASKS_BODY) return false;
        if (at != task && !task_is(at, "flow.Sequential") && !task_is(at, "flow.Parallel") &&
            !task_is(at, "flow.Dag")) {
            return false;
        }
    }
    return task_is(task, "flow.Subflow") && is_waiting(task);
}

// --- loading ------------------------------------------------------------------------------------

static Node *copy_node(Arena *arena, const Node *node) {
    if (node == NULL) return NULL;
    Node *copy = arena_new(arena, Node);
    *copy = (Node){.type = node->type,
                   .span = node->span,
                   .style = node->style,
                   .text = str_dup(arena, node->text),
                   .resolved = node->resolved,
                   .value = value_copy(arena, node->value),
                   .is_flow = node->is_flow};
    for (uint32_t i = 0; i < node->items.count; i++) {
        *LIST_ADD(arena, &copy->items, Node *) = copy_node(arena, node->items.items[i]);
    }
    for (uint32_t i = 0; i < node->entries.count; i++) {
        const NodeEntry *entry = &node->entries.items[i];
        *LIST_ADD(arena, &copy->entries, NodeEntry) =
            (NodeEntry){copy_node(arena, entry->key), copy_node(arena, entry->value)};
    }
    return copy;
}

static InputDecl *copy_input(Arena *arena, const InputDecl *input) {
    static const Node there = {0};
    InputDecl *copy = arena_new(arena, InputDecl);
    *copy = (InputDecl){.id = str_dup(arena, input->id),
                        .id_span = input->id_span,
                        .type = input->type,
                        .has_type = input->has_type,
                        .type_span = input->type_span,
                        .item_type = input->item_type,
                        .is_required = input->is_required,
                        .allow_custom = input->allow_custom,
                        .auto_first = input->auto_first,
                        .values = copy_node(arena, input->values),
                        .validator = copy_node(arena, input->validator),
                        .min = copy_node(arena, input->min),
                        .max = copy_node(arena, input->max)};
    copy->defaults = input->defaults == NULL ? NULL : copy_node(arena, &there);
    copy->prefill = input->prefill == NULL ? NULL : copy_node(arena, &there);
    copy->expression = input->expression == NULL ? NULL : copy_node(arena, &there);
    copy->condition = input->condition == NULL ? NULL : copy_node(arena, &there);
    for (uint32_t i = 0; i < input->depends_on.count; i++) {
        *LIST_ADD(arena, &copy->depends_on, Str) = str_dup(arena, input->depends_on.items[i]);
    }
    for (uint32_t i = 0; i < input->children.count; i++) {
        *LIST_ADD(arena, &copy->children, InputDecl *) =
            copy_input(arena, input->children.items[i]);
    }
    return copy;
}

static FlowFacts *facts_of(const Flow *flow, Arena *arena) {
    FlowFacts *facts = arena_new(arena, FlowFacts);
    *facts = (FlowFacts){.id = str_dup(arena, flow->id),
                         .id_span = flow->id_span,
                         .is_disabled = flow->is_disabled,
                         .has_holes = flow->has_holes};
    for (uint32_t i = 0; i < flow->inputs.count; i++) {
        *LIST_ADD(arena, &facts->inputs, InputDecl *) = copy_input(arena, flow->inputs.items[i]);
    }
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        const Task *task = flow->all_tasks.items[i];
        FlowCall call = {0};
        if (!flow_call_of(task, &call)) continue;
        const Node *id = call.id_property->node;
        *LIST_ADD(arena, &facts->calls, KnownCall) =
            (KnownCall){.flow_namespace = str_dup(arena, call.flow_namespace),
                        .id = str_dup(arena, call.id),
                        .span = scalar_span(id, 0, (uint32_t)id->text.len),
                        .is_sure = flow_call_is_sure(task)};
    }
    return facts;
}

// All flows of one file: it is read once.
static void load(Session *session, FlowIndex *index, uint32_t at) {
    if (index->list.items[at].is_loaded) return;
    const uint32_t origin = index->list.items[at].origin;
    while (at > 0 && index->list.items[at - 1].origin == origin) at--;
    const Str path = index->list.items[at].path;
    Str bytes = index->list.items[at].bytes;
    if (bytes.len == 0 &&
        file_read(str_to_c(&session->arena, path), SOURCE_SIZE_MAX, &session->arena, &bytes).code !=
            ERR_NONE) {
        bytes = (Str){0};
    }
    Arena scratch = {0};
    Diags quiet = {.arena = &scratch, .muted = 1};
    const uint32_t file = sources_add(&session->sources, path, bytes);
    const Tree *tree = syntax_read(&session->sources, file, &scratch, &quiet);
    const FlowOptions options = session_flow_options(session);
    for (; at < index->list.count && index->list.items[at].origin == origin; at++) {
        KnownFlow *known = &index->list.items[at];
        known->is_loaded = true;
        if (known->document >= tree->documents.count) continue;
        const Flow *flow = flow_build(tree, &tree->documents.items[known->document],
                                      session->catalog, &options, &scratch, &quiet);
        if (flow != NULL) known->facts = facts_of(flow, &session->arena);
    }
    arena_release(&scratch);
}

// What is called, and what that calls: circles are found among them.
static void load_called(Session *session, FlowIndex *index, uint32_t first) {
    LIST_OF(uint32_t) open = {0};
    *LIST_ADD(&session->arena, &open, uint32_t) = first;
    while (open.count > 0) {
        const uint32_t at = open.items[--open.count];
        if (index->list.items[at].is_followed) continue;
        index->list.items[at].is_followed = true;
        load(session, index, at);
        const FlowFacts *facts = index->list.items[at].facts;
        for (uint32_t i = 0; facts != NULL && i < facts->calls.count; i++) {
            const KnownCall *call = &facts->calls.items[i];
            const uint32_t target = flows_find(index, call->flow_namespace, call->id);
            if (target == FLOW_NONE || index->list.items[target].is_followed) continue;
            *LIST_ADD(&session->arena, &open, uint32_t) = target;
        }
    }
}

static void load_needed(Session *session, FlowIndex *index) {
    for (uint32_t i = 0; i < index->list.count; i++) {
        KnownFlow *known = &index->list.items[i];
        if (known->is_given && known->may_call) load_called(session, index, i);
        if (known->next_same == FLOW_NONE) continue;
        // One name, several flows: each shows where the others are.
        load(session, index, i);
        load(session, index, known->next_same);
    }
}

// Flows of one name tell of each other.
static void mark_shared_names(const FlowIndex *index, FoundFiles *found) {
    for (uint32_t i = 0; i < index->list.count; i++) {
        const KnownFlow *first = &index->list.items[i];
        if (first->next_same == FLOW_NONE) continue;
        const KnownFlow *const both[] = {first, &index->list.items[first->next_same]};
        for (size_t k = 0; k < COUNT(both); k++) {
            if (both[k]->is_given) found->list.items[both[k]->given].rests_on_flows = true;
        }
    }
}

static void add_number(Hasher *hasher, uint64_t number) {
    hasher_add(hasher, (Str){(const char *)&number, sizeof number});
}

static void add_text(Hasher *hasher, Str text) {
    add_number(hasher, text.len);
    hasher_add(hasher, text);
}

static Hash digest_of(const Session *session, const FlowIndex *index) {
    Hasher hasher;
    hasher_init(&hasher, HASH_SIZE);
    add_number(&hasher, index->has_places);
    add_number(&hasher, session->project.exists || session->options.flows.count > 0);
    for (uint32_t i = 0; i < index->list.count; i++) {
        const KnownFlow *known = &index->list.items[i];
        add_text(&hasher, known->flow_namespace);
        add_text(&hasher, known->id);
        add_text(&hasher, known->path);
        add_number(&hasher, known->document);
        add_number(&hasher, known->is_given);
        add_number(&hasher, known->facts != NULL);
        if (known->facts == NULL) continue;
        add_text(&hasher, sources_get(&session->sources, known->facts->id_span.file)->bytes);
    }
    Hash hash;
    hasher_end(&hasher, hash.bytes, sizeof hash.bytes);
    return hash;
}

static bool has_places(const Session *session, const SessionInput *input) {
    if (session->project.exists || session->options.flows.count > 0) return true;
    for (size_t i = 0; i < input->count; i++) {
        if (path_is_dir(input->paths[i])) return true;
    }
    return false;
}

static void read_found(Session *session, const SessionInput *input, FoundFile *found) {
    if (str_eq(found->path, STR("-"))) {
        found->bytes = input->input;
        return;
    }
    const Err err = file_read(str_to_c(&session->arena, found->path), SOURCE_SIZE_MAX,
                              &session->arena, &found->bytes);
    if (err.code == ERR_NONE) return;
    found->error = arena_new(&session->arena, Err);
    *found->error = err;
}

Err flows_index(Session *session, const SessionInput *input, FoundFiles *found) {
    session->flows = NULL;
    for (uint32_t i = 0; i < found->list.count; i++) {
        read_found(session, input, &found->list.items[i]);
    }
    const bool is_place = has_places(session, input);
    if (found->list.count == 1 && !is_place) {
        // One flow and nothing else is known: most runs of an editor.
        const Str bytes = found->list.items[0].bytes;
        const bool may_call = str_find(bytes, STR("flowId"), 0) != STR_NOT_FOUND;
        if (!may_call && str_find(bytes, STR("\n---"), 0) == STR_NOT_FOUND) return err_none();
    }
    FlowIndex *index = arena_new(&session->arena, FlowIndex);
    index->has_places = is_place;
    Indexer indexer = {.session = session, .index = index};
    for (uint32_t i = 0; i < found->list.count; i++) {
        add_given(&indexer, input, &found->list.items[i], i);
    }
    const Err err = add_places(&indexer);
    arena_release(&indexer.scratch);
    if (err.code != ERR_NONE) return err;
    link_names(session, index);
    load_needed(session, index);
    mark_shared_names(index, found);
    if (session->cache != NULL) index->digest = digest_of(session, index);
    session->flows = index;
    return err_none();
}
