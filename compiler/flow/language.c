// language.c - the objects of the language itself, in the form of the catalog: the flow, its
// outputs, SLAs, checks, concurrency, plugin defaults, listeners.
//
// The catalog knows types and what stands in them; what surrounds them is small and fixed, so its
// rows stand here. Inputs and retries are the catalog's (`Input`, `AbstractRetry`).
#include "flow/internal.h"

typedef struct Row {
    const char *object, *name;
    // A type of the catalog, `list<X>` and `map<X>` with X a type, `$X` an object of this file,
    // `A|B` an enum.
    const char *type;
    uint32_t flags;
} Row;

enum { REQUIRED = PROP_REQUIRED, OLD = PROP_DEPRECATED, HIDDEN = PROP_HIDDEN };

static const Row rows[] = {
    {"flow",         "id",             "string",                                          REQUIRED},
    {"flow",         "namespace",      "string",                                          REQUIRED},
    {"flow",         "revision",       "int",                                             0       },
    {"flow",         "description",    "string",                                          0       },
    {"flow",         "labels",         "labels",                                          0       },
    {"flow",         "inputs",         "list<any>",                                       0       },
    {"flow",         "variables",      "map<any>",                                        0       },
    {"flow",         "tasks",          "list<any>",                                       REQUIRED},
    {"flow",         "errors",         "list<any>",                                       0       },
    {"flow",         "finally",        "list<any>",                                       0       },
    {"flow",         "afterExecution", "list<any>",                                       0       },
    {"flow",         "outputs",        "list<$output>",                                   0       },
    {"flow",         "triggers",       "list<any>",                                       0       },
    {"flow",         "pluginDefaults", "list<$default>",                                  0       },
    {"flow",         "taskDefaults",   "list<$default>",                                  OLD     },
    {"flow",         "listeners",      "list<$listener>",                                 OLD     },
    {"flow",         "concurrency",    "$concurrency",                                    0       },
    {"flow",         "retry",          "any",                                             0       },
    {"flow",         "sla",            "list<$sla>",                                      0       },
    {"flow",         "checks",         "list<$check>",                                    0       },
    {"flow",         "disabled",       "bool",                                            0       },
    {"flow",         "deleted",        "bool",                                            HIDDEN  },
    {"flow",         "tenantId",       "string",                                          HIDDEN  },
    {"flow",         "workerGroup",    "any",                                             0       },
    {"flow",         "workerSelector", "any",                                             0       },
    {"flow",         "policyRefs",     "list<string>",                                    0       },
    {"flow",         "quotas",         "list<any>",                                       0       },
    {"flow",         "draft",          "bool",                                            0       },
    {"flow",         "updated",        "string",                                          HIDDEN  },
 // What a catalogue of published flows adds to them; no part of the language.
    {"flow",         "extend",         "any",                                             HIDDEN  },
    {"output",       "id",             "string",                                          REQUIRED},
    {"output",       "type",           "string",                                          REQUIRED},
    {"output",       "value",          "any",                                             REQUIRED},
    {"output",       "description",    "string",                                          0       },
    {"output",       "displayName",    "string",                                          0       },
    {"output",       "required",       "bool",                                            0       },
    {"default",      "type",           "string",                                          REQUIRED},
    {"default",      "values",         "map<any>",                                        REQUIRED},
    {"default",      "forced",         "bool",                                            0       },
    {"listener",     "conditions",     "list<condition>",                                 0       },
    {"listener",     "tasks",          "list<any>",                                       REQUIRED},
    {"listener",     "description",    "string",                                          0       },
    {"concurrency",  "limit",          "int",                                             REQUIRED},
    {"concurrency",  "behavior",       "QUEUE|CANCEL|FAIL",                               0       },
    {"sla",          "id",             "string",                                          REQUIRED},
    {"sla",          "type",           "MAX_DURATION|EXECUTION_ASSERTION",                REQUIRED},
    {"sla",          "behavior",       "FAIL|CANCEL|NONE",                                REQUIRED},
    {"sla",          "labels",         "labels",                                          0       },
    {"sla",          "duration",       "duration",                                        0       },
    {"sla",          "assert",         "string",                                          0       },
    {"check",        "condition",      "string",                                          0       },
    {"check",        "when",           "string",                                          0       },
    {"check",        "message",        "string",                                          REQUIRED},
    {"check",        "style",          "ERROR|SUCCESS|WARNING|INFO",                      0       },
    {"check",        "behavior",       "BLOCK_EXECUTION|FAIL_EXECUTION|CREATE_EXECUTION", 0       },
 // What 2.0 adds to every task and trigger; synonyms in the base language.
    {"task",         "when",           "string",                                          0       },
    {"task",         "workerSelector", "any",                                             0       },
    {"task",         "policyRefs",     "list<string>",                                    0       },
    {"trigger",      "when",           "string",                                          0       },
    {"trigger",      "workerSelector", "any",                                             0       },
    {"trigger",      "policyRefs",     "list<string>",                                    0       },
    {"trigger.Flow", "dependsOn",      "list<$dependency>",                               0       },
    {"trigger.Flow", "window",         "any",                                             0       },
    {"trigger.Flow", "mode",           "ALL|ANY|AT_LEAST",                                0       },
    {"trigger.Flow", "minSatisfied",   "int",                                             0       },
    {"trigger.Flow", "onMiss",         "any",                                             0       },
    {"dependency",   "flowId",         "string",                                          0       },
    {"dependency",   "namespace",      "string",                                          0       },
    {"dependency",   "states",         "list<string>",                                    0       },
    {"dependency",   "labels",         "labels",                                          0       },
    {"dependency",   "when",           "string",                                          0       },
};

