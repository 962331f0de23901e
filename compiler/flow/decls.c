// decls.c - what a flow declares besides tasks: inputs, outputs, triggers.
#include "flow/internal.h"

typedef LIST_OF(InputDecl *) InputList;

static void read_names(Builder *builder, const Node *list, void *names, void *spans) {
    LIST_OF(Str) *texts = names;
    LIST_OF(Span) *places = spans;
    if (list == NULL || list->type != YAML_LIST) return;
    for (uint32_t i = 0; i < list->items.count; i++) {
        const Node *item = list->items.items[i];
        if (item->type != YAML_SCALAR) continue;
        *LIST_ADD(builder->arena, texts, Str) = item->text;
        *LIST_ADD(builder->arena, places, Span) = item->span;
    }
}

static Node *present(const Node *map, const char *name) {
    Node *node = node_get(map, str_from(name));
    return node_is_absent(node) ? NULL : node;
}

// The type of an input or output; a name nobody knows is reported with the nearest.
static bool read_type(Builder *builder, const Node *node, InputType *out) {
    if (node_is_absent(node)) return false;
    if (node->type != YAML_SCALAR) {
        diag_add(builder->diags, "E0104", DIAG_ERROR, node->span,
                 "a type must be a single word, not a %s", node_kind_name(node));
        return false;
    }
    if (input_type_from(node->text, out)) {
        bool is_old = *out == INPUT_BOOLEAN || *out == INPUT_ENUM;
        if (!is_old) return true;
        Str now = *out == INPUT_BOOLEAN ? STR("BOOL") : STR("SELECT");
        bool is_gone = (builder->options->targets & TARGET_2_0) != 0;
        Diag *diag = diag_add(builder->diags, is_gone ? "E0111" : "W0109",
                              is_gone ? DIAG_ERROR : DIAG_WARNING, node->span,
                              "type '" STR_FMT "' is now called '" STR_FMT "'", STR_ARG(node->text),
                              STR_ARG(now));
        DiagSuggestion *fix = diag_suggestion(diag, true, "write '" STR_FMT "'", STR_ARG(now));
        diag_edit(diag, fix, node->span, now);
        if (is_gone) diag->targets = TARGET_2_0;
        return true;
    }
    static const char *const newer[] = {"REUSABLE_INPUTS", "TABLE", "OBJECT"};
    for (size_t i = 0; i < COUNT(newer); i++) {
        if (str_eq(node->text, str_from(newer[i]))) return false;  // 2.0, not in the open edition
    }
    Diag *diag = diag_add(builder->diags, "E0105", DIAG_ERROR, node->span,
                          "'" STR_FMT "' is no type of an input", STR_ARG(node->text));
    Nearest nearest = nearest_to(node->text);
    for (int type = 0; type < INPUT_TYPE_COUNT; type++) {
        nearest_offer(&nearest, str_from(input_type_name((InputType)type)));
    }
    diag_suggest(diag, nearest.name);
    return false;
}

static bool input_level(Builder *builder, bool has_type, InputType type, Level *out) {
    const Def *base = catalog_def(builder->catalog, STR("_base"), STR("Input"));
    if (base == NULL) return false;
    const Def *def = base;
    for (uint32_t i = 0; i < base->variant_count && has_type; i++) {
        if (str_eq(base->variants[i].key, str_from(input_type_name(type)))) {
            def = base->variants[i].def;
        }
    }
    if (def == base && has_type) return false;
    *out = (Level){
        .props = def->props,
        .prop_count = def->prop_count,
        .name = STR("Input"),
        .is_certain = true,
        .is_enforced = true,
        .is_open = def == base,  // a type nobody knows: its own properties are not known either
    };
    return true;
}

static void mend_input(Builder *builder, const Node *node) {
    Level level = {0};
    InputType type = INPUT_STRING;
    const Node *written = node_get(node, STR("type"));
    bool has_type = written != NULL && input_type_from(node_text(written), &type);
    if (input_level(builder, has_type, type, &level)) schema_mend(builder, node, &level);
}

