// plan.c - writing plan tables and opening them: one pass that checks everything, then use in
// place.
//
// Layout of PLAN: u32 version, u32 leaf count, u32 flow inputs, u32 flow labels, PlanFlow (padded
// to 32 bytes), then for each table u32 offset, u32 count; the tables follow, each 8-byte aligned.
// Records are written as they lie in memory: the runtime refuses big-endian hosts, and the layout
// has no holes (asserted below).
#include "artifact/plan.h"

#include <string.h>

#include "base/buffer.h"
#include "value/convert.h"

_Static_assert(sizeof(PlanNode) == 120, "a node has no holes");
_Static_assert(sizeof(PlanRetry) == 40, "a retry has no holes");
_Static_assert(sizeof(PlanInput) == 60, "an input has no holes");
_Static_assert(sizeof(PlanOutput) == 12, "an output has no holes");
_Static_assert(sizeof(PlanSla) == 32, "an SLA has no holes");
_Static_assert(sizeof(PlanCheck) == 12, "a check has no holes");
_Static_assert(sizeof(PlanTrigger) == 24, "a trigger has no holes");
_Static_assert(sizeof(PlanFlow) == 24, "a flow has no holes");

enum { TABLE_COUNT = 12, HEADER_SIZE = 16 + sizeof(PlanFlow) + TABLE_COUNT * 8 };

typedef struct Table {
    const void **records;
    uint32_t *count;
    uint32_t size;
} Table;

// The tables in file order.
static void list_tables(Plan *plan, Table tables[TABLE_COUNT]) {
    Table all[TABLE_COUNT] = {
        {(const void **)&plan->nodes,    &plan->node_count,    sizeof(PlanNode)   },
        {(const void **)&plan->cases,    &plan->case_count,    sizeof(PlanCase)   },
        {(const void **)&plan->deps,     &plan->dep_count,     sizeof(PlanDep)    },
        {(const void **)&plan->retries,  &plan->retry_count,   sizeof(PlanRetry)  },
        {(const void **)&plan->inputs,   &plan->input_count,   sizeof(PlanInput)  },
        {(const void **)&plan->outputs,  &plan->output_count,  sizeof(PlanOutput) },
        {(const void **)&plan->labels,   &plan->label_count,   sizeof(PlanLabel)  },
        {(const void **)&plan->slas,     &plan->sla_count,     sizeof(PlanSla)    },
        {(const void **)&plan->checks,   &plan->check_count,   sizeof(PlanCheck)  },
        {(const void **)&plan->triggers, &plan->trigger_count, sizeof(PlanTrigger)},
        {(const void **)&plan->modules,  &plan->module_count,  sizeof(PlanModule) },
        {(const void **)&plan->texts,    &plan->text_count,    sizeof(PlanText)   },
    };
    memcpy(tables, all, sizeof all);
}

void plan_encode(const Plan *plan, Buffer *out) {
    Plan copy = *plan;
    Table tables[TABLE_COUNT];
    list_tables(&copy, tables);
    buffer_add_u32(out, PLAN_VERSION);
    buffer_add_u32(out, plan->leaf_count);
    buffer_add_u32(out, plan->flow_input_count);
    buffer_add_u32(out, plan->flow_label_count);
    buffer_add_bytes(out, &plan->flow, sizeof plan->flow);
    size_t offset = HEADER_SIZE;
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        buffer_add_u32(out, (uint32_t)offset);
        buffer_add_u32(out, *tables[i].count);
        offset += ((size_t)*tables[i].count * tables[i].size + 7) & ~(size_t)7;
    }
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        size_t size = (size_t)*tables[i].count * tables[i].size;
        buffer_add_bytes(out, *tables[i].records, size);
        buffer_add_repeat(out, '\0', (8 - size % 8) % 8);
    }
}

// --- opening ------------------------------------------------------------------------------------

static bool is_little_endian(void) {
    const uint16_t one = 1;
    uint8_t first = 0;
    memcpy(&first, &one, 1);
    return first == 1;
}

static uint32_t read_u32(Str bytes, size_t at) {
    uint32_t value = 0;
    memcpy(&value, bytes.ptr + at, sizeof value);
    return value;
}

static Err broken(const char *what) {
    return err_make(ERR_REFUSED, "the plan is broken: %s", what);
}

