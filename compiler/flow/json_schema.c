// json_schema.c - the language with the catalog as a JSON schema, for editors and other programs.
//
// A map with a `type` is looked at in two steps, by the first four parts of the name and then by
// the name, since a validator tries every alternative it is given. Required properties of tasks and
// triggers may come from plugin defaults, which a schema cannot follow, so they are asked for, in a
// definition of their own, only where the flow has no defaults.
#include "flow/json_schema.h"

enum { GROUP_PARTS = 4 };

typedef struct Named {
    Str name;
    const TaskType *type;
} Named;

typedef LIST_OF(Named) NamedTypes;

static bool is_in_targets(const Export *it, Str type, bool is_alias) {
    uint32_t absent = catalog_absent_in(it->builder.catalog, type, (Str){0});
    if (is_alias) absent |= TARGET_2_0;
    return (absent & it->targets) == 0;
}

static void add_named(Export *it, NamedTypes *out, Str name) {
    bool is_alias = false;
    const TaskType *type = catalog_find(it->builder.catalog, name, &is_alias);
    if (type == NULL || (type->flags & TYPE_INTERNAL) != 0) return;
    if (!is_in_targets(it, type->name, is_alias)) return;
    for (uint32_t i = 0; i < out->count; i++) {
        if (str_eq(out->items[i].name, name)) return;
    }
    *LIST_ADD(it->arena, out, Named) = (Named){name, type};
}

// All names of types of a kind; of those that a plugin base lists, where `def` is one.
static NamedTypes types_of(Export *it, TypeKind kind, const Def *def) {
    NamedTypes out = {0};
    const bool is_listed = def != NULL && def->plugin_count > 0;
    const uint32_t count = is_listed ? def->plugin_count : catalog_count(it->builder.catalog);
    for (uint32_t i = 0; i < count; i++) {
        const Str name = is_listed ? def->plugins[i] : catalog_name_at(it->builder.catalog, i);
        const TaskType *type = catalog_find(it->builder.catalog, name, &(bool){false});
        if (type == NULL || (kind != KIND_COUNT && type->kind != kind)) continue;
        add_named(it, &out, name);
        for (uint32_t k = 0; k < type->alias_count; k++) add_named(it, &out, type->aliases[k]);
    }
    return out;
}

// --- one type -----------------------------------------------------------------------------------

static bool is_certain_type(const TaskType *type) {
    return (type->flags & (TYPE_INFERRED | TYPE_AS_OF | TYPE_OPEN)) == 0;
}

// Tasks that have to be there: of the body of a task that groups others.
static bool holds_body(const TaskType *type, const Prop *prop) {
    static const char *const names[] = {"tasks", "then"};
    if (type->exec != EXEC_FLOWABLE || prop->type.kind != T_LIST ||
        prop->type.item->kind != T_TASK || str_ends_with(type->name, STR(".Pause"))) {
        return false;
    }
    for (size_t i = 0; i < COUNT(names); i++) {
        if (str_eq(prop->name, str_from(names[i]))) return true;
    }
    return false;
}

static void make_type(Export *it, const void *subject, bool is_enforced, Buffer *out) {
    const TaskType *type = subject;
    const bool has_defaults = type->kind == KIND_TASK || type->kind == KIND_TRIGGER;
    const bool is_flow_trigger = str_ends_with(type->name, STR(".trigger.Flow"));
    struct JsonOverride overrides[8];
    JsonObject object = {.props = type->props,
                         .prop_count = type->prop_count,
                         .type_name = type->name,
                         .doc = type->doc,
                         .is_certain = is_certain_type(type),
                         .is_strict = is_certain_type(type),
                         .is_enforced = is_enforced,
                         .needs_required = is_enforced && !has_defaults,
                         .overrides = overrides};
    if (it->targets == 0 || (it->targets & ~(uint32_t)TARGET_2_0) == 0) {
        if (type->kind == KIND_TASK) object.extra = language_object(&it->builder, "task");
        if (type->kind == KIND_TRIGGER) object.extra = language_object(&it->builder, "trigger");
        if (is_flow_trigger) object.more = language_object(&it->builder, "trigger.Flow");
    }
    // Its value stands with all the other names.
    overrides[object.override_count++] = (struct JsonOverride){"type", "true"};
    if (has_defaults) overrides[object.override_count++] = (struct JsonOverride){"id", "true"};
    for (uint32_t i = 0; i < type->prop_count && object.override_count < COUNT(overrides); i++) {
        if (!holds_body(type, &type->props[i])) continue;
        const Str task = json_typed_schema(it, KIND_TASK, NULL, true);
        const Str list = json_interned(
            it, str_printf(it->arena, "{\"type\":\"array\",\"minItems\":1,\"items\":" STR_FMT "}",
                           STR_ARG(task)));
        overrides[object.override_count++] = (struct JsonOverride){
            str_to_c(it->arena, type->props[i].name), str_to_c(it->arena, list)};
    }
    json_object_schema(it, &object, out);
}

