// nodes.c - tasks become nodes, in pre-order, with their lists, policies and leaves.
//
// The lists of a node follow each other as body, cases, extra, errors, finally. A disabled task is
// left out with all it holds, and so are dependencies on it.
#include <stddef.h>

#include "plan/internal.h"
#include "value/time.h"

static const struct {
    const char *type;  // of io.kestra.plugin.core
    NodeKind kind;
} kinds[] = {
    {"flow.Sequential",          NODE_SEQUENCE  },
    {"flow.AllowFailure",        NODE_SEQUENCE  },
    {"flow.WorkingDirectory",    NODE_SEQUENCE  },
    {"flow.Parallel",            NODE_PARALLEL  },
    {"flow.Dag",                 NODE_DAG       },
    {"flow.If",                  NODE_IF        },
    {"flow.Switch",              NODE_SWITCH    },
    {"flow.ForEach",             NODE_FOREACH   },
    {"flow.EachSequential",      NODE_FOREACH   },
    {"flow.EachParallel",        NODE_FOREACH   },
    {"flow.Loop",                NODE_LOOP      },
    {"flow.LoopUntil",           NODE_LOOP_UNTIL},
    {"flow.ForEachItem",         NODE_ITEMS     },
    {"flow.Subflow",             NODE_SUBFLOW   },
    {"flow.Pause",               NODE_PAUSE     },
    {"flow.Sleep",               NODE_TIMER     },
    {"execution.Labels",         NODE_UPDATE    },
    {"execution.SetVariables",   NODE_UPDATE    },
    {"execution.UnsetVariables", NODE_UPDATE    },
    {"execution.Exit",           NODE_UPDATE    },
};

static NodeKind kind_of(const Task *task) {
    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (task_is(task, kinds[i].type)) return kinds[i].kind;
    }
    return NODE_TASK;
}

static const Node *value_of(const Task *task, const char *name) {
    const Property *property = task_property(task, str_from(name));
    return property == NULL || node_is_null(property->node) ? NULL : property->node;
}

static const Prop *schema_of(const Task *task, const char *name) {
    const Property *property = task_property(task, str_from(name));
    return property == NULL ? NULL : property->schema;
}

static Str what(Planner *planner, const char *part, const Task *task) {
    return str_printf(planner->arena, "%s of '" STR_FMT "'", part, STR_ARG(task->id));
}

// A flag the plan holds as a bit has to be known when compiled.
static uint32_t bit(Planner *planner, const Task *task, const char *name, bool otherwise,
                    uint32_t flag) {
    const Node *node = value_of(task, name);
    if (node != NULL && node->type == YAML_SCALAR && template_has_code(node->text)) {
        diag_add(planner->diags, "E0104", DIAG_ERROR, node->span,
                 "'%s' must be true or false when the flow is compiled, not a template", name);
        return 0;
    }
    return plan_flag(node, otherwise) ? flag : 0;
}

// --- modules ------------------------------------------------------------------------------------

static bool is_external(const Planner *planner, Str type) {
    for (uint32_t i = 0; i < planner->options->external_count; i++) {
        if (str_starts_with(type, planner->options->externals[i])) return true;
    }
    return false;
}

static PlanRef module_ref(Planner *planner, Str type, const StdModule *module) {
    PlanDraft *draft = planner->draft;
    PlanText name = draft_text(draft, type);
    uint32_t linked = 0;
    for (uint32_t i = 0; i < draft->modules.count; i++) {
        if (draft->modules.items[i].type == name) return i + 1;
        if (draft->modules.items[i].code != 0) linked++;
    }
    *LIST_ADD(planner->arena, &draft->modules, PlanModule) = (PlanModule){
        .type = name,
        .code = module != NULL ? linked + 1 : 0,
        .effects = module != NULL ? module->effects : EFFECT_EXEC | EFFECT_NET,
    };
    return draft->modules.count;
}