static bool text_is_valid(const Plan *plan, PlanText text) {
    if (text == 0) return true;
    if (plan->strings.len < 4 || text > plan->strings.len - 4) return false;
    return read_u32(plan->strings, text) <= plan->strings.len - 4 - text;
}

static bool leaf_is_valid(const Plan *plan, PlanLeaf leaf) {
    if ((leaf & PLAN_CONSTANT) != 0) return text_is_valid(plan, leaf & ~PLAN_CONSTANT);
    return leaf <= plan->leaf_count;
}

// A range of `count` from 1-based `first` inside a table of `size`.
static bool range_is_valid(PlanRef first, uint32_t count, uint32_t size) {
    if (first == 0) return count == 0;
    return first - 1 <= size && count <= size - (first - 1);
}

static bool ref_is_valid(PlanRef ref, uint32_t size) {
    return ref <= size;
}

static Err open_tables(Str bytes, Plan *out) {
    Table tables[TABLE_COUNT];
    list_tables(out, tables);
    size_t expected = HEADER_SIZE;
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        size_t entry = 16 + sizeof(PlanFlow) + i * 8;
        uint32_t offset = read_u32(bytes, entry);
        uint32_t count = read_u32(bytes, entry + 4);
        if (offset != expected) return broken("its tables do not follow each other");
        if (count > (bytes.len - offset) / tables[i].size)
            return broken("a table leaves the section");
        *tables[i].records = bytes.ptr + offset;
        *tables[i].count = count;
        expected = offset + (((size_t)count * tables[i].size + 7) & ~(size_t)7);
        if (expected > bytes.len) return broken("a table leaves the section");
    }
    return expected == bytes.len ? err_none() : broken("bytes stand behind its tables");
}

// Heads and siblings of a list: in range, with the parent and list they should have.
static bool head_is_valid(const Plan *plan, uint32_t node, PlanRef head, NodeList list) {
    if (head == 0) return true;
    if (head > plan->node_count || head - 1 <= node || head - 1 >= plan->nodes[node].end)
        return false;
    const PlanNode *child = &plan->nodes[head - 1];
    return child->parent == node + 1 && child->list == list;
}

static bool next_is_valid(const Plan *plan, uint32_t index) {
    const PlanNode *node = &plan->nodes[index];
    if (node->next == 0) return true;
    if (node->next > plan->node_count || node->next - 1 < node->end) return false;
    const PlanNode *next = &plan->nodes[node->next - 1];
    return next->parent == node->parent && next->list == node->list &&
           next->list_case == node->list_case;
}

static bool node_leaves_are_valid(const Plan *plan, const PlanNode *node) {
    return leaf_is_valid(plan, node->leaf_props) && leaf_is_valid(plan, node->leaf_run_if) &&
           leaf_is_valid(plan, node->leaf_timeout) && leaf_is_valid(plan, node->leaf_a) &&
           leaf_is_valid(plan, node->leaf_b) && leaf_is_valid(plan, node->leaf_c);
}

static bool node_lists_are_valid(const Plan *plan, uint32_t index) {
    const PlanNode *node = &plan->nodes[index];
    if (!head_is_valid(plan, index, node->body, LIST_BODY)) return false;
    if (!head_is_valid(plan, index, node->errors, LIST_ERRORS)) return false;
    if (!head_is_valid(plan, index, node->finally, LIST_FINALLY)) return false;
    if (!head_is_valid(plan, index, node->extra, LIST_EXTRA)) return false;
    if (!range_is_valid(node->cases, node->case_count, plan->case_count)) return false;
    for (uint32_t i = 0; i < node->case_count; i++) {
        const PlanCase *item = &plan->cases[node->cases - 1 + i];
        if (!head_is_valid(plan, index, item->head, LIST_CASE)) return false;
        if (item->head != 0 && plan->nodes[item->head - 1].list_case != i) return false;
    }
    return next_is_valid(plan, index);
}

