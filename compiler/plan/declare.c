// declare.c - the tables of what a flow declares: inputs, outputs, labels, SLAs, checks, triggers,
// retries.
#include <stddef.h>

#include "plan/internal.h"
#include "value/time.h"

// --- inputs -------------------------------------------------------------------------------------

static PlanText bound(Planner *planner, const Node *first, const Node *second) {
    const Node *node = first != NULL ? first : second;
    if (node == NULL || node->type != YAML_SCALAR) return 0;
    return draft_text(planner->draft, node->text);
}

static void plan_values(Planner *planner, const InputDecl *input, PlanInput *out) {
    const Node *values = input->values;
    if (values == NULL || values->type != YAML_LIST) return;
    LIST_OF(Str) texts = {0};
    for (uint32_t i = 0; i < values->items.count; i++) {
        const Node *item = values->items.items[i];
        // 2.0: {label, value}; only the value is ever compared.
        if (item->type == YAML_MAP) item = plan_member(item, "value");
        if (item == NULL || item->type != YAML_SCALAR) continue;
        *LIST_ADD(planner->arena, &texts, Str) = value_to_text(planner->arena, item->value);
    }
    out->values = plan_texts(planner, texts.items, texts.count);
    out->value_count = texts.count;
}

static uint16_t input_flags(const InputDecl *input) {
    unsigned flags = 0;
    if (input->is_required) flags |= INPUT_REQUIRED;
    if (input->allow_custom) flags |= INPUT_ALLOW_CUSTOM;
    if (input->auto_first) flags |= INPUT_AUTO_FIRST;
    if (input->min != NULL || input->after != NULL) flags |= INPUT_HAS_MIN;
    if (input->max != NULL || input->before != NULL) flags |= INPUT_HAS_MAX;
    return (uint16_t)flags;
}

static void plan_input(Planner *planner, const InputDecl *input, const Task *task) {
    PlanDraft *draft = planner->draft;
    uint32_t index = draft->inputs.count;
    PlanInput row = {
        .id = draft_text(draft, input->id),
        .type = (uint8_t)input->type,
        .item_type = (uint8_t)input->item_type,
        .flags = input_flags(input),
        .min = bound(planner, input->min, input->after),
        .max = bound(planner, input->max, input->before),
        .validator = bound(planner, input->validator, NULL),
        .display = draft_text(draft, input->display_name),
        .depends = plan_texts(planner, input->depends_on.items, input->depends_on.count),
        .depend_count = input->depends_on.count,
        .extensions = plan_texts(planner, input->extensions.items, input->extensions.count),
        .extension_count = input->extensions.count,
    };
    plan_values(planner, input, &row);
    *LIST_ADD(planner->arena, &draft->inputs, PlanInput) = row;
    Str name = str_printf(planner->arena, "input '" STR_FMT "'", STR_ARG(input->id));
    plan_leaf(planner, TARGET_OF(TARGET_INPUT, index, PlanInput, defaults),
              (LeafSpec){.mode = LEAF_OBJECT,
                         .node = input->defaults,
                         .task = task,
                         .what = str_printf(planner->arena, "default of " STR_FMT, STR_ARG(name))});
    plan_leaf(
        planner, TARGET_OF(TARGET_INPUT, index, PlanInput, condition),
        (LeafSpec){.mode = LEAF_TYPED,
                   .node = input->condition,
                   .task = task,
                   .what = str_printf(planner->arena, "condition of " STR_FMT, STR_ARG(name))});
    plan_leaf(planner, TARGET_OF(TARGET_INPUT, index, PlanInput, expression),
              (LeafSpec){.mode = LEAF_TYPED,
                         .node = input->expression,
                         .task = task,
                         .what = str_printf(planner->arena, "values of " STR_FMT, STR_ARG(name))});
}

// The fields of a form are inputs with dotted ids; the form itself has no value of its own.
static void add_inputs(Planner *planner, InputDecl *const *inputs, uint32_t count,
                       const Task *task) {
    for (uint32_t i = 0; i < count; i++) {
        if (inputs[i]->type == INPUT_FORM && inputs[i]->has_type) {
            add_inputs(planner, inputs[i]->children.items, inputs[i]->children.count, task);
        } else {
            plan_input(planner, inputs[i], task);
        }
    }
}

PlanRef plan_inputs(Planner *planner, InputDecl *const *inputs, uint32_t count, const Task *task,
                    uint32_t *written) {
    uint32_t before = planner->draft->inputs.count;
    add_inputs(planner, inputs, count, task);
    *written = planner->draft->inputs.count - before;
    return *written > 0 ? before + 1 : 0;
}

void plan_flow_inputs(Planner *planner) {
    plan_inputs(planner, planner->flow->inputs.items, planner->flow->inputs.count, NULL,
                &planner->draft->plan.flow_input_count);
}

// --- labels -------------------------------------------------------------------------------------