// --- which type it is ---------------------------------------------------------------------------

static Str group_of(Str name) {
    size_t at = 0;
    for (uint32_t i = 0; i < GROUP_PARTS; i++) {
        const size_t dot = str_find_char(name, '.', at);
        if (dot == STR_NOT_FOUND) return str_slice(name, 0, at);
        at = dot + 1;
    }
    return str_slice(name, 0, at);
}

static void add_cases(Export *it, const NamedTypes *types, Str group, bool is_enforced,
                      Buffer *out) {
    bool is_first = true;
    buffer_add_char(out, '[');
    for (uint32_t i = 0; i < types->count; i++) {
        const Named *named = &types->items[i];
        if (!str_eq(group_of(named->name), group)) continue;
        if (!is_first) buffer_add_char(out, ',');
        is_first = false;
        buffer_add(out, STR("{\"if\":{\"properties\":{\"type\":{\"const\":"));
        buffer_add_json(out, named->name);
        buffer_add(out, STR("}}},\"then\":"));
        buffer_add(out,
                   json_definition(it, named->type->name, named->type, is_enforced, make_type));
        buffer_add_char(out, '}');
    }
    buffer_add_char(out, ']');
}

static Str group_pattern(const Export *it, Str group) {
    Buffer text = {0};
    buffer_add_char(&text, '^');
    for (size_t i = 0; i < group.len; i++) {
        if (group.ptr[i] == '.') buffer_add_char(&text, '\\');
        buffer_add_char(&text, group.ptr[i]);
    }
    if (group.len == 0) buffer_add(&text, STR("[^.]*(\\.[^.]*){0,3}$"));
    const Str pattern = buffer_to_str(&text, it->arena);
    buffer_release(&text);
    return pattern;
}

static void add_groups(Export *it, const NamedTypes *types, bool is_enforced, Buffer *out) {
    LIST_OF(Str) groups = {0};
    for (uint32_t i = 0; i < types->count; i++) {
        const Str group = group_of(types->items[i].name);
        bool is_known = false;
        for (uint32_t k = 0; k < groups.count; k++) {
            is_known = is_known || str_eq(groups.items[k], group);
        }
        if (!is_known) *LIST_ADD(it->arena, &groups, Str) = group;
    }
    for (uint32_t i = 0; i < groups.count; i++) {
        if (i > 0) buffer_add_char(out, ',');
        buffer_add(out, STR("{\"if\":{\"properties\":{\"type\":{\"pattern\":"));
        buffer_add_json(out, group_pattern(it, groups.items[i]));
        buffer_add(out, STR("}}},\"then\":{\"allOf\":"));
        add_cases(it, types, groups.items[i], is_enforced, out);
        buffer_add(out, STR("}}"));
    }
}

typedef struct Kind {
    TypeKind kind;
    const Def *def;
} Kind;

static void add_names(const Export *it, const NamedTypes *types, Buffer *out) {
    const FlowOptions *options = it->builder.options;
    buffer_add(out, STR("{\"anyOf\":[{\"enum\":["));
    for (uint32_t i = 0; i < types->count; i++) {
        if (i > 0) buffer_add_char(out, ',');
        buffer_add_json(out, types->items[i].name);
    }
    buffer_add(out, STR("]},{\"type\":\"string\",\"pattern\":\"" PATTERN_TEMPLATE "\"}"));
    if (options->unknown_types_warn) buffer_add(out, STR(",{\"type\":\"string\"}"));
    for (uint32_t i = 0; i < options->external_count; i++) {
        buffer_add(out, STR(",{\"type\":\"string\",\"pattern\":"));
        buffer_add_json(out, group_pattern(it, options->externals[i]));
        buffer_add_char(out, '}');
    }
    buffer_add(out, STR("]}"));
}

