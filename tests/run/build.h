// build.h - artifacts for the tests of the driver: nodes, leaves and modules written by hand,
// sealed and read back like any other.
#ifndef FLOW_TESTS_RUN_BUILD_H
#define FLOW_TESTS_RUN_BUILD_H

#include <stdlib.h>
#include <string.h>

#include "artifact/artifact.h"
#include "base/file.h"
#include "leaf/leaf.h"
#include "run/run.h"
#include "support/test.h"
#include "value/convert.h"

enum { BUILD_LISTS = LIST_COUNT };

typedef struct BuildNode {
    PlanNode node;
    uint32_t last[BUILD_LISTS];  // last child of each list + 1
} BuildNode;

typedef struct Build {
    Arena arena;
    Buffer strings;
    LIST_OF(BuildNode) nodes;
    LIST_OF(PlanRetry) retries;
    LIST_OF(PlanInput) inputs;
    LIST_OF(PlanOutput) outputs;
    LIST_OF(PlanModule) modules;
    LIST_OF(PlanText) texts;
    LIST_OF(Str) leaves;
    LIST_OF(Str) module_code;
    PlanFlow flow;
} Build;

static inline PlanText build_text(Build *build, const char *text) {
    if (build->strings.len == 0) buffer_add_u32(&build->strings, 0);
    if (text == NULL || text[0] == '\0') return 0;
    PlanText at = (PlanText)build->strings.len;
    buffer_add_u32(&build->strings, (uint32_t)strlen(text));
    buffer_add(&build->strings, str_from(text));
    return at;
}

static inline Str build_code(Build *build, const char *lua, const char *name) {
    Buffer code = {0};
    assert_ok(leaf_compile_lua(str_from(lua), str_from(name), &code));
    Str str = buffer_to_str(&code, &build->arena);
    buffer_release(&code);
    return str;
}

// `expression` is Lua over `rt`; the leaf returns it.
static inline PlanLeaf build_leaf(Build *build, const char *expression) {
    Str lua =
        str_printf(&build->arena, "local rt = ... return function() return %s end", expression);
    *LIST_ADD(&build->arena, &build->leaves, Str) = build_code(build, lua.ptr, "leaf");
    return build->leaves.count;
}

static inline PlanLeaf build_constant(Build *build, const char *json) {
    return build_text(build, json) | PLAN_CONSTANT;
}

static inline PlanRef build_module(Build *build, const char *lua, uint32_t effects) {
    *LIST_ADD(&build->arena, &build->module_code, Str) = build_code(build, lua, "module");
    *LIST_ADD(&build->arena, &build->modules, PlanModule) =
        (PlanModule){.type = build_text(build, "test.Task"),
                     .code = build->module_code.count,
                     .effects = effects};
    return build->modules.count;
}

// A node behind the others; parents come before their children, a subtree is not left and entered
// again. Gives its number; `parent` of the root is ignored.
static inline uint32_t build_node(Build *build, uint32_t parent, NodeList list, NodeKind kind,
                                  const char *id) {
    uint32_t number = build->nodes.count;
    PlanText text = build_text(build, id);
    BuildNode *added = LIST_ADD(&build->arena, &build->nodes, BuildNode);
    added->node = (PlanNode){.kind = (uint8_t)kind, .list = (uint8_t)list, .id = text, .limit = -1};
    if (number == 0) return number;
    BuildNode *above = &build->nodes.items[parent];
    added->node.parent = parent + 1;
    PlanRef *heads[BUILD_LISTS] = {&above->node.body, &above->node.errors, &above->node.finally,
                                   &above->node.extra, NULL};
    if (above->last[list] != 0) {
        build->nodes.items[above->last[list] - 1].node.next = number + 1;
    } else if (heads[list] != NULL) {
        *heads[list] = number + 1;
    }
    above->last[list] = number + 1;
    return number;
}

static inline PlanNode *build_at(Build *build, uint32_t number) {
    return &build->nodes.items[number].node;
}

static inline uint32_t build_task(Build *build, uint32_t parent, const char *id, PlanRef module,
                                  PlanLeaf props, uint32_t flags) {
    uint32_t number = build_node(build, parent, LIST_BODY, NODE_TASK, id);
    PlanNode *node = build_at(build, number);
    node->module = module;
    node->leaf_props = props;
    node->flags = flags;
    return number;
}

static inline PlanInput *build_input(Build *build, const char *id, InputType type, uint16_t flags) {
    PlanText text = build_text(build, id);
    PlanInput *input = LIST_ADD(&build->arena, &build->inputs, PlanInput);
    *input = (PlanInput){.id = text, .type = (uint8_t)type, .flags = flags};
    return input;
}

