// graph.c - lists of tasks as nodes and edges.
//
// Each piece of a flow has ends: the nodes by which it is entered and those by which it is left.
// Two pieces in sequence are joined by edges between all of them.
#include "flow/graph.h"

typedef struct Ends {
    LIST_OF(uint32_t) in, out;
} Ends;

static uint32_t add_node(FlowGraph *graph, GraphNode node) {
    node.depth = node.parent == GRAPH_NONE ? 0 : graph->nodes.items[node.parent].depth + 1;
    *LIST_ADD(graph->arena, &graph->nodes, GraphNode) = node;
    return graph->nodes.count - 1;
}

static void add_edge(FlowGraph *graph, uint32_t from, uint32_t to, GraphEdgeKind kind, Str label) {
    *LIST_ADD(graph->arena, &graph->edges, GraphEdge) = (GraphEdge){from, to, kind, label};
}

static void add_in(FlowGraph *graph, Ends *ends, uint32_t node) {
    *LIST_ADD(graph->arena, &ends->in, uint32_t) = node;
}

static void add_out(FlowGraph *graph, Ends *ends, uint32_t node) {
    *LIST_ADD(graph->arena, &ends->out, uint32_t) = node;
}

static void take(FlowGraph *graph, Ends *ends, const Ends *piece) {
    for (uint32_t i = 0; i < piece->in.count; i++) add_in(graph, ends, piece->in.items[i]);
    for (uint32_t i = 0; i < piece->out.count; i++) add_out(graph, ends, piece->out.items[i]);
}

// Many to many goes through a joint: else there would be as many edges as pairs.
static void join(FlowGraph *graph, const Ends *from, const Ends *to, uint32_t parent,
                 GraphEdgeKind kind, Str label) {
    if (from->out.count > 1 && to->in.count > 1) {
        const uint32_t joint = add_node(graph, (GraphNode){.kind = GRAPH_JOINT, .parent = parent});
        for (uint32_t i = 0; i < from->out.count; i++) {
            add_edge(graph, from->out.items[i], joint, GRAPH_THEN, (Str){0});
        }
        for (uint32_t k = 0; k < to->in.count; k++) {
            add_edge(graph, joint, to->in.items[k], kind, label);
        }
        return;
    }
    for (uint32_t i = 0; i < from->out.count; i++) {
        for (uint32_t k = 0; k < to->in.count; k++) {
            add_edge(graph, from->out.items[i], to->in.items[k], kind, label);
        }
    }
}

static Ends add_task(FlowGraph *graph, const Task *task, uint32_t parent, Str list);

// One after the other.
static Ends add_chain(FlowGraph *graph, const TaskGroup *group, uint32_t parent, Str list) {
    Ends all = {0}, before = {0};
    for (uint32_t i = 0; i < group->tasks.count; i++) {
        const Ends one = add_task(graph, group->tasks.items[i], parent, list);
        if (i == 0) all.in = one.in;
        join(graph, &before, &one, parent, GRAPH_THEN, (Str){0});
        before = one;
    }
    all.out = before.out;
    return all;
}

static Ends add_together(FlowGraph *graph, const TaskGroup *group, uint32_t parent, Str list) {
    Ends all = {0};
    for (uint32_t i = 0; i < group->tasks.count; i++) {
        const Ends one = add_task(graph, group->tasks.items[i], parent, list);
        take(graph, &all, &one);
    }
    return all;
}

static uint32_t place_of(const TaskGroup *group, Str id) {
    for (uint32_t i = 0; i < group->tasks.count; i++) {
        if (str_eq(group->tasks.items[i]->id, id)) return i;
    }
    return GRAPH_NONE;
}

static bool is_named_before(const Task *task, uint32_t at) {
    for (uint32_t i = 0; i < at; i++) {
        if (str_eq(task->depends_on.items[i], task->depends_on.items[at])) return true;
    }
    return false;
}

static Ends add_dag(FlowGraph *graph, const TaskGroup *group, uint32_t parent, Str list) {
    Ends all = {0};
    Ends *each = arena_array(graph->arena, Ends, group->tasks.count);
    bool *is_needed = arena_array(graph->arena, bool, group->tasks.count);
    for (uint32_t i = 0; i < group->tasks.count; i++) {
        each[i] = add_task(graph, group->tasks.items[i], parent, list);
    }
    for (uint32_t i = 0; i < group->tasks.count; i++) {
        const Task *task = group->tasks.items[i];
        bool is_first = true;
        for (uint32_t k = 0; k < task->depends_on.count; k++) {
            const uint32_t at = place_of(group, task->depends_on.items[k]);
            if (at == GRAPH_NONE || at == i || is_named_before(task, k)) continue;
            join(graph, &each[at], &each[i], parent, GRAPH_DEPENDS, (Str){0});
            is_needed[at] = true;
            is_first = false;
        }
        for (uint32_t k = 0; is_first && k < each[i].in.count; k++) {
            add_in(graph, &all, each[i].in.items[k]);
        }
    }
    for (uint32_t i = 0; i < group->tasks.count; i++) {
        for (uint32_t k = 0; !is_needed[i] && k < each[i].out.count; k++) {
            add_out(graph, &all, each[i].out.items[k]);
        }
    }
    return all;
}