static void make_kind(Export *it, const void *subject, bool is_enforced, Buffer *out) {
    const Kind *which = subject;
    const NamedTypes types = types_of(it, which->kind, which->def);
    const bool is_task = which->kind == KIND_TASK, is_trigger = which->kind == KIND_TRIGGER;
    buffer_add(out, STR("{\"type\":\"object\",\"required\":["));
    buffer_add(out, is_task || is_trigger ? STR("\"id\",\"type\"") : STR("\"type\""));
    buffer_add(out, STR("],\"properties\":{"));
    if (is_task || is_trigger) {
        buffer_add(out,
                   STR("\"id\":{\"type\":[\"string\",\"number\",\"boolean\"],\"maxLength\":256,"
                       "\"pattern\":\"^[a-zA-Z0-9][a-zA-Z0-9_-]*$\"},"));
    }
    buffer_add(out, STR("\"type\":"));
    add_names(it, &types, out);
    // Of another version of a plugin nothing is certain.
    buffer_add(out, STR("},\"if\":{\"required\":[\"version\"]},\"else\":{\"allOf\":["));
    add_groups(it, &types, is_enforced, out);
    buffer_add(out, STR("]}}"));
}

Str json_typed_schema(Export *it, TypeKind kind, const Def *def, bool is_enforced) {
    for (uint32_t i = 0; i < it->kinds.count; i++) {
        const Kind *known = it->kinds.items[i];
        if (known->kind != kind || known->def != def) continue;
        return json_definition(it, (Str){0}, known, is_enforced, make_kind);
    }
    Kind *which = arena_new(it->arena, Kind);
    *which = (Kind){kind, def};
    *LIST_ADD(it->arena, &it->kinds, const void *) = which;
    const Str name = def != NULL ? def->name : str_from(catalog_kind_name(kind));
    return json_definition(it, name, which, is_enforced, make_kind);
}

// --- required properties ------------------------------------------------------------------------

static void add_choices(const TaskType *type, Buffer *out) {
    for (uint32_t i = 0; i < type->exactly_one_count; i++) {
        buffer_add(out, STR(",{\"oneOf\":["));
        for (uint32_t k = 0; k < type->exactly_one[i].count; k++) {
            if (k > 0) buffer_add_char(out, ',');
            buffer_add(out, STR("{\"required\":["));
            buffer_add_json(out, type->exactly_one[i].names[k]);
            buffer_add(out, STR("]}"));
        }
        buffer_add(out, STR("]}"));
    }
    if (str_ends_with(type->name, STR("core.flow.Switch"))) {
        buffer_add(out,
                   STR(",{\"anyOf\":[{\"required\":[\"cases\"]},{\"required\":[\"defaults\"]}]}"));
    }
}

static Str needs_of(const Export *it, const TaskType *type) {
    Buffer text = {0};
    buffer_add(&text, STR("[true"));
    for (uint32_t i = 0; i < type->prop_count && is_certain_type(type); i++) {
        const Prop *prop = &type->props[i];
        if ((prop->flags & PROP_REQUIRED) == 0) continue;
        buffer_add(&text, STR(",{\"anyOf\":["));
        for (uint32_t k = 0; k <= prop->alias_count; k++) {
            if (k > 0) buffer_add_char(&text, ',');
            buffer_add(&text, STR("{\"required\":["));
            buffer_add_json(&text, k == 0 ? prop->name : prop->aliases[k - 1]);
            buffer_add(&text, STR("]}"));
        }
        buffer_add(&text, STR("]}"));
    }
    add_choices(type, &text);
    buffer_add_char(&text, ']');
    const Str needs = buffer_to_str(&text, it->arena);
    buffer_release(&text);
    return needs;
}

// Types that need the same stand together.
static void make_needs(Export *it, const void *subject, bool is_enforced, Buffer *out) {
    const Kind *which = subject;
    const NamedTypes types = types_of(it, which->kind, NULL);
    Str *needs = arena_array(it->arena, Str, types.count + 1);
    for (uint32_t i = 0; i < types.count; i++) needs[i] = needs_of(it, types.items[i].type);
    buffer_add(out, STR("{\"allOf\":[true"));
    for (uint32_t i = 0; i < types.count; i++) {
        bool is_first = !str_eq(needs[i], STR("[true]"));
        for (uint32_t k = 0; k < i && is_first; k++) is_first = !str_eq(needs[k], needs[i]);
        if (!is_first) continue;
        buffer_add(out,
                   STR(",{\"if\":{\"required\":[\"type\"],\"not\":{\"required\":[\"version\"]},"
                       "\"properties\":{\"type\":{\"enum\":["));
        for (uint32_t k = i; k < types.count; k++) {
            if (!str_eq(needs[k], needs[i])) continue;
            if (k > i) buffer_add_char(out, ',');
            buffer_add_json(out, types.items[k].name);
        }
        buffer_printf(out, "]}}},\"then\":{\"allOf\":" STR_FMT "}}", STR_ARG(needs[i]));
    }
    buffer_add_char(out, ']');
    if (which->kind == KIND_TASK) {
        static const char *const lists[] = {"tasks",  "then",    "else",
                                            "errors", "finally", "defaults"};
        buffer_add(out, STR(",\"properties\":{\"task\":{\"$ref\":\"#/definitions/task-needs\"},"
                            "\"cases\":{\"additionalProperties\":{\"items\":{"
                            "\"$ref\":\"#/definitions/task-needs\"}}}"));
        for (size_t i = 0; i < COUNT(lists); i++) {
            buffer_printf(out, ",\"%s\":{\"items\":{\"$ref\":\"#/definitions/task-needs\"}}",
                          lists[i]);
        }
        buffer_add_char(out, '}');
    }
    buffer_add_char(out, '}');
    (void)is_enforced;
}

