// schema_value.c - one value against its type: shapes, plugins inside of properties, objects,
// lists.
#include "flow/internal.h"

static TypeKind kind_of(ValueType type) {
    if (type == T_TASK) return KIND_TASK;
    if (type == T_TRIGGER) return KIND_TRIGGER;
    if (type == T_CONDITION) return KIND_CONDITION;
    if (type == T_RUNNER) return KIND_RUNNER;
    if (type == T_LOG_EXPORTER) return KIND_LOG_EXPORTER;
    if (type == T_ASSET) return KIND_ASSET;
    if (type == T_ASSET_EXPORTER) return KIND_ASSET_EXPORTER;
    return KIND_COUNT;
}

static bool def_lists(const Def *def, const TaskType *type) {
    if (def == NULL || def->plugin_count == 0) return true;
    for (uint32_t i = 0; i < def->plugin_count; i++) {
        if (str_eq(def->plugins[i], type->name)) return true;
    }
    return false;
}

// A map whose `type` names a type of the catalog: a condition, a runner, a model provider.
static void check_typed(Builder *builder, const Node *node, TypeKind kind, const Def *def,
                        const Prop *prop, const Level *level) {
    if (node->type != YAML_MAP) {
        if (node->type == YAML_SCALAR && template_has_code(node->text) && prop->mode == MODE_FULL) {
            return;
        }
        diag_add(builder->diags, "E0104", level_weight(level), node->span,
                 "'" STR_FMT "' must be a map with a 'type', not a %s", STR_ARG(prop->name),
                 node_kind_name(node));
        return;
    }
    schema_mend_word(builder, node, prop->name, STR("type"));
    const Node *type_node = node_get(node, STR("type"));
    if (node_is_absent(type_node)) {
        if (builder->flow->has_holes) return;
        diag_add(builder->diags, "E0102", level_weight(level), node->span,
                 "property 'type' of '" STR_FMT "' is missing", STR_ARG(prop->name));
        return;
    }
    if (kind == KIND_ASSET) {
        const TaskType *found = catalog_find(builder->catalog, type_node->text, &(bool){false});
        if (found == NULL) return;  // what is not registered is a custom asset
    }
    const TaskType *type = schema_type(builder, type_node, kind);
    if (type == NULL) return;
    if (!def_lists(def, type)) {
        Diag *diag = diag_add(builder->diags, "E0112", level_weight(level), type_node->span,
                              "'" STR_FMT "' cannot stand in '" STR_FMT "'",
                              STR_ARG(type_node->text), STR_ARG(prop->name));
        Nearest nearest = nearest_to(type_node->text);
        for (uint32_t i = 0; i < def->plugin_count; i++) nearest_offer(&nearest, def->plugins[i]);
        diag_suggest(diag, nearest.name);
        return;
    }
    Level inner = level_of_type(type, !node_is_absent(node_get(node, STR("version"))), level);
    inner.is_enforced = level->is_enforced && (prop->flags & PROP_CASCADE) != 0;
    schema_members(builder, node, &inner, NULL, 0);
}

static void wrong_shape(Builder *builder, const Node *node, const Prop *prop, const Level *level,
                        const char *wanted) {
    if (flow_span_is_default(builder->flow, node->span)) return;
    diag_add(builder->diags, "E0104", level_weight(level), node->span,
             "'" STR_FMT "' must be %s, not a %s", STR_ARG(prop->name), wanted,
             node_kind_name(node));
}

void schema_nothing(Builder *builder, const Node *node, Str name, const char *wanted,
                    const char *empty, const Level *level) {
    // Behind a line that could not be read anything may have stood.
    if (builder->flow->has_holes || flow_span_is_default(builder->flow, node->span)) return;
    Diag *diag = diag_add(builder->diags, "E0104", level_weight(level), node->span,
                          "'" STR_FMT "' must be %s: nothing is read as an empty text",
                          STR_ARG(name), wanted);
    if (empty == NULL) {
        diag_note(diag, "leave the key out, or write 'null'");
        return;
    }
    DiagSuggestion *fix = diag_suggestion(diag, true, "write '%s'", empty);
    Str text = str_printf(builder->arena, " %s", empty);
    diag_edit(diag, fix, (Span){node->span.file, node->span.start, 0}, text);
}

