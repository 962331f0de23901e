// migrate.c - properties of 1.x that 2.0 says otherwise than by another name: the rewriting of
// those that say exactly the same.
#include "flow/internal.h"

// A whole entry: from its key to the end of its value.
static Span whole(const NodeEntry *entry) {
    return span_to(entry->key->span, entry->value->span);
}

// The blanks in front of a key, with the dash of its item; false where the layout is another.
static bool indent_of(const Builder *builder, Span key, Str *out) {
    const Str bytes = builder->flow->tree->bytes;
    size_t start = key.start;
    while (start > 0 && bytes.ptr[start - 1] != '\n') start--;
    for (size_t i = start; i < key.start; i++) {
        if (bytes.ptr[i] != ' ' && bytes.ptr[i] != '-') return false;
    }
    *out = str_printf(builder->arena, "%*s", (int)(key.start - start), "");
    return true;
}

// `runner: DOCKER` -> a task runner.
static void migrate_runner(const Builder *builder, const NodeEntry *entry, Diag *diag) {
    const Str runner = node_text(entry->value);
    const bool is_docker = str_eq(runner, STR("DOCKER"));
    if (!is_docker && !str_eq(runner, STR("PROCESS"))) return;
    Str indent = {0};
    if (!indent_of(builder, entry->key->span, &indent)) return;
    DiagSuggestion *fix = diag_suggestion(diag, true, "write a 'taskRunner'");
    diag_edit(diag, fix, whole(entry),
              str_printf(builder->arena, "taskRunner:\n" STR_FMT "  type: %s", STR_ARG(indent),
                         is_docker ? "io.kestra.plugin.scripts.runner.docker.Docker"
                                   : "io.kestra.plugin.core.runner.Process"));
}

// `docker: {image: x}` -> `containerImage: x`. What else it holds belongs to the runner.
static void migrate_docker(const Builder *builder, const NodeEntry *entry, Diag *diag) {
    const Node *docker = entry->value;
    const Node *image = node_get(docker, STR("image"));
    if (image == NULL || image->type != YAML_SCALAR || docker->entries.count != 1) return;
    const Str bytes = builder->flow->tree->bytes;
    const Str text = str_slice(bytes, image->span.start, image->span.start + image->span.len);
    if (str_find_char(text, '\n', 0) != STR_NOT_FOUND) return;
    DiagSuggestion *fix = diag_suggestion(diag, true, "write 'containerImage'");
    diag_edit(diag, fix, whole(entry),
              str_printf(builder->arena, "containerImage: " STR_FMT, STR_ARG(text)));
}

// `allowFailed: true` -> the same one level down, where there are no other options yet.
static void migrate_option(const Builder *builder, const NodeEntry *entry, const Node *task,
                           const char *name, Diag *diag) {
    Str indent = {0};
    if (node_entry(task, STR("options")) != NULL || entry->value->type != YAML_SCALAR ||
        !indent_of(builder, entry->key->span, &indent)) {
        return;
    }
    DiagSuggestion *fix = diag_suggestion(diag, true, "write 'options.%s'", name);
    diag_edit(diag, fix, entry->key->span,
              str_printf(builder->arena, "options:\n" STR_FMT "  %s", STR_ARG(indent), name));
}

static bool is_condition(const Node *item, const char *name) {
    const Node *type = node_get(item, STR("type"));
    return type != NULL && type->type == YAML_SCALAR && str_ends_with(type->text, str_from(name));
}

// One condition that is an expression -> `when`. 1.x takes `0` for true there, 2.0 does not.
static void migrate_conditions(const NodeEntry *entry, const Builder *builder, Diag *diag) {
    const Node *list = entry->value;
    if (list->type != YAML_LIST || list->items.count != 1) return;
    const Node *item = list->items.items[0];
    const Node *expression = node_get(item, STR("expression"));
    const bool is_expression = is_condition(item, ".condition.Expression") ||
                               is_condition(item, ".condition.ExpressionCondition") ||
                               is_condition(item, ".conditions.types.VariableCondition");
    if (!is_expression || expression == NULL || expression->type != YAML_SCALAR ||
        item->entries.count != 2) {
        return;
    }
    const Str bytes = builder->flow->tree->bytes;
    const Span at = expression->span;
    const Str text = str_slice(bytes, at.start, at.start + at.len);
    if (str_find_char(text, '\n', 0) != STR_NOT_FOUND) return;
    DiagSuggestion *fix = diag_suggestion(diag, false, "write 'when'");
    diag_edit(diag, fix, whole(entry), str_printf(builder->arena, "when: " STR_FMT, STR_ARG(text)));
}

void migrate_property(Builder *builder, const NodeEntry *entry, const Prop *prop,
                      const Level *level, Diag *diag) {
    const Node *task = entry->key->parent;
    if (task == NULL || task->is_flow || (diag->targets & TARGET_2_0) == 0) return;
    if (str_starts_with(level->name, STR("io.kestra.plugin.scripts."))) {
        if (str_eq(prop->name, STR("runner"))) migrate_runner(builder, entry, diag);
        if (str_eq(prop->name, STR("docker"))) migrate_docker(builder, entry, diag);
    }
    if (str_starts_with(level->name, STR("io.kestra.plugin.core.http."))) {
        if (str_eq(prop->name, STR("allowFailed"))) {
            migrate_option(builder, entry, task, "allowFailed", diag);
        }
    }
    const bool is_for_new = builder->options->targets == TARGET_2_0;
    if (is_for_new && str_eq(prop->name, STR("conditions"))) {
        migrate_conditions(entry, builder, diag);
    }
}