static void add_needs(Export *it, Buffer *out) {
    static const Kind task = {KIND_TASK, NULL}, trigger = {KIND_TRIGGER, NULL};
    if (it->builder.options->project_defaults != NULL) return;
    const Str tasks = json_definition(it, STR("task-needs"), &task, true, make_needs);
    const Str triggers = json_definition(it, STR("trigger-needs"), &trigger, true, make_needs);
    static const char *const lists[] = {"tasks", "errors", "finally", "afterExecution"};
    buffer_add(out, STR(",\"if\":{\"not\":{\"anyOf\":[{\"required\":[\"pluginDefaults\"]},"
                        "{\"required\":[\"taskDefaults\"]}]}},\"then\":{\"properties\":{"));
    buffer_printf(out, "\"triggers\":{\"items\":" STR_FMT "}", STR_ARG(triggers));
    for (size_t i = 0; i < COUNT(lists); i++) {
        buffer_printf(out, ",\"%s\":{\"items\":" STR_FMT "}", lists[i], STR_ARG(tasks));
    }
    buffer_add(out, STR("}}"));
}

// --- inputs -------------------------------------------------------------------------------------

static const char id_of_input[] = "{\"type\":[\"string\",\"number\",\"boolean\"],\"maxLength\":256,"
                                  "\"pattern\":\"^[a-zA-Z0-9][a-zA-Z0-9._-]*$\"}";

static void add_input_types(Buffer *out) {
    buffer_add(out, STR("{\"enum\":["));
    for (int type = 0; type < INPUT_TYPE_COUNT; type++) {
        buffer_add_json(out, str_from(input_type_name((InputType)type)));
        buffer_add_char(out, ',');
    }
    buffer_add(out, STR("\"REUSABLE_INPUTS\",\"TABLE\",\"OBJECT\"]}"));
}

static void make_input(Export *it, const void *subject, bool is_enforced, Buffer *out) {
    const Def *base = subject;
    // Judged by rules that know the type and the bounds of the input.
    const struct JsonOverride overrides[] = {
        {"type",     "true"                                                             },
        {"defaults", "true"                                                             },
        {"prefill",  "true"                                                             },
        {"values",   "{\"type\":[\"array\",\"string\",\"null\"]}"                       },
        {"inputs",   "{\"type\":\"array\",\"items\":{\"$ref\":\"#/definitions/Input\"}}"},
        {"id",       id_of_input                                                        },
    };
    buffer_add(out, STR("{\"type\":\"object\",\"required\":[\"type\"],\"anyOf\":[{\"required\":["
                        "\"id\"]},{\"required\":[\"name\"]}],\"properties\":{\"type\":"));
    add_input_types(out);
    buffer_add(out, STR("},\"allOf\":[true"));
    for (uint32_t i = 0; i < base->variant_count; i++) {
        const Def *def = base->variants[i].def;
        JsonObject object = {.props = def->props,
                             .prop_count = def->prop_count,
                             .is_certain = true,
                             .is_strict = true,
                             .is_enforced = is_enforced,
                             .overrides = overrides,
                             .override_count = COUNT(overrides)};
        buffer_add(out, STR(",{\"if\":{\"properties\":{\"type\":{\"const\":"));
        buffer_add_json(out, base->variants[i].key);
        buffer_add(out, STR("}}},\"then\":"));
        json_object_schema(it, &object, out);
        buffer_add_char(out, '}');
    }
    buffer_add(out, STR("]}"));
}

// --- the flow -----------------------------------------------------------------------------------