static void add_label(Planner *planner, Str key, const Node *value) {
    PlanDraft *draft = planner->draft;
    PlanLabel label = {draft_text(draft, key), 0};
    if (value != NULL && value->type == YAML_SCALAR) {
        label.value = draft_text(draft, value_to_text(planner->arena, value->value));
    }
    *LIST_ADD(planner->arena, &draft->labels, PlanLabel) = label;
}

static PlanRef plan_labels(Planner *planner, const Node *labels, uint32_t *count) {
    uint32_t before = planner->draft->labels.count;
    for (uint32_t i = 0; labels != NULL && i < labels->entries.count; i++) {
        add_label(planner, labels->entries.items[i].key->text, labels->entries.items[i].value);
    }
    for (uint32_t i = 0; labels != NULL && i < labels->items.count; i++) {
        const Node *item = labels->items.items[i];
        const Node *key = plan_member(item, "key");
        if (key != NULL) add_label(planner, key->text, plan_member(item, "value"));
    }
    *count = planner->draft->labels.count - before;
    return *count > 0 ? before + 1 : 0;
}

// --- retries ------------------------------------------------------------------------------------

PlanRef plan_retry(Planner *planner, const Retry *retry) {
    if (retry == NULL) return 0;
    PlanRetry row = {
        .kind = RETRY_CONSTANT,
        .max_attempts =
            (int32_t)(retry->max_attempts > INT32_MAX ? INT32_MAX : retry->max_attempts),
        .max_duration = retry->max_duration,
        .interval = retry->interval,
        .max_interval = retry->max_interval,
    };
    if (str_eq(retry->type, STR("exponential"))) {
        row.kind = RETRY_EXPONENTIAL;
        row.delay_factor = retry->delay_factor > 0 ? retry->delay_factor : 2.0;
    } else if (str_eq(retry->type, STR("random"))) {
        row.kind = RETRY_RANDOM;
        row.interval = retry->min_interval;
    }
    if (retry->warning_on_retry) row.flags |= RETRY_WARNING;
    if (str_eq(retry->behavior, STR("CREATE_NEW_EXECUTION"))) row.flags |= RETRY_NEW_EXECUTION;
    *LIST_ADD(planner->arena, &planner->draft->retries, PlanRetry) = row;
    return planner->draft->retries.count;
}

// --- the rest -----------------------------------------------------------------------------------

static void plan_outputs(Planner *planner) {
    PlanDraft *draft = planner->draft;
    for (uint32_t i = 0; i < planner->flow->outputs.count; i++) {
        const OutputDecl *output = planner->flow->outputs.items[i];
        const Node *item = plan_member(output->node, "itemType");
        InputType item_type = INPUT_STRING;
        if (item != NULL && !input_type_from(item->text, &item_type)) item_type = INPUT_STRING;
        *LIST_ADD(planner->arena, &draft->outputs, PlanOutput) = (PlanOutput){
            .id = draft_text(draft, output->id),
            .type = (uint8_t)output->type,
            .item_type = (uint8_t)item_type,
            .flags = output->is_required ? INPUT_REQUIRED : 0,
        };
        plan_leaf(planner, TARGET_OF(TARGET_OUTPUT, i, PlanOutput, value),
                  (LeafSpec){.mode = LEAF_OBJECT,
                             .node = output->value,
                             .what = str_printf(planner->arena, "output '" STR_FMT "'",
                                                STR_ARG(output->id))});
    }
}

static uint8_t word_index(const Node *node, const char *const *words, uint8_t count,
                          uint8_t otherwise) {
    for (uint8_t i = 0; node != NULL && node->type == YAML_SCALAR && i < count; i++) {
        if (str_eq(node->text, str_from(words[i]))) return i;
    }
    return otherwise;
}

static int64_t milliseconds(const Node *node) {
    int64_t nanoseconds = 0;
    if (node == NULL || node->type != YAML_SCALAR) return 0;
    if (duration_parse(node->text, true, &nanoseconds).code != ERR_NONE) return 0;
    return nanoseconds / 1000000;
}

static void plan_slas(Planner *planner) {
    static const char *const kinds[] = {"MAX_DURATION", "EXECUTION_ASSERTION"};
    static const char *const behaviors[] = {"FAIL", "CANCEL", "NONE"};
    PlanDraft *draft = planner->draft;
    const Node *list = planner->flow->sla;
    for (uint32_t i = 0; list != NULL && i < list->items.count; i++) {
        const Node *item = list->items.items[i];
        const Node *id = plan_member(item, "id");
        uint32_t index = draft->slas.count;
        PlanSla row = {
            .id = draft_text(draft, id != NULL ? id->text : (Str){0}),
            .kind = word_index(plan_member(item, "type"), kinds, COUNT(kinds), 0),
            .behavior = word_index(plan_member(item, "behavior"), behaviors, COUNT(behaviors), 0),
            .duration = milliseconds(plan_member(item, "duration")),
        };
        const Node *assertion = plan_member(item, "assert");
        if (assertion != NULL) row.source = draft_text(draft, assertion->text);
        row.labels = plan_labels(planner, plan_member(item, "labels"), &row.label_count);
        *LIST_ADD(planner->arena, &draft->slas, PlanSla) = row;
        plan_leaf(planner, TARGET_OF(TARGET_SLA, index, PlanSla, assertion),
                  (LeafSpec){.mode = LEAF_CONDITION,
                             .node = plan_member(item, "assert"),
                             .what = STR("assertion of an SLA")});
    }
}

