// plan.c - a run in which every effect is described instead of performed.
//
// The same engine, leaves and modules are driven; what a task would put out and nobody knows is a
// placeholder `<task.output>`. Where a condition depends on one, the plan goes one way and then the
// others: each alternative is a run of its own with that choice forced, of which only what stands
// below the choice is kept. Timers fire at once, a Pause is resumed, nothing fails by itself.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "run/driver.h"

typedef struct Choice {
    RunId run;
    uint32_t slot;
    Value value;
    Str branch;  // "check = true"
} Choice;

typedef struct Step {
    RunId run;
    Str task, branch;
    Value effect;  // a map
    Value assumed;
} Step;

typedef LIST_OF(Choice) Choices;

typedef struct Alternative {
    Choices forced;  // the last one is new
    uint32_t after;  // its steps stand behind this many
} Alternative;

struct Planner {
    Arena *arena;
    Value assume;
    const Alternative *alternative;
    Choices made;  // free choices of this run, in their order
    LIST_OF(Step) steps;
    LIST_OF(Alternative) waiting;
    LIST_OF(Str) placeholders;
    Value reading;  // placeholders that the evaluation at hand has read
    Value notes;
    uint32_t insert_at;
};

static void note(Planner *planner, Str text) {
    for (uint32_t i = 0; i < planner->notes.as.list->count; i++) {
        if (str_eq(planner->notes.as.list->items[i].as.text, text)) return;
    }
    value_list_add(planner->arena, planner->notes, value_text(text));
}

// --- placeholders -------------------------------------------------------------------------------

static void add_placeholder(Planner *planner, Str text) {
    for (uint32_t i = 0; i < planner->placeholders.count; i++) {
        if (str_eq(planner->placeholders.items[i], text)) return;
    }
    *LIST_ADD(planner->arena, &planner->placeholders, Str) = str_dup(planner->arena, text);
}

// The host's own stand between angle brackets, too: `<task.body>`.
static void add_placeholders(Planner *planner, Value value) {
    if (value.kind == VALUE_TEXT && str_starts_with(value.as.text, STR("<")) &&
        str_ends_with(value.as.text, STR(">")) && value.as.text.len > 2) {
        add_placeholder(planner, value.as.text);
    }
    for (uint32_t i = 0; value.kind == VALUE_LIST && i < value.as.list->count; i++) {
        add_placeholders(planner, value.as.list->items[i]);
    }
    for (uint32_t i = 0; value.kind == VALUE_MAP && i < value.as.map->count; i++) {
        add_placeholders(planner, value.as.map->members[i].value);
    }
}

Value planner_placeholder(Execution *execution, Str path) {
    Planner *planner = execution->planner;
    Str text = str_printf(planner->arena, "<" STR_FMT ">", STR_ARG(path));
    add_placeholder(planner, text);
    planner_read(execution, value_text(text));
    return value_text(text);
}

static void read_text(Planner *planner, Str text, bool *found) {
    for (uint32_t i = 0; i < planner->placeholders.count; i++) {
        Str placeholder = planner->placeholders.items[i];
        if (str_find(text, placeholder, 0) == STR_NOT_FOUND) continue;
        *found = true;
        bool is_known = false;
        for (uint32_t k = 0; k < planner->reading.as.list->count; k++) {
            is_known = is_known || str_eq(planner->reading.as.list->items[k].as.text, placeholder);
        }
        if (!is_known) {
            value_list_add(planner->arena, planner->reading, value_text(placeholder));
        }
    }
}

static void read_value(Planner *planner, Value value, bool *found) {
    if (value.kind == VALUE_TEXT) read_text(planner, value.as.text, found);
    for (uint32_t i = 0; value.kind == VALUE_LIST && i < value.as.list->count; i++) {
        read_value(planner, value.as.list->items[i], found);
    }
    for (uint32_t i = 0; value.kind == VALUE_MAP && i < value.as.map->count; i++) {
        read_value(planner, value.as.map->members[i].value, found);
    }
}

bool planner_read(Execution *execution, Value value) {
    bool found = false;
    read_value(execution->planner, value, &found);
    return found;
}

// --- choices ------------------------------------------------------------------------------------