// A key with nothing behind it, where a text is no value. What is missing is said elsewhere.
static void check_nothing(Builder *builder, const Node *node, const Prop *prop,
                          const PropType *type, const Level *level) {
    if (prop->mode == MODE_FULL || type != &prop->type) return;
    if ((prop->flags & (PROP_REQUIRED | PROP_CUSTOM_PARSER | PROP_SETTER_ONLY)) != 0) return;
    const bool may_be_empty = (prop->flags & PROP_NON_EMPTY) == 0;
    if (type->kind == T_LIST) {
        schema_nothing(builder, node, prop->name, "a list", may_be_empty ? "[]" : NULL, level);
    } else if (type->kind == T_MAP || type->kind == T_LABELS) {
        schema_nothing(builder, node, prop->name, "a map", may_be_empty ? "{}" : NULL, level);
    } else if (type->kind == T_OBJECT && (type->def->flags & DEF_FROM_STRING) == 0) {
        schema_nothing(builder, node, prop->name, "a map", NULL, level);
    } else if (type->kind == T_ENUM && (type->def->flags & (DEF_LOOSE | DEF_FROM_SDK)) == 0) {
        schema_nothing(builder, node, prop->name, "one of its words", NULL, level);
    } else if (type->kind == T_RUNNER) {
        schema_nothing(builder, node, prop->name, "a map with a 'type'", NULL, level);
    } else if (str_eq(prop->check, STR("Regex"))) {
        schema_nothing(builder, node, prop->name, "a regular expression", NULL, level);
    } else if (type->kind == T_TIMEZONE || str_eq(prop->check, STR("TimezoneId"))) {
        schema_nothing(builder, node, prop->name, "a time zone", NULL, level);
    } else if ((prop->flags & PROP_NON_BLANK) != 0 && level->is_enforced) {
        schema_nothing(builder, node, prop->name, "a value", NULL, level);
    }
}

static void check_object(Builder *builder, const Node *node, const Prop *prop, const PropType *type,
                         const Level *level) {
    const Def *def = type->def;
    if (def == NULL) return;
    if (node->type == YAML_SCALAR) {
        if ((def->flags & DEF_FROM_STRING) == 0) wrong_shape(builder, node, prop, level, "a map");
        return;
    }
    if (node->type != YAML_MAP) {
        wrong_shape(builder, node, prop, level, "a map");
        return;
    }
    Level inner = {
        .up = level,
        .props = def->props,
        .prop_count = def->prop_count,
        .name = prop->name,
        .def = def->name,
        .is_certain = level->is_certain && (def->flags & (DEF_LOOSE | DEF_FROM_SDK)) == 0 &&
                      prop->mode != MODE_FULL,
        .is_enforced = level->is_enforced && (prop->flags & PROP_CASCADE) != 0,
        .is_open = def->prop_count == 0 && def->variant_count == 0,
    };
    if (def->variant_count > 0) {
        schema_mend_word(builder, node, prop->name, def->discriminator);
        const Node *key = node_get(node, def->discriminator);
        const Def *variant = NULL;
        for (uint32_t i = 0; i < def->variant_count && key != NULL; i++) {
            if (str_eq(def->variants[i].key, node_text(key))) variant = def->variants[i].def;
        }
        if (node_is_absent(key)) {
            if (builder->flow->has_holes) return;
            diag_add(builder->diags, "E0102", level_weight(&inner),
                     node->entries.count > 0 ? node->entries.items[0].key->span : node->span,
                     "property '" STR_FMT "' of '" STR_FMT "' is missing",
                     STR_ARG(def->discriminator), STR_ARG(prop->name));
            return;
        }
        if (variant == NULL) {
            Diag *diag =
                diag_add(builder->diags, "E0105", inner.is_certain ? DIAG_ERROR : DIAG_WARNING,
                         key->span, "'" STR_FMT "' is no '" STR_FMT "' of '" STR_FMT "'",
                         STR_ARG(node_text(key)), STR_ARG(def->discriminator), STR_ARG(prop->name));
            Nearest nearest = nearest_to(node_text(key));
            for (uint32_t i = 0; i < def->variant_count; i++) {
                nearest_offer(&nearest, def->variants[i].key);
            }
            diag_suggest(diag, nearest.name);
            return;
        }
        inner.props = variant->props;
        inner.prop_count = variant->prop_count;
        inner.is_open = variant->prop_count == 0;
    }
    schema_members(builder, node, &inner, NULL, 0);
}

