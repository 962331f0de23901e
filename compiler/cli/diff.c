// diff.c - flowc diff: what changed between two versions of a flow, whatever the layout.
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "flow/compare.h"

enum { SHOWN_MAX = 60 };

typedef struct Diff {
    CommonOptions common;
    const char *format;
    bool is_quiet;
} Diff;

static const Option options[] = {
    {OPTION_TEXT,          "--format", 0, "FORMAT", offsetof(Diff, format), "how it is written",
     "text|json"},
    {OPTION_FLAG,                   "--quiet", 'q', NULL, offsetof(Diff, is_quiet), "print nothing, the status tells",
     NULL},
    {OPTION_TEXT,       "--color", 0, "WHEN", offsetof(Diff, common.color),
     "colours: on a terminal, always or never", "auto|always|never"},
    {.kind = OPTION_END},
};

static int run(int argc, char **argv);

const Command command_diff = {
    .name = "diff",
    .usage = "OLD NEW",
    .summary = "Tell what changed between two versions of a flow.",
    .help =
        "Tasks, inputs, triggers and outputs are known by their ids; comments, layout and the "
        "order\n"
        "of keys do not count. What others who call the flow have to know is said behind '!'. One\n"
        "of the two may be '-'. Status 0: both mean the same; 1: they differ. A version from git:\n"
        "  git show HEAD~1:flow.yaml | flowc diff - flow.yaml",
    .options = options,
    .run = run,
};

// --- text ---------------------------------------------------------------------------------------

// A value on one line, cut where it is long.
static Str shown(const Node *node, Arena *arena) {
    if (node == NULL) return (Str){0};
    Buffer json = {0};
    json_write(&json, node_to_value(node, arena), JSON_COMPACT, 0);
    Str text = buffer_to_str(&json, arena);
    buffer_release(&json);
    if (text.len <= SHOWN_MAX) return text;
    size_t end = SHOWN_MAX;
    while (end > 0 && ((unsigned char)text.ptr[end] & 0xC0) == 0x80) end--;
    return str_printf(arena, STR_FMT "…", STR_ARG(str_slice(text, 0, end)));
}

// Of two texts of many lines the first line in which they differ says more than their beginnings.
static bool first_line(const Node *before, const Node *after, Str *old, Str *now, uint32_t *line) {
    if (!node_is_text(before) || !node_is_text(after)) return false;
    if (str_find_char(before->text, '\n', 0) == STR_NOT_FOUND) return false;
    Str a = before->text, b = after->text;
    for (*line = 1;; (*line)++) {
        *old = *now = (Str){0};
        const bool has_old = str_split(&a, '\n', old), has_now = str_split(&b, '\n', now);
        if (!has_old && !has_now) return false;
        if (has_old != has_now || !str_eq(*old, *now)) return true;
    }
}

static Str quoted(Str text, Arena *arena) {
    Node node = {.type = YAML_SCALAR, .text = text, .value = value_text(text)};
    return shown(&node, arena);
}

static void add_values(const FlowChange *change, Arena *arena, Buffer *out) {
    Str old = {0}, now = {0};
    uint32_t line = 0;
    if (first_line(change->before, change->after, &old, &now, &line)) {
        buffer_printf(out, ", line %u: " STR_FMT " -> " STR_FMT, line, STR_ARG(quoted(old, arena)),
                      STR_ARG(quoted(now, arena)));
        return;
    }
    buffer_printf(out, ": " STR_FMT " -> " STR_FMT, STR_ARG(shown(change->before, arena)),
                  STR_ARG(shown(change->after, arena)));
}

static bool is_small(const Node *node) {
    return node->type == YAML_SCALAR || node->is_flow;
}

static void add_change(const FlowChange *change, bool has_colour, Arena *arena, Buffer *out) {
    static const struct {
        const char *mark, *colour;
    } marks[] = {
        [CHANGE_ADDED] = {"+", "\x1b[32m"},
        [CHANGE_REMOVED] = {"-", "\x1b[31m"},
        [CHANGE_VALUE] = {"~", "\x1b[33m"},
        [CHANGE_MOVED] = {">", "\x1b[36m"},
    };
    if (has_colour) buffer_add(out, str_from(marks[change->kind].colour));
    buffer_printf(out, "%s " STR_FMT, marks[change->kind].mark, STR_ARG(change->path));
    if (has_colour) buffer_add(out, STR("\x1b[0m"));
    if (change->kind == CHANGE_VALUE) add_values(change, arena, out);
    if (change->kind == CHANGE_MOVED && change->from.len > 0) {
        buffer_printf(out, ", until now " STR_FMT, STR_ARG(change->from));
    }
    const Node *only = change->kind == CHANGE_ADDED ? change->after : change->before;
    const bool is_one = change->kind == CHANGE_ADDED || change->kind == CHANGE_REMOVED;
    if (is_one && is_small(only)) buffer_printf(out, ": " STR_FMT, STR_ARG(shown(only, arena)));
    if (change->note.len > 0) buffer_printf(out, "  ! " STR_FMT, STR_ARG(change->note));
    buffer_add_char(out, '\n');
}