// A list of texts; since 2.0 an item may also be {label, value}.
static void check_values(Builder *builder, const Node *values, const InputDecl *input,
                         const Level *level) {
    if (level_prop(level, STR("values")) == NULL || values == NULL) return;
    if (node_is_nothing(values) && input->expression != NULL) {
        schema_nothing(builder, values, STR("values"), "a list", NULL, level);
        return;
    }
    if (node_is_absent(values)) return;
    if (values->type != YAML_LIST) {
        diag_add(builder->diags, "E0104", DIAG_ERROR, values->span,
                 "'values' must be a list, not a %s", node_kind_name(values));
        return;
    }
    const bool takes_maps = (builder->options->targets & ~(uint32_t)TARGET_2_0) == 0;
    for (uint32_t i = 0; i < values->items.count; i++) {
        const Node *item = values->items.items[i];
        if (item->type == YAML_MAP && takes_maps) {
            if (!node_is_absent(node_get(item, STR("value")))) continue;
            diag_add(builder->diags, "E0102", DIAG_ERROR, item->span,
                     "an item of 'values' that is a map needs a 'value'");
            continue;
        }
        if (item->type != YAML_LIST && item->type != YAML_MAP) continue;
        diag_add(builder->diags, "E0104", DIAG_ERROR, item->span,
                 "an item of 'values' must be a text, not a %s", node_kind_name(item));
    }
}

// The schema of an input is the catalog's; `defaults` and `prefill` are judged by rules that know
// the input's type and bounds, `values` also take {label, value} since 2.0.
static void check_input(Builder *builder, const Node *node, const InputDecl *input) {
    Level level = {0};
    if (!input_level(builder, input->has_type, input->type, &level)) return;
    // The old `name` stands for the id.
    if (present(node, "id") == NULL && present(node, "name") != NULL) {
        Prop *props = arena_array(builder->arena, Prop, level.prop_count);
        for (uint32_t i = 0; i < level.prop_count; i++) {
            props[i] = level.props[i];
            if (str_eq(props[i].name, STR("id"))) props[i].flags &= ~(uint32_t)PROP_REQUIRED;
        }
        level.props = props;
    }
    static const char *const skip[] = {"type",   "defaults", "prefill", "values",
                                       "inputs", "id",       "itemType"};
    schema_members(builder, node, &level, skip, COUNT(skip));
    check_values(builder, node_get(node, STR("values")), input, &level);
}

static InputDecl *build_input(Builder *builder, Node *node, Str prefix) {
    InputDecl *input = arena_new(builder->arena, InputDecl);
    input->node = node;
    schema_mend_head(builder, node, STR("Input"));
    mend_input(builder, node);
    const Node *id = present(node, "id");
    if (id != NULL && id->type != YAML_SCALAR) {
        diag_add(builder->diags, "E0104", DIAG_ERROR, id->span,
                 "'id' must be a single value, not a %s", node_kind_name(id));
    }
    if (id == NULL) id = present(node, "name");
    input->id = node_text(id);
    input->id_span = id != NULL ? id->span : node->span;
    if (prefix.len > 0) {
        input->id =
            str_printf(builder->arena, STR_FMT "." STR_FMT, STR_ARG(prefix), STR_ARG(input->id));
    }
    const Node *type = present(node, "type");
    input->type_span = type != NULL ? type->span : input->id_span;
    input->has_type = read_type(builder, type, &input->type);
    const Node *item = present(node, "itemType");
    input->item_type = INPUT_STRING;
    if (item != NULL) read_type(builder, item, &input->item_type);
    input->is_required = node_bool(present(node, "required"), true);
    input->defaults = present(node, "defaults");
    input->prefill = present(node, "prefill");
    input->expression = present(node, "expression");
    input->values = present(node, "values");
    if (input->values == NULL) input->values = present(node, "options");
    input->validator = present(node, "validator");
    input->min = present(node, "min");
    input->max = present(node, "max");
    input->after = present(node, "after");
    input->before = present(node, "before");
    input->allow_custom = node_bool(present(node, "allowCustomValue"), false);
    input->auto_first = node_bool(present(node, "autoSelectFirst"), false);
    input->display_name = node_text(present(node, "displayName"));
    const Node *depends = present(node, "dependsOn");
    if (depends != NULL && depends->type == YAML_MAP) {
        read_names(builder, present(depends, "inputs"), &input->depends_on, &input->depends_spans);
        input->condition = present(depends, "condition");
    }
    static const char *const extensions[] = {"allowedFileExtensions", "acceptedExtensions"};
    LIST_OF(Span) places = {0};
    for (size_t i = 0; i < COUNT(extensions); i++) {
        read_names(builder, present(node, extensions[i]), &input->extensions, &places);
    }
    check_input(builder, node, input);
    const Node *children = present(node, "inputs");
    if (children != NULL && input->has_type && input->type == INPUT_FORM) {
        build_inputs(builder, children, input->id, &input->children);
    }
    return input;
}

