// dag_cycle.c - tasks of a Dag that wait for each other. One finding a cycle, the cycle spelled
// out.
#include "rules/rule.h"

typedef enum Colour { WHITE, GREY, BLACK } Colour;

typedef struct Walk {
    const Rule *rule;
    Diags *diags;
    uint8_t *colours;     // by task, counted from the first of the Dag
    const Task **path;    // the tasks that are grey, in order
    uint32_t *next_edge;  // of each of them
    uint32_t depth;
    uint32_t first;
} Walk;

static void report(Walk *walk, const Task *back) {
    Str text = {0};
    uint32_t at = walk->depth;
    while (at > 0 && walk->path[at - 1] != back) at--;
    for (uint32_t i = at - 1; i < walk->depth; i++) {
        text = str_printf(walk->diags->arena, STR_FMT STR_FMT " -> ", STR_ARG(text),
                          STR_ARG(walk->path[i]->id));
    }
    diag_add(walk->diags, walk->rule->code, walk->rule->level, back->depends_spans.items[0],
             "tasks of the Dag wait for each other: " STR_FMT STR_FMT, STR_ARG(text),
             STR_ARG(back->id));
}

static void enter(Walk *walk, const Task *task) {
    walk->colours[task->index - walk->first] = GREY;
    walk->path[walk->depth] = task;
    walk->next_edge[walk->depth] = 0;
    walk->depth++;
}

// Depth first, without recursion: a Dag may have more tasks than a program stack has room.
static void walk_from(Walk *walk, const Task *task) {
    enter(walk, task);
    while (walk->depth > 0) {
        const Task *at = walk->path[walk->depth - 1];
        uint32_t edge = walk->next_edge[walk->depth - 1]++;
        if (edge == at->depends_on.count) {
            walk->colours[at->index - walk->first] = BLACK;
            walk->depth--;
            continue;
        }
        const Task *next = dag_sibling(at, at->depends_on.items[edge]);
        if (next == NULL) continue;
        Colour colour = (Colour)walk->colours[next->index - walk->first];
        if (colour == GREY) report(walk, next);
        if (colour == WHITE) enter(walk, next);
    }
}

static void check_group(const Rule *rule, const TaskGroup *group, Diags *diags) {
    if (group->tasks.count == 0) return;
    uint32_t first = group->tasks.items[0]->index;
    uint32_t last = group->tasks.items[group->tasks.count - 1]->index;
    Walk walk = {
        .rule = rule,
        .diags = diags,
        .colours = arena_array(diags->arena, uint8_t, last - first + 1),
        .path = arena_array(diags->arena, const Task *, group->tasks.count),
        .next_edge = arena_array(diags->arena, uint32_t, group->tasks.count),
        .first = first,
    };
    for (uint32_t i = 0; i < group->tasks.count; i++) {
        const Task *task = group->tasks.items[i];
        if (walk.colours[task->index - first] == WHITE) walk_from(&walk, task);
    }
}

static void check(const Rule *rule, const Flow *flow, Diags *diags) {
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        const Task *task = flow->all_tasks.items[i];
        const TaskGroup *group = task_is(task, "flow.Dag") ? task_group(task, TASKS_BODY) : NULL;
        if (group != NULL) check_group(rule, group, diags);
    }
}

const Rule rule_dag_cycle = {
    .code = "E0205",
    .name = "dag-cycle",
    .level = DIAG_ERROR,
    .help = "A task of a Dag starts when those it depends on have ended; in a cycle none starts.",
    .check = check,
};
