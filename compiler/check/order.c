// order.c - which task has run before which.
//
// Decided at the place where the ways down to the two tasks part: the list (or the two lists of one
// task) they stand in then says who comes first. What makes a task run only sometimes (runIf,
// disabled, a branch, a handler) on its own way down from there turns "before" into "maybe before".
#include "check/check.h"

enum { WAY_MAX = 80 };

typedef struct Way {
    const Task *tasks[WAY_MAX];  // outermost first
    uint32_t count;
} Way;

static void way_to(const Task *task, Way *way) {
    uint32_t depth = 0;
    for (const Task *at = task; at != NULL; at = at->parent) depth++;
    way->count = depth > WAY_MAX ? WAY_MAX : depth;
    uint32_t index = depth;
    for (const Task *at = task; at != NULL; at = at->parent) {
        index--;
        if (index < WAY_MAX) way->tasks[index] = at;
    }
}

static bool is_branch(TaskList list) {
    return list == TASKS_ELSE || list == TASKS_CASE || list == TASKS_DEFAULTS;
}

static bool is_conditional_list(const Task *task) {
    const TaskGroup *group = task->group;
    if (group->list == TASKS_ERRORS || is_branch(group->list)) return true;
    return group->list == TASKS_BODY && task->parent != NULL && task_is(task->parent, "flow.If");
}

static bool runs_always(const Way *way, uint32_t from) {
    for (uint32_t i = from; i < way->count; i++) {
        const Task *task = way->tasks[i];
        if (task->is_disabled || task_run_if(task) != NULL) return false;
        if (i > from && is_conditional_list(task)) return false;
    }
    return true;
}

const Task *dag_sibling(const Task *task, Str id) {
    const Task *found = flow_find_task(task->flow, id);
    if (found != NULL && found->group == task->group) return found;
    // Another task of the same id stands elsewhere: a mistake, but the one next to it is meant.
    for (uint32_t i = 0; found != NULL && i < task->group->tasks.count; i++) {
        if (str_eq(task->group->tasks.items[i]->id, id)) return task->group->tasks.items[i];
    }
    return NULL;
}

// Every task is looked at once, so cycles (reported elsewhere) do no harm. The stack is explicit: a
// Dag may have more tasks than a program stack has room.
bool dag_depends(const Task *task, const Task *on) {
    const TaskGroup *group = task->group;
    uint32_t first = group->tasks.items[0]->index;
    uint32_t last = group->tasks.items[group->tasks.count - 1]->index;
    bool *seen = heap_alloc(last - first + 1, sizeof *seen);
    const Task **stack = heap_alloc(group->tasks.count + 1, sizeof *stack);
    uint32_t count = 0;
    bool is_found = false;
    stack[count++] = task;
    while (count > 0 && !is_found) {
        const Task *at = stack[--count];
        for (uint32_t i = 0; i < at->depends_on.count && !is_found; i++) {
            const Task *next = dag_sibling(at, at->depends_on.items[i]);
            if (next == NULL || next == task || seen[next->index - first]) continue;
            seen[next->index - first] = true;
            is_found = next == on;
            stack[count++] = next;
        }
    }
    heap_free(seen);
    heap_free(stack);
    return is_found;
}

static int phase(TaskList list) {
    if (list == TASKS_ERRORS) return 1;
    if (list == TASKS_FINALLY) return 2;
    if (list == TASKS_AFTER || list == TASKS_LISTENER) return 3;
    return 0;
}

static Order between_lists(const TaskGroup *writer, const TaskGroup *reader) {
    int first = phase(writer->list);
    int second = phase(reader->list);
    if (first > second) return ORDER_NEVER;
    if (first < second) return ORDER_MAY_ERROR;
    if (writer->list == TASKS_ON_PAUSE) return ORDER_MAY;
    if (reader->list == TASKS_ON_PAUSE) return ORDER_NEVER;
    return first == 0 ? ORDER_EXCLUSIVE : ORDER_MAY_ERROR;
}

static Order in_list(const Task *writer, const Task *reader, bool is_certain) {
    const TaskGroup *group = writer->group;
    const Task *parent = writer->parent;
    Order before = is_certain ? ORDER_MUST : ORDER_MAY;
    if (parent != NULL && group->list == TASKS_BODY) {
        if (task_is(parent, "flow.Dag")) {
            return dag_depends(reader, writer) ? before : ORDER_PARALLEL;
        }
        if (task_is(parent, "flow.Parallel") || task_is(parent, "flow.EachParallel")) {
            return ORDER_PARALLEL;
        }
        if (parent->type == NULL) return ORDER_MAY_ERROR;  // nobody knows how it runs its tasks
    }
    return writer->index < reader->index ? before : ORDER_NEVER;
}

Order order_of(const Task *writer, const Task *reader, bool *is_looped) {
    Way write, read;
    way_to(writer, &write);
    *is_looped = false;
    if (reader == NULL) {
        if (phase(write.tasks[0]->group->list) == 3) return ORDER_NEVER;
        if (phase(write.tasks[0]->group->list) == 1) return ORDER_MAY_ERROR;
        return runs_always(&write, 0) ? ORDER_MUST : ORDER_MAY;
    }
    if (writer == reader) return ORDER_SELF;
    way_to(reader, &read);
    uint32_t at = 0;
    while (at < write.count && at < read.count && write.tasks[at] == read.tasks[at]) {
        if (task_is_loop(write.tasks[at]) || task_is(write.tasks[at], "flow.LoopUntil")) {
            *is_looped = true;
        }
        at++;
    }
    if (at == write.count) return ORDER_AROUND;
    if (at == read.count) return ORDER_INSIDE;
    const Task *first = write.tasks[at];
    const Task *second = read.tasks[at];
    if (first->group != second->group) return between_lists(first->group, second->group);
    return in_list(first, second, runs_always(&write, at));
}