void build_inputs(Builder *builder, const Node *list, Str prefix, void *inputs) {
    InputList *out = inputs;
    if (node_is_absent(list) || list->type != YAML_LIST) return;
    for (uint32_t i = 0; i < list->items.count; i++) {
        Node *item = list->items.items[i];
        if (item->type == YAML_HOLE) continue;
        if (item->type != YAML_MAP) {
            diag_add(builder->diags, "E0104", DIAG_ERROR, item->span,
                     "an input must be a map with 'id' and 'type', not a %s", node_kind_name(item));
            continue;
        }
        *LIST_ADD(builder->arena, out, InputDecl *) = build_input(builder, item, prefix);
    }
}

void build_outputs(Builder *builder, const Node *list) {
    if (node_is_absent(list) || list->type != YAML_LIST) return;
    for (uint32_t i = 0; i < list->items.count; i++) {
        Node *item = list->items.items[i];
        if (node_is_null(item)) {
            diag_add(builder->diags, "E0104", DIAG_ERROR, item->span,
                     "an output must be a map with 'id', 'type' and 'value', not a null");
        }
        if (item->type != YAML_MAP) continue;  // the schema has said so
        OutputDecl *output = arena_new(builder->arena, OutputDecl);
        const Node *id = present(item, "id");
        output->node = item;
        output->id = node_text(id);
        output->id_span = id != NULL ? id->span : item->span;
        output->has_type = read_type(builder, present(item, "type"), &output->type);
        output->is_required = node_bool(present(item, "required"), true);
        output->value = present(item, "value");
        *LIST_ADD(builder->arena, &builder->flow->outputs, OutputDecl *) = output;
    }
}

// --- triggers -----------------------------------------------------------------------------------

static const Node *trigger_value(const void *self, Str name) {
    const TriggerDecl *trigger = self;
    const Property *property = properties_find(&trigger->properties, name);
    return property != NULL ? property->node : node_get(trigger->node, name);
}

static const Prop *newer_prop(Builder *builder, const TriggerDecl *trigger, Str name) {
    const Prop *prop = def_prop(language_object(builder, "trigger"), name);
    if (prop == NULL && str_ends_with(trigger->type_name, STR(".trigger.Flow"))) {
        prop = def_prop(language_object(builder, "trigger.Flow"), name);
    }
    return prop;
}

