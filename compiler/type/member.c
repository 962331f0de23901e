// member.c - what `value.name` gives, and all that is known of an expression beside its type.
#include "type/type.h"

// A name that is a number may index a list; a record says whether it has the field.
static TypeMember member_of(const Type *type, Str name) {
    int64_t index = 0;
    TypeMember result = {.type = type_never(), .is_there = CERTAINLY_NOT};
    switch (type->tag) {
    case TYPE_TAG_ANY:
        return (TypeMember){.type = type_any(), .is_there = MAYBE};
    case TYPE_TAG_NULL:
        break;
    case TYPE_TAG_MAP:
        return (TypeMember){.type = type->item, .is_there = MAYBE};
    case TYPE_TAG_LIST:
        if (str_to_int(name, &index)) {
            return (TypeMember){.type = type->item, .is_there = MAYBE};
        }
        result.is_error = result.is_error_always = true;
        break;
    case TYPE_TAG_RECORD:
        for (uint32_t i = 0; i < type->count; i++) {
            const TypeField *field = &type->fields[i];
            if (!str_eq(field->name, name)) continue;
            return (TypeMember){.type = field->type,
                                .is_there = field->is_optional ? MAYBE : CERTAINLY};
        }
        if (type->is_open) return (TypeMember){.type = type_any(), .is_there = MAYBE};
        break;
    case TYPE_TAG_BOOL:
    case TYPE_TAG_INT:
    case TYPE_TAG_FLOAT:
    case TYPE_TAG_TEXT:
        result.is_error = result.is_error_always = true;
        break;
    case TYPE_TAG_NEVER:
    case TYPE_TAG_UNION:
        break;
    }
    return result;
}

TypeMember type_member(Arena *arena, const Type *type, Str name) {
    if (type->tag != TYPE_TAG_UNION) return member_of(type, name);
    TypeMember result = member_of(type->members[0], name);
    for (uint32_t i = 1; i < type->count; i++) {
        TypeMember next = member_of(type->members[i], name);
        result.type = type_join(arena, result.type, next.type);
        if (result.is_there != next.is_there) result.is_there = MAYBE;
        result.is_error = result.is_error || next.is_error;
        result.is_error_always = result.is_error_always && next.is_error_always;
    }
    return result;
}

Typed typed_of(const Type *type, TypeSource source) {
    return (Typed){.type = type, .source = source};
}

Typed typed_unknown(void) {
    return (Typed){.type = type_any(), .undef = MAYBE, .source = SOURCE_UNKNOWN};
}

Typed typed_carry(Typed result, Typed operand) {
    if (operand.taint > result.taint) result.taint = operand.taint;
    if (operand.source > result.source) result.source = operand.source;
    result.effects |= operand.effects;
    return result;
}

Typed typed_join(Arena *arena, Typed a, Typed b) {
    Typed result = typed_carry(a, b);
    result.type = type_join(arena, a.type, b.type);
    if (a.undef != b.undef) {
        result.undef = MAYBE;
        if (a.undef == CERTAINLY_NOT) {
            result.undef_path = b.undef_path;
            result.undef_reason = b.undef_reason;
        }
    }
    return result;
}