static bool node_refs_are_valid(const Plan *plan, const PlanNode *node) {
    if (!range_is_valid(node->deps, node->dep_count, plan->dep_count)) return false;
    for (uint32_t i = 0; i < node->dep_count; i++) {
        uint32_t other = plan->deps[node->deps - 1 + i].node;
        if (other >= plan->node_count || plan->nodes[other].parent != node->parent) return false;
    }
    return ref_is_valid(node->module, plan->module_count) &&
           ref_is_valid(node->retry, plan->retry_count) &&
           ref_is_valid(node->own_retry, plan->retry_count) &&
           range_is_valid(node->inputs, node->input_count, plan->input_count) &&
           text_is_valid(plan, node->id) && text_is_valid(plan, node->type);
}

static Err check_nodes(const Plan *plan) {
    if (plan->node_count == 0) return broken("it has no nodes");
    if (plan->node_count > PLAN_NODES_MAX) {
        return err_make(ERR_LIMIT, "the plan has more than %d nodes", PLAN_NODES_MAX);
    }
    if (plan->nodes[0].parent != 0 || plan->nodes[0].end != plan->node_count) {
        return broken("its first node is not its root");
    }
    for (uint32_t i = 0; i < plan->node_count; i++) {
        const PlanNode *node = &plan->nodes[i];
        if (node->kind >= NODE_KIND_COUNT || node->list >= LIST_COUNT)
            return broken("a node's kind");
        if (node->end <= i || node->end > plan->node_count) return broken("a node's range");
        if (i > 0) {
            bool is_inside = node->parent != 0 && node->parent <= i &&
                             node->end <= plan->nodes[node->parent - 1].end;
            if (!is_inside) return broken("a node's parent");
        }
        if (!node_lists_are_valid(plan, i)) return broken("a node's lists");
        if (!node_refs_are_valid(plan, node)) return broken("a node's references");
        if (!node_leaves_are_valid(plan, node)) return broken("a node's leaves");
        if (node->kind == NODE_TASK && node->module == 0) return broken("a task without a module");
    }
    return err_none();
}

static bool texts_are_valid(const Plan *plan, PlanRef first, uint32_t count) {
    return range_is_valid(first, count, plan->text_count);
}

static bool input_is_valid(const Plan *plan, const PlanInput *input) {
    return input->type < INPUT_TYPE_COUNT && input->item_type < INPUT_TYPE_COUNT &&
           text_is_valid(plan, input->id) && leaf_is_valid(plan, input->defaults) &&
           leaf_is_valid(plan, input->condition) && leaf_is_valid(plan, input->expression) &&
           text_is_valid(plan, input->validator) && text_is_valid(plan, input->min) &&
           text_is_valid(plan, input->max) && text_is_valid(plan, input->display) &&
           texts_are_valid(plan, input->values, input->value_count) &&
           texts_are_valid(plan, input->depends, input->depend_count) &&
           texts_are_valid(plan, input->extensions, input->extension_count);
}

static Err check_declarations(const Plan *plan) {
    for (uint32_t i = 0; i < plan->text_count; i++) {
        if (!text_is_valid(plan, plan->texts[i])) return broken("a text");
    }
    for (uint32_t i = 0; i < plan->input_count; i++) {
        if (!input_is_valid(plan, &plan->inputs[i])) return broken("an input");
    }
    for (uint32_t i = 0; i < plan->output_count; i++) {
        const PlanOutput *output = &plan->outputs[i];
        bool is_valid = output->type < INPUT_TYPE_COUNT && output->item_type < INPUT_TYPE_COUNT &&
                        text_is_valid(plan, output->id) && leaf_is_valid(plan, output->value);
        if (!is_valid) return broken("an output");
    }
    for (uint32_t i = 0; i < plan->label_count; i++) {
        if (!text_is_valid(plan, plan->labels[i].key)) return broken("a label");
        if (!text_is_valid(plan, plan->labels[i].value)) return broken("a label");
    }
    for (uint32_t i = 0; i < plan->case_count; i++) {
        if (!text_is_valid(plan, plan->cases[i].key)) return broken("a case");
        if (plan->cases[i].head > plan->node_count) return broken("a case");
    }
    return err_none();
}