static const Def *object_named(Builder *builder, Str name);

static const Def *make_enum(Builder *builder, Str name, Str text) {
    Def *def = arena_new(builder->arena, Def);
    LIST_OF(Str) values = {0};
    Str value;
    while (str_split(&text, '|', &value)) *LIST_ADD(builder->arena, &values, Str) = value;
    *def = (Def){.name = name, .kind = T_ENUM, .values = values.items, .value_count = values.count};
    return def;
}

static PropType make_type(Builder *builder, Str name, Str text) {
    static const struct {
        const char *name;
        ValueType kind;
    } plain[] = {
        {"string",    T_STRING   },
        {"int",       T_INT      },
        {"bool",      T_BOOL     },
        {"duration",  T_DURATION },
        {"any",       T_ANY      },
        {"labels",    T_LABELS   },
        {"condition", T_CONDITION},
    };
    for (size_t i = 0; i < COUNT(plain); i++) {
        if (plain[i].name[0] != text.ptr[0]) continue;
        if (str_eq(text, str_from(plain[i].name))) return (PropType){.kind = plain[i].kind};
    }
    if (text.ptr[0] == '$') {
        return (PropType){.kind = T_OBJECT,
                          .def = object_named(builder, str_slice(text, 1, text.len))};
    }
    size_t open = str_find_char(text, '<', 0);
    if (open == STR_NOT_FOUND) {
        return (PropType){.kind = T_ENUM, .def = make_enum(builder, name, text)};
    }
    PropType *item = arena_new(builder->arena, PropType);
    *item = make_type(builder, name, str_slice(text, open + 1, text.len - 1));
    return (PropType){.kind = text.ptr[0] == 'l' ? T_LIST : T_MAP, .item = item};
}

static const Def *object_named(Builder *builder, Str name) {
    for (uint32_t i = 0; i < builder->objects.count; i++) {
        if (str_eq(builder->objects.items[i]->name, name)) return builder->objects.items[i];
    }
    LIST_OF(Prop) props = {0};
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (rows[i].object[0] != name.ptr[0] || !str_eq(str_from(rows[i].object), name)) continue;
        Prop *prop = LIST_ADD(builder->arena, &props, Prop);
        prop->name = str_from(rows[i].name);
        prop->type = make_type(builder, prop->name, str_from(rows[i].type));
        prop->flags = rows[i].flags | PROP_CASCADE;
        prop->min_len = prop->max_len = -1;
    }
    if (props.count == 0) return NULL;
    Def *def = arena_new(builder->arena, Def);
    *def = (Def){.name = name, .kind = T_OBJECT, .props = props.items, .prop_count = props.count};
    *LIST_ADD(builder->arena, &builder->objects, const Def *) = def;
    return def;
}

const Def *language_object(Builder *builder, const char *name) {
    return object_named(builder, str_from(name));
}