static void find_module(Planner *planner, const Task *task, PlanNode *node) {
    Str type = task->type != NULL ? task->type->name : task->type_name;
    const StdModule *module = std_module_find(type);
    if (module == NULL && !is_external(planner, type)) {
        Diag *diag = diag_add(planner->diags, "W0121", DIAG_ERROR, task->type_span,
                              "type '" STR_FMT "' has no module here, so it cannot be compiled",
                              STR_ARG(type));
        diag_note(diag, "a handler of the host can run it: compile with --external=" STR_FMT,
                  STR_ARG(type));
    }
    node->module = module_ref(planner, type, module);
    if (module == NULL) {
        node->flags |= NODE_EXTERNAL;
    } else if (module->effects == 0) {
        node->flags |= NODE_PURE;
    }
}

// --- properties ---------------------------------------------------------------------------------

// What the engine reads itself; the rest is the task's.
static bool is_common(const Property *property) {
    static const char *const names[] = {
        "retry",    "timeout",        "disabled",   "workerGroup",
        "logLevel", "allowFailure",   "logToFile",  "runIf",
        "when",     "allowWarning",   "taskCache",  "assets",
        "version",  "workerSelector", "policyRefs", "pluginDefaultsRef"};
    for (size_t i = 0; i < COUNT(names); i++) {
        if (str_eq(property->name, str_from(names[i]))) return true;
    }
    // Some types have a rendered `description` of their own.
    bool is_static = property->schema == NULL || property->schema->mode == MODE_STATIC;
    return is_static && str_eq(property->name, STR("description"));
}

static void add_property(Planner *planner, LeafSpec *spec, Property property, Str name) {
    if (!str_eq(property.name, name) && property.schema != NULL) {
        Prop *renamed = arena_new(planner->arena, Prop);  // a leaf goes by the name of the schema
        *renamed = *property.schema;
        renamed->name = name;
        property.schema = renamed;
    }
    property.name = name;
    *LIST_ADD(planner->arena, &spec->properties, Property) = property;
}

static bool is_for_items(const Property *property) {
    return property->schema != NULL && (property->schema->flags & PROP_ITEM) != 0;
}

static bool is_own(const Property *property) {
    return !is_common(property) && !is_for_items(property) && !node_is_null(property->node);
}

// The template that a task renders for each item of its file.
static void plan_item(Planner *planner, const Task *task, uint32_t index) {
    for (uint32_t i = 0; i < task->properties.count; i++) {
        const Property *property = &task->properties.items[i];
        if (!is_for_items(property) || node_is_null(property->node)) continue;
        plan_leaf(planner, TARGET_OF(TARGET_NODE, index, PlanNode, leaf_a),
                  (LeafSpec){.mode = LEAF_OBJECT,
                             .node = property->node,
                             .task = task,
                             .what = what(planner, "template for items", task)});
    }
}

static void plan_properties(Planner *planner, const Task *task, uint32_t index) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < task->properties.count; i++) {
        if (is_own(&task->properties.items[i])) count++;
    }
    if (count == 0) return;
    LeafSpec *spec = plan_leaf_set(planner, TARGET_OF(TARGET_NODE, index, PlanNode, leaf_props),
                                   task, what(planner, "properties", task));
    for (uint32_t i = 0; i < task->properties.count; i++) {
        const Property *property = &task->properties.items[i];
        if (is_own(property)) add_property(planner, spec, *property, property->name);
    }
}

// A set of chosen properties: `names` are pairs of the name written and the name in the plan.
static void plan_chosen(Planner *planner, const Task *task, Target target,
                        const char *const (*names)[2], size_t count) {
    LeafSpec *spec = NULL;
    for (size_t i = 0; i < count; i++) {
        const Property *property = task_property(task, str_from(names[i][0]));
        if (property == NULL || node_is_null(property->node)) continue;
        if (spec == NULL)
            spec = plan_leaf_set(planner, target, task, what(planner, "values", task));
        add_property(planner, spec, *property, str_from(names[i][1]));
    }
}

// --- by kind ------------------------------------------------------------------------------------