static void check_items(Builder *builder, const Node *node, const Prop *prop, const PropType *type,
                        const Level *level) {
    moved_out_of_free(builder, node, level);
    if (type->item == NULL) return;
    for (uint32_t i = 0; i < node->items.count; i++) {
        const Node *item = node->items.items[i];
        schema_value(builder, item, prop, type->item, level);
        if (!node_is_null(item) || type->item->kind != T_CONDITION) continue;
        if ((prop->flags & PROP_CASCADE) == 0 || !level->is_enforced) continue;
        diag_add(builder->diags, "E0104", level_weight(level), item->span,
                 "an item of '" STR_FMT "' must be a map, not a null", STR_ARG(prop->name));
    }
    for (uint32_t i = 0; i < node->entries.count; i++) {
        schema_value(builder, node->entries.items[i].value, prop, type->item, level);
    }
}

// One item of a list whose dash is missing: a map of lines where a list of objects has to stand.
static bool is_lost_item(const Node *node, const PropType *type) {
    if (node->type != YAML_MAP || node->is_flow || node->entries.count == 0) return false;
    const PropType *item = type->item;
    if (item == NULL) return false;
    if (item->kind == T_OBJECT) {
        return item->def != NULL && def_prop(item->def, node->entries.items[0].key->text) != NULL;
    }
    bool is_typed = item->kind == T_PLUGIN || kind_of(item->kind) != KIND_COUNT;
    return is_typed && node_get(node, STR("type")) != NULL;
}

static void report_lost_dash(Builder *builder, const Node *node, const Prop *prop,
                             const Level *level) {
    if (flow_span_is_default(builder->flow, node->span)) return;
    Diag *diag =
        diag_add(builder->diags, "E0020", level_weight(level), node->entries.items[0].key->span,
                 "'" STR_FMT "' is a list: the '-' of its item is missing", STR_ARG(prop->name));
    diag_note(diag, "put '- ' before the first key and indent the others by two blanks");
}

// Lists and maps; a scalar may hold one as JSON text where the whole value is rendered.
static void check_collection(Builder *builder, const Node *node, const Prop *prop,
                             const PropType *type, const Level *level) {
    bool is_list = type->kind == T_LIST;
    if (node->type == (is_list ? YAML_LIST : YAML_MAP)) {
        const uint32_t count = is_list ? node->items.count : node->entries.count;
        if (count == 0 && (prop->flags & PROP_NON_EMPTY) != 0 && level->is_enforced &&
            type == &prop->type) {
            diag_add(builder->diags, "E0102", level_weight(level), node->span,
                     "'" STR_FMT "' must not be empty", STR_ARG(prop->name));
        }
        check_items(builder, node, prop, type, level);
        return;
    }
    if (node->type == YAML_SCALAR && prop->mode == MODE_FULL && node->text.len > 0 &&
        (node->text.ptr[0] == '[' || node->text.ptr[0] == '{')) {
        return;
    }
    if (is_list && is_lost_item(node, type)) {
        report_lost_dash(builder, node, prop, level);
        schema_value(builder, node, prop, type->item, level);
        return;
    }
    wrong_shape(builder, node, prop, level, is_list ? "a list" : "a map");
}