static const char id_of_flow[] =
    "{\"type\":[\"string\",\"number\",\"boolean\"],\"maxLength\":100,"
    "\"pattern\":\"^[a-zA-Z0-9][a-zA-Z0-9._-]*$\",\"not\":{\"enum\":[\"pause\",\"resume\","
    "\"force-run\",\"change-status\",\"kill\",\"search\",\"source\",\"executions\",\"disable\","
    "\"enable\"]}}";
static const char name_of_namespace[] =
    "{\"type\":[\"string\",\"number\",\"boolean\"],\"maxLength\":150,"
    "\"pattern\":\"^[a-z0-9][a-z0-9._-]*$\"}";

static const char *list_schema(const Export *it, Str item, bool is_filled) {
    return str_to_c(it->arena,
                    str_printf(it->arena, "{\"type\":[\"array\"%s],\"items\":" STR_FMT "%s}",
                               is_filled ? "" : ",\"null\"", STR_ARG(item),
                               is_filled ? ",\"minItems\":1" : ""));
}

static Str object_of_language(Export *it, const char *name, const struct JsonOverride *overrides,
                              uint32_t count) {
    const Def *def = language_object(&it->builder, name);
    const JsonObject object = {.props = def->props,
                               .prop_count = def->prop_count,
                               .is_certain = true,
                               .is_strict = true,
                               .is_enforced = true,
                               .needs_required = true,
                               .overrides = overrides,
                               .override_count = count};
    Buffer text = {0};
    json_object_schema(it, &object, &text);
    const Str schema = buffer_to_str(&text, it->arena);
    buffer_release(&text);
    return schema;
}

static Str flow_schema(Export *it) {
    Catalog *catalog = it->builder.catalog;
    const Str task = json_typed_schema(it, KIND_TASK, NULL, true);
    const Str trigger = json_typed_schema(it, KIND_TRIGGER, NULL, true);
    const Def *input_def = catalog_def(catalog, STR("_base"), STR("Input"));
    const Str input = json_definition(it, STR("Input"), input_def, true, make_input);
    const Def *retry_def = catalog_def(catalog, STR("_base"), STR("AbstractRetry"));
    const Prop retry = {.name = STR("retry"), .flags = PROP_CASCADE, .min_len = -1, .max_len = -1};
    const PropType retry_type = {.kind = T_OBJECT, .def = retry_def};
    Buffer types = {0};
    add_input_types(&types);
    const struct JsonOverride of_output[] = {
        {"id",                id_of_input        },
        { "type", str_to_c(it->arena, buffer_str(&types))},
    };
    buffer_release(&types);
    const Str output = object_of_language(it, "output", of_output, COUNT(of_output));
    const struct JsonOverride of_listener[] = {
        {"tasks", list_schema(it, task, true)},
    };
    const Str listener = object_of_language(it, "listener", of_listener, COUNT(of_listener));
    const char *retries =
        str_to_c(it->arena, json_value_schema(it, &retry, &retry_type, true, true));
    const struct JsonOverride of_flow[] = {
        {"id",             id_of_flow                   },
        {"namespace",      name_of_namespace            },
        {"tasks",          list_schema(it,                task, true)},
        {"errors",           list_schema(it,                                        task, false)},
        {"finally",list_schema(it,task, false)},
        {"afterExecution",                list_schema(it,                                     task, false)},
        {"inputs",            list_schema(it,                                                          input, false)},
        {"triggers", list_schema(it, trigger, false)},
        {"outputs",          list_schema(it,                                       output, false)},
        {"listeners",list_schema(it,listener, false)},
        {"retry",                retries                                   },
    };
    return object_of_language(it, "flow", of_flow, COUNT(of_flow));
}

void flow_json_schema(Catalog *catalog, const FlowOptions *options, Arena *arena, Buffer *out) {
    Diags quiet = {.arena = arena, .muted = 1};
    Export it = {
        .builder = {.arena = arena, .diags = &quiet, .catalog = catalog, .options = options},
        .arena = arena,
        .targets = options->targets,
    };
    const Str flow = flow_schema(&it);
    buffer_add(out,
               STR("{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"title\":\"Flow\","
                   "\"allOf\":["));
    buffer_add(out, flow);
    buffer_add(out, STR("]"));
    add_needs(&it, out);
    buffer_add(out, STR(",\"definitions\":{"));
    for (uint32_t i = 0; i < it.definitions.count; i++) {
        buffer_printf(out, "%s\"" STR_FMT "\":", i == 0 ? "\n" : ",\n",
                      STR_ARG(it.definitions.items[i].name));
        buffer_add(out, it.definitions.items[i].text);
    }
    buffer_add(out, STR("\n}}\n"));
}