// 2.0 can end the other tasks when one fails; here they go on.
static void refuse_child_failure(Planner *planner, const Task *task) {
    const Node *node = value_of(task, "onChildFailure");
    if (node == NULL || str_eq(node->text, STR("CONTINUE"))) return;
    diag_add(planner->diags, "W0113", DIAG_ERROR, node->span,
             "'onChildFailure' cannot be compiled but as CONTINUE: the other tasks go on");
}

static void plan_loop(Planner *planner, const Task *task, PlanNode *node, uint32_t index) {
    const char *name = value_of(task, "values") != NULL ? "values" : "value";
    const Node *values = value_of(task, name);
    LeafMode mode = values != NULL && values->type == YAML_SCALAR ? LEAF_TEXT : LEAF_OBJECT;
    plan_leaf(planner, TARGET_OF(TARGET_NODE, index, PlanNode, leaf_a),
              (LeafSpec){.mode = mode,
                         .node = values,
                         .schema = schema_of(task, name),
                         .task = task,
                         .what = what(planner, "values", task)});
    node->limit = 1;
    bool is_pairs = task_is(task, "flow.EachParallel");
    const char *limit_name = is_pairs ? "concurrent" : "concurrencyLimit";
    const Node *limit = value_of(task, limit_name);
    if (is_pairs) {
        node->flags |= NODE_PAIRS;
        node->limit = 0;
    }
    if (limit == NULL) return;
    int64_t number = 0;
    if (limit->type == YAML_SCALAR && str_to_int(limit->text, &number) && number >= 0 &&
        number <= INT32_MAX) {
        node->limit = (int32_t)number;
    } else {
        diag_add(planner->diags, "E0104", DIAG_ERROR, limit->span,
                 "'%s' must be a number when the flow is compiled", limit_name);
    }
}

static void plan_until(Planner *planner, const Task *task, uint32_t index) {
    plan_leaf(planner, TARGET_OF(TARGET_NODE, index, PlanNode, leaf_a),
              (LeafSpec){.mode = LEAF_CONDITION,
                         .node = value_of(task, "condition"),
                         .schema = schema_of(task, "condition"),
                         .task = task,
                         .what = what(planner, "condition", task)});
    plan_leaf(planner, TARGET_OF(TARGET_NODE, index, PlanNode, leaf_c),
              (LeafSpec){.mode = LEAF_CONDITION,
                         .node = value_of(task, "failOnMaxReached"),
                         .schema = schema_of(task, "failOnMaxReached"),
                         .task = task,
                         .what = what(planner, "failOnMaxReached", task)});
    const Property *frequency = task_property(task, STR("checkFrequency"));
    if (frequency == NULL || frequency->node->type != YAML_MAP ||
        frequency->node->entries.count == 0) {
        return;
    }
    const Def *def = frequency->schema != NULL ? frequency->schema->type.def : NULL;
    LeafSpec *spec = plan_leaf_set(planner, TARGET_OF(TARGET_NODE, index, PlanNode, leaf_b), task,
                                   what(planner, "checkFrequency", task));
    for (uint32_t i = 0; i < frequency->node->entries.count; i++) {
        const NodeEntry *entry = &frequency->node->entries.items[i];
        Property property = {
            .name = entry->key->text,
            .name_span = entry->key->span,
            .node = entry->value,
            .schema = def != NULL ? def_prop(def, entry->key->text) : NULL,
        };
        *LIST_ADD(planner->arena, &spec->properties, Property) = property;
    }
}