static Err check_policies(const Plan *plan) {
    for (uint32_t i = 0; i < plan->retry_count; i++) {
        const PlanRetry *retry = &plan->retries[i];
        bool is_valid = retry->kind <= RETRY_RANDOM && retry->max_attempts >= 0 &&
                        retry->interval >= 0 && retry->max_interval >= 0 &&
                        retry->max_duration >= 0;
        if (!is_valid) return broken("a retry");
    }
    for (uint32_t i = 0; i < plan->sla_count; i++) {
        const PlanSla *sla = &plan->slas[i];
        bool is_valid = sla->kind <= 1 && sla->behavior <= 2 && text_is_valid(plan, sla->id) &&
                        text_is_valid(plan, sla->source) && leaf_is_valid(plan, sla->assertion) &&
                        range_is_valid(sla->labels, sla->label_count, plan->label_count);
        if (!is_valid) return broken("an SLA");
    }
    for (uint32_t i = 0; i < plan->check_count; i++) {
        const PlanCheck *check = &plan->checks[i];
        bool is_valid = check->style <= 3 && check->behavior <= 2 &&
                        leaf_is_valid(plan, check->condition) &&
                        text_is_valid(plan, check->message);
        if (!is_valid) return broken("a check");
    }
    for (uint32_t i = 0; i < plan->trigger_count; i++) {
        const PlanTrigger *trigger = &plan->triggers[i];
        bool is_valid = text_is_valid(plan, trigger->id) && text_is_valid(plan, trigger->type) &&
                        text_is_valid(plan, trigger->config) &&
                        leaf_is_valid(plan, trigger->props) &&
                        leaf_is_valid(plan, trigger->condition);
        if (!is_valid) return broken("a trigger");
    }
    for (uint32_t i = 0; i < plan->module_count; i++) {
        if (!text_is_valid(plan, plan->modules[i].type)) return broken("a module");
    }
    return err_none();
}

Err plan_open(Str bytes, Str strings, Plan *out) {
    *out = (Plan){.strings = strings};
    if (!is_little_endian()) {
        return err_make(ERR_UNSUPPORTED, "this host is big-endian; artifacts are little-endian");
    }
    if ((uintptr_t)bytes.ptr % 8 != 0) return broken("it is not aligned");
    if (bytes.len < HEADER_SIZE) return broken("it is too short");
    uint32_t version = read_u32(bytes, 0);
    if (version != PLAN_VERSION) {
        return err_make(ERR_REFUSED, "the plan has version %u, this runtime reads version %d",
                        version, PLAN_VERSION);
    }
    out->leaf_count = read_u32(bytes, 4);
    out->flow_input_count = read_u32(bytes, 8);
    out->flow_label_count = read_u32(bytes, 12);
    memcpy(&out->flow, bytes.ptr + 16, sizeof out->flow);
    TRY(open_tables(bytes, out));
    bool counts_fit = out->leaf_count < PLAN_CONSTANT &&
                      out->flow_input_count <= out->input_count &&
                      out->flow_label_count <= out->label_count;
    if (!counts_fit) return broken("its counts");
    bool flow_fits =
        text_is_valid(out, out->flow.id) && text_is_valid(out, out->flow.flow_namespace) &&
        text_is_valid(out, out->flow.description) && text_is_valid(out, out->flow.variables);
    if (!flow_fits) return broken("the flow's texts");
    TRY(check_declarations(out));
    TRY(check_policies(out));
    return check_nodes(out);
}

Str plan_text(const Plan *plan, PlanText text) {
    if (text == 0) return (Str){0};
    return (Str){plan->strings.ptr + text + 4, read_u32(plan->strings, text)};
}

const char *plan_kind_name(NodeKind kind) {
    static const char *const names[NODE_KIND_COUNT] = {
        [NODE_SEQUENCE] = "SEQUENCE", [NODE_PARALLEL] = "PARALLEL",
        [NODE_DAG] = "DAG",           [NODE_IF] = "IF",
        [NODE_SWITCH] = "SWITCH",     [NODE_FOREACH] = "FOREACH",
        [NODE_LOOP] = "LOOP",         [NODE_LOOP_UNTIL] = "LOOP_UNTIL",
        [NODE_ITEMS] = "ITEMS",       [NODE_SUBFLOW] = "SUBFLOW",
        [NODE_PAUSE] = "PAUSE",       [NODE_UPDATE] = "UPDATE",
        [NODE_TIMER] = "TIMER",       [NODE_TASK] = "TASK",
    };
    return kind < NODE_KIND_COUNT ? names[kind] : "?";
}
