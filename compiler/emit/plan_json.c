// plan_json.c - the tables of a plan as JSON, for people and tools: `compile --emit=plan`.
//
// References become ids and names, folded leaves the values they hold; what is absent is left out.
#include "emit/emit.h"

typedef struct Printer {
    const Plan *plan;
    Arena arena;
} Printer;

static void set(Printer *printer, Value map, const char *key, Value value) {
    value_map_set(&printer->arena, map, str_from(key), value);
}

static void set_text(Printer *printer, Value map, const char *key, PlanText text) {
    Str value = plan_text(printer->plan, text);
    if (value.len > 0) set(printer, map, key, value_text(value));
}

static void set_int(Printer *printer, Value map, const char *key, int64_t value) {
    if (value != 0) set(printer, map, key, value_int(value));
}

static void set_leaf(Printer *printer, Value map, const char *key, PlanLeaf leaf) {
    Value out;
    if (leaf == PLAN_NONE) return;
    if ((leaf & PLAN_CONSTANT) == 0) {
        Value number = value_map(&printer->arena);
        set(printer, number, "leaf", value_int(leaf - 1));
        set(printer, map, key, number);
        return;
    }
    Str json = plan_text(printer->plan, leaf & ~PLAN_CONSTANT);
    Err err = json_parse(json, (JsonLimits){0}, &printer->arena, &out);
    Value constant = value_map(&printer->arena);
    set(printer, constant, "constant", err.code == ERR_NONE ? out : value_text(json));
    set(printer, map, key, constant);
}

static void set_node(Printer *printer, Value map, const char *key, PlanRef ref) {
    if (ref != PLAN_NONE) set(printer, map, key, value_int(ref - 1));
}

static Value texts(Printer *printer, PlanRef first, uint32_t count) {
    Value list = value_list(&printer->arena);
    for (uint32_t i = 0; i < count; i++) {
        value_list_add(&printer->arena, list,
                       value_text(plan_text(printer->plan, printer->plan->texts[first - 1 + i])));
    }
    return list;
}

static Value flags(Printer *printer, uint32_t bits) {
    static const struct {
        uint32_t bit;
        const char *name;
    } rows[] = {
        {NODE_ALLOW_FAILURE,   "allowFailure"  },
        {NODE_ALLOW_WARNING,   "allowWarning"  },
        {NODE_PURE,            "pure"          },
        {NODE_WORKDIR,         "workdir"       },
        {NODE_PAIRS,           "pairs"         },
        {NODE_WAIT,            "wait"          },
        {NODE_TRANSMIT_FAILED, "transmitFailed"},
        {NODE_INHERIT_LABELS,  "inheritLabels" },
        {NODE_RESTART_NEW,     "restartNew"    },
        {NODE_FAIL_ON_MAX,     "failOnMax"     },
        {NODE_EXTERNAL,        "external"      },
        {NODE_LOG_TO_FILE,     "logToFile"     },
        {NODE_CACHE,           "cache"         },
        {NODE_HAS_SECRETS,     "hasSecrets"    },
    };
    Value list = value_list(&printer->arena);
    for (size_t i = 0; i < COUNT(rows); i++) {
        if ((bits & rows[i].bit) == 0) continue;
        value_list_add(&printer->arena, list, value_text(str_from(rows[i].name)));
    }
    return list;
}

static Value retry(Printer *printer, PlanRef ref) {
    static const char *const kinds[] = {"constant", "exponential", "random"};
    const PlanRetry *row = &printer->plan->retries[ref - 1];
    Value map = value_map(&printer->arena);
    if (row->kind < COUNT(kinds)) set(printer, map, "type", value_text(str_from(kinds[row->kind])));
    set_int(printer, map, "maxAttempts", row->max_attempts);
    set_int(printer, map, "maxDurationMs", row->max_duration);
    set_int(printer, map, "intervalMs", row->interval);
    set_int(printer, map, "maxIntervalMs", row->max_interval);
    if (row->delay_factor != 0.0) set(printer, map, "delayFactor", value_float(row->delay_factor));
    if ((row->flags & RETRY_WARNING) != 0) set(printer, map, "warningOnRetry", value_bool(true));
    if ((row->flags & RETRY_NEW_EXECUTION) != 0) {
        set(printer, map, "newExecution", value_bool(true));
    }
    return map;
}

