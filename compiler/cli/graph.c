// graph.c - flowc graph: a flow as a tree, or as a picture for Graphviz, Mermaid and programs.
#include "flow/graph.h"

#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

typedef struct Graph {
    CommonOptions common;
    const char *format;
} Graph;

static const Option options[] = {
    {OPTION_TEXT,          "--format", 0, "FORMAT", offsetof(Graph, format), "how it is written",
     "text|mermaid|dot|json"},
    {OPTION_LIST,                   "--catalog", 0, "FILE|DIR", offsetof(Graph, common.catalogs),
     "private task types", NULL},
    {OPTION_TEXT,      "--config", 0, "FILE", offsetof(Graph, common.config),
     "the project file; else .flowc.yaml is looked for upwards", NULL},
    {OPTION_TEXT, "--stdin-filename", 0, "NAME", offsetof(Graph, common.stdin_name),
     "what standard input is called", NULL},
    {.kind = OPTION_END                   },
};

static int run(int argc, char **argv);

const Command command_graph = {
    .name = "graph",
    .usage = "FLOW|- [--format FORMAT]",
    .summary = "Draw a flow.",
    .help =
        "As a tree of its tasks, or as a picture of what runs after what:\n"
        "  flowc graph flow.yaml --format dot | dot -Tsvg > flow.svg\n"
        "Mermaid is what GitHub and GitLab draw in a page. A flow with mistakes is drawn as far "
        "as\nit can be read; 'flowc check' tells the mistakes.",
    .options = options,
    .run = run,
};

// --- tree ---------------------------------------------------------------------------------------

// Of a choice its group tells, and joints are for pictures.
static bool is_in_tree(const GraphNode *node) {
    return node->kind != GRAPH_CHOICE && node->kind != GRAPH_JOINT;
}

static bool is_last(const FlowGraph *graph, uint32_t at) {
    const uint32_t parent = graph->nodes.items[at].parent;
    for (uint32_t i = at + 1; i < graph->nodes.count; i++) {
        const GraphNode *node = &graph->nodes.items[i];
        if (node->parent == parent && is_in_tree(node)) return false;
    }
    return true;
}

static void add_branches(const FlowGraph *graph, uint32_t at, Buffer *out) {
    const uint32_t parent = graph->nodes.items[at].parent;
    if (parent == GRAPH_NONE) return;
    add_branches(graph, parent, out);
    buffer_add(out, is_last(graph, parent) ? STR("   ") : STR("│  "));
}

// Short names are enough for the eye.
static void write_tree(const Flow *flow, const FlowGraph *graph, Buffer *out) {
    buffer_printf(out, STR_FMT "." STR_FMT "\n", STR_ARG(flow->flow_namespace), STR_ARG(flow->id));
    for (uint32_t i = 0; i < graph->nodes.count; i++) {
        const GraphNode *node = &graph->nodes.items[i];
        if (!is_in_tree(node)) continue;
        add_branches(graph, i, out);
        buffer_add(out, is_last(graph, i) ? STR("└─ ") : STR("├─ "));
        const bool is_plain = node->kind == GRAPH_LIST || str_eq(node->list, STR("tasks"));
        const bool is_in_list =
            node->parent != GRAPH_NONE && graph->nodes.items[node->parent].kind == GRAPH_LIST;
        if (!is_plain && !is_in_list) buffer_printf(out, STR_FMT ": ", STR_ARG(node->list));
        buffer_add(out, node->id);
        if (node->type.len > 0)
            buffer_printf(out, "  " STR_FMT, STR_ARG(type_short_name(node->type)));
        if (node->is_disabled) buffer_add(out, STR("  (disabled)"));
        buffer_add_char(out, '\n');
    }
}

// --- pictures -----------------------------------------------------------------------------------

static void add_quoted(Buffer *out, Str text, const char *quote) {
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        if (c == '"') {
            buffer_add(out, str_from(quote));
        } else if (c == '\\' && strcmp(quote, "\\\"") == 0) {
            buffer_add(out, STR("\\\\"));
        } else {
            buffer_add_char(out, c == '\n' || c == '\r' ? ' ' : c);
        }
    }
}