// --- JSON ---------------------------------------------------------------------------------------

static void add_node(Buffer *out, const char *name, const Node *node, Arena *arena) {
    buffer_printf(out, ",\"%s\":", name);
    json_write(out, node == NULL ? value_null() : node_to_value(node, arena), JSON_COMPACT, 0);
}

static void write_json(const FlowChanges *changes, Arena *arena, Buffer *out) {
    static const char *const kinds[] = {"added", "removed", "changed", "moved"};
    buffer_add(out, STR("{\"version\":1,\"changes\":["));
    for (uint32_t i = 0; i < changes->list.count; i++) {
        const FlowChange *change = &changes->list.items[i];
        buffer_printf(out, "%s\n {\"kind\":\"%s\",\"path\":", i == 0 ? "" : ",",
                      kinds[change->kind]);
        buffer_add_json(out, change->path);
        buffer_add(out, STR(",\"from\":"));
        buffer_add_json(out, change->from);
        add_node(out, "before", change->before, arena);
        add_node(out, "after", change->after, arena);
        buffer_add(out, STR(",\"callers\":"));
        buffer_add_json(out, change->note);
        buffer_add_char(out, '}');
    }
    buffer_add(out, STR("]}\n"));
}

// --- the command --------------------------------------------------------------------------------

static Err read_flow(Session *session, const char *path, const Node **out) {
    uint32_t file = 0;
    if (strcmp(path, "-") == 0) {
        Str input = {0};
        TRY(read_input(&session->arena, &input));
        file = sources_add(&session->sources, STR("-"), input);
    } else {
        const Err err = sources_read(&session->sources, path, str_from(path), &file);
        if (err.code != ERR_NONE) return err_make(ERR_CONFLICT, "%s", err.text);
    }
    const Tree *tree = syntax_read(&session->sources, file, &session->arena, &session->diags);
    const Node *root = tree->documents.items[0].root;
    if (tree->has_holes || root->type != YAML_MAP || node_get(root, STR("tasks")) == NULL) {
        return err_make(ERR_CONFLICT, "'%s' cannot be read as a flow: 'flowc check' tells why",
                        path);
    }
    if (tree->documents.count > 1) {
        return err_make(ERR_CONFLICT, "'%s' has several flows: compare one at a time", path);
    }
    *out = root;
    return err_none();
}

static Err compare(Session *session, const Arguments *arguments, FlowChanges *out) {
    const Node *before = NULL, *after = NULL;
    if (strcmp(arguments->items[0], "-") == 0 && strcmp(arguments->items[1], "-") == 0) {
        return err_make(ERR_USAGE, "only one of the two can be standard input");
    }
    TRY(read_flow(session, arguments->items[0], &before));
    TRY(read_flow(session, arguments->items[1], &after));
    flow_compare(before, after, &session->arena, out);
    return err_none();
}

static int print(const Diff *it, const FlowChanges *changes, Arena *arena) {
    Buffer out = {0};
    uint32_t notes = 0;
    const bool is_json = it->format != NULL && strcmp(it->format, "json") == 0;
    const bool has_colour = wants_colour(it->common.color, STDOUT_FILENO);
    for (uint32_t i = 0; i < changes->list.count; i++) {
        if (changes->list.items[i].note.len > 0) notes++;
        if (!is_json) add_change(&changes->list.items[i], has_colour, arena, &out);
    }
    if (is_json) write_json(changes, arena, &out);
    const int status = it->is_quiet ? STATUS_OK : write_out(STDOUT_FILENO, &out);
    buffer_release(&out);
    if (!it->is_quiet && !is_json) {
        fprintf(stderr, "%u change%s", changes->list.count, changes->list.count == 1 ? "" : "s");
        if (notes > 0) fprintf(stderr, ", %u for callers to know", notes);
        fputc('\n', stderr);
    }
    if (status != STATUS_OK) return status;
    return changes->list.count == 0 ? STATUS_OK : STATUS_FINDINGS;
}

static int diff(const Diff *it, const Arguments *arguments) {
    const SessionOptions asked = session_options(&it->common);
    Session *session = NULL;
    FlowChanges changes = {0};
    Err err = session_new(&asked, NULL, &session);
    if (err.code == ERR_NONE) err = compare(session, arguments, &changes);
    const int status = err.code == ERR_NONE ? print(it, &changes, &session->arena)
                                            : report_error(&command_diff, err);
    session_free(session);
    return status;
}

static int run(int argc, char **argv) {
    Arena arena = {0};
    Diff it = {0};
    Arguments arguments = {0};
    int status = STATUS_OK;
    if (options_read(&command_diff, argc, argv, &arena, &it, &arguments, &status)) {
        status = arguments.count == 2
                     ? diff(&it, &arguments)
                     : usage_error(&command_diff, "two flows are needed: flowc diff OLD NEW");
    }
    arena_release(&arena);
    return status;
}