static void plan_checks(Planner *planner) {
    static const char *const styles[] = {"ERROR", "SUCCESS", "WARNING", "INFO"};
    static const char *const behaviors[] = {"BLOCK_EXECUTION", "FAIL_EXECUTION",
                                            "CREATE_EXECUTION"};
    PlanDraft *draft = planner->draft;
    const Node *list = planner->flow->checks;
    for (uint32_t i = 0; list != NULL && i < list->items.count; i++) {
        const Node *item = list->items.items[i];
        const Node *message = plan_member(item, "message");
        const Node *condition = plan_member(item, "when");
        if (condition == NULL) condition = plan_member(item, "condition");
        uint32_t index = draft->checks.count;
        *LIST_ADD(planner->arena, &draft->checks, PlanCheck) = (PlanCheck){
            .message = draft_text(draft, message != NULL ? message->text : (Str){0}),
            .style = word_index(plan_member(item, "style"), styles, COUNT(styles), 3),
            .behavior = word_index(plan_member(item, "behavior"), behaviors, COUNT(behaviors), 0),
        };
        plan_leaf(
            planner, TARGET_OF(TARGET_CHECK, index, PlanCheck, condition),
            (LeafSpec){.mode = LEAF_TYPED, .node = condition, .what = STR("condition of a check")});
    }
}

static bool has_code(const Node *node) {
    if (node == NULL) return false;
    if (node->type == YAML_SCALAR) return template_has_code(node->text);
    for (uint32_t i = 0; i < node->items.count; i++) {
        if (has_code(node->items.items[i])) return true;
    }
    for (uint32_t i = 0; i < node->entries.count; i++) {
        if (has_code(node->entries.items[i].value)) return true;
    }
    return false;
}

// What is known when compiled stands in `config`; what has to be rendered is a leaf. Conditions by
// type are configuration: whoever evaluates triggers knows them.
static void plan_trigger(Planner *planner, const TriggerDecl *trigger) {
    PlanDraft *draft = planner->draft;
    uint32_t index = draft->triggers.count;
    Value config = value_map(planner->arena);
    Properties rendered = {0};
    const Node *when = NULL;
    for (uint32_t i = 0; i < trigger->properties.count; i++) {
        const Property *property = &trigger->properties.items[i];
        if (str_eq(property->name, STR("when"))) {
            when = property->node;
        } else if (has_code(property->node) || str_eq(property->name, STR("inputs"))) {
            *LIST_ADD(planner->arena, &rendered, Property) = *property;
        } else {
            value_map_set(planner->arena, config, property->name,
                          node_to_value(property->node, planner->arena));
        }
    }
    Buffer json = {0};
    json_write(&json, config, JSON_CANONICAL, 0);
    *LIST_ADD(planner->arena, &draft->triggers, PlanTrigger) = (PlanTrigger){
        .id = draft_text(draft, trigger->id),
        .type = draft_text(draft, trigger->type != NULL ? trigger->type->name : trigger->type_name),
        .config = draft_text(draft, buffer_str(&json)),
        .flags = trigger->is_disabled ? 1 : 0,
    };
    buffer_release(&json);
    Str name = str_printf(planner->arena, "trigger '" STR_FMT "'", STR_ARG(trigger->id));
    if (rendered.count > 0) {
        LeafSpec *spec = plan_leaf_set(
            planner, TARGET_OF(TARGET_TRIGGER, index, PlanTrigger, props), NULL, name);
        for (uint32_t i = 0; i < rendered.count; i++) {
            *LIST_ADD(planner->arena, &spec->properties, Property) = rendered.items[i];
        }
    }
    plan_leaf(
        planner, TARGET_OF(TARGET_TRIGGER, index, PlanTrigger, condition),
        (LeafSpec){.mode = LEAF_CONDITION,
                   .node = when,
                   .what = str_printf(planner->arena, "condition of " STR_FMT, STR_ARG(name))});
}

void plan_declarations(Planner *planner) {
    plan_labels(planner, planner->flow->labels, &planner->draft->plan.flow_label_count);
    plan_outputs(planner);
    plan_slas(planner);
    plan_checks(planner);
    for (uint32_t i = 0; i < planner->flow->triggers.count; i++) {
        plan_trigger(planner, planner->flow->triggers.items[i]);
    }
}