static inline void build_output(Build *build, const char *id, InputType type, PlanLeaf value) {
    PlanText text = build_text(build, id);
    *LIST_ADD(&build->arena, &build->outputs, PlanOutput) =
        (PlanOutput){.id = text, .type = (uint8_t)type, .value = value};
}

static inline void build_init(Build *build) {
    *build = (Build){0};
    build->flow.id = build_text(build, "flow");
    build->flow.flow_namespace = build_text(build, "test.run");
    build_node(build, 0, LIST_BODY, NODE_SEQUENCE, "");
}

static inline void build_release(Build *build) {
    buffer_release(&build->strings);
    arena_release(&build->arena);
}

static inline void build_ends(Build *build) {
    uint32_t count = build->nodes.count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t end = i + 1;
        // Children have a parent of at least i.
        while (end < count && build->nodes.items[end].node.parent > i) end++;
        build->nodes.items[i].node.end = end;
    }
}

// Writes the artifact to `path` with mode 0600.
static inline void build_write(Build *build, const char *path) {
    build_ends(build);
    PlanNode *nodes = arena_array(&build->arena, PlanNode, build->nodes.count);
    for (uint32_t i = 0; i < build->nodes.count; i++) nodes[i] = build->nodes.items[i].node;
    Plan plan = {.flow = build->flow,
                 .nodes = nodes,
                 .node_count = build->nodes.count,
                 .retries = build->retries.items,
                 .retry_count = build->retries.count,
                 .inputs = build->inputs.items,
                 .input_count = build->inputs.count,
                 .flow_input_count = build->inputs.count,
                 .outputs = build->outputs.items,
                 .output_count = build->outputs.count,
                 .modules = build->modules.items,
                 .module_count = build->modules.count,
                 .texts = build->texts.items,
                 .text_count = build->texts.count,
                 .leaf_count = build->leaves.count};
    Buffer parts[6] = {{0}};
    Str version = leaf_bytecode_version();
    plan_encode(&plan, &parts[0]);
    chunks_encode(build->leaves.items, build->leaves.count, &parts[1]);
    chunks_encode(build->module_code.items, build->module_code.count, &parts[2]);
    source_map_encode(&(SourceMap){.file = STR("flow.yaml")}, &parts[3]);
    files_encode(NULL, 0, &parts[4]);
    buffer_printf(&parts[5], "{\"host_api\":%d,\"leaf_abi\":%d,\"bytecode\":", HOST_API, LEAF_ABI);
    buffer_add_json(&parts[5], version);
    buffer_add_char(&parts[5], '}');
    static const char *const tags[] = {"PLAN", "LEAF", "MODS", "SMAP", "FILE", "MANI"};
    ArtifactWriter *writer = artifact_writer_new();
    for (size_t i = 0; i < COUNT(tags); i++) {
        artifact_add(writer, tags[i], buffer_str(&parts[i]), true);
        buffer_release(&parts[i]);
    }
    artifact_add(writer, "STRS", buffer_str(&build->strings), true);
    Buffer sealed = {0};
    artifact_seal(writer, NULL, 0, &sealed);
    artifact_writer_free(writer);
    assert_ok(file_write(path, buffer_str(&sealed), 0600));
    buffer_release(&sealed);
}

// --- modules ------------------------------------------------------------------------------------

// Gives its properties back.
#define MODULE_RETURN                                                                              \
    "return task { implements = 'test.Return', effects = {},"                                      \
    " idempotent = function() return 'yes' end,"                                                   \
    " run = function(props, host) return { value = props.value } end }"

// Says its message.
#define MODULE_LOG                                                                                 \
    "return task { implements = 'test.Log', effects = {},"                                         \
    " idempotent = function() return 'yes' end,"                                                   \
    " run = function(props, host) host.log(props.level or 'INFO', props.message)"                  \
    " return {} end }"

// Runs a shell command; fails with its code; nobody may run it twice unasked.
#define MODULE_SHELL                                                                               \
    "return task { implements = 'test.Shell', effects = { 'exec' },"                               \
    " idempotent = function() return 'no' end,"                                                    \
    " run = function(props, host)"                                                                 \
    "  local done, message, class = host.exec{ script = props.command }"                           \
    "  if not done then return nil, message, class end"                                            \
    "  if done.code ~= 0 then host.fail('exit code ' .. done.code) end"                            \
    "  return { code = done.code, vars = done.vars } end }"

// The same, failing at its first attempt.
#define MODULE_FLAKY                                                                               \
    "return task { implements = 'test.Flaky', effects = { 'exec' },"                               \
    " idempotent = function() return 'no' end,"                                                    \
    " run = function(props, host)"                                                                 \
    "  local done, message, class = host.exec{ script = props.command }"                           \
    "  if not done then return nil, message, class end"                                            \
    "  if host.context.attempt == 1 then host.fail('the first time', { class = 'transient' }) end" \
    "  return { finished = true } end }"

#endif