static bool same_run(RunId a, RunId b) {
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

static const Choice *find_choice(const Choices *choices, RunId run, uint32_t slot) {
    for (uint32_t i = 0; i < choices->count; i++) {
        const Choice *choice = &choices->items[i];
        if (choice->slot == slot && same_run(choice->run, run)) return choice;
    }
    return NULL;
}

static const Choice *forced_choice(const Planner *planner, RunId run, uint32_t slot) {
    if (planner->alternative == NULL) return NULL;
    return find_choice(&planner->alternative->forced, run, slot);
}

static void add_alternative(Planner *planner, const Action *action, Value value, Str branch) {
    if (planner->waiting.count >= PLAN_ALTERNATIVES) {
        note(planner, STR("there are more branches than a plan looks into"));
        return;
    }
    Alternative *alternative = LIST_ADD(planner->arena, &planner->waiting, Alternative);
    const Alternative *from = planner->alternative;
    for (uint32_t i = 0; from != NULL && i < from->forced.count; i++) {
        *LIST_ADD(planner->arena, &alternative->forced, Choice) = from->forced.items[i];
    }
    for (uint32_t i = 0; i < planner->made.count; i++) {
        *LIST_ADD(planner->arena, &alternative->forced, Choice) = planner->made.items[i];
    }
    *LIST_ADD(planner->arena, &alternative->forced, Choice) =
        (Choice){action->run, action->slot, value, branch};
}

// Takes the first way and leaves the others for later.
static void choose(Execution *execution, const Action *action, const Value *ways, const Str *names,
                   uint32_t count) {
    Planner *planner = execution->planner;
    const Plan *plan = &execution->artifact->plan;
    Str task = plan_text(plan, plan->nodes[action->node].id);
    for (uint32_t i = 1; i < count; i++) {
        Str branch =
            str_printf(planner->arena, STR_FMT " = " STR_FMT, STR_ARG(task), STR_ARG(names[i]));
        add_alternative(planner, action, ways[i], branch);
    }
    Choice *choice = LIST_ADD(planner->arena, &planner->made, Choice);
    *choice = (Choice){
        action->run, action->slot, ways[0],
        str_printf(planner->arena, STR_FMT " = " STR_FMT, STR_ARG(task), STR_ARG(names[0]))};
}

static Value choose_case(Execution *execution, const Action *action) {
    const Plan *plan = &execution->artifact->plan;
    const PlanNode *node = &plan->nodes[action->node];
    Arena *arena = execution->planner->arena;
    Value *ways = arena_array(arena, Value, node->case_count + 1);
    Str *names = arena_array(arena, Str, node->case_count + 1);
    for (uint32_t i = 0; i < node->case_count; i++) {
        // The plan's texts go with this run, the choice outlives it.
        names[i] = str_dup(arena, plan_text(plan, plan->cases[node->cases - 1 + i].key));
        ways[i] = value_text(names[i]);
    }
    uint32_t count = node->case_count;
    if (node->extra != PLAN_NONE || count == 0) {
        names[count] = STR("defaults");
        ways[count++] = value_text(STR("<none of the cases>"));
    }
    choose(execution, action, ways, names, count);
    return ways[0];
}

static Value stand_in(Execution *execution, const Action *action, const Evaluated *evaluated) {
    const PlanNode *node = &execution->artifact->plan.nodes[action->node];
    Arena *arena = execution->planner->arena;
    Value ways[] = {value_bool(true), value_bool(false)};
    Str names[] = {STR("true"), STR("false")};
    NodeKind kind = (NodeKind)node->kind;
    if (action->slot == SLOT_RUN_IF) {
        choose(execution, action, ways, names, 1);  // skipping shows nothing
        return ways[0];
    }
    if (action->slot == SLOT_A && kind == NODE_IF) {
        bool has_else = node->extra != PLAN_NONE;
        choose(execution, action, ways, names, has_else ? 2 : 1);
        return ways[0];
    }
    if (action->slot == SLOT_A && kind == NODE_SWITCH) return choose_case(execution, action);
    if (action->slot == SLOT_A && kind == NODE_LOOP_UNTIL) return ways[0];
    if (action->slot == SLOT_A && (kind == NODE_FOREACH || kind == NODE_LOOP)) {
        Value list = value_list(arena);
        Str path = str_printf(arena, STR_FMT "[]",
                              STR_ARG(plan_text(&execution->artifact->plan, node->id)));
        value_list_add(arena, list, planner_placeholder(execution, path));
        return list;
    }
    if (evaluated->is_ok && action->slot != SLOT_TIMEOUT) return evaluated->value;
    return value_null();
}

void planner_evaluated(Execution *execution, const Action *action, Evaluated *evaluated) {
    const Choice *forced = forced_choice(execution->planner, action->run, action->slot);
    if (forced != NULL) {
        *evaluated = (Evaluated){.is_ok = true, .value = forced->value};
    } else if (evaluated->touched && !run_id_is_zero(action->run)) {
        *evaluated = (Evaluated){.is_ok = true, .value = stand_in(execution, action, evaluated)};
    }
}

// --- steps --------------------------------------------------------------------------------------

// The choices above a run that hang on a placeholder, outermost first; and whether the new one of
// this alternative is among them.
static Str branch_of(const Execution *execution, RunId run, bool *is_new) {
    const Planner *planner = execution->planner;
    const Choice *last = NULL;
    Str text = {0};
    TaskRunView view;
    if (planner->alternative != NULL) {
        const Choices *forced = &planner->alternative->forced;
        last = &forced->items[forced->count - 1];
    }
    *is_new = last == NULL;
    for (RunId at = run; engine_run(execution->engine, at, &view); at = view.parent) {
        static const uint32_t slots[] = {SLOT_A, SLOT_RUN_IF};
        for (size_t i = 0; i < COUNT(slots); i++) {
            const Choice *choice = forced_choice(planner, at, slots[i]);
            if (choice == NULL) choice = find_choice(&planner->made, at, slots[i]);
            if (choice == NULL) continue;
            if (choice == last) *is_new = true;
            text = text.len == 0 ? choice->branch
                                 : str_printf(planner->arena, STR_FMT ", " STR_FMT,
                                              STR_ARG(choice->branch), STR_ARG(text));
        }
        if (run_id_is_zero(view.parent)) break;
    }
    return text;
}

static void add_step(Execution *execution, const Attempt *attempt, Value effect) {
    Planner *planner = execution->planner;
    bool is_new = false;
    Str branch = branch_of(execution, attempt->run, &is_new);
    if (!is_new) return;
    Step step = {.run = attempt->run,
                 .task = str_dup(planner->arena, attempt->task_id),
                 .branch = branch,
                 .effect = value_copy(planner->arena, effect),
                 .assumed = value_copy(planner->arena, attempt->assumed)};
    Str value = attempt->value;
    Value map = value_map(planner->arena);
    value_map_set(planner->arena, map, STR("taskId"), value_text(step.task));
    value_map_set(planner->arena, map, STR("value"),
                  value.len == 0 ? value_null() : value_text(str_dup(planner->arena, value)));
    for (uint32_t i = 0; step.effect.kind == VALUE_MAP && i < step.effect.as.map->count; i++) {
        const ValueMember *member = &step.effect.as.map->members[i];
        value_map_set(planner->arena, map, member->key, member->value);
    }
    value_map_set(planner->arena, map, STR("branch"),
                  branch.len == 0 ? value_null() : value_text(branch));
    value_map_set(planner->arena, map, STR("assumed"),
                  step.assumed.kind == VALUE_LIST ? step.assumed : value_list(planner->arena));
    step.effect = map;
    // An alternative stands behind what its choice was first looked at with.
    *LIST_ADD(planner->arena, &planner->steps, Step) = step;
    for (uint32_t i = planner->steps.count - 1; i > planner->insert_at; i--) {
        planner->steps.items[i] = planner->steps.items[i - 1];
    }
    planner->steps.items[planner->insert_at++] = step;
}

void planner_begin(Execution *execution) {
    execution->planner->reading = value_list(execution->planner->arena);
}

Value planner_end(Execution *execution) {
    return execution->planner->reading;
}

void planner_ended(Execution *execution, Attempt *attempt, const HostResult *result, Arena *arena,
                   Value *outputs) {
    Planner *planner = execution->planner;
    for (uint32_t i = 0; result->effects.kind == VALUE_LIST && i < result->effects.as.list->count;
         i++) {
        add_step(execution, attempt,
                 run_mask_value(execution, result->effects.as.list->items[i], arena));
    }
    if (outputs->kind != VALUE_MAP) *outputs = value_map(arena);
    if (!attempt->is_pure) add_placeholders(planner, *outputs);
    const Value *assumed =
        planner->assume.kind == VALUE_MAP ? value_map_get(planner->assume, attempt->task_id) : NULL;
    if (assumed != NULL && assumed->kind == VALUE_MAP) {
        *outputs = run_merge(arena, *outputs, *assumed);
    }
}

// A task whose properties hang on what nobody knows: shown by name, where it has effects.
void planner_unrendered(Execution *execution, Attempt *attempt, Str message) {
    Planner *planner = execution->planner;
    if (attempt->is_pure) return;
    Value effect = value_map(planner->arena);
    value_map_set(planner->arena, effect, STR("effect"), value_text(STR("unknown")));
    value_map_set(planner->arena, effect, STR("message"),
                  value_text(run_mask_text(execution, message, planner->arena)));
    add_step(execution, attempt, effect);
}

// A subflow is shown as a step, its own steps are those of a plan of it.
void planner_child(Execution *execution, const Action *action) {
    Planner *planner = execution->planner;
    Attempt attempt = {.run = action->run};
    TaskRunView view;
    if (engine_run(execution->engine, action->run, &view)) {
        attempt.task_id = view.task;
        if (view.has_value) attempt.value = view.value;
    }
    Value effect = value_map(planner->arena);
    value_map_set(planner->arena, effect, STR("effect"), value_text(STR("subflow")));
    static const char *const members[] = {"namespace", "flowId", "revision", "inputs"};
    for (size_t i = 0; i < COUNT(members); i++) {
        const Value *member = value_map_get(action->value, str_from(members[i]));
        if (member == NULL || member->kind == VALUE_NULL) continue;
        value_map_set(planner->arena, effect, str_from(members[i]),
                      run_mask_value(execution, *member, planner->arena));
    }
    add_step(execution, &attempt, effect);
}

// --- the runs -----------------------------------------------------------------------------------

enum { PLAN_RESUMES = 1000 };

static Err drive(Runtime *runtime, Execution *execution, Planner *planner) {
    for (int i = 0; i < PLAN_RESUMES; i++) {
        Err err = err_none();
        RunEnd end = runtime_run(runtime, execution, RUN_TO_END, STATE_NONE, &err);
        if (end == RUN_FAILED) return err;
        if (end == RUN_INTERRUPTED || end == RUN_STOPPED) {
            return err_make(ERR_CANCELLED, "the plan was interrupted");
        }
        if (end != RUN_WAITS_FOR_PERSON) return err_none();
        EngineReason reason;
        if (engine_reason(execution->engine, &reason)) {
            note(planner, str_printf(planner->arena, "task '" STR_FMT "' pauses the execution",
                                     STR_ARG(reason.task)));
        }
        Command command = {.kind = COMMAND_RESUME, .now_ms = runtime_now(runtime)};
        command.value = value_map(turn_arena(execution));
        TRY(execution_command(execution, &command));
    }
    return err_make(ERR_LIMIT, "the flow pauses more than %d times", PLAN_RESUMES);
}

static void note_failure(const Execution *execution, Planner *planner) {
    EngineReason reason;
    if (engine_state(execution->engine) != STATE_FAILED || planner->alternative != NULL) return;
    if (!engine_reason(execution->engine, &reason)) return;
    Str who = reason.task.len == 0
                  ? STR("the flow")
                  : str_printf(planner->arena, "task '" STR_FMT "'", STR_ARG(reason.task));
    note(planner, str_printf(planner->arena, STR_FMT " would fail: " STR_FMT, STR_ARG(who),
                             STR_ARG(reason.message)));
}

static Err plan_once(const PlanRequest *request, Planner *planner, const char *folder,
                     InputFault *fault) {
    RuntimeOptions options = request->runtime;
    options.state_folder = folder;
    options.is_ephemeral = true;
    Runtime *runtime = NULL;
    TRY(runtime_new(&options, &runtime));
    runtime->planner = planner;
    planner->reading = value_list(planner->arena);
    planner->made = (Choices){0};
    RunStart start = request->start;
    start.artifact = request->artifact;
    start.id = STR("plan");  // the same in each alternative, so task runs keep their ids
    Execution *execution = NULL;
    Err err = execution_create(runtime, &start, planner->arena, fault, &execution);
    if (err.code == ERR_NONE) err = drive(runtime, execution, planner);
    if (err.code == ERR_NONE) note_failure(execution, planner);
    Value missing = runtime_missing_secrets(runtime);
    for (uint32_t i = 0; err.code == ERR_NONE && i < missing.as.list->count; i++) {
        note(planner, str_printf(planner->arena,
                                 "secret '" STR_FMT "' is not there: a placeholder stands for it",
                                 STR_ARG(missing.as.list->items[i].as.text)));
    }
    runtime_free(runtime);
    return err;
}

Err run_preflight(const PlanRequest *request, bool offline, Arena *arena, Value *out) {
    char folder[] = "/tmp/flowrun-preflight-XXXXXX";
    if (mkdtemp(folder) == NULL) return err_system("cannot make a folder for the check");
    RuntimeOptions options = request->runtime;
    options.state_folder = folder;
    options.is_ephemeral = true;
    options.mode = HOST_REAL;
    Runtime *runtime = NULL;
    Value checks = value_list(arena);
    Err err = runtime_new(&options, &runtime);
    if (err.code == ERR_NONE) {
        Execution *execution = execution_new(runtime, STR("preflight"), request->artifact);
        err = execution_prepare(execution);
        if (err.code == ERR_NONE) err = host_preflight(execution->host, offline, arena, &checks);
        checks = value_copy(arena, checks);
    }
    runtime_free(runtime);
    Err removed = dir_remove(folder);
    if (err.code == ERR_NONE) err = removed;
    *out = value_map(arena);
    value_map_set(arena, *out, STR("version"), value_int(1));
    value_map_set(arena, *out, STR("checks"), checks);
    return err;
}

// Where the steps of an alternative belong: behind the last step below the same choice.
static uint32_t place_of_alternative(const Planner *planner, const Alternative *alternative) {
    const Choice *last = &alternative->forced.items[alternative->forced.count - 1];
    Str stem = str_slice(last->branch, 0, str_find(last->branch, STR(" = "), 0) + 3);
    uint32_t place = planner->steps.count;
    for (uint32_t i = 0; i < planner->steps.count; i++) {
        if (str_find(planner->steps.items[i].branch, stem, 0) != STR_NOT_FOUND) place = i + 1;
    }
    return place;
}

Err run_plan(const PlanRequest *request, Arena *arena, InputFault *fault, Value *out) {
    char folder[] = "/tmp/flowrun-plan-XXXXXX";
    if (mkdtemp(folder) == NULL) return err_system("cannot make a folder for the plan");
    Planner planner = {.arena = arena, .assume = request->assume, .notes = value_list(arena)};
    Err err = plan_once(request, &planner, folder, fault);
    for (uint32_t i = 0; err.code == ERR_NONE && i < planner.waiting.count; i++) {
        Alternative alternative = planner.waiting.items[i];
        planner.alternative = &alternative;
        planner.insert_at = place_of_alternative(&planner, &alternative);
        err = plan_once(request, &planner, folder, fault);
    }
    Err removed = dir_remove(folder);
    if (err.code == ERR_NONE) err = removed;
    if (err.code != ERR_NONE) return err;
    Value steps = value_list(arena);
    for (uint32_t i = 0; i < planner.steps.count; i++) {
        value_list_add(arena, steps, planner.steps.items[i].effect);
    }
    *out = value_map(arena);
    value_map_set(arena, *out, STR("version"), value_int(1));
    value_map_set(arena, *out, STR("steps"), steps);
    value_map_set(arena, *out, STR("notes"), planner.notes);
    return err_none();
}