static Value cases(Printer *printer, const PlanNode *node) {
    Value list = value_list(&printer->arena);
    for (uint32_t i = 0; i < node->case_count; i++) {
        const PlanCase *row = &printer->plan->cases[node->cases - 1 + i];
        Value map = value_map(&printer->arena);
        set(printer, map, "key", value_text(plan_text(printer->plan, row->key)));
        set_node(printer, map, "head", row->head);
        value_list_add(&printer->arena, list, map);
    }
    return list;
}

static void set_lists(Printer *printer, Value map, const PlanNode *node) {
    set_node(printer, map, "parent", node->parent);
    set_node(printer, map, "next", node->next);
    set_node(printer, map, "body", node->body);
    set_node(printer, map, "errors", node->errors);
    set_node(printer, map, "finally", node->finally);
    set_node(printer, map, "extra", node->extra);
    if (node->case_count > 0) set(printer, map, "cases", cases(printer, node));
    if (node->dep_count == 0) return;
    Value list = value_list(&printer->arena);
    for (uint32_t i = 0; i < node->dep_count; i++) {
        uint32_t other = printer->plan->deps[node->deps - 1 + i].node;
        value_list_add(&printer->arena, list,
                       value_text(plan_text(printer->plan, printer->plan->nodes[other].id)));
    }
    set(printer, map, "dependsOn", list);
}

static Value node_value(Printer *printer, uint32_t index) {
    static const char *const lists[] = {"body", "errors", "finally", "extra", "case"};
    static const char *const updates[] = {"", "labels", "setVariables", "unsetVariables", "exit"};
    const PlanNode *node = &printer->plan->nodes[index];
    Value map = value_map(&printer->arena);
    set(printer, map, "node", value_int(index));
    set(printer, map, "kind", value_text(str_from(plan_kind_name((NodeKind)node->kind))));
    set_text(printer, map, "id", node->id);
    set_text(printer, map, "type", node->type);
    if (index > 0 && node->list < COUNT(lists)) {
        set(printer, map, "list", value_text(str_from(lists[node->list])));
    }
    if (node->list == LIST_CASE) set(printer, map, "case", value_int(node->list_case));
    if (node->update != 0 && node->update < COUNT(updates)) {
        set(printer, map, "update", value_text(str_from(updates[node->update])));
    }
    if (node->flags != 0) set(printer, map, "flags", flags(printer, node->flags));
    set_lists(printer, map, node);
    if (node->module != PLAN_NONE) {
        set_text(printer, map, "module", printer->plan->modules[node->module - 1].type);
    }
    set_leaf(printer, map, "properties", node->leaf_props);
    set_leaf(printer, map, "runIf", node->leaf_run_if);
    set_leaf(printer, map, "timeout", node->leaf_timeout);
    set_leaf(printer, map, "a", node->leaf_a);
    set_leaf(printer, map, "b", node->leaf_b);
    set_leaf(printer, map, "c", node->leaf_c);
    if (node->retry != PLAN_NONE) set(printer, map, "retry", retry(printer, node->retry));
    if (node->limit > 0) set(printer, map, "limit", value_int(node->limit));
    set_int(printer, map, "cacheTtlMs", node->cache_ttl);
    return map;
}

static Value input_value(Printer *printer, const PlanInput *input) {
    Value map = value_map(&printer->arena);
    set_text(printer, map, "id", input->id);
    set(printer, map, "type", value_text(str_from(input_type_name((InputType)input->type))));
    set(printer, map, "required", value_bool((input->flags & INPUT_REQUIRED) != 0));
    set_leaf(printer, map, "defaults", input->defaults);
    set_leaf(printer, map, "condition", input->condition);
    set_leaf(printer, map, "expression", input->expression);
    set_text(printer, map, "validator", input->validator);
    if ((input->flags & INPUT_HAS_MIN) != 0) set_text(printer, map, "min", input->min);
    if ((input->flags & INPUT_HAS_MAX) != 0) set_text(printer, map, "max", input->max);
    if (input->value_count > 0) {
        set(printer, map, "values", texts(printer, input->values, input->value_count));
    }
    if (input->depend_count > 0) {
        set(printer, map, "dependsOn", texts(printer, input->depends, input->depend_count));
    }
    return map;
}