typedef struct Picture {
    const FlowGraph *graph;
    Buffer *out;
    const char *quote, *line_feed;
    void (*begin_group)(const struct Picture *picture, uint32_t at);
    void (*end_group)(const struct Picture *picture, uint32_t at);
    void (*node)(const struct Picture *picture, uint32_t at);
    void (*edge)(const struct Picture *picture, const GraphEdge *edge);
} Picture;

static void add_indent(const Picture *picture, uint32_t at) {
    buffer_add_repeat(picture->out, ' ', 2 + 2 * picture->graph->nodes.items[at].depth);
}

static void add_label(const Picture *picture, const GraphNode *node) {
    add_quoted(picture->out, node->id, picture->quote);
    if (node->kind == GRAPH_CHOICE) buffer_add_char(picture->out, '?');
    if (node->type.len == 0 || node->kind == GRAPH_CHOICE) return;
    buffer_add(picture->out, str_from(picture->line_feed));
    add_quoted(picture->out, type_short_name(node->type), picture->quote);
}

// Does it hold others that are drawn?
static bool holds(const FlowGraph *graph, uint32_t at) {
    return at + 1 < graph->nodes.count && graph->nodes.items[at + 1].parent == at;
}

static void draw(const Picture *picture) {
    const FlowGraph *graph = picture->graph;
    uint32_t open = GRAPH_NONE;
    for (uint32_t i = 0; i <= graph->nodes.count; i++) {
        const uint32_t parent = i < graph->nodes.count ? graph->nodes.items[i].parent : GRAPH_NONE;
        while (open != parent) {
            picture->end_group(picture, open);
            open = graph->nodes.items[open].parent;
        }
        if (i == graph->nodes.count) break;
        if (holds(graph, i)) {
            picture->begin_group(picture, i);
            open = i;
        } else {
            picture->node(picture, i);
        }
    }
    for (uint32_t i = 0; i < graph->edges.count; i++)
        picture->edge(picture, &graph->edges.items[i]);
}

// An edge to a group that holds only lists leads to its first node.
static uint32_t end_of(const FlowGraph *graph, uint32_t at) {
    while (holds(graph, at)) at++;
    return at;
}

static void mermaid_begin(const Picture *picture, uint32_t at) {
    add_indent(picture, at);
    buffer_printf(picture->out, "subgraph g%u[\"", at);
    add_label(picture, &picture->graph->nodes.items[at]);
    buffer_add(picture->out, STR("\"]\n"));
}

static void mermaid_end(const Picture *picture, uint32_t at) {
    add_indent(picture, at);
    buffer_add(picture->out, STR("end\n"));
}

static void mermaid_node(const Picture *picture, uint32_t at) {
    static const struct {
        const char *left, *right;
    } shapes[] = {
        [GRAPH_TASK] = {"[\"",  "\"]" },
          [GRAPH_CHOICE] = {"{\"",  "\"}" },
        [GRAPH_GROUP] = {"[\"",  "\"]" },
          [GRAPH_LIST] = {"[\"",  "\"]" },
        [GRAPH_TRIGGER] = {"([\"", "\"])"},
          [GRAPH_JOINT] = {"((\"", "\"))"},
    };
    const GraphNode *node = &picture->graph->nodes.items[at];
    add_indent(picture, at);
    buffer_printf(picture->out, "n%u%s", at, shapes[node->kind].left);
    add_label(picture, node);
    buffer_add(picture->out, str_from(shapes[node->kind].right));
    buffer_add(picture->out, node->is_disabled ? STR(":::disabled\n") : STR("\n"));
}

static void mermaid_edge(const Picture *picture, const GraphEdge *edge) {
    const bool is_dotted = edge->kind == GRAPH_FAILURE || edge->kind == GRAPH_END;
    buffer_printf(picture->out, "  n%u %s", end_of(picture->graph, edge->from),
                  is_dotted ? "-.->" : "-->");
    if (edge->label.len > 0) {
        buffer_add(picture->out, STR("|\""));
        add_quoted(picture->out, edge->label, picture->quote);
        buffer_add(picture->out, STR("\"|"));
    }
    buffer_printf(picture->out, " n%u\n", end_of(picture->graph, edge->to));
}