static void plan_child_flow(Planner *planner, const Task *task, PlanNode *node, uint32_t index) {
    static const char *const names[][2] = {
        {"namespace",    "namespace"   },
        {"flowId",       "flowId"      },
        {"revision",     "revision"    },
        {"inputs",       "inputs"      },
        {"labels",       "labels"      },
        {"scheduleDate", "scheduleDate"},
    };
    plan_chosen(planner, task, TARGET_OF(TARGET_NODE, index, PlanNode, leaf_b), names,
                COUNT(names));
    node->flags |= bit(planner, task, "wait", true, NODE_WAIT);
    node->flags |= bit(planner, task, "transmitFailed", true, NODE_TRANSMIT_FAILED);
    node->flags |= bit(planner, task, "inheritLabels", false, NODE_INHERIT_LABELS);
    const Node *restart = value_of(task, "restartBehavior");
    if (restart != NULL && str_eq(restart->text, STR("NEW_EXECUTION"))) {
        node->flags |= NODE_RESTART_NEW;
    }
    bool is_items = node->kind == NODE_ITEMS;
    if (is_items) {
        plan_leaf(planner, TARGET_OF(TARGET_NODE, index, PlanNode, leaf_a),
                  (LeafSpec){.mode = LEAF_TEXT,
                             .node = value_of(task, "items"),
                             .schema = schema_of(task, "items"),
                             .task = task,
                             .what = what(planner, "items", task)});
    }
    const char *third = is_items ? "batch" : "outputs";
    plan_leaf(planner, TARGET_OF(TARGET_NODE, index, PlanNode, leaf_c),
              (LeafSpec){.mode = LEAF_OBJECT,
                         .node = value_of(task, third),
                         .schema = schema_of(task, third),
                         .task = task,
                         .what = what(planner, third, task)});
}

static void plan_pause(Planner *planner, const Task *task, PlanNode *node, uint32_t index) {
    bool has_new = value_of(task, "pauseDuration") != NULL;
    const char *const names[][2] = {
        {has_new ? "pauseDuration" : "delay", "pauseDuration"},
        {"behavior",                          "behavior"     },
        {"timeout",                           "timeout"      },
    };
    plan_chosen(planner, task, TARGET_OF(TARGET_NODE, index, PlanNode, leaf_a), names,
                COUNT(names));
    node->inputs = plan_inputs(planner, task->on_resume.items, task->on_resume.count, task,
                               &node->input_count);
}

static NodeUpdate update_of(const Task *task) {
    if (task_is(task, "execution.Labels")) return UPDATE_LABELS;
    if (task_is(task, "execution.SetVariables")) return UPDATE_SET_VARIABLES;
    if (task_is(task, "execution.UnsetVariables")) return UPDATE_UNSET_VARIABLES;
    return UPDATE_EXIT;
}

static void plan_kind(Planner *planner, const Task *task, PlanNode *node, uint32_t index) {
    switch ((NodeKind)node->kind) {
    case NODE_SEQUENCE:
        if (task_is(task, "flow.AllowFailure")) node->flags |= NODE_ALLOW_FAILURE;
        if (task_is(task, "flow.WorkingDirectory")) {
            node->flags |= NODE_WORKDIR;
            plan_properties(planner, task, index);
        }
        return;
    case NODE_PARALLEL:
    case NODE_DAG:
        refuse_child_failure(planner, task);
        plan_leaf(planner, TARGET_OF(TARGET_NODE, index, PlanNode, leaf_a),
                  (LeafSpec){.mode = LEAF_TEXT,
                             .node = value_of(task, "concurrent"),
                             .schema = schema_of(task, "concurrent"),
                             .task = task,
                             .what = what(planner, "concurrent", task)});
        return;
    case NODE_IF:
        plan_leaf(planner, TARGET_OF(TARGET_NODE, index, PlanNode, leaf_a),
                  (LeafSpec){.mode = LEAF_CONDITION,
                             .node = value_of(task, "condition"),
                             .schema = schema_of(task, "condition"),
                             .task = task,
                             .what = what(planner, "condition", task)});
        return;
    case NODE_SWITCH:
        plan_leaf(planner, TARGET_OF(TARGET_NODE, index, PlanNode, leaf_a),
                  (LeafSpec){.mode = LEAF_TEXT,
                             .node = value_of(task, "value"),
                             .schema = schema_of(task, "value"),
                             .task = task,
                             .what = what(planner, "value", task)});
        return;
    case NODE_LOOP:
        plan_chosen(planner, task, TARGET_OF(TARGET_NODE, index, PlanNode, leaf_props),
                    (const char *const[][2]){
                        {"outputs", "outputs"}
        },
                    1);
        node->flags |= bit(planner, task, "transmitFailed", true, NODE_TRANSMIT_FAILED);
        plan_loop(planner, task, node, index);
        return;
    case NODE_FOREACH:
        plan_loop(planner, task, node, index);
        return;
    case NODE_LOOP_UNTIL:
        plan_until(planner, task, index);
        return;
    case NODE_ITEMS:
    case NODE_SUBFLOW:
        plan_child_flow(planner, task, node, index);
        return;
    case NODE_PAUSE:
        plan_pause(planner, task, node, index);
        return;
    case NODE_UPDATE:
        node->update = (uint8_t)update_of(task);
        plan_properties(planner, task, index);
        return;
    case NODE_TIMER:
        plan_properties(planner, task, index);
        return;
    case NODE_TASK:
        find_module(planner, task, node);
        plan_properties(planner, task, index);
        plan_item(planner, task, index);
        return;
    case NODE_KIND_COUNT:
        return;
    }
}

