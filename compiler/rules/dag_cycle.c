// dag_cycle.c - tasks of a Dag that wait for each other.
#include "rules/rule.h"

static const Task *find(const TaskGroup *group, Str id) {
    for (uint32_t i = 0; i < group->tasks.count; i++) {
        if (str_eq(group->tasks.items[i]->id, id)) return group->tasks.items[i];
    }
    return NULL;
}

static uint32_t place(const TaskGroup *group, const Task *task) {
    uint32_t i = 0;
    while (group->tasks.items[i] != task) i++;
    return i;
}

// Walks dependencies from `task`; true once `start` is met again. `seen` holds what was left.
static bool reaches(const TaskGroup *group, const Task *task, const Task *start, bool *seen,
                    Str *path, Arena *arena) {
    for (uint32_t i = 0; i < task->depends_on.count; i++) {
        const Task *next = find(group, task->depends_on.items[i]);
        if (next == NULL) continue;
        if (next == start) {
            *path =
                str_printf(arena, STR_FMT " -> " STR_FMT, STR_ARG(task->id), STR_ARG(start->id));
            return true;
        }
        if (seen[place(group, next)]) continue;
        seen[place(group, next)] = true;
        if (reaches(group, next, start, seen, path, arena)) {
            *path = str_printf(arena, STR_FMT " -> " STR_FMT, STR_ARG(task->id), STR_ARG(*path));
            return true;
        }
    }
    return false;
}

static void check_group(const Rule *rule, const TaskGroup *group, Diags *diags) {
    bool *in_cycle = arena_array(diags->arena, bool, group->tasks.count);
    for (uint32_t i = 0; i < group->tasks.count; i++) {
        const Task *task = group->tasks.items[i];
        if (in_cycle[i] || task->depends_on.count == 0) continue;
        bool *seen = arena_array(diags->arena, bool, group->tasks.count);
        Str path = {0};
        if (!reaches(group, task, task, seen, &path, diags->arena)) continue;
        // One finding a cycle: what can be reached and comes back is part of it.
        for (uint32_t k = 0; k < group->tasks.count; k++) {
            in_cycle[k] =
                in_cycle[k] || (seen[k] && (dag_depends(group->tasks.items[k], task) || k == i));
        }
        diag_add(diags, rule->code, rule->level, task->depends_spans.items[0],
                 "tasks of the Dag wait for each other: " STR_FMT, STR_ARG(path));
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