static void check_labels(Builder *builder, const Node *node, const Prop *prop, const Level *level) {
    if (node->type == YAML_MAP) {
        for (uint32_t i = 0; i < node->entries.count; i++) {
            const NodeEntry *entry = &node->entries.items[i];
            if (entry->value->type == YAML_HOLE) continue;
            if (entry->value->type != YAML_SCALAR || node_is_null(entry->value)) {
                diag_add(builder->diags, "E0104", level_weight(level), entry->key->span,
                         "label '" STR_FMT "' must have a text, number or boolean as its value",
                         STR_ARG(entry->key->text));
            }
        }
        return;
    }
    if (node->type != YAML_LIST) {
        if (prop->mode != MODE_FULL) wrong_shape(builder, node, prop, level, "a map or a list");
        return;
    }
    for (uint32_t i = 0; i < node->items.count; i++) {
        const Node *item = node->items.items[i];
        if (item->type == YAML_HOLE) continue;
        if (item->type != YAML_MAP || node_is_absent(node_get(item, STR("key")))) {
            diag_add(builder->diags, "E0104", level_weight(level), item->span,
                     "a label in a list is a map with 'key' and 'value'");
        }
    }
}

// `any` with documented alternatives: a list where none of them is one, or a map.
static void check_any(Builder *builder, const Node *node, const Prop *prop, const Level *level) {
    if (node->type != YAML_LIST && node->type != YAML_MAP) return;
    // Files are given by name; the catalog does not say so everywhere.
    bool is_files = str_eq(prop->name, STR("inputFiles")) && node->type == YAML_LIST;
    bool fits = prop->any_of_count == 0 && !is_files;
    for (uint32_t i = 0; i < prop->any_of_count && !fits; i++) {
        ValueType kind = prop->any_of[i].kind;
        bool is_scalar = kind == T_STRING || kind == T_INT || kind == T_NUMBER || kind == T_BOOL ||
                         kind == T_DURATION || kind == T_DATETIME || kind == T_URI;
        fits = !is_scalar && kind != (node->type == YAML_LIST ? T_MAP : T_LIST);
    }
    if (!fits) {
        wrong_shape(builder, node, prop, level,
                    node->type == YAML_LIST ? "a map or a text" : "a list or a text");
    }
}

// `inputs.x` as a whole value where templates are rendered: braces are missing, and a rule says so.
static bool is_bare_reference(const Builder *builder, const Node *node, const Prop *prop) {
    if (node->type != YAML_SCALAR || prop->mode == MODE_STATIC) return false;
    Str text = node->text;
    Str root = {0}, member = {0};
    // `inputs.x }}`: the braces at the start alone are missing.
    if (str_find(text, STR("}}"), 0) != STR_NOT_FOUND) return true;
    if (str_find_char(text, ' ', 0) != STR_NOT_FOUND) return false;
    if (!str_split(&text, '.', &root) || !str_split(&text, '.', &member)) return false;
    const Node *flow = builder->flow->node;
    if (str_eq(root, STR("vars"))) {
        return node_get(node_get(flow, STR("variables")), member) != NULL;
    }
    if (str_eq(root, STR("outputs"))) return text.len > 0;  // no file has two dots in its name
    if (!str_eq(root, STR("inputs"))) return false;
    const Node *inputs = node_get(flow, STR("inputs"));
    for (uint32_t i = 0; inputs != NULL && i < inputs->items.count; i++) {
        if (str_eq(node_text(node_get(inputs->items.items[i], STR("id"))), member)) return true;
    }
    return false;
}