static void set_triggers(Printer *printer, Value root) {
    Value list = value_list(&printer->arena);
    for (uint32_t i = 0; i < printer->plan->trigger_count; i++) {
        const PlanTrigger *trigger = &printer->plan->triggers[i];
        Value map = value_map(&printer->arena), config;
        set_text(printer, map, "id", trigger->id);
        set_text(printer, map, "type", trigger->type);
        Str json = plan_text(printer->plan, trigger->config);
        if (json.len > 0 &&
            json_parse(json, (JsonLimits){0}, &printer->arena, &config).code == ERR_NONE) {
            set(printer, map, "config", config);
        }
        set_leaf(printer, map, "properties", trigger->props);
        set_leaf(printer, map, "condition", trigger->condition);
        if ((trigger->flags & 1) != 0) set(printer, map, "disabled", value_bool(true));
        value_list_add(&printer->arena, list, map);
    }
    set(printer, root, "triggers", list);
}

static void set_rest(Printer *printer, Value root) {
    const Plan *plan = printer->plan;
    Value inputs = value_list(&printer->arena), outputs = value_list(&printer->arena);
    Value labels = value_map(&printer->arena), modules = value_list(&printer->arena);
    for (uint32_t i = 0; i < plan->flow_input_count; i++) {
        value_list_add(&printer->arena, inputs, input_value(printer, &plan->inputs[i]));
    }
    for (uint32_t i = 0; i < plan->output_count; i++) {
        const PlanOutput *output = &plan->outputs[i];
        Value map = value_map(&printer->arena);
        set_text(printer, map, "id", output->id);
        set(printer, map, "type", value_text(str_from(input_type_name((InputType)output->type))));
        set_leaf(printer, map, "value", output->value);
        value_list_add(&printer->arena, outputs, map);
    }
    for (uint32_t i = 0; i < plan->flow_label_count; i++) {
        value_map_set(&printer->arena, labels, plan_text(plan, plan->labels[i].key),
                      value_text(plan_text(plan, plan->labels[i].value)));
    }
    for (uint32_t i = 0; i < plan->module_count; i++) {
        value_list_add(&printer->arena, modules,
                       value_text(plan_text(plan, plan->modules[i].type)));
    }
    set(printer, root, "inputs", inputs);
    set(printer, root, "outputs", outputs);
    set(printer, root, "labels", labels);
    set(printer, root, "modules", modules);
}

void emit_plan_json(const Plan *plan, Buffer *out) {
    Printer printer = {.plan = plan};
    Value root = value_map(&printer.arena), flow = value_map(&printer.arena), variables;
    Value nodes = value_list(&printer.arena);
    set(&printer, root, "version", value_int(PLAN_VERSION));
    set_text(&printer, flow, "id", plan->flow.id);
    set_text(&printer, flow, "namespace", plan->flow.flow_namespace);
    set_text(&printer, flow, "description", plan->flow.description);
    set_int(&printer, flow, "concurrencyLimit", plan->flow.concurrency_limit);
    Str json = plan_text(plan, plan->flow.variables);
    if (json.len > 0 &&
        json_parse(json, (JsonLimits){0}, &printer.arena, &variables).code == ERR_NONE) {
        set(&printer, flow, "variables", variables);
    }
    set(&printer, root, "flow", flow);
    for (uint32_t i = 0; i < plan->node_count; i++) {
        value_list_add(&printer.arena, nodes, node_value(&printer, i));
    }
    set(&printer, root, "nodes", nodes);
    set_rest(&printer, root);
    set_triggers(&printer, root);
    json_write(out, root, JSON_PRETTY, 0);
    buffer_add_char(out, '\n');
    arena_release(&printer.arena);
}
