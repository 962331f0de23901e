// types.c - what the catalog declares, as types of the expression language.
//
// The catalog never says that an output is always there: every field is optional. A definition that
// refers to itself ends in `any` there, and so does everything once a type has grown beyond reason.
#include "catalog/catalog.h"
#include "type/type.h"

enum { DEPTH_MAX = 6, FIELDS_MAX = 4096 };

typedef struct Maker {
    Arena *arena;
    const Def *open[DEPTH_MAX + 2];  // definitions being made
    uint32_t depth;
    uint32_t fields;  // made so far
} Maker;

static const Type *from_prop_type(Maker *maker, PropType type);
static const Type *from_object(Maker *maker, const Def *def);

static const Type *from_fields(Maker *maker, const Def *def) {
    Arena *arena = maker->arena;
    if (def->variant_count > 0) {
        const Type *all = type_never();
        for (uint32_t i = 0; i < def->variant_count; i++) {
            const Def *variant = def->variants[i].def;
            if (variant == NULL) return type_any();
            all = type_join(arena, all, from_object(maker, variant));
        }
        return all;
    }
    TypeField *fields = arena_array(arena, TypeField, def->prop_count);
    for (uint32_t i = 0; i < def->prop_count; i++) {
        fields[i] =
            (TypeField){def->props[i].name, from_prop_type(maker, def->props[i].type), true};
    }
    const Type *record = type_record(arena, fields, def->prop_count, (def->flags & DEF_OPEN) != 0);
    if ((def->flags & DEF_FROM_STRING) == 0) return record;
    return type_join(arena, record, type_text(TEXT_PLAIN));
}

static const Type *from_object(Maker *maker, const Def *def) {
    maker->fields += 1 + def->prop_count;
    if (maker->depth >= DEPTH_MAX || maker->fields > FIELDS_MAX) return type_any();
    for (uint32_t i = 0; i < maker->depth; i++) {
        if (maker->open[i] == def) return type_any();
    }
    maker->open[maker->depth++] = def;
    const Type *type = from_fields(maker, def);
    maker->depth--;
    return type;
}

static const Type *from_prop_type(Maker *maker, PropType type) {
    Arena *arena = maker->arena;
    switch (type.kind) {
    case T_STRING:
    case T_ENCRYPTED:
    case T_TIMEZONE:
        return type_text(TEXT_PLAIN);
    case T_INT:
        return type_int();
    case T_NUMBER:
        return type_number();
    case T_BOOL:
        return type_bool();
    case T_DURATION:
        return type_text(TEXT_DURATION);
    case T_DATETIME:
        return type_text(TEXT_DATETIME);
    case T_DATE:
        return type_text(TEXT_DATE);
    case T_TIME:
        return type_text(TEXT_TIME);
    case T_URI:
        return type_text(TEXT_URI);
    case T_LIST:
        return type_list(arena, from_prop_type(maker, *type.item));
    case T_MAP:
        return type_map(arena, from_prop_type(maker, *type.item));
    case T_LABELS:
        return type_map(arena, type_any());
    case T_ENUM:
        if (type.def->flags & DEF_NUMBERS) return type_int();
        if (type.def->flags & DEF_LOOSE) return type_text(TEXT_PLAIN);
        return type_literals(arena, type.def->values, type.def->value_count);
    case T_OBJECT:
        return from_object(maker, type.def);
    case T_ANY:
    case T_DATA:
    case T_TASK:
    case T_TRIGGER:
    case T_CONDITION:
    case T_RUNNER:
    case T_LOG_EXPORTER:
    case T_ASSET:
    case T_ASSET_EXPORTER:
    case T_PLUGIN:
    case T_EXTERNAL:
        return type_any();
    }
    return type_any();
}

const Type *catalog_type(Arena *arena, PropType type) {
    Maker maker = {.arena = arena};
    return from_prop_type(&maker, type);
}

const Type *catalog_outputs_type(Arena *arena, const TaskType *type) {
    Maker maker = {.arena = arena};
    TypeField *fields = arena_array(arena, TypeField, type->output_count);
    for (uint32_t i = 0; i < type->output_count; i++) {
        fields[i] =
            (TypeField){type->outputs[i].name, from_prop_type(&maker, type->outputs[i].type), true};
    }
    bool is_open = (type->flags & (TYPE_OUTPUTS_OPEN | TYPE_INFERRED | TYPE_AS_OF)) != 0;
    return type_record(arena, fields, type->output_count, is_open);
}