// A template where the value is read when the flow is saved: a text like any other.
static void check_template(Builder *builder, const Node *node, const Prop *prop,
                           const PropType *type, const Level *level) {
    if (flow_span_is_default(builder->flow, node->span)) return;
    const uint32_t lenient = DEF_LOOSE | DEF_FROM_SDK | DEF_FROM_STRING;
    if (type->def != NULL && (type->def->flags & lenient) != 0) return;
    const char *wanted = NULL;
    switch (type->kind) {
    case T_INT:
    case T_NUMBER:
    case T_BOOL:
    case T_DURATION:
    case T_DATETIME:
    case T_DATE:
    case T_TIME:
    case T_TIMEZONE:
    case T_ENUM:
        if (prop->mode != MODE_STATIC) return;
        break;
    case T_LIST:
        wanted = "a list";
        break;
    case T_MAP:
    case T_LABELS:
    case T_OBJECT:
    case T_RUNNER:
        wanted = "a map";
        break;
    case T_ANY:
    case T_STRING:
    case T_URI:
    case T_DATA:
    case T_EXTERNAL:
    case T_ENCRYPTED:
    case T_TASK:
    case T_TRIGGER:
    case T_CONDITION:
    case T_LOG_EXPORTER:
    case T_ASSET:
    case T_ASSET_EXPORTER:
    case T_PLUGIN:
        if (!str_eq(prop->check, STR("TimezoneId")) && !str_eq(prop->check, STR("Regex"))) return;
        break;
    }
    if (prop->mode == MODE_FULL) return;
    Diag *diag = diag_add(builder->diags, "E0104", level_weight(level), node->span,
                          "'" STR_FMT "' is read when the flow is saved: a template is not "
                          "rendered here",
                          STR_ARG(prop->name));
    if (wanted != NULL) diag_note(diag, "%s is needed; templates may stand inside of it", wanted);
}

void schema_value(Builder *builder, const Node *node, const Prop *prop, const PropType *type,
                  const Level *level) {
    if (node_is_nothing(node)) check_nothing(builder, node, prop, type, level);
    if (node_is_absent(node)) return;
    if ((prop->flags & PROP_CUSTOM_PARSER) != 0) return;
    // An old name takes what its setter converts; a word is no number for it either.
    bool is_number = type->kind == T_INT || type->kind == T_NUMBER;
    if ((prop->flags & PROP_SETTER_ONLY) != 0 && !is_number) return;
    if (node->type == YAML_SCALAR && template_has_code(node->text)) {
        check_template(builder, node, prop, type, level);
        return;
    }
    if (is_bare_reference(builder, node, prop)) return;
    switch (type->kind) {
    case T_ANY:
        moved_out_of_free(builder, node, level);
        check_any(builder, node, prop, level);
        return;
    case T_DATA:
    case T_EXTERNAL:
        moved_out_of_free(builder, node, level);
        return;
    case T_LABELS:
        moved_out_of_free(builder, node, level);
        check_labels(builder, node, prop, level);
        return;
    case T_LIST:
    case T_MAP:
        check_collection(builder, node, prop, type, level);
        return;
    case T_TASK:
    case T_TRIGGER:
    case T_CONDITION:
    case T_RUNNER:
    case T_LOG_EXPORTER:
    case T_ASSET:
    case T_ASSET_EXPORTER:
    case T_PLUGIN:
        check_typed(builder, node, kind_of(type->kind), type->kind == T_PLUGIN ? type->def : NULL,
                    prop, level);
        return;
    case T_OBJECT:
        check_object(builder, node, prop, type, level);
        return;
    case T_STRING:
    case T_INT:
    case T_NUMBER:
    case T_BOOL:
    case T_DURATION:
    case T_DATETIME:
    case T_DATE:
    case T_TIME:
    case T_TIMEZONE:
    case T_URI:
    case T_ENCRYPTED:
    case T_ENUM:
        if (node->type == YAML_SCALAR) {
            literal_check(builder, node, prop, type, level);
        } else if (prop->mode != MODE_FULL || (type->kind != T_STRING && type->kind != T_URI)) {
            wrong_shape(builder, node, prop, level, "a single value");
        }
        return;
    }
}