static void trigger_properties(Builder *builder, TriggerDecl *trigger) {
    Properties all = {0};
    Level level = {.is_open = true, .name = trigger->type_name};
    if (trigger->type != NULL) {
        bool is_versioned = !node_is_absent(node_get(trigger->node, STR("version")));
        level = level_of_type(trigger->type, is_versioned, NULL);
        schema_mend(builder, trigger->node, &level);
    }
    defaults_properties(builder, trigger->node, trigger->type_name, &all);
    for (uint32_t i = 0; i < all.count; i++) {
        Property property = all.items[i];
        const NodeEntry *own = node_entry(trigger->node, property.name);
        property.schema = level_prop(&level, property.name);
        bool is_newer = property.schema == NULL;
        if (is_newer) property.schema = newer_prop(builder, trigger, property.name);
        is_newer = is_newer && property.schema != NULL;
        if (is_newer && builder->options->targets != 0 &&
            (builder->options->targets & TARGET_2_0) == 0) {
            Diag *diag =
                diag_add(builder->diags, "E0111", DIAG_ERROR, property.name_span,
                         "property '" STR_FMT "' exists from 2.0 on", STR_ARG(property.name));
            diag->targets = builder->options->targets;
        }
        if (property.schema == NULL) {
            if (own != NULL) schema_unknown(builder, trigger->node, own->key, &level);
            if (trigger->type != NULL && property.is_default) continue;
        } else {
            if (own != NULL) schema_known(builder, own, property.schema, &level);
            schema_value(builder, property.node, property.schema, &property.schema->type, &level);
        }
        if (str_eq(property.name, STR("id")) || str_eq(property.name, STR("type"))) continue;
        *LIST_ADD(builder->arena, &trigger->properties, Property) = property;
    }
    if (trigger->type == NULL) return;
    Str owner = str_printf(builder->arena, "trigger '" STR_FMT "'", STR_ARG(trigger->id));
    schema_missing(builder, &level, trigger->type_span, owner, trigger_value, trigger);
}

void build_triggers(Builder *builder, const Node *list) {
    if (node_is_absent(list) || list->type != YAML_LIST) return;
    for (uint32_t i = 0; i < list->items.count; i++) {
        Node *item = list->items.items[i];
        if (item->type == YAML_HOLE) continue;
        if (item->type != YAML_MAP) {
            diag_add(builder->diags, "E0104", DIAG_ERROR, item->span,
                     "a trigger must be a map with 'id' and 'type', not a %s",
                     node_kind_name(item));
            continue;
        }
        TriggerDecl *trigger = arena_new(builder->arena, TriggerDecl);
        schema_mend_head(builder, item, STR("trigger"));
        const Node *id = present(item, "id");
        const Node *type = present(item, "type");
        trigger->node = item;
        trigger->id = node_text(id);
        trigger->id_span = id != NULL ? id->span : item->span;
        trigger->type_name = node_text(type);
        trigger->type_span = type != NULL ? type->span : trigger->id_span;
        if (type == NULL && !builder->flow->has_holes) {
            diag_add(builder->diags, "E0102", DIAG_ERROR, trigger->id_span,
                     "property 'type' of trigger '" STR_FMT "' is missing", STR_ARG(trigger->id));
        }
        trigger->type = schema_type(builder, type, KIND_TRIGGER);
        trigger_properties(builder, trigger);
        const Property *disabled = properties_find(&trigger->properties, STR("disabled"));
        trigger->is_disabled = disabled != NULL && node_bool(disabled->node, false);
        *LIST_ADD(builder->arena, &builder->flow->triggers, TriggerDecl *) = trigger;
    }
}

void build_holes(Builder *builder, const Node *node) {
    if (node->type == YAML_HOLE) {
        builder->flow->has_holes = true;
        for (uint32_t i = 0; i < node->hole_ids.count; i++) {
            *LIST_ADD(builder->arena, &builder->flow->hole_ids, Str) = node->hole_ids.items[i];
        }
    }
    for (uint32_t i = 0; i < node->items.count; i++) build_holes(builder, node->items.items[i]);
    for (uint32_t i = 0; i < node->entries.count; i++) {
        build_holes(builder, node->entries.items[i].value);
    }
}