// --- what every node has ------------------------------------------------------------------------

static void plan_cache(const Task *task, PlanNode *node) {
    const Node *cache = value_of(task, "taskCache");
    if (!plan_flag(plan_member(cache, "enabled"), false)) return;
    node->flags |= NODE_CACHE;
    const Node *ttl = plan_member(cache, "ttl");
    int64_t nanoseconds = 0;
    if (ttl != NULL && duration_parse(ttl->text, true, &nanoseconds).code == ERR_NONE) {
        node->cache_ttl = nanoseconds / 1000000;
    }
}

static void plan_common(Planner *planner, const Task *task, PlanNode *node, uint32_t index) {
    static const char *const levels[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR"};
    if (task->allow_failure) node->flags |= NODE_ALLOW_FAILURE;
    if (task->allow_warning) node->flags |= NODE_ALLOW_WARNING;
    if (plan_flag(value_of(task, "logToFile"), false)) node->flags |= NODE_LOG_TO_FILE;
    if (planner->has_secret[task->index]) node->flags |= NODE_HAS_SECRETS;
    const Node *level = value_of(task, "logLevel");
    for (uint8_t i = 0; level != NULL && i < COUNT(levels); i++) {
        if (str_eq(level->text, str_from(levels[i]))) node->log_level = (uint8_t)(i + 1);
    }
    plan_cache(task, node);
    plan_leaf(planner, TARGET_OF(TARGET_NODE, index, PlanNode, leaf_run_if),
              (LeafSpec){.mode = LEAF_CONDITION,
                         .node = task_run_if(task),
                         .task = task,
                         .what = what(planner, "runIf", task)});
    if (node->kind == NODE_PAUSE) return;  // one of its own values
    plan_leaf(planner, TARGET_OF(TARGET_NODE, index, PlanNode, leaf_timeout),
              (LeafSpec){.mode = LEAF_CONVERT,
                         .convert = CONVERT_DURATION,
                         .node = value_of(task, "timeout"),
                         .schema = schema_of(task, "timeout"),
                         .task = task,
                         .what = what(planner, "timeout", task)});
}

static NodeList list_of(TaskList list) {
    switch (list) {
    case TASKS_BODY:
        return LIST_BODY;
    case TASKS_ERRORS:
        return LIST_ERRORS;
    case TASKS_FINALLY:
        return LIST_FINALLY;
    case TASKS_AFTER:
    case TASKS_ELSE:
    case TASKS_DEFAULTS:
    case TASKS_ON_PAUSE:
    case TASKS_LISTENER:
        return LIST_EXTRA;
    case TASKS_CASE:
        return LIST_CASE;
    }
    return LIST_BODY;
}

static void add_node(Planner *planner, const Task *task, uint32_t parent, uint32_t list_case);

typedef struct Chain {
    PlanRef head;   // of the first that is not disabled
    uint32_t last;  // where the next one is linked
} Chain;

static void extend(Planner *planner, Chain *chain, const TaskGroup *group, uint32_t parent,
                   uint32_t list_case) {
    PlanDraft *draft = planner->draft;
    for (uint32_t i = 0; group != NULL && i < group->tasks.count; i++) {
        const Task *task = group->tasks.items[i];
        if (task->is_disabled) continue;
        uint32_t index = draft->nodes.count;
        add_node(planner, task, parent, list_case);
        if (chain->head == 0) {
            chain->head = index + 1;
        } else {
            draft->nodes.items[chain->last].next = index + 1;
        }
        chain->last = index;
    }
}

// The tasks of a group, linked; gives the reference of the first.
static PlanRef add_group(Planner *planner, const TaskGroup *group, uint32_t parent,
                         uint32_t list_case) {
    Chain chain = {0};
    extend(planner, &chain, group, parent, list_case);
    return chain.head;
}

static void add_cases(Planner *planner, const Task *task, uint32_t index) {
    PlanDraft *draft = planner->draft;
    uint32_t first = draft->cases.count;
    uint32_t count = 0;
    for (uint32_t i = 0; i < task->groups.count; i++) {
        if (task->groups.items[i]->list != TASKS_CASE) continue;
        PlanText key = draft_text(draft, task->groups.items[i]->key);
        *LIST_ADD(planner->arena, &draft->cases, PlanCase) = (PlanCase){key, 0};
        count++;
    }
    if (count == 0) return;
    draft->nodes.items[index].cases = first + 1;
    draft->nodes.items[index].case_count = count;
    uint32_t number = 0;
    for (uint32_t i = 0; i < task->groups.count; i++) {
        if (task->groups.items[i]->list != TASKS_CASE) continue;
        PlanRef head = add_group(planner, task->groups.items[i], index, number);
        draft->cases.items[first + number].head = head;
        number++;
    }
}

// Dependencies, once every task of the Dag has its node.
static void add_deps(Planner *planner, const TaskGroup *group) {
    PlanDraft *draft = planner->draft;
    for (uint32_t i = 0; group != NULL && i < group->tasks.count; i++) {
        const Task *task = group->tasks.items[i];
        uint32_t node = planner->node_of[task->index];
        if (node == 0) continue;
        uint32_t first = draft->deps.count;
        for (uint32_t k = 0; k < task->depends_on.count; k++) {
            for (uint32_t s = 0; s < group->tasks.count; s++) {
                const Task *other = group->tasks.items[s];
                if (!str_eq(other->id, task->depends_on.items[k]) || other == task) continue;
                if (planner->node_of[other->index] == 0) continue;
                uint32_t number = planner->node_of[other->index] - 1;
                *LIST_ADD(planner->arena, &draft->deps, PlanDep) = (PlanDep){number};
                break;
            }
        }
        draft->nodes.items[node - 1].dep_count = draft->deps.count - first;
        if (draft->deps.count > first) draft->nodes.items[node - 1].deps = first + 1;
    }
}

static void add_lists(Planner *planner, const Task *task, uint32_t index) {
    PlanDraft *draft = planner->draft;
    PlanRef head = add_group(planner, task_group(task, TASKS_BODY), index, 0);
    draft->nodes.items[index].body = head;
    add_cases(planner, task, index);
    static const TaskList extras[] = {TASKS_ELSE, TASKS_DEFAULTS, TASKS_ON_PAUSE};
    for (size_t i = 0; i < COUNT(extras); i++) {
        const TaskGroup *group = task_group(task, extras[i]);
        if (group == NULL) continue;
        head = add_group(planner, group, index, 0);
        draft->nodes.items[index].extra = head;
        bool is_else = extras[i] != TASKS_ON_PAUSE && group->tasks.count > 0;
        if (is_else) draft->nodes.items[index].flags |= NODE_HAS_ELSE;
    }
    head = add_group(planner, task_group(task, TASKS_ERRORS), index, 0);
    draft->nodes.items[index].errors = head;
    head = add_group(planner, task_group(task, TASKS_FINALLY), index, 0);
    draft->nodes.items[index].finally = head;
    if (draft->nodes.items[index].kind == NODE_DAG) {
        add_deps(planner, task_group(task, TASKS_BODY));
    }
}

static uint32_t new_node(Planner *planner, Span span) {
    PlanDraft *draft = planner->draft;
    uint32_t index = draft->nodes.count;
    LIST_ADD(planner->arena, &draft->nodes, PlanNode)->limit = -1;
    *LIST_ADD(planner->arena, &draft->node_spans, Span) = span;
    return index;
}

static void add_node(Planner *planner, const Task *task, uint32_t parent, uint32_t list_case) {
    PlanDraft *draft = planner->draft;
    if (draft->nodes.count >= PLAN_NODES_MAX) return;
    uint32_t index = new_node(planner, task->id_span);
    planner->node_of[task->index] = index + 1;
    PlanNode node = {
        .kind = (uint8_t)kind_of(task),
        .list = (uint8_t)list_of(task->group->list),
        .parent = parent + 1,
        .list_case = list_case,
        .id = draft_text(draft, task->id),
        .type = draft_text(draft, task->type != NULL ? task->type->name : task->type_name),
        .own_retry = plan_retry(planner, task->retry),
        .limit = -1,
    };
    // A failure that is allowed is none as soon as its own retry is used up: what is inherited is
    // for failures.
    bool does_work = node.kind == NODE_TASK || node.kind == NODE_SUBFLOW;
    bool inherits = node.own_retry == 0 && !(task->allow_failure && does_work);
    node.retry = inherits ? draft->nodes.items[parent].retry : node.own_retry;
    plan_kind(planner, task, &node, index);
    plan_common(planner, task, &node, index);
    draft->nodes.items[index] = node;
    add_lists(planner, task, index);
    draft->nodes.items[index].end = draft->nodes.count;
}

// Listeners run once the execution is over, before `afterExecution`.
static PlanRef add_after(Planner *planner, uint32_t root) {
    const Flow *flow = planner->flow;
    const Node *listeners = plan_member(flow->node, "listeners");
    for (uint32_t i = 0; listeners != NULL && i < listeners->items.count; i++) {
        const Node *conditions = plan_member(listeners->items.items[i], "conditions");
        if (conditions == NULL || conditions->items.count == 0) continue;
        diag_add(planner->diags, "W0113", DIAG_ERROR, conditions->span,
                 "conditions of a listener cannot be compiled: move its tasks to 'afterExecution', "
                 "with 'runIf'");
    }
    Chain chain = {0};
    for (uint32_t i = 0; i < flow->groups.count; i++) {
        const TaskGroup *group = flow->groups.items[i];
        if (group->list == TASKS_LISTENER) extend(planner, &chain, group, root, 0);
    }
    extend(planner, &chain, flow_group(flow, TASKS_AFTER), root, 0);
    return chain.head;
}

void plan_nodes(Planner *planner) {
    const Flow *flow = planner->flow;
    PlanDraft *draft = planner->draft;
    uint32_t root = new_node(planner, flow->id_span);
    PlanRef retry = plan_retry(planner, flow->retry);
    draft->nodes.items[root].retry = draft->nodes.items[root].own_retry = retry;
    if (flow->targets == TARGET_2_0) draft->nodes.items[root].flags |= NODE_NAMED_PARENTS;
    PlanRef head = add_group(planner, flow_group(flow, TASKS_BODY), root, 0);
    draft->nodes.items[root].body = head;
    head = add_after(planner, root);
    draft->nodes.items[root].extra = head;
    head = add_group(planner, flow_group(flow, TASKS_ERRORS), root, 0);
    draft->nodes.items[root].errors = head;
    head = add_group(planner, flow_group(flow, TASKS_FINALLY), root, 0);
    draft->nodes.items[root].finally = head;
    draft->nodes.items[root].end = draft->nodes.count;
}