static Str list_name(const FlowGraph *graph, const TaskGroup *group) {
    switch (group->list) {
    case TASKS_ERRORS:
        return STR("errors");
    case TASKS_FINALLY:
        return STR("finally");
    case TASKS_AFTER:
        return STR("afterExecution");
    case TASKS_ELSE:
        return STR("else");
    case TASKS_DEFAULTS:
        return STR("defaults");
    case TASKS_CASE:
        return str_printf(graph->arena, "case " STR_FMT, STR_ARG(group->key));
    case TASKS_ON_PAUSE:
        return STR("onPause");
    case TASKS_LISTENER:
        return STR("listener");
    case TASKS_BODY:
        break;
    }
    return STR("tasks");
}

// A list that runs when something has failed, or at the end.
static void add_list(FlowGraph *graph, const TaskGroup *group, uint32_t parent,
                     const Ends *around) {
    if (group->tasks.count == 0) return;
    const Str name = list_name(graph, group);
    const uint32_t list =
        add_node(graph, (GraphNode){.kind = GRAPH_LIST, .id = name, .parent = parent});
    const Ends chain = add_chain(graph, group, list, name);
    join(graph, around, &chain, parent, group->list == TASKS_ERRORS ? GRAPH_FAILURE : GRAPH_END,
         name);
}

static bool is_side_list(TaskList list) {
    return list == TASKS_ERRORS || list == TASKS_FINALLY || list == TASKS_ON_PAUSE;
}

static Ends add_choice(FlowGraph *graph, const Task *task, uint32_t node) {
    const bool is_if = task_is(task, "flow.If");
    const uint32_t choice = add_node(graph, (GraphNode){.kind = GRAPH_CHOICE,
                                                        .id = task->id,
                                                        .type = task->type_name,
                                                        .list = STR("choice"),
                                                        .parent = node});
    Ends all = {0};
    Ends from = {0};
    add_in(graph, &all, choice);
    add_out(graph, &from, choice);
    bool has_rest = false;
    for (uint32_t i = 0; i < task->groups.count; i++) {
        const TaskGroup *group = task->groups.items[i];
        if (is_side_list(group->list) || group->tasks.count == 0) continue;
        const Str name = is_if && group->list == TASKS_BODY ? STR("then") : list_name(graph, group);
        const Ends branch = add_chain(graph, group, node, name);
        join(graph, &from, &branch, node, GRAPH_BRANCH,
             group->list == TASKS_CASE ? group->key : name);
        for (uint32_t k = 0; k < branch.out.count; k++) add_out(graph, &all, branch.out.items[k]);
        has_rest = has_rest || group->list == TASKS_ELSE || group->list == TASKS_DEFAULTS;
    }
    if (!has_rest) add_out(graph, &all, choice);
    return all;
}

static Ends add_body(FlowGraph *graph, const Task *task, uint32_t node) {
    if (task_is(task, "flow.If") || task_is(task, "flow.Switch")) {
        return add_choice(graph, task, node);
    }
    Ends all = {0};
    for (uint32_t i = 0; i < task->groups.count; i++) {
        const TaskGroup *group = task->groups.items[i];
        if (is_side_list(group->list) || group->tasks.count == 0) continue;
        const Str name = list_name(graph, group);
        Ends piece;
        if (task_is(task, "flow.Parallel")) {
            piece = add_together(graph, group, node, name);
        } else if (task_is(task, "flow.Dag")) {
            piece = add_dag(graph, group, node, name);
        } else {
            piece = add_chain(graph, group, node, name);
        }
        take(graph, &all, &piece);
    }
    return all;
}

static bool holds_tasks(const Task *task) {
    for (uint32_t i = 0; i < task->groups.count; i++) {
        if (task->groups.items[i]->tasks.count > 0) return true;
    }
    return false;
}

static Ends add_task(FlowGraph *graph, const Task *task, uint32_t parent, Str list) {
    const bool is_group = holds_tasks(task);
    const uint32_t node = add_node(graph, (GraphNode){.kind = is_group ? GRAPH_GROUP : GRAPH_TASK,
                                                      .id = task->id,
                                                      .type = task->type_name,
                                                      .list = list,
                                                      .parent = parent,
                                                      .is_disabled = task->is_disabled});
    Ends all = {0};
    if (is_group) all = add_body(graph, task, node);
    if (all.in.count == 0) {
        // Nothing of it runs in the ordinary way: it stands for itself.
        all = (Ends){0};
        add_in(graph, &all, node);
        add_out(graph, &all, node);
    }
    for (uint32_t i = 0; i < task->groups.count; i++) {
        if (is_side_list(task->groups.items[i]->list)) {
            add_list(graph, task->groups.items[i], node, &all);
        }
    }
    return all;
}

void flow_graph(const Flow *flow, FlowGraph *graph) {
    Ends starts = {0}, body = {0};
    for (uint32_t i = 0; i < flow->triggers.count; i++) {
        const TriggerDecl *trigger = flow->triggers.items[i];
        add_out(graph, &starts,
                add_node(graph, (GraphNode){.kind = GRAPH_TRIGGER,
                                            .id = trigger->id,
                                            .type = trigger->type_name,
                                            .list = STR("triggers"),
                                            .parent = GRAPH_NONE,
                                            .is_disabled = trigger->is_disabled}));
    }
    for (uint32_t i = 0; i < flow->groups.count; i++) {
        const TaskGroup *group = flow->groups.items[i];
        if (group->list == TASKS_BODY) {
            body = add_chain(graph, group, GRAPH_NONE, STR("tasks"));
            join(graph, &starts, &body, GRAPH_NONE, GRAPH_STARTS, (Str){0});
        } else {
            add_list(graph, group, GRAPH_NONE, &body);
        }
    }
}