static void write_mermaid(const FlowGraph *graph, Buffer *out) {
    const Picture picture = {.graph = graph,
                             .out = out,
                             .quote = "#quot;",
                             .line_feed = "<br/>",
                             .begin_group = mermaid_begin,
                             .end_group = mermaid_end,
                             .node = mermaid_node,
                             .edge = mermaid_edge};
    buffer_add(out, STR("flowchart TD\n"));
    draw(&picture);
    for (uint32_t i = 0; i < graph->nodes.count; i++) {
        if (!graph->nodes.items[i].is_disabled || holds(graph, i)) continue;
        buffer_add(out, STR("  classDef disabled stroke-dasharray: 4 4,opacity: 0.6\n"));
        return;
    }
}

static void dot_begin(const Picture *picture, uint32_t at) {
    add_indent(picture, at);
    buffer_printf(picture->out, "subgraph cluster_%u {\n", at);
    add_indent(picture, at);
    buffer_add(picture->out, STR("  label=\""));
    add_label(picture, &picture->graph->nodes.items[at]);
    buffer_add(picture->out, STR("\"\n"));
}

static void dot_end(const Picture *picture, uint32_t at) {
    add_indent(picture, at);
    buffer_add(picture->out, STR("}\n"));
}

static void dot_node(const Picture *picture, uint32_t at) {
    static const char *const shapes[] = {
        [GRAPH_TASK] = "box", [GRAPH_CHOICE] = "diamond", [GRAPH_GROUP] = "box",
        [GRAPH_LIST] = "box", [GRAPH_TRIGGER] = "oval",   [GRAPH_JOINT] = "point",
    };
    const GraphNode *node = &picture->graph->nodes.items[at];
    add_indent(picture, at);
    buffer_printf(picture->out, "n%u [shape=%s,label=\"", at, shapes[node->kind]);
    add_label(picture, node);
    buffer_add(picture->out, node->is_disabled ? STR("\",style=dashed]\n") : STR("\"]\n"));
}

static void dot_edge(const Picture *picture, const GraphEdge *edge) {
    buffer_printf(picture->out, "  n%u -> n%u", end_of(picture->graph, edge->from),
                  end_of(picture->graph, edge->to));
    const bool is_dotted = edge->kind == GRAPH_FAILURE || edge->kind == GRAPH_END;
    if (edge->label.len > 0 || is_dotted) {
        buffer_add(picture->out, STR(" [label=\""));
        add_quoted(picture->out, edge->label, picture->quote);
        buffer_add(picture->out, is_dotted ? STR("\",style=dotted]") : STR("\"]"));
    }
    buffer_add_char(picture->out, '\n');
}

static void write_dot(const Flow *flow, const FlowGraph *graph, Buffer *out) {
    const Picture picture = {.graph = graph,
                             .out = out,
                             .quote = "\\\"",
                             .line_feed = "\\n",
                             .begin_group = dot_begin,
                             .end_group = dot_end,
                             .node = dot_node,
                             .edge = dot_edge};
    buffer_add(out, STR("digraph \""));
    add_quoted(out, flow->id, "\\\"");
    buffer_add(out, STR("\" {\n  node [fontname=\"sans-serif\"]\n"));
    draw(&picture);
    buffer_add(out, STR("}\n"));
}

// --- JSON ---------------------------------------------------------------------------------------

static void add_member(Buffer *out, const char *name, Str text) {
    buffer_printf(out, ",\"%s\":", name);
    buffer_add_json(out, text);
}

