// build.c - a flow becomes a draft: nodes, declarations, and at the end the addresses of leaves.
#include <stddef.h>

#include "plan/internal.h"

static void finish_tables(PlanDraft *draft) {
    Plan *plan = &draft->plan;
    plan->nodes = draft->nodes.items;
    plan->node_count = draft->nodes.count;
    plan->cases = draft->cases.items;
    plan->case_count = draft->cases.count;
    plan->deps = draft->deps.items;
    plan->dep_count = draft->deps.count;
    plan->retries = draft->retries.items;
    plan->retry_count = draft->retries.count;
    plan->inputs = draft->inputs.items;
    plan->input_count = draft->inputs.count;
    plan->outputs = draft->outputs.items;
    plan->output_count = draft->outputs.count;
    plan->labels = draft->labels.items;
    plan->label_count = draft->labels.count;
    plan->slas = draft->slas.items;
    plan->sla_count = draft->slas.count;
    plan->checks = draft->checks.items;
    plan->check_count = draft->checks.count;
    plan->triggers = draft->triggers.items;
    plan->trigger_count = draft->triggers.count;
    plan->modules = draft->modules.items;
    plan->module_count = draft->modules.count;
    plan->texts = draft->texts.items;
    plan->text_count = draft->texts.count;
    plan->strings = buffer_str(&draft->strings);
}

static char *record_at(PlanDraft *draft, const Target *target) {
    switch (target->table) {
    case TARGET_NODE:
        return (char *)&draft->nodes.items[target->index];
    case TARGET_INPUT:
        return (char *)&draft->inputs.items[target->index];
    case TARGET_OUTPUT:
        return (char *)&draft->outputs.items[target->index];
    case TARGET_SLA:
        return (char *)&draft->slas.items[target->index];
    case TARGET_CHECK:
        return (char *)&draft->checks.items[target->index];
    case TARGET_TRIGGER:
        return (char *)&draft->triggers.items[target->index];
    }
    return NULL;
}

static void finish_leaves(Planner *planner) {
    for (uint32_t i = 0; i < planner->targets.count; i++) {
        const Target *target = &planner->targets.items[i];
        char *field = record_at(planner->draft, target) + target->offset;
        planner->draft->leaves.items[i].target = (PlanLeaf *)(void *)field;
        planner->draft->leaves.items[i].is_of_trigger = target->table == TARGET_TRIGGER;
    }
}

// Tasks that print a secret somewhere, by what the checker found.
static void find_secrets(Planner *planner) {
    const Checked *checked = planner->flow->checked;
    for (uint32_t i = 0; checked != NULL && i < checked->prints.count; i++) {
        const Print *print = &checked->prints.items[i];
        const ExprType *type = expr_type(print->expr);
        if (type == NULL || type->typed.taint != TAINT_SECRET || print->site->task == NULL)
            continue;
        planner->has_secret[print->site->task->index] = true;
    }
}

static void plan_head(Planner *planner) {
    const Flow *flow = planner->flow;
    PlanDraft *draft = planner->draft;
    PlanFlow *head = &draft->plan.flow;
    head->id = draft_text(draft, flow->id);
    head->flow_namespace = draft_text(draft, flow->flow_namespace);
    head->description = draft_text(draft, flow->description);
    head->is_disabled = flow->is_disabled;
    if (flow->variables != NULL) {
        head->variables = draft_text(draft, plan_json(planner, flow->variables));
    }
    const Node *limit = plan_member(flow->concurrency, "limit");
    if (limit != NULL && limit->value.kind == VALUE_INT && limit->value.as.integer < INT32_MAX) {
        head->concurrency_limit = (int32_t)limit->value.as.integer;
    }
    const Node *behavior = plan_member(flow->concurrency, "behavior");
    if (behavior != NULL && str_eq(behavior->text, STR("CANCEL"))) head->concurrency_behavior = 1;
    if (behavior != NULL && str_eq(behavior->text, STR("FAIL"))) head->concurrency_behavior = 2;
}

PlanDraft *plan_build(const Flow *flow, Catalog *catalog, const PlanOptions *options, Arena *arena,
                      Diags *diags) {
    PlanDraft *draft = arena_new(arena, PlanDraft);
    draft->arena = arena;
    draft->flow = flow;
    draft->catalog = catalog;
    Planner planner = {
        .draft = draft,
        .arena = arena,
        .diags = diags,
        .catalog = catalog,
        .flow = flow,
        .options = options,
        .node_of = arena_array(arena, uint32_t, flow->all_tasks.count),
        .has_secret = arena_array(arena, bool, flow->all_tasks.count),
    };
    buffer_add_u32(&draft->strings, 0);
    find_secrets(&planner);
    plan_head(&planner);
    plan_flow_inputs(&planner);
    plan_declarations(&planner);
    plan_nodes(&planner);
    finish_tables(draft);
    finish_leaves(&planner);
    return draft;
}