static void write_json(const Flow *flow, const FlowGraph *graph, Buffer *out) {
    static const char *const kinds[] = {"task", "choice", "group", "list", "trigger", "joint"};
    static const char *const edge_kinds[] = {"then",    "depends", "branch",
                                             "failure", "end",     "starts"};
    buffer_add(out, STR("{\"version\":1"));
    add_member(out, "namespace", flow->flow_namespace);
    add_member(out, "id", flow->id);
    buffer_add(out, STR(",\"nodes\":["));
    for (uint32_t i = 0; i < graph->nodes.count; i++) {
        const GraphNode *node = &graph->nodes.items[i];
        buffer_printf(out, "%s\n {\"node\":%u,\"kind\":\"%s\"", i == 0 ? "" : ",", i,
                      kinds[node->kind]);
        add_member(out, "id", node->id);
        add_member(out, "type", node->type);
        add_member(out, "list", node->list);
        if (node->parent == GRAPH_NONE) {
            buffer_add(out, STR(",\"parent\":null"));
        } else {
            buffer_printf(out, ",\"parent\":%u", node->parent);
        }
        buffer_printf(out, ",\"disabled\":%s}", node->is_disabled ? "true" : "false");
    }
    buffer_add(out, STR("],\n\"edges\":["));
    for (uint32_t i = 0; i < graph->edges.count; i++) {
        const GraphEdge *edge = &graph->edges.items[i];
        buffer_printf(out, "%s\n {\"from\":%u,\"to\":%u,\"kind\":\"%s\"", i == 0 ? "" : ",",
                      edge->from, edge->to, edge_kinds[edge->kind]);
        add_member(out, "label", edge->label);
        buffer_add_char(out, '}');
    }
    buffer_add(out, STR("]}\n"));
}

// --- the command --------------------------------------------------------------------------------

static int write_graph(const Graph *it, const Flow *flow, Arena *arena) {
    FlowGraph graph = {.arena = arena};
    Buffer out = {0};
    const char *format = it->format == NULL ? "text" : it->format;
    flow_graph(flow, &graph);
    if (strcmp(format, "mermaid") == 0) {
        write_mermaid(&graph, &out);
    } else if (strcmp(format, "dot") == 0) {
        write_dot(flow, &graph, &out);
    } else if (strcmp(format, "json") == 0) {
        write_json(flow, &graph, &out);
    } else {
        write_tree(flow, &graph, &out);
    }
    const int status = write_out(STDOUT_FILENO, &out);
    buffer_release(&out);
    return status;
}

static Err read_flow(const Graph *it, const char *path, Session *session, Unit *unit) {
    uint32_t file = 0;
    if (strcmp(path, "-") == 0) {
        Str input = {0};
        TRY(read_input(&session->arena, &input));
        const char *name = it->common.stdin_name == NULL ? "-" : it->common.stdin_name;
        file = sources_add(&session->sources, str_from(name), input);
    } else {
        const Err err = sources_read(&session->sources, path, str_from(path), &file);
        if (err.code != ERR_NONE) return err_make(ERR_CONFLICT, "%s", err.text);
    }
    unit_check(session, unit, file, true);
    if (unit->flow != NULL) return err_none();
    return err_make(ERR_CONFLICT, "'%s' cannot be drawn: 'flowc check' tells why", path);
}

static int graph(const Graph *it, const char *path) {
    const SessionOptions asked = session_options(&it->common);
    Session *session = NULL;
    Unit unit = {0};
    Err err = session_new(&asked, path, &session);
    if (err.code == ERR_NONE) err = read_flow(it, path, session, &unit);
    const int status = err.code == ERR_NONE ? write_graph(it, unit.flow, &unit.arena)
                                            : report_error(&command_graph, err);
    const uint32_t errors = session == NULL ? 0 : diags_count(&session->diags, DIAG_ERROR);
    if (err.code == ERR_NONE && errors > 0) {
        fprintf(stderr, "the flow has %u error%s: flowc check %s\n", errors, errors == 1 ? "" : "s",
                path);
    }
    unit_release(&unit);
    session_free(session);
    return status;
}

static int run(int argc, char **argv) {
    Arena arena = {0};
    Graph it = {0};
    Arguments arguments = {0};
    int status = STATUS_OK;
    if (options_read(&command_graph, argc, argv, &arena, &it, &arguments, &status)) {
        status = arguments.count == 1
                     ? graph(&it, arguments.items[0])
                     : usage_error(&command_graph, "one flow is needed: flowc graph flow.yaml");
    }
    arena_release(&arena);
    return status;
}
